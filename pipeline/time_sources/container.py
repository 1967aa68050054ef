"""QuickTime and MP4: the movie header's creation time.

The field counts seconds since 1904 without a zone. ISO/IEC 14496-12 says UTC; Apple's own book allows local time,
and many cameras write it: both readings are named, and deciding tells them apart by the other sources. It may mark
the end of the clip. Writers that count from 1970 show a year around 1950, which is read a second time as that.
In other containers the same property holds that container's own field, and that field's rule counts.
Not covered: the creation times of single tracks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Final

from config.settings import Settings
from pipeline.records import Known, TimeClaim
from pipeline.rules import timestamp_rules
from pipeline.stage import TimeSource
from pipeline.timing.claiming import claim_of, text_of, zone_of
from pipeline.timing.texts import instant_of

_SOURCE: Final = "container.creation_time"
_SINCE_1970: Final = "container.creation_time_1970"
_EPOCHS_APART: Final = timedelta(seconds=2_082_844_800)  # 1904-01-01 to 1970-01-01
_MISREAD_YEARS: Final = range(1935, 1980)  # 2001 to 2045 counted from 1970 and read as counted from 1904
# What the property holds in containers other than QuickTime and MP4.
_OTHER_FIELDS: Final = {
    "avi": "riff.IDIT",
    "wav": "riff.ICRD",
    "matroska": "matroska.DateUTC",
    "webm": "matroska.DateUTC",
    "asf": "asf.CreationDate",
}


def _claims(known: Known, settings: Settings) -> Iterable[TimeClaim]:
    return _read(known, settings)


def _read(known: Known, settings: Settings) -> Iterator[TimeClaim]:
    found = text_of(known, _SOURCE)
    if not found.strip():
        return
    zone = zone_of(settings)
    field = _OTHER_FIELDS.get(known.original.format)
    if field is not None:
        if field not in known.properties:
            yield claim_of(field, found.removesuffix("Z"), zone)
        return
    claim = claim_of(_SOURCE, found, zone)
    if claim.at is None or claim.zone_known:
        yield claim
        return
    local = instant_of(claim.at, zone)
    yield _by_habit(replace(claim, note=f"as UTC {claim.at:%F %T}Z, as local digits {local:%F %T}Z"), known, settings)
    if claim.at.year in _MISREAD_YEARS and claim.at.year != 1970:
        since_1970 = claim.at + _EPOCHS_APART
        rule = timestamp_rules().source(_SINCE_1970)
        yield replace(
            claim, source=rule.name, at=since_1970, trust=rule.trust, note="read as counted from 1970 and not from 1904"
        )


def _by_habit(claim: TimeClaim, known: Known, settings: Settings) -> TimeClaim:
    at = claim.at
    device = " ".join(str(known.value(name, "")) for name in ("device.make", "device.model")).strip()
    habit = timestamp_rules().habit_of(device) if device else None
    if habit is None or at is None:
        return claim
    if habit.marks is not None:
        claim = replace(claim, marks=habit.marks, note=f"{claim.note}; {device} devices mark the {habit.marks} here")
    if habit.writes == "utc":
        return replace(claim, zone_known=True, note=f"{claim.note}; {device} devices keep to UTC here")
    if habit.writes == "local":
        return replace(
            claim,
            at=instant_of(at, zone_of(settings)),
            offset_min=None,
            note=f"{claim.note}; {device} devices write local digits here",
        )
    return claim


TIME_SOURCE = TimeSource(name="container", version=1, claims=_claims)
