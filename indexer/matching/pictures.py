"""Where in the archive do these frames come from? Pure functions of picture marks.

1. Every frame is asked in several variants (mirrored, turned, inside its borders, as if cropped).
2. Its 64-bit key finds marks that may be the same picture; 256 bits decide.
3. Pictures that agree vote for an original, an offset and a speed.
4. The best of these are scored over all their frames. What stands still adds next to nothing, so that a blank or
   motionless stretch never adds up to a match.
The thresholds are those at which none of some hundred foreign clips was reported; unrelated pictures differ in
128 +- 8 of 256 bits. Not covered: crops by a quarter, a picture inside another one, a screen
that was filmed, borders around a scene whose own margins are flat.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pipeline.marks.pictures import (
    CENTRE,
    DETAIL_MIN,
    FRAMED_CENTRE,
    FRAMED_INSIDE,
    FRAMED_WHOLE,
    TRANSFORMS,
    WHOLE,
    Frames,
    Marks,
    Rect,
    Words,
    bits_of,
    detail_of,
    distance,
    inside_borders,
    is_drawn,
    key_of,
    waves_of,
)

KEY_BITS_MAX: Final = 11
FRAME_BITS_MAX: Final = 88
PHOTO_BITS_MAX: Final = 72
# The mean of unrelated frames is taken lower than 128, for pictures of one place are never wholly unrelated.
CHANCE_BITS, CHANCE_SPREAD = 122.0, 8.2
Z_MIN: Final = 6.0
MEAN_BITS_MAX: Final = 84.0
# So many moving frames' worth of evidence; below, it is a still picture and only a photo's rule may decide.
EVIDENCE_MIN: Final = 1.5
LENGTH_MIN_S: Final = 1.5
# A change by so many bits counts as a wholly new picture.
NEW_BITS: Final = 48.0
STILL_WEIGHT: Final = 0.04
# What a frame must bring beyond chance, in standard deviations, for the matching stretch to go on.
GOES_ON_Z: Final = 2.5
BIN_S: Final = 0.5
SPEEDS: Final = (1.0, 1.25, 0.8, 1.06, 0.94, 1.12)
LINES_SCORED: Final = 60
# Beside a far better source of the same stretch, a weak one is the same place at another time.
RIVAL_SHARE: Final = 0.35
SAME_OFFSET_S: Final = 2.0
PROBES_A_BATCH: Final = 1 << 14

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Found:
    """A stretch of the query and where it lies in one original.

    offset_s: in the original; query_offset_s: in the query; both where the stretch begins. strength: 1.0 is the weakest
    that counts. speed: of the query beside the original. is_photo: the original or the query is one picture.
    """

    original: str
    offset_s: float
    query_offset_s: float
    length_s: float
    strength: float
    transform: str
    speed: float
    is_photo: bool


@dataclass(frozen=True)
class Variant:
    """The query's frames seen in one way; good: frames with something to recognise."""

    transform: str
    against: tuple[int, ...]
    bits: Words
    key: Words
    good: NDArray[np.bool_]


