"""Whether the web server lives, and whether the home behind it answers: for supervisors, and without a figure."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

OPEN = True
ROUTES = APIRouter(tags=["health"])


@ROUTES.get("/healthz")
def alive() -> Response:
    """The server answers."""
    return JSONResponse({"ok": True})


@ROUTES.get("/readyz")
def ready(request: Request) -> Response:
    """The catalog answers too. Raises TryAgain (503) where it does not."""
    request.app.state.house.accounts.signed_in("nobody")
    return JSONResponse({"ok": True})
