from __future__ import annotations

import importlib
import itertools
import os
import shutil
import signal
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from filelock import FileLock

import indexer.backends
import indexer.follower
from indexer.contract import Asked
from indexer.document import Document
from indexer.follower import BATCH, Follower, IndexMissing
from indexer.tree import All, Words
from indexer.words import analysis
from pipeline.errors import BadInput
from pipeline.kinds import kinds_in
from pipeline.records import Known
from tests.children import child
from tests.indexer.archive import Archive, known

NAMES = [backend.name for backend in kinds_in(indexer.backends.__name__, "BACKEND")]


ADDRESS = "database"


@pytest.fixture(
    params=[pytest.param(name, marks=pytest.mark.postgres) if name == "postgresql" else name for name in NAMES]
)
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Each backend; the address of the database lies in the test's folder, where other processes find it too."""
    if request.param == "postgresql":
        (tmp_path / ADDRESS).write_text(request.getfixturevalue("postgres"))
    return str(request.param)


def follower_of(catalog: Archive, folder: Path, backend: str) -> Follower:
    address = folder.parent / ADDRESS
    return Follower(catalog, folder, backend, database=address.read_text() if address.exists() else "")


@pytest.fixture
def catalog() -> Archive:
    return Archive([known("a", folder="现场检查"), known("b", folder="询问笔录")])


@pytest.fixture
def follower(backend: str, catalog: Archive, tmp_path: Path) -> Follower:
    return follower_of(catalog, tmp_path / "index", backend)


def found(follower: Follower, text: str) -> list[str]:
    node = Words(analysis.phrase(text).tokens) if text else All()
    return sorted(match.id for match in follower.search(Asked(node=node, limit=10_000)).hits)


def damage(folder: Path) -> None:
    name = (folder / "current").read_text()
    if name.startswith("postgresql-"):
        with sa.create_engine((folder.parent / ADDRESS).read_text()).begin() as connection:
            connection.exec_driver_sql(f'DROP TABLE "{name}".document')
    for path in (folder / name).iterdir():
        if path.is_file() and path.stat().st_size and "lock" not in path.name.lower():
            # In a new file: cutting one that this process has mapped would end the process.
            path.unlink()
            path.write_bytes(b"\0" * 10)


def test_following_brings_every_change_into_the_index(follower: Follower, catalog: Archive) -> None:
    assert follower.follow() == catalog.head() == 2
    assert found(follower, "检查") == ["a"]
    catalog.put(known("a", folder="听证"), known("c", folder="检查"))
    assert follower.follow() == 4
    assert (found(follower, "检查"), found(follower, "听证")) == (["c"], ["a"])


def test_an_empty_catalog_is_followed_too(backend: str, tmp_path: Path) -> None:
    follower = follower_of(Archive(), tmp_path / "index", backend)
    assert follower.follow() == 0
    assert found(follower, "") == []


def test_following_again_reads_nothing(follower: Follower, catalog: Archive) -> None:
    follower.follow()
    catalog.asked.clear()
    follower.follow()
    assert catalog.asked == []


def test_more_changes_than_one_batch_are_all_followed(backend: str, tmp_path: Path) -> None:
    catalog = Archive(known(f"d{number:05}") for number in range(BATCH * 2 + 3))
    follower = follower_of(catalog, tmp_path / "index", backend)
    follower.follow()
    assert follower.stats().documents == BATCH * 2 + 3


def test_a_sidecar_that_comes_late_makes_its_recording_findable(follower: Follower, catalog: Archive) -> None:
    follower.follow()
    catalog.put(known("s", kind="sidecar", parent="a", sidecar__note="闫璐在场"))
    follower.follow()
    assert "a" in found(follower, "闫璐")


def test_state_tells_how_far_behind_it_is_and_changes_nothing(
    follower: Follower, catalog: Archive, tmp_path: Path, backend: str
) -> None:
    assert follower.state() == {
        "backend": backend, "wanted": backend, "documents": 0, "seq": 0, "bytes": 0, "fault": "not built yet",
        "behind": 2, "building": None,
    }  # fmt: skip
    assert not (tmp_path / "index").exists()
    follower.follow()
    catalog.put(known("c"))
    told = follower.state()
    assert (told["documents"], told["seq"], told["behind"], told["fault"]) == (2, 2, 1, None)
    assert told["bytes"] > 0


def test_another_follower_sees_what_was_followed(
    follower: Follower, catalog: Archive, tmp_path: Path, backend: str
) -> None:
    other = follower_of(catalog, tmp_path / "index", backend)
    other.follow()
    follower.follow()
    catalog.put(known("c", folder="检查"))
    other.follow()
    assert found(follower, "检查") == ["a", "c"]


