"""Case slates that were filmed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from pipeline import codes
from pipeline.records import Around, CaseLink, Known, Property

Make = Callable[..., Known]
Propose = Callable[[Known], list[CaseLink]]
SECRET = codes.secret_of("ABCD", b"h" * 32)
CASE, OTHER = "平商务罚字〔2021〕第3号", "AJ2021-0042"


def text(case: str) -> str:
    return codes.slate_text(case, "ABCD", SECRET)


def showing(known: Known, *seen: tuple[float, float, str], ours: bool = True) -> Known:
    found = Property(name="codes.slates", found="x", value={"seen": [list(one) for one in seen]})
    sealed = frozenset(one for *_, one in seen) if ours else frozenset()
    return replace(known, properties={"codes.slates": found}, around=Around(sealed=sealed))


def test_one_slate_of_this_home_links_the_whole_recording_by_itself(known: Make, propose: Propose) -> None:
    (link,) = propose(showing(known(), (2.0, 6.0, text("平商务罚字(2021)3号"))))
    assert (link.case, link.case_key) == ("平商务罚字〔2021〕3号", "平商务罚-2021-3")
    assert (link.status, link.by, link.score, link.from_s, link.to_s) == ("confirmed", "slate", 1.0, None, None)
    assert "card ABCD" in link.why
    assert "from 2 to 6 s" in link.why


def test_a_slate_with_a_strangers_seal_is_a_proposal(known: Make, propose: Propose) -> None:
    (link,) = propose(showing(known(), (2.0, 2.0, text(CASE)), ours=False))
    assert (link.status, link.by) == ("proposed", None)
    assert link.score < 1


def test_each_of_two_slates_speaks_for_its_part(known: Make, propose: Propose) -> None:
    links = propose(showing(known(), (1.0, 3.0, text(CASE)), (9.0, 9.0, text(CASE)), (60.0, 63.0, text(OTHER))))
    assert [(one.case_key, one.from_s, one.to_s) for one in links] == [
        ("平商务罚-2021-3", 0.0, 60.0), ("AJ-2021-0042".replace("-00", "-"), 60.0, None),
    ]  # fmt: skip


def test_without_a_slate_nothing_is_proposed(known: Make, propose: Propose) -> None:
    assert propose(known()) == []
    odd = Property(name="codes.slates", found="x", value=[["CR1"]])
    assert propose(replace(known(), properties={"codes.slates": odd})) == []
