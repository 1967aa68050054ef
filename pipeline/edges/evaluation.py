"""What case-file evaluation counts, read from the catalog: recordings of an interval, cases of its activities."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

import sqlalchemy as sa

from pipeline.edges import tables as t
from pipeline.edges.catalog import in_pieces

_KINDS: Final = ("video", "audio", "photo")


class Recorded(NamedTuple):
    """A recording or photo that lies in the interval. uncertainty_s, method: of its decided time, None without one."""

    id: str
    name: str
    kind: str
    uncertainty_s: float | None
    method: str | None


def recorded(connection: sa.Connection, from_at: datetime, to_at: datetime) -> list[Recorded]:
    """What was recorded from from_at until before to_at; by when it was taken in, where nobody knows its time."""
    original, time = t.original.c, t.decided_time.c
    columns = (original.id, original.name, original.kind)
    counted = (original.kind.in_(_KINDS), original.parent.is_(None), original.state != "disposed")
    timed = (
        sa.select(*columns, time.uncertainty_s, time.method)
        .join(t.original, original.id == time.original)
        .where(*counted, time.start_at >= from_at, time.start_at < to_at)
    )
    untimed = sa.select(*columns, sa.null(), sa.null()).where(
        *counted, original.accepted_at >= from_at, original.accepted_at < to_at,
        ~sa.select(time.number).where(time.original == original.id).exists(),
    )  # fmt: skip
    rows = [*connection.execute(timed), *connection.execute(untimed)]
    return [Recorded(*row) for row in sorted(rows, key=lambda row: str(row.id))]


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


def cases_of_activities(connection: sa.Connection, from_at: datetime, to_at: datetime) -> dict[str, str]:
    """Code of an activity that began in the interval -> its case; of those that belong to one."""
    activity = t.activity.c
    query = sa.select(activity.code, activity.case).where(
        activity.from_at >= from_at, activity.from_at < to_at, activity.case.is_not(None)
    )
    return {row.code: row.case for row in connection.execute(query)}


def keys_of_cases(connection: sa.Connection, cases: Sequence[str]) -> dict[str, frozenset[str]]:
    """Case -> its numbers, as numbers are compared."""
    found: dict[str, frozenset[str]] = defaultdict(frozenset)
    number = t.case_number.c
    for some in in_pieces(list(cases)):
        for row in connection.execute(sa.select(number.case, number.key).where(number.case.in_(some))):
            found[row.case] |= {row.key}
    return found
