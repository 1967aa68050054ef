"""Workers that stand still in the middle of a turn are taken for dead: nothing they write afterwards counts.

On another host, as a suspended machine or a stuck share makes them: stopped, superseded, and awake again with all
they had in hand. On the same host they are ended where they stand, with all that they hold locked.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import statistics
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import sqlalchemy as sa
from filelock import FileLock, Timeout

from config.settings import Settings
from pipeline.edges.database import tables
from pipeline.stages import ORDER
from tests.flows.nursery import Nursery, Role
from tests.flows.running import Roles, at_rest, family, wait_until
from tests.homes import make_home
from tests.samples import making
from workers.bootstrap import Home, build_home
from workers.patrol import round_of

# Woken workers on each of the two databases.
CYCLES = 500 if os.environ.get("CASEREEL_TEST_COUNTS") == "full" else 8
WORKERS, AT_ONCE = 6, 4
LEASE_S = 3.0
# The goal: what a stopped worker had in hand is for others to do within the lease and so much. When one of them is
# free to begin it is a matter of this machine's strength.
SLACK_S = 10.0
# The files of a home by which its processes, and the search engine in them, lock each other out.
LOCKING = ("*.lock", "log/*.lock", "index/*.lock", "index/*/*.lock")
BUSY = 8  # files that are kept unfinished, so that there is always a turn to stop in


@dataclass
class Stood:
    """One worker that stands still. worker: as the catalog names it; token: of the turn it was stopped in."""

    process: subprocess.Popen[bytes] | Role
    pids: list[int]
    worker: str
    job: str
    token: str
    at_s: float = field(default_factory=time.monotonic)
    freed_after_s: float = 0.0
    taken_after_s: float = 0.0
    taken_at_seq: int = 0

    def wake(self) -> None:
        for pid in reversed(self.pids):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


@pytest.fixture(scope="module")
def nursery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    made = Nursery(tmp_path_factory.mktemp("nursery") / "errors.log")
    yield made
    made.close()


@pytest.mark.slow
@pytest.mark.parametrize("database", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def test_a_worker_that_wakes_after_its_lease_records_nothing_and_ends(
    database: str, nursery: Nursery, make_settings: Callable[..., Settings], tmp_path: Path,
    request: pytest.FixtureRequest, record_property: Callable[[str, object], None],
) -> None:  # fmt: skip
    record_property("fault", f"stopped worker, {database}")
    url = request.getfixturevalue("fresh_database")() if database == "postgresql" else ""
    environ = {
        "CASEREEL_CATALOG_URL": url, "CASEREEL_WORK_LEASE_S": str(LEASE_S), "CASEREEL_WORK_HEARTBEAT_S": "0.5",
        "CASEREEL_WORK_LIGHT": "1", "CASEREEL_WORK_HEAVY": "1", "CASEREEL_WORK_DEATHS": str(2 * CYCLES),
    }  # fmt: skip
    settings = make_settings(catalog_url=url)
    make_home(settings)
    home = build_home(settings)
    feed = Feed(home, tmp_path)
    woken: list[Stood] = []
    ended: list[Stood] = []
    with Roles(settings.home, ["watch", *["work"] * WORKERS], environ, nursery=nursery) as roles:
        while len(woken) < CYCLES:
            woken += stop_and_wake(roles, home, feed, min(AT_ONCE, CYCLES - len(woken)))
            if len(woken) // 2 - len(ended) >= AT_ONCE:
                ended += stop_and_leave(roles, home, feed, AT_ONCE)
        looked_s = time.monotonic()

        def keep() -> None:
            nonlocal looked_s
            roles.keep_up()
            if time.monotonic() - looked_s > 5.0:
                round_of(home)
                looked_s = time.monotonic()

        wait_until(lambda: len(home.catalog.arrivals()) == feed.count and at_rest(home), 240, "all at rest", keep)
    freed_s, taken_s = ([getattr(one, name) for one in woken + ended] for name in ("freed_after_s", "taken_after_s"))
    record_property("tries", len(taken_s))
    print(
        f"\n{len(woken)} woken, {len(ended)} ended where they stood, {feed.count} files; given to others after, s: "
        f"median {statistics.median(freed_s):.1f}, most {max(freed_s):.1f}; begun anew after, s: "
        f"median {statistics.median(taken_s):.1f}, most {max(taken_s):.1f}"
    )
    assert ended
    assert max(freed_s) <= LEASE_S + SLACK_S
    assert statistics.median(taken_s) <= LEASE_S + SLACK_S
    assert stale_writes(home, woken + ended) == []
    judge(home, feed.count)
    home.close()


class Feed:
    """Files that come as long as they are wanted: photos, and now and then a sound or a film."""

    def __init__(self, home: Home, folder: Path) -> None:
        self.count, self._home, self._folder = 0, home, folder / "made"

    def keep_busy(self) -> None:
        """So many files are on their way or at work."""
        originals = sorted(self._home.catalog.digests().values())
        on_the_way = self.count - len(originals)
        for _ in range(BUSY - on_the_way - len(self._home.catalog.at_work(originals))):
            self.count += 1
            made = self._made(self.count)
            made.rename(self._home.settings.inbox / made.name)

    def _made(self, number: int) -> Path:
        if number % 20 == 7:
            return making.film(self._folder / f"{number:05}.mp4", number)
        if number % 10 == 3:
            return making.sound(self._folder / f"{number:05}.wav", number)
        return making.photo(self._folder / f"{number:05}.jpg", number, size=(64, 48))


def stop_and_wake(roles: Roles, home: Home, feed: Feed, wanted: int) -> list[Stood]:
    """So many workers of what counts as another host, stopped in their turns, superseded and woken; each has ended."""
    stood: list[Stood] = []
    try:
        with watched(home, stood):
            gather(
                stood,
                roles,
                home,
                feed,
                wanted,
                lambda one: has_nothing_locked(home, one) and moved_elsewhere(home, one),
            )
            wait_until(lambda: all_begun_anew(stood), 60, "others take their turns over", roles.keep_up)
        assert all(one.process.poll() is None for one in stood)
    finally:
        for one in stood:
            one.wake()
    for one in stood:
        one.process.wait(timeout=60)
    roles.keep_up()
    return stood


def stop_and_leave(roles: Roles, home: Home, feed: Feed, wanted: int) -> list[Stood]:
    """So many workers of this host, stopped in their turns with whatever they have locked; each was ended for it."""
    stood: list[Stood] = []
    try:
        with watched(home, stood):
            gather(stood, roles, home, feed, wanted, lambda _: True)
            wait_until(lambda: all_begun_anew(stood), 60, "others take their turns over", roles.keep_up)
        for one in stood:
            one.process.wait(timeout=LEASE_S + SLACK_S)
    finally:
        for one in stood:
            one.wake()
    roles.keep_up()
    return stood


def gather(
    stood: list[Stood], roles: Roles, home: Home, feed: Feed, wanted: int, suits: Callable[[Stood], bool]
) -> None:
    """Up to so many workers are stopped, each with a turn in hand and as it suits; the others are woken at once.

    All within a lease: after that those left take over, and are not stopped while they do.
    """
    feed.keep_busy()
    give_up_s = time.monotonic() + LEASE_S
    while len(stood) < wanted and time.monotonic() < give_up_s:
        living = {process.pid: process for process in roles.processes.values()}
        for one in stood:
            living.pop(one.process.pid, None)
        for worker, pid in running(home):
            if pid not in living or len(stood) == wanted or time.monotonic() > give_up_s:
                continue
            one = Stood(living.pop(pid), stop(pid), worker, *in_hand(home, worker))
            if one.token and suits(one):
                stood.append(one)
            else:
                one.wake()
        time.sleep(0.02)


def stop(pid: int) -> list[int]:
    """The process and all that it started stand still now, every thread; one within a system call ends that first."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: stands(pid), 10, "it stands still")
    return [pid, *(below for child in family(pid)[1:] for below in stop(child))]


