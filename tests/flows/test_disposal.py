"""How originals are kept, and how they go: by two persons, after the cooling, unless somebody holds them."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from config.settings import SHIPPED, Settings, load
from pipeline.custody.accession import Candidate, Receipt
from pipeline.custody.disposal import Retention, text_of
from pipeline.custody.refusals import told_of
from pipeline.custody.retention_rules import read
from pipeline.edges.database import knowledge, tables
from pipeline.edges.database.dump import dump
from pipeline.errors import BadInput, NotAllowed, TryAgain
from pipeline.records import Facts, Fingerprint, Property
from tests.conftest import QUICK
from tests.flows.keeping import AUDITOR, CASE, OPERATOR, REVIEWER, YEAR, SetClock, approved, kept, link, over, take
from tests.homes import make_home
from tests.samples import making
from workers.bootstrap import Home, build_accession, build_home, build_jobs
from workers.patrol import round_of

COOLED = timedelta(hours=72)


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh home on SQLite, to be copied: making one takes longer than most tests here."""
    settings = load(tmp_path_factory.mktemp("made") / "home", QUICK)
    make_home(settings)
    return settings.home


@pytest.fixture
def sqlite_home(made: Path, make_settings: Callable[..., Settings]) -> Iterator[Home]:
    settings = make_settings()
    shutil.copytree(made, settings.home)
    built = build_home(settings)
    yield built
    built.close()


@pytest.fixture
def home(catalog_url: str, request: pytest.FixtureRequest) -> Home:
    if not catalog_url:
        return request.getfixturevalue("sqlite_home")  # type: ignore[no-any-return]
    return request.getfixturevalue("postgresql_home")  # type: ignore[no-any-return]


@pytest.fixture
def postgresql_home(make_settings: Callable[..., Settings], catalog_url: str) -> Iterator[Home]:
    settings = make_settings(catalog_url=catalog_url)
    make_home(settings)
    built = build_home(settings)
    yield built
    built.close()


def sha256_of(home: Home, original: str) -> str:
    return home.catalog.known_of(original).original.sha256


def is_here(home: Home, original: str) -> bool:
    sha256 = sha256_of(home, original)
    return home.vault.has(sha256) and home.vault.faults(sha256) == []


def events(home: Home, *types: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in home.catalog.events_of_type(types)]


def test_what_two_persons_agreed_on_goes_after_the_cooling_and_leaves_a_tombstone(
    home: Home, tmp_path: Path, clock: SetClock
) -> None:
    retention = kept(home, clock)
    gone, stays = take(home, tmp_path / "card", "a.jpg", "b.jpg")
    facts = Facts(
        properties=(Property(name="x", found="secret", value="secret"),),
        fingerprints=(Fingerprint(method="photo", version=1, data=b"marks"),),
    )
    with home.catalog.transaction() as connection:
        knowledge.record(connection, gone, "light-probe", facts, home.catalog.last_event())
    sha256 = sha256_of(home, gone)
    made = tmp_path / "view.webp"
    made.write_bytes(b"picture")
    home.vault.keep_derivative(sha256, "view", made)
    [disposal] = approved(retention, clock, gone)

    clock.pass_(COOLED - timedelta(seconds=1))
    assert [one.ended for one in retention.run("patrol")] == ["waits"]
    assert is_here(home, gone)
    clock.pass_(timedelta(seconds=1))
    assert [one.ended for one in retention.run("patrol")] == ["done"]

    tombstone = home.vault.tombstone(sha256)
    assert tombstone is not None
    assert (tombstone["sha256"], tombstone["reason"], tombstone["disposal"]) == (sha256, "期满", disposal)
    assert [(one["by"], one["role"]) for one in tombstone["approvals"]] == [
        ("赵管理", "operator"),
        ("李法制", "reviewer"),
    ]
    assert not home.vault.has(sha256)
    assert home.vault.derivative_files(sha256) == []
    known = home.catalog.known_of(gone)
    assert (known.original.state, known.properties, known.fingerprints) == ("disposed", {}, ())
    assert home.catalog.changed_seq(gone) == events(home, "disposal.done")[0]["seq"]
    assert is_here(home, stays)
    assert retention.run("patrol") == []


