"""What other recordings of a device say: votes on its header's time, and bounds by its numbers."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from pipeline.records import DecidedTime, TimeClaim
from pipeline.timing.deciding import decide
from pipeline.timing.history import READINGS, History, Neighbour, in_order, lesson_of
from tests.pipeline.timing.test_deciding import NOW, ZONE, claim, container, exif, mtime, name, utc

ALONE = container("2026-03-02T16:00:00")


def decided(
    *claims: TimeClaim, history: History | None = None, duration_s: float | None = 60.0
) -> tuple[DecidedTime | None, list[str]]:
    history = history or History()
    time, caveats = decide(claims, duration_s=duration_s, zone=ZONE, now=NOW, history=history)
    time, caveats = in_order(time, caveats, history, duration_s)
    return time, sorted(one.code for one in caveats)


def neighbour(number: int, start: str, *, length_s: float = 60.0, uncertainty_s: float = 5.0) -> Neighbour:
    return Neighbour(
        original=str(number), name=f"MOV_{number:04}.mp4", number=number, start_at=utc(start),
        end_at=utc(start) + timedelta(seconds=length_s), uncertainty_s=uncertainty_s,
    )  # fmt: skip


# -- votes


@pytest.mark.parametrize(
    ("votes", "start", "method"),
    [
        ({"local start": 2}, "2026-03-02T08:00:00", "local_by_votes"),
        ({"utc start": 2}, "2026-03-02T16:00:00", "utc_by_votes"),
        ({"utc end": 5, "utc start": 1}, "2026-03-02T15:59:00", "utc_by_votes+end"),
        ({"local end": 3}, "2026-03-02T07:59:00", "local_by_votes+end"),
        ({"local start": 1}, "2026-03-02T16:00:00", "assumed_utc"),  # one may be an odd file
        ({"local start": 3, "utc start": 2}, "2026-03-02T16:00:00", "assumed_utc"),  # they do not agree
    ],
)
def test_the_devices_other_recordings_tell_how_its_header_is_read(
    votes: dict[str, int], start: str, method: str
) -> None:
    time, codes = decided(ALONE, history=History(votes=votes))
    assert time is not None
    assert (time.start_at, time.method) == (utc(start), method)
    assert ("clock_eight_hours" in codes) == method.startswith("local")
    if "votes" in method:
        assert time.uncertainty_s < 3600
        assert "other recordings of the device" in time.why


def test_votes_never_overrule_what_the_recording_itself_says() -> None:
    time, _ = decided(ALONE, name("2026-03-03T00:00:00"), history=History(votes={"local start": 9}))
    assert time is not None
    assert time.start_at == utc("2026-03-02T16:00:00")


@pytest.mark.parametrize(
    ("shown", "reading"), [("T08:00:00", "utc start"), ("T08:01:00", "utc end"), ("T16:00:00", "local start"),
                           ("T16:01:00", "local end"), ("T11:13:00", None)],
)  # fmt: skip
def test_a_recording_teaches_what_its_other_sources_settle(shown: str, reading: str | None) -> None:
    claims = [name("2026-03-02T16:00:00"), container(f"2026-03-02{shown}")]
    time, _ = decided(*claims)
    assert lesson_of(claims, time, 60.0, ZONE) == reading
    assert reading is None or reading in READINGS


def test_what_was_itself_decided_by_others_or_by_nothing_teaches_nothing() -> None:
    for history in (History(), History(votes={"local start": 2})):
        time, _ = decided(ALONE, history=history)
        assert lesson_of([ALONE], time, 60.0, ZONE) is None
    stated = replace(ALONE, zone_known=True)
    time, _ = decided(stated, name("2026-03-03T00:00:00"))
    assert lesson_of([stated], time, 60.0, ZONE) is None


# -- order

BETWEEN = History(before=neighbour(12, "2026-03-02T08:00:00"), after=neighbour(14, "2026-03-02T08:11:00"))


def test_a_reset_clock_is_replaced_by_where_the_number_lies() -> None:
    time, codes = decided(exif("1980-01-01T00:00:10"), mtime("2026-11-20T00:00:00"), history=BETWEEN)
    assert time is not None
    first, last = utc("2026-03-02T08:00:55"), utc("2026-03-02T08:10:05")
    assert (time.start_at, time.method) == (first + (last - first) / 2, "between_neighbours")
    assert time.uncertainty_s == (last - first).total_seconds() / 2
    assert "MOV_0012.mp4" in time.why
    assert "MOV_0014.mp4" in time.why
    assert codes == ["clock_reset", "time_by_order"]
    assert "mtime" in [source for source, *_ in time.losers]


def test_when_it_was_saved_counts_where_the_order_allows_it() -> None:
    time, _ = decided(exif("1980-01-01T00:00:10"), mtime("2026-03-02T08:06:00"), history=BETWEEN)
    assert time is not None
    assert time.start_at == utc("2026-03-02T08:05:00")
    assert time.uncertainty_s == (utc("2026-03-02T08:10:05") - utc("2026-03-02T08:05:00")).total_seconds()


def test_nothing_at_all_is_bounded_too_and_one_side_alone_tells_nothing() -> None:
    time, codes = decided(exif("1980-01-01T00:00:10"), history=BETWEEN)
    assert time is not None
    assert (time.method, codes) == ("between_neighbours", ["clock_reset", "time_by_order"])
    time, codes = decided(exif("1980-01-01T00:00:10"), history=History(before=BETWEEN.before))
    assert (time, codes) == (None, ["clock_reset", "time_unknown"])
    wide = History(before=BETWEEN.before, after=neighbour(14, "2026-03-20T08:00:00"))
    assert decided(exif("1980-01-01T00:00:10"), history=wide)[0] is None


def test_the_order_tells_local_digits_from_utc() -> None:
    local = History(before=neighbour(12, "2026-03-02T07:50:00"), after=neighbour(14, "2026-03-02T08:11:00"))
    time, codes = decided(ALONE, history=local)
    assert time is not None
    assert (time.start_at, time.method) == (utc("2026-03-02T08:00:00"), "local_by_order")
    assert "clock_eight_hours" in codes
    time, _ = decided(ALONE, history=History(before=neighbour(12, "2026-03-02T12:00:00")))
    assert time is not None
    assert (time.start_at, time.method) == (utc("2026-03-02T16:00:00"), "utc_by_order")


def test_a_time_that_does_not_fit_its_number_stays_and_is_told() -> None:
    late = History(before=BETWEEN.before, after=neighbour(14, "2026-03-02T08:11:00"))
    time, codes = decided(name("2026-03-02T23:00:00"), history=late)
    assert time is not None
    assert (time.source, time.start_at) == ("file_name.bare", utc("2026-03-02T15:00:00"))
    assert "sequence_conflict" in codes
    _, codes = decided(name("2026-03-02T16:05:00"), history=late)
    assert "sequence_conflict" not in codes


def test_a_device_of_another_zone_teaches_in_its_own_zone() -> None:
    zone = ZoneInfo("Asia/Urumqi")
    claims = [claim("gps", "2026-03-02T08:00:00", "utc"), container("2026-03-02T14:00:00")]
    time, _ = decide(claims, duration_s=60.0, zone=zone, now=datetime(2026, 11, 22, tzinfo=UTC))
    assert lesson_of(claims, time, 60.0, zone) == "local start"
