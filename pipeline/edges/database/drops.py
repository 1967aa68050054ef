"""The catalog's rows of drops, of refused paths and of how far clerks were told; the log alone gives them back."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from pipeline.edges.database import tables as t
from pipeline.edges.database.rows import put_row, record_of
from pipeline.records import Caveat

# A path that these tell of was not taken in: it never is as it lies there, or its card cannot be read.
REFUSALS: Final = ("arrival.rejected", "arrival.read_error")


@dataclass(frozen=True, kw_only=True)
class Drop:
    """A folder with a list of what it is to hold. manifest: the list's original; told: the last judgement's facts."""

    id: str
    source: str
    folder: str
    name: str
    kind: str
    manifest: str | None
    listed: int
    stated_at: datetime
    state: str = "waiting"
    told: Mapping[str, Any] = field(default_factory=dict)

    @property
    def turn(self) -> str:
        """The turn of the caveats that come from it."""
        return f"drop-{self.id}"


@dataclass(frozen=True)
class Came:
    """One arrival as drops and receipts see it."""

    path: str
    folder: str
    name: str
    status: str
    reason: str | None
    size_bytes: int
    taken_at: datetime
    original: str
    sha256: str
    kind: str
    sm3: str | None


@dataclass(frozen=True)
class Rejected:
    """One path that was refused, the last time it was."""

    path: str
    size_bytes: int
    reason: str
    at: datetime


def rejection_key(path_raw: bytes) -> str:
    return hashlib.sha256(path_raw).hexdigest()


def place_key(source: str, path_raw: bytes) -> str:
    """Tells this path of this source from every other: an arrival's key."""
    return hashlib.sha256(source.encode() + b"\0" + path_raw).hexdigest()


def add_rejection(connection: sa.Connection, path_raw: bytes, seq: int, facts: Mapping[str, Any], at: datetime) -> None:
    """The path was refused at this event; its earlier refusals are history. at: of an event that does not say it."""
    key = rejection_key(path_raw)
    connection.execute(sa.delete(t.rejection).where(t.rejection.c.key == key))
    connection.execute(
        sa.insert(t.rejection).values(
            key=key, path=facts["path"], path_raw=path_raw, size_bytes=facts.get("size_bytes", 0),
            ctime_ns=facts.get("ctime_ns", 0), inode=facts.get("inode", 0), reason=facts["reason"], seq=seq,
            at=datetime.fromisoformat(facts["refused_at"]) if "refused_at" in facts else at,
        )
    )  # fmt: skip


def state_of(path: str | bytes) -> dict[str, int]:
    """What tells one state of a refused path from another; empty where it is gone."""
    try:
        status = os.lstat(path)
    except OSError:
        return {}
    return {"size_bytes": status.st_size, "ctime_ns": status.st_ctime_ns, "inode": status.st_ino}


def rejections(connection: sa.Connection) -> Iterator[tuple[bytes, int, int, int]]:
    """(raw path, size, ctime_ns, inode) of every refused path: what a restarted watcher does not refuse again.

    A card that could not be read may lie in another reader by then: it is tried once more.
    """
    columns = (t.rejection.c.path_raw, t.rejection.c.size_bytes, t.rejection.c.ctime_ns, t.rejection.c.inode)
    its = sa.select(*columns).join(t.event, t.event.c.seq == t.rejection.c.seq)
    for row in connection.execute(its.where(t.event.c.type == "arrival.rejected")):
        yield bytes(row[0]), row[1], row[2], int(row[3])


def rejections_below(
    connection: sa.Connection, folder: str, since: datetime, until: datetime, *, itself: bool
) -> list[Rejected]:
    """Refused paths in this folder (itself) or below it, within the times, by path."""
    query = sa.select(t.rejection).where(
        t.rejection.c.path.startswith(folder + os.sep, autoescape=True),
        t.rejection.c.at >= since, t.rejection.c.at < until,
    )  # fmt: skip
    rows = connection.execute(query.order_by(t.rejection.c.path))
    depth = folder.count(os.sep) + 1
    return [
        Rejected(row.path, row.size_bytes, row.reason, row.at)
        for row in rows
        if not itself or row.path.count(os.sep) == depth
    ]


def rejection_of(connection: sa.Connection, path_raw: bytes) -> Rejected | None:
    """The last refusal of this path."""
    row = connection.execute(sa.select(t.rejection).where(t.rejection.c.key == rejection_key(path_raw))).one_or_none()
    return None if row is None else Rejected(row.path, row.size_bytes, row.reason, row.at)


