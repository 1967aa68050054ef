from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from indexer.matching.alignment import scored
from indexer.matching.candidates import Line, Query, Variant
from indexer.matching.framing import Framing
from indexer.matching.pictures import _laid_flat, find_clip
from indexer.matching.rectangle import fitted, flattened, steadied, turned, turned_back, turned_rect
from indexer.matching.shelf import Library
from pipeline.marks.pictures import (
    FRAMED_WHOLE,
    SIDE_PX,
    SMALL_PX,
    TRANSFORMS,
    WHOLE,
    Marker,
    bits_of,
    distance,
    key_of,
    resampled,
    waves_of,
)
from tests.pipeline.marks.test_pictures import scenes


@pytest.fixture
def rng():
    return np.random.default_rng(8)


@pytest.fixture
def film(rng):
    """40 s at 4 a second that flow from one scene into another every two seconds."""
    keys = scenes(rng, 22).astype(np.float64)
    times = np.arange(160) / 8
    share = (times % 1)[:, None, None]
    return (keys[times.astype(int)] * (1 - share) + keys[times.astype(int) + 1] * share).astype(np.uint8)


def _small(frames):
    return resampled(frames, WHOLE, SMALL_PX)


def _filmed(frames, corners, behind=30):
    """The frames as Pillow draws them between four corners (left top, right top, right bottom, left bottom)."""
    whole = [(0, 0), (SIDE_PX, 0), (SIDE_PX, SIDE_PX), (0, SIDE_PX)]
    rows, values = [], []
    for (x, y), (u, v) in zip(np.asarray(corners) * SIDE_PX, whole, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        values += [u, v]
    told = np.linalg.solve(np.array(rows, float), np.array(values, float))
    drawn = [
        Image.fromarray(frame).transform(
            (SIDE_PX, SIDE_PX), Image.Transform.PERSPECTIVE, tuple(told), Image.Resampling.BILINEAR, fillcolor=behind
        )
        for frame in frames
    ]
    return np.stack([np.asarray(one) for one in drawn])


def _library(film):
    marker = Marker(0.5)
    marker.add(film[::2])
    return Library.of([("film", marker.marks())])


@pytest.mark.parametrize("rect", [(0.1, 0.2, 0.9, 0.8), (0.0, 0.34, 1.0, 0.66), (-0.12, -0.05, 1.08, 1.15)])
def test_a_rectangle_some_hundredths_off_is_set_right(film, rect):
    left, top, right, bottom = rect
    frames = _filmed(film[:48:8], [(left, top), (right, top), (right, bottom), (left, bottom)])
    fit = fitted(frames, _small(film[:48:8]), (left + 0.03, top - 0.02, right + 0.02, bottom + 0.03))
    assert fit.rect == pytest.approx(rect, abs=0.015)
    assert fit.likeness > 0.97


def test_a_screen_filmed_from_aside_is_found_by_its_corners_and_laid_flat(film):
    corners = np.array([(0.12, 0.1), (0.9, 0.04), (0.95, 0.93), (0.06, 0.86)])
    frames = _filmed(film[:48:8], corners)
    fit = fitted(frames, _small(film[:48:8]), (0.08, 0.08, 0.92, 0.92))
    assert fit.corners == pytest.approx(corners, abs=0.015)
    flat = bits_of(waves_of(flattened(frames, fit.corners)))
    assert distance(flat, bits_of(waves_of(film[:48:8]))).max() < 40
    assert distance(bits_of(waves_of(frames)), bits_of(waves_of(film[:48:8]))).min() > 60


def test_light_that_falls_off_to_the_corners_and_a_caption_do_not_pull_the_rectangle(film):
    frames = film[:48:8].astype(np.float64)
    across = np.linspace(-1, 1, SIDE_PX)
    dark = (frames * (1 - 0.35 * (across[:, None] ** 2 + across**2))).clip(0, 255)
    dark[:, 108:] = 0
    fit = fitted(dark.astype(np.uint8), _small(film[:48:8]), (0.03, -0.03, 1.0, 0.97))
    assert fit.rect == pytest.approx(WHOLE, abs=0.02)


def test_frames_of_another_film_are_unlike_wherever_they_are_laid(rng, film):
    fit = fitted(scenes(rng, 6), _small(film[:48:8]), (0.1, 0.1, 0.9, 0.9))
    assert fit is None or fit.likeness < 0.5


def test_a_picture_that_lies_outside_the_frames_has_no_rectangle(film):
    assert fitted(film[:3], _small(film[:3]), (0.8, 0.8, 2.0, 2.0)) is None


def test_a_shaking_hand_is_steadied(rng, film):
    still = np.repeat(film[:1], 24, 0)
    shaken = np.stack([
        _filmed(one[None], np.array([(0, 0), (1, 0), (1, 1), (0, 1)]) + move, behind=90)[0]
        for one, move in zip(still, rng.uniform(-0.02, 0.02, (24, 1, 2)), strict=True)
    ])  # fmt: skip
    steady = steadied(shaken, _small(still), np.arange(24))
    inner = (slice(None), slice(8, 120), slice(8, 120))

    def moves(frames):
        return np.abs(np.diff(frames[inner].astype(float), axis=0)).mean()

    assert moves(steady) < moves(shaken) / 2


@pytest.mark.parametrize("turn", TRANSFORMS)
def test_rectangles_turn_with_their_frames(turn):
    frames = np.zeros((1, SIDE_PX, SIDE_PX), np.uint8)
    frames[0, 16:48, 32:112] = 200
    left, top, right, bottom = (round(edge * SIDE_PX) for edge in turned_rect((0.25, 0.125, 0.875, 0.375), turn))
    seen = turned(frames, turn)[0]
    assert (seen[top:bottom, left:right] == 200).all()
    assert np.count_nonzero(seen) == (bottom - top) * (right - left)
    assert turned_back(turned_rect((0.25, 0.125, 0.875, 0.375), turn), turn) == pytest.approx(
        (0.25, 0.125, 0.875, 0.375)
    )
    waves = TRANSFORMS[turn](waves_of(frames))
    assert waves == pytest.approx(waves_of(turned(frames, turn)), abs=0.05)


def test_a_clip_filmed_from_aside_with_a_shaking_hand_is_found(rng, film):
    corners = np.array([(0.13, 0.1), (0.88, 0.05), (0.93, 0.93), (0.08, 0.88)])
    sway = rng.uniform(-0.008, 0.008, (28, 1, 2))
    shown = np.concatenate([_filmed(one[None], corners + move) for one, move in zip(film[40:68], sway, strict=True)])
    found = find_clip(shown, 0.25, _library(film))[0]
    assert (found.transform, found.verdict) == ("inset", "same footage")
    assert found.offset_s - found.query_offset_s == pytest.approx(10, abs=0.3)
    assert found.rectangle == pytest.approx((0.105, 0.075, 0.905, 0.905), abs=0.04)


def test_a_line_whose_rectangle_is_off_is_scored_where_the_picture_lies(film):
    frames = _filmed(film[40:64], [(0.14, 0.08), (0.9, 0.14), (0.94, 0.88), (0.08, 0.94)])
    about = Framing("inset", (0.14, 0.07, 0.94, 0.87), (FRAMED_WHOLE,))
    waves = waves_of(frames, about.rect)
    variant = Variant(about, "none", bits_of(waves), key_of(waves), np.ones(24, bool))
    query = Query(frames, np.arange(24) / 4, 0.25, np.ones(24, bool))
    line = Line(1.0, 0, FRAMED_WHOLE, 10.0, 1.0, variant)
    unfitted = scored(line, query, _library(film))
    (found,) = _laid_flat([line], query, _library(film))
    assert found.verdict == "same footage"
    assert found.rectangle == pytest.approx((0.11, 0.11, 0.92, 0.91), abs=0.015)
    assert unfitted is None or found.strength > 1.3 * unfitted.strength


def test_a_clip_that_was_mirrored_and_cropped_is_found(film):
    corners = [(-0.15, -0.05), (1.05, -0.05), (1.05, 1.2), (-0.15, 1.2)]
    shown = _filmed(film[60:84], corners)[:, :, ::-1]
    found = find_clip(shown, 0.25, _library(film))[0]
    assert (found.transform, found.verdict) == ("cropped mirrored", "same footage")
    assert found.offset_s - found.query_offset_s == pytest.approx(15, abs=0.3)


def test_a_dark_scene_between_bars_is_found(film):
    across = np.linspace(-1.3, 1.3, SIDE_PX)
    lit = np.clip(1 - across[:, None] ** 2 - across**2, 0, 1)
    dark = (film * lit).astype(np.uint8)
    shown = _filmed(dark[40:64], [(0.0, 0.34), (1.0, 0.34), (1.0, 0.66), (0.0, 0.66)], behind=0)
    found = find_clip(shown, 0.25, _library(dark))[0]
    assert found.verdict == "same footage"
    assert found.offset_s - found.query_offset_s == pytest.approx(10, abs=0.3)
    assert found.rectangle == pytest.approx((0.0, 0.34, 1.0, 0.66), abs=0.03)
