"""The report on paper, with room for signatures."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from indexer.exporting.paper import Paper
from indexer.exporting.report import Report

# Shares of the page's width for number, name, kind, size, recorded, uncertainty.
_SHARES: Final = (8, 34, 11, 15, 34, 16)


def as_pdf(report: Report, made_at: datetime) -> bytes:
    """The report as a PDF for A4 paper, with room for signatures."""
    page = Paper(report.title, report.lang, made_at)
    page.line(report.title, size=16)
    page.ln(2)
    page.pairs(report.facts)
    page.line(report.missing_title, size=12, above=4)
    for line in report.missing:
        page.line(f"· {line}")
    page.line(report.words["list"], size=12, above=4)
    page.listing(_SHARES, (report.headings, *report.rows))
    if report.copies:
        page.line(report.words["copies"], size=12, above=4)
        for line in report.copies:
            page.line(f"· {line}")
    page.line(report.words["notes"], size=12, above=4)
    for line in report.notes:
        page.line(f"· {line}")
    page.signatures(report.signatures, [report.words["date"]] * len(report.signatures))
    page.line(report.words["files"], size=12, above=6)
    for title, facts in report.files:
        page.line(title, size=10, above=3)
        page.pairs(facts)
    return bytes(page.output())
