"""Restrictions: who places one, and who lifts it. Each is an event with its reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import sqlalchemy as sa
from ulid import ULID

from pipeline.case_numbers import comparable, parse
from pipeline.edges.audit import AuditLog, NewEvent
from pipeline.edges.catalog import Catalog
from pipeline.edges.database import registers, restrictions
from pipeline.edges.database.rows import plain_of
from pipeline.errors import BadInput
from pipeline.records import Person, Restriction

PLACED, LIFTED = "restriction.placed", "restriction.lifted"
EVENTS: Final = (PLACED, LIFTED)


class Restricting:
    """The restrictions of one home."""

    def __init__(self, catalog: Catalog, audit: AuditLog) -> None:
        self._catalog, self._audit = catalog, audit

    def place(
        self, person: Person, reason: str, *, kind: Any, original: str | None = None, case: str | None = None,
        units: Sequence[str] = (), persons: Sequence[str] = (),
    ) -> Restriction:  # fmt: skip
        """Only these units and persons, and who places it, may see the original or the case from now on.

        Searches see the change at once. Raises BadInput without a reason, and for a text that is no case number.
        """
        key, printed = _case_named(case)
        record = Restriction(
            id=str(ULID()), original=original, case_key=key, printed=printed, kind=kind, units=_named(units),
            persons=_named(persons), reason=_required(reason), by=person.name, role=person.role,
            from_at=self._catalog.now(),
        )  # fmt: skip
        with self._audit.alone(self._catalog) as connection:
            if key is not None and printed is not None:
                registers.case_of(connection, key, printed)
            seq = self._record(connection, PLACED, person.name, record)
        self._audit.make_durable(seq)
        return record

    def lift(self, person: Person, identifier: str, reason: str) -> Restriction:
        """The restriction holds no more. Raises BadInput where it does not exist or was lifted already."""
        with self._audit.alone(self._catalog) as connection:
            record = restrictions.one(connection, identifier)
            if record.lifted_at is not None:
                raise BadInput(f"The restriction {record.id} was lifted already", zh="该限制已解除", found=record.id)
            record = replace(record, lifted_by=person.name, lifted_why=_required(reason), lifted_at=self._catalog.now())
            seq = self._record(connection, LIFTED, person.name, record)
        self._audit.make_durable(seq)
        return record

    def _record(self, connection: sa.Connection, type: str, actor: str, record: Restriction) -> int:
        restrictions.put(connection, record)
        event = NewEvent(type=type, actor=actor, original=record.original, facts={"restriction": plain_of(record)})
        [seq] = self._audit.record(connection, [event])
        restrictions.touch(connection, record, seq)
        return seq


def _case_named(case: str | None) -> tuple[str | None, str | None]:
    if case is None:
        return None, None
    numbers = parse(case)
    return comparable(case), numbers[0].printed if numbers else case.strip()


def _named(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(sorted({name.strip() for name in names if name.strip()}))


def _required(reason: str) -> str:
    if not reason.strip():
        raise BadInput("Give a reason", zh="请说明理由")
    return reason.strip()
