"""A watched folder, with events and without: late, torn, renamed, nested, vanished, restarted."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from config.settings import Settings
from tests.flows.running import Roles, digests_below, wait_until
from tests.homes import make_home
from tests.samples import making
from workers.bootstrap import Home, build_accession, build_home, build_jobs
from workers.watch import Watcher
from workers.watching.hearing import CANARY
from workers.watching.mounts import is_network_mount


@pytest.fixture(params=["true", "false"], ids=["events", "rescans only"])
def watched(request: pytest.FixtureRequest, make_settings: Callable[..., Settings]) -> Iterator[Home]:
    settings = make_settings(watch_events=request.param)
    make_home(settings)
    home = build_home(settings)
    yield home
    home.close()


@contextmanager
def watching(home: Home) -> Iterator[Watcher]:
    jobs = build_jobs(home)
    watcher = Watcher(home, build_accession(home, jobs))
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


def test_a_dropped_file_is_taken_in_and_stays_where_it_is(watched: Home, tmp_path: Path) -> None:
    path = making.photo(tmp_path / "a.jpg", 1)
    with watching(watched):
        shutil.copy(path, watched.settings.inbox)
        wait_until(lambda: arrived(watched) == ["a.jpg"], 15, "the file is taken in")
    assert (watched.settings.inbox / "a.jpg").exists()


def test_a_file_that_was_there_before_is_found_at_start_up(watched: Home) -> None:
    making.photo(watched.settings.inbox / "平商务罚字〔2021〕第3号" / "a.jpg", 1)
    with watching(watched):
        wait_until(lambda: arrived(watched) == ["a.jpg"], 15, "the file is taken in")
    assert watched.catalog.arrivals()[0].folder == "平商务罚字〔2021〕第3号"


def test_a_slow_copy_with_pauses_is_one_original_of_the_whole_file(watched: Home, tmp_path: Path) -> None:
    data = making.sound(tmp_path / "a.wav", 1, length_s=2).read_bytes()
    with watching(watched), (watched.settings.inbox / "a.wav").open("wb") as stream:
        for first in range(0, len(data), len(data) // 3 + 1):
            stream.write(data[first : first + len(data) // 3 + 1])
            stream.flush()
            time.sleep(0.8)
        stream.close()
        wait_until(lambda: arrived(watched) == ["a.wav"], 15, "the file is taken in")
        time.sleep(1)
    assert set(watched.catalog.digests()) == set(digests_below(watched.settings.inbox))


def test_e1_a_copy_that_stalls_with_the_file_closed_is_taken_once_it_is_whole(watched: Home, tmp_path: Path) -> None:
    """Some copiers close and open again; a container that ends in the middle is given more time."""
    data = making.photo(tmp_path / "a.jpg", 1).read_bytes()
    target = watched.settings.inbox / "a.jpg"
    with watching(watched):
        target.write_bytes(data[: len(data) // 2])
        time.sleep(1.2)  # four quiet times
        assert arrived(watched) == []
        target.write_bytes(data)
        wait_until(lambda: arrived(watched) == ["a.jpg"], 15, "the file is taken in")
    assert set(watched.catalog.digests()) == set(digests_below(watched.settings.inbox))


def test_e3_a_partial_name_is_taken_after_its_rename(watched: Home, tmp_path: Path) -> None:
    path = making.photo(tmp_path / "a.jpg", 1)
    part = watched.settings.inbox / "a.jpg.filepart"
    with watching(watched):
        shutil.copy(path, part)
        time.sleep(1.5)
        assert arrived(watched) == []
        part.rename(watched.settings.inbox / "a.jpg")
        wait_until(lambda: arrived(watched) == ["a.jpg"], 15, "the file is taken in")
        time.sleep(1)
    assert arrived(watched) == ["a.jpg"]


def test_a_tree_moved_in_is_found_whole(watched: Home, tmp_path: Path) -> None:
    for number in range(12):
        making.photo(tmp_path / "card" / f"{number % 3}" / "DCIM" / f"{number}.jpg", number)
    with watching(watched):
        shutil.move(tmp_path / "card", watched.settings.inbox / "card")
        wait_until(lambda: len(arrived(watched)) == 12, 30, "every file is taken in")


def test_what_systems_leave_behind_and_links_are_left_alone(watched: Home, tmp_path: Path) -> None:
    inbox = watched.settings.inbox
    (tmp_path / "secret.jpg").write_bytes(b"secret")
    with watching(watched):
        (inbox / "Thumbs.db").write_bytes(b"x")
        (inbox / ".DS_Store").write_bytes(b"x")
        (inbox / "link.jpg").symlink_to(tmp_path / "secret.jpg")
        os.mkfifo(inbox / "pipe.jpg")
        making.photo(inbox / "a.jpg", 1)
        wait_until(lambda: arrived(watched) == ["a.jpg"], 15, "the photo is taken in")
        time.sleep(1.5)
    assert arrived(watched) == ["a.jpg"]
    assert len(watched.catalog.events_of_type(["arrival.rejected"])) == 2


def test_a_file_gone_before_it_was_taken_is_an_event(watched: Home) -> None:
    path = watched.settings.inbox / "a.mp4"
    with watching(watched), path.open("wb") as stream:
        stream.write(b"half a recording")
        stream.flush()
        time.sleep(1.5)
        path.unlink()
        wait_until(lambda: len(watched.catalog.events_of_type(["arrival.gone"])) == 1, 15, "it is noted")
    assert watched.catalog.counts() == {}


def test_a_folder_that_vanishes_is_an_alarm_and_comes_back(
    make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    share = tmp_path / "share"
    making.photo(share / "a.jpg", 1)
    settings = make_settings(watch_folders=str(share))
    make_home(settings)
    home = build_home(settings)
    with watching(home) as watcher:
        wait_until(lambda: arrived(home) == ["a.jpg"], 15, "the file is taken in")
        share.rename(tmp_path / "away")
        wait_until(lambda: bool(watcher.roots[1].alarm), 15, "an alarm")
        assert home.catalog.counts() == {"in_custody": 1}
        making.photo(tmp_path / "away" / "b.jpg", 2)
        (tmp_path / "away").rename(share)
        wait_until(lambda: arrived(home) == ["a.jpg", "b.jpg"], 20, "the next file is taken in")
        wait_until(lambda: not watcher.roots[1].alarm, 15, "the alarm ends")
    home.close()


def test_an_emptied_share_is_an_alarm_and_no_deletion(make_settings: Callable[..., Settings], tmp_path: Path) -> None:
    share = tmp_path / "share"
    making.photo(share / "a.jpg", 1)
    settings = make_settings(watch_folders=str(share))
    make_home(settings)
    home = build_home(settings)
    with watching(home) as watcher:
        wait_until(lambda: arrived(home) == ["a.jpg"], 15, "the file is taken in")
        (share / "a.jpg").unlink()
        wait_until(lambda: "empty" in watcher.roots[1].alarm, 15, "an alarm")
    assert home.catalog.counts() == {"in_custody": 1}
    home.close()


def test_the_canary_shows_that_events_come_through(make_settings: Callable[..., Settings]) -> None:
    settings = make_settings()
    make_home(settings)
    home = build_home(settings)
    with watching(home) as watcher:
        wait_until(lambda: watcher.roots[0].hearing.seen_at > 0, 15, "the canary comes back")
    assert (settings.inbox / CANARY).exists()
    assert home.catalog.counts() == {}
    home.close()


def test_e2_stopped_in_the_middle_of_a_copy_and_started_again_it_is_one_original(
    make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    settings = make_settings()
    make_home(settings)
    home = build_home(settings)
    data = making.film(tmp_path / "a.mp4", 1, length_s=2).read_bytes()
    target = settings.inbox / "a.mp4"
    with target.open("wb") as stream:
        with Roles(settings.home, ["watch"]):
            stream.write(data[: len(data) // 2])
            stream.flush()
            time.sleep(2)
        with Roles(settings.home, ["watch"]):
            time.sleep(2)
            assert arrived(home) == []
            stream.write(data[len(data) // 2 :])
            stream.close()
            wait_until(lambda: arrived(home) == ["a.mp4"], 20, "the whole file is taken in")
            time.sleep(1)
    assert set(home.catalog.digests()) == set(digests_below(settings.inbox))
    home.close()


def test_once_takes_what_is_there_and_ends(
    casereel: Callable[..., object], make_settings: Callable[..., Settings]
) -> None:
    settings = make_settings()
    make_home(settings)
    making.photo(settings.inbox / "a.jpg", 1)
    (settings.inbox / "b.jpg.part").write_bytes(b"x")
    done = casereel("watch", "--once", "--json")
    assert done.returncode == 0, done.stderr  # type: ignore[attr-defined]
    assert done.stdout.count('"accepted"') == 1  # type: ignore[attr-defined]
    assert "b.jpg.part" in done.stderr  # type: ignore[attr-defined]


def test_a_local_folder_is_no_network_mount(tmp_path: Path) -> None:
    assert not is_network_mount(tmp_path)
