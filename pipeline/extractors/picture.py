"""Still pictures: their stored and upright sizes, whether they decode to the end, how many there are in one file.

Decoded by Pillow, HEIF and AVIF by libheif through it, by FFmpeg's libraries what Pillow does not even open. Not
covered: camera raw (its sizes come with the EXIF), PSD, JPEG XL.
libheif turns and mirrors as the file's own boxes say, so a HEIF picture's size here is already the upright one. Pillow
tells the boxes of an AVIF as an Exif orientation.
Source: Pillow's and libheif's documentation; ISO/IEC 23008-12 (irot, imir).
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pi_heif
from PIL import Image

from pipeline.custody.sniff import sniff
from pipeline.edges.caged import stills
from pipeline.edges.caged.reading import JPEG_SCAN, Row, answer, boxes_in, chunks_in, ends_of, fact, segments_in
from pipeline.edges.caged.stills import FAULTS
from pipeline.errors import Unreadable
from pipeline.records import Original
from pipeline.stage import Extractor

PIXELS_MAX: Final = 210_000_000  # 200-megapixel phones pass; 630 MB decoded as RGB, within the cage's memory
FRAMES_MAX: Final = 5_000
FRAMES_CPU_S: Final = 4.0  # counting the pictures of an animation; bombs hold 100,000 of them

PILLOW_NAMES: Final = {
    "jpeg": ("JPEG", "MPO"), "png": ("PNG",), "gif": ("GIF",), "tiff": ("TIFF",), "webp": ("WEBP",),
    "bmp": ("BMP", "DIB"), "ico": ("ICO", "CUR"), "heif": ("HEIF",), "avif": ("HEIF", "AVIF"), "jp2": ("JPEG2000",),
    "j2k": ("JPEG2000",),
}  # fmt: skip

# Where a missing end mark means missing data although the rest decodes; many JPEG writers forget theirs.
CUT_IS_CERTAIN: Final = ("png", "webp")

TRUNCATED: Final = (
    "truncated",
    "The picture's data ends too early; its lower part is missing.",
    "图像数据提前中断，下部缺失。",
)
UNDECODABLE: Final = ("undecodable", "The picture could not be decoded.", "图像无法解码。")
TOO_LARGE: Final = (
    "too_large",
    f"The picture claims more than {PIXELS_MAX // 1_000_000} million pixels and was not decoded.",
    f"图像声明的像素超过 {PIXELS_MAX // 1_000_000} 百万，未予解码。",
)


def extract(path: str) -> dict[str, Any]:
    """Sizes, count and decodability of a still picture; one that cannot even be opened yields its caveat."""
    head, tail = ends_of(path)
    format_name = sniff(head, tail, "").format
    if format_name not in PILLOW_NAMES:
        raise Unreadable(f"No still picture: {format_name}", found=format_name)
    pi_heif.register_heif_opener(thumbnails=False)
    Image.MAX_IMAGE_PIXELS = None  # the limit is ours, below, with its own caveat
    warnings.simplefilter("ignore")
    cut = _breaks_off(path, format_name, tail)
    fault = TRUNCATED if cut else UNDECODABLE
    try:
        picture = Image.open(path, formats=PILLOW_NAMES[format_name])
    except FAULTS:
        borne = stills.decoded(Path(path))
        if borne is None:
            return answer([("picture.decodes", "false", False)], [fault])
        picture = borne
    with picture:
        if picture.width * picture.height > PIXELS_MAX:
            return answer([], [TOO_LARGE])
        rows = list(_size_rows(picture))
        decodes = _decodes(picture)
        rows += [("picture.decodes", str(decodes).lower(), decodes), *_frame_rows(picture)]
    return answer(rows, [] if decodes and not (cut and format_name in CUT_IS_CERTAIN) else [fault])


def _size_rows(picture: Image.Image) -> Iterator[Row]:
    width, height = picture.size
    turned = picture.format != "HEIF" and _orientation(picture) in (5, 6, 7, 8)
    yield from fact("picture.width", width)
    yield from fact("picture.height", height)
    yield from fact("picture.upright_width", height if turned else width)
    yield from fact("picture.upright_height", width if turned else height)
    yield from fact("picture.mode", picture.mode)


def _orientation(picture: Image.Image) -> int:
    try:
        return int(picture.getexif().get(0x0112, 1))
    except FAULTS:
        return 1


def _decodes(picture: Image.Image) -> bool:
    try:
        picture.load()
    except FAULTS:
        return False
    return True


def _frame_rows(picture: Image.Image) -> Iterator[Row]:
    """How many pictures the file holds, counted until it ends, breaks or takes too long."""
    if not getattr(picture, "is_animated", False) and picture.format not in ("TIFF", "MPO", "GIF"):
        yield from fact("picture.frames", 1)
        return
    until, count = time.process_time() + FRAMES_CPU_S, 1
    try:
        while count < FRAMES_MAX and time.process_time() < until:
            picture.seek(count)
            count += 1
        yield "picture.frames", f"{count} or more", count
    except FAULTS:
        yield from fact("picture.frames", count)


def _breaks_off(path: str, format_name: str, tail: bytes) -> bool:
    """Whether the end mark of the format is missing, or its chunks reach beyond the end of the file."""
    with Path(path).open("rb") as stream:
        size = stream.seek(0, 2)
        match format_name:
            case "jpeg":
                scan = next((one.start for one in segments_in(stream) if one.marker == JPEG_SCAN), None)
                return scan is None or b"\xff\xd9" not in tail[max(0, scan - (size - len(tail))) :]
            case "png":
                return b"IEND" not in tail
            case "gif":
                return not tail.rstrip(b"\0").endswith(b";")
            case "webp":
                return any(not chunk.whole for chunk in chunks_in(stream, 0, size))
            case "heif" | "avif":
                return any(not box.whole for box in boxes_in(stream, 0, size))
    return False


def _reads(original: Original) -> bool:
    return original.format in PILLOW_NAMES


EXTRACTOR = Extractor(name="picture", version=3, reads=_reads, extract=extract)
