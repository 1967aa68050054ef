"""The log, looked through: the latest first, page by page, by whatever it is narrowed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import chain

import pytest
import sqlalchemy as sa

from pipeline.edges.audit import NewEvent
from pipeline.edges.database import events
from pipeline.edges.database import tables as t
from pipeline.edges.database.events import Wanted
from workers.bootstrap import Home

DAY = datetime(2026, 3, 1, tzinfo=UTC)
TYPES = ("search", "view.original", "export.copied", "export.sealed", "exporting")
PERSONS = ("甲", "乙")
ORIGINALS = ("01ARZ3NDEKTSV4RRFFQ69G5FA1", None)


@pytest.fixture
def logged(home: Home) -> Home:
    """Thirty entries, an hour apart; before the last ten the clock was set back by twelve hours."""
    with home.catalog.transaction() as connection:
        made = [
            NewEvent(type=TYPES[one % 5], actor=PERSONS[one % 2], original=ORIGINALS[one % 3 % 2]) for one in range(30)
        ]
        for one, seq in enumerate(home.audit.record(connection, made)):
            at = DAY + timedelta(hours=one - 12 * (one >= 20))
            connection.execute(sa.update(t.event).where(t.event.c.seq == seq).values(at=at))
    return home


ASKED = [
    (Wanted(actor="甲"), lambda row: row.actor == "甲"),
    (Wanted(actor="丙"), lambda _: False),
    (Wanted(types=("search",)), lambda row: row.type == "search"),
    (Wanted(types=("export.", "search")), lambda row: row.type in ("export.copied", "export.sealed", "search")),
    (Wanted(types=("none.",)), lambda _: False),
    (Wanted(original=ORIGINALS[0] or ""), lambda row: row.original == ORIGINALS[0]),
    (
        Wanted(original=ORIGINALS[0] or "", types=("export.",)),
        lambda row: row.original == ORIGINALS[0] and row.type.startswith("export."),
    ),
    (
        Wanted(from_at=DAY + timedelta(hours=5), to_at=DAY + timedelta(hours=12), actor="乙"),
        lambda row: timedelta(hours=5) <= row.at - DAY < timedelta(hours=12) and row.actor == "乙",
    ),
    (
        Wanted(from_at=DAY + timedelta(hours=5), types=("view.", "search")),
        lambda row: row.at - DAY >= timedelta(hours=5) and row.type in ("view.original", "search"),
    ),
]


def test_pages_hold_every_entry_once_the_latest_first(logged: Home) -> None:
    with logged.catalog.snapshot() as connection:
        every = connection.execute(sa.select(t.event)).all()
    for wanted, holds in ASKED:
        meant = sorted((row for row in every if holds(row)), key=lambda row: (row.at, row.seq), reverse=True)
        pages, before = [], None
        while page := events.find(logged.catalog, replace(wanted, before=before), 4):
            pages.append(page)
            before = page[-1].seq
        assert [one.seq for one in chain(*pages)] == [row.seq for row in meant], wanted
    assert events.types(logged.catalog) == sorted({row.type for row in every})


@pytest.mark.parametrize(
    "wanted", [Wanted(), Wanted(types=("search", "export.")), Wanted(from_at=DAY + timedelta(hours=6))]
)
def test_words_are_looked_for_in_stretches_without_a_hole_whatever_the_clock_did(logged: Home, wanted: Wanted) -> None:
    wanted = replace(wanted, words=(("xport", "sear"),))
    whole = [one.seq for one in events.find(logged.catalog, wanted, 100)]
    assert len(whole) >= 10
    found, before, steps = list[int](), None, 0
    while True:
        some, last = events.find_back(logged.catalog, replace(wanted, before=before), 100, stretch=7, looking_s=0)
        found, steps = [*found, *(one.seq for one in some)], steps + 1
        if last is None:
            break
        before = last.seq
    assert found == whole
    assert steps >= 3
    assert [one.seq for one in events.find_back(logged.catalog, wanted, 4, stretch=3, looking_s=60)[0]] == whole[:4]
