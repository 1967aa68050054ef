"""A home made again from a backup, and the rehearsal of that.

Objects are copied and proved, the log is put in place, the database is taken as it was and led on to the log's end;
where it does not fit the log it is made anew from vault and log. What the log tells was disposed of is disposed of
again. The rehearsal reads the backup where it lies: it makes the catalog anew in a temporary folder, compares it with
the restored database, and reads every object.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from config.settings import Settings
from pipeline.custody.fixity import DISPOSED, Fixity
from pipeline.custody.inspection import inspect
from pipeline.custody.recovery import catch_up, recover
from pipeline.custody.tree import Tree, leaf_hash
from pipeline.edges.audit import AuditLog
from pipeline.edges.catalog import Catalog
from pipeline.edges.database import disposals
from pipeline.edges.database.dump import dump
from pipeline.edges.database.engines import migrate
from pipeline.edges.host import disk
from pipeline.edges.jobs import Jobs
from pipeline.edges.log import keys
from pipeline.edges.vault import Vault
from pipeline.errors import BadInput, CustodyBroken
from pipeline.stages import ORDER
from workers.backup import DUMP, SQLITE, copy_log, digest_of, head_of, load_dump, read_manifest, sum_of
from workers.bootstrap import Home, actor_of, build_home, make_home
from workers.rebuild import rebuild_catalog

FOUND_IN_A_HOME: Final = ("vault", "log", "catalog.sqlite3")
Moved = Callable[[int], None]


def restore(source: Path, settings: Settings, moved: Moved = lambda _: None) -> dict[str, Any]:
    """The settings' home is the one of the backup. moved: told of bytes copied.

    Returns `objects`, `originals`, `failed` (digest -> why), `signature`, `catalog` (`restored` or `rebuilt`, and why),
    `disposed_again`. Raises BadInput where the home is not empty or the source is no backup, CustodyBroken where its
    manifest was changed.
    """
    source = source.absolute()
    manifest, signature = _sound_manifest(source)
    if any((settings.home / name).exists() for name in FOUND_IN_A_HOME):
        raise BadInput(
            f"There is a home at {settings.home} already: restore into an empty folder",
            zh=f"{settings.home} 处已有资料库：请恢复到空文件夹",
            path=str(settings.home),
        )
    settings.inbox.mkdir(parents=True, exist_ok=True)
    disk.require_room(settings.home, int(manifest["bytes"]), 0.0)
    vault, failed = Vault(settings.home), dict[str, str]()
    vault.create()
    copy = Vault(settings.home, root=source / "vault")
    for sha256 in [*copy.digests(), *copy.tombstones()]:
        try:
            vault.take_over(copy, sha256, moved)
        except CustodyBroken as error:
            failed[sha256] = error.sentence
    vault.staging.close()
    copy_log(source / "log", settings.home / "log")
    _copy_settings(source, settings)
    how = _put_catalog(source, settings, manifest)
    make_home(settings)
    if how:
        rebuilt = rebuild_catalog(settings)
        originals = rebuilt["originals"]
    else:
        originals = _lead_on(settings)
    built = build_home(settings)
    try:
        again = _dispose_again(built)
        for sha256 in built.catalog.digests():
            if not built.vault.holds(sha256):
                failed.setdefault(sha256, f"The original {sha256} is not in the backup")
        facts = {
            "from": str(source), "made_at": manifest["made_at"], "objects": manifest["objects"], "signature": signature,
            "failed": sorted(failed)[:100], "catalog": how or "restored", "disposed_again": len(again),
        }  # fmt: skip
        built.tell("backup.restored", outcome="failed" if failed else "done", facts=facts)
        objects = sum_of(built.vault)[0]
    finally:
        built.close()
    return {
        "home": str(settings.home), "objects": objects, "originals": originals, "failed": failed,
        "signature": signature, "catalog": f"rebuilt: {how}" if how else "restored", "disposed_again": again,
    }  # fmt: skip


def _sound_manifest(source: Path) -> tuple[dict[str, Any], str]:
    manifest, signature = read_manifest(source)
    if signature == "bad":
        raise CustodyBroken(
            f"The manifest of {source} does not carry the signature of its log's key: it was changed",
            zh=f"{source} 的清单没有其日志密钥的签名：清单被改动过",
        )
    return manifest, signature


def _copy_settings(source: Path, settings: Settings) -> None:
    for file in sorted((source / "settings").glob("*.toml")):
        if not (settings.home / file.name).exists():
            shutil.copyfile(file, settings.home / file.name)
    folder = keys.keys_folder(settings)
    for file in keys.private_files(source / "keys"):
        if not (folder / file.name).exists():
            keys.write_private(folder, file.name, file.read_bytes())


def _put_catalog(source: Path, settings: Settings, manifest: dict[str, Any]) -> str:
    """The restored database is in place; else why it cannot be, and then there is none."""
    address = sa.make_url(settings.catalog_url)
    is_sqlite = address.get_backend_name() == "sqlite"
    file = source / "catalog" / (SQLITE if is_sqlite else DUMP)
    if not file.exists():
        return "the backup holds the database of another kind"
    if digest_of(file) != manifest["catalog"].get(file.name):
        return "the database of the backup is not the one its manifest tells of"
    if not is_sqlite:
        load_dump(file, settings.catalog_url)
        return ""
    target = Path(str(address.database))
    shutil.copyfile(file, target)
    disk.sync_file(target)
    with contextlib.closing(sqlite3.connect(target)) as connection:
        if connection.execute("PRAGMA integrity_check").fetchone() == ("ok",):
            return ""
    target.unlink()
    return "the database of the backup does not hold together"


def _lead_on(settings: Settings, vault: Vault | None = None) -> int:
    """The restored catalog knows every line of the log and every object; how many originals there are.

    Raises CustodyBroken where it tells of another past than the log.
    """
    built = build_home(settings)
    built = replace(built, vault=vault or built.vault)
    jobs = Jobs(built.catalog, settings.work)
    try:
        catch_up(built.vault, built.catalog, built.audit)
        recover(built.vault, built.catalog, built.audit, jobs, built.actor, turns=ORDER, grace_s=0.0)
        with built.catalog.transaction() as connection:
            for original, kind in built.catalog.without_jobs(connection):
                jobs.plan(connection, original, ORDER)
                jobs.enqueue(connection, original, "light", kind=kind)
        return sum(built.catalog.counts().values())
    finally:
        jobs.close()
        built.close()


def _dispose_again(home: Home) -> list[str]:
    """What the log tells was disposed of, and the backup still held, is a tombstone again; its digests."""
    known = {original: sha256 for sha256, original in home.catalog.digests().items()}
    done = []
    for line in home.catalog.events_of_type([DISPOSED]):
        event = json.loads(line)
        sha256 = known.get(event["original"])
        if sha256 is not None and home.vault.has(sha256):
            home.vault.purge(sha256, disposals.certificate_in(event) or {**event["facts"], "log": event["seq"]})
            done.append(sha256)
    return done


def rehearse(source: Path, settings: Settings, moved: Moved = lambda _: None) -> dict[str, Any]:
    """What a restore would give, seen in a temporary folder; nothing of the backup is changed.

    `holds`, and beside it: `signature`, `objects`, `expected_objects`, `broken`, `missing`, `strays`, `log`,
    `checkpoint`, `catalog` (`equal`, or what differs), `seconds`.
    """
    started, source = time.monotonic(), source.absolute()
    manifest, signature = read_manifest(source)
    with tempfile.TemporaryDirectory(prefix="casereel-rehearsal-") as folder:
        base = Path(folder)
        rebuilt = _rehearsed(settings, base / "rebuilt", source)
        vault = Vault(rebuilt.home, root=source / "vault")
        report = {
            "signature": signature,
            "made_at": manifest["made_at"],
            "log": "",
            "checkpoint": "",
            "catalog": "equal",
        }
        try:
            rebuild_catalog(rebuilt, vault=vault)
            report["catalog"] = _compared(source, settings, base, rebuilt, manifest)
        except CustodyBroken as error:
            report["log"] = error.sentence
        report["checkpoint"] = _checkpoint_fault(source / "log", manifest)
        seen = _inspected(rebuilt, vault, moved) if not report["log"] else {}
    count, size, digest = sum_of(Vault(source, root=source / "vault"))
    same = (count, size, digest) == (manifest["objects"], manifest["bytes"], manifest["vault_digest"])
    holds = (
        signature != "bad" and same and report["catalog"] == "equal"
        and not (report["log"] or report["checkpoint"]) and not any(seen.values())
    )  # fmt: skip
    return {
        "holds": holds, **report, "objects": count, "expected_objects": manifest["objects"], "as_manifest": same,
        **{"broken": [], "missing": [], "strays": [], **seen}, "seconds": round(time.monotonic() - started, 1),
    }  # fmt: skip


def _rehearsed(settings: Settings, home: Path, source: Path) -> Settings:
    """Settings of a home in the temporary folder, with a copy of the backup's log."""
    made = replace(
        settings, home=home, catalog=replace(settings.catalog, url=""), audit=replace(settings.audit, keys="")
    )
    made.inbox.mkdir(parents=True)
    (home / "index").mkdir()
    copy_log(source / "log", home / "log")
    return made


