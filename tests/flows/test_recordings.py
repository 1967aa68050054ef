"""Recordings of several files, what they cover, and what a case's checklist says, through the command line."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import pytest

from pipeline.advance import renew
from pipeline.edges.audit import NewEvent
from pipeline.edges.database import knowledge
from pipeline.records import Facts, Property
from pipeline.stages.link import STAGE
from pipeline.writings import header_of
from tests.conftest import QUICK
from tests.flows.keeping import filmed, link, take
from tests.flows.test_registers import take_in
from tests.indexer.web.asking import person
from workers import cli
from workers.bootstrap import Home, build_context, build_jobs
from workers.rebuild import rebuild_catalog

Run = Callable[..., list[dict[str, Any]]]
ZONE = ZoneInfo("Asia/Shanghai")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command in this process with --json and requires its exit code; the objects it printed."""
    for name, value in {**QUICK, "CASEREEL_HOME": str(tmp_path / "home")}.items():
        monkeypatch.setenv(name, value)

    def ran(*arguments: Any, code: int = 0) -> list[dict[str, Any]]:
        capsys.readouterr()
        ended = cli.run([*map(str, arguments), "--json"])
        printed = capsys.readouterr()
        assert ended == code, printed.err
        return [json.loads(line) for line in printed.out.splitlines()]

    return ran


TEN = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)  # ten o'clock in the bureau


def segment(number: int, second: float, length_s: float = 300.0) -> tuple[str, datetime, float]:
    at = TEN + timedelta(seconds=second)
    return f"DSJ_HA1234567_012345_{at.astimezone(ZONE):%Y%m%d%H%M%S}_{number:04}.jpg", at, length_s


def test_files_of_one_act_are_shown_together_with_what_is_missing_and_a_late_one_fills_the_hole(
    sqlite_home: Home, run: Run, tmp_path: Path
) -> None:
    second, *_ = filmed(
        sqlite_home, tmp_path / "card", segment(2, 300), segment(1, 0), segment(4, 900, 10), segment(9, 9000, 10)
    )
    [listed] = run("recording", "list")
    assert [one["sequence"] for one in listed["members"]] == ["0001", "0002", "0004"]
    assert [(seam["class"], seam["missing"], seam["length_s"]) for seam in listed["seams"]] == [
        ("file_split", [], 0.0), ("missing", ["0003"], 300.0),
    ]  # fmt: skip
    assert (listed["recording"], listed["device"], listed["whole"]) == (second, "HA1234567", False)
    assert len(run("recording", "list", "--all")) == 2
    [shown] = run("show", second)
    place = shown["recording"]
    assert (place["place"], place["members"], place["after"]["seam"]["missing"]) == (2, 3, ["0003"])
    assert run("recording", "list", "--faulty") == [listed]
    [late] = filmed(sqlite_home, tmp_path / "late", segment(3, 600))
    [whole] = run("recording", "show", late)
    assert (whole["recording"], len(whole["members"]), whole["whole"]) == (second, 4, True)
    assert run("recording", "list", "--faulty") == []
    assert sqlite_home.catalog.events_of_type(["view.recording"])[0].count(late) == 1


CASE = "平商务罚字〔2026〕第3号"


def registered(home: Home, *activities: str) -> None:
    """The case with its party, and these activities (`A1,查封,10:00,10:30`), are registered."""
    head = ["案号", "立案号", "案由", "立案日期", "办理期限", "当事人"]
    row = [CASE, "平商务立字〔2026〕2号", "无证经营", "2026-03-01", "2026-05-30", "鑫源商贸有限公司"]
    take_in(home, "cases", [head, row])
    rows = [
        [code, step, CASE, "城关镇人民路18号", "王建国、李红", f"2026-03-02 {first}", f"2026-03-02 {last}"]
        for code, step, first, last in (one.split(",") for one in activities)
    ]
    take_in(home, "activities", [["活动编号", "环节", "案号", "地点", "执法人员", "开始时间", "结束时间"], *rows])


def classes(report: dict[str, Any]) -> list[tuple[str, float]]:
    return [(gap["class"], gap["length_s"]) for one in report["duties"] for gap in one["gaps"]]


