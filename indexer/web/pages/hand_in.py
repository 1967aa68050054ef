"""Did my files arrive? One sentence first, then one list whatever the way in; links; the receipt."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Annotated, Any, Final, get_args
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Form, Query
from fastapi.responses import JSONResponse, Response

from config.settings import Settings
from indexer.figures.numbering import Numbering
from indexer.naming import named
from indexer.persons.masking import masked
from indexer.web import handed
from indexer.web.desk import Visit, own_path
from indexer.web.pages.original import seen
from indexer.web.receipt import Receipt, receipt_of
from indexer.web.receiving import take_with
from indexer.web.visits import Inside
from pipeline.acts.linking import Linking
from pipeline.case_numbers import comparable
from pipeline.custody import receipts
from pipeline.custody.refusals import told_of
from pipeline.custody.settle import IGNORED, PARTIAL_SUFFIXES
from pipeline.edges.database import arrivals
from pipeline.edges.database.arrivals import Narrowed, Only
from pipeline.errors import BadInput

ROUTES = APIRouter(tags=["hand-in"])
PAGE: Final = 50
ONLYS: Final = tuple(one for one in get_args(Only) if one != "broken")
RECEIPT_PART: Final = 300  # files on one receipt; more are further parts
CHECKS_MAX: Final = 200
TOLD_MAX: Final = 10_000
DAYS: Final = (1, 7, 30, 0)  # 0: of all times


@ROUTES.get("/hand-in", include_in_schema=False)
def page(
    visit: Inside, days: int = 7, only: str = "", way: str = "", q: Annotated[str, Query(max_length=200)] = "",
    before: Annotated[str | None, Query(max_length=26)] = None, done: Annotated[str, Query(max_length=20)] = "",
) -> Response:  # fmt: skip
    """The page."""
    visit.require("ingest")
    which = _which(visit, days, only, way, q)
    found = handed.screen(visit.desk, which, _kept(visit), before=before, limit=PAGE)
    _tell(visit, found)
    hidden = visit.desk.hidden_cases()
    with visit.desk.catalog.snapshot() as connection:
        ways = arrivals.sources(connection)
        person = visit.person.name
        cases = _kept(visit).of(("cases", person), lambda: arrivals.cases_used(connection, person))
    given = {"days": str(days), "only": only, "way": way, "q": q}
    return visit.page(
        "hand_in.html", found=found, days=days, only=only, way=way, q=q, before=before, ways=ways, done=done,
        cases=[one for one in cases if comparable(one) not in hidden],
        spans=DAYS, onlys=ONLYS,
        way_of=handed.way_of, link=lambda **changes: _link(given, changes), today=visit.today.isoformat(),
        refused=told_of, inbox=visit.desk.settings.inbox, receipt_of=lambda came: _place_of(visit, came),
        aside=handed.ASIDE, masked=masked,
    )  # fmt: skip


@ROUTES.get("/api/hand-in")
def api(
    visit: Inside, days: Annotated[int, Query(ge=0, le=36500)] = 7, only: str = "", way: str = "",
    q: Annotated[str, Query(max_length=200)] = "", before: Annotated[str | None, Query(max_length=26)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = PAGE,
) -> Response:  # fmt: skip
    """What the page shows: the figures of its sentence, what needs a hand, what is on its way, and the list."""
    visit.require("ingest")
    found = handed.screen(visit.desk, _which(visit, days, only, way, q), _kept(visit), before=before, limit=limit)
    _tell(visit, found)
    summed = found.sum
    return JSONResponse({
        "received": summed.received, "safe": summed.safe, "on_the_way": summed.way, "needs": summed.needs,
        "unlinked": summed.unlinked, "proposed": summed.proposed, "late": summed.late,
        "refused": [{"path": masked(one.path), "at": one.at.isoformat(), "why": one.told.why, "why_zh": one.told.why_zh,
                     "do": one.told.do, "do_zh": one.told.do_zh, "is_there": one.is_there} for one in found.refused],
        "waiting": [{**vars(one), "path": masked(one.path)} for one in found.waiting],
        "arrivals": [_told(one) for one in found.rows], "after": found.after,
    })  # fmt: skip


@ROUTES.post("/hand-in/retry", include_in_schema=False)
def retry(visit: Inside, key: Annotated[str, Form(max_length=64)] = "") -> Response:
    """A refused path is tried once more."""
    visit.require("ingest")
    why = handed.refused_again(visit.desk, key)
    return visit.go("/hand-in?done=" + ("refused" if why else "taken"))


@ROUTES.post("/hand-in/again", include_in_schema=False)
def again(visit: Inside, upload: Annotated[str, Form(max_length=64)] = "") -> Response:
    """A whole upload that was refused is tried once more."""
    visit.require("ingest")
    done = visit.desk.uploads().finish(upload, visit.person.name, take_with(visit.desk))
    return visit.go("/hand-in?done=" + ("refused" if done.state == "refused" else "taken"))


@ROUTES.post("/hand-in/discard", include_in_schema=False)
def discard(visit: Inside, upload: Annotated[str, Form(max_length=64)] = "") -> Response:
    """What was sent of an interrupted upload is gone."""
    visit.require("ingest")
    visit.desk.uploads().discard(upload, visit.person.name)
    return visit.go("/hand-in?done=discarded")


@ROUTES.post("/hand-in/links", include_in_schema=False)
def links(
    visit: Inside, original: Annotated[list[str] | None, Form()] = None,
    case: Annotated[str, Form(max_length=200)] = "", reason: Annotated[str, Form(max_length=500)] = "",
    act: Annotated[str, Form()] = "link", back: Annotated[str, Form()] = "/hand-in",
) -> Response:  # fmt: skip
    """The chosen files belong to the case, or a proposal is confirmed or refused."""
    visit.require("link" if act == "link" else "confirm")
    chosen = [seen(visit, one).original.id for one in dict.fromkeys(original or ())]
    if not chosen:
        raise BadInput("Choose the files first", zh="请先选择文件")
    if not case.strip():
        raise BadInput("Name the case", zh="请填写案号")
    linking, person = Linking(visit.desk.catalog, visit.desk.audit), visit.person.name
    checked = visit.say("the proposal was checked")
    for one in chosen:
        match act:
            case "link":
                linking.link(person, one, case, reason)
            case "confirm":
                linking.confirm(person, one, case, reason or checked)
            case "refuse":
                linking.refuse(person, one, case, reason or checked)
            case _:
                raise BadInput("This is not done here", zh="没有此操作")
    visit.desk.look_anew(chosen)
    _kept(visit).forget()
    to = own_path(back)
    return visit.go(f"{to}{'&' if '?' in to else '?'}done={'unlinked' if act == 'refuse' else 'linked'}")


@ROUTES.get("/hand-in/receipt", include_in_schema=False)
def receipt(visit: Inside, day: str = "", way: str = "", folder: str | None = None, part: int = 1) -> Response:
    """What came in on a day, by one way or all, to print."""
    said, parts = _receipt(visit, day, way, folder, part)
    given = {"day": day, "way": way, **({} if folder is None else {"folder": folder})}

    def link(number: int, path: str = "/hand-in/receipt") -> str:
        return f"{path}?" + urlencode({**given, "part": number})

    return visit.page("receipt.html", receipt=said, part=part, parts=parts, part_link=link,
                      pdf=link(part, "/hand-in/receipt.pdf"))  # fmt: skip


@ROUTES.get("/hand-in/receipt.pdf")
def receipt_pdf(visit: Inside, day: str = "", way: str = "", folder: str | None = None, part: int = 1) -> Response:
    """The same on paper, with room to sign."""
    from indexer.exporting.slip import as_pdf

    said, _ = _receipt(visit, day, way, folder, part)
    pdf = as_pdf(said, visit.lang, datetime.now(UTC))
    headers = {"Content-Disposition": f'attachment; filename="receipt-{day or visit.today}.pdf"'}
    return Response(pdf, media_type="application/pdf", headers=headers)


def _receipt(visit: Visit, day: str, way: str, folder: str | None, part: int) -> tuple[Receipt, int]:
    """One part of it, and how many there are. Raises BadInput for a day that is none."""
    visit.require("ingest")
    try:
        on = date.fromisoformat(day) if day else visit.today
        since, until = _midnight(visit, on), _midnight(visit, on + timedelta(days=1))
    except (ValueError, OverflowError) as error:
        raise BadInput(f"{day} is no day such as 2026-11-23", zh=f"{day} 不是日期，应如 2026-11-23") from error
    which = Narrowed(since=since, until=until, source=way or None, folder=folder)
    first = (max(part, 1) - 1) * RECEIPT_PART
    rows, refused, count = handed.receipt(visit.desk, which, first=first, limit=RECEIPT_PART)
    words = visit.say("all ways in")
    if way:
        words = named(visit.lang, "way", handed.way_of(way))
        words += "".join(f" · {masked(one)}" for one in (way.partition(":")[2], folder) if one)
    said = receipt_of(
        visit.say, visit.time, rows, refused, is_zh=visit.lang == "zh", way=words, day=on.isoformat(), count=count,
        first=first + 1, by=visit.person.name, at=datetime.now(UTC),
    )  # fmt: skip
    visit.desk.tell("view.receipt", facts={"day": on.isoformat(), "source": way, "files": len(rows)})
    return said, max(1, -(-count // RECEIPT_PART))


@ROUTES.get("/hand-in/checks", include_in_schema=False)
def checks(visit: Inside, days: int = 30) -> Response:
    """Numbers that are missing, and clocks that somebody should look at."""
    visit.require("ingest")
    which = _which(visit, days, "", "", "")
    numbering: Numbering = visit.house.parts.setdefault("numbering", Numbering())
    found = handed.checks(visit.desk, numbering, which.since, CHECKS_MAX)
    visit.desk.tell("view.recordings", facts={"days": days})
    return visit.page("hand_in_checks.html", found=found, days=days, spans=DAYS, most=CHECKS_MAX, masked=masked)


@ROUTES.get("/hand-in/rules", include_in_schema=False)
def rules(visit: Inside) -> Response:
    """What is taken in from which folder, when, and what is left alone."""
    visit.require("ingest")
    desk = visit.desk
    watched = {root["source"]: root for one in desk.at_intake() for root in one["watchers"]}
    return visit.page(
        "hand_in_rules.html", settings=desk.settings, watched=watched, partial=PARTIAL_SUFFIXES,
        ignored=(*IGNORED, *desk.settings.watch.ignore), way_of=handed.way_of,
        receipts_of=lambda source: _receipts_of(desk.settings, source),
    )  # fmt: skip


def _receipts_of(settings: Settings, source: str) -> Path | None:
    """Where the plain-text receipts of this watched folder lie."""
    return receipts.folder_of(settings.drops.receipts, settings.home, source, settings.watched[source])


def _kept(visit: Visit) -> handed.Kept:
    kept: handed.Kept = visit.house.parts.setdefault("arrivals counted", handed.Kept())
    return kept


def _tell(visit: Visit, found: handed.Screen) -> None:
    """The look is an event, once for what it shows: a page that follows what arrives is no new look each time."""
    shown = (visit.here.session.csrf, tuple(row.came.id for row in found.rows))
    told: dict[int, None] = visit.house.parts.setdefault("arrivals told", {})
    if hash(shown) in told:
        return
    visit.desk.tell("view.arrivals", facts={"shown": len(found.rows)})
    while len(told) >= TOLD_MAX:
        told.pop(next(iter(told)), None)
    told[hash(shown)] = None


def _told(row: handed.Row) -> dict[str, Any]:
    came = row.came
    return {
        "arrival": came.id, "original": came.original, "name": row.name, "folder": masked(came.folder),
        "source": came.source, "status": came.status, "state": came.state, "kind": came.kind,
        "size": came.size_bytes, "sha256": came.sha256, "taken_at": came.taken_at.isoformat(),
        "links": [{"case": one.case, "status": one.status, "why": one.why, "why_zh": one.why_zh}
                  for one in row.links],
        "caveats": [{"code": code, "text": text, "text_zh": zh} for code, text, zh in row.caveats],
        "twin": row.twin and {"name": masked(row.twin.name), "source": row.twin.source,
                              "taken_at": row.twin.taken_at.isoformat()},
    }  # fmt: skip


def _place_of(visit: Visit, came: arrivals.Came) -> dict[str, str]:
    """What names the receipt that this arrival stands on: of its drop folder and day, as the text one is."""
    place = {"way": came.source, "day": visit.time(came.taken_at)[:10]}
    is_watched = came.source in visit.desk.settings.watched
    return {**place, "folder": came.folder.partition("/")[0]} if is_watched else place


def _which(visit: Visit, days: int, only: str, way: str, words: str) -> Narrowed:
    if only not in get_args(Only):
        raise BadInput(f"There is no filter {only}", zh=f"没有筛选条件 {only}")
    first = visit.today - timedelta(days=min(max(days, 1), 36500) - 1)
    return Narrowed(
        since=_midnight(visit, first) if days > 0 else None, source=way or None, words=words.strip(),
        only=only,  # type: ignore[arg-type]
    )  # fmt: skip


def _midnight(visit: Visit, day: Any) -> datetime:
    return datetime.combine(day, time(), ZoneInfo(visit.zone)).astimezone(UTC)


def _link(given: dict[str, str], changes: dict[str, Any]) -> str:
    said = {name: value for name, value in {**given, **changes}.items() if value not in ("", None)}
    return "/hand-in" + (f"?{urlencode(said)}" if said else "")
