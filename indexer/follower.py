"""Keeps the index level with the catalog, from any thread of any process of this host.

The index's folder holds one folder an index, and `current`, which names the one in use. A new one is built beside it
and takes its place at once; the old one is searched meanwhile. Every index carries the sequence it has followed to,
so one that was killed, restored or left behind goes on from there.
"""

from __future__ import annotations

import logging
import os
import shutil
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from filelock import FileLock
from ulid import ULID

from indexer.contract import Asked, Found, IndexDamaged, SearchIndex, Stats, backend_named
from indexer.tree import Either, Exact
from pipeline.edges.disk import sync_folder

if TYPE_CHECKING:
    from indexer.document import Document
    from pipeline.records import Known

logger = logging.getLogger(__name__)

# Originals read and committed together: few enough to be held in memory with all that is known of them.
BATCH = 500
# More than this many changes are not counted one by one for a status line.
_MOST_COUNTED = 100_000
_CURRENT = "current"
_BUILDING = ".building"


class FollowedCatalog(Protocol):
    """What the follower asks of the catalog; an original appears in it with its latest change only."""

    def changed_after(self, seq: int, limit: int) -> list[tuple[int, str]]: ...

    def known_of_many(self, ids: Sequence[str], *, filed: bool = False) -> list[Known]: ...

    def head(self) -> int: ...


