"""What bytes are, told from their first and last 64 KiB; a name only breaks ties.

Recognisers are tried in order, the surest first; text comes last, for anything may look like text. Not covered: formats
without any mark of their own (raw PCM, Musepack SV4-6, vendors' encrypted exports): they stay `unknown`, with the
kind their suffix claims. Playlists are `other` whatever they are called, so that nobody plays what they point to.
Sources: the formats' own specifications; ISO/IEC 14496-12 (boxes), RFC 9559 (Matroska), RFC 3533 (Ogg),
ISO/IEC 11172-3 (MPEG audio), ISO/IEC 13818-1 (transport and program streams).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Final

from pipeline.edges.caged.fronts import id3_end
from pipeline.records import Kind

END_BYTES: Final = 64 << 10  # the head and the tail that callers hand over


@dataclass(frozen=True)
class Sniffed:
    """kind: what reviewers call it. format: a key of FORMATS. mime: for browsers."""

    kind: Kind
    format: str
    mime: str


@dataclass(frozen=True)
class Format:
    """suffixes: the endings under which this content is no surprise, the usual one first."""

    kind: Kind
    mime: str
    suffixes: tuple[str, ...] = ()


_ISO = (".mp4", ".m4v", ".mov", ".qt", ".m4a", ".m4b", ".m4p", ".3gp", ".3g2", ".3gpp", ".f4v", ".lrf", ".lrv", ".insv")

FORMATS: Final[dict[str, Format]] = {
    # moving pictures
    "mov": Format("video", "video/quicktime", _ISO),
    "mp4": Format("video", "video/mp4", _ISO),
    "3gp": Format("video", "video/3gpp", _ISO),
    "m4a": Format("audio", "audio/mp4", _ISO),
    "matroska": Format("video", "video/x-matroska", (".mkv", ".mka", ".mks", ".mk3d", ".webm")),
    "webm": Format("video", "video/webm", (".webm", ".weba", ".mkv")),
    "avi": Format("video", "video/x-msvideo", (".avi", ".divx")),
    "mpegts": Format("video", "video/mp2t", (".ts", ".mts", ".m2ts", ".m2t", ".tp", ".trp", ".mod", ".tod")),
    "mpegps": Format("video", "video/mpeg", (".mpg", ".mpeg", ".vob", ".ps", ".m2p", ".dat", ".mod", ".evo")),
    "mpegvideo": Format("video", "video/mpeg", (".m1v", ".m2v", ".mpv", ".mpg", ".mpeg")),
    "dav": Format("video", "video/x-dav", (".dav",)),
    "flv": Format("video", "video/x-flv", (".flv", ".f4v")),
    "asf": Format("video", "video/x-ms-asf", (".wmv", ".asf", ".wma", ".wm", ".dvr-ms")),
    "ogg": Format("video", "video/ogg", (".ogv", ".ogg", ".oga", ".ogx", ".opus", ".spx", ".oggtheora", ".oggflac")),
    "h264": Format("video", "video/h264", (".h264", ".264", ".avc", ".26l", ".jsv")),
    "hevc": Format("video", "video/h265", (".h265", ".265", ".hevc")),
    "m4v": Format("video", "video/mp4v-es", (".m4v", ".m4e", ".cmp")),
    "mjpeg": Format("video", "video/x-motion-jpeg", (".mjpeg", ".mjpg", ".mjp")),
    "dv": Format("video", "video/x-dv", (".dv", ".dif")),
    "mxf": Format("video", "application/mxf", (".mxf",)),
    "ivf": Format("video", "video/x-ivf", (".ivf",)),
    "nut": Format("video", "video/x-nut", (".nut",)),
    "rm": Format("video", "application/vnd.rn-realmedia", (".rm", ".rmvb", ".ra")),
    # sound
    "wav": Format("audio", "audio/wav", (".wav", ".wave", ".bwf", ".rf64")),
    "w64": Format("audio", "audio/x-w64", (".w64",)),
    "aiff": Format("audio", "audio/aiff", (".aiff", ".aif", ".aifc", ".afc")),
    "caf": Format("audio", "audio/x-caf", (".caf",)),
    "mp3": Format("audio", "audio/mpeg", (".mp3", ".mp2", ".mp1", ".mpa", ".id3")),
    "aac": Format("audio", "audio/aac", (".aac", ".adts")),
    "flac": Format("audio", "audio/flac", (".flac", ".fla")),
    "amr": Format("audio", "audio/amr", (".amr", ".awb", ".3ga")),
    "wavpack": Format("audio", "audio/x-wavpack", (".wv",)),
    "ape": Format("audio", "audio/x-ape", (".ape", ".apl")),
    "tta": Format("audio", "audio/x-tta", (".tta",)),
    "musepack7": Format("audio", "audio/x-musepack", (".mpc", ".mp+", ".mpp")),
    "musepack8": Format("audio", "audio/x-musepack", (".mpc", ".mp+", ".mpp")),
    "tak": Format("audio", "audio/x-tak", (".tak",)),
    "dsf": Format("audio", "audio/x-dsf", (".dsf",)),
    "dff": Format("audio", "audio/x-dff", (".dff",)),
    "optimfrog": Format("audio", "audio/x-ofr", (".ofr", ".ofs")),
    "ac3": Format("audio", "audio/ac3", (".ac3",)),
    "eac3": Format("audio", "audio/eac3", (".eac3", ".ec3", ".ac3")),
    "dts": Format("audio", "audio/vnd.dts", (".dts",)),
    "au": Format("audio", "audio/basic", (".au", ".snd")),
    "midi": Format("audio", "audio/midi", (".mid", ".midi", ".rmi", ".kar")),
    # still pictures
    "jpeg": Format("photo", "image/jpeg", (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".thm")),
    "png": Format("photo", "image/png", (".png", ".apng")),
    "gif": Format("photo", "image/gif", (".gif",)),
    "tiff": Format("photo", "image/tiff", (".tif", ".tiff")),
    "webp": Format("photo", "image/webp", (".webp",)),
    "bmp": Format("photo", "image/bmp", (".bmp", ".dib")),
    "ico": Format("photo", "image/x-icon", (".ico", ".cur")),
    "heif": Format("photo", "image/heif", (".heic", ".heif", ".hif", ".heics", ".heifs")),
    "avif": Format("photo", "image/avif", (".avif", ".avifs")),
    "jp2": Format("photo", "image/jp2", (".jp2", ".jpx", ".jpf", ".jpm", ".j2k")),
    "j2k": Format("photo", "image/x-jp2-codestream", (".j2k", ".j2c", ".jpc", ".jp2")),
    "jxl": Format("photo", "image/jxl", (".jxl",)),
    "psd": Format("photo", "image/vnd.adobe.photoshop", (".psd", ".psb")),
    "cr2": Format("photo", "image/x-canon-cr2", (".cr2",)),
    "cr3": Format("photo", "image/x-canon-cr3", (".cr3",)),
    "crw": Format("photo", "image/x-canon-crw", (".crw",)),
    "nef": Format("photo", "image/x-nikon-nef", (".nef", ".nrw")),
    "arw": Format("photo", "image/x-sony-arw", (".arw", ".sr2", ".srf")),
    "dng": Format("photo", "image/x-adobe-dng", (".dng",)),
    "pef": Format("photo", "image/x-pentax-pef", (".pef",)),
    "srw": Format("photo", "image/x-samsung-srw", (".srw",)),
    "rw2": Format("photo", "image/x-panasonic-rw2", (".rw2", ".raw", ".rwl")),
    "orf": Format("photo", "image/x-olympus-orf", (".orf",)),
    "raf": Format("photo", "image/x-fuji-raf", (".raf",)),
    "x3f": Format("photo", "image/x-sigma-x3f", (".x3f",)),
    "mrw": Format("photo", "image/x-minolta-mrw", (".mrw",)),
    # writings
    "pdf": Format("document", "application/pdf", (".pdf", ".ai")),
    "docx": Format("document", "application/vnd.openxmlformats-officedocument.wordprocessingml.document", (".docx",)),
    "xlsx": Format("document", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", (".xlsx",)),
    "pptx": Format("document", "application/vnd.openxmlformats-officedocument.presentationml.presentation", (".pptx",)),
    "odf": Format("document", "application/vnd.oasis.opendocument.text", (".odt", ".ods", ".odp")),
    "ofd": Format("document", "application/ofd", (".ofd",)),
    "ole": Format("document", "application/x-ole-storage", (".doc", ".xls", ".ppt", ".wps", ".et", ".dps", ".msg")),
    "rtf": Format("document", "application/rtf", (".rtf", ".doc")),
    "html": Format("document", "text/html", (".html", ".htm", ".xhtml")),
    "svg": Format("document", "image/svg+xml", (".svg",)),
    "xml": Format("document", "application/xml", (".xml", ".kml", ".xmp", ".gpx", ".plist")),
    "json": Format("document", "application/json", (".json", ".geojson")),
    "text": Format("document", "text/plain", (".txt", ".log", ".csv", ".md", ".md5", ".sha256", ".ini", ".srt")),
    # companions of recordings
    "srt": Format("sidecar", "application/x-subrip", (".srt", ".txt")),
    "vtt": Format("sidecar", "text/vtt", (".vtt", ".txt")),
    "xmp": Format("sidecar", "application/rdf+xml", (".xmp", ".xml")),
    "gpx": Format("sidecar", "application/gpx+xml", (".gpx", ".xml")),
    "nmea": Format("sidecar", "text/plain", (".nmea", ".log", ".txt", ".gps")),
    "md5": Format("sidecar", "text/plain", (".md5", ".txt")),
    "idx": Format("sidecar", "application/octet-stream", (".idx",)),
    # neither shown nor played
    "zip": Format("other", "application/zip", (".zip", ".apk", ".jar", ".kmz", ".epub")),
    "7z": Format("other", "application/x-7z-compressed", (".7z",)),
    "rar": Format("other", "application/vnd.rar", (".rar",)),
    "gzip": Format("other", "application/gzip", (".gz", ".tgz")),
    "program": Format("other", "application/octet-stream", (".exe", ".dll", ".so", ".com", ".scr", ".bin")),
    "playlist": Format(
        "other", "application/octet-stream",
        (".m3u8", ".m3u", ".mpd", ".sdp", ".pls", ".ffconcat", ".asx", ".wax", ".wvx", ".smil", ".ram", ".xspf"),
    ),
    "empty": Format("other", "application/octet-stream"),
    "unknown": Format("other", "application/octet-stream"),
}  # fmt: skip

SIDECAR_SUFFIXES: Final = (
    ".srt", ".vtt", ".xmp", ".gpx", ".lrf", ".lrv", ".thm", ".idx", ".nmea", ".json", ".md5", ".log",
)  # fmt: skip
# What may lie inside a sidecar suffix; anything else under it is judged by its content.
_SIDECAR_CONTENTS: Final = frozenset((
    "srt", "vtt", "xmp", "gpx", "nmea", "md5", "idx", "json", "xml", "text", "html", "mov", "mp4", "3gp", "m4a",
    "jpeg", "mpegts", "unknown", "empty",
))  # fmt: skip
_SIDECAR_MEDIA: Final = {"mov": (".lrf", ".lrv"), "mp4": (".lrf", ".lrv"), "3gp": (".lrf", ".lrv"),
                         "m4a": (".lrf", ".lrv"), "mpegts": (".lrf", ".lrv"), "jpeg": (".thm",)}  # fmt: skip

_SUFFIX_KINDS: Final[dict[str, Kind]] = {
    suffix: form.kind for form in reversed(FORMATS.values()) for suffix in form.suffixes if form.kind != "other"
}
# Suffixes that name another kind than the format that carries them.
_SOUND_SUFFIXES: Final = frozenset(
    (".m4a", ".m4b", ".m4p", ".mka", ".weba", ".wma", ".oga", ".opus", ".spx", ".3ga", ".ra")
)


def sniff(head: bytes, tail: bytes, name: str, extra_sidecar_suffixes: Collection[str] = ()) -> Sniffed:
    """The kind, the format and the media type of a file; never raises.

    head, tail: its first and last END_BYTES (the same bytes twice when it is shorter). name: as it arrived, '' when
    unknown. extra_sidecar_suffixes: more suffixes of companions, as `.xyz`.
    """
    suffix = suffix_of(name)
    found = _format_of(head, tail, suffix)
    form = FORMATS[found]
    kind = _kind_of(found, head, tail, suffix)
    extra = {one.lower() for one in extra_sidecar_suffixes}
    if suffix in extra or (suffix in SIDECAR_SUFFIXES and _may_be_sidecar(found, suffix)):
        kind = "sidecar"
    mime = form.mime
    if kind == "audio" and mime.startswith("video/"):
        mime = {"video/x-ms-asf": "audio/x-ms-wma"}.get(mime, mime.replace("video/", "audio/", 1))
    return Sniffed(kind, found, mime)


def suffix_of(name: str) -> str:
    """The last ending in lower case with its dot, '' where there is none."""
    stem, dot, ending = name.rpartition(".")
    return f".{ending.lower()}" if dot and stem and len(ending) <= 12 else ""


def suits(name: str, format_name: str) -> bool:
    """Whether the name's ending is one under which this content is no surprise; unknown endings claim nothing."""
    suffix = suffix_of(name)
    form = FORMATS.get(format_name)
    if form is None or not form.suffixes or suffix in form.suffixes:
        return True
    return not any(suffix in other.suffixes for other in FORMATS.values())


