"""Where a clip, photo or sound comes from: it is compared with everything in custody, and nothing of it is kept."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, File, Query, UploadFile
from fastapi.responses import JSONResponse, Response

from indexer.web import purposes
from indexer.web.showing import address_of
from indexer.web.visits import Inside
from pipeline.errors import BadInput

ROUTES = APIRouter(tags=["search"])


@ROUTES.post("/api/match")
def match(
    visit: Inside, file: Annotated[UploadFile, File()], limit: Annotated[int, Query(ge=1, le=50)] = 10
) -> Response:
    """Rows as `match --json` gives them, the surest first, with the address of each original's poster. An event."""
    visit.require("match")
    name = file.filename or ""
    answer = visit.house.match(visit.person, file.file, name, limit)
    seen = set(visit.desk.seen([row.original for row in answer.rows]))
    rows = [row for row in answer.rows if row.original in seen]
    visit.desk.tell("match", facts={
        "file": name, "hits": [row.original for row in rows], "purpose": visit.here.session.purpose,
    })  # fmt: skip
    posters = {
        known.original.id: address_of(known, made)
        for known in visit.desk.catalog.known_of_many(sorted(seen)) for made in known.derivatives
        if made.role == "poster"
    }  # fmt: skip
    return JSONResponse({
        "rows": [{**asdict(row), "poster": posters.get(row.original)} for row in rows],
        "not_asked": list(answer.not_asked),
    })  # fmt: skip


@ROUTES.post("/api/originals/{original}/looks", status_code=201)
def begin_look(visit: Inside, original: str) -> Response:
    """A look begins with the purpose of an assignment or of the session. 400 where neither gives one."""
    from indexer.web.pages.original import seen

    known = seen(visit, original)
    why = purposes.of_original(visit, known)
    if why is None:
        raise BadInput("Say your purpose above first, then compare", zh="请先在上方填写查看事由，再进行比对")
    if not visit.house.accounts.looks_at(visit.here, known.original.id):
        visit.house.accounts.begin_look(visit.here, known.original.id, **why)
    return JSONResponse({"ok": True}, status_code=201)
