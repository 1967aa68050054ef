"""Copying out: who asks for it and why, and who of another unit than the one that filmed approves it. Both are events.

    request, request_original -> decide -> a package (`export.py`) or a download, within `APPROVED_D` days

Nobody approves what they asked for or recorded, and no unit what it filmed. Which unit filmed is what the registers say
of the device, of who carried it and of whom the file names, and of these persons' accounts. Where nothing says it, a
second person's approval is all that can be asked for, and the event says that no unit was known.
"""

from __future__ import annotations

import contextlib
import getpass
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from typing import Any, Final

import sqlalchemy as sa
from ulid import ULID

from indexer import access
from indexer.access import Reviewer
from indexer.exporting import selection
from indexer.exporting.selection import Selection
from indexer.persons.sight import Sight
from pipeline.edges.audit import AuditLog, NewEvent
from pipeline.edges.catalog import Catalog
from pipeline.edges.database import drops, exports, registers
from pipeline.edges.database.exports import Export
from pipeline.edges.database.rows import in_pieces
from pipeline.edges.vault import Vault
from pipeline.errors import BadInput, NotAllowed
from pipeline.records import Known
from pipeline.registers.bureau import Bureau

# An approval is used within so many days, or asked for anew.
APPROVED_D: Final = 7


@dataclass(frozen=True, kw_only=True)
class Filming:
    """Who recorded something, and of which units they and their devices are."""

    persons: frozenset[str]
    units: frozenset[str]


