"""Decides how a watched folder stands after a scan. Pure: no clock, no disk.

A folder that vanished, was replaced or is suddenly empty is a source that is offline, and never a deletion: a
share that is not mounted looks exactly like an empty folder. Source: what peers lost by believing an empty mount
(Immich, Frigate), E8 and E9 of our list.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Seen:
    """What one scan saw of a root. error: why it could not be listed, empty where it could.

    device, inode: which folder it is; files: how many lie below it.
    """

    device: int = 0
    inode: int = 0
    files: int = 0
    error: str = ""


@dataclass(frozen=True)
class Stand:
    """How the root stands. offline: nothing is concluded from what it lacks. replaced: it is another folder now."""

    offline: bool = False
    replaced: bool = False
    why: str = ""
    why_zh: str = ""


def decide(before: Seen | None, now: Seen, *, held: int, may_be_empty: bool) -> Stand:
    """How a root stands after this scan.

    before: the last scan that found the source there, None where there was none since the start.
    held: how many files were taken in from it so far. may_be_empty: the home's own inbox, which the bureau
    empties; a share or a dock that is empty of a sudden is rather not connected.
    """
    if now.error:
        return Stand(
            offline=True,
            why=f"source offline: the folder cannot be listed ({now.error}); is the disk or share connected?",
            why_zh=f"来源离线：无法列出该文件夹（{now.error}）；磁盘或共享是否已连接？",
        )
    replaced = before is not None and (before.device, before.inode) != (now.device, now.inode)
    had = max(before.files if before else 0, held)
    if now.files == 0 and had > 0 and (replaced or not may_be_empty):
        return Stand(
            offline=True,
            replaced=replaced,
            why=f"source offline: the folder held {had} files and is now empty; is the disk or share connected?",
            why_zh=f"来源离线：该文件夹曾有 {had} 个文件，现在是空的；磁盘或共享是否已连接？",
        )
    return Stand(replaced=replaced)
