"""The second party: remembers what it saw of a log, and signs only for a log that still begins with all of it.

Its folder lies on a stick or another machine, out of reach of whoever runs the home. It keeps the last checkpoint it
saw, the keys that may sign, and the hash of every line up to there (32 bytes a line), so that it can say which entry
is no longer what it was. It believes nothing that lies beside the log but computes the tree from the lines, and
demands the proof of consistency besides.
Source: C2SP tlog-cosignature and, for what a witness keeps and when it refuses, tlog-witness.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pipeline.custody import notes
from pipeline.custody.notes import COSIGNATURE, Head, Note, PublicKey
from pipeline.custody.tree import HASH_BYTES, Tree, consistency_of, leaf_hash, verify_consistency
from pipeline.edges.host import disk
from pipeline.edges.log import countersigning, keys
from pipeline.edges.log.checkpoints import KEY_EVENT, KeyChange, key_change_of
from pipeline.edges.log.countersigning import Countersignature
from pipeline.edges.log.keys import Signer
from pipeline.edges.log.tiles import Tiles
from pipeline.errors import BadInput, CustodyBroken, NotAllowed, TryAgain

KEY_FILE: Final = "witness.vkey"


@dataclass(frozen=True)
class Visit:
    """What a visit led to. before: entries seen at the last one, 0 at the first."""

    origin: str
    before: int
    cosignature: Countersignature
    note: str


@dataclass(frozen=True)
class _Seen:
    """What the witness keeps of a log."""

    head: Head
    at_s: int
    keys: tuple[str, ...]
    leaves: bytes


@dataclass(frozen=True)
class _Offered:
    """What the log offers now, read and computed anew."""

    lines: list[bytes]
    tree: Tree
    note: Note
    head: Head
    changes: list[KeyChange]


class Witness:
    """A witness with its folder. name: what it is called in its cosignatures, when its key is made."""

    def __init__(self, folder: Path, name: str = "") -> None:
        self._folder = folder
        self._name = name

    def visit(self, log: Path, *, accept: str = "") -> Visit:
        """The log in this folder still holds all that was seen of it; its head is signed for, here and beside the log.

        accept: the fingerprint of a key that a person vouches for: the log's at the first visit, or a new one that
        took the place of a lost one. Raises CustodyBroken saying what was rewritten; NotAllowed where a person must
        vouch for a key first; TryAgain where the log has no checkpoint yet.
        """
        offered = _read_log(log)
        seen = self._recall(offered.head.origin)
        self._require_keys(offered, seen, accept)
        if seen is not None:
            _require_same_past(log, offered, seen)
        signer = self._signer()
        given = countersigning.cosign(signer, offered.head.size, offered.note.text, int(time.time()))
        self._remember(offered, given)
        note = notes.with_signatures(offered.note, [given.line]).whole
        _leave(log / "witness", given, note)
        return Visit(offered.head.origin, seen.head.size if seen else 0, given, note)

    def _require_keys(self, offered: _Offered, seen: _Seen | None, accept: str) -> None:
        """Every key that signed since the last visit is vouched for by the one before it, or by a person."""
        changes, in_force = offered.changes, offered.changes[-1]
        if seen is None:
            if in_force.key.fingerprint != accept:
                raise self._unknown_log(offered.head.origin, in_force.key)
            return
        if tuple(change.key.text for change in changes[: len(seen.keys)]) != seen.keys:
            raise CustodyBroken(
                "The log does not tell of the keys that were seen at the last visit: it was rewritten",
                zh="日志中没有上次见证时所见的密钥：日志被重写过",
            )
        before = notes.read_key(seen.keys[-1])
        for change in changes[len(seen.keys) :]:
            if change.why == "lost" and change.key.fingerprint != accept:
                raise NotAllowed(
                    f"The key of entry {change.number} took the place of a lost one ({change.reason}). Ask who is "
                    f"responsible, and only if that is so add: --accept {change.key.fingerprint}",
                    zh=f"第 {change.number} 条的密钥替换了一把丢失的密钥（{change.reason}）。请向负责人核实，属实再加："
                    f"--accept {change.key.fingerprint}",
                    fingerprint=change.key.fingerprint,
                )
            if change.why != "lost" and not _is_handed_over(change, before):
                raise CustodyBroken(
                    f"The key of entry {change.number} is not signed for by the one before it",
                    zh=f"第 {change.number} 条的密钥没有前一把密钥的签名",
                )
            before = change.key

    def _unknown_log(self, origin: str, key: PublicKey) -> NotAllowed:
        known = sorted(path.parent.name for path in self._folder.glob("*/seen.json"))
        others = f" What it has seen is {', '.join(known)}: if that was here, the log was rewritten." if known else ""
        others_zh = f"它见过的是 {'、'.join(known)}：如果那就是这里的日志，则日志被重写过。" if known else ""
        return NotAllowed(
            f"This witness has never seen the log {origin}.{others} Compare the fingerprint of its key with the one "
            f"noted elsewhere, and only if they agree add: --accept {key.fingerprint}",
            zh=f"本见证人从未见过日志 {origin}。{others_zh}请将其密钥指纹与另处记下的核对，一致再加："
            f"--accept {key.fingerprint}",
            fingerprint=key.fingerprint,
        )

    def _signer(self) -> Signer:
        path = self._folder / KEY_FILE
        if path.exists():
            return keys.load(self._folder, notes.read_key(path.read_text(encoding="utf-8").strip()))
        name = self._name or f"casereel/witness/{os.urandom(4).hex()}"
        if "+" in name or any(letter.isspace() for letter in name):
            raise BadInput("A witness's name contains no spaces and no +", zh="见证人的名称不能含空格和 +")
        made = keys.make(self._folder, name, COSIGNATURE)
        disk.write_whole(path, f"{made.key.text}\n".encode())
        return made

    def _place(self, origin: str) -> Path:
        return self._folder / origin.rpartition("/")[2]

    def _recall(self, origin: str) -> _Seen | None:
        path = self._place(origin) / "seen.json"
        if not path.exists():
            return None
        try:
            said: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            head = notes.read_head(notes.read_note(said["checkpoint"].encode()).text)
            leaves = (self._place(origin) / "leaves").read_bytes()[: head.size * HASH_BYTES]
            if head.origin != origin or Tree(_split(leaves)).root() != head.root:
                raise ValueError("the hashes do not give the root of the checkpoint")
            return _Seen(head, said["at_s"], tuple(said["keys"]), leaves)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise CustodyBroken(
                f"What this witness keeps in {path.parent} is damaged: {error}",
                zh=f"本见证人保存在 {path.parent} 中的内容已损坏：{error}",
            ) from error

    def _remember(self, offered: _Offered, given: Countersignature) -> None:
        """The hashes first, then what counts them: a stick pulled out between keeps the older memory whole."""
        place = self._place(offered.head.origin)
        place.mkdir(parents=True, exist_ok=True)
        disk.write_whole(place / "leaves", offered.tree.row(0, 0, offered.head.size))
        said = {
            "at_s": given.at_s,
            "checkpoint": notes.with_signatures(offered.note, [given.line]).whole,
            "keys": [change.key.text for change in offered.changes],
        }
        disk.write_whole(place / "seen.json", json.dumps(said, ensure_ascii=False, indent=1).encode())


def _read_log(log: Path) -> _Offered:
    lines = []
    for file in sorted(log.glob("events-*.jsonl")):
        lines += file.read_bytes().split(b"\n")[:-1]
    current = log / "checkpoint"
    if not lines or not current.exists():
        raise TryAgain(
            f"There is no signed log at {log}: run `casereel log head` there first",
            zh=f"{log} 中没有已签名的日志：请先在那里运行 casereel log head",
            path=str(log),
        )
    try:
        note = notes.read_note(current.read_bytes())
        head = notes.read_head(note.text)
    except ValueError as error:
        raise CustodyBroken(
            f"The checkpoint {current} is damaged: {error}", zh=f"签名头 {current} 已损坏：{error}", path=str(current)
        ) from error
    offered = _Offered(lines, Tree(map(leaf_hash, lines)), note, head, _changes(lines[: head.size]))
    _require_signed(offered)
    return offered


def _changes(lines: Sequence[bytes]) -> list[KeyChange]:
    found = []
    for line in lines:
        if f'"type":"{KEY_EVENT}"'.encode() in line:
            event = json.loads(line)
            if event["type"] == KEY_EVENT:
                found.append(key_change_of(event))
    return found


def _require_signed(offered: _Offered) -> None:
    head = offered.head
    if head.origin != keys.name_of_log(offered.lines[0]):
        raise CustodyBroken(
            f"The checkpoint is one of {head.origin}, and the log begins otherwise",
            zh=f"签名头属于 {head.origin}，与日志的开头不符",
        )
    if not offered.changes:
        raise CustodyBroken(
            "The log tells of no key that could have signed its checkpoint", zh="日志中没有可用于签名头的密钥"
        )
    key = offered.changes[-1].key
    signed = [one for one in offered.note.signatures if (one.name, one.key_id) == (key.name, key.id)]
    if not signed or not keys.is_signed(key, signed[0].data, offered.note.text.encode()):
        raise CustodyBroken(
            f"The checkpoint is not signed with the key in force, {key.fingerprint}",
            zh=f"签名头不是用现行密钥 {key.fingerprint} 签名的",
        )


def _is_handed_over(change: KeyChange, before: PublicKey) -> bool:
    if change.signature is None or change.before != before.text:
        return False
    return keys.is_signed(before, change.signature, keys.statement(change.key, change.why, change.reason))


def _require_same_past(log: Path, offered: _Offered, seen: _Seen) -> None:
    """Nothing of what was seen changed, and the log's own proof says so too."""
    when = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(seen.at_s))
    now = offered.tree.row(0, 0, seen.head.size)
    pairs = zip(_split(seen.leaves), _split(now), strict=False)
    changed = next((number for number, (was, is_now) in enumerate(pairs) if was != is_now), None)
    if changed is not None:
        raise CustodyBroken(
            f"The log was rewritten: entry {changed + 1} is not the one that was seen on {when}, among "
            f"{seen.head.size} entries; it now reads {offered.lines[changed][:300].decode(errors='replace')}",
            zh=f"日志被重写过：第 {changed + 1} 条已不是 {when} 所见（当时共 {seen.head.size} 条）的那一条；现在是 "
            f"{offered.lines[changed][:300].decode(errors='replace')}",
            first_changed=changed + 1, seen=seen.head.size, seen_at=when,
        )  # fmt: skip
    if offered.tree.size < seen.head.size:
        raise CustodyBroken(
            f"The log was cut: it has {offered.tree.size} entries, and {seen.head.size} were seen on {when}",
            zh=f"日志被截短：现有 {offered.tree.size} 条，{when} 时曾见到 {seen.head.size} 条",
            found=offered.tree.size, seen=seen.head.size, seen_at=when,
        )  # fmt: skip
    if offered.head.size < seen.head.size:
        raise CustodyBroken(
            f"The checkpoint is over {offered.head.size} entries, and one over {seen.head.size} was seen on {when}: "
            "an older one was put in its place",
            zh=f"签名头只到第 {offered.head.size} 条，而 {when} 时曾见到第 {seen.head.size} 条：被换成了旧的",
            found=offered.head.size, seen=seen.head.size, seen_at=when,
        )  # fmt: skip
    if offered.head.size > offered.tree.size or offered.tree.root(offered.head.size) != offered.head.root:
        raise CustodyBroken(
            f"The log's lines do not give the root of its checkpoint over {offered.head.size} entries",
            zh=f"由日志各条算出的根与前 {offered.head.size} 条的签名头不符",
        )
    _require_proof(log, offered, seen)


