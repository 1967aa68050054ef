"""JPEG: dates that cameras left outside EXIF, where they leave none inside it.

Read: the text of early cameras in APP12 (`TimeDate=`), Canon's heap in APP0 (CIFF, capture time), and the head of the
maker note of game cameras (Reconyx HyperFire). All are the clock's own digits. Not covered: other makers' notes, which
readers have hung on; CIFF files that are no JPEG (`.crw`).
Sources: Canon, CIFF 1.0 rev. 4; the fields as public readers of these notes describe them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from pipeline.custody.sniff import sniff
from pipeline.edges.caged.reading import Row, answer, ends_of, segments_in
from pipeline.errors import Unreadable
from pipeline.records import Original
from pipeline.stage import Extractor

_TIME_DATE: Final = re.compile(rb"\bTimeDate=(\d{6,10})\b")
_HEAP: Final = b"HEAPJPGM"
_HEAP_DEPTH_MAX, _HEAP_ENTRIES_MAX = 4, 200
_CAPTURED: Final = 0x180E  # capture time: seconds since 1970 as the camera's clock showed them
# Identifier and version of the note, then firmware, trigger and event; at byte 22 second to year, each 16 bits.
_GAME_CAMERA: Final = re.compile(rb"\x01\xf1.{20}(.{12})", re.DOTALL)


def extract(path: str) -> dict[str, Any]:
    """`maker.TimeDate`, `maker.CaptureTime`, `maker.GameCamera`, of those that are there."""
    head, tail = ends_of(path)
    if sniff(head, tail, "").format != "jpeg":
        raise Unreadable("Dates of makers are read from JPEG only")
    return answer(_rows(path))


def _rows(path: str) -> Iterator[Row]:
    with Path(path).open("rb") as stream:
        for segment in segments_in(stream):
            stream.seek(segment.start)
            content = stream.read(segment.length)
            if segment.marker == 0xEC and (found := _TIME_DATE.search(content)):
                yield "maker.TimeDate", found[1].decode(), _digits(int(found[1]))
            elif segment.marker == 0xE0 and content[6:14] == _HEAP:
                yield from _heap_rows(content[int.from_bytes(content[2:6], _order(content)) :], _order(content), 0)
            elif segment.marker == 0xE1 and content.startswith(b"Exif") and (noted := _GAME_CAMERA.search(content)):
                yield from _game_camera_rows(noted[1])


def _order(content: bytes) -> Any:
    return "big" if content[:2] == b"MM" else "little"


def _heap_rows(heap: bytes, order: Any, depth: int) -> Iterator[Row]:
    """The capture time in this heap or in one within it; its list of entries is found from its last four bytes."""
    at = int.from_bytes(heap[-4:], order) if len(heap) >= 6 else len(heap)
    count = int.from_bytes(heap[at : at + 2], order)
    for place in range(at + 2, at + 2 + 10 * min(count, _HEAP_ENTRIES_MAX), 10):
        entry = heap[place : place + 10]
        tag, size, start = (int.from_bytes(entry[a:b], order) for a, b in ((0, 2), (2, 6), (6, 10)))
        content = heap[start : start + size]
        if tag & 0x3FFF == _CAPTURED and len(content) >= 4 and (seconds := int.from_bytes(content[:4], order)):
            yield "maker.CaptureTime", str(seconds), _digits(seconds)
        elif tag & 0x3800 in (0x2800, 0x3000) and depth < _HEAP_DEPTH_MAX:
            yield from _heap_rows(content, order, depth + 1)


def _game_camera_rows(digits: bytes) -> Iterator[Row]:
    numbers = [int.from_bytes(digits[at : at + 2], "little") for at in range(0, 12, 2)]
    second, minute, hour, month, day, year = numbers
    text = f"{year:04d}:{month:02d}:{day:02d} {hour:02d}:{minute:02d}:{second:02d}"
    if 2000 <= year < 2100 and 1 <= month <= 12 and 1 <= day <= 31 and hour < 24 and minute < 60 and second < 60:
        yield "maker.GameCamera", text, text


def _digits(seconds: int) -> str:
    """What the clock showed, for seconds since 1970."""
    return f"{datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%S}"


def _reads(original: Original) -> bool:
    return original.format == "jpeg"


EXTRACTOR = Extractor(name="maker_dates", version=1, reads=_reads, extract=extract)
