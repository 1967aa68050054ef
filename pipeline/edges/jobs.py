"""Durable work: one row of `cr_job` for each turn of an original, with the token that fences a worker taken for dead.

Below lie `queue`, which hands out the lanes, and `living`, which knows who works. A lane of an original is queued
in the transaction that makes it necessary, so a fact and the work it asks for commit together. `begin` and
`finish` decide what is recorded, and never the queue.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa
from ulid import ULID

from config.settings import WorkSettings
from pipeline.edges.catalog import Catalog
from pipeline.edges.database import isolations
from pipeline.edges.database import tables as t
from pipeline.edges.work.living import Living
from pipeline.edges.work.queue import Queue
from pipeline.errors import BadInput, Superseded

# The lower number first; `aside` is what nobody waits for.
PRIORITIES: Final = {
    "photo": 40, "sidecar": 40, "document": 45, "audio": 60, "other": 70, "video": 80, "aside": 200,
}  # fmt: skip
RETRY_FIRST_S, RETRY_LONGEST_S = 5.0, 600.0
# What an older version did is done anew at the earliest so long after.
OLDER_AFTER: Final = timedelta(days=1)


@dataclass(frozen=True)
class Claim:
    """The right to do one turn. token: the fence; only its holder can record what the turn found.

    begun_s: of the clock that only counts on.
    """

    job: str
    original: str
    lane: str
    stage: str
    token: str
    attempts: int
    deaths: int
    begun_s: float = field(default_factory=time.monotonic, compare=False)


# What needs somebody stands first, what is done last.
_URGENT: Final = {"failed": 0, "running": 1, "waiting": 2, "cancelled": 3}
# So many jobs of one state are read and put in order at once.
_FEW: Final = 2_000


@dataclass(frozen=True)
class JobRow:
    """A job as operators see it. waiting_s, running_s: so far, or in all where it ended.

    progress: the share that is done, 0.0 to 1.0, as its worker said with its last sign of life; None where unknown.
    """

    job: str
    original: str
    name: str
    stage: str
    lane: str
    state: str
    attempts: int
    waiting_s: float | None
    running_s: float | None
    reason: str | None
    detail: str | None = field(default=None, repr=False)
    progress: float | None = None
    worker: str | None = None
    deaths: int = 0
    stage_version: int | None = None


class Jobs:
    """The jobs of one catalog, seen from one process.

    queues: lane -> how many run side by side here; empty in a process that only adds work.
    """

    def __init__(self, catalog: Catalog, settings: WorkSettings, *, role: str = "client") -> None:
        self._catalog, self._settings = catalog, settings
        self.queue = Queue(catalog)
        self.living = Living(catalog, self.queue, settings, role=role)
        self.worker_id = self.living.worker_id
        self._ghosts: set[str] = set()

    # -- adding work, inside a transaction of the caller's

    def plan(self, connection: sa.Connection, original_id: str, turns: Sequence[tuple[str, str]]) -> None:
        """Every turn of this original waits, in this order. turns: (lane, stage)."""
        at = datetime.now(UTC)
        connection.execute(
            sa.insert(t.job),
            [
                {
                    "id": f"{original_id}-{lane}-{stage}", "original": original_id, "lane": lane, "stage": stage,
                    "place": place, "state": "waiting", "attempts": 0, "deaths": 0, "run": 1, "waiting_since": at,
                }
                for place, (lane, stage) in enumerate(turns)
            ],
        )  # fmt: skip

    def plan_missing(self, connection: sa.Connection, turns: Sequence[tuple[str, str]], *, limit: int) -> list[str]:
        """Originals that were planned before some of these turns existed; now these wait, and what comes after them
        in their lane anew. At most so many, the oldest first; none that was disposed of or whose custody broke.
        """
        planned = sa.select(sa.func.count()).where(t.job.c.original == t.original.c.id).scalar_subquery()
        lacking = (
            sa.select(t.original.c.id)
            .where(planned > 0, planned < len(turns), t.original.c.state.not_in(("disposed", "failed_custody")))
            .where(t.original.c.id.not_in(isolations.closed()))
            .order_by(t.original.c.id)
            .limit(limit)
        )
        found = list(connection.execute(lacking).scalars())
        for original_id in found:
            self._plan_missing_of(connection, original_id, turns)
        return found

    def plan_older(
        self,
        connection: sa.Connection,
        versions: Mapping[str, int],
        after: Mapping[str, Sequence[str]],
        *,
        limit: int,
        read_anew: Mapping[str, Mapping[int, Collection[str]]],
        tried_anew: Mapping[str, Mapping[int, Collection[str]]],
    ) -> list[str]:
        """Originals of which an older version of one of these stages decided: that stage and those after it wait anew,
        in each lane that has them, behind all other work. At most so many, the oldest first.

        What was done in the last day is left for the next: an older worker on another host may do it once more and
        decide as before, and so each is planned at most once a day.
        versions: stage -> the one that decides now; after: lane -> its stages, in order. read_anew: stage -> version ->
        the formats of which it and later ones find other facts than those before; tried_anew: the same with the codes
        of the caveats by which those before told that they had failed.
        """

        def failed_by(codes: Collection[str]) -> sa.Select[tuple[str]]:
            return sa.select(t.caveat.c.original).where(t.caveat.c.code.in_(codes))

        is_rested = sa.or_(t.job.c.ended_at.is_(None), t.job.c.ended_at < datetime.now(UTC) - OLDER_AFTER)
        is_older = sa.or_(*(
            *(sa.and_(t.job.c.stage == stage, t.job.c.stage_version < now) for stage, now in versions.items()),
            *(
                sa.and_(t.job.c.stage == stage, t.job.c.stage_version < version, t.original.c.format.in_(formats))
                for stage, found in read_anew.items() for version, formats in found.items()
            ),
            *(
                sa.and_(t.job.c.stage == stage, t.job.c.stage_version < version, t.job.c.original.in_(failed_by(codes)))
                for stage, found in tried_anew.items() for version, codes in found.items()
            ),
        ))  # fmt: skip
        query = (
            sa.select(t.job.c.original, t.job.c.lane, t.job.c.stage)
            .join(t.original, t.original.c.id == t.job.c.original)
            .where(
                t.job.c.state == "done", is_older, is_rested, t.original.c.state.not_in(("disposed", "failed_custody"))
            )
            .where(t.original.c.id.not_in(isolations.closed()))
            .order_by(t.job.c.original)
            .limit(limit * (len(versions) + len(read_anew)) * len(after))
        )
        older: dict[str, dict[str, set[str]]] = {}
        for row in connection.execute(query):
            if row.original in older or len(older) < limit:
                older.setdefault(row.original, {}).setdefault(row.lane, set()).add(row.stage)
        for original_id, lanes in older.items():
            for lane, found in lanes.items():
                order = list(after[lane])
                first = min(order.index(stage) for stage in found)
                self.again(connection, original_id, lane, order[first:], aside=True)
        return list(older)

    def _plan_missing_of(self, connection: sa.Connection, original_id: str, turns: Sequence[tuple[str, str]]) -> None:
        mine = sa.select(t.job.c.lane, t.job.c.stage).where(t.job.c.original == original_id)
        there = {(lane, stage) for lane, stage in connection.execute(mine)}
        for lane in dict.fromkeys(lane for lane, _ in turns):
            of_lane = [stage for other, stage in turns if other == lane]
            missing = [stage for stage in of_lane if (lane, stage) not in there]
            if not missing:
                continue
            later = of_lane[of_lane.index(missing[0]) + 1 :]
            # Before the new ones wait, for a lane of which something waits is not queued again.
            self.again(connection, original_id, lane, [stage for stage in later if stage not in missing])
            self.plan(connection, original_id, [(lane, stage) for stage in missing])
            here = (t.job.c.original == original_id, t.job.c.lane == lane)
            run = connection.execute(sa.select(sa.func.max(t.job.c.run)).where(*here)).scalar_one()
            connection.execute(sa.update(t.job).where(*here).values(run=run))
        for place, (lane, stage) in enumerate(turns):
            job = f"{original_id}-{lane}-{stage}"
            connection.execute(sa.update(t.job).where(t.job.c.id == job).values(place=place))

    def enqueue(
        self, connection: sa.Connection, original_id: str, lane: str, *, kind: str, run: int = 1, delay_s: float = 0.0
    ) -> None:
        """The lane of this original is queued when the transaction commits; the same run twice is queued once."""
        workflow = _workflow(original_id, lane, run)
        self.queue.put(connection, workflow, original_id, lane, priority=PRIORITIES[kind], delay_s=delay_s)

    def again(
        self, connection: sa.Connection, original_id: str, lane: str, stages: Sequence[str],
        *, delay_s: float | None = None, force: bool = False, aside: bool = False,
    ) -> None:  # fmt: skip
        """These turns of the lane wait anew. A lane that is at work comes to them by itself; one that is not, or waits
        behind all other work for what nobody asked for, is queued under its next run, and only the last run works.

        delay_s: queued in any case, for so much later. force: queued in any case, now. aside: behind all other work.
        Nothing waits for an original that was disposed of, or is isolated.
        """
        here = (t.job.c.original == original_id, t.job.c.lane == lane)
        found = connection.execute(
            sa.select(t.original.c.kind, t.original.c.state).where(t.original.c.id == original_id)
        )
        kind, state = found.one()
        if state == "disposed" or isolations.among(connection, [original_id]):
            return
        # The lock orders this against the end of the lane's last turn: one of both sees the other.
        rows = connection.execute(sa.select(t.job.c.state, t.job.c.run).where(*here).with_for_update()).all()
        is_at_work = any(row.state in ("waiting", "running") for row in rows)
        run = max(row.run for row in rows)
        if is_at_work and not aside and all(row.state != "running" for row in rows):
            is_at_work = self.queue.priority_of(connection, _workflow(original_id, lane, run)) != PRIORITIES["aside"]
        connection.execute(
            sa.update(t.job).where(*here, t.job.c.stage.in_(stages)).values(
                state="waiting", token=None, worker=None, waiting_since=datetime.now(UTC), started_at=None,
                ended_at=None,
            )
        )  # fmt: skip
        if is_at_work and delay_s is None and not force:
            return
        connection.execute(sa.update(t.job).where(*here).values(run=run + 1))
        kind = "aside" if aside else kind
        self.enqueue(connection, original_id, lane, kind=kind, run=run + 1, delay_s=delay_s or 0.0)

    def rested(self, connection: sa.Connection, originals: Sequence[str], stage: str) -> dict[str, str]:
        """Original -> the last lane in which this stage is done, of those where it neither waits nor is at work.

        Their turns stay as they are until the transaction ends.
        """
        query = sa.select(t.job.c.original, t.job.c.lane, t.job.c.state, t.job.c.place)
        query = query.where(t.job.c.original.in_(originals), t.job.c.stage == stage).order_by(t.job.c.place)
        query = query.where(t.job.c.original.not_in(isolations.closed()))
        rows = connection.execute(query.with_for_update()).all()
        busy = {row.original for row in rows if row.state in ("waiting", "running")}
        return {row.original: row.lane for row in rows if row.state == "done" and row.original not in busy}

    def begin_anew(self, connection: sa.Connection, originals: Sequence[str], stage: str) -> None:
        """Where this stage is at work on one of these, what it finds is not recorded, and it runs again."""
        query = sa.select(t.job.c.original, t.job.c.lane).where(
            t.job.c.original.in_(originals), t.job.c.stage == stage, t.job.c.state == "running"
        )
        for row in connection.execute(query).all():
            self.again(connection, row.original, row.lane, [stage])

    def waiting_in(self, connection: sa.Connection, original_id: str, lane: str) -> bool:
        """Whether any turn of the lane waits."""
        query = sa.select(t.job.c.id).where(
            t.job.c.original == original_id, t.job.c.lane == lane, t.job.c.state == "waiting"
        )
        return connection.execute(query.limit(1)).first() is not None

    # -- doing one turn

    def begin(self, original_id: str, lane: str, stage: str) -> Claim | None:
        """The right to do this turn now; None where it is done, failed or cancelled, or what it is about is isolated.

        A job that still counts as running was cut off: by a death, or it is taken from a worker that is
        fenced off by the new token.
        """
        token = str(ULID())
        with self._catalog.transaction() as connection:
            query = sa.select(t.job).where(
                t.job.c.original == original_id, t.job.c.lane == lane, t.job.c.stage == stage
            )
            row = connection.execute(query.with_for_update()).one_or_none()
            if row is None or row.state not in ("waiting", "running"):
                return None
            if isolations.among(connection, [original_id]):
                self.stand(connection, [original_id], isolations.REASON)
                return None
            deaths = row.deaths + (row.state == "running")
            connection.execute(
                sa.update(t.job).where(t.job.c.id == row.id).values(
                    state="running", token=token, worker=self.worker_id, attempts=row.attempts + 1, deaths=deaths,
                    started_at=datetime.now(UTC), ended_at=None,
                )
            )  # fmt: skip
        return Claim(row.id, original_id, lane, stage, token, row.attempts + 1, deaths)

    def finish(
        self, connection: sa.Connection, claim: Claim, state: str, *, reason: str | None = None,
        detail: str | None = None, version: int | None = None,
    ) -> None:  # fmt: skip
        """The job ended so, in the caller's transaction. Raises Superseded where the claim no longer holds."""
        values = {"state": state, "reason": reason, "detail": detail, "token": None, "stage_version": version}
        stamp = {"waiting_since" if state == "waiting" else "ended_at": datetime.now(UTC)}
        done = connection.execute(
            sa.update(t.job).where(t.job.c.id == claim.job, t.job.c.token == claim.token, t.job.c.state == "running")
            .values(**values, **stamp)
        )  # fmt: skip
        if done.rowcount != 1:
            raise Superseded(f"The job {claim.job} is no longer this worker's")
        if state in ("done", "failed"):
            self.living.doing.ended(claim.stage, state, time.monotonic() - claim.begun_s)

    def progressing(self, claim: Claim) -> AbstractContextManager[Callable[[float], None]]:
        """Signs of life tell how far this job is, by what the function given here is told (0.0 to 1.0)."""
        return self.living.doing.progressing(claim.job)

    def require_held(self, claim: Claim) -> None:
        """Returns while the claim holds. Raises Superseded once the job is cancelled or taken over."""
        with self._catalog.snapshot() as connection:
            token = connection.execute(sa.select(t.job.c.token).where(t.job.c.id == claim.job)).scalar()
        if token != claim.token:
            raise Superseded(f"The job {claim.job} is no longer this worker's")

    def may_go_on(self, claim: Claim) -> bool:
        """Whether a worker that lost this claim may go on with the lane.

        So it is where an operator cancelled the job, or where new facts made it wait anew; not where another
        worker took the lane over.
        """
        with self._catalog.snapshot() as connection:
            worker = connection.execute(sa.select(t.job.c.worker).where(t.job.c.id == claim.job)).scalar()
        return worker in (None, self.worker_id)

    def none_failed(self, connection: sa.Connection, original_id: str) -> bool:
        """Whether no turn of this original failed or was cancelled."""
        query = sa.select(t.job.c.id).where(t.job.c.original == original_id, t.job.c.state.in_(["failed", "cancelled"]))
        return connection.execute(query.limit(1)).first() is None

    def retry_delay_s(self, claim: Claim) -> float | None:
        """How long to wait before this job's next attempt; None when it had all its attempts."""
        if claim.attempts >= self._settings.attempts:
            return None
        return float(min(RETRY_FIRST_S * 4 ** (claim.attempts - 1), RETRY_LONGEST_S))

    def is_deadly(self, claim: Claim) -> bool:
        """Whether this job has ended its worker so often that it is set aside."""
        return claim.deaths > self._settings.deaths

    # -- the worker's life

    def launch(self, queues: Mapping[str, int], on_lane: Callable[[str, str], None]) -> None:
        """This process takes work from these queues and calls on_lane(original, lane) for each piece.

        Its row with a first sign of life is there before its first claim.
        """

        def on_run(workflow: str, original_id: str, lane: str) -> str:
            with self.living.doing.within(workflow):
                if self._is_overtaken(workflow, original_id, lane):
                    return "overtaken"
                on_lane(original_id, lane)
            return "ended"

        self.queue.run(
            self.worker_id, queues, on_run, poll_s=self._settings.poll_s,
            first=lambda: self.living.enlist(queues=sorted(queues)),
        )  # fmt: skip
        self.living.beat_on(self._care)

    def close(self, drain_s: int = 20) -> None:
        """No work is taken any more; what is unfinished after the drain is taken over by others at once."""
        self.queue.stop(drain_s)
        self.living.end()
        self.queue.close()

    def _is_overtaken(self, workflow: str, original_id: str, lane: str) -> bool:
        """Whether the lane was queued once more since: both side by side would take the turns from each other."""
        here = (t.job.c.original == original_id, t.job.c.lane == lane)
        with self._catalog.snapshot() as connection:
            last = connection.execute(sa.select(sa.func.max(t.job.c.run)).where(*here)).scalar()
        return last is not None and int(workflow.rpartition(":")[2]) < last

    def _care(self) -> None:
        self._give_back_ghosts()
        self.queue_stranded()
        self.shorten_delays()

    def _give_back_ghosts(self) -> None:
        """Work claimed under this worker's name that it is not doing: seen twice, it is queued again."""
        ghosts = self.living.doing.not_in(lambda: self.queue.claimed_by([self.worker_id]).keys())
        for workflow in ghosts & self._ghosts:
            self.queue.give_back(workflow)
        self._ghosts = ghosts

    def shorten_delays(self) -> None:
        """No retry is put off for longer than the longest wait."""
        self.queue.shorten_delays(RETRY_LONGEST_S)

    # -- looking, and the operators' verbs

    def listed(
        self, *, state: str | None = None, original: str | None = None, jobs: Sequence[str] | None = None,
        limit: int | None = 1000,
    ) -> list[JobRow]:  # fmt: skip
        """Jobs, the ones that need somebody first, then the longest waiting; none of what is isolated.

        jobs: these alone. limit: at most so many; None for all.
        """
        query = sa.select(t.job, t.original.c.name).join(t.original, t.original.c.id == t.job.c.original)
        query = query.where(t.job.c.original.not_in(isolations.closed()))
        if jobs is not None:
            query = query.where(t.job.c.id.in_(jobs))
        if original:
            query = query.where(t.job.c.original == original).order_by(t.job.c.place)
        order: sa.ColumnElement[Any] = sa.case(_URGENT, value=t.job.c.state, else_=len(_URGENT))
        query = query.limit(limit)
        with self._catalog.snapshot() as connection:
            if state:
                # Of many in one state the first are met along the originals; a few are looked up and put in order.
                its = sa.select(t.job.c.id).where(t.job.c.state == state).limit(_FEW + 1).subquery()
                is_many = connection.execute(sa.select(sa.func.count()).select_from(its)).scalar_one() > _FEW
                query = query.where((t.job.c.state + "" if is_many else t.job.c.state) == state)
                query = query.order_by(t.job.c.original, t.job.c.place)
            else:
                query = query.order_by(order, t.job.c.original, t.job.c.place)
            rows = [_job_row(row) for row in connection.execute(query)]
            alive = sa.select(t.worker.c.said).where(t.worker.c.state == "alive")
            shares = [said.get("progress", {}) for said in connection.execute(alive).scalars()]
        told = {job: share for those in shares for job, share in those.items()}
        return [replace(row, progress=told.get(row.job)) if row.state == "running" else row for row in rows]

    def show(self, job: str) -> JobRow:
        """One job. Raises BadInput where there is none of this name."""
        query = sa.select(t.job, t.original.c.name).join(t.original, t.original.c.id == t.job.c.original)
        with self._catalog.snapshot() as connection:
            row = connection.execute(query.where(t.job.c.id == job)).one_or_none()
            if row is None or isolations.among(connection, [row.original]):
                raise BadInput(f"There is no job {job}", zh=f"没有任务 {job}", found=job)
        return _job_row(row)

    def retry(self, connection: sa.Connection, job: str) -> None:
        """A failed or cancelled job waits anew with fresh attempts, and its lane is queued.

        Raises BadInput where the job is neither.
        """
        row = connection.execute(sa.select(t.job).where(t.job.c.id == job)).one_or_none()
        if row is not None and isolations.among(connection, [row.original]):
            row = None
        if row is None or row.state not in ("failed", "cancelled"):
            raise BadInput(
                f"The job {job} is not failed or cancelled", zh=f"任务 {job} 既未失败也未取消", found=row and row.state
            )
        connection.execute(
            sa.update(t.job).where(t.job.c.id == job).values(attempts=0, deaths=0, reason=None, detail=None)
        )
        # What came after it may find more now, above all the index.
        later = connection.execute(
            sa.select(t.job.c.stage).where(
                t.job.c.original == row.original, t.job.c.lane == row.lane,
                sa.or_(t.job.c.place == row.place, sa.and_(t.job.c.place > row.place, t.job.c.stage == "index")),
            )
        ).scalars().all()  # fmt: skip
        busy = connection.execute(
            sa.select(t.job.c.id).where(
                t.job.c.original == row.original, t.job.c.lane == row.lane, t.job.c.state == "running"
            )
        ).first()
        self.again(connection, row.original, row.lane, later, force=busy is None)

    def cancel(self, connection: sa.Connection, job: str) -> None:
        """A waiting or running job is cancelled; its child processes end within seconds.

        Raises BadInput where the job has ended.
        """
        done = connection.execute(
            sa.update(t.job).where(t.job.c.id == job, t.job.c.state.in_(["waiting", "running"]))
            .values(state="cancelled", token=None, ended_at=datetime.now(UTC), reason="cancelled by an operator")
        )  # fmt: skip
        if done.rowcount != 1:
            raise BadInput(f"The job {job} is not waiting or running", zh=f"任务 {job} 既不在等待也不在进行", found=job)

    def stand(self, connection: sa.Connection, originals: Sequence[str], reason: str) -> None:
        """What waits, runs or failed for these is cancelled; child processes end within seconds. reason: for `stir`."""
        connection.execute(
            sa.update(t.job)
            .where(t.job.c.original.in_(originals), t.job.c.state.in_(["waiting", "running", "failed"]))
            .values(state="cancelled", token=None, ended_at=datetime.now(UTC), reason=reason)
        )

    def stir(self, connection: sa.Connection, originals: Sequence[str], reason: str) -> None:
        """What was cancelled for this reason waits anew, and its lanes are queued; before the log's head is locked."""
        stood = (t.job.c.original.in_(originals), t.job.c.state == "cancelled", t.job.c.reason == reason)
        rows = connection.execute(sa.select(t.job.c.original, t.job.c.lane, t.job.c.stage).where(*stood)).all()
        connection.execute(sa.update(t.job).where(*stood).values(attempts=0, deaths=0, reason=None, detail=None))
        for original, lane in dict.fromkeys((row.original, row.lane) for row in rows):
            stages = [row.stage for row in rows if (row.original, row.lane) == (original, lane)]
            self.again(connection, original, lane, stages)

    def unfinished(self) -> dict[str, int]:
        """How many jobs wait, run and failed."""
        with self._catalog.snapshot() as connection:
            rows = connection.execute(
                sa.select(t.job.c.state, sa.func.count())
                .where(t.job.c.state.in_(["waiting", "running", "failed", "cancelled"]))
                .where(t.job.c.original.not_in(isolations.closed()))
                .group_by(t.job.c.state)
            )
            return {row[0]: row[1] for row in rows}

    def stranded(self, *, waiting_s: float = 60.0, limit: int = 500) -> list[tuple[str, str]]:
        """(original, lane) that wait for so long although nothing is queued, running or put off for them."""
        now = datetime.now(UTC)
        # What waits since a time to come was made to wait before the clock was set back: nobody knows how long ago.
        waits_long = sa.or_(t.job.c.waiting_since <= now - timedelta(seconds=waiting_s), t.job.c.waiting_since > now)
        lanes = (
            sa.select(t.job.c.original, t.job.c.lane, sa.func.max(t.job.c.run).label("run"))
            .where(t.job.c.state.in_(["waiting", "running"]), waits_long)
            .group_by(t.job.c.original, t.job.c.lane)
            .order_by(sa.func.min(t.job.c.waiting_since))
            .limit(limit)
        )
        with self._catalog.snapshot() as connection:
            found = {
                (row.original, row.lane): _workflow(row.original, row.lane, row.run)
                for row in connection.execute(lanes)
            }
            query = sa.select(t.job.c.original).where(
                t.job.c.lane == "light", t.job.c.state.in_(["waiting", "running"]),
                t.job.c.original.in_([original for original, _ in found]),
            )  # fmt: skip
            light = set(connection.execute(query).scalars())
        # The heavy lane is queued when the light one ends.
        found = {key: workflow for key, workflow in found.items() if key[1] == "light" or key[0] not in light}
        if not found:
            return []
        alive = self.queue.alive(list(found.values()))
        return [key for key, workflow in found.items() if workflow not in alive]

    def queue_stranded(self, *, waiting_s: float = 60.0) -> int:
        """Lanes that wait although nothing would ever come to them are queued; how many there were."""
        found = self.stranded(waiting_s=waiting_s)
        for original, lane in found:
            with self._catalog.transaction() as connection:
                self.again(connection, original, lane, (), force=True)
        return len(found)

    def prune(self, keep_days: int) -> int:
        """Finished entries of the queue older than this are gone; the catalog's own rows stay."""
        dropped = self.queue.prune(keep_days)
        self.living.forget()
        return dropped


def _workflow(original_id: str, lane: str, run: int) -> str:
    """The name of a lane's run in the queue."""
    return f"{lane}:{original_id}:{run}"


def _job_row(row: Any) -> JobRow:
    now = datetime.now(UTC)
    waited = (row.started_at or row.ended_at or now) - row.waiting_since if row.waiting_since else None
    ran = (row.ended_at or now) - row.started_at if row.started_at else None
    if row.state == "waiting":
        waited, ran = (now - row.waiting_since if row.waiting_since else None), None
    return JobRow(
        job=row.id, original=row.original, name=row.name, stage=row.stage, lane=row.lane, state=row.state,
        attempts=row.attempts, waiting_s=waited and round(max(waited.total_seconds(), 0.0), 3),
        running_s=ran and round(max(ran.total_seconds(), 0.0), 3), reason=row.reason, detail=row.detail,
        worker=row.worker, deaths=row.deaths, stage_version=row.stage_version,
    )  # fmt: skip
