"""Faults of disks, cards and limits while intake runs: it pauses or names the item, and goes on by itself afterwards.

Each fault meets each step that can meet it. While it lasts nothing is acknowledged that is not safe; once its cause
ends, the same process takes the files in within a minute.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import resource
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from config.settings import Settings, load
from tests.conftest import QUICK
from tests.faults import surviving as power
from tests.faults.conftest import FULL, ROOT, Mounted, cannot
from tests.faults.test_power_cut import Seen, forked, look
from tests.flows.running import wait_until
from workers.bootstrap import make_home

RESUMES_S = 60.0
MAKING = ("create", "mkdir", "mknod")
CHANGING = (*MAKING, "write", "fallocate", "rename", "rename2", "unlink", "setattr")

FAULTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "disk full": ("ENOSPC", (*MAKING, "write", "fallocate", "rename", "rename2")),
    "no free file entries": ("ENOSPC", MAKING),
    "reading fails": ("EIO", ("read",)),
    "syncing fails": ("EIO", ("fsync", "fsyncdir", "syncfs")),
    "read-only": ("EROFS", CHANGING),
    "too many open files": ("EMFILE", ("open", "create", "opendir")),
    "card pulled": ("ENODEV", ("open", "read", "opendir")),
}
# step -> (paths below the mount, calls)
STEPS: dict[str, tuple[str, tuple[str, ...]]] = {
    "source": ("home/inbox*", ("open", "read", "opendir")),
    "staging folder": ("home/staging*", ("mkdir",)),
    "copy": ("home/staging/*/original", ("create", "write", "fallocate")),
    "sync of the copy": ("home/staging/*/original", ("fsync",)),
    "reading back": ("home/staging/*/original", ("open", "read")),
    "record": ("home/staging/*/record.json", ("create", "write", "fsync")),
    "inventory": ("home/staging/*/inventory.json*", ("create", "write", "fsync")),
    "sync of everything": ("home/*", ("syncfs",)),
    "rename": ("home/staging/*", ("rename", "rename2")),
    "vault folders": ("home/vault*", ("mkdir", "fsyncdir", "opendir")),
    "catalog": ("home/catalog.sqlite3*", ("write", "fsync")),
    "log": ("home/log/events-*", ("open", "write")),
    "sync of the log": ("home/log/events-*", ("fsync",)),
}
MEETINGS = [
    (fault, step, tuple(sorted(set(calls) & set(its_calls))))
    for fault, (_, calls) in FAULTS.items()
    for step, (_, its_calls) in STEPS.items()
    if set(calls) & set(its_calls) and (fault != "card pulled" or step == "source")
]


def test_every_fault_at_every_step_pauses_intake_and_loses_nothing(
    mount: Callable[[], Mounted], environ: dict[str, str], tmp_path: Path, memory_folder: Path,
    record_property: Callable[[str, object], None],
) -> None:  # fmt: skip
    """One watcher lives through all of them; then the power fails, and what it took in must be there."""
    mounted = mount()
    settings = load(mounted.path / "home", QUICK)
    assert forked(lambda: make_home(settings)) == 0
    worst, stumbled = 0.0, []
    with watching(settings, environ, tmp_path / "watch.log") as process:
        drop(settings, tmp_path, "first.bin")
        resumes(settings, {"first.bin"})
        for number, (fault, step, calls) in enumerate(MEETINGS):
            for count in (1, 5) if FULL else ([1, 5][number % 2],):
                try:
                    worst = max(worst, meet(mounted, settings, tmp_path, (fault, step, calls), count))
                except AssertionError as error:
                    stumbled.append(f"{fault} at {step}, {count} files: {error}")
                    mounted.refuse()
                if process.poll() is not None:
                    stumbled.append(f"{fault} at {step}, {count} files: the watcher ended")
                    break
    print(f"\n{len(MEETINGS)} meetings of faults and steps; taken in at the latest {worst:.1f} s after the cause ended")
    record_property("fault", "seven faults of disks, cards and limits at every step")
    record_property("tries", len(MEETINGS) * (2 if FULL else 1))
    assert not stumbled, "\n".join(stumbled) + (tmp_path / "watch.log").read_text()[-3000:]
    journal, seen = mounted.end(), Seen()
    look(journal, len(journal), power.nothing, settings.inbox, memory_folder / "home", seen, again=False)
    assert not seen.faults, "\n".join(seen.faults)


def meet(
    mounted: Mounted, settings: Settings, tmp_path: Path, meeting: tuple[str, str, tuple[str, ...]], count: int
) -> float:  # fmt: skip
    """Seconds from the end of the cause to the last file in custody."""
    fault, step, calls = meeting
    before = mounted.hits
    mounted.refuse([list(calls), STEPS[step][0], FAULTS[fault][0]])
    names = [f"{fault} {step} {count} {number}.bin" for number in range(count)]
    for name in names:
        made = tmp_path / name
        made.write_bytes(f"{name}\n".encode() * 3000)
        # The clerk's copying is not what is tested: it goes round the fault where it meets the inbox.
        with contextlib.suppress(OSError):
            shutil.copyfile(made, settings.inbox / name)
    with contextlib.suppress(AssertionError):
        wait_until(lambda: mounted.hits > before, 8, "the fault is met")
    time.sleep(0.3)
    met = mounted.hits > before
    # At the catalog and the log the fault would meet the look as well; where single files alone meet it, their
    # neighbours are safe without it.
    if must_be_met(step, count) and met and step not in ("catalog", "log", "sync of the log"):
        early = held(settings) & set(names)
        assert not early, f"acknowledged while the fault lasted: {early}"
    mounted.refuse()
    for name in names:
        if not (settings.inbox / name).exists():
            shutil.copyfile(tmp_path / name, settings.inbox / name)
    waited = wait_until(lambda: set(names) <= held(settings), RESUMES_S, f"{names} are in custody")
    for name in names:
        digest = hashlib.sha256((tmp_path / name).read_bytes()).hexdigest()
        os.setxattr(mounted.path, "user.told", digest.encode())
    assert met or not must_be_met(step, count), "the fault was never met: this shows nothing"
    return waited


def must_be_met(step: str, count: int) -> bool:
    """Single files are synced one by one, several together; either way has steps of its own."""
    if step == "sync of everything":
        return count > 1
    return step not in ("sync of the copy", "vault folders", "record", "inventory") or count == 1


def held(settings: Settings) -> set[str]:
    """The names whose arrivals are in the catalog and in the log."""
    with contextlib.closing(sqlite3.connect(settings.home / "catalog.sqlite3", timeout=10)) as database:
        arrived = dict(database.execute("SELECT id, name FROM cr_arrival").fetchall())
    lines = "".join(file.read_text() for file in sorted((settings.home / "log").glob("events-*.jsonl")))
    return {name for arrival, name in arrived.items() if f'"{arrival}"' in lines}


@contextlib.contextmanager
def watching(settings: Settings, environ: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A watcher of this home, whose syncs of whole file systems are passed on."""
    with log.open("ab") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.subject", "--watch", settings.home], cwd=ROOT, env=environ,
            stdout=subprocess.DEVNULL, stderr=stream,
        )  # fmt: skip
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


