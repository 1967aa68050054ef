"""Every object is read again, what does not hold is an incident, and only a good copy repairs it."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from ulid import ULID

from config.settings import BackupSettings
from pipeline.custody.accession import Candidate
from pipeline.custody.fixity import Fixity, Pace
from pipeline.edges.audit import NewEvent
from pipeline.edges.database import disposals, tables
from pipeline.edges.database.rows import plain_of
from pipeline.edges.vault import Vault
from pipeline.errors import CustodyBroken
from pipeline.records import Disposal
from tests.samples.taking import stage
from workers.bootstrap import Home, build_accession, build_jobs
from workers.keeping import build_fixity, fixity_round

FLIPS = 1000 if os.environ.get("CASEREEL_TEST_COUNTS") == "full" else 50


def take(home: Home, folder: Path, count: int = 1) -> list[str]:
    """Originals of a few hundred bytes each."""
    folder.mkdir(exist_ok=True)
    paths = [folder / f"{number}.bin" for number in range(count)]
    for number, path in enumerate(paths):
        path.write_bytes(f"evidence {number} ".encode() * 30)
    jobs = build_jobs(home)
    receipts = build_accession(home, jobs).take([Candidate(path=one, root=folder, source="inbox") for one in paths])
    jobs.close()
    return [one.original or "" for one in receipts]


def digest(home: Home, original: str) -> str:
    return home.catalog.known_of(original).original.sha256


def object_of(home: Home, original: str) -> Path:
    with home.vault.opened(digest(home, original)) as path:
        return path.parents[2]


def disposed(home: Home, original: str, reason: str = "period over") -> None:
    """The original is a tombstone, and the log tells of the disposal as retention does."""
    certificate, now = {"reason": reason, "approvals": ["a", "b"]}, home.catalog.now()
    home.vault.purge(digest(home, original), certificate)
    done = Disposal(
        id=str(ULID()), original=original, state="done", reason=reason, code="x", until_at=now, rules="1",
        proposed_by="a", proposed_role="operator", proposed_at=now, ended_at=now, certificate=certificate,
    )  # fmt: skip
    event = NewEvent(type="disposal.done", actor="test", original=original, facts={"disposal": plain_of(done)})
    with home.catalog.transaction() as connection:
        [seq] = home.audit.record(connection, [event])
        disposals.replay(connection, {"type": event.type, "facts": event.facts, "seq": seq})
    home.audit.make_durable(seq)


def second_copy(home: Home, target: Path) -> Path:
    shutil.copytree(home.vault.root, target / "vault")
    return target / "vault"


def flip(path: Path, chance: random.Random) -> None:
    path.chmod(0o640)
    data = bytearray(path.read_bytes())
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    path.write_bytes(data)


def all_due(home: Home) -> list[object]:
    return list(build_fixity(home).due(home.catalog.now() + timedelta(days=31), 30.0))


def check_all(home: Home) -> Fixity:
    fixity = build_fixity(home)
    fixity.check(fixity.due(home.catalog.now() + timedelta(days=31), 30.0))
    return fixity


def test_what_was_just_taken_in_is_not_due_and_is_after_its_days(home: Home, tmp_path: Path) -> None:
    originals = take(home, tmp_path / "card", 3)
    fixity, now = build_fixity(home), home.catalog.now()
    assert fixity.due(now, 30.0) == []
    assert [one.original for one in fixity.due(now + timedelta(days=30, minutes=1), 30.0)] == sorted(originals)


def test_the_oldest_comes_first_and_a_check_that_was_cut_off_goes_on(home: Home, tmp_path: Path) -> None:
    originals = sorted(take(home, tmp_path / "card", 4))
    fixity, later = build_fixity(home), home.catalog.now() + timedelta(days=31)
    asked = iter([False, False, True])
    checked = fixity.check(fixity.due(later, 30.0), stopped=lambda: next(asked))
    assert checked.whole == tuple(originals[:2])
    assert [one.original for one in fixity.due(home.catalog.now() + timedelta(days=31), 30.0)][:2] == originals[2:]


def test_what_was_read_in_time_is_counted_beside_what_was_not(home: Home, tmp_path: Path) -> None:
    one, two, _, late = take(home, tmp_path / "card", 4)
    fixity, now = build_fixity(home), home.catalog.now()
    ago, its = {days: now - timedelta(days=days) for days in (1, 35, 40)}, tables.original
    with home.catalog.transaction() as connection:
        connection.execute(its.update().where(its.c.id != late).values(accepted_at=ago[40]))
        rows = ({"original": one, "checked_at": ago[1]}, {"original": two, "checked_at": ago[35]})
        connection.execute(tables.fixity.insert(), [{**row, "outcome": "whole"} for row in rows])
    said = {"checked": 2, "overdue": 2, "oldest_days": 40.0, "incidents": 0}
    assert fixity.standing(now, 30.0) == said
    with home.catalog.transaction() as connection:
        connection.execute(tables.fixity.insert().values(original=late, checked_at=ago[35], outcome="whole"))
    assert fixity.standing(now, 30.0) == {**said, "checked": 1, "overdue": 3}


def test_a_batch_is_one_event_with_what_was_checked(home: Home, tmp_path: Path) -> None:
    originals = sorted(take(home, tmp_path / "card", 3))
    check_all(home)
    [line] = home.catalog.events_of_type(["fixity.batch"])
    assert json.loads(line)["facts"]["whole"] == originals
    assert home.audit.check(grace_s=0.0).faults == ()


def test_a_broken_object_is_an_incident_that_everybody_sees(home: Home, tmp_path: Path) -> None:
    [original] = take(home, tmp_path / "card")
    flip(object_of(home, original) / "v1/content/original", random.Random(1))
    fixity = check_all(home)
    [incident] = fixity.incidents()
    assert incident["original"] == original
    assert incident["faults"] == [f"v1/content/original of {digest(home, original)} does not have its digest"]
    known = home.catalog.known_of(original)
    assert known.original.state == "failed_custody"
    assert [one.code for one in known.caveats] == ["custody_broken"]
    assert len(home.catalog.events_of_type(["fixity.broken"])) == 1


def test_a_broken_object_found_again_is_the_same_incident(home: Home, tmp_path: Path) -> None:
    [original] = take(home, tmp_path / "card")
    flip(object_of(home, original) / "v1/content/original", random.Random(1))
    check_all(home)
    assert len(check_all(home).incidents()) == 1
    assert len(home.catalog.events_of_type(["fixity.broken"])) == 1


def test_a_broken_object_is_repaired_from_a_good_copy_and_kept_aside(home: Home, tmp_path: Path) -> None:
    [original] = take(home, tmp_path / "card")
    copy = second_copy(home, tmp_path / "disk")
    whole = (object_of(home, original) / "v1/content/original").read_bytes()
    flip(object_of(home, original) / "v1/content/original", random.Random(1))
    damaged = (object_of(home, original) / "v1/content/original").read_bytes()
    fixity, jobs = check_all(home), build_jobs(home)
    assert fixity.repair(original, [copy], jobs) == ["v1/content/original"]
    jobs.close()
    assert (object_of(home, original) / "v1/content/original").read_bytes() == whole
    assert home.vault.faults(digest(home, original)) == []
    assert fixity.incidents() == []
    assert home.catalog.known_of(original).original.state == "in_custody"
    assert home.catalog.known_of(original).caveats == ()
    [line] = home.catalog.events_of_type(["fixity.repaired"])
    assert json.loads(line)["facts"]["replaced"] == ["v1/content/original"]
    [aside] = (home.settings.home / "quarantine").rglob("original")
    assert aside.read_bytes() == damaged


def test_a_file_with_the_same_bytes_repairs_an_original(sqlite_home: Home, tmp_path: Path) -> None:
    home = sqlite_home
    [original] = take(home, tmp_path / "card")
    (object_of(home, original) / "v1/content/original").unlink()
    fixity, jobs = check_all(home), build_jobs(home)
    (tmp_path / "other").write_bytes(b"other bytes")
    with pytest.raises(CustodyBroken, match="No copy has a good"):
        fixity.repair(original, [tmp_path / "other"], jobs)
    assert len(fixity.incidents()) == 1
    assert fixity.repair(original, [tmp_path / "card" / "0.bin"], jobs) == ["v1/content/original"]
    jobs.close()
    assert home.vault.faults(digest(home, original)) == []


def test_a_copy_that_is_damaged_too_repairs_nothing_and_changes_nothing(sqlite_home: Home, tmp_path: Path) -> None:
    home = sqlite_home
    [original] = take(home, tmp_path / "card")
    copy = second_copy(home, tmp_path / "disk")
    place = object_of(home, original)
    for root in (home.vault.root, copy):
        flip(root / place.relative_to(home.vault.root) / "v1/content/original", random.Random(1))
    before = (place / "v1/content/original").read_bytes()
    fixity, jobs = check_all(home), build_jobs(home)
    with pytest.raises(CustodyBroken, match="No copy has a good"):
        fixity.repair(original, [copy], jobs)
    jobs.close()
    assert (place / "v1/content/original").read_bytes() == before
    assert len(fixity.incidents()) == 1


def test_an_older_copy_does_not_take_back_what_came_to_be_known_later(sqlite_home: Home, tmp_path: Path) -> None:
    home = sqlite_home
    [original] = take(home, tmp_path / "card")
    copy = second_copy(home, tmp_path / "disk")
    sha256 = digest(home, original)
    home.vault.add_version(sha256, {"hold.json": b'{"held": true}\n'}, message="m", actor="a")
    flip(object_of(home, original) / "v1/content/original", random.Random(1))
    fixity, jobs = check_all(home), build_jobs(home)
    fixity.repair(original, [copy], jobs)
    jobs.close()
    assert [one["facts"] for one in home.vault.later_facts(sha256)] == [{"held": True}]
    assert home.vault.faults(sha256) == []


def test_every_flip_is_found_and_repaired_by_itself_where_the_second_copy_is_good(
    sqlite_home: Home, tmp_path: Path
) -> None:
    """Flips anywhere in the objects, several in some. G14; CASEREEL_TEST_COUNTS=full makes 1,000."""
    target = tmp_path / "disk"
    home = replace(sqlite_home, settings=replace(sqlite_home.settings, backup=BackupSettings(target=str(target))))
    originals = take(home, tmp_path / "card", max(10, FLIPS // 2))
    second_copy(home, target)
    chance, hit = random.Random(14), set()
    for _ in range(FLIPS):
        original = chance.choice(originals)
        files = [one for one in sorted(object_of(home, original).rglob("*")) if one.is_file()]
        flip(chance.choice(files), chance)
        hit.add(original)
    damaged = {one for one in hit if home.vault.faults(digest(home, one))}
    assert len(hit) - len(damaged) <= 2  # two flips of the same bit are none
    home.catalog.now = lambda: type(home.catalog).now(home.catalog) + timedelta(days=31)  # type: ignore[method-assign]
    fixity_round(home)
    assert {json.loads(line)["original"] for line in home.catalog.events_of_type(["fixity.broken"])} == damaged
    assert {json.loads(line)["original"] for line in home.catalog.events_of_type(["fixity.repaired"])} == damaged
    assert build_fixity(home).incidents() == []
    assert [fault for one in originals for fault in home.vault.faults(digest(home, one))] == []


def test_a_tombstone_that_no_disposal_explains_is_an_incident(sqlite_home: Home, tmp_path: Path) -> None:
    home = sqlite_home
    first, second = take(home, tmp_path / "card", 2)
    home.vault.purge(digest(home, first), {"reason": "?"})
    disposed(home, second)
    assert [one["original"] for one in check_all(home).incidents()] == [first]


def test_reading_again_leaves_the_rest_of_the_time_to_others() -> None:
    waited: list[float] = []
    seconds = iter([10.0, 10.02, 10.1, 10.5, 10.5])
    pace = Pace(0.25, waited.append, ticks_s=lambda: next(seconds))
    pace(1)
    pace(1)
    assert waited == [pytest.approx(0.06), pytest.approx(1.2)]
    all_of_it = iter([10.0, 20.0])
    Pace(1.0, waited.append, ticks_s=lambda: next(all_of_it))(1)
    assert len(waited) == 2


@pytest.mark.parametrize("step", ["repair.built", "repair.moved", "repair.placed"])
def test_a_repair_that_was_cut_off_can_be_done_again(
    tmp_path: Path, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault = Vault(tmp_path / "home", reserve_share=0.0)
    vault.create()
    (tmp_path / "a").write_bytes(b"evidence")
    [staged] = vault.staging.prove([stage(vault, tmp_path / "a")])
    vault.commit([staged], {staged.sha256: {"sha256": staged.sha256}})
    vault.add_version(staged.sha256, {"hold.json": b"{}\n"}, message="m", actor="a")
    with vault.opened(staged.sha256) as path:
        flip(path, random.Random(1))

    class Died(BaseException):
        pass

    def die(name: str) -> None:
        if name == step:
            raise Died

    with monkeypatch.context() as patch:
        patch.setattr("pipeline.edges.vault.failpoint.at", die)
        with pytest.raises(Died):
            vault.mend(staged.sha256, [tmp_path / "a"])
    if vault.faults(staged.sha256):
        vault.mend(staged.sha256, [tmp_path / "a"])
    assert vault.faults(staged.sha256) == []
    assert [one["name"] for one in vault.later_facts(staged.sha256)] == ["hold.json"]


def test_the_command_shows_first_and_repairs_when_told(
    sqlite_home: Home, tmp_path: Path, casereel: Callable[..., object]
) -> None:
    [original] = take(sqlite_home, tmp_path / "card")
    second_copy(sqlite_home, tmp_path / "disk")
    flip(object_of(sqlite_home, original) / "v1/content/original", random.Random(1))
    command = ["--home", str(sqlite_home.settings.home), "--json", "repair", original, "--from", str(tmp_path / "disk")]
    verified = casereel("--home", str(sqlite_home.settings.home), "--json", "verify")
    assert verified.returncode == 4  # type: ignore[attr-defined]
    shown = json.loads(casereel(*command).stdout)  # type: ignore[attr-defined]
    assert (shown["repaired"], len(shown["faults"])) == (False, 1)
    assert json.loads(casereel(*command, "--yes").stdout)["replaced"] == ["v1/content/original"]  # type: ignore[attr-defined]
    verified = casereel("--home", str(sqlite_home.settings.home), "--json", "verify")
    assert verified.returncode == 0, verified.stdout  # type: ignore[attr-defined]
