"""The receipt of a drop folder and day: a plain text that a clerk reads without any page. Pure.

Chinese first, English below; a byte order mark and CRLF, so that Notepad shows it as it is. What needs the clerk's
hand comes first: what was refused, what is missing, what has other bytes; then what is safe.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any, Final

from pipeline.custody.refusals import told_of

LINES_MAX: Final = 5_000  # more files of one drop and day are counted, not listed; the list is in the catalog
SUFFIX: Final = ".casereel.txt"  # a name that intake leaves alone wherever it lies
_FORBIDDEN: Final = re.compile(r'[<>:"/\\|?*\x00-\x1f]')
_DEVICES: Final = re.compile(r"^(con|prn|aux|nul|com\d|lpt\d)(\..*)?$", re.IGNORECASE)


@dataclass(frozen=True)
class Safe:
    """A file that is in custody. twin: where the same bytes came from before, empty for a new one."""

    name: str
    size_bytes: int
    sha256: str
    at: datetime
    original: str
    twin: str = ""


@dataclass(frozen=True)
class Refused:
    """A file that was not taken in."""

    name: str
    reason: str
    at: datetime


@dataclass(frozen=True)
class List:
    """A list that came with the drop and how the drop stands against it."""

    name: str
    listed: int
    told: dict[str, Any]


@dataclass(frozen=True)
class Receipt:
    """All that the receipt of one folder and day says. folder: empty for the watched folder itself."""

    where: str
    day: str
    zone: tzinfo
    safe: Sequence[Safe]
    refused: Sequence[Refused]
    lists: Sequence[List]
    until: datetime


def file_name(day: str) -> str:
    return f"{day} 回执 receipt{SUFFIX}"


def folder_of(wanted: str, home: Path, source: str, root: Path) -> Path | None:
    """Where the receipts of this watched folder lie, as `drops.receipts` wants it; None where none are written."""
    if wanted == "off":
        return None
    folder = Path(wanted) if wanted else home / "receipts"
    return folder if source == "inbox" else folder / safe_name(root.name)


def safe_name(name: str) -> str:
    """A folder's name that Windows takes too; odd characters become `_`."""
    plain = _FORBIDDEN.sub("_", unicodedata.normalize("NFC", name)).rstrip(". ")
    plain = plain.encode("utf-8", "replace")[:120].decode("utf-8", "ignore")
    return f"_{plain}" if not plain or _DEVICES.match(plain) else plain


def write(receipt: Receipt) -> bytes:
    """The receipt's bytes: UTF-8 with a byte order mark, lines ended by CRLF."""
    lines = [*_chinese(receipt), "", "-" * 60, "", *_english(receipt)]
    return ("\ufeff" + "\r\n".join(lines) + "\r\n").encode("utf-8", "replace")


def _chinese(one: Receipt) -> Iterator[str]:
    yield "收件回执"
    yield f"文件夹：{_shown(one.where)}"
    yield f"日期：{one.day}    更新于 {_clock(one.until, one)}"
    yield f"已安全入库 {len(one.safe)} 个文件（其中重复 {_twins(one)} 个），未能接收 {len(one.refused)} 个。"
    if one.refused:
        yield from ("", "【需要处理】以下文件没有收下，仍在原处：")
        for refused in one.refused:
            told = told_of(refused.reason)
            yield f"  ✗ {_shown(refused.name)}    {_clock(refused.at, one)}"
            yield f"      原因：{told.why_zh}"
            yield f"      请这样做：{told.do_zh}"
    for listed in one.lists:
        told_list = listed.told
        yield from (
            "",
            f"【清单核对】{_shown(listed.name)}：列有 {listed.listed} 个文件，{_STATES[told_list['state']][0]}",
        )
        for count, names, said in _faults(told_list, 0):
            yield f"  {said}（{count} 个）："
            yield from (f"    - {_shown(name)}" for name in names)
            if count > len(names):
                yield f"    ……另有 {count - len(names)} 个"
    yield from ("", "【已安全入库】原始文件已保存、读回并核对一致。从存储卡上删除之前，请先逐一核对本单：")
    for safe in one.safe[:LINES_MAX]:
        again = f"    重复：与 {_shown(safe.twin)} 内容相同" if safe.twin else ""
        yield f"  ✓ {_shown(safe.name)}    {safe.size_bytes:,} 字节    {_clock(safe.at, one)}{again}"
        yield f"      SHA-256 {safe.sha256}    编号 {safe.original}"
    if len(one.safe) > LINES_MAX:
        yield f"  ……另有 {len(one.safe) - LINES_MAX} 个文件，未逐一列出"
    yield from ("", "本文件可以删除，不影响已入库的文件。要查某个文件的情况，请打开网页的“上交”页，或询问运维人员。")


