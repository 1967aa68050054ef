"""Holds, retention and disposal: every deed with its event in one transaction, and the one place that lets bytes go.

The unlinking: the disposal is marked `begun` after everything was asked anew; then the vault prepares the tombstone and
takes its last look, which takes the catalog's write lock (as every hold does), asks everything once more, and keeps
the lock until the bytes are unlinked and the disposal is `done`. So a hold either comes before and wins, or waits and
finds the original gone. A death at any place leaves `begun`: the next run asks again, and where a hold came meanwhile
the vault takes the original back.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any, Protocol

import sqlalchemy as sa
from ulid import ULID

from pipeline import case_numbers
from pipeline.clock import Clock
from pipeline.custody import retention
from pipeline.custody.retention import Linked, Standing, Subject
from pipeline.custody.retention_rules import Rules
from pipeline.edges import failpoint
from pipeline.edges.audit import AuditLog, NewEvent
from pipeline.edges.catalog import Catalog
from pipeline.edges.database import disposals, filed, isolations
from pipeline.edges.database.clockwatch import ClockWatch
from pipeline.edges.database.rows import plain_of
from pipeline.errors import BadInput, NotAllowed
from pipeline.records import Disposal, Hold, Person, Retained

DISPOSAL = ("处置", "A disposal")
RELEASE = ("解除冻结", "Releasing a hold")
# What is isolated stays in custody, whatever else is said.
_ISOLATED = Hold(
    id="isolated", original=None, case_key=None, printed=None, kind="hold", reason="-", by="-", role="",
    from_at=datetime.fromtimestamp(0, UTC),
)  # fmt: skip


class DisposingVault(Protocol):
    """What is asked of the vault."""

    def has(self, sha256: str) -> bool: ...

    def purge(
        self, sha256: str, tombstone: Mapping[str, Any], *, last_look: Callable[[], None] = lambda: None
    ) -> None: ...

    def take_back(self, sha256: str) -> bool: ...

    def add_version(self, sha256: str, files: Mapping[str, bytes], *, message: str, actor: str) -> int: ...

    def derivative_files(self, sha256: str) -> list[str]: ...

    def drop_derivative(self, place: str) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How one disposal ended in a run: `done`, `waits` or `stopped`; why: (Chinese, English)."""

    disposal: Disposal
    name: str
    ended: str
    why: tuple[tuple[str, str], ...] = ()


class _Stopped(Exception):
    """Something speaks against a disposal that has begun."""

    def __init__(self, why: Sequence[tuple[str, str]]) -> None:
        super().__init__(why)
        self.why = tuple(why)


