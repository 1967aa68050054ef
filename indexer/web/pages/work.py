"""How the home stands, for operators: sentences first, each with what to do. Work, no content."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response

from indexer.web.visits import Inside

ROUTES = APIRouter(tags=["work"])


@ROUTES.get("/work", include_in_schema=False)
def page(visit: Inside) -> Response:
    """The page."""
    visit.require("manage_work")
    return visit.page("work.html", data=visit.house.standing())


@ROUTES.get("/api/status")
def status(visit: Inside) -> Response:
    """As `status --json` prints it."""
    visit.require("manage_work")
    said = json.dumps(visit.house.standing(), ensure_ascii=False, default=_plain)
    return Response(said, media_type="application/json")


def _plain(value: Any) -> str:
    """Times as RFC 3339, as the command line prints them."""
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    raise TypeError(f"{type(value).__name__} is no plain data")
