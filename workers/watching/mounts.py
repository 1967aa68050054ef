"""Where a folder lies, and whether mounts changed or the machine slept since the last look."""

from __future__ import annotations

import contextlib
import hashlib
import sys
import time
from pathlib import Path
from typing import Final

NETWORK_TYPES: Final = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ncpfs", "davfs", "glusterfs"})
SLEPT_S: Final = 5.0  # the two clocks drift apart by this only while the machine is suspended


def is_network_mount(path: Path) -> bool:
    """Whether the path lies on a file system of another machine, whose writes cause no events here."""
    kind = mount_type(path)
    return kind in NETWORK_TYPES or kind.startswith("fuse.sshfs")


def mount_type(path: Path) -> str:
    """The file system that the path lies on, as the system calls it (`ext4`, `cifs`); empty where it does not say."""
    if not sys.platform.startswith("linux"):
        return ""
    best, kind = "", ""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/mounts").read_text().splitlines():
            _, mount, found, *_ = line.split()
            mount = mount.encode().decode("unicode_escape")
            if (f"{path.absolute()}/").startswith(mount.rstrip("/") + "/") and len(mount) >= len(best):
                best, kind = mount, found
    return kind


class Surroundings:
    """Notices what makes every earlier scan stale."""

    def __init__(self) -> None:
        self._mounts, self._slept_s = _mounts(), _slept_s()

    def changed(self) -> str:
        """What happened since the last call, in a word for the log; empty where nothing did."""
        mounts, slept_s = _mounts(), _slept_s()
        what = "the mounts changed" if mounts != self._mounts else ""
        if slept_s - self._slept_s > SLEPT_S:
            what = f"the machine slept for {slept_s - self._slept_s:.0f} s"
        self._mounts, self._slept_s = mounts, slept_s
        return what


def _mounts() -> str:
    with contextlib.suppress(OSError):
        return hashlib.sha256(Path("/proc/self/mountinfo").read_bytes()).hexdigest()
    return ""


def _slept_s() -> float:
    """How long the machine was suspended since its start: only the boot clock goes on meanwhile."""
    if not hasattr(time, "CLOCK_BOOTTIME"):
        return 0.0
    return time.clock_gettime(time.CLOCK_BOOTTIME) - time.monotonic()
