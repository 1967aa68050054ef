"""Deciding when it was recorded: a table of the ways in which clocks lie, and that nothing makes it fail."""

from __future__ import annotations

import random
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from pipeline.records import Caveat, ClockOffset, DecidedTime, TimeClaim
from pipeline.rules import timestamp_rules
from pipeline.timing.clocks import DeviceClock
from pipeline.timing.deciding import decide

ZONE = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def claim(source: str, text: str, kind: str, **changed: Any) -> TimeClaim:
    """kind: `local` digits, `utc` stated, `maybe` UTC by specification; `+08:00` and the like state a zone."""
    rule = timestamp_rules().sources.get(source)
    shown = utc(text)
    offset_min: int | None = {"local": None, "utc": 0, "maybe": 0}.get(kind, 0)
    at = shown.replace(tzinfo=ZONE).astimezone(UTC) if kind == "local" else shown
    if kind[0] in "+-":
        stated = datetime.fromisoformat(f"{text}{kind}")
        at, offset_min = stated.astimezone(UTC), round((stated.utcoffset() or timedelta()) / timedelta(minutes=1))
    made = TimeClaim(
        source=source,
        found=text,
        at=at,
        zone_known=kind not in ("local", "maybe"),
        offset_min=offset_min,
        marks=rule.marks if rule else "start",
        precision_s=1.0,
        trust=rule.trust if rule else 70,
    )
    return replace(made, **changed)


def exif(text: str = "2021-08-03T10:10:10", **changed: Any) -> TimeClaim:
    return claim("exif.DateTimeOriginal", text, "local", **changed)


def container(text: str, **changed: Any) -> TimeClaim:
    return claim("container.creation_time", text, "maybe", **changed)


def name(text: str = "2021-08-03T10:10:10", **changed: Any) -> TimeClaim:
    return claim("file_name.bare", text, "local", **changed)


def gps(text: str, **changed: Any) -> TimeClaim:
    return claim("gps", text, "utc", **changed)


def day(text: str) -> TimeClaim:
    return claim("xmp.DateCreated", text, "local", precision_s=86400.0)


def mtime(text: str, **changed: Any) -> TimeClaim:
    return claim("mtime", text, "utc", **changed)


CHINESE, ENGLISH = re.compile("[一-鿿]"), re.compile(r"[a-z]+ [a-z]+ [a-z]+")


def decided(*claims: TimeClaim, duration_s: float | None = None) -> tuple[DecidedTime, list[str]]:
    time, caveats = decide(claims, duration_s=duration_s, zone=ZONE, now=NOW)
    assert time is not None
    assert [source for source, *_ in time.losers] == [source for source, *_ in time.losers if source]
    assert len(time.losers) == len(dict.fromkeys(claims)) - 1
    # Every reason is told in Chinese too, and no English sentence stands in it.
    for zh in (time.why_zh, *(zh for *_, zh in time.losers)):
        assert CHINESE.search(zh), zh
        assert not ENGLISH.search(zh), zh
    return time, sorted(caveat.code for caveat in caveats)


