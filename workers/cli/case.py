"""Cases with their many numbers, parties and activities."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from workers.cli import SOME_FAILED, app_of, times
from workers.cli._persons import as_person

if TYPE_CHECKING:
    from indexer.coverage import Covered, Shown
    from pipeline.records import Activity, Case, ClockOffset, Known


@click.group(short_help="Cases, parties and activities: list, show, import, coverage.")
def case() -> None:
    """Keeps cases with their numbers, parties and activities.

    Example: casereel case show 平商务罚字〔2021〕第3号
    """


@case.command("list", short_help="List cases, oldest first.")
def list_() -> None:
    """Lists every case that was registered, or that a link names.

    Example: casereel case list --json
    """
    from pipeline.edges import registers
    from workers.bootstrap import home

    app = app_of()
    with home(app.settings) as built, built.catalog.snapshot() as connection:
        for one in registers.cases(connection):
            data = _said(one)
            app.emit(data, f"{data['case']}  {data['decision_due_on'] or '-'}  {_names(one)}  {one.title}")


@case.command(short_help="Show a case: numbers, parties, activities, recordings.")
@click.argument("number")
def show(number: str) -> None:
    """NUMBER is any number of the case, in any writing.

    Example: casereel case show AJ2021-0042 --json
    """
    from pipeline.case_numbers import comparable
    from pipeline.edges import registers
    from workers.bootstrap import home

    app = app_of()
    with home(app.settings) as built:
        key, zone = comparable(number), built.settings.time.zone
        with built.catalog.snapshot() as connection:
            found = registers.cases(connection, key=key)
            activities = registers.activities(connection, case=key)
            linked = registers.linked_to(connection, key)
        data = {
            **_said(required_case(number, found)),
            "activities": [_activity(one, zone) for one in activities],
            "recordings": [{"original": one, "name": name, "status": status} for one, name, status in linked],
        }
        app.emit(data, lambda: _page(data))


@case.command("import", short_help="Take in a table of cases or of activities.")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--register", type=click.Choice(["cases", "activities"]), help="What the table is, if unclear.")
@click.option("--dry-run", is_flag=True, help="Tell what would change, and change nothing.")
@as_person
def import_(file: Path, register: str | None, dry_run: bool, as_: str | None) -> int:
    """FILE is CSV, XLSX, XLS, ODS or JSON with a header row; taking it in again adds nothing twice.

    Example: casereel case import 案件台账.xlsx
    """
    from workers.cli._registers import take_in

    return take_in(file, register, ("cases", "activities"), dry_run, as_)


@case.command(short_help="How much of what had to be recorded the recordings of a case show.")
@click.argument("number")
@click.option("--confirmed", is_flag=True, help="Count confirmed links only, not proposals.")
def coverage(number: str, confirmed: bool) -> int:
    """Each activity of the case with its times is a duty; `steps.toml` says what must be recorded of it.

    Ends with 1 where a duty is not fulfilled.

    Example: casereel case coverage 平商务罚字〔2021〕第3号 --json
    """
    from indexer.coverage import coverage_of, steps_of
    from pipeline.case_numbers import comparable
    from pipeline.edges import registers
    from workers.bootstrap import home

    app = app_of()
    with home(app.settings) as built:
        key, rules = comparable(number), steps_of(built.settings.home)
        with built.catalog.snapshot() as connection:
            found = required_case(number, registers.cases(connection, key=key))
            activities = registers.activities(connection, case=key)
            linked = registers.linked_to(connection, key)
            offsets = registers.offsets(connection)
        ids = [one for one, _, status in linked if status == "confirmed" or not confirmed]
        shown = [one for known in built.catalog.known_of_many(ids) if (one := _shown(known, offsets))]
        duties = [coverage_of(one, shown, rules) for one in activities if one.from_at]
        untimed = [one.step for one in activities if not one.from_at]
        data = {
            "case": found.numbers[0][0], "rules": rules.version, "without_times": untimed,
            "duties": [_duty(one, built.settings.time.zone) for one in duties],
        }  # fmt: skip
        app.emit(data, lambda: _duties(data) or app.in_words("没有带时间的执法活动", "no activity with times"))
    return 0 if all(one.fulfilled for one in duties) else SOME_FAILED


def required_case(number: str, found: list[Case]) -> Case:
    """The case that was found. Raises BadInput where none was."""
    from pipeline.errors import BadInput

    if not found:
        raise BadInput(f"No case has the number {number}", zh=f"没有案号为 {number} 的案件", found=number)
    return found[0]


def _shown(known: Known, offsets: list[ClockOffset]) -> Shown | None:
    from indexer.coverage import Shown
    from indexer.document import device_of

    if known.time is None or known.original.kind not in ("video", "audio"):
        return None
    device = device_of(known) or ""
    return Shown(
        original=known.original.id, name=known.original.name, device=device, from_at=known.time.start_at,
        to_at=known.time.end_at, uncertainty_s=known.time.uncertainty_s,
        set_at=tuple(one.at for one in offsets if one.device == device and one.how == "set"),
    )  # fmt: skip


def _duty(one: Covered, zone: str) -> dict[str, Any]:
    from indexer.coverage import ends_of

    from_at, to_at = ends_of(one.activity)
    return {
        "activity": one.activity.code, "step": one.activity.step, "from": times(from_at, zone),
        "to": times(to_at, zone), "required": one.step.required, "fulfilled": one.fulfilled,
        "covered_s": round(one.covered_s, 3), "sure_s": round(one.sure_s, 3), "share": round(one.share, 4),
        "devices": one.devices, "rule": one.step.source,
        "gaps": [
            {"from": times(gap.from_at, zone), "to": times(gap.to_at, zone), "length_s": round(gap.length_s, 3),
             "class": gap.kind, "before": _beside(gap.before), "after": _beside(gap.after)}
            for gap in one.gaps
        ],
    }  # fmt: skip


def _beside(one: Shown | None) -> dict[str, str] | None:
    return None if one is None else {"original": one.original, "name": one.name}


def _duties(data: dict[str, Any]) -> str:
    lines = []
    for one in data["duties"]:
        mark = "✓" if one["fulfilled"] else "✗"
        lines.append(f"{mark} {one['step']}  {one['from']} .. {one['to']}  {one['share']:.1%}  ({one['required']})")
        lines += [f"    {gap['class']:11}  {gap['from']} .. {gap['to']}  {gap['length_s']} s" for gap in one["gaps"]]
    return "\n".join(lines)


def _said(one: Case) -> dict[str, Any]:
    return {
        "case": one.numbers[0][0], "numbers": [{"number": number, "kind": kind} for number, kind in one.numbers],
        "title": one.title, "opened_on": one.opened_on, "decision_due_on": one.decision_due_on,
        "parties": [{"name": party.name, "identifier": party.identifier} for party in one.parties],
    }  # fmt: skip


def _activity(one: Activity, zone: str) -> dict[str, Any]:
    return {
        "activity": one.code, "step": one.step, "place": one.place, "people": one.people,
        "from": times(one.from_at, zone), "to": times(one.to_at, zone),
    }  # fmt: skip


def _names(one: Case) -> str:
    return "、".join(party.name for party in one.parties) or "-"


def _page(data: dict[str, Any]) -> str:
    lines = [f"{data['case']}  {data['title']}"]
    lines += [f"  {one['number']}  {one['kind'] or ''}" for one in data["numbers"][1:]]
    lines += [f"  {one['name']}  {one['identifier'] or ''}" for one in data["parties"]]
    lines += [
        f"  {one['from'] or '-'} .. {one['to'] or '-'}  {one['step']}  {one['place'] or ''}  {'、'.join(one['people'])}"
        for one in data["activities"]
    ]
    lines += [f"  {one['original']}  {one['status']:9}  {one['name']}" for one in data["recordings"]]
    return "\n".join(lines)


COMMAND = case
