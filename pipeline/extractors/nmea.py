"""NMEA 0183 logs of GPS receivers: first and last fix (UTC), first position. Not covered: sentences other than RMC.

Source: NMEA 0183, RMC: time, status (A: valid), position as degrees and minutes, date.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

from pipeline.custody.sniff import text_of
from pipeline.edges.caged.reading import Row, answer, start_of
from pipeline.errors import Unreadable
from pipeline.records import Original
from pipeline.stage import Extractor
from pipeline.tracks import is_on_earth, rows_of

TEXT_MAX_BYTES: Final = 64 << 20
_RMC: Final = re.compile(
    r"\$G[A-Z]RMC,(\d{6}(?:\.\d+)?),A,(\d{2})(\d{2}\.\d+),([NS]),(\d{3})(\d{2}\.\d+),([EW]),[^,]*,[^,]*,(\d{6})[^\n\r]*"
)


def extract(path: str) -> dict[str, Any]:
    """Properties of the valid fixes. Raises Unreadable where there is none."""
    fixes = list(_RMC.finditer(text_of(start_of(path, TEXT_MAX_BYTES)) or ""))
    if not fixes:
        raise Unreadable("The log holds no valid fix", zh="定位日志中没有有效定位")
    return answer(_rows(fixes))


def _rows(fixes: list[re.Match[str]]) -> Iterator[Row]:
    moments = sorted((at, fix.group(0)) for fix in fixes if (at := _moment(fix)) is not None)
    if moments:
        yield "sidecar.start", moments[0][1], moments[0][0].isoformat()
        yield "sidecar.end", moments[-1][1], moments[-1][0].isoformat()
    yield "sidecar.samples", str(len(fixes)), len(fixes)
    yield "sidecar.source", "NMEA", "nmea"
    placed = [(fix, place) for fix in fixes if is_on_earth(*(place := _place(fix)))]
    if placed:
        first, (lat, lon) = placed[0]
        yield "place.lat", first.group(0), lat
        yield "place.lon", first.group(0), lon
    yield from rows_of([(at.timestamp(), *place) for fix, place in placed if (at := _moment(fix)) is not None])


def _place(fix: re.Match[str]) -> tuple[float, float]:
    """Latitude and longitude in degrees."""
    lat, lon = (float(fix.group(at)) + float(fix.group(at + 1)) / 60 for at in (2, 5))
    return (-lat if fix.group(4) == "S" else lat), (-lon if fix.group(7) == "W" else lon)


def _moment(fix: re.Match[str]) -> datetime | None:
    try:
        return datetime.strptime(fix.group(8) + fix.group(1)[:6], "%d%m%y%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None


def _reads(original: Original) -> bool:
    return original.format == "nmea"


EXTRACTOR = Extractor(name="nmea", version=3, reads=_reads, extract=extract)
