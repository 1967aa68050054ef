"""XMP: the dates, device, place and orientation that editors write beside or into a photo.

Sidecars (`.xmp`) and packets that lie open inside JPEG, TIFF, PNG, WebP, HEIF and camera raw. Not covered: packets
compressed or split over several segments (extended XMP), histories, regions. Where a camera's own EXIF says the same,
that counts; DJI's own names of the place where it does not.
Source: ISO 16684-1; XMP specification part 2 (Exif namespace: positions as `deg,min[,sec]` and a letter); the maker's
guide to pictures of one of its drones (`drone-dji`).
"""

from __future__ import annotations

import mmap
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree

from pipeline.edges.caged.reading import Row, answer
from pipeline.errors import Unreadable
from pipeline.records import Original
from pipeline.stage import Extractor

PACKET_MAX_BYTES: Final = 4 << 20  # seen: 30 KB; Lightroom's histories reach some hundred
EMBEDDED_IN: Final = frozenset((
    "jpeg", "tiff", "png", "webp", "heif", "avif", "dng", "nef", "arw", "cr2", "cr3", "pef", "srw", "rw2", "orf", "raf",
    "jxl", "jp2", "psd",
))  # fmt: skip

_DJI: Final = "http://www.dji.com/drone-dji/1.0/"
_RDF: Final = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
_NAMES: Final = {
    ("http://ns.adobe.com/xap/1.0/", "CreateDate"): "xmp.CreateDate",
    ("http://ns.adobe.com/xap/1.0/", "ModifyDate"): "xmp.ModifyDate",
    ("http://ns.adobe.com/xap/1.0/", "MetadataDate"): "xmp.MetadataDate",
    ("http://ns.adobe.com/xap/1.0/", "CreatorTool"): "device.software",
    ("http://ns.adobe.com/exif/1.0/", "DateTimeOriginal"): "xmp.DateTimeOriginal",
    ("http://ns.adobe.com/exif/1.0/", "DateTimeDigitized"): "xmp.DateTimeDigitized",
    ("http://ns.adobe.com/exif/1.0/", "GPSTimeStamp"): "xmp.GPSTimeStamp",
    ("http://ns.adobe.com/photoshop/1.0/", "DateCreated"): "xmp.DateCreated",
    ("http://ns.adobe.com/tiff/1.0/", "Make"): "device.make",
    ("http://ns.adobe.com/tiff/1.0/", "Model"): "device.model",
    ("http://ns.adobe.com/exif/1.0/aux/", "SerialNumber"): "device.serial",
    (_DJI, "UTCAtExposure"): "xmp.UTCAtExposure",
    (_DJI, "DroneModel"): "device.model",
    (_DJI, "DroneSerialNumber"): "device.serial",
    ("http://cipa.jp/exif/1.0/", "BodySerialNumber"): "device.serial",
    ("http://cipa.jp/exif/1.0/", "SerialNumber"): "device.serial",
}
_EXIF: Final = "http://ns.adobe.com/exif/1.0/"
_TIFF: Final = "http://ns.adobe.com/tiff/1.0/"

Facts = Mapping[tuple[str, str], str]


def extract(path: str) -> dict[str, Any]:
    """Properties of the first packet; none is no fault in a photo. Raises Unreadable for a packet that is no XML."""
    packet = _packet(path)
    if packet is None:
        return answer([])
    facts = _facts(packet)
    named = [(name, facts[key], _value(name, facts[key])) for key, name in _NAMES.items() if key in facts]
    return answer([*named, *_place_rows(facts), *_orientation_rows(facts)])


def _packet(path: str) -> bytes | None:
    with Path(path).open("rb") as stream:
        if stream.seek(0, 2) == 0:
            return None
        with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
            for begin, end in (
                (b"<x:xmpmeta", b"</x:xmpmeta>"),
                (b"<x:xapmeta", b"</x:xapmeta>"),
                (b"<rdf:RDF", b"</rdf:RDF>"),
            ):
                at = data.find(begin)
                if at >= 0 and (stop := data.find(end, at, at + PACKET_MAX_BYTES)) >= 0:
                    return data[at : stop + len(end)]
            return None


