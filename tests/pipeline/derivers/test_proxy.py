from __future__ import annotations

import itertools
import random
from dataclasses import replace

import av
import numpy as np
import pytest
from PIL import Image

from pipeline.derivers.proxy import DERIVER, plan_for
from pipeline.errors import Unreadable
from pipeline.stages import derive
from tests.pipeline.filming import MELODY, changed, contents, context_of, film, heard_by, of_role, probed


def _proxy(source, tmp_path):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    return of_role(heard_by(DERIVER, source, scratch).made, "proxy")


def _stream(path, kind="video"):
    with av.open(str(path)) as container:
        stream = next(s for s in container.streams if s.type == kind)
        return stream.codec_context.name, stream


def _shown_at(path):
    with av.open(str(path)) as container:
        return [frame.time for frame in container.decode(video=0)]


def test_a_film_that_browsers_play_keeps_its_streams(tmp_path):
    source = film(tmp_path / "a.mp4", "shapes", MELODY.format(seed=1))
    made = _proxy(source, tmp_path)
    assert made.parameters["how"] == "remux"
    assert contents(made.path)["end_s"] == pytest.approx(6, abs=0.1)


@pytest.mark.parametrize(
    ("name", "options", "doubt"),
    [
        ("a.mkv", {}, "matroska"),
        ("a.avi", {"c:v": "mpeg4"}, "avi"),
        ("a.mp4", {"c:v": "mpeg4"}, "mpeg4"),
        ("a.mp4", {"pix_fmt": "yuv444p"}, "yuv444p"),
        ("a.mov", {"c:a": "pcm_s16le"}, "pcm_s16le"),
    ],
)
def test_a_film_that_browsers_do_not_play_is_transcoded_and_says_why(tmp_path, name, options, doubt):
    source = film(tmp_path / name, "shapes", MELODY.format(seed=1), seconds=2, **options)
    made = _proxy(source, tmp_path)
    assert made.parameters["how"] == "transcode"
    assert doubt in made.parameters["why"]
    assert _stream(made.path)[0] == "h264"
    assert _stream(made.path, "audio")[0] == "aac"
    assert made.parameters["short_by_s"] == 0


def test_a_large_film_is_made_smaller_and_a_small_one_never_larger(tmp_path):
    large = film(tmp_path / "large.mkv", "shapes", seconds=1, size="1920x1080")
    assert contents(_proxy(large, tmp_path).path)["video"]["height"] == 720
    small = film(tmp_path / "small.mkv", "shapes", seconds=1, size="161x91", pix_fmt="yuv444p")
    (tmp_path / "scratch").rename(tmp_path / "first")
    shown = contents(_proxy(small, tmp_path).path)["video"]
    assert (shown["width"], shown["height"]) == (160, 90) or (shown["width"], shown["height"]) == (162, 90)


def test_pixels_that_are_not_square_become_square(tmp_path):
    source = film(tmp_path / "a.mkv", "shapes", seconds=1, size="720x576", vf="setsar=64/45")
    shown = contents(_proxy(source, tmp_path).path)["video"]
    assert (shown["width"], shown["height"]) == (1024, 576)


def test_a_turned_film_stands_upright(tmp_path):
    plain = film(tmp_path / "plain.mp4", "shapes", seconds=1, size="320x180")
    source = tmp_path / "turned.mp4"
    _turn(plain, source)
    made = _proxy(source, tmp_path)
    assert made.parameters["how"] == "transcode"
    assert "turned" in made.parameters["why"]
    shown = contents(made.path)["video"]
    assert (shown["width"], shown["height"]) == (180, 320)


