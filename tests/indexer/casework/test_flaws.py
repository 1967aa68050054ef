"""What a recording lacks, by its place: at its ends by its neighbours, inside by what the viewing copy lacks."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from indexer.casework.flaws import flaws_of
from pipeline.acts.restricting import Restricting
from pipeline.records import Caveat, Derivative, Property
from tests.flows.keeping import REVIEWER, filmed
from tests.indexer.archive import known
from tests.indexer.web.asking import person
from workers.bootstrap import Home

TEN = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)


def film(number: int, second: float) -> tuple[str, datetime, float]:
    at = TEN + timedelta(seconds=second)
    return f"DSJ_HA7654321_000200_{at + timedelta(hours=8):%Y%m%d%H%M%S}_{number:04}.jpg", at, 300.0


def test_what_lies_beyond_each_end_is_told_at_that_end_and_nothing_of_what_may_not_be_known(
    sqlite_home: Home, tmp_path: Path
) -> None:
    first, second, fourth = filmed(
        sqlite_home, tmp_path / "card", film(1, 0), film(2, 310), film(4, 910), container__duration_s=300.0
    )
    reviewer = person(sqlite_home, "reviewer", unit="法制科")
    at = f"/api/originals/{second}/marks"
    reviewer.page(at, 404)
    reviewer.send(f"/originals/{second}/looks", purpose="决定前审核")
    found = json.loads(reviewer.page(at))
    assert [(one["kind"], one["at"], one["to"], one["other"]) for one in found] == [
        ("gap", 0.0, None, first), ("missing", 300.0, None, fourth),
    ]  # fmt: skip
    assert "10.0" in found[0]["why"]
    assert "0003" in found[1]["why"]
    assert found[1]["name"].endswith("0004.jpg")
    Restricting(sqlite_home.catalog, sqlite_home.audit).place(
        REVIEWER, "个人隐私", kind="personal_privacy", original=fourth, units=("他科",)
    )
    assert [one["other"] for one in json.loads(reviewer.page(at))] == [first]


def test_what_the_viewing_copy_lacks_lies_where_it_lacks_it() -> None:
    def caveat(code: str) -> Caveat:
        return Caveat(code=code, text=f"{code}!", text_zh=f"{code}！", finder="probe/1")

    copy = Derivative(
        id="D", original="O", role="proxy", mime="video/mp4", path="x", sha256="0" * 64, size_bytes=1, tool="t",
        finder="proxy/1", parameters={"short_by_s": 4.5, "sound_begins_s": 30.0},
    )  # fmt: skip
    length = Property(name="container.duration_s", found="100", value=100.0, finder="container/1")
    caveats = tuple(map(caveat, ("truncated", "proxy_shorter", "sound_begins_late", "late_upload")))
    lacking = replace(known("O"), derivatives=(copy,), properties={length.name: length}, caveats=caveats)
    assert [(one.kind, one.at_s, one.to_s, one.why) for one in flaws_of(lacking, None)] == [
        ("soundless", 0.0, 30.0, "sound_begins_late!"), ("undecoded", 95.5, 100.0, "proxy_shorter!"),
        ("broken_off", 100.0, None, "truncated!"),
    ]  # fmt: skip


def test_a_clock_that_steps_inside_the_file_is_marked_where_it_does() -> None:
    told = [[40.0, -3600.0], [12.5, 30.0]]
    steps = Property(name="container.clock_steps", found="...", value=told, finder="container/4")
    stepping = replace(known("O"), properties={steps.name: steps})
    hole, set_back = flaws_of(stepping, None)
    assert (hole.kind, hole.at_s, hole.to_s) == ("clock_step", 12.5, 42.5)
    assert (set_back.kind, set_back.at_s, set_back.to_s) == ("clock_step", 40.0, None)
    assert "-3600.0 s" in set_back.why
    assert "-3600.0 秒" in set_back.why_zh