def test_the_certificate_names_all_that_must_stand_in_it_and_a_signed_head_that_covers_it(
    sqlite_home: Home, tmp_path: Path, clock: SetClock
) -> None:
    retention = kept(sqlite_home, clock)
    [original] = take(sqlite_home, tmp_path / "card", "a.jpg")
    before = sqlite_home.catalog.known_of(original).original
    [disposal] = approved(retention, clock, original)
    clock.pass_(COOLED)
    retention.run("patrol")
    [done] = retention.disposals(all_=True)
    assert done.certificate is not None
    page = text_of(done.certificate)
    for said in (
        disposal,
        before.sha256,
        f"{before.size_bytes} B",
        "期满",
        "赵管理 (operator)",
        "李法制 (reviewer)",
        "floor",
    ):
        assert said in page
    [begun] = events(sqlite_home, "disposal.begun")
    assert done.certificate["log"]["seq"] == begun["seq"]
    note = done.certificate["checkpoint"]
    assert int(note.splitlines()[1]) >= int(str(begun["seq"]))
    assert sqlite_home.vault.tombstone(before.sha256)["checkpoint"] == note  # type: ignore[index]


def test_nothing_is_found_of_it_any_more_and_its_case_still_knows_of_it(
    sqlite_home: Home, tmp_path: Path, clock: SetClock
) -> None:
    from workers.bootstrap import build_follower

    retention = kept(sqlite_home, clock)
    [original] = take(sqlite_home, tmp_path / "card", "拆除现场.jpg")
    follower = build_follower(sqlite_home)
    follower.follow()
    assert follower.stats().documents == 1
    approved(retention, clock, original)
    clock.pass_(COOLED)
    retention.run("patrol")
    follower.follow()
    assert follower.stats().documents == 0
    assert follower.rebuild() == 0
    assert sqlite_home.catalog.find_original("拆除现场.jpg") == original


@pytest.mark.parametrize(
    ("second", "said"),
    [(OPERATOR, "two persons"), (type(OPERATOR)(name="钱管理", role="operator"), "two roles")],
    ids=["the proposer", "the same role"],
)
def test_one_person_or_one_role_is_not_enough(
    sqlite_home: Home, tmp_path: Path, clock: SetClock, second: object, said: str
) -> None:
    retention = kept(sqlite_home, clock)
    [original] = take(sqlite_home, tmp_path / "card", "a.jpg")
    over(retention, clock, original)
    [disposal] = retention.propose([original], OPERATOR, "期满")
    with pytest.raises(NotAllowed, match=said):
        retention.approve(disposal.id, second)  # type: ignore[arg-type]
    clock.pass_(COOLED)
    assert retention.run("patrol") == []
    assert is_here(sqlite_home, original)


def test_an_approval_comes_within_a_week_or_not_at_all(sqlite_home: Home, tmp_path: Path, clock: SetClock) -> None:
    retention = kept(sqlite_home, clock)
    [original] = take(sqlite_home, tmp_path / "card", "a.jpg")
    over(retention, clock, original)
    [disposal] = retention.propose([original], OPERATOR, "期满")
    clock.pass_(timedelta(days=7, seconds=1))
    with pytest.raises(NotAllowed, match="7 days"):
        retention.approve(disposal.id, REVIEWER)
    retention.cancel(disposal.id, OPERATOR, "过期")
    [again] = retention.propose([original], OPERATOR, "期满")
    assert retention.approve(again.id, REVIEWER).state == "approved"


