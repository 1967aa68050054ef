"""The log's entries, looked through by person, type, original and time; and how long looks lasted. Reads only."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa

from pipeline.edges import tables as t
from pipeline.edges.catalog import Catalog

# A look's row and its event are written one after the other.
TOGETHER: Final = timedelta(seconds=10)


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which entries. types: these, or those that begin with one that ends in a point; empty for all. before: only
    entries with a smaller number. rarely: most entries are of other types, and each of these is looked up by itself."""

    actor: str = ""
    types: tuple[str, ...] = ()
    original: str = ""
    from_at: datetime | None = None
    to_at: datetime | None = None
    before: int | None = None
    rarely: bool = False


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One entry of the log."""

    seq: int
    at: datetime
    type: str
    actor: str
    original: str | None
    outcome: str
    facts: dict[str, Any]


def find(catalog: Catalog, wanted: Wanted, limit: int) -> list[Entry]:
    """The entries, the latest first, no more than so many."""
    c = t.event.c
    query = sa.select(c.seq, c.at, c.type, c.actor, c.original, c.line).order_by(c.seq.desc()).limit(limit)
    if wanted.rarely and wanted.types:
        newest = sa.select(c.seq).order_by(c.seq.desc()).limit(limit)
        each = [_narrowed(newest, replace(wanted, types=(one,))) for one in wanted.types]
        latest = sa.union_all(*(sa.select(one.subquery().c.seq) for one in each)).subquery()
        query = query.where(c.seq.in_(sa.select(latest.c.seq).order_by(latest.c.seq.desc()).limit(limit)))
    else:
        query = _narrowed(query, wanted)
    with catalog.snapshot() as connection:
        return [_entry(row) for row in connection.execute(query)]


def _narrowed(query: sa.Select[Any], wanted: Wanted) -> sa.Select[Any]:
    c = t.event.c
    if wanted.actor:
        query = query.where(c.actor == wanted.actor)
    if wanted.types:
        named = [one for one in wanted.types if not one.endswith(".")]
        begun = [c.type.startswith(one, autoescape=True) for one in wanted.types if one.endswith(".")]
        query = query.where(sa.or_(c.type.in_(named), *begun))
    if wanted.original:
        query = query.where(c.original == wanted.original)
    if wanted.from_at is not None:
        query = query.where(c.at >= wanted.from_at)
    if wanted.to_at is not None:
        query = query.where(c.at < wanted.to_at)
    if wanted.before is not None:
        query = query.where(c.seq < wanted.before)
    return query


def types(catalog: Catalog) -> list[str]:
    """Every type that has happened."""
    with catalog.snapshot() as connection:
        return sorted(connection.execute(sa.select(t.event.c.type).distinct()).scalars())


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
