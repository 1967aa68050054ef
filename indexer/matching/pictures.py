"""Where in the archive do these frames come from? Pure functions of picture marks.

1. Every frame is asked in several ways (mirrored, turned, inside its borders or an inset's edges).
2. Its 64-bit key finds marks that may be the same picture; 256 bits decide.
3. Pictures that agree vote for an original, an offset and a speed.
4. The best of these are scored over all their frames. What stands still adds next to nothing, so that a blank or
   motionless stretch never adds up to a match.
5. How the pictures change, compared with the kept thumbnails, tells the same footage from another take of the scene.
6. Only where no footage was found, some hundred crops and margins are tried on a few frames, mirrored too, and the
   best of them go through 2 to 5.
7. Where that does not tell either, the likeliest are laid flat: the original's picture is fitted to the kept thumbnails
   by its corners, as a screen filmed from aside needs it, and scored once more.
The thresholds were chosen on recordings other than those whose figures `scripts/bench match` prints; unrelated
pictures differ in 128 +- 8 of 256 bits. Not covered: crops to less than half of a side, insets that move.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from indexer.matching import motion, rectangle
from indexer.matching.framing import Framing, likely, outside, thinkable
from indexer.matching.shelf import FRAME_BITS_MAX, Floats, Hits, Ints, Library, rows_at
from pipeline.marks.pictures import (
    DETAIL_MIN,
    FRAMED_INSIDE,
    FRAMED_MIDDLE,
    FRAMED_WHOLE,
    MIDDLE,
    TRANSFORMS,
    WHOLE,
    Frames,
    Marks,
    Rect,
    Words,
    bits_of,
    detail_of,
    distance,
    is_drawn,
    key_of,
    mirrored,
    waves_of,
    waves_of_many,
)

PHOTO_BITS_MAX: Final = 72
# Each of some hundred crops of each picture of a clip was one chance more to look like a photo.
PHOTO_BITS_OF_CROPS_MAX: Final = 48
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
LINES_SCORED: Final = 40
LINES_SEARCHED: Final = 12
# Of an original's own marks so many are looked up, evenly spread; all of them are compared afterwards.
MARKS_ASKED: Final = 600
# Beside a far better source of the same stretch, a weak one is the same place at another time.
RIVAL_SHARE: Final = 0.35
SAME_OFFSET_S: Final = 2.0
# How much better the pictures agree in this order than a second apart counts so much beside how alike changes are;
# clips of people who walk the same way past one camera, minutes apart, came to 1.21.
ORDER_S: Final = 1.0
ORDER_BITS_MAX: Final = 60.0
ORDER_BITS: Final = 40.0
AGREEING_MIN: Final = 1.25
ORDER_SAMPLES_MIN: Final = 4
INSETS: Final = 5
# Hypotheses are tried on so many frames, and the best of them on all.
FRAMES_TRIED, FRAMINGS_KEPT = 10, 12
# Framings so far forward in the list are tried turned by quarters too: the whole, its middle, its borders.
TURNED_FRAMINGS: Final = 3
PAIRS: Final = 3
# Where nothing else was found, so many lines with so many votes are laid flat by so many of their frames.
LINES_FITTED, FITTED_VOTES_MIN = 3, 0.8
FIT_FRAMES, FIT_FRAMES_MIN = 6, 3
# A line that holds goes before those that were only voted for.
HELD_VOTES: Final = 100.0
# Frames must be as like their thumbnails as this, but for light and contrast.
FIT_MIN: Final = 0.6
# An original's picture that reaches so far beyond the query's was cropped.
CROPPED_MIN: Final = 0.05

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


@dataclass(frozen=True)
class Query:
    """The frames that are asked, shown at these times; usable: those that are not drawn."""

    frames: Frames
    times: Floats
    step_s: float
    usable: NDArray[np.bool_]

    @property
    def ends_s(self) -> float:
        return float(self.times[-1]) + self.step_s


@dataclass(frozen=True)
class Variant:
    """The query's frames seen in one way; good: frames with something to recognise."""

    framing: Framing
    turn: str
    bits: Words
    key: Words
    good: NDArray[np.bool_]

    @property
    def transform(self) -> str:
        told = (self.framing.told, "" if self.turn == "none" else self.turn)
        return " ".join(part for part in told if part) or "none"

    def near(self, library: Library, radius: int) -> Hits:
        frames = np.flatnonzero(self.good)
        hits = library.near(self.key[frames], self.bits[frames], self.framing.against, radius=radius)
        return Hits(frames[hits.frame], hits.entry, hits.framed, hits.at_s, hits.differing)


