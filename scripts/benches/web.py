"""How long each page takes in an office's archive of generated originals, beside a bare route of the same framework.

Asked within the process, by an administrator who has signed in; what the network and the browser take is left out.

scripts/bench web                                     10,000 originals
scripts/bench web --documents 100000                  so many
scripts/bench web --documents 100000 --keep=FOLDER    made there once, and asked again the next time
scripts/bench web --only=hand-in                      pages with this in their address
"""

from __future__ import annotations

import contextlib
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import _office
import sqlalchemy as sa
from fastapi import FastAPI
from fastapi.responses import HTMLResponse
from starlette.testclient import TestClient
from ulid import ULID

from config.settings import load
from indexer.web.app import modules
from pipeline.edges.database import tables as t
from tests.indexer.web.asking import OWN, nobody
from workers.bootstrap import Home, build_accounts, build_home, make_home

ASKED = 40
PERSON = "量页面的人"
LOOKED_AT = 2_000


class Page(NamedTuple):
    """What is asked. named: as it is printed, where the address holds an identifier."""

    named: str
    address: str
    headers: Mapping[str, str] = {}


def measure() -> Iterator[dict[str, Any]]:
    """Rows `page`, `documents`, `p50_ms`, `p95_ms`, `bare_p95_ms`, `bare_ratio` (of the 95th percentiles),
    `cpu_ms`: of one asking, and `statements`: how many it puts to the catalog."""
    count = next((int(sys.argv[place + 1]) for place, one in enumerate(sys.argv) if one == "--documents"), 10_000)
    with contextlib.ExitStack() as stack:
        kept = _said("--keep")
        folder = Path(kept or stack.enter_context(tempfile.TemporaryDirectory()))
        settings = load(folder / "home", {"CASEREEL_WEB_ASKS_MIN": "0", "CASEREEL_WEB_SIGN_INS_MIN": "0"})
        make_home(settings)
        home = build_home(settings)
        stack.callback(home.close)
        yield from _measured(home, _office_in(home, folder / "office.json", count))


def _said(option: str) -> str:
    return next((one.partition("=")[2] for one in sys.argv if one.startswith(f"{option}=")), "")


def _office_in(home: Home, note: Path, count: int) -> _office.Office:
    """The office that the home holds, laid there now where it holds none."""
    if note.exists():
        told = json.loads(note.read_text())
        return _office.Office(told["count"], datetime.fromisoformat(told["ended_at"]))
    office = _office.Office(count, datetime.now(UTC))
    _office.lay(home, office)
    note.write_text(json.dumps({"count": count, "ended_at": office.ended_at.isoformat()}))
    return office


def _measured(home: Home, office: _office.Office) -> Iterator[dict[str, Any]]:
    bare = FastAPI()
    bare.add_api_route("/", lambda: HTMLResponse("<p>x</p>"))
    _, bare_p95_ms = _times(TestClient(bare), Page("bare", "/"))
    client = _signed_in(home)
    _look_around(home, office)
    statements = _Statements(home)
    with home.catalog.snapshot() as connection:
        events = connection.execute(sa.select(t.log_head.c.seq)).scalar_one()
    yield {"documents": office.count, "events": events, "bare_p95_ms": bare_p95_ms}
    for page in _pages(client, office):
        if _said("--only") not in page.named:
            continue
        p50_ms, p95_ms = _times(client, page)
        statements.count, begun = 0, time.process_time()
        client.get(page.address, headers=page.headers)
        cpu_ms = round((time.process_time() - begun) * 1000, 1)
        yield {
            "page": page.named, "documents": office.count, "p50_ms": p50_ms, "p95_ms": p95_ms,
            "bare_p95_ms": bare_p95_ms, "bare_ratio": round(p95_ms / bare_p95_ms, 1), "cpu_ms": cpu_ms,
            "statements": statements.count,
        }  # fmt: skip


class _Statements:
    """count: how many were put to the home's catalog."""

    def __init__(self, home: Home) -> None:
        self.count = 0
        for engine in (home.catalog.engine, home.catalog.reading):
            sa.event.listen(engine, "before_cursor_execute", self._counted)

    def _counted(self, *_: Any) -> None:
        self.count += 1


def _signed_in(home: Home) -> TestClient:
    """An administrator with a password of their own, who has said why they look."""
    accounts = build_accounts(home)
    if PERSON in {one.name for one in accounts.listed()}:
        once = accounts.renew_password("管理", PERSON)
    else:
        _, once = accounts.add("管理", PERSON, "administrator")
    signed, _ = accounts.sign_in(PERSON, once)
    accounts.change_password(signed, once, OWN)
    client = nobody(home)
    client.post("/sign-in", data={"name": PERSON, "password": OWN})
    signed = accounts.signed_in(client.cookies["casereel"])
    assert signed is not None
    accounts.say_purpose(signed, "量一量")
    return client