# -- formats


def _format_of(head: bytes, tail: bytes, suffix: str) -> str:
    if not head:
        return "empty"
    for recognise in _RECOGNISERS:
        if found := recognise(head, tail, suffix):
            return found
    return "idx" if suffix == ".idx" else "unknown"


_MAGIC: Final[tuple[tuple[int, bytes, str], ...]] = (
    (0, b"\x89PNG\r\n\x1a\n", "png"),
    (0, b"GIF87a", "gif"),
    (0, b"GIF89a", "gif"),
    (0, b"8BPS", "psd"),
    (0, b"\x00\x00\x00\x0cjP  \r\n\x87\n", "jp2"),
    (0, b"\xff\x4f\xff\x51", "j2k"),
    (0, b"\x00\x00\x00\x0cJXL \r\n\x87\n", "jxl"),
    (0, b"\xff\x0a", "jxl"),
    (0, b"FUJIFILMCCD-RAW", "raf"),
    (0, b"FOVb", "x3f"),
    (0, b"\x00MRM", "mrw"),
    (6, b"HEAPCCDR", "crw"),
    (0, b"fLaC", "flac"),
    (0, b"caff", "caf"),
    (0, b"#!AMR", "amr"),
    (0, b"wvpk", "wavpack"),
    (0, b"MAC ", "ape"),
    (0, b"TTA1", "tta"),
    (0, b"TTA2", "tta"),
    (0, b"MPCK", "musepack8"),
    (0, b"tBaK", "tak"),
    (0, b"DSD \x1c", "dsf"),
    (0, b"FRM8", "dff"),
    (0, b"OFR ", "optimfrog"),
    (0, b"\x7f\xfe\x80\x01", "dts"),
    (0, b"\xfe\x7f\x01\x80", "dts"),
    (0, b"\x1f\xff\xe8\x00", "dts"),
    (0, b"\xff\x1f\x00\xe8", "dts"),
    (0, b"\x64\x58\x20\x25", "dts"),
    (0, b".snd", "au"),
    (0, b"MThd", "midi"),
    (0, b"ADIF", "aac"),
    (0, b"riff\x2e\x91\xcf\x11", "w64"),
    (0, b"OggS", "ogg"),
    (0, bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c"), "asf"),
    (0, b"FLV\x01", "flv"),
    (0, b"DHAV", "dav"),
    (0, b"DAHUA", "dav"),
    (0, b"IMKH", "mpegps"),
    (0, b"\x00\x00\x01\xba", "mpegps"),
    (0, b"\x00\x00\x01\xb3", "mpegvideo"),
    (0, b"DKIF\x00\x00", "ivf"),
    (0, b"nut/multimedia container\x00", "nut"),
    (0, b".RMF", "rm"),
    (0, b"{\\rtf", "rtf"),
    (0, bytes.fromhex("d0cf11e0a1b11ae1"), "ole"),
    (0, b"7z\xbc\xaf\x27\x1c", "7z"),
    (0, b"Rar!\x1a\x07", "rar"),
    (0, b"\x1f\x8b\x08", "gzip"),
    (0, b"\x7fELF", "program"),
)


def _by_magic(head: bytes, _tail: bytes, _suffix: str) -> str | None:
    for at, magic, found in _MAGIC:
        if head.startswith(magic, at):
            return found
    return None


def _riff(head: bytes, _tail: bytes, _suffix: str) -> str | None:
    if head[:4] not in (b"RIFF", b"RF64", b"BW64", b"FORM", b"RIFX"):
        return None
    inside = {
        b"WAVE": "wav", b"AVI ": "avi", b"AVIX": "avi", b"WEBP": "webp", b"RMID": "midi", b"CDXA": "mpegps",
        b"AIFF": "aiff", b"AIFC": "aiff",
    }  # fmt: skip
    return inside.get(head[8:12])


def _jpeg(head: bytes, _tail: bytes, suffix: str) -> str | None:
    if head[:2] != b"\xff\xd8" or head[2:3] != b"\xff":
        return None
    return "mjpeg" if suffix in FORMATS["mjpeg"].suffixes else "jpeg"


_RAW_MARKS: Final = {b"IIRO": "orf", b"IIRS": "orf", b"MMOR": "orf", b"IIU\x00": "rw2"}
_RAW_MAKES: Final = {b"NIKON": "nef", b"SONY": "arw", b"PENTAX": "pef", b"RICOH": "pef", b"SAMSUNG": "srw"}
_SUB_IFDS, _MAKE, _DNG_VERSION = 0x014A, 0x010F, 0xC612


def _tiff(head: bytes, _tail: bytes, suffix: str) -> str | None:
    if head[:4] in _RAW_MARKS:
        return _RAW_MARKS[head[:4]]
    if head[:4] not in (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+"):
        return None
    if head[8:10] == b"CR":
        return "cr2"
    tags = dict(_first_ifd(head))
    if _DNG_VERSION in tags:
        return "dng"
    for raw in ("nef", "arw", "pef", "srw", "dng", "cr2"):
        if suffix in FORMATS[raw].suffixes:
            return raw
    make = head[tags.get(_MAKE, len(head)) :][:8].upper()
    if _SUB_IFDS in tags:
        return next((raw for brand, raw in _RAW_MAKES.items() if make.startswith(brand)), "tiff")
    return "tiff"


def _first_ifd(head: bytes) -> Iterator[tuple[int, int]]:
    """(tag, value or its offset) of the first directory, as far as the head shows it."""
    order = "little" if head[:2] == b"II" else "big"
    at = int.from_bytes(head[4:8], order)  # type: ignore[arg-type]
    count = int.from_bytes(head[at : at + 2], order)  # type: ignore[arg-type]
    for entry in range(at + 2, min(at + 2 + 12 * count, len(head) - 11), 12):
        yield (
            int.from_bytes(head[entry : entry + 2], order),  # type: ignore[arg-type]
            int.from_bytes(head[entry + 8 : entry + 12], order),  # type: ignore[arg-type]
        )


_PHOTO_BRANDS: Final = frozenset(
    (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1", b"mif2")
)
_OLD_BOXES: Final = frozenset(
    (b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot", b"uuid", b"moof", b"styp", b"sidx")
)


def _iso(head: bytes, _tail: bytes, _suffix: str) -> str | None:
    """ISO-BMFF by the brands of its first box; QuickTime files before brands by their first box."""
    size, box = int.from_bytes(head[:4], "big"), head[4:8]
    if box != b"ftyp":
        plausible = size in (0, 1) or size >= 8
        if box not in _OLD_BOXES or not plausible:
            return None
        return "mp4" if box in (b"styp", b"moof", b"sidx") else "mov"
    major = head[8:12]
    end = min(max(size, 16), 1024)
    brands = [major, *(head[at : at + 4] for at in range(16, end, 4))]
    if major in (b"avif", b"avis"):
        return "avif"
    if major == b"crx ":
        return "cr3"
    if major in (b"jp2 ", b"jpx "):
        return "jp2"
    if major in _PHOTO_BRANDS:
        return "avif" if b"avif" in brands else "heif"
    if major == b"qt  ":
        return "mov"
    if major[:3] in (b"3gp", b"3g2", b"3gs", b"3ge", b"3gg"):
        return "3gp"
    if major in (b"M4A ", b"M4B ", b"M4P ", b"F4A ", b"F4B "):
        return "m4a"
    if b"moov" not in head and not _PHOTO_BRANDS.isdisjoint(brands):
        return "heif"
    return "mp4"


def _ebml(head: bytes, _tail: bytes, _suffix: str) -> str | None:
    if not head.startswith(b"\x1a\x45\xdf\xa3"):
        return None
    return "webm" if b"\x42\x82\x84webm" in head[:256] else "matroska"


def _mpegts(head: bytes, _tail: bytes, _suffix: str) -> str | None:
    """Sync bytes at the pace of packets, from anywhere in the first packet on: 188, 192 (Blu-ray, AVCHD), 204."""
    for pace in (188, 192, 204):
        for start in range(min(pace, len(head))):
            if head[start] == 0x47:
                marks = head[start : start + 12 * pace : pace]
                if len(marks) >= 3 and marks == b"\x47" * len(marks):
                    return "mpegts"
    return None


def _dv(head: bytes, _tail: bytes, _suffix: str) -> str | None:
    return "dv" if head[:3] == b"\x1f\x07\x00" and head[80:83] == b"\x3f\x07\x00" else None


def _mxf(head: bytes, _tail: bytes, _suffix: str) -> str | None:
    return "mxf" if b"\x06\x0e\x2b\x34\x02\x05\x01\x01\x0d\x01\x02" in head else None


_START_CODE: Final = re.compile(rb"\x00\x00\x01(..)", re.DOTALL)


def _elementary(head: bytes, _tail: bytes, suffix: str) -> str | None:
    """Bare H.264, H.265 and MPEG-4 video: their start codes, and the parameter sets that must come first."""
    starts = head.startswith((b"\x00\x00\x01", b"\x00\x00\x00\x01"))
    named = next((one for one in ("h264", "hevc") if suffix in FORMATS[one].suffixes), None)
    if not starts and named is None:
        return None
    units = [match.group(1) for match in _START_CODE.finditer(head)]
    if not units:
        return None
    if {32, 33, 34} <= {unit[0] >> 1 for unit in units if unit[1] == 1 and unit[0] < 0x80}:
        return "hevc"
    if {7, 8} <= {unit[0] & 0x1F for unit in units if unit[0] < 0x80 and unit[0] & 0x60} and units[0][0] < 0x80:
        return "h264"
    if units[0][0] == 0xB0 or (units[0][0] < 0x20 and any(0x20 <= unit[0] < 0x30 for unit in units[:3])):
        return "m4v"
    return named


def _bmp_or_ico(head: bytes, _tail: bytes, _suffix: str) -> str | None:
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in (12, 16, 40, 52, 56, 64, 108, 124):
        return "bmp"
    count = int.from_bytes(head[4:6], "little")
    if head[:4] in (b"\x00\x00\x01\x00", b"\x00\x00\x02\x00") and 0 < count < 256 and head[9:10] == b"\x00":
        return "ico"
    return None


def _sound_frames(head: bytes, _tail: bytes, suffix: str) -> str | None:
    """MPEG audio, AAC, AC-3 and Musepack 7, with or without tags before them."""
    at = id3_end(head)
    if head.startswith(b"APETAGEX"):
        at = 32 + int.from_bytes(head[12:16], "little")
    body = head[at:]
    if at and body and (inside := _by_magic(body, b"", "") or _riff(body, b"", "")):
        return inside
    frames = body.lstrip(b"\x00")
    if frames[:3] == b"MP+" and frames[3:4] and frames[3] & 0x0F == 7:
        return "musepack7"
    if frames[:2] in (b"\x0b\x77", b"\x77\x0b") and len(frames) > 6:
        bsid = frames[5 if frames[0] == 0x0B else 4] >> 3
        return "ac3" if bsid <= 10 else "eac3" if bsid <= 16 else None
    for measure, found in ((_aac_frame, "aac"), (_mpeg_frame, "mp3")):
        if _frames_follow(frames, 0, measure, 2) or (at and _frames_follow(frames, 0, measure, 1)):
            return found
    if at:
        return _sound_of(suffix) or "mp3"
    return _frames_after_noise(frames, suffix)


def _sound_of(suffix: str) -> str | None:
    """The format an ending means where a tag hides the content."""
    return next((one for one, form in FORMATS.items() if suffix in form.suffixes and form.kind == "audio"), None)


def _frames_after_noise(body: bytes, suffix: str) -> str | None:
    """Frames behind leading noise; a name that says so needs fewer of them."""
    if _frames_follow(body, 0, _mpeg_frame, 1) and suffix in FORMATS["mp3"].suffixes:
        return "mp3"
    at = body.find(b"\xff")
    while 0 <= at < len(body) - 4:
        for measure, found in ((_mpeg_frame, "mp3"), (_aac_frame, "aac")):
            if _frames_follow(body, at, measure, 3 if suffix in FORMATS[found].suffixes else 5):
                return found
        at = body.find(b"\xff", at + 1)
    return None


def _frames_follow(body: bytes, at: int, measure: Callable[[bytes], tuple[int, int]], wanted: int) -> bool:
    """Whether so many frames of one make follow one another, or fewer up to the very end of the bytes.

    A single frame that is cut off counts only where it comes first: elsewhere any two bytes could be one.
    """
    first, make = at, None
    for _ in range(wanted):
        length, this = measure(body[at : at + 8])
        if not length or (make is not None and this != make):
            return False
        make, at = this, at + length
        if at >= len(body):
            return at == len(body) or first == 0
    return True


_BIT_RATES: Final = {
    (1, 1): (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (1, 2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 1): (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (2, 3): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}  # fmt: skip


def _mpeg_frame(header: bytes) -> tuple[int, int]:
    """(bytes, what must stay the same) of an MPEG audio frame, (0, 0) where there is none."""
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE0 != 0xE0:
        return 0, 0
    version, layer = header[1] >> 3 & 3, 4 - (header[1] >> 1 & 3)
    rate_index, hz_index = header[2] >> 4, header[2] >> 2 & 3
    if version == 1 or layer == 4 or rate_index in (0, 15) or hz_index == 3:
        return 0, 0
    bits_per_s = _BIT_RATES[(1 if version == 3 else 2, layer)][rate_index] * 1000
    hz = (44100, 48000, 32000)[hz_index] >> {3: 0, 2: 1, 0: 2}[version]
    padding = header[2] >> 1 & 1
    if layer == 1:
        return (12 * bits_per_s // hz + padding) * 4, version << 4 | layer << 2 | hz_index
    samples = 576 if layer == 3 and version != 3 else 1152
    return samples // 8 * bits_per_s // hz + padding, version << 4 | layer << 2 | hz_index


def _aac_frame(header: bytes) -> tuple[int, int]:
    """(bytes, what must stay the same) of an ADTS frame, (0, 0) where there is none."""
    if len(header) < 7 or header[0] != 0xFF or header[1] & 0xF6 != 0xF0 or header[2] >> 2 & 15 > 12:
        return 0, 0
    length = (header[3] & 3) << 11 | header[4] << 3 | header[5] >> 5
    return (length, header[2] >> 2) if length > 7 else (0, 0)


def _program(head: bytes, _tail: bytes, suffix: str) -> str | None:
    at = int.from_bytes(head[60:64], "little")
    return "program" if head[:2] == b"MZ" and (head[at : at + 2] == b"PE" or suffix == ".exe") else None


def _zip(head: bytes, tail: bytes, _suffix: str) -> str | None:
    if not head.startswith((b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")):
        return None
    names = head + tail
    if b"mimetypeapplication/vnd.oasis" in head[:128]:
        return "odf"
    if b"OFD.xml" in names:
        return "ofd"
    if b"[Content_Types].xml" in names:
        for folder, found in ((b"word/", "docx"), (b"xl/", "xlsx"), (b"ppt/", "pptx")):
            if folder in names:
                return found
    return "zip"


def _pdf(head: bytes, _tail: bytes, _suffix: str) -> str | None:
    return "pdf" if b"%PDF-" in head[:1024] else None


# -- text

_ROOT: Final = re.compile(
    r"^\s*(?:<\?.*?\?>\s*|<!--.*?-->\s*|<!doctype[^>]*>\s*)*<(?:[\w.-]+:)?([\w.-]+)", re.DOTALL | re.IGNORECASE
)
_ROOT_FORMATS: Final = {
    "xmpmeta": "xmp", "xapmeta": "xmp", "rdf": "xmp", "gpx": "gpx", "html": "html", "svg": "svg",
    "mpd": "playlist", "smil": "playlist", "asx": "playlist", "smoothstreamingmedia": "playlist",
    "playlist": "playlist", "wpl": "playlist",
}  # fmt: skip
_PLAYLIST: Final = re.compile(
    r"\A\s*(?:\#EXTM3U|ffconcat\s+version|\[playlist\]|\[reference\]|RTSPtext|<\?wpl|v=0\s+[a-z]=)"
    r"|^\#EXT(?:INF|-X-)|^\s*file\s+['\"]?\S+\s*$(?:\s|duration|inpoint|outpoint|[\d.])*?(?:^\s*file\s|\Z)|\A\s*(?:rtsp|rtmp|https?|mms|concat|subfile):\S+\s*$",
    re.IGNORECASE | re.MULTILINE,
)
_CUE: Final = re.compile(r"^\s*\d{1,2}:\d{1,2}:\d{1,2}[,.]\d{1,3}\s*-->\s*\d{1,2}:\d{1,2}:", re.MULTILINE)
_DJI: Final = re.compile(r"\A\s*1\s+(?:\d{4}[.-]\d\d?[.-]\d\d?\s[\d:., ]+|HOME\s*\(|GPS\s*\()")
_NMEA: Final = re.compile(r"^\$G[A-Z]{4},[^\n]*\*[0-9A-F]{2}\s*$", re.MULTILINE)
_DIGESTS: Final = re.compile(
    r"\A(?:[0-9a-fA-F]{32}[ \t]+\*?\S[^\n]*\n?|MD5 ?\([^\n]+\) ?= ?[0-9a-fA-F]{32}\s*\n?)+\s*\Z"
)
# Control characters that no writing has; tab, line ends, form feed, escape and the old end-of-file mark are left out.
_NOT_TEXT: Final = re.compile(rb"[\x00-\x08\x0e-\x19\x1c-\x1f\x7f]")


def text_of(data: bytes) -> str | None:
    """The bytes as text (UTF-8, UTF-16 with its mark, GB 18030), None where they are no writing."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = data[: len(data) // 2 * 2].decode("utf-16", "replace")
        return None if "\x00" in text or "\ufffd" in text[:256] else text
    if _NOT_TEXT.search(data):
        return None
    for encoding in ("utf-8-sig", "gb18030"):
        for cut in range(4):  # the last character may be cut in two
            try:
                return data[: len(data) - cut].decode(encoding)
            except UnicodeDecodeError:
                continue
    return None


def _text(head: bytes, _tail: bytes, suffix: str) -> str | None:
    text = text_of(head)
    if text is None:
        return None
    if _PLAYLIST.search(text) or (suffix in FORMATS["playlist"].suffixes and text.strip()):
        return "playlist"
    if root := _ROOT.match(text):
        return _ROOT_FORMATS.get(root.group(1).lower(), "html" if suffix in (".html", ".htm") else "xml")
    if text.lstrip()[:1] in ("{", "["):
        return "json"
    if text.lstrip().startswith("WEBVTT"):
        return "vtt"
    if _CUE.search(text) or _DJI.match(text) or (suffix == ".srt" and len(text.strip()) < 16):
        return "srt"
    if _NMEA.search(text):
        return "nmea"
    return "md5" if _DIGESTS.match(text) else "text"


_RECOGNISERS: Final[tuple[Callable[[bytes, bytes, str], str | None], ...]] = (
    _by_magic, _jpeg, _riff, _iso, _ebml, _tiff, _bmp_or_ico, _pdf, _zip, _program, _dv, _elementary, _mpegts,
    _text, _sound_frames, _mxf,
)  # fmt: skip

# -- kinds


def _may_be_sidecar(found: str, suffix: str) -> bool:
    return found in _SIDECAR_CONTENTS and (found not in _SIDECAR_MEDIA or suffix in _SIDECAR_MEDIA[found])


def _kind_of(found: str, head: bytes, tail: bytes, suffix: str) -> Kind:
    if found in ("unknown", "empty"):
        return "audio" if suffix in _SOUND_SUFFIXES else _SUFFIX_KINDS.get(suffix, "other")
    kind = FORMATS[found].kind
    if kind != "video" or found not in _SEES:
        return kind
    sees = _SEES[found](head, tail)
    if sees is None:
        return "audio" if suffix in _SOUND_SUFFIXES else "video"
    return "video" if sees else "audio"


def _iso_sees(head: bytes, tail: bytes) -> bool | None:
    """Whether a picture track stands in the index, None where the ends do not show the whole of it."""
    for piece in (head, tail):
        at = piece.find(b"moov")
        if at < 4:
            continue
        size = int.from_bytes(piece[at - 4 : at], "big")
        moov = piece[at : at + size]
        handlers = {moov[here.end() + 8 :][:4] for here in re.finditer(b"hdlr", moov)}
        if b"vide" in handlers:
            return True
        if b"soun" in handlers and len(moov) >= size - 4:
            return False
    return None


def _ebml_sees(head: bytes, _tail: bytes) -> bool | None:
    """Track types of the Tracks element, if the head shows it."""
    at = head.find(b"\x16\x54\xae\x6b")
    if at < 0:
        return None
    types = {match.group(1) for match in re.finditer(rb"\x83\x81([\x01\x02\x11])", head[at : at + 16384])}
    return None if not types else b"\x01" in types or b"\x02" not in types


def _ogg_sees(head: bytes, _tail: bytes) -> bool | None:
    first_pages = head[:4096]
    if re.search(rb"\x80theora|BBCD\x00|\x01video\x00|OVP80", first_pages):
        return True
    return False if re.search(rb"\x01vorbis|OpusHead|\x7fFLAC|fLaC|Speex   ", first_pages) else None


def _asf_sees(head: bytes, _tail: bytes) -> bool | None:
    if bytes.fromhex("c0ef19bc4d5bcf11a8fd00805f5c442b") in head:
        return True
    return False if bytes.fromhex("409e69f84d5bcf11a8fd00805f5c442b") in head else None


def _avi_sees(head: bytes, _tail: bytes) -> bool | None:
    return True if b"strhvids" in head[:8192] or b"vids" in head[:8192] else False if b"auds" in head[:8192] else None


def _flv_sees(head: bytes, _tail: bytes) -> bool | None:
    return bool(head[4] & 1) if len(head) > 4 and head[4] & 5 else None


_SEES: Final[dict[str, Callable[[bytes, bytes], bool | None]]] = {
    "mov": _iso_sees, "mp4": _iso_sees, "3gp": _iso_sees, "matroska": _ebml_sees, "webm": _ebml_sees,
    "ogg": _ogg_sees, "asf": _asf_sees, "avi": _avi_sees, "flv": _flv_sees,
}  # fmt: skip
