"""The link stage: one link a case, a person's decision kept, and the same again when it runs again."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import ANY

import pytest

from pipeline.records import Around, Beside, CaseLink, Fingerprint, Known, Named, Party, Relative, Stated
from pipeline.stage import Context
from pipeline.stages.link import STAGE, merged
from tests.pipeline.linkers.conftest import make_known

CONTEXT = cast(Context, SimpleNamespace(around=lambda _: Around(), neighbours=lambda _: Beside()))


def link(method: str, score: float, **changed: Any) -> CaseLink:
    made = CaseLink(case="甲罚〔2021〕3号", case_key="甲罚-2021-3", method=method, score=score, why="Because.")
    return replace(made, **changed)


def run(known: Known) -> tuple[CaseLink, ...]:
    return STAGE.run(known, CONTEXT).links


def test_the_best_way_wins_and_the_others_are_named() -> None:
    (best,) = run(make_known("平商务罚字2021第3号.mp4", folder="平商务罚字〔2021〕第3号"))
    assert (best.method, best.score, best.finder) == ("folder_name", 0.9, "folder_name/2")
    assert best.why.endswith("Also found by file_name.")
    assert best.why_zh.endswith("另据文件名。")


def test_the_clerks_word_outranks_every_guess() -> None:
    first, second = run(make_known(folder="平商务罚字〔2021〕第4号", stated=Stated(case="平商务罚字〔2021〕第3号")))
    assert (first.case_key, first.status) == ("平商务罚-2021-3", "confirmed")
    assert (second.case_key, second.status) == ("平商务罚-2021-4", "proposed")


def test_a_party_of_the_stated_case_is_no_hint_at_its_other_cases_until_that_is_refused() -> None:
    party = Named(party=Party(name="鑫源商贸有限公司"), how="name", where="folder", text="鑫源商贸有限公司",
                  cases=("平商务罚字〔2021〕第3号", "平商务罚字〔2021〕第4号"))  # fmt: skip
    context = cast(Context, SimpleNamespace(around=lambda _: Around(named=(party,)), neighbours=lambda _: Beside()))
    stated = make_known(folder="鑫源商贸有限公司", stated=Stated(case="平商务罚字〔2021〕第3号"))
    [link_] = STAGE.run(stated, context).links
    assert (link_.case_key, link_.why.endswith("Also found by party_name.")) == ("平商务罚-2021-3", True)
    refused = replace(stated, links=(replace(link_, status="refused", by="reviewer"),))
    assert [one.case_key for one in STAGE.run(refused, context).links] == ["平商务罚-2021-4"]


@pytest.mark.parametrize(("case", "score"), [("夜市专项", 0.7), ("平商务罚字〔2021〕第9号", 0.28)])
def test_a_word_beside_it_that_is_no_number_speaks_against_no_party(case: str, score: float) -> None:
    party = Named(party=Party(name="鑫源商贸有限公司"), how="name", where="folder", text="鑫源商贸有限公司",
                  cases=("平商务罚字〔2021〕第3号",))  # fmt: skip
    context = cast(Context, SimpleNamespace(around=lambda _: Around(named=(party,)), neighbours=lambda _: Beside()))
    sidecar = make_known("a.mp4.json", sidecar_case=case)
    links = STAGE.run(replace(make_known("a.mp4"), sidecars=(sidecar,)), context).links
    assert {one.method: one.score for one in links} == {"sidecar_manifest": ANY, "party_name": score}


def test_what_a_person_refused_is_not_proposed_again() -> None:
    refused = link("folder_name", 0.9, case_key="平商务罚-2021-3", status="refused", by="reviewer")
    assert run(make_known("平商务罚字2021第3号.mp4", folder="平商务罚字〔2021〕第3号", links=(refused,))) == ()


def test_what_a_person_confirmed_stays_confirmed_by_that_person() -> None:
    (kept,) = merged([link("file_name", 0.85)], [link("file_name", 0.85, status="confirmed", by="reviewer")])
    assert (kept.status, kept.by) == ("confirmed", "reviewer")


def test_running_again_gives_the_same_links() -> None:
    known = make_known("平商务罚字2021第3号.mp4", folder="平商务罚字〔2021〕第4号", stated=Stated(case="AJ2021-0042"))
    first = run(known)
    assert run(replace(known, links=first)) == first


def test_parts_of_a_recording_are_linked_apart() -> None:
    whole, part = link("file_name", 0.85), link("file_name", 0.85, from_s=10.0, to_s=20.0)
    assert len(merged([whole, part], [])) == 2


def test_a_sidecar_has_no_links_of_its_own() -> None:
    assert run(make_known("a.srt", folder="平商务罚字〔2021〕第3号", parent="2")) == ()


def test_relatives_are_asked_once_there_are_marks_and_shown_and_linked() -> None:
    confirmed = link("folder_name", 0.9, status="confirmed", by="reviewer")
    relative = Relative(original="2", name="b.mp4", relation="same recording", offset_s=0.0, own_offset_s=0.0,
                        length_s=9.0, score=4.0, links=(confirmed,))  # fmt: skip
    asked: list[str] = []

    def relatives(known: Any) -> list[Relative]:
        asked.append(known.original.id)
        return [relative]

    context: Any = SimpleNamespace(relatives=relatives, around=lambda _: Around(), neighbours=lambda _: Beside())
    bare = make_known("a.mp4")
    assert STAGE.run(bare, context).links == ()
    assert asked == []
    marked = replace(bare, fingerprints=(Fingerprint(method="video", version=2, data=b""),))
    facts = STAGE.run(marked, context)
    assert [(one.method, one.status) for one in facts.links] == [("same_source", "proposed")]
    assert facts.relatives == (relative,)


def test_what_a_file_tells_by_itself_needs_no_neighbour_to_say_so() -> None:
    (best,) = merged([link("ledger", 0.7), link("same_recording", 0.75)], ())
    assert (best.method, best.why) == ("ledger", "Because.")
    (best,) = merged([link("same_recording", 0.75)], ())
    assert best.method == "same_recording"
