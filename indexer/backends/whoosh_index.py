"""The index in pure Python: Whoosh 2.7.4, for small sites; comfortable to some ten thousand documents.

The tokens come ready made, as lists. Five rules make it sound: segments are not packed (`compound=False`, or every
opening copies them into memory); a searcher is opened anew after each commit and never refreshed; one commit holds
one document an id, for the writer does not see its own additions; a commit merges nothing until there are many
segments; the files are synced afterwards, which Whoosh never does. The folder holds pickles: it is made for its
owner only, and a foreign one must not be opened. What Whoosh would work out for each document of a search is held in
memory, each segment's part once: times, the values of facets, and what somebody may see.
Not covered: quick phrases of common words beyond the size named above.
"""

from __future__ import annotations

import heapq
import json
import os
import pickle
import struct
import sys
import threading
import zlib
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from whoosh import analysis as whoosh_analysis
from whoosh import collectors, columns, fields, query, writing
from whoosh import index as whoosh_index
from whoosh.filedb.filestore import FileStorage
from whoosh.query import compound, spans
from whoosh.reading import ReaderClosed, SegmentReader

from indexer.contract import (
    VERSION,
    Asked,
    Backend,
    Found,
    IndexDamaged,
    Match,
    Place,
    Stats,
    folder_bytes,
    keep_phrases,
    kept_phrases,
    make_once,
)
from indexer.tree import (
    DOCUMENT_FLAG,
    EXACT_FIELDS,
    FACET_FIELDS,
    WORD_FIELDS,
    All,
    During,
    Either,
    Exact,
    Node,
    Not,
    Words,
    parts_of,
)
from indexer.words.phrases import GRAM, NONE, TOLD_BY, Phrases, by_grams, common_phrases, grams_of
from pipeline.edges import failpoint
from pipeline.edges.host.disk import sync_folder
from pipeline.errors import TryAgain

if TYPE_CHECKING:
    from indexer.document import Document

# The document that carries the sequence and the versions: written in the same commit as the rest, so never apart.
_MARK = "¶mark"
# Further away than any time, and further than the places of the undated.
_NEVER, _FURTHEST = 1 << 62, (1 << 63) - 2
# Above so many segments the small ones are merged into one; the largest stay, or a commit would take minutes.
_MOST_SEGMENTS = 30
_LARGE_KEPT = 6
_WRITER_MB = 256
# Goes up when the fields in Whoosh's own files are others.
_LAYOUT = 2
# How many sets of documents are kept until the next commit.
_REMEMBERED = 64
_BETWEEN_VALUES = "\x1f"
_SIZES = "sizes.json"
_SEGMENT_SUFFIXES = frozenset({".toc", ".trm", ".pst", ".col", ".vps", ".seg"})
# Whoosh reads its files without checks and lets pass whatever that ends in.
_DAMAGE = (
    OSError,
    EOFError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    AssertionError,
    struct.error,
    zlib.error,
    pickle.UnpicklingError,
    ReaderClosed,
    whoosh_index.IndexError,
)


def _version() -> str:
    return f"{VERSION}.{_LAYOUT}"


def _schema() -> fields.Schema:
    # Only Whoosh's own classes: an index pickles its analyzers, and must still open when ours have moved.
    split = whoosh_analysis.SpaceSeparatedTokenizer()
    made: dict[str, Any] = {"id": fields.ID(unique=True, stored=True), "mark": fields.STORED()}
    made |= {f"w_{name}": fields.TEXT(analyzer=split, phrase=True) for name in WORD_FIELDS}
    made |= {f"x_{name}": fields.KEYWORD(stored=name == "recording") for name in EXACT_FIELDS}
    made[f"x_{GRAM}"] = fields.KEYWORD()
    made |= {f"f_{name}": fields.COLUMN(columns.VarBytesColumn()) for name in FACET_FIELDS}
    made |= {name: fields.NUMERIC(int, bits=64, sortable=True) for name in ("from_ms", "to_ms")}
    made |= {name: fields.NUMERIC(int, bits=64, sortable=True, stored=True) for name in ("earliest", "latest")}
    return fields.Schema(**made)


@contextmanager
def _reading(folder: Path) -> Iterator[None]:
    try:
        yield
    except _DAMAGE as error:
        raise IndexDamaged(f"The search index in {folder} cannot be read: {error!r}", path=str(folder)) from error


def _make(folder: Path) -> None:
    FileStorage(str(folder)).create_index(_schema())
    _write(folder, 0, {}, NONE)


