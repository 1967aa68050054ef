"""A home on a second disk, restored from there and rehearsed: G27. Everything rebuilt from vault and log: G13."""

from __future__ import annotations

import itertools
import json
import os
import random
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import ocfl
import pytest

from config.settings import BackupSettings, Settings
from pipeline.codes import read, slate_text
from pipeline.custody.accession import Candidate
from pipeline.custody.inspection import inspect
from pipeline.edges.database.dump import dump
from pipeline.edges.log.cards import Cards
from pipeline.errors import BadInput, CustodyBroken, TryAgain
from tests.flows.running import ROOT
from tests.pipeline.custody.test_fixity import check_all, digest, disposed, flip, object_of, take
from workers.backup import back_up, last_of
from workers.bootstrap import Home, build_accession, build_home, build_jobs, make_home
from workers.keeping import build_fixity, mend_from_target
from workers.rebuild import rebuild_catalog
from workers.restore import rehearse, restore


def files_below(folder: Path) -> dict[str, bytes]:
    return {
        one.relative_to(folder).as_posix(): one.read_bytes()
        for one in sorted(folder.rglob("*")) if one.is_file() and not one.name.startswith(".")
    }  # fmt: skip


def without_later(dump: dict[str, Any], count: int) -> dict[str, Any]:
    """The dump as it was when the log had so many entries; later ones tell of the rebuilding itself."""
    return {**dump, "events": [one for one in dump["events"] if one["seq"] <= count]}


def much_happened(home: Home, folder: Path) -> list[str]:
    """Originals with later facts, a disposal, fixity checks, an incident that is open and one that was repaired."""
    originals = take(home, folder, 5)
    for number in (0, 1):
        home.vault.add_version(digest(home, originals[number]), {"hold.json": b"{}\n"}, message="m", actor="a")
    disposed(home, originals[2])
    good = folder / "3.bin"
    for number in (3, 4):
        flip(object_of(home, originals[number]) / "v1/content/original", random.Random(number))
    fixity, jobs = check_all(home), build_jobs(home)
    fixity.repair(originals[3], [good], jobs)
    jobs.close()
    return originals


def test_everything_that_happened_comes_back_from_vault_and_log_alone(
    home: Home, tmp_path: Path, make_settings: Callable[..., Settings], request: pytest.FixtureRequest
) -> None:
    originals = much_happened(home, tmp_path / "card")
    before, settings = dump(home.catalog), home.settings
    assert [len(before[name]) for name in ("originals", "fixity", "incidents")] == [5, 5, 2]
    facts = home.vault.later_facts(digest(home, originals[0]))
    if home.catalog.engine.dialect.name == "postgresql":
        settings = make_settings(catalog_url=request.getfixturevalue("fresh_database")())
    home.close()
    assert rebuild_catalog(settings)["missing"] == 0
    rebuilt = build_home(settings)
    assert without_later(dump(rebuilt.catalog), len(before["events"])) == before
    assert rebuilt.catalog.states_of([originals[4]]) == {originals[4]: "failed_custody"}
    assert [one["original"] for one in build_fixity(rebuilt).incidents()] == [originals[4]]
    assert rebuilt.vault.later_facts(digest(rebuilt, originals[0])) == facts
    rebuilt.close()


def test_a_restored_home_is_the_one_that_was_backed_up(
    home: Home, tmp_path: Path, make_settings: Callable[..., Settings], request: pytest.FixtureRequest
) -> None:
    originals = take(home, tmp_path / "card", 4)
    home.vault.add_version(digest(home, originals[0]), {"hold.json": b"{}\n"}, message="m", actor="a")
    (home.settings.home / "casereel.toml").write_text("[time]\n", encoding="utf-8")
    done = back_up(home, tmp_path / "disk")
    assert (done.objects, done.copied_objects, done.failed) == (4, 4, {})
    assert done.signed_by is not None
    before, vault = dump(home.catalog), files_below(home.vault.root)
    url = {"catalog_url": request.getfixturevalue("fresh_database")()} if home.settings.catalog.url else {}
    home.close()
    settings = make_settings("again", **url)
    told = restore(tmp_path / "disk", settings)
    assert (told["catalog"], told["originals"], told["failed"], told["signature"]) == ("restored", 4, {}, "good")
    restored = build_home(settings)
    count = json.loads((tmp_path / "disk" / "manifest.json").read_bytes())["log"]["entries"]
    assert without_later(dump(restored.catalog), count) == without_later(before, count)
    assert files_below(restored.vault.root) == vault
    assert restored.audit.check(grace_s=0.0).faults == ()
    assert (settings.home / "casereel.toml").exists()
    assert not (tmp_path / "disk" / "keys").exists()
    restored.close()


