"""The viewing copy that browsers play: H.264 and AAC in MP4 for a video, AAC in M4A for sound.

A source that browsers play already is only put into a new container. The result is judged by what it holds, never by
how ffmpeg ended. Not covered: tone mapping of HDR pictures, a second sound track, subtitles, spherical video.
Source: ISO/IEC 14496-10 and -12; RFC 6381 for what browsers declare.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import ffmpeg

from pipeline.edges.cage import Limits
from pipeline.edges.media import contents_of
from pipeline.errors import TryAgain, Unreadable
from pipeline.footage import is_decodable, kind_of, length_s, limits_for
from pipeline.records import Known, MadeFile
from pipeline.stage import Context, Deriver

VIDEO_NAME: Final = "proxy.mp4"
SOUND_NAME: Final = "proxy.m4a"
KEY_FRAME_S: Final = 2
SOUND_BIT_RATE: Final = "96k"
# Above these a source is made smaller even where browsers could play it: 1080p fits a common screen, 8 Mb/s a network.
REMUX_HEIGHT_PX: Final = 1080
REMUX_BIT_RATE: Final = 8_000_000
# A jump to a moment decodes from the key frame before it.
REMUX_KEY_FRAME_S: Final = 10.0
ISO_FORMATS: Final = frozenset(("mov", "mp4", "m4a", "3gp"))
# Timestamps of the copy are kept this finely, so that uneven frame rates stay as they were.
CLOCK_HZ: Final = 90_000
# The sum of one lost second and of what rounding and encoder delay can take from a long recording.
SHORT_S: Final = 1.0
SHORT_SHARE: Final = 0.002
FREE_BYTES_MIN: Final = 64 << 20


@dataclass(frozen=True)
class Plan:
    """How the copy is made: `remux` or `transcode`, and why."""

    how: str
    why: str


def plan_for(known: Known) -> Plan:
    """Remux where everything that is known says browsers play it; transcode on the first doubt."""
    if known.original.format not in ISO_FORMATS:
        return Plan("transcode", f"browsers do not play {known.original.format} as it is")
    doubts = _sound_doubts(known) if kind_of(known) == "audio" else [*_picture_doubts(known), *_sound_doubts(known)]
    return Plan("transcode", "; ".join(doubts)) if doubts else Plan("remux", "browsers play its streams as they are")


def _picture_doubts(known: Known) -> list[str]:
    height = known.value("video.height") or 0
    key_frames_s = known.value("video.keyframe_max_s") or 0.0
    bit_rate = known.value("video.bit_rate") or _mean_bit_rate(known)
    checks = [
        (known.value("video.codec") != "h264", f"its pictures are {known.value('video.codec', 'unknown')}"),
        (known.value("video.pix_fmt") not in ("yuv420p", "yuvj420p"), f"pixels {known.value('video.pix_fmt')}"),
        (bool(known.value("video.rotation_deg")), "it is stored turned"),
        (bool(known.value("video.interlaced")), "it is interlaced"),
        (not 0 < height <= REMUX_HEIGHT_PX, f"{height} lines"),
        (bit_rate is None or bit_rate > REMUX_BIT_RATE, f"bit rate {bit_rate}"),
        (key_frames_s > REMUX_KEY_FRAME_S, f"{key_frames_s:.0f} s between key frames"),
    ]
    return [doubt for holds, doubt in checks if holds]


def _sound_doubts(known: Known) -> list[str]:
    codec = known.value("audio.codec")
    if kind_of(known) == "audio":
        return [] if codec == "aac" else [f"its sound is {codec or 'unknown'}"]
    return [] if codec in (None, "aac", "mp3", "mp3float") else [f"its sound is {codec}"]


def _mean_bit_rate(known: Known) -> float | None:
    seconds = length_s(known)
    return known.original.size_bytes * 8 / seconds if seconds else None


def derive(source: Path, known: Known, scratch: Path, context: Context) -> Iterable[MadeFile]:
    """The `proxy`; a remux whose result does not hold what it should is followed by a transcode.

    Raises Unreadable where no result can be played, TryAgain where the disk is full.
    """
    is_video = kind_of(known) == "video"
    target = scratch / (VIDEO_NAME if is_video else SOUND_NAME)
    plan = plan_for(known)
    if plan.how == "remux":
        try:
            return [_made(source, known, target, plan, context)]
        except Unreadable as error:
            plan = Plan("transcode", f"its streams could not be kept: {error.sentence}")
    return [_made(source, known, target, plan, context)]


def _made(source: Path, known: Known, target: Path, plan: Plan, context: Context) -> MadeFile:
    parameters = _parameters(known, plan, context)
    tools = context.tools
    node = tools.input(source, known.original.format, **({} if plan.how == "remux" else {"threads": 1}))
    streams = [node["V:0?"], node["a:0?"]] if target.name == VIDEO_NAME else [node["a:0"]]
    options = {"movflags": "+faststart", "f": "mp4" if target.name == VIDEO_NAME else "ipod", "map_metadata": -1}
    output = ffmpeg.output(*streams, f"file:{target}", **options, **parameters)
    ended = tools.run(output, limits=limits_for(known, context.settings), still_wanted=context.still_wanted)
    try:
        held = _judged(target, known, context)
    except Unreadable as error:
        target.unlink(missing_ok=True)
        _require_space(target.parent)
        reason = {"time": "it took too long", "stalled": "it stood still"}.get(ended.why, error.sentence)
        raise Unreadable(f"No playable copy came of it: {reason}", stderr=ended.stderr[-500:]) from error
    mime = "video/mp4" if held["video"] else "audio/mp4"
    about = {"how": plan.how, "why": plan.why, "options": parameters, "source_s": length_s(known), **held}
    return MadeFile(role="proxy", path=target, mime=mime, tool=tools.version, parameters=about)


def _parameters(known: Known, plan: Plan, context: Context) -> Mapping[str, Any]:
    if plan.how == "remux":
        return {"c": "copy"}
    sound = {
        "c:a": "aac",
        "b:a": SOUND_BIT_RATE,
        # async: holes in the sound become silence instead of moving the rest forward.
        "af": "aresample=async=1",
        "ac": 1 if known.value("audio.channels") == 1 else 2,
        **({"ar": 48_000} if (known.value("audio.sample_rate_hz") or 0) > 48_000 else {}),
    }
    if kind_of(known) != "video":
        return sound
    return {
        "c:v": "libx264",
        "preset": "veryfast",
        "crf": context.settings.media.proxy_crf,
        "pix_fmt": "yuv420p",
        "threads": 1,
        "fps_mode": "vfr",
        "enc_time_base:v": f"1:{CLOCK_HZ}",
        "force_key_frames": f"expr:gte(t,n_forced*{KEY_FRAME_S})",
        "vf": _filters(context.settings.media.proxy_height_px, interlaced=bool(known.value("video.interlaced"))),
        **sound,
    }


def _filters(height_px: int, *, interlaced: bool) -> str:
    """Square pixels, even sides, no higher than asked, no wider than 16:9 of it, never enlarged.

    ffmpeg turns the picture upright before these.
    """
    width_px = height_px * 16 // 9
    height = f"min(min({height_px},ih),{width_px}/dar)"
    scale = f"scale=w='max(2,2*round({height}*dar/2))':h='max(2,2*trunc({height}/2))',setsar=1"
    return f"bwdif=mode=send_frame:deint=interlaced,{scale}" if interlaced else scale


def _judged(target: Path, known: Known, context: Context) -> dict[str, Any]:
    """What the copy holds, and by how much it is shorter than its source. Raises Unreadable where it shows nothing."""
    if not target.is_file() or target.stat().st_size == 0:
        raise Unreadable("nothing was written")
    limits = Limits(
        wall_s=60 + (length_s(known) or 0) / 10, cpu_s=120, memory_bytes=context.settings.media.memory_mb << 20, nice=10
    )
    held: dict[str, Any] = context.tools.call(
        contents_of, str(target), "mov", limits=limits, reads=[target], still_wanted=context.still_wanted
    )
    if held["video"] is None and held["audio"] is None:
        raise Unreadable("what was written does not play")
    if kind_of(known) == "video" and known.value("video.codec") and held["video"] is None:
        raise Unreadable("what was written has no pictures")
    expected_s = length_s(known)
    short_by_s = max(0.0, (expected_s or 0.0) - held["end_s"])
    is_short = short_by_s > SHORT_S + SHORT_SHARE * (expected_s or 0.0)
    return {**held, "short_by_s": round(short_by_s, 3) if is_short else 0.0}


def _require_space(folder: Path) -> None:
    if (free_bytes := shutil.disk_usage(folder).free) < FREE_BYTES_MIN:
        raise TryAgain("The disk of the derivatives is full", path=str(folder), found=free_bytes)


DERIVER = Deriver(name="proxy", version=1, roles=("proxy",), wants=is_decodable, derive=derive)
