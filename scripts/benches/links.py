"""How long it takes to link 10,000 files anew after a ledger came in, to lay out recordings, and to cover a case.

Absolute figures of one machine; what is asked: under a minute, and under a second for a case of 200 files.
`--hours N` takes N files instead.
"""

from __future__ import annotations

import contextlib
import io
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from config.settings import load
from indexer.casework.case_file import case_file
from indexer.casework.checklist import FACTS, checklist_of, list_rules_of
from indexer.casework.contradictions import contradictions_of
from indexer.coverage import coverage_of, steps_of
from pipeline.edges.audit import NewEvent
from pipeline.edges.database import intake, knowledge, segments
from pipeline.recordings import recordings_of
from pipeline.records import Arrival, DecidedTime, Facts, Original, Property
from pipeline.registers.columns import Register, columns_of
from pipeline.registers.keeping import Registers
from pipeline.registers.rows import records_of
from pipeline.stages import ORDER
from pipeline.timing.claiming import zone_of
from workers.bootstrap import Home, build_home, build_jobs, make_home
from workers.cli import App
from workers.cli._registers import looked_at_anew

FILES, DEVICES, IN_CASE, OF_ONE = 10_000, 40, 200, 8
FIRST = datetime(2026, 3, 1, 1, 0, tzinfo=UTC)
LOCAL = timedelta(hours=8)


def measure() -> Iterator[dict[str, Any]]:
    """Rows `recordings`, `relinking`, `near`, `coverage`: seconds for so many files."""
    count = next((int(one) for one in sys.argv if one.isdigit()), FILES)
    with tempfile.TemporaryDirectory() as folder:
        settings = load(Path(folder) / "home", {})
        make_home(settings)
        home = build_home(settings)
        try:
            yield from _measured(home, count)
        finally:
            home.close()


