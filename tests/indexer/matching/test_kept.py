from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
from filelock import FileLock

from indexer.match import InFiles
from indexer.matching import kept as kept_module
from indexer.matching import shelf
from indexer.matching.pictures import find_clip
from indexer.matching.sounds import find_sound
from pipeline.errors import TryAgain
from pipeline.marks import pictures as picture_marks
from pipeline.marks import sounds as sound_marks
from pipeline.records import Fingerprint
from tests.indexer.archive import Archive, known
from tests.indexer.matching.test_pictures import _film, _marks
from tests.pipeline.marks.test_sounds import melody


def _with_marks(name, *frames_or_samples, state="ready"):
    prints = []
    for one in frames_or_samples:
        if one.ndim == 3:
            prints.append(
                Fingerprint(method="video", version=picture_marks.VERSION, data=picture_marks.packed(_marks(one)))
            )
        else:
            data = sound_marks.packed(sound_marks.marks_of(one))
            prints.append(Fingerprint(method="sound", version=sound_marks.VERSION, data=data))
    return replace(known(name, state=state), fingerprints=tuple(prints))


@pytest.fixture
def rng():
    return np.random.default_rng(31)


@pytest.fixture
def films(rng):
    return {f"o{number}": _film(rng, 20) for number in range(8)}


def _found(marked, film, start_s=4):
    part = film[start_s * 4 : start_s * 4 + 24]
    return [one.original for one in find_clip(part, 0.25, marked.pictures())]


def test_what_is_recorded_later_is_found_and_what_is_disposed_of_is_not(films, tmp_path):
    catalog = Archive()
    marked = InFiles(catalog, tmp_path)
    assert _found(marked, films["o0"]) == []
    for name, film in films.items():
        catalog.put(_with_marks(name, film[::2]))
        assert _found(marked, film) == [name]
    catalog.put(_with_marks("o3", films["o3"][::2], state="disposed"))
    assert _found(marked, films["o3"]) == []
    assert [_found(marked, films[name]) for name in ("o2", "o4")] == [["o2"], ["o4"]]


def test_other_marks_take_the_place_of_earlier_ones(films, tmp_path):
    catalog = Archive([_with_marks("a", films["o0"][::2]), _with_marks("b", films["o1"][::2])])
    marked = InFiles(catalog, tmp_path)
    assert _found(marked, films["o0"]) == ["a"]
    catalog.put(_with_marks("a", films["o2"][::2]))
    assert _found(marked, films["o0"]) == []
    assert _found(marked, films["o2"]) == ["a"]


def test_changes_that_leave_the_marks_alone_write_no_segment(films, tmp_path):
    catalog = Archive([_with_marks("a", films["o0"][::2])])
    marked = InFiles(catalog, tmp_path)
    assert _found(marked, films["o0"]) == ["a"]
    before = _segments(tmp_path)
    catalog.put(_with_marks("a", films["o0"][::2]), known("other"))
    assert _found(marked, films["o0"]) == ["a"]
    assert _segments(tmp_path) == before


def _segments(folder):
    return sorted(path.parent.name for path in folder.rglob("entry.npy"))


def test_small_segments_are_joined_and_still_answer(films, tmp_path):
    catalog = Archive()
    marked = InFiles(catalog, tmp_path)
    kept = marked.kept["pictures"]
    for name, film in films.items():
        catalog.put(_with_marks(name, film[::2]))
        kept.follow()
    assert kept.state()["originals"] == len(films)
    assert kept.state()["segments"] < kept_module.JOINED
    assert [_found(marked, film) for film in films.values()] == [[name] for name in films]
    # Superseded rows do not come back by joining.
    catalog.put(_with_marks("o0", films["o0"][::2], state="disposed"))
    for number in range(6):
        catalog.put(_with_marks(f"x{number}", films["o1"][number * 4 : number * 4 + 20 : 2]))
        kept.follow()
    assert _found(marked, films["o0"]) == []


def test_sounds_are_kept_in_the_same_way(tmp_path):
    catalog = Archive()
    marked = InFiles(catalog, tmp_path)
    for seed in range(1, 8):
        catalog.put(_with_marks(f"s{seed}", melody(20, seed)))
        marked.kept["sounds"].follow()
    for seed in (1, 7):
        part = melody(20, seed)[5 * 11_025 : 12 * 11_025]
        (found,) = find_sound(part, marked.sounds())
        assert (found.original, found.offset_s - found.query_offset_s) == (f"s{seed}", pytest.approx(5, abs=0.1))


def test_who_may_not_see_an_original_finds_the_others(films, tmp_path):
    catalog = Archive([_with_marks(name, films["o0"][::2], melody(20, 1)) for name in ("a", "b")])
    marked = InFiles(catalog, tmp_path)
    part = melody(20, 1)[5 * 11_025 : 12 * 11_025]
    assert {one.original for one in find_clip(films["o0"], 0.25, marked.pictures(frozenset("a")))} == {"b"}
    assert {one.original for one in find_sound(part, marked.sounds(frozenset("a")))} == {"b"}
    assert {one.original for one in find_sound(part, marked.sounds())} == {"a", "b"}


def test_a_large_archive_is_asked_with_fewer_looks_and_still_answers(films, tmp_path, monkeypatch):
    marked = InFiles(Archive(_with_marks(name, film[::2]) for name, film in films.items()), tmp_path)
    asked = []
    looked = shelf.near_keys
    monkeypatch.setattr(shelf, "near_keys", lambda *given: asked.append(given[-1]) or looked(*given))
    monkeypatch.setattr(shelf, "NEAR_PARTS_ROWS_MAX", 10)
    assert [_found(marked, film) for film in films.values()] == [[name] for name in films]
    assert set(asked) == {0}


