"""Where in the archive does this sound come from? Pure functions of sound marks.

1. Marks that agree vote for an original and an offset, one vote a moment of the query. Rare marks are looked up first,
   and no more than POSTINGS_MAX kept ones, so that a question costs about the same in an archive of any size.
2. For the likeliest places the original's kept peaks are laid over the query's whole spectrum: is it loud there, more
   than at the same peaks a little earlier or later? That decides. It hears through a telephone, for a peak counts
   also where noise made it too weak to be a mark of its own.
3. Where nothing is found, the query is asked again as if it had been played faster or slower, with its pitch kept or
   moved along.
Silence, tones and hum have no changes of level by which anything could agree. What is found is the same sound, not
more: music that was playing during two recordings is found in both.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from indexer.matching.kept import Made, Method
from pipeline.marks.sorting import sorted_once
from pipeline.marks.sounds import (
    BINS,
    FAN_ASKED,
    HOP,
    PAIR_TICKS_MAX,
    QUOTA_ASKED,
    RATE_HZ,
    TICK_S,
    VERSION,
    Keys,
    Marks,
    Samples,
    marks_of,
    spectrum_of,
    unpacked,
)

# Kept marks that one hypothesis may look at: less than a tenth of a second of work.
POSTINGS_MAX: Final = 600_000
# Votes for one place that make it worth a look, and how many places are looked at.
VOTES_MIN: Final = 4
PLACES_MAX: Final = 40
BIN_TICKS: Final = 2
# Of the same sound kept twice, and windows of ten minutes in which an original's own marks are asked.
RELATED_VOTES_MIN: Final = 12
WINDOW_TICKS: Final = 25_840
# Votes further apart belong to another stretch.
GAP_S: Final = 5.0
# How far the level at the original's peaks must lie above that at other moments, in standard deviations: of so many
# peaks, and of those moments, for music and speech are like themselves a little later. The best of 804 wrong places
# (speech, music, other words by the same voice) came to 5.9, right ones to 11 in the middle.
Z_MIN: Final = 7.0
SELF_LIKENESS: Final = 0.5
# Moments beside the right one with which it is compared, in ticks.
OTHER_TICKS: Final = np.array([shift for shift in range(-160, 161) if abs(shift) > 12])
FINE_TICKS: Final = np.arange(-2, 3)
# Levels change by so much at least, in natural logarithms; what changes less is steady.
LEVEL_MIN: Final = 64.0
CHANGE_MIN: Final = 0.3
# What a peak must bring above the other moments, in standard deviations of levels, for the stretch to go on.
GOES_ON: Final = 0.3
LENGTH_MIN_S: Final = 1.5
PEAKS_MIN: Final = 12
# The same bars come again in music: as strong, at other offsets.
REPEAT_SHARE, REPEATS_MAX = 0.9, 3
SAME_OFFSET_S: Final = 1.0
# A steady tone agrees with itself everywhere, at one pitch only.
PITCHES_MIN: Final = 6
TEMPOS: Final = (1.25, 0.8, 1.06, 0.94)
PITCHES: Final = (1.03, 0.97, 1.06, 0.943, 1.25, 0.8)

_BIAS: Final = 1 << 20  # places before the original's beginning
Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Found:
    """A stretch of the query and where it lies in one original; as in `alignment.Found`."""

    original: str
    offset_s: float
    query_offset_s: float
    length_s: float
    strength: float
    transform: str
    speed: float = 1.0


# -- what is kept


@dataclass(frozen=True)
class Segment:
    """Marks of some sounds; in memory or mapped. counts: as in `shelf.Segment`.

    key: those that occur, sorted; first: where the places of each begin, and the end; place: number of the original,
    shifted by 32 bits, and tick. begins: where the peaks of each original begin, and the end; peak: tick, shifted by
    8 bits, and bin, in order of time.
    """

    originals: Sequence[str]
    counts: NDArray[np.bool_]
    key: Keys
    first: Ints
    place: NDArray[np.uint64]
    begins: Ints
    peak: NDArray[np.uint32]

    def peaks(self, number: int, first: int, last: int) -> tuple[Ints, Ints]:
        """Ticks and bins of the peaks of an original between two ticks."""
        own = self.peak[self.begins[number] : self.begins[number + 1]]
        start, stop = np.searchsorted(own, [max(0, first) << 8, max(0, last + 1) << 8])
        part = own[start:stop].astype(np.int64)
        return part >> 8, part & 255


def arrays_of(kept: Sequence[Marks]) -> dict[str, NDArray[Any]]:
    """The arrays of a segment, one entry for each original's marks."""
    keys = np.concatenate([*(one.key for one in kept), np.empty(0, np.uint32)])
    ticks = np.concatenate([*(one.tick for one in kept), np.empty(0, np.int32)])
    entries = np.repeat(np.arange(len(kept), dtype=np.uint64), [len(one) for one in kept])
    order = np.argsort(keys)
    key, first = np.unique(keys[order], return_index=True)
    places = (entries << np.uint64(32)) | ticks.astype(np.uint64)
    peaks = [one.peaks() for one in kept]
    return {
        "key": key.astype(np.uint32),
        "first": np.append(first, len(keys)).astype(np.int64),
        "place": places[order],
        "begins": np.cumsum([0, *(len(one) for one in peaks)]),
        "peak": np.concatenate([np.empty(0, np.uint32), *peaks]),
    }


