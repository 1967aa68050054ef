"""Fixity: every object is read again within a number of days, and what does not hold is an incident.

Oldest check first, in batches with one event each, so that a check that is cut off goes on where it was. What does
not hold opens an incident: the original's state is `failed_custody`, a caveat says so wherever it is shown, and it
stays so until a repair from a good copy, or a person who looked, closes it. Nothing is repaired without an event.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from ulid import ULID

from pipeline.edges.audit import AuditLog, NewEvent
from pipeline.edges.catalog import Catalog
from pipeline.edges.database import tables as t
from pipeline.edges.jobs import Jobs
from pipeline.edges.vault import Vault
from pipeline.errors import BadInput, CustodyBroken

logger = logging.getLogger(__name__)

BATCH_COUNT: Final = 500  # so many identifiers make a line of 16 KB; an entry of the log may have 64
BATCH_BYTES: Final = 4 << 30
SLACK: Final = 0.75  # due after this share of the days, so that a PC that is off at weekends keeps its word
TURN: Final = "fixity"
FINDER: Final = "fixity/1"
DISPOSED: Final = "disposal.done"
LEAVING: Final = "disposal.begun"  # from here on bytes may be gone, whatever dies before it is done


@dataclass(frozen=True)
class Due:
    """An original whose turn it is. seen_at: when its bytes were last read and found good, at intake or since."""

    original: str
    sha256: str
    size_bytes: int
    seen_at: datetime


@dataclass(frozen=True)
class Checked:
    """What a batch found. broken: original -> what does not hold. opened: the incidents that are new."""

    whole: tuple[str, ...] = ()
    broken: Mapping[str, list[str]] = field(default_factory=dict)
    opened: tuple[str, ...] = ()


class Pace:
    """Lets a reader use only a share of the time: told of bytes read, it waits for as long as the others are due."""

    def __init__(
        self, share: float, wait: Callable[[float], Any] = time.sleep, *, ticks_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._rest_per_work, self._wait = max(0.0, 1.0 / max(share, 0.001) - 1.0), wait
        self._ticks_s, self._since = ticks_s, ticks_s()

    def __call__(self, _: int) -> None:
        worked = self._ticks_s() - self._since
        if self._rest_per_work and worked > 0.005:
            self._wait(min(worked * self._rest_per_work, 5.0))
            self._since = self._ticks_s()


class Fixity:
    """The fixity of one home. actor: who the events name."""

    def __init__(self, vault: Vault, catalog: Catalog, audit: AuditLog, actor: str) -> None:
        self._vault, self._catalog, self._audit, self._actor = vault, catalog, audit, actor

    def due(self, now: datetime, days: float, limit: int = BATCH_COUNT) -> list[Due]:
        """Originals last read more than so many days ago, oldest first."""
        seen = sa.func.coalesce(t.fixity.c.checked_at, t.original.c.accepted_at, type_=t.Instant())
        query = (
            sa.select(t.original.c.id, t.original.c.sha256, t.original.c.size_bytes, seen.label("seen"))
            .outerjoin(t.fixity, t.fixity.c.original == t.original.c.id)
            .where(seen < now - timedelta(days=days))
            .order_by(seen, t.original.c.id)
        )
        with self._catalog.snapshot() as connection:
            return [Due(row.id, row.sha256, row.size_bytes, row.seen) for row in connection.execute(query.limit(limit))]

    def check(
        self, batch: Sequence[Due], *, moved: Callable[[int], None] = lambda _: None,
        stopped: Callable[[], bool] = lambda: False,
    ) -> Checked:  # fmt: skip
        """Reads the objects again and records what it found: one event, and one more a new incident; durable.

        stopped: asked between objects; what was read until then is recorded.
        """
        faults: dict[str, list[str]] = {}
        for one in batch:
            if stopped():
                break
            faults[one.original] = self.faults(one.original, one.sha256, moved=moved)
            moved(0)
        return self.record(faults, {one.original: one.sha256 for one in batch})

    def faults(self, original: str, sha256: str, moved: Callable[[int], None] = lambda _: None) -> list[str]:
        """What does not hold of one original's object; a tombstone holds only where the log tells of a disposal."""
        if said := self._vault.settle_one(sha256):
            logger.warning("vault: %s", said)
        if not self._vault.holds(sha256) and sha256 in self._vault.unfinished_purges():
            return []  # on its way out: whoever disposes of it goes on
        found = self._vault.faults(sha256, moved=moved)
        if not found and not self._vault.has(sha256) and not self._told(original, DISPOSED, LEAVING):
            found = [f"{sha256} is a tombstone, and the log tells of no disposal"]
        return found

    def _told(self, original: str, *types: str) -> bool:
        with self._catalog.snapshot() as connection:
            query = sa.select(t.event.c.seq).where(t.event.c.original == original, t.event.c.type.in_(types))
            return connection.execute(query.limit(1)).first() is not None

    def record(self, faults: Mapping[str, list[str]], digests: Mapping[str, str]) -> Checked:
        """What was found is in the catalog and the log. faults: original -> what does not hold, none where all does."""
        if not faults:
            return Checked()
        broken = {original: found for original, found in faults.items() if found}
        whole = tuple(sorted(set(faults) - set(broken)))
        with self._catalog.transaction() as connection:
            new = sorted(set(broken) - _with_open_incident(connection, list(broken)))
            at = datetime.now(UTC)
            said = {"checked_at": at.isoformat(), "whole": list(whole), "broken": sorted(broken)}
            events = [NewEvent(type="fixity.batch", actor=self._actor, facts=said,
                               outcome="failed" if broken else "done")]  # fmt: skip
            events += [
                NewEvent(type="fixity.broken", actor=self._actor, original=original, outcome="failed",
                         facts={"incident": str(ULID()), "opened_at": at.isoformat(), "sha256": digests[original],
                                "faults": broken[original][:20]})
                for original in new
            ]  # fmt: skip
            seqs = self._audit.record(connection, events)
            replay_batch(connection, {"facts": said})
            for event, seq in zip(events[1:], seqs[1:], strict=True):
                replay_broken(connection, {"original": event.original, "facts": event.facts, "seq": seq})
        self._audit.make_durable(seqs[-1])
        return Checked(whole, broken, tuple(new))

    def record_all(self, faults: Mapping[str, list[str]], digests: Mapping[str, str]) -> None:
        """The same of any number, in batches."""
        names = list(faults)
        for first in range(0, len(names), BATCH_COUNT):
            self.record({name: faults[name] for name in names[first : first + BATCH_COUNT]}, digests)

    def incidents(self, *, original: str | None = None) -> list[dict[str, Any]]:
        """Open incidents, oldest first: `incident`, `original`, `sha256`, `name`, `opened_at`, `faults`."""
        query = (
            sa.select(
                t.incident.c.id.label("incident"), t.incident.c.original, t.original.c.sha256, t.original.c.name,
                t.incident.c.opened_at, t.incident.c.faults,
            )
            .join(t.original, t.original.c.id == t.incident.c.original)
            .where(t.incident.c.closed_at.is_(None)).order_by(t.incident.c.id)
        )  # fmt: skip
        if original is not None:
            query = query.where(t.incident.c.original == original)
        with self._catalog.snapshot() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def standing(self, now: datetime, every_days: float) -> dict[str, Any]:
        """`checked` in the last so many days, `overdue`, `oldest_days` since the oldest was read, open `incidents`."""
        original, its = t.original.c, t.fixity.c
        since = now - timedelta(days=every_days)
        own = sa.select(its.original).where(its.original == original.id)
        # Each is a count within an index: what was read in time is most, and is not gone through one by one.
        with self._catalog.snapshot() as connection:

            def number(column: sa.ColumnElement[Any], *where: sa.ColumnElement[bool]) -> int:
                return int(connection.execute(sa.select(sa.func.count(column)).where(*where)).scalar_one())

            count, old = number(original.id), number(original.id, original.accepted_at < since)
            again, read = number(its.original, its.checked_at >= since), number(its.original)
            # Of what is new; where a clock was set, something was read before it came.
            new_again, before = connection.execute(
                sa.select(sa.func.count(sa.case((its.checked_at >= since, 1))),
                          sa.func.count(sa.case((its.checked_at < since, 1))))
                .select_from(t.original.join(t.fixity, its.original == original.id))
                .where(original.accepted_at >= since)
            ).one()  # fmt: skip
            overdue = old - (again - new_again) + before
            moments = [sa.select(sa.func.min(its.checked_at, type_=t.Instant()))]
            # What was never read is looked for one by one: only where there is some, and first among what is old.
            if count > read:
                is_old = old > read - new_again - before
                among = original.accepted_at < since if is_old else original.accepted_at >= since
                first = sa.select(original.accepted_at).where(among, ~own.exists())
                moments.append(first.order_by(original.accepted_at).limit(1))
            found = [connection.execute(one).scalar() for one in moments]
            oldest = [one for one in found if one is not None]
            open_ = number(t.incident.c.id, t.incident.c.closed_at.is_(None))
        return {
            "checked": count - overdue, "overdue": overdue, "incidents": open_,
            "oldest_days": round((now - min(oldest)).total_seconds() / 86400, 2) if oldest else None,
        }  # fmt: skip

    def repair(
        self, original: str, copies: Sequence[Path], jobs: Jobs, *, moved: Callable[[int], None] = lambda _: None
    ) -> list[str]:
        """The object is whole again and its incident closed; returns the paths in it that were replaced.

        copies: storage roots (`vault` of a backup) or files with the original's bytes. An object that is found whole
        closes its incident too, and the event says so. Its facts are read again by the workers.
        Raises CustodyBroken where no copy has what is needed, BadInput where it was disposed of.
        """
        known = self._catalog.known_of(original).original
        if self._told(original, DISPOSED):
            raise BadInput(
                f"{known.name} was disposed of: there is nothing to repair",
                zh=f"{known.name} 已按保管期限处置，无可修复",
                found=original,
            )
        before = self._vault.faults(known.sha256, moved=moved)
        replaced = self._vault.mend(known.sha256, copies, moved) if before else []
        after = self._vault.faults(known.sha256)
        if after:
            raise CustodyBroken(after[0], expected=known.sha256)
        with self._catalog.transaction() as connection:
            for lane in ("light", "heavy"):
                stages = _stages_of(connection, original, lane)
                if stages:
                    jobs.again(connection, original, lane, stages)
            said = {
                "sha256": known.sha256, "closed_at": datetime.now(UTC).isoformat(), "before": before[:20],
                "replaced": replaced, "from": [str(one) for one in copies] if before else [],
            }  # fmt: skip
            event = NewEvent(type="fixity.repaired", actor=self._actor, original=original, facts=said)
            [seq] = self._audit.record(connection, [event])
            replay_repaired(connection, {"original": original, "actor": self._actor, "facts": said, "seq": seq})
        self._audit.make_durable(seq)
        return replaced


