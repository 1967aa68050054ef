"""File events of one tree: a hint where to look, and word of when hints were lost.

On Linux our own reader of inotify(7): watchdog 7.1 tells nobody that the kernel's queue ran over, and asks for so
many kinds of events that it runs over three times as soon. Elsewhere watchdog. Neither is believed: the scan is.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import queue
import select
import struct
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

IN_CLOSE_WRITE, IN_MOVED_FROM, IN_MOVED_TO, IN_CREATE = 0x8, 0x40, 0x80, 0x100
IN_DELETE_SELF, IN_MOVE_SELF, IN_UNMOUNT, IN_Q_OVERFLOW, IN_IGNORED = 0x400, 0x800, 0x2000, 0x4000, 0x8000
IN_ONLYDIR, IN_DONT_FOLLOW, IN_EXCL_UNLINK, IN_ISDIR = 0x1000000, 0x2000000, 0x4000000, 0x40000000
# Two events a new file; the kernel's default queue of 16,384 then holds some 8,000 of them.
MASK: Final = (
    IN_CLOSE_WRITE | IN_MOVED_FROM | IN_MOVED_TO | IN_CREATE | IN_DELETE_SELF | IN_MOVE_SELF
    | IN_ONLYDIR | IN_DONT_FOLLOW | IN_EXCL_UNLINK
)  # fmt: skip
HEADER: Final = struct.Struct("iIII")  # inotify(7): wd, mask, cookie, length of the name
READ_BYTES: Final = 1 << 18
HINTS_MAX: Final = 20_000  # more wait for the scan
LIMITS: Final = Path("/proc/sys/fs/inotify")


@dataclass(frozen=True)
class Heard:
    """paths: look there; folders among them are walked. lost: hints are missing, so that only a
    scan will do; overflow: because they came faster than they were read."""

    paths: tuple[bytes, ...] = ()
    lost: bool = False
    overflow: bool = False


class Ears(Protocol):
    """File events of one tree."""

    @property
    def attended(self) -> int | None:
        """How many folders are heard, each of which counts against the system's limit; None where none does."""

    def attend(self, folder: bytes) -> None:
        """Events of this folder are heard. Raises OSError with ENOSPC or EMFILE at the system's limit."""

    def heard(self, timeout_s: float) -> Heard:
        """What came, waiting so long for it. Raises OSError where it stopped working."""

    def close(self) -> None:
        """Nothing is held."""


def open_ears(root: Path) -> Ears:
    """The ears of this system for this tree. Raises OSError where the system gives none."""
    return Inotify() if sys.platform == "linux" else Watchdog(root)


