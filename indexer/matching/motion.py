"""Whether two stretches are the same footage, or the same place at two times. Pure functions of small pictures.

The same place looks alike whenever it is filmed; what moves in it, and when, does not. So the changes of half a second
are compared, of the query's pictures and of the kept thumbnails. The fewer changes there are, the more alike they must
be: two people who raise an arm look alike for a second. Where a place hardly changes, the changes alone also say when
within an original a clip was cut.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.marks.pictures import SMALL_PX, Frames, Marks, Rect, resampled

# Changes so alike are the same; the less alike, the more of them it takes. Chosen on a corridor where people walk by
# one after the other: passages of two people had at most 0.77 over three changes and 0.69 over five.
SAME_MIN: Final = 0.8
LIKELY_MIN: Final = 0.5
LIKELY_SUM_MIN: Final = 1.75
CHANGES_MIN: Final = 2.5
# Below so many grey levels of change there is nothing to compare.
STILL_LEVELS: Final = 0.5
# A cut changes everything at once; it must not outweigh all that moves.
LEVELS_MAX: Final = 24.0
SHIFTS_S: Final = (0.0, -0.125, 0.125, -0.25, 0.25)
# What lies in the query when the searched offsets end: at least this share of its changes.
SHARED_MIN: Final = 0.6

Turns: Final = {"none": 0, "turned 90": 3, "turned 180": 2, "turned 270": 1}
Floats = NDArray[np.float64]
Pictures = NDArray[np.float32]


@dataclass(frozen=True)
class Likeness:
    """How alike the changes are, -1 to 1, over so many of them (a lone strong one counts as one), at this offset."""

    value: float
    changes: float
    offset_s: float

    def is_same(self) -> bool:
        """Whether it is more than the same kind of movement in the same place."""
        if self.changes < CHANGES_MIN:
            return False
        return self.value >= SAME_MIN or (self.value >= LIKELY_MIN and self.value * self.changes**0.5 >= LIKELY_SUM_MIN)


@dataclass(frozen=True)
class View:
    """The query's frames, shown at these times, and where and how turned the original lies in them."""

    frames: Frames
    times: Floats
    rect: Rect
    turn: str

    def small(self, side_px: int) -> Pictures:
        """As the original's thumbnails show it."""
        pictures = resampled(self.frames, self.rect, side_px)
        if self.turn == "mirrored":
            return pictures[:, :, ::-1]
        return np.rot90(pictures, Turns[self.turn], axes=(1, 2))


