from __future__ import annotations

import numpy as np
import pytest

from pipeline.marks.sorting import sorted_once


@pytest.mark.parametrize("dtype", [np.int64, np.uint32])
def test_numbers_are_sorted_and_none_stands_twice(dtype):
    given = [5, 3, 5, 0, 7, 3, 5]
    found = sorted_once(np.array(given, dtype))
    assert found.tolist() == sorted(set(given))
    assert found.dtype == dtype


def test_of_nothing_comes_nothing():
    assert len(sorted_once(np.empty(0, np.int64))) == 0
