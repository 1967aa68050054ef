"""What a camera wrote of a photo: when, where, which device, which way up.

The EXIF block is cut out of its wrapping here (JPEG, PNG, WebP, HEIF, JPEG 2000, JPEG XL, Photoshop, RAF, MRW, X3F) or
lies open (TIFF and most camera raw) and is read by exifread without maker notes: a count in a maker note cost 100 s of
one 1 KB file (exifread 3.5.1).
Not covered: maker notes, CRW, BigTIFF, positions in CR3, compressed boxes of JPEG XL.
Sources: CIPA DC-008 (Exif 2.32); PNG extensions (eXIf); WebP container; ISO/IEC 23008-12 (HEIF); ISO/IEC 18181-2 (JPEG
XL); Adobe Photoshop File Formats, image resource 1058; what Photoshop and Exiv2 write into JPEG 2000.
"""

from __future__ import annotations

import io
import logging
import mmap
import re
import zlib
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, Final

import exifread

from pipeline.custody.sniff import sniff
from pipeline.edges.caged.reading import (
    END_BYTES,
    Row,
    answer,
    boxes_at,
    chunks_in,
    ends_of,
    fact,
    segments_in,
    start_of,
)
from pipeline.errors import Unreadable
from pipeline.records import Original
from pipeline.stage import Extractor

BLOCK_MAX_BYTES: Final = 32 << 20  # of a wrapped block; the standard's own limit in JPEG is 64 KiB
PLAIN_TIFF: Final = frozenset(("tiff", "nef", "arw", "dng", "cr2", "pef", "srw"))
RAW: Final = frozenset(("nef", "arw", "dng", "cr2", "cr3", "pef", "srw", "rw2", "orf", "raf", "mrw"))
# Camera raw holds its preview where Pillow looks; a JPEG may have lost its picture. What `picture` sees replaces this.
STATED_HERE: Final = RAW | {"jpeg", "tiff"}
FORMATS_READ: Final = RAW | {"tiff", "jpeg", "png", "webp", "heif", "avif", "jp2", "jxl", "psd", "x3f"}
JP2_BLOCKS: Final = (b"JpgTiffExif->JP2", bytes.fromhex("0537cdab9d0c4431a72afa561f2a113e"))
PSD_BLOCKS: Final = (1058, 1059)
# Adobe's own, and what other programs of its family write.
PSD_MARKS: Final = (b"8BIM", b"AgHg", b"DCSR", b"PHUT", b"MeSa")

logging.getLogger("exifread").setLevel(logging.CRITICAL)


def extract(path: str) -> dict[str, Any]:
    """EXIF times as text and as ISO text without a zone, GPS, make, model, serial, orientation; none is no fault."""
    head, tail = ends_of(path)
    format_name = sniff(head, tail, "").format
    if format_name not in FORMATS_READ:
        raise Unreadable(f"No photo with EXIF: {format_name}", found=format_name)
    rows: list[Row] = []
    for block in _blocks(path, format_name):
        tags = _tags_of(block)
        rows += [*_time_rows(tags), *_device_rows(tags), *_place_rows(tags), *_size_rows(tags, format_name)]
    return answer(rows)


def _tags_of(block: BinaryIO) -> dict[str, Any]:
    """Tags by `GROUP Name`; what exifread collected before it stumbled where it stumbles."""
    found: Mapping[str, Any] = exifread.process_file(block, details=False, extract_thumbnail=False, strict=False)
    return dict(found)


# -- where the block lies


