"""What every index backend does: stages documents, commits them with the catalog's sequence, finds and counts.

An index is a projection of the catalog and can be thrown away at any time. Readers see a commit at once. A writer
killed at any moment leaves the last commit, and the sequence stored with it says from where to follow again.
"""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

from filelock import BaseFileLock

import indexer.backends
from indexer.tree import All, Node
from indexer.words.phrases import NONE, Phrases
from pipeline.edges.host.disk import sync_folder
from pipeline.errors import BadInput, TryAgain

if TYPE_CHECKING:
    from indexer.document import Document

# Goes up when documents get other fields, or other texts in them.
SCHEMA_VERSION = 5
# Goes up when `analysis.py` would now give other tokens or keys for the same text.
ANALYSIS_VERSION = 2
# An index of another version is built anew.
VERSION = f"{SCHEMA_VERSION}.{ANALYSIS_VERSION}"

# In an index's own folder.
_PHRASES = "phrases.json"

Sort = Literal["score", "time", "-time"]


class IndexDamaged(TryAgain):
    """The index cannot be read, or another version made it: it is rebuilt from the catalog."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A search as a backend gets it.

    sort: by score, or by the decided start (`-time`: latest first), undated last, of those the latest taken in first
    or last likewise. from_place: by time only; hits that stand before this place in the order are left out, while
    total and facets count all. facets: of FACET_FIELDS; most_values: so many of each field are enough, those of most
    documents; a backend may give more.
    """

    node: Node = field(default_factory=All)
    limit: int = 20
    offset: int = 0
    sort: Sort = "score"
    facets: tuple[str, ...] = ()
    most_values: int | None = None
    from_place: int | None = None


class Match(NamedTuple):
    """A document found. place: where it stands by time, `Document.earliest` or `latest` as sorted; 0 by score.

    recording: the logical recording it is a part of, as the document says.
    """

    id: str
    score: float
    place: int
    recording: str


@dataclass(frozen=True, kw_only=True)
class Found:
    """hits: in order; total: of all that match; facets: field -> value -> documents.

    Facets may still be counted while hits are looked at; whoever looks at them waits.
    """

    hits: tuple[Match, ...]
    total: int
    facets: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Stats:
    documents: int
    segments: int
    seq: int
    size_bytes: int


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where an index lives.

    folder: its own; what lies in a database is named like it. lock: keeps other writers out. database: the catalog's
    address. is_building: nobody searches it before `finish`, so what serves searching alone may be made there.
    meanwhile: called now and then, in another thread, as long as this index keeps other processes from writing.
    """

    folder: Path
    lock: BaseFileLock
    database: str = ""
    is_building: bool = False
    meanwhile: Callable[[], None] = lambda: None


class SearchIndex(Protocol):
    """One index in one place. Any thread may search; whoever stages and commits does both in one thread."""

    def stage(self, documents: Iterable[Document], deletes: Iterable[str] = ()) -> None:
        """Holds these for the next commit; the last of one id wins."""

    def commit(self, seq: int) -> None:
        """What was staged is found and seq is stored, together or not at all, and on the disk.

        Waits for the writing lock, which keeps out other threads and processes. Raises TryAgain where it cannot
        be written, IndexDamaged where it cannot be read; what was staged is then forgotten.
        """

    def is_free(self) -> bool:
        """Whether a commit now, under the writing lock, need not wait for what another process has begun."""

    def seq(self) -> int:
        """The sequence of the last commit of any process."""

    def search(self, asked: Asked) -> Found: ...

    def count(self, node: Node) -> int: ...

    def stats(self) -> Stats: ...

    def finish(self) -> None:
        """What thousands of commits left to be done for searching is done; may take minutes, and may be done twice."""

    def clear(self) -> None:
        """No documents and sequence 0."""

    def close(self) -> None: ...


def sweep_folders(kind: str, kept: Place) -> None:
    """No folder of this kind lies beside the kept one; what another program still holds open goes next time."""
    for path in kept.folder.parent.glob(f"{kind}-*"):
        if path.is_dir() and path != kept.folder:
            shutil.rmtree(path, ignore_errors=True)


@dataclass(frozen=True)
class Backend:
    """A kind of index. open: the index in this place, made where there is none. sweep: every other index of this kind
    (its name is given) is gone, be the kept one of another kind. built_together: words that a new index commits
    together; two million staged ones take some 150 MB.

    open raises IndexDamaged where the place holds something that cannot be read or is of another version.
    """

    name: str
    open: Callable[[Place], SearchIndex]
    sweep: Callable[[str, Place], None] = sweep_folders
    built_together: int = 2_000_000


@cache
def backend_names() -> list[str]:
    """The backends there are; none is loaded. Looked up once, for every search asks."""
    return [found.removesuffix("_index") for _, found, _ in pkgutil.iter_modules(indexer.backends.__path__)]


def require_backend(name: str) -> str:
    """The name, where there is such a backend. Raises BadInput naming those there are."""
    names = backend_names()
    if name not in names:
        raise BadInput(
            f"There is no index backend '{name}'; there are: {', '.join(names)}",
            zh=f"没有名为“{name}”的索引后端，可用：{'、'.join(names)}",
            backend=name,
        )
    return name


def backend_named(name: str) -> Backend:
    """The backend a setting names; only its own library is loaded. Raises BadInput naming those there are."""
    backend: Backend = importlib.import_module(f"indexer.backends.{require_backend(name)}_index").BACKEND
    return backend


def make_once(place: Place, make: Callable[[Path], None]) -> None:
    """The folder holds a whole index, made beside it and moved, so that nobody meets a half made one."""
    folder = place.folder
    if folder.exists() and any(folder.iterdir()):
        return
    with place.lock:
        if folder.exists() and any(folder.iterdir()):
            return
        fresh = folder.with_name(f"{folder.name}.new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True, mode=0o700)
        make(fresh)
        if folder.exists():
            folder.rmdir()
        fresh.rename(folder)


def keep_phrases(folder: Path, common: Phrases) -> None:
    """The phrases that documents of the index in this folder carry are on the disk, before the first of these is."""
    fresh = folder / f"{_PHRASES}.new"
    fresh.write_text(json.dumps(sorted(common), ensure_ascii=False), encoding="utf-8")
    with fresh.open("rb+") as opened:
        os.fsync(opened.fileno())
    fresh.replace(folder / _PHRASES)
    sync_folder(folder)


def kept_phrases(folder: Path) -> Phrases:
    """None where no documents carry any; then all are looked for by their words. Raises ValueError where unreadable."""
    path = folder / _PHRASES
    return frozenset(map(tuple, json.loads(path.read_text(encoding="utf-8")))) if path.exists() else NONE


def folder_bytes(folder: Path) -> int:
    """What the files of a folder take; files that vanish meanwhile count nothing."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except OSError:
            continue
    return total
