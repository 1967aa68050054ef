"""How well the judged queries are answered, the same for every backend."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from types import ModuleType

import pytest

import indexer.backends
from indexer.access import Reviewer
from indexer.follower import Follower
from indexer.search import Filters, search
from pipeline.kinds import kinds_in
from tests.indexer import judged, judged_county, judged_lab
from tests.indexer.archive import Archive

NAMES = [backend.name for backend in kinds_in(indexer.backends.__name__, "BACKEND")]
SETS = [judged, judged_lab, judged_county]


@pytest.mark.parametrize(
    "backend", [pytest.param(name, marks=pytest.mark.postgres) if name == "postgresql" else name for name in NAMES]
)
@pytest.mark.parametrize("judgement", SETS, ids=lambda judgement: judgement.__name__.rpartition(".")[2])
def test_judged_queries_are_answered(
    judgement: ModuleType,
    backend: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    request: pytest.FixtureRequest,
) -> None:
    catalog = Archive(judgement.archive())
    database = request.getfixturevalue("postgres") if backend == "postgresql" else ""
    follower = Follower(catalog, tmp_path / "index", backend, database=database)
    scores: dict[str, list[tuple[int, int, int]]] = defaultdict(list)
    faults = []
    for group, text, expected in judgement.QUERIES:
        page = search(
            Reviewer("t", "reviewer"), text, Filters(limit=100),
            follower=follower, catalog=catalog, zone="Asia/Shanghai", now=judged_county.SAID_AT,
        )  # fmt: skip
        found, right = {hit.original for hit in page.hits}, set(expected)
        assert page.total == len(found)
        scores[group].append((len(found & right), len(found), len(right)))
        if found != right:
            faults.append(f"{text}: missing {sorted(right - found)}, wrong {sorted(found - right)}")
    with capsys.disabled():
        print(f"\n{backend}, {judgement.__name__}: {len(judgement.QUERIES)} queries")
        for group, rows in scores.items():
            print(f"  {group:12} {len(rows):3} recall {_recall(rows):.3f} precision {_precision(rows):.3f}")
        print("".join(f"    {fault}\n" for fault in faults), end="")
    rows = [row for of_group in scores.values() for row in of_group]
    with capsys.disabled():
        print(f"  {'all':12} {len(rows):3} recall {_recall(rows):.3f} precision {_precision(rows):.3f}")
    assert _recall(rows) >= 0.98
    assert _precision(rows) >= 0.95


def _recall(rows: list[tuple[int, int, int]]) -> float:
    """The mean over the queries, so that no query with many hits outweighs the others."""
    return sum(right / wanted if wanted else 1.0 for right, _, wanted in rows) / len(rows)


def _precision(rows: list[tuple[int, int, int]]) -> float:
    return sum(right / found if found else 1.0 for right, found, _ in rows) / len(rows)
