"""The engine's rules, on both databases: fencing, retry, cancel, takeover, give-up, pruning."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from filelock import FileLock, Timeout
from ulid import ULID

from pipeline.edges import jobs as jobs_module
from pipeline.edges import processes, tables
from pipeline.edges.jobs import TOOK_S, Claim, Jobs, Vigil
from pipeline.errors import BadInput, Superseded, TryAgain
from pipeline.records import Original
from pipeline.stages import ORDER
from workers.bootstrap import Home

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def jobs(home: Home) -> Jobs:
    return Jobs(home.catalog, home.settings.work)


def add(home: Home, jobs: Jobs, *, enqueue: bool = True) -> str:
    """An original with its jobs planned, as accession leaves it."""
    new = str(ULID())
    original = Original(
        id=new, sha256=(new.lower() * 3)[:64], sm3=None, size_bytes=1, kind="photo", format="jpeg", name="a.jpg",
        state="in_custody", accepted_at=datetime.now(UTC),
    )  # fmt: skip
    with home.catalog.transaction() as connection:
        home.catalog.add_original(connection, original, 1)
        jobs.plan(connection, new, ORDER)
        if enqueue:
            jobs.enqueue(connection, new, "light", kind="photo")
    return new


def finish(home: Home, jobs: Jobs, claim: Claim, state: str = "done") -> None:
    with home.catalog.transaction() as connection:
        jobs.finish(connection, claim, state)


def queued(home: Home) -> int:
    """Entries of the queue, asked of the queue itself."""
    jobs = Jobs(home.catalog, home.settings.work)
    listed = jobs._queue_client().list_workflows(status=["ENQUEUED", "DELAYED"], load_input=False, load_output=False)
    return len(listed)


def test_a_worker_says_how_long_its_jobs_ran(home: Home, jobs: Jobs) -> None:
    original = add(home, jobs, enqueue=False)
    for stage, state in (("probe", "done"), ("timestamps", "waiting"), ("link", "failed")):
        claim = jobs.begin(original, "light", stage)
        assert claim is not None
        finish(home, jobs, claim, state)
    jobs.show_life()
    [said] = jobs.workers()
    jobs.close()
    assert [(one["stage"], one["state"], one["count"]) for one in said["took"]] == [
        ("link", "failed", 1), ("probe", "done", 1),
    ]  # fmt: skip
    [done] = [one for one in said["took"] if one["stage"] == "probe"]
    assert done["within"] == [int(done["sum_s"] <= most_s) for most_s in TOOK_S]


def test_a_turn_ends_while_the_heart_waits_for_the_catalog(sqlite_home: Home) -> None:
    jobs = Jobs(sqlite_home.catalog, sqlite_home.settings.work)
    claim = jobs.begin(add(sqlite_home, jobs, enqueue=False), "light", "probe")
    assert claim is not None
    heart = threading.Thread(target=jobs._give_back_ghosts, args=(set(),), daemon=True)
    with sqlite_home.catalog.transaction() as connection:
        connection.execute(sa.update(tables.job).values(reason=None))
        heart.start()
        while not jobs._running_lock.locked() and heart.is_alive():
            time.sleep(0.01)
        ending = threading.Thread(target=jobs.finish, args=(connection, claim, "done"), daemon=True)
        ending.start()
        ending.join(20)
        assert not ending.is_alive()
    heart.join(60)


def test_work_is_queued_with_its_fact_or_not_at_all(home: Home, jobs: Jobs) -> None:
    with pytest.raises(RuntimeError), home.catalog.transaction() as connection:
        jobs.enqueue(connection, "nobody", "light", kind="photo")
        raise RuntimeError
    assert queued(home) == 0
    add(home, jobs)
    assert queued(home) == 1


def test_the_same_run_is_queued_once(home: Home, jobs: Jobs) -> None:
    original = add(home, jobs)
    with home.catalog.transaction() as connection:
        jobs.enqueue(connection, original, "light", kind="photo")
    assert queued(home) == 1


def test_a_second_claim_fences_off_the_first(home: Home, jobs: Jobs) -> None:
    original = add(home, jobs)
    first = jobs.begin(original, "light", "probe")
    second = jobs.begin(original, "light", "probe")
    assert first is not None
    assert second is not None
    assert second.deaths == 1
    with pytest.raises(Superseded):
        jobs.require_held(first)
    with pytest.raises(Superseded):
        finish(home, jobs, first)
    finish(home, jobs, second)
    assert jobs.begin(original, "light", "probe") is None


def test_what_a_fenced_worker_wanted_to_record_is_rolled_back(home: Home, jobs: Jobs) -> None:
    original = add(home, jobs)
    first = jobs.begin(original, "light", "probe")
    jobs.begin(original, "light", "probe")
    assert first
    with pytest.raises(Superseded), home.catalog.transaction() as connection:
        home.catalog.set_state(connection, original, "ready")
        jobs.finish(connection, first, "done")
    assert home.catalog.counts() == {"in_custody": 1}


def test_a_cancelled_job_ends_its_claim_and_can_be_retried(home: Home, jobs: Jobs) -> None:
    original = add(home, jobs)
    claim = jobs.begin(original, "light", "probe")
    assert claim
    with home.catalog.transaction() as connection:
        jobs.cancel(connection, claim.job)
    with pytest.raises(Superseded):
        jobs.require_held(claim)
    assert jobs.may_go_on(claim)
    with home.catalog.transaction() as connection:
        jobs.retry(connection, claim.job)
    assert jobs.show(claim.job).state == "waiting"
    assert queued(home) == 2


def test_a_job_that_has_ended_cannot_be_cancelled_nor_a_waiting_one_retried(home: Home, jobs: Jobs) -> None:
    original = add(home, jobs)
    with pytest.raises(BadInput), home.catalog.transaction() as connection:
        jobs.retry(connection, f"{original}-light-probe")
    claim = jobs.begin(original, "light", "probe")
    assert claim
    finish(home, jobs, claim)
    with pytest.raises(BadInput), home.catalog.transaction() as connection:
        jobs.cancel(connection, claim.job)


def test_a_lane_at_work_is_not_queued_a_second_time(home: Home, jobs: Jobs) -> None:
    original = add(home, jobs)
    with home.catalog.transaction() as connection:
        jobs.again(connection, original, "light", ["timestamps"])
    assert queued(home) == 1


def test_a_turn_made_to_wait_anew_while_it_runs_is_not_lost(home: Home, jobs: Jobs) -> None:
    """New facts arrived for a job in hand: its claim is void, and the same worker goes on with the lane."""
    original = add(home, jobs)
    claim = jobs.begin(original, "light", "probe")
    assert claim is not None
    with home.catalog.transaction() as connection:
        jobs.again(connection, original, "light", ["probe"])
    with pytest.raises(Superseded):
        finish(home, jobs, claim)
    assert jobs.may_go_on(claim)
    again = Jobs(home.catalog, home.settings.work).begin(original, "light", "probe")
    assert again is not None
    assert not jobs.may_go_on(claim)


def test_a_lane_that_has_ended_is_queued_again(home: Home, jobs: Jobs) -> None:
    original = add(home, jobs)
    for _, stage in ORDER[:4]:
        claim = jobs.begin(original, "light", stage)
        assert claim
        finish(home, jobs, claim)
    with home.catalog.transaction() as connection:
        jobs.again(connection, original, "light", ["timestamps", "index"])
    assert queued(home) == 2
    assert jobs.begin(original, "light", "probe") is None
    assert jobs.begin(original, "light", "timestamps") is not None


def test_what_somebody_waits_for_is_not_left_behind_all_other_work_and_is_done_once(home: Home) -> None:
    jobs = Jobs(home.catalog, home.settings.work, role="work")
    old, other = add(home, jobs, enqueue=False), add(home, jobs, enqueue=False)
    for _, stage in ORDER[:4]:
        claim = jobs.begin(old, "light", stage)
        assert claim
        finish(home, jobs, claim)
    with home.catalog.transaction() as connection:
        jobs.enqueue(connection, other, "light", kind="video")
        jobs.again(connection, old, "light", ["link", "index"], aside=True)
        jobs.again(connection, old, "light", ["link"], aside=True)
    assert queued(home) == 2
    for _ in range(2):
        with home.catalog.transaction() as connection:
            jobs.again(connection, old, "light", ["timestamps"])
        assert queued(home) == 3
    worked: list[str] = []
    jobs.launch({"light": 1}, lambda one, _: worked.append(one))
    try:
        deadline = time.monotonic() + 60
        while (queued(home) or jobs._pending([jobs.worker_id])) and time.monotonic() < deadline:
            time.sleep(0.1)
    finally:
        jobs.close()
    assert worked == [old, other]


def test_waits_grow_and_end(home: Home, jobs: Jobs) -> None:
    delays = [
        jobs.retry_delay_s(Claim("j", "o", "light", "probe", "t", attempts, 0))
        for attempts in range(1, home.settings.work.attempts + 1)
    ]
    assert delays[0] == 5.0
    assert delays[-1] is None
    assert all(a < b for a, b in pairwise(delays[:-1]))  # type: ignore[operator]


def test_a_job_that_keeps_ending_its_worker_is_deadly(home: Home, jobs: Jobs) -> None:
    original = add(home, jobs)
    claim = None
    for _ in range(home.settings.work.deaths + 2):
        claim = jobs.begin(original, "light", "probe")
    assert claim is not None
    assert jobs.is_deadly(claim)


def test_lost_work_is_noticed_and_queued_work_is_not(home: Home, jobs: Jobs) -> None:
    add(home, jobs)
    lost = add(home, jobs, enqueue=False)
    assert jobs.stranded(waiting_s=0.0) == [(lost, "light")]
    assert jobs.stranded(waiting_s=3600.0) == []


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
    living = Jobs(home.catalog, replace(home.settings.work, lease_s=1.0), role="work")
    living.launch({"light": 1}, lambda one, _: done.append(one))
    try:
        deadline = time.monotonic() + 60
        while not done and time.monotonic() < deadline:
            time.sleep(0.1)
    finally:
        living.close()
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
    jobs._vigil = Vigil(longest_s=2 * home.settings.work.heartbeat_s, ticks_s=ticks)
    enlist(home, jobs.worker_id)
    return jobs


def enlist(home: Home, worker: str, **changed: Any) -> None:
    row = {
        "id": worker, "role": "work", "host": "elsewhere", "pid": 1, "generation": jobs_module.GENERATION,
        "started_s": 0.0, "seen_s": time.time(), "state": "alive", "said": {},
    }  # fmt: skip
    with home.catalog.transaction() as connection:
        connection.execute(sa.insert(tables.worker).values({**row, **changed}))


def beat(home: Home, worker: str, seen_s: float) -> None:
    with home.catalog.transaction() as connection:
        connection.execute(sa.update(tables.worker).where(tables.worker.c.id == worker).values(seen_s=seen_s))


def looks(home: Home, reaper: Jobs, ticks: SetTicks, for_s: float, each: Callable[[], None] = lambda: None) -> None:
    """The reaper looks at every heartbeat for so long; what it would take over, it marks only."""
    reaper._take_over = lambda _: None  # type: ignore[method-assign]
    for _ in range(round(for_s / home.settings.work.heartbeat_s)):
        ticks.now_s += home.settings.work.heartbeat_s
        each()
        reaper._reap()


def state_of(home: Home, worker: str) -> str:
    with home.catalog.snapshot() as connection:
        query = sa.select(tables.worker.c.state).where(tables.worker.c.id == worker)
        return str(connection.execute(query).scalar_one())


JUMPS_S = (315_576_000.0, -315_576_000.0, 3600.0, -3600.0)


def test_living_workers_are_not_taken_for_dead_when_the_clock_is_set(home: Home, reaper: Jobs, ticks: SetTicks) -> None:
    """The wall clock moves between two of their beats, and they beat on by the new one."""
    living = {f"moved by {moved_s}": moved_s for moved_s in JUMPS_S}
    for name in living:
        enlist(home, name)
    looks(home, reaper, ticks, 2.0)

    def all_beat() -> None:
        for name, moved_s in living.items():
            beat(home, name, time.time() + moved_s + ticks.now_s)

    looks(home, reaper, ticks, 2 * home.settings.work.lease_s, all_beat)
    assert {state_of(home, name) for name in living} == {"alive"}


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
    monkeypatch.setattr(jobs_module, "_clock", lambda _: sa.literal(1_700_000_000.0, sa.Float))
    worker = Jobs(home.catalog, home.settings.work, role="work")
    enlist(home, worker.worker_id)
    seen = set()
    for _ in range(3):
        assert worker._beat()
        with home.catalog.snapshot() as connection:
            seen.add(connection.execute(sa.select(tables.worker.c.seen_s)).scalar_one())
    assert len(seen) == 3


@pytest.mark.parametrize(("role", "lives"), [("work", False), ("watch", True)])
def test_who_takes_turns_stays_dead_and_a_watcher_lives_again(home: Home, role: str, lives: bool) -> None:
    one = Jobs(home.catalog, home.settings.work, role=role)
    enlist(home, one.worker_id)
    with home.catalog.transaction() as connection:
        connection.execute(sa.update(tables.worker).values(state="dead"))
    assert one._beat() == lives
    assert state_of(home, one.worker_id) == ("alive" if lives else "dead")


@pytest.mark.parametrize(("role", "ends"), [("work", True), ("watch", False)])
def test_only_who_takes_turns_ends_itself_without_a_catalog(
    home: Home, role: str, ends: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = replace(home.settings.work, heartbeat_s=0.01, lease_s=0.1)
    one, ended = Jobs(home.catalog, settings, role=role), threading.Event()

    def refuse() -> bool:
        raise TryAgain("the disk is full")

    monkeypatch.setattr(one, "_beat", refuse)
    monkeypatch.setattr(jobs_module, "_end_myself", lambda _: ended.set())
    one._start_heart()
    assert ended.wait(5.0 if ends else 1.0) == ends
    one._stop.set()


def test_a_retry_put_off_by_a_clock_since_set_back_comes_soon(home: Home, jobs: Jobs) -> None:
    far, near = add(home, jobs, enqueue=False), add(home, jobs, enqueue=False)
    with home.catalog.transaction() as connection:
        jobs.enqueue(connection, far, "light", kind="photo", delay_s=315_576_000.0)
        jobs.enqueue(connection, near, "light", kind="photo", delay_s=20.0)
    jobs.shorten_delays()
    listed = jobs._queue_client().list_workflows(status="DELAYED")
    waits_s = {one.workflow_id.split(":")[1]: one.delay_until_epoch_ms / 1000 - time.time() for one in listed}
    assert waits_s == {far: pytest.approx(600, abs=5), near: pytest.approx(20, abs=5)}


def test_lost_work_is_noticed_though_the_clock_was_set_back(home: Home, jobs: Jobs) -> None:
    lost = add(home, jobs, enqueue=False)
    with home.catalog.transaction() as connection:
        connection.execute(sa.update(tables.job).values(waiting_since=datetime.now(UTC) + timedelta(days=3652)))
    assert jobs.stranded() == [(lost, "light")]


LOCKED_AND_STOPPED = """
import os, signal, sys
import sqlalchemy as sa
from filelock import FileLock
from pipeline.edges import processes, tables
from pipeline.edges.catalog import make_engine
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
    one.show_life()  # on SQLite it waits for the stopped one itself
    with home.catalog.transaction() as connection:
        connection.execute(sa.select(tables.log_head).with_for_update()).all()
    with FileLock(tmp_path / "a.lock", timeout=60):
        pass
    assert stopped.wait(60) == -signal.SIGKILL
    assert 1.0 < time.monotonic() - began_s < 10.0
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
        one._end_the_standing(vigil)
    if ends:
        assert other.wait(60) == -signal.SIGKILL
    time.sleep(0.2)
    assert (other.poll() is not None) == ends


