"""Which cases each person ever opened, kept in memory and brought up to date with what came into the log."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from pipeline.case_numbers import comparable
from pipeline.edges.catalog import Catalog
from pipeline.edges.database import events


class Opened:
    """Which cases each person ever opened. What stands in the log stays there: only what came since is read."""

    def __init__(self) -> None:
        self._alone, self._up_to, self._cases = threading.Lock(), 0, dict[str, frozenset[str]]()

    def of_each(self, catalog: Catalog) -> Mapping[str, frozenset[str]]:
        """Person -> keys of the cases."""
        with self._alone:
            opened: dict[str, set[str]] = defaultdict(set)

            def tell(actor: str, facts: dict[str, Any]) -> None:
                opened[actor].add(comparable(str(facts.get("case", ""))))

            self._up_to = events.facts_since(catalog, "view.case", self._up_to, tell)
            new = {actor: self._cases.get(actor, frozenset()) | keys for actor, keys in opened.items()}
            self._cases = {**self._cases, **new}
            return self._cases
