"""Why something was lawfully not recorded, as a person states it: a duty as a whole, or a pause within it.

Each is an event with its reason, and so is taking it back: the log is all there is of them, so a lost catalog gets them
back with it. Sources: seed clause §7(2) (what is fully written need not be recorded); published rules that ask for the
reason of an interruption and for telling the person in charge.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from ulid import ULID

from pipeline.case_numbers import comparable
from pipeline.edges.audit import AuditLog, NewEvent
from pipeline.edges.catalog import Catalog
from pipeline.edges.database.rows import plain_of
from pipeline.errors import BadInput

GIVEN: Final = "case.excused"
WITHDRAWN: Final = "case.excuse_withdrawn"


@dataclass(frozen=True, kw_only=True)
class Excuse:
    """A reason why something was not recorded.

    step, activity: of which duties; neither: of all of the case. from_at, to_at: the pause; both None: all of the duty.
    told: the person in charge who was told. by, at: who stated it, and when.
    """

    id: str
    case: str
    case_key: str
    reason: str
    step: str | None = None
    activity: str | None = None
    from_at: datetime | None = None
    to_at: datetime | None = None
    told: str | None = None
    by: str = ""
    at: datetime | None = None


class Excuses:
    """The reasons stated in one home."""

    def __init__(self, catalog: Catalog, audit: AuditLog) -> None:
        self._catalog, self._audit = catalog, audit

    def of(self, keys: Collection[str]) -> list[Excuse]:
        """Those of the case with these numbers that were not taken back, oldest first."""
        return [one for one in self.all() if one.case_key in keys]

    def all(self) -> list[Excuse]:
        """Those of all cases that were not taken back, oldest first."""
        found: dict[str, Excuse] = {}
        for line in self._catalog.events_of_type([GIVEN, WITHDRAWN]):
            event = json.loads(line)
            if event["type"] == WITHDRAWN:
                found.pop(event["facts"]["excuse"], None)
            else:
                one = _read(event)
                found[one.id] = one
        return list(found.values())

    def give(
        self, person: str, case: str, reason: str, *, step: str | None = None, activity: str | None = None,
        from_at: datetime | None = None, to_at: datetime | None = None, told: str | None = None,
    ) -> Excuse:  # fmt: skip
        """It is stated. Raises BadInput for a pause that is none, and without a reason."""
        if (from_at is None) != (to_at is None):
            raise BadInput("A pause has a beginning and an end", zh="请同时写明中断的起止时间")
        if from_at is not None and to_at is not None and to_at <= from_at:
            raise BadInput("The pause ends before it begins", zh="中断的结束时间早于开始时间")
        if not reason.strip():
            raise BadInput("Give a reason", zh="请说明理由")
        one = Excuse(
            id=str(ULID()), case=case, case_key=comparable(case), reason=reason.strip(), step=step, activity=activity,
            from_at=from_at, to_at=to_at, told=told, by=person,
        )  # fmt: skip
        facts = {name: value for name, value in plain_of(one).items() if value is not None}
        self._record(NewEvent(type=GIVEN, actor=person, facts={"excuse": facts}))
        return one

    def withdraw(self, person: str, keys: Collection[str], id: str, reason: str) -> Excuse:
        """It is taken back. Raises BadInput where the case has none of this name, and without a reason."""
        one = next((one for one in self.of(keys) if one.id == id.strip().upper()), None)
        if one is None:
            raise BadInput(f"The case has no stated reason {id}", zh=f"该案件没有编号为 {id} 的说明", found=id)
        if not reason.strip():
            raise BadInput("Give a reason", zh="请说明理由")
        self._record(NewEvent(type=WITHDRAWN, actor=person, facts={"excuse": one.id, "reason": reason.strip()}))
        return one

    def _record(self, event: NewEvent) -> None:
        with self._audit.alone(self._catalog) as connection:
            [seq] = self._audit.record(connection, [event])
        self._audit.make_durable(seq)


def _read(event: dict[str, Any]) -> Excuse:
    said = dict(event["facts"]["excuse"])
    for name in ("from_at", "to_at"):
        if name in said:
            said[name] = datetime.fromisoformat(said[name])
    return Excuse(**{**said, "at": datetime.fromisoformat(event["at"])})
