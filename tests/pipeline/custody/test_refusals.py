"""What clerks are told of a refused file: in their words, and with nothing to type."""

from __future__ import annotations

import pytest

from pipeline.custody.accession import DISPOSED, GOING, WHAT_TO_DO_ABOUT_A_CARD
from pipeline.custody.refusals import told_of
from pipeline.edges.host.handles import A_LINK_ON_THE_WAY

# As the log has them.
REASONS = {
    DISPOSED: "已按保管期限处置",
    GOING: "正在处置",
    A_LINK_ON_THE_WAY: "所在文件夹是链接",
    "it is a pipe and not a file: put the file itself here": "链接、快捷方式或设备",
    "it has 2 names on its disk; put a copy here, or set intake.hard_links = true": "多个名称",
    "it lies on another disk than the folder above it; intake.other_disks = true takes it in": "另一块磁盘",
    "this program may not read it: check the file's permissions": "没有读取它的权限",
    "it is gone: moved or deleted before it could be taken in": "已被移走或删除",
    "a.mp4 is still open for writing": "仍在写入",
    f"it cannot be read at byte 1 of 3 (Input/output error); {WHAT_TO_DO_ABOUT_A_CARD}": "存储卡或磁盘可能有故障",
    "not one of its 9 bytes can be read": "存储卡或磁盘可能有故障",
}


@pytest.mark.parametrize("reason", REASONS)
def test_every_reason_has_its_words_and_a_remedy_without_a_command(reason: str) -> None:
    told = told_of(reason)
    assert REASONS[reason] in told.why_zh
    assert all(told)
    assert "casereel" not in " ".join(told)
