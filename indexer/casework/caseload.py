"""The cases that a person may know of, by decision date, with how each stands."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from indexer.casework.case_json import days_left
from pipeline.case_numbers import comparable
from pipeline.edges.catalog import Catalog
from pipeline.edges.database import caseload
from pipeline.edges.database.caseload import Listed, Show

PAGE: Final = 25


@dataclass(frozen=True, kw_only=True)
class Row:
    """A case in the list. days_left: until its decision is due, below 0 past it; None without a date. assigned: who
    reviews it before it is decided."""

    case: Listed
    days_left: int | None
    recordings: int
    documents: int
    proposals: int
    assigned: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """As the API answers it."""
        return {
            "case": self.case.number, "title": self.case.title, "parties": list(self.case.parties),
            "decision_due_on": self.case.due_on, "days_left": self.days_left, "recordings": self.recordings,
            "documents": self.documents, "proposals": self.proposals, "assigned": list(self.assigned),
        }  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Caseload:
    """One page of the list. total: of what was asked for; tally: how many cases of each sort there are."""

    rows: tuple[Row, ...]
    total: int
    tally: Mapping[Show, int]
    number: int

    @property
    def pages(self) -> int:
        """How many there are, one at least."""
        return max(1, -(-self.total // PAGE))


def caseload_of(
    catalog: Catalog, *, unseen: Collection[str], hidden: Collection[str], today: date, words: str = "",
    show: Show = "all", number: int = 1, person: str | None = None,
) -> Caseload:  # fmt: skip
    """This page, from 1. unseen: originals, and hidden: keys of cases, that whoever asks may not know of. person: whose
    own cases are counted; None of somebody who is assigned none.
    """
    with catalog.snapshot() as connection:
        rows, total = caseload.page(
            connection, hidden=hidden, unseen=unseen, words=words, show=show, today=today,
            offset=(number - 1) * PAGE, limit=PAGE, person=person or "",
        )  # fmt: skip
        tally = caseload.tally(connection, hidden=hidden, unseen=unseen, today=today, person=person)
        assigned = caseload.assigned(connection, [one.id for one in rows])
        linked = caseload.linked(connection, [one.id for one in rows])
    counted: dict[str, Counter[str]] = {one.id: Counter() for one in rows}
    for one in linked:
        if one.original not in unseen:
            counted[one.case][_sort(one.kind)] += 1
            counted[one.case]["proposals"] += one.status == "proposed"
    return Caseload(
        rows=tuple(
            Row(
                case=one, days_left=days_left(one.due_on, today), recordings=counted[one.id]["recordings"],
                documents=counted[one.id]["documents"], proposals=counted[one.id]["proposals"],
                assigned=assigned.get(one.id, ()),
            )
            for one in rows
        ),
        total=total, tally=tally, number=number,
    )  # fmt: skip


def is_there(catalog: Catalog, number: str, *, unseen: Collection[str], hidden: Collection[str]) -> bool:
    """Whether whoever asks may know that there is a case with this number. unseen, hidden: as above."""
    key = comparable(number)
    if key in hidden:
        return False
    with catalog.snapshot() as connection:
        return caseload.is_there(connection, key, unseen)


def _sort(kind: str) -> str:
    return "documents" if kind == "document" else "recordings" if kind in ("video", "audio", "photo") else "others"
