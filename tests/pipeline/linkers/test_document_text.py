"""Case numbers in the text of written records."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from pipeline.records import CaseLink, Known, Property
from pipeline.writings import header_of

Make = Callable[..., Known]
Propose = Callable[[Known], list[CaseLink]]


def record(known: Known, text: str) -> Known:
    numbers = header_of([text.splitlines()]).numbers
    told = [[one.printed, one.key, one.page, one.line, one.own, one.labelled] for one in numbers]
    return replace(known, properties={"record.numbers": Property(name="record.numbers", found="x", value=told)})


def found(links: list[CaseLink]) -> list[tuple[str, float, str]]:
    return [(one.case_key, one.score, one.status) for one in links]


def test_a_labelled_number_leads_and_says_where_it_stands(known: Make, propose: Propose) -> None:
    links = propose(
        record(known("a.pdf"), "现场检查笔录\n案号：平商务罚字〔2021〕第3号\n问：平商务罚字〔2020〕第9号的事")
    )
    assert found(links) == [("平商务罚-2021-3", 0.95, "proposed"), ("平商务罚-2020-9", 0.75, "proposed")]
    assert links[0].why == "The document names 平商务罚字〔2021〕第3号 as its case number (page 1, line 2)."


def test_several_numbers_named_alike_are_weaker_proposals(known: Make, propose: Propose) -> None:
    links = propose(
        record(known("a.pdf"), "说明\n关于平商务罚字〔2021〕第3号、平商务罚字〔2021〕第4号两案的情况说明如下")
    )
    assert found(links) == [("平商务罚-2021-3", 0.45, "proposed"), ("平商务罚-2021-4", 0.45, "proposed")]


def test_official_document_numbers_link_to_nothing(known: Make, propose: Propose) -> None:
    assert propose(record(known("a.pdf"), "国办发〔2018〕118号\n根据平政办发〔2019〕82号")) == []
    assert propose(known("a.pdf")) == []
