"""Why a file is in its state, and what to do."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.errors import BadInput
from workers.cli import App, app_of

if TYPE_CHECKING:
    from pipeline.records import Arrival
    from workers.bootstrap import Home

# As `Jobs.workers` gives them.
Workers = Sequence[Mapping[str, Any]]

# state -> what it means, and what to do: Chinese and English.
WORDS = {
    "received": ("已看到，尚未入库", "seen, not yet in custody", "等待复制完成", "wait until it is copied"),
    "in_custody": ("原件已安全入库，正在分析", "safe; its facts are being read", "无需操作", "nothing"),
    "searchable": ("原件安全，可检索，正在生成预览", "findable; previews are being made", "无需操作", "nothing"),
    "ready": ("原始文件安全，可以检索和查看", "safe, findable and ready to be looked at", "无需操作", "nothing"),
    "attention": (
        "原始文件安全，但无法查看或有步骤失败", "the original is safe, but it cannot be shown or a step failed",
        "请看下列说明；操作员可重试", "read the caveats; an operator can retry",
    ),
    "disposed": (
        "已按保管期限处置，内容不再存在", "it was disposed of at the end of its period; its content is gone",
        "凭证见 casereel show 和 casereel dispose list --all", "see `casereel show` and `casereel dispose list --all`",
    ),
    "failed_custody": (
        "入库的字节与登记的不一致", "the bytes in custody are not what was recorded",
        "停止使用并通知管理员；有备份时运行 casereel repair", "do not use it, tell the administrator; "
        "where there is a backup, run `casereel repair`",
    ),
}  # fmt: skip


@click.command(short_help="Say why a file is in its state, and what to do.")
@click.argument("path_or_id")
def explain(path_or_id: str) -> None:
    """PATH_OR_ID is a path, also of a file that is not yet taken in, or what `show` takes.

    Example: casereel explain inbox/0001.MP4
    """
    from workers.bootstrap import home

    app = app_of()
    with home(app.settings) as built:
        path = Path(path_or_id).absolute()
        for meant in (path_or_id, str(path)):
            try:
                original = built.find_original(meant)
            except BadInput:
                continue
            app.emit(*_known(app, built, original, path))
            return
        app.emit(*_unknown(app, built, path))


def _known(app: App, built: Home, original: str, path: Path) -> tuple[dict[str, Any], str]:
    from workers.bootstrap import build_jobs

    known = built.known_as_seen(original)
    jobs = build_jobs(built).listed(original=original)
    failed = [job for job in jobs if job.state == "failed"]
    why = [app.in_words(*WORDS[known.original.state][:2])]
    why += [app.in_words(f"{job.stage} 已完成 {job.progress:.0%}", f"{job.stage} is {job.progress:.0%} done")
            for job in jobs if job.progress is not None]  # fmt: skip
    others = [one.path for one in known.arrivals[1:]]
    if others:
        first, again = known.arrivals[0].path, ", ".join(others[:5])
        why.append(
            app.in_words(f"相同内容先来自 {first}，又来自 {again}", f"the same bytes came from {first}, then {again}")
        )
    why += [one.text_zh if app.lang == "zh" and one.text_zh else one.text for one in known.caveats]
    why += [f"{job.stage}: {job.reason}" for job in failed]
    do = app.in_words(*WORDS[known.original.state][2:])
    if known.original.state == "disposed" and (refused := _refused(app, built, path)):
        why.append(refused[0])
        do = f"{refused[1]}; {do}"
    if failed:
        do = f"casereel jobs retry {failed[0].job}"
    data = {
        "state": known.original.state, "why": "; ".join(why), "do": do, "original": original,
        "sha256": known.original.sha256, "receipt": _receipt(built, known.arrivals[0]),
    }  # fmt: skip
    said = f"{data['state']}: {data['why']}\n-> {do}\n   SHA-256 {known.original.sha256}"
    return data, said + (f"\n   {data['receipt']}" if data["receipt"] else "")


def _receipt(built: Home, arrival: Arrival) -> str | None:
    from workers.watching.desk import Desk

    path = Desk(built, built.actor).receipt_of(arrival.source, arrival.folder, arrival.taken_at)
    return str(path) if path is not None and path.exists() else None


def _unknown(app: App, built: Home, path: Path) -> tuple[dict[str, Any], str]:
    """The first of these that has something to say of a path that is not in custody."""
    from workers.bootstrap import build_jobs

    workers = build_jobs(built).living.workers()
    why, do = (
        _offline(app, workers, path)
        or _waiting(app, built, workers, path)
        or _refused(app, built, path)
        or _missing(app, built, path)
        or _in_line(app, workers, path)
        or _unseen(app, path)
    )
    data = {"state": "received" if path.exists() else "unknown", "why": why, "do": do}
    return data, f"{data['state']}: {why}\n-> {do}"


def _offline(app: App, workers: Workers, path: Path) -> tuple[str, str] | None:
    for worker in workers:
        for root in worker.get("watchers", ()):
            if root.get("mode") == "offline" and path.is_relative_to(root["path"]):
                do = app.in_words("连接磁盘或共享；之后会自动继续", "connect the disk or share; it goes on by itself")
                return app.in_words(root.get("alarm_zh") or root["alarm"], root["alarm"]), do
    return None


def _waiting(app: App, built: Home, workers: Workers, path: Path) -> tuple[str, str] | None:
    from workers.watching.desk import Desk

    for worker in workers:
        for waiting, said, said_zh in worker.get("waiting", ()):
            if Path(waiting) != path:
                continue
            why = app.in_words(said_zh, said)
            listed = Desk(built, built.actor).expected(str(path))
            if listed is not None and listed[1].size_bytes and path.exists():
                share = min(100, 100 * path.stat().st_size // listed[1].size_bytes)
                why += app.in_words(f"；按清单已复制 {share}%", f"; {share} % of what its list says is there")
            return why, app.in_words("请等待，会自动接收", "wait; it is taken in by itself")
    return None


def _refused(app: App, built: Home, path: Path) -> tuple[str, str] | None:
    from pipeline.custody.refusals import told_of
    from pipeline.edges.database import drops

    with built.catalog.snapshot() as connection:
        found = drops.rejection_of(connection, os.fsencode(path))
    if found is not None:
        told = told_of(found.reason)
        return app.in_words(told.why_zh, found.reason.partition(" / ")[0]), app.in_words(told.do_zh, told.do)
    gone = [one for one in built.catalog.events_of_type(["arrival.gone"]) if _is_about(one, path)]
    if gone and not path.exists():
        why = app.in_words("接收之前它已被移走或删除", json.loads(gone[-1])["facts"]["reason"])
        return why, app.in_words("如仍需要，请重新放入", "drop it again if it is needed")
    return None


def _missing(app: App, built: Home, path: Path) -> tuple[str, str] | None:
    from workers.watching.desk import Desk

    listed = None if path.exists() else Desk(built, built.actor).expected(str(path))
    if listed is None:
        return None
    name = listed[0].name
    why = app.in_words(f"清单 {name} 列有该文件，但没有收到", f"the list {name} names it, and it did not arrive")
    return why, app.in_words("请补交该文件", "hand the file in")


def _in_line(app: App, workers: Workers, path: Path) -> tuple[str, str] | None:
    """A watcher names the first of its waiting files only; whether this may be one of the others."""
    for worker in workers:
        for root in worker.get("watchers", ()):
            if path.exists() and path.is_relative_to(root["path"]) and root["waiting"] > len(worker.get("waiting", ())):
                count = root["waiting"]
                why = app.in_words(
                    f"该文件夹有 {count} 个文件在等待接收", f"{count} files of its folder wait to be taken in"
                )
                return why, app.in_words("请等待，会自动接收", "wait; it is taken in by itself")
    return None


def _unseen(app: App, path: Path) -> tuple[str, str]:
    if not path.exists():
        why = app.in_words(
            "没有这个文件，也没有收过这个名称的文件", "there is no such file, and none of this name was taken in"
        )
        return why, app.in_words("请检查路径", "check the path")
    why = app.in_words("还没有监视进程看到它", "no watcher has seen it yet")
    do = app.in_words(
        "casereel up 是否在运行，是否监视该文件夹？", "is `casereel up` running, and does it watch this folder?"
    )
    return why, do


def _is_about(line: str, path: Path) -> bool:
    return bool(json.loads(line)["facts"].get("path") == str(path))


COMMAND = explain
