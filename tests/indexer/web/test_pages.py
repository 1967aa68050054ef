"""The pages: who comes in, what they may see, what every look leaves, and that every sentence has its Chinese."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

from indexer.naming import NAMES
from indexer.web.app import HEADERS, modules
from indexer.web.desk import own_path
from indexer.web.words import CATALOG, language_of
from pipeline.acts.restricting import Restricting
from scripts._words import sentences
from tests.flows.keeping import REVIEWER, filmed, take
from tests.indexer.web.asking import ROLES, nobody, person
from workers.bootstrap import Home, build_accounts, build_follower

TEN = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)  # ten o'clock in the bureau


@pytest.fixture
def original(sqlite_home: Home, tmp_path: Path) -> str:
    [identifier] = take(sqlite_home, tmp_path / "card", "拆除现场.jpg")
    build_follower(sqlite_home).follow()
    return identifier


def test_nobody_sees_anything_but_the_form(sqlite_home: Home, original: str) -> None:
    client = nobody(sqlite_home)
    for module in modules():
        for route in module.ROUTES.routes:
            if getattr(module, "OPEN", False):
                continue
            path = route.path.replace("{original}", original).replace("{derivative}", "x")
            for method in route.methods:
                answer = client.request(method, path, follow_redirects=False)
                assert answer.status_code in (303, 401), (method, path, answer.status_code)
                assert original not in answer.text
                assert answer.headers.get("location", "/sign-in").startswith("/sign-in")


def test_every_answer_carries_the_headers_and_no_script_stands_in_a_page(sqlite_home: Home, original: str) -> None:
    reviewer = person(sqlite_home, "reviewer")
    for path in ("/search", "/nothing", f"/originals/{original}", "/api/search"):
        answer = reviewer.client.get(path)
        assert answer.headers.items() >= {name.lower(): value for name, value in HEADERS.items()}.items(), path
        assert "<script>" not in answer.text
        assert " style=" not in answer.text
        assert " onclick=" not in answer.text


def test_each_role_comes_to_pages_of_its_own_and_to_no_other(sqlite_home: Home, original: str) -> None:
    allowed = {
        "/search": {"clerk", "reviewer", "auditor", "administrator"},
        "/api/search": {"clerk", "reviewer", "auditor", "administrator"},
        "/api/suggest?q=a": {"clerk", "reviewer", "auditor", "administrator"},
        f"/originals/{original}": {"clerk", "reviewer", "auditor", "administrator"},
        f"/api/originals/{original}": {"clerk", "reviewer", "auditor", "administrator"},
        "/work": {"operator", "administrator"},
        "/api/status": {"operator", "administrator"},
        "/people": {"administrator"},
        "/hand-in": {"clerk", "reviewer", "administrator"},
        "/api/hand-in": {"clerk", "reviewer", "administrator"},
    }
    for role in ROLES:
        asking = person(sqlite_home, role)
        for path, roles in allowed.items():
            asking.page(path, 200 if role in roles else 404)


def test_a_restricted_original_is_as_one_that_never_was(sqlite_home: Home, original: str) -> None:
    Restricting(sqlite_home.catalog, sqlite_home.audit).place(
        REVIEWER, "商业秘密", kind="trade_secret", original=original, units=("法制科",)
    )
    inside, outside = person(sqlite_home, "reviewer", "甲", "法制科"), person(sqlite_home, "reviewer", "乙", "他科")
    assert original in inside.page("/search?q=拆除")
    inside.page(f"/originals/{original}")
    never = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
    page = outside.page("/search?q=拆除")
    assert original not in page
    assert "拆除现场" not in page
    for path in ("/originals/{}", "/api/originals/{}", "/media/{}/x", "/media/{}/bytes/original"):
        answers = [outside.client.get(path.format(one)) for one in (original, never)]
        assert [answer.status_code for answer in answers] == [404, 404], path
        assert answers[0].text.replace(original, never) == answers[1].text


def test_the_purpose_is_asked_before_the_first_look_and_each_look_is_an_event(sqlite_home: Home, original: str) -> None:
    reviewer = person(sqlite_home, "reviewer")
    assert "为何查看" in reviewer.page(f"/originals/{original}")
    assert sqlite_home.catalog.events_of_type(["view.original"]) == []
    assert reviewer.send(f"/originals/{original}/looks", purpose=" ").status_code == 400
    assert reviewer.send(f"/originals/{original}/looks", purpose="决定前审核", keep="1").status_code == 303
    assert "为何查看" not in reviewer.page(f"/originals/{original}")
    [event] = [json.loads(line) for line in sqlite_home.catalog.events_of_type(["view.original"])]
    assert (event["actor"], event["facts"]["purpose"]) == (reviewer.name, "决定前审核")


def test_what_another_site_sends_is_refused(sqlite_home: Home) -> None:
    reviewer = person(sqlite_home, "reviewer")
    sign, path = reviewer.sign(), "/purpose"
    assert reviewer.client.post(path, data={"purpose": "x"}, follow_redirects=False).status_code == 403
    assert reviewer.client.post(path, data={"purpose": "x", "csrf": "y"}, follow_redirects=False).status_code == 403
    for headers in ({"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        data = {"purpose": "x", "csrf": sign}
        assert reviewer.client.post(path, data=data, headers=headers, follow_redirects=False).status_code == 403
    assert reviewer.send(path, purpose="x").status_code == 303


def test_a_one_time_password_opens_nothing_but_its_change(sqlite_home: Home) -> None:
    _, once = build_accounts(sqlite_home).add("管理", "新人", "administrator")
    client = nobody(sqlite_home)
    client.post("/sign-in", data={"name": "新人", "password": once})
    assert client.get("/people", follow_redirects=False).headers["location"] == "/password"
    assert client.get("/api/status").status_code == 403


def test_an_administrator_adds_people_and_is_told_their_password_once(sqlite_home: Home) -> None:
    administrator = person(sqlite_home, "administrator")
    told = administrator.send("/people", name="陈登记", role="clerk", unit="一中队", act="add").text
    assert "一次性密码" in told
    assert "一次性密码：" not in administrator.page("/people")
    assert "已有名为" in administrator.send("/people", name="陈登记", role="clerk", act="add").text
    assert "不能关闭" in administrator.send("/people", name=administrator.name, act="close").text


def test_nobody_is_sent_to_another_site() -> None:
    assert [own_path(to) for to in ("/search?q=a", "//evil", "http://evil/", "/\\evil", "evil")] == [
        "/search?q=a", "/", "/", "/", "/",
    ]  # fmt: skip


def test_every_sentence_of_the_pages_has_its_chinese() -> None:
    with CATALOG.open("rb") as stream:
        catalog = read_po(stream, locale="zh")
    for sentence in sentences():
        found = catalog.get(sentence if isinstance(sentence, str) else sentence[0])
        assert found is not None, f"run scripts/_words.py: {sentence}"
        assert all([found.string] if isinstance(found.string, str) else found.string or [""]), sentence
    assert all(zh and en for names in NAMES.values() for zh, en in names.values())


def test_the_language_is_the_chosen_one_or_the_browser_s() -> None:
    assert language_of("en", "zh-CN") == "en"
    assert language_of(None, "en-GB,en;q=0.9,zh;q=0.8") == "en"
    assert language_of("xx", "fr") == "zh"


def test_hits_over_time_narrow_the_page_and_the_log_knows_who_counted(sqlite_home: Home, tmp_path: Path) -> None:
    filmed(sqlite_home, tmp_path / "card", ("甲.jpg", TEN, 60.0), ("乙.jpg", TEN + timedelta(days=3), 60.0))
    reviewer = person(sqlite_home, "reviewer")
    assert "data-over-time" in reviewer.page("/search")
    found = json.loads(reviewer.page("/api/search/over-time?kind=video"))
    assert (found["unit"], found["total"], found["undated"]) == ("day", 2, 0)
    assert [(one["label"], one["hits"]) for one in found["bars"]] == [("3-2", 1), ("3-3", 0), ("3-4", 0), ("3-5", 1)]
    assert found["bars"][0]["words"] == "2026-03-02：1 条结果"
    page = reviewer.page(found["bars"][3]["href"])
    assert ("乙.jpg" in page, "甲.jpg" in page) == (True, False)
    [event] = [json.loads(line) for line in sqlite_home.catalog.events_of_type(["search.over_time"])]
    assert (event["actor"], event["facts"]["filters"], event["facts"]["hits"]) == (reviewer.name, {"kind": "video"}, 2)
    assert "没有结果" in (empty := reviewer.page("/search?q=没有的词&kind=photo"))
    assert "去掉筛选条件：类型 photo" in empty
    person(sqlite_home, "operator").page("/api/search/over-time", 404)
