"""Tracks: where a recording was made while it moved, thin enough to be kept as one property. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

# Of positions as they move: [second after the first moment of what holds it, latitude, longitude, metres or None].
TRACK: Final = "place.track"
# A point is kept where it is so many metres or seconds from the one before it.
APART_M, APART_S, POINTS_MAX = 20.0, 60.0, 400
_DEGREE_M: Final = 111_320.0


class Point(NamedTuple):
    """Degrees; metres above the ellipsoid, None unknown."""

    at_s: float
    lat: float
    lon: float
    alt_m: float | None = None


def thinned(points: Sequence[Point]) -> list[list[float | None]]:
    """The points that tell where it went, as `TRACK` keeps them: the first, the last and what lies apart."""
    kept = [points[0]]
    for one in points[1:]:
        last = kept[-1]
        north_m = (one.lat - last.lat) * _DEGREE_M
        east_m = (one.lon - last.lon) * _DEGREE_M * math.cos(math.radians(one.lat))
        if math.hypot(north_m, east_m) >= APART_M or one.at_s - last.at_s >= APART_S:
            kept.append(one)
    if kept[-1] is not points[-1]:
        kept.append(points[-1])
    every = -(-len(kept) // POINTS_MAX)
    return [[round(one.at_s, 3), one.lat, one.lon, one.alt_m] for one in (*kept[:-1:every], kept[-1])]


def told(track: Sequence[Sequence[float | None]], count: int) -> str:
    """The track in words, of so many positions."""
    return f"{len(track)} of {count} positions, {track[0][0]:g} to {track[-1][0]:g} s"
