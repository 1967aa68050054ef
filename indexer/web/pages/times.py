"""When an original was recorded, as a person corrects it: a second value beside the rules' one, with its reason."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form
from fastapi.responses import Response

from indexer.web.pages.original import looked_at
from indexer.web.visits import Inside
from pipeline.acts.correcting import Correcting
from pipeline.errors import BadInput
from pipeline.records import TimeCorrection
from pipeline.timing.claiming import zone_of
from pipeline.timing.texts import Misread, instant_of, read_time

ROUTES = APIRouter(tags=["originals"])


@ROUTES.post("/originals/{original}/time", include_in_schema=False)
def correct(
    visit: Inside, original: str, act: Annotated[str, Form()] = "", start: Annotated[str, Form(max_length=40)] = "",
    uncertainty_s: Annotated[float, Form(ge=0, le=31_622_400)] = 60.0,
    reason: Annotated[str, Form(max_length=2000)] = "",
) -> Response:  # fmt: skip
    """The recording began then, or (act `withdraw`) what the rules decide counts again; links and coverage follow."""
    known = looked_at(visit, original)
    visit.require("correct_time")
    correcting, identifier = Correcting(visit.desk.catalog, visit.desk.audit), known.original.id
    if act == "withdraw":
        correcting.withdraw(visit.person.name, identifier, reason)
    else:
        correcting.correct(identifier, _said(visit, start, uncertainty_s, reason))
    visit.desk.look_anew([identifier], times_too=True)
    return visit.go(f"/originals/{identifier}#time")


def _said(visit: Inside, start: str, uncertainty_s: float, reason: str) -> TimeCorrection:
    reading = read_time(start)
    if isinstance(reading, Misread) or reading.precision_s > 60:
        raise BadInput(f"'{start}' is no moment; write 2021-08-03 10:10:00",
                       zh=f"“{start}”不是完整的时刻，请写作 2021-08-03 10:10:00", found=start)  # fmt: skip
    zone = zone_of(visit.desk.settings) if reading.offset_min is None else reading.offset_min
    return TimeCorrection(
        start_at=instant_of(reading.shown, zone), end_at=None, uncertainty_s=max(uncertainty_s, reading.precision_s),
        reason=reason.strip(), by=visit.person.name,
    )  # fmt: skip
