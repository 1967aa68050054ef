"""The log's entries, looked through by person, type, original and time; and how long looks lasted. Reads only."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa

from pipeline.edges.catalog import Catalog
from pipeline.edges.database import tables as t
from pipeline.edges.database.rows import in_pieces

# A look's row and its event are written one after the other.
TOGETHER: Final = timedelta(seconds=10)
# So many entries are read at once.
FEW: Final = 500
# So many entries of the log are looked through for words at once, and for so long.
STRETCH: Final = 50_000
LOOKING_S: Final = 0.04


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which entries. types: these, or those that begin with one that ends in a point; empty for all. before: only
    entries that stand below the one with this number where the latest stands first; down_to: only those that stand
    above the one with this number, and itself. words: of each, one of its writings stands in the entry.
    """

    actor: str = ""
    types: tuple[str, ...] = ()
    original: str = ""
    from_at: datetime | None = None
    to_at: datetime | None = None
    before: int | None = None
    down_to: int | None = None
    words: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Deed:
    """Who did what to which original, and when: an entry of the log without how it ended and its facts."""

    seq: int
    at: datetime
    type: str
    actor: str
    original: str | None


@dataclass(frozen=True, kw_only=True)
class Entry(Deed):
    """One entry of the log."""

    outcome: str
    facts: dict[str, Any]


def find(catalog: Catalog, wanted: Wanted, limit: int) -> list[Entry]:
    """The entries, the latest first, no more than so many.

    By their times; the number tells which of two at one time is the later. Time and number go together but where the
    clock was set back. However the log is narrowed, an index leads to the page.
    """
    c = t.event.c
    with catalog.snapshot() as connection:
        chosen = _chosen(connection, wanted, limit, c.seq, c.at)
        numbers = [] if chosen is None else connection.execute(chosen).scalars().all()
        query = sa.select(c.seq, c.at, c.type, c.actor, c.original, c.line).order_by(c.at.desc(), c.seq.desc())
        return [
            _entry(row)
            for some_numbers in in_pieces(numbers)
            for row in connection.execute(query.where(c.seq.in_(some_numbers)))
        ]


def find_back(
    catalog: Catalog, wanted: Wanted, limit: int, *, stretch: int = STRETCH, looking_s: float = LOOKING_S
) -> tuple[list[Entry], Deed | None]:  # fmt: skip
    """(the same for words, the entry down to which they were looked for; None: there is no need to look further).

    No index leads to words: the log is looked through from its end in stretches of so many entries, until there are
    enough or the time is over. Those of one original or person are few, and all are looked through.
    """
    if wanted.original or wanted.actor:
        return find(catalog, wanted, limit), None
    found, until_s = list[Entry](), time.monotonic() + looking_s
    while True:
        last = _so_far_below(catalog, wanted.before, stretch)
        down_to = None if last is None else last.seq
        found += find(catalog, replace(wanted, down_to=down_to), limit - len(found))
        if len(found) >= limit or last is None or (wanted.from_at is not None and last.at < wanted.from_at):
            return found, None
        if time.monotonic() > until_s:
            return found, last
        wanted = replace(wanted, before=last.seq)


def _so_far_below(catalog: Catalog, before: int | None, places: int) -> Deed | None:
    """The entry that stands so many places below this one, or below the end; None where the log begins above it."""
    c = t.event.c
    with catalog.snapshot() as connection:
        query = _latest(_within(connection, Wanted(before=before)), 1, (c.seq,)).offset(places - 1)
        its = sa.select(c.seq, c.at, c.type, c.actor, c.original).where(c.seq == query.scalar_subquery())
        row = connection.execute(its).one_or_none()
    return None if row is None else Deed(**row._mapping)


def find_deeds(catalog: Catalog, wanted: Wanted, limit: int) -> list[Deed]:
    """The same entries, as far as a row tells of them: their lines are not read."""
    c = t.event.c
    with catalog.snapshot() as connection:
        chosen = _chosen(connection, wanted, limit, c.seq, c.at, c.type, c.actor, c.original)
        rows: Sequence[Any] = [] if chosen is None else connection.execute(chosen).all()
        return [Deed(seq=seq, at=at, type=type, actor=by, original=original) for seq, at, type, by, original in rows]


def _chosen(
    connection: sa.Connection, wanted: Wanted, limit: int, *columns: sa.Column[Any]
) -> sa.Select[Any] | None:  # fmt: skip
    """The latest that are wanted; None where no such type has happened."""
    c = t.event.c
    where = _within(connection, wanted)
    # The latest of each type, and of these the latest: a type that is rare is not sought among all the others.
    kinds: list[str | None] = [*_of_types(connection, wanted.types)] if wanted.types else [None]
    if wanted.types and (wanted.original or (wanted.actor and len(kinds) > 1)):
        # Entries of one original or person are few: their index leads there, and no index of types may.
        where, kinds = [*where, (c.type + "").in_([one for one in kinds if one])], [None]
    some = [
        _latest(where if kind is None else [*where, c.type == kind], limit, columns).subquery() for kind in kinds
    ]  # fmt: skip
    if not some:
        return None
    found = sa.union_all(*(sa.select(one) for one in some)).subquery()
    return sa.select(found).order_by(found.c.at.desc(), found.c.seq.desc()).limit(limit)