def _write(
    folder: Path, seq: int, staged: Mapping[str, Document | None], common: Phrases, *, clear: bool = False
) -> None:
    with _reading(folder):
        writer = whoosh_index.open_dir(str(folder)).writer(compound=False, limitmb=_WRITER_MB)
    try:
        _delete(writer, [*staged, _MARK])
        for document in staged.values():
            if document is not None:
                writer.add_document(**_stored(document, common))
        writer.add_document(id=_MARK, mark=json.dumps({"version": _version(), "seq": seq}))
        failpoint.at("index.before_commit")
        writer.commit(mergetype=writing.CLEAR if clear else _merge_small)
    except OSError as error:
        raise TryAgain(
            f"The search index in {folder} cannot be written: {error}",
            zh=f"无法写入 {folder} 中的检索索引：{error}",
            path=str(folder),
        ) from error
    finally:
        if not writer.is_closed:
            _abandon(writer)
    failpoint.at("index.after_commit")
    _sync(folder)


def _abandon(writer: Any) -> None:
    """The writer's lock is let go; what it had written is removed by the next one that commits."""
    try:
        writer.cancel()
    except OSError:
        # On a full disk its clean-up fails like the rest (2.7.4), before it comes to the lock.
        writer.is_closed = True
        if writer.writelock is not None:
            writer.writelock.release()


def _delete(writer: Any, identifiers: Iterable[str]) -> None:
    # Through one searcher: deleting by term opens one for each.
    with writer.searcher() as searcher:
        for identifier in identifiers:
            for number in list(searcher.document_numbers(id=identifier)):
                writer.delete_document(number)


def _sync(folder: Path) -> None:
    """Every file of the index is on the disk, and their sizes are noted for the next opening."""
    held = [path for path in folder.iterdir() if path.suffix in _SEGMENT_SUFFIXES]
    for path in held:
        with path.open("rb+") as opened:
            os.fsync(opened.fileno())
    generation = whoosh_index.open_dir(str(folder)).latest_generation()
    noted = {"generation": generation, "sizes": {path.name: path.stat().st_size for path in held}}
    fresh = folder / f"{_SIZES}.new"
    fresh.write_text(json.dumps(noted))
    fresh.replace(folder / _SIZES)
    sync_folder(folder)


