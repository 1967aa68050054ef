"""The system calls that caged work may make: an allow-list as a filter of classic BPF, put together here.

A call that is not listed fails (EPERM); one newer than the table is unknown (ENOSYS), so that the C library takes
its older way. There is no way out of a filter, and what is started under one stays under it.
Not covered: other processors than x86_64 and aarch64; there the cage goes without a filter, and says so.
Sources: linux/seccomp.h, linux/filter.h, linux/audit.h; call numbers from asm/unistd_64.h and asm-generic/unistd.h.
"""

from __future__ import annotations

import ctypes
import errno
import platform
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

# name: (x86_64, aarch64), None where the processor has no such call.
CALLS: Final[dict[str, tuple[int | None, int | None]]] = {
    "read": (0, 63), "write": (1, 64), "close": (3, 57), "fstat": (5, 80), "lstat": (6, None), "stat": (4, None),
    "newfstatat": (262, 79), "statx": (332, 291), "lseek": (8, 62), "pread64": (17, 67), "pwrite64": (18, 68),
    "readv": (19, 65), "writev": (20, 66), "mmap": (9, 222), "mprotect": (10, 226), "munmap": (11, 215),
    "mremap": (25, 216), "madvise": (28, 233), "brk": (12, 214), "open": (2, None), "openat": (257, 56),
    "access": (21, None), "faccessat": (269, 48), "faccessat2": (439, 439), "readlink": (89, None),
    "readlinkat": (267, 78), "getcwd": (79, 17), "getdents": (78, None), "getdents64": (217, 61), "fcntl": (72, 25),
    "ioctl": (16, 29), "dup": (32, 23), "dup2": (33, None), "dup3": (292, 24), "pipe": (22, None),
    "pipe2": (293, 59), "poll": (7, None), "ppoll": (271, 73), "select": (23, None), "pselect6": (270, 72),
    "epoll_create1": (291, 20), "epoll_ctl": (233, 21), "epoll_wait": (232, None), "epoll_pwait": (281, 22),
    "eventfd2": (290, 19), "futex": (202, 98), "set_robust_list": (273, 99), "get_robust_list": (274, 100),
    "rseq": (334, 293), "set_tid_address": (218, 96), "clone": (56, 220), "clone3": (435, 435), "exit": (60, 93),
    "exit_group": (231, 94), "wait4": (61, 260), "waitid": (247, 95), "kill": (62, 129), "tgkill": (234, 131),
    "gettid": (186, 178), "getpid": (39, 172), "getppid": (110, 173), "getuid": (102, 174), "geteuid": (107, 175),
    "getgid": (104, 176), "getegid": (108, 177), "getresuid": (118, 148), "getresgid": (120, 150),
    "rt_sigaction": (13, 134), "rt_sigprocmask": (14, 135), "rt_sigreturn": (15, 139), "rt_sigpending": (127, 136),
    "sigaltstack": (131, 132), "restart_syscall": (219, 128), "sched_getaffinity": (204, 123),
    "sched_setaffinity": (203, 122), "sched_yield": (24, 124), "sched_getparam": (143, 121),
    "sched_getscheduler": (145, 120), "sched_get_priority_max": (146, 125), "sched_get_priority_min": (147, 126),
    "clock_gettime": (228, 113), "clock_getres": (229, 114), "clock_nanosleep": (230, 115), "nanosleep": (35, 101),
    "gettimeofday": (96, 169), "time": (201, None), "times": (100, 153), "getrusage": (98, 165), "uname": (63, 160),
    "sysinfo": (99, 179), "getrandom": (318, 278), "arch_prctl": (158, None), "prctl": (157, 167),
    "prlimit64": (302, 261), "getrlimit": (97, 163), "ftruncate": (77, 46), "fallocate": (285, 47),
    "fadvise64": (221, 223), "fsync": (74, 82), "fdatasync": (75, 83), "fstatfs": (138, 44), "statfs": (137, 43),
    "unlink": (87, None), "unlinkat": (263, 35), "rename": (82, None), "renameat": (264, 38),
    "renameat2": (316, 276), "umask": (95, 166), "membarrier": (324, 283), "execve": (59, 221),
    "set_mempolicy": (238, 237), "mbind": (237, 235), "get_mempolicy": (239, 236),
}  # fmt: skip
# Allowed with any arguments to readers in Python. Nothing here opens a socket, starts a process, traces or mounts.
_JUDGED: Final = frozenset(("clone", "clone3", "ioctl", "prctl", "prlimit64", "kill", "tgkill", "mmap", "mprotect"))
_PROGRAMS_ONLY: Final = frozenset(("execve", "set_mempolicy", "mbind", "get_mempolicy"))
READER: Final = frozenset(CALLS) - _JUDGED - _PROGRAMS_ONLY
# A media program is started under its filter already, and x265 asks where memory lies.
PROGRAM: Final = READER | _PROGRAMS_ONLY

NEWEST_KNOWN: Final = 462
CLONE_THREAD: Final = 0x10000
CLONE_NEW: Final = 0x7E020000
# Of ioctl: what a terminal is, how much waits, close on exec. Never TIOCSTI, which types into a terminal.
IOCTLS: Final = (0x5401, 0x802C542A, 0x5413, 0x541B, 0x5450, 0x5451, 0x5421)
# Of prctl: thread names, names of memory, whether a core may be written.
PRCTLS: Final = (15, 16, 3, 0x53564D41)
WRITE_AND_RUN: Final = 0x2 | 0x4

