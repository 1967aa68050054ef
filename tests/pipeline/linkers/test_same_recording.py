"""Cases of other files of the same recording: what is passed on, and how surely."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from pipeline.records import CaseLink, Known, Neighbour

Make = Callable[..., Known]
Propose = Callable[[Known], list[CaseLink]]


def _link(**changed: Any) -> CaseLink:
    usual = {"case": "AJ2021-0042", "case_key": "AJ-2021-42", "method": "person", "score": 1.0, "why": "x",
             "status": "confirmed", "by": "李", "activity": "A1"}  # fmt: skip
    return CaseLink(**{**usual, **changed})


def _beside(*links: CaseLink, **changed: Any) -> Neighbour:
    usual = {"original": "2", "name": "GX010034.MP4", "distance": -1, "flaws": 0, "why": "The next chapter"}
    return Neighbour(**{**usual, **changed}, links=links)


def test_a_chapter_next_to_a_linked_one_is_proposed_with_the_reason(known: Make, propose: Propose) -> None:
    (link,) = propose(replace(known(), neighbours=(_beside(_link()),)))
    assert (link.case_key, link.status, link.by, link.activity, link.score) == (
        "AJ-2021-42", "proposed", None, "A1", 0.75,
    )  # fmt: skip
    assert "GX010034.MP4" in link.why
    assert "The next chapter" in link.why


def test_further_files_and_those_behind_a_hole_count_less(known: Make, propose: Propose) -> None:
    def score(**changed: Any) -> float:
        return propose(replace(known(), neighbours=(_beside(_link(), **changed),)))[0].score

    assert score() > score(distance=3) > score(distance=3, flaws=1) > 0


@pytest.mark.parametrize(("said", "passed"), [
    ({"status": "proposed", "method": "ledger", "score": 0.7, "by": None}, [0.525]),
    ({"status": "proposed", "method": "same_recording", "by": None}, []),
    ({"status": "proposed", "method": "same_source", "by": None}, []),
    ({"status": "refused"}, []),
    ({"to_s": 60.0}, []),  # the matter ended within the file before this one
    ({"from_s": 60.0}, [0.75]),
])  # fmt: skip
def test_guesses_refusals_and_parts_that_end_before_are_not_passed_on(
    known: Make, propose: Propose, said: dict[str, Any], passed: list[float]
) -> None:
    assert [one.score for one in propose(replace(known(), neighbours=(_beside(_link(**said)),)))] == passed
