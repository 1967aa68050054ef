from __future__ import annotations

import numpy as np
import pytest

from indexer.matching.pictures import KEY_BITS_MAX, Keys, Library, find_clip, find_photo
from pipeline.marks.pictures import Marker
from tests.pipeline.marks.test_pictures import scenes


def _marks(frames, step_s=0.5):
    marker = Marker(step_s)
    marker.add(frames)
    return marker.marks()


@pytest.fixture
def rng():
    return np.random.default_rng(21)


def _film(rng, seconds):
    """Frames at 4 a second that flow from one scene into another every two seconds."""
    keys = scenes(rng, seconds // 2 + 2).astype(np.float64)
    times = np.arange(seconds * 4) / 8
    share = (times % 1)[:, None, None]
    first = times.astype(int)
    return (keys[first] * (1 - share) + keys[first + 1] * share).astype(np.uint8)


def test_keys_within_seven_bits_are_all_found_and_none_is_found_twice(rng):
    kept = rng.integers(0, 2**63, 5000, np.uint64)
    asked = kept[:50].copy()
    for number, key in enumerate(asked):
        flips = np.uint64(sum(1 << int(bit) for bit in rng.choice(64, 7, replace=False)))
        asked[number] = key ^ flips
    who, row = Keys(kept).near(asked)
    pairs = set(zip(who.tolist(), row.tolist(), strict=True))
    assert {(number, number) for number in range(50)} <= pairs
    assert len(pairs) == len(who)
    assert (np.bitwise_count(asked[who] ^ kept[row]) <= KEY_BITS_MAX).all()


def test_looking_up_in_nothing_finds_nothing(rng):
    who, _ = Keys(np.empty(0, np.uint64)).near(rng.integers(0, 2**63, 5, np.uint64))
    assert len(who) == 0


@pytest.mark.parametrize("start_s", [0, 13, 31])
def test_a_clip_is_found_where_it_was_cut(rng, start_s):
    films = {name: _film(rng, 40) for name in "abc"}
    library = Library((name, _marks(frames[::2])) for name, frames in films.items())
    (found,) = find_clip(films["b"][start_s * 4 : start_s * 4 + 24], 0.25, library)
    assert (found.original, found.transform, found.speed) == ("b", "none", 1.0)
    assert found.offset_s == pytest.approx(start_s, abs=0.3)
    assert found.query_offset_s == pytest.approx(0, abs=0.5)
    assert found.length_s == pytest.approx(6, abs=0.6)


def test_an_excerpt_inside_another_film_is_placed_in_both(rng):
    film, other = _film(rng, 40), _film(rng, 20)
    query = np.concatenate([other[:40], film[80:120], other[40:]])
    (found,) = find_clip(query, 0.25, Library([("a", _marks(film[::2]))]))
    assert found.query_offset_s == pytest.approx(10, abs=0.6)
    assert found.offset_s == pytest.approx(20, abs=0.6)
    assert found.length_s == pytest.approx(10, abs=1)


def test_a_mirrored_and_a_turned_clip_say_so(rng):
    film = _film(rng, 30)
    library = Library([("a", _marks(film[::2]))])
    (found,) = find_clip(np.ascontiguousarray(film[20:50, :, ::-1]), 0.25, library)
    assert found.transform == "mirrored"
    (found,) = find_clip(np.ascontiguousarray(np.rot90(film[20:50], 1, (1, 2))), 0.25, library)
    assert found.transform == "turned 90"


def test_a_faster_clip_says_its_speed(rng):
    film = _film(rng, 60)
    (found,) = find_clip(film[40:140:5], 1.0, Library([("a", _marks(film[::2]))]))
    assert (found.original, found.speed) == ("a", 1.25)
    assert found.offset_s == pytest.approx(10, abs=0.5)


def test_a_foreign_clip_is_found_nowhere(rng):
    library = Library((str(number), _marks(_film(rng, 40)[::2])) for number in range(10))
    for _ in range(10):
        assert find_clip(_film(rng, 8), 0.25, library) == []


def test_a_picture_that_stands_still_is_no_clip(rng):
    still = scenes(rng, 1).repeat(40, 0)
    assert find_clip(still, 0.25, Library([("a", _marks(still))])) == []


def test_a_photo_is_found_among_photos_and_in_the_film_it_was_taken_from(rng):
    film, others = _film(rng, 30), scenes(rng, 20)
    library = Library(
        [("film", _marks(film[::2])), ("same", _marks(film[40:41], 0.0))]
        + [(str(number), _marks(one[None], 0.0)) for number, one in enumerate(others)]
    )
    found = find_photo(film[40:41], library)
    assert {one.original for one in found} == {"film", "same"}
    assert next(one for one in found if one.original == "film").offset_s == pytest.approx(10, abs=0.6)
    assert all(one.is_photo for one in found)
    assert find_photo(scenes(rng, 1), library) == []


def test_an_empty_archive_and_a_black_query_find_nothing(rng):
    empty = Library([])
    assert find_clip(_film(rng, 5), 0.25, empty) == []
    assert find_photo(scenes(rng, 1), empty) == []
    black = np.zeros((20, 128, 128), np.uint8)
    assert find_clip(black, 0.25, Library([("a", _marks(_film(rng, 20)[::2]))])) == []
