"""What is decided about video and sound before a media program is started: pure functions of what is known."""

from __future__ import annotations

import math
from typing import Final

from config.settings import Settings
from pipeline.edges.caged.media import Look
from pipeline.edges.confinement.cage import Limits
from pipeline.edges.tools import DEMUXERS
from pipeline.records import Known

# Where no length is known, time is allowed for this much; the stall limit ends what hangs earlier.
LENGTH_ASSUMED_S: Final = 1800.0
# More pictures a second than this tell nothing more of what is seen.
ANALYSIS_FPS_MAX, ANALYSIS_FPS_USUAL = 30, 25
# Key frames alone: marks are taken so often, and none of them may be older than this.
KEY_FRAMES_FPS, KEY_FRAMES_DENSE_S = 2, 2.1
# Stretches without dense key frames are filled while they are fewer, and less of the recording, than this.
SPARSE_MAX, SPARSE_SHARE_MAX = 200, 0.5
FILE_BYTES: Final = 8 << 30
LENGTH_BELIEVED_S: Final = 48 * 3600.0
STALL_S: Final = 120.0


def kind_of(known: Known) -> str:
    """`video`, `audio`, `photo`, ...: what the container holds, else what the first bytes said."""
    return str(known.value("container.kind") or known.original.kind)


def is_decodable(known: Known) -> bool:
    """Whether it is a video or a sound recording in a format that ffmpeg may be given."""
    return kind_of(known) in ("video", "audio") and known.original.format in DEMUXERS


def has_pictures(known: Known) -> bool:
    """Whether it is a video, also one whose streams could not be read before."""
    return is_decodable(known) and kind_of(known) == "video"


def has_sound(known: Known) -> bool:
    """Whether it is a sound recording, or a video in which sound was found."""
    return is_decodable(known) and (kind_of(known) == "audio" or known.value("audio.codec") is not None)


def sounds_in(known: Known) -> int:
    """How many sound tracks its container lists."""
    return sum(one.startswith("audio") for one in str(known.value("container.streams", "")).split(", "))


def length_s(known: Known) -> float | None:
    """How long its pictures and sound run: where the data ends or what the header declares, whichever is sooner.

    Subtitles may go on after the last picture, and a damaged header may claim years. None where nothing is known.
    """
    values = (known.value(name) for name in ("container.data_end_s", "container.duration_s"))
    believed = [float(v) for v in values if isinstance(v, int | float) and 0 < v < LENGTH_BELIEVED_S]
    return min(believed, default=None)


def shown_sides(known: Known) -> tuple[float, float] | None:
    """Width and height as it is shown, upright and with square pixels; None where that is not known."""
    width, height = known.value("video.width"), known.value("video.height")
    if not width or not height:
        return None
    wide = float(width) * float(known.value("video.sar") or 1.0)
    turned = (known.value("video.rotation_deg") or 0) % 180 == 90
    return (float(height), wide) if turned else (wide, float(height))


def within(sides: tuple[float, float], side_px: int) -> tuple[int, int]:
    """The same shape in whole pixels, no side longer than side_px and none enlarged."""
    share = min(1.0, side_px / max(sides))
    return max(1, round(sides[0] * share)), max(1, round(sides[1] * share))


def analysis_fps(known: Known, settings: Settings) -> int:
    """Pictures a second that are looked at: every one of them, up to ANALYSIS_FPS_MAX."""
    if look_at(known, settings).how != "all":
        return KEY_FRAMES_FPS
    fps = known.value("video.fps") or ANALYSIS_FPS_USUAL
    return max(KEY_FRAMES_FPS, min(ANALYSIS_FPS_MAX, math.ceil(fps - 0.05)))


def look_at(known: Known, settings: Settings) -> Look:
    """Which pictures are looked at where nothing else needs them all: key frames alone only if the settings ask so."""
    if settings.media.analysis != "key_frames":
        return Look("all", "media.analysis asks for every picture")
    gap_s, whole_s = known.value("video.keyframe_max_s"), length_s(known)
    sparse = tuple((float(from_s), float(to_s)) for from_s, to_s in known.value("video.key_frames_sparse", ()))
    sparse_s = sum(to_s - from_s for from_s, to_s in sparse)
    if gap_s is None or whole_s is None:
        return Look("all", "it is not known where its key frames lie")
    if known.value("container.clock_jumps"):
        return Look("all", "its clock jumps")
    if gap_s <= KEY_FRAMES_DENSE_S:
        return Look("key_frames", f"a key frame every {gap_s:g} s or sooner")
    if not sparse or len(sparse) > SPARSE_MAX or sparse_s > SPARSE_SHARE_MAX * whole_s:
        return Look("all", f"up to {gap_s:g} s between key frames, in too much of it")
    found = "stretch" if len(sparse) == 1 else "stretches"
    return Look("filled", f"key frames lie sparse in {len(sparse)} {found}, {sparse_s:g} s in all", sparse)


def limits_for(known: Known, settings: Settings) -> Limits:
    """What one media program may use for one pass over this original: a copy of its streams has room too."""
    file_bytes = max(FILE_BYTES, known.original.size_bytes + known.original.size_bytes // 8)
    wall_s = settings.media.wall_factor * (length_s(known) or LENGTH_ASSUMED_S) + 60
    return Limits(
        wall_s=wall_s,
        cpu_s=int(wall_s),
        memory_bytes=settings.media.memory_mb << 20,
        file_bytes=file_bytes,
        nice=10,
        stall_s=STALL_S,
    )


def limits_for_picture(settings: Settings) -> Limits:
    """What one reader may use for one still picture."""
    return Limits(wall_s=120, cpu_s=60, memory_bytes=settings.media.memory_mb << 20, nice=10)
