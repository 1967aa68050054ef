"""Times that people correct by hand, beside what the rules decide."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from workers.cli import App, app_of
from workers.cli._moments import step_of
from workers.cli._persons import allowed, as_person, because

if TYPE_CHECKING:
    from workers.bootstrap import Home


@click.group(short_help="When it was recorded, corrected by hand: correct, withdraw.")
def time() -> None:
    """Corrects the time of a recording, or takes a correction back. The files' own claims stay as they are.

    Example: casereel time withdraw 01KAMZ5V2W --reason 依据有误
    """


@time.command(short_help="Say when an original was recorded; the rules' time stays beside it.")
@click.argument("id")
@click.option("--start", required=True, help="When it began, in the bureau's zone or with an offset.")
@click.option("--end", help="When it ended; else its beginning and its length.")
@click.option(
    "--uncertainty", "uncertainty_s", type=click.FloatRange(0), help="Seconds it may be off by; else as typed."
)
@because
@as_person
def correct(id: str, start: str, end: str | None, uncertainty_s: float | None, reason: str, as_: str | None) -> None:
    """ID is what `show` takes. Links and coverage follow at once; a later correction takes the place of an earlier one.

    Example: casereel time correct 01KAMZ5V2W --start "2021-08-03 10:10:00" --reason 与询问笔录核对 --as 李法制
    """
    from pipeline.acts.correcting import Correcting
    from pipeline.records import TimeCorrection
    from pipeline.timing.claiming import zone_of
    from workers.bootstrap import home

    app = app_of()
    with home(app.settings) as built:
        person = allowed(built, as_, "correct_time").name if as_ else built.actor
        zone = zone_of(built.settings)
        start_at, step_s = step_of(start, zone, "--start")
        said = TimeCorrection(
            start_at=start_at, end_at=None if end is None else step_of(end, zone, "--end")[0],
            uncertainty_s=step_s if uncertainty_s is None else uncertainty_s, reason=reason.strip(), by=person,
        )  # fmt: skip
        original = built.find_original(id)
        Correcting(built.catalog, built.audit).correct(original, said)
        _tell(app, built, original)


@time.command(short_help="Take a correction back; what the rules decide counts again.")
@click.argument("id")
@because
@as_person
def withdraw(id: str, reason: str, as_: str | None) -> None:
    """ID is what `show` takes. Both acts stay in the log.

    Example: casereel time withdraw 01KAMZ5V2W --reason 依据有误 --as 李法制
    """
    from pipeline.acts.correcting import Correcting
    from workers.bootstrap import home

    app = app_of()
    with home(app.settings) as built:
        person = allowed(built, as_, "correct_time").name if as_ else built.actor
        original = built.find_original(id)
        Correcting(built.catalog, built.audit).withdraw(person, original, reason)
        _tell(app, built, original)


def _tell(app: App, built: Home, original: str) -> None:
    """Decides and links anew, and prints the time that counts now."""
    from pipeline.edges.database import history
    from workers.cli._registers import looked_at_anew
    from workers.cli.show import time_of

    looked_at_anew(app, built, [original], times_too=True)
    known = built.catalog.known_of(original)
    with built.catalog.snapshot() as connection:
        beside = history.open_beside(connection, known)
    # It bounds its neighbours by another time now.
    looked_at_anew(app, built, beside, times_too=True)
    told = time_of(known, built.settings.time.zone)
    unknown = app.in_words("时间未知", "time unknown")
    text = unknown
    if told:
        why = app.in_words(told["why_zh"] or told["why"], told["why"])
        text = f"{told['start']} .. {told['end']}  ±{told['uncertainty_s']:g} s\n  {why}"
    app.emit({"original": original, "time": told}, f"{original}  {text}")


COMMAND = time
