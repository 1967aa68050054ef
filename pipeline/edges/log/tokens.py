"""Timestamps of a third party over signed heads: RFC 3161, and GM/T 0033, which is the same with an SM3 imprint.

A token lies beside its checkpoint, `checkpoints/<size>.note.tsr`, and is over that whole file; the event
`log.timestamped` repeats its digest, so that one that was taken away is missed. Asking needs the network and is done
only where an address is set.
Source: RFC 3161, 2.4.1 (the request) and 3.4 (over HTTP).
"""

from __future__ import annotations

import hashlib
import http.client
import secrets
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from rfc3161_client import VerificationError, VerifierBuilder, decode_timestamp_response

from config.settings import Settings
from pipeline.custody.notes import Note
from pipeline.edges.host import disk
from pipeline.edges.log.checkpoints import Checkpoint
from pipeline.errors import BadInput, CustodyBroken, TryAgain

EVENT: Final = "log.timestamped"
SUFFIX: Final = ".tsr"
TROUBLE: Final = ".timestamp-trouble"
TIMEOUT_S: Final = 10.0
MOST_BYTES: Final = 1 << 20
# DER of the algorithms' identifiers: 2.16.840.1.101.3.4.2.1 and 1.2.156.10197.1.401.
ALGORITHMS: Final = {
    "sha256": bytes.fromhex("0609608648016503040201"),
    "sm3": bytes.fromhex("06082a811ccf55018311"),
}
DOTTED: Final = {"2.16.840.1.101.3.4.2.1": "sha256", "1.2.156.10197.1.401": "sm3"}


@dataclass(frozen=True)
class Token:
    """What a `log.timestamped` event tells of."""

    size: int
    sha256: str


def of_event(event: Mapping[str, Any]) -> Token:
    """The token that the event tells of. Raises CustodyBroken where it tells of none."""
    try:
        return Token(int(event["facts"]["size"]), str(event["facts"]["sha256"]))
    except (KeyError, TypeError, ValueError) as error:
        raise CustodyBroken(
            f"Entry {event['seq']} of the log does not tell of a timestamp: {error}",
            zh=f"日志第 {event['seq']} 条没有记载时间戳：{error}",
        ) from error


def stamp(settings: Settings, latest: Checkpoint | None, tell: Callable[..., None]) -> None:
    """The checkpoint has a timestamp and the log tells of it, unless it had one. tell: records an event.

    Raises TryAgain where the server does not answer or its answer does not hold, BadInput for a wrong setting.
    """
    if latest is None:
        return
    path = latest.path.with_name(latest.path.name + SUFFIX)
    if path.exists():
        return
    wanted = settings.audit
    if wanted.timestamp_digest not in ALGORITHMS:
        raise BadInput(
            f"audit.timestamp_digest must be one of {', '.join(ALGORITHMS)}",
            zh=f"audit.timestamp_digest 应为 {'、'.join(ALGORITHMS)} 之一",
        )
    response, at = ask(wanted.timestamp_url, latest.note.encode(), wanted.timestamp_digest, Path(wanted.timestamp_ca))
    disk.write_whole(path, response)
    facts = {
        "size": latest.size,
        "stamped_at": at.isoformat().replace("+00:00", "Z"),
        "sha256": hashlib.sha256(response).hexdigest(),
    }
    tell(EVENT, facts=facts)


def request_for(data: bytes, digest: str) -> tuple[bytes, int]:
    """(DER of a TimeStampReq that asks for the certificate too, its nonce)."""
    nonce = secrets.randbits(63) | 1 << 62
    imprint = _tagged(0x30, _tagged(0x30, ALGORITHMS[digest] + b"\x05\x00") + _tagged(0x04, _digest(digest, data)))
    body = b"\x02\x01\x01" + imprint + _tagged(0x02, nonce.to_bytes(8)) + b"\x01\x01\xff"
    return _tagged(0x30, body), nonce


