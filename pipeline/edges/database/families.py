"""A recording and its sidecars are one family: what holds for one of them holds for all."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from pipeline.edges.database import tables as t

_ITS = t.original.c


def of(originals: Any) -> sa.Select[Any]:
    """The identifiers of these originals and of all their families. originals: identifiers, or a query for them."""
    heads = sa.select(sa.func.coalesce(_ITS.parent, _ITS.id)).where(_ITS.id.in_(originals))
    return sa.select(_ITS.id).where(sa.or_(_ITS.id.in_(heads), _ITS.parent.in_(heads)))


def touch(connection: sa.Connection, originals: Any, seq: int) -> None:
    """These and their families have changed at this event: the index follows that."""
    mine = _ITS.id.in_(of(originals))
    connection.execute(sa.update(t.original).where(mine, _ITS.changed_seq < seq).values(changed_seq=seq))
