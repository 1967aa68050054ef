"""Watches folders: events say only "look at this path", a rescan of every tree at a steady interval is the truth.

A root that vanished, cannot be listed or is suddenly empty is an alarm and never a deletion. The observer and
each of its emitters are looked after (a dead emitter looks alive from outside), and a canary file proves that
events come through. Network mounts are polled, for they tell nothing of writes made elsewhere.
"""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import stat
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer

from pipeline.custody import settle, wholeness
from pipeline.custody.accession import BATCH_FILES, Accession, Candidate, Receipt
from pipeline.edges import disk
from pipeline.edges.staging import Identity
from pipeline.errors import CustodyBroken, TryAgain
from workers.bootstrap import Home, build_accession, build_jobs

logger = logging.getLogger(__name__)

CANARY: Final = ".casereel-canary"
LOOKS_KEPT: Final = 16
NETWORK_TYPES: Final = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ncpfs", "davfs", "glusterfs"})
INOTIFY_LIMITS: Final = Path("/proc/sys/fs/inotify")

Place = tuple[bytes, int, int, int]


@dataclass
class Root:
    """One watched tree and what is going on in it."""

    source: str
    path: Path
    events: bool
    alarm: str = ""
    scanned_at: float = 0.0
    files: int = 0
    canary_sent_at: float = 0.0
    canary_seen_at: float = 0.0
    taken: set[Place] = field(default_factory=set)


@dataclass
class Tracked:
    """A path that is not yet taken, with the looks at it."""

    root: Root
    path: bytes
    looks: list[settle.Look] = field(default_factory=list)
    first_s: float = field(default_factory=time.monotonic)
    due_s: float = 0.0
    why: str = ""


