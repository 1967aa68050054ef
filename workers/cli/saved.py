"""Saved searches: asked of every new original, with alerts to their owner."""

from __future__ import annotations

from typing import Any

import click

from workers.cli import app_of


@click.group(short_help="Saved searches, and the new originals that answer them.")
def saved() -> None:
    """A saved search is yours: you are told of originals that are taken in afterwards and answer it.

    Example: casereel saved alerts
    """


@saved.command(short_help="Save a search under a name.")
@click.argument("name")
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
@click.option("--purpose", default="", help="Why you look; goes into the log.")
def add(name: str, query: tuple[str, ...], purpose: str, **filters: Any) -> None:
    """Words and filters as for `search`; times in words, like 昨天, are read anew each time.

    Example: casereel saved add 鑫源达新到 鑫源达 --kind video
    """
    from indexer.access import Reviewer
    from indexer.search import Filters
    from workers.bootstrap import build_saved, home

    app = app_of()
    with home(app.settings) as built:
        reviewer = Reviewer(name=built.actor, role="administrator")
        one = build_saved(built).save(reviewer, name, " ".join(query), Filters(**filters), purpose=purpose)
        app.emit(one, app.in_words(f"已保存检索“{one.name}”", f"saved as '{one.name}'"))


@saved.command("list", short_help="List your saved searches.")
def list_() -> None:
    """Oldest first.

    Example: casereel saved list --json
    """
    from indexer.access import Reviewer
    from workers.bootstrap import build_saved, home

    app = app_of()
    with home(app.settings) as built:
        for one in build_saved(built).of(Reviewer(name=built.actor, role="administrator")):
            filters = " ".join(f"{name}={value}" for name, value in one.filters.items())
            app.emit(one, f"{one.id}  {one.name}  {one.text}  {filters}".rstrip())


@saved.command(short_help="Give a saved search up.")
@click.argument("name")
def remove(name: str) -> None:
    """NAME is its name or identifier. Its alerts are shown no more.

    Example: casereel saved remove 鑫源达新到
    """
    from indexer.access import Reviewer
    from workers.bootstrap import build_saved, home

    app = app_of()
    with home(app.settings) as built:
        one = build_saved(built).give_up(Reviewer(name=built.actor, role="administrator"), name)
        app.emit(one, app.in_words(f"已取消检索“{one.name}”", f"'{one.name}' is asked no more"))


@saved.command(short_help="Show the new originals that answer your searches.")
@click.option("--seen", is_flag=True, help="Those too that you were shown before.")
def alerts(seen: bool) -> None:
    """Newest first. What is shown here counts as seen, and that you were shown it is in the log.

    Example: casereel saved alerts
    """
    from indexer.access import Reviewer
    from workers.bootstrap import build_saved, home

    app = app_of()
    with home(app.settings) as built:
        found = build_saved(built).alerts(Reviewer(name=built.actor, role="administrator"), seen=seen)
        for one in found:
            data = one.as_json()
            app.emit(data, f"{data['original']}  {data['kind']:8}  {data['saved']}  {data['name']}")
        if not found:
            app.note(app.in_words("没有新的提醒", "no new alerts"))


COMMAND = saved