class Approvals:
    """What persons of one home ask to copy out. units: person -> unit, of accounts and settings."""

    def __init__(self, catalog: Catalog, audit: AuditLog, vault: Vault, units: Callable[[], Mapping[str, str]]) -> None:
        self._catalog, self._audit, self._vault, self._units = catalog, audit, vault, units

    # -- asking

    def request(self, reviewer: Reviewer, said: str, purpose: str, *, with_proposed: bool = False) -> Export:
        """A request for exporting the case as it is now waits for a second person. Raises NotAllowed, BadInput."""
        access.require(reviewer, "export")
        chosen = self._selected(reviewer, said, with_proposed=with_proposed, with_proxies=False)
        if not chosen.parts:
            raise nothing_of(chosen)
        identifier = str(ULID())
        self._tell("export.requested", reviewer, self._asked_facts(identifier, chosen, purpose_of(purpose)))
        return self._found(identifier)

    def request_original(self, reviewer: Reviewer, original: str, purpose: str) -> Export:
        """A request for the bytes of this one original waits for a second person. Raises NotAllowed, BadInput."""
        known = self._catalog.known_of(original)
        access.require(reviewer, "download", known)
        identifier, one = str(ULID()), known.original
        facts = {
            "export": identifier, "case": "", "case_key": "", "purpose": purpose_of(purpose),
            "selection": selection.digest_over([one.sha256]), "files": 1, "size_bytes": one.size_bytes,
            "login": login(), "missing": [],
        }  # fmt: skip
        self._tell("export.requested", reviewer, facts, original=one.id)
        return self._found(identifier)

    # -- deciding

    def decide(self, reviewer: Reviewer, identifier: str, *, approve: bool, reason: str = "") -> Export:
        """The request is approved or refused by this person.

        Raises NotAllowed for the person who asked, for one who recorded any of it, and for one whose unit filmed it.
        """
        access.require(reviewer, "approve_export")
        asked = self.seen(reviewer, identifier)
        if asked.state != "requested":
            raise BadInput(
                f"The export {asked.id} is not waiting for approval: it is {asked.state}",
                zh=f"申请 {asked.id} 已不在待审批状态", found=asked.state,
            )  # fmt: skip
        filming = self.filming_of([asked])[asked.id]
        if approve:
            self._require_other(reviewer, asked, filming)
        said = {
            "export": asked.id, "login": login(), "selection": asked.selection, "reason": reason.strip(),
            "unit": reviewer.unit, "filmed_by": sorted(filming.units),
        }  # fmt: skip
        self._tell("export.approved" if approve else "export.refused", reviewer, said, original=asked.original)
        return self._found(identifier)

    def why_not(self, reviewer: Reviewer, asked: Export, filming: Filming) -> NotAllowed | None:
        """Why this person cannot approve the request for what these filmed; None where they can."""
        try:
            access.require(reviewer, "approve_export")
            self._require_other(reviewer, asked, filming)
        except NotAllowed as refused:
            return refused
        return None

    def filming_of(self, asked: Sequence[Export]) -> dict[str, Filming]:
        """Identifier of each request -> who filmed what it asks for."""
        of_cases = self._catalog.linked_to_cases([one.case_key for one in asked if one.original is None])
        its = {one.id: [one.original] if one.original else sorted(of_cases[one.case_key]) for one in asked}
        ids = sorted({original for originals in its.values() for original in originals})
        theirs = self._units()
        with self._catalog.snapshot() as connection:
            bureau = Bureau(
                registers.devices(connection), registers.custodians(connection), registers.ledger(connection)
            )
        of_each = {
            known.original.id: _filming(known, bureau)
            for some in in_pieces(ids) for known in self._catalog.known_of_many(some)
        }  # fmt: skip
        found = {}
        for identifier, originals in its.items():
            persons = frozenset(one for original in originals for one in of_each[original].persons)
            units = {one for original in originals for one in of_each[original].units}
            units |= {unit for one in persons if (unit := theirs.get(one))}
            found[identifier] = Filming(persons=persons, units=frozenset(units))
        return found

    def _require_other(self, reviewer: Reviewer, asked: Export, filming: Filming) -> None:
        if reviewer.name == asked.asked_by:
            raise NotAllowed(
                f"{reviewer.name} asked for this export; another person must approve it",
                zh="本人提出的申请须由他人审批", found=asked.id,
            )  # fmt: skip
        if reviewer.name in filming.persons:
            raise NotAllowed(
                f"{reviewer.name} recorded some of it; a person who did not must approve the export",
                zh="参与摄录的人员不能审批其对外复制", found=asked.id,
            )  # fmt: skip
        if not filming.units:
            return
        if reviewer.unit is None:
            raise NotAllowed(
                f"{reviewer.name} belongs to no unit: an administrator must say to which before copying-out of what "
                "a unit filmed can be approved",
                zh="未登记审批人所属科室：请管理员先登记，才能审批其他科室摄录资料的对外复制", found=asked.id,
            )  # fmt: skip
        if reviewer.unit in filming.units:
            raise NotAllowed(
                f"{reviewer.unit} filmed some of it; a person of another unit must approve the export",
                zh=f"其中有{reviewer.unit}摄录的资料，须由其他科室人员审批", found=asked.id,
            )  # fmt: skip

    # -- afterwards

    def listed(self, reviewer: Reviewer) -> list[Export]:
        """Every request and package of what this person may know of, newest first."""
        access.require(reviewer, "export")
        rows, sight = exports.listed(self._catalog), Sight(self._catalog, reviewer)
        shown = [
            one for one in rows if one.case_key not in sight.hidden_cases and one.original not in sight.unseen
        ]  # fmt: skip
        return self._as_seen(shown, sight, reviewer) if sight.unseen or sight.hidden_cases else shown

    def _as_seen(self, rows: Sequence[Export], sight: Sight, reviewer: Reviewer) -> list[Export]:
        """These without what their purpose names or their figures count beyond what the person may know of."""
        others = [one for one in rows if one.asked_by != reviewer.name]
        of_cases = self._catalog.linked_to_cases([one.case_key for one in others if one.original is None])
        known = {key: its - sight.unseen for key, its in of_cases.items() if not sight.unseen.isdisjoint(its)}
        sizes = exports.sizes(self._catalog, sorted({one for its in known.values() for one in its}))

        def told(one: Export) -> Export:
            purpose, its = sight.unnamed.said(one.purpose), known.get(one.case_key) if one.original is None else None
            if its is None:
                return replace(one, purpose=purpose)
            size_bytes = min(one.size_bytes, sum(sizes[each] for each in its))
            return replace(one, purpose=purpose, files=min(one.files, len(its)), size_bytes=size_bytes)

        return [one if one.asked_by == reviewer.name else told(one) for one in rows]

    def seen(self, reviewer: Reviewer, identifier: str) -> Export:
        """The export where this person may know of what it holds. Raises BadInput, as for one that is not there."""
        found = self._found(identifier)
        sight = Sight(self._catalog, reviewer)
        if found.case_key in sight.hidden_cases or (found.original and not sight.seen([found.original])):
            raise _no_export(identifier)
        return found

    def in_force(self, reviewer: Reviewer, original: str) -> Export | None:
        """The approved request by which this person may download this original now."""
        rows = exports.listed(self._catalog, states=("approved",), original=original)
        return next((one for one in rows if one.asked_by == reviewer.name and self.is_in_time(one)), None)

    def is_in_time(self, asked: Export) -> bool:
        """Whether its approval is young enough to be used."""
        return asked.decided_at is not None and self._catalog.now() - asked.decided_at < timedelta(days=APPROVED_D)

    def holds_still(self, reviewer: Reviewer, asked: Export) -> bool:
        """Whether the case holds for this person just what was asked for, with unconfirmed links or without."""
        return any(
            self._selected(reviewer, asked.printed, with_proposed=one, with_proxies=False).digest == asked.selection
            for one in (False, True)
        )

    # -- what all of them need

    def _selected(self, reviewer: Reviewer, said: str, *, with_proposed: bool, with_proxies: bool) -> Selection:
        sight = Sight(self._catalog, reviewer)
        case = selection.case_of(said, self._catalog, sight.hidden_cases)
        return selection.select(
            case, self._catalog, with_proposed=with_proposed, with_proxies=with_proxies, disposed=self._disposed,
            may_view=lambda known: access.may(reviewer, "view", known), as_seen=sight.as_seen,
            tells=sight.unnamed.tells, awaited=self._awaited,
        )  # fmt: skip

    def _awaited(self, originals: Sequence[str]) -> list[tuple[str, str]]:
        with self._catalog.snapshot() as connection:
            return list(drops.awaited(connection, originals))

    def _disposed(self, sha256: str) -> str | None:
        tombstone = self._vault.tombstone(sha256)
        return None if tombstone is None else str(tombstone.get("reason", ""))

    def _asked_facts(self, identifier: str, chosen: Selection, purpose: str) -> dict[str, Any]:
        return {
            "export": identifier, "case": chosen.case.printed, "case_key": chosen.case.key, "purpose": purpose,
            "selection": chosen.digest, "files": len(chosen.parts), "size_bytes": chosen.size_bytes, "login": login(),
            "missing": [{"what": one.what, "original": one.original} for one in chosen.missing],
        }  # fmt: skip

    def _found(self, identifier: str) -> Export:
        found = exports.found(self._catalog, identifier.strip().upper())
        if found is None:
            raise _no_export(identifier)
        return found

    def _tell(self, type: str, reviewer: Reviewer, facts: dict[str, Any], original: str | None = None) -> None:
        self._tell_as(reviewer.name, type, facts, original=original)

    def _tell_as(
        self, actor: str, type: str, facts: dict[str, Any], outcome: str = "done", original: str | None = None,
        first: Callable[[sa.Connection], None] = lambda _: None, last: Callable[[], None] = lambda: None,
    ) -> None:  # fmt: skip
        event = NewEvent(type=type, actor=actor, original=original, facts=facts, outcome=outcome)
        exports.tell(self._catalog, self._audit, [event], first, last)


