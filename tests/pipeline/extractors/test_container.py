from __future__ import annotations

import subprocess
from pathlib import Path

import imageio_ffmpeg
import pytest

from pipeline.errors import Unreadable
from pipeline.extractors import container
from pipeline.extractors.container import _degrees, extract
from tests.pipeline.extractors.reading import found, understood, warned
from tests.samples.making import film, photo, sound


def ffmpeg(*arguments: str | Path) -> None:
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", *map(str, arguments)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds, 192x108, 25 pictures a second, a key frame each second, with sound."""
    return film(tmp_path_factory.mktemp("film") / "clip.mp4", 1, length_s=2.0, taken="2021-08-03T02:10:10Z")


def test_a_film_says_what_it_is(clip: Path) -> None:
    answer = extract(str(clip))
    values = understood(answer)
    assert (values["container.format"], values["container.kind"]) == ("mp4", "video")
    assert (values["video.codec"], values["video.width"], values["video.height"]) == ("h264", 192, 108)
    assert (values["video.fps"], values["video.frames"], values["video.rotation_deg"]) == (25.0, 50, 0)
    assert (values["audio.codec"], values["audio.channels"]) == ("aac", 1)
    assert values["container.data_end_s"] == pytest.approx(2.0, abs=0.1)
    assert values["container.duration_s"] == pytest.approx(2.0, abs=0.1)
    assert values["video.keyframe_max_s"] == pytest.approx(1.0, abs=0.05)
    assert values["video.interlaced"] is False
    assert found(answer)["container.creation_time"].startswith("2021-08-03T02:10:10")
    assert warned(answer) == set()


def test_an_ogg_that_ends_before_its_last_packet_begins_is_not_a_day_long(tmp_path: Path) -> None:
    whole = tmp_path / "a.ogg"
    ffmpeg("-f", "lavfi", "-i", "sine", "-t", "0.3", "-c:a", "libvorbis", whole)
    data = bytearray(whole.read_bytes())
    at = data.rindex(b"OggS")
    data[at + 6 : at + 14] = (100).to_bytes(8, "little")
    data[at + 22 : at + 26] = bytes(4)
    data[at + 22 : at + 26] = ogg_sum(bytes(data[at:])).to_bytes(4, "little")
    whole.write_bytes(bytes(data))
    assert understood(extract(str(whole)))["container.data_end_s"] < 1


def ogg_sum(page: bytes) -> int:
    """RFC 3533, 6: CRC-32 without reflection, begun with nought."""
    found = 0
    for byte in page:
        found ^= byte << 24
        for _ in range(8):
            found = (found << 1 ^ 0x04C11DB7) & 0xFFFFFFFF if found & 0x80000000 else found << 1
    return found


def test_a_codec_that_nobody_here_knows_is_said_and_the_rest_is_read(clip: Path, tmp_path: Path) -> None:
    unknown = tmp_path / "a.mp4"
    unknown.write_bytes(clip.read_bytes().replace(b"avc1", b"qqqq"))
    answer = extract(str(unknown))
    assert understood(answer)["audio.codec"] == "aac"
    assert (understood(answer)["container.kind"], understood(answer).get("video.codec")) == ("video", None)
    assert warned(answer) == {"picture_undecodable"}
    assert found(answer)["container.creation_time"].startswith("2021-08-03T02:10:10")


@pytest.mark.parametrize(("turn", "clockwise"), [(90, 270), (180, 180), (270, 90)])
def test_rotation_is_counted_clockwise(clip: Path, tmp_path: Path, turn: int, clockwise: int) -> None:
    """ffmpeg's option counts counter-clockwise, by its manual."""
    turned = tmp_path / "turned.mp4"
    ffmpeg("-display_rotation", turn, "-i", clip, "-c", "copy", turned)
    values = understood(extract(str(turned)))
    assert values["video.rotation_deg"] == clockwise
    assert (values["video.width"], values["video.height"]) == (192, 108)


@pytest.mark.parametrize("suffix", [".mov", ".mkv", ".ts", ".avi", ".mpg", ".flv", ".3gp"])
def test_containers_agree_on_the_length(clip: Path, tmp_path: Path, suffix: str) -> None:
    other = tmp_path / f"x{suffix}"
    picture = ["-c:v", "mpeg2video"] if suffix == ".mpg" else ["-c:v", "copy"]
    ffmpeg("-i", clip, *picture, "-c:a", "mp2" if suffix == ".mpg" else "copy", other)
    answer = extract(str(other))
    assert understood(answer)["container.data_end_s"] == pytest.approx(2.0, abs=0.1)
    assert understood(answer)["container.kind"] == "video"
    assert warned(answer) == set()


