"""Killed at every named step of intake, once and twice: nothing lost, nothing doubled, nothing unlogged."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from pipeline.custody.inspection import inspect
from pipeline.custody.recovery import recover
from pipeline.edges.host import disk
from pipeline.stages import ORDER
from tests.flows import steps
from tests.flows.dying import Mortals, settings_of
from tests.flows.running import digests_below, leftovers
from workers.bootstrap import Home, build_home, build_jobs, make_home
from workers.keeping import build_fixity

SEEDS = (1, 2, 3)
FILES = 8


@pytest.fixture(scope="module")
def mortals() -> Mortals:
    return Mortals()


def fill(inbox: Path) -> None:
    """Small files, the same bytes under two names, an empty one, and a large one whose end was never written."""
    chance = random.Random(7)
    for number in range(5):
        path = inbox / f"card{number % 2}" / f"{number}.dat"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(chance.randbytes(3000 + number))
    shutil.copy(inbox / "card0" / "0.dat", inbox / "the same.dat")
    (inbox / "empty.dat").touch()
    with (inbox / "large.dat").open("wb") as stream:
        stream.write(chance.randbytes(1 << 20))
        stream.truncate(9 << 20)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with files in its inbox, to be copied for every life."""
    home = tmp_path_factory.mktemp("made") / "home"
    make_home(settings_of(home, ""))
    fill(home / "inbox")
    return home


@pytest.fixture(scope="module")
def comings(mortals: Mortals, made: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, int]:
    """How often each place is come to in a life that nobody ends."""
    home = tmp_path_factory.mktemp("whole") / "home"
    shutil.copytree(made, home)
    whole = mortals.run(home)
    assert whole.code == 0
    judge(home, "", whole.acknowledged)
    return whole.come


def test_every_step_of_the_algorithm_has_its_places() -> None:
    assert sorted(steps.INTAKE) == steps.of(
        "scan", "look", "open", "take", "stage", "copy", "prove", "object", "record", "log", "receipt"
    )


def test_every_place_belongs_to_a_step_or_has_its_test_elsewhere() -> None:
    elsewhere = {*steps.ELSEWHERE, *steps.RUN, *steps.DEEDS}
    unknown = {name for name in steps.every() if name.partition(".")[0] not in elsewhere} - set(steps.INTAKE)
    assert unknown == set(), "name them in steps.py, and try them"


def test_every_step_is_come_to(comings: dict[str, int]) -> None:
    assert [name for name in steps.INTAKE if name not in comings] == []


@pytest.mark.parametrize("place", steps.INTAKE)
def test_dying_there_loses_nothing_doubles_nothing_and_leaves_nothing_unlogged(
    place: str, mortals: Mortals, made: Path, comings: dict[str, int], tmp_path: Path
) -> None:
    for seed in SEEDS:
        home = tmp_path / f"{seed}"
        shutil.copytree(made, home)
        end_it(mortals, home, "", place, comings, seed)


@pytest.mark.postgres
def test_nor_on_postgresql(
    mortals: Mortals, comings: dict[str, int], tmp_path: Path, fresh_database: Callable[[], str]
) -> None:
    template = fresh_database()
    first = tmp_path / "first"
    make_home(settings_of(first, template))
    fill(first / "inbox")
    name = template.rpartition("/")[2]
    engine = create_engine(
        template.replace("postgresql://", "postgresql+psycopg://").rpartition("/")[0] + "/postgres",
        isolation_level="AUTOCOMMIT",
    )
    for number, place in enumerate(steps.INTAKE):
        home, url = tmp_path / f"{number}", f"{template}{number}"
        shutil.copytree(first, home)
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}{number} TEMPLATE {name}"))
        end_it(mortals, home, url, place, comings, 1)
    engine.dispose()


def end_it(mortals: Mortals, home: Path, url: str, place: str, comings: dict[str, int], seed: int) -> None:
    """One life or, by every third seed, two are ended; the next one goes to its end."""
    chance = random.Random(f"{place} {seed}")
    # What comes once a file comes so often for sure; what comes once a batch depends on how the files fell.
    coming = chance.randint(1, FILES) if comings[place] >= FILES else 1
    first = mortals.run(home, url, f"{place}:{coming}")
    assert first.code == -9
    acknowledged = first.acknowledged
    if seed % 3 == 0:
        acknowledged += mortals.run(home, url, chance.choice(steps.INTAKE)).acknowledged
    last = mortals.run(home, url)
    assert last.code == 0
    judge(home, url, acknowledged + last.acknowledged)


def mend(home: Home) -> None:
    """What the patrol does after a death, without the index."""
    jobs = build_jobs(home)
    disk.sweep(home.vault.staging.root, grace_s=0.0)
    recover(home.vault, home.catalog, home.audit, jobs, "patrol", turns=ORDER, grace_s=0.0)
    home.audit.make_durable(home.catalog.last_event())
    jobs.close()


def judge(home: Path, url: str, acknowledged: list[str]) -> None:
    built = build_home(settings_of(home, url))
    mend(built)
    expected = digests_below(home / "inbox")
    # Objects are counted, and not digests: two objects of one digest would look like one.
    assert sorted(built.vault.digests()) == sorted(expected)
    assert set(built.catalog.digests()) == set(expected)
    arrivals = Counter(one.path for one in built.catalog.arrivals())
    assert arrivals == Counter(str(path) for paths in expected.values() for path in paths)
    assert set(acknowledged) <= set(arrivals)
    logged = Counter(
        event["facts"]["arrival"]["path"]
        for event in map(json.loads, built.audit.lines())
        if event["type"] in ("arrival.accepted", "arrival.duplicate")
    )
    assert logged == arrivals
    assert built.audit.check(grace_s=0.0).faults == ()
    assert leftovers(built) == []
    seen = inspect(built.vault, built.catalog, build_fixity(built), built.catalog.digests(), everything=True)
    assert (seen.broken, seen.missing, seen.strays, seen.unrecorded) == ({}, {}, (), ())
    assert "arrival.changed" not in "".join(os.fsdecode(line) for line in built.audit.lines())
    built.close()
