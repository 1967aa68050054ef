"""Decides whether a file in a watched folder is complete enough to take in. Pure: no clock, no disk.

A file counts as settled when it stayed the same over several looks and a quiet time, when nobody has it open
for writing, and when its container does not visibly end in the middle. None of these alone can be trusted:
a copy may set the full size first, a memory map may change bytes without changing the time.
Source: measurements of what size, time, close events and leases are worth (custody design, part 2.2).
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from pipeline.edges.host.handles import Identity

# Names that programs give to files they have not finished; only a rename ends them.
PARTIAL_SUFFIXES: Final = (
    ".part", ".partial", ".tmp", ".temp", ".crdownload", ".filepart", ".download", ".!ut", ".!qb", ".opdownload",
    ".aria2", ".inprogress", ".swp",
)  # fmt: skip
# What systems leave in folders and nobody recorded. The setting watch.ignore adds to this list; nothing takes from it.
IGNORED: Final = (
    ".*", "~$*", "Thumbs.db", "ehthumbs.db", "desktop.ini", "@eaDir", "@Recycle", "#recycle", "$RECYCLE.BIN",
    "System Volume Information", "lost+found", "__MACOSX", "*.casereel.txt",
)  # fmt: skip
RESERVED_PATIENCE: Final = 4.0
EMPTY_PATIENCE: Final = 10.0


@dataclass(frozen=True)
class Rules:
    """How patient to be. Times in seconds on the monotonic clock.

    quiet_no_lease_s applies where the system cannot say that nobody writes; unfinished_s where the container
    visibly ends in the middle.
    """

    quiet_s: float
    quiet_no_lease_s: float
    unfinished_s: float
    looks: int


@dataclass(frozen=True)
class Look:
    """What one look at a path showed.

    written: whether some process has it open for writing, None where the system cannot say.
    zero_tail: its last kilobytes are zeros, holes: parts of it were never written; as when space was reserved and
    not yet filled.
    unfinished: its container says that more must come.
    """

    at_s: float
    identity: Identity
    is_regular: bool
    written: bool | None = None
    zero_tail: bool = False
    holes: bool = False
    unfinished: bool = False


@dataclass(frozen=True)
class Verdict:
    """take, wait (look again at again_s), ignore (not evidence) or refuse (never taken, and said so)."""

    what: Literal["take", "wait", "ignore", "refuse"]
    why: str
    why_zh: str
    again_s: float = 0.0


def is_ignored(parts: Sequence[str], more: Sequence[str] = ()) -> bool:
    """Whether any part of the path below the watched root is on the ignore list or a pattern of `more`."""
    patterns = [re.compile(fnmatch.translate(pattern), re.IGNORECASE) for pattern in (*IGNORED, *more)]
    return any(pattern.match(part) for part in parts for pattern in patterns)


def is_partial(name: str) -> bool:
    """Whether the name is one that a program gives to a file it has not finished."""
    return name.lower().endswith(PARTIAL_SUFFIXES)


def decide(name: str, looks: Sequence[Look], now_s: float, rules: Rules) -> Verdict:
    """What to do with a path after these looks, oldest first, at this moment.

    looks: at least one; those before the last change of the file's identity do not count.
    """
    last = looks[-1]
    if not last.is_regular:
        return Verdict("refuse", "it is a link, a pipe or a device and not a file", "它是链接、管道或设备，不是文件")
    if is_partial(name):
        again = now_s + rules.quiet_s
        return Verdict("wait", "its name says that it is still being copied", "文件名表明仍在复制", again)
    if last.written:
        again = now_s + min(1.0, rules.quiet_s)
        return Verdict("wait", "a program still has it open for writing", "仍有程序正在写入该文件", again)
    same = _unchanged(looks)
    patience = _patience(last, rules)
    quiet_since = same[0].at_s
    if now_s - quiet_since < patience or len(same) < rules.looks:
        again = max(quiet_since + patience, now_s + patience / (rules.looks * 4))
        again = min(again, now_s + max(patience / rules.looks, 0.05))
        return Verdict("wait", *_waiting_for(last, patience), again)
    return Verdict("take", "it stayed the same and nobody writes to it", "文件不再变化，也没有程序写入")


def _unchanged(looks: Sequence[Look]) -> Sequence[Look]:
    first = len(looks) - 1
    while first > 0 and looks[first - 1].identity == looks[-1].identity and not looks[first - 1].written:
        first -= 1
    return looks[first:]


def _patience(look: Look, rules: Rules) -> float:
    quiet = rules.quiet_s if look.written is False else rules.quiet_no_lease_s
    if look.identity.size_bytes == 0:
        return quiet * EMPTY_PATIENCE
    if look.unfinished:
        return max(quiet * (RESERVED_PATIENCE if look.zero_tail or look.holes else 1.0), rules.unfinished_s)
    return quiet * (RESERVED_PATIENCE if look.zero_tail or look.holes else 1.0)


def _waiting_for(look: Look, patience: float) -> tuple[str, str]:
    """What is awaited, in English and Chinese."""
    if look.identity.size_bytes == 0:
        en, zh = "it is empty; it is taken in when it stays so", "文件是空的；如保持不变"
    elif look.unfinished:
        en, zh = "its content ends in the middle; it is taken in when it stays so", "内容在中途结束；如保持不变"
    else:
        return f"it must stay unchanged for {patience:g} s", f"须保持不变 {patience:g} 秒"
    return f"{en} for {patience:g} s", f"{zh} {patience:g} 秒即接收"
