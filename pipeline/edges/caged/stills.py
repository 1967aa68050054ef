"""A still picture by FFmpeg's libraries, where Pillow refuses it: they run in the cage, as all that reads pictures.

They bear texts of megabytes in a PNG, and a BMP whose run lengths end early or whose colours are told in odd ways.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any, Final

from pipeline.custody.sniff import sniff
from pipeline.edges.caged.reading import ends_of
from pipeline.edges.tools import DECODERS, DEMUXERS, bounds

# What Pillow and libheif raise for damaged pictures, found by feeding them damaged ones.
FAULTS: Final = (
    OSError, ValueError, SyntaxError, TypeError, KeyError, IndexError, EOFError, RuntimeError, AttributeError,
    OverflowError, ZeroDivisionError, NotImplementedError, struct.error,
)  # fmt: skip
# Not TIFF: camera raw, which is TIFF too, would come out as what its bare sensor saw. Nor GIF: one that is cut short is
# whole to them.
FORMATS: Final = ("png", "bmp", "jpeg", "webp")


def decoded(source: Path) -> Any | None:
    """The file's first picture as Pillow's, where all of it decodes without a fault, else None."""
    import av
    from PIL import Image

    name = sniff(*ends_of(str(source)), "").format
    if name not in FORMATS:
        return None
    told = {key: str(value) for key, value in bounds(DEMUXERS[name]).items() if key != "f"}
    try:
        with av.open(source, format=DEMUXERS[name], options=told) as container:
            stream = container.streams.video[0]
            stream.codec_context.options = {
                "codec_whitelist": ",".join(DECODERS), "max_pixels": told["max_pixels"], "err_detect": "explode",
            }  # fmt: skip
            frame = next(container.decode(stream), None)
            if frame is None or frame.is_corrupt:
                return None
            picture = Image.fromarray(frame.to_ndarray(format="rgba"), "RGBA")
    except (av.FFmpegError, OSError, ValueError, IndexError):
        return None
    picture.format = name.upper()
    return picture
