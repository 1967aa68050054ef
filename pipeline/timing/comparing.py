"""A clock by another's: two devices recorded the same moment, and when that was is known from one of them. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from pipeline.records import ClockOffset, Known, Relative
from pipeline.timing.filmed import CLOCKLESS, Unfit

# How exactly a shared stretch is found in both recordings. Source: `scripts/bench match`, offsets of clips by picture.
ALIGNED_S: Final = 0.5
# What is known less surely than this measures no clock.
SURE_S: Final = 60.0
# One is a copy of the other, and has no clock of its own.
_COPIES: Final = ("same recording", "same picture")


def offset_beside(
    own: Known, shown: tuple[datetime, float] | None, other: Known, device: str, by: str
) -> ClockOffset | Unfit:
    """By how much the clock of the device that made `own` is off, by the decided time of `other`.

    shown: what that clock showed when `own` began, and its step in seconds. by: the person who says that both recorded
    the same moment; that they share a stretch must have been found.
    """
    shared = next((one for one in own.relatives if one.original == other.original.id), None)
    if shared is None or shared.relation in _COPIES:
        return Unfit(*_NOT_SHARED) if shared is None else Unfit(*_COPIED)
    if other.time is None or other.time.uncertainty_s > SURE_S:
        return Unfit(*_UNSURE)
    if shown is None:
        return CLOCKLESS
    shown_at, step_s = shown
    true_at = other.time.start_at + timedelta(seconds=shared.offset_s)
    showed_at = shown_at + timedelta(seconds=shared.own_offset_s)
    return ClockOffset(
        device=device, at=true_at, offset_s=round((showed_at - true_at).total_seconds(), 3),
        uncertainty_s=round(other.time.uncertainty_s + step_s + ALIGNED_S, 3), how="compared",
        by=f"{by}, {_words(own, shared)}",
    )  # fmt: skip


def _words(own: Known, shared: Relative) -> str:
    return (
        f"{own.original.id} at {shared.own_offset_s:.1f} s is {shared.original} at {shared.offset_s:.1f} s "
        f"({shared.relation})"
    )


_NOT_SHARED: Final = (
    "nothing was found that both recorded; `casereel match` looks for it",
    "没有发现两份录像录下同一内容；可用 casereel match 查找",
)
_COPIED: Final = (
    "one is a copy of the other, and a copy has no clock of its own",
    "其中一份是另一份的复制件，复制件没有自己的时钟",
)
_UNSURE: Final = (
    f"the time of the other is itself not known to {SURE_S:.0f} s; measure the clock of its device first",
    f"另一份录像的时间本身误差超过 {SURE_S:.0f} 秒；请先测量其设备的时钟",
)
