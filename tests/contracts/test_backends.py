"""What every index backend must do, in a folder of its own, from several threads and processes."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
import sqlalchemy as sa
from filelock import FileLock

import indexer.backends
from indexer.contract import Asked, Backend, IndexDamaged, Match, Place, SearchIndex, backend_named
from indexer.document import Document
from indexer.tree import DOCUMENT_FLAG, All, During, Either, Exact, Node, Not, Words
from indexer.words import analysis, phrases
from pipeline.errors import BadInput, TryAgain
from pipeline.kinds import kinds_in
from tests.children import child

BACKENDS = kinds_in(indexer.backends.__name__, "BACKEND")
HOUR_MS = 3_600_000


IN_FOLDERS = [backend for backend in BACKENDS if backend.name != "postgresql"]
DATABASE = "database"


@pytest.fixture(
    params=[pytest.param(one, marks=pytest.mark.postgres) if one not in IN_FOLDERS else one for one in BACKENDS],
    ids=lambda backend: backend.name,
)
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Backend:
    """Each backend; the address of the database lies in the test's folder, where other processes find it too."""
    found: Backend = request.param
    if found not in IN_FOLDERS:
        (tmp_path / DATABASE).write_text(request.getfixturevalue("postgres"))
    return found


@pytest.fixture
def index(backend: Backend, tmp_path: Path) -> SearchIndex:
    return opened(backend, tmp_path)


def opened(backend: Backend, tmp_path: Path) -> SearchIndex:
    return backend.open(place_in(tmp_path))


def place_in(tmp_path: Path) -> Place:
    address = tmp_path / DATABASE
    return Place(
        folder=folder_in(tmp_path),
        lock=FileLock(tmp_path / "writer.lock"),
        database=address.read_text() if address.exists() else "",
    )


def folder_in(tmp_path: Path) -> Path:
    """Named for the test, for a database names what it holds of an index likewise."""
    return tmp_path / f"index-{tmp_path.name}"


def document(
    identifier: str, text: str = "", *, at_h: float | None = None, hours: float = 1, **exact: str | tuple[str, ...]
) -> Document:
    start = None if at_h is None else round(at_h * HOUR_MS)
    return Document(
        id=identifier,
        words={"text": analysis.tokens_of_all([text]), "officer": analysis.tokens_of_all([text[:4]])},
        exact={"flags": (DOCUMENT_FLAG,)}
        | {name: value if isinstance(value, tuple) else (value,) for name, value in exact.items()},
        start_ms=start,
        from_ms=start,
        to_ms=None if start is None else start + round(hours * HOUR_MS),
    )


def words(text: str, field: str = "text") -> Words:
    phrase = analysis.phrase(text)
    return Words(phrase.tokens, phrase.last_is_prefix, field)


def ids(index: SearchIndex, *parts: object, sort: str = "score", limit: int = 100) -> list[str]:
    asked = Asked(node=All(tuple(parts)), sort=sort, limit=limit)  # type: ignore[arg-type]
    return [match.id for match in index.search(asked).hits]


def put(index: SearchIndex, *documents: Document, seq: int = 1) -> None:
    index.stage(documents)
    index.commit(seq)


def test_a_new_index_is_empty_and_at_sequence_zero(index: SearchIndex) -> None:
    assert (index.seq(), ids(index), index.stats().documents) == (0, [], 0)


def test_what_was_committed_is_found_at_once_with_its_sequence(index: SearchIndex) -> None:
    put(index, document("a", "现场检查"), seq=7)
    assert (ids(index, words("检查")), index.seq()) == (["a"], 7)


def test_what_was_only_staged_is_not_found(index: SearchIndex) -> None:
    index.stage([document("a", "现场检查")])
    assert ids(index, words("检查")) == []


def test_a_document_put_again_replaces_the_former(index: SearchIndex) -> None:
    put(index, document("a", "现场检查"), seq=1)
    put(index, document("a", "询问笔录"), seq=2)
    assert (ids(index, words("检查")), ids(index, words("笔录"))) == ([], ["a"])


def test_a_document_put_twice_before_one_commit_is_there_once_as_last_put(index: SearchIndex) -> None:
    put(index, document("a", "现场检查"), document("a", "询问笔录"))
    assert (ids(index), ids(index, words("检查"))) == (["a"], [])


def test_a_deleted_document_is_found_no_more(index: SearchIndex) -> None:
    put(index, document("a", "现场检查"), document("b", "现场检查"))
    index.stage([], deletes=["a"])
    index.commit(2)
    assert ids(index, words("检查")) == ["b"]


def test_a_document_staged_and_then_deleted_before_the_commit_is_not_there(index: SearchIndex) -> None:
    index.stage([document("a", "现场检查")])
    index.stage([], deletes=["a"])
    index.commit(1)
    assert ids(index) == []


def test_deleting_what_is_not_there_changes_nothing(index: SearchIndex) -> None:
    put(index, document("a", "现场检查"))
    index.stage([], deletes=["z"])
    index.commit(2)
    assert ids(index) == ["a"]


def test_clearing_leaves_no_document_and_sequence_zero(index: SearchIndex) -> None:
    put(index, document("a", "现场检查"), seq=5)
    index.clear()
    assert (ids(index), index.seq(), index.stats().documents) == ([], 0, 0)


def test_a_phrase_must_stand_together_and_in_order(index: SearchIndex) -> None:
    put(index, document("a", "平江县鑫源达商贸"), document("b", "达源鑫 鑫源 源达"), document("c", "鑫源贸易达成"))
    assert ids(index, words("鑫源达")) == ["a"]


def test_a_phrase_does_not_reach_over_a_break(index: SearchIndex) -> None:
    broken = Document(
        id="a",
        words={"text": analysis.tokens_of_all(["现场3", "号检查"])},
        exact={"flags": (DOCUMENT_FLAG,)},
    )
    put(index, broken)
    assert ids(index, words("3号")) == []


def test_a_single_character_is_found_wherever_it_stands(index: SearchIndex) -> None:
    put(index, document("a", "加油站"), document("b", "汽油"), document("c", "油"), document("d", "食品"))
    assert sorted(ids(index, words("油"))) == ["a", "b", "c"]


def test_a_phrase_may_end_in_a_prefix(index: SearchIndex) -> None:
    put(index, document("a", "罚字2021第3号"), document("b", "罚字2021第30号"), document("c", "罚字2021第3"))
    assert ids(index, words("第3号")) == ["a"]