def _latest(
    where: Sequence[sa.ColumnElement[bool]], limit: int, columns: Sequence[sa.Column[Any]]
) -> sa.Select[Any]:  # fmt: skip
    c = t.event.c
    return sa.select(*columns).where(*where).order_by(c.at.desc(), c.seq.desc()).limit(limit)


def _within(connection: sa.Connection, wanted: Wanted) -> list[sa.ColumnElement[bool]]:
    """What the entries must be, but for their types."""
    c = t.event.c
    where: list[sa.ColumnElement[bool]] = []
    if wanted.actor:
        where.append(c.actor == wanted.actor)
    if wanted.original:
        where.append(c.original == wanted.original)
    if wanted.from_at is not None:
        where.append(c.at >= wanted.from_at)
    if wanted.to_at is not None:
        where.append(c.at < wanted.to_at)
    if wanted.before is not None:
        at = connection.execute(sa.select(c.at).where(c.seq == wanted.before)).scalar()
        where += [c.seq < wanted.before] if at is None else [c.at <= at, sa.or_(c.at < at, c.seq < wanted.before)]
    if wanted.down_to is not None:
        at = connection.execute(sa.select(c.at).where(c.seq == wanted.down_to)).scalar_one()
        where += [c.at >= at, sa.or_(c.at > at, c.seq >= wanted.down_to)]
    for writings in wanted.words:
        # Lines are JSON in ASCII: a word stands there as it is escaped.
        where.append(sa.or_(*(c.line.icontains(json.dumps(one)[1:-1], autoescape=True) for one in writings)))
    return where


def _of_types(connection: sa.Connection, asked: Sequence[str]) -> list[str]:
    """The types that have happened, of those asked for by name or beginning."""
    if len(asked) == 1 and not asked[0].endswith("."):
        return [asked[0]]
    begun = tuple(one for one in asked if one.endswith("."))
    return [one for one in _types(connection) if one in asked or one.startswith(begun)]


def facts_since(catalog: Catalog, type: str, after: int, tell: Callable[[str, dict[str, Any]], None]) -> int:
    """Tells who did what by each entry of this type behind that number, one at a time and in no order that counts;
    the number of the log's last entry."""
    c = t.event.c
    query = sa.select(c.actor, c.line)
    # All of a type lie together in its index; those behind a number are found by their numbers, and by nothing else.
    query = query.where(c.seq > after, (c.type + "") == type) if after else query.where(c.type == type)
    with catalog.snapshot() as connection:
        last = connection.execute(sa.select(t.log_head.c.seq)).scalar_one()
        for row in connection.execution_options(yield_per=FEW).execute(query):
            tell(row.actor, json.loads(row.line)["facts"])
    return int(last)


def types(catalog: Catalog) -> list[str]:
    """Every type that has happened."""
    with catalog.snapshot() as connection:
        return _types(connection)


def _types(connection: sa.Connection) -> list[str]:
    return distinct(connection, t.event.c.type)


def distinct(connection: sa.Connection, column: sa.Column[str]) -> list[str]:
    """The values of a column that begins an index: one step of it for each, where all rows would be read otherwise."""
    steps = sa.select(sa.func.min(column).label("value")).cte("steps", recursive=True)
    following = sa.select(sa.func.min(column)).where(column > steps.c.value).scalar_subquery()
    steps = steps.union_all(sa.select(following).where(steps.c.value.is_not(None)))
    return sorted(one for one in connection.execute(sa.select(steps.c.value)).scalars() if one is not None)


def watched_s(catalog: Catalog, looks: Sequence[Entry]) -> dict[int, float]:
    """Number of the entry -> seconds played in that look; looks that no page counted are absent."""
    originals = sorted({one.original for one in looks if one.original})
    if not originals:
        return {}
    c = t.look.c
    query = sa.select(c.person, c.original, c.begun_at, c.watched_s).where(c.original.in_(originals))
    query = query.where(c.begun_at >= min(one.at for one in looks) - TOGETHER)
    with catalog.snapshot() as connection:
        rows = connection.execute(query).all()
    found: dict[int, float] = {}
    for look in looks:
        its = [row for row in rows if (row.person, row.original) == (look.actor, look.original)]
        near = [row for row in its if abs(row.begun_at - look.at) < TOGETHER]
        if near:
            nearest = min(near, key=lambda row: abs(row.begun_at - look.at))
            found[look.seq] = float(nearest.watched_s)
    return found


def cases_of(catalog: Catalog, originals: Sequence[str]) -> dict[str, frozenset[str]]:
    """Original -> keys of the cases it is linked to, refused links left out."""
    c = t.case_link.c
    query = sa.select(c.original, c.case_key).where(c.original.in_(originals), c.status != "refused")
    found: dict[str, set[str]] = {}
    with catalog.snapshot() as connection:
        for original, key in connection.execute(query):
            found.setdefault(original, set()).add(key)
    return {original: frozenset(keys) for original, keys in found.items()}


def _entry(row: Any) -> Entry:
    said = json.loads(row.line)
    return Entry(
        seq=row.seq, at=row.at, type=row.type, actor=row.actor, original=row.original, outcome=said["outcome"],
        facts=said["facts"],
    )  # fmt: skip
