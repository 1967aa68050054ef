"""Finds recordings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from indexer.naming import named
from workers.cli import App, app_of

if TYPE_CHECKING:
    from indexer.search import Page

# Values of one facet on a person's screen; with --json all are there.
_SHOWN = 8


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
@click.option("--group", is_flag=True, help="One hit a logical recording, its other files found below it.")
@click.option("--after", help="Go on where the page with this cursor ended.")
@click.option("--facets", is_flag=True, help="Count by value too; with --json a last line, which has the next cursor.")
@click.option("--explain", is_flag=True, help="Show what was understood.")
@click.option("--purpose", default="", help="Why you look; goes into the log.")
def search(query: tuple[str, ...], facets: bool, explain: bool, purpose: str, **filters: Any) -> None:
    """Finds recordings. Words, "phrases", AND OR NOT, fields (案号: case:), case numbers in any writing.

    `at_s` of a hit is the second to play from, `page` the page; `moments` are all places of the words.

    Example: casereel search 拆除 --case 平商务罚字〔2021〕第3号 --from 2021-08-03 --facets
    """
    from indexer.search import Filters
    from indexer.tree import FACET_FIELDS
    from workers.bootstrap import build_finder, home

    app = app_of()
    with home(app.settings) as built:
        wanted = Filters(facets=FACET_FIELDS if facets else (), **filters)
        reviewer = built.reviewer
        page = build_finder(built).search(reviewer, " ".join(query), wanted, purpose=purpose, lang=app.lang)
        if explain:
            app.note(page.understood)
        for hit in page.hits:
            data = hit.as_json()
            app.emit(data, _lines(data))
        if facets:
            app.emit(page.summary(), _counts(app, page))
        if not app.as_json:
            app.note(_summed_up(app, page))


def _summed_up(app: App, page: Page) -> str:
    told = app.in_words(
        f"共 {page.total} 条；已检索 {page.of} 条中的 {page.searched} 条，{page.behind} 条待更新",
        f"{page.total} hits; searched {page.searched} of {page.of}, {page.behind} waiting to be indexed",
    )
    if page.after:
        told += app.in_words(f"\n下一页：--after {page.after}", f"\nnext page: --after {page.after}")
    return told


def _counts(app: App, page: Page) -> str:
    lines = []
    for name, counts in page.facets.items():
        values = [f"{value} {count}" for value, count in list(counts.items())[:_SHOWN]]
        more = "" if name in page.cut else f" +{len(counts) - _SHOWN}"
        rest = [f"…{more}"] if len(counts) > _SHOWN else []
        if values:
            lines.append(f"{named(app.lang, 'field', name)}: {', '.join([*values, *rest])}")
    return "\n".join(lines)


def _lines(hit: dict[str, Any]) -> str:
    """A hit, the words in it with their second or page, and below it the others of its recording."""
    cases = " ".join(hit["cases"]) or "-"
    start = (hit["start"] or "-")[:19]
    place = _place(hit)
    snippet = [f"    {place}{hit['snippet']}"] if hit["snippet"] else []
    others = [f"  + {other['original']}  {(other['start'] or '-')[:19]}  {_place(other)}{other['name']}"
              for other in hit["others"]]  # fmt: skip
    return "\n".join([f"{hit['original']}  {hit['kind']:8}  {start:19}  {cases}  {hit['name']}", *snippet, *others])


def _place(hit: dict[str, Any]) -> str:
    if hit["at_s"] is not None:
        minutes, seconds = divmod(int(hit["at_s"]), 60)
        return f"[{minutes // 60}:{minutes % 60:02}:{seconds:02}] "
    return f"[p. {hit['page']}] " if hit["page"] else ""


COMMAND = search
