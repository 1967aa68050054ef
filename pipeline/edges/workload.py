"""The pipeline's work as a whole: what waits for how long, what failed and for which reason, how fast files come in.

Reads only. Reasons are told without what names one file, so that the same fault of many files is one group.
"""

from __future__ import annotations

import json
import re
import statistics
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa

from pipeline.edges import tables as t
from pipeline.edges.catalog import Catalog

OPEN: Final = ("waiting", "running", "failed", "cancelled")
RECENT: Final = timedelta(days=7)
# So many of the last jobs of a stage say how long one takes.
LATEST: Final = 200
_NAMING: Final = re.compile(
    r"(?:/[^\s/:'\"]+)+/?|\b[0-9a-f]{16,}\b|\b[0-9A-HJKMNP-TV-Z]{26}\b|'[^']{1,300}'|\"[^\"]{1,300}\"|“[^”]{1,300}”|\b\d{3,}\b"
)


@dataclass(frozen=True, kw_only=True)
class Queue:
    """One stage of one lane. oldest_s: for how long the oldest waits; typical_s: how long the last ones ran, half of
    them longer; None where nothing waits, or nothing has run."""

    lane: str
    stage: str
    waiting: int
    running: int
    failed: int
    oldest_s: float | None
    typical_s: float | None


@dataclass(frozen=True, kw_only=True)
class Failures:
    """Jobs of one stage that failed for the same reason. reason: without what names one file; last_at: of the last."""

    stage: str
    reason: str
    jobs: tuple[str, ...]
    last_at: datetime | None


def gist(reason: str | None) -> str:
    """The reason without paths, identifiers, digests, quoted names and long numbers."""
    return _NAMING.sub("…", reason or "").strip()[:300]


def queues(catalog: Catalog, now: datetime) -> list[Queue]:
    """Every stage that has open work, the one whose oldest job waits longest first."""
    c = t.job.c
    counted = sa.select(c.lane, c.stage, c.state, sa.func.count(), sa.func.min(c.waiting_since, type_=t.Instant()))
    with catalog.snapshot() as connection:
        rows = connection.execute(counted.where(c.state.in_(OPEN)).group_by(c.lane, c.stage, c.state)).all()
        found: dict[tuple[str, str], dict[str, tuple[int, datetime | None]]] = defaultdict(dict)
        for lane, stage, state, count, since in rows:
            found[lane, stage][state] = (count, since)
        typical = {key: _typical_s(connection, *key) for key in found}
    listed = [
        Queue(
            lane=key[0], stage=key[1], waiting=by.get("waiting", (0, None))[0], running=by.get("running", (0, None))[0],
            failed=by.get("failed", (0, None))[0], oldest_s=_age_s(by.get("waiting", (0, None))[1], now),
            typical_s=typical[key],
        )
        for key, by in found.items()
    ]  # fmt: skip
    return sorted(listed, key=lambda one: (-(one.oldest_s or -1.0), one.lane, one.stage))


def _age_s(since: datetime | None, now: datetime) -> float | None:
    return None if since is None else max((now - since).total_seconds(), 0.0)


def _typical_s(connection: sa.Connection, lane: str, stage: str) -> float | None:
    c = t.job.c
    query = sa.select(c.started_at, c.ended_at).where(c.lane == lane, c.stage == stage, c.state == "done")
    query = query.where(c.started_at.is_not(None), c.ended_at.is_not(None)).order_by(c.ended_at.desc()).limit(LATEST)
    took_s: list[float] = [(row.ended_at - row.started_at).total_seconds() for row in connection.execute(query)]
    return float(statistics.median(took_s)) if took_s else None


def failures(catalog: Catalog) -> list[Failures]:
    """Failed jobs by stage and reason, the largest group first."""
    c = t.job.c
    query = sa.select(c.id, c.stage, c.reason, c.ended_at).where(c.state == "failed").order_by(c.id)
    with catalog.snapshot() as connection:
        rows = connection.execute(query).all()
    groups: dict[tuple[str, str], list[Any]] = defaultdict(list)
    for row in rows:
        groups[row.stage, gist(row.reason)].append(row)
    found = [
        Failures(
            stage=stage, reason=reason, jobs=tuple(row.id for row in rows),
            last_at=max((row.ended_at for row in rows if row.ended_at), default=None),
        )
        for (stage, reason), rows in groups.items()
    ]  # fmt: skip
    return sorted(found, key=lambda one: (-len(one.jobs), one.stage, one.reason))


def intake_bytes_per_hour(catalog: Catalog, now: datetime) -> float | None:
    """How many bytes came in an hour in the last `RECENT`; None where none did. A shorter history counts as its own
    length, at least an hour."""
    c = t.original.c
    query = sa.select(sa.func.sum(c.size_bytes), sa.func.min(c.accepted_at, type_=t.Instant()))
    with catalog.snapshot() as connection:
        total, first = connection.execute(query.where(c.accepted_at > now - RECENT)).one()
    if not total:
        return None
    return float(total) / max(float((now - first).total_seconds()) / 3600, 1.0)


def happened_to(catalog: Catalog, original: str, job: str) -> list[dict[str, Any]]:
    """The log's entries of this job, oldest first: its ends, retries and cancellations."""
    _, lane, stage = [*job.split("-", 2), "", ""][:3]
    return [one for one in _read(catalog.events_of(original)) if _is_of(one, job, lane, stage)]


def _read(lines: Iterable[str]) -> Iterable[dict[str, Any]]:
    return (json.loads(line) for line in lines)


def _is_of(event: dict[str, Any], job: str, lane: str, stage: str) -> bool:
    facts = event["facts"]
    if event["type"].startswith("job."):
        return bool(facts.get("job") == job)
    return bool(event["type"] == f"stage.{stage}" and facts.get("lane") == lane)


def counters(catalog: Catalog) -> dict[str, dict[str, float]]:
    """What metrics tell, by stage: `done`, `failed`, `seconds` that the done ones ran, `success_s` and `error_s`,
    when the last one ended so, in seconds since 1970."""
    c = t.job.c
    query = sa.select(c.stage, c.state, sa.func.count(), sa.func.max(c.ended_at, type_=t.Instant()))
    found: dict[str, dict[str, float]] = defaultdict(dict)
    with catalog.snapshot() as connection:
        for stage, state, count, last in connection.execute(query.group_by(c.state, c.stage)):
            found[stage][state] = count
            if last is not None and state in ("done", "failed"):
                found[stage]["success_s" if state == "done" else "error_s"] = last.timestamp()
    return dict(found)
