"""Pixels and samples of a recording through pipes, and what a made recording really holds.

One ffmpeg process decodes a recording once, in its cage, and everything is taken off that one decode: files it writes,
and branches on pipes, on which raw numbers of a known size arrive in pieces, so that a long recording needs no more
memory than a short one.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Final, Literal

import ffmpeg
import numpy as np
from numpy.typing import NDArray

from pipeline import frames
from pipeline.edges.caged.graphs import Filters, by, filtered
from pipeline.edges.caged.reading import length_s
from pipeline.edges.confinement.cage import REASONS, REASONS_ZH, Ended, Limits
from pipeline.edges.tools import DECODERS, DEMUXERS, Tools, bounds
from pipeline.errors import Unreadable
from pipeline.frames import FrameTimes

HOURS_MAX: Final = 24
# Two frames ten hours apart would be filled with copies of the first one; this ends it.
SECONDS_MAX: Final = HOURS_MAX * 3600
FIRST_PIPE: Final = 3
TEXT_BYTES: Final = 1 << 16

# Stamps of stretches are compared with this slack: a thousandth of a second, less than any picture lasts.
STAMP_S: Final = 0.001

Sink = Callable[[NDArray[Any]], None]


@dataclass(frozen=True)
class Look:
    """Which pictures are decoded, and why: `all`, `key_frames`, or `filled`, which is key frames and all pictures of
    the stretches where those are sparse: seconds from and to, after the recording's beginning."""

    how: str
    why: str = ""
    sparse: tuple[tuple[float, float], ...] = ()


ALL: Final = Look("all")


@dataclass(frozen=True)
class Branch:
    """Something on a pipe: items of one shape and type, handed over `batch` at a time, as arrays (n, *shape).

    stream: which one is taken, as ffmpeg's -map says it. options: of the output. `{pipe}` in a filter becomes the
    pipe's number. Two who want the same branch hear the same pipe.
    """

    stream: str
    filters: Filters
    options: tuple[tuple[str, Any], ...]
    shape: tuple[int, ...]
    kind: str
    batch: int


@dataclass(frozen=True)
class Writing:
    """A file that is written. streams: as ffmpeg's -map says them, each with its filters. over: a picture (PNG) that is
    laid over the lower right corner of the first of them."""

    streams: Mapping[str, Filters]
    target: Path
    options: Mapping[str, Any] = field(default_factory=dict)
    over: bytes = b""


def greys(
    *,
    fps: float,
    side_px: int,
    light: Filters = (),
    seconds_max: int = SECONDS_MAX,
    rounded: Literal["near", "up"] = "near",
) -> Branch:
    """Grey pictures (side_px, side_px), turned upright and squeezed square. light: what makes their light a usual one.

    Number k is what is shown k / fps seconds after the recording starts, its first picture standing until the second.
    rounded: `near` passes over the jitter of a source's times where as many are taken as it has, and shows what comes
    up to half a step later; `up` is for few pictures at exact times.
    """
    filters = (
        by("fps", f"{fps:g}", start_time=0, round=rounded), by("scale", side_px, side_px, flags="area"),
        *_pressed(light), by("format", "gray"),
    )  # fmt: skip
    options = (("f", "rawvideo"), ("frames:v", int(seconds_max * fps)))
    return Branch("V:0", filters, options, (side_px, side_px), "u1", 32)


def colours(
    *, step_s: float, width_px: int, height_px: int, count_max: int, light: Filters = (), fit: bool = False
) -> Branch:
    """Pictures (height_px, width_px, 3), one a step, upright. light: as for `greys`.

    fit: the sides are a guess: what does not fill them is black. Otherwise they are those of the recording.
    """
    shape: Filters = (by("scale", width_px, height_px, flags="area"),)
    if fit:
        shape = (
            by("scale", w="max(1,iw*sar)", h="ih"),
            by("scale", width_px, height_px, force_original_aspect_ratio="decrease", flags="area"),
            by("pad", width_px, height_px, -1, -1),
        )
    filters = (
        by("fps", f"1/{step_s}", start_time=0, round="up"), *shape, by("setsar", 1), *_pressed(light),
        by("format", "rgb24"),
    )  # fmt: skip
    options = (("f", "rawvideo"), ("frames:v", count_max))
    return Branch("V:0", filters, options, (height_px, width_px, 3), "u1", 4)


