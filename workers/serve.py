"""The web server: pages and the API under them."""

from __future__ import annotations

import threading

import uvicorn

from indexer.web.app import create_app
from indexer.web.desk import House
from pipeline.edges import workload
from workers.bootstrap import Home, build_accounts, build_finder
from workers.cli.status import standing


def serve(home: Home, stop: threading.Event, host: str, port: int) -> None:
    """Serves until told to stop."""
    app = create_app(house_of(home))
    server = uvicorn.Server(uvicorn.Config(app, host=host, port=port, log_level="warning", access_log=False))
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not stop.wait(0.2) and thread.is_alive():
        pass
    server.should_exit = True
    thread.join(timeout=5)


def house_of(home: Home) -> House:
    """What the pages have at hand."""
    return House(
        accounts=build_accounts(home), finder=build_finder(home), desk_of=home.of, standing=lambda: standing(home),
        counters=lambda: workload.counters(home.catalog),
    )  # fmt: skip