class WhooshIndex:
    """One Whoosh index in one folder."""

    def __init__(self, place: Place) -> None:
        self._folder = folder = place.folder
        self._lock = place.lock
        self._is_building = place.is_building
        # A searcher shares its open files between its threads.
        self._guard = threading.RLock()
        self._staged: dict[str, Document | None] = {}
        self._current: Any = None
        # What was counted since the last commit.
        self._counts: dict[Node, int] = {}
        self._allowed: dict[tuple[Node, ...], set[int]] = {}
        self._columns = _Columns()
        make_once(place, _make)
        with _reading(folder):
            self._index = whoosh_index.open_dir(str(folder))
            self._compare_sizes()
            # What documents of this index carry as values.
            self._common = kept_phrases(folder)
        version = self._mark()["version"]
        if version != _version():
            raise IndexDamaged(
                f"The search index in {folder} is of version {version}, this program's is {_version()}",
                path=str(folder),
                expected=_version(),
                found=version,
            )

    def stage(self, documents: Iterable[Document], deletes: Iterable[str] = ()) -> None:
        self._staged |= {document.id: document for document in documents}
        self._staged |= dict.fromkeys(deletes)

    def commit(self, seq: int) -> None:
        staged, self._staged = self._staged, {}
        documents = [document for document in staged.values() if document is not None]
        if self._is_building and not self._common and len(documents) >= TOLD_BY and not self.stats().documents:
            common = common_phrases([document.words.get("text", ()) for document in documents])
            keep_phrases(self._folder, common)
            self._common = common
        self._write(seq, staged)

    def finish(self) -> None:
        """Nothing is left to be done: each commit merges what has become too many segments."""

    def is_free(self) -> bool:
        return True

    def clear(self) -> None:
        self._staged = {}
        self._write(0, {}, clear=True)

    def _write(self, seq: int, staged: Mapping[str, Document | None], *, clear: bool = False) -> None:
        with self._lock:
            _write(self._folder, seq, staged, self._common, clear=clear)

    def _compare_sizes(self) -> None:
        """Raises ValueError where a file is not as long as the last commit left it; a killed writer noted nothing."""
        noted_in = self._folder / _SIZES
        noted: dict[str, Any] = json.loads(noted_in.read_text()) if noted_in.exists() else {"generation": None}
        if noted["generation"] != self._index.latest_generation():
            return
        for name, size in noted["sizes"].items():
            path = self._folder / name
            if path.exists() and path.stat().st_size != size:
                raise ValueError(f"{name} is {path.stat().st_size} bytes long and was {size}")

    def _searcher(self) -> Any:
        """A searcher that sees the last commit; only under the guard."""
        if self._current is None or not self._current.up_to_date():
            if self._current is not None:
                self._current.close()
            self._current = None
            self._counts, self._allowed = {}, {}
            self._current = whoosh_index.open_dir(str(self._folder)).searcher()
            self._columns.keep(self._current.reader())
        return self._current

    def _mark(self) -> dict[str, Any]:
        with self._guard, _reading(self._folder):
            mark: dict[str, Any] = json.loads(self._searcher().document(id=_MARK)["mark"])
            return mark

    def seq(self) -> int:
        return int(self._mark()["seq"])

    def search(self, asked: Asked) -> Found:
        with self._guard, _reading(self._folder):
            searcher = self._searcher()
            reader = searcher.reader()
            # How often a word is said tells the best; of beginnings nothing does.
            parts = list(dict.fromkeys(parts_of(by_grams(asked.node, self._common, whole=False))))
            apart = [part for part in parts if isinstance(part, During) or _is_broad(part)]
            wanted = [part for part in parts if part not in apart]
            allowed = self._among(searcher, apart)
            by = {"time": "earliest", "-time": "latest"}.get(asked.sort, "")
            best: list[tuple[float, int]] = []
            if apart and not wanted:
                matching, best = allowed, [(0.0, number) for number in sorted(allowed)]
            elif by:
                matching = set(searcher.docs_for_query(_compiled(All(tuple(wanted)), reader)))
                matching = matching & allowed if apart else matching
            else:
                best, matching = _best(
                    searcher, _compiled(All(tuple(wanted)), reader), asked.offset + asked.limit,
                    allowed if apart else None,
                )  # fmt: skip
            if by:
                behind = _behind(self._columns.places(reader, by, matching), by, asked.from_place)
                best = [(0.0, number) for number in _first(behind, by, asked.offset + asked.limit)]
            shown = best[asked.offset : asked.offset + asked.limit]
            return Found(
                hits=tuple(_match(searcher.stored_fields(number), score, by) for score, number in shown),
                total=len(matching),
                facets=self._columns.counted(reader, asked.facets, matching),
            )

    def _among(self, searcher: Any, parts: Sequence[Node]) -> set[int]:
        """The documents for which all of these hold: what most documents are is looked up once a commit.

        Whoosh would walk through all of them with every search.
        """
        broad = tuple(part for part in parts if not isinstance(part, During))
        if broad not in self._allowed:
            while len(self._allowed) >= _REMEMBERED:
                del self._allowed[next(iter(self._allowed))]
            self._allowed[broad] = set(searcher.docs_for_query(_compiled(All(broad), searcher.reader())))
        allowed = self._allowed[broad]
        for part in parts:
            if isinstance(part, During):
                allowed = allowed & self._columns.during(searcher.reader(), part)
        return allowed

    def count(self, node: Node) -> int:
        """The last few are remembered until the next commit: what somebody may see is counted with each search."""
        with self._guard, _reading(self._folder):
            self._searcher()
            if node not in self._counts:
                while len(self._counts) >= _REMEMBERED:
                    del self._counts[next(iter(self._counts))]
                self._counts[node] = self.search(Asked(node=node, limit=0)).total
            return self._counts[node]

    def stats(self) -> Stats:
        with self._guard, _reading(self._folder):
            reader = self._searcher().reader()
            documents, segments = reader.doc_count() - 1, len(reader.leaf_readers())
        return Stats(documents=documents, segments=segments, seq=self.seq(), size_bytes=folder_bytes(self._folder))

    def close(self) -> None:
        with self._guard:
            if self._current is not None:
                self._current.close()
            self._current = None


def _merge_small(writer: Any, segments: list[Any]) -> list[Any]:
    """The segments that stay as they are; the others are copied into the one being written."""
    if len(segments) < _MOST_SEGMENTS:
        return segments
    ordered = sorted(segments, key=lambda segment: segment.doc_count_all(), reverse=True)
    for segment in ordered[_LARGE_KEPT:]:
        reader = SegmentReader(writer.storage, writer.schema, segment)
        writer.add_reader(reader)
        reader.close()
    return ordered[:_LARGE_KEPT]


