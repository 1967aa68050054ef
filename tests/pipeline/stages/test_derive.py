from __future__ import annotations

import csv
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from pipeline.errors import TryAgain, Unreadable
from pipeline.records import Known, MadeFile
from pipeline.stage import Deriver
from pipeline.stages import derive
from tests.pipeline.filming import MELODY, context_of, film, probed
from tests.pipeline.probing import original_of


def _roles(facts):
    return sorted(file.role for file in facts.made)


def test_a_film_gets_everything_a_reviewer_needs_and_no_caveat(tmp_path):
    source = film(tmp_path / "a.mkv", "shapes", MELODY.format(seed=1), seconds=3)
    facts = derive.STAGE.run(probed(source), context_of(source, tmp_path))
    assert _roles(facts) == ["poster", "proxy", "sprites", "sprites_map", "waveform"]
    assert facts.caveats == ()
    assert {file.finder for file in facts.made} == {"proxy/1", "pictures/1", "waveform/1"}
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
    assert caveat.finder == "view/1"


def test_one_that_fails_does_not_stop_the_others(tmp_path, monkeypatch):
    def fails(*_):
        raise Unreadable("it is torn")

    def makes(source, known, scratch, context):  # noqa: ARG001
        (scratch / "a").write_text("x")
        return [MadeFile(role="view", path=scratch / "a", mime="text/plain", tool="t")]

    derivers = [Deriver(name, 7, (name,), lambda _: True, act) for name, act in (("torn", fails), ("whole", makes))]
    monkeypatch.setattr(derive, "kinds_in", lambda *_: derivers)
    source = tmp_path / "a.txt"
    source.write_text("x")
    facts = derive.STAGE.run(Known(original=original_of(source)), context_of(source, tmp_path))
    assert [file.finder for file in facts.made] == ["whole/7"]
    assert [caveat.code for caveat in facts.caveats] == ["no_torn"]


def test_a_full_disk_is_not_a_caveat(tmp_path, monkeypatch):
    def full(*_):
        raise TryAgain("The disk is full")

    monkeypatch.setattr(derive, "kinds_in", lambda *_: [Deriver("x", 1, ("x",), lambda _: True, full)])
    source = tmp_path / "a.txt"
    source.write_text("x")
    with pytest.raises(TryAgain):
        derive.STAGE.run(Known(original=original_of(source)), context_of(source, tmp_path))


def test_the_viewing_copy_is_made_first():
    names = [one.name for one in derive.in_order(derive.kinds_in("pipeline.derivers", "DERIVER"))]
    assert names == ["proxy", "pictures", "view", "waveform"]


def test_a_copy_that_ends_too_early_says_by_how_much(tmp_path):
    short = MadeFile(role="proxy", path=tmp_path, mime="", tool="", parameters={"short_by_s": 12.34, "source_s": 60.0})
    (caveat,) = derive.caveats_of(short)
    assert caveat.code == "proxy_shorter"
    assert "12.3 s" in caveat.text
    assert "12.3 秒" in caveat.text_zh


def test_a_caveat_of_a_part_that_is_not_in_the_table_still_reads_well():
    deriver = Deriver("storyboard", 1, ("storyboard",), lambda _: True, lambda *_: [])
    assert derive.caveat_for(deriver, Unreadable("no page")).code == "no_storyboard"


# Zero samples, chapters without sound, or a fault of a reader: its tool says valid, and there is nothing to show.
NOTHING_TO_SHOW = frozenset((
    "pypi__mutagen/data/2822400-1ch-0s-silence.dff", "pypi__mutagen/data/with-id3.dsf",
    "pypi__mutagen/data/nero-chapters.m4b", "pypi__pillow/decompression_bomb.ico",
    # FFmpeg, told the demuxer, does not skip the tag in front of this Monkey's Audio.
    "debian__taglib/mac-399-id3v2.ape",
    # pi_heif 1.4 crashes on this one's metadata.
    "pypi__pillow_heif/heif_special/invalid_metadata_type.heic",
))  # fmt: skip


@pytest.mark.corpus
@pytest.mark.slow
def test_every_real_recording_can_be_looked_at_or_says_why_not(corpus, tmp_path, capsys):
    with (corpus / "manifest.csv").open(encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["kind"] in ("photo", "video", "audio")]
    began = time.monotonic()

    def one(row):
        source = corpus / row["path"]
        return row, derive.STAGE.run(probed(source), context_of(source, tmp_path))

    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(one, rows))
    counts, missing = Counter(), []
    for row, facts in done:
        made = set(_roles(facts))
        counts.update((row["kind"], row["valid"], role) for role in made)
        counts[row["kind"], row["valid"], "all"] += 1
        wanted = "view" if row["kind"] == "photo" else "proxy"
        if row["valid"] == "yes" and wanted not in made and row["path"] not in NOTHING_TO_SHOW:
            missing.append((row["path"], [caveat.text for caveat in facts.caveats]))
    with capsys.disabled():
        print(f"\n{len(rows)} recordings in {time.monotonic() - began:.0f} s")
        for key, count in sorted(counts.items()):
            print(*key, count)
        shorter = [row["path"] for row, facts in done if "proxy_shorter" in {one.code for one in facts.caveats}]
        print("shorter:", shorter)
    assert missing == []
