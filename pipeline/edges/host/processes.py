"""The processes of this host, as the list of workers names them: whether one has ended, or stands still."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import socket
from pathlib import Path


@functools.cache
def this_host() -> str:
    """This host as far as process numbers go: two containers of one name do not see each other's processes."""
    name = socket.gethostname()
    with contextlib.suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text()[:8]
        return f"{name}/{boot}/{Path('/proc/self/ns/pid').stat().st_ino}"
    return name


def born(pid: int) -> int | None:
    """When this process began, in the kernel's ticks since the boot: a number given anew is another process.

    None where there is no such process or the system does not say.
    """
    said = _said(pid)
    return int(said[19]) if said else None


def is_gone(host: str, pid: int) -> bool:
    """Whether this process of this very host has surely ended; on another host nobody can say."""
    if host != this_host() or os.name != "posix":
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return _said(pid)[:1] == ["Z"]


def stands_still(pid: int, born_at: int | None) -> bool:
    """Whether this very process of this host was stopped and not woken since, as SIGSTOP or a debugger does it."""
    said = _said(pid)
    return bool(said) and said[0] in ("T", "t") and int(said[19]) == born_at


def end(pid: int) -> bool:
    """The process ends at once, stopped or not; False where it is gone already or another user's."""
    try:
        os.kill(pid, signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
    except OSError:
        return False
    return True


def _said(pid: int) -> list[str]:
    """What Linux says of a process, from its state on; empty where there is nothing to read.

    Source: proc(5), /proc/pid/stat, from the third field on.
    """
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