def _look_around(home: Home, office: _office.Office) -> None:
    """The person looked at much before."""
    with home.catalog.transaction() as connection:
        connection.execute(sa.delete(t.look).where(t.look.c.person == PERSON))
        connection.execute(sa.insert(t.look), [
            {"id": str(ULID()), "session": "before", "person": PERSON, "original": office.original(number),
             "purpose": "量一量", "begun_at": office.ended_at, "watched_s": 10.0}
            for number in range(min(LOOKED_AT, office.count))
        ])  # fmt: skip


def _pages(client: TestClient, office: _office.Office) -> Iterator[Page]:
    """Those without a name in their address, and those of one search, original, case, job and file."""
    for module in modules():
        for route in module.ROUTES.routes:
            plain = "GET" in route.methods and "{" not in route.path
            if plain and client.get(route.path, follow_redirects=False).status_code == 200:
                yield Page(route.path, route.path)
    for narrowed in ("/search?q=DSJ&kind=video", "/search?q=人民路3号市场", "/api/search?q=人民路3号市场",
                     "/api/suggest?q=人民"):  # fmt: skip
        yield Page(narrowed, narrowed)
    yield from _of_originals(client, office)
    yield from _of_cases(office)
    last = (office.ended_at + _office.LOCAL).date()
    middle = office.count // 2
    for narrowed in (
        "/hand-in?days=1", "/hand-in?days=30", "/hand-in?days=0", "/hand-in?days=0&only=unlinked",
        "/hand-in?days=0&only=late", "/hand-in?days=30&q=HA0000003", f"/hand-in/receipt?day={last}",
        f"/hand-in/receipt.pdf?day={last}", "/hand-in/checks?days=0",
    ):  # fmt: skip
        yield Page(narrowed, narrowed)
    yield Page("/hand-in?before=MIDDLE", f"/hand-in?days=0&before={office.arrival(middle)}")
    since = last - timedelta(days=180)
    for narrowed in (
        "/log?show=looks", "/log?show=exports", "/log?show=sign_ins", "/log?show=custody", "/log?person=张三",
        "/log?person=没有此人", "/log?type=session.refused", f"/log?since={since}&until={since}",
        f"/log?person=张三&since={since}&until={since}", "/log?before=500", "/api/log?show=searches",
    ):  # fmt: skip
        yield Page(narrowed, narrowed)
    yield Page("/log?original=ID", f"/log?original={office.original(middle)}")
    failed = f"{office.original(office.count - 1)}-heavy-derive"
    yield Page("/jobs?state=waiting", "/jobs?state=waiting")
    yield Page("/jobs?state=done", "/jobs?state=done")
    yield Page("/jobs/ID", f"/jobs/{failed}")
    yield Page("/api/jobs/ID", f"/api/jobs/{failed}")


def _of_originals(client: TestClient, office: _office.Office) -> Iterator[Page]:
    one, four = office.original(office.count // 2), [office.original(number) for number in range(4)]
    yield Page("/originals/ID", f"/originals/{one}")
    yield Page("/originals/together", "/originals/together?" + "&".join(f"of={each}" for each in four))
    for part in ("", "/player", "/captions", "/notes", "/meanwhile"):
        yield Page(f"/api/originals/ID{part}", f"/api/originals/{one}{part}")
    client.get(f"/originals/{four[0]}")  # a look begins
    told = client.get(f"/api/originals/{four[0]}").json()
    copy = next(made["at"] for made in told["derivatives"] if made["role"] == "proxy")
    yield Page("/media/ID/ID in ranges", copy, {"Range": "bytes=4000000-4065535"})


def _of_cases(office: _office.Office) -> Iterator[Page]:
    usual = office.case(office.count // 2)
    for number in (usual, *(f"AJ2026-B{size}" for size in _office.BIG_CASES)):
        named = "OF-8" if number == usual else number.removeprefix("AJ2026-B").join(("OF-", ""))
        for before, behind in (("/cases/", ""), ("/api/cases/", ""), ("/api/cases/", "/timeline")):
            yield Page(f"{before}{named}{behind}", f"{before}{number}{behind}")
    # The list asks for so many at a time.
    numbers = [office.case(office.count // 2 + _office.OF_ONE * place) for place in range(4)]
    yield Page("/api/cases/lights of 4", "/api/cases/lights?" + "&".join(f"case={one}" for one in numbers))
    for narrowed in ("/cases?page=100", "/cases?q=人民路", "/cases?q=第77号商贸", "/cases?show=past"):
        yield Page(narrowed, narrowed)


def _times(client: TestClient, page: Page) -> tuple[float, float]:
    """The median and the 95th percentile, after one that warms up; fewer are asked where each takes long."""
    begun = time.perf_counter()
    client.get(page.address, headers=page.headers)
    asked = ASKED if time.perf_counter() - begun < 1 else 5
    took_ms = []
    for _ in range(asked):
        begun = time.perf_counter()
        status = client.get(page.address, headers=page.headers).status_code
        assert status in (200, 206), (page.address, status)
        took_ms.append((time.perf_counter() - begun) * 1000)
    cuts = statistics.quantiles(took_ms, n=20, method="inclusive")
    return round(cuts[9], 2), round(cuts[18], 2)
