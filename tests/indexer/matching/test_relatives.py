from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from indexer.match import InFiles
from indexer.matching.relatives import relatives_of
from tests.indexer.archive import Archive, link
from tests.indexer.matching.test_kept import _with_marks
from tests.indexer.matching.test_pictures import _film, _street
from tests.pipeline.marks.test_sounds import melody


@pytest.fixture
def rng():
    return np.random.default_rng(41)


def _relatives(catalog, name, folder):
    (known,) = catalog.known_of_many([name])
    return {one.original: one for one in relatives_of(known, catalog, InFiles(catalog, folder))}


def test_copies_parts_and_shared_parts_are_told_apart(rng, tmp_path):
    film, other, foreign = (_film(rng, 40) for _ in range(3))
    noise = rng.normal(0, 3, film.shape)
    sent_on = np.clip(film.astype(float) * 0.9 + 10 + noise, 0, 255).astype(np.uint8)
    catalog = Archive(
        [
            replace(_with_marks("film", film[::2]), links=(link("平商务罚字〔2021〕第3号"),)),
            _with_marks("sent on", sent_on[::2]),
            _with_marks("part", film[40:80:2]),
            _with_marks("joined", np.concatenate([other[:100], film[80:120]])[::2]),
            _with_marks("foreign", foreign[::2]),
        ]
    )
    found = _relatives(catalog, "film", tmp_path)
    assert {name: one.relation for name, one in found.items()} == {
        "sent on": "same recording", "part": "part of the other", "joined": "shares a part",
    }  # fmt: skip
    assert found["part"].own_offset_s == pytest.approx(10, abs=0.8)
    assert found["joined"].own_offset_s == pytest.approx(20, abs=0.8)
    assert found["joined"].offset_s == pytest.approx(25, abs=0.8)
    back = _relatives(catalog, "part", tmp_path)
    assert [one.case for one in back["film"].links] == ["平商务罚字〔2021〕第3号"]
    assert back["film"].offset_s == pytest.approx(10, abs=0.8)
    assert _relatives(catalog, "foreign", tmp_path) == {}


def test_the_same_place_at_another_time_is_no_relative(rng, tmp_path):
    catalog = Archive([_with_marks(name, _street(rng, 40)[::2]) for name in ("monday", "tuesday")])
    assert _relatives(catalog, "monday", tmp_path) == {}


def _mixed(sound, seed, share):
    return (sound * 0.9 + melody(len(sound) / 11_025, seed)[: len(sound)] * share).astype(np.int16)


def test_recordings_without_pictures_are_related_by_their_sound(tmp_path):
    talk, other = melody(60, 1), melody(60, 2)
    catalog = Archive(
        [
            _with_marks("talk", talk),
            _with_marks("sent on", _mixed(talk, 9, 0.1)),
            _with_marks("part", talk[20 * 11_025 : 45 * 11_025]),
            _with_marks("joined", np.concatenate([other[: 40 * 11_025], talk[5 * 11_025 : 17 * 11_025]])),
            _with_marks("foreign", melody(60, 3)),
        ]
    )
    found = _relatives(catalog, "talk", tmp_path)
    assert {name: one.relation for name, one in found.items()} == {
        "sent on": "same recording", "part": "part of the other", "joined": "shares a part",
    }  # fmt: skip
    begins = {name: one.offset_s - one.own_offset_s for name, one in found.items()}
    assert begins == {name: pytest.approx(at_s, abs=0.1) for name, at_s in
                      {"sent on": 0, "part": -20, "joined": 35}.items()}  # fmt: skip
    assert _relatives(catalog, "foreign", tmp_path) == {}


def test_the_same_music_under_other_pictures_is_the_same_sound_and_not_the_same_recording(rng, tmp_path):
    music = melody(40, 5)
    one, other = _film(rng, 40), _film(rng, 40)
    catalog = Archive(
        [
            _with_marks("one", one[::2], _mixed(music, 21, 0.2)),
            _with_marks("other", other[::2], _mixed(music, 22, 0.2)),
            _with_marks("copy", one[::2], _mixed(music, 21, 0.2)),
        ]
    )
    found = _relatives(catalog, "one", tmp_path)
    assert {name: one.relation for name, one in found.items()} == {"copy": "same recording", "other": "same sound"}


def test_hum_and_silence_relate_nothing(tmp_path):
    times = np.arange(60 * 11_025) / 11_025
    hum = (5000 * np.sin(2 * np.pi * 50 * times) + 3000 * np.sin(2 * np.pi * 600 * times)).astype(np.int16)
    catalog = Archive([_with_marks(name, hum) for name in ("monday", "tuesday")])
    assert _relatives(catalog, "monday", tmp_path) == {}
