"""Pages of documents as pictures: the functions here run in the cage, for every document is hostile until drawn.

Covered: PDF by PDFium (stamps and signature fields drawn, nothing in it is run), TIFF of several pages. Fonts that a
PDF does not hold come from our own Chinese font, so that a page looks the same on every system. Not covered: forms of
the XFA kind, attachments, layers that are switched off.
Source: ISO 32000-1.
"""

from __future__ import annotations

import ctypes
import time
from pathlib import Path
from typing import Any, Final

from pipeline.edges.caged.pictures import page_of_tiff, pages_in_tiff
from pipeline.errors import Unreadable

# Paper in points (1/72 inch): small labels are drawn no finer than this.
DOTS_PER_POINT_MAX: Final = 300 / 72
PAGE_NAME: Final = "page-{:05d}.jpg"
POSTER_NAME: Final = "page-poster.jpg"
PASSWORD_ERROR: Final = 4
TEXTS_LOOKED_AT, FONT_NAME_BYTES = 400, 128
# ISO 32000-1, 9.6.2.2: those that every PDF reader has.
EVERYBODYS_FONTS: Final = ("Helvetica", "Times", "Courier", "Symbol", "ZapfDingbats", "Arial")


def draw_pages(
    source: str, is_pdf: bool, folder: str, side_px: int, poster_px: int, first: int, last: int, cpu_s: float
) -> dict[str, Any]:
    """Pages `first` to `last` (from 1, at most) lie in the folder as PAGE_NAME, upright sRGB JPEG, whole ones alone.

    Beside them lies the first one of a PDF as POSTER_NAME, no side longer than poster_px.
    cpu_s: after this much work no further page is begun. Returns {"of": how many pages the document has, "drawn":
    their numbers, "failed": those that could not be drawn, "is_locked": whether it asks for a password, "fonts": those
    that it does not hold, so that other letters stand in their place}.
    Raises Unreadable where it is no such document.
    """
    until = time.process_time() + cpu_s
    if not is_pdf:
        return _of_tiff(Path(source), Path(folder), side_px, first, last, until)
    told = _of_pdf(source, Path(folder), side_px, first, last, until)
    if told["drawn"] and not (Path(folder) / POSTER_NAME).exists():
        _keep_poster(Path(folder), told["drawn"][0], poster_px)
    return told


def _of_pdf(source: str, folder: Path, side_px: int, first: int, last: int, until: float) -> dict[str, Any]:
    import pypdfium2

    held = _with_own_fonts()  # noqa: F841  # PDFium keeps pointers to it
    try:
        document = pypdfium2.PdfDocument(source)
    except pypdfium2.PdfiumError as error:
        if getattr(error, "err_code", None) == PASSWORD_ERROR:
            return {"of": 0, "drawn": [], "failed": [], "is_locked": True, "fonts": []}
        raise Unreadable("The PDF is damaged: it cannot be opened", zh="PDF 已损坏，无法打开") from error
    document.init_forms()  # draws signature fields, in which seals lie
    drawn, failed, fonts = [], [], set()
    for number in range(first, min(last, len(document)) + 1):
        if time.process_time() > until:
            break
        try:
            page = document[number - 1]
            scale = min(DOTS_PER_POINT_MAX, side_px / max(page.get_size()))
            picture = page.render(scale=scale, may_draw_forms=True).to_pil()
            fonts |= _missing_fonts(page)
            page.close()
        except (pypdfium2.PdfiumError, ValueError, ZeroDivisionError, MemoryError):
            failed.append(number)
            continue
        _keep(picture, folder, number)
        drawn.append(number)
    return {"of": len(document), "drawn": drawn, "failed": failed, "is_locked": False, "fonts": sorted(fonts)}


def _of_tiff(source: Path, folder: Path, side_px: int, first: int, last: int, until: float) -> dict[str, Any]:
    of = pages_in_tiff(source)
    drawn, failed = [], []
    for number in range(first, min(last, of) + 1):
        if time.process_time() > until:
            break
        try:
            picture = page_of_tiff(source, number, side_px)
        except Unreadable:
            failed.append(number)
            continue
        _keep(picture, folder, number)
        drawn.append(number)
    return {"of": of, "drawn": drawn, "failed": failed, "is_locked": False, "fonts": []}


def _keep(picture: Any, folder: Path, number: int) -> None:
    # The number lies in the file too: two blank pages are two files.
    part = folder / "page.part"
    picture.convert("RGB").save(part, "JPEG", quality=85, optimize=True, comment=f"page {number}".encode())
    part.replace(folder / PAGE_NAME.format(number))


def _keep_poster(folder: Path, number: int, poster_px: int) -> None:
    from PIL import Image

    with Image.open(folder / PAGE_NAME.format(number), formats=("JPEG",)) as picture:
        picture.thumbnail((poster_px, poster_px))
        picture.save(folder / POSTER_NAME, "JPEG", quality=85)


def _with_own_fonts() -> Any:
    """PDFium looks for fonts nowhere but in our own; hold what comes back as long as it works."""
    import pylopdf_fonts_zh_cn
    import pypdfium2.raw as pdfium

    folder = str(Path(pylopdf_fonts_zh_cn.__file__).parent).encode()
    letters = ctypes.POINTER(ctypes.c_char)
    paths = (letters * 2)()  # ends with a null pointer
    paths[0] = ctypes.cast(ctypes.c_char_p(folder), letters)
    pdfium.FPDF_DestroyLibrary()
    pdfium.FPDF_InitLibraryWithConfig(
        pdfium.FPDF_LIBRARY_CONFIG(version=2, m_pUserFontPaths=paths, m_pIsolate=None, m_v8EmbedderSlot=0)
    )
    return folder, paths


def _missing_fonts(page: Any) -> set[str]:
    """Names of the fonts that this page's text wants and the PDF does not hold, those of every reader left out."""
    import pypdfium2.raw as pdfium

    names = set()
    for _, one in zip(range(TEXTS_LOOKED_AT), page.get_objects(filter=(pdfium.FPDF_PAGEOBJ_TEXT,)), strict=False):
        font = pdfium.FPDFTextObj_GetFont(one.raw)
        if font and pdfium.FPDFFont_GetIsEmbedded(font) == 0:
            buffer = ctypes.create_string_buffer(FONT_NAME_BYTES)
            pdfium.FPDFFont_GetBaseFontName(font, buffer, FONT_NAME_BYTES)
            names.add(buffer.value.decode("utf-8", "replace"))
    return {name for name in names if not name.startswith(EVERYBODYS_FONTS)}
