"""Text of scans: recognised with its page, its fields and numbers, told as doubtful; poor scans and the setting."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipeline.derivers import ocr
from pipeline.edges.caged.ocr import Line, rows_of
from pipeline.records import Facts, Known
from pipeline.stages import derive
from tests.pipeline.filming import context_of, of_role, tools
from tests.pipeline.probing import probe
from tests.samples.documents import page_of_paper, scanned

INQUIRY = """询问笔录
时间：2021年8月3日15时05分至15时42分
地点：平湖市商务局三楼询问室
询问人：谢敏　　记录人：张强
被询问人：王小明
案号：平商务罚字〔2021〕3号
问：你销售的汽油是从哪里购进的？
答：从上海某石化公司购进，有发票。"""


def read(source: Path, scratch: Path, blank: list[int] | None = None, **media: Any) -> Facts:
    """What is made of the file. blank: pages without text, in the place of those that are so."""
    original, probed = probe(source, tools())
    known = Known(original=original, properties={one.name: one for one in probed.properties})
    if blank is not None:
        known.properties["document.blank"] = replace(known.properties["document.blank"], value=blank)
    context = context_of(source, scratch)
    settings = replace(context.settings, media=replace(context.settings.media, **media))
    return derive.STAGE.run(known, SimpleNamespace(**{**vars(context), "settings": settings}))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def inquiry(tmp_path_factory: pytest.TempPathFactory) -> Facts:
    """A scan of four pages: nothing but grain, a record, the same upside down and on its side."""
    folder = tmp_path_factory.mktemp("scan")
    record = page_of_paper(INQUIRY)
    grain = Image.fromarray(np.random.default_rng(5).normal(128, 40, (880, 1240)).clip(0, 255).astype(np.uint8))
    return read(scanned(folder / "扫描.pdf", grain, record, record.rotate(180), record.rotate(90, expand=True)), folder)


def said(facts: Facts) -> dict[str, Any]:
    return {one.name: one.value for one in facts.properties}


def test_a_scan_says_its_fields_with_page_and_line_as_a_typed_record_does(inquiry: Facts) -> None:
    found = said(inquiry)
    assert (found["record.kind"], found["record.from"], found["record.to"]) == (
        "询问笔录", "2021-08-03T15:05:00", "2021-08-03T15:42:00",
    )  # fmt: skip
    assert found["record.persons"] == ["王小明", "谢敏", "张强"]
    assert found["record.where"]["record.place"] == [2, 3]
    assert [number[1:4] for number in found["record.numbers"]] == [["平商务罚-2021-3", 2, 6]]
    assert {one.finder for one in inquiry.properties} == {"ocr/2"}


def test_its_text_is_told_by_pages_and_stands_upright_however_the_page_lay(inquiry: Facts) -> None:
    first, *others = said(inquiry)["ocr.pages"]
    assert first == ""
    for page in others:
        assert "你销售的汽油是从哪里购进的" in page
        assert page.splitlines()[0] == "询问笔录"


def test_it_says_that_a_machine_read_it_and_what_it_could_not_read(inquiry: Facts) -> None:
    texts = {one.code: (one.text, one.text_zh) for one in inquiry.caveats}
    assert set(texts) == {"text_recognized", "text_missing"}
    assert texts["text_recognized"][1].startswith("共 4 页，其中 3 页的文字由机器识别")
    assert texts["text_missing"][0].startswith("1 of its 4 pages")


def test_where_each_line_stands_is_kept_beside_the_pages(inquiry: Facts) -> None:
    told = json.loads(of_role(inquiry.made, "ocr").path.read_text())
    number, width, height, turned, lines = told["pages"][1]
    assert (number, turned, round(width / height, 2)) == (2, 0, 1.41)
    x0, y0, x1, y1, text, sure = lines[0]
    assert (text, sure > 0.9, 0 < x0 < x1 < width, 0 < y0 < y1 < height) == ("询问笔录", True, True, True)
    assert [page[3] for page in told["pages"]] == [0, 0, 180, 270]
    assert len(of_role(inquiry.made, "ocr").parameters["pages"]) == 3


def test_pages_that_cannot_be_drawn_cost_no_other_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ocr, "AT_ONCE", 1)
    source = scanned(tmp_path / "a.pdf", page_of_paper("询问笔录"))
    facts = read(source, tmp_path, blank=[99, 1])
    assert said(facts)["ocr.pages"] == ["询问笔录"]
    assert {one.code for one in facts.caveats} == {"text_recognized", "text_not_read"}
    lost = read(source, tmp_path, blank=[98, 99])
    assert ([one.code for one in lost.caveats], said(lost)) == (["no_ocr"], {})


def test_nothing_is_recognised_where_the_bureau_does_not_want_it(tmp_path: Path) -> None:
    source = scanned(tmp_path / "a.pdf", page_of_paper("询问笔录"))
    facts = read(source, tmp_path, ocr="none")
    assert ([one.code for one in facts.caveats], said(facts)) == (["text_not_read"], {})
    assert "设置 media.ocr 已关闭识别" in facts.caveats[0].text_zh


def test_a_scan_in_tiff_tells_its_text_by_pages_and_finds_the_same_again(tmp_path: Path) -> None:
    source = scanned(tmp_path / "a.tif", page_of_paper("送达回证"), page_of_paper("案号：平商务罚字〔2021〕3号"))
    found = read(source, tmp_path)
    assert said(found)["ocr.pages"] == ["送达回证", "案号：平商务罚字〔2021〕3号"]
    assert said(found)["record.numbers"][0][2:4] == [2, 1]
    original, probed = probe(source, tools())
    before = {one.name: one for one in (*probed.properties, *found.properties)}
    again = dict.fromkeys(one.name for one in ocr._properties(
        Known(original=original, properties=before), {1: ["送达回证"], 2: ["案号：平商务罚字〔2021〕3号"]}
    ))  # fmt: skip
    assert list(again) == ["ocr.pages", "record.kind", "record.case", "record.where", "record.numbers"]


def test_a_scan_in_tiff_says_its_fields_as_one_in_pdf_does_and_a_cameras_picture_does_not(
    inquiry: Facts, tmp_path: Path
) -> None:
    source = scanned(tmp_path / "a.tif", page_of_paper(INQUIRY))
    found = said(read(source, tmp_path))
    fields = {name for name in said(inquiry) if name.startswith("record.")}
    assert {name for name in found if name.startswith("record.")} == fields
    assert {name: found[name] for name in fields - {"record.where", "record.numbers"}} == {
        name: said(inquiry)[name] for name in fields - {"record.where", "record.numbers"}
    }
    assert found["record.where"]["record.place"] == [1, 3]
    pages: dict[int, list[str]] = {1: INQUIRY.splitlines()}
    original, probed = probe(source, tools())
    taken = {one.name: one for one in probed.properties}
    taken["exif.DateTimeOriginal"] = replace(taken["picture.width"], name="exif.DateTimeOriginal")
    by_camera = ocr._properties(Known(original=original, properties=taken), pages)
    assert {one.name for one in by_camera} == {"ocr.pages", "record.numbers"}


def test_a_photo_is_read_only_where_photos_are_wanted(tmp_path: Path) -> None:
    source = tmp_path / "a.png"
    page_of_paper("严禁烟火\n案号：平商务罚字〔2021〕3号").crop((0, 0, 700, 300)).save(source)
    assert said(read(source, tmp_path)) == {}
    found = said(read(source, tmp_path, ocr="all"))
    assert set(found) == {"ocr.lines", "record.numbers"}
    assert found["ocr.lines"][0] == [0.0, None, "严禁烟火"]
    assert found["record.numbers"][0][1:] == ["平商务罚-2021-3", 1, 2, True, True]


def test_lines_that_stand_beside_one_another_are_one() -> None:
    cells = [Line(300, 12, 400, 32, "右", 0.9), Line(10, 10, 100, 30, "左", 0.8), Line(10, 40, 100, 60, "下", 0.9)]
    assert rows_of(cells) == [Line(10, 10, 400, 32, "左\t右", 0.8), Line(10, 40, 100, 60, "下", 0.9)]