class Watcher:
    """The watcher of one home. Times are seconds on the monotonic clock."""

    def __init__(self, home: Home, accession: Accession) -> None:
        settings = home.settings
        self._home, self._accession = home, accession
        self._rules = settle.Rules(
            quiet_s=settings.settle.quiet_s, quiet_no_lease_s=settings.settle.quiet_no_lease_s,
            unfinished_s=settings.settle.unfinished_s, looks=settings.settle.looks,
        )  # fmt: skip
        self._hints: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._tracked: dict[bytes, Tracked] = {}
        self._settled: set[bytes] = set()
        self._refused: set[Place] = set()
        self._observer: Any = None
        self.last: Receipt | None = None
        self.pause = ""
        self.roots = [self._root("inbox", settings.inbox)]
        self.roots += [self._root(f"folder:{path}", Path(path)) for path in settings.watch.folders]

    def _root(self, source: str, path: Path) -> Root:
        events = self._home.settings.watch.events and not is_network_mount(path)
        return Root(source, path.absolute(), events, taken=self._home.catalog.places_taken(source))

    # -- running

    def run(self, stop: threading.Event) -> None:
        """Watches until told to stop; a fault of the surroundings pauses it and never ends it."""
        stumbled = False
        while not stop.is_set():
            try:
                self._look_after_observer()
                self.scan_if_due()
                self.step()
                self.pause = "" if stumbled else self.pause
                stumbled = False
            except TryAgain as error:
                self.pause, stumbled = error.sentence, True
                logger.warning("intake pauses: %s", error.sentence)
                stop.wait(self._home.settings.watch.poll_s)
            self._wait(stop)
        if self._observer is not None:
            self._observer.stop()
            self._observer.join(timeout=5)

    def run_once(self) -> list[Receipt]:
        """Scans, waits until every file is settled or known to be stuck, takes them in and ends."""
        receipts: list[Receipt] = []
        for root in self.roots:
            self._scan(root)
        while waiting := [one for one in self._tracked.values() if not settle.is_partial(os.fsdecode(one.path))]:
            receipts += self.step()
            if self.pause:
                break
            soonest = min((one.due_s for one in waiting), default=0.0)
            time.sleep(min(max(soonest - time.monotonic(), 0.01), 1.0))
        return receipts

    def _wait(self, stop: threading.Event) -> None:
        now = time.monotonic()
        dues = [one.due_s for one in self._tracked.values()]
        due = min([root.scanned_at + self._home.settings.watch.rescan_s for root in self.roots] + dues)
        until = now + min(max(due - now, 0.01), self._home.settings.watch.poll_s)
        while not stop.is_set() and time.monotonic() < until:
            with contextlib.suppress(queue.Empty):
                self._take_hint(self._hints.get(timeout=min(0.1, max(until - time.monotonic(), 0.001))))
                return

    def step(self) -> list[Receipt]:
        """Looks at what is due and takes in what is settled; the receipts of it."""
        while True:
            with contextlib.suppress(queue.Empty):
                while True:
                    self._take_hint(self._hints.get_nowait())
            now = time.monotonic()
            settled = [one for one in list(self._tracked.values()) if one.due_s <= now and self._look(one, now)]
            if not settled:
                return []
            return self._take(settled)

    # -- seeing

    def scan_if_due(self) -> None:
        """Every root whose interval is over is listed anew."""
        for root in self.roots:
            if time.monotonic() - root.scanned_at >= self._home.settings.watch.rescan_s or not root.scanned_at:
                self._scan(root)

    def _scan(self, root: Root) -> None:
        found, before = 0, root.files
        try:
            for path, status in self._walk(root, os.fsencode(root.path)):
                found += 1
                self._see(root, path, status)
        except OSError as error:
            self._raise_alarm(root, f"the folder cannot be listed ({error.strerror}); is the disk or share connected?")
            root.scanned_at = time.monotonic()
            return
        root.scanned_at, root.files = time.monotonic(), found
        if before > 0 and found == 0 and any(place[0] for place in root.taken):
            self._raise_alarm(root, f"the folder held {before} files and is now empty; is the disk or share connected?")
        else:
            self._raise_alarm(root, "")
        self._send_canary(root)

    def _raise_alarm(self, root: Root, alarm: str) -> None:
        if alarm and alarm != root.alarm:
            logger.warning("%s: %s", root.path, alarm)
        root.alarm = alarm

    def _walk(self, root: Root, folder: bytes) -> Iterator[tuple[bytes, os.stat_result]]:
        with os.scandir(folder) as entries:
            for entry in sorted(entries, key=lambda one: one.name):
                if settle.is_ignored([os.fsdecode(entry.name)], self._home.settings.watch.ignore):
                    continue
                try:
                    if entry.is_dir(follow_symlinks=False):
                        yield from self._walk_below(root, entry.path)
                    else:
                        yield entry.path, entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue

    def _walk_below(self, root: Root, folder: bytes) -> Iterator[tuple[bytes, os.stat_result]]:
        try:
            yield from self._walk(root, folder)
        except OSError as error:
            logger.warning("%s cannot be listed: %s", os.fsdecode(folder), error)

    def _see(self, root: Root, path: bytes, status: os.stat_result) -> None:
        place = (path, status.st_size, status.st_mtime_ns, status.st_ino)
        if place in root.taken or place in self._refused or path in self._tracked:
            return
        self._tracked[path] = Tracked(root, path, due_s=time.monotonic())

    def _take_hint(self, path: bytes) -> None:
        if path.endswith(b"/" + CANARY.encode()):
            for one in self.roots:
                if path.startswith(os.fsencode(one.path) + b"/"):
                    one.canary_seen_at = time.monotonic()
            return
        found = Path(os.fsdecode(path))
        root = next((one for one in self.roots if found.is_relative_to(one.path)), None)
        if root is None:
            return
        parts = found.relative_to(root.path).parts
        if settle.is_ignored(parts, self._home.settings.watch.ignore):
            return
        with contextlib.suppress(OSError):
            status = os.lstat(path)
            if stat.S_ISDIR(status.st_mode):
                for below, its_status in self._walk_below(root, path):
                    self._see(root, below, its_status)
            else:
                self._see(root, path, status)

    # -- settling

    def _look(self, tracked: Tracked, now: float) -> bool:
        """Looks once more; whether the file is settled."""
        try:
            tracked.looks.append(look_at(tracked.path, now))
        except FileNotFoundError:
            self._gone(tracked)
            return False
        except OSError as error:
            tracked.due_s, tracked.why = (
                now + self._home.settings.watch.poll_s * 5,
                f"it cannot be opened: {error.strerror}",
            )
            return isinstance(error, PermissionError)  # taking it will refuse it by name
        del tracked.looks[:-LOOKS_KEPT]
        verdict = settle.decide(Path(os.fsdecode(tracked.path)).name, tracked.looks, now, self._rules)
        tracked.why, tracked.due_s = verdict.why, verdict.again_s
        if verdict.what == "refuse":
            self._refuse(tracked, verdict.why)
            return False
        return verdict.what == "take"

    def _gone(self, tracked: Tracked) -> None:
        """A file that was seen and went before it was taken is an event, once it had bytes."""
        del self._tracked[tracked.path]
        if tracked.looks and not settle.is_partial(os.fsdecode(tracked.path)):
            self._accession.note(
                "arrival.gone", Path(os.fsdecode(tracked.path)),
                {"size_bytes": tracked.looks[-1].identity.size_bytes, "reason": "gone before it was taken in"},
            )  # fmt: skip

    def _refuse(self, tracked: Tracked, why: str) -> None:
        identity = tracked.looks[-1].identity
        self._refused.add((tracked.path, identity.size_bytes, identity.mtime_ns, identity.inode))
        del self._tracked[tracked.path]
        self._accession.note("arrival.rejected", Path(os.fsdecode(tracked.path)), {"reason": why})

    def _take(self, settled: list[Tracked]) -> list[Receipt]:
        receipts: list[Receipt] = []
        for first in range(0, len(settled), BATCH_FILES):
            batch = settled[first : first + BATCH_FILES]
            candidates = [
                Candidate(
                    path=Path(os.fsdecode(one.path)), root=one.root.path, source=one.root.source, waited_for=one.why
                )
                for one in batch
            ]
            try:
                taken = self._accession.take(candidates)
            except TryAgain as error:
                self.pause = error.sentence
                logger.warning("intake pauses: %s", error.sentence)
                for one in batch:
                    one.due_s = time.monotonic() + min(self._home.settings.watch.rescan_s, 10.0)
                return receipts
            self.pause = ""
            for one, receipt in zip(batch, taken, strict=True):
                self._settle_account(one, receipt)
            receipts += taken
        return receipts

    def _settle_account(self, tracked: Tracked, receipt: Receipt) -> None:
        self.last = receipt
        if receipt.again:
            tracked.looks.clear()
            tracked.due_s = time.monotonic() + self._rules.quiet_s / self._rules.looks
            return
        self._tracked.pop(tracked.path, None)
        if not tracked.looks:
            return
        identity = tracked.looks[-1].identity
        place = (tracked.path, identity.size_bytes, identity.mtime_ns, identity.inode)
        (self._refused if receipt.original is None else tracked.root.taken).add(place)

    # -- looking after the observer

    def _look_after_observer(self) -> None:
        wanted = [root for root in self.roots if root.events and root.path.is_dir()]
        if self._observer is not None:
            emitters = list(self._observer.emitters)
            alive = (
                self._observer.is_alive() and all(one.is_alive() for one in emitters) and len(emitters) == len(wanted)
            )
            if alive:
                return
            logger.warning("the file events stopped; starting them anew")
            with contextlib.suppress(Exception):
                self._observer.stop()
            for root in self.roots:
                root.scanned_at = 0.0
        if wanted:
            self._observer = self._start_observer(wanted)

    def _start_observer(self, roots: list[Root]) -> Any:
        observer = Observer()
        observer.daemon = True
        handler = _Hinter(self._hints)
        try:
            observer.start()
            for root in roots:
                observer.schedule(handler, str(root.path), recursive=True)
        except OSError as error:
            for root in roots:
                root.events = False
                self._raise_alarm(
                    root,
                    f"no file events ({error.strerror}): "
                    f"looking every {self._home.settings.watch.rescan_s:g} s instead",
                )
            with contextlib.suppress(Exception):
                observer.stop()
            return None
        return observer

    def _send_canary(self, root: Root) -> None:
        if root.source != "inbox" or not root.events:
            return
        with contextlib.suppress(OSError):
            (root.path / CANARY).write_text("casereel looks whether file events come through\n")
            root.canary_sent_at = time.monotonic()

    # -- telling

    def standing(self) -> list[dict[str, Any]]:
        """One entry a root for `status`: its path, mode, alarm, counts and ages in seconds."""
        now = time.monotonic()
        return [
            {
                "source": root.source,
                "path": str(root.path),
                "mode": "events" if root.events else "polling",
                "ok": not (root.alarm or self.pause or self._stuck(root)),
                "alarm": root.alarm or self.pause or _stuck_alarm(self._stuck(root)),
                "files": root.files,
                "waiting": sum(1 for one in self._tracked.values() if one.root is root),
                "scanned_s_ago": round(now - root.scanned_at, 1) if root.scanned_at else None,
                "canary_s_ago": round(now - root.canary_seen_at, 1) if root.canary_seen_at else None,
            }
            for root in self.roots
        ]

    def _stuck(self, root: Root) -> int:
        """How many files wait under a partial name for longer than the settings allow."""
        before = time.monotonic() - self._home.settings.settle.partial_after_h * 3600
        return sum(
            one.root is root and one.first_s < before and settle.is_partial(os.fsdecode(one.path))
            for one in list(self._tracked.values())
        )

    def waiting(self) -> list[tuple[str, str]]:
        """(path, why) of every file that is seen and not yet taken."""
        return [(os.fsdecode(one.path), one.why) for one in self._tracked.values()]


