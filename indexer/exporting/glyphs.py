"""The Chinese font of papers, read once a process, and cut down once to the glyphs that papers have needed so far.

Reading all of its 30,000 glyphs for every paper takes 0.15 s of CPU, and cutting it down to those of one paper as much
again. Each paper still carries the glyphs that occur in it, and no others: they are cut from the smaller font, whose
bounds are left as those of the whole.
"""

from __future__ import annotations

import copy
import io
import logging
import string
import threading
from collections.abc import Collection
from functools import cache

from fontTools import subset
from fontTools.ttLib import TTFont
from fpdf import FPDF
from fpdf.fonts import SubsetMap, TTFFont
from pylopdf_fonts_zh_cn import sans_path


class Glyphs:
    """The font of one process."""

    def __init__(self) -> None:
        logging.getLogger("fontTools").setLevel(logging.ERROR)
        page = FPDF()
        page.add_font("sans", fname=str(sans_path()))
        font = page.fonts["sans"]
        assert isinstance(font, TTFFont)
        self._whole, self._alone = font, threading.Lock()
        self._names = frozenset(font.cmap[ord(one)] for one in string.printable if ord(one) in font.cmap)
        self._cut = b""

    def font(self) -> TTFFont:
        """The font for one paper, in which nothing is written yet."""
        font = copy.copy(self._whole)
        font.missing_glyphs, font.subset = [], SubsetMap(font)
        return font

    def with_only(self, names: Collection[str]) -> TTFont:
        """A font that has these glyphs, those of ASCII and few others, to be cut down further."""
        with self._alone:
            if not self._cut or not self._names.issuperset(names):
                wanted = self._names.union(names)
                self._cut = _cut(wanted)
                self._names = wanted
            data = self._cut
        return TTFont(io.BytesIO(data), recalcTimestamp=False, recalcBBoxes=False, lazy=True)


def _cut(names: Collection[str]) -> bytes:
    font = TTFont(str(sans_path()), recalcTimestamp=False, recalcBBoxes=False, lazy=True)
    options = subset.Options(notdef_outline=True, recommended_glyphs=True)
    # Of no use on paper that is laid out by character. What glyphs share is written out: so cutting again is quick.
    options.drop_tables += ["BASE", "GDEF", "GPOS", "GSUB", "VORG", "vhea", "vmtx"]
    options.desubroutinize = True
    cutter = subset.Subsetter(options)
    cutter.populate(glyphs=list(names))
    cutter.subset(font)
    written = io.BytesIO()
    font.save(written)
    return written.getvalue()


@cache
def glyphs() -> Glyphs:
    """Those of this process."""
    return Glyphs()
