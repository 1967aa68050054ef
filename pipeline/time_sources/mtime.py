"""The file system's time of last writing: often the end of the recording, sometimes only the moment of a copy.

Of several arrivals the earliest counts, since copying can only make it later. FAT32 keeps steps of two seconds in
local time; what zone the card was mounted in is not known here.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from config.settings import Settings
from pipeline.records import Known, TimeClaim
from pipeline.rules import timestamp_rules
from pipeline.stage import TimeSource
from pipeline.timing.claiming import at_of_ns

_FAT_STEP_NS: Final = 2_000_000_000


def _claims(known: Known, settings: Settings) -> Iterable[TimeClaim]:  # noqa: ARG001 - every source is called alike
    written = [arrival.mtime_ns for arrival in known.arrivals if arrival.mtime_ns > 0]
    if not written:
        return ()
    first = min(written)
    rule = timestamp_rules().source("mtime")
    return (
        TimeClaim(
            source=rule.name,
            found=f"{first} ns since 1970",
            at=at_of_ns(first),
            zone_known=True,
            offset_min=0,
            marks=rule.marks,
            precision_s=2.0 if first % _FAT_STEP_NS == 0 else 1e-6,
            trust=rule.trust,
            note="of the earliest arrival" if len(written) > 1 else "",
        ),
    )


TIME_SOURCE = TimeSource(name="mtime", version=1, claims=_claims)