def _stuck_alarm(count: int) -> str:
    return f"{count} files still carry the name of an unfinished copy; is the copying stuck?" if count else ""


class _Hinter(FileSystemEventHandler):
    """Every event means only: look at this path. It never raises, for that would end the observer's thread."""

    def __init__(self, hints: queue.SimpleQueue[bytes]) -> None:
        self._hints = hints

    def on_any_event(self, event: FileSystemEvent) -> None:
        if event.event_type in ("opened", "closed_no_write", "deleted"):
            return
        path = getattr(event, "dest_path", "") or event.src_path
        self._hints.put(os.fsencode(path))


def look_at(path: bytes, now: float) -> settle.Look:
    """One look: what the file is, whether somebody writes, whether its end is zeros or its container unfinished.

    Raises OSError where it cannot be looked at.
    """
    status = os.lstat(path)
    identity = Identity.of(status)
    if not stat.S_ISREG(status.st_mode):
        return settle.Look(now, identity, is_regular=False)
    fd = os.open(path, disk.OPEN_FOR_READING)
    try:
        identity = Identity.of(os.fstat(fd))
        size = identity.size_bytes

        def read_at(offset: int, length: int) -> bytes:
            os.lseek(fd, offset, os.SEEK_SET)
            return os.read(fd, length)

        tail = read_at(max(0, size - 4096), 4096) if size else b""
        return settle.Look(
            now,
            identity,
            is_regular=True,
            written=disk.somebody_writes(fd),
            zero_tail=len(tail) == 4096 and not any(tail),
            unfinished=size > 0 and wholeness.is_unfinished(read_at, size),
        )
    finally:
        os.close(fd)


