"""Copying out: what was asked for and why, who decides on it, and what came of it. Nobody lets anything out alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Form, Query
from fastapi.responses import FileResponse, JSONResponse, Response

from indexer.exporting.approving import APPROVED_D, Approvals, Filming
from indexer.exporting.packages import Standing
from indexer.persons.masking import masked
from indexer.web.desk import Visit
from indexer.web.pages.original import seen
from indexer.web.visits import Inside
from pipeline.edges.database.exports import Export
from pipeline.errors import BadInput, NotAllowed, TryAgain

ROUTES = APIRouter(tags=["exports"])
# So many that were decided are shown; the log has all of them.
_LATEST = 100
Number = Annotated[str, Form(max_length=300)]
Said = Annotated[str, Form(max_length=500)]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One request. name: of the one original asked for. units: that filmed. refusal: why this person cannot approve it.

    until: when its approval runs out, or its package goes; granted: this person may use the approval now. package: how
    the package of this person stands; begins: it may be begun now.
    """

    export: Export
    name: str
    units: tuple[str, ...] = ()
    refusal: str = ""
    until: datetime | None = None
    granted: bool = False
    package: Standing | None = None
    begins: bool = False


@ROUTES.get("/exports", include_in_schema=False)
def page(
    visit: Inside, case: Annotated[str, Query(max_length=300)] = "", original: Annotated[str, Query(max_length=64)] = ""
) -> Response:
    """What waits, what was decided, and a form to ask for a case or one original."""
    return _page(visit, case=case, original=original)


@ROUTES.get("/api/exports")
def listed(visit: Inside) -> Response:
    """Every request and package that this person may know of, newest first."""
    visit.require("export")
    return JSONResponse([
        {"export": one.id, "case": one.printed or None, "original": one.original, "purpose": one.purpose,
         "state": one.state, "files": one.files, "bytes": one.size_bytes, "asked_by": one.asked_by,
         "asked_at": one.asked_at.isoformat(), "decided_by": one.decided_by,
         "decided_at": one.decided_at and one.decided_at.isoformat()}
        for one in visit.desk.approvals().listed(visit.person)
    ])  # fmt: skip


@ROUTES.post("/exports", include_in_schema=False)
def ask(
    visit: Inside, case: Number = "", original: Annotated[str, Form(max_length=64)] = "", purpose: Said = "",
    with_proposed: Annotated[str, Form(max_length=5)] = "",
) -> Response:  # fmt: skip
    """The request waits for a person of another unit, or the form comes back with what was wrong."""
    visit.require("download" if original else "export")
    approvals = visit.desk.approvals()
    try:
        if original:
            approvals.request_original(visit.person, seen(visit, original).original.id, purpose)
        else:
            approvals.request(visit.person, case, purpose, with_proposed=bool(with_proposed))
    except BadInput as error:
        return _page(visit, case=case, original=original, purpose=purpose, said=visit.words_of(error), status=400)
    return visit.go("/exports")


@ROUTES.post("/exports/{export}/decision", include_in_schema=False)
def decide(
    visit: Inside, export: str, act: Annotated[str, Form(max_length=10)] = "", reason: Said = ""
) -> Response:  # fmt: skip
    """Approves or refuses the request; who may not is told why."""
    visit.require("approve_export")
    _seen(visit, export)
    try:
        if act not in ("approve", "refuse"):
            raise BadInput("This is not done here", zh="没有此操作")
        if act == "refuse" and not reason.strip():
            raise BadInput("Say why it is refused", zh="请写明不批准的理由")
        visit.desk.approvals().decide(visit.person, export, approve=act == "approve", reason=reason)
    except (BadInput, NotAllowed) as error:
        return _page(visit, said=visit.words_of(error), status=400)
    return visit.go("/exports")


@ROUTES.post("/exports/{export}/package", include_in_schema=False)
def write(visit: Inside, export: str) -> Response:
    """The package is on its way, for who asked for it; else the form comes back with what hinders it."""
    one = _own(visit, export)
    if not _row(visit, visit.desk.approvals(), one, None, "").begins:
        raise NotAllowed("Nothing to begin")
    try:
        visit.house.packages.begin(visit.desk.exporter(), visit.person, one, visit.lang)
    except TryAgain as error:
        return _page(visit, said=visit.words_of(error), status=503)
    return visit.go("/exports#decided")


