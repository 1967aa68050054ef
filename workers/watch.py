"""Watches the inbox and other folders, each in a thread of its own, and says how they stand.

A thread that ended by a fault of ours is started again; one that hangs on a share that does not answer is an alarm
and holds up nobody else.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from pipeline.custody.accession import Receipt
from pipeline.errors import CustodyBroken
from workers.bootstrap import Home, build_accession, build_jobs
from workers.watching.carrying import is_blocked
from workers.watching.desk import Desk
from workers.watching.mounts import Surroundings
from workers.watching.root import Root

logger = logging.getLogger(__name__)

EVERY_S: Final = 0.2
SILENT_S: Final = 60.0  # a healthy disk answers long before
AGAIN_S: Final = 1.0


class Watcher:
    """The watcher of one home. silent_s: a folder that keeps its thread waiting for longer is an alarm."""

    def __init__(self, home: Home, accession: Any, *, silent_s: float = SILENT_S) -> None:
        settings = home.settings
        self._silent_s = silent_s
        self._threads: dict[str, threading.Thread] = {}
        self._fell: dict[str, float] = {}
        self.roots = [Root(home, accession, source, path) for source, path in settings.watched.items()]

    def run(self, stop: threading.Event) -> None:
        """Watches until told to stop. Raises CustodyBroken where the vault or the log do not hold."""
        surroundings = Surroundings()
        while not stop.is_set():
            for root in self.roots:
                self._keep_up(root, stop)
            if what := surroundings.changed():
                logger.info("%s; every folder is looked at anew", what)
                for root in self.roots:
                    root.wants_scan = True
            stop.wait(EVERY_S)
        until = time.monotonic() + 20.0
        for thread in self._threads.values():
            thread.join(timeout=max(0.0, until - time.monotonic()))  # one that hangs is left behind
        for root in self.roots:
            if root.broken is not None:
                raise root.broken

    def _keep_up(self, root: Root, stop: threading.Event) -> None:
        thread = self._threads.get(root.source)
        if thread is not None and thread.is_alive():
            return
        if thread is not None:
            if time.monotonic() - self._fell.get(root.source, 0.0) < AGAIN_S:
                return
            root.wants_scan = True
        thread = threading.Thread(target=self._run, args=(root, stop), name=f"watch {root.source}", daemon=True)
        self._threads[root.source] = thread
        thread.start()

    def _run(self, root: Root, stop: threading.Event) -> None:
        try:
            root.run(stop)
        except Exception:
            self._fell[root.source] = time.monotonic()
            logger.exception("watching %s stumbled; it is started again", root.path)

    def run_once(self) -> list[Receipt]:
        """Scans, waits until every file is settled or known to be stuck, takes them in and ends."""
        return [receipt for root in self.roots for receipt in root.run_once()]

    # -- telling

    @property
    def pause(self) -> str:
        """Why intake pauses; empty while it does not."""
        return next((root.pause for root in self.roots if root.pause), "")

    def standing(self) -> list[dict[str, Any]]:
        """One entry a root for `status`: its path, mode, alarm, counts and ages in seconds."""
        return [self._standing(root) for root in self.roots]

    def _standing(self, root: Root) -> dict[str, Any]:
        alarm, alarm_zh = self._alarm(root)
        return {**root.standing(), "ok": not alarm, "alarm": alarm, "alarm_zh": alarm_zh}

    def _alarm(self, root: Root) -> tuple[str, str]:
        thread, silent_s = self._threads.get(root.source), root.silent_s()
        if silent_s > self._silent_s:
            hangs = thread is not None and is_blocked(thread)
            return (
                f"source offline: no answer for {silent_s:.0f} s while {root.doing}"
                + ("; the system itself waits for the disk or share" if hangs else ""),
                f"来源离线：已 {silent_s:.0f} 秒没有应答" + ("；系统本身在等待该磁盘或共享" if hangs else ""),
            )
        if root.alarm:
            return root.alarm, root.alarm_zh
        if root.pause:
            return root.pause, f"暂停接收：{root.pause}"
        if count := root.stuck():
            return (
                f"{count} files still carry the name of an unfinished copy; is the copying stuck?",
                f"有 {count} 个文件仍是未复制完的名称；复制是否卡住了？",
            )
        return "", ""

    def waiting(self) -> list[tuple[str, str, str]]:
        """(path, why, why in Chinese) of every file that is seen and not yet taken."""
        seen = [one for root in self.roots for one in list(root.tracked.values())]
        return [(os.fsdecode(one.path), one.why, one.why_zh) for one in seen]


def watch(home: Home, stop: threading.Event) -> None:
    """Watches until told to stop, and says what it sees to whoever asks for the status."""
    jobs = build_jobs(home, "watch")
    watcher = Watcher(home, build_accession(home, jobs, actor=jobs.worker_id))
    jobs.living.show(watchers=watcher.standing())
    try:
        teller = threading.Thread(target=_keep_telling, args=(jobs, watcher, stop.wait), daemon=True)
        teller.start()
        desk = Desk(home, jobs.worker_id)
        threading.Thread(target=_keep_at_desk, args=(desk, stop), name="desk", daemon=True).start()
        watcher.run(stop)
    except CustodyBroken:
        logger.critical("intake stops: custody is broken; run `casereel verify`", exc_info=True)
        raise
    finally:
        jobs.close()


def _keep_at_desk(desk: Desk, stop: threading.Event) -> None:
    while not stop.is_set():
        try:
            desk.run(stop)
        except Exception:
            logger.exception("writing receipts stumbled; it is started again")
            stop.wait(10.0)


def _keep_telling(jobs: Any, watcher: Watcher, ended: Callable[[float], bool]) -> None:
    while not ended(1.0):
        with contextlib.suppress(RuntimeError):  # the dictionaries grow while they are read
            jobs.living.said = {
                "watchers": watcher.standing(),
                "waiting": [list(one) for one in watcher.waiting()[:20]],
            }