def _facts(packet: bytes) -> Facts:
    """Simple values and the first of each list, by namespace and name, of the outermost descriptions."""
    if b"<!DOCTYPE" in packet or b"<!ENTITY" in packet:
        raise Unreadable(
            "The XMP defines entities of its own, which no camera or editor does",
            zh="XMP 定义了实体，相机和编辑软件不会这样写",
        )
    facts: dict[tuple[str, str], str] = {}
    for description in _parsed(packet).iter(f"{_RDF}Description"):
        for key, text in description.attrib.items():
            facts.setdefault(_split(key), text)
        for child in description:
            first = child.find(f".//{_RDF}li")
            facts.setdefault(_split(child.tag), (child if first is None else first).text or "")
    return {key: text.strip() for key, text in facts.items() if text.strip()}


def _parsed(packet: bytes) -> ElementTree.Element:
    try:
        return ElementTree.fromstring(packet)
    except ElementTree.ParseError:
        pass
    try:
        return ElementTree.fromstring(packet.decode("latin-1"))
    except ElementTree.ParseError as error:
        raise Unreadable(f"The XMP is not well-formed: {error}", zh=f"XMP 格式有误：{error}") from error


def _split(tag: str) -> tuple[str, str]:
    namespace, _, name = tag.rpartition("}")
    return namespace.lstrip("{"), name


_DATE: Final = re.compile(
    r"(\d{4})(?:[-:](\d\d)(?:[-:](\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d+)?)?)(Z|[+-]\d\d:?\d\d)?)?)?)?$"
)


def _value(name: str, text: str) -> str | None:
    if not name.startswith("xmp."):
        return text
    match = _DATE.match(text)
    if match is None:
        return None
    day = "-".join(part for part in match.groups()[:3] if part)
    return day + (f"T{match.group(4)}{match.group(5) or ''}" if match.group(4) else "")


def _place_rows(facts: Facts) -> Iterator[Row]:
    lat, lon = facts.get((_EXIF, "GPSLatitude")), facts.get((_EXIF, "GPSLongitude"))
    if lat is None or lon is None:
        yield from _drone_rows(facts)
        return
    lat_deg, lon_deg = _degrees(lat, 90), _degrees(lon, 180)
    if lat_deg is None or lon_deg is None:
        return
    yield "place.lat", lat, lat_deg
    yield "place.lon", lon, lon_deg
    if height := facts.get((_EXIF, "GPSAltitude")):
        metres = _fraction(height)
        below = facts.get((_EXIF, "GPSAltitudeRef")) == "1"
        yield "place.alt_m", height, -metres if below and metres is not None else metres


def _drone_rows(facts: Facts) -> Iterator[Row]:
    """Of DJI's own names; early models misspelt the longitude, and noughts mean that there was no position."""
    lat = facts.get((_DJI, "GpsLatitude"), "")
    lon = facts.get((_DJI, "GpsLongitude")) or facts.get((_DJI, "GpsLongtitude"), "")
    lat_deg, lon_deg = _degrees(lat, 90), _degrees(lon, 180)
    if lat_deg is None or lon_deg is None or not (lat_deg or lon_deg):
        return
    yield "place.lat", lat, lat_deg
    yield "place.lon", lon, lon_deg
    if height := facts.get((_DJI, "AbsoluteAltitude")):
        yield "place.alt_m", height, _fraction(height)


def _degrees(text: str, most: int) -> float | None:
    """`50,5.375N`, `50,5,22N` or plain degrees; None for anything else or out of range."""
    match = re.fullmatch(
        r"([+-]?\d+(?:\.\d+)?)(?:,(\d+(?:\.\d+)?))?(?:,(\d+(?:\.\d+)?))?\s*([NSEWnsew]?)", text.strip()
    )
    if match is None:
        return None
    parts = [float(part or 0) for part in match.groups()[:3]]
    degrees = abs(parts[0]) + parts[1] / 60 + parts[2] / 3600
    if degrees > most:
        return None
    return -degrees if match.group(4).upper() in ("S", "W") or text.strip().startswith("-") else degrees


def _fraction(text: str) -> float | None:
    over, _, under = text.partition("/")
    try:
        return float(over) / float(under or 1)
    except (ValueError, ZeroDivisionError):
        return None


def _orientation_rows(facts: Facts) -> Iterator[Row]:
    text = facts.get((_TIFF, "Orientation"), "")
    if text in tuple("12345678"):
        yield "picture.orientation", text, int(text)


def _reads(original: Original) -> bool:
    return original.format == "xmp" or original.format in EMBEDDED_IN


EXTRACTOR = Extractor(name="xmp", version=2, reads=_reads, extract=extract)
