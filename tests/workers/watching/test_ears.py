"""Hints of file events: what is heard, and that what is not heard is said."""

from __future__ import annotations

import errno
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from workers.watching import ears as listening
from workers.watching.ears import Ears, Inotify, Watchdog

linux = pytest.mark.skipif(sys.platform != "linux", reason="inotify is Linux's")


@pytest.fixture(params=[pytest.param(lambda _: Inotify(), marks=linux), Watchdog], ids=["inotify", "watchdog"])
def ears(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ears]:
    made: Ears = request.param(tmp_path)
    made.attend(os.fsencode(tmp_path))
    yield made
    made.close()


def all_heard(ears: Ears, enough: Callable[[set[bytes]], bool], timeout_s: float = 5.0) -> set[bytes]:
    until, found = time.monotonic() + timeout_s, set[bytes]()
    while time.monotonic() < until and not enough(found):
        found |= set(ears.heard(0.1).paths)
    return found


@pytest.mark.parametrize(
    "raw", [b"a.jpg", "现场.jpg".encode("gb18030"), b"line\nbreak.jpg"], ids=["plain", "gbk", "newline"]
)
def test_a_written_file_is_heard_whatever_its_name_is(ears: Ears, tmp_path: Path, raw: bytes) -> None:
    path = os.fsencode(tmp_path) + b"/" + raw
    Path(os.fsdecode(path)).write_bytes(b"x")
    assert path in all_heard(ears, lambda found: path in found)


def test_a_file_renamed_in_from_outside_is_heard(
    ears: Ears, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside") / "x.mp4.part"
    outside.write_bytes(b"x")
    outside.rename(tmp_path / "x.mp4")
    wanted = os.fsencode(tmp_path / "x.mp4")
    assert wanted in all_heard(ears, lambda found: wanted in found)


@linux
def test_a_queue_that_ran_over_is_told(tmp_path: Path) -> None:
    """More events than the kernel keeps: watchdog says nothing of it, we say that only a scan will do."""
    made = Inotify()
    made.attend(os.fsencode(tmp_path))
    target = tmp_path / "x"
    for _ in range(listening.limits()["max_queued_events"] // 2 + 100):
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT))  # created once, closed every time
        target.unlink()
    heard = made.heard(1.0)
    assert (heard.lost, heard.overflow) == (True, True)
    made.close()


@linux
def test_a_folder_that_went_elsewhere_is_no_longer_heard_under_its_old_name(tmp_path: Path) -> None:
    (tmp_path / "in" / "card").mkdir(parents=True)
    made = Inotify()
    for folder in (tmp_path / "in", tmp_path / "in" / "card"):
        made.attend(os.fsencode(folder))
    (tmp_path / "in" / "card").rename(tmp_path / "card")
    made.heard(1.0)
    (tmp_path / "card" / "a.jpg").write_bytes(b"x")
    assert made.heard(0.3).paths == ()
    made.close()


@linux
def test_ears_that_stopped_working_say_so(tmp_path: Path) -> None:
    made = Inotify()
    made.attend(os.fsencode(tmp_path))
    os.close(made._fd)
    with pytest.raises(OSError, match="descriptor"):
        made.heard(0.1)
    made._fd = -1


def test_a_dead_emitter_of_watchdog_says_so(tmp_path: Path) -> None:
    made = Watchdog(tmp_path)
    for emitter in list(made._observer.emitters):
        emitter.stop()
        emitter.join(5)
    with pytest.raises(OSError, match="stopped"):
        made.heard(0.1)
    made.close()


@pytest.mark.parametrize(("code", "name"), [(errno.ENOSPC, "max_user_watches"), (errno.EMFILE, "max_user_instances")])
def test_a_used_up_limit_names_the_line_to_type(code: int, name: str) -> None:
    for said in listening.remedy_of(OSError(code, "no")):
        assert f"sysctl -w fs.inotify.{name}=" in said
