"""The file system's time of last writing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from pipeline.records import Known, TimeClaim

Make = Callable[..., Known]
Claims = Callable[[Known], list[TimeClaim]]


def at(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc, arg-type]


def test_the_earliest_arrival_counts(known: Make, claims: Claims) -> None:
    (claim,) = claims(known(mtimes_ns=(1_700_000_000_123_456_789, 1_600_000_000_000_000_000)))
    assert (claim.at, claim.found) == (at(2020, 9, 13, 12, 26, 40), "1600000000000000000 ns since 1970")
    assert (claim.marks, claim.trust) == ("saved", 10)


def test_an_even_second_may_be_a_cards_step(known: Make, claims: Claims) -> None:
    assert claims(known(mtimes_ns=(1_600_000_000_000_000_000,)))[0].precision_s == 2.0
    assert claims(known(mtimes_ns=(1_600_000_000_123_000_000,)))[0].precision_s < 1.0


@pytest.mark.parametrize("mtime_ns", [0, -1])
def test_a_file_never_dated_claims_nothing(known: Make, claims: Claims, mtime_ns: int) -> None:
    assert claims(known(mtimes_ns=(mtime_ns,))) == []


def test_a_date_outside_the_calendar_is_no_instant(known: Make, claims: Claims) -> None:
    assert claims(known(mtimes_ns=(10**22,)))[0].at is None
