"""Looks after what nobody asked for."""

from __future__ import annotations

import click

from workers.cli import app_of


@click.command(short_help="Look after the home: leftovers, lost work, index, log.")
@click.option("--once", is_flag=True, help="One round, then end.")
def patrol(once: bool) -> None:
    """Removes what dead processes left, queues lost work again, enters unrecorded originals, completes log and index.

    Example: casereel patrol --once --json
    """
    from workers.cli._roles import until_stopped
    from workers.patrol import patrol as run
    from workers.patrol import round_of

    app = app_of()
    if not once:
        until_stopped(app, run)
        return
    from workers.bootstrap import home

    with home(app.settings) as built:
        done = round_of(built, grace_s=0.0)
        app.emit(done, "\n".join(f"{name}: {count}" for name, count in done.items()))


COMMAND = patrol