class Retention:
    """What one home keeps, and lets go.

    checkpoint: gives the note that covers the log up to now, None where nothing is signed.
    """

    def __init__(
        self, vault: DisposingVault, catalog: Catalog, audit: AuditLog, watch: ClockWatch, rules: Rules,
        *, checkpoint: Callable[[], str | None] = lambda: None,
    ) -> None:  # fmt: skip
        self._vault, self._catalog, self._audit = vault, catalog, audit
        self._watch, self.rules, self._checkpoint = watch, rules, checkpoint
        self._noted: dict[str, bytes] = {}

    # -- looking

    def standings(self, ids: Sequence[str] | None = None, rules: Rules | None = None) -> list[Standing]:
        """How these originals stand, or all that are here. rules: others than those in force, for a dry run."""
        clock = self._watch.look()
        with self._catalog.snapshot() as connection:
            return self._standings(connection, ids, clock, rules or self.rules)

    def near_their_floor(self) -> list[Standing]:
        """The worklist: originals of no case whose floor ends soon or has ended."""
        return retention.near_their_floor(self.standings(), self.rules, self._watch.look().latest)

    def let_go_by(self, other: Rules) -> list[tuple[Standing, Standing]]:
        """(now, then) of every original that may not go now and could under the other rules, or is kept less long."""
        clock = self._watch.look()
        with self._catalog.snapshot() as connection:
            now = self._standings(connection, None, clock, self.rules)
            then = self._standings(connection, None, clock, other)
        return [
            (one, two) for one, two in zip(now, then, strict=True)
            if (two.may_go and not one.may_go)
            or (two.until_at is not None and (one.until_at is None or two.until_at < one.until_at))
        ]  # fmt: skip

    def holds(self, *, all_: bool = False) -> list[Hold]:
        """Holds in force, or every one there ever was."""
        with self._catalog.snapshot() as connection:
            return disposals.holds(connection) if all_ else disposals.holds_in_force(connection)

    def disposals(self, *, all_: bool = False) -> list[Disposal]:
        """Disposals that are not ended, or all."""
        with self._catalog.snapshot() as connection:
            return disposals.disposals(connection, None if all_ else disposals.OPEN)

    def _standings(
        self, connection: sa.Connection, ids: Sequence[str] | None, clock: Clock, rules: Rules
    ) -> list[Standing]:
        rows, isolated = disposals.originals(connection, ids), isolations.among(connection)
        if ids is None:
            rows = [row for row in rows if row.id not in isolated]
        parents = disposals.originals(connection, {row.parent for row in rows if row.parent})
        everyone = None if ids is None else [row.id for row in (*rows, *parents)]
        links, held = disposals.links_of(connection, everyone), disposals.held_cases(connection)
        by_original, by_case = disposals.decisions_in_force(connection)
        own_holds = disposals.holds_in_force(connection)

        def subject_of(row: Any, parent: Subject | None) -> Subject:
            cases = links.get(row.id, [])
            return Subject(
                original=row.id, name=row.name, state=row.state, accepted_at=row.accepted_at,
                decision=by_original.get(row.id), parent=parent,
                cases=tuple(Linked(case_key=key, printed=printed, decision=by_case.get(case))
                            for case, key, printed in cases),
                holds=(*([_ISOLATED] if row.id in isolated else []),
                       *(hold for hold in own_holds if hold.original == row.id),
                       *(hold for case, _, _ in cases for hold in held.get(case, ()))),
            )  # fmt: skip

        above = {row.id: subject_of(row, None) for row in parents if row.state != "disposed"}
        return [retention.standing_of(subject_of(row, above.get(row.parent)), rules, clock.earliest) for row in rows]

    # -- holds

    def place_hold(
        self, person: Person, reason: str, *, original: str | None = None, case: str | None = None, kind: Any = "hold"
    ) -> tuple[Hold, list[str]]:
        """A hold is in force; beside it the originals for which it came too late.

        case: a case's number; originals linked to it later are held too. Raises BadInput where the original is gone.
        """
        key, printed = _case_named(case)
        clock = self._watch.look()
        with self._audit.alone(self._catalog) as connection:
            if original is not None:
                self._require_here(connection, original)
            hold = Hold(
                id=str(ULID()), original=original, case_key=key, printed=printed, kind=kind, reason=_said(reason),
                by=person.name, role=person.role, from_at=clock.wall_at,
            )  # fmt: skip
            seq = self._record(connection, "hold.placed", person.name, hold)
            too_late = [] if original is None else self._begun_among(connection, [original])
            if key is not None:
                case_id = disposals.case_with(connection, key)
                linked = [one for one, cases in disposals.links_of(connection).items()
                          if any(found == case_id for found, _, _ in cases)]  # fmt: skip
                too_late = self._begun_among(connection, linked)
        self._audit.make_durable(seq)
        failpoint.at("hold.placed")
        return hold, [one for one, sha256 in too_late if not self._is_back(sha256)]

    def _begun_among(self, connection: sa.Connection, ids: Sequence[str]) -> list[tuple[str, str]]:
        begun = {one.original for one in disposals.disposals(connection, ["begun"])}
        return [(row.id, row.sha256) for row in disposals.originals(connection, [one for one in ids if one in begun])]

    def _is_back(self, sha256: str) -> bool:
        """Whether the original of a disposal that was cut off is, or is now again, in the vault."""
        # The second look: a run that waited for nobody may have put it back while this waited for the vault.
        return self._vault.has(sha256) or self._vault.take_back(sha256) or self._vault.has(sha256)

    def release_hold(self, hold_id: str, person: Person, reason: str) -> Hold:
        """The release is asked for by the first person, and done by the second; the hold as it is then.

        Raises NotAllowed where both are one person, or the asking is too old.
        """
        clock = self._watch.look()
        with self._audit.alone(self._catalog) as connection:
            hold = disposals.one(connection, Hold, hold_id)
            if hold.released_at is not None:
                raise BadInput(f"The hold {hold.id} was released already", zh="该冻结已解除", found=hold.id)
            if hold.release_asked_by is not None:
                retention.require_sure(clock.doubt)
            if hold.release_asked_by is None or hold.release_asked_at is None or self._is_stale(hold, clock):
                hold = replace(
                    hold, release_asked_by=person.name, release_asked_at=clock.earliest, release_reason=_said(reason)
                )
                seq = self._record(connection, "hold.release_asked", person.name, hold)
            else:
                retention.require_two(hold.release_asked_by, None, person, RELEASE)
                hold = replace(hold, released_by=person.name, released_at=clock.wall_at)
                seq = self._record(connection, "hold.released", person.name, hold)
        self._audit.make_durable(seq)
        return hold

    def _is_stale(self, hold: Hold, clock: Clock) -> bool:
        assert hold.release_asked_at is not None
        try:
            retention.require_fresh(hold.release_asked_at, clock.latest, self.rules, RELEASE)
        except NotAllowed:
            return True
        return False

    # -- classes

    def decide(
        self, person: Person, code: str, reason: str, *, original: str | None = None, case: str | None = None,
        from_on: date | None = None,
    ) -> Retained:  # fmt: skip
        """The original or the closed case is kept under this class from now on; an earlier decision is ended.

        from_on: the day the period is counted from; for a case it must be given (its decision or closing).
        """
        key, printed = _case_named(case)
        retention.require_class(self.rules, code, is_case=key is not None)
        if key is not None and from_on is None:
            raise BadInput(
                "Say from which day the period is counted (--from), as the case is closed",
                zh="请用 --from 给出结案日期",
            )
        clock = self._watch.look()
        with self._audit.alone(self._catalog) as connection:
            if original is not None:
                self._require_here(connection, original)
            decision = Retained(
                id=str(ULID()), original=original, case_key=key, printed=printed, code=code,
                from_on=None if from_on is None else from_on.isoformat(), reason=_said(reason), by=person.name,
                role=person.role, rules=self.rules.stamp, decided_at=clock.wall_at,
            )  # fmt: skip
            self._end_decision(connection, person, f"decided anew: {decision.id}", original, key, clock)
            seq = self._record(connection, "retention.decided", person.name, decision)
        self._audit.make_durable(seq)
        return decision

    def reopen(self, person: Person, reason: str, *, original: str | None = None, case: str | None = None) -> None:
        """The decision on this case or original is ended: what it kept is kept without end until there is another.

        Raises BadInput where none is in force.
        """
        key, _ = _case_named(case)
        clock = self._watch.look()
        with self._audit.alone(self._catalog) as connection:
            seq = self._end_decision(connection, person, _said(reason), original, key, clock)
            if seq is None:
                raise BadInput("No retention class is decided for it", zh="尚未确定保管类别", found=original or case)
        self._audit.make_durable(seq)

    def _end_decision(
        self, connection: sa.Connection, person: Person, why: str, original: str | None, key: str | None, clock: Clock
    ) -> int | None:
        case_id = None if key is None else disposals.case_with(connection, key)
        if original is None and case_id is None:
            return None
        before = disposals.decision_on(connection, original=original, case=case_id)
        if before is None:
            return None
        ended = replace(before, ended_at=clock.wall_at, ended_by=person.name, ended_why=why)
        return self._record(connection, "retention.ended", person.name, ended)

    # -- disposal

    def propose(self, originals: Sequence[str], person: Person, reason: str) -> list[Disposal]:
        """A disposal of each is proposed, all or none. Raises NotAllowed naming the first that must stay, and why."""
        clock = self._sure_clock()
        found, seq = [], 0
        with self._audit.alone(self._catalog) as connection:
            for standing in self._standings(connection, originals, clock, self.rules):
                if disposals.disposal_of(connection, standing.original, disposals.OPEN):
                    raise BadInput(f"A disposal of {standing.name} is under way", zh="该原件的处置已在办理",
                                   found=standing.original)  # fmt: skip
                if not standing.may_go or standing.until_at is None:
                    raise _must_stay(standing,
                                     why=[list(pair) for pair in standing.why])  # fmt: skip
                disposal = Disposal(
                    id=str(ULID()), original=standing.original, state="proposed", reason=_said(reason),
                    code=standing.code, until_at=standing.until_at, rules=self.rules.stamp, proposed_by=person.name,
                    proposed_role=person.role, proposed_at=clock.earliest,
                )  # fmt: skip
                seq = self._record(connection, "disposal.proposed", person.name, disposal)
                found.append(disposal)
        self._audit.make_durable(seq)
        return found

    def approve(self, disposal_id: str, person: Person) -> Disposal:
        """The disposal is approved; its cooling begins. Raises NotAllowed where this person or this day may not."""
        clock = self._sure_clock()
        with self._audit.alone(self._catalog) as connection:
            disposal = self._in_state(connection, disposal_id, ("proposed",))
            retention.require_two(disposal.proposed_by, disposal.proposed_role, person, DISPOSAL)
            retention.require_fresh(disposal.proposed_at, clock.latest, self.rules, DISPOSAL)
            [standing] = self._standings(connection, [disposal.original], clock, self.rules)
            if disposal.rules != self.rules.stamp:
                raise NotAllowed(
                    "The rules were changed since the proposal; propose it again", zh="规则已变更，请重新提出"
                )
            if disposals.came_since(connection, disposal.original):
                standing = replace(standing, why=(*standing.why, retention.CAME))
            if not standing.may_go:
                raise _must_stay(standing)
            disposal = replace(disposal, state="approved", approved_by=person.name, approved_role=person.role,
                               approved_at=clock.latest)  # fmt: skip
            seq = self._record(connection, "disposal.approved", person.name, disposal)
        self._audit.make_durable(seq)
        return disposal

    def cancel(self, disposal_id: str, person: Person, reason: str) -> Disposal:
        """The disposal is cancelled; anybody of those who may take part in one can do so until it has begun."""
        clock = self._watch.look()
        with self._audit.alone(self._catalog) as connection:
            disposal = self._in_state(connection, disposal_id, ("proposed", "approved"))
            disposal = replace(disposal, state="cancelled", ended_at=clock.wall_at, ended_by=person.name,
                               ended_why=_said(reason))  # fmt: skip
            seq = self._record(connection, "disposal.cancelled", person.name, disposal)
        self._audit.make_durable(seq)
        return disposal

    def run(self, actor: str) -> list[Outcome]:
        """Every approved disposal whose cooling is over is done or stopped; those cut off before go on.

        Raises TryAgain while the clock is in doubt and something waits.
        """
        with self._catalog.snapshot() as connection:
            waiting = disposals.disposals(connection, ["approved", "begun"])
        if not waiting:
            return []
        return [self._run_one(disposal.id, actor) for disposal in waiting]

    def _run_one(self, disposal_id: str, actor: str) -> Outcome:
        clock, seq = self._sure_clock(), 0
        why: Sequence[tuple[str, str]] = ()
        with self._audit.alone(self._catalog) as connection:
            disposal = disposals.one(connection, Disposal, disposal_id)
            [row] = disposals.originals(connection, [disposal.original])
            if disposal.state == "approved":
                confirmed_at = disposals.clock_confirmed_at(connection, disposal.original)
                if not retention.is_due(disposal, self.rules, clock.earliest, confirmed_at=confirmed_at):
                    due = retention.due_at(disposal.approved_at or clock.latest, self.rules, confirmed_at).isoformat()
                    return Outcome(disposal=disposal, name=row.name, ended="waits",
                                   why=((f"冷静期至 {due}", f"it cools until {due}"),))  # fmt: skip
                why = self._hindrances(connection, disposal, clock)
                if why:
                    disposal, seq = self._stop(connection, disposal, clock, actor, why)
                else:
                    disposal = replace(disposal, state="begun", begun_at=clock.wall_at)
                    seq = self._record(connection, "disposal.begun", actor, disposal)
        self._audit.make_durable(seq)
        failpoint.at("disposal.begun")
        if disposal.state == "stopped":
            return Outcome(disposal=disposal, name=row.name, ended="stopped", why=tuple(why))
        if disposal.state != "begun":
            return Outcome(disposal=disposal, name=row.name, ended=disposal.state)
        return self._unlink(disposal, row, actor)

    def _unlink(self, disposal: Disposal, row: Any, actor: str) -> Outcome:
        """The bytes go while the catalog's write lock is held, or the disposal is stopped and they stay."""
        certificate = self._certificate(disposal, row)
        with contextlib.ExitStack() as stack:
            held: list[sa.Connection] = []

            def last_look() -> None:
                connection = stack.enter_context(self._catalog.transaction())
                held.append(connection)
                now, clock = self._locked(connection, disposal)
                retention.require_sure(clock.doubt)
                why = list(self._hindrances(connection, now, clock))
                if now.state != "begun":
                    why.append((f"处置状态为 {now.state}", f"the disposal is {now.state}"))
                if why:
                    raise _Stopped(why)
                failpoint.at("disposal.last_look")

            try:
                self._vault.purge(row.sha256, certificate, last_look=last_look)
            except _Stopped as stopped:
                held.pop()
                stack.pop_all().close()
                return self._stopped(disposal, row, actor, stopped.why)
            failpoint.at("disposal.unlinked")
            connection = held[0] if held else stack.enter_context(self._catalog.transaction())
            now, clock = self._locked(connection, disposal)
            disposal, seq = self._done(connection, now, clock, certificate, actor)
            failpoint.at("disposal.recorded")
        self._audit.make_durable(seq)
        failpoint.at("disposal.done")
        for place in self._vault.derivative_files(row.sha256):
            self._vault.drop_derivative(place)
        return Outcome(disposal=disposal, name=row.name, ended="done")

    def _locked(self, connection: sa.Connection, disposal: Disposal) -> tuple[Disposal, Clock]:
        """Nobody records anything until the transaction ends; the disposal and the clock as they are now.

        Rows of jobs are locked before the log's head, here as everywhere: who waits for whom has no circle.
        """
        disposals.lock_work(connection, disposal.original)
        now = disposals.one(connection, Disposal, disposal.id)
        clock, _ = self._watch.look_within(connection)
        self._audit.record(connection, [])
        return now, clock

    def _done(
        self, connection: sa.Connection, now: Disposal, clock: Clock, certificate: Mapping[str, Any], actor: str
    ) -> tuple[Disposal, int]:
        if now.state != "begun":
            return now, 0
        done = replace(now, state="done", ended_at=clock.wall_at, ended_by=actor, certificate=certificate)
        seq = self._record(connection, "disposal.done", actor, done)
        disposals.erase(connection, done.original, seq)
        return done, seq

    def _stopped(self, disposal: Disposal, row: Any, actor: str, why: Sequence[tuple[str, str]]) -> Outcome:
        clock, seq = self._watch.look(), 0
        with self._audit.alone(self._catalog) as connection:
            now = disposals.one(connection, Disposal, disposal.id)
            if now.state == "begun":
                now, seq = self._stop(connection, now, clock, actor, why)
        self._audit.make_durable(seq)
        return Outcome(disposal=now, name=row.name, ended="stopped", why=tuple(why))

    def _stop(
        self, connection: sa.Connection, disposal: Disposal, clock: Clock, actor: str, why: Sequence[tuple[str, str]]
    ) -> tuple[Disposal, int]:
        stopped = replace(disposal, state="stopped", ended_at=clock.wall_at, ended_by=actor,
                          ended_why="; ".join(english for _, english in why))  # fmt: skip
        return stopped, self._record(connection, "disposal.stopped", actor, stopped)

    def _hindrances(self, connection: sa.Connection, disposal: Disposal, clock: Clock) -> Sequence[tuple[str, str]]:
        [standing] = self._standings(connection, [disposal.original], clock, self.rules)
        came = disposals.came_since(connection, disposal.original)
        return retention.hindrances(disposal, standing, self.rules, came=came)

    def _certificate(self, disposal: Disposal, row: Any) -> dict[str, Any]:
        with self._catalog.snapshot() as connection:
            at = disposals.entry_of(connection, "disposal.begun", disposal.original)
        said = plain_of(disposal)
        names = ("reason", "code", "rules", "proposed_by", "proposed_role", "proposed_at", "approved_by",
                 "approved_role", "approved_at", "begun_at")  # fmt: skip
        return {
            "disposal": disposal.id, "original": row.id, "name": row.name, "sha256": row.sha256, "sm3": row.sm3,
            "size_bytes": row.size_bytes, "kind": row.kind, "accepted_at": row.accepted_at.isoformat(),
            "kept_until": said["until_at"], **{name: said[name] for name in names},
            "approvals": [
                {"by": disposal.proposed_by, "role": disposal.proposed_role, "deed": "proposed",
                 "at": said["proposed_at"]},
                {"by": disposal.approved_by, "role": disposal.approved_role, "deed": "approved",
                 "at": said["approved_at"]},
            ],
            "log": at, "checkpoint": self._checkpoint(),
        }  # fmt: skip

    def confirm_clock(self, person: Person, reason: str) -> Clock:
        """The clock counts as right from now on."""
        return self._watch.confirm(person.name, {"role": person.role, "reason": _said(reason)})

    def look_at_clock(self) -> Clock:
        """The clock as it stands; a jump is in the log when this returns."""
        return self._watch.look()

    def clock_moved(self) -> bool:
        """Whether the clock moved by itself since it was last looked at; costs nothing."""
        return self._watch.glance()

    def note_in_vault(self, actor: str) -> int:
        """What keeps each original is also written beside its bytes; how many got a new version.

        For whoever has nothing but the vault; the log is what counts. Only what changed is written.
        """
        written = 0
        for sha256, said in self._to_note():
            data = (json.dumps(said, sort_keys=True, indent=1) + "\n").encode()
            if self._vault.has(sha256) and self._noted.get(sha256) != data:
                self._vault.add_version(sha256, {"retention.json": data}, message="retention and holds", actor=actor)
                self._noted[sha256] = data
                written += 1
        return written

    def _to_note(self) -> list[tuple[str, dict[str, Any]]]:
        """(digest, facts) of every original that a hold or a decision ever was about, also through its cases."""
        with self._catalog.snapshot() as connection:
            return disposals.noted(connection)

    # -- what all of them need

    def _sure_clock(self) -> Clock:
        clock = self._watch.look()
        retention.require_sure(clock.doubt)
        return clock

    def _in_state(self, connection: sa.Connection, disposal_id: str, states: tuple[str, ...]) -> Disposal:
        disposal = disposals.one(connection, Disposal, disposal_id)
        if disposal.state not in states:
            raise BadInput(f"The disposal {disposal.id} is {disposal.state}", zh="该处置的状态不允许此操作",
                           found=disposal.state, expected=list(states))  # fmt: skip
        return disposal

    def _require_here(self, connection: sa.Connection, original: str) -> None:
        rows = disposals.originals(connection, [original])
        if not rows or rows[0].state == "disposed":
            raise BadInput(
                f"The original {original} is not in custody any more", zh="该原件已不在保管中", found=original
            )

    def _record(self, connection: sa.Connection, type: str, actor: str, record: Hold | Retained | Disposal) -> int:
        disposals.put(connection, record)
        facts = {disposals.EVENTS[type][1]: plain_of(record)}
        event = NewEvent(type=type, actor=actor, original=record.original, facts=facts)
        [seq] = self._audit.record(connection, [event])
        if not isinstance(record, Disposal):
            filed.touch(connection, [record], seq)
        failpoint.at("retention.recorded")
        return seq