def test_a_damaged_index_is_noticed_told_and_built_anew(
    follower: Follower, catalog: Archive, tmp_path: Path, backend: str
) -> None:
    follower.follow()
    damage(tmp_path / "index")
    other = follower_of(catalog, tmp_path / "index", backend)
    assert other.state()["fault"]
    assert other.follow() == 2
    assert found(other, "检查") == ["a"]
    assert other.state()["fault"] is None


def test_an_index_that_vanished_under_an_open_follower_is_built_anew(follower: Follower, tmp_path: Path) -> None:
    follower.follow()
    shutil.rmtree(tmp_path / "index")
    assert follower.follow() == 2
    assert found(follower, "检查") == ["a"]


def test_an_index_of_another_version_is_built_anew(
    follower: Follower, catalog: Archive, tmp_path: Path, backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    follower.follow()
    monkeypatch.setattr(f"indexer.backends.{backend}_index.VERSION", "9.9")
    newer = follower_of(catalog, tmp_path / "index", backend)
    assert "version" in newer.state()["fault"]
    newer.follow()
    assert found(newer, "检查") == ["a"]


def test_an_index_ahead_of_a_restored_catalog_is_built_anew(follower: Follower, catalog: Archive) -> None:
    follower.follow()
    catalog.lose(1)
    assert follower.follow() == 1
    assert found(follower, "") == ["a"]


@pytest.mark.postgres
def test_the_index_of_the_former_setting_answers_until_a_rebuild_moves_to_the_new_one(
    catalog: Archive, tmp_path: Path, postgres: str
) -> None:
    folder = tmp_path / "index"
    (tmp_path / ADDRESS).write_text(postgres)
    follower_of(catalog, folder, NAMES[0]).follow()
    for before, name in itertools.pairwise([*NAMES, NAMES[0]]):
        follower = follower_of(catalog, folder, name)
        catalog.put(known("c", folder=f"检查 {name}"))
        follower.follow()
        assert found(follower, name) == ["c"]
        state = follower.state()
        assert (state["backend"], state["wanted"], state["fault"]) == (before, name, None)
        follower.rebuild()
        assert found(follower, name) == ["c"]
        assert follower.state()["backend"] == name
        assert [path.name.partition("-")[0] for path in folder.iterdir() if path.is_dir()] == [name]
    with sa.create_engine((tmp_path / ADDRESS).read_text()).begin() as connection:
        left = connection.exec_driver_sql("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'postgresql-%%'").all()
    assert len(left) == 1, "the index that was moved away from takes up the database no more"


def test_an_unknown_backend_is_refused_before_anything_is_done(catalog: Archive, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="tantivy"):
        Follower(catalog, tmp_path / "index", "lucene")
    assert not (tmp_path / "index").exists()


def test_an_index_in_a_database_without_one_is_refused_with_the_setting_to_change(
    catalog: Archive, tmp_path: Path
) -> None:
    with pytest.raises(BadInput, match=r"catalog\.url"):
        Follower(catalog, tmp_path / "index", "postgresql", database="sqlite:///x").follow()


def _build_together(backend: str, words: int, monkeypatch: pytest.MonkeyPatch) -> None:
    module = importlib.import_module(f"indexer.backends.{backend}_index")
    monkeypatch.setattr(module, "BACKEND", replace(module.BACKEND, built_together=words))


def test_a_rebuild_commits_many_batches_together_and_leaves_none_out(
    follower: Follower, catalog: Archive, backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexer.follower, "BATCH", 2)
    _build_together(backend, 30, monkeypatch)
    catalog.put(*(known(f"n{number}", folder="检查") for number in range(9)))
    told: list[tuple[int, int]] = []
    assert follower.rebuild(lambda done, total: told.append((done, total))) == 11
    assert told[-1] == (11, 11)
    assert 1 < len(told) < 6


def test_a_rebuild_on_demand_tells_its_progress_and_leaves_one_index(follower: Follower, tmp_path: Path) -> None:
    follower.follow()
    told: list[tuple[int, int]] = []
    assert follower.rebuild(lambda done, total: told.append((done, total))) == 2
    assert told == [(2, 2)]
    assert follower.building() is None
    assert len([path for path in (tmp_path / "index").iterdir() if path.is_dir()]) == 1
    assert found(follower, "检查") == ["a"]


def test_the_old_index_answers_while_a_new_one_is_built(follower: Follower, catalog: Archive) -> None:
    follower.follow()
    answers: list[list[str]] = []
    reading = catalog.known_of_many

    def read_and_search(ids: Sequence[str], **_: bool) -> list[Known]:
        answers.append(found(follower, "检查"))
        return reading(ids)

    catalog.known_of_many = read_and_search  # type: ignore[method-assign]
    follower.rebuild()
    assert answers == [["a"]]


def test_changes_made_while_an_index_is_built_are_in_it(follower: Follower, catalog: Archive) -> None:
    follower.follow()
    reading = catalog.known_of_many

    def read_and_change(ids: Sequence[str], **_: bool) -> list[Known]:
        knowns = reading(ids)
        catalog.known_of_many = reading  # type: ignore[method-assign]
        catalog.put(known("c", folder="检查"))
        return knowns

    catalog.known_of_many = read_and_change  # type: ignore[method-assign]
    follower.rebuild()
    assert found(follower, "检查") == ["a", "c"]


def test_threads_that_wait_find_their_change_covered(follower: Follower, catalog: Archive) -> None:
    follower.follow()
    count = 24
    start = threading.Barrier(count)
    seen: list[tuple[int, int]] = []

    def change(number: int) -> None:
        start.wait()
        catalog.put(known(f"t{number}", folder="检查"))
        wanted = catalog.head()
        seen.append((wanted, follower.follow()))

    threads = [threading.Thread(target=change, args=(number,)) for number in range(count)]
    catalog.asked.clear()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(got >= wanted for wanted, got in seen)
    assert len(found(follower, "检查")) == count + 1
    assert len(catalog.asked) == count


def _archive(count: int) -> Archive:
    return Archive(known(f"d{number:05}", folder="检查") for number in range(count))


def _follow(folder: Path, backend: str, count: int) -> None:
    follower_of(_archive(count), folder, backend).follow()


def test_processes_that_begin_together_build_one_index(backend: str, tmp_path: Path) -> None:
    processes = [child(_follow, tmp_path / "index", backend, 40) for _ in range(3)]
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    follower = follower_of(_archive(40), tmp_path / "index", backend)
    assert follower.state()["behind"] == 0
    assert len(found(follower, "检查")) == 40


def test_a_rebuild_killed_in_the_middle_leaves_the_old_index_and_is_taken_up(backend: str, tmp_path: Path) -> None:
    folder = tmp_path / "index"
    _follow(folder, backend, 3)
    current = (folder / "current").read_text()
    process = child(_rebuild, folder, backend, BATCH * 4)
    deadline = time.monotonic() + 60
    while not list(folder.glob(f"{backend}-*.building")):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    time.sleep(0.3)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
    process.join()
    assert (folder / "current").read_text() == current
    follower = follower_of(_archive(BATCH * 4), folder, backend)
    assert len(found(follower, "检查")) == 3
    follower.rebuild()
    assert len(found(follower, "检查")) == BATCH * 4
    assert not list(folder.glob("*.building"))


def _rebuild(folder: Path, backend: str, count: int) -> None:
    follower_of(_archive(count), folder, backend).rebuild()


PHASES = (
    "index.begun",
    "index.staged",
    "index.before_commit",
    "index.after_commit",
    "index.committed:2",
    "index.finished",
    "index.before_place",
    "index.placed",
)


def _rebuild_and_die(folder: Path, backend: str, phase: str, batch: int) -> None:
    os.environ["CASEREEL_FAILPOINT"] = phase
    indexer.follower.BATCH = batch
    _build_together(backend, 0, pytest.MonkeyPatch())
    _rebuild(folder, backend, 9)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_a_rebuild_killed_in_any_phase_leaves_an_index_that_answers(backend: str, tmp_path: Path) -> None:
    folder = tmp_path / "index"
    _follow(folder, backend, 3)
    for phase in PHASES:
        process = child(_rebuild_and_die, folder, backend, phase, 3)
        process.join(60)
        assert process.exitcode == -signal.SIGKILL, phase
        follower = follower_of(_archive(9), folder, backend)
        assert len(found(follower, "检查")) == (9 if phase == "index.placed" else 3), phase
        follower.close()
    follower = follower_of(_archive(9), folder, backend)
    follower.rebuild()
    assert len(found(follower, "检查")) == 9
    assert [path for path in folder.iterdir() if path.name.endswith(".building")] == []
    assert len([path for path in folder.iterdir() if path.is_dir()]) == 1


def test_documents_that_an_index_lost_are_counted_and_put_back(follower: Follower, catalog: Archive) -> None:
    catalog.put(known("gone", state="disposed"))
    follower.follow()
    index = follower._index()
    index.stage([], deletes=["a"])
    index.commit(index.seq())
    assert found(follower, "检查") == []
    assert follower.heal() == {"behind": 0, "missing": 1}
    assert found(follower, "检查") == ["a"]
    assert follower.heal() == {"behind": 0, "missing": 0}


def test_documents_that_the_catalog_does_not_know_are_found_no_more_after_healing(follower: Follower) -> None:
    follower.follow()
    index = follower._index()
    index.stage([Document(id="stranger", exact={"flags": ("document",)})])
    index.commit(index.seq())
    follower.heal()
    assert found(follower, "") == ["a", "b"]


def test_healing_counts_what_was_not_followed(follower: Follower, catalog: Archive) -> None:
    follower.follow()
    catalog.put(known("c", folder="检查"), known("a", folder="检查"))
    assert follower.heal(thorough=False) == {"behind": 2, "missing": 0}
    assert found(follower, "检查") == ["a", "c"]


def test_a_search_without_an_index_of_a_large_archive_says_so_and_does_not_build_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexer.follower, "_BUILT_AT_ONCE", 8)
    catalog = _archive(9)
    follower = Follower(catalog, tmp_path / "index", "tantivy")
    with pytest.raises(IndexMissing, match="0 of 9") as told:
        follower.follow_for_search()
    assert "casereel rebuild index" in told.value.sentence
    assert "9" in told.value.zh
    assert catalog.asked == []
    follower.rebuild()
    damage(tmp_path / "index")
    other = Follower(catalog, tmp_path / "index", "tantivy")
    with pytest.raises(IndexMissing):
        other.search(Asked(node=All()))


