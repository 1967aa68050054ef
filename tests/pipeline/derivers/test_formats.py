"""The viewing copy of every device's format: how long, which way up, in step, with all its pictures; or plain words."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

from pipeline.records import Facts
from pipeline.stages import derive
from tests.pipeline.filming import context_of, probed, tools
from tests.pipeline.probing import codes, probe
from tests.samples.devices import (
    FLASH_S,
    X264,
    behind_imkh,
    dav,
    joined,
    made,
    picture,
    seen,
    tone,
    turned,
)  # fmt: skip

# One picture of 25 a second, and a frame of AAC at 8 kHz.
STEP_S = 0.13
ULTRA = ("-preset", "ultrafast")


def _facts(source: Path, tmp_path: Path, name: str | None = None) -> Facts:
    scratch = tmp_path / "scratch"
    scratch.mkdir(exist_ok=True)
    return derive.STAGE.run(probed(source, name), context_of(source, scratch))


def _copy(source: Path, tmp_path: Path, name: str | None = None) -> dict[str, Any]:
    """What the copy holds, and the codes of the caveats."""
    facts = _facts(source, tmp_path, name)
    found = [one.path for one in facts.made if one.role == "proxy"]
    assert len(found) == 1, [caveat.text for caveat in facts.caveats]
    return {**seen(found[0]), "caveats": {caveat.code for caveat in facts.caveats}}


def _holds(copy: dict[str, Any], *, pictures: int, seconds: float, size: tuple[int, int] = (320, 180)) -> None:
    assert copy["size"] == size
    assert copy["red"] == "above left"
    assert len(copy["times"]) == pytest.approx(pictures, abs=1)
    assert copy["times"][-1] - copy["times"][0] == pytest.approx(seconds * (pictures - 1) / pictures, abs=0.1)
    assert copy["times"][0] == pytest.approx(0, abs=0.1)


def _in_step(copy: dict[str, Any], *, flash_s: float = FLASH_S, step_s: float = STEP_S) -> None:
    assert copy["flash_s"] == pytest.approx(flash_s, abs=step_s)
    assert copy["tone_s"] == pytest.approx(flash_s, abs=step_s)


ASF = ("-c:v", "wmv2", "-q:v", "3", "-c:a", "wmav2", "-b:a", "64k")
G711 = {"A-law": "pcm_alaw", "u-law": "pcm_mulaw"}
SPEECH = tone(rate_hz=8000)
# Name of the file -> what makes it: 4 s of pictures and sound.
USUAL: dict[str, tuple[str, ...]] = {
    "G.711 A-law.avi": (*picture(), *SPEECH, *X264, "-c:a", "pcm_alaw"),
    "G.711 u-law.mkv": (*picture(), *SPEECH, *X264, "-c:a", "pcm_mulaw"),
    "AMR.3gp": (*picture(size="352x288"), *SPEECH, "-c:v", "h263", "-c:a", "libopencore_amrnb", "-ar", "8000"),
    "WMV and WMA.wmv": (*picture(), *tone(), *ASF),
    "ADPCM.avi": (*picture(), *SPEECH, "-c:v", "mpeg4", "-q:v", "3", "-c:a", "adpcm_ima_wav"),
    "MJPEG.avi": (*picture(), *tone(), "-c:v", "mjpeg", "-q:v", "3", "-c:a", "pcm_s16le"),
    "H.265.mp4": (*picture(), *tone(), "-c:v", "libx265", *ULTRA, "-x265-params", "log-level=none"),
    "10 bit.mp4": (*picture(), *tone(), "-c:v", "libx264", *ULTRA, "-pix_fmt", "yuv420p10le"),
    "program.mpg": (*picture(), *tone(), "-c:v", "mpeg2video", "-q:v", "3", "-c:a", "mp2", "-f", "vob"),
    "transport.ts": (*picture(), *tone(), *X264),
}  # fmt: skip


@pytest.mark.parametrize("name", USUAL)
def test_devices_pictures_and_sound_are_whole_and_in_step(tmp_path: Path, name: str) -> None:
    copy = _copy(made(tmp_path / name, *USUAL[name]), tmp_path)
    _holds(copy, pictures=100, seconds=4, size=(352, 288) if name == "AMR.3gp" else (320, 180))
    _in_step(copy)
    assert copy["sound_s"] == pytest.approx(4, abs=0.2)
    assert copy["caveats"] == set()


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("ADPCM IMA.wav", ("-c:a", "adpcm_ima_wav")), ("ADPCM Microsoft.wav", ("-c:a", "adpcm_ms")),
        ("G.726.wav", ("-c:a", "g726", "-b:a", "32k")), ("WMA.wma", ("-c:a", "wmav2", "-b:a", "32k")),
        ("AMR.amr", ("-c:a", "libopencore_amrnb")), ("A-law.wav", ("-c:a", "pcm_alaw")),
    ],
)  # fmt: skip
def test_recorders_sound_is_whole(tmp_path: Path, name: str, options: tuple[str, ...]) -> None:
    copy = _copy(made(tmp_path / name, *SPEECH, *options), tmp_path)
    assert copy["tone_s"] == pytest.approx(FLASH_S, abs=STEP_S)
    assert copy["sound_s"] == pytest.approx(4, abs=0.2)
    assert copy["caveats"] == set()


def test_a_dahua_recording_is_whole_and_in_step(tmp_path: Path) -> None:
    copy = _copy(dav(tmp_path / "NVR_ch1_main_20230619064223_20230619064227.dav"), tmp_path)
    _holds(copy, pictures=100, seconds=4)
    _in_step(copy)


def test_a_program_stream_behind_imkh_that_calls_itself_mp4_is_whole_and_in_step(tmp_path: Path) -> None:
    plain = made(tmp_path / "a.ps", *picture(), *tone(), *X264, "-c:a", "mp2", "-f", "vob")
    copy = _copy(behind_imkh(plain, tmp_path / "ch01_20211114061218.mp4"), tmp_path)
    _holds(copy, pictures=100, seconds=4)
    _in_step(copy)


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_recording_that_is_stored_turned_stands_upright(tmp_path: Path, degrees: int) -> None:
    upright = "transpose=2" if degrees == 90 else "transpose=1" if degrees == 270 else "hflip,vflip"
    stored = made(tmp_path / "stored.mp4", *picture(more=f",{upright}"), *tone(), *X264)
    copy = _copy(turned(stored, tmp_path / "a.mp4", degrees), tmp_path)
    _holds(copy, pictures=100, seconds=4)
    _in_step(copy)


def test_odd_sides_become_even_and_nothing_is_cut_off(tmp_path: Path) -> None:
    source = made(tmp_path / "a.mkv", *picture(size="321x181"), *tone(), "-c:v", "ffv1", "-pix_fmt", "yuv444p")
    copy = _copy(source, tmp_path)
    assert copy["size"][0] % 2 == copy["size"][1] % 2 == 0
    _holds(copy, pictures=100, seconds=4, size=copy["size"])
    assert copy["size"] == pytest.approx((321, 181), abs=2)


@pytest.mark.parametrize(("sar", "size"), [("64/45", (1024, 576)), ("16/15", (768, 576))])
def test_pixels_that_are_not_square_are_shown_as_wide_as_they_are_meant(
    tmp_path: Path, sar: str, size: tuple[int, int]
) -> None:
    source = made(tmp_path / "a.mkv", *picture(size="720x576", seconds=1, more=f",setsar={sar}"), *X264)
    copy = _copy(source, tmp_path)
    assert copy["size"] == size
    assert copy["red"] == "above left"


def test_interlaced_pictures_are_whole_and_in_step(tmp_path: Path) -> None:
    woven = picture(size="720x576", rate="50", more=",tinterlace=4,setfield=tff,setsar=16/15")
    coding = ("-c:v", "mpeg2video", "-q:v", "3", "-flags", "+ilme+ildct", "-c:a", "mp2")
    copy = _copy(made(tmp_path / "a.mpg", *woven, *tone(), *coding, "-f", "vob"), tmp_path)
    _holds(copy, pictures=100, seconds=4, size=(768, 576))
    _in_step(copy)


def test_uneven_times_of_pictures_stay_uneven(tmp_path: Path) -> None:
    """As phones write them in the dark: 25 a second at first, then every third picture."""
    kept = ",select='lt(t,1.5)+not(mod(n,3))'"
    source = made(tmp_path / "a.mkv", *picture(more=kept), *tone(), *X264, "-bf", "0", "-fps_mode", "vfr")
    copy = _copy(source, tmp_path)
    steps = [round(b - a, 2) for a, b in itertools.pairwise(copy["times"])]
    assert set(steps[:35]) == {0.04}
    assert set(steps[-15:]) == {0.12}
    _in_step(copy, step_s=0.17)


def test_eight_pictures_a_second_stay_eight(tmp_path: Path) -> None:
    copy = _copy(made(tmp_path / "a.avi", *picture(rate="8"), *SPEECH, *X264, "-c:a", "pcm_alaw"), tmp_path)
    _holds(copy, pictures=32, seconds=4)
    _in_step(copy, step_s=0.15)


def test_sound_that_goes_on_after_the_last_picture_is_kept(tmp_path: Path) -> None:
    copy = _copy(made(tmp_path / "a.mkv", *picture(seconds=3), *tone(seconds=8), *X264, "-c:a", "aac"), tmp_path)
    _holds(copy, pictures=75, seconds=3)
    assert copy["sound_s"] == pytest.approx(8, abs=0.2)
    _in_step(copy)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts"])
def test_pictures_from_before_the_button_was_pressed_are_kept_and_all_stays_in_step(tmp_path: Path, name: str) -> None:
    """Thirty seconds of pictures without sound in front, as body-worn cameras keep them."""
    shown = picture(size="160x90", rate="10", seconds=34, flash_s=32)
    late = ["-itsoffset", "30", *tone(seconds=4, at_s=2)]
    copy = _copy(made(tmp_path / name, *shown, *late, *X264, "-c:a", "aac"), tmp_path)
    _holds(copy, pictures=340, seconds=34, size=(160, 90))
    _in_step(copy, flash_s=32)
    assert "sound_begins_late" in copy["caveats"]


X265 = ("-c:v", "libx265", *ULTRA, "-x265-params", "log-level=none")


@pytest.mark.parametrize(("kind", "coding"), [("h264", X264), ("hevc", X265)])
def test_bare_pictures_are_all_there_and_their_pace_is_said_to_be_assumed(
    tmp_path: Path, kind: str, coding: tuple[str, ...]
) -> None:
    copy = _copy(made(tmp_path / f"a.{kind}", *picture(), *coding, "-f", kind), tmp_path)
    assert copy["size"] == (320, 180)
    assert len(copy["times"]) == pytest.approx(100, abs=1)
    assert "frame_rate_assumed" in copy["caveats"]


# ITU-R BT.2408: 203 cd/m2, paper white, is 58 % of a PQ signal and 75 % of an HLG signal.
@pytest.mark.parametrize(("transfer", "paper_white"), [("smpte2084", 0.58), ("arib-std-b67", 0.75)], ids=["PQ", "HLG"])
def test_hdr_paper_white_is_light_and_that_the_light_was_pressed_is_said(
    tmp_path: Path, transfer: str, paper_white: float
) -> None:
    level = round(255 * paper_white)
    shown = ["-f", "lavfi", "-t", "1", "-i", f"color=c=0x{level:02x}{level:02x}{level:02x}:s=320x180:r=25"]
    tags = f"log-level=none:colorprim=bt2020:transfer={transfer}:colormatrix=bt2020nc:range=limited"
    coding = ("-c:v", "libx265", *ULTRA, "-pix_fmt", "yuv420p10le", "-x265-params", tags, "-tag:v", "hvc1")
    said = ("-color_primaries", "bt2020", "-color_trc", transfer, "-colorspace", "bt2020nc")
    source = made(tmp_path / "a.mp4", *shown, *coding, *said)
    copy = _copy(source, tmp_path)
    assert 180 <= copy["white"] <= 240
    assert "proxy_hdr" in copy["caveats"]


def test_a_film_whose_index_is_missing_says_so_in_plain_words(tmp_path: Path) -> None:
    """The battery came out: mdat was written, moov never."""
    whole = made(tmp_path / "whole.mp4", *picture(), *tone(), *X264, "-c:a", "aac").read_bytes()
    source = tmp_path / "a.mp4"
    source.write_bytes(whole[: whole.index(b"moov") - 4])
    facts = _facts(source, tmp_path)
    assert [one.role for one in facts.made if one.role == "proxy"] == []
    (caveat,) = [one for one in facts.caveats if one.code == "no_proxy"]
    assert "index" in caveat.text
    assert "索引" in caveat.text_zh


def test_a_film_cut_off_in_the_middle_shows_its_half_and_says_what_is_missing(tmp_path: Path) -> None:
    whole = made(tmp_path / "whole.mp4", *picture(seconds=8), *tone(seconds=8), *X264, "-c:a", "aac", "-g", "25",
                 "-movflags", "+faststart").read_bytes()  # fmt: skip
    source = tmp_path / "a.mp4"
    start = whole.index(b"mdat")
    source.write_bytes(whole[: start + (len(whole) - start) * 8 // 10])
    copy = _copy(source, tmp_path)
    assert copy["red"] == "above left"
    assert 2.4 <= copy["times"][-1] <= 7.5
    _in_step(copy)
    _, found = probe(source, tools())
    assert "truncated" in codes(found)


def test_clocks_that_jump_back_lose_nothing(tmp_path: Path) -> None:
    """Two recordings of a loop joined by a copying program: the second begins at zero again."""
    part = made(tmp_path / "part.ts", *picture(), *tone(), *X264, "-g", "25")
    copy = _copy(joined(tmp_path / "a.ts", [part, part]), tmp_path)
    assert len(copy["times"]) == pytest.approx(200, abs=3)
    assert copy["times"][-1] == pytest.approx(8, abs=0.5)
    assert all(b > a for a, b in itertools.pairwise(copy["times"]))
    _in_step(copy)


@pytest.mark.parametrize(
    ("name", "coding"), [("a.mkv", (*X264, "-c:a", "aac")), ("a.mp4", (*X264, "-c:a", "aac")),
                         ("a.mov", ("-c:v", "mpeg4", "-c:a", "pcm_s16le"))],
)  # fmt: skip
def test_of_two_sounds_the_copy_has_the_first_and_the_other_plays_beside_it(
    tmp_path: Path, name: str, coding: tuple[str, ...]
) -> None:
    """As recorders with two microphones write them; the second has its tone a second later."""
    inputs = [*picture(), *tone(), *tone(at_s=3)]
    named = (
        "-metadata:s:a:0",
        "language=zho",
        "-metadata:s:a:1",
        "handler_name=Collar",
        "-metadata:s:a:1",
        "title=Collar",
    )
    facts = _facts(made(tmp_path / name, *inputs, "-map", "0", "-map", "1", "-map", "2", *named, *coding), tmp_path)
    by_role = {one.role: one for one in facts.made}
    _in_step(seen(by_role["proxy"].path))
    second = seen(by_role["track"].path)
    assert second["tone_s"] == pytest.approx(3, abs=STEP_S)
    assert second["sound_s"] == pytest.approx(4, abs=0.2)
    assert by_role["track"].parameters["track"] == 2
    assert "Collar" in by_role["track"].parameters["said"]
    assert "proxy_one_sound" in {caveat.code for caveat in facts.caveats}


def test_a_second_sound_that_begins_late_is_in_step_too(tmp_path: Path) -> None:
    inputs = [*picture(), *tone(), "-itsoffset", "2", *tone(seconds=2, at_s=1)]
    facts = _facts(made(tmp_path / "a.mkv", *inputs, "-map", "0", "-map", "1", "-map", "2", *X264), tmp_path)
    (second,) = [seen(one.path) for one in facts.made if one.role == "track"]
    assert second["tone_s"] == pytest.approx(3, abs=STEP_S)


def test_a_second_sound_that_does_not_decode_costs_the_first_nothing(tmp_path: Path) -> None:
    inputs = [*picture(), *tone(), *tone(), "-map", "0", "-map", "1", "-map", "2", *X264]
    source = made(tmp_path / "a.mkv", *inputs, "-c:a:0", "aac", "-c:a:1", "wavpack")
    source.write_bytes(source.read_bytes().replace(b"A_WAVPACK4", b"A_WAVPACK9"))
    facts = _facts(source, tmp_path)
    (copy,) = [seen(one.path) for one in facts.made if one.role == "proxy"]
    _in_step(copy)
    assert {"no_tracks", "proxy_one_sound"} <= {caveat.code for caveat in facts.caveats}
    assert "waveform" in {one.role for one in facts.made}


def test_two_hours_at_a_low_rate_are_two_hours(tmp_path: Path) -> None:
    minute = made(tmp_path / "minute.mp4", *picture(size="64x36", rate="1/2", seconds=60), *X264, "-g", "5", "-bf", "0")
    source = made(tmp_path / "a.mp4", "-stream_loop", "119", "-i", str(minute), "-c", "copy")
    copy = _copy(source, tmp_path)
    assert len(copy["times"]) == pytest.approx(3600, abs=2)
    assert copy["times"][-1] == pytest.approx(7200, abs=3)
