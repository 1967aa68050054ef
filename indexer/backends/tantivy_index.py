"""The default index: Tantivy, a library in Rust shipped as a wheel.

The tokens come ready made, joined by spaces. Three traps of tantivy-py 0.27 shape this file: deleting by a number
deletes nothing and says nothing (the id is a text); a phrase ending in a prefix stops at 50 words (a phrase of
regular expressions does not); an open index keeps its own view of the segments, so every writing session opens it
anew, or two processes leave each other's files behind as orphans.
Not covered: many writers on several hosts.
"""

from __future__ import annotations

import contextlib
import json
import math
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import tantivy

from indexer.access import EVERYONE
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
    times_of,
    words_of,
)
from indexer.words.phrases import GRAM, NONE, TOLD_BY, Phrases, by_grams, common_phrases, grams_of
from pipeline.edges import failpoint
from pipeline.errors import TryAgain

if TYPE_CHECKING:
    from indexer.document import Document

# The document that carries the sequence and the versions: written in the same commit as the rest, so never apart.
_MARK = "¶mark"
# Further away than any time, and further than the places of the undated.
_NEVER, _FURTHEST = 1 << 62, (1 << 63) - 2
# The memory of one writing session; 15 MB is the least the library takes, more makes larger first segments. A new
# index is written by one session that takes more, for each segment is merged with others again and again.
_WRITER_BYTES, _BUILDER_BYTES = 50_000_000, 250_000_000
# A new index writes documents as they come and commits so many words together: each commit waits for all to be written.
_BUILT_TOGETHER = 10_000_000
# More values of one facet field than any bureau has, so that counts are never cut off.
_FACET_VALUES = 65_000
# Below so many hits it takes longer to wake another thread than to count.
_COUNTED_ALONE = 20_000
# So many times as many values as are wanted are taken from each segment, for the commonest of all may be rare in some.
_MORE_OF_SEGMENT = 10
# The best of so many hits by their phrases are looked for among so many at first by one word of each; then among more.
_NEAR, _NEAR_OF_WANTED, _NEARER = 200, 8, 10
# Scores within this share of one another are taken for the same: the library has them in 32 bits.
_SAME_SCORE = 1e-5
# More audiences than these are looked for with each hit.
_MOST_AUDIENCES = 500
# How many answers are kept until the next commit.
_REMEMBERED = 64
_SPECIAL = re.compile(r"([^\w\s])")
# How the number of all documents is named among the facets.
_EVERY = "¶all"
# How the library says that a list of deletions is there already, a file a segment.
_LEFT = re.compile(r'FileAlreadyExists\("([0-9a-f]{32}\.\d+\.del)"\)')
_MOST_LEFT = 1000
# The library merges so many segments of about one size, in threads of its own: sizes below the smallest are one, others
# where the logarithm is not further than this below the largest (LogMergePolicy of 0.25, which cannot be set).
_MERGED_FROM, _SMALL, _MOST_MERGED, _SAME_SIZE = 8, 10_000, 10_000_000, 0.75
# How often it is looked whether a merge has ended, and how long a writer is kept open for one that writes nothing: what
# a killed writer left looks like a merge, until another one commits.
_LOOK_EVERY_S, _STILL_S = 0.1, 20.0
# How long another process's merge is waited for; and a merge of this one, by who closes the index.
_PATIENCE_S, _CLOSING_S = 60.0, 3.0
_BUSY = "LockBusy"
_SEGMENT = re.compile(r"[0-9a-f]{32}")


def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("id", stored=True, tokenizer_name="raw", index_option="basic")
    builder.add_text_field("mark", stored=True, tokenizer_name="raw", index_option="basic")
    for name in WORD_FIELDS:
        builder.add_text_field(f"w_{name}", tokenizer_name="whitespace", index_option="position")
    for name in EXACT_FIELDS:
        builder.add_text_field(
            f"x_{name}",
            stored=name == "recording",
            fast=name in FACET_FIELDS,
            tokenizer_name="raw",
            index_option="basic",
        )
    builder.add_text_field(f"x_{GRAM}", tokenizer_name="raw", index_option="basic")
    for name in ("from_ms", "to_ms", "earliest", "latest"):
        builder.add_integer_field(name, stored=name in ("earliest", "latest"), indexed=True, fast=True)
    return builder.build()


@contextmanager
def _reading(folder: Path) -> Iterator[None]:
    try:
        yield
    except (ValueError, OSError, RuntimeError, KeyError, TypeError) as error:
        raise IndexDamaged(f"The search index in {folder} cannot be read: {error}", path=str(folder)) from error


