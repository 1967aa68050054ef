"""The rows of export packages. Each row is what its events made of it, in life and in a replay of the log alike.

export.requested -> export.approved | export.refused
export.begun -> export.sealed -> export.finished | export.failed;  later export.received
export.failed where its approval stands -> export.begun, the same package once more
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from pipeline.edges.audit import AuditLog, NewEvent
from pipeline.edges.catalog import Catalog
from pipeline.edges.database import tables
from pipeline.edges.database.rows import in_pieces, record_of
from pipeline.errors import TryAgain
from pipeline.states import EXPORT_STATES, may_move

_STATE_OF: Final = {
    "export.requested": "requested",
    "export.approved": "approved",
    "export.refused": "refused",
    "export.begun": "writing",
    "export.sealed": "sealed",
    "export.finished": "finished",
    "export.failed": "failed",
}
# The events that `apply` makes rows of.
TYPES: Final = (*_STATE_OF, "export.received")
# The fact of `export.failed` by which what was approved may be written once more: nobody can have taken it.
STANDS: Final = "approval_stands"
# Of each original in a package; told together with its sealing.
COPIED: Final = "export.copied"


@dataclass(frozen=True, kw_only=True)
class Export:
    """One export package, asked for, approved, written or handed over.

    original: the one whose bytes are asked for, of which no package is made; else None, and case_key names the case.
    selection: the digest over what was asked for; folder: where it was written; manifest: its digest. ended_at: where
    it is approved, when writing it was cut off.
    """

    id: str
    original: str | None
    case_key: str
    printed: str
    purpose: str
    state: str
    selection: str
    files: int
    size_bytes: int
    missing: int
    folder: str | None
    manifest: str | None
    asked_by: str
    asked_login: str
    asked_at: datetime
    decided_by: str | None
    decided_login: str | None
    decided_at: datetime | None
    ended_at: datetime | None
    received_by: str | None
    received_at: datetime | None


def tell(
    catalog: Catalog, audit: AuditLog, events: list[NewEvent],
    first: Callable[[sa.Connection], None] = lambda _: None, last: Callable[[], None] = lambda: None,
) -> None:  # fmt: skip
    """The events are durable and their exports' rows say so.

    first, last: done in their transaction, while nobody else can change these rows, before and after the rows say so;
    where one raises, nothing is told. Raises TryAgain where somebody else went on with one of these exports.
    """
    with catalog.transaction() as connection:
        numbers = audit.record(connection, events)
        first(connection)
        lines = connection.execute(
            sa.select(tables.event.c.line).where(tables.event.c.seq.in_(numbers)).order_by(tables.event.c.seq)
        ).scalars()
        for line in list(lines):
            apply(connection, json.loads(line))
        last()
    audit.make_durable(numbers[-1])


def apply(connection: sa.Connection, event: Mapping[str, Any]) -> None:
    """The row of the export that this event of the log tells of is what the event made of it."""
    facts, at = event["facts"], datetime.fromisoformat(event["at"])
    match event["type"]:
        case "export.requested" | "export.begun":
            _ask(connection, event, at)
        case "export.approved" | "export.refused":
            said = {"decided_by": event["actor"], "decided_login": facts["login"], "decided_at": at}
            _move(connection, event, said)
        case "export.sealed":
            _move(connection, event, {name: facts[name] for name in ("files", "size_bytes", "manifest", "missing")})
        case "export.finished" | "export.failed":
            _move(connection, event, {"ended_at": at})
        case "export.received":
            connection.execute(_row(facts["export"]).values(received_by=facts["by"], received_at=at))


def _ask(connection: sa.Connection, event: Mapping[str, Any], at: datetime) -> None:
    facts, state = event["facts"], _STATE_OF[event["type"]]
    known = connection.execute(
        sa.select(tables.export.c.state).where(tables.export.c.id == facts["export"])
    ).scalar()  # fmt: skip
    if known is not None:
        anew = {"files": facts["files"], "size_bytes": facts["size_bytes"], "missing": 0, "manifest": None}
        _move(connection, event, {"folder": facts["folder"], "ended_at": None, **anew})
        return
    connection.execute(
        sa.insert(tables.export).values(
            id=facts["export"], original=event["original"], case_key=facts["case_key"], printed=facts["case"],
            purpose=facts["purpose"], state=state, selection=facts["selection"], files=facts["files"],
            size_bytes=facts["size_bytes"], missing=0, folder=facts.get("folder"), asked_by=event["actor"],
            asked_login=facts["login"], asked_at=at,
        )
    )  # fmt: skip


def _move(connection: sa.Connection, event: Mapping[str, Any], values: dict[str, Any]) -> None:
    identifier, after = event["facts"]["export"], _STATE_OF[event["type"]]
    after = "approved" if event["facts"].get(STANDS) else after
    before = connection.execute(sa.select(tables.export.c.state).where(tables.export.c.id == identifier)).scalar_one()
    if not may_move(EXPORT_STATES, before, after):
        raise TryAgain(
            f"Somebody else went on with the export {identifier} at this moment: it is {before}. Look at it again",
            zh=f"他人刚刚处理了申请 {identifier}（现为 {before}）：请刷新后再看", expected=after, found=before,
        )  # fmt: skip
    connection.execute(_row(identifier).values(state=after, **values))


def _row(identifier: str) -> sa.Update:
    return sa.update(tables.export).where(tables.export.c.id == identifier)


def listed(catalog: Catalog, *, states: tuple[str, ...] = (), original: str | None = None) -> list[Export]:
    """The exports, newest first; states: those in one of these only; original: those of its bytes only."""
    query = sa.select(tables.export).order_by(tables.export.c.id.desc())
    if states:
        query = query.where(tables.export.c.state.in_(states))
    if original:
        query = query.where(tables.export.c.original == original)
    with catalog.snapshot() as connection:
        return [record_of(Export, row) for row in connection.execute(query)]


def found(catalog: Catalog, identifier: str) -> Export | None:
    """The export with this identifier."""
    with catalog.snapshot() as connection:
        row = connection.execute(sa.select(tables.export).where(tables.export.c.id == identifier)).one_or_none()
    return None if row is None else record_of(Export, row)


def sizes(catalog: Catalog, originals: Sequence[str]) -> dict[str, int]:
    """Original -> its size in bytes."""
    its, found = tables.original.c, dict[str, int]()
    with catalog.snapshot() as connection:
        for some in in_pieces(originals):
            rows = connection.execute(sa.select(its.id, its.size_bytes).where(its.id.in_(some)))
            found.update((row.id, row.size_bytes) for row in rows)
    return found


def copied(catalog: Catalog, identifier: str) -> list[str]:
    """The originals that went into this export, by the log: whatever became of their links to the case since."""
    events = (json.loads(line) for line in catalog.events_of_type([COPIED], holding=[identifier]))
    return sorted({event["original"] for event in events if event["facts"]["export"] == identifier})
