"""An archive of many hours, made of the marks of real recordings and indexed as any home's; what questions cost in it.

Marks come in the runs in which they were taken, each run changed as a whole (pictures by the difference of two other
real pictures, sounds in pitch, and a little mark by mark), so that runs are as long, as still and as alike as real
ones, and keys as unevenly spread. No more than one original is in memory. The recordings of which everything is made,
and which are asked for, lie among them unchanged.
"""

from __future__ import annotations

import os
import resource
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np

from indexer.match import InFiles
from pipeline.marks import pictures as picture_marks
from pipeline.marks import sounds as sound_marks
from pipeline.records import Fingerprint, Known, Original

# Lengths of recordings: half of them between five minutes and a quarter of an hour.
LENGTH_S, LENGTH_SPREAD, LENGTH_MAX_S = 540.0, 0.8, 4 * 3600.0
# Sounds are changed in pitch by at least so many bins, so that no run is found as itself.
BINS_MIN, BINS_MAX = 4, 24
SIZES: Final = (100, 10, 1)  # shares of the hours that are measured on the way
_COLUMNS: Final = ("at", "run", "framed", "detail", "bits", "key")
TAKEN_AT: Final = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


@dataclass(frozen=True)
class _Run:
    """Marks of a stretch of one recording. of: the number of the recording."""

    of: int
    length_s: float
    marks: Any


class Hours:
    """A catalog whose originals' marks are made when they are asked for, always the same; it grows by `grow`.

    real: marks of real recordings, by the name of the original; the others are made of these.
    """

    def __init__(self, method: str, real: Mapping[str, Any]) -> None:
        self._method, self._real = method, dict(real)
        self._lengths_s: list[float] = []
        self.hours = 0.0
        self.making_cpu_s = 0.0
        runs = _picture_runs if method == "video" else _sound_runs
        self._runs = [run for number, marks in enumerate(self._real.values()) for run in runs(number, marks)]

    def grow(self, hours: float) -> None:
        """It has so many hours, and the real recordings."""
        chance = np.random.default_rng(len(self._lengths_s) + 1)
        while self.hours < hours:
            length_s = min(LENGTH_MAX_S, float(chance.lognormal(np.log(LENGTH_S), LENGTH_SPREAD)))
            self._lengths_s.append(length_s)
            self.hours += length_s / 3600

    def head(self) -> int:
        return len(self._real) + len(self._lengths_s)

    def changed_after(self, seq: int, limit: int) -> list[tuple[int, str]]:
        last = min(self.head(), seq + limit)
        names = list(self._real)
        return [(one + 1, names[one] if one < len(names) else f"made {one - len(names)}") for one in range(seq, last)]

    def count_changed_after(self, seq: int) -> int:
        return len(self.changed_after(seq, self.head()))

    def known_of_many(self, ids: Sequence[str], *, with_data: bool = False) -> list[Known]:
        before_s = time.process_time()
        found = [_known(one, self._prints(one) if with_data else ()) for one in ids]
        self.making_cpu_s += time.process_time() - before_s
        return found

    def _prints(self, name: str) -> tuple[Fingerprint, ...]:
        marks = self._real.get(name) or self._made(int(name.split()[1]))
        module = picture_marks if self._method == "video" else sound_marks
        return (Fingerprint(method=self._method, version=module.VERSION, data=module.packed(marks)),)

    def _made(self, number: int) -> Any:
        chance = np.random.default_rng([number, 7])
        runs: list[_Run] = []
        length_s = 0.0
        while length_s < self._lengths_s[number]:
            runs.append(self._runs[int(chance.integers(len(self._runs)))])
            length_s += runs[-1].length_s
        return _sounds_of(runs, chance) if self._method == "sound" else _pictures_of(runs, self._runs, chance)


def _known(name: str, prints: tuple[Fingerprint, ...]) -> Known:
    original = Original(
        id=name, sha256="", sm3=None, size_bytes=0, kind="video", format="mp4", name=name, state="ready",
        accepted_at=TAKEN_AT,
    )  # fmt: skip
    return Known(original=original, fingerprints=prints)