# -- the kernel's own faults


@pytest.fixture
def mounting(may_mount: None, tmp_path: Path) -> Iterator[Callable[..., Path]]:  # noqa: ARG001
    """Mounts with the options of mount(8) at a folder of the test; undone in any case."""
    mounted: list[Path] = []

    def make(*options: str) -> Path:
        place = tmp_path / f"mounted-{len(mounted)}"
        place.mkdir()
        done = subprocess.run(["mount", *options, place], capture_output=True, text=True)
        if done.returncode:
            cannot(f"mount {' '.join(options)}: {done.stderr.strip()}")
        mounted.append(place)
        return place

    yield make
    for place in mounted:
        subprocess.run(["umount", "-l", place], check=False)


def drop(settings: Settings, tmp_path: Path, name: str, size: int = 50_000) -> None:
    """A file in the inbox, whole at once."""
    (tmp_path / name).write_bytes(os.urandom(size))
    shutil.copyfile(tmp_path / name, settings.inbox / name)


def resumes(settings: Settings, names: set[str]) -> float:
    return wait_until(lambda: names <= held(settings), RESUMES_S, f"{names} are in custody")


def test_e10_a_disk_that_fills_up_and_is_emptied(
    mounting: Callable[..., Path], environ: dict[str, str], tmp_path: Path
) -> None:
    place = mounting("-t", "tmpfs", "-o", "size=48m", "tmpfs")
    settings = load(place / "home", QUICK)
    forked(lambda: make_home(settings))
    with watching(settings, environ, tmp_path / "watch.log") as process:
        drop(settings, tmp_path, "before.bin")
        resumes(settings, {"before.bin"})
        drop(settings, tmp_path, "large.bin", 12 << 20)
        fill(place / "full")
        drop_where_room(settings, tmp_path)
        time.sleep(4)
        assert held(settings) <= {"before.bin", "large.bin"}
        assert process.poll() is None
        (place / "full").unlink()
        drop(settings, tmp_path, "after.bin")
        resumes(settings, {"before.bin", "large.bin", "after.bin"})
        assert process.poll() is None


