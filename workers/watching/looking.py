"""The walk over a tree that finds the paths, and how they are remembered."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import translate
from hashlib import blake2b
from pathlib import Path

from pipeline.custody import settle
from pipeline.edges.host.handles import OpenFolder
from pipeline.errors import CasereelError

Found = tuple[bytes, os.stat_result]


def ignoring(more: tuple[str, ...]) -> Callable[[str], bool]:
    """The same word as `settle.is_ignored` on one name, with the patterns read once for a whole scan."""
    pattern = re.compile("|".join(translate(one) for one in (*settle.IGNORED, *more)), re.IGNORECASE)
    return lambda name: pattern.match(name) is not None


@dataclass(frozen=True)
class Walk:
    """How a tree is walked. enter: told of each folder before it is listed; failed: of one that cannot be entered."""

    ignores: Callable[[str], bool]
    enter: Callable[[bytes], None]
    failed: Callable[[bytes, CasereelError | OSError], None]
    other_disks: bool = False

    def over(self, root: bytes, below: bytes = b"") -> Iterator[Found]:
        """Every path below the root that is no folder, by name, with what lstat says; no link is followed.

        below: only what lies under this name in the root. Raises OSError where that cannot be listed; a folder in
        it that cannot is told and passed over.
        """
        with OpenFolder(Path(os.fsdecode(root)), other_disks=self.other_disks) as folder:
            found_below = folder.files(
                lambda name: self.ignores(os.fsdecode(name)), below, lambda name: self.enter(_joined(root, name))
            )
            for found in found_below:
                path = _joined(root, found.name)
                if found.fault is not None:
                    self.failed(path, found.fault)
                elif found.status is not None:
                    yield path, found.status


def _joined(root: bytes, name: bytes) -> bytes:
    return root.rstrip(b"/") + b"/" + name if name else root


def place_of(path: bytes, size_bytes: int, mtime_ns: int, inode: int) -> bytes:
    """A short stand-in for one state of one path: millions of them fit into memory. 128 bits do not collide."""
    said = b"%b\0%d\0%d\0%d" % (path, size_bytes, mtime_ns, inode)
    return blake2b(said, digest_size=16).digest()


def refusal_of(path: bytes, size_bytes: int, ctime_ns: int, inode: int) -> bytes:
    """The same for a path that was refused: new permissions, a new name or new bytes are a new try."""
    return blake2b(b"%b\0%d\0%d\0%d" % (path, size_bytes, ctime_ns, inode), digest_size=16, person=b"refused").digest()
