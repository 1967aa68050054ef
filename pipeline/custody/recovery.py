"""Gives back what the catalog lost, from the vault and the log alone.

Two ways: an object whose intake died between its rename and its transaction is entered late (`recover`); a lost
catalog is made anew from the log's lines and the objects' records (`replay`).
"""

from __future__ import annotations

import base64
import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final

import sqlalchemy as sa

from pipeline.acts import correcting, restricting
from pipeline.custody import fixity
from pipeline.custody.suspicion import caveats_of
from pipeline.edges.audit import FIRST_PREV, AuditLog, NewEvent
from pipeline.edges.catalog import Catalog
from pipeline.edges.database import (
    accounts,
    assignments,
    decisions,
    disposals,
    drops,
    exports,
    intake,
    isolations,
    knowledge,
    noted,
    registers,
    restrictions,
    saved,
    tables,
    watched,
)
from pipeline.edges.jobs import Jobs
from pipeline.edges.vault import Vault
from pipeline.errors import CustodyBroken
from pipeline.records import Arrival, CaseLink, Original, Stated

logger = logging.getLogger(__name__)

Event = Mapping[str, Any]
Replayer = Callable[[sa.Connection, Event], None]

TOGETHER: Final = 1000
# Younger objects may belong to an intake that is about to record them.
GRACE_S: Final = 60.0


@dataclass(frozen=True)
class Replayed:
    """What a replay gave back. missing: digests that the log tells of and the vault does not hold."""

    originals: int
    missing: tuple[str, ...]


def recover(
    vault: Vault,
    catalog: Catalog,
    audit: AuditLog,
    jobs: Jobs,
    actor: str,
    *,
    turns: Sequence[tuple[str, str]],
    grace_s: float = GRACE_S,
) -> list[str]:
    """Enters every object of the vault that the catalog does not know; returns their digests.

    turns: (lane, stage) of the work to plan for each. Their first arrival comes from the record kept with the
    object; the event says `recovered`.
    """
    known, recovered = catalog.digests(), []
    for sha256 in vault.digests():
        if sha256 in known or time.time() - vault.placed_at(sha256) < grace_s:
            continue
        try:
            facts = vault.record(sha256)
        except CustodyBroken as error:
            logger.critical("an object that was never recorded does not hold: %s; run `casereel verify`", error)
            continue
        vault.make_lasting([sha256])
        with catalog.transaction() as connection:
            if intake.original_with(connection, sha256) is not None:
                continue
            _, seq = enter_late(connection, facts, audit, jobs, actor, turns=turns)
        audit.make_durable(seq)
        recovered.append(sha256)
    return recovered


def enter_late(
    connection: sa.Connection, facts: Mapping[str, Any], audit: AuditLog, jobs: Jobs, actor: str,
    *, turns: Sequence[tuple[str, str]],
) -> tuple[Original, int]:  # fmt: skip
    """The original that the vault holds and the catalog did not know, with its first arrival; the event's number.

    facts: the record kept with the object, so that record and log tell the same arrival.
    """
    arrival, original = facts["arrival"], _original_of_record(facts)
    suspicions = facts.get("suspicions", [])
    told = {
        "arrival": {**arrival, "original": original.id}, "original": _told(original), "recovered": True,
        "suspicions": suspicions,
    }  # fmt: skip
    event = NewEvent(type="arrival.accepted", actor=actor, original=original.id, facts=told)
    [seq] = audit.record(connection, [event])
    _enter(connection, original, arrival, suspicions, seq)
    jobs.plan(connection, original.id, turns)
    jobs.enqueue(connection, original.id, "light", kind=original.kind)
    return original, seq


