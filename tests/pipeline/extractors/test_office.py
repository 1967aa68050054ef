"""The text of office documents that are neither PDF nor DOCX, and the fields of records in them."""

from __future__ import annotations

import contextlib
import zipfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import openpyxl
import pytest

from pipeline.errors import Unreadable
from tests.pipeline.extractors.test_written import docx, paragraph, told
from tests.pipeline.test_writings import INSPECTION
from tests.samples import offices
from tests.samples.offices import odt, ofd, packed, pptx, rtf, streams, text_object, word


def doc(path: Path, *pages: str) -> Path:
    return streams(path, word(*pages))


KINDS: dict[str, Callable[..., Path]] = {
    "a.odt": odt,
    "a.ofd": ofd,
    "a.pptx": pptx,
    "a.rtf": rtf,
    "a.doc": doc,
    "a.wps": doc,
}


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_gives_its_text_by_pages_and_the_fields_of_a_record(tmp_path: Path, name: str) -> None:
    found, caveats = told(KINDS[name](tmp_path / name, "封面 cover", INSPECTION))
    assert (found["record.from"], found["record.place"]) == ("2021-08-03T10:05:00", "平罗县城关镇民族街12号")
    assert found["record.where"]["record.from"] == [2, 5]
    assert found["document.text"][0].strip() == "封面 cover"
    assert "涉嫌未按规定报送信息" in found["document.text"][1]
    assert caveats == []


