"""A second, detached signature over each signed head: SM2 with SM3, where a setting asks for it.

Some 20 a second are signed, which is enough for heads; checking is quicker (sm2_curve). The head's own text names the
key (`sm2 <fingerprint>`), so that a signature that was taken away is missed. The first key is made where none has
signed; one that has signed is replaced only by a deed of its own, which is an event (`log.sm2_key`).
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
from pipeline.edges.host import disk
from pipeline.edges.log import keys
from pipeline.errors import BadInput, TryAgain

WORD: Final = "sm2"
SUFFIX: Final = ".sm2.sig"
PRIVATE: Final = "sm2.pem"
# A key that is told of before it takes the place of the one before.
NEXT: Final = "sm2-next.pem"
LOST: Final = 'casereel log rotate-key --sm2 --lost --reason "..."'
# SEQUENCE { SEQUENCE { id-ecPublicKey, 1.2.156.10197.1.301 }, BIT STRING } before the 65 bytes of the point.
PUBLIC_HEAD: Final = bytes.fromhex("3059301306072a8648ce3d020106082a811ccf5501822d034200")
# PKCS #8 before the 32 bytes of the number, and between it and the point.
PRIVATE_HEAD: Final = bytes.fromhex("308187020100301306072a8648ce3d020106082a811ccf5501822d046d306b0201010420")
PRIVATE_MIDDLE: Final = bytes.fromhex("a144034200")


def public_of(folder: Path, signed: str | None = None) -> bytes:
    """The public point of the key in this folder, 65 bytes. signed: the fingerprint of the key that has signed so far.

    Raises TryAgain where the key is not there or cannot be read, BadInput where it is none, or not the one that signed.
    """
    if signed is not None and (folder / NEXT).is_file() and fingerprint(_numbers(folder / NEXT)[1]) == signed:
        _take_place(folder)  # cut off between the word of it and its taking the other's place
    public = _numbers(folder / PRIVATE)[1]
    if signed is not None and fingerprint(public) != signed:
        raise BadInput(
            f"The SM2 key at {folder / PRIVATE} is not the one that signed the log so far: put that one back",
            zh=f"{folder / PRIVATE} 不是此前签名日志的 SM2 密钥：请放回原密钥",
            path=str(folder / PRIVATE), expected=signed, found=fingerprint(public),
        )  # fmt: skip
    return public


def make(folder: Path, name: str = PRIVATE) -> bytes:
    """The public point of a new key that is in the folder now, under this name."""
    secret, public = map(bytes, SM2().generate_keypair())
    (folder / NEXT).unlink(missing_ok=True)
    keys.write_private(folder, name, _pem("PRIVATE KEY", PRIVATE_HEAD + secret + PRIVATE_MIDDLE + public))
    return public


def _take_place(folder: Path) -> None:
    (folder / NEXT).replace(folder / PRIVATE)
    disk.sync_folder(folder)


def _numbers(path: Path) -> tuple[bytes, bytes]:
    try:
        data = base64.b64decode(b"".join(path.read_bytes().split(b"\n")[1:-2]))
    except FileNotFoundError as error:
        raise TryAgain(
            f"The SM2 key that signs the log too is not at {path}: put it back, or set audit.keys to its folder; "
            f"where it is lost for good, run `{LOST}`",
            zh=f"签名日志的 SM2 密钥不在 {path}：请放回，或将 audit.keys 设为其所在文件夹；确已丢失，请运行 {LOST}",
            path=str(path),
        ) from error
    except OSError as error:
        raise TryAgain(
            f"The SM2 key at {path} cannot be read: {error.strerror}",
            zh=f"无法读取 SM2 密钥 {path}：{error.strerror}", path=str(path),
        ) from error  # fmt: skip
    except ValueError:
        data = b""
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
    secret, public = _numbers(folder / PRIVATE)
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
