"""The cage proves itself before work begins, and what it proves can fail."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from config.settings import load
from pipeline.edges import tools as tools_module
from pipeline.edges.confinement import trial
from pipeline.edges.tools import Caging, Tools
from pipeline.errors import TryAgain
from tests.homes import make_home
from workers import work
from workers.bootstrap import build_home

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the cage is whole on Linux only")


@pytest.fixture
def tools() -> Iterator[Tools]:
    started = Tools()
    yield started
    started.close()


def test_what_is_proved_is_remembered(tools: Tools, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trial.prove(tools, tmp_path / "kept")
    monkeypatch.setattr(trial, "attempts_on", lambda *_: pytest.fail("it is proved once more"))
    trial.prove(tools, tmp_path / "kept")


def test_a_memory_that_others_could_have_written_is_not_believed(
    tools: Tools, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial.prove(tools, tmp_path)
    (tmp_path / "cage-trial.json").chmod(0o666)
    asked = []
    monkeypatch.setattr(trial, "attempts_on", lambda *_: asked.append(1) or iter(()))
    trial.prove(tools, tmp_path)
    assert asked == [1]


@pytest.fixture
def no_walls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs run as if there were no cage, with the arguments they get otherwise."""
    monkeypatch.setattr(Tools, "_box", lambda *_: None)
    monkeypatch.setattr(tools_module, "_as_seen", lambda argv, *_: list(argv))


@pytest.mark.usefixtures("no_walls")
def test_careless_arguments_are_found_out(tools: Tools, monkeypatch: pytest.MonkeyPatch) -> None:
    """No demuxer forced, no cage in the way: a list opens the secret."""
    tools.__dict__["caging"] = Caging("limits", (), False)
    trial.prove(tools)
    monkeypatch.setattr(tools_module, "bounds", lambda _: {})
    with pytest.raises(TryAgain, match=r"a ffconcat list named \.mp4 opened another file"):
        trial.prove(tools)


@pytest.mark.usefixtures("no_walls")
def test_a_cage_without_walls_is_found_out(tools: Tools) -> None:
    assert tools.caging.level in ("full", "reduced")
    with pytest.raises(TryAgain, match="a media program opened another file than the evidence"):
        trial.prove(tools)


def test_no_worker_starts_where_the_cage_leaks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(tmp_path / "home", {})
    make_home(settings)
    home = build_home(settings)

    def leak(*_: Any) -> Iterator[trial.Attempt]:
        yield trial.Attempt("a list opened another file", lambda: True)

    monkeypatch.setattr(trial, "attempts_on", leak)
    monkeypatch.setattr(work, "TRIALS", tmp_path / "kept")
    try:
        with pytest.raises(TryAgain, match="no work is begun"), work.working(home):
            pytest.fail("the worker began")
    finally:
        home.close()


def test_full_is_refused_where_it_cannot_be_had(casereel: Any) -> None:
    assert casereel("init").returncode == 0
    ended = casereel("work", environ={"CASEREEL_MEDIA_CAGE": "full", "PATH": "/nonexistent"}, timeout=60)
    assert ended.returncode == 3
    assert "bubblewrap" in ended.stderr
