"""A time claim made from a text and the rule of its source; what all time sources share."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from config.settings import Settings
from pipeline.errors import BadInput
from pipeline.records import Known, TimeClaim
from pipeline.rules import TagRule, timestamp_rules
from pipeline.timing.texts import Misread, Reading, instant_of, offset_min_of, read_time, with_fraction


def zone_of(settings: Settings) -> tzinfo:
    """The zone of devices that do not say theirs. Raises BadInput where the setting names no zone."""
    try:
        return ZoneInfo(settings.time.zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise BadInput(
            f"time.zone is '{settings.time.zone}', which is no zone; write one like Asia/Shanghai",
            zh=f"time.zone 为“{settings.time.zone}”，不是时区：请写成 Asia/Shanghai 这样的名称",
            expected="Area/City",
            found=settings.time.zone,
        ) from error


def claim_of(
    source: str,
    found: str,
    zone: tzinfo,
    *,
    fraction: str = "",
    offset: str = "",
    note: str = "",
) -> TimeClaim:
    """The claim that this text makes under its source's rule; without `at` where it says nothing.

    fraction, offset: the texts of the fields beside it that hold them.
    """
    rule = timestamp_rules().source(source)
    reading = read_time(found)
    if isinstance(reading, Misread):
        return empty_claim(rule, found, reading.reason)
    reading = with_fraction(reading, fraction)
    if reading.offset_min is None and offset:
        reading = Reading(shown=reading.shown, offset_min=offset_min_of(offset), precision_s=reading.precision_s)
    beside = " ".join(part.strip() for part in (fraction and f".{fraction.strip()}", offset) if part and part.strip())
    return claim_from(rule, f"{found} {beside}".strip() if beside else found, reading, zone, note=note)


def claim_of_property(
    known: Known, name: str, zone: tzinfo, *, source: str = "", note: str = "", counted: bool = False
) -> TimeClaim | None:
    """The claim of one property, None where there is none; read from its text, else from how its reader understood it.

    source: whose rule counts, where it is not the property's own name. counted: its text is a count or packed digits,
    which could pass for another date, so that only what its reader understood is read.
    """
    found = known.properties.get(name)
    if found is None or not found.found.strip():
        return None
    claim = (
        empty_claim(timestamp_rules().source(source or name), found.found, "it is not a date")
        if counted
        else claim_of(source or name, found.found, zone, note=note)
    )
    if claim.at is None and isinstance(found.value, str):
        understood = claim_of(source or name, found.value, zone, note=note)
        return claim if understood.at is None else replace(understood, found=found.found)
    return claim


def claim_from(rule: TagRule, found: str, reading: Reading, zone: tzinfo, *, note: str = "") -> TimeClaim:
    """The claim of a reading: its own zone where it states one, else what the rule says of the source.

    A questionable source is taken as UTC with `offset_min` 0 and its zone not known; the offset 0 that libraries
    print after such a time is theirs and not the file's.
    """
    offset_min, known = reading.offset_min, reading.offset_min is not None
    if rule.zone == "utc" and offset_min is None:
        offset_min, known = 0, True
    elif rule.zone == "questionable" and not offset_min:
        offset_min, known = 0, False
    try:
        at = instant_of(reading.shown, zone if offset_min is None else offset_min)
    except OverflowError:
        return empty_claim(rule, found, "it lies outside the calendar")
    return TimeClaim(
        source=rule.name,
        found=found,
        at=at,
        zone_known=known,
        offset_min=offset_min,
        marks=rule.marks,
        precision_s=max(reading.precision_s, rule.step_s),
        trust=rule.trust,
        note=note,
    )


def empty_claim(rule: TagRule, found: str, reason: str) -> TimeClaim:
    """A claim that names what was found and why it says nothing."""
    return TimeClaim(
        source=rule.name,
        found=found,
        at=None,
        zone_known=False,
        offset_min=None,
        marks=rule.marks,
        precision_s=0.0,
        trust=0,
        note=reason,
    )


def text_of(known: Known, name: str) -> str:
    """The text of a property as found; empty where there is none."""
    found = known.properties.get(name)
    return "" if found is None else found.found


def at_of_ns(ns: int) -> datetime | None:
    """The instant so many nanoseconds after 1970; None outside the calendar."""
    try:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=ns // 1000)
    except OverflowError:
        return None
