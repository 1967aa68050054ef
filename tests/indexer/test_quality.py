"""How well the judged queries are answered, the same for every backend."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path

import pytest

import indexer.backends
from indexer.access import Reviewer
from indexer.follower import Follower
from indexer.search import Filters, search
from pipeline.kinds import kinds_in
from tests.indexer.archive import Archive
from tests.indexer.judged import QUERIES, archive

NAMES = [backend.name for backend in kinds_in(indexer.backends.__name__, "BACKEND")]
NOW = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)


@pytest.mark.parametrize("backend", NAMES)
def test_judged_queries_are_answered(backend: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    catalog = Archive(archive())
    follower = Follower(catalog, tmp_path / "index", backend)
    scores: dict[str, list[tuple[int, int, int]]] = defaultdict(list)
    faults = []
    for group, text, expected in QUERIES:
        page = search(
            Reviewer("t", "reviewer"), text, Filters(limit=100),
            follower=follower, catalog=catalog, zone="Asia/Shanghai", now=NOW,
        )  # fmt: skip
        found, right = {hit.original for hit in page.hits}, set(expected)
        assert page.total == len(found)
        scores[group].append((len(found & right), len(found), len(right)))
        if found != right:
            faults.append(f"{text}: missing {sorted(right - found)}, wrong {sorted(found - right)}")
    with capsys.disabled():
        print(f"\n{backend}: {len(QUERIES)} queries")
        for group, rows in scores.items():
            print(f"  {group:12} recall {_recall(rows):.3f} precision {_precision(rows):.3f}")
        print("".join(f"    {fault}\n" for fault in faults), end="")
    rows = [row for of_group in scores.values() for row in of_group]
    assert _recall(rows) >= 0.98
    assert _precision(rows) >= 0.95


def _recall(rows: list[tuple[int, int, int]]) -> float:
    """The mean over the queries, so that no query with many hits outweighs the others."""
    return sum(right / wanted if wanted else 1.0 for right, _, wanted in rows) / len(rows)


def _precision(rows: list[tuple[int, int, int]]) -> float:
    return sum(right / found if found else 1.0 for right, found, _ in rows) / len(rows)
