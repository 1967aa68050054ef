"""The timeline of a case in a real Chromium: from weeks down to single pictures, by keys, wheel and buttons."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pipeline.acts.linking import Linking
from pipeline.records import Case
from tests.browsing import chromium, until
from tests.flows.keeping import filmed, link
from tests.indexer.web.asking import person, served
from tests.indexer.web.test_browser import sign_in_by_keyboard
from tests.indexer.web.test_cases import put
from workers.bootstrap import Home

CASE = "平商务罚字〔2026〕第3号"
TEN = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)


def film(number: int, second: float) -> tuple[str, datetime, float]:
    at = TEN + timedelta(seconds=second)
    return f"DSJ_HA7654321_000200_{at + timedelta(hours=8):%Y%m%d%H%M%S}_{number:04}.jpg", at, 300.0


def ticks(page: Any) -> list[str]:
    return [one.strip() for one in page.locator("#lanes text.tick").all_text_contents()]


def test_the_timeline_goes_from_weeks_to_single_pictures_and_says_what_it_draws(
    sqlite_home: Home, tmp_path: Path
) -> None:
    home = sqlite_home
    put(home, Case(numbers=((CASE, None),)))
    # Numbers 1, 2 with 20 s written twice, 4 with one missing before it; and one more three weeks later.
    every = filmed(home, tmp_path / "card", film(1, 0), film(2, 280), film(4, 880), film(900, 21 * 86400))
    for one in every:
        link(home, one, CASE)
    Linking(home.catalog, home.audit).confirm("李法制", every[0], CASE, "已看")
    reviewer = person(home, "reviewer", "谢敏")
    with served(home) as address, chromium() as browser:
        page = browser.new_page(viewport={"width": 1366, "height": 768}, locale="zh-CN")
        sign_in_by_keyboard(page, address, reviewer.name)
        page.goto(f"{address}/cases/{quote(CASE, safe='')}")
        bars = page.locator("#lanes a[data-place]")
        until(page, "document.querySelectorAll('#lanes a[data-place]').length === 4")
        key = page.get_by_role("list", name="图例").get_by_role("listitem")
        assert [one.strip() for one in key.all_inner_texts()] == ["◇ 关联待确认", "重叠", "缺少文件"]
        assert all(len(one.split()[-1]) == 5 for one in ticks(page)), "whole days"
        assert [bars.nth(place).locator("rect.proposed").count() for place in range(4)] == [0, 1, 1, 1]
        svg = page.get_by_role("group", name="按键")
        svg.focus()
        for _ in range(5):
            page.keyboard.press("[")
        for _ in range(14):
            page.keyboard.press("+")
        until(page, "document.querySelectorAll('#lanes a[data-place]').length < 4")
        hatched = {one.get_attribute("fill") for one in page.locator("#lanes rect.hole").all()}
        for _ in range(4):
            page.keyboard.press("]")
            hatched |= {one.get_attribute("fill") for one in page.locator("#lanes rect.hole").all()}
        assert hatched >= {"url(#hatch-overlap)", "url(#hatch-missing)"}
        assert ticks(page)[0].split()[0] == "03-23", "the last leap leads three weeks on"
        bars.first.focus()
        for _ in range(20):
            page.keyboard.press("+")
        until(page, "document.querySelectorAll('#lanes text.tick').length > 3")
        assert any(one.endswith(".040") for one in ticks(page)), "down to single pictures"
        page.keyboard.press("0")
        until(page, "document.querySelectorAll('#lanes a[data-place]').length === 4")
        where = svg.bounding_box()
        page.mouse.move(where["x"] + where["width"] / 2, where["y"] + 40)
        page.keyboard.down("Control")
        page.mouse.wheel(0, -100)
        page.keyboard.up("Control")
        page.get_by_role("button", name="+ 放大").click()
        until(page, "document.querySelectorAll('#lanes a[data-place]').length < 4")