def test_what_must_be_kept_is_not_even_proposed(sqlite_home: Home, tmp_path: Path, clock: SetClock) -> None:
    retention = kept(sqlite_home, clock)
    undecided, young, old = take(sqlite_home, tmp_path / "card", "a.jpg", "b.jpg", "c.jpg")
    over(retention, clock, old)
    retention.decide(REVIEWER, "permanent", "重大", original=young)
    with pytest.raises(NotAllowed, match="no retention class"):
        retention.propose([undecided], OPERATOR, "期满")
    with pytest.raises(NotAllowed, match="for ever"):
        retention.propose([old, young], OPERATOR, "期满")
    assert retention.disposals() == []
    retention.propose([old], OPERATOR, "期满")
    with pytest.raises(BadInput, match="under way"):
        retention.propose([old], OPERATOR, "期满")


def test_reopening_a_case_keeps_what_it_holds(sqlite_home: Home, tmp_path: Path, clock: SetClock) -> None:
    retention = kept(sqlite_home, clock)
    [original] = take(sqlite_home, tmp_path / "card", "a.jpg")
    link(sqlite_home, original)
    today = clock.wall_at.date()
    retention.decide(REVIEWER, "decision", "结案", case=CASE, from_on=today)
    clock.pass_(6 * YEAR)
    assert retention.standings([original])[0].may_go
    retention.reopen(REVIEWER, "再审", case="平商务罚〔2021〕3号")
    assert not retention.standings([original])[0].may_go
    retention.decide(REVIEWER, "decision", "结案", case=CASE, from_on=clock.wall_at.date())
    clock.pass_(4 * YEAR)
    assert not retention.standings([original])[0].may_go


def test_a_case_that_comes_after_the_approval_stops_the_disposal(
    sqlite_home: Home, tmp_path: Path, clock: SetClock
) -> None:
    retention = kept(sqlite_home, clock)
    [original] = take(sqlite_home, tmp_path / "card", "a.jpg")
    approved(retention, clock, original)
    link(sqlite_home, original)
    clock.pass_(COOLED)
    [outcome] = retention.run("patrol")
    assert (outcome.ended, is_here(sqlite_home, original)) == ("stopped", True)
    assert "open" in str(outcome.disposal.ended_why)


def test_changed_rules_stop_what_was_approved_under_the_old(sqlite_home: Home, tmp_path: Path, clock: SetClock) -> None:
    retention = kept(sqlite_home, clock)
    [original] = take(sqlite_home, tmp_path / "card", "a.jpg")
    approved(retention, clock, original)
    text = (SHIPPED / "retention.toml").read_text(encoding="utf-8")
    (sqlite_home.settings.home / "retention.toml").write_text(text.replace('2026-11-22"', '2027"'), encoding="utf-8")
    clock.pass_(COOLED)
    [outcome] = kept(sqlite_home, clock).run("patrol")
    assert (outcome.ended, is_here(sqlite_home, original)) == ("stopped", True)


def test_a_dry_run_lists_what_other_rules_would_let_go(sqlite_home: Home, tmp_path: Path, clock: SetClock) -> None:
    retention = kept(sqlite_home, clock)
    longer, _ = take(sqlite_home, tmp_path / "card", "a.jpg", "b.jpg")
    link(sqlite_home, longer)
    retention.decide(REVIEWER, "immovable", "强拆", case=CASE, from_on=clock.wall_at.date())
    clock.pass_(6 * YEAR)
    text = (SHIPPED / "retention.toml").read_text(encoding="utf-8")
    file = tmp_path / "retention.toml"
    file.write_text(
        text.replace("months = 240", "months = 60").replace('basis = "immovable"', 'basis = "decision"'),
        encoding="utf-8",
    )
    [(now, then)] = retention.let_go_by(read(file))
    assert (now.original, now.may_go, then.may_go) == (longer, False, True)
    assert retention.let_go_by(retention.rules) == []


# -- holds


