"""What a person has looked at of the originals of a case: shown beside each, and signed with the opinion. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from indexer.casework.case_file import CaseFile
from pipeline.edges.database.registers import Linked
from pipeline.watched import FAST, Stretch, as_data, of_data, played_s, unplayed

# What says how long an original is, the best first.
LENGTHS: Final = ("container.data_end_s", "container.duration_s")
# Parts that were not watched and are shorter than this, or than this share of the whole, are not named one by one;
# their seconds are counted all the same.
NAMED_S: Final = 1.0
NAMED_SHARE: Final = 0.02


@dataclass(frozen=True, kw_only=True)
class Looked:
    """How far one person has watched an original. from_s, to_s: the part of it that belongs to the case; to_s None
    where its length is not known. seconds: played, with every repeat. stretches: merged; none of an original that is
    not played, and of one that was played before stretches were kept."""

    original: str
    sha256: str
    name: str
    seconds: float
    stretches: tuple[Stretch, ...] = ()
    from_s: float = 0.0
    to_s: float | None = None

    @property
    def length_s(self) -> float | None:
        """Of the part; None unknown."""
        return None if self.to_s is None else max(0.0, self.to_s - self.from_s)

    @property
    def watched_s(self) -> float:
        """Seconds of the part that were played at all."""
        return played_s(self.stretches, self.from_s, self._end_s)

    @property
    def fast_s(self) -> float:
        """Those of them that were never played slower than speech can be followed."""
        return played_s(self.stretches, self.from_s, self._end_s, faster_than=FAST)

    @property
    def percent(self) -> int | None:
        """Of the part, no more than was watched; 100 where nothing is left that is named. None: not known."""
        if not self.length_s:
            return None
        is_all = self.watched_s > 0 and not self.left and self.length_s - self.watched_s <= self._named_s
        return 100 if is_all else min(99, int(100 * self.watched_s / self.length_s))

    @property
    def left(self) -> list[tuple[float, float]]:
        """What of the part was not watched, in order, as far as it is named; nothing where its length is not known."""
        return [] if self.to_s is None else unplayed(self.stretches, self.from_s, self.to_s, self._named_s)

    @property
    def _named_s(self) -> float:
        return min(NAMED_S, NAMED_SHARE * (self.length_s or 0.0))

    @property
    def _end_s(self) -> float:
        return float("inf") if self.to_s is None else self.to_s


def looked_at(
    file: CaseFile, watched: Mapping[str, float], stretches: Mapping[str, Sequence[Stretch]]
) -> dict[str, Looked]:
    """Original -> how far it was watched, of those of the case that the person has opened, by name.

    watched: original -> seconds played, 0 where it was only opened.
    """
    return {
        one.original: Looked(
            original=one.original, sha256=one.sha256, name=one.name, seconds=round(watched[one.original], 1),
            stretches=tuple(stretches.get(one.original, ())), from_s=one.from_s or 0.0, to_s=_end_of(file, one),
        )
        for one in sorted(file.linked, key=lambda one: one.name) if one.original in watched
    }  # fmt: skip


def _end_of(file: CaseFile, one: Linked) -> float | None:
    said = (file.facts.get(one.original, {}).get(name) for name in LENGTHS)
    ends = [float(length) for length in said if isinstance(length, int | float) and not isinstance(length, bool)][:1]
    shown = next((part for part in file.shown if part.original == one.original), None)
    if not ends and shown is not None:
        ends = [shown.begins_s + (shown.to_at - shown.from_at).total_seconds()]
    return min([*ends, *([one.to_s] if one.to_s is not None else [])], default=None)


def as_facts(looked: Looked) -> dict[str, Any]:
    """As a signature freezes it."""
    return {
        "original": looked.original, "sha256": looked.sha256, "name": looked.name, "seconds": looked.seconds,
        "watched_s": round(looked.watched_s, 1), "fast_s": round(looked.fast_s, 1),
        "from_s": looked.from_s, "to_s": looked.to_s, "stretches": as_data(looked.stretches),
    }  # fmt: skip


def of_facts(facts: Mapping[str, Any]) -> Looked:
    """What a signature froze; of those older than stretches, the seconds alone."""
    return Looked(
        original=facts["original"], sha256=facts["sha256"], name=facts["name"], seconds=facts["seconds"],
        stretches=of_data(facts.get("stretches", ())), from_s=facts.get("from_s", 0.0), to_s=facts.get("to_s"),
    )  # fmt: skip
