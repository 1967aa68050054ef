"""Who may do what: a table of actions, and the one function that asks it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, cast, get_args

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
    "correct_time": frozenset({"reviewer", "administrator"}),
    "excuse": frozenset({"reviewer", "administrator"}),
    "sign_checklist": frozenset({"reviewer"}),
    "export": frozenset({"reviewer", "administrator"}),
    "approve_export": frozenset({"reviewer", "administrator"}),
    "verify": frozenset({"reviewer", "operator", "auditor", "administrator"}),
    "read_events": frozenset({"auditor", "administrator"}),
    "manage_work": frozenset({"operator", "administrator"}),
    "manage_people": frozenset({"administrator"}),
    "register": frozenset({"operator", "administrator"}),
    # Reviewers are the bureau's legal office. Who keeps the machines may propose a disposal and nothing else of it.
    "hold": frozenset({"reviewer", "auditor"}),
    "release_hold": frozenset({"reviewer", "auditor"}),
    "decide_retention": frozenset({"reviewer", "administrator"}),
    "propose_disposal": frozenset({"reviewer", "operator", "administrator"}),
    "approve_disposal": frozenset({"reviewer", "auditor", "administrator"}),
    "cancel_disposal": frozenset({"reviewer", "operator", "auditor", "administrator"}),
    "confirm_clock": frozenset({"reviewer", "auditor"}),
}


@dataclass(frozen=True)
class Reviewer:
    """The person who asks. At this machine's own command line that is an administrator."""

    name: str
    role: Role


def person_of(name: str, roles: Mapping[str, str]) -> Reviewer:
    """This person in the role that the setting `access.roles` gives. Raises NotAllowed where it gives none."""
    role = roles.get(name)
    if role not in get_args(Role):
        raise NotAllowed(
            f"{name} has no role: name it below [access.roles] in casereel.toml / 请在 [access.roles] 中写明其角色",
            person=name, found=role, expected=list(get_args(Role)),
        )  # fmt: skip
    return Reviewer(name=name, role=cast(Role, role))


def may(reviewer: Reviewer, action: str, known: Known | None = None) -> bool:
    """Whether this person may do this, to this original where one is given. Raises KeyError for an unknown action."""
    del known  # Restrictions of single originals come with holds and departments; until then the role decides.
    return reviewer.role in ACTIONS[action]


def require(reviewer: Reviewer, action: str, known: Known | None = None) -> None:
    """Raises NotAllowed where this person may not do this."""
    if not may(reviewer, action, known):
        raise NotAllowed(
            f"{reviewer.name} ({reviewer.role}) may not {action} / {reviewer.role} 角色无权办理此事项",
            action=action, role=reviewer.role,
        )  # fmt: skip
