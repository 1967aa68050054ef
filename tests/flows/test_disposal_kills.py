"""Killed by SIGKILL at every place of a disposal's run and of every deed of retention, and started again."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from config.settings import load
from pipeline.custody.disposal import Retention
from pipeline.edges.database.dump import dump
from pipeline.errors import BadInput
from tests.conftest import QUICK
from tests.flows import steps
from tests.flows.dying import LOADED
from tests.flows.keeping import AUDITOR, CASE, OPERATOR, REVIEWER, SetClock, approved, kept, link, over, take
from tests.homes import make_home
from workers.bootstrap import Home, build_home

RUN = steps.of(*steps.RUN)
BYTES_ARE_GONE = ("purge.unlinked", "disposal.unlinked", "disposal.recorded", "disposal.done")
# The log's own places are come to by every deed.
LOG = ("log.before_write", "log.after_sync")
COOLED = timedelta(hours=72)

# name -> (the deed, what the log calls it). Each finds its record by itself.
DEEDS: dict[str, tuple[Callable[[Retention, dict[str, str]], Any], str]] = {
    "hold": (lambda r, ids: r.place_hold(AUDITOR, "立案", original=ids["approved"]), "hold.placed"),
    "hold a case": (lambda r, _: r.place_hold(AUDITOR, "应诉", case=CASE), "hold.placed"),
    "ask for a release": (lambda r, ids: r.release_hold(ids["hold"], AUDITOR, "办结"), "hold.release_asked"),
    "release": (lambda r, ids: r.release_hold(ids["asked"], REVIEWER, "办结"), "hold.released"),
    "propose": (lambda r, ids: r.propose([ids["free"]], OPERATOR, "期满"), "disposal.proposed"),
    "approve": (lambda r, ids: r.approve(ids["proposal"], REVIEWER), "disposal.approved"),
    "cancel": (lambda r, ids: r.cancel(ids["proposal"], REVIEWER, "不办"), "disposal.cancelled"),
    "classify": (lambda r, ids: r.decide(REVIEWER, "permanent", "重大", original=ids["linked"]), "retention.decided"),
    "reopen": (lambda r, ids: r.reopen(REVIEWER, "再审", original=ids["free"]), "retention.ended"),
}
PLACED = [(deed, "hold.placed") for deed in ("hold", "hold a case")]
COMMITTED = [*PLACED, *((deed, place) for deed in DEEDS for place in LOG)]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, SetClock, dict[str, str]]:
    """A home to be copied: one original approved and cooled, one proposed, one free to go, one of a case; two holds."""
    home_folder = tmp_path_factory.mktemp("made") / "home"
    settings = load(home_folder, QUICK)
    make_home(settings)
    home, clock = build_home(settings), SetClock()
    retention = kept(home, clock)
    names = ("approved", "proposed", "free", "linked")
    ids = dict(zip(names, take(home, home_folder.parent / "card", *(f"{one}.jpg" for one in names)), strict=True))
    link(home, ids["linked"])
    over(retention, clock, ids["proposed"], ids["free"])
    approved(retention, clock, ids["approved"])
    clock.pass_(COOLED)
    ids["proposal"] = retention.propose([ids["proposed"]], OPERATOR, "期满")[0].id
    ids["hold"] = retention.place_hold(AUDITOR, "信访", original=ids["linked"])[0].id
    ids["asked"] = retention.place_hold(AUDITOR, "信访", original=ids["linked"])[0].id
    retention.release_hold(ids["asked"], AUDITOR, "办结")
    home.close()
    return home_folder, clock, ids


class Life:
    """A copy of the home in which processes are killed."""

    def __init__(self, folder: Path, made: tuple[Path, SetClock, dict[str, str]]) -> None:
        self.folder, (template, self.clock, self.ids) = folder / "home", made
        shutil.copytree(template, self.folder)
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([*LOADED, __name__])
        self.home = build_home(load(self.folder, QUICK))

    @property
    def retention(self) -> Retention:
        """As a process that is started now has it."""
        return kept(self.home, self.clock)

    def killed(self, deed: str, place: str) -> None:
        """A process does the deed and is killed at the place; the log's lines are then written as after any start."""
        arguments = (str(self.folder), self.clock.wall_at.isoformat(), self.clock.ticks_s, self.ids, deed, place)
        process = self._context.Process(target=do, args=arguments)
        process.start()
        process.join(timeout=120)
        assert process.exitcode == -9, f"it never came to {place}"

    def lines(self) -> list[dict[str, Any]]:
        """The log's lines once a new process has written what the dead one owed."""
        self.home.audit.make_durable(self.home.catalog.last_event())
        return [json.loads(line) for line in self.home.audit.lines()]

    def is_here(self, original: str) -> bool:
        sha256 = self.home.catalog.known_of(original).original.sha256
        return self.home.vault.has(sha256) and self.home.vault.faults(sha256) == []


