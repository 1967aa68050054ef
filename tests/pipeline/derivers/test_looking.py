"""Which pictures are looked at, what is found in them, and that HDR light does not change it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.edges.tools import library_version
from pipeline.footage import KEY_FRAMES_FPS, analysis_fps, look_at
from pipeline.marks import pictures
from pipeline.records import Facts, Known
from pipeline.stages import derive
from tests.pipeline.filming import MELODY, SCENES, context_of, film, hdr_film, of_role, probed, tools
from tests.pipeline.test_footage import _known
from tests.samples.devices import made

# Key frames a second apart but for seconds 10 to 20, where the group of pictures is never ended.
MIXED = {"force_key_frames": "expr:if(between(t,10.01,19.99),0,gte(t,floor(t))*lt(t,floor(t)+0.08))", "g": 9999,
         "sc_threshold": 0}  # fmt: skip


def _context(source: Path, scratch: Path, analysis: str) -> Any:
    scratch.mkdir()
    context = context_of(source, scratch)
    context.settings = replace(context.settings, media=replace(context.settings.media, analysis=analysis))
    return context


def _looked(source: Path, scratch: Path, analysis: str) -> tuple[dict[str, Any], dict[str, Any], pictures.Marks]:
    """What the scenes hold, what their record says, and the marks."""
    facts: Facts = derive.STAGE.run(probed(source), _context(source, scratch, analysis))
    scenes = of_role(facts.made, "scenes")
    assert of_role(facts.made, "proxy").parameters["how"] == "remux"
    return json.loads(scenes.path.read_text()), dict(scenes.parameters), _marks_in(facts)


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty seconds that move, with a cut at second 14 and black from 16 to 18.5, inside the sparse stretch."""
    shown = (
        f"{SCENES['fractal']},negate=enable='gte(t,13.95)',drawbox=enable='between(t,15.95,18.45)':color=black:t=fill"
    )
    path = tmp_path_factory.mktemp("mixed") / "a.mp4"
    return film(path, shown, MELODY.format(seed=1), seconds=30, size="160x90", rate="10", **MIXED)


def test_stretches_of_sparse_key_frames_are_told(mixed: Path) -> None:
    known = probed(mixed)
    assert known.value("video.keyframe_max_s") == pytest.approx(10, abs=0.1)
    ((from_s, to_s),) = known.value("video.key_frames_sparse")
    assert (from_s, to_s) == pytest.approx((10, 20), abs=0.1)


def test_key_frames_alone_are_filled_where_they_lie_sparse(mixed: Path, tmp_path: Path) -> None:
    found, about, marks = _looked(mixed, tmp_path / "filled", "key_frames")
    assert about["looked_at"] == "filled"
    assert "1 stretch, 10 s" in about["why"]
    assert found["black"] == [pytest.approx([16, 18.5], abs=0.5)]
    assert [at_s for at_s in found["scenes"] if 10 < at_s < 20] == pytest.approx([14, 16, 18.5], abs=0.5)
    whole, _, all_marks = _looked(mixed, tmp_path / "full", "full")
    assert whole["black"] == [pytest.approx([16, 18.5], abs=0.11)]
    _same_pictures(marks, all_marks, 10, 20)


def _same_pictures(some: pictures.Marks, others: pictures.Marks, from_s: float, to_s: float) -> None:
    """Every thumbnail of these seconds shows what it shows among the others, and not what a second before did."""
    numbers = np.arange(int(from_s * 2), int(to_s * 2))
    there, here = others.small[numbers].astype(int), some.small[numbers].astype(int)
    assert np.abs(here - there).mean(axis=(1, 2)).max() < 6
    late = np.abs(some.small[numbers - 4].astype(int) - there).mean()
    assert np.abs(here - there).mean() < late / 4


def test_without_filling_the_stretch_would_stand_still(mixed: Path, tmp_path: Path) -> None:
    """The recording as a probe of before knew it; what the settings ask for is then not given at all."""
    known = probed(mixed)
    older = Known(original=known.original, properties={k: v for k, v in known.properties.items() if "sparse" not in k})
    look = look_at(older, _context(mixed, tmp_path / "x", "key_frames").settings)
    assert (look.how, look.sparse) == ("all", ())


