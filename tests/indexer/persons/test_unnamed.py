"""What is said of a file, before somebody who may not know of the others that it names."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from indexer.persons.unnamed import SAID, Unnamed
from pipeline.case_numbers import comparable
from pipeline.records import Caveat, ClockOffset, TimeCorrection
from pipeline.timing.clocks import DeviceClock
from pipeline.timing.correction import corrected
from tests.indexer.archive import TAKEN_AT, decided

HIDDEN, NAME, CASE = "01KA0000000000000000000001", "秘方.mp4", "平商务罚字〔2021〕第9号"
UNNAMED = Unnamed(lambda: {HIDDEN, NAME}, {comparable(CASE)})
AT = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)


def tells(*texts: str) -> bool:
    return any(one in text for one in (HIDDEN, NAME, CASE) for text in texts)


@pytest.mark.parametrize("by", [f"{HIDDEN}, card 3", "李", f"赵, {HIDDEN} at 3.0 s is X at 4.0 s (shares a part)"])
def test_a_time_put_right_by_a_clock_does_not_tell_whose_recording_measured_it(by: str) -> None:
    offset = ClockOffset(device="ZF-1", at=AT, offset_s=12.0, uncertainty_s=1.0, how="filmed", by=by)
    off = DeviceClock([offset]).true_at(AT + timedelta(hours=1))
    assert off is not None
    why, why_zh = f"Its clock ran ({off.because.en}).", f"设备时钟快（{off.because.zh}）。"
    time = replace(decided(TAKEN_AT), method="utc+clock", why=why, why_zh=why_zh)
    told = UNNAMED.time(time)
    assert told is not None
    assert not tells(told.why, told.why_zh)
    assert (told.why == why) == (HIDDEN not in by)
    assert "put right" in told.why or told.why == why


@pytest.mark.parametrize("name", [HIDDEN, NAME, CASE])
def test_a_correction_names_nothing_hidden_in_its_reason_nor_in_that_of_the_rules(name: str) -> None:
    said = TimeCorrection(start_at=AT, end_at=None, uncertainty_s=1.0, reason=f"见 {name}", by="李")
    by_rules = replace(decided(TAKEN_AT), source="sequence", why=f"after {name}", why_zh=f"在 {name} 之后")
    time, caveats = corrected(said, by_rules, (), 60.0)
    assert tells(time.why)
    told, [caveat] = UNNAMED.time(time), UNNAMED.caveats(caveats)
    assert told is not None
    assert not tells(repr(told), repr(caveat))
    assert told.why == SAID["time_corrected"].en
    assert told.by_rules is not None
    assert (told.by_rules["why"], told.by_rules["start_at"]) == (SAID["time_by_order"].en, TAKEN_AT.isoformat())
    open_said = replace(said, reason="时钟快")
    time, caveats = corrected(open_said, replace(by_rules, why="its own", why_zh="自身"), (), 60.0)
    assert (UNNAMED.time(time), UNNAMED.caveats(caveats)) == (time, caveats)


def test_a_name_is_seen_in_whatever_case_it_is_written() -> None:
    hidden = Unnamed(lambda: {"DSJ_0012.MP4", "straße.mov"})
    for text in ("beside dsj_0012.mp4", "DSJ_0012.mp4", "after Dsj_0012", "STRASSE.MOV"):
        assert hidden.tells(text), text
    assert not hidden.tells("beside dsj_0013.mp4")


def test_a_caveat_of_any_code_names_nothing_hidden() -> None:
    for code in (*SAID, "no_such_code"):
        caveat = Caveat(code=code, text=f"beside {NAME}", text_zh=f"与 {CASE} 同录")
        [told] = UNNAMED.caveats([caveat])
        assert told.text, code
        assert told.text_zh, code
        assert not tells(told.text, told.text_zh), code
        free = replace(caveat, text="beside 0001.MP4", text_zh="与 0001.MP4 同录")
        assert UNNAMED.caveats([free]) == (free,)
