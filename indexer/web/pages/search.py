"""Search: one box and chips, hits by recording with picture, second and the words found; how much was searched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse, Response

from indexer.asking.over_time import Bar, Unit
from indexer.search import Filters, Page
from indexer.tree import FACET_FIELDS
from indexer.web.desk import Visit
from indexer.web.visits import Inside
from pipeline.errors import BadInput

ROUTES = APIRouter(tags=["search"])
PAGE = 20
# What a person can narrow by, in the order of the chips.
NARROWED_BY = ("case", "party", "device", "officer", "kind", "stage", "place", "start", "end", "has_gap", "unlinked")
_FLAGS = ("has_gap", "unlinked")
# Counted beside the hits: what a person can narrow by with a click.
COUNTED = tuple(name for name in FACET_FIELDS if name in NARROWED_BY)


@ROUTES.get("/search", include_in_schema=False)
def page(visit: Inside, q: str = "", after: str | None = None, sort: str | None = None) -> Response:
    """The page; without words and filters the latest recordings."""
    visit.require("search")
    given = _given(visit.request.query_params)
    said, found = "", None
    try:
        found = _found(visit, q, given, after=after, sort=sort)
    except BadInput as error:
        said = visit.words_of(error)
    return visit.page(
        "search.html", q=q, given=given, found=found, said=said, sort=sort or ("score" if q else "-time"),
        posters=_posters(visit, found) if found else {}, link=lambda **changes: _link(q, given, sort, changes),
        status=400 if said else 200,
    )  # fmt: skip


@ROUTES.get("/api/search")
def api(
    visit: Inside, q: str = "", after: str | None = None, sort: str | None = None,
    limit: Annotated[int, Query(ge=0, le=200)] = PAGE,
) -> Response:  # fmt: skip
    """Hits as `search --json` gives them, in `hits`, beside what is said of all together. Filters by their names."""
    visit.require("search")
    given = _given(visit.request.query_params)
    found = _found(visit, q, given, after=after, sort=sort, limit=limit)
    return JSONResponse({"hits": [hit.as_json() for hit in found.hits], **found.summary()})


@ROUTES.get("/api/search/over-time")
def over_time(visit: Inside, q: str = "") -> Response:
    """How many hits there are for each year, month, week, day or hour between the first and the last. Filters by
    their names; `href` of each bar narrows the page to it."""
    visit.require("search")
    given = _given(visit.request.query_params)
    found = visit.house.finder.over_time(visit.person, q[:2000], Filters(**given), purpose=visit.here.session.purpose)
    return JSONResponse({
        "unit": found.unit, "total": found.total, "undated": found.undated,
        "bars": [
            {"start": one.start, "end": one.end, "hits": one.hits, "label": _label(found.unit, one.at),
             "words": visit.say("{time}: {count} hits", time=_said(one), count=one.hits),
             "href": _link(q, given, None, {"start": one.start, "end": one.end})}
            for one in found.bars
        ],
    })  # fmt: skip


def _said(bar: Bar) -> str:
    if bar.start == bar.end:
        return bar.end
    return f"{bar.start} – {bar.end}" if bar.start else f"≤ {bar.end}"


def _label(unit: Unit, at: datetime) -> str:
    """Short, for below the bar: what it is among its neighbours."""
    day = f"{at.month}-{at.day}"
    return {"hour": f"{at.hour}:00", "day": day, "week": day, "month": f"{at:%Y-%m}", "year": f"{at.year}"}[unit]


@ROUTES.get("/api/suggest")
def suggest(visit: Inside, q: Annotated[str, Query(max_length=200)] = "") -> Response:
    """Values that begin with what is typed, by field, with how many originals carry each."""
    visit.require("search")
    return JSONResponse([one.as_json() for one in visit.house.finder.suggest(visit.person, q, limit=5)])


def _found(
    visit: Visit, q: str, given: Mapping[str, Any], *, after: str | None, sort: str | None, limit: int = PAGE
) -> Page:
    filters = Filters(**given, after=after, sort=sort or None, limit=limit, group=True, facets=COUNTED)
    return visit.house.finder.search(
        visit.person, q[:2000], filters, purpose=visit.here.session.purpose, lang=visit.lang
    )


def _given(parameters: Mapping[str, str]) -> dict[str, Any]:
    """The filters that are set; unknown parameters are nobody's."""
    known = {one.name for one in fields(Filters)}
    given: dict[str, Any] = {}
    for name in NARROWED_BY:
        value = parameters.get(name, "").strip()[:300]
        if value and name in known:
            given[name] = True if name in _FLAGS else value
    return given


def _link(q: str, given: Mapping[str, Any], sort: str | None, changes: Mapping[str, Any]) -> str:
    """This search with other filters; None takes one away."""
    values = {"q": q, "sort": sort, **given, **changes}
    return "/search?" + urlencode({name: "1" if value is True else value for name, value in values.items() if value})


def _posters(visit: Visit, found: Page) -> dict[str, str]:
    """Original -> the address of its picture."""
    made = visit.desk.catalog.derivatives_in_role([hit.original for hit in found.hits], "poster")
    return {original: f"/media/{original}/{identifier}" for original, identifier in made.items()}
