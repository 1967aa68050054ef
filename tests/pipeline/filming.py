"""Makes recordings with the bundled ffmpeg, and a context to run the stages of pictures and sound in."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import ffmpeg

from config.settings import load
from pipeline.edges.caged.media import contents_of
from pipeline.edges.confinement.cage import Limits
from pipeline.edges.tools import Tools
from pipeline.errors import Unreadable
from pipeline.listening import Part, listen
from pipeline.records import Facts, Known, MadeFile
from pipeline.stage import Context, Deriver
from tests.pipeline.probing import VaultOf, probe
from tests.samples.devices import made

# Scenes that differ from one another everywhere; each moves.
SCENES = {
    "shapes": "testsrc2=size={size}:rate={rate}",
    "fractal": "mandelbrot=size={size}:rate={rate}:start_scale=2:end_scale=0.05:end_pts=400",
    "cells": "life=size=80x45:mold=10:ratio=0.12:random_seed=7:rate={rate},scale={size}:flags=bilinear,gblur=2",
    "triangles": "sierpinski=size={size}:rate={rate}:seed=3:jump=40,gblur=sigma=3",
    "clock": "testsrc=size={size}:rate={rate},hue=h=t*40:s=1,rotate=t/3",
}
# Tones that change four times a second and never come back in the same order.
MELODY = (
    "aevalsrc='0.3*sin(2*PI*t*(200+1900*mod(abs(sin(floor(t*4)*12.9898+{seed}*78.233))*437.58,1)))"
    "+0.2*sin(2*PI*t*(250+2200*mod(abs(sin(floor(t*5)*39.3461+{seed}*11.135))*437.58,1)))':s=44100"
)


@functools.cache
def tools() -> Tools:
    """The media programs, one cage for all tests."""
    started = Tools()
    started.start()
    return started


def hdr_film(target: Path, transfer: str, *, scene: str = "fractal", seconds: int = 5) -> Path:
    """The scene as light of 400 cd/m2 at most, in the curve `smpte2084` (PQ) or `arib-std-b67` (HLG), as H.265."""
    shown = SCENES[scene].format(size="320x180", rate="10")
    light = (
        f"zscale=pin=bt709:tin=bt709:min=gbr:p=bt2020:t=linear:npl=100,zscale=t={transfer}:m=bt2020nc:r=limited:npl=400"
    )
    tags = f"log-level=none:colorprim=bt2020:transfer={transfer}:colormatrix=bt2020nc:range=limited"
    return made(
        target, "-f", "lavfi", "-t", str(seconds), "-i", f"{shown},format=gbrpf32le,{light},format=yuv420p10le",
        "-c:v", "libx265", "-preset", "ultrafast", "-pix_fmt", "yuv420p10le", "-x265-params", tags, "-tag:v", "hvc1",
        "-color_primaries", "bt2020", "-color_trc", transfer, "-colorspace", "bt2020nc",
    )  # fmt: skip


def film(
    path: Path,
    picture: str | None = None,
    sound: str | None = None,
    *,
    seconds: float = 6.0,
    size: str = "320x180",
    rate: str = "25",
    **options: Any,
) -> Path:
    """A recording was made. picture: a scene's name or a filter; sound: a filter; options: of ffmpeg's output."""
    streams = []
    if picture is not None:
        described = SCENES.get(picture, picture).format(size=size, rate=rate)
        streams.append(ffmpeg.input(described, f="lavfi", t=seconds).video)
    if sound is not None:
        streams.append(ffmpeg.input(sound, f="lavfi", t=seconds).audio)
    usual = {"pix_fmt": "yuv420p", "preset": "ultrafast"} if picture is not None and "c:v" not in options else {}
    return _written(ffmpeg.output(*streams, f"file:{path}", **{**usual, **options}), path)


def changed(source: Path, path: Path, *, start_s: float = 0.0, seconds: float | None = None, **options: Any) -> Path:
    """A part of a recording was made again with these options of ffmpeg's output."""
    part = {"ss": start_s, **({} if seconds is None else {"t": seconds})}
    return _written(ffmpeg.output(ffmpeg.input(f"file:{source}", **part), f"file:{path}", **options), path)


def _written(output: Any, path: Path) -> Path:
    ended = tools().run(output, limits=Limits(wall_s=120, cpu_s=100))
    assert path.is_file(), ended.stderr
    assert path.stat().st_size, ended.stderr
    return path


def probed(path: Path, name: str | None = None) -> Known:
    """What the probe stage knows of the file."""
    original, facts = probe(path, tools(), name)
    return Known(original=original, properties={one.name: one for one in facts.properties})


def context_of(path: Path, scratch: Path) -> Context:
    """A context whose vault holds this file and whose scratch folder is given."""
    parts: Any = SimpleNamespace(
        settings=load(scratch, {}),
        vault=VaultOf(path),
        catalog=SimpleNamespace(beside=lambda *_: []),
        tools=tools(),
        scratch=scratch,
        still_wanted=lambda: None,
        progress=lambda _: None,
    )
    return cast(Context, parts)


def contents(path: Path) -> dict[str, Any]:
    """What a made recording holds, by decoding it."""
    held: dict[str, Any] = tools().call(contents_of, str(path), "mov", limits=Limits(wall_s=60, cpu_s=60), reads=[path])
    return held


def heard_by(deriver: Deriver, source: Path, scratch: Path, known: Known | None = None) -> Facts:
    """What this deriver makes of the decode of a recording. Raises Unreadable where it makes nothing."""
    assert deriver.listen is not None
    known, context = known or probed(source), context_of(source, scratch)
    part = Part(deriver.name, functools.partial(deriver.listen, known, scratch, context), deriver.tries)
    outcome = listen([part], source, known, context)[deriver.name]
    if isinstance(outcome, Unreadable):
        raise outcome
    return outcome


def of_role(made: Iterable[MadeFile], role: str) -> MadeFile:
    """The only file of this role."""
    (one,) = [file for file in made if file.role == role]
    return one
