"""A PostgreSQL server for one bench, on loopback, which keeps its word (fsync on)."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa


@contextmanager
def server() -> Iterator[tuple[str, int]]:
    """Its address and the number of its process."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    found = shutil.which("initdb") or (str(programs[-1]) if programs else None)
    if found is None:
        raise SystemExit("PostgreSQL is not installed; on Debian: apt-get install postgresql")
    folder = Path(tempfile.mkdtemp(prefix="casereel-bench-"))
    as_whom: dict[str, str] = {}
    if os.name == "posix" and os.geteuid() == 0:
        # PostgreSQL refuses to run as root; its Debian package made this user.
        as_whom = {"user": "postgres", "group": "postgres"}
        shutil.chown(folder, "postgres", "postgres")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    begin = [found, "-D", folder / "data", "-A", "trust", "-U", "casereel", "-E", "UTF8", "--no-sync"]
    subprocess.run(begin, check=True, capture_output=True, cwd=folder, **as_whom)
    run = [Path(found).resolve().parent / "postgres", "-D", folder / "data", "-p", str(port), "-k", folder]
    process = subprocess.Popen(
        [*run, "-c", "listen_addresses=127.0.0.1", "-c", "shared_buffers=512MB"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder, **as_whom,
    )  # fmt: skip
    address = f"postgresql+psycopg://casereel@127.0.0.1:{port}/postgres"
    try:
        _wait_for(address)
        yield address, process.pid
    finally:
        process.send_signal(signal.SIGQUIT)
        process.wait(timeout=60)
        shutil.rmtree(folder, ignore_errors=True)


def _wait_for(address: str) -> None:
    for _ in range(200):
        try:
            with sa.create_engine(address, poolclass=sa.NullPool).connect():
                return
        except sa.exc.OperationalError:
            time.sleep(0.1)
    raise SystemExit("PostgreSQL does not start")
