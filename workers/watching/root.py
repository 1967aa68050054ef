"""One watched tree, in a thread of its own: a share that does not answer holds up nobody else.

Events say only "look at this path"; the scan of the whole tree at a steady interval is the truth. What is known in
memory is bounded: a rescan finds again whatever does not fit.
"""

from __future__ import annotations

import contextlib
import logging
import os
import stat
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pipeline.custody import settle, sources
from pipeline.custody.accession import BATCH_FILES, Accession, Candidate, Receipt
from pipeline.custody.looking import look_at
from pipeline.edges.database import drops
from pipeline.edges.host.handles import NotTaken, OpenFolder
from pipeline.errors import CasereelError, CustodyBroken, TryAgain
from workers.bootstrap import Home
from workers.watching.carrying import Carrying
from workers.watching.ears import limits
from workers.watching.hearing import Hearing
from workers.watching.looking import Walk, ignoring, place_of, refusal_of
from workers.watching.mounts import mount_type

logger = logging.getLogger(__name__)

LOOKS_KEPT: Final = 16
TRACKED_MAX: Final = 20_000  # some 40 MB; a rescan finds what came beyond it
LARGE_BYTES: Final = 256 << 20  # copied beside the others, which need not wait for it
WAITED_LONG_S: Final = 60.0  # from then on a file no longer lets smaller ones pass


@dataclass
class Tracked:
    """A path that is not yet taken, with the looks at it."""

    path: bytes
    looks: list[settle.Look] = field(default_factory=list)
    first_s: float = field(default_factory=time.monotonic)
    due_s: float = 0.0
    why: str = "it was seen just now"
    why_zh: str = "刚刚发现"
    ready_s: float = 0.0

    @property
    def size_bytes(self) -> int:
        return self.looks[-1].identity.size_bytes if self.looks else 0


