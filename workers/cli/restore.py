"""Makes a home again from a backup, or rehearses that."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from workers.cli import CUSTODY_BROKEN, App, app_of


@click.command(short_help="Make a home again from a backup, or rehearse it.")
@click.option("--from", "source", type=click.Path(path_type=Path, exists=True), required=True, help="The backup.")
@click.option("--to", "target", type=click.Path(path_type=Path), help="The new home: an empty folder; else --home.")
@click.option("--verify", "rehearsal", is_flag=True, help="Only rehearse: change nothing, read everything, compare.")
def restore(source: Path, target: Path | None, rehearsal: bool) -> int:
    """Copies a backup into an empty home and proves every file. What was disposed of since does not come back.

    With --verify nothing is restored: the catalog is made anew from the backup's vault and log in a temporary folder
    and compared with its database, and every object is read. It ends with 4 where anything does not hold.

    Example: casereel restore --verify --from /mnt/backup
    """
    from dataclasses import replace

    from workers.backup import read_manifest
    from workers.restore import rehearse
    from workers.restore import restore as run

    app = app_of()
    settings = app.settings if target is None else replace(app.settings, home=target.absolute())
    size = int(read_manifest(source)[0]["bytes"])
    if rehearsal:
        with app.progress(size, app.in_words("演练", "rehearsing")) as moved:
            report = rehearse(source, settings, moved)
        app.emit(report, _rehearsed(app, report))
        return 0 if report["holds"] else CUSTODY_BROKEN
    with app.progress(size, app.in_words("恢复", "restoring")) as moved:
        done = run(source, settings, moved)
    lines = [
        app.in_words(
            f"已恢复到 {done['home']}：{done['originals']} 个原始文件；目录：{done['catalog']}",
            f"{done['originals']} originals are back at {done['home']}; catalog: {done['catalog']}",
        )
    ]
    lines += done["failed"].values()
    lines.append(app.in_words("接着运行：casereel verify，然后 casereel up", "Next: casereel verify, then casereel up"))
    app.emit(done, "\n".join(lines))
    return CUSTODY_BROKEN if done["failed"] else 0


def _rehearsed(app: App, report: dict[str, Any]) -> str:
    said = [
        app.in_words(
            f"演练{'通过' if report['holds'] else '未通过'}：{report['objects']} 个对象，{report['seconds']} 秒",
            f"the rehearsal {'holds' if report['holds'] else 'FAILED'}: {report['objects']} objects, "
            f"{report['seconds']} s",
        )
    ]
    said += [one for name in ("broken", "missing", "strays") for one in report[name]]
    said += [f"{name}: {report[name]}" for name in ("log", "checkpoint") if report[name]]
    said += [f"catalog: {report['catalog']}"] if report["catalog"] != "equal" else []
    if report["signature"] != "good":
        said.append(app.in_words(f"签名：{report['signature']}", f"signature: {report['signature']}"))
    if not report["as_manifest"]:
        said.append(app.in_words("与清单不符", "the objects are not those that the manifest tells of"))
    return "\n".join(said)


COMMAND = restore
