"""Tables as bureaus keep them: what is read, and what is said of the rows that cannot be used."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import openpyxl
import pytest

from pipeline.edges.caged.worksheets import rows_in
from pipeline.errors import BadInput, Unreadable
from pipeline.records import Activity, Case, Custodian, Device, LedgerEntry, Party
from pipeline.registers.columns import columns_of, register_of
from pipeline.registers.rows import records_of

ZONE = ZoneInfo("Asia/Shanghai")
NOWHERE = Path("/nonexistent")


def read(register, *rows):
    found, remarks = records_of(register, [list(row) for row in rows], columns_of(NOWHERE, register), ZONE)
    return [one.record for one in found], [(one.row, one.en) for one in remarks]


def test_a_title_above_the_headers_and_empty_rows_do_no_harm():
    devices, remarks = read(
        "devices", ["2021年设备台账", "", ""], ["设备编号*", "设备 类型", "序列号（机身）"], ["", "", ""],
        ["ZF-001", "单警执法记录仪", "HA1234567"], ["ZF-002", "无人机", ""],
    )  # fmt: skip
    assert devices == [
        Device(code="ZF-001", art="body_worn", serial="HA1234567"), Device(code="ZF-002", art="drone"),
    ]  # fmt: skip
    assert remarks == []


def test_a_row_that_cannot_be_used_is_named_and_the_others_are_read():
    devices, remarks = read(
        "devices",
        ["设备编号", "设备类型", "颜色"],
        ["ZF-001", "洗衣机", "白"],
        ["", "相机", ""],
        ["ZF-003", "相机", ""],
    )
    assert [one.code for one in devices] == ["ZF-003"]
    assert [(row, words.partition(",")[0].partition(" is none")[0]) for row, words in remarks] == [
        (1, "unknown header"), (2, "art '洗衣机'"), (3, "code is empty"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "said",
    ["2021-08-03 10:10", "2021/8/3 10:10:00", "2021年8月3日10时10分", "2021年8月3日 上午10:10", "2021-08-03T10:10:00",
     "2021-08-03T02:10:00Z", "20210803101000"],
)  # fmt: skip
def test_times_in_every_writing_are_local_where_they_name_no_zone(said):
    [entry], remarks = read("ledger", ["设备", "领用人", "领用时间"], ["A", "B", said])
    assert entry == LedgerEntry(device="A", custodian="B", from_at=datetime(2021, 8, 3, 2, 10, tzinfo=UTC))
    assert remarks == []


def test_the_afternoon_is_later_and_a_day_of_return_lasts_until_midnight():
    [entry], _ = read(
        "ledger", ["设备", "领用人", "领用时间", "归还时间"], ["A", "B", "2021年8月3日下午3点5分", "2021-8-4"]
    )
    assert entry.from_at == datetime(2021, 8, 3, 7, 5, tzinfo=UTC)
    assert entry.to_at == datetime(2021, 8, 4, 16, 0, tzinfo=UTC)


@pytest.mark.parametrize("said", ["2021-08", "下周", "13/13/2021", "2021-02-30"])
def test_what_is_no_moment_is_refused(said):
    entries, [(row, words)] = read("ledger", ["设备", "领用人", "领用时间"], ["A", "B", said])
    assert (entries, row) == ([], 2)
    assert said in words


def test_an_entry_that_ends_before_it_begins_is_refused():
    entries, remarks = read(
        "ledger", ["设备", "领用人", "领用时间", "归还时间"], ["A", "B", "2021-08-03 10:00", "2021-08-02"]
    )
    assert (entries, remarks) == ([], [(2, "it ends before it begins")])


def test_a_case_has_all_its_numbers_and_parties_with_what_identifies_them():
    [case], remarks = read(
        "cases", ["案号", "立案号", "决定书文号", "案由", "当事人", "统一社会信用代码", "办理期限"],
        ["平商务罚字[2021]3号", "平商务立字〔2021〕2号", "", "无证经营", "甲公司；乙",
         "91640200MA0000001X；640103190001010011", "2021年11月1日"],
    )  # fmt: skip
    assert case == Case(
        numbers=(("平商务罚字〔2021〕3号", None), ("平商务立字〔2021〕2号", "立案")), title="无证经营",
        parties=(
            Party(name="甲公司", identifier="91640200MA0000001X"), Party(name="乙", identifier="640103190001010011"),
        ),
        decision_due_on="2021-11-01",
    )  # fmt: skip
    assert remarks == []


def test_an_activity_needs_no_case_yet_and_without_a_code_is_known_by_case_step_and_beginning():
    found, remarks = read(
        "activities", ["活动编号", "执法环节", "案号", "执法人员", "开始时间"],
        ["A1", "现场检查", "", "王建国、李红", ""],
        ["", "询问", "AJ2021-0042", "", "2021-08-03 14:00"], ["", "听证", "", "", "2021-08-03"],
        ["A4", "询问", "国办发〔2018〕118号、AJ2021-0042、AJ2021-0043", "", ""],
    )  # fmt: skip
    first, second = found
    assert first == Activity(code="A1", step="现场检查", people=("王建国", "李红"))
    assert second.code == "AJ-2021-0042 询问 2021-08-03T06:00:00+00:00"
    assert [row for row, _ in remarks] == [4, 5]


def test_the_headers_tell_which_table_it_is():
    among = ("devices", "persons", "ledger")
    assert register_of(NOWHERE, [["执法证号", "姓名"]], among) == "persons"
    assert register_of(NOWHERE, [["设备编号", "领用人", "领用时间"]], among) == "ledger"
    assert register_of(NOWHERE, [["设备编号", "设备类型", "序列号"]], among) == "devices"
    with pytest.raises(BadInput, match="fit none"):
        register_of(NOWHERE, [["甲", "乙"]], among)


def test_a_home_names_its_own_headers(tmp_path):
    (tmp_path / "registers.toml").write_text(
        '[devices.code]\nheaders = ["装备号"]\nrequired = true\n', encoding="utf-8"
    )
    found, _ = records_of("devices", [["装备号", "序列号"], ["7", "S"]], columns_of(tmp_path, "devices"), ZONE)
    assert found[0].record == Device(code="7", serial="S")
    (tmp_path / "registers.toml").write_text('[devices.colour]\nheaders = ["颜色"]\n', encoding="utf-8")
    with pytest.raises(BadInput, match="no field 'colour'"):
        columns_of(tmp_path, "devices")


def test_a_missing_header_is_named_beside_what_was_found():
    with pytest.raises(BadInput, match=r"from_at .*found: 设备, 领用人"):
        read("ledger", ["设备", "领用人"], ["A", "B"])


# -- files


TABLE = [["执法证号", "姓名"], ["640103001", "王建国"]]


def test_one_table_reads_the_same_from_every_kind_of_file(tmp_path):
    book = openpyxl.Workbook()
    for row in TABLE:
        book.active.append([int(cell) if cell.isdigit() else cell for cell in row])
    book.save(tmp_path / "a.xlsx")
    (tmp_path / "a.csv").write_text("\n".join(",".join(row) for row in TABLE), encoding="utf-8-sig")
    (tmp_path / "b.csv").write_bytes("\r\n".join("\t".join(row) for row in TABLE).encode("gb18030"))
    (tmp_path / "c.csv").write_text("\n".join(";".join(row) for row in TABLE), encoding="utf-16")
    (tmp_path / "a.json").write_text('{"rows": [{"执法证号": "640103001", "姓名": "王建国"}]}', encoding="utf-8")
    for path in sorted(tmp_path.iterdir()):
        assert rows_in(str(path)) == TABLE, path.name


def test_dates_of_a_workbook_come_as_they_are_shown(tmp_path):
    book = openpyxl.Workbook()
    book.active.append([datetime.fromisoformat("2021-08-03 10:10"), datetime.fromisoformat("2021-08-03"), 1.5, True])
    book.save(tmp_path / "a.xlsx")
    assert rows_in(str(tmp_path / "a.xlsx")) == [["2021-08-03T10:10:00", "2021-08-03", "1.5", "1"]]


@pytest.mark.parametrize(
    "data",
    [b"PK\x03\x04 no zip", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), b"[1, 2]", b"{" * 100_000, b"\xff" * 100],
    ids=["xlsx", "xls", "list", "deep", "bytes"],
)
def test_a_broken_file_is_unreadable_and_nothing_else(tmp_path, data):
    (tmp_path / "a").write_bytes(data)
    with pytest.raises(Unreadable):
        rows_in(str(tmp_path / "a"))


def test_people_need_a_number_and_a_name():
    people, remarks = read(
        "persons", ["警号", "姓名", "设备内编号"], ["012345", "王建国", "000001，012345"], ["012346", "", ""]
    )
    assert people == [Custodian(code="012345", name="王建国", aliases=("000001", "012345"))]
    assert remarks == [(3, "name is empty")]
