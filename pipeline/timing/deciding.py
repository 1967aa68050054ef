"""Chooses when a recording was made out of all that its sources say, and names why every other claim lost.

A pure function of the claims, the length, the default zone and now. Nothing is averaged and no claim is changed: one
claim wins by trust, the others settle its zone, its end and its doubt. Clocks that began again and dates that have
not come never win. What contradicts the winner becomes a caveat.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, tzinfo
from typing import Final

from pipeline.records import Caveat, DecidedTime, TimeClaim, Words
from pipeline.rules import TimestampRules, timestamp_rules
from pipeline.timing.caveats import (
    MARKS_ZH,
    clock_doubts,
    conflict,
    eight_hours,
    only_saved,
    unknown,
    zone_other,
    zone_unknown,
)
from pipeline.timing.clocks import DeviceClock, Off, cut_off_s
from pipeline.timing.evidence import (
    Moment,
    Scene,
    ZoneBy,
    is_local,
    is_questionable,
    is_recording,
    moment_of,
    starts_of,
    zone_between,
)
from pipeline.timing.faults import Fault, fault_of, in_utc
from pipeline.timing.history import History
from pipeline.timing.texts import DAY_S, instant_of, shown_in

# A measured offset of more than this may be a zone and not a clock that is off.
OFFSETS_NOT_ZONES_S: Final = 890.0
HALF_LEAST_S: Final = 0.05  # finer digits than tenths are not worth a sentence
LONGEST_S: Final = 31 * DAY_S  # a longer length is a broken header, not a recording


@dataclass(frozen=True)
class _Judged:
    claim: TimeClaim
    fault: Fault | None


@dataclass(frozen=True, kw_only=True)
class _Compared:
    """How another claim stands to the decided start. apart_s: 0 where it agrees; shifted_min: it agrees as local."""

    claim: TimeClaim
    reason: Words
    apart_s: float = 0.0
    disagrees: bool = False
    shifted_min: int = 0


def decide(
    claims: Iterable[TimeClaim],
    *,
    duration_s: float | None,
    zone: tzinfo,
    now: datetime,
    rules: TimestampRules | None = None,
    clock: DeviceClock | None = None,
    zone_by: ZoneBy = "default",
    history: History | None = None,
) -> tuple[DecidedTime | None, tuple[Caveat, ...]]:
    """The decided interval and what a reviewer must bear in mind; None where no source says anything believable.

    duration_s: of the recording, None for a photo. zone: of devices that do not say theirs; zone_by: see `Scene`.
    now: aware; when the file was handed in, for no recording is younger. clock: of the device, where anything was
    measured of it. history: what its other recordings say.
    """
    rules = rules or timestamp_rules()
    scene = Scene(zone=zone, length_s=_length_s(duration_s), rules=rules, zone_by=zone_by, history=history or History(),
                  handed_in_at=now)  # fmt: skip
    judged = _cleared([_judge(claim, zone, now, rules, clock) for claim in _ordered(claims)], rules)
    live = [one.claim for one in judged if one.fault is None or not one.fault.certain]
    suspect = {id(one.claim) for one in judged if one.fault is not None}
    doubts = clock_doubts([(one.claim, one.fault) for one in judged if one.fault is not None])
    lost = [_lost(one.claim, one.fault.reason) for one in judged if one.fault is not None and one.fault.certain]

    recording = [claim for claim in live if is_recording(claim) and claim.trust > 0]
    if not recording:
        return _saved_only(live, lost, doubts, scene)
    winner = _winner(recording, suspect)
    others = [claim for claim in live if claim is not winner]
    moment = moment_of(winner, [claim for claim in others if id(claim) not in suspect], scene)
    compared = [_compare(other, winner, moment, scene) for other in others]
    decided = DecidedTime(
        start_at=moment.start_at,
        end_at=_end_at(winner, moment, scene),
        uncertainty_s=_uncertainty_s(winner, moment, compared, scene, suspected=id(winner) in suspect),
        method=moment.method,
        why=f"{winner.source} {moment.because.en}.",
        why_zh=f"{winner.source} {moment.because.zh}。",
        zone_known=moment.zone_known,
        source=winner.source,
        losers=(*(_lost(one.claim, one.reason) for one in compared), *lost),
    )
    off = None if clock is None or rules.may_witness(winner.source) else clock.off_at(moment.start_at)
    if off is not None and not _is_of_another_zone(winner, moment, scene, off):
        moment = replace(moment, zone_known=True)
        decided = _set_right(decided, winner, off)
    return _not_after(decided, now, scene), (*doubts, *_caveats(winner, moment, compared, scene))


def _not_after(decided: DecidedTime, now: datetime, scene: Scene) -> DecidedTime:
    """What lies after the file was handed in ended then at the latest, and by how much its clock is wrong is open."""
    ahead_s = (decided.start_at - now).total_seconds()
    if ahead_s <= 0:
        return decided
    lasting, span = min(decided.end_at - decided.start_at, timedelta(seconds=LONGEST_S)), _span_words(ahead_s)
    return replace(
        decided, start_at=now - lasting, end_at=now, zone_known=False,
        uncertainty_s=max(decided.uncertainty_s, ahead_s + scene.rules.limits.saved_only_s),
        method=f"{decided.method}+handed_in",
        why=f"{decided.why} That is {span.en} after the file was handed in; it ended then at the latest.",
        why_zh=f"{decided.why_zh}该时间比上交晚{span.zh}，录制最迟在上交时结束。",
    )  # fmt: skip


def _is_of_another_zone(winner: TimeClaim, moment: Moment, scene: Scene, off: Off) -> bool:
    """Whether the offset was read off digits that stand in another zone than these: it says nothing of them."""
    stands_min = moment.offset_min if winner.zone_known else None
    likely_min = scene.default_offset_min(moment.start_at)
    return stands_min not in (None, 0, likely_min) and abs(off.offset_s) > OFFSETS_NOT_ZONES_S


def _set_right(decided: DecidedTime, winner: TimeClaim, off: Off) -> DecidedTime:
    """The decided time by a true clock. What the zone left open is settled, for the offset was measured as shown."""
    cut_s = cut_off_s(_step_s(winner))
    by = timedelta(seconds=off.offset_s - cut_s)
    half = f" Its digits are cut off: half of their step, {cut_s:g} s, was added." if cut_s >= HALF_LEAST_S else ""
    half_zh = f"显示值为截断值，另加其最小单位的一半（{cut_s:g} 秒）。" if cut_s >= HALF_LEAST_S else ""
    side, side_zh = ("ahead", "快") if off.offset_s >= 0 else ("behind", "慢")
    return replace(
        decided, start_at=decided.start_at - by, end_at=decided.end_at - by, zone_known=True,
        uncertainty_s=_step_s(winner) + off.uncertainty_s, method=f"{decided.method}+clock",
        why=f"{decided.why} Its clock ran {abs(off.offset_s):.1f} s {side} ({off.because.en}), which was put right."
        + half,
        why_zh=f"{decided.why_zh}设备时钟{side_zh} {abs(off.offset_s):.1f} 秒（{off.because.zh}），已据此校正。"
        + half_zh,
    )  # fmt: skip


def _length_s(duration_s: float | None) -> float | None:
    if duration_s is None or not math.isfinite(duration_s) or not 0 <= duration_s <= LONGEST_S:
        return None
    return duration_s


def _ordered(claims: Iterable[TimeClaim]) -> list[TimeClaim]:
    """The claims by trust, the same claim once; the order they came in decides nothing."""
    return sorted(dict.fromkeys(claims), key=lambda claim: (-claim.trust, claim.source, claim.found, str(claim.at)))


def _judge(
    claim: TimeClaim, zone: tzinfo, now: datetime, rules: TimestampRules, clock: DeviceClock | None
) -> _Judged:  # fmt: skip
    """What a clock shows that is known to be years off is judged by what was true then."""
    off = None if clock is None or rules.may_witness(claim.source) or claim.at is None else clock.off_at(claim.at)
    true = claim if off is None or claim.at is None else replace(claim, at=claim.at - timedelta(seconds=off.offset_s))
    fault = fault_of(true, zone=zone, now=now, rules=rules)
    at = in_utc(claim)
    return _Judged(claim if at is None or at == claim.at else replace(claim, at=at), fault)


def _cleared(judged: Sequence[_Judged], rules: TimestampRules) -> list[_Judged]:
    """Suspects are cleared by a witness of the same day, whose clock is not the device's own."""
    witnesses = [
        one.claim
        for one in judged
        if one.fault is None and one.claim.zone_known and rules.may_witness(one.claim.source)
    ]
    reach = timedelta(seconds=rules.limits.future_slack_s)

    def is_borne_out(claim: TimeClaim) -> bool:
        return any(
            other is not claim and other.at is not None and claim.at is not None and abs(other.at - claim.at) <= reach
            for other in witnesses
        )

    return [
        _Judged(one.claim, None) if one.fault is not None and not one.fault.certain and is_borne_out(one.claim) else one
        for one in judged
    ]


