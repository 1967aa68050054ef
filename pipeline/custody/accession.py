"""Takes settled files into custody: from here on the bytes are safe, and the clerk may be told so.

The steps, numbered as the custody design numbers them (RELIABILITY 2.3), each with its failpoints:
 1-3 seen, regular, settled            scan.* open.* look.*      handles, looking, settle
 4 nobody writes                       stage.before_lease        and once more before 13: take.unwritten
 5 room, 6 staging, 7 copy with digest stage.* copy.*            staging, copying, salvage
 8 sync, 9 source unchanged, 10 read back and compare            prove.* stage.unchanged stage.read_twice
11 record, lists and inventory, 12 the same object there already, 13 rename, sync of the folders   object.*
15 one transaction: arrival, original, event and queued work     record.*
14 the log's line is durable (after 15, for its text is a row of that transaction)   log.*
16 the receipt                                                   receipt.before
17 the source stays where it is
Dying anywhere before 15 leaves nothing that counts; the same file then takes the same way again. The same bytes
once more are one original with a second arrival; the same bytes at the same place are no new arrival at all;
other bytes at that place are a new arrival, and the event `arrival.changed` names the one before.
"""

from __future__ import annotations

import base64
import contextlib
import errno
import os
import socket
import time
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from ulid import ULID

from config.settings import Settings
from pipeline.custody import recovery, suspicion
from pipeline.custody.sniff import Sniffed, sniff
from pipeline.edges import failpoint
from pipeline.edges.audit import AuditLog, NewEvent
from pipeline.edges.catalog import Catalog
from pipeline.edges.database import drops, intake, knowledge
from pipeline.edges.host import clock, disk
from pipeline.edges.host.handles import Identity, NotTaken, OpenFile, OpenFolder, SourceChanged
from pipeline.edges.host.salvage import ReadFault
from pipeline.edges.jobs import Jobs
from pipeline.edges.storage.staging import Staged
from pipeline.edges.vault import Vault
from pipeline.errors import CasereelError, TryAgain
from pipeline.records import Arrival, Original, Stated

BATCH_FILES: Final = 64
BATCH_BYTES: Final = 64 << 20
SOFTWARE: Final = "casereel/0.1.0"
WHAT_TO_DO_ABOUT_A_CARD: Final = (
    "try another card reader or cable; `casereel ingest --accept-partial` takes what can still be read"
)

