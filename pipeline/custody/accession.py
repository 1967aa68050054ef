"""Takes settled files into custody: from here on the bytes are safe, and the clerk may be told so.

The steps, in this order, each a named failpoint:
 1 room, 2 copy while computing the digest, 3 source unchanged                                   (staging.stage)
 4 sync, 5 read back from the disk and compare                                                   (staging.prove)
 6 record, inventory and checksum lists, 7 sync, 8 rename, 9 sync the folders                    (vault.commit)
10 one transaction: arrival, original, event and the queued work
11 the log's line is durable
12 the receipt
Dying anywhere before 10 leaves nothing that counts; the same file then takes the same way again. The same bytes
once more are one original with a second arrival; the same bytes at the same place are no new arrival at all.
Source: the intake algorithm of the custody design (RELIABILITY 2.3); its leases and lists of names grow there.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from ulid import ULID

from config.settings import Settings
from pipeline.custody.sniff import Sniffed, sniff
from pipeline.edges import drops, failpoint
from pipeline.edges.audit import AuditLog, NewEvent
from pipeline.edges.catalog import Catalog
from pipeline.edges.jobs import Jobs
from pipeline.edges.staging import Staged
from pipeline.edges.vault import Vault
from pipeline.errors import TryAgain
from pipeline.records import Arrival, Original, Stated

BATCH_FILES: Final = 64
BATCH_BYTES: Final = 64 << 20
SOFTWARE: Final = "casereel/0.1.0"


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A file to take in. source: the name of its root; root: that folder; stated: what the clerk said of it."""

    path: Path
    root: Path
    source: str
    stated: Stated = field(default_factory=Stated)
    waited_for: str = ""

    @property
    def size_bytes(self) -> int:
        """Its size now, 0 where it is gone."""
        try:
            return self.path.lstat().st_size
        except OSError:
            return 0


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """How taking one file ended. original is None where it was rejected; again: whether a later try may succeed."""

    path: str
    status: str
    original: str | None
    sha256: str | None
    size_bytes: int
    reason: str | None
    again: bool = False


