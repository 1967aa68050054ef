"""The cage where it has less to work with: for an ordinary user, and where the system refuses namespaces."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.flows import lesser

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the cage is whole on Linux only")
# The trial that a worker makes before it begins, and the level it was made on.
PROVE = """
from pipeline.edges.confinement import trial
from pipeline.edges.tools import Tools
import dataclasses, json, os
tools = Tools()
tools.start()
try:
    trial.prove(tools)
    print(json.dumps({**dataclasses.asdict(tools.caging), "user": os.geteuid()}))
finally:
    tools.close()
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """One that every user reaches; the folders of tests are their owner's alone."""
    made = Path(tempfile.mkdtemp(prefix="casereel-lesser-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


def said(ended: subprocess.CompletedProcess[str]) -> str:
    if ended.returncode == lesser.CANNOT:
        pytest.skip(f"this system does not let the test give up that much: {ended.stderr.strip()}")
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@pytest.mark.parametrize("namespaces", [True, False])
def test_the_cage_holds_for_an_ordinary_user(folder: Path, namespaces: bool) -> None:
    proved = json.loads(said(lesser.run(["-c", PROVE], folder, ordinary=True, namespaces=namespaces)))
    assert proved["user"] != 0
    assert proved["network"]
    if not namespaces:
        assert (proved["level"], proved["lacking"]) == ("reduced", ["namespaces"])
    elif proved["level"] != "full":
        pytest.skip(f"this system refuses an ordinary user the full cage: {proved['lacking']}")


def test_the_cage_holds_for_root_where_namespaces_are_refused(folder: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("the tests do not run as root")
    proved = json.loads(said(lesser.run(["-c", PROVE], folder, ordinary=False, namespaces=False)))
    assert (proved["user"], proved["level"], proved["lacking"]) == (0, "reduced", ["namespaces"])


def test_the_doctor_names_what_is_refused_and_full_takes_no_work(folder: Path) -> None:
    def casereel(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        environ = {"CASEREEL_HOME": str(folder / "home"), "CASEREEL_LANG": "en", **more}
        return lesser.run(["-m", "workers", *arguments], folder, ordinary=True, namespaces=False, environ=environ)

    said(casereel("init"))
    english, chinese = (cage_of(casereel("doctor", "--json", CASEREEL_LANG=language)) for language in ("en", "zh"))
    assert english["ok"]
    assert chinese["ok"]
    assert "the system refuses bubblewrap -> allow user namespaces" in english["found"]
    assert "bubblewrap 被系统拒绝 -> 请允许用户命名空间" in chinese["found"]
    refused = casereel("work", CASEREEL_MEDIA_CAGE="full")
    assert refused.returncode == 3
    assert "allow user namespaces (sysctl user.max_user_namespaces" in refused.stderr


def cage_of(doctor: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    lines = (json.loads(line) for line in doctor.stdout.splitlines())
    return next(line for line in lines if line["check"] == "cage")
