"""Keeps the index level with the catalog, from any thread of any process of this host.

The index's folder holds one folder an index, and `current`, which names the one in use. A new one is built beside it
and takes its place at once; the old one, be it of another backend, is searched and followed meanwhile. Every index
carries the sequence it has followed to, so one that was killed, restored or left behind goes on from there.
"""

from __future__ import annotations

import logging
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from filelock import BaseFileLock, FileLock, Timeout
from ulid import ULID

from indexer.contract import (
    Asked,
    Backend,
    Found,
    IndexDamaged,
    Place,
    SearchIndex,
    Stats,
    backend_named,
    backend_names,
    require_backend,
)
from indexer.tree import All, Either, Exact, Node
from pipeline.edges import failpoint
from pipeline.edges.host.disk import sync_folder
from pipeline.errors import CasereelError, TryAgain

if TYPE_CHECKING:
    from indexer.document import Document
    from pipeline.records import Known

logger = logging.getLogger(__name__)

# Originals read and committed together: few enough to be held in memory with all that is known of them.
BATCH = 500
# More than this many changes are not counted one by one for a status line.
_MOST_COUNTED = 100_000
# A search follows so many changes and waits so long for other writers; the rest is the workers' and it says so.
_FOLLOWED_AT_ONCE, _PATIENCE_S = 100, 1.0
# Another process that merges follows for all; after so long whoever must follow waits for it to end. How often to look.
_MERGE_PATIENCE_S, _LOOK_EVERY_S = 20.0, 0.05
# An archive of so many originals is indexed within seconds: whoever misses its index builds it.
_BUILT_AT_ONCE = 2_000
# So often a catalog that changes meanwhile is counted anew.
_LOOKS = 3
# Further than any catalog has come.
_FURTHEST = 1 << 62
_CURRENT = "current"
_BUILDING = ".building"


class IndexMissing(TryAgain):
    """There is no index that could be searched, and building it takes too long for whoever waits for an answer."""


class FollowedCatalog(Protocol):
    """What the follower asks of the catalog; an original appears in it with its latest change only."""

    def changed_after(self, seq: int, limit: int) -> list[tuple[int, str]]: ...

    def count_changed_after(self, seq: int) -> int: ...

    def known_of_many(self, ids: Sequence[str], *, filed: bool = False) -> list[Known]: ...

    def head(self) -> int: ...

    def counts(self) -> dict[str, int]:
        """State -> how many originals are in it."""