def test_a_prefix_is_found_however_many_words_begin_so(index: SearchIndex) -> None:
    put(index, *(document(f"d{number}", f"x{chr(97 + number % 26)}{chr(97 + number // 26)}") for number in range(600)))
    assert index.count(Words(("x",), last_is_prefix=True)) == 600


def test_a_phrase_ending_in_a_prefix_is_found_however_many_words_begin_so(index: SearchIndex) -> None:
    put(index, *(document(f"d{number}", f"dsj 7{number:03}") for number in range(600)))
    assert index.count(Words(("dsj", "7"), last_is_prefix=True)) == 600


@pytest.mark.parametrize(
    "token", ["a.c", "a|c", "(a)", "a*", "[a]", "a\\c", "c++", "^a$", "a-c", "{1,2}", "~a", "#", "&"]
)
def test_signs_with_a_meaning_in_patterns_stand_for_themselves(index: SearchIndex, token: str) -> None:
    put(
        index,
        Document(id="a", words={"text": (token + "x", "b")}, exact={"flags": (DOCUMENT_FLAG,), "keys": (token,)}),
        Document(id="b", words={"text": ("abcx", "b")}, exact={"flags": (DOCUMENT_FLAG,), "keys": ("abc",)}),
    )
    assert ids(index, Words((token,), last_is_prefix=True)) == ["a"]
    assert ids(index, Exact("keys", token, is_prefix=True)) == ["a"]


def test_words_are_sought_in_the_field_asked_for(index: SearchIndex) -> None:
    put(index, document("a", "李建国 现场检查"), document("b", "现场检查 李建国"))
    assert ids(index, words("李建国", "officer")) == ["a"]


def test_what_is_said_and_also_shown_is_found_in_both_fields_and_in_their_text(index: SearchIndex) -> None:
    text = analysis.tokens_of_all(["单号7", "现场检查", "大门上锁"])
    said, shown = analysis.tokens_of_all(["现场检查", "大门上锁"]), analysis.tokens_of_all(["大门上锁"])
    put(index, Document(id="a", words={"text": text, "transcript": said, "ocr": shown, "document": ("别处",)},
                        exact={"flags": (DOCUMENT_FLAG,)}))  # fmt: skip
    found = {(field, sought) for field in ("text", "transcript", "ocr", "document")
             for sought in ("单号", "现场检查", "大门上锁", "别处") if ids(index, words(sought, field))}  # fmt: skip
    assert found == {
        *(("text", one) for one in ("单号", "现场检查", "大门上锁")), ("transcript", "现场检查"),
        ("transcript", "大门上锁"), ("ocr", "大门上锁"), ("document", "别处"),
    }  # fmt: skip


def test_what_must_not_be_there_is_left_out(index: SearchIndex) -> None:
    put(index, document("a", "现场检查 录像"), document("b", "现场检查 照片"))
    assert ids(index, words("检查"), Not(words("照片"))) == ["a"]


def test_asking_only_for_what_must_not_be_there_gives_all_others(index: SearchIndex) -> None:
    put(index, document("a", "录像"), document("b", "照片"))
    assert ids(index, Not(words("照片"))) == ["a"]


def test_not_inside_either_and_twice_holds(index: SearchIndex) -> None:
    put(index, document("a", "录像"), document("b", "照片"), document("c", "笔录"))
    assert sorted(ids(index, Either((words("录像"), Not(words("照片")))))) == ["a", "c"]
    assert ids(index, Not(Not(words("照片")))) == ["b"]


def test_either_of_nothing_finds_nothing_and_all_of_nothing_everything(index: SearchIndex) -> None:
    put(index, document("a", "录像"))
    assert (ids(index, Either(())), ids(index, All(()))) == ([], ["a"])


def test_exact_values_with_spaces_and_case_stay_whole(index: SearchIndex) -> None:
    put(index, document("a", device="DJI Mavic 3"), document("b", device="DJI"))
    assert ids(index, Exact("device", "DJI")) == ["b"]


def test_a_key_is_found_by_its_beginning(index: SearchIndex) -> None:
    put(index, document("a", digests="ab12cd"), document("b", digests="ab99"))
    assert ids(index, Exact("digests", "ab12", is_prefix=True)) == ["a"]


def test_facets_count_the_matching_documents_each_value_of_several(index: SearchIndex) -> None:
    put(
        index,
        document("a", "检查", kind="video", case=("甲1号", "乙2号")),
        document("b", "检查", kind="video", case="甲1号"),
        document("c", "检查", kind="photo"),
        document("d", "笔录", kind="audio", case="丙3号"),
    )
    found = index.search(Asked(node=words("检查"), limit=1, facets=("kind", "case")))
    assert found.total == 3
    assert found.facets == {"kind": {"video": 2, "photo": 1}, "case": {"甲1号": 2, "乙2号": 1}}


def test_the_commonest_values_are_counted_wherever_they_were_committed(index: SearchIndex) -> None:
    put(index, *(document(f"a{number}", "检查", case="甲1号") for number in range(9)))
    many = [document(f"{case}-{one}", "检查", case=f"乙{case}号") for case in range(40) for one in "ab"]
    put(index, *many, document("c", "检查", case="甲1号"), seq=2)
    counts = index.search(Asked(node=words("检查"), facets=("case",), most_values=2)).facets["case"]
    assert (len(counts) >= 2, counts["甲1号"]) == (True, 10)
    assert {counts[value] for value in counts if value != "甲1号"} == {2}


def test_whoever_is_in_no_audience_sees_what_is_for_everyone_only(index: SearchIndex) -> None:
    many = [document(f"o{number}", "检查", audience="everyone") for number in range(5)]
    put(index, *many)
    seen = Either((Exact("audience", "everyone"), Exact("audience", "p:王芳")))
    expected = [f"o{number}" for number in range(5)]
    assert (sorted(ids(index, words("检查"), seen)), sorted(ids(index, seen))) == (expected, expected)
    put(index, document("closed", "检查", audience="r:auditor"), document("o0", "检查", audience="p:王芳"), seq=2)
    assert (sorted(ids(index, words("检查"), seen)), sorted(ids(index, seen))) == (expected, expected)
    # Nobody sees what says nothing of who may.
    put(index, document("unsaid", "检查"), seq=3)
    assert (sorted(ids(index, words("检查"), seen)), sorted(ids(index, seen))) == (expected, expected)
    assert index.count(seen) == 5


def test_by_time_the_undated_come_last_both_ways(index: SearchIndex) -> None:
    put(index, document("b", "检查", at_h=2), document("n", "检查"), document("a", "检查", at_h=1))
    assert ids(index, words("检查"), sort="time") == ["a", "b", "n"]
    assert ids(index, words("检查"), sort="-time") == ["b", "a", "n"]


