"""Where a query's pictures may come from: the ways in which it is asked, and the lines its frames vote for.

A line says: this original, from this second on, at this speed, framed and turned in this way.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from indexer.matching.framing import Framing, insets, thinkable
from indexer.matching.shelf import FRAME_BITS_MAX, Floats, Hits, Ints, Library
from pipeline.marks.pictures import (
    DETAIL_MIN,
    FRAMED_MIDDLE,
    TRANSFORMS,
    Frames,
    Rect,
    Waves,
    Words,
    bits_of,
    detail_of,
    distance,
    key_of,
    mirrored,
    waves_of,
    waves_of_many,
)

BIN_S: Final = 0.5
SPEEDS: Final = (1.0, 1.25, 0.8, 1.06, 0.94, 1.12)
LINES_SCORED: Final = 40
# A change by so many bits counts as a wholly new picture.
NEW_BITS: Final = 48.0
# Hypotheses are tried on so many frames, and the best of them on all.
FRAMES_TRIED, FRAMINGS_KEPT = 10, 12
# Of the frames tried every so many-th goes first.
FIRST_OF: Final = 3
# Framings so far forward in the list are tried turned by quarters too: the whole, its middle, its borders.
TURNED_FRAMINGS: Final = 3


@dataclass(frozen=True)
class Query:
    """The frames that are asked, shown at these times; usable: those that are not drawn."""

    frames: Frames
    times: Floats
    step_s: float
    usable: NDArray[np.bool_]

    @functools.cached_property
    def insets(self) -> list[Rect]:
        """Where another picture may lie within its frames, the likeliest first."""
        return insets(self.frames)

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


def variants(query: Query, framings: Iterable[Framing]) -> Iterator[Variant]:
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


def promising(query: Query, library: Library) -> list[Framing]:
    """Of the thinkable framings those in which a few frames find most, the best first."""
    good = np.flatnonzero(query.usable)
    if not len(good):
        return []
    chosen = good[np.unique(np.linspace(0, len(good) - 1, FRAMES_TRIED).astype(np.int64))]
    found: list[tuple[float, int, Framing]] = []
    by_target: dict[tuple[int, ...], list[Framing]] = {}
    for framing in thinkable(query.frames, query.insets):
        by_target.setdefault(framing.against, []).append(framing)
    for against, framings in by_target.items():
        plain = np.concatenate(waves_of_many(query.frames[chosen], [framing.rect for framing in framings]))
        rich = detail_of(plain) >= DETAIL_MIN
        for seen in (plain, mirrored(plain)):
            votes = _likeliest(*_tried(seen, rich, len(chosen), against, library))
            found += [(total, -one, framings[one]) for one, total in votes.items()]
    best_first = sorted(found, key=lambda one: one[:2], reverse=True)
    return list(dict.fromkeys(framing for _, _, framing in best_first))[:FRAMINGS_KEPT]


def _tried(
    seen: Waves, rich: NDArray[np.bool_], frames: int, against: tuple[int, ...], library: Library
) -> tuple[Ints, Ints, Hits]:
    """(framing, frame, hit) of each hit of so many frames seen in each framing.

    Only of framings in which one of the first few frames hits something are the others looked up.
    """
    framing, frame = np.divmod(np.arange(len(seen)), frames)
    is_first = frame % FIRST_OF == 0
    found: list[tuple[Ints, Hits]] = []
    asked = np.flatnonzero(rich & is_first)
    for _ in range(2):
        hits = library.near(key_of(seen[asked]), bits_of(seen[asked]), against, radius=1)
        found.append((asked[hits.frame], hits))
        asked = np.flatnonzero(rich & ~is_first & np.isin(framing, framing[asked[hits.frame]]))
    number = np.concatenate([one for one, _ in found])
    return framing[number], frame[number], Hits.joined([hits for _, hits in found])


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


@dataclass(frozen=True)
class Line:
    """A stretch of an original that a query may show: at offset_s + speed * time, seen as the variant says."""

    votes: float
    entry: int
    framed: int
    offset_s: float
    speed: float
    variant: Variant


def distinct(lines: Sequence[Line]) -> list[Line]:
    """Without those that say nearly what one before them says: bins overlap, and neighbours share their voters."""
    kept: dict[tuple[int, int, float, str, Framing], list[float]] = {}
    found: list[Line] = []
    for line in lines:
        others = kept.setdefault((line.entry, line.framed, line.speed, line.variant.turn, line.variant.framing), [])
        if all(abs(line.offset_s - other) > BIN_S / 2 for other in others):
            others.append(line.offset_s)
            found.append(line)
    return found


def voted(variant: Variant, hits: Hits, times: Floats) -> list[Line]:
    """The best offset and speed for each original and framing; one vote a frame, weighed by likeness and novelty."""
    if not len(hits):
        return []
    frame = hits.frame
    novelty = np.minimum(1.0, changes(variant.bits) / NEW_BITS)
    weight = (FRAME_BITS_MAX + 8 - hits.differing) / (FRAME_BITS_MAX + 8) * (0.1 + 0.9 * novelty[frame])
    group = hits.entry * 4 + hits.framed
    lines: list[Line] = []
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
                lines.append(Line(float(votes[number]), where >> 2, where & 3, median_s, speed, variant))
    return lines


def changes(bits: Words) -> Floats:
    """In how many bits each picture differs from the one before; all of them for the first."""
    return np.concatenate([[256.0], distance(bits[1:], bits[:-1]).astype(np.float64)])


def plainness(speed: float, transform: str) -> float:
    """A little less than 1 for what was played faster, mirrored or cut, so that slow scenes do not look changed."""
    return (1.0 if speed == 1.0 else 0.85) * (1.0 if transform == "none" else 0.97)