def _blocks(path: str, format_name: str) -> Iterator[BinaryIO]:
    with Path(path).open("rb") as stream:
        match format_name:
            case "jpeg":
                yield from _wrapped(_in_jpeg(stream))
            case "png":
                yield from _wrapped(_in_png(stream))
            case "webp":
                yield from _wrapped(_in_webp(stream))
            case "heif" | "avif" | "x3f":
                yield from _wrapped(_in_heif(stream))
            case "jp2":
                for box in boxes_at(stream, "uuid"):
                    content = box.content(stream, BLOCK_MAX_BYTES)
                    if content[:16] in JP2_BLOCKS:
                        yield from _wrapped(content[16:])
            case "jxl":
                for box in boxes_at(stream, "Exif"):
                    yield from _wrapped(box.content(stream, BLOCK_MAX_BYTES))
            case "psd":
                for block in _in_psd(stream):
                    yield from _wrapped(block)
            case "mrw":
                yield from _wrapped(_in_mrw(stream))
            case "raf":
                stream.seek(84)
                stream.seek(int.from_bytes(stream.read(4), "big"))
                yield from _wrapped(_in_jpeg(io.BytesIO(stream.read(BLOCK_MAX_BYTES))))
            case "rw2" | "orf":  # TIFF with a mark of their own in its third and fourth byte
                data = start_of(path, BLOCK_MAX_BYTES)
                yield io.BytesIO((b"II*\0" if data[:2] == b"II" else b"MM\0*") + data[4:])
            case "cr3":
                for name in ("CMT1", "CMT2"):
                    for box in boxes_at(stream, f"moov/uuid/{name}"):
                        yield from _wrapped(box.content(stream))
                    for outer in boxes_at(stream, "moov/uuid"):
                        yield from _wrapped(_after(outer.content(stream), name.encode()))
            case _:
                yield stream


def _wrapped(block: bytes | None) -> Iterator[BinaryIO]:
    """The block as a file that begins with its TIFF header, nothing where it does not have one."""
    if block is None:
        return
    at = min((here for mark in (b"II*\0", b"MM\0*") if (here := block[:64].find(mark)) >= 0), default=-1)
    if at >= 0:
        yield io.BytesIO(block[at:])


def _after(data: bytes, mark: bytes) -> bytes | None:
    at = data.find(mark)
    return None if at < 0 else data[at + 4 :]


def _in_jpeg(stream: BinaryIO) -> bytes | None:
    """The first EXIF segment; in damaged files the first such block in sight."""
    for segment in segments_in(stream):
        if segment.marker == 0xE1:
            stream.seek(segment.start)
            content = stream.read(segment.length)
            if content[:5] == b"Exif\0":
                return content[6:]
    stream.seek(0)
    return _in_sight(stream.read(END_BYTES))


def _in_sight(data: bytes | mmap.mmap) -> bytes | None:
    places = [at for order in (b"II*\0", b"MM\0*") if (at := data.find(b"Exif\0\0" + order)) >= 0]
    return data[min(places) + 6 : min(places) + (1 << 20)] if places else None


_RAW_PROFILE: Final = re.compile(rb"Raw profile type (?:exif|APP1)\0", re.IGNORECASE)


def _in_png(stream: BinaryIO) -> bytes | None:
    size = stream.seek(0, 2)
    at, profile = 8, None
    while at + 12 <= size:
        stream.seek(at)
        header = stream.read(8)
        length = int.from_bytes(header[:4], "big")
        if header[4:] == b"eXIf":
            return stream.read(min(length, BLOCK_MAX_BYTES))
        if header[4:] in (b"tEXt", b"zTXt", b"iTXt"):
            content = stream.read(min(length, BLOCK_MAX_BYTES))
            profile = profile or _profile(header[4:], content)
        at += 12 + length
    return profile


