"""One screen: intake, queue, workers, vault, index, watchers."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import click

from workers.cli import App, app_of

if TYPE_CHECKING:
    from workers.bootstrap import Home


@click.command(short_help="One screen: intake, queue, workers, vault, index, watchers.")
def status() -> None:
    """Shows how the home stands.

    Example: casereel status --json
    """
    from workers.bootstrap import home

    app = app_of()
    with home(app.settings) as built:
        data = standing(built)
        app.emit(data, lambda: _screen(app, data))


def standing(built: Home) -> dict[str, Any]:
    """What `status --json` prints and the status page shows."""
    from pipeline.edges.jobs import Jobs
    from workers.bootstrap import build_follower

    jobs = Jobs(built.catalog, built.settings.work)
    states, unfinished, workers = built.catalog.counts(), jobs.unfinished(), jobs.workers()
    usage = shutil.disk_usage(built.settings.home)
    return {
        "originals": sum(states.values()),
        "states": states,
        "queued": unfinished.get("waiting", 0),
        "running": unfinished.get("running", 0),
        "failed": unfinished.get("failed", 0),
        "workers": [one for one in workers if one["role"] == "work"],
        "watchers": [root for one in workers for root in one.get("watchers", ())],
        "index": build_follower(built).state(),
        "vault": {"path": str(built.vault.root), "free_bytes": usage.free, "total_bytes": usage.total},
        "log": {"entries": built.catalog.last_event()},
    }


def _screen(app: App, data: dict[str, Any]) -> str:
    states = ", ".join(f"{count} {state}" for state, count in sorted(data["states"].items())) or "-"
    index, vault = data["index"], data["vault"]
    lines = [
        f"{app.in_words('原始文件', 'originals')}: {data['originals']} ({states})",
        f"{app.in_words('队列', 'queue')}: {data['queued']} {app.in_words('等待', 'waiting')}, "
        f"{data['running']} {app.in_words('进行', 'running')}, {data['failed']} {app.in_words('失败', 'failed')}",
        f"{app.in_words('工作进程', 'workers')}: {len(data['workers'])}",
        f"{app.in_words('索引', 'index')}: {index['backend']}, {index['documents']} / {app.in_words('落后', 'behind')} {index['behind']}",
        f"{app.in_words('存储', 'vault')}: {vault['free_bytes'] >> 30} GiB {app.in_words('可用', 'free')}",
    ]
    for root in data["watchers"]:
        lines.append(f"{app.in_words('监视', 'watching')} {root['path']} ({root['mode']}): {root['alarm'] or 'ok'}, {root['waiting']} waiting")
    if not data["watchers"]:
        lines.append(app.in_words("没有监视进程；运行 casereel up", "nobody watches the inbox; run `casereel up`"))
    return "\n".join(lines)


COMMAND = status
