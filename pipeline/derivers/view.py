"""The upright view of a photo, and its small poster.

Covered: the formats of `edges/caged/pictures.py`, and JPEG XL where this ffmpeg decodes it. Not covered: raw pictures
without a preview, Photoshop pictures without their flattened copy; a sentence says what to do.
"""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Final

import ffmpeg

from pipeline.edges.caged.pictures import draw_views
from pipeline.errors import Unreadable
from pipeline.footage import kind_of, limits_for_picture
from pipeline.records import Facts, Known, MadeFile
from pipeline.stage import Context, Deriver

VIEW_PX: Final = 2048
POSTER_PX: Final = 320


RAW: Final = ("cr2", "cr3", "crw", "nef", "arw", "dng", "pef", "srw", "rw2", "orf", "raf", "x3f", "mrw")
# Format -> what the reader of the caveat can do, in English and Chinese.
REMEDIES: Final = {
    **dict.fromkeys(
        RAW,
        (
            "The camera put no preview into this raw picture; export it and open it with the camera maker's program",
            "该原始格式（RAW）照片中没有相机预览图，请导出后用相机厂商的软件打开",
        ),
    ),
    "jxl": (
        "This ffmpeg does not decode the JPEG XL picture; set media.ffmpeg to one with libjxl and make it again",
        "当前 ffmpeg 无法解码该 JPEG XL 图片，请将 media.ffmpeg 设为带 libjxl 的版本后重新生成",
    ),
    "psd": (
        "The Photoshop picture holds no flattened copy that can be shown; export it and open it with Photoshop",
        "该 Photoshop 文件中没有可显示的合并图像，请导出后用 Photoshop 打开",
    ),
}


def derive(source: Path, known: Known, scratch: Path, context: Context) -> Facts:
    """`view` and `poster`, JPEG, sRGB, upright; parameters say where only a preview or a part could be shown."""
    try:
        shown = _as_png(source, known, scratch, context) if known.original.format == "jxl" else source
        return Facts(made=tuple(_drawn(shown, known, scratch, context)))
    except Unreadable as error:
        if known.original.format not in REMEDIES:
            raise
        sentence, zh = REMEDIES[known.original.format]
        raise Unreadable(sentence, zh=zh) from error


def _as_png(source: Path, known: Known, scratch: Path, context: Context) -> Path:
    drawn = scratch / "drawn.png"
    output = ffmpeg.output(
        context.tools.input(source, known.original.format, threads=1)["V:0"], f"file:{drawn}", f="image2", update=1,
        **{"c:v": "png", "frames:v": 1},
    )  # fmt: skip
    context.tools.run(output, limits=limits_for_picture(context.settings), still_wanted=context.still_wanted)
    if not drawn.is_file():
        raise Unreadable("ffmpeg draws nothing of it", zh="ffmpeg 无法绘出画面")
    return drawn


def _drawn(shown: Path, known: Known, scratch: Path, context: Context) -> list[MadeFile]:
    view, poster = scratch / "view.jpg", scratch / "poster.jpg"
    drawn = context.tools.call(
        draw_views, str(shown), str(view), VIEW_PX, str(poster), POSTER_PX, known.value("picture.orientation"),
        limits=limits_for_picture(context.settings), reads=[shown], writes=[scratch], still_wanted=context.still_wanted,
    )  # fmt: skip
    tool = f"Pillow {version('pillow')}, pi_heif {version('pi-heif')}"
    if known.original.format == "jxl":
        tool = f"{context.tools.version}, {tool}"
    return [
        MadeFile(role="view", path=view, mime="image/jpeg", tool=tool, parameters={**drawn, "side_px": VIEW_PX}),
        MadeFile(role="poster", path=poster, mime="image/jpeg", tool=tool, parameters={"side_px": POSTER_PX}),
    ]


DERIVER = Deriver(
    name="view",
    version=3,
    roles=("view", "poster"),
    wants=lambda known: kind_of(known) == "photo",
    derive=derive,
)
