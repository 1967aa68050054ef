"""Devices, persons, who carried what, cases and activities, in the catalog: what people registered, never guessed.

Each row is told whole by the event of its last change, by the codes that people use and not by identifiers of this
catalog, so a lost catalog gets them back from the log (`replay`). Everything here runs inside a transaction of the
caller's.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, fields
from datetime import datetime
from functools import partial
from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from ulid import ULID

from pipeline.case_numbers import comparable
from pipeline.edges.audit import NewEvent
from pipeline.edges.database import tables as t
from pipeline.edges.database.rows import record_of
from pipeline.errors import BadInput
from pipeline.records import (
    Activity,
    Card,
    Case,
    CaseLink,
    ClockOffset,
    Custodian,
    Device,
    LedgerEntry,
    Party,
    Registered,
)


class Linked(NamedTuple):
    """An original as a case sees it. from_s, to_s: the part of it that the link is about; None open."""

    original: str
    name: str
    sha256: str
    kind: str
    status: str
    method: str
    by: str | None
    activity: str | None
    from_s: float | None
    to_s: float | None


class Proposal(NamedTuple):
    """A link that waits for a person's yes or no. case: the case's own number; decision_due_on: a day, or None."""

    case: str
    decision_due_on: str | None
    original: str
    name: str
    method: str
    score: float
    why: str
    why_zh: str
    activity: str | None
    from_s: float | None
    to_s: float | None


# The event that tells of a row -> what the row is, and its name among the event's facts.
EVENTS: Final[Mapping[str, tuple[type[Any], str]]] = {
    "device.registered": (Device, "device"),
    "person.registered": (Custodian, "person"),
    "ledger.entered": (LedgerEntry, "ledger"),
    "device.clock_measured": (ClockOffset, "offset"),
    "case.registered": (Case, "case"),
    "activity.registered": (Activity, "activity"),
}
EVENT_OF: Final = {kind: (event, name) for event, (kind, name) in EVENTS.items()}
# A table is taken in with thousands of events, and asked after with every original: only its last one is looked for.
LAST_OF_CHANGES: Final = ("register.imported", "device.clock_measured")
CARD_EVENT: Final = "card.made"
# Rows that point to a case: where two numbers turn out to be one matter, all of them follow.
_OF_CASES: Final = (t.case_number, t.party, t.activity, t.document, t.case_link, t.hold, t.retained)


# -- reading


def changed_at(connection: sa.Connection) -> int:
    """The number of the last event that ended a change of a register; 0 where there is none."""
    latest = sa.select(sa.func.max(t.event.c.seq)).where(t.event.c.type.in_(LAST_OF_CHANGES))
    return connection.execute(latest).scalar() or 0


def case_with(key: str) -> sa.ScalarSelect[str]:
    """The case that carries this number, to be compared with in a query."""
    return sa.select(t.case_number.c.case).where(t.case_number.c.key == key).scalar_subquery()


def devices(connection: sa.Connection) -> list[Device]:
    """Every device, by code."""
    rows = connection.execute(sa.select(t.device).order_by(t.device.c.code))
    return [record_of(Device, row, aliases=tuple(row.aliases)) for row in rows]


def custodians(connection: sa.Connection) -> list[Custodian]:
    """Every person, by code."""
    rows = connection.execute(sa.select(t.custodian).order_by(t.custodian.c.code))
    return [record_of(Custodian, row, aliases=tuple(row.aliases)) for row in rows]


def ledger(connection: sa.Connection, *, device: str | None = None) -> list[LedgerEntry]:
    """Who carried what, of one device or of all, by device and time."""
    entry = t.ledger_entry.c
    query = (
        sa.select(t.device.c.code, t.custodian.c.code.label("person"), entry.from_at, entry.to_at, entry.note)
        .join(t.device, t.device.c.id == entry.device)
        .join(t.custodian, t.custodian.c.id == entry.custodian)
        .order_by(t.device.c.code, entry.from_at, t.custodian.c.code)
    )
    if device is not None:
        query = query.where(t.device.c.code == device)
    return [
        LedgerEntry(device=row.code, custodian=row.person, from_at=row.from_at, to_at=row.to_at, note=row.note)
        for row in connection.execute(query)
    ]


def offsets(connection: sa.Connection, *, device: str | None = None) -> list[ClockOffset]:
    """What was measured of clocks, of one device or of all, by device and time."""
    query = sa.select(t.clock_offset, t.device.c.code).join(t.device, t.device.c.id == t.clock_offset.c.device)
    if device is not None:
        query = query.where(t.device.c.code == device)
    return [
        ClockOffset(
            device=row.code, at=row.from_at, offset_s=row.offset_s, uncertainty_s=row.uncertainty_s, how=row.how,
            by=row.by,
        )
        for row in connection.execute(query.order_by(t.device.c.code, t.clock_offset.c.from_at))
    ]  # fmt: skip


def cards(connection: sa.Connection) -> dict[str, Card]:
    """Every clock card and case slate that was made here, by its number, as the log tells of them."""
    lines = connection.execute(sa.select(t.event.c.line).where(t.event.c.type == CARD_EVENT)).scalars()
    return {event["facts"]["card"]: _card(event) for event in map(json.loads, lines)}


def _card(event: Mapping[str, Any]) -> Card:
    facts, made_at = event["facts"], datetime.fromisoformat(event["at"])
    return Card(number=facts["card"], kind=facts["kind"], made_at=made_at, by=event["actor"])


def activities(
    connection: sa.Connection, *, case: str | None = None, between: tuple[datetime, datetime] | None = None,
    steps: Sequence[str] | None = None,
) -> list[Activity]:  # fmt: skip
    """Every activity, or those of the case with this key, by time. `case` is the number it was registered under.

    between: only those that touch this interval; steps: only those of one of these, as registers call them.
    """
    query = sa.select(t.activity).order_by(t.activity.c.from_at, t.activity.c.code)
    if between is not None:
        ends = sa.func.coalesce(t.activity.c.to_at, t.activity.c.from_at)
        query = query.where(t.activity.c.from_at <= between[1], ends >= between[0])
    if steps is not None:
        query = query.where(t.activity.c.step.in_(steps))
    if case is not None:
        query = query.where(t.activity.c.case == case_with(case))
    return [_activity(row) for row in connection.execute(query)]


def cases(connection: sa.Connection, *, key: str | None = None, registered: bool = False) -> list[Case]:
    """Every case, or the one with this number, oldest first; without `registered` those too that only a link names."""
    query = sa.select(t.case).order_by(t.case.c.id)
    if registered:
        query = query.where(t.case.c.registered)
    if key is not None:
        query = query.where(t.case.c.id == case_with(key))
    rows = connection.execute(query).all()
    ids = [row.id for row in rows]
    numbers = _grouped(connection, t.case_number, ids, t.case_number.c.place)
    parties = _grouped(connection, t.party, ids, t.party.c.id)
    return [
        Case(
            numbers=tuple((one.printed, one.kind) for one in numbers[row.id]),
            title=row.title, opened_on=row.opened_on, decision_due_on=row.decision_due_on,
            parties=tuple(Party(name=one.name, identifier=one.identifier) for one in parties[row.id]),
        )
        for row in rows
    ]  # fmt: skip


def _grouped(connection: sa.Connection, table: sa.Table, ids: Sequence[str], order: Any) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = defaultdict(list)
    for row in connection.execute(sa.select(table).where(table.c.case.in_(ids)).order_by(order)):
        found[row.case].append(row)
    return found


def linked_to(connection: sa.Connection, key: str) -> list[tuple[str, str, str]]:
    """(original, name, status of the link) of what belongs to the case with this number, or is proposed for it."""
    query = (
        sa.select(t.original.c.id, t.original.c.name, t.case_link.c.status)
        .join(t.case_link, t.case_link.c.original == t.original.c.id)
        .where(t.case_link.c.case == case_with(key), t.case_link.c.status != "refused")
        .order_by(t.original.c.id)
    )
    return [(row.id, row.name, row.status) for row in connection.execute(query)]


def links_of(connection: sa.Connection, key: str) -> list[Linked]:
    """What belongs to the case with this number, or is proposed for it; sidecars go with their recordings."""
    rows = connection.execute(_linked().where(t.case_link.c.case == case_with(key)))
    return [_linked_of(row) for row in rows]


def links_of_cases(connection: sa.Connection, cases: Sequence[str]) -> dict[str, list[Linked]]:
    """The same of several cases, by identifier."""
    found: dict[str, list[Linked]] = defaultdict(list)
    for row in connection.execute(_linked().where(t.case_link.c.case.in_(cases))):
        found[row.case].append(_linked_of(row))
    return found


def _linked() -> sa.Select[Any]:
    link, original = t.case_link.c, t.original.c
    return (
        sa.select(original.id, original.name, original.sha256, original.kind, link.status, link.method, link.by,
                  link.activity, link.from_s, link.to_s, link.case)
        .join(t.case_link, link.original == original.id)
        .where(link.status != "refused", original.state != "disposed")
        .order_by(original.id)
    )  # fmt: skip


def _linked_of(row: Any) -> Linked:
    return Linked(original=row.id, **{name: getattr(row, name) for name in Linked._fields if name != "original"})


def proposals(connection: sa.Connection, *, key: str | None = None, limit: int = 100) -> list[Proposal]:
    """What waits for a decision, of one case or of all: the nearest decision date first, then the surest."""
    link, case, number, original = t.case_link.c, t.case.c, t.case_number.c, t.original.c
    first = (
        sa.select(number.printed).where(number.case == case.id).order_by(number.place, number.key).limit(1)
        .scalar_subquery()
    )  # fmt: skip
    query = (
        sa.select(sa.func.coalesce(first, link.printed).label("case"), case.decision_due_on, link.original,
                  original.name, link.method, link.score, link.why, link.why_zh,
                  link.activity, link.from_s, link.to_s)
        .join(t.case, case.id == link.case)
        .join(t.original, original.id == link.original)
        .where(link.status == "proposed", original.state != "disposed")
        .order_by(case.decision_due_on.is_(None), case.decision_due_on, link.case, link.score.desc(), link.original)
        .limit(limit)
    )  # fmt: skip
    if key is not None:
        query = query.where(link.case == case_with(key))
    return [Proposal(**row) for row in connection.execute(query).mappings()]


def links_among(connection: sa.Connection, ids: Sequence[str] | None) -> dict[str, tuple[CaseLink, ...]]:
    """Original -> its links, of these or of all."""
    query = sa.select(t.case_link).order_by(t.case_link.c.id)
    found: dict[str, tuple[CaseLink, ...]] = defaultdict(tuple)
    if ids is not None and not ids:
        return found
    for row in connection.execute(query if ids is None else query.where(t.case_link.c.original.in_(ids))):
        found[row.original] += (record_of(CaseLink, row, case=row.printed),)
    return found


def with_caveat(connection: sa.Connection, code: str, ids: Sequence[str] | None) -> frozenset[str]:
    """Those of these originals, or of all, that carry a caveat of this kind."""
    query = sa.select(t.caveat.c.original).where(t.caveat.c.code == code)
    return frozenset(connection.execute(query if ids is None else query.where(t.caveat.c.original.in_(ids))).scalars())


def recordings_named(connection: sa.Connection, ids: Sequence[str] | None) -> dict[str, str]:
    """Original -> the logical recording that it was told to be a part of, of these or of all."""
    found = t.property_.c
    query = sa.select(found.original, found.found).where(found.name == "recording.id")
    rows = connection.execute(query if ids is None else query.where(found.original.in_(ids)))
    return {row.original: row.found for row in rows}


def made_by(connection: sa.Connection, device: str) -> list[str]:
    """Originals that were told to be of this registered device."""
    found = t.property_.c
    # PostgreSQL compares no JSON, but its text.
    is_its = sa.cast(found.value, sa.Text) == json.dumps(device)
    query = sa.select(found.original).where(found.name == "register.device", is_its)
    return sorted(set(connection.execute(query).scalars()))


def named(connection: sa.Connection) -> list[tuple[str, str, str | None]]:
    """(original, name, profile that knows the name) of every recording and photo; None where no profile does."""
    found, original = t.property_.c, t.original.c
    told = sa.and_(found.original == original.id, found.name == "file_name.profile")
    query = (
        sa.select(original.id, original.name, found.found, found.value)
        .outerjoin(t.property_, told)
        .where(original.kind.in_(("video", "audio", "photo")), original.parent.is_(None), original.state != "disposed")
        .order_by(original.id)
    )
    return [(row.id, row.name, row.value or row.found) for row in connection.execute(query)]


def told_of(connection: sa.Connection, code: str) -> list[tuple[str, str, str, str]]:
    """(original, name, text, text in Chinese) of every caveat of this code, by original."""
    caveat, original = t.caveat.c, t.original.c
    query = (
        sa.select(original.id, original.name, caveat.text, caveat.text_zh)
        .join(t.original, original.id == caveat.original)
        .where(caveat.code == code, original.state != "disposed")
        .order_by(original.id)
    )
    return [(row.id, row.name, row.text, row.text_zh) for row in connection.execute(query)]


def recorded_between(connection: sa.Connection, from_at: datetime, to_at: datetime) -> list[str]:
    """Originals whose decided time touches this interval."""
    time = t.decided_time.c
    query = sa.select(time.original).where(time.start_at <= to_at, time.end_at >= from_at).distinct()
    return sorted(connection.execute(query).scalars())


# -- writing


def put(connection: sa.Connection, record: Registered) -> None:
    """The register holds this, be it new or known. Raises BadInput where it names what no register holds."""
    match record:
        case Device():
            _lay(connection, t.device, {"code": record.code}, _plain(record))
        case Custodian():
            _lay(connection, t.custodian, {"code": record.code}, _plain(record))
        case LedgerEntry():
            key = {
                "device": _id_of(connection, t.device, record.device, "device", "设备"),
                "custodian": _id_of(connection, t.custodian, record.custodian, "person", "人员"),
                "from_at": record.from_at,
            }
            _lay(connection, t.ledger_entry, key, {"to_at": record.to_at, "note": record.note})
        case ClockOffset():
            key = {"device": _id_of(connection, t.device, record.device, "device", "设备"), "from_at": record.at}
            names = ("offset_s", "uncertainty_s", "how", "by")
            _lay(connection, t.clock_offset, key, {name: getattr(record, name) for name in names})
        case Case():
            _put_case(connection, record)
        case Activity():
            of = None if record.case is None else case_of(connection, comparable(record.case), record.case)
            values = {**_plain(record), "case": of, "printed": record.case}
            _lay(connection, t.activity, {"code": record.code}, values)


def case_of(connection: sa.Connection, key: str, printed: str) -> str:
    """The case that carries this number; a new one where none does."""
    found = connection.execute(sa.select(case_with(key))).scalar()
    if found:
        return str(found)
    new = str(ULID())
    connection.execute(sa.insert(t.case).values(id=new, title=printed))
    connection.execute(sa.insert(t.case_number).values(key=key, case=new, printed=printed))
    return new


def _lay(connection: sa.Connection, table: sa.Table, key: Mapping[str, Any], values: Mapping[str, Any]) -> None:
    where = [table.c[name] == value for name, value in key.items()]
    if connection.execute(sa.update(table).where(*where).values(**values)).rowcount == 0:
        named = {"id": str(ULID())} if "id" in table.c else {}
        connection.execute(sa.insert(table).values({**named, **values, **key}))


def _put_case(connection: sa.Connection, record: Case) -> None:
    keys = {comparable(printed): (printed, kind) for printed, kind in record.numbers}
    query = sa.select(t.case_number.c.case).where(t.case_number.c.key.in_(keys)).distinct()
    found = sorted(connection.execute(query).scalars())
    first = next(iter(keys.items()))
    kept = found[0] if found else case_of(connection, first[0], first[1][0])
    for other in found[1:]:
        _join(connection, kept, other)
    for place, (key, (printed, kind)) in enumerate(keys.items()):
        values = {"case": kept, "printed": printed, "kind": kind, "place": place}
        _lay(connection, t.case_number, {"key": key}, values)
    values = {name: getattr(record, name) for name in ("title", "opened_on", "decision_due_on")}
    connection.execute(sa.update(t.case).where(t.case.c.id == kept).values(**values, registered=True))
    for party in record.parties:
        _lay(connection, t.party, {"case": kept, "name": party.name}, {"identifier": party.identifier})


def _join(connection: sa.Connection, kept: str, other: str) -> None:
    """The register says that two numbers are one matter: what pointed to the other case points to this one."""
    names = set(connection.execute(sa.select(t.party.c.name).where(t.party.c.case == kept)).scalars())
    connection.execute(sa.delete(t.party).where(t.party.c.case == other, t.party.c.name.in_(names)))
    for table in _OF_CASES:
        connection.execute(sa.update(table).where(table.c.case == other).values(case=kept))
    connection.execute(sa.delete(t.case).where(t.case.c.id == other))


def _id_of(connection: sa.Connection, table: sa.Table, code: str, word: str, word_zh: str) -> str:
    found = connection.execute(sa.select(table.c.id).where(table.c.code == code)).scalar()
    if found is None:
        raise BadInput(f"No {word} is registered as {code}", zh=f"未登记的{word_zh}：{code}", found=code)
    return str(found)


# -- the log


def told(record: Registered) -> dict[str, Any]:
    """The record as plain JSON data, for its event."""
    return _jsoned(asdict(record))  # type: ignore[no-any-return]


def event_of(actor: str, record: Registered) -> NewEvent:
    """The event that tells of this row."""
    event, name = EVENT_OF[type(record)]
    return NewEvent(type=event, actor=actor, facts={name: told(record)})


def read_told(kind: type[Any], data: Mapping[str, Any]) -> Registered:
    """The record that an event tells of."""
    readers: dict[str, Callable[[Any], Any]] = {
        "aliases": tuple, "people": tuple, "numbers": _pairs, "parties": _parties, "from_at": _instant,
        "to_at": _instant, "at": _instant,
    }  # fmt: skip
    values = {one.name: readers.get(one.name, _same)(data[one.name]) for one in fields(kind)}
    return kind(**values)  # type: ignore[no-any-return]


def replay(connection: sa.Connection, event: Mapping[str, Any]) -> None:
    """What this event of the log registered is in the catalog again."""
    kind, name = EVENTS[event["type"]]
    put(connection, read_told(kind, event["facts"][name]))


def dump(connection: sa.Connection) -> dict[str, list[dict[str, Any]]]:
    """All registers in a form that two catalogs share."""
    everything: dict[str, Callable[[], Iterable[Registered]]] = {
        "devices": partial(devices, connection), "persons": partial(custodians, connection),
        "ledger": partial(ledger, connection), "activities": partial(activities, connection),
        "clock_offsets": partial(offsets, connection), "cases": partial(cases, connection, registered=True),
    }  # fmt: skip
    return {name: sorted(map(told, read()), key=str) for name, read in everything.items()}


def _activity(row: Any) -> Activity:
    return record_of(Activity, row, case=row.printed, people=tuple(row.people))


def _plain(record: Device | Custodian | Activity) -> dict[str, Any]:
    return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(record).items()}


def _jsoned(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _jsoned(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_jsoned(one) for one in value]
    return value.isoformat() if isinstance(value, datetime) else value


def _same(value: Any) -> Any:
    return value


def _instant(value: str | None) -> datetime | None:
    return None if value is None else datetime.fromisoformat(value)


def _pairs(value: Sequence[Sequence[Any]]) -> tuple[tuple[Any, ...], ...]:
    return tuple(tuple(one) for one in value)


def _parties(value: Sequence[Mapping[str, Any]]) -> tuple[Party, ...]:
    return tuple(Party(**one) for one in value)