def _make(folder: Path) -> None:
    tantivy.Index(_schema(), path=str(folder))
    session = _Session(folder, lambda: None)
    session.write(0, {}, NONE, clear=False)
    session.close()


def _opened(folder: Path) -> tantivy.Index:
    index = tantivy.Index.open(str(folder))
    # Tokenizers are not stored with the index: each opening names them again.
    raw = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.raw()).build()
    index.register_tokenizer("raw", raw)
    index.register_fast_field_tokenizer("raw", raw)
    index.register_tokenizer("whitespace", tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace()).build())
    return index


def _make_writer(folder: Path, heap_bytes: int) -> tantivy.IndexWriter:
    with _reading(folder):
        index = _opened(folder)
    return index.writer(heap_bytes, 1)


def _put(writer: tantivy.IndexWriter, staged: Mapping[str, Document | None], common: Phrases) -> None:
    for identifier, document in staged.items():
        writer.delete_documents_by_term("id", identifier)
        if document is not None:
            writer.add_document(_stored(document, common))


def _commit(
    writer: tantivy.IndexWriter, seq: int, staged: Mapping[str, Document | None], common: Phrases, clear: bool
) -> None:
    if clear:
        writer.delete_all_documents()
    _put(writer, staged, common)
    writer.delete_documents_by_term("id", _MARK)
    writer.add_document(_stored_mark(seq))
    failpoint.at("index.before_commit")
    writer.commit()
    failpoint.at("index.after_commit")


def _merging(folder: Path) -> tuple[object, ...]:
    """How far the library is with merging segments in this folder; empty where it merges none.

    By what it is about to merge, and by files that no segment names yet.
    """
    try:
        named = json.loads((folder / "meta.json").read_bytes())["segments"]
        names = sorted(path.name for path in folder.iterdir() if _SEGMENT.match(path.name))
    except (OSError, ValueError, KeyError):
        return ()
    known = {one["segment_id"].replace("-", "") for one in named}
    if not merges_are_due(_sizes(named)) and all(name[:32] in known for name in names):
        return ()
    return tuple((name, _size(folder / name)) for name in names)


def _sizes(named: Sequence[Mapping[str, Any]]) -> list[int]:
    """How many documents each segment holds that were not deleted."""
    return [one["max_doc"] - (one["deletes"] or {}).get("num_deleted_docs", 0) for one in named]


def merges_are_due(sizes: Iterable[int]) -> bool:
    """Whether the library merges some of the segments that hold so many documents."""
    largest, together = math.inf, 0
    for size in sorted((one for one in sizes if one <= _MOST_MERGED), reverse=True):
        weight = math.log2(max(size, _SMALL))
        if weight < largest - _SAME_SIZE:
            largest, together = weight, 0
        together += 1
        if together >= _MERGED_FROM:
            return True
    return False


