"""Cases assigned to reviewers for the review before the decision: who has which, and the purpose that it gives looks.

One reviewer has a case at a time. A reviewer takes a case that nobody has, and gives it back; an administrator assigns
it to any reviewer and takes it away. Assigning opens nothing: whoever may not know of the case cannot be assigned it,
and where it is restricted afterwards the assignment gives its reviewer nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ulid import ULID

from indexer import access
from indexer.access import Reviewer
from indexer.casework.case_file import keys_of
from indexer.naming import Lang
from pipeline.case_numbers import comparable
from pipeline.edges.audit import NewEvent
from pipeline.edges.database import assignments, restrictions
from pipeline.edges.database.assignments import Assignment
from pipeline.errors import BadInput, NotAllowed

if TYPE_CHECKING:
    import sqlalchemy as sa

    from pipeline.edges.audit import AuditLog
    from pipeline.edges.catalog import Catalog
    from pipeline.records import Case

People = Callable[[], tuple[Mapping[str, str], Mapping[str, str]]]


class Assigning:
    """The assignments of one home. people: role and unit by person, of accounts and settings."""

    def __init__(self, catalog: Catalog, audit: AuditLog, people: People) -> None:
        self._catalog, self._audit, self._people = catalog, audit, people

    def of(self, keys: Collection[str]) -> list[Assignment]:
        """Those in force of the cases with these numbers, as numbers are compared. For who may know of the cases."""
        if not keys:
            return []
        with self._catalog.snapshot() as connection:
            return assignments.in_force(connection, keys)

    def gives_purpose(self, person: Reviewer, keys: Collection[str]) -> Assignment | None:
        """The assignment by which this person looks at what belongs to these cases; the oldest of several."""
        if person.role != "reviewer":
            return None
        return next((one for one in self.of(keys) if one.person == person.name), None)

    def reviewers(self, case: Case) -> list[str]:
        """To whom the case can be assigned, by name: reviewers who may know of it."""
        with self._catalog.snapshot() as connection:
            closed = restrictions.on_cases(connection).get(comparable(case.numbers[0][0]), ())
        roles, units = self._people()
        every = (Reviewer(name, "reviewer", units.get(name)) for name, role in roles.items() if role == "reviewer")
        return sorted(one.name for one in every if access.sees(one, closed))

    def assign(self, by: Reviewer, case: Case, person: str) -> Assignment:
        """The person has the case from now on; where an administrator says so, nobody else any more.

        The caller has seen to it that `by` may know of the case. Raises NotAllowed where `by` may not assign it to
        this person, and BadInput where the person is no reviewer, may not know of the case, or somebody has it.
        """
        access.require(by, "assign")
        person = " ".join(person.split()) or by.name
        self._require_own(by, person)
        if person not in self.reviewers(case):
            raise BadInput(
                f"{person} is no reviewer who may know of this case: choose another reviewer",
                zh=f"{person} 不是可知悉此案的审核员：请选择其他审核员", found=person,
            )  # fmt: skip
        now, printed = self._catalog.now(), case.numbers[0][0]
        record = Assignment(
            id=str(ULID()), case_key=comparable(printed), printed=printed, person=person, by=by.name, assigned_at=now
        )
        with self._audit.alone(self._catalog) as connection:
            held = assignments.in_force(connection, keys_of(case))
            if any(one.person == person for one in held):
                raise BadInput(f"{person} has this case already", zh=f"此案已指派给 {person}", found=person)
            if held and by.role != "administrator":
                raise BadInput(
                    f"{held[0].person} has this case: it is given back first, or an administrator assigns it anew",
                    zh=f"此案已由 {held[0].person} 审核：请其先退回，或由管理员改派", found=held[0].person,
                )  # fmt: skip
            ended = [replace(one, ended_by=by.name, ended_at=now) for one in held]
            seq = self._record(connection, by, [*ended, record])
        self._audit.make_durable(seq)
        return record

    def withdraw(self, by: Reviewer, case: Case, person: str = "") -> list[Assignment]:
        """The person has the case no more; without a name, nobody has it. Raises NotAllowed, and BadInput where nobody
        had it."""
        access.require(by, "assign")
        person, now = " ".join(person.split()), self._catalog.now()
        if by.role != "administrator":
            person = person or by.name
            self._require_own(by, person)
        with self._audit.alone(self._catalog) as connection:
            held = [one for one in assignments.in_force(connection, keys_of(case)) if person in ("", one.person)]
            if not held:
                raise BadInput(
                    f"This case is not assigned to {person or 'anybody'}",
                    zh=f"此案未指派给 {person}" if person else "此案尚未指派", found=person,
                )  # fmt: skip
            ended = [replace(one, ended_by=by.name, ended_at=now) for one in held]
            seq = self._record(connection, by, ended)
        self._audit.make_durable(seq)
        return ended

    def _require_own(self, by: Reviewer, person: str) -> None:
        if by.role != "administrator" and person != by.name:
            raise NotAllowed(
                "A reviewer takes cases and gives them back for nobody else: ask an administrator",
                zh="审核员只能为本人领取或退回案件：请联系管理员", action="assign", role=by.role,
            )  # fmt: skip

    def _record(self, connection: sa.Connection, by: Reviewer, records: list[Assignment]) -> int:
        for one in records:
            assignments.put(connection, one)
        return self._audit.record(connection, [
            NewEvent(type=assignments.UNASSIGNED if one.ended_at else assignments.ASSIGNED, actor=by.name,
                     facts=assignments.told(one))
            for one in records
        ])[-1]  # fmt: skip


def purpose_of(assignment: Assignment, lang: Lang, said: str = "") -> dict[str, Any]:
    """What the event of a look by assignment says; the sentence is that of the case page's button.

    said: the purpose that the person said for the session, which stands beside it.
    """
    case = assignment.printed
    purpose = f"{case} 决定前审核" if lang == "zh" else f"Pre-decision review of {case}"
    return {
        "purpose": purpose, "by_assignment": True, "case": case, **({"said": said} if said not in ("", purpose) else {})
    }  # fmt: skip
