"""GoPro telemetry: satellites' time, brought back to the beginning."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from pipeline.records import Known, Property, TimeClaim

Make = Callable[..., Known]
Claims = Callable[[Known], list[TimeClaim]]


def test_the_fix_is_brought_back_to_the_beginning(known: Make, claims: Claims) -> None:
    # Packed digits that would pass for 2010-11-23 as they stand.
    clock = Property(name="gpmf.GPSU", found="201011234514.000", value="2020-10-11T23:45:14.000+00:00")
    made = replace(known(), properties={"gpmf.GPSU": clock, "gpmf.at_s": Property(name="", found="4", value=4.0)})
    (claim,) = claims(made)
    assert (claim.at, claim.zone_known, claim.marks) == (datetime(2020, 10, 11, 23, 45, 10, tzinfo=UTC), True, "start")
    assert claim.found == "201011234514.000"


def test_without_a_fix_nothing_is_claimed(known: Make, claims: Claims) -> None:
    assert claims(known()) == []
