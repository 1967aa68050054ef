"""Proposals, approvals, holds, releases, clocks, deaths and the same bytes once more, in any order.

Nothing goes that must stay, what goes leaves its whole story, and what was cut off is ended and told once. What is
played is remembered here apart from the catalog; after every step vault, catalog and log are held against it.
CASEREEL_TEST_COUNTS=full plays 10,000 orders on SQLite and 200 on PostgreSQL, and longer ones.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import create_engine, text

from config.settings import Settings, load
from pipeline.custody.accession import Candidate, Receipt
from pipeline.custody.inspection import inspect
from pipeline.edges import failpoint
from pipeline.edges.host import disk
from pipeline.edges.vault import Vault
from pipeline.errors import BadInput, NotAllowed, TryAgain
from pipeline.records import Person
from tests.conftest import QUICK
from tests.flows import steps
from tests.flows.keeping import AUDITOR, CASE, OPERATOR, REVIEWER, SetClock, kept, link, take
from tests.homes import make_home
from workers.bootstrap import build_accession, build_home, build_jobs
from workers.keeping import build_fixity

FULL = os.environ.get("CASEREEL_TEST_COUNTS") == "full"
STEPS = 30 if FULL else 12
PERSONS = (OPERATOR, REVIEWER, AUDITOR, Person(name="钱管理", role="operator"), Person(name=" 赵管理", role="reviewer"))
REFUSED = (BadInput, NotAllowed, TryAgain)
PLACES = steps.of("disposal", "purge", "retention")
# Up to here nobody has locked the catalog: a hold that is placed here came before the unlinking, for sure.
BEFORE_THE_LOOK = ("disposal.begun", "purge.prepared", "purge.moved")
FLOOR_S, COOLING_S, FRESH_S = 181 * 86400.0, 72 * 3600.0, 7 * 86400.0
# The believed time follows the wall clock by a thousandth.
SLACK = 0.999
OFF_MOST_S = 10 * 86400.0

which = st.integers(0, 1)
who = st.sampled_from(PERSONS)
nth = st.integers(0, 7)
somewhere = st.sampled_from([None, *PLACES])
hours = st.sampled_from([1, 24, 73, 24 * 8, 24 * 365 * 6])


class Died(BaseException):
    """The process ended here."""


@dataclass
class Agreed:
    """A disposal as the test saw it grow. first_s: by the clock's time that is believed; second_s: by true time."""

    original: str
    first: Person
    first_s: float
    second: Person | None = None
    second_s: float = 0.0
    cancelled: bool = False
    came: bool = False


@dataclass
class Held:
    """A hold in force. of: what it keeps."""

    of: set[str]
    asked: tuple[Person, float] | None = None


class Made(Protocol):
    """Gives homes that are copies of one."""

    def copy(self) -> Settings: ...

    def drop(self, settings: Settings) -> None: ...


