"""The player in a real Chromium, by its keys alone: what it says it shows is what its pixels tell."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipeline.watched import Stretch, merged
from tests.browsing import chromium, until
from tests.conftest import QUICK
from tests.flows.running import wait_until
from tests.homes import make_home
from tests.indexer.web.asking import person, served
from tests.indexer.web.coded import HEIGHT, READ, WIDTH, coded
from tests.indexer.web.test_browser import give_purpose_by_keyboard, sign_in_by_keyboard
from workers import cli
from workers.bootstrap import Home, build_home

NAME = "DSJ_HA1234567_000123_20210803150000_0001.mp4"
LENGTH_S, PICTURE_MS = 12.4, 40
TOLD = f"({READ})()[0]"
# Milliseconds of the presentation time stamp that the page names.
NAMED = """(([hours, minutes, seconds]) => Math.round(((hours * 60 + +minutes) * 60 + +seconds) * 1000))(
  document.querySelector('[data-is="pts"]').textContent.split(" ")[0].split(":"))"""
AT = "player.media.currentTime"


@pytest.fixture(scope="module")
def filmed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    from config.settings import load

    folder = tmp_path_factory.mktemp("keys")
    coded(folder / "card" / NAME, length_s=LENGTH_S, taken="2021-08-03T07:00:00Z", own=80)
    settings = load(folder / "home", QUICK)
    make_home(settings)
    assert cli.run(["--home", str(settings.home), "--quiet", "ingest", str(folder / "card"), "--wait"]) == 0
    built = build_home(settings)
    yield built
    built.close()


@pytest.fixture(scope="module")
def opened(filmed: Home) -> Iterator[tuple[Any, str]]:
    """A page of a reviewer who has said why, and the address of the recording."""
    person(filmed, "reviewer", "谢敏")
    with served(filmed) as address, chromium() as browser:
        page = browser.new_page(viewport={"width": 1366, "height": 768}, locale="zh-CN")
        sign_in_by_keyboard(page, address, "谢敏")
        at = f"{address}/originals/{filmed.find_original(NAME)}"
        page.goto(at)
        give_purpose_by_keyboard(page)
        page.locator("[data-player]").wait_for()
        yield page, at


@pytest.fixture
def page(opened: tuple[Any, str]) -> Any:
    """The player, standing at 3.5 s, all it learns learnt."""
    page, at = opened
    page.goto(f"{at}?t=3.5")
    shows(page, 3480)
    return page


def shows(page: Any, ms: int) -> None:
    """The picture that begins at these milliseconds is on the screen, and is what the page names."""
    until(page, "window.player?.frames", f"{TOLD} === {ms} && {NAMED} === {ms}")


def pressed(page: Any, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def test_playback_begins_when_it_is_asked_for(page: Any) -> None:
    page.evaluate("""() => {
      window.heard = [];
      for (const name of ["play", "playing", "pause"]) player.media.addEventListener(name, () => heard.push(name));
      player.media.requestVideoFrameCallback(() => { window.firstMs = performance.now() - asked; });
      document.addEventListener("keydown", () => { window.asked ??= performance.now(); }, true);
    }""")
    pressed(page, " ")
    until(page, f"window.firstMs && {TOLD} > 3600")
    pressed(page, " ")
    until(page, "player.media.paused && heard.includes('pause')")
    print(f"the first picture came {page.evaluate('firstMs'):.0f} ms after the key")
    assert page.evaluate("heard") == ["play", "playing", "pause"]
    until(page, f"{TOLD} === {NAMED}")


def test_every_way_of_seeking_shows_the_picture_that_was_asked_for(page: Any) -> None:
    for key, at_s in (
        ("5", 6.2), ("ArrowRight", 12.4), ("ArrowLeft", 2.4), ("Shift+ArrowRight", 7.4), ("[", 6.16), ("]", 7.4),
        ("Shift+ArrowLeft", 2.4), ("Control+ArrowLeft", 0), ("2", 2.48), ("Home", 0), ("End", 12.4),
    ):  # fmt: skip
        pressed(page, key)
        until(page, f"Math.abs({AT} - {at_s}) < 0.01 && !player.media.seeking", f"{TOLD} === {NAMED}")
        told = page.evaluate(TOLD)
        assert -PICTURE_MS - 1 <= told - at_s * 1000 <= 1, key


def test_a_step_is_one_picture_with_its_own_time_stamp(page: Any) -> None:
    for key, ms in ((".", 3520), (".", 3560), (".", 3600), (",", 3560), (",", 3520), (",", 3480), (",", 3440)):
        pressed(page, key)
        shows(page, ms)
    assert page.locator('[data-is="time"]').inner_text() == "2021-08-03 15:00:03.440 +08:00"


def test_a_loop_comes_back_to_its_beginning(page: Any) -> None:
    pressed(page, "l", *["."] * 10)
    shows(page, 3880)
    pressed(page, "l", " ")
    until(page, f"{AT} > 3.7", f"{AT} < 3.65", f"{AT} > 3.7", f"{AT} < 3.65")
    assert page.evaluate(AT) > 3.4
    pressed(page, "l")
    until(page, f"{AT} > 4.5")
    pressed(page, " ")


def test_it_plays_slower_and_faster(page: Any) -> None:
    found = []
    for key in "<<<<>>>>>>>>>":
        pressed(page, key)
        found.append(
            page.evaluate("[player.media.playbackRate, Number(document.querySelector('[data-is=\"rate\"]').value)]")
        )
    assert [one[0] for one in found] == [0.75, 0.5, 0.25, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 2, 3, 4, 4]
    until(page, "Number(document.querySelector('[data-is=\"rate\"]').value) === 4")
    pressed(page, "Home", " ")
    until(page, "player.media.ended")


def test_what_really_played_is_told_and_shown_and_what_was_leapt_over_is_not(page: Any, filmed: Home) -> None:
    def told() -> list[dict[str, Any]]:
        return [json.loads(line)["facts"] for line in filmed.catalog.events_of_type(["view.watched"])]

    before = len(told())
    pressed(page, " ")
    until(page, f"{AT} > 4.2")
    pressed(page, " ", "7")
    # What is shown is what the other rendering begins with: the picture must have come.
    until(page, f"{AT} > 8.6 && !player.media.seeking && {NAMED} > 8600")
    pressed(page, "o")
    own = "player.media.currentSrc.endsWith('/bytes/shown') && player.media.readyState >= 3 && !player.media.seeking"
    until(page, own, f"{AT} > 8.6")
    pressed(page, *">" * 5, " ")
    until(page, f"{AT} > 10.4")
    pressed(page, " ", "Home")
    until(page, f"{AT} < 0.1")
    page.get_by_text(re.compile(r"◉ 您已观看 0:\d\d / 0:12（\d+ %）")).wait_for()
    drawn = page.locator("g.watched rect")
    assert {"usual", "fast"} == {one.get_attribute("class") for one in drawn.all()}
    page.goto("about:blank")
    wait_until(lambda: sum(one["seconds"] for one in told()[before:]) > 1.5, 10, "what was played is told")
    kept = merged(Stretch(*one) for facts in told()[before:] for one in facts["stretches"])
    assert {one.rate for one in kept} == {1, 4}
    [usual], [fast] = ([one for one in kept if one.rate == rate] for rate in (1, 4))
    assert 3.4 <= usual.from_s < 4 < usual.to_s < 6, kept
    assert 8.6 <= fast.from_s < 9.6 < fast.to_s < 12.4, kept


def test_what_the_copy_lacks_was_not_played(page: Any) -> None:
    # Ten pictures a second. The copy lacks those from 1.0 to 1.3 s, which is a hole, and that of 2.0 s, which is none.
    spans = """(isClosedUp) => {
      const own = [...Array(30).keys()].map(BigInt), absent = -(1n << 62n), lacks = [10n, 11n, 12n, 13n, 20n];
      const copy = own.map((one) => (lacks.includes(one) ? absent : one - (isClosedUp && one > 13n ? 4n : 0n)));
      const steps = [own, copy].flatMap((all) => all.map((one, place) => one - (all[place - 1] ?? 0n)));
      const frames = new player.frames.constructor(30, [1, 10, 1, 10], BigInt64Array.from(steps));
      return frames.spans(0.25, isClosedUp ? 2.6 : 3).flat().map((one) => Math.round(one * 1000));
    }"""
    for is_closed_up in (False, True):
        assert page.evaluate(spans, is_closed_up) == [250, 1000, 1400, 3000]


def test_nothing_is_counted_before_it_is_known_which_seconds_of_the_original_they_are(
    page: Any, opened: tuple[Any, str]
) -> None:
    waiting: list[Any] = []
    address = page.evaluate("player.about.frame_times")
    page.route(f"**{address}", lambda route: waiting.append(route))
    page.goto(opened[1])
    until(page, "window.player?.media.readyState >= 3")
    pressed(page, " ")
    until(page, f"{AT} > 1")
    assert page.evaluate("[player.frames === undefined, player.watched.pieces.length]") == [True, 0]
    waiting[0].continue_()
    until(page, "player.frames", "player.watched.pieces.length")
    low, high, rate = page.evaluate("player.watched.pieces[0]")
    assert (low < 0.2, high > 1, rate) == (True, True, 1)
    pressed(page, " ")
    page.unroute(f"**{address}")


def test_marks_are_named_by_class_and_a_class_can_be_left_out(page: Any) -> None:
    page.evaluate("""player.lane.show(null, [
      { kind: "scene", at: 2 }, { kind: "black", at: 5, to: 7 },
      { kind: "missing", at: 12.4, why: "缺少编号 0003", other: "X", name: "0004.mp4" },
    ], null)""")
    legend = page.get_by_role("group", name="按类别显示的标记").get_by_role("button")
    assert [one.inner_text().strip() for one in legend.all()] == ["缺少文件 1", "黑屏 1", "场景切换 1"]
    patterns = [one.get_attribute("fill") for one in page.locator("g.marks rect.mark").all()]
    assert sorted(patterns) == ["url(#mark-black)", "url(#mark-missing)"]
    assert all(page.locator(one[4:-1]).count() == 1 for one in patterns), "each class has a pattern of its own"
    pressed(page, "PageUp")
    until(page, f"Math.abs({AT} - 2) < 0.1")
    legend.nth(1).click()
    assert legend.nth(1).get_attribute("aria-pressed") == "false"
    pressed(page, "PageDown")
    until(page, f"{AT} > 12.3")
    page.get_by_text("逐条列出标记（2）").click()
    listed = page.locator("[data-is=marks] li")
    assert [" ".join(one.inner_text().split()) for one in listed.all()][
        1
    ] == "00:00:12.400 缺少文件 · 缺少编号 0003 → 0004.mp4"


def test_a_label_always_says_which_of_both_is_shown(page: Any) -> None:
    copy, own = page.locator('[data-shown="copy"]'), page.locator('[data-shown="own"]')
    assert (copy.text_content(), own.text_content()) == ("▣ 查看副本，并非原件", "● 原件本身")
    assert (copy.is_visible(), own.is_visible()) == (True, False)
    pressed(page, "o")
    shows(page, 3480)
    assert page.evaluate("player.media.currentSrc").endswith("/bytes/shown")
    assert (copy.is_visible(), own.is_visible()) == (False, True)
    pressed(page, ".")
    shows(page, 3520)
    pressed(page, "o")
    shows(page, 3520)
    assert (copy.is_visible(), own.is_visible()) == (True, False)


def test_a_picture_that_is_kept_is_the_one_shown_with_its_citation(page: Any, filmed: Home) -> None:
    with page.expect_download() as coming:
        pressed(page, "s")
    known = filmed.catalog.known_of(filmed.find_original(NAME))
    assert coming.value.suggested_filename == f"{known.original.sha256[:12]}-000003.480.png"
    kept = Image.open(io.BytesIO(coming.value.path().read_bytes())).convert("L")
    pixels = np.asarray(kept)
    assert (kept.width, kept.height > HEIGHT + 20) == (WIDTH, True)
    digits = pixels[HEIGHT // 4, WIDTH // 32 :: WIDTH // 16] > 128
    assert int("".join(str(int(one)) for one in digits), 2) == 3480
    assert (pixels[HEIGHT:] < 128).any(), "nothing is written below the picture"
    [event] = [json.loads(line) for line in filmed.catalog.events_of_type(["view.snapshot"])]
    assert (event["facts"]["at_s"], event["facts"]["shown"]) == (3.48, "copy")


def test_a_note_is_written_and_cited_by_keys(page: Any, filmed: Home) -> None:
    pressed(page, "n")
    page.keyboard.type("当事人签字")
    pressed(page, "Tab", "Tab", "Enter")
    note = page.locator("[data-notes] ol li")
    note.get_by_text("当事人签字").wait_for()
    sha256 = filmed.catalog.known_of(filmed.find_original(NAME)).original.sha256
    pressed(page, "y")
    cited = re.escape(f"SHA-256 {sha256}，PTS 00:00:03.480，校正时间 2021-08-03 15:00:03.480 +08:00 ±")
    page.get_by_text(re.compile(cited)).wait_for()
    pressed(page, "Home")
    until(page, f"{AT} === 0")
    note.get_by_role("button", name="00:00:03.480").press("Enter")
    shows(page, 3480)


def test_the_keys_that_are_valid_are_listed(page: Any) -> None:
    pressed(page, "?")
    dialog = page.get_by_role("dialog", name="快捷键")
    dialog.wait_for()
    listed = {" ".join(one.locator("kbd").all_inner_texts()) for one in dialog.locator("dt").all()}
    assert {"Space", "← →", ", .", "l", "o", "n", "s", "?"} <= listed
    # Neither captions nor silence are in this film, and no case is linked.
    assert not {"c", "x", "g c"} & listed
    pressed(page, "Escape")
    dialog.wait_for(state="hidden")
