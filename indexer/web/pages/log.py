"""The log for auditors: who did what, who looked at what and why, the chain's state, access to be asked about.

Administrators read it too. What they may not know of is not in it for them: entries about a restricted original are
absent, and what other entries tell of one, or of a restricted case, is left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Annotated, Any, Final, NamedTuple
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse, Response

from indexer.figures import unusual
from indexer.figures.opened import Opened
from indexer.naming import NAMES, named
from indexer.persons.masking import masked
from indexer.web.desk import Visit
from indexer.web.visits import Inside
from pipeline.case_numbers import comparable, parse
from pipeline.custody.refusals import told_of
from pipeline.edges.catalog import Catalog
from pipeline.edges.database import events
from pipeline.edges.database.events import Entry, Wanted
from pipeline.errors import BadInput
from pipeline.records import worded

ROUTES = APIRouter(tags=["log"])
PAGE: Final = 50
# What the program notes of its own steps, beginnings of types: among them acts of people would not be seen.
OWN_STEPS: Final = ("stage.", "jobs.", "fixity.batch", "arrival.seen_again", "drop.checked", "log.tiles_made_again",
                    "view.watched")  # fmt: skip
# What an auditor asks for together -> types of entries; one that ends in a point stands for all that begin so.
GROUPS: Final[dict[str, tuple[str, ...]]] = {
    "acts": tuple(one for one in NAMES["event"] if not one.startswith(OWN_STEPS)),
    "all": (),
    "looks": ("view.original", "view.downloaded"),
    "searches": ("search", "search.over_time", "suggest", "match"),
    "exports": ("export.", "view.downloaded"),
    "sign_ins": ("session.", "account."),
    "work": ("job.", "jobs."),
    "custody": ("arrival.", "fixity.", "disposal.", "hold.", "backup.", "verify"),
}
UNUSUAL_DAYS: Final = 30
UNUSUAL_MOST: Final = 20_000
Short = Annotated[str, Query(max_length=120)]
Before = Annotated[int | None, Query(ge=1, le=2**53)]


class Found(NamedTuple):
    """A page of the log. more: where the next begins; looked_to: since when words were looked for, None for all."""

    entries: Sequence[Entry] = ()
    more: int | None = None
    looked_to: datetime | None = None


@ROUTES.get("/log", include_in_schema=False)
def page(
    visit: Inside, show: Short = "acts", person: Short = "", type: Short = "", original: Short = "", since: Short = "",
    until: Short = "", words: Short = "", before: Before = None,
) -> Response:  # fmt: skip
    """The entries of one group, the latest first; looks with their purpose and how long they lasted."""
    visit.require("read_events")
    given = {"show": show, "person": person, "type": type, "original": original, "since": since, "until": until,
             "words": words}  # fmt: skip
    said, found = "", Found()
    try:
        found = _found(visit, given, before)
    except BadInput as error:
        said = visit.words_of(error)
    desk, entries = visit.desk, found.entries
    types = sorted(events.types(desk.catalog), key=lambda one: named(visit.lang, "event", one))
    names = {one: masked(name) for one, name in desk.catalog.names({e.original for e in entries if e.original}).items()}
    watched = events.watched_s(desk.catalog, [one for one in entries if one.type == "view.original"])
    return visit.page(
        "log.html", status=400 if said else 200, entries=entries, given=given, more=found.more, said=said,
        looked_to=found.looked_to, names=names,
        watched=watched, groups=list(GROUPS), types=types,
        told=lambda one: _told(visit, one), whole=_whole,
        people=[one.name for one in visit.house.accounts.listed()],
        link=lambda **changes: _link(given, changes),
    )  # fmt: skip


@ROUTES.get("/api/log")
def api(
    visit: Inside, show: Short = "all", person: Short = "", type: Short = "", original: Short = "", since: Short = "",
    until: Short = "", words: Short = "", before: Before = None,
) -> Response:  # fmt: skip
    """The same as data; `before` of the answer asks for the next page. `looked_back_to`: since when words were looked
    for; null where all of the log was looked through, or the page is full."""
    visit.require("read_events")
    given = {"show": show, "person": person, "type": type, "original": original, "since": since, "until": until,
             "words": words}  # fmt: skip
    entries, more, looked_to = _found(visit, given, before)
    watched = events.watched_s(visit.desk.catalog, [one for one in entries if one.type == "view.original"])
    return JSONResponse({
        "entries": [
            {"seq": one.seq, "at": one.at.isoformat(), "type": one.type, "actor": one.actor, "original": one.original,
             "outcome": one.outcome, "facts": one.facts, "watched_s": watched.get(one.seq)}
            for one in entries
        ],
        "before": more,
        "looked_back_to": looked_to and looked_to.isoformat(),
    })  # fmt: skip


@ROUTES.get("/log/unusual", include_in_schema=False)
def unusual_page(visit: Inside) -> Response:
    """What the rules find in the last days."""
    visit.require("read_events")
    visit.desk.tell("view.log", facts={"show": "unusual"})
    return visit.page("log_unusual.html", found=_unusual(visit), rules=unusual.RULES, days=UNUSUAL_DAYS)


@ROUTES.get("/api/log/unusual")
def api_unusual(visit: Inside) -> Response:
    """The same as data: rule, person, moment, numbers of the entries."""
    visit.require("read_events")
    visit.desk.tell("view.log", facts={"show": "unusual"})
    return JSONResponse([
        {"rule": one.rule, "person": one.person, "at": one.at.isoformat(), "entries": list(one.seqs)}
        for one in _unusual(visit)
    ])  # fmt: skip


@ROUTES.get("/log/chain", include_in_schema=False)
def chain_page(visit: Inside) -> Response:
    """What stands for the log: its last check, signed heads, keys, second party."""
    visit.require("read_events")
    return _chain(visit, None)


@ROUTES.post("/log/chain", include_in_schema=False)
def check_chain(visit: Inside) -> Response:
    """Computes the whole chain again, and says what it found."""
    visit.require("read_events")
    visit.require("verify")
    report = visit.desk.check_log()
    visit.desk.tell(
        "log.checked", outcome="failed" if report.faults else "done",
        facts={"entries": report.entries, "signed_heads": report.signed_heads, "faults": len(report.faults)},
    )  # fmt: skip
    return _chain(visit, report)


def _chain(visit: Visit, report: Any) -> Response:
    desk, data = visit.desk, visit.house.standing()
    checks = events.find(desk.catalog, Wanted(types=("verify", "log.checked")), 1)
    return visit.page(
        "log_chain.html", data=data, last=checks[0] if checks else None, latest=desk.checkpoints.latest(),
        heads=len(desk.checkpoints.sizes()), keys=desk.checkpoints.key_changes(), report=report,
    )  # fmt: skip


def _found(visit: Visit, given: dict[str, str], before: int | None) -> Found:
    """The page's entries; reading the log is an entry too."""
    if given["show"] not in GROUPS:
        raise BadInput(f"There is no group '{given['show']}'", zh="没有此分组", found=given["show"])
    zone = ZoneInfo(visit.zone)
    wanted = Wanted(
        actor=given["person"].strip(), types=(given["type"],) if given["type"] else GROUPS[given["show"]],
        original=given["original"].strip().upper(), from_at=_day(given["since"], zone),
        to_at=_day(given["until"], zone, days=1), before=before,
        words=_writings(given["words"]),
    )  # fmt: skip
    find = events.find_back if wanted.words else _find
    found, last = find(visit.desk.catalog, wanted, PAGE + 1)
    more = found[PAGE - 1].seq if len(found) > PAGE else last.seq if last else None
    asked = {name: value for name, value in given.items() if value and value not in ("all", "acts")}
    visit.desk.tell("view.log", facts={**asked, **({"before": before} if before else {})})
    # Were an entry found by words that are then left out, it would tell that they stand there.
    entries = list(_as_seen(visit, found[:PAGE], only_whole=bool(wanted.words)))
    return Found(entries, more, last.at if last and len(found) <= PAGE else None)


