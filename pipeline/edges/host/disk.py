"""Durable writing, leases, free room, and folders that die with their owner: what the systems do differently.

Linux has all of it; Windows and macOS lack the read lease and `syncfs`, and say so through `capabilities`.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import functools
import os
import shutil
import struct
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout
from ulid import ULID

from pipeline.errors import TryAgain

F_SETLEASE, F_RDLCK, F_UNLCK = 1024, 0, 2
READ_ONLY_BITS: Final = 0o440
AT_EMPTY_PATH, STATX_BTIME = 0x1000, 0x800
NO_ROOM: Final = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
# O_NONBLOCK: opening a FIFO must not wait for its writer. O_BINARY exists on Windows only.
OPEN_FOR_READING: Final = (
    os.O_RDONLY
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)
OPEN_NEW: Final = (
    os.O_RDWR
    | os.O_CREAT
    | os.O_EXCL
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)


def capabilities() -> dict[str, bool]:
    """What this system offers intake: the kernel's word on writers, whole-file-system sync, folder sync."""
    return {
        "read_lease": sys.platform == "linux",
        "share_modes": sys.platform == "win32",
        "syncfs": _libc_syncfs() is not None,
        "folder_sync": os.name == "posix",
    }


def write_new(path: Path, data: bytes, *, sync: bool) -> None:
    """A new read-only file holds the data. Raises FileExistsError where one is there."""
    fd = os.open(path, OPEN_NEW, READ_ONLY_BITS)
    try:
        write_all(fd, data)
        if sync:
            os.fsync(fd)
    finally:
        os.close(fd)


def write_whole(path: Path, data: bytes) -> None:
    """The file holds the data, synced; a reader sees the old content or the new, never a part."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)
    sync_folder(path.parent)


def write_all(fd: int, data: bytes | memoryview) -> None:
    """Every byte is written, however short the single writes were."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]


def sync_file(path: Path) -> None:
    """The file's bytes are on the disk."""
    fd = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def sync_folder(path: Path) -> None:
    """The folder's entries are on the disk; a no-op where the system cannot sync folders."""
    if os.name != "posix":
        return
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def sync_file_system(folder: Path) -> bool:
    """Everything written to the folder's file system is on the disk; False where the system cannot promise it."""
    syncfs = _libc_syncfs()
    if syncfs is None:
        return False
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if syncfs(fd) != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), str(folder))
    finally:
        os.close(fd)
    return True


def _libc_syncfs() -> ctypes._NamedFuncPointer | None:
    return getattr(_libc(), "syncfs", None) if sys.platform == "linux" else None


@functools.cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def somebody_writes(fd: int) -> bool | None:
    """Whether any process has the file open for writing; None where the system cannot say (network shares).

    A read lease is granted only while there is no writer; it is given back at once, for a held lease would
    make a writer's open wait. Source: fcntl(2), F_SETLEASE.
    """
    if sys.platform != "linux":
        return None
    import fcntl

    try:
        fcntl.fcntl(fd, F_SETLEASE, F_RDLCK)
    except OSError as error:
        return True if error.errno == errno.EAGAIN else None
    with contextlib.suppress(OSError):
        fcntl.fcntl(fd, F_SETLEASE, F_UNLCK)
    return False


def born_ns(fd: int, status: os.stat_result) -> int | None:
    """When the file was made, in nanoseconds since 1970, by its file system's word; None where it does not say."""
    if sys.platform != "linux":
        made = getattr(status, "st_birthtime_ns", None)
        return made if made is not None else int(getattr(status, "st_birthtime", 0) * 1e9) or None
    asked = getattr(_libc(), "statx", None)
    answer = ctypes.create_string_buffer(256)
    if asked is None or asked(fd, b"", AT_EMPTY_PATH, STATX_BTIME, answer) != 0:
        return None
    [mask] = struct.unpack_from("=I", answer, 0)
    seconds, nanoseconds = struct.unpack_from("=qI", answer, 80)
    return seconds * 10**9 + nanoseconds if mask & STATX_BTIME else None


def reserve(fd: int, size_bytes: int) -> None:
    """Room for so many bytes is set aside, so that a full disk shows at once; a no-op where it cannot be.

    The library's own `posix_fallocate` writes to every block where the file system cannot reserve; this does not.
    """
    asked = getattr(_libc(), "fallocate", None) if sys.platform == "linux" else None
    if asked is None or size_bytes <= 0:
        return
    if asked(fd, 0, ctypes.c_int64(0), ctypes.c_int64(size_bytes)) != 0:
        code = ctypes.get_errno()
        if code in NO_ROOM:
            raise OSError(code, os.strerror(code))


def forget_pages(fd: int) -> None:
    """The next read comes from the disk and not from memory, where the system takes the hint."""
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)


@contextlib.contextmanager
def failing_writes(folder: Path) -> Iterator[None]:
    """What the folder's disk refuses in the block is a fault of the surroundings and never of the file taken in.

    Raises TryAgain in place of OSError; with `room` where there is none.
    """
    try:
        yield
    except OSError as error:
        raise TryAgain(
            f"The disk of {folder} does not take what is written ({error.strerror or error}): make room, check it",
            zh=f"{folder} 所在磁盘无法写入（{error.strerror or error}）：请腾出空间并检查磁盘",
            room=True,
            errno=error.errno,
        ) from error


