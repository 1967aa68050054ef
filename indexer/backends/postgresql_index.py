"""The index in the catalog's own PostgreSQL: for several hosts, and where one server is to hold everything.

Each index is a schema, named like its folder, with one row a document. The tokens come ready made and are written as
tsvector literals, for PostgreSQL's own parser would cut them anew. A tsvector keeps 255 places of a word, places up to
16,383 and one megabyte: what is longer is cut into parts that overlap, the first in the row, the others in `more`.
Words, whole values, stretches of time and what must not be there are one tsquery over one GIN index. Three traps of
PostgreSQL 15 shape the searches: the planner does not see what fetching long tsvectors costs and would read every row,
or all those of a month (sequential scans are discouraged, and a time beside words is no condition an index knows); with
a limit it would walk the times for a rare word (matches are collected first); ranking fetches the tsvector of every
match (only the latest few hundred are ranked). Whether words stand together is in no index: of the phrases that many
documents had when the index was built, each document says by a lexeme whether it has them. Facets of many hits are
counted here, by columns of their numbers held in memory: PostgreSQL would unpack the values row by row.
What is spoken, written on pages or read in pictures is most of a document: its words stand in the tsvector once, under
their own field's sign, and `text` is asked for under each.
Not covered: phrases longer than half a part. Source: PostgreSQL 15, sections 8.11, 12.11 and 70.
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from itertools import repeat, zip_longest
from operator import add
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import psycopg
import sqlalchemy as sa

from indexer.contract import VERSION, Asked, Backend, Found, IndexDamaged, Match, Place, Stats, make_once, sweep_folders
from indexer.tree import DOCUMENT_FLAG, FACET_FIELDS, All, During, Either, Exact, Node, Not, Words, parts_of, words_of
from indexer.words.phrases import GRAM, NONE, TOLD_BY, Phrases, by_grams, common_phrases, grams_of
from pipeline.edges import failpoint
from pipeline.edges.database.engines import make_engine
from pipeline.errors import BadInput, TryAgain

if TYPE_CHECKING:
    from indexer.document import Document

KIND = "postgresql"
# Goes up when the tables or the lexemes in them are others.
_LAYOUT = 3
# PostgreSQL's limits of a tsvector, a little below: places of one word, the last place, and bytes.
MOST_PLACES, LAST_PLACE, MOST_BYTES = 255, 16_000, 900_000
_NUMBERS = [str(place) for place in range(1, LAST_PLACE + 1)]
# Words that a part repeats of the one before: a search is at most 500 characters long.
OVERLAP = 500
# Above so many characters a word is cut and told apart by its digest; a lexeme has at most 2,046 bytes.
_LONGEST, _KEPT = 480, 300
# What a new GIN index gathers before it writes. More no longer fits into the processor's caches. Of 30,000
# documents 12 MB took 31 s, 64 MB 38 s, 4 MB 42 s; of 10,000 documents 16 MB 14 s, 256 MB 26 s.
_SORTED_MB = 20
# So many of the latest matches are ranked by what they say; the others follow by time.
RANKED = 500
# Fields whose words are not written again as those of `text`, and how `text` and they are told in a lexeme.
_FOLDED = {"transcript": "+", "document": "%", "ocr": "@"}
_TEXT = "="
# Stretches of time are lexemes too: of 8 ** level hours each. A document lies in a few of every level, or in too many.
_STRETCH_MS, _LEVELS, _MOST_STRETCHES, _STRETCH = 3_600_000, 6, 16, "during"
# What must be written otherwise in a tsvector, or cannot be held.
_UNUSUAL = re.compile(r"['\\\0\ud800-\udfff]")
# In the folder, so that a person who looks there knows where the index is.
_SIGN = "in-the-database.txt"
# Every commit writes the mark anew, and with it the number of its transaction. How many counts are kept until then.
_COMMIT, _REMEMBERED = "SELECT xmin::text FROM mark", 64
# Facets of so many hits are kept likewise; fewer are counted as quickly as they are looked up.
_DEAR = 2_000
# The columns are read from the start where they hold so many times the documents that the index has: one that was
# changed has another number since, and stays under its former one.
_MOST_HELD = 1.5
# Further away than any time.
_FURTHEST = 1 << 62
_NOTHING, _EVERYTHING = "'!'", f"'flags:{DOCUMENT_FLAG}'"
# Errors by which PostgreSQL says that tables are missing, not as they were made, or that their files are damaged.
_DAMAGE = ("3F000", "42P01", "42703", "XX001", "XX002", "58P01")
_READING = (
    "SET enable_seqscan = off",
    "SET jit = off",
    "SET work_mem = '64MB'",
    "SET default_transaction_isolation = 'repeatable read'",
    "SET default_transaction_read_only = on",
)
_TABLES = """
CREATE TABLE mark (
    is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    version text NOT NULL, seq bigint NOT NULL, documents bigint NOT NULL);
CREATE TABLE facet (
    number int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    field text NOT NULL, digest text NOT NULL, value text NOT NULL, UNIQUE (field, digest));
