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


# A word of the reason in the log -> what the clerk reads. The first that is found counts. Clerks have no command line:
# what only that can do is asked of the operators.
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
        "请勿删除该文件，先咨询法制部门；是哪一份原件，运维人员可以查明",
        "keep the file and ask the legal office; the operators can tell which original it was",
    ),
    (
        r"\d names on its disk|several names|hard link",
        "该文件在磁盘上有多个名称（硬链接）", "the file has several names on its disk",
        "复制一份新的放入", "drop a fresh copy",
    ),
    (
        r"another disk",
        "它位于另一块磁盘上", "it lies on another disk that shows inside this folder",
        "请把文件复制到本文件夹", "copy the file into this folder",
    ),
    (
        r"on the way to it is a link",
        "所在文件夹是链接，不是真正的文件夹", "the folder on the way to it is a link and no folder",
        "请把文件复制到真正的收件文件夹", "copy the file into the inbox itself",
    ),
    (
        r"a link|a pipe|a socket|a device|not a file|symbolic",
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
        r"still open|changed (while|since)|replaced while|took its place",
        "它仍在写入，或刚被改动", "it is still being written, or was changed just now",
        "请等复制完成；会自动再试", "wait until it is copied; it is tried again by itself",
    ),
    (
        r"card|disk it lies on|cannot be read|can be read|input/output",
        "无法读取，存储卡或磁盘可能有故障", "it cannot be read; the card or disk may be failing",
        "换一个读卡器或数据线后再试一次；请勿格式化存储卡。仍不能读取的，请告知运维人员，尚能读出的部分可以先接收",
        "try another card reader or cable and then once more; do not format the card. Where that does not help, tell "
        "the operators: what can still be read can be taken in",
    ),
)  # fmt: skip


def told_of(reason: str) -> Told:
    """What the clerk reads for this reason of the log; the reason itself where none of ours fits."""
    for pattern, why_zh, why, do_zh, do in _WORDS:
        if re.search(pattern, reason, re.IGNORECASE):
            return Told(why_zh, why, do_zh, do)
    return Told(
        f"未能接收：{reason}", reason, "改正后重新放入，或再试一次；仍不行请告知运维人员",
        "mend it and drop it again, or try once more; tell the operators where that does not help",
    )  # fmt: skip
