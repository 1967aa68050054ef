"""Runs one stage for one original and records what it found: facts, event, state and next work in one transaction.

The only place that records facts. Running a turn twice gives the same rows; a worker that was taken for dead
records nothing, for its claim no longer holds.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from ulid import ULID

from pipeline.edges.audit import NewEvent
from pipeline.edges.database import history, knowledge, registers
from pipeline.edges.database.decisions import DECIDED
from pipeline.edges.database.knowledge import Recorded
from pipeline.edges.host.disk import passing_folder
from pipeline.edges.jobs import Claim, Jobs
from pipeline.errors import CustodyBroken, Superseded, TryAgain, Unreadable
from pipeline.records import CaseLink, Caveat, Derivative, Facts, Known
from pipeline.stage import Context, Stage, Turn

if TYPE_CHECKING:
    from pipeline.edges.tools import Ran

logger = logging.getLogger(__name__)

# Originals that are looked at anew in one transaction.
TOGETHER: Final = 200
# What a kind needs before a reviewer can look at it.
VIEWS: Final = {"video": "proxy", "audio": "proxy", "photo": "view"}
# A sidecar that comes late, or a recording that comes after its sidecar, is timed and linked anew.
AFTER_SIDECARS: Final = ("timestamps", "link", "index")
# What another file of the same recording is linked to may be its case too.
AFTER_LINKS: Final = ("link", "index")


def advance(turns: Sequence[Turn], original_id: str, lane: str, context: Context, jobs: Jobs) -> None:
    """Every turn of the lane that waits is done, in order, those too that come to wait meanwhile.

    Returns early where a turn must be put off (the lane is queued again for later) or was taken over.
    """
    while True:
        for turn in turns:
            if turn.lane == lane and not _take_turn(turn, original_id, context, jobs):
                return
        with context.catalog.transaction() as connection:
            if jobs.waiting_in(connection, original_id, lane):
                continue
            if lane == "heavy":
                _rest(original_id, connection, jobs)
        context.audit.make_durable(context.catalog.last_event())
        return


def _take_turn(turn: Turn, original_id: str, context: Context, jobs: Jobs) -> bool:
    """Whether the lane may go on to its next turn."""
    claim = jobs.begin(original_id, turn.lane, turn.stage.name)
    if claim is None:
        return True
    try:
        with passing_folder(context.scratch) as scratch:
            _run_turn(turn, claim, replace(context, scratch=scratch), jobs)
    except Superseded:
        logger.info("job %s was cancelled, taken over or made to wait anew", claim.job)
        return jobs.may_go_on(claim)
    except TryAgain as error:
        return not _put_off(claim, error, context, jobs)
    return True


def renew(
    stage: Stage, originals: Sequence[str], context: Context, jobs: Jobs, moved: Callable[[int], None] = lambda _: None
) -> set[str]:
    """Those of these originals for which the stage now finds other facts than it recorded; they are recorded.

    For what other originals or the registers say may have changed, while the bytes did not. Those whose turn waits
    or is at work are left to it, and it begins anew. moved: is told of originals looked at.
    """
    changed, seq = set[str](), 0
    for first in range(0, len(originals), TOGETHER):
        known = context.catalog.known_of_many(originals[first : first + TOGETHER])
        found = {one.original.id: facts for one in known if _is_other(stage, one, facts := stage.run(one, context))}
        with context.catalog.transaction() as connection:
            # Who is at it now may have looked before the change.
            jobs.begin_anew(connection, [one.original.id for one in known], stage.name)
            lanes = jobs.rested(connection, list(found), stage.name)
            _time_anew(connection, {one: found[one] for one in lanes}, jobs)
            events = [_event(stage, lane, jobs.worker_id, one, found[one], ()) for one, lane in lanes.items()]
            numbers = context.audit.record(connection, events)
            told = zip(lanes.items(), numbers, strict=True)
            knowledge.record_all(
                connection, [Recorded(one, f"{lane}-{stage.name}", found[one], at) for (one, lane), at in told]
            )
            seq = numbers[-1] if numbers else seq
            seq = _measure(connection, {one: found[one] for one in lanes}, context, jobs) or seq
        changed |= lanes.keys()
        moved(len(known))
    context.audit.make_durable(seq)
    return changed


def _is_other(stage: Stage, known: Known, facts: Facts) -> bool:
    """Whether these facts differ from those of this stage that are known: properties, time, links and caveats."""

    def is_mine(finder: str) -> bool:
        return finder.partition("/")[0] == stage.name

    return (
        {one.name: one for one in known.properties.values() if is_mine(one.finder)}
        != {one.name: one for one in facts.properties}
        or (stage.name == "timestamps" and facts.time != known.time)
        or bool(facts.offsets)
        or (stage.name == "link" and _undecided(known.links, known) != _undecided(facts.links, known))
        or {one for one in known.caveats if is_mine(one.finder)} != set(facts.caveats)
    )


def _undecided(links: Sequence[CaseLink], known: Known) -> set[CaseLink]:
    """Those of these links about whose case no person decided."""
    decided = {link.case_key for link in known.links if link.finder == DECIDED}
    return {link for link in links if link.case_key not in decided}


def _run_turn(turn: Turn, claim: Claim, context: Context, jobs: Jobs) -> None:
    if jobs.is_deadly(claim):
        _fail(turn, claim, f"the worker ended {claim.deaths} times while doing this", None, context, jobs)
        return
    known = context.catalog.known_of(claim.original)
    with context.tools.noting() as ran:
        try:
            with jobs.progressing(claim) as told:
                held = replace(context, still_wanted=lambda: jobs.require_held(claim), progress=told)
                facts = turn.stage.run(known, held)
        except (Superseded, TryAgain):
            raise
        except CustodyBroken as error:
            _fail(turn, claim, error.sentence, None, context, jobs, state="failed_custody")
        except Unreadable as error:
            facts = Facts(caveats=(_unreadable(turn, error),))
            _record(turn, claim, known, facts, context, jobs, detail=_detail(turn, context, error.sentence, ran))
        except Exception as error:
            logger.exception("job %s failed", claim.job)
            detail = _detail(turn, context, traceback.format_exc(), ran)
            _fail(turn, claim, f"{type(error).__name__}: {error}", detail, context, jobs)
        else:
            _record(turn, claim, known, facts, context, jobs)


def _detail(turn: Turn, context: Context, said: str, ran: Sequence[Ran]) -> str:
    """What an operator needs: versions, the very commands with their ends, and what was said last."""
    versions = f"{turn.stage.name}/{turn.stage.version}" + (f", {context.tools.version}" if ran else "")
    return "\n\n".join([versions, *(one.told() for one in ran), said.rstrip()])


def _record(
    turn: Turn, claim: Claim, known: Known, facts: Facts, context: Context, jobs: Jobs, detail: str | None = None
) -> None:
    derivatives = [_kept(made, known, turn, context) for made in facts.made]
    catalog, audit = context.catalog, context.audit
    event = _event(turn.stage, turn.lane, jobs.worker_id, claim.original, facts, derivatives)
    with catalog.transaction() as connection:
        jobs.finish(connection, claim, "done", version=turn.stage.version, detail=detail)
        if facts.parent is not None:
            # A sidecar may say when its recording was made. Before the log's head is locked, as everywhere.
            jobs.again(connection, facts.parent, "light", AFTER_SIDECARS)
        if facts.is_retimed:
            jobs.again(connection, claim.original, "light", AFTER_SIDECARS)
        _time_anew(connection, {claim.original: facts}, jobs)
        for other in facts.again:
            jobs.again(connection, other, "light", AFTER_LINKS)
        if turn.stage.name == "timestamps":
            # Before these facts are recorded, for it is by the difference that others are stirred.
            for one in history.stirred(connection, known, facts):
                jobs.again(connection, one, "light", AFTER_SIDECARS)
        [seq] = audit.record(connection, [event])
        knowledge.record(connection, claim.original, turn.name, facts, seq)
        _measure(connection, {claim.original: facts}, context, jobs)
        replaced = knowledge.add_derivatives(connection, claim.original, turn.name, derivatives)
        if turn.stage.name == "probe" and known.original.kind != "sidecar":
            knowledge.adopt(connection, claim.original, catalog.orphan_sidecars(connection, known), seq)
        if turn.name == "light-index":
            _become_searchable(claim.original, connection, jobs)
    for path in replaced:
        context.vault.drop_derivative(path)


def _time_anew(connection: sa.Connection, found: Mapping[str, Facts], jobs: Jobs) -> None:
    """The other recordings of devices of whose clock these facts tell are timed and linked anew."""
    devices = {offset.device for facts in found.values() for offset in facts.offsets}
    for device in sorted(devices):
        for one in registers.made_by(connection, device):
            if one not in found:
                jobs.again(connection, one, "light", AFTER_SIDECARS)


def _measure(connection: sa.Connection, found: Mapping[str, Facts], context: Context, jobs: Jobs) -> int | None:
    """What these facts tell of clocks is registered; the number of its last event, None where they tell nothing."""
    told = [(original, offset) for original, facts in found.items() for offset in facts.offsets]
    for _, offset in told:
        registers.put(connection, offset)
    events = [replace(registers.event_of(jobs.worker_id, offset), original=original) for original, offset in told]
    return context.audit.record(connection, events)[-1] if events else None


def _kept(made: Any, known: Known, turn: Turn, context: Context) -> Derivative:
    path, digest, size = context.vault.keep_derivative(known.original.sha256, made.role, made.path)
    return Derivative(
        id=str(ULID()),
        original=known.original.id,
        role=made.role,
        mime=made.mime,
        path=path,
        sha256=digest,
        size_bytes=size,
        tool=made.tool,
        parameters={**made.parameters, "parent_sha256": known.original.sha256},
        finder=made.finder or f"{turn.stage.name}/{turn.stage.version}",
    )


def _event(
    stage: Stage, lane: str, actor: str, original: str, facts: Facts, derivatives: Sequence[Derivative]
) -> NewEvent:  # fmt: skip
    told = {"version": stage.version, "lane": lane, **_told(facts, derivatives)}
    return NewEvent(type=f"stage.{stage.name}", actor=actor, original=original, facts=told)


def _told(facts: Facts, derivatives: Sequence[Derivative]) -> dict[str, Any]:
    """What the event says of the facts: enough to follow the work, not the content."""
    told: dict[str, Any] = {
        "properties": len(facts.properties),
        "time_claims": len(facts.time_claims),
        "caveats": sorted({caveat.code for caveat in facts.caveats}),
        "fingerprints": [f"{one.method}/{one.version}" for one in facts.fingerprints],
    }
    if facts.time is not None:
        told["time"] = {
            "start": facts.time.start_at.isoformat(), "end": facts.time.end_at.isoformat(),
            "uncertainty_s": facts.time.uncertainty_s, "method": facts.time.method, "source": facts.time.source,
        }  # fmt: skip
    if facts.links:
        told["links"] = [
            {"case": link.case, "method": link.method, "score": link.score, "status": link.status}
            for link in facts.links
        ]
    if derivatives:
        told["derivatives"] = [{"role": one.role, "sha256": one.sha256, "tool": one.tool} for one in derivatives]
    return {key: value for key, value in told.items() if value}


def _unreadable(turn: Turn, error: Unreadable) -> Caveat:
    return Caveat(
        code=f"no_{turn.stage.name}",
        text=f"{turn.stage.name}: {error.sentence}",
        text_zh=f"此步骤（{turn.stage.name}）无法读取该文件：{error.zh or error.sentence}",
        finder=f"{turn.stage.name}/{turn.stage.version}",
    )


def _fail(
    turn: Turn, claim: Claim, reason: str, detail: str | None, context: Context, jobs: Jobs, state: str | None = None
) -> None:
    caveat = Caveat(
        code="step_failed",
        text=f"The step '{turn.stage.name}' failed; the original is safe, an operator can try again",
        text_zh=f"“{turn.stage.name}”步骤失败；原始文件安全，操作员可重试",
        finder=f"{turn.stage.name}/{turn.stage.version}",
    )
    event = NewEvent(
        type="job.failed", actor=jobs.worker_id, original=claim.original, outcome="failed",
        facts={"job": claim.job, "reason": reason[:500]},
    )  # fmt: skip
    with context.catalog.transaction() as connection:
        jobs.finish(connection, claim, "failed", reason=reason[:2000], detail=detail)
        [seq] = context.audit.record(connection, [event])
        facts = Facts(caveats=(caveat,), state=state)
        knowledge.record(connection, claim.original, turn.name, facts, seq)
        if turn.name == "light-index":
            _become_searchable(claim.original, connection, jobs)


def _become_searchable(original_id: str, connection: sa.Connection, jobs: Jobs) -> None:
    """The light lane is through: the heavy one is queued where it waits, else the original comes to rest again."""
    state, kind, _ = knowledge.standing(connection, original_id)
    if state == "failed_custody":
        return
    if jobs.waiting_in(connection, original_id, "heavy"):
        knowledge.set_state(connection, original_id, "searchable")
        jobs.enqueue(connection, original_id, "heavy", kind=kind)
    else:
        _rest(original_id, connection, jobs)


def _rest(original_id: str, connection: sa.Connection, jobs: Jobs) -> None:
    state, kind, roles = knowledge.standing(connection, original_id)
    if state != "failed_custody" and not jobs.waiting_in(connection, original_id, "heavy"):
        clean = jobs.none_failed(connection, original_id)
        knowledge.set_state(connection, original_id, resting_state(kind, roles, clean))


def _put_off(claim: Claim, error: TryAgain, context: Context, jobs: Jobs) -> bool:
    """The job waits and its lane is queued for later; False where its attempts are used up and it failed.

    A full disk uses up no attempts: the job waits until somebody makes room.
    """
    delay_s = 60.0 if error.fields.get("room") else jobs.retry_delay_s(claim)
    if delay_s is None:
        with context.catalog.transaction() as connection:
            jobs.finish(connection, claim, "failed", reason=error.sentence)
            context.audit.record(
                connection,
                [NewEvent(type="job.failed", actor=jobs.worker_id, original=claim.original, outcome="failed",
                          facts={"job": claim.job, "reason": error.sentence[:500]})],
            )  # fmt: skip
        return False
    with context.catalog.transaction() as connection:
        jobs.finish(connection, claim, "waiting", reason=error.sentence)
        jobs.again(connection, claim.original, claim.lane, [claim.stage], delay_s=delay_s)
    return True


def resting_state(kind: str, roles: frozenset[str], none_failed: bool) -> str:
    """`ready` where all its work is done and a reviewer can look at it, else `attention`.

    roles: of its derivatives. A document, a sidecar or a file of unknown kind needs no view to be ready.
    """
    return "ready" if none_failed and (kind not in VIEWS or VIEWS[kind] in roles) else "attention"
