"""The stage that finds out when it was recorded: every source's claims, the decided time, and its caveats."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from config.settings import Settings
from pipeline.codes import readings_of
from pipeline.kinds import kinds_in
from pipeline.records import Around, ClockOffset, DecidedTime, Device, Facts, Known, Property, TimeClaim, Words
from pipeline.rules import name_profiles, timestamp_rules
from pipeline.stage import Context, Stage, TimeSource
from pipeline.timing.caveats import clock_unused
from pipeline.timing.claiming import zone_of
from pipeline.timing.clocks import DeviceClock
from pipeline.timing.correction import corrected
from pipeline.timing.deciding import decide
from pipeline.timing.filmed import (
    SOURCE,
    Unfit,
    believed,
    bounded,
    claim_of,
    clock_shown,
    is_new,
    offset_by,
)
from pipeline.timing.history import LESSON, OPEN, device_key, in_order, lesson_of, lesson_text
from pipeline.timing.lateness import late_upload
from pipeline.timing.names import places_of, read_name
from pipeline.timing.satellites import ZONELESS, offset_by_satellites

NAME = "timestamps"
VERSION = 7
BESIDE: Final = "sidecar.start"
_KINDS_BESIDE: Final = {
    "gpx": Words("a GPX track", " GPX 轨迹"), "nmea": Words("a satellite log (NMEA)", "卫星定位日志（NMEA）"),
    "drone": Words("the drone's subtitles", "无人机字幕文件"), "": Words("a file", "文件"),
}  # fmt: skip
_RECORDED: Final = ("video", "audio", "photo")


def run(known: Known, context: Context) -> Facts:
    """All claims, the time decided from them, and what a reviewer must bear in mind of it."""
    finder = f"{NAME}/{VERSION}"
    marks = tuple(replace(one, finder=finder) for one in marks_of(known, context))
    marked = replace(known, properties={**known.properties, **{one.name: one for one in marks}})
    around = context.around(marked)
    settings = settings_for(around.device, context.settings)
    claims = claims_of(replace(known, around=around), settings)
    filmed = filmed_offset(known, around, claims, settings)
    history = context.history(marked, around)
    told = filmed if isinstance(filmed, ClockOffset) else offset_told(marked, around, claims, settings)
    own = told if isinstance(told, ClockOffset) and is_new(told, around.offsets) else None
    others = around.offsets if own is None else (*(one for one in around.offsets if one.at != own.at), own)
    decided, caveats = decide(
        claims,
        duration_s=duration_s_of(known),
        zone=zone_of(settings),
        now=_handed_in_at(known, context),
        clock=DeviceClock(others),
        zone_by="default" if around.device is None else "device" if around.device.zone else "bureau",
        history=history,
    )
    decided, caveats = in_order(decided, caveats, history, duration_s_of(known))
    decided = decided and _said_beside(decided, known)
    learnt = _learnt(known, around, claims, decided, settings)
    if known.correction is not None:
        decided, caveats = corrected(known.correction, decided, caveats, duration_s_of(known))
    if isinstance(filmed, Unfit):
        caveats = (*caveats, clock_unused(filmed.en, filmed.zh))
    late = late_upload(decided, _handed_in_at(known, context), settings.time.upload_deadline_h)
    if late is not None and known.original.kind in _RECORDED:
        caveats = (*caveats, late)
    return Facts(
        properties=(*marks, *(replace(one, finder=finder) for one in learnt)),
        time_claims=claims,
        time=None if decided is None else replace(decided, finder=finder),
        caveats=tuple(replace(caveat, finder=finder) for caveat in caveats),
        offsets=() if own is None else (own,),
    )


def _said_beside(decided: DecidedTime, known: Known) -> DecidedTime:
    """The decided time with what kind of file beside the recording told it; its name is not for all to read."""
    if decided.source != BESIDE or known.value(BESIDE) is not None:
        return decided
    kinds = {str(one.value("sidecar.source", "")) for one in known.sidecars if one.value(BESIDE) is not None}
    told = _KINDS_BESIDE.get(kinds.pop() if len(kinds) == 1 else "", _KINDS_BESIDE[""])
    return replace(
        decided, why=f"{decided.why} It stands in {told.en} beside the recording.",
        why_zh=f"{decided.why_zh}该时间取自录制旁附的{told.zh}。",
    )  # fmt: skip


def _handed_in_at(known: Known, context: Context) -> datetime:
    """The first arrival: nothing is younger, and running again later decides the same."""
    return min((arrival.taken_at for arrival in known.arrivals), default=context.catalog.now())


def filmed_offset(
    known: Known, around: Around, claims: Sequence[TimeClaim], settings: Settings, *, by: str = ""
) -> ClockOffset | Unfit | None:
    """By how much its device's clock is off by the clock card in its pictures; None where it shows none.

    by: the person who decided that the card is right, whose ever it is.
    """
    readings = readings_of(known)
    if not readings:
        return None
    filmed = believed(readings, around, known.original.accepted_at)
    if isinstance(filmed, Unfit) and by:
        filmed = bounded(readings)
    if isinstance(filmed, Unfit):
        return filmed
    told = claims if any(one.source == SOURCE for one in claims) else [*claims, claim_of(filmed, 0)]
    return offset_by(filmed, shown_when_begun(known, around, told, settings), known, around, by)


def offset_told(
    known: Known, around: Around, claims: Sequence[TimeClaim], settings: Settings, *, by: str = ""
) -> ClockOffset | Unfit | None:
    """By how much its device's clock is off by the satellites it heard; None where it tells of none.

    by: the person who decided that their time is right.
    """
    own = [one for one in claims if one.source not in ZONELESS]
    shown = shown_when_begun(known, around, own, settings)
    return offset_by_satellites(claims, shown, known, around, by, duration_s_of(known))


def _learnt(
    known: Known, around: Around, claims: Sequence[TimeClaim], decided: DecidedTime | None, settings: Settings
) -> tuple[Property, ...]:
    """What this recording teaches of its device, or that it waits for others to teach."""
    key = device_key(known, around)
    if not key:
        return ()
    if reading := lesson_of(claims, decided, duration_s_of(known), zone_of(settings)):
        return (Property(name=LESSON, found=lesson_text(key, reading), value=reading),)
    is_open = decided is not None and "assumed_utc" in decided.method
    return (Property(name=OPEN, found=key, value=True),) if is_open else ()


def shown_when_begun(
    known: Known, around: Around, claims: Sequence[TimeClaim], settings: Settings
) -> tuple[datetime, float] | None:
    """What the device's own clock showed when the recording began, and its step in seconds; None where none is told."""
    zone = zone_of(settings_for(around.device, settings))
    return clock_shown(claims, duration_s=duration_s_of(known), zone=zone, rules=timestamp_rules())


