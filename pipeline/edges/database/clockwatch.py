"""The machine's clocks, and the watch over them: what retention goes by is kept in the catalog, a row a host."""

from __future__ import annotations

import functools
import json
import socket
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Final

import sqlalchemy as sa

from pipeline.clock import JUMP_S, Clock, Limits, Reading, begun, followed
from pipeline.edges.audit import AuditLog, NewEvent
from pipeline.edges.catalog import Catalog
from pipeline.edges.database import tables
from pipeline.edges.database.rows import put_row, record_of
from pipeline.edges.host.clock import boot

EVENTS: Final = ("clock.jump", "clock.confirmed", "clock.plausible")
# Two looks at the counter around one at the wall clock lie no further apart, else the process stood still between.
CLOSE_S: Final = 0.05


def read_clocks() -> Reading:
    """The clocks of this machine now."""
    while True:
        before, wall_at, after = _ticks_s(), datetime.now(UTC), _ticks_s()
        if after - before < CLOSE_S:
            return Reading(wall_at=wall_at, ticks_s=after, boot=boot())


def _ticks_s() -> float:
    """Seconds since the machine was started, sleep included where the system counts it."""
    counter = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if counter is None else time.clock_gettime(counter)


class ClockWatch:
    """The watch over this host's clock. read: what gives a reading."""

    def __init__(
        self, catalog: Catalog, log: AuditLog, limits: Limits, *, actor: str, host: str | None = None,
        read: Callable[[], Reading] = read_clocks,
    ) -> None:  # fmt: skip
        self._catalog, self._log, self._limits, self._actor, self._read = catalog, log, limits, actor, read
        self._host = host or _host()
        self._last: Reading | None = None

    def look(self) -> Clock:
        """The clock as it stands now, kept; a jump is an event, durable."""
        with self._catalog.transaction() as connection:
            clock, seq = self.look_within(connection)
        if seq:
            self._log.make_durable(seq)
        return clock

    def look_within(self, connection: sa.Connection) -> tuple[Clock, int]:
        """The same inside a transaction of the caller's; beside it the number of the event, 0 where none was told."""
        before = self._kept(connection)
        self._last = reading = self._read()
        clock, change, moved_s = followed(before, reading, self._limits)
        self._keep(connection, clock)
        if change is None:
            return clock, 0
        return clock, self._tell(connection, change, clock, before=before, moved_s=moved_s)

    def glance(self) -> bool:
        """Whether the wall clock moved by itself since the last look; costs no transaction."""
        if self._last is None:
            return True
        now = self._read()
        passed_s = now.ticks_s - self._last.ticks_s
        return abs((now.wall_at - self._last.wall_at).total_seconds() - passed_s) > JUMP_S

    def confirm(self, person: str, facts: dict[str, Any]) -> Clock:
        """The clock is right as it stands: a person said so, and the log says who."""
        with self._catalog.transaction() as connection:
            before = self._kept(connection)
            self._last = reading = self._read()
            clock = begun(reading)
            self._keep(connection, clock)
            seq = self._tell(connection, "confirmed", clock, before=before, moved_s=0.0, actor=person, **facts)
        self._log.make_durable(seq)
        return clock

    def _kept(self, connection: sa.Connection) -> Clock:
        table = tables.clock
        row = connection.execute(sa.select(table).where(table.c.host == self._host).with_for_update()).one_or_none()
        if row is not None:
            return record_of(Clock, row)
        return self._from_log(connection)

    def _from_log(self, connection: sa.Connection) -> Clock:
        """A host that was never looked at, or whose row was lost, goes on from the log's last word."""
        table = tables.event
        newest = sa.select(table.c.at, table.c.line).order_by(table.c.seq.desc()).limit(1)
        last = connection.execute(newest).one_or_none()
        if last is None:
            return begun(self._read())
        clock = Clock(wall_at=last.at, ticks_s=0.0, boot="", sure_at=last.at)
        told = connection.execute(newest.where(table.c.type.in_(EVENTS))).one_or_none()
        if told is None or json.loads(told.line)["type"] != "clock.jump":
            return clock
        sure_at = datetime.fromisoformat(json.loads(told.line)["facts"]["sure_at"])
        return Clock(wall_at=last.at, ticks_s=0.0, boot="", sure_at=sure_at, doubt=True)

    def _keep(self, connection: sa.Connection, clock: Clock) -> None:
        put_row(connection, tables.clock, {"host": self._host, **asdict(clock)}, key="host")

    def _tell(
        self, connection: sa.Connection, what: str, clock: Clock, *, before: Clock, moved_s: float,
        actor: str | None = None, **facts: Any,
    ) -> int:  # fmt: skip
        said = {
            "moved_s": round(moved_s, 3), "from": before.wall_at.isoformat(), "to": clock.wall_at.isoformat(),
            "sure_at": clock.sure_at.isoformat(), "doubt": clock.doubt, "host": self._host,
            "was_off": before.boot != clock.boot, **facts,
        }  # fmt: skip
        return self._log.record(connection, [NewEvent(type=f"clock.{what}", actor=actor or self._actor, facts=said)])[0]


@functools.cache
def _host() -> str:
    return socket.gethostname()[:120]
