"""The clock card: a page for any browser without a network, which shows the instant as a code five times a second.

The page draws its codes by itself (version 3, level Q, alphanumeric: ISO/IEC 18004) and holds the secret of its card.
"""

from __future__ import annotations

import html
import io
from importlib.resources import files
from typing import Final

import segno

from pipeline.codes import STEP_S

VERSION, LEVEL = 3, "q"
_PAGE: Final = "clock.html"


def page_of(card: str, secret: bytes, name: str) -> str:
    """The page, whole in one file. name: whose card it is, for people."""
    page = files(__package__).joinpath(_PAGE).read_text(encoding="utf-8")
    told = {"CARD": card, "SECRET": secret.hex(), "STEP_MS": str(round(STEP_S * 1000)), "NAME": html.escape(name)}
    for key, value in told.items():
        page = page.replace(f"%{key}%", value)
    return page


def picture_of(text: str, suffix: str) -> bytes:
    """The code of one moment as `.svg` or `.png`, with its margin."""
    out = io.BytesIO()
    segno.make(text, version=VERSION, error=LEVEL, micro=False).save(out, kind=suffix.lstrip("."), scale=16, border=4)
    return out.getvalue()
