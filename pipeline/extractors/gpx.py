"""GPX tracks: first and last moment, first position, count of points, where it went.

Not covered: routes without times, extensions.
Source: GPX 1.1 schema (times are UTC by its words, `Z` or not).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree

from pipeline.edges.caged.reading import Row, answer
from pipeline.errors import Unreadable
from pipeline.records import Original
from pipeline.stage import Extractor
from pipeline.tracks import is_on_earth, rows_of

POINTS_MAX: Final = 2_000_000  # twenty days at one a second
_POINTS: Final = ("trkpt", "wpt", "rtept")


def extract(path: str) -> dict[str, Any]:
    """Properties of the points until the file ends or breaks. Raises Unreadable where not one point came."""
    if b"<!DOCTYPE" in Path(path).read_bytes()[: 1 << 16]:
        raise Unreadable(
            "The GPX defines entities of its own, which no recorder does", zh="GPX 定义了实体，记录设备不会这样写"
        )
    points: list[tuple[str, str, str, str]] = []
    try:
        for point in _points(path):
            points.append(point)
            if len(points) >= POINTS_MAX:
                break
    except ElementTree.ParseError as error:
        if not points:
            raise Unreadable(f"The GPX is not well-formed: {error}", zh=f"GPX 格式有误：{error}") from error
    if not points:
        raise Unreadable("The GPX holds no point", zh="GPX 中没有轨迹点")
    return answer(_rows(points))


def _points(path: str) -> Iterator[tuple[str, str, str, str]]:
    """(latitude, longitude, height, time) as texts, in the order of the file."""
    with Path(path).open("rb") as stream:
        for _, element in ElementTree.iterparse(stream):
            if element.tag.rpartition("}")[2] in _POINTS:
                inner = {child.tag.rpartition("}")[2]: (child.text or "").strip() for child in element}
                yield element.get("lat", ""), element.get("lon", ""), inner.get("ele", ""), inner.get("time", "")
                element.clear()


def _rows(points: list[tuple[str, str, str, str]]) -> Iterator[Row]:
    times = sorted(time for *_, time in points if time)
    if times:
        yield "sidecar.start", times[0], times[0]
        yield "sidecar.end", times[-1], times[-1]
    yield "sidecar.samples", str(len(points)), len(points)
    yield "sidecar.source", "GPX", "gpx"
    for lat, lon, height, _ in points:
        if (at := _place(lat, lon)) is not None:
            yield "place.lat", lat, at[0]
            yield "place.lon", lon, at[1]
            yield "place.alt_m", height, _number(height)
            break
    yield from rows_of(list(_moved(points)))


def _moved(points: list[tuple[str, str, str, str]]) -> Iterator[tuple[float, float, float]]:
    """(seconds since 1970, latitude, longitude) of each point that tells all three; their digits are UTC."""
    for lat, lon, _, time in points:
        place = _place(lat, lon)
        try:
            at = datetime.fromisoformat(time)
        except ValueError:
            continue
        if place is not None:
            yield (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp(), *place


def _place(lat: str, lon: str) -> tuple[float, float] | None:
    """Latitude and longitude in degrees, None where they are no place on earth."""
    lat_deg, lon_deg = _number(lat), _number(lon)
    if lat_deg is None or lon_deg is None or not is_on_earth(lat_deg, lon_deg):
        return None
    return lat_deg, lon_deg


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _reads(original: Original) -> bool:
    return original.format == "gpx"


EXTRACTOR = Extractor(name="gpx", version=3, reads=_reads, extract=extract)
