"""Who may do what: a table of actions, and the one function that asks it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from pipeline.errors import NotAllowed
from pipeline.records import Known

Role = Literal["clerk", "reviewer", "operator", "auditor", "administrator"]

# Clerks hand in and follow their files; reviewers find, watch and decide; operators keep the work going and see no
# evidence; auditors see everything and change nothing.
ACTIONS: Final[dict[str, frozenset[Role]]] = {
    "ingest": frozenset({"clerk", "reviewer", "administrator"}),
    "search": frozenset({"clerk", "reviewer", "auditor", "administrator"}),
    "view": frozenset({"clerk", "reviewer", "auditor", "administrator"}),
    "match": frozenset({"reviewer", "auditor", "administrator"}),
    "link": frozenset({"clerk", "reviewer", "administrator"}),
    "confirm": frozenset({"reviewer", "administrator"}),
    "export": frozenset({"reviewer", "administrator"}),
    "approve_export": frozenset({"reviewer", "administrator"}),
    "verify": frozenset({"reviewer", "operator", "auditor", "administrator"}),
    "read_events": frozenset({"auditor", "administrator"}),
    "manage_work": frozenset({"operator", "administrator"}),
    "manage_people": frozenset({"administrator"}),
}


@dataclass(frozen=True)
class Reviewer:
    """The person who asks. At this machine's own command line that is an administrator."""

    name: str
    role: Role


def may(reviewer: Reviewer, action: str, known: Known | None = None) -> bool:
    """Whether this person may do this, to this original where one is given. Raises KeyError for an unknown action."""
    del known  # Restrictions of single originals come with holds and departments; until then the role decides.
    return reviewer.role in ACTIONS[action]


def require(reviewer: Reviewer, action: str, known: Known | None = None) -> None:
    """Raises NotAllowed where this person may not do this."""
    if not may(reviewer, action, known):
        raise NotAllowed(f"{reviewer.name} ({reviewer.role}) may not {action}", action=action, role=reviewer.role)