class Inotify:
    """Our own reader. Folders are attended one by one, as the scan comes to them."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._fd = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._fd < 0:
            raise _system_error("inotify_init1")
        self._first = 0
        self._folders: dict[int, bytes] = {}
        self._poll = select.poll()
        self._poll.register(self._fd, select.POLLIN)

    @property
    def attended(self) -> int | None:
        return len(self._folders)

    def attend(self, folder: bytes) -> None:
        wd = self._libc.inotify_add_watch(self._fd, folder, MASK)
        if wd >= 0:
            self._first = self._first or wd
            self._folders[wd] = folder
        elif ctypes.get_errno() not in (errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.ELOOP):
            raise _system_error("inotify_add_watch")  # those four the scan meets and tells itself

    def heard(self, timeout_s: float) -> Heard:
        if not self._poll.poll(timeout_s * 1000):
            return Heard()
        paths: dict[bytes, None] = {}
        lost = overflow = False
        while True:
            try:
                data = os.read(self._fd, READ_BYTES)
            except BlockingIOError:
                return Heard(tuple(paths), lost or overflow, overflow)
            at = 0
            while at < len(data):
                wd, mask, _, length = HEADER.unpack_from(data, at)
                name = data[at + HEADER.size : at + HEADER.size + length].rstrip(b"\0")
                at += HEADER.size + length
                overflow |= bool(mask & IN_Q_OVERFLOW)
                # The root is attended first: when it goes, the scan must say so.
                lost |= bool(mask & (IN_UNMOUNT | IN_DELETE_SELF | IN_MOVE_SELF)) and wd == self._first
                self._note(wd, mask, name, paths)
            if len(paths) >= HINTS_MAX:
                return Heard((), True, True)

    def _note(self, wd: int, mask: int, name: bytes, paths: dict[bytes, None]) -> None:
        folder = self._folders.get(wd)
        if mask & IN_IGNORED:
            self._folders.pop(wd, None)
        elif folder is not None and mask & IN_MOVED_FROM and mask & IN_ISDIR:
            self._forget_below(folder + b"/" + name)
        elif folder is not None and name and not mask & IN_MOVED_FROM:
            paths[folder + b"/" + name] = None

    def _forget_below(self, moved: bytes) -> None:
        """A folder that was moved keeps its watch under a name that is wrong now; where it went, it is found anew."""
        for wd, folder in list(self._folders.items()):
            if folder == moved or folder.startswith(moved + b"/"):
                self._libc.inotify_rm_watch(self._fd, wd)

    def close(self) -> None:
        if self._fd >= 0:
            with contextlib.suppress(OSError):
                os.close(self._fd)
            self._fd = -1


class Watchdog:
    """watchdog's observer, which listens to the whole tree by itself."""

    def __init__(self, root: Path) -> None:
        from watchdog.events import FileSystemEvent, FileSystemEventHandler
        from watchdog.observers import Observer

        hints: queue.Queue[bytes | None] = queue.Queue(HINTS_MAX)

        class Hinter(FileSystemEventHandler):
            """It never raises, for that would end the observer's thread."""

            def on_any_event(self, event: FileSystemEvent) -> None:
                if event.event_type in ("opened", "closed_no_write", "deleted"):
                    return
                with contextlib.suppress(queue.Full):  # a full queue is noticed by its reader
                    hints.put_nowait(os.fsencode(getattr(event, "dest_path", "") or event.src_path))

        self._hints = hints
        self._observer: Any = Observer()
        self._observer.daemon = True
        self._observer.start()
        try:
            self._observer.schedule(Hinter(), str(root), recursive=True)
        except OSError:
            self.close()
            raise

    @property
    def attended(self) -> int | None:
        return None

    def attend(self, folder: bytes) -> None:
        """The observer follows new folders by itself."""

    def heard(self, timeout_s: float) -> Heard:
        """Raises OSError where the observer or an emitter of it has died, which looks alive from outside."""
        if not self._observer.is_alive() or not all(one.is_alive() for one in self._observer.emitters):
            raise OSError(errno.EPIPE, "the file events stopped")
        lost = self._hints.full()
        paths: dict[bytes, None] = {}
        with contextlib.suppress(queue.Empty):
            while True:
                path = self._hints.get(timeout=0 if paths else max(timeout_s, 0.001))
                if path is not None:
                    paths[path] = None
        return Heard(tuple(paths), lost, lost)

    def close(self) -> None:
        with contextlib.suppress(RuntimeError):
            self._observer.stop()
            self._observer.join(timeout=5)


def limits() -> dict[str, int]:
    """The system's limits of inotify by their names; empty where it has none."""
    found: dict[str, int] = {}
    for name in ("max_user_watches", "max_user_instances", "max_queued_events"):
        with contextlib.suppress(OSError, ValueError):
            found[name] = int((LIMITS / name).read_text())
    return found


def remedy_of(error: OSError) -> tuple[str, str]:
    """(what to do, the same in Chinese) where the system gave no ears, with the line to type."""
    have = limits()
    name, wanted = ("max_user_instances", 1024) if error.errno == errno.EMFILE else ("max_user_watches", 524_288)
    line = f"sysctl -w fs.inotify.{name}={max(wanted, 2 * have.get(name, 0))}"
    return (
        f"the limit fs.inotify.{name} = {have.get(name, '?')} is used up; as administrator: {line}",
        f"系统限制 fs.inotify.{name} = {have.get(name, '?')} 已用尽；请管理员执行：{line}",
    )


def _system_error(call: str) -> OSError:
    code = ctypes.get_errno()
    return OSError(code, os.strerror(code), call)
