"""What the fault tests share: mounts that are always undone, and why a test cannot run here."""

from __future__ import annotations

import contextlib
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from tests.conftest import QUICK
from tests.faults.surviving import Journal

ROOT = Path(__file__).resolve().parents[2]
FULL = os.environ.get("CASEREEL_TEST_COUNTS") == "full"


def cannot(why: str) -> None:
    """The test is skipped with the reason; where a change is checked before it is taken in, it fails."""
    if os.environ.get("CI"):
        pytest.fail(why)
    pytest.skip(why)


@pytest.fixture(scope="session")
def may_mount() -> None:
    """Skips where file systems cannot be mounted."""
    if sys.platform != "linux" or os.geteuid() != 0:
        cannot("mounting file systems needs Linux and root")
    if not Path("/dev/fuse").exists():
        cannot("there is no /dev/fuse")


@pytest.fixture(scope="session")
def programs() -> Callable[[str, str], str]:
    """Gives the path of a program, or skips naming its package."""

    def find(name: str, package: str) -> str:
        found = shutil.which(name)
        if found is None:
            cannot(f"{name} is not installed; on Debian: apt-get install {package}")
        return str(found)

    return find


class Mounted:
    """A mounted forgetful file system."""

    def __init__(self, place: Path) -> None:
        self.path, self._journal, self._hits = place / "mount", place / "journal", place / "hits"
        self.path.mkdir(parents=True)
        self._hits.touch()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.forgetful", self.path, self._journal, self._hits], cwd=ROOT
        )
        for _ in range(600):
            if os.path.ismount(self.path):
                return
            assert self._process.poll() is None, "the file system ended"
            time.sleep(0.05)
        raise AssertionError("the file system was not mounted within 30 s")

    @property
    def hits(self) -> int:
        """How many calls were refused so far."""
        return self._hits.stat().st_size

    def refuse(self, *faults: Sequence[object]) -> None:
        """These faults from now on, each as the fields of `forgetful.Fault`; none ends them."""
        import json

        os.setxattr(self.path, "user.fault", json.dumps(faults).encode())

    def end(self) -> Journal:
        """It is unmounted; what happened on it."""
        self._process.terminate()
        self._process.wait(timeout=60)
        with self._journal.open("rb") as stream:
            journal: Journal = pickle.load(stream)
        return journal

    def close(self) -> None:
        """It is unmounted, whatever state it is in."""
        with contextlib.suppress(Exception):
            self._process.terminate()
            self._process.wait(timeout=60)
        if os.path.ismount(self.path):
            subprocess.run(["umount", "-l", self.path], check=False)
            self._process.kill()


@pytest.fixture(scope="module")
def mount(may_mount: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Mounted]]:  # noqa: ARG001
    """Mounts a fresh forgetful file system; all are unmounted at the end."""
    mounted: list[Mounted] = []

    def make() -> Mounted:
        mounted.append(Mounted(tmp_path_factory.mktemp("forgetful")))
        return mounted[-1]

    yield make
    for one in mounted:
        one.close()


@pytest.fixture
def memory_folder() -> Iterator[Path]:
    """A folder in memory, where syncs cost nothing: for looking at what survived."""
    parent = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(prefix="casereel-faults-", dir=parent) as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def environ() -> dict[str, str]:
    """The environment of the processes under test."""
    return {**os.environ, **QUICK}
