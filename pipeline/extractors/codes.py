"""Our codes in a photo: a case slate, or a clock card at one moment.

Read in the picture as it is stored, no larger than needed. Not covered: HEIC, camera raw, JPEG XL; the second and
further pictures of a file.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any, Final

from PIL import Image

from pipeline import codes
from pipeline.edges.caged.codes import read_photo
from pipeline.edges.caged.reading import Row, answer
from pipeline.records import Original
from pipeline.stage import Extractor

FORMATS: Final = ("jpeg", "png", "webp", "bmp")
PIXELS_MAX: Final = 210_000_000


def extract(path: str) -> dict[str, Any]:
    """`codes.slates` and `codes.clock`, where there are any; a picture that does not decode has none."""
    Image.MAX_IMAGE_PIXELS = PIXELS_MAX
    warnings.simplefilter("ignore")
    try:
        texts = read_photo(path)
    except Exception:  # the picture's own reader says what is wrong with it
        return answer([])
    return answer(_rows([code for text in texts if (code := codes.read(text))]))


def _rows(found: list[codes.Code]) -> Iterator[Row]:
    slates = [one.text for one in found if one.case]
    if slates:
        yield codes.SLATES_PROPERTY, "; ".join(slates), {"seen": [[0.0, 0.0, text] for text in slates]}
    clocks = [one.text for one in found if one.at]
    if clocks:
        yield codes.CLOCK_PROPERTY, clocks[0], {"unit": [1, 1], "readings": [[0, 0.0, text] for text in clocks]}


def _reads(original: Original) -> bool:
    return original.kind == "photo" and original.format in FORMATS


EXTRACTOR = Extractor(name="codes", version=1, reads=_reads, extract=extract)
