"""Folders that vanish, come back, stay silent or lose their events: nothing is missed, nothing is called deleted."""

from __future__ import annotations

import errno
import logging
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from config.settings import Settings
from pipeline.edges.host.handles import OpenFolder
from tests.flows.running import Roles, wait_until
from tests.homes import make_home
from workers.bootstrap import Home, build_accession, build_home, build_jobs
from workers.watch import Watcher
from workers.watching import hearing, looking
from workers.watching import root as watched_root

FULL = os.environ.get("CASEREEL_TEST_COUNTS") == "full"


@pytest.fixture
def home(make_settings: Callable[..., Settings], tmp_path: Path) -> Iterator[Home]:
    """A home that watches a share beside its inbox."""
    (tmp_path / "share").mkdir()
    settings = make_settings(watch_folders=str(tmp_path / "share"))
    make_home(settings)
    built = build_home(settings)
    yield built
    built.close()


@contextmanager
def watching(home: Home, **options: Any) -> Iterator[Watcher]:
    jobs = build_jobs(home)
    watcher = Watcher(home, build_accession(home, jobs), **options)
    stop = threading.Event()
    thread = threading.Thread(target=watcher.run, args=(stop,))
    thread.start()
    try:
        yield watcher
    finally:
        stop.set()
        thread.join(timeout=60)
        jobs.close()


def arrived(home: Home) -> list[str]:
    return sorted(one.name for one in home.catalog.arrivals())


def put(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).write_bytes(f"{folder.name}/{name}".encode())


def test_e8_a_share_that_is_gone_and_back_loses_no_file_and_is_never_called_deleted(home: Home, tmp_path: Path) -> None:
    share, away = tmp_path / "share", tmp_path / "away"
    put(share, "a.txt")
    with watching(home) as watcher:
        wait_until(lambda: arrived(home) == ["a.txt"], 60, "the first file")
        held = (share / "b.txt").open("wb")
        held.write(b"half")
        held.flush()
        wait_until(lambda: bool(watcher.waiting()), 60, "the second is seen")
        share.rename(away)
        wait_until(lambda: watcher.standing()[1]["mode"] == "offline", 60, "source offline")
        held.close()
        time.sleep(0.5)
        away.rename(share)
        wait_until(lambda: arrived(home) == ["a.txt", "b.txt"], 60, "the second file")
        wait_until(lambda: watcher.standing()[1]["ok"], 60, "the alarm ends by itself")
    assert home.catalog.events_of_type(["arrival.gone"]) == []


def test_e8_a_root_that_is_deleted_and_made_anew_is_heard_again(home: Home, tmp_path: Path) -> None:
    share = tmp_path / "share"
    put(share, "a.txt")
    with watching(home) as watcher:
        wait_until(lambda: arrived(home) == ["a.txt"], 60, "the first file")
        shutil.rmtree(share)
        wait_until(lambda: bool(watcher.roots[1].alarm), 60, "an alarm")
        share.mkdir()
        put(share, "b.txt")
        wait_until(lambda: arrived(home) == ["a.txt", "b.txt"], 60, "the second file")
        if sys.platform == "linux":
            wait_until(lambda: watcher.standing()[1]["mode"] == "events", 60, "events again")


def test_e9_a_share_that_is_not_mounted_at_start_up_is_offline(home: Home, tmp_path: Path) -> None:
    share = tmp_path / "share"
    put(share, "a.txt")
    with watching(home):
        wait_until(lambda: arrived(home) == ["a.txt"], 60, "the file")
    (share / "a.txt").unlink()
    with watching(home) as watcher:
        wait_until(lambda: watcher.standing()[1]["mode"] == "offline", 60, "source offline")
        assert "offline" in watcher.standing()[1]["alarm"]
        assert home.catalog.counts() == {"in_custody": 1}


@pytest.mark.skipif(sys.platform != "linux", reason="inotify is Linux's")
def test_e7_a_used_up_limit_is_polling_with_an_alarm_that_names_the_line(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Few(hearing.open_ears(home.settings.inbox).__class__):  # type: ignore[misc]
        def attend(self, _folder: bytes) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "inotify_add_watch")

    monkeypatch.setattr(hearing, "open_ears", lambda _: Few())
    put(home.settings.inbox, "a.txt")
    with watching(home) as watcher:
        wait_until(lambda: arrived(home) == ["a.txt"], 60, "the file is taken in all the same")
        standing = watcher.standing()[0]
        assert standing["mode"] == "polling"
        assert "sysctl -w fs.inotify.max_user_watches=" in standing["alarm"]
        monkeypatch.undo()
        watcher.roots[0].hearing._again_s = 0.0
        wait_until(lambda: watcher.standing()[0]["mode"] == "events", 60, "events are tried again")
        wait_until(lambda: watcher.standing()[0]["ok"], 60, "the alarm ends")


