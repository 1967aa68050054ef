"""What turns found of originals, recorded in a transaction of the caller's: facts, derivatives, state."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

import sqlalchemy as sa

from pipeline.edges.database import decisions, registers
from pipeline.edges.database import tables as t
from pipeline.records import Caveat, Derivative, Facts, Relative
from pipeline.states import LANES


class Recorded(NamedTuple):
    """What one turn found of one original. seq: the event that tells of it."""

    original: str
    turn: str
    facts: Facts
    seq: int

    @property
    def stage(self) -> str:
        """The stage of the turn."""
        return self.turn.partition("-")[2]

    @property
    def is_link(self) -> bool:
        """Whether all links that no person decided come from it."""
        return self.stage == "link"


def record(connection: sa.Connection, original_id: str, turn: str, facts: Facts, seq: int) -> None:
    """The facts of one turn replace those that its stage found before; marks, those of the same method.

    Derivatives are recorded by `add_derivatives`, for the vault names them first. Links that a person
    confirmed or refused stay as the person left them. seq: the event that tells of it; it becomes the
    original's change sequence where anything that can be found has changed.
    """
    record_all(connection, [Recorded(original_id, turn, facts, seq)])


def record_all(connection: sa.Connection, entries: Sequence[Recorded]) -> None:
    """The same for many originals, each once, in few statements."""
    gone = _clear(connection, entries)
    keyed = [({"original": one.original, "turn": one.turn}, one.facts) for one in entries]
    _insert(connection, t.property_, [{**key, **asdict(it)} for key, one in keyed for it in one.properties])
    _insert(connection, t.time_claim, [{**key, **asdict(it)} for key, one in keyed for it in one.time_claims])
    _insert(connection, t.caveat, [{**key, **asdict(it)} for key, one in keyed for it in one.caveats])
    _insert(connection, t.fingerprint, [{**key, **asdict(it)} for key, one in keyed for it in one.fingerprints])
    _insert(connection, t.decided_time, [{**key, **asdict(one.time)} for key, one in keyed if one.time])
    relations = [_relation_row(one.original, one.turn, it) for one in entries for it in one.facts.relatives
                 if one.is_link]  # fmt: skip
    _insert(connection, t.relation, relations)
    gone |= _record_links(connection, entries)
    # What is not said any more can no more be found.
    changed = [one for one in entries if one.original in gone or _can_be_found(one.facts)]
    if changed:
        query = sa.update(t.original).where(t.original.c.id == sa.bindparam("of"))
        connection.execute(
            query.values(changed_seq=sa.bindparam("at")), [{"of": one.original, "at": one.seq} for one in changed]
        )
    for one in entries:
        _record_standing(connection, one)


def add_caveats(connection: sa.Connection, original_id: str, turn: str, caveats: Sequence[Caveat]) -> None:
    """The original carries these caveats too."""
    _insert(connection, t.caveat, [{"original": original_id, "turn": turn, **asdict(one)} for one in caveats])


def add_derivatives(
    connection: sa.Connection, original_id: str, turn: str, derivatives: Sequence[Derivative]
) -> list[str]:
    """The turn's derivatives are these; returns the paths of those they replace."""
    where = (t.derivative.c.original == original_id, t.derivative.c.turn == turn)
    before = set(connection.execute(sa.select(t.derivative.c.path).where(*where)).scalars())
    connection.execute(sa.delete(t.derivative).where(*where))
    _insert(connection, t.derivative, [{**asdict(one), "turn": turn} for one in derivatives])
    return sorted(before - {one.path for one in derivatives})


def adopt(connection: sa.Connection, parent: str, sidecars: Sequence[str], seq: int) -> None:
    """These sidecars belong to this recording."""
    if sidecars:
        connection.execute(
            sa.update(t.original).where(t.original.c.id.in_(sidecars)).values(parent=parent, changed_seq=seq)
        )


def set_state(connection: sa.Connection, original_id: str, state: str) -> None:
    """The original is in this state; one that was disposed of stays so."""
    connection.execute(
        sa.update(t.original)
        .where(t.original.c.id == original_id, t.original.c.state != "disposed")
        .values(state=state)
    )


def standing(connection: sa.Connection, original_id: str) -> tuple[str, str, frozenset[str]]:
    """(state, kind, roles of its derivatives) as this transaction sees them."""
    row = connection.execute(
        sa.select(t.original.c.state, t.original.c.kind).where(t.original.c.id == original_id)
    ).one()
    roles = connection.execute(sa.select(t.derivative.c.role).where(t.derivative.c.original == original_id))
    return row.state, row.kind, frozenset(roles.scalars())


