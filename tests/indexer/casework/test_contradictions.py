"""What is written of a case against what its recordings show, beyond what clocks and writing leave open."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from indexer.casework.case_file import CaseFile, Written
from indexer.casework.contradictions import contradictions_of
from indexer.coverage import Shown, steps_of
from pipeline.records import Activity, Case

RULES = steps_of(Path("/nonexistent"))
TEN = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)  # ten o'clock in the bureau


def at(minutes):
    return TEN + timedelta(minutes=minutes)


def film(first, last, name="a.mp4", activity=None, uncertainty_s=1.0):
    return Shown(original=name, name=name, device="ZF-001", from_at=at(first), to_at=at(last), activity=activity,
                 uncertainty_s=uncertainty_s)  # fmt: skip


def act(first, last, code="A1", step="询问", people=(), place=None):
    return Activity(code=code, step=step, from_at=at(first), to_at=at(last), people=people, place=place)


def found(activities=(), shown=(), written=(), others=()):
    file = CaseFile(case=Case(numbers=(("AJ2026-1", None),)), activities=tuple(activities), shown=tuple(shown),
                    written=tuple(written), all_activities=(*activities, *others))  # fmt: skip
    return contradictions_of(file, RULES, "Asia/Shanghai")


def codes(**said):
    return [one.code for one in found(**said)]


def test_what_agrees_within_the_minutes_in_which_people_write_is_no_contradiction():
    record = Written(original="d", name="询问笔录.pdf", kind="询问笔录", from_at=at(0), to_at=at(40))
    assert codes(activities=[act(2, 41)], shown=[film(4, 36, activity="A1")], written=[record]) == []


def test_a_recording_beside_the_activity_that_its_link_names_is_told_with_the_distance():
    [one] = found(activities=[act(0, 40)], shown=[film(100, 120, activity="A1")])
    assert (one.code, one.length_s, one.about) == ("footage_outside_activity", 3600.0, ("a.mp4", "A1"))
    assert "60 分钟" in one.text_zh
    assert codes(activities=[act(0, 40)], shown=[film(100, 120, activity="A1", uncertainty_s=3600)]) == []


def test_a_recording_of_the_case_that_nothing_written_speaks_of_is_told():
    assert codes(activities=[act(0, 40)], shown=[film(100, 120)]) == ["footage_of_no_activity"]
    record = Written(original="d", name="x.pdf", from_at=at(100), to_at=at(120))
    assert codes(activities=[act(0, 40)], shown=[film(100, 120)], written=[record]) == []
    assert codes(shown=[film(100, 120)]) == []


def test_a_written_time_that_begins_before_and_ends_after_the_footage_is_told():
    record = Written(original="d", name="询问笔录.pdf", from_at=at(0), to_at=at(60))
    one, other = found(activities=[act(0, 60)], shown=[film(15, 50)], written=[record])
    assert (one.code, one.length_s) == ("record_begins_before_footage", 900.0)
    assert (other.code, other.length_s) == ("record_ends_after_footage", 600.0)
    assert "10:00" in one.text
    assert "15 min" in one.text


@pytest.mark.parametrize(("kind", "expected"), [
    ("查封现场笔录", ["record_without_footage"]), ("送达回证", ["record_without_footage"]), ("现场检查笔录", []),
])  # fmt: skip
def test_a_record_of_what_had_to_be_recorded_and_was_not_is_told(kind, expected):
    record = Written(original="d", name="d.pdf", kind=kind, from_at=at(0), to_at=at(60))
    assert codes(written=[record]) == expected


def test_the_record_and_the_register_may_differ_by_minutes_and_not_by_more():
    record = Written(original="d", name="笔录.pdf", from_at=at(0), to_at=at(40))
    [one] = found(activities=[act(10, 40)], written=[record], shown=[film(0, 40)])
    assert (one.code, one.length_s, one.about) == ("record_against_register", 600.0, ("d", "A1"))


def test_nobody_is_at_two_places_at_once():
    own, other = act(0, 40, people=("王", "李"), place="甲"), act(30, 60, "B1", people=("李",), place="乙")
    [one] = found(activities=[own], others=[other])
    assert (one.code, one.length_s, one.about) == ("person_at_two_places", 600.0, ("A1", "B1"))
    assert codes(activities=[own], others=[act(40, 60, "B1", people=("李",), place="乙")]) == []
    assert codes(activities=[own], others=[act(30, 60, "B1", people=("李",), place="甲")]) == []
    assert codes(activities=[own, other]) == ["person_at_two_places"]


def test_what_a_clock_left_out_inside_a_file_speaks_for_nothing():
    stepping = replace(film(0, 60), steps=((600.0, 2400.0),))  # nothing from 10 to 50
    record = Written(original="d", name="询问笔录.pdf", kind="询问笔录", from_at=at(20), to_at=at(40))
    assert codes(shown=[film(0, 60)], written=[record]) == []
    assert codes(shown=[stepping], written=[record]) == ["record_without_footage"]
