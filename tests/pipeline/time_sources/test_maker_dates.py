"""Dates outside EXIF: local digits, counted or written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from pipeline.records import Known, Property, TimeClaim

Make = Callable[..., Known]
Claims = Callable[[Known], list[TimeClaim]]


def test_each_is_a_claim_in_local_digits(known: Make, claims: Claims) -> None:
    counted = Property(name="", found="909698819", value="1998-10-29T22:06:59")
    written = Property(name="", found="2020:03:16 10:00:00", value="2020:03:16 10:00:00")
    made = claims(replace(known(), properties={"maker.TimeDate": counted, "maker.GameCamera": written}))
    assert [(one.source, one.at, one.zone_known) for one in made] == [
        ("maker.TimeDate", datetime(1998, 10, 29, 14, 6, 59, tzinfo=UTC), False),
        ("maker.GameCamera", datetime(2020, 3, 16, 2, 0, tzinfo=UTC), False),
    ]
