"""The case that a file beside the recording names."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pipeline.records import CaseLink, Known

Make = Callable[..., Known]
Propose = Callable[[Known], list[CaseLink]]


def test_a_manifest_beside_the_recording_names_the_case(known: Make, propose: Propose) -> None:
    manifest = known("a.json", sidecar_case="平商务罚字〔2021〕第3号")
    (link,) = propose(known(sidecars=(manifest,)))
    assert (link.case_key, link.status, link.score) == ("平商务罚-2021-3", "proposed", 0.95)
    assert link.why == "a.json says that the recording belongs to 平商务罚字〔2021〕第3号."


def test_a_word_that_is_no_number_is_proposed_with_less(known: Make, propose: Propose) -> None:
    (link,) = propose(known(sidecar_case="夜市专项"))
    assert (link.case_key, link.score) == ("夜市专项", 0.7)


@pytest.mark.parametrize("said", [None, "", "  "])
def test_an_empty_field_proposes_nothing(known: Make, propose: Propose, said: str | None) -> None:
    assert propose(known(sidecar_case=said)) == []
