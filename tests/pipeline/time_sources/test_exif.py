"""EXIF times: fraction and offset beside them, and dates that are none."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from pipeline.records import Known, TimeClaim

Make = Callable[..., Known]
Claims = Callable[[Known], list[TimeClaim]]


def at(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc, arg-type]


def test_digits_without_offset_are_read_in_the_default_zone(known: Make, claims: Claims) -> None:
    (claim,) = claims(known({"exif.DateTimeOriginal": "2021:08:03 10:10:10"}))
    assert (claim.at, claim.zone_known, claim.offset_min) == (at(2021, 8, 3, 2, 10, 10), False, None)
    assert (claim.found, claim.marks, claim.precision_s) == ("2021:08:03 10:10:10", "start", 1.0)


def test_offset_and_fraction_are_taken_and_kept_as_found(known: Make, claims: Claims) -> None:
    (claim,) = claims(
        known(
            {
                "exif.DateTimeOriginal": "2021:04:11 15:47:53",
                "exif.SubSecTimeOriginal": "054",
                "exif.OffsetTimeOriginal": "-05:00",
            }
        )
    )
    assert (claim.at, claim.zone_known, claim.offset_min) == (at(2021, 4, 11, 20, 47, 53, 54000), True, -300)
    assert (claim.found, claim.precision_s) == ("2021:04:11 15:47:53 .054 -05:00", 0.001)


@pytest.mark.parametrize(
    "found", ["0000:00:00 00:00:00", "    :  :     :  :  ", "2021:00:03 10:10:10", "2021:08:03 24:00:00"]
)
def test_an_invalid_date_is_named_and_claims_nothing(known: Make, claims: Claims, found: str) -> None:
    (claim,) = claims(known({"exif.DateTimeOriginal": found}))
    assert (claim.at, claim.trust, claim.found) == (None, 0, found)
    assert claim.note


def test_the_time_of_last_change_is_no_recording(known: Make, claims: Claims) -> None:
    (claim,) = claims(known({"exif.DateTime": "2021:08:03 10:10:10"}))
    assert claim.marks == "saved"


def test_an_offset_that_is_none_leaves_the_zone_unknown(known: Make, claims: Claims) -> None:
    (claim,) = claims(known({"exif.DateTimeOriginal": "2021:08:03 10:10:10", "exif.OffsetTimeOriginal": "   :  "}))
    assert not claim.zone_known
