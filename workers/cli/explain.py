"""Why a file is in its state, and what to do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from pipeline.errors import BadInput
from workers.cli import app_of

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
    from workers.bootstrap import build_jobs, home

    app = app_of()
    with home(app.settings) as built:
        try:
            original = built.catalog.find_original(path_or_id)
        except BadInput:
            try:
                original = built.catalog.find_original(str(Path(path_or_id).absolute()))
            except BadInput:
                app.emit(*_unknown(built, Path(path_or_id).absolute()))
                return
        known = built.catalog.known_of(original)
        failed = [job for job in build_jobs(built).listed(original=original) if job.state == "failed"]
        why = [app.in_words(*WORDS[known.original.state][:2])]
        why += [one.text_zh if app.lang == "zh" and one.text_zh else one.text for one in known.caveats]
        why += [f"{job.stage}: {job.reason}" for job in failed]
        do = app.in_words(*WORDS[known.original.state][2:])
        if failed:
            do = f"casereel jobs retry {failed[0].job}"
        data = {"state": known.original.state, "why": "; ".join(why), "do": do, "original": original}
        app.emit(data, f"{data['state']}: {data['why']}\n-> {do}")


def _unknown(built: Any, path: Path) -> tuple[dict[str, Any], str]:
    from workers.bootstrap import build_jobs

    why, do = _what_the_watcher_says(build_jobs(built).workers(), path)
    if why is None:
        refused = [
            one for one in built.catalog.events_of_type(("arrival.rejected", "arrival.gone")) if _is_about(one, path)
        ]
        if refused:
            why, do = json.loads(refused[-1])["facts"]["reason"], "mend the cause and drop the file again"
        elif not path.exists():
            why, do = "there is no such file, and none of this name was taken in", "check the path"
        else:
            why, do = "no watcher has seen it yet", "is `casereel up` running, and does it watch this folder?"
    data = {"state": "received" if path.exists() else "unknown", "why": why, "do": do}
    return data, f"{data['state']}: {why}\n-> {do}"


def _what_the_watcher_says(workers: list[dict[str, Any]], path: Path) -> tuple[str | None, str]:
    for worker in workers:
        for waiting, why in worker.get("waiting", ()):
            if Path(waiting) == path:
                return why, "wait; it is taken in by itself"
    return None, ""


def _is_about(line: str, path: Path) -> bool:
    return bool(json.loads(line)["facts"].get("path") == str(path))


COMMAND = explain
