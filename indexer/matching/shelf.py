"""Picture marks of many originals, arranged for looking up: segments that never change, in memory or in files.

A segment's 64-bit keys are kept four times, sorted by each of their 16-bit parts, so that those that share a part with
an asked key lie side by side: those of whole pictures first, then those of their middles, for few ask for both. All
keys within 7 bits of the asked one share a part with it but for one bit at most; those that share a part whole are
found seventeen times faster.
Files are arrays as they lie in memory, mapped and never read whole.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from indexer.matching.kept import Made, Method
from pipeline.marks.pictures import FRAMED_MIDDLE, VERSION, Marks, Words, distance, unpacked
from pipeline.marks.sorting import sorted_once

KEY_BITS_MAX: Final = 11
FRAME_BITS_MAX: Final = 88
# Keys that are compared at once: some hundred bytes each.
PAIRS_A_BATCH: Final = 1 << 20
PARTS: Final = 4
# Among more rows than these only marks with a whole part of the key are looked at, a seventeenth of the work: of the
# frames that show the same, seven in ten are still found, and a clip has many.
NEAR_PARTS_ROWS_MAX: Final = 4_000_000
# A segment of so many rows is full: joining takes some forty bytes of memory a row.
ROWS_MAX: Final = 16_000_000

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Hits:
    """Pairs that may show the same. frame: of the asked; entry: number of the original; at_s: where in it."""

    frame: Ints
    entry: Ints
    framed: NDArray[np.uint8]
    at_s: Floats
    differing: Ints

    def __len__(self) -> int:
        return len(self.frame)

    @classmethod
    def joined(cls, parts: Sequence[Hits]) -> Hits:
        """All of them, one part after the other."""
        columns = {
            name: np.concatenate([np.empty(0, dtype), *(getattr(one, name) for one in parts)])
            for name, dtype in _HITS.items()
        }
        return cls(**columns)

    def where(self, chosen: NDArray[np.bool_]) -> Hits:
        return Hits(*(getattr(self, name)[chosen] for name in self.__dataclass_fields__))


_HITS: Final[dict[str, Any]] = {
    "frame": np.int64, "entry": np.int64, "framed": np.uint8, "at_s": np.float64, "differing": np.int64,
}  # fmt: skip


@dataclass(frozen=True)
class Segment:
    """Marks of some originals, row by row. entry: number in originals.

    order: rows by each part of their keys, middles after the others; first: where each value of a part begins in it,
    of the others and then of middles; beside: the keys in that order.
    counts: originals whose rows count, for others stand in a later segment.
    """

    originals: Sequence[str]
    counts: NDArray[np.bool_]
    is_photo: NDArray[np.bool_]
    entry: NDArray[np.uint32]
    framed: NDArray[np.uint8]
    at_s: NDArray[np.float32]
    bits: Words
    key: Words
    order: NDArray[np.uint32]
    first: NDArray[np.uint32]
    beside: Words

    def __len__(self) -> int:
        return len(self.key)


def arrays_of(kept: Sequence[Marks]) -> dict[str, NDArray[Any]]:
    """The arrays of a segment, one entry for each original's marks."""
    rows = {
        "entry": np.repeat(np.arange(len(kept), dtype=np.uint32), [len(one) for one in kept]),
        "framed": _joined([one.framed for one in kept], np.uint8),
        "at_s": _joined([((one.at + one.run / 2 - 0.5) * one.step_s) for one in kept], np.float32),
        "bits": _joined([one.bits for one in kept], np.uint64).reshape(-1, 4),
        "key": _joined([one.key for one in kept], np.uint64),
    }
    order, first, beside = by_parts(rows["key"], rows["framed"])
    is_photo = np.array([one.step_s == 0 for one in kept], np.bool_)
    return {**rows, "order": order, "first": first, "beside": beside, "is_photo": is_photo}


