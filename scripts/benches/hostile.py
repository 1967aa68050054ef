"""What hostile files cost everybody else: honest photos and sounds beside bombs and lists, or beside their own kind.

The rival takes in the same honest files with ordinary ones in the place of the hostile. Seconds are from the first
honest arrival to the last that is at rest, so a hostile file may hold up itself and nobody else.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from config.settings import load
from tests.samples import hostile, making
from workers.bootstrap import build_home

HONEST = 150
ROUNDS = 3
LISTS = 16


def measure() -> Iterator[dict[str, Any]]:
    """A row `throughput_ratio`: how fast honest files go beside hostile ones, against beside their own kind."""
    with tempfile.TemporaryDirectory(dir=".", prefix=".bench-") as folder:
        place = Path(folder).absolute()
        beside: dict[str, list[float]] = {"ordinary": [], "hostile": []}
        for number in range(ROUNDS):
            beside["ordinary"].append(_honest_s(place / f"ordinary-{number}", _ordinary))
            beside["hostile"].append(_honest_s(place / f"hostile-{number}", _hostile))
        ordinary_s, hostile_s = sorted(beside["ordinary"])[ROUNDS // 2], sorted(beside["hostile"])[ROUNDS // 2]
        yield {
            "throughput_ratio": round(ordinary_s / hostile_s, 3), "rival": "beside as many ordinary files",
            "honest_files": HONEST, "hostile_files": len(hostile.bombs()) + LISTS,
            "ordinary_s": round(ordinary_s, 2), "hostile_s": round(hostile_s, 2),
        }  # fmt: skip


def _ordinary(folder: Path) -> None:
    for number in range(len(hostile.bombs()) + LISTS):
        making.photo(folder / f"more-{number:03}.jpg", 10_000 + number)


def _hostile(folder: Path) -> None:
    for name, content in hostile.bombs().items():
        (folder / name).write_bytes(content)
    known = hostile.canary(folder.parent / "canary")
    for kind, content in list(hostile.lists(known).items())[:LISTS]:
        (folder / f"{kind}.mp4").write_bytes(content)


def _honest_s(place: Path, add: Callable[[Path], None]) -> float:
    """Seconds from the first honest arrival to the last honest file at rest."""
    card = place / "card"
    card.mkdir(parents=True)
    for number in range(HONEST):
        made = making.sound if number % 5 == 0 else making.photo
        made(card / f"honest-{number:03}.{'wav' if number % 5 == 0 else 'jpg'}", number)
    add(card)
    base = [sys.executable, "-m", "workers", "--home", str(place / "home")]
    environ = {**os.environ, "CASEREEL_VAULT_RESERVE_SHARE": "0"}
    for command in (["init"], ["ingest", str(card), "--wait"]):
        subprocess.run(
            [*base, *command], env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False
        )
    home = build_home(load(place / "home", {}))
    try:
        return _span_s([home.catalog.events_of(o) for o in _honest(home)])
    finally:
        home.close()


def _honest(home: Any) -> list[str]:
    found = {one.original for one in home.catalog.arrivals(limit=10_000) if one.name.startswith("honest-")}
    states = home.catalog.states_of(sorted(found))
    if len(found) != HONEST or set(states.values()) != {"ready"}:
        raise SystemExit(f"{len(found)} of {HONEST} honest files were taken in; their states: {set(states.values())}")
    return sorted(found)


def _span_s(told: list[list[str]]) -> float:
    at = [datetime.fromisoformat(json.loads(line)["at"]) for lines in told for line in lines]
    return (max(at) - min(at)).total_seconds()
