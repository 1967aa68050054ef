"""A file that is chosen in a real Chromium comes in whole though the connection and then the page are lost."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import pytest

from tests.indexer.web.asking import person, served
from tests.indexer.web.test_browser import browser, sign_in_by_keyboard
from workers.bootstrap import Home

__all__ = ["browser"]
PIECE_BYTES = 64 << 10
SIZE = 2 * PIECE_BYTES + 12345


def test_an_upload_goes_on_after_the_connection_and_the_page_were_lost(
    browser: Any, sqlite_home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("indexer.web.pages.uploads.PIECE_BYTES", PIECE_BYTES)
    film = tmp_path / "执法记录.bin"
    film.write_bytes(os.urandom(SIZE))
    person(sqlite_home, "clerk", "陈登记")
    offsets: list[str] = []
    is_cut = [True]  # the first piece comes through at its second try, later ones not at all

    def on_the_way(route: Any) -> None:
        if route.request.method != "PATCH":
            route.continue_()
            return
        offsets.append(route.request.headers["upload-offset"])
        if is_cut[0] and (len(offsets) == 1 or offsets[-1] != "0"):
            route.abort()
        else:
            route.continue_()

    with served(sqlite_home) as address:
        page = browser.new_page(locale="zh-CN")
        page.route("**/api/uploads/*", on_the_way)
        sign_in_by_keyboard(page, address, "陈登记")
        choose(page, film)
        while len(offsets) < 3:
            page.wait_for_timeout(50)
        assert offsets == ["0", "0", str(PIECE_BYTES)]
        page.get_by_text("连接中断").wait_for()
        page.on("dialog", lambda one: one.accept())
        page.goto(f"{address}/hand-in")
        is_cut[0] = False
        sent = len(offsets)
        choose(page, film)
        page.locator("#uploads li.ok").wait_for()
    assert "0" not in offsets[sent:]
    [arrival] = sqlite_home.catalog.arrivals()
    assert (arrival.name, arrival.source, arrival.size_bytes) == (film.name, "upload:陈登记", SIZE)
    [known] = sqlite_home.catalog.known_of_many([str(arrival.original)])
    assert known.original.sha256 == hashlib.sha256(film.read_bytes()).hexdigest()


def choose(page: Any, film: Path) -> None:
    with page.expect_file_chooser() as choosing:
        page.get_by_role("button", name="选择文件", exact=True).click()
    choosing.value.set_files([film])
