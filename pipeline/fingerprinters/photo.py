"""Marks of a photo: the same bits as a frame of video, so that a photo is found in videos too."""

from __future__ import annotations

import base64
from pathlib import Path

import numpy as np

from pipeline.edges.caged.pictures import grey_square
from pipeline.footage import kind_of, limits_for_picture
from pipeline.marks import pictures
from pipeline.records import Fingerprint, Known
from pipeline.stage import Context, Fingerprinter


def fingerprint(source: Path, known: Known, context: Context) -> Fingerprint:
    """The marks of the upright picture; none where it is blank or drawn, for those all look alike."""
    pixels = context.tools.call(
        grey_square, str(source), pictures.SIDE_PX, known.value("picture.orientation"),
        limits=limits_for_picture(context.settings), reads=[source], still_wanted=context.still_wanted,
    )  # fmt: skip
    marker = pictures.Marker(step_s=0.0)
    marker.add(np.frombuffer(base64.b64decode(pixels), np.uint8).reshape(1, pictures.SIDE_PX, pictures.SIDE_PX))
    return Fingerprint(method="photo", version=pictures.VERSION, data=pictures.packed(marker.marks()))


FINGERPRINTER = Fingerprinter(
    name="photo", version=pictures.VERSION, wants=lambda known: kind_of(known) == "photo", fingerprint=fingerprint
)