def _size(path: Path) -> int:
    """The bytes of a file that may vanish meanwhile."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _drop_left(folder: Path) -> None:
    """No list of deletions is left by a writer that was killed before its commit."""
    named = json.loads((folder / "meta.json").read_bytes())["segments"]
    kept = {
        f"{one['segment_id'].replace('-', '')}.{one['deletes']['opstamp']}.del" for one in named if one.get("deletes")
    }
    for path in folder.glob("*.del"):
        if path.name not in kept:
            path.unlink(missing_ok=True)


class _Session:
    """The library's writer, kept open while it merges, so that nobody waits for a merge.

    Merging thousands of documents takes seconds to minutes, and comes every few commits. The library lets only one
    process write: `meanwhile` is called now and then while this one keeps out the others.
    """

    def __init__(self, folder: Path, meanwhile: Callable[[], None], *, is_building: bool = False) -> None:
        self._folder, self._meanwhile = folder, meanwhile
        # Nobody searches or writes here but this session: it stays until it is ended.
        self._is_building = is_building
        self._guard = threading.Lock()
        self._writer: tantivy.IndexWriter | None = None
        # Whether a thread looks after the writer.
        self._is_kept = self._is_closed = False

    def put(self, staged: Mapping[str, Document | None], common: Phrases) -> None:
        """These are written, and found after the next `write`; an error forgets all that was not committed."""
        with self._guard:
            try:
                _put(self._begun(), staged, common)
            except (ValueError, OSError, RuntimeError) as error:
                self._end_merging()
                raise self._refused(error) from error

    def write(self, seq: int, staged: Mapping[str, Document | None], common: Phrases, *, clear: bool) -> None:
        with self._guard:
            for _ in range(_MOST_LEFT):
                try:
                    _commit(self._begun(), seq, staged, common, clear)
                    if not self._is_building:
                        self._end_soon()
                    return
                except (ValueError, OSError, RuntimeError) as error:
                    # Given up it would stay open as long as somebody holds the error.
                    self._end_merging()
                    left = _LEFT.search(str(error))
                    if left is None or self._is_building:
                        raise self._refused(error) from error
                # A writer that was killed before its commit left this file, which no commit names; the next one would
                # number its own the same, and refuses to write over it.
                (self._folder / left[1]).unlink(missing_ok=True)
            sentence = f"The search index in {self._folder} is full of files of killed writers"
            zh = f"{self._folder} 中的检索索引留有过多中断写入的文件"
            raise TryAgain(sentence, zh=zh, path=str(self._folder))

    def _refused(self, error: Exception) -> TryAgain:
        return TryAgain(
            f"The search index in {self._folder} cannot be written: {error}",
            zh=f"无法写入 {self._folder} 中的检索索引：{error}", path=str(self._folder),
        )  # fmt: skip

    def _begun(self) -> tantivy.IndexWriter:
        until_s = time.monotonic() + _PATIENCE_S
        while self._writer is None:
            try:
                if self._is_building:
                    # What would be staged anew could not be tried again.
                    _drop_left(self._folder)
                self._writer = _make_writer(self._folder, _BUILDER_BYTES if self._is_building else _WRITER_BYTES)
            except ValueError as error:
                if _BUSY not in str(error) or time.monotonic() > until_s:
                    raise
                time.sleep(_LOOK_EVERY_S)
        return self._writer

    def is_free(self) -> bool:
        with self._guard:
            if self._writer is not None:
                return True
            try:
                self._writer = _make_writer(self._folder, _WRITER_BYTES)
            except (ValueError, IndexDamaged):
                return False
            self._end()
            return True

    def _end_soon(self) -> None:
        if not _merging(self._folder):
            self._end()
        elif not self._is_kept:
            self._is_kept = True
            threading.Thread(target=self._keep, daemon=True).start()

    def _keep(self) -> None:
        """The writer is ended when it merges no more."""
        try:
            self._keep_while_merging()
        finally:
            with self._guard:
                self._is_kept = False
                self._end()

    def _keep_while_merging(self) -> None:
        seen, since_s = _merging(self._folder), time.monotonic()
        while seen and not self._is_closed and time.monotonic() - since_s < _STILL_S:
            time.sleep(_LOOK_EVERY_S)
            self._meanwhile()
            with self._guard:
                if self._writer is None:
                    return
                before, seen = seen, _merging(self._folder)
            if seen != before:
                since_s = time.monotonic()

    def _end(self) -> None:
        """Others may write. A merge under way is given up, and begun anew by the next that commits."""
        if _merging(self._folder):
            self._writer = None
        self._end_merging()

    def _end_merging(self) -> None:
        """All merges are done and others may write."""
        writer, self._writer = self._writer, None
        if writer is not None:
            with contextlib.suppress(ValueError, OSError, RuntimeError):
                writer.wait_merging_threads()

    def end_building(self) -> None:
        """All merges are done, and from now on it writes as others do."""
        with self._guard:
            self._end_merging()
            self._is_building = False

    def close(self) -> None:
        """Merges under way have had a moment to end; nothing is written any more."""
        until_s = time.monotonic() + _CLOSING_S
        while self._is_kept and time.monotonic() < until_s:
            time.sleep(_LOOK_EVERY_S)
        self._is_closed = True
        with self._guard:
            self._end()


_Facets = dict[str, dict[str, int]]
_Hits = list[tuple[Any, tantivy.DocAddress]]


class _Counted(NamedTuple):
    """The facets, and how many documents they are of; None where nothing was counted."""

    facets: _Facets
    total: int | None = None


class _View:
    """The index as one commit left it, and what was asked of it since then.

    before: the view until now; where segments were merged since then and nothing was committed, what was counted holds.
    """

    def __init__(self, meta: bytes, searcher: tantivy.Searcher, before: _View | None) -> None:
        self.meta, self.searcher = meta, searcher
        told = json.loads(meta)
        # Of the last commit: merges leave it as it is.
        self._commit = told["opstamp"]
        # How many documents the segments hold, deleted ones included: what the library's scores are worked out by.
        self.held = sum(one["max_doc"] for one in told["segments"])
        kept = before if before is not None and before._commit == self._commit else None
        self.mark: dict[str, Any] | None = kept.mark if kept else None
        self.counts: dict[object, int] = kept.counts if kept else {}
        self.facets: dict[tuple[object, ...], _Counted] = kept.facets if kept else {}
        self._audiences: list[str] | None = None

    def audiences(self) -> list[str]:
        """Every audience that some document has, or had until lately."""
        if self._audiences is None:
            self._audiences = [value for value, _ in self.searcher.terms_with_prefix("x_audience", "")]
        return self._audiences


class TantivyIndex:
    """One Tantivy index in one folder."""

    def __init__(self, place: Place) -> None:
        self._folder = folder = place.folder
        self._lock = place.lock
        self._guard = threading.Lock()
        self._view: _View | None = None
        self._counting: ThreadPoolExecutor | None = None
        self._staged: dict[str, Document | None] = {}
        self._is_building = place.is_building
        self._session = _Session(self._folder, place.meanwhile, is_building=place.is_building)
        make_once(place, _make)
        with _reading(folder):
            self._index = _opened(folder)
            self._schema = self._index.schema
            # What documents of this index carry as values.
            self._common = kept_phrases(folder)
        version = self._mark()["version"]
        if version != VERSION:
            raise IndexDamaged(
                f"The search index in {folder} is of version {version}, this program's is {VERSION}",
                path=str(folder),
                expected=VERSION,
                found=version,
            )
        self._is_new = place.is_building and not self.stats().documents and not self._common

    def stage(self, documents: Iterable[Document], deletes: Iterable[str] = ()) -> None:
        self._staged |= {document.id: document for document in documents}
        self._staged |= dict.fromkeys(deletes)
        if self._is_building:
            # A second one of the same id takes the place of the first, as it would at once.
            staged, self._staged = self._staged, {}
            self._tell_common([document for document in staged.values() if document is not None])
            with self._lock:
                self._session.put(staged, self._common)

    def _tell_common(self, documents: Sequence[Document]) -> None:
        """The first documents of a new index tell which phrases are common, before one of them is written."""
        is_first, self._is_new = self._is_new, False
        if is_first and len(documents) >= TOLD_BY:
            common = common_phrases([document.words.get("text", ()) for document in documents])
            keep_phrases(self._folder, common)
            self._common = common

    def commit(self, seq: int) -> None:
        staged, self._staged = self._staged, {}
        self._write(seq, staged)

    def finish(self) -> None:
        """Segments are merged as they come; those under way are waited for."""
        self._session.end_building()
        self._is_building = False

    def clear(self) -> None:
        self._staged = {}
        self._write(0, {}, clear=True)

    def _write(self, seq: int, staged: Mapping[str, Document | None], *, clear: bool = False) -> None:
        with self._lock:
            self._session.write(seq, staged, self._common, clear=clear)

    def is_free(self) -> bool:
        return self._session.is_free()

    def _seen(self) -> _View:
        """The index as it is now; opening its segments anew takes milliseconds, and is done after a commit only."""
        with self._guard:
            # Every commit of every process puts another list of segments in its place, with a number of its own.
            meta = (self._folder / "meta.json").read_bytes()
            if self._view is None or self._view.meta != meta:
                self._index.reload()
                self._view = _View(meta, self._index.searcher(), self._view)
            return self._view

    def _mark(self) -> dict[str, Any]:
        with _reading(self._folder):
            view = self._seen()
            if view.mark is None:
                marked = tantivy.Query.term_query(self._schema, "id", _MARK)
                [(_, address)] = view.searcher.search(marked, 1, count=False).hits
                view.mark = json.loads(view.searcher.doc(address)["mark"][0])
            return view.mark

    def seq(self) -> int:
        return int(self._mark()["seq"])

    def search(self, asked: Asked) -> Found:
        with _reading(self._folder):
            view = self._seen()
            searcher = view.searcher
            # Finds the same; only words, as they stand, say which are the best.
            found = by_grams(asked.node, self._common)
            plain = _Query(self._schema, view).of(found)
            query = plain if asked.sort != "score" or found == asked.node else _Query(self._schema, view).of(asked.node)
            # The library lets other threads run while it counts.
            facets = _Later(self._folder, self._facets(view, plain, asked, found))
            order: dict[str, Any] = {}
            if asked.sort == "time":
                order = {"order_by_field": "earliest", "order": tantivy.Order.Asc}
            elif asked.sort == "-time":
                order = {"order_by_field": "latest", "order": tantivy.Order.Desc}
            if hits := self._best(view, query, asked):
                matches = [_match(searcher.doc(address), float(score), None) for score, address in hits]
                return _CountedLater(tuple(matches), facets)
            shown = (
                query
                if asked.from_place is None
                else self._from_place(query, order["order_by_field"], asked.from_place)
            )
            result = searcher.search(shown, max(asked.limit, 1), count=shown is query, offset=asked.offset, **order)
            return Found(
                hits=tuple(
                    _match(searcher.doc(address), 0.0 if order else float(score), order.get("order_by_field"))
                    for score, address in result.hits[: asked.limit]
                ),
                total=_total(result if shown is query else searcher.search(plain, 1, count=True)),
                facets=facets,
            )

    def _best(self, view: _View, query: tantivy.Query, asked: Asked) -> _Hits | None:
        """The best of very many hits, where they are soon told because others count them; else None.

        No phrase stands in a document more often than any word of it does. So documents are looked at in the order of
        the score they had if the rarest word of each phrase always stood in it, until no other can be among the best.
        """
        wanted = asked.offset + asked.limit
        if asked.sort != "score" or not asked.facets or not wanted or asked.from_place is not None:
            return None
        if _Query(self._schema, view).at_most(asked.node) < _COUNTED_ALONE:
            return None
        bound = _bound_of(self._schema, view, asked.node)
        if bound is None:
            best: _Hits = view.searcher.search(query, wanted, count=False).hits
            return best[asked.offset :]
        near = max(_NEAR, wanted * _NEAR_OF_WANTED)
        for reach in (near, near * _NEARER):
            around: _Hits = view.searcher.search(bound.query, reach, count=False).hits
            if len(around) < reach:
                return None
            places = view.searcher.fast_field_values("latest", [address for _, address in around])
            chosen = tantivy.Query.term_set_query(self._schema, "latest", sorted({int(place or 0) for place in places}))
            both = _boolean([(tantivy.Occur.Must, _plain(chosen)), (tantivy.Occur.Must, query)])
            hits: _Hits = view.searcher.search(both, wanted, count=False).hits
            if len(hits) == wanted and _stands_before(hits[-1], around[-1], bound.factor):
                return hits[asked.offset :]
        return None

    def _from_place(self, query: tantivy.Query, by: str, place: int) -> tantivy.Query:
        field, low, high = ("latest", -_FURTHEST, place) if by == "latest" else ("earliest", place, _FURTHEST)
        behind = tantivy.Query.range_query(self._schema, field, tantivy.FieldType.Integer, low, high)
        return _boolean([(tantivy.Occur.Must, query), (tantivy.Occur.Must, _plain(behind))])

    def _facets(self, view: _View, query: tantivy.Query, asked: Asked, found: Node) -> Callable[[], _Counted]:
        """Gives the facets when it is called; where there may be many hits, they are counted meanwhile.

        They are remembered as long as nothing is committed, for whoever turns pages asks for them again and again.
        """
        key = (asked.node, asked.facets, asked.most_values)
        known = view.facets.get(key) if asked.facets else _Counted({})
        if known is not None:
            remembered = known
            return lambda: remembered
        count = partial(_counted, view.searcher, self._schema, query, most_values=asked.most_values)
        parts = [] if _Query(self._schema, view).at_most(found) < _COUNTED_ALONE else _shared_out(found, asked.facets)
        counting = [self._other_thread().submit(count, names) for names in parts]

        def wait() -> _Counted:
            parts = [future.result() for future in counting] or [count(asked.facets)]
            counted = {name: counts for part in parts for name, counts in part.facets.items()}
            whole = _Counted({name: counted[name] for name in asked.facets}, parts[0].total)
            if asked.most_values is not None:
                _remember(view.facets, key, whole)
            return whole

        return wait

    def _other_thread(self) -> ThreadPoolExecutor:
        with self._guard:
            if self._counting is None:
                self._counting = ThreadPoolExecutor(max_workers=2, thread_name_prefix="facets")
            return self._counting

    def count(self, node: Node) -> int:
        with _reading(self._folder):
            return _Query(self._schema, self._seen()).count(by_grams(node, self._common))

    def stats(self) -> Stats:
        with _reading(self._folder):
            searcher = self._seen().searcher
            segments, documents = searcher.num_segments, searcher.num_docs - 1
        return Stats(documents=documents, segments=segments, seq=self.seq(), size_bytes=folder_bytes(self._folder))

    def close(self) -> None:
        """No merge is under way; files are mapped and let go with the object."""
        self._session.close()
        with self._guard:
            if self._counting is not None:
                self._counting.shutdown()
            self._counting, self._view = None, None


class _Later(Mapping[str, Mapping[str, int]]):
    """Facets that are still being counted, while the hits get their facts; whoever looks at them waits."""

    def __init__(self, folder: Path, wait: Callable[[], _Counted]) -> None:
        self._folder, self._wait = folder, wait
        self._counted: _Counted | None = None

    def _whole(self) -> _Counted:
        if self._counted is None:
            with _reading(self._folder):
                self._counted = self._wait()
        return self._counted

    def _all(self) -> _Facets:
        return self._whole().facets

    def total(self) -> int:
        """How many documents there are, where any facet is counted."""
        total = self._whole().total
        assert total is not None
        return total

    def __getitem__(self, name: str) -> Mapping[str, int]:
        return self._all()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())


class _CountedLater(Found):
    """Hits of which the total is counted with the facets."""

    def __init__(self, hits: tuple[Match, ...], facets: _Later) -> None:
        object.__setattr__(self, "hits", hits)
        object.__setattr__(self, "facets", facets)

    @property
    def total(self) -> int:
        return cast("_Later", self.facets).total()


def _shared_out(node: Node, facets: tuple[str, ...]) -> list[tuple[str, ...]]:
    """The fields counted by each of several threads.

    Each looks for the hits anew, so those that are dear to find, by several words or in a time, are looked for once.
    """
    words = words_of(node)
    is_dear = len(words) > 1 or any(one.last_is_prefix for one in words) or _has_phrase(node)
    if len(facets) == 1 or is_dear or times_of(node):
        return [facets]
    half = (len(facets) + 1) // 2
    return [facets[:half], facets[half:]]


def _counted(
    searcher: tantivy.Searcher,
    schema: tantivy.Schema,
    query: tantivy.Query,
    names: tuple[str, ...],
    most_values: int | None,
) -> _Counted:
    """field -> value -> documents; of so many values of each field, those that are common in some segment."""
    size = min(most_values or _FACET_VALUES, _FACET_VALUES)
    # Every document has this field, once.
    every = {_EVERY: {"value_count": {"field": "latest"}}}
    told = searcher.aggregate(query, {name: _terms(name, size) for name in names} | every)
    counted = {name: _buckets(told[name]) for name in names}
    for name in names:
        if told[name]["doc_count_error_upper_bound"]:
            # Some segment has given its commonest values only: of those chosen, all documents are counted now.
            chosen = tantivy.Query.term_set_query(schema, f"x_{name}", list(counted[name]))
            both = _boolean([(tantivy.Occur.Must, query), (tantivy.Occur.Must, _plain(chosen))])
            exact = _buckets(searcher.aggregate(both, {name: _terms(name, _FACET_VALUES)})[name])
            counted[name] = {value: exact[value] for value in counted[name]}
    return _Counted(counted, int(told[_EVERY]["value"]))


def _terms(name: str, size: int) -> dict[str, Any]:
    every = min(size * _MORE_OF_SEGMENT, _FACET_VALUES)
    return {"terms": {"field": f"x_{name}", "size": size, "segment_size": every}}


def _buckets(told: Mapping[str, Any]) -> dict[str, int]:
    return {bucket["key"]: int(bucket["doc_count"]) for bucket in told["buckets"]}


@dataclass(frozen=True)
class _Query:
    """Makes the library's query of a tree, for the terms that the segments of this searcher hold."""

    schema: tantivy.Schema
    view: _View

    def of(self, node: Node) -> tantivy.Query:
        match node:
            case Words():
                return self._phrase(node)
            case Exact(name, value, is_prefix):
                return _plain(self._exact(f"x_{name}", value, is_prefix))
            case During(from_ms, to_ms):
                return _plain(self._overlap(from_ms, to_ms))
            case All(parts):
                return self._all(parts)
            case Either(parts):
                return self._either([part for part in parts if not self._is_nowhere(part)])
            case Not():
                return self._all((node,))

    def _is_nowhere(self, node: Node) -> bool:
        """Whether it is a value that no document has: most audiences, and often whether a file is attached."""
        if not isinstance(node, Exact) or node.is_prefix:
            return False
        return self.view.searcher.doc_freq(f"x_{node.field}", node.value) == 0

    def at_most(self, node: Node) -> int:
        """A number that the documents found do not exceed; quickly told."""
        searcher = self.view.searcher
        match node:
            case Words(tokens, False, field):
                return min(searcher.doc_freq(f"w_{field}", token) for token in tokens)
            case Exact(name, value, False):
                return searcher.doc_freq(f"x_{name}", value)
            case All(parts):
                return min((self.at_most(part) for part in parts), default=_NEVER)
            case Either(parts):
                return sum(self.at_most(part) for part in parts)
            case _:
                return _NEVER

    def _all(self, parts: Iterable[Node]) -> tantivy.Query:
        flat = list(dict.fromkeys(_flat(parts)))
        audiences = [part for part in flat if _is_audience(part)]
        wanted = [self.of(part) for part in flat if part not in audiences and not isinstance(part, Not)]
        barred = [self.of(one) for one in self._barred(flat) if not self._is_nowhere(one)]
        for part in audiences:
            hidden = self._hidden_from(part)
            wanted += [self.of(part)] if hidden is None else []
            barred += hidden or []
        wanted = wanted or [_plain(self._exact("x_flags", DOCUMENT_FLAG, False))]
        if len(wanted) == 1 and not barred:
            return wanted[0]
        return _boolean(
            [*((tantivy.Occur.Must, one) for one in wanted), *((tantivy.Occur.MustNot, one) for one in barred)]
        )

    def _barred(self, parts: Iterable[Node]) -> list[Node]:
        return [part.part for part in parts if isinstance(part, Not)]

    def _hidden_from(self, audience: Node) -> list[tantivy.Query] | None:
        """The few documents that this audience may not see; None where not all others are known to be seen by it.

        To leave out a few takes far less than to look for each hit whether it is among the many.
        """
        others = [Exact("audience", value) for value in self.view.audiences() if value != EVERYONE]
        if len(others) > _MOST_AUDIENCES:
            return None
        documents, seen = self.count(Exact("flags", DOCUMENT_FLAG)), self.count(audience)
        if seen == documents:
            return []
        hidden = _boolean([(tantivy.Occur.Must, self._either(others)), (tantivy.Occur.MustNot, self.of(audience))])
        if seen + self._count_of(("hidden from", audience), hidden) != documents:
            return None
        return [_plain(hidden)]

    def count(self, node: Node) -> int:
        return self._count_of(node, self.of(node))

    def _count_of(self, asked: object, query: tantivy.Query) -> int:
        """How many documents this query finds, remembered until the next commit."""
        counts = self.view.counts
        if (known := counts.get(asked)) is None:
            known = _total(self.view.searcher.search(query, 1, count=True))
            _remember(counts, asked, known)
        return known

    def _either(self, parts: Sequence[Node]) -> tantivy.Query:
        if len(parts) == 1:
            return self.of(parts[0])
        return _boolean((tantivy.Occur.Should, self.of(part)) for part in parts)

    def _exact(self, field: str, value: str, is_prefix: bool) -> tantivy.Query:
        if is_prefix:
            return tantivy.Query.regex_query(self.schema, field, f"{_escaped(value)}.*")
        return tantivy.Query.term_query(self.schema, field, value, "basic")

    def _phrase(self, words: Words) -> tantivy.Query:
        field = f"w_{words.field}"
        if len(words.tokens) > 1 and words.last_is_prefix:
            patterns = [_escaped(token) for token in words.tokens]
            return tantivy.Query.regex_phrase_query(self.schema, field, [*patterns[:-1], f"{patterns[-1]}.*"])
        if len(words.tokens) > 1:
            return tantivy.Query.phrase_query(self.schema, field, list(words.tokens))
        if words.last_is_prefix:
            return tantivy.Query.regex_query(self.schema, field, f"{_escaped(words.tokens[0])}.*")
        return tantivy.Query.term_query(self.schema, field, words.tokens[0], "freq")

    def _overlap(self, from_ms: int | None, to_ms: int | None) -> tantivy.Query:
        # A still picture starts and ends in one moment; it lies in the interval whose first moment it is.
        integer = tantivy.FieldType.Integer
        low, high = -_NEVER if from_ms is None else from_ms, _NEVER if to_ms is None else to_ms - 1
        starts = tantivy.Query.range_query(self.schema, "from_ms", integer, -_NEVER, high)
        ends = tantivy.Query.range_query(self.schema, "to_ms", integer, low, _NEVER)
        return _boolean([(tantivy.Occur.Must, starts), (tantivy.Occur.Must, ends)])


