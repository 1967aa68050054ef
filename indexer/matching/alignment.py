"""How well a query and an original agree along a line, where exactly, and whether it is the same footage.

What stands still adds next to nothing, so that a blank or motionless stretch never adds up to a match. How pictures
change, and in which order, tells the same footage from another take of the scene.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np

from indexer.matching import motion
from indexer.matching.candidates import NEW_BITS, SPEEDS, Line, Query, changes
from indexer.matching.framing import outside
from indexer.matching.shelf import FRAME_BITS_MAX, Floats, Ints, Library
from pipeline.marks.pictures import WHOLE, Rect, Words, distance

# The mean of unrelated frames is taken lower than 128, for pictures of one place are never wholly unrelated.
CHANCE_BITS, CHANCE_SPREAD = 122.0, 8.2
Z_MIN: Final = 6.0
MEAN_BITS_MAX: Final = 84.0
# So many moving frames' worth of evidence; below, it is a still picture and only a photo's rule may decide.
EVIDENCE_MIN: Final = 1.5
LENGTH_MIN_S: Final = 1.5
STILL_WEIGHT: Final = 0.04
# What a frame must bring beyond chance, in standard deviations, for the matching stretch to go on.
GOES_ON_Z: Final = 2.5
# How much better the pictures agree in this order than a second apart counts so much beside how alike changes are;
# clips of people who walk the same way past one camera, minutes apart, came to 1.21.
ORDER_S: Final = 1.0
ORDER_BITS_MAX: Final = 60.0
ORDER_BITS: Final = 40.0
AGREEING_MIN: Final = 1.25
ORDER_SAMPLES_MIN: Final = 4
# The pictures at the middle of a stretch may be so many seconds off, for it was found at another speed.
SHIFTS_S: Final = np.arange(-12, 13) / 8
# A minute of them is enough to place a longer stretch by.
PLACED_FRAMES_MAX: Final = 240
# Another speed must leave at most this share of the bits that differ, and so many bits fewer.
PACE_SHARE, PACE_BITS = 0.88, 2.0
PAIRS: Final = 3
Verdict = Literal["same footage", "same scene, other take"]


@dataclass(frozen=True)
class Pair:
    """Two pictures that a person can compare: seconds in the query and in the original, bits that differ of 256."""

    query_s: float
    original_s: float
    differing: int


@dataclass(frozen=True)
class Found:
    """A stretch of the query and where it lies in one original.

    offset_s: in the original; query_offset_s: in the query; both where the stretch begins. strength: 1.0 is the weakest
    that counts. speed: of the query beside the original. is_photo: the original or the query is one picture.
    motion: how alike the changes are, None where too little changes to tell; order: see _order. rectangle: where the
    original's whole picture lies in the query's, in shares of its sides, beyond 0 and 1 where the query shows a part.
    """

    original: str
    offset_s: float
    query_offset_s: float
    length_s: float
    strength: float
    transform: str
    speed: float
    is_photo: bool
    verdict: Verdict = "same footage"
    motion: motion.Likeness | None = None
    order: float = 0.0
    rectangle: Rect = WHOLE
    pairs: tuple[Pair, ...] = ()


def scored(line: Line, query: Query, library: Library, *, evidence_min: float = EVIDENCE_MIN) -> Found | None:
    """The line scored over all its samples at its best small shift, None where it does not hold.

    evidence_min: 0 where the changes of the pictures have already said that it is the same footage.
    """
    shown = Shown(library, line)
    best: tuple[float, float, int, int] | None = None
    for shift in np.arange(-2, 3) * shown.step_s / 2:
        offset_s = line.offset_s + float(shift)
        stretch = _stretch(line, offset_s, query, shown, evidence_min)
        if stretch is not None and (best is None or stretch[0] > best[0]):
            best = (stretch[0], offset_s, stretch[1], stretch[2])
    if best is None or best[0] < Z_MIN:
        return None
    z, offset_s, first, last = best
    half_s = shown.step_s / line.speed / 2
    begins_s = max(0.0, (first * shown.step_s - offset_s) / line.speed - half_s)
    ends_s = min(query.ends_s, (last * shown.step_s - offset_s) / line.speed + half_s)
    if ends_s - begins_s < LENGTH_MIN_S:
        return None
    part = slice(*np.searchsorted(query.times, [begins_s, ends_s]).tolist())
    offset_s, speed = _placed(line, offset_s, query.times, part, shown)
    line = replace(line, speed=speed)
    rect = shown.marks.rect_at(first, line.framed)
    order = _order(line, offset_s, query, shown, first, last)
    like = motion.likeness(view_of(line, query, part), shown.marks, line.framed, offset_s=offset_s, speed=line.speed)
    return Found(
        library.originals[line.entry], round(max(0.0, offset_s + line.speed * begins_s), 3),
        round(begins_s, 3), round(ends_s - begins_s, 3), round(z / Z_MIN, 2),
        line.variant.transform, line.speed, is_photo=False,
        verdict=_verdict(like, order),
        motion=like, order=order, rectangle=rounded(outside(line.variant.framing.rect, rect)),
        pairs=_pairs(line, offset_s, query.times, part, shown),
    )  # fmt: skip


def _verdict(like: motion.Likeness | None, order: float) -> Verdict:
    """order: in bits a sample. Neither alone decides: two people walk the same way past the same camera."""
    value = 0.0 if like is None else like.value
    is_same = value >= 0 and value + order / ORDER_BITS >= AGREEING_MIN
    return "same footage" if is_same or (like is not None and like.is_same()) else "same scene, other take"


def view_of(line: Line, query: Query, part: slice) -> motion.View:
    framing = line.variant.framing
    return motion.View(query.frames[part], query.times[part], framing.rect, line.variant.turn)


class Shown:
    """What the original shows at each sample, framed as the line says."""

    def __init__(self, library: Library, line: Line) -> None:
        self.marks = library.marks(line.entry)
        self.step_s = self.marks.step_s
        self.rows = library.timeline(line.entry, line.framed)

    def at(self, sample: Ints) -> Ints:
        """The mark shown at each sample, -1 where none is."""
        inside = (sample >= 0) & (sample < len(self.rows))
        return np.where(inside, self.rows[np.clip(sample, 0, len(self.rows) - 1)], -1)

    def differing(self, asked: Words, sample: Ints) -> Floats:
        """In how many bits each asked picture differs from what is shown at its sample; 128 where nothing was kept."""
        row = self.at(sample)
        bits = distance(asked, self.marks.bits[np.maximum(row, 0)]).astype(np.float64)
        return np.where(row >= 0, bits, 128.0)


def _stretch(
    line: Line, offset_s: float, query: Query, shown: Shown, evidence_min: float
) -> tuple[float, int, int] | None:
    """(z, first sample, last sample) of the stretch that agrees best, None where it holds too little evidence.

    One of the query's pictures for each kept sample, the likest of those shown about then: what moves fast looks
    different a quarter of a second later.
    """
    last_s = offset_s + line.speed * float(query.times[-1])
    sample = np.arange(max(0, int(np.ceil(offset_s / shown.step_s))),
                       min(len(shown.rows), int(np.floor(last_s / shown.step_s)) + 1))  # fmt: skip
    if not len(sample):
        return None
    asked = np.clip(np.round((sample * shown.step_s - offset_s) / line.speed / query.step_s).astype(np.int64), 0,
                    len(query.times) - 1)  # fmt: skip
    bits = np.minimum.reduce([_beside(line, asked + step, sample, shown) + (3.0 if step else 0.0)
                              for step in (0, -1, 1)])  # fmt: skip
    row = shown.at(sample)
    archive_change = np.where(row >= 0, changes(shown.marks.bits[np.maximum(row, 0)]), 0.0)
    weight = np.minimum(changes(line.variant.bits[asked]), archive_change) / NEW_BITS
    weight = np.clip(weight, STILL_WEIGHT, 1.0) * line.variant.good[asked]
    z = (CHANCE_BITS - bits) / CHANCE_SPREAD
    first, last = _best_run(weight * (z - GOES_ON_Z))
    part = slice(first, last + 1)
    total = float(weight[part].sum())
    if (
        total <= 0
        or float((weight[part] - STILL_WEIGHT).clip(0).sum()) < evidence_min
        or float((weight * bits)[part].sum()) / total > MEAN_BITS_MAX
    ):
        return None
    # Where changes decided, every picture counts: it only has to show the place.
    strength = float((weight * z)[part].sum() / np.sqrt(total)) if evidence_min else float(z[part].mean())
    return strength, int(sample[first]), int(sample[last])


def _order(line: Line, offset_s: float, query: Query, shown: Shown, first: int, last: int) -> float:
    """By how many bits a sample the pictures agree better here than a second before or after; 0 for a few samples.

    A place that hardly changes agrees as well at any time; cuts and a camera that moves agree in one order only.
    """
    sample = np.arange(first, last + 1)
    asked = np.round((sample * shown.step_s - offset_s) / line.speed / query.step_s).astype(np.int64)
    apart = round(ORDER_S / shown.step_s)
    here, before, after = (_beside(line, asked, sample + step, shown) for step in (0, -apart, apart))
    kept = [shown.at(sample + step) >= 0 for step in (0, -apart, apart)]
    gains = [np.where(kept[0] & there, np.clip(other - here, -ORDER_BITS_MAX, ORDER_BITS_MAX), 0.0)
             for other, there in ((before, kept[1]), (after, kept[2]))]  # fmt: skip
    return round(float(sum(gain.mean() for gain in gains)) / 2, 1) if len(sample) > ORDER_SAMPLES_MIN else 0.0


def _beside(line: Line, asked: Ints, sample: Ints, shown: Shown) -> Floats:
    inside = (asked >= 0) & (asked < len(line.variant.bits))
    asked = np.clip(asked, 0, len(line.variant.bits) - 1)
    return np.where(inside, shown.differing(line.variant.bits[asked], sample), 128.0)


def _pairs(line: Line, offset_s: float, times: Floats, part: slice, shown: Shown) -> tuple[Pair, ...]:
    """The likest picture of each third of the stretch, beside the sample it was compared with."""
    at = np.round((line.speed * times + offset_s) / shown.step_s).astype(np.int64)
    bits = np.where(line.variant.good, shown.differing(line.variant.bits, at), 256.0)
    thirds = [third for third in np.array_split(np.arange(part.start, part.stop), PAIRS) if len(third)]
    likest = [int(third[bits[third].argmin()]) for third in thirds]
    return tuple(
        Pair(float(times[one]), round(float(at[one] * shown.step_s), 3), int(bits[one]))
        for one in likest
        if bits[one] <= FRAME_BITS_MAX
    )


def _best_run(gains: Floats) -> tuple[int, int]:
    """The first and last place of the run with the highest sum."""
    sums = np.concatenate([[0.0], np.cumsum(gains)])
    lowest = np.minimum.accumulate(sums[:-1])
    last = int((sums[1:] - lowest).argmax())
    return int(sums[: last + 1].argmin()), last


def _placed(line: Line, offset_s: float, times: Floats, part: slice, shown: Shown) -> tuple[float, float]:
    """(offset, speed) at which frames agree best with the kept samples before and after them.

    The offset is sought on a grid of an eighth of a second. Pictures of a slow scene vote for any speed, and at a wrong
    one the offset is wrong too: it was played at its own speed unless another one agrees clearly better.
    """
    chosen = np.flatnonzero(line.variant.good[part]) + part.start
    if not len(chosen):
        return offset_s, line.speed
    chosen = chosen[:: math.ceil(len(chosen) / PLACED_FRAMES_MAX)]
    asked, seen_s = line.variant.bits[chosen], times[chosen]
    middle_s = float(seen_s.mean())
    here_s = offset_s + line.speed * middle_s
    tried = {speed: _best_shift(asked, seen_s - middle_s, here_s, speed, shown) for speed in SPEEDS}
    plain_bits, _ = tried[1.0]
    speed = min(tried, key=lambda one: tried[one][0])
    if tried[speed][0] > min(PACE_SHARE * plain_bits, plain_bits - PACE_BITS):
        speed = 1.0
    return tried[speed][1] - speed * middle_s, speed


def _best_shift(asked: Words, from_middle_s: Floats, here_s: float, speed: float, shown: Shown) -> tuple[float, float]:
    """(bits that differ, what is shown at the middle) at the best shift."""
    place = (here_s + SHIFTS_S[:, None] + speed * from_middle_s) / shown.step_s
    below = np.floor(place).astype(np.int64)
    share = place - below
    before, after = (shown.differing(asked, below + step) for step in (0, 1))
    counts = below >= -1
    bits = np.where(counts, (1 - share) * before + share * after, 0.0).sum(1) / np.maximum(counts.sum(1), 1)
    means = np.where(counts.any(1), bits + np.abs(SHIFTS_S), np.inf)
    best = int(means.argmin())
    return float(means[best]), here_s + float(SHIFTS_S[best])


def rounded(rect: Rect) -> Rect:
    left, top, right, bottom = (round(edge, 3) for edge in rect)
    return (left, top, right, bottom)
