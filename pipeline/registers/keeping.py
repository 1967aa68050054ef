"""Takes a bureau's tables into the registers: what is new, what changed, what is refused; a dry run tells the same.

Taking in the same table twice changes nothing. A cell that is left empty takes nothing away. Nothing is ever removed:
what a device was, and who carried it, stays a fact of its time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, Final, Literal

import sqlalchemy as sa

from pipeline.case_numbers import comparable
from pipeline.codes import codes_of
from pipeline.edges.audit import AuditLog, NewEvent
from pipeline.edges.catalog import Catalog
from pipeline.edges.database import filed, registers
from pipeline.edges.log.cards import Cards
from pipeline.errors import BadInput
from pipeline.records import Activity, Around, Case, ClockOffset, Known, LedgerEntry, Party, Registered
from pipeline.registers.bureau import MARGIN, Bureau, by_name
from pipeline.registers.columns import Register
from pipeline.registers.places import Position
from pipeline.registers.rows import Read, Remark


@dataclass(frozen=True, kw_only=True)
class Change:
    """What taking in one row does. before: what was registered; changed: the fields that become others."""

    row: int
    state: Literal["new", "changed", "same"]
    record: Registered
    before: Registered | None = None
    changed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """What taking in a table would do."""

    register: Register
    changes: tuple[Change, ...]
    remarks: tuple[Remark, ...]

    def count(self, state: str) -> int:
        """How many rows are `new`, `changed`, `same` or `refused`."""
        if state == "refused":
            return len({one.row for one in self.remarks if one.refused})
        return sum(one.state == state for one in self.changes)


class Registers:
    """The registers of one home. cards: what tells its own clock cards and slates from others'.

    places: positions of places, by name. at_once: all is read at the first question, and not again.
    """

    def __init__(
        self, catalog: Catalog, audit: AuditLog, cards: Cards | None = None,
        places: Mapping[str, Position] | None = None, *, at_once: bool = False,
    ) -> None:  # fmt: skip
        self._at_once = at_once
        self._catalog, self._audit, self._cards, self._places = catalog, audit, cards, places
        self._bureau: tuple[int, Bureau] = (-1, Bureau())

    def around(self, known: Known) -> Around:
        """What the registers say of this original now."""
        around = self.bureau().around(known)
        if self._cards is None:
            return around
        sealed = frozenset(one.text for one in codes_of(known) if self._cards.is_ours(one))
        if not sealed:
            return around
        with self._catalog.snapshot() as connection:
            return replace(around, sealed=sealed, cards=registers.cards(connection))

    def bureau(self) -> Bureau:
        """All registers as they are; read anew only where one of them changed."""
        if self._at_once and self._bureau[0] >= 0:
            return self._bureau[1]
        with self._catalog.snapshot() as connection:
            seq = registers.changed_at(connection)
            if seq != self._bureau[0]:
                self._bureau = seq, Bureau(
                    registers.devices(connection), registers.custodians(connection), registers.ledger(connection),
                    registers.activities(connection), registers.offsets(connection),
                    registers.cases(connection, registered=True), self._places,
                )  # fmt: skip
        return self._bureau[1]

    def note_offset(self, actor: str, offset: ClockOffset) -> None:
        """What was measured of a device's clock is registered. Raises BadInput where the device is not."""
        with self._audit.alone(self._catalog) as connection:
            registers.put(connection, offset)
            [seq] = self._audit.record(connection, [registers.event_of(actor, offset)])
        self._audit.make_durable(seq)

    def made_by(self, device: str) -> list[str]:
        """Originals that this device made, as far as it was told."""
        with self._catalog.snapshot() as connection:
            return registers.made_by(connection, device)

    def touched(self, plan: Plan) -> list[str]:
        """Originals that may belong elsewhere, or to somebody else, once this plan was taken in."""
        # What an entry held before may be held by nobody now.
        rows = [one for one in plan.changes if one.state != "same"]
        done = [record for one in rows for record in (one.record, one.before) if record is not None]
        spans = [one for one in done if isinstance(one, LedgerEntry | Activity) and one.from_at is not None]
        with self._catalog.snapshot() as connection:
            if not done:
                return []
            if len(spans) < len(done):
                return sorted(self._catalog.digests().values())
            first = min(one.from_at for one in spans if one.from_at) - MARGIN
            last = max(one.to_at or datetime.max.replace(tzinfo=UTC) - MARGIN for one in spans) + MARGIN
            return registers.recorded_between(connection, first, last)

    def plan(self, register: Register, reads: Sequence[Read], remarks: Sequence[Remark] = ()) -> Plan:
        """What taking in these rows would do; nothing is changed."""
        with self._catalog.snapshot() as connection:
            return _planned(connection, register, reads, remarks)

    def take_in(self, actor: str, register: Register, reads: Sequence[Read], remarks: Sequence[Remark],
                source: Mapping[str, Any]) -> Plan:  # fmt: skip
        """The rows are registered, each with its event, all or none; what was refused is only told.

        source: of the table (`name`, `sha256`), for the log.
        """
        with self._audit.alone(self._catalog) as connection:
            plan = _planned(connection, register, reads, remarks)
            done = [one.record for one in plan.changes if one.state != "same"]
            for record in done:
                registers.put(connection, record)
            events = [registers.event_of(actor, record) for record in done]
            facts = {"register": register, **source,
                     **{state: plan.count(state) for state in ("new", "changed", "same", "refused")}}  # fmt: skip
            numbers = self._audit.record(
                connection, [*events, NewEvent(type="register.imported", actor=actor, facts=facts)]
            )
            filed.touch(connection, done, numbers[-1])
        self._audit.make_durable(numbers[-1])
        return plan


