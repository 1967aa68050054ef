"""JPEG: dates that early and game cameras left outside EXIF; the clock's own digits."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from config.settings import Settings
from pipeline.records import Known, TimeClaim
from pipeline.stage import TimeSource
from pipeline.timing.claiming import claim_of_property, zone_of

_FIELDS: Final = ("maker.TimeDate", "maker.CaptureTime", "maker.GameCamera")
_COUNTED: Final = _FIELDS[:2]


def _claims(known: Known, settings: Settings) -> Iterable[TimeClaim]:
    zone = zone_of(settings)
    found = [claim_of_property(known, field, zone, counted=field in _COUNTED) for field in _FIELDS]
    return [claim for claim in found if claim is not None]


TIME_SOURCE = TimeSource(name="maker_dates", version=1, claims=_claims)
