"""Registers taken in: nothing doubled, nothing lost with the catalog, and recordings linked anew by what they say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, get_args

from pipeline.advance import renew
from pipeline.edges.audit import NewEvent
from pipeline.edges.database import knowledge, registers
from pipeline.edges.database.dump import dump
from pipeline.records import ClockOffset, Facts, Fingerprint, Known, Property, Relative
from pipeline.registers.columns import Register, columns_of
from pipeline.registers.keeping import Plan, Registers
from pipeline.registers.rows import records_of
from pipeline.stages.link import STAGE
from pipeline.timing.claiming import zone_of
from tests.flows.keeping import link, take
from tests.indexer.archive import TAKEN_AT, decided
from tests.samples import making
from workers.bootstrap import Home, build_context, build_jobs
from workers.cli import App
from workers.cli._registers import looked_at_anew

Rows = Sequence[Sequence[str]]
DEVICES: Rows = [["设备编号", "序列号"], ["ZF-001", "HA1234567"], ["ZF-002", ""]]
PERSONS: Rows = [["执法证号", "姓名"], ["640103001", "王建国"], ["640103002", "李红"]]
LEDGER: Rows = [
    ["设备编号", "领用人", "领用时间", "归还时间"],
    ["HA1234567", "王建国", "2026-03-02 08:00", "2026-03-02 20:00"],
]
CASES: Rows = [["案号", "立案号", "当事人"], ["平商务罚字〔2026〕3号", "平商务立字〔2026〕2号", "甲公司"]]
ACTIVITIES: Rows = [
    ["活动编号", "环节", "案号", "执法人员", "开始时间", "结束时间"],
    ["A1", "现场检查", "平商务立字〔2026〕2号", "王建国", "2026-03-02 15:30", "2026-03-02 17:00"],
]
OFFSET = ClockOffset(device="ZF-001", at=TAKEN_AT, offset_s=125.5, uncertainty_s=1.0, how="measured", by="王")
EVERYTHING: dict[Register, Rows] = dict(
    zip(get_args(Register), (DEVICES, PERSONS, LEDGER, CASES, ACTIVITIES), strict=True)
)


def take_in(home: Home, register: Register, rows: Rows) -> Plan:
    columns = columns_of(home.settings.home, register)
    reads, remarks = records_of(register, rows, columns, zone_of(home.settings))
    return Registers(home.catalog, home.audit).take_in("tester", register, reads, remarks, {"name": "a.csv"})


def counts(plan: Plan) -> dict[str, int]:
    return {state: plan.count(state) for state in ("new", "changed", "same", "refused")}


def test_the_same_table_again_changes_nothing_and_a_changed_cell_is_one_change(home: Home) -> None:
    for register, rows in EVERYTHING.items():
        assert counts(take_in(home, register, rows))["new"] == len(rows) - 1
    last = home.catalog.last_event()
    for register, rows in EVERYTHING.items():
        assert counts(take_in(home, register, rows)) == {"new": 0, "changed": 0, "same": len(rows) - 1, "refused": 0}
    assert home.catalog.last_event() == last + len(EVERYTHING)  # that each was taken in again, and nothing else
    plan = take_in(home, "devices", [["设备编号", "使用单位"], ["ZF-001", "执法一室"], ["ZF-002", ""]])
    assert [(one.state, one.changed) for one in plan.changes] == [("changed", ("unit",)), ("same", ())]
    with home.catalog.snapshot() as connection:
        first, _ = registers.devices(connection)
    assert (first.serial, first.unit) == ("HA1234567", "执法一室")


def test_a_ledger_names_what_is_registered_or_the_row_is_refused(home: Home) -> None:
    take_in(home, "devices", DEVICES)
    take_in(home, "persons", [*PERSONS, ["640103003", "李红"]])
    plan = take_in(home, "ledger", [
        *LEDGER, ["ZF-009", "王建国", "2026-03-03", ""], ["ZF-002", "李红", "2026-03-03", ""],
        ["ZF-001", "640103002", "2026-03-02 19:00", ""],
    ])  # fmt: skip
    assert counts(plan) == {"new": 2, "changed": 0, "same": 0, "refused": 2}
    assert [(one.row, one.refused) for one in plan.remarks] == [(3, True), (4, True), (5, False)]
    assert "640103002, 640103003" in plan.remarks[1].en
    with home.catalog.snapshot() as connection:
        assert [one.custodian for one in registers.ledger(connection, device="ZF-001")] == ["640103001", "640103002"]


def test_two_numbers_that_are_one_matter_become_one_case(home: Home, tmp_path: Path) -> None:
    one, other = take(home, tmp_path / "card", "a.jpg", "b.jpg")
    link(home, one, "平商务罚字〔2026〕3号")
    link(home, other, "平商务立字〔2026〕2号")
    with home.catalog.snapshot() as connection:
        assert len(registers.cases(connection)) == 2
    take_in(home, "cases", CASES)
    with home.catalog.snapshot() as connection:
        [case] = registers.cases(connection)
        linked = registers.linked_to(connection, "平商务立-2026-2")
    assert [kind for _, kind in case.numbers] == [None, "立案"]
    assert [name for _, name, _ in linked] == ["a.jpg", "b.jpg"]


def test_a_lost_catalog_gets_the_registers_back_from_the_log(home: Home, by_log_alone: Callable[[Home], Home]) -> None:
    for register, rows in EVERYTHING.items():
        take_in(home, register, rows)
    take_in(home, "devices", [["设备编号", "使用单位"], ["ZF-001", "执法一室"]])
    Registers(home.catalog, home.audit).note_offset("tester", OFFSET)
    before = dump(home.catalog)
    rebuilt = by_log_alone(home)
    after = dump(rebuilt.catalog)
    for name in ("devices", "persons", "ledger", "cases", "activities", "clock_offsets"):
        assert before[name]
        assert after[name] == before[name], name
    rebuilt.close()


# -- linking anew


def recorded(home: Home, folder: Path, *names: str) -> list[str]:
    """Originals that the recorder ZF-001 made at 16:00, two hours apart, at rest."""
    originals = take(home, folder, *names)
    jobs = build_jobs(home)
    for number, one in enumerate(originals):
        time = replace(decided(TAKEN_AT + timedelta(hours=2 * number), 600.0), finder="timestamps/1")
        name = Property(name="file_name.device", found="HA1234567", value="HA1234567", finder="timestamps/1")
        with home.catalog.transaction() as connection:
            [seq] = home.audit.record(connection, [NewEvent(type="test", actor="tester", original=one)])
            knowledge.record(connection, one, "light-timestamps", Facts(time=time, properties=(name,)), seq)
            connection.exec_driver_sql(f"UPDATE cr_job SET state = 'done' WHERE original = '{one}'")
    jobs.close()
    return originals


def linked_anew(home: Home, originals: Sequence[str]) -> int:
    context, scratch = build_context(home)
    jobs = build_jobs(home)
    try:
        return len(renew(STAGE, originals, context, jobs))
    finally:
        jobs.close()
        context.tools.close()
        scratch.close()


def links(home: Home, original: str) -> list[tuple[str, str, str]]:
    return [(one.case, one.method, one.status) for one in home.catalog.known_of(original).links]


def test_what_a_register_says_later_links_recordings_anew_and_takes_back_what_it_no_longer_says(
    home: Home, tmp_path: Path
) -> None:
    inside, outside = recorded(home, tmp_path / "card", "a.jpg", "b.jpg")
    for register, rows in EVERYTHING.items():
        take_in(home, register, rows)
    before = home.catalog.changed_seq(outside)
    assert linked_anew(home, [inside, outside]) == 2  # both have a device and a carrier now
    assert links(home, inside) == [("平商务立字〔2026〕2号", "ledger", "proposed")]
    assert links(home, outside) == []
    assert home.catalog.changed_seq(outside) > before
    assert Registers(home.catalog, home.audit).made_by("ZF-001") == sorted([inside, outside])
    assert linked_anew(home, [inside, outside]) == 0
    take_in(home, "ledger", [LEDGER[0], [*LEDGER[1][:3], "2026-03-02 09:00"]])
    assert linked_anew(home, [inside, outside]) == 2
    assert links(home, inside) == []
    assert home.catalog.known_of(inside).value("register.officer") is None
    assert home.catalog.known_of(inside).value("register.device") == "ZF-001"


def test_a_shortened_entry_touches_what_it_held_before(home: Home, tmp_path: Path) -> None:
    [one] = recorded(home, tmp_path / "card", "a.jpg")
    for register, rows in EVERYTHING.items():
        take_in(home, register, rows)
    plan = take_in(home, "ledger", [LEDGER[0], [*LEDGER[1][:3], "2026-03-02 09:00"]])
    assert Registers(home.catalog, home.audit).touched(plan) == [one]


def test_what_is_at_work_begins_anew_and_what_a_person_said_stays(home: Home, tmp_path: Path) -> None:
    busy, refused = recorded(home, tmp_path / "card", "a.jpg", "b.jpg")
    for register, rows in EVERYTHING.items():
        take_in(home, register, rows)
    take_in(home, "activities", [ACTIVITIES[0], [*ACTIVITIES[1][:5], "2026-03-02 18:00"]])
    linked_anew(home, [refused])
    with home.catalog.transaction() as connection:
        connection.exec_driver_sql(
            f"UPDATE cr_case_link SET status = 'refused', by = '王' WHERE original = '{refused}'"
        )
        connection.exec_driver_sql(f"UPDATE cr_job SET state = 'running', token = 'x' WHERE id = '{busy}-heavy-link'")
    assert linked_anew(home, [busy]) == 0
    jobs = build_jobs(home)
    assert [one.stage for one in jobs.listed(original=busy, state="waiting")] == ["link"]
    jobs.close()
    linked_anew(home, [refused])
    assert links(home, refused) == [("平商务立字〔2026〕2号", "ledger", "refused")]


def test_a_known_original_is_not_told_of_anew_where_nothing_changed(home: Home, tmp_path: Path) -> None:
    [one] = recorded(home, tmp_path / "card", "a.jpg")
    for register, rows in EVERYTHING.items():
        take_in(home, register, rows)
    linked_anew(home, [one])
    last, known = home.catalog.last_event(), home.catalog.known_of(one)
    linked_anew(home, [one])
    assert (home.catalog.last_event(), home.catalog.known_of(one)) == (last, known)
    assert isinstance(known, Known)


def test_what_recordings_share_stays_as_it_was_found_when_registers_change(home: Home, tmp_path: Path) -> None:
    one, other = recorded(home, tmp_path / "card", "a.jpg", "b.jpg")
    link(home, other, "AJ2026-0007")
    relative = Relative(original=other, name="b.jpg", relation="same picture", offset_s=0.0, own_offset_s=0.0,
                        length_s=0.0, score=2.0)  # fmt: skip
    marks = Fingerprint(method="photo", version=1, data=b"of no version that is looked up")
    with home.catalog.transaction() as connection:
        [seq] = home.audit.record(connection, [NewEvent(type="test", actor="tester", original=one)])
        knowledge.record(connection, one, "heavy-link", Facts(relatives=(relative,), fingerprints=(marks,)), seq)
    for register, rows in EVERYTHING.items():
        take_in(home, register, rows)
    app = App(home=home.settings.home, config=None, as_json=True, quiet=True, no_progress=True, lang="en")
    assert looked_at_anew(app, home, [one], times_too=False) == 1
    assert home.catalog.known_of(one).relatives == (relative,)
    assert [case for case, method, _ in links(home, one) if method == "same_source"] == ["AJ2026-0007"]


# -- the command line


def recorded_at(run: Callable[..., list[dict[str, Any]]]) -> tuple[str, str]:
    """When the only recording of ZF-001 was made, and by which method that was decided."""
    [found] = run("search", "--device", "ZF-001")
    [shown] = run("show", found["original"])
    return shown["time"]["start"], shown["time"]["method"]


def test_a_clerk_s_tables_link_a_recording_by_device_ledger_and_activity(
    printed: Callable[..., list[dict[str, Any]]], tmp_path: Path
) -> None:
    run = printed
    making.photo(tmp_path / "card" / "DSJ_HA1234567_012345_20260302160000_0001.jpg", 1)
    for register, rows in EVERYTHING.items():
        (tmp_path / f"{register}.csv").write_bytes("\n".join(map(",".join, rows)).encode("gb18030"))
    run("init")
    run("ingest", tmp_path / "card", "--wait")
    [said] = run("device", "import", tmp_path / "devices.csv", "--dry-run")
    assert (said["new"], said["dry_run"], run("device", "list")) == (2, True, [])
    for register in EVERYTHING:
        command = "case" if register in ("cases", "activities") else "device"
        [said] = run(command, "import", tmp_path / f"{register}.csv")
        assert (said["register"], said["refused"]) == (register, 0)
    assert said["linked_anew"] == 1
    assert [one["device"] for one in run("device", "list")] == ["ZF-001", "ZF-002"]
    [case] = run("case", "list")
    assert [one["number"] for one in case["numbers"]] == ["平商务罚字〔2026〕3号", "平商务立字〔2026〕2号"]
    [shown] = run("case", "show", "平商务罚字2026_3号")
    [recording] = shown["recordings"]
    assert (recording["status"], shown["activities"][0]["step"]) == ("proposed", "现场检查")
    [found] = run("search", "--device", "ZF-001")
    assert (found["original"], found["officer"]) == (recording["original"], "王建国 640103001")
    assert recorded_at(run) == ("2026-03-02T16:00:00+08:00", "bureau_zone")
    [said] = run("device", "measure", "ZF-001", "--shows", "2026-03-02 17:02:05", "--at", "2026-03-02T08:00:00Z")
    assert (said["offset_s"], said["decided_anew"]) == (3725.0, 1)
    assert recorded_at(run) == ("2026-03-02T14:57:55.500000+08:00", "bureau_zone+clock")
    [said] = run("time", "correct", recording["original"], "--start", "2026-03-02 16:31", "--reason", "与笔录核对")
    assert (said["time"]["uncertainty_s"], said["time"]["by_rules"]["method"]) == (60.0, "bureau_zone+clock")
    assert (said["time"]["start"], said["time"]["method"]) == ("2026-03-02T16:31:00+08:00", "by_hand")
    [said] = run("time", "withdraw", recording["original"], "--reason", "依据有误")
    assert (said["time"]["method"], said["time"]["by_rules"]) == ("bureau_zone+clock", None)
    [known] = run("device", "calibrate", "ZF-001", "--plot", tmp_path / "plot.svg")
    assert [one["offset_s"] for one in known["measurements"]] == [3725.0]
    assert (tmp_path / "plot.svg").read_text(encoding="utf-8").startswith("<svg")
    [said] = run("device", "measure", "ZF-001", "--set", "--at", "2026-03-03 12:00")
    assert (said["how"], said["decided_anew"]) == ("set", 0)
    run("device", "measure", "ZF-009", "--set", code=2)
    run("device", "measure", "ZF-001", "--shows", "中午", code=2)
    [report] = run("case", "coverage", "平商务罚字2026_3号")
    assert [(one["step"], one["required"], one["share"]) for one in report["duties"]] == [("现场检查", "some", 0.0)]
    assert [gap["class"] for one in report["duties"] for gap in one["gaps"]] == ["outside"]
    sealing = [*ACTIVITIES, ["A2", "查封", "平商务罚字〔2026〕3号", "", "2026-03-02 18:00", "2026-03-02 19:00"]]
    (tmp_path / "activities.csv").write_text("\n".join(map(",".join, sealing)), encoding="utf-8")
    run("case", "import", tmp_path / "activities.csv")
    [report] = run("case", "coverage", "平商务罚字2026_3号", code=1)
    assert [one["fulfilled"] for one in report["duties"]] == [True, False]
    (tmp_path / "ledger.csv").write_text("设备编号,领用人,领用时间\nZF-009,王建国,昨天\n", encoding="utf-8")
    [said] = run("device", "import", tmp_path / "ledger.csv", code=1)
    assert (said["new"], said["refused"], said["remarks"][0]["row"]) == (0, 1, 2)
    run("case", "show", "AJ2099-0001", code=2)
