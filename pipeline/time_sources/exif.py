"""EXIF: exposure, digitisation and last change, each with its fraction and its offset field.

A date of zeros or spaces, month 0 or hour 24 is named and says nothing. Not covered: maker notes.
Source: CIPA DC-008 (Exif 2.32), tags 0x0132, 0x9003, 0x9004, 0x9010-0x9012, 0x9290-0x9292.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

from config.settings import Settings
from pipeline.records import Known, TimeClaim
from pipeline.stage import TimeSource
from pipeline.timing.claiming import claim_of, text_of, zone_of

# The time itself, its fraction, its offset.
_FIELDS: Final = (
    ("exif.DateTimeOriginal", "exif.SubSecTimeOriginal", "exif.OffsetTimeOriginal"),
    ("exif.DateTimeDigitized", "exif.SubSecTimeDigitized", "exif.OffsetTimeDigitized"),
    ("exif.DateTime", "exif.SubSecTime", "exif.OffsetTime"),
)

_FORM: Final = re.compile(r"\d{4}:\d{2}:\d{2} \d{2}:\d{2}:\d{2}[\s\0]*$")
_UNUSUAL: Final = "it is not written as EXIF asks, and other programs may not read it"


def _claims(known: Known, settings: Settings) -> Iterable[TimeClaim]:
    return _read(known, settings)


def _read(known: Known, settings: Settings) -> Iterator[TimeClaim]:
    for moment, fraction, offset in _FIELDS:
        if found := text_of(known, moment):
            claim = claim_of(
                moment, found, zone_of(settings), fraction=text_of(known, fraction), offset=text_of(known, offset)
            )
            yield claim if claim.at is None or _FORM.match(found) else replace(claim, note=_UNUSUAL)


TIME_SOURCE = TimeSource(name="exif", version=2, claims=_claims)
