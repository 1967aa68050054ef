"""Coverage as commands print it: duties, gaps, stated reasons, contradictions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from workers.cli import App

if TYPE_CHECKING:
    from indexer.coverage import Steps
    from pipeline.records import Activity

CLASSES = {"file_split": "换段", "pause_explained": "已说明", "unexplained": "未说明", "clock_step": "时钟变动",
           "outside": "首尾之外"}  # fmt: skip
REQUIRED = {"full": "全程", "some": "视情况", "once": "须有记录"}


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
