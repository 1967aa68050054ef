from __future__ import annotations

import pytest

from pipeline.errors import TryAgain, Unreadable
from pipeline.marks import pictures, sounds
from pipeline.records import Facts, Known, MadeFile
from pipeline.stage import Deriver
from pipeline.stages import derive
from tests.pipeline.filming import MELODY, context_of, film, probed
from tests.pipeline.probing import original_of

EVERYTHING = ["frame_times", "loudness", "poster", "proxy", "scenes", "sprites", "sprites_map", "waveform"]


def _roles(facts):
    return sorted(file.role for file in facts.made)


def test_a_film_gets_everything_a_reviewer_needs_and_no_caveat(tmp_path):
    source = film(tmp_path / "a.mkv", "shapes", MELODY.format(seed=1), seconds=3)
    facts = derive.STAGE.run(probed(source), context_of(source, tmp_path))
    assert _roles(facts) == EVERYTHING
    assert facts.caveats == ()
    assert {file.finder for file in facts.made} == {"proxy/4", "pictures/3", "waveform/1", "scenes/2", "loudness/1"}
    assert {one.finder for one in facts.fingerprints} == {f"video/{pictures.VERSION}", f"sound/{sounds.VERSION}"}
    assert all(file.path.is_file() and file.tool for file in facts.made)


def test_a_document_gets_nothing_and_no_caveat(tmp_path):
    source = tmp_path / "a.txt"
    source.write_text("nothing to see")
    assert derive.STAGE.run(Known(original=original_of(source)), context_of(source, tmp_path)) == derive.Facts()


def test_a_broken_photo_becomes_a_caveat_in_plain_words(tmp_path):
    source = tmp_path / "a.jpg"
    source.write_bytes(b"\xff\xd8\xff\xe0" + bytes(100))
    facts = derive.STAGE.run(Known(original=original_of(source)), context_of(source, tmp_path))
    (caveat,) = facts.caveats
    assert caveat.code == "no_preview"
    assert "kept unchanged" in caveat.text
    assert "原件完好" in caveat.text_zh
    assert caveat.finder == "view/3"


def test_one_that_fails_does_not_stop_the_others(tmp_path, monkeypatch):
    def fails(*_):
        raise Unreadable("it is torn")

    def makes(source, known, scratch, context):  # noqa: ARG001
        (scratch / "a").write_text("x")
        return Facts(made=(MadeFile(role="view", path=scratch / "a", mime="text/plain", tool="t"),))

    derivers = [Deriver(name, 7, (name,), lambda _: True, act) for name, act in (("torn", fails), ("whole", makes))]
    monkeypatch.setattr(derive, "kinds_in", lambda _, what: derivers if what == "DERIVER" else ())
    source = tmp_path / "a.txt"
    source.write_text("x")
    facts = derive.STAGE.run(Known(original=original_of(source)), context_of(source, tmp_path))
    assert [file.finder for file in facts.made] == ["whole/7"]
    assert [caveat.code for caveat in facts.caveats] == ["no_torn"]


def test_a_full_disk_is_not_a_caveat(tmp_path, monkeypatch):
    def full(*_):
        raise TryAgain("The disk is full")

    derivers = [Deriver("x", 1, ("x",), lambda _: True, full)]
    monkeypatch.setattr(derive, "kinds_in", lambda _, what: derivers if what == "DERIVER" else ())
    source = tmp_path / "a.txt"
    source.write_text("x")
    with pytest.raises(TryAgain):
        derive.STAGE.run(Known(original=original_of(source)), context_of(source, tmp_path))


def test_a_caveat_of_a_part_that_is_not_in_the_table_still_reads_well():
    deriver = Deriver("storyboard", 1, ("storyboard",), lambda _: True, lambda *_: Facts())
    assert derive.caveat_for(deriver, Unreadable("no page")).code == "no_storyboard"
