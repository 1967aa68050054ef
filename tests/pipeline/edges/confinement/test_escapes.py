"""A program that is taken over gets out of neither cage: a probe in C tries, and tells what was possible."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.edges.confinement.cage import Cage, Limits
from pipeline.edges.tools import Tools

SOURCE = Path(__file__).resolve().parents[3] / "samples" / "escape.c"
LIMITS = Limits(wall_s=60, cpu_s=20, memory_bytes=2 << 30, file_bytes=16 << 20)
ONLY_IN_THE_FULL_CAGE = {"see that another file is there", "see that a program is there"}

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the cage is whole on Linux only")


@pytest.fixture(scope="module")
def probe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        if os.environ.get("CI"):
            pytest.fail("gcc is not installed; on Debian: apt-get install gcc libc6-dev")
        pytest.skip("gcc is not installed; on Debian: apt-get install gcc libc6-dev")
    made = tmp_path_factory.mktemp("probe") / "escape"
    subprocess.run([compiler, "-O1", "-w", "-o", made, SOURCE], check=True)
    return made


@pytest.fixture
def attempts(probe: Path, tmp_path: Path) -> Callable[[str], dict[str, str]]:
    """Runs the probe in the cage of this level: attempt -> what came of it."""

    def run(level: str) -> dict[str, str]:
        secret, given, folder = tmp_path / "secret", tmp_path / "given", tmp_path / "folder"
        for path in (secret, given):
            path.write_text("content")
        folder.mkdir(exist_ok=True)
        tools = Tools(str(probe))
        try:
            if tools.caging.level != level and (level == "full" or "sight" in tools.caging.lacking):
                if os.environ.get("CASEREEL_TEST_COUNTS") == "full":
                    pytest.fail(f"this system lacks {tools.caging.lacking}")
                pytest.skip(f"this system lacks {tools.caging.lacking}")
            tools.__dict__["caging"] = replace(tools.caging, level=level)
            box = tools._box([str(given)], str(folder))
            seen = [str(probe), str(secret), box.name_of(0), box.folder]
            ended = tools._cage.run(seen, limits=LIMITS, box=box)
        finally:
            tools.close()
        assert ended.code == 0, ended
        assert secret.read_text() == given.read_text() == "content"
        lines = ended.stdout.decode().splitlines()
        return dict(line.split("\t") for line in lines)

    return run


def test_nothing_gets_out_of_the_full_cage(attempts: Callable[[str], dict[str, str]]) -> None:
    found = attempts("full")
    assert len(found) >= 50
    assert {name for name, result in found.items() if result == "POSSIBLE"} == set()


def test_out_of_the_reduced_cage_others_can_be_seen_but_not_touched(attempts: Callable[[str], dict[str, str]]) -> None:
    found = attempts("reduced")
    assert len(found) >= 50
    assert {name for name, result in found.items() if result == "POSSIBLE"} == ONLY_IN_THE_FULL_CAGE


def test_without_a_cage_much_is_possible(probe: Path, tmp_path: Path) -> None:
    """So the probe can tell."""
    (tmp_path / "secret").write_text("content")
    (tmp_path / "given").write_text("content")
    cage = Cage()
    try:
        given = [str(tmp_path / name) for name in ("secret", "given", ".")]
        ended = cage.run([str(probe), *given, "without harm"], limits=LIMITS)
    finally:
        cage.close()
    possible = {line.split("\t")[0] for line in ended.stdout.decode().splitlines() if line.endswith("POSSIBLE")}
    assert {"open the secret", "make a symbolic link", "start a shell"} <= possible
