"""What a search answers beside the hits: their second, page and recording, pages, counts, suggestions, the event."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from indexer.access import Reviewer
from indexer.asking.finding import Finder
from indexer.follower import Follower
from indexer.search import Filters, Page
from pipeline.errors import BadInput, NotAllowed
from pipeline.records import Activity, Case, Caveat, Device, Filed, Known, Party
from tests.indexer.archive import Archive, decided, known, link

NOW = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
REVIEWER = Reviewer("谢敏", "reviewer")
CASE = "平商务罚字〔2021〕第3号"


class Desk:
    """A reviewer's desk over an archive in memory, with the events that were told."""

    def __init__(self, folder: Path, backend: str, *knowns: Known) -> None:
        self.archive = Archive(knowns)
        self.told: list[dict[str, Any]] = []
        self.archive.now = lambda: NOW  # type: ignore[attr-defined]
        self.finder = Finder(
            lambda: Follower(self.archive, folder, backend),
            self.archive,
            self._tell,
            "Asia/Shanghai",  # type: ignore[arg-type]
        )

    def _tell(self, type: str, **event: Any) -> None:
        self.told.append({"type": type, **event})

    def find(self, text: str = "", **filters: Any) -> Page:
        return self.finder.search(REVIEWER, text, Filters(**filters))


@pytest.fixture(params=["tantivy", "whoosh"])
def open_desk(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., Desk]:
    return lambda *knowns: Desk(tmp_path / "index", request.param, *knowns)


def ids(page: Page) -> list[str]:
    return [hit.original for hit in page.hits]


def filed(one: Known, **said: Any) -> Known:
    return replace(one, filed=Filed(**said))


# -- what is indexed


ONE = filed(
    known(
        "v1", name="GX010034.MP4", folder="2021年案件/鑫源达 现场",
        links=[link(CASE, activity="XC-0042")], caveats=[Caveat(code="clock_jump", text="jumped", text_zh="时钟跳变")],
        time=decided(datetime(2021, 8, 3, 1, 30, tzinfo=UTC), 600),
        transcript__lines=[[3.5, 6.0, "请出示营业执照"], [61.25, 64.0, "油罐车是租来的"]],
        ocr__lines=[[10.0, None, "严禁烟火"]],
    ),
    cases=(Case(numbers=((CASE, "决定书"), ("平商务立〔2021〕17号", "立案")), title="擅自从事成品油零售案",
                parties=(Party(name="平江县鑫源达商贸有限公司", identifier="91430626MA4L2F3X5T"),)),),
    activities=(Activity(code="XC-0042", step="现场检查", place="天岳大道18号", people=("褚怀瑾", "闫璐")),),
    device=Device(code="ZF-001", name="执法记录仪一号", serial="DSJA7004213", aliases=("3号机",)),
    retention=("decision",), is_held=True,
)  # fmt: skip
OTHER = known(
    "v2", name="other.mp4", document__text=["第一页 无关", "第二页 当事人拒绝签字"], links=[link(CASE, "proposed")]
)


@pytest.mark.parametrize(
    "query",
    [
        "案号:平商务立〔2021〕17号", "case:平商务罚字2021第3号", "当事人:鑫源达商贸", "party:91430626MA4L2F3X5T",
        "活动:XC-0042", "activity:XC-0042", "步骤:现场检查", "step:现场检查", "stage:现场", "地点:天岳大道",
        "人物:闫璐", "person:褚怀瑾", "设备:记录仪一号", "device:3号机", "device:dsja7-004213", "文件夹:鑫源达",
        "folder:2021年案件", "文件名:GX010034", "语音:营业执照", "transcript:油罐车", "画面文字:严禁烟火", "ocr:烟火",
        "提示:时钟跳变", "caveat:jumped", "关联:已确认", "link:confirmed", "保管:decision", "retention:decision",
        "冻结:是", "held:yes", "已审核:否", "gap:no", "状态:可检索", "state:searchable", "成品油零售",
        "2021-08-03 9:35",
    ],
)  # fmt: skip
def test_every_field_is_asked_by_its_name_in_chinese_and_english(query: str, one_and_other: Desk) -> None:
    page = one_and_other.find(query)
    assert "v1" in ids(page)
    if query not in ("已审核:否", "gap:no", "状态:可检索", "state:searchable", "case:平商务罚字2021第3号"):
        assert ids(page) == ["v1"]