class Disposing(RuleBasedStateMachine):
    """Two originals, the second of a case."""

    made: Made
    orders = 0
    disposals = 0

    def __init__(self) -> None:
        super().__init__()
        type(self).orders += 1
        self.settings = self.made.copy()
        self.home = build_home(self.settings)
        self.jobs = build_jobs(self.home)
        self.clock = SetClock()
        self.digests = {one: sha256 for sha256, one in self.home.catalog.digests().items()}
        self.ids = sorted(self.digests)
        self.bytes = {one: self.original_of(one).read_bytes() for one in self.ids}
        self.true_s = self.believed_s = self.off_s = self.jumped_s = self.confirmed_s = 0.0
        self.jumped = False
        self.holds: dict[str, Held] = {}
        self.agreed: dict[str, Agreed] = {}
        self.gone: set[str] = set()
        self.drops = 0
        self.retention = kept(self.home, self.clock)

    def teardown(self) -> None:
        try:
            self.confirm(AUDITOR)
            self.retention.run("patrol")
            self.nothing_goes_that_must_stay()
            assert self.home.vault.unfinished_purges() == []
            assert [one for one in self.retention.disposals() if one.state == "begun"] == []
            assert self.home.audit.check(grace_s=0.0).faults == ()
            states = self.home.catalog.states_of(self.ids)
            assert {one for one in self.ids if states[one] == "disposed"} == self.gone
            seen = inspect(self.home.vault, self.home.catalog, build_fixity(self.home), self.home.catalog.digests(),
                           everything=True)  # fmt: skip
            assert (seen.broken, seen.missing, seen.strays, seen.unrecorded) == ({}, {}, (), ())
        finally:
            self.jobs.close()
            self.home.close()
            self.made.drop(self.settings)

    @initialize(start=st.integers(0, 5), place=somewhere, first=who)
    def some_time_before(self, start: int, place: str | None, first: Person) -> None:
        """The periods are over; in some orders one of them or the case's decision is left open, in some one went."""
        for one in self.ids[: 1 if start == 1 else 2]:
            self.retention.decide(REVIEWER, "floor", "鉴定", original=one)
        if start != 2:
            self.close_or_reopen_the_case(False)
        if start != 3:
            self.time_passes(24 * 365 * 6)
        if start > 3:
            self.undisturbed_days(start - 4, place, first, first)

    # -- deeds

    @rule(which=which, person=who)
    def propose(self, which: int, person: Person) -> None:
        one = self.ids[which]
        if found := self.tried(lambda: self.retention.propose([one], person, "期满")):
            self.require_free(one)
            self.agreed[found[0].id] = Agreed(one, person, self.believed_s)

    @rule(nth=nth, person=who)
    def approve(self, nth: int, person: Person) -> None:
        if key := pick(self.agreed, nth):
            one = self.agreed[key]
            if self.tried(lambda: self.retention.approve(key, person)):
                require_two(one.first, person)
                self.require_free(one.original)
                assert not one.cancelled
                assert not one.came, "approved, though the same bytes came since"
                assert (self.believed_s - one.first_s) * SLACK <= FRESH_S, "approved after more than a week"
                one.second, one.second_s = person, self.true_s

    @rule(nth=nth, person=who)
    def cancel(self, nth: int, person: Person) -> None:
        if (key := pick(self.agreed, nth)) and self.tried(lambda: self.retention.cancel(key, person, "不办")):
            self.agreed[key].cancelled = True

    @rule(which=which, by_case=st.booleans())
    def hold(self, which: int, by_case: bool) -> None:
        self.place(which, by_case)

    @rule(nth=nth, person=who)
    def release(self, nth: int, person: Person) -> None:
        if not (key := pick(self.holds, nth)):
            return
        held = self.holds[key]
        if found := self.tried(lambda: self.retention.release_hold(key, person, "办结")):
            if found.released_at is None:
                held.asked = (person, self.believed_s)
                return
            assert held.asked is not None, "released by the first asking"
            assert plain(held.asked[0]) != plain(person), "released by one person"
            del self.holds[key]

    @rule(reopen=st.booleans())
    def close_or_reopen_the_case(self, reopen: bool) -> None:
        if reopen:
            self.tried(lambda: self.retention.reopen(REVIEWER, "再审", case=CASE))
        else:
            day = self.clock.wall_at.date().replace(year=2015, day=1)
            self.tried(lambda: self.retention.decide(REVIEWER, "decision", "结案", case=CASE, from_on=day))

    @rule(which=which)
    def the_same_bytes_come(self, which: int) -> None:
        before = set(self.gone)
        self.judge(self.ids[which], self.drop_again(which), gone_before=self.ids[which] in before)

    # -- clocks

    @rule(hours=hours)
    def time_passes(self, hours: int) -> None:
        self.clock.pass_(timedelta(hours=hours))
        self.true_s += hours * 3600.0
        self.believed_s += hours * 3600.0

    @rule(days=st.sampled_from([3650, -3650, 4, 1 / 24, -1 / 24]))
    def clock_is_set(self, days: float) -> None:
        self.clock.set(timedelta(days=days))
        self.off_s += days * 86400
        self.jump()

    @rule(off_h=st.sampled_from([0, 10, 100]), days=st.sampled_from([0, 3650, -3650, -1]))
    def machine_is_off(self, off_h: int, days: int) -> None:
        """It starts again later, and in some orders somebody set its clock meanwhile."""
        self.retention.look_at_clock()
        self.clock.set(timedelta(hours=off_h, days=days))
        self.clock.boot, self.clock.ticks_s = f"{self.clock.boot}+", 5.0
        self.off_s += days * 86400
        self.true_s += off_h * 3600.0
        moved_s = off_h * 3600.0 + days * 86400.0
        if 0 <= moved_s <= OFF_MOST_S:
            self.retention.look_at_clock()
            self.believed_s += moved_s
        else:
            self.jump()

    def jump(self) -> None:
        assert self.retention.look_at_clock().doubt, "a clock that was set is believed"
        self.jumped, self.jumped_s = True, self.believed_s

    @rule()
    def clock_is_set_right(self) -> None:
        if self.off_s:
            self.clock.set(timedelta(seconds=-self.off_s))
            self.off_s = 0.0
            self.jump()
        for _ in range(4):
            self.time_passes(25)
            self.retention.look_at_clock()

    @rule(person=st.sampled_from([REVIEWER, AUDITOR]))
    def confirm(self, person: Person) -> None:
        """Somebody sets it right and says so."""
        self.clock.set(timedelta(seconds=-self.off_s))
        self.off_s, self.jumped, self.confirmed_s = 0.0, False, self.true_s
        self.retention.confirm_clock(person, "已核对")

    # -- runs

    @rule(place=somewhere)
    def run_and_die(self, place: str | None) -> None:
        """The next step begins like a process that was started anew."""

        def die(name: str) -> None:
            if name == place:
                raise Died

        self.run(die)
        self.retention = kept(self.home, self.clock)

    @rule(place=st.sampled_from(PLACES), which=which, by_case=st.booleans())
    def run_while_somebody_holds(self, place: str, which: int, by_case: bool) -> None:
        self.run_while(place, lambda: self.place(which, by_case))

    @rule(place=st.sampled_from(PLACES), which=which)
    def run_while_the_same_bytes_come(self, place: str, which: int) -> None:
        receipts: list[Receipt] = []
        before = self.ids[which] in self.gone
        self.run_while(place, lambda: receipts.append(self.drop_again(which)))
        for one in receipts:
            self.judge(self.ids[which], one, gone_before=before)

    @rule(which=which, place=somewhere, hours=st.sampled_from([70, 73, 73]), hold_at=st.integers(0, 11),
          death=st.booleans(), first=who, second=who)  # fmt: skip
    def ordinary_days(
        self, which: int, place: str | None, hours: int, hold_at: int, death: bool, first: Person, second: Person
    ) -> None:
        """What stands in the way is cleared, two propose and approve, it cools, it is run: random deeds seldom come
        so far. A hold comes at one of the moments between, in some orders; the run dies, or somebody holds in it.
        """
        self.confirm(AUDITOR)
        for one in (REVIEWER, AUDITOR):
            for nth in reversed(range(len(self.holds))):
                self.release(nth, one)
        self.close_or_reopen_the_case(False)
        self.tried(lambda: self.retention.decide(REVIEWER, "floor", "鉴定", original=self.ids[which]))
        for key in range(len(self.agreed)):
            self.cancel(key, REVIEWER)
        proper = AUDITOR if first.role != "auditor" else OPERATOR
        for moment, deeds in enumerate((
            (lambda: self.propose(which, first),),
            (lambda: self.approve(-1, second), lambda: self.approve(-1, proper)),
            (lambda: self.time_passes(hours),),
            (),
        )):  # fmt: skip
            for deed in deeds:
                deed()
            self.nothing_goes_that_must_stay()
            if hold_at == moment:
                self.place(which, by_case=False)
        if death or place is None:
            self.run_and_die(place)
            self.nothing_goes_that_must_stay()
            self.run_and_die(None)
        else:
            self.run_while_somebody_holds(place, which, by_case=False)

    @rule(which=which, place=somewhere, first=who, second=who)
    def undisturbed_days(self, which: int, place: str | None, first: Person, second: Person) -> None:
        self.ordinary_days(which, place, hours=73, hold_at=-1, death=True, first=first, second=second)

    def run(self, at: Callable[[str], None]) -> None:
        """A run of the patrol, and what happens at each place in it. A process that is killed puts nothing back."""
        put_back = Vault._put_back
        mine = threading.current_thread()

        def here(name: str) -> None:
            if threading.current_thread() is mine:
                at(name)

        def as_killed(vault: Vault, sha256: str) -> bool:
            return False if isinstance(sys.exc_info()[1], Died) else put_back(vault, sha256)

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(failpoint, "at", here)
            patched.setattr(Vault, "_put_back", as_killed)
            with contextlib.suppress(Died):
                self.tried(lambda: self.retention.run("patrol"))

    def run_while(self, place: str, deed: Callable[[], None]) -> None:
        """The deed is done by another thread once the run comes to the place; before the look it comes first."""
        failed: list[BaseException] = []

        def doing() -> None:
            try:
                deed()
            except BaseException as error:
                failed.append(error)

        thread = threading.Thread(target=doing)

        def begin(name: str) -> None:
            if name == place and thread.ident is None:
                thread.start()
                if place in BEFORE_THE_LOOK:
                    self.wait_for_word(thread)

        self.said = threading.Event()
        self.run(begin)
        if thread.ident is not None:
            thread.join(60)
            assert not thread.is_alive(), "it hangs"
        for error in failed:
            raise error

    def wait_for_word(self, thread: threading.Thread) -> None:
        """Until the catalog holds what the other thread does; the vault is busy, so it ends only after the run."""
        for _ in range(2000):
            if self.said.wait(0.005) or not thread.is_alive():
                return
        raise AssertionError("it hangs")

    # -- what the deeds share

    def tried(self, deed: Callable[[], Any]) -> Any:
        try:
            return deed()
        except REFUSED:
            return None

    def place(self, which: int, by_case: bool) -> None:
        one = self.ids[which]
        asked = {"case": CASE} if by_case else {"original": one}
        retention = kept(self.home, self.clock)
        # The row is there before the vault is asked whether it came too late.
        is_back = retention._is_back
        retention._is_back = lambda sha256: self.said.set() or is_back(sha256)  # type: ignore[method-assign,func-returns-value]
        if found := self.tried(lambda: retention.place_hold(AUDITOR, "应诉", **asked)):
            hold, too_late = found
            for late in too_late:
                assert self.whole(late) is None, "a hold is told that it came too late, and the bytes are there"
            gone_before = self.done_before(hold.id)
            assert by_case or one not in gone_before, "a hold on what is gone is told as in force"
            self.holds[hold.id] = Held(({self.ids[1]} if by_case else {one}) - set(too_late) - gone_before)
        self.said.set()

    def done_before(self, hold: str) -> set[str]:
        """What was disposed of before this hold was placed, as the log tells it."""
        events = self.events()
        placed = next(event["seq"] for event in events
                      if event["type"] == "hold.placed" and event["facts"]["hold"]["id"] == hold)  # fmt: skip
        return {event["original"] for event in events if event["type"] == "disposal.done" and event["seq"] < placed}

    said = threading.Event()

    def drop_again(self, which: int) -> Receipt:
        self.drops += 1
        path = self.home.settings.home.parent / f"again{self.drops}" / "再次.jpg"
        path.parent.mkdir()
        path.write_bytes(self.bytes[self.ids[which]])
        accession = build_accession(self.home, self.jobs)
        try:
            [receipt] = accession.take([Candidate(path=path, root=path.parent, source="card again")])
        finally:
            self.said.set()
        assert path.read_bytes() == self.bytes[self.ids[which]]
        return receipt

    def judge(self, one: str, receipt: Receipt, *, gone_before: bool) -> None:
        """Never accepted as new, never silently: a second arrival of what is here, or refused with the reason."""
        assert receipt.status in ("duplicate", "rejected"), receipt
        if receipt.status == "duplicate":
            assert not gone_before, "what was disposed of came back"
            assert receipt.original == one
            for agreed in self.agreed.values():
                agreed.came |= agreed.original == one
            return
        assert "disposed of" in str(receipt.reason)
        assert self.whole(one) is None, "refused as disposed of, and its bytes are there"
        if receipt.again:
            assert [found for found in self.retention.disposals() if found.original == one and found.state == "begun"]
            return
        told = [event for event in self.events() if event["type"] == "arrival.rejected"]
        assert told[-1]["facts"]["path"] == receipt.path
        assert told[-1]["original"] == one

    def require_free(self, one: str) -> None:
        assert not self.jumped or (self.believed_s - self.jumped_s) >= COOLING_S * SLACK, "done in doubt of the clock"
        assert not any(one in held.of for held in self.holds.values()), "done under a hold"

    # -- what must hold

    @invariant()
    def nothing_goes_that_must_stay(self) -> None:
        events, states = self.events(), self.home.catalog.states_of(self.ids)
        for one in self.ids:
            done = [event for event in events if event["type"] == "disposal.done" and event["original"] == one]
            if self.whole(one) is not None:
                assert one not in self.gone, "it came back"
                assert (states[one] == "disposed", done) == (False, []), "told as disposed of, and its bytes are there"
                continue
            tombstone = self.home.vault.tombstone(self.digests[one])
            assert tombstone is not None, "gone without a tombstone"
            assert len(done) == (states[one] == "disposed"), "told not once"
            self.require_story(one, tombstone, events, done)
            if one not in self.gone:
                self.require_agreed(one, tombstone["disposal"])
                self.gone.add(one)
                type(self).disposals += 1

    def whole(self, one: str) -> Path | None:
        """Where the original's bytes are: whole at their place, or aside whole while a disposal has begun."""
        sha256 = self.digests[one]
        if self.home.vault.has(sha256):
            assert self.home.vault.faults(sha256) == []
            return self.original_of(one)
        aside = self.home.settings.home / "disposing" / sha256 / "object" / "v1" / "content" / "original"
        if not aside.is_file():
            return None
        assert hashlib.sha256(aside.read_bytes()).hexdigest() == sha256
        assert [found for found in self.retention.disposals() if (found.original, found.state) == (one, "begun")]
        return aside

    def original_of(self, one: str) -> Path:
        with self.home.vault.opened(self.digests[one]) as path:
            return path

    def events(self) -> list[dict[str, Any]]:
        self.home.audit.make_durable(self.home.catalog.last_event())
        return [json.loads(line) for line in self.home.audit.lines()]

    def require_story(
        self, one: str, tombstone: dict[str, Any], events: list[dict[str, Any]], done: list[dict[str, Any]]
    ) -> None:
        """Tombstone, certificate and log tell one story: two persons, the approval, the beginning, in this order."""
        key = tombstone["disposal"]
        told = [
            (event["type"], event["facts"]["disposal"])
            for event in events
            if event["type"].startswith("disposal.") and event["facts"]["disposal"]["id"] == key
        ]
        assert [type for type, _ in told] == [
            "disposal.proposed", "disposal.approved", "disposal.begun", *(["disposal.done"] if done else []),
        ]  # fmt: skip
        row = told[2][1]
        first, second = tombstone["approvals"]
        assert (tombstone["sha256"], tombstone["original"]) == (self.digests[one], one)
        assert (first["by"], first["role"]) == (row["proposed_by"], row["proposed_role"])
        assert (second["by"], second["role"]) == (row["approved_by"], row["approved_role"])
        begun = next(event for event in events if event["seq"] == tombstone["log"]["seq"])
        assert (begun["type"], begun["original"]) == ("disposal.begun", one)
        assert int(tombstone["checkpoint"].splitlines()[1]) >= begun["seq"]
        if done:
            certificate = done[0]["facts"]["disposal"]["certificate"]
            assert {name: tombstone[name] for name in certificate} == certificate

    def require_agreed(self, one: str, key: str) -> None:
        """By what was played, this disposal might be done now."""
        agreed = self.agreed[key]
        assert agreed.original == one
        assert not agreed.cancelled, "done after it was cancelled"
        assert agreed.second is not None, "deleted with fewer than two persons"
        require_two(agreed.first, agreed.second)
        assert self.true_s - max(agreed.second_s, self.confirmed_s) >= COOLING_S * SLACK, "deleted before it cooled"
        assert self.true_s >= FLOOR_S * SLACK, "deleted before its floor"
        assert not agreed.came, "deleted, though the same bytes came since"
        self.require_free(one)


