"""A device's clock between, beyond and beside what was measured of it."""

from __future__ import annotations

import random
import statistics
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

import pytest

from indexer.figures.clock_plot import drawn
from pipeline.records import ClockOffset, TimeClaim
from pipeline.timing.clocks import DRIFT_S_PER_DAY, WANDER_S_PER_DAY, DeviceClock
from pipeline.timing.deciding import decide

ZONE = ZoneInfo("Asia/Shanghai")
START = datetime(2026, 3, 1, tzinfo=UTC)


def measured(day, offset_s, uncertainty_s=0.5, how="measured"):
    return ClockOffset(
        device="ZF-001",
        at=START + timedelta(days=day),
        offset_s=offset_s,
        uncertainty_s=uncertainty_s,
        how=how,
        by="王",
    )


def off(offsets, day):
    found = DeviceClock(offsets).true_at(START + timedelta(days=day))
    return found and (round(found.offset_s, 3), round(found.uncertainty_s, 3))


def test_nothing_is_known_of_a_clock_that_was_never_measured():
    assert off([], 3) is None


def test_between_two_measurements_the_drift_is_even_and_least_sure_in_the_middle():
    two = [measured(0, 10.0), measured(10, 30.0)]
    assert [off(two, day) for day in (0, 5, 10)] == [(10.0, 0.5), (20.0, 0.5 + 5 * WANDER_S_PER_DAY), (30.0, 0.5)]


def test_beyond_one_measurement_it_may_drift_and_beyond_two_it_goes_on_drifting():
    assert off([measured(0, 10.0)], 5) == (10.0, 0.5 + 5 * DRIFT_S_PER_DAY)
    assert off([measured(0, 10.0)], -5) == (10.0, 0.5 + 5 * DRIFT_S_PER_DAY)
    two = [measured(0, 10.0), measured(10, 30.0)]
    assert off(two, 15) == (40.0, 0.5 + 5 * WANDER_S_PER_DAY)
    assert off(two, -5) == (0.0, 0.5 + 5 * WANDER_S_PER_DAY)


def test_a_noted_setting_ends_what_was_known_before():
    clock = [measured(0, 100.0), measured(10, 0.0, how="set"), measured(20, 20.0)]
    assert off(clock, 9.9) == (100.0, round(0.5 + 9.9 * DRIFT_S_PER_DAY, 3))
    assert off(clock, 10) == (0.0, 0.5)
    assert off(clock, 15) == (10.0, 0.5 + 5 * WANDER_S_PER_DAY)


def test_a_jump_that_nobody_noted_leaves_both_offsets_possible():
    clock = [measured(0, 0.0), measured(10, 3600.0)]
    assert off(clock, 2) == (0.0, 3600.5)
    assert off(clock, 8) == (3600.0, 3600.5)
    assert off(clock, 11)[0] == 3600.0


def test_a_doubtful_measurement_among_surer_ones_bends_nothing_and_tells_what_they_do_not():
    two, doubtful = [measured(0, 10.0), measured(10, 30.0)], measured(5, 45.0, 30.0, how="compared")
    assert [off([*two, doubtful], day) for day in (2, 5, 8)] == [off(two, day) for day in (2, 5, 8)]
    assert off([two[0], measured(40, 150.0, 30.0, how="compared")], 40) == (150.0, 30.0)


def test_a_doubtful_measurement_that_contradicts_the_surer_ones_leaves_both_offsets_possible():
    clock = [measured(0, 10.0), measured(10, 10.0), measured(5, 3610.0, 30.0, how="compared")]
    assert off(clock, 5) == (3610.0, 3600.0 + 30.0)
    assert off(clock, 1) == (10.0, 3600.0 + 0.5)


def test_what_it_showed_is_looked_up_by_what_was_true():
    year_s = 365 * 86400.0
    clock = DeviceClock([measured(0, -5 * year_s, how="set"), measured(100, -5 * year_s + 50)])
    found = clock.off_at(START + timedelta(days=50) - timedelta(seconds=5 * year_s))
    assert found is not None
    assert found.offset_s == pytest.approx(-5 * year_s + 25, abs=0.01)


