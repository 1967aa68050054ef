"""Suggestions while somebody types: values that the index holds, with how many originals carry each."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from indexer import access
from indexer.access import Reviewer
from indexer.persons.masking import masked
from indexer.tree import All, Exact, Node, Not, Words
from indexer.words import analysis
from indexer.words.analysis import Phrase
from pipeline.errors import BadInput

if TYPE_CHECKING:
    from indexer.follower import Follower

SUGGESTED = ("party", "case", "device", "place", "person")
# Longer beginnings are typed by nobody.
_LONGEST = 60


@dataclass(frozen=True, kw_only=True)
class Suggestion:
    """A value to seek in a field. marks: where in it stands what was typed; originals: that carry it."""

    field: str
    value: str
    originals: int
    marks: tuple[tuple[int, int], ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The fields of a suggestion on the command line."""
        return {"field": self.field, "value": self.value, "originals": self.originals}


def suggest(
    reviewer: Reviewer, typed: str, *, follower: Follower, fields: tuple[str, ...] = SUGGESTED, limit: int = 10
) -> list[Suggestion]:
    """Values with the typed text in them, at most so many of each field: those that begin so first, then by number.

    Nothing typed gives the values carried by most. Raises NotAllowed, BadInput for a field without suggestions.
    """
    access.require(reviewer, "search")
    for name in fields:
        if name not in SUGGESTED:
            raise BadInput(
                f"Suggestions are made for {', '.join(SUGGESTED)}, not for '{name}'",
                zh=f"可提示 {'、'.join(SUGGESTED)}，没有“{name}”",
                field=name,
            )
    follower.follow()
    seen = access.visible(reviewer)
    typed = typed.strip()[:_LONGEST]
    return [found for name in fields for found in _of_field(name, typed, seen, follower, limit)]


def _of_field(name: str, typed: str, seen: Node, follower: Follower, limit: int) -> list[Suggestion]:
    from indexer.contract import Asked

    sought = analysis.phrase(typed, prefix=True)
    if typed and not sought.tokens:
        return []
    node: list[Node] = [seen, Not(Exact("flags", "attached"))]
    if typed:
        node.append(Words(sought.tokens, sought.last_is_prefix, name, typed))
    counts = follower.search(Asked(node=All(tuple(node)), limit=0, facets=(name,))).facets[name]
    # Of an original that carries the typed text in one value, all values were counted.
    marked = ((value, count, _marks_in(value, sought)) for value, count in counts.items())
    found = [one for one in marked if one[2] or not typed]
    return [
        Suggestion(field=name, value=masked(value), originals=count, marks=marks)
        for value, count, marks in heapq.nsmallest(limit, found, key=_order)
    ]


def _marks_in(value: str, sought: Phrase) -> tuple[tuple[int, int], ...]:
    return tuple(analysis.spans_of(value, [sought])) if sought.tokens else ()


def _order(one: tuple[str, int, tuple[tuple[int, int], ...]]) -> tuple[object, ...]:
    value, count, marks = one
    return bool(marks) and marks[0][0] != 0, -count, value