def _clear(connection: sa.Connection, entries: Sequence[Recorded]) -> set[str]:
    """What the stages of these turns found before is gone; of which originals there was any."""
    gone: set[str] = set()
    for stage in dict.fromkeys(one.stage for one in entries):
        ids = [one.original for one in entries if one.stage == stage]
        # A stage that has turns in both lanes sees the second time all that it saw the first time.
        turns = [f"{lane}-{stage}" for lane in LANES]
        for table in (t.property_, t.time_claim, t.decided_time, t.caveat):
            its = (table.c.original.in_(ids), table.c.turn.in_(turns))
            found = set(connection.execute(sa.select(table.c.original).where(*its).distinct()).scalars())
            if found:
                connection.execute(sa.delete(table).where(*its))
            gone |= found
        if stage == "link":
            connection.execute(sa.delete(t.relation).where(t.relation.c.original.in_(ids)))
    for one in entries:
        if methods := [mark.method for mark in one.facts.fingerprints]:
            marks = (t.fingerprint.c.original == one.original, t.fingerprint.c.method.in_(methods))
            connection.execute(sa.delete(t.fingerprint).where(*marks))
    return gone


def _record_standing(connection: sa.Connection, one: Recorded) -> None:
    """State, parent and kind, as far as the facts tell any."""
    facts = one.facts
    if facts.parent is not None:
        mine, its = t.original.c.id == one.original, t.original.c.id == facts.parent
        connection.execute(sa.update(t.original).where(mine).values(parent=facts.parent))
        connection.execute(sa.update(t.original).where(its).values(changed_seq=one.seq))
    kind = next((p.value for p in facts.properties if p.name == "container.kind"), None)
    if kind in ("video", "audio", "photo"):
        connection.execute(
            sa.update(t.original)
            .where(t.original.c.id == one.original, t.original.c.kind.in_(["video", "audio", "photo", "other"]))
            .values(kind=kind)
        )
    if facts.state is not None:
        set_state(connection, one.original, facts.state)


def _record_links(connection: sa.Connection, entries: Sequence[Recorded]) -> set[str]:
    """Links are as found, but for what persons said; originals of which proposals went.

    What nothing speaks for any more is not proposed any more. About a case of which a person decided for the
    original, whatever linkers find, that stands.
    """
    wanted = [one for one in entries if one.is_link or one.facts.links]
    rows: dict[str, list[Any]] = defaultdict(list)
    query = sa.select(t.case_link).where(t.case_link.c.original.in_([one.original for one in wanted]))
    for row in connection.execute(query) if wanted else ():
        rows[row.original].append(row)
    told = {one.original: {link.case_key for link in one.facts.links} for one in wanted}
    dropped = {
        row.id: row.original for one in wanted if one.is_link for row in rows[one.original]
        if row.by is None and row.case_key not in told[one.original]
    }  # fmt: skip
    if dropped:
        connection.execute(sa.delete(t.case_link).where(t.case_link.c.id.in_(list(dropped))))
    cases: dict[str, str] = {}
    new: list[dict[str, Any]] = []
    for one in wanted:
        there = {row.case_key: row for row in rows[one.original] if row.id not in dropped}
        decided = {row.case for row in there.values() if row.finder == decisions.DECIDED}
        # One link a case: they come best first.
        for link in {link.case_key: link for link in reversed(one.facts.links)}.values():
            if link.case_key not in cases:
                cases[link.case_key] = registers.case_of(connection, link.case_key, link.case)
            if cases[link.case_key] in decided:
                continue
            if link.case_key in there:
                decisions.lay_link(connection, one.original, link, cases[link.case_key], there[link.case_key])
            else:
                new.append(decisions.link_row(one.original, link, cases[link.case_key]))
    _insert(connection, t.case_link, new)
    return set(dropped.values())


def _insert(connection: sa.Connection, table: sa.Table, rows: list[dict[str, Any]]) -> None:
    if rows:
        connection.execute(sa.insert(table), rows)


def _relation_row(original_id: str, turn: str, relative: Relative) -> dict[str, Any]:
    named = ("relation", "offset_s", "own_offset_s", "length_s", "score")
    return {"original": original_id, "turn": turn, "other": relative.original,
            **{name: getattr(relative, name) for name in named}}  # fmt: skip


def _can_be_found(facts: Facts) -> bool:
    return any(
        (facts.properties, facts.time_claims, facts.time, facts.links, facts.caveats, facts.made, facts.fingerprints,
         facts.parent)
    )  # fmt: skip
