"""What a filmed clock card tells: when the recording truly began, and by how much its device's clock is off. Pure.

A card that shows the instant T is true from T until it shows the next, and a screen and a shutter are late by a little:
each picture bounds the beginning from both sides, and all of them together bound it more closely. What does not fit
together, stands still, or comes from a stranger's card tells nothing, and why is said.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, tzinfo
from typing import Final

from pipeline.codes import STEP_S, Reading
from pipeline.records import Around, ClockOffset, Known, TimeClaim, Words
from pipeline.rules import TimestampRules
from pipeline.timing.clocks import DeviceClock, cut_off_s
from pipeline.timing.evidence import Scene, is_recording, moment_of
from pipeline.timing.faults import in_utc

SOURCE: Final = "filmed_clock"
# From the drawing of a code until a camera's picture of it: a browser's frame, the screen's, the exposure.
LATE_S: Final = 0.15
# Pictures are stamped to within one of them at 25 a second.
STAMP_S: Final = 0.04
LEAST_READINGS, LEAST_S = 3, 0.5
# Between this machine's clock, which says when a file came in, and that of the card.
AHEAD_S: Final = 300.0
FINE_S: Final = 60.0


@dataclass(frozen=True, kw_only=True)
class Filmed:
    """The recording truly began at start_at, by the card with this number in the picture with this time stamp."""

    start_at: datetime
    uncertainty_s: float
    card: str
    pts: int
    at_s: float
    count: int

    @property
    def words(self) -> str:
        """The evidence, for the log."""
        return f"card {self.card}, {self.count} pictures from {self.at_s:.3f} s on (PTS {self.pts})"


class Unfit(Words):
    """Why a card that was seen tells nothing."""


UNREGISTERED: Final = Unfit(
    "its device is not registered, or not known; register it, or say for which `device measure CODE` it counts",
    "录制设备未登记或无法识别；请登记设备，或以 device measure 设备编号 指明",
)
CLOCKLESS: Final = Unfit("the file holds no time of its device's clock", "文件中没有设备时钟的时间")


def beginning_of(readings: Sequence[Reading]) -> Filmed | Unfit:
    """When the recording with these readings truly began, by a card that was seen to run."""
    found = bounded(readings)
    if isinstance(found, Unfit):
        return found
    seen_s = _seen_s(readings)
    if seen_s < LEAST_S or len(readings) < LEAST_READINGS:
        return Unfit(
            f"it was in sight in {len(readings)} pictures of {seen_s:.1f} s, and one moment cannot show that it ran",
            f"只在 {seen_s:.1f} 秒内的 {len(readings)} 幅画面中可读，单一时刻不能证明其在走时",
        )
    return found


def bounded(readings: Sequence[Reading]) -> Filmed | Unfit:
    """When it truly began if the card ran, be it seen at one moment alone, as a photo shows it."""
    if not readings:
        return Unfit("no picture of it could be read", "没有一幅画面可以读出")
    first, seen_s = readings[0], _seen_s(readings)
    seconds = [(_shown(one) - _shown(first)).total_seconds() - one.at_s for one in readings]
    ran_s = (max(map(_shown, readings)) - min(map(_shown, readings))).total_seconds()
    if seen_s >= LEAST_S and ran_s < seen_s / 2:
        return Unfit(
            f"it stood still: {ran_s:.1f} s passed on it while the recording ran {seen_s:.1f} s",
            f"卡上时间停滞：录制经过 {seen_s:.1f} 秒，卡上只经过 {ran_s:.1f} 秒",
        )
    lowest, highest = max(seconds) - STAMP_S, min(seconds) + STEP_S + LATE_S + STAMP_S
    if lowest > highest:
        return Unfit(
            f"it did not run evenly beside the recording: {max(seconds) - min(seconds):.1f} s apart",
            f"卡上时间与录制进度不一致，相差 {max(seconds) - min(seconds):.1f} 秒",
        )
    middle = timedelta(seconds=(lowest + highest) / 2)
    return Filmed(
        start_at=_shown(first) + middle, uncertainty_s=round((highest - lowest) / 2, 3), card=first.code.card,
        pts=first.pts, at_s=first.at_s, count=len(readings),
    )  # fmt: skip


def _seen_s(readings: Sequence[Reading]) -> float:
    return max(one.at_s for one in readings) - min(one.at_s for one in readings)


def _shown(reading: Reading) -> datetime:
    assert reading.code.at is not None
    return reading.code.at


def believed(readings: Sequence[Reading], around: Around, accepted_at: datetime) -> Filmed | Unfit:
    """The same, where the card is this home's own and shows what it can have shown."""
    ours = [one for one in readings if one.code.text in around.sealed]
    if not ours:
        return Unfit("its seal is not one of this home's cards", "其校验码不属于本单位制作的时钟卡")
    card = around.cards.get(ours[0].code.card)
    if card is None or card.kind != "clock":
        return Unfit("no clock card of this number was made here", "本单位没有制作过该编号的时钟卡")
    found = beginning_of([one for one in ours if one.code.card == card.number])
    if isinstance(found, Unfit):
        return found
    latest = max(_shown(one) for one in ours)
    if latest > accepted_at + timedelta(seconds=AHEAD_S):
        return Unfit(
            "it shows a moment after the file was taken in: the clock of its machine, or of this one, is wrong",
            "卡上时间晚于文件入库时间：显示该卡的电脑或本机的时钟有误",
        )
    if min(_shown(one) for one in ours) < card.made_at - timedelta(seconds=AHEAD_S):
        return Unfit(
            "it shows a moment before the card was made: the clock of its machine, or of this one, is wrong",
            "卡上时间早于该卡的制作时间：显示该卡的电脑或本机的时钟有误",
        )
    return found