# -- the rows that the events tell of, when they happen and when the catalog is made anew


def replay_batch(connection: sa.Connection, event: Mapping[str, Any]) -> None:
    """Every original of the batch was checked then."""
    facts = event["facts"]
    at = datetime.fromisoformat(facts["checked_at"])
    rows = [{"original": one, "checked_at": at, "outcome": outcome} for outcome in ("whole", "broken")
            for one in facts[outcome]]  # fmt: skip
    if rows:
        connection.execute(sa.delete(t.fixity).where(t.fixity.c.original.in_([row["original"] for row in rows])))
        connection.execute(sa.insert(t.fixity), rows)


def replay_broken(connection: sa.Connection, event: Mapping[str, Any]) -> None:
    """The incident is open, the original's state and caveat say so."""
    facts, original = event["facts"], event["original"]
    connection.execute(
        sa.insert(t.incident).values(
            id=facts["incident"], original=original, opened_at=datetime.fromisoformat(facts["opened_at"]),
            faults=facts["faults"],
        )
    )  # fmt: skip
    connection.execute(
        sa.insert(t.caveat).values(
            original=original, turn=TURN, code="custody_broken", finder=FINDER,
            text="The bytes in custody are not what was taken in: " + "; ".join(facts["faults"][:3]),
            text_zh="保管中的字节与入库时不一致：" + "；".join(facts["faults"][:3]),
        )
    )  # fmt: skip
    _set(connection, original, "failed_custody", event["seq"])


