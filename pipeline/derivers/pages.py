"""Images of a document's pages: PDF, and TIFF of several pages.

Office documents, OFD and RTF are kept and get a sentence that says how to have their pages. Not covered: text, web
pages and data, which have no pages.
"""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from pipeline.edges.caged.pages import PAGE_NAME, POSTER_NAME, draw_pages
from pipeline.edges.confinement.cage import Limits
from pipeline.errors import Unreadable
from pipeline.footage import kind_of
from pipeline.records import Facts, Known, MadeFile
from pipeline.stage import Context, Deriver

PAGE_PX: Final = 1600
POSTER_PX: Final = 320
# The file of a usual case; more would fill disks with copies of what lies beside them.
PAGES_MAX: Final = 200
CPU_S: Final = 60.0
# A page that ends its reader is left out; more than so many of them, and the document is hostile.
DEADLY_MAX: Final = 3
UNDRAWN: Final = ("docx", "xlsx", "pptx", "odf", "ofd", "ole", "rtf")

OFFICE: Final = (
    "Office documents have no page images here; export it, print it to PDF and hand that in beside it",
    "此处不为办公文档生成页面图像，请导出后另存为 PDF，与原件一并提交",
)
LOCKED: Final = (
    "The PDF asks for a password; ask whoever handed it in for a copy without one",
    "该 PDF 设有打开密码，请向提交人索取未加密的副本",
)
DAMAGED: Final = (
    "The document is damaged: not one of its pages could be drawn; ask whoever handed it in for another copy",
    "文档已损坏，没有一页能够显示，请向提交人索取新的副本",
)


def derive(source: Path, known: Known, scratch: Path, context: Context) -> Facts:
    """A `page` a page, JPEG, and the first one's `poster`; parameters say which of how many, and what is missing.

    Raises Unreadable where no page can be drawn.
    """
    if known.original.format in UNDRAWN:
        raise _said(OFFICE)
    told = _drawn(source, known, scratch, context)
    if told["is_locked"]:
        raise _said(LOCKED)
    if not told["drawn"]:
        raise _said(DAMAGED)
    tool = f"PDFium through pypdfium2 {version('pypdfium2')}" if _is_pdf(known) else f"Pillow {version('pillow')}"
    pages = [_made("page", scratch / PAGE_NAME.format(number), tool, {"page": number}) for number in told["drawn"]]
    # What holds for the document is said once.
    pages[0] = replace(pages[0], parameters={**pages[0].parameters, **told, "drawn": len(pages)})
    poster = scratch / POSTER_NAME
    posters = [_made("poster", poster, tool, {"page": 1})] if poster.is_file() else []
    return Facts(made=(*pages, *posters))


def _made(role: str, path: Path, tool: str, about: dict[str, Any]) -> MadeFile:
    side_px = PAGE_PX if role == "page" else POSTER_PX
    return MadeFile(role=role, path=path, mime="image/jpeg", tool=tool, parameters={**about, "side_px": side_px})


def _drawn(source: Path, known: Known, scratch: Path, context: Context) -> dict[str, Any]:
    """What `draw_pages` says of all pages; one that crashes it or breaks its limits is left out, and it goes on."""
    limits = Limits(
        wall_s=CPU_S * 4, cpu_s=int(CPU_S * 2), memory_bytes=context.settings.media.memory_mb << 20, nice=10
    )
    deadly: list[int] = []
    first, cpu_s = 1, CPU_S
    told: dict[str, Any] = {"of": 0, "failed": [], "is_locked": False, "fonts": []}
    while len(deadly) <= DEADLY_MAX:
        try:
            told = context.tools.call(
                draw_pages, str(source), _is_pdf(known), str(scratch), PAGE_PX, POSTER_PX, first, PAGES_MAX, cpu_s,
                limits=limits, reads=[source], writes=[scratch], still_wanted=context.still_wanted,
            )  # fmt: skip
            break
        except Unreadable as error:
            if not error.fields:  # it was said of the document, not of one page
                raise _said(DAMAGED) from error
            first = _last_page(scratch, first) + 2
            deadly.append(first - 1)
            cpu_s /= 2
    drawn = [number for number in range(1, PAGES_MAX + 1) if (scratch / PAGE_NAME.format(number)).is_file()]
    return {
        **told, "of": max(told["of"], *drawn, *deadly, 0), "drawn": drawn,
        "failed": sorted({*told["failed"], *deadly}),
    }  # fmt: skip


def _last_page(scratch: Path, first: int) -> int:
    """The last page from `first` on that was drawn whole; the one before where there is none."""
    number = first - 1
    while (scratch / PAGE_NAME.format(number + 1)).is_file():
        number += 1
    return number


def _is_pdf(known: Known) -> bool:
    return known.original.format == "pdf"


def _said(sentences: tuple[str, str]) -> Unreadable:
    return Unreadable(sentences[0], zh=sentences[1])


def wants(known: Known) -> bool:
    """Whether it has pages: a PDF, a TIFF of several pictures, or an office document."""
    if kind_of(known) == "photo":
        return known.original.format == "tiff" and (known.value("picture.frames") or 1) > 1
    return known.original.format == "pdf" or known.original.format in UNDRAWN


DERIVER = Deriver(name="pages", version=1, roles=("page", "poster"), wants=wants, derive=derive)