def text_of(certificate: Mapping[str, Any]) -> str:
    """The certificate as a page for the file, Chinese and English."""
    first, second = certificate["approvals"]
    return "\n".join((
        "销毁凭证 / Certificate of disposal",
        f"编号 / number: {certificate['disposal']}",
        f"原件 / original: {certificate['name']} ({certificate['original']})",
        f"SHA-256: {certificate['sha256']}",
        *([f"SM3: {certificate['sm3']}"] if certificate["sm3"] else []),
        f"大小 / size: {certificate['size_bytes']} B",
        f"入库 / taken into custody: {certificate['accepted_at']}",
        f"保管类别 / class: {certificate['code']} ({certificate['rules']})",
        f"保管至 / kept until: {certificate['kept_until']}",
        f"理由 / reason: {certificate['reason']}",
        f"提出 / proposed by: {first['by']} ({first['role']}) {first['at']}",
        f"批准 / approved by: {second['by']} ({second['role']}) {second['at']}",
        f"执行 / done: {certificate['begun_at']}",
        f"日志 / log entry: {certificate['log']['seq']} {certificate['log']['hash']}",
        f"签名检查点 / checkpoint: {json.dumps(certificate['checkpoint'], ensure_ascii=False)}",
    ))  # fmt: skip


def _must_stay(standing: Standing, **facts: Any) -> NotAllowed:
    zh, en = "；".join(one for one, _ in standing.why), "; ".join(one for _, one in standing.why)
    return NotAllowed(
        f"{standing.name} must be kept: {en}",
        zh=f"{standing.name} 必须继续保管：{zh}",
        original=standing.original,
        **facts,
    )


def _case_named(case: str | None) -> tuple[str | None, str | None]:
    if case is None:
        return None, None
    numbers = case_numbers.parse(case)
    if len(numbers) != 1:
        raise BadInput(f"'{case}' is not one case number", zh=f"“{case}”不是一个案号", found=case)
    return numbers[0].key, numbers[0].printed


def _said(reason: str) -> str:
    if not reason.strip():
        raise BadInput("Give a reason", zh="请说明理由")
    return reason.strip()
