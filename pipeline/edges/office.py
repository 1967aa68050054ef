"""The text of office documents, as pages of lines: DOCX, PPTX, ODF, OFD, workbooks, RTF. Run in the cage.

Word's own binary form is in word97.py. Not covered: headers, footers, notes and text boxes of DOCX, notes of slides,
seals and annotations of OFD, presentations of before 2007.
Source: ECMA-376 part 1, 17.3 (paragraphs and runs), 17.4 (tables) and 21.1 (DrawingML text); ISO/IEC 26300 (ODF);
GB/T 33190-2016, 7 (pages) and 11 (text) (OFD).
"""

from __future__ import annotations

import io
import itertools
import posixpath
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree

from pipeline.errors import Unreadable

Pages = tuple[tuple[str, ...], ...]

XML_BYTES: Final = 64 << 20
PARTS_MAX: Final = 2_000
CELLS_MAX: Final = 200_000
RTF_BYTES: Final = 64 << 20
_STRICT: Final = b"http://purl.oclc.org/ooxml/wordprocessingml/main"
_W: Final = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_A: Final = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_TEXT: Final = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"
_TABLE: Final = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
_DRAW: Final = "{urn:oasis:names:tc:opendocument:xmlns:drawing:1.0}"


def pages_of_zip(path: str) -> Pages | None:
    """The text of a zipped document by what it holds; None where it is of no kind that is read here.

    Raises Unreadable where it is damaged, PermissionError where it asks for a password.
    """
    try:
        with zipfile.ZipFile(path) as packed:
            names = set(packed.namelist())
            parts = _Parts(packed)
            if "META-INF/manifest.xml" in names and b"encryption-data" in packed.read("META-INF/manifest.xml"):
                raise PermissionError
            if "word/document.xml" in names:
                return _lines_in(parts.root("word/document.xml"), _WORD)
            if "OFD.xml" in names:
                return tuple(_pages_of_ofd(parts, names))
            if slides := sorted(filter(_SLIDE.fullmatch, names), key=lambda name: int(_SLIDE.fullmatch(name)[1])):  # type: ignore[index]
                return tuple(line for slide in slides for line in _lines_in(parts.root(slide), _SLIDES))
            if "xl/workbook.xml" in names or _kind_of_odf(packed, names) == "spreadsheet":
                return pages_of_workbook(Path(path).read_bytes())
            if "content.xml" in names and _kind_of_odf(packed, names):
                return _lines_in(parts.root("content.xml"), _OPEN)
    except PermissionError:
        raise
    except _DAMAGES as error:
        raise Unreadable(f"The document is damaged: {error}", zh=f"文档已损坏：{error}") from error
    return None


_DAMAGES: Final = (
    zipfile.BadZipFile, zlib.error, KeyError, EOFError, NotImplementedError, RuntimeError, ValueError, OSError,
)  # fmt: skip
_SLIDE: Final = re.compile(r"ppt/slides/slide(\d{1,6})\.xml")


def _kind_of_odf(packed: zipfile.ZipFile, names: set[str]) -> str:
    if "mimetype" not in names or packed.getinfo("mimetype").file_size > 200:
        return ""
    found = re.match(rb"application/vnd\.oasis\.opendocument\.(\w+)", packed.read("mimetype"))
    return found[1].decode() if found else ""


class _Parts:
    """The XML parts of one package; all of them together unpack to no more than XML_BYTES."""

    def __init__(self, packed: zipfile.ZipFile) -> None:
        self._packed, self._left = packed, XML_BYTES

    def root(self, name: str) -> Any:
        """The part's outermost element. Raises Unreadable for a bomb and for what is no XML; KeyError without it."""
        with self._packed.open(name) as stream:
            data = stream.read(self._left + 1)
        self._left -= len(data)
        if self._left < 0:
            raise Unreadable(
                f"The document's text is larger than {XML_BYTES >> 20} MiB once unpacked: a bomb?",
                zh=f"文档展开后超过 {XML_BYTES >> 20} MiB：疑似压缩炸弹",
            )
        if re.search(rb"<!(?:DOCTYPE|ENTITY)", data[:4096]):
            raise Unreadable(
                "The document defines entities, which no office program does", zh="文档定义了实体，办公软件不会这样写"
            )
        try:
            return ElementTree.fromstring(data.replace(_STRICT, _W[1:-1].encode()))
        except ElementTree.ParseError as error:
            raise Unreadable(f"The document's text is no XML: {error}", zh=f"文档内容不是 XML：{error}") from error


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


