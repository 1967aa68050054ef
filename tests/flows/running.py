"""Runs the roles as processes of their own, and looks at what they left behind."""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.conftest import QUICK
from tests.flows.nursery import Nursery, Role
from workers.bootstrap import Home

ROOT = Path(__file__).resolve().parents[2]
AT_REST = {"ready", "attention"}


class Roles:
    """Roles of one home, each a process that is started again when it ends, as `up` does.

    nursery: they are forked from it instead of started from nothing.
    """

    def __init__(
        self, home: Path, roles: list[str], environ: dict[str, str] | None = None, *, nursery: Nursery | None = None
    ) -> None:
        self.home, self.environ = home, {**os.environ, **QUICK, **(environ or {})}
        self.wanted = dict(enumerate(roles))
        self.processes: dict[int, subprocess.Popen[bytes] | Role] = {}
        self._nursery = nursery
        self.errors = (home / "roles.log").open("ab")

    def keep_up(self) -> None:
        """Every wanted role runs."""
        for number, role in self.wanted.items():
            process = self.processes.get(number)
            if process is None or process.poll() is not None:
                self.processes[number] = self._start(["--home", str(self.home), *role.split()])

    def _start(self, arguments: list[str]) -> subprocess.Popen[bytes] | Role:
        if self._nursery is not None:
            return self._nursery.start(arguments, self.environ)
        return subprocess.Popen(
            [sys.executable, "-m", "workers", *arguments],
            cwd=ROOT, env=self.environ, stdout=subprocess.DEVNULL, stderr=self.errors, start_new_session=True,
        )  # fmt: skip

    def kill_one(self, chance: random.Random) -> str:
        """Ends one process at random by SIGKILL, a role or anything below it; the role's name or its command line."""
        for _ in range(100):
            found = [
                pid for process in self.processes.values() if process.poll() is None for pid in family(process.pid)
            ]
            if found:
                pid = chance.choice(found)
                with contextlib.suppress(OSError):
                    said = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                    if said:  # not one that has ended and waits to be collected
                        os.kill(pid, signal.SIGKILL)
                        return next((self.wanted[n] for n, one in self.processes.items() if one.pid == pid), said)
            time.sleep(0.1)
        raise AssertionError("no process was left to be ended")

    def stop(self) -> None:
        """Every role ended politely."""
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            try:
                process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.errors.close()

    def __enter__(self) -> Roles:
        self.keep_up()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def family(pid: int) -> list[int]:
    """The process and all that it started."""
    found = [pid]
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                found += family(int(child))
    return found


def wait_until(
    holds: Callable[[], bool], timeout_s: float, what: str, tick: Callable[[], None] = lambda: None
) -> float:
    """Seconds until it held. Raises AssertionError where it did not within the time."""
    started = time.monotonic()
    while not holds():
        tick()
        if time.monotonic() - started > timeout_s:
            raise AssertionError(f"not within {timeout_s} s: {what}")
        time.sleep(0.1)
    return time.monotonic() - started


def digests_below(folder: Path) -> dict[str, list[Path]]:
    """Digest -> files with it, of every visible file below the folder."""
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.name.startswith("."):
            found.setdefault(hashlib.sha256(path.read_bytes()).hexdigest(), []).append(path)
    return found


def at_rest(home: Home) -> bool:
    """Whether there is an original and every one of them has come to rest."""
    counts = home.catalog.counts()
    return bool(counts) and set(counts) <= AT_REST and not home.catalog.at_work(sorted(home.catalog.digests().values()))


def leftovers(home: Home) -> list[Path]:
    """Temporary files: nothing of these may be left once nobody works."""
    return [
        path
        for folder in (home.vault.staging.root, home.settings.home / "scratch")
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".lock"
    ]


@contextlib.contextmanager
def paused(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """The process and its threads stand still while the block runs."""
    os.kill(process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process.pid, signal.SIGCONT)
