"""GPS times in the spellings that readers give them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from pipeline.records import Known, TimeClaim

Make = Callable[..., Known]
Claims = Callable[[Known], list[TimeClaim]]


def at(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc, arg-type]


@pytest.mark.parametrize(
    "clock",
    ["12:45:55", "12/1 45/1 55/1", "[12, 45, 55]", "[12, 45, 5500/100]", [12, 45, 55], ["12/1", "45/1", "55/1"]],
)
def test_day_and_clock_are_utc(known: Make, claims: Claims, clock: Any) -> None:
    (claim,) = claims(known({"exif.GPSDateStamp": "2023:06:07", "exif.GPSTimeStamp": clock}))
    assert (claim.at, claim.zone_known, claim.offset_min) == (at(2023, 6, 7, 12, 45, 55), True, 0)


def test_a_fraction_is_kept(known: Make, claims: Claims) -> None:
    (claim,) = claims(known({"exif.GPSDateStamp": "2008:10:23", "exif.GPSTimeStamp": "[14, 27, 181/25]"}))
    assert claim.at == at(2008, 10, 23, 14, 27, 7, 240000)


@pytest.mark.parametrize(
    "found",
    [
        {"exif.GPSTimeStamp": "12:45:55"},
        {"exif.GPSDateStamp": "2023:06:07"},
        {"exif.GPSDateStamp": "2023:06:07", "exif.GPSTimeStamp": "[12, 45, 0/0]"},
        {"exif.GPSDateStamp": "2023:06:07", "exif.GPSTimeStamp": "[25, 0, 0]"},
        {"exif.GPSDateStamp": "0000:00:00", "exif.GPSTimeStamp": "[0, 0, 0]"},
    ],
)
def test_half_a_time_is_named_and_claims_nothing(known: Make, claims: Claims, found: dict[str, str]) -> None:
    (claim,) = claims(known(found))
    assert claim.at is None
    assert claim.note


def test_no_gps_is_no_claim(known: Make, claims: Claims) -> None:
    assert claims(known()) == []
