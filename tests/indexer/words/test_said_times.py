"""Clock times in running text: what is one, on which day, and what only looks like one."""

from __future__ import annotations

from datetime import date

import pytest

from indexer.words.said_times import said_times

DAY = date(2021, 8, 3)


@pytest.mark.parametrize(("text", "times"), [
    ("2021年8月3日14时02分到达，14时05分30秒开始", ["2021-08-03 14:02:00", "2021-08-03 14:05:30"]),
    ("时间：10:05-10:40", ["2021-08-03 10:05:00", "2021-08-03 10:40:00"]),
    ("下午2点半开始，晚上8时许结束", ["2021-08-03 14:30:00", "2021-08-03 20:00:00"]),
    ("2021-08-04 9:30:15送达", ["2021-08-04 09:30:15"]),
    ("以下3点意见，8小时内，第4时段，比例1.5:30，2021年13月40日", []),
    ("25:10，12:99", []),
    ("", []),
])  # fmt: skip
def test_a_time_is_read_with_its_day(text: str, times: list[str]) -> None:
    found = list(said_times(text, DAY, "Asia/Shanghai"))
    assert [f"{one.at:%Y-%m-%d %H:%M:%S}" for one in found] == times
    assert all(one.at.utcoffset() is not None for one in found)


def test_a_clock_time_whose_day_nobody_said_is_none() -> None:
    assert list(said_times("14时02分到达", None, "Asia/Shanghai")) == []


def test_the_marks_hold_the_time_in_what_stands_around_it() -> None:
    [one] = said_times(f"{'前' * 50}\n14时02分，{'后' * 50}", DAY, "Asia/Shanghai")
    [(low, high)] = one.marks
    assert one.snippet[low:high] == "14时02分"
    assert len(one.snippet) < 70
