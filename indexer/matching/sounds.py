"""Where in the archive does this sound come from? Pure functions of sound marks.

Marks that agree vote for an original and an offset; one vote a moment of the query. Where nothing is found, the query
is asked again as if it had been played faster or slower, with its pitch kept or moved along.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from indexer.matching.kept import Method
from pipeline.marks.sounds import (
    FAN_ASKED,
    HOP,
    QUOTA_ASKED,
    RATE_HZ,
    TICK_S,
    VERSION,
    Keys,
    Marks,
    Samples,
    Ticks,
    marks_of,
    unpacked,
)

# The worst foreign sound had 7 votes among three hours; four more allow for an archive a thousand times as large.
VOTES_MIN: Final = 12
# Marks that are everywhere say nothing.
COMMON: Final = 2000
BIN_TICKS: Final = 2
# Votes further apart belong to another stretch.
GAP_S: Final = 5.0
SPREAD_S, SPREAD_CELLS = 0.25, 4
# A steady tone agrees with itself everywhere, at one pitch only.
PITCHES_MIN: Final = 6
TEMPOS: Final = (1.25, 0.8, 1.06, 0.94)
PITCHES: Final = (1.03, 0.97, 1.06, 0.943, 1.25, 0.8)


@dataclass(frozen=True)
class Found:
    """A stretch of the query and where it lies in one original; as in `pictures.Found`."""

    original: str
    offset_s: float
    query_offset_s: float
    length_s: float
    strength: float
    transform: str
    speed: float = 1.0


@dataclass(frozen=True)
class Segment:
    """Marks of some sounds, sorted by key; in memory or mapped. counts: as in `shelf.Segment`."""

    originals: Sequence[str]
    counts: NDArray[np.bool_]
    key: Keys
    tick: Ticks
    entry: NDArray[np.uint32]


def arrays_of(kept: Sequence[Marks]) -> dict[str, NDArray[Any]]:
    """The arrays of a segment, one entry for each original's marks."""
    return _sorted(
        np.concatenate([*(one.key for one in kept), np.empty(0, np.uint32)]).astype(np.uint32),
        np.concatenate([*(one.tick for one in kept), np.empty(0, np.int32)]).astype(np.int32),
        np.repeat(np.arange(len(kept), dtype=np.uint32), [len(one) for one in kept]),
    )


def joined_arrays(given: Sequence[tuple[dict[str, NDArray[Any]], NDArray[np.int64]]]) -> dict[str, NDArray[Any]]:
    """Arrays of several segments as those of one. given: with each the new number of its entries, -1 for gone."""
    entry = np.concatenate([numbers[arrays["entry"]] for arrays, numbers in given])
    key, tick = (np.concatenate([arrays[name] for arrays, _ in given])[entry >= 0] for name in ("key", "tick"))
    return _sorted(key, tick, entry[entry >= 0].astype(np.uint32))


def _sorted(key: Keys, tick: Ticks, entry: NDArray[np.uint32]) -> dict[str, NDArray[Any]]:
    order = np.argsort(key, kind="stable")
    return {"key": key[order], "tick": tick[order], "entry": entry[order]}


def built(items: Sequence[tuple[str, bytes]]) -> dict[str, NDArray[Any]]:
    """The arrays of a segment of these fingerprints. items: (original, data)."""
    return arrays_of([unpacked(data) for _, data in items])


# What an index of sounds is made of.
METHOD: Final = Method("sounds", ("sound",), VERSION, built, joined_arrays)


class Library:
    """The marks of all sounds."""

    def __init__(self, segments: Sequence[Segment]) -> None:
        self.segments = segments

    @classmethod
    def of(cls, items: Iterable[tuple[str, Marks]]) -> Library:
        """All in memory. items: (original, marks)."""
        kept = dict(items)
        return cls([Segment(list(kept), np.ones(len(kept), np.bool_), **arrays_of(list(kept.values())))])


def find_sound(samples: Samples, library: Library) -> list[Found]:
    """Where this sound at RATE_HZ is found, the strongest first."""
    if not len(samples):
        return []
    for transform, speed, marks in _hypotheses(samples):
        if found := _voted(marks, speed, transform, library):
            return sorted(found, key=lambda one: (-one.strength, one.original))
    return []


