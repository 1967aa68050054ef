"""Recordings of one device teach and bound one another in a home, whichever comes first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from pipeline.advance import renew
from pipeline.edges.audit import NewEvent
from pipeline.edges.database import history, knowledge
from pipeline.edges.jobs import Jobs
from pipeline.records import Around, DecidedTime, Facts, Property
from pipeline.stage import Context
from pipeline.stages.timestamps import STAGE
from tests.flows.keeping import take
from workers.bootstrap import Home, build_context, build_jobs
from workers.cli import run as command


def hold(home: Home, folder: Path, **facts: dict[str, str]) -> dict[str, str]:
    """Photos of these names, of which these properties were read, at rest; name -> original."""
    ids = dict(zip(facts, take(home, folder, *(f"{name}.jpg" for name in facts)), strict=True))
    for name, read in facts.items():
        properties = tuple(Property(name=one, found=text, value=text, finder="probe/1") for one, text in read.items())
        with home.catalog.transaction() as connection:
            [seq] = home.audit.record(connection, [NewEvent(type="test", actor="tester", original=ids[name])])
            knowledge.record(connection, ids[name], "light-probe", Facts(properties=properties), seq)
            connection.exec_driver_sql(f"UPDATE cr_job SET state = 'done' WHERE original = '{ids[name]}'")
    return ids


@pytest.fixture
def parts(home: Home) -> Iterator[tuple[Context, Jobs]]:
    context, scratch = build_context(home)
    jobs = build_jobs(home)
    yield context, jobs
    jobs.close()
    context.tools.close()
    scratch.close()


def anew(parts: tuple[Context, Jobs], *originals: str) -> list[DecidedTime | None]:
    context, jobs = parts
    renew(STAGE, originals, context, jobs)
    return [one.time for one in context.catalog.known_of_many(originals)]


def stirred_by(parts: tuple[Context, Jobs], original: str) -> list[str]:
    """Whom the original would stir if its time were decided now."""
    context, _ = parts
    known = context.catalog.known_of(original)
    facts = STAGE.run(known, context)
    with context.catalog.transaction() as connection:
        return history.stirred(connection, known, facts)


def at(hour: int, minute: int) -> datetime:
    return datetime(2026, 3, 2, hour, minute, tzinfo=UTC)


def test_two_recordings_teach_a_third_how_its_device_writes(
    home: Home, parts: tuple[Context, Jobs], tmp_path: Path
) -> None:
    serial, other = {"device.serial": "A7-00012"}, {"device.serial": "A7-00013"}

    def made(clock: str, of: dict[str, str]) -> dict[str, str]:
        return {"container.creation_time": f"2026-03-02T{clock}:00.000000Z", **of}

    ids = hold(
        home, tmp_path / "card", alone=made("16:30", serial), stranger=made("16:40", other),
        VID_20260302_160000=made("16:00", serial), VID_20260302_161000=made("16:10", serial),
    )  # fmt: skip
    alone, stranger, first, second = ids.values()
    [time] = anew(parts, alone)
    assert time is not None
    assert (time.start_at, time.method) == (at(16, 30), "assumed_utc")
    anew(parts, first, stranger)
    assert anew(parts, alone) == [time]  # one is too few
    assert alone in stirred_by(parts, second)
    anew(parts, second)
    [time, other_time] = anew(parts, alone, stranger)
    assert time is not None
    assert (time.start_at, time.method) == (at(8, 30), "local_by_votes")
    assert time.uncertainty_s < 3600
    assert other_time is not None
    assert other_time.method == "assumed_utc"
    assert stirred_by(parts, second) == []  # nothing new


def test_a_file_that_comes_late_bounds_its_neighbour(home: Home, parts: tuple[Context, Jobs], tmp_path: Path) -> None:
    def made(text: str, model: str = "A7") -> dict[str, str]:
        return {"exif.DateTimeOriginal": text, "device.make": "ZF", "device.model": model}

    ids = hold(
        home, tmp_path / "DCIM", IMG_0012=made("2026:03:02 16:00:00"), IMG_0013=made("1980:01:01 00:00:07"),
        IMG_0014=made("2026:03:02 16:10:00"), IMG_0015=made("2026:03:02 16:20:00", "B9"),
    )  # fmt: skip
    before, reset, after, stranger = ids.values()
    [time, *_] = anew(parts, reset, before, stranger)
    assert time is not None
    assert time.method == "saved_only"
    assert anew(parts, reset) == [time]  # a bound on one side, and another model's on the other
    assert stirred_by(parts, after) == [reset]
    anew(parts, after)
    [time] = anew(parts, reset)
    assert time is not None
    assert time.method == "between_neighbours"
    assert abs((time.start_at - at(8, 5)).total_seconds()) <= 1
    assert time.uncertainty_s < 7200
    codes = {one.code for one in home.catalog.known_of(reset).caveats}
    assert codes >= {"clock_reset", "time_by_order"}
    again = hold(
        home, tmp_path / "set", IMG_4012=made("2026:03:02 16:00:00"), IMG_4013=made("1980:01:01 00:00:07"),
        IMG_4014=made("2026:03:02 15:00:00"),
    )  # fmt: skip
    anew(parts, *again.values())
    [time] = anew(parts, again["IMG_4013"])
    assert time is not None
    assert time.method == "saved_only"  # the clock was set between the two: nothing lies between them
    assert stirred_by(parts, after) == []


def test_a_time_that_a_person_corrected_bounds_its_neighbours_at_once(
    sqlite_home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = sqlite_home
    made = {"exif.DateTimeOriginal": "1980:01:01 00:00:07", "device.make": "ZF", "device.model": "A7"}
    first, between, last = hold(home, tmp_path / "DCIM", IMG_0012=made, IMG_0013=made, IMG_0014=made).values()
    for one, moment in ((first, "2026-03-02 16:00:00"), (last, "2026-03-02 16:10:00")):
        place = ["--home", str(home.settings.home), "--json"]
        assert command([*place, "time", "correct", one, "--start", moment, "--reason", "与笔录核对"]) == 0
    assert "by_hand" in capsys.readouterr().out
    time = home.catalog.known_of(between).time
    assert time is not None
    assert (time.start_at, time.method) == (at(8, 5), "between_neighbours")
    assert time.uncertainty_s < 310


def test_looking_for_neighbours_reads_no_table_through(sqlite_home: Home, tmp_path: Path) -> None:
    home = sqlite_home
    [one, _] = hold(home, tmp_path / "DCIM", IMG_0012={"device.serial": "A7-00012"}, IMG_0013={}).values()
    number = Property(name="file_name.sequence", found="0012", value="0012")
    known = home.catalog.known_of(one)
    known = replace(known, properties={**known.properties, number.name: number})
    asked: list[tuple[str, object]] = []
    sa.event.listen(home.catalog.reading, "before_cursor_execute", lambda *said: asked.append((str(said[2]), said[3])))
    home.catalog.history_of(known, Around())
    assert len(asked) >= 4
    with home.catalog.engine.connect() as connection:
        for query, values in list(asked):
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}", values).all()  # type: ignore[call-overload]
            read = [str(row[-1]) for row in plan if " cr_" in str(row[-1])]
            assert [step for step in read if step.startswith("SCAN") or "(parent=" in step] == [], query
