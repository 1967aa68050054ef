"""The cases of other files of the same logical recording: what a device recorded as one act belongs together.

Files next to one another count most. Guesses that rest on likeness or on this are not passed on, and of a link about a
part only what touches the other file. A recording may well go on after the matter ended, so a person decides.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from pipeline.neighbours import passes
from pipeline.records import CaseLink, Known, Neighbour, Words
from pipeline.stage import Linker

NAME: Final = "same_recording"
NEXT: Final = 0.75
_EACH_FILE, _EACH_FLAW, _UNCONFIRMED = 0.95, 0.8, 0.8


def _propose(known: Known) -> Iterable[CaseLink]:
    return [
        CaseLink(
            case=link.case, case_key=link.case_key, method=NAME, score=_score(one, link), why=_why(one).en,
            why_zh=_why(one).zh, activity=link.activity,
        )
        for one in known.neighbours
        for link in one.links
        if passes(link, -one.distance)
    ]  # fmt: skip


def _score(one: Neighbour, link: CaseLink) -> float:
    score = NEXT * _EACH_FILE ** (abs(one.distance) - 1) * _EACH_FLAW**one.flaws
    return round(score * (1.0 if link.status == "confirmed" else min(_UNCONFIRMED, link.score)), 3)


def _why(one: Neighbour) -> Words:
    files = abs(one.distance)
    side, side_zh = ("before it", "之前") if one.distance < 0 else ("after it", "之后")
    away, away_zh = (
        ("next to it", "与之相邻") if files == 1 else (f"{files} files {side}", f"位于其{side_zh}第 {files} 个")
    )
    seam_zh = f"（{one.why_zh}）" if one.why_zh else ""
    return Words(
        f"It is one recording with {one.name}, {away}, which is linked to this case ({one.why}).",
        f"与 {one.name}（{away_zh}）属于同一次记录，而后者已关联本案{seam_zh}。",
    )


LINKER = Linker(name=NAME, version=2, zh="同一次记录", propose=_propose)
