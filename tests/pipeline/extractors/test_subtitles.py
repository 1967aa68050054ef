"""Lines of speech in subtitles; the examples are those of the WebVTT recommendation and of SubRip's documentation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import Unreadable
from pipeline.extractors.subtitles import extract
from tests.flows.test_sidecars import SRT as DRONE

# W3C, WebVTT: The Web Video Text Tracks Format, 1.1 (shortened) with a cue name, a setting and a comment.
VTT = """WEBVTT

NOTE
The lines of an interview

00:11.000 --> 00:13.000
<v Roger Bingham>We are in New York City

second one
00:01:13.500 --> 00:01:16.000 align:start
<v Neil deGrasse Tyson>Didn't we talk about <i>enough</i> in that conversation? &amp; more

01:00:16.000 --> 01:00:18.250
Line one
line two
"""
# What SubRip writes: a number, a comma before the thousandths, line ends of DOS, italics.
SUBRIP = """1\r
00:02:17,440 --> 00:02:20,375\r
被询问人谭骞：油罐车是租来的\r
\r
2\r
00:02:20,476 --> 00:02:22,501\r
<i>三月五日</i>\r
到的货\r
"""


def lines(tmp_path: Path, text: str | bytes) -> Any:
    path = tmp_path / "a.srt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return {name: value for name, _, value in extract(str(path))["properties"]}.get("transcript.lines")


def test_webvtt_cues_are_lines_with_their_seconds(tmp_path: Path) -> None:
    assert [list(line) for line in lines(tmp_path, VTT)] == [
        [11.0, 13.0, "We are in New York City"],
        [73.5, 76.0, "Didn't we talk about enough in that conversation? & more"],
        [3616.0, 3618.25, "Line one line two"],
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_subrip_cues_are_lines_with_their_seconds(tmp_path: Path, encoding: str) -> None:
    assert [list(line) for line in lines(tmp_path, SUBRIP.encode(encoding))] == [
        [137.44, 140.375, "被询问人谭骞：油罐车是租来的"],
        [140.476, 142.501, "三月五日 到的货"],
    ]


@pytest.mark.parametrize("text", [DRONE, 'WEBVTT\n\n00:00.000 --> 00:01.000\n{"officer": "李建国"}\n', "", "no cue"])
def test_telemetry_and_data_are_no_speech(tmp_path: Path, text: str) -> None:
    assert lines(tmp_path, text) is None


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Unreadable):
        lines(tmp_path, b"\x00\xff\xfe\x81\x00" * 40)
