"""The catalog: what is known of every original, in SQLite or PostgreSQL; its transactions, and reading it.

What is written within a transaction has its rooms: `intake` (originals, arrivals), `knowledge` (what turns found),
`decisions` (what persons say), and those of the registers. Writing goes through `transaction`; on SQLite it takes
the write lock at once, so a transaction never fails half-way for a lock. Every change of what can be found raises the
original's change sequence, which is the number of the event that tells of it: the index follows that number.
"""

from __future__ import annotations

import contextlib
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any, Final

import sqlalchemy as sa

from pipeline.edges.database import history, isolations, restrictions
from pipeline.edges.database import tables as t
from pipeline.edges.database.decisions import link_of
from pipeline.edges.database.engines import REVISION, make_engine, translated
from pipeline.edges.database.filed import filed_of
from pipeline.edges.database.intake import arrival_of
from pipeline.edges.database.rows import in_pieces, record_of
from pipeline.errors import BadInput, TryAgain
from pipeline.records import (
    Around,
    Arrival,
    Caveat,
    DecidedTime,
    Derivative,
    Fingerprint,
    Known,
    Original,
    Property,
    Relative,
    Restriction,
    Stated,
    TimeClaim,
    TimeCorrection,
)
from pipeline.timing.history import History

# So much of a digest names an original.
_DIGEST_BEGUN: Final = re.compile(r"[0-9a-zA-Z]{8,64}")


