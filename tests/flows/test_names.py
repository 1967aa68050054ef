"""Names that no profile knows become known, and what is missing among them is told, at the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.flows.test_registers import recorded
from workers.bootstrap import Home
from workers.cli import run as command

NAMES = [f"记录仪A7_260302_16{minute:02}00_{number:04}.jpg" for number, minute in ((1, 0), (2, 5), (4, 20))]
PERSON = "110105194912310021_询问.jpg"


def test_a_learnt_profile_gives_time_number_and_what_is_missing(
    sqlite_home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recorded(sqlite_home, tmp_path / "card", *NAMES, PERSON)
    place = ["--home", str(sqlite_home.settings.home)]

    def run(*words: str, code: int = 0) -> list[dict[str, Any]]:
        assert command([*place, "--json", *words]) == code
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    unknown = run("device", "names", "--unknown")
    assert [(one["files"], one["profile"]) for one in unknown] == [(3, None), (1, None)]
    assert unknown[1]["examples"] == ["110105********0021_询问.jpg"]
    assert "110105" not in unknown[1]["shape"]
    [made] = run("device", "learn", *NAMES, "--name", "a7")
    assert [one["shows"] for one in made["samples"]][-1] == "2026-03-02 16:20:00"
    assert (made["samples"][-1]["marks"], made["written"]) == ({"sequence": "0004"}, False)
    [made] = run("device", "learn", *NAMES, "--name", "a7", "--write")
    assert made["decided_anew"] == 3
    run("device", "learn", *NAMES, "--name", "a7", "--write", code=2)
    [named] = [one for one in run("device", "names") if one["profile"] == "a7"]
    assert named["files"] == 3
    found = run("device", "findings")
    [hole] = [one for one in found if one["finding"] == "number_hole"]
    assert (hole["missing"], hole["before"]["name"], hole["after"]["number"]) == ([3], NAMES[1], 4)
    assert hole["after"]["start"] == "2026-03-02T16:20:00+08:00"
    assert [one["name"] for one in found if one["finding"] == "late_upload"] == NAMES
    assert {one["finding"] for one in run("device", "findings", "--late")} == {"late_upload"}
    assert run("device", "findings", "--device", "ZF-009") == []