def _lines_in(root: Any, kind: _Kind) -> Pages:
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
    for number, child in enumerate(element):
        if child.tag in kind.paragraphs:
            yield _text_of(child, kind)
        elif child.tag == kind.row:
            yield "\t".join(" ".join(_lines_of(cell, kind)).strip() for cell in child if cell.tag in kind.cells)
        elif child.tag not in kind.left_out:
            if child.tag in kind.pages and any(one.tag in kind.pages for one in element[:number]):
                yield "\f"
            yield from _lines_of(child, kind)


def _text_of(paragraph: Any, kind: _Kind) -> str:
    found: list[str] = [paragraph.text or ""] if kind.is_mixed else []

    def walk(element: Any) -> None:
        for child in element:
            if child.tag not in kind.left_out:
                if child.tag in kind.texts or (kind.is_mixed and child.tag not in kind.signs):
                    found.append(child.text or "")
                elif child.tag in kind.signs:
                    found.append(kind.signs[child.tag](child))
                walk(child)
            if kind.is_mixed:
                found.append(child.tail or "")

    walk(paragraph)
    return "".join(found)


# -- OFD: text that stands at places


def _pages_of_ofd(parts: _Parts, names: set[str]) -> Iterator[tuple[str, ...]]:
    """Page by page, each after the template that it lies on."""
    for body in _children(parts.root("OFD.xml"), "DocBody"):
        for place in _children(body, "DocRoot"):
            document = _within("", place.text)
            if document not in names:
                raise Unreadable(f"The document is damaged: {document} is missing", zh=f"文档已损坏：缺少 {document}")
            root = parts.root(document)
            templates = {
                one.get("ID"): _within(document, one.get("BaseLoc"))
                for common in _children(root, "CommonData")
                for one in _children(common, "TemplatePage")
            }
            for pages in _children(root, "Pages"):
                for page in list(_children(pages, "Page"))[:PARTS_MAX]:
                    yield tuple(_lines_of_ofd(parts, names, _within(document, page.get("BaseLoc")), templates))


def _lines_of_ofd(parts: _Parts, names: set[str], name: str, templates: dict[Any, str]) -> list[str]:
    if name not in names:
        return []
    root = parts.root(name)
    below = [templates.get(one.get("TemplateID"), "") for one in _children(root, "Template")]
    pieces = [piece for one in below if one in names for piece in _pieces_in(parts.root(one))]
    return _in_lines([*pieces, *_pieces_in(root)])


def _children(element: Any, name: str) -> Iterator[Any]:
    """Whatever namespace it was written with: programs differ."""
    return (one for one in element if one.tag.rpartition("}")[2] == name)


def _within(base: str, place: str | None) -> str:
    place = (place or "").strip()
    joined = place if place.startswith("/") else posixpath.join(posixpath.dirname(base), place)
    return posixpath.normpath(joined).lstrip("/")


@dataclass(frozen=True)
class _Piece:
    """Millimetres from the page's upper left corner; y is where the letters stand."""

    x: float
    y: float
    size: float
    width: float
    text: str


