"""A device's clock by its own positions: satellites tell the time at which it stood there. Pure.

A photo's stamp is that of the last fix, which may be old, or nonsense after a cold start; telemetry tells of each fix
where in the film it lies. By itself a file measures only where both clocks agree but for a zone and two minutes, and
only where this tells more than what was measured before; beyond that a person decides.
Not covered: tracks beside a recording, whose first moment is not that of the recording.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from pipeline.records import Around, ClockOffset, Known, TimeClaim
from pipeline.timing.clocks import DeviceClock
from pipeline.timing.filmed import CLOCKLESS, UNREGISTERED, Unfit

# Source -> how long before the moment its fix may have been, in seconds. Telemetry is stamped once a second; of 27
# photos with positions in public collections the oldest fix of a sequence was 54 s older than the freshest.
FIX_AGE_S: Final = {"gpmf.GPSU": 1.0, "gps": 60.0}
# Nearer to the device's own clock than this, it is neither another zone's nor nonsense.
BY_ITSELF_S: Final = 120.0
# A file measures by itself where it is so many times surer than what was known.
SURER: Final = 3.0


def offset_by_satellites(
    claims: Sequence[TimeClaim], shown: tuple[datetime, float] | None, known: Known, around: Around, by: str = ""
) -> ClockOffset | Unfit | None:
    """By how much the device's clock is off; None where the file holds no position with its time.

    shown: what the clock showed when the recording began, and its step in seconds. by: the person who decided that the
    position's time is right; nobody: the file alone.
    """
    fixes = [one for one in claims if one.source in FIX_AGE_S and one.at is not None]
    if not fixes:
        return None
    fix = min(fixes, key=lambda one: FIX_AGE_S[one.source])
    if around.device is None:
        return UNREGISTERED
    if _is_later_chapter(known):
        return Unfit("its camera writes the time of the first chapter into all of them",
                     "该机型在各分段中均写入首段的时间")  # fmt: skip
    if shown is None:
        return CLOCKLESS
    assert fix.at is not None
    shown_at, step_s = shown
    age_s = FIX_AGE_S[fix.source]
    begun_at = fix.at + timedelta(seconds=age_s / 2)
    found = ClockOffset(
        device=around.device.code, at=begun_at, offset_s=round((shown_at - begun_at).total_seconds(), 3),
        uncertainty_s=round(age_s / 2 + fix.precision_s + step_s, 3), how="gps",
        by=f"{by}{', ' if by else ''}{known.original.id}, {fix.source} {fix.found}",
    )  # fmt: skip
    return found if by else _by_itself(found, around)


def _by_itself(found: ClockOffset, around: Around) -> ClockOffset | Unfit:
    expected = DeviceClock([one for one in around.offsets if one.at != found.at]).true_at(found.at)
    if abs(found.offset_s) > BY_ITSELF_S:
        return Unfit(*(form.format(found.offset_s, found.device, found.by.partition(",")[0]) for form in _FAR))
    if expected is None:
        return found
    if abs(found.offset_s - expected.offset_s) > found.uncertainty_s + expected.uncertainty_s:
        return Unfit(*(form.format(found.offset_s, expected.offset_s) for form in _OTHER))
    return found if found.uncertainty_s * SURER < expected.uncertainty_s else Unfit(*_KNOWN)


def _is_later_chapter(known: Known) -> bool:
    part = str(known.value("file_name.part", ""))
    first = 0 if known.value("file_name.profile") == "gopro_early" else 1
    return part.isdecimal() and int(part) > first


_FAR: Final = (
    "by it the clock is {:+.0f} s off, which may be an old position; if it is right, say `device measure {} --gps {}`",
    "按此时钟偏差 {:+.0f} 秒，可能是旧的定位时间；确认无误请运行 device measure {} --gps {}",
)
_OTHER: Final = (
    "it puts the clock {:+.1f} s off, and other measurements {:+.1f} s",
    "按此时钟偏差为 {:+.1f} 秒，而其他测量为 {:+.1f} 秒",
)
_KNOWN: Final = ("the clock is known better than that", "时钟偏差已有更准确的测量")
