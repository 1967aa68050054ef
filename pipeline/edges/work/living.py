"""Who works, and whether they still live: signs of life, the reaper, the guard, and what each process is doing.

A worker beats in the catalog. One whose beat does not change for a lease loses its work to another, by the counted
seconds of the one who looks and by nobody's wall clock; one that may have lost its work ends itself.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any, Final

import sqlalchemy as sa
from ulid import ULID

from config.settings import WorkSettings
from pipeline.edges import failpoint
from pipeline.edges.catalog import Catalog
from pipeline.edges.database import tables as t
from pipeline.edges.host import processes
from pipeline.edges.work.queue import GENERATION, Queue

logger = logging.getLogger(__name__)

# Of a process that writes a package, while it does; it says which under `export`.
EXPORT: Final = "export"
# Whom others may take for dead for good: what they were at is somebody else's then.
_NEVER_BACK: Final = ("work", EXPORT)
CARE_EVERY_S: Final = 30.0
# Light stages take milliseconds, a long film's proxy takes hours.
TOOK_S: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0, 600.0, 3600.0, 14400.0)


@dataclass
class Took:
    """How long jobs ran, counted since this process began. within: how many ran for at most each of TOOK_S."""

    count: int = 0
    sum_s: float = 0.0
    within: list[int] = field(default_factory=lambda: [0] * len(TOOK_S))

    def add(self, seconds: float) -> None:
        """One more ran for so long."""
        self.count += 1
        self.sum_s += seconds
        self.within = [count + (seconds <= most_s) for count, most_s in zip(self.within, TOOK_S, strict=True)]


class Vigil:
    """How long each name has shown the same value to this process, by its own counted seconds.

    Nobody's wall clock has a say: neither of this host, nor of the database. Between two looks at most `longest_s`
    count, for a process that itself stood still saw nothing of the others meanwhile.
    """

    def __init__(self, *, longest_s: float, ticks_s: Callable[[], float] = time.monotonic) -> None:
        self._longest_s, self._ticks_s, self._last_s = longest_s, ticks_s, ticks_s()
        self._seen: dict[str, tuple[object, float]] = {}

    def unchanged_s(self, values: Mapping[str, object]) -> dict[str, float]:
        """For each name, for how long its value is the same; 0 at the first sight. Names left out are forgotten."""
        now_s = self._ticks_s()
        passed_s, self._last_s = min(now_s - self._last_s, self._longest_s), now_s
        before, self._seen = self._seen, {}
        for name, value in values.items():
            known, so_far_s = before.get(name, (value, -passed_s))
            self._seen[name] = (value, so_far_s + passed_s if known == value else 0.0)
        return {name: so_far_s for name, (_, so_far_s) in self._seen.items()}


class Doing:
    """What this process is doing: the runs it is in, how far its jobs are, how long those that ended took."""

    def __init__(self) -> None:
        self._runs: set[str] = set()
        self._shares: dict[str, float] = {}
        self._took: dict[tuple[str, str], Took] = {}
        # Whoever holds it may wait for the catalog, so it is never taken within a transaction.
        self.lock = threading.Lock()
        # Of its own, for it is taken within transactions.
        self._took_lock = threading.Lock()

    @contextlib.contextmanager
    def within(self, run: str) -> Iterator[None]:
        """This process is in the run while the block lasts."""
        with self.lock:
            self._runs.add(run)
        try:
            yield
        finally:
            with self.lock:
                self._runs.discard(run)

    @contextlib.contextmanager
    def progressing(self, job: str) -> Iterator[Callable[[float], None]]:
        """Signs of life tell how far this job is, by what the function given here is told (0.0 to 1.0)."""

        def tell(share: float) -> None:
            with self.lock:
                self._shares[job] = round(share, 3)

        try:
            yield tell
        finally:
            with self.lock:
                self._shares.pop(job, None)

    def ended(self, stage: str, state: str, seconds: float) -> None:
        """A job of this stage ran for so long and ended so."""
        with self._took_lock:
            self._took.setdefault((stage, state), Took()).add(seconds)

    def not_in(self, claimed: Callable[[], Set[str]]) -> set[str]:
        """Those of the claimed runs that this process is not in; none begins or ends while they are asked for."""
        with self.lock:
            return set(claimed()) - self._runs

    def said(self) -> dict[str, Any]:
        """All of it, as a sign of life tells it."""
        with self.lock:
            said: dict[str, Any] = {"progress": dict(self._shares)} if self._shares else {}
            said["running"] = len(self._runs)
        with self._took_lock:
            if self._took:
                said["took"] = [
                    {"stage": stage, "state": state, "count": one.count, "sum_s": round(one.sum_s, 3),
                     "within": list(one.within)}
                    for (stage, state), one in sorted(self._took.items())
                ]  # fmt: skip
        return said


class Living:
    """The workers of one catalog, and this process as one of them.

    said: what `status` shows of this process besides what it is doing.
    """

    def __init__(self, catalog: Catalog, queue: Queue, settings: WorkSettings, *, role: str) -> None:
        self._catalog, self._queue, self._settings, self._role = catalog, queue, settings, role
        self.worker_id = f"{socket.gethostname()}-{os.getpid()}-{str(ULID())[-8:]}"
        self.doing, self.said = Doing(), dict[str, Any]()
        self._vigil = Vigil(longest_s=2 * settings.heartbeat_s)
        self._stop = threading.Event()
        self._heart: threading.Thread | None = None
        self._guard: threading.Thread | None = None

    def show(self, **said: Any) -> None:
        """This process is listed among the workers, and its heart beats. said: what `status` shows of it."""
        self.enlist(**said)
        self.beat_on()

    def enlist(self, **said: Any) -> None:
        """Its row with a first sign of life is there; the heart is still to be started."""
        self.said = said
        # First, for the catalog itself may be what a stopped worker holds locked.
        self._guard = threading.Thread(target=self._stand_guard, name="guard", daemon=True)
        self._guard.start()
        says = self._says()
        with self._catalog.transaction() as connection:
            connection.execute(
                sa.insert(t.worker).values(
                    id=self.worker_id, role=self._role, host=processes.this_host(), pid=os.getpid(),
                    generation=GENERATION, started_s=_clock(connection), seen_s=_clock(connection), state="alive",
                    said=says,
                )
            )  # fmt: skip

    def beat_on(self, care: Callable[[], None] = lambda: None) -> None:
        """The heart beats from now on. care: done again and again by one that takes work, after each reaping."""
        self._heart = threading.Thread(target=self._beat_on, args=(care,), name="heartbeat", daemon=True)
        self._heart.start()

    def end(self) -> None:
        """It says goodbye: what is unfinished is taken over by others at once."""
        self._stop.set()
        if self._guard is not None:
            self._guard.join(timeout=5)
        if self._heart is not None:
            self._heart.join(timeout=5)
            with contextlib.suppress(Exception), self._catalog.transaction() as connection:
                connection.execute(sa.update(t.worker).where(t.worker.c.id == self.worker_id).values(seen_s=0.0))

    def is_alive(self, connection: sa.Connection) -> bool:
        """Whether nobody took this process for dead; where its transaction holds the log's head, nobody does meanwhile
        and acts on it."""
        mine = sa.select(t.worker.c.state).where(t.worker.c.id == self.worker_id)
        return connection.execute(mine).scalar() == "alive"

    def workers(self) -> list[dict[str, Any]]:
        """Every process that shows life or whose work is not yet taken over: `worker role host pid seen_s_ago said`.

        took: by stage and how jobs ended, how long they ran, counted since the process began (`Took`).
        """
        with self._catalog.snapshot() as connection:
            now = connection.execute(sa.select(_clock(connection))).scalar() or 0.0
            rows = connection.execute(
                sa.select(t.worker).where(t.worker.c.state != "dead", t.worker.c.seen_s > 0).order_by(t.worker.c.id)
            ).all()
        return [
            {
                "worker": row.id, "role": row.role, "host": row.host, "pid": row.pid, "state": row.state,
                "seen_s_ago": round(max(now - row.seen_s, 0.0), 1),
                **{name: value for name, value in row.said.items() if name != "born"},
            }
            for row in rows if not processes.is_gone(row.host, row.pid)
        ]  # fmt: skip

    def forget(self, days: int = 7) -> None:
        """The rows of those that began so long ago and are dead are gone."""
        with self._catalog.transaction() as connection:
            old = _clock(connection) - days * 86400.0
            connection.execute(sa.delete(t.worker).where(t.worker.c.state == "dead", t.worker.c.started_s < old))

    # -- the heart

    def _says(self) -> dict[str, Any]:
        return {**self.said, **self.doing.said(), "born": processes.born(os.getpid())}

    def _beat_on(self, care: Callable[[], None]) -> None:
        """Beats until the end. Who takes turns ends itself when they may be another's by now; others beat again."""
        last_ok, cared = time.monotonic(), time.monotonic()
        while not self._stop.wait(self._settings.heartbeat_s):
            try:
                if not self._beat() and self._role == "work":
                    _end_myself("another worker took this one for dead")
                last_ok = time.monotonic()
                if self._queue.runs:
                    self._reap()
                    if time.monotonic() - cared > CARE_EVERY_S:
                        cared = time.monotonic()  # before, so that care that fails is not taken anew at every beat
                        care()
            except Exception:
                logger.warning("no sign of life could be written", exc_info=True)
                if self._role == "work" and time.monotonic() - last_ok > self._settings.lease_s * 0.8:
                    _end_myself("the catalog could not be reached for most of the lease")

    def _beat(self) -> bool:
        """A sign of life. False where another worker took this one's turns over; without turns it lives again."""
        mine = sa.update(t.worker).where(t.worker.c.id == self.worker_id)
        if self._role in _NEVER_BACK:
            mine = mine.where(t.worker.c.state == "alive")
        says = self._says()
        with self._catalog.transaction() as connection:
            seen_s = _beat_after(connection, t.worker.c.seen_s)
            beaten = connection.execute(mine.values(seen_s=seen_s, said=says, state="alive"))
        return beaten.rowcount == 1

    # -- the guard

    def _stand_guard(self) -> None:
        """Ends workers of this host that stand still past their lease, and so frees all that they hold locked.

        Beside the heart and only reading: the heart itself may be waiting for what they hold.
        """
        vigil = Vigil(longest_s=2 * self._settings.heartbeat_s)
        while not self._stop.wait(self._settings.heartbeat_s):
            try:
                self._end_the_standing(vigil)
            except Exception:
                logger.warning("nobody could be looked after", exc_info=True)

    def _end_the_standing(self, vigil: Vigil) -> None:
        """One look. The dead are looked at too: whoever took over from them may be on another host."""
        here = sa.select(t.worker).where(t.worker.c.role == "work", t.worker.c.host == processes.this_host())
        with self._catalog.snapshot() as connection:
            rows = connection.execute(here).all()
        standing = {row.id: row for row in rows if processes.stands_still(row.pid, row.said.get("born"))}
        for worker, still_s in vigil.unchanged_s({one: row.seen_s for one, row in standing.items()}).items():
            if still_s > self._settings.lease_s and processes.end(standing[worker].pid):
                logger.warning("ended %s: it stood still for its whole lease", worker)

    # -- the reaper

    def _reap(self) -> None:
        """Takes over the work of workers that show no life: one reaper at a time."""
        with self._catalog.transaction() as connection:
            rows = connection.execute(sa.select(t.worker).where(t.worker.c.state.in_(["alive", "dying"]))).all()
            lifeless = self._lifeless(rows)
            living = {row.id for row in rows} - lifeless
            if not self._lead(connection, "reaper", living):
                return
            dying = sorted(lifeless - {self.worker_id})
            if not dying:
                return
            connection.execute(sa.update(t.worker).where(t.worker.c.id.in_(dying)).values(state="dying"))
        self._queue.take_over(dying)
        left = set(self._queue.claimed_by(dying).values())
        gone = [one for one in dying if one not in left]
        with self._catalog.transaction() as connection:
            connection.execute(sa.update(t.worker).where(t.worker.c.id.in_(gone)).values(state="dead"))
        logger.info("took over from %s", ", ".join(dying))

    def _lifeless(self, rows: Sequence[Any]) -> set[str]:
        """Those that said goodbye, whose process is gone, or whose beat did not change for a lease."""
        unchanged_s = self._vigil.unchanged_s({row.id: row.seen_s for row in rows})
        return {
            row.id for row in rows
            if row.state == "dying" or row.seen_s == 0.0 or unchanged_s[row.id] > self._settings.lease_s
            or processes.is_gone(row.host, row.pid)
        }  # fmt: skip

    def _lead(self, connection: sa.Connection, name: str, living: Set[str]) -> bool:
        """Whether this worker has the part of this name: it had it, nobody has it, or who had it lives no more.

        The row's time is for people to read; what lives is judged by beats alone.
        """
        row = connection.execute(sa.select(t.lock).where(t.lock.c.name == name).with_for_update()).one_or_none()
        if row is not None and row.holder != self.worker_id and row.holder in living:
            return False
        values = {"holder": self.worker_id, "until_s": _clock(connection) + self._settings.lease_s}
        if row is not None:
            connection.execute(sa.update(t.lock).where(t.lock.c.name == name).values(values))
            return True
        with contextlib.suppress(sa.exc.IntegrityError), connection.begin_nested():
            connection.execute(sa.insert(t.lock).values(name=name, **values))
            return True
        return False


