"""Rows of a bureau's table become records of a register, or a sentence that says what is wrong with them. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pipeline import case_numbers
from pipeline.records import Activity, Case, Custodian, Device, LedgerEntry, Party, Registered
from pipeline.registers.columns import Column, Register, folded, header_in
from pipeline.timing.texts import DAY_S, Misread, instant_of, read_time

_CHINESE_TIME: Final = re.compile(
    r"(\d{4})\s*年\s*(\d{1,2})\s*月\s*(\d{1,2})\s*日?\s*(上午|下午|晚上?)?\s*"
    r"(?:(\d{1,2})\s*[时點点:：]\s*(?:(\d{1,2})\s*分?)?(?:[:：]?(\d{1,2})\s*秒?)?)?"
)
_DIVIDED: Final = re.compile(r"[;；、,，\n]+")
_IDENTIFIED: Final = re.compile(r"(?P<name>[^()（）|]+?)\s*(?:[(（|]\s*(?P<identifier>[0-9A-Za-z*]{6,20})\s*[)）]?)?")


@dataclass(frozen=True, kw_only=True)
class Remark:
    """What is to be said of a row. row: as the spreadsheet counts, from 1; refused: the row was not taken."""

    row: int
    zh: str
    en: str
    refused: bool = True


@dataclass(frozen=True)
class Read:
    """A row that was understood. given: the fields that the row says anything of; the others stay as they were."""

    row: int
    record: Registered
    given: frozenset[str]


class _Wrong(Exception):
    def __init__(self, zh: str, en: str) -> None:
        super().__init__(en)
        self.zh, self.en = zh, en


def records_of(
    register: Register, rows: Sequence[Sequence[str]], columns: Sequence[Column], zone: tzinfo
) -> tuple[list[Read], list[Remark]]:
    """The records of the table in its order, and what is wrong with the rows that give none.

    zone: of times without one. Raises BadInput where the headers do not name what is required.
    """
    head = header_in(rows, columns)
    found: list[Read] = []
    remarks = [
        Remark(row=head.at + 1, zh=f"不认识的表头，未读取：{one}", en=f"unknown header, not read: {one}", refused=False)
        for one in head.unknown
    ]
    for at, row in enumerate(rows[head.at + 1 :], start=head.at + 2):
        if not any(cell.strip() for cell in row):
            continue
        try:
            said = {column.field: _cell(column, row[place] if place < len(row) else "", zone)
                    for place, column in head.columns.items()}  # fmt: skip
            record, given = _MAKERS[register]({k: v for k, v in said.items() if v not in (None, "", ())})
        except _Wrong as wrong:
            remarks.append(Remark(row=at, zh=wrong.zh, en=wrong.en))
            continue
        found.append(Read(at, record, given))
    return found, remarks


# -- cells


def _cell(column: Column, text: str, zone: tzinfo) -> Any:
    text = text.strip()
    if not text:
        if column.required:
            raise _Wrong(f"缺少 {column.headers[0]}", f"{column.field} is empty")
        return None
    match column.read_as:
        case "list":
            return tuple(dict.fromkeys(part.strip() for part in _DIVIDED.split(text) if part.strip()))
        case "time":
            return _instant(column, text, zone)
        case "day":
            return _time(column, text).shown.date().isoformat()
        case "word":
            return _word(column, text)
        case "parties":
            return _parties(text)
    return text


def _instant(column: Column, text: str, zone: tzinfo) -> datetime:
    """The instant; a day by itself is its beginning, or its end where the field is an end."""
    reading = _time(column, text)
    at = instant_of(reading.shown, zone if reading.offset_min is None else reading.offset_min)
    is_day = reading.precision_s >= DAY_S
    return at + timedelta(seconds=DAY_S) if is_day and column.field == "to_at" else at


def _time(column: Column, text: str) -> Any:
    reading = read_time(_plain_time(text))
    if isinstance(reading, Misread) or reading.precision_s > DAY_S:
        raise _Wrong(f"{column.headers[0]}“{text}”不是完整的日期或时间", f"{column.field} '{text}' is no day or time")
    return reading


def _plain_time(text: str) -> str:
    match = _CHINESE_TIME.fullmatch(text.strip())
    if match is None:
        return text
    year, month, day, half, hour, minute, second = match.groups()
    if hour is None:
        return f"{year}-{month}-{day}"
    later = 12 if half not in (None, "上午") and int(hour) < 12 else 0
    return f"{year}-{month}-{day} {int(hour) + later:02d}:{minute or '00':0>2}:{second or '00':0>2}"


def _word(column: Column, text: str) -> str:
    plain = folded(text)
    exact = column.words.get(plain)
    within = [meaning for word, meaning in column.words.items() if len(word) > 1 and word in plain]
    if exact is None and not within:
        known = "、".join(dict.fromkeys(column.words.values()))
        raise _Wrong(
            f"不认识的 {column.headers[0]}“{text}”（可用：{known}）", f"{column.field} '{text}' is none of {known}"
        )
    return exact or within[0]


def _parties(text: str) -> tuple[Party, ...]:
    found = []
    for part in _DIVIDED.split(text):
        match = _IDENTIFIED.fullmatch(part.strip())
        if part.strip():
            name, identifier = (match["name"], match["identifier"]) if match else (part, None)
            found.append(Party(name=name.strip(), identifier=identifier))
    return tuple(found)


# -- rows


def _device(said: dict[str, Any]) -> tuple[Device, frozenset[str]]:
    if zone := said.get("zone"):
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise _Wrong(f"时区“{zone}”应写作 Asia/Shanghai", f"zone '{zone}': write one like Asia/Shanghai") from None
    return Device(**said), frozenset(said)


def _custodian(said: dict[str, Any]) -> tuple[Custodian, frozenset[str]]:
    return Custodian(**said), frozenset(said)


def _entry(said: dict[str, Any]) -> tuple[LedgerEntry, frozenset[str]]:
    _require_order(said)
    return LedgerEntry(**said), frozenset(said)


def _case(said: dict[str, Any]) -> tuple[Case, frozenset[str]]:
    numbers: list[tuple[str, str | None]] = [(number, None) for number in _numbers(said.pop("numbers"))]
    for name, kind in (("filing", "立案"), ("decision", "决定书")):
        numbers += [(number, kind) for number in _numbers(said.pop(name, ()))]
    kinds = {number: kind for number, kind in numbers if kind}
    identifiers = said.pop("identifiers", ())
    parties = said.get("parties", ())
    if identifiers and len(identifiers) == len(parties):
        said["parties"] = tuple(
            one if one.identifier else Party(name=one.name, identifier=identifier)
            for one, identifier in zip(parties, identifiers, strict=True)
        )
    unique = dict.fromkeys(number for number, _ in numbers)
    return Case(numbers=tuple((one, kinds.get(one)) for one in unique), **said), frozenset({*said, "numbers"})


def _activity(said: dict[str, Any]) -> tuple[Activity, frozenset[str]]:
    _require_order(said)
    if case := said.get("case"):
        numbers = _numbers((case,))
        if len(numbers) != 1:
            raise _Wrong(f"“{case}”不是一个案号", f"'{case}' is not one case number")
        said["case"] = numbers[0]
    if "code" not in said:
        if not (said.get("case") and said.get("from_at")):
            raise _Wrong("没有活动编号时须有案号和开始时间", "without a code, give the case and when it began")
        said["code"] = f"{said['case']} {said['step']} {said['from_at'].isoformat()}"
    return Activity(**said), frozenset(said)


def _numbers(texts: Sequence[str]) -> list[str]:
    """The numbers as printed; a word that is no known form of number stays as it stands."""
    joined = "、".join(texts)
    return [one.printed for one in case_numbers.parse(joined)] or list(texts)


def _require_order(said: Mapping[str, Any]) -> None:
    if said.get("from_at") and said.get("to_at") and said["to_at"] < said["from_at"]:
        raise _Wrong("结束时间早于开始时间", "it ends before it begins")


_MAKERS: Final[Mapping[Register, Callable[[dict[str, Any]], tuple[Registered, frozenset[str]]]]] = {
    "devices": _device, "persons": _custodian, "ledger": _entry, "cases": _case, "activities": _activity,
}  # fmt: skip
