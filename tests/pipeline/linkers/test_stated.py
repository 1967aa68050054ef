"""The clerk's word."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pipeline.records import CaseLink, Known, Stated

Make = Callable[..., Known]
Propose = Callable[[Known], list[CaseLink]]


def test_a_stated_case_is_confirmed_by_the_clerk(known: Make, propose: Propose) -> None:
    (link,) = propose(known(stated=Stated(case="平商务罚字2021第3号", activity="查封")))
    assert (link.case, link.case_key) == ("平商务罚字〔2021〕第3号", "平商务罚-2021-3")
    assert (link.status, link.by, link.score, link.activity) == ("confirmed", "clerk", 1.0, "查封")


def test_a_word_that_is_no_number_is_kept_as_it_stands(known: Make, propose: Propose) -> None:
    (link,) = propose(known(stated=Stated(case="夜市专项")))
    assert (link.case, link.case_key, link.status) == ("夜市专项", "夜市专项", "confirmed")


@pytest.mark.parametrize("said", [None, "", "  "])
def test_no_word_is_no_link(known: Make, propose: Propose, said: str | None) -> None:
    assert propose(known(stated=Stated(case=said))) == []
