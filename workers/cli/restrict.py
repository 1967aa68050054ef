"""Restrictions: who alone may see an original or a case."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from pipeline.states import RESTRICTION_KINDS
from workers.cli import App, app_of
from workers.cli._persons import allowed, as_person, because, require_one

if TYPE_CHECKING:
    from pipeline.records import Restriction

_KINDS = {
    "work_secret": ("工作秘密", "work secret"),
    "trade_secret": ("商业秘密", "trade secret"),
    "personal_privacy": ("个人隐私", "personal privacy"),
}


@click.group(short_help="Restrict who may see originals and cases: place, lift, list.")
def restrict() -> None:
    """Keeps originals, or all originals of a case, from the eyes of others: for them they are not there.

    Example: casereel restrict list
    """


@restrict.command(short_help="Let only some see an original or a case.")
@click.argument("id", required=False)
@click.option("--case", help="The case and all its originals, those linked later too.")
@click.option("--kind", type=click.Choice(RESTRICTION_KINDS), required=True, help="What is protected.")
@click.option("--unit", "units", multiple=True, metavar="UNIT", help="Who may see it: a unit in access.units.")
@click.option("--person", "persons", multiple=True, metavar="PERSON", help="Who may see it by name.")
@because
@as_person
def place(
    id: str | None, case: str | None, kind: str, units: tuple[str, ...], persons: tuple[str, ...], reason: str,
    as_: str | None,
) -> None:  # fmt: skip
    """ID is what `show` takes. Whoever places it, and auditors, see it too. Searches follow at once.

    Example: casereel restrict place --case 平商务罚字〔2021〕第3号 --kind trade_secret --unit 法制科 --reason 涉密配方
    """
    from pipeline.acts.restricting import Restricting
    from workers.bootstrap import build_follower, home

    app = app_of()
    require_one(id, case)
    with home(app.settings) as built:
        person = allowed(built, as_, "restrict")
        original = None if id is None else built.find_original(id)
        placed = Restricting(built.catalog, built.audit).place(
            person, reason, kind=kind, original=original, case=case, units=units, persons=persons
        )
        build_follower(built).follow()
        app.emit(_told(placed), app.in_words(f"已限制：{placed.id}", f"restricted: {placed.id}"))


@restrict.command(short_help="Let everybody see it again.")
@click.argument("restriction_id")
@because
@as_person
def lift(restriction_id: str, reason: str, as_: str | None) -> None:
    """Other restrictions on the same original or case stay.

    Example: casereel restrict lift 01KAMZ5V2W --reason 案件已公开 --as 李法制
    """
    from pipeline.acts.restricting import Restricting
    from workers.bootstrap import build_follower, home

    app = app_of()
    with home(app.settings) as built:
        person = allowed(built, as_, "lift_restriction")
        _require_seen(built, person.name, restriction_id)
        lifted = Restricting(built.catalog, built.audit).lift(person, restriction_id, reason)
        build_follower(built).follow()
        app.emit(_told(lifted), app.in_words("已解除", "lifted"))


@restrict.command("list", short_help="List the restrictions in force that you may see.")
@click.option("--all", "all_", is_flag=True, help="Also those that were lifted.")
@as_person
def list_(all_: bool, as_: str | None) -> None:
    """Lists restrictions, oldest first; of those that do not let you in, none.

    Example: casereel restrict list --all
    """
    from indexer.access import sees
    from pipeline.edges.database import restrictions
    from workers.bootstrap import home

    app = app_of()
    with home(app.settings) as built:
        reviewer = built.reviewer_named(as_)
        with built.catalog.snapshot() as connection:
            found = [one for one in restrictions.restrictions(connection, all_=all_) if sees(reviewer, [one])]
        for one in found:
            app.emit(_told(one), _line(app, one))


def _require_seen(built: Any, name: str, identifier: str) -> None:
    """Raises BadInput, as for one that is not there, where the restriction does not let this person in."""
    from indexer.access import sees
    from pipeline.edges.database import restrictions
    from pipeline.errors import BadInput

    with built.catalog.snapshot() as connection:
        record = restrictions.one(connection, identifier)
    if not sees(built.reviewer_named(name), [record]):
        raise BadInput(f"There is no restriction {identifier}", zh=f"没有编号为 {identifier} 的限制", found=identifier)


def _told(one: Restriction) -> dict[str, Any]:
    return {
        "restriction": one.id, "original": one.original, "case": one.printed, "kind": one.kind,
        "units": list(one.units), "persons": list(one.persons), "reason": one.reason, "by": one.by, "role": one.role,
        "from": one.from_at, "lifted_by": one.lifted_by, "lifted_at": one.lifted_at,
    }  # fmt: skip


def _line(app: App, one: Restriction) -> str:
    state = app.in_words("已解除", "lifted") if one.lifted_at else app.in_words(*_KINDS[one.kind])
    who = "、".join((*one.units, *one.persons)) or "-"
    return f"{one.id}  {state}  {one.printed or one.original}  {who}  {one.by}: {one.reason}"


COMMAND = restrict
