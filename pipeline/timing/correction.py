"""The decided time where a person corrected it: the person's word, with what the rules decide beside it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from pipeline.records import Caveat, DecidedTime, TimeCorrection

METHOD: Final = "by_hand"
SOURCE: Final = "person"


def corrected(
    said: TimeCorrection, decided: DecidedTime | None, caveats: Sequence[Caveat], duration_s: float | None
) -> tuple[DecidedTime, tuple[Caveat, ...]]:
    """The person's time; every claim, the rules' winner too, lost to it. decided: what the rules decide."""
    lasting = timedelta(seconds=duration_s or 0.0)
    rules = "The rules find no time." if decided is None else f"The rules: {decided.why}"
    rules_zh = "按规则无法判定时间。" if decided is None else f"按规则：{decided.why_zh}"
    lost = () if decided is None else ((decided.source, "it was corrected by hand", "已由人工更正"), *decided.losers)
    time = DecidedTime(
        start_at=said.start_at,
        end_at=said.end_at or said.start_at + lasting,
        uncertainty_s=said.uncertainty_s,
        method=METHOD,
        why=f"{said.by} corrected it by hand: {said.reason}. {rules}",
        why_zh=f"{said.by} 人工更正，理由：{said.reason}。{rules_zh}",
        zone_known=True,
        source=SOURCE,
        losers=lost,
        by_rules={} if decided is None else plain(decided),
    )
    kept = tuple(one for one in caveats if one.code != "time_unknown")
    return time, (*kept, _caveat(said, decided))


def plain(decided: DecidedTime) -> Mapping[str, Any]:
    """The decided time as plain data."""
    return {
        "start_at": decided.start_at.isoformat(), "end_at": decided.end_at.isoformat(),
        "uncertainty_s": decided.uncertainty_s, "method": decided.method, "why": decided.why, "why_zh": decided.why_zh,
        "source": decided.source,
    }  # fmt: skip


def _caveat(said: TimeCorrection, decided: DecidedTime | None) -> Caveat:
    """`time_corrected`: who, why, and what the rules decide."""
    found = f"{decided.start_at:%Y-%m-%d %H:%M:%S}Z" if decided else ""
    return Caveat(
        code="time_corrected",
        text=f"{said.by} corrected the time by hand: {said.reason}. "
        + (f"The rules decide {found}." if found else "The rules find no time."),
        text_zh=f"时间由 {said.by} 人工更正，理由：{said.reason}。"
        + (f"按规则判定为 {found}（世界时）。" if found else "按规则无法判定时间。"),
    )
