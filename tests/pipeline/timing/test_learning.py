"""Profiles proposed from samples read those samples, and never another moment than the names hold."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from pipeline.errors import BadInput
from pipeline.rules import FILENAMES, NameProfile, name_profiles, read_profiles
from pipeline.timing.learning import Proposal, proposed, shape_of
from pipeline.timing.names import read_name
from tests.pipeline.timing.naming import names_of

DEVICES = [one for one in name_profiles() if one.device and one.on == "name"]


def profile_of(made: Proposal, folder: Path) -> NameProfile:
    path = folder / FILENAMES
    path.write_text(made.toml(), encoding="utf-8")
    [profile] = read_profiles(path)
    return profile


@pytest.mark.parametrize(
    ("samples", "pattern"),
    [
        (
            ("DSJ_HA1234567_000123_20210803101010_0001.mp4", "DSJ_HA1234567_000123_20210803111010_0002.mp4",
             "DSJ_HA1234599_000124_20210804101010_0003.mp4"),
            r"^DSJ_(?P<device>[A-Z0-9]{9})_(?P<officer>\d{6})_(?P<stamp14>\d{14})_(?P<sequence>\d{4})(?:\.(?:mp4))$",
        ),
        (
            ("REC20210803101010.wav", "REC20210803111010.wav", "REC20210804101010.mp3"),
            r"^REC(?P<stamp14>\d{14})(?:\.(?:mp3|wav))$",
        ),
        (
            ("CH07-20260326-173728-184505.avi", "CH07-20260326-173729-184505.avi", "CH08-20260327-173729-184505.avi"),
            r"^ch(?P<channel>\d{2})\-(?P<date8>\d{8})\-(?P<time6>\d{6})\-(?P<end_time6>\d{6})(?:\.(?:avi))$",
        ),
        (
            ("210803_1010.mp3", "210803_1011.mp3", "210804_1010.mp3"),
            r"^(?P<date6>\d{6})_(?P<hour>\d\d)(?P<minute>\d\d)(?:\.(?:mp3))$",
        ),
        (
            ("210803_0001.mp3", "210803_0002.mp3", "210804_0001.mp3"),
            r"^(?P<date6>\d{6})_(?P<sequence>\d{4})(?:\.(?:mp3))$",
        ),
        (("hiv00001.mp4", "hiv00002.mp4", "hiv00009.mp4"), r"^hiv(?P<sequence>\d{5})(?:\.(?:mp4))$"),
        (
            ("现场 2021-08-03 10-10-10.mp4", "现场 2021-08-03 10-12-10.mp4", "现场 2021-09-03 10-10-10.mp4"),
            r"^现场\ (?P<year>\d{4})\-(?P<month>\d{2})\-(?P<day>\d{2})\ (?P<hour>\d{2})\-(?P<minute>\d{2})\-"
            r"(?P<second>\d{2})(?:\.(?:mp4))$",
        ),
    ],
)  # fmt: skip
def test_the_parts_of_names_are_told(samples: tuple[str, ...], pattern: str, tmp_path: Path) -> None:
    made = proposed(samples, "site")
    assert (made.pattern, made.unlike) == (pattern, ())
    profile = profile_of(made, tmp_path)
    assert all(profile.pattern.search(one) for one in samples)


@pytest.mark.parametrize("known", DEVICES, ids=lambda one: one.name)
def test_twenty_samples_are_enough_and_no_other_moment_is_read(known: NameProfile, tmp_path: Path) -> None:
    samples = list(names_of(known, 20, Random(known.name)))
    try:
        made = proposed([one.name for one in samples], "site")
    except BadInput:
        return  # names that share no build: people and places stand in them
    profile = profile_of(made, tmp_path)
    for one in samples:
        reading = read_name("", one.name, (profile,))
        if one.name in made.unlike or reading is None or reading.start is None or one.start is None:
            assert one.name in made.unlike or reading is not None
            continue
        told = (
            one.start.replace(hour=0, minute=0, second=0, microsecond=0) if reading.precision_s >= 86400 else one.start
        )
        assert reading.start == told, (made.pattern, one.name)


@pytest.mark.parametrize(
    "name",
    ["seventy_mai", "blackvue", "vehicle_rec", "vehicle_h", "four_cameras", "novatek", "hikvision_export", "insta360",
     "pixel", "kenwood", "bare", "screenshot", "wechat_camera", "dji", "sony_recorder", "samsung_call"],
)  # fmt: skip
def test_the_time_of_regular_names_is_found(name: str, tmp_path: Path) -> None:
    [known] = [one for one in DEVICES if one.name == name]
    samples = list(names_of(known, 20, Random(name)))
    made = proposed([one.name for one in samples], "site")
    assert made.gives_time
    assert len(made.unlike) < len(samples) - 2
    profile = profile_of(made, tmp_path)
    alike = [one for one in samples if one.name not in made.unlike]
    assert [reading and reading.start for one in alike if (reading := read_name("", one.name, (profile,)))] == [
        one.start for one in alike
    ]


def test_too_few_samples_are_refused_in_words() -> None:
    with pytest.raises(BadInput, match="no 3 of them are built alike") as refused:
        proposed(["a_1.mp4", "b.mp4", "20210803.mp4"], "site")
    assert refused.value.zh


def test_samples_built_otherwise_are_named() -> None:
    alike = [f"ZF01_2021080310101{n}.mp4" for n in range(5)]
    assert proposed([*alike, "新录音 1.m4a"], "site").unlike == ("新录音 1.m4a",)


def test_names_that_are_built_alike_have_one_shape() -> None:
    assert shape_of("ZF01_20210803101010.MP4") == shape_of("AB23_20221231235959.mp4") == "A99_99999999999999.mp4"