def stands(pid: int) -> bool:
    """Whether no thread of this process runs."""
    states = []
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            states.append((task / "stat").read_text().rpartition(")")[2].split()[0])
    return set(states) <= set("TtZX")


def moved_elsewhere(home: Home, one: Stood) -> bool:
    """The worker counts as one of another host, where nobody here can end it. False where it was ended before."""
    mine = tables.worker.c.id == one.worker
    with home.catalog.transaction() as connection:
        connection.execute(sa.update(tables.worker).where(mine).values(host="elsewhere"))
    return one.process.poll() is None


def running(home: Home) -> list[tuple[str, int]]:
    """(worker, pid) of every worker that has a turn in hand."""
    job, worker = tables.job.c, tables.worker.c
    query = sa.select(worker.id, worker.pid).join(tables.job, job.worker == worker.id).where(job.state == "running")
    with home.catalog.snapshot() as connection:
        return [(row.id, row.pid) for row in connection.execute(query.where(worker.state == "alive").distinct())]


def in_hand(home: Home, worker: str) -> tuple[str, str]:
    """(job, token) of a turn that this worker has in hand; empty where there is none."""
    query = sa.select(tables.job.c.id, tables.job.c.token).where(
        tables.job.c.worker == worker, tables.job.c.state == "running"
    )
    with home.catalog.snapshot() as connection:
        row = connection.execute(query).first()
    return (row.id, row.token) if row else ("", "")


def all_begun_anew(stood: list[Stood]) -> bool:
    return all(one.taken_at_seq for one in stood)


