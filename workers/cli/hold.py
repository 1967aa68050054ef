"""Holds: what must not go, whatever its period says."""

from __future__ import annotations

import click

from pipeline.states import HOLD_KINDS
from workers.cli import SOME_FAILED, app_of
from workers.cli._persons import allowed, as_person, because, original_of, require_one, retention_of_home


@click.group(short_help="Holds on originals and cases: place, release, list.")
def hold() -> None:
    """Keeps originals, or all originals of a case, from disposal.

    Example: casereel hold list
    """


@hold.command(short_help="Keep an original or a case from disposal.")
@click.argument("id", required=False)
@click.option("--case", help="All originals of this case, those linked later too.")
@click.option("--kind", type=click.Choice(HOLD_KINDS), default="hold", show_default=True,
              help="What asks for it: administrative review, litigation, a petition.")  # fmt: skip
@because
@as_person
def place(id: str | None, case: str | None, kind: str, reason: str, as_: str | None) -> int:
    """ID is what `show` takes. A hold at any moment before the bytes are unlinked wins.

    Example: casereel hold place --case 平商务罚字〔2021〕第3号 --kind litigation --reason 一审应诉 --as 王审计
    """
    app = app_of()
    require_one(id, case)
    with retention_of_home() as (built, retention):
        person = allowed(built, as_, "hold")
        original = None if id is None else original_of(built, as_, id)
        placed, too_late = retention.place_hold(person, reason, original=original, case=case, kind=kind)
        data = {"hold": placed.id, "original": original, "case": placed.printed, "kind": kind, "too_late": too_late}
        app.emit(data, app.in_words(f"已冻结：{placed.id}", f"held: {placed.id}"))
        for one in too_late:
            app.note(app.in_words(f"{one} 的内容已经删除，冻结未及", f"{one} was unlinked before the hold"))
        retention.note_in_vault(person.name)
        return SOME_FAILED if too_late else 0


@hold.command(short_help="Release a hold; takes two persons.")
@click.argument("hold_id")
@because
@as_person
def release(hold_id: str, reason: str, as_: str | None) -> None:
    """The first person asks for the release, the second (another one, within a week) releases.

    Example: casereel hold release 01KAMZ5V2W --reason 判决生效 --as 李法制
    """
    app = app_of()
    with retention_of_home() as (built, retention):
        person = allowed(built, as_, "release_hold")
        found = retention.release_hold(hold_id, person, reason)
        data = {"hold": found.id, "released": found.released_at is not None, "asked_by": found.release_asked_by,
                "released_by": found.released_by}  # fmt: skip
        waits = app.in_words("已申请解除，须由另一人办理", "release asked for; another person must do the same")
        app.emit(data, app.in_words("已解除", "released") if found.released_at else waits)
        retention.note_in_vault(person.name)


@hold.command("list", short_help="List the holds in force.")
@click.option("--all", "all_", is_flag=True, help="Also those that were released.")
def list_(all_: bool) -> None:
    """Lists holds, oldest first.

    Example: casereel hold list --all
    """
    from pipeline.custody.retention import KIND_WORDS

    app = app_of()
    with retention_of_home() as (built, retention):
        sight = built.sight()
        found = [one for one in retention.holds(all_=all_)
                 if one.original not in sight.unseen and one.case_key not in sight.hidden_cases]  # fmt: skip
        names = built.catalog.names(one.original for one in found if one.original)
        for one in found:
            reason = sight.unnamed.said(one.reason)
            about = one.printed or names.get(one.original or "", one.original)
            state = app.in_words("已解除", "released") if one.released_at else app.in_words(*KIND_WORDS[one.kind])
            app.emit(
                {"hold": one.id, "original": one.original, "case": one.printed, "kind": one.kind, "reason": reason,
                 "by": one.by, "role": one.role, "from": one.from_at, "release_asked_by": one.release_asked_by,
                 "released_by": one.released_by, "released_at": one.released_at},
                f"{one.id}  {state}  {about}  {one.by}: {reason}",
            )  # fmt: skip


COMMAND = hold
