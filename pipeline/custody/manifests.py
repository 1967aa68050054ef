"""Reads lists of what a drop is to hold: checksum lists, tables, BagIt manifests, and markers that say "done".

Covered: `sha256sum`, `md5sum` and the like (GNU, escaped names too), BSD (`SHA256 (name) = ...`), BagIt 1.0 payload
manifests (RFC 8493, `%0A` `%0D` `%25` in names), CSV with a heading in Chinese or English, markers that hold names.
Not covered: digests beyond MD5, SHA-1, SHA-256, SHA-512 and SM3; they are told as unread lines. Pure over the bytes.
"""

from __future__ import annotations

import csv
import fnmatch
import io
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

BYTES_MAX: Final = 16 << 20
ENTRIES_MAX: Final = 100_000
# Name patterns of lists that are recognised without a setting, and what they are.
PATTERNS: Final = (
    ("bagit", "manifest-*.txt"), ("sums", "sha256sums*"), ("sums", "*.sha256"), ("sums", "sha256sum.txt"),
    ("sums", "sha1sum*"), ("sums", "*.sha1"), ("sums", "md5sum*"), ("sums", "*.md5"), ("sums", "sha512sum*"),
    ("sums", "*.sha512"), ("sums", "*.sm3"), ("csv", "manifest.csv"), ("csv", "清单.csv"), ("csv", "文件清单.csv"),
)  # fmt: skip
ALGORITHMS: Final = {32: "md5", 40: "sha1", 64: "sha256", 128: "sha512"}  # by the count of hexadecimal digits
_GNU: Final = re.compile(r"^(\\?)([0-9a-fA-F]{32,128}) [ *]?(.+)$")
_BSD: Final = re.compile(r"^(MD5|SHA1|SHA256|SHA512|SM3) ?\((.+)\) ?= ?([0-9a-fA-F]{32,128})$", re.IGNORECASE)
_NAME: Final = re.compile(r"^(name|file|file ?name|path|文件名|文件名称|文件|名称|路径)$", re.IGNORECASE)
_SIZE: Final = re.compile(r"^(size|bytes|size_bytes|大小|字节|字节数|文件大小)$", re.IGNORECASE)
_DIGEST: Final = re.compile(
    r"(sha-?256|sha-?1|sha-?512|md5|sm3|digest|checksum|hash|校验值|哈希值?|摘要)", re.IGNORECASE
)
_PLAIN_NAME: Final = re.compile(r"^[^<>|\"*?]+\.[A-Za-z0-9]{1,5}$")


@dataclass(frozen=True)
class Entry:
    """One file that the drop is to hold. name: below the list's folder, `/` between parts, composed (NFC).

    algorithm and digest are empty where the list names none; size_bytes None likewise.
    """

    name: str
    algorithm: str = ""
    digest: str = ""
    size_bytes: int | None = None


@dataclass(frozen=True)
class Listed:
    """What a list holds. unread: how many lines could not be understood; first_unread: the first of them."""

    entries: tuple[Entry, ...]
    unread: int = 0
    first_unread: str = ""


def kind_of(name: str, done: Sequence[str]) -> str | None:
    """`sums`, `bagit`, `csv` or `done` where a file of this name is such a list; done: patterns of markers."""
    low = name.lower()
    if any(fnmatch.fnmatchcase(low, pattern.lower()) for pattern in done):
        return "done"
    return next((kind for kind, pattern in PATTERNS if fnmatch.fnmatchcase(low, pattern)), None)


def parse(kind: str, name: str, data: bytes) -> Listed:
    """The entries of a list. A name that leads out of the list's folder is not an entry but an unread line."""
    text = _text(data[:BYTES_MAX])
    rows: Iterable[Entry | str]
    match kind:
        case "csv":
            rows = _table(text)
        case "done":
            rows = _names(text)
        case _:
            rows = _sums(text, bagit=kind == "bagit", sm3=name.lower().endswith((".sm3", "-sm3.txt")))
    found: dict[str, Entry] = {}
    unread, first = 0, ""
    for row in rows:
        entry = row if isinstance(row, str) else _inside(row)
        if isinstance(entry, str):
            unread, first = unread + 1, first or entry[:200]
        elif len(found) < ENTRIES_MAX:
            found.setdefault(entry.name, entry)
    return Listed(tuple(found.values()), unread, first)


def comparable(name: str) -> str:
    """A name as lists and folders are compared: `/` between parts, composed, without `./` before it."""
    return unicodedata.normalize("NFC", name.replace("\\", "/")).removeprefix("./")


def _text(data: bytes) -> str:
    for codec in ("utf-8-sig", "gb18030"):
        try:
            return data.decode(codec)
        except UnicodeDecodeError:
            continue
    return data.decode("utf-8", "replace")


def _inside(entry: Entry) -> Entry | str:
    name = comparable(entry.name)
    parts = name.split("/")
    if not name or name.startswith("/") or ".." in parts or re.match(r"^[A-Za-z]:", name):
        return entry.name
    return Entry(name, entry.algorithm, entry.digest, entry.size_bytes)


def _sums(text: str, *, bagit: bool, sm3: bool) -> Iterator[Entry | str]:
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith(("#", ";")):
            continue
        if bsd := _BSD.match(line.strip()):
            yield Entry(bsd[2], bsd[1].lower(), bsd[3].lower())
        elif (gnu := _GNU.match(line)) and (algorithm := ALGORITHMS.get(len(gnu[2]))):
            name = gnu[3].strip() if bagit else gnu[3]
            if gnu[1]:
                name = name.replace("\\n", "\n").replace("\\r", "\r").replace("\\\\", "\\")
            if bagit:
                name = name.replace("%0A", "\n").replace("%0D", "\r").replace("%25", "%")
            yield Entry(name, "sm3" if sm3 and algorithm == "sha256" else algorithm, gnu[2].lower())
        else:
            yield line


def _names(text: str) -> Iterator[Entry | str]:
    """The names in a marker; one that holds a sentence or nothing names nothing."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if all(_PLAIN_NAME.match(line) for line in lines):
        yield from (Entry(line) for line in lines)


def _table(text: str) -> Iterator[Entry | str]:
    delimiter = next((one for one in ",;\t" if one in text.partition("\n")[0]), ",")
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        heading = [cell.strip() for cell in next(rows)]
    except (StopIteration, csv.Error):
        return
    columns = {
        role: next((place for place, cell in enumerate(heading) if pattern.search(cell)), None)
        for role, pattern in (("name", _NAME), ("digest", _DIGEST), ("size", _SIZE))
    }
    if columns["name"] is None:
        yield ",".join(heading)
        return
    is_sm3 = columns["digest"] is not None and "sm3" in heading[columns["digest"]].lower()
    try:
        for row in rows:
            yield from _row(row, columns, is_sm3)
    except csv.Error as error:
        yield str(error)


def _row(row: list[str], columns: dict[str, int | None], is_sm3: bool) -> Iterator[Entry | str]:
    def cell(role: str) -> str:
        place = columns[role]
        return row[place].strip() if place is not None and place < len(row) else ""

    if not any(one.strip() for one in row):
        return
    digest, size = cell("digest").lower(), re.sub(r"[ ,]", "", cell("size"))
    algorithm = ALGORITHMS.get(len(digest), "") if re.fullmatch(r"[0-9a-f]*", digest) else ""
    if not cell("name") or (digest and not algorithm):
        yield ",".join(row)
        return
    size_bytes = int(size) if size.isascii() and size.isdigit() else None
    yield Entry(cell("name"), "sm3" if is_sm3 and algorithm == "sha256" else algorithm, digest, size_bytes)
