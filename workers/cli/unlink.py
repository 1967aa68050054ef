"""Takes originals from a case, or refuses a proposal, because a person says so."""

from __future__ import annotations

import click

from workers.cli._persons import as_person, because


@click.command(short_help="Say that originals do not belong to a case; it is remembered.")
@click.argument("id", nargs=-1, required=True)
@click.option("--case", required=True, help="A number of the case, in any writing.")
@because
@as_person
def unlink(id: tuple[str, ...], case: str, reason: str, as_: str | None) -> int:
    """ID is what `show` takes. A link is taken back, a proposal refused; neither is proposed again.

    Example: casereel unlink 01KAMZ5V2W --case AJ2021-0042 --reason 拍摄对象不同 --as 李法制
    """
    from workers.cli._links import decide

    return decide(id, "confirm", as_, lambda linking, person, one: linking.refuse(person, one, case, reason))


COMMAND = unlink
