"""Bookmarks, notes and nudged clocks beside an original, and pictures taken of it; each cites what it shows."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field

from indexer.web.desk import Visit
from indexer.web.pages.original import looked_at, seen
from indexer.web.showing import clock, moment
from indexer.web.visits import Inside
from pipeline.acts.annotating import AT_MAX_S, Annotating, instants_of
from pipeline.records import Annotation, Known

ROUTES = APIRouter(tags=["notes"])
Seconds = Annotated[float, Field(ge=0, le=AT_MAX_S)]


class NewNote(BaseModel):
    """at_s, to_s: seconds from the first picture. beside, offset_s: of a nudge, as `Annotation` says."""

    kind: Literal["bookmark", "note", "nudge"]
    at_s: Seconds
    to_s: Seconds | None = None
    text: Annotated[str, Field(max_length=4000)] = ""
    shared: bool = False
    beside: Annotated[str, Field(max_length=64)] | None = None
    offset_s: Annotated[float, Field(allow_inf_nan=False)] | None = None


class Taken(BaseModel):
    """shown: whether the picture is of the viewing copy or of the original itself."""

    at_s: Seconds
    shown: Literal["copy", "own"]


@ROUTES.get("/api/originals/{original}/notes")
def listed(visit: Inside, original: str) -> Response:
    """What this person keeps of it and what others share, as it lies in the recording; for who has begun a look."""
    known = looked_at(visit, original)
    notes, sight = _annotating(visit).of(known.original.id, visit.person.name), visit.desk.sight()
    others = set(sight.seen([one.beside for one in notes if one.beside]))
    mine = visit.person.name
    read = (one if one.by == mine else replace(one, text=sight.unnamed.said(one.text)) for one in notes)
    return JSONResponse([_told(visit, known, one) for one in read if one.beside is None or one.beside in others])


@ROUTES.post("/api/originals/{original}/notes")
def keep(visit: Inside, original: str, note: NewNote) -> Response:
    """Keeps one. The picture's time stamp and the corrected time are found here, not taken from who asks."""
    visit.require("annotate")
    known = looked_at(visit, original)
    beside = seen(visit, note.beside).original.id if note.beside else None
    kept = _annotating(visit).keep(
        visit.person.name, known, note.kind, note.at_s, to_s=note.to_s, text=note.text, shared=note.shared,
        beside=beside, offset_s=note.offset_s,
    )  # fmt: skip
    return JSONResponse(_told(visit, known, kept), status_code=201)


@ROUTES.delete("/api/originals/{original}/notes/{note}")
def withdraw(visit: Inside, original: str, note: str) -> Response:
    """One of one's own is shown no more; the log keeps it."""
    visit.require("annotate")
    known = looked_at(visit, original)
    _annotating(visit).withdraw(visit.person.name, known.original.id, note)
    return JSONResponse({"ok": True})


@ROUTES.post("/api/originals/{original}/snapshots")
def take(visit: Inside, original: str, taken: Taken) -> Response:
    """The lines below a picture that is about to be kept as a file; an event of its own, durable before it is."""
    visit.require("copy")
    known = looked_at(visit, original)
    instant = instants_of(known, visit.desk.vault)(taken.at_s)
    visit.desk.tell("view.snapshot", original=known.original.id, facts={
        "at_s": instant.at_s, "pts": instant.pts, "pts_unit": instant.unit and str(instant.unit),
        "corrected_at": instant.at and instant.at.isoformat(), "shown": taken.shown,
        "purpose": visit.house.accounts.purpose_of_look(visit.here, known.original.id),
    })  # fmt: skip
    shown = visit.say("The original itself") if taken.shown == "own" else visit.say("Viewing copy, not the original")
    at = _uncertain(moment(instant.at, visit.zone), known.time.uncertainty_s) if known.time and instant.at else "—"
    return JSONResponse({"lines": [
        f"SHA-256 {known.original.sha256}",
        f"PTS {clock(instant.pts_s)} · {visit.say('Corrected time')} {at}",
        f"{shown} · {visit.person.name} · {moment(visit.desk.catalog.now(), visit.zone)}",
    ], "name": f"{known.original.sha256[:12]}-{clock(instant.pts_s).replace(':', '')}.png"})  # fmt: skip


def _annotating(visit: Visit) -> Annotating:
    return Annotating(visit.desk.catalog, visit.desk.audit, visit.desk.vault)


def _told(visit: Visit, known: Known, note: Annotation) -> dict[str, Any]:
    """The note with its citation, by the time that is decided now; was: by that of its writing, where it differs."""
    at, to = _moment_of(known, note.at_s), None if note.to_s is None else _moment_of(known, note.to_s)
    pts = _stamp(note, note.pts, note.at_s)
    to_pts = None if note.to_s is None else _stamp(note, note.to_pts, note.to_s)
    differs = note.corrected_at is not None and (at is None or abs(at - note.corrected_at) > timedelta(milliseconds=1))
    return {
        "id": note.id, "kind": note.kind, "at_s": note.at_s, "to_s": note.to_s, "pts": pts, "to_pts": to_pts,
        "corrected": at and moment(at, visit.zone), "text": note.text, "by": note.by, "shared": note.shared,
        "mine": note.by == visit.person.name, "made": moment(note.made_at, visit.zone),
        "was": moment(note.corrected_at, visit.zone) if note.corrected_at and differs else None,
        "beside": note.beside, "offset_s": note.offset_s,
        "citation": _cited(visit, known, [one for one in (pts, to_pts) if one], [one for one in (at, to) if one]),
    }  # fmt: skip


def _cited(visit: Visit, known: Known, stamps: list[str], moments: list[datetime]) -> str:
    said = {"sha256": known.original.sha256, "pts": " – ".join(stamps)}
    if not moments or known.time is None:
        return visit.say("SHA-256 {sha256}, PTS {pts}, no corrected time", **said)
    at = _uncertain(" – ".join(moment(one, visit.zone) for one in moments), known.time.uncertainty_s)
    return visit.say("SHA-256 {sha256}, PTS {pts}, corrected {at}", **said, at=at)


def _uncertain(at: str, uncertainty_s: float) -> str:
    return f"{at} ±{uncertainty_s:.1f} s"


def _stamp(note: Annotation, pts: int | None, at_s: float) -> str:
    return clock(at_s if pts is None or note.pts_unit is None else float(pts * Fraction(note.pts_unit)))


def _moment_of(known: Known, at_s: float) -> datetime | None:
    return None if known.time is None else known.time.start_at + timedelta(seconds=at_s)
