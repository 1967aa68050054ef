"""Four recordings side by side in a real Chromium: what their own pictures tell is one moment, whatever happens."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browsing import chromium, until
from tests.conftest import QUICK
from tests.flows.running import wait_until
from tests.homes import make_home
from tests.indexer.web.asking import person, served
from tests.indexer.web.coded import READ, coded
from tests.indexer.web.test_browser import give_purpose_by_keyboard, sign_in_by_keyboard
from workers import cli
from workers.bootstrap import Home, build_accounts, build_home

LENGTH_S, MINUTE_S, FROM_S = 66, 60, 4
NAMES = [f"DSJ_HA000000{number}_000123_2021080315000{number}_0001.mp4" for number in range(4)]
NUDGE_S = 0.5
# When each began after the first, by its corrected clock; the last with its nudge.
BEGINS_MS = (0, 1000, 2000, 3000 + round(NUDGE_S * 1000))
APART_MS = 100
# The moments that the pictures of all tell, in milliseconds after the first began.
MOMENTS = f"() => {{ const begins = {list(BEGINS_MS)}; return ({READ})().map((told, at) => told + begins[at]); }}"
# Ten times a second until the first, which leads, comes there: what pictures tell, and what the players' clocks say.
SAMPLES = f"""async (until) => {{
  const moments = {MOMENTS}, begins = {list(BEGINS_MS)}, found = [];
  do {{
    found.push([moments(), together.cameras.map((one, at) => one.media.currentTime * 1000 + begins[at])]);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }} while (found.at(-1)[0][0] < until);
  return found;
}}"""
SPREAD = f"(() => {{ const all = ({MOMENTS})(); return Math.max(...all) - Math.min(...all); }})()"
FIRST = f"({MOMENTS})()[0]"
# Of each strip: where its bars begin and end, in seconds.
BARS = """() => together.cameras.map((one) => [...one.box.querySelectorAll("g.watched rect")].map((bar) => {
  const { x, width } = bar;
  return [x.baseVal.value, x.baseVal.value + width.baseVal.value].map((at) => at / one.strip.width * one.length);
}))"""


@pytest.fixture(scope="module")
def filmed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A home with four recordings that began a second after one another, all work on them done."""
    from config.settings import load

    folder = tmp_path_factory.mktemp("step")
    for number, name in enumerate(NAMES):
        taken = f"2021-08-03T07:00:0{number}Z"
        coded(folder / "card" / name, length_s=LENGTH_S, taken=taken, own=40 * number + 40)
    settings = load(folder / "home", QUICK)
    make_home(settings)
    assert cli.run(["--home", str(settings.home), "--quiet", "ingest", str(folder / "card"), "--wait"]) == 0
    built = build_home(settings)
    yield built
    built.close()


@pytest.fixture(scope="module")
def originals(filmed: Home) -> list[str]:
    return [filmed.find_original(name) for name in NAMES]


@pytest.fixture(scope="module")
def together(filmed: Home, originals: list[str]) -> Iterator[tuple[Any, str]]:
    """A page of a reviewer who has a purpose and has nudged the fourth, and the address of all four."""
    asking = person(filmed, "reviewer", "谢敏")
    with served(filmed) as address, chromium() as browser:
        page = browser.new_page(viewport={"width": 1366, "height": 768}, locale="zh-CN")
        sign_in_by_keyboard(page, address, asking.name)
        at = f"{address}/originals/together?{'&'.join(f'of={one}' for one in originals)}"
        page.goto(at)
        give_purpose_by_keyboard(page)
        page.locator("[data-cameras]").wait_for()
        nudge = {"kind": "nudge", "at_s": 0, "beside": originals[0], "offset_s": NUDGE_S}
        keep = "({at, note}) => import('/static/pages.js').then(({call}) => call('POST', at, note))"
        page.evaluate(keep, {"at": f"/api/originals/{originals[3]}/notes", "note": nudge})
        yield page, f"{at}&t={FROM_S}"


def open_(together: tuple[Any, str]) -> Any:
    """The page with all four at the same moment, standing."""
    page, at = together
    page.goto(at)
    until(page, "window.together", f"{SPREAD} <= {APART_MS} && {FIRST} > 0")
    return page


@pytest.mark.slow
def test_four_recordings_show_the_same_moment_for_a_minute(together: tuple[Any, str]) -> None:
    page = open_(together)
    assert max(page.evaluate(MOMENTS)) <= FROM_S * 1000
    page.keyboard.press(" ")
    found = page.evaluate(SAMPLES, (FROM_S + MINUTE_S) * 1000)
    # A busy machine leaves the browser no time to draw now and then: the players' clocks are held to it always, what
    # stands on the screen nine times in ten.
    spread = sorted(apart(told) for told, _ in found)
    in_step = [told for told, _ in found if apart(told) <= APART_MS]
    print(
        f"{len(in_step)} of {len(found)} samples in step: pictures apart by {spread[len(spread) // 2]} ms at the "
        f"median, {spread[-1]} ms at the most; clocks by {max(apart(clocks) for _, clocks in found):.0f} ms"
    )
    assert len({told[0] for told in in_step}) > 100
    assert len(in_step) > 0.9 * len(found)
    assert all(apart(clocks) <= APART_MS for _, clocks in found)


