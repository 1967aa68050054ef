"""The catalog as what vault and log alone must be able to give back."""

from __future__ import annotations

import base64
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from pipeline.edges.catalog import Catalog
from pipeline.edges.database import accounts, decisions, isolations, registers, restrictions, watched
from pipeline.edges.database import tables as t


def dump(catalog: Catalog) -> dict[str, list[dict[str, Any]]]:
    """What vault and log alone must be able to give back, in a form that can be compared: originals,
    arrivals, custody events and what those made. A room that adds such a table adds its line."""
    drop = {"changed_seq", "state", "parent", "kind"}
    with catalog.snapshot() as connection:
        originals = connection.execute(sa.select(t.original).order_by(t.original.c.sha256)).mappings()
        arrivals = connection.execute(sa.select(t.arrival).order_by(t.arrival.c.id)).mappings()
        events = connection.execute(sa.select(t.event).order_by(t.event.c.seq)).mappings()
        return {
            "originals": [{k: _plain(v) for k, v in row.items() if k not in drop} for row in originals],
            "arrivals": [{k: _plain(v) for k, v in row.items()} for row in arrivals],
            "events": [{k: _plain(v) for k, v in row.items()} for row in events],
            "fixity": _rows(connection, t.fixity, t.fixity.c.original),
            "incidents": _rows(connection, t.incident, t.incident.c.id),
            "drops": _rows(connection, t.drop, t.drop.c.id),
            "rejections": _rows(connection, t.rejection, t.rejection.c.key),
            "holds": _rows(connection, t.hold, t.hold.c.id),
            "retained": _rows(connection, t.retained, t.retained.c.id),
            "restrictions": restrictions.dump(connection),
            "isolations": isolations.dump(connection),
            "assignments": _rows(connection, t.assignment, t.assignment.c.id),
            "disposals": _rows(connection, t.disposal, t.disposal.c.id),
            "links": [
                {k: v for k, v in row.items() if k != "id"}
                for row in _rows(connection, t.case_link, t.case_link.c.id)
                if row["finder"] == decisions.DECIDED
            ],
            "accounts": accounts.dump(connection),
            "watched": watched.dump(connection),
            "annotations": _rows(connection, t.annotation, t.annotation.c.id),
            "saved_searches": _rows(connection, t.saved_search, t.saved_search.c.id),
            "time_corrections": _rows(connection, t.time_correction, t.time_correction.c.original),
            **registers.dump(connection),
        }


def _plain(value: Any) -> Any:
    if isinstance(value, bytes | memoryview):
        return base64.b64encode(bytes(value)).decode()
    if isinstance(value, datetime):
        return value.isoformat()
    return int(value) if not isinstance(value, str | int | float | bool | dict | list | None) else value


def _rows(connection: sa.Connection, table: sa.Table, order: sa.Column[Any]) -> list[dict[str, Any]]:
    """Rows in this order, without the identifiers of cases, which each catalog gives anew; their numbers stay."""
    rows = connection.execute(sa.select(table).order_by(order)).mappings()
    return [{k: _plain(v) for k, v in row.items() if k != "case"} for row in rows]
