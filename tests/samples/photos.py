"""Still pictures that no usual library writes: HEIF with its turning boxes, TIFF of any sample, by their standards.

Sources: ISO/IEC 23008-12 and 14496-12 (boxes), ISO/IEC 14496-15, 8.3.3 (hvcC), TIFF 6.0.
"""

from __future__ import annotations

import re
import struct
import subprocess
from collections.abc import Sequence
from pathlib import Path

import imageio_ffmpeg
import numpy as np
from numpy.typing import NDArray
from PIL import Image

VPS, SPS, PPS = 32, 33, 34
SRGB_NCLX = (1, 13, 1)


def tiff(
    path: Path, samples: NDArray[np.generic], *, photometric: int, sample_format: int = 1, order: str = "<",
    tags: Sequence[tuple[int, list[int]]] = (),
) -> Path:  # fmt: skip
    """An uncompressed TIFF of one strip. samples: shape (height, width) or (height, width, n)."""
    height, width = samples.shape[:2]
    per_pixel = 1 if samples.ndim == 2 else samples.shape[2]
    data = samples.astype(samples.dtype.newbyteorder("<" if order == "<" else ">")).tobytes()
    rows = dict(tags) | {
        256: [width], 257: [height], 258: [samples.dtype.itemsize * 8] * per_pixel, 259: [1], 262: [photometric],
        273: [0], 277: [per_pixel], 278: [height], 279: [len(data)], 339: [sample_format] * per_pixel,
    }  # fmt: skip
    place = 8 + 2 + 12 * len(rows) + 4
    rows[273] = [place + sum(2 * len(values) for values in rows.values() if len(values) > 2)]
    directory, behind = b"", b""
    for tag, values in sorted(rows.items()):
        if len(values) > 2:
            directory += struct.pack(order + "HHII", tag, 3, len(values), place + len(behind))
            behind += struct.pack(f"{order}{len(values)}H", *values)
        elif len(values) == 2:
            directory += struct.pack(order + "HHIHH", tag, 3, 2, *values)
        else:
            directory += struct.pack(order + "HHII", tag, 4, 1, values[0])
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "IH", 8, len(rows))
    path.write_bytes(head + directory + bytes(4) + behind + data)
    return path


def heif(
    path: Path, picture: Image.Image, *, turns: int = 0, mirror: int | None = None, exif: bytes = b"",
    nclx: tuple[int, int, int] = SRGB_NCLX,
) -> Path:  # fmt: skip
    """A HEIC of one H.265 picture, its numbers kept as they are.

    turns: quarter turns against the clock (irot). mirror: 0 exchanges top and bottom, 1 left and right (imir).
    exif: a block that begins with a TIFF header. nclx: primaries, transfer and matrix of H.273, full range.
    """
    units = _coded(picture, matrix=nclx[2])
    coded = b"".join(struct.pack(">I", len(unit)) + unit for unit in units if unit[0] >> 1 & 0x3F < VPS)
    properties = [
        (_hvcc(units), True),
        (_box("ispe", struct.pack(">III", 0, *picture.size)), False),
        (_box("colr", b"nclx" + struct.pack(">HHHB", *nclx, 0x80)), False),
    ]
    if turns:
        properties.append((_box("irot", bytes([turns])), True))
    if mirror is not None:
        properties.append((_box("imir", bytes([mirror])), True))
    items = [coded, *([struct.pack(">I", 0) + exif] if exif else [])]
    front = _box("ftyp", b"heic\0\0\0\0mif1heic")
    place = len(front) + len(_meta(items, properties, 0)) + 8
    path.write_bytes(front + _meta(items, properties, place) + _box("mdat", b"".join(items)))
    return path


def _coded(picture: Image.Image, matrix: int) -> list[bytes]:
    """The units of one H.265 picture without start codes."""
    width, height = picture.size
    names = {1: "bt709", 9: "bt2020"}
    command = [
        imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s",
        f"{width}x{height}", "-i", "-", "-vf", f"scale=out_color_matrix={names[matrix]}:out_range=full,format=yuv444p",
        "-c:v", "libx265", "-x265-params", "log-level=none:range=full:qp=4", "-frames:v", "1", "-f", "hevc", "-",
    ]  # fmt: skip
    done = subprocess.run(command, input=picture.convert("RGB").tobytes(), capture_output=True, check=True)
    return [unit for unit in re.split(rb"\x00*\x00\x00\x01", done.stdout) if unit]


def _hvcc(units: Sequence[bytes]) -> bytes:
    sets = {kind: next(unit for unit in units if unit[0] >> 1 & 0x3F == kind) for kind in (VPS, SPS, PPS)}
    tier_and_level = sets[SPS].replace(b"\0\0\x03", b"\0\0")[3:15]
    fixed = struct.pack(">HBBBBHB", 0xF000, 0xFC, 0xFC | 3, 0xF8, 0xF8, 0, 0x0F)
    arrays = b"".join(struct.pack(">BHH", 0x80 | kind, 1, len(unit)) + unit for kind, unit in sets.items())
    return _box("hvcC", b"\x01" + tier_and_level + fixed + bytes([len(sets)]) + arrays)


def _meta(items: Sequence[bytes], properties: Sequence[tuple[bytes, bool]], place: int) -> bytes:
    kinds = (b"hvc1", b"Exif")
    infos = [
        _box("infe", struct.pack(">IHH", 0x02000000, number, 0) + kind + b"\0")
        for number, (_, kind) in enumerate(zip(items, kinds, strict=False), 1)
    ]
    locations = b""
    for number, item in enumerate(items, 1):
        locations += struct.pack(">HHHII", number, 0, 1, place, len(item))
        place += len(item)
    links = b"".join(bytes([number | (0x80 if needed else 0)]) for number, (_, needed) in enumerate(properties, 1))
    parts = [
        _box("hdlr", struct.pack(">II", 0, 0) + b"pict" + bytes(13)),
        _box("pitm", struct.pack(">IH", 0, 1)),
        _box("iloc", struct.pack(">IBBH", 0, 0x44, 0, len(items)) + locations),
        _box("iinf", struct.pack(">IH", 0, len(items)) + b"".join(infos)),
        *([_box("iref", struct.pack(">I", 0) + _box("cdsc", struct.pack(">HHH", 2, 1, 1)))] if len(items) > 1 else []),
        _box(
            "iprp",
            _box("ipco", b"".join(box for box, _ in properties))
            + _box("ipma", struct.pack(">IIHB", 0, 1, 1, len(properties)) + links),
        ),
    ]
    return _box("meta", bytes(4) + b"".join(parts))


def _box(name: str, content: bytes) -> bytes:
    return struct.pack(">I", 8 + len(content)) + name.encode() + content
