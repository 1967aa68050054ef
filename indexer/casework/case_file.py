"""All that speaks of one case: its register, what is linked to it, recordings in time, written records, reasons stated.

What coverage, contradictions and the checklist are worked out from; read in a few queries.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from indexer.coverage import Seams, Shown
from indexer.persons.sight import Sight
from pipeline.acts.excusing import Excuse, Excuses
from pipeline.case_numbers import comparable
from pipeline.edges.audit import AuditLog
from pipeline.edges.catalog import Catalog
from pipeline.edges.database import registers, segments
from pipeline.edges.database import tables as t
from pipeline.edges.database.registers import Linked
from pipeline.edges.database.rows import in_pieces
from pipeline.errors import BadInput
from pipeline.recordings import Recording, Segment, recordings_of
from pipeline.records import Activity, Case

# Carried by what a machine read.
RECOGNIZED: Final = "text_recognized"
# What a written record says of itself, where its text was read.
_DOCUMENT: Final = ("record.from", "record.to", "record.place", "record.persons", "record.kind")


@dataclass(frozen=True, kw_only=True)
class Written:
    """A written record of the case. from_at, to_at: when it says that what it tells of happened; None unknown.

    recognized: a machine read it, and may have misread it.
    """

    original: str
    name: str
    kind: str = ""
    from_at: datetime | None = None
    to_at: datetime | None = None
    place: str = ""
    persons: tuple[str, ...] = ()
    recognized: bool = False


@dataclass(frozen=True, kw_only=True)
class CaseFile:
    """One case with all that speaks of it. activities: its own; all_activities: everybody's that meet them in time.

    facts: original -> name -> value. beside: original -> formats of its sidecars. broken: with an open incident.
    is_part_hidden: an activity of another case meets these in time, of which whoever asks may not know.
    """

    case: Case
    activities: tuple[Activity, ...] = ()
    all_activities: tuple[Activity, ...] = ()
    linked: tuple[Linked, ...] = ()
    shown: tuple[Shown, ...] = ()
    recordings: tuple[Recording, ...] = ()
    photos: tuple[Segment, ...] = ()
    written: tuple[Written, ...] = ()
    excuses: tuple[Excuse, ...] = ()
    facts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, hash=False)
    beside: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    broken: frozenset[str] = frozenset()
    is_part_hidden: bool = False

    @property
    def seams(self) -> Seams:
        """What lies between files of one recording."""
        return {(seam.before, seam.after): seam.kind for one in self.recordings for seam in one.seams}


def keys_of(case: Case) -> frozenset[str]:
    """Every number of the case, as numbers are compared."""
    return frozenset(comparable(printed) for printed, _ in case.numbers)


def case_file(
    catalog: Catalog,
    audit: AuditLog,
    number: str,
    *,
    zone: str,
    confirmed: bool = False,
    facts: Sequence[str] = (),
    sight: Sight | None = None,
) -> CaseFile:
    """The case with this number. confirmed: leave proposals out; facts: names of properties to bring along.

    zone: of written times without one. sight: of whoever asks; what they may not know of is not there, and no reason
    names it. None: of somebody who sees all. Raises BadInput where there is no such case.
    """
    key = comparable(number)
    with catalog.snapshot() as connection:
        found = registers.cases(connection, key=key)
        if not found:
            raise BadInput(f"No case has the number {number}", zh=f"没有案号为 {number} 的案件", found=number)
        every = registers.links_of(connection, key)
        if sight is not None:
            known = set(sight.seen([one.original for one in every]))
            every = [one for one in every if one.original in known]
        linked = tuple(one for one in every if one.status == "confirmed" or not confirmed)
        ids = [one.original for one in linked]
        files = segments.segments(connection, ids)
        recordings = tuple(recordings_of(files))
        own = registers.activities(connection, case=key)
        written = tuple(_written(connection, linked, zone))
        paper = {one.original for one in written}
        meeting = _meeting(connection, own)
        others = meeting if sight is None else [one for one in meeting if not _is_hidden(one, sight)]
        excuses = Excuses(catalog, audit).of(keys_of(found[0]))
        if sight is not None:
            excuses = [replace(one, reason=sight.unnamed.said(one.reason)) for one in excuses]
        return CaseFile(
            case=found[0], activities=tuple(own), all_activities=tuple(others), linked=linked,
            recordings=recordings,
            photos=tuple(one for one in files if one.kind == "photo" and one.original not in paper),
            shown=tuple(shown_of(recordings, linked)),
            written=written,
            excuses=tuple(excuses), is_part_hidden=len(others) < len(meeting),
            facts=_facts(connection, ids, facts), beside=_beside(connection, ids), broken=_broken(connection, ids),
        )  # fmt: skip


def _is_hidden(one: Activity, sight: Sight) -> bool:
    return one.case is not None and comparable(one.case) in sight.hidden_cases


def _meeting(connection: sa.Connection, own: Sequence[Activity]) -> list[Activity]:
    """Activities of any case that meet one of these in time, these among them."""
    ends = [(one.from_at, one.to_at or one.from_at) for one in own if one.from_at]
    if not ends:
        return list(own)
    first, last = min(one for one, _ in ends), max(one for _, one in ends)
    return registers.activities(connection, between=(first, last))


def shown_of(recordings: Sequence[Recording], linked: Sequence[Linked]) -> list[Shown]:
    """The stretches of recordings that belong to the case: of a link about a part, that part."""
    by_original = {one.original: one for one in linked}
    found = []
    for one in (part for recording in recordings for part in recording.segments):
        if one.start_at is None or one.end_at is None:
            continue
        link = by_original[one.original]
        begins_s = link.from_s or 0.0
        from_at = one.start_at + timedelta(seconds=begins_s)
        to_at = one.end_at if link.to_s is None else min(one.end_at, one.start_at + timedelta(seconds=link.to_s))
        if to_at >= from_at:
            found.append(Shown(
                original=one.original, name=one.name, device=one.device or "", from_at=from_at, to_at=to_at,
                uncertainty_s=one.uncertainty_s, set_at=one.set_at, sha256=one.sha256, begins_s=begins_s,
                activity=link.activity, steps=one.steps,
            ))  # fmt: skip
    return found


def _written(connection: sa.Connection, linked: Sequence[Linked], zone: str) -> list[Written]:
    papers = [one for one in linked if one.kind in ("document", "photo")]
    facts = _facts(connection, [one.original for one in papers], _DOCUMENT)
    # A scan in TIFF is a picture that says when and where what it tells of was done.
    documents = [one for one in papers if one.kind == "document" or one.original in facts]
    recognized = registers.with_caveat(connection, RECOGNIZED, [one.original for one in documents])
    return [
        Written(
            original=one.original, name=one.name, kind=str(said.get("record.kind", "")),
            from_at=_instant(said.get("record.from"), zone), to_at=_instant(said.get("record.to"), zone),
            place=str(said.get("record.place", "")), persons=_names(said.get("record.persons")),
            recognized=one.original in recognized,
        )
        for one in documents
        for said in [facts.get(one.original, {})]
    ]  # fmt: skip


def _facts(connection: sa.Connection, ids: Sequence[str], names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """original -> name -> value; what a sidecar says counts where the original itself says nothing."""
    found: dict[str, dict[str, Any]] = {}
    property_, original = t.property_.c, t.original.c
    whose = sa.func.coalesce(original.parent, original.id).label("whose")
    for some in in_pieces(list(ids)):
        query = (
            sa.select(whose, property_.name, property_.value, property_.found)
            .join(t.original, original.id == property_.original)
            .where(property_.name.in_(list(names)), sa.or_(original.id.in_(some), original.parent.in_(some)))
            .order_by(original.parent.is_(None), property_.number)
        )
        for row in connection.execute(query) if names else ():
            found.setdefault(row.whose, {})[row.name] = row.found if row.value is None else row.value
    return found


def _beside(connection: sa.Connection, ids: Sequence[str]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for some in in_pieces(list(ids)):
        query = sa.select(t.original.c.parent, t.original.c.format).where(t.original.c.parent.in_(some))
        for row in connection.execute(query.order_by(t.original.c.id)):
            found[row.parent] = (*found.get(row.parent, ()), row.format)
    return found


def _broken(connection: sa.Connection, ids: Sequence[str]) -> frozenset[str]:
    query = sa.select(t.incident.c.original).where(t.incident.c.closed_at.is_(None))
    return frozenset(connection.execute(query).scalars()) & frozenset(ids)


def _instant(said: Any, zone: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(str(said))
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=ZoneInfo(zone))


def _names(said: Any) -> tuple[str, ...]:
    if isinstance(said, list | tuple):
        return tuple(map(str, said))
    return tuple(part for part in str(said or "").replace("，", "、").split("、") if part)
