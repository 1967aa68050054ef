"""The waveform under the time line: the lowest and highest sample of each short stretch.

Source: the JSON data format of audiowaveform (BBC), version 2, which browsers' waveform players read.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pipeline.edges.caged.media import Branch, Decoded, Sink, samples
from pipeline.footage import has_sound
from pipeline.records import Facts, Known, MadeFile
from pipeline.stage import Context, Deriver, Listener, Trial
from pipeline.timeline import RATE_HZ

STRETCH_SAMPLES: Final = RATE_HZ // 50
# Pairs at most; twenty minutes keep 25 pairs a second, a day 0.2, and the file stays under 300 KB.
PAIRS_MAX: Final = 36_000


class Peaks:
    """Lowest and highest sample of each stretch; stretches double in length whenever there would be too many."""

    def __init__(self) -> None:
        self.stretch_samples = STRETCH_SAMPLES
        self.sample_count = 0
        self._kept = np.empty(0, np.int16)
        self._pairs: NDArray[np.int16] = np.empty((0, 2), np.int16)

    def add(self, more: NDArray[np.int16]) -> None:
        """These samples follow the earlier ones."""
        self.sample_count += len(more)
        waiting = np.concatenate([self._kept, more])
        whole = len(waiting) // self.stretch_samples * self.stretch_samples
        blocks = waiting[:whole].reshape(-1, self.stretch_samples)
        self._kept = waiting[whole:]
        self._pairs = np.concatenate([self._pairs, np.stack([blocks.min(1), blocks.max(1)], 1)])
        while len(self._pairs) > PAIRS_MAX:
            self._halve()

    def pairs(self) -> NDArray[np.int16]:
        """Shape (n, 2), the last stretch included even where it is not full."""
        if not len(self._kept):
            return self._pairs
        return np.concatenate([self._pairs, [[self._kept.min(), self._kept.max()]]]).astype(np.int16)

    def _halve(self) -> None:
        """Two neighbours become one; an odd last pair goes back among the samples that wait."""
        if len(self._pairs) % 2:
            back = np.full(self.stretch_samples, self._pairs[-1, 0], np.int16)
            back[-1] = self._pairs[-1, 1]
            self._kept = np.concatenate([back, self._kept])
        even = self._pairs[: len(self._pairs) // 2 * 2].reshape(-1, 2, 2)
        self._pairs = np.stack([even[:, :, 0].min(1), even[:, :, 1].max(1)], 1)
        self.stretch_samples *= 2


class _Drawn(Listener):
    """Listens to the samples and draws them."""

    def __init__(self, scratch: Path, context: Context) -> None:
        self._peaks, self._scratch, self._context = Peaks(), scratch, context
        self._branch = samples(rate_hz=RATE_HZ)

    def heard(self) -> Sequence[tuple[Branch, Sink]]:
        return [(self._branch, self._peaks.add)]

    def end(self, decoded: Decoded) -> Facts:
        """The `waveform`. Raises Unreadable where no sound decoded."""
        decoded.require(self._branch, "sound")
        peaks = self._peaks
        pairs = peaks.pairs() >> 8
        data: dict[str, Any] = {
            "version": 2,
            "channels": 1,
            "sample_rate": RATE_HZ,
            "samples_per_pixel": peaks.stretch_samples,
            "bits": 8,
            "length": len(pairs),
            "data": pairs.ravel().tolist(),
        }
        path = self._scratch / "waveform.json"
        path.write_text(json.dumps(data, separators=(",", ":")), encoding="ascii")
        about = {
            "rate_hz": RATE_HZ,
            "length_s": round(peaks.sample_count / RATE_HZ, 3),
            "pairs_a_second": round(RATE_HZ / peaks.stretch_samples, 3),
        }
        tool = self._context.tools.version
        return Facts(made=(MadeFile(role="waveform", path=path, mime="application/json", tool=tool, parameters=about),))


def listen(known: Known, scratch: Path, context: Context, trial: Trial) -> Listener:  # noqa: ARG001  # a deriver's
    """Listens for the `waveform`."""
    return _Drawn(scratch, context)


DERIVER = Deriver(name="waveform", version=1, roles=("waveform",), wants=has_sound, listen=listen)