def replayers(vault: Vault, missing: list[str]) -> dict[str, Replayer]:
    """What gives back the rows that an event made, one line a type; a type that is not here made none of its own.

    missing: gets the digest of every accepted original that is not in the vault.
    """
    return {
        "arrival.accepted": partial(_accepted, vault, missing),
        "arrival.duplicate": _duplicate,
        "arrival.seen_again": _seen_again,
        **dict.fromkeys(drops.REFUSALS, _rejected),
        "drop.stated": _drop_stated,
        "drop.checked": _drop_checked,
        "fixity.batch": fixity.replay_batch,
        "fixity.broken": fixity.replay_broken,
        "fixity.repaired": fixity.replay_repaired,
        **dict.fromkeys(exports.TYPES, exports.apply),
        **dict.fromkeys(("link.made", "link.confirmed", "link.refused"), _linked),
        **dict.fromkeys(correcting.EVENTS, correcting.replay),
        **dict.fromkeys(registers.EVENTS, registers.replay),
        **dict.fromkeys(restricting.EVENTS, restrictions.replay),
        **dict.fromkeys(isolations.EVENTS, isolations.replay),
        **dict.fromkeys(assignments.EVENTS, assignments.replay),
        **dict.fromkeys(disposals.EVENTS, disposals.replay),
        **dict.fromkeys(saved.EVENTS, saved.replay),
        **dict.fromkeys(accounts.EVENTS, accounts.replay),
        **dict.fromkeys(noted.EVENTS, noted.replay),
        **dict.fromkeys(watched.EVENTS, watched.replay),
    }


def replay(vault: Vault, catalog: Catalog, audit: AuditLog, moved: Callable[[int], None] = lambda _: None) -> Replayed:
    """Fills an empty catalog with the log's events and the rows that they made.

    moved: told of lines read. Raises CustodyBroken where a line does not follow the one before it.
    """
    return catch_up(vault, catalog, audit, moved)


def catch_up(
    vault: Vault, catalog: Catalog, audit: AuditLog, moved: Callable[[int], None] = lambda _: None
) -> Replayed:
    """The same for a catalog that knows the log's beginning: it is led on to the log's end.

    Raises CustodyBroken where it tells of another past than the log, or of lines that the log lacks.
    """
    previous, missing, rows, last = FIRST_PREV, list[str](), list[dict[str, Any]](), 0
    by_type = replayers(vault, missing)
    with catalog.transaction() as connection:
        known = connection.execute(sa.select(tables.log_head.c.seq, tables.log_head.c.hash)).one()
        for line in audit.lines():
            event = _read(line, last + 1)
            last = event["seq"]
            if event["prev"] != previous:
                raise CustodyBroken(
                    f"Entry {event['seq']} of the log does not carry the hash of the one before it",
                    zh=f"日志第 {event['seq']} 条没有衔接上一条的校验值",
                )
            previous = audit.hash_of(line)
            if last <= known.seq:
                if last == known.seq and previous != known.hash:
                    raise CustodyBroken(
                        f"Entry {last} of the log reads otherwise in the catalog",
                        zh=f"日志第 {last} 条与目录中的内容不一致",
                        found=previous,
                    )
                continue
            rows.append({
                "seq": event["seq"], "at": datetime.fromisoformat(event["at"]), "type": event["type"],
                "actor": event["actor"], "original": event["original"], "line": line, "hash": previous,
            })  # fmt: skip
            if len(rows) >= TOGETHER:
                _replay_some(connection, rows)
            if event["type"] in by_type:
                try:
                    by_type[event["type"]](connection, event)
                except (KeyError, TypeError, ValueError, sa.exc.DatabaseError) as error:
                    raise CustodyBroken(
                        f"Entry {last} of the log cannot be understood: {error}",
                        zh=f"无法读懂日志第 {last} 条：{error}",
                    ) from error
            moved(1)
        if last < known.seq:
            raise CustodyBroken(
                f"The catalog holds entry {known.seq}, and the log ends at {last}",
                zh=f"目录中有第 {known.seq} 条，而日志止于第 {last} 条",
            )
        _replay_some(connection, rows)
        connection.execute(sa.update(tables.log_head).values(seq=last, hash=previous))
    return Replayed(originals=sum(catalog.counts().values()), missing=tuple(missing))


def _read(line: str, number: int) -> Event:
    """The event of the line, which must be the one with this number."""
    try:
        event = json.loads(line)
        datetime.fromisoformat(event["at"])
        if event["seq"] == number and {"type", "actor", "original", "facts", "prev"} <= set(event):
            return dict(event)
    except (ValueError, TypeError, KeyError):
        pass
    raise CustodyBroken(
        f"Line {number} of the log is not the entry with this number", zh=f"日志第 {number} 行不是该编号的条目"
    )


