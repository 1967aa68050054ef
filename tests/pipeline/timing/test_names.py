"""File names: every profile's samples find that profile first, and numbers that are no times are not read as such."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from pipeline.rules import NameProfile, name_profiles
from pipeline.timing.names import legible, read_name

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
