"""The strip that says of a viewing copy that it is one, as a picture to be laid over it.

No font is needed on the machine: the few letters are strokes drawn for this program, on a grid of 16 by 16, and as free
as it is.
"""

from __future__ import annotations

import io
from typing import Final

from PIL import Image, ImageDraw

TEXT: Final = "代理副本 非原件 / proxy, not the original"
GRID: Final = 16.0
GAP: Final = 1.2
MARGIN: Final = 4.0
STROKE: Final = 1.35
# Drawn this many times larger and made small again, so that slanting strokes are smooth.
FINER: Final = 4
BEHIND, LETTERS = (0, 0, 0, 150), (255, 255, 255, 255)

# Letter -> how wide it is, and its strokes: corners as x,y, from the upper left.
STROKES: Final[dict[str, tuple[float, str]]] = {
    "代": (16, "4.5,1 1,7|3,5 3,15|6,6.3 15,5.3|9.5,1 9.8,6 11,11 13,14.4 14.6,14.6 15.2,12|12.6,1.3 14.4,3.3"),
    "理": (16, "1,3 6,3|1,8 6,8|.8,13.4 6.3,12.6|3.5,3 3.5,13|8,2 15,2 15,8.5 8,8.5 8,2|8,5.2 15,5.2|11.5,2 11.5,14.3|"
               "8,11.3 15,11.3|7,14.4 15.6,14.4"),
    "副": (16, "1,1.8 9,1.8|2.5,3.8 7.5,3.8 7.5,7 2.5,7 2.5,3.8|1.5,9 8.5,9 8.5,15 1.5,15 1.5,9|5,9 5,15|1.5,12 8.5,12|"
               "11.3,3 11.3,11|14.8,1 14.8,15 13,14.3"),
    "本": (16, "1,4.5 15,4.5|8,1 8,15.5|7.8,4.7 5.5,8.5 1,12.6|8.2,4.7 10.5,8.5 15,12.6|5,11.8 11,11.8"),
    "非": (16, "6,1.5 6,10 5.2,13 3,15.3|10,1.5 10,15.3|1.5,4 6,4|1.5,7.3 6,7.3|1,11 6,10.4|10,4 14.7,4|"
               "10,7.3 14.7,7.3|10,10.8 15.2,10.8"),
    "原": (16, "2,2 15,2|2.5,2 2.5,8 1,15|9.3,2.6 8.3,4.8|5.5,4.8 13,4.8 13,10 5.5,10 5.5,4.8|5.5,7.4 13,7.4|"
               "9.2,10 9.2,15 7.8,14.3|6.5,11.5 4.3,14.3|11.8,11.5 14.5,14.3"),
    "件": (16, "4.5,1 1,7|3,5 3,15|8,2 6,6.5|7.2,4.7 14.5,4.7|5.8,9.3 15.5,9.3|10.8,1 10.8,15.5"),
    "/": (6, "1,14 5,2.5"),
    ",": (3, "1.5,11.8 1.5,12.8 .8,14.5"),
    "a": (6, "1.4,7 2.6,6 4,6 5,7.2 5,12.5|5,9 2.5,9.2 1.2,10.3 1.2,11.4 2.4,12.5 3.6,12.5 5,11"),
    "e": (6.3, "1.2,9.2 5.2,9.2 5.2,7.6 3.8,6 2.6,6 1.2,7.6 1.2,11 2.7,12.5 4,12.5 5.2,11.5"),
    "g": (6, "5,6 5,14 3.8,15.5 2.2,15.5 1,14.6|5,7.5 3.8,6 2.5,6 1.2,7.5 1.2,11 2.5,12.5 3.8,12.5 5,11"),
    "h": (6, "1,2.5 1,12.5|1,7.8 2.4,6.1 4,6.1 5,7.5 5,12.5"),
    "i": (2.5, "1.2,6 1.2,12.5|1.2,3.2 1.2,3.9"),
    "l": (2.5, "1.2,2.5 1.2,12.5"),
    "n": (6, "1,6 1,12.5|1,7.8 2.4,6.1 4,6.1 5,7.5 5,12.5"),
    "o": (6.4, "3.2,6 5.2,7.5 5.2,11 3.2,12.5 1.2,11 1.2,7.5 3.2,6"),
    "p": (6.3, "1,6 1,15.5|1,7.5 2.5,6 4,6 5.2,7.5 5.2,11 4,12.5 2.5,12.5 1,11"),
    "r": (4.5, "1,6 1,12.5|1,8 2.2,6.3 4,6"),
    "t": (4.5, "2,3 2,11.5 3,12.5 4.2,12.4|.5,6 4,6"),
    "x": (6, "1,6 5,12.5|5,6 1,12.5"),
    "y": (6, "1,6 3,12.2|5,6 3,12.2 2.2,15 1,15.5"),
    " ": (4, ""),
}  # fmt: skip


def strip_png(width_px: int, height_px: int) -> bytes:
    """The strip for a picture of these sides, as PNG: letters a twenty-eighth as high as it, never wider than it."""
    units = sum(STROKES[letter][0] + GAP for letter in TEXT) + 2 * MARGIN
    scale = min(max(12.0, height_px / 28) / GRID, width_px / units)
    sides = max(2, int(units * scale)), max(2, int((GRID + MARGIN) * scale))
    large = Image.new("L", (sides[0] * FINER, sides[1] * FINER))
    draw, at = ImageDraw.Draw(large), MARGIN
    for letter in TEXT:
        width, strokes = STROKES[letter]
        for stroke in filter(None, strokes.split("|")):
            _draw(draw, stroke, at, scale * FINER)
        at += width + GAP
    letters = large.resize(sides, Image.Resampling.BOX)
    strip = Image.new("RGBA", sides, BEHIND)
    strip.paste(LETTERS, (0, 0), letters)
    data = io.BytesIO()
    strip.save(data, "PNG")
    return data.getvalue()


def _draw(draw: ImageDraw.ImageDraw, stroke: str, left: float, scale: float) -> None:
    corners = [tuple(float(one) for one in corner.split(",")) for corner in stroke.split()]
    points = [((left + x) * scale, (MARGIN / 2 + y) * scale) for x, y in corners]
    thick = max(1.0, STROKE * scale)
    draw.line(points, fill=255, width=round(thick), joint="curve")
    for x, y in (points[0], points[-1]):
        draw.ellipse((x - thick / 2, y - thick / 2, x + thick / 2, y + thick / 2), fill=255)
