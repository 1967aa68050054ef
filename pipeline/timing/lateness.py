"""Recordings that were handed in after the bureau's deadline. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

from pipeline.records import Caveat, DecidedTime

CODE = "late_upload"


def late_upload(time: DecidedTime | None, handed_in_at: datetime, deadline_h: float) -> Caveat | None:
    """`late_upload`, where even the latest end that the uncertainty leaves open lies before the deadline.

    None where nobody says when it was recorded, or where there is no deadline (0).
    """
    if time is None or deadline_h <= 0 or time.method.startswith("saved_only"):
        return None
    after = handed_in_at - time.end_at - timedelta(seconds=time.uncertainty_s)
    if after <= timedelta(hours=deadline_h):
        return None
    hours = (handed_in_at - time.end_at) / timedelta(hours=1)
    span, span_zh = (f"{hours:.0f} h", f"{hours:.0f} 小时") if hours < 96 else (
        f"{hours / 24:.0f} days", f"{hours / 24:.0f} 天"
    )  # fmt: skip
    return Caveat(
        code=CODE,
        text=f"It was handed in {span} after it ended; the deadline is {deadline_h:g} h.",
        text_zh=f"录制结束 {span_zh}后才入库，规定时限为 {deadline_h:g} 小时。",
    )
