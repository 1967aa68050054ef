"""The home as a whole on a second disk, and that it can be restored from there.

    DIR/vault/        a storage root of its own: every object, proved by its digests, only ever added to
    DIR/log/          the audit log with its checkpoints and public keys, only ever appended to
    DIR/catalog/      the database, taken after the objects it tells of
    DIR/settings/     the home's settings files
    DIR/keys/         the private keys, only where asked for
    DIR/manifest.json manifest.json.sig     what all this is, signed with the log's key (Ed25519, raw)

Objects and log come first, then the database, then the lines and after them the objects that came meanwhile: neither
database nor log ever tells of what the copy lacks. A copy that was cut off goes on where it was; a second one copies
only what is new. Nothing is deleted from a copy: what was disposed of since is removed when it is restored.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from filelock import FileLock, Timeout

from config.settings import Settings
from pipeline.edges import failpoint
from pipeline.edges.database import isolations
from pipeline.edges.host import disk
from pipeline.edges.log import keys
from pipeline.edges.vault import Vault
from pipeline.errors import BadInput, CustodyBroken, TryAgain
from workers.bootstrap import Home

FORMAT: Final = 1
MANIFEST: Final = "manifest.json"
SIGNATURE: Final = "manifest.json.sig"
SQLITE: Final = "catalog.sqlite3"
DUMP: Final = "catalog.dump"
LEFT_BYTES: Final = 64 << 20
Moved = Callable[[int], None]


@dataclass
class Done:
    """How a backup went. failed: digest -> why its object could not be copied; the rest was."""

    objects: int = 0
    size_bytes: int = 0
    copied_objects: int = 0
    copied_bytes: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    signed_by: str | None = None


def back_up(home: Home, target: Path, *, with_keys: bool = False, moved: Moved = lambda _: None) -> Done:
    """The target holds the home as it is now, signed. moved: told of bytes of originals that are dealt with.

    Raises BadInput where the target cannot be one, CustodyBroken where it holds another log, TryAgain where it is
    full or in use. A damaged original is named in `failed` and keeps its good copy in the target.
    """
    target = target.absolute()
    _require_apart(home.settings.home, target)
    target.mkdir(parents=True, exist_ok=True)
    lock = FileLock(target / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise TryAgain(
            f"Another backup to {target} is running: wait for its end", zh=f"另一个备份正在写入 {target}：请等待其结束"
        ) from error
    try:
        return _back_up(home, target, with_keys, moved)
    finally:
        lock.release()


def _back_up(home: Home, target: Path, with_keys: bool, moved: Moved) -> Done:
    copy = Vault(target)
    try:
        return _copy_all(home, copy, target, with_keys, moved)
    finally:
        copy.staging.close()


def _copy_all(home: Home, copy: Vault, target: Path, with_keys: bool, moved: Moved) -> Done:
    done = Done()
    log = home.settings.home / "log"
    _require_same_log(log, target / "log")
    _require_room(home, copy, target)
    copy.create()
    signed = _sign_head(home)
    _copy_objects(home, copy, done, moved)
    home.audit.make_durable(home.catalog.last_event())
    copy_log(log, target / "log")
    failpoint.at("backup.log")
    _copy_catalog(home.settings.catalog_url, target / "catalog")
    failpoint.at("backup.catalog")
    # What came while the first pass ran: the lines that the database may tell of, then the objects those tell of.
    home.audit.make_durable(home.catalog.last_event())
    entries, head = copy_log(log, target / "log")
    _copy_objects(home, copy, done, lambda _: None)
    _copy_files(home.settings.home.glob("*.toml"), target / "settings", 0o640)
    if with_keys:
        _copy_files(keys.private_files(keys.keys_folder(home.settings)), target / "keys", 0o600)
    done.objects, done.size_bytes, vault_digest = sum_of(copy)
    manifest = {
        "format": FORMAT, "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "objects": done.objects, "bytes": done.size_bytes, "vault_digest": vault_digest,
        "failed": sorted(done.failed), "log": {"entries": entries, "head": head},
        "checkpoint": None if signed is None else {"size": signed.size, "root": signed.root.hex()},
        "catalog": {path.name: digest_of(path) for path in sorted((target / "catalog").iterdir())},
        "with_keys": with_keys,
    }  # fmt: skip
    done.signed_by = _sign(home.settings, target, (json.dumps(manifest, indent=1, sort_keys=True) + "\n").encode())
    failpoint.at("backup.signed")
    facts = {
        "target": str(target), "objects": done.objects, "bytes": done.size_bytes, "copied": done.copied_objects,
        "failed": sorted(done.failed)[:100], "entries": entries, "with_keys": with_keys,
    }  # fmt: skip
    home.tell("backup.done", outcome="failed" if done.failed else "done", facts=facts)
    return done


def _require_apart(home: Path, target: Path) -> None:
    one, two = home.resolve(), target.resolve()
    if one == two or one.is_relative_to(two) or two.is_relative_to(one):
        raise BadInput(
            f"A backup belongs on another disk, not into the home: {target}",
            zh=f"备份应放在另一块磁盘，不能放在资料库内：{target}",
            path=str(target),
        )


def _require_same_log(log: Path, copy: Path) -> None:
    """The copy's first line is ours. Another home's backup is never added to."""
    first, other = log / "events-000001.jsonl", copy / "events-000001.jsonl"
    if not other.exists():
        return
    with first.open("rb") as ours, other.open("rb") as theirs:
        line = theirs.readline()
        if line.endswith(b"\n") and line != ours.readline():
            raise BadInput(
                f"{copy.parent} is the backup of another home: choose an empty folder",
                zh=f"{copy.parent} 是另一资料库的备份：请选择空文件夹",
                path=str(copy.parent),
            )


def _require_room(home: Home, copy: Vault, target: Path) -> None:
    wanted = [original for sha256, original in home.catalog.digests().items() if not copy.holds(sha256)]
    needed = home.catalog.size_of(wanted) + LEFT_BYTES
    free = shutil.disk_usage(target).free
    if free < needed:
        raise TryAgain(
            f"The disk of {target} has {free >> 20} MiB free, {needed >> 20} MiB are needed: make room there",
            zh=f"{target} 所在磁盘剩余 {free >> 20} MiB，需要 {needed >> 20} MiB：请腾出空间",
            room=True, found=free, expected=needed,
        )  # fmt: skip


def _copy_objects(home: Home, copy: Vault, done: Done, moved: Moved) -> None:
    with home.catalog.snapshot() as connection:
        # Nothing of what is isolated is copied to where it is not yet.
        kept_back = isolations.digests(connection)
    for sha256 in [*home.vault.digests(), *home.vault.tombstones()]:
        if sha256 in kept_back:
            continue
        if copy.has(sha256) and home.vault.tombstone_is_there(sha256):
            continue
        try:
            copied = copy.take_over(home.vault, sha256, moved)
        except CustodyBroken as error:
            if home.vault.holds(sha256):  # else it was disposed of just now
                done.failed[sha256] = error.sentence
            continue
        if copied:
            done.copied_objects += 1
            done.copied_bytes += copied
            failpoint.at("backup.copied")


def copy_log(log: Path, copy: Path) -> tuple[int, str]:
    """(entries, head) of the copy, whose events now reach as far as the whole lines that were there.

    Raises CustodyBroken where the copy is not the beginning of the log.
    """
    copy.mkdir(parents=True, exist_ok=True)
    for file in sorted(log.glob("events-*.jsonl")):
        _append(file, copy / file.name)
    for file in sorted(log.rglob("*")):
        place = copy / file.relative_to(log)
        if file.is_file() and not file.name.startswith((".", "events-")) and file.suffix != ".lock":
            _copy_files([file], place.parent, 0o640)
    disk.sync_folder(copy)
    return head_of(copy)


def head_of(log: Path) -> tuple[int, str]:
    """(number, hash) of the log's last whole line."""
    for file in sorted(log.glob("events-*.jsonl"), reverse=True):
        data = file.read_bytes()
        whole = data[: data.rfind(b"\n") + 1]
        if whole:
            last = whole[whole[:-1].rfind(b"\n") + 1 :]
            return json.loads(last)["seq"], hashlib.sha256(last).hexdigest()
    return 0, "0" * 64


