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

    from indexer.access import Reviewer, require
    from indexer.match import match as find
    from pipeline.edges.tools import Tools
    from workers.bootstrap import home

    app = app_of()
    with home(app.settings) as built:
        require(Reviewer(name=built.actor, role="administrator"), "match")
        tools = Tools(built.settings.media.ffmpeg, built.settings.media.cage)
        try:
            hits = find(file, catalog=built.catalog, tools=tools, limit=limit)
        finally:
            tools.close()
        built.tell("match", facts={"file": file.name, "hits": [hit.original for hit in hits]})
        for hit in hits:
            app.emit(
                asdict(hit),
                f"{hit.original}  {hit.by:5}  {hit.offset_s:8.2f} s  {hit.length_s:7.2f} s  {hit.score:6.2f}  "
                f"{hit.transform}  {hit.name}",
            )
        if not hits:
            app.note(app.in_words("没有找到来源", "No match: nothing in custody shows or sounds like this"))


COMMAND = match
