"""Containers of picture and sound: streams, lengths, tags, what a device wrote of itself and of its place.

Read with FFmpeg's libraries through PyAV, the demuxer forced from our own sniffing, so that nothing in the file
can make them open another one. Packets are followed to their end, for a header may promise more than there is; a frame
of each kind is decoded to see whether the rest could be. Not covered: encrypted exports, chapters, subtitles' texts.
Sources: ISO/IEC 14496-12 (boxes, tkhd matrix), QuickTime File Format (udta, meta keys), ISO 6709 (places).
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av

from pipeline.custody.sniff import FORMATS, sniff
from pipeline.edges.caged.fronts import id3_end
from pipeline.edges.caged.reading import (
    CaveatRow,
    Row,
    answer,
    boxes_at,
    boxes_in,
    chunks_in,
    ends_of,
    fact,
    length_s,
    start_of,
)
from pipeline.edges.tools import DECODERS, DEMUXERS
from pipeline.errors import Unreadable
from pipeline.footage import KEY_FRAMES_DENSE_S, SPARSE_MAX
from pipeline.recordings import CLOCK_STEPS, HOLE_MOST_S
from pipeline.records import Original
from pipeline.stage import Extractor

# Still pictures are picture.py's, though FFmpeg could read them.
FORMATS_READ: Final = frozenset(
    name for name in DEMUXERS if name in FORMATS and FORMATS[name].kind in ("video", "audio")
)
# Formats that state a length; elsewhere FFmpeg reckons it from the bit rate, which proves nothing.
LENGTH_STATED: Final = frozenset(
    ("mov", "mp4", "m4a", "3gp", "matroska", "webm", "avi", "asf", "flac", "wav", "w64", "aiff", "caf", "ape", "tta",
     "wavpack", "tak", "musepack7", "musepack8", "dsf", "dff", "au", "flv", "mxf")
)  # fmt: skip
# Formats without a list of their streams: sound may begin long after the picture.
LATE_STREAMS: Final = frozenset(("mpegts", "mpegps", "flv", "dav"))
ISO_FORMATS: Final = frozenset(("mov", "mp4", "m4a", "3gp"))

FOLLOW_CPU_S: Final = 10.0  # following packets: two hours of 30 pictures a second take about five
FOLLOW_WALL_S: Final = 30.0  # the same on a slow disk; then the end is looked for by seeking
FOLLOW_LOOKS: Final = 256  # packets between two looks at how long it took
TRIES_MAX: Final = (
    120  # packets given to a decoder before it counts as unable: a few seconds, more than any first group
)
MISSING_S: Final = 1.0  # shorter differences between stated and found length are padding and rounding
SAMPLES_ALWAYS: Final = 1_000_000  # an index of so many samples is opened even of a file that lost its data
JUMP_BACK_S: Final = 1.0  # pictures are stored at most a few out of order
JUMP_AHEAD_S: Final = HOLE_MOST_S  # recorders that start on motion leave gaps of minutes
# A picture that comes so late, after so many at a usual pace, leaves a hole: nothing was recorded, or the clock set.
HOLE_S, HOLE_AFTER, HOLE_TIMES = 10.0, 25, 20.0
STEPS_MAX: Final = 50  # a file that jumps all the time is told by its count
TAGS_MAX: Final = 64
TRACKS_MAX, TRACK_TEXT_MAX = 32, 120
# Said twice: the container decodes while it looks for its streams, and each stream's own decoder is opened later.
KNOWN_DECODERS: Final = {"codec_whitelist": ",".join(DECODERS)}
PACKETS_MAX: Final = 20_000_000
SECONDS_1904_TO_1970: Final = 2_082_844_800

TRUNCATED: Final = (
    "truncated",
    "The recording ends before its own header says it should; the last part is missing.",
    "文件在其头部声明的结尾之前中断，末尾部分缺失。",
)
UNDECODABLE: Final = (
    "undecodable",
    "Neither picture nor sound of this file could be decoded.",
    "该文件的画面和声音均无法解码。",
)
TOO_LARGE: Final = (
    "too_large",
    "The index lists more samples than the file has bytes; it was not opened, for it would exhaust the memory.",
    "索引列出的样本数超过文件字节数，为避免耗尽内存未予打开。",
)
# ITU-T H.273, table 3: light beyond what usual screens show.
HDR_TRANSFERS: Final = {16: "PQ", 18: "HLG"}
CLOCK_JUMPS: Final = (
    "clock_jumps",
    "The recording's own clock jumps inside the file ({where}): parts may have been joined, or data were lost. "
    "Its length is the sum of its parts.",
    "文件内部时间码出现跳变（{where_zh}）：可能由多段拼接而成或存在数据丢失，时长按各段之和计算。",
)
CLOCK_HOLES: Final = (
    "clock_holes",
    "Inside the file the pictures or sounds stop and go on later ({where}): nothing was recorded meanwhile, data were "
    "lost, or the recorder's clock was set.",
    "文件内部画面或声音中断后继续（{where_zh}）：其间未记录、数据丢失，或设备校过时。",
)
# Of a file that was not followed whole, for what lies between and after is not known.
CLOCK_JUMPS_SO_FAR: Final = (
    "clock_jumps",
    "The recording's own clock jumps inside the file ({where}): parts may have been joined, or data were lost. "
    "Its length is not known for sure.",
    "文件内部时间码出现跳变（{where_zh}）：可能由多段拼接而成或存在数据丢失，时长无法确定。",
)
CLOCK_UNSEARCHED: Final = (
    "clock_unsearched",
    "The file is too long to be looked through whole: steps of its own clock are told up to second {at_s:.0f}, and not "
    "beyond{late}.",
    "文件过长，未能逐帧检查到底：仅检查到第 {at_s:.0f} 秒，其后的时间码跳变未予列出{late_zh}。",
)
LATE_STEP: Final = (
    "; near its end it steps by {by_s:+.1f} s, at a second that is not known",
    "；接近末尾处另有 {by_s:+.1f} 秒的跳变，具体在第几秒不详",
)
PICTURE_UNDECODABLE: Final = (
    "picture_undecodable",
    "The file says it has a picture, but the picture could not be decoded; its sound could.",
    "文件声明含有画面，但画面无法解码；声音可以解码。",
)


def extract(path: str) -> dict[str, Any]:
    """Properties of the container and its streams; a container that does not open yields caveats only."""
    head, tail = ends_of(path)
    tags_end = id3_end(head)
    if tags_end > len(head):
        head = ends_of(path, tags_end)[0] or head
    format_name = sniff(head, tail, "").format
    if format_name == "jpeg":  # only its name tells a film of JPEGs from one, and `reads` has seen the name
        format_name = "mjpeg"
    if format_name not in FORMATS_READ:
        raise Unreadable(f"No container of picture or sound: {format_name}", found=format_name)
    boxes = list(_box_rows(path, format_name))
    caveats = [TRUNCATED] if _breaks_off(path, format_name, tail) else []
    if _promises_too_much(path, format_name):
        return answer(boxes, [TOO_LARGE])
    try:
        with _opened(path, format_name, tags_end) as container:
            seen = _followed(container)
            caveats += _warnings(format_name, head[tags_end:] if tags_end < len(head) else head, container, seen)
            begins_s = (container.start_time or 0) / av.time_base
            rows = [*_container_rows(format_name, container, seen), *_stream_rows(seen, begins_s)]
            return answer([*rows, *_tag_rows(container), *boxes], caveats)
    except (av.FFmpegError, ValueError, OSError):  # PyAV raises ValueError for streams it has no class for
        return answer(boxes, [*caveats, UNDECODABLE])


# -- following the packets


@dataclass
class _Track:
    """What became known of one stream while its packets went by. Times in seconds, as the container counts them."""

    stream: Any
    first_s: float = float("inf")
    end_s: float = float("-inf")
    packets: int = 0
    size_bytes: int = 0
    key_s: float | None = None
    key_gap_s: float = 0.0
    sparse: list[list[float]] = field(default_factory=list)
    last_s: float | None = None
    run_s: float = 0.0
    jumps: int = 0
    steps: list[tuple[float, float]] = field(default_factory=list)
    tries: int = 0
    frame: Any = None
    pos: int = -1
    left: tuple[int, float | None] = (-1, None)
    is_behind: bool = False

    def leave(self) -> None:
        """What comes next may lie far ahead, which is no jump, or be taken already."""
        self.left, self.last_s = (self.pos, self.last_s), None

    def was_taken(self, packet: Any) -> bool:
        """Whether the packet lies before what was left; those without a place are where the one before them is."""
        if packet.pos is not None:
            self.is_behind = packet.pos <= self.left[0]
        if self.is_behind:
            self.last_s = self.left[1]
        return self.is_behind

    def take(self, packet: Any) -> None:
        at = packet.pts if packet.pts is not None else packet.dts
        self.packets += 1
        self.size_bytes += packet.size
        self.pos = max(self.pos, packet.pos if packet.pos is not None else -1)
        if at is None:
            return
        begins = float(at * packet.time_base)
        self.first_s = min(self.first_s, begins)
        self.end_s = max(self.end_s, begins + length_s(packet))
        self._count_on(packet)
        if packet.is_keyframe:
            self.end_group(begins)
            self.key_s = begins

    def end_group(self, at_s: float) -> None:
        """The group of pictures behind the last key frame ends here; neighbours that are too long are one stretch."""
        if self.key_s is None:
            return
        self.key_gap_s = max(self.key_gap_s, at_s - self.key_s)
        if at_s - self.key_s <= KEY_FRAMES_DENSE_S:
            return
        if self.sparse and self.sparse[-1][1] == self.key_s:
            self.sparse[-1][1] = at_s
        else:
            self.sparse.append([self.key_s, at_s])

    def _count_on(self, packet: Any) -> None:
        """The sum of the steps between packets, which a jump of the clock inside the recording leaves alone."""
        now_s = float((packet.dts if packet.dts is not None else packet.pts) * packet.time_base)
        step_s = now_s - self.last_s if self.last_s is not None else 0.0
        usual_s = self.run_s / (self.packets - 2) if self.packets > HOLE_AFTER else float("inf")
        is_jump = not -JUMP_BACK_S <= step_s <= JUMP_AHEAD_S
        if (is_jump or step_s > max(HOLE_S, HOLE_TIMES * usual_s)) and len(self.steps) < STEPS_MAX:
            lasts_s = length_s(packet)
            self.steps.append((round(self.run_s + lasts_s, 3), round(step_s - lasts_s, 3)))
        if is_jump:
            self.jumps += 1
        else:
            self.run_s += max(0.0, step_s)
        self.last_s = now_s

    def try_decoding(self, packet: Any) -> None:
        if self.frame is not None or self.tries >= TRIES_MAX:
            return
        self.tries += 1
        with contextlib.suppress(av.FFmpegError, ValueError):
            self.frame = next(iter(packet.decode()), None)

    def flush(self) -> None:
        """Decoders that hold frames back give them up."""
        if self.frame is None and self.tries:
            with contextlib.suppress(av.FFmpegError, ValueError, EOFError):
                self.frame = next(iter(self.stream.decode(None)), None)


@dataclass
class _Seen:
    """video, audio: the streams a viewer would see and hear; None without. whole: whether every packet went by.

    searched_s: else the second of the recording up to which they did; late_s: by how much the clock first steps in what
    was seen of its end, None where it does not.
    """

    tracks: dict[int, _Track] = field(default_factory=dict)
    video: _Track | None = None
    audio: _Track | None = None
    whole: bool = True
    searched_s: float = 0.0
    late_s: float | None = None

    @property
    def jumps(self) -> int:
        return max(
            (track.jumps for track in self.tracks.values() if track.stream.type in ("video", "audio")), default=0
        )

    @property
    def steps(self) -> list[tuple[float, float]]:
        """Where the clock steps: (second of the recording, seconds that it steps); of the picture before the sound."""
        told = [one for one in (self.video, self.audio) if one is not None and one.steps]
        return told[0].steps if told else []

    @property
    def data_s(self) -> float | None:
        """Seconds from the first packet to the end of the last; where the clock jumps, the length of the parts."""
        if self.jumps:
            return max(track.run_s for track in self.tracks.values()) if self.whole else None
        ends = [track.end_s for track in self.tracks.values() if track.end_s > float("-inf")]
        return max(ends) - min(track.first_s for track in self.tracks.values()) if ends else None


def _opened(path: str, format_name: str, tags_end: int) -> Any:
    av.logging.set_level(None)
    demuxer = DEMUXERS[format_name]
    options = {
        "protocol_whitelist": "file", "format_whitelist": demuxer, "max_streams": "100", **KNOWN_DECODERS,
    }  # fmt: skip
    if format_name in LATE_STREAMS:
        options |= {"probesize": "20000000", "analyzeduration": "15000000"}
    known: dict[str, Any] = {"format": demuxer, "metadata_errors": "replace", "options": options}
    try:
        return av.open(f"file:{path}", **known)
    except av.FFmpegError:
        if not tags_end:
            raise
        options["skip_initial_bytes"] = str(tags_end)  # some demuxers do not step over the tags by themselves
        return av.open(f"file:{path}", **known)


def _followed(container: Any) -> _Seen:
    seen = _Seen({stream.index: _Track(stream) for stream in container.streams if stream.type != "attachment"})
    seen.video, seen.audio = _main(container.streams.video, seen), _main(container.streams.audio, seen)
    for track in (seen.video, seen.audio):
        if track is not None:
            track.stream.codec_context.thread_count = 1
            track.stream.codec_context.options = KNOWN_DECODERS
    _follow(container, seen, stop=True)
    if not seen.whole:
        seen.searched_s = max((track.run_s for track in seen.tracks.values()), default=0.0)
        if len(seen.steps) >= STEPS_MAX:  # those behind were found and not kept
            seen.searched_s = seen.steps[-1][0]
        if container.duration:
            _look_at_the_end(container, seen)
    for track in (seen.video, seen.audio):
        if track is not None:
            track.flush()
    return seen


def _look_at_the_end(container: Any, seen: _Seen) -> None:
    """Its last seconds, whose place in the recording is not known: clocks may have stepped in what was left out."""
    told = {index: track.steps for index, track in seen.tracks.items()}
    for track in seen.tracks.values():
        track.leave()
        track.steps = []
    with contextlib.suppress(av.FFmpegError):
        container.seek(max(0, container.duration + (container.start_time or 0) - 10 * av.time_base))
        _follow(container, seen, stop=False)
    late = []
    for index, track in seen.tracks.items():
        if track is seen.video or track is seen.audio:
            late += [by_s for _, by_s in track.steps]
        track.steps = told[index]
    seen.late_s = late[0] if late else None


def _follow(container: Any, seen: _Seen, *, stop: bool) -> None:
    """Takes packets to their end, or (stop) until the time for it is used up; damage counts as the end."""
    cpu_s, wall_s = time.process_time() + FOLLOW_CPU_S, time.monotonic() + FOLLOW_WALL_S
    with contextlib.suppress(av.FFmpegError, ValueError):
        for count, packet in enumerate(_packets(container)):
            track = seen.tracks.get(packet.stream.index)
            if track is None or packet.size == 0 or track.was_taken(packet):
                continue
            track.take(packet)
            if track is seen.video or track is seen.audio:
                track.try_decoding(packet)
            looks = stop and count and count % FOLLOW_LOOKS == 0
            if looks and (time.process_time() > cpu_s or time.monotonic() > wall_s):
                seen.whole = False
                return
            if count > PACKETS_MAX:
                return


def _packets(container: Any) -> Iterator[Any]:
    """Every packet of the streams known at opening; PyAV 18.1 stops at one of a stream that began later."""
    while True:
        try:
            yield from container.demux()
        except IndexError:
            continue  # the packet is gone by, so this comes to an end with the file
        return


def _main(streams: Any, seen: _Seen) -> _Track | None:
    """The stream a viewer is shown: no cover picture, the first that is marked as the default, or the first.

    None where all are coded in ways that FFmpeg knows nothing of.
    """
    wanted = [one for one in streams if one.index in seen.tracks and one.codec_context and not _is_cover(one)]
    if not wanted:
        return None
    best = max(wanted, key=lambda one: (_is_default(one), -one.index))
    return seen.tracks[best.index]


def _has_unknown_picture(container: Any) -> bool:
    """Whether it holds pictures that are coded in a way that FFmpeg knows nothing of."""
    return any(one.codec_context is None and not _is_cover(one) for one in container.streams.video)


def _is_cover(stream: Any) -> bool:
    return bool(stream.disposition & av.stream.Disposition.attached_pic)


def _is_default(stream: Any) -> bool:
    return bool(stream.disposition & av.stream.Disposition.default)


# -- what is said of it


def _warnings(format_name: str, body: bytes, container: Any, seen: _Seen) -> Iterator[CaveatRow]:
    main = [track for track in (seen.video, seen.audio) if track is not None]
    if not any(track.frame is not None for track in main):
        yield UNDECODABLE
    elif seen.video.frame is None if seen.video is not None else _has_unknown_picture(container):
        yield PICTURE_UNDECODABLE
    jumps = [one for one in seen.steps if _is_jump(one)]
    if jumps or (seen.whole and seen.jumps):
        yield _placed(CLOCK_JUMPS if seen.whole else CLOCK_JUMPS_SO_FAR, jumps)
    if not seen.whole:
        yield _unsearched(seen)
    if holes := [one for one in seen.steps if not _is_jump(one)]:
        yield _placed(CLOCK_HOLES, holes)
    stated = format_name in LENGTH_STATED or (format_name == "mp3" and re.search(rb"Xing|Info|VBRI", body[:2048]))
    declared_s, data_s = _declared_s(container), seen.data_s or 0.0
    if stated and declared_s is not None and seen.whole and declared_s - data_s > max(MISSING_S, declared_s / 20):
        yield TRUNCATED


def _is_jump(step: tuple[float, float]) -> bool:
    return not -JUMP_BACK_S <= step[1] <= JUMP_AHEAD_S


def _placed(caveat: CaveatRow, steps: Sequence[tuple[float, float]]) -> CaveatRow:
    """The caveat with where its steps lie: the first three."""
    code, text, text_zh = caveat
    told = [(f"at {at_s:.1f} s by {by_s:+.1f} s", f"第 {at_s:.1f} 秒处 {by_s:+.1f} 秒") for at_s, by_s in steps[:3]]
    more = [("…", "…")] if len(steps) > 3 else []
    where, where_zh = (sep.join(one[at] for one in (*told, *more)) for at, sep in ((0, ", "), (1, "、")))
    return code, text.format(where=where or "in its sound"), text_zh.format(where_zh=where_zh or "声音")


def _unsearched(seen: _Seen) -> CaveatRow:
    """How far the file was looked through for steps of its clock, and that it steps near its end where it does."""
    code, text, text_zh = CLOCK_UNSEARCHED
    late, late_zh = (form.format(by_s=seen.late_s) if seen.late_s is not None else "" for form in LATE_STEP)
    return code, text.format(at_s=seen.searched_s, late=late), text_zh.format(at_s=seen.searched_s, late_zh=late_zh)


def _declared_s(container: Any) -> float | None:
    return container.duration / av.time_base if container.duration and container.duration > 0 else None


def _container_rows(format_name: str, container: Any, seen: _Seen) -> Iterator[Row]:
    yield from fact("container.format", format_name)
    yield from fact("container.duration_s", _declared_s(container))
    yield from fact("container.data_end_s", None if seen.data_s is None else round(seen.data_s, 6))
    yield from fact("container.bit_rate", container.bit_rate or None)
    yield from fact("container.clock_jumps", seen.jumps or None)
    yield from fact("container.clock_searched_s", None if seen.whole else round(seen.searched_s, 3))
    if seen.steps:
        found = ", ".join(f"{at_s:g}: {by_s:+g}" for at_s, by_s in seen.steps)
        yield CLOCK_STEPS, found, [list(one) for one in seen.steps]
    if len(tracks := [_track_text(one) for one in container.streams.audio[:TRACKS_MAX]]) > 1:
        yield "audio.tracks", "; ".join(tracks), tracks
    yield from fact(
        "container.streams", ", ".join(f"{one.type} {_codec(one)}".strip() for one in container.streams) or None
    )
    if seen.video is not None or _has_unknown_picture(container):
        yield from fact("container.kind", "video")
    elif seen.audio is not None:
        yield from fact("container.kind", "audio")


def _track_text(stream: Any) -> str:
    """What tells one sound track from another: codec, channels, language, the name that the recorder gave it."""
    channels = stream.codec_context.channels if stream.codec_context is not None else 0
    tags = {str(key).lower(): str(text) for key, text in (stream.metadata or {}).items()}
    named = [tags[key].strip() for key in ("language", "title", "handler_name") if tags.get(key, "").strip()]
    return ", ".join([_codec(stream), *([f"{channels} ch"] if channels else []), *named])[:TRACK_TEXT_MAX]


def _codec(stream: Any) -> str:
    context = stream.codec_context
    return str(context.codec.canonical_name) if context is not None else ""


def _stream_rows(seen: _Seen, begins_s: float) -> Iterator[Row]:
    if seen.video is not None:
        yield from _video_rows(seen.video, seen.whole, begins_s)
    if seen.audio is not None:
        yield from _audio_rows(seen.audio, seen.whole)


def _video_rows(track: _Track, whole: bool, begins_s: float) -> Iterator[Row]:
    stream, context, frame = track.stream, track.stream.codec_context, track.frame
    fps = stream.average_rate or stream.guessed_rate
    sar = stream.sample_aspect_ratio or context.sample_aspect_ratio
    yield from fact("video.codec", _codec(stream))
    yield from fact("video.profile", stream.profile or context.profile)
    yield from fact("video.width", context.width or None)
    yield from fact("video.height", context.height or None)
    yield from fact("video.pix_fmt", context.pix_fmt)
    yield from fact("video.transfer", HDR_TRANSFERS.get(int(context.color_trc)))
    if fps:
        yield "video.fps", str(fps), round(float(fps), 6)
    if sar:
        yield "video.sar", f"{Fraction(sar).numerator}:{Fraction(sar).denominator}", round(float(sar), 6)
    if frame is not None:
        yield "video.rotation_deg", str(frame.rotation), -frame.rotation % 360  # FFmpeg counts counter-clockwise
        yield "video.interlaced", str(frame.interlaced_frame), bool(frame.interlaced_frame)
    if whole:
        yield from fact("video.frames", track.packets or None)
        yield from _key_frame_rows(track, begins_s)
    yield from fact("video.bit_rate", stream.bit_rate or context.bit_rate or (_bit_rate(track) if whole else None))


def _key_frame_rows(track: _Track, begins_s: float) -> Iterator[Row]:
    """The longest wait for a key frame, and the stretches where one waits too long to look at key frames alone.

    The last key frame's wait, to the end, counts. begins_s: where the container's clock begins.
    """
    if track.key_s is None:
        return
    track.end_group(track.end_s)
    yield from fact("video.keyframe_max_s", round(track.key_gap_s, 3))
    if 0 < len(track.sparse) <= SPARSE_MAX:
        stretches = [[round(from_s - begins_s, 6), round(to_s - begins_s, 6)] for from_s, to_s in track.sparse]
        found = ", ".join(f"{from_s:g}-{to_s:g}" for from_s, to_s in stretches)
        yield "video.key_frames_sparse", found, stretches


def _bit_rate(track: _Track) -> int | None:
    length_s = track.end_s - track.first_s
    return int(track.size_bytes * 8 / length_s) if 0 < length_s < float("inf") else None


def _audio_rows(track: _Track, whole: bool) -> Iterator[Row]:
    context = track.stream.codec_context
    yield from fact("audio.codec", _codec(track.stream))
    yield from fact("audio.sample_rate_hz", context.sample_rate or None)
    yield from fact("audio.channels", context.channels or None)
    reckoned = _bit_rate(track) if whole else None  # its bytes were counted of what went by alone
    yield from fact("audio.bit_rate", track.stream.bit_rate or context.bit_rate or reckoned)


# -- tags

_TAG_NAMES: Final = {
    "creation_time": "container.creation_time",
    "com.apple.quicktime.creationdate": "container.apple_creation_date",
    "com.apple.quicktime.make": "device.make",
    "com.android.manufacturer": "device.make",
    "make": "device.make",
    "com.apple.quicktime.model": "device.model",
    "com.android.model": "device.model",
    "model": "device.model",
    "com.apple.quicktime.software": "device.software",
    "software": "device.software",
    "firmware": "device.software",
    "serial_number": "device.serial",
    "com.apple.quicktime.camera.identifier": "device.camera",
    "encoder": "container.encoder",
    "date": "container.date",
    "title": "container.title",
    "comment": "container.comment",
}
_PLACE_TAGS: Final = ("com.apple.quicktime.location.ISO6709", "location", "location-eng", "com.android.location")
_ISO6709: Final = re.compile(r"([+-]\d+(?:\.\d+)?)([+-]\d+(?:\.\d+)?)([+-]\d+(?:\.\d+)?)?")


def _tag_rows(container: Any) -> Iterator[Row]:
    """Tags under our names where we have one, and every one of them raw under `tag.`."""
    tags: dict[str, str] = {}
    for source in (container, *container.streams):
        for key, text in (source.metadata or {}).items():
            tags.setdefault(str(key).lower(), str(text))
    for key, name in _TAG_NAMES.items():
        # Broadcast Wave's time of day comes under the name of a whole time (FFmpeg 8.0); `tags` reads it.
        if key in tags and (key != "creation_time" or "-" in tags[key]):
            yield name, tags[key], tags[key].strip()
    yield from _place_rows(tags)
    for key, text in list(tags.items())[:TAGS_MAX]:
        yield f"tag.{key}", text, text.strip()


def _place_rows(tags: Mapping[str, str]) -> Iterator[Row]:
    text = next((tags[key.lower()] for key in _PLACE_TAGS if key.lower() in tags), None)
    match = _ISO6709.match(text.strip()) if text else None
    if text is None or match is None:
        return
    lat, lon = _degrees(match.group(1), 2), _degrees(match.group(2), 3)
    yield "container.location", text, text.strip()
    if abs(lat) <= 90 and abs(lon) <= 180 and (lat or lon):
        yield "place.lat", match.group(1), lat
        yield "place.lon", match.group(2), lon
        if match.group(3):
            yield "place.alt_m", match.group(3), float(match.group(3))


def _degrees(text: str, whole_digits: int) -> float:
    """ISO 6709 in degrees; with more digits before the point they are minutes, and seconds after those."""
    sign, number = -1.0 if text[0] == "-" else 1.0, text[1:]
    digits = len(number.partition(".")[0])
    if digits <= whole_digits:
        return sign * float(number)
    degrees, rest = number[:whole_digits], number[whole_digits:]
    if digits == whole_digits + 2:
        return sign * (float(degrees) + float(rest) / 60)
    return sign * (float(degrees) + float(rest[:2]) / 60 + float(rest[2:]) / 3600)


# -- what the libraries hide


def _box_rows(path: str, format_name: str) -> Iterator[Row]:
    if format_name not in ISO_FORMATS:
        return
    with Path(path).open("rb") as stream:
        for box in boxes_at(stream, "moov/trak/tkhd"):
            content = box.content(stream, 128)
            at = 52 if content[:1] == b"\x01" else 40
            matrix = content[at : at + 36]
            size = content[at + 36 : at + 44]
            if len(size) == 8 and size[:4] != b"\0\0\0\0":
                found = _rotation_of(matrix)
                yield "video.rotation_deg", matrix.hex(), found
                break
        for box in boxes_at(stream, "moov/mvhd"):
            yield from _creation_rows(box.content(stream, 16))
        for box in boxes_at(stream, "moov/udta/GPMF"):
            yield from _gopro_rows(box.content(stream, 1 << 16))


def _creation_rows(content: bytes) -> Iterator[Row]:
    """As FFmpeg tells it, which tells nothing of a container that it does not open (ISO/IEC 14496-12, 8.2.2)."""
    stated_s = int.from_bytes(content[4:12] if content[:1] == b"\x01" else content[4:8], "big")
    with contextlib.suppress(OverflowError):
        # Below the seconds of 1970 FFmpeg's mov.c takes them as seconds since then; a counter from zero is no date.
        is_since_1904 = stated_s >= SECONDS_1904_TO_1970
        since_1970_s = stated_s - SECONDS_1904_TO_1970 if is_since_1904 else stated_s
        at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=since_1970_s)
        if is_since_1904 or 1990 <= at.year <= datetime.now(UTC).year:
            text = at.strftime("%Y-%m-%dT%H:%M:%S.000000Z")
            yield "container.creation_time", text, text


def _rotation_of(matrix: bytes) -> int | None:
    """Degrees clockwise of a display matrix (16.16 fixed point), None for anything but a quarter turn."""
    a, b, c, d = (int.from_bytes(matrix[at : at + 4], "big", signed=True) >> 16 for at in (0, 4, 12, 16))
    return {(1, 0, 0, 1): 0, (0, 1, -1, 0): 90, (-1, 0, 0, -1): 180, (0, -1, 1, 0): 270}.get((a, b, c, d))


def _gopro_rows(data: bytes) -> Iterator[Row]:
    """Model and serial from the key-length-value list that GoPro keeps beside the tracks."""
    names = {b"MINF": "device.model", b"CASN": "device.serial", b"FMWR": "device.software"}
    at = 0
    while at + 8 <= len(data):
        key, kind, size, count = (
            data[at : at + 4],
            data[at + 4],
            data[at + 5],
            int.from_bytes(data[at + 6 : at + 8], "big"),
        )
        if key in names and kind == ord("c"):
            text = data[at + 8 : at + 8 + size * count].rstrip(b"\0").decode("latin-1")
            yield names[key], text, text.strip()
        at += 8 if kind == 0 else 8 + (size * count + 3) // 4 * 4


def _breaks_off(path: str, format_name: str, tail: bytes) -> bool:
    """Whether the outermost boxes, chunks or pages reach beyond the end of the file, or their last never came."""
    with Path(path).open("rb") as stream:
        size = stream.seek(0, 2)
        if format_name in ISO_FORMATS:
            boxes = list(boxes_in(stream, 0, size))
            types = {box.type for box in boxes}
            return any(not box.whole for box in boxes) or (b"mdat" in types and types.isdisjoint((b"moov", b"moof")))
        if format_name in ("wav", "avi", "aiff"):
            order = "big" if format_name == "aiff" else "little"
            cut = [box for box in chunks_in(stream, 12, size, order) if not box.whole]
            return any(box.type in (b"data", b"SSND", b"LIST") and not _is_open(stream, box) for box in cut)
        if format_name in ("matroska", "webm"):
            return _segment_end(start_of(path, 4096)) > size
        if format_name == "dff":
            return int.from_bytes(start_of(path, 12)[4:], "big") + 12 > size
    if format_name == "ogg":
        last = tail.rfind(b"OggS")
        return last < 0 or not tail[last + 5 : last + 6] or not tail[last + 5] & 4
    return False


def _segment_end(head: bytes) -> int:
    """Where a Matroska segment says it ends; 0 where it was left open, as live recorders do."""
    at = head.find(b"\x18\x53\x80\x67")
    if at < 0 or len(head) < at + 12 or head[at + 4] == 0:
        return 0
    length = 9 - head[at + 4].bit_length()
    size = int.from_bytes(head[at + 4 : at + 4 + length], "big") & ((1 << 7 * length) - 1)
    return 0 if size == (1 << 7 * length) - 1 else at + 4 + length + size


def _promises_too_much(path: str, format_name: str) -> bool:
    """Whether the sample tables count more samples than there are bytes: 5 KB of index took 2.8 GB to open."""
    if format_name not in ISO_FORMATS:
        return False
    with Path(path).open("rb") as stream:
        size = stream.seek(0, 2)
        tables = (box.content(stream, 12)[8:12] for box in boxes_at(stream, "moov/trak/mdia/minf/stbl/stsz"))
        return sum(int.from_bytes(count, "big") for count in tables) > max(size, SAMPLES_ALWAYS)


def _is_open(stream: Any, box: Any) -> bool:
    """Whether the length was never filled in: recorders that lose power leave 0 or all ones."""
    stream.seek(box.start - 4)
    return stream.read(4) in (b"\xff\xff\xff\xff", b"\0\0\0\0")


def _reads(original: Original) -> bool:
    return original.format in FORMATS_READ


EXTRACTOR = Extractor(name="container", version=7, reads=_reads, extract=extract)