_AUDIT: Final = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
X32_BIT: Final = 0x40000000
_LOAD, _EQUAL, _GREATER, _ANY_BIT, _AND, _RETURN = 0x20, 0x15, 0x25, 0x45, 0x54, 0x06
ALLOW: Final = 0x7FFF0000
KILL: Final = 0x80000000
ERRNO: Final = 0x00050000
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2


@dataclass(frozen=True)
class _Step:
    """One instruction; where a jump is taken, `skip` steps are left out."""

    code: int
    value: int
    skip: int = 0
    skip_else: int = 0

    def packed(self) -> bytes:
        return struct.pack("=HBBI", self.code, self.skip, self.skip_else, self.value)


def machine() -> str | None:
    """This processor as the tables name it; None where the filter is not made for it."""
    if sys.platform != "linux" or sys.maxsize < 2**32:
        return None
    name = {"arm64": "aarch64", "amd64": "x86_64"}.get(platform.machine().lower(), platform.machine().lower())
    return name if name in _AUDIT else None


def program_for(allowed: frozenset[str], processor: str, own_pid: int | None = None) -> bytes:
    """The filter as the kernel takes it, 8 bytes an instruction.

    allowed: READER or PROGRAM. own_pid: the only process that may be sent a signal; None in a process-id namespace
    of its own, where threads may signal one another.
    """
    column = list(_AUDIT).index(processor)
    steps = [
        _Step(_LOAD, 4),
        _Step(_EQUAL, _AUDIT[processor], 1),
        _Step(_RETURN, KILL),
        _Step(_LOAD, 0),
        # The x32 variants of the calls have numbers of their own.
        *([_Step(_GREATER, X32_BIT - 1, 0, 1), _Step(_RETURN, KILL)] if processor == "x86_64" else []),
    ]
    for name in sorted(allowed):
        if (number := CALLS[name][column]) is not None:
            steps += [_Step(_EQUAL, number, 0, 1), _Step(_RETURN, ALLOW)]
    for name, judging in _judged(own_pid):
        if (number := CALLS[name][column]) is not None:
            body = list(judging)
            steps += [_Step(_EQUAL, number, 0, len(body)), *body]
    steps += [
        _Step(_GREATER, NEWEST_KNOWN, 0, 1),
        _Step(_RETURN, ERRNO | errno.ENOSYS),
        _Step(_RETURN, ERRNO | errno.EPERM),
    ]
    return b"".join(step.packed() for step in steps)


def _judged(own_pid: int | None) -> Iterator[tuple[str, Iterator[_Step]]]:
    """(call, the steps that judge its arguments); each ends in a verdict."""
    yield "clone3", iter([_Step(_RETURN, ERRNO | errno.ENOSYS)])  # its flags lie in memory, out of a filter's sight
    yield "clone", _thread_only()
    yield "ioctl", _one_of(1, IOCTLS)
    yield "prctl", _one_of(0, PRCTLS)
    yield "prlimit64", _one_of(0, (0,))
    yield "mmap", _not_all(2, WRITE_AND_RUN)
    yield "mprotect", _not_all(2, WRITE_AND_RUN)
    if own_pid is None:
        yield "tgkill", iter([_Step(_RETURN, ALLOW)])
    else:
        yield "tgkill", _one_of(0, (own_pid,))
        yield "kill", _one_of(0, (own_pid,))


def _argument(number: int) -> _Step:
    return _Step(_LOAD, 16 + 8 * number)  # its lower half; both processors have it first


def _one_of(argument: int, values: tuple[int, ...]) -> Iterator[_Step]:
    yield _argument(argument)
    for value in values:
        yield _Step(_EQUAL, value, 0, 1)
        yield _Step(_RETURN, ALLOW)
    yield _Step(_RETURN, ERRNO | errno.EPERM)


def _thread_only() -> Iterator[_Step]:
    yield _argument(0)
    yield _Step(_ANY_BIT, CLONE_NEW, 2)
    yield _Step(_ANY_BIT, CLONE_THREAD, 0, 1)
    yield _Step(_RETURN, ALLOW)
    yield _Step(_RETURN, ERRNO | errno.EPERM)


def _not_all(argument: int, bits: int) -> Iterator[_Step]:
    yield _argument(argument)
    yield _Step(_AND, bits)
    yield _Step(_EQUAL, bits, 0, 1)
    yield _Step(_RETURN, ERRNO | errno.EPERM)
    yield _Step(_RETURN, ALLOW)


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("steps", ctypes.c_void_p))


def enter(program: bytes) -> None:
    """This process, and all that it becomes, makes only the calls that the filter allows.

    Raises OSError where the kernel takes no filters.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    steps = ctypes.create_string_buffer(program, len(program))
    filled = _Program(len(program) // 8, ctypes.cast(steps, ctypes.c_void_p))
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(
        PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(filled), 0, 0
    ):
        raise OSError(ctypes.get_errno(), "the kernel takes no filter of system calls")


__all__ = ["ALLOW", "CALLS", "ERRNO", "KILL", "PROGRAM", "READER", "enter", "machine", "program_for"]
