from __future__ import annotations

import struct

import pytest

from pipeline.custody.wholeness import is_unfinished


def box(kind: bytes, length: int = 8) -> bytes:
    return struct.pack(">I4s", length, kind) + b"\0" * (length - 8)


WHOLE = box(b"ftyp", 24) + box(b"mdat", 100) + box(b"moov", 64)
JPEG = b"\xff\xd8\xff\xe0" + b"x" * 200 + b"\xff\xd9"
WAV = b"RIFF" + struct.pack("<I", 100) + b"WAVE" + b"\0" * 96
PNG = b"\x89PNG\r\n\x1a\n" + b"x" * 50 + b"\0\0\0\0IEND\xaeB`\x82"


def unfinished(data: bytes) -> bool:
    return is_unfinished(lambda offset, length: data[offset : offset + length], len(data))


@pytest.mark.parametrize("data", [WHOLE, JPEG, WAV, PNG], ids=["mp4", "jpeg", "wav", "png"])
def test_a_whole_file_is_finished(data: bytes) -> None:
    assert not unfinished(data)


@pytest.mark.parametrize("data", [WHOLE, JPEG, WAV, PNG], ids=["mp4", "jpeg", "wav", "png"])
def test_a_file_cut_in_the_middle_is_unfinished(data: bytes) -> None:
    assert unfinished(data[: len(data) - 20])


def test_media_data_without_an_index_is_unfinished() -> None:
    assert unfinished(box(b"ftyp", 24) + box(b"mdat", 100))


def test_a_fragmented_film_is_finished() -> None:
    assert not unfinished(box(b"ftyp", 24) + box(b"moof", 32) + box(b"mdat", 100))


def test_a_picture_container_without_film_is_finished() -> None:
    assert not unfinished(box(b"ftyp", 24) + box(b"meta", 64) + box(b"mdat", 100))


def test_a_large_box_is_followed() -> None:
    large = struct.pack(">I4sQ", 1, b"mdat", 116) + b"\0" * 100
    assert not unfinished(box(b"ftyp", 24) + large + box(b"moov", 64))


@pytest.mark.parametrize("data", [b"", b"x", b"plain text", b"\0" * 40, box(b"ftyp", 24) + b"\0\0\0\3abcd"])
def test_of_anything_else_nothing_is_said(data: bytes) -> None:
    assert not unfinished(data)
