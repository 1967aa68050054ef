"""Which originals show the same as this one: copies, parts, recordings that share a part. None is ever merged.

Compared by the kept marks alone. Not covered: copies that are mirrored, turned or cut, which `match` finds; sound
without pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from indexer.match import InFiles
from indexer.matching import shelf
from indexer.matching.kept import MarkedCatalog
from indexer.matching.pictures import Found, find_marks
from pipeline.marks import pictures as picture_marks
from pipeline.records import Known, Relation, Relative

# Shares of the shorter recording.
WHOLE_MIN: Final = 0.9
COPY_MIN: Final = 0.6
SHARED_MIN_S: Final = 3.0
NAMED: Final = 20


def relatives_of(known: Known, catalog: MarkedCatalog, marked: InFiles) -> Sequence[Relative]:
    """The surest first, at most NAMED; each with the links that its original has."""
    (whole,) = catalog.known_of_many([known.original.id], with_data=True)
    found: dict[str, tuple[Found, Relation]] = {}
    for one in whole.fingerprints:
        if one.method not in shelf.METHOD.methods or one.version != picture_marks.VERSION:
            continue
        marks, library = picture_marks.unpacked(one.data), marked.pictures()
        for other in find_marks(marks, library):
            if other.original == known.original.id or other.original in found or other.verdict != "same footage":
                continue
            relation = _relation(other, marks, marked.marks_of(other.original))
            if relation is not None:
                found[other.original] = (other, relation)
    chosen = list(found)[:NAMED]
    others = {one.original.id: one for one in catalog.known_of_many(chosen)} if chosen else {}
    return [_relative(*found[original], others[original]) for original in chosen]


def _relation(found: Found, own: picture_marks.Marks, other: picture_marks.Marks) -> Relation | None:
    if found.is_photo:
        return "same picture"
    lengths_s = sorted(len(marks.small) * marks.step_s for marks in (own, other))
    if found.length_s >= WHOLE_MIN * lengths_s[1]:
        return "same recording"
    if found.length_s >= COPY_MIN * lengths_s[0]:
        return "part of the other"
    return "shares a part" if found.length_s >= SHARED_MIN_S else None


def _relative(found: Found, relation: Relation, other: Known) -> Relative:
    return Relative(
        original=other.original.id, name=other.original.name, relation=relation, offset_s=found.offset_s,
        own_offset_s=found.query_offset_s, length_s=found.length_s, score=found.strength, links=other.links,
    )  # fmt: skip