# A segment of so many rows is full. Joining takes the memory of JOINED_ROWS, of any number of rows.
ROWS_MAX: Final = 150_000_000
JOINED_ROWS: Final = 1 << 20


def join(given: Sequence[tuple[dict[str, NDArray[Any]], Ints]], made: Made) -> None:
    """Makes one segment of several, some keys at a time. given: with each the new number of its entries, -1: gone."""
    keys = sorted_once(np.concatenate([arrays["key"] for arrays, _ in given]))
    counts = np.zeros(len(keys), np.int64)
    for arrays, _ in given:
        counts[np.searchsorted(keys, arrays["key"])] += np.diff(arrays["first"])
    place = made.array("place", np.uint64, (sum(_staying(arrays, numbers) for arrays, numbers in given),))
    kept = np.zeros(len(keys), np.int64)
    written = 0
    for part in _parts(counts):
        columns = [_between(arrays, numbers, keys[part.start], keys[part.stop - 1]) for arrays, numbers in given]
        key = np.concatenate([one for one, _ in columns])
        order = np.argsort(key)
        place[written : written + len(key)] = np.concatenate([one for _, one in columns])[order]
        written += len(key)
        kept[part] = np.bincount(np.searchsorted(keys[part], key), minlength=part.stop - part.start)
    _join_peaks(given, made)
    made.put({"key": keys[kept > 0], "first": np.concatenate([[0], np.cumsum(kept[kept > 0])])})


def _join_peaks(given: Sequence[tuple[dict[str, NDArray[Any]], Ints]], made: Made) -> None:
    counts = [np.diff(arrays["begins"])[numbers >= 0] for arrays, numbers in given]
    begins = np.concatenate([[0], np.cumsum(np.concatenate(counts))])
    peak = made.array("peak", np.uint32, (int(begins[-1]),))
    written = 0
    for arrays, numbers in given:
        for number in np.flatnonzero(numbers >= 0).tolist():
            own = arrays["peak"][arrays["begins"][number] : arrays["begins"][number + 1]]
            peak[written : written + len(own)] = own
            written += len(own)
    made.put({"begins": begins})


def _staying(arrays: dict[str, NDArray[Any]], numbers: Ints) -> int:
    """How many rows belong to entries that are not gone."""
    place = arrays["place"]
    if (numbers >= 0).all():
        return len(place)
    parts = (place[start : start + JOINED_ROWS] for start in range(0, len(place), JOINED_ROWS))
    return sum(int((numbers[_entry(part)] >= 0).sum()) for part in parts)


def _entry(place: NDArray[np.uint64]) -> Ints:
    return (place >> np.uint64(32)).astype(np.int64)


def _parts(counts: Ints) -> Iterator[slice]:
    """Stretches of keys that have about JOINED_ROWS rows together."""
    ends = np.cumsum(counts)
    start = 0
    while start < len(counts):
        before = int(ends[start - 1]) if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, before + JOINED_ROWS, "right")))
        yield slice(start, stop)
        start = stop