def test_a_search_says_how_far_the_building_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexer.follower, "_BUILT_AT_ONCE", 8)
    monkeypatch.setattr(indexer.follower, "BATCH", 4)
    _build_together("tantivy", 0, monkeypatch)
    catalog, told = _archive(9), []

    def look(done: int, _: int) -> None:
        other = Follower(catalog, tmp_path / "index", "tantivy")
        with pytest.raises(IndexMissing) as error:
            other.follow_for_search()
        told.append((done, error.value.fields["done"], error.value.fields["total"], other.state()["building"]))

    Follower(catalog, tmp_path / "index", "tantivy").rebuild(look)
    assert told == [(done, done, 9, {"done": done, "total": 9}) for done in (4, 8, 9)]


def test_a_search_does_not_wait_for_a_writer_who_will_not_end(
    follower: Follower, catalog: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexer.follower, "_PATIENCE_S", 0.05)
    follower.follow()
    catalog.put(known("c", folder="检查"))
    with FileLock(tmp_path / "index" / "writer.lock", is_singleton=False):
        other = threading.Thread(target=follower.follow_for_search)
        other.start()
        other.join(10)
        assert not other.is_alive()
    assert found(follower, "检查") == ["a"]
    follower.follow_for_search()
    assert found(follower, "检查") == ["a", "c"]


