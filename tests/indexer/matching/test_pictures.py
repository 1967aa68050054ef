from __future__ import annotations

import numpy as np
import pytest

from indexer.matching.pictures import find_clip, find_photo
from indexer.matching.shelf import KEY_BITS_MAX, Library, Segment, by_parts, near_keys
from pipeline.marks.pictures import FRAMED_INSIDE, FRAMED_MIDDLE, FRAMED_WHOLE, Marker
from tests.pipeline.marks.test_pictures import scenes

WHOLES = (FRAMED_WHOLE, FRAMED_INSIDE)


def _marks(frames, step_s=0.5):
    marker = Marker(step_s)
    marker.add(frames)
    return marker.marks()


@pytest.fixture
def rng():
    return np.random.default_rng(21)


def _film(rng, seconds):
    """Frames at 4 a second that flow from one scene into another every two seconds."""
    return _gliding(rng, seconds, scene_s=2, fps=4)


def _gliding(rng, seconds, *, scene_s, fps=16):
    keys = scenes(rng, seconds // scene_s + 2).astype(np.float64)
    times = np.arange(seconds * fps) / fps / scene_s
    share = (times % 1)[:, None, None]
    first = times.astype(int)
    return (keys[first] * (1 - share) + keys[first + 1] * share).astype(np.uint8)


@pytest.mark.parametrize("start_s", [0, 13, 31])
def test_a_clip_is_found_where_it_was_cut(rng, start_s):
    films = {name: _film(rng, 40) for name in "abc"}
    library = Library.of((name, _marks(frames[::2])) for name, frames in films.items())
    (found,) = find_clip(films["b"][start_s * 4 : start_s * 4 + 24], 0.25, library)
    assert (found.original, found.transform, found.speed) == ("b", "none", 1.0)
    assert found.offset_s == pytest.approx(start_s, abs=0.3)
    assert found.query_offset_s == pytest.approx(0, abs=0.5)
    assert found.length_s == pytest.approx(6, abs=0.6)


def test_an_excerpt_inside_another_film_is_placed_in_both(rng):
    film, other = _film(rng, 40), _film(rng, 20)
    query = np.concatenate([other[:40], film[80:120], other[40:]])
    (found,) = find_clip(query, 0.25, Library.of([("a", _marks(film[::2]))]))
    assert found.query_offset_s == pytest.approx(10, abs=0.6)
    assert found.offset_s == pytest.approx(20, abs=0.6)
    assert found.length_s == pytest.approx(10, abs=1)


def test_a_mirrored_and_a_turned_clip_say_so(rng):
    film = _film(rng, 30)
    library = Library.of([("a", _marks(film[::2]))])
    (found,) = find_clip(np.ascontiguousarray(film[20:50, :, ::-1]), 0.25, library)
    assert found.transform == "mirrored"
    (found,) = find_clip(np.ascontiguousarray(np.rot90(film[20:50], 1, (1, 2))), 0.25, library)
    assert found.transform == "turned 90"


def test_a_faster_clip_says_its_speed(rng):
    film = _film(rng, 60)
    (found,) = find_clip(film[40:140:5], 1.0, Library.of([("a", _marks(film[::2]))]))
    assert (found.original, found.speed) == ("a", 1.25)
    assert found.offset_s == pytest.approx(10, abs=0.5)


@pytest.mark.parametrize("speed", [0.8, 1.25])
def test_a_slow_scene_that_was_played_faster_or_slower_is_placed_by_its_speed(rng, speed):
    """From one scene into the next in five seconds: at any speed its pictures look much alike."""
    scene = _gliding(rng, 40, scene_s=5)
    asked = 10 + np.arange(28) / 4 * speed
    clip = scene[np.round(asked * 16).astype(int)]
    found = find_clip(clip, 0.25, Library.of([("slow", _marks(scene[::8]))]))[0]
    assert (found.original, found.speed) == ("slow", speed)
    assert found.offset_s - found.query_offset_s * speed == pytest.approx(10, abs=0.2)


def test_a_foreign_clip_is_found_nowhere(rng):
    library = Library.of((str(number), _marks(_film(rng, 40)[::2])) for number in range(10))
    for _ in range(10):
        assert find_clip(_film(rng, 8), 0.25, library) == []


def test_a_picture_that_stands_still_is_no_clip(rng):
    still = scenes(rng, 1).repeat(40, 0)
    assert find_clip(still, 0.25, Library.of([("a", _marks(still))])) == []


def test_a_photo_is_found_among_photos_and_in_the_film_it_was_taken_from(rng):
    film, others = _film(rng, 30), scenes(rng, 20)
    library = Library.of(
        [("film", _marks(film[::2])), ("same", _marks(film[40:41], 0.0))]
        + [(str(number), _marks(one[None], 0.0)) for number, one in enumerate(others)]
    )
    found = find_photo(film[40:41], library)
    assert {one.original for one in found} == {"film", "same"}
    assert next(one for one in found if one.original == "film").offset_s == pytest.approx(10, abs=0.6)
    assert all(one.is_photo for one in found)
    assert find_photo(scenes(rng, 1), library) == []


def test_an_empty_archive_and_a_black_query_find_nothing(rng):
    empty = Library.of([])
    assert find_clip(_film(rng, 5), 0.25, empty) == []
    assert find_photo(scenes(rng, 1), empty) == []
    black = np.zeros((20, 128, 128), np.uint8)
    assert find_clip(black, 0.25, Library.of([("a", _marks(_film(rng, 20)[::2]))])) == []


def test_an_inset_says_where_it_lies_and_a_crop_how_far_it_reaches(rng):
    film, behind = _film(rng, 40), _film(rng, 40)
    library = Library.of([("a", _marks(film[::2]))])
    part = film[40:64]
    inset = behind[40:64].copy()
    inset[:, 16:80, 40:104] = part[:, ::2, ::2]
    found = find_clip(inset, 0.25, library)[0]
    assert (found.original, found.transform, found.verdict) == ("a", "inset", "same footage")
    assert found.rectangle == pytest.approx((40 / 128, 16 / 128, 104 / 128, 80 / 128), abs=0.03)
    cut = np.stack([np.kron(one[10:106, 20:116], np.ones((4, 4))).reshape(128, 3, 128, 3).mean((1, 3)) for one in part])
    found = find_clip(cut.astype(np.uint8), 0.25, library)[0]
    assert (found.original, found.transform) == ("a", "cropped")
    assert found.rectangle == pytest.approx((-20 / 96, -10 / 96, 108 / 96, 118 / 96), abs=0.06)
    assert found.offset_s == pytest.approx(10, abs=0.5)


def _street(rng, seconds):
    """Frames at 4 a second of one place; a bright block wanders about in it, each time otherwise."""
    place = scenes(np.random.default_rng(5), 1)[0]
    frames = np.repeat(place[None], seconds * 4, 0)
    x, y = (np.cumsum(rng.normal(0, 5, seconds * 4)) % 96 for _ in range(2))
    for frame, left, top in zip(frames, x.astype(int), y.astype(int), strict=True):
        frame[top : top + 30, left : left + 24] = 250 - frame[top : top + 30, left : left + 24] // 2
    return frames


def test_the_same_place_at_another_time_is_another_take(rng):
    one, other = _street(rng, 40), _street(rng, 40)
    library = Library.of([("street", _marks(one[::2]))])
    same = find_clip(one[50:82], 0.25, library)[0]
    assert (same.original, same.verdict) == ("street", "same footage")
    assert same.offset_s - same.query_offset_s == pytest.approx(12.5, abs=0.5)
    for start in range(0, 120, 30):
        assert {one.verdict for one in find_clip(other[start : start + 32], 0.25, library)} <= {
            "same scene, other take"
        }


def test_pairs_name_pictures_that_are_alike(rng):
    film = _film(rng, 40)
    (found,) = find_clip(film[52:76], 0.25, Library.of([("a", _marks(film[::2]))]))
    assert len(found.pairs) == 3
    for pair in found.pairs:
        assert pair.original_s - pair.query_s == pytest.approx(13, abs=0.3)
        assert pair.differing < 40


def test_keys_within_seven_bits_are_all_found_and_none_is_found_twice(rng):
    kept = rng.integers(0, 2**63, 5000, np.uint64)
    segment = _segment(kept)
    asked = kept[:50].copy()
    for number, key in enumerate(asked):
        asked[number] = key ^ np.uint64(sum(1 << int(bit) for bit in rng.choice(64, 7, replace=False)))
    who, row = near_keys(segment, asked, WHOLES, radius=1)
    pairs = set(zip(who.tolist(), row.tolist(), strict=True))
    assert {(number, number) for number in range(50)} <= pairs
    assert len(pairs) == len(who)
    assert (np.bitwise_count(asked[who] ^ kept[row]) <= KEY_BITS_MAX).all()
    who, row = near_keys(segment, kept[:50], WHOLES, radius=0)
    assert {(number, number) for number in range(50)} <= set(zip(who.tolist(), row.tolist(), strict=True))


def test_middles_are_looked_up_among_middles_and_whole_pictures_among_whole_ones(rng):
    kept = rng.integers(0, 2**63, 300, np.uint64)
    framed = np.arange(300).astype(np.uint8) % 3
    segment = _segment(kept, framed)
    for against in ((FRAMED_MIDDLE,), WHOLES, (*WHOLES, FRAMED_MIDDLE)):
        who, row = near_keys(segment, kept, against, radius=0)
        same = row[who == row]
        assert same.tolist() == np.flatnonzero(np.isin(framed, against)).tolist()
        assert np.isin(framed[row], against).all()


def test_looking_up_in_nothing_finds_nothing(rng):
    who, _ = near_keys(_segment(np.empty(0, np.uint64)), rng.integers(0, 2**63, 5, np.uint64), WHOLES, radius=1)
    assert len(who) == 0


def _segment(keys, framed=None):
    count = len(keys)
    framed = np.zeros(count, np.uint8) if framed is None else framed
    order, first, beside = by_parts(keys, framed)
    return Segment(["a"], np.ones(1, bool), np.zeros(1, bool), np.zeros(count, np.uint32), framed,
                   np.zeros(count, np.float32), np.zeros((count, 4), np.uint64), keys, order, first,
                   beside)  # fmt: skip