def _append(source: Path, target: Path) -> None:
    data = source.read_bytes()
    data = data[: data.rfind(b"\n") + 1]
    there = target.read_bytes() if target.exists() else b""
    if not data.startswith(there):
        raise CustodyBroken(
            f"{target} is not the beginning of {source.name}: one of both was changed; run `casereel verify`",
            zh=f"{target} 不是 {source.name} 的开头：其中之一被改动过；请运行 casereel verify",
            path=str(target),
        )
    with target.open("ab") as stream:
        stream.write(data[len(there) :])
        stream.flush()
        disk.sync_file(target)


def _copy_files(files: Iterator[Path] | list[Path], folder: Path, mode: int) -> None:
    """The folder holds these files as they are; each replaced at once."""
    for file in files:
        folder.mkdir(parents=True, exist_ok=True)
        data, place = file.read_bytes(), folder / file.name
        if place.exists() and place.read_bytes() == data:
            continue
        made = place.with_name(f".{place.name}.new")
        made.unlink(missing_ok=True)
        disk.write_new(made, data, sync=True)
        made.chmod(mode)
        made.replace(place)
        disk.sync_folder(folder)


def _copy_catalog(url: str, folder: Path) -> None:
    """A copy of the database in one state, complete before it takes the place of the one before."""
    folder.mkdir(parents=True, exist_ok=True)
    address = sa.make_url(url)
    is_sqlite = address.get_backend_name() == "sqlite"
    made = folder / ".new"
    made.unlink(missing_ok=True)
    if is_sqlite:
        with sqlite3.connect(str(address.database), timeout=60, isolation_level=None) as connection:
            connection.execute("VACUUM INTO ?", (str(made),))
        connection.close()
    else:
        _run_postgres("pg_dump", ["--format=custom", f"--file={made}", "--no-owner"], url)
    disk.sync_file(made)
    made.replace(folder / (SQLITE if is_sqlite else DUMP))
    (folder / (DUMP if is_sqlite else SQLITE)).unlink(missing_ok=True)
    disk.sync_folder(folder)


