"""What keeps originals and how they go, in the catalog: decisions, holds, disposals and the clock's row.

Each row is told whole by the event of its last change, so a lost catalog gets them back from the log (`replay`).
Everything here runs inside a transaction of the caller's.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any, Final, TypeVar

import sqlalchemy as sa

from pipeline.edges.database import registers
from pipeline.edges.database import tables as t
from pipeline.edges.database.rows import plain_of, put_row, record_of
from pipeline.errors import BadInput
from pipeline.records import Disposal, Hold, Retained

R = TypeVar("R", Hold, Retained, Disposal)
TABLES: Final[Mapping[type[Any], sa.Table]] = {Hold: t.hold, Retained: t.retained, Disposal: t.disposal}
# What is left of a disposed original beside its row, its arrivals, its links and its events.
GONE_WITH_IT: Final = (t.property_, t.time_claim, t.decided_time, t.fingerprint, t.caveat, t.derivative, t.relation)
OPEN: Final = ("proposed", "approved", "begun")


def put(connection: sa.Connection, record: Hold | Retained | Disposal) -> None:
    """The row of this record is this, be it new or known."""
    table = TABLES[type(record)]
    values = asdict(record)
    if isinstance(record, Hold | Retained):
        values["case"] = (
            registers.case_of(connection, record.case_key, str(record.printed)) if record.case_key else None
        )
    put_row(connection, table, values)


def one(connection: sa.Connection, kind: type[R], identifier: str) -> R:
    """The record with this identifier, locked until the transaction ends. Raises BadInput where there is none."""
    table = TABLES[kind]
    query = sa.select(table).where(table.c.id == identifier.strip().upper()).with_for_update()
    row = connection.execute(query).one_or_none()
    if row is None:
        raise BadInput(
            f"There is nothing with the identifier {identifier}", zh=f"没有编号为 {identifier} 的记录", found=identifier
        )
    return record_of(kind, row)


def holds_in_force(connection: sa.Connection) -> list[Hold]:
    """Every hold that nobody released, oldest first."""
    rows = connection.execute(sa.select(t.hold).where(t.hold.c.released_at.is_(None)).order_by(t.hold.c.id))
    return [record_of(Hold, row) for row in rows]


def holds(connection: sa.Connection) -> list[Hold]:
    """Every hold that ever was, oldest first."""
    return [record_of(Hold, row) for row in connection.execute(sa.select(t.hold).order_by(t.hold.c.id))]


def decision_on(connection: sa.Connection, *, original: str | None, case: str | None) -> Retained | None:
    """The decision in force for this original or this case's identifier."""
    query = sa.select(t.retained).where(
        t.retained.c.original == original if original else t.retained.c.case == case, t.retained.c.ended_at.is_(None)
    )
    row = connection.execute(query.order_by(t.retained.c.id.desc())).first()
    return None if row is None else record_of(Retained, row)


def disposals(connection: sa.Connection, states: Sequence[str] | None = None) -> list[Disposal]:
    """Disposals in these states, or all, oldest first."""
    query = sa.select(t.disposal).order_by(t.disposal.c.id)
    if states is not None:
        query = query.where(t.disposal.c.state.in_(states))
    return [record_of(Disposal, row) for row in connection.execute(query)]


def disposal_of(connection: sa.Connection, original: str, states: Sequence[str]) -> Disposal | None:
    """The latest disposal of this original in one of these states."""
    query = sa.select(t.disposal).where(t.disposal.c.original == original, t.disposal.c.state.in_(states))
    row = connection.execute(query.order_by(t.disposal.c.id.desc())).first()
    return None if row is None else record_of(Disposal, row)


def originals(connection: sa.Connection, ids: Iterable[str] | None = None) -> list[Any]:
    """Rows (`id name state accepted_at parent sha256 sm3 size_bytes kind`) of these originals, or all that are here."""
    columns = ("id", "name", "state", "accepted_at", "parent", "sha256", "sm3", "size_bytes", "kind")
    query = sa.select(*(t.original.c[name] for name in columns)).order_by(t.original.c.id)
    if ids is None:
        return list(connection.execute(query.where(t.original.c.state != "disposed")))
    return list(connection.execute(query.where(t.original.c.id.in_(list(ids)))))


def links_of(connection: sa.Connection, ids: Sequence[str] | None = None) -> dict[str, list[tuple[str, str, str]]]:
    """Original -> (case, key, number as printed) of every link that nobody refused."""
    link = t.case_link
    query = sa.select(link.c.original, link.c.case, link.c.case_key, link.c.printed).where(link.c.status != "refused")
    if ids is not None:
        query = query.where(link.c.original.in_(ids))
    found: dict[str, list[tuple[str, str, str]]] = defaultdict(list)
    for row in connection.execute(query.order_by(link.c.case_key)):
        found[row.original].append((row.case, row.case_key, row.printed))
    return found


def decisions_in_force(connection: sa.Connection) -> tuple[dict[str, Retained], dict[str, Retained]]:
    """The decisions in force: by original, and by case."""
    rows = connection.execute(sa.select(t.retained).where(t.retained.c.ended_at.is_(None)).order_by(t.retained.c.id))
    by_original, by_case = {}, {}
    for row in rows:
        if row.original is not None:
            by_original[row.original] = record_of(Retained, row)
        else:
            by_case[row.case] = record_of(Retained, row)
    return by_original, by_case


def case_with(connection: sa.Connection, key: str) -> str | None:
    """The case that carries this number."""
    return connection.execute(sa.select(t.case_number.c.case).where(t.case_number.c.key == key)).scalar()


