"""Folders that files are taken from, and those files, by handle: names are raw bytes, and no link is ever followed.

A folder is opened once for a scan or a batch; everything below it is opened part by part from there (`openat`,
O_NOFOLLOW), so a folder that is swapped for a link between look and opening leads nowhere, and no path is too long.
The handle is not kept between batches, for a card whose folder is held open cannot be ejected.
Where the system has no handles of folders (Windows), every part of the path is looked at before and after the
opening, and the file is opened with a share mode that refuses writers.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from pipeline.edges import failpoint
from pipeline.edges.host import disk
from pipeline.errors import CasereelError, TryAgain

BY_HANDLE: Final = os.open in os.supports_dir_fd and os.stat in os.supports_dir_fd and os.scandir in os.supports_fd
# O_PATH: a folder that may be passed and not listed is enough to reach what lies below it.
PASSED: Final = (
    getattr(os, "O_PATH", os.O_RDONLY)
    | getattr(os, "O_DIRECTORY", 0)
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_CLOEXEC", 0)
)
LISTED: Final = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)


@dataclass(frozen=True)
class Identity:
    """What tells one state of a file from another. Source: fstat(2)."""

    device: int
    inode: int
    size_bytes: int
    mtime_ns: int
    ctime_ns: int

    @classmethod
    def of(cls, status: os.stat_result) -> Identity:
        return cls(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


class NotTaken(CasereelError):
    """What lies there is never taken in (a link, a pipe, another disk): it stays where it is, and is named."""


class SourceChanged(TryAgain):
    """The file changed while it was read: it is still being written."""


@dataclass(frozen=True)
class Found:
    """One thing below a folder that is no folder to descend into.

    name: raw bytes relative to the folder, `/` between parts. status: by lstat, None where it could not be had.
    fault: why a folder of this name was not descended into, None for anything else.
    """

    name: bytes
    status: os.stat_result | None
    fault: CasereelError | OSError | None = None


class OpenFolder:
    """A folder by handle; the only way to it is the path it was opened with, the way below it follows no link.

    by_handle: False makes it work as on systems without handles of folders.
    """

    def __init__(self, path: Path, *, other_disks: bool = False, by_handle: bool = BY_HANDLE) -> None:
        self.path, self._other_disks = path, other_disks
        self._fd = os.open(path, LISTED & ~getattr(os, "O_NOFOLLOW", 0)) if by_handle else None
        self._top = path.stat() if self._fd is None else os.fstat(self._fd)
        if not stat.S_ISDIR(self._top.st_mode):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))

    @property
    def owner(self) -> int:
        """The numeric user that the folder belongs to."""
        return self._top.st_uid

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """The handle is given back."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    # -- looking

    def status(self, name: bytes) -> os.stat_result:
        """What lies under this name now, links not followed.

        Raises FileNotFoundError, NotTaken where the way to it leads over a link or to another disk.
        """
        with self._holding(name) as (folder, last):
            return os.stat(last, dir_fd=folder, follow_symlinks=False)

    def files(
        self,
        skip: Callable[[bytes], bool] = lambda _: False,
        below: bytes = b"",
        enter: Callable[[bytes], None] = lambda _: None,
    ) -> Iterator[Found]:
        """Everything below that is no folder, in the order of the names; folders that cannot be entered, with why.

        skip: asked with each bare name; what it says yes to is left out with all below it. below: only what lies
        under this name. enter: told of each folder's name before it is listed.
        Raises OSError where the folder itself cannot be listed, NotTaken as `status`.
        """
        enter(below)
        waiting = [(below + b"/" if below else b"", self._listed(below))]
        while waiting:
            above, entries = waiting[-1]
            if not entries:
                waiting.pop()
                continue
            bare, status = entries.pop()
            name = above + bare
            if skip(bare):
                continue
            if not stat.S_ISDIR(status.st_mode):
                failpoint.at("scan.found")
                yield Found(name, status)
                continue
            try:
                enter(name)
                waiting.append((name + b"/", self._listed(name)))
            except (NotTaken, OSError) as error:
                if not isinstance(error, FileNotFoundError):
                    yield Found(name, status, error)

    def _listed(self, name: bytes) -> list[tuple[bytes, os.stat_result]]:
        """(bare name, status) of what the folder of this name holds, last name first."""
        with self._folder(name, LISTED) as folder, os.scandir(folder) as entries:
            found = []
            for entry in entries:
                with contextlib.suppress(FileNotFoundError):
                    # On Windows the listing carries no file numbers; only a stat of its own does.
                    status = entry.stat(follow_symlinks=False) if self._fd is not None else os.lstat(entry.path)
                    found.append((os.fsencode(entry.name), status))
        return sorted(found, key=lambda one: one[0], reverse=True)

    # -- opening

    @contextlib.contextmanager
    def opened(self, name: bytes) -> Iterator[OpenFile]:
        """The file of this name, for reading. A pipe is never opened and a device never touched.

        Raises NotTaken where it is no regular file, SourceChanged where another file took its place between look
        and opening, or where the system says by its share mode that somebody has it open; OSError as open(2).
        """
        with self._holding(name) as (folder, last):
            looked = os.stat(last, dir_fd=folder, follow_symlinks=False)
            if not stat.S_ISREG(looked.st_mode):
                raise NotTaken(_what_it_is(looked.st_mode), kind="not_regular")
            failpoint.at("open.looked")
            fd = _open_reading(last, folder)
        try:
            status = os.fstat(fd)
            if (status.st_dev, status.st_ino) != (looked.st_dev, looked.st_ino) or not stat.S_ISREG(status.st_mode):
                raise SourceChanged("Another file took its place at this moment")
            if self._fd is None:
                self._require_plain_way(name)
            yield OpenFile(self, name, fd, status)
        finally:
            os.close(fd)

    @contextlib.contextmanager
    def _holding(self, name: bytes) -> Iterator[tuple[int | None, bytes | str]]:
        """(handle of the folder that holds it, its bare name); without handles (None, its whole path)."""
        above, _, last = name.rpartition(b"/")
        if self._fd is None:
            self._require_plain_way(name)
            yield None, str(self._path_of(name))
            return
        with self._folder(above, PASSED) as folder:
            assert isinstance(folder, int)
            yield folder, last

    @contextlib.contextmanager
    def _folder(self, name: bytes, flags: int) -> Iterator[int | str]:
        """The folder of this name, as `scandir` and `dir_fd` take it."""
        if self._fd is None:
            self._require_plain_way(name + b"/x" if name else b"x")
            yield str(self._path_of(name))
            return
        fd = os.open(b".", flags, dir_fd=self._fd)
        try:
            parts = name.split(b"/") if name else []
            for number, part in enumerate(parts, 1):
                deeper = _open_folder(part, flags if number == len(parts) else PASSED, fd)
                os.close(fd)
                fd = deeper
            self._require_same_disk(os.fstat(fd))
            yield fd
        finally:
            os.close(fd)

    def _require_plain_way(self, name: bytes) -> None:
        """Returns where no folder on the way to the name is a link."""
        way = self.path
        for part in name.split(b"/")[:-1]:
            way = way / os.fsdecode(part)
            status = os.lstat(way)
            if not stat.S_ISDIR(status.st_mode) or getattr(status, "st_reparse_tag", False):
                raise NotTaken(A_LINK_ON_THE_WAY, kind="link_on_the_way")
            self._require_same_disk(status)

    def _require_same_disk(self, status: os.stat_result) -> None:
        if status.st_dev != self._top.st_dev and not self._other_disks:
            raise NotTaken(
                "it lies on another disk than the folder above it; intake.other_disks = true takes it in",
                kind="other_disk",
            )

    def _path_of(self, name: bytes) -> Path:
        return self.path / os.fsdecode(name) if name else self.path


