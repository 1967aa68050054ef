"""Tracks: where a recording was made while it moved, thin enough to be kept as one property. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

# Of positions as they move: [second after the first moment of what holds it, latitude, longitude, metres or None].
TRACK: Final = "place.track"
# Of a logger: the moment from which its seconds count.
TRACK_FROM: Final = "place.track_from"
# A point is kept where it is so many metres or seconds from the one before it.
APART_M, APART_S, POINTS_MAX = 20.0, 60.0, 400
_DEGREE_M: Final = 111_320.0


class Point(NamedTuple):
    """Degrees; metres above the ellipsoid, None unknown."""

    at_s: float
    lat: float
    lon: float
    alt_m: float | None = None


def is_on_earth(lat_deg: float, lon_deg: float) -> bool:
    """Whether both are degrees that a place can have; no infinite or undefined number is."""
    return -90 <= lat_deg <= 90 and -180 <= lon_deg <= 180


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
    if len(kept) > POINTS_MAX:
        kept = [kept[number * (len(kept) - 1) // (POINTS_MAX - 1)] for number in range(POINTS_MAX)]
    return [[round(one.at_s, 3), one.lat, one.lon, one.alt_m] for one in kept]


def rows_of(moved: Sequence[tuple[float, float, float]]) -> Iterator[tuple[str, str, Any]]:
    """The properties of a logger that told these (seconds since 1970, latitude, longitude); none of fewer than two."""
    ordered = sorted(moved)
    if len(ordered) < 2:
        return
    from_s = ordered[0][0]
    track = thinned([Point(at_s - from_s, lat, lon) for at_s, lat, lon in ordered])
    yield TRACK, told(track, len(ordered)), track
    began = datetime.fromtimestamp(from_s, UTC).isoformat()
    yield TRACK_FROM, began, began


def told(track: Sequence[Sequence[float | None]], count: int) -> str:
    """The track in words, of so many positions."""
    return f"{len(track)} of {count} positions, {track[0][0]:g} to {track[-1][0]:g} s"
