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

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from indexer.matching import motion, rectangle
from indexer.matching.alignment import CHANCE_BITS, Found, Pair, Shown, rounded, scored, view_of
from indexer.matching.candidates import (
    LINES_SCORED,
    Line,
    Query,
    Variant,
    distinct,
    plainness,
    promising,
    variants,
    voted,
)
from indexer.matching.framing import Framing, likely, outside
from indexer.matching.shelf import Floats, Hits, Ints, Library, rows_at
from pipeline.marks.pictures import (
    DETAIL_MIN,
    FRAMED_INSIDE,
    FRAMED_MIDDLE,
    FRAMED_WHOLE,
    MIDDLE,
    WHOLE,
    Frames,
    Marks,
    bits_of,
    detail_of,
    is_drawn,
    key_of,
    waves_of,
)

PHOTO_BITS_MAX: Final = 72
# Each of some hundred parts of each picture of a clip is one chance more to look like a photo.
PHOTO_BITS_OF_PARTS_MAX: Final = 48
LINES_SEARCHED: Final = 12
# Of an original's own marks so many are looked up, evenly spread; all of them are compared afterwards.
MARKS_ASKED: Final = 600
# Beside a far better source of the same stretch, a weak one is the same place at another time.
RIVAL_SHARE: Final = 0.35
SAME_OFFSET_S: Final = 2.0
# What is nearly as strong and is another take of the scene gives way to the same footage.
OTHER_TAKE_WORTH: Final = 0.8
INSETS: Final = 5
# Where nothing else was found, so many lines with so many votes are laid flat by so many of their frames.
LINES_FITTED, FITTED_VOTES_MIN = 3, 0.8
FIT_FRAMES, FIT_FRAMES_MIN = 6, 3
# A line that holds goes before those that were only voted for.
HELD_VOTES: Final = 100.0
# Frames must be as like their thumbnails as this, but for light and contrast.
FIT_MIN: Final = 0.6
# An original's picture that reaches so far beyond the query's was cropped.
CROPPED_MIN: Final = 0.05


def find_photo(frame: Frames, library: Library) -> list[Found]:
    """Where one picture is found, in photos and in videos, the likest first. frame: shape (1, SIDE_PX, SIDE_PX)."""
    query = Query(frame, np.zeros(1), 0.0, ~is_drawn(frame))
    best: dict[int, tuple[int, Found]] = {}
    for framings in (likely(query.insets[:INSETS]), promising(query, library)):
        for variant in variants(query, framings):
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
        rectangle=rounded(outside(variant.framing.rect, marks.rect_at(at, int(hits.framed[number])))),
        pairs=(Pair(query_s, at_s, differing),),
    )  # fmt: skip


def _photo_strength(bits: float) -> float:
    return round((CHANCE_BITS - bits) / (CHANCE_BITS - PHOTO_BITS_MAX), 2)


def _photos_shown(variant: Variant, hits: Hits, times: Floats, library: Library) -> list[Found]:
    """Photos that a query's frames show, whole or in a part: the likest frame of each."""
    bits_max = PHOTO_BITS_OF_PARTS_MAX if variant.framing.told else PHOTO_BITS_MAX
    best: dict[int, tuple[int, int]] = {}
    for number in np.flatnonzero(hits.differing <= bits_max).tolist():
        entry = int(hits.entry[number])
        best[entry] = min(best.get(entry, (999, 0)), (int(hits.differing[number]), number))
    return [
        _photo_found(library, variant, hits, number, float(times[hits.frame[number]])) for _, number in best.values()
    ]


@dataclass(frozen=True)
class _Tried:
    """What came of some framings: what holds, and all that was voted for; what holds has the more votes."""

    found: list[Found]
    lines: list[Line]


def find_clip(frames: Frames, step_s: float, library: Library) -> list[Found]:
    """Where these frames are found, the strongest first. step_s: seconds between them."""
    query = Query(frames, np.arange(len(frames), dtype=np.float64) * step_s, step_s, ~is_drawn(frames))
    if not query.usable.any() or not len(library):
        return []
    tried = _of_framings(query, likely(query.insets[:INSETS]), library, 1)
    found, lines = _without_rivals(tried.found), tried.lines
    if any(one.verdict == "same footage" for one in found):
        return found
    tried = _of_framings(query, promising(query, library), library, 1)
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
        lines = voted(variant, hits.where(~library.is_photo[hits.entry]), query.times)
        lines.sort(key=lambda line: -line.votes)
        all_scored = [scored(line, query, library) for line in distinct(lines)[:LINES_SCORED]]
        found += [one for one in all_scored if one is not None]
    return _without_rivals(found)


