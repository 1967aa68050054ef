"""What is decided about video and sound before a media program is started: pure functions of what is known."""

from __future__ import annotations

from typing import Final

from config.settings import Settings
from pipeline.edges.cage import Limits
from pipeline.edges.tools import DEMUXERS
from pipeline.records import Known

# Where no length is known, time is allowed for this much; the stall limit ends what hangs earlier.
LENGTH_ASSUMED_S: Final = 1800.0
LENGTH_BELIEVED_S: Final = 48 * 3600.0
STALL_S: Final = 120.0


def kind_of(known: Known) -> str:
    """`video`, `audio`, `photo`, ...: what the container holds, else what the first bytes said."""
    return str(known.value("container.kind") or known.original.kind)


def is_decodable(known: Known) -> bool:
    """Whether it is a video or a sound recording in a format that ffmpeg may be given."""
    return kind_of(known) in ("video", "audio") and known.original.format in DEMUXERS


def has_sound(known: Known) -> bool:
    """Whether it is a sound recording, or a video in which sound was found."""
    return is_decodable(known) and (kind_of(known) == "audio" or known.value("audio.codec") is not None)


def length_s(known: Known) -> float | None:
    """How long its pictures and sound run: where the data ends or what the header declares, whichever is sooner.

    Subtitles may go on after the last picture, and a damaged header may claim years. None where nothing is known.
    """
    values = (known.value(name) for name in ("container.data_end_s", "container.duration_s"))
    believed = [float(v) for v in values if isinstance(v, int | float) and 0 < v < LENGTH_BELIEVED_S]
    return min(believed, default=None)


def limits_for(known: Known, settings: Settings, *, file_bytes: int = 8 << 30) -> Limits:
    """What one media program may use for one pass over this original."""
    wall_s = settings.media.wall_factor * (length_s(known) or LENGTH_ASSUMED_S) + 60
    return Limits(
        wall_s=wall_s,
        cpu_s=int(wall_s),
        memory_bytes=settings.media.memory_mb << 20,
        file_bytes=file_bytes,
        nice=10,
        stall_s=STALL_S,
    )
