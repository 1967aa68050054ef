"""Which files are one recording, in which order, and what is missing: by chapters, numbers and times."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from pipeline.recordings import Segment, recording_with, recordings_of
from pipeline.rules import name_profiles
from pipeline.timing.names import read_name

TEN = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
H264 = {"video.codec": "h264", "video.width": 1920, "video.fps": 30.0}


def named(name, *, folder="DCIM", start=None, length=None, device=None, codec=H264, set_at=(), kind="video"):
    """A file as its name tells by the shipped profiles. start: seconds after ten."""
    reading = read_name(folder, name, name_profiles())
    marks = dict(reading.marks) if reading else {}
    end = reading.end if reading else None
    begin = reading.start if reading else None
    at = TEN + timedelta(seconds=start) if start is not None else begin
    until = end if start is None else None
    until = until or (at and at + timedelta(seconds=length or 0))
    return Segment(
        original=f"{folder}/{name}", name=name, kind=kind, place=folder, device=device or marks.get("device"),
        view=tuple(marks.get(mark, "") for mark in ("channel", "camera", "lens", "stream")),
        profile=reading.profile.name if reading else "", sequence=marks.get("sequence"), part=marks.get("part"),
        codec=codec, start_at=at, end_at=until, set_at=tuple(TEN + timedelta(seconds=one) for one in set_at),
    )  # fmt: skip


def numbered(number, start, length=600.0, **more):
    return named(f"DSJ_HA1234567_000123_20260302100000_{number:04}.mp4", start=start, length=length, **more)


def told(segments):
    return [
        ([one.name for one in found.segments], [seam.kind for seam in found.seams], [one.code for one in found.remarks])
        for found in recordings_of(segments)
    ]


def kinds(segments):
    return [[seam.kind for seam in one.seams] for one in recordings_of(segments)]


# -- chapters. Source: GoPro's naming; GX010034 and GX020034 are chapters 1 and 2 of recording 34


def test_chapters_are_sorted_by_recording_and_chapter_and_not_by_name():
    names = ["GX010035.MP4", "GX020034.MP4", "GX010034.MP4", "GX030034.MP4"]
    assert told([named(one) for one in names]) == [
        (["GX010034.MP4", "GX020034.MP4", "GX030034.MP4"], ["unknown", "unknown"], []),
        (["GX010035.MP4"], [], []),
    ]


def test_a_missing_chapter_is_named_and_nothing_is_bridged():
    [found] = recordings_of([named("GX010034.MP4", start=0, length=530), named("GX030034.MP4", start=1060, length=9)])
    [seam] = found.seams
    assert (seam.kind, seam.missing, seam.length_s) == ("missing", ("GX020034.MP4",), 530.0)
    assert "GX020034.MP4" in seam.why_zh
    assert not found.is_whole


def test_a_recording_without_its_first_chapter_says_which():
    [found] = recordings_of([named("GX030034.MP4")])
    assert [(one.code, one.missing) for one in found.remarks] == [("first_missing", ("GX010034.MP4", "GX020034.MP4"))]


def test_early_cameras_do_not_number_the_first_chapter():
    assert told([named("GP011234.MP4"), named("GOPR1234.MP4"), named("GP021234.MP4")]) == [
        (["GOPR1234.MP4", "GP011234.MP4", "GP021234.MP4"], ["unknown", "unknown"], [])
    ]
    [found] = recordings_of([named("GP021234.MP4")])
    assert found.remarks[0].missing == ("GOPR1234.MP4", "GP011234.MP4")


def test_in_a_loop_the_number_counts_and_the_letters_name_the_recording():
    names = ["GHAA0002.MP4", "GHAB0001.MP4", "GHAA0001.MP4", "GHAA0004.MP4"]
    first, second = recordings_of([named(one) for one in names])
    assert [one.name for one in first.segments] == ["GHAA0001.MP4", "GHAA0002.MP4", "GHAA0004.MP4"]
    assert first.seams[1].missing == ("GHAA0003.MP4",)
    assert [one.name for one in second.segments] == ["GHAB0001.MP4"]


def test_chapters_that_all_carry_the_first_one_s_time_are_laid_end_to_end():
    chapters = [named(f"GX0{n}0034.MP4", start=0, length=length) for n, length in ((1, 530), (2, 530), (3, 11))]
    [found] = recordings_of(chapters)
    assert [(one.start_at - TEN).total_seconds() for one in found.segments] == [0, 530, 1060]
    assert (found.segments[-1].end_at - TEN).total_seconds() == 1071
    assert [seam.kind for seam in found.seams] == ["file_split", "file_split"]
    # Without the first, or one between, the shared time does not say when these files began.
    assert all(one.start_at == TEN for one in recordings_of(chapters[1:])[0].segments)
    assert recordings_of([chapters[0], chapters[2]])[0].segments[1].start_at == TEN


def test_numbers_that_begin_again_on_another_card_are_other_recordings():
    one, other = named("GX010034.MP4", start=0, length=60), named("GX010034.MP4", folder="card2", start=9000, length=60)
    late = named("GX020034.MP4", folder="later", start=9001, length=60)
    assert [len(found.segments) for found in recordings_of([one, other, late])] == [1, 2]
    assert recording_with(recordings_of([one, other, late]), late.original).segments[0].original == other.original


# -- numbers and times


def test_files_that_follow_within_a_switch_are_one_recording():
    # A recorder of the GA/T class: 10 s files measured 10.005 to 10.028 s, switches under 40 ms.
    files, at = [], 0.0
    for number in range(1, 9):
        length = 10.005 + number % 3 * 0.01
        files.append(numbered(number, at, length))
        at += length + 0.03
    [found] = recordings_of([*files[:-1], numbered(8, (files[-1].start_at - TEN).total_seconds(), 4.0)])
    assert {seam.kind for seam in found.seams} == {"file_split"}
    assert found.is_whole


def test_a_missing_number_within_a_recording_is_told_with_its_length():
    files = [numbered(1, 0), numbered(2, 600), numbered(3, 1200), numbered(5, 2400, 100)]
    [found] = recordings_of(files)
    assert [(seam.kind, seam.missing, seam.length_s) for seam in found.seams][-1] == ("missing", ("0004",), 600.0)
    assert "0004" in found.seams[-1].why


def test_a_late_file_fills_the_hole_and_the_name_of_the_recording_stays():
    files = [numbered(1, 0), numbered(2, 600), numbered(4, 1800, 10)]
    [before] = recordings_of(files)
    [after] = recordings_of([*files, replace(numbered(3, 1200), original="z-late")])
    assert (before.id, before.is_whole) == (after.id, False)
    assert after.is_whole


def test_a_number_that_a_photo_carries_is_not_missing():
    photo = named("DSJ_HA1234567_000123_20260302101005_0002.jpg", start=605, length=0, kind="photo")
    files = [numbered(1, 0), numbered(3, 615)]
    assert kinds(files) == [["missing"]]
    assert kinds([*files, photo]) == [[], []]


def test_who_stops_and_begins_again_makes_two_recordings_and_a_short_pause_is_a_gap():
    assert kinds([numbered(1, 0, 312), numbered(2, 312 + 25, 100)]) == [["gap"]]
    assert kinds([numbered(1, 0, 312), numbered(2, 312 + 31, 100)]) == [[], []]


def test_a_full_file_whose_follower_is_late_by_the_clock_speaks_for_a_step_of_the_clock():
    files = [numbered(1, 0), numbered(2, 600), numbered(3, 1200), numbered(4, 1800 + 240, 30)]
    assert kinds(files) == [["file_split", "file_split", "clock_step"]]


def test_a_clock_that_went_back_keeps_the_order_of_the_numbers():
    files = [numbered(1, 0), numbered(2, 600), numbered(3, 900, 600), numbered(4, 1500, 10)]
    [found] = recordings_of(files)
    assert [one.number for one in found.segments] == [1, 2, 3, 4]
    assert [(seam.kind, seam.length_s) for seam in found.seams][1] == ("clock_step", 300.0)


def test_a_noted_setting_of_the_clock_explains_a_gap():
    files = [numbered(1, 0, 100, set_at=(90,)), numbered(2, 400, 100, set_at=(90,))]
    assert kinds(files) == [["clock_step"]]


def test_overlaps_are_told():
    [found] = recordings_of([numbered(1, 0, 61), numbered(2, 60, 61)])
    assert [(seam.kind, seam.length_s) for seam in found.seams] == [("file_split", 1.0)]
    [found] = recordings_of([numbered(1, 0, 80), numbered(2, 60, 61)])
    assert [(seam.kind, seam.length_s) for seam in found.seams] == [("overlap", 20.0)]


def test_names_with_beginning_and_end_follow_one_another():
    names = ["NVR1_ch1_main_20260330000000_20260330003000.dav", "NVR1_ch1_main_20260330003000_20260330010000.dav",
             "NVR1_ch2_main_20260330003000_20260330010000.dav", "NVR1_ch1_main_20260330230000_20260330235960.dav",
             "NVR1_ch1_main_20260331000000_20260331003000.dav"]  # fmt: skip
    assert [found for found, _, _ in told([named(one) for one in names])] == [
        [names[0], names[1]], [names[2]], [names[3], names[4]],
    ]  # fmt: skip
    assert [len(one.segments) for one in recordings_of([
        named("CH07-20260326-173728-184505.avi"), named("CH07-20260326-184505-190000.avi"),
        named("CH08-20260326-184505-190000.avi"),
    ])] == [2, 1]  # fmt: skip
    disk = [named(name, folder="2026-08-28/0/dav/00", device="大华1") for name in
            ("00.14.57-00.15.31[M][0@0][0].dav", "00.15.31-00.16.05[M][0@0][0].dav")]  # fmt: skip
    assert kinds(disk) == [["file_split"]]


def test_files_of_five_minutes_tell_how_many_are_missing_without_numbers():
    def chunk(minute):
        first, last = (f"{hour:02}{of:02}00" for hour, of in (divmod(minute, 60), divmod(minute + 5, 60)))
        return named(f"20140509-{first}-{last}_192.168.1.11-CH2.mp4")

    [found] = recordings_of([chunk(minute) for minute in (0, 5, 10, 25, 30)])
    assert [(seam.kind, seam.missing) for seam in found.seams] == [
        ("file_split", ()), ("file_split", ()), ("missing", ("?×2",)), ("file_split", ()),
    ]  # fmt: skip
    assert [one.code for one in found.remarks] == ["may_go_on"]


def test_other_parameters_keep_files_apart_unless_their_numbers_follow():
    other = {**H264, "video.fps": 25.0}
    assert kinds([named("20210803_101010.mp4", start=0, length=60),
                  named("20210803_101110.mp4", start=60, length=60, codec=other)]) == [[], []]  # fmt: skip
    [found] = recordings_of([numbered(1, 0), numbered(2, 600, codec=other)])
    assert found.seams[0].unlike == ("video.fps",)


def test_two_devices_and_two_cameras_of_one_are_never_one_recording():
    assert kinds([numbered(1, 0), numbered(2, 600, device="HB7654321")]) == [[], []]
    front = [named(f"2021_0803_1010{n}0_000{n}F.MP4", start=n * 60, length=60) for n in (1, 2)]
    back = [named(f"2021_0803_1010{n}0_000{n}B.MP4", start=n * 60, length=60) for n in (1, 2)]
    assert [len(one.segments) for one in recordings_of(front + back)] == [2, 2]


def test_numbers_that_begin_again_with_the_day_pair_with_the_nearest():
    morning = [numbered(n, (n - 1) * 600, folder="a") for n in (1, 2, 3)]
    evening = [numbered(n, 36000 + (n - 1) * 600, folder="b") for n in (1, 2, 3, 4)]
    assert [len(one.segments) for one in recordings_of([*evening, *morning])] == [3, 4]


@pytest.mark.parametrize("seed", range(3))
def test_recordings_cut_at_random_are_found_whole_in_any_order_with_every_lost_file_named(seed):
    chance = random.Random(seed)
    truth, files, at, number = [], [], 0.0, 0
    for _ in range(30):
        at += chance.randint(120, 5000)
        whole = []
        for _ in range(chance.randint(1, 9)):
            number += 1
            whole.append(numbered(number, round(at, 2), 300.0 + chance.random() * 0.03))
            at += 300.03
        whole.append(numbered(number := number + 1, round(at, 2), chance.randint(10, 280)))
        at += whole[-1].length_s
        truth.append(whole)
    lost = {chance.choice(whole[1:-1]).number for whole in truth if len(whole) > 3}
    files = [one for whole in truth for one in whole if one.number not in lost]
    chance.shuffle(files)
    found = recordings_of(files)
    assert [[one.number for one in recording.segments] for recording in found] == [
        [one.number for one in whole if one.number not in lost] for whole in truth
    ]
    assert {int(one) for recording in found for seam in recording.seams for one in seam.missing} == lost


def test_every_file_is_in_one_recording_and_seams_are_one_less_whatever_comes():
    chance = random.Random(5)
    names = ["GX0{}003{}.MP4", "DSJ_HA1234567_000123_20260302100000_000{}.mp4", "2021080{}_10101{}.mp4", "{}{}.mts"]
    for _ in range(60):
        files = {
            one.original: one
            for name in chance.choices(names, k=25)
            for one in [named(
                name.format(chance.randint(1, 4), chance.randint(0, 3)), length=chance.choice([0, 60, 600]),
                start=chance.choice([None, 0, 60, 600, 605, 9000]), folder=chance.choice("ab"),
            )]
        }.values()  # fmt: skip
        found = recordings_of(files)
        assert sorted(one.original for recording in found for one in recording.segments) == sorted(
            one.original for one in files
        )
        assert all(len(one.seams) == len(one.segments) - 1 for one in found)
        for one in found:
            for (before, after), seam in zip(pairwise(one.segments), one.seams, strict=True):
                assert (seam.before, seam.after) == (before.original, after.original)
                assert seam.why
                assert seam.why_zh


@pytest.mark.corpus
def test_real_files_of_many_devices_are_recordings_of_their_own(manifest):
    """Nothing in the folder was cut by its device, though copies and clips of one scene share name and time."""
    files = []
    for row in manifest:
        if row["kind"] not in ("video", "audio"):
            continue
        folder, _, name = row["path"].rpartition("/")
        one = named(name, folder=folder, device=row["serial"] or None, codec={"video.codec": row["video_codec"]})
        try:
            at = datetime.strptime(row["capture_time"][:19], "%Y:%m:%d %H:%M:%S").replace(tzinfo=UTC)
        except ValueError:
            at = None
        end = at and at + timedelta(seconds=float(row["duration_s"] or 0))
        files.append(replace(one, original=row["path"], start_at=at, end_at=end))
    assert len(files) > 100
    assert [found for found, *_ in told(files) if len(found) > 1] == []


def test_copies_of_one_short_scene_do_not_follow_one_another():
    files = [named(f"2024-01-05 08.00.00 ({n}).mp4", start=0, length=1, device="P1") for n in (1, 2, 3)]
    assert kinds(files) == [[], [], []]
