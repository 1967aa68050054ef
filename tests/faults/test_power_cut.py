"""The power fails at any instant: what was acknowledged is there, whole, once the machine runs again.

Files are taken in once on a file system that keeps a journal; then the power is cut at many of its instants. What a
cut leaves is judged three ways in turn: nothing that was not synced, any part of it, all of it. Names count as
unsynced until their folder was synced, which goes beyond what losing only data would show.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from config.settings import Settings, load
from pipeline.custody.accession import Candidate
from pipeline.edges import failpoint
from pipeline.errors import TryAgain
from tests.conftest import QUICK
from tests.faults import subject
from tests.faults import surviving as power
from tests.faults.conftest import FULL, ROOT, Mounted
from tests.faults.surviving import Choice, Journal
from tests.flows.running import digests_below
from workers.bootstrap import Home, build_accession, build_home, build_jobs, make_home
from workers.patrol import round_of

CUTS = 200 if FULL else 10
ROW_CUTS = 200 if FULL else 10


@dataclass
class Seen:
    """What was found after cuts: things that must not be, a sentence each."""

    cuts: int = 0
    told: int = 0
    lost: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    unlogged: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)

    @property
    def faults(self) -> list[str]:
        """All of them."""
        return self.lost + self.broken + self.unlogged + self.doubled


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small files, two of them the same, and one that is followed while it is copied."""
    folder, chance = tmp_path_factory.mktemp("sources"), random.Random(1)
    for number in range(17):
        (folder / f"{number:02}.bin").write_bytes(chance.randbytes(chance.choice([0, 700, 20_000, 150_000]) + number))
    shutil.copy(folder / "03.bin", folder / "11 again.bin")
    (folder / "05 large.bin").write_bytes(chance.randbytes(9 << 20))
    return folder


@pytest.fixture(scope="module")
def journal(mount: Callable[[], Mounted], sources: Path, environ: dict[str, str]) -> Journal:
    """One whole taking in."""
    return recorded(mount(), sources, environ)


def recorded(mounted: Mounted, sources: Path, environ: dict[str, str], *options: str) -> Journal:
    take(mounted, sources, environ, *options)
    return mounted.end()


def take(mounted: Mounted, sources: Path, environ: dict[str, str], *options: str, ends: int = 0) -> None:
    command = [sys.executable, "-m", "tests.faults.subject", mounted.path / "home", sources, *options]
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=120)
    assert done.returncode == ends, done.stderr


def test_nothing_acknowledged_is_lost_in_a_power_cut(
    journal: Journal, sources: Path, memory_folder: Path, record_property: Callable[[str, object], None]
) -> None:
    seen = cut_at_random(journal, sources, memory_folder, CUTS)
    counted = {"tries": seen.cuts, "acknowledged": seen.told, "lost": len(seen.lost), "doubled": len(seen.doubled)}
    for name, value in {"fault": "power cut", **counted}.items():
        record_property(name, value)
    print(f"\n{seen.cuts} cuts, {seen.told} acknowledged files looked for, {len(seen.faults)} faults")
    assert not seen.faults, "\n".join(seen.faults)
    assert seen.told > 0


@pytest.mark.parametrize(
    "forgotten", [["sync"], ["sync folder"], ["sync all"], ["sync folder", "sync all"]], ids="+".join
)
def test_a_program_that_left_out_a_sync_would_be_seen(
    journal: Journal, sources: Path, memory_folder: Path, forgotten: list[str]
) -> None:
    """The same taking in without one kind of sync: the look after the cut finds losses, so it can see."""
    unsynced = power.without(journal, forgotten)
    seen = Seen()
    try:
        look(unsynced, len(unsynced), power.nothing, sources, memory_folder / "home", seen, again=False)
    except Exception as error:  # a home that does not even open is a loss too
        seen.lost.append(repr(error))
    assert seen.faults != []


def test_a_run_whose_syncs_do_nothing_loses_files(
    mount: Callable[[], Mounted], sources: Path, environ: dict[str, str], memory_folder: Path
) -> None:
    unsynced = recorded(mount(), sources, environ, "--unsynced")
    seen = Seen()
    look(unsynced, len(unsynced), power.nothing, sources, memory_folder / "home", seen, again=False)
    assert len(seen.lost) > 10