def test_times_before_1970_are_in_order(index: SearchIndex) -> None:
    put(index, document("b", at_h=2), document("a", at_h=-100_000))
    assert ids(index, sort="time") == ["a", "b"]


def test_by_score_the_document_that_speaks_of_it_most_comes_first(index: SearchIndex) -> None:
    filler = "门头 照片 拍摄 地点 道路 大门 货架 清单"
    put(index, document("a", "油罐 " + filler * 5), document("b", "油罐 油罐 油罐"))
    found = index.search(Asked(node=words("油罐")))
    assert [match.id for match in found.hits] == ["b", "a"]
    assert found.hits[0].score > found.hits[1].score > 0


@pytest.mark.parametrize("limit", [1, 3, 6, 11])
def test_the_best_come_first_however_few_are_asked_for(index: SearchIndex, limit: int) -> None:
    put(index, *(document(f"d{number:02}", "拆除 " * (number % 5 + 1)) for number in range(17)))
    whole, few = (index.search(Asked(node=words("拆除"), limit=size)).hits for size in (17, limit))
    assert [match.score for match in few] == [match.score for match in whole[:limit]]


def page_by_page(index: SearchIndex, sort: str, limit: int, between: Callable[[], None] = lambda: None) -> list[str]:
    """All hits, each page from the place of the last hit of the one before, without those seen there."""
    seen: list[Match] = []
    while True:
        place = seen[-1].place if seen else None
        same = {match.id for match in seen if match.place == place}
        asked = Asked(node=words("检查"), sort=sort, limit=limit + len(same), from_place=place)  # type: ignore[arg-type]
        fresh = [match for match in index.search(asked).hits if match.id not in same][:limit]
        if not fresh:
            return [match.id for match in seen]
        seen += fresh
        between()


