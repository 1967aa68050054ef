"""A clock card of this home that ran in the picture: it says when the recording began, by a clock other than its own.

It settles in which zone the device's digits stand, and decides only where no clock of the device says anything.
Not covered: cards of others, which the stage tells of, and single pictures.
"""

from __future__ import annotations

from collections.abc import Iterable

from config.settings import Settings
from pipeline.codes import readings_of
from pipeline.records import Known, TimeClaim
from pipeline.rules import timestamp_rules
from pipeline.stage import TimeSource
from pipeline.timing.filmed import SOURCE, Unfit, believed, claim_of


def _claims(known: Known, settings: Settings) -> Iterable[TimeClaim]:  # noqa: ARG001  # a time source's
    readings = readings_of(known)
    if not readings or known.around is None:
        return ()
    filmed = believed(readings, known.around, known.original.accepted_at)
    return () if isinstance(filmed, Unfit) else (claim_of(filmed, timestamp_rules().source(SOURCE).trust),)


TIME_SOURCE = TimeSource(name="filmed_clock", version=1, claims=_claims)