class Catalog:
    """The catalog of one home."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine = make_engine(url, writes=True)
        self.reading = make_engine(url, writes=False)

    def close(self) -> None:
        """No connection is open."""
        self.engine.dispose()
        self.reading.dispose()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sa.Connection]:
        """A write transaction: committed at the end of the block, rolled back by an error.

        Raises TryAgain where the database is locked, full or away.
        """
        with translated(), self.engine.begin() as connection:
            yield connection

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[sa.Connection]:
        """Reads of the block see one state of the catalog."""
        with translated(), self.reading.connect() as connection:
            yield connection

    def now(self) -> datetime:
        """This instant, aware, in UTC."""
        return datetime.now(UTC)

    def require_current(self) -> None:
        """Returns where the tables are those of this version. Raises BadInput with the remedy."""
        try:
            with self.snapshot() as connection:
                found = connection.execute(sa.text("SELECT version_num FROM cr_version")).scalar()
        except (sa.exc.DatabaseError, TryAgain):
            found = None
        if found != REVISION:
            raise BadInput(
                "The catalog is not prepared for this version: run `casereel init`",
                zh="目录与本版本不符：请运行 casereel init",
                expected=REVISION,
                found=found,
            )

    # -- reading

    def known_of(self, original_id: str) -> Known:
        """All that is known of one original, its sidecars included. Raises BadInput where there is none."""
        return self.known_of_many([original_id])[0]

    def known_of_many(self, ids: Sequence[str], *, with_data: bool = False, filed: bool = False) -> list[Known]:
        """The same for many, in the order asked. with_data: the bytes of fingerprints too; filed: for finding them.

        Raises BadInput naming the first that is not there.
        """
        with self.snapshot() as connection:
            knowns = self._known(connection, ids, with_data, sidecars=True)
            said = filed_of(connection, knowns) if filed else {}
            closed = restrictions.on_originals(connection, ids)
        if closed:
            knowns = [replace(one, restrictions=closed.get(one.original.id, ())) for one in knowns]
        return [replace(one, filed=said[one.original.id]) for one in knowns] if filed else knowns

    def told_of_many(self, ids: Sequence[str], is_wanted: Callable[[str], bool]) -> list[Known]:
        """What was stated with these originals and their sidecars, and their properties with a wanted name; nothing
        else of what is known of them. In the order asked; those that are not there are absent."""
        told: list[Known] = []
        with self.snapshot() as connection:
            for some in in_pieces(ids):
                told += _told(connection, some, is_wanted)
        return told

    def _known(self, connection: sa.Connection, ids: Sequence[str], with_data: bool, *, sidecars: bool) -> list[Known]:
        originals = {row.id: row for row in connection.execute(sa.select(t.original).where(t.original.c.id.in_(ids)))}
        missing = [one for one in ids if one not in originals]
        if missing:
            raise BadInput(f"There is no original {missing[0]}", zh=f"没有编号为 {missing[0]} 的原件", found=missing[0])
        attached: dict[str, list[str]] = defaultdict(list)
        if sidecars:
            rows = connection.execute(
                sa.select(t.original.c.id, t.original.c.parent)
                .where(t.original.c.parent.in_(ids), t.original.c.state != "disposed")
                .order_by(t.original.c.id)
            )
            for row in rows:
                attached[row.parent].append(row.id)
        children = [child for group in attached.values() for child in group]
        below = {k.original.id: k for k in self._known(connection, children, False, sidecars=False)} if children else {}

        def of(table: sa.Table, order: Any) -> dict[str, list[Any]]:
            grouped: dict[str, list[Any]] = defaultdict(list)
            columns = [c for c in table.c if with_data or c.name != "data"]
            for row in connection.execute(sa.select(*columns).where(table.c.original.in_(ids)).order_by(order)):
                grouped[row.original].append(row)
            return grouped

        arrivals, properties = of(t.arrival, t.arrival.c.id), of(t.property_, t.property_.c.number)
        claims, decided = of(t.time_claim, t.time_claim.c.number), of(t.decided_time, t.decided_time.c.number)
        links, caveats = of(t.case_link, t.case_link.c.id), of(t.caveat, t.caveat.c.number)
        corrections = of(t.time_correction, t.time_correction.c.original)
        made, prints = of(t.derivative, t.derivative.c.id), of(t.fingerprint, t.fingerprint.c.number)
        relatives = self._relatives(connection, ids)
        return [
            Known(
                original=record_of(Original, originals[one]),
                arrivals=tuple(arrival_of(row) for row in arrivals[one]),
                properties={row.name: Property(name=row.name, found=row.found, value=row.value, finder=row.finder)
                            for row in properties[one]},
                time_claims=tuple(record_of(TimeClaim, row) for row in claims[one]),
                time=_decided(decided[one][-1]) if decided[one] else None,
                correction=record_of(TimeCorrection, corrections[one][0]) if corrections[one] else None,
                links=tuple(link_of(row) for row in links[one]),
                caveats=tuple(record_of(Caveat, row) for row in caveats[one]),
                derivatives=tuple(record_of(Derivative, row) for row in made[one]),
                fingerprints=tuple(
                    Fingerprint(method=row.method, version=row.version, finder=row.finder,
                                data=row.data if with_data else b"")
                    for row in prints[one]
                ),
                sidecars=tuple(below[child] for child in attached[one]),
                relatives=relatives[one],
            )
            for one in ids
        ]  # fmt: skip

    def _relatives(self, connection: sa.Connection, ids: Sequence[str]) -> dict[str, tuple[Relative, ...]]:
        """What each is related to, as it was found from its own side or from the other's, the surest first."""
        row, other = t.relation.c, t.original.c
        columns = (row.relation, row.length_s, row.score, other.name)
        own = sa.select(row.original.label("of"), row.other.label("id"), row.offset_s, row.own_offset_s, *columns)
        turned = sa.select(row.other.label("of"), row.original.label("id"), row.own_offset_s.label("offset_s"),
                           row.offset_s.label("own_offset_s"), *columns)  # fmt: skip
        found: dict[str, dict[str, Relative]] = defaultdict(dict)
        for query, mine, others in ((own, row.original, row.other), (turned, row.other, row.original)):
            chosen = query.join(t.original, other.id == others).where(mine.in_(ids), other.state != "disposed")
            for one in connection.execute(chosen.order_by(row.number)):
                relative = Relative(
                    original=one.id, name=one.name, relation=one.relation, offset_s=one.offset_s,
                    own_offset_s=one.own_offset_s, length_s=one.length_s, score=one.score,
                )  # fmt: skip
                found[one.of].setdefault(one.id, relative)
        return {one: tuple(sorted(found[one].values(), key=lambda relative: (-relative.score, relative.original)))
                for one in ids}  # fmt: skip

    def restrictions_on(self, ids: Sequence[str]) -> dict[str, tuple[Restriction, ...]]:
        """Original -> what restricts who may see it; unrestricted ones are absent."""
        found: dict[str, tuple[Restriction, ...]] = {}
        with self.snapshot() as connection:
            for some in in_pieces(ids):
                found |= restrictions.on_originals(connection, some)
        return found

    def restrictions_on_cases(self) -> dict[str, tuple[Restriction, ...]]:
        """Number of a case, as it is compared -> what restricts who may see the case."""
        with self.snapshot() as connection:
            return restrictions.on_cases(connection)

    def find_original(self, said: str, seen: Callable[[Sequence[str]], Sequence[str]] = lambda ids: ids) -> str:
        """The identifier that a person means by an identifier, a digest or its beginning, or a path.

        seen: those of these that the person may know of. Raises BadInput where nothing or more than one is meant.
        """
        with self.snapshot() as connection:
            wanted = said.strip()
            its = [t.original.c.id == wanted.upper()]
            if _DIGEST_BEGUN.fullmatch(wanted):
                # From there to there, and not by LIKE, which asks no index.
                first, digest = wanted.lower(), t.original.c.sha256
                its.append(sa.and_(digest >= first, digest < first.ljust(65, "z")))
            found = seen(connection.execute(sa.select(t.original.c.id).where(sa.or_(*its))).scalars().all())
            if not found:
                found = connection.execute(
                    sa.select(t.arrival.c.original)
                    .where(sa.or_(t.arrival.c.path == said, t.arrival.c.name == said))
                    .where(t.arrival.c.original.is_not(None))
                    .distinct()
                ).scalars().all()  # fmt: skip
                found = seen([str(one) for one in found])
        if len(found) == 1:
            return str(found[0])
        if found:
            raise BadInput(
                f"'{said}' may mean {len(found)} originals; give more of its identifier",
                zh=f"“{said}”可能指 {len(found)} 份原件，请给出更完整的编号", found=list(found),
            )  # fmt: skip
        raise BadInput(f"Nothing in custody is called '{said}'", zh=f"库中没有名称或编号为“{said}”的原件", found=said)

    def id_of_digest(self, sha256: str) -> str | None:
        """The original with this digest."""
        with self.snapshot() as connection:
            return connection.execute(sa.select(t.original.c.id).where(t.original.c.sha256 == sha256)).scalar()

    def digests(self) -> dict[str, str]:
        """Digest -> identifier of every original."""
        with self.snapshot() as connection:
            rows = connection.execute(sa.select(t.original.c.sha256, t.original.c.id))
            return {row.sha256: row.id for row in rows}

    def arrivals(self, *, limit: int | None = None, status: str | None = None) -> list[Arrival]:
        """Arrivals, newest first."""
        query = sa.select(t.arrival).order_by(t.arrival.c.id.desc())
        if status is not None:
            query = query.where(t.arrival.c.status == status)
        with self.snapshot() as connection:
            return [arrival_of(row) for row in connection.execute(query.limit(limit))]

    def disposed_among(self, digests: Sequence[str]) -> set[str]:
        """Those of these digests whose originals were disposed of."""
        query = sa.select(t.original.c.sha256).where(t.original.c.sha256.in_(digests), t.original.c.state == "disposed")
        with self.snapshot() as connection:
            return set(connection.execute(query).scalars())

    def places_taken(self, source: str) -> set[tuple[bytes, int, int, int]]:
        """(raw path, size, mtime_ns, inode) of everything of this source that was taken or refused.

        What a rescan compares with: the same file is not read again.
        """
        columns = (t.arrival.c.path_raw, t.arrival.c.size_bytes, t.arrival.c.mtime_ns, t.arrival.c.inode)
        with self.snapshot() as connection:
            rows = connection.execute(sa.select(*columns).where(t.arrival.c.source == source))
            return {(bytes(row[0]), row[1], row[2], int(row[3])) for row in rows}

    def events_of(self, original_id: str) -> list[str]:
        """The log's lines about this original, oldest first."""
        with self.snapshot() as connection:
            return list(
                connection.execute(
                    sa.select(t.event.c.line).where(t.event.c.original == original_id).order_by(t.event.c.seq)
                ).scalars()
            )

    def parent_for(self, known: Known) -> str | None:
        """The recording that this sidecar belongs to: same source, same folder, same stem; the oldest such."""
        if known.original.parent:
            return known.original.parent
        with self.snapshot() as connection:
            for arrival in known.arrivals:
                found = connection.execute(
                    _same_folder(arrival)
                    .where(
                        t.original.c.kind != "sidecar",
                        t.original.c.id != known.original.id,
                        t.arrival.c.stem.in_(_stems(arrival.name)),
                    )
                    .order_by(t.original.c.id)
                ).scalar()
                if found:
                    return str(found)
        return None

    def beside(self, known: Known, count: int) -> list[Known]:
        """Other recordings of the same format from the same folder of the same source, those nearest in time first."""
        found: list[str] = []
        with self.snapshot() as connection:
            for arrival in known.arrivals:
                query = _same_folder(arrival).where(
                    t.original.c.kind == known.original.kind,
                    t.original.c.format == known.original.format,
                    t.original.c.state != "disposed",
                    t.original.c.id != known.original.id,
                )
                near = sa.func.abs(t.arrival.c.mtime_ns - arrival.mtime_ns)
                found += [row[0] for row in connection.execute(query.order_by(near).limit(count))]
        return self.known_of_many(list(dict.fromkeys(found))[:count])

    def history_of(self, known: Known, around: Around) -> History:
        """What other recordings of its device say of its time."""
        with self.snapshot() as connection:
            return history.history_of(connection, known, around)

    def orphan_sidecars(self, connection: sa.Connection, known: Known) -> list[str]:
        """Sidecars of the same source, folder and stem that have no parent yet."""
        found: list[str] = []
        for arrival in known.arrivals:
            stem = PurePosixPath(arrival.name).stem
            query = _same_folder(arrival).where(
                t.original.c.kind == "sidecar",
                t.original.c.parent.is_(None),
                t.original.c.id != known.original.id,
                t.arrival.c.stem.in_([stem, arrival.name]),
            )
            found += [row[0] for row in connection.execute(query)]
        return sorted(set(found))

    def changed_after(self, seq: int, limit: int) -> list[tuple[int, str]]:
        """(change sequence, original) of what changed after that number, in that order.

        One event may change several originals: those of the last number are all there, be it beyond the limit.
        """
        changed = t.original.c.changed_seq
        query = sa.select(changed, t.original.c.id).order_by(changed, t.original.c.id)
        with self.snapshot() as connection:
            found = [(row[0], row[1]) for row in connection.execute(query.where(changed > seq).limit(limit))]
            if len(found) == limit:
                last = found[-1]
                rest = query.where(changed == last[0], t.original.c.id > last[1])
                found += [(row[0], row[1]) for row in connection.execute(rest)]
        return found

    def count_changed_after(self, seq: int) -> int:
        """How many originals changed after that number."""
        query = sa.select(sa.func.count()).select_from(t.original).where(t.original.c.changed_seq > seq)
        with self.snapshot() as connection:
            return connection.execute(query).scalar_one()

    def changed_seq(self, original_id: str) -> int:
        """The change sequence of one original."""
        with self.snapshot() as connection:
            query = sa.select(t.original.c.changed_seq).where(t.original.c.id == original_id)
            return connection.execute(query).scalar() or 0

    def head(self) -> int:
        """The latest change sequence of any original; 0 where there is none."""
        with self.snapshot() as connection:
            return connection.execute(sa.select(sa.func.max(t.original.c.changed_seq))).scalar() or 0

    def fingerprints(self, method: str, version: int) -> Iterator[tuple[str, bytes]]:
        """(original, data) of every fingerprint of this method and version."""
        columns = (t.fingerprint.c.original, t.fingerprint.c.data)
        with self.snapshot() as connection:
            rows = connection.execution_options(yield_per=200).execute(
                sa.select(*columns).where(t.fingerprint.c.method == method, t.fingerprint.c.version == version)
            )
            for row in rows:
                yield row[0], bytes(row[1])

    def names(self, ids: Iterable[str]) -> dict[str, str]:
        """The name each original first arrived under."""
        with self.snapshot() as connection:
            rows = connection.execute(
                sa.select(t.original.c.id, t.original.c.name).where(t.original.c.id.in_(list(ids)))
            )
            return {row.id: row.name for row in rows}

    def counts(self) -> dict[str, int]:
        """How many originals are in each state; isolated ones are none."""
        query = sa.select(t.original.c.state, sa.func.count()).group_by(t.original.c.state)
        with self.snapshot() as connection:
            found = Counter({row[0]: row[1] for row in connection.execute(query)})
            # What is isolated is little, and counting without it reads all.
            for some in in_pieces(sorted(isolations.among(connection))):
                found.subtract({row[0]: row[1] for row in connection.execute(query.where(t.original.c.id.in_(some)))})
        return {state: count for state, count in found.items() if count}

    def cases_linked(self) -> dict[str, str]:
        """Key -> printed number of every case that an original is linked to, and nobody refused it."""
        columns = (t.case_link.c.case_key, t.case_link.c.printed)
        with self.snapshot() as connection:
            rows = connection.execute(sa.select(*columns).where(t.case_link.c.status != "refused").distinct())
            return {row.case_key: row.printed for row in rows}

    def linked_to(self, case_key: str) -> dict[str, str]:
        """Original -> status of its link to this case, refused ones left out."""
        columns = (t.case_link.c.original, t.case_link.c.status)
        where = (t.case_link.c.case_key == case_key, t.case_link.c.status != "refused")
        with self.snapshot() as connection:
            return {row.original: row.status for row in connection.execute(sa.select(*columns).where(*where))}

    def linked_to_cases(self, case_keys: Sequence[str]) -> dict[str, set[str]]:
        """Each of these cases -> its originals, those left out that a refused link names."""
        link, found = t.case_link.c, {key: set[str]() for key in case_keys}
        with self.snapshot() as connection:
            for some in in_pieces(list(found)):
                query = sa.select(link.case_key, link.original).where(link.case_key.in_(some), link.status != "refused")
                for row in connection.execute(query):
                    found[row.case_key].add(row.original)
        return found

    def states_of(self, ids: Sequence[str]) -> dict[str, str]:
        """Original -> state, of those asked for."""
        found: dict[str, str] = {}
        with self.snapshot() as connection:
            for some in in_pieces(ids):
                rows = connection.execute(
                    sa.select(t.original.c.id, t.original.c.state).where(t.original.c.id.in_(some))
                )
                found |= {row.id: row.state for row in rows}
        return found

    def at_work(self, ids: Sequence[str]) -> set[str]:
        """Those of these originals that have a job waiting or running."""
        found: set[str] = set()
        with self.snapshot() as connection:
            for some in in_pieces(ids):
                query = (
                    sa.select(t.job.c.original)
                    .distinct()
                    .where(t.job.c.original.in_(some), t.job.c.state.in_(["waiting", "running"]))
                )
                found |= set(connection.execute(query).scalars())
        return found

    def size_of(self, ids: Sequence[str]) -> int:
        """Bytes of these originals together."""
        total = 0
        with self.snapshot() as connection:
            for some in in_pieces(ids):
                query = sa.select(sa.func.sum(t.original.c.size_bytes)).where(t.original.c.id.in_(some))
                total += int(connection.execute(query).scalar() or 0)
        return total

    def without_jobs(self, connection: sa.Connection) -> list[tuple[str, str]]:
        """(original, kind) of those that no job was ever planned for."""
        query = sa.select(t.original.c.id, t.original.c.kind).where(t.original.c.id.not_in(sa.select(t.job.c.original)))
        return [(row.id, row.kind) for row in connection.execute(query)]

    def events_of_type(self, types: Sequence[str], holding: Sequence[str] = ()) -> list[str]:
        """The log's lines of these types, oldest first. holding: only those in which one of these texts stands."""
        query = sa.select(t.event.c.line).where(t.event.c.type.in_(types)).order_by(t.event.c.seq)
        if holding:
            query = query.where(sa.or_(*(t.event.c.line.contains(one, autoescape=True) for one in holding)))
        with self.snapshot() as connection:
            return list(connection.execute(query).scalars())

    def last_of_type(self, type: str) -> str | None:
        """The log's latest line of this type."""
        # By its number, for the clock may have been set back since.
        last = sa.select(sa.func.max(t.event.c.seq)).where(t.event.c.type == type).scalar_subquery()
        with self.snapshot() as connection:
            return connection.execute(sa.select(t.event.c.line).where(t.event.c.seq == last)).scalar()

    def doubt_the_dead(self, count: int = 100) -> int:
        """The workers that died last are looked at once more by whoever takes over; how many there were.

        A worker that stood still and wakes may claim work in the moment before it learns that it is dead, and nobody
        looks at the dead again.
        """
        with self.transaction() as connection:
            latest = sa.select(t.worker.c.id).where(t.worker.c.state == "dead", t.worker.c.role == "work")
            latest = latest.order_by(t.worker.c.started_s.desc()).limit(count)
            query = sa.update(t.worker).where(t.worker.c.id.in_(latest)).values(state="dying")
            return connection.execute(query).rowcount

    def last_event(self) -> int:
        """The number of the latest event."""
        with self.snapshot() as connection:
            return connection.execute(sa.select(t.log_head.c.seq)).scalar() or 0

    def derivatives_in_role(self, ids: Sequence[str], role: str) -> dict[str, str]:
        """Original -> the identifier of its derivative in this role, the latest of several."""
        made = t.derivative.c
        query = sa.select(made.original, made.id).where(made.original.in_(ids), made.role == role).order_by(made.id)
        with self.snapshot() as connection:
            return {row.original: row.id for row in connection.execute(query)}

    def derivative_of(self, original_id: str, derivative_id: str) -> Derivative | None:
        """The original's derivative with this identifier."""
        made = t.derivative.c
        query = sa.select(t.derivative).where(made.id == derivative_id, made.original == original_id)
        with self.snapshot() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else record_of(Derivative, row)

    def derivative_paths(self, ids: Sequence[str]) -> set[str]:
        """Where the recorded derivatives of these originals lie."""
        found: set[str] = set()
        with self.snapshot() as connection:
            for some in in_pieces(ids):
                query = sa.select(t.derivative.c.path).where(t.derivative.c.original.in_(some))
                found |= set(connection.execute(query).scalars())
        return found


