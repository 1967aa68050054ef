"""The holes in the numbers of all devices, kept in memory and brought up to date with what changed in the catalog.

Whoever asks sees the catalog as it stands: every change of an original has its place in the catalog's change sequence,
and what changed since the last asking is read before the answer. The first asking reads all.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Collection, Sequence

import sqlalchemy as sa

from pipeline.edges.catalog import Catalog
from pipeline.edges.database import segments
from pipeline.holes import Hole, Numbered, holes, numbers_of
from pipeline.rules import NameProfile

Run = tuple[str, str]


class Numbering:
    """The numbered files of one catalog, by device and profile."""

    def __init__(self) -> None:
        self._alone, self._up_to = threading.Lock(), 0
        self._runs: dict[Run, dict[str, Numbered]] = defaultdict(dict)
        self._run_of: dict[str, Run] = {}
        self._gone: frozenset[tuple[str, str, int]] = frozenset()
        self._holes: dict[Run, tuple[Hole, ...]] = {}

    def holes(self, catalog: Catalog, profiles: Sequence[NameProfile]) -> list[Hole]:
        """As `holes` of all that is in custody gives them now."""
        with self._alone:
            with catalog.snapshot() as connection:
                changed = self._follow(connection, profiles)
            for run in changed:
                found = tuple(holes(self._runs[run].values(), self._gone))
                if found:
                    self._holes[run] = found
                else:
                    self._holes.pop(run, None)
            return [one for run in sorted(self._holes) for one in self._holes[run]]

    def _follow(self, connection: sa.Connection, profiles: Sequence[NameProfile]) -> Collection[Run]:
        """Everything that changed is known; the runs that it belongs to."""
        head, ids = segments.changed_since(connection, self._up_to)
        # All is read before anything is forgotten, for reading may fail.
        found = list(segments.numbered(connection, ids))
        gone = frozenset(numbers_of(segments.disposed(connection, ids), profiles))
        changed = {run for one in ids if (run := self._run_of.pop(one, None)) and self._runs[run].pop(one, None)}
        for one in found:
            run = (one.device or one.place, one.profile)
            self._run_of[one.original], self._runs[run][one.original] = run, one
            changed.add(run)
        if not gone <= self._gone:
            self._gone |= gone
            changed = set(self._runs)
        self._up_to = head
        return changed