def test_the_copy_is_a_storage_root_that_outsiders_find_valid_and_the_manifest_one_that_openssl_does(
    sqlite_home: Home, tmp_path: Path
) -> None:
    take(sqlite_home, tmp_path / "card", 3)
    done = back_up(sqlite_home, tmp_path / "disk")
    judge = ocfl.StorageRoot(root=str(tmp_path / "disk" / "vault"))
    assert judge.validate(validate_objects=True, check_digests=True)
    assert (judge.num_objects, judge.good_objects) == (3, 3)
    said = subprocess.run(
        ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", f"log/keys/{done.signed_by}", "-rawin",
         "-in", "manifest.json", "-sigfile", "manifest.json.sig"],
        cwd=tmp_path / "disk", capture_output=True, text=True,
    )  # fmt: skip
    assert "Verified Successfully" in said.stdout


def test_a_second_backup_copies_only_what_is_new(sqlite_home: Home, tmp_path: Path) -> None:
    originals = take(sqlite_home, tmp_path / "card", 3)
    back_up(sqlite_home, tmp_path / "disk")
    before = files_below(tmp_path / "disk" / "vault")
    assert back_up(sqlite_home, tmp_path / "disk").copied_objects == 0
    sqlite_home.vault.add_version(digest(sqlite_home, originals[0]), {"a.json": b"{}\n"}, message="m", actor="a")
    take(sqlite_home, tmp_path / "card", 4)
    done = back_up(sqlite_home, tmp_path / "disk")
    assert (done.objects, done.copied_objects) == (4, 2)
    after = files_below(tmp_path / "disk" / "vault")
    assert {name for name in before if after[name] != before[name] and "/v1/" in name} == set()
    assert rehearse(tmp_path / "disk", sqlite_home.settings)["holds"]
    assert (last_of(sqlite_home) or {})["objects"] == 4


def test_a_rehearsal_holds_and_changes_nothing(sqlite_home: Home, tmp_path: Path) -> None:
    originals = take(sqlite_home, tmp_path / "card", 3)
    sqlite_home.vault.add_version(digest(sqlite_home, originals[0]), {"a.json": b"{}\n"}, message="m", actor="a")
    check_all(sqlite_home)
    back_up(sqlite_home, tmp_path / "disk")
    before = files_below(tmp_path / "disk")
    report = rehearse(tmp_path / "disk", sqlite_home.settings)
    assert report["holds"], report
    assert (report["objects"], report["catalog"], report["signature"]) == (3, "equal", "good")
    assert files_below(tmp_path / "disk") == before


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (lambda disk: flip(next(disk.rglob("original")), random.Random(1)), "broken"),
        (lambda disk: shutil.rmtree(next(disk.rglob("urn*"))), "missing"),
        (lambda disk: (disk / "vault" / "x").write_bytes(b"x"), "strays"),
        (lambda disk: flip(disk / "log" / "events-000001.jsonl", random.Random(3)), "log"),
        (lambda disk: flip(disk / "manifest.json.sig", random.Random(1)), "signature"),
        (lambda disk: flip(disk / "catalog" / "catalog.sqlite3", random.Random(1)), "catalog"),
        (lambda disk: cut(disk / "log" / "events-000001.jsonl"), "checkpoint"),
    ],
    ids=["flipped", "removed", "extra", "log", "signature", "database", "shorter log"],
)
def test_a_rehearsal_names_what_does_not_hold(
    sqlite_home: Home, tmp_path: Path, change: Callable[[Path], object], where: str
) -> None:
    take(sqlite_home, tmp_path / "card", 2)
    back_up(sqlite_home, tmp_path / "disk")
    change(tmp_path / "disk")
    report = rehearse(tmp_path / "disk", sqlite_home.settings)
    assert not report["holds"]
    assert report[where] not in ("", [], "good", "equal")