class Root:
    """One watched tree and what is going on in it. Times are seconds on the monotonic clock."""

    def __init__(self, home: Home, accession: Accession, source: str, path: Path) -> None:
        settings = home.settings
        self.source, self.path, self.raw = source, path.absolute(), os.fsencode(path.absolute())
        self._home, self._accession = home, accession
        self.rules = settle.Rules(
            quiet_s=settings.settle.quiet_s, quiet_no_lease_s=settings.settle.quiet_no_lease_s,
            unfinished_s=settings.settle.unfinished_s, looks=settings.settle.looks,
        )  # fmt: skip
        self.tracked: dict[bytes, Tracked] = {}
        self.taken = {place_of(*place) for place in home.catalog.places_taken(source)}
        with home.catalog.snapshot() as connection:
            refused = list(drops.rejections(connection))
        self.refused = {refusal_of(*one) for one in refused if one[0].startswith(self.raw + b"/")}
        self.files = 0
        self.scanned_at = self.took_s = 0.0
        self.wants_scan = True
        self.alarm = self.alarm_zh = self.pause = ""
        self.offline = False
        self.beat, self.doing = time.monotonic(), ""
        self.last: Receipt | None = None
        self.broken: CustodyBroken | None = None
        self._before: sources.Seen | None = None
        self._ignores = ignoring(settings.watch.ignore)
        self._walk = Walk(self._ignores, self._enter, self._failed, settings.intake.other_disks)
        self._not_entered: set[bytes] = set()
        self._unlisted: list[str] = []
        self.hearing = Hearing(self.path, settings.watch, canary=source == "inbox")
        self._carrying: Carrying[Tracked] | None = None

    # -- running

    def run(self, stop: threading.Event) -> None:
        """Watches until told to stop; a fault of the surroundings pauses it and never ends it."""
        try:
            while not stop.is_set():
                try:
                    self.scan_if_due()
                    if not self.step():
                        self._wait(stop)
                except TryAgain as error:
                    self._give_pause(error)
                    stop.wait(self._home.settings.watch.poll_s)
                except CustodyBroken as error:
                    self.broken = error
                    stop.set()
        finally:
            self.hearing.close()

    def run_once(self) -> list[Receipt]:
        """Scans, waits until every file is settled or known to be stuck, takes them in and ends."""
        self.hearing.wanted = False
        self._scan()
        receipts = self.step()
        while waiting := [one for one in self.tracked.values() if not settle.is_partial(os.fsdecode(one.path))]:
            receipts += (took := self.step())
            if self.pause:
                break
            if not took:
                soonest = min((one.due_s for one in waiting), default=0.0)
                time.sleep(min(max(soonest - time.monotonic(), 0.01), 1.0))
            elif self.wants_scan and not self.tracked:
                self._scan()
        return receipts

    def _wait(self, stop: threading.Event) -> None:
        """Listens until something is due, a hint comes or the end is asked for."""
        self._beat("")
        now = time.monotonic()
        due = min((one.due_s for one in self.tracked.values()), default=now + 3600.0)
        due = min(due, self.scanned_at + self._home.settings.watch.rescan_s)
        until = now + min(max(due - now, 0.01), self._home.settings.watch.poll_s)
        while not stop.is_set() and not self.wants_scan and time.monotonic() < until:
            if self._listen(min(0.1, max(until - time.monotonic(), 0.001))):
                return

    def step(self) -> list[Receipt]:
        """Looks at what is due and takes in some of what is settled; the receipts of it."""
        self._listen(0.0)
        receipts = self._put_down()
        now = time.monotonic()
        for one in list(self.tracked.values()):
            if not one.ready_s and one.due_s <= now and self._look(one, now):
                one.ready_s = now
        ready = [one for one in self.tracked.values() if one.ready_s and not self._is_carried(one)]
        # Small ones first, so that a photo does not wait for a film; who waited long is passed by nobody.
        ready.sort(key=lambda one: (one.ready_s + WAITED_LONG_S > now, one.size_bytes))
        small = [one for one in ready if one.size_bytes < LARGE_BYTES]
        large = [one for one in ready if one.size_bytes >= LARGE_BYTES]
        if large and self._carrying is None:
            self._carrying = Carrying(large[0], self._carry)
        return receipts + (self._take(small[:BATCH_FILES]) if small else [])

    # -- seeing

    def scan_if_due(self) -> None:
        """The tree is listed anew where its interval is over or somebody asked for it."""
        if self.wants_scan or time.monotonic() - self.scanned_at >= self._home.settings.watch.rescan_s:
            self._scan()

    def _scan(self) -> None:
        self.hearing.open()
        self.wants_scan, started = False, time.monotonic()
        self._unlisted.clear()
        present: set[bytes] = set()
        seen, full = self._list(present)
        self.scanned_at = time.monotonic()
        self.took_s = self.scanned_at - started
        stand = sources.decide(self._before, seen, held=len(self.taken), may_be_empty=self.source == "inbox")
        if not stand.offline:
            self._before, self.files = seen, seen.files
            if not self._unlisted and not full:
                self.taken &= present
                self.refused &= present
        if stand.replaced or (stand.offline and self.hearing.ears is not None):
            self.hearing.close()  # they hang on the folder that was there before
            self.wants_scan = not stand.offline
        self.offline = stand.offline
        self._raise_alarm(stand)
        self._listen(0.0)
        self.hearing.send_canary()

    def _list(self, present: set[bytes]) -> tuple[sources.Seen, bool]:
        """What is there now, and whether more of it is new than is followed at once."""
        self._beat("listing the folder")
        files, full = 0, False
        try:
            status = self.path.stat()
            for path, found in self._walk.over(self.raw):
                files += 1
                self.beat = time.monotonic()
                full |= not self._see(path, found, present)
        except OSError as error:
            return sources.Seen(error=error.strerror or str(error)), True
        return sources.Seen(status.st_dev, status.st_ino, files), full

    def _see(self, path: bytes, status: os.stat_result, present: set[bytes]) -> bool:
        """Whether the path is known or now followed."""
        place = place_of(path, status.st_size, status.st_mtime_ns, status.st_ino)
        if place in self.taken:
            present.add(place)
            return True
        refusal = refusal_of(path, status.st_size, status.st_ctime_ns, status.st_ino)
        if refusal in self.refused:
            present.add(refusal)
            return True
        if path not in self.tracked:
            if len(self.tracked) >= TRACKED_MAX:
                return False
            self.tracked[path] = Tracked(path, due_s=time.monotonic())
        return True

    def _enter(self, folder: bytes) -> None:
        self.beat = time.monotonic()
        self.hearing.attend(folder)

    def _failed(self, folder: bytes, error: CasereelError | OSError) -> None:
        if isinstance(error, NotTaken):
            self._pass_by(folder, error)
            return
        logger.warning("%s cannot be listed: %s", os.fsdecode(folder), error)
        self._unlisted.append(os.fsdecode(folder))

    def _pass_by(self, folder: bytes, error: NotTaken) -> None:
        """A folder that is never entered (another disk, a link) is named in the log, once while this runs."""
        if folder not in self._not_entered:
            self._not_entered.add(folder)
            logger.warning("%s: %s", os.fsdecode(folder), error)
            facts = {"reason": error.sentence, **error.fields}
            self._accession.note("arrival.rejected", Path(os.fsdecode(folder)), facts)

    def _raise_alarm(self, stand: sources.Stand) -> None:
        alarm, alarm_zh = stand.why, stand.why_zh
        if not alarm and self._unlisted:
            alarm = f"{len(self._unlisted)} folders cannot be listed, the first is {self._unlisted[0]}"
            alarm_zh = f"有 {len(self._unlisted)} 个文件夹无法列出，第一个是 {self._unlisted[0]}"
        alarm, alarm_zh = alarm or self.hearing.alarm, alarm_zh or self.hearing.alarm_zh
        if alarm and alarm != self.alarm:
            logger.warning("%s: %s", self.path, alarm)
        elif self.alarm and not alarm:
            logger.warning("%s: well again", self.path)
        self.alarm, self.alarm_zh = alarm, alarm_zh

    # -- hearing

    def _listen(self, timeout_s: float) -> bool:
        """Whether a hint came; what it points to is seen."""
        heard = self.hearing.listen(timeout_s)
        self.wants_scan |= heard.lost
        self._follow(heard.paths)
        return bool(heard.paths) or heard.lost

    def _follow(self, paths: Iterable[bytes]) -> None:
        for path in paths:
            parts = os.fsdecode(path[len(self.raw) + 1 :]).split("/")
            if any(self._ignores(part) for part in parts):
                continue
            with contextlib.suppress(OSError, NotTaken):
                status = os.lstat(path)
                name = path[len(self.raw) + 1 :]
                below = self._walk.over(self.raw, name) if stat.S_ISDIR(status.st_mode) else [(path, status)]
                for found, its_status in below:
                    if not self._see(found, its_status, set()):
                        self.wants_scan = True

    # -- settling

    def _look(self, tracked: Tracked, now: float) -> bool:
        """Looks once more; whether the file is settled."""
        self._beat("looking at a file")
        try:
            with OpenFolder(self.path, other_disks=self._home.settings.intake.other_disks) as folder:
                tracked.looks.append(look_at(folder, tracked.path[len(self.raw) + 1 :], now))
        except FileNotFoundError:
            self._gone(tracked)
            return False
        except NotTaken as error:
            self._refuse(tracked, error.sentence)
            return False
        except OSError as error:
            tracked.due_s = now + self._home.settings.watch.poll_s * 5
            tracked.why, tracked.why_zh = f"it cannot be opened: {error.strerror}", f"无法打开：{error.strerror}"
            return isinstance(error, PermissionError)  # taking it will refuse it by name
        del tracked.looks[:-LOOKS_KEPT]
        verdict = settle.decide(Path(os.fsdecode(tracked.path)).name, tracked.looks, now, self.rules)
        tracked.why, tracked.why_zh, tracked.due_s = verdict.why, verdict.why_zh, verdict.again_s
        if verdict.what == "refuse":
            self._refuse(tracked, verdict.why)
            return False
        return verdict.what == "take"

    def _gone(self, tracked: Tracked) -> None:
        """A file that was seen and went before it was taken is an event, once it had bytes.

        A source that is offline took nothing away: what was seen there is forgotten and seen again.
        """
        self.tracked.pop(tracked.path, None)
        if not tracked.looks or settle.is_partial(os.fsdecode(tracked.path)) or not self._is_there():
            return
        self._accession.note(
            "arrival.gone", Path(os.fsdecode(tracked.path)),
            {"size_bytes": tracked.size_bytes, "reason": "gone before it was taken in"},
        )  # fmt: skip

    def _is_there(self) -> bool:
        """Whether the root is the folder that the last scan saw."""
        try:
            status = self.path.stat()
        except OSError:
            self.wants_scan = True
            return False
        same = self._before is None or (self._before.device, self._before.inode) == (status.st_dev, status.st_ino)
        self.wants_scan |= not same
        return same

    def _refuse(self, tracked: Tracked, why: str) -> None:
        self._remember_refusal(tracked)
        self._accession.note("arrival.rejected", Path(os.fsdecode(tracked.path)), {"reason": why})
        self.tracked.pop(tracked.path, None)

    def _remember_refusal(self, tracked: Tracked) -> None:
        with contextlib.suppress(OSError):
            status = os.lstat(tracked.path)
            self.refused.add(refusal_of(tracked.path, status.st_size, status.st_ctime_ns, status.st_ino))

    # -- taking in

    def _candidate(self, one: Tracked) -> Candidate:
        path = Path(os.fsdecode(one.path))
        seen = one.looks[-1].identity if one.looks else None
        return Candidate(
            path=path, root=self.path, source=self.source, waited_for=one.why, seen=seen, first_seen_s=one.first_s
        )

    def _take(self, batch: list[Tracked]) -> list[Receipt]:
        self._beat("taking in")
        try:
            taken = self._accession.take([self._candidate(one) for one in batch], self._moved)
        except TryAgain as error:
            self._give_pause(error)
            for one in batch:
                one.ready_s, one.due_s = 0.0, time.monotonic() + min(self._home.settings.watch.rescan_s, 10.0)
            return []
        self.pause = ""
        for one, receipt in zip(batch, taken, strict=True):
            self._account_for(one, receipt)
        return taken

    def _give_pause(self, error: CasereelError) -> None:
        if self.pause != error.sentence:
            logger.warning("intake pauses: %s", error.sentence)
        self.pause = error.sentence

    def _account_for(self, tracked: Tracked, receipt: Receipt) -> None:
        self.last = receipt
        if receipt.again:
            tracked.looks.clear()
            tracked.ready_s, tracked.due_s = 0.0, time.monotonic() + self.rules.quiet_s / self.rules.looks
            return
        self.tracked.pop(tracked.path, None)
        if receipt.original is None:
            self._remember_refusal(tracked)
        elif tracked.looks:
            identity = tracked.looks[-1].identity
            self.taken.add(place_of(tracked.path, identity.size_bytes, identity.mtime_ns, identity.inode))
        if not self.tracked and self.files > len(self.taken) + len(self.refused):
            self.wants_scan = True  # more lay there than was followed at once

    def _is_carried(self, one: Tracked) -> bool:
        return self._carrying is not None and self._carrying.one is one

    def _put_down(self) -> list[Receipt]:
        """The receipt of the large file that was carried beside the others, once it is in custody."""
        carrying = self._carrying
        if carrying is None or carrying.is_alive():
            return []
        self._carrying = None
        if carrying.error is not None:
            carrying.one.ready_s, carrying.one.due_s = 0.0, time.monotonic() + 10.0
            raise carrying.error
        self.pause = ""
        for receipt in carrying.receipts:
            self._account_for(carrying.one, receipt)
        return carrying.receipts

    def _carry(self, one: Tracked) -> list[Receipt]:
        return self._accession.take([self._candidate(one)], self._moved)

    # -- telling

    def _beat(self, doing: str) -> None:
        self.beat, self.doing = time.monotonic(), doing

    def _moved(self, _bytes: int) -> None:
        self.beat = time.monotonic()

    def silent_s(self) -> float:
        """For how long this tree has kept its thread waiting; 0 while it waits for nothing."""
        return time.monotonic() - self.beat if self.doing else 0.0

    def standing(self) -> dict[str, Any]:
        """What `status` shows of it: its path, mode, alarm, counts and ages in seconds."""
        now, ears = time.monotonic(), self.hearing.ears
        mode = "offline" if self.offline else "events" if ears is not None else "polling"
        return {
            "source": self.source, "path": str(self.path), "mode": mode, "files": self.files,
            "waiting": len(self.tracked), "refused": len(self.refused), "overflows": self.hearing.overflows,
            "scanned_s_ago": round(now - self.scanned_at, 1) if self.scanned_at else None,
            "scan_took_s": round(self.took_s, 3),
            "canary_s_ago": round(now - self.hearing.seen_at, 1) if self.hearing.seen_at else None,
            "event_s_ago": round(now - self.hearing.heard_at, 1) if self.hearing.heard_at else None,
            "mount": mount_type(self.path), "watches": ears.attended if ears else None,
            "watches_max": limits().get("max_user_watches"),
        }  # fmt: skip

    def stuck(self) -> int:
        """How many files wait under a partial name for longer than the settings allow."""
        before = time.monotonic() - self._home.settings.settle.partial_after_h * 3600
        return sum(
            one.first_s < before and settle.is_partial(os.fsdecode(one.path)) for one in list(self.tracked.values())
        )
