"""Case numbers in folder names."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pipeline.records import CaseLink, Known

Make = Callable[..., Known]
Propose = Callable[[Known], list[CaseLink]]


def test_the_folder_names_the_case(known: Make, propose: Propose) -> None:
    (link,) = propose(known(folder="2021/平商务罚字〔2021〕第3号 询问"))
    assert (link.case_key, link.status, link.score) == ("平商务罚-2021-3", "proposed", 0.9)
    assert link.why == "It arrived in the folder “平商务罚字〔2021〕第3号 询问”, which names this case number."


def test_a_nearer_folder_counts_more(known: Make, propose: Propose) -> None:
    links = propose(known(folder="平商务罚字〔2021〕第3号/平商务罚字〔2021〕第4号"))
    assert {link.case_key: link.score for link in links} == {"平商务罚-2021-4": 0.9, "平商务罚-2021-3": 0.8}


def test_a_folder_of_several_cases_counts_less(known: Make, propose: Propose) -> None:
    links = propose(known(folder="平商务罚字〔2021〕第3号、平商务罚字〔2021〕第4号"))
    assert [link.score for link in links] == [0.54, 0.54]


@pytest.mark.parametrize("folder", ["", "DCIM/100MEDIA", "国办发〔2018〕118号", "2021-08-03"])
def test_a_folder_without_a_case_proposes_nothing(known: Make, propose: Propose, folder: str) -> None:
    assert propose(known(folder=folder)) == []
