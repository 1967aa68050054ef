"""Confirms that proposed links are right."""

from __future__ import annotations

import click

from workers.cli._persons import as_person


@click.command(short_help="Confirm that originals belong to the case they are proposed for.")
@click.argument("id", nargs=-1, required=True)
@click.option("--case", required=True, help="A number of the case, in any writing.")
@click.option("--reason", default="the proposal was checked", show_default=True, help="Why; it stands in the log.")
@as_person
def confirm(id: tuple[str, ...], case: str, reason: str, as_: str | None) -> int:
    """ID is what `show` takes. `casereel case show NUMBER` lists what is proposed for a case.

    Example: casereel confirm 01KAMZ5V2W --case AJ2021-0042 --as 李法制
    """
    from workers.cli._links import decide

    return decide(id, "confirm", as_, lambda linking, person, one: linking.confirm(person, one, case, reason))


COMMAND = confirm
