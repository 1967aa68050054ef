"""Statistics for case-file evaluation: as a page, as pictures, as a table for spreadsheets. For auditors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse, Response
from markupsafe import Markup

from indexer.figures import statistics
from indexer.figures.evaluation import Kept, evaluated, interval_said
from indexer.figures.statistics import BY, ELEMENTS, FIGURES, OF_ACTIVITIES, By, Figure, Figures, Statistics
from indexer.figures.statistics_drawn import drawn, lasting, off_by
from indexer.web.desk import Visit
from indexer.web.visits import Inside
from pipeline.errors import BadInput

ROUTES = APIRouter(tags=["statistics"])
Day = Annotated[str, Query(max_length=40)]
From = Annotated[str, Query(alias="from", max_length=40)]
# A heading, and what stands below it.
Column = tuple[str, Callable[[Figures], Any]]
# What the page draws; all together is one row and no picture.
DRAWN: Final[tuple[By, ...]] = ("unit", "device")


@ROUTES.get("/statistics", include_in_schema=False)
def page(visit: Inside, from_: From = "", to: Day = "", by: By = "unit") -> Response:
    """The page of an interval."""
    visit.require("read_statistics")
    said, status = "", 200
    try:
        found = _found(visit, from_, to, "page")
    except BadInput as error:
        said, status = visit.words_of(error), 400
        found = _found(visit, "", "", "page")
    by = by if by in DRAWN else "unit"
    asked = {"from": f"{found.from_on:%Y-%m-%d}", "to": f"{found.to_on:%Y-%m-%d}"}
    return visit.page(
        "statistics.html", status=status, found=found, by=by, asked=asked, said=said, figures=FIGURES,
        all=found.by("all")[0].figures, rows=[*found.by("all"), *found.by(by)], sorts={one: BY[one] for one in DRAWN},
        columns=_columns(visit, by),
        picture=lambda figure: Markup(drawn(found, figure, by, visit.lang)),
        name=lambda row: statistics.name_of(row, visit.lang), lasting=lambda seconds: lasting(seconds, visit.lang),
        link=lambda address, **more: f"{address}?{urlencode({**asked, **more})}", share=_share, presets=_presets(visit),
    )  # fmt: skip


@ROUTES.get("/api/statistics.csv", response_class=Response, responses={200: {"content": {"text/csv": {}}}})
def table(visit: Inside, from_: From = "", to: Day = "") -> Response:
    """Every row as a spreadsheet opens it."""
    visit.require("read_statistics")
    found = _found(visit, from_, to, "csv")
    name = f"statistics-{found.from_on:%Y%m%d}-{found.to_on:%Y%m%d}.csv"
    return Response(statistics.as_csv(found, visit.zone, visit.lang), media_type="text/csv; charset=utf-8",
                    headers={"Content-Disposition": f'attachment; filename="{name}"'})  # fmt: skip


@ROUTES.get("/statistics/{figure}.svg", include_in_schema=False)
def picture(visit: Inside, figure: str, from_: From = "", to: Day = "", by: By = "unit") -> Response:
    """One picture by itself, to be put into a report."""
    visit.require("read_statistics")
    wanted = next((one for one in FIGURES if one == figure), None)
    if wanted is None:
        raise BadInput(f"There is no figure '{figure[:40]}'", zh=f"没有“{figure[:40]}”这一指标", found=figure[:40])
    found = _found(visit, from_, to, "svg")
    name = f"{figure}-{by}-{found.from_on:%Y%m%d}-{found.to_on:%Y%m%d}.svg"
    return Response(drawn(found, wanted, by, visit.lang), media_type="image/svg+xml",
                    headers={"Content-Disposition": f'attachment; filename="{name}"'})  # fmt: skip


@ROUTES.get("/api/statistics")
def api(visit: Inside, from_: From = "", to: Day = "") -> Response:
    """The same as data: every row, as `statistics --json` prints them, and what each figure counts."""
    visit.require("read_statistics")
    found = _found(visit, from_, to, "api")
    return JSONResponse({
        "from": f"{found.from_on:%Y-%m-%d}", "to": f"{found.to_on:%Y-%m-%d}", "deadline_h": found.deadline_h,
        "rows": [statistics.as_data(found, row, visit.zone) for row in found.rows],
        "figures": {
            name: {"title": told.title[1], "what": told.what[1], "rule": told.rule[1], "title_zh": told.title[0],
                   "what_zh": told.what[0], "rule_zh": told.rule[0]}
            for name, told in FIGURES.items()
        },
    })  # fmt: skip


def _found(visit: Visit, from_: str, to: str, form: str) -> Statistics:
    """The figures; whoever reads them leaves an event."""
    desk = visit.desk
    from_on, to_on = interval_said(from_, to, visit.today)
    desk.tell("view.statistics", facts={"from": f"{from_on:%Y-%m-%d}", "to": f"{to_on:%Y-%m-%d}", "as": form})
    kept: Kept = visit.house.parts.setdefault("evaluation", Kept())
    return evaluated(
        desk.catalog, desk.audit, desk.settings.home, from_on=from_on, to_on=to_on, zone=visit.zone,
        deadline_h=desk.settings.time.upload_deadline_h, seen=desk.seen, hidden=desk.hidden_cases(),
        kept=kept,
    )  # fmt: skip


def _columns(visit: Visit, by: By) -> dict[Figure, list[Column]]:
    """The columns of each figure's table."""
    say, at = visit.say, 0 if visit.lang == "zh" else 1
    elements = [_counting("lacks", name, told[at]) for name, told in ELEMENTS.items()]
    of_acts = [_counting("act_lacks", name, told[at]) for name, told in OF_ACTIVITIES.items()]
    acts: list[Column] = [(say("Activities"), lambda one: one.acts), *of_acts]
    gaps: list[Column] = [
        (say("To be recorded throughout"), lambda one: lasting(one.required_s, visit.lang)),
        (say("Share recorded"), lambda one: _share(one.shown_s, one.required_s)),
    ]
    return {
        "on_time": [
            (say("On time"), lambda one: one.on_time), (say("Late"), lambda one: one.late),
            (say("Time unknown"), lambda one: one.undated),
            (say("Share on time"), lambda one: _share(one.on_time, one.on_time + one.late)),
        ],
        "links": [
            (say("Confirmed"), lambda one: one.confirmed), (say("Proposed"), lambda one: one.proposed),
            (say("Unlinked"), lambda one: one.unlinked),
            (say("Share unlinked"), lambda one: _share(one.unlinked, one.films)),
        ],
        "elements": [
            (say("Recordings"), lambda one: one.films), (say("Lacking"), lambda one: one.lacking), *elements,
            *([] if by == "device" else acts),
        ],
        "gaps": [
            (say("Steps to be recorded"), lambda one: one.duties),
            (say("Kept"), lambda one: one.kept), (say("Of these by a reason"), lambda one: one.excused),
            *([] if by == "device" else gaps), (say("Gaps"), lambda one: one.gaps),
            (say("Together"), lambda one: lasting(one.gap_s, visit.lang)),
        ],
        "clocks": [
            (say("Devices used"), lambda one: one.devices), (say("Never measured"), lambda one: one.unmeasured),
            (say("Measurements"), lambda one: one.measured),
            (say("Largest offset"), lambda one: off_by(one.worst_s, visit.lang)),
            (say("Last offset"), lambda one: off_by(one.offset_s, visit.lang) + (
                "" if one.offset_uncertainty_s is None else f" ± {one.offset_uncertainty_s:.1f} s")),
            (say("Measured at"), lambda one: visit.time(one.offset_at)),
        ],
    }  # fmt: skip


def _counting(which: str, name: str, heading: str) -> Column:
    return heading, lambda one: getattr(one, which).get(name, 0)


def _presets(visit: Visit) -> dict[str, str]:
    """What people ask for most -> its first day."""
    today = visit.today
    return {
        visit.say("This month"): f"{today.replace(day=1):%Y-%m-%d}",
        visit.say("This quarter"): f"{today.replace(month=(today.month - 1) // 3 * 3 + 1, day=1):%Y-%m-%d}",
        visit.say("This year"): f"{today.replace(month=1, day=1):%Y-%m-%d}",
    }


def _share(part: float, whole: float) -> str:
    return f"{part / whole:.1%}" if whole else "—"
