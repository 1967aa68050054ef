"""Watches the inbox and other folders."""

from __future__ import annotations

import click

from workers.cli import SOME_FAILED, app_of


@click.command(short_help="Watch the inbox and take settled files into custody.")
@click.option("--once", is_flag=True, help="Scan, wait until files are settled, take them in, end.")
def watch(once: bool) -> int:
    """Watches the inbox and the folders of the settings, and takes settled files into custody.

    Example: casereel watch --once --json
    """
    from workers.cli._roles import until_stopped
    from workers.watch import Watcher
    from workers.watch import watch as run
    from workers.watching.desk import Desk

    app = app_of()
    if not once:
        until_stopped(app, run)
        return 0
    from workers.bootstrap import build_accession, build_jobs, home

    with home(app.settings) as built:
        jobs = build_jobs(built)
        watcher = Watcher(built, build_accession(built, jobs))
        receipts = watcher.run_once()
        Desk(built, built.actor).round()
        for one in receipts:
            data = {
                "path": one.path, "status": one.status, "original": one.original, "sha256": one.sha256,
                "size": one.size_bytes, "reason": one.reason, "state": "in_custody" if one.original else "received",
            }  # fmt: skip
            app.emit(data, f"{one.status:9}  {one.original or '-':26}  {one.path}  {one.reason or ''}".rstrip())
        for path, why, why_zh in watcher.waiting():
            app.note(f"{path}: {app.in_words(why_zh, why)}")
        if watcher.pause:
            app.note(watcher.pause)
        jobs.close()
        return SOME_FAILED if watcher.pause or any(one.original is None for one in receipts) else 0


COMMAND = watch
