"""The web server: a plain status page until the screens are built."""

from __future__ import annotations

import threading

import uvicorn

from indexer.web.app import create_app
from workers.bootstrap import Home
from workers.cli.status import standing


def serve(home: Home, stop: threading.Event, host: str, port: int) -> None:
    """Serves until told to stop."""
    app = create_app(lambda: standing(home))
    server = uvicorn.Server(uvicorn.Config(app, host=host, port=port, log_level="warning", access_log=False))
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not stop.wait(0.2) and thread.is_alive():
        pass
    server.should_exit = True
    thread.join(timeout=5)
