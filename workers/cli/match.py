"""Finds where a clip, photo or sound comes from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from workers.cli import app_of

if TYPE_CHECKING:
    from indexer.match import Match
    from workers.cli import App


@click.command(short_help="Find where a clip, photo or sound comes from.")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--limit", type=int, default=10, show_default=True, help="So many hits at most.")
def match(file: Path, limit: int) -> None:
    """Compares the file's pictures and sound with everything in custody. No hit is an answer too.

    A line says which seconds of the file are which seconds of the original, whether it is the same footage, the same
    scene filmed another time or only the same sound (which may be music that was playing), and what was done to it. In
    --json, `rectangle` says where the original's picture lies in the file's, and `pairs` names moments of both to lay
    side by side.

    Example: casereel match clip-from-messenger.mp4
    """
    from dataclasses import asdict

    from indexer.access import require
    from indexer.match import Query, ask
    from pipeline.edges.tools import Tools
    from workers.bootstrap import build_marked, home

    app = app_of()
    with home(app.settings) as built:
        require(built.reviewer, "match")
        tools = Tools(built.settings.media.ffmpeg, built.settings.media.cage)
        try:
            query = Query(file, limit, built.hidden_originals())
            answer = ask(query, catalog=built.catalog, marked=build_marked(built), tools=tools).rows
        finally:
            tools.close()
        # What was restricted while it was being compared stays out too.
        seen = set(built.seen([hit.original for hit in answer]))
        hits = [hit for hit in answer if hit.original in seen]
        built.tell("match", facts={"file": file.name, "hits": [hit.original for hit in hits]})
        for hit in hits:
            app.emit(asdict(hit), _told(app, hit))
        if not hits:
            app.note(app.in_words("没有找到来源", "No match: nothing in custody shows or sounds like this"))


_BY = {"video": "画面", "audio": "声音", "photo": "照片"}
_VERDICTS = {"same footage": "同一段录像", "same sound": "同一声音", "same scene, other take": "同一场景，另一次拍摄"}
_EDITS = {"none": "未改动", "mirrored": "左右翻转", "turned": "旋转", "inset": "画中或带边框", "cropped": "裁剪",
          "tempo": "变速", "speed": "变速变调"}  # fmt: skip


def _told(app: App, hit: Match) -> str:
    """One line: where in the original the query's stretch lies, how sure, what was done to it."""
    span = (
        f"{hit.query_offset_s:.2f}-{hit.query_offset_s + hit.length_s:.2f} s = "
        f"{hit.offset_s:.2f}-{hit.offset_s + hit.length_s * hit.speed:.2f} s"
    )
    if hit.by == "photo":
        span = f"{hit.query_offset_s:.2f} s = {hit.offset_s:.2f} s"
    edit_zh = " ".join(_EDITS.get(word, word) for word in hit.transform.split())
    verdict_zh = _VERDICTS[hit.verdict] if hit.by == "video" else f"同一{_BY[hit.by]}"
    verdict = hit.verdict if hit.by == "video" else f"same {hit.by}"
    if hit.heard:
        verdict_zh, verdict = f"{verdict_zh}，声音也一致", f"{verdict}, and the same sound"
    return app.in_words(
        f"{hit.original}  {verdict_zh}  {span}  {hit.score:.2f}  {edit_zh}  {hit.name}",
        f"{hit.original}  {verdict}  {span}  {hit.score:.2f}  {hit.transform}  {hit.name}",
    )


COMMAND = match
