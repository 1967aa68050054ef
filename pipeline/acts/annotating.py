"""Bookmarks, time-range notes and nudged clocks: who keeps one, and who withdraws it. Each is an event.

Each cites the original by its digest, the picture by its presentation time stamp (PTS), and when that was by the time
decided at the moment of writing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any, Final

from ulid import ULID

from pipeline.edges.audit import AuditLog, NewEvent
from pipeline.edges.catalog import Catalog
from pipeline.edges.database import noted
from pipeline.edges.database.rows import plain_of
from pipeline.edges.vault import Vault
from pipeline.errors import BadInput
from pipeline.records import Annotation, Known

TEXT_MAX: Final = 4000
# A nudge corrects what an estimate left, not a day.
NUDGE_MAX_S: Final = 900.0
# No recording that is taken in lasts longer.
AT_MAX_S: Final = 7 * 86400.0


@dataclass(frozen=True)
class Instant:
    """at_s: seconds from the original's first picture; pts: of the picture shown then, in units of unit seconds, None
    for sound and where no table of pictures was made; at: when that was, None where no time is decided."""

    at_s: float
    pts: int | None
    unit: Fraction | None
    at: datetime | None

    @property
    def pts_s(self) -> float:
        """The time stamp in seconds; for sound the seconds from its beginning."""
        return self.at_s if self.pts is None or self.unit is None else float(self.pts * self.unit)


def instants_of(known: Known, vault: Vault) -> Callable[[float], Instant]:
    """What reads the instants of this original, exactly at the pictures that its table names."""
    # Only who cites pictures loads numpy.
    from pipeline import frames

    place = next((one.path for one in known.derivatives if one.role == "frame_times"), None)
    try:
        times = frames.unpacked(vault.derivative_path(place).read_bytes()) if place else None
    except (OSError, ValueError):
        times = None
    start_at = known.time.start_at if known.time else None

    def instant(at_s: float) -> Instant:
        pts, unit = None, None
        if times is not None and len(times):
            number = times.number_at(at_s)
            at_s, pts, unit = times.seconds(number), int(times.pts[number]), times.unit
        return Instant(round(at_s, 6), pts, unit, start_at and start_at + timedelta(seconds=at_s))

    return instant


class Annotating:
    """The annotations of one home."""

    def __init__(self, catalog: Catalog, audit: AuditLog, vault: Vault) -> None:
        self._catalog, self._audit, self._vault = catalog, audit, vault

    def of(self, original: str, person: str) -> list[Annotation]:
        """What this person keeps of the original, and what others share; as it lies in the recording."""
        with self._catalog.snapshot() as connection:
            return noted.on(connection, original, person)

    def keep(
        self, person: str, known: Known, kind: Any, at_s: float, *, to_s: float | None = None, text: str = "",
        shared: bool = False, beside: str | None = None, offset_s: float | None = None,
    ) -> Annotation:  # fmt: skip
        """Kept from now on. Raises BadInput for a stretch that ends before it begins, and a note without words."""
        text = text.strip()
        _require(kind, at_s, to_s, text, beside, offset_s)
        instant = instants_of(known, self._vault)
        begin, end = instant(at_s), None if to_s is None else instant(to_s)
        record = Annotation(
            id=str(ULID()), original=known.original.id, sha256=known.original.sha256, kind=kind, at_s=begin.at_s,
            to_s=end.at_s if end else None, pts=begin.pts, to_pts=end.pts if end else None,
            pts_unit=str(begin.unit) if begin.unit else None, corrected_at=begin.at,
            uncertainty_s=known.time.uncertainty_s if known.time else None, text=text, shared=shared, by=person,
            made_at=self._catalog.now(), beside=beside, offset_s=offset_s,
        )  # fmt: skip
        self._record(noted.MADE, record)
        return record

    def withdraw(self, person: str, original: str, identifier: str) -> Annotation:
        """Shown no more; the log keeps it. Raises BadInput where it is not there, or is another person's."""
        with self._catalog.snapshot() as connection:
            record = noted.one(connection, identifier)
        if record is None or record.withdrawn_at or record.by != person or record.original != original:
            raise BadInput("You have no such note", zh="您没有此标注", found=identifier)
        record = replace(record, withdrawn_at=self._catalog.now())
        self._record(noted.WITHDRAWN, record)
        return record

    def _record(self, type: str, record: Annotation) -> None:
        facts = {"annotation": plain_of(record)}
        with self._catalog.transaction() as connection:
            noted.put(connection, record)
            event = NewEvent(type=type, actor=record.by, original=record.original, facts=facts)
            [seq] = self._audit.record(connection, [event])
        self._audit.make_durable(seq)


def _require(kind: str, at_s: float, to_s: float | None, text: str, beside: str | None, offset_s: float | None) -> None:
    if kind == "note" and not text:
        raise BadInput("Write what is to be noted", zh="请填写备注内容")
    if len(text) > TEXT_MAX:
        raise BadInput(f"A note has at most {TEXT_MAX} letters", zh=f"备注最多 {TEXT_MAX} 字")
    if not 0 <= at_s <= AT_MAX_S or (to_s is not None and not at_s < to_s <= AT_MAX_S):
        raise BadInput(
            "A stretch begins in the recording and ends after its beginning", zh="区间应在录制之内，且止点在起点之后"
        )
    is_nudge = kind == "nudge"
    if is_nudge != (beside is not None) or is_nudge != (offset_s is not None):
        raise BadInput(
            "A nudge, and nothing else, names another recording and seconds", zh="时钟微调须指明另一录制和秒数"
        )
    if offset_s is not None and not abs(offset_s) <= NUDGE_MAX_S:
        raise BadInput(
            f"A clock is nudged by {NUDGE_MAX_S:.0f} s at most: correct the recording's time instead",
            zh=f"时钟微调不超过 {NUDGE_MAX_S:.0f} 秒：更大的偏差请更正录制时间",
        )