@pytest.fixture(scope="module")
def one_and_other(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    return Desk(tmp_path_factory.mktemp("desk"), "tantivy", ONE, OTHER)


@pytest.mark.parametrize(
    "query", ["文书:拒绝签字", "document:拒绝", "link:proposed", "关联:待确认", "retention:undecided"]
)
def test_what_only_the_other_has_leads_to_the_other(query: str, one_and_other: Desk) -> None:
    assert ids(one_and_other.find(query)) == ["v2"]


@pytest.mark.parametrize("query", ["缺口:有", "reviewed:yes", "语音:拒绝签字", "人物:鑫源达", "link:refused"])
def test_what_no_original_has_finds_nothing(query: str, one_and_other: Desk) -> None:
    assert ids(one_and_other.find(query)) == []


@pytest.mark.parametrize("query", ["类型:视*", '时间:"2021-08-03"', 'kind:"video"', "held:", 'state:""', "link:*"])
def test_values_in_quotes_or_with_stars_are_no_error(query: str, one_and_other: Desk) -> None:
    one_and_other.find(query)


def test_a_person_decided_and_nothing_waits_is_reviewed(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk(
        known("yes", links=[link(CASE, finder="person", by="谢敏")]),
        known("waits", links=[link(CASE, finder="person", by="谢敏"), link("岳商务罚字〔2021〕4号", "proposed")]),
        known("clerk", links=[link(CASE, finder="stated/1", by="clerk")]),
    )
    assert ids(desk.find("已审核:是")) == ["yes"]


# -- the second and the page


def test_a_hit_has_the_second_at_which_the_words_were_said(one_and_other: Desk) -> None:
    [hit] = one_and_other.find("油罐车").hits
    assert (hit.at_s, hit.page, hit.as_json()["snippet"]) == (61.25, None, "«油罐车»是租来的")


def test_all_places_of_the_words_are_told_in_order(open_desk: Callable[..., Desk]) -> None:
    lines = [[float(at), at + 1.0, "再次询问" if at % 2 else "沉默"] for at in range(50)]
    [hit] = open_desk(known("a", transcript__lines=lines)).find("询问").hits
    assert [moment.at_s for moment in hit.moments] == [float(at) for at in range(1, 20, 2)]
    assert hit.moments[0].as_json() == {"field": "transcript", "at_s": 1.0, "page": None, "snippet": "再次«询问»"}


def test_a_hit_has_the_page_on_which_the_words_stand(one_and_other: Desk) -> None:
    [hit] = one_and_other.find("拒绝签字").hits
    assert (hit.page, hit.at_s) == (2, None)
    assert "当事人«拒绝签字»" in hit.as_json()["snippet"]


def test_subtitles_beside_a_recording_tell_the_recordings_second(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk(known("a"), known("s", kind="sidecar", parent="a", transcript__lines=[[7.0, 8.0, "到的货"]]))
    page = desk.find("到的货")
    assert (ids(page), page.hits[0].at_s) == (["a"], 7.0)


def test_a_time_asked_for_is_the_second_to_play_from(one_and_other: Desk) -> None:
    # The recording runs from 09:30 to 09:40 in the bureau's zone.
    assert one_and_other.find("2021-08-03 9:35").hits[0].at_s == 300.0
    assert one_and_other.find(start="2021-08-03 09:30:30", end="2021-08-03").hits[0].at_s == 30.0
    assert one_and_other.find("2021-08-03").hits[0].at_s is None


def test_lines_of_another_form_are_passed_over(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk(known("a", transcript__lines=[["x", 1], [1.0], "no line", [2.0, None, "说话"]]))
    assert desk.find("说话").hits[0].at_s == 2.0


# -- grouped by recording


def chapters() -> list[Known]:
    def chapter(number: int, recording: str, word: str) -> Known:
        start = datetime(2021, 8, 3, 1, tzinfo=UTC) + timedelta(minutes=10 * number)
        return known(
            f"c{number}", folder=word, time=decided(start, 600), recording__id=recording
        )  # fmt: skip

    found = [chapter(number, "c0", "拆除" if number % 2 else "拆除 拆除 现场") for number in range(6)]
    return [*found, known("single", folder="拆除"), chapter(9, "c9", "检查")]


def test_a_recording_is_one_hit_with_its_other_files_below_it(open_desk: Callable[..., Desk]) -> None:
    page = open_desk(*chapters()).find("拆除", group=True)
    assert page.total == 7
    by_recording = {hit.recording: hit for hit in page.hits}
    assert [len(page.hits), *sorted(by_recording)] == [2, "c0", "single"]
    whole = by_recording["c0"]
    assert (whole.found, [other.original for other in whole.others]) == (
        6, [f"c{number}" for number in range(6) if f"c{number}" != whole.original],
    )  # fmt: skip
    assert whole.others[0].as_json()["snippet"]
    assert by_recording["single"].found == 1


@pytest.mark.parametrize("sort", ["score", "time", "-time"])
def test_pages_of_recordings_show_each_once(open_desk: Callable[..., Desk], sort: str) -> None:
    chance = Random(3)
    start = datetime(2021, 8, 3, tzinfo=UTC)
    desk = open_desk(
        *(
            known(
                f"o{number:02}", folder="拆除 " * chance.randint(1, 4), recording__id=f"r{chance.randint(0, 8)}",
                time=decided(start + timedelta(minutes=chance.randint(0, 30))),
            )
            for number in range(40)
        )
    )  # fmt: skip
    shown, after = [], None
    for _ in range(20):
        page = desk.find("拆除", group=True, sort=sort, limit=2, after=after)
        shown += [hit.recording for hit in page.hits]
        after = page.after
        if after is None:
            break
    assert sorted(shown) == sorted({one.properties["recording.id"].value for one in desk.archive.known_of_many(
        [f"o{number:02}" for number in range(40)])})  # fmt: skip


# -- pages


@pytest.mark.parametrize("sort", ["score", "time", "-time"])
def test_pages_are_the_whole_once_while_files_arrive(open_desk: Callable[..., Desk], sort: str) -> None:
    chance = Random(7)
    day = datetime(2021, 8, 3, tzinfo=UTC)

    def some(name: str) -> Known:
        time = decided(day + timedelta(hours=chance.randint(-40, 40))) if chance.random() < 0.7 else None
        return known(name, folder="拆除 " * chance.randint(1, 5) + "现场 " * chance.randint(0, 9), time=time)

    first = [some(f"a{number:02}") for number in range(30)]
    desk = open_desk(*first)
    shown: list[str] = []
    after = None
    for turn in range(40):
        page = desk.find("拆除", sort=sort, limit=4, after=after)
        shown += ids(page)
        after = page.after
        if after is None:
            break
        if turn < 5:
            desk.archive.put(*(some(f"n{turn}-{number}") for number in range(3)))
    assert len(shown) == len(set(shown))
    assert {one.original.id for one in first} <= set(shown)


def test_pages_without_arrivals_are_the_order_of_one_large_page(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk(*(known(f"a{number:02}", folder="拆除 " * (number % 5 + 1)) for number in range(17)))
    whole, shown, after = ids(desk.find("拆除", limit=100)), [], None
    while True:
        page = desk.find("拆除", limit=5, after=after)
        shown += ids(page)
        after = page.after
        if after is None:
            break
    scores = {hit.original: hit.score for hit in desk.find("拆除", limit=100).hits}
    assert [scores[name] for name in shown] == [scores[name] for name in whole]
    assert sorted(shown) == sorted(whole)


def test_a_cursor_of_another_search_and_no_cursor_are_refused(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk(*(known(f"a{number}", folder="拆除 现场") for number in range(5)))
    after = desk.find("拆除", limit=2).after
    assert after is not None
    for text, given in (("现场", after), ("拆除", "%%%"), ("拆除", "AAAA"), ("拆除", after[:-3])):
        with pytest.raises(BadInput):
            desk.find(text, limit=2, after=given)


def test_the_last_page_has_no_cursor(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk(*(known(f"a{number}", folder="拆除") for number in range(4)))
    assert desk.find("拆除", limit=4).after is None
    assert desk.find("拆除", limit=0).after is None


# -- counts


def test_facets_count_parties_persons_places_and_links(one_and_other: Desk) -> None:
    facets = one_and_other.find().facets
    assert facets["party"] == {"平江县鑫源达商贸有限公司": 1}
    assert facets["person"] == {"褚怀瑾": 1, "闫璐": 1}
    assert facets["place"] == {"天岳大道18号": 1}
    assert facets["link"] == {"confirmed": 1, "proposed": 1}
    assert facets["retention"] == {"decision": 1, "undecided": 1}
    assert facets["case"] == {CASE: 2}


def test_how_many_were_searched_of_how_many_is_told(
    open_desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = open_desk(known("a"), known("b"))
    page = desk.find()
    assert (page.searched, page.of, page.behind) == (2, 2, 0)
    # The index cannot be written for now: one original is new, one has changed.
    monkeypatch.setattr(Follower, "follow_for_search", lambda _: None)
    desk.archive.put(known("b", folder="听证"), known("c"))
    page = desk.find()
    assert (page.searched, page.of, page.behind) == (2, 3, 2)
    assert page.summary()["waiting"] == 2


# -- suggestions


def values(desk: Desk, typed: str, *fields: str, limit: int = 10) -> list[tuple[str, int]]:
    found = desk.finder.suggest(REVIEWER, typed, fields or ("party",), limit)
    return [(one.value, one.originals) for one in found]


def of_party(identifier: str, *names: str) -> Known:
    return filed(known(identifier), cases=(Case(numbers=(), parties=tuple(Party(name=name) for name in names)),))


def test_parties_are_suggested_by_any_part_of_their_name(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk(
        of_party("a", "平江县鑫源达商贸有限公司"), of_party("b", "鑫源石化", "岳阳泰隆"), of_party("c", "鑫源石化"),
    )  # fmt: skip
    assert values(desk, "鑫源") == [("鑫源石化", 2), ("平江县鑫源达商贸有限公司", 1)]
    assert values(desk, "鑫") == [("鑫源石化", 2), ("平江县鑫源达商贸有限公司", 1)]
    assert values(desk, "鑫源达商") == [("平江县鑫源达商贸有限公司", 1)]
    assert values(desk, "泰") == [("岳阳泰隆", 1)]
    assert values(desk, "不存在") == values(desk, "——") == []
    assert values(desk, "", limit=1) == [("鑫源石化", 2)]


def test_cases_devices_places_and_persons_are_suggested_too(one_and_other: Desk) -> None:
    assert values(one_and_other, "平商务罚", "case") == [(CASE, 2)]
    assert values(one_and_other, "天岳", "place") == [("天岳大道18号", 1)]
    assert values(one_and_other, "闫", "person") == [("闫璐", 1)]
    desk_fields = [one.field for one in one_and_other.finder.suggest(REVIEWER, "")]
    assert set(desk_fields) == {"case", "party", "place", "person"}


def test_a_device_is_suggested_by_the_beginning_of_its_number(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk(known("a", device__serial="DSJ-A7-004213"), known("b", device__serial="DSJ-A7-004377"))
    assert values(desk, "dsj-a7-0042", "device") == [("DSJ-A7-004213", 1)]
    assert values(desk, "DSJ", "device") == [("DSJ-A7-004213", 1), ("DSJ-A7-004377", 1)]


def test_suggestions_of_other_fields_and_to_operators_are_refused(one_and_other: Desk) -> None:
    with pytest.raises(BadInput):
        one_and_other.finder.suggest(REVIEWER, "a", ("note",))
    with pytest.raises(NotAllowed):
        one_and_other.finder.suggest(Reviewer("o", "operator"), "a")


# -- the log


def test_a_search_is_told_with_who_what_why_and_how_much(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk(known("a", folder="拆除"))
    desk.finder.search(REVIEWER, "拆除", Filters(kind="video", limit=5, group=True), purpose="复议答辩")
    assert desk.told == [{
        "type": "search", "actor": "谢敏",
        "facts": {"query": "拆除", "filters": {"kind": "video"}, "hits": 1, "purpose": "复议答辩"},
    }]  # fmt: skip
