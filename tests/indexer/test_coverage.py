"""What recordings show of a duty: the union of all devices, and what is missing, with its class."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from indexer.coverage import Shown, coverage_of, steps_of
from pipeline.acts.excusing import Excuse
from pipeline.errors import BadInput
from pipeline.records import Activity

RULES = steps_of(Path("/nonexistent"))
TEN = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)


def at(seconds):
    return TEN + timedelta(seconds=seconds)


def duty(length_s=3600.0, step="查封"):
    return Activity(code="A1", step=step, from_at=TEN, to_at=at(length_s))


def shown(first_s, last_s, device="ZF-001", uncertainty_s=0.0, set_at=()):
    return Shown(
        original=f"{device} {first_s}", name=f"{first_s}.mp4", device=device, from_at=at(first_s), to_at=at(last_s),
        uncertainty_s=uncertainty_s, set_at=tuple(map(at, set_at)),
    )  # fmt: skip


def gaps(covered):
    return [(round((gap.from_at - TEN).total_seconds(), 3), gap.length_s, gap.kind) for gap in covered.gaps]


def test_a_whole_recording_covers_all_of_it_and_no_more():
    covered = coverage_of(duty(), [shown(-60, 3700)], RULES)
    assert (covered.covered_s, covered.share, covered.gaps, covered.fulfilled) == (3600.0, 1.0, (), True)


def test_files_that_follow_one_another_within_a_switch_are_told_and_no_fault():
    covered = coverage_of(duty(), [shown(0, 600), shown(600.04, 1800), shown(1801.5, 3600)], RULES)
    assert gaps(covered) == [(600.0, 0.04, "file_split"), (1800.0, 1.5, "file_split")]
    assert covered.covered_s == pytest.approx(3598.46)
    assert covered.fulfilled


def test_a_gap_names_the_recordings_beside_it():
    covered = coverage_of(duty(), [shown(0, 600), shown(691, 3600)], RULES)
    [gap] = covered.gaps
    assert (gap.kind, gap.length_s, gap.before.name, gap.after.name) == ("unexplained", 91.0, "0.mp4", "691.mp4")
    assert not covered.fulfilled


def test_another_device_fills_a_gap_and_is_named():
    covered = coverage_of(duty(), [shown(0, 600), shown(700, 3600), shown(590, 710, "ZF-002")], RULES)
    assert (covered.gaps, covered.devices) == ((), ("ZF-001", "ZF-002"))


def test_a_short_gap_between_two_devices_is_no_switch_of_files():
    covered = coverage_of(duty(), [shown(0, 600), shown(601, 3600, "ZF-002")], RULES)
    assert gaps(covered) == [(600.0, 1.0, "unexplained")]


def test_a_clock_that_was_set_in_between_makes_the_gap_one_of_the_clock():
    covered = coverage_of(duty(), [shown(0, 600), shown(900, 3600, set_at=(600,))], RULES)
    assert gaps(covered) == [(600.0, 300.0, "clock_step")]


def test_what_lies_before_the_first_and_after_the_last_recording_is_outside():
    covered = coverage_of(duty(), [shown(20, 3580)], RULES)
    assert gaps(covered) == [(0.0, 20.0, "outside"), (3580.0, 20.0, "outside")]
    assert covered.fulfilled  # people are at the door
    assert not coverage_of(duty(), [shown(31, 3600)], RULES).fulfilled


def test_nothing_shown_is_one_gap():
    covered = coverage_of(duty(), [shown(-500, -1), shown(3601, 4000)], RULES)
    assert (gaps(covered), covered.share, covered.fulfilled) == ([(0.0, 3600.0, "outside")], 0.0, False)


def test_uncertain_ends_are_covered_and_not_sure_and_the_joints_of_one_clock_are_sure():
    covered = coverage_of(duty(), [shown(0, 1800, uncertainty_s=60), shown(1800, 3600, uncertainty_s=60)], RULES)
    assert (covered.covered_s, covered.sure_s) == (3600.0, 3480.0)


def test_a_moment_is_covered_or_it_is_not():
    assert coverage_of(duty(0.0), [shown(-10, 10)], RULES).share == 1.0
    assert coverage_of(duty(0.0), [shown(10, 20)], RULES).share == 0.0


@pytest.mark.parametrize(("step", "required", "without"), [
    ("查封扣押", "full", False), ("现场检查(勘验)", "some", True), ("留置送达", "once", False), ("喝茶", "some", True),
    ("先行登记保存", "full", False), ("行政强制执行", "full", False),
])  # fmt: skip
def test_the_rule_of_a_step_is_found_by_its_words(step, required, without):
    covered = coverage_of(duty(step=step), [], RULES)
    assert (covered.step.required, covered.fulfilled) == (required, without)


def test_a_home_s_own_rules_take_the_place_of_the_shipped_ones(tmp_path):
    text = """version = "x"