def _filming(known: Known, bureau: Bureau) -> Filming:
    """Who recorded it by the registers and by what was stated."""
    around = bureau.around(known)
    recorded_by = around.device or bureau.device(str(known.value("register.device", "")))
    carried = [one.person for one in around.carried] + ([around.officer] if around.officer else [])
    stated = [one.stated.officer.strip() for one in known.arrivals if one.stated.officer]
    units = {one.unit for one in carried} | ({recorded_by.unit} if recorded_by else set())
    return Filming(
        persons=frozenset([*(one.name for one in carried), *stated]), units=frozenset(one for one in units if one)
    )


def login() -> str:
    """The system's own name of the account at this keyboard."""
    with contextlib.suppress(OSError, KeyError):
        return getpass.getuser()
    return "unknown"


def purpose_of(said: str) -> str:
    """What it is for, on one line. Raises BadInput where nothing is said."""
    if not said.strip():
        raise BadInput(
            "Say with --purpose what the package is for; it goes into the log and the report",
            zh="请写明用途，将记入日志",
        )
    return " ".join(said.split())


def nothing_of(chosen: Selection) -> BadInput:
    """What is said where nothing of a case can be exported."""
    found = [asdict(one) for one in chosen.missing]
    proposed = sum(one.what == "proposed" for one in chosen.missing)
    if proposed:
        return BadInput(
            f"No recording of {chosen.case.printed} is confirmed; {proposed} are proposed. "
            "To export them too, named as proposed, add --with-proposed",
            zh=f"{chosen.case.printed} 没有已确认的录像，另有 {proposed} 件待确认：请先确认，或选择一并导出",
            found=found,
        )  # fmt: skip
    return BadInput(
        f"Nothing of {chosen.case.printed} can be exported: {len(chosen.missing)} parts are missing",
        zh=f"{chosen.case.printed} 没有可导出的内容：缺 {len(chosen.missing)} 项", found=found,
    )  # fmt: skip


def _no_export(identifier: str) -> BadInput:
    return BadInput(
        f"There is no export {identifier}: see `casereel export list`", zh=f"没有编号为 {identifier} 的申请",
        found=identifier,
    )  # fmt: skip