def _between(arrays: dict[str, NDArray[Any]], numbers: Ints, low: int, high: int) -> tuple[Keys, NDArray[np.uint64]]:
    """Keys and places, renumbered and without those that are gone, of the keys from low to high."""
    start, stop = np.searchsorted(arrays["key"], low, "left"), np.searchsorted(arrays["key"], high, "right")
    first = arrays["first"][start : stop + 1]
    place = arrays["place"][first[0] : first[-1]]
    key = np.repeat(arrays["key"][start:stop], np.diff(first))
    entry = numbers[_entry(place)]
    stays = entry >= 0
    renumbered = (entry[stays].astype(np.uint64) << np.uint64(32)) | (place[stays] & np.uint64(0xFFFFFFFF))
    return key[stays], renumbered


def built(items: Sequence[tuple[str, bytes]]) -> dict[str, NDArray[Any]]:
    """The arrays of a segment of these fingerprints. items: (original, data)."""
    return arrays_of([unpacked(data) for _, data in items])


class Library:
    """The marks of all sounds."""

    def __init__(self, segments: Sequence[Segment]) -> None:
        self.segments = [segment for segment in segments if len(segment.key)]

    @classmethod
    def of(cls, items: Iterable[tuple[str, Marks]]) -> Library:
        """All in memory. items: (original, marks)."""
        kept = dict(items)
        return cls([Segment(list(kept), np.ones(len(kept), np.bool_), **arrays_of(list(kept.values())))])


# -- what is asked


@dataclass(frozen=True)
class _Asked:
    """The query as one hypothesis hears it, in the original's ticks. speed: of the query beside the original."""

    transform: str
    speed: float
    samples: Samples
    hop: float

    def marks(self) -> Marks:
        return marks_of(self.samples, quota=QUOTA_ASKED, fan=FAN_ASKED, hop=self.hop)

    def loudness(self) -> Floats:
        """How loud it is at each tick and bin (and the nearest about them), beside the bin's own mean and changes."""
        levels = np.log(spectrum_of(self.samples, self.hop) + np.float32(LEVEL_MIN))
        levels = levels - levels.mean(1, keepdims=True)
        padded = np.pad(levels, 1, mode="edge")
        wide = np.maximum.reduce([padded[:, step : step + BINS] for step in range(3)])
        levels = np.maximum.reduce([wide[step : step + len(levels)] for step in range(3)])
        spread = np.maximum(levels.std(0), CHANGE_MIN)
        return np.asarray(np.clip((levels - levels.mean(0)) / spread, -3, 3), np.float32)


def find_sound(samples: Samples, library: Library) -> list[Found]:
    """Where this sound at RATE_HZ is found, the strongest first."""
    if not len(samples):
        return []
    for asked in _hypotheses(samples):
        if found := _heard(asked, library):
            return sorted(found, key=lambda one: (-one.strength, one.original))
    return []


def find_marks(marks: Marks, library: Library, own: str) -> list[Found]:
    """Where an original's own kept marks are found in others, at its own speed. own: that original itself.

    Asked in windows of WINDOW_TICKS; what goes on from one to the next at the same offset is one stretch.
    """
    found: list[Found] = []
    for start in range(0, int(marks.tick.max(initial=-1)) + 1, WINDOW_TICKS):
        part = slice(*np.searchsorted(marks.tick, [start, start + WINDOW_TICKS]))
        window = Marks(marks.key[part], marks.tick[part] - start)
        loudness = _loudness_of(window)
        places = [one for one in _places(window, library, RELATED_VOTES_MIN) if one.original != own]
        verified = [_verified(one, loudness, 1.0, "none") for one in places]
        for one in _without_rivals([one for one in verified if one is not None]):
            _lengthen(found, replace(one, query_offset_s=round(one.query_offset_s + start * TICK_S, 3)))
    return sorted(found, key=lambda one: (-one.strength, one.original))


def _loudness_of(marks: Marks) -> Floats:
    """As if it were loud at the peaks, and the nearest ticks and bins, and silent elsewhere."""
    peak = marks.peaks().astype(np.int64)
    loudness = np.zeros((int(marks.tick.max(initial=0)) + PAIR_TICKS_MAX + 2, BINS), np.float32)
    for tick in (-1, 0, 1):
        for bin_ in (-1, 0, 1):
            loudness[(peak >> 8) + tick, np.clip((peak & 255) + bin_, 0, BINS - 1)] = 3.0
    return loudness


