"""What case-file evaluation (案卷评查) counts, in all, by unit and by device. Pure: from what `evaluation.py` read.

`FIGURES` says of each figure what is counted and which rule asks for it; pages, pictures and tables show these words.
Counted are recordings and photos, without sidecars and without what was disposed of. Not covered: steps that nobody
registered, and recordings that never arrived and whose number leaves no hole.
"""

from __future__ import annotations

import csv
import io
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Final, Literal, NamedTuple
from zoneinfo import ZoneInfo

from indexer.coverage import Covered, Steps, unexplained_of
from indexer.exporting.words import cell
from indexer.naming import Lang
from pipeline.records import ClockOffset

By = Literal["all", "unit", "device"]
Figure = Literal["on_time", "links", "elements", "gaps", "clocks"]


class Told(NamedTuple):
    """A figure in words: (Chinese, English) of its title, of what is counted, and the rule that asks for it."""

    title: tuple[str, str]
    what: tuple[str, str]
    rule: tuple[str, str]


FIGURES: Final[Mapping[Figure, Told]] = {
    "on_time": Told(
        ("及时上传", "Handed in on time"),
        (
            "录制结束到首次入库不超过规定时限（time.upload_deadline_h）的为及时；按时间误差的有利一侧计算；"
            "录制时间不明的单列。",
            "On time is what was taken in within the deadline (time.upload_deadline_h) after its end; doubt about its "
            "time speaks for it; what nobody knows the time of stands apart.",
        ),
        ("执法音视频资料应在任务结束后 24 小时内上传（时限按当地规定设置）",
         "published rules on recordings: to the official storage within 24 hours after the task; local rules differ"),
    ),
    "links": Told(
        ("关联案件", "Linked to cases"),
        (
            "已确认：至少一项案件关联经人确认；待确认：只有系统建议；未关联：二者皆无（被否定的关联不计）。",
            "Confirmed: a person confirmed a link to a case; proposed: only the program suggests one; unlinked: "
            "neither (what was refused does not count).",
        ),
        ("工作方案第八条第（二）项：同一执法对象的文字记录和音像记录集中储存；未关联案件的资料保存六个月后到期",
         "the bureau's plan §8(2): kept together by party; what belongs to no case expires after six months"),
    ),
    "elements": Told(
        ("记录要素", "Elements of a record"),
        (
            "每份应有：登记设备、制作人、可用的时间（误差不超过 checklist.toml 的限值，照片除外）、"
            "完好的原始数据；录音还应附文字。每项执法活动应有：两名以上人员、起止时间、地点。",
            "Each must have: a registered device, who made it, a time that can be used (not more unsure than "
            "checklist.toml allows; not asked of photos), whole bytes; sound also its words in writing. Each activity: "
            "two officers or more, beginning and end, place.",
        ),
        ("最高法行政诉讼证据规定第十二条；行政处罚法第四十二条；刑诉法解释第一百零八条、第一百一十条",
         "Supreme Court, rules on evidence in administrative litigation, art. 12; Administrative Penalty Law art. 42; "
         "Supreme Court, interpretation of the Criminal Procedure Law, arts. 108, 110"),
    ),
    "gaps": Told(
        ("未说明的缺口", "Gaps without a reason"),
        (
            "应当全程记录的环节（steps.toml）中，没有录到、也没有人说明理由的时段；换段和首尾的容许时间不计。"
            "按设备统计时，计入缺口之前（没有则之后）的设备。",
            "Of steps that must be recorded throughout (steps.toml): stretches that nothing shows and nobody gave a "
            "reason for; switches of files and the tolerance at both ends do not count. By device: of the recording "
            "before the gap, or else after it.",
        ),
        ("工作方案第七条第（二）项：全程音像记录；非因技术原因不得中止，中断应当说明",
         "the bureau's plan §7(2): recorded throughout; published rules: an interruption is accounted for"),
    ),
    "clocks": Told(
        ("时钟偏差", "Clocks"),
        (
            "期间内每次测得的“设备时间减真实时间”；最大：绝对值最大的一次；最近：最后一次。"
            "录制过但从未测过的设备单列。",
            "What was measured in the interval: the device's clock less the true time; largest by its absolute value, "
            "and the last one. Devices that recorded and were never measured stand apart.",
        ),
        ("公开的执法记录规范：使用前核对设备日期、时间；刑诉法解释第一百零八条：制作的时间",
         "published rules on recording: the device's date and time are checked before the act; Supreme Court, "
         "interpretation of the Criminal Procedure Law, art. 108"),
    ),
}  # fmt: skip
# What a recording, or an activity, may lack: (Chinese, English).
ELEMENTS: Final[Mapping[str, tuple[str, str]]] = {
    "devices": ("无登记设备", "no registered device"), "carriers": ("制作人不明", "maker unknown"),
    "clocks": ("时间不明或误差大", "time unknown or unsure"), "transcripts": ("录音无文字", "sound without its words"),
    "digests": ("字节不符", "bytes do not hold"),
}  # fmt: skip
OF_ACTIVITIES: Final[Mapping[str, tuple[str, str]]] = {
    "officers": ("人员不足两名", "fewer than two officers"), "times": ("缺起止时间", "no beginning or end"),
    "places": ("缺地点", "no place"),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Film:
    """A recording or photo. device: of the register, None unknown; is_timed: whether its time is known; lacks: names
    of ELEMENTS."""

    device: str | None
    unit: str | None
    is_timed: bool
    is_late: bool
    link: Literal["confirmed", "proposed", ""]
    lacks: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Duty:
    """What had to be recorded of an activity. required_s: 0 where a recording of any length will do; shown_s: of that,
    also by device; gaps: (device that they are counted for, seconds). A device is None where it is not registered."""

    kept: bool
    excused: bool
    required_s: float
    shown_s: float
    by_device: Mapping[str | None, float]
    gaps: tuple[tuple[str | None, float], ...]


@dataclass(frozen=True, kw_only=True)
class Act:
    """An activity. unit: of its people; lacks: names of OF_ACTIVITIES; duty: None where it belongs to no case, or where
    nothing had to be recorded."""

    unit: str | None
    lacks: frozenset[str] = frozenset()
    duty: Duty | None = None


@dataclass(frozen=True, kw_only=True)
class Figures:
    """The counts of one group. lacks, act_lacks: by element. required_s: what had to be recorded throughout; shown_s:
    of that; gap_s: without a reason. devices: that recorded; unmeasured: of those, whose clock never was. offset_s,
    worst_s: the last and the largest measurement, device less true, None without one. Of a device, duties are those
    that it recorded something of, and required_s is 0.
    """

    films: int = 0
    on_time: int = 0
    late: int = 0
    undated: int = 0
    confirmed: int = 0
    proposed: int = 0
    unlinked: int = 0
    lacking: int = 0
    lacks: Mapping[str, int] = field(default_factory=dict, hash=False)
    acts: int = 0
    acts_lacking: int = 0
    act_lacks: Mapping[str, int] = field(default_factory=dict, hash=False)
    duties: int = 0
    kept: int = 0
    excused: int = 0
    required_s: float = 0.0
    shown_s: float = 0.0
    gaps: int = 0
    gap_s: float = 0.0
    devices: int = 0
    unmeasured: int = 0
    measured: int = 0
    offset_s: float | None = None
    offset_uncertainty_s: float | None = None
    offset_at: datetime | None = None
    worst_s: float | None = None


@dataclass(frozen=True, kw_only=True)
class Row:
    """One group. name: of the unit or the code of the device, None where it is not known; unit: of a device."""

    by: By
    name: str | None
    unit: str | None
    figures: Figures


@dataclass(frozen=True, kw_only=True)
class Statistics:
    """The figures of an interval, both days counted. deadline_h: 0 where there is none; rows: all, then units, then
    devices, each by name, what is not known last."""

    from_on: date
    to_on: date
    deadline_h: float
    rows: tuple[Row, ...]

    def by(self, by: By) -> list[Row]:
        """The rows of one sort."""
        return [one for one in self.rows if one.by == by]


def duty_of(covered: Covered, steps: Steps, registered: Collection[str]) -> Duty | None:
    """The duty as it is counted; None where recording was left to the situation."""
    if covered.step.required == "some":
        return None
    is_whole = covered.step.required == "full"
    shown: dict[str | None, float] = defaultdict(float)
    for device, seconds in covered.by_device.items():
        shown[device if device in registered else None] += seconds
    beside = [(gap.before or gap.after, gap.length_s) for gap in unexplained_of(covered, steps)] if is_whole else []
    return Duty(
        kept=covered.fulfilled, excused=covered.excused, required_s=covered.length_s if is_whole else 0.0,
        shown_s=covered.covered_s if is_whole else 0.0, by_device=shown,
        gaps=tuple((one.device if one and one.device in registered else None, length_s) for one, length_s in beside),
    )  # fmt: skip


def rows_of(
    films: Mapping[Film, int], acts: Sequence[tuple[Act, int]], offsets: Iterable[ClockOffset],
    units: Mapping[str, str | None], *, from_at: datetime, to_at: datetime,
) -> tuple[Row, ...]:  # fmt: skip
    """Every group. films, acts: how many are alike; offsets: all that was ever measured; units: registered device ->
    its unit."""
    before = [one for one in offsets if one.at < to_at]
    clocks = _Clocks([one for one in before if one.at >= from_at], {one.device for one in before}, units)
    counted = list(films.items())
    everything = {**_of_films(counted), **_of_acts(acts), **clocks.of(counted)}
    rows = [Row(by="all", name=None, unit=None, figures=Figures(**everything))]
    by_unit, by_device = _grouped(counted, "unit"), _grouped(counted, "device")
    acts_by_unit, parts = _grouped(acts, "unit"), _parts(acts)
    for unit in _ordered({*by_unit, *acts_by_unit, *clocks.units()}):
        its = {**_of_films(by_unit[unit]), **_of_acts(acts_by_unit[unit]), **clocks.of(by_unit[unit], unit=unit)}
        rows.append(Row(by="unit", name=unit, unit=unit, figures=Figures(**its)))
    for device in _ordered({*by_device, *parts, *clocks.devices()}):
        own = by_device[device]
        its = {**_of_films(own), **_of_parts(parts[device]), **clocks.of(own, device=device)}
        rows.append(Row(by="device", name=device, unit=units.get(device or ""), figures=Figures(**its)))
    return tuple(rows)


class _Part(NamedTuple):
    """What one device shows, or leaves out, of one duty."""

    duty: Duty
    shown_s: float | None
    gaps_s: tuple[float, ...]


def _parts(acts: Iterable[tuple[Act, int]]) -> dict[str | None, list[_Part]]:
    found: dict[str | None, list[_Part]] = defaultdict(list)
    for duty in _duties(acts):
        for device in {*duty.by_device, *(device for device, _ in duty.gaps)}:
            gaps_s = tuple(length_s for mine, length_s in duty.gaps if mine == device)
            found[device].append(_Part(duty, duty.by_device.get(device), gaps_s))
    return found


def _duties(acts: Iterable[tuple[Act, int]]) -> list[Duty]:
    return [one.duty for one, count in acts for _ in range(count) if one.duty is not None]


def _of_films(films: Sequence[tuple[Film, int]]) -> dict[str, Any]:
    links: Counter[str] = Counter()
    lacks: Counter[str] = Counter()
    for one, count in films:
        links[one.link] += count
        for name in one.lacks:
            lacks[name] += count
    return {
        "films": _sum(films, lambda _: True), "on_time": _sum(films, lambda one: one.is_timed and not one.is_late),
        "late": _sum(films, lambda one: one.is_late), "undated": _sum(films, lambda one: not one.is_timed),
        "confirmed": links["confirmed"], "proposed": links["proposed"], "unlinked": links[""],
        "lacking": _sum(films, lambda one: bool(one.lacks)), "lacks": {name: lacks[name] for name in ELEMENTS},
    }  # fmt: skip


def _of_acts(acts: Sequence[tuple[Act, int]]) -> dict[str, Any]:
    duties = _duties(acts)
    lacks: Counter[str] = Counter()
    for act, count in acts:
        for name in act.lacks:
            lacks[name] += count
    gaps_s = [length_s for one in duties for _, length_s in one.gaps]
    return {
        "acts": _sum(acts, lambda _: True), "acts_lacking": _sum(acts, lambda one: bool(one.lacks)),
        "act_lacks": {name: lacks[name] for name in OF_ACTIVITIES},
        "duties": len(duties), "kept": sum(one.kept for one in duties), "excused": sum(one.excused for one in duties),
        "required_s": sum(one.required_s for one in duties), "shown_s": sum(one.shown_s for one in duties),
        "gaps": len(gaps_s), "gap_s": sum(gaps_s),
    }  # fmt: skip


def _sum(counted: Iterable[tuple[Any, int]], is_so: Callable[[Any], bool]) -> int:
    return sum(count for one, count in counted if is_so(one))


def _of_parts(parts: Sequence[_Part]) -> dict[str, Any]:
    own = [one for one in parts if one.shown_s is not None]
    gaps_s = [length_s for one in parts for length_s in one.gaps_s]
    return {
        "duties": len(own), "kept": sum(one.duty.kept for one in own), "excused": sum(one.duty.excused for one in own),
        "shown_s": sum(one.shown_s or 0.0 for one in own), "gaps": len(gaps_s), "gap_s": sum(gaps_s),
    }  # fmt: skip


class _Clocks:
    """What was measured in the interval, and of which devices anything was measured ever."""

    def __init__(
        self, measured: Sequence[ClockOffset], known: Collection[str], unit_of: Mapping[str, str | None]
    ) -> None:  # fmt: skip
        self._measured, self._known, self._unit_of = sorted(measured, key=lambda one: one.at), known, unit_of

    def units(self) -> set[str | None]:
        return {self._unit_of.get(one.device) for one in self._measured}

    def devices(self) -> set[str]:
        return {one.device for one in self._measured}

    def of(self, films: Iterable[tuple[Film, int]], *, unit: Any = ..., device: Any = ...) -> dict[str, Any]:
        used = {one.device for one, _ in films if one.device is not None}
        mine = [
            one for one in self._measured
            if (unit is ... or self._unit_of.get(one.device) == unit) and (device is ... or one.device == device)
        ]  # fmt: skip
        found = {"devices": len(used), "unmeasured": len(used - set(self._known)), "measured": len(mine)}
        if not mine:
            return found
        last = mine[-1]
        return {
            **found, "offset_s": last.offset_s, "offset_uncertainty_s": last.uncertainty_s, "offset_at": last.at,
            "worst_s": max((one.offset_s for one in mine), key=abs),
        }  # fmt: skip


def _grouped(counted: Iterable[tuple[Any, int]], name: str) -> dict[str | None, list[tuple[Any, int]]]:
    found: dict[str | None, list[tuple[Any, int]]] = defaultdict(list)
    for one in counted:
        found[getattr(one[0], name)].append(one)
    return found


def _ordered(names: Iterable[str | None]) -> list[str | None]:
    return sorted(names, key=lambda one: (one is None, one or ""))


def interval_of(from_on: date, to_on: date, zone: str) -> tuple[datetime, datetime]:
    """From the first moment of the first day until that of the day after the last, in the bureau's zone."""
    first, last = (datetime(one.year, one.month, one.day, tzinfo=ZoneInfo(zone)) for one in (from_on, to_on))
    return first, last + timedelta(days=1)


# -- as tables

# Columns in their order: name in JSON, heading (Chinese, English).
COLUMNS: Final[Mapping[str, tuple[str, str]]] = {
    "films": ("音像记录", "recordings"), "on_time": ("及时", "on time"), "late": ("逾期", "late"),
    "undated": ("时间不明", "time unknown"), "confirmed": ("已确认关联", "linked"),
    "proposed": ("待确认关联", "link proposed"), "unlinked": ("未关联", "unlinked"),
    "lacking": ("缺要素", "lacking elements"), **{f"lacks_{name}": told for name, told in ELEMENTS.items()},
    "acts": ("执法活动", "activities"), "acts_lacking": ("缺要素的活动", "activities lacking elements"),
    **{f"act_lacks_{name}": told for name, told in OF_ACTIVITIES.items()},
    "duties": ("应记录环节", "steps to be recorded"), "kept": ("已完整记录或已说明", "recorded or accounted for"),
    "excused": ("其中已说明理由", "of these by a stated reason"),
    "required_s": ("应全程记录（秒）", "to be recorded throughout, s"), "shown_s": ("已记录（秒）", "recorded, s"),
    "gaps": ("未说明缺口", "gaps without a reason"), "gap_s": ("未说明缺口（秒）", "gaps without a reason, s"),
    "devices": ("使用设备", "devices used"), "unmeasured": ("从未校核的设备", "devices never measured"),
    "measured": ("时钟校核次数", "clock measurements"), "offset_s": ("最近偏差（秒）", "last offset, s"),
    "offset_uncertainty_s": ("误差（秒）", "its uncertainty, s"), "offset_at": ("最近校核时间", "last measured at"),
    "worst_s": ("最大偏差（秒）", "largest offset, s"),
}  # fmt: skip
BY: Final[Mapping[By, tuple[str, str]]] = {
    "all": ("全部", "all"), "unit": ("单位", "unit"), "device": ("设备", "device"),
}  # fmt: skip


def as_data(statistics: Statistics, row: Row, zone: str) -> dict[str, Any]:
    """The row as plain JSON data: `by`, `name`, `unit`, `from`, `to`, then every column; seconds to a tenth."""
    said = row.figures
    data: dict[str, Any] = {
        "by": row.by, "name": row.name, "unit": row.unit, "from": f"{statistics.from_on:%Y-%m-%d}",
        "to": f"{statistics.to_on:%Y-%m-%d}",
    }  # fmt: skip
    for name in COLUMNS:
        for prefix, counts in (("lacks_", said.lacks), ("act_lacks_", said.act_lacks)):
            if name.startswith(prefix):
                data[name] = counts.get(name.removeprefix(prefix), 0)
        if name not in data:
            value = getattr(said, name)
            data[name] = round(value, 1) if isinstance(value, float) else value
    if not statistics.deadline_h:
        data["on_time"] = data["late"] = None
    data["offset_at"] = said.offset_at and said.offset_at.astimezone(ZoneInfo(zone)).isoformat(timespec="seconds")
    return data


def as_csv(statistics: Statistics, zone: str, lang: Lang) -> bytes:
    """The table as a spreadsheet opens it: UTF-8 with its mark, no cell a formula. Source: RFC 4180."""
    at = 0 if lang == "zh" else 1
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    first = (("统计口径", "by"), ("名称", "name"), ("单位", "unit"), ("自", "from"), ("至", "to"))
    writer.writerow([told[at] for told in (*first, *COLUMNS.values())])
    for row in statistics.rows:
        data = as_data(statistics, row, zone) | {"by": BY[row.by][at], "name": cell(name_of(row, lang))}
        data["unit"] = cell(data["unit"] or "")
        writer.writerow(["" if value is None else value for value in data.values()])
    return b"\xef\xbb\xbf" + out.getvalue().encode("utf-8", "backslashreplace")


def name_of(row: Row, lang: Lang) -> str:
    """What the group is called."""
    if row.name is not None:
        return row.name
    unknown = {"all": BY["all"], "unit": ("单位不明", "unit unknown"), "device": ("设备不明", "device unknown")}
    return unknown[row.by][0 if lang == "zh" else 1]