def cut(log: Path) -> None:
    """The last line is gone."""
    log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[:-1]))


def test_what_was_disposed_of_after_the_backup_does_not_come_back(
    sqlite_home: Home, tmp_path: Path, make_settings: Callable[..., Settings]
) -> None:
    """The bytes still lie in the copy; the log, which is newer, tells of the disposal."""
    originals = take(sqlite_home, tmp_path / "card", 2)
    back_up(sqlite_home, tmp_path / "disk")
    sha256 = digest(sqlite_home, originals[0])
    disposed(sqlite_home, originals[0])
    back_up(sqlite_home, tmp_path / "disk")
    assert rehearse(tmp_path / "disk", sqlite_home.settings)["holds"]
    settings = make_settings("again")
    assert restore(tmp_path / "disk", settings)["disposed_again"] == [sha256]
    restored = build_home(settings)
    assert (restored.vault.tombstone(sha256) or {})["reason"] == "period over"
    assert check_all(restored).incidents() == []
    restored.close()


def test_a_database_that_does_not_fit_is_made_anew(
    sqlite_home: Home, tmp_path: Path, make_settings: Callable[..., Settings]
) -> None:
    take(sqlite_home, tmp_path / "card", 2)
    back_up(sqlite_home, tmp_path / "disk")
    flip(tmp_path / "disk" / "catalog" / "catalog.sqlite3", random.Random(5))
    told = restore(tmp_path / "disk", make_settings("again"))
    assert told["catalog"].startswith("rebuilt: ")
    assert told["originals"] == 2


def test_a_damaged_original_does_not_spoil_its_good_copy_and_is_named(sqlite_home: Home, tmp_path: Path) -> None:
    home = sqlite_home
    [original] = take(home, tmp_path / "card")
    back_up(home, tmp_path / "disk")
    copy = files_below(tmp_path / "disk" / "vault")
    flip(object_of(home, original) / "v1/content/original", random.Random(1))
    back_up(home, tmp_path / "disk")
    assert files_below(tmp_path / "disk" / "vault") == copy
    back = back_up(home, tmp_path / "other")
    assert list(back.failed) == [digest(home, original)]


def test_keys_are_in_the_copy_only_where_asked_for(
    sqlite_home: Home, tmp_path: Path, make_settings: Callable[..., Settings]
) -> None:
    take(sqlite_home, tmp_path / "card")
    card, secret = Cards(sqlite_home.settings).new()
    back_up(sqlite_home, tmp_path / "disk", with_keys=True)
    held = sorted((tmp_path / "disk" / "keys").iterdir())
    assert [one.suffix for one in held] == [".secret", ".pem"]
    assert [one.stat().st_mode & 0o077 for one in held] == [0, 0]
    settings = make_settings("again")
    restore(tmp_path / "disk", settings)
    restored = build_home(settings)
    assert restored.checkpoints.sign_head() is not None
    shown = read(slate_text("AJ2021-0042", card, secret))
    assert shown is not None
    assert Cards(settings).is_ours(shown)
    restored.close()


