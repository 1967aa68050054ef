"""What a power cut leaves of a journal of `forgetful.py`, written out as plain files.

Stricter than common file systems: bytes are safe once their file was synced, a name once its folder was synced, both
once the whole file system was. Of the rest any part may have reached the disk, and a write may be torn at a multiple
of 512 bytes. What waited when a sync failed is never safe, whatever later syncs say: the kernel calls it clean then.
A rename happens wholly or not at all, and is safe once the folder it leads to was synced.
"""

from __future__ import annotations

import os
import random
import stat
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from tests.faults.forgetful import ROOT_ID

Journal = Sequence[tuple[Any, ...]]
Choice = Callable[[tuple[Any, ...]], list[tuple[Any, ...]]]
NO_CHANGES: Final = frozenset({"sync", "failed sync", "sync folder", "sync all", "told", "mark"})
SECTOR_BYTES: Final = 512


def nothing(_: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    """Nothing that was not synced has reached the disk."""
    return []


def everything(change: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    """All of it has: as after kill -9."""
    return [change]


def some(chance: random.Random) -> Choice:
    """Any part has; writes may be torn."""
    share = chance.random()

    def choose(change: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        if chance.random() >= share:
            return []
        if change[0] == "write" and len(change[3]) > SECTOR_BYTES and chance.random() < 0.3:
            cut = chance.randrange(1, -(-len(change[3]) // SECTOR_BYTES)) * SECTOR_BYTES
            return [(*change[:3], change[3][:cut])]
        return [change]

    return choose


def without(journal: Journal, kinds: Iterable[str]) -> Journal:
    """The journal of a program that never asked for these syncs."""
    left_out = set(kinds)
    return [change for change in journal if change[0] not in left_out]


def told(journal: Journal, cut: int | None = None) -> list[bytes]:
    """What somebody was told before the cut."""
    return [change[1] for change in journal[:cut] if change[0] == "told"]


def marks(journal: Journal) -> list[tuple[int, str]]:
    """(place in the journal, what it says) of each mark."""
    return [(place, change[1].decode()) for place, change in enumerate(journal) if change[0] == "mark"]


def surviving(journal: Journal, cut: int, choose: Choice) -> list[tuple[Any, ...]]:
    """The changes that are on the disk after a power cut before the change with this number."""
    data: dict[int, int] = {}  # file -> number of its last sync
    gone: dict[int, list[tuple[int, int]]] = {}  # file -> where what waited for a failed sync begins and ends
    folders: dict[int, int] = {}
    everywhere = -1
    for place in range(cut):
        change = journal[place]
        if change[0] == "sync":
            data[change[1]] = folders[change[1]] = place
        elif change[0] == "failed sync":
            gone.setdefault(change[1], []).append((max(data.get(change[1], -1), everywhere), place))
        elif change[0] == "sync folder":
            folders[change[1]] = place
        elif change[0] == "sync all":
            everywhere = place
    left: list[tuple[Any, ...]] = []
    for place in range(cut):
        change = journal[place]
        kind = change[0]
        if kind in NO_CHANGES:
            continue
        if kind in ("write", "size", "mode"):
            synced = data.get(change[1], -1)
            if any(first < place < last for first, last in gone.get(change[1], ())):
                left += choose(change)
                continue
        elif kind == "entry":
            synced = folders.get(change[1], -1)
        elif kind == "move":
            synced = folders.get(change[3], -1)
        else:  # a node without a name is nothing
            synced = cut
        left += [change] if max(synced, everywhere) > place else choose(change)
    return left


def write_out(changes: Journal, target: Path) -> None:
    """The target folder, which must be new, holds the tree that these changes make."""
    modes: dict[int, int] = {ROOT_ID: stat.S_IFDIR | 0o755}
    contents: dict[int, bytearray] = {}
    entries: dict[int, dict[bytes, int]] = {ROOT_ID: {}}
    for change in changes:
        match change:
            case ("node", number, mode):
                modes[number] = mode
                contents[number], entries[number] = bytearray(), {}
            case ("mode", number, mode):
                modes[number] = mode
            case ("write", number, offset, data):
                content = contents[number]
                if len(content) < offset:
                    content.extend(bytes(offset - len(content)))
                content[offset : offset + len(data)] = data
            case ("size", number, size):
                content = contents[number]
                del content[size:]
                content.extend(bytes(size - len(content)))
            case ("entry", parent, name, None):
                entries[parent].pop(name, None)
            case ("entry", parent, name, child):
                entries[parent][name] = child
            case ("move", parent, name, new_parent, new_name, child):
                if entries[parent].get(name) == child:
                    del entries[parent][name]
                entries[new_parent][new_name] = child
    _write_folder(target, ROOT_ID, modes, contents, entries)


def _write_folder(
    folder: Path, number: int, modes: dict[int, int], contents: dict[int, bytearray],
    entries: dict[int, dict[bytes, int]],
) -> None:  # fmt: skip
    folder.mkdir()
    for name, child in entries[number].items():
        path = folder / os.fsdecode(name)
        if stat.S_ISDIR(modes[child]):
            _write_folder(path, child, modes, contents, entries)
        elif stat.S_ISREG(modes[child]):
            path.write_bytes(contents[child])
            path.chmod(stat.S_IMODE(modes[child]))
