from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from pipeline.records import Known, TimeClaim


def test_the_positions_time_is_brought_back_to_the_beginning_and_its_zone_is_open(
    known: Callable[..., Known], claims: Callable[[Known], list[TimeClaim]]
) -> None:
    said: dict[str, Any] = {"djmd.GPSDateTime": "2026-03-02 09:00:41", "djmd.at_s": 2.0}
    [claim] = claims(known(said))
    assert (claim.at, claim.zone_known, claim.offset_min) == (datetime(2026, 3, 2, 9, 0, 39, tzinfo=UTC), False, 0)
    assert "2.0 s into" in claim.note
    [unread] = claims(known({"djmd.GPSDateTime": "no fix"}))
    assert (unread.at, claims(known())) == (None, [])
