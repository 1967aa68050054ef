"""What a person says of when a recording was made, where the rules cannot know: a second value beside theirs.

Each correction and each withdrawal is an event with its reason. The files' own claims stay as they are, the rules go on
deciding beside it, and whoever looks sees both.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from pipeline.edges.audit import AuditLog, NewEvent
from pipeline.edges.catalog import Catalog
from pipeline.edges.database import decisions
from pipeline.edges.database.rows import plain_of
from pipeline.errors import BadInput
from pipeline.records import Known, TimeCorrection
from pipeline.rules import timestamp_rules
from pipeline.timing.correction import plain

CORRECTED, WITHDRAWN = "time.corrected", "time.correction_withdrawn"
EVENTS: Final = (CORRECTED, WITHDRAWN)


class Correcting:
    """The times of one home, as people correct them."""

    def __init__(self, catalog: Catalog, audit: AuditLog) -> None:
        self._catalog, self._audit = catalog, audit

    def correct(self, original: str, said: TimeCorrection) -> None:
        """The recording was made then. Raises BadInput without a reason, and for times that cannot be."""
        known = self._catalog.known_of(original)
        _require_possible(known, said)
        _require_reason(said.reason)
        facts = {"correction": plain_of(said), "by_rules": _by_rules(known)}
        self._record(CORRECTED, said.by, original, said, facts)

    def withdraw(self, person: str, original: str, reason: str) -> None:
        """What the rules decide counts again. Raises BadInput where nothing was corrected."""
        known = self._catalog.known_of(original)
        _require_reason(reason)
        if known.correction is None:
            raise BadInput(f"The time of {original} was not corrected by anybody",
                           zh="该原件的时间未经人工更正", found=original)  # fmt: skip
        facts = {"withdrawn": plain_of(known.correction), "reason": reason.strip()}
        self._record(WITHDRAWN, person, original, None, facts)

    def _record(
        self, event: str, person: str, original: str, said: TimeCorrection | None, facts: Mapping[str, Any]
    ) -> None:  # fmt: skip
        with self._audit.alone(self._catalog) as connection:
            decisions.require_correctable(connection, original)
            [seq] = self._audit.record(
                connection, [NewEvent(type=event, actor=person, original=original, facts=dict(facts))]
            )
            decisions.put_correction(connection, original, said)
        self._audit.make_durable(seq)


def replay(connection: sa.Connection, event: Mapping[str, Any]) -> None:
    """What this event of the log corrected, or withdrew, is so in the catalog again."""
    told = event["facts"].get("correction")
    said = None
    if told is not None:
        end_at = told["end_at"] and datetime.fromisoformat(told["end_at"])
        said = TimeCorrection(**{**told, "start_at": datetime.fromisoformat(told["start_at"]), "end_at": end_at})
    decisions.put_correction(connection, event["original"], said)


def _require_possible(known: Known, said: TimeCorrection) -> None:
    handed_in_at = min((one.taken_at for one in known.arrivals), default=known.original.accepted_at)
    if said.end_at is not None and said.end_at < said.start_at:
        raise BadInput("It ends before it begins", zh="结束时间早于开始时间", found=said.end_at.isoformat())
    if said.start_at > handed_in_at:
        raise BadInput(
            f"It was handed in on {handed_in_at:%Y-%m-%d %H:%M}Z, and cannot have been recorded later",
            zh=f"该文件已于 {handed_in_at:%Y-%m-%d %H:%M}（世界时）入库，录制时间不可能更晚",
            found=said.start_at.isoformat(),
        )
    if said.start_at.date() < timestamp_rules().limits.earliest:
        raise BadInput("That is before the first digital recorders", zh="该时间早于数字设备出现之前",
                       found=said.start_at.isoformat())  # fmt: skip


def _require_reason(reason: str) -> None:
    if not reason.strip():
        raise BadInput("Give a reason", zh="请说明理由")


def _by_rules(known: Known) -> Mapping[str, Any] | None:
    if known.time is None:
        return None
    return known.time.by_rules if known.correction else plain(known.time)
