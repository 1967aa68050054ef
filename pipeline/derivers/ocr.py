"""Text of pages that are pictures, recognised by machine (OCR): scans in PDF and TIFF, and photos by setting.

What was recognised can be searched with its page, its header's fields stand where nothing surer says them, and case
numbers in it propose links; it says nothing of when anything was recorded, and a sentence says that it may be misread.
Not covered: what `edges/ocr.py` names, and pages behind the first `PAGES_MAX`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from pipeline.edges.cage import Limits
from pipeline.edges.ocr import is_there, recognize
from pipeline.errors import Unreadable
from pipeline.footage import kind_of
from pipeline.records import Caveat, Facts, Known, MadeFile, Property
from pipeline.stage import Context, Deriver
from pipeline.writings import header_of, rows_of

NAME: Final = "ocr"
VERSION: Final = 1
BLANK: Final = "document.blank"
PAGES_MAX: Final = 100
AT_ONCE: Final = 10
# About 190 dots an inch of a page of A4.
SIDE_PX: Final = 2200
# A full page takes about four seconds of one processor.
PAGE_S, READY_S = 40.0, 30.0
MEMORY_BYTES: Final = 3 << 30


def wants(known: Known) -> bool:
    """Whether it has pages without text, or is a picture."""
    return bool(known.value(BLANK)) or kind_of(known) == "photo"


def derive(source: Path, known: Known, scratch: Path, context: Context) -> Facts:
    """The recognised text: `ocr.pages` of a document, by page, `ocr.lines` of a picture, and where each line stands.

    Raises Unreadable where no page can be drawn.
    """
    wish, is_paper = context.settings.media.ocr, known.original.kind == "document" or known.original.format == "tiff"
    if not is_there() or wish == "none" or (wish == "documents" and not is_paper):
        return _unread(known, len(known.value(BLANK) or ()))
    told = list(_recognized_pages(source, known, context))
    found = {number: [line[4] for line in lines] for number, *_, lines in told if lines}
    if not found:
        return _unread(known, len(known.value(BLANK) or ()))
    path = scratch / "ocr.json"
    path.write_text(json.dumps({"version": 1, "pages": told}, ensure_ascii=False), encoding="utf-8")
    tool = f"RapidOCR {version('rapidocr')}, ONNX Runtime {version('onnxruntime')}"
    about = {"pages": sorted(found), "side_px": SIDE_PX}
    missing = _unread(known, len(set(known.value(BLANK) or ()) - found.keys())).caveats
    return Facts(
        made=(MadeFile(role="ocr", path=path, mime="application/json", tool=tool, parameters=about),),
        properties=tuple(_properties(known, found)), caveats=(_recognized(known, len(found)), *missing),
    )  # fmt: skip


def _recognized_pages(source: Path, known: Known, context: Context) -> Iterator[list[Any]]:
    """What `recognize` says of each page, some pages at a time: those that end their reader are as unread."""
    pages, orientation = _pages(known)[:PAGES_MAX], known.value("picture.orientation")
    failed: list[Unreadable] = []
    for first in range(0, len(pages), AT_ONCE):
        some = pages[first : first + AT_ONCE]
        cpu_s = PAGE_S * len(some)
        limits = Limits(wall_s=READY_S + 4 * cpu_s, cpu_s=int(READY_S + 2 * cpu_s), memory_bytes=MEMORY_BYTES, nice=10)
        try:
            yield from context.tools.call(
                recognize, str(source), _kind(known), orientation, some, SIDE_PX, cpu_s,
                limits=limits, reads=[source], still_wanted=context.still_wanted,
            )["pages"]  # fmt: skip
        except Unreadable as error:
            failed.append(error)
            if len(failed) * AT_ONCE >= len(pages):
                raise
        context.progress(min(1.0, (first + len(some)) / len(pages)))


def _pages(known: Known) -> list[int]:
    if known.original.kind == "document":
        return list(known.value(BLANK) or ())
    return list(range(1, 1 + int(known.value("picture.frames") or 1))) if known.original.format == "tiff" else [1]


def _kind(known: Known) -> str:
    return "pdf" if known.original.kind == "document" else "tiff" if known.original.format == "tiff" else "photo"


def _properties(known: Known, found: dict[int, list[str]]) -> Iterator[Property]:
    of = int(known.value("document.pages") or max(found))
    texts = ["\n".join(found.get(number, ())) for number in range(1, of + 1)]
    if known.original.kind == "document":
        yield Property(name="ocr.pages", found="\n".join(texts).strip(), value=texts)
    else:
        lines = [line for page in sorted(found) for line in found[page]]
        yield Property(name="ocr.lines", found="\n".join(lines), value=[[0.0, None, line] for line in lines])
    written = known.value("document.text") or []
    pages: list[Sequence[str]] = [
        found.get(number) or (written[number - 1].splitlines() if number <= len(written) else [])
        for number in range(1, of + 1)
    ]
    for name, text, value in rows_of(header_of(pages)):
        # A picture of paper was taken at another time and place than the paper tells of.
        if name not in known.properties and (known.original.kind == "document" or name == "record.numbers"):
            yield Property(name=name, found=text, value=value)


def _recognized(known: Known, count: int) -> Caveat:
    of = int(known.value("document.pages") or known.value("picture.frames") or 1)
    return Caveat(
        code="text_recognized",
        text=f"The text of {count} of its {of} pages was recognised by machine: names, numbers and times may be "
        "misread. Compare what matters with the page.",
        text_zh=f"共 {of} 页，其中 {count} 页的文字由机器识别，姓名、号码和时间可能有误，重要内容请对照原页核实。",
    )


def _unread(known: Known, count: int) -> Facts:
    """What is said of so many pages without a text that anybody or anything could read."""
    if not count:
        return Facts()
    of = int(known.value("document.pages") or count)
    return Facts(caveats=(Caveat(
        code="text_missing",
        text=f"{count} of its {of} pages hold no text that could be read, as poor scans do: words on them are not "
        "found, and no field is known from them.",
        text_zh=f"共 {of} 页，其中 {count} 页没有可读出的文字（如不清晰的扫描件）：无法检索，也未提取任何要素。",
    ),))  # fmt: skip


DERIVER = Deriver(name=NAME, version=VERSION, roles=("ocr",), wants=wants, derive=derive)
