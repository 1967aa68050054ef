from __future__ import annotations

import numpy as np
import pytest

from pipeline.marks.sounds import (
    PAIR_BINS_MAX,
    PAIR_TICKS_MAX,
    RATE_HZ,
    TICK_S,
    Marker,
    marks_of,
    packed,
    unpacked,
)


def melody(seconds, seed=1):
    """Two tones at a time that change at uneven moments."""
    rng = np.random.default_rng(seed)
    times = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    sound = np.zeros(len(times))
    for _ in range(2):
        at = 0.0
        while at < seconds:
            lasts = rng.uniform(0.1, 0.4)
            part = (times >= at) & (times < at + lasts)
            since = times[part] - at
            sound[part] += np.sin(2 * np.pi * rng.uniform(150, 2500) * times[part]) * np.exp(-3 * since)
            at += lasts
    return (sound * 8000).astype(np.int16)


def _shared(one, other):
    """Marks of one that the other has at the same moment, give or take a tick."""
    pairs = set(zip(other.key.tolist(), other.tick.tolist(), strict=True))
    return sum(any((key, tick + step) in pairs for step in (-1, 0, 1)) for key, tick in
               zip(one.key.tolist(), one.tick.tolist(), strict=True))  # fmt: skip


def test_some_seventy_marks_a_second_are_kept_at_most():
    marks = marks_of(melody(20))
    assert 10 < len(marks) / 20 < 85


def test_silence_dither_and_steady_tones_leave_next_to_nothing():
    times = np.arange(10 * RATE_HZ) / RATE_HZ
    dither = np.random.default_rng(3).integers(-1, 2, 10 * RATE_HZ, np.int16)
    tone = (9000 * np.sin(2 * np.pi * 440 * times)).astype(np.int16)
    assert len(marks_of(np.zeros(10 * RATE_HZ, np.int16))) == 0
    assert len(marks_of(dither)) == 0
    assert len(marks_of(tone)) < 50  # five a second, of seventy


def test_nothing_and_almost_nothing_leave_no_marks():
    assert len(marks_of(np.empty(0, np.int16))) == 0
    assert len(marks_of(np.full(100, 9000, np.int16))) == 0


def test_noise_and_half_the_level_leave_most_marks():
    sound = melody(20)
    noisy = (sound * 0.5 + np.random.default_rng(1).normal(0, 60, len(sound))).astype(np.int16)
    before, after = marks_of(sound), marks_of(noisy)
    assert _shared(before, after) > 0.4 * len(before)


def test_another_sound_shares_next_to_nothing():
    one, other = marks_of(melody(20, seed=1)), marks_of(melody(20, seed=2))
    assert _shared(one, other) <= 3


def test_pieces_of_any_size_give_nearly_the_same_marks():
    sound = melody(130)
    pieces = Marker()
    for piece in np.array_split(sound, 97):
        pieces.add(piece)
    in_pieces, whole = pieces.marks(), marks_of(sound)
    assert len(in_pieces) == len(whole)
    assert (in_pieces.key == whole.key).all()
    assert (in_pieces.tick == whole.tick).all()


def test_marks_beyond_the_first_stretch_lie_where_they_sound():
    sound = melody(8, seed=4)
    quiet = np.zeros(150 * RATE_HZ, np.int16)
    late, alone = marks_of(np.concatenate([quiet, sound])), marks_of(sound)
    first = float(late.tick.min() - alone.tick.min()) * TICK_S
    assert first == pytest.approx(150, abs=0.1)


def test_a_key_has_22_bits():
    marks = marks_of(melody(20))
    assert int(marks.key.max()) < 1 << 22
    assert (marks.key & 63 <= PAIR_TICKS_MAX).all()
    assert ((marks.key >> 6) & 255 < 2 * PAIR_BINS_MAX).all()


def test_what_is_packed_comes_back():
    before = marks_of(melody(5))
    after = unpacked(packed(before))
    assert (after.key == before.key).all()
    assert (after.tick == before.tick).all()
    with pytest.raises(ValueError, match="marks"):
        unpacked(b"CRSM\x07" + bytes(7))
