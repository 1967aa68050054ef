"""The web application: a status page, and the same as JSON. It loads no media library."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

HERE = Path(__file__).parent
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def create_app(standing: Callable[[], dict[str, Any]]) -> Starlette:
    """The application. standing: how the home stands, as `status --json` prints it."""
    pages = Environment(
        loader=FileSystemLoader(HERE / "templates"), autoescape=select_autoescape(), undefined=StrictUndefined
    )

    async def status_page(_: Request) -> Response:
        data = await run_in_threadpool(standing)
        return HTMLResponse(pages.get_template("status.html").render(data=data), headers=HEADERS)

    async def status_json(_: Request) -> Response:
        said = json.dumps(await run_in_threadpool(standing), ensure_ascii=False, default=_plain)
        return Response(said, media_type="application/json", headers=HEADERS)

    return Starlette(
        routes=[
            Route("/", status_page),
            Route("/api/status", status_json),
            Mount("/static", StaticFiles(directory=HERE / "static")),
        ]
    )


def _plain(value: Any) -> str:
    """Times as RFC 3339, as the command line prints them."""
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    raise TypeError(f"{type(value).__name__} is no plain data")
