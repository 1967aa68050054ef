from __future__ import annotations

import io
import struct
import subprocess

import numpy as np
import piexif
import pytest
from PIL import Image, ImageCms, PngImagePlugin

from pipeline.derivers.view import DERIVER, POSTER_PX, VIEW_PX
from pipeline.edges.caged import stills
from pipeline.errors import Unreadable
from pipeline.records import Known, Property
from pipeline.stages import derive
from tests.pipeline.filming import context_of, of_role, tools
from tests.pipeline.probing import original_of
from tests.samples.photos import heif, tiff


def _views(source, tmp_path):
    scratch = tmp_path / "scratch"
    scratch.mkdir(exist_ok=True)
    return list(DERIVER.derive(source, Known(original=original_of(source)), scratch, context_of(source, scratch)).made)


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


TURNED = Property(name="picture.orientation", found="6", value=6)
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


# Pillow 13: "Decompressed data too large for PngImagePlugin.MAX_TEXT_CHUNK".
def test_a_picture_is_shown_and_turned_whatever_pillow_thinks_of_its_texts(tmp_path):
    source = tmp_path / "a.png"
    texts = PngImagePlugin.PngInfo()
    texts.add_itxt("XML:com.example", " " * 3_000_000, zip=True)
    _corners().save(source, pnginfo=texts)
    known = Known(original=original_of(source), properties={"picture.orientation": TURNED})
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    made = DERIVER.derive(source, known, scratch, context_of(source, scratch)).made
    shown = Image.open(of_role(made, "view").path)
    assert shown.size == (200, 400)
    assert _named(shown.getpixel((20, 20))) == ABOVE_LEFT_ONCE_UPRIGHT[6]


def test_a_moving_picture_that_breaks_off_in_its_second_frame_shows_the_first(tmp_path):
    source = tmp_path / "a.gif"
    _corners().save(source, save_all=True, append_images=[Image.new("RGB", (400, 200))])
    data = source.read_bytes()
    source.write_bytes(data[: data.rindex(b",\0\0\0\0") + 9])
    assert _named(_view(source, tmp_path).getpixel((20, 20))) == "red"


def test_the_libraries_of_ffmpeg_keep_what_is_transparent(tmp_path):
    picture = Image.new("RGBA", (60, 40), (0, 0, 255, 0))
    picture.paste((0, 0, 255, 255), (0, 0, 30, 40))
    picture.save(tmp_path / "a.png")
    drawn = stills.decoded(tmp_path / "a.png")
    assert [drawn.getpixel(place)[3] for place in ((10, 20), (50, 20))] == [255, 0]


