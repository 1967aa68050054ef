from __future__ import annotations

import pytest

from pipeline.edges.caged.media import Decoded, Writing, samples
from pipeline.errors import Superseded, Unreadable
from pipeline.listening import Part, listen
from pipeline.records import Facts, Property
from pipeline.stage import Listener
from pipeline.stages import derive
from tests.pipeline.filming import MELODY, context_of, film, of_role, probed


class Ear(Listener):
    """Hears the sound; says how many samples came."""

    def __init__(self, writings=(), fails=False):
        self.branch, self.count, self.fails = samples(rate_hz=8000), 0, fails
        self.files = writings

    def heard(self):
        return [(self.branch, self.add)]

    def writings(self):
        return self.files

    def add(self, some):
        self.count += len(some)

    def end(self, decoded: Decoded) -> Facts:
        assert decoded.counts[self.branch] == self.count
        if self.fails:
            raise Unreadable("it has a cold")
        return Facts(properties=(Property(name="samples", found="", value=self.count),))


@pytest.fixture
def runs(monkeypatch):
    """How many programs were run."""
    from pipeline.edges.tools import Tools

    seen, run = [], Tools.run
    monkeypatch.setattr(Tools, "run", lambda *a, **k: seen.append(1) or run(*a, **k))
    return seen


def test_everything_is_made_of_one_decode_by_one_program(tmp_path, runs):
    source = film(tmp_path / "a.mkv", "shapes", MELODY.format(seed=1), seconds=2)
    known, context = probed(source), context_of(source, tmp_path)
    runs.clear()
    facts = derive.STAGE.run(known, context)
    assert len(facts.made) == 8
    assert len(facts.fingerprints) == 2
    assert len(runs) == 1


def test_those_who_want_the_same_hear_the_same_pipe(tmp_path, runs):
    source = film(tmp_path / "a.wav", sound=MELODY.format(seed=1), seconds=2)
    known, context = probed(source), context_of(source, tmp_path)
    runs.clear()
    heard = listen([Part(name, lambda _: Ear()) for name in "ab"], source, known, context)
    assert [facts.properties[0].value for facts in heard.values()] == [16_000, 16_000]
    assert len(runs) == 1


def test_one_whose_output_ends_the_program_does_not_take_the_others_along(tmp_path, runs):
    source = film(tmp_path / "a.wav", sound=MELODY.format(seed=1), seconds=2)
    known, context = probed(source), context_of(source, tmp_path)
    torn = [Writing({"a:0": ()}, tmp_path / "x.mp4", {"f": "mp4", "c:a": "pcm_u8"})]  # which MP4 does not hold
    trials = []
    parts = [
        Part("well", lambda _: Ear()),
        Part("torn", lambda trial: trials.append(trial) or Ear(torn), tries=3),
    ]
    runs.clear()
    heard = listen(parts, source, known, context)
    assert heard["well"].properties[0].value == 16_000
    assert isinstance(heard["torn"], Unreadable)
    assert [one.number for one in trials] == [0, 1, 2]
    assert "failed" in trials[1].why
    assert len(runs) == 4


def test_one_that_had_the_decode_alone_and_has_no_other_way_is_not_asked_again(tmp_path):
    source = film(tmp_path / "a.wav", sound=MELODY.format(seed=1), seconds=1)
    trials = []
    part = Part("alone", lambda trial: trials.append(trial) or Ear(fails=True))
    heard = listen([part], source, probed(source), context_of(source, tmp_path))
    assert heard["alone"].sentence == "it has a cold"
    assert len(trials) == 1


def test_a_job_that_is_not_wanted_any_more_ends_at_once(tmp_path):
    source = film(tmp_path / "a.mkv", "shapes", seconds=20, size="1280x720")

    def gone():
        raise Superseded("cancelled")

    context = context_of(source, tmp_path)
    context.still_wanted = gone
    with pytest.raises(Superseded):
        derive.STAGE.run(probed(source), context)


def test_progress_goes_up_to_the_end(tmp_path):
    source = film(tmp_path / "a.mkv", "shapes", MELODY.format(seed=1), seconds=10, size="1280x720")
    told = []
    context = context_of(source, tmp_path)
    context.progress = told.append
    derive.STAGE.run(probed(source), context)
    assert told == sorted(told)
    assert told[-1] == pytest.approx(1.0, abs=0.05)
    assert len(told) > 1


def test_a_sound_that_does_not_decode_leaves_a_silent_copy_and_all_that_is_seen(tmp_path):
    """E15: the sound's decoder is one that evidence does not need; the pictures are none the worse."""
    source = film(tmp_path / "a.mkv", "shapes", "sine=440", seconds=3, **{"c:a": "wavpack"})
    data = source.read_bytes().replace(b"A_WAVPACK4", b"A_WAVPACK9")
    broken = tmp_path / "b.mkv"
    broken.write_bytes(data)
    known = probed(source)
    facts = derive.STAGE.run(known, context_of(broken, tmp_path))
    made = {one.role for one in facts.made}
    assert {"proxy", "poster", "sprites", "scenes", "frame_times"} <= made
    assert of_role(facts.made, "proxy").parameters["audio"] is None
    assert {"proxy_without_sound", "no_waveform"} <= {one.code for one in facts.caveats}