CREATE TABLE common (tokens text[] PRIMARY KEY);
CREATE TABLE document (
    id text PRIMARY KEY, number int GENERATED ALWAYS AS IDENTITY UNIQUE,
    earliest bigint NOT NULL, latest bigint NOT NULL, during int8range, facets int[] NOT NULL,
    recording text NOT NULL, words tsvector NOT NULL);
CREATE TABLE more (id text NOT NULL, words tsvector NOT NULL);
CREATE INDEX more_id ON more (id);
"""
# The list of changes not yet sorted into a GIN index is read by every search: it is kept short (kB).
_FOR_SEARCHING = """
CREATE INDEX IF NOT EXISTS document_during ON document USING gist (during);
CREATE INDEX IF NOT EXISTS more_words ON more USING gin (words) WITH (gin_pending_list_limit = 1024);
CREATE INDEX IF NOT EXISTS document_words ON document USING gin (words) WITH (gin_pending_list_limit = 1024);
"""


class PostgresqlIndex:
    """One schema of the catalog's database."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._schema = place.folder.name
        self._engine = _engine_of(place, _READING, writes=False)
        self._writing = _engine_of(place, (), writes=True)
        # Facet values whose numbers are committed; the numbers of one value never change.
        self._numbers: dict[tuple[str, str], int] = {}
        self._guard = threading.Lock()
        # A commit, and what was counted as it left the index.
        self._counts: tuple[str | None, dict[Node, int]] = (None, {})
        self._facets: tuple[str | None, dict[tuple[Node, tuple[str, ...]], _Facets]] = (None, {})
        self._columns: _Columns | None = None
        self._has_counted = False
        # Phrases that documents have a lexeme of.
        self._common: Phrases = NONE
        self._staged: dict[str, Document | None] = {}
        try:
            make_once(place, self._make)
            self._require_whole()
        except BaseException:
            self.close()
            raise

    def _make(self, folder: Path) -> None:
        with self._changing() as connection:
            connection.exec_driver_sql(f'DROP SCHEMA IF EXISTS "{self._schema}" CASCADE')
            connection.exec_driver_sql(f'CREATE SCHEMA "{self._schema}"')
            if connection.exec_driver_sql(_HAS_LZ4).scalar():
                # Every phrase and every rank unpacks tsvectors; this is several times as fast as the default.
                connection.exec_driver_sql("SET LOCAL default_toast_compression = 'lz4'")
            _run(connection, _TABLES)
            if not self._place.is_building:
                _run(connection, _FOR_SEARCHING)
            connection.exec_driver_sql("INSERT INTO mark (version, seq, documents) VALUES (%s, 0, 0)", (_version(),))
        (folder / _SIGN).write_text(f"schema {self._schema}\n", encoding="utf-8")

    def _require_whole(self) -> None:
        with self._reading() as connection:
            found = connection.exec_driver_sql("SELECT version FROM mark").scalar()
            usable = connection.exec_driver_sql(_HAS_INDEXES, (self._schema,)).scalar()
            if found == _version():
                self._common = _common_in(connection)
        if found != _version():
            raise IndexDamaged(
                f"The search index in schema {self._schema} is of version {found}, this program's is {_version()}",
                path=str(self._place.folder),
                expected=_version(),
                found=found,
            )
        if usable != len(_FOR_SEARCHING.strip().splitlines()) and not self._place.is_building:
            raise IndexDamaged(f"The search index in schema {self._schema} is not whole", path=str(self._place.folder))

    @contextmanager
    def _reading(self) -> Iterator[sa.Connection]:
        with _told(self._place), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def _changing(self) -> Iterator[sa.Connection]:
        with _told(self._place), self._writing.begin() as connection:
            yield connection

    def stage(self, documents: Iterable[Document], deletes: Iterable[str] = ()) -> None:
        self._staged |= {document.id: document for document in documents}
        self._staged |= dict.fromkeys(deletes)

    def commit(self, seq: int) -> None:
        staged, self._staged = self._staged, {}
        documents = [document for document in staged.values() if document is not None]
        with self._place.lock, self._changing() as connection:
            # Writers of other hosts wait here, be the lock of files blind to them.
            connection.exec_driver_sql("SELECT seq FROM mark FOR UPDATE")
            numbers = self._numbers_of(connection, documents)
            gone = connection.exec_driver_sql("DELETE FROM document WHERE id = ANY(%s)", (list(staged),)).rowcount
            connection.exec_driver_sql("DELETE FROM more WHERE id = ANY(%s)", (list(staged),))
            common = self._common or self._first_common(connection, documents)
            _copy(connection, documents, numbers, common)
            connection.exec_driver_sql(
                "UPDATE mark SET seq = %s, documents = documents + %s", (seq, len(documents) - gone)
            )
            failpoint.at("index.before_commit")
        failpoint.at("index.after_commit")
        with self._guard:
            self._numbers |= numbers
        self._common = common

    def _first_common(self, connection: sa.Connection, documents: Sequence[Document]) -> Phrases:
        """The phrases that many of the first documents of a new index have; all that follow are told by them too."""
        if not self._place.is_building or len(documents) < TOLD_BY:
            return NONE
        if connection.exec_driver_sql("SELECT documents FROM mark").scalar():
            return NONE
        found = common_phrases([document.words.get("text", ()) for document in documents])
        cursor = connection.connection.driver_connection.cursor()  # type: ignore[union-attr]
        cursor.executemany("INSERT INTO common VALUES (%s)", [(list(one),) for one in sorted(found)])
        return found

    def _numbers_of(self, connection: sa.Connection, documents: Iterable[Document]) -> dict[tuple[str, str], int]:
        """The numbers of every facet value of these documents; new ones are given."""
        wanted = {value for document in documents for value in _facets_of(document)}
        with self._guard:
            known = {value: self._numbers[value] for value in wanted if value in self._numbers}
        missing = sorted(wanted - known.keys())
        if not missing:
            return known
        fields, values = [field for field, _ in missing], [value for _, value in missing]
        digests = [_digest(value) for value in values]
        connection.exec_driver_sql(
            "INSERT INTO facet (field, digest, value) SELECT * FROM unnest(%s::text[], %s::text[], %s::text[]) "
            "ON CONFLICT DO NOTHING",
            (fields, digests, values),
        )
        rows = connection.exec_driver_sql(
            "SELECT field, value, number FROM facet "
            "WHERE (field, digest) IN (SELECT * FROM unnest(%s::text[], %s::text[]))",
            (fields, digests),
        )
        return known | {(row[0], row[1]): row[2] for row in rows}

    def finish(self) -> None:
        with self._place.lock:
            with self._changing() as connection:
                connection.exec_driver_sql(f"SET LOCAL maintenance_work_mem = '{_SORTED_MB}MB'")
                _run(connection, _FOR_SEARCHING)
            with _told(self._place), self._writing.connect() as connection:
                connection.execution_options(isolation_level="AUTOCOMMIT")
                connection.exec_driver_sql("VACUUM (ANALYZE) document")

    def is_free(self) -> bool:
        return True

    def clear(self) -> None:
        self._staged = {}
        with self._place.lock, self._changing() as connection:
            connection.exec_driver_sql("TRUNCATE document, more")
            connection.exec_driver_sql("UPDATE mark SET seq = 0, documents = 0")

    def seq(self) -> int:
        with self._reading() as connection:
            return int(_only(connection.exec_driver_sql("SELECT seq FROM mark").scalar(), self._place))

    def stats(self) -> Stats:
        with self._reading() as connection:
            row = connection.exec_driver_sql("SELECT seq, documents FROM mark").one()
            size = connection.exec_driver_sql(_SIZE, (self._schema,)).scalar_one()
        return Stats(documents=row.documents, segments=1, seq=row.seq, size_bytes=int(size))

    def search(self, asked: Asked) -> Found:
        key = (asked.node, asked.facets)
        node = by_grams(asked.node, self._common)
        with self._reading() as connection:
            commit = connection.exec_driver_sql(_COMMIT).scalar()
            facets = self._facets[1].get(key) if self._facets[0] == commit else None
            conditions, values = _Where(_spread(connection, node)).scans(node)
            column = "earliest" if asked.sort == "time" else "latest"
            numbers, places = _matching(connection, conditions, values, column)
            hits = _hits(connection, asked, numbers, places)
            if facets is None:
                facets = self._counted(connection, commit, asked.facets, numbers)
                if len(numbers) >= _DEAR and asked.facets:
                    known = self._facets[1] if self._facets[0] == commit and len(self._facets[1]) < _REMEMBERED else {}
                    self._facets = (commit, known | {key: facets})
        return Found(hits=hits, total=len(numbers), facets=facets)

    def _counted(
        self, connection: sa.Connection, commit: str | None, names: tuple[str, ...], numbers: _Numbers
    ) -> _Facets:
        """field -> value -> documents. A process that counts many hits a second time holds the columns in memory."""
        if not names or not len(numbers):
            return {name: {} for name in names}
        is_dear = len(numbers) >= _DEAR
        if is_dear and (self._columns is not None or self._has_counted):
            with self._guard:
                columns = self._columns
                if columns is None or columns.commit != commit:
                    self._columns = columns = _columns_in(connection, commit, columns)
            if (counted := columns.counted(names, numbers)) is not None:
                return counted
        self._has_counted = self._has_counted or is_dear
        facets: _Facets = {name: {} for name in names}
        for field, value, count in connection.exec_driver_sql(_COUNTED, (numbers.tolist(), list(names))):
            facets[field][value] = count
        return facets

    def count(self, node: Node) -> int:
        """Remembered until the next commit, which writes the mark anew: this is counted with each search."""
        with self._reading() as connection:
            commit = connection.exec_driver_sql(_COMMIT).scalar()
            if self._counts[0] == commit and node in self._counts[1]:
                return self._counts[1][node]
            asked = by_grams(node, self._common)
            conditions, values = _Where(_spread(connection, asked)).scans(asked)
            counted = " + ".join(f"(SELECT count(*) FROM document WHERE {one})" for one in conditions)
            statement = f"SELECT {counted}, ({_COMMIT})"
            [(count, commit)] = connection.exec_driver_sql(statement, tuple(values)).all()
        known = self._counts[1] if self._counts[0] == commit and len(self._counts[1]) < _REMEMBERED else {}
        self._counts = (commit, known | {node: int(count)})
        return int(count)

    def close(self) -> None:
        self._engine.dispose()
        self._writing.dispose()


