"""An index for matching, kept in files: segments that never change, and a list that names those in use.

Everything in it can be made again from the catalog. It follows the catalog's change sequence: originals whose marks
are new or other go into a new segment, and their rows in older segments count no more. Small segments of like size are
joined. A segment is written, synced and renamed before the list names it, and the list is replaced by renaming; so
whatever is killed when, the list names whole segments. Readers map the files and never wait.
"""

from __future__ import annotations

import contextlib
import functools
import json
import logging
import os
import shutil
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray
from ulid import ULID

from pipeline.edges.host.disk import sync_folder
from pipeline.errors import TryAgain
from pipeline.records import Known

logger = logging.getLogger(__name__)

FORM: Final = 4
# Originals read at once; their marks are held in memory until the segment is written.
BATCH: Final = 100
# Marks that wait for a new segment: sorting them takes some ten times as much memory.
WAITING_MAX_BYTES: Final = 32 << 20
JOINED: Final = 4
_LIST: Final = "segments.json"
GONE: Final = ".gone"
# The first writing of a large archive takes longer; the others come again.
WAITED_MAX_S: Final = 60.0
# Others may join segments between reading the list and mapping what it names; each such meeting takes a new look.
LISTS_READ: Final = 20

Arrays = dict[str, NDArray[Any]]


class MarkedCatalog(Protocol):
    """What an index for matching asks of the catalog."""

    def changed_after(self, seq: int, limit: int) -> list[tuple[int, str]]: ...

    def known_of_many(self, ids: Sequence[str], *, with_data: bool = False) -> list[Known]: ...

    def head(self) -> int: ...


