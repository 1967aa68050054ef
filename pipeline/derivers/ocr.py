"""Text of pages that are pictures, recognised by machine (OCR): scans in PDF and TIFF, and photos by setting.

What was recognised can be searched with its page, its header's fields stand where nothing surer says them, and case
numbers in it propose links; it says nothing of when anything was recorded, and a sentence says that it may be misread.
Not covered: what `edges/caged/ocr.py` names, and pages behind the first `PAGES_MAX`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from pipeline.edges.caged.ocr import is_there, recognize
from pipeline.edges.confinement.cage import Limits
from pipeline.errors import Unreadable
from pipeline.footage import kind_of
from pipeline.records import Caveat, Facts, Known, MadeFile, Property, Words
from pipeline.stage import Context, Deriver
from pipeline.writings import header_of, rows_of

NAME: Final = "ocr"
VERSION: Final = 2
BLANK: Final = "document.blank"
PAGES_MAX: Final = 100
AT_ONCE: Final = 10
# About 190 dots an inch of a page of A4.
SIDE_PX: Final = 2200
# A full page takes about four seconds of one processor.
PAGE_S, READY_S = 40.0, 30.0
MEMORY_BYTES: Final = 3 << 30
# Caveat -> English and Chinese.
SAID: Final = {
    "text_recognized": (
        "The text of {count} of its {of} pages was recognised by machine: names, numbers and times may be misread. "
        "Compare what matters with the page.",
        "共 {of} 页，其中 {count} 页的文字由机器识别，姓名、号码和时间可能有误，重要内容请对照原页核实。",
    ),
    "text_missing": (
        "{count} of its {of} pages hold no text that could be read, as poor scans do: words on them are not found, and "
        "no field is known from them.",
        "共 {of} 页，其中 {count} 页没有可读出的文字（如不清晰的扫描件）：无法检索，也未提取任何要素。",
    ),
    "text_not_read": (
        "{count} of its {of} pages are pictures whose text nobody tried to read, for {why}: words on them are not "
        "found.",
        "共 {of} 页，其中 {count} 页为图像，未识别文字（{why}）：其上的文字无法检索。",
    ),
}
_BY_CAMERA: Final = ("exif.DateTimeOriginal", "exif.GPSDateStamp", "place.lat")
# Why pages were not tried.
ABSENT: Final = Words("this system cannot recognise text", "本系统不支持文字识别")
UNWANTED: Final = Words("the setting media.ocr leaves it out", "设置 media.ocr 已关闭识别")
LIMITS: Final = Words(
    f"they lie behind the first {PAGES_MAX}, or their reader gave up", f"超出前 {PAGES_MAX} 页，或识别程序未能完成"
)


def wants(known: Known) -> bool:
    """Whether it has pages without text, or is a picture."""
    return bool(known.value(BLANK)) or kind_of(known) == "photo"


def derive(source: Path, known: Known, scratch: Path, context: Context) -> Facts:
    """The recognised text: `ocr.pages` of a document, by page, `ocr.lines` of a picture, and where each line stands.

    Raises Unreadable where no page can be drawn.
    """
    wish, blank = context.settings.media.ocr, known.value(BLANK) or ()
    if not is_there():
        return Facts(caveats=tuple(_told(known, "text_not_read", len(blank), ABSENT)))
    if wish == "none" or (wish == "documents" and not _is_paper(known)):
        return Facts(caveats=tuple(_told(known, "text_not_read", len(blank), UNWANTED)))
    told = list(_recognized_pages(source, known, context))
    found = {number: [line[4] for line in lines] for number, *_, lines in told if lines}
    caveats = [
        *_told(known, "text_recognized", len(found)),
        *_told(known, "text_missing", len(told) - len(found) if blank else 0),
        *_told(known, "text_not_read", len(set(blank) - {number for number, *_ in told}), LIMITS),
    ]
    if not found:
        return Facts(caveats=tuple(caveats))
    path = scratch / "ocr.json"
    path.write_text(json.dumps({"version": 1, "pages": told}, ensure_ascii=False), encoding="utf-8")
    tool = f"RapidOCR {version('rapidocr')}, ONNX Runtime {version('onnxruntime')}"
    about = {"pages": sorted(found), "side_px": SIDE_PX}
    return Facts(
        made=(MadeFile(role="ocr", path=path, mime="application/json", tool=tool, parameters=about),),
        properties=tuple(_properties(known, found)), caveats=tuple(caveats),
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


def _is_paper(known: Known) -> bool:
    return known.original.kind == "document" or known.original.format == "tiff"


def _is_scan(known: Known) -> bool:
    """Whether it is paper that went through a scanner: a camera's TIFF says when and where it was taken."""
    return _is_paper(known) and not any(name in known.properties for name in _BY_CAMERA)


def _pages(known: Known) -> list[int]:
    if known.original.kind == "document":
        return list(known.value(BLANK) or ())
    return list(range(1, 1 + _pages_of(known))) if known.original.format == "tiff" else [1]


def _pages_of(known: Known) -> int:
    return int(known.value("document.pages") or known.value("picture.frames") or 1)


def _kind(known: Known) -> str:
    return "pdf" if known.original.kind == "document" else "tiff" if known.original.format == "tiff" else "photo"


def _properties(known: Known, found: dict[int, list[str]]) -> Iterator[Property]:
    of = max(_pages_of(known), *found)
    texts = ["\n".join(found.get(number, ())) for number in range(1, of + 1)]
    if _is_paper(known):
        yield Property(name="ocr.pages", found="\n".join(texts).strip(), value=texts)
    else:
        yield Property(name="ocr.lines", found=texts[0], value=[[0.0, None, line] for line in found[1]])
    written = known.value("document.text") or []
    pages: list[Sequence[str]] = [
        found.get(number) or (written[number - 1].splitlines() if number <= len(written) else [])
        for number in range(1, of + 1)
    ]
    for name, text, value in rows_of(header_of(pages)):
        other = known.properties.get(name)
        is_said = other is not None and not other.finder.startswith(f"{NAME}/")
        # A photo of paper was taken at another time and place than the paper tells of.
        if not is_said and (_is_scan(known) or name == "record.numbers"):
            yield Property(name=name, found=text, value=value)


def _told(known: Known, code: str, count: int, why: Words | None = None) -> Iterator[Caveat]:
    """The caveat with this code of so many of its pages; none of none."""
    if count:
        of, because = _pages_of(known), why or Words("", "")
        said, said_zh = SAID[code]
        yield Caveat(
            code=code, text=said.format(count=count, of=of, why=because.en),
            text_zh=said_zh.format(count=count, of=of, why=because.zh),
        )  # fmt: skip


DERIVER = Deriver(name=NAME, version=VERSION, roles=("ocr",), wants=wants, derive=derive)
