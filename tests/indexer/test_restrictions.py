"""What somebody may not see is found nowhere: neither in hits nor in what is counted, suggested or shown beside them.

The oracle knows nothing of audiences: it asks of each restriction in turn whether it lets the person in, leaves out
everything else, and searches an archive in which only the rest ever was.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

import indexer.backends
from indexer.access import Reviewer, Role, audience_of, sees
from indexer.asking.suggesting import suggest
from indexer.follower import Follower
from indexer.persons.unnamed import SAID
from indexer.search import Filters, Page, search
from indexer.tree import FACET_FIELDS
from pipeline.kinds import kinds_in
from pipeline.records import Caveat, DecidedTime, Known, Restriction
from tests.indexer.archive import TAKEN_AT, Archive, decided, known, link

NAMES = [backend.name for backend in kinds_in(indexer.backends.__name__, "BACKEND")]
BACKENDS = pytest.mark.parametrize(
    "backend", [pytest.param(name, marks=pytest.mark.postgres) if name == "postgresql" else name for name in NAMES]
)
FULL = os.environ.get("CASEREEL_TEST_COUNTS") == "full"
NOW = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
PERSONS, UNITS = ("王芳", "李雷", "韩梅", "p:王芳"), ("法制科", "稽查一队", "王芳")
ROLES: tuple[Role, ...] = ("clerk", "reviewer", "auditor", "administrator")
REVIEWERS = [
    Reviewer("王芳", "reviewer", "法制科"), Reviewer("李雷", "clerk", "稽查一队"), Reviewer("韩梅", "auditor"),
    Reviewer("法制科", "administrator"), Reviewer("赵四", "reviewer", "王芳"), Reviewer("p:王芳", "reviewer"),
]  # fmt: skip
WORDS = ("沁禾园", "鑫源达", "后厨", "仓库", "油烟", "拆除", "复查", "瑞昶源")
QUERIES = ("", "沁禾园", "油 OR 仓库", "NOT 后厨", "xyd", "瑞*", "案号:云泽市监罚字〔2025〕第3号", "拆除 -仓库")


def restriction(number: int, **more: object) -> Restriction:
    given = {
        "original": None, "case_key": "x", "printed": "x", "kind": "trade_secret", "units": (), "persons": (),
        "reason": "r", "by": "赵六", "role": "reviewer", "from_at": TAKEN_AT,
    } | more  # fmt: skip
    return Restriction(id=f"r{number}", **given)  # type: ignore[arg-type]


def lets_in(one: Restriction, reviewer: Reviewer) -> bool:
    return reviewer.name in (*one.persons, one.by) or reviewer.unit in one.units or reviewer.role == "auditor"


def may_know(reviewer: Reviewer, restrictions: Iterable[Restriction]) -> bool:
    return all(lets_in(one, reviewer) for one in restrictions)


def some_restrictions(rng: random.Random) -> list[Restriction]:
    kinds = ("work_secret", "trade_secret", "personal_privacy")
    return [
        restriction(
            number, kind=rng.choice(kinds), by=rng.choice((*PERSONS, "赵六")),
            units=tuple(rng.sample(UNITS, rng.randint(0, 2))), persons=tuple(rng.sample(PERSONS, rng.randint(0, 2))),
        )
        for number in range(rng.choice((0, 0, 1, 1, 2, 3)))
    ]  # fmt: skip


def some_archive(rng: random.Random, count: int) -> list[Known]:
    found: list[Known] = []
    for number in range(count):
        closed = some_restrictions(rng)
        case = f"云泽市监罚字〔2025〕第{rng.randint(1, 5)}号"
        one = known(
            f"{number:02}", folder=rng.choice(("", case)), links=[link(case)] if rng.random() < 0.6 else [],
            restrictions=closed, sidecar__note=" ".join(rng.sample(WORDS, 3)), sidecar__party=rng.choice(WORDS),
            sidecar__place=f"{rng.choice(WORDS)}路{rng.randint(1, 3)}号",
        )  # fmt: skip
        found.append(one)
    return found


NEIGHBOURS = ("鹿鸣仓", "青石埠", "BRKX7719", "云泽市监罚字〔2025〕第77号")


def naming(one: Known, neighbour: str, way: int) -> Known:
    """The same with something said of it that names another file, as linkers, clocks, lists and persons do."""
    told = f"与 {neighbour}.mp4 有关", f"it goes with {neighbour}.mp4"
    time = replace(decided(TAKEN_AT), why_zh=told[0], why=told[1])
    times: dict[int, DecidedTime] = {
        3: replace(time, source="sequence", method="between_neighbours"), 4: replace(time, method="utc+clock"),
        5: replace(time, source="person", method="by_hand", by_rules={"why": told[1], "why_zh": told[0]}),
    }  # fmt: skip
    if way < 3:
        made = replace(link("云泽市监罚字〔2025〕第3号"), why_zh=told[0], why=told[1])
        method = ("same_source", "same_recording", "person")[way]
        return replace(one, links=(*one.links, replace(made, method=method)))
    if way in times:
        return replace(one, time=times[way])
    code = sorted(SAID)[way - 6]
    return replace(one, caveats=(*one.caveats, Caveat(code=code, text_zh=told[0], text=told[1])))


@BACKENDS
def test_nothing_is_found_by_the_name_of_a_file_that_only_reasons_tell_of(
    backend: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Beside what is hidden or not: the index is one for all who may see a file."""
    ways = range(6 + len(SAID))
    knowns = [naming(known(f"{way:02}"), NEIGHBOURS[way % 4], way) for way in ways]
    plain = [naming(known(f"{way:02}"), "无名", way) for way in ways]
    follower = opened(Archive(knowns), tmp_path / "named", backend, request)
    oracle = opened(Archive(plain), tmp_path / "plain", backend, request)
    reviewer = REVIEWERS[0]
    for text in (*NEIGHBOURS, "与", "goes", "brkx*", "云泽市监罚字〔2025〕第3号", "人工更正", "清单"):
        found = asked(reviewer, text, follower, Archive(knowns))
        assert shown(found) == shown(asked(reviewer, text, oracle, Archive(plain))), text
        assert not any(one in repr(found.hits) for one in NEIGHBOURS), text
    assert asked(reviewer, "人工更正", follower, Archive(knowns)).total == 2
    assert suggested(reviewer, follower) == suggested(reviewer, oracle)