def _winner(recording: Sequence[TimeClaim], suspect: Collection[int]) -> TimeClaim:
    """The most trusted; where that is a mere day, the most trusted moment of that day, if there is one.

    suspect: the ids of claims that may come from a clock that began again; they win only among themselves.
    """
    ranked = sorted(recording, key=lambda claim: (id(claim) in suspect, -claim.trust))
    first = ranked[0]
    if first.precision_s < DAY_S:
        return first
    within = [claim for claim in ranked[1:] if claim.precision_s < DAY_S and id(claim) not in suspect]
    return next((claim for claim in within if _day_apart_s(first, _at(claim)) == 0), first)


def _day_apart_s(day: TimeClaim, at: datetime) -> float:
    """Seconds from the day (or month, or year) to the moment, negative before it; 0 where that day has it anywhere."""
    into_s = (at - _at(day)).total_seconds()
    if into_s < -DAY_S / 2:
        return into_s
    return max(0.0, into_s - day.precision_s - DAY_S / 2)


def _at(claim: TimeClaim) -> datetime:
    assert claim.at is not None
    return claim.at


def _saved_only(
    live: Sequence[TimeClaim], lost: Sequence[tuple[str, str, str]], doubts: Sequence[Caveat], scene: Scene
) -> tuple[DecidedTime | None, tuple[Caveat, ...]]:
    saved = [claim for claim in live if claim.trust > 0]
    if not saved:
        return None, (*doubts, unknown())
    winner = max(saved, key=lambda claim: claim.trust)
    at = _at(winner)
    decided = DecidedTime(
        start_at=at - scene.length,
        end_at=at,
        uncertainty_s=scene.rules.limits.saved_only_s + (scene.length_s or 0.0) + _step_s(winner),
        method="saved_only",
        why=f"No source says when it was recorded; {winner.source} says when it was {winner.marks}, maybe at its end.",
        why_zh=f"没有来源注明录制时间；{winner.source} 为文件{MARKS_ZH[winner.marks]}的时间，可能是录制结束时。",
        zone_known=winner.zone_known,
        source=winner.source,
        losers=(
            *(_lost(claim, _LESS if claim.trust > 0 else _NOT) for claim in live if claim is not winner),
            *lost,
        ),
    )
    return decided, (*doubts, only_saved(winner))


