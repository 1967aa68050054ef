"""The dates of the other containers: RIFF (AVI, WAV), Broadcast Wave, ID3, Vorbis, ASF, Matroska.

Matroska's DateUTC is when the file was muxed. ID3 and Vorbis dates are releases on music and recordings on recorders:
both are kept, with little trust. Not covered: H.264 recording-date messages inside the stream.
Source: EBU Tech 3285 (bext), id3.org 2.4 frames, RFC 9559 (DateUTC), Microsoft ASF 1.2 section 3.2.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from config.settings import Settings
from pipeline.claiming import claim_of, text_of, zone_of
from pipeline.records import Known, TimeClaim
from pipeline.stage import TimeSource

_TAGS: Final = ("riff.IDIT", "riff.ICRD", "id3.TDRC", "vorbis.DATE", "asf.CreationDate", "matroska.DateUTC")


def _claims(known: Known, settings: Settings) -> Iterable[TimeClaim]:
    return _read(known, settings)


def _read(known: Known, settings: Settings) -> Iterator[TimeClaim]:
    zone = zone_of(settings)
    for tag in _TAGS:
        if found := text_of(known, tag):
            yield claim_of(tag, found, zone)
    day, clock = text_of(known, "bext.OriginationDate"), text_of(known, "bext.OriginationTime")
    if day:
        yield claim_of("bext.Origination", f"{day} {clock}".strip(), zone)


TIME_SOURCE = TimeSource(name="tags", version=1, claims=_claims)
