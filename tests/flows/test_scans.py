"""A scanned record from the folder to the search: its words are found with their page, its case is proposed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from config.settings import load
from tests.conftest import QUICK
from tests.homes import make_home
from tests.indexer.web.asking import person
from tests.samples.documents import page_of_paper, scanned
from workers import cli
from workers.bootstrap import build_home

RECORD = (
    "询问笔录\n时间：2021年8月3日15时05分至15时42分\n被询问人：王小明\n"
    "案号：平商务罚字〔2021〕3号\n问：汽油从哪里购进？"
)


def test_a_scanned_record_is_found_by_its_words_and_proposes_its_case(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = load(tmp_path / "home", QUICK)
    make_home(settings)
    card = tmp_path / "card"
    card.mkdir()
    scanned(card / "扫描0001.pdf", page_of_paper(RECORD))

    def run(*said: str) -> list[dict[str, Any]]:
        capsys.readouterr()
        assert cli.run(["--home", str(settings.home), *said, "--json"]) == 0
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    run("ingest", str(card), "--wait")
    [hit] = [one for one in run("search", "汽油从哪里购进") if "original" in one]
    assert "汽油" in json.dumps(hit, ensure_ascii=False)
    home = build_home(settings)
    known = home.catalog.known_of(home.find_original("扫描0001.pdf"))
    reviewer, at = person(home, "reviewer"), f"/originals/{known.original.id}"
    assert f'href="{at}#page-1"' in reviewer.page("/search?q=汽油从哪里购进")
    assert "汽油" not in reviewer.page(at)  # nobody has said yet why it is looked at
    reviewer.send(f"{at}/looks", purpose="决定前审核")
    shown = reviewer.page(at)
    assert "问：汽油从哪里购进" in shown.replace("问:", "问：")
    assert ("第 1 页文字" in shown, "文字由机器识别" in shown, 'id="page-1"' in shown) == (True, True, True)
    home.close()
    assert known.value("record.from") == "2021-08-03T15:05:00"
    assert [one.source for one in known.time_claims if one.source.startswith("record")] == []
    [link] = known.links
    assert (link.case_key, link.status, link.method) == ("平商务罚-2021-3", "proposed", "document_text")
    assert link.why_zh.endswith("文字由机器识别，请对照原页核实。")
    assert "text_recognized" in {one.code for one in known.caveats}