def _replay_some(connection: sa.Connection, rows: list[dict[str, Any]]) -> None:
    if rows:
        connection.execute(sa.insert(tables.event), rows)
        rows.clear()


def _accepted(vault: Vault, missing: list[str], connection: sa.Connection, event: Event) -> None:
    told = event["facts"]["original"]
    original = Original(
        **{k: v for k, v in told.items() if k != "accepted_at"},
        accepted_at=datetime.fromisoformat(told["accepted_at"]), state="in_custody",
    )  # fmt: skip
    facts = event["facts"]
    _enter(connection, original, facts["arrival"], facts.get("suspicions", []), event["seq"])
    if not vault.holds(told["sha256"]):
        missing.append(told["sha256"])


def _duplicate(connection: sa.Connection, event: Event) -> None:
    intake.add_arrival(connection, *_arrival_of(event["facts"]["arrival"], event["original"]))


def _seen_again(connection: sa.Connection, event: Event) -> None:
    facts = event["facts"]
    intake.seen_again(
        connection,
        facts["arrival"],
        mtime_ns=facts["mtime_ns"],
        inode=facts["inode"],
        device=facts["device_number"],
    )


def _rejected(connection: sa.Connection, event: Event) -> None:
    facts = event["facts"]
    at = datetime.fromisoformat(event["at"])
    drops.add_rejection(connection, base64.b64decode(facts["path_b64"]), event["seq"], facts, at)


def _linked(connection: sa.Connection, event: Event) -> None:
    decisions.put_link(connection, event["original"], CaseLink(**event["facts"]["link"]), event["seq"])


def _drop_stated(connection: sa.Connection, event: Event) -> None:
    facts = event["facts"]
    names = ("source", "folder", "name", "kind", "listed")
    drop = drops.Drop(
        id=facts["drop"], manifest=event["original"], stated_at=datetime.fromisoformat(facts["stated_at"]),
        **{name: facts[name] for name in names},
    )  # fmt: skip
    drops.add_drop(connection, drop)


def _drop_checked(connection: sa.Connection, event: Event) -> None:
    facts = event["facts"]
    told = {name: value for name, value in facts.items() if name not in ("drop", "folder", "name", "listed")}
    drops.judge_drop(connection, facts["drop"], facts["state"], told)


def _enter(
    connection: sa.Connection, original: Original, arrival: Mapping[str, Any], suspicions: Sequence[str], seq: int
) -> None:  # fmt: skip
    intake.add_original(connection, original, seq)
    knowledge.add_caveats(connection, original.id, "intake", caveats_of(suspicions))
    intake.add_arrival(connection, *_arrival_of(arrival, original.id))


def _arrival_of(told: Mapping[str, Any], original: str | None) -> tuple[Arrival, dict[str, Any]]:
    place = {
        "path_raw": base64.b64decode(told["path_b64"]), "device_number": told["device_number"],
        "inode": told["inode"], "sha256": told["sha256"], "place_key": told["place_key"],
    }  # fmt: skip
    names = ("id", "path", "folder", "name", "source", "status", "reason", "size_bytes", "mtime_ns")
    arrival = Arrival(
        **{name: told[name] for name in names},
        original=original,
        name_raw=base64.b64decode(told["name_b64"]),
        taken_at=datetime.fromisoformat(told["taken_at"]),
        stated=Stated(**told["stated"]),
    )
    return arrival, place


def _original_of_record(facts: Mapping[str, Any]) -> Original:
    arrival = facts["arrival"]
    return Original(
        id=arrival["id"], sha256=facts["sha256"], sm3=facts["sm3"], size_bytes=facts["size_bytes"], kind=facts["kind"],
        format=facts["format"], name=arrival["name"], state="in_custody",
        accepted_at=datetime.fromisoformat(arrival["taken_at"]),
    )  # fmt: skip


def _told(original: Original) -> dict[str, Any]:
    names = ("id", "sha256", "sm3", "size_bytes", "kind", "format", "name")
    return {**{name: getattr(original, name) for name in names}, "accepted_at": original.accepted_at.isoformat()}
