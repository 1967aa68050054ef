"""Writes a BagIt bag that is on the disk, whole and read back, before its name appears.

A bag grows in a hidden folder beside its place; `finish` syncs everything and reads every file back, `place` renames
the folder and syncs the parent. What dies before the rename is no bag by its name, and lacks `bagit.txt` besides.
Names are plain ASCII without `%`, so that every implementation and every list of digests agrees on them.
Source: RFC 8493 (BagIt 1.0). Not used: fetch.txt, holey bags.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import shutil
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from pipeline.edges import failpoint
from pipeline.edges.host import disk
from pipeline.errors import CustodyBroken, TryAgain

PIECE_BYTES: Final = 1 << 20
NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
RESERVED: Final = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)
LONGEST_BYTES: Final = 80
MANIFEST, TAG_MANIFEST = "manifest-sha256.txt", "tagmanifest-sha256.txt"
_NO_ROOM: Final = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class Bag:
    """One bag on its way. final: the folder it will be. digests: name -> SHA-256 of every file written so far."""

    def __init__(self, final: Path) -> None:
        self.final = final
        self.folder = partial_of(final)
        self.digests: dict[str, str] = {}
        self.sizes: dict[str, int] = {}
        with translated(final):
            self.folder.mkdir(mode=0o750)

    def write(self, name: str, data: bytes) -> str:
        """A new file of the bag holds the data; returns its digest."""
        self._claim(name)
        with translated(self.final):
            path = self._path(name)
            disk.write_new(path, data, sync=False)
        return self._noted(name, hashlib.sha256(data).hexdigest(), len(data))

    def copy(self, name: str, source: Path, moved: Callable[[int], None] = lambda _: None) -> str:
        """A new file of the bag holds the source's bytes; returns the digest of what was read.

        Nothing of a copy that failed is left. moved: told of bytes read.
        """
        self._claim(name)
        digest, size = hashlib.sha256(), 0
        with translated(self.final):
            path = self._path(name)
        try:
            with translated(self.final), disk.opened(source) as reading:
                fd = os.open(path, disk.OPEN_NEW, disk.READ_ONLY_BITS)
                try:
                    while piece := os.read(reading, PIECE_BYTES):
                        digest.update(piece)
                        disk.write_all(fd, piece)
                        size += len(piece)
                        moved(len(piece))
                finally:
                    os.close(fd)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return self._noted(name, digest.hexdigest(), size)

    def drop(self, name: str) -> None:
        """This file is not of the bag after all."""
        self._path(name).unlink()
        del self.digests[name], self.sizes[name]

    def close_payload(self) -> str:
        """The payload's manifest is written; returns its digest. Nothing may be added below `data` afterwards."""
        return self.write(MANIFEST, self._listed(lambda name: name.startswith("data/")))

    def close_tags(self, info: Mapping[str, str]) -> bytes:
        """All tag files are written and listed; returns the bytes of the tag manifest, for signing.

        info: what `bag-info.txt` says; each value is put on one line.
        """
        payload = [size for name, size in self.sizes.items() if name.startswith("data/")]
        told = {**info, "Payload-Oxum": f"{sum(payload)}.{len(payload)}"}
        lines = [f"{label}: {' '.join(value.split())}\n" for label, value in told.items()]
        self.write("bag-info.txt", "".join(lines).encode())
        self.write("bagit.txt", b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n")
        tags = self._listed(lambda name: not name.startswith("data/"))
        self.write(TAG_MANIFEST, tags)
        return tags

    def finish(self) -> None:
        """The bag is durable, and lacks its name alone. Raises CustodyBroken where a file does not read back equal."""
        with translated(self.final):
            self._sync()
            failpoint.at("export.synced")
            for name, expected in self.digests.items():
                found = read_back(self._path(name))
                if found != expected:
                    raise CustodyBroken(
                        f"{name} reads back otherwise than it was written; write to another disk",
                        zh=f"{name} 读回的内容与写入的不一致：请换一块磁盘",
                        path=name, expected=expected, found=found,
                    )  # fmt: skip

    def place(self) -> None:
        """What was finished lies at its final place."""
        with translated(self.final):
            self.folder.rename(self.final)
            failpoint.at("export.renamed")
            disk.sync_folder(self.final.parent)

    def discard(self) -> None:
        """Nothing of the unfinished bag is left."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _claim(self, name: str) -> None:
        assert all(is_safe(part) for part in name.split("/")), f"{name!r} is no name for a bag"
        assert name.casefold() not in {known.casefold() for known in self.digests}, f"{name} is in the bag twice"

    def _path(self, name: str) -> Path:
        path = self.folder / name
        # What somebody took away is not begun again in the middle.
        self.folder.stat()
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def _noted(self, name: str, digest: str, size: int) -> str:
        self.digests[name], self.sizes[name] = digest, size
        return digest

    def _listed(self, belongs: Callable[[str], bool]) -> bytes:
        return "".join(f"{self.digests[name]}  {name}\n" for name in sorted(self.digests) if belongs(name)).encode()

    def _sync(self) -> None:
        if not disk.sync_file_system(self.folder):
            for name in self.digests:
                disk.sync_file(self._path(name))
        for folder, _, _ in os.walk(self.folder):
            disk.sync_folder(Path(folder))


def partial_of(final: Path) -> Path:
    """Where a bag grows before it has its name."""
    return final.with_name(f".{final.name}.partial")


def is_safe(name: str) -> bool:
    """Whether every system can hold a file of this name: ASCII, short, no device's name, no trailing dot."""
    return bool(
        NAME.fullmatch(name) and len(name) <= LONGEST_BYTES and not name.endswith(".") and not RESERVED.fullmatch(name)
    )


def read_back(path: Path) -> str:
    """The SHA-256 of what lies on the disk, read past memory where the system offers it."""
    digest = hashlib.sha256()
    with disk.opened(path) as fd:
        disk.forget_pages(fd)
        while piece := os.read(fd, PIECE_BYTES):
            digest.update(piece)
    return digest.hexdigest()


def pack(bag: Path, target: Path, moved: Callable[[int], None] = lambda _: None) -> None:
    """The bag as one ZIP, stored and not compressed, with 64-bit sizes; durable under its name or not there.

    moved: told of bytes packed, a file at a time.
    """
    partial = _half(target)
    try:
        with translated(target):
            with zipfile.ZipFile(partial, "x", zipfile.ZIP_STORED, allowZip64=True) as archive:
                for path in sorted(bag.rglob("*")):
                    if path.is_file():
                        archive.write(path, f"{bag.name}/{path.relative_to(bag).as_posix()}")
                        moved(path.stat().st_size)
            disk.sync_file(partial)
            failpoint.at("export.zipped")
            partial.rename(target)
            disk.sync_folder(target.parent)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def unpacked(target: Path) -> None:
    """Nothing is left of a ZIP that was cut off while it was packed."""
    _half(target).unlink(missing_ok=True)


def _half(target: Path) -> Path:
    return target.with_name(f".{target.name}.partial")


@contextlib.contextmanager
def translated(target: Path) -> Iterator[None]:
    """What the target's disk refuses becomes TryAgain with what to do; other errors pass."""
    try:
        yield
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise TryAgain(
                f"There is no room for the package at {target.parent}: free some, or name another disk with --to",
                zh=f"{target.parent} 空间不足，放不下导出包：请腾出空间，或用 --to 指定另一块磁盘",
                path=str(target.parent),
            ) from error
        raise TryAgain(
            f"The package cannot be written to {target.parent}: {error.strerror or error}; name another disk with --to",
            zh=f"无法将导出包写入 {target.parent}：{error.strerror or error}；请用 --to 指定另一块磁盘",
            path=str(target.parent),
        ) from error
