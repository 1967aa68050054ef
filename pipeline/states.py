"""The states an original, a job and a disposal can be in, and the moves between them.

The catalog's tables carry the same names as check constraints; a test compares the two.
"""

from __future__ import annotations

from typing import Final

ORIGINAL_STATES: Final[dict[str, frozenset[str]]] = {
    "received": frozenset({"in_custody", "failed_custody"}),
    "in_custody": frozenset({"searchable", "attention", "failed_custody", "disposed"}),
    "searchable": frozenset({"ready", "attention", "failed_custody", "disposed"}),
    "ready": frozenset({"searchable", "attention", "failed_custody", "disposed"}),
    "attention": frozenset({"searchable", "ready", "failed_custody", "disposed"}),
    "failed_custody": frozenset({"in_custody", "disposed"}),
    "disposed": frozenset(),
}

DISPOSAL_STATES: Final[dict[str, frozenset[str]]] = {
    "proposed": frozenset({"approved", "cancelled"}),
    "approved": frozenset({"begun", "cancelled", "stopped"}),
    "begun": frozenset({"done", "stopped"}),
    "done": frozenset(),
    "cancelled": frozenset(),
    "stopped": frozenset(),
}

JOB_STATES: Final[dict[str, frozenset[str]]] = {
    "waiting": frozenset({"running", "cancelled"}),
    "running": frozenset({"running", "waiting", "done", "failed", "cancelled"}),
    "done": frozenset({"waiting"}),
    "failed": frozenset({"waiting"}),
    "cancelled": frozenset({"waiting"}),
}

EXPORT_STATES: Final[dict[str, frozenset[str]]] = {
    "requested": frozenset({"approved", "refused"}),
    "approved": frozenset({"writing"}),
    "refused": frozenset(),
    # Back where it died before anybody could take it: what was approved is not lost with it.
    "writing": frozenset({"sealed", "failed", "approved"}),
    "sealed": frozenset({"finished", "failed", "approved"}),
    "finished": frozenset(),
    "failed": frozenset(),
}

KINDS: Final = ("video", "audio", "photo", "document", "sidecar", "other")
DROP_STATES: Final = ("waiting", "complete", "incomplete", "wrong")
DEVICE_ARTS: Final = ("body_worn", "camera", "recorder", "cctv", "drone", "vehicle", "phone", "other")
ARRIVAL_STATUSES: Final = ("accepted", "duplicate", "rejected")
LINK_STATUSES: Final = ("proposed", "confirmed", "refused")
RESTRICTION_KINDS: Final = ("work_secret", "trade_secret", "personal_privacy")
HOLD_KINDS: Final = ("hold", "review", "litigation", "petition")
LANES: Final = ("light", "heavy")
FIXITY_OUTCOMES: Final = ("whole", "broken")


def may_move(states: dict[str, frozenset[str]], before: str, after: str) -> bool:
    """Whether the table allows this move; staying in place always is."""
    return before == after or after in states[before]