def _profile(kind: bytes, content: bytes) -> bytes | None:
    """The block out of the hexadecimal text that ImageMagick writes."""
    if not _RAW_PROFILE.match(content):
        return None
    text = content.split(b"\0", 1)[1]
    if kind == b"zTXt":
        text = zlib.decompressobj().decompress(text[1:], BLOCK_MAX_BYTES)
    digits = re.sub(rb"[^0-9a-fA-F]", b"", b"".join(text.split(b"\n")[3:]))
    return bytes.fromhex(digits[: len(digits) // 2 * 2].decode("ascii"))


def _in_webp(stream: BinaryIO) -> bytes | None:
    for chunk in chunks_in(stream, 12, stream.seek(0, 2)):
        if chunk.type == b"EXIF":
            return chunk.content(stream, BLOCK_MAX_BYTES)
    return None


def _in_heif(stream: BinaryIO) -> bytes | None:
    """The first EXIF item, found by its mark: libheif (1.20 in pi-heif 1.4) crashes on damaged item lists.

    Where the item says that its header follows at once there is no mark, only the nought before the header.
    """
    if stream.seek(0, 2) == 0:
        return None
    with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if block := _in_sight(data):
            return block
        places = [at for order in (b"II*\0", b"MM\0*") if (at := data.find(b"\0\0\0\0" + order)) >= 0]
        return data[min(places) + 4 : min(places) + (1 << 20)] if places else None


def _in_psd(stream: BinaryIO) -> Iterator[bytes]:
    """The EXIF blocks among the image resources."""
    stream.seek(26)
    colours = int.from_bytes(stream.read(4), "big")
    stream.seek(30 + colours)
    length = int.from_bytes(stream.read(4), "big")
    data, at = stream.read(min(length, BLOCK_MAX_BYTES)), 0
    while at + 12 <= len(data) and data[at : at + 4] in PSD_MARKS:
        number, name = int.from_bytes(data[at + 4 : at + 6], "big"), data[at + 6]
        at += 6 + (name + 2) // 2 * 2
        size = int.from_bytes(data[at : at + 4], "big")
        if number in PSD_BLOCKS:
            yield data[at + 4 : at + 4 + size]
        at += 4 + (size + 1) // 2 * 2


def _in_mrw(stream: BinaryIO) -> bytes | None:
    """Minolta's block `TTW`, of those that follow one another behind the mark."""
    stream.seek(8)
    while len(header := stream.read(8)) == 8:
        length = int.from_bytes(header[4:], "big")
        if header[:4] == b"\0TTW":
            return stream.read(min(length, BLOCK_MAX_BYTES))
        stream.seek(length, 1)
    return None


# -- what it says

_TIMES: Final = ("EXIF DateTimeOriginal", "EXIF DateTimeDigitized", "Image DateTime")
_TIME_PARTS: Final = (
    "SubSecTimeOriginal", "SubSecTimeDigitized", "SubSecTime",
    "OffsetTimeOriginal", "OffsetTimeDigitized", "OffsetTime",
)  # fmt: skip
_DATE_TIME: Final = re.compile(r"(\d{4})[:\-/.](\d\d?)[:\-/.](\d\d?)[ T]+(\d\d?):(\d\d?)(?::(\d\d?))?")


def _time_rows(tags: Mapping[str, Any]) -> Iterator[Row]:
    for key in _TIMES:
        name = key.split()[1]
        text = _text(tags, key) or _text(tags, f"Image {name}")
        if text:
            yield f"exif.{name}", text, _iso(text)
    for name in _TIME_PARTS:
        if text := _text(tags, f"EXIF {name}") or _text(tags, f"Image {name}"):
            yield f"exif.{name}", text, text.strip()
    if date := _text(tags, "GPS GPSDate"):
        parts = re.match(r"(\d{4})[:\-/.](\d\d?)[:\-/.](\d\d?)", date)
        yield "exif.GPSDateStamp", date, "-".join(part.zfill(2) for part in parts.groups()) if parts else None
    if "GPS GPSTimeStamp" in tags:
        yield "exif.GPSTimeStamp", str(tags["GPS GPSTimeStamp"]), _time_of_day(_ratios(tags, "GPS GPSTimeStamp"))


def _iso(text: str) -> str | None:
    match = _DATE_TIME.match(text.strip())
    if match is None:
        return None
    try:
        return datetime(*(int(part or 0) for part in match.groups())).isoformat()  # type: ignore[arg-type]  # noqa: DTZ001
    except ValueError:
        return None


def _time_of_day(parts: list[float]) -> str | None:
    if len(parts) < 3 or not (0 <= parts[0] < 24 and 0 <= parts[1] < 60 and 0 <= parts[2] < 61):
        return None
    seconds = f"{parts[2]:06.3f}".rstrip("0").rstrip(".")
    return f"{int(parts[0]):02d}:{int(parts[1]):02d}:{seconds}"


_DEVICE: Final = {
    "Image Make": "device.make",
    "Image Model": "device.model",
    "Image Software": "device.software",
    "EXIF BodySerialNumber": "device.serial",
    "EXIF LensModel": "device.lens",
    "Image CameraSerialNumber": "device.serial",
    "Image HostComputer": "device.host",
    "EXIF ImageUniqueID": "exif.ImageUniqueID",
    "Image ImageDescription": "exif.ImageDescription",
    "EXIF UserComment": "exif.UserComment",
}


def _device_rows(tags: Mapping[str, Any]) -> Iterator[Row]:
    for key, name in _DEVICE.items():
        if text := _text(tags, key):
            yield name, text, text.strip()


def _place_rows(tags: Mapping[str, Any]) -> Iterator[Row]:
    lat, lon = _angle(tags, "Latitude", "S", 90), _angle(tags, "Longitude", "W", 180)
    if lat is not None and lon is not None:
        yield "place.lat", f"{_text(tags, 'GPS GPSLatitudeRef')} {tags['GPS GPSLatitude']}", lat
        yield "place.lon", f"{_text(tags, 'GPS GPSLongitudeRef')} {tags['GPS GPSLongitude']}", lon
    heights = _ratios(tags, "GPS GPSAltitude")
    if heights:
        below = _ratios(tags, "GPS GPSAltitudeRef")[:1] == [1.0]
        yield "place.alt_m", str(tags["GPS GPSAltitude"]), -heights[0] if below else heights[0]


def _angle(tags: Mapping[str, Any], which: str, negative: str, most: int) -> float | None:
    """Degrees, south and west negative; None where a part is missing, divided by nought or out of range."""
    parts = _ratios(tags, f"GPS GPS{which}")
    if not parts:
        return None
    degrees = sum(part / 60.0**power for power, part in enumerate(parts[:3]))
    if not 0 <= degrees <= most:
        return None
    return -degrees if _text(tags, f"GPS GPS{which}Ref").strip().upper().startswith(negative) else degrees


def _size_rows(tags: Mapping[str, Any], format_name: str) -> Iterator[Row]:
    turn = _ratios(tags, "Image Orientation")
    if turn:
        yield "picture.orientation", str(int(turn[0])), int(turn[0]) if turn[0] in range(1, 9) else None
    if format_name in STATED_HERE:
        for key, name in (("Width", "picture.width"), ("Length", "picture.height")):
            size = _ratios(tags, f"EXIF ExifImage{key}") or _ratios(tags, f"Image Image{key}")
            yield from fact(name, int(size[0]) if size else None)


def _text(tags: Mapping[str, Any], key: str) -> str:
    """The tag's text, '' without one."""
    if key not in tags:
        return ""
    values = tags[key].values
    if isinstance(values, bytes):  # what exifread leaves where it is not ASCII
        return _beyond_ascii(values.rstrip(b"\0"))
    return (values if isinstance(values, str) else str(tags[key])).rstrip("\0")


def _beyond_ascii(data: bytes) -> str:
    """UTF-8, or GB 2312 where every foreign byte has its partner; else `?` for each byte that is no ASCII."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        pass
    paired = re.fullmatch(rb"(?:[\x20-\x7e]|[\xa1-\xfe][\xa1-\xfe])*", data)
    return data.decode("gb18030", "replace") if paired else data.decode("ascii", "replace").replace("\ufffd", "?")


def _ratios(tags: Mapping[str, Any], key: str) -> list[float]:
    """The tag's numbers, as far as they are numbers."""
    if key not in tags or not isinstance(tags[key].values, list):
        return []
    numbers = []
    for value in tags[key].values[:8]:
        den = getattr(value, "den", 1)
        if isinstance(value, str) or not den:
            return []
        numbers.append(getattr(value, "num", value) / den)
    return numbers


def _reads(original: Original) -> bool:
    return original.format in FORMATS_READ


EXTRACTOR = Extractor(name="exif", version=2, reads=_reads, extract=extract)
