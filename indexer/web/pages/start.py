"""Where each role begins, and why a person looks: said once, and in force until they say another."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form
from fastapi.responses import Response

from indexer.web.desk import own_path
from indexer.web.visits import Inside

ROUTES = APIRouter(include_in_schema=False)
BEGINNINGS = {
    "clerk": "/hand-in", "reviewer": "/search", "operator": "/work", "auditor": "/log", "administrator": "/work",
}  # fmt: skip


@ROUTES.get("/")
def start(visit: Inside) -> Response:
    """Sends each role to its own page."""
    return visit.go(BEGINNINGS[visit.person.role])


@ROUTES.post("/purpose")
def say_purpose(
    visit: Inside, purpose: Annotated[str, Form(max_length=500)] = "", back: Annotated[str, Form()] = "/"
) -> Response:
    """The purpose of what this person looks at from now on."""
    visit.house.accounts.say_purpose(visit.here, purpose)
    return visit.go(own_path(back))