def test_a_pause_that_a_person_explained_is_told_with_the_reason_until_it_is_taken_back(
    sqlite_home: Home, run: Run, tmp_path: Path
) -> None:
    first, second = filmed(sqlite_home, tmp_path / "card", segment(1, 0, 600), segment(2, 900, 900))
    registered(sqlite_home, "A1,查封,10:00,10:25", "A2,送达,14:00,14:10")
    for one in (first, second):
        link(sqlite_home, one, CASE)
    [report] = run("case", "coverage", CASE, code=1)
    assert classes(report) == [("unexplained", 300.0), ("outside", 600.0)]
    [gap] = report["duties"][0]["gaps"]
    assert (gap["before"]["original"], gap["before"]["position_s"]) == (first, 600.0)
    assert (len(gap["after"]["sha256"]), gap["after"]["position_s"]) == (64, 0.0)
    run("case", "excuse", CASE, "--step", "查封", "--from", "2026-03-02 10:10", "--reason", "停电", code=2)
    run("case", "excuse", CASE, "--step", "听证", "--reason", "停电", code=2)
    [pause] = run("case", "excuse", CASE, "--step", "查封", "--reason", "停电", "--told", "马负责",
                  "--from", "2026-03-02 10:10", "--to", "2026-03-02 10:15")  # fmt: skip
    run("case", "excuse", "平商务立字〔2026〕2号", "--activity", "A2", "--reason", "涉及商业秘密，已书面说明")
    [report] = run("case", "coverage", CASE)
    assert classes(report) == [("pause_explained", 300.0), ("pause_explained", 600.0)]
    assert [(one["fulfilled"], one["excused"]) for one in report["duties"]] == [(True, True), (True, True)]
    assert (pause["told"], report["duties"][0]["gaps"][0]["excuse"]["reason"]) == ("马负责", "停电")
    run("case", "excuse", CASE, "--withdraw", "01ARZ3NDEKTSV4RRFFQ69G5FAV", "--reason", "误填", code=2)
    run("case", "excuse", CASE, "--withdraw", pause["excuse"], "--reason", "误填")
    sqlite_home.close()
    rebuild_catalog(sqlite_home.settings)
    [report] = run("case", "coverage", CASE, code=1)
    assert [one["activity"] for one in report["excuses"]] == ["A2"]
    assert classes(report) == [("outside", 1500.0), ("pause_explained", 600.0)]  # links are found again by working
    assert len(sqlite_home.catalog.events_of_type(["view.case"])) == 3


def test_a_clock_that_steps_inside_a_file_is_told_by_the_coverage_of_its_case(
    sqlite_home: Home, run: Run, tmp_path: Path
) -> None:
    [one] = filmed(
        sqlite_home, tmp_path / "card", segment(1, 0, 1500), container__clock_steps=[[600.0, -30.0], [900.0, 120.0]]
    )
    registered(sqlite_home, "A1,查封,10:00,10:25")
    link(sqlite_home, one, CASE)
    [report] = run("case", "coverage", CASE, code=1)
    assert classes(report) == [("clock_step", 0.0), ("clock_step", 120.0)]
    step, hole = report["duties"][0]["gaps"]
    assert [step[side]["original"] for side in ("before", "after")] == [one, one]
    assert [(gap["before"]["position_s"], gap["after"]["position_s"]) for gap in (step, hole)] == [
        (600.0, 600.0), (900.0, 1020.0),
    ]  # fmt: skip
    [shown] = run("show", one)
    assert shown["properties"]["container.clock_steps"] == [[600.0, -30.0], [900.0, 120.0]]
    [faulty] = run("recording", "list", "--faulty")
    assert (faulty["recording"], faulty["whole"]) == (one, False)
    assert faulty["members"][0]["clock_steps"] == [[600.0, -30.0], [900.0, 120.0]]