# -- the query


def _variants(query: Query, framings: Iterable[Framing]) -> Iterator[Variant]:
    """The ways in which a query is asked; frames without anything to recognise are never asked."""
    for number, framing in enumerate(framings):
        waves = waves_of(query.frames, framing.rect)
        good = query.usable & (detail_of(waves) >= DETAIL_MIN)
        if not good.any():
            continue
        for turn, seen in TRANSFORMS.items():
            # Quarter turns of the whole picture, or of what its borders hold.
            if turn in ("none", "mirrored") or (number < TURNED_FRAMINGS and framing.against != (FRAMED_MIDDLE,)):
                turned = seen(waves)
                yield Variant(framing, turn, bits_of(turned), key_of(turned), good)


def _promising(query: Query, library: Library) -> list[Framing]:
    """Of the thinkable framings those in which a few frames find most, the best first."""
    good = np.flatnonzero(query.usable)
    if not len(good):
        return []
    chosen = good[np.unique(np.linspace(0, len(good) - 1, FRAMES_TRIED).astype(np.int64))]
    found: list[tuple[float, int, Framing]] = []
    by_target: dict[tuple[int, ...], list[Framing]] = {}
    for framing in thinkable(query.frames):
        by_target.setdefault(framing.against, []).append(framing)
    for against, framings in by_target.items():
        plain = np.concatenate(waves_of_many(query.frames[chosen], [framing.rect for framing in framings]))
        rich = np.flatnonzero(detail_of(plain) >= DETAIL_MIN)
        for seen in (plain[rich], mirrored(plain[rich])):
            hits = library.near(key_of(seen), bits_of(seen), against, radius=1)
            number = rich[hits.frame]
            votes = _likeliest(number // len(chosen), number % len(chosen), hits)
            found += [(total, -one, framings[one]) for one, total in votes.items()]
    best_first = sorted(found, key=lambda one: one[:2], reverse=True)
    return list(dict.fromkeys(framing for _, _, framing in best_first))[:FRAMINGS_KEPT]


def _likeliest(framing: Ints, frame: Ints, hits: Hits) -> dict[int, float]:
    """For each framing the votes of its frames for the one original that has most of them."""
    if not len(hits):
        return {}
    place = (framing << 40) | (hits.entry << 16) | frame
    order = np.lexsort((hits.differing, place))
    first = np.concatenate([[True], np.diff(place[order]) != 0])
    best = order[first]
    groups, starts = np.unique(place[best] >> 16, return_index=True)
    votes = np.add.reduceat((FRAME_BITS_MAX + 8 - hits.differing[best]).astype(np.float64), starts)
    told: dict[int, float] = {}
    for group, total in zip((groups >> 24).tolist(), votes.tolist(), strict=True):
        told[group] = max(told.get(group, 0.0), total)
    return told


# -- a photo is asked, or found


def find_photo(frame: Frames, library: Library) -> list[Found]:
    """Where one picture is found, in photos and in videos, the likest first. frame: shape (1, SIDE_PX, SIDE_PX)."""
    query = Query(frame, np.zeros(1), 0.0, ~is_drawn(frame))
    best: dict[int, tuple[int, Found]] = {}
    for framings in (likely(frame, INSETS), _promising(query, library)):
        for variant in _variants(query, framings):
            hits = variant.near(library, radius=1)
            for number in np.flatnonzero(hits.differing <= PHOTO_BITS_MAX).tolist():
                entry, differing = int(hits.entry[number]), int(hits.differing[number])
                if entry not in best or best[entry][0] > differing:
                    best[entry] = (differing, _photo_found(library, variant, hits, number, 0.0))
        if best:
            break
    return [found for _, found in sorted(best.values(), key=lambda one: (one[0], one[1].original))]


def _photo_found(library: Library, variant: Variant, hits: Hits, number: int, query_s: float) -> Found:
    entry, at_s, differing = int(hits.entry[number]), float(hits.at_s[number]), int(hits.differing[number])
    marks = library.marks(entry)
    at = round(at_s / marks.step_s) if marks.step_s else 0
    return Found(
        library.originals[entry], at_s, query_s, 0.0, _photo_strength(differing), variant.transform, 1.0, is_photo=True,
        rectangle=_rounded(outside(variant.framing.rect, marks.rect_at(at, int(hits.framed[number])))),
        pairs=(Pair(query_s, at_s, differing),),
    )  # fmt: skip


def _rounded(rect: Rect) -> Rect:
    left, top, right, bottom = (round(edge, 3) for edge in rect)
    return (left, top, right, bottom)


def _photo_strength(bits: float) -> float:
    return round((CHANCE_BITS - bits) / (CHANCE_BITS - PHOTO_BITS_MAX), 2)


def _photos_shown(
    variant: Variant, hits: Hits, times: Floats, library: Library, bits_max: int = PHOTO_BITS_MAX
) -> list[Found]:
    """Photos that a query's frames show: the likest frame of each."""
    best: dict[int, tuple[int, int]] = {}
    for number in np.flatnonzero(hits.differing <= bits_max).tolist():
        entry = int(hits.entry[number])
        best[entry] = min(best.get(entry, (999, 0)), (int(hits.differing[number]), number))
    return [
        _photo_found(library, variant, hits, number, float(times[hits.frame[number]])) for _, number in best.values()
    ]


# -- a clip is asked


@dataclass(frozen=True)
class _Line:
    votes: float
    entry: int
    framed: int
    offset_s: float
    speed: float
    variant: Variant


@dataclass(frozen=True)
class _Tried:
    """What came of some framings: what holds, and all that was voted for; what holds has the more votes."""

    found: list[Found]
    lines: list[_Line]


def find_clip(frames: Frames, step_s: float, library: Library) -> list[Found]:
    """Where these frames are found, the strongest first. step_s: seconds between them."""
    query = Query(frames, np.arange(len(frames), dtype=np.float64) * step_s, step_s, ~is_drawn(frames))
    if not query.usable.any() or not len(library):
        return []
    tried = _of_framings(query, likely(frames, INSETS), library, 1)
    found, lines = _without_rivals(tried.found), tried.lines
    if any(one.verdict == "same footage" for one in found):
        return found
    tried = _of_framings(query, _promising(query, library), library, 1, PHOTO_BITS_OF_CROPS_MAX)
    found, lines = _without_rivals([*found, *tried.found]), [*lines, *tried.lines]
    if any(one.verdict == "same footage" for one in found):
        return found
    return _without_rivals([*found, *_laid_flat(lines, query, library)])


def find_marks(marks: Marks, library: Library) -> list[Found]:
    """Where an original's own marks are found, as they were kept: itself too, and no mirrored or cut copies."""
    if not marks.step_s:
        return _of_photo_marks(marks, library)
    count = len(marks.small)
    times = np.arange(count, dtype=np.float64) * marks.step_s
    query = Query(marks.small, times, marks.step_s, np.ones(count, np.bool_))
    found: list[Found] = []
    for framed in (FRAMED_WHOLE, FRAMED_INSIDE):
        rows = rows_at(marks, framed, count)
        if not (rows >= 0).any():
            continue
        kept = np.maximum(rows, 0)
        framing = Framing("", marks.rect_at(0, framed), (FRAMED_WHOLE, FRAMED_INSIDE))
        variant = Variant(framing, "none", marks.bits[kept], marks.key[kept], rows >= 0)
        frames = np.flatnonzero(variant.good)[:: max(1, count // MARKS_ASKED)]
        hits = library.near(variant.key[frames], variant.bits[frames], framing.against, radius=1)
        hits = Hits(frames[hits.frame], hits.entry, hits.framed, hits.at_s, hits.differing)
        lines = _voted(variant, hits.where(~library.is_photo[hits.entry]), query.times)
        lines.sort(key=lambda line: -line.votes)
        scored = [_scored(line, query, library) for line in _distinct(lines)[:LINES_SCORED]]
        found += [one for one in scored if one is not None]
    return _without_rivals(found)


def _of_photo_marks(marks: Marks, library: Library) -> list[Found]:
    whole = marks.framed == FRAMED_WHOLE
    hits = library.near(marks.key[whole], marks.bits[whole], (FRAMED_WHOLE, FRAMED_INSIDE), radius=1)
    variant = Variant(Framing("", WHOLE, ()), "none", marks.bits[whole], marks.key[whole], whole[whole])
    return _photos_shown(variant, hits, np.zeros(1), library)


def _of_framings(
    query: Query, framings: Sequence[Framing], library: Library, radius: int, photo_bits_max: int = PHOTO_BITS_MAX
) -> _Tried:
    lines: list[_Line] = []
    photos: list[Found] = []
    for variant in _variants(query, framings):
        hits = variant.near(library, radius)
        is_photo = library.is_photo[hits.entry]
        photos += _photos_shown(variant, hits.where(is_photo), query.times, library, photo_bits_max)
        lines += _voted(variant, hits.where(~is_photo), query.times)
    lines.sort(key=lambda line: -line.votes * _plainness(line.speed, line.variant.transform))
    found: list[Found] = []
    held: list[_Line] = []
    for line in _distinct(lines)[:LINES_SCORED]:
        one = _scored(line, query, library)
        if one is not None:
            found.append(one)
            held.append(replace(line, votes=HELD_VOTES * one.strength))
    if not any(one.verdict == "same footage" for one in found):
        found += _by_motion(lines, query, library)
    return _Tried([*found, *photos], [*held, *lines])


def _distinct(lines: Sequence[_Line]) -> list[_Line]:
    """Without those that say nearly what one before them says: bins overlap, and neighbours share their voters."""
    kept: dict[tuple[int, int, float, str, Framing], list[float]] = {}
    found: list[_Line] = []
    for line in lines:
        others = kept.setdefault((line.entry, line.framed, line.speed, line.variant.turn, line.variant.framing), [])
        if all(abs(line.offset_s - other) > BIN_S / 2 for other in others):
            others.append(line.offset_s)
            found.append(line)
    return found


def _voted(variant: Variant, hits: Hits, times: Floats) -> list[_Line]:
    """The best offset and speed for each original and framing; one vote a frame, weighed by likeness and novelty."""
    if not len(hits):
        return []
    frame = hits.frame
    novelty = np.minimum(1.0, _changes(variant.bits) / NEW_BITS)
    weight = (FRAME_BITS_MAX + 8 - hits.differing) / (FRAME_BITS_MAX + 8) * (0.1 + 0.9 * novelty[frame])
    group = hits.entry * 4 + hits.framed
    lines: list[_Line] = []
    for speed in SPEEDS:
        offset = hits.at_s - speed * times[frame]
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


def _scored(line: _Line, query: Query, library: Library, *, evidence_min: float = EVIDENCE_MIN) -> Found | None:
    """The line scored over all its samples at its best small shift, None where it does not hold.

    evidence_min: 0 where the changes of the pictures have already said that it is the same footage.
    """
    shown = _Shown(library, line)
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
    offset_s = _refined(line, offset_s, query.times, part, shown)
    rect = shown.marks.rect_at(first, line.framed)
    order = _order(line, offset_s, query, shown, first, last)
    like = motion.likeness(_view(line, query, part), shown.marks, line.framed, offset_s=offset_s, speed=line.speed)
    return Found(
        library.originals[line.entry], round(max(0.0, offset_s + line.speed * begins_s), 3),
        round(begins_s, 3), round(ends_s - begins_s, 3), round(z / Z_MIN, 2),
        line.variant.transform, line.speed, is_photo=False,
        verdict=_verdict(like, order),
        motion=like, order=order, rectangle=_rounded(outside(line.variant.framing.rect, rect)),
        pairs=_pairs(line, offset_s, query.times, part, shown),
    )  # fmt: skip


def _verdict(like: motion.Likeness | None, order: float) -> Verdict:
    """order: in bits a sample. Neither alone decides: two people walk the same way past the same camera."""
    value = 0.0 if like is None else like.value
    is_same = value >= 0 and value + order / ORDER_BITS >= AGREEING_MIN
    return "same footage" if is_same or (like is not None and like.is_same()) else "same scene, other take"


def _view(line: _Line, query: Query, part: slice) -> motion.View:
    framing = line.variant.framing
    return motion.View(query.frames[part], query.times[part], framing.rect, line.variant.turn)


def _by_motion(lines: Sequence[_Line], query: Query, library: Library) -> list[Found]:
    """Where what changes says when it was, for lines whose pictures are alike and hardly change.

    A place that is always filmed alike offers many offsets, and its pictures cannot say which is right.
    """
    found: list[Found] = []
    seen: set[tuple[int, int, str, Framing]] = set()
    for line in lines:
        subject = (line.entry, line.framed, line.variant.turn, line.variant.framing)
        if subject in seen or len(seen) >= LINES_SEARCHED:
            continue
        seen.add(subject)
        shown = _Shown(library, line)
        view = _view(line, query, slice(0, len(query.times)))
        like = motion.search(view, shown.marks, line.framed, speed=line.speed)
        if like is None or not like.is_same():
            continue
        moved = replace(line, offset_s=like.offset_s)
        one = _scored(moved, query, library, evidence_min=0.0)
        if one is not None and one.verdict == "same footage":
            found.append(one)
    return found


def _laid_flat(lines: Sequence[_Line], query: Query, library: Library) -> list[Found]:
    """The likeliest lines scored again after the original's picture was laid exactly upon its thumbnails."""
    found: list[Found] = []
    tried: list[_Line] = []
    for line in sorted(lines, key=lambda line: -line.votes * _plainness(line.speed, line.variant.transform)):
        if len(tried) == LINES_FITTED:
            break
        if line.votes < FITTED_VOTES_MIN or any(_is_beside(line, other) for other in tried):
            continue
        tried.append(line)
        found += _fitted(line, query, library)
        if any(one.verdict == "same footage" for one in found):
            break
    return found


def _is_beside(one: _Line, other: _Line) -> bool:
    same = (one.entry, one.variant.turn) == (other.entry, other.variant.turn)
    return same and abs(one.offset_s - other.offset_s) < SAME_OFFSET_S


def _fitted(line: _Line, query: Query, library: Library) -> list[Found]:
    shown = _Shown(library, line)
    asked, sample = _beheld(line, query, shown)
    if len(asked) < FIT_FRAMES_MIN:
        return []
    turn = line.variant.turn
    frames, kept = rectangle.turned(query.frames, turn), shown.marks.small[sample].astype(np.float32)
    rect = outside(line.variant.framing.rect, shown.marks.rect_at(int(sample[0]), line.framed))
    chosen = _likest_parts(shown.differing(line.variant.bits[asked], sample), FIT_FRAMES)
    fit = rectangle.fitted(frames[asked[chosen]], kept[chosen], rectangle.turned_rect(rect, turn))
    if fit is None or fit.likeness < FIT_MIN:
        return []
    is_cropped = bool((fit.corners < -CROPPED_MIN).any() or (fit.corners > 1 + CROPPED_MIN).any())
    told = " ".join(part for part in ("cropped" if is_cropped else "inset", "" if turn == "none" else turn) if part)
    framed, part = (FRAMED_MIDDLE, MIDDLE) if is_cropped else (FRAMED_WHOLE, WHOLE)
    flat = rectangle.flattened(frames, fit.corners)
    found: list[Found] = []
    for seen in (rectangle.steadied(flat, kept, asked), flat):
        laid = replace(query, frames=seen)
        waves = waves_of(seen, part)
        good = query.usable & (detail_of(waves) >= DETAIL_MIN)
        variant = Variant(Framing(told, part, (framed,)), "none", bits_of(waves), key_of(waves), good)
        moved = replace(line, framed=framed, variant=variant)
        one = _scored(moved, laid, library)
        found = [] if one is None else [one]
        if seen is flat:
            found += _by_motion([moved], laid, library)
        if any(one.verdict == "same footage" for one in found):
            break
    return [replace(one, rectangle=_rounded(rectangle.turned_back(fit.rect, turn))) for one in found]


def _beheld(line: _Line, query: Query, shown: _Shown) -> tuple[Ints, Ints]:
    """(frames of the query, samples of the original) that the line says are the same; each sample and frame once."""
    ends_s = line.offset_s + line.speed * float(query.times[-1])
    sample = np.arange(max(0, int(np.ceil(line.offset_s / shown.step_s))),
                       min(len(shown.rows), int(np.floor(ends_s / shown.step_s)) + 1))  # fmt: skip
    asked = np.round((sample * shown.step_s - line.offset_s) / line.speed / query.step_s).astype(np.int64)
    asked, first = np.unique(np.clip(asked, 0, len(query.times) - 1), return_index=True)
    sample = sample[first]
    good = query.usable[asked]
    return asked[good], sample[good]


def _likest_parts(bits: Floats, count: int) -> Ints:
    """The likest of each of so many parts of a stretch."""
    parts = [part for part in np.array_split(np.arange(len(bits)), count) if len(part)]
    return np.array([part[bits[part].argmin()] for part in parts])


class _Shown:
    """What the original shows at each sample, framed as the line says."""

    def __init__(self, library: Library, line: _Line) -> None:
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
    line: _Line, offset_s: float, query: Query, shown: _Shown, evidence_min: float
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
    archive_change = np.where(row >= 0, _changes(shown.marks.bits[np.maximum(row, 0)]), 0.0)
    weight = np.minimum(_changes(line.variant.bits[asked]), archive_change) / NEW_BITS
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


def _order(line: _Line, offset_s: float, query: Query, shown: _Shown, first: int, last: int) -> float:
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


def _beside(line: _Line, asked: Ints, sample: Ints, shown: _Shown) -> Floats:
    inside = (asked >= 0) & (asked < len(line.variant.bits))
    asked = np.clip(asked, 0, len(line.variant.bits) - 1)
    return np.where(inside, shown.differing(line.variant.bits[asked], sample), 128.0)


def _pairs(line: _Line, offset_s: float, times: Floats, part: slice, shown: _Shown) -> tuple[Pair, ...]:
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


def _refined(line: _Line, offset_s: float, times: Floats, part: slice, shown: _Shown) -> float:
    """The offset, on a grid of an eighth of a second, at which frames between two kept samples agree best with both."""
    asked, good = line.variant.bits[part], line.variant.good[part]
    tried: list[tuple[float, float]] = []
    for shift in np.arange(-4, 5) / 8:
        place = (line.speed * times[part] + offset_s + shift) / shown.step_s
        below = np.floor(place).astype(np.int64)
        share = place - below
        bits = (1 - share) * shown.differing(asked, below) + share * shown.differing(asked, below + 1)
        chosen = good & (below >= -1)
        if chosen.any():
            tried.append((float(bits[chosen].mean()) + abs(float(shift)), offset_s + float(shift)))
    return min(tried, default=(0.0, offset_s))[1]


def _without_rivals(found: Sequence[Found]) -> list[Found]:
    """The strongest for each stretch and original: no second row at nearly its place, none that is far weaker."""
    kept: list[Found] = []
    strongest_first = sorted(found, key=lambda one: -_worth(one))
    for one in sorted(strongest_first, key=lambda one: one.is_photo):
        over = [other for other in kept if _overlap(one, other) or one.is_photo]
        if any(one.strength < RIVAL_SHARE * other.strength for other in over):
            continue
        same = [other for other in over if other.original == one.original]
        if any(one.strength < 0.9 * other.strength or _is_near(one, other) for other in same):
            continue
        kept.append(one)
    return kept


def _worth(one: Found) -> float:
    """Its strength, less where changes agree worse: a wrong speed shows the right pictures at wrong moments."""
    agreeing = 0.5 if one.motion is None else max(0.0, one.motion.value)
    return one.strength * _plainness(one.speed, one.transform) * (0.5 + 0.5 * agreeing)


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