def test_events_that_never_come_are_noticed_by_the_canary(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    class Mute:
        attended = None

        def attend(self, _folder: bytes) -> None: ...
        def heard(self, timeout_s: float) -> Any:
            time.sleep(timeout_s)
            return hearing.Heard()

        def close(self) -> None: ...

    monkeypatch.setattr(hearing, "open_ears", lambda _: Mute())
    with watching(home) as watcher:
        wait_until(lambda: "do not come" in watcher.roots[0].alarm, 60, "an alarm")
        assert watcher.standing()[0]["mode"] == "polling"


def test_a_fault_of_ours_is_started_again_and_loses_no_file(
    home: Home, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    seen, look = [], watched_root.look_at

    def stumbling(folder: OpenFolder, name: bytes, now: float) -> Any:
        seen.append(name)
        if len(seen) == 1:
            raise ZeroDivisionError("a handler that raises")
        return look(folder, name, now)

    monkeypatch.setattr(watched_root, "look_at", stumbling)
    put(home.settings.inbox, "a.txt")
    with caplog.at_level(logging.ERROR), watching(home):
        wait_until(lambda: arrived(home) == ["a.txt"], 60, "the file is taken in")
    assert "stumbled" in caplog.text


def test_a_share_that_hangs_holds_up_no_other_folder(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stat on a dead NFS mount does not come back; here the listing of the share does not."""
    answers, scandir = threading.Event(), os.scandir

    def hanging(folder: Any) -> Any:
        place = Path(f"/proc/self/fd/{folder}").readlink() if isinstance(folder, int) else Path(folder)
        if place.is_relative_to(tmp_path / "share"):
            answers.wait(60)
        return scandir(folder)

    monkeypatch.setattr(looking.os, "scandir", hanging)
    put(tmp_path / "share", "b.txt")
    with watching(home, silent_s=1.0) as watcher:
        put(home.settings.inbox, "a.txt")
        wait_until(lambda: arrived(home) == ["a.txt"], 60, "the inbox goes on")
        wait_until(lambda: "no answer" in watcher.standing()[1]["alarm"], 60, "an alarm for the share")
        assert watcher.standing()[0]["ok"]
        answers.set()
        wait_until(lambda: arrived(home) == ["a.txt", "b.txt"], 60, "the share goes on by itself")
        wait_until(lambda: watcher.standing()[1]["ok"], 60, "the alarm ends")


def test_more_files_than_are_followed_at_once_are_all_found(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watched_root, "TRACKED_MAX", 10)
    put(home.settings.inbox, *(f"{number}.txt" for number in range(45)))
    with watching(home) as watcher:
        wait_until(lambda: len(arrived(home)) == 45, 180, "all files")
        assert len(watcher.roots[0].tracked) <= 10


def test_a_small_file_does_not_wait_for_a_large_one(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watched_root, "LARGE_BYTES", 1 << 20)
    jobs = build_jobs(home)
    accession = build_accession(home, jobs)
    may_end, take = threading.Event(), accession.take

    def slow(candidates: Any, moved: Any) -> Any:
        if candidates[0].size_bytes >= 1 << 20:
            may_end.wait(60)
        return take(candidates, moved)

    monkeypatch.setattr(accession, "take", slow)
    watcher, stop = Watcher(home, accession), threading.Event()
    thread = threading.Thread(target=watcher.run, args=(stop,))
    (home.settings.inbox / "film.bin").write_bytes(os.urandom(2 << 20))
    thread.start()
    try:
        wait_until(lambda: watcher.roots[0]._carrying is not None, 60, "the large one is on its way")
        put(home.settings.inbox, "a.txt")
        wait_until(lambda: arrived(home) == ["a.txt"], 60, "the small one")
        may_end.set()
        wait_until(lambda: arrived(home) == ["a.txt", "film.bin"], 60, "the large one")
    finally:
        may_end.set()
        stop.set()
        thread.join(20)
        jobs.close()


def test_e4_e6_a_burst_of_trees_is_found_whole_with_the_queue_run_over(home: Home) -> None:
    """mkdir -p a/b/c and files at once, two hundred times, while the reader stands still."""
    with watching(home) as watcher:
        wait_until(lambda: watcher.roots[0].scanned_at > 0, 60, "it watches")
        for number in range(60):
            folder = home.settings.inbox / str(number) / "b" / "c"
            folder.mkdir(parents=True)
            put(folder, f"{number}-1.txt", f"{number}-2.txt", f"{number}-3.txt")
        wait_until(lambda: len(arrived(home)) == 180, 180, "every file")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="stops a process by SIGSTOP and reads /proc")
@pytest.mark.parametrize(("events", "count"), [("true", 3_000), ("false", 1_000)], ids=["events", "rescans only"])
def test_g5_a_burst_while_the_watcher_stands_still_misses_nothing(
    make_settings: Callable[..., Settings], events: str, count: int
) -> None:
    """CASEREEL_TEST_COUNTS=full: 30,000 files, more than the kernel's queue of events holds."""
    count = 30_000 if FULL else count
    settings = make_settings(watch_events=events)
    make_home(settings)
    home = build_home(settings)
    environ = {"CASEREEL_WATCH_EVENTS": events, "CASEREEL_WATCH_RESCAN_S": "5"}
    with Roles(settings.home, ["watch"], environ) as roles:
        wait_until(lambda: bool(_standing(home)), 90, "the watcher lives")
        process = roles.processes[0]
        os.kill(process.pid, signal.SIGSTOP)
        for number in range(count):
            folder = settings.inbox / f"card-{number % 30:02d}"
            folder.mkdir(exist_ok=True)
            (folder / f"{number:05d}.txt").write_bytes(f"recording {number}".encode())
        os.kill(process.pid, signal.SIGCONT)
        took_s = wait_until(lambda: sum(home.catalog.counts().values()) == count, 60 + count * 0.05, "every file")
        peak_mb = int(Path(f"/proc/{process.pid}/status").read_text().split("VmHWM:")[1].split()[0]) >> 10
    logging.getLogger(__name__).warning("%d files in %.0f s, watcher's peak %d MiB", count, took_s, peak_mb)
    assert len(home.catalog.arrivals()) == count
    assert peak_mb < 500
    home.close()


def _standing(home: Home) -> list[Any]:
    jobs = build_jobs(home)
    try:
        return [root for one in jobs.living.workers() for root in one.get("watchers", ())]
    finally:
        jobs.close()


def test_e5_a_share_that_touches_times_and_modes_makes_no_second_arrival(home: Home) -> None:
    path = home.settings.inbox / "a.txt"
    put(home.settings.inbox, "a.txt")
    with watching(home):
        wait_until(lambda: arrived(home) == ["a.txt"], 90, "the file")
        os.utime(path, ns=(1, 1))
        path.chmod(0o600)
        wait_until(lambda: len(home.catalog.events_of_type(["arrival.seen_again"])) == 1, 90, "it is seen again")
    assert arrived(home) == ["a.txt"]
    assert home.catalog.events_of_type(["arrival.rejected", "arrival.gone"]) == []


@pytest.mark.skipif(os.name != "posix", reason="odd names and links are of POSIX systems")
def test_e15_e21_e22_poison_twins_and_odd_names_stop_nobody(home: Home) -> None:
    """One link among files, two devices with one name, names in GBK, decomposed, with a newline, and the longest."""
    inbox = os.fsencode(home.settings.inbox)
    names = [b"d1/MOV_0001.txt", b"d2/MOV_0001.txt", "现场.txt".encode("gb18030"), b"line\nbreak.txt",
             "e\u0301.txt".encode(), "\u00e9.txt".encode(), b"50%d.txt", b"dot.", b"x" * 251 + b".txt"]  # fmt: skip
    for number, name in enumerate(names):
        path = Path(os.fsdecode(inbox + b"/" + name))
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"words %d" % number)
    (home.settings.inbox / "poison.txt").symlink_to("nowhere")
    with watching(home):
        wait_until(lambda: len(arrived(home)) == len(names), 180, "every file but the link")
        wait_until(lambda: len(home.catalog.events_of_type(["arrival.rejected"])) == 1, 90, "the link is refused")
    assert sorted(one.name_raw for one in home.catalog.arrivals()) == sorted(name.split(b"/")[-1] for name in names)
    assert len(home.catalog.digests()) == len(names)
