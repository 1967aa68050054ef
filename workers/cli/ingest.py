"""Takes files or trees into custody now."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from workers.cli import SOME_FAILED, App, app_of

if TYPE_CHECKING:
    from pipeline.custody.accession import Accession, Candidate, Receipt
    from pipeline.records import Stated
    from workers.bootstrap import Home

AT_REST = frozenset({"ready", "attention", "failed_custody"})


@click.command(short_help="Take files or folders into custody now.")
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--wait", is_flag=True, help="Run the pipeline to its end for these files.")
@click.option("--accept-partial", is_flag=True, help="Take what can be read of files on a failing card; flagged.")
@click.option("--case", "case_number", help="The case they belong to.")
@click.option("--activity", help="The enforcement step they show.")
@click.option("--device", help="The device that recorded them.")
@click.option("--officer", help="Who recorded them.")
def ingest(
    paths: tuple[Path, ...],
    wait: bool,
    accept_partial: bool,
    case_number: str | None,
    activity: str | None,
    device: str | None,
    officer: str | None,
) -> int:
    """Copies files or whole folders into custody; a source is never moved, changed or deleted.

    Example: casereel ingest /media/card --wait --case 平商务罚字〔2021〕第3号
    """
    from pipeline.records import Stated
    from workers.bootstrap import build_accession, build_jobs, home

    app = app_of()
    stated = Stated(case=case_number, activity=activity, device=device, officer=officer)
    with home(app.settings) as built:
        jobs = build_jobs(built)
        try:
            candidates = list(_candidates(paths, built, stated, accept_partial))
            receipts = _take(app, build_accession(built, jobs), candidates)
        finally:
            jobs.close()
        states = _wait(app, built, receipts) if wait else _states(built, receipts)
        return _print(app, receipts, states)


def _candidates(paths: Sequence[Path], built: Home, stated: Stated, partial: bool) -> Iterator[Candidate]:
    """Every file named or below a named folder, without what systems leave lying about.

    A named folder may be a link, for a person named it; below it none is followed. What is no file, and a folder
    that cannot be entered, is a candidate too: taking it refuses it by name.
    """
    from pipeline.custody.accession import Candidate
    from pipeline.custody.settle import is_ignored
    from pipeline.edges.host.handles import Found, Identity, OpenFolder

    def skip(name: bytes) -> bool:
        return is_ignored([os.fsdecode(name)], built.settings.watch.ignore)

    # What lies in a watched folder comes from there, be it given here: the watcher does not take it once more.
    roots = built.settings.watched

    def candidate(path: Path, below: Path, found: Found | None = None) -> Candidate:
        source, root = next(
            ((name, one) for name, one in roots.items() if path.is_relative_to(one)), ("ingest", Path(path.anchor))
        )
        status = found.status if found is not None else None
        return Candidate(
            path=path, root=root, source=source, stated=stated, below=below, partial=partial,
            seen=Identity.of(status) if status is not None and stat.S_ISREG(status.st_mode) else None,
            first_seen_s=time.monotonic(), fault=found.fault if found is not None else None,
        )  # fmt: skip

    for path in (one.absolute() for one in paths):
        if not path.is_dir():
            yield candidate(path, path.parent)
            continue
        with OpenFolder(path, other_disks=built.settings.intake.other_disks) as folder:
            for found in folder.files(skip):
                yield candidate(path / os.fsdecode(found.name), path, found)


def _take(app: App, accession: Accession, candidates: list[Candidate]) -> list[Receipt]:
    from pipeline.custody.accession import BATCH_FILES

    receipts: list[Receipt] = []
    total = sum(one.size_bytes for one in candidates)
    with app.progress(total, app.in_words("接收", "taking in")) as moved:
        for first in range(0, len(candidates), BATCH_FILES):
            receipts += accession.take(candidates[first : first + BATCH_FILES], moved)
    return receipts


def _states(built: Home, receipts: Sequence[Receipt]) -> dict[str, str]:
    return built.catalog.states_of([one.original for one in receipts if one.original])


def _wait(app: App, built: Home, receipts: Sequence[Receipt]) -> dict[str, str]:
    from workers.work import working

    ids = sorted({one.original for one in receipts if one.original})
    with working(built), app.progress(len(ids), app.in_words("处理", "working")) as moved:
        done = 0
        while True:
            states = built.catalog.states_of(ids)
            resting = {one for one, state in states.items() if state in AT_REST} - built.catalog.at_work(ids)
            moved(len(resting) - done)
            done = len(resting)
            if done == len(ids):
                return states
            time.sleep(0.25)


def _reason(app: App, one: Receipt) -> str:
    from pipeline.custody.accession import SAME_BYTES
    from pipeline.custody.refusals import told_of

    reason = one.reason or ""
    if one.status == "rejected":
        return app.in_words(told_of(reason).why_zh, reason)
    return app.in_words(f"与 {reason.removeprefix(SAME_BYTES)} 内容相同", reason)


def _line(app: App, one: Receipt, state: str) -> str:
    from indexer.naming import Lang, named

    lang: Lang = "zh" if app.lang == "zh" else "en"
    status, held = named(lang, "taken", one.status), named(lang, "state", state)
    # A Chinese character is two columns wide.
    first = app.in_words(status + "  " * (3 - len(status)), f"{status:9}")
    then = app.in_words(held + "  " * (4 - len(held)), f"{state:10}")
    return f"{first}  {then}  {one.original or '-':26}  {one.path}" + (f"  ({_reason(app, one)})" if one.reason else "")


def _print(app: App, receipts: Sequence[Receipt], states: dict[str, str]) -> int:
    failed = 0
    for one in receipts:
        state = states.get(one.original or "", "received")
        failed += one.status == "rejected" or state == "failed_custody"
        data = {
            "path": one.path, "status": one.status, "original": one.original, "sha256": one.sha256,
            "size": one.size_bytes, "reason": one.reason, "state": state,
        }  # fmt: skip
        app.emit(
            data,
            _line(app, one, state),
        )
    if not app.as_json:
        new, again, refused = (
            sum(one.status == status for one in receipts) for status in ("accepted", "duplicate", "rejected")
        )
        app.note(
            app.in_words(
                f"收到 {len(receipts)} 个文件：新 {new}，重复 {again}，未收 {refused}",
                f"{len(receipts)} files: {new} new, {again} duplicate, {refused} rejected",
            )
        )
    return SOME_FAILED if failed else 0


COMMAND = ingest