class _Columns:
    """The values of facets in memory, of each segment as they were when it was first asked: a segment never changes.

    Whoosh works out anew where each value stands whenever a column is opened, and reads one at a time.
    """

    def __init__(self) -> None:
        self._held: dict[tuple[str, str], list[str]] = {}
        self._times: dict[tuple[str, str], Sequence[int]] = {}

    def keep(self, reader: Any) -> None:
        """Only what belongs to a segment of this reader is held on."""
        there = {leaf.segment().segment_id() for leaf, _ in reader.leaf_readers()}
        self._held = {key: values for key, values in self._held.items() if key[0] in there}
        self._times = {key: values for key, values in self._times.items() if key[0] in there}

    def counted(self, reader: Any, names: Iterable[str], matching: Iterable[int]) -> dict[str, dict[str, int]]:
        """field -> value -> documents."""
        # Segment by segment: the reader over all of them (2.7.4) miscounts where a segment has no value of a column.
        ordered, leaves = sorted(matching), reader.leaf_readers()
        found: dict[str, Counter[str]] = {name: Counter() for name in names}
        for leaf, offset in leaves:
            first, last = bisect_left(ordered, offset), bisect_left(ordered, offset + leaf.doc_count_all())
            own = [number - offset for number in ordered[first:last]]
            for name in found:
                for held, count in Counter(map(self._of(leaf, name).__getitem__, own)).items():
                    for value in held.split(_BETWEEN_VALUES) if held else ():
                        found[name][value] += count
        return {name: dict(counts) for name, counts in found.items()}

    def places(self, reader: Any, by: str, matching: Iterable[int]) -> Iterator[tuple[int, int]]:
        """Where these documents stand by time, each with its number."""
        ordered = sorted(matching)
        for leaf, offset in reader.leaf_readers():
            values = self._numbers(leaf, by)
            first, last = bisect_left(ordered, offset), bisect_left(ordered, offset + leaf.doc_count_all())
            yield from ((values[number - offset], number) for number in ordered[first:last])

    def during(self, reader: Any, asked: During) -> set[int]:
        """The documents that may overlap the interval; of the undated the first moment lies behind every other."""
        low, high = _ends(asked)
        found: set[int] = set()
        for leaf, offset in reader.leaf_readers():
            starts, ends = self._numbers(leaf, "from_ms"), self._numbers(leaf, "to_ms")
            held = enumerate(zip(starts, ends, strict=True), offset)
            found.update(number for number, (start, end) in held if start <= high and end >= low)
        return found

    def _of(self, leaf: Any, name: str) -> list[str]:
        key = (leaf.segment().segment_id(), name)
        if key not in self._held:
            column = f"f_{name}"
            read = leaf.column_reader(column) if leaf.has_column(column) else [b""] * leaf.doc_count_all()
            # Thousands of documents share a value.
            self._held[key] = [sys.intern(one.decode("utf-8")) for one in read]
        return self._held[key]

    def _numbers(self, leaf: Any, name: str) -> Sequence[int]:
        key = (leaf.segment().segment_id(), name)
        if key not in self._times:
            there = leaf.has_column(name)
            self._times[key] = array("q", leaf.column_reader(name) if there else [_FURTHEST] * leaf.doc_count_all())
        return self._times[key]


class _Near(spans.SpanNear2):  # type: ignore[misc]
    """Parts next to one another, in order. Whoosh 2.7.4's own fails with a NameError when asked for its size."""

    def _and_query(self) -> Any:
        return query.And(self.qs)


def _compiled(node: Node, reader: Any) -> Any:
    match node:
        case Words():
            return _phrase(node, reader)
        case Exact(name, value, is_prefix):
            return query.Prefix(f"x_{name}", value) if is_prefix else query.Term(f"x_{name}", value)
        case During():
            low, high = _ends(node)
            return query.And([_range("from_ms", -_NEVER, high), _range("to_ms", low, _NEVER)])
        case All(parts):
            return _all(parts, reader)
        case Either(parts):
            return query.Or([_compiled(part, reader) for part in parts]) if parts else query.NullQuery
        case Not():
            return _all((node,), reader)


def _ends(during: During) -> tuple[int, int]:
    """The first and the last moment asked for."""
    low = -_NEVER if during.from_ms is None else during.from_ms
    return low, _NEVER if during.to_ms is None else during.to_ms - 1


