"""One large file on its way into custody, in a thread beside the small ones."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from pipeline.custody.accession import Receipt

Thing = TypeVar("Thing")


class Carrying(threading.Thread, Generic[Thing]):
    """Takes one thing in; receipts or error say how it ended once the thread has."""

    def __init__(self, one: Thing, take: Callable[[Thing], list[Receipt]]) -> None:
        super().__init__(name="carrying", daemon=True)
        self.one, self._take_in = one, take
        self.receipts: list[Receipt] = []
        self.error: BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            self.receipts = self._take_in(self.one)
        except BaseException as error:  # raised where the thread is waited for
            self.error = error


def is_blocked(thread: threading.Thread) -> bool:
    """Whether the system itself does not come back to this thread (state D): a disk or share that hangs."""
    if sys.platform != "linux" or thread.native_id is None:
        return False
    with contextlib.suppress(OSError):
        said = Path(f"/proc/self/task/{thread.native_id}/stat").read_text()
        return said.rpartition(")")[2].split()[0] == "D"
    return False