def _require_proof(log: Path, offered: _Offered, seen: _Seen) -> None:
    try:
        proof = consistency_of(Tiles(log / "tile").at(offered.head.size), seen.head.size, offered.head.size)
    except LookupError as error:
        raise CustodyBroken(
            f"The log gives no proof that it only grew: {error}; run `casereel verify`",
            zh=f"日志无法证明自己只增不改：{error}；请运行 casereel verify",
        ) from error
    if not verify_consistency(seen.head.size, seen.head.root, offered.head.size, offered.head.root, proof):
        raise CustodyBroken(
            "The log's proof that it only grew does not hold; run `casereel verify`",
            zh="日志只增不改的证明不成立；请运行 casereel verify",
        )


def _split(hashes: bytes) -> list[bytes]:
    return [hashes[at : at + HASH_BYTES] for at in range(0, len(hashes), HASH_BYTES)]


def _leave(folder: Path, given: Countersignature, note: str) -> None:
    """The cosignature lies beside the log. Raises TryAgain where that folder cannot be written."""
    try:
        folder.mkdir(exist_ok=True)
        disk.write_whole(folder / f"{given.key.id.hex()}.vkey", f"{given.key.text}\n".encode())
        disk.write_whole(folder / given.file_name, note.encode())
    except OSError as error:
        raise TryAgain(
            f"The head was signed for, but the signature cannot be left in {folder}: {error.strerror}",
            zh=f"已签名，但签名无法写入 {folder}：{error.strerror}",
            path=str(folder),
        ) from error