class _Bound(NamedTuple):
    """A query that finds at least as much and scores each document at least as high, once multiplied by the factor."""

    query: tantivy.Query
    factor: float


def _bound_of(schema: tantivy.Schema, view: _View, node: Node) -> _Bound | None:
    """None where no phrase is asked for."""
    words = list(dict.fromkeys(words_of(node)))
    if not any(len(one.tokens) > 1 for one in words):
        return None
    is_alone = len(words) == 1
    wider = _Wider(schema, view, is_weighed=not is_alone)
    return _Bound(wider.of(node), wider.weight(words[0]) if is_alone else 1.0)


@dataclass(frozen=True)
class _Wider(_Query):
    """Asks for the rarest word of a phrase in its stead. is_weighed: and lets it score as all of them together would.

    A query for one word alone, as it is, is answered by the library without a look at most of its documents.
    """

    is_weighed: bool = True

    def _phrase(self, words: Words) -> tantivy.Query:
        if len(words.tokens) == 1:
            return super()._phrase(words)
        one = super()._phrase(Words((self._rarest(words),), False, words.field))
        return tantivy.Query.boost_query(one, self.weight(words)) if self.is_weighed else one

    def weight(self, words: Words) -> float:
        """How many times as much a phrase weighs as its rarest word; the library adds up what its words weigh.

        A prefix at its end is weighed by its pattern, which no document holds.
        """
        weights = [self._weight(words.field, token) for token in words.tokens]
        if words.last_is_prefix:
            weights[-1] = self._weight(words.field, f"{_escaped(words.tokens[-1])}.*")
        return sum(weights) / self._weight(words.field, self._rarest(words))

    def _rarest(self, words: Words) -> str:
        whole = words.tokens[:-1] if words.last_is_prefix else words.tokens
        return min(whole, key=lambda token: self.view.searcher.doc_freq(f"w_{words.field}", token))

    def _weight(self, field: str, token: str) -> float:
        """What a word weighs by BM25, as the library has it."""
        held, having = self.view.held, self.view.searcher.doc_freq(f"w_{field}", token)
        return math.log(1 + (held - having + 0.5) / (having + 0.5))

    def _barred(self, parts: Iterable[Node]) -> list[Node]:
        """Fewer are left out where phrases would have to be looked for."""
        return [part for part in super()._barred(parts) if not _has_phrase(part)]