@pytest.mark.parametrize("kind", ["PNG", "BMP", "JPEG", "WEBP"])
def test_the_libraries_of_ffmpeg_draw_nothing_that_is_cut_short(tmp_path, kind):
    source = tmp_path / "a"
    Image.effect_noise((200, 150), 60).convert("RGB").save(source, kind)
    assert stills.decoded(source).size == (200, 150)
    source.write_bytes(source.read_bytes()[: source.stat().st_size // 2])
    assert stills.decoded(source) is None


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


# -- orientation in every format

WITH_EXIF = {"a.jpg": "JPEG", "a.png": "PNG", "a.webp": "WEBP", "a.tif": "TIFF", "a.avif": "AVIF"}


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", [name for name in WITH_EXIF if name != "a.jpg"])
def test_every_format_stands_upright_whatever_its_orientation(tmp_path, name, orientation):
    source = tmp_path / name
    exif = Image.Exif()
    exif[0x0112] = orientation
    _corners(200, 100).save(source, WITH_EXIF[name], exif=exif)
    shown = _view(source, tmp_path)
    assert shown.size == ((200, 100) if orientation < 5 else (100, 200))
    assert _named(shown.getpixel((15, 15))) == ABOVE_LEFT_ONCE_UPRIGHT[orientation]


# ISO/IEC 23008-12: a quarter turn against the clock brings the corner above right to above left.
@pytest.mark.parametrize(
    ("boxes", "above_left"),
    [({}, "red"), ({"turns": 1}, "green"), ({"turns": 2}, "white"), ({"turns": 3}, "blue"),
     ({"mirror": 0}, "blue"), ({"mirror": 1}, "green")],
)  # fmt: skip
@pytest.mark.parametrize("exif", [b"", piexif.dump({"0th": {piexif.ImageIFD.Orientation: 6}})[6:]])
def test_a_heic_is_turned_by_its_boxes_alone_and_never_twice(tmp_path, boxes, above_left, exif):
    source = heif(tmp_path / "a.heic", _corners(128, 64), exif=exif, **boxes)
    shown = _view(source, tmp_path)
    assert shown.size == ((64, 128) if boxes.get("turns", 0) % 2 else (128, 64))
    assert _named(shown.getpixel((12, 12))) == above_left


def test_a_preview_is_turned_as_the_raw_file_says(tmp_path):
    preview = io.BytesIO()
    _corners(1600, 1200).save(preview, "JPEG")
    source = tmp_path / "a.raf"
    source.write_bytes(b"FUJIFILMCCD-RAW " + bytes(500) + preview.getvalue() + bytes(900))
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    turned = Property(name="picture.orientation", found="6", value=6, finder="exif/1")
    known = Known(original=original_of(source), properties={turned.name: turned})
    view = of_role(DERIVER.derive(source, known, scratch, context_of(source, scratch)).made, "view")
    with Image.open(view.path) as shown:
        assert shown.size == (1200, 1600)
        assert _named(shown.getpixel((20, 20))) == ABOVE_LEFT_ONCE_UPRIGHT[6]


# -- light and colour


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize(
    ("kind", "photometric", "sample_format", "quarter", "three_quarters"),
    [
        (np.uint16, 1, 1, 0x4000, 0xC000), (np.float32, 1, 3, 0.25, 0.75), (np.uint8, 0, 1, 0xC0, 0x40),
        (np.uint16, 2, 1, 0x4000, 0xC000), (np.uint16, 5, 1, 0xC000, 0x4000),
    ],
)  # fmt: skip
def test_tiffs_of_many_bits_keep_their_light(
    tmp_path, order, kind, photometric, sample_format, quarter, three_quarters
):
    """A left half of a quarter of white, a right half of three quarters."""
    samples = np.full((40, 60), quarter, kind)
    samples[:, 30:] = three_quarters
    if photometric == 2:
        samples = np.dstack([samples] * 3)
    if photometric == 5:  # black ink alone
        samples = np.dstack([np.zeros_like(samples)] * 3 + [samples])
    source = tiff(tmp_path / "a.tif", samples, photometric=photometric, sample_format=sample_format, order=order)
    shown = _view(source, tmp_path)
    assert shown.getpixel((10, 10)) == pytest.approx((64, 64, 64), abs=2)
    assert shown.getpixel((50, 10)) == pytest.approx((191, 191, 191), abs=2)


@pytest.mark.parametrize(("left", "right"), [(0x40000000, 0xC0000000), (0xC0000000, 0x40000000)])
def test_grey_of_32_bits_is_not_turned_round(tmp_path, left, right):
    samples = np.full((40, 60), left, np.uint32)
    samples[:, 30:] = right
    shown = _view(tiff(tmp_path / "a.tif", samples, photometric=1), tmp_path)
    assert (shown.getpixel((10, 10)) < shown.getpixel((50, 10))) == (left < right)


def test_sixteen_bits_that_count_from_white_are_turned_round(tmp_path):
    source = tiff(tmp_path / "a.tif", np.full((40, 40), 0xC000, np.uint16), photometric=0)
    assert _view(source, tmp_path).getpixel((10, 10)) == pytest.approx((63, 63, 63), abs=2)


# CSS Color 4, section 18: from Display P3 and Adobe RGB to CIE XYZ, and from there to sRGB.
P3_TO_XYZ = [[608311 / 1250200, 189793 / 714400, 198249 / 1000160], [35783 / 156275, 247089 / 357200, 198249 / 2500400],
             [0, 32229 / 714400, 5220557 / 5000800]]  # fmt: skip
ADOBE_TO_XYZ = [[573536 / 994567, 263643 / 1420810, 187206 / 994567], [591459 / 1989134, 6239551 / 9945670,
                374412 / 4972835], [53769 / 1989134, 351524 / 4972835, 4929758 / 4972835]]  # fmt: skip
XYZ_TO_SRGB = [[12831 / 3959, -329 / 214, -1974 / 3959], [-851781 / 878810, 1648619 / 878810, 36519 / 878810],
               [705 / 12673, -2585 / 12673, 705 / 667]]  # fmt: skip
PATCHES = [(200, 100, 50), (40, 120, 90), (128, 128, 128), (230, 220, 60)]


def _in_srgb(patch, to_xyz, linear):
    light = np.array(XYZ_TO_SRGB) @ np.array(to_xyz) @ linear(np.array(patch) / 255)
    curved = np.where(light <= 0.0031308, 12.92 * light, 1.055 * np.maximum(light, 0) ** (1 / 2.4) - 0.055)
    return tuple(np.clip(curved * 255, 0, 255))


def _srgb_linear(values):
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


@pytest.mark.parametrize("patch", PATCHES)
def test_a_heic_of_display_p3_by_number_shows_the_colours_of_the_standard(tmp_path, patch):
    source = heif(tmp_path / "a.heic", Image.new("RGB", (64, 64), patch), nclx=(12, 13, 1))
    expected = _in_srgb(patch, P3_TO_XYZ, _srgb_linear)
    assert _view(source, tmp_path).getpixel((30, 30)) == pytest.approx(expected, abs=4)


@pytest.mark.parametrize("patch", PATCHES)
def test_adobe_rgb_by_the_cameras_mark_shows_the_colours_of_the_standard(tmp_path, patch):
    source = tmp_path / "a.jpg"
    exif = piexif.dump({"Exif": {}, "Interop": {piexif.InteropIFD.InteroperabilityIndex: b"R03"}})
    Image.new("RGB", (64, 64), patch).save(source, quality=100, subsampling=0, exif=exif)
    expected = _in_srgb(patch, ADOBE_TO_XYZ, lambda values: values ** (563 / 256))
    assert _view(source, tmp_path).getpixel((30, 30)) == pytest.approx(expected, abs=4)


# ITU-R BT.2408, table 1: 203 cd/m2, paper white, is 58 % of a PQ signal and 75 % of an HLG signal.
@pytest.mark.parametrize(("transfer", "paper_white"), [(16, 148), (18, 191)])
def test_hdr_paper_white_is_light_and_what_is_brighter_is_still_told_apart(tmp_path, transfer, paper_white):
    source = heif(tmp_path / "a.heic", _steps((paper_white // 2, paper_white, paper_white + 25)), nclx=(9, transfer, 9))
    view = of_role(_views(source, tmp_path), "view")
    with Image.open(view.path) as shown:
        dark, white, brighter = (shown.getpixel((x, 30))[1] for x in (20, 60, 100))
    assert view.parameters["hdr"] is True
    assert dark < 120
    assert 180 <= white <= 235
    assert white + 15 < brighter <= 255


def _steps(levels):
    pixels = np.repeat(np.array(levels, np.uint8), 40)[None, :, None]
    return Image.fromarray(np.broadcast_to(pixels, (64, 40 * len(levels), 3)).copy())


# -- shapes


def test_a_panorama_keeps_its_height_and_a_dot_stays_a_dot(tmp_path):
    wide, thin, dot = tmp_path / "wide.jpg", tmp_path / "thin.png", tmp_path / "dot.png"
    Image.new("RGB", (12_000, 600), "teal").save(wide)
    Image.new("RGB", (1, 20_000), "teal").save(thin)
    Image.new("RGB", (1, 1), "teal").save(dot)
    assert _view(wide, tmp_path).size == (10_240, 512)
    assert _view(thin, tmp_path).size == (1, 16_384)
    assert _view(dot, tmp_path).size == (1, 1)


@pytest.mark.parametrize("name", ["a.gif", "a.png", "a.webp", "a.avif"])
def test_a_moving_picture_says_how_many_frames_it_has(tmp_path, name):
    source = tmp_path / name
    frames = [Image.new("RGB", (40, 40), colour) for colour in ("red", "blue", "green")]
    frames[0].save(source, save_all=True, append_images=frames[1:], duration=500)
    facts = derive.STAGE.run(Known(original=original_of(source)), context_of(source, tmp_path))
    (caveat,) = facts.caveats
    assert caveat.code == "view_first_frame"
    assert "first of its 3 frames" in caveat.text
    assert "3 帧" in caveat.text_zh
    with Image.open(of_role(facts.made, "view").path) as shown:
        assert _named(shown.getpixel((20, 20))) == "red"


def test_a_photo_with_a_gain_map_shows_its_base_picture(tmp_path):
    """As phones write Ultra HDR: a JPEG, and behind it a smaller grey one, told by an MPF segment."""
    source = tmp_path / "a.jpg"
    _corners(400, 200).save(source, "MPO", save_all=True, append_images=[Image.new("RGB", (100, 50), "gray")])
    facts = derive.STAGE.run(Known(original=original_of(source)), context_of(source, tmp_path))
    assert facts.caveats == ()
    with Image.open(of_role(facts.made, "view").path) as shown:
        assert shown.size == (400, 200)
        assert _named(shown.getpixel((20, 20))) == "red"


# -- what needs another program


def test_a_photoshop_picture_shows_its_flattened_copy(tmp_path):
    """Adobe's file format specification: no layers, and the picture as it lies there, plane by plane."""
    source = tmp_path / "a.psd"
    planes = np.asarray(_corners(60, 40)).transpose(2, 0, 1).tobytes()
    head = struct.pack(">4sH6xHIIHH", b"8BPS", 1, 3, 40, 60, 8, 3)
    source.write_bytes(head + bytes(12) + b"\0\0" + planes)
    assert _named(_view(source, tmp_path).getpixel((10, 10))) == "red"


def _jxl(path, picture):
    picture.save(path.with_suffix(".png"))
    command = [tools().ffmpeg_path, "-v", "error", "-i", str(path.with_suffix(".png")), "-c:v", "libjxl", str(path)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0 and path.is_file()


def test_jpeg_xl_is_shown_or_says_what_is_missing(tmp_path):
    source = tmp_path / "a.jxl"
    if not _jxl(source, _corners(80, 60)):
        source.write_bytes(bytes.fromhex("ff0a") + bytes(100))
        with pytest.raises(Unreadable, match="libjxl"):
            _views(source, tmp_path)
        return
    view = of_role(_views(source, tmp_path), "view")
    assert "ffmpeg" in view.tool
    with Image.open(view.path) as shown:
        assert shown.size == (80, 60)
        assert _named(shown.getpixel((10, 10))) == "red"


@pytest.mark.parametrize(
    ("name", "content", "words", "zh"),
    [
        ("a.raf", b"FUJIFILMCCD-RAW " + bytes(900), "camera maker's program", "相机厂商"),
        ("a.jxl", bytes.fromhex("ff0a") + bytes(100), "media.ffmpeg", "media.ffmpeg"),
        ("a.psd", b"8BPS\0\1" + bytes(100), "Photoshop", "Photoshop"),
    ],
)
def test_what_cannot_be_shown_says_what_to_do(tmp_path, name, content, words, zh):
    source = tmp_path / name
    source.write_bytes(content)
    facts = derive.STAGE.run(Known(original=original_of(source)), context_of(source, tmp_path))
    (caveat,) = facts.caveats
    assert caveat.code == "no_preview"
    assert words in caveat.text
    assert zh in caveat.text_zh
    assert str(tmp_path) not in caveat.text
