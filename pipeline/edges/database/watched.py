"""What each person has played of each original, in the catalog.

Every telling of a player is an event with the stretches that it played, so a lost catalog gets them back from the log
(`replay`). Everything here runs inside a transaction of the caller's that holds the log's head.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa

from pipeline.edges.database import tables as t
from pipeline.watched import Stretch, as_data, merged, of_data

WATCHED: Final = "view.watched"
EVENTS: Final = (WATCHED,)


def add(connection: sa.Connection, person: str, original: str, stretches: Sequence[Stretch]) -> tuple[Stretch, ...]:
    """The person has played these too, if any; all that they have played of it, merged."""
    its = (t.watched.c.person == person, t.watched.c.original == original)
    before = connection.execute(sa.select(t.watched.c.stretches).where(*its)).scalar()
    if not stretches:
        return of_data(before or ())
    found = merged([*of_data(before or ()), *stretches])
    values = {"stretches": as_data(found)}
    if before is None:
        connection.execute(sa.insert(t.watched).values(person=person, original=original, **values))
    else:
        connection.execute(sa.update(t.watched).where(*its).values(**values))
    return found


def by(connection: sa.Connection, person: str, original: str | None = None) -> dict[str, tuple[Stretch, ...]]:
    """Original -> what this person has played of it, merged; of this original alone where one is named."""
    its = t.watched.c
    query = sa.select(its.original, its.stretches).where(its.person == person)
    if original is not None:
        query = query.where(its.original == original)
    return {row.original: of_data(row.stretches) for row in connection.execute(query)}


def dump(connection: sa.Connection) -> list[dict[str, Any]]:
    """Every row, in a form that can be compared."""
    rows = connection.execute(sa.select(t.watched).order_by(t.watched.c.person, t.watched.c.original))
    return [dict(row) for row in rows.mappings()]


def replay(connection: sa.Connection, event: Mapping[str, Any]) -> None:
    """What this event of the log tells of was played, again."""
    add(connection, event["actor"], event["original"], of_data(event["facts"]["stretches"]))
