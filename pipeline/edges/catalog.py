"""The catalog: what is known of every original, in SQLite or PostgreSQL. The only module that speaks SQL about it.

Writing goes through `transaction`; on SQLite it takes the write lock at once, so a transaction never fails
half-way for a lock. Every change of what can be found raises the original's change sequence, which is the
number of the event that tells of it: the index follows that number.
"""

from __future__ import annotations

import base64
import contextlib
import re
import sqlite3
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from ulid import ULID

from pipeline.edges import accounts, history, isolations, registers, restrictions, watched
from pipeline.edges import tables as t
from pipeline.edges.filed import filed_of
from pipeline.edges.rows import record_of
from pipeline.errors import BadInput, TryAgain
from pipeline.records import (
    Around,
    Arrival,
    CaseLink,
    Caveat,
    DecidedTime,
    Derivative,
    Facts,
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
from pipeline.states import LANES
from pipeline.timing.history import History

BUSY_MS: Final = 30_000
# Nor longer does PostgreSQL keep a writing session open whose process stands still within a transaction. Below a lease.
IDLE_MS: Final = 30_000
# The finder of links that a person decided.
DECIDED: Final = "person"
# So much of a digest names an original.
_DIGEST_BEGUN: Final = re.compile(r"[0-9a-zA-Z]{8,64}")
REVISION: Final = "0020"


def make_engine(url: str, *, writes: bool) -> sa.Engine:
    """An engine with what each database needs to keep its word.

    SQLite: WAL and synchronous FULL (NORMAL loses acknowledged rows in a power cut), and for writing an
    immediate transaction. PostgreSQL: the psycopg driver, and for writing an end of sessions that stand still.
    """
    address = sa.make_url(url)
    if address.get_backend_name() == "postgresql":
        return _make_postgres_engine(address.set(drivername="postgresql+psycopg"), writes=writes)
    engine = sa.create_engine(address, pool_size=10, max_overflow=20, connect_args={"timeout": BUSY_MS / 1000})

    @sa.event.listens_for(engine, "connect")
    def _prepare(connection: Any, _: Any) -> None:
        connection.isolation_level = None
        if sqlite3.sqlite_version_info < (3, 42):
            # DBOS 3.4 asks for Python 3.12 where it means SQLite 3.42, and gets NULL from unixepoch('subsec').
            connection.create_function("unixepoch", 1, lambda _: time.time())
        for pragma in (f"busy_timeout={BUSY_MS}", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _make_postgres_engine(address: sa.URL, *, writes: bool) -> sa.Engine:
    engine = sa.create_engine(address, pool_size=10, max_overflow=10, pool_pre_ping=True)
    if writes:

        @sa.event.listens_for(engine, "connect")
        def _limit(connection: Any, _: Any) -> None:
            connection.execute(f"SET idle_in_transaction_session_timeout = {IDLE_MS}")
            connection.commit()

    return engine


def migrate(url: str) -> None:
    """The tables are those of this version. Numbered steps, each in a transaction."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["url"] = url
    command.upgrade(config, "head")


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
        with _translated(), self.engine.begin() as connection:
            yield connection

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[sa.Connection]:
        """Reads of the block see one state of the catalog."""
        with _translated(), self.reading.connect() as connection:
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
                arrivals=tuple(_arrival(row) for row in arrivals[one]),
                properties={row.name: Property(name=row.name, found=row.found, value=row.value, finder=row.finder)
                            for row in properties[one]},
                time_claims=tuple(record_of(TimeClaim, row) for row in claims[one]),
                time=_decided(decided[one][-1]) if decided[one] else None,
                correction=record_of(TimeCorrection, corrections[one][0]) if corrections[one] else None,
                links=tuple(_link(row) for row in links[one]),
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
            return [_arrival(row) for row in connection.execute(query.limit(limit))]

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
        query = sa.select(t.event.c.line).where(t.event.c.type == type)
        with self.snapshot() as connection:
            return connection.execute(query.order_by(t.event.c.at.desc(), t.event.c.seq.desc()).limit(1)).scalar()

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

    # -- writing, inside a transaction of the caller's

    def add_original(self, connection: sa.Connection, original: Original, seq: int) -> None:
        """A new original, changed at this event."""
        connection.execute(sa.insert(t.original), {**asdict(original), "changed_seq": seq})

    def add_arrival(self, connection: sa.Connection, arrival: Arrival, place: Mapping[str, Any]) -> None:
        """A new arrival. place: `path_raw`, `device_number`, `inode`, `sha256`, `place_key` as intake saw them."""
        values = {k: v for k, v in asdict(arrival).items() if k != "stated"}
        stated = {f"stated_{k}": v for k, v in asdict(arrival.stated).items()}
        # Beside the statement, not within it: a replay does this for every arrival there was.
        stem = PurePosixPath(arrival.name).stem
        connection.execute(sa.insert(t.arrival), {**values, **stated, **place, "stem": stem})

    def arrival_at(self, connection: sa.Connection, place_key: str, sha256: str) -> Arrival | None:
        """The arrival of these bytes at this place, if they came there before."""
        row = connection.execute(
            sa.select(t.arrival).where(t.arrival.c.place_key == place_key, t.arrival.c.sha256 == sha256)
        ).one_or_none()
        return None if row is None else _arrival(row)

    def last_arrival_at(self, connection: sa.Connection, place_key: str) -> Arrival | None:
        """The newest arrival from this place, whatever its bytes."""
        query = sa.select(t.arrival).where(t.arrival.c.place_key == place_key).order_by(t.arrival.c.id.desc()).limit(1)
        row = connection.execute(query).one_or_none()
        return None if row is None else _arrival(row)

    def add_caveats(self, connection: sa.Connection, original_id: str, turn: str, caveats: Sequence[Caveat]) -> None:
        """The original carries these caveats too."""
        self._insert(connection, t.caveat, [{"original": original_id, "turn": turn, **asdict(one)} for one in caveats])

    def seen_again(self, connection: sa.Connection, arrival: str, *, mtime_ns: int, inode: int, device: int) -> None:
        """The same bytes still lie at the same place, under a newer date or file number."""
        connection.execute(
            sa.update(t.arrival)
            .where(t.arrival.c.id == arrival)
            .values(mtime_ns=mtime_ns, inode=inode, device_number=device)
        )

    def original_with(self, connection: sa.Connection, sha256: str) -> Original | None:
        """The original with this digest, as this transaction sees it."""
        row = connection.execute(sa.select(t.original).where(t.original.c.sha256 == sha256)).one_or_none()
        return None if row is None else record_of(Original, row)

    def record(self, connection: sa.Connection, original_id: str, turn: str, facts: Facts, seq: int) -> None:
        """The facts of one turn replace those that its stage found before; marks, those of the same method.

        Derivatives are recorded by `add_derivatives`, for the vault names them first. Links that a person
        confirmed or refused stay as the person left them. seq: the event that tells of it; it becomes the
        original's change sequence where anything that can be found has changed.
        """
        self.record_all(connection, [Recorded(original_id, turn, facts, seq)])

    def record_all(self, connection: sa.Connection, entries: Sequence[Recorded]) -> None:
        """The same for many originals, each once, in few statements."""
        gone = self._clear(connection, entries)
        keyed = [({"original": one.original, "turn": one.turn}, one.facts) for one in entries]
        self._insert(connection, t.property_, [{**key, **asdict(it)} for key, one in keyed for it in one.properties])
        self._insert(connection, t.time_claim, [{**key, **asdict(it)} for key, one in keyed for it in one.time_claims])
        self._insert(connection, t.caveat, [{**key, **asdict(it)} for key, one in keyed for it in one.caveats])
        self._insert(
            connection, t.fingerprint, [{**key, **asdict(it)} for key, one in keyed for it in one.fingerprints]
        )
        self._insert(connection, t.decided_time, [{**key, **asdict(one.time)} for key, one in keyed if one.time])
        relations = [_relation_row(one.original, one.turn, it) for one in entries for it in one.facts.relatives
                     if one.is_link]  # fmt: skip
        self._insert(connection, t.relation, relations)
        gone |= self._record_links(connection, entries)
        # What is not said any more can no more be found.
        changed = [one for one in entries if one.original in gone or _can_be_found(one.facts)]
        if changed:
            query = sa.update(t.original).where(t.original.c.id == sa.bindparam("of"))
            connection.execute(
                query.values(changed_seq=sa.bindparam("at")), [{"of": one.original, "at": one.seq} for one in changed]
            )
        for one in entries:
            self._record_standing(connection, one)

    def _clear(self, connection: sa.Connection, entries: Sequence[Recorded]) -> set[str]:
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

    def _record_standing(self, connection: sa.Connection, one: Recorded) -> None:
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
            self.set_state(connection, one.original, facts.state)

    def _record_links(self, connection: sa.Connection, entries: Sequence[Recorded]) -> set[str]:
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
            decided = {row.case for row in there.values() if row.finder == DECIDED}
            # One link a case: they come best first.
            for link in {link.case_key: link for link in reversed(one.facts.links)}.values():
                if link.case_key not in cases:
                    cases[link.case_key] = self.case_of(connection, link.case_key, link.case)
                if cases[link.case_key] in decided:
                    continue
                if link.case_key in there:
                    self._lay_link(connection, one.original, link, cases[link.case_key], there[link.case_key])
                else:
                    new.append(_link_row(one.original, link, cases[link.case_key]))
        self._insert(connection, t.case_link, new)
        return set(dropped.values())

    def _insert(self, connection: sa.Connection, table: sa.Table, rows: list[dict[str, Any]]) -> None:
        if rows:
            connection.execute(sa.insert(table), rows)

    def require_linkable(self, connection: sa.Connection, original_id: str) -> None:
        """Returns where a person may decide about its links. Raises BadInput for a sidecar, and for what is gone."""
        self._require_own(connection, original_id, "link that one", "请关联该录像")

    def _require_own(self, connection: sa.Connection, original_id: str, do: str, do_zh: str) -> None:
        row = connection.execute(
            sa.select(t.original.c.parent, t.original.c.state).where(t.original.c.id == original_id)
        ).one_or_none()
        if row is None or row.state == "disposed":
            raise BadInput(
                f"There is no original {original_id}", zh=f"没有编号为 {original_id} 的原件", found=original_id
            )
        if row.parent is not None:
            raise BadInput(f"It belongs to the recording {row.parent}: {do}",
                           zh=f"它是录像 {row.parent} 的附属文件，{do_zh}", found=original_id)  # fmt: skip

    def link_to(self, connection: sa.Connection, original_id: str, case_key: str) -> CaseLink | None:
        """The original's link to the case with this number, under whichever of the case's numbers it stands."""
        its = (t.case_link.c.original == original_id, t.case_link.c.case == registers.case_with(case_key))
        query = sa.select(t.case_link).where(*its)
        # Several may stand there since two numbers turned out to be one case: a person's word first, then the surest.
        order = (t.case_link.c.by.is_(None), t.case_link.c.score.desc(), t.case_link.c.id)
        row = connection.execute(query.order_by(*order)).first()
        return None if row is None else _link(row)

    def put_link(self, connection: sa.Connection, original_id: str, link: CaseLink, seq: int) -> None:
        """The link is as a person decided; those under other numbers of the same case go with it."""
        self._record_link(connection, original_id, replace(link, finder=DECIDED))
        its = (t.case_link.c.original == original_id, t.case_link.c.case == registers.case_with(link.case_key))
        connection.execute(sa.delete(t.case_link).where(*its, t.case_link.c.case_key != link.case_key))
        connection.execute(sa.update(t.original).where(t.original.c.id == original_id).values(changed_seq=seq))

    def require_correctable(self, connection: sa.Connection, original_id: str) -> None:
        """Returns where a person may correct its time. Raises BadInput for a sidecar, and for what is gone."""
        self._require_own(connection, original_id, "correct its time there", "请更正该录像的时间")

    def put_correction(self, connection: sa.Connection, original_id: str, said: TimeCorrection | None) -> None:
        """What a person says of its time is this, or nothing any more."""
        of = t.time_correction
        connection.execute(sa.delete(of).where(of.c.original == original_id))
        if said is not None:
            connection.execute(sa.insert(of), {"original": original_id, **asdict(said)})

    def _record_link(self, connection: sa.Connection, original_id: str, link: CaseLink) -> None:
        its = (t.case_link.c.original == original_id, t.case_link.c.case_key == link.case_key)
        row = connection.execute(sa.select(t.case_link).where(*its)).one_or_none()
        self._lay_link(connection, original_id, link, self.case_of(connection, link.case_key, link.case), row)

    def _lay_link(self, connection: sa.Connection, original_id: str, link: CaseLink, case: str, row: Any) -> None:
        """The link stands; row: what stood there before, None where nothing did."""
        if row is not None and row.by is not None and link.by is None:
            return
        values = _link_row(original_id, link, case)
        if row is None:
            connection.execute(sa.insert(t.case_link).values(**values))
            return
        del values["id"]
        if any(getattr(row, name) != value for name, value in values.items()):
            connection.execute(sa.update(t.case_link).where(t.case_link.c.id == row.id).values(**values))

    def case_of(self, connection: sa.Connection, key: str, printed: str) -> str:
        """The case that carries this number; a new one where none does."""
        return registers.case_of(connection, key, printed)

    def add_derivatives(
        self, connection: sa.Connection, original_id: str, turn: str, derivatives: Sequence[Derivative]
    ) -> list[str]:
        """The turn's derivatives are these; returns the paths of those they replace."""
        where = (t.derivative.c.original == original_id, t.derivative.c.turn == turn)
        before = set(connection.execute(sa.select(t.derivative.c.path).where(*where)).scalars())
        connection.execute(sa.delete(t.derivative).where(*where))
        self._insert(connection, t.derivative, [{**asdict(one), "turn": turn} for one in derivatives])
        return sorted(before - {one.path for one in derivatives})

    def adopt(self, connection: sa.Connection, parent: str, sidecars: Sequence[str], seq: int) -> None:
        """These sidecars belong to this recording."""
        if sidecars:
            connection.execute(
                sa.update(t.original).where(t.original.c.id.in_(sidecars)).values(parent=parent, changed_seq=seq)
            )

    def set_state(self, connection: sa.Connection, original_id: str, state: str) -> None:
        """The original is in this state; one that was disposed of stays so."""
        connection.execute(
            sa.update(t.original)
            .where(t.original.c.id == original_id, t.original.c.state != "disposed")
            .values(state=state)
        )

    def standing(self, connection: sa.Connection, original_id: str) -> tuple[str, str, frozenset[str]]:
        """(state, kind, roles of its derivatives) as this transaction sees them."""
        row = connection.execute(
            sa.select(t.original.c.state, t.original.c.kind).where(t.original.c.id == original_id)
        ).one()
        roles = connection.execute(sa.select(t.derivative.c.role).where(t.derivative.c.original == original_id))
        return row.state, row.kind, frozenset(roles.scalars())

    def dump(self) -> dict[str, list[dict[str, Any]]]:
        """What vault and log alone must be able to give back, in a form that can be compared: originals,
        arrivals, custody events and what those made. A room that adds such a table adds its line."""
        drop = {"changed_seq", "state", "parent", "kind"}
        with self.snapshot() as connection:
            originals = connection.execute(sa.select(t.original).order_by(t.original.c.sha256)).mappings()
            arrivals = connection.execute(sa.select(t.arrival).order_by(t.arrival.c.id)).mappings()
            events = connection.execute(sa.select(t.event).order_by(t.event.c.seq)).mappings()
            return {
                "originals": [{k: _plain(v) for k, v in row.items() if k not in drop} for row in originals],
                "arrivals": [{k: _plain(v) for k, v in row.items()} for row in arrivals],
                "events": [{k: _plain(v) for k, v in row.items()} for row in events],
                "fixity": _rows(connection, t.fixity, t.fixity.c.original),
                "incidents": _rows(connection, t.incident, t.incident.c.id),
                "drops": _rows(connection, t.drop, t.drop.c.id),
                "rejections": _rows(connection, t.rejection, t.rejection.c.key),
                "holds": _rows(connection, t.hold, t.hold.c.id),
                "retained": _rows(connection, t.retained, t.retained.c.id),
                "restrictions": restrictions.dump(connection),
                "isolations": isolations.dump(connection),
                "assignments": _rows(connection, t.assignment, t.assignment.c.id),
                "disposals": _rows(connection, t.disposal, t.disposal.c.id),
                "links": [
                    {k: v for k, v in row.items() if k != "id"}
                    for row in _rows(connection, t.case_link, t.case_link.c.id)
                    if row["finder"] == DECIDED
                ],
                "accounts": accounts.dump(connection),
                "watched": watched.dump(connection),
                "annotations": _rows(connection, t.annotation, t.annotation.c.id),
                "saved_searches": _rows(connection, t.saved_search, t.saved_search.c.id),
                "time_corrections": _rows(connection, t.time_correction, t.time_correction.c.original),
                **registers.dump(connection),
            }


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except sa.exc.DBAPIError as error:
        # A session that PostgreSQL ended for standing still comes as an internal error over a lost connection.
        if isinstance(error, sa.exc.OperationalError) or error.connection_invalidated:
            raise TryAgain(
                f"The catalog's database does not answer as it should: {error.orig}",
                zh=f"目录数据库没有正常响应：{error.orig}",
            ) from error
        raise


def in_pieces(ids: Sequence[str], size: int = 500) -> Iterator[Sequence[str]]:
    """These in pieces that one query may name."""
    for first in range(0, len(ids), size):
        yield ids[first : first + size]


def _plain(value: Any) -> Any:
    if isinstance(value, bytes | memoryview):
        return base64.b64encode(bytes(value)).decode()
    if isinstance(value, datetime):
        return value.isoformat()
    return int(value) if not isinstance(value, str | int | float | bool | dict | list | None) else value


def _rows(connection: sa.Connection, table: sa.Table, order: sa.Column[Any]) -> list[dict[str, Any]]:
    """Rows in this order, without the identifiers of cases, which each catalog gives anew; their numbers stay."""
    rows = connection.execute(sa.select(table).order_by(order)).mappings()
    return [{k: _plain(v) for k, v in row.items() if k != "case"} for row in rows]


def _link_row(original_id: str, link: CaseLink, case: str) -> dict[str, Any]:
    values = {k: v for k, v in asdict(link).items() if k != "case"}
    return {**values, "id": str(ULID()), "original": original_id, "printed": link.case, "case": case}


def _relation_row(original_id: str, turn: str, relative: Relative) -> dict[str, Any]:
    named = ("relation", "offset_s", "own_offset_s", "length_s", "score")
    return {"original": original_id, "turn": turn, "other": relative.original,
            **{name: getattr(relative, name) for name in named}}  # fmt: skip


def _can_be_found(facts: Facts) -> bool:
    return any(
        (facts.properties, facts.time_claims, facts.time, facts.links, facts.caveats, facts.made, facts.fingerprints,
         facts.parent)
    )  # fmt: skip


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
        arrivals[row.original].append(_arrival(row))
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


def _arrival(row: Any) -> Arrival:
    stated = Stated(**{name: getattr(row, f"stated_{name}") for name in Stated.__dataclass_fields__})
    return record_of(Arrival, row, name_raw=bytes(row.name_raw), stated=stated)


def _decided(row: Any) -> DecidedTime:
    return record_of(DecidedTime, row, losers=tuple(map(_loser, row.losers)))


def _loser(told: Sequence[str]) -> tuple[str, str, str]:
    source, reason, *zh = told  # rows from before there was Chinese are pairs
    return source, reason, zh[0] if zh else ""


def _link(row: Any) -> CaseLink:
    return record_of(CaseLink, row, case=row.printed)
