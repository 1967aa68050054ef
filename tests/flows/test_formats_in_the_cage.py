"""Bounds and cage take nothing away from honest recordings: every usual kind gives its facts and its content."""

from __future__ import annotations

import functools
import subprocess
from pathlib import Path

import ffmpeg
import imageio_ffmpeg
import pytest

from pipeline.custody.sniff import END_BYTES, sniff
from pipeline.edges.cage import Limits
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
