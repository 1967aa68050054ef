"""Who works and whether they live, on both databases: beats, the reaper's leases, the guard over what stands still."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from filelock import FileLock, Timeout

from pipeline.edges.database import tables
from pipeline.edges.host import processes
from pipeline.edges.jobs import Jobs
from pipeline.edges.work import living, queue
from pipeline.edges.work.living import Vigil
from pipeline.errors import TryAgain
from tests.pipeline.edges.test_jobs import add
from workers.bootstrap import Home

ROOT = Path(__file__).resolve().parents[4]


def test_the_work_of_a_worker_that_shows_no_life_is_taken_over(home: Home) -> None:
    """Two workers, of which one claims and never returns; here in one process, as the database cannot tell."""
    dead = Jobs(home.catalog, home.settings.work, role="work")
    original = add(home, dead)
    enlist(home, dead.worker_id, seen_s=1.0)
    status = sa.table("workflow_status", *map(sa.column, ("workflow_uuid", "status", "executor_id")))
    if home.catalog.engine.dialect.name == "postgresql":
        status = sa.table(
            *("workflow_status",), *map(sa.column, ("workflow_uuid", "status", "executor_id")), schema="dbos"
        )
    with home.catalog.transaction() as connection:
        connection.execute(sa.update(status).values(status="PENDING", executor_id=dead.worker_id))
    done: list[str] = []
    other = Jobs(home.catalog, replace(home.settings.work, lease_s=1.0), role="work")
    other.launch({"light": 1}, lambda one, _: done.append(one))
    try:
        deadline = time.monotonic() + 60
        while not done and time.monotonic() < deadline:
            time.sleep(0.1)
    finally:
        other.close()
    assert done == [original]


class SetTicks:
    """Seconds counted by a reaper, as the test says."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def ticks() -> SetTicks:
    return SetTicks()


@pytest.fixture
def reaper(home: Home, ticks: SetTicks) -> Jobs:
    """A worker of another host's making, that looks at the others without taking their work."""
    jobs = Jobs(home.catalog, home.settings.work, role="work")
    jobs.living._vigil = Vigil(longest_s=2 * home.settings.work.heartbeat_s, ticks_s=ticks)
    enlist(home, jobs.worker_id)
    return jobs


def enlist(home: Home, worker: str, **changed: Any) -> None:
    row = {
        "id": worker, "role": "work", "host": "elsewhere", "pid": 1, "generation": queue.GENERATION,
        "started_s": 0.0, "seen_s": time.time(), "state": "alive", "said": {},
    }  # fmt: skip
    with home.catalog.transaction() as connection:
        connection.execute(sa.insert(tables.worker).values({**row, **changed}))


def beat(home: Home, worker: str, seen_s: float) -> None:
    with home.catalog.transaction() as connection:
        connection.execute(sa.update(tables.worker).where(tables.worker.c.id == worker).values(seen_s=seen_s))


def looks(home: Home, reaper: Jobs, ticks: SetTicks, for_s: float, each: Callable[[], None] = lambda: None) -> None:
    """The reaper looks at every heartbeat for so long; what it would take over, it marks only."""
    reaper.queue.take_over = lambda _: None  # type: ignore[method-assign]
    for _ in range(round(for_s / home.settings.work.heartbeat_s)):
        ticks.now_s += home.settings.work.heartbeat_s
        each()
        reaper.living._reap()


def state_of(home: Home, worker: str) -> str:
    with home.catalog.snapshot() as connection:
        query = sa.select(tables.worker.c.state).where(tables.worker.c.id == worker)
        return str(connection.execute(query).scalar_one())


JUMPS_S = (315_576_000.0, -315_576_000.0, 3600.0, -3600.0)


def test_living_workers_are_not_taken_for_dead_when_the_clock_is_set(home: Home, reaper: Jobs, ticks: SetTicks) -> None:
    """The wall clock moves between two of their beats, and they beat on by the new one."""
    moved = {f"moved by {moved_s}": moved_s for moved_s in JUMPS_S}
    for name in moved:
        enlist(home, name)
    looks(home, reaper, ticks, 2.0)

    def all_beat() -> None:
        for name, moved_s in moved.items():
            beat(home, name, time.time() + moved_s + ticks.now_s)

    looks(home, reaper, ticks, 2 * home.settings.work.lease_s, all_beat)
    assert {state_of(home, name) for name in moved} == {"alive"}


