"""Cases: the list by decision date, and one case as its reviewer weighs and signs it. A look at a case is an event."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Body, Form, Query
from fastapi.responses import JSONResponse, Response

from indexer.casework import case_json
from indexer.casework.case_file import keys_of
from indexer.casework.caseload import Caseload, caseload_of, is_there
from indexer.casework.looked import looked_at, of_facts
from indexer.casework.review import PART_HIDDEN, UNSEEN, Review, Rules, review_of, rules_in, sign
from indexer.casework.timeline import Hole, Lane, Stretch, Timeline, timeline_of
from indexer.coverage import Shown, parts_of
from indexer.document import passages_of
from indexer.naming import named
from indexer.persons.masking import masked
from indexer.web import purposes
from indexer.web.desk import Visit
from indexer.web.visits import Inside
from indexer.words.said_times import said_times
from pipeline.acts.linking import Linking
from pipeline.acts.signing import Signature, Signatures
from pipeline.case_numbers import comparable
from pipeline.edges.database import registers
from pipeline.edges.database.assignments import Assignment
from pipeline.edges.database.caseload import Show
from pipeline.edges.database.registers import Linked, Proposal
from pipeline.errors import BadInput, NotAllowed
from pipeline.records import CaseLink, Known, Person

ROUTES = APIRouter(tags=["cases"])
Opinion = Literal["agree", "disagree", "amend"]
Deed = Literal["confirm", "refuse"]
Number = Annotated[int, Query(ge=1, le=100_000)]
# Pictures of so many recordings are shown; a case with more is searched.
_POSTERS = 60
# One sentence names so many cameras at most.
_CAMERAS = 4


@dataclass(frozen=True, kw_only=True)
class Reading:
    """A time in a written record, and where recordings show that moment: original and second."""

    at: datetime
    snippet: str
    marks: tuple[tuple[int, int], ...]
    shown: tuple[tuple[Shown, float], ...]


# -- the list


@ROUTES.get("/cases", include_in_schema=False)
def listed(visit: Inside, q: str = "", show: Show = "all", page: Number = 1) -> Response:
    """The list."""
    found = _caseload(visit, q, show, page)
    return visit.page("cases.html", found=found, q=q, show=show, address=address_of,
                      link=lambda **changes: _link(q, show, page, changes))  # fmt: skip


@ROUTES.get("/api/cases")
def list_api(visit: Inside, q: str = "", show: Show = "all", page: Number = 1) -> Response:
    """A page of cases, by decision date: those to come before those that are past."""
    found = _caseload(visit, q, show, page)
    return JSONResponse({
        "cases": [one.as_json() for one in found.rows], "total": found.total, "page": found.number,
        "pages": found.pages, "tally": dict(found.tally),
    })  # fmt: skip


@ROUTES.get("/api/cases/lights")
def lights(visit: Inside, case: Annotated[list[str], Query(max_length=50)]) -> Response:
    """How each of these cases stands, in one word: worked out anew, so the list does not wait for it."""
    visit.require("view")
    rules, found = rules_in(visit.desk.settings.home), {}
    for number in case:
        if _is_there(visit, number):
            found[number] = _light(visit, _review(visit, rules, number))
    return JSONResponse(found)


def _caseload(visit: Visit, q: str, show: Show, number: int) -> Caseload:
    visit.require("view")
    desk, sight = visit.desk, visit.desk.sight()
    desk.tell("view.cases", facts={"words": q[:200], "show": show, "page": number})
    return caseload_of(desk.catalog, unseen=sight.unseen, hidden=sight.hidden_cases, today=visit.today, words=q[:200],
                       show=show, number=number,
                       person=visit.person.name if visit.person.role == "reviewer" else None)  # fmt: skip


def _link(q: str, show: str, page: int, changes: Mapping[str, Any]) -> str:
    values = {"q": q, "show": "" if show == "all" else show, "page": page if page > 1 else "", **changes}
    said = urlencode({name: value for name, value in values.items() if value and value != "all"})
    return f"/cases?{said}" if said else "/cases"


# -- one case: the API first, for a number may hold a slash and takes all of the path


@ROUTES.get("/api/cases/{number:path}/timeline")
def timeline_api(visit: Inside, number: str) -> Response:
    """Lanes on corrected time: activities, written records, each device, photos, with what is not shown."""
    review = _looked_at(visit, number, "timeline")
    return JSONResponse(_timeline(visit, review, timeline_of(review)))


@ROUTES.post("/api/cases/{number:path}/links")
def decide_api(
    visit: Inside, number: str, originals: Annotated[list[str], Body(max_length=1000)], act: Annotated[Deed, Body()],
    reason: Annotated[str, Body(max_length=500)],
) -> Response:  # fmt: skip
    """Confirms or refuses these originals, which are linked to the case or proposed for it; each is an event."""
    links = _decide(visit, number, originals, act, reason)
    return JSONResponse([
        {"original": original, "case": link.case, "status": link.status, "by": link.by}
        for original, link in zip(originals, links, strict=True)
    ])  # fmt: skip


@ROUTES.post("/api/cases/{number:path}/opinion")
def sign_api(
    visit: Inside, number: str, opinion: Annotated[Opinion, Body()], digest: Annotated[str, Body(max_length=64)],
    reason: Annotated[str, Body(max_length=4000)] = "",
) -> Response:  # fmt: skip
    """Signs the opinion of the case as it stood under this digest."""
    _sign(visit, number, opinion, digest, reason)
    return JSONResponse(case_json.signed(_looked_at(visit, number, "opinion")))


@ROUTES.get("/api/cases/{number:path}")
def api(visit: Inside, number: str) -> Response:
    """All of the case: numbers, checklist with its light, coverage, contradictions, what is linked, the signature."""
    review = _looked_at(visit, number, "case")
    zone = visit.zone
    return JSONResponse({
        **case_json.case(review.file.case), "light": _light(visit, review), "days_left": _days_left(visit, review),
        "digest": review.digest, "checklist": case_json.checklist(review),
        "assigned": [case_json.assignment(one, zone) for one in _assigned(visit, review)],
        "activities": [case_json.activity(one, zone) for one in review.file.activities],
        "duties": [case_json.duty(one, zone) for one in review.duties],
        "excuses": [case_json.excuse(one, zone) for one in review.file.excuses],
        "contradictions": [case_json.contradiction(one) for one in review.contradictions],
        "written": [
            {"original": one.original, "name": masked(one.name), "kind": one.kind,
             "from": case_json.instant(one.from_at, zone), "to": case_json.instant(one.to_at, zone)}
            for one in review.file.written
        ],
        "linked": [
            {"original": one.original, "name": masked(one.name), "kind": one.kind, "status": one.status,
             "sha256": one.sha256, "from_s": one.from_s, "to_s": one.to_s}
            for one in review.file.linked
        ],
    })  # fmt: skip


@ROUTES.post("/cases/{number:path}/links", include_in_schema=False)
def decide(
    visit: Inside, number: str, original: Annotated[list[str] | None, Form(max_length=1000)] = None,
    act: Annotated[str, Form(max_length=10)] = "", reason: Annotated[str, Form(max_length=500)] = "",
) -> Response:  # fmt: skip
    """The chosen proposals are confirmed or refused, and the page comes back with the others."""
    try:
        _decide(visit, number, original or [], "confirm" if act == "confirm" else "refuse", reason)
    except BadInput as error:
        return _page(visit, number, said=visit.words_of(error), status=400)
    return visit.go(f"{address_of(number)}#proposals")


@ROUTES.post("/cases/{number:path}/assignment", include_in_schema=False)
def assign(
    visit: Inside, number: str, act: Annotated[str, Form(max_length=10)] = "",
    reviewer: Annotated[str, Form(max_length=120)] = "",
) -> Response:  # fmt: skip
    """The reviewer has the case from now on, or has it no more; without a name, whoever asks, or for an administrator
    who takes it away, whoever has it."""
    visit.require("assign")
    case, assigning = _looked_at(visit, number, "assignment").file.case, visit.desk.assigning()
    try:
        if act == "withdraw":
            assigning.withdraw(visit.person, case, reviewer)
        else:
            assigning.assign(visit.person, case, reviewer)
    except BadInput as error:
        return _page(visit, number, said=visit.words_of(error), status=400)
    return visit.go(f"{address_of(number)}#assignment")


@ROUTES.post("/cases/{number:path}/opinion", include_in_schema=False)
def give_opinion(
    visit: Inside, number: str, opinion: Annotated[str, Form(max_length=10)] = "",
    digest: Annotated[str, Form(max_length=64)] = "", reason: Annotated[str, Form(max_length=4000)] = "",
) -> Response:  # fmt: skip
    """The opinion is signed, or the page comes back with what is still to be said."""
    try:
        _sign(visit, number, opinion, digest, reason)
    except BadInput as error:
        return _page(visit, number, said=visit.words_of(error), status=400, reason=reason, opinion=opinion)
    return visit.go(f"{address_of(number)}#opinion")


@ROUTES.get("/cases/{number:path}", include_in_schema=False)
def page(visit: Inside, number: str) -> Response:
    """The case as its reviewer weighs it."""
    return _page(visit, number)


def address_of(number: str) -> str:
    """Where the case is found."""
    return f"/cases/{quote(number, safe='')}"


# -- deeds


def _decide(visit: Visit, number: str, originals: Sequence[str], act: Deed, reason: str) -> list[CaseLink]:
    visit.require("confirm")
    review = _looked_at(visit, number, "links")
    if not {one.original for one in review.file.linked}.issuperset(originals):
        raise NotAllowed("Nothing here")
    if not originals:
        raise BadInput("Choose at least one proposal", zh="请至少选择一条")
    linking = Linking(visit.desk.catalog, visit.desk.audit)
    deed = linking.confirm if act == "confirm" else linking.refuse
    links = [deed(visit.person.name, one, number, reason) for one in originals]
    visit.desk.look_anew(originals)
    return links


def _sign(visit: Visit, number: str, opinion: str, digest: str, reason: str) -> Signature:
    visit.require("sign_checklist")
    review = _looked_at(visit, number, "opinion")
    if digest != review.digest:
        raise BadInput(
            "The case has changed since this page was loaded: look at it again before you sign",
            zh="打开本页后案件已有变动：请重新查看后再签署",
        )
    person = Person(name=visit.person.name, role=visit.person.role)
    signatures = Signatures(visit.desk.catalog, visit.desk.audit)
    return sign(signatures, person, review, opinion=opinion, reason=reason,
                watched=visit.house.accounts.watched(person.name),
                stretches=visit.house.accounts.stretches(person.name))  # fmt: skip


# -- what is shown


def _looked_at(visit: Visit, number: str, page: str) -> Review:
    """The case; the look is an event first. Raises NotAllowed where there is none for this person."""
    visit.require("view")
    is_there_ = _is_there(visit, number)
    why = purposes.of_cases(visit, {comparable(number)}) if is_there_ else None
    visit.desk.tell("view.case", facts={**(why or {}), "case": number[:200], "page": page})
    if not is_there_:
        raise NotAllowed("Nothing here")
    return _review(visit, rules_in(visit.desk.settings.home), number)


def _review(visit: Visit, rules: Rules, number: str) -> Review:
    desk = visit.desk
    return review_of(
        desk.catalog, desk.audit, rules, number, zone=visit.zone, sight=desk.sight(),
        seen_by=lambda one: lambda ids: desk.seen_by(one.by, one.role, ids),
    )  # fmt: skip


def _is_there(visit: Visit, number: str) -> bool:
    sight = visit.desk.sight()
    return is_there(visit.desk.catalog, number, unseen=sight.unseen, hidden=sight.hidden_cases)


def _page(
    visit: Visit, number: str, *, said: str = "", status: int = 200, reason: str = "", opinion: str = ""
) -> Response:
    review = _looked_at(visit, number, "case")
    written = [one.original for one in review.file.written]
    known = {one.original.id: one for one in visit.desk.catalog.known_of_many(written)} if written else {}
    films = [
        one for one in review.file.linked if one.kind in ("video", "audio", "photo") and one.original not in written
    ]
    accounts = visit.house.accounts
    looked = looked_at(review.file, accounts.watched(visit.person.name), accounts.stretches(visit.person.name))
    own = [looked[one] for one in [*(one.original for one in films), *written] if one in looked]
    with visit.desk.catalog.snapshot() as connection:
        open_ = registers.proposals(connection, key=comparable(number))
    timeline = timeline_of(review)
    return visit.page(
        "case.html", status, review=review, assigned=_assigned(visit, review), reviewers=_reviewers(visit, review),
        said=said, reason=reason, opinion=opinion, address=address_of(number),
        light=_light(visit, review), days_left=_days_left(visit, review), masked=masked, data=case_json,
        duties=[(one, case_json.duty(one, visit.zone)) for one in review.duties],
        items=sorted(review.checklist.checked, key=lambda one: (one.there, not one.item.must)),
        proposals=_seen(visit, open_), posters=_posters(visit, review), timeline=timeline, lane_name=lane_name,
        readings={one.original: _readings(visit, review, known.get(one.original)) for one in review.file.written},
        films=_in_order(films, review), shown={one.original: one for one in review.file.shown},
        beside=_beside(review), looked=looked,
        seen_count=len(own), watched_s=sum(one.watched_s for one in own), signed=case_json.signed(review),
        signed_looks=[of_facts(one) for one in review.signature.watched] if review.signature else [],
        unseen=UNSEEN[visit.lang == "zh"].format(count=len(review.unseen)) if review.unseen else "",
        signed_count=len(review.signature.state["originals"]) if review.signature else 0,
        length_s=sum((one.to_at - one.from_at).total_seconds() for one in review.file.shown),
    )  # fmt: skip


def _assigned(visit: Visit, review: Review) -> list[Assignment]:
    return visit.desk.assigning().of(keys_of(review.file.case))


def _reviewers(visit: Visit, review: Review) -> list[str]:
    """To whom this person can assign the case; nobody but themselves where they are no administrator."""
    if not visit.may("assign"):
        return []
    every = visit.desk.assigning().reviewers(review.file.case)
    return every if visit.person.role == "administrator" else [one for one in every if one == visit.person.name]


def _light(visit: Visit, review: Review) -> dict[str, str]:
    """Sign and words: never by colour alone."""
    match review.light:
        case "signed":
            words = visit.say("signed, and unchanged since")
            if review.is_part_hidden:
                words += " · " + PART_HIDDEN[visit.lang == "zh"]
            return {"light": "signed", "sign": "✓", "words": words}
        case "partly":
            words = visit.say("signed by somebody who may not know of all that you see")
            return {"light": "changed", "sign": "◐", "words": words}
        case "changed":
            return {"light": "changed", "sign": "⚠", "words": visit.say("changed since it was signed")}
        case "complete":
            return {"light": "complete", "sign": "○", "words": visit.say("all there, not signed yet")}
    count = review.checklist.lacking
    return {"light": "lacking", "sign": "✗", "words": visit.say("{count} missing", count=count)}


def _days_left(visit: Visit, review: Review) -> int | None:
    return case_json.days_left(review.file.case.decision_due_on, visit.today)


def _seen(visit: Visit, proposals: Sequence[Proposal]) -> list[Proposal]:
    seen = set(visit.desk.seen([one.original for one in proposals]))
    unnamed = visit.desk.unnamed()
    return [unnamed.proposal(one) for one in proposals if one.original in seen]


def _posters(visit: Visit, review: Review) -> dict[str, str]:
    films = [one.original for one in review.file.linked if one.kind in ("video", "photo")][:_POSTERS]
    pictured = [*films, *(one.original for one in review.file.written)]
    made = visit.desk.catalog.derivatives_in_role(pictured, "poster")
    return {original: f"/media/{original}/{identifier}" for original, identifier in made.items()}


def _in_order(films: Sequence[Linked], review: Review) -> list[Linked]:
    """By the time they were recorded, those without one last."""
    at = {one.original: one.from_at.timestamp() for one in review.file.shown}
    at |= {one.original: one.start_at.timestamp() for one in review.file.photos if one.start_at}
    return sorted(films, key=lambda one: (at.get(one.original, float("inf")), one.name))


def _beside(review: Review) -> dict[str, list[tuple[Shown, float, int]]]:
    """Written record -> of each device that recorded at its time: the first file, the second at which the record
    begins in it, and how many files there are.
    """
    found = {}
    parts = sorted((part for one in review.file.shown for part in parts_of(one)), key=lambda part: part.from_at)
    for one in review.file.written:
        if one.from_at:
            last = one.to_at or one.from_at
            by_device: dict[str, list[Shown]] = {}
            for shown in parts:
                if shown.from_at <= last and shown.to_at >= one.from_at:
                    by_device.setdefault(shown.device or shown.original, []).append(shown)
            found[one.original] = [
                (
                    its[0],
                    its[0].begins_s + max(0.0, (one.from_at - its[0].from_at).total_seconds()),
                    len({each.original for each in its}),
                )
                for its in by_device.values()
            ]
    return found


def _readings(visit: Visit, review: Review, known: Known | None) -> list[Reading]:
    """Every time that the text of a written record tells of, and where recordings show that moment."""
    if known is None:
        return []
    written = next(one for one in review.file.written if one.original == known.original.id)
    day = written.from_at and written.from_at.astimezone(ZoneInfo(visit.zone)).date()
    texts = [one.text for one in passages_of(known) if one.field == "document"]
    return [
        Reading(at=one.at, snippet=masked(one.snippet), marks=one.marks, shown=_showing(review, one.at))
        for text in texts for one in said_times(text, day, visit.zone)
    ]  # fmt: skip


def _showing(review: Review, at: datetime) -> tuple[tuple[Shown, float], ...]:
    parts = (part for one in review.file.shown for part in parts_of(one))
    found = [one for one in parts if one.from_at <= at <= one.to_at]
    found.sort(key=lambda one: (one.uncertainty_s, one.from_at))
    return tuple((one, one.begins_s + (at - one.from_at).total_seconds()) for one in found[:_CAMERAS])


# -- the timeline


def _timeline(visit: Visit, review: Review, timeline: Timeline) -> dict[str, Any]:
    return {
        "case": review.printed, "zone": visit.zone, "from": case_json.instant(timeline.from_at, visit.zone),
        "to": case_json.instant(timeline.to_at, visit.zone), "untimed": [masked(one.name) for one in timeline.untimed],
        "lanes": [_lane(visit, one) for one in timeline.lanes],
    }  # fmt: skip


def _lane(visit: Visit, lane: Lane) -> dict[str, Any]:
    return {
        "kind": lane.kind, "name": lane_name(visit, lane),
        "stretches": [_stretch(visit, one) for one in lane.stretches],
        "holes": [_hole(visit, one) for one in lane.holes],
    }  # fmt: skip


def lane_name(visit: Visit, lane: Lane) -> str:
    """What the lane is called beside the drawing."""
    match lane.kind:
        case "activity":
            return visit.say("Enforcement steps")
        case "written":
            return visit.say("Written records")
        case "photo":
            return visit.say("Photos")
    return lane.name or visit.say("Device unknown")


def _stretch(visit: Visit, one: Stretch) -> dict[str, Any]:
    return {
        "name": masked(one.name), "from": case_json.instant(one.from_at, visit.zone),
        "to": case_json.instant(one.to_at, visit.zone), "original": one.original, "begins_s": round(one.begins_s, 3),
        "uncertainty_s": one.uncertainty_s, "share": one.share, "fulfilled": one.fulfilled,
        "proposed": one.proposed,
    }  # fmt: skip


def _hole(visit: Visit, one: Hole) -> dict[str, Any]:
    return {
        "class": one.kind, "from": case_json.instant(one.from_at, visit.zone),
        "to": case_json.instant(one.to_at, visit.zone), "words": named(visit.lang, "gap", one.kind),
        "reason": one.reason, "why": one.why_zh if visit.lang == "zh" and one.why_zh else one.why,
    }  # fmt: skip
