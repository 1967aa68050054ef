"""Who is tested on the forgetful file system: a home is made there and files are taken in, and it is told which.

    python -m tests.faults.subject HOME SOURCES [--unsynced]
    python -m tests.faults.subject --watch HOME

The kernel does not forward syncfs(2) to this file system, so each successful call is sent after it as an attribute.
--unsynced: the program's own syncs do nothing. The tests must see what that costs.
"""

from __future__ import annotations

import contextlib
import os
import random
import sys
from collections.abc import Sequence
from pathlib import Path

import sqlalchemy as sa

from config.settings import load
from pipeline.custody.accession import Candidate
from pipeline.edges.database.engines import make_engine
from pipeline.edges.host import disk
from tests.conftest import QUICK
from workers.bootstrap import Home, build_accession, build_home, build_jobs, make_home


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


def take(home: Home, files: Sequence[Path]) -> None:
    """The files are in custody, and each was told of."""
    jobs = build_jobs(home)
    taking = build_accession(home, jobs)
    for receipt in taking.take([Candidate(path=one, root=one.parent, source="inbox") for one in files]):
        assert receipt.sha256, receipt
        os.setxattr(home.settings.home, "user.told", receipt.sha256.encode())
    jobs.close()


def write_rows(database: Path, pragma: str) -> None:
    """Rows of several pages, past the size at which SQLite moves its write-ahead log into the database."""
    engine = make_engine(f"sqlite:///{database}", writes=True)
    with engine.connect() as connection, connection.begin():
        if pragma:
            connection.connection.driver_connection.execute("ROLLBACK")  # type: ignore[union-attr]
            connection.connection.driver_connection.execute(pragma)  # type: ignore[union-attr]
            connection.connection.driver_connection.execute("BEGIN")  # type: ignore[union-attr]
        connection.execute(sa.text("CREATE TABLE t (id INTEGER PRIMARY KEY, b BLOB)"))
    os.setxattr(database.parent, "user.mark", b"table")
    for number in range(700):
        with engine.begin() as connection:
            connection.execute(sa.text("INSERT INTO t VALUES (:n, randomblob(7000))"), {"n": number})
        os.setxattr(database.parent, "user.told", str(number).encode())
    engine.dispose()


def main(home: Path, sources: Path, *, unsynced: bool) -> None:
    """Everything is in custody, and each file was told of."""
    sync_nothing() if unsynced else forward_syncfs()
    settings = load(home, QUICK)
    make_home(settings)
    built = build_home(settings)
    for group in groups(sources):
        take(built, group)
    built.close()


def watch(home: Path) -> None:
    """`casereel watch`, until it is told to stop."""
    from workers.cli import main

    forward_syncfs()
    main(["--home", str(home), "watch"])


if __name__ == "__main__":
    if sys.argv[1] == "--watch":
        watch(Path(sys.argv[2]))
    main(Path(sys.argv[1]), Path(sys.argv[2]), unsynced="--unsynced" in sys.argv)
