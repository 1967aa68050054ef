"""Where a state secret is suspected, the original is there for nobody, its work stands, and nothing of it is lost."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from indexer.access import ACTIONS, Reviewer, Role
from indexer.search import Filters, search
from pipeline.acts.restricting import Restricting
from pipeline.edges.audit import NewEvent
from pipeline.edges.database import isolations, knowledge
from pipeline.edges.database.dump import dump
from pipeline.edges.database.isolations import Isolation
from pipeline.errors import BadInput, NotAllowed, Superseded
from pipeline.records import Person
from tests.flows.keeping import AUDITOR, CASE, REVIEWER, SetClock, kept, link, over, take
from workers.backup import back_up
from workers.bootstrap import Home, build_follower, build_home, build_jobs
from workers.rebuild import rebuild_catalog

OTHER = Person(name="周审计", role="auditor")
ROLES: tuple[Role, ...] = ("clerk", "reviewer", "auditor", "administrator")


def found(home: Home, reviewer: Reviewer) -> set[str]:
    page = search(reviewer, "", Filters(group=False), follower=build_follower(home), catalog=home.catalog,
                  zone="Asia/Shanghai", now=home.catalog.now())  # fmt: skip
    hits = {hit.original for hit in page.hits}
    assert page.total == len(hits)
    return hits


def report(home: Home, original: str, person: Person = REVIEWER) -> Isolation:
    with home.isolating() as isolating:
        return isolating.report(person, original)


def release(home: Home, one: Isolation, person: Person = OTHER) -> Isolation:
    with home.isolating() as isolating:
        return isolating.release(person, one.id, "保密办认定不属国家秘密")


def test_an_isolated_original_is_there_for_nobody_and_its_work_stands(home: Home, tmp_path: Path) -> None:
    one, other = take(home, tmp_path / "card", "机密.jpg", "现场.jpg")
    follower = build_follower(home)
    follower.follow()
    jobs = build_jobs(home)
    claim = jobs.begin(one, "light", "probe")
    assert claim is not None
    isolation = report(home, one)

    for role in ROLES:
        person = Reviewer("某人", role, "法制科")
        assert found(home, person) == {other}, role
        assert home.of(person).seen([one, other]) == [other], role
        assert home.of(person).hidden_originals() == {one}, role
    assert follower.stats().documents == 1
    assert sum(home.catalog.counts().values()) == 1
    with pytest.raises(BadInput, match="Nothing in custody"):
        home.of(Reviewer("周审计", "auditor")).find_original(one)
    with pytest.raises(Superseded):
        jobs.require_held(claim)
    assert jobs.begin(one, "light", "probe") is None
    with home.catalog.transaction() as connection:
        jobs.again(connection, one, "light", ["probe", "index"], force=True)
        assert not jobs.waiting_in(connection, one, "light")
    assert {row.original for row in jobs.listed()} == {other}
    with pytest.raises(BadInput, match="There is no job"):
        jobs.show(claim.job)
    assert home.vault.holds(home.catalog.known_of(one).original.sha256)

    assert release(home, isolation).ended_by == "周审计"
    assert found(home, Reviewer("某人", "clerk")) == {one, other}
    with home.catalog.snapshot() as connection:
        assert jobs.waiting_in(connection, one, "light")
    jobs.close()


def test_the_event_names_the_identifier_and_the_deed_alone(sqlite_home: Home, tmp_path: Path) -> None:
    [one] = take(sqlite_home, tmp_path / "card", "机密.jpg")
    isolation = report(sqlite_home, one)
    [line] = sqlite_home.catalog.events_of_type([isolations.BEGUN])
    event = json.loads(line)
    assert (event["original"], event["actor"], event["facts"]) == (one, "李法制", {"isolation": isolation.id})
    assert "机密" not in line


def test_another_person_releases_it_once_and_says_why(sqlite_home: Home, tmp_path: Path) -> None:
    [one] = take(sqlite_home, tmp_path / "card", "机密.jpg")
    isolation = report(sqlite_home, one, AUDITOR)
    with pytest.raises(NotAllowed, match="another person"):
        release(sqlite_home, isolation, AUDITOR)
    with sqlite_home.isolating() as isolating, pytest.raises(BadInput, match="reason"):
        isolating.release(OTHER, isolation.id, " ")
    release(sqlite_home, isolation)
    with pytest.raises(BadInput, match="ended"):
        release(sqlite_home, isolation)
    assert ACTIONS["keep_isolated"] == {"auditor"}


def test_what_belongs_to_it_is_isolated_too_also_when_it_comes_later(sqlite_home: Home, tmp_path: Path) -> None:
    one, sidecar = take(sqlite_home, tmp_path / "card", "a.jpg", "b.jpg")
    report(sqlite_home, one)
    assert sqlite_home.of(Reviewer("某人", "auditor")).seen([sidecar]) == [sidecar]
    with sqlite_home.catalog.transaction() as connection:
        [seq] = sqlite_home.audit.record(connection, [NewEvent(type="test", actor="tester", original=sidecar)])
        connection.exec_driver_sql(f"UPDATE cr_original SET kind = 'sidecar' WHERE id = '{sidecar}'")
        knowledge.adopt(connection, one, [sidecar], seq)
    assert sqlite_home.of(Reviewer("某人", "auditor")).seen([sidecar]) == []
    assert found(sqlite_home, Reviewer("某人", "auditor")) == set()
    jobs = build_jobs(sqlite_home)
    assert jobs.begin(sidecar, "light", "probe") is None
    jobs.close()


def test_a_restriction_lets_nobody_in_beside_an_isolation(sqlite_home: Home, tmp_path: Path) -> None:
    [one] = take(sqlite_home, tmp_path / "card", "a.jpg")
    Restricting(sqlite_home.catalog, sqlite_home.audit).place(
        REVIEWER, "配方", kind="trade_secret", original=one, units=("法制科",)
    )
    report(sqlite_home, one)
    assert sqlite_home.of(Reviewer("李法制", "reviewer", "法制科")).seen([one]) == []


def test_it_stays_isolated_when_the_catalog_is_made_anew(sqlite_home: Home, tmp_path: Path) -> None:
    one, two = take(sqlite_home, tmp_path / "card", "a.jpg", "b.jpg")
    report(sqlite_home, one)
    release(sqlite_home, report(sqlite_home, two))
    before = dump(sqlite_home.catalog)["isolations"]
    sqlite_home.close()
    rebuild_catalog(sqlite_home.settings)
    rebuilt = build_home(sqlite_home.settings)
    assert dump(rebuilt.catalog)["isolations"] == before
    assert rebuilt.of(Reviewer("某人", "auditor")).seen([one, two]) == [two]
    rebuilt.close()


def test_a_backup_takes_nothing_of_it_until_it_is_released(sqlite_home: Home, tmp_path: Path) -> None:
    one, _ = take(sqlite_home, tmp_path / "card", "a.jpg", "b.jpg")
    isolation = report(sqlite_home, one)
    assert back_up(sqlite_home, tmp_path / "copy").objects == 1
    release(sqlite_home, isolation)
    assert back_up(sqlite_home, tmp_path / "copy").objects == 2


def test_it_is_neither_disposed_of_nor_copied_out(sqlite_home: Home, tmp_path: Path) -> None:
    one, two = take(sqlite_home, tmp_path / "card", "a.jpg", "b.jpg")
    clock = SetClock()
    retention = kept(sqlite_home, clock)
    over(retention, clock, one, two)
    isolation = report(sqlite_home, one)
    with pytest.raises(NotAllowed):
        retention.propose([one], REVIEWER, "期满")
    release(sqlite_home, isolation)
    for original in (one, two):
        link(sqlite_home, original)
    approvals, person = sqlite_home.approvals(), Reviewer("李法制", "reviewer")
    report(sqlite_home, one)
    assert approvals.request(person, CASE, "复议", with_proposed=True).files == 1
    with pytest.raises(NotAllowed):
        approvals.request_original(person, one, "复议")


def test_the_command_line_isolates_and_releases(
    sqlite_home: Home, tmp_path: Path, casereel: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    [one] = take(sqlite_home, tmp_path / "card", "机密.jpg")
    people = {"CASEREEL_ACCESS_ROLES": "王审计=auditor:周审计=auditor:赵管理=operator"}
    assert casereel("isolate", "report", one, "--as", "赵管理", environ=people).returncode == 5
    assert casereel("isolate", "report", one, "--as", "周审计", environ=people).returncode == 0
    assert casereel("show", one, environ=people).returncode == 2
    assert casereel("isolate", "list", "--as", "赵管理", environ=people).returncode == 5
    listed = casereel("isolate", "list", "--as", "王审计", "--json", environ=people)
    told = json.loads(listed.stdout)
    assert (told["original"], told["by"], "机密" in listed.stdout) == (one, "周审计", False)
    release_ = ("isolate", "release", told["isolation"], "--reason", "不属国家秘密")
    assert casereel(*release_, "--as", "周审计", environ=people).returncode == 5
    assert casereel(*release_, "--as", "王审计", environ=people).returncode == 0
    assert casereel("show", one, environ=people).returncode == 0