def apart(moments: list[float]) -> float:
    return max(moments) - min(moments)


def test_all_wait_for_the_one_that_is_still_being_loaded(
    together: tuple[Any, str], originals: list[str], filmed: Home
) -> None:
    page, at = together
    held: list[Any] = []
    is_held = [True]
    page.route(f"**/media/{originals[2]}/*", lambda one: held.append(one) if is_held[0] else one.continue_())
    page.goto(at)
    until(page, "window.together?.cameras.filter((one) => one.isReady && one.isPlaced(together.ms)).length === 3")
    before = page.evaluate(MOMENTS)
    page.keyboard.press(" ")
    page.get_by_text("正在载入").wait_for()
    page.wait_for_timeout(300)
    after = page.evaluate(MOMENTS)
    assert [after[one] for one in (0, 1, 3)] == [before[one] for one in (0, 1, 3)]
    assert held
    is_held[0] = False
    for one in held:
        one.continue_()
    found = page.evaluate(SAMPLES, FROM_S * 1000 + 1500)
    assert all(apart(clocks) <= APART_MS for _, clocks in found if clocks[0] > FROM_S * 1000 + 1)
    page.unroute_all()
    # What each of them played is told by its own seconds.
    page.goto("about:blank")
    ran = build_accounts(filmed).stretches
    firsts = {original: FROM_S - begins_ms / 1000 for original, begins_ms in zip(originals, BEGINS_MS, strict=True)}

    def is_told(original: str, first: float) -> bool:
        played = ran("谢敏").get(original, ())
        return any(abs(one.from_s - first) < 0.5 and one.to_s > first + 0.7 for one in played)

    wait_until(lambda: all(is_told(*one) for one in firsts.items()), 60, "what was played is told")


def test_what_played_is_drawn_under_each_and_told_in_words(
    together: tuple[Any, str], originals: list[str], filmed: Home, tmp_path: Path
) -> None:
    """Somebody who has played nothing of it yet."""
    at = together[1]
    address, asking = at.split("/originals/")[0], person(filmed, "reviewer", "江岚")
    page = together[0].context.browser.new_page(viewport={"width": 1366, "height": 768}, locale="zh-CN")
    sign_in_by_keyboard(page, address, asking.name)
    page.goto(at)
    give_purpose_by_keyboard(page)
    page.locator("[data-cameras]").wait_for()
    placed = "together.cameras.every((one) => one.isReady && one.isPlaced(together.ms))"
    until(page, "window.together", placed)
    firsts = page.evaluate("together.cameras.map((one) => one.at(together.ms))")
    said = page.locator("[data-camera] [data-is=watched]")
    assert said.all_inner_texts() == ["○ 您尚未观看"] * 4
    assert page.evaluate(BARS) == [[]] * 4
    page.keyboard.press(" ")
    until(page, f"{FIRST} > {FROM_S * 1000 + 2500}")
    page.keyboard.press(" ")
    until(page, "together.cameras.every((one) => one.media.paused && one.watched.kept.length)")
    ran = build_accounts(filmed).stretches
    wait_until(lambda: set(ran("江岚")) == set(originals), 60, "what was played is told")
    for _ in ("as it plays", "as it was kept"):
        bars = page.evaluate(BARS)
        for original, first, drawn in zip(originals, firsts, bars, strict=True):
            assert drawn == [pytest.approx((one.from_s, one.to_s), abs=0.5) for one in ran("江岚")[original]], original
            assert drawn[0][0] == pytest.approx(first, abs=0.7)
        assert all(one.startswith("◉ 您已观看 0:0") for one in said.all_inner_texts())
        page.goto(at)
        until(page, "window.together?.cameras.every((one) => one.length > 1 && one.strip.width !== 1000)")
    for width in (1366, 390):
        page.set_viewport_size({"width": width, "height": 844})
        page.screenshot(path=tmp_path / f"strips-{width}.png", full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth + 1"), width
    page.context.close()


# It begins again late, without the player having asked for it.
STOPPED = """((one) => {
  one.pause();
  one.play = () => new Promise((resolve) => setTimeout(() => { delete one.play; resolve(one.play()); }, 160));
  return true;
})(together.cameras[1].media)"""
# Once a second, for where the machine is busy the others may have stood as long.
STOPPED_AGAIN = f"((window.tries = (window.tries ?? 0) + 1) % 100 === 0 && !{STOPPED})"


def test_one_that_is_late_catches_up(together: tuple[Any, str]) -> None:
    page = open_(together)
    page.keyboard.press(" ")
    until(
        page,
        f"{FIRST} > {FROM_S * 1000 + 300}",
        STOPPED,
        f"{SPREAD} > {APART_MS} || {STOPPED_AGAIN}",
        f"{SPREAD} <= 40",
    )


def test_a_step_is_one_picture_of_the_one_that_leads(together: tuple[Any, str]) -> None:
    page = open_(together)
    begun = page.evaluate(MOMENTS)[0]
    for key, told in ((".", 40), (".", 80), (",", 40), (",", 0), (",", -40)):
        page.keyboard.press(key)
        until(page, f"{FIRST} === {begun + told} && {SPREAD} <= 40")
