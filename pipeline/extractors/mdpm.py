"""AVCHD: the moment that a camcorder writes into every group of pictures, beside the picture and not in any header.

A mark in the H.264 stream (SEI, user data unregistered, `MDPM`) holds date, time of day and, with some makers, the
zone, all in binary-coded decimals. Read from MPEG transport streams (`.mts`, `.m2ts`), of the first group only.
Not covered: the other marks (exposure, place), MPEG-2 (HDV), DV.
Sources: ITU-T H.264 annex D (SEI), 7.4.1 (emulation prevention); the marks as public readers of AVCHD describe them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import av

from pipeline.custody.sniff import sniff
from pipeline.edges.caged.reading import Row, answer, ends_of
from pipeline.edges.tools import DEMUXERS
from pipeline.errors import Unreadable
from pipeline.records import Original
from pipeline.stage import Extractor

FORMATS_READ: Final = frozenset(("mpegts",))
PACKETS_MAX: Final = 300  # ten seconds at most; a camcorder marks each group of half a second
_MARKS: Final = bytes.fromhex("17ee8c60f84d11d98cd60800200c9a66") + b"MDPM"
_YEAR_AND_MONTH, _DAY_AND_TIME = 0x18, 0x19
_NO_ZONE: Final = 0xFF
_SUMMER: Final = 0x40


def extract(path: str) -> dict[str, Any]:
    """`mdpm.DateTimeOriginal`, understood with its offset where one is marked; nothing where there is no mark."""
    head, tail = ends_of(path)
    format_name = sniff(head, tail, "").format
    if format_name not in FORMATS_READ:
        raise Unreadable(f"No recording marks are read from {format_name}", found=format_name)
    return answer(_first_marks(path, format_name))


def _first_marks(path: str, format_name: str) -> list[Row]:
    try:
        with av.open(f"file:{path}", format=DEMUXERS[format_name], metadata_errors="replace") as container:
            pictures = [one for one in container.streams.video if one.codec_context.name == "h264"]
            for count, packet in enumerate(container.demux(pictures)) if pictures else ():
                rows = list(rows_of(bytes(packet))) if packet.size else []
                if rows or count > PACKETS_MAX:
                    return rows
    except (av.FFmpegError, ValueError):  # `container` says what is wrong with the file
        pass
    return []


def rows_of(access_unit: bytes) -> Iterator[Row]:
    """The moment that the marks of these pictures tell; none where they bear none."""
    # A byte 3 after two noughts was put in so that no start code arises; the marks are read without it.
    plain = access_unit.replace(b"\0\0\3", b"\0\0")
    at = plain.find(_MARKS)
    if at < 0 or at + len(_MARKS) >= len(plain):
        return
    at += len(_MARKS)
    count = plain[at]
    marks = {plain[place]: plain[place + 1 : place + 5] for place in range(at + 1, at + 1 + 5 * count, 5)
             if place + 5 <= len(plain)}  # fmt: skip
    if _YEAR_AND_MONTH in marks and _DAY_AND_TIME in marks:
        zone, *digits = marks[_YEAR_AND_MONTH] + marks[_DAY_AND_TIME]
        century, year, month, day, hour, minute, second = (f"{one:02x}" for one in digits)
        text = f"{century}{year}:{month}:{day} {hour}:{minute}:{second}"
        yield "mdpm.DateTimeOriginal", f"{text} (zone {zone:02x})", text + _offset(zone)


def _offset(zone: int) -> str:
    """`+08:00`: a sign bit, four bits of hours, a bit for the half hour.

    Empty where none is set (noughts too, which makers write who know of no zone), and in summer time, for it is not
    written whether the hour counts in.
    """
    hours = zone >> 1 & 0x0F
    if zone == _NO_ZONE or zone & _SUMMER or not zone & 0x1F or hours > 14:
        return ""
    return f"{'-' if zone & 0x20 else '+'}{hours:02d}:{'30' if zone & 0x01 else '00'}"


def _reads(original: Original) -> bool:
    return original.format in FORMATS_READ


EXTRACTOR = Extractor(name="mdpm", version=1, reads=_reads, extract=extract)