def test_a_checklist_says_what_is_missing_is_signed_and_opened_again_by_what_changes(
    sqlite_home: Home, run: Run, tmp_path: Path
) -> None:
    settings = sqlite_home.settings.home / "casereel.toml"
    settings.write_text('[access.roles]\n"李法制" = "reviewer"\n"赵管理" = "operator"\n', encoding="utf-8")
    first, second = filmed(
        sqlite_home, tmp_path / "card", segment(1, 0, 300), segment(2, 600, 10), register__device="Z"
    )
    names = ("立案审批表.jpg", "现场检查笔录.jpg", "行政处罚事先告知书.jpg", "送达回证.jpg")
    papers = take(sqlite_home, tmp_path / "scans", *names)
    registered(sqlite_home, "A1,现场检查,10:00,10:05", "A2,告知陈述申辩,11:00,11:05", "A3,送达,10:10,10:11")
    for one in (first, *papers):
        link(sqlite_home, one, CASE)
    [found] = run("case", "checklist", CASE, code=1)
    missing = {one["item"]: one["missing_zh"] for one in found["items"] if not one["there"]}
    assert found["type_zh"] == "行政处罚"
    assert set(missing) == {"recordings", "carriers", "links", "decision"}
    assert missing["recordings"] == ["送达（A3）：已记录 0.0%，60 秒缺失且未说明原因"]
    assert len(missing["links"]) == 5
    assert found["lacking"] == 3  # the decision is told, and not counted
    run("case", "checklist", CASE, "--sign", code=2)
    run("case", "checklist", CASE, "--sign", "--by", "赵管理", "--reason", "x", code=5)
    run("case", "checklist", CASE, "--sign", "--by", "李法制", code=2)
    [found] = run("case", "checklist", CASE, "--sign", "--by", "李法制", "--reason", "先行审核", code=1)
    assert (found["signed"]["by"], found["signed"]["holds"], found["signed"]["changes"]) == ("李法制", True, [])
    link(sqlite_home, second, CASE)
    [found] = run("case", "checklist", "平商务立字〔2026〕2号", code=1)
    assert not found["signed"]["holds"]
    name = segment(2, 600)[0]
    assert found["signed"]["changes"] == [f"{name} came", "coverage of A3: [0.0, 0.0] became [10.0, 8.0]",
                                          "item recordings: False became True"]  # fmt: skip
    sqlite_home.close()
    rebuild_catalog(sqlite_home.settings)
    [after] = run("case", "checklist", CASE, code=1)
    assert after["signed"]["digest"] == found["signed"]["digest"]
    line = json.loads(sqlite_home.catalog.events_of_type(["case.checklist_signed"])[0])
    said = json.dumps(line["facts"]["state"], sort_keys=True, separators=(",", ":"))
    assert hashlib.sha256(said.encode()).hexdigest() == found["signed"]["digest"]


def relinked(home: Home, *originals: str) -> None:
    """The link stage looks at these, as a worker does once nothing else waits."""
    context, scratch = build_context(home)
    jobs = build_jobs(home)
    try:
        renew(STAGE, originals, context, jobs)
    finally:
        jobs.close()
        context.tools.close()
        scratch.close()


def test_files_of_a_recording_follow_one_that_a_person_linked_and_wait_by_their_decision_date(
    sqlite_home: Home, run: Run, tmp_path: Path
) -> None:
    first, second, fourth = filmed(
        sqlite_home, tmp_path / "card", segment(1, 0), segment(2, 300), segment(4, 900, 10), container__title="x"
    )
    registered(sqlite_home)
    take_in(sqlite_home, "cases", [["案号", "办理期限", "当事人"], ["AJ2026-0009", "2026-04-01", "王小明"],
                                   ["AJ2026-0010", "", "李大力"]])  # fmt: skip
    run("link", first, "--case", CASE, "--reason", "现场核对")
    found = run("case", "proposals")
    assert [(one["original"], one["method"], one["decision_due_on"]) for one in found] == [
        (second, "same_recording", "2026-05-30"), (fourth, "same_recording", "2026-05-30"),
    ]  # fmt: skip
    assert found[0]["score"] > found[1]["score"]
    papers = take(sqlite_home, tmp_path / "scans", "a.jpg", "b.jpg")
    for paper, number in zip(papers, ("AJ2026-0010", "AJ2026-0009"), strict=True):
        link(sqlite_home, paper, number)
    assert [one["case"] for one in run("case", "proposals")] == ["AJ-2026-0009", CASE, CASE, "AJ-2026-0010"]
    assert [one["original"] for one in run("case", "proposals", "AJ2026-0010")] == papers[:1]
    run("unlink", first, "--case", CASE, "--reason", "拍摄对象不同")
    assert CASE not in [one["case"] for one in run("case", "proposals")]