def _lengthen(found: list[Found], one: Found) -> None:
    """One more stretch, joined to the one before it where it goes on at the same offset."""
    for number, before in enumerate(found):
        gap_s = one.query_offset_s - before.query_offset_s - before.length_s
        if before.original == one.original and _is_near(before, one) and gap_s < GAP_S:
            length_s = round(one.query_offset_s + one.length_s - before.query_offset_s, 3)
            found[number] = replace(before, length_s=length_s, strength=max(before.strength, one.strength))
            return
    found.append(one)


def _hypotheses(samples: Samples) -> Iterator[_Asked]:
    yield _Asked("none", 1.0, samples, HOP)
    for speed in TEMPOS:
        yield _Asked(f"tempo {speed:g}", speed, samples, HOP / speed)
    for speed in PITCHES:
        places = np.arange(int(len(samples) * speed)) / speed
        slowed = np.interp(places, np.arange(len(samples)), samples.astype(np.float32)).astype(np.int16)
        yield _Asked(f"speed {speed:g}", speed, slowed, HOP)


def _heard(asked: _Asked, library: Library) -> list[Found]:
    found: list[Found] = []
    loudness: Floats | None = None
    for place in _places(asked.marks(), library):
        loudness = asked.loudness() if loudness is None else loudness
        one = _verified(place, loudness, asked.speed, asked.transform)
        if one is not None:
            found.append(one)
    return _without_rivals(found)


def _without_rivals(found: Sequence[Found]) -> list[Found]:
    """The strongest for each original and stretch of the query; also others nearly as strong, for music repeats."""
    kept: list[Found] = []
    for one in sorted(found, key=lambda one: -one.strength):
        over = [other for other in kept if one.original == other.original and _overlap(one, other)]
        is_repeat = all(not _is_near(one, other) and one.strength > REPEAT_SHARE * other.strength for other in over)
        if not over or (is_repeat and len(over) < REPEATS_MAX):
            kept.append(one)
    return kept


def _is_near(one: Found, other: Found) -> bool:
    begins = [found.offset_s - found.query_offset_s * found.speed for found in (one, other)]
    return abs(begins[0] - begins[1]) < SAME_OFFSET_S


def _overlap(one: Found, other: Found) -> bool:
    start = max(one.query_offset_s, other.query_offset_s)
    return min(one.query_offset_s + one.length_s, other.query_offset_s + other.length_s) > start


# -- votes


@dataclass(frozen=True)
class _Place:
    """What votes for one offset in one original of a segment. ticks: of the query, those that voted."""

    segment: Segment
    number: int
    offset: int
    ticks: Ints

    @property
    def original(self) -> str:
        return self.segment.originals[self.number]


def _places(marks: Marks, library: Library, votes_min: int = VOTES_MIN) -> list[_Place]:
    """The likeliest offsets, the one with most votes first."""
    votes = _votes(marks, library.segments)
    if not len(votes):
        return []
    where = votes >> 16
    starts = np.flatnonzero(np.concatenate([[True], where[1:] != where[:-1]]))
    places, counts = where[starts], np.diff(np.append(starts, len(votes)))
    after = np.append(places[1:] == places[:-1] + 1, False)
    both = counts + np.where(after, np.append(counts[1:], 0), 0)
    likeliest = np.argsort(-both, kind="stable")[: 2 * PLACES_MAX]
    first_entries = [0, *accumulate(len(one.originals) for one in library.segments)]
    found: list[_Place] = []
    taken: set[int] = set()
    for number in likeliest[both[likeliest] >= votes_min].tolist():
        place = int(places[number])
        if len(found) >= PLACES_MAX or taken & {place - 1, place, place + 1}:
            continue
        taken.add(place)
        end = starts[number] + both[number]
        ticks = _longest_run(np.unique(votes[starts[number] : end] & 0xFFFF))
        if len(ticks) >= votes_min:
            entry, offset = place >> 24, ((place & 0xFFFFFF) + 1 - _BIAS) * BIN_TICKS
            segment = bisect_right(first_entries, entry) - 1
            found.append(_Place(library.segments[segment], entry - first_entries[segment], offset, ticks))
    return found


