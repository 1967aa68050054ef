from __future__ import annotations

import json

import numpy as np
import pytest

from pipeline.derivers.waveform import DERIVER, PAIRS_MAX, Peaks
from pipeline.errors import Unreadable
from pipeline.timeline import RATE_HZ
from tests.pipeline.filming import film, heard_by, of_role, probed


def _waveform(source, tmp_path):
    return json.loads(of_role(heard_by(DERIVER, source, tmp_path).made, "waveform").path.read_text())


def test_loud_and_silent_stretches_are_where_they_sound(tmp_path):
    source = film(tmp_path / "a.wav", sound="aevalsrc='0.5*sin(2*PI*440*t)*between(t,1,2)':s=44100", seconds=4)
    data = _waveform(source, tmp_path)
    assert (data["version"], data["bits"], data["channels"]) == (2, 8, 1)
    assert data["length"] == 200 == len(data["data"]) // 2
    pairs = np.array(data["data"]).reshape(-1, 2)
    assert (pairs[:48] >= -1).all()
    assert (pairs[:48] <= 1).all()
    assert pairs[55:95, 1].min() == pytest.approx(64, abs=4)
    assert pairs[55:95, 0].max() == pytest.approx(-64, abs=4)


def test_sound_that_starts_later_than_the_pictures_is_drawn_later(tmp_path):
    source = film(tmp_path / "a.mkv", "shapes", "sine=440", seconds=5, af="asetpts=PTS+2/TB")
    pairs = np.array(_waveform(source, tmp_path)["data"]).reshape(-1, 2)
    begins = int(np.flatnonzero(pairs[:, 1] > 5)[0])
    assert begins / 50 == pytest.approx(2, abs=0.06)


def test_a_film_without_sound_is_not_asked_and_would_be_unreadable(tmp_path):
    source = film(tmp_path / "a.mp4", "shapes", seconds=1)
    assert not DERIVER.wants(probed(source))
    with pytest.raises(Unreadable):
        _waveform(source, tmp_path)


def test_a_long_sound_needs_no_more_pairs_than_allowed_and_loses_no_peak():
    peaks = Peaks()
    rng = np.random.default_rng(5)
    block = rng.integers(-1000, 1000, RATE_HZ * 60, np.int16)
    for minute in range(45):
        if minute == 31:
            loud = block.copy()
            loud[777_777] = -32_768
            peaks.add(loud)
        else:
            peaks.add(block)
    pairs = peaks.pairs()
    assert PAIRS_MAX / 2 <= len(pairs) <= PAIRS_MAX + 1
    at_s = int(pairs[:, 0].argmin()) * peaks.stretch_samples / RATE_HZ
    assert at_s == pytest.approx(31 * 60 + 777_777 / RATE_HZ, abs=peaks.stretch_samples / RATE_HZ)
    assert abs(len(pairs) * peaks.stretch_samples - peaks.sample_count) < peaks.stretch_samples


def test_pieces_of_any_size_give_the_same_peaks():
    samples = np.random.default_rng(2).integers(-30_000, 30_000, 50_000, np.int16)
    whole, pieces = Peaks(), Peaks()
    whole.add(samples)
    for piece in np.array_split(samples, 137):
        pieces.add(piece)
    assert (whole.pairs() == pieces.pairs()).all()