def _has_phrase(node: Node) -> bool:
    match node:
        case Words(tokens):
            return len(tokens) > 1
        case All(parts) | Either(parts):
            return any(map(_has_phrase, parts))
        case Not(part):
            return _has_phrase(part)
        case _:
            return False


def _stands_before(hit: tuple[Any, tantivy.DocAddress], last: tuple[Any, tantivy.DocAddress], factor: float) -> bool:
    """Whether the hit stands before all behind the last one, whose score times the factor none of them exceeds."""
    (score, at), (bound, behind) = hit, last
    margin = bound * factor * _SAME_SCORE
    if score < bound * factor - margin:
        return False
    is_before = (at.segment_ord, at.doc) <= (behind.segment_ord, behind.doc)
    return score > bound * factor + margin or is_before


def _flat(parts: Iterable[Node]) -> Iterator[Node]:
    for part in parts:
        if isinstance(part, All):
            yield from _flat(part.parts)
        else:
            yield part


def _is_audience(node: Node) -> bool:
    return isinstance(node, Either) and all(isinstance(part, Exact) and part.field == "audience" for part in node.parts)


def _remember(answers: dict[Any, Any], asked: object, answer: object) -> None:
    """The last few answers are kept."""
    while len(answers) >= _REMEMBERED:
        with contextlib.suppress(KeyError, StopIteration, RuntimeError):
            del answers[next(iter(answers))]
    answers[asked] = answer


