"""The keys that sign the log. Private ones lie apart from the data; public ones lie with the log.

The log's name is made from its first line, so two logs never share one. Every key is told by an event (`log.key`),
and each is signed for by the one before it; the file `keys/<number of the event>-<id>.pem` beside the log is a copy
of that event's key. The last key told of is the one that signs.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from config.settings import Settings
from pipeline.custody.notes import ED25519, PublicKey
from pipeline.edges.host import disk
from pipeline.errors import BadInput, CustodyBroken, TryAgain

NAME_DIGITS: Final = 16


@dataclass(frozen=True)
class Signer:
    """A private key and what it is called. name: the log's, or the witness's."""

    key: PublicKey
    private: Ed25519PrivateKey

    @property
    def name(self) -> str:
        """The name that stands in signature lines."""
        return self.key.name

    @property
    def public_pem(self) -> str:
        """The public key as openssl reads it."""
        return pem_of(self.key)

    def sign(self, data: bytes) -> bytes:
        """An Ed25519 signature, 64 bytes."""
        return self.private.sign(data)


def keys_folder(settings: Settings) -> Path:
    """Where the private keys lie: beside the home and not in it, unless a setting says where."""
    if settings.audit.keys:
        return Path(settings.audit.keys).expanduser().absolute()
    return settings.home.with_name(settings.home.name + "-keys")


def private_files(folder: Path) -> list[Path]:
    """What must go along where the keys go: private keys, and the secret of the cards."""
    return sorted([*folder.glob("*.pem"), *folder.glob("*.secret")])


def name_of_log(first_line: bytes) -> str:
    """What the log with this first line is called in its checkpoints."""
    return f"casereel/log/{hashlib.sha256(first_line).hexdigest()[:NAME_DIGITS]}"


def signer(settings: Settings) -> Signer:
    """The key that signs this home's log now. Raises TryAgain where there is none yet or it is not here."""
    known = public_keys(settings.home / "log")
    if not known:
        raise TryAgain(
            "The log has no key yet; the first checkpoint makes one: run `casereel patrol --once`",
            zh="日志还没有密钥，首次签名时生成：请运行 casereel patrol --once",
        )
    return load(keys_folder(settings), known[-1][1])


def public_keys(log: Path) -> list[tuple[int, PublicKey]]:
    """(number of the event that told of it, key) of every key beside the log, oldest first.

    Raises CustodyBroken where a file there is not such a key.
    """
    found = (log / "keys").glob("*.pem") if (log / "keys").is_dir() else ()
    files = sorted((path for path in found if not path.name.startswith("sm2-")), key=_number)
    if not files:
        return []
    with (log / "events-000001.jsonl").open("rb") as stream:
        name = name_of_log(stream.readline().rstrip(b"\n"))
    return [(_number(path), _key_in(path, name)) for path in files]


def _number(path: Path) -> int:
    said = path.name.partition("-")[0]
    if not said.isdigit():
        raise CustodyBroken(f"{path} is not a key of the log", zh=f"{path} 不是日志的密钥", path=str(path))
    return int(said)


def _key_in(path: Path, name: str) -> PublicKey:
    try:
        found = serialization.load_pem_public_key(path.read_bytes())
    except ValueError as error:
        raise CustodyBroken(f"{path} is not a public key", zh=f"{path} 不是公钥", path=str(path)) from error
    if not isinstance(found, Ed25519PublicKey):
        raise CustodyBroken(f"{path} is not an Ed25519 key", zh=f"{path} 不是 Ed25519 密钥", path=str(path))
    key = PublicKey(name, ED25519, found.public_bytes_raw())
    if file_of(_number(path), key) != path.name:
        raise CustodyBroken(
            f"{path} does not hold the key that its name tells of",
            zh=f"{path} 中的密钥与文件名所示不符",
            path=str(path),
        )
    return key


def file_of(number: int, key: PublicKey) -> str:
    """What the public key's file beside the log is called."""
    return f"{number}-{key.id.hex()}.pem"


def pem_of(key: PublicKey) -> str:
    """The public key as openssl reads it."""
    public = Ed25519PublicKey.from_public_bytes(key.public)
    return public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()


def make(folder: Path, name: str, kind: int = ED25519) -> Signer:
    """A new key, its private part synced in the folder, readable by its owner alone."""
    private = Ed25519PrivateKey.generate()
    made = Signer(PublicKey(name, kind, private.public_key().public_bytes_raw()), private)
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    write_private(folder, _private_name(made.key), pem)
    return made


def write_private(folder: Path, name: str, pem: bytes) -> Path:
    """The file is synced in the folder; only its owner may enter the one and read the other."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / name
    fd = os.open(path, disk.OPEN_NEW, 0o600)
    try:
        disk.write_all(fd, pem)
        os.fsync(fd)
    finally:
        os.close(fd)
    disk.sync_folder(folder)
    return path


def load(folder: Path, key: PublicKey) -> Signer:
    """The key with its private part. Raises TryAgain where that is not in the folder or not readable."""
    path = folder / _private_name(key)
    try:
        private = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except FileNotFoundError as error:
        raise TryAgain(
            f"The key that signs the log is not at {path}: put it back, or set audit.keys to its folder; "
            'where it is lost for good, run `casereel log rotate-key --lost --reason "..."`',
            zh=f"签名日志的密钥不在 {path}：请放回，或将 audit.keys 设为其所在文件夹；确已丢失，请运行 "
            'casereel log rotate-key --lost --reason "..."',
            path=str(path),
        ) from error
    except OSError as error:
        raise TryAgain(
            f"The key at {path} cannot be read: {error.strerror}",
            zh=f"无法读取密钥 {path}：{error.strerror}",
            path=str(path),
        ) from error
    except ValueError as error:
        raise BadInput(
            f"The file at {path} is not a private key: {error}", zh=f"{path} 不是私钥：{error}", path=str(path)
        ) from error
    if not isinstance(private, Ed25519PrivateKey) or private.public_key().public_bytes_raw() != key.public:
        raise BadInput(
            f"The private key at {path} does not belong to the log's public key",
            zh=f"私钥 {path} 与日志的公钥不配对",
            path=str(path),
        )
    return Signer(key, private)


def forget(folder: Path, key: PublicKey) -> None:
    """The private part of a key that is no longer used is gone."""
    with contextlib.suppress(FileNotFoundError):
        (folder / _private_name(key)).unlink()
        disk.sync_folder(folder)


def _private_name(key: PublicKey) -> str:
    return f"ed25519-{key.id.hex()}.pem"


def is_signed(key: PublicKey, signature: bytes, data: bytes) -> bool:
    """Whether the key's owner signed the data."""
    try:
        Ed25519PublicKey.from_public_bytes(key.public).verify(signature, data)
    except (InvalidSignature, ValueError):
        return False
    return True


def statement(key: PublicKey, why: str, reason: str) -> bytes:
    """What the key before signs to hand over to this one."""
    return f"casereel log key\n{key.text}\n{why}\n{base64.b64encode(reason.encode()).decode()}\n".encode()
