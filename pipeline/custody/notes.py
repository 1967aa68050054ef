"""Signed notes, and the checkpoints and cosignatures written in them. Text only: nothing here signs. Pure.

A note is read only in the very form it is written in; another spelling of the same bytes (base64 with other spare
bits, another order of nothing) is refused, so that a changed byte is always seen.
Source: C2SP signed-note, tlog-checkpoint, tlog-cosignature, tlog-proof and, for growth, tlog-witness (add-checkpoint).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

ED25519: Final = 0x01
COSIGNATURE: Final = 0x04
DASH: Final = "\u2014"
PROOF_FIRST_LINE: Final = "c2sp.org/tlog-proof@v1"


@dataclass(frozen=True)
class Signature:
    """One signature line of a note. data: what follows the key's four bytes."""

    name: str
    key_id: bytes
    data: bytes

    @property
    def line(self) -> str:
        """The line as it stands in the note, with its newline."""
        return f"{DASH} {self.name} {base64.b64encode(self.key_id + self.data).decode()}\n"


@dataclass(frozen=True)
class Note:
    """text: what is signed, with its last newline."""

    text: str
    signatures: tuple[Signature, ...]

    @property
    def whole(self) -> str:
        """The note as it stands in its file."""
        return self.text + "\n" + "".join(signature.line for signature in self.signatures)


@dataclass(frozen=True)
class Head:
    """What a checkpoint says: the log, how many lines, the root over them, and lines of our own."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The text to be signed."""
        lines = (self.origin, str(self.size), base64.b64encode(self.root).decode(), *self.extensions)
        return "".join(f"{line}\n" for line in lines)

    def extension(self, word: str) -> str | None:
        """What follows this word on its own line; None where no line begins with it."""
        return next((line.partition(" ")[2] for line in self.extensions if line.partition(" ")[0] == word), None)


@dataclass(frozen=True)
class PublicKey:
    """A key that notes can be checked with: C2SP's verifier key. kind: the signature type's byte."""

    name: str
    kind: int
    public: bytes

    @property
    def id(self) -> bytes:
        """The four bytes that stand before its signatures."""
        return hashlib.sha256(self.name.encode() + b"\n" + bytes([self.kind]) + self.public).digest()[:4]

    @property
    def text(self) -> str:
        """`name+id+base64`, as C2SP writes it."""
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(bytes([self.kind]) + self.public).decode()}"

    @property
    def fingerprint(self) -> str:
        """The SHA-256 of the public key in hex, to be read out and compared."""
        return hashlib.sha256(self.public).hexdigest()


def read_note(data: bytes) -> Note:
    """The note in these bytes. Raises ValueError saying what about it is not a note."""
    whole = data.decode("utf-8")
    if any(ord(letter) < 0x20 and letter != "\n" for letter in whole):
        raise ValueError("it contains control characters")
    text, gap, signed = whole.rpartition("\n\n")
    if not gap or not signed.endswith("\n"):
        raise ValueError("it has no signature lines")
    note = Note(text + "\n", tuple(_signature(line) for line in signed[:-1].split("\n")))
    if note.whole.encode() != data:
        raise ValueError("it is not written in its one form")
    return note


def _signature(line: str) -> Signature:
    dash, _, rest = line.partition(" ")
    name, _, encoded = rest.partition(" ")
    if dash != DASH or not name or "+" in name or not encoded:
        raise ValueError("a line after the text is not a signature")
    data = from_base64(encoded)
    if len(data) < 5:
        raise ValueError("a signature is too short")
    return Signature(name, data[:4], data[4:])


def read_head(text: str) -> Head:
    """What the checkpoint's text says. Raises ValueError where it is none."""
    lines = text.split("\n")
    if len(lines) < 4 or lines.pop() != "" or not all(lines):
        raise ValueError("a checkpoint has at least three lines, none of them empty")
    if not lines[1].isascii() or not lines[1].isdigit():
        raise ValueError("its second line is not a size")
    head = Head(lines[0], int(lines[1]), from_base64(lines[2]), tuple(lines[3:]))
    if len(head.root) != 32 or head.text != text:
        raise ValueError("it is not written in its one form")
    return head


def read_key(text: str) -> PublicKey:
    """The key in C2SP's form. Raises ValueError where the parts do not fit together."""
    name, _, rest = text.partition("+")
    _, _, encoded = rest.partition("+")
    data = from_base64(encoded)
    if len(data) != 33:
        raise ValueError("it is not an Ed25519 key")
    key = PublicKey(name, data[0], data[1:])
    if key.text != text:
        raise ValueError("its name, identifier and bytes do not belong together")
    return key


def from_base64(text: str) -> bytes:
    """The bytes; raises ValueError for anything but their one spelling."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("it is not base64") from error
    if base64.b64encode(data).decode() != text:
        raise ValueError("its base64 is not written in its one form")
    return data


def cosigned_message(text: str, at_s: int) -> bytes:
    """What a cosigner signs: when it saw this checkpoint, and its text."""
    return f"cosignature/v1\ntime {at_s}\n{text}".encode()


def cosignature_data(at_s: int, signature: bytes) -> bytes:
    """What follows the key's four bytes in a cosignature."""
    return struct.pack(">Q", at_s) + signature


def read_cosignature(data: bytes) -> tuple[int, bytes]:
    """(POSIX seconds, Ed25519 signature). Raises ValueError for another length."""
    if len(data) != 72:
        raise ValueError("a cosignature has 72 bytes")
    return struct.unpack(">Q", data[:8])[0], data[8:]


def proof_text(index: int, path: Sequence[bytes], note: str) -> str:
    """A tlog-proof: that the entry with this index, counted from 0, is under this checkpoint."""
    hashes = "".join(f"{base64.b64encode(one).decode()}\n" for one in path)
    return f"{PROOF_FIRST_LINE}\nindex {index}\n{hashes}\n{note}"


def read_proof(text: str) -> tuple[int, list[bytes], Note]:
    """(index, hashes, checkpoint) of a tlog-proof. Raises ValueError where it is none."""
    top, gap, note = text.partition("\n\n")
    lines = top.split("\n")
    if not gap or lines[0] != PROOF_FIRST_LINE or len(lines) < 2 or not lines[1].startswith("index "):
        raise ValueError("it is not a tlog-proof")
    return int(lines[1][6:]), [from_base64(line) for line in lines[2:]], read_note(note.encode())


def growth_text(old: int, path: Sequence[bytes], note: str) -> str:
    """That the log of `old` entries is the beginning of the one under this checkpoint, as tlog-witness writes it."""
    hashes = "".join(f"{base64.b64encode(one).decode()}\n" for one in path)
    return f"old {old}\n{hashes}\n{note}"


def with_signatures(note: Note, more: Iterable[Signature]) -> Note:
    """The note with further signatures, each once."""
    return Note(note.text, tuple(dict.fromkeys((*note.signatures, *more))))
