"""A clock card and a case slate, filmed: from really encoded recordings to a measured clock and a linked case."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pypdfium2
import pytest
from PIL import Image

from pipeline.advance import renew
from pipeline.codes import clock_text
from pipeline.edges.audit import NewEvent
from pipeline.edges.database import knowledge, registers
from pipeline.edges.log.cards import Cards
from pipeline.records import Facts, Property
from pipeline.stages import timestamps
from tests.flows.keeping import take
from tests.flows.test_registers import DEVICES, take_in
from tests.pipeline.showing import Way, filmed
from workers import cli
from workers.bootstrap import Home, build_context, build_jobs

CASE = "平商务罚字〔2021〕第3号"
LOCAL = timedelta(hours=8)
AHEAD = timedelta(seconds=95)
ASKEW = Way(share=0.8, turn=4, blur=0.6)


@pytest.fixture
def at_home(sqlite_home: Home, capsys: pytest.CaptureFixture[str]) -> Callable[..., list[dict[str, Any]]]:
    """Runs a command line in this process; the objects it printed."""

    def run(*arguments: Any, code: int = 0) -> list[dict[str, Any]]:
        capsys.readouterr()
        ended = cli.run(["--home", str(sqlite_home.settings.home), "--json", *map(str, arguments)])
        out, err = capsys.readouterr()
        assert ended == code, err
        return [json.loads(line) for line in out.splitlines()]

    return run


def running(card: str, secret: bytes, begun_at: datetime, from_s: float, to_s: float) -> Callable[[float], str | None]:
    """What the page of this card shows at each second of a recording that begins at this moment."""

    def text_at(at_s: float) -> str | None:
        if not from_s <= at_s < to_s:
            return None
        now_ms = round((begun_at + timedelta(seconds=at_s)).timestamp() * 1000)
        return clock_text(datetime.fromtimestamp(now_ms // 200 / 5, UTC).astimezone(), card, secret)

    return text_at


def by_own_clock(true_at: datetime) -> str:
    """The digits that the recorder writes, its local time where UTC belongs, as most do."""
    return f"{true_at + AHEAD + LOCAL:%Y-%m-%dT%H:%M:%SZ}"


def clock_card(at_home: Callable[..., Any], folder: Path) -> tuple[str, bytes]:
    [made] = at_home("device", "clock-card", "--to", folder / "card.html")
    page = (folder / "card.html").read_text(encoding="utf-8")
    assert f'CARD = "{made["card"]}"' in page
    return made["card"], bytes.fromhex(re.search(r'SECRET = "([0-9a-f]{64})"', page)[1])  # type: ignore[index]


def test_a_filmed_card_measures_its_device_and_a_filmed_slate_links_by_itself(
    sqlite_home: Home, at_home: Callable[..., Any], tmp_path: Path
) -> None:
    take_in(sqlite_home, "devices", DEVICES)
    card, secret = clock_card(at_home, tmp_path)
    [slate] = at_home("case", "slate", CASE, "--to", tmp_path / "slate.pdf")
    sheet = pypdfium2.PdfDocument(tmp_path / "slate.pdf")[0].render(scale=1.5).to_pil()

    begun_at = datetime.now(UTC) - timedelta(seconds=60)
    shown = running(card, secret, begun_at, 1.4, 4.0)

    def held(at_s: float) -> str | Image.Image | None:
        return sheet if at_s < 1.2 else shown(at_s)

    folder = tmp_path / "recorder"
    folder.mkdir()
    filmed(folder / "a.mp4", held, seconds=4.2, size=(640, 360), way=ASKEW, creation_time=by_own_clock(begun_at))
    before_at = begun_at - timedelta(days=1)
    filmed(folder / "b.mp4", lambda _: None, seconds=1, size=(160, 90), creation_time=by_own_clock(before_at))
    stranger = running("ABCD", b"x" * 32, begun_at, 0.0, 2.0)
    filmed(folder / "c.mp4", stranger, seconds=2, size=(320, 240), way=Way(share=0.8),
           creation_time=by_own_clock(begun_at))  # fmt: skip
    arrived = at_home("ingest", folder, "--wait", "--device", "ZF-001")
    first, second, third = (one["original"] for one in sorted(arrived, key=lambda one: one["path"]))

    with sqlite_home.catalog.snapshot() as connection:
        [offset] = registers.offsets(connection, device="ZF-001")
    assert offset.how == "filmed"
    assert first in offset.by
    assert f"card {card}" in offset.by
    assert "PTS" in offset.by
    # The container's clock is read to a second.
    assert offset.offset_s == pytest.approx(AHEAD.total_seconds(), abs=offset.uncertainty_s)
    assert offset.uncertainty_s < 1.5
    assert offset.at == pytest.approx(begun_at, abs=timedelta(seconds=0.3))

    [told] = at_home("show", first)
    assert datetime.fromisoformat(told["time"]["start"]) == pytest.approx(begun_at, abs=timedelta(seconds=1.5))
    assert {"source": "filmed_clock"}.items() <= next(
        one for one in told["time_claims"] if one["source"] == "filmed_clock"
    ).items()
    assert [(one["case"], one["method"], one["status"], one["by"]) for one in told["links"]] == [
        (CASE, "case_slate", "confirmed", "slate")
    ]
    assert slate["card"] in told["links"][0]["why"]
    assert not {"filmed_clock_unused"} & {one["code"] for one in told["caveats"]}
    [measured] = [one for one in told["events"] if one["type"] == "device.clock_measured"]
    assert measured

    # The other recording of that device was timed anew; nothing of it shows a card.
    [other] = at_home("show", second)
    start = datetime.fromisoformat(other["time"]["start"])
    assert min(abs(start - before_at), abs(start - LOCAL - before_at)) < timedelta(seconds=2.5)
    assert "+clock" in other["time"]["method"]

    # A stranger's card changes nothing until a person decides so, in the person's name.
    [strange] = at_home("show", third)
    assert "filmed_clock_unused" in {one["code"] for one in strange["caveats"]}
    at_home("device", "measure", "ZF-002", "--filmed", second, code=2)
    [by_person] = at_home("device", "measure", "ZF-002", "--filmed", third)
    assert by_person["offset_s"] == pytest.approx(AHEAD.total_seconds(), abs=2)
    with sqlite_home.catalog.snapshot() as connection:
        assert len(registers.offsets(connection, device="ZF-001")) == 1
        [told_by] = registers.offsets(connection, device="ZF-002")
    assert told_by.by.startswith(f"{sqlite_home.actor}, {third}, card ABCD")


def test_a_device_that_is_registered_later_is_measured_then_and_its_other_recordings_wait_to_be_timed(
    home: Home, tmp_path: Path
) -> None:
    one, other = take(home, tmp_path / "card", "a.jpg", "b.jpg")
    card, secret = Cards(home.settings).new()
    home.tell("card.made", facts={"card": card, "kind": "clock"})
    begun_at = datetime.now(UTC) - timedelta(seconds=30)
    text_at = running(card, secret, begun_at, 0.0, 9.0)
    seen = [[number, number / 10, text_at(number / 10)] for number in range(20)]
    found = [
        Property(name="codes.clock", found="x", value={"unit": [1, 10], "readings": seen}, finder="codes/1"),
        Property(name="exif.DateTimeOriginal", found=f"{begun_at + AHEAD + LOCAL:%Y:%m:%d %H:%M:%S}", value=None,
                 finder="exif/1"),
        Property(name="file_name.device", found="HA1234567", value="HA1234567", finder="timestamps/6"),
    ]  # fmt: skip
    mine = Property(name="register.device", found="x", value="ZF-001", finder="link/4")
    jobs = build_jobs(home)
    for original, facts in ((one, found), (other, [mine])):
        with home.catalog.transaction() as connection:
            [seq] = home.audit.record(connection, [NewEvent(type="test", actor="tester", original=original)])
            knowledge.record(connection, original, "light-probe", Facts(properties=tuple(facts)), seq)
            connection.exec_driver_sql(f"UPDATE cr_job SET state = 'done' WHERE original = '{original}'")
    context, scratch = build_context(home)
    try:
        renew(timestamps.STAGE, [one], context, jobs)
        assert "filmed_clock_unused" in {caveat.code for caveat in home.catalog.known_of(one).caveats}
        take_in(home, "devices", DEVICES)
        for _ in range(2):  # once more does nothing
            renew(timestamps.STAGE, [one], context, jobs)
    finally:
        context.tools.close()
        scratch.close()
        jobs.close()
    with home.catalog.snapshot() as connection:
        [offset] = registers.offsets(connection, device="ZF-001")
        waiting = connection.exec_driver_sql(
            f"SELECT stage FROM cr_job WHERE original = '{other}' AND state = 'waiting' ORDER BY place"
        )
        assert [row[0] for row in waiting] == ["timestamps", "link", "index"]
    assert offset.offset_s == pytest.approx(AHEAD.total_seconds(), abs=offset.uncertainty_s)
    known = home.catalog.known_of(one)
    assert known.time is not None
    assert known.time.method.endswith("+clock")
    assert not known.caveats or "filmed_clock_unused" not in {caveat.code for caveat in known.caveats}
    log = (home.settings.home / "log" / "events-000001.jsonl").read_text(encoding="utf-8")
    assert log.count('"device.clock_measured"') == 1
