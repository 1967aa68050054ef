"""How far an original was watched, in per cent and in what is left of it."""

from __future__ import annotations

import pytest

from indexer.casework.looked import Looked
from pipeline.watched import Stretch

PART = (10.0, 10.9)


@pytest.mark.parametrize(
    ("part", "played", "percent", "left"),
    [
        ((0.0, 1.0), [(0.0, 0.1)], 10, [(0.1, 1.0)]),
        ((0.0, 1.0), [(0.0, 0.985)], 100, []),
        (PART, [(0.0, 9.0)], 0, [PART]),
        (PART, [(0.0, 10.3)], 33, [(10.3, 10.9)]),
        (PART, [(9.0, 12.0)], 100, []),
        ((0.0, 3600.0), [(0.5, 3599.6)], 100, []),
        ((0.0, 3600.0), [(0.6, 3599.5)], 99, []),
        ((0.0, 3600.0), [(0.0, 3599.0)], 99, [(3599.0, 3600.0)]),
        ((0.0, 3600.0), [], 0, [(0.0, 3600.0)]),
    ],
)
def test_all_was_watched_only_where_hardly_anything_is_left(
    part: tuple[float, float], played: list[tuple[float, float]], percent: int, left: list[tuple[float, float]]
) -> None:
    looked = Looked(original="x", sha256="0" * 64, name="x.mp4", seconds=9.0, from_s=part[0], to_s=part[1],
                    stretches=tuple(Stretch(low, high, 1.0) for low, high in played))  # fmt: skip
    assert (looked.percent, looked.left) == (percent, left)