def _tagged(tag: int, data: bytes) -> bytes:
    """One DER value of fewer than 128 bytes, which all of a request's are."""
    return bytes([tag, len(data)]) + data


def _digest(name: str, data: bytes) -> bytes:
    return hashlib.new(name, data).digest()


def ask(url: str, data: bytes, digest: str, roots: Path) -> tuple[bytes, datetime]:
    """(the response, when) of the timestamp server for this data, checked before it is given back.

    Raises TryAgain where the server does not answer or its answer does not hold.
    """
    asked, nonce = request_for(data, digest)
    query = urllib.request.Request(url, asked, {"Content-Type": "application/timestamp-query"})
    try:
        with urllib.request.urlopen(query, timeout=TIMEOUT_S) as answer:
            response = answer.read(MOST_BYTES)
    except (OSError, urllib.error.URLError, http.client.HTTPException, ValueError) as error:
        raise TryAgain(
            f"The timestamp server at {url} does not answer: {error}", zh=f"时间戳服务器 {url} 没有响应：{error}"
        ) from error
    try:
        return response, time_of(response, data, roots, nonce)
    except ValueError as error:
        raise TryAgain(
            f"The timestamp server at {url} gave a token that does not hold: {error}",
            zh=f"时间戳服务器 {url} 返回的时间戳不成立：{error}",
        ) from error


def time_of(response: bytes, data: bytes, roots: Path | None, nonce: int | None = None) -> datetime:
    """When the third party saw the data. Raises ValueError saying what about the token does not hold.

    roots: PEM of the certificates that are trusted; None checks the imprint alone.
    """
    decoded = decode_timestamp_response(response)
    imprint = decoded.tst_info.message_imprint
    name = DOTTED.get(imprint.hash_algorithm.dotted_string)
    if name is None or imprint.message != _digest(name, data):
        raise ValueError("it is over something else")
    if roots is not None:
        builder = VerifierBuilder(nonce=nonce)
        for certificate in trusted(roots):
            builder = builder.add_root_certificate(certificate)
        try:
            builder.build().verify(decoded, imprint.message)
        except VerificationError as error:
            raise ValueError(str(error)) from error
    return decoded.tst_info.gen_time


def roots_of(settings: Settings) -> Path | None:
    """PEM of the certificates that timestamps must lead to; None where no setting says whose are believed."""
    return Path(settings.audit.timestamp_ca) if settings.audit.timestamp_ca else None


def trusted(roots: Path) -> list[x509.Certificate]:
    """The certificates in a PEM file. Raises BadInput where it has none."""
    try:
        return x509.load_pem_x509_certificates(roots.read_bytes())
    except (OSError, ValueError) as error:
        raise BadInput(
            f"audit.timestamp_ca must name a PEM file with the server's certificate: {error}",
            zh=f"audit.timestamp_ca 须为含服务器证书的 PEM 文件：{error}",
        ) from error


def faults(log: Path, heads: Mapping[int, Note], told: Sequence[Token], roots: Path | None) -> Iterator[str]:
    """What is wrong with the tokens, and which are missing. heads: the checkpoints that hold."""
    folder = log / "checkpoints"
    for token in told:
        path = folder / f"{token.size}.note{SUFFIX}"
        if not path.exists():
            yield f"The timestamp {path} is missing"
        elif hashlib.sha256(path.read_bytes()).hexdigest() != token.sha256:
            yield f"The timestamp {path} is not the one that the log tells of"
    for path in sorted(folder.glob(f"*.note{SUFFIX}")) if folder.is_dir() else ():
        size = path.name.partition(".")[0]
        if not size.isdigit() or int(size) not in heads:
            yield f"The timestamp {path} is for a checkpoint that is missing or does not hold"
            continue
        try:
            time_of(path.read_bytes(), heads[int(size)].whole.encode(), roots)
        except ValueError as error:
            yield f"The timestamp {path} does not hold: {error}"
