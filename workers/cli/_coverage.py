"""Coverage as commands print it: duties, gaps, stated reasons, contradictions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from indexer.masking import masked
from workers.cli import App, times

if TYPE_CHECKING:
    from indexer.contradictions import Contradiction
    from indexer.coverage import Covered, Gap, Shown, Steps
    from pipeline.excusing import Excuse
    from pipeline.records import Activity

CLASSES = {"file_split": "换段", "pause_explained": "已说明", "unexplained": "未说明", "clock_step": "时钟变动",
           "outside": "首尾之外"}  # fmt: skip
REQUIRED = {"full": "全程", "some": "视情况", "once": "须有记录"}


def duty(one: Covered, zone: str) -> dict[str, Any]:
    """A duty as `--json` gives it."""
    from indexer.coverage import ends_of

    from_at, to_at = ends_of(one.activity)
    statement, statement_zh = one.statement()
    return {
        "activity": one.activity.code, "step": one.activity.step, "from": times(from_at, zone),
        "to": times(to_at, zone), "required": one.step.required, "fulfilled": one.fulfilled, "excused": one.excused,
        "covered_s": round(one.covered_s, 3), "sure_s": round(one.sure_s, 3), "share": round(one.share, 4),
        "devices": one.devices, "by_device": {name: round(value, 3) for name, value in one.by_device.items()},
        "statement": statement, "statement_zh": statement_zh, "rule": one.step.source,
        "gaps": [_gap(gap, zone) for gap in one.gaps],
    }  # fmt: skip


def _gap(one: Gap, zone: str) -> dict[str, Any]:
    excuse = None if one.excuse is None else {name: getattr(one.excuse, name) for name in ("id", "reason", "by")}
    return {
        "from": times(one.from_at, zone), "to": times(one.to_at, zone), "length_s": round(one.length_s, 3),
        "class": one.kind, "before": _beside(one.before, one.before_s), "after": _beside(one.after, one.after_s),
        "excuse": excuse,
    }  # fmt: skip


def _beside(one: Shown | None, position_s: float | None) -> dict[str, Any] | None:
    if one is None or position_s is None:
        return None
    return {
        "original": one.original,
        "name": masked(one.name),
        "sha256": one.sha256,
        "position_s": round(position_s, 3),
    }


def contradiction(one: Contradiction) -> dict[str, Any]:
    """A contradiction as `--json` gives it."""
    return {"code": one.code, "text": one.text, "text_zh": one.text_zh, "about": one.about, "length_s": one.length_s}


def excuse_of(one: Excuse, zone: str) -> dict[str, Any]:
    """A stated reason as `--json` gives it."""
    return {
        "excuse": one.id, "case": one.case, "step": one.step, "activity": one.activity,
        "from": times(one.from_at, zone), "to": times(one.to_at, zone), "reason": one.reason, "told": one.told,
        "by": one.by, "at": times(one.at, zone),
    }  # fmt: skip


def excuse_line(app: App, data: dict[str, Any]) -> str:
    """A stated reason in one line."""
    about = data["activity"] or data["step"] or app.in_words("全案", "all of the case")
    span = f"{data['from']} .. {data['to']}" if data["from"] else app.in_words("全程", "all of it")
    back = app.in_words("（已撤回）", " (taken back)") if data.get("withdrawn") else ""
    return f"{data['excuse']}  {about}  {span}  {data['reason']}  {data['by']}{back}"


def page(app: App, data: dict[str, Any]) -> str:
    """All of it for a person."""
    lines = []
    for one in data["duties"]:
        mark = "✓" if one["fulfilled"] else "✗"
        required = app.in_words(REQUIRED[one["required"]], one["required"])
        lines.append(f"{mark} {one['step']}  {one['from']} .. {one['to']}  {one['share']:.1%}  ({required})")
        lines.append(f"    {app.in_words(one['statement_zh'], one['statement'])}")
        lines += [_gap_line(app, gap) for gap in one["gaps"]]
    if data["without_times"]:
        steps = "、".join(data["without_times"])
        lines.append(app.in_words(f"没有登记时间：{steps}", f"without times: {steps}"))
    lines += [f"! {app.in_words(one['text_zh'], one['text'])}" for one in data["contradictions"]]
    return "\n".join(lines) or app.in_words("没有带时间的执法活动", "no activity with times")


def _gap_line(app: App, gap: dict[str, Any]) -> str:
    kind = app.in_words(CLASSES[gap["class"]], gap["class"])
    beside = " .. ".join(
        "-" if gap[side] is None else f"{gap[side]['name']} {gap[side]['position_s']:g} s"
        for side in ("before", "after")
    )
    why = f"  {gap['excuse']['reason']} ({gap['excuse']['by']})" if gap["excuse"] else ""
    return f"    {kind}  {gap['from']} .. {gap['to']}  {gap['length_s']:g} s  [{beside}]{why}"


def require_duty(activities: Sequence[Activity], rules: Steps, step: str | None, activity: str | None) -> None:
    """Returns where the case has such an activity or step. Raises BadInput naming those there are."""
    from pipeline.errors import BadInput

    if activity is not None and activity not in {one.code for one in activities}:
        listed = "、".join(one.code for one in activities)
        raise BadInput(f"The case has no activity {activity}; there are: {listed or 'none'}",
                       zh=f"该案件没有活动 {activity}；已登记：{listed or '无'}", found=activity)  # fmt: skip
    has = {name for one in activities for name in (one.step, rules.of(one.step).name)}
    if step is not None and step not in has and rules.of(step).name not in has:
        listed = "、".join(dict.fromkeys(one.step for one in activities))
        raise BadInput(f"The case has no step {step}; there are: {listed or 'none'}",
                       zh=f"该案件没有环节“{step}”；已登记：{listed or '无'}", found=step)  # fmt: skip
