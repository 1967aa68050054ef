"""No page puts more questions to the catalog where it holds more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from config.settings import load
from tests.homes import make_home
from tests.indexer.web import filled
from tests.indexer.web.asking import Asking, person
from workers.bootstrap import Home, build_follower, build_home

# So many of everything, and three times as many.
FEW = 3
MANY = 3 * FEW


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    folder = tmp_path_factory.mktemp("statements")
    settings = load(folder / "home", {"CASEREEL_WEB_ASKS_MIN": "0", "CASEREEL_WEB_UPLOADS_MIN": "0"})
    make_home(settings)
    home = build_home(settings)
    yield home
    home.close()


class Asked:
    """The statements that are put to a home's catalog."""

    def __init__(self, home: Home) -> None:
        self.statements: list[str] = []
        for engine in (home.catalog.engine, home.catalog.reading):
            sa.event.listen(engine, "before_cursor_execute", self._noted)

    def _noted(self, _connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        self.statements.append(" ".join(statement.split()))

    def by(self, people: list[Asking], address: str) -> Counter[str]:
        """Those of one asking by the first of these who may."""
        for asking in people:
            self.statements.clear()
            answer = asking.client.get(address, follow_redirects=False)
            assert answer.status_code < 500, (address, answer.text[:600])
            if answer.status_code < 300:
                break
        return Counter(self.statements)


def test_no_page_asks_the_catalog_more_often_where_there_is_more(home: Home, tmp_path: Path) -> None:
    people = [person(home, role) for role in ("administrator", "auditor")]
    asked = Asked(home)
    originals: list[str] = []
    counted: list[dict[str, Counter[str]]] = []
    for numbers in (range(FEW), range(FEW, MANY)):
        originals += filled.add(home, tmp_path / "card", numbers)
        filled.worked_on(people[0], originals[numbers.start :], originals[0])
        build_follower(home).follow()
        addresses = filled.addresses(originals[0], filled.BIG) + filled.narrowed(*originals[:2], filled.BIG)
        counted.append({address: asked.by(people, address) for address in addresses})
    few, many = counted
    # What seems to have grown may have met the minute in which a session notes that it lives.
    again = {address: asked.by(people, address) for address in many if many[address].total() > few[address].total()}
    many |= {address: its for address, its in again.items() if its.total() < many[address].total()}
    grown = {
        address: [(count - few[address][said], said[:300]) for said, count in its.items() if count > few[address][said]]
        for address, its in many.items() if its.total() > few[address].total()
    }  # fmt: skip
    assert not grown
