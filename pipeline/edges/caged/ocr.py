"""Printed text in pictures of paper, recognised by machine (OCR): the functions here run in the cage.

Covered: Chinese and English in print, on pages that lie in any of the four ways, a little askew, grey, noisy. Not
covered: handwriting, which is tried and often misread; single lines that lie otherwise than their page; what lies under
seals.
Source: PP-OCRv6 (small) as RapidOCR brings it; its models lie in the package, and nothing is fetched.
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any, Final, NamedTuple

from pipeline.edges.caged.pages import DOTS_PER_POINT_MAX
from pipeline.edges.caged.pictures import page_of_tiff, upright
from pipeline.errors import Unreadable

# A page of which the recogniser is less sure than this, by its letters, may lie otherwise.
SURE_UPRIGHT: Final = 0.85
# A line of which the recogniser is less sure than this is left out: patterns and pictures look so.
SURE_MIN: Final = 0.6
# Letters further apart than this share of their width are words apart; further than so many, cells of a table.
APART, CELLS_APART = 0.55, 3.0


class Line(NamedTuple):
    """A line as it stands: its box in pixels of the picture, its text, and how sure the recogniser is, 0 to 1."""

    x0: float
    y0: float
    x1: float
    y1: float
    text: str
    sure: float


def is_there() -> bool:
    """Whether this system can recognise text: ONNX Runtime is not made for Macs with Intel processors any more."""
    return importlib.util.find_spec("onnxruntime") is not None


def recognize(
    source: str, kind: str, orientation: int | None, pages: Sequence[int], side_px: int, cpu_s: float
) -> dict[str, Any]:
    """The lines of these pages, from 1. kind: `pdf`, `tiff` or `photo`; orientation: of a photo's EXIF.

    Returns {"pages": [[number, width, height, turned, [[x0, y0, x1, y1, text, sure], ...]], ...]}: turned by so many
    degrees against the clock the page stands upright, and so it is measured, in pixels; its lines are from top to
    bottom. After so much work no further page is begun. Raises Unreadable where no page can be drawn.
    """
    engine, found, until_s = _engine(), [], time.process_time() + cpu_s
    failed = 0
    for number in pages:
        if time.process_time() > until_s:
            break
        try:
            picture = _drawn(Path(source), kind, orientation, number, side_px)
        except Unreadable:
            failed += 1
            if failed == len(pages):
                raise
            continue
        turned, (width, height), lines = _upright(engine, picture)
        found.append([number, width, height, turned, [list(line) for line in rows_of(lines)]])
    return {"pages": found}


def _engine() -> Any:
    import cv2
    from rapidocr import RapidOCR

    cv2.setNumThreads(1)
    return RapidOCR(
        params={
            "Global.log_level": "critical", "Global.text_score": 0.0, "Global.use_cls": False,
            "EngineConfig.onnxruntime.intra_op_num_threads": 1, "EngineConfig.onnxruntime.inter_op_num_threads": 1,
        }
    )  # fmt: skip


def _drawn(source: Path, kind: str, orientation: int | None, number: int, side_px: int) -> Any:
    if kind == "tiff":
        return page_of_tiff(source, number, side_px).convert("RGB")
    if kind == "photo":
        return upright(source, orientation, side_px).convert("RGB")
    import pypdfium2

    try:
        page = pypdfium2.PdfDocument(source)[number - 1]
        scale = min(DOTS_PER_POINT_MAX, side_px / max(page.get_size()))
        return page.render(scale=scale, may_draw_forms=True).to_pil().convert("RGB")
    except (pypdfium2.PdfiumError, ValueError, ZeroDivisionError, MemoryError) as error:
        raise Unreadable("The page cannot be drawn", zh="无法显示该页") from error


def _upright(engine: Any, picture: Any) -> tuple[int, tuple[int, int], list[Line]]:
    """How far the page was turned so that most can be read of it, its size then, and its lines."""
    tries = {0: _lines(engine, picture)}
    if tries[0] and (_is_sideways(tries[0]) or _sure(tries[0]) < SURE_UPRIGHT):
        for turned in (90, 270) if _is_sideways(tries[0]) else (180,):
            tries[turned] = _lines(engine, picture.rotate(turned, expand=True))
    best = max(tries, key=lambda turned: _sure(tries[turned]))
    size = picture.size[::-1] if best in (90, 270) else picture.size
    return best, size, [line for line in tries[best] if line.sure >= SURE_MIN]


def _sure(lines: Sequence[Line]) -> float:
    letters = sum(len(line.text) for line in lines)
    return sum(line.sure * len(line.text) for line in lines) / letters if letters else 0.0


def _is_sideways(lines: Sequence[Line]) -> bool:
    tall = sum(len(line.text) for line in lines if line.y1 - line.y0 > 2 * (line.x1 - line.x0))
    return 2 * tall > sum(len(line.text) for line in lines)


def _lines(engine: Any, picture: Any) -> list[Line]:
    import numpy as np

    told = engine(np.asarray(picture)[:, :, ::-1], return_word_box=True)
    if told.boxes is None:
        return []
    texts = (_spaced(words) for words in told.word_results)
    return [
        Line(*_box(box), text, round(float(sure), 3))
        for box, text, sure in zip(told.boxes, texts, told.scores, strict=True)
        if text.strip()
    ]


def _box(corners: Any) -> tuple[float, float, float, float]:
    x0, y0, x1, y1 = (round(float(side), 1) for side in (*corners.min(axis=0), *corners.max(axis=0)))
    return x0, y0, x1, y1


def _spaced(words: Sequence[tuple[str, float, Any]]) -> str:
    """The line with the gaps that stood in it, which the recogniser leaves out."""
    ends = [(min(x for x, _ in box), max(x for x, _ in box)) for _, _, box in words]
    widths = [(last - first) / max(1, len(text)) for (text, *_), (first, last) in zip(words, ends, strict=True)]
    width = median(widths or [1.0])
    said = ""
    for place, (text, *_) in enumerate(words):
        gap = ends[place][0] - ends[place - 1][1] if place else 0.0
        # Brackets and commas of full width bring a gap of their own.
        is_between_letters = said[-1:].isalnum() and text[:1].isalnum()
        said += "\t" if gap > CELLS_APART * width else "  " if gap > APART * width and is_between_letters else ""
        said += text
    return said


def rows_of(lines: Sequence[Line]) -> list[Line]:
    """Lines that stand beside one another as one, a tab between them, from top to bottom."""
    rows: list[list[Line]] = []
    for line in sorted(lines, key=lambda one: (one.y0 + one.y1) / 2):
        last = rows[-1][-1] if rows else None
        if last is not None and _are_beside(last, line) and all(_clear(one, line) for one in rows[-1]):
            rows[-1].append(line)
        else:
            rows.append([line])
    return [_joined(sorted(row)) for row in rows]


def _are_beside(one: Line, other: Line) -> bool:
    shared = min(one.y1, other.y1) - max(one.y0, other.y0)
    return shared > 0.5 * min(one.y1 - one.y0, other.y1 - other.y0)


def _clear(one: Line, other: Line) -> bool:
    return one.x1 <= other.x0 or other.x1 <= one.x0


def _joined(row: Sequence[Line]) -> Line:
    return Line(
        row[0].x0, min(one.y0 for one in row), row[-1].x1, max(one.y1 for one in row),
        "\t".join(one.text for one in row), min(one.sure for one in row),
    )  # fmt: skip
