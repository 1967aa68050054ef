"""One to four recordings in step by their corrected clocks: a main one, and others that follow it.

This module's name puts its routes before those of a single original, whose addresses would hold `together` too.
"""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Form, Query
from fastapi.responses import JSONResponse, Response

from indexer.persons.masking import masked
from indexer.web import purposes
from indexer.web.desk import Visit
from indexer.web.pages.original import seen
from indexer.web.showing import moment, player_of
from indexer.web.visits import Inside
from pipeline.acts.annotating import Annotating
from pipeline.edges.database.meanwhile import meanwhile
from pipeline.errors import BadInput
from pipeline.records import Known
from pipeline.watched import as_data

ROUTES = APIRouter(tags=["originals"])
AT_ONCE: Final = 4
Named = Annotated[list[str], Query(max_length=AT_ONCE)]


@ROUTES.get("/originals/together", include_in_schema=False)
def page(visit: Inside, of: Named, t: float = 0.0) -> Response:
    """The page; t: seconds of the first one, which leads. It asks for a purpose where a look is not begun yet."""
    every = _recordings(visit, of)
    accounts = visit.house.accounts
    new = [known for known in every if not accounts.looks_at(visit.here, known.original.id)]
    why = {known.original.id: purposes.of_original(visit, known) for known in new}
    if None in why.values():
        return visit.page(
            "purpose.html", known=every[0], name=" · ".join(masked(one.original.name) for one in every), t=t,
            action="/originals/together/looks", together=[one.original.id for one in every],
        )  # fmt: skip
    for original, its in why.items():
        accounts.begin_look(visit.here, original, **(its or {}))
    cameras = [_camera(visit, known, every[0]) for known in every]
    shown = [one.original.id for one in every]
    return visit.page("together.html", cameras=cameras, others=_others(visit, every[0], shown), shown=shown, t=t)


@ROUTES.post("/originals/together/looks", include_in_schema=False)
def begin_looks(
    visit: Inside, of: Annotated[list[str], Form(max_length=AT_ONCE)],
    purpose: Annotated[str, Form(max_length=500)] = "", keep: Annotated[str, Form()] = "",
    t: Annotated[float, Form()] = 0.0,
) -> Response:  # fmt: skip
    """A look at each begins with this purpose."""
    every = _recordings(visit, of)
    for known in every:
        visit.house.accounts.begin_look(visit.here, known.original.id, purpose)
    if keep:
        visit.house.accounts.say_purpose(visit.here, purpose)
    named = "&".join(f"of={known.original.id}" for known in every)
    return visit.go(f"/originals/together?{named}" + (f"&t={t:g}" if t else ""))


@ROUTES.get("/api/originals/{original}/meanwhile")
def api(visit: Inside, original: str) -> Response:
    """Other recordings of its cases, made while it was, as far as this person may see them; the earliest first."""
    known = seen(visit, original)
    return JSONResponse(_others(visit, known, [known.original.id]))


def _recordings(visit: Visit, said: list[str]) -> list[Known]:
    every = {known.original.id: known for known in (seen(visit, one) for one in said)}
    lacking = [
        one.original.name for one in every.values() if not player_of(one, zone=visit.zone, may_take=False).get("proxy")
    ]
    if lacking:
        raise BadInput(
            f"There is no viewing copy of {masked(lacking[0])}",
            zh=f"{masked(lacking[0])} 没有可播放的副本",
            found=lacking,
        )
    return list(every.values())


def _camera(visit: Visit, known: Known, main: Known) -> dict[str, object]:
    """What its player is given; nudge_s: what to add to its clock beside the main one's, as it was last kept;
    watched: what this person has played of it."""
    annotating = Annotating(visit.desk.catalog, visit.desk.audit, visit.desk.vault)
    nudges = [
        (note.made_at, note.offset_s * sign)
        for of, beside, sign in ((known, main, 1), (main, known, -1))
        for note in annotating.of(of.original.id, visit.person.name)
        if note.offset_s is not None and note.beside == beside.original.id
    ]
    player = player_of(known, zone=visit.zone, may_take=False)
    played = visit.house.accounts.stretches(visit.person.name, known.original.id).get(known.original.id, ())
    player["watched"] = as_data(played)
    return {**player, "name": masked(known.original.name), "nudge_s": max(nudges)[1] if nudges else 0.0}


def _others(visit: Visit, known: Known, shown: list[str]) -> list[dict[str, object]]:
    with visit.desk.catalog.snapshot() as connection:
        found = meanwhile(connection, known.original.id)
    return [
        {
            "original": one.original.id, "name": masked(one.original.name), "kind": one.original.kind,
            "start": one.time and moment(one.time.start_at, visit.zone),
        }
        for one in visit.desk.catalog.known_of_many([one for one in visit.desk.seen(found) if one not in shown])
    ]  # fmt: skip
