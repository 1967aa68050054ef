"""What is isolated because somebody suspects a state secret in it, in the catalog: for nobody it is there any more.

The log names the original's identifier and the deed, and nothing of why. Everything here runs inside a transaction of
the caller's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import sqlalchemy as sa

from pipeline.edges.database import families
from pipeline.edges.database import tables as t
from pipeline.edges.database.rows import put_row, record_of
from pipeline.errors import BadInput
from pipeline.records import Restriction

BEGUN, ENDED = "isolation.begun", "isolation.ended"
EVENTS: Final = (BEGUN, ENDED)
# Why work on it stands; what stands for another reason is not stirred when it is released.
REASON: Final = "it stands"


@dataclass(frozen=True, kw_only=True)
class Isolation:
    """An original that nobody sees. ended_why: why it is no state secret, as the person said who released it."""

    id: str
    original: str
    by: str
    begun_at: datetime
    ended_by: str | None = None
    ended_why: str | None = None
    ended_at: datetime | None = None


def closed() -> sa.Select[Any]:
    """The identifiers of all that is isolated now, families included, to be compared with in a query."""
    return families.of(sa.select(t.isolation.c.original).where(t.isolation.c.ended_at.is_(None)))


def among(connection: sa.Connection, ids: Sequence[str] | None = None) -> set[str]:
    """Those of these originals, or of all, that are isolated now."""
    if connection.execute(sa.select(t.isolation.c.id).where(t.isolation.c.ended_at.is_(None)).limit(1)).first() is None:
        return set()
    found = set(connection.execute(closed()).scalars())
    return found if ids is None else found.intersection(ids)


def digests(connection: sa.Connection) -> set[str]:
    """SHA-256 of all that is isolated now."""
    if not among(connection):
        return set()
    return set(connection.execute(sa.select(t.original.c.sha256).where(t.original.c.id.in_(closed()))).scalars())


def restriction_of(original: str) -> Restriction:
    """What the isolation of an original is to those who ask who may see it: a restriction that lets nobody in."""
    return Restriction(
        id=f"isolated-{original}", original=original, case_key=None, printed=None, kind="isolated", units=(),
        persons=(), reason="", by="", role="", from_at=datetime.fromtimestamp(0, UTC),
    )  # fmt: skip


def listed(connection: sa.Connection, *, all_: bool = False) -> list[Isolation]:
    """Those in force, or every one that ever was, oldest first."""
    query = sa.select(t.isolation).order_by(t.isolation.c.id)
    found = connection.execute(query if all_ else query.where(t.isolation.c.ended_at.is_(None)))
    return [record_of(Isolation, row) for row in found]


def one(connection: sa.Connection, identifier: str) -> Isolation:
    """The isolation with this identifier, locked until the transaction ends. Raises BadInput where there is none."""
    query = sa.select(t.isolation).where(t.isolation.c.id == identifier.strip().upper()).with_for_update()
    row = connection.execute(query).one_or_none()
    if row is None:
        raise BadInput(f"There is no isolation {identifier}", zh=f"没有编号为 {identifier} 的隔离", found=identifier)
    return record_of(Isolation, row)


def put(connection: sa.Connection, record: Isolation) -> None:
    """The isolation stands as it is here."""
    put_row(connection, t.isolation, vars(record))


def replay(connection: sa.Connection, event: Mapping[str, Any]) -> None:
    """What this event of the log isolated, or released, is so in the catalog again."""
    identifier, at = event["facts"]["isolation"], datetime.fromisoformat(event["at"])
    if event["type"] == BEGUN:
        put(connection, Isolation(id=identifier, original=event["original"], by=event["actor"], begun_at=at))
        return
    ended = {"ended_by": event["actor"], "ended_why": event["facts"]["reason"], "ended_at": at}
    connection.execute(sa.update(t.isolation).where(t.isolation.c.id == identifier).values(**ended))


def dump(connection: sa.Connection) -> list[dict[str, Any]]:
    """Every isolation as its events tell it, in a form that can be compared."""
    moments = ("begun_at", "ended_at")
    return [{k: v for k, v in vars(record).items() if k not in moments} for record in listed(connection, all_=True)]
