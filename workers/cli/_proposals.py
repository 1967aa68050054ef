"""What waits for a person's yes or no, the case with the nearest decision first."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from workers.cli import App, app_of


def tell(number: str | None, limit: int) -> None:
    """Prints the queue."""
    from indexer.access import require
    from indexer.casework import case_json
    from pipeline.case_numbers import comparable
    from pipeline.edges.database import registers
    from workers.bootstrap import home

    app = app_of()
    with home(app.settings) as built:
        require(built.reviewer, "view")
        built.tell("view.proposals", facts={"case": number})
        today = built.catalog.now().astimezone(ZoneInfo(built.settings.time.zone)).date()
        with built.catalog.snapshot() as connection:
            found = registers.proposals(connection, key=number and comparable(number), limit=limit)
        seen = set(built.seen([one.original for one in found]))
        unnamed = built.unnamed()
        for one in (one for one in found if one.original in seen):
            data = case_json.proposal(unnamed.proposal(one), today)
            app.emit(data, _line(app, data))


def _line(app: App, data: dict[str, Any]) -> str:
    due = data["decision_due_on"] or "-"
    left = (
        "" if data["days_left"] is None else app.in_words(f"（剩 {data['days_left']} 天）", f" ({data['days_left']} d)")
    )
    why = app.in_words(data["why_zh"] or data["why"], data["why"])
    return f"{due}{left}  {data['case']}  {data['score']:.2f}  {data['original']}  {data['name']}\n    {why}"
