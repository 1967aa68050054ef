"""Taking a bureau's own table into a register, as `device import` and `case import` do."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workers.cli import SOME_FAILED, App, app_of
from workers.cli._persons import allowed

if TYPE_CHECKING:
    from pipeline.records import Relative
    from pipeline.registers.columns import Register
    from pipeline.registers.keeping import Plan
    from workers.bootstrap import Home

WORDS = {
    "new": ("新增", "new"),
    "changed": ("变更", "changed"),
    "same": ("未变", "same"),
    "refused": ("拒绝", "refused"),
}
NAMES = {
    "devices": ("设备", "devices"),
    "persons": ("人员", "persons"),
    "ledger": ("领用台账", "ledger"),
    "cases": ("案件", "cases"),
    "activities": ("执法活动", "activities"),
}


def take_in(file: Path, register: str | None, among: Iterable[Register], dry_run: bool, as_: str | None) -> int:
    """Reads the table, tells what it would do or does it, and links anew what it touches; the exit code."""
    from pipeline.registers.columns import columns_of, register_of
    from pipeline.registers.keeping import Registers
    from pipeline.registers.rows import records_of
    from pipeline.timing.claiming import zone_of
    from workers.bootstrap import home

    app = app_of()
    with home(app.settings) as built:
        # Who sits at this machine's own command line is its administrator.
        actor = allowed(built, as_, "register").name if as_ else built.actor
        rows = _rows_of(built, file)
        chosen: Any = register or register_of(built.settings.home, rows, among)
        reads, remarks = records_of(chosen, rows, columns_of(built.settings.home, chosen), zone_of(built.settings))
        kept = Registers(built.catalog, built.audit)
        if dry_run:
            plan, linked = kept.plan(chosen, reads, remarks), 0
        else:
            source = {"name": file.name, "sha256": hashlib.sha256(file.read_bytes()).hexdigest()}
            plan = kept.take_in(actor, chosen, reads, remarks, source)
            linked = looked_at_anew(app, built, kept.touched(plan), times_too=chosen == "devices")
    _tell(app, plan, dry_run, linked)
    return SOME_FAILED if plan.count("refused") else 0


def _rows_of(built: Home, file: Path) -> list[list[str]]:
    from pipeline.edges.caged.worksheets import rows_in
    from pipeline.edges.tools import Tools
    from pipeline.errors import BadInput, Unreadable

    source = file.absolute()
    tools = Tools(built.settings.media.ffmpeg, built.settings.media.cage)
    tools.start()
    try:
        found: list[list[str]] = tools.call(rows_in, str(source), reads=[source])
        return found
    except Unreadable as error:
        zh = f"无法读取“{file.name}”：{error.zh or error.sentence}"
        raise BadInput(f"'{file.name}' cannot be read: {error.sentence}", zh=zh, path=str(file)) from error
    finally:
        tools.close()


def looked_at_anew(app: App, built: Home, originals: list[str], *, times_too: bool) -> int:
    """How many originals have other links, or other times, for what was registered."""
    from pipeline.advance import renew
    from pipeline.neighbours import Neighbours
    from pipeline.stages import link, timestamps
    from workers.bootstrap import build_context, build_follower, build_jobs

    if not originals:
        return 0
    context, scratch = build_context(built, at_once=True)
    # No register changes what recordings share with one another: that is not sought again.
    context = replace(context, relatives=lambda known: _recorded(built, known.relatives))
    jobs = build_jobs(built)
    try:
        changed: set[str] = set()
        for stage in (timestamps.STAGE, link.STAGE) if times_too else (link.STAGE,):
            # What lies around each is read once for all; times and devices may be others after the first stage.
            context = replace(context, neighbours=Neighbours(built.catalog, at_once=True).of)
            with app.progress(len(originals), app.in_words("重新判定", "looking anew")) as moved:
                changed |= renew(stage, originals, context, jobs, moved)
        if changed:
            around = Neighbours(built.catalog, at_once=True)
            unsettled = sorted(around.unsettled(sorted(changed)))
            changed |= renew(link.STAGE, unsettled, replace(context, neighbours=around.of), jobs)
        build_follower(built).follow()
        return len(changed)
    finally:
        jobs.close()
        context.tools.close()
        scratch.close()


def _recorded(built: Home, relatives: Sequence[Relative]) -> list[Relative]:
    """These, each with the links that its original has now."""
    if not relatives:
        return []
    others = {one.original.id: one.links for one in built.catalog.known_of_many([one.original for one in relatives])}
    return [replace(one, links=others[one.original]) for one in relatives]


def _tell(app: App, plan: Plan, dry_run: bool, linked: int) -> None:
    counts = {state: plan.count(state) for state in WORDS}
    remarks = [{"row": one.row, "refused": one.refused, "text": one.en, "text_zh": one.zh} for one in plan.remarks]
    for one in plan.remarks:
        app.note(f"{app.in_words(f'第 {one.row} 行', f'row {one.row}')}: {app.in_words(one.zh, one.en)}")
    data = {"register": plan.register, "dry_run": dry_run, **counts, "linked_anew": linked, "remarks": remarks}
    words = app.in_words("，", ", ").join(f"{app.in_words(*WORDS[state])} {count}" for state, count in counts.items())
    head = app.in_words(*NAMES[plan.register])
    head += app.in_words("（试运行，未写入）", " (dry run, nothing was written)") if dry_run else ""
    colon, apart = app.in_words("：", ": "), app.in_words("；", "; ")
    app.emit(data, f"{head}{colon}{words}{apart}" + app.in_words(f"重新关联 {linked}", f"linked anew {linked}"))