def claim_of(filmed: Filmed, trust: int) -> TimeClaim:
    """What it says of the recording itself."""
    return TimeClaim(
        source=SOURCE, found=filmed.words, at=filmed.start_at, zone_known=True, offset_min=0, marks="start",
        precision_s=max(2 * filmed.uncertainty_s, 0.1), trust=trust,
    )  # fmt: skip


def clock_shown(
    claims: Iterable[TimeClaim], *, duration_s: float | None, zone: tzinfo, rules: TimestampRules
) -> tuple[datetime, float] | None:
    """What the device's own clock showed when the recording began, and the step of that clock; None without such.

    claims: with that of the card among them, which settles the zone. A clock that began again counts here: by how much
    it is off is what is sought.
    """
    fine = [
        replace(one, at=in_utc(one) or one.at)
        for one in claims
        if one.at is not None and is_recording(one) and one.precision_s <= FINE_S
    ]
    own = [one for one in fine if one.trust > 0 and not rules.may_witness(one.source)]
    if not own:
        return None
    winner = max(own, key=lambda one: one.trust)
    scene = Scene(zone=zone, length_s=duration_s, rules=rules)
    moment = moment_of(winner, [one for one in fine if one is not winner], scene)
    if not moment.start_known:
        return None
    return moment.start_at + timedelta(seconds=cut_off_s(winner.precision_s)), winner.precision_s


def offset_by(
    filmed: Filmed, shown: tuple[datetime, float] | None, known: Known, around: Around, by: str = ""
) -> ClockOffset | Unfit:
    """By how much the device's clock is off. by: the person who decided so; nobody: the card alone, which then must not
    speak against what was measured before."""
    if around.device is None:
        return UNREGISTERED
    if shown is None:
        return CLOCKLESS
    shown_at, step_s = shown
    found = ClockOffset(
        device=around.device.code, at=filmed.start_at, offset_s=round((shown_at - filmed.start_at).total_seconds(), 3),
        uncertainty_s=round(filmed.uncertainty_s + step_s, 3), how="filmed",
        by=f"{by}{', ' if by else ''}{known.original.id}, {filmed.words}",
    )  # fmt: skip
    others = [one for one in around.offsets if one.at != found.at]
    expected = DeviceClock(others).true_at(found.at)
    if by or expected is None:
        return found
    apart_s = abs(found.offset_s - expected.offset_s)
    if apart_s <= found.uncertainty_s + expected.uncertainty_s:
        return found
    return Unfit(
        f"it puts the clock {found.offset_s:+.1f} s off, and other measurements {expected.offset_s:+.1f} s "
        f"({expected.because.en}): the clock was set in between, or an old recording of the card was filmed; if it "
        f"is right, say `device measure {found.device} --filmed {known.original.id}`",
        f"按此卡时钟偏差为 {found.offset_s:+.1f} 秒，而其他测量为 {expected.offset_s:+.1f} 秒"
        f"（{expected.because.zh}）：其间设备可能校过时，或拍摄的是旧录像；"
        f"确认无误请运行 device measure {found.device} --filmed {known.original.id}",
    )


def is_new(offset: ClockOffset, present: Iterable[ClockOffset]) -> bool:
    """Whether it is not registered yet. What a person decided of the same evidence stays."""
    near = [one for one in present if one.how == offset.how and abs((one.at - offset.at).total_seconds()) < 0.001]
    return not any(not one.by.startswith(offset.by.partition(",")[0]) or _same(one, offset) for one in near)


def _same(one: ClockOffset, other: ClockOffset) -> bool:
    return abs(one.offset_s - other.offset_s) < 0.001 and abs(one.uncertainty_s - other.uncertainty_s) < 0.001