def _picture_runs(of: int, marks: picture_marks.Marks) -> Iterator[_Run]:
    """Some twenty seconds each, of all ways of framing."""
    samples, step = len(marks.small), 40
    for start in range(0, max(1, samples - step // 2), step):
        part = (marks.at >= start) & (marks.at < start + step)
        if part.any():
            columns = {name: getattr(marks, name)[part] for name in _COLUMNS}
            columns["at"] = columns["at"] - start
            length_s = min(step, samples - start) * marks.step_s
            yield _Run(of, length_s, replace(marks, **columns, small=marks.small[:0]))


def _pictures_of(runs: Sequence[_Run], every: Sequence[_Run], chance: np.random.Generator) -> picture_marks.Marks:
    columns: dict[str, list[Any]] = {name: [] for name in _COLUMNS}
    samples, step_s = 0, runs[0].marks.step_s
    for run in runs:
        # Of three recordings, so that what comes of it is like none of them.
        first = _any([one for one in every if one.of != run.of], chance)
        second = _any([one for one in every if one.of not in (run.of, first.of)], chance)
        one, other = first.marks, second.marks
        row, other_row = int(chance.integers(len(one))), int(chance.integers(len(other)))
        for name, kept in columns.items():
            column = getattr(run.marks, name)
            if name in ("bits", "key"):
                column = column ^ getattr(one, name)[row] ^ getattr(other, name)[other_row]
            kept.append(column + np.uint32(samples) if name == "at" else column)
        samples += round(run.length_s / step_s)
    joined = {name: np.concatenate(kept) for name, kept in columns.items()}
    order = np.argsort(joined["framed"], kind="stable")
    side_px, small_px = picture_marks.SIDE_PX, picture_marks.SMALL_PX
    return picture_marks.Marks(
        step_s=step_s,
        inside=np.array([[0, 0, 0, side_px, side_px]], np.uint32),
        small=np.zeros((samples, small_px, small_px), np.uint8),
        **{name: column[order] for name, column in joined.items()},
    )


def _any(runs: Sequence[_Run], chance: np.random.Generator) -> _Run:
    return runs[int(chance.integers(len(runs)))]


def _sound_runs(of: int, marks: sound_marks.Marks) -> Iterator[_Run]:
    step = round(5 / sound_marks.TICK_S)
    for start in range(0, int(marks.tick.max(initial=0)), step):
        part = (marks.tick >= start) & (marks.tick < start + step)
        yield _Run(of, 5.0, sound_marks.Marks(marks.key[part], marks.tick[part] - start))


def _sounds_of(runs: Sequence[_Run], chance: np.random.Generator) -> sound_marks.Marks:
    key = np.concatenate([run.marks.key for run in runs]).astype(np.int64)
    counts = [len(run.marks) for run in runs]
    starts = np.arange(len(runs)) * round(5 / sound_marks.TICK_S)
    tick = np.concatenate([run.marks.tick for run in runs]) + np.repeat(starts, counts)
    moved = chance.integers(BINS_MIN, BINS_MAX, len(runs)) * chance.choice([-1, 1], len(runs))
    bin_ = np.clip((key >> 14) + np.repeat(moved, counts), 3, sound_marks.BINS - 2)
    step = np.clip(((key >> 6) & 255) + chance.integers(-1, 2, len(key)), 0, 2 * sound_marks.PAIR_BINS_MAX - 1)
    apart = np.clip((key & 63) + chance.integers(-1, 2, len(key)), 2, sound_marks.PAIR_TICKS_MAX)
    return sound_marks.Marks(((bin_ << 14) | (step << 6) | apart).astype(np.uint32), tick.astype(np.int32))


# -- what is measured


def grown(
    method: str, real: Mapping[str, Any], hours: float, folder: Path, asked: Mapping[str, Callable[[InFiles], Any]]
) -> Iterator[dict[str, Any]]:
    """Rows for a hundredth, a tenth and the whole of these hours: the index grown to them, and each question in it.

    asked: by name; a question gets what a new process has open, and returns what was found.
    """
    shutil.rmtree(folder, ignore_errors=True)
    catalog = Hours(method, real)
    name = "pictures" if method == "video" else "sounds"
    built_cpu_s = 0.0
    for share in SIZES:
        catalog.grow(hours / share)
        with _Watched() as watched:
            InFiles(catalog, folder).kept[name].follow()
        built_cpu_s += watched.cpu_s
        cpu_s = built_cpu_s - catalog.making_cpu_s
        state = InFiles(catalog, folder).kept[name].state()
        base = {"archive": name, "hours": round(catalog.hours)}
        yield {
            **base, "built_cpu_s": round(cpu_s, 1), "wall_of_this_step_s": round(watched.wall_s, 1),
            "memory_mb": watched.memory_mb, "disk_mb": state["bytes"] >> 20, "segments": state["segments"],
            "originals": state["originals"], "rows": state["rows"],
        }  # fmt: skip
        for question, ask in asked.items():
            for cache in ("cold", "warm"):
                if cache == "cold":
                    _forget(folder)
                with _Watched() as watched:
                    found = ask(InFiles(catalog, folder))
                yield {**base, "asked": question, "files": cache, "cpu_s": round(watched.cpu_s, 2),
                       "wall_s": round(watched.wall_s, 2), "memory_mb": watched.memory_mb,
                       "found": sorted({one.original for one in found})[:3]}  # fmt: skip
    shutil.rmtree(folder, ignore_errors=True)


class _Watched:
    """CPU and wall seconds of a block, and the most memory that the process had in it, mapped files apart."""

    def __enter__(self) -> _Watched:
        self._done = threading.Event()
        self._most = _own_memory()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        self._wall, self._cpu = time.monotonic(), _cpu()
        return self

    def __exit__(self, *_: object) -> None:
        self.wall_s, self.cpu_s = time.monotonic() - self._wall, _cpu() - self._cpu
        self._done.set()
        self._thread.join()
        self.memory_mb = max(self._most, _own_memory()) >> 20

    def _watch(self) -> None:
        while not self._done.wait(0.02):
            self._most = max(self._most, _own_memory())


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _own_memory() -> int:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("RssAnon"))


def _forget(folder: Path) -> None:
    """The files are read from the disk again."""
    for path in folder.rglob("*.npy"):
        with path.open("rb") as opened:
            os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