def do(home: str, wall_at: str, ticks_s: float, ids: dict[str, str], deed: str, place: str) -> None:
    """What the process does that is killed."""
    os.environ["CASEREEL_FAILPOINT"] = place
    built: Home = build_home(load(Path(home), QUICK))
    retention = kept(built, SetClock(wall_at=datetime.fromisoformat(wall_at), ticks_s=ticks_s))
    if deed == "run":
        retention.run("patrol")
    else:
        DEEDS[deed][0](retention, ids)
    os._exit(0)


@pytest.fixture
def life(tmp_path: Path, made: tuple[Path, SetClock, dict[str, str]]) -> Iterator[Life]:
    begun = Life(tmp_path, made)
    yield begun
    begun.home.close()


def told(lines: list[dict[str, Any]], type: str) -> list[dict[str, Any]]:
    return [line for line in lines if line["type"] == type]


def test_every_place_of_retention_is_tried() -> None:
    assert {"retention.recorded", *(place for _, place in PLACED)} == set(steps.of(*steps.DEEDS))
    assert set(BYTES_ARE_GONE) < set(RUN)


@pytest.mark.parametrize("held", [False, True], ids=["free", "held"])
@pytest.mark.parametrize("place", RUN)
def test_a_run_that_was_killed_is_ended_by_the_next_and_told_once(life: Life, place: str, held: bool) -> None:
    original = life.ids["approved"]
    life.killed("run", place)
    too_late = place in BYTES_ARE_GONE
    if held:
        try:
            _, missed = life.retention.place_hold(AUDITOR, "立案", original=original)
        except BadInput:
            assert life.home.catalog.known_of(original).original.state == "disposed"
        else:
            assert missed == ([original] if too_late else [])
    life.retention.run("patrol")
    stays = held and not too_late
    lines = life.lines()
    assert [len(told(lines, f"disposal.{word}")) for word in ("begun", "done", "stopped")] == [1, not stays, stays]
    assert life.is_here(original) is stays
    known = life.home.catalog.known_of(original).original
    assert (known.state == "disposed") is not stays
    assert (life.home.vault.tombstone(known.sha256) is None) is stays
    assert life.home.vault.unfinished_purges() == []
    assert all(life.is_here(life.ids[one]) for one in ("proposed", "free", "linked"))
    assert life.home.audit.check(grace_s=0.0).faults == ()


@pytest.mark.parametrize("deed", DEEDS)
def test_a_deed_that_was_killed_before_it_counted_changed_nothing_and_can_be_done_again(life: Life, deed: str) -> None:
    act, type = DEEDS[deed]
    before, lines = dump(life.home.catalog), life.lines()
    life.killed(deed, "retention.recorded")
    after = dump(life.home.catalog)
    assert [after[name] for name in ("holds", "retained", "disposals")] == [
        before[name] for name in ("holds", "retained", "disposals")
    ]
    assert life.lines() == lines
    act(life.retention, life.ids)
    assert len(told(life.lines(), type)) == len(told(lines, type)) + 1
    assert life.home.audit.check(grace_s=0.0).faults == ()


@pytest.mark.parametrize(("deed", "place"), COMMITTED)
def test_a_deed_that_was_killed_after_it_counted_stays_and_is_told_once(life: Life, deed: str, place: str) -> None:
    _, type = DEEDS[deed]
    before, lines = dump(life.home.catalog), life.lines()
    life.killed(deed, place)
    after = dump(life.home.catalog)
    assert [after[name] for name in ("holds", "retained", "disposals")] != [
        before[name] for name in ("holds", "retained", "disposals")
    ]
    assert len(told(life.lines(), type)) == len(told(lines, type)) + 1
    assert life.home.audit.check(grace_s=0.0).faults == ()


@pytest.mark.parametrize("place", ["hold.placed", *LOG, "retention.recorded"])
def test_a_hold_wins_from_the_moment_it_counts(life: Life, place: str) -> None:
    life.killed("hold", place)
    [outcome] = life.retention.run("patrol")
    counts = place != "retention.recorded"
    assert (outcome.ended, life.is_here(life.ids["approved"])) == (("stopped", True) if counts else ("done", False))