def test_a_living_process_says_when_it_began(home: Home) -> None:
    one = Jobs(home.catalog, home.settings.work, role="watch")
    one.show_life(queues=["light"])
    with home.catalog.snapshot() as connection:
        said = connection.execute(sa.select(tables.worker.c.said)).scalar_one()
    assert said == {"queues": ["light"], "running": 0, "born": processes.born(os.getpid())}
    [shown] = one.workers()
    assert "born" not in shown
    one.close()


def test_ended_entries_of_the_queue_are_pruned_and_our_rows_stay(home: Home) -> None:
    worker = Jobs(home.catalog, home.settings.work, role="work")
    original = add(home, worker)
    done: list[str] = []
    worker.launch({"light": 1}, lambda one, _: done.append(one))
    deadline = time.monotonic() + 60
    while not done and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(0.5)
    assert worker.prune(keep_days=-1) == 1
    worker.close()
    assert len(worker.listed(original=original)) == len(ORDER)


def test_a_worker_starts_though_the_standard_error_of_an_earlier_one_is_closed(home: Home) -> None:
    program = (
        "import contextlib, io, sys\n"
        "from pathlib import Path\n"
        "from config.settings import load\n"
        "from workers.bootstrap import build_home\n"
        "from workers.work import working\n"
        "home = build_home(load(Path(sys.argv[1]), {'CASEREEL_CATALOG_URL': sys.argv[2]}))\n"
        "with io.TextIOWrapper(io.BytesIO()) as closed, contextlib.redirect_stderr(closed), working(home):\n"
        "    pass\n"
        "with working(home):\n"
        "    print('works')\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program, str(home.settings.home), home.settings.catalog_url],
        cwd=ROOT,
        text=True,
        capture_output=True,
        timeout=60,
    )
    assert "works" in ran.stdout, ran.stderr[-2000:]


def test_every_queued_name_is_one_that_a_worker_knows() -> None:
    """A name nobody registered would be claimed and never run."""
    from pathlib import Path

    source = Path(jobs_module.__file__).read_text(encoding="utf-8")
    assert source.count('"workflow_name": WORKFLOW') == 1
    assert "DBOS.workflow(name=WORKFLOW" in source
