from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

import indexer.backends
from indexer import analysis
from indexer.contract import Asked
from indexer.follower import BATCH, Follower
from indexer.tree import All, Words
from pipeline.kinds import kinds_in
from pipeline.records import Known
from tests.indexer.archive import Archive, known

NAMES = [backend.name for backend in kinds_in(indexer.backends.__name__, "BACKEND")]


@pytest.fixture(params=NAMES)
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def catalog() -> Archive:
    return Archive([known("a", folder="现场检查"), known("b", folder="询问笔录")])


@pytest.fixture
def follower(backend: str, catalog: Archive, tmp_path: Path) -> Follower:
    return Follower(catalog, tmp_path / "index", backend)


def found(follower: Follower, text: str) -> list[str]:
    node = Words(analysis.phrase(text).tokens) if text else All()
    return sorted(match.id for match in follower.search(Asked(node=node, limit=10_000)).hits)


def damage(folder: Path) -> None:
    current = folder / (folder / "current").read_text()
    for path in current.iterdir():
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
    follower = Follower(Archive(), tmp_path / "index", backend)
    assert follower.follow() == 0
    assert found(follower, "") == []


def test_following_again_reads_nothing(follower: Follower, catalog: Archive) -> None:
    follower.follow()
    catalog.asked.clear()
    follower.follow()
    assert catalog.asked == []


def test_more_changes_than_one_batch_are_all_followed(backend: str, tmp_path: Path) -> None:
    catalog = Archive(known(f"d{number:05}") for number in range(BATCH * 2 + 3))
    follower = Follower(catalog, tmp_path / "index", backend)
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
        "backend": backend, "documents": 0, "seq": 0, "bytes": 0, "fault": "not built yet", "behind": 2,
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
    other = Follower(catalog, tmp_path / "index", backend)
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
    other = Follower(catalog, tmp_path / "index", backend)
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
    newer = Follower(catalog, tmp_path / "index", backend)
    assert "version" in newer.state()["fault"]
    newer.follow()
    assert found(newer, "检查") == ["a"]


def test_an_index_ahead_of_a_restored_catalog_is_built_anew(follower: Follower, catalog: Archive) -> None:
    follower.follow()
    catalog.lose(1)
    assert follower.follow() == 1
    assert found(follower, "") == ["a"]


def test_changing_the_backend_builds_its_index(catalog: Archive, tmp_path: Path) -> None:
    for name in (NAMES[0], NAMES[1], NAMES[0]):
        follower = Follower(catalog, tmp_path / "index", name)
        follower.follow()
        assert found(follower, "检查") == ["a"]


def test_a_rebuild_on_demand_tells_its_progress_and_leaves_one_index(follower: Follower, tmp_path: Path) -> None:
    follower.follow()
    told: list[tuple[int, int]] = []
    assert follower.rebuild(lambda done, total: told.append((done, total))) == 2
    assert told == [(2, 2)]
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
    Follower(_archive(count), folder, backend).follow()


def test_processes_that_begin_together_build_one_index(backend: str, tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=_follow, args=(tmp_path / "index", backend, 40)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    follower = Follower(_archive(40), tmp_path / "index", backend)
    assert follower.state()["behind"] == 0
    assert len(found(follower, "检查")) == 40


def test_a_rebuild_killed_in_the_middle_leaves_the_old_index_and_is_taken_up(backend: str, tmp_path: Path) -> None:
    folder = tmp_path / "index"
    _follow(folder, backend, 3)
    current = (folder / "current").read_text()
    process = multiprocessing.get_context("spawn").Process(target=_rebuild, args=(folder, backend, BATCH * 4))
    process.start()
    deadline = time.monotonic() + 60
    while not list(folder.glob(f"{backend}-*.building")):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    time.sleep(0.3)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
    process.join()
    assert (folder / "current").read_text() == current
    follower = Follower(_archive(BATCH * 4), folder, backend)
    assert len(found(follower, "检查")) == 3
    follower.rebuild()
    assert len(found(follower, "检查")) == BATCH * 4
    assert not list(folder.glob("*.building"))


def _rebuild(folder: Path, backend: str, count: int) -> None:
    Follower(_archive(count), folder, backend).rebuild()
