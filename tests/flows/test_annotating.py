"""Bookmarks and notes come back from the log when the catalog is lost; withdrawn ones stay withdrawn."""

from __future__ import annotations

from pathlib import Path

from pipeline.acts.annotating import Annotating
from pipeline.edges.database.dump import dump
from tests.flows.keeping import take
from workers.bootstrap import Home, build_home
from workers.rebuild import rebuild_catalog


def test_a_lost_catalog_gets_its_notes_back(sqlite_home: Home, tmp_path: Path) -> None:
    one, other = take(sqlite_home, tmp_path / "card", "一.jpg", "二.jpg")
    annotating = Annotating(sqlite_home.catalog, sqlite_home.audit, sqlite_home.vault)
    known = sqlite_home.catalog.known_of(one)
    annotating.keep("谢敏", known, "note", 1.5, to_s=2.0, text="拒不开门", shared=True)
    annotating.keep("谢敏", known, "nudge", 0.0, beside=other, offset_s=-0.4)
    gone = annotating.keep("李法制", known, "bookmark", 3.0)
    annotating.withdraw("李法制", one, gone.id)
    before = dump(sqlite_home.catalog)["annotations"]
    assert len(before) == 3
    sqlite_home.close()
    (sqlite_home.settings.home / "catalog.sqlite3").unlink()
    rebuild_catalog(sqlite_home.settings)
    rebuilt = build_home(sqlite_home.settings)
    assert dump(rebuilt.catalog)["annotations"] == before
    again = Annotating(rebuilt.catalog, rebuilt.audit, rebuilt.vault)
    assert [(note.kind, note.text) for note in again.of(one, "谢敏")] == [("nudge", ""), ("note", "拒不开门")]
    assert [note.kind for note in again.of(one, "李法制")] == ["note"]
    rebuilt.close()
