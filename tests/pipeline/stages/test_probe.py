from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from pipeline.edges.tools import Tools
from pipeline.kinds import kinds_in
from pipeline.records import Facts
from pipeline.stage import Extractor
from pipeline.stages import probe as stage
from tests.pipeline.probing import codes, probe, values
from tests.samples.making import film, photo, sound

# As `stage.VERSION` 2 knows them.
READERS = {
    "archive": 1, "codes": 1, "container": 7, "dji_srt": 1, "djmd": 1, "exif": 2, "gpmf": 1, "gpx": 3, "header": 2,
    "maker_dates": 1, "mdpm": 1, "nmea": 3, "picture": 3, "subtitles": 1, "tags": 2, "vendor_json": 1, "written": 3,
    "xmp": 2,
}  # fmt: skip


@pytest.fixture(scope="module")
def tools() -> Iterator[Tools]:
    started = Tools()
    started.start()
    yield started
    started.close()


def test_a_photo_is_read_by_every_extractor_that_applies(tools: Tools, tmp_path: Path) -> None:
    taken = datetime(2021, 8, 3, 10, 10, 10)  # noqa: DTZ001 (EXIF has no zone)
    original, facts = probe(photo(tmp_path / "a.jpg", 1, taken=taken, gps=(39.9, 116.4)), tools)
    assert original.kind == "photo"
    found = values(facts)
    assert (found["picture.width"], found["picture.height"], found["picture.decodes"]) == (160, 120, True)
    assert found["exif.DateTimeOriginal"] == "2021-08-03T10:10:10"
    assert (found["device.make"], found["container.kind"]) == ("Casereel", "photo")
    assert facts.caveats == ()


