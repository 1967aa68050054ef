"""What was announced, what lies in the inbox, what the vault holds and what the catalog tells, beside one another.

The facts of others, in one place: lists that came with drops, the watchers, the last `casereel verify`, the patrol's
last round. Nothing is computed here a second time, and nothing is changed.
"""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter
from fastapi.responses import Response

from indexer.figures import health
from indexer.persons.masking import masked
from indexer.web import handed
from indexer.web.pages.work import as_json
from indexer.web.visits import Inside

ROUTES = APIRouter(tags=["work"])
# What a comparison may have found.
COMPARED: Final = ("missing", "broken", "strays", "unrecorded", "log_faults")
# What a round of the patrol may have mended, in the order of the page.
MENDED: Final = (
    "originals_recovered", "derivatives_dropped", "originals_planned_anew", "originals_decided_anew",
    "lanes_queued_again", "index_was_behind", "index_restored", "exports_cleared", "leftovers_removed",
)  # fmt: skip


@ROUTES.get("/reconciliation", include_in_schema=False)
def page(visit: Inside) -> Response:
    """The page."""
    visit.require("manage_work")
    data, unsafe = health.told(visit.house.standing(), visit.desk.seen), handed.unsafe(visit.desk)
    return visit.page(
        "reconciliation.html", data=data, unsafe=unsafe, masked=masked, mended=MENDED, rounds=_rounds(data),
        open=_open(data, unsafe),
    )  # fmt: skip


@ROUTES.get("/api/reconciliation")
def api(visit: Inside) -> Response:
    """The same as data. `open`: how much of each sort somebody should look at."""
    visit.require("manage_work")
    data, unsafe = health.told(visit.house.standing(), visit.desk.seen), handed.unsafe(visit.desk)
    return as_json({
        "open": _open(data, unsafe),
        "announced": [
            {"folder": masked(one.folder), "list": masked(one.name), "state": one.state, "listed": one.listed,
             "missing": missing, "missing_names": list(names)}
            for one, names, missing in unsafe.lists
        ],
        "refused": [
            {"path": masked(one.path), "at": one.at.isoformat(), "why": one.told.why, "do": one.told.do,
             "why_zh": one.told.why_zh, "do_zh": one.told.do_zh}
            for one in unsafe.refused
        ],
        "waiting": [{"path": masked(one.path), "why": one.why, "why_zh": one.why_zh} for one in unsafe.waiting],
        "waiting_more": unsafe.more, "verified": data["verified"], "incidents": data["incidents"],
        "fixity": data["fixity"], "index": {"behind": data["index"]["behind"], "documents": data["index"]["documents"]},
        "patrol": _rounds(data),
    })  # fmt: skip


def _open(data: dict[str, Any], unsafe: handed.Unsafe) -> dict[str, int]:
    verified = data["verified"] or {}
    return {
        "announced": sum(missing for _, _, missing in unsafe.lists), "refused": len(unsafe.refused),
        "waiting": len(unsafe.waiting) + unsafe.more,
        "compared": sum(int(verified.get(one, 0)) for one in COMPARED),
        "incidents": len(data["incidents"]),
    }  # fmt: skip


def _rounds(data: dict[str, Any]) -> list[dict[str, Any]]:
    """Each patrol's last round: `host`, `seen_s_ago`, `trouble`, and what it found to do."""
    return [
        {"host": one["host"], "seen_s_ago": one["seen_s_ago"], "trouble": one.get("trouble"),
         "last": {name: count for name, count in one.get("last", {}).items() if name in MENDED}}
        for one in data["patrols"]
    ]  # fmt: skip
