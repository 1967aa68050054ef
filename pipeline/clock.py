"""How far the machine's clock can be believed: a pure function over successive readings. It has no clock itself.

Beside the wall clock a machine counts the seconds since it was started, which nobody can set. Where the two part by
more than `jump_s`, somebody or something set the clock. The time that retention goes by (`sure_at`) moves with the
counted seconds and follows the wall clock only by a small drift, so that a clock set forward brings nothing nearer;
where the wall clock is behind it, the wall clock counts. While the clock is in doubt nothing is released: until a
person confirms it, or until it has agreed with the counted seconds for the cooling time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Literal

JUMP_S: Final = 2.0
# A wall clock may be slewed by so much of the time that passed; half a year of that is four hours.
DRIFT: Final = 0.001

Change = Literal["jump", "plausible"]


@dataclass(frozen=True, kw_only=True)
class Reading:
    """One look. ticks_s: seconds since the machine was started, sleep included; boot: which start that was."""

    wall_at: datetime
    ticks_s: float
    boot: str


@dataclass(frozen=True, kw_only=True)
class Limits:
    """off_s: a machine may be off for so long; cooling_s: how long a doubtful clock must agree."""

    off_s: float
    cooling_s: float


@dataclass(frozen=True, kw_only=True)
class Clock:
    """The last reading, and what is believed. agreed_s: how long the clock has agreed since it was doubted."""

    wall_at: datetime
    ticks_s: float
    boot: str
    sure_at: datetime
    doubt: bool = False
    agreed_s: float = 0.0

    @property
    def earliest(self) -> datetime:
        """It is at least this late: what periods are compared with."""
        return min(self.wall_at, self.sure_at)

    @property
    def latest(self) -> datetime:
        """It is at most this late: what approvals grow old by."""
        return max(self.wall_at, self.sure_at)


def begun(reading: Reading) -> Clock:
    """The clock of a machine that was never looked at, or that a person said is right."""
    return Clock(wall_at=reading.wall_at, ticks_s=reading.ticks_s, boot=reading.boot, sure_at=reading.wall_at)


def followed(before: Clock, reading: Reading, limits: Limits) -> tuple[Clock, Change | None, float]:
    """The clock after this reading, what changed by it, and by how many seconds the wall clock moved by itself."""
    if reading.boot and reading.boot == before.boot and reading.ticks_s >= before.ticks_s:
        return _while_running(before, reading, limits)
    return _after_a_start(before, reading, limits)


def _while_running(before: Clock, reading: Reading, limits: Limits) -> tuple[Clock, Change | None, float]:
    passed_s = reading.ticks_s - before.ticks_s
    moved_s = _seconds(reading.wall_at, before.wall_at) - passed_s
    expected = before.sure_at + timedelta(seconds=passed_s)
    apart_s, slack_s = _seconds(reading.wall_at, expected), passed_s * DRIFT
    sure_at = expected + timedelta(seconds=max(-slack_s, min(slack_s, apart_s)))
    now = replace(before, wall_at=reading.wall_at, ticks_s=reading.ticks_s, sure_at=sure_at)
    if abs(moved_s) > JUMP_S:
        return replace(now, doubt=True, agreed_s=0.0), "jump", moved_s
    if not before.doubt:
        return now, None, moved_s
    agrees = abs(_seconds(reading.wall_at, sure_at)) <= JUMP_S
    agreed_s = before.agreed_s + passed_s if agrees else 0.0
    if agreed_s >= limits.cooling_s:
        return replace(now, doubt=False, agreed_s=0.0), "plausible", moved_s
    return replace(now, agreed_s=agreed_s), None, moved_s


def _after_a_start(before: Clock, reading: Reading, limits: Limits) -> tuple[Clock, Change | None, float]:
    """Nobody counted while the machine was off: the wall clock is believed within what is usual."""
    moved_s = _seconds(reading.wall_at, before.wall_at)
    now = replace(before, wall_at=reading.wall_at, ticks_s=reading.ticks_s, boot=reading.boot)
    if moved_s < -JUMP_S or moved_s > limits.off_s:
        return replace(now, doubt=True, agreed_s=0.0), "jump", moved_s
    return replace(now, sure_at=before.sure_at + timedelta(seconds=max(moved_s, 0.0))), None, 0.0


def _seconds(later: datetime, earlier: datetime) -> float:
    return (later - earlier) / timedelta(seconds=1)
