"""A second, detached signature over each signed head: SM2 with SM3, where a setting asks for it.

Some 20 a second are signed, which is enough for heads; checking is quicker (sm2_curve). The head's own text names the
key (`sm2 <fingerprint>`), so that a signature that was taken away is missed.
Source: GB/T 32918.2 (SM2), GB/T 35276 (the signature as DER, the default identity), RFC 5480 (public keys).
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from gmalg import SM2

from pipeline.custody.notes import Note
from pipeline.custody.sm2_curve import IDENTITY, Sm2Key
from pipeline.edges import keys
from pipeline.errors import BadInput

WORD: Final = "sm2"
SUFFIX: Final = ".sm2.sig"
PRIVATE: Final = "sm2.pem"
# SEQUENCE { SEQUENCE { id-ecPublicKey, 1.2.156.10197.1.301 }, BIT STRING } before the 65 bytes of the point.
PUBLIC_HEAD: Final = bytes.fromhex("3059301306072a8648ce3d020106082a811ccf5501822d034200")
# PKCS #8 before the 32 bytes of the number, and between it and the point.
PRIVATE_HEAD: Final = bytes.fromhex("308187020100301306072a8648ce3d020106082a811ccf5501822d046d306b0201010420")
PRIVATE_MIDDLE: Final = bytes.fromhex("a144034200")


def public_of(folder: Path) -> bytes:
    """The public point of the key in this folder, 65 bytes; the key is made where there is none."""
    return _numbers(folder)[1]


def _numbers(folder: Path) -> tuple[bytes, bytes]:
    path = folder / PRIVATE
    if not path.exists():
        secret, public = SM2().generate_keypair()
        keys.write_private(folder, PRIVATE, _pem("PRIVATE KEY", PRIVATE_HEAD + secret + PRIVATE_MIDDLE + public))
    data = base64.b64decode(b"".join(path.read_bytes().split(b"\n")[1:-2]))
    at = len(PRIVATE_HEAD)
    if len(data) != at + 32 + len(PRIVATE_MIDDLE) + 65 or not data.startswith(PRIVATE_HEAD):
        raise BadInput(
            f"The file at {path} is not an SM2 key as Casereel makes them",
            zh=f"{path} 不是 Casereel 生成的 SM2 密钥",
            path=str(path),
        )
    return data[at : at + 32], data[-65:]


def _pem(what: str, der: bytes) -> bytes:
    text = base64.b64encode(der).decode()
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    return "\n".join([f"-----BEGIN {what}-----", *lines, f"-----END {what}-----", ""]).encode()


def fingerprint(public: bytes) -> str:
    """The SHA-256 of the public point in hex."""
    return hashlib.sha256(public).hexdigest()


def public_pem(public: bytes) -> bytes:
    """The public key as openssl reads it."""
    return _pem("PUBLIC KEY", PUBLIC_HEAD + public)


def public_file(log: Path, said: str) -> Path:
    """Where the public key with this fingerprint lies beside the log."""
    return log / "keys" / f"sm2-{said[:16]}.pem"


def sign(folder: Path, data: bytes) -> bytes:
    """A signature over the data with the folder's key, as DER."""
    secret, public = _numbers(folder)
    r, s = SM2(secret, IDENTITY, public).sign(data)
    body = _integer(r) + _integer(s)
    return bytes([0x30, len(body)]) + body


def _integer(number: bytes) -> bytes:
    value = int.from_bytes(number)
    data = value.to_bytes(value.bit_length() // 8 + 1)
    return bytes([0x02, len(data)]) + data


def is_signed(key: Sm2Key, signature: bytes, data: bytes) -> bool:
    """Whether the key's owner signed the data; the signature only in its one form."""
    numbers = _read(signature)
    return numbers is not None and key.signed(*numbers, data)


def _read(signature: bytes) -> tuple[int, int] | None:
    if len(signature) < 8 or len(signature) > 72 or signature[4 + signature[3] : 5 + signature[3]] != b"\x02":
        return None
    r = int.from_bytes(signature[4 : 4 + signature[3]])
    s = int.from_bytes(signature[6 + signature[3] :])
    if max(r, s) >> 256:
        return None
    body = _integer(r.to_bytes(32)) + _integer(s.to_bytes(32))
    return (r, s) if signature == bytes([0x30, len(body)]) + body else None


def faults(log: Path, heads: Mapping[int, Note], named: Mapping[int, str]) -> Iterator[str]:
    """What is wrong with the signatures, and which are missing. named: size -> fingerprint in the head."""
    known: dict[str, Sm2Key] = {}
    for said in sorted(set(named.values())):
        pem = public_file(log, said)
        try:
            data = pem.read_bytes()
            public = base64.b64decode(b"".join(data.split(b"\n")[1:-2]))[-65:]
            if fingerprint(public) != said or data != public_pem(public):
                raise ValueError("it is another one")
            known[said] = Sm2Key(public)
        except FileNotFoundError:
            yield f"The SM2 key {pem} is missing"
        except (OSError, ValueError):
            yield f"The SM2 key {pem} is not the one that the heads name"
    for size, said in sorted(named.items()):
        path = log / "checkpoints" / f"{size}.note{SUFFIX}"
        if not path.exists():
            yield f"The SM2 signature {path} is missing"
        elif said in known and not is_signed(known[said], path.read_bytes(), heads[size].whole.encode()):
            yield f"The SM2 signature {path} does not hold"
