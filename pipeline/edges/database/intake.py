"""What intake writes and asks, inside a transaction of the caller's: originals and their arrivals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import PurePosixPath
from typing import Any

import sqlalchemy as sa

from pipeline.edges.database import tables as t
from pipeline.edges.database.rows import record_of
from pipeline.records import Arrival, Original, Stated


def add_original(connection: sa.Connection, original: Original, seq: int) -> None:
    """A new original, changed at this event."""
    connection.execute(sa.insert(t.original), {**asdict(original), "changed_seq": seq})


def add_arrival(connection: sa.Connection, arrival: Arrival, place: Mapping[str, Any]) -> None:
    """A new arrival. place: `path_raw`, `device_number`, `inode`, `sha256`, `place_key` as intake saw them."""
    values = {k: v for k, v in asdict(arrival).items() if k != "stated"}
    stated = {f"stated_{k}": v for k, v in asdict(arrival.stated).items()}
    # Beside the statement, not within it: a replay does this for every arrival there was.
    stem = PurePosixPath(arrival.name).stem
    connection.execute(sa.insert(t.arrival), {**values, **stated, **place, "stem": stem})


def arrival_at(connection: sa.Connection, place_key: str, sha256: str) -> Arrival | None:
    """The arrival of these bytes at this place, if they came there before."""
    row = connection.execute(
        sa.select(t.arrival).where(t.arrival.c.place_key == place_key, t.arrival.c.sha256 == sha256)
    ).one_or_none()
    return None if row is None else arrival_of(row)


def last_arrival_at(connection: sa.Connection, place_key: str) -> Arrival | None:
    """The newest arrival from this place, whatever its bytes."""
    query = sa.select(t.arrival).where(t.arrival.c.place_key == place_key).order_by(t.arrival.c.id.desc()).limit(1)
    row = connection.execute(query).one_or_none()
    return None if row is None else arrival_of(row)


def seen_again(connection: sa.Connection, arrival: str, *, mtime_ns: int, inode: int, device: int) -> None:
    """The same bytes still lie at the same place, under a newer date or file number."""
    connection.execute(
        sa.update(t.arrival)
        .where(t.arrival.c.id == arrival)
        .values(mtime_ns=mtime_ns, inode=inode, device_number=device)
    )


def original_with(connection: sa.Connection, sha256: str) -> Original | None:
    """The original with this digest, as this transaction sees it."""
    row = connection.execute(sa.select(t.original).where(t.original.c.sha256 == sha256)).one_or_none()
    return None if row is None else record_of(Original, row)


def arrival_of(row: Any) -> Arrival:
    """The arrival of a row of its table."""
    stated = Stated(**{name: getattr(row, f"stated_{name}") for name in Stated.__dataclass_fields__})
    return record_of(Arrival, row, name_raw=bytes(row.name_raw), stated=stated)