def _is_broad(node: Node) -> bool:
    """Whether it is so of most documents: that somebody may see them, and what they are not."""
    match node:
        case Not(Exact()):
            return True
        case Not(Either(parts)):
            return all(isinstance(part, Exact) for part in parts)
        case Either(parts):
            return bool(parts) and all(isinstance(part, Exact) and part.field == "audience" for part in parts)
        case _:
            return False


def _behind(places: Iterable[tuple[int, int]], by: str, place: int | None) -> Iterator[tuple[int, int]]:
    """Those that stand at this place in the order, or later."""
    for at, number in places:
        if place is None or (at <= place if by == "latest" else at >= place):
            yield at, number


def _first(places: Iterable[tuple[int, int]], by: str, count: int) -> list[int]:
    """The numbers of the first in order of time; at one moment in the order they were taken in."""
    signed = ((-at if by == "latest" else at, number) for at, number in places)
    return [number for _, number in heapq.nsmallest(count, signed)]


class _Collector(collectors.TopCollector):  # type: ignore[misc]
    """The best of all that match and are allowed (None: all are), and the numbers of all of these."""

    def __init__(self, limit: int, allowed: set[int] | None) -> None:
        # Left to itself, Whoosh 2.7.4 gives up parts of a query whose best score it guesses too low: of seventeen
        # documents the first six were not the best six.
        super().__init__(limit, usequality=False, replace=0)
        self._allowed = allowed
        self.matching: set[int] = set()

    def collect(self, sub_docnum: int) -> Any:
        number = self.offset + sub_docnum
        if self._allowed is not None and number not in self._allowed:
            return None
        self.matching.add(number)
        return super().collect(sub_docnum)


def _best(searcher: Any, wanted: Any, limit: int, allowed: set[int] | None) -> tuple[list[tuple[float, int]], set[int]]:
    """(score, number) of the best, and the numbers of all that match."""
    collector = _Collector(max(limit, 1), allowed)
    searcher.search_with_collector(wanted, collector)
    return [(float(score), number) for score, number in collector.results().top_n], collector.matching


def _match(stored: Mapping[str, Any], score: float, by: str) -> Match:
    return Match(stored["id"], score, stored[by] if by else 0, (stored.get("x_recording") or [""])[0])


def _range(field: str, low: int, high: int) -> Any:
    return query.NumericRange(field, low, high, constantscore=True)


def _all(parts: tuple[Node, ...], reader: Any) -> Any:
    wanted = [_compiled(part, reader) for part in parts if not isinstance(part, Not)]
    barred = [query.Not(_compiled(part.part, reader)) for part in parts if isinstance(part, Not)]
    return query.And([*(wanted or [query.Term("x_flags", DOCUMENT_FLAG)]), *barred])


def _phrase(words: Words, reader: Any) -> Any:
    field = f"w_{words.field}"
    terms: list[Any] = [query.Term(field, token) for token in words.tokens]
    if not words.last_is_prefix:
        return query.Phrase(field, list(words.tokens)) if len(terms) > 1 else terms[0]
    if len(terms) == 1:
        return query.Prefix(field, words.tokens[0])
    # Spelt out as a tree of terms: the array that Whoosh makes of a prefix (2.7.4) has lost the positions.
    lasts = [query.Term(field, token.decode("utf-8")) for token in reader.expand_prefix(field, words.tokens[-1])]
    return _Near([*terms[:-1], compound.DefaultOr(lasts)]) if lasts else query.NullQuery


def _stored(document: Document, common: Phrases) -> dict[str, Any]:
    stored: dict[str, Any] = {"id": document.id}
    if grams := grams_of(document.words.get("text", ()), common):
        stored[f"x_{GRAM}"] = grams
    stored |= {f"w_{name}": list(tokens) for name, tokens in document.words.items() if tokens}
    stored |= {f"x_{name}": list(values) for name, values in document.exact.items() if values}
    stored |= {
        f"f_{name}": _BETWEEN_VALUES.join(document.exact[name]).encode("utf-8")
        for name in FACET_FIELDS
        if document.exact.get(name)
    }
    if document.from_ms is not None and document.to_ms is not None:
        stored |= {"from_ms": document.from_ms, "to_ms": document.to_ms}
    return stored | {"earliest": document.earliest, "latest": document.latest}


BACKEND = Backend("whoosh", WhooshIndex)
