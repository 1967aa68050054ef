"""The engine's rules, on both databases: fencing, retry, cancel, takeover, give-up, pruning."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
import sqlalchemy as sa
from ulid import ULID

from pipeline.edges.database import intake, knowledge, tables
from pipeline.edges.jobs import Claim, Jobs
from pipeline.edges.work import queue
from pipeline.edges.work.living import TOOK_S
from pipeline.errors import BadInput, Superseded
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
        intake.add_original(connection, original, 1)
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
    return len(jobs.queue._listed(status=["ENQUEUED", "DELAYED"]))


def test_a_worker_says_how_long_its_jobs_ran(home: Home, jobs: Jobs) -> None:
    original = add(home, jobs, enqueue=False)
    for stage, state in (("probe", "done"), ("timestamps", "waiting"), ("link", "failed")):
        claim = jobs.begin(original, "light", stage)
        assert claim is not None
        finish(home, jobs, claim, state)
    jobs.living.show()
    [said] = jobs.living.workers()
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
    heart = threading.Thread(target=jobs._give_back_ghosts, daemon=True)
    with sqlite_home.catalog.transaction() as connection:
        connection.execute(sa.update(tables.job).values(reason=None))
        heart.start()
        while not jobs.living.doing.lock.locked() and heart.is_alive():
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
        knowledge.set_state(connection, original, "ready")
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
        while (queued(home) or jobs.queue.claimed_by([jobs.worker_id])) and time.monotonic() < deadline:
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


def test_a_retry_put_off_by_a_clock_since_set_back_comes_soon(home: Home, jobs: Jobs) -> None:
    far, near = add(home, jobs, enqueue=False), add(home, jobs, enqueue=False)
    with home.catalog.transaction() as connection:
        jobs.enqueue(connection, far, "light", kind="photo", delay_s=315_576_000.0)
        jobs.enqueue(connection, near, "light", kind="photo", delay_s=20.0)
    jobs.shorten_delays()
    listed = jobs.queue._listed(status="DELAYED")
    waits_s = {one.workflow_id.split(":")[1]: one.delay_until_epoch_ms / 1000 - time.time() for one in listed}
    assert waits_s == {far: pytest.approx(600, abs=5), near: pytest.approx(20, abs=5)}


def test_lost_work_is_noticed_though_the_clock_was_set_back(home: Home, jobs: Jobs) -> None:
    lost = add(home, jobs, enqueue=False)
    with home.catalog.transaction() as connection:
        connection.execute(sa.update(tables.job).values(waiting_since=datetime.now(UTC) + timedelta(days=3652)))
    assert jobs.stranded() == [(lost, "light")]


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

    source = Path(queue.__file__).read_text(encoding="utf-8")
    assert source.count('"workflow_name": WORKFLOW') == 1
    assert "DBOS.workflow(name=WORKFLOW" in source