def test_a_hold_keeps_an_original_until_two_released_it(sqlite_home: Home, tmp_path: Path, clock: SetClock) -> None:
    home = sqlite_home
    retention = kept(home, clock)
    [original] = take(home, tmp_path / "card", "a.jpg")
    over(retention, clock, original)
    hold, too_late = retention.place_hold(AUDITOR, "信访", original=original, kind="petition")
    assert too_late == []
    with pytest.raises(NotAllowed, match="petition"):
        retention.propose([original], OPERATOR, "期满")
    assert retention.release_hold(hold.id, AUDITOR, "办结").released_at is None
    with pytest.raises(NotAllowed, match="two persons"):
        retention.release_hold(hold.id, AUDITOR, "办结")
    assert not retention.standings([original])[0].may_go
    assert retention.release_hold(hold.id, REVIEWER, "办结").released_at is not None
    assert retention.standings([original])[0].may_go


def test_an_old_asking_for_release_must_be_made_again(sqlite_home: Home, tmp_path: Path, clock: SetClock) -> None:
    retention = kept(sqlite_home, clock)
    [original] = take(sqlite_home, tmp_path / "card", "a.jpg")
    hold, _ = retention.place_hold(AUDITOR, "信访", original=original)
    retention.release_hold(hold.id, AUDITOR, "办结")
    clock.pass_(timedelta(days=8))
    again = retention.release_hold(hold.id, REVIEWER, "办结")
    assert (again.released_at, again.release_asked_by) == (None, REVIEWER.name)


def test_a_hold_on_a_case_keeps_what_is_linked_to_it_later(sqlite_home: Home, tmp_path: Path, clock: SetClock) -> None:
    home = sqlite_home
    retention = kept(home, clock)
    retention.place_hold(AUDITOR, "应诉", case=CASE, kind="litigation")
    [original] = take(home, tmp_path / "card", "a.jpg")
    retention.decide(REVIEWER, "decision", "结案", case=CASE, from_on=date(2021, 12, 1))
    over(retention, clock, original)
    clock.pass_(6 * YEAR)
    assert retention.standings([original])[0].may_go
    link(home, original)
    assert [one for _, one in retention.standings([original])[0].why] == ["litigation by 王审计: 应诉"]


