"""Signed heads of the log: how many lines, and the root of the tree over them.

A checkpoint is signed only where the files go on from the one before it: its root is computed again from the tiles,
and the new lines must carry the chain on. `checkpoints/<size>.note` never changes; each names the one before it and
the digest of the settings in force; `checkpoint` is a copy of the last. One process signs at a time.
Source: C2SP tlog-checkpoint and signed-note.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from filelock import FileLock

from config.settings import Settings
from pipeline.custody import notes
from pipeline.custody.notes import Head, Note, PublicKey, Signature
from pipeline.custody.tree import Tree, consistency_of, inclusion_of, leaf_hash, root_of
from pipeline.edges import failpoint
from pipeline.edges.audit import FIRST_PREV, AuditLog, NewEvent
from pipeline.edges.catalog import Catalog
from pipeline.edges.database import tables
from pipeline.edges.host import disk
from pipeline.edges.log import keys
from pipeline.edges.log.keys import Signer
from pipeline.edges.log.tiles import Tiles
from pipeline.errors import BadInput, CustodyBroken

KEY_EVENT: Final = "log.key"
SM2_EVENT: Final = "log.sm2_key"
# Events that the signing itself leaves; a log that grew by nothing else needs no new checkpoint.
OWN_EVENTS: Final = "log."


@dataclass(frozen=True)
class Checkpoint:
    """A signed head. note: the whole file; path: where it lies."""

    size: int
    root: bytes
    note: str
    path: Path

    @property
    def parsed(self) -> Note:
        """Its text and signatures."""
        return notes.read_note(self.note.encode())

    @property
    def head(self) -> Head:
        """What its text says."""
        return notes.read_head(self.parsed.text)


@dataclass(frozen=True)
class KeyChange:
    """A key that the log tells of. why: `first`, `rotation` or `lost`; number: of its event."""

    number: int
    key: PublicKey
    why: str
    reason: str
    signature: bytes | None
    before: str | None


class Checkpoints:
    """The signed heads of one home's log."""

    def __init__(self, settings: Settings, catalog: Catalog, audit: AuditLog, actor: str) -> None:
        self._settings = settings
        self._catalog = catalog
        self._audit = audit
        self._actor = actor
        self.log = settings.home / "log"
        self.folder = self.log / "checkpoints"
        self.tiles = Tiles(self.log / "tile")

    def sign_head(self) -> Checkpoint | None:
        """The checkpoint over all lines there are, made now unless there is one; None for an empty log.

        The first one makes the key. Raises CustodyBroken where the log does not go on from the last checkpoint,
        TryAgain where the private key is not here.
        """
        self._audit.make_durable(self._catalog.last_event())
        with self.alone():
            latest = self._finish_pending()
            if not self._audit.files():
                return None
            current = self.key_changes()
            if not current:
                current = [self._first_key()]
            self._copy_keys(current)
            signer = keys.load(keys.keys_folder(self._settings), current[-1].key)
            return self._sign(latest, signer)

    def _sign(self, latest: Checkpoint | None, signer: Signer) -> Checkpoint:
        old = latest.size if latest else 0
        leaves = self._new_leaves(old)
        if latest and not leaves:
            return latest
        size = old + len(leaves)
        self._grow_tiles(latest, leaves)
        head = Head(signer.name, size, root_of(self.tiles.at(size), size), self._extensions(old))
        signature = Signature(signer.name, signer.key.id, signer.sign(head.text.encode()))
        return self._publish(size, Note(head.text, (signature,)))

    def _extensions(self, old: int) -> tuple[str, ...]:
        said = (f"previous {old}", f"settings sha256:{settings_digest(self._settings)}")
        if not self._settings.audit.sm2:
            return said
        from pipeline.edges.log import sm2

        folder, signed = keys.keys_folder(self._settings), self.sm2_key()
        if signed is None and not (folder / sm2.PRIVATE).exists():
            sm2.make(folder)
        public = sm2.public_of(folder, signed)
        named = sm2.fingerprint(public)
        disk.write_whole(sm2.public_file(self.log, named), sm2.public_pem(public))
        return (*said, f"{sm2.WORD} {named}")

    def _new_leaves(self, old: int) -> list[bytes]:
        """The leaf hashes of the lines behind the first `old`, which must carry the chain on."""
        leaves: list[bytes] = []
        previous = None if old else FIRST_PREV
        for line in self._audit.lines_from(max(old, 1)):
            if previous is None:
                previous = _chained(line)
                continue
            if json.loads(line)["prev"] != previous:
                raise CustodyBroken(
                    f"Entry {old + len(leaves) + 1} of the log does not carry the hash of the one before it; "
                    "run `casereel verify`",
                    zh=f"日志第 {old + len(leaves) + 1} 条没有前一条的校验值；请运行 casereel verify",
                )
            previous = _chained(line)
            leaves.append(leaf_hash(line))
        if previous is None:
            raise CustodyBroken(
                f"The log has fewer entries than the {old} of its last checkpoint: lines were removed; "
                "keep the disk as it is and run `casereel verify`",
                zh=f"日志少于上一签名头的 {old} 条：有条目被删除；请保持磁盘原样并运行 casereel verify",
                expected=old,
            )
        return leaves

    def _grow_tiles(self, latest: Checkpoint | None, leaves: Sequence[bytes]) -> None:
        """The tiles hold the last checkpoint's tree, proved by its root, and the new leaves behind it."""
        old = latest.size if latest else 0
        with contextlib.suppress(LookupError):
            if latest is None or root_of(self.tiles.at(old), old) == latest.root:
                self.tiles.extend(old, leaves)
                return
        self._make_tiles_again(latest, old + len(leaves))

    def _make_tiles_again(self, latest: Checkpoint | None, size: int) -> None:
        """A lost or damaged tile comes from the lines; only the signed root decides whether those are right."""
        everything = [leaf_hash(line) for line in self._audit.lines_from(1)][:size]
        if latest is not None and Tree(everything[: latest.size]).root() != latest.root:
            raise CustodyBroken(
                f"The first {latest.size} entries of the log are not those that the checkpoint over them was signed "
                "for; keep the disk as it is and run `casereel verify`",
                zh=f"日志前 {latest.size} 条已不是签名时的内容；请保持磁盘原样并运行 casereel verify",
                path=str(latest.path),
            )
        old = 0
        for grown in (*self.sizes(), size):
            self.tiles.extend(old, everything[old:grown])
            old = grown
        with self._catalog.transaction() as connection:
            self._audit.record(connection, [NewEvent(type="log.tiles_made_again", actor=self._actor)])

    def _publish(self, size: int, note: Note) -> Checkpoint:
        """First aside, then as the current one, then under its own name: whatever is left half done is told apart."""
        self.folder.mkdir(parents=True, exist_ok=True)
        pending, data = self.folder / f"{size}.note.new", note.whole.encode()
        failpoint.at("checkpoint.before")
        if self._settings.audit.sm2:
            from pipeline.edges.log import sm2

            signature = sm2.sign(keys.keys_folder(self._settings), data)
            disk.write_whole(self.folder / f"{size}.note{sm2.SUFFIX}", signature)
        disk.write_whole(pending, data)
        failpoint.at("checkpoint.pending")
        disk.write_whole(self.log / "checkpoint", data)
        failpoint.at("checkpoint.current")
        pending.replace(self.folder / f"{size}.note")
        disk.sync_folder(self.folder)
        failpoint.at("checkpoint.after")
        return self._read(self.folder / f"{size}.note")

    def _finish_pending(self) -> Checkpoint | None:
        """A checkpoint that a dying process left half published is published, or was never told of and is dropped."""
        if self.folder.is_dir():
            for pending in self.folder.glob("*.note.new"):
                current = self.log / "checkpoint"
                if current.exists() and current.read_bytes() == pending.read_bytes():
                    pending.replace(pending.with_suffix(""))
                else:
                    pending.unlink()
                disk.sync_folder(self.folder)
        return self.latest()

    def _first_key(self) -> KeyChange:
        [first] = self._audit.lines_from(1, count=1)
        made = keys.make(keys.keys_folder(self._settings), keys.name_of_log(first))
        return self._tell_key(made.key, "first", "", None)

    def _tell_key(self, key: PublicKey, why: str, reason: str, before: Signer | None) -> KeyChange:
        signature = before.sign(keys.statement(key, why, reason)) if before else None
        facts = {
            "key": key.text,
            "fingerprint": key.fingerprint,
            "why": why,
            "reason": reason,
            "before": before.key.text if before else None,
            "signature": base64.b64encode(signature).decode() if signature else None,
        }
        event = NewEvent(type=KEY_EVENT, actor=self._actor, facts=facts)
        with self._catalog.transaction() as connection:
            [number] = self._audit.record(connection, [event])
        self._audit.make_durable(number)
        failpoint.at("key.told")
        return KeyChange(number, key, why, reason, signature, facts["before"])

    def rotate(self, reason: str, *, lost: bool = False) -> Checkpoint:
        """A new key signs from here on. The head is signed by the old key before, by the new one after.

        lost: the old key is not asked; the new one stands for itself, and the log says so from here on.
        Raises BadInput where a lost key is given no reason, or one that is not lost is called so.
        """
        if lost and not reason:
            raise BadInput(
                "A key that is replaced without the old one's word needs a reason: --reason",
                zh="没有旧密钥签名而更换密钥，须说明理由：--reason",
            )
        if not lost:
            self.sign_head()
        with self.alone():
            known = self.key_changes()
            if not known:
                raise BadInput(
                    "The log has no key yet; its first checkpoint makes one", zh="日志还没有密钥；首次签名时生成"
                )
            folder, old = keys.keys_folder(self._settings), known[-1].key
            made = keys.make(folder, old.name)
            self._tell_key(made.key, "lost" if lost else "rotation", reason, None if lost else keys.load(folder, old))
            keys.forget(folder, old)
        signed = self.sign_head()
        assert signed is not None
        return signed

    def rotate_sm2(self, reason: str, *, lost: bool = False) -> str:
        """A new SM2 key signs from here on, and the log says so; its fingerprint. Raises as `rotate` does."""
        from pipeline.edges.log import sm2

        if lost and not reason:
            raise BadInput(
                "A lost key that is replaced needs a reason: --reason", zh="更换已丢失的密钥，须说明理由：--reason"
            )
        if not lost:
            self.sign_head()
        with self.alone():
            before = self.sm2_key()
            if before is None:
                raise BadInput(
                    "No head of the log is signed with SM2 yet; set audit.sm2, and the first one makes the key",
                    zh="日志尚未用 SM2 签名：请设置 audit.sm2，首次签名时生成密钥",
                )
            folder = keys.keys_folder(self._settings)
            named = sm2.fingerprint(sm2.make(folder, sm2.NEXT))
            facts = {
                "fingerprint": named, "why": "lost" if lost else "rotation", "reason": reason, "before": before,
            }  # fmt: skip
            with self._catalog.transaction() as connection:
                [number] = self._audit.record(connection, [NewEvent(type=SM2_EVENT, actor=self._actor, facts=facts)])
            self._audit.make_durable(number)
            failpoint.at("key.told")
            sm2.public_of(folder, named)
        self.sign_head()
        return named

    def sm2_key(self) -> str | None:
        """The fingerprint of the SM2 key that is to sign: the one that the log tells of last, or that the newest head
        names that names any. None where none has signed."""
        told = self._catalog.last_of_type(SM2_EVENT)
        if told is not None:
            return str(json.loads(told)["facts"]["fingerprint"])
        if not any((self.log / "keys").glob("sm2-*.pem")):
            return None
        named = (self.at(size).head.extension("sm2") for size in reversed(self.sizes()))
        return next((one for one in named if one), None)

    def key_changes(self) -> list[KeyChange]:
        """Every key that the log tells of, as its rows in the catalog say."""
        event = tables.event
        with self._catalog.reading.connect() as connection:
            found = connection.execute(
                sa.select(event.c.line).where(event.c.type == KEY_EVENT).order_by(event.c.seq)
            ).scalars()
            return [key_change_of(json.loads(line)) for line in found]

    def _copy_keys(self, changes: Sequence[KeyChange]) -> None:
        folder = self.log / "keys"
        folder.mkdir(parents=True, exist_ok=True)
        for change in changes:
            path = folder / keys.file_of(change.number, change.key)
            if not path.exists():
                disk.write_whole(path, keys.pem_of(change.key).encode())

    def latest(self) -> Checkpoint | None:
        """The checkpoint over the most lines; None where there is none. Raises CustodyBroken where it is damaged."""
        sizes = self.sizes()
        return self._read(self.folder / f"{sizes[-1]}.note") if sizes else None

    def all(self) -> Iterator[Checkpoint]:
        """Every checkpoint, from the fewest lines to the most. Raises CustodyBroken at a damaged one."""
        for size in self.sizes():
            yield self._read(self.folder / f"{size}.note")

    def at(self, size: int) -> Checkpoint:
        """The checkpoint over so many lines. Raises CustodyBroken where it is missing or damaged."""
        return self._read(self.folder / f"{size}.note")

    def sizes(self) -> list[int]:
        """How many lines each checkpoint is over, ascending."""
        found = self.folder.glob("*.note") if self.folder.is_dir() else ()
        return sorted(int(path.stem) for path in found if path.stem.isdigit())

    def _read(self, path: Path) -> Checkpoint:
        try:
            note = notes.read_note(path.read_bytes())
            head = notes.read_head(note.text)
        except (OSError, ValueError) as error:
            raise CustodyBroken(
                f"The checkpoint at {path} is damaged: {error}", zh=f"签名头 {path} 已损坏：{error}", path=str(path)
            ) from error
        if path.name != f"{head.size}.note":
            raise CustodyBroken(
                f"The checkpoint at {path} is one over {head.size} entries",
                zh=f"签名头 {path} 实际是前 {head.size} 条的",
                path=str(path),
            )
        return Checkpoint(head.size, head.root, note.whole, path)

    def is_due(self, every_s: float) -> bool:
        """Whether deeds were recorded that no checkpoint covers, and the last one is so old."""
        sizes = self.sizes()
        event = tables.event
        with self._catalog.reading.connect() as connection:
            grew = connection.execute(
                sa.select(event.c.seq)
                .where(event.c.seq > (sizes[-1] if sizes else 0), event.c.type.not_like(f"{OWN_EVENTS}%"))
                .limit(1)
            ).scalar()
        if grew is None or not sizes:
            return grew is not None
        return time.time() - (self.folder / f"{sizes[-1]}.note").stat().st_mtime >= every_s

    def proof(self, seq: int) -> str:
        """A tlog-proof of the line with this number under the latest checkpoint.

        Raises BadInput where no checkpoint covers the line yet, CustodyBroken where line, tiles and root disagree.
        """
        latest = self.latest()
        if latest is None or not 1 <= seq <= latest.size:
            raise BadInput(
                f"Entry {seq} is not under a checkpoint yet: run `casereel log head`, or the log has no such entry",
                zh=f"第 {seq} 条尚未签名：请运行 casereel log head；或者日志没有这一条",
            )
        node = self._proved_node(latest)
        return notes.proof_text(seq - 1, inclusion_of(node, seq - 1, latest.size), latest.note)

    def growth(self, old: int) -> str:
        """The proof that the log of `old` entries is the beginning of the one under the latest checkpoint, as text.

        Raises BadInput, CustodyBroken as `proof` does.
        """
        latest = self.latest()
        if latest is None or not 1 <= old <= latest.size:
            raise BadInput(f"There is no checkpoint over {old} or more entries", zh=f"没有涵盖 {old} 条以上的签名头")
        return notes.growth_text(old, consistency_of(self._proved_node(latest), old, latest.size), latest.note)

    def consistency(self, old: int) -> list[bytes]:
        """What proves that the log of `old` lines is the beginning of the one under the latest checkpoint."""
        latest = self.latest()
        if latest is None or old > latest.size:
            raise BadInput(f"There is no checkpoint over {old} or more entries", zh=f"没有涵盖 {old} 条以上的签名头")
        return consistency_of(self._proved_node(latest), old, latest.size)

    def _proved_node(self, latest: Checkpoint) -> Any:
        node = self.tiles.at(latest.size)
        with contextlib.suppress(LookupError):
            if root_of(node, latest.size) == latest.root:
                return node
        raise CustodyBroken(
            "The tiles beside the log do not give the root of its last checkpoint; run `casereel verify`",
            zh="由日志旁的散列算出的根与最后的签名头不符；请运行 casereel verify",
            path=str(self.log / "tile"),
        )

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Nobody else signs or rotates while the block runs."""
        self.log.mkdir(parents=True, exist_ok=True)
        with FileLock(self.log / ".signer.lock"):
            yield


def key_change_of(event: dict[str, Any]) -> KeyChange:
    """What a `log.key` event tells. Raises CustodyBroken where it is not one of ours."""
    facts = event["facts"]
    try:
        signature = notes.from_base64(facts["signature"]) if facts["signature"] else None
        return KeyChange(
            event["seq"], notes.read_key(facts["key"]), facts["why"], facts["reason"], signature, facts["before"]
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CustodyBroken(
            f"Entry {event['seq']} of the log does not tell of a key: {error}",
            zh=f"日志第 {event['seq']} 条没有记载密钥：{error}",
        ) from error


def settings_digest(settings: Settings) -> str:
    """The SHA-256 over all settings in force, so that a checkpoint shows when one was changed."""
    said = "".join(f"{name}={json.dumps(value, default=list)}\n" for name, value, _ in settings.items())
    return hashlib.sha256(said.encode()).hexdigest()


def _chained(line: bytes) -> str:
    return hashlib.sha256(line + b"\n").hexdigest()