@ROUTES.get("/api/exports/{export}/package")
def standing(visit: Inside, export: str) -> Response:
    """How far this person's package is: `waits` `copying` `packing` `ready` `failed`, and bytes done and to do."""
    told = visit.house.packages.standing(_own(visit, export))
    if told is None:
        raise NotAllowed("There is none")
    return JSONResponse({
        "export": export, "state": told.state, "done_bytes": told.done_bytes, "of_bytes": told.of_bytes,
        "why": told.why.en, "why_zh": told.why.zh,
    })  # fmt: skip


@ROUTES.get("/exports/{export}/package.zip", include_in_schema=False)
def package(visit: Inside, export: str) -> Response:
    """The package, or the ranges of it asked for, after the same checks as the command's; an event, durable before the
    first byte."""
    one = _own(visit, export)
    try:
        path, found = visit.house.packages.given(visit.desk.exporter(), visit.person, one)
    except NotAllowed as error:
        if "expected" not in error.fields:
            raise
        return _page(visit, said=visit.words_of(error), status=409)
    visit.desk.tell("export.downloaded", facts={
        "export": one.id, "case": one.printed, "purpose": one.purpose, "bytes": found.st_size, "manifest": one.manifest,
        "range": visit.request.headers.get("range", ""),
    })  # fmt: skip
    return FileResponse(path, media_type="application/zip", filename=path.name, stat_result=found)


@ROUTES.post("/exports/{export}/package/removal", include_in_schema=False)
def remove(visit: Inside, export: str) -> Response:
    """The package is gone from this machine."""
    one = _own(visit, export)
    told = visit.house.packages.standing(one)
    if told is None or told.is_under_way:
        raise NotAllowed("There is none")
    visit.house.packages.remove(visit.desk.catalog, one)
    return visit.go("/exports#decided")


def _own(visit: Visit, export: str) -> Export:
    """The package of a case that this person asked for. Raises NotAllowed."""
    one = _seen(visit, export)
    if one.original is not None or one.asked_by != visit.person.name:
        raise NotAllowed("Nothing here")
    return one


def _seen(visit: Visit, export: str) -> Export:
    """The request, for who may know of it. Raises NotAllowed."""
    visit.require("export")
    try:
        return visit.desk.approvals().seen(visit.person, export)
    except BadInput as error:
        raise NotAllowed("Nothing here") from error


def _page(
    visit: Visit, *, case: str = "", original: str = "", purpose: str = "", said: str = "", status: int = 200
) -> Response:
    visit.require("export")
    one = seen(visit, original).original if original else None
    rows = list(_rows(visit))
    return visit.page(
        "exports.html", status, waiting=[row for row in rows if row.export.state == "requested"],
        decided=[row for row in rows if row.export.state != "requested"][:_LATEST], days=APPROVED_D,
        case=case, original=one and one.id, name=one and masked(one.name), purpose=purpose, said=said,
    )  # fmt: skip


def _rows(visit: Visit) -> Iterator[Row]:
    approvals = visit.desk.approvals()
    found = approvals.listed(visit.person)
    names = visit.desk.catalog.names({one.original for one in found if one.original})
    filmed = approvals.filming_of([one for one in found if one.state == "requested"])
    for one in found:
        yield _row(visit, approvals, one, filmed.get(one.id), masked(names.get(one.original or "", "")))


def _row(visit: Visit, approvals: Approvals, one: Export, filmed: Filming | None, name: str) -> Row:
    if filmed is not None:
        refused, units = approvals.why_not(visit.person, one, filmed), tuple(sorted(filmed.units))
        return Row(export=one, name=name, units=units, refusal=visit.words_of(refused) if refused else "")
    more: dict[str, Any] = {}
    if one.state == "approved" and one.decided_at:
        in_time = approvals.is_in_time(one)
        more = {
            "until": one.decided_at + timedelta(days=APPROVED_D),
            "granted": in_time and one.asked_by == visit.person.name,
        }
    if one.original is None and one.asked_by == visit.person.name:
        packages = visit.house.packages
        package = more["package"] = packages.standing(one)
        is_free = package is None or package.state == "failed"
        more["begins"] = is_free and (more.get("granted", False) or packages.is_cut_off(one))
        if package is not None and package.state == "ready":
            more["until"] = packages.until(one)
    return Row(export=one, name=name, **more)
