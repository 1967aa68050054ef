"""What is known of a case as plain data, as commands print it with `--json` and the API answers it."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from indexer.casework.checklist import Checked
from indexer.casework.contradictions import Contradiction
from indexer.casework.review import PART_HIDDEN, Review
from indexer.coverage import Covered, Gap, Shown, ends_of
from indexer.persons.masking import masked
from pipeline.acts.excusing import Excuse
from pipeline.edges.database.assignments import Assignment
from pipeline.edges.database.registers import Proposal
from pipeline.records import Activity, Case


def instant(at: datetime | None, zone: str) -> str | None:
    """As RFC 3339 with the offset of the zone."""
    return None if at is None else at.astimezone(ZoneInfo(zone)).isoformat()


def case(one: Case) -> dict[str, Any]:
    """Its numbers, dates and parties."""
    return {
        "case": one.numbers[0][0], "numbers": [{"number": number, "kind": kind} for number, kind in one.numbers],
        "title": one.title, "opened_on": one.opened_on, "decision_due_on": one.decision_due_on,
        "parties": [{"name": party.name, "identifier": party.identifier} for party in one.parties],
    }  # fmt: skip


def activity(one: Activity, zone: str) -> dict[str, Any]:
    """An enforcement step of a case."""
    return {
        "activity": one.code, "step": one.step, "place": one.place, "people": one.people,
        "from": instant(one.from_at, zone), "to": instant(one.to_at, zone),
    }  # fmt: skip


def duty(one: Covered, zone: str) -> dict[str, Any]:
    """What had to be recorded, how much of it is, and the gaps."""
    from_at, to_at = ends_of(one.activity)
    statement, statement_zh = one.statement()
    return {
        "activity": one.activity.code, "step": one.activity.step, "from": instant(from_at, zone),
        "to": instant(to_at, zone), "required": one.step.required, "fulfilled": one.fulfilled, "excused": one.excused,
        "covered_s": round(one.covered_s, 3), "sure_s": round(one.sure_s, 3), "share": round(one.share, 4),
        "devices": one.devices, "by_device": {name: round(value, 3) for name, value in one.by_device.items()},
        "statement": statement, "statement_zh": statement_zh, "rule": one.step.source,
        "rule_zh": one.step.source_zh,
        "gaps": [gap(each, zone) for each in one.gaps],
    }  # fmt: skip


def gap(one: Gap, zone: str) -> dict[str, Any]:
    """A part that no recording shows, with the recordings beside it."""
    excused = None if one.excuse is None else {name: getattr(one.excuse, name) for name in ("id", "reason", "by")}
    return {
        "from": instant(one.from_at, zone), "to": instant(one.to_at, zone), "length_s": round(one.length_s, 3),
        "class": one.kind, "before": _beside(one.before, one.before_s), "after": _beside(one.after, one.after_s),
        "excuse": excused,
    }  # fmt: skip


def _beside(one: Shown | None, position_s: float | None) -> dict[str, Any] | None:
    if one is None or position_s is None:
        return None
    return {
        "original": one.original, "name": masked(one.name), "sha256": one.sha256, "position_s": round(position_s, 3)
    }  # fmt: skip


def contradiction(one: Contradiction) -> dict[str, Any]:
    """What cannot both be right."""
    return {
        "code": one.code, "text": masked(one.text), "text_zh": masked(one.text_zh), "about": one.about,
        "length_s": one.length_s,
    }  # fmt: skip


def excuse(one: Excuse, zone: str) -> dict[str, Any]:
    """A stated reason."""
    return {
        "excuse": one.id, "case": one.case, "step": one.step, "activity": one.activity,
        "from": instant(one.from_at, zone), "to": instant(one.to_at, zone), "reason": one.reason, "told": one.told,
        "by": one.by, "at": instant(one.at, zone),
    }  # fmt: skip


def assignment(one: Assignment, zone: str) -> dict[str, Any]:
    """Who reviews the case before it is decided."""
    return {"person": one.person, "by": one.by, "at": instant(one.assigned_at, zone)}


def item(one: Checked) -> dict[str, Any]:
    """One thing that is asked of the case, and how it stands."""
    asked = one.item
    return {
        "item": asked.name, "art": asked.art, "zh": asked.zh, "en": asked.en, "must": asked.must, "there": one.there,
        "found": one.found, "missing": [masked(text) for text, _ in one.missing],
        "missing_zh": [masked(text) for _, text in one.missing], "source": asked.source,
        "source_zh": asked.source_zh,
    }  # fmt: skip


def checklist(review: Review) -> dict[str, Any]:
    """The whole list, and the last signature below it."""
    found = review.checklist
    return {
        "case": review.printed, "type": found.type.name, "type_zh": found.type.zh, "rules": found.version,
        "lacking": found.lacking, "items": [item(one) for one in found.checked], "signed": signed(review),
    }  # fmt: skip


def signed(review: Review) -> dict[str, Any] | None:
    """The last signature, and whether the case is still as it was signed."""
    one = review.signature
    if one is None:
        return None
    return {
        "by": one.by, "role": one.role, "at": instant(one.at, review.zone), "digest": one.digest, "entry": one.seq,
        "opinion": one.opinion, "reason": one.reason, "watched": list(one.watched), "holds": review.holds,
        "changes": [text for text, _ in review.changes], "changes_zh": [text for _, text in review.changes],
        "remark": PART_HIDDEN[0] if review.is_part_hidden else None,
        "remark_zh": PART_HIDDEN[1] if review.is_part_hidden else None,
        "unseen": [{"original": one.original, "name": masked(one.name), "sha256": one.sha256} for one in review.unseen],
    }  # fmt: skip


def days_left(due_on: str | None, today: date) -> int | None:
    """Until the decision is due; below 0 where that day is past."""
    return (date.fromisoformat(due_on) - today).days if due_on else None


def proposal(one: Proposal, today: date) -> dict[str, Any]:
    """A link that waits for a person's word."""
    return {
        "case": one.case, "decision_due_on": one.decision_due_on, "days_left": days_left(one.decision_due_on, today),
        "original": one.original, "name": masked(one.name), "method": one.method, "score": one.score,
        "activity": one.activity, "from_s": one.from_s, "to_s": one.to_s, "why": masked(one.why),
        "why_zh": masked(one.why_zh),
    }  # fmt: skip
