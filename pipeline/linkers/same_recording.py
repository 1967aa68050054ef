"""The cases of other files of the same logical recording: what a device recorded as one act belongs together.

Files next to one another count most. Guesses that rest on likeness or on this are not passed on, and of a link about a
part only what touches the other file. A recording may well go on after the matter ended, so a person decides.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from pipeline.neighbours import passes
from pipeline.records import CaseLink, Known, Neighbour
from pipeline.stage import Linker

NAME: Final = "same_recording"
NEXT: Final = 0.75
_EACH_FILE, _EACH_FLAW, _UNCONFIRMED = 0.95, 0.8, 0.8


def _propose(known: Known) -> Iterable[CaseLink]:
    return [
        CaseLink(
            case=link.case, case_key=link.case_key, method=NAME, score=_score(one, link), why=_why(one),
            activity=link.activity,
        )
        for one in known.neighbours
        for link in one.links
        if passes(link, -one.distance)
    ]  # fmt: skip


def _score(one: Neighbour, link: CaseLink) -> float:
    score = NEXT * _EACH_FILE ** (abs(one.distance) - 1) * _EACH_FLAW**one.flaws
    return round(score * (1.0 if link.status == "confirmed" else min(_UNCONFIRMED, link.score)), 3)


def _why(one: Neighbour) -> str:
    away = "next to" if abs(one.distance) == 1 else f"{abs(one.distance)} files"
    side = "it" if abs(one.distance) == 1 else ("before it" if one.distance < 0 else "after it")
    return f"It is one recording with {one.name}, {away} {side}, which is linked to this case ({one.why})."


LINKER = Linker(name=NAME, version=1, propose=_propose)
