"""Which originals show or sound the same as this one: copies, parts, those that share a part. None is ever merged.

Compared by the kept marks alone. Where pictures do not say that two recordings show the same, but both sound the same,
the relation is `same sound`: it may be the same occasion filmed twice, a picture laid over the sound, or music that was
playing. Not covered: copies that are mirrored, turned, cut, or played at another speed, which `match` finds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from indexer.match import InFiles
from indexer.matching import shelf, sounds
from indexer.matching.alignment import Found
from indexer.matching.kept import MarkedCatalog
from indexer.matching.pictures import find_marks
from pipeline.marks import pictures as picture_marks
from pipeline.marks import sounds as sound_marks
from pipeline.records import Known, Relation, Relative

# Shares of the shorter recording.
WHOLE_MIN: Final = 0.9
COPY_MIN: Final = 0.6
SHARED_MIN_S: Final = 3.0
# A chime or a jingle alone relates nothing.
HEARD_MIN_S: Final = 6.0
NAMED: Final = 20


def relatives_of(known: Known, catalog: MarkedCatalog, marked: InFiles) -> Sequence[Relative]:
    """The surest first, at most NAMED; each with the links that its original has. Pictures say more than sound."""
    (whole,) = catalog.known_of_many([known.original.id], with_data=True)
    found: dict[str, tuple[Found | sounds.Found, Relation]] = {}
    for one, relation in _seen(whole, marked):
        found[one.original] = (one, relation)
    for heard, relation in _heard(whole, catalog, marked):
        found.setdefault(heard.original, (heard, relation))
    chosen = list(found)[:NAMED]
    others = {one.original.id: one for one in catalog.known_of_many(chosen)} if chosen else {}
    return [_relative(*found[original], others[original]) for original in chosen]


def _seen(whole: Known, marked: InFiles) -> Iterator[tuple[Found, Relation]]:
    for one in whole.fingerprints:
        if one.method not in shelf.METHOD.methods or one.version != picture_marks.VERSION:
            continue
        marks = picture_marks.unpacked(one.data)
        found: set[str] = {whole.original.id}
        for other in find_marks(marks, marked.pictures()):
            if other.original in found or other.verdict != "same footage":
                continue
            relation = _relation(other, marks, marked.marks_of(other.original))
            if relation is not None:
                found.add(other.original)
                yield other, relation


def _heard(whole: Known, catalog: MarkedCatalog, marked: InFiles) -> Iterator[tuple[sounds.Found, Relation]]:
    marks = _sound_of(whole)
    if marks is None:
        return
    best: dict[str, sounds.Found] = {}
    for found in sounds.find_marks(marks, marked.sounds(), whole.original.id):
        best.setdefault(found.original, found)
    chosen = [one for one in best.values() if one.length_s >= HEARD_MIN_S][:NAMED]
    others = catalog.known_of_many([one.original for one in chosen], with_data=True) if chosen else []
    for one, other in zip(chosen, others, strict=True):
        other_marks = _sound_of(other)
        if other_marks is None:
            continue
        lengths_s = [float(each.tick.max(initial=0)) * sound_marks.TICK_S for each in (marks, other_marks)]
        relation = _of_lengths(one.length_s, *lengths_s)
        if relation is not None:
            yield one, "same sound" if _shows(whole) or _shows(other) else relation


def _sound_of(known: Known) -> sound_marks.Marks | None:
    data = [one.data for one in known.fingerprints if (one.method, one.version) == ("sound", sound_marks.VERSION)]
    return sound_marks.unpacked(data[0]) if data else None


def _shows(known: Known) -> bool:
    return any(one.method in shelf.METHOD.methods for one in known.fingerprints)


def _relation(found: Found, own: picture_marks.Marks, other: picture_marks.Marks) -> Relation | None:
    if found.is_photo:
        return "same picture"
    lengths_s = [len(marks.small) * marks.step_s for marks in (own, other)]
    return _of_lengths(found.length_s, *lengths_s)


def _of_lengths(shared_s: float, own_s: float, other_s: float) -> Relation | None:
    if shared_s >= WHOLE_MIN * max(own_s, other_s):
        return "same recording"
    if shared_s >= COPY_MIN * min(own_s, other_s):
        return "part of the other"
    return "shares a part" if shared_s >= SHARED_MIN_S else None


def _relative(found: Found | sounds.Found, relation: Relation, other: Known) -> Relative:
    return Relative(
        original=other.original.id, name=other.original.name, relation=relation, offset_s=found.offset_s,
        own_offset_s=found.query_offset_s, length_s=found.length_s, score=found.strength, links=other.links,
    )  # fmt: skip
