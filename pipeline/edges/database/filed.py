"""What registers and decisions say of originals, for finding them: few queries, whatever their number.

What is said here is not read from the bytes, so whoever changes it raises the change sequence of the originals that
it is about (`touch`): the index follows that.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any

import sqlalchemy as sa

from pipeline.case_numbers import comparable
from pipeline.edges.database import tables as t
from pipeline.records import Activity, Case, Device, Filed, Hold, Known, Party, Registered, Retained


def filed_of(connection: sa.Connection, knowns: Sequence[Known]) -> dict[str, Filed]:
    """Original -> what registers and decisions say of it."""
    ids = [one.original.id for one in knowns]
    links, codes = _links(connection, ids), {one: _device_code(known) for one, known in zip(ids, knowns, strict=True)}
    case_ids = sorted({link.case for found in links.values() for link in found})
    cases = _cases(connection, case_ids)
    activities = _activities(connection, {link.activity for found in links.values() for link in found})
    devices = _devices(connection, set(codes.values()))
    kept = _about(connection, sa.select(t.retained).where(t.retained.c.ended_at.is_(None)), t.retained, ids, case_ids)
    held = _about(connection, sa.select(t.hold).where(t.hold.c.released_at.is_(None)), t.hold, ids, case_ids)
    found = {}
    for one in ids:
        its = list(dict.fromkeys(link.case for link in links[one]))
        whose = (one, *its)
        found[one] = Filed(
            cases=tuple(cases[case] for case in its),
            activities=tuple(activities[code] for code in dict.fromkeys(link.activity for link in links[one])
                             if code in activities),
            device=devices.get(codes[one]),
            retention=tuple(sorted({row.code for key in whose for row in kept[key]})),
            is_held=any(held[key] for key in whose),
        )  # fmt: skip
    return found


def _links(connection: sa.Connection, ids: Sequence[str]) -> Mapping[str, list[Any]]:
    link = t.case_link.c
    query = sa.select(link.original, link.case, link.activity).where(link.original.in_(ids), link.status != "refused")
    found: dict[str, list[Any]] = defaultdict(list)
    for row in connection.execute(query.order_by(link.id)):
        found[row.original].append(row)
    return found


def _device_code(known: Known) -> str | None:
    code = known.value("register.device")
    return code if isinstance(code, str) else None


def _cases(connection: sa.Connection, ids: Sequence[str]) -> dict[str, Case]:
    if not ids:
        return {}
    numbers, parties = defaultdict(list), defaultdict(list)
    order = (t.case_number.c.place, t.case_number.c.key)
    for row in connection.execute(sa.select(t.case_number).where(t.case_number.c.case.in_(ids)).order_by(*order)):
        numbers[row.case].append((row.printed, row.kind))
    for row in connection.execute(sa.select(t.party).where(t.party.c.case.in_(ids)).order_by(t.party.c.id)):
        parties[row.case].append(Party(name=row.name, identifier=row.identifier))
    rows = connection.execute(sa.select(t.case.c.id, t.case.c.title).where(t.case.c.id.in_(ids)))
    return {
        row.id: Case(numbers=tuple(numbers[row.id]), title=row.title, parties=tuple(parties[row.id])) for row in rows
    }


def _activities(connection: sa.Connection, codes: set[str | None]) -> dict[str | None, Activity]:
    wanted = [code for code in codes if code]
    if not wanted:
        return {}
    rows = connection.execute(sa.select(t.activity).where(t.activity.c.code.in_(wanted)))
    names = [one.name for one in fields(Activity) if one.name not in ("case", "people")]
    return {
        row.code: Activity(
            case=row.printed, people=tuple(row.people), **{name: getattr(row, name) for name in names}
        )
        for row in rows
    }  # fmt: skip


def _devices(connection: sa.Connection, codes: set[str | None]) -> dict[str | None, Device]:
    wanted = [code for code in codes if code]
    if not wanted:
        return {}
    rows = connection.execute(sa.select(t.device).where(t.device.c.code.in_(wanted)))
    names = [one.name for one in fields(Device) if one.name != "aliases"]
    return {
        row.code: Device(aliases=tuple(row.aliases), **{name: getattr(row, name) for name in names}) for row in rows
    }


def _about(
    connection: sa.Connection, query: sa.Select[Any], table: sa.Table, ids: Sequence[str], cases: Sequence[str]
) -> Mapping[str, list[Any]]:  # fmt: skip
    """By the identifier of the original or the case that each row is about."""
    found: dict[str, list[Any]] = defaultdict(list)
    about = sa.or_(table.c.original.in_(ids), table.c.case.in_(cases))
    for row in connection.execute(query.where(about)):
        found[row.original or row.case].append(row)
    return found


def touch(connection: sa.Connection, records: Iterable[Registered | Hold | Retained], seq: int) -> None:
    """The originals that these records are about have changed at this event."""
    changed = sa.update(t.original).where(t.original.c.changed_seq < seq).values(changed_seq=seq)
    for query in _touched(list(records)):
        connection.execute(changed.where(t.original.c.id.in_(query)))


def _touched(records: Sequence[Registered | Hold | Retained]) -> Iterator[sa.Select[Any]]:
    """Which originals these are about.

    What a person is called stands in the facts of the stage that links, which then runs anew.
    """
    link, found = t.case_link.c, t.property_.c
    for record in records:
        match record:
            case Hold(original=str(original)) | Retained(original=str(original)):
                yield sa.select(t.original.c.id).where(t.original.c.id == original)
            case Hold(case_key=str(key)) | Retained(case_key=str(key)):
                yield _linked_to([key])
            case Case(numbers=numbers):
                yield _linked_to([comparable(printed) for printed, _ in numbers])
            case Activity(code=code):
                yield sa.select(link.original).where(link.activity == code)
    # PostgreSQL compares no JSON, but its text.
    if codes := [json.dumps(one.code) for one in records if isinstance(one, Device)]:
        named = (found.name == "register.device", sa.cast(found.value, sa.Text).in_(codes))
        yield sa.select(found.original).where(*named)


def _linked_to(keys: Sequence[str]) -> sa.Select[Any]:
    cases = sa.select(t.case_number.c.case).where(t.case_number.c.key.in_(keys))
    return sa.select(t.case_link.c.original).where(t.case_link.c.case.in_(cases))