def _find(catalog: Catalog, wanted: Wanted, limit: int) -> tuple[list[Entry], None]:
    return events.find(catalog, wanted, limit), None


def _writings(said: str) -> tuple[tuple[str, ...], ...]:
    """What to look for: each word, and a case number as it is printed with 第 and without."""
    return tuple(
        (word, *(one for number in parse(word) for one in (number.printed, number.printed.replace("〕", "〕第"))))
        for word in said.split()
    )


def _day(said: str, zone: ZoneInfo, days: int = 0) -> datetime | None:
    if not said.strip():
        return None
    try:
        return datetime.combine(date.fromisoformat(said.strip()) + timedelta(days=days), time(), zone)
    except (ValueError, OverflowError) as error:
        raise BadInput(f"'{said}' is no date: write 2026-08-03", zh=f"“{said}”不是日期：请写成 2026-08-03") from error


def _as_seen(visit: Visit, entries: Sequence[Entry], *, only_whole: bool = False) -> Iterator[Entry]:
    """The entries as this person may know of them. only_whole: none of which something is left out."""
    sight = visit.desk.sight()
    hidden, cases = sight.unseen, sight.hidden_cases
    names = visit.desk.catalog.names({one.original for one in entries if one.original}) if hidden else {}
    for one in entries:
        if one.original in hidden:
            continue
        # Cameras begin their numbers anew, so what is hidden may bear the name of the file that the entry is about.
        name = names.get(one.original or "", "")
        texts = (said.replace(name, "") if name else said for said in _texts_in(one.facts))
        if not (any(map(sight.unnamed.names, texts)) or (cases and not cases.isdisjoint(_cases_in(one.facts)))):
            yield one
        elif not only_whole:
            yield replace(one, facts={})


