"""A saved search tells its owner of new originals, once each, through crashes of the index and a lost catalog."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from indexer.access import Reviewer
from indexer.search import Filters
from pipeline.edges.database.dump import dump
from pipeline.errors import BadInput
from tests.flows.keeping import take
from workers.bootstrap import Home, build_follower, build_home, build_saved
from workers.rebuild import rebuild_catalog

OWNER, OTHER = Reviewer("谢敏", "reviewer"), Reviewer("李法制", "reviewer")


def told(home: Home, reviewer: Reviewer = OWNER, **more: bool) -> list[tuple[str, str]]:
    return [(one.search.name, one.alert.original) for one in build_saved(home).alerts(reviewer, **more)]


def test_its_owner_is_told_once_of_each_new_original_that_answers(home: Home, tmp_path: Path) -> None:
    take(home, tmp_path / "before", "拆除_old.jpg")
    saved = build_saved(home)
    saved.save(OWNER, "强拆", "拆除", Filters(kind="photo"), purpose="督办")
    saved.save(OTHER, "强拆", "听证", Filters())
    new, _ = take(home, tmp_path / "after", "拆除_new.jpg", "门头.jpg")
    follower = build_follower(home)
    follower.follow()
    assert told(home, OTHER) == []
    assert told(home) == [("强拆", new)]
    assert told(home) == []
    assert told(home, seen=True) == [("强拆", new)]
    follower.rebuild()
    assert told(home) == []
    events = [json.loads(line) for line in home.catalog.events_of_type(["search.saved", "search.alerted"])]
    assert [(event["type"], event["actor"]) for event in events] == [
        ("search.saved", "谢敏"), ("search.saved", "李法制"), ("search.alerted", "谢敏"),
    ]  # fmt: skip
    assert events[0]["facts"]["search"]["purpose"] == "督办"
    assert events[-1]["facts"]["originals"] == [new]


def test_an_alert_survives_an_index_that_could_not_be_committed(
    sqlite_home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from indexer.backends.tantivy_index import TantivyIndex

    follower = build_follower(sqlite_home)
    follower.follow()
    build_saved(sqlite_home).save(OWNER, "强拆", "拆除", Filters())
    [new] = take(sqlite_home, tmp_path / "after", "拆除.jpg")
    commit = TantivyIndex.commit

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(TantivyIndex, "commit", die)
    with pytest.raises(KeyboardInterrupt):
        follower.follow()
    monkeypatch.setattr(TantivyIndex, "commit", commit)
    again = build_follower(sqlite_home)
    again.follow()
    assert told(sqlite_home) == [("强拆", new)]


def test_a_search_needs_a_name_of_its_own_and_can_be_given_up(sqlite_home: Home, tmp_path: Path) -> None:
    saved = build_saved(sqlite_home)
    one = saved.save(OWNER, "强拆", "拆除", Filters())
    for name, filters in (("强拆", Filters()), (" ", Filters()), ("b", Filters(start="neulich"))):
        with pytest.raises(BadInput):
            saved.save(OWNER, name, "拆除", filters)
    with pytest.raises(BadInput):
        saved.give_up(OTHER, one.id)
    take(sqlite_home, tmp_path / "after", "拆除.jpg")
    build_follower(sqlite_home).follow()
    saved.give_up(OWNER, "强拆")
    assert (saved.of(OWNER), told(sqlite_home)) == ([], [])


def test_searches_come_back_with_a_rebuilt_catalog(sqlite_home: Home) -> None:
    saved = build_saved(sqlite_home)
    kept = saved.save(OWNER, "强拆", "拆除", Filters(kind="photo", case="平商务罚字〔2021〕3号"), purpose="督办")
    saved.give_up(OWNER, saved.save(OWNER, "x", "听证", Filters()).name)
    before = dump(sqlite_home.catalog)["saved_searches"]
    sqlite_home.close()
    rebuild_catalog(sqlite_home.settings, lambda _: None)
    rebuilt = build_home(sqlite_home.settings)
    assert dump(rebuilt.catalog)["saved_searches"] == before
    assert build_saved(rebuilt).of(OWNER) == [kept]
    rebuilt.close()


def test_the_commands_save_list_show_and_give_up(
    sqlite_home: Home, casereel: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    at = {"CASEREEL_HOME": str(sqlite_home.settings.home), "CASEREEL_ACCESS_PERSON": "谢敏"}

    def run(*arguments: str) -> list[dict[str, Any]]:
        done = casereel("saved", *arguments, "--json", environ=at)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    [one] = run("add", "新到", "拆除", "--kind", "photo")
    assert (one["owner"], one["filters"], one["name"]) == ("谢敏", {"kind": "photo"}, "新到")
    [new] = take(sqlite_home, tmp_path / "after", "拆除.jpg")
    build_follower(sqlite_home).follow()
    [alert] = run("alerts")
    assert (alert["original"], alert["saved"], alert["name"]) == (new, "新到", "拆除.jpg")
    run("remove", "新到")
    assert run("list") == []
