from __future__ import annotations

import io

import numpy as np
import piexif
import pytest
from PIL import Image, ImageCms

from pipeline.derivers.view import DERIVER, POSTER_PX, VIEW_PX
from pipeline.errors import Unreadable
from pipeline.records import Known
from tests.pipeline.filming import context_of, of_role
from tests.pipeline.probing import original_of


def _views(source, tmp_path):
    scratch = tmp_path / "scratch"
    scratch.mkdir(exist_ok=True)
    return list(DERIVER.derive(source, Known(original=original_of(source)), scratch, context_of(source, scratch)))


def _view(source, tmp_path):
    return Image.open(of_role(_views(source, tmp_path), "view").path)


def _corners(width=400, height=200):
    """Red above left, green above right, blue below left, white below right."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[: height // 2, : width // 2] = (255, 0, 0)
    pixels[: height // 2, width // 2 :] = (0, 255, 0)
    pixels[height // 2 :, : width // 2] = (0, 0, 255)
    pixels[height // 2 :, width // 2 :] = (255, 255, 255)
    return Image.fromarray(pixels)


def _named(pixel):
    names = {(True, False, False): "red", (False, True, False): "green", (False, False, True): "blue",
             (True, True, True): "white"}  # fmt: skip
    return names[tuple(value > 128 for value in pixel)]


# Exif 2.32, tag 0x0112: where row 0 and column 0 of what is stored lie when seen upright.
ABOVE_LEFT_ONCE_UPRIGHT = {1: "red", 2: "green", 3: "white", 4: "blue", 5: "red", 6: "blue", 7: "white", 8: "green"}


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photo_stands_upright_whatever_its_orientation(tmp_path, orientation):
    source = tmp_path / "a.jpg"
    exif = piexif.dump({"0th": {piexif.ImageIFD.Orientation: orientation}})
    _corners().save(source, exif=exif, quality=95)
    shown = _view(source, tmp_path)
    assert shown.size == ((400, 200) if orientation < 5 else (200, 400))
    assert _named(shown.getpixel((20, 20))) == ABOVE_LEFT_ONCE_UPRIGHT[orientation]
    assert 0x0112 not in shown.getexif()


def test_large_is_made_smaller_and_small_is_never_enlarged(tmp_path):
    large, small = tmp_path / "large.png", tmp_path / "small.png"
    _corners(4000, 1000).save(large)
    _corners(60, 40).save(small)
    made = _views(large, tmp_path)
    assert Image.open(of_role(made, "view").path).size == (VIEW_PX, VIEW_PX // 4)
    assert Image.open(of_role(made, "poster").path).size == (POSTER_PX, POSTER_PX // 4)
    assert _view(small, tmp_path).size == (60, 40)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16", "I", "F", "YCbCr", "LAB"])
def test_every_mode_becomes_colour(tmp_path, mode):
    source = tmp_path / "a.tif"
    _in_mode(mode).save(source)
    assert _view(source, tmp_path).mode == "RGB"


def _in_mode(mode):
    if mode == "I;16":
        return Image.fromarray((np.arange(100 * 100) * 6).reshape(100, 100).astype(np.uint16))
    if mode == "LAB":
        return ImageCms.profileToProfile(
            _corners(), ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
        )
    return _corners().convert(mode)


def test_sixteen_bits_keep_their_light(tmp_path):
    source = tmp_path / "a.png"
    Image.fromarray(np.full((50, 50), 0x8000, np.uint16)).save(source)
    assert _view(source, tmp_path).getpixel((10, 10))[0] == pytest.approx(128, abs=2)


def test_what_is_transparent_lies_on_white(tmp_path):
    source = tmp_path / "a.png"
    Image.new("RGBA", (50, 50), (0, 0, 0, 0)).save(source)
    assert _view(source, tmp_path).getpixel((10, 10)) == (255, 255, 255)


def test_a_moving_picture_shows_its_first_frame(tmp_path):
    source = tmp_path / "a.gif"
    frames = [Image.new("RGB", (40, 40), colour) for colour in ("red", "blue")]
    frames[0].save(source, save_all=True, append_images=frames[1:], duration=500)
    assert _named(_view(source, tmp_path).getpixel((10, 10))) == "red"


def test_a_damaged_colour_profile_costs_nothing_but_itself(tmp_path):
    source = tmp_path / "a.jpg"
    _corners().save(source, icc_profile=b"\x00" * 200, quality=95)
    assert _named(_view(source, tmp_path).getpixel((20, 20))) == "red"


def test_a_photo_cut_off_shows_what_there_is_and_says_so(tmp_path):
    whole = io.BytesIO()
    noise = np.random.default_rng(1).integers(0, 255, (300, 300, 3), np.uint8)
    Image.fromarray(noise).save(whole, "JPEG")
    source = tmp_path / "cut.jpg"
    source.write_bytes(whole.getvalue()[: len(whole.getvalue()) // 2])
    assert of_role(_views(source, tmp_path), "view").parameters["cut_off"] is True


def test_a_whole_photo_is_not_called_cut_off(tmp_path):
    source = tmp_path / "a.jpg"
    _corners().save(source)
    about = of_role(_views(source, tmp_path), "view").parameters
    assert (about["cut_off"], about["from_preview"]) == (False, False)


def test_a_raw_picture_shows_the_preview_that_lies_in_it(tmp_path):
    preview, small = io.BytesIO(), io.BytesIO()
    _corners(1600, 1200).save(preview, "JPEG")
    _corners(160, 120).save(small, "JPEG")
    source = tmp_path / "a.raf"
    source.write_bytes(
        b"FUJIFILMCCD-RAW " + bytes(500) + small.getvalue() + bytes(99) + preview.getvalue() + bytes(900)
    )
    view = of_role(_views(source, tmp_path), "view")
    assert Image.open(view.path).size == (1600, 1200)
    assert view.parameters["from_preview"] is True


@pytest.mark.parametrize("content", [b"", b"\xff\xd8\xff\xe0" + bytes(50), b"\x89PNG\r\n\x1a\n" + bytes(100)])
def test_what_is_no_picture_is_unreadable(tmp_path, content):
    source = tmp_path / "a.jpg"
    source.write_bytes(content)
    with pytest.raises(Unreadable):
        _views(source, tmp_path)


def test_a_bomb_is_refused(tmp_path):
    source = tmp_path / "a.png"
    Image.new("1", (60_000, 8_000)).save(source)
    with pytest.raises(Unreadable):
        _views(source, tmp_path)