def _compared(source: Path, settings: Settings, base: Path, rebuilt: Settings, manifest: dict[str, Any]) -> str:
    """`equal`, or which of the tables differ between the restored database and the rebuilt one."""
    if not (source / "catalog" / SQLITE).exists():
        return "equal"  # a PostgreSQL dump is compared by a restore into an empty database
    restored = _rehearsed(settings, base / "restored", source)
    if why := _put_catalog(source, restored, manifest):
        return why
    migrate(restored.catalog_url)
    _lead_on(restored, Vault(restored.home, root=source / "vault"))
    one, two = Catalog(restored.catalog_url), Catalog(rebuilt.catalog_url)
    try:
        before, after = dump(one), dump(two)
    finally:
        one.close()
        two.close()
    after["events"] = [event for event in after["events"] if event["seq"] <= manifest["log"]["entries"]]
    before["events"] = [event for event in before["events"] if event["seq"] <= manifest["log"]["entries"]]
    differing = [name for name in before if before[name] != after[name]]
    return "equal" if not differing else f"differs in {', '.join(differing)}"


def _checkpoint_fault(log: Path, manifest: dict[str, Any]) -> str:
    """What of the manifest does not hold of the log: its head, and the root of the last checkpoint."""
    said, point = manifest["log"], manifest["checkpoint"]
    entries, head = head_of(log)
    if entries < said["entries"] or (entries == said["entries"] and head != said["head"]):
        return f"the log has {entries} entries with another head than the manifest tells of ({said['entries']})"
    if point is None:
        return ""
    tree, size = Tree(), 0
    for file in sorted(log.glob("events-*.jsonl")):
        with file.open("rb") as stream:
            for line in stream:
                if size < point["size"]:
                    tree.append(leaf_hash(line.rstrip(b"\n")))
                    size += 1
    if size < point["size"] or tree.root(point["size"]).hex() != point["root"]:
        return f"the log does not give the root of its checkpoint over {point['size']} entries"
    return ""


def _inspected(rebuilt: Settings, vault: Vault, moved: Moved) -> dict[str, list[str]]:
    catalog = Catalog(rebuilt.catalog_url)
    try:
        audit = AuditLog(rebuilt.home / "log", catalog.reading)
        gone = {json.loads(line)["original"] for line in catalog.events_of_type([DISPOSED])}
        wanted = {sha256: original for sha256, original in catalog.digests().items() if original not in gone}
        fixity = Fixity(vault, catalog, audit, actor_of(rebuilt))
        seen = inspect(vault, catalog, fixity, wanted, everything=True, moved=moved)
    finally:
        catalog.close()
    return {
        "broken": [fault for found in seen.broken.values() for fault in found],
        "missing": [fault for found in seen.missing.values() for fault in found],
        "strays": list(seen.strays),
    }
