"""Why a person looks: filled in where a case is assigned to them, else what they said for this session; else asked."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from indexer.casework.assigning import purpose_of
from indexer.web.desk import Visit
from pipeline.records import Known


def of_original(visit: Visit, known: Known) -> dict[str, Any] | None:
    """What the event of a look at this original says of why; None where its person is to be asked.

    known: as this person may know of it, so a case that they may not know of gives no purpose.
    """
    return of_cases(visit, {link.case_key for link in known.links if link.status != "refused"})


def of_cases(visit: Visit, keys: Collection[str]) -> dict[str, Any] | None:
    """The same of what belongs to the cases with these numbers, as numbers are compared."""
    said = visit.here.session.purpose
    if assignment := visit.desk.assigning().gives_purpose(visit.person, keys):
        return purpose_of(assignment, visit.lang, said)
    return {"purpose": said} if said else None
