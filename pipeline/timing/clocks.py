"""How far a device's clock was off at a moment, from what was measured of it. Pure.

Between two measurements the offset is interpolated, beyond them carried on; the farther from a measurement, the less
sure. Where it changed faster than a clock can drift, somebody set the clock at a moment that nobody noted: between
the two measurements either offset may hold, and the uncertainty says so. A noted setting begins a new stretch.
A measurement less sure than what the surer ones say of its moment is left out: it would only bend the line.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final

from pipeline.records import ClockOffset, Words
from pipeline.timing.texts import DAY_S

# Recorders' quartz clocks are good to 20 to 50 parts in a million at room temperature: up to 4.3 s a day.
# Source: data sheets of 32.768 kHz tuning-fork crystals (tolerance 20 ppm, -0.04 ppm/K², ageing 3 ppm a year).
DRIFT_S_PER_DAY: Final = 4.0
# How much the drift itself changes, with temperature above all, once it was measured between two moments.
WANDER_S_PER_DAY: Final = 1.0
# Faster than this is no drift.
DRIFT_MOST_S_PER_DAY: Final = 20.0
# Of coarser digits than minutes nothing is known of where in them it was.
CUT_MOST_S: Final = 60.0
HOW_ZH: Final = {
    "measured": "人工测量",
    "filmed": "拍摄时钟卡",
    "compared": "与其他设备比对",
    "gps": "卫星定位",
    "set": "校时",
}


@dataclass(frozen=True)
class Off:
    """A clock's offset at a moment. offset_s: what it shows less what is true; because: the measurements behind it."""

    offset_s: float
    uncertainty_s: float
    because: Words


def cut_off_s(step_s: float) -> float:
    """Seconds that a clock's digits are behind what it showed on average, for digits are cut off and not rounded."""
    return step_s / 2 if 0 < step_s <= CUT_MOST_S else 0.0


class DeviceClock:
    """One device's clock. offsets: its measurements, in any order."""

    def __init__(self, offsets: Sequence[ClockOffset]) -> None:
        self._offsets = _telling(tuple(offsets))

    def off_at(self, shown_at: datetime) -> Off | None:
        """How far the clock was off when it showed this; None where nothing is known of it then."""
        if not self._offsets:
            return None
        # By years off, it is the measurement nearest to what was true then that says how far.
        nearest = min(self._offsets, key=lambda one: _apart_s(one.at + timedelta(seconds=one.offset_s), shown_at))
        found = self.true_at(shown_at - timedelta(seconds=nearest.offset_s))
        return found and self.true_at(shown_at - timedelta(seconds=found.offset_s))

    def true_at(self, true_at: datetime) -> Off | None:
        """How far the clock was off at this true moment; None where nothing is known of it then."""
        return _off(self._offsets, true_at)


@lru_cache(maxsize=256)  # asked for each of a device's recordings
def _telling(offsets: tuple[ClockOffset, ...]) -> Sequence[ClockOffset]:
    """The measurements that tell something, by their moments: settings, and what the surer ones do not say already."""
    kept = sorted((one for one in offsets if one.how == "set"), key=_moment)
    for one in sorted((one for one in offsets if one.how != "set"), key=lambda one: (one.uncertainty_s, one.at)):
        said = _off(kept, one.at)
        if said is None or said.uncertainty_s >= one.uncertainty_s or not _agree(said, one):
            insort(kept, one, key=_moment)
    return kept


def _agree(said: Off, one: ClockOffset) -> bool:
    return abs(said.offset_s - one.offset_s) <= said.uncertainty_s + one.uncertainty_s


def _moment(one: ClockOffset) -> datetime:
    return one.at


def _off(offsets: Sequence[ClockOffset], true_at: datetime) -> Off | None:
    before = [one for one in offsets if one.at <= true_at]
    after = [one for one in offsets if one.at > true_at]
    left = before[-1] if before else None
    # A setting ends what was known before it.
    right = after[0] if after and after[0].how != "set" else None
    if left and right:
        return _between(left, right, true_at) if _drifts(left, right) else _either(left, right, true_at)
    if left:
        slope = _slope(before[-2], left) if len(before) > 1 else None
        return _beyond(left, true_at, slope)
    if right:
        drifting = len(after) > 1 and after[1].how != "set"
        return _beyond(right, true_at, _slope(right, after[1]) if drifting else None)
    return None


def _between(left: ClockOffset, right: ClockOffset, at: datetime) -> Off:
    since_s, until_s = _apart_s(left.at, at), _apart_s(at, right.at)
    share = since_s / (since_s + until_s)
    offset_s = left.offset_s + share * (right.offset_s - left.offset_s)
    away_days = min(since_s, until_s) / DAY_S
    measured_s = left.uncertainty_s + share * (right.uncertainty_s - left.uncertainty_s)
    uncertainty_s = measured_s + WANDER_S_PER_DAY * away_days
    return Off(offset_s, uncertainty_s, _both(left, right))


def _either(left: ClockOffset, right: ClockOffset, at: datetime) -> Off:
    """Set at an unknown moment: the nearer measurement counts, and the other cannot be excluded."""
    nearer = min((left, right), key=lambda one: _apart_s(one.at, at))
    uncertainty_s = abs(right.offset_s - left.offset_s) + nearer.uncertainty_s
    told = _both(left, right)
    because = Words(f"{told.en}: it was set in between", f"{told.zh}，其间校过时")
    return Off(nearer.offset_s, uncertainty_s, because)


def _beyond(known: ClockOffset, at: datetime, slope: float | None) -> Off:
    days = _apart_s(known.at, at) / DAY_S
    drift = (slope or 0.0) * (days if at >= known.at else -days)
    per_day = DRIFT_S_PER_DAY if slope is None else WANDER_S_PER_DAY
    return Off(known.offset_s + drift, known.uncertainty_s + per_day * days, _words(known))


def _slope(one: ClockOffset, other: ClockOffset) -> float | None:
    """Seconds a day between two measurements; None where they are too near to tell, or the clock was set."""
    days = _apart_s(one.at, other.at) / DAY_S
    if (
        other.how == "set"
        or not _drifts(one, other)
        or days * WANDER_S_PER_DAY < one.uncertainty_s + other.uncertainty_s
    ):
        return None
    return (other.offset_s - one.offset_s) / days


def _drifts(one: ClockOffset, other: ClockOffset) -> bool:
    most_s = DRIFT_MOST_S_PER_DAY * _apart_s(one.at, other.at) / DAY_S + one.uncertainty_s + other.uncertainty_s
    return abs(other.offset_s - one.offset_s) <= most_s


def _apart_s(one: datetime, other: datetime) -> float:
    return abs((other - one).total_seconds())


def _words(one: ClockOffset) -> Words:
    if one.how == "set":
        return Words(f"it was set on {one.at:%Y-%m-%d} ({one.by})", f"{one.at:%Y-%m-%d} 校时（{one.by}）")
    side, side_zh = ("ahead", "快") if one.offset_s >= 0 else ("behind", "慢")
    return Words(
        f"it was {abs(one.offset_s):.1f} s {side} on {one.at:%Y-%m-%d} ({one.how}, {one.by})",
        f"{one.at:%Y-%m-%d} {side_zh} {abs(one.offset_s):.1f} 秒（{HOW_ZH[one.how]}，{one.by}）",
    )


def _both(left: ClockOffset, right: ClockOffset) -> Words:
    one, other = _words(left), _words(right)
    return Words(f"{one.en}, and {other.en}", f"{one.zh}，{other.zh}")
