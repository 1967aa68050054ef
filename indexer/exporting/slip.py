"""The receipt on paper, with room for the signatures of both."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, Protocol

from indexer.exporting.paper import Paper

# Shares of the page's width for number, name, size, received, device and officer, digest and original.
_SHARES: Final = (7, 36, 13, 12, 18, 44)


class Said(Protocol):
    """What stands on it; `indexer.web.receipt.Receipt` is one."""

    @property
    def title(self) -> str: ...
    @property
    def facts(self) -> Sequence[tuple[str, str]]: ...
    @property
    def refused_title(self) -> str: ...
    @property
    def refused(self) -> Sequence[str]: ...
    @property
    def safe_title(self) -> str: ...
    @property
    def headings(self) -> Sequence[str]: ...
    @property
    def rows(self) -> Sequence[Sequence[str]]: ...
    @property
    def signatures(self) -> Sequence[str]: ...
    @property
    def date(self) -> str: ...


def as_pdf(said: Said, lang: str, made_at: datetime) -> bytes:
    """The receipt for A4 paper."""
    page = Paper(said.title, lang, made_at)
    page.line(said.title, size=16)
    page.ln(2)
    page.pairs(said.facts)
    if said.refused:
        page.line(said.refused_title, size=12, above=4)
        for line in said.refused:
            page.line(f"· {line}")
    page.line(said.safe_title, size=12, above=4)
    page.listing(_SHARES, (said.headings, *said.rows))
    page.signatures(said.signatures, [said.date] * len(said.signatures))
    return bytes(page.output())