def looks(*, step_s: float, width_px: int, height_px: int, count_max: int, light: Filters = ()) -> Branch:
    """Grey pictures (height_px, width_px), one a step: number k is what is shown k * step_s after the beginning."""
    filters = (
        by("fps", f"1/{step_s:g}", start_time=0, round="up"), by("scale", width_px, height_px, flags="area"),
        *_pressed(light), by("format", "gray"),
    )  # fmt: skip
    options = (("f", "rawvideo"), ("frames:v", count_max))
    return Branch("V:0", filters, options, (height_px, width_px), "u1", 32)


def _pressed(light: Filters) -> Filters:
    """The light made usual between formats that take sides of any length."""
    return (by("format", "yuv444p10le"), *light, by("format", "yuv444p")) if light else ()


def samples(*, rate_hz: int, seconds_max: int = SECONDS_MAX) -> Branch:
    """Samples of all channels mixed into one; number k sounds k / rate_hz seconds after the recording starts."""
    filters = (by("aresample", **{"async": 1}, first_pts=0),)
    options = (("ac", 1), ("ar", rate_hz), ("f", "s16le"), ("t", seconds_max))
    return Branch("a:0", filters, options, (), "<i2", rate_hz * 4)


def loudness() -> Branch:
    """Text, as bytes: ten times a second `lavfi.r128.M=` (momentary), `.I=` (so far), `.LRA=` and the time.

    Source: EBU R 128, ITU-R BS.1770-4, as ffmpeg's ebur128 measures them.
    """
    filters = (
        by("aformat", channel_layouts="mono|stereo"), by("ebur128", metadata=1),
        by("ametadata", mode="print", file="pipe:{pipe}"),
    )  # fmt: skip
    return Branch("a:0", filters, (("f", "null"),), (), "u1", TEXT_BYTES)


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
    """How a decode of `source` ended, which pictures were looked at, and how many items came on each branch."""

    ended: Ended
    counts: Mapping[Branch, int]
    source: Path
    demuxer: str
    look: Look

    def require(self, branch: Branch, what: str) -> None:
        """Raises Unreadable where nothing came on the branch. what: in the sentence, `pictures` or `sound`."""
        if not self.counts.get(branch):
            zh = f"没有可解码的{'画面' if what == 'pictures' else '声音'}"
            raise Unreadable(f"No {what} can be decoded", zh=zh, code=self.ended.code, stderr=self.ended.stderr[-500:])


def decode(
    tools: Tools,
    source: Path,
    format_name: str,
    heard: Sequence[tuple[Branch, Sink]],
    *,
    limits: Limits,
    writings: Sequence[Writing] = (),
    look: Look = ALL,
    still_wanted: Callable[[], None] = lambda: None,
    progress: Callable[[float], None] | None = None,
    **options: Any,
) -> Decoded:
    """Everything is taken off one decode of the source, in one process.

    look: which pictures are decoded; where the files written are encoded, all of them must be. options: of the input.
    progress: is told the second that was reached. Whether the files hold what they should is for the caller to judge,
    and they are there only where the program ended well. Raises Unreadable where it did not.
    """
    sinks: dict[Branch, list[Sink]] = {}
    for branch, sink in heard:
        sinks.setdefault(branch, []).append(sink)
    items = {branch: Items(branch.shape, branch.kind, branch.batch, *those) for branch, those in sinks.items()}
    numbers = dict(zip(items, range(FIRST_PIPE, FIRST_PIPE + len(items)), strict=True))
    try:
        outputs = _outputs(tools, source, format_name, numbers, writings, look, {"threads": 1, **options})
        ended = tools.run(
            outputs[0] if len(outputs) == 1 else ffmpeg.merge_outputs(*outputs), limits=limits,
            still_wanted=still_wanted, pipes={numbers[one]: items[one] for one in items}, progress=progress,
        )  # fmt: skip
    finally:
        for one in writings:
            _strip_of(one).unlink(missing_ok=True)
    if ended.why or ended.code != 0:
        raise Unreadable(
            f"Decoding it {REASONS.get(ended.why, 'failed')}", zh=f"解码{REASONS_ZH.get(ended.why, '失败')}",
            why=ended.why, code=ended.code,
            stderr=ended.stderr[-500:],
        )  # fmt: skip
    return Decoded(ended, {branch: one.end() for branch, one in items.items()}, source, DEMUXERS[format_name], look)


