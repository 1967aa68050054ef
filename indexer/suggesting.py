"""Suggestions while somebody types: values that the index holds, with how many originals carry each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from indexer import access, analysis
from indexer.access import Reviewer
from indexer.masking import masked
from indexer.tree import All, Exact, Node, Not, Words
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
    return [found for name in fields for found in _of_field(name, typed.strip()[:_LONGEST], seen, follower)[:limit]]


def _of_field(name: str, typed: str, seen: Node, follower: Follower) -> list[Suggestion]:
    from indexer.contract import Asked

    sought = analysis.phrase(typed, prefix=True)
    if typed and not sought.tokens:
        return []
    node: list[Node] = [seen, Not(Exact("flags", "attached"))]
    if typed:
        node.append(Words(sought.tokens, sought.last_is_prefix, name, typed))
    counts = follower.search(Asked(node=All(tuple(node)), limit=0, facets=(name,))).facets[name]
    found = [
        # Of an original that carries the typed text in one value, all values were counted.
        Suggestion(field=name, value=masked(value), originals=count, marks=marks)
        for value, count in counts.items()
        if (marks := tuple(analysis.spans_of(value, [sought]))) or not typed
    ]
    return sorted(found, key=_order)


def _order(one: Suggestion) -> tuple[object, ...]:
    begins_so = not one.marks or one.marks[0][0] == 0
    return not begins_so, -one.originals, one.value