@contextlib.contextmanager
def watched(home: Home, stood: list[Stood]) -> Iterator[None]:
    """While the block runs it is noted when each turn is there for others to take, and when one began it anew."""
    done = threading.Event()

    def look() -> None:
        while not done.wait(0.1):
            note_takeovers(home, list(stood))

    looking = threading.Thread(target=look)
    looking.start()
    try:
        yield
    finally:
        done.set()
        looking.join()


def note_takeovers(home: Home, stood: list[Stood]) -> None:
    query = sa.select(tables.job.c.id, tables.job.c.token).where(tables.job.c.id.in_([one.job for one in stood]))
    with home.catalog.snapshot() as connection:
        tokens = {row.id: row.token for row in connection.execute(query)}
    held = still_claimed(home)
    for one in stood:
        after_s, original_and_lane = time.monotonic() - one.at_s, tuple(one.job.split("-")[:2])
        is_taken = tokens[one.job] != one.token
        if not one.freed_after_s and (is_taken or (one.worker, *original_and_lane) not in held):
            one.freed_after_s = after_s
        if not one.taken_at_seq and is_taken:
            one.taken_after_s, one.taken_at_seq = after_s, home.catalog.last_event()


def still_claimed(home: Home) -> set[tuple[str, str, str]]:
    """(worker, original, lane) of what the queue holds for a worker, and nobody else can claim."""
    table = "workflow_status" if home.catalog.engine.dialect.name == "sqlite" else "dbos.workflow_status"
    query = sa.text(f"SELECT executor_id, workflow_uuid FROM {table} WHERE status = 'PENDING'")
    with home.catalog.snapshot() as connection:
        rows = connection.execute(query).all()
    return {(row.executor_id, *reversed(row.workflow_uuid.split(":")[:2])) for row in rows}


def has_nothing_locked(home: Home, one: Stood) -> bool:
    """Whether the others can work on: who stops while it writes catalog, log or index holds up everybody."""
    for lock in (path for pattern in LOCKING for path in home.settings.home.glob(pattern)):
        try:
            with FileLock(lock, timeout=0.1):
                pass
        except Timeout:
            return False
    if home.catalog.engine.dialect.name == "postgresql":
        time.sleep(0.3)  # what the worker said last may be still on its way to the server
        return not has_open_transaction(home, one.process.pid)
    connection = sqlite3.connect(home.settings.home / "catalog.sqlite3", timeout=1.0, isolation_level=None)
    with contextlib.closing(connection), contextlib.suppress(sqlite3.OperationalError):
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("ROLLBACK")
        return True
    return False


def has_open_transaction(home: Home, pid: int) -> bool:
    """Whether a session of this process is within a transaction, as PostgreSQL sees it."""
    activity = sa.table("pg_stat_activity", sa.column("client_port"), sa.column("state"))
    query = sa.select(activity.c.state).where(activity.c.client_port.in_(ports_of(pid)), activity.c.state != "idle")
    with home.catalog.snapshot() as connection:
        return connection.execute(query).first() is not None


def ports_of(pid: int) -> list[int]:
    """The local TCP ports of this process. Source: proc(5), /proc/net/tcp."""
    opened = {str(path.readlink()) for path in Path(f"/proc/{pid}/fd").iterdir()}
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return [int(row[1].partition(":")[2], 16) for row in rows if f"socket:[{row[9]}]" in opened]


def stale_writes(home: Home, woken: list[Stood]) -> list[str]:
    """Entries of the log that a worker made of a turn after that turn was taken from it."""
    found = []
    for one in woken:
        original, lane, stage = one.job.split("-")
        for line in home.catalog.events_of(original):
            event = json.loads(line)
            if (
                event["actor"] == one.worker and event["seq"] > one.taken_at_seq
                and event["type"] == f"stage.{stage}" and event["facts"]["lane"] == lane
            ):  # fmt: skip
                found.append(line)
    return found


def judge(home: Home, count: int) -> None:
    """Every turn of every original is recorded once, every derivative is there once, and nothing failed."""
    round_of(home, grace_s=0.0)
    originals = home.catalog.digests()
    assert home.catalog.counts() == {"ready": count}
    done = Counter(
        (original, event["facts"]["lane"], event["type"].removeprefix("stage."))
        for original in originals.values()
        for event in map(json.loads, home.catalog.events_of(original))
        if event["type"].startswith("stage.")
    )
    assert done == Counter((original, *turn) for original in originals.values() for turn in ORDER)
    with home.catalog.snapshot() as connection:
        assert set(connection.execute(sa.select(tables.job.c.state)).scalars()) == {"done"}
        roles = connection.execute(sa.select(tables.derivative.c.original, tables.derivative.c.role)).all()
    assert len(set(roles)) == len(roles)
    for sha256, original in originals.items():
        assert set(home.vault.derivative_files(sha256)) == home.catalog.derivative_paths([original])
    assert home.audit.check(grace_s=0.0).faults == ()
