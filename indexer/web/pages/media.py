"""The bytes of derivatives and originals, in ranges, each after a check: who may see it, and that a look was begun.

A poster is shown beside hits, before any look. An original is played under a right of its own, and its file leaves only
by an approved request.
"""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter
from fastapi.responses import FileResponse, Response

from indexer.web.pages.original import looked_at, seen_id
from indexer.web.showing import own_mime
from indexer.web.visits import Inside
from pipeline.errors import NotAllowed

ROUTES = APIRouter(tags=["media"])
BEFORE_A_LOOK: Final = frozenset(("poster",))
# Bytes of an exhibit never run as a page here, whatever they are.
_CONTAINED: Final = {
    "Content-Security-Policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'; media-src 'self'"
}
# A browser keeps pictures of this session for as long as it scrolls.
_KEPT: Final = {"Cache-Control": "private, max-age=300"}


@ROUTES.get("/media/{original}/{derivative}")
def derivative(visit: Inside, original: str, derivative: str) -> Response:
    """The derivative's bytes, or the ranges of them asked for. 404 where it does not exist for this person."""
    # A player asks for ranges many times a second: nothing else of the original is read.
    identifier = seen_id(visit, original)
    made = visit.desk.catalog.derivative_of(identifier, derivative)
    if made is None:
        raise NotAllowed("No such derivative")
    if made.role not in BEFORE_A_LOOK and not visit.house.accounts.looks_at(visit.here, identifier):
        raise NotAllowed("No look was begun")
    path = visit.desk.vault.derivative_path(made.path)
    return FileResponse(path, media_type=made.mime, headers=_CONTAINED | _KEPT, stat_result=path.stat())


@ROUTES.get("/media/{original}/bytes/original")
def original_bytes(visit: Inside, original: str) -> Response:
    """The original's own bytes, as a download, for whose request another person approved (`/exports`); an event of its
    own, durable before the first byte."""
    known = looked_at(visit, original)
    visit.require("download")
    granted = visit.desk.approvals().in_force(visit.person, known.original.id)
    if granted is None:
        raise NotAllowed("No approved request")
    visit.desk.tell(
        "view.downloaded", original=known.original.id, facts={"purpose": granted.purpose, "export": granted.id}
    )
    with visit.desk.vault.opened(known.original.sha256) as path:
        return FileResponse(
            path, media_type="application/octet-stream", filename=known.original.name, headers=_CONTAINED,
            stat_result=path.stat(),
        )  # fmt: skip


@ROUTES.get("/media/{original}/bytes/shown")
def original_shown(visit: Inside, original: str) -> Response:
    """The original's own bytes, or ranges of them, for the player, under a right of its own. An event, once a look,
    durable before the first byte."""
    known = looked_at(visit, original)
    visit.require("view_original")
    mime = own_mime(known)
    if mime is None:
        raise NotAllowed("Browsers do not show it")
    told: set[tuple[str, str]] = visit.house.parts.setdefault("originals shown", set())
    look = (visit.here.session.token, known.original.id)
    if look not in told:
        purpose = visit.house.accounts.purpose_of_look(visit.here, known.original.id)
        visit.desk.tell("view.original_bytes", original=known.original.id, facts={"purpose": purpose})
        told.add(look)
    with visit.desk.vault.opened(known.original.sha256) as path:
        return FileResponse(path, media_type=mime, headers=_CONTAINED, stat_result=path.stat())
