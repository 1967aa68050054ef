"""A made-up bureau against its truth: errors of decided times, honesty of their uncertainty, links, gaps.

The rival is the same bureau before anything was measured of its clocks. What is right is known to the generator alone.
"""

from __future__ import annotations

import re
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from _ceiling import best_shares

from config.settings import load
from indexer.casework.case_file import case_file
from indexer.coverage import Gap, coverage_of, ends_of, steps_of
from pipeline.advance import renew
from pipeline.case_numbers import comparable
from pipeline.records import Known
from pipeline.registers.columns import columns_of
from pipeline.registers.keeping import Registers
from pipeline.registers.rows import records_of
from pipeline.stages import link, timestamps
from pipeline.timing.claiming import zone_of
from tests.samples.bureau import Bureau, Recorded, fill, made
from workers.bootstrap import Home, build_context, build_home, build_jobs, make_home

SEED = 20261122
NEAR_S = 2.0
LEAST_GAP_S = 30
Pairs = Sequence[tuple[Recorded, Known]]


def measure() -> Iterator[dict[str, Any]]:
    """Rows `times`, `links`, `linker`, `relinking`, `gaps`: see the functions below; `at best` is of `_ceiling.py`."""
    with tempfile.TemporaryDirectory() as folder:
        yield from measured(made(SEED), Path(folder) / "home")


def measured(bureau: Bureau, folder: Path) -> Iterator[dict[str, Any]]:
    """What the pipeline makes of this bureau in a home of its own."""
    settings = load(folder, {})
    make_home(settings)
    home = build_home(settings)
    try:
        ids = fill(home, bureau.files)
        anew = _Anew(home, ids)
        for register in ("devices", "persons"):
            _take_in(home, bureau, register)
        anew.look(timestamps)
        yield from times("before", anew.pairs(bureau))
        registers = Registers(home.catalog, home.audit)
        for offset in bureau.measured:
            registers.note_offset("bench", offset)
        anew.look(timestamps)
        yield from times("after", anew.pairs(bureau))
        by_seconds, by_fractions = best_shares(bureau, NEAR_S)
        yield {
            "what": "times", "when": "at best", "of": "measured", "within_2_s": round(by_seconds, 4),
            "with_fractions": round(by_fractions, 4),
        }  # fmt: skip
        for register in ("cases", "activities", "ledger"):
            _take_in(home, bureau, register)
        took_s = anew.look(link)
        yield {"what": "relinking", "files": len(ids), "seconds": round(took_s, 1)}
        yield from links(anew.pairs(bureau))
        yield from gaps(home, bureau)
        anew.close()
    finally:
        home.close()


class _Anew:
    """Looks at every original anew, as an import does."""

    def __init__(self, home: Home, ids: Sequence[str]) -> None:
        self._home, self._ids = home, ids
        self._context, self._scratch = build_context(home)
        self._jobs = build_jobs(home)

    def look(self, stage: Any) -> float:
        began = time.perf_counter()
        renew(stage.STAGE, self._ids, self._context, self._jobs)
        return time.perf_counter() - began

    def pairs(self, bureau: Bureau) -> Pairs:
        return list(zip(bureau.files, self._home.catalog.known_of_many(self._ids), strict=True))

    def close(self) -> None:
        self._jobs.close()
        self._context.tools.close()
        self._scratch.close()


def _take_in(home: Home, bureau: Bureau, register: Any) -> None:
    rows = bureau.tables[register]
    reads, remarks = records_of(register, rows, columns_of(home.settings.home, register), zone_of(home.settings))
    plan = Registers(home.catalog, home.audit).take_in("bench", register, reads, remarks, {"name": register})
    assert not plan.count("refused"), plan.remarks[:3]


def times(when: str, pairs: Pairs) -> Iterator[dict[str, Any]]:
    """Of all files, of those whose device was measured, and by its art: errors in seconds, share of truths inside."""
    groups: dict[str, list[tuple[Recorded, Known]]] = {"all": list(pairs)}
    groups["measured"] = [(file, known) for file, known in pairs if file.device.offsets]
    groups["measured, every setting noted"] = [one for one in groups["measured"] if not _was_set_unnoted(one[0])]
    groups["measured within 5 days, every setting noted"] = [
        one for one in groups["measured, every setting noted"] if _nearest(one[0]) <= timedelta(days=5)
    ]
    for art in ("body_worn", "camera", "cctv", "phone"):
        groups[art] = [(file, known) for file, known in pairs if file.device.art == art]
    for group, members in ((name, members) for name, members in groups.items() if members):
        found = [(file, known.time) for file, known in members]
        decided = [
            (abs((time.start_at - file.start_at).total_seconds()), time.uncertainty_s) for file, time in found if time
        ]
        errors = sorted(error for error, _ in decided)
        yield {
            "what": "times", "when": when, "of": group, "files": len(found), "decided": len(decided),
            "error_p50_s": round(statistics.median(errors), 2),
            "error_p95_s": round(errors[int(len(errors) * 0.95)], 2),
            "within_2_s": round(sum(error <= NEAR_S for error in errors) / len(errors), 4),
            "inside_uncertainty": round(sum(error <= sure for error, sure in decided) / len(errors), 4),
            "uncertainty_p50_s": round(statistics.median(sure for _, sure in decided), 2),
        }  # fmt: skip


