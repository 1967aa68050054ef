"""Sealed packages that an outsider checks with standard tools."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.errors import BadInput
from workers.cli import ALL_WELL, CUSTODY_BROKEN, SOME_FAILED, App, app_of, times

if TYPE_CHECKING:
    from indexer.access import Reviewer
    from indexer.export import Exporter, Made
    from pipeline.edges.database.exports import Export
    from workers.bootstrap import Home


class _Group(click.Group):
    """`export CASE ...` means `export make CASE ...`."""

    def parse_args(self, context: click.Context, arguments: list[str]) -> list[str]:
        if arguments and arguments[0] not in (*self.commands, "--help", "-h"):
            arguments = ["make", *arguments]
        return super().parse_args(context, arguments)


@click.group(cls=_Group, short_help="Make, approve, hand over and check sealed packages of a case.")
def export() -> None:
    """Makes a package of a case's originals that an outsider checks with standard tools.

    Example: casereel export 平商务罚字〔2021〕第3号 --to /media/stick --purpose 行政复议答复
    """


@contextmanager
def _opened() -> Iterator[tuple[Home, Exporter, Reviewer]]:
    from workers.bootstrap import build_exporter, home

    with home(app_of().settings) as built:
        yield built, build_exporter(built), built.reviewer


@export.command(short_help="Write the package; `make` may be left out.")
@click.argument("case")
@click.option("--to", type=click.Path(path_type=Path), required=True, help="The folder the package is put into.")
@click.option("--purpose", default="", help="What for; goes into the log and the report.")
@click.option("--request", help="The approved request that this fulfils; its purpose counts.")
@click.option("--with-proposed", is_flag=True, help="Also originals whose link to the case nobody confirmed.")
@click.option("--with-proxies", is_flag=True, help="Also viewing copies, marked as not the original.")
@click.option("--zip", "as_zip", is_flag=True, help="Also the whole package as one ZIP beside it.")
def make(case: str, to: Path, purpose: str, request: str | None, **choices: bool) -> int:
    """Writes the package of CASE into a new folder below --to. It appears only when it is whole.

    Example: casereel export 平商务罚字〔2021〕第3号 --to /media/stick --purpose 行政复议答复
    """
    from indexer.export import Asked

    app = app_of()
    if not purpose.strip() and not request:
        raise BadInput(
            "Say with --purpose what the package is for; it goes into the log and the report",
            zh="请用 --purpose 写明导出包的用途；用途会记入日志和报告",
        )
    with _opened() as (built, exporter, reviewer):
        asked = Asked(case=case, to=to, purpose=purpose, request=request, lang=app.lang, **choices)
        size = exporter.size_of(reviewer, asked)
        with app.progress(size, app.in_words("导出", "exporting")) as moved:
            made = exporter.make(reviewer, asked, moved)
        app.emit(_made(made), lambda: _page(app, made, built.settings.time.zone))
    if made.broken:
        return CUSTODY_BROKEN
    return SOME_FAILED if made.missing else ALL_WELL


@export.command(short_help="Ask for an export that a second person approves.")
@click.argument("case")
@click.option("--purpose", required=True, help="What for; goes into the log and the report.")
@click.option("--with-proposed", is_flag=True, help="Also originals whose link to the case nobody confirmed.")
def request(case: str, purpose: str, with_proposed: bool) -> None:
    """Asks for an export of CASE as it is now. What is approved is exactly these originals.

    Example: casereel export request 平商务罚字〔2021〕第3号 --purpose 行政复议答复
    """
    app = app_of()
    with _opened() as (built, exporter, reviewer):
        asked = exporter.request(reviewer, case, purpose, with_proposed=with_proposed)
        said = app.in_words(
            f"已申请导出 {asked.id}：{asked.files} 件，待另一人审批（casereel export approve {asked.id}）",
            f"asked for export {asked.id}: {asked.files} files; another person runs casereel export approve {asked.id}",
        )
        app.emit(_row(asked, built.settings.time.zone), said)


@export.command(short_help="Approve another person's request, or refuse it.")
@click.argument("id")
@click.option("--refuse", is_flag=True, help="Refuse instead.")
@click.option("--reason", default="", help="Why; goes into the log.")
def approve(id: str, refuse: bool, reason: str) -> None:
    """Approves the request ID. Not who asked, nobody who recorded any of it, and no unit that filmed it may approve.

    Example: casereel export approve 01KAMZ5V2WQ8 --reason 已核对案卷
    """
    app = app_of()
    with _opened() as (built, exporter, reviewer):
        decided = exporter.decide(reviewer, id, approve=not refuse, reason=reason)
        said = app.in_words("已拒绝", "refused") if refuse else app.in_words("已批准", "approved")
        app.emit(
            _row(decided, built.settings.time.zone),
            f"{said}: {decided.id}  {decided.printed or decided.original}  {decided.purpose}",
        )


@export.command(short_help="Record who received a package.")
@click.argument("bag", type=click.Path(path_type=Path))
@click.option("--by", required=True, help="Who received it.")
def receipt(bag: Path, by: str) -> None:
    """Records that the package BAG was handed over.

    Example: casereel export receipt /media/stick/export-01KAMZ5V2WQ8 --by 区司法局张三
    """
    app = app_of()
    with _opened() as (built, exporter, reviewer):
        given = exporter.receive(reviewer, bag, by)
        said = app.in_words(f"已登记：{given.id} 由 {by} 接收", f"recorded: {given.id} was received by {by}")
        app.emit(_row(given, built.settings.time.zone), said)


@export.command("list", short_help="List requests and packages.")
def list_() -> None:
    """Lists what was asked for, approved, written and handed over, newest first.

    Example: casereel export list
    """
    app = app_of()
    with _opened() as (built, exporter, reviewer):
        for one in exporter.listed(reviewer):
            row = _row(one, built.settings.time.zone)
            app.emit(
                row, f"{one.id}  {one.state:9}  {one.printed or one.original}  {one.purpose}  {one.received_by or ''}"
            )


@export.command(short_help="Check a package, as its own verify.py does.")
@click.argument("bag", type=click.Path(path_type=Path))
@click.option("--key", help="The fingerprint that the signing key must have.")
def check(bag: Path, key: str | None) -> int:
    """Checks every file, signature and proof of the package BAG. Needs no home.

    Example: casereel export check /media/stick/export-01KAMZ5V2WQ8
    """
    from indexer.exporting.package import verify

    app = app_of()
    if not bag.is_dir():
        raise BadInput(
            f"There is no package at {bag}: name the folder export-...",
            zh=f"{bag} 处没有导出包：请指明 export-... 文件夹",
            path=str(bag),
        )
    found = verify.check(str(bag), key)
    data = {
        "whole": found.whole, "files": found.files, "originals": found.originals, "key": found.key,
        "faults": [{"fault": code, "file": where} for code, where in found.faults],
        "second_party": [pair[app.lang != "zh"] for pair in found.parties],
        "notes": [pair[app.lang != "zh"] for pair in found.notes],
    }  # fmt: skip
    app.emit(data, "\n".join(verify.said(found, app.lang == "zh")))
    return ALL_WELL if found.whole else CUSTODY_BROKEN


def _made(made: Made) -> dict[str, Any]:
    return {
        "bag": str(made.bag), "files": made.files, "bytes": made.size_bytes,
        "missing": [asdict(one) for one in made.missing], "export": made.export,
        "zip": str(made.archive) if made.archive else None, "manifest": made.manifest, "key": made.key,
        "second_party": {
            "attested": made.attested,
            "heads": [
                {
                    "size": head.size, "witnesses": [one.key.name for one in head.cosigned],
                    "stamped_at": head.stamp.at if head.stamp else None,
                }
                for head in made.heads
            ],
        },
    }  # fmt: skip


def _page(app: App, made: Made, zone: str) -> str:
    from zoneinfo import ZoneInfo

    from indexer.exporting.listing import Way
    from indexer.exporting.report import missing_line, second_party_line

    way = Way(app.lang, ZoneInfo(zone))
    lines = [
        str(made.bag),
        app.in_words(
            f"  原始文件 {made.files} 件，{made.size_bytes} 字节", f"  {made.files} originals, {made.size_bytes} bytes"
        ),
        app.in_words(f"  签名公钥指纹 {made.key}", f"  fingerprint of the signing key {made.key}"),
        app.in_words("  第二方：", "  second party: ") + second_party_line(made.heads, made.attested, made.files, way),
    ]
    lines += [f"  ! {missing_line(one, way)}" for one in made.missing]
    return "\n".join(lines)


def _row(one: Export, zone: str) -> dict[str, Any]:
    names = (
        "original",
        "case_key",
        "purpose",
        "state",
        "files",
        "missing",
        "folder",
        "manifest",
        "asked_by",
        "decided_by",
        "received_by",
    )
    stamps = ("asked_at", "decided_at", "ended_at", "received_at")
    return {
        "export": one.id, "case": one.printed, "bytes": one.size_bytes,
        **{name: getattr(one, name) for name in names}, **{name: times(getattr(one, name), zone) for name in stamps},
    }  # fmt: skip


COMMAND = export
