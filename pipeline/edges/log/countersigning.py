"""What a second party signed of the log: cosignatures over checkpoints, kept beside it in `witness/`.

Each is a signed note: the checkpoint's text, the log's signature, the witness's. The event `log.witnessed` repeats
it, so that one that was taken away is missed.
Source: C2SP tlog-cosignature, Ed25519.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from pipeline.custody import notes
from pipeline.custody.notes import COSIGNATURE, Note, PublicKey, Signature
from pipeline.edges.log import keys
from pipeline.edges.log.keys import Signer
from pipeline.errors import CustodyBroken

EVENT: Final = "log.witnessed"
TIMESTAMP: Final = "timestamp"


@dataclass(frozen=True)
class Countersignature:
    """A witness's word: at this time it saw this head, and all it had seen before was still in it."""

    size: int
    key: PublicKey
    at_s: int
    signature: bytes

    @property
    def at(self) -> datetime:
        """When, in UTC."""
        return datetime.fromtimestamp(self.at_s, UTC)

    @property
    def line(self) -> Signature:
        """As it stands in a note."""
        return Signature(self.key.name, self.key.id, notes.cosignature_data(self.at_s, self.signature))

    @property
    def file_name(self) -> str:
        """What its file in `witness/` is called."""
        return f"{self.size}-{self.key.id.hex()}-{self.at_s}.note"

    def holds_for(self, text: str) -> bool:
        """Whether it was given for this checkpoint's text."""
        return keys.is_signed(self.key, self.signature, notes.cosigned_message(text, self.at_s))

    def facts(self) -> dict[str, Any]:
        """What the event tells of it."""
        return {
            "size": self.size,
            "key": self.key.text,
            "fingerprint": self.key.fingerprint,
            "seen_at": self.at.isoformat().replace("+00:00", "Z"),
            "cosignature": base64.b64encode(self.line.data).decode(),
        }


def cosign(signer: Signer, size: int, text: str, at_s: int) -> Countersignature:
    """The witness's signature on the checkpoint with this text."""
    return Countersignature(size, signer.key, at_s, signer.sign(notes.cosigned_message(text, at_s)))


def of_event(event: Mapping[str, Any]) -> Countersignature:
    """The cosignature that a `log.witnessed` event tells of. Raises CustodyBroken where it tells of none."""
    try:
        facts = event["facts"]
        at_s, signature = notes.read_cosignature(notes.from_base64(facts["cosignature"]))
        return Countersignature(int(facts["size"]), notes.read_key(facts["key"]), at_s, signature)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CustodyBroken(
            f"Entry {event['seq']} of the log does not tell of a cosignature: {error}",
            zh=f"日志第 {event['seq']} 条没有记载联署：{error}",
        ) from error


def check(
    log: Path, heads: Mapping[int, Note], told: Sequence[Countersignature]
) -> tuple[list[Countersignature], list[str]]:
    """(cosignatures that hold, what is wrong with the others or missing). heads: the checkpoints that hold."""
    folder = log / "witness"
    known = known_keys(log, told)
    holding: dict[str, Countersignature] = {}
    faults = list(_told_faults(folder, heads, told))
    for path in sorted(folder.glob("*.vkey")) if folder.is_dir() else ():
        if not _is_key_file(path):
            faults.append(f"The witness's key {path} is damaged")
    for path in sorted(folder.glob("*.note")) if folder.is_dir() else ():
        try:
            found = _read(path, known)
        except (OSError, ValueError) as error:
            faults.append(f"The cosignature {path} is damaged: {error}")
            continue
        if found.size not in heads:
            faults.append(f"The cosignature {path} is for a checkpoint that is missing or does not hold")
        elif not found.holds_for(heads[found.size].text):
            faults.append(f"The cosignature {path} is not for this log's checkpoint over {found.size} entries")
        elif path.read_bytes() != notes.with_signatures(heads[found.size], [found.line]).whole.encode():
            faults.append(f"The cosignature {path} is not written in its one form")
        else:
            holding[path.name] = found
    return sorted(holding.values(), key=lambda one: (one.size, one.at_s)), faults


def known_keys(log: Path, told: Sequence[Countersignature]) -> dict[bytes, PublicKey]:
    """id -> key of the witnesses that the log tells of or that left their key beside it."""
    return {one.key.id: one.key for one in told} | _keys_in(log / "witness")


def given_for(log: Path, size: int, head: Note, known: Mapping[bytes, PublicKey]) -> list[Countersignature]:
    """The cosignatures that hold for this head, the earliest of each witness. known: id -> key."""
    found: dict[bytes, Countersignature] = {}
    for path in sorted((log / "witness").glob(f"{size}-*-*.note")):
        try:
            one = _read(path, known)
        except (OSError, ValueError):
            continue
        if one.holds_for(head.text) and (one.key.id not in found or one.at_s < found[one.key.id].at_s):
            found[one.key.id] = one
    return [found[id] for id in sorted(found)]


def sizes(log: Path) -> dict[str, list[int]]:
    """Who signed beside this machine (a witness's id, or `timestamp`) -> over how many entries, ascending.

    By the names of the files alone.
    """
    found: dict[str, set[int]] = {}
    for path in (log / "witness").glob("*-*-*.note"):
        size, _, rest = path.name.partition("-")
        found.setdefault(rest.partition("-")[0], set()).add(int(size) if size.isdigit() else 0)
    for path in (log / "checkpoints").glob("*.note.tsr"):
        size = path.name.partition(".")[0]
        found.setdefault(TIMESTAMP, set()).add(int(size) if size.isdigit() else 0)
    return {who: sorted(signed - {0}) for who, signed in found.items() if signed - {0}}


def latest_sizes(log: Path) -> dict[str, int]:
    """Who signed beside this machine -> up to which entry, by the names of the files alone."""
    return {who: signed[-1] for who, signed in sizes(log).items()}


def _told_faults(folder: Path, heads: Mapping[int, Note], told: Sequence[Countersignature]) -> Iterator[str]:
    for one in told:
        if one.size in heads and not one.holds_for(heads[one.size].text):
            yield f"The log tells of a cosignature of {one.key.name} over {one.size} entries that does not hold"
        if not (folder / one.file_name).exists():
            yield f"The cosignature {folder / one.file_name} is missing"


def _is_key_file(path: Path) -> bool:
    try:
        key = notes.read_key(path.read_bytes().decode().removesuffix("\n"))
    except ValueError:
        return False
    return path.name == f"{key.id.hex()}.vkey" and path.read_bytes() == f"{key.text}\n".encode()


def _keys_in(folder: Path) -> dict[bytes, PublicKey]:
    found = {}
    for path in folder.glob("*.vkey") if folder.is_dir() else ():
        try:
            key = notes.read_key(path.read_text(encoding="utf-8").strip())
        except (OSError, ValueError):
            continue
        found[key.id] = key
    return found


def _read(path: Path, known: Mapping[bytes, PublicKey]) -> Countersignature:
    note = notes.read_note(path.read_bytes())
    size = notes.read_head(note.text).size
    line = note.signatures[-1]
    if line.key_id not in known or known[line.key_id].kind != COSIGNATURE:
        raise ValueError("the witness's key is not told of in the log and not beside it")
    at_s, signature = notes.read_cosignature(line.data)
    found = Countersignature(size, known[line.key_id], at_s, signature)
    if found.file_name != path.name or found.line != line:
        raise ValueError("its name does not fit what it holds")
    return found
