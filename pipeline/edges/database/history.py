"""A recording among the others of its device, looked up by index: a bounded number of rows, however many there are."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Any, Final

import sqlalchemy as sa

from pipeline.edges.database import tables as t
from pipeline.records import Around, Facts, Known
from pipeline.timing.history import (
    LESSON,
    NOT_BY_ITSELF,
    NUMBERS_APART,
    OPEN,
    READINGS,
    SOURCE,
    VOTES_ENOUGH,
    WEAK_S,
    History,
    Neighbour,
    device_key,
    lesson_text,
)

# Names on either side that are looked at, and recordings that one lesson times anew.
BESIDE: Final = 8
ANEW_MAX: Final = 200
# A device with more lessons than this of each kind is known well enough.
VOTES_COUNTED: Final = 200
_KINDS: Final = ("video", "audio", "photo")
# What must be equal, where both say it, for two files of a folder to be of one device.
_SAME: Final = ("file_name.profile", "file_name.device", "register.device", "device.make", "device.model")


def history_of(connection: sa.Connection, known: Known, around: Around) -> History:
    """The votes of the device, and the nearest numbers before and after this one."""
    key = device_key(known, around)
    before, after = _beside_by_number(connection, known)
    is_asked = key and SOURCE in known.properties
    return History(votes=_votes(connection, key, known.original.id) if is_asked else {}, before=before, after=after)


def stirred(connection: sa.Connection, known: Known, facts: Facts) -> list[str]:
    """Recordings whose time was open, and for which these new facts of a neighbour, or of the device, may tell it."""
    found: list[str] = []
    time = facts.time
    is_sure = time is not None and time.uncertainty_s < WEAK_S and not any(one in time.method for one in NOT_BY_ITSELF)
    if is_sure and time != known.time:
        found += open_beside(connection, known)
    lesson = next((one.found for one in facts.properties if one.name == LESSON), None)
    before = known.properties.get(LESSON)
    if lesson is not None and (before is None or before.found != lesson):
        key = lesson.rpartition(" | ")[0]
        if sum(_votes(connection, key, known.original.id).values()) < VOTES_ENOUGH:
            waiting = sa.select(t.property_.c.original).where(_taught(OPEN), t.property_.c.found == key)
            found += connection.execute(waiting.limit(ANEW_MAX)).scalars()
    return sorted(set(found) - {known.original.id})


def open_beside(connection: sa.Connection, known: Known) -> list[str]:
    """Recordings next to it by name whose own sources do not tell their time."""
    return [row.id for row in _rows_beside(connection, known) if row.start_at is None or _is_weak(row)]


def _taught(name: str) -> sa.ColumnElement[bool]:
    """Properties of this name; SQLite uses an index on some rows only where the same words stand in the query."""
    written: list[Any] = [sa.literal_column(f"'{one}'") for one in (LESSON, OPEN)]
    return sa.and_(t.property_.c.name.in_(written), t.property_.c.name == name)


def _votes(connection: sa.Connection, key: str, but: str) -> dict[str, int]:
    """How many of the device's recordings show each reading, none counted further than so many."""
    found, counted = t.property_.c, {}
    for reading in READINGS:
        its = (_taught(LESSON), found.found == lesson_text(key, reading), found.original != but)
        some = sa.select(sa.literal(1)).where(*its).limit(VOTES_COUNTED).subquery()
        if count := connection.execute(sa.select(sa.func.count()).select_from(some)).scalar():
            counted[reading] = count
    return counted


def _beside_by_number(connection: sa.Connection, known: Known) -> tuple[Neighbour | None, Neighbour | None]:
    own = str(known.value("file_name.sequence", ""))
    if not own.isdecimal():
        return None, None
    number = int(own)
    rows = [row for row in _rows_beside(connection, known) if row.start_at is not None and not _is_weak(row)]
    if not rows:
        return None, None
    facts = _facts_of(connection, [row.id for row in rows])
    listed = [
        Neighbour(original=row.id, name=row.name, number=int(said), start_at=row.start_at, end_at=row.end_at,
                  uncertainty_s=row.uncertainty_s)
        for row in rows
        if (said := str(facts[row.id].get("file_name.sequence", ""))).isdecimal()
        and 0 < abs(int(said) - number) <= NUMBERS_APART and _is_same_device(known, facts[row.id])
    ]  # fmt: skip
    before = max((one for one in listed if one.number < number), key=lambda one: (one.number, one.end_at), default=None)
    after = min(
        (one for one in listed if one.number > number), key=lambda one: (one.number, one.start_at), default=None
    )
    if before and after and before.end_at > after.start_at:  # numbers began again, or a clock was set
        return None, None
    return before, after


def _is_same_device(known: Known, facts: dict[str, Any]) -> bool:
    return all(
        facts.get(name) == known.value(name) for name in _SAME if facts.get(name) is not None and known.value(name)
    ) and facts.get("file_name.profile") == known.value("file_name.profile")


def _rows_beside(connection: sa.Connection, known: Known) -> list[Any]:
    """(id, name, decided time) of recordings next to it by name in the folder that it came from."""
    found: dict[str, Any] = {}
    for arrival in known.arrivals[:1]:
        stem = PurePosixPath(arrival.name).stem
        place = (t.arrival.c.source == arrival.source, t.arrival.c.folder == arrival.folder)
        for side, order in (
            (t.arrival.c.stem < stem, t.arrival.c.stem.desc()),
            (t.arrival.c.stem > stem, t.arrival.c.stem),
        ):
            ids = sa.select(t.arrival.c.original).where(*place, side, t.arrival.c.original.is_not(None))
            near = connection.execute(ids.order_by(order).limit(BESIDE)).scalars().all()
            found |= {row.id: row for row in _timed(connection, near)}
    found.pop(known.original.id, None)
    return list(found.values())


def _timed(connection: sa.Connection, ids: Iterable[str]) -> Iterable[Any]:
    original, time = t.original.c, t.decided_time.c
    query = (
        sa.select(original.id, original.name, original.kind, original.parent, original.state, time.number,
                  time.start_at, time.end_at, time.uncertainty_s, time.method)
        .outerjoin(t.decided_time, time.original == original.id)
        .where(original.id.in_(list(ids)))
    )  # fmt: skip
    # Chosen here and not in the query: a database may think that all without a parent are fewer than these.
    rows = [row for row in connection.execute(query)
            if row.kind in _KINDS and row.parent is None and row.state != "disposed"]  # fmt: skip
    return sorted(rows, key=lambda row: row.number or 0)


def _facts_of(connection: sa.Connection, ids: Iterable[str]) -> dict[str, dict[str, Any]]:
    found = t.property_.c
    wanted = ("file_name.sequence", *_SAME)
    query = sa.select(found.original, found.name, found.value).where(
        found.original.in_(list(ids)), found.name.in_(wanted)
    )
    facts: dict[str, dict[str, Any]] = {one: {} for one in ids}
    for row in connection.execute(query):
        facts[row.original][row.name] = row.value
    return facts


def _is_weak(row: Any) -> bool:
    return row.uncertainty_s >= WEAK_S or any(method in row.method for method in NOT_BY_ITSELF)
