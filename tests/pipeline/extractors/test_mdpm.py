"""Recording marks of AVCHD. The marks are those of a Canon camcorder's file, of which ExifTool's own test expects
`2008:12:31 23:16:24+01:00`."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import Unreadable
from pipeline.extractors.mdpm import extract, rows_of
from tests.pipeline.extractors.reading import found, understood
from tests.pipeline.extractors.test_tags import ffmpeg
from tests.samples.making import film

UUID = "17ee8c60f84d11d98cd60800200c9a66"
CANON = bytes.fromhex("4d44504d071802200812193123162470caf4ffff71ffffffff7f000065")


def moment(marks: bytes) -> object:
    return {name: value for name, _, value in rows_of(bytes.fromhex(f"000001060538{UUID}") + marks)}.get(
        "mdpm.DateTimeOriginal"
    )


def marks_of(zone: int) -> bytes:
    return b"MDPM\x02" + bytes((0x18, zone)) + bytes.fromhex("202108 1903101060")


def test_a_camcorders_marks_are_read_from_its_stream(tmp_path: Path) -> None:
    source, path = film(tmp_path / "a.mp4", 1), tmp_path / "00012.MTS"
    marked = b"filter_units=remove_types=6,h264_metadata=sei_user_data=" + UUID.encode() + b"+" + CANON[:15]
    ffmpeg("-i", source, "-c", "copy", "-an", "-bsf:v", marked.decode(), "-f", "mpegts", path)
    assert found(extract(str(path)))["mdpm.DateTimeOriginal"] == "2008:12:31 23:16:24 (zone 02)"
    assert understood(extract(str(path)))["mdpm.DateTimeOriginal"] == "2008:12:31 23:16:24+01:00"


def test_the_zone_counts_only_where_it_is_sure() -> None:
    assert moment(CANON) == "2008:12:31 23:16:24+01:00"
    assert moment(marks_of(0x90)) == "2021:08:03 10:10:60+08:00"
    assert moment(marks_of(0x20 | 9 << 1 | 1)) == "2021:08:03 10:10:60-09:30"
    for unsure in (0xFF, 0x00, 0x80, 0x40 | 1 << 1):  # not set; noughts; summer time
        assert moment(marks_of(unsure)) == "2021:08:03 10:10:60"


def test_bytes_put_in_against_start_codes_are_left_out() -> None:
    midnight = b"MDPM\x02" + bytes.fromhex("1802200801 1901000003 00")
    assert moment(midnight) == "2008:01:01 00:00:00+01:00"


def test_marks_that_are_none_or_cut_off_say_nothing() -> None:
    assert moment(b"MDPM\x01\x70\xca\xf4\xff\xff") is None
    for length in range(len(CANON[:15])):
        assert moment(CANON[:length]) is None


def test_other_streams_have_none_and_other_formats_are_refused(tmp_path: Path) -> None:
    source = film(tmp_path / "a.mp4", 1)
    ffmpeg("-i", source, "-c", "copy", "-f", "mpegts", tmp_path / "a.ts")
    assert extract(str(tmp_path / "a.ts"))["properties"] == []
    with pytest.raises(Unreadable):
        extract(str(source))
