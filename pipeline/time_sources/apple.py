"""QuickTime: `com.apple.quicktime.creationdate`, local digits with their offset, the start of the recording.

A year alone is a music track's release and is kept as that: its precision is a year.
Source: Apple, QuickTime File Format, metadata keys.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from config.settings import Settings
from pipeline.records import Known, TimeClaim
from pipeline.stage import TimeSource
from pipeline.timing.claiming import claim_of, text_of, zone_of
from pipeline.timing.texts import DAY_S

_SOURCE: Final = "container.apple_creation_date"
_DAY_TRUST: Final = 20  # a day or a year is typed by people


def _claims(known: Known, settings: Settings) -> Iterable[TimeClaim]:
    found = text_of(known, _SOURCE)
    if not found:
        return ()
    claim = claim_of(_SOURCE, found, zone_of(settings))
    return (replace(claim, trust=min(claim.trust, _DAY_TRUST)) if claim.precision_s >= DAY_S else claim,)


TIME_SOURCE = TimeSource(name="apple", version=1, claims=_claims)