def test_a_late_file_takes_away_the_caveat_of_its_neighbours_and_hears_of_their_case(
    sqlite_home: Home, run: Run, tmp_path: Path
) -> None:
    second, fourth = filmed(sqlite_home, tmp_path / "card", segment(2, 300), segment(4, 900, 10))
    relinked(sqlite_home, second, fourth)
    for one in (second, fourth):
        [caveat] = sqlite_home.catalog.known_of(one).caveats
        assert (caveat.code, "0003" in caveat.text_zh) == ("missing_member", True)
    assert {one["original"] for one in run("search", "--has-gap")} == {second, fourth}
    # Both say so, and neither calls the other for ever.
    relinked(sqlite_home, second, fourth)
    context, scratch = build_context(sqlite_home)
    assert [STAGE.run(sqlite_home.catalog.known_of(one), context).again for one in (second, fourth)] == [(), ()]
    context.tools.close()
    scratch.close()
    run("link", second, "--case", CASE, "--reason", "现场核对")
    [late] = filmed(sqlite_home, tmp_path / "late", segment(3, 600))
    context, scratch = build_context(sqlite_home)
    known = sqlite_home.catalog.known_of(late)
    facts = STAGE.run(known, context)
    context.tools.close()
    scratch.close()
    assert [(one.case, one.method) for one in facts.links] == [(CASE, "same_recording")]
    assert sorted(facts.again) == sorted([second, fourth])
    relinked(sqlite_home, second, fourth)
    assert [sqlite_home.catalog.known_of(one).caveats for one in (second, fourth)] == [(), ()]
    assert run("search", "--has-gap") == []


def test_an_action_cameras_files_are_its_device_by_the_serial_number_in_them(
    sqlite_home: Home, run: Run, tmp_path: Path
) -> None:
    [one] = filmed(sqlite_home, tmp_path / "card", ("GX010034.jpg", TEN, 60.0), device__serial="C3461324500001")
    [shown] = run("recording", "show", one)
    assert shown["device"] == "C3461324500001"


@pytest.mark.parametrize("kind", ["document", "photo"])  # as a PDF and a TIFF are
def test_a_written_record_and_the_recordings_of_its_case_are_held_against_one_another(
    sqlite_home: Home, run: Run, tmp_path: Path, kind: str
) -> None:
    [film] = filmed(sqlite_home, tmp_path / "card", segment(1, 1200, 1800))  # 10:20 to 10:50
    [paper] = take(sqlite_home, tmp_path / "scans", "扫描0001.jpg")
    lines = ["询问笔录", f"案号：{CASE}", "询问时间：2026年3月2日10时05分至10时40分", "询问人：王建国、李红"]
    said = {f"record.{one.name}": one.value for one in header_of([lines]).fields}
    facts = Facts(properties=tuple(Property(name=k, found=str(v), value=v, finder="probe/1") for k, v in said.items()))
    with sqlite_home.catalog.transaction() as connection:
        [seq] = sqlite_home.audit.record(connection, [NewEvent(type="test", actor="tester", original=paper)])
        knowledge.record(connection, paper, "light-probe", facts, seq)
        connection.exec_driver_sql(f"UPDATE cr_original SET kind = '{kind}' WHERE id = '{paper}'")
    registered(sqlite_home, "A1,询问,10:20,10:50")
    for one in (film, paper):
        link(sqlite_home, one, CASE)
    [report] = run("case", "coverage", CASE)
    assert [(one["code"], one["about"]) for one in report["contradictions"]] == [
        ("record_begins_before_footage", [paper, film]), ("record_against_register", [paper, "A1"]),
    ]  # fmt: skip
    assert "10:05" in report["contradictions"][0]["text_zh"]
    [found] = run("case", "checklist", CASE, code=1)
    [item] = [one for one in found["items"] if one["item"] == "investigation_record"]
    assert item["found"] == [paper]  # by what its text says it is
    page = person(sqlite_home, "reviewer").page(f"/cases/{quote(CASE)}")
    assert "<h3>文字记录 1</h3>" in page
    assert f'<article class="record">\n  <h4><a href="/originals/{paper}">' in page
