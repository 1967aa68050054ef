"""One screen: intake, queue, workers, vault, index, watchers."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from pipeline.errors import CasereelError
from workers.cli import App, app_of

if TYPE_CHECKING:
    from indexer.naming import Lang
    from workers.bootstrap import Home

# Before each sentence, as wide as one another.
SIGNS = {"alarm": "!!", "notice": "! ", "well": "  "}


@click.command(short_help="One screen: intake, queue, workers, vault, index, watchers.")
def status() -> None:
    """Shows how the home stands.

    Example: casereel status --json
    """
    from indexer.figures.health import told
    from workers.bootstrap import home

    app = app_of()
    with home(app.settings) as built:
        data = told(standing(built), built.seen)
        app.emit(data, lambda: _screen(app, data))


def standing(built: Home) -> dict[str, Any]:
    """How the home stands; what `status --json` prints is `indexer.figures.health.told` of it, as the page shows it."""
    from pipeline.custody.fixity import Fixity
    from pipeline.edges.jobs import Jobs
    from pipeline.edges.work import workload
    from workers.backup import last_of
    from workers.bootstrap import build_follower

    jobs, now = Jobs(built.catalog, built.settings.work), built.catalog.now()
    states, unfinished, workers = built.catalog.counts(), jobs.unfinished(), jobs.living.workers()
    usage = shutil.disk_usage(built.settings.home)
    reserve = int(usage.total * built.settings.vault.reserve_share)
    rate = workload.intake_bytes_per_hour(built.catalog, now)
    fixity = Fixity(built.vault, built.catalog, built.audit, built.actor)
    return {
        "originals": sum(states.values()),
        "states": states,
        "queued": unfinished.get("waiting", 0),
        "running": unfinished.get("running", 0),
        "failed": unfinished.get("failed", 0),
        "queues": [asdict(one) for one in workload.queues(built.catalog, now)],
        "failures": [
            {"stage": one.stage, "reason": one.reason, "count": len(one.jobs), "last_at": one.last_at}
            for one in workload.failures(built.catalog)
        ],
        "workers": [one for one in workers if one["role"] == "work"],
        "patrols": [one for one in workers if one["role"] == "patrol"],
        "watchers": [root for one in workers for root in one.get("watchers", ())],
        "index": build_follower(built).state(),
        "vault": {
            "path": str(built.vault.root), "free_bytes": usage.free, "total_bytes": usage.total,
            "reserve_bytes": reserve, "intake_bytes_per_hour": rate,
            "hours_left": None if rate is None else round(max(usage.free - reserve, 0) / rate, 1),
        },
        "log": {
            "entries": built.catalog.last_event(), "second_party": second_party(built), "key": _key(built, workers),
            "sm2_key": _sm2_key(built, workers),
        },
        "fixity": fixity.standing(now, built.settings.fixity.every_days),
        "incidents": fixity.incidents(),
        "backup": last_of(built),
        "verified": _verified(built, now),
    }  # fmt: skip


def _verified(built: Home, now: datetime) -> dict[str, Any] | None:
    """The last comparison of vault, catalog and log: `at`, `age_h`, what it found; None where there was none."""
    events = (json.loads(line) for line in reversed(built.catalog.events_of_type(["verify"])))
    # One of some originals alone compares nothing as a whole.
    event = next((one for one in events if one["facts"].get("everything", True)), None)
    if event is None:
        return None
    age_h = round((now - datetime.fromisoformat(event["at"])).total_seconds() / 3600, 2)
    return {"at": event["at"], "age_h": age_h, "by": event["actor"], "outcome": event["outcome"], **event["facts"]}


def _key(built: Home, workers: Sequence[Mapping[str, Any]]) -> dict[str, str] | None:
    """Why the log's head cannot be signed, `en` and `zh`; None where it can, or where another host alone signs it."""
    from pipeline.edges.log import keys

    def load() -> None:
        known = keys.public_keys(built.settings.home / "log")
        if known:
            keys.load(keys.keys_folder(built.settings), known[-1][1])

    return _trouble(load) if _signs_here(workers) else None


def _sm2_key(built: Home, workers: Sequence[Mapping[str, Any]]) -> dict[str, str] | None:
    """The same of the SM2 key, where heads are signed with it too and one has signed."""
    if not built.settings.audit.sm2 or not _signs_here(workers):
        return None
    from pipeline.edges.log import keys, sm2

    def load() -> None:
        signed = built.checkpoints.sm2_key()
        if signed is not None:
            sm2.public_of(keys.keys_folder(built.settings), signed)

    return _trouble(load)


def _signs_here(workers: Sequence[Mapping[str, Any]]) -> bool:
    """Whether no other host alone signs the log."""
    from pipeline.edges.host import processes

    patrols = {one["host"] for one in workers if one["role"] == "patrol"}
    return not patrols or processes.this_host() in patrols


def _trouble(load: Callable[[], None]) -> dict[str, str] | None:
    """Why the key cannot be loaded, `en` and `zh`; None where it can."""
    try:
        load()
    except CasereelError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            path = error.fields["path"]
            return {"en": f"its key is not at {path}", "zh": f"密钥不在 {path}"}
        return {"en": error.sentence, "zh": error.zh}
    return None


def second_party(built: Home) -> dict[str, Any]:
    """Up to which entry somebody beside this machine stands for the log, and what that leaves unproved, in words.

    From the names of the files alone, for a status screen; `verify` looks into them.
    """
    from pipeline.edges.log.countersigning import latest_sizes

    log = built.settings.home / "log"
    found, troubled = latest_sizes(log), log / ".timestamp-trouble"
    trouble = troubled.read_text(encoding="utf-8") if troubled.exists() else None
    size = max(found.values(), default=0)
    if not found:
        return {
            "up_to": 0, "by": {}, "trouble": trouble,
            "zh": "没有第二方见证：只能发现外部人员的篡改；掌握密钥的管理员可以重写整个日志而不被发现",
            "en": "no second party: tamper-evident against outsiders only; "
            "an administrator who holds the key could rewrite the whole log unseen",
        }  # fmt: skip
    return {
        "up_to": size, "by": found, "trouble": trouble,
        "zh": f"第二方见证到第 {size} 条；其后的条目只由本机担保",
        "en": f"a second party stands for the log up to entry {size}; for later ones this machine alone does",
    }  # fmt: skip


def _screen(app: App, data: dict[str, Any]) -> str:
    from indexer.naming import named

    lang: Lang = "zh" if app.lang == "zh" else "en"
    states = ", ".join(f"{count} {named(lang, 'state', one)}" for one, count in sorted(data["states"].items())) or "-"
    lines = [
        app.in_words(f"原始文件：{data['originals']}（{states}）", f"originals: {data['originals']} ({states})"),
        app.in_words(
            f"队列：{data['queued']} 等待，{data['running']} 进行，{data['failed']} 失败",
            f"queue: {data['queued']} waiting, {data['running']} running, {data['failed']} failed",
        ),
    ]
    for one in data["health"]:
        lines.append(f"{SIGNS[one['level']]} {app.in_words(one['zh'], one['en'])}")
        if one["fix"]:
            lines.append(f"   -> {app.in_words(one['fix_zh'], one['fix'])}")
    return "\n".join(lines)


COMMAND = status
