"""Recordings of several files, what they cover, and what a case's checklist says, through the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.conftest import QUICK
from tests.flows.keeping import filmed
from workers import cli
from workers.bootstrap import Home

Run = Callable[..., list[dict[str, Any]]]
ZONE = ZoneInfo("Asia/Shanghai")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command in this process with --json and requires its exit code; the objects it printed."""
    for name, value in {**QUICK, "CASEREEL_HOME": str(tmp_path / "home")}.items():
        monkeypatch.setenv(name, value)

    def ran(*arguments: Any, code: int = 0) -> list[dict[str, Any]]:
        capsys.readouterr()
        ended = cli.run([*map(str, arguments), "--json"])
        printed = capsys.readouterr()
        assert ended == code, printed.err
        return [json.loads(line) for line in printed.out.splitlines()]

    return ran


TEN = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)  # ten o'clock in the bureau


def segment(number: int, second: float, length_s: float = 300.0) -> tuple[str, datetime, float]:
    at = TEN + timedelta(seconds=second)
    return f"DSJ_HA1234567_012345_{at.astimezone(ZONE):%Y%m%d%H%M%S}_{number:04}.jpg", at, length_s


def test_files_of_one_act_are_shown_together_with_what_is_missing_and_a_late_one_fills_the_hole(
    sqlite_home: Home, run: Run, tmp_path: Path
) -> None:
    second, *_ = filmed(
        sqlite_home, tmp_path / "card", segment(2, 300), segment(1, 0), segment(4, 900, 10), segment(9, 9000, 10)
    )
    [listed] = run("recording", "list")
    assert [one["sequence"] for one in listed["members"]] == ["0001", "0002", "0004"]
    assert [(seam["class"], seam["missing"], seam["length_s"]) for seam in listed["seams"]] == [
        ("file_split", [], 0.0), ("missing", ["0003"], 300.0),
    ]  # fmt: skip
    assert (listed["recording"], listed["device"], listed["whole"]) == (second, "HA1234567", False)
    assert len(run("recording", "list", "--all")) == 2
    [shown] = run("show", second)
    place = shown["recording"]
    assert (place["place"], place["members"], place["after"]["seam"]["missing"]) == (2, 3, ["0003"])
    assert run("recording", "list", "--faulty") == [listed]
    [late] = filmed(sqlite_home, tmp_path / "late", segment(3, 600))
    [whole] = run("recording", "show", late)
    assert (whole["recording"], len(whole["members"]), whole["whole"]) == (second, 4, True)
    assert run("recording", "list", "--faulty") == []
    assert sqlite_home.catalog.events_of_type(["view.recording"])[0].count(late) == 1