@lru_cache(maxsize=10_000)
def _keys_in(text: str) -> tuple[str, ...]:
    """Many entries say the same: of one purpose, in one session."""
    return comparable(text), *(one.key for one in parse(text))


def _cases_in(facts: Any) -> Iterator[str]:
    """Every text of the facts, and every case number in one, as numbers are compared."""
    return (key for said in _texts_in(facts) for key in _keys_in(said))


def _texts_in(facts: Any) -> Iterator[str]:
    match facts:
        case str():
            yield facts
        case dict():
            yield from (said for value in facts.values() for said in _texts_in(value))
        case list():
            yield from (said for value in facts for said in _texts_in(value))


def _unusual(visit: Visit) -> list[unusual.Finding]:
    desk = visit.desk
    since = desk.catalog.now() - timedelta(days=UNUSUAL_DAYS)
    wanted = Wanted(types=(*unusual.LOOKS, *unusual.REFUSALS), from_at=since)
    hidden = desk.hidden_originals()
    entries = [one for one in events.find_deeds(desk.catalog, wanted, UNUSUAL_MOST) if one.original not in hidden]
    cases = events.cases_of(desk.catalog, sorted({one.original for one in entries if one.original}))
    opened: Opened = visit.house.parts.setdefault("cases opened", Opened())
    return unusual.find(entries, cases, opened.of_each(desk.catalog), visit.zone)


def _told(visit: Visit, entry: Entry) -> str:
    """The facts of an entry in one line, those that have a name; why a file was refused, as the clerk is told."""
    facts = dict(entry.facts)
    if entry.type.startswith("arrival.") and isinstance(facts.get("reason"), str):
        facts["reason"] = worded(told_of(facts["reason"]), "why", visit.lang)
    if visit.lang == "zh" and facts.get("why_zh"):
        facts["why"] = facts["why_zh"]
    return masked(_named(visit, facts))[:400]


def _named(visit: Visit, facts: dict[str, Any]) -> str:
    colon, end = ("：", "；") if visit.lang == "zh" else (": ", "; ")
    told = ((name, _value(visit, value)) for name, value in facts.items() if name in NAMES["fact"])
    return end.join(f"{named(visit.lang, 'fact', name)}{colon}{value}" for name, value in told if value)


def _value(visit: Visit, value: Any) -> str:
    match value:
        case None | "" | [] | {}:
            return ""
        case bool():
            return named(visit.lang, "answer", "yes" if value else "no")
        case dict():
            return f"（{told}）" if (told := _named(visit, value)) else ""
        case list() if all(isinstance(one, str | int) for one in value):
            return ", ".join(map(str, value))
        case list():
            return str(len(value))
        case _:
            return str(value)


def _whole(facts: dict[str, Any]) -> str:
    return masked(json.dumps(facts, ensure_ascii=False, indent=2))


def _link(given: dict[str, str], changes: dict[str, Any]) -> str:
    return "/log?" + urlencode({name: value for name, value in {**given, **changes}.items() if value})
