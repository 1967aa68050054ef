"""The case slate that was filmed: a printed card with the case number, made by `case slate`.

Whoever held it up said to which case the recording belongs, so a slate of this home links by itself; one with another
seal is a proposal. One slate speaks for the whole recording; of several, each for the time from it to the next, the
first from the beginning on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from pipeline.case_numbers import comparable, parse
from pipeline.codes import Slate, slates_of
from pipeline.records import CaseLink, Known, Words
from pipeline.stage import Linker

NAME: Final = "case_slate"
_STRANGE: Final = 0.9


def _propose(known: Known) -> Iterable[CaseLink]:
    return list(_links(known))


def _links(known: Known) -> Iterator[CaseLink]:
    slates = _told_apart(slates_of(known))
    for number, (slate, key) in enumerate(slates):
        ours = known.around is not None and slate.code.text in known.around.sealed
        said = slate.code.case or ""
        numbers = parse(said)
        seal = "A slate of this home" if ours else "A slate whose seal is not of this home"
        seal_zh = "本单位制作的案号牌" if ours else "校验码不属于本单位的案号牌"
        card, when = slate.code.card, _when(slate)
        yield CaseLink(
            case=numbers[0].printed if numbers else said, case_key=key, method=NAME, score=1.0 if ours else _STRANGE,
            why=f"{seal} (card {card}) with {said} is held up {when.en}.",
            why_zh=f"{when.zh}出示{seal_zh}（{card} 号），写有 {said}。",
            status="confirmed" if ours else "proposed", by="slate" if ours else None,
            from_s=None if number == 0 and len(slates) == 1 else 0.0 if number == 0 else slate.from_s,
            to_s=slates[number + 1][0].from_s if number + 1 < len(slates) else None,
        )  # fmt: skip


def _told_apart(slates: Iterable[Slate]) -> list[tuple[Slate, str]]:
    """Those at which another case begins than the one before, with the case's key."""
    found: list[tuple[Slate, str]] = []
    for slate in slates:
        key = comparable(slate.code.case or "")
        if not found or found[-1][1] != key:
            found.append((slate, key))
    return found


def _when(slate: Slate) -> Words:
    if slate.from_s == slate.to_s:
        return Words(f"at {slate.from_s:.0f} s", f"第 {slate.from_s:.0f} 秒")
    return Words(f"from {slate.from_s:.0f} to {slate.to_s:.0f} s", f"第 {slate.from_s:.0f} 至 {slate.to_s:.0f} 秒")


LINKER = Linker(name=NAME, version=2, zh="案号牌", propose=_propose, names_case=True)