def test_a_backup_is_refused_where_it_would_harm(
    sqlite_home: Home, tmp_path: Path, make_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    take(sqlite_home, tmp_path / "card")
    with pytest.raises(BadInput, match="another disk"):
        back_up(sqlite_home, sqlite_home.settings.home / "backup")
    back_up(sqlite_home, tmp_path / "disk")
    with pytest.raises(BadInput, match="There is a home"):
        restore(tmp_path / "disk", sqlite_home.settings)
    other = make_settings("other")
    make_home(other)
    stranger = build_home(other)
    with pytest.raises(BadInput, match="another home"):
        back_up(stranger, tmp_path / "disk")
    stranger.close()
    flip(tmp_path / "disk" / "log" / "events-000001.jsonl", random.Random(9))
    with pytest.raises((CustodyBroken, BadInput)):
        back_up(sqlite_home, tmp_path / "disk")
    full = shutil.disk_usage(tmp_path)._replace(free=1)
    monkeypatch.setattr("workers.backup.shutil.disk_usage", lambda _: full)
    with pytest.raises(TryAgain, match="make room"):
        back_up(sqlite_home, tmp_path / "new")


def test_a_backup_while_files_come_in_tells_of_nothing_it_lacks(
    sqlite_home: Home, tmp_path: Path, make_settings: Callable[..., Settings]
) -> None:
    home, stop = sqlite_home, threading.Event()

    def keep_taking() -> None:
        for number in itertools.count():
            if stop.is_set():
                return
            take_one(home, tmp_path / f"card{number}")

    take(home, tmp_path / "card", 3)
    thread = threading.Thread(target=keep_taking)
    thread.start()
    try:
        for _ in range(2):
            back_up(home, tmp_path / "disk")
    finally:
        stop.set()
        thread.join()
    report = rehearse(tmp_path / "disk", home.settings)
    assert report["holds"], report
    settings = make_settings("again")
    assert restore(tmp_path / "disk", settings)["failed"] == {}
    restored = build_home(settings)
    known = restored.catalog.digests()
    seen = inspect(restored.vault, restored.catalog, build_fixity(restored), known, everything=True)
    assert seen.holds
    restored.close()


def take_one(home: Home, folder: Path) -> None:
    """One original with bytes of its own."""
    folder.mkdir()
    (folder / "x.bin").write_bytes(os.urandom(400))
    jobs = build_jobs(home)
    build_accession(home, jobs).take([Candidate(path=folder / "x.bin", root=folder, source="inbox")])
    jobs.close()


@pytest.mark.parametrize("step", ["backup.object:2", "backup.copied:2", "backup.version", "backup.log",
                                  "backup.catalog", "backup.signed"])  # fmt: skip
def test_a_backup_that_was_cut_off_goes_on(sqlite_home: Home, tmp_path: Path, step: str) -> None:
    home = sqlite_home
    originals = take(home, tmp_path / "card", 3)
    if step == "backup.version":
        back_up(home, tmp_path / "disk")
        home.vault.add_version(digest(home, originals[0]), {"a.json": b"{}\n"}, message="m", actor="a")
    command = [sys.executable, "-m", "workers", "--home", str(home.settings.home), "backup", "--to", tmp_path / "disk"]
    environ = {**os.environ, "CASEREEL_FAILPOINT": step}
    assert subprocess.run(command, cwd=ROOT, env=environ, capture_output=True).returncode == -9
    done = back_up(home, tmp_path / "disk")
    assert (done.objects, done.failed) == (3, {})
    report = rehearse(tmp_path / "disk", home.settings)
    assert report["holds"], report


def test_the_commands_back_up_rehearse_and_restore(
    sqlite_home: Home, tmp_path: Path, casereel: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    take(sqlite_home, tmp_path / "card", 2)
    home, disk = str(sqlite_home.settings.home), str(tmp_path / "disk")
    assert json.loads(casereel("--home", home, "--json", "backup", "--to", disk).stdout)["objects"] == 2
    said = casereel("--home", home, "--json", "restore", "--verify", "--from", disk)
    assert (said.returncode, json.loads(said.stdout)["holds"]) == (0, True)
    said = casereel("restore", "--from", disk, "--to", tmp_path / "again", "--json")
    assert (said.returncode, json.loads(said.stdout)["originals"]) == (0, 2)
    assert casereel("--home", str(tmp_path / "again"), "verify").returncode == 0
    flip(next((tmp_path / "disk" / "vault").rglob("original")), random.Random(1))
    assert casereel("--home", home, "restore", "--verify", "--from", disk).returncode == 4


def test_a_second_copy_mends_the_first_by_itself(sqlite_home: Home, tmp_path: Path) -> None:
    home = replace(sqlite_home, settings=replace(sqlite_home.settings, backup=BackupSettings(str(tmp_path / "disk"))))
    [original] = take(home, tmp_path / "card")
    back_up(home, tmp_path / "disk")
    flip(object_of(home, original) / "v1/content/original", random.Random(1))
    fixity = check_all(home)
    assert mend_from_target(home, fixity, [original]) == [original]
    assert home.vault.faults(digest(home, original)) == []