def _run_postgres(program: str, arguments: list[str], url: str) -> None:
    address = sa.make_url(url).set(drivername="postgresql")
    found = shutil.which(program) or next(
        (str(one) for one in sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{program}"), reverse=True)), None
    )
    if found is None:
        raise TryAgain(
            f"{program} is not installed: on Debian `apt-get install postgresql-client`",
            zh=f"未安装 {program}：在 Debian 上运行 apt-get install postgresql-client",
        )
    command = [found, *arguments, f"--dbname={address.render_as_string(hide_password=False)}"]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    if said.returncode != 0:
        raise TryAgain(
            f"{program} failed: {said.stderr.strip()[-300:]}", zh=f"{program} 运行失败：{said.stderr.strip()[-300:]}"
        )


def load_dump(dump: Path, url: str) -> None:
    """The PostgreSQL database, which must be empty, is the one of the dump."""
    _run_postgres("pg_restore", ["--no-owner", "--exit-on-error", str(dump)], url)


def sum_of(vault: Vault) -> tuple[int, int, str]:
    """(objects, bytes of originals, digest over every object's identifier and inventory)."""
    count, size, digest = 0, 0, hashlib.sha256()
    for sha256, sidecar, length in sorted(vault.summary()):
        count, size = count + 1, size + length
        digest.update(f"{sha256} {sidecar}\n".encode())
    return count, size, digest.hexdigest()


def digest_of(path: Path) -> str:
    """The SHA-256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _sign_head(home: Home) -> Any:
    """The checkpoint over the log as it is; None where the key that signs it is not here."""
    try:
        return home.checkpoints.sign_head()
    except TryAgain:
        return None


def _sign(settings: Settings, target: Path, manifest: bytes) -> str | None:
    """The manifest and its signature are in place; the public key's file, None where there is no key here."""
    try:
        signer, number = keys.signer(settings), keys.public_keys(settings.home / "log")[-1][0]
    except TryAgain:
        signer = None
    # The old signature goes first: a manifest beside another's signature must not look forged.
    (target / SIGNATURE).unlink(missing_ok=True)
    _write(target / MANIFEST, manifest)
    if signer is None:
        return None
    _write(target / SIGNATURE, signer.sign(manifest))
    return keys.file_of(number, signer.key)


def _write(path: Path, data: bytes) -> None:
    made = path.with_name(f".{path.name}.new")
    made.unlink(missing_ok=True)
    disk.write_new(made, data, sync=True)
    made.replace(path)
    disk.sync_folder(path.parent)


def last_of(home: Home) -> dict[str, Any] | None:
    """The latest backup: `at`, `age_h`, `target`, `objects`; None where there was none."""
    line = home.catalog.last_of_type("backup.done")
    if line is None:
        return None
    event = json.loads(line)
    at = datetime.fromisoformat(event["at"])
    age_h = round((home.catalog.now() - at).total_seconds() / 3600, 2)
    return {"at": event["at"], "age_h": age_h, **{name: event["facts"][name] for name in ("target", "objects")}}


def read_manifest(source: Path) -> tuple[dict[str, Any], str]:
    """(manifest, how it is signed: `good`, `bad` or `none`). Raises BadInput where there is no backup."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        data = (source / MANIFEST).read_bytes()
        manifest = dict(json.loads(data))
    except (OSError, ValueError) as error:
        raise BadInput(
            f"{source} is no finished backup: its {MANIFEST} cannot be read ({error})",
            zh=f"{source} 不是已完成的备份：无法读取其 {MANIFEST}（{error}）",
        ) from error
    if manifest.get("format", 0) > FORMAT:
        raise BadInput(
            f"{source} was made by a later version: update Casereel first",
            zh=f"{source} 由更新的版本制作：请先升级 Casereel",
            found=manifest.get("format"),
        )
    if not (source / SIGNATURE).exists():
        return manifest, "none"
    signature = (source / SIGNATURE).read_bytes()
    for file in sorted((source / "log" / "keys").glob("*.pem"), reverse=True):
        try:
            key = serialization.load_pem_public_key(file.read_bytes())
            if isinstance(key, Ed25519PublicKey):
                key.verify(signature, data)
                return manifest, "good"
        except (InvalidSignature, ValueError):
            continue
    return manifest, "bad"
