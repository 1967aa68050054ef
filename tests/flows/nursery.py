"""Starts roles by forking a process that has imported everything: a role is at work within a tenth of a second.

Started anew from nothing, a role spends most of a short life on imports; nearly every SIGKILL would hit those.
Orders come as JSON lines on standard input, each an object of `arguments` and `environ`; the answer is the role's pid.
"""

from __future__ import annotations

import json
import os
import pkgutil
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class Role:
    """One forked role, as much like `subprocess.Popen` as the tests ask."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def poll(self) -> int | None:
        """None while it runs. The nursery collects the ended, so their pid is no process any more."""
        try:
            state = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return 0
        return 0 if state in "ZX" else None

    def terminate(self) -> None:
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        self._send(signal.SIGKILL)

    def _send(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def wait(self, timeout: float = 60.0) -> None:
        waited = threading.Event()
        for _ in range(int(timeout * 20)):
            if self.poll() is not None:
                return
            waited.wait(0.05)
        raise subprocess.TimeoutExpired(str(self.pid), timeout)


class Nursery:
    """The process that roles are forked from."""

    def __init__(self, errors: Path) -> None:
        with errors.open("ab") as stream:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.flows.nursery"], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=stream,
            )  # fmt: skip

    def start(self, arguments: Sequence[str], environ: Mapping[str, str]) -> Role:
        """A role at work."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"arguments": list(arguments), "environ": dict(environ)}).encode() + b"\n")
        self._process.stdin.flush()
        return Role(int(self._process.stdout.readline()))

    def close(self) -> None:
        """The nursery has ended."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=60)


def _import_all() -> None:
    import workers

    for _, name, is_package in pkgutil.walk_packages(workers.__path__, "workers."):
        if not is_package and not name.endswith("__main__"):
            import_module(name)
    for package in ("pipeline", "indexer"):
        for _, name, _ in pkgutil.walk_packages(import_module(package).__path__, f"{package}."):
            if ".versions." not in name and not name.endswith(("migrations.env", "__main__")):
                import_module(name)


def _live(order: Mapping[str, object]) -> None:
    from workers.cli import main

    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    os.environ.clear()
    os.environ.update(order["environ"])  # type: ignore[call-overload]
    sys.argv = ["casereel", *order["arguments"]]  # type: ignore[misc]
    try:
        main()
    except SystemExit as end:
        os._exit(end.code if isinstance(end.code, int) else 1)
    except BaseException:
        import traceback

        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def _nurse() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel collects the ended
    _import_all()
    orders = os.fdopen(os.dup(0), "rb")
    answers = os.dup(1)
    os.set_inheritable(answers, False)
    while line := orders.readline():
        pid = os.fork()
        if pid == 0:
            orders.close()
            os.close(answers)
            _live(json.loads(line))
        os.write(answers, b"%d\n" % pid)


if __name__ == "__main__":
    _nurse()
