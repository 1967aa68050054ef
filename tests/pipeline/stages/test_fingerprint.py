from __future__ import annotations

from dataclasses import replace

import pytest
from PIL import Image

from pipeline.marks import pictures, sounds
from pipeline.records import Fingerprint, Known
from pipeline.stages.fingerprint import STAGE
from tests.pipeline.filming import MELODY, context_of, film, probed
from tests.pipeline.probing import original_of


def _marks(source, tmp_path):
    facts = STAGE.run(probed(source), context_of(source, tmp_path))
    return {one.method: one for one in facts.fingerprints}, facts.caveats


def test_a_film_with_sound_has_marks_of_both(tmp_path):
    found, caveats = _marks(film(tmp_path / "a.mkv", "shapes", MELODY.format(seed=1), seconds=6), tmp_path)
    assert caveats == ()
    assert (found["video"].finder, found["sound"].finder) == (f"video/{pictures.VERSION}", f"sound/{sounds.VERSION}")
    seen = pictures.unpacked(found["video"].data)
    whole = seen.framed == pictures.FRAMED_WHOLE
    assert seen.step_s == 0.5
    assert int((seen.at + seen.run)[whole].max()) == 12
    heard = sounds.unpacked(found["sound"].data)
    assert float(heard.tick.max()) * sounds.TICK_S == pytest.approx(6, abs=1)


def test_a_black_and_silent_film_has_no_marks_and_no_caveat(tmp_path):
    source = film(tmp_path / "a.mkv", "color=black:size={size}:rate={rate}", "anullsrc", seconds=3)
    found, caveats = _marks(source, tmp_path)
    assert (len(pictures.unpacked(found["video"].data)), len(sounds.unpacked(found["sound"].data))) == (0, 0)
    assert caveats == ()


def test_marks_that_are_there_in_their_version_are_not_taken_again(tmp_path):
    source = film(tmp_path / "a.mkv", "shapes", MELODY.format(seed=1), seconds=2)
    known, context = probed(source), context_of(source, tmp_path)
    there = Fingerprint(method="video", version=pictures.VERSION, data=b"")
    older = Fingerprint(method="sound", version=sounds.VERSION - 1, data=b"")
    facts = STAGE.run(replace(known, fingerprints=(there, older)), context)
    assert [one.method for one in facts.fingerprints] == ["sound"]


def test_a_photo_has_the_marks_of_one_frame(tmp_path):
    source = tmp_path / "a.png"
    film(source, "shapes", seconds=1, pix_fmt="rgb24", **{"frames:v": 1, "c:v": "png", "f": "image2"})
    found, _ = _marks(source, tmp_path)
    assert pictures.unpacked(found["photo"].data).step_s == 0


def test_an_unreadable_photo_becomes_a_caveat(tmp_path):
    source = tmp_path / "a.jpg"
    Image.effect_noise((64, 64), 90).save(source)
    source.write_bytes(source.read_bytes()[:30])
    facts = STAGE.run(Known(original=original_of(source)), context_of(source, tmp_path))
    assert [caveat.code for caveat in facts.caveats] == ["no_photo_marks"]


def test_the_same_film_gives_the_same_marks(tmp_path):
    source = film(tmp_path / "a.mkv", "fractal", MELODY.format(seed=1), seconds=3)
    assert _marks(source, tmp_path) == _marks(source, tmp_path)
