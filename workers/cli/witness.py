"""The second party: looks whether the log still holds all that was seen of it, and signs for its head."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from workers.cli import app_of


@click.command(short_help="Be the second party: check that the log only grew since the last visit, and sign for it.")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--accept", default="", metavar="FINGERPRINT", help="Vouch for the log's key, at the first visit.")
@click.option("--name", default="", help="What the witness is called, when its key is made.")
@click.option("--log", "log", type=click.Path(path_type=Path, exists=True), help="A copy of a log's folder, no home.")
def witness(folder: Path, accept: str, name: str, log: Path | None) -> None:
    """Compares the log with what this witness saw of it before, and signs for its head if it only grew.

    FOLDER is the witness's own: on the auditor's stick or machine, out of reach of whoever runs this home.
    Example: casereel witness /media/auditor/witness
    """
    from pipeline.edges.log.witness import Witness
    from workers.bootstrap import home

    app = app_of()
    seeing = Witness(folder, name)
    if log is not None:
        visit = seeing.visit(log, accept=accept)
    else:
        with home(app.settings) as built:
            built.checkpoints.sign_head()
            visit = seeing.visit(built.checkpoints.log, accept=accept)
            built.tell("log.witnessed", facts=visit.cosignature.facts())
    given = visit.cosignature
    data: dict[str, Any] = {
        "log": visit.origin, "seen_before": visit.before, "size": given.size,
        "witness": given.key.name, "fingerprint": given.key.fingerprint, "at": given.at,
    }  # fmt: skip
    app.emit(
        data,
        app.in_words(
            f"日志 {visit.origin}：上次所见的 {visit.before} 条都在，已见证到第 {given.size} 条\n"
            f"见证密钥指纹：{given.key.fingerprint}",
            f"log {visit.origin}: all {visit.before} entries seen before are still there; "
            f"signed for up to entry {given.size}\nfingerprint of the witness's key: {given.key.fingerprint}",
        ),
    )


COMMAND = witness