# -- comparing


def _planned(connection: sa.Connection, register: Register, reads: Sequence[Read], remarks: Sequence[Remark]) -> Plan:
    present = _PRESENT[register](connection)
    names = _Names(connection) if register == "ledger" else None
    changes: list[Change] = []
    said = list(remarks)
    for read in reads:
        try:
            record = names.resolved(read.record) if names and isinstance(read.record, LedgerEntry) else read.record
        except BadInput as error:
            said.append(Remark(row=read.row, zh=error.zh, en=error.sentence))
            continue
        change = _change(replace(read, record=record), present)
        changes.append(change)
        for key in _keys(change.record):
            present[key] = change.record
    if register == "ledger":
        said += _overlaps(changes, present)
    return Plan(register, tuple(changes), tuple(sorted(said, key=lambda one: one.row)))


def _change(read: Read, present: Mapping[Any, Registered]) -> Change:
    before = next((present[key] for key in _keys(read.record) if key in present), None)
    if before is None:
        return Change(row=read.row, state="new", record=read.record)
    after = _merged(before, read)
    changed = tuple(one.name for one in fields(after) if getattr(before, one.name) != getattr(after, one.name))
    return Change(row=read.row, state="changed" if changed else "same", record=after, before=before, changed=changed)


def _merged(before: Registered, read: Read) -> Registered:
    """What was known, with what the row says laid over it; numbers and parties of a case only come to be more."""
    given: dict[str, Any] = {name: getattr(read.record, name) for name in read.given}
    if isinstance(before, Case) and isinstance(read.record, Case):
        given["numbers"] = _numbers(before, read.record)
        given["parties"] = _parties(before, read.record)
    return replace(before, **given)


def _numbers(before: Case, after: Case) -> tuple[tuple[str, str | None], ...]:
    told = {comparable(printed): (printed, kind) for printed, kind in before.numbers}
    for printed, kind in after.numbers:
        known = told.get(comparable(printed))
        told[comparable(printed)] = (printed, kind or (known[1] if known else None))
    return tuple(told.values())


def _parties(before: Case, after: Case) -> tuple[Party, ...]:
    told = {one.name: one for one in before.parties}
    for one in after.parties:
        known = told.get(one.name)
        told[one.name] = replace(one, identifier=one.identifier or (known.identifier if known else None))
    return tuple(told.values())


def _keys(record: Registered) -> tuple[Any, ...]:
    """By what a row is known again."""
    match record:
        case LedgerEntry():
            return ((record.device, record.custodian, record.from_at),)
        case Case():
            return tuple(comparable(printed) for printed, _ in record.numbers)
        case ClockOffset():
            return ((record.device, record.at),)
    return (record.code,)


def _by_key(records: Sequence[Registered]) -> dict[Any, Registered]:
    return {key: record for record in records for key in _keys(record)}


_PRESENT: Final[Mapping[Register, Callable[[sa.Connection], dict[Any, Registered]]]] = {
    "devices": lambda connection: _by_key(registers.devices(connection)),
    "persons": lambda connection: _by_key(registers.custodians(connection)),
    "ledger": lambda connection: _by_key(registers.ledger(connection)),
    "cases": lambda connection: _by_key(registers.cases(connection)),
    "activities": lambda connection: _by_key(registers.activities(connection)),
}


class _Names:
    """What a ledger may call devices and people: by code, serial number, another number of theirs, or name."""

    def __init__(self, connection: sa.Connection) -> None:
        self._devices = by_name(registers.devices(connection))
        self._people = by_name(registers.custodians(connection))

    def resolved(self, entry: LedgerEntry) -> LedgerEntry:
        """The entry by codes. Raises BadInput where a device or person is not registered, or two are meant."""
        return replace(
            entry,
            device=_one(self._devices, entry.device, "device", "设备"),
            custodian=_one(self._people, entry.custodian, "person", "人员"),
        )


def _one(names: Mapping[str, set[Any]], said: str, word: str, word_zh: str) -> str:
    meant = {one.code for one in names.get(said.strip().casefold(), ())}
    if len(meant) == 1:
        return str(meant.pop())
    if not meant:
        raise BadInput(f"No {word} is registered as '{said}': import the {word}s first",
                       zh=f"未登记的{word_zh}“{said}”：请先导入{word_zh}表", found=said)  # fmt: skip
    raise BadInput(f"'{said}' may mean {', '.join(sorted(meant))}: write the code",
                   zh=f"“{said}”可能指 {'、'.join(sorted(meant))}：请写编号", found=said)  # fmt: skip


def _overlaps(changes: Sequence[Change], present: Mapping[Any, Registered]) -> Iterator[Remark]:
    """Two people who are said to have carried one device at one time: both stay, and somebody must look."""
    entries = sorted(
        {one for one in present.values() if isinstance(one, LedgerEntry)}, key=lambda one: (one.device, one.from_at)
    )
    rows = {change.record: change.row for change in changes if change.state != "same"}
    for one, other in pairwise(entries):
        together = one.device == other.device and (one.to_at is None or one.to_at > other.from_at)
        if together and one.custodian != other.custodian and (one in rows or other in rows):
            yield Remark(
                row=rows.get(other, rows.get(one, 0)), refused=False,
                zh=f"{other.device} 由 {other.custodian} 领用时，仍登记在 {one.custodian} 名下",
                en=f"{other.device} was still with {one.custodian} when {other.custodian} took it",
            )  # fmt: skip
