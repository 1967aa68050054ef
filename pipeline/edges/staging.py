"""Staging: copies of files on their way into the vault. Nothing that lies here was ever acknowledged.

A copy is made while its digest is computed, the source is looked at before and after, and the copy is read back
from the disk. Only a proved copy becomes an object of the vault.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from pipeline.edges import copying, disk, failpoint
from pipeline.errors import TryAgain

PIECE_BYTES: Final = 1 << 20
MANY: Final = 4  # from so many copies on, one sync of the file system is cheaper than one a file
EDGE_BYTES: Final = 64 << 10


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


@dataclass(frozen=True)
class Staged:
    """A copy that waits in staging, not yet an object; proved: read back from the disk and found equal.

    head, tail: the first and last 64 KiB, for sniffing. identity: of the source, before and after the same.
    """

    folder: Path
    sha256: str
    sm3: str | None
    size_bytes: int
    identity: Identity
    head: bytes
    tail: bytes
    zero_tail: bool
    proved: bool = False

    @property
    def original(self) -> Path:
        """Where the copied bytes lie."""
        return self.folder / "v1" / "content" / "original"


class SourceChanged(TryAgain):
    """The file changed while it was read: it is still being written."""


class Staging:
    """The staging folder of one home, on the vault's file system."""

    def __init__(self, root: Path, *, sm3: bool, reserve_share: float) -> None:
        self.root = root
        self._sm3, self._reserve_share = sm3, reserve_share
        self._own: disk.OwnedFolder | None = None
        self._lock = threading.Lock()

    def stage(
        self, source: Path, *, moved: Callable[[int], None] = lambda _: None, read_twice: bool | None = None
    ) -> Staged:
        """A copy of the file in staging; the source is only read. `prove` it before it counts.

        moved: told of bytes copied, for progress. read_twice: the source is read a second time, as proof where
        the system cannot say that nobody writes; None asks the system.
        Raises SourceChanged, TryAgain where there is no room, OSError where the source cannot be read.
        """
        with disk.opened(source) as fd:
            before = Identity.of(os.fstat(fd))
            writers = disk.somebody_writes(fd)
            if writers:
                raise SourceChanged(f"{_shown(source)} is still open for writing", path=_shown(source))
            disk.require_room(self.root, before.size_bytes, self._reserve_share)
            folder = self._own_folder().new()
            content = folder / "v1" / "content"
            content.mkdir(parents=True)
            try:
                staged = self._copy(fd, source, before, folder, content / "original", moved)
                if read_twice or (read_twice is None and writers is None):
                    _compare_again(fd, staged, source)
                return staged
            except BaseException:
                shutil.rmtree(folder, ignore_errors=True)
                raise

    def _copy(
        self, fd: int, source: Path, before: Identity, folder: Path, target: Path, moved: Callable[[int], None]
    ) -> Staged:
        ends = [b"", b""]

        def look(piece: bytes) -> None:
            ends[0] = ends[0] or piece[:EDGE_BYTES]
            ends[1] = (ends[1] + piece)[-EDGE_BYTES:]

        out = os.open(target, disk.OPEN_NEW, disk.READ_ONLY_BITS)
        try:
            sha256, count, back = copying.copy(
                fd, out, target, with_sm3=self._sm3, size_bytes=before.size_bytes, moved=moved, look=look
            )
        finally:
            os.close(out)
        if Identity.of(os.fstat(fd)) != before or count != before.size_bytes:
            raise SourceChanged(f"{_shown(source)} changed while it was read", path=_shown(source))
        zero_tail = len(ends[1]) > 4096 and not any(ends[1])
        staged = Staged(folder, sha256, None, count, before, ends[0], ends[1], zero_tail)
        return staged if back is None else _compared(staged, back)

    def prove(self, staged: Sequence[Staged]) -> list[Staged]:
        """The same copies, every one synced, read back from the disk and found equal; small ones share one sync.

        Raises TryAgain where a copy reads otherwise than what was written.
        """
        waiting = [one for one in staged if not one.proved]
        failpoint.at("copy.before_sync")
        if not (len(waiting) >= MANY and disk.sync_file_system(self.root)):
            for one in waiting:
                disk.sync_file(one.original)
        failpoint.at("copy.after_sync")
        proved = [one if one.proved else _compared(one, copying.read_back(one.original, self._sm3)) for one in staged]
        failpoint.at("copy.verified")
        return proved

    def discard(self, staged: Iterable[Staged]) -> None:
        """The staged copies are gone."""
        for one in staged:
            shutil.rmtree(one.folder, ignore_errors=True)

    def _own_folder(self) -> disk.OwnedFolder:
        with self._lock:
            if self._own is None:
                self._own = disk.OwnedFolder(self.root)
            return self._own

    def own_folder(self) -> Path:
        """This process's folder in staging, swept when the process is gone."""
        return self._own_folder().path

    def close(self) -> None:
        """This process's staging folder is gone."""
        with self._lock:
            if self._own is not None:
                self._own.close()
                self._own = None


def _compared(staged: Staged, back: tuple[str, str | None]) -> Staged:
    if back[0] != staged.sha256:
        raise TryAgain(
            "A copy reads otherwise than what was written; is the disk failing?", expected=staged.sha256, found=back[0]
        )
    return replace(staged, sm3=back[1], proved=True)


def _compare_again(fd: int, staged: Staged, source: Path) -> None:
    os.lseek(fd, 0, os.SEEK_SET)
    disk.forget_pages(fd)
    again = hashlib.sha256()
    while piece := os.read(fd, PIECE_BYTES):
        again.update(piece)
    if again.hexdigest() != staged.sha256:
        raise SourceChanged(f"{_shown(source)} reads otherwise the second time", path=_shown(source))


def _shown(path: Path) -> str:
    return os.fsencode(path).decode("utf-8", "backslashreplace")
