"""Figures of jobs that are counted once and then followed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

from pipeline.edges.database import tables as t
from pipeline.edges.work.workload import Counters
from pipeline.states import LANES
from tests.flows.keeping import take
from workers.bootstrap import Home

AT = datetime(2026, 8, 3, 1, tzinfo=UTC)


def end(home: Home, original: str, stage: str, state: str, at: datetime, attempts: int = 1) -> None:
    with home.catalog.transaction() as connection:
        its = sa.update(t.job).where(t.job.c.original == original, t.job.c.stage == stage, t.job.c.lane == "light")
        connection.execute(its.values(state=state, ended_at=at, attempts=attempts))


def test_done_jobs_are_added_as_they_end_and_put_right_where_one_runs_anew(home: Home, tmp_path: Path) -> None:
    counters, (one, two) = Counters(), take(home, tmp_path / "in", "a.jpg", "b.jpg")
    assert counters.of(home.catalog)["probe"] == {"waiting": 2}
    end(home, one, "probe", "done", AT)
    assert counters.of(home.catalog)["probe"] == {"waiting": 1, "done": 1, "success_s": AT.timestamp()}
    later = AT + timedelta(hours=1)
    end(home, two, "probe", "done", later)
    end(home, two, "link", "failed", AT)
    found = counters.of(home.catalog)
    assert found["probe"] == {"done": 2, "success_s": later.timestamp()}
    assert found["link"]["failed"] == 1
    assert found["link"]["error_s"] == AT.timestamp()
    # It waits anew: told at the latest when every stage and lane was counted again.
    end(home, one, "probe", "waiting", AT)
    for _ in LANES:
        found = counters.of(home.catalog)
    assert found == Counters().of(home.catalog)
    assert found["probe"] == {"waiting": 1, "done": 1, "success_s": later.timestamp()}


def test_a_job_that_is_done_anew_between_two_askings_counts_once(home: Home, tmp_path: Path) -> None:
    counters, originals = Counters(), take(home, tmp_path / "in", "a.jpg", "b.jpg")
    for stage in ("probe", "timestamps", "link"):
        for number, one in enumerate(originals):
            end(home, one, stage, "done", AT + timedelta(hours=number))
    for _ in range(2 * len(LANES)):
        counters.of(home.catalog)
    for stage in ("probe", "timestamps", "link"):
        end(home, originals[0], stage, "done", AT + timedelta(hours=2), attempts=2)
    found = counters.of(home.catalog)
    assert {stage: found[stage]["done"] for stage in ("probe", "timestamps", "link")} == {
        "probe": 2, "timestamps": 2, "link": 2,
    }  # fmt: skip
