"""The report as page and paper: what it says, and that it says it in characters and runs nothing."""

from __future__ import annotations

import logging
import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from indexer.exporting import printed, words
from indexer.exporting.listing import Held, Way, as_csv
from indexer.exporting.names import name_in_bag
from indexer.exporting.report import Report, Told, as_html, report_of
from indexer.exporting.selection import Missing, Part
from pipeline.edges.storage.bag import is_safe
from pipeline.records import Known, Original

AT = datetime(2021, 8, 3, 2, 10, 10, tzinfo=UTC)
WAY = Way("zh", ZoneInfo("Asia/Shanghai"))


def original(name: str, kind: str = "video", format: str = "mp4") -> Original:
    return Original(
        id="01KAMZ5V2WQ8ZZZZZZZZZZZZZZ", sha256="a" * 64, sm3=None, size_bytes=7, kind=kind, format=format, name=name,  # type: ignore[arg-type]
        state="ready", accepted_at=AT,
    )  # fmt: skip


def held(name: str) -> Held:
    part = Part(number="0001", name="0001_x.mp4", known=Known(original=original(name)), link=None)
    return Held(part=part, sha256="a" * 64)


def report(name: str = "现场.mp4", missing: tuple[Missing, ...] = (), lang: str = "zh") -> Report:
    told = Told(
        export="E1", case="平商务罚字〔2021〕第3号", purpose="行政复议答复", by="张三", at=AT, approved="",
        software="casereel", key="f" * 64, heads=(), attested=0,
    )  # fmt: skip
    return report_of(told, [held(name)], missing, [], Way(lang, ZoneInfo("Asia/Shanghai")))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("REC_0801.mp4", "0001_REC_0801.mp4"),
        ("现场0801.MP4", "0001_video_0801.mp4"),
        ("现场.mp4", "0001_video.mp4"),
        ("现场检查", "0001_video.mp4"),
        ("a b%c.mp4", "0001_a_b_c.mp4"),
        ("..", "0001_video.mp4"),
        ("con", "0001_con.mp4"),
        ("a.b.c.tar.gz", "0001_a_b_c_tar.gz"),
        ("x" * 251 + ".mp4", "0001_" + "x" * 71 + ".mp4"),
        ("-rf.mp4", "0001_rf.mp4"),
        ("a.superlongsuffix", "0001_a_superlongsuffix.mp4"),
    ],
)
def test_names_in_a_package(name: str, expected: str) -> None:
    found = name_in_bag("0001", original(name))
    assert (found, is_safe(found)) == (expected, True)


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a b", "a%", "a\n", "con", "NUL.txt", "Com1.jpg", "a.", "-x", "中", "x" * 81]
)
def test_names_that_some_system_cannot_hold_are_not_safe(name: str) -> None:
    assert not is_safe(name)


def test_a_name_is_text_on_the_page_and_no_element_of_it() -> None:
    page = as_html(
        report("<script>alert(1)</script>.mp4", (Missing(what="gone", name="<img src=x onerror=y>"),))
    ).decode()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;.mp4" in page
    assert "<script" not in page
    assert "<img" not in page
    assert "default-src 'none'" in page


@pytest.mark.parametrize(
    ("lang", "said"), [("zh", "已依规定处置，仅存处置记录 (期满)"), ("en", "a tombstone remains (期满)")]
)
def test_what_is_missing_is_named_in_the_readers_language(lang: str, said: str) -> None:
    page = report(missing=(Missing(what="disposed", name="现场.mp4", detail="期满"),), lang=lang)
    assert [line.endswith(said) for line in page.missing] == [True]
    assert page.lacks


def test_every_reason_is_told_in_both_languages() -> None:
    from typing import get_args

    from indexer.exporting.selection import What

    assert set(words.WHY_MISSING) == set(get_args(What))
    assert all(zh and en for zh, en in words.WHY_MISSING.values())


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@a", "\t=1", "\r=1", "＝1"])
def test_no_cell_begins_as_a_formula(name: str) -> None:
    text = as_csv([held(name)], WAY).decode("utf-8-sig")
    cells = re.split(r",|\r\n", text)
    assert not [cell for cell in cells if cell.strip('"').startswith(("=", "+", "-", "@", "\t", "＝"))]


def test_the_paper_carries_its_chinese_font_and_writes_out_what_it_lacks(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    data = printed.as_pdf(report("现场检查😀.mp4"), AT)
    assert data.startswith(b"%PDF-")
    assert b"/FontFile3" in data
    assert b"NotoSansSC" in data
    assert b"/ToUnicode" in data
    assert "missing the following glyphs" not in caplog.text
    assert len(data) < 300_000
