"""Takes the files out of a ZIP in custody and lays them into the inbox."""

from __future__ import annotations

import click

from pipeline.errors import BadInput
from workers.cli import SOME_FAILED, app_of


@click.command(short_help="Take the files out of a ZIP in custody, into the inbox.")
@click.argument("id")
@click.option("--reason", required=True, help="What for; goes into the log.")
def unpack(id: str, reason: str) -> int:
    """Takes the files of the ZIP archive ID into a new folder of the inbox, from where each is taken into custody.

    The archive stays as it is. Links, encrypted files and names that lead elsewhere stay in it and are named.

    Example: casereel unpack 01KAMZ5V2W --reason 核对执法记录仪导出包
    """
    from pipeline.edges.tools import Tools
    from workers.bootstrap import home
    from workers.unpack import unpack as run

    app = app_of()
    if not reason.strip():
        raise BadInput(
            "Say with --reason what the archive is unpacked for; it goes into the log",
            zh="请用 --reason 写明解包的用途；用途会记入日志",
        )
    with home(app.settings) as built:
        tools = Tools(built.settings.media.ffmpeg, built.settings.media.cage)
        try:
            made = run(built, built.find_original(id), reason, tools)
        finally:
            tools.close()
    data = {
        "folder": str(made.folder), "files": len(made.names), "size": made.size_bytes,
        "skipped": [{"name": name, "why": why} for name, why in made.skipped],
    }  # fmt: skip
    zh = f"已解出 {len(made.names)} 个文件到 {made.folder}，将照常接收；{len(made.skipped)} 个未解出"
    en = f"{len(made.names)} files are in {made.folder} and are taken in from there; {len(made.skipped)} were left out"
    app.emit(data, app.in_words(zh, en))
    for name, why in made.skipped:
        app.note(f"{name}: {why}")
    return SOME_FAILED if made.skipped else 0


COMMAND = unpack