def join(given: Sequence[tuple[dict[str, NDArray[Any]], Ints]], made: Made) -> None:
    """Makes the arrays of several segments as those of one, file by file, a segment or a part of keys at a time.

    given: with each the new number of its entries, -1 for gone.
    """
    kept = [np.flatnonzero(numbers[arrays["entry"]] >= 0) for arrays, numbers in given]
    total = sum(map(len, kept))
    rows: dict[str, NDArray[Any]] = {}
    for name in ("entry", "framed", "at_s", "bits", "key"):
        like = given[0][0][name]
        rows[name] = made.array(name, like.dtype, (total, *like.shape[1:]))
        done = 0
        for (arrays, numbers), chosen in zip(given, kept, strict=True):
            column = arrays[name][chosen]
            rows[name][done : done + len(chosen)] = numbers[column] if name == "entry" else column
            done += len(chosen)
    made.put({"is_photo": np.concatenate([arrays["is_photo"][numbers >= 0] for arrays, numbers in given])})
    shape = (PARTS, total)
    _sort_by_parts(
        rows["key"], rows["framed"], made.array("order", np.uint32, shape),
        made.array("first", np.uint32, _FIRST_SHAPE), made.array("beside", np.uint64, shape),
    )  # fmt: skip


def segment_of(originals: Sequence[str], arrays: dict[str, NDArray[Any]], counts: NDArray[np.bool_]) -> Segment:
    """A segment of such arrays. counts: originals that were not superseded by another segment."""
    return Segment(originals=originals, counts=counts, **arrays)


def _joined(columns: list[NDArray[Any]], dtype: type[np.generic]) -> NDArray[Any]:
    return np.concatenate(columns).astype(dtype) if columns else np.empty(0, dtype)


_FIRST_SHAPE: Final = (2, PARTS, 65537)


def by_parts(key: Words, framed: NDArray[np.uint8]) -> tuple[NDArray[np.uint32], NDArray[np.uint32], Words]:
    """`order`, `first` and `beside` of a segment: shapes (4, n), (2, 4, 65537), (4, n)."""
    order = np.empty((PARTS, len(key)), np.uint32)
    first = np.zeros(_FIRST_SHAPE, np.uint32)
    beside = np.empty((PARTS, len(key)), np.uint64)
    _sort_by_parts(key, framed, order, first, beside)
    return order, first, beside


def _sort_by_parts(
    key: Words, framed: NDArray[np.uint8], order: NDArray[np.uint32], first: NDArray[np.uint32], beside: Words
) -> None:
    parts = np.ascontiguousarray(key).view(np.uint16).reshape(-1, PARTS)
    begin = 0
    for middles in (False, True):
        rows = np.flatnonzero((framed == FRAMED_MIDDLE) == middles).astype(np.uint32)
        place = slice(begin, begin + len(rows))
        for number in range(PARTS):
            part = parts[rows, number]
            order[number, place] = rows[np.argsort(part, kind="stable")]  # of 16 bits: a radix sort
            first[int(middles), number, 0] = begin
            first[int(middles), number, 1:] = begin + np.cumsum(np.bincount(part, minlength=65536))
            beside[number, place] = key[order[number, place]]
        begin += len(rows)


def built(items: Sequence[tuple[str, bytes]]) -> dict[str, NDArray[Any]]:
    """The arrays of a segment of these fingerprints. items: (original, data)."""
    return arrays_of([unpacked(data) for _, data in items])


# What an index of pictures is made of: the marks of videos and of photos.
METHOD: Final = Method("pictures", ("video", "photo"), VERSION, built, join, counted="entry", full=ROWS_MAX)


class Library:
    """The marks of all originals. marks_of: all marks of one original, as recorded."""

    def __init__(self, segments: Sequence[Segment], marks_of: Callable[[str], Marks]) -> None:
        self.segments = [segment for segment in segments if len(segment)]
        self._marks_of = marks_of
        self.originals = [original for segment in self.segments for original in segment.originals]
        self.is_photo = np.concatenate([np.empty(0, np.bool_), *(one.is_photo for one in self.segments)])
        self._timelines: dict[tuple[int, int], Ints] = {}
        self._kept: dict[int, Marks] = {}

    def __len__(self) -> int:
        return sum(len(segment) for segment in self.segments)

    @classmethod
    def of(cls, items: Iterable[tuple[str, Marks]]) -> Library:
        """All in memory. items: (original, marks)."""
        kept = dict(items)
        whole = segment_of(list(kept), arrays_of(list(kept.values())), np.ones(len(kept), np.bool_))
        return cls([whole], kept.__getitem__)

    def near(self, key: Words, bits: Words, against: tuple[int, ...], *, radius: int) -> Hits:
        """All kept marks, framed in one of these ways, that may show what one of the asked does.

        radius: 0 finds those of which a part of the key is the same, 1 also those with one other bit in it, as long as
        the archive is not too large for that.
        """
        radius = radius if len(self) <= NEAR_PARTS_ROWS_MAX else 0
        found: list[Hits] = []
        entries = 0
        for segment in self.segments:
            found.append(_near(segment, entries, key, bits, against, radius))
            entries += len(segment.originals)
        return found[0] if len(found) == 1 else Hits.joined(found)

    def marks(self, entry: int) -> Marks:
        """All marks of one original."""
        if entry not in self._kept:
            self._kept[entry] = self._marks_of(self.originals[entry])
        return self._kept[entry]

    def timeline(self, entry: int, framed: int) -> Ints:
        """Which of the original's marks is shown at each sample, -1 where none was kept."""
        if (entry, framed) not in self._timelines:
            marks = self.marks(entry)
            rows = rows_at(marks, framed, len(marks.small))
            self._timelines[entry, framed] = rows
        return self._timelines[entry, framed]


