"""The text of an OFD, China's own form of fixed pages: letters stand at places, and are put together again as lines.

Run in the cage. Not covered: seals, annotations, pictures.
Source: GB/T 33190-2016, 7 (pages and their templates) and 11 (text).
"""

from __future__ import annotations

import itertools
import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from pipeline.edges.caged.parts import Parts
from pipeline.errors import Unreadable
from pipeline.writings import Writing


def of_ofd(parts: Parts, most_pages: int) -> Writing:
    """Page by page, each with the template that it lies on. Raises Unreadable."""
    pages: list[tuple[str, ...]] = []
    drawn: dict[str, list[_Piece]] = {}
    for body in _children(parts.root("OFD.xml"), "DocBody"):
        for place in _children(body, "DocRoot"):
            document = _within("", place.text)
            if document not in parts.names:
                raise Unreadable(f"The document is damaged: {document} is missing", zh=f"文档已损坏：缺少 {document}")
            root = parts.root(document)
            templates = {
                one.get("ID"): _within(document, one.get("BaseLoc"))
                for common in _children(root, "CommonData")
                for one in _children(common, "TemplatePage")
            }
            for listed in _children(root, "Pages"):
                for page in _children(listed, "Page"):
                    if len(pages) >= most_pages:
                        return Writing(tuple(pages), is_cut=True)
                    pages.append(tuple(_lines_of(parts, _within(document, page.get("BaseLoc")), templates, drawn)))
    return Writing(tuple(pages))


def _lines_of(parts: Parts, name: str, templates: dict[Any, str], drawn: dict[str, list[_Piece]]) -> list[str]:
    """drawn: the templates that were read before, for all pages may lie on one."""
    if name not in parts.names:
        return []
    root = parts.root(name)
    below = [templates.get(one.get("TemplateID"), "") for one in _children(root, "Template")]
    for one in below:
        if one not in drawn:
            drawn[one] = list(_pieces_in(parts.root(one))) if one in parts.names else []
    return _in_lines([piece for one in below for piece in drawn[one]] + list(_pieces_in(root)))


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
