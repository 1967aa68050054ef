"""What case-file evaluation counts, read from the catalog: recordings of an interval, cases of its activities."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

import sqlalchemy as sa

from pipeline.edges.database import tables as t
from pipeline.edges.database.rows import in_pieces

_KINDS: Final = ("video", "audio", "photo")


class Recorded(NamedTuple):
    """A recording or photo. at: when it was recorded, or taken in, where nobody knows its time; uncertainty_s, method:
    of its decided time, None without one."""

    id: str
    name: str
    kind: str
    at: datetime
    uncertainty_s: float | None
    method: str | None


class Acts(NamedTuple):
    """Activities that are alike in what is counted of them. people, place, has_ends: of each; in_case: whether
    it belongs to one."""

    step: str
    people: tuple[str, ...]
    place: bool
    has_ends: bool
    in_case: bool
    number: int


def recorded(connection: sa.Connection, from_at: datetime, to_at: datetime) -> list[Recorded]:
    """What was recorded from from_at until before to_at; by when it was taken in, where nobody knows its time."""
    original, time = t.original.c, t.decided_time.c
    timed, untimed = _recorded()
    timed = timed.where(time.start_at >= from_at, time.start_at < to_at)
    untimed = untimed.where(original.accepted_at >= from_at, original.accepted_at < to_at)
    return [Recorded(*row) for query in (timed, untimed) for row in connection.execute(query)]


def first_recorded(connection: sa.Connection, from_at: datetime, to_at: datetime) -> datetime | None:
    """A moment before which `recorded` finds nothing from from_at on; None where it finds nothing until to_at."""
    found = [
        connection.execute(sa.select(sa.func.min(at, type_=t.Instant())).where(at >= from_at, at < to_at)).scalar()
        for at in (t.decided_time.c.start_at, t.original.c.accepted_at)
    ]
    return min((at for at in found if at is not None), default=None)


def recorded_among(connection: sa.Connection, ids: Sequence[str]) -> list[Recorded]:
    """Those of these originals that are recordings or photos."""
    return [
        Recorded(*row)
        for some in in_pieces(list(ids))
        for query in _recorded()
        for row in connection.execute(query.where(t.original.c.id.in_(some)))
    ]


def _recorded() -> tuple[sa.Select[Any], sa.Select[Any]]:
    """Of those that have a time, and of those that have none."""
    original, time = t.original.c, t.decided_time.c
    columns = (original.id, original.name, original.kind)
    counted = (original.kind.in_(_KINDS), original.parent.is_(None), original.state != "disposed")
    timed = sa.select(*columns, time.start_at, time.uncertainty_s, time.method)
    timed = timed.join(t.original, original.id == time.original).where(*counted).order_by(time.number)
    untimed = sa.select(*columns, original.accepted_at, sa.null(), sa.null()).where(
        *counted, ~sa.select(time.number).where(time.original == original.id).exists()
    )
    return timed, untimed


def head(connection: sa.Connection) -> int:
    """The latest change sequence of any original; 0 where there is none."""
    return connection.execute(sa.select(sa.func.max(t.original.c.changed_seq))).scalar() or 0


def changed_since(connection: sa.Connection, seq: int) -> dict[str, str | None]:
    """What changed after this number -> the recording that it belongs to."""
    original = t.original.c
    rows = connection.execute(sa.select(original.id, original.parent).where(original.changed_seq > seq))
    return {row.id: row.parent for row in rows}


def sidecars(connection: sa.Connection, ids: Sequence[str]) -> dict[str, str]:
    """Sidecar -> the recording that it belongs to, of these recordings."""
    original = t.original.c
    return {
        row.id: row.parent
        for some in in_pieces(list(ids))
        for row in connection.execute(sa.select(original.id, original.parent).where(original.parent.in_(some)))
    }


def cases_of_documents(connection: sa.Connection, ids: Sequence[str]) -> set[str]:
    """The cases that those of these originals which are documents are linked to or proposed for."""
    link, original = t.case_link.c, t.original.c
    query = sa.select(link.case).join(t.original, original.id == link.original).where(original.kind == "document")
    return {
        case
        for some in in_pieces(list(ids))
        for case in connection.execute(query.where(original.id.in_(some), link.status != "refused")).scalars()
    }


def facts(connection: sa.Connection, ids: Sequence[str], names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Original -> name of a property -> value; what a sidecar says counts where the original itself says nothing."""
    found: dict[str, dict[str, Any]] = defaultdict(dict)
    said, original = t.property_.c, t.original.c
    for some in in_pieces(list(ids)):
        its = sa.select(said.original, said.name, said.value, said.found).where(said.name.in_(list(names)))
        beside = its.add_columns(original.parent).join(t.original, original.id == said.original)
        for row in connection.execute(beside.where(original.parent.in_(some)).order_by(said.number)):
            found[row.parent][row.name] = row.found if row.value is None else row.value
        for row in connection.execute(its.where(said.original.in_(some)).order_by(said.number)):
            found[row.original][row.name] = row.found if row.value is None else row.value
    return found


