"""Claims of file names, by profile."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from config.settings import Settings
from pipeline.records import Known, TimeClaim

Make = Callable[..., Known]
Claims = Callable[[Known], list[TimeClaim]]


def at(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc, arg-type]


def test_a_recorders_name_is_local(known: Make, claims: Claims) -> None:
    (claim,) = claims(known(name="DSJ_HA1234567_000123_20210803101010_0001_IMP.mp4"))
    assert (claim.source, claim.at, claim.zone_known) == ("file_name.body_worn", at(2021, 8, 3, 2, 10, 10), False)


def test_a_pixels_name_is_utc(known: Make, claims: Claims) -> None:
    (claim,) = claims(known(name="PXL_20201005_180522322.jpg"))
    assert (claim.at, claim.zone_known) == (at(2020, 10, 5, 18, 5, 22, 322000), True)


def test_a_folder_gives_the_day(known: Make, claims: Claims) -> None:
    (claim,) = claims(known(folder="card/DCIM/20210803", name="101010.mp4"))
    assert (claim.at, claim.found) == (at(2021, 8, 3, 2, 10, 10), "card/DCIM/20210803/101010.mp4")


def test_a_range_gives_start_and_end(known: Make, claims: Claims) -> None:
    (claim,) = claims(known(name="NVR_ch1_main_20260330000000_20260330235960.dav"))
    assert (claim.at, claim.end_at) == (at(2026, 3, 29, 16), at(2026, 3, 30, 16))


def test_a_saved_picture_says_when_it_was_exported(known: Make, claims: Claims) -> None:
    (claim,) = claims(known(name="mmexport1451181351065.jpg"))
    assert claim.marks == "exported"


@pytest.mark.parametrize("name", ["IMG_1234.MOV", "GX010034.MP4", "640103201905121234_询问.mp4", "a.mp4"])
def test_a_name_without_a_time_claims_nothing(known: Make, claims: Claims, name: str) -> None:
    assert claims(known(name=name)) == []


def test_a_moment_that_does_not_exist_is_named(known: Make, claims: Claims) -> None:
    (claim,) = claims(known(name="NVR_ch1_main_20260231000000_20260231235959.dav"))
    assert claim.at is None
    assert "no such moment" in claim.note


def test_a_name_in_gbk_bytes_is_read(known: Make, claims: Claims) -> None:
    raw = "测试门店A_ch1_main_20260917084403_20260917084422.dav".encode("gbk")
    (claim,) = claims(known(name=raw.decode("utf-8", "replace"), name_raw=raw))
    assert claim.found.startswith("测试门店A")


def test_a_sites_own_profile_is_asked_first(known: Make, claims: Claims, settings: Settings) -> None:
    settings.home.mkdir(exist_ok=True)
    (settings.home / "filenames.toml").write_text(
        "[[profile]]\nname = 'ours'\npattern = '^ZFY(?P<device>[0-9]{4})_{DATE}{TIME}'\nzone = 'utc'\nmarks = 'end'\n"
        "trust = 90\nsamples = ['ZFY0001_20210803021010.mp4']\n",
        encoding="utf-8",
    )
    (claim,) = claims(known(name="ZFY0001_20210803021010.mp4"))
    assert (claim.source, claim.at, claim.marks) == ("file_name.ours", at(2021, 8, 3, 2, 10, 10), "end")


def test_one_name_on_several_arrivals_is_one_claim(known: Make, claims: Claims) -> None:
    assert len(claims(known(name="20210803_101010.mp4", mtimes_ns=(1, 2, 3)))) == 1
