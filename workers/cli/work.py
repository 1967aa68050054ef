"""Works through the queues."""

from __future__ import annotations

import click

from workers.cli import app_of


@click.command(short_help="Run a worker: properties, times, links, index, previews, fingerprints.")
def work() -> None:
    """Runs one worker until it is stopped; several may run, on several hosts where the catalog is PostgreSQL.

    Example: casereel work
    """
    from workers.cli._roles import until_stopped
    from workers.work import work as run

    until_stopped(app_of(), run)


COMMAND = work