CASES: list[tuple[str, tuple[TimeClaim, ...], float | None, str, str, list[str]]] = [
    # what it is, claims, length, start in UTC, method, caveats
    ("digits alone", (exif(),), None, "2021-08-03T02:10:10", "assumed_zone", ["clock_zone_unknown"]),
    (
        "digits with their offset",
        (claim("exif.DateTimeOriginal", "2021-08-03T10:10:10", "+05:45"),),
        None, "2021-08-03T04:25:10", "stated_zone", ["clock_zone_other"],
    ),
    ("GPS confirms the zone", (exif(), gps("2021-08-03T02:09:58")), None, "2021-08-03T02:10:10", "zone_by_witness", []),
    (
        "GPS gives another zone",
        (exif(), gps("2021-08-03T04:10:10")), None, "2021-08-03T04:10:10", "zone_by_witness", ["clock_zone_other"],
    ),
    (
        "GPS of a fix no zone explains",
        (exif(), gps("2021-08-02T20:33:00")),
        None, "2021-08-03T02:10:10", "assumed_zone", ["clock_zone_unknown", "time_conflict"],
    ),
    (
        "GPS of a cold start",
        (exif(), gps("1980-01-06T00:00:13")),
        None, "2021-08-03T02:10:10", "assumed_zone", ["clock_reset", "clock_zone_unknown"],
    ),
    (
        "container alone",
        (container("2021-08-03T02:10:10"),), None, "2021-08-03T02:10:10", "assumed_utc", ["clock_zone_unknown"],
    ),
    (
        "name and container in UTC",
        (name(), container("2021-08-03T02:10:12")), 5.0, "2021-08-03T02:10:10", "zone_by_utc", [],
    ),
    (
        "the eight hours, by the name",
        (name(), container("2021-08-03T10:10:11")),
        5.0, "2021-08-03T02:10:10", "assumed_zone", ["clock_eight_hours"],
    ),
    (
        "the eight hours, by a typed name",
        (name(trust=28, precision_s=60.0), container("2021-08-03T10:10:41")),
        5.0, "2021-08-03T02:10:41", "local_as_utc", ["clock_eight_hours"],
    ),
    (
        "the eight hours, by GPS",
        (container("2021-08-03T10:10:10", trust=80), gps("2021-08-03T02:10:02")),
        5.0, "2021-08-03T02:10:10", "local_as_utc", ["clock_eight_hours"],
    ),
    (
        "the eight hours, by the moment it was saved",
        (container("2021-08-03T10:10:10"), mtime("2021-08-03T02:11:10")),
        60.0, "2021-08-03T02:10:10", "local_as_utc", ["clock_eight_hours"],
    ),
    (
        "another zone than the default",
        (name("2024-01-28T10:54:20"), container("2024-01-28T09:54:20")),
        1.0, "2024-01-28T09:54:20", "zone_by_utc", ["clock_zone_other"],
    ),
    (
        "a container that marks the end",
        (name(trust=28), container("2021-08-03T02:20:10")), 600.0, "2021-08-03T02:10:10", "utc_confirmed+end", [],
    ),
    (
        "a container said to mark the end that marks the start",
        (name(), container("2021-08-03T02:10:12", marks="end")), 600.0, "2021-08-03T02:10:10", "zone_by_utc", [],
    ),
    (
        "an hour's end in UTC is no other zone",
        (name(), container("2021-08-03T03:10:11")), 3600.0, "2021-08-03T02:10:10", "zone_by_utc", [],
    ),
    (
        "an hour's end in local digits is no other zone",
        (name(), container("2021-08-03T11:10:11")),
        3600.0, "2021-08-03T02:10:10", "assumed_zone", ["clock_eight_hours"],
    ),
    (
        "an end that its source admits",
        (claim("container.apple_creation_date", "2021-08-03T10:20:10", "+08:00", marks="end"),),
        600.0, "2021-08-03T02:10:10", "stated_zone+end", [],
    ),
    (
        "1904 in the container",
        (name(), container("1904-01-01T00:00:00")),
        5.0, "2021-08-03T02:10:10", "assumed_zone", ["clock_reset", "clock_zone_unknown"],
    ),
    (
        "a reset camera, and GPS",
        (exif("2000-01-01T00:07:00"), gps("2021-08-03T02:10:10")),
        None, "2021-08-03T02:10:10", "stated_zone", ["clock_reset"],
    ),
    (
        "digitised on the first day of a camera",
        (exif(), claim("exif.DateTimeDigitized", "2002-12-08T12:00:00", "local")),
        None, "2021-08-03T02:10:10", "assumed_zone", ["clock_reset", "clock_zone_unknown"],
    ),
    (
        "a future date, and a name",
        (exif("2099-09-29T10:10:10"), name()),
        None, "2021-08-03T02:10:10", "assumed_zone", ["clock_zone_unknown", "time_in_future"],
    ),
    (
        "before digital recorders",
        (exif("1601-06-06T16:39:33"), claim("exif.DateTimeDigitized", "2015-06-11T10:29:26", "local")),
        None, "2015-06-11T02:29:26", "assumed_zone", ["clock_reset", "clock_zone_unknown"],
    ),
    (
        "New Year without a witness",
        (exif("2016-01-01T00:03:00"),),
        None, "2015-12-31T16:03:00", "assumed_zone", ["clock_reset", "clock_zone_unknown"],
    ),
    (
        "New Year with a witness",
        (exif("2019-01-01T00:15:00"), gps("2018-12-31T16:15:00")),
        None, "2018-12-31T16:15:00", "zone_by_witness", [],
    ),
    (
        "edited after the recording",
        (claim("container.apple_creation_date", "2026-03-23T15:57:19", "+01:00"), container("2026-05-23T10:18:57")),
        2.0, "2026-03-23T14:57:19", "stated_zone", ["clock_zone_other", "time_conflict"],
    ),
    (
        "a day and a moment",
        (day("2021-08-03T00:00:00"), container("2021-08-03T02:10:10")),
        None, "2021-08-03T02:10:10", "assumed_utc", ["clock_zone_unknown"],
    ),
    (
        "saved before it was recorded",
        (exif(), mtime("2019-08-03T02:10:10")),
        None, "2021-08-03T02:10:10", "assumed_zone", ["clock_zone_unknown", "time_conflict"],
    ),
    ("only saved", (mtime("2021-08-03T02:11:10"),), 60.0, "2021-08-03T02:10:10", "saved_only", ["time_unknown"]),
    (
        "a day of the content and a later moment of the file",
        (day("2003-08-31T00:00:00"), claim("xmp.CreateDate", "2005-12-17T22:03:32", "utc")),
        None, "2003-08-30T16:00:00", "assumed_zone", ["clock_zone_unknown", "time_conflict"],
    ),
    (
        "only exported",
        (claim("file_name.wechat_saved", "2021-08-03T02:10:10", "utc", marks="exported", trust=40),),
        None, "2021-08-03T02:10:10", "saved_only", ["time_unknown"],
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("claims", "duration_s", "start", "method", "codes"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_a_time_is_decided(
    claims: tuple[TimeClaim, ...], duration_s: float | None, start: str, method: str, codes: list[str]
) -> None:
    time, found = decided(*claims, duration_s=duration_s)
    assert time.start_at == utc(start)
    assert time.method == method
    assert found == codes


def test_nothing_believable_is_said_to_be_unknown() -> None:
    time, caveats = decide([exif("2000-01-01T00:01:00")], duration_s=None, zone=ZONE, now=NOW)
    assert time is None
    assert [caveat.code for caveat in caveats] == ["clock_reset", "time_unknown"]


def test_no_claims_at_all_are_unknown() -> None:
    assert [caveat.code for caveat in decide([], duration_s=None, zone=ZONE, now=NOW)[1]] == ["time_unknown"]


def test_the_interval_is_start_and_length() -> None:
    time, _ = decided(name(), duration_s=90.5)
    assert time.end_at - time.start_at == timedelta(seconds=90.5)


def test_the_end_that_a_name_gives_outranks_the_length() -> None:
    time, _ = decided(name(end_at=utc("2021-08-03T02:20:10")), duration_s=590.0)
    assert time.end_at == utc("2021-08-03T02:20:10")


def test_the_end_that_a_name_gives_moves_with_its_zone() -> None:
    time, _ = decided(name(end_at=utc("2021-08-03T02:20:10")), gps("2021-08-03T01:10:10"), duration_s=600.0)
    assert (time.start_at, time.end_at) == (utc("2021-08-03T01:10:10"), utc("2021-08-03T01:20:10"))


def test_a_mere_day_lasts_a_day() -> None:
    time, _ = decided(name("2021-08-03T00:00:00", precision_s=86400.0))
    assert time.end_at - time.start_at == timedelta(days=1)


@pytest.mark.parametrize(
    ("surer", "less_sure"),
    [
        ((exif(), gps("2021-08-03T02:10:10")), (exif(),)),
        ((name(),), (name(precision_s=60.0),)),
        ((name(),), (container("2021-08-03T02:10:10"),)),
        ((container("2021-08-03T02:10:10"),), (mtime("2021-08-03T02:10:10"),)),
        ((exif(), gps("2021-08-03T02:10:10")), (exif(), gps("2021-08-03T02:11:40"))),
        ((exif(),), (exif(), gps("2021-08-02T20:33:00"))),
    ],
    ids=["zone", "minutes", "utc or local", "only saved", "clock off", "conflict"],
)
def test_doubt_widens_the_uncertainty(surer: tuple[TimeClaim, ...], less_sure: tuple[TimeClaim, ...]) -> None:
    assert decided(*surer)[0].uncertainty_s < decided(*less_sure)[0].uncertainty_s


def test_a_start_that_may_be_the_end_is_uncertain_by_the_length() -> None:
    assert decided(container("2021-08-03T02:10:10"), duration_s=7200.0)[0].uncertainty_s >= 7200.0


def test_every_loser_has_a_reason() -> None:
    time, _ = decided(
        exif(),
        gps("2021-08-03T02:10:40"),
        mtime("2021-08-05T00:00:00"),
        replace(exif(), source="x", at=None, note="it was left empty"),
    )
    assert {source: reason for source, reason, _ in time.losers} == {
        "gps": "it agrees within 30 s, and exif.DateTimeOriginal is trusted more",
        "mtime": "it marks when the file was saved, not when it was recorded",
        "x": "it was left empty",
    }


def test_the_reason_is_a_sentence() -> None:
    time, _ = decided(exif(), gps("2021-08-03T02:10:10"))
    assert time.why == "exif.DateTimeOriginal shows 2021-08-03 10:10:10, and gps puts its clock at UTC+08:00."


def test_caveats_speak_both_languages() -> None:
    _, caveats = decide(
        [exif(), mtime("2001-01-01T00:00:00"), gps("2021-08-01T00:00:00")], duration_s=None, zone=ZONE, now=NOW
    )
    assert caveats
    assert all(caveat.text and any("一" <= letter <= "鿿" for letter in caveat.text_zh) for caveat in caveats)


def test_the_order_of_claims_decides_nothing() -> None:
    claims = [
        exif(),
        gps("2021-08-01T00:00:00"),
        container("2021-08-03T10:10:10"),
        name(),
        mtime("2021-08-05T00:00:00"),
    ]
    first = decide(claims, duration_s=10.0, zone=ZONE, now=NOW)
    assert decide(claims[::-1], duration_s=10.0, zone=ZONE, now=NOW) == first


def any_claim(chance: random.Random) -> TimeClaim:
    moments = [
        None,
        datetime.min.replace(tzinfo=UTC),
        datetime.max.replace(tzinfo=timezone(timedelta(hours=-12))),
        datetime(2021, 8, 3, 10, 10, 10),  # noqa: DTZ001 - a claim that no source should make
        utc("2021-08-03T02:10:10"),
        utc("1904-01-01T00:00:00"),
        utc("2036-02-07T06:28:16"),
        datetime(chance.randint(1, 9999), chance.randint(1, 12), chance.randint(1, 28), tzinfo=UTC),
        utc("2021-08-03T02:10:10") + timedelta(seconds=chance.randint(-(10**5), 10**5)),
    ]
    return TimeClaim(
        source=chance.choice([*timestamp_rules().sources, "file_name.bare", "nobody knows"]),
        found=chance.choice(["", "x", "2021:08:03 10:10:10"]),
        at=chance.choice(moments),
        end_at=chance.choice(moments),
        zone_known=chance.choice([True, False]),
        offset_min=chance.choice([None, 0, 480, -720, 10**6]),
        marks=chance.choice(["start", "end", "saved", "exported", "unknown"]),
        precision_s=chance.choice([0.0, 1e-6, 1.0, 60.0, 86400.0, 31622400.0, -1.0, float("inf"), float("nan")]),
        trust=chance.choice([-5, 0, 10, 40, 90, 100, 1000]),
    )


@pytest.mark.parametrize("seed", range(20))
def test_deciding_never_fails(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(150):
        claims = [any_claim(chance) for _ in range(chance.randint(0, 6))]
        duration_s = chance.choice([None, 0.0, 12.5, 7200.0, -3.0, 1e300, float("nan"), float("inf")])
        time, caveats = decide(claims, duration_s=duration_s, zone=ZONE, now=NOW)
        assert time is not None or "time_unknown" in [caveat.code for caveat in caveats]
        assert all(isinstance(caveat, Caveat) for caveat in caveats)
        if time is not None:
            assert time.start_at <= time.end_at
            assert 0 <= time.uncertainty_s < float("inf")
            assert time.source in {one.source for one in claims}


def test_what_lies_after_the_file_was_handed_in_ended_then_at_the_latest() -> None:
    ahead = exif("2026-11-22T15:00:00")  # three hours after, in the bureau's zone; a zone further east would be true
    time, codes = decided(ahead, duration_s=60.0)
    assert (time.start_at, time.end_at) == (NOW - timedelta(seconds=60), NOW)
    assert time.uncertainty_s >= 86400 + 3 * 3600
    assert time.method.endswith("+handed_in")
    assert "time_in_future" in codes
    assert not time.zone_known


@pytest.mark.parametrize(("shown", "start", "method"), [
    ("2026-11-22T11:30:00", "2026-11-22T03:30:00", "local_as_utc"),  # half an hour before it was handed in
    ("2026-11-22T04:09:00", "2026-11-22T03:59:00", "assumed_utc+handed_in"),  # clocks are so far ahead
    ("2026-11-22T20:00:00", "2026-11-22T03:59:00", "assumed_utc+handed_in"),  # as local digits it had not come either
    ("2026-11-22T03:30:00", "2026-11-22T03:30:00", "assumed_utc"),
])  # fmt: skip
def test_digits_that_had_not_come_in_utc_when_they_were_handed_in_are_local(
    shown: str, start: str, method: str
) -> None:
    time, _ = decided(container(shown, marks="start"), duration_s=60.0)
    assert (time.start_at, time.method) == (utc(start), method)
    assert not time.zone_known


def test_a_clock_that_ran_ahead_loses_to_one_that_did_not() -> None:
    time, codes = decided(exif("2026-11-22T15:00:00"), name("2026-11-20T10:00:00"))
    assert (time.source, "time_in_future" in codes) == ("file_name.bare", True)
    time, codes = decided(exif("2026-11-22T12:01:30"), name("2026-11-20T10:00:00"))  # 90 s: clocks run so far ahead
    assert (time.source, time.start_at) == ("exif.DateTimeOriginal", NOW)
    assert "time_in_future" not in codes


def test_a_true_clock_tells_in_which_zone_the_others_stand() -> None:
    true = claim("gpmf.GPSU", "2019-11-18T23:45:14", "utc")
    time, codes = decided(true, container("2019-11-18T15:45:32"), duration_s=10.5)
    assert time.start_at == utc("2019-11-18T23:45:14")
    assert codes == ["clock_eight_hours"]
    [caveat] = decide([true, container("2019-11-18T15:45:32")], duration_s=10.5, zone=ZONE, now=NOW)[1]
    assert "UTC-08:00" in caveat.text
    _, codes = decided(true, container("2019-11-18T15:15:32"), duration_s=10.5)  # half an hour is no zone
    assert codes == ["time_conflict"]


def test_digits_that_nothing_was_held_against_may_be_minutes_off() -> None:
    """More than half of security cameras show the wrong time (DOMAIN T13)."""
    open_s = timestamp_rules().limits.unmeasured_clock_s
    assert open_s >= 60
    confirmed = (name(), container("2021-08-03T02:10:10"))
    assert decided(*confirmed)[0].uncertainty_s == 1.0 + open_s
    assert decided(*confirmed, gps("2021-08-03T02:10:14"))[0].uncertainty_s == 4.0
    assert decided(claim("container.apple_creation_date", "2021-08-03T10:10:10", "+08:00"))[0].uncertainty_s == 1.0
    measured = DeviceClock([ClockOffset(device="a", at=utc("2021-08-03T02:00:00"), offset_s=5.0, uncertainty_s=0.5,
                                        how="measured", by="王")])  # fmt: skip
    time, _ = decide(confirmed, duration_s=None, zone=ZONE, now=NOW, clock=measured)
    assert time is not None
    assert time.uncertainty_s < 2.0


def test_a_registered_zone_is_not_overruled_by_a_header_that_may_be_local_digits() -> None:
    """A recorder set to Greenwich that takes its digits for local ones and writes them as UTC once more."""
    claims = (name("2021-08-03T02:10:10"), container("2021-08-02T18:10:10"))
    by_header, _ = decide(claims, duration_s=None, zone=ZONE, now=NOW)
    assert by_header is not None
    assert by_header.start_at == utc("2021-08-02T18:10:10")
    digits = claim("file_name.bare", "2021-08-03T02:10:10", "local", at=utc("2021-08-03T02:10:10"))
    time, caveats = decide((digits, claims[1]), duration_s=None, zone=ZoneInfo("UTC"), now=NOW, zone_by="device")
    assert time is not None
    assert (time.start_at, time.method, time.zone_known) == (utc("2021-08-03T02:10:10"), "registered_zone", True)
    assert "time_conflict" in {one.code for one in caveats}  # and the reviewer is told
    assert time.uncertainty_s >= 8 * 3600
    seen, _ = decide((digits, gps("2021-08-02T18:10:12")), duration_s=None, zone=ZoneInfo("UTC"), now=NOW,
                     zone_by="device")  # fmt: skip
    assert seen is not None
    assert seen.start_at == utc("2021-08-02T18:10:12")  # satellites know better than a register


def test_a_device_of_the_bureau_keeps_its_zone_unless_the_file_shows_another() -> None:
    def by(*claims: TimeClaim) -> DecidedTime:
        time, caveats = decide(claims, duration_s=None, zone=ZONE, now=NOW, zone_by="bureau")
        assert time is not None
        assert "zone_unknown" not in {one.code for one in caveats}
        return time

    of_anybody, of_the_bureau = decided(name())[0], by(name())
    assert (of_anybody.zone_known, of_the_bureau.zone_known) == (False, True)
    assert of_the_bureau.start_at == of_anybody.start_at
    assert of_the_bureau.uncertainty_s == of_anybody.uncertainty_s - timestamp_rules().limits.local_zone_s
    shown = by(name("2021-08-03T02:10:10"), gps("2021-08-03T02:10:12"))
    assert shown.start_at == utc("2021-08-03T02:10:12")
