"""Which stretches of an original a person has played, and at what speed. Pure.

Seconds are those of the original, from its first picture or sound. What was played twice counts once, at the slower of
both speeds. Never more is told than was played: what has to be left out, so that a list stays short, is the shortest.
Not covered: whether somebody sat before the screen.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any, Final, NamedTuple

# Of one person and one original. Played straight on it is one; each seek and each change of speed may add one.
STRETCHES_MOST: Final = 300
# Beyond double speed speech is no longer followed.
FAST: Final = 2.0
# Closer than a picture lasts, ends are one: they were rounded.
_SAME_S: Final = 0.002
_Span = tuple[float, float]


class Stretch(NamedTuple):
    """So many seconds of an original, played at this speed; 1 is its own."""

    from_s: float
    to_s: float
    rate: float


def merged(stretches: Iterable[Stretch], most: int = STRETCHES_MOST) -> tuple[Stretch, ...]:
    """The same in order, none of which meets another: where several did, the slowest counts."""
    found: list[Stretch] = []
    covered: list[_Span] = []
    for rate, its in groupby(sorted(stretches, key=attrgetter("rate")), key=attrgetter("rate")):
        own = _union((one.from_s, one.to_s) for one in its)
        found += [Stretch(low, high, rate) for low, high in _without(own, covered)]
        covered = _union([*covered, *own])
    kept = sorted(found, key=lambda one: one.from_s - one.to_s)[:most]
    return tuple(sorted(kept))


def played_s(stretches: Sequence[Stretch], from_s: float, to_s: float, *, faster_than: float = 0.0) -> float:
    """Seconds between these that were played, of merged stretches; those faster than so much alone."""
    own = (min(one.to_s, to_s) - max(one.from_s, from_s) for one in stretches if one.rate > faster_than)
    return sum((max(0.0, length) for length in own), 0.0)


def unplayed(stretches: Sequence[Stretch], from_s: float, to_s: float, least_s: float = 0.0) -> list[_Span]:
    """What was not played between these, in order; nothing that is shorter than least_s."""
    left = _without([(from_s, to_s)], _union((one.from_s, one.to_s) for one in stretches))
    return [(low, high) for low, high in left if high - low >= max(least_s, _SAME_S)]


def within(stretches: Iterable[Stretch], most_s: float) -> tuple[Stretch, ...]:
    """The first of these, as far as they can be played in so many seconds; the last of them is cut."""
    found: list[Stretch] = []
    for one in stretches:
        to_s = min(one.to_s, round(one.from_s + most_s * one.rate, 3))
        if to_s <= one.from_s:
            break
        found.append(one._replace(to_s=to_s))
        most_s -= (to_s - one.from_s) / one.rate
    return tuple(found)


def length_s(stretches: Iterable[Stretch]) -> float:
    """Seconds of them all, what lies in several as often."""
    return sum((one.to_s - one.from_s for one in stretches), 0.0)


def as_data(stretches: Iterable[Stretch]) -> list[list[float]]:
    """As events and pages tell them."""
    return [list(one) for one in stretches]


def of_data(told: Any) -> tuple[Stretch, ...]:
    """What `as_data` told. Raises TypeError or ValueError where it is not that."""
    return tuple(Stretch(float(low), float(high), float(rate)) for low, high, rate in told)


def _union(spans: Iterable[_Span]) -> list[_Span]:
    found: list[_Span] = []
    for low, high in sorted(spans):
        if found and low <= found[-1][1] + _SAME_S:
            found[-1] = (found[-1][0], max(found[-1][1], high))
        elif high > low:
            found.append((low, high))
    return found


def _without(spans: Iterable[_Span], gone: Sequence[_Span]) -> list[_Span]:
    """Both in order and none of one meeting another of it."""
    left: list[_Span] = []
    for low, high in spans:
        for begins, ends in gone:
            if ends <= low or begins >= high:
                continue
            if begins - low > _SAME_S:
                left.append((low, begins))
            low = max(low, ends)
        if high - low > _SAME_S:
            left.append((low, high))
    return left
