"""The header of a written enforcement record: what it is, when, where, who, which numbers, and where each stands. Pure.

Covered: records, notices and decisions as bureaus' templates print them, with a colon behind a label, a cell beside it,
or letters set apart; dates and times in digits or Chinese numerals. A template's blanks say nothing. Not covered:
handwriting, tables whose labels stand above their values, and what is told in the body: the header ends where
questions and answers begin.
Source: published templates of `现场检查笔录`, `询问笔录` and others (时间 起讫, 地点, 被询问人, 询问人, 执法证编号);
`config/written.toml` holds their words.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from config.settings import SHIPPED
from pipeline.case_numbers import parse

LINES_MAX, LINE_MAX = 80, 400  # of a header
NUMBERS_MAX: Final = 50
NAMES_MAX: Final = 20

with (SHIPPED / "written.toml").open("rb") as _stream:
    _RULES: Final = tomllib.load(_stream)
KINDS: Final[Sequence[str]] = _RULES["kinds"]
_HAN: Final = "\u3400-\u9fff"
_WHOSE: Final = {label: name for name, labels in _RULES["labels"].items() for label in labels}
_ANY: Final = "|".join(r"\s*".join(map(re.escape, label)) for label in sorted(_WHOSE, key=lambda one: -len(one)))
_LABEL: Final = re.compile(
    rf"(?<![{_HAN}])(?P<label>{_ANY})\s*(?:\((?![^()]*签)[^()]{{0,16}}\))?[ ]*(?P<mark>:|\t)"
    rf"|(?<![{_HAN}])(?P<bare>{_ANY})(?=[ ]+\d{{4}}\s*年)"
)
_BODY: Final = re.compile(r"\s*(?:问|答|检查情况|现场情况|现场检查情况|询问内容|检查内容|告知事项)\s*:")
_NUMERAL: Final = re.compile(r"([〇零○一二三四五六七八九十]{1,6})(?=\s*[年月日号时点分秒])")
_DIGITS: Final = {sign: str(value) for value, sign in enumerate("〇一二三四五六七八九")} | {"零": "0", "○": "0"}
_DAY: Final = re.compile(r"(?P<y>\d{4})\s*(?:年|[-./])\s*(?P<m>\d{1,2})\s*(?:月|[-./])\s*(?P<d>\d{1,2})\s*(?:日|号)?")
_LATER_DAY: Final = re.compile(r"(?:(?P<m>\d{1,2})\s*月\s*)?(?P<d>\d{1,2})\s*日")
_CLOCK: Final = re.compile(
    r"\s*(?P<half>上午|中午|下午|晚上|凌晨)?\s*(?P<h>\d{1,2})\s*(?:[时点:]\s*(?P<min>\d{1,2}|半)?)\s*(?:分|:)?"
    r"\s*(?:(?P<s>\d{1,2})\s*秒?)?"
)
_UNTIL: Final = re.compile(r"\s*起?\s*(?:至|到|-{1,2}|~|—{1,2}|–)\s*")
_CODE: Final = re.compile(r"[A-Z]{0,4}\d[A-Z0-9-]{4,19}")
_NAME: Final = re.compile(rf"[{_HAN}]{{2,4}}(?:·[{_HAN}]{{1,10}})?|[{_HAN}]{{1,8}}·[{_HAN}]{{1,10}}")
_CREDIT: Final = re.compile(r"[0-9A-HJ-NPQRTUWXY]{2}\d{6}[0-9A-HJ-NPQRTUWXY]{10}")


@dataclass(frozen=True)
class Writing:
    """Pages of lines. blank: numbers of the pages that show something and hold no text, as scans do."""

    pages: tuple[tuple[str, ...], ...]
    blank: tuple[int, ...] = ()
    is_locked: bool = False
    is_cut: bool = False


@dataclass(frozen=True)
class Found:
    """One field: its name, the text as it stood, what was understood, and where it stands, both from 1."""

    name: str
    text: str
    value: Any
    page: int
    line: int


@dataclass(frozen=True, kw_only=True)
class Number:
    """A case number in the text. own: it stands alone in the header, or behind a label that asks for it."""

    printed: str
    key: str
    page: int
    line: int
    own: bool
    labelled: bool


@dataclass(frozen=True)
class Header:
    """What a record says of itself. doubts: (code, English, Chinese) of what does not fit together."""

    fields: tuple[Found, ...] = ()
    numbers: tuple[Number, ...] = ()
    doubts: tuple[tuple[str, str, str], ...] = ()

    def of(self, name: str) -> Found | None:
        """The first field of this name."""
        return next((one for one in self.fields if one.name == name), None)


@dataclass
class _Value:
    text: str
    page: int
    line: int


@dataclass
class _Draft:
    fields: list[Found] = field(default_factory=list)
    doubts: list[tuple[str, str, str]] = field(default_factory=list)

    def add(self, name: str, text: str, value: Any, page: int, line: int) -> None:
        if value and not any(one.name == name for one in self.fields):
            self.fields.append(Found(name, text.strip(), value, page, line))


def header_of(pages: Sequence[Sequence[str]]) -> Header:
    """What stands in the header of these pages of lines, and the case numbers of the whole text."""
    lines = list(_header_lines(pages))
    draft = _Draft()
    kind = _kind_of(lines)
    if kind is not None:
        draft.fields.append(kind)
    values: dict[str, list[_Value]] = {}
    for name, value in _labelled(lines):
        values.setdefault(name, []).append(value)
    _times(values, draft)
    for one in values.get("place", ()):
        draft.add("place", one.text, one.text.strip(" ,;。"), one.page, one.line)
    _people(values, draft)
    for name in ("case", "number", "subject"):
        for one in values.get(name, ()):
            draft.add(name, one.text, one.text.strip(" ;。"), one.page, one.line)
    for one in values.get("credit_code", ()):
        code = _CREDIT.search(one.text.replace(" ", ""))
        draft.add("credit_code", one.text, code.group() if code else None, one.page, one.line)
    return Header(tuple(draft.fields), tuple(_numbers(pages, lines, values)), tuple(draft.doubts))


def rows_of(header: Header) -> Iterator[tuple[str, str, Any]]:
    """(name, text as it stood, value) of what a header says, as properties of its original."""
    for one in header.fields:
        yield f"record.{one.name}", one.text, one.value
    if header.fields:
        where = {f"record.{one.name}": [one.page, one.line] for one in header.fields}
        yield "record.where", "; ".join(f"{name} {page}/{line}" for name, (page, line) in where.items()), where
    if header.numbers:
        told = [[one.printed, one.key, one.page, one.line, one.own, one.labelled] for one in header.numbers]
        yield "record.numbers", "、".join(one.printed for one in header.numbers), told


def folded(line: str) -> str:
    """The line in compatibility width, spaces one each, tabs kept."""
    plain = unicodedata.normalize("NFKC", line.replace("\u3000", " "))
    return re.sub(r"[^\S\t]+", " ", plain).strip(" ")[:LINE_MAX]


def _header_lines(pages: Sequence[Sequence[str]]) -> Iterator[tuple[int, int, str]]:
    """(page, line, text) of what stands before the body, both from 1; empty lines are left out."""
    count = 0
    for page, lines in enumerate(pages, 1):
        for number, line in enumerate(lines, 1):
            text = folded(line)
            if not text:
                continue
            count += 1
            if count > LINES_MAX or _BODY.match(text):
                return
            yield page, number, text


# -- what it is


def _kind_of(lines: Sequence[tuple[int, int, str]]) -> Found | None:
    for page, number, text in lines[:12]:
        plain = re.sub(r"\s+", "", text)
        fits = [kind for kind in KINDS if plain.endswith(kind) and len(plain) <= len(kind) + 24]
        fits += [kind for kind in KINDS if re.fullmatch(rf"{re.escape(kind)}\([^()]{{1,12}}\)", plain)]
        if fits and ":" not in plain:
            return Found("kind", text, max(fits, key=len), page, number)
    return None


# -- labels and their values


def _labelled(lines: Sequence[tuple[int, int, str]]) -> Iterator[tuple[str, _Value]]:
    """(what it asks for, its value) in their order; a value that is not on its line is taken from the next."""
    for place, (page, number, text) in enumerate(lines):
        marks = [one for one in _LABEL.finditer(text) if not _is_bracketed(text, one.start())]
        for at, mark in enumerate(marks):
            end = marks[at + 1].start() if at + 1 < len(marks) else len(text)
            name = _WHOSE[re.sub(r"\s+", "", mark["label"] or mark["bare"])]
            value = text[mark.end() : end].strip(" \t")
            row = number
            last = at + 1 == len(marks)
            if last and place + 1 < len(lines) and (not value or (name == "time" and not _is_whole(value))):
                _, after, following = lines[place + 1]
                if not _LABEL.search(following):
                    row = number if value else after
                    value = f"{value} {following}".strip()
            if value and name != "other":
                yield name, _Value(value, page, row)


def _is_bracketed(text: str, at: int) -> bool:
    """Whether it stands within brackets, as a credential's number behind a name does."""
    return text.rfind("(", 0, at) > text.rfind(")", 0, at) and ")" in text[at:]


