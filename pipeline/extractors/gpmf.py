"""GoPro telemetry inside MP4: the satellites' clock and the place of the first fix.

Read from the `GoPro MET` track: GPS5 with GPSU and GPSF (Hero 5-10, Max, Fusion), GPS9 (Hero 11 on). Not covered: the
whole track, accelerometers. Source: the GPMF specification that GoPro publishes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import av

from pipeline.custody.sniff import sniff
from pipeline.edges.caged.reading import Row, answer, ends_of
from pipeline.edges.tools import DEMUXERS
from pipeline.errors import Unreadable
from pipeline.records import Original
from pipeline.stage import Extractor

FORMATS_READ: Final = frozenset(("mov", "mp4"))
PACKETS_MAX: Final = 1800  # half an hour of telemetry at one a second; a fix that comes later is not looked for
DEPTH_MAX: Final = 8
FIX_2D: Final = 2


def extract(path: str) -> dict[str, Any]:
    """`gpmf.GPSU` (UTC), `gpmf.at_s` (the moment of the film it belongs to), the place; nothing without telemetry."""
    head, tail = ends_of(path)
    format_name = sniff(head, tail, "").format
    if format_name not in FORMATS_READ:
        raise Unreadable(f"No telemetry lies in {format_name}", found=format_name)
    if b"GoPro" not in head and b"GoPro" not in tail:
        return answer([])
    return answer(_first_fix(path, format_name))


def _first_fix(path: str, format_name: str) -> list[Row]:
    try:
        with av.open(f"file:{path}", format=DEMUXERS[format_name], metadata_errors="replace") as container:
            tracks = [one for one in container.streams.data if "GoPro MET" in one.metadata.get("handler_name", "")]
            for count, packet in enumerate(container.demux(tracks)) if tracks else ():
                at_s = float((packet.pts or 0) * packet.time_base) if packet.size else 0.0
                rows = list(_fix_rows(bytes(packet), at_s)) if packet.size else []
                if rows or count > PACKETS_MAX:
                    return rows
    except (av.FFmpegError, ValueError):  # `container` says what is wrong with the file
        pass
    return []


def _entries(data: bytes, depth: int = 0) -> Iterator[tuple[bytes, int, int, bytes]]:
    """(key, type, size of a sample, content) of every entry; of nested ones the inner."""
    at = 0
    while at + 8 <= len(data):
        key, kind, size, count = struct.unpack(">4sBBH", data[at : at + 8])
        content = data[at + 8 : at + 8 + size * count]
        if kind == 0 and depth < DEPTH_MAX:
            yield from _entries(content, depth + 1)
        else:
            yield key, kind, size, content
        at += 8 + (size * count + 3) // 4 * 4


def _fix_rows(data: bytes, at_s: float) -> Iterator[Row]:
    """Rows of the packet's first sample, none while there is no fix."""
    scales: list[int] = []
    fix, clock = 0, ""
    for key, _, size, content in _entries(data):
        if key == b"GPSF":
            fix = int.from_bytes(content, "big")
        elif key == b"GPSU":
            clock = content.decode("latin-1")
        elif key == b"SCAL":
            width = 4 if size == 4 else 2
            scales = [
                int.from_bytes(content[at : at + width], "big", signed=True) for at in range(0, len(content), width)
            ]
        elif key == b"GPS5" and fix >= FIX_2D and len(scales) >= 3 and len(content) >= 12:
            yield from _place_rows(struct.unpack(">3i", content[:12]), scales)
            yield from _clock_rows(clock, at_s)
            return
        elif key == b"GPS9" and len(scales) >= 9 and len(content) >= 32:
            numbers = struct.unpack(">7iHH", content[:32])
            if numbers[8] >= FIX_2D:
                yield from _place_rows(numbers[:3], scales)
                made_at = datetime(2000, 1, 1, tzinfo=UTC) + timedelta(
                    days=numbers[5], seconds=numbers[6] / (scales[6] or 1)
                )
                yield "gpmf.GPSU", f"{numbers[5]} {numbers[6]}", made_at.isoformat()
                yield "gpmf.at_s", f"{at_s:.3f}", round(at_s, 3)
                return


def _place_rows(numbers: tuple[int, ...], scales: list[int]) -> Iterator[Row]:
    lat, lon, height = (number / (scale or 1) for number, scale in zip(numbers, scales, strict=False))
    if abs(lat) <= 90 and abs(lon) <= 180 and (lat or lon):
        for name, number, value in zip(("lat", "lon", "alt_m"), numbers, (lat, lon, height), strict=True):
            yield f"place.{name}", str(number), value


def _clock_rows(clock: str, at_s: float) -> Iterator[Row]:
    try:
        moment = datetime.strptime(clock[:12], "%y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return
    fraction = clock[12:] if clock[12:13] == "." else ""
    yield "gpmf.GPSU", clock, f"{moment:%Y-%m-%dT%H:%M:%S}{fraction}+00:00"
    yield "gpmf.at_s", f"{at_s:.3f}", round(at_s, 3)


def _reads(original: Original) -> bool:
    return original.format in FORMATS_READ


EXTRACTOR = Extractor(name="gpmf", version=1, reads=_reads, extract=extract)
