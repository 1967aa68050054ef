"""AVCHD: the recording marks beside the first picture, the camcorder's digits, with their zone where it is marked."""

from __future__ import annotations

from collections.abc import Iterable

from config.settings import Settings
from pipeline.records import Known, TimeClaim
from pipeline.stage import TimeSource
from pipeline.timing.claiming import claim_of_property, zone_of


def _claims(known: Known, settings: Settings) -> Iterable[TimeClaim]:
    claim = claim_of_property(known, "mdpm.DateTimeOriginal", zone_of(settings), counted=True)
    return () if claim is None else (claim,)


TIME_SOURCE = TimeSource(name="mdpm", version=1, claims=_claims)