def opened(catalog: Archive, folder: Path, backend: str, request: pytest.FixtureRequest) -> Follower:
    database = request.getfixturevalue("postgres") if backend == "postgresql" else ""
    return Follower(catalog, folder, backend, database=database)


def asked(reviewer: Reviewer, text: str, follower: Follower, catalog: Archive) -> Page:
    return search(
        reviewer, text, Filters(limit=100, facets=FACET_FIELDS), follower=follower, catalog=catalog,
        zone="Asia/Shanghai", now=NOW,
    )  # fmt: skip


def shown(page: Page) -> tuple[object, ...]:
    """All of an answer but its scores, which weigh how many documents have a word."""
    hits = {hit.original: (replace(hit, score=0.0, others=())) for hit in page.hits}
    others = {hit.original: sorted(other.original for other in hit.others) for hit in page.hits}
    return hits, others, page.total, page.searched, page.of, page.behind, page.facets, page.understood


def suggested(reviewer: Reviewer, follower: Follower) -> list[object]:
    return [suggest(reviewer, typed, follower=follower, limit=50) for typed in ("", "云泽", "瑞", "路")]


@BACKENDS
def test_answers_are_those_of_an_archive_without_what_is_hidden(
    backend: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    rng = random.Random(6)
    knowns = some_archive(rng, 40)
    whole = Archive(knowns)
    follower = opened(whole, tmp_path / "whole", backend, request)
    hidden = 0
    reviewers = REVIEWERS if backend == "tantivy" or FULL else REVIEWERS[:2]
    for number, reviewer in enumerate(reviewers):
        rest = Archive([one for one in knowns if may_know(reviewer, one.restrictions)])
        oracle = opened(rest, tmp_path / f"rest-{number}", backend, request)
        hidden += len(knowns) - len(rest.changed_after(0, 100))
        for text in QUERIES:
            expected = asked(reviewer, text, oracle, rest)
            assert shown(asked(reviewer, text, follower, whole)) == shown(expected), (reviewer, text)
        assert suggested(reviewer, follower) == suggested(reviewer, oracle)
    assert hidden > 10 * len(reviewers)


def test_a_recording_is_not_called_after_a_file_that_is_hidden(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    first = known("01", recording__id="01", restrictions=[restriction(1)])
    catalog = Archive([first, *(known(name, recording__id="01") for name in ("02", "03")), known("04")])
    follower = opened(catalog, tmp_path, "tantivy", request)
    called = {
        reviewer.role: {hit.original: hit.recording for hit in asked(reviewer, "", follower, catalog).hits}
        for reviewer in (REVIEWERS[0], Reviewer("韩梅", "auditor"))
    }
    assert called["reviewer"] == {"02": "02", "03": "02", "04": "04"}
    assert called["auditor"] == {"01": "01", "02": "01", "03": "01", "04": "04"}


@BACKENDS
def test_a_changed_restriction_counts_with_the_next_search(
    backend: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    reviewer = REVIEWERS[0]
    catalog = Archive([known("01", sidecar__note="油烟"), known("02", sidecar__note="油烟")])
    follower = opened(catalog, tmp_path, backend, request)
    assert asked(reviewer, "油烟", follower, catalog).total == 2
    catalog.put(known("02", sidecar__note="油烟", restrictions=[restriction(1)]))
    page = asked(reviewer, "油烟", follower, catalog)
    assert ([hit.original for hit in page.hits], page.total, page.searched) == (["01"], 1, 1)
    catalog.put(known("02", sidecar__note="油烟"))
    assert asked(reviewer, "油烟", follower, catalog).total == 2


@BACKENDS
def test_what_the_index_does_not_yet_hold_as_restricted_is_left_out_all_the_same(
    backend: str, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    reviewer = REVIEWERS[0]
    catalog = Archive([known(f"{number:02}", sidecar__note="油烟") for number in range(4)])
    follower = opened(catalog, tmp_path, backend, request)
    assert asked(reviewer, "油烟", follower, catalog).total == 4
    # As while another writes for long.
    monkeypatch.setattr(follower, "follow_for_search", lambda: None)
    catalog.put(*[known(f"{number:02}", sidecar__note="油烟", restrictions=[restriction(1)]) for number in (1, 2)])
    page = asked(reviewer, "油烟", follower, catalog)
    assert ({hit.original for hit in page.hits}, page.total, page.searched, page.behind) == ({"00", "03"}, 2, 2, 0)
    assert page.facets["kind"] == {"video": 2}


def test_audiences_let_in_whom_every_restriction_lets_in() -> None:
    rng = random.Random(25)
    people = [Reviewer(name, role, unit) for name in (*PERSONS, "赵六") for role in ROLES for unit in (None, *UNITS)]
    for _ in range(300):
        some = some_restrictions(rng)
        for reviewer in people:
            assert sees(reviewer, some) == may_know(reviewer, some), (reviewer, some)


def test_an_audience_stays_small_under_many_restrictions() -> None:
    many: Sequence[Restriction] = [
        restriction(number, units=UNITS, persons=PERSONS, by=PERSONS[number % 2]) for number in range(12)
    ]
    assert len(audience_of(many)) <= (len(PERSONS) + 1) * (len(UNITS) + 1) * (len(ROLES) + 1)
