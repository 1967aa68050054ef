"""Cases as a list, by the date on which their decision is due, and what is linked to each."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date
from typing import Any, Final, Literal, NamedTuple

import sqlalchemy as sa

from pipeline.case_numbers import comparable, folded
from pipeline.edges.database import tables as t

Show = Literal["all", "mine", "coming", "past", "undated"]


class Listed(NamedTuple):
    """A case in the list. number: its own; parties: their names."""

    id: str
    number: str
    title: str
    due_on: str | None
    parties: tuple[str, ...]


class LinkedKind(NamedTuple):
    """One original of a case, as it is counted."""

    case: str
    original: str
    kind: str
    status: str


_DUE: Final = t.case.c.decision_due_on


def page(
    connection: sa.Connection, *, hidden: Collection[str], unseen: Collection[str], words: str, show: Show, today: date,
    offset: int, limit: int, person: str = "",
) -> tuple[list[Listed], int]:  # fmt: skip
    """So many cases from this place on, and how many there are.

    Those whose date is to come stand first, the nearest before; then those past it, the latest before; then those
    without a date. hidden: keys of cases, and unseen: originals, that whoever asks may not know of; a case that only
    unseen originals name is hidden, too. words: each stands in a number, the title or the name of a party. person: to
    whom those are assigned that are `mine`.
    """
    day = today.isoformat()
    where = [*_visible(hidden, unseen), *_about(words), *_shown(show, day, person)]
    total = connection.execute(sa.select(sa.func.count()).select_from(t.case).where(*where)).scalar_one()
    past = sa.case((_DUE.is_(None), 2), (day > _DUE, 1), else_=0)
    coming = sa.case((day <= _DUE, _DUE))
    rows = connection.execute(
        sa.select(t.case).where(*where).order_by(past, coming, _DUE.desc(), t.case.c.id).offset(offset).limit(limit)
    ).all()
    ids = [row.id for row in rows]
    numbers, parties = _numbers(connection, ids), _parties(connection, ids)
    listed = [Listed(row.id, numbers[row.id], row.title, row.decision_due_on, parties.get(row.id, ())) for row in rows]
    return listed, total


def tally(
    connection: sa.Connection, *, hidden: Collection[str], unseen: Collection[str], today: date, person: str | None
) -> dict[Show, int]:  # fmt: skip
    """How many cases there are of each sort; of those assigned to the person where one is named."""
    day, visible = today.isoformat(), _visible(hidden, unseen)
    sort = sa.case((_DUE.is_(None), "undated"), (day > _DUE, "past"), else_="coming").label("sort")
    rows = connection.execute(sa.select(sort, sa.func.count()).select_from(t.case).where(*visible).group_by("sort"))
    found: dict[Any, int] = dict.fromkeys(("coming", "past", "undated"), 0) | {row[0]: row[1] for row in rows}
    whole = {"all": sum(found.values())}
    if person is not None:
        mine = sa.select(sa.func.count()).select_from(t.case).where(*visible, t.case.c.id.in_(_assigned_to(person)))
        whole["mine"] = connection.execute(mine).scalar_one()
    return {**whole, **found}


def assigned(connection: sa.Connection, ids: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Case -> who reviews it before it is decided, by name."""
    number, its = t.case_number.c, t.assignment.c
    query = (
        sa.select(number.case, its.person)
        .join(t.assignment, its.case_key == number.key)
        .where(number.case.in_(ids), its.ended_at.is_(None))
        .order_by(its.id)
    )
    found: dict[str, tuple[str, ...]] = {}
    for case, person in connection.execute(query):
        found[case] = tuple(dict.fromkeys((*found.get(case, ()), person)))
    return found


def linked(connection: sa.Connection, ids: Sequence[str]) -> list[LinkedKind]:
    """What is linked to these cases, or proposed for them."""
    link, original = t.case_link.c, t.original.c
    query = (
        sa.select(link.case, link.original, original.kind, link.status)
        .join(t.original, original.id == link.original)
        .where(link.case.in_(ids), link.status != "refused", original.state != "disposed")
    )
    return [LinkedKind(*row) for row in connection.execute(query)]


def is_there(connection: sa.Connection, key: str, unseen: Collection[str]) -> bool:
    """Whether there is a case with this number that was registered, or that an original one may know of names."""
    its = sa.select(t.case_number.c.case).where(t.case_number.c.key == key)
    query = sa.select(t.case.c.id).where(t.case.c.id.in_(its), *_visible((), unseen))
    return connection.execute(query).first() is not None


def _visible(hidden: Collection[str], unseen: Collection[str]) -> list[Any]:
    link = t.case_link.c
    named = sa.select(link.case).where(link.case == t.case.c.id, link.status != "refused")
    if unseen:
        named = named.where(link.original.not_in(sorted(unseen)))
    where: list[Any] = [sa.or_(t.case.c.registered, named.exists())]
    if hidden:
        its = sa.select(t.case_number.c.case).where(t.case_number.c.key.in_(sorted(hidden)))
        where.append(t.case.c.id.not_in(its))
    return where


def _about(words: str) -> list[Any]:
    number, party = t.case_number.c, t.party.c
    whole = sa.select(number.case).where(number.key == comparable(words))
    each = [
        sa.or_(
            t.case.c.title.contains(word, autoescape=True),
            sa.select(number.case)
            .where(
                number.case == t.case.c.id,
                sa.or_(
                    number.key.contains(folded(word).casefold(), autoescape=True),
                    number.printed.contains(word, autoescape=True),
                ),
            )
            .exists(),
            sa.select(party.case).where(party.case == t.case.c.id, party.name.contains(word, autoescape=True)).exists(),
        )
        for word in words.split()
    ]
    return [sa.or_(t.case.c.id.in_(whole), sa.and_(*each))] if each else []


def _assigned_to(person: str) -> sa.Select[Any]:
    number, its = t.case_number.c, t.assignment.c
    return (
        sa.select(number.case)
        .join(t.assignment, its.case_key == number.key)
        .where(its.person == person, its.ended_at.is_(None))
    )


def _shown(show: Show, day: str, person: str) -> list[Any]:
    match show:
        case "mine":
            return [t.case.c.id.in_(_assigned_to(person))]
        case "coming":
            return [day <= _DUE]
        case "past":
            return [day > _DUE]
        case "undated":
            return [_DUE.is_(None)]
    return []


def _numbers(connection: sa.Connection, ids: Sequence[str]) -> dict[str, str]:
    number = t.case_number.c
    query = (
        sa.select(number.case, number.printed)
        .where(number.case.in_(ids))
        .order_by(number.place.desc(), number.key.desc())
    )
    return {row.case: row.printed for row in connection.execute(query)}


def _parties(connection: sa.Connection, ids: Sequence[str]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for row in connection.execute(sa.select(t.party).where(t.party.c.case.in_(ids)).order_by(t.party.c.id)):
        found[row.case] = (*found.get(row.case, ()), row.name)
    return found