def likeness(view: View, marks: Marks, framed: int, *, offset_s: float, speed: float) -> Likeness | None:
    """Of the changes where the original showed the same at offset_s + speed * time; None where nothing changes."""
    first = max(0, int(np.ceil((offset_s + speed * view.times[0]) / marks.step_s)))
    last = min(len(marks.small) - 1, int(np.floor((offset_s + speed * view.times[-1]) / marks.step_s)))
    if last <= first:
        return None
    side_px, part = _part(marks, framed, (first + last) // 2)
    kept = _changes(resampled(marks.small[first : last + 1], part, side_px))
    seen = view.small(side_px)
    wanted = (np.arange(first, last + 1) * marks.step_s - offset_s) / speed
    found = []
    for shift in SHIFTS_S:
        changes = _changes(_at(seen, view.times, wanted + shift))
        products, powers = (changes * kept).sum(1), [(one**2).sum(1) for one in (changes, kept)]
        found.append(_told(products.sum(), powers, side_px, offset_s - shift * speed))
    return max((one for one in found if one is not None), key=lambda one: one.value, default=None)


def search(view: View, marks: Marks, framed: int, *, speed: float) -> Likeness | None:
    """The likest changes anywhere in the original; None where nothing changes."""
    side_px, part = _part(marks, framed, len(marks.small) // 2)
    kept = _changes(resampled(marks.small, part, side_px))
    seen = view.small(side_px)
    span_s = float(view.times[-1] - view.times[0])
    best: Likeness | None = None
    for phase_s in (0.0, marks.step_s / 2):
        count = int((span_s * speed - phase_s) / marks.step_s) + 1
        if count < 2:
            continue
        wanted = view.times[0] + (np.arange(count) * marks.step_s + phase_s) / speed
        changes = _changes(_at(seen, view.times, wanted))
        lag = _likest_lag(changes, kept)
        if lag is None:
            continue
        mine = slice(max(0, -lag), min(len(changes), len(kept) - lag))
        theirs = kept[mine.start + lag : mine.stop + lag]
        powers = [(one**2).sum(1) for one in (changes[mine], theirs)]
        offset_s = lag * marks.step_s - phase_s - view.times[0] * speed
        found = _told((changes[mine] * theirs).sum(), powers, side_px, offset_s)
        if found is not None and (best is None or found.value > best.value):
            best = found
    return best


def _likest_lag(changes: Pictures, kept: Pictures) -> int | None:
    """By how many samples the query's changes must be moved to be likest; most of them lie in the original."""
    products = changes @ kept.T
    powers = [(one.astype(np.float64) ** 2).sum(1) for one in (changes, kept)]
    count, whole = len(changes), len(kept)
    lags = np.arange(-int((1 - SHARED_MIN) * count), whole - int(SHARED_MIN * count))
    if not len(lags):
        return None
    beyond = count - 1  # so far a lag reaches before the beginning and behind the end
    rows = np.pad(products, ((0, 0), (beyond, beyond)))
    down, right = rows.strides
    # Row after row one place further: each column holds the products of one lag.
    steps = np.lib.stride_tricks.as_strided(rows, (count, whole + beyond), (down + right, right), writeable=False)
    total = steps.sum(0, dtype=np.float64)[lags + beyond]
    sums = [np.concatenate([[0.0], np.cumsum(power)]) for power in powers]
    mine = sums[0][np.clip(whole - lags, 0, count)] - sums[0][np.clip(-lags, 0, count)]
    theirs = sums[1][np.clip(lags + count, 0, whole)] - sums[1][np.clip(lags, 0, whole)]
    still = STILL_LEVELS**2 * changes.shape[1] * SHARED_MIN * count
    value = np.where(np.minimum(mine, theirs) > still, total / np.sqrt(mine * theirs + 1e-9), -1.0)
    return int(lags[value.argmax()])


def _told(product: float, powers: list[Pictures], side_px: int, offset_s: float) -> Likeness | None:
    mine, theirs = (float(power.sum()) for power in powers)
    if min(mine, theirs) < STILL_LEVELS**2 * side_px**2 * len(powers[0]):
        return None
    each = np.sqrt(powers[0].astype(np.float64) * powers[1])
    changes = float(each.sum() ** 2 / max(float((each**2).sum()), 1e-9))
    return Likeness(float(product) / np.sqrt(mine * theirs), changes, offset_s)


def _part(marks: Marks, framed: int, sample: int) -> tuple[int, Rect]:
    """(side of the pictures to compare, the part of the original's picture that is compared)."""
    part = marks.rect_at(sample, framed)
    return max(6, round(SMALL_PX * min(part[2] - part[0], part[3] - part[1]))), part


def _at(pictures: Pictures, times: Floats, wanted: NDArray[np.floating]) -> Pictures:
    """What is seen at the wanted times, between two pictures a mixture of both."""
    place = np.interp(wanted, times, np.arange(len(times)))
    below = np.minimum(place.astype(np.int64), len(times) - 1)
    above = np.minimum(below + 1, len(times) - 1)
    share = (place - below)[:, None, None]
    return np.asarray(pictures[below] * (1 - share) + pictures[above] * share, np.float32)


def _changes(pictures: Pictures) -> Pictures:
    """From each picture to the next, one row each, without what the whole picture has in common."""
    changes = np.diff(pictures, axis=0).reshape(len(pictures) - 1, -1)
    middle = np.median(changes, axis=1, keepdims=True)
    return np.asarray(np.clip(changes - middle, -LEVELS_MAX, LEVELS_MAX), np.float32)
