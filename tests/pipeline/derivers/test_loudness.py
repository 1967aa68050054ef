from __future__ import annotations

import json

import numpy as np
import pytest

from pipeline.derivers.loudness import DERIVER, Hush, Meter
from tests.pipeline.filming import film, heard_by, of_role


def _loudness(source, tmp_path):
    facts = heard_by(DERIVER, source, tmp_path)
    return json.loads(of_role(facts.made, "loudness").path.read_text()), facts


def test_a_tone_has_the_loudness_of_the_standard(tmp_path):
    """EBU Tech 3341, case 1: a stereo sine of 1000 Hz at -23 dBFS a channel is -23.0 LUFS, to 0.1."""
    amplitude = 10 ** (-23 / 20)
    tone = f"{amplitude}*sin(2*PI*1000*t)"
    source = film(tmp_path / "a.wav", sound=f"aevalsrc='{tone}|{tone}':s=48000", seconds=20)
    found, facts = _loudness(source, tmp_path)
    assert found["integrated_lufs"] == pytest.approx(-23.0, abs=0.1)
    assert found["momentary_lufs"][5:15] == pytest.approx([-23.0] * 10, abs=0.1)
    assert len(found["momentary_lufs"]) == 20
    assert found["silent"] == []
    assert {one.name: one.value for one in facts.properties}["audio.loudness_lufs"] == found["integrated_lufs"]


def test_stretches_in_which_nothing_is_heard_are_found(tmp_path):
    source = film(tmp_path / "a.mkv", "shapes", "aevalsrc='0.3*sin(2*PI*440*t)*(1-between(t,3,7))':s=44100", seconds=9)
    found, facts = _loudness(source, tmp_path)
    assert found["silent"] == [pytest.approx([3, 7], abs=0.05)]
    assert facts.caveats == ()


def test_a_silent_track_says_so(tmp_path):
    _, facts = _loudness(film(tmp_path / "a.mkv", "shapes", "anullsrc", seconds=4), tmp_path)
    assert [one.code for one in facts.caveats] == ["all_silent"]


def test_figures_are_read_whatever_pieces_they_come_in():
    text = b"frame:0 pts:0 pts_time:0.1\nlavfi.r128.M=-30.5\nlavfi.r128.I=-31.0\nlavfi.r128.LRA=2.5\n"
    text += b"frame:9 pts:0 pts_time:2.9\nlavfi.r128.M=nan\nlavfi.r128.I=-29.0\n"
    meter = Meter()
    for piece in np.array_split(np.frombuffer(text, np.uint8), 17):
        meter.add(piece)
    assert (meter.momentary, meter.integrated, meter.range_lu) == ([-30.5, -70.0, -70.0], -29.0, 2.5)


def test_hush_counts_across_pieces():
    samples = np.zeros(16_000 * 6, np.int16)
    samples[: 16_000 * 2] = 3000
    hush = Hush()
    for piece in np.array_split(samples, 41):
        hush.add(piece)
    assert hush.stretches() == [(2.0, 6.0)]
