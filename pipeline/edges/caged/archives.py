"""Reads ZIP archives in the cage: what they hold, by which names, and its bytes under limits.

Names are decoded by the UTF-8 flag or Info-ZIP's Unicode path, else as UTF-8, GB18030 as Chinese systems write, or
code page 437. Inside the cage no name is ever a path: entries are written under numbers.
Not covered: encrypted entries (named, never opened), archives in several volumes, 7z, RAR and tar.
Source: PKWARE APPNOTE 6.3.10 (4.4.4 flags, 4.6.9 Unicode path), Info-ZIP extended timestamp (0x5455).
"""

from __future__ import annotations

import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pipeline.errors import Unreadable

ENTRIES_MAX: Final = 10_000
LISTED_MAX: Final = 2_000
RATIO_SUSPECT: Final = 100.0
PIECE_BYTES: Final = 1 << 20
GRACE_BYTES: Final = 1 << 20  # a small text shrinks by more than any ratio
NESTED: Final = (".zip", ".7z", ".rar", ".tar", ".gz", ".tgz", ".jar", ".apk")
_DRIVE: Final = re.compile(r"^[A-Za-z]:")


@dataclass(frozen=True)
class Entry:
    """One entry. codec: how its name was decoded; why_not: why it is never unpacked, empty where it may be."""

    name: str
    codec: str
    size_bytes: int
    packed_bytes: int
    encrypted: bool
    why_not: str

    @property
    def ratio(self) -> float:
        return round(self.size_bytes / max(self.packed_bytes, 1), 1)


def entries_of(path: str) -> list[tuple[zipfile.ZipInfo, Entry]]:
    """Every entry that is no folder, in the order of the archive's directory. Raises Unreadable."""
    try:
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
    except (zipfile.BadZipFile, UnicodeDecodeError, struct.error, NotImplementedError, ValueError, OSError) as error:
        raise Unreadable(
            f"The archive's directory cannot be read; it may be cut off ({error})",
            zh=f"无法读取压缩包目录，可能不完整（{error}）",
        ) from error
    if len(infos) > ENTRIES_MAX:
        raise Unreadable(
            f"The archive names {len(infos)} entries, more than the {ENTRIES_MAX} that are looked at",
            zh=f"压缩包列出 {len(infos)} 个条目，超过可查看的 {ENTRIES_MAX} 个",
        )
    return [(info, _entry(info)) for info in infos if not info.orig_filename.endswith("/")]


def _entry(info: zipfile.ZipInfo) -> Entry:
    name, codec = name_of(info)
    encrypted = bool(info.flag_bits & 0x1)
    return Entry(name, codec, info.file_size, info.compress_size, encrypted, _why_not(info, name, encrypted))


def name_of(info: zipfile.ZipInfo) -> tuple[str, str]:
    """The entry's name and how it was decoded; `/` between its parts."""
    if info.flag_bits & 0x800:
        return info.orig_filename.replace("\\", "/"), "utf-8 flag"
    raw = info.orig_filename.encode("cp437")
    for header, data in _extras(info.extra):
        if header == 0x7075 and len(data) > 5 and struct.unpack_from("<I", data, 1)[0] == zlib.crc32(raw):
            return data[5:].decode("utf-8", "replace").replace("\\", "/"), "unicode path"
    for codec in ("ascii", "utf-8", "gb18030"):
        try:
            return raw.decode(codec).replace("\\", "/"), codec
        except UnicodeDecodeError:
            continue
    return info.orig_filename.replace("\\", "/"), "cp437"


def _extras(extra: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 4 <= len(extra):
        header, length = struct.unpack_from("<HH", extra, at)
        yield header, extra[at + 4 : at + 4 + length]
        at += 4 + length


def _why_not(info: zipfile.ZipInfo, name: str, encrypted: bool) -> str:
    mode = info.external_attr >> 16
    parts = name.split("/")
    if mode and stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        return "it is a link or a device and not a file"
    if name.startswith("/") or _DRIVE.match(name) or any(part in ("", ".", "..") for part in parts):
        return "its name leads out of the folder"
    if any(ord(char) < 32 for char in name) or any(len(part.encode("utf-8", "replace")) > 255 for part in parts):
        return "no file can have its name"
    return "it is encrypted" if encrypted else ""


def unpack(path: str, folder: str, entries_max: int, bytes_max: int, ratio_max: float) -> list[list[Any]]:
    """Writes every entry that may be unpacked into the folder as `0`, `1`, ...; nothing else is made.

    Returns [number or None, name, size, modified, why not] of each; modified: [year..second] as the archive says,
    without a zone. Raises Unreadable where the archive goes beyond a limit, promises more than it holds or is broken:
    the caller then throws the whole folder away.
    """
    found = entries_of(path)
    if len(found) > entries_max:
        raise Unreadable(
            f"The archive holds {len(found)} files, more than the {entries_max} that are allowed",
            zh=f"压缩包含 {len(found)} 个文件，超过允许的 {entries_max} 个",
        )
    room = min(bytes_max, int(Path(path).stat().st_size * ratio_max) + GRACE_BYTES)
    promised = sum(entry.size_bytes for _, entry in found)
    if promised > room:
        raise Unreadable(
            f"The archive would grow to {promised} bytes, more than the {room} that are allowed: a bomb?",
            zh=f"压缩包解开后将达 {promised} 字节，超过允许的 {room} 字节：疑似压缩炸弹",
        )
    told: list[list[Any]] = []
    with zipfile.ZipFile(path) as archive:
        for number, (info, entry) in enumerate(found):
            if not entry.why_not:
                room -= _write(archive, info, Path(folder, str(number)), room)
            made = None if entry.why_not else number
            told.append([made, entry.name, entry.size_bytes, list(info.date_time), entry.why_not])
    return told


def _write(archive: zipfile.ZipFile, info: zipfile.ZipInfo, target: Path, room: int) -> int:
    written = 0
    try:
        with archive.open(info) as source, target.open("xb") as out:
            while piece := source.read(PIECE_BYTES):
                written += len(piece)
                if written > room:
                    raise Unreadable(
                        "The archive holds more bytes than it promises: a bomb?",
                        zh="压缩包的内容多于其声明：疑似压缩炸弹",
                    )
                out.write(piece)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise Unreadable(f"The archive is damaged: {error}", zh=f"压缩包已损坏：{error}") from error
    if written != info.file_size:
        raise Unreadable(
            "The archive is damaged: an entry is shorter than it promises", zh="压缩包已损坏：有条目短于其声明的长度"
        )
    return written
