"""Headers of written records, as bureaus' templates print them."""

from __future__ import annotations

import pytest

from pipeline.writings import Header, folded, header_of, stretch_of

INSPECTION = """平罗县商务和经济技术合作局
现 场 检 查（勘验）笔 录
平商务检字〔2021〕第12号
案由：涉嫌未按规定报送信息
检查时间：2021年8月3日10时05分至10时40分
检查地点：平罗县城关镇民族街12号
被检查人：平罗县某某商贸有限公司　法定代表人：张三　统一社会信用代码：91640221MA75WXY11K
检查人员：王建国、李红　执法证号：640103001、640103002
记录人：李  红　见证人：赵 六
案号：平商务罚字〔2021〕第3号
现场情况：检查时间：2020年1月1日1时1分，依据平商务罚字〔2020〕第9号
被检查人（签名）：张三"""

INQUIRY = """询问（调查）笔录
（第1次）
时间：2021年8月3日下午3时05分至
2021年8月3日下午4时10分
地　点：县商务局二楼询问室
被询问人：李四　性别：男　年龄：42　身份证号：640221197901011234
工作单位：平罗县某某商贸有限公司　电话：13900000000
询问人：王建国（执法证号：A640103001）、马  强（执法证号：A640103002）
记录人：马强
问：我们是平罗县商务局执法人员，这是我们的证件。
答：看清楚了。被询问人：赵七"""

SEIZURE = [["查封（扣押）决定书", "平商务查扣字〔2021〕第2号"], ["", "当事人：甲公司、乙公司", "编号：0012"]]


def header(text: str) -> Header:
    return header_of([text.splitlines()])


def values(found: Header) -> dict[str, object]:
    return {one.name: one.value for one in found.fields}


def test_an_inspection_record_says_what_when_where_and_who() -> None:
    found = header(INSPECTION)
    assert values(found) == {
        "kind": "现场检查(勘验)笔录", "from": "2021-08-03T10:05:00", "to": "2021-08-03T10:40:00", "on": "2021-08-03",
        "place": "平罗县城关镇民族街12号", "party": ["平罗县某某商贸有限公司"], "officer": ["王建国", "李红"],
        "clerk": ["李红"], "witness": ["赵六"], "persons": ["平罗县某某商贸有限公司", "王建国", "李红", "赵六"],
        "credentials": ["640103001", "640103002"], "case": "平商务罚字〔2021〕第3号", "subject": "涉嫌未按规定报送信息",
        "credit_code": "91640221MA75WXY11K",
    }  # fmt: skip
    assert {one.name: one.line for one in found.fields if one.name in ("kind", "from", "place", "case")} == {
        "kind": 2, "from": 5, "place": 6, "case": 10,
    }  # fmt: skip
    assert found.doubts == ()


def test_an_inquiry_record_with_its_time_on_two_lines_and_credentials_in_brackets() -> None:
    found = values(header(INQUIRY))
    assert (found["kind"], found["from"], found["to"]) == (
        "询问(调查)笔录", "2021-08-03T15:05:00", "2021-08-03T16:10:00",
    )  # fmt: skip
    assert (found["place"], found["party"], found["officer"]) == ("县商务局二楼询问室", ["李四"], ["王建国", "马强"])
    assert found["credentials"] == ["A640103001", "A640103002"]
    assert "640221197901011234" not in str(found)  # an identity card's number is no credential
    assert "赵七" not in str(found)


def test_cells_of_a_table_and_spaces_stand_for_colons() -> None:
    found = values(
        header("送达回证\n受送达人\t甲公司\n送达时间 2021年8月3日9时\n送达地点\t甲公司办公室\n送达人\t王建国\t马强")
    )
    assert found["kind"] == "送达回证"
    assert found["from"] == "2021-08-03T09:00:00"
    assert "to" not in found
    assert (found["party"], found["place"], found["officer"]) == (["甲公司"], "甲公司办公室", ["王建国", "马强"])


