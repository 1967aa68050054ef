"""The header of a written record: from when to when what it tells of was done, in the bureau's time.

Not covered: when it was typed, which is the file's own time; what a machine recognised in a picture of paper.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Final

from config.settings import Settings
from pipeline.records import Known, TimeClaim
from pipeline.stage import TimeSource
from pipeline.timing.claiming import claim_of, zone_of

SOURCE: Final = "record.from"
# People write minutes.
STEP_S: Final = 60.0


def _claims(known: Known, settings: Settings) -> Iterable[TimeClaim]:
    written = known.properties.get(SOURCE)
    if written is None or written.finder.startswith("ocr/") or not isinstance(written.value, str):
        return ()
    zone = zone_of(settings)
    claim = claim_of(SOURCE, written.value, zone)
    if claim.at is None:
        return ()
    offset = claim.at.astimezone(zone).utcoffset()
    offset_min = None if offset is None else round(offset.total_seconds() / 60)
    return (replace(claim, found=written.found, end_at=_end(known, zone), zone_known=True, offset_min=offset_min,
                    precision_s=STEP_S),)  # fmt: skip


def _end(known: Known, zone: object) -> datetime | None:
    said = known.value("record.to")
    try:
        return None if said is None else datetime.fromisoformat(str(said)).replace(tzinfo=zone)  # type: ignore[arg-type]
    except ValueError:
        return None


TIME_SOURCE = TimeSource(name="record", version=2, claims=_claims)