class Library:
    """The marks of all originals, ready for looking up. items: (original, marks)."""

    def __init__(self, items: Iterable[tuple[str, Marks]]) -> None:
        self.originals: list[str] = []
        self.marks: list[Marks] = []
        for original, marks in items:
            self.originals.append(original)
            self.marks.append(marks)
        every = self.marks or [_no_marks()]
        self.entry = np.repeat(np.arange(len(self.marks)), [len(one) for one in self.marks])
        self.at_s = np.concatenate([(one.at + one.run / 2 - 0.5) * one.step_s for one in every])
        self.framed = np.concatenate([one.framed for one in every])
        self.bits = np.concatenate([one.bits for one in every])
        self.is_photo = np.array([one.step_s == 0 for one in every])
        self._keys = Keys(np.concatenate([one.key for one in every]))
        self._rows: dict[tuple[int, int], Ints] = {}

    def near(self, variant: Variant) -> tuple[Ints, Ints, NDArray[np.int32]]:
        """(frame, row, bits that differ) of all pairs that may show the same."""
        frames = np.flatnonzero(variant.good)
        asked, row = self._keys.near(variant.key[frames])
        fits = np.isin(self.framed[row], variant.against)
        frame, row = frames[asked[fits]], row[fits]
        bits = distance(variant.bits[frame], self.bits[row])
        close = bits <= FRAME_BITS_MAX
        return frame[close], row[close], bits[close]

    def rows_of(self, entry: int, framed: int) -> Ints:
        """The row shown at each sample of one original, -1 where nothing was kept."""
        if (entry, framed) not in self._rows:
            marks = self.marks[entry]
            start = int(np.searchsorted(self.entry, entry))
            chosen = np.flatnonzero(marks.framed == framed)
            ends = marks.at[chosen] + marks.run[chosen]
            rows = np.full(int(ends.max(initial=0)), -1, np.int64)
            for number in chosen:
                rows[marks.at[number] : marks.at[number] + marks.run[number]] = start + number
            self._rows[entry, framed] = rows
        return self._rows[entry, framed]


