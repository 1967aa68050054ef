"""Accounts: one-time passwords, locks, sessions that end, looks; nothing secret in the log or the catalog's dump."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from indexer.persons.accounts import FAILURES, LOCKED_MIN, Accounts
from pipeline.edges.database.accounts import Account
from pipeline.edges.database.dump import dump
from pipeline.errors import BadInput, NotAllowed
from pipeline.watched import Stretch
from tests.flows.keeping import take
from tests.indexer.web.asking import OWN, later, stop
from workers.bootstrap import Home, build_accounts, build_home
from workers.rebuild import rebuild_catalog


@pytest.fixture
def accounts(home: Home) -> Accounts:
    return build_accounts(home)


def added(accounts: Accounts, name: str = "谢敏", role: str = "reviewer") -> tuple[Account, str]:
    return accounts.add("管理", name, role, "法制科")


def test_a_one_time_password_must_be_changed_and_then_holds_no_more(accounts: Accounts) -> None:
    _, once = added(accounts)
    signed, token = accounts.sign_in("谢敏", once)
    assert signed.must_change
    for old, new in ((once, "short"), (once, once), (once, "谢敏 2026 x7"), ("wrong", OWN), (once, "aaaaaaaaaaaa")):
        with pytest.raises(BadInput):
            accounts.change_password(signed, old, new)
    accounts.change_password(signed, once, OWN)
    found = accounts.signed_in(token)
    assert found is not None
    assert not found.must_change
    with pytest.raises(NotAllowed):
        accounts.sign_in("谢敏", once)
    assert accounts.sign_in("谢敏", OWN)[0].person.unit == "法制科"


def test_wrong_passwords_lock_an_account_for_a_while(
    home: Home, accounts: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, once = added(accounts)
    for _ in range(FAILURES):
        with pytest.raises(NotAllowed, match="do not belong together"):
            accounts.sign_in("谢敏", "wrong")
    with pytest.raises(NotAllowed, match="wait"):
        accounts.sign_in("谢敏", once)
    with pytest.raises(NotAllowed, match="do not belong together"):
        accounts.sign_in("nobody", once)
    types = [json.loads(line)["type"] for line in home.catalog.events_of_type(["session.refused", "account.locked"])]
    assert types == ["session.refused"] * (FAILURES - 1) + ["account.locked"]
    later(home, monkeypatch, timedelta(minutes=LOCKED_MIN, seconds=1))
    accounts.sign_in("谢敏", once)


def test_sessions_end_by_standing_still_by_age_and_by_decision(
    home: Home, accounts: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, once = added(accounts)
    signed, token = accounts.sign_in("谢敏", once)
    assert accounts.signed_in(token) is not None
    accounts.sign_out(signed)
    assert accounts.signed_in(token) is None
    _, token = accounts.sign_in("谢敏", once)
    accounts.change("管理", "谢敏", "clerk", None)
    assert accounts.signed_in(token) is None
    _, token = accounts.sign_in("谢敏", once)
    accounts.close("管理", "谢敏")
    assert accounts.signed_in(token) is None
    with pytest.raises(NotAllowed):
        accounts.sign_in("谢敏", once)
    again = accounts.renew_password("管理", "谢敏")
    _, token = accounts.sign_in("谢敏", again)
    later(home, monkeypatch, timedelta(minutes=home.settings.web.idle_min, seconds=1))
    assert accounts.signed_in(token) is None


def test_a_look_is_an_event_before_anything_is_shown_and_what_was_played_adds_up(
    home: Home, accounts: Accounts, tmp_path: Path, by_log_alone: Callable[[Home], Home],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    [original] = take(home, tmp_path / "card", "a.jpg")
    _, once = added(accounts)
    signed, _ = accounts.sign_in("谢敏", once)
    assert not accounts.looks_at(signed, original)
    with pytest.raises(BadInput):
        accounts.begin_look(signed, original, "  ")
    accounts.begin_look(signed, original, "决定前审核")
    assert accounts.looks_at(signed, original)
    later(home, monkeypatch, timedelta(minutes=1))
    accounts.add_watched(signed, original, 4.5)
    later(home, monkeypatch, timedelta(minutes=1))
    accounts.add_watched(signed, original, 2.0)
    assert accounts.watched("谢敏") == {original: 6.5}
    assert accounts.stretches("谢敏") == {}
    later(home, monkeypatch, timedelta(minutes=1))
    accounts.add_watched(signed, original, 9.0, [Stretch(2, 8, 4), Stretch(5, 8, 1)])
    later(home, monkeypatch, timedelta(minutes=1))
    accounts.add_watched(signed, original, 1.0, [Stretch(4, 6, 0.5)])
    kept = ((2, 4, 4), (4, 6, 0.5), (6, 8, 1))
    assert accounts.stretches("谢敏", original) == {original: kept}
    assert accounts.stretches("赵管理") == {}
    [event] = [json.loads(line) for line in home.catalog.events_of_type(["view.original"])]
    assert (event["actor"], event["original"], event["facts"]) == ("谢敏", original, {"purpose": "决定前审核"})
    # What was played is told by the log alone.
    before = dump(home.catalog)["watched"]
    assert [tuple(map(tuple, one["stretches"])) for one in before] == [kept]
    rebuilt = by_log_alone(home)
    assert dump(rebuilt.catalog)["watched"] == before
    assert build_accounts(rebuilt).stretches("谢敏") == {original: kept}
    rebuilt.close()


def test_a_rebuilt_catalog_knows_every_role_and_no_password(sqlite_home: Home) -> None:
    accounts = build_accounts(sqlite_home)
    _, once = added(accounts)
    added(accounts, "赵管理", "operator")
    accounts.change("管理", "赵管理", "auditor", None)
    accounts.close("管理", "赵管理")
    added(accounts, "钱复职")
    accounts.close("管理", "钱复职")
    accounts.renew_password("管理", "钱复职")  # which opens it again
    before = dump(sqlite_home.catalog)["accounts"]
    assert once not in json.dumps(dump(sqlite_home.catalog), default=str)
    sqlite_home.close()
    rebuild_catalog(sqlite_home.settings, lambda _: None)
    rebuilt = build_home(sqlite_home.settings)
    assert dump(rebuilt.catalog)["accounts"] == before
    with pytest.raises(NotAllowed):
        build_accounts(rebuilt).sign_in("谢敏", once)
    rebuilt.close()


def test_names_are_one_person_s_and_roles_are_known_ones(accounts: Accounts) -> None:
    added(accounts)
    for name, role in (("谢敏", "clerk"), (" ", "clerk"), ("李", "king")):
        with pytest.raises(BadInput):
            accounts.add("管理", name, role)
    with pytest.raises(BadInput):
        accounts.renew_password("管理", "nobody")


def test_roles_of_accounts_count_at_the_command_line_too_and_settings_over_them(home: Home, accounts: Accounts) -> None:
    added(accounts)
    assert (home.reviewer_named("谢敏").role, home.reviewer_named("谢敏").unit) == ("reviewer", "法制科")
    accounts.close("管理", "谢敏")
    with pytest.raises(NotAllowed):
        home.reviewer_named("谢敏")


def test_no_more_was_played_than_there_was_time_for(
    home: Home, accounts: Accounts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    [original] = take(home, tmp_path / "card", "a.jpg")
    _, once = added(accounts)
    signed, _ = accounts.sign_in("谢敏", once)
    stop(home, monkeypatch)
    accounts.begin_look(signed, original, "决定前审核")
    # The slack is there at once, and not again with every telling.
    for _ in range(3):
        assert accounts.add_watched(signed, original, 3600.0, [Stretch(0, 3600, 1)]) == ((0, 5, 1),)
    assert accounts.watched("谢敏") == {original: 5.0}
    later(home, monkeypatch, timedelta(seconds=30))
    found = accounts.add_watched(signed, original, 3600.0, [Stretch(100, 110, 0.5), Stretch(200, 9000, 4)])
    assert found == ((0, 5, 1), (100, 110, 0.5), (200, 240, 4))
    later(home, monkeypatch, timedelta(seconds=40))
    # What was not told of the time before cannot be told any more.
    accounts.add_watched(signed, original, 0.0)
    later(home, monkeypatch, timedelta(seconds=10))
    assert accounts.add_watched(signed, original, 60.0, [Stretch(300, 360, 1)])[-1] == (300, 315, 1)
    assert accounts.watched("谢敏")[original] <= 5 + 30 * 4 + 15
    # Who starts anew knows of the beginning of the look alone.
    assert build_accounts(home).add_watched(signed, original, 60.0, [Stretch(400, 460, 1)])[-1] == (400, 460, 1)
    accounts.add_watched(signed, original, 1.0, [Stretch(500, 501, 1)])
    later(home, monkeypatch, timedelta(seconds=5))
    accounts.add_watched(signed, original, 4.0, [Stretch(600, 604, 1)])
    # The log says of every telling that was cut how much was told and how much of it was kept, be it nothing.
    events = [json.loads(line)["facts"] for line in home.catalog.events_of_type(["view.watched"])]
    assert [(one.get("told_s"), one.get("kept_s"), one["stretches"]) for one in events] == [
        (3600, 5, [[0, 5, 1]]), (3600, 0, []), (3600, 0, []), (8810, 120, [[100, 110, 0.5], [200, 240, 4]]),
        (60, 15, [[300, 315, 1]]), (None, None, [[400, 460, 1]]), (1, 0, []), (None, None, [[600, 604, 1]]),
    ]  # fmt: skip
