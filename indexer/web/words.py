"""The languages of the pages: templates and sentences are written in English, Chinese comes from `locale/`.

Catalogs are gettext's `.po` files, read when the first page asks for them. Times are shown in the bureau's zone with
its offset, in one form for both languages, for they are compared digit by digit.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Final, Protocol
from zoneinfo import ZoneInfo

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup, escape

from indexer.naming import Lang, named
from pipeline.edges.work.workload import gist
from pipeline.records import worded

HERE: Final = Path(__file__).parent
CATALOG: Final = HERE / "locale" / "zh" / "LC_MESSAGES" / "pages.po"


@cache
def translations(lang: Lang) -> NullTranslations:
    """The sentences of this language; English ones are the keys themselves."""
    if lang == "en":
        return NullTranslations()
    compiled = io.BytesIO()
    with CATALOG.open("rb") as stream:
        write_mo(compiled, read_po(stream, locale="zh"))
    compiled.seek(0)
    return Translations(compiled)


@cache
def templates(lang: Lang) -> Environment:
    """The pages in this language. What is put into them is escaped."""
    pages = Environment(
        loader=FileSystemLoader(HERE / "templates"), autoescape=select_autoescape(default=True),
        undefined=StrictUndefined, extensions=["jinja2.ext.i18n", "jinja2.ext.do"], trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    pages.install_gettext_translations(translations(lang), newstyle=True)  # type: ignore[attr-defined]
    pages.globals["worded"] = lambda one, name: worded(one, name, lang)
    pages.globals["named"] = lambda group, value: named(lang, group, value)
    pages.globals["comma"], pages.globals["semicolon"] = ("、", "；") if lang == "zh" else (", ", "; ")
    pages.filters |= {
        "length_of": length, "size_of": size, "marked": marked, "gist": gist, "as_time": datetime.fromisoformat,
    }  # fmt: skip
    return pages


def language_of(chosen: str | None, accepted: str) -> Lang:
    """The language chosen on the page, else the first that the browser asks for and we have; Chinese where neither."""
    if chosen == "zh":
        return "zh"
    if chosen == "en":
        return "en"
    asked = [one.split(";")[0].strip().lower() for one in accepted.split(",")]
    languages: tuple[Lang, ...] = ("zh", "en")
    return next((name for one in asked for name in languages if one.startswith(name)), "zh")


def time(at: datetime | None, zone: str) -> str:
    """`2026-08-03 09:30:12 +08:00`; a dash where there is none."""
    if at is None:
        return "—"
    local = at.astimezone(ZoneInfo(zone))
    offset = local.strftime("%z")
    return f"{local:%Y-%m-%d %H:%M:%S} {offset[:3]}:{offset[3:]}"


def length(seconds: float | None) -> str:
    """`1:02:03`, `2:03`; a dash where it is not known."""
    if seconds is None:
        return "—"
    minutes, rest = divmod(round(timedelta(seconds=seconds).total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def size(count_bytes: float) -> str:
    """In binary units with one digit behind the point."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count_bytes < 1024:
            return f"{count_bytes:.0f} {unit}" if unit == "B" else f"{count_bytes:.1f} {unit}"
        count_bytes /= 1024
    return f"{count_bytes:.1f} TiB"


class Snippet(Protocol):
    """A text with places in it, as hits and moments have it."""

    @property
    def snippet(self) -> str: ...
    @property
    def marks(self) -> Sequence[tuple[int, int]]: ...


def marked(hit: Snippet) -> Markup:
    """The snippet of a hit or moment with the words found in `<mark>`."""
    done, pieces = 0, []
    for low, high in hit.marks:
        pieces += [escape(hit.snippet[done:low]), Markup("<mark>"), escape(hit.snippet[low:high]), Markup("</mark>")]
        done = high
    return Markup("").join([*pieces, escape(hit.snippet[done:])])