class Keys:
    """64-bit keys, looked up by their four 16-bit parts: all within 7 bits are found, many within KEY_BITS_MAX."""

    def __init__(self, keys: Words) -> None:
        self._keys = keys
        parts = np.ascontiguousarray(keys).view(np.uint16).reshape(-1, 4)
        self._order = [np.argsort(parts[:, number], kind="stable") for number in range(4)]
        self._first = [
            np.searchsorted(parts[order, number], np.arange(65537), "left") for number, order in enumerate(self._order)
        ]
        self._flips = np.concatenate([[0], 1 << np.arange(16)]).astype(np.int64)

    def near(self, asked: Words) -> tuple[Ints, Ints]:
        """(number of the asked key, row) of every kept key near enough, each pair once."""
        found = [np.empty(0, np.int64)]
        parts = np.ascontiguousarray(asked).view(np.uint16).reshape(-1, 4).astype(np.int64)
        a_batch = max(1, PROBES_A_BATCH // len(self._flips))
        for start in range(0, len(asked), a_batch):
            for number in range(4):
                probes = (parts[start : start + a_batch, number, None] ^ self._flips).ravel()
                first = self._first[number][probes]
                count = self._first[number][probes + 1] - first
                row = self._order[number][_ranges(first, count)]
                asker = start + np.repeat(np.arange(len(probes)) // len(self._flips), count)
                near = np.bitwise_count(asked[asker] ^ self._keys[row]) <= KEY_BITS_MAX
                found.append((asker[near] << 32) | row[near])
        pairs = np.unique(np.concatenate(found))
        return pairs >> 32, pairs & 0xFFFFFFFF


def _ranges(first: Ints, count: Ints) -> Ints:
    """first[0], first[0]+1, ... count[0] of them, then the same of the next."""
    ends = np.cumsum(count)
    total = int(ends[-1]) if len(ends) else 0
    return np.asarray(np.arange(total) + np.repeat(first - (ends - count), count), np.int64)


def _no_marks() -> Marks:
    none = np.empty(0, np.uint32)
    return Marks(1.0, none, none, none.astype(np.uint8), none.astype(np.uint8), np.empty((0, 4), np.uint64),
                 np.empty(0, np.uint64))  # fmt: skip


# -- the query


def variants_of(frames: Frames) -> list[Variant]:
    """The ways in which these frames of one query are asked; frames without anything to recognise are never asked."""
    usable = ~is_drawn(frames)
    inside = inside_borders(frames)
    ways: list[tuple[str, Rect, tuple[int, ...]]] = [("", WHOLE, (FRAMED_WHOLE, FRAMED_INSIDE))]
    if inside != WHOLE:
        ways.append(("inset", inside, (FRAMED_WHOLE, FRAMED_INSIDE)))
    ways.append(("", CENTRE, (FRAMED_CENTRE,)))
    for share in (0.95, 0.9):  # of the original's width that a crop about its middle left
        margin = 0.5 - 0.375 / share
        ways.append(("cropped", (margin, margin, 1 - margin, 1 - margin), (FRAMED_CENTRE,)))
    return [
        variant
        for framing, rect, against in ways
        for variant in _turns_of(frames, usable, framing, rect, against)
        if variant.good.any()
    ]


def _turns_of(
    frames: Frames, usable: NDArray[np.bool_], framing: str, rect: Rect, against: tuple[int, ...]
) -> Iterator[Variant]:
    waves = waves_of(frames, rect)
    good = usable & (detail_of(waves) >= DETAIL_MIN)
    for name, turn in TRANSFORMS.items():
        if against == (FRAMED_CENTRE,) and name not in ("none", "mirrored"):
            continue
        seen = turn(waves)
        told = " ".join(part for part in (framing, "" if name == "none" else name) if part) or "none"
        yield Variant(told, against, bits_of(seen), key_of(seen), good)


# -- a photo is asked, or found


def find_photo(frame: Frames, library: Library) -> list[Found]:
    """Where one picture is found, in photos and in videos, the likest first. frame: shape (1, SIDE_PX, SIDE_PX)."""
    best: dict[str, tuple[int, Found]] = {}
    for variant in variants_of(frame):
        _, rows, bits = library.near(variant)
        for row, differing in zip(rows.tolist(), bits.tolist(), strict=True):
            original = library.originals[library.entry[row]]
            if differing > PHOTO_BITS_MAX or (original in best and best[original][0] <= differing):
                continue
            found = Found(original, float(library.at_s[row]), 0.0, 0.0, _photo_strength(differing), variant.transform,
                          1.0, is_photo=True)  # fmt: skip
            best[original] = (differing, found)
    return [found for _, found in sorted(best.values(), key=lambda one: (one[0], one[1].original))]


def _photo_strength(bits: float) -> float:
    return round((CHANCE_BITS - bits) / (CHANCE_BITS - PHOTO_BITS_MAX), 2)


def _photos_shown(variant: Variant, frame: Ints, row: Ints, bits: Ints, times: Floats, library: Library) -> list[Found]:
    """Photos that a query's frames show: the likest frame of each."""
    chosen = library.is_photo[library.entry[row]] & (bits <= PHOTO_BITS_MAX)
    best: dict[int, tuple[int, int]] = {}
    for number in np.flatnonzero(chosen).tolist():
        entry = int(library.entry[row[number]])
        best[entry] = min(best.get(entry, (999, 0)), (int(bits[number]), int(frame[number])))
    return [
        Found(library.originals[entry], 0.0, float(times[at]), 0.0, _photo_strength(differing), variant.transform, 1.0,
              is_photo=True)
        for entry, (differing, at) in best.items()
    ]  # fmt: skip


# -- a clip is asked


@dataclass(frozen=True)
class _Line:
    votes: float
    entry: int
    framed: int
    offset_s: float
    speed: float
    variant: Variant


def find_clip(frames: Frames, step_s: float, library: Library) -> list[Found]:
    """Where these frames are found, the strongest first. step_s: seconds between them."""
    times = np.arange(len(frames), dtype=np.float64) * step_s
    lines: list[_Line] = []
    found: list[Found] = []
    for variant in variants_of(frames):
        frame, row, bits = library.near(variant)
        if not len(frame):
            continue
        found += _photos_shown(variant, frame, row, bits.astype(np.int64), times, library)
        moving = ~library.is_photo[library.entry[row]]
        lines += _voted(variant, frame[moving], row[moving], bits[moving], times, library)
    lines.sort(key=lambda line: -line.votes * _plainness(line.speed, line.variant.transform))
    scored = [one for line in lines[:LINES_SCORED] if (one := _scored(line, times, step_s, library)) is not None]
    return _without_rivals([*scored, *found])


def _voted(
    variant: Variant, frame: Ints, row: Ints, bits: NDArray[np.int32], times: Floats, library: Library
) -> list[_Line]:
    """The best offset and speed for each original and framing; one vote a frame, weighed by likeness and novelty."""
    if not len(frame):
        return []
    novelty = np.minimum(1.0, _changes(variant.bits) / NEW_BITS)
    weight = (FRAME_BITS_MAX + 8 - bits) / (FRAME_BITS_MAX + 8) * (0.1 + 0.9 * novelty[frame])
    group = library.entry[row].astype(np.int64) * 4 + library.framed[row]
    lines: list[_Line] = []
    for speed in SPEEDS:
        offset = library.at_s[row] - speed * times[frame]
        for shift in (0.0, 0.5):
            bin_ = np.floor(offset / BIN_S + shift).astype(np.int64) + (1 << 24)
            place = (group << 26) | bin_
            order = np.lexsort((-weight, frame, place))
            first = np.ones(len(order), np.bool_)
            first[1:] = (np.diff(place[order]) != 0) | (np.diff(frame[order]) != 0)
            voters = order[first]
            places, starts = np.unique(place[voters], return_index=True)
            votes = np.add.reduceat(weight[voters], starts)
            for number in np.argsort(-votes)[:LINES_SCORED].tolist():
                end = starts[number + 1] if number + 1 < len(starts) else len(voters)
                where = int(places[number]) >> 26
                median_s = float(np.median(offset[voters[starts[number] : end]]))
                lines.append(_Line(float(votes[number]), where >> 2, where & 3, median_s, speed, variant))
    return lines


def _changes(bits: Words) -> Floats:
    """In how many bits each picture differs from the one before; all of them for the first."""
    return np.concatenate([[256.0], distance(bits[1:], bits[:-1]).astype(np.float64)])


def _scored(line: _Line, times: Floats, step_s: float, library: Library) -> Found | None:
    """The line scored over all its frames at its best small shift, None where it does not hold."""
    rows = library.rows_of(line.entry, line.framed)
    archive_step_s = library.marks[line.entry].step_s
    best: tuple[float, float, int, int] | None = None
    for shift in np.arange(-2, 3) * archive_step_s / 2:
        offset_s = line.offset_s + float(shift)
        stretch = _stretch(line, offset_s, times, rows, archive_step_s, library)
        if stretch is not None and (best is None or stretch[0] > best[0]):
            best = (stretch[0], offset_s, stretch[1], stretch[2])
    if best is None or best[0] < Z_MIN:
        return None
    z, offset_s, first, last = best
    if times[last] - times[first] + step_s < LENGTH_MIN_S:
        return None
    offset_s = _refined(line, offset_s, times[first : last + 1], first, rows, archive_step_s, library)
    starts_s = max(0.0, offset_s + line.speed * float(times[first]))
    length_s = float(times[last] - times[first]) + step_s
    return Found(
        library.originals[line.entry], round(starts_s, 3), float(times[first]), length_s, round(z / Z_MIN, 2),
        line.variant.transform, line.speed, is_photo=False,
    )  # fmt: skip


def _stretch(
    line: _Line, offset_s: float, times: Floats, rows: Ints, archive_step_s: float, library: Library
) -> tuple[float, int, int] | None:
    """(z, first frame, last frame) of the stretch that agrees best, None where it holds too little evidence."""
    at = np.round((line.speed * times + offset_s) / archive_step_s).astype(np.int64)
    inside = (at >= 0) & (at < len(rows)) & line.variant.good
    at = np.clip(at, 0, max(0, len(rows) - 1))
    if not inside.any():
        return None
    bits = np.minimum.reduce([
        _bits_at(line, at + step, rows, library) + (3.0 if step else 0.0) for step in (0, -1, 1)
    ])  # fmt: skip
    row = rows[at]
    archive_change = np.where(row >= 0, _changes(library.bits[np.maximum(row, 0)]), 0.0)
    asked_change = _changes(line.variant.bits)
    weight = np.minimum(asked_change, archive_change) / NEW_BITS
    weight = np.clip(weight, STILL_WEIGHT, 1.0) * inside
    z = (CHANCE_BITS - bits) / CHANCE_SPREAD
    first, last = _best_run(weight * (z - GOES_ON_Z))
    part = slice(first, last + 1)
    total = float(weight[part].sum())
    if (
        float((weight[part] - STILL_WEIGHT).clip(0).sum()) < EVIDENCE_MIN
        or float((weight * bits)[part].sum()) / total > MEAN_BITS_MAX
    ):
        return None
    return float((weight * z)[part].sum() / np.sqrt(total)), first, last


def _bits_at(line: _Line, at: Ints, rows: Ints, library: Library) -> Floats:
    """In how many bits each frame differs from what the original shows at these samples; 128 where nothing was kept."""
    inside = (at >= 0) & (at < len(rows))
    row = np.where(inside, rows[np.clip(at, 0, len(rows) - 1)], -1)
    bits = distance(line.variant.bits, library.bits[np.maximum(row, 0)]).astype(np.float64)
    return np.where(row >= 0, bits, 128.0)


def _best_run(gains: Floats) -> tuple[int, int]:
    """The first and last place of the run with the highest sum."""
    sums = np.concatenate([[0.0], np.cumsum(gains)])
    lowest = np.minimum.accumulate(sums[:-1])
    last = int((sums[1:] - lowest).argmax())
    return int(sums[: last + 1].argmin()), last


def _refined(
    line: _Line, offset_s: float, times: Floats, first: int, rows: Ints, archive_step_s: float, library: Library
) -> float:
    """The offset, on a grid of an eighth of a second, at which frames between two kept samples agree best with both."""
    part = slice(first, first + len(times))
    variant = Variant(line.variant.transform, line.variant.against, line.variant.bits[part], line.variant.key[part],
                      line.variant.good[part])  # fmt: skip
    stretch = _Line(line.votes, line.entry, line.framed, line.offset_s, line.speed, variant)
    tried: list[tuple[float, float]] = []
    for shift in np.arange(-4, 5) / 8:
        place = (line.speed * times + offset_s + shift) / archive_step_s
        below = np.floor(place).astype(np.int64)
        share = place - below
        before, after = (_bits_at(stretch, below + step, rows, library) for step in (0, 1))
        bits = (1 - share) * before + share * after
        good = variant.good & (below >= -1)
        if good.any():
            tried.append((float(bits[good].mean()) + abs(float(shift)), offset_s + float(shift)))
    return min(tried, default=(0.0, offset_s))[1]


def _without_rivals(found: Sequence[Found]) -> list[Found]:
    """The strongest for each stretch and original: no second row at nearly its place, none that is far weaker."""
    kept: list[Found] = []
    strongest_first = sorted(found, key=lambda one: -one.strength * _plainness(one.speed, one.transform))
    for one in sorted(strongest_first, key=lambda one: one.is_photo):
        over = [other for other in kept if _overlap(one, other) or one.is_photo]
        if any(one.strength < RIVAL_SHARE * other.strength for other in over):
            continue
        same = [other for other in over if other.original == one.original]
        if any(one.strength < 0.9 * other.strength or _is_near(one, other) for other in same):
            continue
        kept.append(one)
    return kept


def _plainness(speed: float, transform: str) -> float:
    """A little less than 1 for what was played faster, mirrored or cut, so that slow scenes do not look changed."""
    return (1.0 if speed == 1.0 else 0.85) * (1.0 if transform == "none" else 0.97)


def _overlap(one: Found, other: Found) -> bool:
    """Whether more than half of the shorter stretch of the query is shared."""
    start = max(one.query_offset_s, other.query_offset_s)
    end = min(one.query_offset_s + one.length_s, other.query_offset_s + other.length_s)
    return end - start >= 0.5 * min(one.length_s, other.length_s)


def _is_near(one: Found, other: Found) -> bool:
    starts: list[Any] = [found.offset_s - found.query_offset_s for found in (one, other)]
    return bool(abs(starts[0] - starts[1]) < SAME_OFFSET_S)