_LESS: Final = Words("it is trusted less", "可信度较低")
_NOT: Final = Words("it is not trusted", "不可信")


def _lost(claim: TimeClaim, reason: Words) -> tuple[str, str, str]:
    return claim.source, reason.en, reason.zh


def _compare(other: TimeClaim, winner: TimeClaim, moment: Moment, scene: Scene) -> _Compared:
    assert other.at is not None
    if not is_recording(other):
        return _compare_saved(other, moment, scene)
    if other.trust <= 0:
        return _Compared(claim=other, reason=_NOT)
    start = moment.start_at
    if other.precision_s >= DAY_S:
        return _compare_day(other, moment)
    slack_s = scene.rules.limits.zone_slack_s + min(_step_s(other), 60.0)
    readings = _readings(other, winner, moment, scene)
    agreeing = [reading for reading in readings if reading[0] <= slack_s]
    apart_s, shifted_min = min(agreeing, key=lambda one: (abs(one[1]), one[0])) if agreeing else min(readings)
    if agreeing:
        words, words_zh = ("it agrees", "与之相符")
        if apart_s >= 1:
            words, words_zh = f"it agrees within {apart_s:.0f} s", f"与之相差不到 {apart_s:.0f} 秒"
        if shifted_min:
            words += ", once its digits are read as local and not as UTC"
            words_zh += "（其数字按当地时间而非世界时理解）"
        weaker = Words(f"{words}, and {winner.source} is trusted more", f"{words_zh}，而 {winner.source} 更可信")
        return _Compared(claim=other, reason=weaker, apart_s=apart_s, shifted_min=shifted_min)
    side, side_zh = ("later", "晚") if other.at > start else ("earlier", "早")
    span = _span_words(apart_s)
    told = Words(f"it is {span.en} {side}", f"{side_zh}{span.zh}")
    return _Compared(claim=other, reason=told, apart_s=apart_s, disagrees=True)