def _votes(marks: Marks, segments: Sequence[Segment]) -> Ints:
    """Number of the original over all segments, offset in bins and tick of the query; sorted, each once."""
    if not len(marks) or not segments:
        return np.empty(0, np.int64)
    # In order of keys, in which they lie in the files.
    order = np.argsort(marks.key)
    marks = Marks(marks.key[order], marks.tick[order])
    looked = [_looked_up(one, marks.key) for one in segments]
    total = np.sum([count for _, count in looked], axis=0)
    rare = np.argsort(total, kind="stable")
    chosen = np.zeros(len(marks), np.bool_)
    chosen[rare[: np.searchsorted(np.cumsum(total[rare]), POSTINGS_MAX, "right")]] = True
    found: list[Ints] = [np.empty(0, np.int64)]
    entries = 0
    for segment, (first, every) in zip(segments, looked, strict=True):
        count = np.where(chosen, every, 0)
        ends = np.cumsum(count)
        place = segment.place[np.arange(int(ends[-1])) + np.repeat(first - (ends - count), count)]
        entry = _entry(place)
        tick = np.repeat(marks.tick, count).astype(np.int64)
        bin_ = ((place & np.uint64(0xFFFFFFFF)).astype(np.int64) - tick) // BIN_TICKS + _BIAS
        vote = ((entry + entries) << 40) | (bin_ << 16) | tick
        found.append(vote if segment.counts.all() else vote[segment.counts[entry]])
        entries += len(segment.originals)
    return sorted_once(np.concatenate(found))


def _looked_up(segment: Segment, keys: Keys) -> tuple[Ints, Ints]:
    """(first place, count of places) of each key."""
    at = np.minimum(np.searchsorted(segment.key, keys), len(segment.key) - 1)
    first = segment.first[at]
    return first, np.where(segment.key[at] == keys, segment.first[at + 1] - first, 0)


def _longest_run(ticks: Ints) -> Ints:
    """The part without a gap over GAP_S that has the most ticks."""
    cuts = np.flatnonzero(np.diff(ticks) * TICK_S > GAP_S) + 1
    return max(np.split(ticks, cuts), key=len)


# -- what decides


def _verified(place: _Place, loudness: Floats, speed: float, transform: str) -> Found | None:
    """The stretch about the votes in which the query is loud where the original has its peaks; None where it is not."""
    tick, bin_ = place.segment.peaks(place.number, place.offset, place.offset + len(loudness))
    tick = tick - place.offset
    inside = (tick >= 0) & (tick < len(loudness))
    tick, bin_ = tick[inside], bin_[inside]
    if len(tick) < PEAKS_MIN:
        return None
    heard = _at(loudness, tick + FINE_TICKS[:, None], bin_)
    shift = int(heard.mean(1).argmax())
    others = _at(loudness, tick + OTHER_TICKS[:, None], bin_)
    first, last = _best_run(heard[shift] - others.mean() - GOES_ON)
    part = slice(first, last + 1)
    elsewhere = others[:, part].mean(1)
    spread = math.sqrt((SELF_LIKENESS * float(elsewhere.std())) ** 2 + 1 / (last + 1 - first))
    z = float(heard[shift, part].mean() - elsewhere.mean()) / spread
    begins, ends = float(tick[first]) * TICK_S, float(tick[last]) * TICK_S
    pitches = len(np.unique(bin_[part][heard[shift, part] > GOES_ON]))
    if z < Z_MIN or last + 1 - first < PEAKS_MIN or ends - begins < LENGTH_MIN_S or pitches < PITCHES_MIN:
        return None
    at_s = (place.offset - int(FINE_TICKS[shift])) * TICK_S + begins
    return Found(
        place.original, max(0.0, round(at_s, 3)), round(begins / speed, 3),
        round((ends - begins) / speed, 3), round(z / Z_MIN, 2), transform, speed,
    )  # fmt: skip


def _at(loudness: Floats, tick: Ints, bin_: Ints) -> Floats:
    """Loudness at these ticks and bins; what lies before the beginning is taken from the end."""
    return loudness[tick % len(loudness), bin_]


def _best_run(gains: Floats) -> tuple[int, int]:
    """The first and last place of the run with the highest sum."""
    sums = np.concatenate([[0.0], np.cumsum(gains)])
    lowest = np.minimum.accumulate(sums[:-1])
    last = int((sums[1:] - lowest).argmax())
    return int(sums[: last + 1].argmin()), last


# What an index of sounds is made of.
METHOD: Final = Method("sounds", ("sound",), VERSION, built, join, counted="place", full=ROWS_MAX)

__all__ = ["RATE_HZ", "Found", "Library", "find_sound"]
