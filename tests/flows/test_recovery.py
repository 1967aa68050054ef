"""What vault and log alone give back."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from config.settings import Settings
from pipeline.custody.accession import Candidate
from pipeline.custody.fixity import Fixity
from pipeline.edges.database import tables as t
from pipeline.edges.database.dump import dump
from pipeline.records import Stated
from pipeline.stages import ORDER, link, stages
from tests.flows.running import at_rest, wait_until
from tests.samples import making
from workers.bootstrap import Home, build_accession, build_home, build_jobs
from workers.patrol import round_of
from workers.rebuild import rebuild_catalog
from workers.work import working


def take(home: Home, *paths: Path) -> list[str]:
    jobs = build_jobs(home)
    receipts = build_accession(home, jobs).take(
        [
            Candidate(path=one, root=one.parent, source="inbox", stated=Stated(case="平商务罚字〔2021〕第3号"))
            for one in paths
        ]
    )
    jobs.close()
    return [one.original or "" for one in receipts]


def test_a_rebuilt_catalog_is_the_lost_one(
    home: Home, tmp_path: Path, make_settings: Callable[..., Settings], request: pytest.FixtureRequest
) -> None:
    paths = [making.photo(tmp_path / "card" / f"现场{number}.jpg", number % 3) for number in range(4)]
    paths.append(making.sound(tmp_path / "card" / "a.wav", 1, length_s=0.2))
    take(home, *paths)
    take(home, paths[0])
    before = dump(home.catalog)
    settings = home.settings
    if home.catalog.engine.dialect.name == "postgresql":
        settings = make_settings(catalog_url=request.getfixturevalue("fresh_database")())
    home.close()
    done = rebuild_catalog(settings)
    assert done["originals"] == 4
    rebuilt = build_home(settings)
    after = dump(rebuilt.catalog)
    assert after["events"].pop()["type"] == "catalog.rebuilt"
    assert after == before
    assert rebuilt.audit.check(grace_s=0.0).faults == ()
    with working(rebuilt):
        wait_until(lambda: at_rest(rebuilt), 120, "the facts are read again")
    rebuilt.close()


def test_a_vault_that_lacks_what_the_log_tells_of_is_not_papered_over(sqlite_home: Home, tmp_path: Path) -> None:
    take(sqlite_home, making.photo(tmp_path / "card" / "a.jpg", 1))
    [sha256] = sqlite_home.vault.digests()
    with sqlite_home.vault.opened(sha256) as path:
        shutil.rmtree(path.parents[2])
    sqlite_home.close()
    assert rebuild_catalog(sqlite_home.settings)["missing"] == 1
    rebuilt = build_home(sqlite_home.settings)
    [incident] = Fixity(rebuilt.vault, rebuilt.catalog, rebuilt.audit, "test").incidents()
    assert (incident["sha256"], incident["faults"]) == (sha256, [f"The original {sha256} is not in the vault"])
    assert rebuilt.catalog.counts() == {"failed_custody": 1}
    rebuilt.close()


def test_e12_an_object_that_was_never_recorded_is_entered_by_the_patrol(home: Home, tmp_path: Path) -> None:
    """Intake died between the rename and the transaction, and the card was taken away meanwhile."""
    path = making.photo(tmp_path / "card" / "a.jpg", 1)
    jobs = build_jobs(home)
    accession = build_accession(home, jobs)

    class Died(BaseException):
        pass

    def die(*_: object) -> None:
        raise Died

    enter, accession._enter = accession._enter, die  # type: ignore[assignment, method-assign]
    del enter
    with pytest.raises(Died):
        accession.take([Candidate(path=path, root=path.parent, source="inbox")])
    path.unlink()
    assert home.catalog.counts() == {}
    assert round_of(home, grace_s=0.0)["originals_recovered"] == 1
    [sha256] = home.vault.digests()
    known = home.catalog.known_of(home.catalog.digests()[sha256])
    assert [one.name for one in known.arrivals] == ["a.jpg"]
    assert '"recovered":true' in home.catalog.events_of(known.original.id)[0]
    assert round_of(home, grace_s=0.0)["originals_recovered"] == 0


def test_originals_of_before_an_update_are_given_the_turn_it_brought(home: Home, tmp_path: Path) -> None:
    take(home, making.photo(tmp_path / "card" / "a.jpg", 1), making.photo(tmp_path / "card" / "b.jpg", 2))
    with working(home):
        wait_until(lambda: at_rest(home), 120, "both are done")
    jobs = build_jobs(home)
    original = jobs.listed()[0].original
    with home.catalog.transaction() as connection:
        of_before = (t.job.c.original == original, t.job.c.lane == "heavy", t.job.c.stage == "link")
        connection.execute(sa.delete(t.job).where(*of_before))
    assert round_of(home, grace_s=0.0)["originals_planned_anew"] == 1
    assert [one.state for one in jobs.listed(original=original)].count("waiting") == 2
    assert round_of(home, grace_s=0.0)["originals_planned_anew"] == 0
    with working(home):
        wait_until(lambda: jobs.unfinished() == {}, 120, "the new turn is done")
    done = jobs.listed(original=original)
    assert [(one.lane, one.stage, one.state) for one in done] == [(*turn, "done") for turn in ORDER]
    assert "stage.link" in home.catalog.events_of(original)[-2]
    jobs.close()


def test_what_an_older_version_decided_is_decided_anew_when_nothing_else_waits(home: Home, tmp_path: Path) -> None:
    card = tmp_path / "card"
    old, other = take(home, making.photo(card / "a.jpg", 1), making.photo(card / "b.jpg", 2))
    jobs = build_jobs(home)

    def done(stage: str, version: int, *originals: str) -> None:
        mine = (t.job.c.stage == stage, t.job.c.original.in_(originals))
        with home.catalog.transaction() as connection:
            connection.execute(sa.update(t.job).where(*mine).values(state="done", stage_version=version))

    def ended(hours: int) -> None:
        with home.catalog.transaction() as connection:
            connection.execute(sa.update(t.job).values(ended_at=home.catalog.now() - timedelta(hours=hours)))

    for one in stages():
        done(one.stage.name, one.stage.version, old, other)
    assert round_of(home, grace_s=0.0)["originals_decided_anew"] == 0
    done("link", link.VERSION - 1, old)
    ended(hours=1)
    assert round_of(home, grace_s=0.0)["originals_decided_anew"] == 0  # maybe by an older worker, planned today
    ended(hours=25)
    with home.catalog.transaction() as connection:
        jobs.again(connection, other, "light", ("index",))
    assert round_of(home, grace_s=0.0)["originals_decided_anew"] == 0  # something else waits
    done("index", 1, other)
    assert round_of(home, grace_s=0.0)["originals_decided_anew"] == 1
    waiting = {(one.original, one.lane, one.stage) for one in jobs.listed() if one.state == "waiting"}
    assert waiting == {(old, lane, stage) for lane in ("light", "heavy") for stage in ("link", "index")}
    for one in stages():
        done(one.stage.name, one.stage.version, old, other)
    assert round_of(home, grace_s=0.0)["originals_decided_anew"] == 0
    jobs.close()


def test_what_an_older_reader_read_is_read_again_where_its_format_is_read_otherwise_now(
    home: Home, tmp_path: Path
) -> None:
    """As in a home of before an update, whose facts lack what the reader tells by now; its log keeps what was told."""
    card = tmp_path / "card"
    track = card / "a.gpx"
    card.mkdir()
    points = "".join(f'<trkpt lat="39.{n}" lon="116"><time>2021-08-03T02:10:1{n}Z</time></trkpt>' for n in range(3))
    track.write_text(f'<?xml version="1.0"?><gpx version="1.1"><trk><trkseg>{points}</trkseg></trk></gpx>')
    log, _ = take(home, track, making.photo(card / "b.jpg", 2))
    with working(home):
        wait_until(lambda: at_rest(home), 120, "both are done")
    jobs = build_jobs(home)
    before = home.catalog.events_of(log)
    with home.catalog.transaction() as connection:
        connection.execute(sa.delete(t.property_).where(t.property_.c.name == "place.track"))
        connection.execute(sa.update(t.job).where(t.job.c.stage == "probe").values(stage_version=1))
        connection.execute(sa.update(t.job).values(ended_at=home.catalog.now() - timedelta(hours=25)))
    assert home.catalog.known_of(log).value("place.track") is None
    assert round_of(home, grace_s=0.0)["originals_decided_anew"] == 1
    waiting = [(one.original, one.lane, one.stage) for one in jobs.listed() if one.state == "waiting"]
    assert waiting == [(log, "light", one) for one in ("probe", "timestamps", "link", "index")]
    with working(home):
        wait_until(lambda: jobs.unfinished() == {}, 120, "it is read again")
    assert len(home.catalog.known_of(log).value("place.track")) == 3
    after = home.catalog.events_of(log)
    assert after[: len(before)] == before
    assert any('"stage.probe"' in one for one in after[len(before) :])
    assert round_of(home, grace_s=0.0)["originals_decided_anew"] == 0
    jobs.close()


def test_what_an_older_reader_failed_with_is_tried_once_more_and_nothing_else(home: Home, tmp_path: Path) -> None:
    card = tmp_path / "card"
    card.mkdir()
    cut, whole = making.photo(card / "a.jpg", 1), making.photo(card / "b.jpg", 2)
    cut.write_bytes(cut.read_bytes()[:-2000])
    failed, _ = take(home, cut, whole)
    with working(home):
        wait_until(lambda: at_rest(home), 120, "both are done")
    assert "truncated" in {one.code for one in home.catalog.known_of(failed).caveats}
    jobs = build_jobs(home)
    with home.catalog.transaction() as connection:
        connection.execute(sa.update(t.job).where(t.job.c.stage == "probe").values(stage_version=2))
        connection.execute(sa.update(t.job).values(ended_at=home.catalog.now() - timedelta(hours=25)))
    assert round_of(home, grace_s=0.0)["originals_decided_anew"] == 1
    assert {(one.original, one.lane) for one in jobs.listed() if one.state == "waiting"} == {(failed, "light")}
    with working(home):
        wait_until(lambda: jobs.unfinished() == {}, 120, "it is tried again")
    assert round_of(home, grace_s=0.0)["originals_decided_anew"] == 0
    jobs.close()


def test_nothing_is_planned_anew_for_what_was_disposed_of(home: Home, tmp_path: Path) -> None:
    [original] = take(home, making.photo(tmp_path / "card" / "a.jpg", 1))
    jobs = build_jobs(home)
    with home.catalog.transaction() as connection:
        connection.execute(sa.delete(t.job).where(t.job.c.lane == "heavy"))
        connection.execute(sa.update(t.original).where(t.original.c.id == original).values(state="disposed"))
        assert jobs.plan_missing(connection, ORDER, limit=10) == []
    jobs.close()