def fill(path: Path) -> None:
    """No byte is free any more."""
    with contextlib.suppress(OSError), path.open("wb", buffering=0) as stream:
        while True:
            stream.write(bytes(4096))


def drop_where_room(settings: Settings, tmp_path: Path) -> None:
    with contextlib.suppress(OSError):
        drop(settings, tmp_path, "late.bin", 10)


def test_a_disk_without_file_entries(mounting: Callable[..., Path], environ: dict[str, str], tmp_path: Path) -> None:
    place = mounting("-t", "tmpfs", "-o", "size=64m,nr_inodes=400", "tmpfs")
    settings = load(place / "home", QUICK)
    forked(lambda: make_home(settings))
    with watching(settings, environ, tmp_path / "watch.log") as process:
        drop(settings, tmp_path, "before.bin")
        resumes(settings, {"before.bin"})
        drop(settings, tmp_path, "waiting.bin")
        (place / "many").mkdir()
        with contextlib.suppress(OSError):
            for number in range(1000):
                (place / "many" / str(number)).touch()
        time.sleep(4)
        assert process.poll() is None
        shutil.rmtree(place / "many")
        resumes(settings, {"before.bin", "waiting.bin"})
        assert process.poll() is None


def test_a_process_that_runs_out_of_file_descriptors(
    make_settings: Callable[..., Settings], environ: dict[str, str], tmp_path: Path
) -> None:
    settings = make_settings()
    forked(lambda: make_home(settings))
    with watching(settings, environ, tmp_path / "watch.log") as process:
        drop(settings, tmp_path, "before.bin")
        resumes(settings, {"before.bin"})
        least = len(list(Path(f"/proc/{process.pid}/fd").iterdir()))
        usual = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (min(least, 6), usual[1]))
        for number in range(6):
            drop(settings, tmp_path, f"{number}.bin")
        time.sleep(4)
        assert process.poll() is None
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, usual)
        resumes(settings, {"before.bin", *(f"{number}.bin" for number in range(6))})
        assert process.poll() is None


def test_a_card_that_is_pulled_while_it_is_read(
    mounting: Callable[..., Path], programs: Callable[[str, str], str], make_settings: Callable[..., Settings],
    environ: dict[str, str], tmp_path: Path,
) -> None:  # fmt: skip
    """An ext4 card loses its last third under the mount; later it is whole again."""
    image = tmp_path / "card.img"
    with image.open("wb") as stream:
        stream.truncate(64 << 20)
    subprocess.run([programs("mkfs.ext4", "e2fsprogs"), "-q", "-F", image], check=True, env={"PATH": "/usr/sbin:/sbin"})
    card = mounting("-o", "loop", str(image))
    for number in range(3):
        (card / f"{number}.bin").write_bytes(os.urandom(12 << 20))
    subprocess.run(["umount", card], check=True)
    subprocess.run(["mount", "-o", "loop,ro", image, card], check=True)
    whole = image.read_bytes()
    os.truncate(image, 30 << 20)
    forget_pages()
    settings = make_settings()
    forked(lambda: make_home(settings))
    with watching(settings, {**environ, "CASEREEL_WATCH_FOLDERS": str(card)}, tmp_path / "watch.log") as process:
        drop(settings, tmp_path, "beside.bin")
        resumes(settings, {"beside.bin"})
        time.sleep(3)
        assert len(held(settings)) < 4
        assert process.poll() is None
        with image.open("r+b") as stream:
            stream.write(whole)
        forget_pages()
        resumes(settings, {"beside.bin", "0.bin", "1.bin", "2.bin"})
        assert process.poll() is None


def forget_pages() -> None:
    """What was read from disks is read from them again."""
    Path("/proc/sys/vm/drop_caches").write_text("1")
