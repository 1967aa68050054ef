"""Gives back what the catalog lost, from the vault and the log alone.

Two ways: an object whose intake died between its rename and its transaction is entered late (`recover`); a lost
catalog is made anew from the log's lines and the objects' records (`replay`).
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from pipeline.edges import tables
from pipeline.edges.audit import FIRST_PREV, AuditLog, NewEvent
from pipeline.edges.catalog import Catalog
from pipeline.edges.jobs import Jobs
from pipeline.edges.vault import Vault
from pipeline.errors import CustodyBroken
from pipeline.records import Arrival, Original, Stated

# Younger objects may belong to an intake that is about to record them.
GRACE_S: Final = 60.0


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
        facts = vault.record(sha256)
        with catalog.transaction() as connection:
            if catalog.original_with(connection, sha256) is not None:
                continue
            arrival = facts["arrival"]
            original = _original_of_record(facts)
            told = {"arrival": {**arrival, "original": original.id}, "original": _told(original), "recovered": True}
            [seq] = audit.record(
                connection, [NewEvent(type="arrival.accepted", actor=actor, original=original.id, facts=told)]
            )
            _enter(connection, catalog, original, arrival, seq)
            jobs.plan(connection, original.id, turns)
            jobs.enqueue(connection, original.id, "light", kind=original.kind)
        audit.make_durable(seq)
        recovered.append(sha256)
    return recovered


def replay(vault: Vault, catalog: Catalog, audit: AuditLog, moved: Callable[[int], None] = lambda _: None) -> int:
    """Fills an empty catalog with the log's events and the originals and arrivals that they tell of.

    Returns how many originals there are. moved: told of lines read. Raises CustodyBroken where a line does not
    follow the one before it, or an accepted original is not in the vault.
    """
    previous, originals = FIRST_PREV, 0
    with catalog.transaction() as connection:
        for line in audit.lines():
            event = json.loads(line)
            if event["prev"] != previous:
                raise CustodyBroken(f"Entry {event['seq']} of the log does not carry the hash of the one before it")
            previous = audit.hash_of(line)
            connection.execute(
                sa.insert(tables.event).values(
                    seq=event["seq"], at=datetime.fromisoformat(event["at"]), type=event["type"], actor=event["actor"],
                    original=event["original"], line=line, hash=previous,
                )
            )  # fmt: skip
            connection.execute(sa.update(tables.log_head).values(seq=event["seq"], hash=previous))
            originals += _replay_one(connection, catalog, vault, event)
            moved(1)
    return originals


def _replay_one(connection: sa.Connection, catalog: Catalog, vault: Vault, event: Mapping[str, Any]) -> int:
    match event["type"]:
        case "arrival.accepted":
            told = event["facts"]["original"]
            if not vault.has(told["sha256"]):
                raise CustodyBroken(f"The log tells of {told['sha256']}, which is not in the vault", path=told["name"])
            original = Original(
                **{k: v for k, v in told.items() if k != "accepted_at"},
                accepted_at=datetime.fromisoformat(told["accepted_at"]), state="in_custody",
            )  # fmt: skip
            _enter(connection, catalog, original, event["facts"]["arrival"], event["seq"])
            return 1
        case "arrival.duplicate":
            catalog.add_arrival(connection, *_arrival_of(event["facts"]["arrival"], event["original"]))
        case "arrival.seen_again":
            facts = event["facts"]
            catalog.seen_again(
                connection,
                facts["arrival"],
                mtime_ns=facts["mtime_ns"],
                inode=facts["inode"],
                device=facts["device_number"],
            )
    return 0


def _enter(
    connection: sa.Connection, catalog: Catalog, original: Original, arrival: Mapping[str, Any], seq: int
) -> None:
    catalog.add_original(connection, original, seq)
    catalog.add_arrival(connection, *_arrival_of(arrival, original.id))


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
