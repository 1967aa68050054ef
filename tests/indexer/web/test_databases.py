"""The pages say the same from a catalog on PostgreSQL as from one on SQLite."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from config.settings import Settings
from tests.homes import make_home
from tests.indexer.web import filled
from tests.indexer.web.asking import ROLES, person
from workers.bootstrap import build_follower, build_home

# What differs between two homes that hold the same: identifiers, digests, moments.
OWN = re.compile(r"\b[0-9A-HJKMNP-TV-Z]{26}\b|\b[0-9a-f]{64}\b|20\d\d-\d\d-\d\d[T ][0-9:.+Z]+")
STATISTICS = "/api/statistics?from=2026-03-01&to=2026-03-31"
SAME = (
    STATISTICS, "/api/log", "/api/log?words=核对", "/api/log?words=行政复议", "/api/log?person=周承办&words=复议",
    "/api/log?show=looks", "/api/log/unusual", "/api/cases", "/api/cases?q=商贸", "/api/search",
    "/api/search?q=DSJ&kind=photo", "/api/suggest?q=ZF", "/api/hand-in?days=0", "/api/hand-in?days=0&only=late",
    "/api/hand-in?days=0&q=DSJ", "/api/exports",
)  # fmt: skip


class Answers:
    """What persons of every role are answered from a home of these settings. status: by role and address; said: of
    the addresses of SAME, to whoever looks after all."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        make_home(settings)
        home = build_home(settings)
        originals = filled.add(home, folder, range(2))
        people = {role: person(home, role) for role in ROLES}
        filled.worked_on(people["administrator"], originals, originals[0])
        build_follower(home).follow()
        every = filled.addresses(originals[0], filled.BIG)
        narrowed = filled.narrowed(*originals[:2], filled.BIG)
        self.status = {
            (role, place, OWN.sub("*", address)): asking.client.get(address, follow_redirects=False).status_code
            for role, asking in people.items()
            for place, address in enumerate(every + (narrowed if role in ("administrator", "auditor") else []))
        }
        self.said = dict[str, str]()
        for address in SAME:
            answer = people["auditor" if address == STATISTICS else "administrator"].client.get(address)
            assert answer.status_code == 200, answer.text
            self.said[address] = OWN.sub("*", answer.text).replace(str(settings.home), "home")
        home.close()


@pytest.mark.postgres
def test_every_page_of_every_role_answers_on_postgresql_as_on_sqlite(
    make_settings: Callable[..., Settings], fresh_database: Callable[[], str], tmp_path: Path
) -> None:
    freely = {"web_asks_min": "0", "web_uploads_min": "0"}
    on_sqlite = Answers(make_settings("on-sqlite", **freely), tmp_path / "one")
    on_server = Answers(make_settings("on-server", catalog_url=fresh_database(), **freely), tmp_path / "two")
    assert {where for where, status in on_server.status.items() if status >= 500} == set()
    assert on_server.status == on_sqlite.status
    assert on_server.said == on_sqlite.said
