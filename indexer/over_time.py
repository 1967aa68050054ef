"""Hits over time: how many a search leaves for each year, month, day or hour between its first and its last hit.

Each number is what the search finds where it is narrowed to that time, asked of the index like any search and with the
same permissions; a recording that lasts over midnight, or whose time is unsure by so much, counts on both days.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, Literal
from zoneinfo import ZoneInfo

from indexer import access
from indexer.access import Reviewer
from indexer.document import ms_of
from indexer.search import Filters, KnownOriginals, interval_said, seen_in_index, tree_of
from indexer.tree import All, During

if TYPE_CHECKING:
    from indexer.follower import Follower

Unit = Literal["hour", "day", "month", "year"]
# So many are counted at most; each is a question to the index.
DAYS_MOST, MONTHS_MOST, YEARS_MOST = 31, 36, 40
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ALL: Final = During(ms_of(datetime(1, 1, 2, tzinfo=UTC)), ms_of(datetime(9999, 12, 30, tzinfo=UTC)))


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A stretch of time. start, end: what to narrow by, as `Filters` take it; start None: everything up to end."""

    start: str | None
    end: str
    at: datetime
    hits: int


@dataclass(frozen=True, kw_only=True)
class OverTime:
    """bars: in order, those without a hit too. undated: hits without a time; total: of all hits."""

    unit: Unit
    bars: tuple[Bar, ...]
    total: int
    undated: int


def over_time(
    reviewer: Reviewer, text: str, filters: Filters, *, follower: Follower, catalog: KnownOriginals, zone: str,
    now: datetime,
) -> OverTime:  # fmt: skip
    """What this search finds, by time in this zone. Raises NotAllowed, BadInput as `search` does."""
    from indexer.contract import Asked, Sort

    access.require(reviewer, "search")
    tree = tree_of(text, filters, zone=zone, now=now)
    follower.follow_for_search()
    node = All((tree, access.visible(reviewer), seen_in_index(reviewer, follower, catalog)[1]))
    total, dated = follower.count(node), All((node, _ALL))
    dated_count = follower.count(dated)
    if not dated_count:
        return OverTime(unit="day", bars=(), total=total, undated=total)

    def place(sort: Sort) -> datetime:
        return _local(follower.search(Asked(node=dated, sort=sort, limit=1)).hits[0].place, zone)

    first, last = _clamped(place("time"), place("-time"), filters, zone=zone, now=now)
    unit = _unit_of(first, last)
    bars = tuple(
        Bar(start=start, end=end, at=at, hits=follower.count(All((node, During(low_ms, ms_of(to_at))))))
        for start, end, at, low_ms, to_at in _stretches(unit, first, last)
    )
    return OverTime(unit=unit, bars=bars, total=total, undated=total - dated_count)


def _local(ms: int, zone: str) -> datetime:
    return (_EPOCH + timedelta(milliseconds=ms)).astimezone(ZoneInfo(zone))


def _clamped(first: datetime, last: datetime, filters: Filters, *, zone: str, now: datetime) -> tuple[datetime, ...]:
    """What began before the time that is asked for belongs to its beginning."""
    today = now.astimezone(ZoneInfo(zone)).date()
    start, end = (interval_said(one, today, zone) for one in (filters.start, filters.end))
    if start and start.start_at:
        first, last = max(first, start.start_at), max(last, start.start_at)
    if end and end.end_at:
        latest = end.end_at - timedelta(milliseconds=1)
        first, last = min(first, latest), min(last, latest)
    return first.astimezone(ZoneInfo(zone)), last.astimezone(ZoneInfo(zone))


def _unit_of(first: datetime, last: datetime) -> Unit:
    if first.date() == last.date():
        return "hour"
    if (last.date() - first.date()).days < DAYS_MOST:
        return "day"
    months = (last.year - first.year) * 12 + last.month - first.month
    return "month" if months < MONTHS_MOST else "year"


def _stretches(
    unit: Unit, first: datetime, last: datetime
) -> Iterator[tuple[str | None, str, datetime, int | None, datetime]]:
    """Each of them: what to narrow by, its beginning, its first millisecond (None: all before too), and its end."""
    at = _begin(unit, first)
    if unit == "year" and last.year - first.year >= YEARS_MOST:
        at = at.replace(year=last.year - YEARS_MOST + 2)
        before = at.replace(year=at.year - 1)
        yield None, _written(unit, before), before, None, at
    while at <= last:
        following = _next(unit, at)
        yield _written(unit, at), _written(unit, at), at, ms_of(at), following
        at = following


def _written(unit: Unit, at: datetime) -> str:
    """As times are written in `Filters`."""
    day = f"{at.year:04}-{at.month:02}-{at.day:02}"
    return {"hour": f"{day} {at.hour:02}时", "day": day, "month": day[:7], "year": day[:4]}[unit]


def _begin(unit: Unit, at: datetime) -> datetime:
    at = at.replace(minute=0, second=0, microsecond=0)
    if unit == "hour":
        return at
    at = at.replace(hour=0)
    if unit == "day":
        return at
    return at.replace(day=1, month=1) if unit == "year" else at.replace(day=1)


def _next(unit: Unit, at: datetime) -> datetime:
    match unit:
        case "hour":
            return at + timedelta(hours=1)
        case "day":
            return at + timedelta(days=1)
        case "month":
            return at.replace(year=at.year + at.month // 12, month=at.month % 12 + 1)
    return at.replace(year=at.year + 1)
