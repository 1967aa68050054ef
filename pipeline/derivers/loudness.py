"""How loud it is, and where nothing is heard.

Source: EBU R 128 and ITU-R BS.1770-4 (momentary, integrated, range), as ffmpeg's ebur128 measures them; silence is what
stays below -50 dB of full scale for two seconds, on the samples as they are.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pipeline.edges.caged.media import Branch, Decoded, Sink, loudness, samples
from pipeline.footage import has_sound
from pipeline.records import Caveat, Facts, Known, MadeFile, Property
from pipeline.stage import Context, Deriver, Listener, Trial
from pipeline.timeline import RATE_HZ, Runs

VERSION: Final = 1
SILENT_BELOW: Final = 32768 * 10 ** (-50 / 20)
STEP_SAMPLES: Final = RATE_HZ // 50
# What stands for silence: R 128 never counts anything quieter.
NOTHING_LUFS: Final = -70.0
SECONDS_KEPT_MAX: Final = 36_000


class Hush:
    """Finds stretches in which nothing is heard, in samples at RATE_HZ as they come."""

    def __init__(self) -> None:
        self._kept = np.empty(0, np.int16)
        self._runs, self.steps = Runs(STEP_SAMPLES / RATE_HZ), 0

    def add(self, more: NDArray[Any]) -> None:
        """These samples follow the earlier ones."""
        waiting = np.concatenate([self._kept, more])
        whole = len(waiting) // STEP_SAMPLES * STEP_SAMPLES
        steps = waiting[:whole].astype(np.int32).reshape(-1, STEP_SAMPLES)
        self._kept = waiting[whole:]
        for is_silent in (np.abs(steps).max(axis=1) < SILENT_BELOW).tolist():
            self._runs.add(self.steps, holds=is_silent)
            self.steps += 1

    def stretches(self) -> list[tuple[float, float]]:
        """Seconds from and to."""
        self._runs.end(self.steps)
        return self._runs.stretches


class Meter:
    """Reads ffmpeg's figures as they come in text: of momentary loudness the highest of each second."""

    def __init__(self) -> None:
        self._rest, self._second = b"", 0
        self.momentary: list[float] = []
        self.integrated, self.range_lu = NOTHING_LUFS, 0.0

    def add(self, text: NDArray[Any]) -> None:
        """This text, as bytes, follows the earlier."""
        *lines, self._rest = (self._rest + text.tobytes()).split(b"\n")
        for line in lines:
            if b"pts_time:" in line:
                self._second = int(_number(line.rpartition(b":")[2], 0.0))
                continue
            name, _, value = line.partition(b"=")
            match name:
                case b"lavfi.r128.M":
                    self._momentary(_number(value, NOTHING_LUFS))
                case b"lavfi.r128.I":
                    self.integrated = _number(value, self.integrated)
                case b"lavfi.r128.LRA":
                    self.range_lu = _number(value, self.range_lu)

    def _momentary(self, lufs: float) -> None:
        if not 0 <= self._second < SECONDS_KEPT_MAX:
            return
        missing = self._second + 1 - len(self.momentary)
        self.momentary += [NOTHING_LUFS] * missing
        self.momentary[self._second] = max(self.momentary[self._second], round(lufs, 1))


def _number(text: bytes, otherwise: float) -> float:
    try:
        value = float(text)
    except ValueError:
        return otherwise
    return value if math.isfinite(value) else otherwise


class _Measured(Listener):
    """Listens to the samples and to what ffmpeg measures of them."""

    def __init__(self, scratch: Path, context: Context) -> None:
        self._scratch, self._context = scratch, context
        self._hush, self._meter = Hush(), Meter()
        self._sound, self._figures = samples(rate_hz=RATE_HZ), loudness()

    def heard(self) -> Sequence[tuple[Branch, Sink]]:
        return [(self._sound, self._hush.add), (self._figures, self._meter.add)]

    def end(self, decoded: Decoded) -> Facts:
        """The `loudness`, as JSON, and what it sums up to. Raises Unreadable where no sound decoded."""
        decoded.require(self._sound, "sound")
        silent, length_s = self._hush.stretches(), self._hush.steps * STEP_SAMPLES / RATE_HZ
        silent_s = round(sum(end - begin for begin, end in silent), 3)
        figures = {"integrated_lufs": round(self._meter.integrated, 1), "range_lu": round(self._meter.range_lu, 1)}
        path = self._scratch / "loudness.json"
        data = {"version": VERSION, "step_s": 1.0, "momentary_lufs": self._meter.momentary, "silent": silent, **figures}
        path.write_text(json.dumps(data, separators=(",", ":")), encoding="ascii")
        about = {**figures, "silent_s": silent_s}
        tool = self._context.tools.version
        return Facts(
            made=(MadeFile(role="loudness", path=path, mime="application/json", tool=tool, parameters=about),),
            properties=(
                Property(
                    name="audio.loudness_lufs", found=str(figures["integrated_lufs"]), value=figures["integrated_lufs"]
                ),
                Property(name="audio.silent_s", found=str(silent_s), value=silent_s),
            ),
            caveats=tuple(_caveats(silent_s, length_s)),
        )


def _caveats(silent_s: float, length_s: float) -> Iterator[Caveat]:
    if silent_s > 0 and silent_s >= length_s - 1.0:
        yield Caveat(
            code="all_silent",
            text="This recording has a sound track, and nothing is heard on it: the microphone may have been off.",
            text_zh="该录制含有音轨，但全程没有声音：麦克风可能未开启。",
        )


def listen(known: Known, scratch: Path, context: Context, trial: Trial) -> Listener:  # noqa: ARG001  # a deriver's
    """Listens for the `loudness`."""
    return _Measured(scratch, context)


DERIVER = Deriver(name="loudness", version=VERSION, roles=("loudness",), wants=has_sound, listen=listen)
