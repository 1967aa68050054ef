"""Dates outside EXIF. Expected values are ExifTool's, of the files that the layouts were taken from."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from pipeline.errors import Unreadable
from pipeline.extractors.maker_dates import extract
from tests.pipeline.extractors.reading import understood
from tests.samples.making import photo


def with_segment(folder: Path, marker: int, content: bytes) -> Path:
    path = photo(folder / "a.jpg", 1)
    data = path.read_bytes()
    segment = bytes((0xFF, marker)) + struct.pack(">H", len(content) + 2) + content
    path.write_bytes(data[:2] + segment + data[2:])
    return path


def heap(*entries: tuple[int, bytes]) -> bytes:
    """A CIFF heap: values, then the list of them, then where the list begins."""
    values, listed = b"", struct.pack("<H", len(entries))
    for tag, content in entries:
        listed += struct.pack("<HII", tag, len(content), len(values))
        values += content
    return values + listed + struct.pack("<I", len(values))


def test_the_text_of_an_early_camera(tmp_path: Path) -> None:
    content = b"OLYMPUS OPTICAL CO.,LTD.   \0 713\r\n[picture info]\r\nTimeDate=909698819\r\nShutter=33363\r\n"
    path = with_segment(tmp_path, 0xEC, content)
    assert understood(extract(str(path))) == {"maker.TimeDate": "1998-10-29T22:06:59"}


def test_the_capture_time_in_canons_heap(tmp_path: Path) -> None:
    properties = heap((0x080A, b"Canon"), (0x180E, struct.pack("<IiI", 972687386, 0, 0)))
    content = b"II\x1a\0\0\0HEAPJPGM".ljust(26, b"\0") + heap((0x2807, heap()), (0x300A, properties))
    path = with_segment(tmp_path, 0xE0, content)
    assert understood(extract(str(path))) == {"maker.CaptureTime": "2000-10-27T22:56:26"}


def test_the_note_of_a_game_camera(tmp_path: Path) -> None:
    note = struct.pack("<11H6H", 0xF101, 3, 1, 0, 2010, 1, 2, 0, 0, 0, 0, 0, 0, 10, 3, 16, 2020)
    path = with_segment(tmp_path, 0xE1, b"Exif\0\0II*\0" + bytes(40) + note)
    assert understood(extract(str(path))) == {"maker.GameCamera": "2020:03:16 10:00:00"}
    note = struct.pack("<11H6H", 0xF101, 3, 1, 0, 2010, 1, 2, 0, 0, 0, 0, 61, 0, 10, 3, 16, 2020)
    path = with_segment(tmp_path, 0xE1, b"Exif\0\0II*\0" + bytes(40) + note)
    assert understood(extract(str(path))) == {}


@pytest.mark.parametrize("cut", [0, 3, 12, 30])
def test_a_heap_that_points_anywhere_says_nothing(tmp_path: Path, cut: int) -> None:
    content = b"II\x1a\0\0\0HEAPJPGM".ljust(26, b"\0") + b"\xff" * cut
    assert understood(extract(str(with_segment(tmp_path, 0xE0, content)))) == {}


def test_other_formats_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(Unreadable):
        extract(str(path))