@pytest.mark.parametrize("place", ["purge.prepared", "purge.moved", "disposal.begun"])
def test_a_hold_at_any_moment_before_the_unlink_wins(
    home: Home, tmp_path: Path, clock: SetClock, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    retention = kept(home, clock)
    [original] = take(home, tmp_path / "card", "a.jpg")
    [disposal] = approved(retention, clock, original)
    clock.pass_(COOLED)
    placed: list[list[str]] = []

    def hold_here(name: str) -> None:
        if name == place and not placed:
            placed.append([])
            other = build_home(home.settings)
            placed[0] = kept(other, clock).place_hold(AUDITOR, "立案", original=original)[1]
            other.close()

    monkeypatch.setattr("pipeline.edges.failpoint.at", hold_here)
    # The vault is busy with the object here; a hold never waits for the vault, and never says "too late" wrongly.
    monkeypatch.setattr("pipeline.custody.disposal.Retention._is_back", lambda *_: True)
    [outcome] = retention.run("patrol")
    assert placed == [[]]
    assert (outcome.disposal.id, outcome.ended) == (disposal, "stopped")
    assert "hold by 王审计" in str(outcome.disposal.ended_why)
    assert is_here(home, original)
    assert home.catalog.known_of(original).original.state != "disposed"


@pytest.mark.parametrize("far", ["at its beginning", "after its look at the clock"])
def test_a_hold_that_comes_while_the_bytes_go_waits_and_is_told_so(
    far: str, home: Home, tmp_path: Path, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    retention = kept(home, clock)
    [original] = take(home, tmp_path / "card", "a.jpg")
    approved(retention, clock, original)
    clock.pass_(COOLED)
    said: list[object] = []
    unlinking = threading.Event()

    def hold_meanwhile() -> None:
        other = build_home(home.settings)
        holding = kept(other, clock)
        if far == "after its look at the clock":
            seen = holding.look_at_clock()
            holding._watch.look = lambda: seen  # type: ignore[method-assign]
        unlinking.wait(60)
        try:
            said.append(holding.place_hold(AUDITOR, "立案", original=original))
        except BadInput as error:
            said.append(error.sentence)
        other.close()

    thread = threading.Thread(target=hold_meanwhile)
    thread.start()

    def go_slowly(name: str) -> None:
        if name == "disposal.last_look":
            unlinking.set()
            thread.join(1.0)
            assert said == []

    monkeypatch.setattr("pipeline.edges.failpoint.at", go_slowly)
    [outcome] = retention.run("patrol")
    thread.join(10)
    assert outcome.ended == "done"
    assert "not in custody any more" in str(said[0])


# -- the clock


@pytest.mark.parametrize("by", [10 * YEAR, -10 * YEAR, timedelta(hours=1), timedelta(hours=-1)])
def test_a_set_clock_releases_nothing(sqlite_home: Home, tmp_path: Path, clock: SetClock, by: timedelta) -> None:
    home = sqlite_home
    retention = kept(home, clock)
    [original] = take(home, tmp_path / "card", "a.jpg")
    [disposal] = approved(retention, clock, original)
    clock.set(by)
    for _ in range(3):
        clock.pass_(timedelta(hours=1))
        with pytest.raises(TryAgain, match="clock"):
            retention.run("patrol")
    assert is_here(home, original)
    [jump] = events(home, "clock.jump")
    assert jump["facts"]["moved_s"] == pytest.approx(by.total_seconds(), abs=0.1)  # type: ignore[index]
    with pytest.raises(TryAgain):
        retention.propose([original], OPERATOR, "期满")
    # A hold is always possible.
    hold, _ = retention.place_hold(AUDITOR, "应诉", original=original)
    retention.release_hold(hold.id, AUDITOR, "误")
    with pytest.raises(TryAgain):
        retention.release_hold(hold.id, REVIEWER, "误")
    # Set right, it is believed after the cooling time.
    clock.set(-by)
    for _ in range(74):
        clock.pass_(timedelta(hours=1))
        retention.look_at_clock()
    if retention.release_hold(hold.id, REVIEWER, "误").released_at is None:
        # What was asked for by a clock ten years back is too old, and must be asked for again.
        retention.release_hold(hold.id, AUDITOR, "误")
    assert [one.ended for one in retention.run("patrol")] == ["done"]
    assert len(events(home, "clock.plausible")) == 1
    assert retention.disposals(all_=True)[0].id == disposal


def test_a_person_confirms_a_clock_and_the_log_says_who(sqlite_home: Home, tmp_path: Path, clock: SetClock) -> None:
    retention = kept(sqlite_home, clock)
    [original] = take(sqlite_home, tmp_path / "card", "a.jpg")
    approved(retention, clock, original)
    clock.set(timedelta(hours=1))
    assert retention.look_at_clock().doubt
    assert not retention.confirm_clock(AUDITOR, "已核对").doubt
    assert [one.ended for one in retention.run("patrol")] == ["waits"]
    [event] = events(sqlite_home, "clock.confirmed")
    assert (event["actor"], event["facts"]["role"]) == ("王审计", "auditor")  # type: ignore[index]


def test_a_lost_row_of_the_clock_forgets_no_jump(sqlite_home: Home, clock: SetClock) -> None:
    retention = kept(sqlite_home, clock)
    retention.look_at_clock()
    clock.set(10 * YEAR)
    assert retention.look_at_clock().doubt
    with sqlite_home.catalog.transaction() as connection:
        connection.execute(sa.delete(tables.clock))
    found = kept(sqlite_home, clock).look_at_clock()
    assert found.doubt
    assert found.earliest < clock.wall_at - 9 * YEAR


# -- death, and what stays afterwards


class Died(BaseException):
    """The process ended here."""


PLACES = ("disposal.begun", "purge.prepared", "purge.moved", "disposal.last_look", "purge.placed", "purge.unlinked",
          "disposal.unlinked", "disposal.recorded", "disposal.done")  # fmt: skip
BYTES_ARE_GONE = PLACES[PLACES.index("purge.unlinked") :]


def die_at(place: str) -> Callable[[str], None]:
    def at(name: str) -> None:
        if name == place:
            raise Died

    return at


def run_dies(retention: Retention, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run ends at this place."""
    with monkeypatch.context() as patched:
        patched.setattr("pipeline.edges.failpoint.at", die_at(place))
        # A killed process puts nothing back.
        patched.setattr("pipeline.edges.vault.Vault._put_back", lambda *_: False)
        with pytest.raises(Died):
            retention.run("patrol")


@pytest.mark.parametrize("held", [False, True], ids=["free", "held"])
@pytest.mark.parametrize("place", PLACES)
def test_a_disposal_that_died_anywhere_is_ended_by_the_next_run(
    sqlite_home: Home, tmp_path: Path, clock: SetClock, place: str, held: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = sqlite_home
    retention = kept(home, clock)
    [original] = take(home, tmp_path / "card", "a.jpg")
    approved(retention, clock, original)
    clock.pass_(COOLED)
    run_dies(retention, place, monkeypatch)
    too_late = place in BYTES_ARE_GONE
    if held:
        if home.catalog.known_of(original).original.state == "disposed":
            with pytest.raises(BadInput, match="not in custody"):
                kept(home, clock).place_hold(AUDITOR, "立案", original=original)
        else:
            _, missed = kept(home, clock).place_hold(AUDITOR, "立案", original=original)
            assert missed == ([original] if too_late else [])
    kept(home, clock).run("patrol")
    sha256 = sha256_of(home, original)
    [disposal] = retention.disposals(all_=True)
    if held and not too_late:
        assert (disposal.state, is_here(home, original)) == ("stopped", True)
    else:
        assert disposal.state == "done"
        assert home.vault.tombstone(sha256) is not None
        assert home.catalog.known_of(original).original.state == "disposed"
    assert home.vault.unfinished_purges() == []
    assert home.audit.check(grace_s=0.0).faults == ()


def test_a_rebuilt_catalog_knows_every_hold_decision_and_disposal(
    home: Home, tmp_path: Path, clock: SetClock, by_log_alone: Callable[[Home], Home]
) -> None:
    retention = kept(home, clock)
    gone, held, linked = take(home, tmp_path / "card", "a.jpg", "b.jpg", "c.jpg")
    link(home, linked)
    approved(retention, clock, gone)
    retention.decide(REVIEWER, "decision", "结案", case=CASE, from_on=date(2021, 12, 1))
    retention.reopen(REVIEWER, "再审", case=CASE)
    retention.place_hold(AUDITOR, "应诉", case=CASE)
    hold, _ = retention.place_hold(AUDITOR, "信访", original=held)
    retention.release_hold(hold.id, AUDITOR, "办结")
    retention.release_hold(hold.id, REVIEWER, "办结")
    clock.pass_(COOLED)
    assert [one.ended for one in retention.run("patrol")] == ["done"]
    before = dump(home.catalog)
    assert [len(before[name]) for name in ("holds", "retained", "disposals")] == [2, 2, 1]
    rebuilt = by_log_alone(home)
    after = dump(rebuilt.catalog)
    for name in ("originals", "arrivals", "holds", "retained", "disposals"):
        assert after[name] == before[name]
    assert rebuilt.catalog.known_of(gone).original.state == "disposed"
    [standing] = kept(rebuilt, clock).standings([gone])
    assert not standing.may_go
    rebuilt.close()


def drop(home: Home, path: Path, *more: Path) -> list[Receipt]:
    """A clerk hands these in, together."""
    jobs = build_jobs(home)
    try:
        candidates = [Candidate(path=one, root=one.parent, source="card again") for one in (path, *more)]
        return build_accession(home, jobs).take(candidates)
    finally:
        jobs.close()


def test_bytes_that_were_disposed_of_are_not_taken_in_again_and_not_lost(
    home: Home, tmp_path: Path, clock: SetClock
) -> None:
    retention = kept(home, clock)
    [original] = take(home, tmp_path / "card", "a.jpg")
    [disposal] = approved(retention, clock, original)
    clock.pass_(COOLED)
    retention.run("patrol")
    path, neighbour = tmp_path / "card" / "a.jpg", making.photo(tmp_path / "card" / "new.jpg", 7, size=(32, 24))
    again, taken = drop(home, path, neighbour)
    assert (again.status, again.original, again.again, again.sha256) == (
        "rejected", None, False, sha256_of(home, original),
    )  # fmt: skip
    assert "disposed of" in str(again.reason)
    assert "已按保管期限处置" in told_of(str(again.reason)).why_zh
    assert taken.status == "accepted"
    assert path.exists()
    [told] = events(home, "arrival.rejected")
    assert (told["original"], told["facts"]["kind"]) == (original, "disposed")  # type: ignore[index]
    tombstone = home.vault.tombstone(sha256_of(home, original))
    assert tombstone is not None
    assert tombstone["disposal"] == disposal
    assert len(home.catalog.known_of(original).arrivals) == 1


def test_the_same_bytes_after_the_proposal_stop_the_disposal(
    sqlite_home: Home, tmp_path: Path, clock: SetClock
) -> None:
    retention = kept(sqlite_home, clock)
    approved_one, proposed_one = take(sqlite_home, tmp_path / "card", "a.jpg", "b.jpg")
    approved(retention, clock, approved_one)
    over(retention, clock, proposed_one)
    [proposal] = retention.propose([proposed_one], OPERATOR, "期满")
    for name in ("a.jpg", "b.jpg"):
        copy = tmp_path / "另案" / name
        copy.parent.mkdir(exist_ok=True)
        shutil.copy(tmp_path / "card" / name, copy)
        assert [one.status for one in drop(sqlite_home, copy)] == ["duplicate"]
    with pytest.raises(NotAllowed, match="came again") as refused:
        retention.approve(proposal.id, REVIEWER)
    assert "提出后又收到" in refused.value.zh
    clock.pass_(COOLED)
    [outcome] = retention.run("patrol")
    assert (outcome.ended, is_here(sqlite_home, approved_one)) == ("stopped", True)
    retention.cancel(proposal.id, REVIEWER, "核查")
    [again] = retention.propose([proposed_one], OPERATOR, "已核查，期满")
    assert retention.approve(again.id, REVIEWER).state == "approved"


@pytest.mark.parametrize("place", PLACES)
def test_the_same_bytes_after_a_death_in_a_disposal_get_a_clear_answer(
    sqlite_home: Home, tmp_path: Path, clock: SetClock, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, retention = sqlite_home, kept(sqlite_home, clock)
    [original] = take(home, tmp_path / "card", "a.jpg")
    approved(retention, clock, original)
    clock.pass_(COOLED)
    run_dies(retention, place, monkeypatch)
    copy = tmp_path / "again" / "a.jpg"
    copy.parent.mkdir()
    shutil.copy(tmp_path / "card" / "a.jpg", copy)
    has_tombstone = PLACES.index(place) >= PLACES.index("purge.placed")
    is_told = home.catalog.known_of(original).original.state == "disposed"
    [receipt] = drop(home, copy)
    # The tombstone lies there and nobody was told of it yet: the file is tried again by itself.
    assert (receipt.status, receipt.again) == (
        "rejected" if has_tombstone else "duplicate", has_tombstone and not is_told,
    )  # fmt: skip
    kept(home, clock).run("patrol")
    [disposal] = retention.disposals(all_=True)
    assert (disposal.state, is_here(home, original)) == (("done", False) if has_tombstone else ("stopped", True))
    assert (home.vault.tombstone(sha256_of(home, original)) is not None) is has_tombstone
    if has_tombstone:
        assert [(one.status, one.again) for one in drop(home, copy)] == [("rejected", False)]
    assert list(home.vault.strays()) == []


def test_the_same_bytes_in_the_middle_of_a_purge_go_with_the_others_and_are_refused(
    home: Home, tmp_path: Path, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their object is placed while the place is empty, and told of only when the original is gone."""
    retention = kept(home, clock)
    [original] = take(home, tmp_path / "card", "a.jpg")
    approved(retention, clock, original)
    clock.pass_(COOLED)
    other, receipts = build_home(home.settings), []
    placed, looked = threading.Event(), threading.Event()
    thread = threading.Thread(target=lambda: receipts.extend(drop(other, tmp_path / "card" / "a.jpg")))

    def at(name: str) -> None:
        if threading.current_thread() is thread:
            if name == "record.before":
                placed.set()
                assert looked.wait(60)
        elif name == "purge.moved":
            thread.start()
            assert placed.wait(60)
            assert home.vault.has(sha256_of(home, original))
        elif name == "disposal.last_look":
            looked.set()

    monkeypatch.setattr("pipeline.edges.failpoint.at", at)
    assert [one.ended for one in retention.run("patrol")] == ["done"]
    thread.join(60)
    other.close()
    assert [(one.status, one.again) for one in receipts] == [("rejected", False)]
    assert "disposed of" in str(receipts[0].reason)
    assert home.vault.tombstone(sha256_of(home, original)) is not None
    assert not home.vault.has(sha256_of(home, original))
    assert len(home.catalog.known_of(original).arrivals) == 1


def test_a_confirmed_clock_lets_a_disposal_cool_anew(sqlite_home: Home, tmp_path: Path, clock: SetClock) -> None:
    retention = kept(sqlite_home, clock)
    [original] = take(sqlite_home, tmp_path / "card", "a.jpg")
    approved(retention, clock, original)
    clock.set(timedelta(days=4))
    retention.confirm_clock(AUDITOR, "已核对")
    assert [one.ended for one in retention.run("patrol")] == ["waits"]
    clock.pass_(COOLED)
    assert [one.ended for one in retention.run("patrol")] == ["done"]


def test_what_keeps_an_original_is_written_beside_its_bytes(sqlite_home: Home, tmp_path: Path, clock: SetClock) -> None:
    retention = kept(sqlite_home, clock)
    held, linked, other = take(sqlite_home, tmp_path / "card", "a.jpg", "b.jpg", "c.jpg")
    link(sqlite_home, linked)
    retention.place_hold(AUDITOR, "信访", original=held)
    retention.place_hold(AUDITOR, "应诉", case=CASE)
    assert retention.note_in_vault("王审计") == 2
    assert retention.note_in_vault("王审计") == 0
    for original, reason in ((held, "信访"), (linked, "应诉")):
        [later] = sqlite_home.vault.later_facts(sha256_of(sqlite_home, original))
        assert [one["reason"] for one in later["facts"]["holds"]] == [reason]
    assert sqlite_home.vault.later_facts(sha256_of(sqlite_home, other)) == []


def test_the_patrol_does_what_is_due_and_a_doubtful_clock_stops_nothing_else(
    sqlite_home: Home, tmp_path: Path, clock: SetClock
) -> None:
    retention = kept(sqlite_home, clock)
    first, second = take(sqlite_home, tmp_path / "card", "a.jpg", "b.jpg")
    approved(retention, clock, first)
    clock.pass_(COOLED)
    assert round_of(sqlite_home, kept=retention)["originals_disposed"] == 1
    approved(retention, clock, second)
    clock.pass_(COOLED)
    clock.set(YEAR)
    assert round_of(sqlite_home, kept=retention)["originals_disposed"] == 0
    assert is_here(sqlite_home, second)
