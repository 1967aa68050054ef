"""Device, ledger and activity: who carried the device was taking part in the activity while it was recording.

A person can be in one place at a time, so the activity with the longest shared time leads. The ledger and the clocks
may both be wrong, so a person decides. Without an activity of a case there is nothing to link to; a file whose
device is not registered is left to the other linkers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from pipeline.case_numbers import comparable
from pipeline.records import Around, CaseLink, Custodian, Happened, Known, Words
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
        why = _why(person, one, around, contradicted)
        yield CaseLink(
            case=one.activity.case, case_key=comparable(one.activity.case), method=NAME, score=round(score, 3),
            why=why.en, why_zh=why.zh, activity=one.activity.code,
        )  # fmt: skip


def _took_part(person: Custodian, happened: Happened) -> bool:
    names = {person.code, person.name, *person.aliases}
    return any(said in names for said in happened.activity.people)


def _why(person: Custodian, one: Happened, around: Around, contradicted: bool) -> Words:
    activity, device = one.activity, around.device
    if around.carried:
        carried = f"{device.code} ({around.device_why.en})" if device else "the device"
        carried_zh = f"设备 {device.code}（{around.device_why.zh}）" if device else "该设备"
        told, told_zh = f"The ledger says {person.name} carried {carried}", f"台账载明 {person.name} 领用{carried_zh}"
    else:
        told, told_zh = f"The file names {person.name}", f"文件载明 {person.name}"
    when, when_zh = (
        ("all of it was recorded during", "全部录制于其间") if one.within
        else (f"{one.shared_s:.0f} s of it were recorded during", f"其中 {one.shared_s:.0f} 秒录制于其间")
        if one.shared_s
        else ("it was recorded within minutes of", "录制时间与之相差数分钟")
    )  # fmt: skip
    but, but_zh = (" The file itself names somebody else.", "但文件本身载明的是他人。") if contradicted else ("", "")
    place, place_zh = (f" at {activity.place}", f"（{activity.place}）") if activity.place else ("", "")
    return Words(
        f"{told}, who took part in {activity.step}{place}; {when} it.{but}",
        f"{told_zh}，此人参加了{activity.step}{place_zh}；{when_zh}。{but_zh}",
    )


LINKER = Linker(name=NAME, version=2, zh="领用台账", propose=_propose)
