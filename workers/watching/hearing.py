"""Whether one tree is heard: opens its ears, closes them at the system's limits, and sends a canary through them."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import time
from pathlib import Path
from typing import Final

from config.settings import WatchSettings
from workers.watching.ears import Ears, Heard, open_ears, remedy_of
from workers.watching.mounts import is_network_mount

logger = logging.getLogger(__name__)

CANARY: Final = ".casereel-canary"
AGAIN_S: Final = 600.0  # after a limit was met
CANARIES_LOST: Final = 3


class Hearing:
    """The file events of one tree, or the reason why there are none. alarm, alarm_zh: that reason and its remedy."""

    def __init__(self, path: Path, settings: WatchSettings, *, canary: bool) -> None:
        self._path, self._settings = path, settings
        self._canary = path / CANARY if canary else None
        self._lost = 0
        self._again_s = 0.0
        self.wanted = settings.events and not is_network_mount(path)
        self.ears: Ears | None = None
        self.alarm = self.alarm_zh = ""
        self.overflows = 0
        self.sent_at = self.seen_at = self.heard_at = 0.0

    def open(self) -> None:
        """The tree is heard where it may be and the system allows it."""
        if self.ears is not None or not self.wanted or time.monotonic() < self._again_s or not self._path.is_dir():
            return
        try:
            self.ears = open_ears(self._path)
            self.alarm = self.alarm_zh = ""
        except OSError as error:
            self.give_up(error)

    def attend(self, folder: bytes) -> None:
        """This folder is heard too."""
        if self.ears is not None:
            try:
                self.ears.attend(folder)
            except OSError as error:
                self.give_up(error)

    def listen(self, timeout_s: float) -> Heard:
        """What came within that time; ears that stopped working count as lost hints and are opened anew."""
        if self.ears is None:
            time.sleep(timeout_s)
            return Heard()
        try:
            heard = self.ears.heard(timeout_s)
        except OSError as error:
            logger.warning("%s: the file events stopped (%s); starting them anew", self._path, error)
            self.close()
            return Heard(lost=True)
        self.overflows += heard.overflow
        if any(path != os.fsencode(self._path / CANARY) for path in heard.paths):
            self.heard_at = time.monotonic()
        if self._canary is not None and bytes(self._canary) in heard.paths:
            self.seen_at = time.monotonic()
        return heard

    def give_up(self, error: OSError) -> None:
        """The tree is polled from now on, with an alarm that says what to do; tried again later."""
        self.close()
        self._again_s = time.monotonic() + AGAIN_S
        why = why_zh = error.strerror
        if error.errno in (errno.ENOSPC, errno.EMFILE):
            why, why_zh = remedy_of(error)
        self.alarm = f"no file events, looking every {self._settings.rescan_s:g} s instead: {why}"
        self.alarm_zh = f"没有文件事件，改为每 {self._settings.rescan_s:g} 秒查看一次：{why_zh}"

    def close(self) -> None:
        """Nothing is heard."""
        if self.ears is not None:
            self.ears.close()
            self.ears = None

    def send_canary(self) -> None:
        """A file of our own in the home's inbox shows that events come through; nothing is written elsewhere."""
        if self._canary is None or self.ears is None:
            return
        self._lost = self._lost + 1 if self.sent_at > self.seen_at else 0
        if self._lost >= CANARIES_LOST:
            self._lost, self.sent_at = 0, 0.0
            self.give_up(OSError(errno.EIO, "they are asked for and do not come"))
            return
        with contextlib.suppress(OSError):
            self._canary.write_text("casereel looks whether file events come through\n")
            self.sent_at = time.monotonic()
