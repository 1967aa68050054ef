"""The poster of a video, and the small pictures shown while a reviewer moves along its time line.

Taken from the viewing copy made before, where there is one, for it is smaller and plays for certain. Over
KEY_FRAMES_FROM_S between two small pictures only key frames are decoded, so a picture may be older than its place by
the distance of the key frames (2 s in a copy that was transcoded).
Source: WebVTT (W3C), Media Fragments URI 1.0 (`#xywh=`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Final

import ffmpeg
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.derivers.proxy import VIDEO_NAME
from pipeline.edges.media import Items
from pipeline.errors import Unreadable
from pipeline.footage import is_decodable, kind_of, length_s, limits_for
from pipeline.records import Known, MadeFile
from pipeline.stage import Context, Deriver

POSTER_PX: Final = 640
TILE_WIDTH_PX, TILE_HEIGHT_PX = 160, 90
TILES_A_ROW, TILES_A_SHEET = 10, 100
TILES_MAX: Final = 1000
STEP_MIN_S, STEP_USUAL_MAX_S = 1.0, 10.0
KEY_FRAMES_FROM_S: Final = 4.0
# Of 0 to 255: darker or flatter pictures tell nothing.
DARK, FLAT = 24.0, 8.0

Pictures = NDArray[np.uint8]


def step_for(seconds: float | None) -> float:
    """Seconds between two small pictures: one sheet for short recordings, never more than TILES_MAX in all."""
    if seconds is None:
        return STEP_USUAL_MAX_S
    step_s = min(max(seconds / TILES_A_SHEET, STEP_MIN_S), STEP_USUAL_MAX_S)
    return max(step_s, seconds / TILES_MAX)


def derive(source: Path, known: Known, scratch: Path, context: Context) -> Iterable[MadeFile]:
    """`poster`, one or more `sprites` and their `sprites_map`. Raises Unreadable where no picture decodes."""
    proxy = scratch / VIDEO_NAME
    source, format_name = (proxy, "mp4") if proxy.is_file() else (source, known.original.format)
    step_s = step_for(length_s(known))
    tiles = _tiles(source, format_name, known, step_s, context)
    chosen = most_telling(tiles)
    poster = _poster(source, format_name, known, chosen * step_s, scratch, context)
    tool = f"{context.tools.version}, Pillow {version('pillow')}"
    made = [
        MadeFile(role="poster", path=poster, mime="image/jpeg", tool=tool, parameters={"at_s": chosen * step_s}),
    ]
    names = []
    for number, start in enumerate(range(0, len(tiles), TILES_A_SHEET), 1):
        sheet = scratch / f"sprites-{number}.jpg"
        Image.fromarray(laid_out(tiles[start : start + TILES_A_SHEET])).save(sheet, "JPEG", quality=70)
        about = {"name": sheet.name, "sheet": number, "step_s": step_s}
        made.append(MadeFile(role="sprites", path=sheet, mime="image/jpeg", tool=tool, parameters=about))
        names.append(sheet.name)
    written = scratch / "sprites.vtt"
    written.write_text(map_of(names, len(tiles), step_s), encoding="utf-8")
    about = {"step_s": step_s, "sheets": names, "tiles": len(tiles)}
    return [*made, MadeFile(role="sprites_map", path=written, mime="text/vtt", tool=tool, parameters=about)]


def _tiles(source: Path, format_name: str, known: Known, step_s: float, context: Context) -> Pictures:
    """One picture a step, shape (n, TILE_HEIGHT_PX, TILE_WIDTH_PX, 3); what does not fill the shape is black."""
    batches: list[Pictures] = []
    pictures = Items((TILE_HEIGHT_PX, TILE_WIDTH_PX, 3), np.uint8, 10, batches.append)
    sparse = {"skip_frame": "nokey"} if step_s >= KEY_FRAMES_FROM_S else {}
    fit = f"{TILE_WIDTH_PX}:{TILE_HEIGHT_PX}"
    output = ffmpeg.output(
        context.tools.input(source, format_name, threads=1, **sparse)["V:0"],
        "pipe:3",
        vf=f"fps=1/{step_s}:start_time=0:round=up,scale={fit}:force_original_aspect_ratio=decrease:flags=area,"
        f"setsar=1,pad={fit}:-1:-1,format=rgb24",
        f="rawvideo",
        **{"frames:v": TILES_MAX},
    )
    ended = context.tools.run(
        output, limits=limits_for(known, context.settings), still_wanted=context.still_wanted, pipes={3: pictures}
    )
    if pictures.end() == 0 or ended.code != 0 or ended.why:
        raise Unreadable("No picture of the video can be decoded", code=ended.code, stderr=ended.stderr[-500:])
    return np.concatenate(batches)


def most_telling(tiles: Pictures) -> int:
    """The number of the sharpest picture that is neither dark nor flat; of the brightest, where all are.

    Sharpness is the mean square of the Laplacian over the grey picture, later pictures winning only by a tenth.
    """
    grey = tiles.astype(np.float32).mean(axis=3)
    level, spread = grey.mean(axis=(1, 2)), grey.std(axis=(1, 2))
    inner = grey[:, 1:-1, 1:-1]
    around = grey[:, :-2, 1:-1] + grey[:, 2:, 1:-1] + grey[:, 1:-1, :-2] + grey[:, 1:-1, 2:]
    sharpness = ((4 * inner - around) ** 2).mean(axis=(1, 2))
    usable = (level > DARK) & (spread > FLAT)
    if not usable.any():
        return int(level.argmax())
    best = sharpness[usable].max()
    return int(np.flatnonzero(usable & (sharpness >= best / 1.1))[0])


def _poster(source: Path, format_name: str, known: Known, at_s: float, scratch: Path, context: Context) -> Path:
    """The picture shown at this moment as JPEG, or the first one where nothing is shown so late."""
    poster = scratch / "poster.jpg"
    for options in ({"ss": at_s}, {}):
        output = ffmpeg.output(
            context.tools.input(source, format_name, threads=1, **options)["V:0"],
            f"file:{poster}",
            vf=f"scale=w='min(iw*sar,{POSTER_PX})':h=-1:flags=area,"
            f"scale=w='min(iw,{POSTER_PX})':h='min(ih,{POSTER_PX})':force_original_aspect_ratio=decrease,setsar=1",
            f="image2",
            update=1,
            pix_fmt="yuvj420p",
            **{"c:v": "mjpeg", "frames:v": 1, "q:v": 3},
        )
        context.tools.run(output, limits=limits_for(known, context.settings), still_wanted=context.still_wanted)
        if poster.is_file() and poster.stat().st_size:
            return poster
    raise Unreadable("No picture of the video can be kept as a poster")


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


def wants(known: Known) -> bool:
    """Whether it is a video, also one whose streams could not be read before."""
    return is_decodable(known) and kind_of(known) == "video"


DERIVER = Deriver(name="pictures", version=1, roles=("poster", "sprites", "sprites_map"), wants=wants, derive=derive)
