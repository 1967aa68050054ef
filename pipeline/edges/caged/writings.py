"""The text of written records, page by page and line by line: PDF, plain text, and office documents. Run in the cage.

Not covered: text of pages that are pictures (`ocr.py` recognises it), forms of PDF, documents behind a password, and
what office.py, ofd.py and word97.py name.
Source: ISO 32000-1; [MS-CFB] (streams of DOC, XLS and what is locked); see there.
"""

from __future__ import annotations

import struct
import time
import zipfile
from pathlib import Path
from typing import Final

from pipeline.custody.sniff import text_of
from pipeline.edges.caged import ofd, office, word97
from pipeline.edges.caged.pages import PASSWORD_ERROR
from pipeline.edges.caged.parts import DAMAGES, Parts
from pipeline.errors import Unreadable
from pipeline.writings import Writing

PAGES_MAX: Final = 500
# A case file of two hundred full pages; more is no record.
CHARS_MAX: Final = 400_000
TEXT_BYTES: Final = 4 << 20
CPU_S: Final = 3.0


def writing_of(path: str) -> Writing | None:
    """The text of the document, by what its bytes are; None where it is of a kind that is not read here.

    Raises Unreadable where it is damaged.
    """
    with Path(path).open("rb") as stream:
        head = stream.read(1024)
    if b"%PDF-" in head:
        return _cut(_of_pdf(path))
    try:
        if head.startswith(b"PK"):
            writing = _of_zip(path)
        elif head.startswith(b"\xd0\xcf\x11\xe0"):
            writing = _of_streams(path)
        elif head.startswith(b"{\\rtf"):
            writing = office.of_rtf(path)
        else:
            writing = _of_text(path)
    except PermissionError:
        return Writing((), is_locked=True)
    return None if writing is None else _cut(writing)


def _of_zip(path: str) -> Writing | None:
    """Raises PermissionError where it asks for a password."""
    try:
        with zipfile.ZipFile(path) as packed:
            parts = Parts(packed)
            if parts.is_locked:
                raise PermissionError
            if "OFD.xml" in parts.names:
                return ofd.of_ofd(parts, PAGES_MAX)
            if "xl/workbook.xml" in parts.names or parts.kind_of_odf == "spreadsheet":
                return office.of_workbook(Path(path).read_bytes())
            return office.of_parts(parts)
    except PermissionError:
        raise
    except DAMAGES as error:
        raise Unreadable(f"The document is damaged: {error}", zh=f"文档已损坏：{error}") from error


def _of_streams(path: str) -> Writing | None:
    """What was written before 2007. Raises PermissionError where it asks for a password."""
    import olefile

    try:
        with olefile.OleFileIO(path) as streams:

            def read(name: str) -> bytes:
                with streams.openstream(name) as stream:
                    return bytes(stream.read(word97.STREAM_BYTES + 1))

            if streams.exists("EncryptedPackage"):
                raise PermissionError
            if streams.exists("WordDocument"):
                return word97.of_word(read("WordDocument"), lambda number: read(f"{number}Table"))
            if streams.exists("Workbook") or streams.exists("Book"):
                return office.of_workbook(Path(path).read_bytes())
    except PermissionError:
        raise
    except (OSError, ValueError, IndexError, struct.error, RecursionError) as error:
        raise Unreadable(f"The document is damaged: {error}", zh=f"文档已损坏：{error}") from error
    return None


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
