"""Where what is written of a case and what its recordings show cannot both be right. Pure.

Written are the times of activities in the register, and of records whose text was read. What clocks leave open is not
held against anybody: a difference counts beyond the recordings' uncertainty and the minutes in which people write.
Not covered: what is said or seen in the recordings.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Literal, TypeVar
from zoneinfo import ZoneInfo

from indexer.casework.case_file import CaseFile, Written
from indexer.coverage import Shown, Steps, ends_of, parts_of
from pipeline.records import Activity

Code = Literal[
    "footage_outside_activity", "footage_of_no_activity", "record_without_footage", "record_begins_before_footage",
    "record_ends_after_footage", "record_against_register", "person_at_two_places",
]  # fmt: skip
# People write times in minutes, and round them to five.
WRITTEN_S: Final = 300.0


@dataclass(frozen=True, kw_only=True)
class Contradiction:
    """What cannot both be right. about: originals and codes of activities; length_s: by how much, None unknown."""

    code: Code
    text: str
    text_zh: str
    about: tuple[str, ...]
    length_s: float | None = None


def contradictions_of(file: CaseFile, rules: Steps, zone: str) -> list[Contradiction]:
    """All of the case, by kind; times are told in this zone."""
    timed = _local([one for one in file.activities if one.from_at is not None], zone)
    written = _local(file.written, zone)
    return [
        *_outside(file.shown, timed),
        *_of_none(file.shown, timed, written),
        *(_said(found, one) for one in written for found in _of_record(one, file.shown, timed, rules)),
        *_two_places(timed, _local([one for one in file.all_activities if one.from_at is not None], zone)),
    ]


_T = TypeVar("_T", Activity, Written)


def _local(timed: Sequence[_T], zone: str) -> list[_T]:
    local = ZoneInfo(zone)
    return [
        replace(one, from_at=one.from_at and one.from_at.astimezone(local),
                to_at=one.to_at and one.to_at.astimezone(local))
        for one in timed
    ]  # fmt: skip


def _outside(shown: Sequence[Shown], activities: Sequence[Activity]) -> Iterator[Contradiction]:
    by_code = {one.code: one for one in activities}
    for one in shown:
        activity = by_code.get(one.activity or "")
        if activity is None:
            continue
        away_s = _away_s(one, *ends_of(activity))
        if away_s > 0:
            yield Contradiction(
                code="footage_outside_activity", about=(one.original, activity.code), length_s=away_s,
                text=f"{one.name} is linked to {activity.step} ({activity.code}) and lies {_long(away_s)} beside it",
                text_zh=f"{one.name} 关联到{activity.step}（{activity.code}），但拍摄时间与之相差 {_long_zh(away_s)}",
            )  # fmt: skip


def _of_none(
    shown: Sequence[Shown], activities: Sequence[Activity], written: Sequence[Written]
) -> Iterator[Contradiction]:
    spans = [ends_of(one) for one in activities]
    spans += [(one.from_at, one.to_at or one.from_at) for one in written if one.from_at]
    for one in shown if spans else ():
        if one.activity is None and (away_s := min(_away_s(one, *span) for span in spans)) > 0:
            yield Contradiction(
                code="footage_of_no_activity", about=(one.original,), length_s=away_s,
                text=f"{one.name} belongs to the case and lies {_long(away_s)} beside every activity and record of it",
                text_zh=f"{one.name} 属于本案，但与各执法活动、文字记录的时间都至少相差 {_long_zh(away_s)}",
            )  # fmt: skip


def _said(found: Contradiction, record: Written) -> Contradiction:
    if not record.recognized:
        return found
    return replace(
        found, text=f"{found.text}; the record's text was recognised by machine: compare the page",
        text_zh=f"{found.text_zh}；该文书文字由机器识别，请对照原页核实",
    )  # fmt: skip


def _of_record(
    record: Written, shown: Sequence[Shown], activities: Sequence[Activity], rules: Steps
) -> Iterator[Contradiction]:
    if record.from_at is None:
        return
    first, last = record.from_at, record.to_at or record.from_at
    parts = [part for one in shown for part in parts_of(one)]
    beside = [one for one in parts if one.from_at <= last and one.to_at >= first]
    if not beside:
        step = rules.of(record.kind or record.name)
        if step.required != "some":
            yield Contradiction(
                code="record_without_footage", about=(record.original,),
                text=f"{record.name} tells of {_clock(first)} to {_clock(last)}, of which nothing was recorded",
                text_zh=f"{record.name} 记载 {_clock(first)} 至 {_clock(last)}，此间没有音像记录",
            )  # fmt: skip
    else:
        yield from _ends(record, first, last, beside)
    yield from _against_register(record, first, last, activities)


def _ends(record: Written, first: datetime, last: datetime, beside: Sequence[Shown]) -> Iterator[Contradiction]:
    begins, ends = min(beside, key=lambda one: one.from_at), max(beside, key=lambda one: one.to_at)
    late_s = (begins.from_at - first).total_seconds()
    if late_s > begins.uncertainty_s + WRITTEN_S:
        yield Contradiction(
            code="record_begins_before_footage", about=(record.original, begins.original), length_s=late_s,
            text=f"{record.name} begins at {_clock(first)}, the first recording {_long(late_s)} later ({begins.name})",
            text_zh=f"{record.name} 记载 {_clock(first)} 开始，最早的音像记录（{begins.name}）晚 {_long_zh(late_s)}",
        )  # fmt: skip
    early_s = (last - ends.to_at).total_seconds()
    if early_s > ends.uncertainty_s + WRITTEN_S:
        yield Contradiction(
            code="record_ends_after_footage", about=(record.original, ends.original), length_s=early_s,
            text=f"{record.name} ends at {_clock(last)}, the last recording {_long(early_s)} before ({ends.name})",
            text_zh=f"{record.name} 记载 {_clock(last)} 结束，最后的音像记录（{ends.name}）早 {_long_zh(early_s)}",
        )  # fmt: skip


def _against_register(
    record: Written, first: datetime, last: datetime, activities: Sequence[Activity]
) -> Iterator[Contradiction]:
    """The record and the activity that shares most time with it, where their ends differ."""
    shared = [(min(last, ends_of(one)[1]) - max(first, ends_of(one)[0]), one) for one in activities]
    near = [(length, one) for length, one in shared if length >= timedelta(0)]
    if not near:
        return
    _, activity = max(near, key=lambda found: (found[0], found[1].code))
    begins, ends = ends_of(activity)
    off_s = max(abs((begins - first).total_seconds()), abs((ends - last).total_seconds()))
    if off_s > WRITTEN_S and activity.to_at is not None and record.to_at is not None:
        yield Contradiction(
            code="record_against_register", about=(record.original, activity.code), length_s=off_s,
            text=f"{record.name} says {_clock(first)} to {_clock(last)}, and the register {_clock(begins)} to "
            f"{_clock(ends)} for {activity.step} ({activity.code})",
            text_zh=f"{record.name} 记载 {_clock(first)} 至 {_clock(last)}，登记的{activity.step}（{activity.code}）为 "
            f"{_clock(begins)} 至 {_clock(ends)}",
        )  # fmt: skip


def _two_places(own: Sequence[Activity], every: Sequence[Activity]) -> Iterator[Contradiction]:
    told: set[frozenset[str]] = set()
    for one in own:
        first, last = ends_of(one)
        for other in every:
            begins, ends = ends_of(other)
            together_s = (min(last, ends) - max(first, begins)).total_seconds()
            people = [person for person in one.people if person in other.people]
            if one.code == other.code or one.place == other.place or not people or together_s <= 0:
                continue
            if frozenset((one.code, other.code)) in told:
                continue
            told.add(frozenset((one.code, other.code)))
            names = "、".join(people)
            yield Contradiction(
                code="person_at_two_places", about=(one.code, other.code), length_s=together_s,
                text=f"{names} took part in {one.code} and {other.code} at one time, for {_long(together_s)}, at "
                f"'{one.place or '?'}' and '{other.place or '?'}'",
                text_zh=f"{names} 同时参加 {one.code} 与 {other.code}，重叠 {_long_zh(together_s)}，地点分别为"
                f"“{one.place or '未登记'}”和“{other.place or '未登记'}”",
            )  # fmt: skip


def _away_s(one: Shown, first: datetime, last: datetime) -> float:
    """Seconds by which all that it shows lies beside this time; 0 for what its clock and the writing leave open."""
    away_s = []
    for part in parts_of(one):
        apart_s = max((first - part.to_at).total_seconds(), (part.from_at - last).total_seconds())
        away_s.append(apart_s if apart_s > part.uncertainty_s + WRITTEN_S else 0.0)
    return min(away_s)


def _clock(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M}"


def _long(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h" if seconds >= 7200 else f"{seconds / 60:.0f} min"


def _long_zh(seconds: float) -> str:
    return f"{seconds / 3600:.1f} 小时" if seconds >= 7200 else f"{seconds / 60:.0f} 分钟"
