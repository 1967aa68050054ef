"""File names: every profile's samples find that profile first, and numbers that are no times are not read as such."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from random import Random

import pytest

from pipeline.rules import NameProfile, name_profiles
from pipeline.timing.names import legible, read_name
from tests.pipeline.timing.naming import names_of

PROFILES = name_profiles()
SAMPLES = [(profile, sample) for profile in PROFILES for sample in profile.samples]


def split(path: str) -> tuple[str, str]:
    folder, _, name = path.rpartition("/")
    return folder, name


def at(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc, arg-type]


@pytest.mark.parametrize(("profile", "sample"), SAMPLES, ids=[sample for _, sample in SAMPLES])
def test_the_intended_profile_is_the_first_to_know_a_name(profile: NameProfile, sample: str) -> None:
    reading = read_name(*split(sample), PROFILES)
    assert reading is not None
    assert reading.profile.name == profile.name


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
def test_every_profile_has_a_sample(profile: NameProfile) -> None:
    assert profile.samples


@pytest.mark.parametrize(
    ("path", "start", "end", "precision_s"),
    [
        ("DSJ_HA1234567_000123_20210803101010_0001_IMP.mp4", at(2021, 8, 3, 10, 10, 10), None, 1.0),
        ("DCIM/20210803/101010.mp4", at(2021, 8, 3, 10, 10, 10), None, 1.0),
        ("REC_210803-101010-000123F.TS", at(2021, 8, 3, 10, 10, 10), None, 1.0),
        (
            "2026-08-28/0/dav/00/00.14.57-00.15.31[M][0@0][0].dav",
            at(2026, 8, 28, 0, 14, 57), at(2026, 8, 28, 0, 15, 31), 1.0,
        ),
        (
            "NVR_ch1_main_20260330000000_20260330235960.dav", at(2026, 3, 30), at(2026, 3, 31), 1.0,
        ),
        ("CH07-20260326-233728-004505.avi", at(2026, 3, 26, 23, 37, 28), at(2026, 3, 27, 0, 45, 5), 1.0),
        ("20140509-000500-001000_192.168.1.11-CH2.mp4", at(2014, 5, 9, 0, 5), at(2014, 5, 9, 0, 10), 1.0),
        (
            "192.168.88.67_01_20150619045313183_TIMING.jpg", at(2015, 6, 19, 4, 53, 13, 183000), None, 0.001,
        ),
        ("210803_1010_01.mp3", at(2021, 8, 3, 10, 10), None, 60.0),
        ("210803_0001.MP3", at(2021, 8, 3), None, 86400.0),
        ("2021年8月3日10时10分现场检查.mp4", at(2021, 8, 3, 10, 10), None, 60.0),
        ("２０２１０８０３_１０１０１０.mp4", at(2021, 8, 3, 10, 10, 10), None, 1.0),
        ("mmexport1451181351065.jpg", at(2015, 12, 27, 1, 55, 51, 65000), None, 0.001),
    ],
)  # fmt: skip
def test_a_name_gives_its_digits(path: str, start: datetime, end: datetime | None, precision_s: float) -> None:
    reading = read_name(*split(path), PROFILES)
    assert reading is not None
    assert (reading.start, reading.end, reading.precision_s) == (start, end, precision_s)


@pytest.mark.parametrize(
    "name",
    [
        "SN20210803101.mp4",
        "SN20210803101010.mp4",
        "640103201905121234_询问.mp4",
        "64010319900307123X.jpg",
        "询问640103202108031010.mp4",
        "IMG_E2021.JPG",
        "13800138000.mp3",
        "91640100MA75X20210.jpg",
        "标准录音 1.mp3",
    ],
)
def test_a_number_that_is_no_time_is_not_read_as_one(name: str) -> None:
    reading = read_name("", name, PROFILES)
    assert reading is None or reading.start is None


def test_a_moment_that_does_not_exist_is_named() -> None:
    reading = read_name("", "NVR_ch1_main_20260231000000_20260231235959.dav", PROFILES)
    assert reading is not None
    assert reading.start is None
    assert reading.trouble.startswith("there is no such moment")


def test_device_and_officer_are_read_from_a_recorders_name() -> None:
    reading = read_name("", "HAH8A0000123@012345_20210803101010_0002.MP4", PROFILES)
    assert reading is not None
    assert reading.marks == {"device": "HAH8A0000123", "officer": "012345", "sequence": "0002"}


@pytest.mark.parametrize("text", ["\udcff\udcff.mp4", "\ud800.mp4", "\ud800\udcff"])
def test_what_no_reading_helps_can_still_be_printed(text: str) -> None:
    assert legible(text).encode()


def test_a_name_in_gbk_bytes_is_legible() -> None:
    undecoded = "测试门店A_ch1.dav".encode("gbk").decode("utf-8", "surrogateescape")
    assert legible(undecoded) == "测试门店A_ch1.dav"


# -- all that the profiles know

PER_PROFILE = 1_000 if os.environ.get("CASEREEL_TEST_COUNTS") == "full" else 20


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
def test_names_made_from_a_profile_are_read_back(profile: NameProfile) -> None:
    for made in names_of(profile, PER_PROFILE, Random(profile.name)):
        reading = read_name(made.folder, made.name, PROFILES)
        assert reading is not None
        # `161220_0030.wav` is half past midnight or the 30th of its day: only a site's own profile can tell.
        if reading.profile.name == "dated_sequence" != profile.name:
            assert made.start is not None
            assert (made.start.date(), made.start.hour) == (reading.start.date() if reading.start else None, 0)
            continue
        assert reading.start == made.start, made.name
        if reading.profile.name == profile.name:
            assert reading.end == made.end, made.name
            assert {mark: made.groups[mark] for mark in reading.marks} == dict(reading.marks)


@pytest.mark.parametrize(
    ("path", "start", "marks"),
    [
        ("DSJ_HA1234567_000123_20210803101010_0001_IMP.mp4", "2021-08-03T10:10:10", "HA1234567 000123 0001"),
        ("DSJ-00012345_012345_20210803_101010.mp4", "2021-08-03T10:10:10", "00012345 012345"),
        ("2021_0803_101010_0001F.MP4", "2021-08-03T10:10:10", "F 0001"),
        ("NO20250906-134056-000895F.MP4", "2025-09-06T13:40:56", "F 000895"),
        ("20210803_101010_NF.mp4", "2021-08-03T10:10:10", "F"),
        ("REC_210803-101010-000123F.TS", "2021-08-03T10:10:10", "F 000123"),
        ("H20190808-095851P1N2P0.avi", "2019-08-08T09:58:51", "2"),
        ("DVR_LoopRecording_2025-11-17_14-25-37_front_camera.mp4", "2025-11-17T14:25:37", "front"),
        ("NVR_ch1_main_20230619064223_20230619064228.dav", "2023-06-19T06:42:23", "1 NVR main"),
        ("测试门店A_ch1_main_20260917084403_20260917084422.dav", "2026-09-17T08:44:03", "1 测试门店A main"),
        ("CH07-20260326-173728-184505.avi", "2026-03-26T17:37:28", "07"),
        ("ch01_20211114061218.mp4", "2021-11-14T06:12:18", "01"),
        ("ch0001_00000004351031725107200049243", None, "0001"),
        ("hiv00001.mp4", None, "00001"),
        ("DATA/LOCAL/20060928/102339L_2.mpg", "2006-09-28T10:23:39", "2"),
        ("20140509-000500-001000_192.168.1.11-CH2.mp4", "2014-05-09T00:05:00", "2"),
        ("NVR_MEDIA_0123456789abcdef_20210803_021010_20210803_022010.avi", "2021-08-03T02:10:10", "0123456789abcdef"),
        ("VID_20240115_143025_00_001.mp4", "2024-01-15T14:30:25", "00 001"),
        ("IMG_20240814_090047.jpg", "2024-08-14T09:00:47", ""),
        ("VID20210803101010.mp4", "2021-08-03T10:10:10", ""),
        ("PXL_20201005_180522322.jpg", "2020-10-05T18:05:22.322", ""),
        ("20210803_101010.mp4", "2021-08-03T10:10:10", ""),
        ("Screenshot_20210803_101010_com.tencent.mm.jpg", "2021-08-03T10:10:10", ""),
        ("wx_camera_1485320643539.mp4", "2017-01-25T05:04:03.539", ""),
        ("mmexporteb7b2a858123a721c3c4bc5636c90756_1660142644280.jpeg", "2022-08-10T14:44:04.280", ""),
        ("mmexport673f7593af33172f9497aefc2d94d6c5.jpeg", None, ""),
        ("IMG-20160315-WA0020.jpg", "2016-03-15T00:00:00", "0020"),
        ("DJI_20251126100756_0001_D.MP4", "2025-11-26T10:07:56", "D 0001"),
        ("DJI_0001.MP4", None, "0001"),
        ("GX020034.MP4", None, "02 0034"),
        ("GHAA0001.MP4", None, "AA 0001"),
        ("GP011234.MP4", None, "01 1234"),
        ("MAH00012.MP4", None, "00012"),
        ("00012.MTS", None, "00012"),
        ("210803_1010_01.mp3", "2021-08-03T10:10:00", "01"),
        ("DS_0001.WMA", None, "0001"),
        ("20140930_174530_AR_N65519.WAV", "2014-09-30T17:45:30", ""),
        ("张三@13800138000_20210803101010.mp3", "2021-08-03T10:10:10", ""),
        ("Call_20250418_143022_INCOMING_1234567890.m4a", "2025-04-18T14:30:22", ""),
        ("2024-01-05 08.00.00.mp4", "2024-01-05T08:00:00", ""),
        ("录音_20210803_101010.m4a", "2021-08-03T10:10:10", ""),
        ("新录音 2021-08-03 10-10-10.m4a", "2021-08-03T10:10:10", ""),
    ],
)  # fmt: skip
def test_a_name_gives_the_documented_fields(path: str, start: str | None, marks: str) -> None:
    """Samples that were seen in public sources, or made after formats that were."""
    reading = read_name(*split(path), PROFILES)
    assert reading is not None
    assert reading.start == (datetime.fromisoformat(start).replace(tzinfo=UTC) if start else None)
    assert " ".join(text for _, text in sorted(reading.marks.items())) == marks
