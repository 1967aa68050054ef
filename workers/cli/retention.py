"""How long originals are kept, and why."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from workers.cli import App, app_of
from workers.cli._persons import allowed, as_person, because, original_of, require_one, retention_of_home

if TYPE_CHECKING:
    from pipeline.custody.retention import Standing


@click.group(short_help="How long originals are kept: show, classify, reopen, worklist, dry-run, confirm-clock.")
def retention() -> None:
    """Shows and decides how long originals are kept. Nothing is ever deleted for its age alone.

    Example: casereel retention show 01KAMZ5V2W
    """


@retention.command(short_help="How long originals are kept, and why.")
@click.argument("id", nargs=-1)
def show(id: tuple[str, ...]) -> None:
    """ID is what `show` takes; all originals where none is named.

    Example: casereel retention show --json
    """
    app = app_of()
    with retention_of_home() as (built, kept):
        ids, unseen = [built.find_original(one) for one in id] or None, built.hidden_originals()
        for standing in (one for one in kept.standings(ids) if one.original not in unseen):
            app.emit(_said(standing, kept.rules.stamp), _line(app, standing))


@retention.command(short_help="Decide the class of an original or a closed case.")
@click.argument("id", required=False)
@click.option("--case", help="The closed case with this number.")
@click.option("--class", "code", required=True, help="A class of retention.toml.")
@click.option("--from", "from_", type=click.DateTime(["%Y-%m-%d"]), help="The day the period is counted from.")
@because
@as_person
def classify(id: str | None, case: str | None, code: str, from_: datetime | None, reason: str, as_: str | None) -> None:
    """The longest class of an original and its cases wins. For a case --from is the day of its decision or closing.

    Example: casereel retention classify --case AJ2021-0042 --class decision --from 2021-12-01 --reason 结案 --as 李法制
    """
    app = app_of()
    require_one(id, case)
    with retention_of_home() as (built, kept):
        person = allowed(built, as_, "decide_retention")
        original = None if id is None else original_of(built, as_, id)
        day = None if from_ is None else from_.date()
        made = kept.decide(person, code, reason, original=original, case=case, from_on=day)
        data = {"decision": made.id, "original": original, "case": made.printed, "class": code, "from": made.from_on,
                "rules": made.rules}  # fmt: skip
        app.emit(data, app.in_words(f"保管类别：{code}（规则 {made.rules}）", f"class {code} (rules {made.rules})"))
        kept.note_in_vault(person.name)


@retention.command(short_help="End the decision on an original or a case.")
@click.argument("id", required=False)
@click.option("--case", help="The case with this number.")
@because
@as_person
def reopen(id: str | None, case: str | None, reason: str, as_: str | None) -> None:
    """A reopened case keeps all its originals until it is classified again.

    Example: casereel retention reopen --case 平商务罚字〔2021〕第3号 --reason 再审 --as 李法制
    """
    app = app_of()
    require_one(id, case)
    with retention_of_home() as (built, kept):
        person = allowed(built, as_, "decide_retention")
        original = None if id is None else original_of(built, as_, id)
        kept.reopen(person, reason, original=original, case=case)
        app.emit({"original": original, "case": case}, app.in_words("已撤销保管类别，继续保管", "no class; kept on"))
        kept.note_in_vault(person.name)


@retention.command(short_help="Originals of no case whose floor ends soon.")
def worklist() -> None:
    """Footage that nobody linked to a case, soonest first: link it, or decide its class. Nothing happens by itself.

    Example: casereel retention worklist
    """
    app = app_of()
    with retention_of_home() as (built, kept):
        unseen = built.hidden_originals()
        for standing in (one for one in kept.near_their_floor() if one.original not in unseen):
            app.emit({**_said(standing, kept.rules.stamp), "floor": standing.floor_at},
                     f"{standing.floor_at:%Y-%m-%d}  {standing.original}  {standing.name}")  # fmt: skip


@retention.command("dry-run", short_help="What changed rules would let go.")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
def dry_run(file: Path) -> None:
    """FILE is a changed retention.toml; lists what could go under it, or would be kept less long. Changes nothing.

    Example: casereel retention dry-run retention-new.toml
    """
    from pipeline.custody.retention_rules import read

    app = app_of()
    with retention_of_home() as (built, kept):
        other, unseen = read(file), built.hidden_originals()
        found = [(now, then) for now, then in kept.let_go_by(other) if then.original not in unseen]
        for now, then in found:
            data = {**_said(then, other.stamp), "until_now": now.until_at, "may_go_now": now.may_go}
            app.emit(data, f"{_until(now)} -> {_until(then)}  {then.original}  {then.name}")
        app.note(app.in_words(f"{len(found)} 份原件受影响", f"{len(found)} originals are affected"))


@retention.command("confirm-clock", short_help="Say that the clock is right after a jump.")
@because
@as_person
def confirm_clock(reason: str, as_: str | None) -> None:
    """After a jump of the clock nothing is released until it has agreed for the cooling time, or until this.

    Example: casereel retention confirm-clock --reason 已与标准时间核对 --as 王审计
    """
    app = app_of()
    with retention_of_home() as (built, kept):
        person = allowed(built, as_, "confirm_clock")
        clock = kept.confirm_clock(person, reason)
        said = clock.wall_at.isoformat()
        app.emit(
            {"clock": clock.wall_at, "doubt": clock.doubt}, app.in_words(f"时钟已确认：{said}", f"confirmed: {said}")
        )


def _said(standing: Standing, rules: str) -> dict[str, Any]:
    return {
        "original": standing.original, "name": standing.name, "until": standing.until_at, "class": standing.code,
        "may_go": standing.may_go, "why": [english for _, english in standing.why],
        "why_zh": [chinese for chinese, _ in standing.why], "rules": rules,
    }  # fmt: skip


def _until(standing: Standing) -> str:
    return "-" if standing.until_at is None else f"{standing.until_at:%Y-%m-%d}"


def _line(app: App, standing: Standing) -> str:
    why = "；".join(one for one, _ in standing.why) if app.lang == "zh" else "; ".join(one for _, one in standing.why)
    said = why or app.in_words("期限已满，可以提出处置", "its period is over; a disposal may be proposed")
    return f"{standing.original}  {_until(standing)}  {standing.code}  {standing.name}  {said}"


COMMAND = retention
