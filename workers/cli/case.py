"""Cases with their many numbers, parties and activities."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from workers.cli import app_of, times
from workers.cli._persons import as_person

if TYPE_CHECKING:
    from pipeline.records import Activity, Case


@click.group(short_help="Cases, parties and activities: list, show, import.")
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
    from pipeline.errors import BadInput
    from workers.bootstrap import home

    app = app_of()
    with home(app.settings) as built:
        key, zone = comparable(number), built.settings.time.zone
        with built.catalog.snapshot() as connection:
            found = registers.cases(connection, key=key)
            activities = registers.activities(connection, case=key)
            linked = registers.linked_to(connection, key)
        if not found:
            raise BadInput(f"No case has the number {number}", zh=f"没有案号为 {number} 的案件", found=number)
        data = {
            **_said(found[0]),
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
