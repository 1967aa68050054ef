"""The cases of another original that shows or records the same: a copy, a part of it, or one that holds a part.

What it rests on is likeness, so a person decides. A case that was itself only proposed for the same reason is not
passed on: a chain of likenesses proves less with every link.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from pipeline.records import CaseLink, Known, Relation, Relative
from pipeline.stage import Linker

NAME: Final = "same_source"
_SCORES: Final[dict[Relation, float]] = {
    "same recording": 0.8, "same picture": 0.7, "part of the other": 0.75, "shares a part": 0.6,
    "same sound": 0.4,
}  # fmt: skip
RELATIONS_ZH: Final[dict[Relation, str]] = {
    "same recording": "是同一录制", "same picture": "是同一画面", "part of the other": "一方是另一方的一部分",
    "shares a part": "有相同片段", "same sound": "有相同声音",
}  # fmt: skip
_UNCONFIRMED: Final = 0.8  # times this where nobody confirmed the other's link


def _propose(known: Known) -> Iterable[CaseLink]:
    return [
        CaseLink(
            case=link.case, case_key=link.case_key, method=NAME, score=_score(relative, link),
            why=f"{_shared(relative)} as {relative.name} ({relative.relation}), which is linked to this case.",
            why_zh=f"与已关联本案的 {relative.name} {RELATIONS_ZH[relative.relation]}。",
        )
        for relative in known.relatives
        for link in relative.links
        if link.status == "confirmed" or (link.status == "proposed" and link.method != NAME)
    ]  # fmt: skip


def _shared(relative: Relative) -> str:
    return "It has the same sound" if relative.relation == "same sound" else "It shows or records the same"


def _score(relative: Relative, link: CaseLink) -> float:
    return round(_SCORES[relative.relation] * (1.0 if link.status == "confirmed" else _UNCONFIRMED), 3)


LINKER = Linker(name=NAME, version=2, zh="相同内容", propose=_propose)
