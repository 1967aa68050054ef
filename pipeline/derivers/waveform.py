"""The waveform under the time line: the lowest and highest sample of each short stretch.

Source: the JSON data format of audiowaveform (BBC), version 2, which browsers' waveform players read.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pipeline.edges.media import mono_samples
from pipeline.footage import has_sound, limits_for
from pipeline.records import Known, MadeFile
from pipeline.stage import Context, Deriver

RATE_HZ: Final = 16_000
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

    def add(self, samples: NDArray[np.int16]) -> None:
        """These samples follow the earlier ones."""
        self.sample_count += len(samples)
        waiting = np.concatenate([self._kept, samples])
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


def derive(source: Path, known: Known, scratch: Path, context: Context) -> Iterable[MadeFile]:
    """The `waveform`. Raises Unreadable where there is no sound that decodes."""
    peaks = Peaks()
    mono_samples(
        context.tools, source, known.original.format, peaks.add, rate_hz=RATE_HZ,
        limits=limits_for(known, context.settings), still_wanted=context.still_wanted,
    )  # fmt: skip
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
    path = scratch / "waveform.json"
    path.write_text(json.dumps(data, separators=(",", ":")), encoding="ascii")
    about = {
        "rate_hz": RATE_HZ,
        "length_s": round(peaks.sample_count / RATE_HZ, 3),
        "pairs_a_second": round(RATE_HZ / peaks.stretch_samples, 3),
    }
    return [MadeFile(role="waveform", path=path, mime="application/json", tool=context.tools.version, parameters=about)]


DERIVER = Deriver(name="waveform", version=1, roles=("waveform",), wants=has_sound, derive=derive)
