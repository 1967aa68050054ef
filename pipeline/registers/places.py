"""Where activities took place against where recordings were made: positions and names. Pure.

Positions of activities stand in their place as numbers, or in `places.toml` of the home under the place's name.
Positions copied from Chinese maps are shifted by law by 300 to 600 m against satellites', so nearness is told coarsely.
"""

from __future__ import annotations

import math
import re
import tomllib
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from difflib import SequenceMatcher
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, NamedTuple

from pipeline.errors import BadInput
from pipeline.records import Activity, Device, Known
from pipeline.registers.parties import folded, without_region
from pipeline.timing.names import places_of
from pipeline.tracks import TRACK, TRACK_FROM

NAME: Final = "places.toml"
WORDS_LEAST: Final = 4  # characters that names of a place share
HAN_LEAST: Final = 3  # of them
_EARTH_M: Final = 6_371_000.0
_NUMBERS: Final = re.compile(
    r"(?<![\d.])(\d{1,3}\.\d{3,})\s*[°度]?\s*[NSEW北南东西]?\s*[,，/ ]\s*(\d{1,3}\.\d{3,})(?![\d.])"
)
_HAN: Final = re.compile("[\u3400-\u9fff]")
# Of two numbers the one that is too large for a latitude of China is the longitude. Source: its extent, 3 to 54° N.
_LATITUDE_MAX: Final = 60.0


class Position(NamedTuple):
    """Degrees, WGS 84."""

    lat: float
    lon: float


def places_in(home: Path) -> Mapping[str, Position]:
    """Name -> position, of the home's `places.toml` (`[[place]]` with `name`, `lat`, `lon`); empty without one.

    Raises BadInput where the file cannot be used.
    """
    path = home / NAME
    if not path.exists():
        return {}
    try:
        said = tomllib.loads(path.read_text(encoding="utf-8-sig"))
        return {folded(one["name"]): Position(float(one["lat"]), float(one["lon"])) for one in said["place"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{path} cannot be used: {error}", zh=f"{path} 不可用：{error}", path=str(path)) from error


def position_of(activity: Activity, places: Mapping[str, Position]) -> Position | None:
    """Where the activity took place, as far as it is known as a position."""
    said = activity.place or ""
    found = _NUMBERS.search(said)
    if found:
        first, second = float(found[1]), float(found[2])
        lat, lon = (second, first) if first > _LATITUDE_MAX else (first, second)
        return Position(lat, lon) if lat <= 90 and lon <= 180 else None
    plain = folded(said)
    names = [name for name in places if name and (name == plain or name in plain)]
    return places[max(names, key=len)] if names else None


def made_at(known: Known) -> Position | None:
    """Where the recording was made, by its own position or that of a sidecar which knows of one place alone."""
    for owner in (known, *known.sidecars):
        lat, lon = _number(owner.value("place.lat")), _number(owner.value("place.lon"))
        if lat is not None and lon is not None and (owner is known or not owner.value(TRACK)):
            return Position(lat, lon)
    return None


def passed_at(known: Known) -> tuple[Position, ...]:
    """Where it went while it was recorded, by its own track or that of a logger beside it; empty where none tells.

    A logger may have run all day: what it passed within the decided time counts, as surely as that is known. Few points
    are kept of what stands still, so where it was at both ends lies between the points around them.
    """
    for owner in (known, *known.sidecars):
        points = owner.value(TRACK)
        if isinstance(points, list) and points:
            begins_s = 0.0 if owner is known else _begins_s(known, owner)
            if begins_s is None or known.time is None:
                return ()
            track = [(at_s + begins_s, lat, lon) for at_s, lat, lon, *_ in points if None not in (at_s, lat, lon)]
            if owner is known:
                return tuple(Position(lat, lon) for _, lat, lon in track)
            margin_s = known.time.uncertainty_s
            length_s = (known.time.end_at - known.time.start_at).total_seconds()
            return tuple(_between(track, -margin_s, length_s + margin_s))
    return ()


def _between(track: Sequence[tuple[float, float, float]], from_s: float, to_s: float) -> Iterator[Position]:
    """Where it was from one second to the other, as far as the track reaches."""
    if not track or (first_s := max(from_s, track[0][0])) > (last_s := min(to_s, track[-1][0])):
        return
    yield _at(track, first_s)
    yield from (Position(lat, lon) for at_s, lat, lon in track if first_s < at_s < last_s)
    yield _at(track, last_s)


def _at(track: Sequence[tuple[float, float, float]], second: float) -> Position:
    behind = max(1, bisect_left(track, (second,)))
    if behind == len(track):
        return Position(*track[-1][1:])
    (from_s, *before), (to_s, *after) = track[behind - 1 : behind + 1]
    share = (second - from_s) / (to_s - from_s) if to_s > from_s else 0.0
    lat, lon = (one + (other - one) * share for one, other in zip(before, after, strict=True))
    return Position(lat, lon)


def _begins_s(known: Known, track: Known) -> float | None:
    """Seconds from the recording's decided beginning to the track's first point; None where it has no time."""
    try:
        first_at = datetime.fromisoformat(str(track.value(TRACK_FROM) or track.value("sidecar.start")))
    except ValueError:
        return None
    assert known.time is not None
    return ((first_at if first_at.tzinfo else first_at.replace(tzinfo=UTC)) - known.time.start_at).total_seconds()


def distance_m(one: Position, other: Position) -> float:
    """Along the earth's surface. Source: the haversine formula."""
    lat1, lat2 = math.radians(one.lat), math.radians(other.lat)
    half = math.sin((lat2 - lat1) / 2) ** 2
    half += math.cos(lat1) * math.cos(lat2) * math.sin(math.radians(other.lon - one.lon) / 2) ** 2
    return 2 * _EARTH_M * math.asin(math.sqrt(min(half, 1.0)))


def words_of(known: Known, device: Device | None) -> tuple[str, ...]:
    """Texts that may name the place: folders, names, what sidecars say of it, where a fixed camera hangs."""
    texts = [part for folder, name in places_of(known) for part in (*folder.split("/"), name)]
    texts += [str(found.value or found.found) for owner in (known, *known.sidecars)
              for name, found in owner.properties.items() if name.endswith((".place", ".address"))]  # fmt: skip
    if device is not None and device.place:
        texts.append(device.place)
    return tuple(dict.fromkeys(folded(text) for text in texts if text))


def shared_words(place: str, texts: Iterable[str]) -> str:
    """The longest part of the place's name that stands in one of the texts; '' where none is long enough.

    Province, city, county and town count for nothing: every place of a bureau has them.
    """
    wanted = _bare(place)
    pieces = _pieces(wanted)
    best = ""
    for text in texts:
        plain = _bare(text)
        if pieces.isdisjoint(_pieces(plain)):
            continue
        match = SequenceMatcher(None, wanted, plain, autojunk=False).find_longest_match()
        found = wanted[match.a : match.a + match.size]
        # Digits alone are a day or a number of something else.
        if len(_HAN.findall(found)) >= HAN_LEAST:
            best = max(best, found, key=len)
    return best


# Thousands of recordings are held against the same places and lie in the same folders.
@lru_cache(maxsize=4096)
def _bare(text: str) -> str:
    return without_region(folded(text))


@lru_cache(maxsize=4096)
def _pieces(text: str) -> frozenset[str]:
    return frozenset(text[at : at + WORDS_LEAST] for at in range(len(text) - WORDS_LEAST + 1))


def _number(said: Any) -> float | None:
    return float(said) if isinstance(said, int | float) and not isinstance(said, bool) else None
