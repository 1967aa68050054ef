"""Device, ledger and activity: who carried the device was taking part in the activity while it was recording.

A person can be in one place at a time, so the activity with the longest shared time leads. The ledger and the clocks
may both be wrong, so a person decides. Without an activity of a case there is nothing to link to; a file whose
device is not registered is left to the other linkers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from pipeline.case_numbers import comparable
from pipeline.records import Around, CaseLink, Custodian, Happened, Known
from pipeline.stage import Linker

NAME: Final = "ledger"
WITHIN, SHARED, NEAR = 0.85, 0.7, 0.45
# Times this: of all that took part in at the same time, only one can be right; what the file and the ledger say of
# the person differs.
_AMONG_OTHERS, _CONTRADICTED = 0.8, 0.6


def _propose(known: Known) -> Iterable[CaseLink]:
    return [] if known.around is None else list(_links(known.around))


def _links(around: Around) -> Iterator[CaseLink]:
    people = [one.person for one in around.carried] or ([around.officer] if around.officer else [])
    part = [(person, one) for person in people for one in around.happened if _took_part(person, one)]
    overlapping = [one for _, one in part if one.shared_s or one.within]
    for person, one in part:
        if one.activity.case is None:
            continue
        score = WITHIN if one.within else SHARED if one.shared_s else NEAR
        if len({other.activity.code for other in overlapping} - {one.activity.code}):
            score *= _AMONG_OTHERS
        contradicted = around.officer is not None and around.officer.code not in {one.code for one in people}
        score *= _CONTRADICTED if contradicted else 1.0
        yield CaseLink(
            case=one.activity.case, case_key=comparable(one.activity.case), method=NAME, score=round(score, 3),
            why=_why(person, one, around, contradicted), activity=one.activity.code,
        )  # fmt: skip


def _took_part(person: Custodian, happened: Happened) -> bool:
    names = {person.code, person.name, *person.aliases}
    return any(said in names for said in happened.activity.people)


def _why(person: Custodian, one: Happened, around: Around, contradicted: bool) -> str:
    device = f"{around.device.code} ({around.device_why})" if around.device else "the device"
    told = f"The ledger says {person.name} carried {device}" if around.carried else f"The file names {person.name}"
    when = (
        "all of it was recorded during" if one.within
        else f"{one.shared_s:.0f} s of it were recorded during" if one.shared_s
        else "it was recorded within minutes of"
    )  # fmt: skip
    but = " The file itself names somebody else." if contradicted else ""
    place = f" at {one.activity.place}" if one.activity.place else ""
    return f"{told}, who took part in {one.activity.step}{place}; {when} it.{but}"


LINKER = Linker(name=NAME, version=1, propose=_propose)
