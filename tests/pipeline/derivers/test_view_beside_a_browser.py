"""The view has the colours that a real browser shows of the original, where it can show it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from pipeline.derivers.view import DERIVER
from pipeline.edges.caged.colours import ADOBE_GAMMA, ADOBE_RGB, PRIMARIES, profile_of
from pipeline.records import Known
from tests.browsing import Screen, screen
from tests.pipeline.filming import context_of, of_role
from tests.pipeline.probing import original_of

PATCHES = ("#c86432", "#28785a", "#808080", "#e6dc3c", "#141414", "#f01478", "#3c50f0", "#fafafa")
PLACES = [((column + 0.5) / 4, (row + 0.5) / 2) for row in range(2) for column in range(4)]
# Where the colours are compared: within a patch also after a quarter turn.
POINTS = [(x, y) for y in (0.1, 0.35, 0.6, 0.9) for x in (0.1, 0.35, 0.6, 0.9)]
PROFILES = {"Display P3": profile_of(PRIMARIES[12]), "Adobe RGB": profile_of(ADOBE_RGB, ADOBE_GAMMA)}
SAVED: dict[str, dict[str, Any]] = {
    "a.jpg": {"quality": 100, "subsampling": 0}, "a.png": {}, "a.webp": {"lossless": True},
    "a.avif": {"quality": 100, "subsampling": "4:4:4"},
}  # fmt: skip


@pytest.fixture(scope="module")
def browser() -> Iterator[Screen]:
    with screen() as opened:
        yield opened


def _patches() -> Image.Image:
    picture = Image.new("RGB", (320, 160))
    draw = ImageDraw.Draw(picture)
    for (x, y), colour in zip(PLACES, PATCHES, strict=True):
        left, top = round(x * 320) - 40, round(y * 160) - 40
        draw.rectangle((left, top, left + 79, top + 79), fill=colour)
    return picture


def _is_shown_alike(source: Path, tmp_path: Path, browser: Screen, *, abs_: int = 5) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    made = DERIVER.derive(source, Known(original=original_of(source)), scratch, context_of(source, scratch)).made
    view, ours = of_role(made, "view").path, browser.shown([of_role(made, "view").path])[0]
    theirs = browser.shown([source])[0]
    assert (ours.width, ours.height, ours.error) == (theirs.width, theirs.height, "")
    expected, shown = browser.colours(source, POINTS), browser.colours(view, POINTS)
    assert np.abs(np.array(expected) - np.array(shown)).max() <= abs_, (expected, shown)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("name", SAVED)
def test_colours_of_a_profile_are_those_of_the_browser(
    tmp_path: Path, browser: Screen, name: str, profile: str
) -> None:
    source = tmp_path / name
    _patches().save(source, icc_profile=PROFILES[profile], **SAVED[name])
    _is_shown_alike(source, tmp_path, browser)


@pytest.mark.parametrize("name", ["a.png", "a.webp"])
def test_transparent_colours_of_a_profile_are_those_of_the_browser(tmp_path: Path, browser: Screen, name: str) -> None:
    source = tmp_path / name
    picture = _patches()
    picture.putalpha(Image.linear_gradient("L").resize(picture.size))
    picture.save(source, icc_profile=PROFILES["Display P3"], **SAVED[name])
    _is_shown_alike(source, tmp_path, browser, abs_=7)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.avif"])  # Chromium 156 leaves WebP as it lies
def test_a_photo_stands_as_the_browser_puts_it(tmp_path: Path, browser: Screen, name: str, orientation: int) -> None:
    source = tmp_path / name
    exif = Image.Exif()
    exif[0x0112] = orientation
    _patches().save(source, exif=exif, **SAVED[name])
    _is_shown_alike(source, tmp_path, browser)


@pytest.mark.parametrize("mode", ["CMYK", "L"])
def test_a_jpeg_of_other_colours_is_shown_as_the_browser_does(tmp_path: Path, browser: Screen, mode: str) -> None:
    source = tmp_path / "a.jpg"
    _patches().convert(mode).save(source, quality=100)
    _is_shown_alike(source, tmp_path, browser)


def test_a_png_of_sixteen_bits_is_shown_as_the_browser_does(tmp_path: Path, browser: Screen) -> None:
    source = tmp_path / "a.png"
    Image.fromarray(np.asarray(_patches().convert("L")).astype(np.uint16) * 257).save(source)
    _is_shown_alike(source, tmp_path, browser)
