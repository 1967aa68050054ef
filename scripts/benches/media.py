"""What it costs to make everything of a recording, as a ratio to one bare ffmpeg transcode of it in the same run.

CPU seconds (user and system) of the whole process tree. `transcode_ratio`: proxy, pictures, scenes, waveform, loudness
and marks beside the bare proxy; `remux_ratio`: the same of a source that browsers play as it is; `keyframe_ratio`: with
`media.analysis = "key_frames"`; `naive_ratio`: one ffmpeg run a product. `rss_mb`: the largest process.
"""

from __future__ import annotations

import os
import resource
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from pipeline.marks import pictures, sounds
from pipeline.records import Known
from pipeline.stage import Context
from pipeline.stages import derive
from tests.pipeline.filming import context_of, probed, tools

ROUNDS: Final = 3
SECONDS: Final = 12
# Something of everything: moving detail, grain as of a small sensor, sound that changes.
GRAIN: Final = "noise=alls=6:allf=t"
SCENE: Final = f"mandelbrot=size=640x360:rate={{rate}}:start_scale=2:end_scale=0.1:end_pts=400,scale={{size}},{GRAIN}"
SOUND: Final = "aevalsrc='0.3*sin(2*PI*t*(300+200*sin(t)))+0.02*random(0)':s=48000"
# name -> size, rate, length, options of the encoder; the last three are played by browsers as they are.
SOURCES: Final[dict[str, tuple[str, str, float, dict[str, Any]]]] = {
    "1080p": ("1920x1080", "30", SECONDS, {"b:v": "16M", "maxrate": "16M", "bufsize": "32M", "g": 30}),
    "4k": ("3840x2160", "30", SECONDS / 2, {"b:v": "50M", "maxrate": "50M", "bufsize": "100M", "g": 30}),
    "1080p playable": ("1920x1080", "30", SECONDS, {"b:v": "7M", "maxrate": "7M", "bufsize": "7M", "g": 30}),
}
PLAYABLE: Final = "1080p playable"


def measure() -> Iterator[dict[str, Any]]:
    """One row a source; the ratios are medians of ROUNDS rounds, each with its own bare run."""
    with tempfile.TemporaryDirectory() as folder:
        for name, (size, rate, seconds, options) in SOURCES.items():
            source = Path(folder) / f"{name}.mp4"
            picture = SCENE.format(size=size, rate=rate)
            encoder = [str(one) for option, value in options.items() for one in (f"-{option}", value)]
            _ffmpeg(
                "-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", SOUND, "-t", str(seconds), "-c:v", "libx264",
                "-preset", "veryfast", "-pix_fmt", "yuv420p", "-c:a", "aac", *encoder, str(source),
            )  # fmt: skip
            yield _measured(name, source, Path(folder))


def _measured(name: str, source: Path, folder: Path) -> dict[str, Any]:
    known = probed(source)
    context = context_of(source, folder)
    shown = "remux_ratio" if name == PLAYABLE else "transcode_ratio"
    row: dict[str, Any] = {"source": name, "rival": "one bare ffmpeg proxy transcode"}
    ways: dict[str, Callable[[], None]] = {
        "bare": lambda: _bare(source, folder),
        shown: lambda: _everything(known, context, shown == "remux_ratio"),
        "naive_ratio": lambda: _naive(source, folder),
    }
    if name == PLAYABLE:
        ways["keyframe_ratio"] = lambda: _everything(known, _key_frames(context), True)
    spent: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(ROUNDS):
        for way, act in ways.items():
            spent[way].append(_cpu_s(act))
    row["bare_cpu_s"] = round(sorted(spent["bare"])[ROUNDS // 2], 2)
    for way in list(ways)[1:]:
        ratios = sorted(mine / bare for mine, bare in zip(spent[way], spent["bare"], strict=True))
        row[way] = round(ratios[ROUNDS // 2], 3)
    row["rss_mb"] = round(max(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, tools().peak_bytes) / 2**20)
    return row


def _key_frames(context: Context) -> Context:
    media = replace(context.settings.media, analysis="key_frames")
    changed: Any = type(context)(**{**vars(context), "settings": replace(context.settings, media=media)})
    return changed


def _everything(known: Known, context: Context, playable: bool) -> None:
    facts = derive.STAGE.run(known, context)
    made = {one.role: one for one in facts.made}
    assert {"proxy", "poster", "sprites", "scenes", "waveform", "loudness", "frame_times"} <= set(made), facts.caveats
    assert len(facts.fingerprints) == 2
    assert made["proxy"].parameters["how"] == ("remux" if playable else "transcode")


PROXY: Final = ("-vf", "scale=-2:'min(720,ih)'", "-c:v", "libx264", "-preset", "veryfast", "-crf", "25", "-pix_fmt",
                "yuv420p", "-threads", "1", "-force_key_frames", "expr:gte(t,n_forced*2)", "-c:a", "aac", "-b:a", "96k",
                "-movflags", "+faststart")  # fmt: skip


def _bare(source: Path, folder: Path) -> None:
    _of(source, *PROXY, str(folder / "bare.mp4"))


def _naive(source: Path, folder: Path) -> None:
    """One run a product, each with its own decode."""
    _bare(source, folder)
    side, null = pictures.SIDE_PX, ("-f", "null", "-")
    _of(source, "-vf", "thumbnail,scale=640:-2", "-frames:v", "1", str(folder / "poster.jpg"))
    _of(source, "-vf", "fps=1,scale=160:90,tile=10x10", "-frames:v", "1", str(folder / "sheet.jpg"))
    _of(source, "-vn", "-ac", "1", "-ar", "16000", "-f", "s16le", str(folder / "pcm"))
    _of(source, "-an", "-vf", "scdet", *null)
    _of(source, "-an", "-vf", "blackdetect,freezedetect", *null)
    _of(source, "-vn", "-af", "silencedetect,ebur128", *null)
    _of(source, "-an", "-vf", f"fps=2,scale={side}:{side}:flags=area,format=gray", "-f", "rawvideo",
            str(folder / "frames"))  # fmt: skip
    _of(source, "-vn", "-ac", "1", "-ar", str(sounds.RATE_HZ), "-f", "s16le", str(folder / "marks"))


def _ffmpeg(*options: str) -> None:
    subprocess.run([tools().ffmpeg_path, "-nostdin", "-v", "error", "-y", *options], check=True)


def _of(source: Path, *options: str) -> None:
    _ffmpeg("-threads", "1", "-i", str(source), *options)


def _cpu_s(act: Callable[[], None]) -> float:
    """CPU seconds of this process, of programs that it ran, and of those in the cage."""
    before = _used_s()
    act()
    return _used_s() - before


def _used_s() -> float:
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system + tools().used_s