def _version() -> str:
    return f"{VERSION}.{_LAYOUT}"


_Facets = dict[str, dict[str, int]]
_Numbers = npt.NDArray[np.int32]
_Places = npt.NDArray[np.int64]
_COUNTED = """
SELECT f.field, f.value, c.count
FROM (SELECT unnest(facets) AS number, count(*) AS count FROM document WHERE number = ANY(%s) GROUP BY 1) c
JOIN facet f USING (number) WHERE f.field = ANY(%s)
"""
_HAS_LZ4 = "SELECT 'lz4' = ANY(enumvals) FROM pg_settings WHERE name = 'default_toast_compression'"
_HAS_INDEXES = """
SELECT count(*) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %s AND c.relname IN ('document_during', 'more_words', 'document_words') AND i.indisvalid
"""
_SIZE = """
SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = %s AND c.relkind = 'r'
"""


def _engine_of(place: Place, settings: Sequence[str], *, writes: bool) -> sa.Engine:
    schema = place.folder.name
    if not place.database.startswith("postgresql"):
        raise BadInput(
            'index.backend = "postgresql" needs a catalog in PostgreSQL: set catalog.url, or another index.backend',
            zh='index.backend = "postgresql" 需要目录库在 PostgreSQL 中：请设置 catalog.url 或改用其他 index.backend',
            backend=KIND,
        )
    engine = make_engine(place.database, writes=writes)

    @sa.event.listens_for(engine, "connect")
    def _prepare(connection: Any, _: Any) -> None:
        for setting in (f'SET search_path = "{schema}"', *settings):
            connection.execute(setting)
        connection.commit()

    return engine