def _of_photo_marks(marks: Marks, library: Library) -> list[Found]:
    whole = marks.framed == FRAMED_WHOLE
    hits = library.near(marks.key[whole], marks.bits[whole], (FRAMED_WHOLE, FRAMED_INSIDE), radius=1)
    variant = Variant(Framing("", WHOLE, ()), "none", marks.bits[whole], marks.key[whole], whole[whole])
    return _photos_shown(variant, hits, np.zeros(1), library)


def _of_framings(query: Query, framings: Sequence[Framing], library: Library, radius: int) -> _Tried:
    lines: list[Line] = []
    photos: list[Found] = []
    for variant in variants(query, framings):
        hits = variant.near(library, radius)
        is_photo = library.is_photo[hits.entry]
        photos += _photos_shown(variant, hits.where(is_photo), query.times, library)
        lines += voted(variant, hits.where(~is_photo), query.times)
    lines.sort(key=lambda line: -line.votes * plainness(line.speed, line.variant.transform))
    found: list[Found] = []
    held: list[Line] = []
    for line in distinct(lines)[:LINES_SCORED]:
        one = scored(line, query, library)
        if one is not None:
            found.append(one)
            held.append(replace(line, votes=HELD_VOTES * one.strength))
    if not any(one.verdict == "same footage" for one in found):
        found += _by_motion(lines, query, library)
    return _Tried([*found, *photos], [*held, *lines])


def _by_motion(lines: Sequence[Line], query: Query, library: Library) -> list[Found]:
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
        shown = Shown(library, line)
        view = view_of(line, query, slice(0, len(query.times)))
        like = motion.search(view, shown.marks, line.framed, speed=line.speed)
        if like is None or not like.is_same():
            continue
        moved = replace(line, offset_s=like.offset_s)
        one = scored(moved, query, library, evidence_min=0.0)
        if one is not None and one.verdict == "same footage":
            found.append(one)
    return found


def _laid_flat(lines: Sequence[Line], query: Query, library: Library) -> list[Found]:
    """The likeliest lines scored again after the original's picture was laid exactly upon its thumbnails."""
    found: list[Found] = []
    tried: list[Line] = []
    for line in sorted(lines, key=lambda line: -line.votes * plainness(line.speed, line.variant.transform)):
        if len(tried) == LINES_FITTED:
            break
        if line.votes < FITTED_VOTES_MIN or any(_is_beside(line, other) for other in tried):
            continue
        tried.append(line)
        found += _fitted(line, query, library)
        if any(one.verdict == "same footage" for one in found):
            break
    return found


def _is_beside(one: Line, other: Line) -> bool:
    same = (one.entry, one.variant.turn) == (other.entry, other.variant.turn)
    return same and abs(one.offset_s - other.offset_s) < SAME_OFFSET_S


def _fitted(line: Line, query: Query, library: Library) -> list[Found]:
    shown = Shown(library, line)
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
        one = scored(moved, laid, library)
        found = [] if one is None else [one]
        if seen is flat:
            found += _by_motion([moved], laid, library)
        if any(one.verdict == "same footage" for one in found):
            break
    return [replace(one, rectangle=rounded(rectangle.turned_back(fit.rect, turn))) for one in found]


def _beheld(line: Line, query: Query, shown: Shown) -> tuple[Ints, Ints]:
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
    """Its strength, less where changes agree worse, for then the right pictures are shown at wrong moments."""
    agreeing = 0.5 if one.motion is None else max(0.0, one.motion.value)
    told = 1.0 if one.verdict == "same footage" else OTHER_TAKE_WORTH
    return one.strength * plainness(1.0, one.transform) * (0.5 + 0.5 * agreeing) * told


def _overlap(one: Found, other: Found) -> bool:
    """Whether more than half of the shorter stretch of the query is shared."""
    start = max(one.query_offset_s, other.query_offset_s)
    end = min(one.query_offset_s + one.length_s, other.query_offset_s + other.length_s)
    return end - start >= 0.5 * min(one.length_s, other.length_s)


def _is_near(one: Found, other: Found) -> bool:
    starts: list[Any] = [found.offset_s - found.query_offset_s for found in (one, other)]
    return bool(abs(starts[0] - starts[1]) < SAME_OFFSET_S)