def test_the_stated_uncertainty_holds_for_clocks_as_they_drift():
    """Quartz within 50 ppm whose rate walks with the temperature of the days, measured every three weeks or so."""
    chance, inside, errors = random.Random(5), [], []
    for _ in range(200):
        rate, offset_s, at_day, true = chance.uniform(-4.3, 4.3), chance.uniform(-300, 300), 0, [0.0] * 121
        walk = 0.0
        for day in range(121):
            true[day] = offset_s
            walk = 0.8 * walk + chance.gauss(0, 0.25)
            offset_s += rate + walk
        offsets = []
        while at_day <= 120:
            offsets.append(measured(at_day, true[at_day] + chance.gauss(0, 0.3), 1.0))
            at_day += chance.randint(10, 30)
        for day in range(0, 121, 3):
            found = off(offsets, day)
            errors.append(abs(found[0] - true[day]))
            inside.append(errors[-1] <= found[1])
    assert statistics.fmean(inside) >= 0.97
    assert statistics.median(errors) < 1.5


def claim(shown, source="exif.DateTimeOriginal", **more):
    values = {"zone_known": False, "offset_min": None, "marks": "start", "precision_s": 1.0, "trust": 90, **more}
    return TimeClaim(source=source, found=str(shown), at=shown, **values)


HALF = timedelta(seconds=0.5)


def decided(claims, offsets):
    return decide(
        claims, duration_s=60.0, zone=ZONE, now=START + timedelta(days=400), clock=DeviceClock(offsets)
    )  # fmt: skip


def test_a_measured_offset_is_taken_off_and_settles_the_zone_too():
    shown = START + timedelta(days=5)
    time, caveats = decided([claim(shown)], [measured(0, 125.0), measured(10, 125.0)])
    # Digits of whole seconds are cut off: it was up to a second later, half a one on average.
    assert time.start_at == shown - timedelta(seconds=125) + HALF
    assert "half of their step, 0.5 s, was added" in time.why
    assert "0.5 秒" in time.why_zh
    fine, _ = decided([replace(claim(shown), precision_s=0.001)], [measured(0, 125.0), measured(10, 125.0)])
    assert abs(fine.start_at - (shown - timedelta(seconds=125))) < timedelta(seconds=0.001)
    assert "half" not in fine.why
    assert (time.end_at - time.start_at, time.zone_known) == (timedelta(seconds=60), True)
    assert time.uncertainty_s == pytest.approx(1.0 + 0.5 + 5 * WANDER_S_PER_DAY, abs=0.01)
    assert time.method.endswith("+clock")
    assert "125.0 s ahead" in time.why
    assert [one.code for one in caveats] == []


def test_satellite_time_needs_no_correction():
    shown = START + timedelta(days=5)
    time, _ = decided([claim(shown, "gps", zone_known=True, offset_min=0, trust=95)], [measured(0, 125.0)])
    assert time.start_at == shown


def test_a_clock_known_to_be_years_off_is_believed_as_far_as_it_was_measured():
    shown = datetime(2000, 1, 1, 3, 0, tzinfo=UTC)
    true = START + timedelta(days=2)
    clock = [measured(1, (shown - true).total_seconds()), measured(3, (shown - true).total_seconds())]
    time, caveats = decided([claim(shown)], clock)
    assert time.start_at == true + HALF
    assert "clock_reset" not in [one.code for one in caveats]
    without, doubts = decided([claim(shown)], [])
    assert without is None or "clock_reset" in [one.code for one in doubts]


def test_the_plot_is_a_picture_that_names_its_measurements():
    picture = ElementTree.fromstring(
        drawn("ZF<1>", [measured(0, 10.0), measured(10, 30.0)], START + timedelta(days=20))
    )
    circles = [one for one in picture.iter() if one.tag.endswith("circle")]
    assert len(circles) == 2
    assert {one.get("cx") for one in circles} == {"80.0", "435.0"}
