"""Marks of a video's pictures, two a second: enough to place a clip within a quarter of a second."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from pipeline.edges.media import grey_frames
from pipeline.footage import is_decodable, kind_of, limits_for
from pipeline.marks import pictures
from pipeline.records import Fingerprint, Known
from pipeline.stage import Context, Fingerprinter

FPS: Final = 2.0


def fingerprint(source: Path, known: Known, context: Context) -> Fingerprint | None:
    """The marks; None where every picture is blank or drawn. Raises Unreadable where no picture decodes."""
    marker = pictures.Marker(step_s=1 / FPS)
    grey_frames(
        context.tools, source, known.original.format, marker.add, fps=FPS, side_px=pictures.SIDE_PX,
        limits=limits_for(known, context.settings), still_wanted=context.still_wanted,
    )  # fmt: skip
    marks = marker.marks()
    return Fingerprint(method="video", version=pictures.VERSION, data=pictures.packed(marks)) if len(marks) else None


def wants(known: Known) -> bool:
    """Whether it is a video that ffmpeg may be given."""
    return is_decodable(known) and kind_of(known) == "video"


FINGERPRINTER = Fingerprinter(name="video", version=pictures.VERSION, wants=wants, fingerprint=fingerprint)
