"""How the duties of an interval were kept, worked out by case and kept in memory until something of the case changes.

By the same rules as on the page of a case. Whoever asks sees the catalog as it stands: a case is worked out anew where
its originals changed, which the catalog's change sequence tells, or its activities, its reasons or the registers, which
are compared each time.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from indexer.casework.case_file import shown_of
from indexer.coverage import Steps, coverage_of
from indexer.figures.statistics import Duty, duty_of
from indexer.figures.tallies import MANY
from pipeline.acts.excusing import Excuse
from pipeline.edges.database import evaluation, registers, segments
from pipeline.edges.database.rows import in_pieces
from pipeline.recordings import recordings_of
from pipeline.records import Activity


class _Kept(NamedTuple):
    """The duties of a case. of: what they were worked out from, beside its originals; unseen: those left out."""

    of: tuple[Any, ...]
    originals: frozenset[str]
    unseen: frozenset[str]
    duties: Mapping[str, Duty]


class Duties:
    """The duties of one catalog's cases."""

    def __init__(self) -> None:
        self._alone, self._up_to = threading.Lock(), 0
        self._kept: dict[str, _Kept] = {}
        self._cases_of: dict[str, set[str]] = defaultdict(set)
        self._registers: tuple[Any, ...] = ()

    def of(
        self, connection: sa.Connection, activities: Mapping[str, Sequence[Activity]], *, unseen: Collection[str],
        steps: Steps, excuses: Mapping[str, Sequence[Excuse]], registered: frozenset[str],
    ) -> dict[str, Duty]:  # fmt: skip
        """Code of an activity -> its duty. activities: by case; unseen: originals that whoever asks may not know of."""
        with self._alone:
            self._follow(connection, steps, registered)
            keys = evaluation.keys_of_cases(connection, sorted(activities)) if excuses else {}
            wanted = {
                case: (tuple(its), tuple(one for key in sorted(keys.get(case, ())) for one in excuses.get(key, ())))
                for case, its in activities.items()
            }
            hidden = frozenset(unseen)
            again = [case for case, of in wanted.items() if not self._holds(case, of, hidden)]
            for some in in_pieces(sorted(again), 100):
                self._work_out(connection, some, wanted, hidden, steps, registered)
            return {code: duty for case in wanted for code, duty in self._kept[case].duties.items()}

    def _holds(self, case: str, of: tuple[Any, ...], hidden: frozenset[str]) -> bool:
        kept = self._kept.get(case)
        return kept is not None and kept.of == of and kept.unseen == kept.originals & hidden

    def _follow(self, connection: sa.Connection, steps: Steps, registered: frozenset[str]) -> None:
        """What is kept still stands."""
        head = evaluation.head(connection)
        changed = evaluation.changed_since(connection, self._up_to) if self._kept else {}
        about = steps, registered, segments.clocks_set(connection)
        is_same = about == self._registers and len(changed) <= MANY
        ids = sorted({*changed, *(one for one in changed.values() if one is not None)}) if is_same else []
        cases = {case for its in evaluation.links(connection, ids).values() for case in its}
        if not is_same:
            self._kept.clear()
            self._cases_of.clear()
            self._registers = about
        for case in cases.union(*(self._cases_of.get(one, ()) for one in ids)):
            self._drop(case)
        self._up_to = head

    def _drop(self, case: str) -> None:
        kept = self._kept.pop(case, None)
        for one in kept.originals if kept is not None else ():
            self._cases_of[one].discard(case)

    def _work_out(
        self, connection: sa.Connection, cases: Sequence[str], wanted: Mapping[str, tuple[Any, ...]],
        hidden: frozenset[str], steps: Steps, registered: frozenset[str],
    ) -> None:  # fmt: skip
        linked = registers.links_of_cases(connection, cases)
        files = {one.original: one for one in segments.segments(
            connection, sorted({one.original for its in linked.values() for one in its} - hidden)
        )}  # fmt: skip
        for case in cases:
            activities, stated = wanted[case]
            originals = frozenset(one.original for one in linked.get(case, ()))
            its = [one for one in linked.get(case, ()) if one.original not in hidden]
            recordings = recordings_of([files[one.original] for one in its if one.original in files])
            shown = shown_of(recordings, its)
            seams = {(seam.before, seam.after): seam.kind for one in recordings for seam in one.seams}
            found = {}
            for one in activities:
                duty = duty_of(coverage_of(one, shown, steps, list(stated), seams), steps, registered)
                if duty is not None:
                    found[one.code] = duty
            self._drop(case)
            self._kept[case] = _Kept(wanted[case], originals, originals & hidden, found)
            for original in originals:
                self._cases_of[original].add(case)
