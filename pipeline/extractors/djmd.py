"""Telemetry inside the MP4 of newer drones and action cameras of DJI: place, time of the position, model and serial.

One record of protocol buffers beside each picture, in a track of the kind `djmd`; the first names its protocol, and by
that the fields are known. Read at most once a second. Drones write no time of day there, only how long they were
switched on; action cameras write the position's time as their remote sent it, in a zone that nothing tells (owners of
the same model read UTC, and their own time an hour off). Not covered: attitude, speed, the debugging track (`dbgi`),
protocols that the table lacks (their model and serial are read), recordings whose index never came.
Source: no publication of the maker; the fields as three public readers of these files describe them alike.
"""

from __future__ import annotations

import math
import struct
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

from pipeline.custody.sniff import sniff
from pipeline.edges.caged.reading import Box, Row, answer, boxes_at, boxes_in, ends_of
from pipeline.errors import Unreadable
from pipeline.records import Original
from pipeline.stage import Extractor
from pipeline.tracks import TRACK, Point, thinned, told

FORMATS_READ: Final = frozenset(("mov", "mp4"))
SAMPLES_MAX: Final = 2_000_000  # nine hours at 60 a second
RUNS_MAX: Final = 200_000
RECORD_MAX_BYTES: Final = 1 << 16  # seen: 300 to 5,000
READ_MAX: Final = 7200
_DEPTH_MAX: Final = 8
_MODEL, _SERIAL = (1, 1, 10), (1, 1, 5)
# Protocol -> where the message about the position lies, and whether it is in degrees whatever its unit says.
_PLACES: Final[dict[str, tuple[tuple[int, ...], bool]]] = {
    **dict.fromkeys(("Air3", "Air3s", "Mini4_Pro", "wm265e", "pm320", "wm261", "wa345e"), ((3, 3, 4), False)),
    **dict.fromkeys(("Mavic4", "Mini5Pro"), ((3, 3, 4), True)),
    **dict.fromkeys(("AVATA2", "dji_neo"), ((3, 4, 4), False)),
    **dict.fromkeys(("ac203", "ac204", "ac206", "oq101"), ((3, 4, 2), False)),
}


class Fix(NamedTuple):
    """Where it was at that second of the film. clock: the position's time as written, '' without one."""

    at_s: float
    lat: float
    lon: float
    alt_m: float | None
    clock: str


def extract(path: str) -> dict[str, Any]:
    """`djmd.GPSDateTime` with `djmd.at_s`, the first place, `place.track`, model and serial; nothing without the track.

    place.track: [second of the film, latitude, longitude, metres above the ellipsoid or None], as it moves.
    """
    head, tail = ends_of(path)
    format_name = sniff(head, tail, "").format
    if format_name not in FORMATS_READ:
        raise Unreadable(f"No telemetry lies in {format_name}", found=format_name)
    with Path(path).open("rb") as stream:
        return answer(_rows(_records(stream)))


def _rows(records: Iterator[tuple[float, bytes]]) -> Iterator[Row]:
    protocol, fixes = "", []
    for at_s, record in records:
        if not protocol:
            protocol = _protocol(record)
            if not protocol:
                return
            yield from _device_rows(record, protocol)
        if fix := fix_in(record, protocol, at_s):
            fixes.append(fix)
    if not fixes:
        return
    for name, value in zip(("lat", "lon", "alt_m"), fixes[0][1:4], strict=True):
        if value is not None:
            yield f"place.{name}", repr(value), value
    track = thinned([Point(*fix[:4]) for fix in fixes])
    yield TRACK, told(track, len(fixes)), track
    if timed := next((one for one in fixes if one.clock), None):
        yield "djmd.GPSDateTime", timed.clock, timed.clock
        yield "djmd.at_s", f"{timed.at_s:.3f}", round(timed.at_s, 3)


def _device_rows(record: bytes, protocol: str) -> Iterator[Row]:
    yield "djmd.protocol", protocol, protocol
    for name, path in (("device.model", _MODEL), ("device.serial", _SERIAL)):
        if (text := _text(_at(record, path))) and any(letter.isalnum() for letter in text):
            yield name, text, text
            if name == "device.model" and text.startswith("DJI"):
                yield "device.make", text, "DJI"


def fix_in(record: bytes, protocol: str, at_s: float) -> Fix | None:
    """The position in one record; None while there is none, or where the protocol is not known."""
    path, in_degrees = _PLACES.get(protocol.removeprefix("dvtm_").removesuffix(".proto"), ((), False))
    message = _at(record, path) if path else None
    if not isinstance(message, bytes):
        return None
    told = _at(message, (1,))
    place = dict(_fields(told)) if isinstance(told, bytes) else {}
    lat, lon = _double(place.get(2)), _double(place.get(3))
    if lat is None or lon is None or max(abs(lat), abs(lon)) < 1e-6:
        return None
    if not in_degrees and place.get(1) != 1:
        lat, lon = math.degrees(lat), math.degrees(lon)
    if abs(lat) > 90 or abs(lon) > 180:
        return None
    height = _at(message, (2,))
    alt_m = None if not isinstance(height, int) else (height - (1 << 64) * (height >> 63)) / 1000
    return Fix(at_s, round(lat, 7), round(lon, 7), alt_m, _text(_at(message, (6, 1))))


