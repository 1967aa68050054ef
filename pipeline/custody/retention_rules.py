"""The rules of retention: classes, periods and limits, from `retention.toml`. The only reader of that file.

The one in the home takes the place of the shipped one. A file that undercuts a limit is refused with the reason.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final

from config.settings import SHIPPED
from pipeline.errors import BadInput

NAME: Final = "retention.toml"
# Months that a class of this basis must reach. Sources: `config/retention.toml`.
LEAST_MONTHS: Final = {"floor": 6, "decision": 60, "immovable": 240}
LEAST_COOLING_H, MOST_APPROVAL_DAYS = 72, 7


@dataclass(frozen=True, kw_only=True)
class RetentionClass:
    """months: how long; None is for ever. basis: `floor` (originals of no case), `decision`, `immovable`."""

    code: str
    months: int | None
    basis: str
    zh: str
    en: str
    source: str


@dataclass(frozen=True, kw_only=True)
class Rules:
    """The rules of one file. stamp: its version and the beginning of its digest."""

    stamp: str
    valid_from: date
    floor_months: int
    warn_days: int
    approve_within_days: int
    cooling_h: int
    off_days: int
    classes: Mapping[str, RetentionClass]


def rules_of(home: Path) -> Rules:
    """The rules in force in this home. Raises BadInput where its own file cannot be used."""
    own = home / NAME
    return read(own if own.exists() else SHIPPED / NAME)


def read(path: Path) -> Rules:
    """The rules of this file. Raises BadInput with what is wrong in it."""
    try:
        data = path.read_bytes()
        said = tomllib.loads(data.decode("utf-8-sig"))
    except (OSError, ValueError) as error:
        raise BadInput(
            f"{path} cannot be read as retention rules: {error}",
            zh=f"{path} 无法作为保管规则读取：{error}",
            path=str(path),
        ) from error
    try:
        limits = said["limits"]
        rules = Rules(
            stamp=f"{said['version']} {hashlib.sha256(data).hexdigest()[:12]}",
            valid_from=said["valid_from"],
            classes={one["code"]: _class(one) for one in said["class"]},
            **{name: _count(limits, name) for name in ("floor_months", "warn_days", "approve_within_days", "cooling_h",
                                                       "off_days")},
        )  # fmt: skip
    except (KeyError, TypeError) as error:
        raise BadInput(
            f"{path} lacks {error} or has it in a wrong form", zh=f"{path} 缺少此项或写法有误：{error}", path=str(path)
        ) from error
    faults = list(_faults(rules, said["class"]))
    if faults:
        chinese, english = "；".join(zh for zh, _ in faults), "; ".join(en for _, en in faults)
        raise BadInput(
            f"{path} cannot be used: {english}", zh=f"{path} 不可用：{chinese}", path=str(path),
            found=[english for _, english in faults],
        )  # fmt: skip
    return rules


def _count(table: Mapping[str, Any], name: str) -> int:
    value = table[name]
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise TypeError(f"{name} (a whole number)")
    return value


def _class(said: Mapping[str, Any]) -> RetentionClass:
    texts = {name: str(said[name]) for name in ("code", "basis", "zh", "en", "source")}
    return RetentionClass(months=_count(said, "months") or None, **texts)


def _faults(rules: Rules, listed: Any) -> Iterator[tuple[str, str]]:
    """(Chinese, English) of all that forbids these rules."""
    if not isinstance(rules.valid_from, date):
        yield "valid_from 不是日期", "valid_from is not a date"
    if len(rules.classes) != len(listed):
        yield "有两个类别代码相同", "two classes have the same code"
    for one in rules.classes.values():
        least = LEAST_MONTHS.get(one.basis)
        if least is None:
            bases = ", ".join(LEAST_MONTHS)
            yield (f"类别 {one.code} 的 basis '{one.basis}' 不在 {bases} 之中",
                   f"class {one.code} has the basis '{one.basis}', which is none of {bases}")  # fmt: skip
        elif one.months is not None and one.months < least:
            yield (
                f"类别 {one.code} 保管 {one.months} 个月，{one.basis} 至少 {least} 个月",
                f"class {one.code} keeps for {one.months} months; {one.basis} asks for at least {least}",
            )
        if not one.source:
            yield f"类别 {one.code} 没有写明依据", f"class {one.code} names no source"
    for name, value, least in (
        ("floor_months", rules.floor_months, LEAST_MONTHS["floor"]), ("cooling_h", rules.cooling_h, LEAST_COOLING_H),
    ):  # fmt: skip
        if value < least:
            yield f"{name} 为 {value}，至少应为 {least}", f"{name} is {value}; at least {least} are asked for"
    within = rules.approve_within_days
    if within > MOST_APPROVAL_DAYS:
        yield (f"approve_within_days 为 {within}，至多 {MOST_APPROVAL_DAYS}",
               f"approve_within_days is {within}; at most {MOST_APPROVAL_DAYS} are allowed")  # fmt: skip