@contextmanager
def _told(place: Place) -> Iterator[None]:
    """PostgreSQL's errors as ours."""
    try:
        yield
    except (sa.exc.DBAPIError, psycopg.Error) as error:
        # What COPY meets comes without SQLAlchemy's wrapping.
        cause = error.orig if isinstance(error, sa.exc.DBAPIError) else error
        state = getattr(cause, "sqlstate", None)
        sentence = f"The search index in schema {place.folder.name} cannot be used: {cause}"
        if state in _DAMAGE:
            raise IndexDamaged(sentence, path=str(place.folder), found=state) from error
        raise TryAgain(sentence, path=str(place.folder), found=state) from error


def _run(connection: sa.Connection, script: str) -> None:
    for statement in script.split(";"):
        if statement.strip():
            connection.exec_driver_sql(statement)


def _only(value: Any, place: Place) -> Any:
    if value is None:
        raise IndexDamaged(f"The search index in schema {place.folder.name} has lost its mark", path=str(place.folder))
    return value


def _copy(
    connection: sa.Connection,
    documents: Iterable[Document],
    numbers: Mapping[tuple[str, str], int],
    common: Phrases,
) -> None:
    rest: list[tuple[str, str]] = []
    cursor = connection.connection.driver_connection.cursor()  # type: ignore[union-attr]
    with cursor.copy("COPY document (id, earliest, latest, during, facets, recording, words) FROM STDIN") as copy:
        for document in documents:
            first, *others = literals_of(document, common)
            facets = [numbers[value] for value in _facets_of(document)]
            copy.write_row(
                (
                    document.id,
                    document.earliest,
                    document.latest,
                    _range_of(document),
                    facets,
                    _recording_of(document),
                    first,
                )
            )
            rest += [(document.id, other) for other in others]
    if rest:
        with cursor.copy("COPY more (id, words) FROM STDIN") as copy:
            for row in rest:
                copy.write_row(row)


def _range_of(document: Document) -> str | None:
    if document.from_ms is None or document.to_ms is None:
        return None
    return f"[{document.from_ms},{max(document.from_ms, document.to_ms)}]"


def _recording_of(document: Document) -> str:
    return _storable(next(iter(document.exact.get("recording", ())), ""))


def _facets_of(document: Document) -> list[tuple[str, str]]:
    return [(name, _storable(value)) for name in FACET_FIELDS for value in dict.fromkeys(document.exact.get(name, ()))]


