from __future__ import annotations

import re

import numpy as np
import pytest
from PIL import Image

from pipeline.derivers.pictures import DERIVER, POSTER_PX, TILES_MAX, Telling, laid_out, map_of, step_for
from pipeline.errors import Unreadable
from tests.pipeline.filming import SCENES, film, heard_by, of_role, probed


def _pictures(source, tmp_path):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    return heard_by(DERIVER, source, scratch).made


def test_every_second_of_a_short_film_has_its_small_picture(tmp_path):
    source = film(tmp_path / "a.mkv", "shapes", seconds=12)
    made = _pictures(source, tmp_path)
    text = of_role(made, "sprites_map").path.read_text()
    assert text.startswith("WEBVTT\n")
    assert len(re.findall(r"-->", text)) == 12
    assert "00:00:11.000 --> 00:00:12.000\nsprites-1.jpg#xywh=160,90,160,90" in text
    assert Image.open(of_role(made, "sprites").path).size == (1600, 180)


def test_the_poster_is_not_black_and_no_larger_than_its_size(tmp_path):
    black_first = f"{SCENES['shapes']},fade=in:st=3:d=0.1"
    source = film(tmp_path / "a.mp4", black_first, seconds=6, size="1280x720")
    poster = of_role(_pictures(source, tmp_path), "poster")
    shown = Image.open(poster.path)
    assert max(shown.size) == POSTER_PX
    assert np.asarray(shown.convert("L")).mean() > 40
    assert poster.parameters["at_s"] >= 3


def test_a_poster_is_never_larger_than_its_film(tmp_path):
    source = film(tmp_path / "a.mp4", "shapes", seconds=2, size="160x90")
    assert Image.open(of_role(_pictures(source, tmp_path), "poster").path).size == (160, 90)


def test_a_black_film_has_pictures_too(tmp_path):
    source = film(tmp_path / "a.mp4", "color=black:size={size}:rate={rate}", seconds=3)
    assert {file.role for file in _pictures(source, tmp_path)} == set(DERIVER.roles)


def test_what_does_not_decode_is_unreadable(tmp_path):
    good = film(tmp_path / "good.mkv", "shapes", seconds=1)
    bad = tmp_path / "bad.mkv"
    bad.write_bytes(good.read_bytes()[:150])
    with pytest.raises(Unreadable):
        heard_by(DERIVER, bad, tmp_path, probed(good))


def test_sharp_and_light_wins_over_dark_flat_and_blurred():
    board = np.indices((90, 160)).sum(0) // 5 % 2 * 200
    soft = (board + np.roll(board, 1, 1) + np.roll(board, 2, 1) + np.roll(board, 3, 1)) // 4
    dark, flat = np.zeros((90, 160)), np.full((90, 160), 120)
    tiles = np.stack([np.stack([one] * 3, -1) for one in (dark, flat, soft, board, board)]).astype(np.uint8)
    assert _chosen(tiles) == 3
    assert _chosen(tiles[:2]) == 1


def test_a_later_picture_wins_by_a_tenth_only():
    board = np.indices((90, 160)).sum(0) // 5 % 2
    tiles = [np.stack([100 + board * contrast] * 3, -1).astype(np.uint8) for contrast in (50, 70, 72, 74, 73)]
    assert _chosen(tiles) == 2  # 72 ** 2 is more than 74 ** 2 / 1.1, and 70 ** 2 is not


def _chosen(tiles):
    telling = Telling()
    for tile in tiles:
        telling.add(tile, tile)
    return telling.chosen()[0]


@pytest.mark.parametrize(("seconds", "step_s"), [(5, 1), (100, 1), (300, 3), (3600, 10), (86_400, 86.4), (None, 10)])
def test_there_is_one_small_picture_a_step(seconds, step_s):
    assert step_for(seconds) == pytest.approx(step_s)
    assert seconds is None or seconds / step_for(seconds) <= TILES_MAX


def test_the_map_leads_to_the_right_sheet_and_place():
    cues = map_of(["a.jpg", "b.jpg"], 102, 10.0).split("\n\n")
    assert cues[12].endswith("a.jpg#xywh=160,90,160,90")
    assert cues[101] == "00:16:40.000 --> 00:16:50.000\nb.jpg#xywh=0,0,160,90"


def test_a_sheet_holds_its_pictures_in_rows_of_ten():
    tiles = np.stack([np.full((90, 160, 3), number, np.uint8) for number in range(11)])
    sheet = laid_out(tiles)
    assert sheet.shape == (180, 1600, 3)
    assert (sheet[0, 320, 0], sheet[90, 0, 0], sheet[90, 160, 0]) == (2, 10, 0)
