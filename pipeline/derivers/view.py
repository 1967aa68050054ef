"""The upright view of a photo, and its small poster.

Covered: the formats of `edges/pictures.py`. Not covered: JPEG XL, Photoshop, Sigma X3F, raw pictures without a preview.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Final

from pipeline.edges.cage import Limits
from pipeline.edges.pictures import draw_views
from pipeline.footage import kind_of
from pipeline.records import Known, MadeFile
from pipeline.stage import Context, Deriver

VIEW_PX: Final = 2048
POSTER_PX: Final = 320


def derive(source: Path, known: Known, scratch: Path, context: Context) -> Iterable[MadeFile]:
    """`view` and `poster`, JPEG, sRGB, upright; parameters say where only a preview or a part could be shown."""
    view, poster = scratch / "view.jpg", scratch / "poster.jpg"
    limits = Limits(wall_s=120, cpu_s=60, memory_bytes=context.settings.media.memory_mb << 20, nice=10)
    drawn = context.tools.call(
        draw_views, str(source), str(view), VIEW_PX, str(poster), POSTER_PX, known.value("picture.orientation"),
        limits=limits, reads=[source], writes=[scratch], still_wanted=context.still_wanted,
    )  # fmt: skip
    tool = f"Pillow {version('pillow')}, pi_heif {version('pi-heif')}"
    return [
        MadeFile(role="view", path=view, mime="image/jpeg", tool=tool, parameters={**drawn, "side_px": VIEW_PX}),
        MadeFile(role="poster", path=poster, mime="image/jpeg", tool=tool, parameters={"side_px": POSTER_PX}),
    ]


DERIVER = Deriver(
    name="view",
    version=1,
    roles=("view", "poster"),
    wants=lambda known: kind_of(known) == "photo",
    derive=derive,
)
