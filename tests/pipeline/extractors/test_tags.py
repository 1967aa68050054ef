from __future__ import annotations

import struct
import subprocess
from pathlib import Path

import imageio_ffmpeg
import pytest

from pipeline.extractors.tags import extract
from tests.pipeline.extractors.reading import found, understood
from tests.samples.making import sound


def ffmpeg(*arguments: str | Path) -> None:
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", *map(str, arguments)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


@pytest.fixture(scope="module")
def voice(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sound(tmp_path_factory.mktemp("voice") / "a.wav", 1)


def riff(*chunks: tuple[bytes, bytes], kind: bytes = b"WAVE") -> bytes:
    inside = b"".join(name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2) for name, data in chunks)
    return b"RIFF" + struct.pack("<I", 4 + len(inside)) + kind + inside


FORMAT = (b"fmt ", struct.pack("<HHIIHH", 1, 1, 8000, 16000, 2, 16))


def test_broadcast_wave_dates(tmp_path: Path) -> None:
    bext = (
        bytes(256)
        + b"Zoom H5".ljust(32, b"\0")
        + bytes(32)
        + b"2021-08-03"
        + b"10:10:10"
        + struct.pack("<Q", 292_800_000)
    )
    path = tmp_path / "a.wav"
    path.write_bytes(riff(FORMAT, (b"bext", bext.ljust(602, b"\0")), (b"data", bytes(10))))
    values = understood(extract(str(path)))
    assert (values["bext.OriginationDate"], values["bext.OriginationTime"]) == ("2021-08-03", "10:10:10")
    assert (values["bext.Originator"], values["bext.TimeReference"]) == ("Zoom H5", 292_800_000)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"Tue Aug 03 10:10:10 2021\n\0", "2021-08-03T10:10:10"),
        (b"TUE AUG  3 10:10:10 2021", "2021-08-03T10:10:10"),
        (b"2021-08-03 10:10:10", "2021-08-03T10:10:10"),
        (b"2021:08:03 10:10:10\0", "2021-08-03T10:10:10"),
        (b"whenever", None),
    ],
)
def test_riff_dates_as_cameras_write_them(tmp_path: Path, text: bytes, expected: str | None) -> None:
    """C's asctime (Microsoft's definition of IDIT), and what several makers write instead."""
    header = b"hdrl" + b"IDIT" + struct.pack("<I", len(text)) + text + b"\0" * (len(text) % 2)
    path = tmp_path / "a.avi"
    path.write_bytes(riff((b"LIST", header), (b"LIST", b"movi"), kind=b"AVI "))
    assert understood(extract(str(path)))["riff.IDIT"] == expected


@pytest.mark.parametrize(("version", "name"), [("3", "id3.TYER"), ("4", "id3.TDRC")])
def test_id3_dates(voice: Path, tmp_path: Path, version: str, name: str) -> None:
    path = tmp_path / "a.mp3"
    ffmpeg("-i", voice, "-metadata", "date=2021", "-id3v2_version", version, path)
    assert understood(extract(str(path)))[name] == "2021"


def test_an_id3_time_keeps_its_precision(tmp_path: Path) -> None:
    text = b"\x03" + b"2021-08-03T10:10"
    frame = b"TDRC" + bytes([0, 0, 0, len(text)]) + b"\0\0" + text
    path = tmp_path / "a.mp3"
    path.write_bytes(b"ID3\x04\0\0" + bytes([0, 0, 0, len(frame)]) + frame + (b"\xff\xfb\x90\x00" + bytes(413)) * 3)
    assert understood(extract(str(path)))["id3.TDRC"] == "2021-08-03T10:10"


@pytest.mark.parametrize("suffix", [".flac", ".ogg", ".opus"])
def test_vorbis_dates(voice: Path, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    codec = {".flac": "flac", ".ogg": "libvorbis", ".opus": "libopus"}[suffix]
    ffmpeg("-i", voice, "-c:a", codec, "-metadata", "date=2021-08-03", path)
    assert understood(extract(str(path)))["vorbis.DATE"] == "2021-08-03"


def test_asf_and_matroska_dates_are_utc(voice: Path, tmp_path: Path) -> None:
    for suffix, name in ((".wma", "asf.CreationDate"), (".mka", "matroska.DateUTC")):
        path = tmp_path / f"a{suffix}"
        ffmpeg("-i", voice, "-metadata", "creation_time=2021-08-03T02:10:10Z", path)
        assert understood(extract(str(path)))[name] == "2021-08-03T02:10:10+00:00"


def test_sound_without_dates_is_no_fault(voice: Path) -> None:
    assert "riff.ICRD" not in found(extract(str(voice)))


def test_matroskas_date_is_found_behind_reserved_space(tmp_path: Path) -> None:
    """RFC 9559: mkvmerge leaves room for its index before the information."""
    date = b"\x44\x61\x88" + struct.pack(">q", 626_996_903_000_000_000)
    info = b"\x15\x49\xa9\x66" + bytes((0x80 | len(date),)) + date
    reserved = b"\xec\x50\x00" + bytes(4096)
    head = b"\x1a\x45\xdf\xa3\x8b\x42\x82\x88matroska"
    path = tmp_path / "a.mkv"
    path.write_bytes(head + b"\x18\x53\x80\x67\x01\xff\xff\xff\xff\xff\xff\xff" + reserved + info)
    assert understood(extract(str(path)))["matroska.DateUTC"] == "2020-11-13T21:48:23+00:00"
    path.write_bytes(head + b"\x18\x53\x80\x67\x90" + b"\x1f\x43\xb6\x75\x8f" + info)  # only within a cluster
    assert "matroska.DateUTC" not in understood(extract(str(path)))
