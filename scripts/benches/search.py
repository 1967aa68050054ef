"""How long generated originals take to index and to search, beside the raw engine underneath in the same run.

A search is all of it: what was typed is read, the index follows the catalog, the engine finds and counts ten facets
without what must not be seen, hits get their facts and snippets. The raw engine is asked for the same words with a
reader that stays open, for ids and the total alone. Raw indexing is the engine's share: staged documents to a commit.
Making the originals stands for reading them from a catalog: a part of the building, left out of what a search takes.

scripts/bench search                                    10,000 originals on every backend (2,000 on Whoosh)
scripts/bench search --documents 100000 --backend=tantivy     so many, on this one
scripts/bench search --keep=FOLDER                      the index is left there, and searched again by the next run
"""

from __future__ import annotations

import contextlib
import itertools
import json
import multiprocessing
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random
from typing import Any

import _archive
from _server import server

from indexer.access import Reviewer, visible
from indexer.contract import Asked, SearchIndex
from indexer.follower import Follower
from indexer.query import parse
from indexer.search import MOST_VALUES, Filters, search
from indexer.tree import FACET_FIELDS, All, Node

COUNTS = {"tantivy": 10_000, "postgresql": 10_000, "whoosh": 2_000}
NOW = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
ZONE = "Asia/Shanghai"
QUERIES, CHANGES = 60, 200


def measure() -> Iterator[dict[str, Any]]:
    """Rows `backend`, `documents`, `class`; of a class of queries `hits` (in the middle), `p50_ms`, `p95_ms`, `p99_ms`,
    `raw_p95_ms`, `ratio`, and `cpu_ms` (the mean that this process took, without a database's).

    `build`: `documents_s`, `cpu_s`, `raw_cpu_s` (the engine's share), `rss_mb` (the files it maps included),
    `own_mb` (without them), `bytes`; `one change`: from the catalog to being found, while another process asks all the
    others.
    """
    arguments = sys.argv[1:]
    asked = [int(arguments[place + 1]) for place, one in enumerate(arguments) if one == "--documents"]
    chosen = [one.partition("=")[2] for one in arguments if one.startswith("--backend=")]
    kept = [one.partition("=")[2] for one in arguments if one.startswith("--keep=")]
    for backend, count in COUNTS.items():
        if not chosen or backend in chosen:
            for documents in asked or [count]:
                yield from _alone(backend, documents, kept[-1] if kept else None)


def _alone(backend: str, count: int, kept: str | None) -> Iterator[dict[str, Any]]:
    """The rows of one backend, measured in a process of its own, whose memory is all its own."""
    receiving, sending = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("spawn").Process(target=_send, args=(sending, backend, count, kept))
    process.start()
    sending.close()
    with contextlib.suppress(EOFError):
        while True:
            yield receiving.recv()
    process.join()
    if process.exitcode:
        raise SystemExit(f"the bench of {backend} ended with {process.exitcode}")


def _send(sending: Connection, backend: str, count: int, kept: str | None) -> None:
    with contextlib.ExitStack() as stack:
        if kept and backend != "postgresql":
            folder = Path(kept) / f"{backend}-{count}"
        else:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        address, server_pid = stack.enter_context(server()) if backend == "postgresql" else ("", None)
        for row in _measured(backend, count, folder, address, server_pid):
            sending.send({"backend": backend, "documents": count, **row})