def is_network_mount(path: Path) -> bool:
    """Whether the path lies on a file system of another machine, whose writes cause no events here."""
    if not sys.platform.startswith("linux"):
        return False
    best, kind = "", ""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/mounts").read_text().splitlines():
            _, mount, found, *_ = line.split()
            mount = mount.encode().decode("unicode_escape")
            if (f"{path.absolute()}/").startswith(mount.rstrip("/") + "/") and len(mount) >= len(best):
                best, kind = mount, found
    return kind in NETWORK_TYPES or kind.startswith("fuse.sshfs")


def watch(home: Home, stop: threading.Event) -> None:
    """Watches until told to stop, and says what it sees to whoever asks for the status."""
    jobs = build_jobs(home, "watch")
    watcher = Watcher(home, build_accession(home, jobs, actor=jobs.worker_id))
    jobs.show_life(watchers=watcher.standing())
    try:
        teller = threading.Thread(target=_keep_telling, args=(jobs, watcher, stop), daemon=True)
        teller.start()
        watcher.run(stop)
    except CustodyBroken:
        logger.critical("intake stops: custody is broken; run `casereel verify`", exc_info=True)
        raise
    finally:
        jobs.close()


def _keep_telling(jobs: Any, watcher: Watcher, stop: threading.Event) -> None:
    while not stop.wait(1.0):
        with contextlib.suppress(RuntimeError):  # the dictionaries grow while they are read
            jobs.said = {"watchers": watcher.standing(), "waiting": [list(one) for one in watcher.waiting()[:20]]}
