"""What is restricted is gone for others with the next search, and stays so when the catalog is made anew."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from indexer.access import Reviewer
from indexer.persons.sight import Sight
from indexer.search import Filters, search
from pipeline.acts.restricting import Restricting
from pipeline.edges.audit import NewEvent
from pipeline.edges.database import knowledge
from pipeline.edges.database.dump import dump
from pipeline.errors import BadInput
from pipeline.records import Person, Restriction
from tests.flows.keeping import CASE, link, take
from tests.flows.test_registers import CASES, take_in
from workers.bootstrap import Home, build_follower

LEGAL = Person(name="李法制", role="reviewer")
OUTSIDER, COLLEAGUE = Reviewer("赵四", "reviewer"), Reviewer("王芳", "clerk", "法制科")


def restrict(home: Home, **about: str) -> Restriction:
    deed = Restricting(home.catalog, home.audit)
    return deed.place(LEGAL, "涉及配方", kind="trade_secret", units=["法制科"], **about)  # type: ignore[arg-type]


def found(home: Home, reviewer: Reviewer) -> set[str]:
    kinds = ("photo", "sidecar")
    pages = [
        search(reviewer, "", Filters(kind=kind, group=False), follower=build_follower(home), catalog=home.catalog,
               zone="Asia/Shanghai", now=home.catalog.now())
        for kind in kinds
    ]  # fmt: skip
    hits = {hit.original for page in pages for hit in page.hits}
    assert sum(page.total for page in pages) == len(hits)
    return hits


def adopt(home: Home, parent: str, sidecar: str) -> None:
    with home.catalog.transaction() as connection:
        [seq] = home.audit.record(connection, [NewEvent(type="test", actor="tester", original=sidecar)])
        connection.exec_driver_sql(f"UPDATE cr_original SET kind = 'sidecar' WHERE id = '{sidecar}'")
        knowledge.adopt(connection, parent, [sidecar], seq)


@pytest.fixture
def family(home: Home, tmp_path: Path) -> tuple[str, str, str]:
    """A recording of the case, its sidecar, and a photo of nothing."""
    one, sidecar, other = take(home, tmp_path / "card", "a.jpg", "b.jpg", "c.jpg")
    link(home, one)
    adopt(home, one, sidecar)
    return one, sidecar, other


def test_a_case_s_restriction_hides_its_recordings_with_their_sidecars_until_it_is_lifted(
    home: Home, family: tuple[str, str, str]
) -> None:
    one, sidecar, other = family
    assert found(home, OUTSIDER) == {one, sidecar, other}
    placed = restrict(home, case=CASE)
    assert found(home, OUTSIDER) == {other}
    assert found(home, COLLEAGUE) == {one, sidecar, other}
    Restricting(home.catalog, home.audit).lift(LEGAL, placed.id, "已公开")
    assert found(home, OUTSIDER) == {one, sidecar, other}
    with pytest.raises(BadInput, match="lifted already"):
        Restricting(home.catalog, home.audit).lift(LEGAL, placed.id, "再次")


def test_a_sidecar_s_restriction_hides_the_recording_that_shows_its_words(
    home: Home, family: tuple[str, str, str]
) -> None:
    one, sidecar, other = family
    restrict(home, original=sidecar)
    assert found(home, OUTSIDER) == {other}
    assert {one, sidecar} < found(home, COLLEAGUE)


def test_what_is_linked_later_is_hidden_too_under_any_number_of_the_case(
    home: Home, family: tuple[str, str, str]
) -> None:
    one, sidecar, other = family
    restrict(home, case="平商务罚字〔2026〕3号")
    assert found(home, OUTSIDER) == {one, sidecar, other}
    take_in(home, "cases", CASES)  # its filing number is another name of the same case
    link(home, one, "平商务立字〔2026〕2号")
    assert found(home, OUTSIDER) == {other}


def test_restrictions_come_back_with_a_rebuilt_catalog(
    home: Home, family: tuple[str, str, str], by_log_alone: Callable[[Home], Home]
) -> None:
    _, _, other = family
    restrict(home, case=CASE)
    restrict(home, original=other)
    lifted = restrict(home, original=other)
    Restricting(home.catalog, home.audit).lift(LEGAL, lifted.id, "重复")
    before = dump(home.catalog)["restrictions"]
    assert [row["lifted_by"] for row in before] == [None, None, "李法制"]
    rebuilt = by_log_alone(home)
    assert dump(rebuilt.catalog)["restrictions"] == before
    assert other not in found(rebuilt, OUTSIDER)
    rebuilt.close()


def test_at_the_command_line_a_hidden_original_is_as_one_that_never_was(
    sqlite_home: Home, casereel: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    hidden, other = take(sqlite_home, tmp_path / "card", "秘方.jpg", "门头.jpg")
    link(sqlite_home, hidden)
    roles = os.pathsep.join(f"{name}=reviewer" for name in ("李法制", "赵四"))

    def run(person: str, *arguments: object) -> subprocess.CompletedProcess[str]:
        names = {"CASEREEL_ACCESS_PERSON": person, "CASEREEL_ACCESS_ROLES": roles}
        return casereel(*map(str, arguments), "--json", environ=names)

    def rows(person: str, *arguments: object) -> list[dict[str, object]]:
        done = run(person, *arguments)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    [placed] = rows("李法制", "restrict", "place", "--case", CASE, "--kind", "trade_secret", "--reason", "配方")
    assert [row["original"] for row in rows("赵四", "search")] == [other]
    assert rows("赵四", "case", "list") == []
    for said, never in ((hidden, "01JZZZZZZZZZZZZZZZZZZZZZZZ"), ("秘方.jpg", "无此.jpg")):
        refused, unknown = run("赵四", "show", said), run("赵四", "show", never)
        assert refused.returncode == unknown.returncode != 0
        assert refused.stderr.replace(said, "X") == unknown.stderr.replace(never, "X")
    refused = run("赵四", "restrict", "lift", placed["restriction"], "--reason", "x")
    assert "There is no restriction" in refused.stderr + refused.stdout
    assert [row["case"] for row in rows("李法制", "case", "list")] == [CASE]


def test_what_is_hidden_is_what_each_restriction_by_itself_would_hide(
    home: Home, family: tuple[str, str, str], tmp_path: Path
) -> None:
    """Thousands of restrictions are asked about by their sorts; the oracle asks about each original."""
    one, sidecar, other = family
    more = take(home, tmp_path / "more", *(f"{number}.jpg" for number in range(6)))
    every = [one, sidecar, other, *more]
    deed = Restricting(home.catalog, home.audit)
    named = (
        {"units": ["法制科"]},
        {"persons": ["赵四"]},
        {"persons": ["赵四", "王芳"]},
        {"units": ["稽查一队", "法制科"]},
    )
    people = [Reviewer(name, role, unit) for name in ("赵四", "王芳", "李法制") for role in ("reviewer", "auditor")
              for unit in (None, "法制科", "稽查一队")]  # fmt: skip

    def agree() -> set[int]:
        sights = [Sight(home.catalog, person) for person in people]
        for sight in sights:
            assert sight.unseen == set(every) - set(sight.seen(every))
        return {len(sight.unseen) for sight in sights}

    assert agree() == {0}
    placed = [deed.place(LEGAL, "密", kind="work_secret", original=its, **who)  # type: ignore[arg-type]
              for its, who in zip(more, (*named, *named), strict=False)]  # fmt: skip
    placed.append(deed.place(LEGAL, "密", kind="trade_secret", case=CASE, units=["法制科"]))
    assert len(agree()) > 3
    with home.isolating() as isolating:
        isolating.report(LEGAL, other)
    assert min(agree()) == 1
    for restriction in placed:
        deed.lift(LEGAL, restriction.id, "已公开")
    assert agree() == {1}