@pytest.mark.parametrize("sort", ["time", "-time"])
def test_paging_by_place_shows_everything_once_in_order(index: SearchIndex, sort: str) -> None:
    dated = [document(f"d{number:02}", "检查", at_h=number // 3) for number in range(20)]
    undated = [replace(document(f"n{number}", "检查"), taken_ms=1000 + number) for number in range(5)]
    put(index, *dated, *undated, document("z", "笔录"))
    found = page_by_page(index, sort, 4)
    assert sorted(found) == sorted(ids(index, words("检查")))
    hours = [int(name[1:]) // 3 for name in found[:20]]
    assert hours == sorted(hours, reverse=sort == "-time")
    assert found[20:] == [f"n{number}" for number in (range(5) if sort == "time" else range(4, -1, -1))]


@pytest.mark.parametrize("sort", ["time", "-time"])
def test_paging_by_place_goes_on_where_it_was_while_documents_arrive(index: SearchIndex, sort: str) -> None:
    put(index, *(document(f"d{number:02}", "检查", at_h=number) for number in range(12)))
    arriving = iter(range(2))

    def arrive() -> None:
        for number in itertools.islice(arriving, 1):
            # Before and behind everything there was.
            early, late = (
                document(f"{name}{number}", "检查", at_h=at_h) for name, at_h in (("early", -1), ("late", 50))
            )
            put(index, early, late)

    found = page_by_page(index, sort, 5, arrive)
    before = [name for name in found if name.startswith("d")]
    assert before == sorted((f"d{number:02}" for number in range(12)), reverse=sort == "-time")
    assert sorted(set(found) - set(before)) == [f"{'late' if sort == 'time' else 'early'}{number}" for number in (0, 1)]
    assert len(set(found)) == len(found)


def test_total_and_facets_count_what_stands_before_a_place_too(index: SearchIndex) -> None:
    put(index, *(document(f"d{number}", "检查", at_h=number, kind="video") for number in range(5)))
    found = index.search(Asked(node=words("检查"), sort="time", from_place=3 * HOUR_MS, facets=("kind",)))
    assert ([match.id for match in found.hits], found.total) == (["d3", "d4"], 5)
    assert found.facets == {"kind": {"video": 5}}


@pytest.mark.parametrize("sort", ["score", "time"])
def test_a_hit_tells_its_recording(index: SearchIndex, sort: str) -> None:
    put(index, document("a", "检查", at_h=1, recording="r1"), document("b", "检查", at_h=2, recording="r1"))
    found = index.search(Asked(node=words("检查"), sort=sort))  # type: ignore[arg-type]
    assert [match.recording for match in found.hits] == ["r1", "r1"]
    assert index.count(Exact("recording", "r1")) == 2


def test_pages_follow_one_another(index: SearchIndex) -> None:
    put(index, *(document(f"d{number:02}", "检查", at_h=number) for number in range(30)))
    asked = [Asked(node=words("检查"), sort="time", limit=10, offset=offset) for offset in (0, 10, 20, 30)]
    pages = [[match.id for match in index.search(one).hits] for one in asked]
    assert [len(page) for page in pages] == [10, 10, 10, 0]
    assert [identifier for page in pages for identifier in page] == [f"d{number:02}" for number in range(30)]


@pytest.mark.parametrize(
    ("from_h", "to_h", "expected"),
    [
        (10, 12, ["long", "moment", "short"]),
        (0, 9, []),
        (9.5, 10, ["long"]),
        (13, None, ["long"]),
        (None, 10, ["long"]),
        (12, 13, ["long"]),
        (11, 11.001, ["long", "moment"]),
        (None, None, ["long", "moment", "short"]),
    ],
)
def test_recordings_that_overlap_the_interval_are_found(
    index: SearchIndex, from_h: float | None, to_h: float | None, expected: list[str]
) -> None:
    put(
        index,
        document("short", at_h=10, hours=0.5),
        document("long", at_h=9, hours=5),
        document("moment", at_h=11, hours=0),
        document("undated"),
    )
    interval = [None if hour is None else round(hour * HOUR_MS) for hour in (from_h, to_h)]
    assert sorted(ids(index, During(*interval))) == expected


def test_recordings_of_a_moment_and_of_years_are_found_in_intervals_of_any_length(index: SearchIndex) -> None:
    chance, hours = Random(3), [0, 0.01, 1, 9, 700, 9_000, 200_000]
    held = [document(f"d{number}", "检查" if number % 3 else "笔录", at_h=chance.uniform(-9_000, 9_000),
                     hours=chance.choice(hours)) for number in range(80)]  # fmt: skip
    put(index, *held)
    for _ in range(60):
        low = chance.uniform(-9_500, 9_500)
        high = low + chance.choice(hours) * chance.choice((1, 1, 1, -1))
        during = During(round(low * HOUR_MS), None if chance.random() < 0.1 else round(high * HOUR_MS))
        for node in (during, All((words("检查"), All((during,)))), All((words("笔录"), Not(during)))):
            assert sorted(ids(index, node)) == sorted(one.id for one in held if _holds(node, one)), node


@pytest.mark.parametrize("ends", [(0, HOUR_MS), (None, HOUR_MS), (0, None), (None, None)])
def test_what_has_no_time_is_found_where_a_time_beside_words_is_denied(
    index: SearchIndex, ends: tuple[int | None, int | None]
) -> None:
    put(index, document("dated", "后厨", at_h=0), document("undated", "后厨"))
    assert ids(index, Not(All((words("后厨"), During(*ends))))) == ["undated"]
    assert ids(index, words("后厨"), Not(During(*ends))) == ["undated"]


def test_counts_and_facets_stay_right_through_many_commits(backend: Backend, tmp_path: Path) -> None:
    index = opened(backend, tmp_path)
    for number in range(36):
        put(index, document(f"d{number % 30}", f"检查 {number}", kind="video" if number % 2 else "photo"), seq=number)
    found = index.search(Asked(node=words("检查"), facets=("kind",)))
    assert (found.total, found.facets["kind"]) == (30, {"video": 15, "photo": 15})
    assert (index.stats().documents, index.seq()) == (30, 35)
    assert index.stats().segments <= 40


VOCABULARY = [
    "现场检查", "询问笔录", "鑫源达商贸", "加油站", "油罐车", "DSJ-A7", "3号", "30号", "照片", "大门", "门", "检",
]  # fmt: skip
FACETS = ("kind", "case", "device")


def _drawn(chance: Random, identifier: str) -> Document:
    made = document(
        identifier,
        " ".join(chance.choices(VOCABULARY, k=chance.randint(1, 5))),
        at_h=None if chance.random() < 0.2 else chance.choice([-7.5, 0, 1, 2, 2.5, 3]),
        hours=chance.choice([0, 0.5, 4]),
        kind=chance.choice(["video", "photo"]),
        case=tuple(chance.sample(["甲1号", "乙2号", "丙'3\\号"], chance.randint(0, 2))),
        device=chance.choice(["DSJ A7", "DSJ", "dsj-a7"]),
        keys=tuple({chance.choice(["ab12", "ab34", "ab", "cy"]) for _ in range(2)}),
    )
    words = dict(made.words) | {"note": analysis.tokens_of_all(chance.choices(VOCABULARY, k=2))}
    # Most of a text is a transcript; what is read in pictures may be a part of it, the same part, or be said nowhere.
    text = words["text"]
    for name in ("transcript", "ocr"):
        first, last = sorted(chance.choices(range(len(text) + 1), k=2))
        words[name] = text[first:last] if chance.random() < 0.8 else analysis.tokens_of_all(chance.choices(VOCABULARY))
    return replace(made, words=words)


def _asked_for(chance: Random, depth: int = 2) -> Node:
    kinds = ["words", "words", "prefix", "exact", "begins", "during"] + ["all", "either", "not"] * (depth > 0)
    match chance.choice(kinds):
        case "words":
            return words(chance.choice(VOCABULARY), chance.choice(["text", "note", "transcript", "ocr"]))
        case "prefix":
            return replace(words(chance.choice(VOCABULARY)), last_is_prefix=True)
        case "exact":
            field, value = chance.choice(
                [("kind", "video"), ("case", "甲1号"), ("case", "丙'3\\号"), ("device", "DSJ"), ("keys", "ab")]
            )
            return Exact(field, value)
        case "begins":
            return Exact("keys", chance.choice(["a", "ab1", "z"]), is_prefix=True)
        case "during":
            bounds = [None if chance.random() < 0.3 else round(chance.uniform(-8, 7) * HOUR_MS) for _ in range(2)]
            return During(*bounds)
        case "not":
            return Not(_asked_for(chance, depth - 1))
        case kind:
            parts = tuple(_asked_for(chance, depth - 1) for _ in range(chance.randint(0, 3)))
            return All(parts) if kind == "all" else Either(parts)


def _holds(node: Node, one: Document) -> bool:
    """What the tree says of itself, tried on a document as it stands."""
    match node:
        case Words(tokens, last_is_prefix, field):
            held = one.words.get(field, ())
            return any(
                held[at : at + len(tokens) - 1] == tokens[:-1]
                and (held[at + len(tokens) - 1].startswith(tokens[-1]) if last_is_prefix
                     else held[at + len(tokens) - 1] == tokens[-1])
                for at in range(len(held) - len(tokens) + 1)
            )  # fmt: skip
        case Exact(field, value, is_prefix):
            values = one.exact.get(field, ())
            return any(other.startswith(value) for other in values) if is_prefix else value in values
        case During(from_ms, to_ms):
            if one.from_ms is None or one.to_ms is None:
                return False
            return (to_ms is None or one.from_ms < to_ms) and (from_ms is None or one.to_ms >= from_ms)
        case All(parts):
            return all(_holds(part, one) for part in parts)
        case Either(parts):
            return any(_holds(part, one) for part in parts)
        case Not(part):
            return not _holds(part, one)


def _compare(index: SearchIndex, held: dict[str, Document], node: Node, chance: Random) -> None:
    expected = {name: one for name, one in held.items() if _holds(node, one)}
    found = index.search(Asked(node=node, limit=1000, facets=FACETS))
    assert sorted(match.id for match in found.hits) == sorted(expected), node
    assert found.total == index.count(node) == len(expected), node
    assert found.facets == {
        name: dict(Counter(value for one in expected.values() for value in one.exact.get(name, ()))) for name in FACETS
    }, node
    sort = chance.choice(["time", "-time"])
    moments = [held[name].start_ms for name in ids(index, node, sort=sort, limit=1000)]
    dated = sorted((one.start_ms for one in expected.values() if one.start_ms is not None), reverse=sort == "-time")
    assert moments == [*dated, *[None] * (len(expected) - len(dated))], node


def test_random_puts_deletes_and_questions_agree_with_a_plain_list(backend: Backend, tmp_path: Path) -> None:
    chance = Random(5)
    index, held = opened(backend, tmp_path), {}
    for seq in range(8):
        puts = {(one := _drawn(chance, f"d{chance.randint(0, 40)}")).id: one for _ in range(chance.randint(1, 12))}
        gone = {f"d{chance.randint(0, 40)}" for _ in range(chance.randint(0, 3))} - puts.keys()
        index.stage(puts.values(), deletes=gone)
        index.commit(seq)
        held = {name: one for name, one in (held | puts).items() if name not in gone}
        for _ in range(8):
            _compare(index, held, _asked_for(chance), chance)


def test_sqlite_finds_the_same_documents(index: SearchIndex) -> None:
    """FTS5 as the outside judge of phrases and of phrases that end in a beginning."""
    chance = Random(3)
    documents = [_drawn(chance, f"d{number}") for number in range(120)]
    put(index, *documents)
    judge = sqlite3.connect(":memory:")
    categories = "L* N* Co M* S* P*"
    judge.execute(f"CREATE VIRTUAL TABLE held USING fts5(id UNINDEXED, words, tokenize=\"unicode61 remove_diacritics 0 "
                  f"categories '{categories}'\")")  # fmt: skip
    judge.executemany("INSERT INTO held VALUES (?, ?)", [(one.id, " ".join(one.words["text"])) for one in documents])
    asked = {words(text) for text in VOCABULARY} | {
        replace(words(text), last_is_prefix=True) for text in VOCABULARY
    } | {words(a + " " + b) for a in VOCABULARY[:6] for b in VOCABULARY[:6]}  # fmt: skip
    for node in asked:
        sought = '"' + " ".join(node.tokens) + '"' + (" *" if node.last_is_prefix else "")
        expected = [row[0] for row in judge.execute("SELECT id FROM held WHERE words MATCH ? ORDER BY id", [sought])]
        assert sorted(ids(index, node, limit=1000)) == expected, sought


def test_an_hour_of_speech_is_found_from_its_first_word_to_its_last(index: SearchIndex) -> None:
    """Longer than one text of PostgreSQL can be (16,383 places), and with a word more often than it counts (255)."""
    speech = [f"w{number // 7}x{number % 7}" if number % 5 else "嗯嗯" for number in range(20_000)]
    put(
        index,
        Document(id="long", words={"text": tuple(speech)}, exact={"flags": (DOCUMENT_FLAG,), "kind": ("audio",)}),
        document("short", "嗯嗯", kind="video"),
    )
    for at in (0, 254, 1272, 15_996, 16_380, 19_990):
        sought = Words(tuple(speech[at : at + 10]))
        assert ids(index, sought) == ["long"], at
        assert ids(index, sought, Not(Exact("kind", "audio"))) == []
        assert ids(index, Not(sought)) == ["short"]
    assert ids(index, Words((speech[3], speech[19_998]))) == []
    assert sorted(ids(index, Words(("嗯嗯",)))) == ["long", "short"]
    assert ids(index, Words((speech[19_998],)), Words((speech[1],)), Exact("kind", "audio")) == ["long"]
    put(index, document("long", "短", kind="audio"), seq=2)
    assert ids(index, Words((speech[19_998],))) == []


def test_a_word_said_a_thousand_times_is_still_a_phrase(index: SearchIndex) -> None:
    put(index, Document(id="a", words={"text": ("对",) * 1000 + ("完",)}, exact={"flags": (DOCUMENT_FLAG,)}))
    assert ids(index, Words(("对",) * 60 + ("完",))) == ["a"]
    assert ids(index, Words(("完", "对"))) == []


def test_values_of_any_length_and_any_characters_are_held(index: SearchIndex) -> None:
    odd = ("x" * 5000, "x" * 5000 + "y", "a\0b", "引'号\\", "")
    for number, value in enumerate(odd):
        put(index, document(f"d{number}", device=value, place=value), seq=number)
    for number, value in enumerate(odd[:-1]):
        assert ids(index, Exact("device", value)) == [f"d{number}"]
    assert index.search(Asked(facets=("device",))).total == len(odd)


def test_another_opened_index_sees_a_commit_at_once(backend: Backend, tmp_path: Path) -> None:
    writer, reader = opened(backend, tmp_path), opened(backend, tmp_path)
    assert ids(reader) == []
    put(writer, document("a", "检查"), seq=3)
    assert (ids(reader), reader.seq()) == (["a"], 3)


def test_a_deleted_document_is_gone_for_a_reader_that_saw_it(backend: Backend, tmp_path: Path) -> None:
    writer, reader = opened(backend, tmp_path), opened(backend, tmp_path)
    put(writer, document("a", "检查"), document("b", "检查"))
    assert sorted(ids(reader)) == ["a", "b"]
    writer.stage([], deletes=["a"])
    writer.commit(2)
    assert ids(reader) == ["b"]


def test_reading_goes_on_while_another_thread_writes(index: SearchIndex) -> None:
    done = threading.Event()
    faults: list[BaseException] = []

    def read() -> None:
        last = 0
        while not done.is_set():
            try:
                seen = index.count(words("检查"))
                assert seen >= last
                last = seen
            except BaseException as error:
                faults.append(error)
                return

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for number in range(15):
        put(index, document(f"d{number}", "检查"), seq=number)
    done.set()
    for reader in readers:
        reader.join()
    assert faults == []
    assert index.count(words("检查")) == 15


def _write_many(name: str, folder: Path, prefix: str, count: int) -> None:
    index = opened(backend_named(name), folder)
    for number in range(count):
        put(index, document(f"{prefix}{number}", "检查"), seq=number)


def test_two_writers_in_two_processes_wait_for_one_another_and_lose_nothing(backend: Backend, tmp_path: Path) -> None:
    writers = [child(_write_many, backend.name, tmp_path, prefix, 8) for prefix in "ab"]
    for writer in writers:
        writer.join(60)
    assert [writer.exitcode for writer in writers] == [0, 0]
    assert opened(backend, tmp_path).count(words("检查")) == 16


def _write_until_killed(name: str, folder: Path) -> None:
    index = opened(backend_named(name), folder)
    seq = index.seq()
    while True:
        seq += 1
        put(index, *(document(f"d{seq}-{part}", "检查 " * 20) for part in range(5)), seq=seq)
        with (folder / "acknowledged").open("a") as acknowledged:
            acknowledged.write(f"{seq}\n")


def test_a_writer_killed_at_any_moment_leaves_whole_commits_and_no_lock(backend: Backend, tmp_path: Path) -> None:
    opened(backend, tmp_path)
    chance = Random(11)
    for _ in range(4):
        writer = child(_write_until_killed, backend.name, tmp_path)
        _wait_for_a_further_line(tmp_path / "acknowledged")
        time.sleep(chance.uniform(0.0, 0.15))
        assert writer.pid is not None
        os.kill(writer.pid, signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
        writer.join()
        wait_for_the_server(tmp_path)
        index = opened(backend, tmp_path)
        acknowledged = int((tmp_path / "acknowledged").read_text().split()[-1])
        assert index.seq() in (acknowledged, acknowledged + 1)
        assert index.count(words("检查")) == 5 * index.seq()
        assert len(set(ids(index, limit=10_000))) == 5 * index.seq()
    put(index, document("after", "笔录"), seq=99_999)
    assert ids(index, words("笔录")) == ["after"]


def _put_and_die(phase: str, name: str, folder: Path) -> None:
    os.environ["CASEREEL_FAILPOINT"] = phase
    put(opened(backend_named(name), folder), document("b", "检查"), seq=2)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_a_writer_killed_around_its_commit_leaves_all_of_it_or_nothing(backend: Backend, tmp_path: Path) -> None:
    put(opened(backend, tmp_path), document("a", "检查"), seq=1)
    for phase, seq in (("index.before_commit", 1), ("index.after_commit", 2)):
        writer = child(_put_and_die, phase, backend.name, tmp_path)
        writer.join(60)
        assert writer.exitcode == -signal.SIGKILL
        wait_for_the_server(tmp_path)
        index = opened(backend, tmp_path)
        assert (index.seq(), index.count(words("检查"))) == (seq, seq), phase
    put(index, document("c", "检查"), seq=3)
    assert (index.seq(), sorted(ids(index))) == (3, ["a", "b", "c"])


@pytest.mark.parametrize("backend", IN_FOLDERS, ids=lambda backend: backend.name)
def test_a_full_disk_is_told_loses_nothing_and_is_recovered_from(backend: Backend, tmp_path: Path) -> None:
    cage = shutil.which("bwrap")
    if cage is None:
        assert not os.environ.get("CI"), "bubblewrap is not installed; on Debian: apt-get install bubblewrap"
        pytest.skip("bubblewrap is not installed; on Debian: apt-get install bubblewrap")
    small = [cage, "--bind", "/", "/", "--dev-bind", "/dev", "/dev", "--size", "4000000", "--tmpfs", str(tmp_path)]
    ran = subprocess.run(
        [*small, sys.executable, "-m", "tests.contracts.full_disk", backend.name, str(tmp_path)],
        capture_output=True, text=True, cwd=Path(__file__).parents[2], timeout=60,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr


@pytest.mark.postgres
@pytest.mark.parametrize("state", ["53100", "57P01", "40001"])
def test_what_the_database_refuses_is_told_and_can_be_tried_again(tmp_path: Path, postgres: str, state: str) -> None:
    """A full disk (53100), a stopping server, a transaction that cannot be had, as the server itself says it."""
    (tmp_path / DATABASE).write_text(postgres)
    index = opened(backend_named("postgresql"), tmp_path)
    put(index, document("a", "检查"), seq=1)
    sql(tmp_path, "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
                  f"$$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{state}'; END $$")  # fmt: skip
    sql(tmp_path, "CREATE TRIGGER refuse BEFORE INSERT ON document EXECUTE FUNCTION refuse()")
    with pytest.raises(TryAgain) as refused:
        put(index, document("a", "笔录"), document("b", "检查"), seq=2)
    assert not isinstance(refused.value, IndexDamaged)
    assert (index.seq(), ids(index, words("检查"))) == (1, ["a"])
    sql(tmp_path, "DROP TRIGGER refuse ON document")
    put(index, document("b", "检查"), seq=2)
    assert (index.seq(), sorted(ids(index, words("检查")))) == (2, ["a", "b"])


@pytest.mark.postgres
def test_a_rare_word_and_a_range_of_time_are_looked_up_and_not_read_row_by_row(tmp_path: Path, postgres: str) -> None:
    """By PostgreSQL's own account of its plan, where its estimates would have it read every row."""
    (tmp_path / DATABASE).write_text(postgres)
    index = opened(backend_named("postgresql"), tmp_path)
    put(index, *(document(f"d{number}", f"检查 {number}", at_h=number) for number in range(300)))
    index.finish()
    schema = folder_in(tmp_path).name
    seen = (
        f"SELECT idx_scan FROM pg_stat_user_indexes WHERE schemaname = '{schema}' AND indexrelname = 'document_words'"
    )
    read = f"SELECT seq_scan FROM pg_stat_user_tables WHERE schemaname = '{schema}' AND relname = 'document'"
    index.close()
    before = sql(tmp_path, seen), sql(tmp_path, read)
    for sort in ("score", "-time"):
        assert ids(index, words("217"), During(0, 999 * HOUR_MS), sort=sort) == ["d217"]
    index.close()
    deadline = time.monotonic() + 60
    while sql(tmp_path, seen) < before[0] + 2:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert sql(tmp_path, read) == before[1]
    # Whatever else lies in that time is not looked at.
    assert sql(tmp_path, seen.replace("document_words", "document_during")) == 0


@pytest.mark.postgres
def test_facets_that_were_counted_before_are_counted_anew_after_a_commit(
    tmp_path: Path, postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / DATABASE).write_text(postgres)
    monkeypatch.setattr("indexer.backends.postgresql_index._DEAR", 1)
    index, asked = opened(backend_named("postgresql"), tmp_path), Asked(node=words("检查"), facets=("kind",))
    counted = []
    for number in range(3):
        put(index, document(f"d{number}", "检查", kind="video"), seq=number)
        counted += [index.search(asked).facets["kind"]["video"] for _ in range(2)]
        assert index.search(replace(asked, facets=("case",))).facets == {"case": {}}
    assert counted == [1, 1, 2, 2, 3, 3]


@pytest.mark.postgres
def test_what_facets_are_counted_from_does_not_grow_with_every_change(
    tmp_path: Path, postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / DATABASE).write_text(postgres)
    monkeypatch.setattr("indexer.backends.postgresql_index._DEAR", 1)
    index, asked = opened(backend_named("postgresql"), tmp_path), Asked(node=words("检查"), facets=("device",))
    held, counted = [], []
    for turn in range(12):
        put(index, *(document(f"d{one}", "检查", device=f"甲{turn}") for one in range(4)), seq=turn)
        counted.append(index.search(asked).facets["device"])
        columns = index._columns  # type: ignore[attr-defined]
        held.append(0 if columns is None else len(columns.documents))
    assert counted == [{f"甲{turn}": 4} for turn in range(12)]
    assert held[1:3] == [4, 8], "what is there no more stays for a while"
    assert max(held) == 8
    index.stage([], deletes=[f"d{one}" for one in range(3)])
    index.commit(12)
    assert index.search(asked).facets["device"] == {"甲11": 1}


def test_phrases_that_many_documents_have_are_found_by_values_as_by_their_words(
    backend: Backend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = f"indexer.backends.{backend.name}_index"
    monkeypatch.setattr(f"{module}.TOLD_BY", 50)
    for name, value in {"_SHARE": 0.3, "_LEAST": 5}.items():
        monkeypatch.setattr(phrases, name, value)
    if backend.name == "postgresql":
        monkeypatch.setattr(f"{module}._DEAR", 1)
    chance, letters = Random(5), "检查油罐车门"

    def drawn(count: int) -> list[Document]:
        return [
            document(
                f"d{chance.randint(0, 99)}",
                " ".join(
                    (
                        "".join(chance.choices(letters, (9, 7, 5, 3, 2, 1), k=chance.randint(2, 30))),
                        f"DSJ-A7-0{chance.randint(1, 999)}",
                        *(["检查"] * chance.randint(0, 3)),
                    )
                ),
                kind=chance.choice(["video", "photo"]),
                device=tuple(chance.sample(["甲", "乙", "丙"], chance.randint(0, 3))),
            )
            for _ in range(count)
        ]

    index = backend.open(replace(place_in(tmp_path), is_building=True))
    put(index, *drawn(80), seq=1)
    put(index, *drawn(30), seq=2)
    index.finish()
    index.close()
    by_values, by_words, writing = (opened(backend, tmp_path) for _ in range(3))
    common = by_values._common  # type: ignore[attr-defined]
    assert len(max(common, key=len)) > 2
    assert not any(analysis.BREAK in one for one in common)
    by_words._common = frozenset()  # type: ignore[attr-defined]
    asked_otherwise = 0
    for turn in range(60):
        if turn % 10 == 9:
            put(writing, *drawn(5), seq=turn)
        text = chance.choice(
            ["".join(chance.choices(letters[:4], k=chance.randint(2, 5))), f"DSJ-A7-{turn % 12}", "A7"]
        )
        one = replace(words(text), last_is_prefix=text.isascii())
        other = words("".join(chance.choices(letters, k=2)))
        node: Node = [All((one,)), All((other, Not(one))), Either((one, other))][turn % 3]
        asked_otherwise += phrases.by_grams(node, common, whole=backend.name != "whoosh") != node
        for sort in ("score", "time"):
            asked = Asked(node=node, sort=sort, limit=30, facets=("kind", "device"))  # type: ignore[arg-type]
            found, expected = by_values.search(asked), by_words.search(asked)
            assert (found.total, found.facets) == (expected.total, expected.facets), asked
            # Whoosh scores beginnings by how many values begin so.
            if backend.name != "whoosh" or sort == "time":
                assert [hit.id for hit in found.hits] == [hit.id for hit in expected.hits], asked
            counted = [by_words.count(All((node, Exact("device", name)))) for name in "甲乙丙"]
            assert [found.facets["device"].get(name, 0) for name in "甲乙丙"] == counted
    assert asked_otherwise > 10


def test_the_best_of_many_are_told_by_a_word_of_each_phrase_as_by_the_phrases(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from indexer.backends import tantivy_index

    monkeypatch.setattr(tantivy_index, "_COUNTED_ALONE", 1)
    for name, value in {"_NEAR": 10, "_NEAR_OF_WANTED": 1, "_NEARER": 6}.items():
        monkeypatch.setattr(tantivy_index, name, value)
    chance, letters = Random(11), "检查油罐车门"
    index, soon = opened(backend_named("tantivy"), tmp_path), 0
    for seq in range(3):
        said = ("".join(chance.choices(letters, (9, 7, 5, 3, 2, 1), k=chance.randint(8, 60))) for _ in range(150))
        drawn = (
            document(f"d{chance.randint(0, 999)}", text, at_h=chance.randint(0, 9999), kind="video") for text in said
        )
        put(index, *drawn, seq=seq)

    def some() -> Words:
        found = words("".join(chance.choices(letters[:5], k=chance.randint(1, 3))))
        return replace(found, last_is_prefix=found.last_is_prefix or chance.random() < 0.2)

    for turn in range(100):
        parts = [All((some(),)), All((some(), some())), All((Either((some(), some())), Not(some())))]
        asked = Asked(node=parts[turn % 3], limit=3, offset=chance.choice([0, 2]), facets=("kind",))
        # So many are looked for as they are, for all would be near.
        whole = index.search(replace(asked, limit=1000, offset=0))
        found = index.search(asked)
        soon += type(found) is not type(whole)
        assert [match.id for match in found.hits] == [match.id for match in whole.hits][asked.offset :][:3], asked
        assert (found.total, found.facets) == (len(whole.hits), whole.facets), asked
    assert soon > 20


@pytest.mark.parametrize("backend", IN_FOLDERS, ids=lambda backend: backend.name)
def test_what_a_writer_left_that_was_killed_just_before_its_commit_stops_nobody(
    backend: Backend, tmp_path: Path
) -> None:
    """Everything is on the disk but the file that makes it count, of which each library has its own."""
    folder = folder_in(tmp_path)
    index = opened(backend, tmp_path)
    for batch in range(3):
        put(index, *(document(f"{batch}-{number}", "检查") for number in range(9)), seq=batch + 1)
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    again = [document(f"{batch}-3", "检查") for batch in range(3)]
    put(index, *again, seq=4)
    index.close()
    made = {path.name for path in folder.iterdir()}
    for name, data in before.items():
        if name not in made or name == "meta.json" or name.endswith(".toc"):
            (folder / name).write_bytes(data)
    for path in folder.glob("*.toc"):
        if path.name not in before:
            path.unlink()
    index = opened(backend, tmp_path)
    assert index.seq() == 3
    put(index, *again, seq=4)
    assert (index.seq(), index.count(words("检查"))) == (4, 27)


def test_what_a_killed_merge_left_keeps_nobody_else_from_writing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexer.backends.tantivy_index, "_STILL_S", 0.5)
    one, other = (opened(backend_named("tantivy"), tmp_path) for _ in range(2))
    put(one, document("a", "检查"))
    (folder_in(tmp_path) / f"{'0' * 32}.store").write_bytes(b"half a segment")
    put(one, document("b", "检查"), seq=2)
    put(other, document("c", "检查"), seq=3)
    assert one.count(words("检查")) == 3


def test_merges_are_foreseen_and_what_was_counted_holds_after_them(tmp_path: Path) -> None:
    """The library says neither that it merges nor that it is about to."""
    from indexer.backends import tantivy_index

    index, folder, most = opened(backend_named("tantivy"), tmp_path), folder_in(tmp_path), 0
    for seq in range(20):
        put(index, document(f"d{seq}", "检查", kind="video"), seq=seq)
        asked = Asked(node=words("检查"), facets=("kind",), most_values=9)
        assert (index.search(asked).facets["kind"]["video"], index.count(words("检查")), index.seq()) == (
            seq + 1, seq + 1, seq,
        )  # fmt: skip
        deadline = time.monotonic() + 60
        while tantivy_index._merging(folder):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        named = json.loads((folder / "meta.json").read_bytes())["segments"]
        assert not tantivy_index.merges_are_due(tantivy_index._sizes(named)), named
        most = max(most, len(named))
        assert (index.search(asked).facets["kind"]["video"], index.count(words("检查")), index.seq()) == (
            seq + 1, seq + 1, seq,
        )  # fmt: skip
    assert most == 7


@pytest.mark.parametrize(
    ("sizes", "due"),
    [
        ([1] * 7, False),
        ([1] * 8, True),
        ([58_000, *[9_000] * 7], False),
        ([58_000, *[9_000] * 7, 2], True),
        ([100_000] * 4 + [60_000] * 4, True),
        ([100_000] * 4 + [50_000] * 4, False),
        ([20_000_000] * 8, False),
        ([], False),
    ],
)
def test_segments_of_about_one_size_are_merged(sizes: list[int], due: bool) -> None:
    """By LogMergePolicy::compute_merge_candidates with its defaults."""
    from indexer.backends.tantivy_index import merges_are_due

    assert merges_are_due(sizes) is due


def sql(tmp_path: Path, statement: str) -> Any:
    """What PostgreSQL answers, in the schema of the test's index."""
    engine = sa.create_engine((tmp_path / DATABASE).read_text(), poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.exec_driver_sql(f'SET search_path = "{folder_in(tmp_path).name}"')
        found = connection.exec_driver_sql(statement)
        return found.scalar() if found.returns_rows else None


def wait_for_the_server(tmp_path: Path) -> None:
    """PostgreSQL ends what a killed client began a moment later."""
    if not (tmp_path / DATABASE).exists():
        return
    waiting = (
        "SELECT count(*) FROM pg_locks l JOIN pg_class c ON c.oid = l.relation JOIN pg_namespace n "
        f"ON n.oid = c.relnamespace WHERE n.nspname = '{folder_in(tmp_path).name}' AND l.mode = 'RowExclusiveLock'"
    )
    while sql(tmp_path, waiting):
        time.sleep(0.01)


def _wait_for_a_further_line(path: Path) -> None:
    before = path.read_text() if path.exists() else ""
    deadline = time.monotonic() + 60
    while not path.exists() or path.read_text() == before:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _filled(backend: Backend, tmp_path: Path) -> list[Path]:
    """The files of an index of fifty documents; of one in the database only the sign that says where it is."""
    index = opened(backend, tmp_path)
    put(index, *(document(f"d{number}", f"检查 {number}") for number in range(50)))
    index.close()
    return sorted(path for path in folder_in(tmp_path).iterdir() if path.is_file() and not path.name.startswith("."))


def _use(backend: Backend, tmp_path: Path) -> None:
    index = opened(backend, tmp_path)
    assert index.count(words("检查")) == 50
    index.search(Asked(node=words("检查"), sort="time", facets=("kind",)))


def test_a_whole_index_opens_again(backend: Backend, tmp_path: Path) -> None:
    _filled(backend, tmp_path)
    _use(backend, tmp_path)


def test_an_index_without_its_largest_part_is_noticed(backend: Backend, tmp_path: Path) -> None:
    files = _filled(backend, tmp_path)
    if backend in IN_FOLDERS:
        max(files, key=lambda path: path.stat().st_size).unlink()
    else:
        sql(tmp_path, "DROP TABLE document")
    with pytest.raises(IndexDamaged):
        _use(backend, tmp_path)


def test_an_index_with_a_cut_part_is_noticed(backend: Backend, tmp_path: Path) -> None:
    files = _filled(backend, tmp_path)
    if backend in IN_FOLDERS:
        largest = max(files, key=lambda path: path.stat().st_size)
        half = largest.read_bytes()[: largest.stat().st_size // 2]
        # In a new file: cutting one that is still mapped would end the process.
        largest.unlink()
        largest.write_bytes(half)
    else:
        sql(tmp_path, "DROP INDEX document_words")
    with pytest.raises(IndexDamaged):
        _use(backend, tmp_path)


def test_a_folder_with_something_else_in_it_is_noticed(backend: Backend, tmp_path: Path) -> None:
    (folder_in(tmp_path)).mkdir()
    (folder_in(tmp_path) / "letter.txt").write_text("not an index")
    with pytest.raises(IndexDamaged):
        opened(backend, tmp_path)


def test_an_index_that_does_not_say_what_it_holds_is_noticed(backend: Backend, tmp_path: Path) -> None:
    for path in _filled(backend, tmp_path):
        if path.name == "meta.json" or path.suffix == ".toc":
            path.unlink()
            path.write_bytes(b"\0" * 40)
    if backend not in IN_FOLDERS:
        sql(tmp_path, "DELETE FROM mark")
    with pytest.raises(IndexDamaged):
        _use(backend, tmp_path)


def test_an_index_that_vanishes_under_an_open_reader_is_noticed(backend: Backend, tmp_path: Path) -> None:
    _filled(backend, tmp_path)
    index = opened(backend, tmp_path)
    shutil.rmtree(folder_in(tmp_path))
    if backend not in IN_FOLDERS:
        sql(tmp_path, f'DROP SCHEMA "{folder_in(tmp_path).name}" CASCADE')
    with pytest.raises(IndexDamaged):
        index.stage([document("z")])
        index.commit(2)


def test_an_index_of_another_version_is_noticed(
    backend: Backend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = type(opened(backend, tmp_path)).__module__
    monkeypatch.setattr(f"{module}.VERSION", "0.0")
    with pytest.raises(IndexDamaged, match="version"):
        opened(backend, tmp_path)


def test_the_size_and_number_of_documents_are_told(index: SearchIndex) -> None:
    put(index, document("a", "检查"), document("b", "检查"))
    told = index.stats()
    assert told.documents == 2
    assert told.size_bytes > 0


def test_an_unknown_backend_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(BadInput, match="postgresql, tantivy, whoosh"):
        backend_named("lucene")
