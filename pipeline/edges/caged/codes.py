"""Reads codes in pictures, by zxing-cpp. Run in the cage, for pixels are as hostile as what they came from.

Only QR codes are sought, and of those only texts that begin as ours do are told.
Source: ISO/IEC 18004.
"""

from __future__ import annotations

import itertools
from fractions import Fraction
from typing import Any, Final

import numpy as np

from pipeline.codes import HEAD, TEXT_MAX
from pipeline.edges.tools import DECODERS

# A close look reads the picture as large as this; more pixels make no code easier to read.
SIDE_PX: Final = 1920
PICTURES_MAX: Final = 1200


def texts_in(picture: Any) -> list[str]:
    """Texts of our codes in a grey picture (height, width), each once."""
    import zxingcpp

    qr = zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode)

    # Ours are dark on light; a QR code is found whichever way it is turned.
    found = zxingcpp.read_barcodes(
        picture, formats=qr, text_mode=zxingcpp.TextMode.Plain, try_rotate=False, try_invert=False
    )
    return list(dict.fromkeys(one.text for one in found if one.text.startswith(HEAD) and len(one.text) <= TEXT_MAX))


def read_pictures(path: str, width_px: int, height_px: int) -> list[list[Any]]:
    """[number of the picture, text] of each code in these grey pictures, which lie one behind the other in the file."""
    pictures = np.fromfile(path, np.uint8).reshape(-1, height_px, width_px)
    return [[number, text] for number, picture in enumerate(pictures) for text in texts_in(picture)]


def read_photo(path: str) -> list[str]:
    """Texts of the codes in a still picture. Raises OSError, ValueError and the like where Pillow cannot read it."""
    from PIL import Image

    with Image.open(path) as photo:
        photo.draft("L", (SIDE_PX, SIDE_PX))
        grey = photo.convert("L")
    grey.thumbnail((SIDE_PX, SIDE_PX))
    return texts_in(np.asarray(grey))


def read_closely(path: str, demuxer: str, spans: list[list[float]]) -> dict[str, Any]:
    """{"unit": of the time stamps, "readings": [[time stamp, seconds after the beginning, text], ...]}: every picture
    of these stretches is read, at most PICTURES_MAX of them.

    spans: [from, to] in seconds after the beginning. Raises FFmpegError where nothing can be opened.
    """
    import av

    from pipeline.edges.caged.media import told

    readings: list[list[Any]] = []
    with av.open(path, format=demuxer, options=told(demuxer)) as container:
        shown = [one for one in container.streams.video if not one.disposition & av.stream.Disposition.attached_pic]
        stream = shown[0]
        stream.codec_context.options = {"codec_whitelist": ",".join(DECODERS)}
        unit, begins_s = stream.time_base or Fraction(1, 90_000), (container.start_time or 0) / av.time_base
        left = itertools.count(PICTURES_MAX, -1)
        for from_s, to_s in spans:
            container.seek(int((begins_s + from_s) / unit), stream=stream, backward=True)
            for frame in container.decode(stream):
                at_s = -1.0 if frame.pts is None else float(frame.pts * unit) - begins_s
                if at_s < from_s:
                    continue
                if at_s > to_s or not next(left):
                    break
                readings += [[frame.pts, round(at_s, 6), text] for text in texts_in(_grey(frame))]
    return {"unit": list(unit.as_integer_ratio()), "readings": readings}


def _grey(frame: Any) -> Any:
    share = min(1.0, SIDE_PX / max(frame.width, frame.height))
    sides = {"width": round(frame.width * share), "height": round(frame.height * share)} if share < 1 else {}
    return frame.reformat(format="gray", **sides).to_ndarray()
