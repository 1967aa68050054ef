"""The audit log's signed head: shown, printed, proved from, and the key behind it."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.errors import BadInput, TryAgain
from workers.cli import App, app_of

if TYPE_CHECKING:
    from pipeline.edges.log.checkpoints import Checkpoint
    from workers.bootstrap import Home


@click.group(short_help="The audit log's signed head: show, print, prove an entry, change the key.")
def log() -> None:
    """The audit log's signed head, and what it proves.

    Example: casereel log head
    """


@log.command(short_help="Sign and show the head, its keys, who else signed, and what is not proved.")
def head() -> None:
    """Signs the log's head unless it is signed, and shows it with its keys and whoever else signed for it.

    Example: casereel log head --json
    """
    from workers.bootstrap import home

    app = app_of()
    with home(app.settings) as built:
        trouble = _sign(built)
        data = {**_standing(built), "trouble": trouble}
        app.emit(data, lambda: _screen(app, data))


def _sign(built: Home) -> str | None:
    try:
        built.checkpoints.sign_head()
    except TryAgain as error:
        return app_of().in_words(error.zh or error.sentence, error.sentence)
    return None


def _standing(built: Home) -> dict[str, Any]:
    from workers.cli.status import second_party

    report, latest = built.check_log(), built.checkpoints.latest()
    return {
        "checkpoint": latest.note if latest else None,
        "size": latest.size if latest else 0,
        "root": latest.root.hex() if latest else None,
        "log": latest.head.origin if latest else None,
        "entries": report.entries,
        "keys": [
            {
                "from": one.number, "fingerprint": one.key.fingerprint, "key": one.key.text,
                "why": one.why, "reason": one.reason,
            }
            for one in built.checkpoints.key_changes()
        ],
        "countersigned": [
            {"size": one.size, "by": one.key.name, "fingerprint": one.key.fingerprint, "at": one.at}
            for one in report.countersigned
        ],
        "second_party": second_party(built),
        "faults": list(report.faults),
        "remarks": list(report.remarks),
    }  # fmt: skip


def _screen(app: App, data: dict[str, Any]) -> str:
    lines = [data["checkpoint"] or app.in_words("日志为空，还没有签名", "the log is empty; nothing is signed yet")]
    for one in data["keys"]:
        why = {"first": ("首个", "the first"), "rotation": ("更换", "rotated"), "lost": ("丢失后更换", "after a loss")}
        zh, en = why.get(one["why"], (one["why"], one["why"]))
        lines.append(
            app.in_words(
                f"密钥，自第 {one['from']} 条起（{zh}）：{one['fingerprint']}",
                f"key from entry {one['from']} on ({en}): {one['fingerprint']}",
            )
        )
    for one in data["countersigned"]:
        lines.append(
            app.in_words(
                f"见证：{one['by']}，到第 {one['size']} 条，{one['at']:%Y-%m-%d %H:%M} UTC，密钥 {one['fingerprint']}",
                f"witnessed by {one['by']} up to entry {one['size']} at {one['at']:%Y-%m-%d %H:%M} UTC, "
                f"key {one['fingerprint']}",
            )
        )
    lines.append(app.in_words(data["second_party"]["zh"], data["second_party"]["en"]))
    return "\n".join([*lines, *data["remarks"], *data["faults"], *filter(None, [data["trouble"]])])


@log.command("print", short_help="The signed head for paper: text and QR code.")
@click.option("--to", type=click.Path(path_type=Path, dir_okay=False), help="Write the QR code to a .svg or .png file.")
def print_(to: Path | None) -> None:
    """Prints the signed head as text and QR code, for the duty sheet or the case file.

    Whoever keeps the sheet is a second party: `casereel log head` must still show a log that goes on from it.
    Example: casereel log print --to head.svg
    """
    import segno

    from workers.bootstrap import home

    app = app_of()
    if to is not None and to.suffix.lower() not in (".svg", ".png"):
        raise BadInput(
            "The QR code is written to a file whose name ends in .svg or .png", zh="二维码只能写入 .svg 或 .png 文件"
        )
    with home(app.settings) as built:
        latest = built.checkpoints.sign_head()
        if latest is None:
            raise BadInput("The log is empty; there is nothing to print yet", zh="日志为空，还没有可打印的内容")
        built.tell("log.printed", facts={"size": latest.size, "root": latest.root.hex()})
        [*_, in_force] = [one for one in built.checkpoints.key_changes() if one.number <= latest.size]
    code = segno.make(latest.note, error="m", micro=False)
    if to is not None:
        code.save(str(to), scale=4, border=4)
    drawn = io.StringIO()
    code.terminal(out=drawn, compact=True)
    data = {
        "log": latest.head.origin, "size": latest.size, "root": latest.root.hex(), "checkpoint": latest.note,
        "fingerprint": in_force.key.fingerprint, "qr": str(to) if to else None,
    }  # fmt: skip
    app.emit(data, lambda: _sheet(app, latest, in_force.key.fingerprint, "" if to else drawn.getvalue()))


def _sheet(app: App, latest: Checkpoint, fingerprint: str, drawn: str) -> str:
    root = latest.root.hex()
    return "\n".join(
        [
            app.in_words(f"日志 {latest.head.origin}", f"log {latest.head.origin}"),
            app.in_words(f"条目数 {latest.size}", f"entries {latest.size}"),
            app.in_words("根", "root") + " " + " ".join(root[at : at + 8] for at in range(0, 64, 8)),
            app.in_words("密钥指纹", "key") + " " + " ".join(fingerprint[at : at + 8] for at in range(0, 64, 8)),
            latest.note,
            drawn,
        ]
    )


@log.command(short_help="Prove that one entry is under the signed head.")
@click.argument("seq", type=int)
def proof(seq: int) -> None:
    """Prints a proof (C2SP tlog-proof) that the entry with this number is under the last signed head.

    Example: casereel log proof 74 > 74.tlog-proof
    """
    from workers.bootstrap import home

    app = app_of()
    with home(app.settings) as built:
        checkpoints = built.checkpoints
        if not checkpoints.sizes() or checkpoints.sizes()[-1] < seq:
            checkpoints.sign_head()
        text = checkpoints.proof(seq)
        app.emit({"seq": seq, "proof": text}, text.rstrip("\n"))


@log.command("rotate-key", short_help="Sign with a new key from here on.")
@click.option("--reason", default="", help="Why; kept in the log.")
@click.option("--lost", is_flag=True, help="The old key is lost: the new one stands for itself, and the log says so.")
@click.option("--sm2", "is_sm2", is_flag=True, help="The key of the second signature (audit.sm2).")
def rotate_key(reason: str, lost: bool, is_sm2: bool) -> None:
    """Makes a new key; the old one signs for it and is then removed.

    Example: casereel log rotate-key --reason "yearly"
    """
    from workers.bootstrap import home

    app = app_of()
    with home(app.settings) as built:
        if is_sm2:
            named = built.checkpoints.rotate_sm2(reason, lost=lost)
            told = {"sm2": named, "why": "lost" if lost else "rotation"}
            app.emit(
                told, app.in_words(f"自此使用新的 SM2 密钥：{named}", f"a new SM2 key signs from here on: {named}")
            )
            return
        latest = built.checkpoints.rotate(reason, lost=lost)
        change = built.checkpoints.key_changes()[-1]
        data = {"from": change.number, "fingerprint": change.key.fingerprint, "why": change.why, "size": latest.size}
        app.emit(
            data,
            app.in_words(
                f"自第 {change.number} 条起使用新密钥：{change.key.fingerprint}\n请把指纹记在本机管理员改不了的地方。",
                f"a new key signs from entry {change.number} on: {change.key.fingerprint}\n"
                "Note the fingerprint where the administrators of this machine cannot change it.",
            ),
        )


COMMAND = log