class Follower:
    """The index of one home."""

    def __init__(self, catalog: FollowedCatalog, folder: Path, backend_name: str) -> None:
        self._catalog = catalog
        self._folder = folder
        self._backend_name = backend_name
        # One thread of this process at a time asks for the file lock; the others find their change covered.
        self._turn = threading.Lock()
        self._opening = threading.Lock()
        self._writing = FileLock(folder / "writer.lock")
        self._rebuilding = FileLock(folder / "rebuild.lock")
        self._opened: tuple[str, SearchIndex] | None = None

    def follow(self) -> int:
        """The catalog's change sequence that searches now see; the index was brought up to date first.

        Waits for other writers. A damaged, missing or outdated index is built anew from the catalog.
        """
        wanted = self._catalog.head()
        try:
            seen = self._index().seq()
        except IndexDamaged:
            seen = -1
        # A catalog restored from a backup may be behind its index: what it lost must go from the index too.
        if seen == wanted:
            return seen
        with self._turn:
            return self._bring_up(wanted)

    def _bring_up(self, wanted: int) -> int:
        for _ in range(2):
            try:
                with self._writing:
                    index = self._index()
                    seen = index.seq()
                    if seen <= wanted or seen <= self._catalog.head():
                        return seen if seen >= wanted else self._catch_up(index)
                logger.warning("the index is ahead of its catalog; it is built anew")
            except IndexDamaged as error:
                level = logging.INFO if self._current_name() is None else logging.WARNING
                logger.log(level, "the index is built anew: %s", error)
            self._rebuild(lambda _done, _behind: None, only_if_needed=True)
        return self._index().seq()

    def _catch_up(self, index: SearchIndex, progress: Callable[[int], None] = lambda _: None) -> int:
        """Batches are committed until the catalog tells of no further change; only under the writing lock."""
        seq = index.seq()
        while changes := self._catalog.changed_after(seq, BATCH):
            index.stage(*self._documents([identifier for _, identifier in changes]))
            seq = changes[-1][0]
            index.commit(seq)
            progress(len(changes))
        return seq

    def _documents(self, ids: Sequence[str]) -> tuple[list[Document], list[str]]:
        """Their documents, and those of the recordings that sidecars among them belong to; and what must go.

        Of an original that was disposed of nothing is found any more.
        """
        from indexer.document import document_of  # with the chain of analysis behind it, which `status` does not need

        knowns = self._catalog.known_of_many(ids, filed=True)
        parents = {known.original.parent for known in knowns if known.original.parent} - set(ids)
        if parents:
            knowns += self._catalog.known_of_many(sorted(parents), filed=True)
        gone = [known.original.id for known in knowns if known.original.state == "disposed"]
        return [document_of(known) for known in knowns if known.original.state != "disposed"], gone

    def search(self, asked: Asked) -> Found:
        """What the index finds as far as it has followed."""
        try:
            return self._index().search(asked)
        except IndexDamaged:
            # Another process may have put a new index in its place; else it is built now.
            self._forget()
            self.follow()
            return self._index().search(asked)

    def stats(self) -> Stats:
        return self._index().stats()

    def seq(self) -> int:
        """The change sequence that searches see now, without following; 0 where there is no sound index."""
        try:
            return self._index().seq()
        except IndexDamaged:
            return 0

    def behind(self) -> list[str]:
        """The originals that the index does not hold as they are now."""
        return [identifier for _, identifier in self._catalog.changed_after(self._index().seq(), _MOST_COUNTED)]

    def unknown(self, ids: Sequence[str]) -> int:
        """How many of these the index does not hold at all."""
        held = 0
        for at in range(0, len(ids), BATCH):
            some = ids[at : at + BATCH]
            held += self._index().count(Either(tuple(Exact("digests", one.lower()) for one in some)))
        # A recording answers for its sidecars too.
        return max(0, len(ids) - held)

    def state(self) -> dict[str, Any]:
        """What `status` shows; reads and changes nothing. fault: why the index must be built anew, else None."""
        told: dict[str, Any] = {"backend": self._backend_name, "documents": 0, "seq": 0, "bytes": 0, "fault": None}
        name = self._current_name()
        if name is None:
            told["fault"] = "not built yet"
        else:
            try:
                stats = self._index().stats()
                told |= {"documents": stats.documents, "seq": stats.seq, "bytes": stats.size_bytes}
            except IndexDamaged as error:
                told["fault"] = str(error)
        told["behind"] = len(self._catalog.changed_after(told["seq"], _MOST_COUNTED))
        return told

    def rebuild(self, progress: Callable[[int, int], None] = lambda _done, _total: None) -> int:
        """How many documents the new index holds, built from the whole catalog and put in place of the old.

        progress: told how many originals are done and how many there are. The old index is searched and followed
        meanwhile; killed, it is left as it was.
        """
        self._rebuild(progress, only_if_needed=False)
        return self.stats().documents

    def _rebuild(self, progress: Callable[[int, int], None], *, only_if_needed: bool) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        with self._rebuilding:
            if only_if_needed and self._is_sound():
                return
            name = self._building_name()
            index = self._fresh(name)
            total = len(self._catalog.changed_after(index.seq(), _MOST_COUNTED))
            done = 0

            def tell(count: int) -> None:
                nonlocal done
                done += count
                progress(done, max(done, total))

            # Nobody else knows this folder yet: the others go on with the old index until the last changes.
            self._catch_up(index, tell)
            with self._writing:
                self._catch_up(index, tell)
                index.close()
                self._put_in_place(name)
            self._sweep(name)

    def _is_sound(self) -> bool:
        self._forget()
        if self._current_name() is None:
            return False
        try:
            return self._index().seq() <= self._catalog.head()
        except IndexDamaged:
            return False

    def _building_name(self) -> str:
        """The index that a killed rebuild left unfinished, else a new name."""
        left = sorted(path.name for path in self._folder.glob(f"{self._backend_name}-*{_BUILDING}"))
        if left:
            return left[-1].removesuffix(_BUILDING)
        name = f"{self._backend_name}-{ULID()}"
        (self._folder / f"{name}{_BUILDING}").touch()
        return name

    def _fresh(self, name: str) -> SearchIndex:
        lock = FileLock(self._folder / "building.lock")
        try:
            index = backend_named(self._backend_name).open(self._folder / name, lock)
            if index.seq() <= self._catalog.head():
                return index
            index.close()
        except IndexDamaged:
            pass
        shutil.rmtree(self._folder / name)
        return backend_named(self._backend_name).open(self._folder / name, lock)

    def _put_in_place(self, name: str) -> None:
        fresh = self._folder / f"{_CURRENT}.new"
        fresh.write_text(name, encoding="ascii")
        with fresh.open("rb+") as opened:
            os.fsync(opened.fileno())
        fresh.replace(self._folder / _CURRENT)
        sync_folder(self._folder)
        (self._folder / f"{name}{_BUILDING}").unlink(missing_ok=True)

    def _sweep(self, kept: str) -> None:
        """Indexes nobody names are removed; what another program still holds open goes next time."""
        for path in self._folder.iterdir():
            # A backend's name and an identifier; the indexes for matching stand beside.
            if path.is_dir() and "-" in path.name and not path.name.startswith(kept):
                shutil.rmtree(path, ignore_errors=True)

    def _current_name(self) -> str | None:
        try:
            name = (self._folder / _CURRENT).read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError):
            return None
        return name if name.startswith(f"{self._backend_name}-") and "/" not in name else None

    def _index(self) -> SearchIndex:
        """The index in use, opened anew where another took its place. Raises IndexDamaged where there is none."""
        with self._opening:
            name = self._current_name()
            if self._opened is not None and self._opened[0] == name:
                return self._opened[1]
            if name is None or not (self._folder / name).is_dir():
                raise IndexDamaged("There is no search index yet", path=str(self._folder))
            self._close()
            self._opened = (name, backend_named(self._backend_name).open(self._folder / name, self._writing))
            return self._opened[1]

    def _forget(self) -> None:
        with self._opening:
            self._close()

    def _close(self) -> None:
        if self._opened is not None:
            self._opened[1].close()
        self._opened = None

    def close(self) -> None:
        self._forget()
