"""Suggests parties, cases, devices, places and persons for what somebody begins to type."""

from __future__ import annotations

import click

from workers.cli import app_of


@click.command(short_help="Suggest parties, cases, devices, places, persons while typing.")
@click.argument("typed", default="")
@click.option(
    "--field", "fields", multiple=True, type=click.Choice(["party", "case", "device", "place", "person"]),
    help="Of this field only; may be given several times.",
)  # fmt: skip
@click.option("--limit", type=int, default=10, show_default=True, help="So many of each field at most.")
def suggest(typed: str, fields: tuple[str, ...], limit: int) -> None:
    """TYPED is the beginning or a part of a name or number; without it the values carried by most come.

    Example: casereel suggest 鑫源 --field party
    """
    from indexer.asking.suggesting import SUGGESTED
    from workers.bootstrap import build_finder, home

    app = app_of()
    with home(app.settings) as built:
        reviewer = built.reviewer
        for one in build_finder(built).suggest(reviewer, typed, fields or SUGGESTED, limit):
            app.emit(one.as_json(), f"{one.field:7} {one.originals:6}  {one.value}")


COMMAND = suggest