def _told(connection: sa.Connection, ids: Sequence[str], is_wanted: Callable[[str], bool]) -> list[Known]:
    original, arrival, found = t.original.c, t.arrival.c, t.property_.c
    own = {row.id: row for row in connection.execute(sa.select(t.original).where(original.id.in_(ids)))}
    beside: dict[str, list[Any]] = defaultdict(list)
    query = sa.select(t.original).where(original.parent.in_(ids), original.state != "disposed")
    for row in connection.execute(query.order_by(original.id)):
        beside[row.parent].append(row)
    every = [*own, *(row.id for its in beside.values() for row in its)]
    arrivals: dict[str, list[Arrival]] = defaultdict(list)
    stated = sa.or_(*(arrival[f"stated_{name}"].is_not(None) for name in Stated.__dataclass_fields__))
    for row in connection.execute(sa.select(t.arrival).where(arrival.original.in_(every), stated).order_by(arrival.id)):
        arrivals[row.original].append(arrival_of(row))
    names = connection.execute(sa.select(found.name).where(found.original.in_(every)).distinct()).scalars()
    wanted = [name for name in names if is_wanted(name)]
    properties: dict[str, dict[str, Property]] = defaultdict(dict)
    told = sa.select(found.original, found.name, found.found, found.value, found.finder)
    told = told.where(found.original.in_(every), found.name.in_(wanted)).order_by(found.number)
    for row in connection.execute(told):
        its = Property(name=row.name, found=row.found, value=row.value, finder=row.finder)
        properties[row.original][row.name] = its

    def known(row: Any, sidecars: tuple[Known, ...] = ()) -> Known:
        return Known(original=record_of(Original, row), arrivals=tuple(arrivals.get(row.id, ())),
                     properties=properties.get(row.id, {}), sidecars=sidecars)  # fmt: skip

    return [known(own[one], tuple(map(known, beside.get(one, ())))) for one in ids if one in own]


def _same_folder(arrival: Arrival) -> sa.Select[Any]:
    return (
        sa.select(t.original.c.id)
        .join(t.arrival, t.arrival.c.original == t.original.c.id)
        .where(t.arrival.c.source == arrival.source, t.arrival.c.folder == arrival.folder)
    )


def _stems(name: str) -> list[str]:
    """`a.mp4.xmp` belongs to `a.mp4` as much as `a.xmp` does: the stem with and without its last suffix."""
    stem = PurePosixPath(name).stem
    return [stem, PurePosixPath(stem).stem]


def _decided(row: Any) -> DecidedTime:
    return record_of(DecidedTime, row, losers=tuple(map(_loser, row.losers)))


def _loser(told: Sequence[str]) -> tuple[str, str, str]:
    source, reason, *zh = told  # rows from before there was Chinese are pairs
    return source, reason, zh[0] if zh else ""