def _turn(plain, target):
    """The same film with the track header's matrix of a quarter turn (ISO/IEC 14496-12, 8.3.2)."""
    data = bytearray(plain.read_bytes())
    at = data.index(b"tkhd") + 4
    straight = (0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
    quarter = (0, 0x10000, 0, -0x10000, 0, 0, 0, 0, 0x40000000)
    packed = [b"".join(value.to_bytes(4, "big", signed=True) for value in matrix) for matrix in (straight, quarter)]
    place = data.index(packed[0], at)
    data[place : place + 36] = packed[1]
    target.write_bytes(data)


def test_uneven_times_of_frames_stay_as_they_were(tmp_path):
    source = film(
        tmp_path / "a.mkv", "shapes", seconds=6, vf="select='not(mod(n,7))+lt(mod(n,31),5)'", fps_mode="vfr", bf=0
    )
    before, after = _shown_at(source), _shown_at(_proxy(source, tmp_path).path)
    assert len(after) == len(before)
    assert after == pytest.approx([time - before[0] for time in before], abs=0.002)


def test_a_jump_finds_a_key_frame_within_two_seconds(tmp_path):
    source = film(tmp_path / "a.mkv", "fractal", seconds=9, g=500)
    with av.open(str(_proxy(source, tmp_path).path)) as container:
        keys = [float(p.pts * p.time_base) for p in container.demux(video=0) if p.is_keyframe and p.pts is not None]
    assert max(b - a for a, b in itertools.pairwise(keys)) <= 2.1


def test_sound_alone_becomes_aac(tmp_path):
    source = film(tmp_path / "a.wav", sound=MELODY.format(seed=2), seconds=4)
    made = _proxy(source, tmp_path)
    assert (made.path.suffix, made.mime) == (".m4a", "audio/mp4")
    assert contents(made.path)["audio"]["end_s"] == pytest.approx(4, abs=0.1)
    again = film(tmp_path / "b.m4a", sound=MELODY.format(seed=2), seconds=4)
    assert plan_for(probed(again)).how == "remux"


def test_a_film_cut_off_in_the_middle_says_how_much_is_missing_or_plays_what_is_there(tmp_path):
    whole = film(tmp_path / "whole.ts", "shapes", MELODY.format(seed=3), seconds=10, f="mpegts")
    cut = tmp_path / "cut.ts"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    made = _proxy(cut, tmp_path)
    held = contents(made.path)
    assert 2 < held["end_s"] < 9


def test_what_can_be_decoded_is_heard_even_where_most_of_it_is_damaged(tmp_path):
    source = film(tmp_path / "a.m4a", sound=MELODY.format(seed=1), seconds=6)
    data = bytearray(source.read_bytes())
    with av.open(str(source)) as container:
        packets = [(packet.pos, packet.size) for packet in container.demux(audio=0) if packet.size]
    for at, size in packets[: len(packets) * 9 // 10]:
        data[at : at + size] = random.Random(at).randbytes(size)
    source.write_bytes(bytes(data))
    made = _proxy(source, tmp_path)
    assert contents(made.path)["audio"]["end_s"] > 0


def test_e16_a_remux_that_does_not_hold_what_it_should_is_transcoded(tmp_path):
    """Only pictures are damaged: their packets can be copied, and not one of them decodes."""
    source = film(tmp_path / "a.mp4", "shapes", MELODY.format(seed=3), seconds=2)
    known = probed(source)
    data = bytearray(source.read_bytes())
    at = data.index(b"mdat") + 4
    data[at : at + 3000] = bytes(3000)
    broken = tmp_path / "b.mp4"
    broken.write_bytes(data)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    try:
        made = of_role(heard_by(DERIVER, broken, scratch, known).made, "proxy")
    except Unreadable as error:
        assert "playable" in error.sentence  # noqa: PT017
    else:
        assert made.parameters["how"] == "transcode"


def test_what_only_looks_like_a_film_is_unreadable_and_leaves_nothing(tmp_path):
    good = film(tmp_path / "good.mkv", "shapes", seconds=1)
    bad = tmp_path / "bad.mkv"
    bad.write_bytes(good.read_bytes()[:200] + b"\x00" * 5000)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with pytest.raises(Unreadable, match="Decoding it failed"):
        heard_by(DERIVER, bad, scratch, probed(good))
    assert list(scratch.iterdir()) == []


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_a_copy_says_of_itself_that_it_is_not_the_original(tmp_path, name):
    source = film(tmp_path / name, "shapes", seconds=1)
    with av.open(str(_proxy(source, tmp_path).path)) as container:
        said = container.metadata
    assert "非原件" in said["title"]
    assert said["comment"].endswith(f"not the original SHA-256 {probed(source).original.sha256}")


def test_a_film_without_sound_is_no_reason_to_doubt(tmp_path):
    source = film(tmp_path / "a.mp4", "shapes", seconds=2)
    assert plan_for(probed(source)).how == "remux"
    assert contents(_proxy(source, tmp_path).path)["audio"] is None


def test_the_same_film_made_again_is_the_same_bytes(tmp_path):
    source = film(tmp_path / "a.mkv", "shapes", MELODY.format(seed=1), seconds=2)
    first = _proxy(source, tmp_path).path.read_bytes()
    (tmp_path / "scratch").rename(tmp_path / "first")
    assert _proxy(source, tmp_path).path.read_bytes() == first


def test_an_interlaced_film_is_deinterlaced(tmp_path):
    source = film(
        tmp_path / "a.mp4", "shapes", seconds=2, size="640x360", rate="50", vf="tinterlace=4,setfield=tff",
        flags="+ilme+ildct", **{"c:v": "mpeg2video", "q:v": 4, "f": "mpegts"},
    )  # fmt: skip
    known = probed(source)
    assert known.value("video.interlaced") is True
    made = _proxy(source, tmp_path)
    assert "bwdif" in made.parameters["filters"]["V:0"]
    assert probed(made.path).value("video.interlaced") is False


def test_only_the_part_that_was_asked_is_in_a_changed_copy(tmp_path):
    source = film(tmp_path / "a.mp4", "shapes", seconds=4)
    assert contents(changed(source, tmp_path / "b.mp4", start_s=1, seconds=2))["end_s"] == pytest.approx(2, abs=0.1)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_a_visible_mark_is_in_the_picture_of_the_copy_and_in_nothing_that_is_looked_at(tmp_path, name):
    """A picture that is grey all over and flickers: what is not grey in the corner is the mark."""
    grey = "color=c=0x808080:size={size}:rate={rate},eq=eval=frame:brightness='0.1*sin(20*t)'"
    source = film(tmp_path / name, grey, MELODY.format(seed=1), seconds=3, size="640x360")
    plain, marked = (_all_of(source, tmp_path / mark, mark) for mark in ("tag", "visible"))
    [before], [after] = ([one for one in facts.made if one.role == "proxy"] for facts in (plain, marked))
    assert (before.parameters["mark"], after.parameters["mark"]) == ("tag", "visible")
    assert after.parameters["how"] == "transcode"
    assert np.ptp(_corner(before.path)) < 30
    assert _corner(after.path).max() > 190
    assert _corner(after.path).min() < 90
    assert _shown_at(after.path) == pytest.approx(_shown_at(before.path), abs=0.002)
    marks = [[one.data for one in facts.fingerprints] for facts in (plain, marked)]
    assert marks[0] == marks[1]
    posters = [np.asarray(Image.open(of_role(facts.made, "poster").path)) for facts in (plain, marked)]
    assert (posters[0] == posters[1]).all()


def _all_of(source, scratch, mark):
    scratch.mkdir()
    context = context_of(source, scratch)
    context.settings = replace(context.settings, media=replace(context.settings.media, proxy_mark=mark))
    facts = derive.STAGE.run(probed(source), context)
    assert {path for path in scratch.rglob("*") if path.is_file()} == {one.path for one in facts.made}
    return facts


def _corner(path):
    """The lower right corner of its picture after a second, in grey."""
    with av.open(str(path)) as container:
        frame = next(frame for frame in container.decode(video=0) if frame.time >= 1)
    grey = frame.to_ndarray(format="gray")
    return grey[-14:-2, -200:-10]


def test_sound_alone_has_nothing_to_draw_on_and_keeps_its_tag(tmp_path):
    source = film(tmp_path / "a.m4a", sound=MELODY.format(seed=2), seconds=2)
    made = of_role(_all_of(source, tmp_path / "x", "visible").made, "proxy")
    assert (made.parameters["how"], made.parameters["mark"]) == ("remux", "tag")