def _zones_told(shown: datetime, winner: TimeClaim, moment: Moment, scene: Scene) -> Iterator[int]:
    """The zone in which these digits are the start, or the end, that a true clock tells; none where no zone is."""
    if winner.zone_known and scene.rules.may_witness(winner.source):
        pairs = [(shown, moment.start_at), (shown - scene.length, moment.start_at)]
        if hit := zone_between(pairs, (), scene.rules.limits.zone_slack_s):
            yield hit.offset_min


def _readings(other: TimeClaim, winner: TimeClaim, moment: Moment, scene: Scene) -> list[tuple[float, int]]:
    """(seconds between the starts, minutes it was shifted) for each way the other claim can be read."""
    assert other.at is not None
    offset_min = moment.offset_min if moment.offset_min is not None else scene.default_offset_min(other.at)
    instants = [(other.at, 0)]
    if is_local(other):
        shown = shown_in(other.at, scene.zone)
        zones_min = [offset_min, *_zones_told(shown, winner, moment, scene), scene.default_offset_min(other.at)]
        as_utc = scene.rules.asks_for_utc(other.source)  # its maker is known to write local digits there
        instants = [(instant_of(shown, minutes), minutes if as_utc else 0) for minutes in zones_min]
    elif is_questionable(other):
        minutes_tried = {offset_min, scene.default_offset_min(other.at), *_zones_told(other.at, winner, moment, scene)}
        instants += [(instant_of(other.at, minutes), minutes) for minutes in minutes_tried if minutes]
    either = replace(other, marks="unknown") if is_questionable(other) else other
    found = [
        (abs((start - moment.start_at).total_seconds()), minutes)
        for at, minutes in instants
        for start in starts_of(either, at, scene)
    ]
    if either.marks == "unknown":  # a moment inside the recording contradicts nothing
        found += [(0.5, minutes) for at, minutes in instants if timedelta(0) < at - moment.start_at < scene.length]
    return found


def _compare_saved(other: TimeClaim, moment: Moment, scene: Scene) -> _Compared:
    assert other.at is not None
    early_s, marked_zh = (moment.start_at - other.at).total_seconds(), MARKS_ZH[other.marks]
    if early_s > scene.rules.limits.future_slack_s + _step_s(other):
        span = _span_words(early_s)
        reason = Words(
            f"it was {other.marks} {span.en} before it can have been recorded",
            f"其{marked_zh}时间比可能的录制时间早{span.zh}",
        )
        return _Compared(claim=other, reason=reason, apart_s=early_s, disagrees=True)
    told = Words(
        f"it marks when the file was {other.marks}, not when it was recorded",
        f"它是文件{marked_zh}的时间，不是录制时间",
    )
    return _Compared(claim=other, reason=told)


