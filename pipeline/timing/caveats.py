"""What a reviewer must bear in mind of a recording's time, in English and Chinese; one caveat a code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pipeline.records import Caveat, TimeClaim, Words
from pipeline.timing.evidence import Moment, Scene, is_questionable, offset_words
from pipeline.timing.faults import Fault

MARKS_ZH: Final = {"start": "开始", "end": "结束", "saved": "保存", "exported": "导出", "unknown": "记录"}


def clock_doubts(faulty: Sequence[tuple[TimeClaim, Fault]]) -> tuple[Caveat, ...]:
    """`clock_reset` and `time_in_future`, each naming all the sources it concerns."""
    caveats = []
    for code, words, words_zh in (
        ("clock_reset", "The device's clock had begun again", "设备时钟曾被重置"),
        ("time_in_future", "The device's clock ran ahead", "设备时钟超前"),
    ):
        told = [(claim, fault) for claim, fault in faulty if fault.code == code]
        if told:
            named = "; ".join(f"{claim.source}: {fault.reason.en}" for claim, fault in told)
            named_zh = "；".join(f"{claim.source}：{fault.reason.zh}" for claim, fault in told)
            sure = all(fault.certain for _, fault in told)
            use = "not used" if sure else "used only where nothing better is known"
            use_zh = "未予采用" if sure else "仅在没有更可靠来源时采用"
            caveats.append(
                Caveat(
                    code=code, text=f"{words} ({named}); {use}.", text_zh=f"{words_zh}（{named_zh}），该时间{use_zh}。"
                )
            )
    return tuple(caveats)


def zone_unknown(winner: TimeClaim, scene: Scene, moment: Moment) -> Caveat:
    """`clock_zone_unknown`: for a questionable source the two readings lie hours apart."""
    if is_questionable(winner):
        apart = offset_words(scene.default_offset_min(moment.start_at))
        return Caveat(
            code="clock_zone_unknown",
            text=f"{winner.source} is read as UTC; if the device wrote local digits there, the recording is of "
            f"another hour ({apart}).",
            text_zh=f"{winner.source} 按世界时（UTC）理解；若设备写入的是当地时间，则实际时间相差一个时区（{apart}）。",
        )
    return Caveat(
        code="clock_zone_unknown",
        text=f"{winner.source} does not state its zone; it is taken as {scene.zone_name}.",
        text_zh=f"{winner.source} 未注明时区，按 {scene.zone_name} 理解。",
    )


def zone_other(scene: Scene, moment: Moment) -> Caveat:
    """`clock_zone_other`: what the device shows in its pictures and names differs from the local time shown here."""
    stood = offset_words(moment.offset_min or 0)
    return Caveat(
        code="clock_zone_other",
        text=f"The device's clock stood in the zone {stood}, not {scene.zone_name}: times burnt into the picture or "
        "written in names differ from those shown here by the difference of the zones.",
        text_zh=f"设备时钟设在 {stood} 时区，而非 {scene.zone_name}：画面或文件名中的时间与此处显示的时间相差整时区。",
    )


def eight_hours(shifted: Sequence[tuple[str, int]]) -> Caveat:
    """`clock_eight_hours`: local digits where the format says UTC, told by another clock."""
    named = ", ".join(f"{source} ({offset_words(minutes)})" for source, minutes in shifted)
    named_zh = "、".join(f"{source}（{offset_words(minutes)}）" for source, minutes in shifted)
    return Caveat(
        code="clock_eight_hours",
        text=f"The device wrote local time where the format says UTC: {named}. Other programs show it hours off.",
        text_zh=f"设备在应写世界时（UTC）的字段写入了当地时间：{named_zh}；其他软件显示的时间可能相差数小时。",
    )


def conflict(winner: TimeClaim, against: Sequence[tuple[TimeClaim, Words]]) -> Caveat:
    """`time_conflict`: sources that cannot all be right, each with how far it lies from the chosen one."""
    named = "; ".join(f"{claim.source} says {claim.found.strip()}: {reason.en}" for claim, reason in against)
    named_zh = "、".join(f"{claim.source}（{claim.found.strip()}，{reason.zh}）" for claim, reason in against)
    return Caveat(
        code="time_conflict",
        text=f"{winner.source} was chosen, and others contradict it: {named}. "
        "The file may have been edited or converted, or a clock was wrong.",
        text_zh=f"时间来源互相矛盾：采用 {winner.source}（{winner.found.strip()}），与之不符的有 {named_zh}；"
        "文件可能经过编辑或转换，或设备时钟有误。",
    )


def only_saved(winner: TimeClaim) -> Caveat:
    """`time_unknown`, with the moment of saving shown in its place."""
    return Caveat(
        code="time_unknown",
        text=f"No source says when it was recorded; shown is when it was {winner.marks} ({winner.source}), "
        "which may be its end or a later copy.",
        text_zh=f"没有来源注明录制时间；所示为文件{MARKS_ZH[winner.marks]}的时间（{winner.source}），可能是录制结束时间，也可能是之后的复制时间。",
    )


def unknown() -> Caveat:
    """`time_unknown`: nothing believable."""
    return Caveat(
        code="time_unknown",
        text="No source says when it was recorded; find out and enter it.",
        text_zh="没有可信的录制时间来源，请查明后补录。",
    )


def clock_unused(reason: str, reason_zh: str) -> Caveat:
    """A clock card was filmed, and nothing was put right by it."""
    return Caveat(
        code="filmed_clock_unused",
        text=f"A clock card is seen in it, and no time was put right by it: {reason}.",
        text_zh=f"画面中出现了时钟卡，但未据此校正时间：{reason_zh}。",
    )
