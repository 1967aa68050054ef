"""Every page in a real Chromium: both languages, a desk's and a phone's width, the keyboard, and what axe-core finds.

Pictures of all pages are left beside the test's other files.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from indexer.web.app import modules
from tests.browsing import chromium
from tests.flows.keeping import CASE, filmed, link, take
from tests.indexer.web.asking import OWN, person, served
from workers.bootstrap import Home, build_follower

TEN = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)  # ten o'clock in the bureau
# Pages that need a name in their address, with what stands for it.
NAMED = ("/originals/{original}", f"/cases/{quote(CASE)}")

# They lead elsewhere, need recordings named, are for programs, or are there only with a sign-in service.
NOT_ASKED = ("/", "/sign-in", "/originals/together", "/metrics", "/api/openapi.json",
             "/sign-in/oidc", "/sign-in/oidc/back")  # fmt: skip


@pytest.fixture
def browser() -> Iterator[Any]:
    with chromium() as found:
        yield found


def addresses(original: str) -> list[str]:
    """Every page that a person can come to by its address alone, and those of one original and its case."""
    plain = [
        route.path
        for module in modules()
        for route in module.ROUTES.routes
        if "GET" in route.methods
        and "{" not in route.path
        and not route.include_in_schema
        and route.path not in NOT_ASKED
    ]
    return [*plain, *(one.format(original=original) for one in NAMED)]


def test_every_page_is_readable_by_everybody(browser: Any, sqlite_home: Home, tmp_path: Path) -> None:
    from axe_playwright_python.sync_playwright import Axe

    [original] = take(sqlite_home, tmp_path / "card", "拆除现场.jpg")
    link(sqlite_home, original, CASE)
    build_follower(sqlite_home).follow()
    person(sqlite_home, "administrator", "管理员甲")
    serious, wide, faults = [], [], []
    with served(sqlite_home) as address:
        page = browser.new_page(viewport={"width": 1366, "height": 768}, locale="zh-CN")
        page.on("console", lambda said: said.type == "error" and faults.append((page.url, said.text)))
        sign_in_by_keyboard(page, address, "管理员甲")
        for lang in ("zh", "en"):
            page.context.add_cookies([{"name": "casereel-lang", "value": lang, "url": address}])
            for path in addresses(original):
                page.set_viewport_size({"width": 1366, "height": 768})
                answer = page.goto(address + path)
                if answer is None or answer.status == 404:
                    continue
                name = path.strip("/").replace("/", "-") or "start"
                page.screenshot(path=tmp_path / f"{lang}-{name}.png", full_page=True)
                found = Axe().run(page).response["violations"]
                serious += [(path, one["id"], one["nodes"][0]["html"]) for one in found
                            if one["impact"] in ("serious", "critical")]  # fmt: skip
                page.set_viewport_size({"width": 390, "height": 844})
                if page.evaluate("document.documentElement.scrollWidth > innerWidth + 1"):
                    wide.append((lang, path))
                page.screenshot(path=tmp_path / f"{lang}-{name}-phone.png", full_page=True)
    assert (serious, wide, faults) == ([], [], [])


def test_hits_over_time_are_counted_when_somebody_opens_them_and_while_they_stay_open(
    browser: Any, sqlite_home: Home, tmp_path: Path
) -> None:
    filmed(sqlite_home, tmp_path / "card", ("甲.jpg", TEN, 60.0), ("乙.jpg", TEN + timedelta(days=3), 60.0))
    build_follower(sqlite_home).follow()
    asked: list[str] = []
    with served(sqlite_home) as address:
        page = browser.new_page(viewport={"width": 1366, "height": 768}, locale="zh-CN")
        page.on("request", lambda one: asked.append(one.url) if "over-time" in one.url else None)
        sign_in_by_keyboard(page, address, person(sqlite_home, "reviewer").name)
        page.goto(f"{address}/search", wait_until="networkidle")
        assert asked == []
        page.get_by_text("结果的时间分布").click()
        page.wait_for_selector(".over-time a .bar")
        page.screenshot(path=tmp_path / "open.png")
        page.locator(".over-time a").last.click()
        page.wait_for_url("**start=2026-03-05**")
        page.wait_for_selector(".over-time a .bar")
        assert len(asked) == 2
        page.get_by_text("结果的时间分布").click()
        page.reload(wait_until="networkidle")
        assert (len(asked), page.locator("[data-over-time]").get_attribute("open")) == (2, None)


def sign_in_by_keyboard(page: Any, address: str, name: str) -> None:
    page.goto(f"{address}/sign-in")
    page.wait_for_function("document.activeElement.name === 'name'")  # the browser comes to it a moment later
    page.keyboard.type(name)
    page.keyboard.press("Tab")
    page.keyboard.type(OWN)
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "/sign-in" not in url)


def give_purpose_by_keyboard(page: Any) -> None:
    """Where a page asks for it before it shows anything."""
    page.wait_for_function("document.activeElement.name === 'purpose'")
    page.keyboard.type("决定前审核")
    page.keyboard.press("Enter")
