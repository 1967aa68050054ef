"""The timestamps stage: every source is asked, the decision and its caveats name their finder."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from config.settings import load
from pipeline.errors import BadInput
from pipeline.kinds import kinds_in
from pipeline.records import Around, Facts, Known
from pipeline.stage import Context
from pipeline.stages.timestamps import STAGE, duration_s_of
from pipeline.timing.history import History
from tests.pipeline.time_sources.conftest import make_known

NOW = datetime(2026, 11, 22, tzinfo=UTC)
PROPERTIES = {
    "container.creation_time": "2021-08-03T10:10:10.000000Z",
    "container.duration_s": 90.0,
    "container.data_end_s": 89.5,
}


def run(folder: Path, zone: str = "Asia/Shanghai", known: Known | None = None) -> Facts:
    settings = load(folder, {"CASEREEL_TIME_ZONE": zone})
    context = SimpleNamespace(
        around=lambda _: Around(), settings=settings, history=lambda _, __: History(),
        catalog=SimpleNamespace(now=lambda: NOW),
    )  # fmt: skip
    known = known or make_known(PROPERTIES, name="VID_20210803_101010.mp4", mtimes_ns=(1_628_000_000_000_000_000,))
    return STAGE.run(known, cast(Context, context))


def test_every_source_is_asked_and_named(tmp_path: Path) -> None:
    found = {(claim.source, claim.finder) for claim in run(tmp_path).time_claims}
    assert found == {
        ("container.creation_time", "container/1"),
        ("file_name.android_camera", "file_name/1"),
        ("mtime", "mtime/1"),
    }


def test_the_decision_and_its_caveats_name_the_stage(tmp_path: Path) -> None:
    facts = run(tmp_path)
    assert facts.time is not None
    assert facts.time.finder == f"timestamps/{STAGE.version}"
    assert [(caveat.code, caveat.finder) for caveat in facts.caveats] == [
        ("clock_eight_hours", f"timestamps/{STAGE.version}"), ("late_upload", f"timestamps/{STAGE.version}"),
    ]  # fmt: skip


def test_the_interval_ends_where_the_data_end(tmp_path: Path) -> None:
    time = run(tmp_path).time
    assert time is not None
    assert time.start_at == datetime(2021, 8, 3, 2, 10, 10, tzinfo=UTC)
    assert (time.end_at - time.start_at).total_seconds() == 89.5


def test_the_default_zone_is_the_settings(tmp_path: Path) -> None:
    time = run(tmp_path, zone="Asia/Urumqi").time
    assert time is not None
    assert time.start_at == datetime(2021, 8, 3, 4, 10, 10, tzinfo=UTC)


@pytest.mark.parametrize(("kind", "said", "said_zh"), [
    ("gpx", "It stands in a GPX track beside the recording.", "该时间取自录制旁附的 GPX 轨迹。"),
    ("", "It stands in a file beside the recording.", "该时间取自录制旁附的文件。"),
])  # fmt: skip
def test_a_time_that_stands_beside_says_in_what_kind_of_file_and_not_in_which(
    tmp_path: Path, kind: str, said: str, said_zh: str
) -> None:
    beside = make_known({"sidecar.source": kind, "sidecar.start": "2021-08-03T02:10:10Z"}, name="张三.gpx")
    facts = run(tmp_path, known=make_known({"container.duration_s": 90.0}, name="a.mp4", sidecars=(beside,)))
    assert facts.time is not None
    assert (facts.time.source, facts.time.why.endswith(said), facts.time.why_zh.endswith(said_zh)) == (
        "sidecar.start", True, True,
    )  # fmt: skip
    assert "张三" not in facts.time.why + facts.time.why_zh


def test_a_zone_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="which is no zone"):
        run(tmp_path, zone="Mars/Olympus")


def test_running_again_gives_the_same_facts(tmp_path: Path) -> None:
    assert run(tmp_path) == run(tmp_path)


@pytest.mark.parametrize(
    ("found", "length_s"),
    [
        ({"container.duration_s": 90.0}, 90.0),
        ({"container.duration_s": 90, "container.data_end_s": 30.5}, 30.5),
        ({"container.duration_s": "?"}, None),
        ({"container.duration_s": 0}, None),
        ({}, None),
    ],
)
def test_the_length_is_where_the_data_end(found: dict[str, object], length_s: float | None) -> None:
    assert duration_s_of(make_known(found)) == length_s


def test_sources_are_named_after_their_files() -> None:
    here = Path(STAGE.run.__code__.co_filename).parents[1] / "time_sources"
    names = {source.name for source in kinds_in("pipeline.time_sources", "TIME_SOURCE")}
    assert names == {path.stem for path in here.glob("*.py")} - {"__init__"}