def cut_at_random(journal: Journal, sources: Path, folder: Path, count: int, *, first: int = 0) -> Seen:
    """Cuts the power at so many instants after the first."""
    seen, chance = Seen(), random.Random(20261122)
    choices: list[Callable[[], Choice]] = [
        lambda: power.nothing, lambda: power.some(chance), lambda: power.nothing, lambda: power.everything,
    ]  # fmt: skip
    for number in range(count):
        cut = chance.randrange(first, len(journal) + 1)
        home = folder / f"{number}"
        look(journal, cut, choices[number % len(choices)](), sources, home, seen)
        shutil.rmtree(home)
    return seen


def look(
    journal: Journal, cut: int, choose: Choice, sources: Path, folder: Path, seen: Seen, *, again: bool = True
) -> None:
    """Cuts the power, starts again, looks for what was acknowledged. again: and takes everything once more."""
    power.write_out(power.surviving(journal, cut, choose), folder)
    where = f"cut at {cut} of {len(journal)}, {getattr(choose, '__name__', 'some')}: "
    promised = {one.decode() for one in power.told(journal, cut)}
    settings = load(folder / "home", QUICK)
    make_home(settings)
    home = build_home(settings)
    try:
        seen.cuts += 1
        seen.told += len(promised)
        known, lines = home.catalog.digests(), "\n".join(home.audit.lines())
        seen.lost += [f"{where}{one} is not in the catalog" for one in promised - set(known)]
        seen.unlogged += [f"{where}{one} is not in the log" for one in promised if one not in lines]
        for one in promised | set(home.vault.digests()):
            seen.broken += [where + fault for fault in home.vault.faults(one)]
        if again:
            take_again(home, sources, where, seen)
    finally:
        home.close()


def take_again(home: Home, sources: Path, where: str, seen: Seen) -> None:
    """Everything once more, as after a restart: each file is there once, and the log is whole."""
    round_of(home, grace_s=0.0)
    jobs = build_jobs(home)
    files = sorted(sources.iterdir())
    receipts = build_accession(home, jobs).take([Candidate(path=one, root=sources, source="inbox") for one in files])
    jobs.close()
    seen.lost += [f"{where}{one.path}: {one.reason}" for one in receipts if one.original is None]
    arrived = Counter(one.name for one in home.catalog.arrivals())
    seen.doubled += [f"{where}{name} arrived {count} times" for name, count in arrived.items() if count != 1]
    expected = set(digests_below(sources))
    seen.lost += [f"{where}{one} is not in the vault" for one in expected - set(home.vault.digests())]
    seen.broken += [where + fault for fault in home.audit.check(grace_s=0.0).faults]


# -- a kill first, then the power


def test_what_a_killed_intake_left_unsynced_is_synced_before_it_counts(
    mount: Callable[[], Mounted], tmp_path: Path, memory_folder: Path, record_property: Callable[[str, object], None]
) -> None:
    """The process is ended at a step, another takes the same files and acknowledges them, then the power fails.

    What the first one wrote and did not sync is still in the system's memory, so the second finds it in its place.
    """
    mounted = mount()
    settings = load(mounted.path / "home", QUICK)
    assert forked(lambda: make_home(settings)) == 0
    for count in (1, 5):
        for step in steps_of_taking(settings, made(tmp_path / f"{count} steps", count), tmp_path / "steps.txt"):
            sources = made(tmp_path / f"{count} {step}", count)
            assert forked(lambda s=sources, p=step: take_all(settings, s, dies_at=p)) == -signal.SIGKILL  # type: ignore[misc]
            assert forked(lambda s=sources: take_all(settings, s)) == 0  # type: ignore[misc]
            os.setxattr(mounted.path, "user.mark", sources.name.encode())
    journal, seen = mounted.end(), Seen()
    for place, said in power.marks(journal):
        before = len(seen.faults)
        look(journal, place, power.nothing, tmp_path, memory_folder / "home", seen, again=False)
        shutil.rmtree(memory_folder / "home")
        assert len(seen.faults) == before, (said, seen.faults)
    print(f"\n{seen.cuts} kills, each followed by a power cut")
    record_property("fault", "kill -9 at a step, then power cut")
    record_property("tries", seen.cuts)
    assert seen.cuts > 20


def test_an_object_that_the_patrol_enters_late_is_synced_before_it_counts(
    mount: Callable[[], Mounted], tmp_path: Path, memory_folder: Path
) -> None:
    mounted = mount()
    settings = load(mounted.path / "home", QUICK)
    assert forked(lambda: make_home(settings)) == 0
    sources = made(tmp_path / "one", 1)
    assert forked(lambda: take_all(settings, sources, dies_at="object.renamed")) == -signal.SIGKILL

    def enter_late() -> None:
        home = build_home(settings)
        assert round_of(home, grace_s=0.0)["originals_recovered"] == 1
        [sha256] = home.catalog.digests()
        os.setxattr(mounted.path, "user.told", sha256.encode())
        home.close()

    assert forked(enter_late) == 0
    journal, seen = mounted.end(), Seen()
    look(journal, len(journal), power.nothing, sources, memory_folder / "home", seen, again=False)
    assert seen.faults == []


