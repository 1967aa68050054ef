from __future__ import annotations

import numpy as np
import pytest

from pipeline.fingerprinters.video import BATCH, FPS, Thinned


def _thinned(fps, count, pieces=1):
    numbers, batches = np.arange(count).reshape(-1, 1, 1), []
    thinned = Thinned(fps, batches.append)
    for piece in np.array_split(numbers, pieces):
        thinned.add(piece)
    thinned.flush()
    return np.concatenate(batches).ravel().tolist(), [len(one) for one in batches]


@pytest.mark.parametrize("fps", [2, 8, 15, 24, 25, 30])
def test_the_picture_nearest_to_each_half_second_is_taken(fps):
    chosen, _ = _thinned(fps, fps * 60)
    assert len(chosen) == 60 * FPS
    assert all(abs(number / fps - place / FPS) <= 0.5 / fps + 1e-9 for place, number in enumerate(chosen))


def test_pieces_of_any_size_give_the_same_in_batches_of_the_same_size():
    whole, sizes = _thinned(25, 25 * 40)
    pieces, again = _thinned(25, 25 * 40, pieces=173)
    assert pieces == whole
    assert again == sizes == [BATCH, BATCH, 80 - 2 * BATCH]


def test_a_film_shorter_than_a_step_has_its_first_picture():
    assert _thinned(30, 3)[0] == [0]