def test_dead_workers_are_found_after_a_lease_whatever_their_last_beat_says(
    home: Home, reaper: Jobs, ticks: SetTicks
) -> None:
    dead = {f"moved by {moved_s}": moved_s for moved_s in JUMPS_S}
    for name, moved_s in dead.items():
        enlist(home, name, seen_s=time.time() + moved_s)
    looks(home, reaper, ticks, home.settings.work.lease_s)
    assert {state_of(home, name) for name in dead} == {"alive"}
    looks(home, reaper, ticks, 2 * home.settings.work.heartbeat_s)
    assert {state_of(home, name) for name in dead} == {"dead"}


def test_a_reaper_that_stood_still_does_not_blame_the_others(home: Home, reaper: Jobs, ticks: SetTicks) -> None:
    enlist(home, "living")
    looks(home, reaper, ticks, 2.0)
    ticks.now_s += 100 * home.settings.work.lease_s
    looks(home, reaper, ticks, home.settings.work.heartbeat_s)
    assert state_of(home, "living") == "alive"


def test_a_worker_that_said_goodbye_is_followed_at_once(home: Home, reaper: Jobs, ticks: SetTicks) -> None:
    enlist(home, "gone", seen_s=0.0)
    looks(home, reaper, ticks, home.settings.work.heartbeat_s)
    assert state_of(home, "gone") == "dead"


@pytest.mark.parametrize("moved_s", [JUMPS_S[0], JUMPS_S[1]])
def test_the_part_of_a_dead_reaper_is_taken_over_after_a_lease(
    home: Home, reaper: Jobs, ticks: SetTicks, moved_s: float
) -> None:
    enlist(home, "dead reaper")
    enlist(home, "dead")
    with home.catalog.transaction() as connection:
        connection.execute(
            sa.insert(tables.lock).values(name="reaper", holder="dead reaper", until_s=time.time() + moved_s)
        )
    looks(home, reaper, ticks, home.settings.work.lease_s)
    assert holder(home) == "dead reaper"
    looks(home, reaper, ticks, 2 * home.settings.work.heartbeat_s)
    assert holder(home) == reaper.worker_id
    assert (state_of(home, "dead reaper"), state_of(home, "dead")) == ("dead", "dead")


def holder(home: Home) -> str:
    with home.catalog.snapshot() as connection:
        return str(connection.execute(sa.select(tables.lock.c.holder)).scalar_one())