class Made:
    """The arrays of a segment on their way: files in its folder, which need not fit in memory."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._arrays: dict[str, NDArray[Any]] = {}
        folder.mkdir()

    def array(self, name: str, dtype: Any, shape: tuple[int, ...]) -> NDArray[Any]:
        """An array to be filled."""
        if 0 in shape:  # nothing cannot be mapped
            made = np.empty(shape, dtype)
            np.save(self._folder / f"{name}.npy", made, allow_pickle=False)
        else:
            made = np.lib.format.open_memmap(self._folder / f"{name}.npy", mode="w+", dtype=dtype, shape=shape)
        self._arrays[name] = made
        return made

    def put(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """These arrays as they are."""
        for name, given in arrays.items():
            self.array(name, given.dtype, given.shape)[...] = given

    def close(self, counted: str) -> int:
        """All lies on the disk; how many rows the named array has."""
        rows = len(self._arrays[counted])
        self._arrays.clear()  # unmaps them: on Windows a folder with mapped files cannot be renamed
        for path in self._folder.iterdir():
            with path.open("rb+") as opened:
                os.fsync(opened.fileno())
        sync_folder(self._folder)
        return rows


@dataclass(frozen=True)
class Method:
    """What an index holds. name: of its folder; methods, version: of the fingerprints it is made of.

    built: (original, data) of fingerprints -> arrays of a segment, in which originals are numbered as given.
    join: makes the arrays of one segment from those of several; given with each the new number of its originals, -1 for
    gone. counted: the array whose length says how large a segment is; full: from so many rows on it is not joined.
    """

    name: str
    methods: tuple[str, ...]
    version: int
    built: Callable[[Sequence[tuple[str, bytes]]], Arrays]
    join: Callable[[Sequence[tuple[Arrays, NDArray[np.int64]]], Made], None]
    counted: str
    full: int


@dataclass
class _Part:
    """One segment as the list names it.

    originals: one for each fingerprint; held: the digest of all of that original's; gone: places of superseded ones.
    """

    name: str
    rows: int
    originals: list[str]
    held: list[int]
    gone: list[int] = field(default_factory=list)


@dataclass
class _List:
    seq: int = 0
    parts: list[_Part] = field(default_factory=list)


class Kept:
    """The index of one method of one home."""

    def __init__(self, catalog: MarkedCatalog, folder: Path, method: Method) -> None:
        self._catalog, self._method = catalog, method
        self._folder = folder / f"{method.name}-{FORM}-{method.version}"
        self._writing = FileLock(folder / f"{method.name}.lock")
        folder.mkdir(parents=True, exist_ok=True)

    def segments(self) -> list[tuple[list[str], NDArray[np.bool_], Arrays]]:
        """(originals, whether each still counts, mapped arrays) of every segment, level with the catalog."""
        for _ in range(LISTS_READ):
            told = self.follow()
            try:
                return [(part.originals, _counting(part), self._mapped(part)) for part in told.parts]
            except FileNotFoundError:  # another process joined segments just now
                continue
        raise TryAgain(
            "The index for matching was joined anew all the while",
            zh="比对索引正在合并，请稍后再试",
            path=str(self._folder),
        )

    def follow(self) -> _List:
        """The list, brought level with the catalog first."""
        wanted = self._catalog.head()
        told = self._read()
        if told is not None and told.seq == wanted:
            return told
        with self._alone():
            told = self._read()
            if told is None or told.seq > wanted:
                # Missing, damaged, of another form, or ahead of a catalog that was restored.
                told = _List()
                self._empty()
            else:
                self._sweep(told)
            return self._caught_up(told)

    def rebuild(self) -> int:
        """How many originals the index holds, made anew from the whole catalog."""
        with self._alone():
            self._empty()
        return _held_count(self.follow())

    def state(self) -> dict[str, Any]:
        """Counts for a status line; reads only."""
        told = self._read() or _List()
        size = sum(path.stat().st_size for path in self._folder.rglob("*.npy")) if self._folder.is_dir() else 0
        return {"originals": _held_count(told), "rows": sum(part.rows for part in told.parts),
                "segments": len(told.parts), "seq": told.seq, "bytes": size}  # fmt: skip

    # -- following

    def _caught_up(self, told: _List) -> _List:
        held = {original: digest for part in told.parts for original, digest, counts in
                zip(part.originals, part.held, _counting(part), strict=True) if counts}  # fmt: skip
        waiting: dict[str, list[bytes]] = {}
        stale: set[str] = set()
        size, seq = 0, told.seq
        while changes := self._catalog.changed_after(seq, BATCH):
            for original, marks in self._marks_of([original for _, original in changes]):
                if _digest(marks) == held.get(original, 0):
                    continue
                if original in held:
                    stale.add(original)
                waiting[original], held[original] = marks, _digest(marks)
                size += sum(map(len, marks))
            seq = changes[-1][0]
            if size > WAITING_MAX_BYTES:
                self._add(told, waiting, stale, seq)
                waiting, stale, size = {}, set(), 0
        self._add(told, waiting, stale, seq)
        return self._joined(told)

    def _marks_of(self, ids: Sequence[str]) -> Iterator[tuple[str, list[bytes]]]:
        """Each original's fingerprints of this method; none of one that was disposed of."""
        for known in self._catalog.known_of_many(ids, with_data=True):
            gone = known.original.state == "disposed"
            yield (
                known.original.id,
                [
                    one.data
                    for one in known.fingerprints
                    if one.method in self._method.methods and one.version == self._method.version and not gone
                ],
            )

    def _add(self, told: _List, marks: Mapping[str, Sequence[bytes]], stale: set[str], seq: int) -> None:
        if stale:
            for part in told.parts:
                part.gone = sorted({*part.gone, *(at for at, one in enumerate(part.originals) if one in stale)})
        items = [(original, data) for original, kept in marks.items() for data in kept]
        if items:
            held = [_digest(marks[original]) for original, _ in items]
            arrays = self._method.built(items)
            told.parts.append(self._written(lambda made: made.put(arrays), [original for original, _ in items], held))
        told.seq = seq
        self._write_list(told)

    def _joined(self, told: _List) -> _List:
        """Segments of like size are joined, so that their number grows with the logarithm of what is held."""
        tiers: dict[int, list[_Part]] = {}
        for part in told.parts:
            tiers.setdefault(max(0, (part.rows // 1000).bit_length() // 2), []).append(part)
        for tier in tiers.values():
            tier.sort(key=lambda part: part.rows)
            # After many came at once, all of a tier would be more than a segment holds.
            parts = [part for part, rows in zip(tier, accumulate(part.rows for part in tier), strict=True)
                     if rows <= self._method.full]  # fmt: skip
            if len(parts) < JOINED:
                continue
            originals: list[str] = []
            held: list[int] = []
            given: list[tuple[Arrays, NDArray[np.int64]]] = []
            for part in parts:
                counting = _counting(part)
                numbers = np.where(counting, len(originals) + np.cumsum(counting) - 1, -1)
                originals += [one for one, counts in zip(part.originals, counting, strict=True) if counts]
                held += [one for one, counts in zip(part.held, counting, strict=True) if counts]
                given.append((self._mapped(part), numbers))
            fresh = self._written(functools.partial(self._method.join, given), originals, held)
            told.parts = [*(part for part in told.parts if part not in parts), fresh]
            self._write_list(told)
            self._sweep(told)
            return self._joined(told)
        return told

    # -- files

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """One writer at a time. Raises TryAgain where another one writes for long, or stands still."""
        try:
            self._writing.acquire(timeout=WAITED_MAX_S)
        except Timeout as error:
            raise TryAgain(
                "Another process writes the index for matching", zh="另一个进程正在写入比对索引", path=str(self._folder)
            ) from error
        try:
            yield
        finally:
            self._writing.release()

    def _empty(self) -> None:
        """No segment any more. The list goes first: whoever is killed in here leaves none that names a torn segment."""
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / _LIST).unlink(missing_ok=True)
        sync_folder(self._folder)
        self._sweep(_List())
        # Of earlier forms and versions nobody asks any more.
        for other in self._folder.parent.glob(f"{self._method.name}-*/"):
            if other != self._folder:
                shutil.rmtree(other, ignore_errors=True)

    def _written(self, fill: Callable[[Made], None], originals: list[str], held: list[int]) -> _Part:
        name = str(ULID())
        made = Made(self._folder / f"{name}.part")
        fill(made)
        rows = made.close(self._method.counted)
        (self._folder / f"{name}.part").rename(self._folder / name)
        sync_folder(self._folder)
        return _Part(name, rows, originals, held)

    def _mapped(self, part: _Part) -> Arrays:
        files = sorted((self._folder / part.name).glob("*.npy"))
        if not files:
            raise FileNotFoundError(self._folder / part.name)
        # As plain arrays: of a `memmap` each slice is looked at anew, which costs more than what is read of it.
        return {path.stem: np.load(path, mmap_mode="r", allow_pickle=False).view(np.ndarray) for path in files}

    def _read(self) -> _List | None:
        try:
            said = json.loads((self._folder / _LIST).read_text(encoding="utf-8"))
            told = _List(said["seq"], [_Part(**part) for part in said["parts"]])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return told if all((self._folder / part.name).is_dir() for part in told.parts) else None

    def _write_list(self, told: _List) -> None:
        fresh = self._folder / f"{_LIST}.new"
        with fresh.open("w", encoding="utf-8") as opened:
            json.dump(asdict(told), opened)
            opened.flush()
            os.fsync(opened.fileno())
        fresh.replace(self._folder / _LIST)
        sync_folder(self._folder)

    def _sweep(self, told: _List) -> None:
        """Segments that the list does not name are removed; those who have them mapped read on."""
        named = {part.name for part in told.parts}
        for path in self._folder.iterdir():
            if not path.is_dir() or path.name in named:
                continue
            # First out of sight as a whole: who maps it meanwhile must not find a half of it.
            away = path if path.suffix == GONE else path.with_name(path.name + GONE)
            with contextlib.suppress(OSError):  # on Windows it stays while somebody has it mapped
                path.rename(away)
            shutil.rmtree(away, ignore_errors=True)


def _held_count(told: _List) -> int:
    return sum(len(part.originals) - len(part.gone) for part in told.parts)


def _counting(part: _Part) -> NDArray[np.bool_]:
    counts = np.ones(len(part.originals), np.bool_)
    counts[part.gone] = False
    return counts


def _digest(marks: Sequence[bytes]) -> int:
    """Of an original's marks, to see whether they are others; 0 where there are none."""
    return zlib.crc32(b"".join(sorted(marks))) if marks else 0
