"""What people decide about links stays, is told in the log, and comes back with a rebuilt catalog."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.acts.linking import Linking
from pipeline.edges.audit import NewEvent
from pipeline.edges.database import knowledge
from pipeline.edges.database.dump import dump
from pipeline.errors import BadInput
from pipeline.records import CaseLink, Facts
from tests.flows.keeping import CASE, link, take
from tests.flows.test_registers import CASES, take_in
from tests.samples import making
from workers.bootstrap import Home

OTHER = "AJ2026-0042"


def linking(home: Home) -> Linking:
    return Linking(home.catalog, home.audit)


def links(home: Home, original: str) -> list[tuple[str, str, str, str | None]]:
    return [(one.case, one.method, one.status, one.by) for one in home.catalog.known_of(original).links]


@pytest.fixture
def original(home: Home, tmp_path: Path) -> str:
    [one] = take(home, tmp_path / "card", "a.jpg")
    link(home, one)
    return one


def test_a_confirmed_proposal_keeps_how_it_was_found_and_no_linker_changes_it(home: Home, original: str) -> None:
    linking(home).confirm("李法制", original, "平商务罚字2021_3号", "看过")
    before = home.catalog.known_of(original).links
    assert links(home, original) == [(CASE, "folder_name", "confirmed", "李法制")]
    other = CaseLink(case=CASE, case_key=before[0].case_key, method="stated", score=1.0, why="x", status="confirmed",
                     by="clerk", finder="stated/1")  # fmt: skip
    with home.catalog.transaction() as connection:
        [seq] = home.audit.record(connection, [NewEvent(type="test", actor="tester", original=original)])
        knowledge.record(connection, original, "light-link", Facts(links=(other,)), seq)
    assert home.catalog.known_of(original).links == before


def test_a_refusal_is_remembered_under_every_number_of_the_case(home: Home, original: str) -> None:
    link(home, original, "平商务罚字〔2026〕3号")
    linking(home).refuse("李法制", original, "平商务罚字〔2026〕3号", "不是这里")
    take_in(home, "cases", CASES)  # its filing number is another name of the same case
    link(home, original, "平商务立字〔2026〕2号")
    assert links(home, original) == [("平商务罚字〔2026〕3号", "folder_name", "refused", "李法制")]
    linking(home).confirm("王审计", original, "平商务立字〔2026〕2号", "看错了")
    assert [(status, by) for _, _, status, by in links(home, original)] == [("confirmed", "王审计")]


def test_a_person_links_a_part_of_a_recording_and_the_latest_word_stands(home: Home, original: str) -> None:
    made = linking(home).link("李法制", original, OTHER, "现场", activity="A1", from_s=10.0, to_s=95.5)
    assert (made.case, made.method, made.score, made.status) == ("AJ-2026-0042", "person", 1.0, "confirmed")
    found = {one.case: one for one in home.catalog.known_of(original).links}
    assert (found["AJ-2026-0042"].from_s, found["AJ-2026-0042"].to_s, found["AJ-2026-0042"].activity) == (
        10.0,
        95.5,
        "A1",
    )
    linking(home).refuse("王审计", original, OTHER, "误认")
    assert ("AJ-2026-0042", "person", "refused", "王审计") in links(home, original)
    told = [json.loads(line)["type"] for line in home.catalog.events_of(original)]
    assert told[-2:] == ["link.made", "link.refused"]


def test_what_cannot_be_decided_is_refused_in_words(home: Home, original: str) -> None:
    with pytest.raises(BadInput, match="not linked to"):
        linking(home).confirm("李", original, OTHER, "x")
    with pytest.raises(BadInput, match="Give a reason"):
        linking(home).link("李", original, OTHER, " ")
    with pytest.raises(BadInput, match="before it begins"):
        linking(home).link("李", original, OTHER, "x", from_s=5, to_s=5)
    with pytest.raises(BadInput, match="name one"):
        linking(home).link("李", original, "平商务罚字〔2021〕3号、平商务罚字〔2021〕4号", "x")
    with pytest.raises(BadInput, match="no original"):
        linking(home).link("李", "01AAAAAAAAAAAAAAAAAAAAAAAA", OTHER, "x")
    with home.catalog.transaction() as connection:
        [seq] = home.audit.record(connection, [NewEvent(type="test", actor="tester", original=original)])
        knowledge.record(connection, original, "light-link", Facts(parent=original), seq)
    with pytest.raises(BadInput, match="link that one"):
        linking(home).link("李", original, OTHER, "x")


def test_a_lost_catalog_gets_what_people_decided_back_from_the_log(
    home: Home, original: str, by_log_alone: Callable[[Home], Home]
) -> None:
    linking(home).confirm("李法制", original, CASE, "看过")
    linking(home).link("李法制", original, OTHER, "现场", from_s=1.0)
    linking(home).refuse("王审计", original, OTHER, "误认")
    before = dump(home.catalog)["links"]
    assert [(one["case_key"], one["status"]) for one in before] == [
        (home.catalog.known_of(original).links[0].case_key, "confirmed"), ("AJ-2026-42", "refused"),
    ]  # fmt: skip
    rebuilt = by_log_alone(home)
    assert dump(rebuilt.catalog)["links"] == before
    rebuilt.close()


def test_link_unlink_and_confirm_at_the_command_line(
    printed: Callable[..., list[dict[str, Any]]], tmp_path: Path
) -> None:
    run = printed
    making.photo(tmp_path / "card" / CASE / "a.jpg", 1)
    making.photo(tmp_path / "card" / "b.jpg", 2)
    run("init")
    arrived = run("ingest", tmp_path / "card", "--wait")
    one, other = (
        found["original"] for found in sorted(arrived, key=lambda found: str(found["path"]).endswith("b.jpg"))
    )
    [said] = run("confirm", one, "--case", "平商务罚字2021_3号")
    assert (said["original"], said["case"], said["status"]) == (one, CASE, "confirmed")
    assert {"method", "score", "why"} <= said.keys()
    assert [found["status"] for found in run("link", one, other, "--case", OTHER, "--reason", "现场")] == [
        "confirmed"
    ] * 2
    assert {found["original"] for found in run("search", "--case", OTHER)} == {one, other}
    [said] = run("unlink", other, "--case", OTHER, "--reason", "不是")
    assert said["status"] == "refused"
    assert {found["original"] for found in run("search", "--case", OTHER)} == {one}
    run("confirm", other, "--case", CASE, code=2)
    run("link", one, "nothing", "--case", OTHER, "--reason", "x", code=1)
    run("link", one, "--case", OTHER, "--reason", "x", "--as", "谁", code=5)
