"""Pixels and samples of a recording through pipes, and what a made recording really holds.

One ffmpeg process decodes a recording once, in its cage, and everything is taken off that one decode: files it writes,
and branches on pipes, on which raw numbers of a known size arrive in pieces, so that a long recording needs no more
memory than a short one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import ffmpeg
import numpy as np
from numpy.typing import NDArray

from pipeline import frames
from pipeline.edges.cage import REASONS, Ended, Limits
from pipeline.edges.tools import DECODERS, Tools, bounds
from pipeline.errors import Unreadable
from pipeline.frames import FrameTimes

HOURS_MAX: Final = 24
# Two frames ten hours apart would be filled with copies of the first one; this ends it.
SECONDS_MAX: Final = HOURS_MAX * 3600
FIRST_PIPE: Final = 3
TEXT_BYTES: Final = 1 << 16

Sink = Callable[[NDArray[Any]], None]


@dataclass(frozen=True)
class Branch:
    """Something on a pipe: items of one shape and type, handed over `batch` at a time, as arrays (n, *shape).

    stream: which one is taken, as ffmpeg's -map says it. options: of the output; `{pipe}` in a text becomes the pipe's
    number. Two who want the same branch hear the same pipe.
    """

    stream: str
    options: tuple[tuple[str, Any], ...]
    shape: tuple[int, ...]
    kind: str
    batch: int


@dataclass(frozen=True)
class Writing:
    """A file that is written. streams: as ffmpeg's -map says them."""

    streams: tuple[str, ...]
    target: Path
    options: Mapping[str, Any] = field(default_factory=dict)


def greys(*, fps: float, side_px: int, seconds_max: int = SECONDS_MAX) -> Branch:
    """Grey pictures (side_px, side_px), turned upright and squeezed square.

    Number k is what is shown k / fps seconds after the recording starts, its first picture standing until the second.
    """
    filters = f"fps={fps:g}:start_time=0,scale={side_px}:{side_px}:flags=area,format=gray"
    options = (("vf", filters), ("f", "rawvideo"), ("frames:v", int(seconds_max * fps)))
    return Branch("V:0", options, (side_px, side_px), "u1", 32)


def colours(*, step_s: float, width_px: int, height_px: int, count_max: int, fit: bool = False) -> Branch:
    """Pictures (height_px, width_px, 3), one a step, upright.

    fit: the sides are a guess: what does not fill them is black. Otherwise they are those of the recording.
    """
    size = f"{width_px}:{height_px}"
    fitted = (
        f"scale=w='max(1,iw*sar)':h=ih,scale={size}:force_original_aspect_ratio=decrease:flags=area,pad={size}:-1:-1"
    )
    filters = (
        f"fps=1/{step_s}:start_time=0:round=up,{fitted if fit else f'scale={size}:flags=area'},setsar=1,format=rgb24"
    )
    options = (("vf", filters), ("f", "rawvideo"), ("frames:v", count_max))
    return Branch("V:0", options, (height_px, width_px, 3), "u1", 4)


def samples(*, rate_hz: int, seconds_max: int = SECONDS_MAX) -> Branch:
    """Samples of all channels mixed into one; number k sounds k / rate_hz seconds after the recording starts."""
    options = (
        ("af", "aresample=async=1:first_pts=0"), ("ac", 1), ("ar", rate_hz), ("f", "s16le"), ("t", seconds_max),
    )  # fmt: skip
    return Branch("a:0", options, (), "<i2", rate_hz * 4)


def loudness() -> Branch:
    """Text, as bytes: ten times a second `lavfi.r128.M=` (momentary), `.I=` (so far), `.LRA=` and the time.

    Source: EBU R 128, ITU-R BS.1770-4, as ffmpeg's ebur128 measures them.
    """
    chain = "aformat=channel_layouts=mono|stereo,ebur128=metadata=1,ametadata=mode=print:file=pipe\\\\:{pipe}"
    return Branch("a:0", (("af", chain), ("f", "null")), (), "u1", TEXT_BYTES)


class Items:
    """Cuts bytes that arrive in any pieces into arrays of whole items, `batch` at a time; `end` hands over the rest."""

    def __init__(self, shape: tuple[int, ...], kind: str, batch: int, *sinks: Sink) -> None:
        self.count = 0
        self._shape, self._kind, self._sinks = shape, np.dtype(kind), sinks
        self._item_bytes = int(np.prod(shape, dtype=int)) * self._kind.itemsize
        self._batch_bytes = self._item_bytes * batch
        self._kept = bytearray()

    def __call__(self, piece: bytes) -> None:
        self._kept += piece
        while len(self._kept) >= self._batch_bytes:
            self._hand_over(self._batch_bytes)

    def end(self) -> int:
        """The number of whole items that came, after the last of them was handed over."""
        whole = len(self._kept) // self._item_bytes * self._item_bytes
        if whole:
            self._hand_over(whole)
        return self.count

    def _hand_over(self, size: int) -> None:
        items = np.frombuffer(bytes(self._kept[:size]), self._kind).reshape(-1, *self._shape)
        del self._kept[:size]
        self.count += len(items)
        for sink in self._sinks:
            sink(items)


