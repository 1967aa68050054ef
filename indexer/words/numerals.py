"""Numbers written out, as digits: 第二十三条, 四十八瓶, 叁仟元整, 2.5万元, 25,000. Pure.

What is found is added to what stands there and never replaces it, so a name that only looks like a number is still
found as it is written. Not covered: fractions in words, and lone figures that count nothing (一 in 一起).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

_DIGITS = {character: value for value, character in enumerate("零一二三四五六七八九")}
_DIGITS |= {character: value for value, character in enumerate("〇壹贰叁肆伍陆柒捌玖")}
_DIGITS |= {"两": 2}
_PLACES = {"十": 10, "拾": 10, "百": 100, "佰": 100, "千": 1000, "仟": 1000}
_MYRIADS = {"万": 10_000, "亿": 100_000_000}
_WRITTEN = "".join((*_DIGITS, *_PLACES, *_MYRIADS))
_NUMBER = re.compile(
    rf"(?P<grouped>(?<![\d,.])\d{{1,3}}(?:,\d{{3}})+(?![\d,]))"
    rf"|(?P<rounded>(?<![\d.,])\d{{1,8}}(?:\.\d{{1,4}})?)(?P<myriad>[万亿])(?![{_WRITTEN}])"
    rf"|(?P<written>[{_WRITTEN}]{{1,20}})"
)
_MAY_HOLD = re.compile(rf"[{_WRITTEN}]|\d,\d{{3}}")
# What is counted, bought, cited or dated right behind a number.
_COUNTED = frozenset(
    "条款项号楼层室栋元角分页册份张袋瓶箱盒包桶罐件台辆套批支只块根把吨斤公克升米平户家间处名人个次天日月年岁度时点周"
)
# 一 stands before many of these without counting anything.
_AFTER_ONE = frozenset("条款项号楼层室元")


@dataclass(frozen=True)
class Numeral:
    """A number in a text: where it stands, end exclusive, and its digits."""

    start: int
    end: int
    digits: str


def may_hold(text: str) -> bool:
    """Whether a number may be written out in the text; quickly told."""
    return _MAY_HOLD.search(text) is not None


def numerals_in(text: str) -> Iterator[Numeral]:
    """The numbers of a text in its index form that are not already plain digits, in order."""
    if not may_hold(text):
        return
    for found in _NUMBER.finditer(text):
        if digits := _digits_of(found, text):
            yield Numeral(found.start(), found.end(), digits)


def _digits_of(found: re.Match[str], text: str) -> str | None:
    if found["grouped"]:
        return found["grouped"].replace(",", "")
    if found["rounded"]:
        amount = Decimal(found["rounded"]) * _MYRIADS[found["myriad"]]
        return str(int(amount)) if amount == int(amount) else None
    written, before, behind = found["written"], text[: found.start()][-1:], text[found.end() :][:1]
    if not _counts(written, before, behind):
        return None
    value = number_of(written)
    return None if value is None else str(value)


def _counts(written: str, before: str, behind: str) -> bool:
    if before == "第" or (len(written) > 1 and behind in _COUNTED):
        return True
    if len(written) == 1:
        return behind in (_AFTER_ONE if written == "一" else _COUNTED)
    return any(character in _PLACES for character in written)


def number_of(written: str) -> int | None:
    """What the characters say, by place (三千零五) or figure by figure (三〇二); None where they say no number."""
    if all(character in _DIGITS for character in written):
        return int("".join(str(_DIGITS[character]) for character in written))
    total = 0
    rest = written
    for name in ("亿", "万"):
        head, found, tail = rest.partition(name)
        if not found:
            continue
        many = _below_myriad(head)
        if not many:
            return None
        total, rest = total + many * _MYRIADS[name], tail
    last = _below_myriad(rest) if rest else 0
    if last and len(rest) == 1 and total:
        return total + last * (1000 if "万" in written else 10_000_000)
    return None if last is None else total + last


def _below_myriad(written: str) -> int | None:
    """A number under ten thousand; its places go down. A bare last figure counts by the next place: 一百五."""
    total, digit, lowest, after_zero = 0, None, 10_000, False
    for character in written:
        place = _PLACES.get(character)
        if place is None:
            value = _DIGITS.get(character)
            if value is None or digit is not None:
                return None
            digit, after_zero = value or None, after_zero or value == 0
            continue
        if place >= lowest or (digit is None and not (place == 10 and not total)):
            return None
        total, digit, lowest, after_zero = total + (digit or 1) * place, None, place, False
    if digit is None:
        return total or None
    return total + digit * (lowest // 10 if lowest < 10_000 and lowest > 10 and not after_zero else 1)
