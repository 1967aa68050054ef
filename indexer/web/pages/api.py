"""The description of the API, for persons who have signed in."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from indexer.web.visits import Inside

ROUTES = APIRouter(include_in_schema=False)


@ROUTES.get("/api/openapi.json")
def description(_: Inside, request: Request) -> Response:
    """Every route of the API in the form of OpenAPI 3.1."""
    return JSONResponse(request.app.openapi())