DISPOSED: Final = (
    "the same bytes were disposed of at the end of their period; the file was left where it is; ask the legal office"
)
SAME_BYTES: Final = "the same bytes are in custody as "
GOING: Final = (
    "the same bytes are being disposed of at this moment; the file was left where it is, take it once more later"
)


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A file to take in. source: the name of its root; root: that folder; stated: what the clerk said of it.

    below: the folder that a person or a setting named; no link below it is followed; None means the root.
    seen: the file at the last look: another one at its path is not taken. first_seen_s: of the first look, on the
    monotonic clock. partial: what cannot be read of it becomes zeros, as a person asked. fault: why the folder of
    this path was not entered; its receipt says so.
    """

    path: Path
    root: Path
    source: str
    stated: Stated = field(default_factory=Stated)
    waited_for: str = ""
    below: Path | None = None
    seen: Identity | None = None
    first_seen_s: float | None = None
    partial: bool = False
    fault: CasereelError | OSError | None = None

    @property
    def folder(self) -> Path:
        """The folder by whose handle the file is reached."""
        return self.below or self.root

    @property
    def size_bytes(self) -> int:
        """Its size at the last look, 0 where it is not known."""
        if self.seen is not None:
            return self.seen.size_bytes
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


@dataclass
class _Taking:
    """One file on its way: what is known of it grows with every step.

    was_there: the vault held an object with its digest already, so the record there is not of this file.
    """

    candidate: Candidate
    folder_owner: int
    file: OpenFile
    staged: Staged
    sniffed: Sniffed = field(init=False)
    arrival: Arrival = field(init=False)
    suspicions: list[str] = field(default_factory=list)
    was_there: bool = False


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
        failpoint.at("take.before")
        with contextlib.ExitStack() as closing:
            taking: dict[int, _Taking] = {}
            try:
                self._stage(batch, candidates, receipts, moved, taking, closing)
                self._prove(taking, receipts)
                self._leave_disposed(taking, receipts)
                self._commit(taking)
            except BaseException:
                self._vault.staging.discard(one.staged for one in taking.values())
                raise
        last = self._record(taking, receipts)
        failpoint.at("record.committed")
        self._audit.make_durable(last)
        failpoint.at("receipt.before")

    def _stage(
        self, batch: list[int], candidates: Sequence[Candidate], receipts: list[Receipt | None],
        moved: Callable[[int], None], taking: dict[int, _Taking], closing: contextlib.ExitStack,
    ) -> None:  # fmt: skip
        """Every file of the batch that can be copied is a taking; of the others the receipt says why not."""
        folders: dict[Path, OpenFolder] = {}
        for place in batch:
            candidate = candidates[place]
            try:
                if candidate.fault is not None:
                    raise candidate.fault
                if candidate.folder not in folders:
                    opened = OpenFolder(candidate.folder, other_disks=self._settings.intake.other_disks)
                    folders[candidate.folder] = closing.enter_context(opened)
                file = closing.enter_context(folders[candidate.folder].opened(_name_below(candidate)))
                self._require_wanted(candidate, file)
                staged = self._vault.staging.stage(file, moved=moved, partial=candidate.partial)
                taking[place] = _Taking(candidate, folders[candidate.folder].owner, file, staged)
            except TryAgain as error:
                if error.fields.get("room"):
                    raise
                receipts[place] = _rejected(candidate, error.sentence, again=True)
            except NotTaken as error:
                receipts[place] = self._refuse(candidate, error.sentence, **error.fields)
            except ReadFault as error:
                self.note("arrival.read_error", candidate.path, {"reason": error.sentence, **error.fields})
                receipts[place] = _rejected(candidate, f"{error.sentence}; {WHAT_TO_DO_ABOUT_A_CARD}", again=False)
            except OSError as error:
                if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOMEM):
                    raise TryAgain(
                        f"The system gives no more open files ({error.strerror})",
                        zh=f"系统打开的文件已达上限（{error.strerror}）",
                        room=True,
                    ) from error
                receipts[place] = self._refuse(candidate, _why_unreadable(error))

    def _require_wanted(self, candidate: Candidate, file: OpenFile) -> None:
        """Returns where this is the file that was looked at, and its kind of file is taken in."""
        if candidate.seen is not None and candidate.seen != file.identity:
            raise SourceChanged("It changed since it was looked at")
        if file.status.st_nlink > 1 and not self._settings.intake.hard_links:
            raise NotTaken(
                f"it has {file.status.st_nlink} names on its disk; put a copy here, or set intake.hard_links = true",
                kind="hard_links",
            )  # fmt: skip

    def _prove(self, taking: dict[int, _Taking], receipts: list[Receipt | None]) -> None:
        """Every copy reads back equal, and nobody has begun to write to its source meanwhile."""
        proved = self._vault.staging.prove([one.staged for one in taking.values()])
        for place, staged in zip(list(taking), proved, strict=True):
            one = taking[place]
            one.staged = staged
            try:
                one.file.require_unwritten()
                one.file.require_unchanged()
            except SourceChanged as error:
                receipts[place] = _rejected(one.candidate, error.sentence, again=True)
                self._vault.staging.discard([staged])
                del taking[place]
        failpoint.at("take.unwritten")

    def _leave_disposed(self, taking: dict[int, _Taking], receipts: list[Receipt | None]) -> None:
        """What was disposed of does not come back unseen; the file stays where it is."""
        digests = {one.staged.sha256 for one in taking.values()}
        disposed = self._catalog.disposed_among(sorted(digests))
        going = {one for one in digests if self._vault.tombstone_is_there(one)}
        for place in [place for place, one in taking.items() if one.staged.sha256 in disposed | going]:
            one = taking.pop(place)
            self._vault.staging.discard([one.staged])
            if one.staged.sha256 not in disposed:
                receipts[place] = _rejected(one.candidate, GOING, again=True)
                continue
            with self._catalog.transaction() as connection:
                receipts[place], seq = self._refuse_disposed(connection, one)
            self._audit.make_durable(seq)

    def _refuse_disposed(self, connection: sa.Connection, taking: _Taking) -> tuple[Receipt, int]:
        """The refusal stands in the log under the original that went, with the digest that proves it."""
        sha256, candidate = taking.staged.sha256, taking.candidate
        original = intake.original_with(connection, sha256)
        facts = {"reason": DISPOSED, "kind": "disposed", "sha256": sha256}
        about = None if original is None else original.id
        seq = self._note(connection, "arrival.rejected", candidate.path, facts, original=about)
        return replace(_rejected(candidate, DISPOSED, again=False), sha256=sha256), seq

    def _commit(self, taking: dict[int, _Taking]) -> None:
        accepted, settings = clock.moment(), self._settings.digest
        for one in taking.values():
            one.sniffed = self._sniff(one.staged, one.candidate)
            one.arrival = _arrival(one.candidate, one.staged)
            one.suspicions = suspicion.suspicions_of(one.staged, one.sniffed, one.arrival)
        records: dict[str, dict[str, Any]] = {}
        for one in taking.values():
            record = {**_intake_record(one), "accepted": accepted, "settings_sha256": settings}
            records.setdefault(one.staged.sha256, record)  # of equal bytes the first is the one that is accepted
        with disk.failing_writes(self._vault.root):
            placed = self._vault.commit([one.staged for one in taking.values()], records)
        for one in taking.values():
            one.was_there = one.staged.sha256 not in placed
        failpoint.at("record.before")

    def _record(self, taking: dict[int, _Taking], receipts: list[Receipt | None]) -> int:
        """The batch is in the catalog; the number of its last event."""
        last = 0
        with self._catalog.transaction() as connection:
            # Rows of jobs are locked before the log's head, here as everywhere: who waits for whom has no circle.
            for one in taking.values():
                self._wake(connection, one.candidate, one.staged)
            self._audit.record(connection, [])  # whoever disposes of one of them has done so, or waits
            for place, one in taking.items():
                receipts[place], seq = self._enter(connection, one)
                last = max(last, seq)
            failpoint.at("record.middle")
        return last

    def _sniff(self, staged: Staged, candidate: Candidate) -> Sniffed:
        return sniff(staged.head, staged.tail, _shown(candidate.path.name), self._settings.watch.sidecar_suffixes)

    def _wake(self, connection: sa.Connection, candidate: Candidate, staged: Staged) -> None:
        """A new name, folder or word of a clerk may say more about bytes that are in custody: they are timed anew."""
        original = intake.original_with(connection, staged.sha256)
        place_key = _place(candidate, staged)["place_key"]
        if original is not None and intake.arrival_at(connection, place_key, staged.sha256) is None:
            self._jobs.again(connection, original.id, "light", ("timestamps", "link", "index"))

    def _enter(self, connection: sa.Connection, taking: _Taking) -> tuple[Receipt, int]:
        """Arrival, original, event and queued work, in the caller's transaction."""
        staged, sniffed, arrival = taking.staged, taking.sniffed, taking.arrival
        place = _place(taking.candidate, staged)
        before = intake.original_with(connection, staged.sha256)
        if before is not None and before.state == "disposed":
            return self._refuse_disposed(connection, taking)
        if self._vault.tombstone_is_there(staged.sha256):
            return _rejected(taking.candidate, GOING, again=True), 0
        known = intake.arrival_at(connection, place["place_key"], staged.sha256)
        if known is not None and before is not None:
            seq = self._see_again(connection, known, staged)
            if known.id == arrival.id:  # another process found the object first and entered it from its record
                return _receipt(known, before, staged, "accepted", None), seq
            return _receipt(known, before, staged, "duplicate", "the same file was taken in from here before"), seq
        if before is None and taking.was_there:
            return self._enter_late(connection, taking)
        self._tell_changed(connection, arrival, place)
        original = before or Original(
            id=str(ULID()), sha256=staged.sha256, sm3=staged.sm3, size_bytes=staged.size_bytes, kind=sniffed.kind,
            format=sniffed.format, name=arrival.name, state="in_custody", accepted_at=arrival.taken_at,
        )  # fmt: skip
        status, reason = "accepted", None
        if before is not None:
            status, reason = "duplicate", f"{SAME_BYTES}{before.name}"
        arrival = replace(arrival, original=original.id, status=status, reason=reason)  # type: ignore[arg-type]
        facts = {
            "arrival": _arrival_facts(arrival, place), "original": _original_facts(original),
            "suspicions": taking.suspicions,
        }  # fmt: skip
        event = NewEvent(type=f"arrival.{status}", actor=self._actor, original=original.id, facts=facts)
        [seq] = self._audit.record(connection, [event])
        if before is None:
            intake.add_original(connection, original, seq)
            knowledge.add_caveats(connection, original.id, "intake", suspicion.caveats_of(taking.suspicions))
            self._jobs.plan(connection, original.id, self._turns)
            self._jobs.enqueue(connection, original.id, "light", kind=original.kind)
        intake.add_arrival(connection, arrival, place)
        return _receipt(arrival, original, staged, status, reason), seq

    def _enter_late(self, connection: sa.Connection, taking: _Taking) -> tuple[Receipt, int]:
        """The object was there and unknown: whoever placed it died before telling, or is about to tell.

        It is entered with the arrival that its record tells of; this file is that one, or a second arrival.
        """
        facts = self._vault.record(taking.staged.sha256)
        original, seq = recovery.enter_late(connection, facts, self._audit, self._jobs, self._actor, turns=self._turns)
        place_key = _place(taking.candidate, taking.staged)["place_key"]
        known = intake.arrival_at(connection, place_key, taking.staged.sha256)
        if known is not None:
            return _receipt(known, original, taking.staged, "accepted", None), seq
        return self._enter(connection, taking)

    def _tell_changed(self, connection: sa.Connection, arrival: Arrival, place: dict[str, Any]) -> None:
        """Other bytes lie where an original was taken from: it stays untouched, and the log says what happened."""
        before = intake.last_arrival_at(connection, place["place_key"])
        if before is not None:
            facts = {
                "path": arrival.path, "path_b64": _b64(place["path_raw"]), "before": before.id, "now": arrival.id,
                "size_bytes": [before.size_bytes, arrival.size_bytes], "mtime_ns": [before.mtime_ns, arrival.mtime_ns],
            }  # fmt: skip
            event = NewEvent(type="arrival.changed", actor=self._actor, original=before.original, facts=facts)
            self._audit.record(connection, [event])

    def _see_again(self, connection: sa.Connection, known: Arrival, staged: Staged) -> int:
        """The same bytes at the same place under a newer date or file number: no arrival, but not forgotten."""
        identity = staged.identity
        intake.seen_again(
            connection, known.id, mtime_ns=identity.mtime_ns, inode=identity.inode, device=identity.device
        )
        facts = {
            "arrival": known.id, "mtime_ns": identity.mtime_ns, "inode": identity.inode,
            "device_number": identity.device,
        }  # fmt: skip
        event = NewEvent(type="arrival.seen_again", actor=self._actor, original=known.original, facts=facts)
        return self._audit.record(connection, [event])[0]

    def _refuse(self, candidate: Candidate, why: str, **more: Any) -> Receipt:
        """A file that cannot be taken in is named in the log, and stays where it is."""
        self.note("arrival.rejected", candidate.path, {"reason": why, **more})
        return _rejected(candidate, why, again=False)

    def note(self, event: str, path: Path, facts: dict[str, Any]) -> None:
        """An event about a path that did not become an arrival is in the log, durable."""
        with self._catalog.transaction() as connection:
            seq = self._note(connection, event, path, facts)
        self._audit.make_durable(seq)

    def _note(
        self, connection: sa.Connection, event: str, path: Path, facts: dict[str, Any], *, original: str | None = None
    ) -> int:
        raw, shown = os.fsencode(path), _shown(path)
        now = datetime.now(UTC)
        facts = {"path_b64": _b64(raw), "path": shown, **drops.state_of(raw), **facts}
        if event in drops.REFUSALS:
            facts["refused_at"] = now.isoformat()
        told = NewEvent(type=event, actor=self._actor, outcome="refused", original=original, facts=facts)
        [seq] = self._audit.record(connection, [told])
        if event in drops.REFUSALS:
            drops.add_rejection(connection, raw, seq, facts, now)
        return seq


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
        "place_key": drops.place_key(candidate.source, raw),
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


