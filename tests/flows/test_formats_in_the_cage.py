"""Bounds and cage take nothing away from honest recordings: every usual kind gives its facts and its content."""

from __future__ import annotations

import functools
import subprocess
from pathlib import Path

import av
import ffmpeg
import imageio_ffmpeg
import pytest

from pipeline.custody.sniff import END_BYTES, sniff
from pipeline.edges.confinement.cage import Limits
from pipeline.edges.tools import Tools
from pipeline.extractors import container

PICTURE = ("-f", "lavfi", "-i", "testsrc2=s=320x240:r=25:d=1")
SOUND = ("-f", "lavfi", "-i", "sine=f=440:r=48000:d=1")
SPEECH = ("-f", "lavfi", "-i", "sine=f=440:r=8000:d=1")
BOTH = (*PICTURE, *SOUND)
# Name of the file -> what makes it.
KINDS: dict[str, tuple[str, ...]] = {
    "a.mp4": (*BOTH, "-c:v", "libx264", "-c:a", "aac"), "b.mov": (*BOTH, "-c:v", "prores_ks", "-c:a", "pcm_s16le"),
    "c.avi": (*BOTH, "-c:v", "mjpeg", "-c:a", "pcm_s16le"), "d.mkv": (*BOTH, "-c:v", "libx265", "-c:a", "flac"),
    "e.webm": (*BOTH, "-c:v", "libvpx", "-c:a", "libopus"), "f.ts": (*BOTH, "-c:v", "libx264", "-c:a", "aac"),
    "g.mpg": (*BOTH, "-c:v", "mpeg2video", "-c:a", "mp2"), "h.flv": (*BOTH, "-c:v", "flv", "-ar", "44100"),
    "i.wmv": (*BOTH, "-c:v", "wmv2", "-c:a", "wmav2"), "j.h264": (*PICTURE, "-c:v", "libx264"),
    "k.hevc": (*PICTURE, "-c:v", "libx265"), "l.mjpeg": (*PICTURE, "-c:v", "mjpeg"),
    "m.mp3": SOUND, "n.wav": SOUND, "o.aac": SOUND, "p.ogg": (*SOUND, "-c:a", "libvorbis"), "q.flac": SOUND,
    "r.m4a": (*SOUND, "-c:a", "alac"), "s.aiff": SOUND, "t.caf": SOUND, "u.tta": SOUND, "v.wv": SOUND,
    "w.3gp": (*PICTURE, "-c:v", "mpeg4"), "x.wav": (*SPEECH, "-c:a", "pcm_alaw"),
    "y.wav": (*SPEECH, "-c:a", "adpcm_ima_wav"), "z.w64": SOUND, "aa.ac3": SOUND, "ab.au": SOUND,
    "ac.wav": (*SPEECH, "-c:a", "g726", "-b:a", "32k"), "ad.mxf": (*PICTURE, "-c:v", "mpeg2video"),
}  # fmt: skip
LIMITS = Limits(wall_s=60, cpu_s=20)


@functools.cache
def tools() -> Tools:
    started = Tools()
    started.start()
    return started


@pytest.mark.parametrize("name", KINDS)
def test_a_usual_kind_is_read_in_the_best_cage_there_is(name: str, tmp_path: Path) -> None:
    made = tmp_path / name
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-v", "error", "-y", *KINDS[name], "-t", "1"]
    subprocess.run([*command, str(made)], check=True)
    data = made.read_bytes()
    found = sniff(data[:END_BYTES], data[-END_BYTES:], name)
    facts = tools().call(container.extract, str(made), limits=LIMITS, reads=[made])
    assert [one[0] for one in facts["caveats"]] == []
    out = bytearray()
    node = tools().input(made, found.format, threads=1)
    has_picture = "testsrc2" in " ".join(KINDS[name])
    output = (
        ffmpeg.output(node["V:0"], "pipe:3", f="rawvideo", pix_fmt="gray", s="32x24", **{"frames:v": 5})
        if has_picture
        else ffmpeg.output(node["a:0"], "pipe:3", f="s16le", ar=8000, ac=1)
    )
    ended = tools().run(output, limits=LIMITS, pipes={3: out.extend})
    assert (ended.code, ended.why) == (0, ""), ended.stderr
    assert len(out) == 5 * 32 * 24 if has_picture else len(out) > 8000


def heard(path: Path, format_name: str) -> bytes:
    out = bytearray()
    output = ffmpeg.output(tools().input(path, format_name, threads=1)["a:0"], "pipe:3", f="s16le")
    assert tools().run(output, limits=LIMITS, pipes={3: out.extend}).code == 0
    return bytes(out)


@pytest.mark.parametrize("name", ["a.wav", "a.aiff", "a.wv", "a.mp3", "a.flac", "a.tta"])
def test_tags_in_front_of_a_recording_take_nothing_away(name: str, tmp_path: Path) -> None:
    plain, tagged = tmp_path / name, tmp_path / f"tagged-{name}"
    subprocess.run([imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-v", "error", *SOUND, str(plain)], check=True)
    whole, tag_bytes = plain.read_bytes(), 100_000  # longer than the head that is looked at
    size = bytes((tag_bytes >> 21 & 127, tag_bytes >> 14 & 127, tag_bytes >> 7 & 127, tag_bytes & 127))
    tagged.write_bytes(b"ID3\x04\0\0" + size + bytes(tag_bytes) + whole)
    found = sniff(whole[:END_BYTES], whole[-END_BYTES:], name)
    assert len(heard(plain, found.format)) > 80_000
    assert heard(tagged, found.format) == heard(plain, found.format)
    facts = tools().call(container.extract, str(tagged), limits=LIMITS, reads=[tagged])
    assert [one[0] for one in facts["caveats"]] == []


def test_monkeys_audio_behind_tags_is_heard(corpus: Path) -> None:
    """3.55 s of 44,100 Hz in two channels, as its own header and the other tools say."""
    found = next(corpus.rglob("taglib/mac-399-id3v2.ape"), None) or next(corpus.rglob("mac-399-id3v2.ape"))
    assert len(heard(found, "ape")) == pytest.approx(3.55 * 44_100 * 2 * 2, rel=0.01)


def test_a_decoder_that_is_not_listed_decodes_nothing_in_the_reader_either(tmp_path: Path) -> None:
    """ASUS V1: FFmpeg's libraries could, and this shows that the list is heard."""
    made = tmp_path / "a.avi"
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-v", "error", *PICTURE, "-c:v", "asv1", str(made)]
    subprocess.run(command, check=True)
    facts = tools().call(container.extract, str(made), limits=LIMITS, reads=[made])
    assert [one[0] for one in facts["caveats"]] == ["undecodable"]
    with av.open(str(made)) as opened:
        assert next(opened.decode(video=0)).width == 320
