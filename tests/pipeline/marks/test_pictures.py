from __future__ import annotations

import numpy as np
import pytest

from pipeline.marks import pictures as marks
from pipeline.marks.pictures import (
    FRAMED_INSIDE,
    FRAMED_WHOLE,
    MIDDLE,
    SIDE_PX,
    WHOLE,
    Marker,
    bits_of,
    detail_of,
    distance,
    inside_borders,
    is_drawn,
    key_of,
    mirrored,
    packed,
    turned,
    unpacked,
    waves_of,
)


@pytest.fixture
def rng():
    return np.random.default_rng(11)


def scenes(rng, count):
    """Pictures with much light in large shapes and little in small ones, as in nature; each another."""
    waves = np.fft.fftfreq(SIDE_PX)
    fall = 1 / np.maximum(np.hypot(waves[:, None], waves[None]), 1 / SIDE_PX) ** 1.3
    shaped = np.fft.ifft2(np.fft.fft2(rng.normal(size=(count, SIDE_PX, SIDE_PX))) * fall).real
    shaped /= shaped.std((1, 2), keepdims=True)
    return np.clip(128 + 45 * shaped, 0, 255).astype(np.uint8)


def _bits(frames, rect=WHOLE):
    return bits_of(waves_of(frames, rect))


def test_unrelated_pictures_differ_in_half_of_their_bits(rng):
    bits = _bits(scenes(rng, 400))
    differing = distance(bits[:200], bits[200:])
    assert differing.mean() == pytest.approx(128, abs=3)
    assert differing.min() > marks.BITS * 0.3


def test_the_frequencies_are_those_of_the_cosine_transform(rng):
    """Against the transform written out by its definition (type II, orthonormal), on 64 x 64 means of 2 x 2."""
    frame = scenes(rng, 1)
    small = frame[0].reshape(64, 2, 64, 2).mean((1, 3))
    place = np.arange(64)

    def at(row, column):
        across = np.cos(np.pi * (2 * place + 1) * column / 128)
        down = np.cos(np.pi * (2 * place + 1) * row / 128)
        return 2 / 64 * float(down @ small @ across)

    found = waves_of(frame)[0]
    for row, column in ((1, 1), (1, 16), (7, 3), (16, 16)):
        assert found[row - 1, column - 1] == pytest.approx(at(row, column), abs=0.05)


def test_noise_and_other_light_change_few_bits(rng):
    frames = scenes(rng, 20)
    noisy = np.clip(frames * 0.8 + 30 + rng.normal(0, 6, frames.shape), 0, 255).astype(np.uint8)
    assert distance(_bits(frames), _bits(noisy)).max() < 40


def test_mirror_and_turns_on_frequencies_are_those_of_pixels(rng):
    frames = scenes(rng, 6)
    waves = waves_of(frames)
    for made, pixels in (
        (mirrored(waves), frames[:, :, ::-1]),
        (turned(waves, 1), np.rot90(frames, -1, (1, 2))),
        (turned(waves, 2), np.rot90(frames, 2, (1, 2))),
        (turned(waves, 3), np.rot90(frames, 1, (1, 2))),
    ):
        assert np.abs(made - waves_of(np.ascontiguousarray(pixels))).max() < 0.1


def test_a_rectangle_is_cut_as_from_the_pixels(rng):
    big = scenes(rng, 4)
    cut = big[:, 32:96, 32:96]
    enlarged = np.stack([np.kron(one, np.ones((2, 2))) for one in cut])
    assert distance(_bits(big, MIDDLE), _bits(enlarged.astype(np.uint8))).max() < 20


def test_borders_are_found_and_cut_off(rng):
    frames = scenes(rng, 8)
    framed = np.full_like(frames, 16)
    framed[:, 32:96, :] = frames[:, ::2, :]
    left, top, right, bottom = inside_borders(framed)
    assert (left, right) == (0, 1)
    assert (top, bottom) == (pytest.approx(0.25, abs=0.01), pytest.approx(0.75, abs=0.01))
    assert inside_borders(frames) == WHOLE
    assert inside_borders(np.zeros_like(frames)) == WHOLE


def test_blank_and_drawn_pictures_leave_no_marks():
    bars = np.repeat(np.linspace(20, 235, 8).astype(np.uint8), 16)[None, None].repeat(SIDE_PX, 1).repeat(4, 0)
    bars[:, 96:] = bars[:, 96:, ::-1]
    assert is_drawn(bars).all()
    for frames in (bars, np.zeros_like(bars), np.full_like(bars, 128)):
        marker = Marker(0.5)
        marker.add(frames)
        assert len(marker.marks()) == 0


def test_a_dark_scene_is_not_taken_for_a_drawing(rng):
    night = (scenes(rng, 4) // 8).astype(np.uint8)
    assert not is_drawn(night).any()
    assert detail_of(waves_of(night)).min() > 0


def test_a_picture_that_stands_still_is_kept_once_with_its_length(rng):
    one, other = scenes(rng, 2)
    marker = Marker(0.5)
    for frames in ([one] * 5, [one] * 3 + [other], [other, one]):
        marker.add(np.stack(frames))
    found = marker.marks()
    whole = found.framed == FRAMED_WHOLE
    assert found.at[whole].tolist() == [0, 8, 10]
    assert found.run[whole].tolist() == [8, 2, 1]


def test_marks_inside_borders_are_those_of_the_picture_without_them(rng):
    frames = scenes(rng, 3)
    framed = np.zeros_like(frames)
    framed[:, :, 32:96] = frames[:, :, ::2]
    marker = Marker(0.5)
    marker.add(framed)
    found = marker.marks()
    inside = found.framed == FRAMED_INSIDE
    assert inside.sum() == 3
    assert distance(found.bits[inside], _bits(frames)).max() < 30


def test_what_is_packed_comes_back(rng):
    marker = Marker(0.5)
    marker.add(scenes(rng, 7))
    before = marker.marks()
    after = unpacked(packed(before))
    assert after.step_s == before.step_s == 0.5
    for name in ("at", "run", "framed", "detail", "bits", "key", "inside", "small"):
        assert (getattr(after, name) == getattr(before, name)).all()
    assert len(unpacked(packed(Marker(0.0).marks()))) == 0


@pytest.mark.parametrize("data", [b"CRPM\x09" + bytes(11), b"XXXX\x01" + bytes(11)])
def test_marks_of_another_form_are_refused(data):
    with pytest.raises(ValueError, match="marks"):
        unpacked(data)


def test_the_key_is_of_the_lowest_frequencies(rng):
    frames = scenes(rng, 1)
    rough = frames.reshape(1, 32, 4, 32, 4).mean((2, 4)).repeat(4, 1).repeat(4, 2).astype(np.uint8)
    assert np.bitwise_count(key_of(waves_of(frames)) ^ key_of(waves_of(rough)))[0] <= 6
