"""Derivations one after the other while their programs hang, flood, end well with nothing, and fill the disk (E14-E17).

What must hold: nothing blocks, nothing is left behind, what could be made is right, and what could not is said.
With CASEREEL_TEST_COUNTS=full 400 derivations, else 25.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from pipeline import footage
from pipeline.edges import tools
from pipeline.edges.confinement import cage
from pipeline.records import Facts, Known
from pipeline.stages import derive
from tests.flows.running import family
from tests.pipeline.filming import MELODY, context_of, film, probed

COUNT = 400 if os.environ.get("CASEREEL_TEST_COUNTS") == "full" else 25
FAULTS = ("none", "hangs", "floods", "says nothing", "stops early", "full disk")
# How it is called in its cage, and without one.
PROGRAM = ("program", "ffmpeg-linux-x8")
RECORDING = {"proxy", "frame_times", "poster", "sprites", "sprites_map", "scenes", "waveform", "loudness"}


class Faulty:
    """Stands before `Tools.run`: the first `times` programs of a derivation meet its fault, as real programs do."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.fault, self.left = "none", 0
        self._run = tools.Tools.run
        self._arguments = tools.FFMPEG_ARGUMENTS
        self._patch = monkeypatch
        monkeypatch.setattr(tools.Tools, "run", lambda *given, **named: self.run(*given, **named))
        monkeypatch.setattr(footage, "STALL_S", 1.5)

    def set(self, fault: str, times: int) -> None:
        self.fault, self.left = fault, times

    def run(self, itself: tools.Tools, output: Any, **named: Any) -> cage.Ended:
        if self.left == 0 or self.fault == "none":
            return self._run(itself, output, **named)
        self.left -= 1
        arguments = self._arguments
        match self.fault:
            case "hangs":
                threading.Thread(target=_stop_next, args=(set(_programs()),), daemon=True).start()
            case "floods":
                arguments = tuple("trace" if one == "error" else one for one in arguments)
            case "says nothing":
                arguments = (*arguments, "-ss", "9999")
            case "stops early":
                arguments = (*arguments, "-t", "0.4")
            case "full disk":
                named["limits"] = replace(named["limits"], file_bytes=4096)
        with self._patch.context() as patch:
            patch.setattr(tools, "FFMPEG_ARGUMENTS", arguments)
            return self._run(itself, output, **named)


def _programs() -> list[int]:
    return [pid for pid in family(os.getpid()) if _name(pid) in PROGRAM]


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def _stop_next(known: set[int]) -> None:
    """The next program that starts stands still, like one that waits for a disk that never answers."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        for pid in set(_programs()) - known:
            os.kill(pid, signal.SIGSTOP)
            return
        time.sleep(0.002)


@pytest.fixture
def faulty(monkeypatch: pytest.MonkeyPatch) -> Faulty:
    return Faulty(monkeypatch)


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Path, Known]]:
    folder = tmp_path_factory.mktemp("recordings")
    made = [
        film(folder / "a.mkv", "shapes", MELODY.format(seed=1), seconds=4),
        film(folder / "b.mp4", "fractal", MELODY.format(seed=2), seconds=4),
        film(folder / "c.avi", "cells", MELODY.format(seed=3), seconds=4, **{"c:v": "mpeg4", "c:a": "adpcm_ms"}),
        film(folder / "d.wav", sound=MELODY.format(seed=4), seconds=4),
    ]
    return [(path, probed(path)) for path in made]


def _expected(known: Known) -> set[str]:
    return RECORDING if known.original.kind == "video" else {"proxy", "waveform", "loudness"}


def _derived(source: Path, known: Known, folder: Path) -> Facts:
    folder.mkdir()
    facts = derive.STAGE.run(known, context_of(source, folder))
    left = {path for path in folder.rglob("*") if path.is_file()} - {one.path for one in facts.made}
    assert left == set()
    assert _programs() == []
    return facts


def test_e14_e15_e16_e17_a_playlist_of_derivations_with_faults_comes_through(
    faulty: Faulty, recordings: list[tuple[Path, Known]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chance, met = Random(14), Counter[str]()
    for number in range(COUNT):
        source, known = recordings[number % len(recordings)]
        fault = FAULTS[number % len(FAULTS)]
        for_ever = fault in ("says nothing", "full disk") and chance.random() < 0.4
        faulty.set(fault, 99 if for_ever else 1)
        facts = _derived(source, known, tmp_path / f"{number}")
        roles = {one.role for one in facts.made}
        met[f"{fault}{' for ever' if for_ever else ''}"] += 1
        if for_ever:
            assert "proxy" not in roles
            assert "no_proxy" in {one.code for one in facts.caveats}
        else:
            assert roles == _expected(known), (number, fault, facts.caveats)
            assert facts.caveats == ()
            [proxy] = [one for one in facts.made if one.role == "proxy"]
            assert proxy.parameters["end_s"] == pytest.approx(4, abs=0.2)
    with capsys.disabled():
        print(f"\n{COUNT} derivations: {dict(met)}")


def test_e14_what_always_hangs_is_given_up_in_plain_words(faulty: Faulty, tmp_path: Path) -> None:
    source = film(tmp_path / "long.wav", sound="anoisesrc=r=16000:a=0.1", seconds=300)
    known = probed(source)
    faulty.set("hangs", 99)
    facts = _derived(source, known, tmp_path / "x")
    assert facts.made == ()
    assert {one.code for one in facts.caveats} == {"no_proxy", "no_waveform", "no_loudness"}
    assert all("stood still" in one.text and "kept unchanged" in one.text for one in facts.caveats)
