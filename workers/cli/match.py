"""Finds where a clip, photo or sound comes from."""

from __future__ import annotations

from pathlib import Path

import click

from workers.cli import app_of


@click.command(short_help="Find where a clip, photo or sound comes from.")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--limit", type=int, default=10, show_default=True, help="So many hits at most.")
def match(file: Path, limit: int) -> None:
    """Compares the file's pictures and sound with everything in custody. No hit is an answer too.

    Example: casereel match clip-from-messenger.mp4
    """
    from dataclasses import asdict

    from indexer.match import match as find
    from pipeline.edges.audit import NewEvent
    from pipeline.edges.tools import Tools
    from workers.bootstrap import home

    app = app_of()
    with home(app.settings) as built:
        tools = Tools(built.settings.media.ffmpeg)
        try:
            hits = find(file, catalog=built.catalog, tools=tools, limit=limit)
        finally:
            tools.close()
        facts = {"file": file.name, "hits": [hit.original for hit in hits]}
        with built.catalog.transaction() as connection:
            [seq] = built.audit.record(connection, [NewEvent(type="match", actor=built.actor, facts=facts)])
        built.audit.make_durable(seq)
        for hit in hits:
            app.emit(
                asdict(hit),
                f"{hit.original}  {hit.by:5}  {hit.offset_s:8.2f} s  {hit.length_s:7.2f} s  {hit.score:6.2f}  {hit.transform}  {hit.name}",
            )
        if not hits:
            app.note(app.in_words("没有找到来源", "No match: nothing in custody shows or sounds like this"))


COMMAND = match