def _compare_day(other: TimeClaim, moment: Moment) -> _Compared:
    apart_s = _day_apart_s(other, moment.start_at)
    if not apart_s:
        return _Compared(claim=other, reason=Words("it names only the day, and agrees", "只注明日期，与之相符"))
    span, (side, side_zh) = _span_words(abs(apart_s)), ("later", "晚") if apart_s < 0 else ("earlier", "早")
    reason = Words(f"it names a day {span.en} {side}", f"所注日期{side_zh}{span.zh}")
    return _Compared(claim=other, reason=reason, apart_s=abs(apart_s), disagrees=True)


def _end_at(winner: TimeClaim, moment: Moment, scene: Scene) -> datetime:
    """The end the winner itself names, else the start and the length; a mere day ends with the day."""
    if winner.end_at is not None and winner.end_at.tzinfo is not None and winner.at is not None:
        lasting = winner.end_at - winner.at
        if timedelta(0) <= lasting <= timedelta(seconds=LONGEST_S):
            return moment.start_at + lasting
    if winner.precision_s >= DAY_S and winner.precision_s <= 366 * DAY_S:
        return moment.start_at + timedelta(seconds=winner.precision_s)
    return moment.start_at + scene.length


def _uncertainty_s(
    winner: TimeClaim, moment: Moment, compared: Sequence[_Compared], scene: Scene, *, suspected: bool
) -> float:
    """The step of the clock, by how much it may be off, what its zone and its end leave open, and the widest
    difference that is still believed."""
    limits = scene.rules.limits
    open_s = _step_s(winner) + moment.zone_doubt_s
    if not _is_borne_out(winner, compared, scene):
        open_s += limits.unmeasured_clock_s
    if not moment.start_known:
        open_s += scene.length_s or 0.0
    if suspected:
        open_s += limits.saved_only_s
    believed = [
        one.apart_s
        for one in compared
        if not one.disagrees
        or (
            is_recording(one.claim)
            and one.claim.trust >= limits.conflict_trust
            and one.apart_s <= limits.conflict_reach_s
        )
    ]
    return max([open_s, *believed])


def _is_borne_out(winner: TimeClaim, compared: Sequence[_Compared], scene: Scene) -> bool:
    """Whether the time is of a true clock, or a true clock agrees."""
    true = [winner, *(one.claim for one in compared if not one.disagrees and is_recording(one.claim))]
    return any(scene.rules.may_witness(claim.source) for claim in true)


def _step_s(claim: TimeClaim) -> float:
    step_s = claim.precision_s
    return step_s if math.isfinite(step_s) and 0 <= step_s <= 366 * DAY_S else DAY_S


def _caveats(winner: TimeClaim, moment: Moment, compared: Sequence[_Compared], scene: Scene) -> tuple[Caveat, ...]:
    caveats = []
    shifted = [(one.claim.source, one.shifted_min) for one in compared if one.shifted_min]
    if moment.corrected_min:
        shifted.insert(0, (winner.source, moment.corrected_min))
    if shifted:
        caveats.append(eight_hours(shifted))
    elif not moment.zone_known:
        caveats.append(zone_unknown(winner, scene, moment))
    elif moment.offset_min and moment.offset_min != scene.default_offset_min(moment.start_at):
        caveats.append(zone_other(scene, moment))
    trust = scene.rules.limits.conflict_trust
    against = [
        (one.claim, one.reason)
        for one in compared
        if one.disagrees and (one.claim.trust >= trust or not is_recording(one.claim))
    ]
    if against:
        caveats.append(conflict(winner, against))
    return tuple(caveats)


def _span_words(seconds: float) -> Words:
    """A length in the largest unit that tells it: `18 s`, `12 min`, `22.0 h`, `61 days`."""
    if seconds < 120:
        return Words(f"{seconds:.0f} s", f" {seconds:.0f} 秒")
    if seconds < 7200:
        return Words(f"{seconds / 60:.0f} min", f" {seconds / 60:.0f} 分钟")
    if seconds < 3 * DAY_S:
        return Words(f"{seconds / 3600:.1f} h", f" {seconds / 3600:.1f} 小时")
    return Words(f"{seconds / DAY_S:.0f} days", f" {seconds / DAY_S:.0f} 天")