class Accession:
    """Takes files into custody, several at a time where they are small."""

    def __init__(
        self, settings: Settings, vault: Vault, catalog: Catalog, audit: AuditLog, jobs: Jobs,
        *, turns: Sequence[tuple[str, str]], actor: str,
    ) -> None:  # fmt: skip
        self._settings, self._vault, self._catalog = settings, vault, catalog
        self._audit, self._jobs, self._turns, self._actor = audit, jobs, turns, actor

    def take(self, candidates: Sequence[Candidate], moved: Callable[[int], None] = lambda _: None) -> list[Receipt]:
        """A receipt for each, in order; a file that cannot be read never stops its neighbours.

        moved: told of bytes read, for progress.
        Raises TryAgain where the surroundings fail (nothing is lost; take them again later), CustodyBroken where
        the vault or the log do not hold.
        """
        receipts: list[Receipt | None] = [None] * len(candidates)
        for batch in _batches(candidates):
            self._take_batch(batch, candidates, receipts, moved)
        return [receipt for receipt in receipts if receipt is not None]

    def _take_batch(
        self,
        batch: list[int],
        candidates: Sequence[Candidate],
        receipts: list[Receipt | None],
        moved: Callable[[int], None],
    ) -> None:
        staged: dict[int, Staged] = {}
        for place in batch:
            try:
                staged[place] = self._vault.staging.stage(candidates[place].path, moved=moved)
            except TryAgain as error:
                if error.fields.get("room"):
                    self._vault.staging.discard(list(staged.values()))
                    raise
                receipts[place] = _rejected(candidates[place], error.sentence, again=True)
            except OSError as error:
                receipts[place] = self._refuse(candidates[place], _why_unreadable(error))
        try:
            staged = dict(zip(staged, self._vault.staging.prove(list(staged.values())), strict=True))
        except BaseException:
            self._vault.staging.discard(list(staged.values()))
            raise
        sniffed = {place: self._sniff(one, candidates[place]) for place, one in staged.items()}
        arrivals = {place: _arrival(candidates[place], one) for place, one in staged.items()}
        records = {
            one.sha256: _intake_record(candidates[place], one, arrivals[place], sniffed[place])
            for place, one in staged.items()
        }
        self._vault.commit(list(staged.values()), records)
        failpoint.at("record.before")
        last = 0
        with self._catalog.transaction() as connection:
            # Rows of jobs are locked before the log's head, here as everywhere: who waits for whom has no circle.
            for place, one in staged.items():
                self._wake(connection, candidates[place], one)
            for place, one in staged.items():
                receipts[place], seq = self._enter(connection, candidates[place], one, arrivals[place], sniffed[place])
                last = max(last, seq)
            failpoint.at("record.middle")
        failpoint.at("record.committed")
        self._audit.make_durable(last)
        failpoint.at("receipt.before")

    def _sniff(self, staged: Staged, candidate: Candidate) -> Sniffed:
        return sniff(staged.head, staged.tail, _shown(candidate.path.name), self._settings.watch.sidecar_suffixes)

    def _wake(self, connection: sa.Connection, candidate: Candidate, staged: Staged) -> None:
        """A new name, folder or word of a clerk may say more about bytes that are in custody: they are timed anew."""
        original = self._catalog.original_with(connection, staged.sha256)
        place_key = _place(candidate, staged)["place_key"]
        if original is not None and self._catalog.arrival_at(connection, place_key, staged.sha256) is None:
            self._jobs.again(connection, original.id, "light", ("timestamps", "link", "index"))

    def _enter(
        self, connection: sa.Connection, candidate: Candidate, staged: Staged, arrival: Arrival, sniffed: Sniffed
    ) -> tuple[Receipt, int]:
        """Arrival, original, event and queued work, in the caller's transaction."""
        place = _place(candidate, staged)
        before = self._catalog.original_with(connection, staged.sha256)
        known = self._catalog.arrival_at(connection, place["place_key"], staged.sha256)
        if known is not None and before is not None:
            seq = self._see_again(connection, known, staged)
            return _receipt(known, before, staged, "duplicate", "the same file was taken in from here before"), seq
        original = before or Original(
            id=str(ULID()), sha256=staged.sha256, sm3=staged.sm3, size_bytes=staged.size_bytes, kind=sniffed.kind,
            format=sniffed.format, name=arrival.name, state="in_custody", accepted_at=arrival.taken_at,
        )  # fmt: skip
        status, reason = "accepted", None
        if before is not None:
            status, reason = "duplicate", f"the same bytes are in custody as {before.name}"
        arrival = replace(arrival, original=original.id, status=status, reason=reason)  # type: ignore[arg-type]
        event = NewEvent(
            type=f"arrival.{status}", actor=self._actor, original=original.id,
            facts={"arrival": _arrival_facts(arrival, place), "original": _original_facts(original)},
        )  # fmt: skip
        [seq] = self._audit.record(connection, [event])
        if before is None:
            self._catalog.add_original(connection, original, seq)
            self._jobs.plan(connection, original.id, self._turns)
            self._jobs.enqueue(connection, original.id, "light", kind=original.kind)
        self._catalog.add_arrival(connection, arrival, place)
        return _receipt(arrival, original, staged, status, reason), seq

    def _see_again(self, connection: sa.Connection, known: Arrival, staged: Staged) -> int:
        """The same bytes at the same place under a newer date or file number: no arrival, but not forgotten."""
        identity = staged.identity
        self._catalog.seen_again(
            connection, known.id, mtime_ns=identity.mtime_ns, inode=identity.inode, device=identity.device
        )
        facts = {
            "arrival": known.id, "mtime_ns": identity.mtime_ns, "inode": identity.inode,
            "device_number": identity.device,
        }  # fmt: skip
        event = NewEvent(type="arrival.seen_again", actor=self._actor, original=known.original, facts=facts)
        return self._audit.record(connection, [event])[0]

    def _refuse(self, candidate: Candidate, why: str) -> Receipt:
        """A file that cannot be taken in is named in the log, and stays where it is."""
        self.note("arrival.rejected", candidate.path, {"reason": why})
        return _rejected(candidate, why, again=False)

    def note(self, event: str, path: Path, facts: dict[str, Any]) -> None:
        """An event about a path that did not become an arrival is in the log, durable."""
        raw, shown = os.fsencode(path), _shown(path)
        now = datetime.now(UTC)
        facts = {"path_b64": _b64(raw), "path": shown, **drops.state_of(raw), **facts}
        if event == "arrival.rejected":
            facts["refused_at"] = now.isoformat()
        with self._catalog.transaction() as connection:
            told = NewEvent(type=event, actor=self._actor, outcome="refused", facts=facts)
            [seq] = self._audit.record(connection, [told])
            if event == "arrival.rejected":
                drops.add_rejection(connection, raw, seq, facts, now)
        self._audit.make_durable(seq)