def test_sound_alone_is_audio(tmp_path: Path) -> None:
    answer = extract(str(sound(tmp_path / "a.wav", 1, length_s=1.5, rate_hz=8000)))
    values = understood(answer)
    assert (values["container.kind"], values["audio.sample_rate_hz"], values["audio.channels"]) == ("audio", 8000, 1)
    assert values["container.data_end_s"] == pytest.approx(1.5)
    assert "video.width" not in values
    assert warned(answer) == set()


def test_a_film_without_its_index_is_truncated_and_undecodable(clip: Path, tmp_path: Path) -> None:
    """What a recorder leaves that lost power: picture data and no moov."""
    plain = tmp_path / "plain.mp4"
    ffmpeg("-i", clip, "-c", "copy", plain)  # ffmpeg writes the index last unless told otherwise
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(plain.read_bytes()[:8000])
    answer = extract(str(cut))
    assert warned(answer) == {"truncated", "undecodable"}
    assert "container.data_end_s" not in understood(answer)


def test_a_film_cut_behind_its_index_ends_where_its_data_end(clip: Path, tmp_path: Path) -> None:
    data = clip.read_bytes()
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(data[: len(data) // 2])
    answer = extract(str(cut))
    values = understood(answer)
    assert warned(answer) == {"truncated"}
    assert values["container.duration_s"] == pytest.approx(2.0, abs=0.1)
    assert values["container.data_end_s"] < 1.7


def test_a_wave_file_cut_short_is_truncated(tmp_path: Path) -> None:
    whole = sound(tmp_path / "a.wav", 1, length_s=4.0, rate_hz=8000).read_bytes()
    cut = tmp_path / "b.wav"
    cut.write_bytes(whole[: len(whole) // 2])
    answer = extract(str(cut))
    assert warned(answer) == {"truncated"}
    assert understood(answer)["container.data_end_s"] == pytest.approx(2.0, abs=0.05)


def test_a_matroska_that_was_never_closed_is_not_called_truncated(clip: Path, tmp_path: Path) -> None:
    """Live recorders leave the segment's size open."""
    live = tmp_path / "live.mkv"
    ffmpeg("-i", clip, "-c", "copy", "-live", "1", live)
    assert warned(extract(str(live))) == set()


def test_damaged_data_still_yield_properties(clip: Path, tmp_path: Path) -> None:
    data = bytearray(clip.read_bytes())
    for at in range(len(data) // 2, len(data), 37):
        data[at] ^= 0x55
    hurt = tmp_path / "hurt.mp4"
    hurt.write_bytes(data)
    assert understood(extract(str(hurt)))["video.width"] == 192


def test_a_cover_picture_does_not_make_a_film(tmp_path: Path) -> None:
    cover, voice = photo(tmp_path / "c.jpg", 1), sound(tmp_path / "a.wav", 1)
    song = tmp_path / "song.mp3"
    ffmpeg(
        "-i",
        voice,
        "-i",
        cover,
        "-map",
        "0",
        "-map",
        "1",
        "-c:v",
        "copy",
        "-c:a",
        "libmp3lame",
        "-id3v2_version",
        "3",
        song,
    )
    values = understood(extract(str(song)))
    assert values["container.kind"] == "audio"
    assert "video.width" not in values


def test_tags_of_a_phone_are_named_as_ours(clip: Path, tmp_path: Path) -> None:
    phone = tmp_path / "phone.mov"
    tags = {
        "com.apple.quicktime.creationdate": "2021-08-03T10:10:10+0800",
        "com.apple.quicktime.make": "Apple",
        "com.apple.quicktime.model": "iPhone 13 Pro",
        "com.apple.quicktime.location.ISO6709": "+39.9062+116.3913+044.5/",
    }
    metadata = [part for key, text in tags.items() for part in ("-metadata", f"{key}={text}")]
    ffmpeg("-i", clip, "-c", "copy", "-movflags", "use_metadata_tags", *metadata, phone)
    answer = extract(str(phone))
    values = understood(answer)
    assert (values["device.make"], values["device.model"]) == ("Apple", "iPhone 13 Pro")
    assert found(answer)["container.apple_creation_date"] == "2021-08-03T10:10:10+0800"
    assert found(answer)["container.location"] == "+39.9062+116.3913+044.5/"
    assert (values["place.lat"], values["place.lon"], values["place.alt_m"]) == (39.9062, 116.3913, 44.5)


@pytest.mark.parametrize(
    ("text", "digits", "expected"),
    [
        ("+39.9", 2, 39.9),
        ("-3954.372", 2, -39.9062),
        ("+395422.3", 2, 39.906194),
        ("+116.39", 3, 116.39),
        ("-0001", 2, -1 / 60),
    ],
)
def test_iso_6709_in_degrees_minutes_and_seconds(text: str, digits: int, expected: float) -> None:
    assert _degrees(text, digits) == pytest.approx(expected, abs=1e-6)


def test_the_place_of_no_fix_is_no_place(clip: Path, tmp_path: Path) -> None:
    nowhere = tmp_path / "n.mp4"
    ffmpeg("-i", clip, "-c", "copy", "-metadata", "location=+00.0000+000.0000/", nowhere)
    assert "place.lat" not in understood(extract(str(nowhere)))


def test_tags_in_front_of_a_format_that_knows_none_are_stepped_over(
    corpus: Path, manifest: list[dict[str, str]]
) -> None:
    with_tags = [
        row for row in manifest
        if row["audio_codec"] == "ape" and (corpus / row["path"]).read_bytes().startswith(b"ID3")
    ]  # fmt: skip
    for row in with_tags:
        assert understood(extract(str(corpus / row["path"])))["audio.codec"] == "ape"


@pytest.mark.parametrize(
    "text", [b"#EXTM3U\n#EXTINF:1,\n/etc/hostname\n", b"ffconcat version 1.0\nfile a.mp4\n", b"", b"\x01\xff\x02"]
)
def test_what_is_no_container_is_refused(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "evidence.mp4"
    path.write_bytes(text)
    with pytest.raises(Unreadable):
        extract(str(path))


def test_a_clock_that_jumps_is_said_and_the_parts_are_added_up(clip: Path, tmp_path: Path) -> None:
    """Two transport streams end to end, as a card's files are sometimes glued: the second starts ten hours later."""
    parts = []
    for number, offset_s in enumerate((0, 36_000)):
        part = tmp_path / f"{number}.ts"
        ffmpeg("-i", clip, "-c", "copy", "-output_ts_offset", offset_s, part)
        parts.append(part.read_bytes())
    glued = tmp_path / "glued.ts"
    glued.write_bytes(b"".join(parts))
    answer = extract(str(glued))
    assert warned(answer) == {"clock_jumps"}
    assert understood(answer)["container.data_end_s"] == pytest.approx(4.0, abs=0.2)
    [[at_s, by_s]] = understood(answer)["container.clock_steps"]
    assert (at_s, by_s) == (pytest.approx(2.0, abs=0.1), pytest.approx(36_000 - 2, abs=0.2))
    [(_, text, text_zh)] = answer["caveats"]
    assert "at 2.0 s by +35998" in text
    assert "第 2.0 秒处 +35998" in text_zh


@pytest.mark.parametrize(("offset_s", "by_s", "code"), [
    (602.0, 600.0, "clock_holes"),  # ten minutes without a picture
    (-30.0, -32.0, "clock_jumps"),  # the clock was set back
])  # fmt: skip
def test_where_a_clock_steps_inside_a_file_and_by_how_much_is_told(
    clip: Path, tmp_path: Path, offset_s: float, by_s: float, code: str
) -> None:
    parts = []
    for number, starts_s in enumerate((100.0, 100.0 + offset_s)):
        part = tmp_path / f"{number}.ts"
        ffmpeg("-i", clip, "-c", "copy", "-output_ts_offset", starts_s, part)
        parts.append(part.read_bytes())
    glued = tmp_path / "glued.ts"
    glued.write_bytes(b"".join(parts))
    answer = extract(str(glued))
    assert warned(answer) == {code}
    assert understood(answer)["container.clock_steps"] == [[pytest.approx(2.0, abs=0.1), pytest.approx(by_s, abs=0.2)]]


@pytest.mark.parametrize(("steps_max", "searched_s"), [(50, 603.0), (1, 2.0)])
def test_what_was_not_followed_whole_tells_how_far_it_was_and_no_second_beyond(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps_max: int, searched_s: float
) -> None:
    """Three parts of 136 packets, ten minutes apart each: of the first 256 packets the first step is known.

    Where no more steps are kept than were found, the list ends with the last of them.
    """
    monkeypatch.setattr(container, "STEPS_MAX", steps_max)
    monkeypatch.setattr(container, "FOLLOW_CPU_S", -1.0)
    parts = []
    for number in range(3):
        part = tmp_path / f"{number}.ts"
        ffmpeg("-i", clip, "-c", "copy", "-output_ts_offset", 100.0 + 602.0 * number, part)
        parts.append(part.read_bytes())
    glued = tmp_path / "glued.ts"
    glued.write_bytes(b"".join(parts))
    answer = extract(str(glued))
    values = understood(answer)
    assert values["container.clock_steps"] == [[pytest.approx(2.0, abs=0.1), pytest.approx(600.0, abs=0.2)]]
    assert values["container.clock_searched_s"] == pytest.approx(searched_s, abs=1.1)  # the hole counts
    texts = {code: (text, text_zh) for code, text, text_zh in answer["caveats"]}
    assert set(texts) == {"clock_holes", "clock_unsearched"}
    text, text_zh = texts["clock_unsearched"]
    assert "near its end it steps by +600" in text
    assert "接近末尾处另有 +600" in text_zh


def test_a_step_that_was_followed_is_not_told_once_more_of_the_end(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Thirty pictures, a hole of 12 s, twenty more: the last ten seconds begin at the key frame before the hole."""
    monkeypatch.setattr(container, "FOLLOW_CPU_S", -1.0)
    monkeypatch.setattr(container, "FOLLOW_LOOKS", 40)
    holed = tmp_path / "holed.mkv"
    late = "setts=pts=PTS+gte(N\\,30)*12/TB:dts=DTS+gte(N\\,30)*12/TB"
    ffmpeg("-i", clip, "-an", "-c:v", "copy", "-bsf:v", late, holed)
    answer = extract(str(holed))
    assert understood(answer)["container.clock_steps"] == [[pytest.approx(1.2, abs=0.1), pytest.approx(12.0, abs=0.2)]]
    (text,) = [text for code, text, _ in answer["caveats"] if code == "clock_unsearched"]
    assert "near its end" not in text


def test_a_file_followed_whole_says_nothing_of_a_search(clip: Path) -> None:
    assert "container.clock_searched_s" not in understood(extract(str(clip)))


def test_a_film_of_one_picture_in_fifteen_seconds_has_no_hole(clip: Path, tmp_path: Path) -> None:
    slow = tmp_path / "slow.mkv"
    ffmpeg("-i", clip, "-an", "-c:v", "copy", "-bsf:v", "setts=pts=N*15/TB:dts=N*15/TB", slow)
    answer = extract(str(slow))
    assert understood(answer)["video.frames"] == 50
    assert "container.clock_steps" not in understood(answer)
    assert not warned(answer)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        # ISO/IEC 14496-12, 8.2.2: seconds since 1904. Fewer than those of 1970 are since 1970 to FFmpeg's mov.c.
        (3_710_801_410, "2021-08-03T02:10:10.000000Z"), (1_627_956_610, "2021-08-03T02:10:10.000000Z"),
        (0, None), (86_400, None), (2_082_844_799, None),
    ],
)  # fmt: skip
def test_an_index_of_more_samples_than_bytes_is_not_opened_and_still_says_when_it_was_made(
    tmp_path: Path, seconds: int, said: str | None
) -> None:
    def box(kind: bytes, *content: bytes) -> bytes:
        inside = b"".join(content)
        return (8 + len(inside)).to_bytes(4, "big") + kind + inside

    table = box(b"stsz", bytes(4), (1).to_bytes(4, "big"), (80_000_000).to_bytes(4, "big"))
    made = box(b"mvhd", bytes(4), seconds.to_bytes(4, "big"), bytes(88))
    moov = box(b"moov", made, box(b"trak", box(b"mdia", box(b"minf", box(b"stbl", table)))))
    path = tmp_path / "bomb.mp4"
    path.write_bytes(box(b"ftyp", b"isom", bytes(4)) + moov + box(b"mdat", bytes(100)))
    answer = extract(str(path))
    assert warned(answer) == {"too_large"}
    assert understood(answer).get("container.creation_time") == said


def test_films_of_jpegs_are_read_as_such(clip: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.mjpeg"
    ffmpeg("-i", clip, "-an", "-c:v", "mjpeg", path)
    assert understood(extract(str(path)))["video.frames"] == 50
