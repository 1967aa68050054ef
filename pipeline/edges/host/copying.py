"""Copies a file while computing its digest, and reads the copy back from the disk while it still grows.

A large file keeps three hands busy: one reads and writes, one computes the digest of what was read, one follows
behind the synced end of the copy, reads it past the system's memory and computes the digest of what really lies on
the disk (and SM3 beside it). So proving the copy costs little more time than making it.
Where reading past memory is not offered (other systems, some file systems), pages are dropped first and read again.
"""

from __future__ import annotations

import contextlib
import hashlib
import mmap
import os
import queue
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from pipeline.edges import failpoint
from pipeline.edges.host import disk
from pipeline.edges.host.salvage import Reader

PIECE_BYTES: Final = 1 << 20
BACK_BYTES: Final = 4 << 20  # a multiple of every block size, as reading past memory asks
SMALL_BACK_BYTES: Final = 128 << 10  # reading past memory pins the whole buffer each time
SYNC_EVERY_BYTES: Final = 32 << 20
BUFFERS: Final = 6
SMALL_BYTES: Final = 8 << 20


class _Hand(threading.Thread):
    """Does one thing to each buffer it is handed, in order, and gives the buffer on."""

    def __init__(self, use: Callable[[memoryview], None], done: Callable[[memoryview], None]) -> None:
        super().__init__(daemon=True)
        self._use, self._done = use, done
        self._waiting: queue.SimpleQueue[tuple[memoryview, int] | None] = queue.SimpleQueue()
        self.fault: BaseException | None = None
        self.start()

    def hand(self, buffer: memoryview, count: int) -> None:
        self._waiting.put((buffer, count))

    def finish(self) -> None:
        """Everything handed over is done. Raises what went wrong."""
        self._waiting.put(None)
        self.join()
        if self.fault is not None:
            raise self.fault

    def run(self) -> None:
        while (item := self._waiting.get()) is not None:
            buffer, count = item
            if self.fault is None:
                try:
                    self._use(buffer[:count])
                except BaseException as error:  # told to whoever finishes
                    self.fault = error
            self._done(buffer)


class _Follower(threading.Thread):
    """Reads the copy back up to where it is synced, and computes its digests."""

    def __init__(self, path: Path, with_sm3: bool) -> None:
        super().__init__(daemon=True)
        self._path, self._with_sm3 = path, with_sm3
        self._grown = threading.Condition()
        self._synced, self._ended = 0, False
        self.sha256 = ""
        self.sm3: str | None = None
        self.fault: BaseException | None = None
        self.start()

    def synced_to(self, size: int, *, ended: bool = False) -> None:
        """The copy is on the disk up to here; ended: and complete, or given up."""
        with self._grown:
            self._synced, self._ended = size, ended
            self._grown.notify()

    def result(self) -> tuple[str, str | None]:
        """(sha256, sm3) of what lies on the disk. Raises what went wrong."""
        self.join()
        if self.fault is not None:
            raise self.fault
        return self.sha256, self.sm3

    def run(self) -> None:
        try:
            with _past_memory(self._path) as fd:
                self.sha256, self.sm3 = digests_of(fd, self._with_sm3, self._may_read)
        except BaseException as error:  # told to whoever asks for the result
            self.fault = error

    def _may_read(self, offset: int) -> bool:
        """Waits until a whole piece after the offset, or the last one, is synced; whether there is more."""
        with self._grown:
            self._grown.wait_for(lambda: self._ended or self._synced - offset >= BACK_BYTES)
            return self._synced > offset


def copy(
    source: Reader, target: int, path: Path, *, with_sm3: bool, size_bytes: int, moved: Callable[[int], None],
    look: Callable[[bytes], None],
) -> tuple[str, int, tuple[str, str | None] | None]:  # fmt: skip
    """(sha256 of what was read, bytes read, digests of what was read back).

    The last is None for a small file: it is neither synced nor read back yet, for many share that.
    path: of the target, for reading it back. moved: told of bytes copied. look: shown the pieces, in order.
    Raises ReadFault where the source cannot be read, OSError where writing fails.
    """
    follower = _Follower(path, with_sm3) if size_bytes > SMALL_BYTES else None
    digest, count, unsynced = hashlib.sha256(), 0, 0
    free: queue.SimpleQueue[memoryview] = queue.SimpleQueue()
    for _ in range(BUFFERS if follower else 1):
        free.put(memoryview(bytearray(PIECE_BYTES)))
    hasher = _Hand(digest.update, free.put) if follower else None
    try:
        while True:
            buffer = free.get()
            read = source.into(buffer)
            if read == 0:
                break
            if hasher:
                hasher.hand(buffer, read)
            else:
                digest.update(buffer[:read])
            disk.write_all(target, buffer[:read])
            look(bytes(buffer[max(0, read - (64 << 10)) : read]) if count else bytes(buffer[:read]))
            if not hasher:
                free.put(buffer)
            count, unsynced = count + read, unsynced + read
            moved(read)
            failpoint.at("copy.middle")
            if follower and unsynced >= SYNC_EVERY_BYTES:
                _sync_data(target)
                follower.synced_to(count)
                unsynced = 0
        if hasher:
            hasher.finish()
        if follower is None:
            return digest.hexdigest(), count, None
        failpoint.at("copy.before_sync")
        os.fsync(target)
        failpoint.at("copy.synced")
        follower.synced_to(count, ended=True)
        return digest.hexdigest(), count, follower.result()
    finally:
        if follower:
            follower.synced_to(0, ended=True)


