"""The interval that words about time mean, in Chinese and as ISO 8601 writes it. Pure: today comes as an argument.

Reads days (昨天, 2021-08-03, 2021年8月3日, 8月3日, 上周五, 三天前), each with a part of the day or a clock time behind
it; weeks, weekends, months and their thirds, quarters, years and their halves; the last so many days (最近三天); from
one to another (至 到 ~ ..), since (以来) and before (以前). Not covered: the lunar calendar, clock times without a day.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from indexer.words.analysis import han_number, norm
from indexer.words.numerals import number_of

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
_QUARTERS_BACK = {"本季度": 0, "上季度": 1, "上个季度": 1}
# As people say it, and as it is read here.
_SAID = {
    "昨晚": "昨天晚上",
    "昨夜": "昨天晚上",
    "昨早": "昨天早上",
    "今早": "今天早上",
    "今晨": "今天清晨",
    "今晚": "今天晚上",
    "前晚": "前天晚上",
    "星期": "周",
    "礼拜": "周",
    "周天": "周日",
    "上个周": "上周",
    "这个周": "本周",
    "last week": "上周",
    "this week": "本周",
    "last month": "上月",
    "this month": "本月",
    "last year": "去年",
    "this year": "今年",
}
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
_COUNT = r"(?P<count>\d{1,3}|[一二两三四五六七八九十百]{1,4})"
_AGO = re.compile(rf"{_COUNT}(?P<unit>天|日|周|个?月|年)(?:以|之)?前")
_LAST = re.compile(rf"(?P<lead>最近|近|过去|这)?{_COUNT}(?P<unit>个?小时|天|日|周|个?月|年)(?P<within>以?内)?")
_WEEKDAY = re.compile(rf"(?P<lead>本|这|上|上上)?周(?P<weekday>[一二三四五六日]){_CLOCK}", re.VERBOSE)
_WEEKEND = re.compile(r"(?P<lead>本|这|上|上上)?周末")
_SPAN_OF_YEAR = re.compile(
    rf"""(?:(?P<year>\d{{4}})年?|(?P<yearword>{_any_of(_YEARS_BACK)}))?
        (?:第?(?P<quarter>[一二三四1-4])季度|q(?P<q>[1-4])|(?P<half>[上下])半年)""",
    re.VERBOSE,
)
_THIRD = re.compile(r"(?P<month>.{1,10}月)(?P<third>上旬|中旬|下旬|初|底|末)")
_OPEN = re.compile(r"(?P<from>.+?)(?:(?P<since>以来|至今|起|以后|之后|后)|(?:以前|之前|前))")
_FROM_TO = re.compile(r"\s*(?:至(?!今)|到|~|\.\.+|(?<=[日号月年])-(?=\d))\s*")
_DAY_ONLY = re.compile(r"(\d{1,2})[日号]")
_YEARLESS = re.compile(r"\d{1,2}月")


@dataclass(frozen=True)
class Interval:
    """From the first moment to the moment after the last, both with their zone; None is open."""

    start_at: datetime | None
    end_at: datetime | None


def interval_of(text: str, *, today: date, zone: str) -> Interval | None:
    """What the words mean in this zone; None where they are not about time, or name a day that does not exist.

    A day or month without its year is the latest that is not after today.
    """
    plain = _HAN_NUMBER.sub(lambda found: str(han_number(found.group())), norm(text).strip())
    for said, read in _SAID.items():
        plain = plain.replace(said, read)
    ends = _FROM_TO.split(plain.removeprefix("从").removeprefix("自"))
    try:
        if len(ends) == 2:
            return _from_to(ends[0], ends[1], today, ZoneInfo(zone))
        return _one(ends[0], today, ZoneInfo(zone)) if len(ends) == 1 else None
    except (ValueError, OverflowError):
        return None


def _from_to(first: str, last: str, today: date, zone: ZoneInfo) -> Interval | None:
    """The second end takes the year and month it does not say from the first."""
    start = _one(first, today, zone)
    if start is None or start.start_at is None:
        return None
    begun = start.start_at.astimezone(zone)
    if _DAY_ONLY.fullmatch(last):
        last = f"{begun.year}年{begun.month}月{last}"
    elif _YEARLESS.match(last):
        last = f"{begun.year}年{last}"
    end = _one(last, today, zone)
    if end is None or end.end_at is None or end.end_at <= start.start_at:
        return None
    return Interval(start.start_at, end.end_at)


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
        monday = _monday(today, _WEEKS_BACK[found.group()])
        return _days(monday, monday + timedelta(days=7), zone)
    for read in (_weekday, _weekend, _span_of_year, _third_of_month, _ago, _lately, _open):
        if interval := read(text, today, zone):
            return interval
    return _instant(text, zone)


def _monday(today: date, weeks_back: int) -> date:
    return today - timedelta(days=today.weekday(), weeks=weeks_back)


def _weeks_back(lead: str | None, today: date, weekday: int) -> int:
    """How many weeks back a day of the week lies; without a word for it the latest not after today."""
    if lead is None:
        return 0 if weekday <= today.weekday() else 1
    return _WEEKS_BACK[f"{lead}周"]


def _weekday(text: str, today: date, zone: ZoneInfo) -> Interval | None:
    if not (found := _WEEKDAY.fullmatch(text)):
        return None
    weekday = "一二三四五六日".index(found["weekday"])
    monday = _monday(today, _weeks_back(found["lead"], today, weekday))
    return _within_day(monday + timedelta(days=weekday), found, zone)


def _weekend(text: str, today: date, zone: ZoneInfo) -> Interval | None:
    if not (found := _WEEKEND.fullmatch(text)):
        return None
    monday = _monday(today, _weeks_back(found["lead"], today, 5))
    return _days(monday + timedelta(days=5), monday + timedelta(days=7), zone)


def _span_of_year(text: str, today: date, zone: ZoneInfo) -> Interval | None:
    """A quarter or half; without its year the latest that has begun."""
    if text in _QUARTERS_BACK:
        first = _months_on(date(today.year, (today.month - 1) // 3 * 3 + 1, 1), -3 * _QUARTERS_BACK[text])
        return _days(first, _months_on(first, 3), zone)
    if not (found := _SPAN_OF_YEAR.fullmatch(text)):
        return None
    if found["half"]:
        month, length = (1 if found["half"] == "上" else 7), 6
    else:
        quarter = found["quarter"] or found["q"]
        month, length = ("一二三四".find(quarter) + 1 or int(quarter)) * 3 - 2, 3
    if found["year"] or found["yearword"]:
        year = int(found["year"]) if found["year"] else today.year - _YEARS_BACK[found["yearword"]]
    else:
        year = today.year if month <= today.month else today.year - 1
    first = date(year, month, 1)
    return _days(first, _months_on(first, length), zone)


def _third_of_month(text: str, today: date, zone: ZoneInfo) -> Interval | None:
    found = _THIRD.fullmatch(text)
    month = _MONTH.fullmatch(found["month"]) if found else None
    if found is None or month is None:
        return None
    first = _month_of(month, today)
    begins = {"上旬": 1, "初": 1, "中旬": 11}.get(found["third"], 21)
    after = _next_month(first) if begins == 21 else first.replace(day=begins + 10)
    return _days(first.replace(day=begins), after, zone)


def _ago(text: str, today: date, zone: ZoneInfo) -> Interval | None:
    """The day, week, month or year that lies so far back."""
    found = _AGO.fullmatch(text)
    if found is None or (count := _counted(found["count"])) is None:
        return None
    match found["unit"].removeprefix("个"):
        case "天" | "日":
            day = today - timedelta(days=count)
            return _days(day, day + timedelta(days=1), zone)
        case "周":
            return _days(_monday(today, count), _monday(today, count - 1), zone)
        case "月":
            first = _months_on(today.replace(day=1), -count)
            return _days(first, _next_month(first), zone)
        case _:
            return _days(date(today.year - count, 1, 1), date(today.year - count + 1, 1, 1), zone)


def _lately(text: str, today: date, zone: ZoneInfo) -> Interval | None:
    """The last so many days, today the last of them; 小时 counts as the days they may reach into."""
    found = _LAST.fullmatch(text)
    if found is None or not (found["lead"] or found["within"]) or (count := _counted(found["count"])) is None:
        return None
    match found["unit"].removeprefix("个"):
        case "小时":
            first = today - timedelta(days=-(-count // 24))
        case "天" | "日":
            first = today - timedelta(days=count - 1)
        case "周":
            first = today - timedelta(days=7 * count - 1)
        case "月":
            first = _same_day(today, -count)
        case _:
            first = _same_day(today, -12 * count)
    return _days(first, today + timedelta(days=1), zone)


def _open(text: str, today: date, zone: ZoneInfo) -> Interval | None:
    """Since or before a time: 2021-08以来, 8月3日以前."""
    found = _OPEN.fullmatch(text)
    named = _one(found["from"], today, zone) if found else None
    if found is None or named is None or named.start_at is None or named.end_at is None:
        return None
    return Interval(named.start_at, None) if found["since"] else Interval(None, named.start_at)


def _counted(count: str) -> int | None:
    return int(count) if count.isdigit() else number_of(count)


def _months_on(first: date, months: int) -> date:
    """The first of the month so many months on."""
    counted = first.year * 12 + first.month - 1 + months
    return date(counted // 12, counted % 12 + 1, 1)


def _same_day(day: date, months: int) -> date:
    """The day so many months on, or the last of its month where that is shorter."""
    first = _months_on(day.replace(day=1), months)
    return min(first + timedelta(days=day.day - 1), _next_month(first) - timedelta(days=1))


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
        return _months_on(today.replace(day=1), -_MONTHS_BACK[found["word"]])
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
