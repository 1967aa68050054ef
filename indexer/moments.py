"""The interval that words about time mean, in Chinese and as ISO 8601 writes it. Pure: today comes as an argument.

Reads days (昨天, 2021-08-03, 2021年8月3日, 8月3日), months, years, weeks, each with a part of the day or a clock time
behind it, and from one to another (至 到 ~ ..). Not covered: the lunar calendar, 三天前, clock times without a day.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from indexer.analysis import han_number, norm

# Hours from and to, as the words are used for the day in China; 晚上 ends with the day.
_PARTS = {
    "凌晨": (0, 6),
    "清晨": (5, 8),
    "早上": (5, 9),
    "早晨": (5, 9),
    "上午": (6, 12),
    "中午": (11, 14),
    "下午": (12, 18),
    "傍晚": (17, 20),
    "晚上": (18, 24),
    "夜间": (18, 24),
}
_AFTER_NOON = frozenset({"下午", "傍晚", "晚上", "夜间"})
_DAYS_BACK = {"今天": 0, "今日": 0, "today": 0, "昨天": 1, "昨日": 1, "yesterday": 1, "前天": 2, "大前天": 3}
_YEARS_BACK = {"今年": 0, "去年": 1, "前年": 2}
_WEEKS_BACK = {"本周": 0, "这周": 0, "上周": 1, "上上周": 2}
_MONTHS_BACK = {"本月": 0, "这个月": 0, "上月": 1, "上个月": 1}
_HAN_NUMBER = re.compile(r"[一二三四五六七八九十]{1,3}(?=[月日号点时分])")


def _any_of(words: dict[str, int] | dict[str, tuple[int, int]]) -> str:
    return "|".join(sorted(words, key=len, reverse=True))


_CLOCK = rf"""
    \s*(?P<part>{_any_of(_PARTS)})?
    \s*(?:t?(?P<hour>\d{{1,2}})(?::(?P<minute>\d\d)(?::(?P<second>\d\d))?|[点时](?:(?P<m2>\d{{1,2}})分?|(?P<half>半))?整?))?
