"""Serves the pages."""

from __future__ import annotations

import click

from workers.cli import app_of


@click.command(short_help="Serve the pages.")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", default=8710, show_default=True, help="The port to listen on.")
def serve(host: str, port: int) -> None:
    """Serves the status page on this machine.

    Example: casereel serve --port 8710
    """
    from workers.cli._roles import until_stopped
    from workers.serve import serve as run

    app = app_of()
    app.note(f"http://{host}:{port}/")
    until_stopped(app, lambda built, stop: run(built, stop, host, port))


COMMAND = serve
