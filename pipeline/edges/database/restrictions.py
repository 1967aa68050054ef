"""Who alone may see what, in the catalog: restrictions of originals and cases.

A case is named by any of its numbers, so a restriction stays with the case whatever else its numbers turn out to be.
"""

from __future__ import annotations

import operator
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from pipeline.edges.database import families, isolations, registers
from pipeline.edges.database import tables as t
from pipeline.edges.database.rows import in_pieces, plain_of, put_row, record_of
from pipeline.errors import BadInput
from pipeline.records import Restriction

_IN_FORCE = t.restriction.c.lifted_at.is_(None)
# So many sorts are named in one query.
_FEW = 100


def on_originals(connection: sa.Connection, ids: Sequence[str]) -> dict[str, tuple[Restriction, ...]]:
    """Original -> what is in force on it, its family and the cases of any of them; unrestricted ones are absent.

    What is isolated is restricted so that nobody is let in.
    """
    if not ids:
        return {}
    isolated = isolations.among(connection, ids)
    found: dict[str, tuple[Restriction, ...]] = {one: (isolations.restriction_of(one),) for one in isolated}
    if connection.execute(sa.select(t.restriction.c.id).where(_IN_FORCE).limit(1)).first() is None:
        return found
    families = _families(connection, ids)
    members = sorted({one for family in families.values() for one in family})
    about = _about(connection, members)
    for one in ids:
        its = {restriction.id: restriction for member in families[one] for restriction in about[member]}
        if its:
            found[one] = (*found.get(one, ()), *(its[identifier] for identifier in sorted(its)))
    return found


def on_cases(connection: sa.Connection) -> dict[str, tuple[Restriction, ...]]:
    """Number of a case, as it is compared -> what is in force on the case; unrestricted ones are absent."""
    its, same = t.case_number.alias(), t.case_number.alias()
    query = (
        sa.select(same.c.key.label("of"), t.restriction)
        .join(its, its.c.key == t.restriction.c.case_key)
        .join(same, same.c.case == its.c.case)
        .where(_IN_FORCE)
        .order_by(t.restriction.c.id)
    )
    found: dict[str, list[Restriction]] = defaultdict(list)
    for row in connection.execute(query):
        found[row.of].append(_read(row))
    return {key: tuple(restrictions) for key, restrictions in found.items()}


def restricted_originals(connection: sa.Connection) -> list[str]:
    """Every original that something in force may hold for: its own, its family's, that of its cases."""
    return sorted({*connection.execute(_held(_IN_FORCE)).scalars(), *isolations.among(connection)})


def hidden_originals(connection: sa.Connection, lets_in: Callable[[Restriction], bool]) -> frozenset[str]:
    """Those of them that somebody may not know of. lets_in: whether a restriction lets that person in.

    Of thousands that are alike in kind and in whom they name, one is asked about.
    """
    its = t.restriction.c
    alike = its.kind, its.by, sa.cast(its.units, sa.Text), sa.cast(its.persons, sa.Text)
    sorts = connection.execute(sa.select(sa.func.min(its.id), *alike).where(_IN_FORCE).group_by(*alike)).all()
    first = {row[0]: tuple(row[1:]) for row in sorts}
    found = isolations.among(connection)
    for some in in_pieces(sorted(first), _FEW):
        rows = connection.execute(sa.select(t.restriction).where(its.id.in_(some)))
        shut = [first[row.id] for row in rows if not lets_in(_read(row))]
        if shut:
            one_of = sa.or_(*(sa.and_(*map(operator.eq, alike, values)) for values in shut))
            found.update(connection.execute(_held(_IN_FORCE, one_of)).scalars())
    return frozenset(found)


def _held(*which: Any) -> sa.Select[Any]:
    """The originals, with their families, that these restrictions hold for."""
    link, number = t.case_link.c, t.case_number.c
    own = sa.select(t.restriction.c.original).where(*which, t.restriction.c.original.is_not(None))
    through = (
        sa.select(link.original)
        .join(t.case_number, number.case == link.case)
        .join(t.restriction, t.restriction.c.case_key == number.key)
        .where(*which, link.status != "refused")
    )
    return families.of(own.union(through))