@pytest.mark.parametrize(
    ("values", "how"),
    [
        ({"video.keyframe_max_s": 2.0}, "key_frames"),
        ({"video.keyframe_max_s": 9.0, "video.key_frames_sparse": [[10.0, 19.0]]}, "filled"),
        ({"video.keyframe_max_s": 9.0, "video.key_frames_sparse": [[0.0, 51.0]]}, "all"),
        ({"video.keyframe_max_s": 9.0, "video.key_frames_sparse": [[0.0, 9.0]], "container.clock_jumps": 1}, "all"),
        ({}, "all"),
    ],
)
def test_what_is_looked_at_follows_from_where_key_frames_lie(
    tmp_path: Path, mixed: Path, values: dict[str, Any], how: str
) -> None:
    known = _known(probed(mixed).original, **{"container.duration_s": 100.0, "video.fps": 25.0, **values})
    asked = _context(mixed, tmp_path / "asked", "key_frames").settings
    assert look_at(known, asked).how == how
    assert look_at(known, asked).why
    assert analysis_fps(known, asked) == (25 if how == "all" else KEY_FRAMES_FPS)
    assert look_at(known, _context(mixed, tmp_path / "full", "full").settings).how == "all"


@pytest.mark.parametrize(
    ("said", "version"),
    [
        (
            "ffmpeg version 5.1.9\nlibavutil      57. 28.100 / 57. 28.100\nlibavcodec     59. 37.100 / 59. 37.100",
            (59, 37),
        ),
        ("libavutil      59. 39.100\nlibavcodec     61. 19.100 / 61. 19.100\n", (61, 19)),
        ("no such program", (0, 0)),
    ],
)
def test_which_libraries_an_ffmpeg_is_made_of_is_read_from_its_own_words(said: str, version: tuple[int, int]) -> None:
    assert library_version(said) == version


def test_an_ffmpeg_that_cannot_leave_pictures_out_decodes_all_of_them(
    mixed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(vars(tools()), "fills", False)
    found, about, _ = _looked(mixed, tmp_path / "x", "key_frames")
    assert about["looked_at"] == "all"
    assert "this ffmpeg" in about["why"]
    assert found["black"] == [pytest.approx([16, 18.5], abs=0.5)]


def test_sound_that_begins_late_does_not_hold_up_a_filled_decode(tmp_path: Path) -> None:
    plain = film(tmp_path / "plain.mp4", "shapes", seconds=30, size="160x90", rate="10", **MIXED)
    tone = film(tmp_path / "tone.m4a", sound=MELODY.format(seed=1), seconds=8)
    source = made(tmp_path / "a.mp4", "-i", str(plain), "-itsoffset", "22", "-i", str(tone), "-c", "copy")
    _, about, _ = _looked(source, tmp_path / "x", "key_frames")
    assert about["looked_at"] == "filled"


@pytest.mark.parametrize("transfer", ["smpte2084", "arib-std-b67"], ids=["PQ", "HLG"])
def test_an_hdr_recording_has_the_marks_of_its_copy_in_usual_light(tmp_path: Path, transfer: str) -> None:
    """Its copy in usual light is what the product shows."""
    source = hdr_film(tmp_path / "hdr.mp4", transfer)
    facts = derive.STAGE.run(probed(source), _context(source, tmp_path / "hdr", "full"))
    copy = of_role(facts.made, "proxy").path
    assert probed(copy).value("video.transfer") is None
    marks, of_copy = _marks_in(facts), _marks_in(derive.STAGE.run(probed(copy), _context(copy, tmp_path / "x", "full")))
    assert np.abs(marks.small.astype(int) - of_copy.small).mean() < 3
    assert max(_apart(marks, of_copy)) <= 16


def _marks_in(facts: Facts) -> pictures.Marks:
    (marks,) = [one for one in facts.fingerprints if one.method == "video"]
    return pictures.unpacked(marks.data)


def _apart(one: pictures.Marks, other: pictures.Marks) -> list[int]:
    """In how many of 256 bits the whole picture of each half second differs."""
    rows = [
        {int(at): bits for at, bits, framed in zip(marks.at, marks.bits, marks.framed, strict=True) if not framed}
        for marks in (one, other)
    ]
    shared = sorted(set(rows[0]) & set(rows[1]))
    assert len(shared) >= 8
    return [int(pictures.distance(rows[0][at], rows[1][at])) for at in shared]