def _is_whole(value: str) -> bool:
    """Whether a stretch of time has its end on this line."""
    return bool(re.search(r"(?:至|到|-|~|—).*\d", _DAY.sub("", _arabic(value))))


# -- when


def _times(values: dict[str, list[_Value]], draft: _Draft) -> None:
    for one in values.get("time", ()):
        first, last, on = stretch_of(one.text)
        if first is None and on is None:
            continue
        if first is not None and last is not None and last < first:
            draft.doubts.append((
                "record_times_reversed",
                f"The record says that it ended before it began ({one.text.strip()}); its end is not used.",
                f"笔录所载结束时间早于开始时间（{one.text.strip()}），结束时间未采用。",
            ))  # fmt: skip
            last = None
        _put_times(draft, one, first, last, on)
        return
    for name in ("from", "to"):
        for one in values.get(name, ()):
            first, _, on = stretch_of(one.text)
            draft.add(name, one.text, _written(first), one.page, one.line)
            draft.add("on", one.text, on, one.page, one.line)


def _put_times(draft: _Draft, one: _Value, first: datetime | None, last: datetime | None, on: str | None) -> None:
    draft.add("from", one.text, _written(first), one.page, one.line)
    draft.add("to", one.text, _written(last), one.page, one.line)
    draft.add("on", one.text, on, one.page, one.line)


