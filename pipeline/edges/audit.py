"""The audit log: who did what to which object, when and how it ended.

An event is a row in the transaction of its deed and a line in append-only files. Each line is canonical JSON
and carries the hash of the line before it; rows hold the very text of their line. The head row orders the
events: whoever records holds it until commit, so rows are numbered without holes in the order they commit.
Lines are appended from the rows, in that order, by one writer at a time, and synced before a deed is
acknowledged (`make_durable`).
Source of the line's form: the layout of the custody log, `seq at mono boot type actor ... prev`.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import itertools
import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Protocol

import sqlalchemy as sa
from filelock import FileLock

from pipeline.edges import failpoint
from pipeline.edges.database import tables
from pipeline.edges.host import disk
from pipeline.errors import CustodyBroken, TryAgain

FIRST_PREV: Final = "0" * 64
LINES_PER_FILE: Final = 100_000
BATCH: Final = 500
GRACE_S: Final = 30.0
MOST_FAULTS: Final = 200
# Most entries are shorter.
_END_BYTES: Final = 16 << 10


@dataclass(frozen=True, kw_only=True)
class NewEvent:
    """A deed to be recorded. facts: plain JSON data; outcome: `done`, `refused` or `failed`."""

    type: str
    actor: str
    original: str | None = None
    outcome: str = "done"
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class LogState:
    """What a check of the log found. faults: one sentence each, none when all is well; the first MOST_FAULTS."""

    entries: int
    head: str
    faults: tuple[str, ...]


@dataclass(frozen=True)
class _Tail:
    file: Path
    size_bytes: int
    seq: int
    hash: str


class Transacting(Protocol):
    """What gives write transactions: the catalog."""

    def transaction(self) -> contextlib.AbstractContextManager[sa.Connection]: ...


class AuditLog:
    """The log of one home. folder: where its files lie. engine: reads the catalog's rows."""

    def __init__(self, folder: Path, engine: sa.Engine) -> None:
        self._folder = folder
        self._engine = engine
        self._durable_seq = 0
        self._tail: _Tail | None = None
        self._thread_lock = threading.Lock()

    @contextlib.contextmanager
    def alone(self, catalog: Transacting) -> Iterator[sa.Connection]:
        """A write transaction that holds the log's head from its first look: nothing it saw changes before it ends.

        Without it PostgreSQL lets a hold look before a disposal is done and record itself after.
        """
        with catalog.transaction() as connection:
            self.record(connection, [])
            yield connection

    def record(self, connection: sa.Connection, events: Sequence[NewEvent]) -> list[int]:
        """The events are rows of this transaction; returns their numbers.

        The last event's number also serves as the change sequence of what the transaction changed.
        """
        head = tables.log_head
        row = connection.execute(sa.select(head.c.seq, head.c.hash).with_for_update()).one()
        seq, previous, rows = row.seq, row.hash, []
        for event in events:
            seq += 1
            at = datetime.now(UTC)
            line = _line(seq, at, event, previous)
            previous = _hash(line)
            rows.append(
                {
                    "seq": seq,
                    "at": at,
                    "type": event.type,
                    "actor": event.actor,
                    "original": event.original,
                    "line": line,
                    "hash": previous,
                }
            )
        if rows:
            connection.execute(sa.insert(tables.event), rows)
            connection.execute(sa.update(head).values(seq=seq, hash=previous))
        return [row["seq"] for row in rows]

    def make_durable(self, up_to: int) -> None:
        """Every committed event up to this number is a synced line.

        Threads and processes that wait here find their lines written by whoever came first.
        Raises CustodyBroken where the files do not continue what the catalog holds.
        """
        if self._durable_seq >= up_to:
            return
        with self._thread_lock:
            if self._durable_seq >= up_to:
                return
            self._folder.mkdir(parents=True, exist_ok=True)
            try:
                with FileLock(self._folder / ".writer.lock"):
                    self._append_missing()
            except OSError as error:
                raise TryAgain(
                    f"The disk of {self._folder} does not take the log's lines ({error.strerror}): make room, check it",
                    zh=f"{self._folder} 所在磁盘无法写入日志（{error.strerror}）：请腾出空间并检查磁盘",
                ) from error

    def _append_missing(self) -> None:
        tail = self._read_tail()
        columns = (tables.event.c.seq, tables.event.c.line, tables.event.c.hash)
        is_first = tail.seq > 0
        while True:
            # The first time with the line that the files end with, to be compared.
            query = sa.select(*columns).where(tables.event.c.seq > tail.seq - is_first)
            with self._engine.connect() as connection:
                rows = connection.execute(query.order_by(tables.event.c.seq).limit(BATCH)).all()
            count = len(rows)
            if is_first:
                _require_same_past(tail, rows[0] if rows else None)
                rows, is_first = rows[1:], False
            if rows:
                tail = self._append(tail, rows)
            # What is committed from now on has a writer of its own.
            if count < BATCH:
                break
        self._tail = tail
        self._durable_seq = tail.seq

    def _append(self, tail: _Tail, rows: Sequence[Any]) -> _Tail:
        first = json.loads(rows[0].line)
        if rows[0].seq != tail.seq + 1 or first["prev"] != tail.hash:
            raise CustodyBroken(
                f"The audit log's files end at {tail.seq} and do not lead on to entry {rows[0].seq} of the catalog",
                zh=f"日志文件止于第 {tail.seq} 条，接不上目录中的第 {rows[0].seq} 条",
                expected=tail.hash,
                found=first["prev"],
            )
        by_file: dict[Path, list[str]] = {}
        for row in rows:
            by_file.setdefault(self._file_of(row.seq), []).append(row.line)
        failpoint.at("log.before_write")
        for file, lines in by_file.items():
            self._append_lines(file, lines)
        failpoint.at("log.after_sync")
        last = self._file_of(rows[-1].seq)
        return _Tail(last, last.stat().st_size, rows[-1].seq, rows[-1].hash)

    def _append_lines(self, file: Path, lines: Sequence[str]) -> None:
        is_new = not file.exists()
        fd = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o640)
        try:
            before = os.fstat(fd).st_size
            try:
                disk.write_all(fd, "".join(line + "\n" for line in lines).encode())
                os.fsync(fd)
            except OSError:
                # After a failed sync the kernel takes the bytes for clean, and a later sync would not write them:
                # they go, and are written anew.
                os.ftruncate(fd, before)
                raise
        finally:
            os.close(fd)
        if is_new:
            disk.sync_folder(self._folder)

    def _file_of(self, seq: int) -> Path:
        return self._folder / f"events-{(seq - 1) // LINES_PER_FILE + 1:06d}.jsonl"

    def _read_tail(self) -> _Tail:
        """Where the files end; a torn last line, never acknowledged, is cut off."""
        known = self._tail
        if known and known.file.exists() and known.file.stat().st_size == known.size_bytes:
            return known
        files = self.files()
        while files:
            whole_bytes, size_bytes, last = _end_of(files[-1])
            if whole_bytes < size_bytes:
                with files[-1].open("r+b") as stream:
                    stream.truncate(whole_bytes)
                    os.fsync(stream.fileno())
            if whole_bytes:
                return _Tail(files[-1], whole_bytes, json.loads(last)["seq"], _hash(last))
            files.pop()
        return _Tail(self._file_of(1), 0, 0, FIRST_PREV)

    def files(self) -> list[Path]:
        """The log's files, oldest first."""
        return sorted(self._folder.glob("events-*.jsonl"))

    def lines(self) -> Iterator[str]:
        """Every line of the files in order, without its newline; a torn last one is left out."""
        for file in self.files():
            with file.open("rb") as stream:
                for line in stream:
                    if line.endswith(b"\n"):
                        yield line[:-1].decode("utf-8", "surrogateescape")

    def lines_from(self, number: int, *, count: int | None = None) -> Iterator[bytes]:
        """The lines from this number on, as bytes without newline, synced. A torn last line is left out.

        count: no more than so many.
        """
        files = self.files()[(number - 1) // LINES_PER_FILE :]
        left, skipped = count, (number - 1) % LINES_PER_FILE
        for file in files:
            with file.open("rb") as stream:
                os.fsync(stream.fileno())
                for line in itertools.islice(stream, skipped, None):
                    if left == 0 or not line.endswith(b"\n"):
                        return
                    left = None if left is None else left - 1
                    yield line[:-1]
            skipped = 0

    def hash_of(self, line: str) -> str:
        """The hash that the next line carries as its `prev`."""
        return _hash(line)

    def check(self, *, grace_s: float = GRACE_S, seen: Callable[[str], None] = lambda _: None) -> LogState:
        """Recomputes the chain from the files and compares every line with its row of the catalog.

        grace_s: rows younger than this may still be on their way into the files. seen: told of every line.
        """
        faults = _Faults()
        previous, count, late = FIRST_PREV, 0, []
        with self._engine.connect() as connection:
            rows = iter(connection.execution_options(yield_per=BATCH).execute(_rows_after(0)))
            for count, line in enumerate(self.lines(), 1):
                faults.add(_chain_faults(count, line, previous))
                row = next(rows, None)
                if row is None:
                    late.append((count, line))
                else:
                    faults.add(_row_faults(count, line, row.line))
                previous = _hash(line)
                seen(line)
            left = next(rows, None)
        torn = self._torn()
        with self._engine.connect() as connection:
            # Recorded after the rows above were looked at.
            newer = {row.seq: row.line for row in connection.execute(_rows_after(count - len(late)))}
            head = connection.execute(sa.select(tables.log_head.c.seq, tables.log_head.c.hash)).one()
        for number, line in late:
            faults.add(_row_faults(number, line, newer.get(number)))
        if torn and not f"{newer.get(count + 1, '')}\n".encode().startswith(torn):
            faults.add(["The log's last file ends in something that is the beginning of no entry"])
        if left is not None and (datetime.now(UTC) - left.at).total_seconds() > grace_s:
            faults.add([f"The catalog holds entry {left.seq}, which the log's files lack"])
        if not faults.count and head.seq == count and head.hash != previous:
            faults.add([f"The catalog's head of the log is not the hash of entry {count}"])
        return LogState(count, previous, faults.said())

    def _torn(self) -> bytes:
        """What stands behind the last whole line; a process that dies while writing leaves such."""
        files = self.files()
        data = files[-1].read_bytes() if files else b""
        return data[data.rfind(b"\n") + 1 :]


def _require_same_past(tail: _Tail, row: Any) -> None:
    """Returns where the catalog's row is the files' last line. An older catalog must not write on."""
    held = row.hash if row is not None and row.seq == tail.seq else None
    if held != tail.hash:
        raise CustodyBroken(
            f"Entry {tail.seq} of the audit log is not in the catalog as it stands in the files: "
            "the catalog is older than the log; run `casereel rebuild catalog`",
            zh=f"日志第 {tail.seq} 条与目录不一致：目录比日志旧，请运行 casereel rebuild catalog",
            expected=tail.hash,
            found=held,
        )


def _end_of(file: Path) -> tuple[int, int, str]:
    """(bytes up to the end of the last whole line, bytes of the file, that line without its newline).

    From its end: other processes write into it, and whoever writes next looks where it ends now.
    """
    with file.open("rb") as stream:
        size_bytes = at = stream.seek(0, os.SEEK_END)
        data, step = b"", _END_BYTES
        while True:
            at, step = max(0, at - step), 2 * step
            stream.seek(at)
            data = stream.read(size_bytes - at)
            end = data.rfind(b"\n")
            begin = data.rfind(b"\n", 0, max(end, 0)) + 1
            if at == 0 or begin:
                return at + end + 1, size_bytes, data[begin : max(end, 0)].decode("utf-8", "surrogateescape")


def _rows_after(seq: int) -> sa.Select[Any]:
    event = tables.event
    return sa.select(event.c.seq, event.c.line, event.c.at).where(event.c.seq > seq).order_by(event.c.seq)


class _Faults:
    """What is wrong, in words; after the first MOST_FAULTS only how much more."""

    def __init__(self) -> None:
        self._said: list[str] = []
        self.count = 0

    def add(self, found: Sequence[str]) -> None:
        self._said += found[: max(0, MOST_FAULTS - len(self._said))]
        self.count += len(found)

    def said(self) -> tuple[str, ...]:
        more = self.count - len(self._said)
        return (*self._said, f"and {more} more") if more else tuple(self._said)


def _chain_faults(number: int, line: str, previous: str) -> list[str]:
    try:
        event = json.loads(line)
        seq, prev = event["seq"], event["prev"]
    except (ValueError, TypeError, KeyError):
        return [f"Line {number} of the log is not an entry"]
    faults = []
    if seq != number:
        faults.append(f"Line {number} of the log carries the number {seq}")
    if prev != previous:
        faults.append(f"Entry {number} does not carry the hash of the entry before it")
    return faults


def _row_faults(number: int, line: str, held: str | None) -> list[str]:
    if held is None:
        return [f"Entry {number} of the log is not in the catalog"]
    return [] if held == line else [f"Entry {number} reads otherwise in the catalog"]


def _line(seq: int, at: datetime, event: NewEvent, previous: str) -> str:
    said = {
        "actor": event.actor,
        "at": at.isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "boot": _boot(),
        "facts": dict(event.facts),
        "mono": round(time.monotonic(), 3),
        "original": event.original,
        "outcome": event.outcome,
        "prev": previous,
        "seq": seq,
        "type": event.type,
    }
    return json.dumps(said, sort_keys=True, ensure_ascii=True, separators=(",", ":"))


def _hash(line: str) -> str:
    return hashlib.sha256(line.encode("utf-8", "surrogateescape") + b"\n").hexdigest()


@functools.cache
def _boot() -> str:
    """Which start of the machine this is, so that monotonic times can be compared; empty where unknown."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
