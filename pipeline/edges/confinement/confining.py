"""How a child limits itself before it meets a hostile file: time, memory, network, rights, sight, system calls.

Each step is taken as far as the system goes; `holding` says, from inside, how far that was. The full cage shows a
media program nothing but the evidence file, by bubblewrap; the reduced one shows it other files' names and sizes.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import signal
import socket
import struct
import sys
import sysconfig
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from pipeline.edges.confinement import landlock, seccomp

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
PR_SET_PDEATHSIG, PR_CAPBSET_DROP, PR_SET_CHILD_SUBREAPER = 1, 24, 36
CAPABILITY_VERSION: Final = 0x20080522
CAP_DAC_READ_SEARCH: Final = 2
CAPABILITIES_MAX: Final = 64
# An ordinary user's processes and threads together, those outside the cage included; root has no such limit.
THREADS_MAX: Final = 4096
# A filter's descriptor on its way to bubblewrap: beyond the pipes, below the limit of open files.
FILTER_FD: Final = 60
# What a program is told of its surroundings.
ENVIRONMENT: Final = {"LC_ALL": "C.UTF-8", "OMP_NUM_THREADS": "1"}
IN_VIEW: Final = "/in"
OUT_VIEW: Final = "/out"
CODE: Final = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Box:
    """What a media program sees. reads: the evidence, `/in`, `/in2`, ... writes: the folder `/out`, or none.

    bwrap: bubblewrap's path; '' for the reduced cage, in which the files keep their own names.
    program: what may run; libraries: folders of what it is linked with, its loader included;
    loader: what starts linked programs, or ''.
    """

    program: str
    libraries: tuple[str, ...]
    loader: str
    reads: tuple[str, ...] = ()
    writes: str | None = None
    bwrap: str = ""

    def name_of(self, number: int) -> str:
        """What the program calls the file it reads, the first being number 0."""
        if not self.bwrap:
            return self.reads[number]
        return IN_VIEW if number == 0 else f"{IN_VIEW}{number + 1}"

    @property
    def folder(self) -> str:
        """What the program calls the folder it writes to."""
        return OUT_VIEW if self.bwrap else self.writes or ""

    def plain(self) -> dict[str, Any]:
        """As JSON data."""
        return asdict(self)


def box_of(plain: dict[str, Any]) -> Box:
    """The box that `plain` made this of."""
    listed: dict[str, Any] = {name: tuple(one) if isinstance(one, list) else one for name, one in plain.items()}
    return Box(**listed)


# -- steps, each taken once and for good


def limit(*, cpu_s: int, memory_bytes: int, file_bytes: int, nice: int) -> None:
    """Resources are limited, for this process and what it becomes."""
    import resource

    wanted = [
        (resource.RLIMIT_CPU, cpu_s, cpu_s + 2),
        (resource.RLIMIT_AS, memory_bytes, memory_bytes),
        (resource.RLIMIT_FSIZE, file_bytes, file_bytes),
        (resource.RLIMIT_NOFILE, 64, 64),
        (resource.RLIMIT_CORE, 0, 0),
    ]
    if hasattr(resource, "RLIMIT_NPROC"):
        wanted.append((resource.RLIMIT_NPROC, THREADS_MAX, THREADS_MAX))
    for kind, soft, hard in wanted:
        with contextlib.suppress(ValueError, OSError):  # macOS refuses RLIMIT_AS
            resource.setrlimit(kind, (soft, hard))
    if nice:
        os.nice(nice)


def die_with_parent() -> None:
    """The kernel ends this process when the one that started it ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def adopt() -> None:
    """What this process's children leave behind becomes its own child."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)


def leave_network() -> bool:
    """Whether this process is now without any network; not every kernel lets an ordinary user do it."""
    if sys.platform != "linux":
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    return bool(libc.unshare(CLONE_NEWNET) == 0 or libc.unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0)


def give_up_rights() -> None:
    """Of root's capabilities only reading stays, which the view limits; what runs next gains none either."""
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None, use_errno=True)
    for number in range(CAPABILITIES_MAX):
        libc.prctl(PR_CAPBSET_DROP, number, 0, 0, 0)
    libc.prctl(seccomp.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    kept = 1 << CAP_DAC_READ_SEARCH if os.geteuid() == 0 else 0
    header = struct.pack("=Ii", CAPABILITY_VERSION, 0)
    if libc.capset(header, struct.pack("=6I", kept, kept, 0, 0, 0, 0)):
        libc.capset(header, struct.pack("=6I", 0, 0, 0, 0, 0, 0))


def become_reader(reads: Sequence[str], writes: Sequence[str]) -> None:
    """This Python process reads these files and its own installation, writes to these folders, and does little else."""
    if sys.platform != "linux":
        return
    give_up_rights()
    landlock.narrow(reads=[*installation(), *reads], writes=writes)
    _filter(seccomp.READER)


def become(argv: Sequence[str], box: Box) -> None:
    """This process is now the program in its box. Raises OSError where it cannot be started."""
    if box.bwrap:
        os.execve(box.bwrap, _in_bubble(argv, box), {})
    if sys.platform == "linux":
        give_up_rights()
        landlock.narrow(
            reads=[*box.libraries, *SYSTEM_FILES, *box.reads],
            runs=[box.program, *([box.loader] if box.loader else [])],
            writes=[box.writes] if box.writes else [],
        )
        _filter(seccomp.PROGRAM)
    os.execve(argv[0], list(argv), dict(ENVIRONMENT))


def get_ready() -> None:
    """What every child would have to work out is worked out; the keeper calls it before it forks."""
    installation()
    seccomp.machine()


def _filter(allowed: frozenset[str]) -> None:
    """Only listed calls, and so no socket; where there is no filter the network is left (it costs a call 20 ms)."""
    processor = seccomp.machine()
    try:
        if processor is None:
            raise OSError
        seccomp.enter(seccomp.program_for(allowed, processor, os.getpid()))
    except OSError:  # an old kernel or another processor; `holding` tells it
        leave_network()


# -- what is seen

SYSTEM_FILES: Final = ("/etc/ld.so.cache", "/etc/alternatives", "/dev/null", "/dev/urandom")


@functools.cache
def installation() -> tuple[str, ...]:
    """Folders and files that Python itself may need while it reads; never the folder of the checkout."""
    own = [str(CODE / name) for name in ("config", "pipeline")]
    places = [sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")]
    places += [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages", "lib-dynload")]
    system = ("/usr/lib", "/usr/lib64", "/lib", "/lib64", "/usr/local/lib", "/usr/share/zoneinfo", "/etc/localtime")
    return tuple(dict.fromkeys([*own, *places, f"{sys.base_prefix}/lib", *system, *SYSTEM_FILES]))


def _in_bubble(argv: Sequence[str], box: Box) -> list[str]:
    """bubblewrap's arguments: no network, no other process, no file but the evidence, the program and its libraries."""
    shown = [
        "--unshare-user", "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try",
        "--uid", "65534", "--gid", "65534", "--cap-drop", "ALL", "--die-with-parent", "--new-session",
        "--hostname", "cage",
    ]  # fmt: skip
    for name, value in ENVIRONMENT.items():
        shown += ["--setenv", name, value]
    for folder in box.libraries:
        shown += ["--ro-bind", folder, folder]
    for path in SYSTEM_FILES[:2]:
        shown += ["--ro-bind-try", path, path]
    shown += ["--ro-bind", box.program, "/program"]
    for number, path in enumerate(box.reads):
        shown += ["--ro-bind", path, box.name_of(number)]
    if box.writes:
        shown += ["--bind", box.writes, OUT_VIEW, "--chdir", OUT_VIEW]
    return [box.bwrap, *shown, "--remount-ro", "/", "--seccomp", str(_filter_to_read()), "--", "/program", *argv[1:]]


def _filter_to_read() -> int:
    """A descriptor from which bubblewrap reads the filter."""
    processor = seccomp.machine()
    assert processor is not None, "the full cage is offered only where there is a filter"
    read, write = os.pipe()
    os.write(write, seccomp.program_for(seccomp.PROGRAM, processor))
    os.close(write)
    os.dup2(read, FILTER_FD)
    os.close(read)
    return FILTER_FD


# -- what holds, seen from inside


def holding() -> dict[str, bool]:
    """For `doctor` and the trial, called in the cage: what this system takes away from a reader.

    {"network": none is left, "calls": system calls are filtered, "sight": other files cannot be opened}
    """
    return {
        "network": is_without_network(),
        "calls": _is_refused(_start_a_process),
        "sight": not opened_of(["/etc/passwd"]),
    }


def is_without_network() -> bool:
    """Whether caged work has no network interface but a closed loopback, or cannot ask for one."""
    return _is_refused(_reach_out)


def _is_refused(attempt: Callable[[], None]) -> bool:
    try:
        attempt()
    except OSError:
        return True
    return False


def _reach_out() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # TEST-NET-1: no packet leaves for a datagram socket's connect


def _start_a_process() -> None:
    if (child := os.fork()) == 0:
        os._exit(0)
    os.waitpid(child, 0)


def opened_of(paths: Iterable[str]) -> list[str]:
    """Those of the files whose content this process can read; called in the cage."""
    found = []
    for path in paths:
        with contextlib.suppress(OSError), Path(path).open("rb") as stream:
            stream.read(1)
            found.append(path)
    return found


__all__ = [
    "Box", "adopt", "become", "become_reader", "box_of", "die_with_parent", "get_ready", "holding",
    "is_without_network", "leave_network", "limit", "opened_of",
]  # fmt: skip