def _outputs(
    tools: Tools,
    source: Path,
    format_name: str,
    numbers: Mapping[Branch, int],
    writings: Sequence[Writing],
    look: Look,
    options: Mapping[str, Any],
) -> list[Any]:
    """ffmpeg-python's outputs. What several of them filter is doubled before their filters, so that it is one graph."""
    node = tools.input(source, format_name, **options)
    seen = node
    if look.how == "key_frames":
        node = seen = tools.input(source, format_name, **options, skip_frame="nokey")
    elif look.how == "filled":  # what drops packets drops them for a copy of the stream too
        seen = tools.input(source, format_name, **options, **{"bsf:v": _dropping(look)})
    takers = Counter(
        [
            *(branch.stream for branch in numbers),
            *(stream for one in writings if not _keeps(one) for stream in one.streams),
        ]
    )
    ends = {stream: _ends(seen if stream == "V:0" else node, stream, count) for stream, count in takers.items()}
    outputs = []
    for one in writings:
        streams = [
            node[stream] if _keeps(one) else filtered(next(ends[stream]), filters)
            for stream, filters in one.streams.items()
        ]
        if one.over:
            _strip_of(one).write_bytes(one.over)
            strip = tools.input(_strip_of(one), "png")["v:0"]
            streams[0] = ffmpeg.filter([streams[0], strip], "overlay", "W-w", "H-h")
        outputs.append(ffmpeg.output(*streams, f"file:{one.target}", **one.options))
    return outputs + [_on_pipe(next(ends[branch.stream]), branch, number) for branch, number in numbers.items()]


def _strip_of(writing: Writing) -> Path:
    return writing.target.with_name(f".{writing.target.name}.strip")


def _keeps(writing: Writing) -> bool:
    return writing.options.get("c") == "copy"


def _ends(node: Any, stream: str, count: int) -> Iterator[Any]:
    """The stream, once for each who takes it."""
    if count == 1:
        yield node[stream]
        return
    doubled = node[stream].filter_multi_output("asplit" if stream.startswith("a") else "split", count)
    yield from (doubled[number] for number in range(count))


def _dropping(look: Look) -> str:
    """The bitstream filter before which only key frames, and the stretches where they are sparse, come through."""
    kept = "+".join(f"between(pts*tb,{from_s - STAMP_S:.6f},{to_s - STAMP_S:.6f})" for from_s, to_s in look.sparse)
    return f"noise=drop='not(key)*not({kept})'"


def _on_pipe(stream: Any, branch: Branch, number: int) -> Any:
    filters = [
        replace(one, named=tuple((name, _numbered(value, number)) for name, value in one.named))
        for one in branch.filters
    ]
    # What only prints has no output of its own, and names of outputs must differ.
    options = dict(branch.options)
    name = f"pipe:{number}" if options["f"] != "null" else f"null{number}"
    return ffmpeg.output(filtered(stream, filters), name, **options)


def _numbered(value: Any, number: int) -> Any:
    return value.replace("{pipe}", str(number)) if isinstance(value, str) else value


def all_of(tools: Tools, source: Path, format_name: str, branch: Branch, what: str, *, limits: Limits) -> NDArray[Any]:
    """All items of one branch, at once. Raises Unreadable where none decodes. what: as in `Decoded.require`."""
    batches: list[NDArray[Any]] = []
    decode(tools, source, format_name, [(branch, batches.append)], limits=limits).require(branch, what)
    return np.concatenate(batches)


# -- what a made recording holds


def compared(
    tools: Tools,
    decoded: Decoded,
    copy: Path,
    scratch: Path,
    *,
    pictures: bool,
    length_s: float | None,
    memory_bytes: int,
    still_wanted: Callable[[], None] = lambda: None,
) -> tuple[dict[str, Any], FrameTimes | None]:
    """What the copy (MP4) holds beside what was decoded, and which picture of one is which of the other.

    pictures: whether it has them. Returns what `contents_of` says of it, with `pictures_of_source`, `pictures_lost` and
    `sound_begins_s` (after the first picture of the source) where that is known. Raises Unreadable where the copy
    cannot be read at all.
    """
    limits = Limits(wall_s=120 + (length_s or 0) / 5, cpu_s=300, memory_bytes=memory_bytes, nice=10)
    listed = {name: scratch / f".stamps-{name}" for name in ("copy", "source")}
    try:
        told = tools.call(
            judge, str(copy), str(decoded.source) if pictures else None, decoded.demuxer, str(scratch),
            {name: path.name for name, path in listed.items()}, limits=limits, reads=[copy, decoded.source],
            writes=[scratch], still_wanted=still_wanted,
        )  # fmt: skip
        held, source = told["copy"], told["source"]
        if source is None or held["video"] is None:
            return held, None
        stamps = {name: np.fromfile(path, "<i8", frames.COUNT_MAX) for name, path in listed.items()}
    finally:
        for path in listed.values():
            path.unlink(missing_ok=True)
    times = frames.matched(
        stamps["source"], Fraction(*source["unit"]), stamps["copy"], Fraction(*told["unit"]), source["begins_s"]
    )
    held["pictures"], held["pictures_of_source"] = len(stamps["copy"]), len(times)
    held["pictures_lost"] = max(0, len(times) - len(stamps["copy"]))
    if (late_s := source["sound_begins_s"]) is not None:
        held["sound_begins_s"] = round(late_s, 3)
    return held, times


