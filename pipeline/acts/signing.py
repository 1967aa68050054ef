"""A reviewer's signature under a case's checklist: an event that holds the state it freezes, and its digest.

The log is all there is of it, so a lost catalog gets it back with the log, and who signed what can be proved outside.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from pipeline.case_numbers import comparable
from pipeline.edges.audit import AuditLog, NewEvent
from pipeline.edges.catalog import Catalog
from pipeline.records import Person

SIGNED: Final = "case.checklist_signed"
# 同意, 不同意, 建议修改后提交. Source: published opinion sheets of 法制审核.
OPINIONS: Final = ("agree", "disagree", "amend")


@dataclass(frozen=True)
class Signature:
    """A signed checklist. seq: of its event; state: what was frozen, of which digest is the SHA-256.

    opinion: one of OPINIONS, '' where the signature is older than opinions. watched: what the person had looked at.
    """

    seq: int
    by: str
    role: str
    at: datetime
    digest: str
    reason: str
    state: Mapping[str, Any]
    opinion: str = ""
    watched: Sequence[Mapping[str, Any]] = ()


class Signatures:
    """The signed checklists of one home."""

    def __init__(self, catalog: Catalog, audit: AuditLog) -> None:
        self._catalog, self._audit = catalog, audit

    def of(self, keys: Collection[str]) -> list[Signature]:
        """Those of the case with these numbers, oldest first."""
        # Each holds a whole state: those of other cases are not even read.
        named = [f'"case_key":{json.dumps(key)}' for key in keys]
        events = [json.loads(line) for line in self._catalog.events_of_type([SIGNED], holding=named)]
        return [_read(event) for event in events if event["facts"]["case_key"] in keys]

    def sign(
        self, person: Person, case: str, digest: str, state: Mapping[str, Any], reason: str = "", *,
        opinion: str = "agree", watched: Sequence[Mapping[str, Any]] = (),
    ) -> Signature:  # fmt: skip
        """The person signed; durable when this returns."""
        facts = {"case": case, "case_key": comparable(case), "role": person.role, "digest": digest, "reason": reason,
                 "opinion": opinion, "watched": list(watched), "state": state}  # fmt: skip
        event = NewEvent(type=SIGNED, actor=person.name, facts=facts)
        with self._audit.alone(self._catalog) as connection:
            [seq] = self._audit.record(connection, [event])
        self._audit.make_durable(seq)
        return next(one for one in reversed(self.of([comparable(case)])) if one.seq == seq)


def _read(event: Mapping[str, Any]) -> Signature:
    facts = event["facts"]
    return Signature(
        event["seq"], event["actor"], facts["role"], datetime.fromisoformat(event["at"]), facts["digest"],
        facts["reason"], facts["state"], facts.get("opinion", ""), facts.get("watched", ()),
    )  # fmt: skip