def _written(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat(timespec="seconds")


def stretch_of(text: str) -> tuple[datetime | None, datetime | None, str | None]:
    """(first moment, last moment, day) as the clock on the wall showed them; None for what the text does not say."""
    plain = _arabic(text)
    day = _DAY.search(plain)
    if day is None:
        return None, None, None
    on = _day(int(day["y"]), int(day["m"]), int(day["d"]))
    if on is None:
        return None, None, None
    clock = _CLOCK.match(plain, day.end())
    first = _at(on, clock) if clock else None
    if first is None or clock is None:
        return None, None, f"{on:%Y-%m-%d}"
    until = _UNTIL.match(plain, clock.end())
    if until is None:
        return first, None, f"{on:%Y-%m-%d}"
    at, last_on = until.end(), on
    if whole := _DAY.match(plain, at):
        last_on, at = _day(int(whole["y"]), int(whole["m"]), int(whole["d"])) or on, whole.end()
    elif later := _LATER_DAY.match(plain, at):
        last_on, at = _day(on.year, int(later["m"] or on.month), int(later["d"])) or on, later.end()
    end = _CLOCK.match(plain, at)
    last = _at(last_on, end, half=clock["half"]) if end else None
    return first, last, f"{on:%Y-%m-%d}"


def _arabic(text: str) -> str:
    """The text with Chinese numerals before 年, 月, 日, 时, 分 and 秒 as digits."""
    return _NUMERAL.sub(lambda found: _counted(found[1]), text)


def _counted(numeral: str) -> str:
    if "十" not in numeral:
        return "".join(_DIGITS[sign] for sign in numeral)
    tens, _, ones = numeral.partition("十")
    count = 10 * int(_counted(tens) or 1) + int(_counted(ones) or 0) if "十" not in ones else 0
    return str(count)


def _day(year: int, month: int, day: int) -> datetime | None:
    try:
        return datetime(year, month, day)  # noqa: DTZ001  # the digits on paper
    except ValueError:
        return None


def _at(on: datetime, clock: re.Match[str], half: str | None = None) -> datetime | None:
    hour, minute = int(clock["h"]), 30 if clock["min"] == "半" else int(clock["min"] or 0)
    second = int(clock["s"] or 0)
    said = clock["half"] or half
    if (said in ("下午", "晚上") and hour < 12) or (said == "中午" and hour < 3):
        hour += 12
    if hour > 24 or minute > 59 or second > 59 or (hour == 24 and minute):
        return None
    return on + timedelta(hours=hour, minutes=minute, seconds=second)


# -- who


def _people(values: dict[str, list[_Value]], draft: _Draft) -> None:
    everybody: list[str] = []
    for name in ("party", "officer", "clerk", "witness"):
        told = [(one, _names(one.text, whole=name == "party")) for one in values.get(name, ())]
        listed = list(dict.fromkeys(person for _, people in told for person in people))[:NAMES_MAX]
        if listed:
            first = next(one for one, people in told if people)
            text = "; ".join(one.text.strip() for one, people in told if people)
            draft.add(name, text, listed, first.page, first.line)
            everybody += listed
    if everybody:
        first_found = next(one for one in draft.fields if one.name in ("party", "officer", "clerk", "witness"))
        listed = list(dict.fromkeys(everybody))
        draft.add("persons", "、".join(listed), listed, first_found.page, first_found.line)
    codes = [(one, code) for name in ("officer", "credentials") for one in values.get(name, ())
             for code in _CODE.findall(one.text)]  # fmt: skip
    if codes:
        listed = list(dict.fromkeys(code for _, code in codes))[:NAMES_MAX]
        draft.add("credentials", codes[0][0].text, listed, codes[0][0].page, codes[0][0].line)


def _names(text: str, *, whole: bool) -> list[str]:
    """Names in a value. whole: of firms too, which are taken as they stand."""
    plain = _CODE.sub(" ", re.sub(r"\([^()]*\)", " ", text))
    if whole:
        parts = (part.strip(" 。_") for part in re.split(r"[、,;\t/]| {2,}", plain))
        return [part for part in parts if len(re.findall(f"[{_HAN}A-Za-z]", part)) >= 2]
    names = [name for part in re.split(r"[、,;\t/]|和(?=[^ ]{2})", plain) for name in _apart(part)]
    return [name for name in names if _NAME.fullmatch(name) and name not in _WHOSE]


def _apart(text: str) -> Iterator[str]:
    """Words of the text; letters that are set apart, as `马  强`, are one."""
    set_apart = ""
    for word in [*(one.strip("。_") for one in text.split()), "  "]:
        if len(word) == 1:
            set_apart += word
            continue
        if set_apart:
            yield set_apart
            set_apart = ""
        yield word


# -- numbers


def _numbers(
    pages: Sequence[Sequence[str]], header: Sequence[tuple[int, int, str]], values: dict[str, list[_Value]]
) -> Iterable[Number]:
    """Case numbers of the whole text, each once: those that are its own first."""
    labelled = {number.key for one in values.get("case", ()) for number in parse(one.text)}
    titles = {(page, line): text for page, line, text in header}
    found: dict[str, Number] = {}
    for page, lines in enumerate(pages, 1):
        for line, text in enumerate(lines, 1):
            for number in parse(text[: 10 * LINE_MAX]):
                alone = (page, line) in titles and len(text.strip()) <= len(number.printed) + 8
                own = alone or number.key in labelled
                known = found.get(number.key)
                if known is None or (own and not known.own):
                    found[number.key] = Number(
                        printed=number.printed, key=number.key, page=page, line=line, own=own,
                        labelled=number.key in labelled,
                    )  # fmt: skip
            if len(found) >= NUMBERS_MAX:
                return sorted(found.values(), key=lambda one: not one.own)
    return sorted(found.values(), key=lambda one: not one.own)
