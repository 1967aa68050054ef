"""Who may do what, and who may see what: a table of each, and the functions that ask them.

What somebody may not see is absent for them, as if it did not exist. The index holds with each document who may see it,
so that hits, totals, facets and suggestions are counted among the others only. An original under several restrictions
is seen by those whom each of them allows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from typing import Final, Literal, cast, get_args

from indexer.naming import named
from indexer.tree import Either, Exact, Node
from pipeline.errors import NotAllowed
from pipeline.records import Known, Restriction

Role = Literal["clerk", "reviewer", "operator", "auditor", "administrator"]

# Clerks hand in and follow their files; reviewers find, watch and decide; operators keep the work going and see no
# evidence; auditors see everything and change nothing.
ACTIONS: Final[dict[str, frozenset[Role]]] = {
    "ingest": frozenset({"clerk", "reviewer", "administrator"}),
    "search": frozenset({"clerk", "reviewer", "auditor", "administrator"}),
    "view": frozenset({"clerk", "reviewer", "auditor", "administrator"}),
    # Looking, keeping a picture, taking an original's file, and a sealed package out of the house are four rights. The
    # last two take the approval of a second person (`approving.py`).
    "view_original": frozenset({"reviewer", "administrator"}),
    "copy": frozenset({"reviewer", "administrator"}),
    "download": frozenset({"reviewer", "administrator"}),
    # Bookmarks, notes and nudged clocks beside an original.
    "annotate": frozenset({"clerk", "reviewer", "administrator"}),
    "match": frozenset({"reviewer", "auditor", "administrator"}),
    "link": frozenset({"clerk", "reviewer", "administrator"}),
    "confirm": frozenset({"reviewer", "administrator"}),
    "correct_time": frozenset({"reviewer", "administrator"}),
    "excuse": frozenset({"reviewer", "administrator"}),
    "sign_checklist": frozenset({"reviewer"}),
    # Which reviewer weighs which case before it is decided (`assigning.py`).
    "assign": frozenset({"reviewer", "administrator"}),
    "export": frozenset({"reviewer", "administrator"}),
    "approve_export": frozenset({"reviewer", "administrator"}),
    "verify": frozenset({"reviewer", "operator", "auditor", "administrator"}),
    "read_events": frozenset({"auditor", "administrator"}),
    # Figures of units and devices, for case-file evaluation.
    "read_statistics": frozenset({"auditor", "administrator"}),
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
    # Where a state secret is suspected: who may say so, and who alone sees what is isolated and may release it.
    "isolate": frozenset({"clerk", "reviewer", "auditor", "administrator"}),
    "keep_isolated": frozenset({"auditor"}),
    "restrict": frozenset({"reviewer", "administrator"}),
    "lift_restriction": frozenset({"reviewer", "auditor", "administrator"}),
}
# Who sees what is restricted without being named in it. Administrators keep the machines and accounts: they see it only
# where they are named, as everybody else.
SEES_ALL: Final[dict[str, frozenset[Role]]] = {
    "work_secret": frozenset({"auditor"}),
    "trade_secret": frozenset({"auditor"}),
    "personal_privacy": frozenset({"auditor"}),
}
# The audience of what is not restricted; names of persons and units carry a letter before them, so none is called so.
EVERYONE: Final = "everyone"


@dataclass(frozen=True)
class Reviewer:
    """The person who asks. At this machine's own command line that is an administrator."""

    name: str
    role: Role
    unit: str | None = None


def person_of(name: str, roles: Mapping[str, str], units: Mapping[str, str] | None = None) -> Reviewer:
    """This person in the role and unit that the settings `access.roles` and `access.units` give.

    Raises NotAllowed where the first gives none.
    """
    role = roles.get(name)
    if role not in get_args(Role):
        raise NotAllowed(
            f"{name} has no role: name it below [access.roles] in casereel.toml",
            zh=f"{name} 没有角色：请在 casereel.toml 的 [access.roles] 中写明",
            person=name, found=role, expected=list(get_args(Role)),
        )  # fmt: skip
    return Reviewer(name=name, role=cast(Role, role), unit=(units or {}).get(name))


def at_keyboard(name: str, roles: Mapping[str, str], units: Mapping[str, str]) -> Reviewer:
    """Who sits at this machine's own command line: an administrator where the settings say nothing else."""
    return person_of(name, roles if name in roles else {name: "administrator"}, units)


def may(reviewer: Reviewer, action: str, known: Known | None = None) -> bool:
    """Whether this person may do this, to this original where one is given. Raises KeyError for an unknown action."""
    return reviewer.role in ACTIONS[action] and (known is None or sees(reviewer, known.restrictions))


def sees(reviewer: Reviewer, restrictions: Iterable[Restriction]) -> bool:
    """Whether this person may know of what is restricted so."""
    return not _passes(reviewer).isdisjoint(audience_of(restrictions))


def visible(reviewer: Reviewer) -> Node:
    """What this person may see, as part of every query."""
    return Either(tuple(Exact("audience", one) for one in sorted(_passes(reviewer))))


def audience_of(restrictions: Iterable[Restriction]) -> frozenset[str]:
    """Who may see what these restrict, as the index holds it: each value names what one person must be at once.

    A person has one name, one unit and one role, so what asks for two of a kind is dropped, and so is what asks for
    more than another value does.
    """
    found: set[frozenset[tuple[str, str]]] = {frozenset()}
    for restriction in restrictions:
        found = {both for one in found for other in _allowed(restriction) if _is_one_person(both := one | {other})}
        found = {one for one in found if not any(other < one for other in found)}
    return frozenset(_written(one) for one in found)


def _allowed(restriction: Restriction) -> set[tuple[str, str]]:
    if restriction.kind == "isolated":
        return set()
    persons = {("p", name) for name in (*restriction.persons, restriction.by)}
    return persons | {("u", unit) for unit in restriction.units} | {("r", role) for role in SEES_ALL[restriction.kind]}


def _is_one_person(parts: frozenset[tuple[str, str]]) -> bool:
    return len({kind for kind, _ in parts}) == len(parts)


def _written(parts: Iterable[tuple[str, str]]) -> str:
    # A line break stands in no name.
    return "\n".join(f"{kind}:{' '.join(name.split())}" for kind, name in sorted(parts)) or EVERYONE


@lru_cache(maxsize=1024)
def _passes(reviewer: Reviewer) -> frozenset[str]:
    """Every value of an audience that lets this person in."""
    own = [("p", reviewer.name), ("r", reviewer.role), *([("u", reviewer.unit)] if reviewer.unit else [])]
    return frozenset(_written(some) for count in range(len(own) + 1) for some in combinations(own, count))


def require(reviewer: Reviewer, action: str, known: Known | None = None) -> None:
    """Raises NotAllowed where this person may not do this."""
    if not may(reviewer, action, known):
        raise NotAllowed(
            f"{reviewer.name} ({reviewer.role}) may not {action}",
            zh=f"{named('zh', 'role', reviewer.role)}（{reviewer.name}）无权办理此事项",
            action=action, role=reviewer.role,
        )  # fmt: skip
