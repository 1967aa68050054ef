"""Links originals to a case, because a person says so."""

from __future__ import annotations

import click

from workers.cli._persons import as_person, because


@click.command(short_help="Link originals to a case, with a reason.")
@click.argument("id", nargs=-1, required=True)
@click.option("--case", required=True, help="A number of the case, in any writing.")
@click.option("--activity", help="The activity of the case it shows.")
@click.option("--from", "from_s", type=click.FloatRange(0), help="Only from this second of the recording on.")
@click.option("--to", "to_s", type=click.FloatRange(0), help="Only up to this second.")
@because
@as_person
def link(
    id: tuple[str, ...], case: str, activity: str | None, from_s: float | None, to_s: float | None, reason: str,
    as_: str | None,
) -> int:  # fmt: skip
    """ID is what `show` takes. The link is confirmed; no linker changes it afterwards.

    Example: casereel link 01KAMZ5V2W --case AJ2021-0042 --reason 现场核对 --as 李法制
    """
    from workers.cli._links import decide

    return decide(id, "link", as_, lambda linking, person, original: linking.link(
        person, original, case, reason, activity=activity, from_s=from_s, to_s=to_s
    ))  # fmt: skip


COMMAND = link
