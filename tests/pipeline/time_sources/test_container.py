"""The container's creation time: UTC or local, start or end, 1904 or 1970."""

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


def test_both_readings_are_named(known: Make, claims: Claims) -> None:
    (claim,) = claims(known({"container.creation_time": "2021-08-03T02:10:10.000000Z"}))
    assert (claim.at, claim.zone_known, claim.offset_min) == (at(2021, 8, 3, 2, 10, 10), False, 0)
    assert claim.note == "as UTC 2021-08-03 02:10:10Z, as local digits 2021-08-02 18:10:10Z"
    assert (claim.marks, claim.precision_s) == ("unknown", 1.0)


def test_a_count_from_1970_is_read_a_second_time(known: Make, claims: Claims) -> None:
    _, second = claims(known({"container.creation_time": "1955-08-04T02:10:10"}))
    assert second.at == at(2021, 8, 4, 2, 10, 10)
    assert second.source == "container.creation_time_1970"


@pytest.mark.parametrize(
    ("make", "claimed"),
    [
        ("Apple", (at(2021, 8, 3, 10, 10, 10), True, 0, "unknown")),
        ("NIKON CORPORATION", (at(2021, 8, 3, 2, 10, 10), False, None, "unknown")),
        ("DJI", (at(2021, 8, 3, 10, 10, 10), False, 0, "unknown")),  # the end on some models, the beginning on others
        ("nobody", (at(2021, 8, 3, 10, 10, 10), False, 0, "unknown")),
    ],
)
def test_the_makers_habit_counts(known: Make, claims: Claims, make: str, claimed: tuple[Any, ...]) -> None:
    (claim,) = claims(known({"container.creation_time": "2021-08-03T10:10:10Z", "device.make": make}))
    assert (claim.at, claim.zone_known, claim.offset_min, claim.marks) == claimed


def test_the_model_counts_where_no_make_is_written(known: Make, claims: Claims) -> None:
    (claim,) = claims(known({"container.creation_time": "2019-11-18T15:45:32Z", "device.model": "GoPro Max"}))
    assert (claim.at, claim.offset_min) == (at(2019, 11, 18, 7, 45, 32), None)


@pytest.mark.parametrize(
    ("format_name", "source", "moment"),
    [
        ("avi", "riff.IDIT", at(2021, 8, 3, 2, 10, 10)),
        ("matroska", "matroska.DateUTC", at(2021, 8, 3, 10, 10, 10)),
        ("asf", "asf.CreationDate", at(2021, 8, 3, 10, 10, 10)),
    ],
)
def test_other_containers_fields_go_by_their_own_rules(
    known: Make, claims: Claims, format_name: str, source: str, moment: datetime
) -> None:
    (claim,) = claims(known({"container.creation_time": "2021-08-03T10:10:10Z"}, format_name=format_name))
    assert (claim.source, claim.at) == (source, moment)


def test_an_offset_that_the_text_states_is_believed(known: Make, claims: Claims) -> None:
    (claim,) = claims(known({"container.creation_time": "2021-08-03T10:10:10+0800"}))
    assert (claim.at, claim.zone_known) == (at(2021, 8, 3, 2, 10, 10), True)
