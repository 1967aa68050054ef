"""Saved searches and their alerts, in the catalog.

A search is told whole by the event of its last change, so a lost catalog gets it back from the log (`replay`); alerts
are not: what they told of can be found. Everything here runs inside a transaction of the caller's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from pipeline.edges.database import tables as t
from pipeline.edges.database.rows import put_row, record_of
from pipeline.records import Alert, SavedSearch

SAVED, ENDED = "search.saved", "search.ended"
EVENTS: Final = (SAVED, ENDED)


def put(connection: sa.Connection, record: SavedSearch) -> None:
    """The row of this search is this, be it new or known."""
    put_row(connection, t.saved_search, asdict(record))


def in_force(connection: sa.Connection, owner: str | None = None) -> list[SavedSearch]:
    """Searches nobody gave up, of this person or of all, oldest first."""
    query = sa.select(t.saved_search).where(t.saved_search.c.ended_at.is_(None)).order_by(t.saved_search.c.id)
    if owner is not None:
        query = query.where(t.saved_search.c.owner == owner)
    return [record_of(SavedSearch, row) for row in connection.execute(query)]


def raise_alerts(connection: sa.Connection, found: Sequence[Alert]) -> None:
    """These are alerts; those that were raised before stay as they are."""
    alert = t.alert.c
    wanted = {(one.search, one.original): one for one in found}
    query = sa.select(alert.search, alert.original).where(
        alert.search.in_({one.search for one in found}), alert.original.in_({one.original for one in found})
    )
    known = {(row.search, row.original) for row in connection.execute(query)}
    fresh = [asdict(one) for key, one in wanted.items() if key not in known]
    if fresh:
        connection.execute(sa.insert(t.alert), fresh)


def alerts(connection: sa.Connection, owner: str, *, seen: bool = False) -> list[tuple[SavedSearch, Alert]]:
    """The alerts of this person's searches, newest first; seen: those too that the person was shown before."""
    query = (
        sa.select(t.alert, t.saved_search)
        .join(t.saved_search, t.saved_search.c.id == t.alert.c.search)
        .join(t.original, t.original.c.id == t.alert.c.original)
        .where(
            t.saved_search.c.owner == owner,
            t.saved_search.c.ended_at.is_(None),
            t.original.c.state != "disposed",
        )
        .order_by(t.alert.c.raised_at.desc(), t.alert.c.original.desc())
    )
    if not seen:
        query = query.where(t.alert.c.seen_at.is_(None))
    return [(record_of(SavedSearch, row), record_of(Alert, row)) for row in connection.execute(query)]


def mark_seen(connection: sa.Connection, shown: Iterable[Alert], at: datetime) -> None:
    """Their owner was shown these at this moment."""
    for one in shown:
        its = (t.alert.c.search == one.search, t.alert.c.original == one.original, t.alert.c.seen_at.is_(None))
        connection.execute(sa.update(t.alert).where(*its).values(seen_at=at))


def replay(connection: sa.Connection, event: Mapping[str, Any]) -> None:
    """What this event of the log saved or gave up is so in the catalog again."""
    values = dict(event["facts"]["search"])
    for name in ("saved_at", "ended_at"):
        values[name] = values[name] and datetime.fromisoformat(values[name])
    put(connection, SavedSearch(**values))