def read_back(path: Path, with_sm3: bool) -> tuple[str, str | None]:
    """(sha256, sm3) of what lies on the disk under this path; it must be synced. Meant for small files."""
    sha256, sm3 = hashlib.sha256(), hashlib.new("sm3") if with_sm3 else None
    buffer = memoryview(mmap.mmap(-1, SMALL_BACK_BYTES))
    with _past_memory(path) as fd:
        while read := _read_into(fd, buffer):
            sha256.update(buffer[:read])
            if sm3:
                sm3.update(buffer[:read])
    return sha256.hexdigest(), sm3.hexdigest() if sm3 else None


def digests_on_disk(path: Path, with_sm3: bool, moved: Callable[[int], None]) -> tuple[str, str | None]:
    """(sha256, sm3) of what lies on the disk under this path, by one hand. moved: told of bytes read, after each piece.

    `moved` may wait, so that others have the disk and the core meanwhile.
    """
    sha256, sm3 = hashlib.sha256(), hashlib.new("sm3") if with_sm3 else None
    buffer = memoryview(mmap.mmap(-1, PIECE_BYTES if path.stat().st_size > SMALL_BACK_BYTES else SMALL_BACK_BYTES))
    with _past_memory(path) as fd:
        while read := _read_into(fd, buffer):
            sha256.update(buffer[:read])
            if sm3:
                sm3.update(buffer[:read])
            moved(read)
    return sha256.hexdigest(), sm3.hexdigest() if sm3 else None


def digests_of(fd: int, with_sm3: bool, may_read: Callable[[int], bool]) -> tuple[str, str | None]:
    """(sha256, sm3) of the file's bytes; sm3 None where not wanted. may_read: waits, and says whether there is more."""
    sha256, sm3, offset = hashlib.sha256(), hashlib.new("sm3") if with_sm3 else None, 0
    free: queue.SimpleQueue[memoryview] = queue.SimpleQueue()
    maps = [mmap.mmap(-1, BACK_BYTES) for _ in range(3)]  # page-aligned, as reading past memory asks
    for one in maps:
        free.put(memoryview(one))
    # The last hand gives the buffer back; SM3, six times as slow, sets the pace on a core of its own.
    last = _Hand(sm3.update, free.put) if sm3 else None
    first = _Hand(sha256.update, (lambda buffer: last.hand(buffer, counts.pop(0))) if last else free.put)
    counts: list[int] = []
    while may_read(offset):
        buffer = free.get()
        read = _read_into(fd, buffer)
        if read == 0:
            break
        counts.append(read)
        first.hand(buffer, read)
        offset += read
    first.finish()
    if last:
        last.finish()
    return sha256.hexdigest(), sm3.hexdigest() if sm3 else None


@contextlib.contextmanager
def _past_memory(path: Path) -> Iterator[int]:
    """A descriptor whose reads come from the disk itself, where the system can."""
    direct = getattr(os, "O_DIRECT", 0)
    fd = -1
    if direct:
        with contextlib.suppress(OSError):
            fd = os.open(path, disk.OPEN_FOR_READING | direct)
            if not _reads_past_memory(fd):
                os.close(fd)
                fd = -1
    if fd < 0:
        fd = os.open(path, disk.OPEN_FOR_READING)
        disk.forget_pages(fd)
    try:
        yield fd
    finally:
        os.close(fd)


def _reads_past_memory(fd: int) -> bool:
    """Some file systems open a file so and then refuse to read it."""
    try:
        os.preadv(fd, [mmap.mmap(-1, 4096)], 0)
    except OSError:
        return False
    return True


def _sync_data(fd: int) -> None:
    getattr(os, "fdatasync", os.fsync)(fd)


def _read_into(fd: int, buffer: memoryview) -> int:
    if hasattr(os, "readv"):
        return os.readv(fd, [buffer])
    piece = os.read(fd, len(buffer))
    buffer[: len(piece)] = piece
    return len(piece)