def _measured(backend: str, count: int, folder: Path, address: str, server_pid: int | None) -> Iterator[dict[str, Any]]:
    catalog = _archive.Numbered(count)
    follower = Follower(catalog, folder / "index", backend, database=address)
    told_before = folder / "build.json"
    if not told_before.exists():
        told_before.write_text(json.dumps(_build(follower, catalog, server_pid)))
    yield {"class": "build", **json.loads(told_before.read_text())}
    index = follower._index()
    for number in range(index.seq() - catalog.head()):
        # What a run before this one has changed.
        catalog.say(number % CHANGES, f"改变{number % CHANGES}")
    raw = RAW[backend](index)

    totals: list[int] = []

    def ask(text: str) -> None:
        page = search(
            Reviewer("t", "reviewer"), text, Filters(),
            follower=follower, catalog=catalog, zone=ZONE, now=NOW,
        )  # fmt: skip
        totals.append(page.total)

    def ask_raw(text: str) -> None:
        raw(parse(text, today=NOW.date(), zone=ZONE).node)

    told = partial(_told, catalog)
    ask("预备")
    for name, texts in _queries(count).items():
        ask_raw(texts[0])
        totals.clear()
        row = told(ask, texts)
        row["hits"] = int(statistics.median(totals))
        raw_row = told(ask_raw, texts)
        row |= {"raw_p50_ms": raw_row["p50_ms"], "raw_p95_ms": raw_row["p95_ms"]}
        yield {"class": name, **row, "ratio": round(row["p95_ms"] / max(raw_row["p95_ms"], 0.01), 1)}

    def change(number: int) -> None:
        catalog.say(number, f"改变{number}")
        follower.follow()
        assert index.count(parse(f"改变{number}", today=NOW.date(), zone=ZONE).node) >= 1

    with _asked_meanwhile(backend, count, folder, address):
        row = told(change, range(CHANGES))
    yield {"class": "one change", **row, "rss_mb": _peak_mb()}


@contextlib.contextmanager
def _asked_meanwhile(backend: str, count: int, folder: Path, address: str) -> Iterator[None]:
    """Another process searches while the block runs."""
    context = multiprocessing.get_context("spawn")
    begun, stop = context.Event(), context.Event()
    process = context.Process(target=_ask, args=(backend, count, folder, address, begun, stop))
    process.start()
    begun.wait(60)
    try:
        yield
    finally:
        stop.set()
        process.join()


def _ask(backend: str, count: int, folder: Path, address: str, begun: Any, stop: Any) -> None:
    follower = Follower(_archive.Numbered(count), folder / "index", backend, database=address)
    seen, texts = visible(Reviewer("t", "reviewer")), [text for some in _queries(count).values() for text in some]
    for text in itertools.cycle(Random(3).sample(texts, len(texts))):
        node = All((parse(text, today=NOW.date(), zone=ZONE).node, seen))
        follower.search(Asked(node=node, facets=FACET_FIELDS, most_values=MOST_VALUES))
        begun.set()
        if stop.wait(0.02):
            return


def _build(follower: Follower, catalog: _archive.Numbered, server_pid: int | None) -> dict[str, Any]:
    count = sum(catalog.counts().values())
    engine_cpu_s, own_mb, analysed = 0.0, 0, follower._documents

    def timed(*args: Any) -> Any:
        nonlocal engine_cpu_s, own_mb
        # The engine's own threads work meanwhile.
        begun = time.thread_time()
        found = analysed(*args)
        engine_cpu_s -= time.thread_time() - begun
        own_mb = max(own_mb, _own_mb())
        return found

    follower._documents = timed  # type: ignore[method-assign]
    begun, cpu = time.perf_counter(), time.process_time()
    follower.rebuild()
    wall_s, cpu_s = time.perf_counter() - begun, time.process_time() - cpu
    follower._documents = analysed  # type: ignore[method-assign]
    server_cpu_s = _children_cpu_s(server_pid) if server_pid else 0.0
    state = follower.state()
    assert state["documents"] == count, state
    return {
        "documents_s": round(count / wall_s), "wall_s": round(wall_s, 1), "cpu_s": round(cpu_s + server_cpu_s, 1),
        "raw_cpu_s": round(cpu_s + engine_cpu_s + server_cpu_s, 1), "rss_mb": _peak_mb(), "own_mb": own_mb,
        "bytes": state["bytes"],
    }  # fmt: skip


def _peak_mb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def _own_mb() -> int:
    """The memory that is no page of a file."""
    [line] = [one for one in Path("/proc/self/status").read_text().splitlines() if one.startswith("RssAnon")]
    return int(line.split()[1]) // 1024


