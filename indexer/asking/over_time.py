"""Hits over time: how many a search leaves for each year, month, week, day or hour between its first and its last hit.

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

Unit = Literal["hour", "day", "week", "month", "year"]
# So many are counted at most, of whatever unit; each is a question to the index.
BARS_MOST: Final = 24
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

    def places(sort: Sort) -> list[datetime]:
        return [_local(one.place, zone) for one in follower.search(Asked(node=dated, sort=sort, limit=1)).hits]

    firsts, lasts = places("time"), places("-time")
    if not firsts or not lasts:  # what was counted is gone meanwhile
        return OverTime(unit="day", bars=(), total=total, undated=total - dated_count)
    since, until = _asked_for(filters, zone=zone, now=now)
    first, last = (_within(one, since, until, zone) for one in (firsts[0], lasts[0]))
    unit = _unit_of(first, last)
    bars = tuple(
        Bar(start=_start_of(one, filters, since), end=_end_of(one, filters, until), at=one.at,
            hits=follower.count(All((node, During(one.low_ms, ms_of(one.to_at))))))
        for one in _stretches(unit, first, last)
    )  # fmt: skip
    return OverTime(unit=unit, bars=bars, total=total, undated=total - dated_count)


def _local(ms: int, zone: str) -> datetime:
    return (_EPOCH + timedelta(milliseconds=ms)).astimezone(ZoneInfo(zone))


@dataclass(frozen=True)
class _Stretch:
    """unit: of its length; open: all before it too, from whenever the person asked for."""

    unit: Unit
    at: datetime
    to_at: datetime
    open: bool = False

    @property
    def low_ms(self) -> int | None:
        return None if self.open else ms_of(self.at)


def _asked_for(filters: Filters, *, zone: str, now: datetime) -> tuple[datetime | None, datetime | None]:
    """The time that the person narrowed the search to, end excluded."""
    today = now.astimezone(ZoneInfo(zone)).date()
    start, end = (interval_said(one, today, zone) for one in (filters.start, filters.end))
    return start.start_at if start else None, end.end_at if end else None


def _within(at: datetime, since: datetime | None, until: datetime | None, zone: str) -> datetime:
    """What began before the time that is asked for belongs to its beginning."""
    at = at if since is None else max(at, since)
    at = at if until is None else min(at, until - timedelta(milliseconds=1))
    return at.astimezone(ZoneInfo(zone))


def _start_of(one: _Stretch, filters: Filters, since: datetime | None) -> str | None:
    """What to narrow by: never to more than the person did."""
    if one.open or (since is not None and since > one.at):
        return filters.start
    return _written(one.unit, one.at)


def _end_of(one: _Stretch, filters: Filters, until: datetime | None) -> str:
    if filters.end and until is not None and until < one.to_at:
        return filters.end
    return _written(one.unit, one.at + timedelta(days=6) if one.unit == "week" else one.at)


def _unit_of(first: datetime, last: datetime) -> Unit:
    """The finest of which there are not too many."""
    if first.date() == last.date():
        return "hour"
    if (last.date() - first.date()).days < BARS_MOST:
        return "day"
    if (_begin("week", last).date() - _begin("week", first).date()).days < 7 * BARS_MOST:
        return "week"
    months = (last.year - first.year) * 12 + last.month - first.month
    return "month" if months < BARS_MOST else "year"


def _stretches(unit: Unit, first: datetime, last: datetime) -> Iterator[_Stretch]:
    at = _begin(unit, first)
    if unit == "year" and last.year - first.year >= BARS_MOST:
        at = at.replace(year=last.year - BARS_MOST + 2)
        yield _Stretch(unit, at.replace(year=at.year - 1), at, open=True)
    while at <= last:
        following = _next(unit, at)
        yield _Stretch(unit, at, following)
        at = following


def _written(unit: Unit, at: datetime) -> str:
    """As times are written in `Filters`."""
    day = f"{at.year:04}-{at.month:02}-{at.day:02}"
    return {"hour": f"{day} {at.hour:02}时", "day": day, "week": day, "month": day[:7], "year": day[:4]}[unit]


def _begin(unit: Unit, at: datetime) -> datetime:
    at = at.replace(minute=0, second=0, microsecond=0)
    if unit == "hour":
        return at
    at = at.replace(hour=0)
    if unit == "day":
        return at
    if unit == "week":
        return at - timedelta(days=at.weekday())
    return at.replace(day=1, month=1) if unit == "year" else at.replace(day=1)


def _next(unit: Unit, at: datetime) -> datetime:
    match unit:
        case "hour":
            return at + timedelta(hours=1)
        case "day":
            return at + timedelta(days=1)
        case "week":
            return at + timedelta(days=7)
        case "month":
            return at.replace(year=at.year + at.month // 12, month=at.month % 12 + 1)
    return at.replace(year=at.year + 1)
