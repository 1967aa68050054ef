"""kill -9 of any process at any moment, while files flow in: nothing lost, nothing doubled, nothing left over."""

from __future__ import annotations

import os
import random
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from config.settings import Settings
from pipeline.edges.database import tables
from pipeline.stages import ORDER
from tests.flows.nursery import Nursery
from tests.flows.running import Roles, at_rest, digests_below, leftovers, wait_until
from tests.homes import make_home
from tests.samples import making
from workers.bootstrap import Home, build_home

FULL = os.environ.get("CASEREEL_TEST_COUNTS") == "full"
# Kills on each of the two databases, and the files that flow in meanwhile.
KILLS, FILES = (1000, 300) if FULL else (28, 42)
PAUSE_S = (0.05, 0.6)


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos, sounds and films, some of them the same bytes under two names."""
    folder = tmp_path_factory.mktemp("recordings")
    tenth = FILES // 10
    for number in range(FILES - 2 * tenth - tenth // 2):
        making.photo(folder / f"IMG_{number:04}.jpg", number, size=(64, 48))
    for number in range(tenth):
        making.sound(folder / f"REC_{number:04}.wav", number, length_s=0.5)
        shutil.copy(folder / f"IMG_{number:04}.jpg", folder / f"copy of IMG_{number:04}.jpg")
    for number in range(tenth // 2):
        making.film(folder / f"MOV_{number:04}.mp4", number, length_s=1.0)
    return folder


@pytest.fixture(scope="module")
def nursery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    """Forks the roles, so that most kills hit work and not imports."""
    made = Nursery(tmp_path_factory.mktemp("nursery") / "errors.log")
    yield made
    made.close()


@pytest.mark.slow
def test_e11_nothing_is_lost_or_doubled_on_sqlite(
    recordings: Path, nursery: Nursery, make_settings: Callable[..., Settings],
    record_property: Callable[[str, object], None],
) -> None:  # fmt: skip
    record_property("fault", "kill -9, SQLite")
    record_property("tries", KILLS)
    settings = make_settings(work_lease_s="8")
    run(recordings, nursery, settings, ["watch", "work", "patrol"], never_back=None)


@pytest.mark.slow
@pytest.mark.postgres
def test_nothing_is_lost_or_doubled_on_postgresql_when_a_worker_never_comes_back(
    recordings: Path, nursery: Nursery, make_settings: Callable[..., Settings], fresh_database: Callable[[], str],
    record_property: Callable[[str, object], None],
) -> None:  # fmt: skip
    record_property("fault", "kill -9, PostgreSQL")
    record_property("tries", KILLS)
    settings = make_settings(catalog_url=fresh_database(), work_lease_s="8")
    run(recordings, nursery, settings, ["watch", "work", "patrol", "work"], never_back=3)


def run(recordings: Path, nursery: Nursery, settings: Settings, roles: list[str], never_back: int | None) -> None:
    make_home(settings)
    home = build_home(settings)
    chance = random.Random(20261122)
    environ = {
        "CASEREEL_CATALOG_URL": settings.catalog.url,
        "CASEREEL_WORK_LEASE_S": str(settings.work.lease_s),
        "CASEREEL_WORK_DEATHS": str(KILLS),
    }
    sources = sorted(recordings.iterdir())
    killed: Counter[str] = Counter()
    with Roles(settings.home, roles, environ, nursery=nursery) as running:
        wait_until(lambda: len(home.catalog.counts()) >= 0, 5, "the catalog answers")
        for number in range(KILLS):
            # Files flow in by copying, as a clerk's do, a few between any two kills.
            for source in sources[number * FILES // KILLS : (number + 1) * FILES // KILLS]:
                shutil.copy(source, settings.inbox / source.name)
            time.sleep(chance.uniform(*PAUSE_S))
            killed[kind_of(running.kill_one(chance))] += 1
            if never_back is not None and number == KILLS // 3:
                process = running.processes[never_back]
                process.kill()
                del running.wanted[never_back]
            running.keep_up()
        wait_until(
            lambda: len(home.catalog.arrivals()) >= FILES and at_rest(home),
            1500 if FULL else 600,
            "every original at rest",
            running.keep_up,
        )
        workers_at_the_end = [one for one in running.wanted.values() if one == "work"]
    print(f"\n{sum(killed.values())} kills: {dict(killed)}")
    assert sum(killed.values()) == KILLS
    assert len(workers_at_the_end) == 1
    judge(home, recordings)
    home.close()


def kind_of(said: str) -> str:
    for kind in ("ffmpeg", "cage", "watch", "work", "patrol"):
        if kind in said:
            return kind
    return "other"


def judge(home: Home, recordings: Path) -> None:
    """One original a digest, one arrival a file, every job done once and ended, no leftovers, the log whole."""
    from workers.patrol import round_of

    expected = digests_below(recordings)
    round_of(home, grace_s=0.0)
    assert set(home.catalog.digests()) == set(expected)
    assert sorted(home.vault.digests()) == sorted(expected)
    arrived = Counter(arrival.name for arrival in home.catalog.arrivals())
    assert arrived == Counter(path.name for paths in expected.values() for path in paths)
    with home.catalog.snapshot() as connection:
        jobs = Counter((row.original, row.lane, row.stage) for row in connection.execute(sa.select(tables.job)))
        states = Counter(connection.execute(sa.select(tables.job.c.state)).scalars())
        roles = connection.execute(
            sa.select(tables.derivative.c.original, tables.derivative.c.role, sa.func.count())
            .group_by(tables.derivative.c.original, tables.derivative.c.role).having(sa.func.count() > 1)
        ).all()  # fmt: skip
    assert jobs == Counter((original, *turn) for original in home.catalog.digests().values() for turn in ORDER)
    assert set(states) == {"done"}
    assert roles == []
    assert home.catalog.counts() == {"ready": len(expected)}
    assert leftovers(home) == []
    for sha256, original in home.catalog.digests().items():
        assert home.vault.faults(sha256) == []
        recorded = home.catalog.derivative_paths([original])
        assert set(home.vault.derivative_files(sha256)) == recorded
    log = home.audit.check(grace_s=0.0)
    assert log.faults == ()