def require_room(folder: Path, size_bytes: int, reserve_share: float) -> None:
    """Returns where the disk has room for so many bytes beside its reserve, and free file entries.

    Raises TryAgain with what is there and what is needed. A full inode table refuses files on a disk with free blocks.
    """
    usage = shutil.disk_usage(folder)
    needed = size_bytes + int(usage.total * reserve_share)
    if usage.free < needed:
        raise TryAgain(
            f"The disk of {folder} is too full: {usage.free >> 20} MiB free, {needed >> 20} MiB needed",
            zh=f"{folder} 所在磁盘空间不足：剩余 {usage.free >> 20} MiB，需要 {needed >> 20} MiB",
            room=True,
            found=usage.free,
            expected=needed,
        )
    if hasattr(os, "statvfs"):
        entries = os.statvfs(folder)
        if entries.f_files and entries.f_favail < 64:
            raise TryAgain(
                f"The disk of {folder} has no free file entries",
                zh=f"{folder} 所在磁盘已无可用的文件条目",
                room=True,
                found=entries.f_favail,
            )


class OwnedFolder:
    """A temporary folder of this process; `sweep` removes those whose process is gone.

    The owner holds a lock on a file beside the folder; the system drops the lock with the process, however it ends.
    """

    def __init__(self, parent: Path) -> None:
        parent.mkdir(parents=True, exist_ok=True)
        name = str(ULID())
        self._lock = FileLock(parent / f"{name}.lock")
        self._lock.acquire(timeout=0)
        self.path = parent / name
        self.path.mkdir()

    def new(self) -> Path:
        """A fresh empty folder inside."""
        folder = self.path / str(ULID())
        folder.mkdir()
        return folder

    def close(self) -> None:
        """The folder is gone and so is its lock."""
        shutil.rmtree(self.path, ignore_errors=True)
        self._lock.release()
        Path(self._lock.lock_file).unlink(missing_ok=True)


@contextlib.contextmanager
def passing_folder(parent: Path) -> Iterator[Path]:
    """An empty folder for the block, gone with all that is left in it afterwards."""
    folder = parent / str(ULID())
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def sweep(parent: Path, *, grace_s: float = 5.0) -> list[Path]:
    """Removes the owned folders whose owner has ended; returns what was removed.

    grace_s: younger locks are left alone, for between its making and its taking a lock looks unowned.
    """
    removed = []
    for lock_file in parent.glob("*.lock"):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - lock_file.stat().st_mtime < grace_s:
                continue
            lock = FileLock(lock_file)
            try:
                lock.acquire(timeout=0)
            except (Timeout, PermissionError):
                continue
            folder = lock_file.with_suffix("")
            shutil.rmtree(folder, ignore_errors=True)
            lock.release()
            lock_file.unlink(missing_ok=True)
            removed.append(folder)
    known = {lock_file.with_suffix("").name for lock_file in parent.glob("*.lock")}
    for folder in _folders(parent):
        if folder.name not in known and time.time() - folder.stat().st_mtime > grace_s:
            shutil.rmtree(folder, ignore_errors=True)
            removed.append(folder)
    return removed


def _folders(parent: Path) -> Iterable[Path]:
    return [entry for entry in parent.iterdir() if entry.is_dir()] if parent.is_dir() else []


@contextlib.contextmanager
def opened(path: Path) -> Iterator[int]:
    """A file descriptor for reading that follows no link and waits for nobody."""
    fd = os.open(path, OPEN_FOR_READING)
    try:
        yield fd
    finally:
        os.close(fd)


@functools.lru_cache(maxsize=64)
def described(device: int) -> dict[str, str]:
    """`type`, `mounted_from` and `uuid` of the disk with this number, as far as the system says."""
    said: dict[str, str] = {}
    if sys.platform != "linux":
        return said
    with contextlib.suppress(OSError, ValueError, IndexError):
        number = f"{os.major(device)}:{os.minor(device)}"
        for line in Path("/proc/self/mountinfo").read_text(errors="replace").splitlines():
            before, _, after = line.partition(" - ")
            if before.split()[2] == number:
                said["type"], said["mounted_from"] = after.split()[:2]
                break
    with contextlib.suppress(OSError):
        for link in Path("/dev/disk/by-uuid").iterdir():
            if link.stat().st_rdev == device:
                said["uuid"] = link.name
    return said


def shown(path: Path | str | bytes) -> str:
    """A name for people: UTF-8, else GB18030 as Chinese systems write, else with its odd bytes escaped."""
    return decoded(os.fsencode(path))[0]


def decoded(raw: bytes) -> tuple[str, str]:
    """(the name for people, the codec that it was read with: `utf-8`, `gb18030` or `escaped`)."""
    for codec in ("utf-8", "gb18030"):
        with contextlib.suppress(UnicodeDecodeError):
            return raw.decode(codec), codec
    return raw.decode("utf-8", "backslashreplace"), "escaped"
