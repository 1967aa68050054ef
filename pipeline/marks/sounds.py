"""Marks of sounds: pairs of spectral peaks, found again after compression, noise and a phone's band-pass.

Peaks are kept by quota in three bands, so that those a telephone lets through are always among them. A pair of peaks
gives 22 bits: the first one's frequency, the step to the second and the time between. A pair that sounded within the
last REPEAT_S adds nothing, so hum and tones leave no marks worth mentioning, and silence leaves none.
The form follows A. Wang, "An Industrial-Strength Audio Search Algorithm" (ISMIR 2003).
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.marks.sorting import sorted_once

VERSION: Final = 1
RATE_HZ: Final = 11_025
WINDOW: Final = 1024
HOP: Final = 256
TICK_S: Final = HOP / RATE_HZ
BINS: Final = 256  # to 2,756 Hz
BAND_EDGES: Final = (40, 100)  # 430 and 1,077 Hz
QUOTA_KEPT: Final = (5, 10, 12)  # peaks a second and band in the archive
QUOTA_ASKED: Final = (8, 16, 20)  # and in a query, so that what was kept is among what is asked
FAN_KEPT, FAN_ASKED = 3, 6
NEAR_TICKS, NEAR_BINS = 6, 8
PAIR_TICKS_MIN, PAIR_TICKS_MAX, PAIR_BINS_MAX = 2, 63, 127
# A peak's magnitude with this window; a sine of one step of 16 bits gives 256: below lies dither, not sound.
FLOOR: Final = 512.0
REPEAT_S: Final = 2.0
BLOCK_TICKS: Final = 4096

Samples = NDArray[np.int16]
Keys = NDArray[np.uint32]
Ticks = NDArray[np.int32]


@dataclass(frozen=True)
class Marks:
    """Marks in order of time. key: 22 bits each; tick: TICK_S after the beginning."""

    key: Keys
    tick: Ticks

    def __len__(self) -> int:
        return len(self.key)

    def peaks(self) -> NDArray[np.uint32]:
        """The peaks of which these marks were made, in order of time, each once: tick, shifted by 8 bits, and bin."""
        key, tick = self.key.astype(np.int64), self.tick.astype(np.int64)
        bin_, apart, step = key >> 14, key & 63, ((key >> 6) & 255) - PAIR_BINS_MAX
        return sorted_once(np.concatenate([(tick << 8) | bin_, ((tick + apart) << 8) | (bin_ + step)])).astype(
            np.uint32
        )


class Marker:
    """Takes samples in any pieces and keeps the peaks of their spectrum.

    hop: other than HOP, it makes the sound seem slower or faster. quota: peaks a second and band.
    """

    def __init__(self, *, quota: tuple[int, ...] = QUOTA_KEPT, fan: int = FAN_KEPT, hop: float = HOP) -> None:
        self._quota, self._fan, self._hop = quota, fan, hop
        self._samples = np.empty(0, np.float32)
        self._first_tick = 0  # of the samples that wait
        self._found: list[tuple[Ticks, Ticks]] = []

    def add(self, samples: Samples) -> None:
        """These samples follow the earlier ones."""
        self._samples = np.concatenate([self._samples, samples.astype(np.float32)])
        margin = 2 * NEAR_TICKS
        while len(self._samples) >= (BLOCK_TICKS + margin) * self._hop + WINDOW:
            self._search(BLOCK_TICKS)

    def marks(self) -> Marks:
        """The marks of all samples; nothing can be added afterwards."""
        before = NEAR_TICKS if self._first_tick else 0
        if (ticks_left := self._ticks_waiting() - before) > 0:
            self._search(ticks_left)
        ticks = np.concatenate([t for t, _ in self._found] or [np.empty(0, np.int32)])
        bins = np.concatenate([b for _, b in self._found] or [np.empty(0, np.int32)])
        return _without_repeats(*_pairs(ticks, bins, self._fan), self._hop)

    def _search(self, ticks: int) -> None:
        """Keeps the peaks of the next ticks; what lies about them is looked at too, and the samples are dropped."""
        before = NEAR_TICKS if self._first_tick else 0
        count = min(ticks + before + NEAR_TICKS, self._ticks_waiting())
        spectrum = _spectrum(self._samples, count, self._hop)
        tick, bin_, level = _peaks(spectrum)
        inside = (tick >= before) & (tick < before + ticks)
        tick, bin_, level = tick[inside] + self._first_tick - before, bin_[inside], level[inside]
        kept = _within_quota(tick, bin_, level, self._quota, RATE_HZ / self._hop)
        self._found.append((tick[kept], bin_[kept]))
        self._first_tick += ticks
        # The margin before the next ticks stays; ticks fall on whole samples only when hop is whole.
        drop = int((before + ticks - NEAR_TICKS) * self._hop)
        self._samples = self._samples[max(0, drop) :]

    def _ticks_waiting(self) -> int:
        return max(0, math.floor((len(self._samples) - WINDOW) / self._hop) + 1)


def marks_of(samples: Samples, *, quota: tuple[int, ...] = QUOTA_KEPT, fan: int = FAN_KEPT, hop: float = HOP) -> Marks:
    """The marks of a whole sound at RATE_HZ."""
    marker = Marker(quota=quota, fan=fan, hop=hop)
    marker.add(samples)
    return marker.marks()


def spectrum_of(samples: Samples, hop: float = HOP) -> NDArray[np.float32]:
    """Magnitudes at every tick and bin, shape (ticks, BINS)."""
    count = max(0, math.floor((len(samples) - WINDOW) / hop) + 1)
    return _spectrum(samples.astype(np.float32), count, hop)


def _spectrum(samples: NDArray[np.float32], count: int, hop: float) -> NDArray[np.float32]:
    window = np.hanning(WINDOW).astype(np.float32)
    starts = np.floor(np.arange(count) * hop).astype(np.int64)
    result = np.empty((count, BINS), np.float32)
    for first in range(0, count, 1024):
        chosen = starts[first : first + 1024, None] + np.arange(WINDOW)
        result[first : first + 1024] = np.abs(np.fft.rfft(samples[chosen] * window, axis=1)[:, :BINS])
    return result


def _peaks(spectrum: NDArray[np.float32]) -> tuple[Ticks, Ticks, NDArray[np.float32]]:
    """Ticks, bins and levels above FLOOR that are the highest of their surroundings."""
    highest = _highest_near(_highest_near(spectrum, NEAR_TICKS, 0), NEAR_BINS, 1)
    tick, bin_ = np.nonzero((spectrum == highest) & (spectrum > FLOOR))
    inside = (bin_ >= 3) & (bin_ < BINS - 1)
    tick, bin_ = tick[inside], bin_[inside]
    return tick.astype(np.int32), bin_.astype(np.int32), spectrum[tick, bin_]


def _highest_near(values: NDArray[np.float32], reach: int, axis: int) -> NDArray[np.float32]:
    """The highest value within reach along an axis, by maxima of doubling width."""
    padding = [(0, 0), (0, 0)]
    padding[axis] = (reach, reach)
    padded = np.moveaxis(np.pad(values, padding, constant_values=-1.0), axis, 0)
    width, wanted = 1, 2 * reach + 1
    while width * 2 <= wanted:
        padded = np.maximum(padded[:-width], padded[width:])
        width *= 2
    rest = wanted - width
    if rest:
        padded = np.maximum(padded[:-rest], padded[rest:])
    return np.moveaxis(padded, 0, axis)


def _within_quota(
    tick: Ticks, bin_: Ticks, level: NDArray[np.float32], quota: tuple[int, ...], ticks_a_second: float
) -> NDArray[np.int64]:
    """Numbers of the strongest peaks of each second and band, in order of time."""
    band = np.digitize(bin_, BAND_EDGES)
    cell = (tick / ticks_a_second).astype(np.int64) * len(quota) + band
    order = np.lexsort((-level, cell))
    sorted_cells = cell[order]
    first = np.searchsorted(sorted_cells, sorted_cells, "left")
    rank = np.arange(len(order)) - first
    kept = order[rank < np.array(quota)[sorted_cells % len(quota)]]
    return np.asarray(kept[np.lexsort((bin_[kept], tick[kept]))], np.int64)


def _pairs(tick: Ticks, bin_: Ticks, fan: int) -> tuple[Keys, Ticks]:
    """Each peak with the next `fan` peaks that lie near enough."""
    taken = np.zeros(len(tick), np.int32)
    keys, ticks = [np.empty(0, np.uint32)], [np.empty(0, np.int32)]
    for ahead in range(1, 4 * PAIR_TICKS_MAX):
        if ahead >= len(tick):
            break
        apart = tick[ahead:] - tick[:-ahead]
        if (apart > PAIR_TICKS_MAX).all():
            break
        step = bin_[ahead:] - bin_[:-ahead]
        near = (apart >= PAIR_TICKS_MIN) & (apart <= PAIR_TICKS_MAX) & (np.abs(step) < PAIR_BINS_MAX)
        first = np.flatnonzero(near & (taken[:-ahead] < fan))
        taken[first] += 1
        packed = (bin_[first] << 14) | ((step[first] + PAIR_BINS_MAX) << 6) | apart[first]
        keys.append(packed.astype(np.uint32))
        ticks.append(tick[first])
    return np.concatenate(keys), np.concatenate(ticks)


def _without_repeats(key: Keys, tick: Ticks, hop: float) -> Marks:
    order = np.lexsort((tick, key))
    key, tick = key[order], tick[order]
    repeats = np.zeros(len(key), np.bool_)
    repeats[1:] = (key[1:] == key[:-1]) & (np.diff(tick) * (hop / RATE_HZ) < REPEAT_S)
    key, tick = key[~repeats], tick[~repeats]
    order = np.argsort(tick, kind="stable")
    return Marks(key[order], tick[order])


# -- kept form

_HEAD: Final = struct.Struct("<4sBxxxI")
_MAGIC: Final = b"CRSM"


def packed(marks: Marks) -> bytes:
    """The marks as bytes: a head with magic, version and count, then keys and ticks."""
    head = _HEAD.pack(_MAGIC, VERSION, len(marks))
    return head + marks.key.astype("<u4").tobytes() + marks.tick.astype("<i4").tobytes()


def unpacked(data: bytes) -> Marks:
    """The marks again. Raises ValueError where the bytes are not of this form and version."""
    magic, version, count = _HEAD.unpack_from(data)
    if magic != _MAGIC or version != VERSION:
        raise ValueError(f"not sound marks of version {VERSION}")
    key = np.frombuffer(data, "<u4", count, _HEAD.size)
    return Marks(key, np.frombuffer(data, "<i4", count, _HEAD.size + key.nbytes))