class OpenFile:
    """A file of a folder, open for reading. status: when it was opened."""

    def __init__(self, folder: OpenFolder, name: bytes, fd: int, status: os.stat_result) -> None:
        self._folder, self._name = folder, name
        self.fd, self.status = fd, status
        self.identity = Identity.of(status)

    def written(self) -> bool | None:
        """Whether somebody has it open for writing; None where the system cannot say."""
        return False if sys.platform == "win32" else disk.somebody_writes(self.fd)

    def require_unchanged(self) -> None:
        """Returns where the open file and what lies at its path are both what was opened.

        Raises SourceChanged.
        """
        if Identity.of(os.fstat(self.fd)) != self.identity:
            raise SourceChanged(f"{disk.shown(self._name)} changed while it was read", path=disk.shown(self._name))
        try:
            found = Identity.of(self._folder.status(self._name))
        except (OSError, NotTaken) as error:
            raise SourceChanged(
                f"{disk.shown(self._name)} went away while it was read", path=disk.shown(self._name)
            ) from error
        if found != self.identity:
            raise SourceChanged(f"{disk.shown(self._name)} was replaced while it was read", path=disk.shown(self._name))

    def require_unwritten(self) -> bool | None:
        """False where nobody writes, None where the system cannot say. Raises SourceChanged where somebody does."""
        written = self.written()
        if written:
            raise SourceChanged(f"{disk.shown(self._name)} is still open for writing", path=disk.shown(self._name))
        return written

    def has_holes(self) -> bool:
        """Whether space of it was reserved and never written, or skipped; False where the system cannot say."""
        if not hasattr(os, "SEEK_HOLE") or self.identity.size_bytes == 0:
            return False
        try:
            return os.lseek(self.fd, 0, os.SEEK_HOLE) < self.identity.size_bytes
        except OSError:
            return False
        finally:
            os.lseek(self.fd, 0, os.SEEK_SET)

    def read_at(self, offset: int, length: int) -> bytes:
        """What it holds there, shorter at its end."""
        os.lseek(self.fd, offset, os.SEEK_SET)
        return os.read(self.fd, length)