@dataclass(frozen=True)
class Decoded:
    """How a decode ended, and how many items came on each branch."""

    ended: Ended
    counts: Mapping[Branch, int]

    def require(self, branch: Branch, what: str) -> None:
        """Raises Unreadable where nothing came on the branch. what: in the sentence, `pictures` or `sound`."""
        if not self.counts.get(branch):
            raise Unreadable(f"No {what} can be decoded", code=self.ended.code, stderr=self.ended.stderr[-500:])


def decode(
    tools: Tools,
    source: Path,
    format_name: str,
    heard: Sequence[tuple[Branch, Sink]],
    *,
    limits: Limits,
    writings: Sequence[Writing] = (),
    still_wanted: Callable[[], None] = lambda: None,
    progress: Callable[[float], None] | None = None,
    **options: Any,
) -> Decoded:
    """Everything is taken off one decode of the source, in one process.

    options: of the input. progress: is told the second that was reached. Whether the files hold what they should is for
    the caller to judge, and they are there only where the program ended well. Raises Unreadable where it did not.
    """
    sinks: dict[Branch, list[Sink]] = {}
    for branch, sink in heard:
        sinks.setdefault(branch, []).append(sink)
    items = {branch: Items(branch.shape, branch.kind, branch.batch, *those) for branch, those in sinks.items()}
    numbers = dict(zip(items, range(FIRST_PIPE, FIRST_PIPE + len(items)), strict=True))
    node = tools.input(source, format_name, **{"threads": 1, **options})
    outputs = [
        ffmpeg.output(*(node[one] for one in writing.streams), f"file:{writing.target}", **writing.options)
        for writing in writings
    ]
    outputs += [_on_pipe(node, branch, number) for branch, number in numbers.items()]
    ended = tools.run(
        outputs[0] if len(outputs) == 1 else ffmpeg.merge_outputs(*outputs),
        limits=limits, still_wanted=still_wanted, pipes={numbers[one]: items[one] for one in items}, progress=progress,
    )  # fmt: skip
    if ended.why or ended.code != 0:
        raise Unreadable(
            f"Decoding it {REASONS.get(ended.why, 'failed')}", why=ended.why, code=ended.code,
            stderr=ended.stderr[-500:],
        )  # fmt: skip
    return Decoded(ended, {branch: one.end() for branch, one in items.items()})


def _on_pipe(node: Any, branch: Branch, number: int) -> Any:
    options = {
        name: value.replace("{pipe}", str(number)) if isinstance(value, str) else value
        for name, value in branch.options
    }
    # What only prints has no output of its own, and names of outputs must differ.
    name = f"pipe:{number}" if options["f"] != "null" else f"null{number}"
    return ffmpeg.output(node[branch.stream], name, **options)


def all_of(tools: Tools, source: Path, format_name: str, branch: Branch, what: str, *, limits: Limits) -> NDArray[Any]:
    """All items of one branch, at once. Raises Unreadable where none decodes. what: as in `Decoded.require`."""
    batches: list[NDArray[Any]] = []
    decode(tools, source, format_name, [(branch, batches.append)], limits=limits).require(branch, what)
    return np.concatenate(batches)


# -- what a made recording holds


def compared(
    tools: Tools,
    source: Path,
    demuxer: str,
    copy: Path,
    scratch: Path,
    *,
    pictures: bool,
    length_s: float | None,
    memory_bytes: int,
    still_wanted: Callable[[], None] = lambda: None,
) -> tuple[dict[str, Any], FrameTimes | None]:
    """What the copy (MP4) holds beside its source, and which picture of one is which of the other.

    pictures: whether it has them. Returns what `contents_of` says of it, with `pictures_of_source`, `pictures_lost` and
    `sound_begins_s` (after the first picture of the source) where that is known. Raises Unreadable where either cannot
    be read at all.
    """
    limits = Limits(wall_s=120 + (length_s or 0) / 5, cpu_s=300, memory_bytes=memory_bytes, nice=10)
    held: dict[str, Any] = tools.call(
        contents_of, str(copy), "mov", limits=limits, reads=[copy], still_wanted=still_wanted
    )
    if not pictures or held["video"] is None:
        return held, None
    stamps = {}
    for name, path, format_name in (("source", source, demuxer), ("copy", copy, "mov")):
        listed = scratch / f".stamps-{name}"
        try:
            stamps[name] = tools.call(
                list_stamps, str(path), format_name, str(scratch), listed.name, limits=limits, reads=[path],
                writes=[scratch], still_wanted=still_wanted,
            )  # fmt: skip
            stamps[name]["pts"] = np.fromfile(listed, "<i8", frames.COUNT_MAX)
        except Unreadable:
            return held, None
        finally:
            listed.unlink(missing_ok=True)
    units = {name: Fraction(*one["unit"]) for name, one in stamps.items()}
    times = frames.matched(
        stamps["source"]["pts"], units["source"], stamps["copy"]["pts"], units["copy"], stamps["source"]["begins_s"]
    )
    held["pictures"], held["pictures_of_source"] = len(stamps["copy"]["pts"]), len(times)
    held["pictures_lost"] = max(0, len(times) - len(stamps["copy"]["pts"]))
    if (late_s := stamps["source"]["sound_begins_s"]) is not None:
        held["sound_begins_s"] = round(late_s, 3)
    return held, times


