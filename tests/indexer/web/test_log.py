"""The auditors' pages: entries by person, type, original and time; looks with why and how long; the chain; rules."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from indexer.figures import unusual
from pipeline.acts.restricting import Restricting
from pipeline.edges.database import events
from pipeline.edges.database.events import Entry
from tests.flows.keeping import REVIEWER, take
from tests.indexer.web.asking import ROLES, Asking, later, person
from workers.bootstrap import Home

NOON = datetime(2026, 8, 3, 4, 0, tzinfo=UTC)  # in Beijing


def look(home: Home, asking: Asking, original: str, purpose: str, watched_s: float = 0.0) -> None:
    assert asking.send(f"/originals/{original}/looks", purpose=purpose).status_code == 303
    if watched_s:
        with pytest.MonkeyPatch.context() as clock:
            later(home, clock, timedelta(seconds=watched_s))
            answer = asking.client.post(
                f"/api/originals/{original}/watched", json={"seconds": watched_s},
                headers={"X-CSRF-Token": asking.sign()},
            )  # fmt: skip
        assert answer.status_code == 200


def test_the_log_is_for_auditors_and_administrators(sqlite_home: Home) -> None:
    for role in ROLES:
        asking = person(sqlite_home, role)
        for path in ("/log", "/log/unusual", "/log/chain", "/api/log", "/api/log/unusual"):
            asking.page(path, 200 if role in ("auditor", "administrator") else 404)


def test_who_looked_at_what_why_and_how_long_is_found_by_person_original_and_day(
    sqlite_home: Home, tmp_path: Path
) -> None:
    one, two = take(sqlite_home, tmp_path / "card", "现场一.jpg", "现场二.jpg")
    reviewer, other = person(sqlite_home, "reviewer", "甲"), person(sqlite_home, "reviewer", "乙")
    look(sqlite_home, reviewer, one, "决定前审核", 75.0)
    look(sqlite_home, other, two, "案卷评查")
    auditor = person(sqlite_home, "auditor")
    page = auditor.page("/log?show=looks&person=甲")
    assert "决定前审核" in page
    assert "1:15" in page
    assert "现场一.jpg" in page
    assert "案卷评查" not in page
    assert "案卷评查" in auditor.page(f"/log?show=looks&original={two}")
    today = sqlite_home.catalog.now() + timedelta(hours=8)
    for since, count in ((today, 2), (today + timedelta(days=1), 0)):
        found = auditor.client.get(f"/api/log?show=looks&since={since:%Y-%m-%d}").json()
        assert len(found["entries"]) == count
    assert "不是日期" in auditor.page("/log?since=gestern", 400)


def test_pages_of_the_log_follow_one_another_without_a_hole(sqlite_home: Home) -> None:
    for _ in range(70):
        sqlite_home.tell("card.made", actor="甲")
    auditor = person(sqlite_home, "auditor")
    first = auditor.client.get("/api/log?person=甲").json()
    second = auditor.client.get(f"/api/log?person=甲&before={first['before']}").json()
    seqs = [one["seq"] for one in first["entries"] + second["entries"]]
    assert (len(first["entries"]), len(seqs), second["before"]) == (50, 70, None)
    assert seqs == sorted(set(seqs), reverse=True)


def test_acts_of_people_are_not_buried_under_steps_of_the_program(sqlite_home: Home) -> None:
    sqlite_home.tell("card.made", actor="甲")
    for _ in range(60):
        sqlite_home.tell("stage.probe", actor="worker")
    sqlite_home.tell("fixity.broken", actor="patrol", outcome="failed")
    auditor = person(sqlite_home, "auditor")
    assert "制作卡片</td>" not in auditor.page("/log?show=all")
    page = auditor.page("/log")
    for said in ("制作卡片</td>", "字节不符", 'href="/log?show=all"'):
        assert said in page
    assert "已读取属性</td>" not in page
    assert "已读取属性" in auditor.page("/log?type=stage.probe")
    for _ in range(60):
        sqlite_home.tell("card.made", actor="甲")
    first = auditor.client.get("/api/log?show=acts&person=甲").json()
    second = auditor.client.get(f"/api/log?show=acts&person=甲&before={first['before']}").json()
    assert [len(one["entries"]) for one in (first, second)] == [50, 11]


@pytest.mark.parametrize(("lang", "why"), [("zh", "原因：写入中断"), ("en", "why: it was cut off")])
def test_why_something_failed_is_told_in_the_reader_s_language(sqlite_home: Home, lang: str, why: str) -> None:
    facts = {"export": "E1", "why": "it was cut off", "why_zh": "写入中断"}
    sqlite_home.tell("export.failed", facts=facts, outcome="failed")
    auditor = person(sqlite_home, "auditor")
    auditor.client.cookies.set("casereel-lang", lang)
    assert why in auditor.page("/log?type=export.failed")


def test_reading_the_log_is_in_the_log(sqlite_home: Home) -> None:
    auditor = person(sqlite_home, "auditor")
    auditor.page("/log?person=甲")
    entries = auditor.client.get("/api/log?type=view.log").json()["entries"]
    # Signing in leads to the log too.
    entry = entries[0]
    assert (entry["actor"], entry["facts"]) == (auditor.name, {"person": "甲"})


def test_the_log_tells_an_administrator_nothing_of_what_is_restricted(sqlite_home: Home, tmp_path: Path) -> None:
    [original] = take(sqlite_home, tmp_path / "card", "秘方.jpg")
    Restricting(sqlite_home.catalog, sqlite_home.audit).place(
        REVIEWER, "配方", kind="trade_secret", original=original, units=("法制科",)
    )
    sqlite_home.tell("export.begun", facts={"originals": [original], "folder": "/出境"})
    administrator, auditor = person(sqlite_home, "administrator"), person(sqlite_home, "auditor")
    for path in ("/log", "/api/log", f"/log?original={original}", "/log/unusual"):
        said = administrator.page(path)
        assert "秘方" not in said, path
        assert said.count(original) <= path.count(original), path
    assert original in auditor.page("/api/log")
    asked = "/api/log?type=export.begun&words=出境"
    assert administrator.client.get(asked).json()["entries"] == []
    assert [one["facts"]["folder"] for one in auditor.client.get(asked).json()["entries"]] == ["/出境"]


def test_entries_are_found_by_words_and_by_a_case_in_any_writing(sqlite_home: Home) -> None:
    sqlite_home.tell("card.made", actor="甲", facts={"case": "平商务罚字〔2021〕第3号"})
    sqlite_home.tell("card.made", actor="乙", facts={"case": "平商务罚字〔2021〕第4号", "reason": "100%_拆除"})
    auditor = person(sqlite_home, "auditor")
    for words, actors in (("平商务罚字[2021]3号", ["甲"]), ("平商务罚字", ["乙", "甲"]), ("拆除 4号", ["乙"]),
                          ("100%_", ["乙"]), ("100_", []), ("没有的", [])):  # fmt: skip
        found = auditor.client.get("/api/log", params={"words": words, "type": "card.made"}).json()["entries"]
        assert [one["actor"] for one in found] == actors, words
    assert "甲" in auditor.page("/log?words=平商务罚字[2021]3号")


def test_how_far_back_words_were_looked_for_is_told_and_goes_on(
    sqlite_home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    sqlite_home.tell("card.made", actor="甲", facts={"reason": "出境"})
    for _ in range(12):
        sqlite_home.tell("card.made", actor="乙")
    auditor = person(sqlite_home, "auditor")
    monkeypatch.setattr(events, "find_back", partial(events.find_back, stretch=5, looking_s=0))
    address, steps, page = "/log?type=card.made&words=出境", 0, ""
    while "甲" not in page:
        page, steps = auditor.page(address), steps + 1
        if "甲" not in page:
            assert "以来没有此类条目" in page
            assert "已查至" in page
            [link] = re.findall(r'href="([^"]+)">继续往前查', page)
            address = html.unescape(link)
    assert steps >= 3
    assert auditor.client.get("/api/log?type=card.made&words=出境").json()["looked_back_to"] is not None
    assert auditor.client.get("/api/log?type=card.made").json()["looked_back_to"] is None


def test_the_chain_is_computed_again_on_request_and_a_changed_line_is_named(sqlite_home: Home) -> None:
    auditor = person(sqlite_home, "auditor")
    assert "尚未整体核验" in auditor.page("/log/chain")
    assert "均完好" in auditor.send("/log/chain").text
    assert "最近一次核验" in auditor.page("/log/chain")
    sqlite_home.audit.make_durable(sqlite_home.catalog.last_event())
    file = sqlite_home.audit.files()[0]
    file.write_bytes(file.read_bytes().replace(b'"outcome":"done"', b'"outcome":"gone"', 1))
    assert "日志不符" in auditor.send("/log/chain").text
    person(sqlite_home, "administrator").page("/log/chain")


def entry(seq: int, at: datetime, type: str = "view.original", actor: str = "甲", original: str = "A") -> Entry:
    return Entry(seq=seq, at=at, type=type, actor=actor, original=original, outcome="done", facts={})


CASES: dict[str, tuple[list[Entry], list[str]]] = {
    "by day nothing": ([entry(1, NOON)], []),
    "at eleven in the evening": ([entry(1, NOON + timedelta(hours=11))], ["night"]),
    "before and after midnight is one night": (
        [entry(1, NOON + timedelta(hours=11)), entry(2, NOON + timedelta(hours=15))], ["night"],
    ),
    "thirty in an hour": ([entry(n, NOON + timedelta(minutes=n), original=f"O{n}") for n in range(30)], []),
    "thirty-one in an hour": ([entry(n, NOON + timedelta(minutes=n), original=f"O{n}") for n in range(31)], ["many"]),
    "one original forty times": ([entry(n, NOON + timedelta(minutes=n)) for n in range(40)], []),
    "a case never opened, four times": ([entry(n, NOON, original="B") for n in range(4)], []),
    "a case never opened, five times": ([entry(n, NOON, original="B") for n in range(5)], ["outside"]),
    "one's own case": ([entry(n, NOON, original="C") for n in range(9)], []),
    "refused twice": ([entry(n, NOON, "session.refused") for n in range(2)], []),
    "refused three times": ([entry(n, NOON, "session.refused") for n in range(3)], ["refused"]),
    "refused three times in a day": (
        [entry(n, NOON + timedelta(hours=3 * n), "session.refused") for n in range(3)], [],
    ),
    "locked": ([entry(1, NOON, "account.locked")], ["refused"]),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_rules_find_what_they_say_and_nothing_else(name: str) -> None:
    entries, rules = CASES[name]
    cases = {"B": frozenset({"other"}), "C": frozenset({"own"})}
    found = unusual.find(entries, cases, {"甲": frozenset({"own"})}, "Asia/Shanghai")
    assert [one.rule for one in found] == rules
    if rules:
        assert found[0].seqs == tuple(one.seq for one in entries)
