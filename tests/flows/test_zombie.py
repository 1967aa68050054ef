"""A worker that stood still and was taken for dead: its work is done once, and it ends when it wakes."""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from config.settings import Settings
from pipeline.edges import tables
from tests.flows.running import Roles, at_rest, family, wait_until
from tests.samples import making
from workers.bootstrap import Home, build_home, make_home


@pytest.mark.slow
@pytest.mark.parametrize("database", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def test_a_worker_that_wakes_after_its_lease_records_nothing_and_ends(
    database: str, make_settings: Callable[..., Settings], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue("fresh_database")() if database == "postgresql" else ""
    settings = make_settings(catalog_url=url)
    make_home(settings)
    home = build_home(settings)
    environ = {"CASEREEL_CATALOG_URL": url, "CASEREEL_WORK_LEASE_S": "3", "CASEREEL_WORK_HEAVY": "1"}
    film = making.film(tmp_path / "a.mp4", 1, length_s=20, size="1280x720", pattern="mandelbrot", with_sound=False)
    with Roles(settings.home, ["work"], environ) as first:
        film.rename(settings.inbox / "a.mp4")
        with Roles(settings.home, ["watch"], environ):
            wait_until(lambda: running_derive(home) is not None, 60, "the film is being transcoded")
            zombie = first.processes[0]
            stopped = stop_between_transactions(zombie.pid, home)
            with Roles(settings.home, ["work"], environ) as second:
                before = running_derive(home)
                try:
                    wait_until(lambda: running_derive(home) not in (before, None), 90, "another worker takes it over")
                finally:
                    for pid in reversed(stopped):
                        os.kill(pid, signal.SIGCONT)
                wait_until(lambda: zombie.poll() is not None, 30, "the woken worker ends")
                first.wanted.clear()
                wait_until(lambda: at_rest(home), 240, "the film is ready")
                assert all(process.poll() is None for process in second.processes.values())
    with home.catalog.snapshot() as connection:
        roles = connection.execute(
            sa.select(tables.derivative.c.role, sa.func.count()).group_by(tables.derivative.c.role)
        ).all()
    assert {count for _, count in roles} == {1}
    assert home.catalog.counts() == {"ready": 1}
    assert home.audit.check(grace_s=0.0).faults == ()
    home.close()


def stop_between_transactions(pid: int, home: Home) -> list[int]:
    """The processes that stand still now. A process that stops inside a write transaction blocks a SQLite catalog."""
    for _ in range(50):
        stopped = family(pid)
        for one in stopped:
            os.kill(one, signal.SIGSTOP)
        if home.catalog.engine.dialect.name != "sqlite" or is_writable(home):
            return stopped
        for one in stopped:
            os.kill(one, signal.SIGCONT)
        time.sleep(0.1)
    raise AssertionError("the worker writes all the time")


def is_writable(home: Home) -> bool:
    connection = sqlite3.connect(home.settings.home / "catalog.sqlite3", timeout=0.5, isolation_level=None)
    try:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("ROLLBACK")
        return True
    except sqlite3.OperationalError:
        return False
    finally:
        connection.close()


def running_derive(home: Home) -> str | None:
    with home.catalog.snapshot() as connection:
        return connection.execute(
            sa.select(tables.job.c.worker).where(tables.job.c.stage == "derive", tables.job.c.state == "running")
        ).scalar()
