"""Who is tested on the forgetful file system: a home is made there and files are taken in, and it is told which.

    python -m tests.faults.subject HOME SOURCES [--unsynced]

The kernel does not forward syncfs(2) to this file system, so each successful call is sent after it as an attribute.
--unsynced: the program's own syncs do nothing. The tests must see what that costs.
"""

from __future__ import annotations

import contextlib
import os
import random
import sys
from pathlib import Path

from config.settings import load
from pipeline.custody.accession import Candidate
from pipeline.edges import disk
from tests.conftest import QUICK
from workers.bootstrap import build_accession, build_home, build_jobs, make_home


def forward_syncfs() -> None:
    """The file system learns of every syncfs(2) that succeeded."""
    sync = disk.sync_file_system

    def forwarded(folder: Path) -> bool:
        done = sync(folder)
        if done:
            with contextlib.suppress(NotADirectoryError):
                os.setxattr(folder, "user.syncfs", b"")
        return done

    disk.sync_file_system = forwarded


def sync_nothing() -> None:
    """Every sync of ours says done and does nothing; SQLite's own go on."""
    os.fsync = os.fdatasync = lambda _: None  # type: ignore[assignment]
    disk.sync_file_system = lambda _: True


def groups(sources: Path) -> list[list[Path]]:
    """The files in the order and company in which they are taken: alone and several at a time."""
    chance, rest, found = random.Random(3), sorted(sources.iterdir()), []
    while rest:
        count = chance.choice([1, 1, 2, 6])
        found.append(rest[:count])
        rest = rest[count:]
    return found


def main(home: Path, sources: Path, *, unsynced: bool) -> None:
    """Everything is in custody, and each file was told of."""
    sync_nothing() if unsynced else forward_syncfs()
    settings = load(home, QUICK)
    make_home(settings)
    built = build_home(settings)
    jobs = build_jobs(built)
    taking = build_accession(built, jobs)
    for group in groups(sources):
        for receipt in taking.take([Candidate(path=one, root=sources, source="inbox") for one in group]):
            assert receipt.sha256, receipt
            os.setxattr(home, "user.told", receipt.sha256.encode())
    jobs.close()
    built.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), unsynced="--unsynced" in sys.argv)