class Follower:
    """The index of one home. backend_name: of the indexes it builds; the one in use may be of another until then.

    database: the catalog's address, for indexes that live there. hear: is given documents before they are committed,
    some of them more than once.
    """

    def __init__(
        self,
        catalog: FollowedCatalog,
        folder: Path,
        backend_name: str,
        database: str = "",
        hear: Callable[[Sequence[Document]], None] = lambda _: None,
    ) -> None:
        self._catalog = catalog
        self._hear = hear
        self._folder = folder
        self._backend_name = require_backend(backend_name)
        self._database = database
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

    def follow_for_search(self) -> None:
        """The index holds the latest changes where that is done in a moment; else they are left to the workers.

        Raises IndexMissing where there is no sound index and building one takes longer than a person waits.
        """
        try:
            seq, head = self._index().seq(), self._catalog.head()
            if seq > head:
                raise IndexDamaged("The search index is ahead of its catalog", path=str(self._folder))
            if seq == head or len(self._catalog.changed_after(seq, _FOLLOWED_AT_ONCE + 1)) > _FOLLOWED_AT_ONCE:
                return
            self._follow_in_turn()
        except IndexDamaged as error:
            self._forget()
            self._require_small(error)
            self.follow()

    def _follow_in_turn(self) -> None:
        """The latest changes are in the index, or others have been writing for too long."""
        until_s = time.monotonic() + _PATIENCE_S
        if not self._turn.acquire(timeout=_PATIENCE_S):
            return
        try:
            while (left_s := until_s - time.monotonic()) > 0:
                with self._writing.acquire(timeout=left_s):
                    index = self._index()
                    seq, head = index.seq(), self._catalog.head()
                    if seq < head and index.is_free():
                        self._catch_up(index)
                        return
                if seq >= head:
                    return
                time.sleep(_LOOK_EVERY_S)
        except Timeout:
            return
        finally:
            self._turn.release()

    def _follow_for_others(self) -> None:
        """The latest changes are in the index that this process keeps the others from writing."""
        opened = self._opened
        if opened is None or not self._turn.acquire(blocking=False):
            return
        try:
            if opened[1].seq() < self._catalog.head():
                with self._writing.acquire(timeout=_PATIENCE_S):
                    self._catch_up(opened[1])
        except (CasereelError, Timeout) as error:
            logger.info("the index could not be followed while it is merged: %s", error)
        finally:
            self._turn.release()

    def _require_small(self, error: IndexDamaged) -> None:
        total = sum(self._catalog.counts().values())
        if total <= _BUILT_AT_ONCE:
            return
        building = self.building()
        done, total = building if building and building[1] else (0, total)
        raise IndexMissing(
            f"The search index is being built anew and cannot be searched yet: {done} of {total} originals are in it. "
            "A running `casereel up` or `casereel patrol` builds it; else run `casereel rebuild index`",
            zh=f"检索索引需要重建，暂时无法检索：共 {total} 件，已完成 {done} 件。"
            "运行中的 casereel up 或 casereel patrol 会自动重建；否则请运行 casereel rebuild index",
            done=done, total=total, why=str(error),
        ) from error  # fmt: skip

    def building(self) -> tuple[int, int] | None:
        """How many originals are in the index that is being built, and how many will be; None where none is."""
        left = sorted(self._folder.glob(f"*{_BUILDING}"))
        try:
            done, total = (left[-1].read_text(encoding="ascii") or "0 0").split()
            return int(done), int(total)
        except (OSError, IndexError, ValueError):
            return None

    def _bring_up(self, wanted: int) -> int:
        for _ in range(2):
            try:
                with self._writable(wanted) as index:
                    seen = index.seq()
                    if seen <= wanted or seen <= self._catalog.head():
                        return seen if seen >= wanted else self._catch_up(index)
                logger.warning("the index is ahead of its catalog; it is built anew")
            except IndexDamaged as error:
                level = logging.INFO if self._current_name() is None else logging.WARNING
                logger.log(level, "the index is built anew: %s", error)
            self._rebuild(lambda _done, _behind: None, only_if_needed=True)
        return self._index().seq()

    @contextmanager
    def _writable(self, wanted: int) -> Iterator[SearchIndex]:
        """The index, under the writing lock; it holds what is wanted, or no other process keeps this one from writing.

        After a while it is given all the same: then a commit waits.
        """
        until_s = time.monotonic() + _MERGE_PATIENCE_S
        while True:
            with self._writing:
                index = self._index()
                if index.seq() >= wanted or index.is_free() or time.monotonic() > until_s:
                    yield index
                    return
            time.sleep(_LOOK_EVERY_S)

    def _catch_up(self, index: SearchIndex, progress: Callable[[int], None] = lambda _: None, together: int = 0) -> int:
        """Batches are committed until the catalog tells of no further change; only under the writing lock.

        together: batches are committed together up to so many words: quicker, and unseen longer.
        """
        seq, staged, words = index.seq(), 0, 0
        while changes := self._catalog.changed_after(seq, BATCH):
            documents, gone = self._documents([identifier for _, identifier in changes])
            self._hear(documents)
            index.stage(documents, gone)
            seq = changes[-1][0]
            staged += len(changes)
            words += sum(len(document.words.get("text", ())) for document in documents)
            if words < together and len(changes) >= BATCH:
                continue
            failpoint.at("index.staged")
            index.commit(seq)
            failpoint.at("index.committed")
            progress(staged)
            staged = words = 0
        if staged:
            index.commit(seq)
            progress(staged)
        return seq

    def _documents(self, ids: Sequence[str]) -> tuple[list[Document], list[str]]:
        """Their documents, and those of the recordings and sidecars that belong to them; and what must go.

        Of an original that was disposed of, or is isolated, nothing is found any more.
        """
        from indexer.document import document_of  # with the chain of analysis behind it, which `status` does not need

        knowns = self._catalog.known_of_many(ids, filed=True)
        # What restricts one of a family restricts all of it.
        for related in (_parents, _sidecars):
            missing = related(knowns) - {known.original.id for known in knowns}
            if missing:
                knowns += self._catalog.known_of_many(sorted(missing), filed=True)
        gone = {
            known.original.id for known in knowns
            if known.original.state == "disposed" or any(one.kind == "isolated" for one in known.restrictions)
        }  # fmt: skip
        return [document_of(known) for known in knowns if known.original.id not in gone], sorted(gone)

    def search(self, asked: Asked) -> Found:
        """What the index finds as far as it has followed."""
        try:
            return self._index().search(asked)
        except IndexDamaged:
            # Another process may have put a new index in its place; else it is built now.
            self._forget()
            self.follow_for_search()
            return self._index().search(asked)

    def count(self, node: Node) -> int:
        """How many documents the index holds for which this is so."""
        return self._index().count(node)

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
        """How many originals the index does not hold at all, these being those it does not hold as they are now."""
        return max(0, self._held() - self._index().stats().documents) if ids else 0

    def _held(self) -> int:
        """How many originals the index should hold."""
        counts = self._catalog.counts()
        return sum(counts.values()) - counts.get("disposed", 0)

    def state(self) -> dict[str, Any]:
        """What `status` shows; reads and changes nothing. fault: why the index must be built anew, else None."""
        name = self._current_name()
        told: dict[str, Any] = {
            "backend": _kind_of(name) if name else self._backend_name,
            "wanted": self._backend_name,
            "documents": 0,
            "seq": 0,
            "bytes": 0,
            "fault": None,
        }
        if name is None:
            told["fault"] = "not built yet"
        else:
            try:
                stats = self._index().stats()
                told |= {"documents": stats.documents, "seq": stats.seq, "bytes": stats.size_bytes}
            except IndexDamaged as error:
                told["fault"] = str(error)
        told["behind"] = self._catalog.count_changed_after(told["seq"])
        building = self.building()
        told["building"] = {"done": building[0], "total": building[1]} if building else None
        return told

    def heal(self, *, thorough: bool = True) -> dict[str, int]:
        """The index holds what the catalog knows; `behind`: originals it did not hold as they are now, `missing`:
        documents that it had lost. One with documents that the catalog does not know is built anew.

        thorough: documents are counted too, beside the changes that were not followed yet.
        """
        try:
            behind = self._catalog.count_changed_after(self._index().seq())
        except IndexDamaged:
            behind = self._catalog.count_changed_after(0)
        self.follow()
        return {"behind": behind, "missing": self._restore() if thorough else 0}

    def must_be_built(self) -> bool:
        """Whether no sound index is in use."""
        return not self._is_sound()

    def _restore(self) -> int:
        """How many documents an index that has followed to the end had lost; they are there again."""
        with self._turn, self._writable(_FURTHEST):
            lacking = self._lacking()
            restored = self._put_lost() if lacking > 0 else 0
        if lacking < 0:
            logger.warning("the index holds %s documents that the catalog does not know; it is built anew", -lacking)
            self._rebuild(lambda _done, _total: None, only_if_needed=False)
        return restored

    def _lacking(self) -> int:
        """How many documents the index should hold beside those it holds; 0 where the catalog will not stand still."""
        index = self._index()
        for _ in range(_LOOKS):
            seq = self._catch_up(index)
            held, documents = self._held(), index.count(All())
            if documents == held or self._catalog.head() == seq:
                return held - documents
        return 0

    def _put_lost(self) -> int:
        index, restored, after = self._index(), 0, 0
        seq = index.seq()
        while changes := self._catalog.changed_after(after, BATCH):
            after = changes[-1][0]
            ids = [identifier for _, identifier in changes]
            if lost := sorted(set(ids) - _present(index, ids)):
                documents, _ = self._documents(lost)
                index.stage(documents)
                index.commit(seq)
                restored += len(documents)
        return restored

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
            failpoint.at("index.begun")
            total = sum(self._catalog.counts().values())
            done = max(0, total - len(self._catalog.changed_after(index.seq(), total + 1)))
            marker = self._folder / f"{name}{_BUILDING}"

            def tell(count: int) -> None:
                nonlocal done
                done += count
                marker.write_text(f"{done} {max(done, total)}", encoding="ascii")
                progress(done, max(done, total))

            # Nobody else knows this folder yet: the others go on with the old index until the last changes.
            self._catch_up(index, tell, together=backend_named(self._backend_name).built_together)
            index.finish()
            failpoint.at("index.finished")
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
        """The index that a killed rebuild left unfinished, else a new name; what one of another backend left goes."""
        for path in self._folder.glob(f"*{_BUILDING}"):
            if not path.name.startswith(f"{self._backend_name}-"):
                path.unlink(missing_ok=True)
        left = sorted(path.name for path in self._folder.glob(f"{self._backend_name}-*{_BUILDING}"))
        if left:
            return left[-1].removesuffix(_BUILDING)
        name = f"{self._backend_name}-{ULID()}"
        (self._folder / f"{name}{_BUILDING}").touch()
        return name

    def _fresh(self, name: str) -> SearchIndex:
        lock = FileLock(self._folder / "building.lock")
        try:
            index = self._opened_at(name, lock, is_building=True)
            if index.seq() <= self._catalog.head():
                return index
            index.close()
        except IndexDamaged:
            pass
        shutil.rmtree(self._folder / name)
        return self._opened_at(name, lock, is_building=True)

    def _opened_at(self, name: str, lock: BaseFileLock, *, is_building: bool = False) -> SearchIndex:
        place = Place(
            folder=self._folder / name, lock=lock, database=self._database, is_building=is_building,
            meanwhile=self._follow_for_others,
        )  # fmt: skip
        return backend_named(_kind_of(name)).open(place)

    def _put_in_place(self, name: str) -> None:
        fresh = self._folder / f"{_CURRENT}.new"
        fresh.write_text(name, encoding="ascii")
        with fresh.open("rb+") as opened:
            os.fsync(opened.fileno())
        failpoint.at("index.before_place")
        fresh.replace(self._folder / _CURRENT)
        sync_folder(self._folder)
        failpoint.at("index.placed")
        (self._folder / f"{name}{_BUILDING}").unlink(missing_ok=True)

    def _sweep(self, kept: str) -> None:
        """Indexes nobody names are removed; those whose backend cannot be reached go next time."""
        place = Place(folder=self._folder / kept, lock=self._writing, database=self._database)
        kinds = {_kind_of(path.name) for path in self._folder.iterdir() if path.is_dir() and "-" in path.name}
        for backend in self._backends(kinds | {_kind_of(kept)}):
            try:
                backend.sweep(backend.name, place)
            except TryAgain as error:
                logger.warning("a replaced index is left for now: %s", error)

    def _backends(self, kinds: set[str]) -> list[Backend]:
        return [backend_named(kind) for kind in sorted(kinds.intersection(backend_names()))]

    def _current_name(self) -> str | None:
        try:
            name = (self._folder / _CURRENT).read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError):
            return None
        return name if _kind_of(name) in backend_names() and "/" not in name else None

    def _index(self) -> SearchIndex:
        """The index in use, opened anew where another took its place. Raises IndexDamaged where there is none."""
        with self._opening:
            name = self._current_name()
            if self._opened is not None and self._opened[0] == name:
                return self._opened[1]
            if name is None or not (self._folder / name).is_dir():
                raise IndexDamaged("There is no search index yet", path=str(self._folder))
            self._close()
            self._opened = (name, self._opened_at(name, self._writing))
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


def _kind_of(name: str) -> str:
    """The backend of an index by its name."""
    return name.partition("-")[0]


def _present(index: SearchIndex, ids: Sequence[str]) -> set[str]:
    """Which of these the index holds. Every document carries its identifier as a digest."""
    node = Either(tuple(Exact("digests", identifier.lower()) for identifier in ids))
    hits = index.search(Asked(node=node, limit=2 * len(ids))).hits
    return {match.id for match in hits}


def _parents(knowns: Sequence[Known]) -> set[str]:
    return {known.original.parent for known in knowns if known.original.parent}


def _sidecars(knowns: Sequence[Known]) -> set[str]:
    return {sidecar.original.id for known in knowns for sidecar in known.sidecars}
