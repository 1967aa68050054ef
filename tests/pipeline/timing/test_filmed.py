"""What a filmed clock card tells of a recording and of its device's clock, and when it tells nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from pipeline import codes
from pipeline.records import Around, Card, ClockOffset, Device, Known, Original, TimeClaim
from pipeline.rules import timestamp_rules
from pipeline.timing.filmed import (
    Filmed,
    Unfit,
    beginning_of,
    believed,
    bounded,
    claim_of,
    clock_shown,
    is_new,
    offset_by,
)

ZONE = ZoneInfo("Asia/Shanghai")
BEGUN = datetime(2026, 3, 2, 1, 0, 0, 37_000, tzinfo=UTC)
SECRET = codes.secret_of("K7QF", b"h" * 32)
CARD = Card(number="K7QF", kind="clock", made_at=BEGUN - timedelta(days=30), by="赵管理")


def readings(*, begun=BEGUN, first=2.0, last=5.0, late=0.1, speed=1.0, step=0.04, lag=lambda _: 0.0):
    """What a camera saw of a running card, `late` seconds behind the screen. lag: of the page itself."""
    found, at_s = [], first
    while at_s <= last:
        true = begun + timedelta(seconds=speed * at_s - late - lag(at_s))
        ms = int(true.timestamp() * 1000) // 200 * 200
        text = codes.clock_text(datetime.fromtimestamp(ms / 1000, UTC), "K7QF", SECRET)
        code = codes.read(text)
        assert code
        found.append(codes.Reading(code=code, at_s=round(at_s, 3), pts=round(at_s * 12800)))
        at_s += step
    return found


def around(found, **changed):
    usual = {
        "device": Device(code="ZF-001"),
        "sealed": frozenset(one.code.text for one in found),
        "cards": {"K7QF": CARD},
    }
    return Around(**{**usual, **changed})


def known(accepted_at=BEGUN + timedelta(days=1)):
    return Known(original=Original(
        id="01ORIGINAL", sha256="0" * 64, sm3=None, size_bytes=1, kind="video", format="mp4", name="a.mp4",
        state="ready", accepted_at=accepted_at,
    ))  # fmt: skip


@pytest.mark.parametrize("late", [0.0, 0.07, 0.15])
@pytest.mark.parametrize("step", [0.04, 0.5, 1.0])
def test_the_true_beginning_is_within_the_uncertainty_and_that_is_well_under_a_second(late, step):
    found = beginning_of(readings(late=late, step=step))
    assert isinstance(found, Filmed)
    assert abs((found.start_at - BEGUN).total_seconds()) <= found.uncertainty_s + 0.001
    assert found.uncertainty_s <= 0.25
    assert (found.card, found.at_s, found.pts) == ("K7QF", 2.0, 25600)


@pytest.mark.parametrize(("seen", "why"), [
    ([], "no picture"),
    (readings(last=2.0), "one moment cannot show that it ran"),
    (readings(last=2.3), "one moment cannot show that it ran"),
    (readings(speed=0.0), "stood still"),
    (readings(speed=0.7), "did not run evenly"),
    (readings(speed=2.0), "did not run evenly"),
    (readings(lag=lambda at_s: 3.0 if at_s > 4 else 0.0), "did not run evenly"),
])  # fmt: skip
def test_a_card_that_did_not_run_beside_the_recording_is_refused_with_the_reason(seen, why):
    found = beginning_of(seen)
    assert isinstance(found, Unfit)
    assert why in found.en
    assert found.zh


def test_one_moment_bounds_the_beginning_for_a_person_to_decide():
    found = bounded(readings(last=2.0))
    assert isinstance(found, Filmed)
    assert abs((found.start_at - BEGUN).total_seconds()) <= found.uncertainty_s < 0.25
    assert isinstance(bounded(readings(speed=0.0)), Unfit)


@pytest.mark.parametrize(("changed", "accepted_at", "why"), [
    ({"sealed": frozenset()}, BEGUN + timedelta(days=1), "its seal is not one of this home's"),
    ({"cards": {}}, BEGUN + timedelta(days=1), "no clock card of this number"),
    ({}, BEGUN - timedelta(hours=1), "after the file was taken in"),
    ({"cards": {"K7QF": Card(number="K7QF", kind="clock", made_at=BEGUN + timedelta(days=1), by="x")}},
     BEGUN + timedelta(days=2), "before the card was made"),
    ({"cards": {"K7QF": Card(number="K7QF", kind="slate", made_at=CARD.made_at, by="x")}}, BEGUN + timedelta(days=1),
     "no clock card"),
])  # fmt: skip
def test_a_strangers_card_and_an_impossible_moment_are_not_believed(changed, accepted_at, why):
    seen = readings()
    found = believed(seen, around(seen, **changed), accepted_at)
    assert isinstance(found, Unfit)
    assert why in found.en


def claim(at, **changed):
    usual = {"source": "container.creation_time", "found": "x", "at": at, "zone_known": False, "offset_min": 0,
             "marks": "start", "precision_s": 1.0, "trust": 50}  # fmt: skip
    return TimeClaim(**{**usual, **changed})


def shown(*claims):
    return clock_shown(claims, duration_s=6.0, zone=ZONE, rules=timestamp_rules())


def test_the_card_settles_whether_the_devices_digits_are_local():
    filmed = beginning_of(readings())
    assert isinstance(filmed, Filmed)
    card = claim_of(filmed, 30)
    local = claim(BEGUN.replace(microsecond=0) + timedelta(hours=8, seconds=95))
    # Whole seconds are cut off: half of one more, on average.
    assert shown(local, card) == (BEGUN.replace(microsecond=0) + timedelta(seconds=95.5), 1.0)
    utc = claim(BEGUN.replace(microsecond=0) - timedelta(seconds=7))
    assert shown(utc, card) == (BEGUN.replace(microsecond=0) - timedelta(seconds=6.5), 1.0)
    assert shown(card) is None
    assert shown(card, claim(BEGUN, marks="saved"), claim(BEGUN, precision_s=86400.0)) is None


def offset(changed=None, others=(), by="", shown_at=BEGUN + timedelta(seconds=95)):
    seen = readings()
    filmed = beginning_of(seen)
    assert isinstance(filmed, Filmed)
    return offset_by(filmed, (shown_at, 1.0), known(), around(seen, offsets=others, **(changed or {})), by)


def measured(offset_s, at=BEGUN - timedelta(days=1), how="measured", by="王"):
    return ClockOffset(device="ZF-001", at=at, offset_s=offset_s, uncertainty_s=1.0, how=how, by=by)


def test_the_offset_names_the_original_the_card_and_the_picture():
    found = offset()
    assert isinstance(found, ClockOffset)
    assert found.offset_s == pytest.approx(95, abs=found.uncertainty_s)
    assert (found.device, found.how) == ("ZF-001", "filmed")
    for part in ("01ORIGINAL", "card K7QF", "2.000 s", "PTS 25600"):
        assert part in found.by


def test_a_card_against_earlier_measurements_changes_nothing_until_a_person_decides():
    near, far = measured(93.0), measured(5.0)
    assert isinstance(offset(others=(near,)), ClockOffset)
    refused = offset(others=(far,))
    assert isinstance(refused, Unfit)
    assert "was set in between, or an old recording of the card was filmed" in refused.en
    assert "device measure ZF-001 --filmed 01ORIGINAL" in refused.zh
    by_person = offset(others=(far,), by="赵管理")
    assert isinstance(by_person, ClockOffset)
    assert by_person.by.startswith("赵管理, 01ORIGINAL")


def test_an_old_recording_of_the_card_that_is_filmed_again_speaks_against_the_first_showing():
    first = offset()
    assert isinstance(first, ClockOffset)
    again = offset(others=(first.__class__(**{**vars(first), "at": first.at + timedelta(seconds=0.1)}),),
                   shown_at=BEGUN + timedelta(days=9))  # fmt: skip
    assert isinstance(again, Unfit)


def test_without_a_known_device_or_its_clocks_time_nothing_is_measured():
    refused = offset({"device": None})
    assert isinstance(refused, Unfit)
    assert "not registered" in refused.en
    seen = readings()
    filmed = beginning_of(seen)
    assert isinstance(filmed, Filmed)
    assert isinstance(offset_by(filmed, None, known(), around(seen)), Unfit)


def test_the_same_showing_is_measured_once_and_a_persons_word_on_it_stays():
    found = offset()
    assert isinstance(found, ClockOffset)
    assert is_new(found, [])
    assert is_new(found, [measured(5.0), measured(95.0, how="filmed")])
    assert not is_new(found, [found])
    assert is_new(found, [measured(3.0, at=found.at, how="filmed", by=found.by)])
    assert not is_new(found, [measured(3.0, at=found.at, how="filmed", by=f"赵管理, {found.by}")])
