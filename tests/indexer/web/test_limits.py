"""Persons are never told to wait, scripts are; and each is told for how long."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from config.settings import Settings
from indexer.web.limits import FREE, KNOWN, Buckets, kind_of
from tests.homes import make_home
from tests.indexer.web.asking import nobody, person
from workers.bootstrap import build_home


def until_429(ask: Callable[[], Any]) -> list[Any]:
    """The answers, the last one 429; a slow machine is given some more."""
    answers = [ask()]
    while answers[-1].status_code != 429:
        assert len(answers) < 30
        answers.append(ask())
    return answers


def test_tokens_come_back_with_time_and_no_more_than_are_held() -> None:
    at = [0.0]
    buckets = Buckets(60.0, lambda: at[0])
    assert [buckets.wait_s("a") for _ in range(61)] == [0] * 60 + [1]
    assert buckets.wait_s("b") == 0
    at[0] = 2.0
    assert [buckets.wait_s("a") for _ in range(3)] == [0, 0, 1]
    at[0] = 3600.0
    assert [buckets.wait_s("a") for _ in range(61)] == [0] * 60 + [1]
    slow = Buckets(2.0, lambda: at[0])
    assert [slow.wait_s("a") for _ in range(3)] == [0, 0, 30]
    assert not any(Buckets(0.0, lambda: at[0]).wait_s("a") for _ in range(1000))


def test_who_is_forgotten_has_not_asked_for_longest() -> None:
    buckets = Buckets(1.0, lambda: 0.0)
    assert buckets.wait_s("script") == 0
    for number in range(KNOWN - 1):
        buckets.wait_s(str(number))
        assert buckets.wait_s("script") > 0 or number % 1000
    assert len(buckets._held) == KNOWN


def test_what_a_page_loads_by_itself_is_not_counted() -> None:
    free = ("/static/pages.js", "/media/x/y", "/originals/x", "/healthz", "/api/uploads/x/finish")
    assert {kind_of("GET", path) for path in free} == {FREE}
    assert (kind_of("GET", "/sign-in"), kind_of("POST", "/sign-in")) == (FREE, "sign_in")
    assert (kind_of("POST", "/exports"), kind_of("POST", "/api/uploads")) == ("export", "upload")
    assert {kind_of("GET", path) for path in ("/search", "/api/search", "/cases", "/log/chain")} == {"ask"}


def test_who_asks_too_often_is_told_for_how_long_to_wait(make_settings: Callable[..., Settings]) -> None:
    settings = make_settings(web_asks_min="4", web_sign_ins_min="3")
    make_home(settings)
    home = build_home(settings)
    asking = person(home, "reviewer")
    answers = until_429(lambda: asking.client.get("/api/search?q=a"))
    assert {one.status_code for one in answers[:-1]} == {200}
    assert answers[-1].json()["error"] == f"Too many requests: go on in {answers[-1].headers['retry-after']} s"
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 15
    assert "请求过于频繁" in asking.page("/search", 429)
    assert asking.page("/password")
    signing = {"name": "谁", "password": "x"}
    client = nobody(home)
    tries = until_429(lambda: client.post("/sign-in", data=signing))
    assert {one.status_code for one in tries[:-1]} == {403}
    assert client.get("/sign-in").status_code == 200
    home.close()