def names_of(connection: sa.Connection, ids: Sequence[str]) -> frozenset[str]:
    """All by which a text may name these originals: every name they came under, their identifiers and digests."""
    original, arrival = t.original.c, t.arrival.c
    found = set(ids)
    for some in in_pieces(ids):
        rows = connection.execute(sa.select(original.name, original.sha256).where(original.id.in_(some)))
        found.update(one for row in rows for one in row)
        found.update(connection.execute(sa.select(arrival.name).where(arrival.original.in_(some))).scalars())
    return frozenset(found - {""})


def numbers_of(connection: sa.Connection, keys: Sequence[str]) -> frozenset[str]:
    """The numbers of cases with these keys, as they are printed."""
    number, found = t.case_number.c, set[str]()
    for some in in_pieces(keys):
        found.update(connection.execute(sa.select(number.printed).where(number.key.in_(some))).scalars())
    return frozenset(found - {""})


def _families(connection: sa.Connection, ids: Sequence[str]) -> dict[str, list[str]]:
    """Original -> the recording it is or belongs to, with all its sidecars."""
    original = t.original.c
    rows = connection.execute(sa.select(original.id, original.parent).where(original.id.in_(ids)))
    heads = {row.id: row.parent or row.id for row in rows}
    below: dict[str, list[str]] = defaultdict(list)
    rows = connection.execute(sa.select(original.id, original.parent).where(original.parent.in_(set(heads.values()))))
    for row in rows:
        below[row.parent].append(row.id)
    return {one: [head, *below[head]] for one, head in heads.items()}


def _about(connection: sa.Connection, ids: Sequence[str]) -> Mapping[str, list[Restriction]]:
    """Original -> what is in force on itself and on its cases; a proposed link counts."""
    found: dict[str, list[Restriction]] = defaultdict(list)
    own = sa.select(t.restriction).where(_IN_FORCE, t.restriction.c.original.in_(ids))
    for row in connection.execute(own):
        found[row.original].append(_read(row))
    link, number = t.case_link.c, t.case_number.c
    through = (
        sa.select(link.original.label("of"), t.restriction)
        .join(t.case_number, number.case == link.case)
        .join(t.restriction, t.restriction.c.case_key == number.key)
        .where(_IN_FORCE, link.original.in_(ids), link.status != "refused")
    )
    for row in connection.execute(through):
        found[row.of].append(_read(row))
    return found


def restrictions(connection: sa.Connection, *, all_: bool = False) -> list[Restriction]:
    """Those in force, or every one that ever was, oldest first."""
    query = sa.select(t.restriction).order_by(t.restriction.c.id)
    return [_read(row) for row in connection.execute(query if all_ else query.where(_IN_FORCE))]


def one(connection: sa.Connection, identifier: str) -> Restriction:
    """The restriction with this identifier. Raises BadInput where there is none."""
    row = connection.execute(sa.select(t.restriction).where(t.restriction.c.id == identifier.upper())).one_or_none()
    if row is None:
        raise BadInput(f"There is no restriction {identifier}", zh=f"没有编号为 {identifier} 的限制", found=identifier)
    return _read(row)


def put(connection: sa.Connection, record: Restriction) -> None:
    """The restriction stands as it is here."""
    values = {**asdict(record), "units": list(record.units), "persons": list(record.persons)}
    put_row(connection, t.restriction, values)


def touch(connection: sa.Connection, record: Restriction, seq: int) -> None:
    """The originals that it holds for, with their families, have changed at this event: the index follows that."""
    about: Any = [record.original]
    if record.case_key is not None:
        number = sa.select(t.case_number.c.case).where(t.case_number.c.key == record.case_key).scalar_subquery()
        about = sa.select(t.case_link.c.original).where(t.case_link.c.case == number)
    families.touch(connection, about, seq)


def replay(connection: sa.Connection, event: Mapping[str, Any]) -> None:
    """What this event of the log restricted, or lifted, is so in the catalog again."""
    data = event["facts"]["restriction"]
    moments = {name: data[name] and datetime.fromisoformat(data[name]) for name in ("from_at", "lifted_at")}
    named = {name: tuple(data[name]) for name in ("units", "persons")}
    record = Restriction(**{**data, **moments, **named})
    if record.case_key is not None:
        registers.case_of(connection, record.case_key, record.printed or record.case_key)
    put(connection, record)


def _read(row: Any) -> Restriction:
    return record_of(Restriction, row, units=tuple(row.units), persons=tuple(row.persons))


def dump(connection: sa.Connection) -> list[dict[str, Any]]:
    """Every restriction in a form that can be compared."""
    return [plain_of(record) for record in restrictions(connection, all_=True)]
