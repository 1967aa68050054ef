"""Finds recordings."""

from __future__ import annotations

from typing import Any

import click

from workers.cli import app_of


@click.command(short_help="Find recordings by words, case, party, device, time.")
@click.argument("query", nargs=-1)
@click.option("--case", help="Of this case, in any writing of its number.")
@click.option("--party", help="Of this party.")
@click.option("--device", help="From this device.")
@click.option("--officer", help="By this officer.")
@click.option(
    "--kind", type=click.Choice(["video", "audio", "photo", "document", "sidecar", "other"]), help="Of this kind."
)
@click.option("--stage", help="Of this enforcement step.")
@click.option("--place", help="At this place.")
@click.option("--from", "start", help="Recorded at or after this time.")
@click.option("--to", "end", help="Recorded at or before this time.")
@click.option("--has-gap", is_flag=True, help="With gaps only.")
@click.option("--unlinked", is_flag=True, help="Linked to no case.")
@click.option("--limit", type=int, default=20, show_default=True, help="So many hits at most.")
@click.option("--sort", type=click.Choice(["score", "time", "-time"]), help="The order; -time: latest first.")
@click.option("--explain", is_flag=True, help="Show what was understood.")
@click.option("--purpose", default="", help="Why you look; goes into the log.")
def search(query: tuple[str, ...], limit: int, sort: str | None, explain: bool, purpose: str, **filters: Any) -> None:
    """Finds recordings. Words, "phrases", AND OR NOT, fields (案号: case:), case numbers in any writing.

    Example: casereel search 拆除 --case 平商务罚字〔2021〕第3号 --from 2021-08-03
    """
    from indexer.access import Reviewer
    from indexer.search import Filters
    from indexer.search import search as find
    from workers.bootstrap import build_follower, home

    app = app_of()
    asked = " ".join(query)
    with home(app.settings) as built:
        page = find(
            Reviewer(name=built.actor, role="administrator"), asked, Filters(limit=limit, sort=sort, **filters),
            follower=build_follower(built), catalog=built.catalog, zone=built.settings.time.zone,
            now=built.catalog.now(), lang=app.lang,
        )  # fmt: skip
        facts = {
            "query": asked, "filters": {k: v for k, v in filters.items() if v}, "hits": page.total, "purpose": purpose,
        }  # fmt: skip
        built.tell("search", facts=facts)
        if explain:
            app.note(page.understood)
        for hit in page.hits:
            data = hit.as_json()
            app.emit(data, _line(data))
        if not app.as_json:
            app.note(
                app.in_words(
                    f"共 {page.total} 条；已检索 {page.searched} 条，{page.behind} 条待更新",
                    f"{page.total} hits; searched {page.searched}, {page.behind} waiting to be indexed",
                )
            )


def _line(hit: dict[str, Any]) -> str:
    cases = " ".join(hit["cases"]) or "-"
    start = (hit["start"] or "-")[:19]
    snippet = f"\n    {hit['snippet']}" if hit["snippet"] else ""
    return f"{hit['original']}  {hit['kind']:8}  {start:19}  {cases}  {hit['name']}{snippet}"


COMMAND = search