A_LINK_ON_THE_WAY: Final = "a folder on the way to it is a link; links are not followed: put the file itself here"


def _open_folder(part: bytes, flags: int, above: int) -> int:
    try:
        return os.open(part, flags, dir_fd=above)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR):
            raise NotTaken(A_LINK_ON_THE_WAY, kind="link_on_the_way") from error
        raise


def _open_reading(last: bytes | str, folder: int | None) -> int:
    if sys.platform == "win32":
        return _open_shared(str(last))
    try:
        return os.open(last, disk.OPEN_FOR_READING, dir_fd=folder)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO):
            raise NotTaken(_what_it_is(stat.S_IFLNK), kind="not_regular") from error
        raise


def _what_it_is(mode: int) -> str:
    kinds = (
        (stat.S_ISLNK, "a link"), (stat.S_ISDIR, "a folder"), (stat.S_ISFIFO, "a pipe"), (stat.S_ISSOCK, "a socket"),
    )  # fmt: skip
    kind = next((said for is_it, said in kinds if is_it(mode)), "a device")
    return f"it is {kind} and not a file: put the file itself here"


if sys.platform == "win32":

    def _open_shared(path: str) -> int:
        """A descriptor whose handle lets others read and nobody write; links are opened and not followed.

        Raises SourceChanged where somebody has it open for writing (ERROR_SHARING_VIOLATION).
        Source: CreateFileW, dwShareMode.
        """
        import ctypes
        import msvcrt
        from ctypes import wintypes

        create = ctypes.WinDLL("kernel32", use_last_error=True).CreateFileW
        create.restype = wintypes.HANDLE
        create.argtypes = (
            wintypes.LPCWSTR, wintypes.DWORD, wintypes.DWORD, wintypes.LPVOID, wintypes.DWORD, wintypes.DWORD,
            wintypes.HANDLE,
        )  # fmt: skip
        generic_read, share_read, open_existing, open_reparse_point, sequential = (
            0x80000000, 1, 3, 0x00200000, 0x08000000,
        )  # fmt: skip
        whole = path if path.startswith("\\\\") else "\\\\?\\" + path
        handle = create(whole, generic_read, share_read, None, open_existing, open_reparse_point | sequential, None)
        if handle == wintypes.HANDLE(-1).value:
            code = ctypes.get_last_error()
            if code in (32, 33):  # ERROR_SHARING_VIOLATION, ERROR_LOCK_VIOLATION
                raise SourceChanged("A program still has it open")
            raise ctypes.WinError(code)
        return msvcrt.open_osfhandle(handle, os.O_RDONLY)