def _english(one: Receipt) -> Iterator[str]:
    yield "Receipt"
    yield f"Folder: {_shown(one.where)}"
    yield f"Day: {one.day}    as of {_clock(one.until, one)}"
    yield f"{len(one.safe)} files are safe ({_twins(one)} of them seen before), {len(one.refused)} were refused."
    if one.refused:
        yield from ("", "TO DO: these were not taken in and lie where they were:")
        for refused in one.refused:
            told = told_of(refused.reason)
            yield f"  x {_shown(refused.name)}    {_clock(refused.at, one)}"
            yield f"      why: {told.why}"
            yield f"      do:  {told.do}"
    for listed in one.lists:
        told_list = listed.told
        yield from ("", f"LIST {_shown(listed.name)} names {listed.listed} files: {_STATES[told_list['state']][1]}")
        for count, names, said in _faults(told_list, 1):
            yield f"  {said} ({count}):"
            yield from (f"    - {_shown(name)}" for name in names)
            if count > len(names):
                yield f"    ... and {count - len(names)} more"
    yield from ("", "SAFE: stored, read back and compared.")
    for safe in one.safe[:LINES_MAX]:
        again = f"    same bytes as {_shown(safe.twin)}" if safe.twin else ""
        yield f"  + {_shown(safe.name)}    {safe.size_bytes:,} bytes    {_clock(safe.at, one)}{again}"
        yield f"      SHA-256 {safe.sha256}    original {safe.original}"
    if len(one.safe) > LINES_MAX:
        yield f"  ... and {len(one.safe) - LINES_MAX} more"
    yield from ("", "This file may be deleted; nothing in custody depends on it.")


_STATES: Final = {
    "waiting": ("还在等待其余文件", "the others are awaited"),
    "complete": ("全部收到，校验一致", "all came, as listed"),
    "incomplete": ("有缺失", "files are missing"),
    "wrong": ("有文件与清单不一致", "files are not as listed"),
}


def _faults(told: dict[str, Any], language: int) -> Iterator[tuple[int, list[str], str]]:
    for key, *said in (
        ("missing", "缺失，请补交", "missing, please hand them in"),
        (
            "wrong",
            "内容与清单不一致，请重新复制；两份都会保留",
            "other bytes than listed, please copy them again; both are kept",
        ),
        ("extra", "清单上没有（已照常入库）", "not on the list (safe all the same)"),
    ):
        if told.get(key):
            yield told[key], told[f"{key}_names"], said[language]


def _twins(one: Receipt) -> int:
    return sum(bool(safe.twin) for safe in one.safe)


def _clock(at: datetime, one: Receipt) -> str:
    return at.astimezone(one.zone).strftime("%H:%M:%S")


def _shown(name: str) -> str:
    """A name on one line: what would break or turn the line is written out."""
    return "".join(
        char if char.isprintable() and unicodedata.bidirectional(char) not in _TURNING else f"<{ord(char):04X}>"
        for char in name
    )


_TURNING: Final = frozenset({"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"})
