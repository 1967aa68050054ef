"""Nothing ever tries to reach a network."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import QUICK
from tests.flows.running import ROOT
from tests.samples import making

WATCHER = Path(__file__).resolve().parents[1] / "samples" / "watch_network"


def test_no_connection_is_attempted_from_making_a_home_to_matching(tmp_path: Path) -> None:
    making.photo(tmp_path / "card" / "a.jpg", 1)
    making.sound(tmp_path / "card" / "a.wav", 1)
    film = making.film(tmp_path / "card" / "a.mp4", 1, length_s=4)
    seen = tmp_path / "seen"
    environ = {
        **os.environ,
        **QUICK,
        "NETWORK_SEEN": str(seen),
        "PYTHONPATH": os.pathsep.join([str(WATCHER), str(ROOT)]),
    }

    def casereel(*arguments: str) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "workers", "--home", str(tmp_path / "home"), *arguments],
            cwd=ROOT, env=environ, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr

    casereel("init")
    casereel("doctor")
    casereel("ingest", str(tmp_path / "card"), "--wait")
    casereel("patrol", "--once")
    casereel("search", "a")
    casereel("match", str(film))
    casereel("verify")
    # `doctor` asks the cage whether its work could reach a network, by the address that is reserved for such questions.
    tried = [line for line in seen.read_text().splitlines() if "192.0.2.1" not in line] if seen.exists() else []
    assert tried == []


def test_the_watcher_of_the_network_sees_an_attempt(tmp_path: Path) -> None:
    """The test above can fail."""
    seen = tmp_path / "seen"
    code = "import socket\ntry: socket.create_connection(('127.0.0.1', 9), 1)\nexcept OSError: pass"
    environ = {**os.environ, "NETWORK_SEEN": str(seen), "PYTHONPATH": str(WATCHER)}
    subprocess.run([sys.executable, "-c", code], env=environ, check=True)
    assert "127.0.0.1" in seen.read_text()


def test_caged_work_has_no_network_where_the_system_can_take_it_away() -> None:
    from pipeline.edges.confinement.confining import is_without_network
    from pipeline.edges.tools import Tools

    if sys.platform != "linux":
        pytest.skip("only Linux can take the network away from a process")
    tools = Tools()
    assert tools.call(is_without_network)
    tools.close()
