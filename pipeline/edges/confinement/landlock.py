"""A process's own view of the file system, narrowed for good: Landlock, asked of the kernel directly.

Needs no rights and no namespaces, so it works in containers and for ordinary users, from Linux 5.13 on.
Not covered: names and sizes of files can still be asked for (stat), and files that are open stay open.
Source: linux/landlock.h; Documentation/userspace-api/landlock.rst of Linux 6.12.
"""

from __future__ import annotations

import ctypes
import os
import stat
import struct
import sys
from collections.abc import Iterable
from typing import Final

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
VERSION_FLAG: Final = 1
PATH_BENEATH: Final = 1
PR_SET_NO_NEW_PRIVS: Final = 38

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1, 1 << 1, 1 << 2, 1 << 3
REMOVE_FILE, MAKE_REG, TRUNCATE = 1 << 5, 1 << 8, 1 << 14
ON_A_FILE: Final = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE
TO_READ: Final = READ_FILE | READ_DIR
TO_RUN: Final = READ_FILE | EXECUTE
TO_WRITE: Final = READ_FILE | READ_DIR | WRITE_FILE | TRUNCATE | MAKE_REG | REMOVE_FILE

# How many rights over files each version knows: new ones are refused too, as far as the kernel can.
_FILE_RIGHTS: Final = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
_TCP: Final = 0b11
_SCOPES: Final = 0b11  # abstract sockets and signals


def version() -> int:
    """Which Landlock the kernel offers; 0 where it offers none."""
    if sys.platform != "linux":
        return 0
    return max(0, int(ctypes.CDLL(None, use_errno=True).syscall(CREATE_RULESET, None, 0, VERSION_FLAG)))


def narrow(*, reads: Iterable[str] = (), runs: Iterable[str] = (), writes: Iterable[str] = ()) -> int:
    """From now on this process opens nothing else; the version by which it was done, 0 where it could not be.

    Each a file or a folder with all below it; what does not exist is passed over. runs: programs it may become.
    writes: folders where plain files may be made; no links, no devices.
    """
    offered = version()
    if not offered:
        return 0
    libc = ctypes.CDLL(None, use_errno=True)
    rights = (1 << _FILE_RIGHTS[min(offered, 5)]) - 1
    handled = struct.pack("=QQQ", rights, _TCP if offered >= 4 else 0, _SCOPES if offered >= 6 else 0)
    handled = handled[: 8 if offered < 4 else 16 if offered < 6 else 24]
    ruleset = libc.syscall(CREATE_RULESET, handled, len(handled), 0)
    if ruleset < 0:
        return 0
    try:
        for paths, wanted in ((reads, TO_READ), (runs, TO_RUN), (writes, TO_WRITE)):
            for path in paths:
                _allow(libc, ruleset, path, wanted & rights)
        done = not libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) and not libc.syscall(RESTRICT_SELF, ruleset, 0)
        return offered if done else 0
    finally:
        os.close(ruleset)


def _allow(libc: ctypes.CDLL, ruleset: int, path: str, rights: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not stat.S_ISDIR(os.fstat(place).st_mode):
            rights &= ON_A_FILE
        libc.syscall(ADD_RULE, ruleset, PATH_BENEATH, struct.pack("=Qi", rights, place), 0)
    finally:
        os.close(place)


__all__ = ["narrow", "version"]
