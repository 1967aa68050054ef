"""One role of the system for as long as the process runs: what `work`, `watch`, `patrol` and `serve` share."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from typing import Any

from workers.bootstrap import Home, home, set_up_logging
from workers.cli import App


def until_stopped(app: App, role: Callable[[Home, threading.Event], Any]) -> None:
    """Runs the role until Ctrl-C or a polite end; nothing is lost either way."""
    set_up_logging(app.settings.log.level)
    stop = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: stop.set())
    with home(app.settings) as built:
        role(built, stop)
