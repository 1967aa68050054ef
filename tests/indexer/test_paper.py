"""Papers with the font inside: what they say can be read again, and each carries its own glyphs alone."""

from __future__ import annotations

import ctypes
from datetime import UTC, datetime
from io import BytesIO

import pypdfium2 as pdfium
import pypdfium2.raw as raw
from fontTools.cffLib import CFFFontSet

from indexer.exporting.paper import Paper

AT = datetime(2026, 11, 23, tzinfo=UTC)


def paper(title: str, *rows: tuple[str, str]) -> bytes:
    page = Paper(title, "zh", AT)
    page.listing((1, 3), (("序号", "名称"), *rows))
    return bytes(page.output())


def text_of(pdf: bytes) -> str:
    with pdfium.PdfDocument(pdf) as document:
        return "".join("".join(page.get_textpage().get_text_bounded().split()) for page in document)


def glyphs_of(pdf: bytes) -> int:
    """How many glyphs the font in it holds."""
    with pdfium.PdfDocument(pdf) as document:
        font = next(document[0].get_objects([raw.FPDF_PAGEOBJ_TEXT])).get_font()
        count = ctypes.c_size_t()
        raw.FPDFFont_GetFontData(font, None, 0, count)
        data = (ctypes.c_uint8 * count.value)()
        raw.FPDFFont_GetFontData(font, data, count.value, count)
    found = CFFFontSet()
    found.decompile(BytesIO(bytes(data)), None)
    return len(found[0].CharStrings)


def test_every_paper_reads_as_written_and_carries_no_glyph_of_another() -> None:
    first = paper("收据", ("1", "一号箱/现场.jpg"))
    alone = glyphs_of(first)
    many = paper("清单 (二)", *((str(number), chr(0x4E00 + 7 * number) * 40 + "\\)(") for number in range(300)))
    assert "".join(chr(0x4E00 + 7 * 299) * 40) in text_of(many).replace("\n", "")
    assert "清单(二)6/6" in text_of(many)
    assert glyphs_of(many) > 300
    again = paper("收据", ("1", "一号箱/现场.jpg"))
    assert glyphs_of(again) == alone < 40
    assert text_of(again) == text_of(first)
    assert "一号箱/现场.jpg" in text_of(again)


def test_what_the_font_cannot_draw_is_written_out_as_its_number() -> None:
    assert "a[U+1F600]b[U+0007]" in text_of(paper("收据", ("1", "a\U0001f600b\x07")))
