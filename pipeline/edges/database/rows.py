"""Rows of the catalog and the records that they stand for: columns bear the names of a record's fields."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, TypeVar

import sqlalchemy as sa

R = TypeVar("R")


def record_of(kind: type[R], row: Any, **other: Any) -> R:
    """The record of this row. other: fields that are no columns of their names, or of another form there."""
    names: Any = kind.__dataclass_fields__  # type: ignore[attr-defined]
    return kind(**{name: getattr(row, name) for name in names if name not in other}, **other)


def put_row(connection: sa.Connection, table: sa.Table, values: Mapping[str, Any], *, key: str = "id") -> None:
    """The row of this key holds these values, be it new or known."""
    changed = sa.update(table).where(table.c[key] == values[key]).values(**values)
    if connection.execute(changed).rowcount == 0:
        connection.execute(sa.insert(table).values(**values))


def plain_of(record: Any) -> dict[str, Any]:
    """The record as plain JSON data, for its event: moments in ISO 8601."""
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in asdict(record).items()}


def in_pieces(ids: Sequence[str], size: int = 500) -> Iterator[Sequence[str]]:
    """These in pieces that one query may name."""
    for first in range(0, len(ids), size):
        yield ids[first : first + size]
