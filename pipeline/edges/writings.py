"""The text of written records, page by page and line by line: PDF, DOCX and plain text. Run in the cage.

Not covered: text of pages that are pictures (`edges/ocr.py` recognises it), headers, footers, notes and text boxes of
DOCX, forms of PDF, documents behind a password.
Source: ISO 32000-1; ECMA-376 part 1, 17.3 (paragraphs and runs) and 17.4 (tables).
"""

from __future__ import annotations

import re
import time
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree

from pipeline.custody.sniff import text_of
from pipeline.edges.pages import PASSWORD_ERROR
from pipeline.errors import Unreadable

PAGES_MAX: Final = 500
# A case file of two hundred full pages; more is no record.
CHARS_MAX: Final = 400_000
TEXT_BYTES, XML_BYTES = 4 << 20, 64 << 20
CPU_S: Final = 3.0
_W: Final = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_STRICT: Final = "{http://purl.oclc.org/ooxml/wordprocessingml/main}"


@dataclass(frozen=True)
class Writing:
    """Pages of lines. blank: numbers of the pages that show something and hold no text, as scans do."""

    pages: tuple[tuple[str, ...], ...]
    blank: tuple[int, ...] = ()
    is_locked: bool = False
    is_cut: bool = False


def writing_of(path: str) -> Writing | None:
    """The text of the document, by what its bytes are; None where it is of a kind that is not read here.

    Raises Unreadable where it is damaged.
    """
    with Path(path).open("rb") as stream:
        head = stream.read(1024)
    if b"%PDF-" in head:
        return _cut(_of_pdf(path))
    if head.startswith(b"PK"):
        return _cut(_of_docx(path)) if _holds(path, "word/document.xml") else None
    if head.startswith((b"\xd0\xcf\x11\xe0", b"{\\rtf")):
        return None
    return _cut(_of_text(path))


def _holds(path: str, name: str) -> bool:
    try:
        with zipfile.ZipFile(path) as packed:
            return name in packed.namelist()
    except (zipfile.BadZipFile, ValueError, OSError) as error:
        raise Unreadable(f"The document is damaged: {error}", zh=f"文档已损坏：{error}") from error


def _cut(writing: Writing) -> Writing:
    pages, left = [], CHARS_MAX
    for page in writing.pages[:PAGES_MAX]:
        kept = []
        for line in page:
            if left <= 0:
                break
            kept.append(line[:left])
            left -= len(line) + 1
        pages.append(tuple(kept))
    is_cut = writing.is_cut or len(writing.pages) > PAGES_MAX or left <= 0
    return Writing(tuple(pages), writing.blank, writing.is_locked, is_cut)


def _of_text(path: str) -> Writing:
    with Path(path).open("rb") as stream:
        text = text_of(stream.read(TEXT_BYTES))
    if text is None:
        raise Unreadable(
            "The bytes are no text in UTF-8, UTF-16 or GB 18030", zh="内容不是 UTF-8、UTF-16 或 GB 18030 文本"
        )
    return Writing(tuple(tuple(page.splitlines()) for page in text.split("\f")))


def _of_pdf(path: str) -> Writing:
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(path)
    except pypdfium2.PdfiumError as error:
        if getattr(error, "err_code", None) == PASSWORD_ERROR:
            return Writing((), is_locked=True)
        raise Unreadable("The PDF is damaged: it cannot be opened", zh="PDF 已损坏，无法打开") from error
    pages: list[tuple[str, ...]] = []
    blank: list[int] = []
    until_s = time.process_time() + CPU_S
    for number in range(min(len(document), PAGES_MAX)):
        if time.process_time() > until_s:
            return Writing(tuple(pages), tuple(blank), is_cut=True)
        try:
            page = document[number]
            text = page.get_textpage().get_text_bounded()
            shows = bool(text.strip()) or any(True for _ in page.get_objects(max_depth=2))
            page.close()
        except pypdfium2.PdfiumError:
            text, shows = "", True
        if shows and not text.strip():
            blank.append(number + 1)
        pages.append(tuple(text.splitlines()))
    return Writing(tuple(pages), tuple(blank))


def _of_docx(path: str) -> Writing:
    try:
        with zipfile.ZipFile(path) as packed, packed.open("word/document.xml") as stream:
            data = stream.read(XML_BYTES + 1)
    except (zipfile.BadZipFile, zlib.error, KeyError, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise Unreadable(f"The document is damaged: {error}", zh=f"文档已损坏：{error}") from error
    if len(data) > XML_BYTES:
        raise Unreadable(
            f"The document's text is larger than {XML_BYTES >> 20} MiB once unpacked: a bomb?",
            zh=f"文档展开后超过 {XML_BYTES >> 20} MiB：疑似压缩炸弹",
        )
    if re.search(rb"<!(?:DOCTYPE|ENTITY)", data[:4096]):
        raise Unreadable(
            "The document defines entities, which no office program does", zh="文档定义了实体，办公软件不会这样写"
        )
    try:
        root = ElementTree.fromstring(data.replace(_STRICT.strip("{}").encode(), _W.strip("{}").encode()))
    except ElementTree.ParseError as error:
        raise Unreadable(f"The document's text is no XML: {error}", zh=f"文档内容不是 XML：{error}") from error
    pages: list[list[str]] = [[]]
    for line in _lines_of(root):
        first, *further = line.split("\f")
        pages[-1] += first.splitlines() or [""]
        for part in further:
            pages.append(part.splitlines())
    return Writing(tuple(tuple(page) for page in pages))


def _lines_of(element: Any) -> Iterator[str]:
    """Paragraphs and rows of tables in their order; `\\f` where a page begins."""
    for child in element:
        if child.tag == f"{_W}p":
            yield _text_of(child)
        elif child.tag == f"{_W}tr":
            yield "\t".join(" ".join(_lines_of(cell)).strip() for cell in child if cell.tag == f"{_W}tc")
        elif child.tag not in (f"{_W}del", f"{_W}moveFrom"):
            yield from _lines_of(child)


_SIGNS: Final = {f"{_W}tab": "\t", f"{_W}cr": "\n", f"{_W}noBreakHyphen": "-", f"{_W}lastRenderedPageBreak": "\f"}
_LEFT_OUT: Final = (f"{_W}del", f"{_W}moveFrom", f"{_W}pPr", f"{_W}rPr", f"{_W}txbxContent")


def _text_of(paragraph: Any) -> str:
    """Without what was deleted while changes were tracked."""
    found: list[str] = []

    def walk(element: Any) -> None:
        for child in element:
            if child.tag in _LEFT_OUT:
                continue
            if child.tag == f"{_W}t":
                found.append(child.text or "")
            elif child.tag == f"{_W}br":
                found.append("\f" if child.get(f"{_W}type") == "page" else "\n")
            elif child.tag in _SIGNS:
                found.append(_SIGNS[child.tag])
            walk(child)

    walk(paragraph)
    return "".join(found)