def _children_cpu_s(pid: int) -> float:
    """What a server and the processes it has started and outlived took so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    living = [Path(f"/proc/{child}/stat") for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    ticks = sum(map(int, fields[11:15]))
    for stat in living:
        with contextlib.suppress(OSError):
            ticks += sum(map(int, stat.read_text().rpartition(")")[2].split()[11:13]))
    return ticks / 100


def _queries(count: int) -> dict[str, list[str]]:
    chance, words = Random(7), _archive.WORDS
    some = [chance.randrange(count) for _ in range(QUERIES)]
    cases = [_archive.case_of(number // 20) for number in some]
    # Twenty originals an hour since the beginning of 2019; a year's worth is the least that is asked within.
    months = max(12, min(count // 20 // 730, 80))

    def of_rank(low: int, high: int) -> str:
        return words[chance.randrange(low, high)]

    def spoken(number: int) -> str:
        lines = _archive.original_of(number).properties["transcript.lines"].value
        return str(chance.choice(lines)[2])[4 : 4 + chance.randint(4, 8)]

    return {
        "everything": ["", "", "", ""],
        "common word": [of_rank(5, 60) for _ in some],
        "word": [of_rank(1000, 4000) for _ in some],
        "rare word": [of_rank(20_000, 30_000) for _ in some],
        "two words": [f"{of_rank(20, 300)} {of_rank(20, 300)}" for _ in some],
        "phrase": [spoken(number) for number in some],
        "company": [party for _, party in cases],
        "officer": [_archive.officer_of(number) for number in some],
        "case": [case for case, _ in cases],
        "device and word": [f"{_archive.device_of(number // 20)} {of_rank(20, 300)}" for number in some],
        "month and word": [f"{_month(chance.randrange(months))} {of_rank(20, 300)}" for _ in some],
        "beginning": [f"{_archive.device_of(number)[:-2]}*" for number in some],
        "not": [f"{of_rank(20, 300)} -{_archive.officer_of(number)}" for number in some],
    }


def _month(number: int) -> str:
    return f"{2019 + number // 12}-{number % 12 + 1:02}"


def _told(catalog: _archive.Numbered, act: Callable[..., None], values: Iterable[Any]) -> dict[str, float]:
    took_ms, cpu_ms = [], []
    for value in values:
        made_s, made_cpu_s = catalog.made_s, catalog.made_cpu_s
        begun, cpu = time.perf_counter(), time.process_time()
        act(value)
        took_ms.append((time.perf_counter() - begun - catalog.made_s + made_s) * 1000)
        cpu_ms.append((time.process_time() - cpu - catalog.made_cpu_s + made_cpu_s) * 1000)
    cuts = statistics.quantiles(took_ms, n=100, method="inclusive")
    told = {"p50_ms": cuts[49], "p95_ms": cuts[94], "p99_ms": cuts[98], "cpu_ms": statistics.mean(cpu_ms)}
    return {name: round(value, 2) for name, value in told.items()}


def _raw_tantivy(index: Any) -> Callable[[Node], None]:
    from indexer.backends.tantivy_index import _Query

    view = index._seen()
    searcher, compiled = view.searcher, _Query(index._schema, view)

    def ask(node: Node) -> None:
        for _, address in searcher.search(compiled.of(node), 20, count=True).hits:
            searcher.doc(address)

    return ask


def _raw_whoosh(index: Any) -> Callable[[Node], None]:
    from indexer.backends.whoosh_index import _compiled

    searcher = index._searcher()

    def ask(node: Node) -> None:
        results = searcher.search(_compiled(node, searcher.reader()), limit=20)
        len(results), [hit["id"] for hit in results]

    return ask


def _raw_postgresql(index: Any) -> Callable[[Node], None]:
    from indexer.backends.postgresql_index import _Where

    connection = index._engine.connect().connection.driver_connection

    def ask(node: Node) -> None:
        condition, values = _Where({}).of(node)
        connection.execute(
            f"WITH m AS MATERIALIZED (SELECT id, latest FROM document WHERE {condition}) "
            "SELECT id, count(*) OVER () FROM m ORDER BY latest DESC LIMIT 20",
            values,
        ).fetchall()
        connection.rollback()

    return ask


RAW: dict[str, Callable[[SearchIndex], Callable[[Node], None]]] = {
    "tantivy": _raw_tantivy,
    "whoosh": _raw_whoosh,
    "postgresql": _raw_postgresql,
}
