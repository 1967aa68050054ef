"""One look at one path, and the walk over a tree that finds the paths."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import translate
from hashlib import blake2b

from pipeline.custody import settle, wholeness
from pipeline.edges import disk
from pipeline.edges.staging import Identity

Found = tuple[bytes, os.stat_result]


def ignoring(more: tuple[str, ...]) -> Callable[[str], bool]:
    """The same word as `settle.is_ignored` on one name, with the patterns read once for a whole scan."""
    pattern = re.compile("|".join(translate(one) for one in (*settle.IGNORED, *more)), re.IGNORECASE)
    return lambda name: pattern.match(name) is not None


@dataclass(frozen=True)
class Walk:
    """How a tree is walked. enter: told of each folder before it is listed; failed: of one that cannot be listed."""

    ignores: Callable[[str], bool]
    enter: Callable[[bytes], None]
    failed: Callable[[bytes, OSError], None]

    def over(self, folder: bytes) -> Iterator[Found]:
        """Every path below the folder that is no folder, by name, with what lstat says.

        Raises OSError where the folder itself cannot be listed; one below it that cannot is told and passed over.
        """
        self.enter(folder)
        with os.scandir(folder) as entries:
            listed = sorted(entries, key=lambda one: one.name)
        for entry in listed:
            if self.ignores(os.fsdecode(entry.name)):
                continue
            try:
                if entry.is_dir(follow_symlinks=False):
                    yield from self.below(entry.path)
                else:
                    yield entry.path, entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue

    def below(self, folder: bytes) -> Iterator[Found]:
        """The same, of a folder whose listing may fail."""
        try:
            yield from self.over(folder)
        except FileNotFoundError:
            return
        except OSError as error:
            self.failed(folder, error)


def place_of(path: bytes, size_bytes: int, mtime_ns: int, inode: int) -> bytes:
    """A short stand-in for one state of one path: millions of them fit into memory. 128 bits do not collide."""
    said = b"%b\0%d\0%d\0%d" % (path, size_bytes, mtime_ns, inode)
    return blake2b(said, digest_size=16).digest()


def refusal_of(path: bytes, size_bytes: int, ctime_ns: int, inode: int) -> bytes:
    """The same for a path that was refused: new permissions, a new name or new bytes are a new try."""
    return blake2b(b"%b\0%d\0%d\0%d" % (path, size_bytes, ctime_ns, inode), digest_size=16, person=b"refused").digest()


def look_at(path: bytes, now: float) -> settle.Look:
    """One look: what the file is, whether somebody writes, whether its end is zeros or its container unfinished.

    Raises OSError where it cannot be looked at.
    """
    status = os.lstat(path)
    identity = Identity.of(status)
    if not stat.S_ISREG(status.st_mode):
        return settle.Look(now, identity, is_regular=False)
    fd = os.open(path, disk.OPEN_FOR_READING)
    try:
        identity = Identity.of(os.fstat(fd))
        size = identity.size_bytes

        def read_at(offset: int, length: int) -> bytes:
            os.lseek(fd, offset, os.SEEK_SET)
            return os.read(fd, length)

        tail = read_at(max(0, size - 4096), 4096) if size else b""
        return settle.Look(
            now,
            identity,
            is_regular=True,
            written=disk.somebody_writes(fd),
            zero_tail=len(tail) == 4096 and not any(tail),
            unfinished=size > 0 and wholeness.is_unfinished(read_at, size),
        )
    finally:
        os.close(fd)
