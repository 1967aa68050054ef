"""A home with every real recording in it, through the command line: made once for the whole run, whoever asks first.

Several files of tests read it, from several processes at once; none of them changes it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from filelock import FileLock

from config.settings import load
from pipeline.kinds import kinds_in
from pipeline.records import Facts, Known, Original
from workers.bootstrap import Home, build_home

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Taken:
    """home: open for reading; receipts: what `ingest` printed; originals: ids by the files' paths in the folder."""

    home: Home
    receipts: Sequence[Mapping[str, str]]
    originals: Mapping[str, str]

    def known(self, *, with_data: bool = False) -> dict[str, Known]:
        """All that is known, by original."""
        ids = sorted(set(self.originals.values()))
        return {one.original.id: one for one in self.home.catalog.known_of_many(ids, with_data=with_data)}

    def probed(self) -> dict[str, tuple[Original, Facts]]:
        """What the probe stage found in each file, by its path: properties and caveats of the extractors alone."""
        readers = {"probe", *(one.name for one in kinds_in("pipeline.extractors", "EXTRACTOR"))}

        def of(known: Known) -> tuple[Original, Facts]:
            caveats = tuple(one for one in known.caveats if one.finder.partition("/")[0] in readers)
            return known.original, Facts(properties=tuple(known.properties.values()), caveats=caveats)

        known = self.known()
        return {path: of(known[original]) for path, original in self.originals.items()}


def taken_in(corpus: Path, factory: pytest.TempPathFactory) -> Taken:
    """Every file of the folder in one home, all work done."""
    base = factory.getbasetemp()
    folder = (base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base) / "corpus"
    folder.mkdir(exist_ok=True)
    printed = folder / "receipts.jsonl"
    with FileLock(folder / "making.lock"):
        if not printed.exists():
            printed.write_text(_ingested(corpus, folder / "home"), encoding="utf-8")
    lines = printed.read_text(encoding="utf-8").splitlines()
    assert lines, "the real recordings could not be taken in; the test that tried first says why"
    receipts = [json.loads(line) for line in lines]
    originals = {
        Path(one["path"]).relative_to(corpus).as_posix(): one["original"] for one in receipts if one["original"]
    }
    return Taken(build_home(load(folder / "home", {})), receipts, originals)


def _ingested(corpus: Path, home: Path) -> str:
    base = [sys.executable, "-m", "workers", "--home", str(home), "--json"]
    subprocess.run([*base, "init"], cwd=ROOT, check=True, capture_output=True)
    done = subprocess.run(
        [*base, "ingest", str(corpus), "--wait"], cwd=ROOT, capture_output=True, text=True, timeout=1500
    )
    if done.returncode:
        (home.parent / "receipts.jsonl").touch()  # the others need not try as long again
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout
