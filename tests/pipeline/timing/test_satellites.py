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


def with_track(begins_s, ends_s, fmt="gpx", length_s=600.0):
    """A film of ten minutes whose clock is 20 s ahead; a track beside it runs from and to these seconds of it."""
    said = {"sidecar.source": fmt} | {
        f"sidecar.{end}": f"{FIX + timedelta(seconds=second):%Y-%m-%dT%H:%M:%S}Z"
        for end, second in (("start", begins_s), ("end", ends_s))
    }
    track = make_known(said, name=f"a.{fmt}", format_name=fmt)
    return make_known(
        {"container.creation_time": "2026-03-02T09:00:20.000000Z", "container.duration_s": length_s}, name="a.mp4",
        sidecars=(track,),
    )  # fmt: skip


@pytest.mark.parametrize(("begins_s", "ends_s", "fmt"), [(0, 600, "gpx"), (4, 598, "nmea"), (50, 599, "gpx")])
def test_a_track_as_long_as_its_film_bounds_the_beginning_from_both_sides(begins_s, ends_s, fmt):
    found = told(with_track(begins_s, ends_s, fmt))
    assert abs(found.offset_s - 20) <= found.uncertainty_s
    assert found.uncertainty_s == pytest.approx((begins_s + 600 - ends_s) / 2 + 2, abs=0.01)
    assert f"a.{fmt}" in found.by


def test_a_track_a_little_longer_than_its_film_bounds_it_from_both_sides_too():
    """It began at the track's first point at the earliest, and by its length at the latest: here it did in between."""
    found = told(with_track(-2, 600))
    assert found.offset_s == pytest.approx(21.5, abs=0.05)  # half a second of digits cut off
    assert found.uncertainty_s == pytest.approx(2 / 2 + 2, abs=0.01)


def test_a_track_that_ran_longer_tells_nothing_and_says_so():
    stray = told(with_track(-300, 700))
    assert isinstance(stray, Unfit)
    assert "400 s longer" in stray.en
    assert "400 秒" in stray.zh
    # A drone's subtitles and a dock's manifest are the device's own clock.
    assert told(with_track(0, 600, "drone")) is None
    assert told(with_track(0, 600, length_s=0.0)) is None


@pytest.mark.corpus
def test_a_real_track_measures_the_clock_of_a_film_of_its_length(corpus):
    from pipeline.extractors.gpx import extract

    found = {name: (text, value) for name, text, value in extract(
        str(corpus / "mapillary__mapillary_tools/data/gpx/sf_30km_h.gpx"))["properties"]}  # fmt: skip
    first, last = (datetime.fromisoformat(found[f"sidecar.{end}"][0]) for end in ("start", "end"))
    track = make_known({name: value for name, (_, value) in found.items()}, name="sf_30km_h.gpx", format_name="gpx")
    length_s = (last - first).total_seconds() + 1
    shows = first + timedelta(seconds=37)
    filmed = make_known(
        {"container.creation_time": f"{shows:%Y-%m-%dT%H:%M:%S.%fZ}", "container.duration_s": length_s},
        sidecars=(track,),
    )  # fmt: skip
    measured = told(filmed)
    assert abs(measured.offset_s - 37) <= measured.uncertainty_s < 4


@pytest.mark.parametrize("zone_h", [0, 8, -5])
def test_an_action_cameras_position_measures_but_for_a_zone(zone_h):
    said = FIX + timedelta(hours=zone_h, seconds=5)
    camera = make_known({
        "container.creation_time": "2026-03-02T09:00:20.000000Z", "container.duration_s": 60.0,
        "djmd.GPSDateTime": f"{said:%Y-%m-%d %H:%M:%S}", "djmd.at_s": 5.0,
    }, name="DJI_20260302090020_0001_D.MP4")  # fmt: skip
    found = told(camera)
    assert abs(found.offset_s - 20) <= found.uncertainty_s < 3


def test_a_drones_exposure_by_satellites_may_hold_the_leap_seconds():
    """As pictures of one drone in a public collection are: 10:12:34 by its clock, 02:12:54 by satellites."""
    drone = make_known({
        "exif.DateTimeOriginal": "2025:05:20 10:12:34", "xmp.UTCAtExposure": "2025-05-20T02:12:54.019996",
    }, name="DJI_20250520101234_0001_V.JPG")  # fmt: skip
    found = told(drone)
    for behind_s in (20.02, 2.02):
        assert abs(found.offset_s + behind_s) <= found.uncertainty_s < 12
