"""What else was recorded while this was: other recordings of the same cases, by decided time."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from pipeline.edges.database import tables as t

MOST: Final = 50


def meanwhile(connection: sa.Connection, original: str) -> list[str]:
    """Recordings of the cases of this one, no link refused, whose decided times share a part with its; earliest first,
    at most MOST."""
    own_link, link = t.case_link.alias(), t.case_link.alias()
    own_time, time = t.decided_time.alias(), t.decided_time.alias()
    query = (
        sa.select(link.c.original, sa.func.min(time.c.start_at).label("start_at"))
        .join(own_link, own_link.c.case == link.c.case)
        .join(own_time, own_time.c.original == own_link.c.original)
        .join(time, time.c.original == link.c.original)
        .join(t.original, t.original.c.id == link.c.original)
        .where(
            own_link.c.original == original, link.c.original != original, own_link.c.status != "refused",
            link.c.status != "refused", t.original.c.kind.in_(("video", "audio")), t.original.c.state != "disposed",
            time.c.start_at < own_time.c.end_at, time.c.end_at > own_time.c.start_at,
        )
        .group_by(link.c.original)
        .order_by("start_at", link.c.original)
        .limit(MOST)
    )  # fmt: skip
    return [row.original for row in connection.execute(query)]