def links(connection: sa.Connection, ids: Sequence[str]) -> dict[str, dict[str, str]]:
    """Original -> case -> `confirmed` or `proposed`."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    link = t.case_link.c
    for some in in_pieces(list(ids)):
        query = sa.select(link.original, link.case, link.status).where(link.original.in_(some))
        for row in connection.execute(query.where(link.status != "refused")):
            found[row.original][row.case] = row.status
    return found


def carrying(connection: sa.Connection, ids: Sequence[str], code: str) -> set[str]:
    """Those that carry a caveat of this code."""
    caveat = t.caveat.c
    return {
        one
        for some in in_pieces(list(ids))
        for one in connection.execute(
            sa.select(caveat.original).where(caveat.original.in_(some), caveat.code == code)
        ).scalars()
    }


def broken(connection: sa.Connection) -> set[str]:
    """Originals with an open incident."""
    return set(connection.execute(sa.select(t.incident.c.original).where(t.incident.c.closed_at.is_(None))).scalars())


def formats_beside(connection: sa.Connection, ids: Sequence[str]) -> dict[str, set[str]]:
    """Original -> formats of its sidecars."""
    found: dict[str, set[str]] = defaultdict(set)
    original = t.original.c
    for some in in_pieces(list(ids)):
        query = sa.select(original.parent, original.format).where(original.parent.in_(some))
        for row in connection.execute(query):
            found[row.parent].add(row.format)
    return found


def documents_of(connection: sa.Connection, cases: Sequence[str]) -> dict[str, dict[str, str]]:
    """Case -> original -> name of each document that is linked to it or proposed for it."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    link, original = t.case_link.c, t.original.c
    for some in in_pieces(list(cases)):
        query = (
            sa.select(link.case, original.id, original.name)
            .join(t.original, original.id == link.original)
            .where(link.case.in_(some), link.status != "refused", original.kind == "document",
                   original.state != "disposed")
        )  # fmt: skip
        for row in connection.execute(query):
            found[row.case][row.id] = row.name
    return found


def activities(
    connection: sa.Connection, from_at: datetime, to_at: datetime, without: Sequence[str]
) -> list[Acts]:  # fmt: skip
    """How many activities of each sort began from from_at until before to_at, but for those of these cases."""
    activity = t.activity.c
    # PostgreSQL compares no JSON, but its text.
    sort = (
        activity.step, sa.cast(activity.people, sa.Text).label("people"),
        sa.func.coalesce(activity.place, "") != "", activity.to_at.is_not(None), activity.case.is_not(None),
    )  # fmt: skip
    # By place, and not by what it is: so each expression is bound once.
    places: list[sa.ColumnElement[Any]] = [sa.literal_column(str(place)) for place in range(1, len(sort) + 1)]
    query = sa.select(*sort, sa.func.count()).where(*_begun(from_at, to_at, without)).group_by(*places)
    return [
        Acts(step, tuple(json.loads(people)), bool(place), bool(ends), bool(case), number)
        for step, people, place, ends, case, number in connection.execute(query)
    ]


def cases_of_activities(
    connection: sa.Connection, from_at: datetime, to_at: datetime, steps: Sequence[str], without: Sequence[str]
) -> dict[str, str]:  # fmt: skip
    """Code of an activity of one of these steps that began in the interval -> its case; of those that belong to one."""
    activity = t.activity.c
    query = sa.select(activity.code, activity.case).where(
        *_begun(from_at, to_at, without), activity.case.is_not(None), activity.step.in_(steps)
    )
    return {row.code: row.case for row in connection.execute(query)}


def _begun(from_at: datetime, to_at: datetime, without: Sequence[str]) -> list[sa.ColumnElement[bool]]:
    activity = t.activity.c
    its = [activity.from_at >= from_at, activity.from_at < to_at]
    return [*its, sa.or_(activity.case.is_(None), activity.case.not_in(without))] if without else its


def cases_with(connection: sa.Connection, keys: Iterable[str]) -> set[str]:
    """The cases with these numbers, as numbers are compared."""
    number = t.case_number.c
    return {
        case
        for some in in_pieces(sorted(keys))
        for case in connection.execute(sa.select(number.case).where(number.key.in_(some))).scalars()
    }


def keys_of_cases(connection: sa.Connection, cases: Sequence[str]) -> dict[str, frozenset[str]]:
    """Case -> its numbers, as numbers are compared."""
    found: dict[str, frozenset[str]] = defaultdict(frozenset)
    number = t.case_number.c
    for some in in_pieces(list(cases)):
        for row in connection.execute(sa.select(number.case, number.key).where(number.case.in_(some))):
            found[row.case] |= {row.key}
    return found
