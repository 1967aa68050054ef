"""Stretches that a person has played: merged, measured, and what is left of an original."""

from __future__ import annotations

import random

from pipeline.watched import STRETCHES_MOST, Stretch, merged, played_s, unplayed


def test_what_was_played_twice_counts_once_at_the_slower_speed() -> None:
    found = merged([Stretch(0, 10, 4), Stretch(5, 8, 1), Stretch(7, 12, 2), Stretch(20, 20.5, 1)])
    assert found == ((0, 5, 4), (5, 8, 1), (8, 12, 2), (20, 20.5, 1))
    assert merged(found) == found
    assert played_s(found, 0, 100) == 12.5
    assert played_s(found, 6, 9) == 3
    assert played_s(found, 0, 100, faster_than=2) == 5
    assert unplayed(found, 0, 30) == [(12, 20), (20.5, 30)]
    assert unplayed(found, 3, 21, least_s=1) == [(12, 20)]
    assert unplayed([], 0, 3) == [(0, 3)]


def test_however_it_comes_every_tenth_of_a_second_has_its_slowest_speed() -> None:
    rng = random.Random(7)
    told = [
        Stretch(low / 10, (low + rng.randrange(1, 90)) / 10, rng.choice((0.25, 1, 2, 4)))
        for low in (rng.randrange(1000) for _ in range(80))
    ]
    kept: tuple[Stretch, ...] = ()
    for one in told:
        kept = merged([*kept, one])
    assert kept == merged(told)
    for tenth in range(1100):
        at = tenth / 10 + 0.05
        slowest = min((one.rate for one in told if one.from_s < at < one.to_s), default=None)
        assert [one.rate for one in kept if one.from_s < at < one.to_s] == ([slowest] if slowest else [])


def test_a_list_stays_short_and_never_tells_more_than_was_played() -> None:
    told = [Stretch(at * 10, at * 10 + 1 + at % 7, 1) for at in range(STRETCHES_MOST + 50)]
    kept = merged(told)
    assert len(kept) == STRETCHES_MOST
    assert set(kept) < set(told)
    assert min(one.to_s - one.from_s for one in set(told) - set(kept)) == 1