def made(folder: Path, count: int) -> Path:
    """A folder of so many files that are like no others."""
    folder.mkdir()
    for number in range(count):
        (folder / f"{number}.bin").write_bytes(f"{folder.name} {number}\n".encode() * 1000)
    return folder


def steps_of_taking(settings: Settings, sources: Path, noted: Path) -> list[str]:
    """The named steps that taking these files in comes to, in order."""
    noted.unlink(missing_ok=True)

    def note(name: str) -> None:
        with noted.open("a") as stream:
            stream.write(f"{name}\n")

    def take() -> None:
        failpoint.at = note
        take_all(settings, sources)

    assert forked(take) == 0
    return list(dict.fromkeys(noted.read_text().split()))


def forked(work: Callable[[], object]) -> int:
    """How a child of this process ended that did the work: 0, or the negative number of a signal."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def take_all(settings: Settings, sources: Path, *, dies_at: str = "") -> None:
    """Takes the files in and tells of them, unless it dies at the named step."""
    if dies_at:
        os.environ["CASEREEL_FAILPOINT"] = dies_at
    subject.forward_syncfs()
    home = build_home(settings)
    subject.take(home, sorted(sources.iterdir()))
    home.close()


def test_a_line_whose_sync_failed_is_written_again(
    mount: Callable[[], Mounted], tmp_path: Path, memory_folder: Path
) -> None:
    """After a failed sync the kernel takes the bytes for clean: syncing them once more says done, and does nothing."""
    mounted = mount()
    settings = load(mounted.path / "home", QUICK)
    assert forked(lambda: make_home(settings)) == 0
    sources = made(tmp_path / "one", 1)

    def take_twice() -> None:
        mounted.refuse([["fsync"], "home/log/events-*", "EIO"])
        with pytest.raises(TryAgain):
            take_all(settings, sources)
        mounted.refuse()
        take_all(settings, sources)

    assert forked(take_twice) == 0
    journal, seen = mounted.end(), Seen()
    look(journal, len(journal), power.nothing, sources, memory_folder / "home", seen, again=False)
    assert seen.faults == []
    assert seen.told == 1


# -- rows of the catalog


@pytest.fixture(scope="module")
def rows(mount: Callable[[], Mounted]) -> Journal:
    """Rows written through the catalog's own engine, each told of after its commit."""
    return written_rows(mount(), "")


def written_rows(mounted: Mounted, pragma: str) -> Journal:
    assert forked(lambda: subject.write_rows(mounted.path / "a.sqlite3", pragma)) == 0
    return mounted.end()


def test_no_acknowledged_row_is_lost_in_a_power_cut(
    rows: Journal, memory_folder: Path, record_property: Callable[[str, object], None]
) -> None:
    chance = random.Random(4)
    lost = 0
    for number in range(ROW_CUTS):
        cut = chance.randrange(power.marks(rows)[0][0], len(rows) + 1)
        lost += lost_rows(rows, cut, [power.nothing, power.some(chance)][number % 2], memory_folder / f"{number}")
    for name, value in {"fault": "power cut, rows of the catalog", "tries": ROW_CUTS, "lost": lost}.items():
        record_property(name, value)
    assert lost == 0


def test_rows_written_with_less_care_are_lost(mount: Callable[[], Mounted], memory_folder: Path) -> None:
    """The same rows with synchronous=NORMAL: the look after the cut sees the loss that FULL prevents."""
    rows = written_rows(mount(), "PRAGMA synchronous=NORMAL")
    last = max(place for place, change in enumerate(rows) if change[0] == "told")
    assert lost_rows(rows, last + 1, power.nothing, memory_folder / "a") > 0


def lost_rows(rows: Journal, cut: int, choose: Choice, folder: Path) -> int:
    """How many acknowledged rows are not there. The database holds together in any case."""
    power.write_out(power.surviving(rows, cut, choose), folder)
    promised = {int(one) for one in power.told(rows, cut)}
    with contextlib.closing(sqlite3.connect(folder / "a.sqlite3")) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        found = {number for (number,) in database.execute("SELECT id FROM t")}
    shutil.rmtree(folder)
    return len(promised - found)
