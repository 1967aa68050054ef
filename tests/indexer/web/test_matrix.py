"""Every route as every role and as nobody: who comes in, and that nothing tells of what is restricted."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from indexer.access import Reviewer
from indexer.web.app import modules
from pipeline.acts.restricting import Restricting
from tests.flows.keeping import REVIEWER, take
from tests.indexer.web.asking import Asking, nobody, person
from workers.bootstrap import Home

SECRET_CASE = "平商务罚字〔2021〕第9号"
SHUT_CASE = "平商务罚字〔2021〕第8号"
OPEN_CASE = "平商务罚字〔2021〕第3号"
NEVER = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
# Whoever is not of the unit that the restriction names; auditors see all kinds.
OUTSIDE = ("clerk", "reviewer", "operator", "administrator")
QUERIES = ("/search?q=秘方", "/search?q=第9号", "/api/search?q=秘方", "/api/suggest?q=平商务", "/api/suggest?q=秘")


class World:
    """An open original of an open case, a restricted one of a restricted case, and one that is isolated."""

    def __init__(self, home: Home, folder: Path) -> None:
        self.home = home
        [self.open] = take(home, folder / "card", "现场.jpg", case=OPEN_CASE)
        [self.secret] = take(home, folder / "card", "秘方.jpg", case=SECRET_CASE)
        placed = Restricting(home.catalog, home.audit)
        placed.place(REVIEWER, "配方", kind="trade_secret", original=self.secret, units=("法制科",))
        placed.place(REVIEWER, "配方", kind="trade_secret", case=SECRET_CASE, units=("法制科",))
        [self.shut] = take(home, folder / "card", "机密.jpg", case=SHUT_CASE)
        self.shut_tells = (self.shut, "机密", "第8号", home.catalog.known_of(self.shut).original.sha256)
        approvals = home.approvals()
        for original in (self.open, self.secret, self.shut):
            approvals.request_original(Reviewer("李法制", "reviewer"), original, "复议")
        with home.isolating() as isolating:
            isolating.report(REVIEWER, self.shut)
        self.people = {role: person(home, role, unit="他科") for role in OUTSIDE}
        self.auditor = person(home, "auditor", unit="法制科")
        self.tells = (self.secret, "秘方", "第9号", home.catalog.known_of(self.secret).original.sha256)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    from config.settings import load
    from workers.bootstrap import build_home, make_home

    folder = tmp_path_factory.mktemp("matrix")
    settings = load(folder / "home", {})
    make_home(settings)
    home = build_home(settings)
    yield World(home, folder)
    home.close()


def routes() -> list[tuple[bool, Any]]:
    """(whether it is open to everybody, route) of the whole application."""
    return [(getattr(module, "OPEN", False), route) for module in modules() for route in module.ROUTES.routes]


def path_for(route: Any, original: str, case: str) -> str:
    """The route's path about this original or case."""
    values = {"number": case, "case": case, "job": f"{original}-light-probe", "verb": "retry"}
    return re.sub(r"\{(\w+)(?::\w+)?\}", lambda found: values.get(found[1], original), route.path)


def got(client: TestClient, path: str, method: str = "GET", **more: Any) -> tuple[int, str]:
    answer = client.request(method, path, follow_redirects=False, **more)
    headers = "\n".join(f"{name}: {value}" for name, value in answer.headers.items() if name != "content-length")
    return answer.status_code, f"{headers}\n{answer.text}"


def test_nothing_tells_somebody_outside_of_a_restricted_original_or_case(world: World) -> None:
    for role, asking in world.people.items():
        for _, route in routes():
            if "GET" not in route.methods:
                continue
            path = path_for(route, world.secret, SECRET_CASE)
            status, said = got(asking.client, path)
            assert status < 500, (role, path, said[:600])
            echoed = 0 if "{" not in route.path else None
            for one in world.tells:
                if echoed is None and one in path:
                    continue
                assert one not in said, (role, path, one)


