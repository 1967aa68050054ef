"""How long each page takes in an archive of generated originals, beside a bare route of the same framework.

Asked within the process, by an administrator who has signed in; what the network and the browser take is left out.

scripts/bench web                        10,000 originals
scripts/bench web --documents 100000     so many
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import links
from fastapi import FastAPI
from fastapi.responses import HTMLResponse
from starlette.testclient import TestClient

from config.settings import load
from indexer.web.app import modules
from tests.indexer.web.asking import Asking, person
from workers.bootstrap import Home, build_follower, build_home, make_home

ASKED = 40
# Linked to their cases; the rest waits for a ledger.
LINKED = 2_000


def measure() -> Iterator[dict[str, Any]]:
    """Rows `page`, `documents`, `p50_ms`, `p95_ms`, `bare_p95_ms`, `bare_ratio` (of the 95th percentiles)."""
    asked = [int(sys.argv[place + 1]) for place, one in enumerate(sys.argv) if one == "--documents"]
    for count in asked or [10_000]:
        with tempfile.TemporaryDirectory() as folder:
            settings = load(Path(folder) / "home", {})
            make_home(settings)
            home = build_home(settings)
            try:
                yield from _measured(home, count)
            finally:
                home.close()


def _measured(home: Home, count: int) -> Iterator[dict[str, Any]]:
    ids = links._filled(home, count)
    tables = links._tables(min(count, LINKED))
    for register in ("devices", "persons", "cases", "activities", "ledger"):
        links._take_in(home, register, tables[register])
    links._looked_at(home, ids[:LINKED])
    build_follower(home).rebuild()
    bare = FastAPI()
    bare.add_api_route("/", lambda: HTMLResponse("<p>x</p>"))
    _, bare_p95_ms = _times(TestClient(bare), "/")
    asking = person(home, "administrator")
    for page in _pages(asking, ids[links.IN_CASE + 3]):
        p50_ms, p95_ms = _times(asking.client, page)
        yield {
            "page": page, "documents": count, "p50_ms": p50_ms, "p95_ms": p95_ms, "bare_p95_ms": bare_p95_ms,
            "bare_ratio": round(p95_ms / bare_p95_ms, 1),
        }  # fmt: skip


def _pages(asking: Asking, original: str) -> Iterator[str]:
    """Those without a name in their address, and those of one search, original and case."""
    asking.send("/purpose", purpose="bench")
    for module in modules():
        for route in module.ROUTES.routes:
            plain = "GET" in route.methods and "{" not in route.path
            if plain and asking.client.get(route.path, follow_redirects=False).status_code == 200:
                yield route.path
    yield "/search?q=DSJ&kind=video"
    yield "/search?q=人民路3号市场"
    yield f"/originals/{original}"
    yield f"/api/originals/{original}"
    if asking.client.get("/cases/AJ2026-0003").status_code == 200:
        yield "/cases/AJ2026-0003"
        yield "/cases/AJ2026-9999"


def _times(client: TestClient, page: str) -> tuple[float, float]:
    """The median and the 95th percentile, after one that warms up."""
    client.get(page)
    took_ms = []
    for _ in range(ASKED):
        begun = time.perf_counter()
        assert client.get(page).status_code == 200, page
        took_ms.append((time.perf_counter() - begun) * 1000)
    cuts = statistics.quantiles(took_ms, n=20, method="inclusive")
    return round(cuts[9], 2), round(cuts[18], 2)
