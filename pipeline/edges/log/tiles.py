"""The tree's hashes beside the log, so that signing a head or proving a line reads a few files and not the log.

`tile/<level>/<number>` holds 256 hashes; the last tile of a level is partial and named by its width. Tiles can
always be made again from the log's lines; whoever uses them compares the root they give with a signed one.
Source: C2SP tlog-tiles.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from pipeline.custody.tree import HASH_BYTES, Node, node_hash
from pipeline.edges import failpoint
from pipeline.edges.host import disk

WIDTH: Final = 256
# Above this many new tiles one sync of the file system is quicker than one a file (5 ms each).
SYNC_SINGLY: Final = 8


class Tiles:
    """The tiles of one log. folder: `tile` in the log's folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[Path, bytes] = {}

    def at(self, size: int) -> Node:
        """The nodes of the tree of this size. They raise LookupError where a tile is missing or too short."""

        def node(level: int, index: int) -> bytes:
            tile_level, inside = divmod(level, 8)
            first = index << inside
            data = self._tile(tile_level, first // WIDTH, size)
            at = first % WIDTH * HASH_BYTES
            hashes = data[at : at + (HASH_BYTES << inside)]
            if len(hashes) != HASH_BYTES << inside:
                raise LookupError(f"a tile of level {tile_level} is too short")
            return _over(hashes)

        return node

    def _tile(self, level: int, number: int, size: int) -> bytes:
        width = min(WIDTH, (size >> (8 * level)) - number * WIDTH)
        for path in dict.fromkeys((self.path(level, number, width), self.path(level, number, WIDTH))):
            if path in self._read:
                return self._read[path]
            try:
                data = path.read_bytes()
            except OSError:
                continue
            if path.name != str(width):
                self._read[path] = data
            return data
        raise LookupError(f"there is no tile {self.path(level, number, width)}")

    def path(self, level: int, number: int, width: int = WIDTH) -> Path:
        """Where a tile lies."""
        parts = [f"{number % 1000:03d}"]
        while number >= 1000:
            number //= 1000
            parts.insert(0, f"x{number % 1000:03d}")
        full = self._folder.joinpath(str(level), *parts)
        return full if width == WIDTH else full.with_name(full.name + ".p") / str(width)

    def extend(self, old: int, leaves: Sequence[bytes]) -> None:
        """The tiles of `old` leaves and these behind them are on the disk. Partial tiles that became full are gone.

        Raises LookupError where a tile of the old tree is missing or too short.
        """
        self._read.clear()
        written: list[Path] = []
        level, count, hashes = 0, old, list(leaves)
        while hashes:
            begun = count % WIDTH
            data = self._tile(level, count // WIDTH, old)[: begun * HASH_BYTES] if begun else b""
            if len(data) != begun * HASH_BYTES:
                raise LookupError(f"a tile of level {level} is too short")
            data += b"".join(hashes)
            above = []
            for number, tile in _cut(data, count // WIDTH):
                written.append(self._write(level, number, tile))
                if len(tile) == WIDTH * HASH_BYTES:
                    above.append(_over(tile))
            level, count, hashes = level + 1, count // WIDTH, above
        failpoint.at("tiles.written")
        self._sync(written)
        for path in written:
            if path.parent.suffix != ".p":
                _drop_partials(path.with_name(path.name + ".p"))

    def _write(self, level: int, number: int, tile: bytes) -> Path:
        path = self.path(level, number, len(tile) // HASH_BYTES)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.new")
        temporary.write_bytes(tile)
        temporary.replace(path)
        return path

    def _sync(self, written: Sequence[Path]) -> None:
        if len(written) > SYNC_SINGLY and disk.sync_file_system(self._folder):
            return
        folders = set()
        for path in written:
            disk.sync_file(path)
            above = path.parent
            while above != self._folder.parent:
                folders.add(above)
                above = above.parent
        for folder in folders | {self._folder.parent}:
            disk.sync_folder(folder)

    def paths_of(self, size: int, *, partial: bool = False) -> Iterator[Path]:
        """Every tile that a tree of this size has. partial: only those that are not full."""
        level = 0
        while size >> (8 * level):
            full, width = divmod(size >> (8 * level), WIDTH)
            if not partial:
                yield from (self.path(level, number) for number in range(full))
            if width:
                yield self.path(level, full, width)
            level += 1

    def place_of(self, path: Path) -> tuple[int, int, int] | None:
        """(level, number, width) of the tile with this path; None where no tile is called so."""
        parts = list(path.relative_to(self._folder).parts)
        width = WIDTH
        try:
            if len(parts) > 2 and parts[-2].endswith(".p"):
                width = int(parts.pop())
                parts[-1] = parts[-1].removesuffix(".p")
            level, number = int(parts[0]), int("".join(part.removeprefix("x") for part in parts[1:]))
        except ValueError:
            return None
        return (level, number, width) if self.path(level, number, width) == path else None

    def files(self) -> Iterator[Path]:
        """Every tile that is there; temporary names are left out."""
        for path in sorted(self._folder.rglob("*")):
            if path.is_file() and not path.name.startswith("."):
                yield path


def _cut(data: bytes, number: int) -> Iterator[tuple[int, bytes]]:
    for at in range(0, len(data), WIDTH * HASH_BYTES):
        yield number, data[at : at + WIDTH * HASH_BYTES]
        number += 1


def _over(hashes: bytes) -> bytes:
    """The hash over a power of two of hashes."""
    row = [hashes[at : at + HASH_BYTES] for at in range(0, len(hashes), HASH_BYTES)]
    while len(row) > 1:
        row = [node_hash(row[at], row[at + 1]) for at in range(0, len(row), 2)]
    return row[0]


def _drop_partials(folder: Path) -> None:
    if folder.is_dir():
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()
