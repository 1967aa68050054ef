from __future__ import annotations

import struct
from pathlib import Path

import pytest

from pipeline.extractors.gpmf import _fix_rows, extract
from tests.pipeline.extractors.reading import understood
from tests.samples.making import film


def entry(key: bytes, kind: bytes, size: int, content: bytes) -> bytes:
    padding = -len(content) % 4
    return key + kind + bytes([size]) + struct.pack(">H", len(content) // size) + content + bytes(padding)


def nested(key: bytes, *inner: bytes) -> bytes:
    return entry(key, b"\0", 1, b"".join(inner))


SCALES = struct.pack(">5i", 10**7, 10**7, 1000, 1000, 100)
SAMPLE = struct.pack(">5i", 331267700, -1173273000, -22959, 1046, 100)


def packet(fix: int) -> bytes:
    stream = nested(
        b"STRM",
        entry(b"GPSF", b"L", 4, struct.pack(">I", fix)),
        entry(b"GPSU", b"U", 16, b"191118234514.000"),
        entry(b"SCAL", b"l", 4, SCALES),
        entry(b"GPS5", b"l", 20, SAMPLE),
    )
    return nested(b"DEVC", entry(b"DVNM", b"c", 1, b"GoPro Max"), stream)


def test_the_first_fix_gives_place_and_satellite_time() -> None:
    values = {name: value for name, _, value in _fix_rows(packet(3), 1.5)}
    assert values["place.lat"] == pytest.approx(33.12677)
    assert values["place.lon"] == pytest.approx(-117.3273)
    assert values["place.alt_m"] == pytest.approx(-22.959)
    assert (values["gpmf.GPSU"], values["gpmf.at_s"]) == ("2019-11-18T23:45:14.000+00:00", 1.5)


def test_without_a_fix_nothing_is_said() -> None:
    assert list(_fix_rows(packet(0), 0.0)) == []


def test_newer_cameras_count_days_since_2000() -> None:
    scales = struct.pack(">9i", 10**7, 10**7, 1000, 1000, 100, 1, 1000, 100, 1)
    sample = struct.pack(">7iHH", 331267700, -1173273000, -22959, 0, 0, 7261, 85514000, 154, 3)
    data = nested(b"STRM", entry(b"SCAL", b"l", 4, scales), entry(b"GPS9", b"?", 32, sample))
    values = {name: value for name, _, value in _fix_rows(data, 0.0)}
    assert values["gpmf.GPSU"] == "2019-11-18T23:45:14+00:00"


@pytest.mark.parametrize("cut", range(0, 160, 7))
def test_a_packet_cut_anywhere_does_no_harm(cut: int) -> None:
    list(_fix_rows(packet(3)[:cut], 0.0))


def test_a_film_without_telemetry_is_no_fault(tmp_path: Path) -> None:
    assert extract(str(film(tmp_path / "a.mp4", 1)))["properties"] == []


@pytest.mark.corpus
def test_a_real_recording_agrees_with_another_tool(corpus: Path, manifest: list[dict[str, str]]) -> None:
    rows = [row for row in manifest if "gpmf" in row["path"] and row["gps_lat"]]
    assert rows
    for row in rows:
        values = understood(extract(str(corpus / row["path"])))
        assert values["place.lat"] == pytest.approx(float(row["gps_lat"]), abs=1e-4)
        assert values["place.lon"] == pytest.approx(float(row["gps_lon"]), abs=1e-4)
