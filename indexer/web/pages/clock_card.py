"""The clock card on this screen: what is filmed so that a recorder's clock can be measured."""

from __future__ import annotations

import base64
import hashlib
import re

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, Response

from indexer.cards.clock import page_of
from indexer.web.visits import Inside
from pipeline.edges.log.cards import Cards

ROUTES = APIRouter(include_in_schema=False)


@ROUTES.get("/clock-card")
def page(visit: Inside) -> Response:
    """What the card is for, and a button that makes one."""
    visit.require("register")
    return visit.page("clock_card.html")


@ROUTES.post("/clock-card")
def make(visit: Inside) -> Response:
    """A new card, which shows the instant as a code from now on. Its number is in the log with who made it."""
    visit.require("register")
    card, secret = Cards(visit.desk.settings).new()
    made = page_of(card, secret, visit.person.name)
    visit.desk.tell("card.made", facts={"card": card, "kind": "clock", "for": visit.person.name, "form": "page"})
    return HTMLResponse(made, headers={"Content-Security-Policy": _policy(made)})


def _policy(page: str) -> str:
    """The card is one file that works from a disk too: its own script and style may run here, and nothing else."""
    allowed = " ".join(f"{of}-src {_digest(page, tag)};" for tag, of in (("script", "script"), ("style", "style")))
    return f"default-src 'none'; {allowed} base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


def _digest(page: str, tag: str) -> str:
    """Source: Content Security Policy Level 3, hash sources."""
    found = re.search(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
    assert found is not None, f"the card has one {tag}"
    return f"'sha256-{base64.b64encode(hashlib.sha256(found[1].encode()).digest()).decode()}'"
