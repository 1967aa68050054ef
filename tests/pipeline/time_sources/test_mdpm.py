"""AVCHD marks: the camcorder's digits, with a zone where it is marked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from pipeline.records import Known, Property, TimeClaim

Make = Callable[..., Known]
Claims = Callable[[Known], list[TimeClaim]]


@pytest.mark.parametrize(("offset", "hour", "known_zone"), [("+01:00", 22, True), ("", 15, False)])
def test_the_zone_is_known_where_it_is_marked(
    known: Make, claims: Claims, offset: str, hour: int, known_zone: bool
) -> None:
    mark = Property(name="", found="2008:12:31 23:16:24 (zone 02)", value=f"2008:12:31 23:16:24{offset}")
    (claim,) = claims(replace(known(), properties={"mdpm.DateTimeOriginal": mark}))
    assert (claim.at, claim.zone_known) == (datetime(2008, 12, 31, hour, 16, 24, tzinfo=UTC), known_zone)
    assert claim.found == "2008:12:31 23:16:24 (zone 02)"
