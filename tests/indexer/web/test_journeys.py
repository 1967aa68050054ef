"""Each role's main journey in a real Chromium, in both languages and by keys, from the first password to its end."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from indexer.web.words import translations
from pipeline.records import Activity, Case, Party
from tests.browsing import chromium, until
from tests.conftest import QUICK
from tests.flows.keeping import CASE, link, take
from tests.homes import make_home
from tests.indexer.web.asking import OWN, person, served
from tests.indexer.web.coded import coded
from tests.indexer.web.test_cases import put
from tests.indexer.web.test_work import fail
from workers import cli
from workers.bootstrap import Home, build_accounts, build_follower, build_home

FILM = "DSJ_HA1234567_000123_20210803150000_0001.mp4"
BEGAN = datetime(2021, 8, 3, 7, 0, tzinfo=UTC)
LANGS = ("zh", "en")


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A case with one duty and one recording that is proposed for it."""
    from config.settings import load

    folder = tmp_path_factory.mktemp("office")
    coded(folder / "card" / FILM, length_s=20, taken="2021-08-03T07:00:00Z", own=60)
    settings = load(folder / "home", QUICK)
    make_home(settings)
    assert cli.run(["--home", str(settings.home), "--quiet", "ingest", str(folder / "card"), "--wait"]) == 0
    home = build_home(settings)
    put(
        home,
        Case(numbers=((CASE, None),), title="违法排污案", parties=(Party(name="鑫源建材"),)),
        Activity(code="A1", case=CASE, step="查封", people=("王", "李"), place="城关镇", from_at=BEGAN,
                 to_at=BEGAN + timedelta(seconds=30)),
    )  # fmt: skip
    yield home
    home.close()


@pytest.fixture(scope="module")
def site(office: Home) -> Iterator[tuple[Any, str]]:
    with served(office) as address, chromium() as browser:
        yield browser, address


class Journey:
    """Somebody new at a screen of their own, with nothing but keys."""

    def __init__(self, browser: Any, address: str, home: Home, role: str, lang: str, pictures: Path) -> None:
        self.home, self.address, self.role, self.lang, self._pictures = home, address, role, lang, pictures
        self.name = f"{role} {lang}"
        _, self.once = build_accounts(home).add("管理", self.name, role, None)
        self.context = browser.new_context(
            viewport={"width": 1366, "height": 768}, locale="zh-CN" if lang == "zh" else "en-GB"
        )
        self.page = self.context.new_page()
        self.faults: list[str] = []
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self._shots = 0
        self.sign_in(self.name, self.once)
        self.page.wait_for_url("**/password")
        self.shot("password")
        self.types(self.once, "Tab", OWN, "Tab", OWN, "Enter")
        self.page.wait_for_url(lambda url: not url.endswith(("/password", "/sign-in")))
        self.shot("start")

    def sign_in(self, name: str, password: str) -> None:
        self.page.goto(f"{self.address}/sign-in")
        self.page.wait_for_function("document.activeElement.name === 'name'")  # the browser comes to it a moment later
        self.types(name, "Tab", password, "Enter")

    def types(self, *keys: str) -> None:
        """Names of keys are pressed; the rest is typed."""
        for one in keys:
            if one in ("Tab", "Enter", "Space", "Escape", "ArrowDown"):
                self.page.keyboard.press(one)
            else:
                self.page.keyboard.type(one)

    def reach(self, selector: str) -> Any:
        """What is there comes into focus by Tab."""
        wanted = self.page.locator(selector).first
        wanted.wait_for()
        for _ in range(150):
            if wanted.evaluate("(one) => one === document.activeElement"):
                return wanted
            self.page.keyboard.press("Tab")
        raise AssertionError(f"no number of Tabs reaches {selector}")

    def press(self, selector: str, key: str = "Enter") -> None:
        self.reach(selector)
        self.page.keyboard.press(key)

    def shot(self, name: str) -> None:
        self._shots += 1
        self.page.screenshot(path=self._pictures / f"{self.lang}-{self.role}-{self._shots}-{name}.png")

    def say(self, sentence: str) -> str:
        return translations(self.lang).gettext(sentence)  # type: ignore[arg-type]


@pytest.fixture(params=LANGS)
def begin(
    request: pytest.FixtureRequest, site: tuple[Any, str], office: Home, pictures: Path
) -> Iterator[Callable[[str], Journey]]:
    begun: list[Journey] = []

    def of(role: str) -> Journey:
        begun.append(Journey(*site, office, role, request.param, pictures))
        return begun[-1]

    yield of
    for one in begun:
        one.context.close()
        assert one.faults == []


def test_a_clerk_hands_in_and_takes_the_receipt_along(begin: Callable[[str], Journey], tmp_path: Path) -> None:
    clerk = begin("clerk")
    film = tmp_path / f"执法记录 {clerk.lang}.bin"
    film.write_bytes(clerk.lang.encode() * 5000)
    with clerk.page.expect_file_chooser() as choosing:
        clerk.press('[data-choose="files"]')
    choosing.value.set_files([film])
    clerk.page.locator("#uploads li.ok").wait_for()
    clerk.shot("safe")
    clerk.page.goto(f"{clerk.address}/hand-in")
    clerk.press(f'.arrivals li:has-text("{film.name}") summary')
    clerk.press(f'.arrivals li:has-text("{film.name}") a[href^="/hand-in/receipt"]')
    clerk.page.wait_for_url("**/hand-in/receipt**")
    clerk.page.get_by_role("cell", name=hashlib.sha256(film.read_bytes()).hexdigest()).wait_for()
    clerk.shot("receipt")


