from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from pipeline.edges.caged.strip import STROKES, TEXT, strip_png


@pytest.mark.parametrize("sides", [(1280, 720), (640, 360), (320, 180), (406, 720), (64, 36), (2, 2)])
def test_the_strip_is_never_wider_than_the_picture_and_leaves_most_of_it(sides: tuple[int, int]) -> None:
    strip = Image.open(io.BytesIO(strip_png(*sides)))
    assert strip.width <= sides[0]
    assert strip.height <= max(18, sides[1] / 20)


def test_every_letter_is_drawn_and_no_two_look_alike() -> None:
    assert {one for one in TEXT if not STROKES[one][1]} == {" "}
    strip = np.asarray(Image.open(io.BytesIO(strip_png(1280, 720))))
    assert strip[..., 3].min() == 150
    assert strip[..., 0].max() == 255
    assert len({strokes for _, strokes in STROKES.values()}) == len(STROKES)
