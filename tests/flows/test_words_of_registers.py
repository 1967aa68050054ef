"""What the commands on registers and originals say in Chinese: no word of the program's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import QUICK
from tests.flows.keeping import take
from workers import cli
from workers.bootstrap import Home

DEVICES = """设备编号,设备名称,类型,序列号,安装地点,四十一条审核
ZF-001,一号,执法记录仪,HA1,,
JK-01,门口,监控,N1,大门,已通过
JK-02,院内,监控,N2,院内,
"""


def test_registers_devices_and_originals_speak_chinese(
    sqlite_home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in {**QUICK, "CASEREEL_HOME": str(tmp_path / "home")}.items():
        monkeypatch.setenv(name, value)

    def said(*arguments: str) -> str:
        capsys.readouterr()
        assert cli.run([*arguments, "--lang", "zh"]) == 0
        return capsys.readouterr().out

    table = tmp_path / "设备.csv"
    table.write_text(DEVICES, encoding="utf-8")
    assert said("device", "import", str(table), "--dry-run").startswith("设备（试运行，未写入）：新增 3")
    assert said("device", "import", str(table)).startswith("设备：新增 3，变更 0，未变 0，拒绝 0；重新关联 0")
    lines = {line.split()[0]: line for line in said("device", "list").splitlines()}
    assert "视频监控" in lines["JK-01"]
    assert lines["JK-01"].endswith("第四十一条审核: 已通过")
    assert lines["JK-02"].endswith("第四十一条审核: 未登记")
    assert "执法记录仪" in lines["ZF-001"]
    assert "审核" not in lines["ZF-001"]
    said("device", "measure", "ZF-001", "--shows", "2026-03-02 09:00:05", "--at", "2026-03-02 09:00:00")
    assert "人工测量" in said("device", "calibrate", "ZF-001")
    [original] = take(sqlite_home, tmp_path / "card", "a.jpg", case="平商务罚字〔2026〕第3号")
    assert "照片 (jpeg)  已入库" in said("show", original)
