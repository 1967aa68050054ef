"""Dates that recorders and editors leave in sound files and older containers.

ID3v2 (MP3, and in WAV and AIFF chunks), Vorbis comments (Ogg, Opus, FLAC), RIFF INFO and Broadcast Wave `bext`,
the ASF file header, Matroska's DateUTC. Not covered: APEv2, iXML, unsynchronised or compressed ID3 frames.
Sources: id3.org (ID3v2.2-2.4), RFC 9639 (FLAC), Xiph (Vorbis comments), EBU Tech 3285 (bext), Microsoft (RIFF, ASF),
RFC 9559 (Matroska).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO, Final

from pipeline.custody.sniff import sniff
from pipeline.edges.caged.reading import Row, answer, chunks_in, ends_of
from pipeline.errors import Unreadable
from pipeline.records import Original
from pipeline.stage import Extractor

FORMATS_READ: Final = frozenset(
    ("mp3", "aac", "flac", "ogg", "wav", "avi", "aiff", "asf", "matroska", "webm", "tta", "dsf")
)
FRAMES_MAX: Final = 500


def extract(path: str) -> dict[str, Any]:
    """Date tags as found and, where they are understood, as ISO text without a zone (ASF, Matroska: UTC)."""
    head, tail = ends_of(path)
    format_name = sniff(head, tail, "").format
    if format_name not in FORMATS_READ:
        raise Unreadable(f"No tags are read from {format_name}", found=format_name)
    return answer(_rows(path, format_name, head))


def _rows(path: str, format_name: str, head: bytes) -> Iterator[Row]:
    yield from _id3_rows(head)
    match format_name:
        case "wav" | "avi" | "aiff":
            with Path(path).open("rb") as stream:
                order = "big" if format_name == "aiff" else "little"
                yield from _chunk_rows(stream, 12, stream.seek(0, 2), order, depth=0)
        case "flac" | "ogg":
            yield from _vorbis_rows(head)
        case "asf":
            yield from _asf_rows(head)
        case "matroska" | "webm":
            yield from _matroska_rows(head)


# -- ID3

_ID3_DATES: Final = ("TDRC", "TDOR", "TDEN", "TDTG", "TYER", "TDAT", "TIME", "TYE", "TDA", "TIM", "TRDA")
_ID3_PARTS: Final = ("TDAT", "TIME", "TDA", "TIM", "TRDA")  # day and month, hour and minute without the rest
_ENCODINGS: Final = {0: "latin-1", 1: "utf-16", 2: "utf-16-be", 3: "utf-8"}


def _id3_rows(data: bytes) -> Iterator[Row]:
    if data[:3] != b"ID3" or len(data) < 10:
        return
    version = data[3]
    at = 10
    if data[5] & 0x40:
        at += int.from_bytes(data[10:14], "big") + (4 if version == 3 else 0)
    key_length, header_length = (3, 6) if version == 2 else (4, 10)
    for _ in range(FRAMES_MAX):
        key = data[at : at + key_length]
        if not re.fullmatch(rb"[A-Z0-9]{3,4}", key):
            return
        size_bytes = data[at + key_length : at + key_length + (3 if version == 2 else 4)]
        size = _synchsafe(size_bytes) if version == 4 else int.from_bytes(size_bytes, "big")
        content = data[at + header_length : at + header_length + size]
        if key.decode() in _ID3_DATES and content:
            text = content[1:].decode(_ENCODINGS.get(content[0], "latin-1"), "replace").strip("\0 ")
            yield f"id3.{key.decode()}", text, None if key.decode() in _ID3_PARTS else _iso_day(text)
        at += header_length + size


def _synchsafe(data: bytes) -> int:
    size = 0
    for byte in data:
        size = size << 7 | byte & 0x7F
    return size


_DAY: Final = re.compile(
    r"(\d{4})(?:[-:/.](\d\d?)(?:[-:/.](\d\d?)(?:[T ](\d\d?):(\d\d)(?::(\d\d)(\.\d+)?)?( ?UTC|Z|[+-]\d\d:?\d\d)?)?)?)?$"
)


def _iso_day(text: str) -> str | None:
    """ISO text as precise as the tag, None where it is no date."""
    match = _DAY.match(text.strip())
    if match is None:
        return None
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    date = "-".join([year, *(part.zfill(2) for part in (month, day) if part)])
    if hour is None:
        return date
    return (
        f"{date}T{hour.zfill(2)}:{minute}"
        + (f":{second}{fraction or ''}" if second else "")
        + (zone or "").replace(" ", "").replace("UTC", "Z")
    )


# -- RIFF, Broadcast Wave, AIFF

_INFO_DATES: Final = {b"ICRD": "riff.ICRD", b"IDIT": "riff.IDIT", b"DTIM": "riff.DTIM", b"ISMP": "riff.ISMP"}
_INFO_DEVICE: Final = {b"ISFT": "device.software", b"IMAK": "device.make", b"IMOD": "device.model"}
LISTS: Final = (b"INFO", b"hdrl", b"exif")


def _chunk_rows(stream: BinaryIO, start: int, end: int, order: str, depth: int) -> Iterator[Row]:
    for chunk in chunks_in(stream, start, end, order):
        if chunk.type == b"LIST" and depth < 3:
            stream.seek(chunk.start)
            if stream.read(4) in LISTS:
                yield from _chunk_rows(stream, chunk.start + 4, chunk.end, order, depth + 1)
        elif chunk.type in (b"id3 ", b"ID3 "):
            yield from _id3_rows(chunk.content(stream))
        elif chunk.type == b"bext":
            yield from _bext_rows(chunk.content(stream, 4096))
        elif name := _INFO_DATES.get(chunk.type) or _INFO_DEVICE.get(chunk.type):
            text = chunk.content(stream, 256).split(b"\0")[0].decode("utf-8", "replace").strip()
            yield name, text, _c_date(text) if name.startswith("riff.") else text


def _c_date(text: str) -> str | None:
    """ISO text of `2021-08-03 10:10:10` and of C's `Tue Aug 03 10:10:10 2021`, as cameras write either."""
    if iso := _iso_day(text):
        return iso
    for layout in (
        "%a %b %d %H:%M:%S %Y",
        "%a, %d %b %Y %H:%M:%S",
        "%Y/%m/%d/ %H:%M:%S",
        "%Y-%m-%d %H:%M:%S",
        "%d-%b-%Y",
    ):
        try:
            return datetime.strptime(" ".join(text.split()).title(), layout).isoformat()  # noqa: DTZ007
        except ValueError:
            continue
    return None


