"""The operators' page of reconciliation: lists, watched folders, vault, catalog and log beside one another."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from config.settings import load
from pipeline.acts.restricting import Restricting
from pipeline.edges.database import drops
from pipeline.edges.database.drops import Drop
from pipeline.edges.jobs import Jobs
from tests.flows.keeping import REVIEWER, take
from tests.homes import make_home
from tests.indexer.web.asking import ROLES, Asking, person
from workers.bootstrap import Home, build_home
from workers.cli import run

HIDDEN_CASE = "平商务罚字〔2026〕第9号"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    settings = load(tmp_path / "home", {})
    make_home(settings)
    home = build_home(settings)
    yield home
    home.close()


@pytest.fixture
def operator(home: Home) -> Asking:
    return person(home, "operator", unit="他科")


def data(asking: Asking) -> Any:
    return json.loads(asking.page("/api/reconciliation"))


def refuse(home: Home, name: str) -> None:
    """A link in the inbox, which is never taken in."""
    path = home.settings.inbox / name
    path.parent.mkdir(exist_ok=True)
    path.symlink_to("/etc/hostname")
    receipt = home.take_in(path, home.settings.inbox, "inbox")
    assert receipt.status == "rejected"


def announce(home: Home, manifest: str, folder: str, *names: str, more: int = 2) -> None:
    """A list of this folder of which these files did not come, and so many more."""
    told = {"missing": len(names) + more, "missing_names": list(names)}
    drop = Drop(
        id=manifest, source="inbox", folder=folder, name="SHA256SUMS", kind="sums", manifest=manifest, listed=9,
        stated_at=home.catalog.now(), state="incomplete", told=told,
    )  # fmt: skip
    with home.catalog.transaction() as connection:
        drops.add_drop(connection, drop)


def test_where_nothing_is_open_the_page_says_so(home: Home, operator: Asking) -> None:
    assert run(["--home", str(home.settings.home), "--quiet", "verify"]) == 0
    page = operator.page("/reconciliation")
    assert "清单列出的文件均已收到" in page
    assert "存储、目录与日志一致" in page
    assert set(data(operator)["open"].values()) == {0}


def test_what_was_announced_or_lies_there_and_is_not_safe_is_listed_with_what_to_do(
    home: Home, operator: Asking, tmp_path: Path
) -> None:
    [manifest] = take(home, tmp_path / "card", "清单.jpg")
    announce(home, manifest, "三月", "0012.mp4", "0013.mp4")
    refuse(home, "三月/链接.mp4")
    jobs = Jobs(home.catalog, home.settings.work, role="watch")
    watcher = {"path": "/in", "mode": "events", "ok": True, "alarm": "", "waiting": 3}
    jobs.living.show(watchers=[watcher], waiting=[["/in/还在写.mp4", "it grows", "仍在写入"]])
    found = data(operator)
    assert found["open"] == {"announced": 4, "refused": 1, "waiting": 3, "compared": 0, "incidents": 0}
    assert found["announced"][0]["missing_names"] == ["0012.mp4", "0013.mp4"]
    assert found["refused"][0]["do"]
    assert (found["waiting"][0]["path"], found["waiting_more"]) == ("/in/还在写.mp4", 2)
    page = operator.page("/reconciliation")
    jobs.close()
    for said in ("0012.mp4", "等，另有 2 个", "链接.mp4", "仍在写入", "尚未整体比对"):
        assert said in page, said


def test_what_names_a_hidden_case_is_not_told(home: Home, operator: Asking, tmp_path: Path) -> None:
    [open_, secret] = take(home, tmp_path / "card", "甲.jpg", "乙.jpg")
    placed = Restricting(home.catalog, home.audit)
    placed.place(REVIEWER, "配方", kind="trade_secret", case=HIDDEN_CASE, units=("法制科",))
    placed.place(REVIEWER, "配方", kind="trade_secret", original=secret, units=("法制科",))
    announce(home, open_, HIDDEN_CASE, "0012.mp4")
    announce(home, secret, "四月", "0014.mp4")
    refuse(home, f"{HIDDEN_CASE}/链接.mp4")
    [listing] = take(home, tmp_path / "card", "丙.jpg")
    announce(home, listing, "五月", f"{HIDDEN_CASE}.mp4", more=0)
    found = data(operator)
    assert (found["announced"], found["refused"]) == ([], [])
    # What is told of another list is its own, without a count of what is left out.
    [other] = take(home, tmp_path / "card", "丁.jpg")
    announce(home, other, "六月", "0015.mp4", f"{HIDDEN_CASE}.mp4", "乙.jpg", more=0)
    [told] = data(operator)["announced"]
    assert (told["missing"], told["missing_names"], told["listed"]) == (1, ["0015.mp4"], 7)
    assert data(operator)["open"]["announced"] == 1
    assert "第9号" not in operator.page("/reconciliation")
    assert "0014" not in operator.page("/reconciliation")


def test_what_the_vault_holds_beside_the_catalog_is_told_as_verify_found_it(
    home: Home, operator: Asking, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    [one] = take(home, tmp_path / "card", "a.jpg")
    (home.vault.root / "stray.bin").write_bytes(b"x")
    verify = ["--home", str(home.settings.home), "--json", "verify"]
    assert run(verify) == 4
    told = json.loads(capsys.readouterr().out)
    found = data(operator)
    assert found["verified"]["strays"] == len(told["strays"]) == found["open"]["compared"]
    assert found["verified"]["strays_told"] == told["strays"]
    assert "stray.bin" in operator.page("/reconciliation")
    # One original alone is no comparison of the whole.
    run([*verify, one])
    assert data(operator)["verified"]["at"] == found["verified"]["at"]


def test_reconciliation_is_for_operators(home: Home) -> None:
    for role in ROLES:
        asking = person(home, role)
        for path in ("/reconciliation", "/api/reconciliation"):
            asking.page(path, 200 if role in ("operator", "administrator") else 404)
