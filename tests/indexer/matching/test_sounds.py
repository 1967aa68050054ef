from __future__ import annotations

import numpy as np
import pytest

from indexer.matching import sounds
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


def _over_a_telephone(sound):
    """300-3400 Hz, 8,000 samples a second, eight bits by the A-law of ITU-T G.711."""
    spectrum = np.fft.rfft(sound)
    hz = np.fft.rfftfreq(len(sound), 1 / RATE_HZ)
    narrow = np.fft.irfft(np.where((hz > 300) & (hz < 3400), spectrum, 0), len(sound))
    slow = np.interp(np.arange(0, len(sound), RATE_HZ / 8000), np.arange(len(sound)), narrow) / 32768
    law = np.sign(slow) * np.where(np.abs(slow) < 1 / 87.6, 87.6 * np.abs(slow), 1 + np.log(87.6 * np.abs(slow) + 1e-9))
    eighth = np.round(law / (1 + np.log(87.6)) * 127) / 127 * (1 + np.log(87.6))
    loud = np.sign(eighth) * np.where(np.abs(eighth) < 1, np.abs(eighth), np.exp(np.abs(eighth) - 1)) / 87.6
    return np.interp(np.arange(0, len(slow) - 1, 8000 / RATE_HZ), np.arange(len(slow)), loud * 32768).astype(np.int16)


@pytest.mark.parametrize("start_s", [3.0, 41.3])
def test_five_seconds_over_a_telephone_are_found(library, start_s):
    cut = _over_a_telephone(_cut("2", start_s, 5))
    noisy = (cut + np.random.default_rng(3).normal(0, 0.25 * cut.std(), len(cut))).astype(np.int16)
    (found,) = find_sound(noisy, library)
    assert found.original == "2"
    assert found.offset_s - found.query_offset_s == pytest.approx(start_s, abs=0.1)


def test_other_tunes_over_a_telephone_are_found_nowhere(library):
    assert [find_sound(_over_a_telephone(melody(8, seed)), library) for seed in range(60, 66)] == [[]] * 6


def test_a_part_that_sounds_twice_is_found_at_both_places():
    once = melody(12, 30)
    twice = Library.of([("song", marks_of(np.concatenate([once, melody(7, 31), once])))])
    found = find_sound(once[2 * RATE_HZ : 9 * RATE_HZ], twice)
    begins = sorted(one.offset_s - one.query_offset_s for one in found)
    assert begins == [pytest.approx(2, abs=0.1), pytest.approx(21, abs=0.1)]


def test_rare_marks_are_looked_up_first_and_no_more_than_may_be(monkeypatch):
    """What sounds everywhere, as the same chime before every call, does not crowd out what tells them apart."""
    chime = melody(10, 50)
    own = melody(10, 51)
    library = Library.of([*((str(one), marks_of(chime)) for one in range(200)), ("own", marks_of(own))])
    monkeypatch.setattr(sounds, "POSTINGS_MAX", 2000)
    query = (own.astype(np.int32) // 2 + chime // 2).astype(np.int16)
    assert "own" in {one.original for one in find_sound(query, library)}


def test_joined_segments_hold_what_one_made_at_once_does():
    class InMemory:
        def __init__(self):
            self.arrays = {}

        def array(self, name, dtype, shape):
            return self.arrays.setdefault(name, np.empty(shape, dtype))

        def put(self, arrays):
            self.arrays.update(arrays)

    marks = [marks_of(melody(20, seed)) for seed in range(6)]
    given = [(sounds.arrays_of(marks[:3]), np.array([0, -1, 1])), (sounds.arrays_of(marks[3:]), np.array([-1, 2, 3]))]
    made = InMemory()
    sounds.join(given, made)
    at_once = sounds.arrays_of([marks[0], marks[2], marks[4], marks[5]])
    assert {name: len(one) for name, one in made.arrays.items()} == {name: len(one) for name, one in at_once.items()}
    for name in ("key", "first", "begins", "peak"):
        assert (made.arrays[name] == at_once[name]).all()
    for begins, ends in zip(at_once["first"], at_once["first"][1:], strict=False):
        assert sorted(made.arrays["place"][begins:ends]) == sorted(at_once["place"][begins:ends])


def test_an_empty_archive_finds_nothing():
    assert find_sound(melody(5), Library.of([])) == []


def _tune(seconds, seed):
    """Notes of one scale in one time, so that many pairs of peaks are those of every other tune."""
    chosen = np.random.default_rng(seed)
    times = np.arange(int(0.25 * RATE_HZ)) / RATE_HZ
    notes = [330 * 2 ** (step / 12) for step in (0, 2, 4, 7, 9, 12, 14, 16, 19, 21, 24, 26, 28)]
    bars = [
        sum(np.sin(2 * np.pi * hz * times) for hz in chosen.choice(notes, 2)) * np.exp(-4 * times) * 6000
        for _ in range(int(seconds / 0.25))
    ]
    return np.concatenate(bars).astype(np.int16)


def test_other_tunes_of_the_same_notes_are_found_nowhere(monkeypatch):
    tunes = Library.of((str(seed), marks_of(_tune(60, seed))) for seed in range(4))
    queries = [_tune(8, seed) for seed in range(70, 76)]
    assert [find_sound(query, tunes) for query in queries] == [[]] * 6
    (found, *_) = find_sound(_tune(60, 2)[20 * RATE_HZ : 28 * RATE_HZ], tunes)
    assert (found.original, found.offset_s - found.query_offset_s) == ("2", pytest.approx(20, abs=0.1))
    # Their places have votes enough: what decides is whether it is loud where the peaks are.
    monkeypatch.setattr(sounds, "Z_MIN", -99.0)
    assert all(find_sound(query, tunes) for query in queries)
