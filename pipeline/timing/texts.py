"""Times as files write them, read into digits, offset and precision; nothing is guessed.

The digits of a clock without a zone are kept as a datetime whose zone is *written* as UTC (`shown`): it says what
the clock showed, not which instant that was.

Covered: EXIF, ISO 8601 with any of its separators, the RIFF forms of cameras (`Tue Aug 03 10:10:10 2021`,
`2001/ 1/27 1:42PM`), ID3 years and months. Not covered: day-and-month orders that cannot be told apart
(`05.10.2009`), which are refused by name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Final

DAY_S: Final = 86400.0
MONTH_S: Final = 31 * DAY_S
YEAR_S: Final = 366 * DAY_S


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What a text says. shown: the clock's digits; offset_min: the zone the text states, None for none."""

    shown: datetime
    offset_min: int | None
    precision_s: float


@dataclass(frozen=True)
class Misread:
    """A text that is no time, and why in plain words."""

    reason: str


_ZONE = r"(?P<zone>Z|UTC|GMT|[+-]\d{1,2}(?::?\d{2})?)?"
_DAY_TIME = (
    r"(?P<hour>\d{1,2})[:.\-](?P<minute>\d{2})(?:[:.\-](?P<second>\d{2})(?:[.,](?P<fraction>\d+))?)?\s*(?P<half>[AP]M)?"
)
_FORMS: Final = tuple(
    re.compile(form, re.IGNORECASE)
    for form in (
        # 2021:08:03 10:10:10.123+08:00, 2021-08-03T10:10:10Z, 2003:08:27:00:09:15, 2001/ 1/27  1:42PM
        rf"(?P<year>\d{{4}})[:\-/.](?P<month>[ \d]\d|\d)[:\-/.](?P<day>[ \d]\d|\d)(?:[T :_]+{_DAY_TIME}\s*{_ZONE})?",
        # 20210803T101010+0800, 20210803101010
        r"(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})(?:[T ]?(?P<hour>\d{2})(?P<minute>\d{2})(?P<second>\d{2})?"
        rf"(?:[.,](?P<fraction>\d+))?\s*{_ZONE})?",
        # Tue Aug 03 10:10:10 2021
        r"(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*,?\s+(?P<name>[a-z]{3})[a-z]*\s+(?P<day>\d{1,2})\s+"
        rf"{_DAY_TIME}\s+(?:{_ZONE}\s+)?(?P<year>\d{{4}})",
        # Tue, 03 Aug 2021 10:10:10 +0800
        r"(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*,?\s+)?(?P<day>\d{1,2})[ \-](?P<name>[a-z]{3})[a-z]*[ \-]"
        rf"(?P<year>\d{{4}})\s+{_DAY_TIME}\s*{_ZONE}",
        r"(?P<year>\d{4})[:\-/.](?P<month>\d{2})",
        r"(?P<year>\d{4})",
    )
)
_TURNED = re.compile(r"(?P<first>\d{1,2})[./\-](?P<second_part>\d{1,2})[./\-](?P<year>\d{4})\b")
_MONTHS: Final = {
    "jan": 1, "feb": 2, "mar": 3, "apr": 4, "may": 5, "jun": 6,
    "jul": 7, "aug": 8, "sep": 9, "oct": 10, "nov": 11, "dec": 12,
}  # fmt: skip
_OFFSET = re.compile(r"([+-])?(\d{1,2})(?::?(\d{2}))?")


def read_time(text: str) -> Reading | Misread:
    """What the text says, or why it says nothing. Second 60 is the next minute; 24:00 and month 0 are refused."""
    plain = " ".join(text.replace("\0", " ").split())
    if not plain or not re.search(r"[1-9]", plain):
        return Misread("it was left empty")
    if plain.upper().startswith("UTC "):
        plain = f"{plain[4:]} UTC"
    for form in _FORMS:
        if match := form.fullmatch(plain):
            return _reading(match.groupdict(), plain)
    if _TURNED.match(plain):
        return Misread("day and month cannot be told apart")
    return Misread("it is not a date")


def offset_min_of(text: str) -> int | None:
    """Minutes east of UTC (`+08:00`, `+0800`, `+8`, `Z`); None where it states no zone in use on Earth."""
    plain = text.replace("\0", " ").strip().upper()
    if plain in ("Z", "UTC", "GMT"):
        return 0
    match = _OFFSET.fullmatch(plain)
    if match is None:
        return None
    minutes = int(match[2]) * 60 + int(match[3] or 0)
    if int(match[3] or 0) > 59 or minutes > 14 * 60:
        return None
    return -minutes if match[1] == "-" else minutes


def shown_of(
    year: int, month: int, day: int, hour: int = 0, minute: int = 0, second: int = 0, microsecond: int = 0
) -> datetime:
    """The digits as a datetime; second 60 becomes the next minute. Raises ValueError for a date that is none."""
    stamp = datetime(year, month, day, hour, minute, min(second, 59), microsecond, tzinfo=UTC)
    if second > 60:
        raise ValueError(f"there is no second {second}")
    return stamp + timedelta(seconds=1) if second == 60 else stamp


def instant_of(shown: datetime, zone: tzinfo | int) -> datetime:
    """The instant at which a clock in that zone (or so many minutes east of UTC) showed these digits."""
    if isinstance(zone, int):
        return shown - timedelta(minutes=zone)
    return shown.replace(tzinfo=zone).astimezone(UTC)


def shown_in(at: datetime, zone: tzinfo | int) -> datetime:
    """The digits that a clock in that zone shows at the instant."""
    if isinstance(zone, int):
        return at.astimezone(UTC) + timedelta(minutes=zone)
    return at.astimezone(zone).replace(tzinfo=UTC)


def with_fraction(reading: Reading, digits: str) -> Reading:
    """The reading with the fraction that a second field holds (`SubSecTime`); unread digits change nothing."""
    plain = digits.replace("\0", " ").strip()
    if not plain.isascii() or not plain.isdigit() or reading.precision_s != 1.0:
        return reading
    return Reading(
        shown=reading.shown.replace(microsecond=int(plain[:6].ljust(6, "0"))),
        offset_min=reading.offset_min,
        precision_s=10.0 ** -min(len(plain), 6),
    )


def _reading(found: dict[str, str | None], plain: str) -> Reading | Misread:
    hour = int(found.get("hour") or 0)
    half = (found.get("half") or "").upper()
    if half:
        hour = hour % 12 + (12 if half == "PM" else 0)
    name = found.get("name")
    month = _MONTHS.get(name.lower(), 0) if name else int(found.get("month") or 1)
    fraction = found.get("fraction") or ""
    try:
        shown = shown_of(
            int(found["year"] or 0),
            month,
            int(found.get("day") or 1),
            hour,
            int(found.get("minute") or 0),
            int(found.get("second") or 0),
            int(fraction[:6].ljust(6, "0") or 0),
        )
    except (ValueError, OverflowError):
        return Misread(f"there is no such moment as {plain}")
    zone = found.get("zone")
    return Reading(shown=shown, offset_min=offset_min_of(zone) if zone else None, precision_s=_precision_s(found))


def _precision_s(found: dict[str, str | None]) -> float:
    if found.get("fraction"):
        return float(10.0 ** -min(len(found["fraction"] or ""), 6))
    for part, step_s in (("second", 1.0), ("minute", 60.0), ("day", DAY_S), ("month", MONTH_S)):
        if found.get(part):
            return step_s
    return YEAR_S


def midnight_of(day: date) -> datetime:
    """The first moment of the day, as digits."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
