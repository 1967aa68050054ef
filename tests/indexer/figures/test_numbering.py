"""The holes that are kept in memory are those that the catalog gives, whatever changed in it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from indexer.figures.numbering import Numbering
from pipeline.edges.audit import NewEvent
from pipeline.edges.database import segments, tables
from pipeline.holes import holes, numbers_of
from pipeline.rules import name_profiles
from tests.flows.keeping import filmed
from workers.bootstrap import Home

AT = datetime(2026, 8, 3, 1, tzinfo=UTC)


def film(home: Home, folder: Path, *numbers: int) -> list[str]:
    return filmed(home, folder, *((f"GX0100{one}.MP4", AT + timedelta(hours=one), 60.0) for one in numbers))


def test_a_hole_is_told_until_its_file_comes_and_not_when_it_is_disposed_of(home: Home, tmp_path: Path) -> None:
    numbering, profiles = Numbering(), name_profiles()

    def told() -> list[tuple[int, ...]]:
        found = numbering.holes(home.catalog, profiles)
        with home.catalog.snapshot() as connection:
            gone = set(numbers_of(segments.disposed(connection), profiles))
            anew = list(holes(segments.segments(connection), gone))
        assert [one.before.original for one in found] == [one.before.original for one in anew]
        return [one.missing for one in found]

    assert told() == []
    film(home, tmp_path / "card", 12, 13, 15, 19)
    assert told() == [(14,), (16, 17, 18)]
    assert told() == [(14,), (16, 17, 18)]
    [late] = film(home, tmp_path / "card", 14)
    assert told() == [(16, 17, 18)]
    with home.catalog.transaction() as connection:
        [seq] = home.audit.record(connection, [NewEvent(type="test", actor="tester", original=late)])
        gone = tables.original.update().where(tables.original.c.id == late)
        connection.execute(gone.values(state="disposed", changed_seq=seq))
    assert told() == [(16, 17, 18)]
