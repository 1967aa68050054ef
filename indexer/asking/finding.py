"""What people ask of the index, each question told to the log with its purpose: for the command line and the web."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, fields
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from indexer.access import Reviewer
from indexer.asking import suggesting
from indexer.asking.over_time import OverTime, over_time
from indexer.asking.suggesting import Suggestion
from indexer.search import Filters, KnownOriginals, Page, search

if TYPE_CHECKING:
    from indexer.follower import Follower

_DEFAULTS = {one.name: one.default for one in fields(Filters)}
# How an answer is laid out is nobody's purpose.
_NOT_TOLD = frozenset({"limit", "offset", "sort", "after", "group", "facets"})


class Tell(Protocol):
    """Records a deed so that it is durable when this returns."""

    def __call__(self, type: str, *, actor: str | None = None, facts: Any = None) -> None: ...


class SearchedCatalog(KnownOriginals, Protocol):
    """What finding asks of the catalog."""

    def now(self) -> datetime: ...


class Finder:
    """Search and suggestions for one home."""

    def __init__(
        self, follower: Callable[[], Follower], catalog: SearchedCatalog, tell: Tell, zone: str
    ) -> None:  # fmt: skip
        self._make = follower
        self._made: Follower | None = None
        self._catalog, self._tell, self._zone = catalog, tell, zone

    @property
    def follower(self) -> Follower:
        """The index of this home, opened when it is first asked for."""
        self._made = self._made or self._make()
        return self._made

    def search(self, reviewer: Reviewer, text: str, filters: Filters, *, purpose: str = "", lang: str = "zh") -> Page:
        """As `search.search`; who asked what, why, and how much was found is in the log before anything is shown."""
        page = search(
            reviewer, text, filters,
            follower=self.follower, catalog=self._catalog, zone=self._zone, now=self._catalog.now(), lang=lang,
        )  # fmt: skip
        self._tell("search", actor=reviewer.name, facts={
            "query": text, "filters": told_of(filters), "hits": page.total, "purpose": purpose,
        })  # fmt: skip
        return page

    def over_time(self, reviewer: Reviewer, text: str, filters: Filters, *, purpose: str = "") -> OverTime:
        """As `over_time.over_time`; that somebody had it counted is in the log before it is shown."""
        found = over_time(
            reviewer, text, filters,
            follower=self.follower, catalog=self._catalog, zone=self._zone, now=self._catalog.now(),
        )  # fmt: skip
        self._tell("search.over_time", actor=reviewer.name, facts={
            "query": text, "filters": told_of(filters), "hits": found.total, "purpose": purpose,
        })  # fmt: skip
        return found

    def suggest(
        self, reviewer: Reviewer, typed: str, fields: tuple[str, ...] = suggesting.SUGGESTED, limit: int = 10
    ) -> list[Suggestion]:
        """As `suggesting.suggest`. Not told to the log: what is then sought is."""
        return suggesting.suggest(reviewer, typed, follower=self.follower, fields=fields, limit=limit)


def told_of(filters: Filters) -> dict[str, Any]:
    """What narrows the search, as plain data."""
    return {
        name: value
        for name, value in asdict(filters).items()
        if name not in _NOT_TOLD and value != _DEFAULTS[name]
    }  # fmt: skip