def rows_at(marks: Marks, framed: int, samples: int) -> Ints:
    """Which of the marks, framed in this way, is shown at each sample, -1 where none was kept."""
    rows = np.full(samples, -1, np.int64)
    for number in np.flatnonzero(marks.framed == framed):
        rows[marks.at[number] : marks.at[number] + marks.run[number]] = number
    return rows


def _near(segment: Segment, entries: int, key: Words, bits: Words, against: tuple[int, ...], radius: int) -> Hits:
    asked, row = near_keys(segment, key, against, radius)
    wanted = np.zeros(256, np.bool_)
    wanted[list(against)] = True
    fits = wanted[segment.framed[row]] & segment.counts[segment.entry[row]]
    asked, row = asked[fits], row[fits]
    differing = distance(bits[asked], segment.bits[row]).astype(np.int64)
    close = differing <= FRAME_BITS_MAX
    asked, row, differing = asked[close], row[close], differing[close]
    return Hits(
        asked, segment.entry[row].astype(np.int64) + entries, segment.framed[row], segment.at_s[row].astype(np.float64),
        differing,
    )  # fmt: skip


def near_keys(segment: Segment, asked: Words, against: tuple[int, ...], radius: int) -> tuple[Ints, Ints]:
    """(number of the asked key, row) of kept keys within KEY_BITS_MAX that share a part, each pair once.

    against: as in `Library.near`; rows framed in other ways may be among them.
    """
    flips = np.concatenate([[0], 1 << np.arange(16)])[: 17 if radius else 1].astype(np.int64)
    found = [np.empty(0, np.int64)]
    parts = np.ascontiguousarray(asked).view(np.uint16).reshape(-1, PARTS).astype(np.int64)
    for middles, number in itertools.product(sorted({one == FRAMED_MIDDLE for one in against}), range(PARTS)):
        begins = segment.first[int(middles), number]
        probes = (parts[:, number, None] ^ flips).ravel()
        first = begins[probes].astype(np.int64)
        count = begins[probes + 1] - first
        for some in _batches(count):
            at = _ranges(first[some], count[some])
            differing = segment.beside[number][at]
            differing ^= np.repeat(asked[np.arange(some.start, some.stop) // len(flips)], count[some])
            near = np.flatnonzero(np.bitwise_count(differing) <= KEY_BITS_MAX)
            probe = some.start + np.searchsorted(np.cumsum(count[some]), near, side="right")
            found.append((probe // len(flips) << 32) | segment.order[number][at[near]])
    pairs = sorted_once(np.concatenate(found))
    return pairs >> 32, pairs & 0xFFFFFFFF


def _batches(count: Ints) -> Iterator[slice]:
    """Stretches of probes with about so many pairs together."""
    sums = np.cumsum(count)
    start = 0
    while start < len(count):
        done = int(sums[start - 1]) if start else 0
        stop = max(start + 1, int(np.searchsorted(sums, done + PAIRS_A_BATCH, side="right")))
        yield slice(start, stop)
        start = stop


def _ranges(first: Ints, count: Ints) -> Ints:
    """first[0], first[0]+1, ... count[0] of them, then the same of the next."""
    ends = np.cumsum(count)
    places = np.repeat(first - (ends - count), count)
    places += np.arange(len(places))
    return places
