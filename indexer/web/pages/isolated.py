"""Stop and isolate: where a state secret is suspected. The procedure is for everybody, the list for one role alone."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form
from fastapi.responses import Response

from indexer.web.desk import Visit
from indexer.web.pages.original import seen
from indexer.web.visits import Inside
from pipeline.edges.database import isolations
from pipeline.errors import BadInput, NotAllowed
from pipeline.records import Person

ROUTES = APIRouter(include_in_schema=False)


@ROUTES.get("/isolated")
def page(visit: Inside) -> Response:
    """What to do, and for the role that keeps it, what is isolated."""
    return _page(visit)


@ROUTES.post("/originals/{original}/isolation")
def report(visit: Inside, original: str) -> Response:
    """The original is there for nobody from now on; who reported it is told its identifier, once, and what to do."""
    visit.require("isolate")
    known = seen(visit, original)
    with visit.desk.isolating() as isolating:
        isolating.report(_person(visit), known.original.id)
    return _page(visit, done=known.original.id)


@ROUTES.post("/isolated/{isolation}/release")
def release(visit: Inside, isolation: str, reason: Annotated[str, Form(max_length=500)] = "") -> Response:
    """The original is there again, or the page comes back with what is lacking."""
    visit.require("keep_isolated")
    try:
        with visit.desk.isolating() as isolating:
            isolating.release(_person(visit), isolation, reason)
    except (BadInput, NotAllowed) as error:
        return _page(visit, said=visit.words_of(error), status=400)
    return visit.go("/isolated")


def _page(visit: Visit, *, said: str = "", done: str = "", status: int = 200) -> Response:
    visit.require("isolate")
    found = None
    if visit.may("keep_isolated"):
        with visit.desk.catalog.snapshot() as connection:
            found = isolations.listed(connection)
    return visit.page("isolated.html", status, found=found, said=said, done=done)


def _person(visit: Visit) -> Person:
    return Person(name=visit.person.name, role=visit.person.role)
