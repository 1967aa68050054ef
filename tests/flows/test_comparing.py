"""Two recorders at one place: what one's clock is off, told by the sound that both recorded."""

from __future__ import annotations

import subprocess
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

RATE_HZ = 16_000
# The second recorder began 8 s after the first, and its clock ran 95 s ahead.
LATER_S, AHEAD_S = 8.0, 95.0


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A talk that two recorders heard, each with noise of its own; and a third that heard something else."""
    chance = np.random.default_rng(4)

    def talk(seed: int) -> Any:
        tones = np.random.default_rng(seed).uniform(200, 3000, size=(40 * 8, 3))
        ticks = np.arange(RATE_HZ // 8) / RATE_HZ
        return np.concatenate([np.sin(2 * np.pi * np.outer(each, ticks)).sum(axis=0) for each in tones])

    heard, other = talk(1), talk(2)
    folder = tmp_path / "card"
    folder.mkdir()
    for name, sound in (
        ("HA1234567_000123_20260302160000_0001.wav", heard[: 30 * RATE_HZ]),
        ("HA1234568_000124_20260302160143_0001.wav", heard[int(LATER_S * RATE_HZ) :]),
        ("HA1234569_000125_20260302160000_0001.wav", other[: 30 * RATE_HZ]),
    ):
        noisy = sound / 4 + chance.normal(0, 0.02, len(sound))
        with wave.open(str(folder / name), "wb") as file:
            file.setparams((1, 2, RATE_HZ, len(sound), "NONE", "not compressed"))
            file.writeframes((np.clip(noisy, -1, 1) * 32000).astype("<i2").tobytes())
    return folder


def test_a_clock_is_measured_by_what_another_device_recorded_too(
    printed: Callable[..., list[dict[str, Any]]], casereel: Callable[..., subprocess.CompletedProcess[str]],
    place: Path, tmp_path: Path,
) -> None:  # fmt: skip
    run = printed
    run("init")
    table = tmp_path / "设备.csv"
    table.write_text("设备编号,序列号\n" + "".join(f"ZF-00{n},HA123456{6 + n}\n" for n in (1, 2, 3)), encoding="utf-8")
    run("device", "import", table)
    arrived = sorted(run("ingest", place, "--wait"), key=lambda one: one["path"])
    first, second, third = (one["original"] for one in arrived)

    refused = casereel("device", "measure", "ZF-002", "--same", second, first)
    assert refused.returncode == 2
    assert "measure the clock of its device first" in refused.stderr
    run("device", "measure", "ZF-001", "--shows", "2026-03-02 16:00:00", "--at", "2026-03-02 16:00:00")
    [said] = run("device", "measure", "ZF-002", "--same", second, first)
    assert said["how"] == "compared"
    assert said["offset_s"] == pytest.approx(AHEAD_S, abs=0.5)
    assert 1 < said["uncertainty_s"] < 5
    [known] = run("show", second)
    assert known["time"]["start"].startswith("2026-03-02T16:00:0")
    assert known["time"]["uncertainty_s"] < 10
    [clock] = run("device", "calibrate", "ZF-002")
    assert first in clock["measurements"][0]["by"]

    for own, other, why in ((second, third, "nothing was found"), (second, second, "by ZF-002 itself")):
        done = casereel("device", "measure", "ZF-002", "--same", own, other)
        assert (done.returncode, why in done.stderr) == (2, True), done.stderr