def are_written(connection: sa.Connection) -> set[str]:
    """The exports that some process writes which nobody took for dead, on whatever host, and did not see end."""
    alive = sa.select(t.worker).where(t.worker.c.role == EXPORT, t.worker.c.state == "alive", t.worker.c.seen_s > 0)
    return {
        row.said[EXPORT] for row in connection.execute(alive)
        if EXPORT in row.said and not processes.is_gone(row.host, row.pid)
    }  # fmt: skip


def _beat_after(connection: sa.Connection, last: sa.ColumnElement[float]) -> sa.ColumnElement[float]:
    """The moment of a beat, never the same as the last one's, even where the clock stands."""
    now = _clock(connection)
    return sa.case((now.between(last - 1.0, last), last + 0.001), else_=now)


def _clock(connection: sa.Connection) -> sa.ColumnElement[float]:
    """The wall clock of the database, in seconds: for people to read. Nothing is decided by it but what to prune."""
    if connection.dialect.name == "sqlite":
        return sa.literal_column("(julianday('now') - 2440587.5) * 86400.0", sa.Float)
    return sa.literal_column("extract(epoch from clock_timestamp())::float8", sa.Float)


def _end_myself(why: str) -> None:
    """The work of this process belongs to others now; its children end with it."""
    logger.error("ending: %s", why)
    failpoint.at("worker.fenced")
    processes.end(os.getpid())
