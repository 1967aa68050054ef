"""What one person may know of in a catalog, and what is known of an original as that person may know it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Final

from indexer.access import Reviewer, sees
from indexer.persons.unnamed import Unnamed
from pipeline.case_numbers import comparable
from pipeline.edges.catalog import Catalog
from pipeline.edges.database import restrictions
from pipeline.records import CaseLink, Known

# The property that calls a logical recording after its first original.
_RECORDING: Final = "recording.id"


class Sight:
    """As the catalog stands when it is first asked, so it is asked for anew with every request."""

    def __init__(self, catalog: Catalog, reviewer: Reviewer) -> None:
        self._catalog, self._reviewer = catalog, reviewer

    def seen(self, ids: Sequence[str]) -> list[str]:
        """Those of these originals that the person may know of."""
        restricted = self._catalog.restrictions_on(ids)
        return [one for one in ids if sees(self._reviewer, restricted.get(one, ()))]

    @cached_property
    def unseen(self) -> frozenset[str]:
        """The originals that the person may not know of."""
        with self._catalog.snapshot() as connection:
            return restrictions.hidden_originals(connection, lambda one: sees(self._reviewer, (one,)))

    @cached_property
    def hidden_cases(self) -> frozenset[str]:
        """The numbers, as they are compared, of cases that the person may not know of."""
        found = self._catalog.restrictions_on_cases()
        return frozenset(key for key, its in found.items() if not sees(self._reviewer, its))

    @cached_property
    def unnamed(self) -> Unnamed:
        """What texts must not name before the person."""
        return Unnamed(self._names, self.hidden_cases)

    def links(self, links: Iterable[CaseLink]) -> tuple[CaseLink, ...]:
        """These without links to cases that the person may not know of, with reasons that they may read."""
        kept = (one for one in links if self.hidden_cases.isdisjoint({one.case_key, comparable(one.case)}))
        return tuple(self.unnamed.link(one) for one in kept)

    def as_seen(self, knowns: Sequence[Known]) -> list[Known]:
        """What is known of these originals, which the person may see, without others and cases that they may not."""
        beside = {one.original for known in knowns for one in known.relatives}
        beside |= {_recording_of(known) for known in knowns} - {""}
        seen = set(self.seen(sorted(beside)))
        return [self._as_seen(known, seen) for known in knowns]

    def _as_seen(self, known: Known, seen: set[str]) -> Known:
        properties = known.properties
        if (recording := _recording_of(known)) and recording not in seen:
            properties = {name: one for name, one in properties.items() if name != _RECORDING}
        return replace(
            known, properties=properties, caveats=self.unnamed.caveats(known.caveats),
            correction=self.unnamed.correction(known.correction),
            derivatives=tuple(self.unnamed.derivative(one) for one in known.derivatives),
            time=self.unnamed.time(known.time), links=self.links(known.links),
            relatives=tuple(
                replace(one, links=self.links(one.links)) for one in known.relatives if one.original in seen
            ),
            sidecars=tuple(self._as_seen(one, seen) for one in known.sidecars),
        )  # fmt: skip

    def _names(self) -> frozenset[str]:
        if not self.unseen and not self.hidden_cases:
            return frozenset()
        with self._catalog.snapshot() as connection:
            names = restrictions.names_of(connection, sorted(self.unseen))
            return names | restrictions.numbers_of(connection, sorted(self.hidden_cases))


def _recording_of(known: Known) -> str:
    return str(known.value(_RECORDING, ""))