def _digest(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()


def _storable(text: str) -> str:
    """The text as PostgreSQL can hold it: without the character NUL and halves of characters."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


@lru_cache(maxsize=100_000)
def _lexeme(field: str, token: str) -> str:
    """The token as it stands in a tsvector: quoted, behind its field's sign."""
    return _quoted(_signed(f"{field}:", token))


def _signed(sign: str, token: str) -> str:
    return sign + (token if len(token) <= _LONGEST else f"{token[:_KEPT]}#{_digest(_storable(token))}")


def _quoted(plain: str) -> str:
    return "'" + _storable(plain).replace("\\", "\\\\").replace("'", "''") + "'"


def literals_of(document: Document, common: Phrases = NONE) -> list[str]:
    """The document as texts of tsvectors within PostgreSQL's limits; nearly always one. common: phrases to be told."""
    words = _signed_words(document.words)
    exact = {name: [_lexeme(name, value) for value in values] for name, values in document.exact.items()}
    exact[_STRETCH] = [_lexeme(_STRETCH, value) for value in _stretches_of(document)]
    exact[GRAM] = [_lexeme(GRAM, value) for value in grams_of(document.words.get("text", ()), common)]
    weight = sum(_weight(of) for held in (words, exact) for of in held.values())
    limit = MOST_BYTES // (len(words) + len(exact)) if weight > MOST_BYTES else MOST_BYTES
    columns = [[_placed(part) for part in _parts(tokens, limit)] for tokens in words.values()]
    columns += [[" ".join(part) for part in _chunks(values, limit)] for values in exact.values()]
    return [" ".join(filter(None, parts)) for parts in zip_longest(*columns, fillvalue="")] or [""]


def _signed_words(words: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """field -> its words behind their sign, in order. What `text` repeats of a folded field has that field's sign."""
    text = words.get("text", ())
    signs = [_TEXT] * len(text)
    apart = {name: tokens for name, tokens in words.items() if name != "text"}
    for name, sign in _FOLDED.items():
        tokens = words.get(name, ())
        at = _place_of(tokens, text)
        if at is not None and signs[at : at + len(tokens)] == [_TEXT] * len(tokens):
            signs[at : at + len(tokens)] = [sign] * len(tokens)
            del apart[name]
    signed = {"text": _all_signed(signs, text)}
    return signed | {name: _all_signed(repeat(f"{name}:"), tokens) for name, tokens in apart.items()}


def _all_signed(signs: Iterable[str], tokens: Sequence[str]) -> list[str]:
    if max(map(len, tokens), default=0) <= _LONGEST:
        return list(map(add, signs, tokens))
    return list(map(_signed, signs, tokens))


def _weight(lexemes: Sequence[str]) -> int:
    """The bytes that these take at most."""
    return 4 * len("".join(lexemes)) + 24 * len(lexemes)


def _place_of(tokens: Sequence[str], text: Sequence[str]) -> int | None:
    """Where in the text these stand together, in order; None where they do not, or are none."""
    at = -1
    while tokens:
        try:
            at = text.index(tokens[0], at + 1, len(text) - len(tokens) + 1)
        except ValueError:
            return None
        if text[at + len(tokens) - 1] == tokens[-1] and text[at : at + len(tokens)] == tokens:
            return at
    return None


def _signs_of(field: str) -> tuple[str, ...]:
    """Behind which the words of a field may stand."""
    if field == "text":
        return (_TEXT, *_FOLDED.values())
    return (_FOLDED[field], f"{field}:") if field in _FOLDED else (f"{field}:",)


def _stretches_of(document: Document) -> list[str]:
    if document.from_ms is None or document.to_ms is None:
        return []
    ends = document.from_ms, max(document.from_ms, document.to_ms)
    return [one for level in range(_LEVELS) for one in _stretches(level, *ends) or [f"{level}.*"]]


def _stretches(level: int, first_ms: int, last_ms: int) -> list[str] | None:
    """The stretches of this level that hold these moments and those between; None where they are too many."""
    length_ms = _STRETCH_MS * 8**level
    first, last = first_ms // length_ms, last_ms // length_ms
    return None if last - first >= _MOST_STRETCHES else [f"{level}.{one}" for one in range(first, last + 1)]


def _about(during: During) -> Node | None:
    """What documents of this time carry, and some that lie just beside it; None where it is open or too long."""
    if during.from_ms is None or during.to_ms is None:
        return None
    ends = sorted((during.from_ms, during.to_ms - 1))
    for level in range(_LEVELS):
        if found := _stretches(level, *ends):
            return Either(tuple(Exact(_STRETCH, one) for one in (*found, f"{level}.*")))
    return None


def _placed(lexemes: Sequence[str]) -> str:
    places: dict[str, str] = {}
    for place, lexeme in zip(_NUMBERS, lexemes, strict=False):
        places[lexeme] = f"{places[lexeme]},{place}" if lexeme in places else place
    return " ".join([f"{quoted}:{at}" for quoted, at in zip(_all_quoted(places), places.values(), strict=True)])


def _all_quoted(lexemes: Iterable[str]) -> list[str]:
    listed = list(lexemes)
    return list(map(_quoted, listed)) if _UNUSUAL.search("".join(listed)) else [f"'{one}'" for one in listed]


def _parts(tokens: Sequence[str], limit_bytes: int) -> Iterator[Sequence[str]]:
    """The tokens in parts that a tsvector can hold, each beginning with the end of the one before."""
    if (
        len(tokens) <= LAST_PLACE
        and limit_bytes == MOST_BYTES
        and max(Counter(tokens).values(), default=0) <= MOST_PLACES
    ):
        # Nearly always, and told in a fraction of the time.
        yield tokens
        return
    start = 0
    while start < len(tokens):
        end = _reach(tokens, start, limit_bytes)
        yield tokens[start:end]
        if end == len(tokens):
            return
        start = end - min(OVERLAP, (end - start) // 2)


def _reach(tokens: Sequence[str], start: int, limit_bytes: int) -> int:
    """Behind the last token that still fits into the part that begins here; at least one does."""
    counts: Counter[str] = Counter()
    weight = 0
    for place in range(start, min(start + LAST_PLACE, len(tokens))):
        token = tokens[place]
        counts[token] += 1
        weight += 4 * len(token) + 24
        if counts[token] > MOST_PLACES or (weight > limit_bytes and place > start):
            return place
    return min(start + LAST_PLACE, len(tokens))


def _chunks(values: Sequence[str], limit_bytes: int) -> Iterator[Sequence[str]]:
    start, weight = 0, 0
    for place, value in enumerate(values):
        weight += 4 * len(value) + 24
        if weight > limit_bytes and place > start:
            yield values[start:place]
            start, weight = place, 4 * len(value) + 24
    if start < len(values):
        yield values[start:]


def _leaf(node: Words | Exact) -> str:
    """The tsquery of words beside one another, or of a whole value."""
    if isinstance(node, Exact):
        return _lexeme(node.field, node.value[:_KEPT] if node.is_prefix else node.value) + (
            ":*" if node.is_prefix else ""
        )
    return "(" + " <-> ".join(f"({' | '.join(one)})" for one in _spellings(node)) + ")"


def _spellings(node: Words) -> list[list[str]]:
    """Each word as it may stand in a tsquery."""
    ends = [""] * (len(node.tokens) - 1) + [":*" if node.last_is_prefix else ""]
    signs = _signs_of(node.field)
    return [
        [_quoted(_signed(sign, token)) + end for sign in signs] for token, end in zip(node.tokens, ends, strict=True)
    ]


def _leaves(node: Node) -> set[str]:
    match node:
        case Words() | Exact():
            return {_leaf(node)}
        case All(parts) | Either(parts):
            return {leaf for part in parts for leaf in _leaves(part)}
        case Not(part):
            return _leaves(part)
        case _:
            return set()


def _spread(connection: sa.Connection, node: Node) -> dict[str, list[str]]:
    """Of each leaf that is found beyond the first part of a document: the documents where it is."""
    leaves = sorted(_leaves(node))
    if not leaves or connection.exec_driver_sql("SELECT 1 FROM more LIMIT 1").scalar() is None:
        return {}
    asked = " UNION ALL ".join(["SELECT %s::int AS leaf, id FROM more WHERE words @@ %s::tsquery"] * len(leaves))
    values = tuple(value for numbered in enumerate(leaves) for value in numbered)
    found: dict[str, list[str]] = {}
    for leaf, identifier in connection.exec_driver_sql(asked, values):
        found.setdefault(leaves[leaf], []).append(identifier)
    return found


class _Where:
    """A tree as an SQL condition. spread: as `_spread` gives it; such leaves are asked for by document too."""

    def __init__(self, spread: Mapping[str, list[str]]) -> None:
        self._spread = spread

    def scans(self, node: Node) -> tuple[list[str], list[Any]]:
        """Conditions of which each document meets one at most, and all their values.

        Where a phrase may decide, PostgreSQL unpacks and compares every document on the same page of the table. What is
        found or left out whether the words stand together or not is asked for by itself, without that.
        """
        parts = list(parts_of(node))
        whole = All(tuple(part for part in parts if self._is_plain(part)))
        certain = _certain(whole)
        if certain == whole or _is_nothing(certain):
            condition, values = self.of(node)
            return [condition], values
        others = [part for part in parts if not self._is_plain(part)]
        compiled = [self.of(All((one, *others))) for one in (certain, All((whole, Not(certain))))]
        return [condition for condition, _ in compiled], [value for _, values in compiled for value in values]

    def of(self, node: Node) -> tuple[str, list[Any]]:
        """The condition and its values; what needs nothing but words is one tsquery."""
        if node == All():
            return "TRUE", []
        if self._is_plain(node):
            return "words @@ %s::tsquery", [_tsquery(node)]
        match node:
            case During(from_ms, to_ms):
                return _overlap(from_ms, to_ms)
            case All():
                return self._all(list(dict.fromkeys(parts_of(node))))
            case Either(parts):
                return self._joined(" OR ", parts)
            case Not(part):
                condition, values = self.of(part)
                return f"NOT {condition}", values
            case _:
                leaf = _leaf(node)
                return "(words @@ %s::tsquery OR id = ANY(%s))", [leaf, self._spread[leaf]]

    def _all(self, parts: Sequence[Node]) -> tuple[str, list[Any]]:
        plain = [part for part in parts if self._is_plain(part)]
        times = [part for part in parts if isinstance(part, During)]
        plain += [about for during in times if (about := _about(during))]
        if not plain:
            return self._joined(" AND ", parts)
        others = [part for part in parts if part not in plain and part not in times]
        condition, values = self._joined(" AND ", [All(tuple(plain)), *others])
        for during in times:
            # No index serves this: the one over times would find all of a month, with texts to be fetched and compared.
            # What has no time is in none of them, and must not be left out where that is asked for.
            condition += " AND coalesce(lower(during) < %s AND upper(during) > %s, false)"
            values += [_FURTHEST if during.to_ms is None else during.to_ms]
            values += [-_FURTHEST if during.from_ms is None else during.from_ms]
        return f"({condition})", values

    def _joined(self, word: str, parts: Sequence[Node]) -> tuple[str, list[Any]]:
        compiled = [self.of(part) for part in parts]
        return (
            "(" + word.join(condition for condition, _ in compiled) + ")",
            [value for _, values in compiled for value in values],
        )

    def _is_plain(self, node: Node) -> bool:
        return not _asks_for_time(node) and _leaves(node).isdisjoint(self._spread)


def _certain(node: Node) -> Node:
    """What implies this and needs no look at the order of words."""
    match node:
        case Words(tokens) if len(tokens) > 1:
            return Either()
        case All(parts):
            return All(tuple(map(_certain, parts)))
        case Either(parts):
            return Either(tuple(one for one in map(_certain, parts) if not _is_nothing(one)))
        case Not(part):
            return Not(_possible(part))
        case _:
            return node


def _possible(node: Node) -> Node:
    """What this implies and needs no look at the order of words."""
    match node:
        case Words(tokens, last_is_prefix, field) if len(tokens) > 1:
            ends = [False] * (len(tokens) - 1) + [last_is_prefix]
            return All(tuple(Words((one,), end, field) for one, end in zip(tokens, ends, strict=True)))
        case All(parts):
            return All(tuple(map(_possible, parts)))
        case Either(parts):
            return Either(tuple(map(_possible, parts)))
        case Not(part):
            return Not(_certain(part))
        case _:
            return node


def _is_nothing(node: Node) -> bool:
    match node:
        case All(parts):
            return any(map(_is_nothing, parts))
        case Either(parts):
            return all(map(_is_nothing, parts))
        case _:
            return False


def _asks_for_time(node: Node) -> bool:
    match node:
        case During():
            return True
        case All(parts) | Either(parts):
            return any(map(_asks_for_time, parts))
        case Not(part):
            return _asks_for_time(part)
        case _:
            return False


def _overlap(from_ms: int | None, to_ms: int | None) -> tuple[str, list[Any]]:
    # Undated recordings are told apart first, so that their denial is true and not unknown.
    if from_ms is not None and to_ms is not None and to_ms <= from_ms:
        return "(during IS NOT NULL AND during @> int8range(%s, %s, '[]'))", [to_ms - 1, from_ms]
    return "(during IS NOT NULL AND during && int8range(%s, %s))", [from_ms, to_ms]


def _tsquery(node: Node) -> str:
    """A tree without times as one tsquery."""
    match node:
        case Words() | Exact():
            return _leaf(node)
        case All(parts):
            wanted = [_tsquery(part) for part in parts if not isinstance(part, Not)] or [_EVERYTHING]
            barred = [f"!{_tsquery(part.part)}" for part in parts if isinstance(part, Not)]
            return "(" + " & ".join([*wanted, *barred]) + ")"
        case Either(parts):
            return "(" + (" | ".join(map(_tsquery, parts)) or _NOTHING) + ")"
        case Not():
            return _tsquery(All((node,)))
        case _:
            raise AssertionError(node)


def _ranking(asked: Asked) -> str:
    """What the hits are ranked by: every word that speaks for them; empty where they are sorted by time."""
    if asked.sort != "score":
        return ""
    lexemes = {one for words in words_of(asked.node) for spellings in _spellings(words) for one in spellings}
    return " | ".join(sorted(lexemes))


def _matching(
    connection: sa.Connection, conditions: Sequence[str], values: Sequence[Any], column: str
) -> tuple[_Numbers, _Places]:
    """The numbers of all that match, and where each stands by time."""
    matching = " UNION ALL ".join(f"SELECT number, {column} AS place FROM document WHERE {one}" for one in conditions)
    asked = f"SELECT string_agg(int4send(number), ''), string_agg(int8send(place), '') FROM ({matching}) AS matching"
    with connection.connection.driver_connection.cursor(binary=True) as cursor:  # type: ignore[union-attr]
        [(numbers, places)] = cursor.execute(asked, values).fetchall()
    return np.frombuffer(numbers or b"", ">i4").astype(np.int32), np.frombuffer(places or b"", ">i8").astype(np.int64)


def _hits(connection: sa.Connection, asked: Asked, numbers: _Numbers, places: _Places) -> tuple[Match, ...]:
    """The hits that are shown, of these."""
    column, order = ("earliest", "ASC") if asked.sort == "time" else ("latest", "DESC")
    signed = places if order == "ASC" else -places
    if asked.from_place is not None:
        is_behind = signed >= (asked.from_place if order == "ASC" else -asked.from_place)
        numbers, signed = numbers[is_behind], signed[is_behind]
    ranking, wanted = _ranking(asked), asked.offset + asked.limit
    chosen = _foremost(numbers, signed, max(wanted, RANKED) if ranking else wanted)
    if not asked.limit or not len(chosen):
        return ()
    score = "CASE WHEN nth <= %s THEN ts_rank(words, %s::tsquery, 1) ELSE 0 END" if ranking else "0"
    rows = connection.exec_driver_sql(
        f"SELECT id, {score} AS score, place, recording FROM (SELECT id, {column} AS place, recording, words, "
        f"row_number() OVER (ORDER BY {column} {order}, id) AS nth FROM document WHERE number = ANY(%s)) AS chosen "
        f"ORDER BY score DESC, place {order}, id LIMIT %s OFFSET %s",
        (*((RANKED, ranking) if ranking else ()), chosen.tolist(), asked.limit, asked.offset),
    )
    has_place = asked.sort != "score"
    return tuple(Match(row.id, float(row.score), row.place if has_place else 0, row.recording) for row in rows)


def _foremost(numbers: _Numbers, places: _Places, wanted: int) -> _Numbers:
    """Those at the so many lowest places, and others at the last of these places."""
    if len(numbers) <= wanted or not wanted:
        return numbers if wanted else numbers[:0]
    foremost: _Numbers = numbers[places <= np.partition(places, wanted - 1)[wanted - 1]]
    return foremost


@dataclass(frozen=True)
class _Columns:
    """The numbers of facet values by document, as one commit left them.

    documents: the numbers of the documents, ascending; a document that was changed has another number since, so those
    that are there no more do no harm. owners: the place among these that each of `values` belongs to, ascending.
    names: number -> field and value.
    """

    commit: str | None
    documents: _Numbers
    owners: _Numbers
    values: _Numbers
    names: Mapping[int, tuple[str, str]]

    def counted(self, wanted: Iterable[str], numbers: _Numbers) -> _Facets | None:
        """field -> value -> how many of these documents have it; None where some are not held: seen before a change."""
        places = np.minimum(np.searchsorted(self.documents, numbers), max(len(self.documents) - 1, 0))
        if not len(self.documents) or not np.array_equal(self.documents[places], numbers):
            return None
        is_meant = np.zeros(len(self.documents), dtype=bool)
        is_meant[places] = True
        counts = np.bincount(self.values[is_meant[self.owners]])
        facets: _Facets = {name: {} for name in wanted}
        for number in np.flatnonzero(counts).tolist():
            field, value = self.names[number]
            if field in facets:
                facets[field][value] = int(counts[number])
        return facets


def _columns_in(connection: sa.Connection, commit: str | None, before: _Columns | None) -> _Columns:
    """The columns as this transaction sees them; what was read before stays, until too much of it is there no more."""
    empty = np.zeros(0, dtype=np.int32)
    known = before or _Columns(None, empty, empty, empty, {})
    held = connection.exec_driver_sql("SELECT documents FROM mark").scalar() or 0
    if len(known.documents) > _MOST_HELD * held:
        known = _Columns(None, empty, empty, empty, {})
    last = int(known.documents[-1]) if len(known.documents) else 0
    with connection.connection.driver_connection.cursor(binary=True) as cursor:  # type: ignore[union-attr]
        [(documents,)] = cursor.execute(
            "SELECT string_agg(int4send(number), '') FROM document WHERE number > %s", (last,)
        ).fetchall()
        [(pairs,)] = cursor.execute(
            "SELECT string_agg(int4send(d.number) || int4send(v), '') FROM document d, unnest(d.facets) v "
            "WHERE d.number > %s",
            (last,),
        ).fetchall()
    fresh = np.sort(np.frombuffer(documents or b"", ">i4").astype(np.int32))
    read = np.frombuffer(pairs or b"", ">i4").astype(np.int32).reshape(-1, 2)
    owners = (np.searchsorted(fresh, read[:, 0]) + len(known.documents)).astype(np.int32)
    newest = max(known.names, default=0)
    rows = connection.exec_driver_sql("SELECT number, field, value FROM facet WHERE number > %s", (newest,))
    return _Columns(
        commit,
        np.concatenate([known.documents, fresh]),
        np.concatenate([known.owners, owners]),
        np.concatenate([known.values, read[:, 1]]),
        {**known.names, **{row.number: (row.field, row.value) for row in rows}},
    )


def _common_in(connection: sa.Connection) -> Phrases:
    return frozenset(tuple(tokens) for (tokens,) in connection.exec_driver_sql("SELECT tokens FROM common"))


def _sweep(kind: str, kept: Place) -> None:
    """Schemas of replaced indexes are dropped, also those whose folder somebody removed."""
    if kept.database.startswith("postgresql"):
        engine = make_engine(kept.database, writes=True)
        try:
            with _told(kept), engine.begin() as connection:
                listed = "SELECT nspname FROM pg_namespace WHERE starts_with(nspname, %s) AND nspname <> %s"
                for (schema,) in connection.exec_driver_sql(listed, (f"{kind}-", kept.folder.name)).all():
                    connection.exec_driver_sql(f'DROP SCHEMA IF EXISTS "{schema}" CASCADE')
        finally:
            engine.dispose()
    sweep_folders(kind, kept)


BACKEND = Backend(KIND, PostgresqlIndex, _sweep)
