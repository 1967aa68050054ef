"""What a clerk is told of a refused file: why, and what to do now, in Chinese and English. Pure."""

from __future__ import annotations

import re
from typing import Final, NamedTuple


class Told(NamedTuple):
    """why and do, Chinese and English."""

    why_zh: str
    why: str
    do_zh: str
    do: str


# A word of the reason in the log -> what the clerk reads. The first that is found counts.
_WORDS: Final = (
    (
        r"being disposed of",
        "相同内容的原件正在处置中", "the same bytes are being disposed of at this moment",
        "文件原样保留，稍后会自动再试", "leave the file here; it is tried again by itself",
    ),
    (
        r"disposed of",
        "相同内容的原件已按保管期限处置（有销毁凭证），没有再次接收，文件仍在原处",
        "the same bytes were in custody and were disposed of at the end of their period; they were not taken in again",
        "请勿删除该文件，先咨询法制部门；casereel explain 该文件可查看是哪一份原件",
        "keep the file and ask the legal office; `casereel explain` this file says which original it was",
    ),
    (
        r"link, a pipe or a device|not a file|symbolic|link",
        "它是链接、快捷方式或设备，不是文件", "it is a link or a device and not a file",
        "把真正的文件复制到这里", "copy the file itself into this folder",
    ),
    (
        r"may not read|permission",
        "本程序没有读取它的权限", "this program may not read it",
        "请修改文件的权限，或用有权限的账号重新复制；改好后会自动再试",
        "change its permissions or copy it again; it is then tried by itself",
    ),
    (
        r"gone|moved or deleted",
        "接收之前它已被移走或删除", "it was moved or deleted before it was taken in",
        "如仍需要，请重新放入", "drop it again if it is needed",
    ),
    (
        r"card|disk it lies on|cannot be read|input/output",
        "无法读取，存储卡或磁盘可能有故障", "it cannot be read; the card or disk may be failing",
        "更换读卡器再试：casereel ingest 该文件；请勿格式化存储卡",
        "try another card reader, then `casereel ingest` this file; do not format the card",
    ),
    (
        r"several names|hard link",
        "该文件在磁盘上有多个名称（硬链接）", "the file has several names on its disk",
        "复制一份新的放入", "drop a fresh copy",
    ),
    (
        r"another disk|file system",
        "它位于另一块磁盘上", "it lies on another disk that shows inside this folder",
        "请把文件复制到本文件夹", "copy the file into this folder",
    ),
)  # fmt: skip


def told_of(reason: str) -> Told:
    """What the clerk reads for this reason of the log; the reason itself where none of ours fits."""
    for pattern, why_zh, why, do_zh, do in _WORDS:
        if re.search(pattern, reason, re.IGNORECASE):
            return Told(why_zh, why, do_zh, do)
    return Told(
        f"未能接收：{reason}", reason, "改正后重新放入，或运行 casereel ingest 该文件",
        "mend it and drop it again, or `casereel ingest` it",
    )  # fmt: skip