def came_below(
    connection: sa.Connection,
    source: str,
    folder: str,
    *,
    itself: bool = False,
    since: datetime | None = None,
    until: datetime | None = None,
) -> list[Came]:
    """Arrivals from this folder of the source and below it, oldest first. itself: not from below."""  # fmt: skip
    a = t.arrival.c
    where = [a.source == source, a.original.is_not(None)]
    if itself:
        where.append(a.folder == folder)
    elif folder:
        where.append(sa.or_(a.folder == folder, a.folder.startswith(f"{folder}/", autoescape=True)))
    where += [a.taken_at >= since] if since else []
    where += [a.taken_at < until] if until else []
    query = (
        sa.select(a.path, a.folder, a.name, a.status, a.reason, a.size_bytes, a.taken_at, a.original, a.sha256,
                  t.original.c.kind, t.original.c.sm3)
        .join(t.original, t.original.c.id == a.original)
        .where(*where)
        .order_by(a.id)
    )  # fmt: skip
    return [Came(*row) for row in connection.execute(query)]


def first_names(connection: sa.Connection, originals: Sequence[str]) -> dict[str, str]:
    """Original -> the path it first arrived from."""
    found: dict[str, str] = {}
    for some in _in_pieces(originals):
        query = sa.select(t.arrival.c.original, t.arrival.c.path).where(t.arrival.c.original.in_(some))
        for row in connection.execute(query.order_by(t.arrival.c.id)):
            found.setdefault(row[0], row[1])
    return found


def add_drop(connection: sa.Connection, drop: Drop) -> None:
    """A new list of a folder."""
    connection.execute(sa.insert(t.drop).values(**asdict(drop)))


def drops(connection: sa.Connection, source: str | None = None, *, waiting: bool = False) -> list[Drop]:
    """The lists of a source, or all; of several states of one list only the last. waiting: only those that wait."""
    query = sa.select(t.drop).order_by(t.drop.c.id)
    if source is not None:
        query = query.where(t.drop.c.source == source)
    last = {(row.source, row.folder, row.name): row for row in connection.execute(query)}
    found = [record_of(Drop, row) for row in last.values()]
    return [one for one in found if one.state == "waiting"] if waiting else found


def awaited(connection: sa.Connection, manifests: Collection[str]) -> Iterator[tuple[str, str]]:
    """(name, list) of every file that one of these lists names and that did not come.

    Where a list lacks more files than its judgement names, the last entry says how many more.
    """
    for drop in drops(connection):
        names = list(drop.told.get("missing_names", ()))
        if drop.manifest not in manifests:
            continue
        yield from ((name, drop.name) for name in names)
        more = int(drop.told.get("missing", 0)) - len(names)
        if more > 0:
            yield f"… +{more}", drop.name
        if drop.state == "waiting" and not drop.told:
            yield drop.name, f"{drop.name}: {drop.listed}"


def judge_drop(connection: sa.Connection, drop_id: str, state: str, told: Mapping[str, Any]) -> None:
    """This is how the drop stands now."""
    connection.execute(sa.update(t.drop).where(t.drop.c.id == drop_id).values(state=state, told=dict(told)))


def carrying(connection: sa.Connection, turn: str) -> set[str]:
    """The originals that carry a caveat of this turn."""
    return set(connection.execute(sa.select(t.caveat.c.original).where(t.caveat.c.turn == turn)).scalars())


def set_caveats(connection: sa.Connection, turn: str, caveats: Mapping[str, Caveat], seq: int) -> None:
    """Exactly these originals carry a caveat of this turn; those where that changed are found anew from seq on."""
    c = t.caveat.c
    rows = connection.execute(sa.select(c.original, c.text).where(c.turn == turn))
    before: dict[str, str] = {row.original: row.text for row in rows}
    changed = {one for one, caveat in caveats.items() if before.get(one) != caveat.text}
    changed |= before.keys() - caveats.keys()
    for some in _in_pieces(sorted(changed)):
        connection.execute(sa.delete(t.caveat).where(c.turn == turn, c.original.in_(some)))
        connection.execute(sa.update(t.original).where(t.original.c.id.in_(some)).values(changed_seq=seq))
    new = [{"original": one, "turn": turn, **asdict(caveats[one])} for one in sorted(changed & caveats.keys())]
    if new:
        connection.execute(sa.insert(t.caveat), new)


def told_up_to(connection: sa.Connection, name: str) -> int:
    """The last event that this teller has told of; 0 before the first."""
    return connection.execute(sa.select(t.told.c.seq).where(t.told.c.name == name)).scalar() or 0


def tell_up_to(connection: sa.Connection, name: str, seq: int) -> None:
    """This teller has told of everything up to this event."""
    put_row(connection, t.told, {"name": name, "seq": seq}, key="name")


def _in_pieces(ids: Sequence[str], size: int = 500) -> Iterator[Sequence[str]]:
    for first in range(0, len(ids), size):
        yield ids[first : first + size]


def lines_after(connection: sa.Connection, seq: int, types: Sequence[str], limit: int) -> list[tuple[int, str]]:
    """(number, line) of the events of these types after that number, in their order."""
    query = sa.select(t.event.c.seq, t.event.c.line).where(t.event.c.seq > seq, t.event.c.type.in_(types))
    return [(row[0], row[1]) for row in connection.execute(query.order_by(t.event.c.seq).limit(limit))]