"""
_DAY = re.compile(
    rf"""(?:
        (?P<word>{_any_of(_DAYS_BACK)})
      | (?:(?P<year>\d{{4}})年|(?P<yearword>{_any_of(_YEARS_BACK)}))?(?P<month>\d{{1,2}})月(?P<day>\d{{1,2}})[日号]
      | (?P<y2>\d{{4}})(?P<sep>[-/.])(?P<mo2>\d{{1,2}})(?P=sep)(?P<d2>\d{{1,2}})
    ){_CLOCK}""",
    re.VERBOSE,
)
_MONTH = re.compile(
    rf"""(?:(?P<year>\d{{4}})年|(?P<yearword>{_any_of(_YEARS_BACK)}))?(?P<month>\d{{1,2}})月份?
       | (?P<y2>\d{{4}})[-/.](?P<mo2>\d{{1,2}})
       | (?P<word>{_any_of(_MONTHS_BACK)})""",
    re.VERBOSE,
)
_YEAR = re.compile(rf"(?P<year>\d{{4}})年度?|(?P<word>{_any_of(_YEARS_BACK)})")
_WEEK = re.compile(_any_of(_WEEKS_BACK))
_FROM_TO = re.compile(r"\s*(?:至|到|~|\.\.+)\s*")
_DAY_ONLY = re.compile(r"(\d{1,2})[日号]")
_YEARLESS = re.compile(r"\d{1,2}月")


@dataclass(frozen=True)
class Interval:
    """From the first moment to the moment after the last, both with their zone."""

    start_at: datetime
    end_at: datetime


def interval_of(text: str, *, today: date, zone: str) -> Interval | None:
    """What the words mean in this zone; None where they are not about time, or name a day that does not exist.

    A day or month without its year is the latest that is not after today.
    """
    plain = _HAN_NUMBER.sub(lambda found: str(han_number(found.group())), norm(text).strip())
    ends = _FROM_TO.split(plain)
    try:
        if len(ends) == 2:
            return _from_to(ends[0], ends[1], today, ZoneInfo(zone))
        return _one(plain, today, ZoneInfo(zone))
    except ValueError:
        return None


def _from_to(first: str, last: str, today: date, zone: ZoneInfo) -> Interval | None:
    """The second end takes the year and month it does not say from the first."""
    start = _one(first, today, zone)
    if start is None:
        return None
    begun = start.start_at.astimezone(zone)
    if _DAY_ONLY.fullmatch(last):
        last = f"{begun.year}年{begun.month}月{last}"
    elif _YEARLESS.match(last):
        last = f"{begun.year}年{last}"
    end = _one(last, today, zone)
    return Interval(start.start_at, end.end_at) if end and end.end_at > start.start_at else None


def _one(text: str, today: date, zone: ZoneInfo) -> Interval | None:
    if found := _DAY.fullmatch(text):
        return _within_day(_day_of(found, today), found, zone)
    if found := _MONTH.fullmatch(text):
        first = _month_of(found, today)
        return _days(first, _next_month(first), zone)
    if found := _YEAR.fullmatch(text):
        year = int(found["year"]) if found["year"] else today.year - _YEARS_BACK[found["word"]]
        return _days(date(year, 1, 1), date(year + 1, 1, 1), zone)
    if found := _WEEK.fullmatch(text):
        monday = today - timedelta(days=today.weekday(), weeks=_WEEKS_BACK[found.group()])
        return _days(monday, monday + timedelta(days=7), zone)
    return _instant(text, zone)


def _day_of(found: re.Match[str], today: date) -> date:
    if found["word"]:
        return today - timedelta(days=_DAYS_BACK[found["word"]])
    month, day = int(found["month"] or found["mo2"]), int(found["day"] or found["d2"])
    if found["year"] or found["y2"]:
        return date(int(found["year"] or found["y2"]), month, day)
    if found["yearword"]:
        return date(today.year - _YEARS_BACK[found["yearword"]], month, day)
    # 29 February may lie up to eight years back (1896 to 1904).
    for year in range(today.year, today.year - 9, -1):
        if _exists(year, month, day) and date(year, month, day) <= today:
            return date(year, month, day)
    raise ValueError(f"there is no day {month}-{day}")


def _exists(year: int, month: int, day: int) -> bool:
    return 1 <= month <= 12 and 1 <= day <= (_next_month(date(year, month, 1)) - timedelta(days=1)).day


def _month_of(found: re.Match[str], today: date) -> date:
    if found["word"]:
        months = today.year * 12 + today.month - 1 - _MONTHS_BACK[found["word"]]
        return date(months // 12, months % 12 + 1, 1)
    month = int(found["month"] or found["mo2"])
    if found["yearword"]:
        return date(today.year - _YEARS_BACK[found["yearword"]], month, 1)
    if found["year"] or found["y2"]:
        return date(int(found["year"] or found["y2"]), month, 1)
    return date(today.year if month <= today.month else today.year - 1, month, 1)


def _next_month(first: date) -> date:
    return date(first.year + first.month // 12, first.month % 12 + 1, 1)


def _days(first: date, after: date, zone: ZoneInfo) -> Interval:
    return Interval(datetime.combine(first, time(), zone), datetime.combine(after, time(), zone))


def _within_day(day: date, found: re.Match[str], zone: ZoneInfo) -> Interval:
    part = found["part"]
    if found["hour"] is None:
        if part is None:
            return _days(day, day + timedelta(days=1), zone)
        first, after = _PARTS[part]
        start = datetime.combine(day, time(first), zone)
        return Interval(start, start + timedelta(hours=after - first))
    hour = int(found["hour"])
    if part in _AFTER_NOON and hour < 12:
        hour += 12
    minute = found["minute"] or found["m2"] or ("30" if found["half"] else None)
    start = datetime.combine(day, time(hour, int(minute or 0), int(found["second"] or 0)), zone)
    step = timedelta(seconds=1) if found["second"] else timedelta(minutes=1) if minute else timedelta(hours=1)
    return Interval(start, start + step)


def _instant(text: str, zone: ZoneInfo) -> Interval | None:
    """A whole ISO 8601 time, with its zone or in this one."""
    if not re.match(r"\d{4}-\d\d-\d\d[t ]", text):
        return None
    at = datetime.fromisoformat(text.upper())
    return Interval(at if at.tzinfo else at.replace(tzinfo=zone), (at if at.tzinfo else at.replace(tzinfo=zone)))
