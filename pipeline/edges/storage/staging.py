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

from pipeline.edges import failpoint
from pipeline.edges.host import copying, disk
from pipeline.edges.host.handles import Identity, OpenFile, SourceChanged
from pipeline.edges.host.salvage import Reader, ReadFault
from pipeline.errors import TryAgain

PIECE_BYTES: Final = 1 << 20
MANY: Final = 4  # from so many copies on, one sync of the file system is cheaper than one a file
EDGE_BYTES: Final = 64 << 10


@dataclass(frozen=True)
class Staged:
    """A copy that waits in staging, not yet an object; proved: read back from the disk and found equal.

    head, tail: the first and last 64 KiB, for sniffing. identity: of the source, before and after the same.
    source: what else its file system said of it. unwritten: the system's word that nobody wrote to it (False where
    it gave none). read_twice: the source was read a second time and found equal. zero_tail, holes: its end, or
    space within, may have been reserved and not filled. unreadable: [offset, length] of what is zeros in the copy
    because the source could not be read there.
    """

    folder: Path
    sha256: str
    sm3: str | None
    size_bytes: int
    identity: Identity
    head: bytes
    tail: bytes
    source: os.stat_result
    born_ns: int | None
    zero_tail: bool
    holes: bool
    unwritten: bool = False
    read_twice: bool = False
    unreadable: tuple[tuple[int, int], ...] = ()
    proved: bool = False

    @property
    def original(self) -> Path:
        """Where the copied bytes lie."""
        return self.folder / "v1" / "content" / "original"

    def read_at(self, offset: int, length: int) -> bytes:
        """What the copy holds there, shorter at its end; its ends come from memory."""
        if offset + length <= len(self.head) or self.size_bytes <= len(self.head):
            return self.head[offset : offset + length]
        tail_at = self.size_bytes - len(self.tail)
        if offset >= tail_at:
            return self.tail[offset - tail_at : offset - tail_at + length]
        with self.original.open("rb") as stream:
            stream.seek(offset)
            return stream.read(length)


class Staging:
    """The staging folder of one home, on the vault's file system."""

    def __init__(self, root: Path, *, sm3: bool, reserve_share: float) -> None:
        self.root = root
        self._sm3, self._reserve_share = sm3, reserve_share
        self._own: disk.OwnedFolder | None = None
        self._lock = threading.Lock()

    def stage(
        self,
        file: OpenFile,
        *,
        moved: Callable[[int], None] = lambda _: None,
        read_twice: bool | None = None,
        partial: bool = False,
    ) -> Staged:
        """A copy of the file in staging; the source is only read. `prove` it before it counts.

        moved: told of bytes copied, for progress. read_twice: the source is read a second time, as proof where
        the system cannot say that nobody writes; None asks the system. partial: what cannot be read becomes zeros.
        Raises SourceChanged; ReadFault where the source cannot be read; TryAgain where there is no room or the
        vault's disk does not take the copy: then the staged bytes are gone, and nothing is tried twice on them.
        """
        failpoint.at("stage.before_lease")
        unwritten = file.require_unwritten()
        failpoint.at("stage.before_room")
        with disk.failing_writes(self.root):
            disk.require_room(self.root, file.identity.size_bytes, self._reserve_share)
            folder = self._own_folder().new()
        try:
            with disk.failing_writes(self.root):
                (folder / "v1" / "content").mkdir(parents=True)
                failpoint.at("stage.made")
                staged = self._copy(file, folder, moved, partial)
            file.require_unchanged()
            failpoint.at("stage.unchanged")
            doubtful = unwritten is None or staged.zero_tail or staged.holes
            if staged.unreadable or not (doubtful if read_twice is None else read_twice):
                return replace(staged, unwritten=unwritten is False)
            _compare_again(file, staged)
            failpoint.at("stage.read_twice")
            return replace(staged, unwritten=unwritten is False, read_twice=True)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    def _copy(self, file: OpenFile, folder: Path, moved: Callable[[int], None], partial: bool) -> Staged:
        ends = [b"", b""]
        size = file.identity.size_bytes

        def look(piece: bytes) -> None:
            ends[0] = ends[0] or piece[:EDGE_BYTES]
            ends[1] = (ends[1] + piece)[-EDGE_BYTES:]

        target = folder / "v1" / "content" / "original"
        reader = Reader(file.fd, size, partial=partial)
        out = os.open(target, disk.OPEN_NEW, disk.READ_ONLY_BITS)
        try:
            if size > PIECE_BYTES:
                disk.reserve(out, size)
            failpoint.at("stage.reserved")
            sha256, count, back = copying.copy(
                reader, out, target, with_sm3=self._sm3, size_bytes=size, moved=moved, look=look
            )
        finally:
            os.close(out)
        if count != size:
            raise SourceChanged(f"{count} of {size} bytes were read: it is still being written", found=count)
        if size and sum(length for _, length in reader.unreadable) >= size:
            raise ReadFault(f"not one of its {size} bytes can be read", offset=0, code=None)
        staged = Staged(
            folder, sha256, None, count, file.identity, ends[0], ends[1], file.status,
            disk.born_ns(file.fd, file.status), zero_tail=len(ends[1]) > 4096 and not any(ends[1]),
            holes=file.has_holes(), unreadable=tuple((offset, length) for offset, length in reader.unreadable),
        )  # fmt: skip
        return staged if back is None else _compared(staged, back)

    def prove(self, staged: Sequence[Staged]) -> list[Staged]:
        """The same copies, every one synced, read back from the disk and found equal; small ones share one sync.

        Raises TryAgain where the disk does not take them, or a copy reads otherwise than what was written. A sync
        that failed is never tried again on the same bytes, for the system may have dropped them: discard them.
        """
        waiting = [one for one in staged if not one.proved]
        with disk.failing_writes(self.root):
            failpoint.at("prove.before_sync")
            if not (len(waiting) >= MANY and disk.sync_file_system(self.root)):
                for one in waiting:
                    disk.sync_file(one.original)
            failpoint.at("prove.synced")
            proved = [
                one if one.proved else _compared(one, copying.read_back(one.original, self._sm3)) for one in staged
            ]
        failpoint.at("prove.verified")
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
            "A copy reads otherwise than what was written; is the disk failing?",
            zh="副本读回的内容与写入的不一致：磁盘是否有故障？",
            expected=staged.sha256,
            found=back[0],
        )
    return replace(staged, sm3=back[1], proved=True)


def _compare_again(file: OpenFile, staged: Staged) -> None:
    disk.forget_pages(file.fd)
    again, buffer = hashlib.sha256(), memoryview(bytearray(PIECE_BYTES))
    reader = Reader(file.fd, staged.size_bytes)
    while read := reader.into(buffer):
        again.update(buffer[:read])
    if again.hexdigest() != staged.sha256:
        raise SourceChanged("It reads otherwise the second time: it is still being written")
    file.require_unchanged()
