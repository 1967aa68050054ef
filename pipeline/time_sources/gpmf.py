"""GoPro telemetry: the satellites' clock at the first fix, brought back to the beginning of the recording.

UTC by the receiver; without a fix nothing was read. Source: the GPMF specification that GoPro publishes.
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
    claim = claim_of_property(known, "gpmf.GPSU", zone_of(settings), counted=True)
    if claim is None:
        return ()
    into_s = known.value("gpmf.at_s", 0.0)
    if claim.at is None or not isinstance(into_s, int | float) or not 0 < into_s < 86400:
        return (claim,)
    try:
        begun_at = claim.at - timedelta(seconds=into_s)
    except OverflowError:
        return (claim,)
    return (replace(claim, at=begun_at, note=f"the fix lies {into_s:.1f} s into the recording"),)


TIME_SOURCE = TimeSource(name="gpmf", version=1, claims=_claims)
