"""What a clock that was set does, and does not do, to what retention goes by."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from pipeline.clock import Clock, Limits, Reading, begun, followed

AT = datetime(2026, 11, 22, 10, tzinfo=UTC)
LIMITS = Limits(off_s=10 * 86400, cooling_s=72 * 3600)
HOUR, YEAR = 3600.0, 365.25 * 86400


def reading(passed_s: float, off_s: float = 0.0, boot: str = "one", ticks_s: float | None = None) -> Reading:
    """After so many seconds, by a clock that is so far off."""
    ticks = 1000.0 + passed_s if ticks_s is None else ticks_s
    return Reading(wall_at=AT + timedelta(seconds=passed_s + off_s), ticks_s=ticks, boot=boot)


def after(*readings: Reading, limits: Limits = LIMITS) -> tuple[Clock, list[str | None]]:
    clock, changes = begun(readings[0]), []
    for one in readings[1:]:
        clock, change, _ = followed(clock, one, limits)
        changes.append(change)
    return clock, changes


def test_a_clock_that_runs_on_is_believed() -> None:
    clock, changes = after(*(reading(60.0 * minute) for minute in range(100)))
    assert set(changes) == {None}
    assert clock.earliest == clock.latest == AT + timedelta(minutes=99)


@pytest.mark.parametrize("off_s", [10 * YEAR, -10 * YEAR, -HOUR, HOUR, 2.1, -2.1])
def test_a_clock_that_was_set_is_a_jump_and_brings_nothing_nearer(off_s: float) -> None:
    clock, changes = after(reading(0), reading(60), reading(120, off_s), reading(180, off_s))
    assert changes == [None, "jump", None]
    assert clock.doubt
    assert clock.earliest <= AT + timedelta(seconds=180.2)


def test_small_corrections_are_no_jump() -> None:
    clock, changes = after(reading(0), reading(60, 1.9), reading(120, 0.1))
    assert changes == [None, None]
    assert not clock.doubt


def test_a_clock_that_is_advanced_in_small_steps_gains_next_to_nothing() -> None:
    """1.9 s every 10 s for a day would be 4.5 hours; believed is a tenth of a percent."""
    clock, changes = after(*(reading(10.0 * n, 1.9 * n) for n in range(8640)))
    assert set(changes) == {None}
    assert clock.earliest - (AT + timedelta(seconds=86390)) <= timedelta(seconds=87)


def test_a_clock_set_right_again_is_believed_after_the_cooling_time() -> None:
    hours = [reading(120 + HOUR * n) for n in range(73)]
    clock, changes = after(reading(0), reading(60, 10 * YEAR), *hours)
    assert changes[:2] == ["jump", "jump"]
    assert changes[-1] == "plausible"
    assert changes.count("plausible") == 1
    assert not clock.doubt
    clock, _ = after(reading(0), reading(60, 10 * YEAR), *hours[:-1])
    assert clock.doubt


def test_a_clock_left_wrong_is_never_believed_by_itself() -> None:
    days = [reading(120 + 86400.0 * n, 10 * YEAR) for n in range(400)]
    clock, changes = after(reading(0), *days)
    assert clock.doubt
    assert "plausible" not in changes
    assert clock.earliest <= AT + timedelta(days=400)


def test_a_confirmed_clock_is_believed() -> None:
    clock, _ = after(reading(0), reading(60, 10 * YEAR))
    now = reading(120, 10 * YEAR)
    assert clock.doubt
    assert begun(now).earliest == now.wall_at


def test_a_machine_that_was_off_over_a_weekend_goes_on() -> None:
    off = reading(3 * 86400.0, boot="two", ticks_s=5.0)
    clock, changes = after(reading(0), off)
    assert changes == [None]
    assert clock.earliest == off.wall_at


@pytest.mark.parametrize("days", [11, 3650, -1])
def test_a_machine_that_starts_at_another_time_is_doubted(days: float) -> None:
    started = reading(0, days * 86400, boot="two", ticks_s=5.0)
    clock, changes = after(reading(0), started)
    assert changes == ["jump"]
    assert clock.doubt
    assert clock.earliest <= AT


def test_a_start_does_not_end_a_doubt() -> None:
    clock, _ = after(reading(0), reading(60, HOUR), reading(120, HOUR, boot="two", ticks_s=5.0))
    assert clock.doubt


def test_sleep_that_the_counter_counts_is_no_jump() -> None:
    clock, changes = after(reading(0), reading(9 * HOUR))
    assert changes == [None]
    assert clock.earliest == AT + timedelta(hours=9)