def test_a_reviewer_finds_watches_decides_and_signs(begin: Callable[[str], Journey], office: Home) -> None:
    original = office.find_original(FILM)
    link(office, original, CASE)
    build_follower(office).follow()
    reviewer = begin("reviewer")
    page = reviewer.page
    reviewer.types(CASE, "Enter")
    reviewer.press(".hit h2 a")
    page.wait_for_url("**/originals/**")
    reviewer.types("pre-decision review", "Enter")
    page.locator("[data-player]").wait_for()
    until(page, "window.player?.frames")
    reviewer.types("Space")
    until(page, "player.media.currentTime > 1")
    reviewer.types("Space", "n")
    reviewer.types("2 officers", "Tab", "Tab", "Enter")
    page.get_by_text("2 officers").first.wait_for()
    reviewer.shot("player")
    reviewer.types("g", "c")
    page.wait_for_url("**/cases/**")
    reviewer.reach(f'#lanes a[href^="/originals/{original}"]')
    beside = page.locator("#lanes a.side").get_attribute("href") or ""
    assert beside.startswith(f"/originals/together?of={original}&t=")
    reviewer.shot("case")
    if page.locator("#proposals input[name=reason]").count():
        reviewer.reach("#proposals input[name=reason]")
        reviewer.types("watched", "Enter")
        page.locator("#proposals p.none").wait_for()
    reviewer.press("form.opinion input[value=agree]", "Space")
    reviewer.reach("form.opinion textarea")
    reviewer.types("what is missing was asked for")
    reviewer.press("form.opinion button.main")
    signed = page.locator("#opinion > p").first
    signed.get_by_text(reviewer.name).wait_for()
    assert "what is missing was asked for" in signed.inner_text()
    reviewer.shot("signed")


def test_an_operator_sees_what_failed_and_has_it_done_again(
    begin: Callable[[str], Journey], office: Home, tmp_path: Path
) -> None:
    operator = begin("operator")
    page, reason = operator.page, f"moov atom not found {operator.lang}"
    [original] = take(office, tmp_path, f"{operator.lang}.jpg")
    fail(office, original, reason)
    page.goto(f"{operator.address}/work")
    operator.shot("failed")
    operator.press(f'tr:has-text("{reason}") button')
    page.get_by_role("status").first.wait_for()
    assert page.get_by_text(reason).count() == 0
    operator.shot("again")
    answer = page.goto(f"{operator.address}/originals/{original}")
    assert answer is not None
    assert answer.status == 404


def test_an_auditor_finds_who_looked_and_proves_the_chain(begin: Callable[[str], Journey], office: Home) -> None:
    auditor = begin("auditor")
    looker = person(office, "reviewer", f"谢敏 {auditor.lang}")
    looker.send(f"/originals/{office.find_original(FILM)}/looks", purpose="案卷评查")
    page = auditor.page
    auditor.press('a[href="/log?show=looks"]')
    page.wait_for_url("**/log?show=looks")
    row = page.locator("tbody tr", has_text=looker.name)
    row.get_by_text("案卷评查", exact=True).first.wait_for()
    auditor.shot("looks")
    auditor.press('a[href="/log/chain"]')
    page.wait_for_url("**/log/chain")
    auditor.press("main form button.main")
    told = auditor.say("Computed just now: all %(entries)s entries hold, and %(heads)s signed heads.")
    page.get_by_text(told.split("%")[0].strip()).wait_for()
    assert page.locator("main .alarm").count() == 0
    auditor.shot("chain")


def test_an_administrator_lets_somebody_in(begin: Callable[[str], Journey]) -> None:
    administrator = begin("administrator")
    page, name = administrator.page, f"newcomer {administrator.lang}"
    administrator.press('nav a[href="/people"]')
    page.wait_for_url("**/people")
    administrator.reach("form.row input[name=name]")
    administrator.types(name, "Tab", "ArrowDown", "Tab", "Law", "Enter")
    once = page.locator("p.told code").inner_text()
    administrator.shot("people")
    administrator.press('form[action="/sign-out"] button')
    page.wait_for_url("**/sign-in")
    administrator.sign_in(name, once)
    page.wait_for_url("**/password")
    administrator.shot("let in")


def test_an_operator_shows_a_clock_card_that_cameras_can_read(
    site: tuple[Any, str], office: Home, pictures: Path, tmp_path: Path
) -> None:
    import zxingcpp
    from PIL import Image

    from pipeline import codes
    from pipeline.edges.log.cards import Cards

    operator = Journey(*site, office, "operator", "zh card", pictures)
    operator.press('a[href="/clock-card"]')
    operator.press("main form button")
    operator.page.locator("#shown:not(:empty)").wait_for()
    operator.shot("clock card")
    operator.page.locator("#code").screenshot(path=tmp_path / "card.png")
    [found] = zxingcpp.read_barcodes(Image.open(tmp_path / "card.png"))
    shown = codes.read(found.text)
    assert shown is not None
    assert Cards(office.settings).is_ours(shown)
    assert operator.faults == []
    [made] = [json.loads(line) for line in office.catalog.events_of_type(["card.made"])]
    assert (made["actor"], made["facts"]["kind"]) == (operator.name, "clock")
    person(office, "clerk", "登记丙").page("/clock-card", 404)
    operator.context.close()
