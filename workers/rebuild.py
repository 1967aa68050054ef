"""The catalog made anew from the vault and the audit log alone, and marks in their present version."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from config.settings import Settings
from pipeline.custody.fixity import Fixity
from pipeline.custody.recovery import recover, replay
from pipeline.edges.audit import NewEvent
from pipeline.edges.catalog import Catalog
from pipeline.edges.database.engines import migrate
from pipeline.edges.jobs import Jobs
from pipeline.edges.vault import Vault
from pipeline.errors import BadInput
from pipeline.kinds import kinds_in
from pipeline.records import Known
from pipeline.stage import Fingerprinter
from pipeline.stages import ORDER
from workers.bootstrap import Home, actor_of, build_home, build_jobs

BATCH: Final = 200
MARKED_BY: Final = ("fingerprint", "link", "index")


def rebuild_catalog(
    settings: Settings, moved: Callable[[int], None] = lambda _: None, vault: Vault | None = None
) -> dict[str, int]:
    """`originals`, `events`, `recovered`, `missing` of the new catalog; facts are queued to be read again.

    missing: originals that the log tells of and the vault does not hold; each is an open incident afterwards.
    vault: looked into instead of the home's own.

    The old SQLite file is kept beside it, under a name with the date. Raises BadInput where a worker still lives,
    or where a PostgreSQL database is not empty.
    """
    _set_aside(settings)
    migrate(settings.catalog_url)
    built = build_home(settings)
    if vault is not None:
        built = replace(built, vault=vault)
    jobs = Jobs(built.catalog, settings.work)
    try:
        jobs.queue.prepare()
        replayed = replay(built.vault, built.catalog, built.audit, moved)
        missing = {one: built.catalog.id_of_digest(one) or "" for one in replayed.missing}
        gone = {missing[one]: [f"The original {one} is not in the vault"] for one in replayed.missing}
        events = built.catalog.last_event()
        recovered = recover(built.vault, built.catalog, built.audit, jobs, actor_of(settings), turns=ORDER, grace_s=0.0)
        with built.catalog.transaction() as connection:
            facts = {"originals": replayed.originals, "events": events, "recovered": len(recovered)}
            [seq] = built.audit.record(connection, [NewEvent(type="catalog.rebuilt", actor=built.actor, facts=facts)])
            for original, kind in built.catalog.without_jobs(connection):
                jobs.plan(connection, original, ORDER)
                jobs.enqueue(connection, original, "light", kind=kind)
        built.audit.make_durable(seq)
        Fixity(built.vault, built.catalog, built.audit, built.actor).record(gone, {v: k for k, v in missing.items()})
        return {
            "originals": replayed.originals + len(recovered), "events": events, "recovered": len(recovered),
            "missing": len(missing),
        }  # fmt: skip
    finally:
        jobs.close()
        built.close()


def rebuild_marks(built: Home, moved: Callable[[int], None] = lambda _: None) -> int:
    """How many originals were queued to have their marks taken: all that lack some in their present version."""
    takers = kinds_in("pipeline.fingerprinters", "FINGERPRINTER")
    jobs, seq, queued = build_jobs(built), 0, 0
    try:
        while changes := built.catalog.changed_after(seq, BATCH):
            seq = changes[-1][0]
            known = built.catalog.known_of_many([original for _, original in changes])
            lacking = [one.original.id for one in known if _lacks_marks(one, takers)]
            with built.catalog.transaction() as connection:
                for original in lacking:
                    jobs.again(connection, original, "heavy", MARKED_BY)
            queued += len(lacking)
            moved(len(changes))
    finally:
        jobs.close()
    built.tell("marks.rebuilt", facts={"originals": queued})
    return queued


def _lacks_marks(known: Known, takers: Sequence[Fingerprinter]) -> bool:
    there = {(one.method, one.version) for one in known.fingerprints}
    return any((one.name, one.version) not in there for one in takers if one.wants(known))


def _set_aside(settings: Settings) -> None:
    address = sa.make_url(settings.catalog_url)
    if address.get_backend_name() != "sqlite":
        _require_empty(settings)
        return
    path = Path(str(address.database))
    if not path.exists():
        return
    _require_no_workers(settings)
    stamp = datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
    for suffix in ("", "-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + suffix).rename(path.with_name(f"{path.name}.before-{stamp}{suffix}"))


def _require_empty(settings: Settings) -> None:
    engine = sa.create_engine(sa.make_url(settings.catalog_url).set(drivername="postgresql+psycopg"))
    try:
        if any(name.startswith("cr_") for name in sa.inspect(engine).get_table_names()):
            raise BadInput(
                "The database is not empty: create a new one and set catalog.url to it",
                zh="数据库不是空的：请新建一个，并将 catalog.url 设为它",
            )
    finally:
        engine.dispose()


def _require_no_workers(settings: Settings) -> None:
    catalog = Catalog(settings.catalog_url)
    try:
        with contextlib.suppress(sa.exc.DatabaseError):
            alive = Jobs(catalog, settings.work).living.workers()
            if alive:
                raise BadInput(
                    f"{len(alive)} processes still work on this home: stop `casereel up` first",
                    zh=f"仍有 {len(alive)} 个进程在使用此资料库：请先停止 casereel up",
                )
    finally:
        catalog.close()