def _batches(candidates: Sequence[Candidate]) -> list[list[int]]:
    """Places of the candidates in groups that share their syncs: many small files, or one large one."""
    groups: list[list[int]] = []
    room = 0
    for place, candidate in enumerate(candidates):
        size = candidate.size_bytes
        if not groups or len(groups[-1]) >= BATCH_FILES or size > room:
            groups.append([])
            room = BATCH_BYTES
        groups[-1].append(place)
        room -= size
    return groups


def _arrival(candidate: Candidate, staged: Staged) -> Arrival:
    try:
        folder = candidate.path.parent.relative_to(candidate.root)
    except ValueError:
        folder = candidate.path.parent
    return Arrival(
        id=str(ULID()),
        original=None,
        path=_shown(candidate.path),
        folder="" if str(folder) == "." else _shown(folder).replace(os.sep, "/"),
        name=_shown(candidate.path.name),
        name_raw=os.fsencode(candidate.path.name),
        source=candidate.source,
        status="accepted",
        reason=None,
        size_bytes=staged.size_bytes,
        mtime_ns=staged.identity.mtime_ns,
        taken_at=datetime.now(UTC),
        stated=candidate.stated,
    )


def _place(candidate: Candidate, staged: Staged) -> dict[str, Any]:
    raw = os.fsencode(candidate.path)
    return {
        "path_raw": raw,
        "device_number": staged.identity.device,
        "inode": staged.identity.inode,
        "sha256": staged.sha256,
        "place_key": hashlib.sha256(candidate.source.encode() + b"\0" + raw).hexdigest(),
    }


def _arrival_facts(arrival: Arrival, place: dict[str, Any]) -> dict[str, Any]:
    """The whole arrival, so that the log alone can give it back."""
    return {
        "id": arrival.id, "path": arrival.path, "path_b64": _b64(place["path_raw"]), "folder": arrival.folder,
        "name": arrival.name, "name_b64": _b64(arrival.name_raw), "source": arrival.source, "status": arrival.status,
        "reason": arrival.reason, "size_bytes": arrival.size_bytes, "mtime_ns": arrival.mtime_ns,
        "taken_at": arrival.taken_at.isoformat(), "device_number": place["device_number"], "inode": place["inode"],
        "sha256": place["sha256"], "place_key": place["place_key"],
        "stated": {k: v for k, v in vars(arrival.stated).items() if v is not None},
    }  # fmt: skip


def _original_facts(original: Original) -> dict[str, Any]:
    return {
        "id": original.id, "sha256": original.sha256, "sm3": original.sm3, "size_bytes": original.size_bytes,
        "kind": original.kind, "format": original.format, "name": original.name,
        "accepted_at": original.accepted_at.isoformat(),
    }  # fmt: skip


def _intake_record(candidate: Candidate, staged: Staged, arrival: Arrival, sniffed: Sniffed) -> dict[str, Any]:
    """`record.json` of the object: what intake saw, for whoever has nothing but the vault."""
    return {
        "sha256": staged.sha256,
        "sm3": staged.sm3,
        "size_bytes": staged.size_bytes,
        "kind": sniffed.kind,
        "format": sniffed.format,
        "arrival": _arrival_facts(arrival, _place(candidate, staged)),
        "ctime_ns": staged.identity.ctime_ns,
        "read_back": "equal",
        "waited_for": candidate.waited_for,
        "suspicions": ["zero_tail"] if staged.zero_tail else [],
        "software": SOFTWARE,
    }


def _receipt(arrival: Arrival, original: Original, staged: Staged, status: str, reason: str | None) -> Receipt:
    return Receipt(
        path=arrival.path,
        status=status,
        original=original.id,
        sha256=staged.sha256,
        size_bytes=staged.size_bytes,
        reason=reason,
    )


def _rejected(candidate: Candidate, why: str, *, again: bool) -> Receipt:
    return Receipt(
        path=_shown(candidate.path), status="rejected", original=None, sha256=None, size_bytes=candidate.size_bytes,
        reason=why, again=again,
    )  # fmt: skip


def _why_unreadable(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "it is gone: moved or deleted before it could be taken in"
    if isinstance(error, PermissionError):
        return "this program may not read it: check the file's permissions"
    return f"it cannot be read: {error.strerror or error}; check the card or disk it lies on"


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _shown(path: Path | str) -> str:
    """A name for people: UTF-8, else GB18030 as Chinese systems write, else with its odd bytes escaped."""
    raw = os.fsencode(path)
    for codec in ("utf-8", "gb18030"):
        try:
            return raw.decode(codec)
        except UnicodeDecodeError:
            continue
    return raw.decode("utf-8", "backslashreplace")
