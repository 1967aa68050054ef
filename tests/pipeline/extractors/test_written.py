"""Text and header fields of written records: PDF, DOCX, plain text; scans, locked, damaged and hostile ones."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import pytest
from fpdf import FPDF
from PIL import Image
from pylopdf_fonts_zh_cn import sans_path

from pipeline.errors import Unreadable
from pipeline.extractors.written import EXTRACTOR
from tests.pipeline.filming import tools
from tests.pipeline.probing import original_of
from tests.pipeline.test_writings import INQUIRY, INSPECTION
from tests.samples.documents import office
from tests.samples.offices import streams

W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'


def told(path: Path) -> tuple[dict[str, Any], list[str]]:
    """What the extractor says of it in its cage: values by name, codes of caveats."""
    assert EXTRACTOR.reads(original_of(path))
    found = tools().call(EXTRACTOR.extract, str(path), reads=[path])
    return {name: value for name, _, value in found["properties"]}, [code for code, *_ in found["caveats"]]


def pdf(path: Path, *pages: str, password: str = "", picture: Image.Image | None = None) -> Path:
    written = FPDF(format="A4")
    written.add_font("sans", fname=str(sans_path()))
    for text in pages:
        written.add_page()
        written.set_font("sans", size=11)
        if text:
            written.multi_cell(0, 7, text, align="L")
        elif picture is not None:
            written.image(picture, w=150)
    if password:
        written.set_encryption(owner_password="owner", user_password=password)
    written.output(str(path))
    return path


def docx(path: Path, body: str, head: str = "") -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("[Content_Types].xml", "<Types/>")
        packed.writestr("word/document.xml", f"{head}<w:document {W}><w:body>{body}</w:body></w:document>")
    return path


def paragraph(text: str) -> str:
    return f"<w:p><w:r><w:t>{escape(text)}</w:t></w:r></w:p>"


def test_a_pdf_says_its_fields_with_page_and_line_and_its_text_by_pages(tmp_path: Path) -> None:
    found, caveats = told(pdf(tmp_path / "笔录.pdf", "封面", INSPECTION))
    assert (found["record.kind"], found["record.from"], found["record.to"]) == (
        "现场检查(勘验)笔录", "2021-08-03T10:05:00", "2021-08-03T10:40:00",
    )  # fmt: skip
    assert found["record.persons"] == ["平罗县某某商贸有限公司", "王建国", "李红", "赵六"]
    assert found["record.where"]["record.from"] == [2, 5]
    assert ["平商务罚字〔2021〕第3号", "平商务罚-2021-3", 2, 10, True, True] in found["record.numbers"]
    assert found["document.pages"] == 2
    assert found["document.text"][0] == "封面"
    assert "涉嫌未按规定报送信息" in found["document.text"][1]
    assert caveats == []


def test_a_docx_with_a_table_says_the_same(tmp_path: Path) -> None:
    row = "<w:tr><w:tc>{}</w:tc><w:tc>{}</w:tc></w:tr>"
    table = "".join(row.format(paragraph(label), paragraph(value)) for label, value in (
        ("检查时间", "2021年8月3日10时05分至10时40分"), ("检查地点", "民族街12号"), ("当事人", "甲公司 & 乙公司"),
    ))  # fmt: skip
    deleted = "<w:p><w:del><w:r><w:delText>删</w:delText><w:t>去</w:t></w:r></w:del><w:r><w:t>案号：</w:t></w:r>" \
        "<w:r><w:t>AJ2021-</w:t></w:r><w:r><w:t>0042</w:t></w:r></w:p>"  # fmt: skip
    broken = '<w:p><w:r><w:br w:type="page"/><w:t>第二页</w:t></w:r></w:p>'
    found, caveats = told(
        docx(tmp_path / "a.docx", paragraph("现场检查笔录") + f"<w:tbl>{table}</w:tbl>{deleted}{broken}")
    )
    assert (found["record.from"], found["record.place"]) == ("2021-08-03T10:05:00", "民族街12号")
    assert found["record.party"] == ["甲公司 & 乙公司"]
    assert found["record.case"] == "AJ2021-0042"
    assert found["document.text"][1] == "第二页"
    assert "去" not in found["document.text"][0]
    assert caveats == []


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_plain_text_in_every_encoding_of_windows(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(INQUIRY.replace("\n", "\r\n").encode(encoding))
    found, caveats = told(path)
    assert (found["record.from"], found["record.officer"]) == ("2021-08-03T15:05:00", ["王建国", "马强"])
    assert caveats == []


def test_a_scan_says_which_pages_are_pictures(tmp_path: Path) -> None:
    scan = Image.effect_noise((300, 400), 60)
    found, caveats = told(pdf(tmp_path / "a.pdf", "", "", INSPECTION, picture=scan))
    assert (found["document.blank"], found["document.pages"], caveats) == ([1, 2], 3, [])
    assert found["record.where"]["record.from"][0] == 3
    nothing, caveats = told(pdf(tmp_path / "b.pdf", "", picture=scan))
    assert (nothing, caveats) == ({"document.pages": 1, "document.blank": [1]}, [])
    assert told(pdf(tmp_path / "c.pdf", "")) == ({}, [])  # a blank page hides nothing


def test_a_locked_pdf_says_so(tmp_path: Path) -> None:
    assert told(pdf(tmp_path / "a.pdf", INSPECTION, password="x")) == ({}, ["text_locked"])


def test_a_long_text_is_cut_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text(INSPECTION + "\n某" * 500_000, encoding="utf-8")
    found, caveats = told(path)
    assert found["record.kind"] == "现场检查(勘验)笔录"
    assert sum(map(len, found["document.text"])) <= 400_000
    assert caveats == ["text_cut"]


BOMB = '<!DOCTYPE w [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'


@pytest.mark.parametrize(("make", "why"), [
    (lambda path: docx(path, paragraph("&b;"), BOMB), "entities"),
    (lambda path: docx(path, "<w:p>"), "no XML"),
    (lambda path: docx(path, " " * (65 << 20)), "bomb"),
    (lambda path: cut(docx(path, paragraph(INSPECTION * 50))), "damaged"),
], ids=["entities", "no XML", "grows", "cut off"])  # fmt: skip
def test_a_hostile_or_damaged_document_is_named_and_costs_nothing_else(tmp_path: Path, make: Any, why: str) -> None:
    with pytest.raises(Unreadable, match=why):
        told(make(tmp_path / "a.docx"))


def cut(path: Path) -> Path:
    """The archive's directory is whole, its text is not."""
    data = bytearray(path.read_bytes())
    at = data.index(b"word/document.xml") + 60
    data[at : at + 40] = bytes(40)
    path.write_bytes(bytes(data))
    return path


def test_what_is_not_read_says_what_to_hand_in_instead(tmp_path: Path) -> None:
    slides = streams(tmp_path / "a.ppt", {"PowerPoint Document": bytes(4096)})
    assert told(slides) == ({}, ["text_not_read"])


def test_the_least_docx_holds_no_text(tmp_path: Path) -> None:
    assert told(office(tmp_path / "a.docx")) == ({}, [])
