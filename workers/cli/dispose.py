"""Disposal: by two persons in two roles, after a cooling time, with a tombstone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

from pipeline.errors import BadInput
from workers.cli import SOME_FAILED, App, app_of
from workers.cli._persons import allowed, as_person, because, original_of, retention_of_home

if TYPE_CHECKING:
    from pipeline.records import Disposal

# The state of a disposal, and how it ended in a run: Chinese and English.
WORDS = {
    "proposed": ("已提出", "proposed"), "approved": ("已批准", "approved"), "begun": ("执行中", "begun"),
    "done": ("已处置", "done"), "waits": ("等待", "waits"), "stopped": ("已停止", "stopped"),
    "cancelled": ("已取消", "cancelled"),
}  # fmt: skip


@click.group(short_help="Disposal by two persons: propose, approve, cancel, run, list, certificate.")
def dispose() -> None:
    """Lets originals go whose period is over: one person proposes, a second in another role approves within a week,
    and three days later the patrol unlinks them. A hold stops it at any moment before.

    Example: casereel dispose list
    """


@dispose.command(short_help="Propose originals for disposal.")
@click.argument("id", nargs=-1, required=True)
@because
@as_person
@click.option("--yes", is_flag=True, help="Do it; without it, only show what would be proposed.")
def propose(id: tuple[str, ...], reason: str, as_: str | None, yes: bool) -> int:
    """ID is what `show` takes. Refused where the original must still be kept.

    Example: casereel dispose propose 01KAMZ5V2W --reason 期满鉴定 --as 赵管理 --yes
    """
    app = app_of()
    with retention_of_home() as (built, kept):
        person = allowed(built, as_, "propose_disposal")
        ids = list(dict.fromkeys(original_of(built, as_, one) for one in id))
        if not yes:
            standings = kept.standings(ids)
            for one in standings:
                why = _why(app, one.why)
                data = {"original": one.original, "name": one.name, "may_go": one.may_go, "why": why}
                said = why or app.in_words("可以提出", "may be proposed")
                app.emit(data, f"{one.original}  {one.name}  {said}")
            app.note(app.in_words("未做任何改动；加 --yes 提出", "nothing was done; add --yes to propose"))
            return 0 if all(one.may_go for one in standings) else SOME_FAILED
        for disposal in kept.propose(ids, person, reason):
            app.emit(_said(disposal), app.in_words(f"已提出：{disposal.id}", f"proposed: {disposal.id}"))
        return 0


@dispose.command(short_help="Approve a proposed disposal, as a second person in another role.")
@click.argument("disposal_id")
@as_person
def approve(disposal_id: str, as_: str | None) -> None:
    """The proposer cannot approve, nor anybody in the proposer's role, nor after a week.

    Example: casereel dispose approve 01KAMZ5V2W --as 李法制
    """
    app = app_of()
    with retention_of_home() as (built, kept):
        disposal = kept.approve(disposal_id, allowed(built, as_, "approve_disposal"))
        hours = kept.rules.cooling_h
        app.emit(_said(disposal), app.in_words(f"已批准，{hours} 小时后执行", f"approved; done after {hours} hours"))


@dispose.command(short_help="Cancel a disposal that has not begun.")
@click.argument("disposal_id")
@because
@as_person
def cancel(disposal_id: str, reason: str, as_: str | None) -> None:
    """Anybody who may take part in a disposal may cancel it.

    Example: casereel dispose cancel 01KAMZ5V2W --reason 另案需要 --as 李法制
    """
    app = app_of()
    with retention_of_home() as (built, kept):
        disposal = kept.cancel(disposal_id, allowed(built, as_, "cancel_disposal"), reason)
        app.emit(_said(disposal), app.in_words("已取消", "cancelled"))


@dispose.command(short_help="Do the approved disposals whose cooling is over; the patrol does so too.")
def run() -> int:
    """Asks everything anew, and again at the last moment; what speaks against a disposal stops it.

    Example: casereel dispose run
    """
    app = app_of()
    with retention_of_home() as (built, kept):
        outcomes = kept.run(built.actor)
        for one in outcomes:
            why = _why(app, one.why)
            data = {**_said(one.disposal), "name": one.name, "ended": one.ended, "why": why}
            app.emit(data, f"{app.in_words(*WORDS[one.ended])}  {one.disposal.original}  {one.name}  {why}")
        return SOME_FAILED if any(one.ended == "stopped" for one in outcomes) else 0


@dispose.command("list", short_help="List disposals under way.")
@click.option("--all", "all_", is_flag=True, help="Also those that ended.")
def list_(all_: bool) -> None:
    """Lists disposals, oldest first.

    Example: casereel dispose list --all
    """
    app = app_of()
    with retention_of_home() as (built, kept):
        unseen = built.hidden_originals()
        found = [one for one in kept.disposals(all_=all_) if one.original not in unseen]
        names = built.catalog.names(one.original for one in found)
        for one in found:
            name, state = names.get(one.original, one.original), app.in_words(*WORDS[one.state])
            app.emit(_said(one), f"{one.id}  {state}  {name}  {one.reason}")


@dispose.command(short_help="Print the certificate of a disposal.")
@click.argument("disposal_id")
def certificate(disposal_id: str) -> None:
    """A page in Chinese and English for the file; with --json all that the tombstone holds.

    Example: casereel dispose certificate 01KAMZ5V2W
    """
    from pipeline.custody.disposal import text_of

    app = app_of()
    with retention_of_home() as (built, kept):
        found = [one for one in kept.disposals(all_=True) if one.id == disposal_id.strip().upper()]
        found = [one for one in found if built.seen([one.original])]
        if not found or found[0].certificate is None:
            raise BadInput(
                f"{disposal_id} names no disposal that was done", zh="没有已执行的此项处置", found=disposal_id
            )
        app.emit(found[0].certificate, text_of(found[0].certificate))


def _why(app: App, pairs: Iterable[tuple[str, str]]) -> str:
    return "; ".join(app.in_words(*pair) for pair in pairs)


def _said(disposal: Disposal) -> dict[str, Any]:
    names = ("original", "state", "reason", "until_at", "rules", "proposed_by", "proposed_at", "approved_by",
             "approved_at", "ended_at", "ended_why")  # fmt: skip
    return {"disposal": disposal.id, "class": disposal.code, **{name: getattr(disposal, name) for name in names}}


COMMAND = dispose
