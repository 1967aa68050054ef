"""What arrived, as the clerk's list shows it: arrivals of every way in, newest first, with what is known of each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple

import sqlalchemy as sa
from ulid import ULID

from pipeline.edges.database import drops
from pipeline.edges.database import tables as t
from pipeline.edges.database.events import distinct
from pipeline.edges.database.rows import in_pieces
from pipeline.timing import lateness

Only = Literal["", "broken", "attention", "unlinked", "proposed", "late", "duplicate"]


class Came(NamedTuple):
    """One arrival with its original."""

    id: str
    original: str
    source: str
    folder: str
    name: str
    status: str
    size_bytes: int
    taken_at: datetime
    sha256: str
    sm3: str | None
    kind: str
    state: str
    parent: str | None
    stated_case: str | None
    stated_device: str | None
    stated_officer: str | None


@dataclass(frozen=True, kw_only=True)
class Narrowed:
    """Which arrivals. source: exactly this way in; folder: the drop folder directly below it, and what is below that.
    words: a part of the name or folder."""

    since: datetime | None = None
    until: datetime | None = None
    source: str | None = None
    folder: str | None = None
    words: str = ""
    only: Only = ""


_COLUMNS: Final = (
    t.arrival.c.id, t.arrival.c.original, t.arrival.c.source, t.arrival.c.folder, t.arrival.c.name, t.arrival.c.status,
    t.arrival.c.size_bytes, t.arrival.c.taken_at, t.original.c.sha256, t.original.c.sm3, t.original.c.kind,
    t.original.c.state, t.original.c.parent, t.arrival.c.stated_case, t.arrival.c.stated_device,
    t.arrival.c.stated_officer,
)  # fmt: skip


def page(connection: sa.Connection, which: Narrowed, *, before: str | None = None, limit: int) -> list[Came]:
    """At most so many, newest first. before: only those older than this one."""
    query = _query(which).order_by(t.arrival.c.id.desc()).limit(limit)
    rows = connection.execute(query.where(t.arrival.c.id < before) if before else query)
    return [Came._make(row) for row in rows]


def oldest(connection: sa.Connection, which: Narrowed, *, skip: int, limit: int) -> list[Came]:
    """At most so many, oldest first, behind the first ones."""
    rows = connection.execute(_query(which).order_by(t.arrival.c.id).offset(skip).limit(limit))
    return [Came._make(row) for row in rows]


def _query(which: Narrowed) -> sa.Select[Any]:
    return sa.select(*_COLUMNS).join(t.original, t.original.c.id == t.arrival.c.original).where(*_where(which))


def count(connection: sa.Connection, which: Narrowed, hidden: Sequence[str] = ()) -> int:
    """How many there are, without those of the hidden originals."""
    where = _where(which)
    # Only what asks about originals reads their rows.
    start = t.arrival.join(t.original) if which.only in ("broken", "attention", "unlinked") else t.arrival
    query = sa.select(sa.func.count()).select_from(start).where(*where)
    found: int = connection.execute(query).scalar_one()
    for some in in_pieces(hidden):
        found -= connection.execute(query.where(t.arrival.c.original.in_(some))).scalar_one()
    return found


def _where(which: Narrowed) -> list[Any]:
    arrival, original, link = t.arrival.c, t.original.c, t.case_link.c
    where: list[Any] = [arrival.original.is_not(None)]
    # The identifier begins with its moment, and is indexed.
    where += [arrival.id >= _first_id(which.since)] if which.since else []
    where += [arrival.id < _first_id(which.until)] if which.until else []
    where += [arrival.source == which.source] if which.source is not None else []
    if which.folder is not None:
        below = arrival.folder.startswith(f"{which.folder}/", autoescape=True)
        where.append(sa.or_(arrival.folder == which.folder, below) if which.folder else arrival.folder == "")
    if which.words:
        text = sa.func.lower(arrival.folder + "/" + arrival.name)
        where += [text.contains(word.lower(), autoescape=True) for word in which.words.split()]
    its_links = sa.select(link.id).where(link.original == arrival.original)
    match which.only:
        case "broken":
            where.append(original.state.in_([sa.literal_column("'failed_custody'")]))
        case "attention":
            where.append(original.state == "attention")
        case "unlinked":
            where += [~its_links.where(link.status != "refused").exists(), original.parent.is_(None),
                      original.state != "disposed"]  # fmt: skip
        case "proposed":
            proposed = sa.select(link.original).where(link.status.in_([sa.literal_column("'proposed'")]))
            where.append(arrival.original.in_(proposed))
        case "late":
            where.append(arrival.original.in_(sa.select(t.caveat.c.original).where(t.caveat.c.code == lateness.CODE)))
        case "duplicate":
            where.append(arrival.status == "duplicate")
    return where


def _first_id(at: datetime) -> str:
    """The smallest identifier that can be made at this moment."""
    return str(ULID.from_datetime(at))[:10]


def sources(connection: sa.Connection) -> list[str]:
    """Every way in that something came by."""
    return distinct(connection, t.arrival.c.source)


def twins(connection: sa.Connection, originals: Sequence[str]) -> dict[str, Came]:
    """Original -> the arrival that it first came by."""
    first: dict[str, Came] = {}
    for some in in_pieces(originals):
        query = sa.select(*_COLUMNS).join(t.original, t.original.c.id == t.arrival.c.original)
        rows = connection.execute(query.where(t.arrival.c.original.in_(some)).order_by(t.arrival.c.id))
        for row in rows:
            first.setdefault(row.original, Came._make(row))
    return first


def caveats(connection: sa.Connection, originals: Sequence[str]) -> dict[str, list[tuple[str, str, str]]]:
    """Original -> (code, text, text in Chinese) of its caveats."""
    found: dict[str, list[tuple[str, str, str]]] = defaultdict(list)
    for some in in_pieces(originals):
        query = sa.select(t.caveat).where(t.caveat.c.original.in_(some)).order_by(t.caveat.c.number)
        for row in connection.execute(query):
            found[row.original].append((row.code, row.text, row.text_zh))
    return found


def questioned(
    connection: sa.Connection, since: datetime | None, codes: Sequence[str], limit: int
) -> list[tuple[str, str, str, str, str]]:
    """(original, name, code, text, text in Chinese) of caveats of these codes on what arrived since, newest first."""
    caveat, original = t.caveat.c, t.original.c
    came = sa.select(t.arrival.c.id).where(t.arrival.c.original == original.id)
    came = came.where(t.arrival.c.id >= _first_id(since)) if since else came
    query = (
        sa.select(original.id, original.name, caveat.code, caveat.text, caveat.text_zh)
        .join(t.caveat, caveat.original == original.id)
        .where(caveat.code.in_(codes), original.state != "disposed", came.exists())
        .order_by(original.id.desc(), caveat.number)
        .limit(limit)
    )
    return [(row.id, row.name, row.code, row.text, row.text_zh) for row in connection.execute(query)]


def originals_since(connection: sa.Connection, since: datetime) -> set[str]:
    """What arrived since."""
    query = sa.select(t.arrival.c.original).where(t.arrival.c.id >= _first_id(since))
    return set(connection.execute(query).scalars()) - {None}


def refused_since(
    connection: sa.Connection, since: datetime | None, known: Iterable[str], limit: int = 500
) -> list[tuple[str, drops.Rejected]]:
    """(key, rejection) of refused paths that were not taken in since, newest first. known: the ways in."""
    query = sa.select(t.rejection).order_by(t.rejection.c.at.desc()).limit(limit)
    rows = connection.execute(query if since is None else query.where(t.rejection.c.at >= since)).all()
    keys = {drops.place_key(source, bytes(row.path_raw)): row for row in rows for source in known}
    later: set[str] = set()
    for some in in_pieces(sorted(keys)):
        came = sa.select(t.arrival.c.place_key, t.arrival.c.taken_at).where(t.arrival.c.place_key.in_(some))
        for place, taken_at in connection.execute(came):
            if taken_at > keys[place].at:
                later.add(keys[place].key)
    return [
        (row.key, drops.Rejected(row.path, row.size_bytes, row.reason, row.at)) for row in rows if row.key not in later
    ]


def refused_path(connection: sa.Connection, key: str) -> bytes | None:
    """The raw path that was refused under this key."""
    return connection.execute(sa.select(t.rejection.c.path_raw).where(t.rejection.c.key == key)).scalar()


def cases_used(connection: sa.Connection, person: str, limit: int = 10) -> list[str]:
    """Numbers of the cases that this person linked to last, then those that are to be decided next."""
    link, case, number = t.case_link.c, t.case.c, t.case_number.c
    mine = sa.select(link.printed, sa.func.max(link.id).label("last")).where(link.by == person).group_by(link.printed)
    found = [row.printed for row in connection.execute(mine.order_by(sa.desc("last")).limit(limit))]
    due = (
        sa.select(number.printed)
        .join(t.case, case.id == number.case)
        .where(case.registered, number.place == 0)
        .order_by(case.decision_due_on.is_(None), case.decision_due_on, number.key)
        .limit(limit)
    )
    found += connection.execute(due).scalars()
    return list(dict.fromkeys(found))
