"""Everything in one go: watch, work, patrol and serve, each a process that is started again when it ends."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time

import click

from workers.cli import App, app_of

RESTART_AFTER_S = 2.0


@click.command(short_help="Watch, work, patrol and serve in one go.")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address of the pages.")
@click.option("--port", default=8710, show_default=True, help="The port of the pages.")
def up(host: str, port: int) -> None:
    """Runs everything until it is stopped; makes the home where there is none yet.

    Example: casereel up
    """
    from workers.bootstrap import first_administrator, make_home, set_up_logging
    from workers.bootstrap import home as opened
    from workers.cli.init import told_of_first

    app = app_of()
    make_home(app.settings)
    set_up_logging(app.settings.log.level)
    with opened(app.settings) as built:
        first = first_administrator(built)
    app.emit(
        {
            "home": str(app.settings.home),
            "inbox": str(app.settings.inbox),
            "web": f"http://{host}:{port}/",
            **({"admin": first[0], "password": first[1]} if first else {}),
        },
        app.in_words(
            f"把文件放进：{app.settings.inbox}\n网页：http://{host}:{port}/\n按 Ctrl-C 停止，不会丢失任何内容",
            f"Drop files into  {app.settings.inbox}\n"
            f"Pages            http://{host}:{port}/\n"
            "Ctrl-C stops; nothing is lost",
        )
        + told_of_first(app, first),
    )
    _supervise(app, {"watch": ["watch"], "work": ["work"], "patrol": ["patrol"],
                     "serve": ["serve", "--host", host, "--port", str(port)]})  # fmt: skip


def _supervise(app: App, roles: dict[str, list[str]]) -> None:
    stop = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: stop.set())
    command = [sys.executable, "-m", "workers", "--home", str(app.settings.home), "--quiet"]
    if app.config is not None:
        command += ["--config", str(app.config)]
    running: dict[str, subprocess.Popen[bytes]] = {}
    again_at: dict[str, float] = {}
    while not stop.is_set():
        for role, arguments in roles.items():
            process = running.get(role)
            if process is not None and process.poll() is not None:
                app.note(f"{role} ended with {process.returncode}; starting it again")
                again_at[role] = time.monotonic() + RESTART_AFTER_S
                del running[role]
            if role not in running and time.monotonic() >= again_at.get(role, 0.0):
                running[role] = subprocess.Popen([*command, *arguments], stdin=subprocess.DEVNULL)
        stop.wait(0.3)
    for process in running.values():
        process.terminate()
    for process in running.values():
        try:
            process.wait(timeout=40)
        except subprocess.TimeoutExpired:
            process.kill()


COMMAND = up
