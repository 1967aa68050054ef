"""Recordings whose end was never written: without an index, cut off, without a list of their pictures."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.edges.caged.rescue import rescue
from pipeline.records import Facts, Known
from pipeline.stages import derive
from tests.pipeline.filming import context_of, of_role, probed
from tests.samples.devices import FLASH_S, X264, made, picture, seen, tone

RATE = "20"
SHOWN = (*picture(rate=RATE, more=",noise=alls=8:allf=t"), *tone(), "-c:a", "aac")
CAMERA = (*SHOWN, *X264, "-g", "20", "-bf", "0")
HEVC = (*SHOWN, "-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none:keyint=20:bframes=0")
OWN_PARAMETERS = (*CAMERA, "-x264-params", "repeat-headers=1", "-tag:v", "avc3")


class Folder:
    """A vault and a catalog of recordings that lie beside each other."""

    def __init__(self, source: Path, beside: Sequence[Path]) -> None:
        self._paths = {f"{number:064x}": path for number, path in enumerate((source, *beside))}
        self._beside = []
        for number, path in enumerate(beside, 1):
            known = probed(path)
            self._beside.append(replace(known, original=replace(known.original, sha256=f"{number:064x}")))

    @contextlib.contextmanager
    def opened(self, sha256: str) -> Iterator[Path]:
        yield self._paths[sha256]

    def beside(self, known: Known, count: int) -> list[Known]:
        assert known.original.sha256 == "0" * 64
        return self._beside[:count]


def _facts(source: Path, tmp_path: Path, beside: Sequence[Path] = ()) -> Facts:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    context: Any = context_of(source, scratch)
    folder = Folder(source, beside)
    context.vault, context.catalog = folder, SimpleNamespace(beside=folder.beside)
    before = source.read_bytes()
    facts = derive.STAGE.run(probed(source), context)
    assert source.read_bytes() == before
    assert {path for path in scratch.rglob("*") if path.is_file()} == {one.path for one in facts.made}
    return facts


def _without_index(path: Path, *, share: float = 1.0) -> Path:
    """The power went: what was recorded so far stands in mdat, whose length was never filled in."""
    data = path.read_bytes()
    begin = data.index(b"mdat")
    media = data[begin + 4 : data.rindex(b"moov") - 4]
    cut = path.with_name("cut.mp4")
    cut.write_bytes(data[: begin - 4] + bytes(4) + b"mdat" + media[: int(len(media) * share)])
    return cut


def _codes(facts: Facts) -> set[str]:
    return {one.code for one in facts.caveats}


@pytest.mark.parametrize("coding", [CAMERA, HEVC], ids=["H.264", "H.265"])
def test_pictures_without_an_index_are_put_together_with_what_another_recording_of_the_device_says(
    tmp_path: Path, coding: tuple[str, ...]
) -> None:
    good = made(tmp_path / "2021_0803_101010_002.MP4", *coding)
    facts = _facts(_without_index(made(tmp_path / "a.mp4", *coding)), tmp_path, [good])
    proxy = of_role(facts.made, "proxy")
    copy = seen(proxy.path)
    assert copy["size"] == (320, 180)
    assert copy["red"] == "above left"
    assert len(copy["times"]) == pytest.approx(80, abs=1)
    assert copy["flash_s"] == pytest.approx(FLASH_S, abs=0.06)
    assert {"rescued", "frame_rate_assumed"} <= _codes(facts)
    (caveat,) = [one for one in facts.caveats if one.code == "rescued"]
    assert good.name in caveat.text
    assert good.name in caveat.text_zh
    assert proxy.parameters["rescued"]["like"] == good.name
    assert {one.role for one in facts.made} >= {"poster", "sprites", "scenes"}
    assert [one.method for one in facts.fingerprints] == ["video"]


def test_a_recording_that_tells_decoders_what_they_need_is_put_together_alone(tmp_path: Path) -> None:
    facts = _facts(_without_index(made(tmp_path / "a.mp4", *OWN_PARAMETERS), share=0.6), tmp_path)
    copy = seen(of_role(facts.made, "proxy").path)
    assert copy["red"] == "above left"
    assert 40 <= len(copy["times"]) <= 52
    (caveat,) = [one for one in facts.caveats if one.code == "rescued"]
    assert "its pace is assumed" in caveat.text
    assert of_role(facts.made, "proxy").parameters["rescued"]["from"] is None


def test_pictures_behind_start_codes_are_found_too(tmp_path: Path) -> None:
    bare = made(tmp_path / "a.h264", *picture(), *X264, "-g", "25", "-f", "h264").read_bytes()
    source = tmp_path / "a.mp4"
    source.write_bytes(b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + bytes(4) + b"mdat" + bare)
    copy = seen(of_role(_facts(source, tmp_path).made, "proxy").path)
    assert len(copy["times"]) == pytest.approx(100, abs=1)
    assert copy["flash_s"] == pytest.approx(FLASH_S, abs=0.05)


def test_what_a_recording_of_another_camera_says_is_not_believed(tmp_path: Path) -> None:
    other = made(tmp_path / "other.mp4", *SHOWN, "-c:v", "libx264", "-preset", "veryfast", "-bf", "3")
    facts = _facts(_without_index(made(tmp_path / "a.mp4", *CAMERA)), tmp_path, [other])
    assert "proxy" not in {one.role for one in facts.made}
    assert "no_proxy" in _codes(facts)
    assert "rescued" not in _codes(facts)


def test_the_right_one_of_two_is_found(tmp_path: Path) -> None:
    other = made(tmp_path / "a1.mp4", *SHOWN, "-c:v", "libx264", "-preset", "veryfast", "-bf", "3")
    good = made(tmp_path / "b.mp4", *CAMERA)
    facts = _facts(_without_index(made(tmp_path / "a.mp4", *CAMERA)), tmp_path, [other, good])
    assert of_role(facts.made, "proxy").parameters["rescued"]["like"] == "b.mp4"


def test_noise_between_pictures_is_no_picture(tmp_path: Path) -> None:
    """Sound as bare samples, each of whose bytes may be anything, between single pictures."""
    noise = ("-f", "lavfi", "-t", "4", "-i", "anoisesrc=r=48000:a=0.3", "-c:a", "pcm_s16le")
    coding = (*picture(rate=RATE, more=",noise=alls=8:allf=t"), *noise, *X264, "-g", "20", "-bf", "0")
    good = made(tmp_path / "good.mov", *coding)
    facts = _facts(_without_index(made(tmp_path / "a.mov", *coding)), tmp_path, [good])
    assert len(seen(of_role(facts.made, "proxy").path)["times"]) >= 78


def test_a_key_picture_that_dwarfs_what_stands_before_it_is_found(tmp_path: Path) -> None:
    """A message of 700 bytes, then a key picture of more than 64 KB."""
    coding = (
        *picture(size="640x360", rate="5", seconds=2, more=",noise=alls=60:allf=t"),
        *X264,
        "-qp",
        "14",
        "-bf",
        "0",
    )
    good = made(tmp_path / "good.mp4", *coding)
    facts = _facts(_without_index(made(tmp_path / "a.mp4", *coding)), tmp_path, [good])
    assert of_role(facts.made, "proxy").parameters["rescued"]["pictures"] == 10


def test_text_that_a_camera_writes_in_front_is_no_parameter_set(tmp_path: Path) -> None:
    """Behind a length of six, `H19.03` begins as a picture parameter set of H.264 does."""
    cut = _without_index(made(tmp_path / "a.mp4", *OWN_PARAMETERS))
    data = cut.read_bytes()
    begin = data.index(b"mdat") + 4
    cut.write_bytes(data[:begin] + b"\0\0\0\6H19.03" + data[begin:])
    assert of_role(_facts(cut, tmp_path).made, "proxy").parameters["rescued"]["pictures"] == 80


def test_the_empty_space_of_a_card_behind_the_pictures_is_stepped_over(tmp_path: Path) -> None:
    cut = _without_index(made(tmp_path / "a.mp4", *OWN_PARAMETERS))
    with cut.open("ab") as stream:
        stream.truncate(cut.stat().st_size + (96 << 20))
    began = time.process_time()
    assert rescue(str(cut), str(tmp_path / "target"), [])["pictures"] == 80
    assert time.process_time() - began < 4


def test_media_data_without_pictures_are_said_to_have_none(tmp_path: Path) -> None:
    source = tmp_path / "a.mp4"
    source.write_bytes(b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + bytes(4) + b"mdat" + bytes(range(256)) * 400)
    assert "no_proxy" in _codes(_facts(source, tmp_path))


def _cut(path: Path, share: float) -> Path:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path


def test_a_fragmented_recording_that_was_cut_off_plays_up_to_its_last_whole_fragment(tmp_path: Path) -> None:
    options = ("-movflags", "frag_keyframe+empty_moov+default_base_moof")
    facts = _facts(_cut(made(tmp_path / "a.mp4", *CAMERA, *options), 0.8), tmp_path)
    copy = seen(of_role(facts.made, "proxy").path)
    assert 50 <= len(copy["times"]) <= 66
    assert copy["flash_s"] == pytest.approx(FLASH_S, abs=0.06)
    assert "rescued" not in _codes(facts)


@pytest.mark.parametrize("name", ["a.avi", "a.mkv"])
def test_recordings_without_a_list_of_their_pictures_play(tmp_path: Path, name: str) -> None:
    """AVI without idx1, Matroska without cues: both stand behind the last picture, and were not written."""
    source = made(tmp_path / name, *CAMERA)
    data = source.read_bytes()
    mark = b"idx1" if name == "a.avi" else b"\x1c\x53\xbb\x6b"
    source.write_bytes(data[: data.rindex(mark)])
    copy = seen(of_role(_facts(source, tmp_path).made, "proxy").path)
    assert len(copy["times"]) == pytest.approx(80, abs=2)
    assert copy["flash_s"] == pytest.approx(FLASH_S, abs=0.06)
    assert copy["tone_s"] == pytest.approx(FLASH_S, abs=0.13)
