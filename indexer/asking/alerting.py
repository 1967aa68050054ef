"""Saved searches: a person is told of originals that were taken in afterwards and answer the question.

The index's follower gives every document it puts in; a search is held against it as a tree of values, without asking
the index. Alerts are raised before the index's commit: a worker killed between the two raises them again, which changes
nothing.
Not covered: originals that were there before and answer the question only now.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ulid import ULID

from indexer import access
from indexer.access import Reviewer
from indexer.asking.finding import told_of
from indexer.document import Document, holds, ms_of
from indexer.persons.masking import masked
from indexer.search import Filters, tree_of
from pipeline.edges.audit import NewEvent
from pipeline.edges.database import saved
from pipeline.edges.database.rows import plain_of
from pipeline.errors import BadInput
from pipeline.records import Alert, Known, SavedSearch

if TYPE_CHECKING:
    from pipeline.edges.audit import AuditLog
    from pipeline.edges.catalog import Catalog


@dataclass(frozen=True, kw_only=True)
class Told:
    """An alert as its owner is shown it."""

    search: SavedSearch
    alert: Alert
    known: Known

    def as_json(self) -> dict[str, Any]:
        """The fields of an alert on the command line."""
        return {
            "search": self.search.id, "saved": self.search.name, "original": self.alert.original,
            "name": masked(self.known.original.name), "kind": self.known.original.kind,
            "raised_at": self.alert.raised_at, "seen_at": self.alert.seen_at,
        }  # fmt: skip


class Saved:
    """The saved searches of one home."""

    def __init__(self, catalog: Catalog, audit: AuditLog, zone: str) -> None:
        self._catalog, self._audit, self._zone = catalog, audit, zone

    def save(
        self, reviewer: Reviewer, name: str, text: str, filters: Filters, *, purpose: str = ""
    ) -> SavedSearch:  # fmt: skip
        """The search is asked for this person from now on. Raises BadInput where it cannot be read, or has no name."""
        access.require(reviewer, "search")
        if not name.strip():
            raise BadInput("Give the search a name", zh="请为检索命名")
        tree_of(text, filters, zone=self._zone, now=self._catalog.now())
        search = SavedSearch(
            id=str(ULID()), owner=reviewer.name, name=name.strip(), text=text, filters=told_of(filters),
            purpose=purpose, saved_at=self._catalog.now(),
        )  # fmt: skip
        if any(one.name == search.name for one in self.of(reviewer)):
            raise BadInput(f"There is a search '{search.name}' already: give it up first, or choose another name",
                           zh=f"已有名为“{search.name}”的检索：请先取消，或另取名称", found=search.name)  # fmt: skip
        self._put(saved.SAVED, reviewer.name, search)
        return search

    def of(self, reviewer: Reviewer) -> list[SavedSearch]:
        """This person's searches, oldest first."""
        access.require(reviewer, "search")
        with self._catalog.snapshot() as connection:
            return saved.in_force(connection, reviewer.name)

    def give_up(self, reviewer: Reviewer, named: str) -> SavedSearch:
        """This search, by its name or identifier, is asked no more. Raises BadInput where this person has none such."""
        mine = [one for one in self.of(reviewer) if named.strip() in (one.name, one.id)]
        if not mine:
            raise BadInput(f"You have no saved search '{named}': see `casereel saved list`",
                           zh=f"您没有名为“{named}”的检索，见 casereel saved list", found=named)  # fmt: skip
        ended = replace(mine[0], ended_at=self._catalog.now())
        self._put(saved.ENDED, reviewer.name, ended)
        return ended

    def alerts(self, reviewer: Reviewer, *, seen: bool = False) -> list[Told]:
        """What this person has not been shown yet, newest first, as far as the person may view it; now it is shown.

        seen: what was shown before too.
        """
        access.require(reviewer, "search")
        with self._catalog.snapshot() as connection:
            found = saved.alerts(connection, reviewer.name, seen=seen)
        ids = list(dict.fromkeys(alert.original for _, alert in found))
        knowns = {one.original.id: one for one in self._catalog.known_of_many(ids, filed=True)} if ids else {}
        shown = [
            Told(search=search, alert=alert, known=knowns[alert.original]) for search, alert in found
            if access.may(reviewer, "view", knowns[alert.original])
        ]  # fmt: skip
        fresh = [one.alert for one in shown if one.alert.seen_at is None]
        if fresh:
            event = NewEvent(type="search.alerted", actor=reviewer.name,
                             facts={"originals": sorted({one.original for one in fresh})})  # fmt: skip
            with self._catalog.transaction() as connection:
                saved.mark_seen(connection, fresh, self._catalog.now())
                [seq] = self._audit.record(connection, [event])
            self._audit.make_durable(seq)
        return shown

    def _put(self, type: str, actor: str, search: SavedSearch) -> None:
        event = NewEvent(type=type, actor=actor, facts={"search": plain_of(search)})
        with self._catalog.transaction() as connection:
            saved.put(connection, search)
            [seq] = self._audit.record(connection, [event])
        self._audit.make_durable(seq)


class Alerts:
    """Raises alerts for what the index's follower puts in."""

    def __init__(self, catalog: Catalog, zone: str) -> None:
        self._catalog, self._zone = catalog, zone

    def hear(self, documents: Sequence[Document]) -> None:
        """Who saved a search that one of these new documents answers is alerted."""
        with self._catalog.snapshot() as connection:
            searches = saved.in_force(connection)
        now = self._catalog.now()
        found = [
            Alert(search=search.id, original=document.id, raised_at=now)
            for search in searches
            for document in answers(search, documents, zone=self._zone, now=now)
        ]
        if found:
            with self._catalog.transaction() as connection:
                saved.raise_alerts(connection, found)


def answers(search: SavedSearch, documents: Sequence[Document], *, zone: str, now: datetime) -> list[Document]:
    """Those of the documents that are younger than the search, and answer it. Pure."""
    younger = [document for document in documents if document.taken_ms > ms_of(search.saved_at)]
    if not younger:
        return []
    try:
        tree = tree_of(search.text, Filters(**search.filters), zone=zone, now=now)
    except (BadInput, TypeError):
        # Words of time that mean nothing today, or a filter that this version does not know: it answers nothing.
        return []
    return [document for document in younger if holds(document, tree)]