def test_nothing_tells_anybody_of_an_isolated_original(world: World) -> None:
    """Not even auditors, but for its identifier on the page for what is isolated."""
    everybody = {**world.people, "auditor": world.auditor}
    gets = [route for _, route in routes() if "GET" in route.methods]
    # What persons themselves ask for stands in the log, so pages that show the log come first.
    for route in sorted(gets, key=lambda route: "{" in route.path):
        for role, asking in everybody.items():
            path = path_for(route, world.shut, SHUT_CASE)
            status, said = got(asking.client, path)
            assert status < 500, (role, path, said[:600])
            told = [one for one in world.shut_tells if one in said and one not in path]
            assert told == ([world.shut] if (route.path, role) == ("/isolated", "auditor") else []), (role, path)
    for role in ("clerk", "reviewer", "auditor", "administrator"):
        for path in ("/search?q=机密", "/api/search?q=机密", "/api/suggest?q=平商务"):
            status, said = got(everybody[role].client, path)
            assert (status, world.shut in said, "机密.jpg" in said, "第8号" in said) == (200, False, False, False), path
        # The auditor sees the restricted one beside the open one.
        total = everybody[role].client.get("/api/search?q=").json()["total"]
        assert total == (2 if role == "auditor" else 1), role


def test_a_restricted_object_answers_as_one_that_never_was(world: World) -> None:
    """By every method: status, headers and body are the same but for what was asked."""
    for role in ("reviewer", "operator"):
        asking = world.people[role]
        headers = {"X-CSRF-Token": asking.sign()}
        for is_open, route in routes():
            if "{original}" not in route.path or is_open:
                continue
            for method in sorted(route.methods - {"HEAD"}):
                hidden = (world.secret, world.shut)
                three = [
                    got(asking.client, path_for(route, one, SECRET_CASE), method, headers=headers)
                    for one in (*hidden, NEVER)
                ]
                assert three[0][0] >= 400, (role, method, route.path, three[0])
                plain = {
                    (status, said.replace(one, NEVER))
                    for one, (status, said) in zip((*hidden, NEVER), three, strict=True)
                }
                assert len(plain) == 1, (role, method, route.path)


def test_searches_and_suggestions_count_among_what_is_seen(world: World) -> None:
    for asking in (world.people[role] for role in ("clerk", "reviewer", "administrator")):
        for path in QUERIES:
            status, said = got(asking.client, path)
            assert status == 200
            assert world.secret not in said, path
            assert "秘方.jpg" not in said, path
        assert asking.client.get("/api/search?q=").json()["total"] == 1
        assert world.open in asking.page("/search?q=现场")


def test_nobody_comes_past_the_form_by_any_method(world: World) -> None:
    client = nobody(world.home)
    for is_open, route in routes():
        for method in () if is_open else sorted(route.methods):
            status, said = got(client, path_for(route, world.open, OPEN_CASE), method)
            assert status in (303, 401), (method, route.path, status)
            assert "现场.jpg" not in said


def test_the_api_describes_itself_to_persons_who_have_signed_in(world: World) -> None:
    assert nobody(world.home).get("/api/openapi.json").status_code == 401
    described = world.people["clerk"].client.get("/api/openapi.json").json()
    assert described["openapi"].startswith("3.")
    assert {"/api/search", "/api/jobs/{job}", "/api/log"} <= described["paths"].keys()
    of_pages = ("/work", "/jobs", "/log", "/people", "/search", "/sign")
    pages = [path for path in described["paths"] if path.startswith(of_pages)]
    assert not pages


def test_an_asking_of_each_role_finds_the_open_original_where_it_may_look(world: World) -> None:
    """The matrix is no proof of silence alone: what is open is there."""
    expected = {"clerk": 200, "reviewer": 200, "operator": 404, "administrator": 200}
    found = {role: _status(asking, f"/originals/{world.open}") for role, asking in world.people.items()}
    assert found == expected


def _status(asking: Asking, path: str) -> int:
    return got(asking.client, path)[0]
