"""Films with a telemetry track as DJI's newer models write it, made by hand: no maker's recording is free to keep."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from pathlib import Path

from tests.samples.making import film


def varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*out, value))


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value)


def inner(field: int, content: bytes) -> bytes:
    return varint(field << 3 | 2) + varint(len(content)) + content


def double(field: int, value: float) -> bytes:
    return varint(field << 3 | 1) + struct.pack("<d", value)


def first(protocol: str, model: str, serial: str) -> bytes:
    """What the first record says of the device: 1-1-1, 1-1-5, 1-1-10."""
    said = inner(1, protocol.encode()) + inner(5, serial.encode()) + number(9, 7_500_000) + inner(10, model.encode())
    return inner(1, inner(1, said))


def position(
    path: Sequence[int], lat: float, lon: float, alt_m: float = 0.0, *, clock: str = "", in_degrees: bool = False
) -> bytes:
    """A record of a position at this path of fields, in radians unless in_degrees."""
    turned = (lat, lon) if in_degrees else (math.radians(lat), math.radians(lon))
    place = (number(1, 1) if in_degrees else b"") + double(2, turned[0]) + double(3, turned[1])
    message = inner(1, place) + number(2, round(alt_m * 1000)) + (inner(6, inner(1, clock.encode())) if clock else b"")
    for field in reversed(path):
        message = inner(field, message)
    return message


def _box(kind: bytes, *content: bytes) -> bytes:
    inside = b"".join(content)
    return struct.pack(">I", 8 + len(inside)) + kind + inside


def _full(kind: bytes, *content: bytes) -> bytes:
    return _box(kind, bytes(4), *content)


def drone_film(path: Path, seed: int, records: Sequence[bytes], *, fps: int = 25, length_s: float = 4.0) -> Path:
    """A film with these records beside its first pictures, one each, a chunk each; the index stands behind all."""
    made = film(path, seed, length_s=length_s).read_bytes()
    at = made.index(b"moov") - 4
    size = int.from_bytes(made[at : at + 4], "big")
    moov = made[at + 8 : at + size]
    made = made[: at + 4] + b"free" + made[at + 8 :]
    begins, offsets = len(made) + 8, []
    for one in records:
        offsets.append(begins)
        begins += len(one)
    count = len(records)
    table = _box(
        b"stbl",
        _full(b"stsd", struct.pack(">I", 1), _box(b"djmd", bytes(6), b"\0\1")),
        _full(b"stts", struct.pack(">III", 1, count, 1000 // fps)),
        _full(b"stsc", struct.pack(">IIII", 1, 1, 1, 1)),
        _full(b"stsz", struct.pack(">II", 0, count), *(struct.pack(">I", len(one)) for one in records)),
        _full(b"stco", struct.pack(">I", count), *(struct.pack(">I", one) for one in offsets)),
    )
    reference = _full(b"dref", struct.pack(">I", 1), _box(b"url ", b"\0\0\0\1"))
    media = _box(
        b"mdia",
        _full(b"mdhd", struct.pack(">IIIIHH", 0, 0, 1000, count * 1000 // fps, 0x55C4, 0)),
        _full(b"hdlr", bytes(4), b"meta", bytes(12), b"DJI meta\0"),
        _box(b"minf", _full(b"nmhd"), _box(b"dinf", reference), table),
    )
    matrix = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
    head = _box(
        b"tkhd", b"\0\0\0\7", struct.pack(">IIIII", 0, 0, 9, 0, count * 1000 // fps), bytes(16), matrix, bytes(8)
    )
    path.write_bytes(made + _box(b"mdat", *records) + _box(b"moov", moov, _box(b"trak", head, media)))
    return path
