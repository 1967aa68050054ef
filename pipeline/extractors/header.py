"""What the header of a still picture states of its size, read without any decoder.

Stands in for `picture` where a decoder refuses, crashes or is not asked (bombs, damaged files); what a decoder
then sees replaces it. Not covered: camera raw and TIFF (their sizes come with the EXIF).
Sources: ISO/IEC 10918-1 (SOF), PNG (IHDR), GIF89a, WebP container, ISO/IEC 23008-12 (ispe),
ISO/IEC 15444-1 (ihdr, SIZ), ISO/IEC 18181-1 (SizeHeader) and -2 (jxlc, jxlp), Adobe Photoshop File
Formats.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, Final

from pipeline.custody.sniff import sniff
from pipeline.edges.caged.reading import answer, boxes_at, boxes_in, ends_of, fact, segments_in
from pipeline.errors import Unreadable
from pipeline.records import Original
from pipeline.stage import Extractor

Size = tuple[int, int]


def extract(path: str) -> dict[str, Any]:
    """`picture.width` and `picture.height` as the header states them; nothing where it states none."""
    head, tail = ends_of(path)
    format_name = sniff(head, tail, "").format
    if format_name not in SIZES:
        raise Unreadable(f"No still picture: {format_name}", found=format_name)
    with Path(path).open("rb") as stream:
        size = SIZES[format_name](stream)
    rows = [*fact("container.kind", "photo"), *fact("container.format", format_name)]
    if size is not None and size != (0, 0):
        rows += [*fact("picture.width", size[0] or None), *fact("picture.height", size[1] or None)]
    return answer(rows)


def _number(stream: BinaryIO, at: int, length: int, order: str = "big") -> int:
    stream.seek(at)
    return int.from_bytes(stream.read(length), "big" if order == "big" else "little")


def _of_jpeg(stream: BinaryIO) -> Size | None:
    for segment in segments_in(stream):
        if 0xC0 <= segment.marker <= 0xCF and segment.marker not in (0xC4, 0xC8, 0xCC):
            return _number(stream, segment.start + 3, 2), _number(stream, segment.start + 1, 2)
    return None


def _of_png(stream: BinaryIO) -> Size:
    return _number(stream, 16, 4), _number(stream, 20, 4)


def _of_gif(stream: BinaryIO) -> Size:
    return _number(stream, 6, 2, "little"), _number(stream, 8, 2, "little")


def _of_bmp(stream: BinaryIO) -> Size:
    width, height = _number(stream, 18, 4, "little"), _number(stream, 22, 4, "little")
    return width, height if height < 1 << 31 else (1 << 32) - height


def _of_ico(stream: BinaryIO) -> Size:
    """Of the first picture; a nought means 256."""
    return _number(stream, 6, 1) or 256, _number(stream, 7, 1) or 256


def _of_webp(stream: BinaryIO) -> Size | None:
    stream.seek(12)
    kind = stream.read(4)
    if kind == b"VP8X":
        return _number(stream, 24, 3, "little") + 1, _number(stream, 27, 3, "little") + 1
    if kind == b"VP8 ":
        return _number(stream, 26, 2, "little") & 0x3FFF, _number(stream, 28, 2, "little") & 0x3FFF
    if kind == b"VP8L":
        bits = _number(stream, 21, 4, "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    return None


def _of_psd(stream: BinaryIO) -> Size:
    return _number(stream, 18, 4), _number(stream, 14, 4)


def _of_jp2(stream: BinaryIO) -> Size | None:
    for box in boxes_at(stream, "jp2h/ihdr"):
        return _number(stream, box.start + 4, 4), _number(stream, box.start, 4)
    for box in boxes_at(stream, "jp2c"):
        return _of_codestream(stream, box.start)
    return None


def _of_codestream(stream: BinaryIO, at: int = 0) -> Size:
    """Reference grid less its offset, of the SIZ segment that must come first."""
    width, height, left, top = (_number(stream, at + 8 + 4 * place, 4) for place in range(4))
    return max(0, width - left), max(0, height - top)


def _of_heif(stream: BinaryIO) -> Size | None:
    """The largest extents: tiles, thumbnails and depth maps are smaller, and damaged links prove nothing.

    Where there is but one picture its clean aperture, if it has one, is what decoders give.
    """
    properties = [
        box
        for meta in boxes_at(stream, "meta")
        for iprp in boxes_in(stream, meta.start + 4, meta.end)
        if iprp.type == b"iprp"
        for ipco in boxes_in(stream, iprp.start, iprp.end)
        if ipco.type == b"ipco"
        for box in boxes_in(stream, ipco.start, ipco.end)
    ]
    sizes = {
        (_number(stream, box.start + 4, 4), _number(stream, box.start + 8, 4))
        for box in properties
        if box.type == b"ispe"
    }
    for box in properties:
        parts = [_number(stream, box.start + at, 4) for at in (0, 4, 8, 12)]
        if box.type == b"clap" and len(sizes) == 1 and parts[1] and parts[3]:
            return parts[0] // parts[1], parts[2] // parts[3]
    return max(sizes, key=lambda size: size[0] * size[1], default=None)


# By their number in the header: the width as a share of the height.
_JXL_SHAPES: Final = {1: (1, 1), 2: (12, 10), 3: (4, 3), 4: (3, 2), 5: (16, 9), 6: (5, 4), 7: (2, 1)}
_JXL_LENGTHS: Final = (9, 13, 18, 30)


def _of_jxl(stream: BinaryIO) -> Size | None:
    """As stored: the header's own orientation may stand it on its side."""
    starts = [*(box.start for box in boxes_at(stream, "jxlc")), *(box.start + 4 for box in boxes_at(stream, "jxlp")), 0]
    stream.seek(starts[0])
    data = stream.read(16)
    if data[:2] != b"\xff\x0a":
        return None
    bits = int.from_bytes(data[2:], "little")

    def taken(count: int) -> int:
        nonlocal bits
        value, bits = bits & ((1 << count) - 1), bits >> count
        return value

    small = taken(1)

    def side() -> int:
        return (taken(5) + 1) * 8 if small else taken(_JXL_LENGTHS[taken(2)]) + 1

    height, shape = side(), taken(3)
    if shape == 0:
        return side(), height
    share, of = _JXL_SHAPES[shape]
    return height * share // of, height


SIZES: Final[dict[str, Callable[[BinaryIO], Size | None]]] = {
    "jpeg": _of_jpeg, "png": _of_png, "gif": _of_gif, "bmp": _of_bmp, "ico": _of_ico, "webp": _of_webp,
    "jp2": _of_jp2, "j2k": _of_codestream, "heif": _of_heif, "avif": _of_heif, "jxl": _of_jxl, "psd": _of_psd,
}  # fmt: skip


def _reads(original: Original) -> bool:
    return original.format in SIZES


EXTRACTOR = Extractor(name="header", version=2, reads=_reads, extract=extract)
