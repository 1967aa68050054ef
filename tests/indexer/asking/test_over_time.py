"""Hits over time: each number is what the same search finds when it is narrowed to that time, for whoever asks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from indexer.access import Reviewer
from indexer.asking.over_time import BARS_MOST, OverTime, over_time
from indexer.search import Filters, search
from tests.indexer.archive import Archive, decided, known
from tests.indexer.test_restrictions import BACKENDS, opened, restriction

NOW = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
CHINA = timezone(timedelta(hours=8))
INSIDE, OUTSIDE = Reviewer("谢敏", "reviewer", "法制科"), Reviewer("吴江", "reviewer", "他科")
AT = [
    datetime(1970, 1, 1, 8, 0, 3, tzinfo=CHINA),  # a clock that was never set
    datetime(2023, 12, 31, 23, 59, tzinfo=CHINA),  # over midnight into another year
    *(datetime(2025, 8, day, hour, 10, tzinfo=CHINA) for day, hour in ((1, 0), (3, 9), (3, 9), (3, 14), (31, 23))),
    datetime(2025, 10, 2, 7, 0, tzinfo=CHINA),
]


@BACKENDS
def test_each_number_is_what_the_search_finds_when_it_is_narrowed_to_it(
    backend: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    secret = restriction(1, units=("法制科",))
    catalog = Archive([
        *(known(f"v{number}", time=decided(at, 90, 0), restrictions=[secret] if number == 3 else [])
          for number, at in enumerate(AT)),
        known("undated", folder="后厨"), known("undated2"),
    ])  # fmt: skip
    follower = opened(catalog, tmp_path, backend, request)

    def ask(reviewer: Reviewer, text: str = "", **filters: str) -> OverTime:
        return over_time(reviewer, text, Filters(**filters), follower=follower, catalog=catalog, zone="Asia/Shanghai",
                         now=NOW)  # fmt: skip

    def hits(found: OverTime) -> dict[str, int]:
        return {one.end if one.start else f"≤{one.end}": one.hits for one in found.bars if one.hits}

    years, months = ask(INSIDE), ask(INSIDE, start="2023-12", end="2025")
    days, hours = ask(INSIDE, start="2025-08", end="2025-08-20"), ask(INSIDE, start="2025-08-03", end="2025-08-03")
    weeks, cut = ask(INSIDE, start="2025-08", end="2025-08"), ask(INSIDE, start="2025-08-03 10时", end="2025-12-01")
    asked = (years, months, weeks, days, hours)
    assert [one.unit for one in asked] == ["year", "month", "week", "day", "hour"]
    assert [len(one.bars) for one in asked] == [BARS_MOST, 23, 5, 3, 6]
    assert (years.total, years.undated) == (10, 2)
    assert hits(years) == {"≤2002": 1, "2023": 1, "2024": 1, "2025": 6}
    assert hits(months) == {"2023-12": 1, "2024-01": 1, "2025-08": 5, "2025-10": 1}
    assert hits(weeks) == {"2025-08-03": 4, "2025-08-31": 1}
    assert hits(days) == {"2025-08-01": 1, "2025-08-03": 3}
    # Narrowed by a bar, the search finds no more than the person had narrowed it to.
    assert [(one.start, one.end, one.hits) for one in cut.bars[:2]] == [
        ("2025-08-03 10时", "2025-08-03", 1), ("2025-08-04", "2025-08-10", 0),
    ]  # fmt: skip
    early = ask(INSIDE, start="1970", end="2025")
    assert (early.bars[0].start, early.bars[0].end, early.bars[0].hits) == ("1970", "2002", 1)
    assert hits(hours) == {"2025-08-03 09时": 2, "2025-08-03 14时": 1}
    assert hits(ask(OUTSIDE, start="2025-08-03", end="2025-08-03")) == {"2025-08-03 09时": 1, "2025-08-03 14时": 1}
    assert ask(OUTSIDE).total == 9
    for reviewer, found in (
        (INSIDE, years),
        (INSIDE, hours),
        (INSIDE, weeks),
        (INSIDE, cut),
        (OUTSIDE, ask(OUTSIDE, start="2025-08", end="2025-08")),
    ):
        for one in found.bars:
            if one.hits:
                narrowed = search(reviewer, "", Filters(start=one.start, end=one.end), follower=follower,
                                  catalog=catalog, zone="Asia/Shanghai", now=NOW)  # fmt: skip
                assert narrowed.total == one.hits, one
    assert ask(INSIDE, "后厨") == OverTime(unit="day", bars=(), total=1, undated=1)
    assert ask(INSIDE, "没有的词") == OverTime(unit="day", bars=(), total=0, undated=0)