def test_every_beat_differs_from_the_last_even_where_the_clock_stands(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(living, "_clock", lambda _: sa.literal(1_700_000_000.0, sa.Float))
    worker = Jobs(home.catalog, home.settings.work, role="work")
    enlist(home, worker.worker_id)
    seen = set()
    for _ in range(3):
        assert worker.living._beat()
        with home.catalog.snapshot() as connection:
            seen.add(connection.execute(sa.select(tables.worker.c.seen_s)).scalar_one())
    assert len(seen) == 3


@pytest.mark.parametrize(("role", "lives"), [("work", False), ("watch", True)])
def test_who_takes_turns_stays_dead_and_a_watcher_lives_again(home: Home, role: str, lives: bool) -> None:
    one = Jobs(home.catalog, home.settings.work, role=role)
    enlist(home, one.worker_id)
    with home.catalog.transaction() as connection:
        connection.execute(sa.update(tables.worker).values(state="dead"))
    assert one.living._beat() == lives
    assert state_of(home, one.worker_id) == ("alive" if lives else "dead")


@pytest.mark.parametrize(("role", "ends"), [("work", True), ("watch", False)])
def test_only_who_takes_turns_ends_itself_without_a_catalog(
    home: Home, role: str, ends: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = replace(home.settings.work, heartbeat_s=0.01, lease_s=0.1)
    one, ended = Jobs(home.catalog, settings, role=role), threading.Event()

    def refuse() -> bool:
        raise TryAgain("the disk is full")

    monkeypatch.setattr(one.living, "_beat", refuse)
    monkeypatch.setattr(living, "_end_myself", lambda _: ended.set())
    one.living.beat_on()
    assert ended.wait(5.0 if ends else 1.0) == ends
    one.living._stop.set()


LOCKED_AND_STOPPED = """
import os, signal, sys
import sqlalchemy as sa
from filelock import FileLock
from pipeline.edges.host import processes
from pipeline.edges.database import tables
from pipeline.edges.database.engines import make_engine
url, lock = sys.argv[1:]
with make_engine(url, writes=True).begin() as connection, FileLock(lock):
    connection.execute(sa.select(tables.log_head).with_for_update()).all()
    os.kill(os.getpid(), signal.SIGSTOP)
"""


@pytest.fixture
def started() -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Starts Python with this code and gives the process."""
    running: list[subprocess.Popen[bytes]] = []

    def start(code: str, *arguments: str) -> subprocess.Popen[bytes]:
        running.append(subprocess.Popen([sys.executable, "-c", code, *arguments], cwd=ROOT))
        return running[-1]

    yield start
    for one in running:
        one.kill()
        one.wait()


def until_it_stands(pid: int) -> None:
    until_s = time.monotonic() + 60
    while not processes.stands_still(pid, processes.born(pid)):
        assert time.monotonic() < until_s
        time.sleep(0.02)


@pytest.mark.skipif(sys.platform != "linux", reason="stops a process by SIGSTOP and reads /proc")
def test_a_stopped_worker_of_this_host_is_ended_and_frees_what_it_holds_locked(
    home: Home, tmp_path: Path, started: Callable[..., subprocess.Popen[bytes]]
) -> None:
    stopped = started(LOCKED_AND_STOPPED, home.catalog.url, str(tmp_path / "a.lock"))
    enlist(home, "stopped", host=processes.this_host(), pid=stopped.pid, said={"born": processes.born(stopped.pid)})
    until_it_stands(stopped.pid)
    with pytest.raises(Timeout), FileLock(tmp_path / "a.lock", timeout=0.1):
        pass
    began_s = time.monotonic()
    one = Jobs(home.catalog, replace(home.settings.work, heartbeat_s=0.1, lease_s=1.0), role="watch")
    one.living.show()  # on SQLite it waits for the stopped one itself
    with home.catalog.transaction() as connection:
        connection.execute(sa.select(tables.log_head).with_for_update()).all()
    with FileLock(tmp_path / "a.lock", timeout=60):
        pass
    assert stopped.wait(60) == -signal.SIGKILL
    assert 1.0 < time.monotonic() - began_s < 60.0
    one.close()


@pytest.mark.skipif(sys.platform != "linux", reason="stops a process by SIGSTOP and reads /proc")
@pytest.mark.parametrize(
    ("changed", "ends"),
    [
        ({}, True),
        ({"role": "watch"}, False),
        ({"host": "elsewhere"}, False),
        ({"said": {"born": 1}}, False),
        ({"said": {}}, False),
        ({"beats": True}, False),
        ({"runs": True}, False),
    ],
    ids=["a worker", "a watcher", "on another host", "the number given anew", "of an older version", "beats", "runs"],
)
def test_only_a_worker_that_stands_still_for_its_lease_is_ended(
    sqlite_home: Home, changed: dict[str, Any], ends: bool, started: Callable[..., subprocess.Popen[bytes]]
) -> None:
    other = started("import time; time.sleep(60)")
    if not changed.pop("runs", False):
        other.send_signal(signal.SIGSTOP)
        until_it_stands(other.pid)
    beats = changed.pop("beats", False)
    row = {"host": processes.this_host(), "pid": other.pid, "said": {"born": processes.born(other.pid)}, **changed}
    enlist(sqlite_home, "other", **row)
    one = Jobs(sqlite_home.catalog, replace(sqlite_home.settings.work, lease_s=10.0))
    ticks_s = iter([0.0, 0.0, 6.0, 12.0])
    vigil = Vigil(longest_s=60.0, ticks_s=lambda: next(ticks_s))
    for look in range(3):
        assert other.poll() is None
        if beats:
            beat(sqlite_home, "other", float(look))
        one.living._end_the_standing(vigil)
    if ends:
        assert other.wait(60) == -signal.SIGKILL
    time.sleep(0.2)
    assert (other.poll() is not None) == ends


def test_a_living_process_says_when_it_began(home: Home) -> None:
    one = Jobs(home.catalog, home.settings.work, role="watch")
    one.living.show(queues=["light"])
    with home.catalog.snapshot() as connection:
        said = connection.execute(sa.select(tables.worker.c.said)).scalar_one()
    assert said == {"queues": ["light"], "running": 0, "born": processes.born(os.getpid())}
    [shown] = one.living.workers()
    assert "born" not in shown
    one.close()