def settings_for(device: Device | None, settings: Settings) -> Settings:
    """The settings by which a file of this device is read: a device of another zone by its own."""
    if device is None or not device.zone:
        return settings
    return replace(settings, time=replace(settings.time, zone=device.zone))


def claims_of(known: Known, settings: Settings) -> tuple[TimeClaim, ...]:
    """What every source claims, with the source's name and version as finder."""
    sources: tuple[TimeSource, ...] = kinds_in("pipeline.time_sources", "TIME_SOURCE")
    return tuple(
        replace(claim, finder=f"{source.name}/{source.version}")
        for source in sources
        for claim in source.claims(known, settings)
    )


def marks_of(known: Known, context: Context) -> Iterator[Property]:
    """What a device wrote into the name beside the time: `file_name.device`, `.officer`, `.sequence`, ..."""
    profiles = name_profiles(context.settings.home)
    for folder, name in places_of(known):
        reading = read_name(folder, name, profiles)
        if reading is not None:
            yield Property(name="file_name.profile", found=name, value=reading.profile.name)
            for mark, text in sorted(reading.marks.items()):
                yield Property(name=f"file_name.{mark}", found=text, value=text)
            return


def duration_s_of(known: Known) -> float | None:
    """The recording's length: where its data end, else what its header says; None for what has no length."""
    for name in ("container.data_end_s", "container.duration_s"):
        length = known.value(name)
        if isinstance(length, int | float) and not isinstance(length, bool) and length > 0:
            return float(length)
    return None


STAGE = Stage(name=NAME, version=VERSION, run=run)
