"""Proposals, approvals, holds, releases, clocks and deaths in any order: nothing goes that must stay.

CASEREEL_TEST_COUNTS=full plays 10,000 orders instead of 40.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from config.settings import load
from pipeline.custody import disposal as custody
from pipeline.edges import disk, failpoint
from pipeline.errors import BadInput, NotAllowed, TryAgain
from pipeline.records import Person
from tests.conftest import QUICK
from tests.flows.keeping import AUDITOR, CASE, OPERATOR, REVIEWER, SetClock, kept, link, take
from workers.bootstrap import build_home, make_home

EXAMPLES = 10_000 if os.environ.get("CASEREEL_TEST_COUNTS") == "full" else 40
STEPS = 16
PERSONS = (OPERATOR, REVIEWER, AUDITOR, Person(name="钱管理", role="operator"), Person(name=" 赵管理", role="reviewer"))
BEFORE_THE_LOOK = ("disposal.begun", "purge.prepared", "purge.moved")
PLACES = (*BEFORE_THE_LOOK, "disposal.last_look", "purge.placed", "purge.unlinked", "disposal.unlinked",
          "disposal.recorded", "disposal.done")  # fmt: skip
REFUSED = (BadInput, NotAllowed, TryAgain)
FLOOR_S = 181 * 86400.0
COOLING_S = 72 * 3600.0
which = st.integers(0, 1)
who = st.sampled_from(PERSONS)


class Died(BaseException):
    """The process ended here."""


class Disposing(RuleBasedStateMachine):
    """Two originals, the second of a case; what is played is remembered apart from the catalog."""

    made: Path
    gone_count = 0

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(dir=self.made.parent))
        shutil.copytree(self.made, self.folder / "home")
        self.home = build_home(load(self.folder / "home", QUICK))
        self.clock = SetClock()
        self.digests = {one: sha256 for sha256, one in self.home.catalog.digests().items()}
        self.ids = sorted(self.digests)
        self.started_s = self.clock.ticks_s
        self.off_s = 0.0
        self.holds: dict[str, tuple[set[str], str | None]] = {}
        self.proposed: dict[str, tuple[str, Person]] = {}
        self.approved: dict[str, tuple[Person, float]] = {}
        self.gone: set[str] = set()
        self.retention = kept(self.home, self.clock)
        for one in self.ids:
            self.retention.decide(REVIEWER, "floor", "鉴定", original=one)
        self.close_or_reopen_the_case(False)
        self.clock.pass_(timedelta(days=6 * 366))

    def teardown(self) -> None:
        try:
            if not self.retention.look_at_clock().doubt:
                self.retention.run("patrol")
                for one in self.gone:
                    assert self.home.vault.tombstone(self.digests[one]) is not None
                    assert self.home.catalog.known_of(one).original.state == "disposed"
                done = [one for one in self.retention.disposals(all_=True) if one.state == "done"]
                assert {one.original for one in done} == self.gone
                assert all(one.certificate for one in done)
        finally:
            self.home.close()
            shutil.rmtree(self.folder)

    # -- deeds

    @rule(which=which, person=who)
    def propose(self, which: int, person: Person) -> None:
        if found := self.tried(lambda: self.retention.propose([self.ids[which]], person, "期满")):
            self.proposed[found[0].id] = (self.ids[which], person)

    @rule(data=st.data(), person=who)
    def approve(self, data: Any, person: Person) -> None:
        if self.proposed:
            one = data.draw(st.sampled_from(sorted(self.proposed)))
            if self.tried(lambda: self.retention.approve(one, person)):
                self.approved[one] = (person, self.clock.ticks_s)

    @rule(which=which)
    def agree(self, which: int) -> None:
        """An ordinary day: without it random deeds seldom come as far as a disposal."""
        self.propose(which, OPERATOR)
        for one in sorted(set(self.proposed) - set(self.approved)):
            if self.tried(lambda one=one: self.retention.approve(one, REVIEWER)):  # type: ignore[misc]
                self.approved[one] = (REVIEWER, self.clock.ticks_s)
        self.clock.pass_(timedelta(hours=73))

    @rule(data=st.data(), person=who)
    def cancel(self, data: Any, person: Person) -> None:
        if self.proposed:
            one = data.draw(st.sampled_from(sorted(self.proposed)))
            if self.tried(lambda: self.retention.cancel(one, person, "不办")):
                del self.proposed[one]

    @rule(which=which, by_case=st.booleans())
    def hold(self, which: int, by_case: bool) -> None:
        self.place(which, by_case)

    def place(self, which: int, by_case: bool) -> None:
        one = self.ids[which]
        asked = {"case": CASE} if by_case else {"original": one}
        if found := self.tried(lambda: self.retention.place_hold(AUDITOR, "应诉", **asked)):
            hold, too_late = found
            self.holds[hold.id] = (({self.ids[1]} if by_case else {one}) - set(too_late), None)

    @rule(data=st.data(), person=who)
    def release(self, data: Any, person: Person) -> None:
        if self.holds:
            one = data.draw(st.sampled_from(sorted(self.holds)))
            found = self.tried(lambda: self.retention.release_hold(one, person, "办结"))
            if found and found.released_at:
                # By two: the name that asked is another than the one that releases.
                assert "".join(str(found.release_asked_by).split()) != "".join(person.name.split())
                del self.holds[one]

    @rule(reopen=st.booleans())
    def close_or_reopen_the_case(self, reopen: bool) -> None:
        if reopen:
            self.tried(lambda: self.retention.reopen(REVIEWER, "再审", case=CASE))
        else:
            day = self.clock.wall_at.date().replace(year=2015)
            self.tried(lambda: self.retention.decide(REVIEWER, "decision", "结案", case=CASE, from_on=day))

    @rule(hours=st.sampled_from([1, 24, 73, 24 * 190, 24 * 365 * 6]))
    def time_passes(self, hours: int) -> None:
        self.clock.pass_(timedelta(hours=hours))

    @rule(days=st.sampled_from([3650, -3650, 1 / 24, -1 / 24]))
    def clock_is_set(self, days: float) -> None:
        self.clock.set(timedelta(days=days))
        self.off_s += days * 86400
        self.retention.look_at_clock()

    @rule()
    def clock_is_set_right(self) -> None:
        self.clock.set(timedelta(seconds=-self.off_s))
        self.off_s = 0.0
        for _ in range(4):
            self.retention.look_at_clock()
            self.clock.pass_(timedelta(hours=25))
        self.retention.look_at_clock()

    @rule(place=st.sampled_from([None, *PLACES]))
    def run_and_die(self, place: str | None) -> None:
        def die(name: str) -> None:
            if name == place:
                raise Died

        self.run(die)
        self.retention = kept(self.home, self.clock)

    @rule(place=st.sampled_from(BEFORE_THE_LOOK), which=which, by_case=st.booleans())
    def run_while_somebody_holds(self, place: str, which: int, by_case: bool) -> None:
        played: list[str] = []

        def hold_here(name: str) -> None:
            if name == place and not played:
                played.append(name)
                self.place(which, by_case)

        back, custody.Retention._is_back = custody.Retention._is_back, lambda *_: True  # type: ignore[assignment,method-assign]
        try:
            self.run(hold_here)
        finally:
            custody.Retention._is_back = back  # type: ignore[method-assign]

    def run(self, at: Callable[[str], None]) -> None:
        put_back, before = type(self.home.vault)._put_back, failpoint.at
        failpoint.at = at

        def as_killed(vault: Any, sha256: str) -> bool:
            import sys

            return False if isinstance(sys.exc_info()[1], Died) else put_back(vault, sha256)

        type(self.home.vault)._put_back = as_killed  # type: ignore[method-assign]
        try:
            self.tried(lambda: self.retention.run("patrol"))
        except Died:
            pass
        finally:
            failpoint.at = before
            type(self.home.vault)._put_back = put_back  # type: ignore[method-assign]

    def tried(self, deed: Callable[[], Any]) -> Any:
        try:
            return deed()
        except REFUSED:
            return None

    # -- what must hold

    @invariant()
    def nothing_goes_that_must_stay(self) -> None:
        for one in set(self.ids) - self.gone:
            sha256 = self.digests[one]
            aside = self.home.vault.root.parent.rglob(f"{sha256}/object/v1/content/original")
            if self.home.vault.has(sha256) or any(aside):
                continue
            self.gone.add(one)
            type(self).gone_count += 1
            assert not [hold for hold, (held, _) in self.holds.items() if one in held], "deleted under a hold"
            found = [
                (first, *self.approved[key]) for key, (original, first) in self.proposed.items()
                if original == one and key in self.approved
            ]  # fmt: skip
            assert found, "deleted with fewer than two persons"
            for first, second, _ in found:
                assert "".join(first.name.split()) != "".join(second.name.split())
                assert first.role != second.role
            assert min(self.clock.ticks_s - at_s for _, _, at_s in found) >= COOLING_S * 0.999
            assert self.clock.ticks_s - self.started_s >= FLOOR_S * 0.999


def test_nothing_goes_that_must_stay_whatever_happens_in_whatever_order(monkeypatch: pytest.MonkeyPatch) -> None:
    # No power is cut here, so nothing needs to reach a disk.
    monkeypatch.setattr(os, "fsync", lambda _: None)
    monkeypatch.setattr(disk, "sync_folder", lambda _: None)
    place = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=place if place.is_dir() else None) as folder:
        made = load(Path(folder) / "home", QUICK)
        make_home(made)
        home = build_home(made)
        ids = take(home, Path(folder) / "card", "a.jpg", "b.jpg")
        link(home, max(ids))
        home.close()
        Disposing.made, Disposing.gone_count = made.home, 0
        run_state_machine_as_test(
            Disposing,
            settings=settings(
                max_examples=EXAMPLES, stateful_step_count=STEPS, deadline=None, database=None,
                derandomize=EXAMPLES == 40, suppress_health_check=list(HealthCheck),
            ),
        )  # fmt: skip
    print(f"\n{EXAMPLES} orders, {Disposing.gone_count} originals went")
    assert Disposing.gone_count > 0, "the orders never came to a disposal, so they show nothing"
