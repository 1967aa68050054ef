"""Cases with their many numbers, parties, activities and reviewers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from indexer.persons.masking import masked
from workers.cli import SOME_FAILED, app_of
from workers.cli._cases import looks_at, required_case
from workers.cli._persons import allowed, as_person, because

if TYPE_CHECKING:
    from pipeline.records import Case


@click.group(short_help="Cases, parties and activities: list, show, import, coverage, slate.")
def case() -> None:
    """Keeps cases with their numbers, parties and activities.

    Example: casereel case show 平商务罚字〔2021〕第3号
    """


@case.command("list", short_help="List cases, oldest first.")
def list_() -> None:
    """Lists every case that was registered, or that a link names.

    Example: casereel case list --json
    """
    from indexer.casework import case_json
    from pipeline.case_numbers import comparable
    from pipeline.edges.database import caseload, registers
    from workers.bootstrap import home

    app = app_of()
    with home(app.settings) as built, built.catalog.snapshot() as connection:
        sight = built.sight()
        for one in registers.cases(connection):
            keys = [comparable(printed) for printed, _ in one.numbers]
            # A case that only originals name is as little to be known of as these.
            if not sight.hidden_cases.isdisjoint(keys) or (
                sight.unseen and not any(caseload.is_there(connection, key, sight.unseen) for key in keys)
            ):
                continue
            data = case_json.case(one)
            app.emit(data, f"{data['case']}  {data['decision_due_on'] or '-'}  {_names(one)}  {one.title}")


@case.command(short_help="Show a case: numbers, parties, activities, recordings.")
@click.argument("number")
def show(number: str) -> None:
    """NUMBER is any number of the case, in any writing.

    Example: casereel case show AJ2021-0042 --json
    """
    from indexer.casework import case_json
    from indexer.casework.case_file import keys_of
    from pipeline.case_numbers import comparable
    from pipeline.edges.database import registers
    from workers.bootstrap import home

    app = app_of()
    with home(app.settings) as built:
        key, zone = comparable(number), built.settings.time.zone
        looks_at(built, number, "show")
        with built.catalog.snapshot() as connection:
            found = registers.cases(connection, key=key)
            activities = registers.activities(connection, case=key)
            linked = registers.linked_to(connection, key)
        seen = set(built.seen([one for one, *_ in linked]))
        one = required_case(number, found)
        data = {
            **case_json.case(one),
            "assigned": [case_json.assignment(its, zone) for its in built.assigning().of(keys_of(one))],
            "activities": [case_json.activity(one, zone) for one in activities],
            "recordings": [
                {"original": one, "name": masked(name), "status": status} for one, name, status in linked if one in seen
            ],
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


@case.command(short_help="How much of what had to be recorded the recordings of a case show.")
@click.argument("number")
@click.option("--confirmed", is_flag=True, help="Count confirmed links only, not proposals.")
def coverage(number: str, confirmed: bool) -> int:
    """Each activity of the case with its times is a duty; `steps.toml` says what must be recorded of it.

    Ends with 1 where a duty is not fulfilled.

    Example: casereel case coverage 平商务罚字〔2021〕第3号 --json
    """
    from indexer.casework import case_json
    from indexer.casework.case_file import case_file
    from indexer.casework.contradictions import contradictions_of
    from indexer.casework.review import duties_of
    from indexer.coverage import steps_of
    from workers.bootstrap import home
    from workers.cli._coverage import page

    app = app_of()
    with home(app.settings) as built:
        zone, rules = built.settings.time.zone, steps_of(built.settings.home)
        looks_at(built, number, "coverage")
        file = case_file(built.catalog, built.audit, number, zone=zone, confirmed=confirmed, sight=built.sight())
        duties = duties_of(file, rules)
        data = {
            "case": file.case.numbers[0][0], "rules": rules.version,
            "without_times": [one.step for one in file.activities if not one.from_at],
            "duties": [case_json.duty(one, zone) for one in duties],
            "excuses": [case_json.excuse(one, zone) for one in file.excuses],
            "contradictions": [case_json.contradiction(one) for one in contradictions_of(file, rules, zone)],
        }  # fmt: skip
        app.emit(data, lambda: page(app, data))
    return 0 if all(one.fulfilled for one in duties) else SOME_FAILED


@case.command(short_help="Proposed links that wait for a decision, the nearest decision date first.")
@click.argument("number", required=False)
@click.option("--limit", type=int, default=100, show_default=True, help="So many at most.")
def proposals(number: str | None, limit: int) -> None:
    """Of one case, or of all. `confirm` says that one is right, `unlink` that it is not.

    Example: casereel case proposals --limit 20
    """
    from workers.cli._proposals import tell

    tell(number, limit)


@case.command(short_help="State why something was lawfully not recorded, or take that back.")
@click.argument("number")
@click.option("--step", help="Of every activity of this step.")
@click.option("--activity", help="Of this activity.")
@click.option("--from", "from_", help="A pause: from this moment, in the bureau's zone.")
@click.option("--to", help="A pause: to this moment.")
@click.option("--told", help="The person in charge who was told.")
@click.option("--withdraw", metavar="ID", help="Take back the stated reason of this name.")
@because
@as_person
def excuse(
    number: str, step: str | None, activity: str | None, from_: str | None, to: str | None, told: str | None,
    withdraw: str | None, reason: str, as_: str | None,
) -> None:  # fmt: skip
    """Without --from and --to it is about all of the duty; `case coverage` tells it beside the gap, which stays one.

    Example: casereel case excuse AJ2021-0042 --step 查封 --from "2021-08-03 10:10" --to "2021-08-03 10:25"
    --reason 停电
    """
    from indexer.casework import case_json
    from indexer.casework.case_file import keys_of
    from indexer.coverage import steps_of
    from pipeline.acts.excusing import Excuses
    from pipeline.case_numbers import comparable
    from pipeline.edges.database import registers
    from pipeline.timing.claiming import zone_of
    from workers.bootstrap import home
    from workers.cli._coverage import excuse_line, require_duty
    from workers.cli._moments import moment_of

    app = app_of()
    with home(app.settings) as built:
        person = allowed(built, as_, "excuse").name if as_ else built.actor
        zone, key = zone_of(built.settings), comparable(number)
        with built.catalog.snapshot() as connection:
            found = required_case(number, registers.cases(connection, key=key))
            activities = registers.activities(connection, case=key)
        stated = Excuses(built.catalog, built.audit)
        if withdraw:
            one = stated.withdraw(person, keys_of(found), withdraw, reason)
        else:
            require_duty(activities, steps_of(built.settings.home), step, activity)
            one = stated.give(
                person, found.numbers[0][0], reason, step=step, activity=activity, told=told,
                from_at=moment_of(from_, zone, "--from") if from_ else None,
                to_at=moment_of(to, zone, "--to") if to else None,
            )  # fmt: skip
        data = {**case_json.excuse(one, built.settings.time.zone), "withdrawn": bool(withdraw)}
        app.emit(data, lambda: excuse_line(app, data))


@case.command(short_help="Assign a case to a reviewer for the review before the decision, or end that.")
@click.argument("number")
@click.argument("person")
@click.option("--withdraw", is_flag=True, help="The person has the case no more.")
@as_person
def assign(number: str, person: str, withdraw: bool, as_: str | None) -> None:
    """A reviewer takes a case that nobody has; an administrator assigns it to any reviewer, whoever had it.

    Why its reviewer looks at the case, and at what is linked to it, is then filled in for the log.

    Example: casereel case assign AJ2021-0042 李法制
    """
    from indexer.casework import case_json
    from pipeline.case_numbers import comparable
    from pipeline.edges.database import registers
    from workers.bootstrap import home
    from workers.cli._persons import allowed

    app = app_of()
    with home(app.settings) as built:
        if as_:
            allowed(built, as_, "assign")
        by, zone = built.reviewer_named(as_), built.settings.time.zone
        looks_at(built.of(by), number, "assignment")
        with built.catalog.snapshot() as connection:
            found = required_case(number, registers.cases(connection, key=comparable(number)))
        assigning = built.assigning()
        one = assigning.withdraw(by, found, person)[0] if withdraw else assigning.assign(by, found, person)
        data = {"case": one.printed, **case_json.assignment(one, zone), "withdrawn": withdraw}
        app.emit(data, app.in_words(
            f"{one.printed}：{'不再由' if withdraw else '由'} {one.person} 审核",
            f"{one.printed}: {one.person} {'reviews it no more' if withdraw else 'reviews it'}",
        ))  # fmt: skip


@case.command(short_help="What the case must have, what is there, what is missing; signed by a reviewer.")
@click.argument("number")
@click.option("--sign", is_flag=True, help="Sign it: what the case is now is frozen with its digest.")
@click.option("--by", metavar="PERSON", help="Who signs; a role in access.roles.")
@click.option(
    "--opinion",
    type=click.Choice(["agree", "disagree", "amend"]),
    default="agree",
    show_default=True,
    help="The opinion that is signed.",
)
@click.option("--reason", default="", help="Why: asked where something is missing, and for any opinion but to agree.")
def checklist(number: str, sign: bool, by: str | None, opinion: str, reason: str) -> int:
    """`checklist.toml` says what is asked of which type of case. Ends with 1 where something is missing.

    What changes after the signature is told, and the list is open again.

    Example: casereel case checklist AJ2021-0042 --sign --by 李法制
    """
    from workers.cli._checklist import tell

    return tell(number, sign, by, reason, opinion)


@case.command(short_help="Make the card that links a recording to its case when it is filmed.")
@click.argument("number")
@click.option(
    "--to", type=click.Path(dir_okay=False, path_type=Path), help="The PDF's file; in this folder if left out."
)
@as_person
def slate(number: str, to: Path | None, as_: str | None) -> None:
    """A page of A4 with the number as a code: held before the lens at the start, it links the recording by itself.

    Example: casereel case slate 平商务罚字〔2021〕第3号 --to slate.pdf
    """
    from indexer.cards.slate import pdf_of
    from pipeline.case_numbers import comparable, parse
    from pipeline.codes import read, slate_text
    from pipeline.edges.database import registers
    from pipeline.edges.log.cards import Cards
    from pipeline.errors import BadInput
    from workers.bootstrap import home
    from workers.cli._persons import allowed

    app = app_of()
    with home(app.settings) as built:
        actor = allowed(built, as_, "register").name if as_ else built.actor
        with built.catalog.snapshot() as connection:
            found = registers.cases(connection, key=comparable(number))
        numbers = parse(number)
        if not found and len(numbers) != 1:
            required_case(number, found)
        printed = numbers[0].printed if numbers else number.strip()
        card, secret = Cards(built.settings).new()
        text = slate_text(printed, card, secret)
        if read(text) is None:
            raise BadInput(f"'{printed}' is too long for a slate", zh=f"“{printed}”过长，无法制成案件板", found=printed)
        made = pdf_of(text, printed, found[0].title if found else "", card)
        built.tell("card.made", facts={"card": card, "kind": "slate", "case": printed, "for": actor})
    to = to or Path(f"slate-{comparable(printed)}.pdf".replace("/", "-"))
    to.write_bytes(made)
    app.emit({"case": printed, "card": card, "file": str(to)},
             app.in_words(f"案件板 {card}（{printed}）：{to}", f"case slate {card} ({printed}): {to}"))  # fmt: skip


def _names(one: Case) -> str:
    return "、".join(party.name for party in one.parties) or "-"


def _page(data: dict[str, Any]) -> str:
    lines = [f"{data['case']}  {data['title']}"]
    lines += [f"  {one['number']}  {one['kind'] or ''}" for one in data["numbers"][1:]]
    lines += [f"  {one['name']}  {one['identifier'] or ''}" for one in data["parties"]]
    lines += [f"  → {one['person']}  {one['at']}" for one in data["assigned"]]
    lines += [
        f"  {one['from'] or '-'} .. {one['to'] or '-'}  {one['step']}  {one['place'] or ''}  {'、'.join(one['people'])}"
        for one in data["activities"]
    ]
    lines += [f"  {one['original']}  {one['status']:9}  {one['name']}" for one in data["recordings"]]
    return "\n".join(lines)


COMMAND = case
