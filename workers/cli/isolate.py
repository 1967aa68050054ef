"""Stop and isolate: what to do where a state secret is suspected in an original."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from workers.cli import app_of, times
from workers.cli._persons import allowed, as_person, because

if TYPE_CHECKING:
    from pipeline.edges.database.isolations import Isolation


@click.group(short_help="Where a state secret is suspected: isolate at once, release.")
def isolate() -> None:
    """State secrets must not be kept here. An original in which one is suspected is there for nobody from that moment.

    Example: casereel isolate list --as 周审计
    """


@isolate.command(short_help="Say that a state secret is suspected; at once nobody sees it.")
@click.argument("id")
@as_person
def report(id: str, as_: str | None) -> None:
    """ID is what `show` takes. Say why to the secrecy office, by word of mouth: nothing of it is written down here.

    Example: casereel isolate report 01KAMZ5V2W
    """
    from workers.bootstrap import home

    app = app_of()
    with home(app.settings) as built:
        person = allowed(built, as_, "isolate")
        original = built.of(built.reviewer_named(as_)).find_original(id)
        with built.isolating() as isolating:
            isolating.report(person, original)
        said = app.in_words(
            "已隔离，任何人均不可见。请立即当面报告保密机构，不得复制、转述或用电话、网络说明内容；存有该文件的介质就地封存。",
            "isolated: nobody sees it. Tell the secrecy office at once and in person; copy nothing, say nothing of it "
            "by telephone or network, and seal the medium it came from where it is.",
        )
        app.emit({"original": original, "isolated": True}, said)


@isolate.command(short_help="Let it be seen again, as another person than who reported it.")
@click.argument("isolation_id")
@because
@as_person
def release(isolation_id: str, reason: str, as_: str | None) -> None:
    """Where the secrecy office found that it is no state secret. The work on it goes on.

    Example: casereel isolate release 01KAMZ5V2W --reason 保密办认定不属国家秘密 --as 周审计
    """
    from workers.bootstrap import home

    app = app_of()
    with home(app.settings) as built:
        person = allowed(built, as_, "keep_isolated")
        with built.isolating() as isolating:
            released = isolating.release(person, isolation_id, reason)
        app.emit(_told(released, built.settings.time.zone), app.in_words("已解除隔离", "released"))


@isolate.command("list", short_help="What is isolated, for the auditor.")
@click.option("--all", "all_", is_flag=True, help="Also what was released.")
@as_person
def list_(all_: bool, as_: str | None) -> None:
    """Lists identifiers alone, oldest first: no name, no kind, no content.

    Example: casereel isolate list --as 周审计
    """
    from pipeline.edges.database import isolations
    from workers.bootstrap import home

    app = app_of()
    with home(app.settings) as built:
        allowed(built, as_, "keep_isolated")
        with built.catalog.snapshot() as connection:
            found = isolations.listed(connection, all_=all_)
        for one in found:
            data = _told(one, built.settings.time.zone)
            state = app.in_words("已解除", "released") if one.ended_at else app.in_words("隔离中", "isolated")
            app.emit(data, f"{one.id}  {state}  {one.original}  {data['begun_at']}  {one.by}")


def _told(one: Isolation, zone: str) -> dict[str, Any]:
    return {
        "isolation": one.id, "original": one.original, "by": one.by, "begun_at": times(one.begun_at, zone),
        "ended_by": one.ended_by, "ended_at": times(one.ended_at, zone), "reason": one.ended_why,
    }  # fmt: skip


COMMAND = isolate
