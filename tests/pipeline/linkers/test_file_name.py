"""Case numbers in file names."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pipeline.records import CaseLink, Known

Make = Callable[..., Known]
Propose = Callable[[Known], list[CaseLink]]


def test_the_name_holds_the_case(known: Make, propose: Propose) -> None:
    (link,) = propose(known("平商务罚字[2021]3 20210803_101010.mp4"))
    assert (link.case_key, link.status, link.score) == ("平商务罚-2021-3", "proposed", 0.85)


def test_a_name_with_two_cases_proposes_both_with_less(known: Make, propose: Propose) -> None:
    links = propose(known("平商务罚字〔2021〕第3号和平商务罚字〔2021〕第4号.mp4"))
    assert [link.score for link in links] == [0.51, 0.51]


@pytest.mark.parametrize("name", ["a.mp4", "DSJ_HA1234567_000123_20210803101010_0001.mp4", "行政处罚2021-08-03.mp4"])
def test_a_name_without_a_case_proposes_nothing(known: Make, propose: Propose, name: str) -> None:
    assert propose(known(name)) == []
