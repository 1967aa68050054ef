"""Bookmarks, notes and nudged clocks, in the catalog.

Each is told whole by the event of its last change, so a lost catalog gets it back from the log (`replay`). Everything
here runs inside a transaction of the caller's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from pipeline.edges.database import tables as t
from pipeline.edges.database.rows import put_row, record_of
from pipeline.records import Annotation

MADE, WITHDRAWN = "annotation.made", "annotation.withdrawn"
EVENTS: Final = (MADE, WITHDRAWN)


def put(connection: sa.Connection, record: Annotation) -> None:
    """The row of this annotation is this, be it new or known."""
    put_row(connection, t.annotation, asdict(record))


def on(connection: sa.Connection, original: str, person: str) -> list[Annotation]:
    """What this person keeps of the original, and what others share; as it lies in the recording."""
    its = t.annotation.c
    query = (
        sa.select(t.annotation)
        .where(its.original == original, its.withdrawn_at.is_(None), sa.or_(its.shared, its.by == person))
        .order_by(its.at_s, its.id)
    )
    return [record_of(Annotation, row) for row in connection.execute(query)]


def one(connection: sa.Connection, identifier: str) -> Annotation | None:
    """The annotation with this identifier, withdrawn or not."""
    row = connection.execute(sa.select(t.annotation).where(t.annotation.c.id == identifier)).one_or_none()
    return None if row is None else record_of(Annotation, row)


def replay(connection: sa.Connection, event: Mapping[str, Any]) -> None:
    """What this event of the log kept or withdrew is so in the catalog again."""
    values = dict(event["facts"]["annotation"])
    for name in ("corrected_at", "made_at", "withdrawn_at"):
        values[name] = values[name] and datetime.fromisoformat(values[name])
    put(connection, Annotation(**values))
