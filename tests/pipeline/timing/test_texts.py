"""Times as files write them: what is read, and what is refused by name."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from pipeline.timing.texts import Misread, Reading, offset_min_of, read_time, with_fraction


def at(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc, arg-type]


@pytest.mark.parametrize(
    ("text", "shown", "offset_min", "precision_s"),
    [
        ("2021:08:03 10:10:10", at(2021, 8, 3, 10, 10, 10), None, 1.0),
        ("2021:08:03 10:10:10\0", at(2021, 8, 3, 10, 10, 10), None, 1.0),
        ("2015-01-19T12:45:11-0800", at(2015, 1, 19, 12, 45, 11), -480, 1.0),
        ("2016-02-06T00:53:22.000000Z", at(2016, 2, 6, 0, 53, 22), 0, 1e-6),
        ("2008:05:25 19:31:26.0+1:00", at(2008, 5, 25, 19, 31, 26), 60, 0.1),
        ("UTC 2016-02-06 00:53:22", at(2016, 2, 6, 0, 53, 22), 0, 1.0),
        ("2003:08:27:00:09:15", at(2003, 8, 27, 0, 9, 15), None, 1.0),
        ("2001/ 1/27  1:42PM", at(2001, 1, 27, 13, 42), None, 60.0),
        ("Tue Aug 03 10:10:10 2021\n", at(2021, 8, 3, 10, 10, 10), None, 1.0),
        ("20210803T101010+0800", at(2021, 8, 3, 10, 10, 10), 480, 1.0),
        ("2021-08-03", at(2021, 8, 3), None, 86400.0),
        ("2006", at(2006, 1, 1), None, 366 * 86400.0),
        ("2026:03:30 23:59:60", at(2026, 3, 31), None, 1.0),
    ],
)
def test_a_time_is_read(text: str, shown: datetime, offset_min: int | None, precision_s: float) -> None:
    assert read_time(text) == Reading(shown=shown, offset_min=offset_min, precision_s=precision_s)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("0000:00:00 00:00:00", "it was left empty"),
        ("    :  :     :  :  ", "it was left empty"),
        ("", "it was left empty"),
        ("2021:00:03 10:10:10", "there is no such moment as 2021:00:03 10:10:10"),
        ("2021:02:30 10:10:10", "there is no such moment as 2021:02:30 10:10:10"),
        ("2021:08:03 24:00:00", "there is no such moment as 2021:08:03 24:00:00"),
        ("05.10.2009 11:16", "day and month cannot be told apart"),
        ("???????:08 09:55:10", "it is not a date"),
        ("yesterday 1", "it is not a date"),
    ],
)
def test_what_is_no_time_is_refused_by_name(text: str, reason: str) -> None:
    assert read_time(text) == Misread(reason)


@pytest.mark.parametrize(
    ("text", "offset_min"),
    [("+08:00", 480), ("-0500", -300), ("Z", 0), ("+8", 480), ("+05:45\0", 345), ("+99:00", None), ("   :  ", None)],
)
def test_an_offset_is_read_or_refused(text: str, offset_min: int | None) -> None:
    assert offset_min_of(text) == offset_min


def test_a_fraction_beside_the_time_is_kept_with_its_step() -> None:
    reading = read_time("2021:08:03 10:10:10")
    assert isinstance(reading, Reading)
    fine = with_fraction(reading, "053")
    assert (fine.shown.microsecond, fine.precision_s) == (53_000, 0.001)


def test_a_fraction_that_is_none_changes_nothing() -> None:
    reading = read_time("2021:08:03 10:10:10")
    assert isinstance(reading, Reading)
    assert with_fraction(reading, "  ") == reading