def list_stamps(path: str, demuxer: str, folder: str, name: str) -> dict[str, Any]:
    """The presentation time stamps of the pictures that are shown are in a file of 64-bit numbers, as they came.

    Run in the cage. Returns {"unit": [numerator, denominator] of a second, "begins_s": where its clock begins,
    "sound_begins_s": after the first picture, None without sound}. Raises Unreadable where there are no pictures.
    """
    import av

    with av.open(path, format=demuxer, options=_told(demuxer)) as container:
        wanted = [one for one in container.streams.video if not one.disposition & av.stream.Disposition.attached_pic]
        if not wanted:
            raise Unreadable("it has no pictures")
        main, sound = wanted[0], next(iter(container.streams.audio), None)
        unit = main.time_base or Fraction(1, 90_000)
        stamps: list[int] = []
        sound_s: float | None = None
        try:
            for packet in container.demux(*[one for one in (main, sound) if one is not None]):
                if packet.pts is None or packet.size == 0 or packet.is_discard:
                    continue
                if packet.stream_index == main.index:
                    stamps.append(packet.pts)
                elif sound_s is None:
                    sound_s = float(packet.pts * packet.time_base)
        except (av.FFmpegError, ValueError, IndexError):
            pass  # damage counts as the end
        if not stamps:
            raise Unreadable("it has no pictures")
        np.array(stamps, "<i8").tofile(Path(folder) / name)
        first_s = float(min(stamps) * unit)
        return {
            "unit": list(unit.as_integer_ratio()),
            "begins_s": (container.start_time or 0) / av.time_base,
            "sound_begins_s": None if sound_s is None else sound_s - first_s,
        }


def contents_of(path: str, demuxer: str) -> dict[str, Any]:
    """What a recording holds, by reading all its packets and decoding its beginning and its end.

    Run in the cage. Returns {"end_s": last shown moment of all streams, "video": {"width", "height", "end_s"} or
    None, "audio": {"end_s"} or None}; a stream that does not decode counts as absent.
    """
    import av

    held: dict[str, Any] = {"end_s": 0.0, "video": None, "audio": None}
    with av.open(path, format=demuxer, options=_told(demuxer)) as container:
        ends = dict.fromkeys((stream.index for stream in container.streams), 0.0)
        for packet in container.demux():
            if packet.pts is not None and packet.time_base is not None:
                end_s = float((packet.pts + (packet.duration or 0)) * packet.time_base)
                ends[packet.stream_index] = max(ends[packet.stream_index], end_s)
    for kind in ("video", "audio"):
        frame_size = _decoded_size(path, demuxer, kind)
        if frame_size is None:
            continue
        index, size = frame_size
        held[kind] = {"end_s": ends[index], **size}
        held["end_s"] = max(held["end_s"], ends[index])
    return held


def _told(demuxer: str) -> dict[str, str]:
    """How FFmpeg's libraries are bounded as the program is."""
    return {name: str(value) for name, value in bounds(demuxer).items() if name != "f"}


def _decoded_size(path: str, demuxer: str, kind: str) -> tuple[int, dict[str, int]] | None:
    """The stream's index and its picture size, after its first frame and its last stretch decoded; None where not."""
    import av

    with av.open(path, format=demuxer, options=_told(demuxer)) as container:
        stream = next((s for s in container.streams if s.type == kind), None)
        if stream is None:
            return None
        stream.codec_context.options = {"codec_whitelist": ",".join(DECODERS)}
        stream.codec_context.skip_frame = "NONKEY"  # the last key frame stands for the stretch behind it
        try:
            first: Any = next(container.decode(stream), None)
            if first is None:
                return None
            size = {"width": first.width, "height": first.height} if kind == "video" else {}
            if stream.duration:
                container.seek((stream.start_time or 0) + stream.duration, stream=stream)
                if sum(1 for _ in container.decode(stream)) == 0:
                    return None
        except av.FFmpegError:
            return None
        return stream.index, size