def _nearest(file: Recorded) -> timedelta:
    return min(abs(one.at - file.start_at) for one in file.device.offsets)


def _was_set_unnoted(file: Recorded) -> bool:
    noted = {one.at for one in file.device.offsets if one.how == "set"}
    return any(step not in noted for step in file.device.clock.steps)


def links(pairs: Pairs) -> Iterator[dict[str, Any]]:
    """Links that stand by themselves; proposals, the first of each file; then each linker on its own."""
    made_up = [(file, known.links) for file, known in pairs]
    sure = [(file, one) for file, found in made_up for one in found if one.status == "confirmed"]
    yield {
        "what": "links", "of": "without a person", "links": len(sure),
        "precision": _share(_is_right(file, one) for file, one in sure),
        "recall": _share(
            any(one.status == "confirmed" for one in found) for file, found in made_up if file.is_explicit
        ),
    }  # fmt: skip
    open_ = [(file, found) for file, found in made_up if file.case and not file.is_explicit]
    yield {
        "what": "links", "of": "proposals", "files": len(open_),
        "right_first": _share(_is_right(file, found[0]) for file, found in open_ if found),
        "right_among": _share(any(_is_right(file, one) for one in found) for file, found in open_ if found),
        "recall": _share(bool(found) for _, found in open_),
        "of_no_case": sum(bool(found) for file, found in made_up if not file.case),
    }  # fmt: skip
    methods = Counter(one.method for _, found in made_up for one in found)
    for method, count in sorted(methods.items()):
        by = [(file, one) for file, found in made_up for one in found if one.method == method]
        yield {
            "what": "linker", "of": method, "links": count,
            "precision": _share(_is_right(file, one) for file, one in by),
            "recall": round(len({file.name + file.folder for file, one in by if _is_right(file, one)})
                            / max(1, sum(bool(file.case) for file, _ in pairs)), 4),
        }  # fmt: skip


def gaps(home: Home, bureau: Bureau) -> Iterator[dict[str, Any]]:
    """Gaps of half a minute and more, by their true class: how many there are and how many are found as that, at their
    place; and those found where there is none."""
    true, right, false = Counter[str](), Counter[str](), Counter[str]()
    rules, zone = steps_of(home.settings.home), home.settings.time.zone
    for case in sorted({task.case for task in bureau.tasks if task.case}):
        mine = [(file.start_at, file.end_at) for file in bureau.files if file.case == case]
        known = case_file(home.catalog, home.audit, case, zone=zone)
        for activity in known.activities:
            found = coverage_of(activity, known.shown, rules, (), known.seams).gaps
            open_ = [one for one in found if one.length_s >= LEAST_GAP_S]
            for from_at, to_at, kind in _holes(*ends_of(activity), mine):
                true[kind] += 1
                hits = [one for one in open_ if _shared_s(one, from_at, to_at) >= (to_at - from_at).total_seconds() / 2]
                right[kind] += any(one.kind == kind for one in hits)
                open_ = [one for one in open_ if one not in hits]
            false.update(one.kind for one in open_)
    for kind in sorted(true | false):
        yield {"what": "gaps", "of": kind, "true": true[kind], "found": right[kind], "false": false[kind]}


def _holes(
    first: datetime, last: datetime, shown: Sequence[tuple[datetime, datetime]]
) -> Iterator[tuple[datetime, datetime, str]]:
    """What none of these shows, worked out minute by minute and second by second, without the product's own union."""
    seconds = round((last - first).total_seconds())
    bare = bytearray(b"1" * seconds)
    for from_at, to_at in shown:
        begin, end = ((at - first).total_seconds() for at in (from_at, to_at))
        begin, end = (min(max(0, round(one)), seconds) for one in (begin, end))
        bare[begin:end] = b"0" * (end - begin)
    for run in re.finditer(rb"1+", bytes(bare)):
        if run.end() - run.start() >= LEAST_GAP_S:
            edge = run.start() == 0 or run.end() == seconds
            kind = "outside" if edge else "unexplained"
            yield first + timedelta(seconds=run.start()), first + timedelta(seconds=run.end()), kind


def _shared_s(gap: Gap, from_at: datetime, to_at: datetime) -> float:
    return (min(gap.to_at, to_at) - max(gap.from_at, from_at)).total_seconds()


def _is_right(file: Recorded, link: Any) -> bool:
    return file.case is not None and link.case_key == comparable(file.case)


def _share(answers: Iterator[bool] | Any) -> float | None:
    listed = list(answers)
    return round(sum(listed) / len(listed), 4) if listed else None
