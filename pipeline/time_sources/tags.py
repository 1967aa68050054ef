"""The dates of the other containers: RIFF (AVI, WAV), Broadcast Wave, ID3, Vorbis, ASF, Matroska.

Matroska's DateUTC is when the file was muxed. ID3 and Vorbis dates are releases on music and recordings on recorders:
both are kept, with little trust.
Source: EBU Tech 3285 (bext), id3.org 2.4 frames, RFC 9559 (DateUTC), Microsoft ASF 1.2 section 3.2.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

from config.settings import Settings
from pipeline.records import Known, TimeClaim
from pipeline.rules import timestamp_rules
from pipeline.stage import TimeSource
from pipeline.timing.claiming import claim_of, claim_of_property, text_of, zone_of
from pipeline.timing.texts import DAY_S

_DATE: Final = "container.date"
_STATED: Final = "container.date_stated"
# What the plain `date` tag is in containers that have a name for it.
_DATE_FIELDS: Final = {
    "mp3": "id3.TDRC", "aac": "id3.TDRC", "wav": "riff.ICRD", "ogg": "vorbis.DATE", "flac": "vorbis.DATE",
}  # fmt: skip
_TAGS: Final = ("riff.IDIT", "riff.ICRD", "id3.TDRC", "vorbis.DATE", "asf.CreationDate", "matroska.DateUTC")
_COUNTED: Final = ("asf.CreationDate", "matroska.DateUTC")


def _claims(known: Known, settings: Settings) -> Iterable[TimeClaim]:
    return _read(known, settings)


def _read(known: Known, settings: Settings) -> Iterator[TimeClaim]:
    zone = zone_of(settings)
    for tag in _TAGS:
        if (claim := claim_of_property(known, tag, zone, counted=tag in _COUNTED)) is not None:
            yield claim
    day = text_of(known, "bext.OriginationDate") or text_of(known, "tag.origination_date")
    clock = text_of(known, "bext.OriginationTime") or text_of(known, "tag.origination_time")
    if day.strip():
        yield claim_of("bext.Origination", f"{day} {clock}".strip(), zone)
    if (date := text_of(known, _DATE)).strip():
        yield from _date_claims(known, date, settings)


def _date_claims(known: Known, found: str, settings: Settings) -> Iterator[TimeClaim]:
    field = _DATE_FIELDS.get(known.original.format, _DATE)
    if field in known.properties and field != _DATE:
        return
    claim = claim_of(field, found, zone_of(settings))
    if field == _DATE and claim.zone_known and claim.precision_s < DAY_S:
        claim = replace(claim, source=_STATED, trust=timestamp_rules().source(_STATED).trust)
    yield claim


TIME_SOURCE = TimeSource(name="tags", version=1, claims=_claims)
