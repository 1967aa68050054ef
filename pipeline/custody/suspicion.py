"""What intake noticed about a file that is kept all the same, and what a reviewer is told of it. Pure.

Nothing here is a reason to refuse: cameras reserve space, clocks run ahead, a cut off recording is evidence.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from pipeline.custody.sniff import Sniffed, suits
from pipeline.custody.wholeness import is_unfinished
from pipeline.edges.storage.staging import Staged
from pipeline.records import Arrival, Caveat

FINDER: Final = "intake/1"
AHEAD_S: Final = 120  # device clocks are minutes off; further in the future is worth a word

# code -> (English, Chinese). Only what a reviewer must bear in mind; the others are facts of the record.
TEXTS: Final = {
    "incomplete": (
        "The source could not be read whole; unreadable parts are zeros, and the record names them.",
        "源文件无法完整读取；读不出的部分以零填充，收件记录中列明其位置。",
    ),
    "zero_tail": (
        "Its end is all zeros: space may have been reserved and never filled.",
        "文件末尾全为零：可能是预留空间而未写满。",
    ),
    "holes": (
        "Parts of it were reserved on its disk and never written.",
        "文件中有部分空间已预留但从未写入。",
    ),
    "hard_links": (
        "It had several names on its disk, so its source could be changed under another name.",
        "源文件在其磁盘上有多个名称，可能通过其他名称被改动。",
    ),
    "mtime_in_future": (
        "Its date of change lay in the future when it was taken in; a clock was wrong.",
        "接收时其修改时间晚于当时时间；某个时钟有误。",
    ),
}  # fmt: skip


def suspicions_of(staged: Staged, sniffed: Sniffed, arrival: Arrival) -> list[str]:
    """Codes of what was noticed, sorted; none when all is plain."""
    noticed = {
        "empty": staged.size_bytes == 0,
        "extension_mismatch": not suits(arrival.name, sniffed.format),
        "hard_links": staged.source.st_nlink > 1,
        "holes": staged.holes,
        "incomplete": bool(staged.unreadable),
        "mtime_in_future": arrival.mtime_ns > (arrival.taken_at.timestamp() + AHEAD_S) * 1e9,
        "truncated": staged.size_bytes > 0 and is_unfinished(staged.read_at, staged.size_bytes),
        "zero_tail": staged.zero_tail,
    }
    return sorted(code for code, is_so in noticed.items() if is_so)


def caveats_of(suspicions: Iterable[str]) -> list[Caveat]:
    """What a reviewer is told of them."""
    return [
        Caveat(code=code, text=TEXTS[code][0], text_zh=TEXTS[code][1], finder=FINDER)
        for code in suspicions
        if code in TEXTS
    ]
