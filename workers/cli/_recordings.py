"""Logical recordings as commands print them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from indexer.persons.masking import masked
from workers.cli import App, times

if TYPE_CHECKING:
    from pipeline.recordings import Recording, Seam, Segment

KINDS = {
    "file_split": "换段",
    "gap": "中断",
    "overlap": "重叠",
    "missing": "缺失",
    "clock_step": "时钟变动",
    "unknown": "不明",
}


def described(one: Recording, zone: str) -> dict[str, Any]:
    """The recording as `--json` gives it: its files in order, and between each two what lies there."""
    timed = [part for part in one.segments if part.start_at and part.end_at]
    return {
        "recording": one.id, "device": one.segments[0].device, "whole": one.is_whole,
        "start": times(min((part.start_at for part in timed if part.start_at), default=None), zone),
        "end": times(max((part.end_at for part in timed if part.end_at), default=None), zone),
        "members": [_member(part, zone) for part in one.segments],
        "seams": [seam_of(seam) for seam in one.seams],
        "remarks": [{"code": said.code, "missing": said.missing, "text": said.text, "text_zh": said.text_zh}
                    for said in one.remarks],
    }  # fmt: skip


def _member(one: Segment, zone: str) -> dict[str, Any]:
    return {
        "original": one.original, "name": masked(one.name), "sha256": one.sha256, "start": times(one.start_at, zone),
        "end": times(one.end_at, zone), "length_s": round(one.length_s, 3), "sequence": one.sequence,
        "chapter": one.part, "clock_steps": [list(step) for step in one.steps],
    }  # fmt: skip


def seam_of(one: Seam) -> dict[str, Any]:
    """What lies between two files, as `--json` gives it."""
    return {
        "class": one.kind, "before": one.before, "after": one.after, "length_s": one.length_s,
        "missing": one.missing, "unlike": one.unlike, "why": one.why, "why_zh": one.why_zh,
    }  # fmt: skip


def in_one_line(app: App, data: dict[str, Any]) -> str:
    """For a list."""
    faults = [seam["class"] for seam in data["seams"] if seam["class"] not in ("file_split", "overlap")]
    faults += [said["code"] for said in data["remarks"]]
    faults += ["clock_inside" for member in data["members"] if member["clock_steps"]]
    words = {**KINDS, "clock_inside": "文件内时钟跳变", "first_missing": "缺首段", "may_go_on": "可能未完"}
    told = [app.in_words(words[one], one) for one in dict.fromkeys(faults)]
    count = app.in_words(f"{len(data['members'])} 个文件", f"{len(data['members'])} files")
    return f"{data['recording']}  {(data['start'] or '-')[:19]}  {count}  {data['device'] or '-'}  {' '.join(told)}"


def page(app: App, data: dict[str, Any]) -> str:
    """The files one below another with what lies between."""
    lines = [in_one_line(app, data)]
    for number, member in enumerate(data["members"]):
        if number:
            seam = data["seams"][number - 1]
            lines.append(f"      {seam_line(app, seam)}")
        lines.append(
            f"  {member['original']}  {(member['start'] or '-')[:19]}  {member['length_s']:9.1f} s  {member['name']}"
        )
        lines += [f"      {_step_line(app, at_s, by_s)}" for at_s, by_s in member["clock_steps"]]
    lines += [f"  ! {said['text_zh'] if app.lang == 'zh' else said['text']}" for said in data["remarks"]]
    return "\n".join(lines)


def _step_line(app: App, at_s: float, by_s: float) -> str:
    return app.in_words(
        f"第 {at_s:.1f} 秒处：文件内部时间码跳变 {by_s:+.1f} 秒",
        f"at {at_s:.1f} s: its clock steps by {by_s:+.1f} s inside the file",
    )


def seam_line(app: App, seam: dict[str, Any]) -> str:
    """What lies between two files, in words."""
    why = app.in_words(seam["why_zh"], seam["why"])
    if seam["unlike"]:
        listed = ", ".join(seam["unlike"])
        why += app.in_words(f"；编码参数不同（{listed}）", f"; other parameters ({listed})")
    return f"{app.in_words(KINDS[seam['class']], seam['class'])}: {why}"
