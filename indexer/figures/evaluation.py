"""Reads what the statistics of an interval count: as one person may know of it.

What is counted of recordings and duties is kept in memory by `tallies.py` and `duties.py`, which read what changed;
registers, incidents and restrictions are read each time. A bounded number of queries, by pieces of 500 originals.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Final

from indexer.casework.checklist import ListRules
from indexer.casework.duties import Duties
from indexer.casework.review import Seen, rules_in
from indexer.figures.statistics import Act, Film, Statistics, interval_of, rows_of
from indexer.figures.tallies import Sort, Tallies
from pipeline.acts.excusing import Excuse, Excuses
from pipeline.edges.audit import AuditLog
from pipeline.edges.catalog import Catalog
from pipeline.edges.database import evaluation, registers, restrictions
from pipeline.edges.database.evaluation import Acts
from pipeline.errors import BadInput
from pipeline.records import Activity, Custodian

# What an interval is, where nobody says.
DAYS: Final = 90


def interval_said(from_: str | None, to: str | None, today: date) -> tuple[date, date]:
    """The days that were said, `2026-08-03`; the last 90 where none were. Raises BadInput."""
    to_on = _day(to) if to else today
    from_on = _day(from_) if from_ else to_on - timedelta(days=DAYS - 1)
    if from_on > to_on:
        raise BadInput(f"{from_on} lies after {to_on}", zh=f"{from_on} 晚于 {to_on}")
    return from_on, to_on


def _day(said: str) -> date:
    try:
        found = date.fromisoformat(said.strip())
    except ValueError:
        found = date.min
    # Far from both ends of the calendar, so that another zone has such a day too.
    if not 1970 <= found.year < 9000:
        raise BadInput(f"'{said[:40]}' is no date: write 2026-08-03", zh=f"“{said[:40]}”不是日期：请写成 2026-08-03")
    return found


@dataclass(frozen=True)
class Kept:
    """What is kept of one catalog from one asking to the next."""

    tallies: Tallies = field(default_factory=Tallies)
    duties: Duties = field(default_factory=Duties)


def evaluated(
    catalog: Catalog, audit: AuditLog, home: Path, *, from_on: date, to_on: date, zone: str, deadline_h: float,
    seen: Seen, hidden: Collection[str], kept: Kept | None = None,
) -> Statistics:  # fmt: skip
    """The statistics of these days, in the bureau's zone.

    seen: those of these originals that whoever asks may know of, hidden: keys of cases that they may not; neither the
    other originals nor the activities of these cases are counted. kept: of an earlier asking, of the same catalog.
    Raises BadInput where a rule file cannot be used.
    """
    kept = kept or Kept()
    interval, rules = interval_of(from_on, to_on, zone), rules_in(home)
    with catalog.snapshot() as connection:
        restricted = restrictions.restricted_originals(connection)
    unseen = set(restricted) - set(seen(restricted))
    excuses: dict[str, list[Excuse]] = defaultdict(list)
    for excuse in Excuses(catalog, audit).all():
        excuses[excuse.case_key].append(excuse)
    with catalog.snapshot() as connection:
        units = {one.code: one.unit for one in registers.devices(connection)}
        people = _units_of_people(registers.custodians(connection))
        offsets = registers.offsets(connection)
        tally = kept.tallies.between(
            connection, from_on, to_on, zone=zone, most_s=rules.asked.uncertainty_s, unseen=unseen
        )
        secret = sorted(evaluation.cases_with(connection, hidden))
        sorts = evaluation.activities(connection, *interval, secret)
        # Of the others nothing had to be recorded.
        steps = sorted({one.step for one in sorts if one.in_case and rules.steps.of(one.step).required != "some"})
        cases = evaluation.cases_of_activities(connection, *interval, steps, secret) if steps else {}
        begun = [one for one in registers.activities(connection, between=interval, steps=steps) if one.code in cases]
        by_case: dict[str, list[Activity]] = defaultdict(list)
        for one in begun:
            by_case[cases[one.code]].append(one)
        duties = kept.duties.of(
            connection, by_case, unseen=unseen, steps=rules.steps, excuses=excuses, registered=frozenset(units)
        )
    films: Counter[Film] = Counter()
    for sort, count in tally.items():
        films[_film(sort, units, people)] += count
    acts = [
        *((_act(one, rules.asked, people), one.number) for one in sorts if not (one.in_case and one.step in steps)),
        *((replace(_act(_alike(one), rules.asked, people), duty=duties[one.code]), 1) for one in begun),
    ]
    return Statistics(
        from_on=from_on, to_on=to_on, deadline_h=deadline_h,
        rows=rows_of(films, acts, offsets, units, from_at=interval[0], to_at=interval[1]),
    )  # fmt: skip


def _film(sort: Sort, units: Mapping[str, str | None], people: Mapping[str, str]) -> Film:
    return Film(
        device=sort.device, unit=units.get(sort.device or "") or _unit_of(sort.makers, people),
        is_timed=sort.is_timed, is_late=sort.is_late, link=sort.link, lacks=sort.lacks,
    )  # fmt: skip


def _act(one: Acts, rules: ListRules, people: Mapping[str, str]) -> Act:
    lacks = {"officers": len(one.people) < rules.officers, "times": not one.has_ends, "places": not one.place}
    return Act(unit=_unit_of(one.people, people), lacks=frozenset(name for name, is_so in lacks.items() if is_so))


def _alike(one: Activity) -> Acts:
    return Acts(one.step, one.people, bool(one.place), one.to_at is not None, True, 1)


def _units_of_people(people: Sequence[Custodian]) -> dict[str, str]:
    """What somebody is called -> their unit; nothing for a name that people of several units bear."""
    found: dict[str, set[str]] = defaultdict(set)
    for one in people:
        for name in {one.code, one.name, *one.aliases}:
            found[name].add(one.unit or "")
    return {name: unit for name, units in found.items() if len(units) == 1 for unit in units if unit}


def _unit_of(names: Sequence[str], people: Mapping[str, str]) -> str | None:
    """The unit of the first whose unit is known."""
    return next((people[name] for name in names if name in people), None)