def _pieces_in(root: Any) -> Iterator[_Piece]:
    for element in root.iter():
        if element.tag.rpartition("}")[2] != "TextObject":
            continue
        left, top, *_ = [*_numbers(element.get("Boundary")), 0.0, 0.0]
        turned = (
            [*_numbers(element.get("CTM")), *(1.0, 0.0, 0.0, 1.0, 0.0, 0.0)][:6] if element.get("CTM") else _UPRIGHT
        )
        size = next(_numbers(element.get("Size")), 3.0) * abs(turned[3] or 1.0)
        for code in _children(element, "TextCode"):
            if text := (code.text or "").strip():
                x, y = next(_numbers(code.get("X")), 0.0), next(_numbers(code.get("Y")), 0.0)
                steps = sum(_steps(code.get("DeltaX"))) * abs(turned[0] or 1.0)
                yield _Piece(
                    left + turned[0] * x + turned[2] * y + turned[4], top + turned[1] * x + turned[3] * y + turned[5],
                    size, max(steps, 0.0) + size * (1.0 if ord(text[-1]) > 0x2E7F else 0.5), text,
                )  # fmt: skip


_UPRIGHT: Final = [1.0, 0.0, 0.0, 1.0, 0.0, 0.0]


def _numbers(text: str | None) -> Iterator[float]:
    for word in (text or "").split():
        try:
            yield float(word)
        except ValueError:
            return


def _steps(text: str | None) -> Iterator[float]:
    """`g 3 2.5` stands for three steps of 2.5 (GB/T 33190, 11.3)."""
    words = iter((text or "").split())
    for word in words:
        try:
            if word == "g":
                count, step = int(next(words)), float(next(words))
                yield min(count, 10_000) * step
            else:
                yield float(word)
        except (ValueError, StopIteration):
            return


def _in_lines(pieces: list[_Piece]) -> list[str]:
    """From top to bottom and left to right; a gap of more than half a letter is a space."""
    lines: list[list[_Piece]] = []
    for piece in sorted(pieces, key=lambda one: (one.y, one.x)):
        if lines and piece.y - lines[-1][0].y < 0.5 * min(piece.size, lines[-1][0].size):
            lines[-1].append(piece)
        else:
            lines.append([piece])
    return [_joined(sorted(line, key=lambda one: one.x)) for line in lines]


def _joined(line: list[_Piece]) -> str:
    text = line[0].text
    for before, piece in itertools.pairwise(line):
        is_apart = piece.x - (before.x + before.width) > 0.5 * piece.size
        text += (" " if is_apart else "") + piece.text
    return text


# -- workbooks and RTF


def pages_of_workbook(data: bytes) -> Pages:
    """A page a sheet, a line a row that is not empty. Raises Unreadable; PermissionError behind a password."""
    import python_calamine

    from pipeline.edges.worksheets import text_of_cell

    left = CELLS_MAX
    pages: list[tuple[str, ...]] = []
    try:
        book = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(data))
        for name in book.sheet_names:
            lines = [name]
            for row in book.get_sheet_by_name(name).to_python():
                cells = [text_of_cell(cell) for cell in row]
                if any(cells):
                    lines.append("\t".join(cells).rstrip())
                left -= len(cells)
                if left <= 0:
                    return (*pages, tuple(lines))
            pages.append(tuple(lines))
    except python_calamine.PasswordError as error:
        raise PermissionError from error
    except (python_calamine.CalamineError, ValueError, OSError) as error:
        raise Unreadable(f"The workbook cannot be read: {error}", zh=f"无法读取工作簿：{error}") from error
    return tuple(pages)


def pages_of_rtf(path: str) -> Pages:
    """Pages end where the document says so; what it shows as pictures is left out."""
    from striprtf.striprtf import rtf_to_text

    with Path(path).open("rb") as stream:
        data = stream.read(RTF_BYTES)
    # The digits of pictures, each of which would be looked at by itself.
    data = re.sub(rb"[0-9a-fA-F\s]{512,}", b"", data)
    told = re.sub(r"\\page(?![a-z])", r"\\'0c", data.decode("latin-1"))
    text: str = rtf_to_text(told, errors="replace")  # type: ignore[no-untyped-call]
    text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return tuple(tuple(page.splitlines()) for page in text.split("\f"))