def _measured(home: Home, count: int) -> Iterator[dict[str, Any]]:
    ids = _filled(home, count)
    began = _now()
    with home.catalog.snapshot() as connection:
        found = recordings_of(segments.segments(connection))
    yield {"what": "recordings", "files": count, "recordings": len(found), **_since(began)}
    began = _now()
    with home.catalog.snapshot() as connection:
        for one in ids[:: max(count // 50, 1)]:
            segments.near(connection, one)
    yield {"what": "near 50 files, one by one", "files": count, **_since(began)}
    tables = _tables(count)
    for register in ("devices", "persons", "cases", "activities"):
        _take_in(home, register, tables[register])
    _looked_at(home, ids)
    plan = _take_in(home, "ledger", tables["ledger"])
    began = _now()
    touched = Registers(home.catalog, home.audit).touched(plan)
    changed = _looked_at(home, touched)
    yield {"what": "relinking", "files": len(touched), "changed": changed, **_since(began), **_methods(home, ids)}
    began = _now()
    again = _looked_at(home, touched)
    yield {"what": "relinking, nothing new", "files": len(touched), "changed": again, **_since(began)}
    yield from _coverage(home)


def _now() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()


def _since(began: tuple[float, float]) -> dict[str, float]:
    """cpu_s is what another machine, or this one alone with it, is to be compared by."""
    wall_s, cpu_s = (now - before for now, before in zip(_now(), began, strict=True))
    return {"seconds": round(wall_s, 2), "cpu_s": round(cpu_s, 2)}


def _looked_at(home: Home, ids: list[str]) -> int:
    app = App(home=home.settings.home, config=None, as_json=True, quiet=True, no_progress=True, lang="en")
    with contextlib.redirect_stdout(io.StringIO()):
        return looked_at_anew(app, home, ids, times_too=False)


def _methods(home: Home, ids: list[str]) -> dict[str, int]:
    links = Counter(
        link.method for first in range(0, len(ids), 500) for one in home.catalog.known_of_many(ids[first : first + 500])
        for link in one.links
    )  # fmt: skip
    return {f"by_{method}": number for method, number in sorted(links.items())}


def _coverage(home: Home) -> Iterator[dict[str, Any]]:
    """The first case alone has an activity of 200 files on one device; all of it, as `case checklist` works it out."""
    steps, rules, zone = steps_of(home.settings.home), list_rules_of(home.settings.home), home.settings.time.zone
    began = _now()
    file = case_file(home.catalog, home.audit, "AJ2026-9999", zone=zone, facts=FACTS)
    duties = [coverage_of(one, file.shown, steps, file.excuses, file.seams) for one in file.activities]
    yield {"what": "coverage", "files": len(file.shown), "share": round(duties[0].share, 4), **_since(began)}
    checklist_of(file, duties, contradictions_of(file, steps, zone), rules, steps)
    yield {"what": "coverage, contradictions and checklist", "files": len(file.shown), **_since(began)}


def _take_in(home: Home, register: Register, rows: list[list[str]]) -> Any:
    reads, remarks = records_of(register, rows, columns_of(home.settings.home, register), zone_of(home.settings))
    plan = Registers(home.catalog, home.audit).take_in("bench", register, reads, remarks, {"name": register})
    assert not plan.count("refused"), plan.remarks[:3]
    return plan


def _place(number: int) -> tuple[int, datetime]:
    """(device, true beginning) of a file: acts of eight files of five minutes, hours apart, round the devices."""
    if number < IN_CASE:
        return DEVICES, FIRST - timedelta(days=2) + timedelta(minutes=5 * number)
    act, within = divmod(number - IN_CASE, OF_ONE)
    device, turn = act % DEVICES, act // DEVICES
    return device, FIRST + timedelta(days=turn // 3, hours=3 * (turn % 3), minutes=5 * within + device % 7)


def _tables(count: int) -> dict[Register, list[list[str]]]:
    acts = range((count - IN_CASE) // OF_ONE)
    begun = {act: _place(IN_CASE + act * OF_ONE) for act in acts}

    def said(at: datetime) -> str:
        return f"{at + LOCAL:%Y-%m-%d %H:%M:%S}"

    long = [said(FIRST - timedelta(days=2)), said(FIRST - timedelta(days=2) + timedelta(minutes=5 * IN_CASE))]
    return {
        "devices": [["设备编号", "序列号"], *([f"ZF-{n:03}", f"HA{n:07}"] for n in range(DEVICES + 1))],
        "persons": [["执法证号", "姓名"], *([f"6401030{n:03}", f"执法{n:03}"] for n in range(DEVICES + 1))],
        "cases": [["案号", "办理期限", "当事人"], ["AJ2026-9999", "2026-06-30", "全程录像商贸有限公司"],
                  *([f"AJ2026-{act:04}", "2026-06-30", f"第{act}号商贸有限公司"] for act in acts)],
        "activities": [["活动编号", "环节", "案号", "地点", "执法人员", "开始时间", "结束时间"],
                       ["L", "查封", "AJ2026-9999", "仓库", f"执法{DEVICES:03}", *long],
                       *([f"A{act}", "现场检查", f"AJ2026-{act:04}", f"人民路{act}号市场", f"执法{device:03}",
                          said(at), said(at + timedelta(minutes=30))] for act, (device, at) in begun.items())],
        "ledger": [["设备编号", "领用人", "领用时间", "归还时间"],
                   *([f"ZF-{n:03}", f"6401030{n:03}", said(FIRST - timedelta(days=3)),
                      said(FIRST + timedelta(days=200))] for n in range(DEVICES + 1))],
    }  # fmt: skip


def _filled(home: Home, count: int) -> list[str]:
    jobs, chance = build_jobs(home), Random(5)
    ids = []
    for first in range(0, count, 500):
        with home.catalog.transaction() as connection:
            for number in range(first, min(first + 500, count)):
                ids.append(_entered(home, jobs, connection, number, chance))
    jobs.close()
    return ids


def _entered(home: Home, jobs: Any, connection: Any, number: int, chance: Random) -> str:
    device, at = _place(number)
    identifier, taken_at = f"01LINKS{number:019}", datetime.now(UTC)
    name = f"DSJ_HA{device:07}_012345_{at + LOCAL:%Y%m%d%H%M%S}_{number % 10_000:04}.mp4"
    sha256 = f"{number:064x}"
    original = Original(
        id=identifier, sha256=sha256, sm3=None, size_bytes=1000, kind="video", format="mp4", name=name, state="ready",
        accepted_at=taken_at,
    )  # fmt: skip
    arrival = Arrival(
        id=f"01ARRIV{number:019}", original=identifier, path=f"/card/{device}/{name}", folder=f"{device}", name=name,
        name_raw=name.encode(), source="inbox", status="accepted", reason=None, size_bytes=1000, mtime_ns=0,
        taken_at=taken_at,
    )  # fmt: skip
    [seq] = home.audit.record(connection, [NewEvent(type="made-up", actor="bench", original=identifier)])
    intake.add_original(connection, original, seq)
    place = {"path_raw": name.encode(), "device_number": 1, "inode": number, "sha256": sha256, "place_key": sha256}
    intake.add_arrival(connection, arrival, place)
    jobs.plan(connection, identifier, ORDER)
    connection.exec_driver_sql(f"UPDATE cr_job SET state = 'done' WHERE original = '{identifier}'")
    said = {"file_name.device": f"HA{device:07}", "file_name.sequence": f"{number % 10_000:04}",
            "file_name.profile": "body_worn", "video.codec": "h264", "video.width": 1920, "video.height": 1080,
            "video.fps": 30.0, "audio.codec": "aac", "container.duration_s": 300.0}  # fmt: skip
    # As many facts as a real file has.
    said |= {f"container.fact_{n}": chance.random() for n in range(20)}
    time_ = DecidedTime(start_at=at, end_at=at + timedelta(seconds=300), uncertainty_s=5.0, method="claim", why="",
                        zone_known=True, source="file_name", finder="timestamps/1")  # fmt: skip
    properties = tuple(Property(name=k, found=str(v), value=v, finder="probe/1") for k, v in said.items())
    knowledge.record(connection, identifier, "light-timestamps", Facts(properties=properties, time=time_), seq)
    return identifier
