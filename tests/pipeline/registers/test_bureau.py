"""Which device, who carried it, what was done then; and what the linker makes of it."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from pipeline.linkers.ledger import LINKER, NEAR, SHARED, WITHIN
from pipeline.records import Activity, Custodian, Device, LedgerEntry, Stated, Words
from pipeline.registers.bureau import Bureau
from tests.indexer.archive import decided, known

ZONE = ZoneInfo("Asia/Shanghai")
WANG, LI = Custodian(code="640103001", name="王建国", aliases=("012345",)), Custodian(code="640103002", name="李红")
A, B = Device(code="ZF-001", serial="HA1234567"), Device(code="ZF-002", serial="HB1234567", aliases=("二号",))


def at(hour, minute=0):
    return datetime(2021, 8, 3, hour, minute, tzinfo=ZONE)


def entry(device, person, first, last=None):
    return LedgerEntry(device=device.code, custodian=person.code, from_at=first, to_at=last)


def done(code, first, last, *people, case="AJ2021-0042"):
    return Activity(code=code, step="现场检查", case=case, people=people, from_at=first, to_at=last)


def film(start, length_s=600.0, uncertainty_s=2.0, device="HA1234567", **more):
    return known("x", time=decided(start, length_s, uncertainty_s), file_name__device=device, **more)


def links(bureau, original):
    from dataclasses import replace

    return [(one.case, one.score) for one in LINKER.propose(replace(original, around=bureau.around(original)))]


def bureau(*activities, ledger=None):
    return Bureau([A, B], [WANG, LI], ledger or [entry(A, WANG, at(9), at(18))], activities)


def test_who_carried_the_device_took_part_in_what_was_done():
    held = bureau(done("1", at(10), at(11), "王建国"), done("2", at(10), at(11), "李红", case="AJ2021-0043"))
    assert links(held, film(at(10, 10))) == [("AJ2021-0042", WITHIN)]
    assert links(held, film(at(10, 55))) == [("AJ2021-0042", SHARED)]
    assert links(held, film(at(11, 3))) == [("AJ2021-0042", NEAR)]
    assert links(held, film(at(11, 6))) == []


def test_an_uncertain_clock_makes_no_sure_match():
    held = bureau(done("1", at(10), at(11), "王建国"))
    assert links(held, film(at(10, 10), uncertainty_s=3600)) == [("AJ2021-0042", SHARED)]


def test_two_activities_at_one_time_halve_nothing_but_are_less_sure_each():
    held = bureau(done("1", at(10), at(11), "王建国"), done("2", at(10), at(12), "640103001", case="AJ2021-0043"))
    assert [score for _, score in links(held, film(at(10, 10)))] == [round(WITHIN * 0.8, 3)] * 2


def test_what_the_file_says_of_the_person_counts_against_the_ledger():
    held = bureau(done("1", at(10), at(11), "王建国"))
    assert links(held, film(at(10, 10), file_name__officer="012345")) == [("AJ2021-0042", WITHIN)]
    assert links(held, film(at(10, 10), file_name__officer="640103002")) == [("AJ2021-0042", round(WITHIN * 0.6, 3))]


def test_without_a_ledger_the_person_whom_the_file_names_counts():
    held = bureau(done("1", at(10), at(11), "王建国"), ledger=[entry(B, LI, at(1))])
    assert links(held, film(at(10, 10), file_name__officer="012345")) == [("AJ2021-0042", WITHIN)]
    assert links(held, film(at(10, 10), file_name__officer="000000")) == []


def test_an_activity_without_a_case_and_one_of_others_propose_nothing():
    held = bureau(done("1", at(10), at(11), "王建国", case=None), done("2", at(10), at(11)))
    assert links(held, film(at(10, 10))) == []


def test_a_ledger_that_changes_hands_within_the_recording_names_both():
    held = bureau(ledger=[entry(A, WANG, at(9), at(10, 15)), entry(A, LI, at(10, 15))])
    around = held.around(film(at(10, 10)))
    assert [(one.person.name, one.whole) for one in around.carried] == [("王建国", False), ("李红", False)]
    later = held.around(film(at(10, 20)))
    assert [(one.person.name, one.whole) for one in later.carried] == [("李红", True)]


@pytest.mark.parametrize(("original", "device"), [
    (known("x", folder="2021/二号/DCIM"), B),
    (known("x", exif__BodySerialNumber="hb1234567"), B),
    (known("x", device__serial="HB1234567"), B),  # as action cameras and drones write it beside the tracks
    (known("x", stated=Stated(device="ZF-001"), exif__BodySerialNumber="HB1234567"), A),
    (known("x", file_name__device="HA1234567 "), A),
    (known("x", file_name__device="000000"), None),
    (known("x", folder="DCIM"), None),
], ids=["folder", "serial", "serial of a film", "stated first", "name", "nobody", "unknown"])  # fmt: skip
def test_a_device_is_known_by_any_of_its_names(original, device):
    assert bureau().device_of(original)[0] == device


def test_a_name_that_two_devices_share_names_neither():
    twins = Bureau([Device(code="1", aliases=("老记录仪",)), Device(code="2", aliases=("老记录仪",))])
    assert twins.device_of(known("x", folder="老记录仪")) == (None, Words("", ""))


def test_ten_thousand_activities_are_looked_up_by_time_and_not_one_by_one():
    many = [done(str(n), at(8) + timedelta(hours=n), at(8) + timedelta(hours=n, minutes=30)) for n in range(10_000)]
    around = bureau(*many).around(film(at(8, 10) + timedelta(hours=5000)))
    assert [one.activity.code for one in around.happened] == ["5000"]


def test_a_written_record_belongs_to_what_its_officers_did_then():
    held = bureau(done("1", at(10), at(11), "李红"))
    record = known("x", time=decided(at(10, 5), 2100.0, 60.0), record__officer=["赵六", "李红"])
    assert links(held, record) == [("AJ2021-0042", WITHIN)]
    record = known("x", time=decided(at(10, 5), 2100.0, 60.0), record__credentials=["640103001"])
    assert links(held, record) == []
