"""The text of office documents, as pages of lines: DOCX, PPTX, ODF, workbooks, RTF. Run in the cage.

Not covered: headers, footers, notes and text boxes of DOCX, notes of slides, presentations of before 2007.
Source: ECMA-376 part 1, 17.3 (paragraphs and runs), 17.4 (tables) and 21.1 (DrawingML text); ISO/IEC 26300 (ODF).
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pipeline.edges.caged.parts import Parts
from pipeline.errors import Unreadable
from pipeline.writings import Writing

# Cells that hold something.
CELLS_MAX: Final = 200_000
RTF_BYTES: Final = 64 << 20
_W: Final = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_A: Final = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_TEXT: Final = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"
_TABLE: Final = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
_DRAW: Final = "{urn:oasis:names:tc:opendocument:xmlns:drawing:1.0}"


_SLIDE: Final = re.compile(r"ppt/slides/slide(\d{1,6})\.xml")


def of_parts(parts: Parts) -> Writing | None:
    """The text of a zipped document by what it holds; None where it is of no kind that is read here.

    Raises Unreadable, and DAMAGES where it is damaged.
    """
    if "word/document.xml" in parts.names:
        return Writing(_lines_in(parts.root("word/document.xml"), _WORD))
    if slides := {int(found[1]): found[0] for name in parts.names if (found := _SLIDE.fullmatch(name))}:
        return Writing(
            tuple(page for _, name in sorted(slides.items()) for page in _lines_in(parts.root(name), _SLIDES))
        )
    if parts.kind_of_odf and "content.xml" in parts.names:
        return Writing(_lines_in(parts.root("content.xml"), _OPEN))
    return None


# -- documents whose text is paragraphs within one another


@dataclass(frozen=True)
class _Kind:
    """What the elements of a kind of document mean.

    signs: element -> the text that it stands for; left_out: neither they nor what is in them is read; pages: elements
    of which each begins a page.
    """

    paragraphs: frozenset[str]
    row: str
    cells: frozenset[str]
    texts: frozenset[str]
    signs: dict[str, Callable[[Any], str]]
    left_out: frozenset[str]
    pages: frozenset[str] = frozenset()
    is_mixed: bool = False


def _spaces(element: Any) -> str:
    count = element.get(f"{_TEXT}c", "1")
    return " " * min(200, int(count)) if count.isdigit() else " "


_WORD: Final = _Kind(
    paragraphs=frozenset((f"{_W}p",)), row=f"{_W}tr", cells=frozenset((f"{_W}tc",)), texts=frozenset((f"{_W}t",)),
    signs={
        f"{_W}tab": lambda _: "\t", f"{_W}cr": lambda _: "\n", f"{_W}noBreakHyphen": lambda _: "-",
        f"{_W}lastRenderedPageBreak": lambda _: "\f",
        f"{_W}br": lambda element: "\f" if element.get(f"{_W}type") == "page" else "\n",
    },
    # What was deleted while changes were tracked is no text.
    left_out=frozenset(f"{_W}{name}" for name in ("del", "moveFrom", "pPr", "rPr", "txbxContent")),
)  # fmt: skip
_SLIDES: Final = _Kind(
    paragraphs=frozenset((f"{_A}p",)), row=f"{_A}tr", cells=frozenset((f"{_A}tc",)), texts=frozenset((f"{_A}t",)),
    signs={f"{_A}br": lambda _: "\n"}, left_out=frozenset((f"{_A}pPr", f"{_A}rPr")),
)  # fmt: skip
_OPEN: Final = _Kind(
    paragraphs=frozenset((f"{_TEXT}p", f"{_TEXT}h")), row=f"{_TABLE}table-row",
    cells=frozenset((f"{_TABLE}table-cell",)), texts=frozenset(),
    signs={
        f"{_TEXT}tab": lambda _: "\t", f"{_TEXT}line-break": lambda _: "\n", f"{_TEXT}s": _spaces,
        f"{_TEXT}soft-page-break": lambda _: "\f",
    },
    left_out=frozenset((f"{_TEXT}tracked-changes", "{urn:oasis:names:tc:opendocument:xmlns:office:1.0}annotation")),
    pages=frozenset((f"{_DRAW}page",)), is_mixed=True,
)  # fmt: skip


def _lines_in(root: Any, kind: _Kind) -> tuple[tuple[str, ...], ...]:
    pages: list[list[str]] = [[]]
    for line in _lines_of(root, kind):
        first, *further = line.split("\f")
        if first or not further:
            pages[-1] += first.splitlines() or [""]
        for part in further:
            pages.append(part.splitlines())
    return tuple(tuple(page) for page in pages)


def _lines_of(element: Any, kind: _Kind) -> Iterator[str]:
    """Paragraphs and rows of tables in their order; `\\f` where a page begins."""
    has_page = False
    for child in element:
        if child.tag in kind.paragraphs:
            yield _text_of(child, kind)
        elif child.tag == kind.row:
            yield "\t".join(" ".join(_lines_of(cell, kind)).strip() for cell in _cells_of(child, kind))
        elif child.tag not in kind.left_out:
            if child.tag in kind.pages:
                if has_page:
                    yield "\f"
                has_page = True
            yield from _lines_of(child, kind)


def _cells_of(row: Any, kind: _Kind) -> Iterator[Any]:
    """Also those that a form keeps in fields of its own."""
    for child in row:
        if child.tag in kind.cells:
            yield child
        elif child.tag not in kind.left_out:
            yield from _cells_of(child, kind)


def _text_of(paragraph: Any, kind: _Kind) -> str:
    found: list[str] = [paragraph.text or ""] if kind.is_mixed else []

    def walk(element: Any) -> None:
        for child in element:
            if child.tag not in kind.left_out:
                if child.tag in kind.paragraphs:
                    found.append("\n")
                if child.tag in kind.texts or (kind.is_mixed and child.tag not in kind.signs):
                    found.append(child.text or "")
                elif child.tag in kind.signs:
                    found.append(kind.signs[child.tag](child))
                walk(child)
                if child.tag in kind.paragraphs:  # of a box that stands among the words
                    found.append("\n")
            if kind.is_mixed:
                found.append(child.tail or "")

    walk(paragraph)
    return "".join(found)


# -- workbooks and RTF


def of_workbook(data: bytes) -> Writing:
    """A page a sheet, a line a row that is not empty. Raises Unreadable; PermissionError behind a password."""
    import python_calamine

    from pipeline.edges.caged.worksheets import text_of_cell

    left = CELLS_MAX
    pages: list[tuple[str, ...]] = []
    try:
        book = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(data))
        for name in book.sheet_names:
            lines = [name]
            for row in book.get_sheet_by_name(name).to_python():
                cells = [text_of_cell(cell) for cell in row]
                left -= sum(map(bool, cells))
                if left < 0:
                    return Writing((*pages, tuple(lines)), is_cut=True)
                if any(cells):
                    lines.append("\t".join(cells).rstrip())
            pages.append(tuple(lines))
    except python_calamine.PasswordError as error:
        raise PermissionError from error
    except (python_calamine.CalamineError, ValueError, OSError) as error:
        raise Unreadable(f"The workbook cannot be read: {error}", zh=f"无法读取工作簿：{error}") from error
    return Writing(tuple(pages))


# The digits of pictures, each of which would be looked at by itself. Words hold spaces or signs before so many digits.
_DIGITS: Final = re.compile(rb"(?<![0-9a-fA-F\r\n])[0-9a-fA-F\r\n]{512,}")


def of_rtf(path: str) -> Writing:
    """Pages end where the document says so; what it shows as pictures is left out."""
    from striprtf.striprtf import rtf_to_text

    with Path(path).open("rb") as stream:
        data = stream.read(RTF_BYTES + 1)
    told = re.sub(r"\\page(?![a-z])", r"\\'0c", _DIGITS.sub(b"", data[:RTF_BYTES]).decode("latin-1"))
    text: str = rtf_to_text(told, errors="replace")  # type: ignore[no-untyped-call]
    text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return Writing(tuple(tuple(page.splitlines()) for page in text.split("\f")), is_cut=len(data) > RTF_BYTES)
