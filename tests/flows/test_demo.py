"""The demonstration holds all that it shows, and leaves alone what it did not make."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.samples.making import photo, sound

ROOT = Path(__file__).resolve().parents[2]


def demonstrate(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "demonstration.py"), *arguments],
        stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", timeout=600, check=False,
    )  # fmt: skip


@pytest.mark.slow
def test_everything_the_demonstration_shows_really_held(tmp_path: Path) -> None:
    ended = demonstrate("--home", str(tmp_path / "home"))

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "✗" not in ended.stdout
    for held in (
        "all 9 files are in custody",
        "the broken file is kept and says so",
        "the pictures that are left of it can be watched",
        "the clock eight hours off was noticed",
        "微信转发 副本.mp4 is recognised as DSJ_HA1234567_000123_20210803101010_0001.mp4",
        "by case number, written otherwise: 4 of 4 found, 0 too many",
        "the clip is found in its original",
        "every digest and the log's chain hold",
    ):
        assert held in ended.stdout


@pytest.mark.slow
def test_a_folder_of_ones_own_is_taken_in_and_left_as_it_was(tmp_path: Path) -> None:
    mine = tmp_path / "平商务罚字〔2021〕第7号"
    photo(mine / "IMG_20210803_103000.jpg", 1)
    sound(mine / "录音.wav", 2)
    (mine / "cut.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(500))
    before = {path: path.read_bytes() for path in mine.iterdir()}

    ended = demonstrate(str(mine), "--home", str(tmp_path / "home"))

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert {path: path.read_bytes() for path in mine.iterdir()} == before
    assert all(path.name in ended.stdout for path in before)
    assert "search --case '平商务罚字〔2021〕第7号'" in ended.stdout


def test_a_folder_the_demonstration_did_not_make_is_not_emptied(tmp_path: Path) -> None:
    (tmp_path / "evidence.mp4").write_bytes(b"kept")

    ended = demonstrate("--home", str(tmp_path))

    assert ended.returncode != 0
    assert (tmp_path / "evidence.mp4").read_bytes() == b"kept"
    assert "--home" in ended.stderr
