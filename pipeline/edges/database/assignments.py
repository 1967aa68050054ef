"""Which reviewer weighs which case before it is decided, in the catalog.

An assignment is told whole by its event, and so is its end, so a lost catalog gets both back from the log (`replay`).
It belongs to a case by a number of it: where two numbers turn out to be one matter, it holds for both. Everything here
runs inside a transaction of the caller's.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from pipeline.edges.database import tables as t
from pipeline.edges.database.rows import put_row, record_of

ASSIGNED, UNASSIGNED = "case.assigned", "case.unassigned"
EVENTS: Final = (ASSIGNED, UNASSIGNED)


@dataclass(frozen=True, kw_only=True)
class Assignment:
    """A reviewer has this case. printed: its number as it was printed then; by: who assigned it."""

    id: str
    case_key: str
    printed: str
    person: str
    by: str
    assigned_at: datetime
    ended_by: str | None = None
    ended_at: datetime | None = None


def in_force(connection: sa.Connection, keys: Collection[str]) -> list[Assignment]:
    """Those of the cases that carry one of these numbers, as numbers are compared; the oldest first."""
    number, its = t.case_number.c, t.assignment.c
    same = sa.select(number.key).where(number.case.in_(sa.select(number.case).where(number.key.in_(keys))))
    query = sa.select(t.assignment).where(
        its.ended_at.is_(None), sa.or_(its.case_key.in_(keys), its.case_key.in_(same))
    )
    return [record_of(Assignment, row) for row in connection.execute(query.order_by(its.id))]


def put(connection: sa.Connection, record: Assignment) -> None:
    """The assignment stands as it is here."""
    put_row(connection, t.assignment, vars(record))


def told(record: Assignment) -> dict[str, Any]:
    """What its event says: of the end where it has ended, else of the beginning."""
    by, at = (record.ended_by, record.ended_at) if record.ended_at else (record.by, record.assigned_at)
    return {
        "assignment": record.id, "case": record.printed, "case_key": record.case_key, "person": record.person,
        "by": by, "at": at.isoformat() if at else None,
    }  # fmt: skip


def replay(connection: sa.Connection, event: Mapping[str, Any]) -> None:
    """What this event of the log assigned, or took back, is so in the catalog again."""
    facts = event["facts"]
    at = datetime.fromisoformat(facts["at"])
    if event["type"] == ASSIGNED:
        put(connection, Assignment(
            id=facts["assignment"], case_key=facts["case_key"], printed=facts["case"], person=facts["person"],
            by=facts["by"], assigned_at=at,
        ))  # fmt: skip
        return
    row = connection.execute(sa.select(t.assignment).where(t.assignment.c.id == facts["assignment"])).one_or_none()
    if row is None:
        raise ValueError(f"the assignment {facts['assignment']} was never made")
    put(connection, replace(record_of(Assignment, row), ended_by=facts["by"], ended_at=at))
