"""Claims that cannot be true: clocks that began again, dates before digital recorders, dates that have not come yet."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final, Literal

from pipeline.records import TimeClaim, Words
from pipeline.rules import TimestampRules
from pipeline.timing.texts import DAY_S, shown_in

# Nothing is computed with instants outside these years, whatever the rules say: no claim is worth an overflow.
_COMPUTABLE_YEARS: Final = range(1900, 2200)


@dataclass(frozen=True)
class Fault:
    """Why a claim cannot decide. certain: no; it may be true, and a witness clears it. code: of the caveat, if any."""

    reason: Words
    code: Literal["clock_reset", "time_in_future", ""] = ""
    certain: bool = True


def in_utc(claim: TimeClaim) -> datetime | None:
    """The claim's instant in UTC; None where it has none, or one that is no instant."""
    if claim.at is None or claim.at.tzinfo is None:
        return None
    try:
        return claim.at.astimezone(UTC)
    except (OverflowError, ValueError):
        return None


def fault_of(claim: TimeClaim, *, zone: tzinfo, now: datetime, rules: TimestampRules) -> Fault | None:
    """Why the claim cannot be true; None where it can."""
    at = in_utc(claim)
    if at is None:
        return Fault(Words(claim.note or "it says no instant", "其中没有可用的时刻"))
    typed = claim.precision_s >= DAY_S  # days and years are typed by people; no clock stands behind them
    if at.year not in _COMPUTABLE_YEARS or at.date() < rules.limits.earliest:
        return _reset_of(at, claim, zone, rules) or Fault(
            Words(f"{at:%Y-%m-%d} lies before the first digital recorders", f"{at:%Y-%m-%d} 早于数字设备出现之前"),
            "" if typed else "clock_reset",
        )
    if not typed and (fault := _reset_of(at, claim, zone, rules)) and fault.certain:
        return fault
    ahead = at - now
    if ahead > timedelta(seconds=rules.limits.future_slack_s):
        told = Words(f"{at:%Y-%m-%d} had not come yet", f"{at:%Y-%m-%d} 尚未到来")
        return Fault(told, "" if typed else "time_in_future")
    if ahead > timedelta(seconds=rules.limits.zone_slack_s) and not typed and claim.marks != "saved":
        # Digits of another zone may be hours ahead; then they are true, and the instant is not.
        told = Words(
            f"{at:%Y-%m-%d %H:%M}Z lies after the file was handed in", f"{at:%Y-%m-%d %H:%M}（世界时）晚于文件上交时间"
        )
        return Fault(told, "time_in_future", certain=False)
    if typed or (claim.zone_known and rules.may_witness(claim.source)):
        return None  # a clock set by satellites or a network begins again at no New Year
    return _reset_of(at, claim, zone, rules)


def _reset_of(at: datetime, claim: TimeClaim, zone: tzinfo, rules: TimestampRules) -> Fault | None:
    """The reset whose first hours the clock shows, whichever of its zones one reads it in."""
    if claim.precision_s >= DAY_S or at.year < 2 or at.year > 9990:
        return None
    clocks = {at, shown_in(at, zone)}
    if claim.offset_min is not None and abs(claim.offset_min) <= 14 * 60:
        clocks.add(shown_in(at, claim.offset_min))
    for rule in rules.resets:
        for shown in clocks:
            if rule.covers(shown.date(), shown.hour * 3600 + shown.minute * 60 + shown.second):
                told = Words(
                    f"{shown:%Y-%m-%d %H:%M:%S} is where clocks begin: {rule.why}",
                    f"{shown:%Y-%m-%d %H:%M:%S} 是时钟重置后的起点：{rule.why_zh}",
                )
                return Fault(told, "clock_reset", rule.certain)
    return None
