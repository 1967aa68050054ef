"""Which documents a saved search is answered by, without asking an index: the same as an index says."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

import pytest

from indexer.asking.alerting import answers
from indexer.contract import Asked
from indexer.document import document_of, holds
from indexer.follower import Follower
from indexer.search import Filters, tree_of
from pipeline.records import SavedSearch
from tests.indexer import judged, judged_county
from tests.indexer.archive import TAKEN_AT, Archive, known

ZONE = "Asia/Shanghai"


@pytest.mark.parametrize("judgement", [judged, judged_county], ids=lambda one: one.__name__.rpartition(".")[2])
def test_a_document_answers_a_tree_where_the_index_finds_it(judgement: ModuleType, tmp_path: Path) -> None:
    catalog = Archive(judgement.archive())
    follower = Follower(catalog, tmp_path / "index", "tantivy")
    follower.follow()
    ids = [identifier for _, identifier in catalog.changed_after(0, 1000)]
    documents = [document_of(one) for one in catalog.known_of_many(ids)]
    asked = [(text, Filters()) for _, text, _ in judgement.QUERIES]
    asked += [
        ("", Filters(kind="video")),
        ("", Filters(unlinked=True)),
        ("检查", Filters(start="2021-03", end="2021-08")),
    ]
    found = 0
    for text, filters in asked:
        tree = tree_of(text, filters, zone=ZONE, now=judged_county.SAID_AT)
        expected = {match.id for match in follower.search(Asked(node=tree, limit=1000)).hits}
        assert {one.id for one in documents if holds(one, tree)} == expected, text
        found += len(expected)
    assert found > len(asked) / 2


def saved(text: str, saved_at: datetime = datetime(2026, 1, 1, tzinfo=UTC), **filters: object) -> SavedSearch:
    return SavedSearch(id="s", owner="谢敏", name="n", text=text, filters=filters, purpose="", saved_at=saved_at)


def test_only_what_was_taken_in_after_the_search_was_saved_answers_it() -> None:
    documents = [document_of(known("a", folder="拆除"))]
    now = datetime(2026, 4, 1, tzinfo=UTC)
    assert answers(saved("拆除"), documents, zone=ZONE, now=now) == documents
    assert answers(saved("拆除", TAKEN_AT), documents, zone=ZONE, now=now) == []
    assert answers(saved("听证"), documents, zone=ZONE, now=now) == []


def test_a_saved_filter_that_cannot_be_read_any_more_answers_nothing() -> None:
    documents = [document_of(known("a", folder="拆除"))]
    for filters in ({"colour": "red"}, {"kind": "film"}, {"start": "neulich"}):
        assert answers(saved("拆除", **filters), documents, zone=ZONE, now=TAKEN_AT) == []
