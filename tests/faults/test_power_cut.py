"""The power fails at any instant: what was acknowledged is there, whole, once the machine runs again.

Files are taken in once on a file system that keeps a journal; then the power is cut at many of its instants. What a
cut leaves is judged three ways in turn: nothing that was not synced, any part of it, all of it. Names count as
unsynced until their folder was synced, which goes beyond what losing only data would show.
"""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from config.settings import load
from pipeline.custody.accession import Candidate
from tests.conftest import QUICK
from tests.faults import surviving as power
from tests.faults.conftest import FULL, ROOT, Mounted
from tests.faults.surviving import Choice, Journal
from tests.flows.running import digests_below
from workers.bootstrap import Home, build_accession, build_home, build_jobs, make_home
from workers.patrol import round_of

CUTS = 200 if FULL else 25
ROW_CUTS = 200 if FULL else 25


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


def test_nothing_acknowledged_is_lost_in_a_power_cut(journal: Journal, sources: Path, memory_folder: Path) -> None:
    seen = cut_at_random(journal, sources, memory_folder, CUTS)
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
        look(unsynced, len(unsynced), power.nothing, sources, memory_folder / "home", seen)
    except Exception as error:  # a home that does not even open is a loss too
        seen.lost.append(repr(error))
    assert seen.faults != []


def test_a_run_whose_syncs_do_nothing_loses_files(
    mount: Callable[[], Mounted], sources: Path, environ: dict[str, str], memory_folder: Path
) -> None:
    unsynced = recorded(mount(), sources, environ, "--unsynced")
    seen = Seen()
    look(unsynced, len(unsynced), power.nothing, sources, memory_folder / "home", seen)
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


def look(journal: Journal, cut: int, choose: Choice, sources: Path, folder: Path, seen: Seen) -> None:
    """Cuts the power, starts again, looks for what was acknowledged, then takes everything once more."""
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