def test_what_changes_while_another_process_merges_is_found(
    catalog: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexer.follower, "_PATIENCE_S", 60.0)
    monkeypatch.setattr(indexer.follower, "_MERGE_PATIENCE_S", 60.0)
    monkeypatch.setattr("indexer.backends.tantivy_index._STILL_S", 600.0)
    monkeypatch.setattr("indexer.backends.tantivy_index._CLOSING_S", 0.0)
    # To the library each of them is a process.
    merging, other = (Follower(catalog, tmp_path / "index", "tantivy") for _ in range(2))
    merging.follow()
    name = (tmp_path / "index" / "current").read_text()
    (tmp_path / "index" / name / f"{'0' * 32}.store").write_bytes(b"half a segment")
    catalog.put(known("c", folder="检查"))
    merging.follow()
    assert not other._index().is_free()
    catalog.put(known("d", folder="检查"))
    other.follow_for_search()
    assert found(other, "检查") == ["a", "c", "d"]
    catalog.put(known("e", folder="检查"))
    assert other.follow() == catalog.head()
    assert found(other, "检查") == ["a", "c", "d", "e"]
    merging.close()
    assert other._index().is_free()


def test_what_an_index_far_behind_does_not_hold_at_all_is_counted(
    follower: Follower, catalog: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    follower.follow()
    catalog.put(known("a", folder="检查"), *(known(f"n{number}") for number in range(3)), known("d", state="disposed"))
    assert follower.unknown(follower.behind()) == 3
    monkeypatch.setattr(indexer.follower, "BATCH", 2)
    assert follower.unknown(follower.behind()) == 3


def test_a_search_leaves_a_long_catching_up_to_the_workers(
    follower: Follower, catalog: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexer.follower, "_FOLLOWED_AT_ONCE", 2)
    follower.follow()
    catalog.put(*(known(f"n{number}", folder="检查") for number in range(3)))
    follower.follow_for_search()
    assert (found(follower, "检查"), follower.behind()) == (["a"], ["n0", "n1", "n2"])
