"""The machine's clock is set while watch, work and patrol run: nothing goes, nothing loses its order, intake goes on.

libfaketime moves the wall clock of whole processes and leaves their monotonic clocks alone.
"""

from __future__ import annotations

import itertools
import json
import os
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from config.settings import Settings
from pipeline.edges.database import tables
from pipeline.edges.host.clock import boot
from tests.flows.keeping import OPERATOR, REVIEWER, YEAR, SetClock, kept, take
from tests.flows.running import Roles, wait_until
from tests.homes import make_home
from tests.samples import making
from workers.bootstrap import Home, build_home

YEARS_10 = 3652 * 86400
# Each is where the clock stands against the true time; between two of them it moves by their difference.
OFFSETS_S = (YEARS_10, -YEARS_10, 3600, -3600)
ROLES = ["watch", "work", "work", "patrol"]
# Python 3.11 sleeps by an absolute time that libfaketime 0.9.10 moves as well, and gets EINVAL.
SLEEPS = "import threading, time\ntime.sleep = lambda seconds: threading.Event().wait(seconds) and None\n"


@pytest.fixture
def library() -> Path:
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")) if sys.platform == "linux" else []
    if not found:
        if os.environ.get("CI"):
            pytest.fail("libfaketime is not installed; on Debian: apt-get install faketime")
        pytest.skip("libfaketime is not installed; on Debian: apt-get install faketime")
    return found[0]


class Wall:
    """The wall clock of the processes that are given `environ`."""

    def __init__(self, folder: Path, library: Path) -> None:
        folder.mkdir()
        (folder / "sitecustomize.py").write_text(SLEEPS, encoding="utf-8")
        self._file = folder / "offset"
        self.put(0)
        # Stored file times stay what they are when a clock is set.
        self.environ = {
            "LD_PRELOAD": str(library), "FAKETIME_TIMESTAMP_FILE": str(self._file), "FAKETIME_NO_CACHE": "1",
            "DONT_FAKE_MONOTONIC": "1", "NO_FAKE_STAT": "1", "PYTHONPATH": str(folder), "CASEREEL_WORK_LEASE_S": "30",
        }  # fmt: skip

    def put(self, offset_s: int) -> None:
        new = self._file.with_suffix(".new")
        new.write_text(f"{offset_s:+d}s\n")
        new.rename(self._file)


def test_a_clock_set_while_all_roles_run_releases_nothing_and_stops_nothing(
    make_settings: Callable[..., Settings], tmp_path: Path, library: Path
) -> None:
    settings = make_settings()
    make_home(settings)
    home = build_home(settings)
    cooling, other = take(home, tmp_path / "card", "cooling.jpg", "other.jpg")
    approve(home, cooling, ago=timedelta(hours=1))
    before, jumps = lines(home), 0
    assert moved(home) == []
    wall = Wall(tmp_path / "wall", library)
    with Roles(settings.home, ROLES, wall.environ) as roles:
        started = {number: process.pid for number, process in roles.processes.items()}
        wait_until(lambda: len(beats(home)) == len(ROLES), 90, "all roles are at work")
        for offset_s in OFFSETS_S:
            wall.put(offset_s)
            beaten = beats(home)
            making.photo(settings.inbox / f"{offset_s}.jpg", offset_s % 9973, size=(32, 24))
            jumps += 1
            wait_until(lambda n=jumps: len(moved(home)) == n, 90, f"the jump to {offset_s} s is told")  # type: ignore[misc]
            wait_until(lambda n=jumps: in_custody(home) == 2 + n, 90, f"intake goes on at {offset_s} s")  # type: ignore[misc]
            wait_until(lambda b=beaten: all(beats(home)[w] != b[w] for w in b), 90, "all beat on")  # type: ignore[misc]
        wait_until(lambda: probed(home) == 2 + jumps, 90, "work goes on")
        assert {number: process.pid for number, process in roles.processes.items()} == started
        assert all(process.poll() is None for process in roles.processes.values())
        assert set(states(home).values()) == {"alive"}
    assert moved(home) == [pytest.approx(to_s - from_s, abs=5) for from_s, to_s in itertools.pairwise((0, *OFFSETS_S))]
    [disposal] = kept(home, true_clock(timedelta())).disposals()
    assert disposal.state == "approved"
    for original in (cooling, other):
        assert home.vault.faults(home.catalog.known_of(original).original.sha256) == []
    after = lines(home)
    assert after[: len(before)] == before
    assert [json.loads(line)["seq"] for line in after] == list(range(1, len(after) + 1))
    assert home.audit.check(grace_s=0.0).faults == ()
    home.close()


def true_clock(ago: timedelta) -> SetClock:
    """This machine's clocks so long ago; `pass_` brings them nearer to now."""
    ticks_s = time.clock_gettime(time.CLOCK_BOOTTIME) - ago.total_seconds()
    return SetClock(wall_at=datetime.now(UTC) - ago, ticks_s=ticks_s, boot=boot())


def approve(home: Home, original: str, *, ago: timedelta) -> None:
    """The original came a year before and may go; two persons agreed on its disposal so long ago."""
    with home.catalog.transaction() as connection:
        at = datetime.now(UTC) - YEAR - ago
        connection.execute(sa.update(tables.original).where(tables.original.c.id == original).values(accepted_at=at))
    clock = true_clock(YEAR + ago)
    retention = kept(home, clock)
    retention.confirm_clock(REVIEWER, "已核对")
    retention.decide(REVIEWER, "floor", "鉴定", original=original)
    clock.pass_(YEAR)
    [disposal] = retention.propose([original], OPERATOR, "期满")
    retention.approve(disposal.id, REVIEWER)


def in_custody(home: Home) -> int:
    return sum(home.catalog.counts().values())


def probed(home: Home) -> int:
    with home.catalog.snapshot() as connection:
        done = sa.select(sa.func.count()).where(tables.job.c.stage == "probe", tables.job.c.state == "done")
        return int(connection.execute(done).scalar_one())


def lines(home: Home) -> list[str]:
    with home.catalog.snapshot() as connection:
        return list(connection.execute(sa.select(tables.event.c.line).order_by(tables.event.c.seq)).scalars())


def moved(home: Home) -> list[float]:
    """By how much each told jump moved the clock."""
    return [json.loads(line)["facts"]["moved_s"] for line in home.catalog.events_of_type(["clock.jump"])]


def beats(home: Home) -> dict[str, float]:
    with home.catalog.snapshot() as connection:
        rows = connection.execute(sa.select(tables.worker.c.id, tables.worker.c.seen_s))
        return {row.id: row.seen_s for row in rows}


def states(home: Home) -> dict[str, str]:
    with home.catalog.snapshot() as connection:
        return {row.id: row.state for row in connection.execute(sa.select(tables.worker.c.id, tables.worker.c.state))}
