"""Pages of paper: A4, with the Chinese font inside, so that they read the same on any machine.

Only the glyphs that occur are embedded. A character that the font lacks is written out as its number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final

from fpdf import FPDF, FontFace
from fpdf.enums import TableCellFillMode, WrapMode, XPos, YPos

from indexer.exporting.glyphs import glyphs

_FONT: Final = "sans"
_GREY: Final = (240, 240, 240)
_MARGIN_MM: Final = 15
_WIDTH_MM: Final = 180
_LINE_MM: Final = 5
# Of one row on one page.
_LINES_MAX: Final = 40


class _Made(dict[Any, Any]):
    """What is made of a key the first time that it is asked for."""

    def __init__(self, make: Callable[[Any], Any]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, key: Any) -> Any:
        self[key] = made = self._make(key)
        return made


class Paper(FPDF):
    """A document whose pages carry its title and their number."""

    def __init__(self, title: str, lang: str, made_at: datetime) -> None:
        super().__init__(format="A4")
        self.title_text = title
        self.set_margins(_MARGIN_MM, _MARGIN_MM)
        self.set_auto_page_break(True, margin=18)
        self._font = self.fonts[_FONT] = glyphs().font()
        # Of a font whose glyphs are named by number. Source: ISO 32000-1, 9.7.4.
        self._set_min_pdf_version("1.6")
        self.set_font(_FONT, size=9)
        self.has = self._font.cmap
        self._known = _Made(lambda one: one if one in self.has else f"[U+{one:04X}]")
        self._widths_mm = _Made(self.get_string_width)
        # As the characters stand in the document: by their place among its glyphs. Source: ISO 32000-1, 9.7.6.
        self._codes = _Made(lambda one: self._font.escape_text(chr(self._font.subset.pick(ord(one)) or 0)))
        self.add_page()
        self.set_title(title)
        self.set_lang(lang)
        self.set_creation_date(made_at)

    def output(self, *args: Any, **named: Any) -> bytearray:  # type: ignore[override]
        """The document with the glyphs that occur in it."""
        # The last footer is not drawn yet.
        footer = [self.has[ord(one)] for one in self.title_text if ord(one) in self.has]
        self._font.ttfont = glyphs().with_only([*footer, *self._font.subset.get_all_glyph_names()])
        made: bytearray = super().output(*args, **named)
        return made

    def footer(self) -> None:
        self.set_y(-14)
        self.set_font(_FONT, size=7)
        self.cell(0, 8, f"{self.title_text}   {self.page_no()} / {{nb}}", align="C")
        self.set_font(_FONT, size=9)

    def known(self, text: str) -> str:
        """The text with what the font cannot draw written out."""
        return text.translate(self._known)

    def line(self, text: str, size: float = 9, above: float = 0) -> None:  # type: ignore[override]
        if above:
            self.ln(above)
        self.set_font(_FONT, size=size)
        self.multi_cell(
            0, size * 0.55, self.known(text), align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT, wrapmode=WrapMode.CHAR
        )
        self.set_font(_FONT, size=9)

    def pairs(self, pairs: Sequence[tuple[str, str]]) -> None:
        """A table of names and values."""
        with self.table(
            col_widths=(25, 75), first_row_as_headings=False, line_height=5, wrapmode=WrapMode.CHAR,
            cell_fill_mode=TableCellFillMode.NONE,
        ) as table:  # fmt: skip
            for label, value in pairs:
                row = table.row()
                row.cell(self.known(label), style=FontFace(fill_color=_GREY))
                row.cell(self.known(value))

    def listing(self, shares: Sequence[int], rows: Sequence[Sequence[str]]) -> None:
        """A table whose first row is its heading, on every page anew. shares: of the page's width.

        Drawn line by line: fpdf2 2.8.9 takes a second for a table of hundreds of rows.
        """
        widths_mm = [_WIDTH_MM * share / sum(shares) for share in shares]
        heading, *others = ([self._lines(text, width) for text, width in zip(row, widths_mm, strict=True)]
                            for row in rows)  # fmt: skip
        self._row(heading, widths_mm, is_heading=True)
        for row in others:
            count = max(map(len, row))
            for first in range(0, count, _LINES_MAX):
                part = [lines[first : first + _LINES_MAX] for lines in row]
                if self.will_page_break(_LINE_MM * max(map(len, part))):
                    self.add_page()
                    self._row(heading, widths_mm, is_heading=True)
                self._row(part, widths_mm)

    def _lines(self, text: str, width_mm: float) -> list[str]:
        """The text in lines that fit into a cell."""
        room_mm, widths_mm, known = width_mm - 2 * self.c_margin, self._widths_mm, self.known(text)
        if sum(map(widths_mm.__getitem__, known)) <= room_mm:
            return [known]
        lines, first, used_mm = list[str](), 0, 0.0
        for place, one in enumerate(known):
            its_mm = widths_mm[one]
            used_mm += its_mm
            if used_mm > room_mm and place > first:
                lines.append(known[first:place])
                first, used_mm = place, its_mm
        return [*lines, known[first:]]

    def _row(self, cells: Sequence[Sequence[str]], widths_mm: Sequence[float], *, is_heading: bool = False) -> None:
        """Drawn in one piece: a call of fpdf2 for each line of each cell takes four times as long."""
        height_mm = _LINE_MM * max(map(len, cells))
        x, y, k, codes = self.l_margin, self.get_y(), self.k, self._codes
        if not self.current_font_is_set_on_page:
            self.text(x, y, "")
        self.set_fill_color(*_GREY)
        boxes, texts = list[str](), list[str]()
        for lines, width_mm in zip(cells, widths_mm, strict=True):
            boxes.append(f"{x * k:.2f} {(self.h - y) * k:.2f} {width_mm * k:.2f} {-height_mm * k:.2f} re")
            left = f"BT {(x + self.c_margin) * k:.2f}"
            for place, line in enumerate(lines):
                base = (self.h - y - _LINE_MM * (place + 0.5) - 0.3 * self.font_size) * k
                texts.append(f"{left} {base:.2f} Td ({''.join(map(codes.__getitem__, line))}) Tj ET")
            x += width_mm
        self._out(" ".join((*boxes, "B" if is_heading else "S", *texts)))
        self.set_y(y + height_mm)

    def signatures(self, labels: Sequence[str], dates: Sequence[str]) -> None:
        """A box for each to sign in. dates: what stands in the row below."""
        self.ln(5)
        width = _WIDTH_MM / len(labels)
        if self.get_y() > 240:
            self.add_page()
        for texts, height in ((labels, 7), ([""] * len(labels), 14), (dates, 7)):
            for text in texts:
                self.cell(width, height, self.known(text), border=1)
            self.ln(height)
