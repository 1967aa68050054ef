"""Writers that seem to have finished and have not: no incomplete file is taken for a complete one.

Eight kinds, as cameras, copiers and shares write; each says how much of the quiet time its longest pause took in
which nothing but time could tell that it goes on. CASEREEL_TEST_COUNTS=full plays 10,000 of them. Where the system
cannot say that nobody writes (the eighth kind), a pause longer than `settle.quiet_no_lease_s` cannot be told from
the end; that limit is documented, and the pauses here stay below it.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import random
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from config.settings import Settings
from pipeline.edges.host import disk
from tests.flows.running import wait_until
from tests.homes import make_home
from workers.bootstrap import Home, build_accession, build_home, build_jobs
from workers.watch import Watcher

FULL = os.environ.get("CASEREEL_TEST_COUNTS") == "full"
EACH = 1250 if FULL else 25
SIDE_BY_SIDE = 160 if FULL else 100
QUIET_S = 0.3
NO_LEASE_S = 1.5
PIECES = 4


def write_slowly(path: Path, data: bytes, chance: random.Random) -> float:
    with path.open("wb", buffering=0) as stream:
        for piece in pieces(data):
            stream.write(piece)
            time.sleep(chance.uniform(0.1, 0.3))
    return 0.0


def reserve_first(path: Path, data: bytes, chance: random.Random) -> float:
    """Full size at once, as copiers on Windows and cameras do."""
    with path.open("wb", buffering=0) as stream:
        os.posix_fallocate(stream.fileno(), 0, len(data))
        for piece in pieces(data):
            time.sleep(chance.uniform(0.2, 0.6))
            stream.write(piece)
    return 0.0


def store_into_memory(path: Path, data: bytes, chance: random.Random) -> float:
    """A second store into a dirty page changes neither size nor time; no descriptor is open."""
    with path.open("w+b") as stream:
        stream.truncate(len(data))
        memory = mmap.mmap(stream.fileno(), len(data))
    step = len(data) // PIECES + 1
    for first in range(0, len(data), step):
        memory[first : first + step] = data[first : first + step]
        time.sleep(chance.uniform(0.3, 0.7))
    memory.close()
    return 0.0


def pause_with_the_file_open(path: Path, data: bytes, chance: random.Random) -> float:
    with path.open("wb", buffering=0) as stream:
        stream.write(data[: len(data) // 2])
        time.sleep(QUIET_S * chance.uniform(3, 6))
        stream.write(data[len(data) // 2 :])
    return 0.0


def close_and_open_again(path: Path, data: bytes, chance: random.Random) -> float:
    longest, closed_at = 0.0, time.monotonic()
    for piece in pieces(data):
        with path.open("ab") as stream:
            longest = max(longest, time.monotonic() - closed_at)
            stream.write(piece)
            stream.flush()
            time.sleep(chance.uniform(0.1, 0.2))
            closed_at = time.monotonic()
        time.sleep(chance.uniform(0.0, QUIET_S / 6))
    return longest / QUIET_S


def restore_the_date(path: Path, data: bytes, chance: random.Random) -> float:
    with path.open("wb", buffering=0) as stream:
        for piece in pieces(data):
            stream.write(piece)
            os.utime(path, ns=(10**18, 10**18))
            time.sleep(chance.uniform(0.3, 0.7))
    return 0.0


def rename_at_the_end(path: Path, data: bytes, chance: random.Random) -> float:
    part = path.with_name(path.name + ".part")
    for piece in pieces(data):
        with part.open("ab") as stream:
            stream.write(piece)
        time.sleep(QUIET_S * chance.uniform(0.5, 2.5))
    part.rename(path)
    return 0.0


def pause_on_a_share(path: Path, data: bytes, chance: random.Random) -> float:
    longest, written_at = 0.0, time.monotonic()
    with path.open("wb", buffering=0) as stream:
        for piece in pieces(data):
            longest = max(longest, time.monotonic() - written_at)
            written_at = time.monotonic()
            stream.write(piece)
            time.sleep(NO_LEASE_S * chance.uniform(0.1, 0.4))
    return longest / NO_LEASE_S


Kind = Callable[[Path, bytes, random.Random], float]
LOCAL: tuple[Kind, ...] = (
    write_slowly, reserve_first, store_into_memory, pause_with_the_file_open, close_and_open_again, restore_the_date,
    rename_at_the_end,
)  # fmt: skip


def pieces(data: bytes) -> list[bytes]:
    step = len(data) // PIECES + 1
    return [data[first : first + step] for first in range(0, len(data), step)]


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's word on writers is Linux's")
def test_no_unfinished_file_is_taken_on_a_local_disk(make_settings: Callable[..., Settings]) -> None:
    settings = make_settings(settle_quiet_s=f"{QUIET_S}", settle_quiet_no_lease_s="30")
    play(settings, LOCAL, EACH)


def test_nor_where_nobody_can_say_who_writes_while_pauses_are_shorter_than_the_quiet_time(
    make_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk, "somebody_writes", lambda _: None)
    settings = make_settings(settle_quiet_s=f"{QUIET_S}", settle_quiet_no_lease_s=f"{NO_LEASE_S}")
    play(settings, (pause_on_a_share,), EACH)


def play(settings: Settings, kinds: tuple[Kind, ...], each: int) -> None:
    make_home(settings)
    home = build_home(settings)
    expected: dict[str, str] = {}
    too_long: set[str] = set()

    def write(number: int) -> None:
        kind, chance = kinds[number % len(kinds)], random.Random(number)
        data = chance.randbytes(chance.randint(2_000, 40_000))
        path = settings.inbox / f"{kind.__name__}-{number}.dat"
        expected[path.name] = hashlib.sha256(data).hexdigest()
        if kind(path, data, chance) > 0.8:
            too_long.add(path.name)  # this machine was too busy to write as planned

    jobs = build_jobs(home)
    watcher, stop = Watcher(home, build_accession(home, jobs)), threading.Event()
    watching = threading.Thread(target=watcher.run, args=(stop,))
    watching.start()
    try:
        with ThreadPoolExecutor(SIDE_BY_SIDE) as writers:
            list(writers.map(write, range(each * len(kinds))))
        wait_until(lambda: set(expected.items()) <= taken(home), 600 if FULL else 120, "every file is taken", pause)
    finally:
        stop.set()
        watching.join(timeout=60)
        jobs.close()
    incomplete = taken(home) - set(expected.items())
    print(f"\n{len(expected)} writers, {len(incomplete)} incomplete taken as complete, {len(too_long)} paused too long")
    assert {name for name, _ in incomplete} <= too_long
    assert len(too_long) < len(expected) / 10
    home.close()


def taken(home: Home) -> set[tuple[str, str]]:
    """(name, digest) of every arrival."""
    arrivals = home.catalog.arrivals()
    by_original = {original: sha256 for sha256, original in home.catalog.digests().items()}
    return {(one.name, by_original[one.original or ""]) for one in arrivals}


def pause() -> None:
    time.sleep(1.0)
