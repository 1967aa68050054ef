"""What a player is given of one original: addresses, its clock, and what a browser plays of the original itself."""

from __future__ import annotations

from datetime import datetime, timedelta
from math import floor
from typing import Any, Final
from zoneinfo import ZoneInfo

from indexer.document import duration_of
from pipeline.records import Derivative, Known

# What stands in a player's data under the name of its role.
_ROLES: Final = ("proxy", "poster", "frame_times", "waveform", "scenes", "loudness", "sprites_map")
# Containers that browsers open, and the type that makes them do so; `mov` is read as MP4, which it nearly is.
_VIDEO: Final = {"mp4": "video/mp4", "mov": "video/mp4", "m4a": "audio/mp4", "3gp": "video/mp4", "webm": "video/webm"}
_AUDIO: Final = {
    "wav": "audio/wav", "mp3": "audio/mpeg", "m4a": "audio/mp4", "mp4": "audio/mp4", "aac": "audio/aac",
    "flac": "audio/flac", "ogg": "audio/ogg", "webm": "audio/webm",
}  # fmt: skip
_PHOTO: Final = {"jpeg": "image/jpeg", "png": "image/png", "gif": "image/gif", "webp": "image/webp"}
_PICTURES: Final = frozenset(("h264", "vp8", "vp9", "av1"))
_PIXELS: Final = frozenset(("yuv420p", "yuvj420p"))
_SOUNDS: Final = frozenset((
    "aac", "mp3", "mp3float", "opus", "vorbis", "flac", "pcm_s16le", "pcm_u8", "pcm_s24le", "pcm_f32le",
    "pcm_alaw", "pcm_mulaw",
))  # fmt: skip


def address_of(known: Known, made: Derivative) -> str:
    """Where the browser finds the derivative."""
    return f"/media/{known.original.id}/{made.id}"


def own_mime(known: Known) -> str | None:
    """The type under which usual browsers show the original's own bytes; None where they do not, or it is doubtful."""
    kind, format_name = known.original.kind, known.original.format
    sound = known.value("audio.codec")
    if kind == "photo":
        return _PHOTO.get(format_name)
    if kind == "audio":
        return _AUDIO.get(format_name) if sound in _SOUNDS else None
    plays = known.value("video.codec") in _PICTURES and known.value("video.pix_fmt") in _PIXELS
    return _VIDEO.get(format_name) if kind == "video" and plays and sound in (None, *_SOUNDS) else None


def own_address(known: Known) -> str:
    """Where the browser finds the original's own bytes, to be shown in the page."""
    return f"/media/{known.original.id}/bytes/shown"


def captions_of(known: Known) -> list[tuple[float, float, str]]:
    """Lines that are spoken, of the original or else of its sidecars: seconds from and to, and the text."""
    for one in (known, *known.sidecars):
        lines = one.value("transcript.lines", [])
        if lines:
            return [(float(begin), float(end), str(text)) for begin, end, text in lines]
    return []


def as_vtt(lines: list[tuple[float, float, str]]) -> str:
    """The lines as WebVTT (W3C). An arrow would end a cue's text, and `<` begin a tag."""
    cues = [f"{clock(begin)} --> {clock(max(end, begin + 0.001))}\n{_cue(text)}" for begin, end, text in sorted(lines)]
    return "\n\n".join(["WEBVTT", *cues]) + "\n"


def _cue(text: str) -> str:
    lines = (line.strip() for line in text.splitlines())
    return "\n".join(line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;") for line in lines if line)


def clock(seconds: float) -> str:
    """`00:14:03.240`, hours as many as there are; a minus before what lies before zero."""
    whole, milliseconds = divmod(floor(abs(seconds) * 1000 + 0.5), 1000)
    sign = "-" if seconds < 0 and (whole or milliseconds) else ""
    return f"{sign}{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}.{milliseconds:03d}"


def moment(at: datetime, zone: str) -> str:
    """`2026-08-03 14:16:23.120 +08:00`: with thousandths, for what is cited."""
    local = (at + timedelta(microseconds=500)).astimezone(ZoneInfo(zone))
    offset = local.strftime("%z")
    return f"{local:%Y-%m-%d %H:%M:%S}.{local.microsecond // 1000:03d} {offset[:3]}:{offset[3:]}"


def player_of(known: Known, *, zone: str, may_take: bool) -> dict[str, Any]:
    """As plain JSON data. may_take: whether this person is given the original's own bytes.

    start_ms: when its first picture was recorded, milliseconds since 1970 UTC; offset_min: of the bureau's zone then.
    """
    made: dict[str, str] = {}
    for one in known.derivatives:
        if one.role in _ROLES:
            made.setdefault(one.role, address_of(known, one))
    time = known.time
    return {
        "original": known.original.id, "sha256": known.original.sha256, "kind": known.original.kind,
        "length_s": duration_of(known),
        "start_ms": time and round(time.start_at.timestamp() * 1000, 3),
        "uncertainty_s": time and time.uncertainty_s,
        "offset_min": time and _offset_min(time.start_at, zone),
        "own": own_address(known) if may_take and own_mime(known) else None,
        "sheets": {
            str(one.parameters.get("name")): address_of(known, one)
            for one in known.derivatives if one.role == "sprites"
        },
        "captions": f"/api/originals/{known.original.id}/captions" if captions_of(known) else None,
        **made,
    }  # fmt: skip


def _offset_min(at: datetime, zone: str) -> int:
    offset = at.astimezone(ZoneInfo(zone)).utcoffset() or timedelta()
    return round(offset.total_seconds() / 60)
