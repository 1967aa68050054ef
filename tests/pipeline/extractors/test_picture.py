from __future__ import annotations

import struct
import zlib
from pathlib import Path

import pytest
from PIL import Image, PngImagePlugin

from pipeline.errors import Unreadable
from pipeline.extractors import header
from pipeline.extractors.picture import PIXELS_MAX, extract
from tests.pipeline.extractors.reading import understood, warned
from tests.samples.making import photo

KINDS = ["JPEG", "PNG", "GIF", "TIFF", "WEBP", "BMP", "JPEG2000", "ICO"]


def saved(path: Path, kind: str, size: tuple[int, int] = (48, 32)) -> Path:
    Image.effect_noise(size, 60).convert("RGB").save(path, kind, **({"sizes": [size]} if kind == "ICO" else {}))
    return path


@pytest.mark.parametrize("kind", KINDS)
def test_whole_pictures_decode_and_have_no_caveat(tmp_path: Path, kind: str) -> None:
    answer = extract(str(saved(tmp_path / "a", kind)))
    values = understood(answer)
    assert (values["picture.width"], values["picture.height"]) == (48, 32)
    assert (values["picture.decodes"], values["picture.frames"]) == (True, 1)
    assert warned(answer) == set()


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "TIFF"])
def test_the_header_states_what_the_decoder_sees(tmp_path: Path, kind: str) -> None:
    values = understood(header.extract(str(saved(tmp_path / "a", kind))))
    assert (values["picture.width"], values["picture.height"]) == (48, 32)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF"])
def test_pictures_cut_short_are_truncated_and_keep_their_size(tmp_path: Path, kind: str) -> None:
    whole = saved(tmp_path / "a", kind, (200, 150)).read_bytes()
    cut = tmp_path / "b"
    cut.write_bytes(whole[: len(whole) * 2 // 3])
    answer = extract(str(cut))
    assert warned(answer) == {"truncated"}
    assert understood(answer)["picture.decodes"] is False
    assert understood(header.extract(str(cut)))["picture.width"] == 200


def test_texts_without_end_hide_no_picture(tmp_path: Path) -> None:
    texts = PngImagePlugin.PngInfo()
    texts.add_itxt("XML:com.example", " " * 3_000_000, zip=True)
    Image.effect_noise((48, 32), 60).convert("RGB").save(tmp_path / "a.png", pnginfo=texts)
    answer = extract(str(tmp_path / "a.png"))
    values = understood(answer)
    assert (values["picture.width"], values["picture.height"], values["picture.decodes"]) == (48, 32, True)
    assert warned(answer) == set()


def test_a_thumbnails_end_mark_is_not_the_pictures(tmp_path: Path) -> None:
    """The end mark inside the EXIF must not pass for the end of the picture."""
    import io

    import piexif

    small, large = io.BytesIO(), io.BytesIO()
    Image.effect_noise((16, 16), 50).convert("RGB").save(small, "JPEG")
    exif = piexif.dump({"0th": {}, "1st": {}, "thumbnail": small.getvalue()})
    Image.effect_noise((200, 150), 50).convert("RGB").save(large, "JPEG", exif=exif)
    path = tmp_path / "a.jpg"
    path.write_bytes(large.getvalue()[: len(large.getvalue()) // 2])
    assert warned(extract(str(path))) == {"truncated"}


def test_an_upright_size_follows_the_orientation(tmp_path: Path) -> None:
    values = understood(extract(str(photo(tmp_path / "a.jpg", 1, size=(64, 48), orientation=6))))
    assert (values["picture.width"], values["picture.height"]) == (64, 48)
    assert (values["picture.upright_width"], values["picture.upright_height"]) == (48, 64)


def test_an_animation_counts_its_pictures(tmp_path: Path) -> None:
    path = tmp_path / "a.gif"
    frames = [Image.effect_noise((8, 8), 40) for _ in range(5)]
    frames[0].save(path, save_all=True, append_images=frames[1:])
    assert understood(extract(str(path)))["picture.frames"] == 5


def test_a_bomb_is_not_decoded(tmp_path: Path) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    side = 60_000
    assert side * side > PIXELS_MAX
    path = tmp_path / "bomb.png"
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(bytes(7500 * 100))) + chunk(b"IEND", b"")
    )  # fmt: skip
    answer = extract(str(path))
    assert warned(answer) == {"too_large"}
    assert "picture.decodes" not in understood(answer)
    assert understood(header.extract(str(path)))["picture.width"] == side


def test_a_head_without_a_picture_is_said(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"\xff\xd8\xff\xe0\x00\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0")
    assert warned(extract(str(path))) == {"truncated"}


@pytest.mark.parametrize("reader", [extract, header.extract])
def test_what_is_no_picture_is_refused(tmp_path: Path, reader: object) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"plain words")
    with pytest.raises(Unreadable):
        reader(str(path))  # type: ignore[operator]
