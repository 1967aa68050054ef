"""Clock times that a written record tells of, as instants: what leads from a sentence to the second of a recording.

Covered: `2021年8月3日14时02分`, `14时02分05秒`, `14:02`, `下午2时`, `14点半`; a day that the text said before holds for
clock times behind it. Not covered: times in words alone (两点钟), days without their year.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Final
from zoneinfo import ZoneInfo

# Letters shown around a time, so that it is known what it is about.
_AROUND: Final = 28
_AFTER_NOON: Final = frozenset(("下午", "晚上", "傍晚", "夜间", "晚"))
_SAID: Final = re.compile(
    r"(?P<year>(?:19|20)\d\d)\s*[年./-]\s*(?P<month>\d{1,2})\s*[月./-]\s*(?P<day>\d{1,2})\s*日?"
    r"|(?P<part>凌晨|早上|上午|中午|下午|傍晚|晚上|夜间|晚)?\s*(?<![\d.])(?<!\d[:：])(?P<hour>[01]?\d|2[0-4])\s*"
    r"(?:[:：](?P<minute>[0-5]\d)(?:[:：](?P<second>[0-5]\d))?(?![\d:：])"
    r"|[时點点]\s*(?:(?P<min>[0-5]?\d)\s*分(?:\s*(?P<sec>[0-5]?\d)\s*秒)?|(?P<half>半)|整)"
    r"|时(?![间限长段效候期刻令机速常差值])\s*)"
)

_SPACE: Final = re.compile(r"\s")


@dataclass(frozen=True, kw_only=True)
class SaidTime:
    """A time as it stands in a text. snippet, marks: what stands around it, and where in that the time is."""

    at: datetime
    snippet: str
    marks: tuple[tuple[int, int], ...]


def said_times(text: str, day: date | None, zone: str) -> Iterator[SaidTime]:
    """Every clock time of the text whose day is known, in its order. day: of those before the first day it says."""
    for found in _SAID.finditer(text):
        if found["year"]:
            day = _day(found) or day
            continue
        clock = _clock(found)
        if day is not None and clock is not None:
            first, last = found.start("part" if found["part"] else "hour"), len(text[: found.end()].rstrip())
            low, high = max(0, first - _AROUND), last + _AROUND
            # One space for each letter that is none, so that places stay.
            yield SaidTime(at=datetime.combine(day, clock, ZoneInfo(zone)), snippet=_SPACE.sub(" ", text[low:high]),
                           marks=((first - low, last - low),))  # fmt: skip


def _day(found: re.Match[str]) -> date | None:
    try:
        return date(int(found["year"]), int(found["month"]), int(found["day"]))
    except ValueError:
        return None


def _clock(found: re.Match[str]) -> time | None:
    hour = int(found["hour"])
    if found["part"] in _AFTER_NOON and hour < 12:
        hour += 12
    minute = 30 if found["half"] else int(found["minute"] or found["min"] or 0)
    # The end of a day is written as 24 o'clock and is the day after: nobody films by it.
    return None if hour > 23 else time(hour, minute, int(found["second"] or found["sec"] or 0))
