"""Cases of other originals that show the same footage."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from pipeline.records import CaseLink, Known, Relative

Make = Callable[..., Known]
Propose = Callable[[Known], list[CaseLink]]


def _link(**changed: Any) -> CaseLink:
    usual = {"case": "平商务罚字〔2021〕第3号", "case_key": "平商务罚-2021-3", "method": "folder_name", "score": 0.9,
             "why": "It arrived in a folder.", "status": "confirmed", "by": "reviewer"}  # fmt: skip
    return CaseLink(**{**usual, **changed})


def _relative(*links: CaseLink, **changed: Any) -> Relative:
    usual = {"original": "2", "name": "DSJ-1.mp4", "relation": "part of the other", "offset_s": 12.0,
             "own_offset_s": 0.0, "length_s": 9.0, "score": 4.0, "links": links}  # fmt: skip
    return Relative(**{**usual, **changed})


def test_a_copy_is_proposed_for_the_case_of_its_source_and_says_why(known: Make, propose: Propose) -> None:
    (link,) = propose(replace(known(), relatives=(_relative(_link()),)))
    assert (link.case_key, link.status, link.by) == ("平商务罚-2021-3", "proposed", None)
    assert "DSJ-1.mp4" in link.why
    assert "part of the other" in link.why


def test_without_relatives_or_their_cases_nothing_is_proposed(known: Make, propose: Propose) -> None:
    assert propose(known()) == []
    assert propose(replace(known(), relatives=(_relative(),))) == []


def test_a_refused_link_and_a_likeness_of_a_likeness_are_not_passed_on(known: Make, propose: Propose) -> None:
    refused = _link(status="refused")
    guessed = _link(case_key="平商务罚-2021-4", status="proposed", method="same_source", by=None)
    assert propose(replace(known(), relatives=(_relative(refused, guessed),))) == []
    assert len(propose(replace(known(), relatives=(_relative(replace(guessed, status="confirmed")),)))) == 1


def test_what_nobody_confirmed_and_what_shares_less_counts_less(known: Make, propose: Propose) -> None:
    def score(relation: str, status: str) -> float:
        (link,) = propose(replace(known(), relatives=(_relative(_link(status=status), relation=relation),)))
        return link.score

    assert score("same recording", "confirmed") > score("part of the other", "confirmed")
    assert score("part of the other", "confirmed") > score("shares a part", "confirmed")
    assert score("same recording", "confirmed") > score("same recording", "proposed")
