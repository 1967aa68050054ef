"""What it costs to take a file into custody, beside the plain tools that promise the same.

The rival copies with `cp`, syncs the file and its folder with `sync`, and computes `sha256sum` of source and copy;
the stricter one uses `openssl dgst -sha256`, which knows the processor's SHA instructions. Wall and CPU seconds are
of the whole process tree's work, ours from the first read of the source to the receipt: copy, digest, sync,
read-back, record, rename, catalog and log. Rounds alternate, the median ratio is printed.
"""

from __future__ import annotations

import os
import resource
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from config.settings import load
from pipeline.custody.accession import Candidate
from workers.bootstrap import Home, build_accession, build_home, build_jobs, make_home

ROUNDS = 5
LARGE_BYTES = 512 << 20
SMALL_FILES, SMALL_BYTES = 200, 20 << 10


def measure() -> Iterator[dict[str, Any]]:
    """Rows `intake_ratio`, `cpu_ratio`, `rival`; and `small_file_ms` with its ratio."""
    with tempfile.TemporaryDirectory(dir=".", prefix=".bench-") as folder:
        place = Path(folder).absolute()
        for sm3 in (False, True):
            settings = load(
                place / f"home-{sm3}", {"CASEREEL_VAULT_RESERVE_SHARE": "0", "CASEREEL_VAULT_SM3": str(sm3)}
            )
            make_home(settings)
            home = build_home(settings)
            try:
                if sm3:
                    yield from _large(place, home, {"openssl sm3 alone": _sm3_alone}, "sha256 and sm3")
                else:
                    rivals = {
                        "cp+sync+sha256sum": _plain("sha256sum"),
                        "cp+sync+openssl": _plain("openssl", "dgst", "-sha256", "-r"),
                    }
                    yield from _large(place, home, rivals, "sha256")
                    yield from _small(place, home)
            finally:
                home.close()


def _large(
    place: Path, home: Home, rivals: dict[str, Callable[[Path, Path], None]], digests: str
) -> Iterator[dict[str, Any]]:
    walls: dict[str, list[float]] = {name: [] for name in rivals}
    cpus: dict[str, list[float]] = {name: [] for name in rivals}
    for number in range(ROUNDS):
        source = place / "source.mp4"
        _write_random(source, LARGE_BYTES)
        for name, rival in rivals.items():
            theirs = _timed(rival, source, place / "copy")
            _write_random(source, LARGE_BYTES)
            ours = _timed(_take, home, [source])
            if number:  # the first round warms up
                walls[name].append(ours[0] / theirs[0])
                cpus[name].append(ours[1] / theirs[1])
            (place / "copy").unlink(missing_ok=True)
            _empty(home)
    for name in rivals:
        yield {
            "digests": digests, "bytes": LARGE_BYTES, "rival": name,
            "intake_ratio": round(statistics.median(walls[name]), 3),
            "cpu_ratio": round(statistics.median(cpus[name]), 3), "rounds": len(walls[name]),
            "spread": [round(min(walls[name]), 3), round(max(walls[name]), 3)],
        }  # fmt: skip


def _small(place: Path, home: Home) -> Iterator[dict[str, Any]]:
    ratios, ours_ms = [], []
    rival = _plain("sha256sum")
    for number in range(ROUNDS):
        folder = place / f"small-{number}"
        folder.mkdir()
        files = [folder / f"{one}.jpg" for one in range(SMALL_FILES)]
        for file in files:
            _write_random(file, SMALL_BYTES)
        copies = place / "copies"
        copies.mkdir()
        theirs = _timed(_each, rival, files, copies)
        ours = _timed(_take, home, files)
        shutil.rmtree(copies)
        if number:
            ratios.append(ours[0] / theirs[0])
            ours_ms.append(ours[0] / SMALL_FILES * 1000)
        _empty(home)
    yield {
        "digests": "sha256", "files": SMALL_FILES, "bytes": SMALL_BYTES, "rival": "cp+sync+sha256sum, a file at a time",
        "intake_ratio": round(statistics.median(ratios), 3), "small_file_ms": round(statistics.median(ours_ms), 2),
    }  # fmt: skip


def _plain(*digest: str) -> Callable[[Path, Path], None]:
    def copy(source: Path, target: Path) -> None:
        subprocess.run(["cp", source, target], check=True)
        subprocess.run(["sync", target, target.parent], check=True)
        for path in (source, target):
            subprocess.run([*digest, path], check=True, stdout=subprocess.DEVNULL)

    return copy


def _sm3_alone(source: Path, target: Path) -> None:
    del target
    subprocess.run(["openssl", "dgst", "-sm3", "-r", source], check=True, stdout=subprocess.DEVNULL)


def _take(home: Home, files: list[Path]) -> None:
    jobs = build_jobs(home)
    taking = build_accession(home, jobs)
    receipts = taking.take([Candidate(path=one, root=one.parent, source="bench") for one in files])
    assert all(one.status == "accepted" for one in receipts), receipts
    jobs.close()


def _each(rival: Callable[[Path, Path], None], files: list[Path], target: Path) -> None:
    for file in files:
        rival(file, target / file.name)


def _timed(work: Callable[..., Any], *arguments: Any) -> tuple[float, float]:
    """(wall, CPU) seconds of the work, child processes included."""
    before, started = _cpu_s(), time.perf_counter()
    work(*arguments)
    return time.perf_counter() - started, _cpu_s() - before


def _cpu_s() -> float:
    total = 0.0
    for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
        used = resource.getrusage(who)
        total += used.ru_utime + used.ru_stime
    return total


def _write_random(path: Path, size: int) -> None:
    """A file of new random bytes, on the disk and still in memory: both rivals find it in the same state."""
    with path.open("wb") as stream:
        left = size
        while left:
            left -= stream.write(os.urandom(min(left, 16 << 20)))
        os.fsync(stream.fileno())


def _empty(home: Home) -> None:
    """Room for the next round: the objects are dropped from the bench's own vault."""
    for sha256 in list(home.vault.digests()):
        with home.vault.opened(sha256) as path:
            shutil.rmtree(path.parents[2])