def test_every_property_and_caveat_names_its_finder(tools: Tools, tmp_path: Path) -> None:
    whole = photo(tmp_path / "a.jpg", 2, size=(400, 300)).read_bytes()
    cut = tmp_path / "b.mp4"
    cut.write_bytes(whole[: len(whole) // 2])
    _, facts = probe(cut, tools)
    known = {f"{one.name}/{one.version}" for one in kinds_in("pipeline.extractors", "EXTRACTOR")} | {stage.FINDER}
    finders = {one.finder for one in (*facts.properties, *facts.caveats)}
    assert finders <= known
    assert codes(facts) == {"truncated", "wrong_extension"}


def test_one_name_is_recorded_once(tools: Tools, tmp_path: Path) -> None:
    _, facts = probe(photo(tmp_path / "a.jpg", 3), tools)
    names = [one.name for one in facts.properties]
    assert len(names) == len(set(names))


def test_what_a_decoder_sees_wins_over_what_a_header_states(tools: Tools, tmp_path: Path) -> None:
    _, facts = probe(photo(tmp_path / "a.jpg", 4), tools)
    (width,) = [one for one in facts.properties if one.name == "picture.width"]
    assert width.finder.startswith("picture/")


def test_a_film_and_a_sound_are_read(tools: Tools, tmp_path: Path) -> None:
    _, facts = probe(film(tmp_path / "a.mp4", 1), tools)
    assert (values(facts)["container.kind"], values(facts)["video.height"]) == ("video", 108)
    _, facts = probe(sound(tmp_path / "a.wav", 1), tools)
    assert (values(facts)["container.kind"], values(facts)["audio.sample_rate_hz"]) == ("audio", 16_000)


@pytest.mark.parametrize(
    ("name", "data", "code"),
    [
        ("a.mp4", b"", "empty"),
        ("a.mp4", b"\x8f\x02\xff\x00" * 300, "unknown_format"),
        ("a.mp4", b"#EXTM3U\n#EXTINF:1,\nb.ts\n", "playlist"),
        ("a.mp4", b"\x00\x00\x01\xba\x44" + bytes(200), "wrong_extension"),
        ("a.json", b'{"case": ', "reader_failed"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_in_two_languages(
    tools: Tools, tmp_path: Path, name: str, data: bytes, code: str
) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    _, facts = probe(path, tools)
    (caveat,) = [one for one in facts.caveats if one.code == code]
    assert caveat.text
    assert caveat.text_zh
    assert caveat.finder


def crash(path: str) -> dict[str, Any]:
    """Stands for a reader that a hostile file brings down."""
    import os
    import signal

    assert path
    os.kill(os.getpid(), signal.SIGSEGV)
    raise AssertionError


def stumble(path: str) -> dict[str, Any]:
    raise IndexError(path)


@pytest.mark.parametrize("failing", [crash, stumble])
def test_a_reader_that_fails_does_not_stop_the_others(
    tools: Tools, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: Any
) -> None:
    real = kinds_in("pipeline.extractors", "EXTRACTOR")
    broken = Extractor(name="broken", version=1, reads=lambda _: True, extract=failing)
    monkeypatch.setattr(stage, "kinds_in", lambda *_: (broken, *real))
    _, facts = probe(photo(tmp_path / "a.jpg", 5), tools)
    assert values(facts)["picture.decodes"] is True
    assert values(facts)["device.make"] == "Casereel"
    assert [(one.code, one.finder) for one in facts.caveats] == [("reader_failed", "broken/1")]


def test_a_sidecar_names_its_recording(tools: Tools, tmp_path: Path) -> None:
    path = tmp_path / "DJI_0001.SRT"
    path.write_text("1\n00:00:00,000 --> 00:00:01,000\n2021-08-03 10:10:10\nGPS(39.9062,116.3913,0.0M)\n")
    original, facts = probe(path, tools, parent="01PARENT")
    assert (original.kind, facts.parent) == ("sidecar", "01PARENT")
    assert values(facts)["sidecar.start"] == "2021-08-03T10:10:10"


def test_a_recording_has_no_parent(tools: Tools, tmp_path: Path) -> None:
    _, facts = probe(photo(tmp_path / "a.jpg", 6), tools, parent="01PARENT")
    assert facts.parent is None


def test_a_cameras_small_copy_stays_a_sidecar(tools: Tools, tmp_path: Path) -> None:
    """An LRF is a film inside: its properties are read, its kind is not put right."""
    path = tmp_path / "DJI_0001.LRF"
    shutil.copy(film(tmp_path / "a.mp4", 2), path)
    original, facts = probe(path, tools, parent="01PARENT")
    assert (original.kind, facts.parent) == ("sidecar", "01PARENT")
    assert values(facts)["video.height"] == 108
    assert "container.kind" not in values(facts)


def test_the_same_bytes_give_the_same_facts(tools: Tools, tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4", 3)
    assert probe(path, tools)[1] == probe(path, tools)[1]


def test_a_reader_whose_facts_changed_raises_the_stage_so_that_older_homes_are_read_again() -> None:
    """Whoever raises a reader raises `probe.VERSION`, names the formats in `READ_ANEW`, and puts both here."""
    versions = {one.name: one.version for one in kinds_in("pipeline.extractors", "EXTRACTOR")}
    assert (stage.VERSION, versions) == (4, READERS)
    assert max(stage.READ_ANEW) == stage.VERSION


def test_names_are_what_others_rely_on(tools: Tools, tmp_path: Path) -> None:
    def names(facts: Facts) -> set[str]:
        return {one.name for one in facts.properties}

    expected = {
        "container.format", "container.duration_s", "container.data_end_s", "container.creation_time", "container.kind",
        "video.codec", "video.width", "video.height", "video.rotation_deg", "video.fps", "video.pix_fmt",
        "video.interlaced", "video.frames", "video.bit_rate", "video.keyframe_max_s", "video.profile", "video.sar",
        "audio.codec", "audio.sample_rate_hz", "audio.channels", "audio.bit_rate",
    }  # fmt: skip
    _, facts = probe(film(tmp_path / "a.mp4", 4, taken="2021-08-03T02:10:10Z"), tools)
    assert expected <= names(facts)
