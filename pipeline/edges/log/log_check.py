"""Checks the whole log from its files: chain, rows, keys, checkpoints, tiles, what others signed.

Everything is computed again from the lines; nothing that lies beside them is believed. A check names all it finds
and does not stop at the first fault. Remarks are no faults: they say what the log itself admits.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.custody import notes
from pipeline.custody.notes import Head, Note
from pipeline.custody.tree import HASH_BYTES, Tree, leaf_hash
from pipeline.edges.audit import GRACE_S, AuditLog
from pipeline.edges.log import countersigning, keys, tokens
from pipeline.edges.log.checkpoints import KEY_EVENT, KeyChange, key_change_of
from pipeline.edges.log.tiles import WIDTH, Tiles
from pipeline.errors import CustodyBroken


@dataclass(frozen=True)
class LogReport:
    """What the check found. signed_heads: how many checkpoints hold; countersigned: who else signed what."""

    entries: int
    head: str
    signed_heads: int
    faults: tuple[str, ...]
    remarks: tuple[str, ...]
    countersigned: tuple[countersigning.Countersignature, ...] = ()


@dataclass
class _Lines:
    """What one pass over the lines gathers."""

    name: str = ""
    leaves: list[bytes] = field(default_factory=list)
    changes: list[KeyChange] = field(default_factory=list)
    told: list[countersigning.Countersignature] = field(default_factory=list)
    stamped: list[tokens.Token] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def see(self, line: str) -> None:
        data = line.encode("utf-8", "surrogateescape")
        if not self.leaves:
            self.name = keys.name_of_log(data)
        self.leaves.append(leaf_hash(data))
        if '"type":"log.' in line:
            self._see_own(line)

    def _see_own(self, line: str) -> None:
        try:
            event = json.loads(line)
            if event["type"] == KEY_EVENT:
                self.changes.append(key_change_of(event))
            elif event["type"] == countersigning.EVENT:
                self.told.append(countersigning.of_event(event))
            elif event["type"] == tokens.EVENT:
                self.stamped.append(tokens.of_event(event))
        except CustodyBroken as error:
            self.faults.append(error.sentence)
        except (ValueError, KeyError, TypeError):
            return  # the chain's own check names it


def check_log(audit: AuditLog, log: Path, *, grace_s: float = GRACE_S, roots: Path | None = None) -> LogReport:
    """Everything that can be said of the log in this folder.

    grace_s: as in AuditLog.check. roots: certificates that timestamps must lead to; None leaves that unchecked.
    """
    lines = _Lines()
    state = audit.check(grace_s=grace_s, seen=lines.see)
    tree = Tree(lines.leaves)
    faults = [*state.faults, *lines.faults, *_key_faults(log, lines)]
    heads, found = _checkpoint_faults(log, lines, tree)
    faults += found
    faults += _tile_faults(log, sorted(heads), tree)
    countersigned, found = countersigning.check(log, heads, lines.told)
    faults += found
    faults += _sm2_faults(log, heads)
    faults += tokens.faults(log, heads, lines.stamped, roots)
    return LogReport(
        state.entries, state.head, len(heads), tuple(faults), tuple(_remarks(lines.changes)), tuple(countersigned)
    )


def _sm2_faults(log: Path, heads: dict[int, Note]) -> Iterator[str]:
    named = {size: notes.read_head(note.text).extension("sm2") for size, note in heads.items()}
    wanted = {size: said for size, said in named.items() if said}
    if wanted:
        from pipeline.edges.log import sm2

        yield from sm2.faults(log, heads, wanted)


def _remarks(changes: Sequence[KeyChange]) -> Iterator[str]:
    for change in changes:
        if change.why == "lost":
            yield (
                f"From entry {change.number} on the log is signed with a key that the key before did not vouch for, "
                f"because that one was lost: {change.reason}"
            )


def _key_faults(log: Path, lines: _Lines) -> Iterator[str]:
    before: KeyChange | None = None
    for change in lines.changes:
        yield from _change_faults(change, before, lines.name)
        before = change
    wanted = {keys.file_of(change.number, change.key): keys.pem_of(change.key).encode() for change in lines.changes}
    folder = log / "keys"
    present = {path.name: path for path in folder.iterdir() if path.is_file()} if folder.is_dir() else {}
    for name, pem in wanted.items():
        # The file of the newest key is written right after its event; a process that died between left none.
        if name not in present:
            if name != list(wanted)[-1] or _is_used(log, lines.changes[-1]):
                yield f"The public key {folder / name} is missing"
        elif present[name].read_bytes() != pem:
            yield f"The public key {folder / name} is not the one that the log tells of"
    for name in present.keys() - wanted.keys():
        if not name.startswith((".", "sm2-")):
            yield f"The log does not tell of the key {folder / name}"


def _is_used(log: Path, change: KeyChange) -> bool:
    return any(int(path.stem) >= change.number for path in _notes(log))


def _change_faults(change: KeyChange, before: KeyChange | None, name: str) -> Iterator[str]:
    said = f"Entry {change.number} of the log tells of a key"
    if change.key.name != name or change.key.kind != notes.ED25519:
        yield f"{said} that is not one of this log"
    if before is None:
        if change.why != "first" or change.before or change.signature:
            yield f"{said} as the follower of one that the log does not tell of"
    elif change.why == "lost":
        if not change.reason or change.signature:
            yield f"{said} in place of a lost one, without a reason"
    elif change.why != "rotation" or change.before != before.key.text or change.signature is None:
        yield f"{said} that the key before did not sign for"
    elif not keys.is_signed(before.key, change.signature, keys.statement(change.key, change.why, change.reason)):
        yield f"{said} with a signature of the key before that does not hold"


def _notes(log: Path) -> list[Path]:
    folder = log / "checkpoints"
    found = [path for path in folder.glob("*.note") if path.stem.isdigit()] if folder.is_dir() else []
    return sorted(found, key=lambda path: int(path.stem))


def _checkpoint_faults(log: Path, lines: _Lines, tree: Tree) -> tuple[dict[int, Note], list[str]]:
    """(size -> checkpoint of those that hold, what is wrong with the others)."""
    good: dict[int, Note] = {}
    faults, previous = [], 0
    for path in _notes(log):
        try:
            note = notes.read_note(path.read_bytes())
            head = notes.read_head(note.text)
        except (OSError, ValueError) as error:
            faults.append(f"The checkpoint {path} is damaged: {error}")
            previous = int(path.stem)
            continue
        found = list(_head_faults(path, note, head, lines, tree, previous))
        faults += found
        if not found:
            good[head.size] = note
        previous = int(path.stem)
    faults += _current_faults(log)
    faults += _stray_faults(log)
    return good, faults


def _head_faults(path: Path, note: Note, head: Head, lines: _Lines, tree: Tree, previous: int) -> Iterator[str]:
    if path.name != f"{head.size}.note":
        yield f"The checkpoint {path} is one over {head.size} entries"
    if head.extension("previous") != str(previous):
        yield f"The checkpoint {path} follows one over {head.extension('previous')} entries, which is missing"
    if head.origin != lines.name:
        yield f"The checkpoint {path} is one of another log, {head.origin}"
    if head.size > tree.size:
        yield f"The log has {tree.size} entries, and {head.size} were signed in {path}: entries were removed"
    elif tree.root(head.size) != head.root:
        yield f"The first {head.size} entries of the log are not those that were signed in {path}"
    in_force = [change for change in lines.changes if change.number <= head.size]
    if not in_force:
        yield f"The log tells of no key that could have signed {path}"
        return
    key = in_force[-1].key
    if [(one.name, one.key_id) for one in note.signatures] != [(key.name, key.id)]:
        yield f"The checkpoint {path} is not signed with the key in force, {key.fingerprint}"
    elif not keys.is_signed(key, note.signatures[0].data, note.text.encode()):
        yield f"The signature of the checkpoint {path} does not hold"


def _current_faults(log: Path) -> Iterator[str]:
    found, current = _notes(log), log / "checkpoint"
    if not found and not current.exists():
        return
    pending = {path.read_bytes() for path in (log / "checkpoints").glob("*.note.new")}
    if not current.exists():
        yield f"The current checkpoint {current} is missing"
    elif current.read_bytes() not in {*pending, *(path.read_bytes() for path in found[-1:])}:
        yield f"The current checkpoint {current} is not a copy of the last one, {found[-1] if found else '(missing)'}"


def _stray_faults(log: Path) -> Iterator[str]:
    folder = log / "checkpoints"
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        stem, _, suffix = path.name.partition(".")
        if path.name.startswith("."):
            continue
        if not stem.isdigit() or suffix not in ("note", "note.new", "note.tsr", "note.sm2.sig"):
            yield f"{path} is no checkpoint"
        # A process that died before its head was published leaves this signature behind; the next one writes over it.
        elif suffix == "note.tsr" and not (folder / f"{stem}.note").exists():
            yield f"{path} belongs to a checkpoint that is missing"


def _tile_faults(log: Path, sizes: Sequence[int], tree: Tree) -> Iterator[str]:
    tiles = Tiles(log / "tile")
    present = set(tiles.files())
    complete = set(tiles.paths_of(sizes[-1])) if sizes else set()
    partial = {path for size in sizes for path in tiles.paths_of(size, partial=True)}
    # A partial tile goes once its full one is there.
    wanted = complete | {path for path in partial if path.parent.with_suffix("") not in complete}
    for path in sorted(wanted - present):
        yield f"The tile {path} is missing"
    for path in sorted(present):
        place = tiles.place_of(path)
        if place is None:
            yield f"{path} is no tile"
            continue
        level, number, width = place
        if path.read_bytes() != tree.row(8 * level, number * WIDTH, width) or path.stat().st_size != width * HASH_BYTES:
            yield f"The tile {path} does not hold the hashes of the log's lines"