def held_cases(connection: sa.Connection) -> dict[str, list[Hold]]:
    """Case -> holds in force on it."""
    found: dict[str, list[Hold]] = defaultdict(list)
    query = sa.select(t.hold).where(t.hold.c.released_at.is_(None), t.hold.c.case.is_not(None)).order_by(t.hold.c.id)
    for row in connection.execute(query):
        found[row.case].append(record_of(Hold, row))
    return found


def erase(connection: sa.Connection, original: str, seq: int) -> None:
    """The original counts as disposed of: what was read from its bytes is gone, and its work is cancelled.

    Its name, digest, arrivals, links and events stay. seq: the event that tells of it.
    """
    connection.execute(sa.delete(t.relation).where(t.relation.c.other == original))
    for table in GONE_WITH_IT:
        connection.execute(sa.delete(table).where(table.c.original == original))
    connection.execute(
        sa.update(t.job).where(t.job.c.original == original, t.job.c.state.in_(["waiting", "running"]))
        .values(state="cancelled", token=None, reason="the original was disposed of")
    )  # fmt: skip
    connection.execute(
        sa.update(t.original).where(t.original.c.id == original).values(state="disposed", changed_seq=seq)
    )


def noted(connection: sa.Connection) -> list[tuple[str, dict[str, Any]]]:
    """(digest, its holds and decisions) of every original here that one of them was ever about, also through cases."""
    kinds: tuple[tuple[str, type[Any]], ...] = (("holds", Hold), ("retained", Retained))
    rows = [
        (name, kind, row)
        for name, kind in kinds
        for row in connection.execute(sa.select(TABLES[kind]).order_by(TABLES[kind].c.id))
    ]
    if not rows:  # as in most homes, and the patrol asks every minute
        return []
    about: dict[str, dict[str, list[dict[str, Any]]]] = defaultdict(lambda: {name: [] for name, _ in kinds})
    by_case: dict[str, list[str]] = defaultdict(list)
    for original, cases in links_of(connection).items():
        for case, _, _ in cases:
            by_case[case].append(original)
    for name, kind, row in rows:
        for original in [row.original] if row.original else by_case.get(row.case, []):
            about[original][name].append(plain_of(record_of(kind, row)))
    return [(row.sha256, about[row.id]) for row in originals(connection) if row.id in about]


def lock_work(connection: sa.Connection, original: str) -> None:
    """No turn of this original begins or ends until the transaction does, however long its process stands still."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("SET LOCAL idle_in_transaction_session_timeout = 0"))
    connection.execute(sa.select(t.job.c.id).where(t.job.c.original == original).with_for_update()).all()


def entry_of(connection: sa.Connection, type: str, original: str) -> dict[str, Any]:
    """`seq` and `hash` of the log's latest entry of this type about this original."""
    query = sa.select(t.event.c.seq, t.event.c.hash).where(t.event.c.type == type, t.event.c.original == original)
    row = connection.execute(query.order_by(t.event.c.seq.desc()).limit(1)).one()
    return {"seq": row.seq, "hash": row.hash}


def came_since(connection: sa.Connection, original: str) -> bool:
    """Whether the same bytes were handed in from elsewhere after the original's disposal was proposed."""
    event = t.event.c
    latest = sa.select(sa.func.max(event.seq)).where(event.original == original)
    came = connection.execute(latest.where(event.type == "arrival.duplicate")).scalar() or 0
    proposed = connection.execute(latest.where(event.type == "disposal.proposed")).scalar() or 0
    return bool(came > proposed)


def clock_confirmed_at(connection: sa.Connection, original: str) -> datetime | None:
    """What the clock said when a person confirmed it, where that was after the original's disposal was approved."""
    event = t.event.c
    approved = sa.select(sa.func.max(event.seq)).where(event.original == original, event.type == "disposal.approved")
    query = sa.select(event.line).where(event.type == "clock.confirmed", event.seq > approved.scalar_subquery())
    line = connection.execute(query.order_by(event.seq.desc()).limit(1)).scalar()
    return None if line is None else datetime.fromisoformat(json.loads(line)["facts"]["to"])


def read_told(kind: type[R], data: Mapping[str, Any]) -> R:
    """The record that an event tells of."""
    values: dict[str, Any] = {
        field.name: datetime.fromisoformat(data[field.name])
        if field.name.endswith("_at") and data[field.name]
        else data[field.name]
        for field in fields(kind)
    }
    return kind(**values)


def certificate_in(event: Mapping[str, Any]) -> dict[str, Any] | None:
    """The certificate that the event of a finished disposal carries, which was its tombstone."""
    kind, name = EVENTS[event["type"]]
    record = event["facts"].get(name)
    return None if record is None else read_told(kind, record).certificate


def replay(connection: sa.Connection, event: Mapping[str, Any]) -> None:
    """What this event of the log changed is in the catalog again."""
    kind, name = EVENTS[event["type"]]
    record = read_told(kind, event["facts"][name])
    put(connection, record)
    if event["type"] == "disposal.done":
        erase(connection, record.original or "", event["seq"])


EVENTS: Final[Mapping[str, tuple[type[Any], str]]] = {
    **{f"hold.{deed}": (Hold, "hold") for deed in ("placed", "release_asked", "released")},
    **{f"retention.{deed}": (Retained, "decision") for deed in ("decided", "ended")},
    **{
        f"disposal.{deed}": (Disposal, "disposal")
        for deed in ("proposed", "approved", "cancelled", "begun", "stopped", "done")
    },
}
