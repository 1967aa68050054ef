from __future__ import annotations

import json

import numpy as np
import pytest

from pipeline.derivers.scenes import DERIVER, Watch
from tests.pipeline.filming import SCENES, film, heard_by, of_role


def _scenes(source, tmp_path):
    facts = heard_by(DERIVER, source, tmp_path)
    return json.loads(of_role(facts.made, "scenes").path.read_text()), facts


def test_black_and_frozen_stretches_and_cuts_are_where_they_are(tmp_path):
    """Seconds 0-3 move, 3-6 are black, 6-9 stand still, then it moves again; ffmpeg's own filters agree."""
    moving = SCENES["fractal"]
    edit = "loop=loop=75:size=1:start=150,drawbox=enable='between(n,75,149)':color=black:t=fill"
    source = film(tmp_path / "a.mp4", f"{moving},{edit}", seconds=12, qp=0)
    found, facts = _scenes(source, tmp_path)
    assert found["black"] == [pytest.approx([3, 6], abs=0.05)]
    assert [stretch for stretch in found["frozen"] if stretch[0] > 5.5] == [pytest.approx([6, 9], abs=0.09)]
    assert found["scenes"] == pytest.approx([3, 6], abs=0.05)
    assert {one.name: one.value for one in facts.properties}["video.black_s"] == pytest.approx(3, abs=0.05)
    assert facts.caveats == ()


@pytest.mark.parametrize(("picture", "code"), [("color=black:size={size}:rate={rate}", "all_black"),
                                               ("smptebars=size={size}:rate={rate}", "all_frozen")])  # fmt: skip
def test_a_recording_that_shows_nothing_says_so(tmp_path, picture, code):
    _, facts = _scenes(film(tmp_path / "a.mkv", picture, seconds=4), tmp_path)
    assert [one.code for one in facts.caveats] == [code]


def test_what_moves_slowly_does_not_stand_still():
    watch = Watch(25)
    ramp = np.tile(np.arange(128, dtype=np.uint8), (128, 1))
    watch.add(np.stack([ramp + np.uint8(number // 10) for number in range(250)]))
    assert watch.found() == {"scenes": [], "black": [], "frozen": []}


def test_batches_of_any_size_find_the_same():
    chance = np.random.default_rng(3)
    frames = chance.integers(0, 255, (60, 128, 128), np.uint8)
    frames[10:20], frames[20:] = 0, frames[20]
    whole, pieces = Watch(5), Watch(5)
    whole.add(frames)
    for piece in np.array_split(frames, 13):
        pieces.add(piece)
    assert whole.found() == pieces.found()
    assert whole.found()["black"] == [(2.0, 4.0)]
    assert whole.found()["frozen"] == [(2.0, 4.0), (4.0, 12.0)]