[limits]
split_s = 5
edge_s = 0
[[step]]
name = "all"
required = "full"
words = []
zh = "全部"
source = "here"
"""
    (tmp_path / "steps.toml").write_text(text, encoding="utf-8")
    assert steps_of(tmp_path).of("现场检查").required == "full"
    (tmp_path / "steps.toml").write_text(text.replace("full", "always"), encoding="utf-8")
    with pytest.raises(BadInput, match="required is one of"):
        steps_of(tmp_path)


def test_covered_and_missing_seconds_are_those_counted_one_by_one():
    chance = random.Random(11)
    for _ in range(40):
        some = [(start, start + chance.randint(1, 400)) for start in (chance.randint(-200, 3700) for _ in range(25))]
        covered = coverage_of(duty(), [shown(a, b, f"ZF-{a % 3}") for a, b in some], RULES)
        seconds = sum(any(a <= second < b for a, b in some) for second in range(3600))
        assert covered.covered_s == pytest.approx(seconds)
        assert covered.covered_s + sum(gap.length_s for gap in covered.gaps) == pytest.approx(3600)
        assert covered.sure_s == pytest.approx(seconds)


# -- what a person stated


def stated(from_s=None, to_s=None, step=None, activity=None):
    return Excuse(
        id="E", case="AJ2026-1", case_key="AJ-2026-1", reason="停电", step=step, activity=activity, by="李法制",
        from_at=None if from_s is None else at(from_s), to_at=None if to_s is None else at(to_s),
    )  # fmt: skip


@pytest.mark.parametrize(("excuse", "expected"), [
    (stated(600, 900), [(600.0, 300.0, "pause_explained")]),
    (stated(500, 1000), [(600.0, 300.0, "pause_explained")]),
    (stated(601.5, 899), [(600.0, 300.0, "pause_explained")]),  # nobody states times to the second
    (stated(700, 800),
     [(600.0, 100.0, "unexplained"), (700.0, 100.0, "pause_explained"), (800.0, 100.0, "unexplained")]),
    (stated(900, 1000), [(600.0, 300.0, "unexplained")]),
    (stated(600, 900, step="送达"), [(600.0, 300.0, "unexplained")]),
    (stated(600, 900, step="seizure"), [(600.0, 300.0, "pause_explained")]),
    (stated(600, 900, activity="A2"), [(600.0, 300.0, "unexplained")]),
    (stated(activity="A1"), [(600.0, 300.0, "pause_explained")]),
])  # fmt: skip
def test_a_stated_reason_explains_what_it_is_about_and_no_more(excuse, expected):
    covered = coverage_of(duty(), [shown(0, 600), shown(900, 3600)], RULES, [excuse])
    assert gaps(covered) == expected
    whole = all(kind == "pause_explained" for *_, kind in expected)
    assert (covered.fulfilled, covered.excused, covered.covered_s) == (whole, whole, 3300.0)
    assert {gap.before.name for gap in covered.gaps} == {"0.mp4"}


def test_a_duty_of_which_nothing_was_recorded_may_be_lawful_and_covers_nothing():
    for step in ("查封", "送达"):
        assert not coverage_of(duty(step=step), [], RULES).fulfilled
        covered = coverage_of(duty(step=step), [], RULES, [stated(step=step)])
        assert (covered.fulfilled, covered.excused, covered.share) == (True, True, 0.0)
        assert gaps(covered) == [(0.0, 3600.0, "pause_explained")]
    assert coverage_of(duty(0.0, "送达"), [], RULES, [stated()]).fulfilled


def test_two_stated_reasons_meet_and_each_is_told():
    excuses = [stated(600, 750), stated(750, 900)]
    covered = coverage_of(duty(), [shown(0, 600), shown(900, 3600)], RULES, excuses)
    assert gaps(covered) == [(600.0, 150.0, "pause_explained"), (750.0, 150.0, "pause_explained")]


def test_a_gap_tells_at_which_second_of_which_file_it_begins_and_ends():
    [gap] = coverage_of(duty(), [shown(-20, 600), shown(691, 3600)], RULES).gaps
    assert (gap.before_s, gap.after_s) == (620.0, 0.0)


def test_what_lies_between_files_of_one_recording_tells_the_class():
    first, second = shown(0, 600), shown(900, 3600)
    covered = coverage_of(duty(), [first, second], RULES, (), {(first.original, second.original): "clock_step"})
    assert gaps(covered) == [(600.0, 300.0, "clock_step")]


def test_the_statement_names_every_device_and_what_each_shows():
    covered = coverage_of(duty(), [shown(0, 600), shown(590, 3600, "ZF-002", 10.0)], RULES)
    assert covered.by_device == {"ZF-001": 600.0, "ZF-002": 3010.0}
    english, chinese = covered.statement()
    assert english == "ZF-001 or ZF-002 shows 60 min 0 s of 60 min 0 s (100.0%), 59 min 50 s whatever the clocks"
    assert chinese == "由ZF-001 或 ZF-002 记录了 60 分 0 秒，占全程 60 分 0 秒的 100.0%；计入时钟误差，至少 59 分 50 秒"
    assert coverage_of(duty(), [], RULES).statement()[1] == "没有音像记录"


def stepping(first_s, last_s, *steps, device="ZF-001", uncertainty_s=0.0, begins_s=0.0):
    return replace(shown(first_s, last_s, device, uncertainty_s), steps=steps, begins_s=begins_s)


def test_a_clock_that_steps_inside_a_file_is_told_and_not_bridged():
    covered = coverage_of(duty(), [stepping(-60, 3700, (660.0, -30.0))], RULES)
    assert gaps(covered) == [(600.0, 0.0, "clock_step")]
    assert (covered.covered_s, covered.fulfilled) == (3600.0, False)
    [gap] = covered.gaps
    assert (gap.before_s, gap.after_s, gap.before.original) == (660.0, 660.0, gap.after.original)
    # What follows may lie half a minute elsewhere; what came before does not.
    assert covered.sure_s == 600.0 + (3600 - 600 - 30)


def test_a_hole_inside_a_file_is_a_gap():
    covered = coverage_of(duty(), [stepping(0, 3600, (600.0, 300.0))], RULES)
    assert gaps(covered) == [(600.0, 300.0, "clock_step")]
    assert (covered.gaps[0].before_s, covered.gaps[0].after_s) == (600.0, 900.0)
    assert covered.covered_s == 3300.0


def test_two_steps_are_two_gaps_and_a_part_of_a_file_knows_only_its_own():
    whole = [(600.0, 36_000.0), (1200.0, 60.0), (5000.0, -5.0)]
    assert gaps(coverage_of(duty(), [stepping(0, 3600, *whole)], RULES)) == [
        (600.0, 0.0, "clock_step"), (1200.0, 60.0, "clock_step"),
    ]  # fmt: skip
    # The link begins with second 1000 of the file.
    assert gaps(coverage_of(duty(2600), [stepping(0, 2600, *whole, begins_s=1000.0)], RULES)) == [
        (200.0, 60.0, "clock_step")
    ]


def test_another_device_over_a_step_covers_it_and_a_reason_explains_it():
    step = stepping(0, 3600, (600.0, -30.0))
    assert coverage_of(duty(), [step, shown(590, 610, "ZF-002")], RULES).fulfilled
    told = coverage_of(duty(), [step], RULES, [stated(590, 620)])
    assert gaps(told) == [(600.0, 0.0, "pause_explained")]
    assert (told.fulfilled, told.excused) == (True, True)


def test_a_step_at_the_edge_or_outside_of_a_duty_says_nothing_of_it():
    assert coverage_of(duty(), [stepping(-60, 3700, (30.0, -30.0))], RULES).gaps == ()
    assert coverage_of(duty(), [stepping(-60, 3700, (3690.0, -30.0))], RULES).gaps == ()