def require_two(first: Person, second: Person) -> None:
    assert plain(first) != plain(second), "two deeds by one person"
    assert first.role != second.role, "two deeds in one role"


def plain(person: Person) -> str:
    return "".join(person.name.split())


def pick(from_: dict[str, Any], nth: int) -> str | None:
    """The same number of draws whatever is there: how threads fall must not change what is drawn next."""
    keys = sorted(from_)
    return keys[nth % len(keys)] if keys else None


class Copies:
    """Homes copied from one, on SQLite, or on databases copied from one."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder, self.url, self.count = folder, url, 0
        self.settings = self.settings_of(folder / "made" / "home", url)
        make_home(self.settings)
        home = build_home(self.settings)
        ids = take(home, folder / "card", "a.jpg", "b.jpg")
        link(home, max(ids))
        home.close()

    def settings_of(self, home: Path, url: str) -> Settings:
        return load(home, {**QUICK, **({"CASEREEL_CATALOG_URL": url} if url else {})})

    def copy(self) -> Settings:
        self.count += 1
        home = self.folder / f"{self.count}" / "home"
        shutil.copytree(self.settings.home, home)
        if not self.url:
            return self.settings_of(home, "")
        name = self.url.rpartition("/")[2]
        self.order(f"CREATE DATABASE {name}_{self.count} TEMPLATE {name}")
        return self.settings_of(home, f"{self.url}_{self.count}")

    def drop(self, settings: Settings) -> None:
        shutil.rmtree(settings.home.parent)
        if self.url:
            self.order(f"DROP DATABASE {self.url.rpartition('/')[2]}_{self.count} WITH (FORCE)")

    def order(self, statement: str) -> None:
        url = self.url.replace("postgresql://", "postgresql+psycopg://").rpartition("/")[0] + "/postgres"
        engine = create_engine(url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(statement))
        engine.dispose()


@pytest.fixture
def folder() -> Iterator[Path]:
    place = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=place if place.is_dir() else None) as name:
        yield Path(name)


def test_nothing_goes_that_must_stay_whatever_happens_in_whatever_order(
    folder: Path, catalog_url: str, monkeypatch: pytest.MonkeyPatch, record_property: Callable[[str, object], None]
) -> None:
    # No power is cut here, so nothing needs to reach a disk.
    monkeypatch.setattr(os, "fsync", lambda _: None)
    monkeypatch.setattr(disk, "sync_folder", lambda _: None)
    # Every order has a database of its own, which PostgreSQL takes a second for.
    orders = (200 if catalog_url else 10_000) if FULL else (10 if catalog_url else 40)

    class Played(Disposing):
        made = Copies(folder, catalog_url)

    run_state_machine_as_test(
        Played,
        settings=settings(
            max_examples=orders, stateful_step_count=STEPS, deadline=None, database=None, derandomize=not FULL,
            suppress_health_check=list(HealthCheck), phases=[Phase.generate, *([Phase.shrink] if FULL else [])],
        ),
    )  # fmt: skip
    print(f"\n{Played.orders} orders, {Played.disposals} originals went")
    record_property("orders", Played.orders)
    record_property("disposals", Played.disposals)
    assert Played.orders >= orders
    assert Played.disposals >= orders // 4, "the orders seldom came to a disposal, so they show little"
