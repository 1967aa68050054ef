"""Written records: their text, and what their header says (`record.from`, `record.to`, `record.place`, ...).

`document.text` is the text by pages, `record.where` says on which page and line each field stands. Not covered: what
`pipeline/writings.py` and `pipeline/edges/writings.py` name; photos and scans of paper, which are pictures.
Source: see there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from pipeline.edges.reading import CaveatRow, Row, answer
from pipeline.edges.writings import Writing, writing_of
from pipeline.records import Original
from pipeline.stage import Extractor
from pipeline.writings import Header, header_of

FORMATS: Final = ("pdf", "docx", "text")
# Kept, and not read.
UNREAD: Final = ("ole", "rtf", "odf", "ofd", "xlsx", "pptx")
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
    for one in header.fields:
        yield f"record.{one.name}", one.text, one.value
    if header.fields:
        where = {f"record.{one.name}": [one.page, one.line] for one in header.fields}
        yield "record.where", "; ".join(f"{name} {page}/{line}" for name, (page, line) in where.items()), where
    if header.numbers:
        told = [[one.printed, one.key, one.page, one.line, one.own, one.labelled] for one in header.numbers]
        yield "record.numbers", "、".join(one.printed for one in header.numbers), told
    texts = ["\n".join(page).strip() for page in writing.pages]
    if any(texts):
        yield "document.text", "\n".join(texts), texts
        yield "document.pages", str(len(texts)), len(texts)


def _caveats(writing: Writing) -> Iterator[CaveatRow]:
    if writing.is_cut:
        yield CUT
    if writing.blank:
        of = len(writing.pages)
        yield (
            "text_missing",
            f"{writing.blank} of its {of} pages hold no text, as scans do: nobody read them, so words on them are not "
            "found, and no field is known from them.",
            f"共 {of} 页，其中 {writing.blank} 页没有文字（如扫描件）：其上的文字无法检索，也未提取任何要素。",
        )


def _reads(original: Original) -> bool:
    return original.kind == "document" and original.format in FORMATS + UNREAD


EXTRACTOR = Extractor(name="written", version=1, reads=_reads, extract=extract)
