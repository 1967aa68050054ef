"""DJI action cameras: the time of the first position as their remote sent it, brought back to the film's beginning.

UTC or local digits, and on one model an hour off: it decides nothing by itself, and measures its device's clock but for
a zone (`timing/satellites.py`). Drones write none. Source: an issue of the maker's own example of such a remote.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

from config.settings import Settings
from pipeline.records import Known, TimeClaim
from pipeline.stage import TimeSource
from pipeline.timing.claiming import claim_of_property, zone_of


def _claims(known: Known, settings: Settings) -> Iterable[TimeClaim]:
    claim = claim_of_property(known, "djmd.GPSDateTime", zone_of(settings))
    if claim is None:
        return ()
    into_s = known.value("djmd.at_s", 0.0)
    if claim.at is None or not isinstance(into_s, int | float) or not 0 < into_s < 86400:
        return (claim,)
    try:
        begun_at = claim.at - timedelta(seconds=into_s)
    except OverflowError:
        return (claim,)
    return (replace(claim, at=begun_at, note=f"the position lies {into_s:.1f} s into the recording"),)


TIME_SOURCE = TimeSource(name="djmd", version=1, claims=_claims)
