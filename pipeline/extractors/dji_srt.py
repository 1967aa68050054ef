"""Telemetry that drones write as subtitles: when, where, how high; plain subtitles give their count only.

Dialects read: bracketed (`[latitude : 1.2] [longitude : 3.4]`, also misspelt `longtitude`); `GPS(lon,lat,satellites)`
of the Mavic and Phantom lines; `GPS(lat,lon,1.0M)` of the Matrice line. Times have dots or dashes, and milliseconds and
microseconds apart by commas. Newer models write none (`djmd`). The clock is the drone's own, its zone is not said.
Source: sample files of eight models published by their owners.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from pipeline.custody.sniff import text_of
from pipeline.edges.caged.reading import Row, answer, start_of
from pipeline.errors import Unreadable
from pipeline.records import Original
from pipeline.stage import Extractor

TEXT_MAX_BYTES: Final = 64 << 20  # an hour at 60 cues a second with long lines is 50 MB

_TIME: Final = re.compile(
    r"(\d{4})[.\-/](\d{1,2})[.\-/](\d{1,2})[ T](\d{1,2}):(\d{2}):(\d{2})(?:[.,](\d{1,3})(?:,(\d{1,3}))?)?(?![\d:])"
)
_CUE: Final = re.compile(
    r"(\d{1,2}):(\d{1,2}):(\d{1,2})[,.](\d{1,3})\s*-->\s*(\d{1,2}):(\d{1,2}):(\d{1,2})[,.](\d{1,3})"
)
_NUMBER: Final = r"([+-]?\d+(?:\.\d+)?)"
_BRACKETED: Final = re.compile(rf"\[\s*latitude\s*:\s*{_NUMBER}\s*\]\s*\[\s*longt?itude\s*:\s*{_NUMBER}", re.IGNORECASE)
_HEIGHT: Final = re.compile(rf"(?:\[\s*altitude\s*:\s*|abs_alt\s*:\s*){_NUMBER}", re.IGNORECASE)
_GPS: Final = re.compile(rf"GPS\s*\(\s*{_NUMBER}\s*,\s*{_NUMBER}\s*(?:,\s*{_NUMBER}\s*(M?))?", re.IGNORECASE)


def extract(path: str) -> dict[str, Any]:
    """First and last time, first position, count of cues and their length. Raises Unreadable where there is no cue."""
    text = text_of(start_of(path, TEXT_MAX_BYTES))
    if text is None:
        raise Unreadable("The subtitles are no text", zh="字幕文件不是文本")
    times = list(_TIME.finditer(text))
    cues = list(_CUE.finditer(text))
    if not times and not cues:
        raise Unreadable("There is no subtitle in it", zh="其中没有字幕")
    return answer([*_time_rows(times), *_cue_rows(cues, len(times)), *_place_rows(text)])


def _time_rows(times: list[re.Match[str]]) -> Iterator[Row]:
    understood = sorted((moment, match.group(0)) for match in times if (moment := _moment(match)) is not None)
    if understood:
        for name, (moment, found) in (("sidecar.start", understood[0]), ("sidecar.end", understood[-1])):
            yield name, found, moment.isoformat()
        yield "sidecar.source", "drone subtitles", "drone"


def _moment(match: re.Match[str]) -> datetime | None:
    """The drone's own wall clock; without a zone, for it writes none."""
    *parts, milli, micro = match.groups()
    try:
        fraction = int(((milli or "0").zfill(3) if milli else "000") + (micro or "000").zfill(3))
        return datetime(*(int(part) for part in parts), fraction)  # type: ignore[arg-type,call-arg]  # noqa: DTZ001
    except ValueError:
        return None


def _cue_rows(cues: list[re.Match[str]], times: int) -> Iterator[Row]:
    yield "sidecar.samples", str(len(cues) or times), len(cues) or times
    if cues:
        hours, minutes, seconds, milli = (int(part) for part in cues[-1].groups()[4:])
        yield "sidecar.length_s", cues[-1].group(0), hours * 3600 + minutes * 60 + seconds + milli / 1000


def _place_rows(text: str) -> Iterator[Row]:
    for match in _positions(text):
        found, lat, lon = match
        if abs(lat) <= 90 and abs(lon) <= 180 and (lat or lon):
            yield "place.lat", found, lat
            yield "place.lon", found, lon
            break
    if height := _HEIGHT.search(text):
        yield "place.alt_m", height.group(0), float(height.group(1))


def _positions(text: str) -> Iterator[tuple[str, float, float]]:
    """(text, latitude, longitude) of every sample until one has a fix: noughts mean there was none yet."""
    for match in _BRACKETED.finditer(text):
        yield match.group(0), float(match.group(1)), float(match.group(2))
    for match in _GPS.finditer(text):
        first, second = float(match.group(1)), float(match.group(2))
        lat_first = abs(second) > 90 or (abs(first) <= 90 and bool(match.group(4)))
        yield match.group(0), *((first, second) if lat_first else (second, first))


def _reads(original: Original) -> bool:
    return original.format == "srt"


EXTRACTOR = Extractor(name="dji_srt", version=1, reads=_reads, extract=extract)
