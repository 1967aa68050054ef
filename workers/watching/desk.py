"""The clerks' desk: follows the arrivals in the log, judges drops against their lists, writes receipts.

It only tells. All that it says comes from the catalog, after the log's lines are durable; a receipt that was deleted
or could not be written harms nothing.
"""

from __future__ import annotations

import functools
import hashlib
import json
import logging
import os
import threading
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from ulid import ULID

from pipeline.custody import drops as judging
from pipeline.custody import manifests, receipts
from pipeline.edges.audit import NewEvent
from pipeline.edges.database import drops as rows
from pipeline.edges.database.drops import REFUSALS, Came, Drop
from pipeline.errors import CasereelError
from pipeline.records import Caveat
from workers.bootstrap import Home

logger = logging.getLogger(__name__)

NAME: Final = "desk"
TYPES: Final = ("arrival.accepted", "arrival.duplicate", *REFUSALS)
EVENTS_MAX: Final = 5_000
EVERY_S: Final = 1.0
REST_SHARE: Final = 5.0  # a round is followed by a rest of so many times its own length
WAITING_EVERY_S: Final = 10.0
FINDER: Final = "drop/1"

Receipt = tuple[str, str, str]  # source, folder directly below its root ("" for the root itself), day


class Desk:
    """The desk of one home."""

    def __init__(self, home: Home, actor: str) -> None:
        settings = home.settings
        self._home, self._actor = home, actor
        self._zone = ZoneInfo(settings.time.zone)
        self.roots = settings.watched
        self._waiting_at = 0.0

    def run(self, stop: threading.Event) -> None:
        """Tells what there is to tell until told to stop; trouble is logged and tried again."""
        while not stop.is_set():
            began = time.monotonic()
            try:
                self.round()
            except (CasereelError, OSError) as error:
                logger.warning("receipts: %s", error)
                stop.wait(10.0)
            stop.wait(max(EVERY_S, (time.monotonic() - began) * REST_SHARE))

    def round(self) -> int:
        """Tells of everything up to now; how many events that were."""
        told = 0
        while lines := self._new_lines():
            touched, folders = set[Receipt](), set[tuple[str, str]]()
            for _, line in lines:
                self._open(json.loads(line), touched, folders)
            self._name_archives(folders)
            for drop in self._drops_of(folders):
                self._judge(drop, touched)
            self._home.audit.make_durable(self._home.catalog.last_event())
            for one in sorted(touched):
                self._write(one)
            with self._home.catalog.transaction() as connection:
                rows.tell_up_to(connection, NAME, lines[-1][0])
            told += len(lines)
        self._look_at_waiting()
        return told

    def _new_lines(self) -> list[tuple[int, str]]:
        with self._home.catalog.snapshot() as connection:
            seq = rows.told_up_to(connection, NAME)
            return rows.lines_after(connection, seq, TYPES, EVENTS_MAX)

    # -- what an event touches

    def _open(self, event: Mapping[str, Any], touched: set[Receipt], folders: set[tuple[str, str]]) -> None:
        """Notes which receipts and drops an event touches; a list that came is stated."""
        at = datetime.fromisoformat(event["at"])
        if event["type"] in REFUSALS:
            found = self._source_of(event["facts"].get("path", ""))
            if found is not None:
                touched.add((found[0], _top(found[1]), self._day(at)))
            return
        arrival = event["facts"]["arrival"]
        source, folder, name = arrival["source"], arrival["folder"], arrival["name"]
        if source not in self.roots:
            return
        touched.add((source, _top(folder), self._day(datetime.fromisoformat(arrival["taken_at"]))))
        folders.add((source, folder))
        kind = manifests.kind_of(name, self._home.settings.drops.done)
        if kind is not None:
            self._state(source, folder, name, kind, event["original"], arrival["sha256"])

    def _source_of(self, path: str) -> tuple[str, str] | None:
        """(source, folder below its root) of a path, None where no root holds it."""
        for source, root in self.roots.items():
            if path.startswith(f"{root}{os.sep}"):
                return source, os.path.dirname(os.path.relpath(path, root)).replace(os.sep, "/")  # noqa: PTH120
        return None

    def _state(self, source: str, folder: str, name: str, kind: str, original: str, sha256: str) -> None:
        """The list is known, once; a marker that names nothing is none."""
        listed = self._listed(kind, name, sha256)
        if kind == "done" and not listed.entries:
            return
        drop = Drop(
            id=str(ULID()), source=source, folder=folder, name=name, kind=kind, manifest=original,
            listed=len(listed.entries), stated_at=datetime.now(UTC).replace(microsecond=0),
        )  # fmt: skip
        facts = {
            "drop": drop.id, "source": source, "folder": folder, "name": name, "kind": kind, "listed": drop.listed,
            "stated_at": drop.stated_at.isoformat(), "unread": listed.unread, "first_unread": listed.first_unread,
        }  # fmt: skip
        with self._home.catalog.transaction() as connection:
            known = {(one.folder, one.name, one.manifest) for one in rows.drops(connection, source)}
            if (folder, name, original) not in known:
                event = NewEvent(type="drop.stated", actor=self._actor, original=original, facts=facts)
                self._home.audit.record(connection, [event])
                rows.add_drop(connection, drop)

    def _listed(self, kind: str, name: str, sha256: str) -> manifests.Listed:
        with self._home.vault.opened(sha256) as path, path.open("rb") as stream:
            return manifests.parse(kind, name, stream.read(manifests.BYTES_MAX))

    def _name_archives(self, folders: set[tuple[str, str]]) -> None:
        """Files that were taken out of an archive say so."""
        tops = {_top(folder) for source, folder in folders if source == "inbox" and folder}
        if not tops:
            return
        for line in self._home.catalog.events_of_type(["archive.unpacked"]):
            event = json.loads(line)
            folder = event["facts"].get("folder")
            if folder not in tops or event["outcome"] != "done":
                continue
            name = self._home.catalog.names([event["original"]]).get(event["original"], "")
            caveat = Caveat(
                code="from_archive", text=f"Taken out of the archive {name} ({event['original']})",
                text_zh=f"从压缩包 {name}（{event['original']}）中解出", finder="unpack/1",
            )  # fmt: skip
            with self._home.catalog.transaction() as connection:
                turn = f"zip-{event['seq']}"
                caveats = {one.original: caveat for one in rows.came_below(connection, "inbox", folder)}
                if caveats.keys() <= rows.carrying(connection, turn):
                    continue
                facts = {"folder": folder, "files": len(caveats)}
                named = NewEvent(type="archive.named", actor=self._actor, original=event["original"], facts=facts)
                [seq] = self._home.audit.record(connection, [named])
                rows.set_caveats(connection, turn, caveats, seq)

    # -- judging

    def _drops_of(self, folders: set[tuple[str, str]]) -> list[Drop]:
        """The drops that an arrival in one of these folders may change: in the folder itself or above it."""
        with self._home.catalog.snapshot() as connection:
            found = rows.drops(connection)
        return [
            one for one in found
            if any(source == one.source and _is_below(folder, one.folder) for source, folder in folders)
        ]  # fmt: skip

    def _look_at_waiting(self) -> None:
        if time.monotonic() - self._waiting_at < WAITING_EVERY_S:
            return
        self._waiting_at = time.monotonic()
        self.look_at_waiting()

    def look_at_waiting(self) -> None:
        """Drops that wait for files are judged anew: a marker may have come, or nothing for long."""
        with self._home.catalog.snapshot() as connection:
            waiting = rows.drops(connection, waiting=True)
        touched = set[Receipt]()
        for drop in waiting:
            self._judge(drop, touched)
        if touched:
            self._home.audit.make_durable(self._home.catalog.last_event())
        for one in sorted(touched):
            self._write(one)

    def _judge(self, drop: Drop, touched: set[Receipt]) -> None:
        """The drop's standing is told where it changed: event, catalog and caveats in one transaction."""
        with self._home.catalog.snapshot() as connection:
            came = rows.came_below(connection, drop.source, drop.folder)
            others = [one for one in rows.drops(connection, drop.source) if one.folder == drop.folder]
        sha256 = next((one.sha256 for one in came if one.original == drop.manifest), None)
        if sha256 is None:
            return
        entries = self._listed(drop.kind, drop.name, sha256).entries
        held, own = self._held(drop, came)
        for other in others:  # what another list of the folder names is no stranger
            digest = next((one.sha256 for one in came if one.original == other.manifest), None)
            if other.id != drop.id and digest is not None:
                own |= {one.name for one in self._listed(other.kind, other.name, digest).entries}
        if drop.kind == "bagit":
            own |= {name for name in held if not name.startswith("data/")}
        if len(entries) == 1 and drop.name.startswith(entries[0].name):  # `a.mp4.sha256` speaks of one file only
            own |= set(held)
        judged = judging.judge(entries, held, ended=self._ended(drop, came), own=own)
        told = judged.facts()
        if told == dict(drop.told):
            return
        event = NewEvent(
            type="drop.checked", actor=self._actor, original=drop.manifest,
            outcome="done" if judged.state == "complete" else "failed" if judged.state != "waiting" else "done",
            facts={"drop": drop.id, "folder": drop.folder, "name": drop.name, "listed": drop.listed, **told},
        )  # fmt: skip
        with self._home.catalog.transaction() as connection:
            [seq] = self._home.audit.record(connection, [event])
            rows.judge_drop(connection, drop.id, judged.state, told)
            rows.set_caveats(connection, drop.turn, caveats_of(drop, judged), seq)
        touched.add((drop.source, _top(drop.folder), self._day(datetime.now(UTC))))

    def _held(self, drop: Drop, came: Sequence[Came]) -> tuple[dict[str, list[judging.Held]], set[str]]:
        held: dict[str, list[judging.Held]] = {}
        own: set[str] = set()
        for one in came:
            below = one.folder[len(drop.folder) :].strip("/") if drop.folder else one.folder
            name = manifests.comparable(f"{below}/{one.name}" if below else one.name)
            if manifests.kind_of(one.name, self._home.settings.drops.done):
                own.add(name)
            matches = functools.partial(self._matches, one)
            held.setdefault(name, []).append(judging.Held(one.original, one.size_bytes, matches))
        return held, own

    def _matches(self, one: Came, algorithm: str, digest: str) -> bool:
        if algorithm not in hashlib.algorithms_available:
            logger.warning("%s cannot be computed by this Python; %s is compared by name and size", algorithm, one.path)
            return True
        known = {"sha256": one.sha256, "sm3": one.sm3}.get(algorithm)
        return (known or self._digest(one.sha256, algorithm)) == digest

    @functools.lru_cache(maxsize=4096)  # noqa: B019  # one desk a process
    def _digest(self, sha256: str, algorithm: str) -> str:
        """The foreign list's kind of digest, of the bytes in custody."""
        with self._home.vault.opened(sha256) as path, path.open("rb") as stream:
            return hashlib.file_digest(stream, lambda: hashlib.new(algorithm, usedforsecurity=False)).hexdigest()

    def _ended(self, drop: Drop, came: Sequence[Came]) -> bool:
        if drop.state == "incomplete":
            return True
        folder = self.roots[drop.source] / drop.folder
        if any((folder / marker).exists() for marker in self._home.settings.drops.done):
            return True
        last = max([one.taken_at for one in came], default=drop.stated_at)
        return datetime.now(UTC) - max(last, drop.stated_at) > timedelta(seconds=self._home.settings.drops.patience_s)

    def expected(self, path: str) -> tuple[Drop, manifests.Entry] | None:
        """The list that names this path, and what it says of it."""
        found = self._source_of(path)
        if found is None:
            return None
        with self._home.catalog.snapshot() as connection:
            lists = [one for one in rows.drops(connection, found[0]) if _is_below(found[1], one.folder)]
            digests = {one.original: one.sha256 for one in rows.came_below(connection, found[0], "")} if lists else {}
        below = manifests.comparable(os.path.relpath(path, self.roots[found[0]]).replace(os.sep, "/"))
        for drop in lists:
            name = below.removeprefix(f"{manifests.comparable(drop.folder)}/") if drop.folder else below
            for entry in self._listed(drop.kind, drop.name, digests[drop.manifest or ""]).entries:
                if entry.name == name:
                    return drop, entry
        return None

    # -- receipts

    def receipt_of(self, source: str, folder: str, at: datetime) -> Path | None:
        """Where the receipt of an arrival lies, None where none is written."""
        place = self.folder_of(source, _top(folder)) if source in self.roots else None
        return None if place is None else place / receipts.file_name(self._day(at))

    def _day(self, at: datetime) -> str:
        return at.astimezone(self._zone).date().isoformat()

    def folder_of(self, source: str, top: str) -> Path | None:
        """Where the receipts of this drop folder lie; None where none are wanted."""
        settings = self._home.settings
        folder = receipts.folder_of(settings.drops.receipts, settings.home, source, self.roots[source])
        return folder / receipts.safe_name(top) if folder and top else folder

    def _write(self, one: Receipt) -> None:
        """The receipt of this folder and day is there, whole, under its name."""
        source, top, day = one
        folder = self.folder_of(source, top)
        if folder is None:
            return
        data = receipts.write(self._receipt(source, top, day))
        path = folder / receipts.file_name(day)
        folder.mkdir(parents=True, exist_ok=True)
        if path.exists() and path.read_bytes() == data:
            return
        new = folder / f".{path.name}.{os.getpid()}"
        new.write_bytes(data)
        new.replace(path)

    def _receipt(self, source: str, top: str, day: str) -> receipts.Receipt:
        since = datetime.fromisoformat(day).replace(tzinfo=self._zone).astimezone(UTC)
        until = since + timedelta(days=1)
        where = self.roots[source] / top if top else self.roots[source]
        with self._home.catalog.snapshot() as connection:
            came = rows.came_below(connection, source, top, itself=not top, since=since, until=until)
            refused = rows.rejections_below(connection, str(where), since, until, itself=not top)
            lists = [
                one for one in rows.drops(connection, source)
                if one.told and (_is_below(one.folder, top) if top else not one.folder)
            ]  # fmt: skip
            first = rows.first_names(connection, [one.original for one in came if one.status == "duplicate"])
        here = {one.path: one.taken_at for one in came}
        refused = [one for one in refused if here.get(one.path, since) < one.at]
        latest = max([one.taken_at for one in came] + [one.at for one in refused], default=since)
        return receipts.Receipt(
            where=str(where), day=day, zone=self._zone, until=latest,
            safe=[
                receipts.Safe(
                    _below(one, top), one.size_bytes, one.sha256, one.taken_at, one.original,
                    first.get(one.original, "") if one.status == "duplicate" else "",
                )
                for one in came
            ],
            refused=[receipts.Refused(os.path.relpath(one.path, where), one.reason, one.at) for one in refused],
            lists=[receipts.List(f"{one.folder}/{one.name}".strip("/"), one.listed, dict(one.told)) for one in lists],
        )  # fmt: skip


