"""Intake in a process of its own that may be ended anywhere: forked from one that has loaded everything already."""

from __future__ import annotations

import json
import multiprocessing
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from config.settings import Settings, load
from pipeline.edges import failpoint
from tests.conftest import QUICK
from workers.bootstrap import build_accession, build_home, build_jobs
from workers.watch import Watcher

LOADED = ["tests.flows.dying", "pipeline.edges.jobs", "pipeline.stages", "dbos"]
HASTE = {
    **QUICK,
    "CASEREEL_SETTLE_QUIET_S": "0.01",
    "CASEREEL_SETTLE_QUIET_NO_LEASE_S": "0.02",
    "CASEREEL_SETTLE_UNFINISHED_S": "0.02",
    "CASEREEL_SETTLE_LOOKS": "2",
    "CASEREEL_WATCH_EVENTS": "false",
}


@dataclass(frozen=True)
class Ended:
    """code: as `Popen.returncode`. acknowledged: paths whose receipts came. come: how often each place was come to."""

    code: int
    acknowledged: list[str]
    come: dict[str, int]


class Mortals:
    """Starts such processes; each takes in what lies in its home's inbox, as `watch --once` does."""

    def __init__(self) -> None:
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(LOADED)

    def run(self, home: Path, url: str = "", place: str = "nowhere") -> Ended:
        """One life: to its end, or to the place (`name` or `name:3`)."""
        said = home / "said.jsonl"
        said.unlink(missing_ok=True)
        process = self._context.Process(target=take_in, args=(str(home), url, place, str(said)))
        process.start()
        process.join(timeout=300)
        assert process.exitcode is not None, "it hangs"
        lines = [json.loads(line) for line in said.read_text().splitlines()] if said.exists() else []
        return Ended(
            process.exitcode,
            [line["path"] for line in lines if "path" in line],
            next((line["come"] for line in lines if "come" in line), {}),
        )


def settings_of(home: Path, url: str) -> Settings:
    """Settings under which a file settles within hundredths of a second."""
    return load(home, {**HASTE, **({"CASEREEL_CATALOG_URL": url} if url else {})})


def take_in(home: str, url: str, place: str, said: str) -> None:
    """What the forked process does."""
    os.environ["CASEREEL_FAILPOINT"] = place
    failpoint.come.clear()
    built = build_home(settings_of(Path(home), url))
    jobs = build_jobs(built)
    telling = _Telling(build_accession(built, jobs), Path(said))
    Watcher(built, telling).run_once()
    telling.write({"come": failpoint.come})
    os._exit(0)


class _Telling:
    """Accession whose receipts are on the disk before anything else happens."""

    def __init__(self, accession: Any, said: Path) -> None:
        self._accession, self._said = accession, said

    def take(self, *arguments: Any) -> Any:
        receipts = self._accession.take(*arguments)
        for one in receipts:
            if one.original is not None:
                self.write({"path": one.path})
        return receipts

    def note(self, *arguments: Any) -> None:
        self._accession.note(*arguments)

    def write(self, line: dict[str, Any]) -> None:
        with self._said.open("a") as stream:
            stream.write(json.dumps(line) + "\n")
            stream.flush()
            os.fsync(stream.fileno())
