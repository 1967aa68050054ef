"""Which picture of the viewing copy is which picture of the original: the table that bookmarks are read by.

A bookmark names the picture of the original by its presentation time stamp (PTS); the player shows the copy. Both time
stamps of each picture stand here, in order of showing, so that one leads to the other whatever was done to the clocks.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import NDArray

VERSION: Final = 1
# 24 hours of 120 pictures a second.
COUNT_MAX: Final = 24 * 3600 * 120
ABSENT: Final = -(1 << 62)

Stamps = NDArray[np.int64]
Seconds = NDArray[np.float64]


@dataclass(frozen=True)
class FrameTimes:
    """The pictures of the original in order of showing. pts: of each, in units of `unit` seconds.

    copy_pts: of the same picture in the copy, in units of `copy_unit` seconds; ABSENT where the copy lacks it.
    """

    pts: Stamps
    unit: Fraction
    copy_pts: Stamps
    copy_unit: Fraction

    def __len__(self) -> int:
        return len(self.pts)

    def number_in_copy(self, copy_s: float) -> int:
        """The number of the picture that the copy shows at this second of it. Raises ValueError where it is empty."""
        there = np.flatnonzero(self.copy_pts != ABSENT)
        if not len(there):
            raise ValueError("the copy has no pictures")
        shown = np.searchsorted(self.copy_pts[there] * float(self.copy_unit), copy_s + 1e-6, "right") - 1
        return int(there[max(0, int(shown))])

    def number_at(self, second: float) -> int:
        """The number of the picture that the original shows so many seconds after its first. Raises ValueError where
        it has none."""
        if not len(self):
            raise ValueError("the original has no pictures")
        shown = np.searchsorted((self.pts - self.pts[0]) * float(self.unit), second + 1e-6, "right") - 1
        return max(0, int(shown))

    def seconds(self, number: int) -> float:
        """Seconds from the original's first picture to this one."""
        return float(int(self.pts[number] - self.pts[0]) * self.unit)

    def copy_seconds(self, number: int) -> float | None:
        """The second of the copy at which this picture is shown; None where the copy lacks it."""
        stamp = int(self.copy_pts[number])
        return None if stamp == ABSENT else float(stamp * self.copy_unit)


def matched(pts: Stamps, unit: Fraction, copy_pts: Stamps, copy_unit: Fraction, begins_s: float) -> FrameTimes:
    """The table of these pictures. As many on both sides are the same in order; else those shown at the same time.

    begins_s: where the original's own clock begins, which is 0 in the copy; where that fits badly, the shift at which
    most pictures fall on one another is taken.
    """
    pts, copy_pts = np.sort(pts), np.sort(copy_pts)
    if len(pts) == len(copy_pts):
        return FrameTimes(pts, unit, copy_pts, copy_unit)
    here: Seconds = pts * np.float64(unit)
    there: Seconds = copy_pts * np.float64(copy_unit)
    found = np.full(len(pts), ABSENT, np.int64)
    if len(pts) and len(copy_pts):
        near = max(float(copy_unit), float(unit))
        shift = _likeliest_shift(here, there, near, begins_s)
        place = np.clip(np.searchsorted(here, there + shift), 1, max(1, len(here) - 1))
        before = np.abs(here[place - 1] - there - shift) <= np.abs(
            here[np.minimum(place, len(here) - 1)] - there - shift
        )
        nearest = np.where(before, place - 1, np.minimum(place, len(here) - 1))
        fits = np.abs(here[nearest] - there - shift) <= 2 * near
        found[nearest[fits]] = copy_pts[fits]
    return FrameTimes(pts, unit, found, copy_unit)


def _likeliest_shift(here: Seconds, there: Seconds, near: float, begins_s: float) -> float:
    """Seconds to add to the copy's times: begins_s, unless laying its first pictures on others fits far better."""
    candidates = (here[:64, None] - there[None, :8]).ravel()
    sample = there[:: max(1, len(there) // 500)]

    def hits(shift: float) -> int:
        place = np.clip(np.searchsorted(here, sample + shift), 1, max(1, len(here) - 1))
        right = np.minimum(place, len(here) - 1)
        apart = np.minimum(np.abs(here[place - 1] - sample - shift), np.abs(here[right] - sample - shift))
        return int((apart <= 2 * near).sum())

    best = float(max(candidates.tolist(), key=hits))
    return begins_s if hits(begins_s) >= 0.9 * hits(best) else best


# -- kept form

_HEAD: Final = struct.Struct("<4sBxxxIqqqq")
_MAGIC: Final = b"CRFT"


def packed(times: FrameTimes) -> bytes:
    """The table as bytes: magic, version, count and both units as fractions, then, deflated (RFC 1950), the differences
    of the original's stamps and those of the copy's, as 64-bit little-endian numbers."""
    units = (*times.unit.as_integer_ratio(), *times.copy_unit.as_integer_ratio())
    columns = (np.diff(one, prepend=0).astype("<i8").tobytes() for one in (times.pts, times.copy_pts))
    return _HEAD.pack(_MAGIC, VERSION, len(times), *units) + zlib.compress(b"".join(columns), 6)


def unpacked(data: bytes) -> FrameTimes:
    """The table again. Raises ValueError where the bytes are not of this form and version."""
    magic, version, count, *units = _HEAD.unpack_from(data)
    if magic != _MAGIC or version != VERSION or count > COUNT_MAX:
        raise ValueError(f"not a table of frame times of version {VERSION}")
    body = zlib.decompressobj().decompress(data[_HEAD.size :], 16 * count + 1)
    if len(body) != 16 * count:
        raise ValueError("a table of frame times that is cut off")
    columns = np.frombuffer(body, "<i8").reshape(2, count).cumsum(axis=1)
    return FrameTimes(columns[0], Fraction(units[0], units[1]), columns[1], Fraction(units[2], units[3]))
