"""What a position's time tells of its device's clock, and when a person must say that it is right."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from config.settings import load
from pipeline.records import Around, ClockOffset, Device
from pipeline.stage import Context
from pipeline.stages.timestamps import STAGE, claims_of, offset_told
from pipeline.timing.filmed import Unfit
from pipeline.timing.history import History
from tests.pipeline.time_sources.conftest import make_known

DEVICE = Device(code="ZF-001")
FIX = datetime(2026, 3, 2, 1, 0, 0, tzinfo=UTC)


def photo(shows="2026:03:02 09:00:41"):
    return make_known({
        "exif.DateTimeOriginal": shows, "exif.GPSDateStamp": "2026:03:02", "exif.GPSTimeStamp": "01:00:00",
    }, name="a.jpg")  # fmt: skip


def film(name="GX010001.MP4", part="01"):
    """Its clock shows local digits, 20 s ahead; it was begun 3.5 s before its first fix."""
    return make_known({
        "container.creation_time": "2026-03-02T09:00:20.000000Z", "container.duration_s": 60.0,
        "gpmf.GPSU": "2026-03-02T01:00:03.500+00:00", "gpmf.at_s": 3.5, "file_name.profile": "gopro",
        "file_name.part": part,
    }, name=name)  # fmt: skip


def told(known, *offsets, device=DEVICE, by=""):
    settings = load(Path("nowhere"), {"CASEREEL_TIME_ZONE": "Asia/Shanghai"})
    around = Around(device=device, offsets=offsets)
    return offset_told(known, around, claims_of(known, settings), settings, by=by)


def measured(days, offset_s, uncertainty_s=1.0):
    return ClockOffset(device="ZF-001", at=FIX + timedelta(days=days), offset_s=offset_s, uncertainty_s=uncertainty_s,
                       how="measured", by="赵管理")  # fmt: skip


@pytest.mark.parametrize("age_s", [0, 30, 54])
def test_a_photos_fix_may_be_as_old_as_a_minute_and_its_uncertainty_says_so(age_s):
    found = told(photo())
    # It was taken so long after its fix: by so much less the clock is ahead.
    assert abs(found.offset_s - (41 - age_s)) <= found.uncertainty_s < 40
    assert (found.device, found.how) == ("ZF-001", "gps")
    assert "01:00:00" in found.by


def test_telemetry_measures_to_the_second():
    found = told(film())
    assert found.offset_s == pytest.approx(20.0, abs=1.0)
    assert abs(found.offset_s - 20.0) <= found.uncertainty_s < 3


def test_a_clock_a_day_off_is_measured_by_a_person_alone():
    """As a camera in a public collection was: 79,108 s behind its satellites' UTC, at home two hours ahead of it."""
    shows = FIX + timedelta(seconds=-79108)
    stray = photo(f"{shows:%Y:%m:%d %H:%M:%S}")
    assert isinstance(told(stray), Unfit)
    assert "--gps" in told(stray).en
    said = told(stray, by="赵管理")
    # Digits of a device in the bureau's zone: eight hours more are the zone's.
    assert said.offset_s == pytest.approx(-79108 - 8 * 3600, abs=said.uncertainty_s)
    assert said.by.startswith("赵管理, ")


@pytest.mark.parametrize(("known", "offsets", "why"), [
    (film(), [measured(-0.5, 20.5)], "known better"),
    (film(), [measured(-1, 70.0)], "other measurements"),
    (film("GX020001.MP4", part="02"), [], "first chapter"),
    (photo(""), [], "no time of its device's clock"),
])  # fmt: skip
def test_what_tells_nothing_more_is_left_with_the_reason(known, offsets, why):
    found = told(known, *offsets)
    assert isinstance(found, Unfit)
    assert why in found.en
    assert found.zh


def test_an_unregistered_device_is_not_measured_and_a_file_without_positions_says_nothing():
    assert isinstance(told(film(), device=None), Unfit)
    assert told(make_known({"exif.DateTimeOriginal": "2026:03:02 09:00:00"}, name="a.jpg")) is None


def test_a_long_unmeasured_clock_is_told_again_and_a_registered_telling_is_not_repeated(tmp_path):
    assert isinstance(told(film(), measured(-60, 5.0)), ClockOffset)

    def offsets_of(*registered):
        context = SimpleNamespace(
            around=lambda _: Around(device=DEVICE, offsets=registered), history=lambda _, __: History(),
            settings=load(tmp_path, {"CASEREEL_TIME_ZONE": "Asia/Shanghai"}),
            catalog=SimpleNamespace(now=lambda: FIX + timedelta(days=1)),
        )  # fmt: skip
        return STAGE.run(film(), cast(Context, context)).offsets

    [first] = offsets_of()
    assert first.how == "gps"
    assert offsets_of(first) == ()
