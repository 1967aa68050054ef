"""The poster of a video, and the small pictures shown while a reviewer moves along its time line.

Source: WebVTT (W3C), Media Fragments URI 1.0 (`#xywh=`).
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.edges.caged.graphs import usual_light
from pipeline.edges.caged.media import Branch, Decoded, Sink, colours
from pipeline.errors import Unreadable
from pipeline.footage import has_pictures, length_s, shown_sides, within
from pipeline.records import Facts, Known, MadeFile
from pipeline.stage import Context, Deriver, Listener, Trial

POSTER_PX: Final = 640
TILE_WIDTH_PX, TILE_HEIGHT_PX = 160, 90
TILES_A_ROW, TILES_A_SHEET = 10, 100
TILES_MAX: Final = 1000
STEP_MIN_S, STEP_USUAL_MAX_S = 1.0, 10.0
# Of 0 to 255: darker or flatter pictures tell nothing.
DARK, FLAT = 24.0, 8.0
SHARPER: Final = 1.1

Pictures = NDArray[np.uint8]


def step_for(seconds: float | None) -> float:
    """Seconds between two small pictures: one sheet for short recordings, never more than TILES_MAX in all."""
    if seconds is None:
        return STEP_USUAL_MAX_S
    step_s = min(max(seconds / TILES_A_SHEET, STEP_MIN_S), STEP_USUAL_MAX_S)
    return max(step_s, seconds / TILES_MAX)


class _Shown(Listener):
    """Listens to one picture a step; keeps small ones of all, and of those that may be the poster the whole."""

    def __init__(self, known: Known, scratch: Path, context: Context) -> None:
        self._scratch, self._context = scratch, context
        self._step_s = step_for(length_s(known))
        sides = shown_sides(known)
        width_px, height_px = within(sides, POSTER_PX) if sides else (POSTER_PX, POSTER_PX * 9 // 16)
        light = usual_light(known.value("video.transfer"), context.tools.filters)
        self._branch = colours(
            step_s=self._step_s, width_px=width_px, height_px=height_px, count_max=TILES_MAX, light=light,
            fit=sides is None,
        )  # fmt: skip
        self._tiles: list[Pictures] = []
        self._poster = Telling()

    def heard(self) -> Sequence[tuple[Branch, Sink]]:
        return [(self._branch, self._add)]

    def _add(self, pictures: Pictures) -> None:
        for picture in pictures:
            tile = tile_of(picture)
            self._poster.add(tile, picture)
            self._tiles.append(tile)

    def end(self, decoded: Decoded) -> Facts:
        """`poster`, one or more `sprites` and their `sprites_map`. Raises Unreadable where no picture decoded."""
        decoded.require(self._branch, "pictures")
        step_s, tiles = self._step_s, np.stack(self._tiles)
        tool = f"{self._context.tools.version}, Pillow {version('pillow')}"
        number, picture = self._poster.chosen()
        poster = self._scratch / "poster.jpg"
        Image.fromarray(picture).save(poster, "JPEG", quality=85)
        made = [
            MadeFile(
                role="poster", path=poster, mime="image/jpeg", tool=tool, parameters={"at_s": round(number * step_s, 3)}
            )
        ]
        names = []
        for sheet_number, start in enumerate(range(0, len(tiles), TILES_A_SHEET), 1):
            sheet = self._scratch / f"sprites-{sheet_number}.jpg"
            Image.fromarray(laid_out(tiles[start : start + TILES_A_SHEET])).save(sheet, "JPEG", quality=70)
            about = {"name": sheet.name, "sheet": sheet_number, "step_s": step_s}
            made.append(MadeFile(role="sprites", path=sheet, mime="image/jpeg", tool=tool, parameters=about))
            names.append(sheet.name)
        written = self._scratch / "sprites.vtt"
        written.write_text(map_of(names, len(tiles), step_s), encoding="utf-8")
        about = {"step_s": step_s, "sheets": names, "tiles": len(tiles)}
        made.append(MadeFile(role="sprites_map", path=written, mime="text/vtt", tool=tool, parameters=about))
        return Facts(made=tuple(made))


def listen(known: Known, scratch: Path, context: Context, trial: Trial) -> Listener:  # noqa: ARG001  # a deriver's
    """Listens for `poster`, `sprites` and `sprites_map`."""
    return _Shown(known, scratch, context)


def tile_of(picture: Pictures) -> Pictures:
    """The picture small, shape (TILE_HEIGHT_PX, TILE_WIDTH_PX, 3); what does not fill the shape is black."""
    height, width = picture.shape[:2]
    share = min(TILE_WIDTH_PX / width, TILE_HEIGHT_PX / height)
    sides = max(1, round(width * share)), max(1, round(height * share))
    small = np.asarray(Image.fromarray(picture).resize(sides, Image.Resampling.BOX))
    tile: Pictures = np.zeros((TILE_HEIGHT_PX, TILE_WIDTH_PX, 3), np.uint8)
    top, left = (TILE_HEIGHT_PX - sides[1]) // 2, (TILE_WIDTH_PX - sides[0]) // 2
    tile[top : top + sides[1], left : left + sides[0]] = small
    return tile


class Telling:
    """The first picture that is nearly as sharp as the sharpest, neither dark nor flat; the brightest, where all are.

    Sharpness is the mean square of the Laplacian over the grey picture, later pictures winning only by a tenth.
    """

    def __init__(self) -> None:
        self._count = 0
        self._brightest: tuple[float, int, Pictures] | None = None
        # Each sharper than all before it, so that few are kept.
        self._sharp: list[tuple[float, int, Pictures]] = []

    def add(self, tile: Pictures, picture: Pictures) -> None:
        """The next picture, and the same small."""
        grey = tile.astype(np.float32).mean(axis=2)
        level, number = float(grey.mean()), self._count
        self._count += 1
        if self._brightest is None or level > self._brightest[0]:
            self._brightest = (level, number, picture.copy())
        if level <= DARK or float(grey.std()) <= FLAT:
            return
        around = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:]
        sharpness = float(((4 * grey[1:-1, 1:-1] - around) ** 2).mean())
        if not self._sharp or sharpness > self._sharp[-1][0]:
            kept = [one for one in self._sharp if one[0] >= sharpness / SHARPER]
            self._sharp = [*kept, (sharpness, number, picture.copy())]

    def chosen(self) -> tuple[int, Pictures]:
        """Its number and the picture. Raises Unreadable where none came."""
        if self._brightest is None:
            raise Unreadable("No picture of the video can be decoded", zh="视频中没有可解码的画面")
        return (self._sharp[0] if self._sharp else self._brightest)[1:]


def laid_out(tiles: Pictures) -> Pictures:
    """One sheet with the pictures in rows of TILES_A_ROW; a last row that is not full ends in black."""
    columns = min(len(tiles), TILES_A_ROW)
    rows = -(-len(tiles) // columns)
    sheet: Pictures = np.zeros((rows * TILE_HEIGHT_PX, columns * TILE_WIDTH_PX, 3), np.uint8)
    for number, tile in enumerate(tiles):
        top, left = (number // columns) * TILE_HEIGHT_PX, (number % columns) * TILE_WIDTH_PX
        sheet[top : top + TILE_HEIGHT_PX, left : left + TILE_WIDTH_PX] = tile
    return sheet


def map_of(sheets: Sequence[str], count: int, step_s: float) -> str:
    """The WebVTT text that says which part of which sheet shows which seconds."""
    cues = ["WEBVTT"]
    for number in range(count):
        inside = number % TILES_A_SHEET
        left, top = inside % TILES_A_ROW * TILE_WIDTH_PX, inside // TILES_A_ROW * TILE_HEIGHT_PX
        place = f"{sheets[number // TILES_A_SHEET]}#xywh={left},{top},{TILE_WIDTH_PX},{TILE_HEIGHT_PX}"
        cues.append(f"{_clock(number * step_s)} --> {_clock((number + 1) * step_s)}\n{place}")
    return "\n\n".join(cues) + "\n"


def _clock(seconds: float) -> str:
    whole, milliseconds = divmod(round(seconds * 1000), 1000)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}.{milliseconds:03d}"


DERIVER = Deriver(
    name="pictures", version=3, roles=("poster", "sprites", "sprites_map"), wants=has_pictures, listen=listen
)
