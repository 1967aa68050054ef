"""The engine's rules, on both databases: fencing, retry, cancel, takeover, give-up, pruning."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from itertools import pairwise

import pytest
import sqlalchemy as sa
from ulid import ULID

from pipeline.edges import jobs as jobs_module
from pipeline.edges import tables
from pipeline.edges.jobs import Claim, Jobs
from pipeline.errors import BadInput, Superseded
from pipeline.records import Original
from pipeline.stages import ORDER
from workers.bootstrap import Home


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
    with home.catalog.transaction() as connection:
        connection.execute(
            sa.insert(tables.worker).values(
                id=dead.worker_id, role="work", host="elsewhere", pid=1, generation=jobs_module.GENERATION,
                started_s=0.0, seen_s=1.0, state="alive", said={},
            )
        )  # fmt: skip
    status = sa.table("workflow_status", *map(sa.column, ("workflow_uuid", "status", "executor_id")))
    if home.catalog.engine.dialect.name == "postgresql":
        status = sa.table(
            *("workflow_status",), *map(sa.column, ("workflow_uuid", "status", "executor_id")), schema="dbos"
        )
    with home.catalog.transaction() as connection:
        connection.execute(sa.update(status).values(status="PENDING", executor_id=dead.worker_id))
    done: list[str] = []
    living = Jobs(home.catalog, home.settings.work, role="work")
    living.launch({"light": 1}, lambda one, _: done.append(one))
    try:
        deadline = time.monotonic() + 20
        while not done and time.monotonic() < deadline:
            time.sleep(0.1)
    finally:
        living.close()
    assert done == [original]


def test_a_process_of_this_host_that_ended_is_known_to_be_gone() -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    time.sleep(0.2)  # ended and not yet collected
    assert jobs_module._is_gone(jobs_module._this_host(), pid)
    os.waitpid(pid, 0)
    assert jobs_module._is_gone(jobs_module._this_host(), pid)
    assert not jobs_module._is_gone(jobs_module._this_host(), os.getpid())
    assert not jobs_module._is_gone("another host", pid)


def test_ended_entries_of_the_queue_are_pruned_and_our_rows_stay(home: Home) -> None:
    worker = Jobs(home.catalog, home.settings.work, role="work")
    original = add(home, worker)
    done: list[str] = []
    worker.launch({"light": 1}, lambda one, _: done.append(one))
    deadline = time.monotonic() + 20
    while not done and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(0.5)
    assert worker.prune(keep_days=-1) == 1
    worker.close()
    assert len(worker.listed(original=original)) == len(ORDER)


def test_every_queued_name_is_one_that_a_worker_knows() -> None:
    """A name nobody registered would be claimed and never run."""
    from pathlib import Path

    source = Path(jobs_module.__file__).read_text(encoding="utf-8")
    assert source.count('"workflow_name": WORKFLOW') == 1
    assert "DBOS.workflow(name=WORKFLOW" in source