def caveats_of(drop: Drop, judged: judging.Judgement) -> dict[str, Caveat]:
    """Original -> what a reviewer must bear in mind of it because of the drop's list."""
    found: dict[str, Caveat] = {}
    for name, original in judged.extra:
        found[original] = Caveat(
            code="not_on_list", text=f"The list {drop.name} that came with the drop does not name {name}",
            text_zh=f"随附清单 {drop.name} 中没有 {name}", finder=FINDER,
        )  # fmt: skip
    for name, original in judged.wrong:
        found[original] = Caveat(
            code="not_as_listed",
            text=f"The list {drop.name} that came with the drop gives other bytes for {name} than those in custody",
            text_zh=f"随附清单 {drop.name} 中 {name} 的校验值或大小与入库的文件不一致", finder=FINDER,
        )  # fmt: skip
    if drop.manifest and judged.missing and judged.state != "waiting":
        some = "、".join(judged.missing[:5])
        found[drop.manifest] = Caveat(
            code="drop_incomplete",
            text=f"{len(judged.missing)} of the {drop.listed} files on this list did not arrive, such as {some}",
            text_zh=f"清单所列 {drop.listed} 个文件中有 {len(judged.missing)} 个没有收到，例如 {some}", finder=FINDER,
        )  # fmt: skip
    return found


def _top(folder: str) -> str:
    return folder.partition("/")[0]


def _below(one: Came, top: str) -> str:
    folder = one.folder[len(top) :].strip("/")
    return f"{folder}/{one.name}" if folder else one.name


def _is_below(folder: str, above: str) -> bool:
    return not above or folder == above or folder.startswith(f"{above}/")
