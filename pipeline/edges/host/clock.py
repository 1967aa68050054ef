"""This moment by every clock of the machine, and how far the wall clock can be trusted."""

from __future__ import annotations

import ctypes
import functools
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

TIME_ERROR: Final = 5  # adjtimex(2): the clock is not synchronised
TIMEX_BYTES: Final = 208


def moment(ago_s: float = 0.0) -> dict[str, Any]:
    """`at` in UTC, `mono` seconds since the machine started, `boot` which start it was.

    ago_s: so long before now, by the monotonic clock.
    """
    at = datetime.fromtimestamp(time.time() - ago_s, UTC)
    return {
        "at": at.isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "mono": round(time.monotonic() - ago_s, 3),
        "boot": boot(),
    }


@functools.cache
def boot() -> str:
    """Which start of the machine this is, so that monotonic times can be compared; empty where unknown."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def is_synchronised() -> bool | None:
    """Whether the system keeps the wall clock by a time server; None where it does not say."""
    if sys.platform != "linux":
        return None
    asked = getattr(ctypes.CDLL(None, use_errno=True), "adjtimex", None)
    state = -1 if asked is None else asked(ctypes.create_string_buffer(TIMEX_BYTES))
    return None if state < 0 else state != TIME_ERROR
