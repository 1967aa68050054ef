"""What the header of a written record says of when it was done."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from pipeline.records import Known, TimeClaim

Make = Callable[..., Known]
Claims = Callable[[Known], list[TimeClaim]]


def test_the_bureaus_wall_clock_with_its_end_to_a_minute(known: Make, claims: Claims) -> None:
    (claim,) = claims(known({"record.from": "2021-08-03T10:05:00", "record.to": "2021-08-03T10:40:00"}))
    assert claim.at == datetime(2021, 8, 3, 2, 5, tzinfo=UTC)
    assert claim.end_at == datetime(2021, 8, 3, 2, 40, tzinfo=UTC)
    assert (claim.zone_known, claim.offset_min, claim.marks, claim.precision_s) == (True, 480, "start", 60.0)


def test_without_an_end_and_without_a_time(known: Make, claims: Claims) -> None:
    (claim,) = claims(known({"record.from": "2021-08-03T10:05:00", "record.to": "later"}))
    assert claim.end_at is None
    assert claims(known({"record.from": "some day"})) == []
    assert claims(known({"record.on": "2021-08-03"})) == []
