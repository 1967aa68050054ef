from __future__ import annotations

import re

import pytest

from pipeline.edges.database import tables
from pipeline.states import (
    ARRIVAL_STATUSES,
    EXPORT_STATES,
    JOB_STATES,
    KINDS,
    LANES,
    LINK_STATUSES,
    ORIGINAL_STATES,
    may_move,
)


@pytest.mark.parametrize(
    ("table", "column", "names"),
    [
        (tables.original, "state", ORIGINAL_STATES),
        (tables.original, "kind", KINDS),
        (tables.arrival, "status", ARRIVAL_STATUSES),
        (tables.case_link, "status", LINK_STATUSES),
        (tables.job, "state", JOB_STATES),
        (tables.job, "lane", LANES),
        (tables.export, "state", EXPORT_STATES),
    ],
)
def test_the_tables_allow_just_the_states_of_the_table(table: object, column: str, names: object) -> None:
    [check] = [one for one in table.constraints if str(getattr(one, "name", "")).endswith(f"_{column}")]  # type: ignore[attr-defined]
    assert re.findall(r"'(\w+)'", str(check.sqltext)) == list(names)  # type: ignore[call-overload]


def test_every_move_leads_to_a_state_of_the_table() -> None:
    for states in (ORIGINAL_STATES, JOB_STATES, EXPORT_STATES):
        assert all(after in states for moves in states.values() for after in moves)


def test_what_is_in_custody_is_never_received_again() -> None:
    assert all(not may_move(ORIGINAL_STATES, before, "received") for before in ORIGINAL_STATES if before != "received")