def _bext_rows(content: bytes) -> Iterator[Row]:
    """Originator, date, time and samples since midnight, at their fixed places (EBU Tech 3285, 2.3)."""
    places = (("bext.Originator", 256, 288), ("bext.OriginatorReference", 288, 320), ("bext.OriginationDate", 320, 330),
              ("bext.OriginationTime", 330, 338))  # fmt: skip
    for name, start, end in places:
        text = content[start:end].split(b"\0")[0].decode("latin-1").strip()
        yield (
            name,
            text,
            re.sub(r"[^\d]", "-" if name.endswith("Date") else ":", text) if "Origination" in name else text,
        )
    if len(content) >= 346 and (samples := int.from_bytes(content[338:346], "little")):
        yield "bext.TimeReference", str(samples), samples


# -- Vorbis comments, ASF, Matroska


def _vorbis_rows(head: bytes) -> Iterator[Row]:
    """Dates of the first comment header; in Ogg as far as it lies in one page."""
    for mark in (b"\x03vorbis", b"OpusTags", b"\x81theora"):
        if (at := head.find(mark)) >= 0:
            return (yield from _comment_rows(head, at + len(mark)))
    at = head.find(b"fLaC")
    while 0 <= at < len(head) - 8:
        at += 4 if head[at : at + 4] == b"fLaC" else 0
        kind, length = head[at] & 0x7F, int.from_bytes(head[at + 1 : at + 4], "big")
        if kind == 4:
            return (yield from _comment_rows(head, at + 4))
        if head[at] & 0x80 or kind == 127:
            return None
        at += 4 + length
    return None


def _comment_rows(data: bytes, at: int) -> Iterator[Row]:
    at += 4 + int.from_bytes(data[at : at + 4], "little")
    count = int.from_bytes(data[at : at + 4], "little")
    at += 4
    for _ in range(min(count, FRAMES_MAX)):
        length = int.from_bytes(data[at : at + 4], "little")
        key, _, text = data[at + 4 : at + 4 + length].decode("utf-8", "replace").partition("=")
        if key.upper() in ("DATE", "YEAR", "CREATION_TIME", "RECORDINGDATE", "ENCODED-BY"):
            yield f"vorbis.{key.upper()}", text, _iso_day(text)
        at += 4 + length
        if at >= len(data):
            return


_ASF_FILE: Final = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")


def _asf_rows(head: bytes) -> Iterator[Row]:
    """The file header's creation date: 100 ns steps since 1601, UTC."""
    at = head.find(_ASF_FILE)
    ticks = int.from_bytes(head[at + 48 : at + 56], "little") if at >= 0 else 0
    if 0 < ticks < 4 * 10**17:
        made_at = datetime(1601, 1, 1, tzinfo=UTC) + timedelta(microseconds=ticks // 10)
        yield "asf.CreationDate", str(ticks), made_at.isoformat()


# Segment, its information, and the moment in it (RFC 9559, 5.1.2); an ID and its length each tell their own lengths.
_SEGMENT, _INFO, _DATE_UTC, _CLUSTER = b"\x18\x53\x80\x67", b"\x15\x49\xa9\x66", b"\x44\x61", b"\x1f\x43\xb6\x75"


def _matroska_rows(head: bytes) -> Iterator[Row]:
    """DateUTC of the segment's info: nanoseconds since 2001, UTC."""
    for segment in _elements(head, 0, len(head)):
        for info in _elements(head, segment[1], segment[2]) if segment[0] == _SEGMENT else ():
            for name, start, end in _elements(head, info[1], info[2]) if info[0] == _INFO else ():
                if name == _DATE_UTC and end - start == 8:
                    nanoseconds = int.from_bytes(head[start:end], "big", signed=True)
                    if abs(nanoseconds) < 10**18 * 3:
                        made_at = datetime(2001, 1, 1, tzinfo=UTC) + timedelta(microseconds=nanoseconds // 1000)
                        yield "matroska.DateUTC", str(nanoseconds), made_at.isoformat()


def _elements(data: bytes, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """(ID, start, end) of the elements that follow one another; none after pictures and sound begin."""
    for _ in range(FRAMES_MAX):
        name_length = 9 - data[at].bit_length() if at < end and data[at] else 9
        place = at + name_length
        length_length = 9 - data[place].bit_length() if place < end and data[place] else 9
        if name_length > 4 or length_length > 8 or data[at:place] == _CLUSTER:
            return
        start = place + length_length
        length = int.from_bytes(data[place:start], "big") & (1 << 7 * length_length) - 1
        unknown = length == (1 << 7 * length_length) - 1
        stops = end if unknown else min(start + length, end)
        yield data[at:place], start, stops
        at = stops


def _reads(original: Original) -> bool:
    return original.format in FORMATS_READ


EXTRACTOR = Extractor(name="tags", version=2, reads=_reads, extract=extract)
