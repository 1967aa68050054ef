"""Who imports whom: `config <- pipeline <- indexer <- workers`, and the rules inside pipeline."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
BELOW = {
    "config": {"config"},
    "pipeline": {"config", "pipeline"},
    "indexer": {"config", "pipeline", "indexer"},
    "workers": {"config", "pipeline", "indexer", "workers"},
}
PURE = ("records", "errors", "states")
MEDIA = (
    "av",
    "PIL",
    "numpy",
    "exifread",
    "pi_heif",
    "pypdfium2",
    "imageio_ffmpeg",
    "ffmpeg",
    "whoosh",
    "tantivy",
    "dbos",
    "watchdog",
)


def modules() -> list[Path]:
    return sorted(path for package in BELOW for path in (ROOT / package).rglob("*.py") if "versions" not in path.parts)


def imported(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_downwards_only(path: Path) -> None:
    package = path.relative_to(ROOT).parts[0]
    wrong = {name for name in imported(path) if name.split(".")[0] in set(BELOW) - BELOW[package]}
    assert not wrong, f"{package} may import only {sorted(BELOW[package])}: config <- pipeline <- indexer <- workers"


@pytest.mark.parametrize("name", PURE)
def test_the_nouns_import_nothing_of_ours(name: str) -> None:
    wrong = {one for one in imported(ROOT / "pipeline" / f"{name}.py") if one.split(".")[0] in BELOW}
    assert not wrong, "records, errors and states are what everything else imports; they import nothing of ours"


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_only_the_edges_know_the_outside(path: Path) -> None:
    """DBOS in the queue alone; programs started by the cage alone."""
    place, names = path.relative_to(ROOT).as_posix(), {one.split(".")[0] for one in imported(path)}
    if place != "pipeline/edges/work/queue.py":
        assert "dbos" not in names, "queue.py is the only module that knows DBOS, so that it can be replaced"
    if place.startswith(("pipeline/", "indexer/")) and place != "pipeline/edges/confinement/cage.py":
        assert "subprocess" not in names, (
            "programs are started by the cage, which limits them and ends them with their worker"
        )


def test_the_web_process_loads_no_media_library() -> None:
    code = "import sys, workers.serve, indexer.web.app, indexer.search, indexer.follower; print(*sys.modules)"
    loaded = set(
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
        ).stdout.split()
    )
    assert not loaded & set(MEDIA)


def test_status_loads_neither_queue_nor_media() -> None:
    code = (
        "import sys, workers.cli.status, workers.bootstrap, pipeline.edges.jobs, indexer.follower; print(*sys.modules)"
    )
    loaded = set(
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
        ).stdout.split()
    )
    assert not loaded & set(MEDIA)
