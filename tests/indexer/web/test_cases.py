"""The reviewer's case screens: the list, one case weighed, its timeline, proposals decided, the opinion signed."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from indexer.access import Reviewer
from indexer.casework.caseload import caseload_of
from pipeline.acts.linking import Linking
from pipeline.acts.restricting import Restricting
from pipeline.case_numbers import comparable
from pipeline.custody.accession import Candidate
from pipeline.edges.audit import NewEvent
from pipeline.edges.database import knowledge, registers
from pipeline.records import Activity, Case, Facts, Party, Property
from tests.flows.keeping import REVIEWER, filmed, link, take
from tests.indexer.web.asking import Asking, later, person
from workers.bootstrap import Home, build_accession, build_accounts, build_jobs

CASE = "平商务罚字〔2026〕第3号"
OTHER_WRITING = "平商务罚字[2026]3号"
AT = f"/cases/{quote(CASE)}"
TEN = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)  # ten o'clock in the bureau
TEXT = "2026年3月2日10时02分，执法人员到达现场。10:12取样，电话13812345678。至11时30分结束。"


@pytest.fixture
def films(sqlite_home: Home, tmp_path: Path) -> list[str]:
    """Two recordings of one device, five minutes apart, linked to a case with a duty of twenty minutes."""
    home = sqlite_home
    put(
        home,
        Case(numbers=((CASE, None),), title="违法排污案", parties=(Party(name="鑫源建材"),),
             decision_due_on="2026-03-20"),
        Activity(code="A1", case=CASE, step="查封", people=("王", "李"), place="城关镇", from_at=TEN,
                 to_at=TEN + timedelta(minutes=20)),
    )  # fmt: skip
    found = filmed(
        home, tmp_path / "card", ("现场一.jpg", TEN, 300.0), ("现场二.jpg", TEN + timedelta(minutes=10), 600.0),
        register__device="ZF-1",
    )  # fmt: skip
    for one in found:
        link(home, one, CASE)
    return found


def put(home: Home, *records: registers.Registered) -> None:
    with home.catalog.transaction() as connection:
        for one in records:
            registers.put(connection, one)


def written(home: Home, folder: Path) -> str:
    """A written record whose text was read, linked to the case."""
    path = folder / "现场检查笔录.txt"
    folder.mkdir(exist_ok=True)
    path.write_text(TEXT, encoding="utf-8")
    jobs = build_jobs(home)
    [receipt] = build_accession(home, jobs).take([Candidate(path=path, root=folder, source="inbox")])
    jobs.close()
    original = str(receipt.original)
    facts = Facts(properties=tuple(
        Property(name=name, found=str(value), value=value, finder="probe/1")
        for name, value in (("document.text", [TEXT]), ("record.from", "2026-03-02T10:02:00"),
                            ("record.to", "2026-03-02T11:30:00"))
    ))  # fmt: skip
    with home.catalog.transaction() as connection:
        [seq] = home.audit.record(connection, [NewEvent(type="test", actor="tester", original=original)])
        knowledge.record(connection, original, "light-probe", facts, seq)
    Linking(home.catalog, home.audit).link("李法制", original, CASE, "案卷")
    return original


def events(home: Home, type: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in home.catalog.events_of_type([type])]


def digest(page: str) -> str:
    found = re.search(r'name="digest" value="([0-9a-f]{64})"', page)
    assert found is not None
    return found[1]


def data(asking: Asking, path: str) -> Any:
    return json.loads(asking.page(path))


def test_cases_stand_by_decision_date_with_what_is_linked_to_each(
    sqlite_home: Home, films: list[str], tmp_path: Path
) -> None:
    today = sqlite_home.catalog.now().astimezone().date()
    for number, days in ((7, 3), (8, 40), (9, -2)):
        due = (today + timedelta(days=days)).isoformat()
        put(sqlite_home, Case(numbers=((f"平商务罚字〔2026〕第{number}号", None),), decision_due_on=due))
    put(sqlite_home, Case(numbers=(("平商务罚字〔2026〕第6号", None),), parties=(Party(name="鑫源物流"),)))
    written(sqlite_home, tmp_path / "案卷")
    Linking(sqlite_home.catalog, sqlite_home.audit).confirm("李法制", films[0], CASE, "已看")
    reviewer = person(sqlite_home, "reviewer")
    found = data(reviewer, "/api/cases")
    order = [int(re.findall(r"第(\d+)号", one["case"])[0]) for one in found["cases"]]
    assert order == [7, 8, 9, 3, 6]
    assert found["tally"] == {"all": 5, "mine": 0, "coming": 2, "past": 2, "undated": 1}
    mine = found["cases"][3]
    assert (mine["recordings"], mine["documents"], mine["proposals"]) == (2, 1, 1)
    for asked, numbers in (
        (f"q={OTHER_WRITING}", [3]), ("q=鑫源", [3, 6]), ("q=鑫源 排污", [3]), ("q=%25", []), ("show=undated", [6]),
        ("show=coming&page=2", []),
    ):  # fmt: skip
        some = data(reviewer, f"/api/cases?{asked}")
        assert [int(re.findall(r"第(\d+)号", one["case"])[0]) for one in some["cases"]] == numbers, asked
    page = reviewer.page("/cases")
    assert page.index("第7号") < page.index("第8号") < page.index("第9号") < page.index(CASE)
    assert f'href="/cases/{quote(CASE, safe="")}"' in page
    assert "鑫源建材" in page
    light = data(reviewer, f"/api/cases/lights?case={quote(CASE)}&case=无此案")
    assert {number: (one["light"], one["sign"]) for number, one in light.items()} == {CASE: ("lacking", "✗")}
    assert "尚无指派给您的案件" in reviewer.page("/cases?show=mine")
    assert reviewer.send(f"{AT}/assignment", act="assign").status_code == 303
    some = data(reviewer, "/api/cases?show=mine")
    assert ([(one["case"], one["assigned"]) for one in some["cases"]], some["tally"]["mine"]) == (
        [(CASE, ["某reviewer"])],
        1,
    )
    assert "★ 决定前审核：某reviewer" in reviewer.page("/cases")
    other = person(sqlite_home, "reviewer", "乙")
    assert (data(other, "/api/cases?show=mine")["total"], data(other, "/api/cases")["tally"]["mine"]) == (0, 0)
    clerk = person(sqlite_home, "clerk")
    assert (data(clerk, "/api/cases?show=mine")["total"], "mine" in data(clerk, "/api/cases")["tally"]) == (0, False)
    assert "☆ 决定前审核：某reviewer" in clerk.page("/cases")


def test_the_list_turns_pages_and_is_ordered_alike_by_both_databases(home: Home) -> None:
    dates = ("2026-03-01", "2026-03-05", None, "2026-02-01", "2026-03-04", "2026-02-20")
    put(home, *(
        Case(numbers=((f"AJ2026-{number:04}", None),), decision_due_on=dates[number % 6]) for number in range(1, 31)
    ))  # fmt: skip
    first, second = (
        caseload_of(home.catalog, unseen=(), hidden=(), today=TEN.date(), number=number) for number in (1, 2)
    )
    assert (first.pages, first.total, len(first.rows), len(second.rows)) == (2, 30, 25, 5)
    assert first.tally == {"all": 30, "coming": 10, "past": 15, "undated": 5}
    due = [one.case.due_on for one in first.rows + second.rows]
    assert due == [one for date in (dates[4], dates[1], dates[0], dates[5], dates[3], dates[2]) for one in [date] * 5]
    assert len({one.case.number for one in first.rows + second.rows}) == 30
    build_accounts(home).add("管理", "谢敏", "reviewer")
    with home.catalog.snapshot() as connection:
        third, fourth = (registers.cases(connection, key=comparable(f"AJ2026-000{one}"))[0] for one in (3, 4))
    for case in (third, fourth):
        home.assigning().assign(Reviewer("谢敏", "reviewer"), case, "")
    home.assigning().withdraw(Reviewer("谢敏", "reviewer"), third, "")
    mine = caseload_of(home.catalog, unseen=(), hidden=(), today=TEN.date(), show="mine", person="谢敏")
    assert ([(one.case.number, one.assigned) for one in mine.rows], mine.tally["mine"]) == (
        [("AJ2026-0004", ("谢敏",))], 1,
    )  # fmt: skip


def test_a_case_tells_its_gaps_in_words_and_a_time_in_a_record_leads_to_the_second(
    sqlite_home: Home, films: list[str], tmp_path: Path
) -> None:
    record = written(sqlite_home, tmp_path / "案卷")
    reviewer = person(sqlite_home, "reviewer")
    page = reviewer.page(f"/cases/{quote(OTHER_WRITING, safe='')}")
    assert "75.0 %" in page
    assert 'fill="url(#hatch-unexplained)" x="25.0%" width="25.0%"' in page
    assert f'/originals/{films[0]}?t=300.0">现场一.jpg 5:00' in page
    # 10:02 is the second minute of the first recording, 10:12 of the other; nothing shows 11:30.
    assert f'/originals/{films[0]}?t=120.0">ZF-1 2:00' in page
    assert f'/originals/{films[1]}?t=120.0">ZF-1 2:00' in page
    assert page.count("该时刻没有音像") == 1
    assert "138****5678" in page
    assert "13812345678" not in page
    assert "查封" in page
    assert "✗ 不符合" in page
    told = data(reviewer, f"/api{AT}")
    assert (told["duties"][0]["share"], told["duties"][0]["gaps"][0]["class"]) == (0.75, "unexplained")
    assert told["written"][0]["original"] == record
    assert told["light"]["light"] == "lacking"
    looks = [event["facts"] for event in events(sqlite_home, "view.case")]
    assert looks == [{"case": OTHER_WRITING, "page": "case"}, {"case": CASE, "page": "case"}]


def test_the_timeline_has_a_lane_for_each_device_and_names_what_is_not_shown(
    sqlite_home: Home, films: list[str], tmp_path: Path
) -> None:
    [other] = filmed(sqlite_home, tmp_path / "two", ("侧面.jpg", TEN, 60.0), register__device="ZF-2")
    Linking(sqlite_home.catalog, sqlite_home.audit).link("李法制", other, CASE, "同场", from_s=20.0)
    written(sqlite_home, tmp_path / "案卷")
    reviewer = person(sqlite_home, "reviewer")
    found = data(reviewer, f"/api{AT}/timeline")
    lanes = {lane["name"]: lane for lane in found["lanes"]}
    assert list(lanes) == ["执法环节", "文字记录", "ZF-1", "ZF-2"]
    assert [(one["original"], one["proposed"]) for one in lanes["ZF-1"]["stretches"]] == [(one, True) for one in films]
    assert not any(one["proposed"] for one in lanes["ZF-2"]["stretches"])
    assert [(one["from"], one["begins_s"]) for one in lanes["ZF-2"]["stretches"]] == [
        ("2026-03-02T10:00:20+08:00", 20.0)
    ]
    [hole] = lanes["执法环节"]["holes"]
    assert (hole["class"], hole["words"], hole["from"], hole["to"]) == (
        "unexplained", "未说明", "2026-03-02T10:05:00+08:00", "2026-03-02T10:10:00+08:00",
    )  # fmt: skip
    assert (found["from"], found["to"]) == ("2026-03-02T10:00:00+08:00", "2026-03-02T11:30:00+08:00")
    page = reviewer.page(AT)
    assert "以表格显示时间轴" in page
    assert "▨ 未说明" in page


def test_proposals_are_decided_with_a_reason_by_who_may(sqlite_home: Home, films: list[str], tmp_path: Path) -> None:
    [stranger] = take(sqlite_home, tmp_path / "other", "他案.jpg")
    clerk, reviewer = person(sqlite_home, "clerk"), person(sqlite_home, "reviewer")
    assert "现场一.jpg" in clerk.page(AT)
    assert "属于本案</button>" not in clerk.page(AT)
    assert clerk.send(f"{AT}/links", original=films[0], act="confirm", reason="已看").status_code == 404
    assert reviewer.send(f"{AT}/links", original=stranger, act="confirm", reason="已看").status_code == 404
    refused = reviewer.send(f"{AT}/links", original=films[0], act="refuse", reason=" ")
    assert refused.status_code == 400
    assert "请说明理由" in refused.text
    assert "请至少选择一条" in reviewer.send(f"{AT}/links", act="confirm", reason="已看").text
    assert reviewer.send(f"{AT}/links", original=films[0], act="confirm", reason="已看").status_code == 303
    sent = {"originals": [films[1]], "act": "refuse", "reason": "他人现场"}
    answer = reviewer.client.post(f"/api{AT}/links", json=sent, headers={"X-CSRF-Token": reviewer.sign()})
    assert [(one["original"], one["status"], one["by"]) for one in answer.json()] == [
        (films[1], "refused", reviewer.name)
    ]
    assert [event["facts"]["reason"] for event in events(sqlite_home, "link.refused")] == ["他人现场"]
    page = reviewer.page(AT)
    assert "没有待确认的关联" in page
    assert "现场二.jpg" not in page
    waiting = {row.original for row in build_jobs(sqlite_home).listed(state="waiting") if row.stage == "index"}
    assert set(films) <= waiting


def test_the_opinion_is_signed_with_its_reason_and_with_what_was_watched(
    sqlite_home: Home, films: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    reviewer, auditor = person(sqlite_home, "reviewer"), person(sqlite_home, "auditor")
    reviewer.send(f"/originals/{films[0]}/looks", purpose="决定前审核")
    headers, at = {"X-CSRF-Token": reviewer.sign()}, "/api/originals/{}/watched"
    for seconds, stretches in ((75.0, [[0, 60, 1]]), (30.0, [[10, 20, 1], [100, 120, 4]])):
        told = {"seconds": seconds, "stretches": stretches}
        later(sqlite_home, monkeypatch, timedelta(seconds=75))
        answer = reviewer.client.post(at.format(films[0]), headers=headers, json=told)
    assert answer.json() == {"stretches": [[0, 60, 1], [100, 120, 4]]}
    assert reviewer.client.post(at.format(films[1]), headers=headers, json=told).status_code == 404, "no look was begun"
    told["stretches"] = [[3, float("1e9"), 1]]
    assert reviewer.client.post(at.format(films[0]), headers=headers, json=told).status_code == 422
    # A browser that claims the whole of it at once is not believed.
    told = {"seconds": 0, "stretches": [[0, 9_000_000, 1]]}
    answer = reviewer.client.post(at.format(films[0]), headers=headers, json=told)
    assert answer.json()["stretches"] == [[0, 60, 1], [100, 120, 4]]
    page = reviewer.page(AT)
    assert "已打开 1 / 2 份原件，已观看 1:20，总长 15:00" in page
    looked = "已观看 1:20 / 5:00（26 %），其中 0:20 快于 2 倍速"
    assert looked in page
    assert re.findall(r">(\d+:\d\d–\d+:\d\d)<", page) == ["1:00–1:40", "2:00–5:00"]
    assert 'name="opinion"' not in auditor.page(AT)
    sign = {"opinion": "agree", "digest": digest(page)}
    assert auditor.send(f"{AT}/opinion", **sign, reason="x").status_code == 404
    assert "请说明理由" in reviewer.send(f"{AT}/opinion", **sign).text
    assert "请说明理由" in reviewer.send(f"{AT}/opinion", **{**sign, "opinion": "amend"}).text
    assert reviewer.send(f"{AT}/opinion", **{**sign, "opinion": "maybe"}, reason="x").status_code == 400
    Linking(sqlite_home.catalog, sqlite_home.audit).confirm("李法制", films[0], CASE, "已看")
    stale = reviewer.send(f"{AT}/opinion", **sign, reason="补正后提交")
    assert stale.status_code == 400
    assert "打开本页后案件已有变动" in stale.text
    assert "补正后提交" in stale.text
    assert events(sqlite_home, "case.checklist_signed") == []
    sign = {"opinion": "amend", "digest": digest(stale.text), "reason": "补正后提交"}
    assert reviewer.send(f"{AT}/opinion", **sign).status_code == 303
    [event] = events(sqlite_home, "case.checklist_signed")
    facts = event["facts"]
    assert (event["actor"], facts["opinion"], facts["digest"]) == (reviewer.name, "amend", sign["digest"])
    [seen] = facts["watched"]
    assert {name: seen[name] for name in ("original", "seconds", "watched_s", "fast_s", "from_s", "to_s")} == {
        "original": films[0], "seconds": 105.0, "watched_s": 80.0, "fast_s": 20.0, "from_s": 0.0, "to_s": 300.0,
    }  # fmt: skip
    assert seen["stretches"] == [[0, 60, 1], [100, 120, 4]]
    assert looked in auditor.page(AT)
    assert "未观看： 1:00–1:40、2:00–5:00" in auditor.page(AT)
    assert "✓ 已签署，此后无变动" in auditor.page(AT)
    assert "✓ 建议修改后提交" in auditor.page(AT)
    Linking(sqlite_home.catalog, sqlite_home.audit).refuse("李法制", films[1], CASE, "他案")
    after = auditor.page(AT)
    assert "⚠ 签署后有变动" in after
    assert "减少现场二.jpg" in after
    assert "已打开" not in after
    sent = {"opinion": "disagree", "digest": data(reviewer, f"/api{AT}")["digest"], "reason": "程序不合法"}
    assert reviewer.client.post(f"/api{AT}/opinion", json=sent).status_code == 403
    answer = reviewer.client.post(f"/api{AT}/opinion", json=sent, headers={"X-CSRF-Token": reviewer.sign()})
    assert (answer.status_code, answer.json()["opinion"], answer.json()["holds"]) == (200, "disagree", True)


def test_what_a_person_may_not_know_of_is_no_case_no_count_and_no_lane(
    sqlite_home: Home, films: list[str], tmp_path: Path, casereel: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    home, secret, hidden = sqlite_home, "平商务罚字〔2026〕第5号", "平商务罚字〔2026〕第77号"
    put(home, Case(numbers=((secret, None),), title="秘方案"))
    [only] = take(home, tmp_path / "x", "只此一份.jpg")
    link(home, only, hidden)
    restricting = Restricting(home.catalog, home.audit)
    restricting.place(REVIEWER, "商业秘密", kind="trade_secret", case=secret, units=("法制科",))
    for original in (only, films[1]):
        restricting.place(REVIEWER, "个人隐私", kind="personal_privacy", original=original, units=("法制科",))
    inside, outside = person(home, "reviewer", "甲", "法制科"), person(home, "reviewer", "乙", "他科")
    assert (data(inside, "/api/cases")["total"], data(outside, "/api/cases")["total"]) == (3, 1)
    assert data(outside, "/api/cases")["tally"]["all"] == 1
    assert data(outside, "/api/cases")["cases"][0]["recordings"] == 1
    assert data(outside, "/api/cases?q=秘方")["total"] == 0
    for number in (secret, hidden):
        inside.page(f"/cases/{quote(number)}")
        never = "平商务罚字〔2026〕第99号"
        for path in ("/cases/{}", "/api/cases/{}", "/api/cases/{}/timeline"):
            answers = [outside.client.get(path.format(quote(one))) for one in (number, never)]
            assert [answer.status_code for answer in answers] == [404, 404], path
            assert answers[0].text.replace(number, never) == answers[1].text
        assert (
            outside.send(f"/cases/{quote(number)}/links", original=only, act="confirm", reason="x").status_code == 404
        )
        assert data(outside, f"/api/cases/lights?case={quote(number)}") == {}
    # What somebody signed who knows more tells nothing of it either.
    inside.send(f"/originals/{films[1]}/looks", purpose="决定前审核")
    sign = {"opinion": "amend", "digest": digest(inside.page(AT)), "reason": "补正后提交"}
    assert inside.send(f"{AT}/opinion", **sign).status_code == 303
    assert "签署人打开过本案 2 份原件中的 1 份" in (page := inside.page(AT))
    assert "现场二" in page
    page = outside.page(AT)
    assert "签署人打开过" not in page, "of how many is not for them to know"
    assert "签署内容中有您无权知悉的部分" in page
    assert "签署内容中有您无权知悉的部分" not in inside.page(AT)
    at_keyboard = {"CASEREEL_ACCESS_PERSON": outside.name, "CASEREEL_ACCESS_ROLES": f"{outside.name}=reviewer"}
    told = casereel("case", "checklist", CASE, "--lang", "en", environ=at_keyboard).stdout
    assert "signed: 甲" in told
    assert "part of what was signed is not for you to know" in told
    assert films[1] not in page
    assert "现场二" not in page
    assert not any(one in outside.page(f"/api{AT}") for one in ("现场二", films[1]))
    # Nothing changed, though coverage is another for those who may not know of all of it.
    covers = [data(one, f"/api{AT}")["duties"][0]["covered_s"] for one in (inside, outside)]
    assert covers == [900.0, 300.0]
    signed = data(outside, f"/api{AT}")["checklist"]["signed"]
    assert (signed["holds"], signed["changes"], signed["changes_zh"]) == (True, [], [])
    assert signed["remark_zh"] == "签署内容中有您无权知悉的部分"
    assert data(inside, f"/api{AT}")["checklist"]["signed"]["remark"] is None
    assert "900.0" not in page
    assert "签署后有变动" not in page
    Linking(home.catalog, home.audit).confirm("李法制", films[0], CASE, "已看")
    signed = data(outside, f"/api{AT}")["checklist"]["signed"]
    assert (signed["holds"], signed["changes_zh"]) == (False, ["现场一.jpg：由 proposed 变为 confirmed"])
    # Who knows more is told what was not before who signs: the opinion is not on it, and nothing "changed" by that.
    sign = {"opinion": "agree", "digest": digest(outside.page(AT)), "reason": "已核对"}
    assert outside.send(f"{AT}/opinion", **sign).status_code == 303
    page, signed = inside.page(AT), data(inside, f"/api{AT}")["checklist"]["signed"]
    note = "其中 1 份原件签署人无权知悉，签署时未看到，审核意见不涉及这些原件"
    assert re.search(rf'◐ {note}：<a href="/originals/{films[1]}">[^<]*现场二', page)
    assert (signed["by"], signed["holds"], signed["changes"]) == ("乙", True, [])
    assert [one["original"] for one in signed["unseen"]] == [films[1]]
    assert data(inside, f"/api/cases/lights?case={quote(CASE)}")[CASE]["words"].startswith("已签署，但签署人无权知悉")
    page, signed = outside.page(AT), data(outside, f"/api{AT}")["checklist"]["signed"]
    assert ("无权知悉" in page, films[1] in page, signed["unseen"], signed["holds"]) == (False, False, [], True)
    at_keyboard = {"CASEREEL_ACCESS_PERSON": "甲", "CASEREEL_ACCESS_ROLES": "甲=reviewer"}
    at_keyboard["CASEREEL_ACCESS_UNITS"] = "甲=法制科"
    told = casereel("case", "checklist", CASE, "--lang", "en", environ=at_keyboard).stdout
    assert "of the originals that you see 1 were not before who signed" in told
    assert "现场二" in told
    # What came since and the signer may know of is a change, told beside it.
    Linking(home.catalog, home.audit).refuse("李法制", films[0], CASE, "不属本案")
    signed = data(inside, f"/api{AT}")["checklist"]["signed"]
    assert (signed["holds"], signed["changes_zh"], len(signed["unseen"])) == (False, ["减少现场一.jpg"], 1)
    assert films[1] not in outside.page(f"/api{AT}/timeline")
    assert outside.send(f"{AT}/links", original=films[1], act="refuse", reason="x").status_code == 404
    person(home, "operator").page("/cases", 404)
