"""The browser that judges derivatives finds what is right right, and what is wrong wrong."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.browsing import Screen, screen
from tests.pipeline.filming import MELODY, film


@pytest.fixture(scope="module")
def browser() -> Iterator[Screen]:
    with screen() as opened:
        yield opened


def test_films_and_sounds_are_played_to_their_end(browser: Screen, tmp_path: Path) -> None:
    seen = film(tmp_path / "a.mp4", "shapes", MELODY.format(seed=1), seconds=3, movflags="+faststart")
    heard = film(tmp_path / "a.m4a", sound=MELODY.format(seed=2), seconds=4, f="ipod")
    moving, sounding = browser.played([seen, heard])

    assert (moving.ended, moving.error, moving.width, moving.height) == (True, "", 320, 180)
    assert moving.duration_s == pytest.approx(3, abs=0.1)
    assert moving.reached_s == pytest.approx(3, abs=0.1)
    assert moving.frames == pytest.approx(75, abs=2)
    assert (sounding.ended, sounding.error, sounding.frames) == (True, "", 0)
    assert sounding.duration_s == pytest.approx(4, abs=0.1)
    assert min(moving.sound_bytes, sounding.sound_bytes) > 10_000


def test_what_browsers_do_not_play_is_an_error(browser: Screen, tmp_path: Path) -> None:
    strange = film(tmp_path / "a.mp4", "shapes", seconds=1, **{"c:v": "mpeg4"})
    nothing = tmp_path / "b.mp4"
    nothing.write_bytes(bytes(5000))
    for one in browser.played([strange, nothing]):
        assert one.error
        assert not one.ended


def test_pictures_are_shown_or_refused(browser: Screen, tmp_path: Path) -> None:
    whole, broken = tmp_path / "a.jpg", tmp_path / "b.jpg"
    Image.effect_noise((320, 200), 90).save(whole)
    broken.write_bytes(b"\xff\xd8\xff\xe0" + bytes(500))
    shown, refused = browser.shown([whole, broken])
    assert (shown.width, shown.height, shown.error) == (320, 200, "")
    assert refused.error


def test_cues_are_read_as_the_browser_reads_them(browser: Screen, tmp_path: Path) -> None:
    source = tmp_path / "a.vtt"
    source.write_text("WEBVTT\n\n00:00:00.000 --> 00:00:01.500\na.jpg#xywh=0,0,160,90\n")
    assert browser.cues([source]) == [[(0, 1.5, "a.jpg#xywh=0,0,160,90")]]


def test_no_name_leads_anywhere(browser: Screen, tmp_path: Path) -> None:
    """Not even the one that every system knows; the address itself does."""
    source = tmp_path / "a.vtt"
    source.write_text("WEBVTT\n")
    address = browser.address_of(source)
    for place, expected in ((address, "reached"), (address.replace("127.0.0.1", "localhost"), "refused")):
        ask = "(place) => fetch(place, {mode: 'no-cors'}).then(() => 'reached', () => 'refused')"
        assert browser.page.evaluate(ask, place) == expected
