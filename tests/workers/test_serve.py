"""The status page as a browser asks for it: what an operator must see stands on it."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline.custody.accession import Candidate
from tests.indexer.web.asking import OWN, served
from tests.samples import making
from workers.bootstrap import Home, build_accession, build_accounts, build_jobs
from workers.keeping import build_fixity
from workers.serve import _look, house_of


@pytest.fixture
def address(sqlite_home: Home) -> Iterator[str]:
    with served(sqlite_home) as found:
        yield found


def reader(home: Home, address: str, role: str = "operator") -> Callable[[str], str]:
    """Reads pages as a person of this role who has signed in and chosen a password."""
    accounts = build_accounts(home)
    account, once = accounts.add("管理", f"某{role}", role)
    signed, token = accounts.sign_in(account.name, once)
    accounts.change_password(signed, once, OWN)

    def read(path: str) -> str:
        asked = urllib.request.Request(f"{address}{path}", headers={"Cookie": f"casereel={token}"})
        with urllib.request.urlopen(asked, timeout=10) as answer:
            assert answer.status == 200
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            return str(answer.read().decode())

    return read


def test_the_page_says_what_is_not_proved_without_a_second_party(sqlite_home: Home, address: str) -> None:
    assert "没有第二方见证" in reader(sqlite_home, address)("/work")


def test_broken_custody_and_a_missing_backup_stand_on_the_page(sqlite_home: Home, address: str, tmp_path: Path) -> None:
    read = reader(sqlite_home, address)
    path = making.photo(tmp_path / "card" / "现场.jpg", 1)
    taking = build_accession(sqlite_home, build_jobs(sqlite_home))
    [receipt] = taking.take([Candidate(path=path, root=path.parent, source="inbox")])
    with sqlite_home.vault.opened(receipt.sha256 or "") as held:
        held.chmod(0o600)
        held.write_bytes(b"other bytes")
    assert "字节不符" not in read("/work")
    fixity = build_fixity(sqlite_home)
    fixity.check(fixity.due(sqlite_home.catalog.now(), days=0.0))
    page = read("/work")
    assert f"字节不符：现场.jpg（{receipt.original}）" in page
    assert "没有备份" in page
    [incident] = json.loads(read("/api/status"))["incidents"]
    assert incident["original"] == receipt.original
    assert incident["opened_at"].endswith("Z")


def test_what_is_wrong_with_numbers_keeps_no_statistics_from_being_looked_at(sqlite_home: Home) -> None:
    (sqlite_home.settings.home / "filenames.toml").write_text("[[profile]]\nname = 1\n", encoding="utf-8")
    house = house_of(sqlite_home)
    _look(sqlite_home, house)
    assert house.parts["evaluation"].tallies._known
