"""The report on paper: PDF with its Chinese font inside, so that it reads the same on any machine.

Only the glyphs that occur are embedded. A character that the font lacks is written out as its number.
"""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Final

from fpdf import FPDF, FontFace
from fpdf.enums import TableCellFillMode, WrapMode, XPos, YPos
from fpdf.fonts import TTFFont
from pylopdf_fonts_zh_cn import sans_path

from indexer.exporting.report import Report

_FONT: Final = "sans"
_GREY: Final = (240, 240, 240)
_MARGIN_MM: Final = 15
_WIDTH_MM: Final = 180
# Shares of the page's width for number, name, kind, size, recorded, uncertainty.
_SHARES: Final = (8, 34, 11, 15, 34, 16)


class _Page(FPDF):
    def __init__(self, title: str) -> None:
        super().__init__(format="A4")
        self.title_text = title
        self.set_margins(_MARGIN_MM, _MARGIN_MM)
        self.set_auto_page_break(True, margin=18)
        self.add_font(_FONT, fname=str(sans_path()))
        self.set_font(_FONT, size=9)
        font = self.fonts[_FONT]
        assert isinstance(font, TTFFont)
        self.has = font.cmap
        self.add_page()

    def footer(self) -> None:
        self.set_y(-14)
        self.set_font(_FONT, size=7)
        self.cell(0, 8, f"{self.title_text}   {self.page_no()} / {{nb}}", align="C")
        self.set_font(_FONT, size=9)

    def known(self, text: str) -> str:
        """The text with what the font cannot draw written out."""
        return "".join(one if ord(one) in self.has else f"[U+{ord(one):04X}]" for one in text)

    def line(self, text: str, size: float = 9, above: float = 0) -> None:  # type: ignore[override]
        if above:
            self.ln(above)
        self.set_font(_FONT, size=size)
        self.multi_cell(
            0, size * 0.55, self.known(text), align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT, wrapmode=WrapMode.CHAR
        )
        self.set_font(_FONT, size=9)


def as_pdf(report: Report, made_at: datetime) -> bytes:
    """The report as a PDF for A4 paper, with room for signatures."""
    logging.getLogger("fontTools").setLevel(logging.ERROR)
    page = _Page(report.title)
    page.set_title(report.title)
    page.set_lang(report.lang)
    page.set_creation_date(made_at)
    page.line(report.title, size=16)
    page.ln(2)
    _pairs(page, report.facts)
    page.line(report.missing_title, size=12, above=4)
    for line in report.missing:
        page.line(f"· {line}")
    page.line(report.words["list"], size=12, above=4)
    with page.table(col_widths=_SHARES, headings_style=_heading(), line_height=5, wrapmode=WrapMode.CHAR) as table:
        for values in (report.headings, *report.rows):
            row = table.row()
            for value in values:
                row.cell(page.known(value))
    if report.copies:
        page.line(report.words["copies"], size=12, above=4)
        for line in report.copies:
            page.line(f"· {line}")
    page.line(report.words["notes"], size=12, above=4)
    for line in report.notes:
        page.line(f"· {line}")
    _signatures(page, report)
    page.line(report.words["files"], size=12, above=6)
    for title, facts in report.files:
        page.line(title, size=10, above=3)
        _pairs(page, facts)
    return bytes(page.output())


def _heading() -> FontFace:
    return FontFace(emphasis="", fill_color=_GREY)


def _pairs(page: _Page, pairs: tuple[tuple[str, str], ...]) -> None:
    with page.table(
        col_widths=(25, 75), first_row_as_headings=False, line_height=5, wrapmode=WrapMode.CHAR,
        cell_fill_mode=TableCellFillMode.NONE,
    ) as table:  # fmt: skip
        for label, value in pairs:
            row = table.row()
            row.cell(page.known(label), style=FontFace(fill_color=_GREY))
            row.cell(page.known(value))


def _signatures(page: _Page, report: Report) -> None:
    page.ln(5)
    width = _WIDTH_MM / len(report.signatures)
    if page.get_y() > 240:
        page.add_page()
    for text, height in ((None, 7), ("", 14), (report.words["date"], 7)):
        for label in report.signatures:
            page.cell(width, height, page.known(label if text is None else text), border=1)
        page.ln(height)
