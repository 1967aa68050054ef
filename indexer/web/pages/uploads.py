"""Handing in through the browser, in pieces: begin, send from where it stands, finish. A lost connection loses nothing.

`POST /api/uploads` begins a file, or says where it goes on; `PATCH` sends the piece at `Upload-Offset`, with its
CRC-32 in `Upload-Checksum`; `HEAD` says where it stands; `finish` takes it into custody and answers with the receipt.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from indexer.web.desk import Visit
from indexer.web.receiving import take_with
from indexer.web.visits import Inside
from pipeline.custody.refusals import told_of
from pipeline.edges.storage.uploads import PIECE_BYTES, PIECE_MAX_BYTES, OutOfStep, Upload, Wanted
from pipeline.errors import BadInput
from pipeline.records import Stated

ROUTES = APIRouter(tags=["uploads"])
_TEXT = Field(default="", max_length=200)


class Begun(BaseModel):
    """A file that is about to be sent. modified_ms: its own date; sample: a digest of parts of its content."""

    name: str = Field(min_length=1, max_length=255)
    size: int = Field(ge=0, le=1 << 50)
    modified_ms: int = Field(default=0, ge=0, le=1 << 43)
    folder: str = Field(default="", max_length=2000)
    sample: str = Field(default="", max_length=100)
    case: str = _TEXT
    device: str = _TEXT
    officer: str = _TEXT
    activity: str = _TEXT


@ROUTES.post("/api/uploads")
def begin(visit: Inside, said: Begun) -> Response:
    """The file may be sent from `offset` on; `state` is `safe` where it is in custody already."""
    visit.require("ingest")
    stated = Stated(
        case=said.case.strip() or None, device=said.device.strip() or None, officer=said.officer.strip() or None,
        activity=said.activity.strip() or None,
    )  # fmt: skip
    wanted = Wanted(
        person=visit.person.name, name=said.name, size_bytes=said.size, modified_ms=said.modified_ms,
        folder=said.folder.strip("/"), sample=said.sample, stated=stated,
    )  # fmt: skip
    return JSONResponse(_told(visit.desk.uploads().begin(wanted)))


@ROUTES.get("/api/uploads")
def unfinished(visit: Inside) -> Response:
    """This person's files that are not in custody yet."""
    visit.require("ingest")
    return JSONResponse({"uploads": [_told(one) for one in visit.desk.uploads().unfinished(visit.person.name)]})


@ROUTES.get("/api/uploads/{upload}")
def standing(visit: Inside, upload: str) -> Response:
    """Where it stands."""
    return JSONResponse(_told(_mine(visit, upload)))


@ROUTES.head("/api/uploads/{upload}", include_in_schema=False)
def where(visit: Inside, upload: str) -> Response:
    """Where the next piece begins, in `Upload-Offset`."""
    one = _mine(visit, upload)
    headers = {"Upload-Offset": str(one.there_bytes), "Upload-Length": str(one.wanted.size_bytes)}
    return Response(status_code=204, headers=headers)


@ROUTES.patch("/api/uploads/{upload}")
async def put(
    visit: Inside, request: Request, upload: str, upload_offset: Annotated[int, Header(ge=0)],
    upload_checksum: Annotated[int, Header(ge=0, lt=1 << 32)],
) -> Response:  # fmt: skip
    """The piece is on the disk; 409 with the right `offset` where it does not follow what is there."""
    visit.require("ingest")
    piece = bytearray()
    try:
        async for part in request.stream():
            piece += part
            if len(piece) > PIECE_MAX_BYTES:
                raise BadInput(f"A piece has at most {PIECE_MAX_BYTES} bytes", zh=f"每段至多 {PIECE_MAX_BYTES} 字节")
    except ClientDisconnect:
        return Response(status_code=400)  # nobody hears it: the half piece is sent again
    uploads, person = visit.desk.uploads(), visit.person.name
    try:
        offset = await run_in_threadpool(uploads.put, upload, person, upload_offset, bytes(piece), upload_checksum)
    except OutOfStep as error:
        return _out_of_step(error)
    return JSONResponse({"offset": offset})


@ROUTES.post("/api/uploads/{upload}/finish")
def finish(visit: Inside, upload: str) -> Response:
    """The whole file is in custody, or refused with its reason; asked again, the same answer."""
    visit.require("ingest")
    try:
        done = visit.desk.uploads().finish(upload, visit.person.name, take_with(visit.desk))
    except OutOfStep as error:
        return _out_of_step(error)
    return JSONResponse(_told(done))


@ROUTES.delete("/api/uploads/{upload}")
def discard(visit: Inside, upload: str) -> Response:
    """What was sent of it is gone. Not of a file in custody."""
    visit.require("ingest")
    visit.desk.uploads().discard(upload, visit.person.name)
    return JSONResponse({"ok": True})


def _mine(visit: Visit, upload: str) -> Upload:
    visit.require("ingest")
    return visit.desk.uploads().one(upload, visit.person.name)


def _out_of_step(error: OutOfStep) -> Response:
    said = {"error": error.sentence, "zh": error.zh, "offset": error.fields["found"]}
    return JSONResponse(said, status_code=409)


def _told(one: Upload) -> dict[str, Any]:
    wanted, result = one.wanted, one.result or {}
    refused = told_of(result["reason"])._asdict() if one.state == "refused" else {}
    return {
        "id": one.id, "name": wanted.name, "folder": wanted.folder, "size": wanted.size_bytes,
        "modified_ms": wanted.modified_ms, "state": one.state, "offset": one.there_bytes, "piece": PIECE_BYTES,
        "tail": one.tail_bytes, "tail_crc32": one.tail_crc32, "status": result.get("status"),
        "original": result.get("original"), "sha256": result.get("sha256"), "reason": result.get("reason"),
        **refused,
    }  # fmt: skip
