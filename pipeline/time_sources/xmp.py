"""XMP: dates that cameras and editing programs write in ISO 8601, with or without an offset.

The offset is often that of the computer that edited the file, so it settles no other clock's zone.
Not covered: packets in sidecar files.
Source: ISO 16684-1 (xmp, exif and photoshop namespaces).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from config.settings import Settings
from pipeline.records import Known, TimeClaim
from pipeline.stage import TimeSource
from pipeline.timing.claiming import claim_of_property, zone_of

_TAGS: Final = (
    "xmp.UTCAtExposure",
    "xmp.DateTimeOriginal",
    "xmp.DateCreated",
    "xmp.DateTimeDigitized",
    "xmp.CreateDate",
    "xmp.ModifyDate",
)


def _claims(known: Known, settings: Settings) -> Iterable[TimeClaim]:
    zone = zone_of(settings)
    return [claim for tag in _TAGS if (claim := claim_of_property(known, tag, zone)) is not None]


TIME_SOURCE = TimeSource(name="xmp", version=2, claims=_claims)
