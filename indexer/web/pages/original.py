"""One original: the player or picture with what is known of it. Opening it is a look, with its purpose."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Body, Form
from fastapi.responses import JSONResponse, Response
from pydantic import Field

from indexer import access
from indexer.casework.case_file import RECOGNIZED
from indexer.casework.flaws import flaws_of
from indexer.document import cases_of, device_of, duration_of, officer_of, passages_of
from indexer.persons.masking import masked
from indexer.web import purposes
from indexer.web.desk import Visit
from indexer.web.showing import address_of, as_vtt, captions_of, own_address, own_mime, player_of
from indexer.web.visits import Inside
from pipeline.edges.database import segments
from pipeline.errors import BadInput, NotAllowed
from pipeline.recordings import recording_with, recordings_of
from pipeline.records import Known, worded
from pipeline.watched import Stretch, as_data

ROUTES = APIRouter(tags=["originals"])
Second = Annotated[float, Field(ge=0, le=10_000_000, allow_inf_nan=False)]
# From, to, and how fast.
Played = tuple[Second, Second, Annotated[float, Field(ge=0.05, le=16)]]
# What shows an original of each kind, the best first.
SHOWN = {"video": ("proxy",), "audio": ("proxy",), "photo": ("page", "view"), "document": ("page",)}


@ROUTES.get("/originals/{original}", include_in_schema=False)
def page(visit: Inside, original: str, t: float = 0.0) -> Response:
    """The page. Where this session has not looked yet and nothing gives the purpose, it asks for one first."""
    known = seen(visit, original)
    accounts, identifier = visit.house.accounts, known.original.id
    if not accounts.looks_at(visit.here, identifier):
        why = purposes.of_original(visit, known)
        if why is None:
            return visit.page("purpose.html", known=known, name=masked(known.original.name), t=t)
        accounts.begin_look(visit.here, identifier, **why)
    may_take = visit.may("view_original")
    granted = visit.desk.approvals().in_force(visit.person, identifier) if visit.may("download") else None
    played = accounts.stretches(visit.person.name, identifier).get(identifier, ())
    return visit.page(
        "original.html", known=known, t=t,
        player={**player_of(known, zone=visit.zone, may_take=may_take), "watched": as_data(played)},
        own=own_address(known) if may_take and own_mime(known) else None, granted=granted, texts=_texts(known),
        pages=[one.parameters.get("page") for one in known.derivatives if one.role == "page"] or [1],
        claims=_claims(known, visit.lang), by_rules_at=_by_rules_at(known),
        is_recognized=any(one.code == RECOGNIZED for one in known.caveats),
        **_facts(known),
    )  # fmt: skip


@ROUTES.post("/originals/{original}/looks", include_in_schema=False)
def begin_look(
    visit: Inside, original: str, purpose: Annotated[str, Form(max_length=500)] = "",
    keep: Annotated[str, Form()] = "", t: Annotated[float, Form()] = 0.0,
) -> Response:  # fmt: skip
    """The look begins with this purpose; keep: for everything else of this session too."""
    known = seen(visit, original)
    visit.house.accounts.begin_look(visit.here, known.original.id, purpose)
    if keep:
        visit.house.accounts.say_purpose(visit.here, purpose)
    return visit.go(f"/originals/{known.original.id}" + (f"?t={t:g}" if t else ""))


@ROUTES.post("/api/originals/{original}/watched")
def watched(
    visit: Inside, original: str, seconds: Annotated[float, Body(ge=0, le=3600)],
    stretches: Annotated[list[Played] | None, Body(max_length=500)] = None,
) -> Response:  # fmt: skip
    """So many seconds were played since the last time this was told, and these stretches: seconds of the original from
    its beginning, and the speed. What this person has played in all, for who has begun a look."""
    known = looked_at(visit, original)
    end_s = duration_of(known) or float("inf")
    told = (Stretch(round(low, 3), round(min(high, end_s), 3), round(rate, 2)) for low, high, rate in stretches or ())
    kept = [one for one in told if one.from_s < one.to_s]
    found = visit.house.accounts.add_watched(visit.here, known.original.id, seconds, kept)
    return JSONResponse({"stretches": as_data(found)})


@ROUTES.get("/api/originals/{original}/player")
def player(visit: Inside, original: str) -> Response:
    """What a player needs: addresses, the clock of its first picture, what browsers play. For who has begun a look."""
    known = looked_at(visit, original)
    return JSONResponse(player_of(known, zone=visit.zone, may_take=visit.may("view_original")))


@ROUTES.get("/api/originals/{original}/marks")
def marks(visit: Inside, original: str) -> Response:
    """What it lacks and where: class, seconds from and to, why, the file beyond; for who has begun a look."""
    known = looked_at(visit, original)
    with visit.desk.catalog.snapshot() as connection:
        near = segments.near(connection, known.original.id)
    allowed = set(visit.desk.seen([one.original for one in near]))
    every = [one for one in near if one.original in allowed]
    names = {one.original: masked(one.name) for one in every}
    return JSONResponse([
        {"kind": one.kind, "at": round(one.at_s, 3), "to": one.to_s and round(one.to_s, 3),
         "why": masked(worded(one, "why", visit.lang)), "other": one.other, "name": names.get(one.other or "")}
        for one in flaws_of(known, recording_with(recordings_of(every), known.original.id))
    ])  # fmt: skip


@ROUTES.get("/api/originals/{original}/captions")
def captions(visit: Inside, original: str) -> Response:
    """What is spoken, as WebVTT; for who has begun a look."""
    return Response(as_vtt(captions_of(looked_at(visit, original))), media_type="text/vtt")


@ROUTES.get("/api/originals/{original}")
def api(visit: Inside, original: str) -> Response:
    """What is known of it: names, kind, times, cases, derivatives with their addresses, caveats. Leaves an event."""
    known = seen(visit, original)
    visit.desk.tell("view.record", original=known.original.id)
    one, facts, time = known.original, _facts(known), known.time
    return JSONResponse({
        "original": one.id, "name": masked(one.name), "kind": one.kind, "format": one.format, "state": one.state,
        "sha256": one.sha256, "size": one.size_bytes,
        "time": time and {
            "start": time.start_at.isoformat(), "end": time.end_at.isoformat(), "uncertainty_s": time.uncertainty_s,
            "why": time.why, "why_zh": time.why_zh,
        },
        "device": facts["device"], "officer": facts["officer"], "duration_s": facts["duration_s"],
        "cases": list(facts["cases"]),
        "links": [{"case": link.case, "status": link.status, "why": link.why, "why_zh": link.why_zh}
                  for link in known.links],
        "derivatives": [{"role": made.role, "mime": made.mime, "at": address_of(known, made)}
                        for made in known.derivatives],
        "caveats": [{"code": caveat.code, "text": caveat.text, "text_zh": caveat.text_zh}
                    for caveat in known.caveats],
    })  # fmt: skip


def seen_id(visit: Visit, said: str) -> str:
    """The identifier of the original where this person may see it. Raises NotAllowed, as if it did not exist."""
    visit.require("view")
    try:
        return visit.desk.find_original(said)
    except BadInput as error:
        raise NotAllowed("Nothing here") from error


def seen(visit: Visit, said: str) -> Known:
    """The original where this person may see it. Raises NotAllowed, as if it did not exist."""
    identifier = seen_id(visit, said)
    known = visit.desk.known_as_seen(identifier)
    if not access.may(visit.person, "view", known):
        raise NotAllowed("Not seen")
    return known


def looked_at(visit: Visit, said: str) -> Known:
    """The original where this person may see it and has begun a look. Raises NotAllowed."""
    known = seen(visit, said)
    if not visit.house.accounts.looks_at(visit.here, known.original.id):
        raise NotAllowed("No look was begun")
    return known


def _facts(known: Known) -> dict[str, Any]:
    by_role: dict[str, list[str]] = {}
    for made in known.derivatives:
        by_role.setdefault(made.role, []).append(address_of(known, made))
    return {
        "name": masked(known.original.name),
        "device": device_of(known),
        "officer": officer_of(known),
        "duration_s": duration_of(known),
        "cases": cases_of(known),
        "media": by_role,
        "shown": next((by_role[role] for role in SHOWN.get(known.original.kind, ()) if role in by_role), []),
    }


def _claims(known: Known, lang: str) -> list[dict[str, Any]]:
    """What every source says of when it was recorded: the chosen one first, the others with why they lost."""
    lost: dict[str, list[str]] = defaultdict(list)
    for source, reason, reason_zh in known.time.losers if known.time else ():
        lost[source].append((reason_zh or reason) if lang == "zh" else reason)
    told: list[dict[str, Any]] = []
    for one in sorted(known.time_claims, key=lambda one: -one.trust):
        left = lost[one.source]
        is_chosen = known.time is not None and one.source == known.time.source and one.at is not None
        is_chosen = is_chosen and not any(other["chosen"] for other in told)
        told.append({
            "source": one.source, "at": one.at, "found": masked(one.found), "chosen": is_chosen, "rule": one.finder,
            "reason": "" if is_chosen else left.pop(0) if left else "",
        })  # fmt: skip
    return sorted(told, key=lambda one: not one["chosen"])


def _by_rules_at(known: Known) -> datetime | None:
    """When it began by the rules, where a person corrected that."""
    told = (known.time.by_rules or {}).get("start_at") if known.time else None
    return None if told is None else datetime.fromisoformat(told)


def _texts(known: Known) -> dict[int, str]:
    """What stands on each page, from 1, as it was extracted or recognised; a photo is page 1."""
    found: dict[int, list[str]] = defaultdict(list)
    for one in passages_of(known):
        if (one.field == "document" and one.page) or (one.field == "ocr" and known.original.kind == "photo"):
            found[one.page or 1].append(masked(one.text))
    return {page: "\n".join(lines) for page, lines in found.items()}
