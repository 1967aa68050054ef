"""Names made from a profile's own pattern, for moments that are chosen first."""

from __future__ import annotations

import re
import re._constants as sre
import re._parser as parser
import string
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from pipeline.rules import NameProfile

EARLIEST = datetime(2010, 1, 1, tzinfo=UTC)
_LETTERS = string.ascii_uppercase + string.digits
_HAN = "现场检查询问笔录大厅监控"


@dataclass(frozen=True)
class Made:
    """A name, its folder, and what its groups were made from."""

    folder: str
    name: str
    start: datetime | None
    end: datetime | None
    groups: dict[str, str]


def names_of(profile: NameProfile, count: int, chance: Random) -> Iterator[Made]:
    """So many names of this profile, with their moments."""
    tree = parser.parse(profile.pattern.pattern, re.IGNORECASE)
    made, tries = 0, 0
    while made < count:
        tries += 1
        assert tries < 50 * count, f"{profile.name}: its pattern makes too few names"
        begun = EARLIEST + timedelta(seconds=chance.randrange(500_000_000), milliseconds=chance.randrange(1000))
        moments = _moments(begun, begun + timedelta(seconds=chance.randrange(1, 3600)))
        text = _text(tree, moments, chance)
        match = profile.pattern.search(text)
        # What stands around a number, and ends that a pattern looks ahead for, are not made but tried.
        if match is None or ("/" in text and profile.on == "name"):
            continue
        groups = {name: found for name, found in match.groupdict().items() if found}
        if any(groups[name] != moments[name] for name in groups if name in moments and name not in _PADDED):
            continue
        folder, _, name = text.rpartition("/")
        yield Made(folder, name, *_expected(profile, groups, begun, moments), groups)
        made += 1


_PADDED = ("month", "day", "hour", "minute")


def _moments(begun: datetime, ended: datetime) -> dict[str, str]:
    return {
        "year": f"{begun:%Y}", "month": f"{begun:%m}", "day": f"{begun:%d}", "hour": f"{begun:%H}",
        "minute": f"{begun:%M}", "second": f"{begun:%S}", "year2": f"{begun:%y}", "date8": f"{begun:%Y%m%d}",
        "date6": f"{begun:%y%m%d}", "time6": f"{begun:%H%M%S}", "stamp14": f"{begun:%Y%m%d%H%M%S}",
        "epoch_ms": str(round(begun.timestamp() * 1000)), "end14": f"{ended:%Y%m%d%H%M%S}",
        "end_date8": f"{ended:%Y%m%d}", "end_time6": f"{ended:%H%M%S}", "end_hour": f"{ended:%H}",
        "end_minute": f"{ended:%M}", "end_second": f"{ended:%S}",
    }  # fmt: skip


def _expected(
    profile: NameProfile, groups: dict[str, str], begun: datetime, moments: dict[str, str]
) -> tuple[datetime | None, datetime | None]:
    """Start and end that a reader must find: as much of the moments as the name holds."""
    if not profile.gives_time or not groups.keys() & {"year", "year2", "date8", "date6", "stamp14", "epoch_ms"}:
        return None, None
    start = begun.replace(microsecond=0)
    if "epoch_ms" in groups:
        start = begun.replace(microsecond=begun.microsecond // 1000 * 1000)
    elif not groups.keys() & {"time6", "stamp14", "second"}:
        start = start.replace(second=0)
        if "hour" not in groups:
            start = start.replace(hour=0, minute=0)
    if "fraction" in groups:
        start += timedelta(microseconds=round(float(f"0.{groups['fraction']}") * 10**6))
    if not groups.keys() & {"end14", "end_time6", "end_hour"}:
        return start, None
    return start, datetime.strptime(moments["end14"], "%Y%m%d%H%M%S").replace(tzinfo=UTC)


def _text(tree: Any, moments: dict[str, str], chance: Random) -> str:
    names = {number: name for name, number in tree.state.groupdict.items()}

    def of(items: Sequence[Any]) -> str:
        return "".join(one(op, value) for op, value in items)

    def repeated(value: Any) -> str:
        least, most, inner = value
        count = chance.randint(least, min(most, least + 6))
        return "".join(of(inner) for _ in range(count))

    def group(value: Any) -> str:
        name = names.get(value[0], "")
        text = of(value[3])
        return moments.get(name, text)

    makers: dict[Any, Callable[[Any], str]] = {
        sre.LITERAL: chr,
        sre.NOT_LITERAL: lambda value: "x" if value != ord("x") else "y",
        sre.ANY: lambda _: chance.choice(_HAN + _LETTERS),
        sre.IN: lambda value: _one_of(value, chance),
        sre.BRANCH: lambda value: of(chance.choice(value[1])),
        sre.SUBPATTERN: group,
        sre.MAX_REPEAT: repeated,
        sre.MIN_REPEAT: repeated,
        sre.POSSESSIVE_REPEAT: repeated,
    }

    def one(op: Any, value: Any) -> str:
        return makers[op](value) if op in makers else ""

    return of(tree)


def _one_of(choices: Sequence[Any], chance: Random) -> str:
    if choices[0][0] is sre.NEGATE:
        return chance.choice("abc")
    op, value = chance.choice(choices)
    if op is sre.RANGE:
        return chr(chance.randint(*value))
    if op is sre.CATEGORY:
        return chance.choice({sre.CATEGORY_DIGIT: string.digits, sre.CATEGORY_SPACE: " "}.get(value, _LETTERS))
    return chr(value)
