"""The case slate: A4 on its side, the case number large, and its code to be filmed at the start of a recording."""

from __future__ import annotations

import logging
from typing import Final

import segno
from fpdf import FPDF
from fpdf.enums import XPos, YPos
from pylopdf_fonts_zh_cn import sans_path

_FONT: Final = "sans"
_CODE_MM: Final = 130.0
_QUIET: Final = 4  # modules about a code, ISO/IEC 18004
_SAID: Final = (
    "案件板：录制开始时对准镜头停留 3 秒，该录制即自动关联本案",
    "Case slate: hold it before the lens for 3 seconds at the start; the recording is then linked to this case",
)


def pdf_of(text: str, case: str, title: str, card: str) -> bytes:
    """The slate as a PDF of one page. text: of its code; title: of the case, may be empty."""
    logging.getLogger("fontTools").setLevel(logging.ERROR)
    page = FPDF(orientation="landscape", format="A4")
    page.set_auto_page_break(False)
    page.add_font(_FONT, fname=str(sans_path()))
    page.set_font(_FONT, size=10)
    page.set_title(f"案件板 {case}")
    page.add_page()
    _large(page, case, 34, 18)
    if title and title != case:
        _large(page, title, 16, 36)
    _code(page, text, (page.w - _CODE_MM) / 2, 48)
    for row, said in enumerate(_SAID):
        _large(page, said, 11, 184 + 7 * row)
    _large(page, card, 11, 199)
    return bytes(page.output())


def _large(page: FPDF, text: str, size: float, top_mm: float) -> None:
    """One line across the page, smaller where it would not fit."""
    page.set_font(_FONT, size=size)
    wide = page.get_string_width(text) / (page.w - 30)
    page.set_font(_FONT, size=size / max(1.0, wide))
    page.set_xy(15, top_mm)
    page.cell(page.w - 30, 8, text, align="C", new_x=XPos.LMARGIN, new_y=YPos.NEXT)


def _code(page: FPDF, text: str, left_mm: float, top_mm: float) -> None:
    rows = [bytes(row) for row in segno.make(text, error="m", micro=False, encoding="utf-8").matrix]
    side_mm = _CODE_MM / (len(rows) + 2 * _QUIET)
    page.set_fill_color(0)
    for y, row in enumerate(rows):
        for x, dark in enumerate(row):
            if dark:  # a hair wider, so that no white line lies between two
                page.rect(
                    left_mm + (x + _QUIET) * side_mm, top_mm + (y + _QUIET) * side_mm, side_mm * 1.01, side_mm * 1.01,
                    style="F",
                )  # fmt: skip