def judge(copy: str, source: str | None, demuxer: str, folder: str, names: dict[str, str]) -> dict[str, Any]:
    """{"copy": as `contents_of` says, "unit": of its pictures' stamps, "source": {"unit", "begins_s", "sound_begins_s"}
    or None}; the stamps of their pictures are in files of 64-bit numbers in the folder. Each is read once.

    Run in the cage. source: None where the copy has no pictures. begins_s: where its clock begins; sound_begins_s:
    after its first picture, None without sound.
    """
    import av

    walked = _walked(copy, "mov")
    held = _held(copy, "mov", walked)
    original = None
    if source is not None and held["video"] is not None:
        with contextlib.suppress(av.FFmpegError):
            original = _walked(source, demuxer)
    if original is None or not original.stamps or not walked.stamps:
        return {"copy": held, "unit": None, "source": None}
    for name, one in (("copy", walked), ("source", original)):
        np.array(one.stamps, "<i8").tofile(Path(folder) / names[name])
    first_s = float(min(original.stamps) * original.unit)
    about = {
        "unit": list(original.unit.as_integer_ratio()),
        "begins_s": original.begins_s,
        "sound_begins_s": None if original.sound_s is None else original.sound_s - first_s,
    }
    return {"copy": held, "unit": list(walked.unit.as_integer_ratio()), "source": about}


def contents_of(path: str, demuxer: str) -> dict[str, Any]:
    """What a recording holds, by reading all its packets and decoding its beginning and its end.

    Run in the cage. Returns {"end_s": last shown moment of all streams, "video": {"width", "height", "end_s"} or
    None, "audio": {"end_s"} or None}; a stream that does not decode counts as absent.
    """
    return _held(path, demuxer, _walked(path, demuxer))


@dataclass
class _Walked:
    """What all packets of a recording say: where each stream ends, and the stamps of the pictures that are shown.

    sound_s: where the first sound begins.
    """

    begins_s: float
    ends: dict[int, float]
    unit: Fraction = Fraction(1, 90_000)
    stamps: list[int] = field(default_factory=list)
    sound_s: float | None = None


def _walked(path: str, demuxer: str) -> _Walked:
    """Damage counts as the end."""
    import av

    with av.open(path, format=demuxer, options=told(demuxer)) as container:
        walked = _Walked((container.start_time or 0) / av.time_base, {one.index: 0.0 for one in container.streams})
        shown = [one for one in container.streams.video if not one.disposition & av.stream.Disposition.attached_pic]
        main = shown[0].index if shown else -1
        sound = container.streams.audio[0].index if container.streams.audio else -1
        if shown:
            walked.unit = shown[0].time_base or walked.unit
        try:
            for packet in container.demux():
                if packet.pts is None or packet.time_base is None or packet.size == 0:
                    continue
                number = packet.stream_index
                end_s = float(packet.pts * packet.time_base) + length_s(packet)
                walked.ends[number] = max(walked.ends[number], end_s)
                if number == main and not packet.is_discard:
                    walked.stamps.append(packet.pts)
                elif number == sound and walked.sound_s is None and not packet.is_discard:
                    walked.sound_s = float(packet.pts * packet.time_base)
        except (av.FFmpegError, ValueError, IndexError, KeyError):
            pass
    return walked


def _held(path: str, demuxer: str, walked: _Walked) -> dict[str, Any]:
    held: dict[str, Any] = {"end_s": 0.0, "video": None, "audio": None}
    for kind in ("video", "audio"):
        frame_size = _decoded_size(path, demuxer, kind)
        if frame_size is None:
            continue
        index, size = frame_size
        held[kind] = {"end_s": walked.ends[index], **size}
        held["end_s"] = max(held["end_s"], walked.ends[index])
    return held


def told(demuxer: str) -> dict[str, str]:
    """How FFmpeg's libraries are bounded as the program is."""
    return {name: str(value) for name, value in bounds(demuxer).items() if name != "f"}


def _decoded_size(path: str, demuxer: str, kind: str) -> tuple[int, dict[str, int]] | None:
    """The stream's index and its picture size, after its first frame and its last stretch decoded; None where not."""
    import av

    with av.open(path, format=demuxer, options=told(demuxer)) as container:
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
