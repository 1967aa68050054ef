from __future__ import annotations

import numpy as np
import pytest

from indexer.matching.sounds import Library, find_sound
from pipeline.marks.sounds import RATE_HZ, marks_of
from tests.pipeline.marks.test_sounds import melody

SOUNDS = {str(seed): melody(60, seed) for seed in range(5)}


@pytest.fixture(scope="module")
def library():
    return Library.of((name, marks_of(sound)) for name, sound in SOUNDS.items())


def _cut(name, start_s, seconds):
    return SOUNDS[name][int(start_s * RATE_HZ) : int((start_s + seconds) * RATE_HZ)]


@pytest.mark.parametrize("start_s", [0.0, 17.37, 50.0])
def test_a_part_is_found_where_it_sounds(library, start_s):
    (found,) = find_sound(_cut("3", start_s, 8), library)
    assert (found.original, found.transform) == ("3", "none")
    assert found.offset_s - found.query_offset_s == pytest.approx(start_s, abs=0.06)
    assert found.length_s == pytest.approx(8, abs=2.5)
    assert found.strength > 1


def test_a_part_between_other_sounds_is_placed_in_both(library):
    query = np.concatenate([melody(9, 77), _cut("2", 30, 8), melody(9, 78)])
    (found,) = find_sound(query, library)
    assert found.original == "2"
    assert found.offset_s - found.query_offset_s == pytest.approx(30 - 9, abs=0.06)
    assert found.query_offset_s == pytest.approx(9, abs=1.5)


def test_a_quieter_noisier_part_is_found(library):
    cut = _cut("1", 20, 10)
    query = (cut * 0.4 + np.random.default_rng(2).normal(0, 150, len(cut))).astype(np.int16)
    assert [one.original for one in find_sound(query, library)] == ["1"]


def test_a_part_played_faster_says_so(library):
    cut = _cut("4", 10, 12)
    places = np.arange(0, len(cut) - 1, 1.06)
    query = np.interp(places, np.arange(len(cut)), cut).astype(np.int16)
    (found,) = find_sound(query, library)
    assert (found.original, found.transform) == ("4", "speed 1.06")


def test_a_foreign_sound_silence_noise_and_hum_are_found_nowhere(library):
    times = np.arange(10 * RATE_HZ) / RATE_HZ
    hum = (5000 * np.sin(2 * np.pi * 50 * times) + 3000 * np.sin(2 * np.pi * 150 * times)).astype(np.int16)
    noise = np.random.default_rng(9).normal(0, 2000, 10 * RATE_HZ).astype(np.int16)
    for query in (melody(10, 99), np.zeros(10 * RATE_HZ, np.int16), noise, hum, np.empty(0, np.int16)):
        assert find_sound(query, library) == []
    with_hum = Library.of([("hum", marks_of(np.tile(hum, 6))), ("noise", marks_of(noise[::-1].copy()))])
    assert find_sound(hum[: 6 * RATE_HZ], with_hum) == []
    assert find_sound(noise, with_hum) == []


def test_an_empty_archive_finds_nothing():
    assert find_sound(melody(5), Library.of([])) == []
