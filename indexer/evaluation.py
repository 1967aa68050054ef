"""Reads what the statistics of an interval count: as one person may know of it, in a bounded number of queries.

Queries go by pieces of 500 originals or cases of the interval; what lies outside it is not read. Duties are worked out
by the same rules as on the page of a case.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from indexer.case_file import shown_of
from indexer.caseload import Seen
from indexer.checklist import FACTS, ListRules, has_device, has_maker, is_in_writing
from indexer.coverage import Steps, coverage_of
from indexer.review import rules_in
from indexer.statistics import Act, Duty, Film, Statistics, duty_of, interval_of, rows_of
from pipeline.edges import evaluation, registers, restrictions, segments
from pipeline.edges.audit import AuditLog
from pipeline.edges.catalog import Catalog, in_pieces
from pipeline.edges.evaluation import Recorded
from pipeline.errors import BadInput
from pipeline.excusing import Excuse, Excuses
from pipeline.recordings import recordings_of
from pipeline.records import Activity, Custodian
from pipeline.timing import lateness

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


def evaluated(
    catalog: Catalog, audit: AuditLog, home: Path, *, from_on: date, to_on: date, zone: str, deadline_h: float,
    seen: Seen, hidden: Collection[str],
) -> Statistics:  # fmt: skip
    """The statistics of these days, in the bureau's zone.

    seen: those of these originals that whoever asks may know of, hidden: keys of cases that they may not; neither the
    other originals nor the activities of these cases are counted. Raises BadInput where a rule file cannot be used.
    """
    from_at, to_at = interval_of(from_on, to_on, zone)
    rules = rules_in(home)
    with catalog.snapshot() as connection:
        restricted = restrictions.restricted_originals(connection)
    unseen = set(restricted) - set(seen(restricted))
    with catalog.snapshot() as connection:
        units = {one.code: one.unit for one in registers.devices(connection)}
        people = _units_of_people(registers.custodians(connection))
        films = _films(connection, from_at, to_at, unseen, rules.asked, units, people)
        begun = [one for one in registers.activities(connection, between=(from_at, to_at))
                 if one.from_at and from_at <= one.from_at < to_at]  # fmt: skip
        offsets = registers.offsets(connection)
    excuses: dict[str, list[Excuse]] = defaultdict(list)
    for excuse in Excuses(catalog, audit).all():
        excuses[excuse.case_key].append(excuse)
    with catalog.snapshot() as connection:
        duties, secret = _duties(connection, begun, (from_at, to_at), unseen, hidden, rules.steps, excuses, units)
    acts = [
        Act(unit=_unit_of(one.people, people), lacks=frozenset(_lacks_of(one, rules.asked)), duty=duties.get(one.code))
        for one in begun if one.code not in secret
    ]  # fmt: skip
    return Statistics(
        from_on=from_on, to_on=to_on, deadline_h=deadline_h,
        rows=rows_of(films, acts, offsets, units, from_at=from_at, to_at=to_at),
    )  # fmt: skip


def _films(
    connection: sa.Connection, from_at: datetime, to_at: datetime, unseen: Collection[str], rules: ListRules,
    units: Mapping[str, str | None], people: Mapping[str, str],
) -> list[Film]:  # fmt: skip
    listed = [one for one in evaluation.recorded(connection, from_at, to_at) if one.id not in unseen]
    ids = [one.id for one in listed]
    facts = evaluation.facts(connection, ids, FACTS)
    links, late = evaluation.links(connection, ids), evaluation.carrying(connection, ids, lateness.CODE)
    broken = evaluation.broken(connection)
    written = _in_writing(connection, [one for one in listed if one.kind == "audio"], links, unseen)
    found = []
    for one in listed:
        said, statuses = facts.get(one.id, {}), set(links.get(one.id, {}).values())
        device = said.get("register.device")
        makers = said.get("register.officer")
        lacks = {
            "devices": not has_device(said), "carriers": not has_maker(said),
            "clocks": one.kind != "photo" and not _is_sure(one, rules.uncertainty_s),
            "transcripts": one.kind == "audio" and one.id not in written, "digests": one.id in broken,
        }  # fmt: skip
        found.append(Film(
            device=device,
            unit=units.get(device or "") or _unit_of(makers if isinstance(makers, list) else [], people),
            is_timed=_is_timed(one), is_late=one.id in late,
            link="confirmed" if "confirmed" in statuses else "proposed" if statuses else "",
            lacks=frozenset(name for name, is_so in lacks.items() if is_so),
        ))  # fmt: skip
    return found


def _is_timed(one: Recorded) -> bool:
    """Whether somebody says when it was recorded, and not only when it was saved."""
    return one.method is not None and not one.method.startswith("saved_only")


def _is_sure(one: Recorded, most_s: float) -> bool:
    return one.uncertainty_s is not None and one.uncertainty_s <= most_s


def _in_writing(
    connection: sa.Connection, sounds: Sequence[Recorded], links: Mapping[str, Mapping[str, str]],
    unseen: Collection[str],
) -> set[str]:  # fmt: skip
    """Those of which the words are in writing: in a sidecar, or in a document of one of their cases."""
    beside = evaluation.formats_beside(connection, [one.id for one in sounds])
    documents = evaluation.documents_of(connection, sorted({case for one in sounds for case in links.get(one.id, {})}))
    names = {case: [name for id, name in its.items() if id not in unseen] for case, its in documents.items()}
    return {
        one.id for one in sounds
        if is_in_writing(one.name, beside.get(one.id, ()),
                         [name for case in links.get(one.id, {}) for name in names.get(case, ())])
    }  # fmt: skip


def _duties(
    connection: sa.Connection, begun: Sequence[Activity], interval: tuple[datetime, datetime],
    unseen: Collection[str], hidden: Collection[str], steps: Steps, excuses: Mapping[str, Sequence[Excuse]],
    registered: Collection[str],
) -> tuple[dict[str, Duty], set[str]]:  # fmt: skip
    """(code of an activity -> its duty, codes of activities of hidden cases)."""
    cases = evaluation.cases_of_activities(connection, *interval)
    keys = evaluation.keys_of_cases(connection, sorted(set(cases.values())))
    secret = {code for code, case in cases.items() if not keys.get(case, frozenset()).isdisjoint(hidden)}
    by_case: dict[str, list[Activity]] = defaultdict(list)
    for one in begun:
        if one.code in cases and one.code not in secret and steps.of(one.step).required != "some":
            by_case[cases[one.code]].append(one)
    found: dict[str, Duty] = {}
    for some in in_pieces(sorted(by_case), 100):
        linked = {case: [one for one in its if one.original not in unseen]
                  for case, its in registers.links_of_cases(connection, some).items()}  # fmt: skip
        files = {one.original: one for one in segments.segments(
            connection, sorted({one.original for its in linked.values() for one in its})
        )}  # fmt: skip
        for case in some:
            its = linked.get(case, [])
            recordings = recordings_of([files[one.original] for one in its if one.original in files])
            shown = shown_of(recordings, its)
            seams = {(seam.before, seam.after): seam.kind for one in recordings for seam in one.seams}
            stated = [excuse for key in sorted(keys[case]) for excuse in excuses.get(key, ())]
            for act in by_case[case]:
                duty = duty_of(coverage_of(act, shown, steps, stated, seams), steps, registered)
                if duty is not None:
                    found[act.code] = duty
    return found, secret


def _lacks_of(one: Activity, rules: ListRules) -> list[str]:
    lacks = {
        "officers": len(one.people) < rules.officers, "times": one.from_at is None or one.to_at is None,
        "places": not one.place,
    }  # fmt: skip
    return [name for name, is_so in lacks.items() if is_so]


def _units_of_people(people: Sequence[Custodian]) -> dict[str, str]:
    """What somebody is called -> their unit; nothing for a name that people of several units bear."""
    found: dict[str, set[str]] = defaultdict(set)
    for one in people:
        for name in {one.code, one.name, *one.aliases}:
            found[name].add(one.unit or "")
    return {name: unit for name, units in found.items() if len(units) == 1 for unit in units if unit}


def _unit_of(names: Sequence[Any], people: Mapping[str, str]) -> str | None:
    """The unit of the first whose unit is known."""
    return next((people[str(name)] for name in names if str(name) in people), None)
