"""What a case must have: which list is asked, and what each item takes for being there."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from config.settings import SHIPPED
from indexer.casework.case_file import CaseFile, Written
from indexer.casework.checklist import NAME, changes_between, checklist_of, digest_of, list_rules_of, state_of
from indexer.casework.contradictions import Contradiction
from indexer.coverage import Shown, coverage_of, steps_of
from pipeline.edges.database.registers import Linked
from pipeline.errors import BadInput
from pipeline.recordings import Segment, recordings_of
from pipeline.records import Activity, Case, Party

NOWHERE = Path("/nonexistent")
STEPS, RULES = steps_of(NOWHERE), list_rules_of(NOWHERE)
TEN = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
CASE = Case(numbers=(("平商务罚字〔2026〕第3号", None),), parties=(Party(name="鑫源"),))


def linked(name, kind="document", status="confirmed", **more):
    usual = {"sha256": name, "method": "person", "by": None, "activity": None, "from_s": None, "to_s": None}
    return Linked(original=name, name=name, kind=kind, status=status, **{**usual, **more})


def act(code, step, length=600, people=("王", "李"), place="城关镇"):
    return Activity(
        code=code, step=step, from_at=TEN, to_at=TEN + timedelta(seconds=length), people=people, place=place
    )


def film(name="a.mp4", length=600, uncertainty_s=1.0):
    return Shown(original=name, name=name, device="Z", from_at=TEN, to_at=TEN + timedelta(seconds=length),
                 uncertainty_s=uncertainty_s)  # fmt: skip


def told(file, contradictions=()):
    duties = [coverage_of(one, file.shown, STEPS) for one in file.activities if one.from_at]
    return {one.item.name: one for one in checklist_of(file, duties, contradictions, RULES, STEPS).checked}


def lacks(file, item, **more):
    return [text for text, _ in told(file, **more)[item].missing]


@pytest.mark.parametrize(("number", "title", "kind"), [
    ("平商务罚字〔2026〕第3号", "", "penalty"), ("平商务查扣字〔2026〕第3号", "", "coercion"),
    ("AJ2026-3", "强制拆除违法建筑", "coercion"), ("AJ2026-3", "许可核查", "general"),
])  # fmt: skip
def test_the_type_is_told_by_the_numbers_and_the_title(number, title, kind):
    assert RULES.type_of(Case(numbers=((number, None),), title=title)).name == kind


def test_what_hangs_on_a_step_is_asked_only_where_the_case_has_it():
    assert "hearing_record" not in told(CaseFile(case=CASE))
    assert {"hearing_record", "hearing_notice"} <= set(told(CaseFile(case=CASE, activities=(act("A", "听证会"),))))
    general = Case(numbers=(("AJ2026-3", None),))
    assert {one.item.art for one in told(CaseFile(case=general)).values()} == {"recordings", "element"}


def test_a_written_record_counts_by_its_name_or_by_what_its_text_says_it_is():
    assert not told(CaseFile(case=CASE))["notice"].there
    assert told(CaseFile(case=CASE, linked=(linked("行政处罚事先告知书.pdf"),)))["notice"].found == (
        "行政处罚事先告知书.pdf",
    )
    scan = CaseFile(
        case=CASE, linked=(linked("扫描0001.pdf"),), written=(Written(original="扫描0001.pdf", name="", kind="告知书"),)
    )
    assert told(scan)["notice"].there
    assert not told(CaseFile(case=CASE, linked=(linked("告知书现场.mp4", "video"),)))["notice"].there


def test_every_element_says_what_lacks_it():
    file = CaseFile(
        case=replace(CASE, parties=()),
        activities=(act("A", "查封", people=("王",), place=None), replace(act("B", "查封"), from_at=None, to_at=None)),
        linked=(linked("a.mp4", "video", "proposed"), linked("b.wav", "audio"), linked("c.mp4", "video")),
        shown=(film("a.mp4", 300, uncertainty_s=90.0), film("b.wav", 10)), broken=frozenset({"c.mp4"}),
        facts={"c.mp4": {"register.device": "Z", "sidecar.officer": "王"}},
    )  # fmt: skip
    assert lacks(file, "parties") == ["No party is registered"]
    assert lacks(file, "officers") == ["查封 (A) names 1 officer(s): 王"]
    assert lacks(file, "times") == ["查封 (B) lacks its beginning or end"]
    assert lacks(file, "places") == ["查封 (A) lacks its place"]
    assert lacks(file, "recordings") == [
        "查封 (A): 50.0% recorded, 300 s lack without a reason",
        "查封 (B) has no times: what had to be recorded of it is not known",
    ]
    assert lacks(file, "devices") == ["a.mp4: no registered device", "b.wav: no registered device"]
    assert [text.partition(":")[0] for text in lacks(file, "carriers")] == ["a.mp4", "b.wav"]
    assert lacks(file, "clocks") == ["a.mp4: its time is unsure by 90 s", "c.mp4: no time is known"]
    assert lacks(file, "links") == ["a.mp4 is only proposed for the case"]
    assert lacks(file, "digests") == ["c.mp4: an incident is open"]
    assert lacks(file, "transcripts") == ["b.wav: its words are not in writing"]
    assert lacks(replace(file, beside={"b.wav": ("srt",)}), "transcripts") == []
    assert lacks(replace(file, linked=(*file.linked, linked("b 文字记录.txt"))), "transcripts") == []
    against = Contradiction(code="record_without_footage", text="x", text_zh="y", about=())
    assert lacks(file, "contradictions", contradictions=[against]) == ["x"]


def test_a_recording_that_lacks_a_file_is_told_and_not_counted():
    found = recordings_of([Segment(original="1", name="GX020034.MP4", profile="gopro", part="02", sequence="0034")])
    checked = told(CaseFile(case=CASE, recordings=tuple(found)))["members"]
    assert (checked.there, checked.item.must) == (False, False)
    assert "GX010034.MP4" in checked.missing[0][1]


def test_a_signed_state_differs_by_every_thing_that_changes():
    file = CaseFile(case=CASE, activities=(act("A", "查封"),), linked=(linked("a.mp4", "video"),), shown=(film(),))

    def state(one):
        duties = [coverage_of(activity, one.shown, STEPS) for activity in one.activities]
        return state_of(one, checklist_of(one, duties, (), RULES, STEPS), duties, STEPS)

    before = state(file)
    assert changes_between(before, state(file)) == []
    others = {
        "a.mp4: confirmed became proposed": replace(file, linked=(linked("a.mp4", "video", "proposed"),)),
        "a.mp4: confirmed became confirmed 5-9 s": replace(file, linked=(linked("a.mp4", "video", from_s=5, to_s=9),)),
        "a.mp4 is gone": replace(file, linked=()),
        "b.mp4 came": replace(file, linked=(*file.linked, linked("b.mp4", "video"))),
        "coverage of A: [600.0, 598.0] became [300.0, 298.0]": replace(file, shown=(film(length=300),)),
    }
    for said, other in others.items():
        assert said in [text for text, _ in changes_between(before, state(other))], said
        assert digest_of(state(other)) != digest_of(before)
    moved = replace(file, activities=(replace(act("A", "查封"), place="乙"),))
    assert [zh for _, zh in changes_between(before, state(moved)) if "乙" in zh]


def test_a_home_s_own_list_takes_the_place_of_the_shipped_one_and_is_looked_at(tmp_path):
    text = (SHIPPED / NAME).read_text(encoding="utf-8")
    (tmp_path / NAME).write_text(text.replace('version = "2026-11-23"', 'version = "own"'), encoding="utf-8")
    assert list_rules_of(tmp_path).version == "own"
    for wrong in (
        ('check = "parties"', 'check = "weather"'),
        ('of = ["penalty"]', 'of = ["tea"]'),
        ('art = "step"', ""),
    ):
        (tmp_path / NAME).write_text(text.replace(*wrong), encoding="utf-8")
        with pytest.raises(BadInput):
            list_rules_of(tmp_path)