def _intake_record(taking: _Taking) -> dict[str, Any]:
    """`record.json` of the object: what intake saw, for whoever has nothing but the vault."""
    candidate, staged, arrival, found = taking.candidate, taking.staged, taking.arrival, taking.staged.source
    shown, codec = disk.decoded(arrival.name_raw)
    composed = unicodedata.normalize("NFC", shown)
    first_seen = candidate.first_seen_s
    return {
        "sha256": staged.sha256,
        "sm3": staged.sm3,
        "size_bytes": staged.size_bytes,
        "kind": taking.sniffed.kind,
        "format": taking.sniffed.format,
        "arrival": _arrival_facts(arrival, _place(candidate, staged)),
        "name": {
            "raw_b64": _b64(arrival.name_raw), "shown": shown, "codec": codec, "nfc": composed,
        },
        "drop": {
            "folder": _shown(candidate.root), "folder_b64": _b64(os.fsencode(candidate.root)),
            "owner_uid": taking.folder_owner, "host": socket.gethostname(), "disk": disk.described(found.st_dev),
        },
        "file": {
            "device_number": found.st_dev, "inode": found.st_ino, "mode": found.st_mode, "uid": found.st_uid,
            "gid": found.st_gid, "links": found.st_nlink, "blocks": getattr(found, "st_blocks", None),
            "mtime_ns": found.st_mtime_ns, "ctime_ns": found.st_ctime_ns, "born_ns": staged.born_ns,
        },
        "completion": {
            "method": _method(staged), "read_twice": staged.read_twice, "waited_for": candidate.waited_for,
        },
        "first_seen": None if first_seen is None else clock.moment(time.monotonic() - first_seen),
        "clock_synchronised": clock.is_synchronised(),
        "read_back": "equal",
        "suspicions": taking.suspicions,
        "unreadable": [list(one) for one in staged.unreadable],
        "software": SOFTWARE,
    }  # fmt: skip


def _method(staged: Staged) -> str:
    """How it was known that nobody writes any more."""
    if staged.unwritten:
        return "share_mode" if disk.capabilities()["share_modes"] else "lease"
    return "double_read" if staged.read_twice else "quiet"


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


def _name_below(candidate: Candidate) -> bytes:
    """The raw name below the candidate's folder, `/` between parts."""
    try:
        below = candidate.path.relative_to(candidate.folder)
    except ValueError as error:
        raise NotTaken("it lies outside the folder it was looked for in", kind="outside") from error
    return os.fsencode(below).replace(os.fsencode(os.sep), b"/")


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _shown(path: Path | str) -> str:
    return disk.shown(path)