def test_a_workbook_is_a_page_a_sheet_and_a_line_a_row(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.title = "台账"
    for row in (["案号", "日期"], [], ["平商务罚字〔2021〕第3号", datetime(2021, 8, 3)]):  # noqa: DTZ001 (a sheet has no zone)
        book.active.append(row)
    book.create_sheet("二").append([7, 0.5])
    book.save(tmp_path / "a.xlsx")
    found, caveats = told(tmp_path / "a.xlsx")
    assert found["document.text"] == ["台账\n案号\t日期\n平商务罚字〔2021〕第3号\t2021-08-03", "二\n7\t0.5"]
    assert caveats == []


def test_text_of_ofd_is_put_together_as_it_stands_on_the_page(tmp_path: Path) -> None:
    objects = "".join((
        text_object(1, 90, 100.2, "右"), text_object(2, 20, 100, "左边"), text_object(3, 30, 100.1, "紧接"),
        text_object(4, 20, 50, "上"),
    ))  # fmt: skip
    found, _ = told(ofd(tmp_path / "a.ofd", "", objects=objects, template=text_object(9, 20, 5, "抬头")))
    assert found["document.text"] == ["抬头\n上\n左边紧接 右"]


def test_fields_tables_and_deleted_text_read_as_a_person_sees_them(tmp_path: Path) -> None:
    shown = 'a\x13HYPERLINK "x" \x14案号：\x13PAGE\x15七\x15b\rx\x07y\x07\x07z\x07w\x07\x07\rend'
    found, _ = told(streams(tmp_path / "a.doc", word(shown)))
    assert found["document.text"] == ["a案号：七b\nx\ty\nz\tw\n\nend"]
    cell = "<table:table-cell><text:p>{}</text:p></table:table-cell>"
    spaced = '今<text:s text:c="2"/>天'
    table = f"<table:table-row>{cell.format('检查时间')}{cell.format(spaced)}</table:table-row>"
    gone = "<text:tracked-changes><text:p>删去</text:p></text:tracked-changes>"
    found, _ = told(odt(tmp_path / "a.odt", "首", extra=gone + table))
    assert found["document.text"] == ["首\n检查时间\t今  天"]


def test_an_empty_cell_does_not_end_a_row(tmp_path: Path) -> None:
    table = "姓名\x07\x07性别\x07男\x07\x07住址\x07\x07\x07\x07\x07"
    found, _ = told(streams(tmp_path / "a.doc", word(table, pieces=1, rows=[9, 16])))
    assert found["document.text"] == ["姓名\t\t性别\t男\n住址"]


# [MS-DOC] 2.9.73: letters of one byte are Western whatever the document's language.
def test_letters_of_one_byte_are_western_in_a_chinese_document(tmp_path: Path) -> None:
    made = word("25.C Wang.s", pieces=1)
    shown = made["WordDocument"].replace(b"25.C Wang.s", b"25\xb0C Wang\x92s")
    found, _ = told(streams(tmp_path / "a.doc", made | {"WordDocument": shown}))
    assert found["document.text"] == ["25°C Wang’s"]


def test_what_is_cut_says_so(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for _ in range(2010):
        book.active.append([1] * 100)
    book.active.cell(row=1, column=16_000, value="far")
    book.save(tmp_path / "a.xlsx")
    found, caveats = told(tmp_path / "a.xlsx")
    assert (len(found["document.text"]), caveats) == (1, ["text_cut"])
    template = "".join(text_object(number, 20, 5 + 8 * number, "抬头") for number in range(300))
    found, caveats = told(ofd(tmp_path / "a.ofd", *(["页"] * 502), template=template))
    assert (found["document.pages"], caveats) == (500, ["text_cut"])


def test_numbers_in_rtf_are_text_and_pictures_are_none(tmp_path: Path) -> None:
    numbers = " ".join(str(13_800_000_000 + number) for number in range(60))
    found, _ = told(rtf(tmp_path / "a.rtf", f"before {numbers} after"))
    assert found["document.text"][0].strip() == f"before {numbers} after"


def test_cells_of_a_form_and_boxes_among_words_are_read_by_themselves(tmp_path: Path) -> None:
    cell = f"<w:tc>{paragraph('张三')}</w:tc>"
    row = f"<w:tr><w:tc>{paragraph('当事人')}</w:tc><w:sdt><w:sdtContent>{cell}</w:sdtContent></w:sdt></w:tr>"
    found, _ = told(docx(tmp_path / "a.docx", f"<w:tbl>{row}</w:tbl>"))
    assert found["document.text"] == ["当事人\t张三"]
    box = "<text:p>a<draw:frame><text:p>box</text:p></draw:frame>b</text:p>"
    assert told(odt(tmp_path / "a.odt", "首", extra=box))[0]["document.text"] == ["首\na\nbox\nb"]


def test_slides_of_the_strict_kind_are_read(tmp_path: Path) -> None:
    path = pptx(tmp_path / "a.pptx", "第一页")
    with zipfile.ZipFile(path) as made:
        parts = {name: made.read(name).decode() for name in made.namelist()}
    strict = {
        name: text.replace(
            "http://schemas.openxmlformats.org/drawingml/2006/main", "http://purl.oclc.org/ooxml/drawingml/main"
        )
        for name, text in parts.items()
    }
    assert told(packed(path, strict))[0]["document.text"] == ["第一页"]


def test_a_page_of_a_drawing_is_a_page(tmp_path: Path) -> None:
    pages = "".join(f"<draw:page><text:p>{one}</text:p></draw:page>" for one in "一二三")
    found, _ = told(odt(tmp_path / "a.odp", kind="presentation", extra=pages))
    assert found["document.text"] == ["一", "二", "三"]


@pytest.mark.parametrize("make", [
    lambda folder: streams(folder / "a.doc", word("秘", flags=0x0300)),
    lambda folder: streams(folder / "a.docx", {"EncryptedPackage": bytes(600), "EncryptionInfo": bytes(600)}),
    lambda folder: odt(folder / "a.odt", "秘", manifest="<m:encryption-data/>"),
], ids=["doc", "docx", "odt"])  # fmt: skip
def test_what_asks_for_a_password_says_so(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    assert told(make(tmp_path)) == ({}, ["text_locked"])


@pytest.mark.parametrize("make", [
    lambda folder: streams(folder / "a.doc", word("甲", "乙") | {"1Table": bytes(4096)}),
    lambda folder: streams(folder / "a.doc", {"WordDocument": bytes(4096)}),
    lambda folder: packed(folder / "a.ofd", {"OFD.xml": "<a><DocBody><DocRoot>../../a</DocRoot></DocBody></a>"}),
    lambda folder: packed(folder / "a.ofd", {"OFD.xml": "<a>" + " " * (65 << 20)}),
    lambda folder: packed(folder / "a.ofd", {"OFD.xml": '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'}),
], ids=["no table", "no head", "leads out", "grows", "entities"])  # fmt: skip
def test_what_is_damaged_or_hostile_is_named(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    with pytest.raises(Unreadable):
        told(make(tmp_path))


@pytest.mark.parametrize("at", range(0, 1536, 24))
def test_a_document_of_word_with_a_damaged_head_ends_in_words(tmp_path: Path, at: int) -> None:
    data = bytearray(offices.word(INSPECTION)["WordDocument"])
    data[at : at + 4] = b"\xff\xff\xff\x7f"
    path = streams(tmp_path / "a.doc", {"WordDocument": bytes(data), "1Table": word(INSPECTION)["1Table"]})
    with contextlib.suppress(Unreadable):
        told(path)
