"""Written records: their text, and what their header says (`record.from`, `record.to`, `record.place`, ...).

`document.text` is the text by pages, `record.where` says on which page and line each field stands. Not covered: what
`pipeline/writings.py` and `pipeline/edges/caged/writings.py` name; pages that are pictures, which `derivers/ocr.py`
reads and `document.blank` counts up.
Source: see there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from pipeline.edges.caged.reading import CaveatRow, Row, answer
from pipeline.edges.caged.writings import writing_of
from pipeline.records import Original
from pipeline.stage import Extractor
from pipeline.writings import Header, Writing, header_of, rows_of

FORMATS: Final = ("pdf", "docx", "text", "ole", "rtf", "odf", "ofd", "xlsx", "pptx")
NOT_READ: Final[CaveatRow] = (
    "text_not_read",
    "The text of this kind of document is not read here, so words in it are not found; save it as PDF or DOCX too, and "
    "hand that in beside it.",
    "此类文档的文字不予读取，无法检索；请另存为 PDF 或 DOCX，与原件一并提交。",
)
LOCKED: Final[CaveatRow] = (
    "text_locked",
    "The document asks for a password, so its text cannot be searched; ask for a copy without one.",
    "文档设有打开密码，无法检索其文字；请索取未加密的副本。",
)
CUT: Final[CaveatRow] = (
    "text_cut",
    "The document is so long that only its beginning can be searched.",
    "文档过长，仅开头部分可以检索。",
)


def extract(path: str) -> dict[str, Any]:
    """The text and the header's fields. Raises Unreadable where the document is damaged."""
    writing = writing_of(path)
    if writing is None:
        return answer([], [NOT_READ])
    if writing.is_locked:
        return answer([], [LOCKED])
    header = header_of(writing.pages)
    return answer(_rows(writing, header), [*_caveats(writing), *header.doubts])


def _rows(writing: Writing, header: Header) -> Iterator[Row]:
    yield from rows_of(header)
    texts = ["\n".join(page).strip() for page in writing.pages]
    if any(texts):
        yield "document.text", "\n".join(texts), texts
    if any(texts) or writing.blank:
        yield "document.pages", str(len(texts)), len(texts)
    if writing.blank:
        yield "document.blank", ", ".join(map(str, writing.blank)), list(writing.blank)


def _caveats(writing: Writing) -> Iterator[CaveatRow]:
    if writing.is_cut:
        yield CUT


def _reads(original: Original) -> bool:
    return original.kind == "document" and original.format in FORMATS


EXTRACTOR = Extractor(name="written", version=3, reads=_reads, extract=extract)
