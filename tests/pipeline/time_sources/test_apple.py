"""Apple's creation date: local digits with their offset."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from pipeline.records import Known, TimeClaim

Make = Callable[..., Known]
Claims = Callable[[Known], list[TimeClaim]]


def at(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc, arg-type]


def test_the_offset_is_stated(known: Make, claims: Claims) -> None:
    (claim,) = claims(known({"container.apple_creation_date": "2015-01-19T12:45:11-0800"}))
    assert (claim.at, claim.zone_known, claim.offset_min) == (at(2015, 1, 19, 20, 45, 11), True, -480)
    assert (claim.marks, claim.trust) == ("start", 95)


def test_a_year_alone_decides_little(known: Make, claims: Claims) -> None:
    (claim,) = claims(known({"container.apple_creation_date": "2004"}))
    assert claim.trust <= 20
    assert claim.precision_s > 300 * 86400
