"""The electronic-evidence list (电子数据清单): one row a file of the package, as rules on electronic evidence ask.

Columns: what it is and in which format, how large, its integrity check value, where the original came from and lies,
when, how and by whom it was made and taken in, what it is to prove (left open for the officers), how many copies.
UTF-8 with a byte-order mark, for spreadsheets that would else misread Chinese.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from indexer.document import device_of, duration_of, officer_of
from indexer.exporting import words
from indexer.exporting.selection import Part
from pipeline.records import worded


@dataclass(frozen=True, kw_only=True)
class Held:
    """A part that lies in the package under `data/`, with the digest of what was written there."""

    part: Part
    sha256: str

    @property
    def number(self) -> str:
        return self.part.number


@dataclass(frozen=True)
class Way:
    """How a list is told: its language, and the zone of its times."""

    lang: str
    zone: ZoneInfo

    def say(self, zh: str, en: str) -> str:
        """The sentence in this language."""
        return words.pick(self.lang, zh, en)

    def at(self, instant: datetime | None) -> str:
        """The instant in this zone, to the second, with its offset."""
        return "" if instant is None else instant.astimezone(self.zone).isoformat(sep=" ", timespec="seconds")


def _kind(held: Held, way: Way) -> str:
    return way.say(*words.KINDS[held.part.known.original.kind])


def _made_at(held: Held, way: Way) -> str:
    time = held.part.known.time
    if time is None:
        return way.say("未能确定", "not known")
    start, end = way.at(time.start_at), way.at(time.end_at)
    return start if start == end else f"{start} – {end}"


def _why_then(held: Held, way: Way) -> str:
    return worded(held.part.known.time, "why", way.lang) if held.part.known.time else ""


def _length(held: Held, way: Way) -> str:  # noqa: ARG001
    length = duration_of(held.part.known)
    return "" if length is None else f"{length:.1f}"


def _came_from(held: Held, way: Way) -> str:
    return "; ".join(
        f"{one.path} ({one.source}, {way.at(one.taken_at)})"
        for one in held.part.known.arrivals
        if one.status != "rejected"
    )


def _taken_by(held: Held, way: Way) -> str:
    return (
        way.say(
            "由 Casereel 逐字节复制入库，复制后读回比对",
            "copied byte by byte into custody by Casereel, read back and compared",
        )
        if held.part.known.arrivals
        else ""
    )


def _remarks(held: Held, way: Way) -> str:
    said = [words.caveat(one, way.lang) for one in held.part.known.caveats]
    if held.part.of:
        said.insert(0, way.say(f"{held.part.of} 号文件的随附文件", f"belongs to number {held.part.of}"))
    return "; ".join(said)


Column = tuple[str, str, Callable[[Held, Way], str]]
COLUMNS: Final[tuple[Column, ...]] = (
    ("序号", "No.", lambda held, _: held.number),
    ("原始文件名", "real name", lambda held, _: held.part.known.original.name),
    ("包内文件", "file in the package", lambda held, _: f"data/{held.part.name}"),
    ("类别", "kind", _kind),
    ("文件格式", "format", lambda held, _: held.part.known.original.format),
    ("大小（字节）", "size (bytes)", lambda held, _: str(held.part.known.original.size_bytes)),
    ("时长（秒）", "length (s)", _length),
    ("完整性校验值 SHA-256", "integrity check value SHA-256", lambda held, _: held.sha256),
    ("完整性校验值 SM3", "integrity check value SM3", lambda held, _: held.part.known.original.sm3 or ""),
    ("制作时间", "recorded", _made_at),
    ("时间误差", "uncertainty", lambda held, way: words.sure(held.part.known.time, way.lang)),
    ("时间依据", "time decided by", _why_then),
    ("制作人（记录人）", "recorded by", lambda held, _: officer_of(held.part.known) or ""),
    ("记录设备", "device", lambda held, _: device_of(held.part.known) or ""),
    ("来源（原始载体与路径）", "came from (medium and path)", _came_from),
    ("收存时间", "taken into custody", lambda held, way: way.at(held.part.known.original.accepted_at)),
    ("收存方法", "taken how", _taken_by),
    ("原始文件存放处", "original kept", lambda held, way: way.say(
        f"保管库，编号 {held.part.known.original.id}", f"the vault, under {held.part.known.original.id}")),
    ("复制份数", "copies", lambda _, __: "1"),
    ("与案件的关联", "link to the case", lambda held, way: words.link_of(held.part.link, way.lang)),
    ("证明对象", "to prove", lambda _, __: ""),
    ("备注", "remarks", _remarks),
)  # fmt: skip


def headings(way: Way) -> list[str]:
    """The names of the columns."""
    return [way.say(zh, en) for zh, en, _ in COLUMNS]


def row_of(held: Held, way: Way) -> list[str]:
    """One file's row, as text that is safe to show."""
    return [words.shown(value(held, way)) for _, _, value in COLUMNS]


def as_csv(parts: Sequence[Held], way: Way) -> bytes:
    """The list as a spreadsheet opens it; no cell of it is a formula."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(headings(way))
    for held in parts:
        writer.writerow([words.cell(value(held, way)) for _, _, value in COLUMNS])
    return b"\xef\xbb\xbf" + out.getvalue().encode("utf-8", "backslashreplace")
