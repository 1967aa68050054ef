"""The report of a package: what it holds and what it lacks, in words, for paper and screen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from indexer.exporting import words
from indexer.exporting.listing import Held, Way, headings, row_of
from indexer.exporting.selection import Missing
from pipeline.edges.database.exports import Export
from pipeline.edges.log.attested import Attested
from pipeline.records import worded

# Columns of the table on the first pages; all of them stand with each file after it.
_SHORT: Final = (0, 1, 3, 5, 9, 10)
_NO_VALUE: Final = "—"


@dataclass(frozen=True, kw_only=True)
class Told:
    """What is to be said of the package itself.

    approved: who approved it and when, empty where no approval was asked. key: fingerprint of the signing key.
    heads: those that a second party stands for; attested: how many of the originals they are over.
    """

    export: str
    case: str
    purpose: str
    by: str
    at: datetime
    approved: str
    software: str
    key: str
    heads: Sequence[Attested]
    attested: int


@dataclass(frozen=True, kw_only=True)
class Report:
    """The report as pairs and tables of text that is safe to show."""

    lang: str
    title: str
    facts: tuple[tuple[str, str], ...]
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    files: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
    lacks: bool
    missing_title: str
    missing: tuple[str, ...]
    copies: tuple[str, ...]
    notes: tuple[str, ...]
    signatures: tuple[str, ...]
    words: dict[str, str] = field(default_factory=dict)


def report_of(
    told: Told, parts: Sequence[Held], missing: Sequence[Missing], copies: Sequence[tuple[str, str]], way: Way
) -> Report:
    """The report on a package with these parts. copies: (name in the package, of which number) of viewing copies."""
    heads, rows = headings(way), [row_of(held, way) for held in parts]
    return Report(
        lang="zh-CN" if way.lang == "zh" else "en",
        title=way.say("电子数据清单与导出报告", "Electronic evidence: list and export report"),
        facts=tuple((label, words.shown(value)) for label, value in _facts(told, parts, way)),
        headings=tuple(heads[one] for one in _SHORT),
        rows=tuple(tuple(row[one] for one in _SHORT) for row in rows),
        files=tuple(
            (f"{row[0]}  {row[1]}", tuple((head, value or _NO_VALUE) for head, value in zip(heads, row, strict=True)))
            for row in rows
        ),
        lacks=bool(missing),
        missing_title=way.say(f"缺少或尚不完整：{len(missing)} 项", f"Missing or not yet complete: {len(missing)}"),
        missing=tuple(missing_line(one, way) for one in missing) or (way.say("无", "nothing"),),
        copies=tuple(
            way.say(
                f"{name}：{number} 号文件的观看副本，不是原始文件",
                f"{name}: viewing copy of number {number}, not the original",
            )
            for name, number in copies
        ),
        notes=_notes(way),
        signatures=(
            way.say("执法人员（一）", "Officer (1)"), way.say("执法人员（二）", "Officer (2)"),
            way.say("导出人", "Exported by"), way.say("接收人", "Received by"),
        ),
        words={
            "files": way.say("逐件说明", "File by file"), "copies": way.say("观看副本", "Viewing copies"),
            "notes": way.say("说明", "Notes"), "date": way.say("日期", "date"), "list": way.say("清单", "List"),
        },
    )  # fmt: skip


def approval_of(approved: Export | None, way: Way) -> str:
    """Who approved an export and when; empty where nobody was asked."""
    if approved is None or approved.decided_at is None:
        return ""
    said = f"{approved.decided_by} ({approved.decided_login}), {way.at(approved.decided_at)}"
    if approved.decided_login == approved.asked_login:
        said += way.say("；与申请人使用同一系统账户", "; from the same system account as the request")
    return said


def missing_line(one: Missing, way: Way) -> str:
    """One missing thing in one sentence."""
    name = words.shown(one.name) or one.original or "?"
    detail = f" ({words.shown(worded(one, 'detail', way.lang))})" if one.detail else ""
    return f"{name}: {way.say(*words.WHY_MISSING[one.what])}{detail}"


def _facts(told: Told, parts: Sequence[Held], way: Way) -> list[tuple[str, str]]:
    size = sum(held.part.known.original.size_bytes for held in parts)
    return [
        (way.say("案件", "Case"), told.case),
        (way.say("用途", "Purpose"), told.purpose),
        (way.say("导出编号", "Export"), told.export),
        (way.say("导出人", "Exported by"), told.by),
        (way.say("导出时间", "Exported at"), way.at(told.at)),
        (way.say("审批", "Approval"), told.approved or way.say("未设置第二人审批", "no second person was asked")),
        (way.say("文件", "Files"), way.say(f"{len(parts)} 件，{size} 字节", f"{len(parts)}, {size} bytes")),
        (way.say("软件", "Software"), told.software),
        (way.say("签名公钥指纹", "Fingerprint of the signing key"), told.key),
        (way.say("第二方", "Second party"), second_party_line(told.heads, told.attested, len(parts), way)),
    ]  # fmt: skip


def second_party_line(heads: Sequence[Attested], attested: int, files: int, way: Way) -> str:
    """Who beside this bureau signed that these files were in its log, in one line."""
    if not heads:
        return way.say(
            "无：没有第二方为日志签名，只由本单位自己的密钥证明",
            "none: nobody else signed the log; only this bureau's own key proves it",
        )
    said = [_party_words(who, seen, way) for who, seen in _seen_by_party(heads, way).items()]
    if alone := files - attested:
        zh, en = (
            f"其后入库的 {alone} 件只由本单位自己的密钥证明",
            f"for {alone} files taken in later only this bureau's own key does",
        )
    else:
        zh, en = f"本包 {files} 件原始文件均在其中", f"all {files} files of this package were in it"
    return way.say("；", "; ").join([*said, way.say(zh, en)])


def _seen_by_party(heads: Sequence[Attested], way: Way) -> dict[str, list[tuple[int, datetime]]]:
    """Who -> (up to which entry, when), fewest entries first."""
    found: dict[str, list[tuple[int, datetime]]] = {}
    for head in heads:
        for one in head.cosigned:
            mark = one.key.fingerprint[:16]
            who = way.say(f"见证 {one.key.name}（密钥 {mark}…）", f"the witness {one.key.name} (key {mark}...)")
            found.setdefault(who, []).append((head.size, one.at))
        if head.stamp:
            found.setdefault(way.say("时间戳服务器", "a timestamp server"), []).append((head.size, head.stamp.at))
    return found


def _party_words(who: str, seen: Sequence[tuple[int, datetime]], way: Way) -> str:
    (first, first_at), (last, last_at) = seen[0], seen[-1]
    if len(seen) == 1:
        return way.say(
            f"{who}于 {way.at(first_at)} 为日志前 {first} 条签名",
            f"{who} signed for the first {first} entries of the log at {way.at(first_at)}",
        )
    return way.say(
        f"{who}签名 {len(seen)} 次，从 {way.at(first_at)} 日志前 {first} 条到 {way.at(last_at)} 前 {last} 条",
        f"{who} signed {len(seen)} times, from the first {first} entries of the log at {way.at(first_at)} to the first "
        f"{last} at {way.at(last_at)}",
    )


def _notes(way: Way) -> tuple[str, ...]:
    return (
        way.say(
            "每件文件与保管库中的原始文件逐字节相同；校验值为复制时计算，写入后已读回比对。",
            "Each file equals the original in the vault byte by byte; its digest was computed while copying, and what "
            "was written was read back and compared.",
        ),
        way.say(
            "时间为各来源所述时间中最可信者，误差与依据见逐件说明；其余来源见 data/records 中的 facts 文件。",
            "A time is the most trusted of all that sources state; its uncertainty and reason stand with each file, "
            "the other sources in the facts files of data/records.",
        ),
        way.say(
            "签名表明本包自签名后未被改动，并与审计日志一致。持有签名私钥者可以重新制作并签名，所以须核对公钥指纹。",
            "The signature shows that this package was not changed since it was signed, and agrees with the audit log. "
            "Whoever holds the private key could make and sign another: that is why its fingerprint must be compared.",
        ),
        way.say(
            "不用本软件也能核验：见 verify/VERIFY.zh.txt。核对时请与事先另行取得的公钥指纹比较。",
            "It can be checked without this software: see verify/VERIFY.en.txt. Compare the key's fingerprint with one "
            "that came to you by another way.",
        ),
    )  # fmt: skip


def as_html(report: Report) -> bytes:
    """The report as one page that needs nothing beside it and runs nothing."""
    return _template().render(report=report).encode("utf-8", "backslashreplace")


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("indexer.exporting"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    return environment.get_template("report.html")