# -- protocol buffers


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """(number, value) of each field: a varint as int, all else as bytes; stops where it cannot be one."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, wire = key >> 3, key & 7
        if not number:
            return
        if wire == 0:
            value, at = _varint(data, at)
            yield number, value
            continue
        length = {1: 8, 5: 4}.get(wire, -1)
        if wire == 2:
            length, at = _varint(data, at)
        if length < 0 or at + length > len(data):
            return
        yield number, data[at : at + length]
        at += length


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """(value, where the next begins); (0, the end) where it breaks off."""
    value = 0
    for count in range(10):
        if at + count >= len(data):
            break
        value |= (data[at + count] & 0x7F) << 7 * count
        if not data[at + count] & 0x80:
            return value & ((1 << 64) - 1), at + count + 1
    return 0, len(data)


def _at(data: bytes, path: tuple[int, ...]) -> int | bytes | None:
    """The first value at this path of field numbers."""
    value: int | bytes | None = data
    for number in path:
        if not isinstance(value, bytes):
            return None
        value = next((found for field, found in _fields(value) if field == number), None)
    return value


def _protocol(data: bytes, depth: int = 0) -> str:
    """The name that ends in `.proto`, at whatever depth it stands."""
    for _, value in _fields(data):
        if isinstance(value, bytes):
            text = _text(value)
            if text.startswith("dvtm_") and text.endswith(".proto"):
                return text
            if depth < _DEPTH_MAX and (found := _protocol(value, depth + 1)):
                return found
    return ""


def _text(value: int | bytes | None) -> str:
    """The text in it; '' where it is none."""
    if not isinstance(value, bytes) or len(value) > 100:
        return ""
    text = value.decode("ascii", "replace")
    return text.strip() if text.isprintable() and "\ufffd" not in text else ""


def _double(value: int | bytes | None) -> float | None:
    if not isinstance(value, bytes) or len(value) != 8:
        return None
    (number,) = struct.unpack("<d", value)
    return number if math.isfinite(number) else None


# -- the track


def _records(stream: BinaryIO) -> Iterator[tuple[float, bytes]]:
    """(second of the film, record) of the first track of this kind, once a second."""
    for track in boxes_at(stream, "moov/trak"):
        inner = {box.type: box for box in _below(stream, track, b"mdia", b"minf", b"stbl")}
        described = inner[b"stsd"].content(stream, 16) if b"stsd" in inner else b""
        if described[12:16] != b"djmd":
            continue
        header = next((box.content(stream, 32) for box in _below(stream, track, b"mdia") if box.type == b"mdhd"), b"")
        at = 20 if header[:1] == b"\1" else 12
        scale = int.from_bytes(header[at : at + 4], "big")
        yield from _read(stream, inner, scale or 1)
        return


def _below(stream: BinaryIO, box: Box, *path: bytes) -> list[Box]:
    """The boxes inside the first box at this path."""
    for kind in path:
        found = next((one for one in boxes_in(stream, box.start, box.end) if one.type == kind), None)
        if found is None:
            return []
        box = found
    return list(boxes_in(stream, box.start, box.end))


def _read(stream: BinaryIO, tables: dict[bytes, Box], scale: int) -> Iterator[tuple[float, bytes]]:
    sizes, chunks, runs = _sizes(stream, tables), _chunks(stream, tables), _table(stream, tables, b"stsc", 3)
    times = _table(stream, tables, b"stts", 2)
    if not (sizes and chunks and runs):
        return
    firsts = [run[0] for run in runs]
    number, reached, last_s, count = 0, 0.0, -1.0, 0
    pace = iter((length for many, length in times for _ in range(min(many, SAMPLES_MAX))))
    for chunk, offset in enumerate(chunks, 1):
        run = bisect_right(firsts, chunk) - 1
        if run < 0:
            return
        for _ in range(runs[run][1]):
            if number >= len(sizes) or count >= READ_MAX:
                return
            at_s = reached / scale
            if at_s - last_s >= 1.0 or last_s < 0:
                stream.seek(offset)
                yield at_s, stream.read(min(sizes[number], RECORD_MAX_BYTES))
                last_s, count = at_s, count + 1
            offset += sizes[number]
            reached += next(pace, 0)
            number += 1


def _sizes(stream: BinaryIO, tables: dict[bytes, Box]) -> Sequence[int]:
    if b"stsz" not in tables:
        return ()
    content = tables[b"stsz"].content(stream, 12 + 4 * SAMPLES_MAX)
    if len(content) < 12:
        return ()
    size, count = struct.unpack(">II", content[4:12])
    if size:
        return [size] * min(count, SAMPLES_MAX)
    return _numbers(content[12:], "I", count)


def _chunks(stream: BinaryIO, tables: dict[bytes, Box]) -> Sequence[int]:
    for kind, code in ((b"stco", "I"), (b"co64", "Q")):
        if kind in tables:
            content = tables[kind].content(stream, 8 + 8 * SAMPLES_MAX)
            return _numbers(content[8:], code, int.from_bytes(content[4:8], "big"))
    return ()


def _table(stream: BinaryIO, tables: dict[bytes, Box], kind: bytes, width: int) -> list[tuple[int, ...]]:
    if kind not in tables:
        return []
    content = tables[kind].content(stream, 8 + 4 * width * RUNS_MAX)
    numbers = _numbers(content[8:], "I", width * int.from_bytes(content[4:8], "big"))
    return [tuple(numbers[at : at + width]) for at in range(0, len(numbers) - width + 1, width)]


def _numbers(content: bytes, code: str, count: int) -> Sequence[int]:
    """At most so many big-endian numbers, as many as there are."""
    there = min(count, len(content) // struct.calcsize(f">{code}"))
    return struct.unpack_from(f">{there}{code}", content)


def _reads(original: Original) -> bool:
    return original.format in FORMATS_READ


EXTRACTOR = Extractor(name="djmd", version=1, reads=_reads, extract=extract)