def replay_repaired(connection: sa.Connection, event: Mapping[str, Any]) -> None:
    """The original's incidents are closed, and it is in custody again."""
    facts, original = event["facts"], event["original"]
    at = datetime.fromisoformat(facts["closed_at"])
    how = "replaced " + ", ".join(facts["replaced"]) if facts["replaced"] else "found whole"
    connection.execute(
        sa.update(t.incident)
        .where(t.incident.c.original == original, t.incident.c.closed_at.is_(None))
        .values(closed_at=at, closed_by=event["actor"], how=how)
    )
    connection.execute(sa.delete(t.caveat).where(t.caveat.c.original == original, t.caveat.c.turn == TURN))
    connection.execute(sa.delete(t.fixity).where(t.fixity.c.original == original))
    connection.execute(sa.insert(t.fixity).values(original=original, checked_at=at, outcome="whole"))
    _set(connection, original, "in_custody", event["seq"])


def _set(connection: sa.Connection, original: str, state: str, seq: int) -> None:
    connection.execute(sa.update(t.original).where(t.original.c.id == original).values(state=state, changed_seq=seq))


def _with_open_incident(connection: sa.Connection, originals: Sequence[str]) -> set[str]:
    query = sa.select(t.incident.c.original).where(t.incident.c.original.in_(originals))
    return set(connection.execute(query.where(t.incident.c.closed_at.is_(None))).scalars())


def _stages_of(connection: sa.Connection, original: str, lane: str) -> list[str]:
    query = sa.select(t.job.c.stage).where(t.job.c.original == original, t.job.c.lane == lane)
    return list(connection.execute(query).scalars())
