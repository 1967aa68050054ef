"""Names of parties with a recording: which are found, and how much each says."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.case_numbers import comparable
from pipeline.linkers.party_name import LINKER
from pipeline.records import Case, Party
from pipeline.registers.bureau import Bureau
from tests.indexer.archive import known


def case(number, *parties):
    return Case(numbers=((number, None),), parties=tuple(
        one if isinstance(one, Party) else Party(name=one) for one in parties
    ))  # fmt: skip


FIRM = Party(name="平罗县鑫源商贸有限公司", identifier="91640221MA76B2C81X")
CASES = [case("AJ2026-1", FIRM), case("AJ2026-2", "王伟"), case("AJ2026-3", "欧阳建国"), case("AJ2026-4", "李小红"),
         case("AJ2026-5", "超市")]  # fmt: skip


def proposed(cases=CASES, told=(), **more):
    original = known("x", **{"name": "a.mp4", **more})
    around = replace(Bureau(cases=cases).around(original), told=frozenset(map(comparable, told)))
    return {one.case: one.score for one in LINKER.propose(replace(original, around=around))}


@pytest.mark.parametrize(("more", "expected"), [
    ({"folder": "2026/平罗县鑫源商贸有限公司"}, {"AJ2026-1": 0.7}),
    ({"name": "鑫源商贸 现场检查.mp4"}, {"AJ2026-1": 0.45}),
    ({"name": "91640221MA76B2C81X.mp4"}, {"AJ2026-1": 0.75}),
    ({"name": "191640221MA76B2C81X7.mp4"}, {}),
    ({"name": "欧阳建国询问.mp4"}, {"AJ2026-3": 0.6}),
    ({"name": "询问 李小红.mp4"}, {"AJ2026-4": 0.5}),
    ({"name": "王伟询问.mp4"}, {"AJ2026-2": 0.25}),
    ({"name": "国王伟大.mp4"}, {}),
    ({"name": "超市 检查.mp4"}, {"AJ2026-5": 0.25}),
    ({"name": "鑫源.mp4"}, {}),
    ({"sidecar__note": "当事人：平罗县鑫源商贸有限公司"}, {"AJ2026-1": 0.63}),
    ({"name": "平羅縣.mp4"}, {}),
], ids=str)  # fmt: skip
def test_a_name_is_found_where_it_stands_and_says_as_much_as_it_is_rare(more, expected):
    assert proposed(**more) == expected


def test_a_party_of_several_cases_is_proposed_for_each_with_less():
    assert proposed([*CASES, case("AJ2026-9", "平罗县鑫源商贸有限公司")], folder="平罗县鑫源商贸有限公司") == {
        "AJ2026-1": 0.42, "AJ2026-9": 0.42,
    }  # fmt: skip


def test_where_a_case_is_named_outright_its_party_hints_at_no_other_and_another_party_hardly_does():
    cases = [*CASES, case("AJ2026-9", "平罗县鑫源商贸有限公司")]
    where = {"folder": "平罗县鑫源商贸有限公司", "name": "欧阳建国询问.mp4"}
    assert proposed(cases, told=["AJ2026-9"], **where) == {"AJ2026-9": 0.42, "AJ2026-3": 0.24}
    assert proposed(cases, **where) == {"AJ2026-1": 0.42, "AJ2026-9": 0.42, "AJ2026-3": 0.6}


def test_the_reason_names_the_party_and_where_it_was_read():
    original = known("x", name="王伟询问.mp4")
    [link] = LINKER.propose(replace(original, around=Bureau(cases=CASES).around(original)))
    assert link.why == (
        "“王伟” in its name is the name of 王伟, a party of this case; "
        "a name so short or common may mean something else."
    )
    assert link.status == "proposed"


def test_a_thousand_parties_in_a_long_text_are_sought_in_one_pass():
    many = [case(f"AJ2026-{n}", f"第{n}号商贸经营部") for n in range(3000)]
    text = "检查人员出示证件告知权利" * 4000 + "第2718号商贸经营部"
    assert proposed(many, sidecar__text=text[-40_000:]) == {"AJ2026-2718": 0.63}