def _hypotheses(samples: Samples) -> Iterator[tuple[str, float, Marks]]:
    """(what was done to it, its speed beside the original, its marks in the original's ticks)."""
    yield "none", 1.0, marks_of(samples, quota=QUOTA_ASKED, fan=FAN_ASKED)
    for speed in TEMPOS:
        yield f"tempo {speed:g}", speed, marks_of(samples, quota=QUOTA_ASKED, fan=FAN_ASKED, hop=HOP / speed)
    for speed in PITCHES:
        places = np.arange(int(len(samples) * speed)) / speed
        slowed = np.interp(places, np.arange(len(samples)), samples.astype(np.float32)).astype(np.int16)
        yield f"speed {speed:g}", speed, marks_of(slowed, quota=QUOTA_ASKED, fan=FAN_ASKED)


def _voted(marks: Marks, speed: float, transform: str, library: Library) -> list[Found]:
    found: list[Found] = []
    bounds = [(np.searchsorted(one.key, marks.key, "left"), np.searchsorted(one.key, marks.key, "right"))
              for one in library.segments]  # fmt: skip
    is_common = sum((last - first for first, last in bounds), np.zeros(len(marks), np.int64)) > COMMON
    for segment, (first, last) in zip(library.segments, bounds, strict=True):
        count = np.where(is_common, 0, last - first)
        ends = np.cumsum(count)
        row = np.arange(int(ends[-1]) if len(ends) else 0) + np.repeat(first - (ends - count), count)
        asked = np.repeat(marks.tick, count).astype(np.int64)
        pitch = np.repeat(marks.key >> 14, count)
        offset = segment.tick[row].astype(np.int64) - asked
        entry = segment.entry[row]
        for number in np.flatnonzero(np.bincount(entry, minlength=1) >= VOTES_MIN).tolist():
            if segment.counts[number]:
                chosen = entry == number
                found += _of_one(segment.originals[number], asked[chosen], offset[chosen], pitch[chosen], speed,
                                 transform)  # fmt: skip
    return found


def _of_one(
    original: str,
    asked: NDArray[np.int64],
    offset: NDArray[np.int64],
    pitch: NDArray[np.uint32],
    speed: float,
    transform: str,
) -> Iterator[Found]:
    """The best stretch within one original, if it has the votes."""
    bins = offset // BIN_TICKS
    votes = np.unique(np.stack([bins, asked]), axis=1)
    places, counts = np.unique(votes[0], return_counts=True)
    after = np.searchsorted(places, places + 1)
    has_after = (after < len(places)) & (places[np.minimum(after, len(places) - 1)] == places + 1)
    both = counts + np.where(has_after, counts[np.minimum(after, len(places) - 1)], 0)
    best = int(places[both.argmax()])
    chosen = (bins == best) | (bins == best + 1)
    ticks = _longest_run(np.unique(asked[chosen]))
    # What the same number of marks at random offsets would give in one place.
    span = int(offset.max() - offset.min()) + 1
    by_chance = len(asked) * 2 * BIN_TICKS / max(span, 1) if span > 40 * BIN_TICKS else 0.0
    cells = len(np.unique((ticks * TICK_S / SPREAD_S).astype(np.int64)))
    is_steady = len(np.unique(pitch[chosen])) < PITCHES_MIN
    if len(ticks) < VOTES_MIN + 2 * by_chance or cells < SPREAD_CELLS or is_steady:
        return
    begins = float(ticks[0]) * TICK_S
    at_s = float(np.median(offset[chosen])) * TICK_S + begins
    # Marks reach on: a mark tells of the time up to its second peak and the window about it.
    length_s = (float(ticks[-1] - ticks[0]) * TICK_S + 0.5) / speed
    yield Found(original, max(0.0, round(at_s, 3)), round(begins / speed, 3), round(length_s, 3),
                round(len(ticks) / VOTES_MIN, 2), transform, speed)  # fmt: skip


def _longest_run(ticks: NDArray[np.int64]) -> NDArray[np.int64]:
    """The part without a gap over GAP_S that has the most ticks."""
    cuts = np.flatnonzero(np.diff(ticks) * TICK_S > GAP_S) + 1
    return max(np.split(ticks, cuts), key=len)


__all__ = ["RATE_HZ", "Found", "Library", "find_sound"]