def test_fields_are_told_with_the_page_on_which_they_stand() -> None:
    found = header_of(SEIZURE)
    assert [(one.name, one.value, one.page, one.line) for one in found.fields] == [
        ("kind", "查封(扣押)决定书", 1, 1), ("party", ["甲公司", "乙公司"], 2, 2),
        ("persons", ["甲公司", "乙公司"], 2, 2), ("number", "0012", 2, 3),
    ]  # fmt: skip
    assert [(one.printed, one.own, one.page) for one in found.numbers] == [("平商务查扣字〔2021〕第2号", True, 1)]


def test_numbers_that_are_its_own_come_before_those_it_only_names() -> None:
    found = header(INSPECTION).numbers
    assert [(one.key, one.own, one.labelled, one.line) for one in found] == [
        ("平商务检-2021-12", True, False, 3), ("平商务罚-2021-3", True, True, 10),
        ("平商务罚-2020-9", False, False, 11),
    ]  # fmt: skip
    assert header("根据平政办发〔2019〕82号文件\n国办发〔2018〕118号").numbers == ()


def test_an_empty_template_says_what_it_is_and_nothing_else() -> None:
    blank = """现场检查笔录
案由：____________
检查时间：    年  月  日  时  分至  时  分
检查地点：
被检查人：        性别：    年龄：
检查人员：        执法证号：
农 〔 〕 号"""
    assert {name for name in values(header(blank)) if name not in ("subject", "kind")} <= {"place"}


def test_an_end_before_its_beginning_is_told_and_not_used() -> None:
    found = header("检查时间：2021年8月3日10时40分至10时05分")
    assert values(found) == {"from": "2021-08-03T10:40:00", "on": "2021-08-03"}
    assert [code for code, _, _ in found.doubts] == ["record_times_reversed"]


@pytest.mark.parametrize(("text", "first", "last"), [
    ("2021年8月3日10时05分至2021年8月3日11时", "08-03T10:05", "08-03T11:00"),
    ("二〇二一年八月三日上午九时三十分至十一时", "08-03T09:30", "08-03T11:00"),
    ("２０２１年８月３日下午３时５分－４时１０分", "08-03T15:05", "08-03T16:10"),
    ("2021-08-03 10:05 至 10:40", "08-03T10:05", "08-03T10:40"),
    ("2021.8.3 10:05—10:40", "08-03T10:05", "08-03T10:40"),
    ("2021年8月3日23时50分至8月4日1时20分", "08-03T23:50", "08-04T01:20"),
    ("2021年8月3日10点半到11点", "08-03T10:30", "08-03T11:00"),
    ("自2021年8月3日10时起至4日9时止", "08-03T10:00", "08-04T09:00"),
    ("2021年8月3日中午12时10分", "08-03T12:10", None),
    ("2021年8月3日22时至24时", "08-03T22:00", "08-04T00:00"),
    ("2021年8月3日", None, None),
    ("2021年2月30日10时", None, None),
    ("2021年8月3日25时", None, None),
    ("   年  月  日  时", None, None),
])  # fmt: skip
def test_stretches_of_time_in_every_spelling(text: str, first: str | None, last: str | None) -> None:
    begins, ends, _ = stretch_of(folded(text))
    assert begins == (None if first is None else begins.__class__.fromisoformat(f"2021-{first}"))
    assert ends == (None if last is None else ends.__class__.fromisoformat(f"2021-{last}"))


@pytest.mark.parametrize("title", ["会议记录", "关于印发行政处罚决定书格式的通知：", "说明"])
def test_what_is_no_record_has_no_kind(title: str) -> None:
    assert header(f"{title}\n正文").of("kind") is None


def test_hostile_text_takes_no_time() -> None:
    for line in ("时 " * 200_000, "(" * 100_000, "当事人：" * 50_000, "1" * 100_000, "年月日" * 60_000):
        header_of([[line] * 5])