@pytest.mark.parametrize("harm", ["list gone", "list torn", "segment gone", "left half written", "catalog restored"])
def test_a_damaged_index_is_made_anew(films, tmp_path, harm):
    catalog = Archive([_with_marks("a", films["o0"][::2]), _with_marks("b", films["o1"][::2])])
    marked = InFiles(catalog, tmp_path)
    assert _found(marked, films["o1"]) == ["b"]
    (folder,) = tmp_path.glob("pictures-*/")
    listed = folder / "segments.json"
    match harm:
        case "list gone":
            listed.unlink()
        case "list torn":
            listed.write_bytes(listed.read_bytes()[:30])
        case "segment gone":
            name = json.loads(listed.read_text())["parts"][0]["name"]
            (folder / name).rename(tmp_path / "elsewhere")
        case "left half written":
            (folder / "01ABC.part").mkdir()
            catalog.put(_with_marks("c", films["o2"][::2]))
            assert _found(marked, films["o2"]) == ["c"]
            assert not list(folder.glob("*.part"))
        case "catalog restored":
            catalog.lose(1)
            assert _found(InFiles(catalog, tmp_path), films["o1"]) == []
            catalog.put(_with_marks("b", films["o1"][::2]))
    assert _found(InFiles(catalog, tmp_path), films["o0"]) == ["a"]
    assert _found(InFiles(catalog, tmp_path), films["o1"]) == ["b"]


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
def test_a_writer_that_is_killed_leaves_an_index_that_answers(films, tmp_path):
    """Killed at chance moments while it takes in one film after the other."""
    chance = random.Random(3)
    for _ in range(8):
        writer = os.fork()
        if not writer:
            catalog = Archive()
            for name, film in films.items():
                catalog.put(_with_marks(name, film[::2]))
                InFiles(catalog, tmp_path).kept["pictures"].follow()
            os._exit(0)
        time.sleep(chance.uniform(0.05, 0.5))
        os.kill(writer, signal.SIGKILL)
        os.waitpid(writer, 0)
        whole = Archive(_with_marks(name, film[::2]) for name, film in list(films.items())[:4])
        assert _found(InFiles(whole, tmp_path), films["o1"]) == ["o1"]


def test_a_writer_that_is_killed_while_it_empties_the_index_leaves_one_that_answers(films, tmp_path, monkeypatch):
    whole, restored = (Archive(_with_marks(name, film[::2]) for name, film in films.items()) for _ in range(2))
    assert _found(InFiles(whole, tmp_path), films["o1"]) == ["o1"]
    restored.lose(4)

    class Killed(BaseException):
        pass

    def half_removed(path, **_):
        next(path.glob("*.npy") if path.suffix else path.rglob("*.npy")).unlink()
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(kept_module.shutil, "rmtree", half_removed)
        with pytest.raises(Killed):
            InFiles(restored, tmp_path).pictures()
    assert _found(InFiles(whole, tmp_path), films["o1"]) == ["o1"]


def test_the_index_of_an_earlier_version_goes_when_one_of_this_is_made(films, tmp_path):
    earlier = tmp_path / "pictures-0-1" / "01ABC"
    earlier.mkdir(parents=True)
    (tmp_path / "sounds-0-1").mkdir()
    assert _found(InFiles(Archive([_with_marks("a", films["o0"][::2])]), tmp_path), films["o0"]) == ["a"]
    assert sorted(path.name.partition("-")[0] for path in tmp_path.glob("*-*/")) == ["pictures", "sounds"]
    assert not earlier.exists()


def test_a_writer_that_stands_still_is_not_waited_for_for_ever(films, tmp_path, monkeypatch):
    monkeypatch.setattr(kept_module, "WAITED_MAX_S", 0.1)
    marked = InFiles(Archive([_with_marks("a", films["o0"][::2])]), tmp_path)
    with FileLock(tmp_path / "pictures.lock"), pytest.raises(TryAgain, match="Another process"):
        marked.pictures()
    assert _found(marked, films["o0"]) == ["a"]


def test_an_index_in_files_looks_up_what_one_in_memory_does(films, tmp_path):
    catalog = Archive(_with_marks(name, film[::2]) for name, film in films.items())
    in_files = InFiles(catalog, tmp_path).pictures()
    in_memory = shelf.Library.of((name, _marks(film[::2])) for name, film in films.items())
    part = films["o5"][10:40]
    assert find_clip(part, 0.25, in_files) == find_clip(part, 0.25, in_memory)
    assert {type(segment.bits.base) for segment in in_files.segments} == {np.memmap}


def test_a_segment_that_goes_is_out_of_sight_as_a_whole_before_its_files_go(films, tmp_path, monkeypatch):
    """Else a reader that maps it just then finds some of its files."""
    catalog = Archive()
    marked = InFiles(catalog, tmp_path)
    seen = []

    def nothing_yet(path, **_):
        seen.append(path)

    monkeypatch.setattr(kept_module.shutil, "rmtree", nothing_yet)
    for name, film in films.items():
        catalog.put(_with_marks(name, film[::2]))
        assert _found(marked, film) == [name]
    assert seen
    named = {part.name for part in marked.kept["pictures"].follow().parts}
    folder = marked.kept["pictures"]._folder
    assert {path.name for path in folder.iterdir() if path.is_dir() and path.suffix != kept_module.GONE} == named