def _match(stored: tantivy.Document, score: float, by: str | None) -> Match:
    return Match(stored["id"][0], score, stored[by][0] if by else 0, (stored["x_recording"] or [""])[0])


def _total(result: tantivy.SearchResult) -> int:
    return int(result.count)  # type: ignore[attr-defined]  # left out of the stubs of 0.27


def _boolean(parts: Iterable[tuple[tantivy.Occur, tantivy.Query]]) -> tantivy.Query:
    listed = list(parts)
    return tantivy.Query.boolean_query(listed) if listed else tantivy.Query.empty_query()


def _plain(query: tantivy.Query) -> tantivy.Query:
    """The query without a say in the order of hits."""
    return tantivy.Query.const_score_query(query, 0.0)


def _escaped(token: str) -> str:
    return _SPECIAL.sub(r"\\\1", token)


def _stored(document: Document, common: Phrases) -> tantivy.Document:
    stored = tantivy.Document()
    stored.add_text("id", document.id)
    for name, tokens in document.words.items():
        if tokens:
            stored.add_text(f"w_{name}", " ".join(tokens))
    for name, values in document.exact.items():
        for value in values:
            stored.add_text(f"x_{name}", value)
    for value in grams_of(document.words.get("text", ()), common):
        stored.add_text(f"x_{GRAM}", value)
    if document.from_ms is not None and document.to_ms is not None:
        stored.add_integer("from_ms", document.from_ms)
        stored.add_integer("to_ms", document.to_ms)
    stored.add_integer("earliest", document.earliest)
    stored.add_integer("latest", document.latest)
    return stored


def _stored_mark(seq: int) -> tantivy.Document:
    stored = tantivy.Document()
    stored.add_text("id", _MARK)
    stored.add_text("mark", json.dumps({"version": VERSION, "seq": seq}))
    return stored


BACKEND = Backend("tantivy", TantivyIndex, built_together=_BUILT_TOGETHER)
