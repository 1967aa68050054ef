"""The rules of other matchers, implemented here from their published descriptions; so are they named in the rows."""

from __future__ import annotations

import subprocess
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.marks.pictures import Frames, Words, bits_of, distance, waves_of

VPDQ: Final = "vPDQ rule, own implementation"
CHROMAPRINT: Final = "chromaprint of ffmpeg, best bit error rate"
# As vpdq's own defaults: one frame a second, hashes within 31 of 256 bits, frames of quality 50 and more.
PDQ_BITS_MAX: Final = 31
PDQ_QUALITY_MIN: Final = 50


class Vpdq:
    """Share of a clip's frames that some frame of an original resembles; knows neither offset nor order."""

    def __init__(self) -> None:
        self._originals: list[tuple[str, Words]] = []

    def add(self, name: str, frames: Frames, fps: float) -> None:
        self._originals.append((name, self._hashes(frames, fps)))

    def best(self, frames: Frames, fps: float) -> tuple[str, float]:
        """(original, share of frames) of the likest; the share is 0 where nothing resembles."""
        asked = self._hashes(frames, fps)
        shares = [
            (float((distance(asked[:, None], kept[None]) <= PDQ_BITS_MAX).any(1).mean()), name)
            for name, kept in self._originals
            if len(asked) and len(kept)
        ]
        share, name = max(shares, default=(0.0, ""))
        return name, share

    def _hashes(self, frames: Frames, fps: float) -> Words:
        chosen = frames[:: max(1, round(fps))]
        small = chosen.reshape(len(chosen), 64, chosen.shape[1] // 64, 64, -1).mean((2, 4))
        # PDQ's measure of quality: how much the picture's gradients add up to.
        steps = sum(np.abs(np.trunc(np.diff(small, axis=axis) * 100 / 255)).sum((1, 2)) for axis in (1, 2))
        return bits_of(waves_of(chosen))[np.minimum(100, steps / 90) >= PDQ_QUALITY_MIN]


class Chromaprint:
    """Raw fingerprints of ffmpeg's chromaprint muxer, slid along one another."""

    def __init__(self, ffmpeg: str) -> None:
        self._ffmpeg = ffmpeg
        self._originals: list[tuple[str, NDArray[np.uint32]]] = []

    def add(self, name: str, samples: NDArray[np.int16], rate_hz: int) -> None:
        self._originals.append((name, self._hashes(samples, rate_hz)))

    def best(self, samples: NDArray[np.int16], rate_hz: int) -> tuple[str, float]:
        """(original, share of bits that agree) of the likest place."""
        asked = self._hashes(samples, rate_hz)
        found = [("", 0.0)]
        for name, kept in self._originals:
            if 0 < len(asked) <= len(kept):
                windows = np.lib.stride_tricks.sliding_window_view(kept, len(asked))
                errors = np.bitwise_count(windows ^ asked).mean(1) / 32
                found.append((name, 1 - float(errors.min())))
        return max(found, key=lambda one: one[1])

    def _hashes(self, samples: NDArray[np.int16], rate_hz: int) -> NDArray[np.uint32]:
        command = [self._ffmpeg, "-v", "error", "-f", "s16le", "-ar", str(rate_hz), "-ac", "1", "-i", "-", "-f",
                   "chromaprint", "-fp_format", "raw", "-"]  # fmt: skip
        ended = subprocess.run(command, input=samples.tobytes(), capture_output=True, check=True)
        return np.frombuffer(ended.stdout, "<u4")
