"""Pixels and samples of a recording through a pipe, and what a made recording really holds.

ffmpeg decodes in its cage; here only raw numbers of a known size arrive, in pieces, so that a long recording
needs no more memory than a short one.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import ffmpeg
import numpy as np
from numpy.typing import NDArray

from pipeline.edges.cage import Ended, Limits
from pipeline.edges.tools import DECODERS, Tools, bounds
from pipeline.errors import Unreadable

HOURS_MAX: Final = 24
# Two frames ten hours apart would be filled with copies of the first one; this ends it.
SECONDS_MAX: Final = HOURS_MAX * 3600


class Items:
    """Cuts bytes that arrive in any pieces into arrays of whole items, `batch` at a time; `end` hands over the rest."""

    def __init__(
        self, shape: tuple[int, ...], kind: type[np.generic], batch: int, sink: Callable[[NDArray[Any]], None]
    ) -> None:
        self.count = 0
        self._shape, self._kind, self._sink = shape, np.dtype(kind), sink
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
        self._sink(items)


def grey_frames(
    tools: Tools,
    source: Path,
    format_name: str,
    sink: Callable[[NDArray[np.uint8]], None],
    *,
    fps: float,
    side_px: int,
    limits: Limits,
    seconds_max: int = SECONDS_MAX,
    still_wanted: Callable[[], None] = lambda: None,
) -> int:
    """How many frames were handed to sink, in batches of shape (n, side_px, side_px), turned upright, squeezed square.

    Frame k is what is shown k / fps seconds after the recording starts, its first frame standing until the second.
    Raises Unreadable where not one frame decodes, or where the program had to be ended.
    """
    frames = Items((side_px, side_px), np.uint8, 32, sink)
    output = ffmpeg.output(
        tools.input(source, format_name, threads=1)["V:0"],
        "pipe:3",
        vf=f"fps={fps}:start_time=0,scale={side_px}:{side_px}:flags=area,format=gray",
        f="rawvideo",
        **{"frames:v": int(seconds_max * fps)},
    )
    ended = tools.run(output, limits=limits, still_wanted=still_wanted, pipes={3: frames})
    return _all_of(frames, ended, "pictures")


def mono_samples(
    tools: Tools,
    source: Path,
    format_name: str,
    sink: Callable[[NDArray[np.int16]], None],
    *,
    rate_hz: int,
    limits: Limits,
    seconds_max: int = SECONDS_MAX,
    still_wanted: Callable[[], None] = lambda: None,
) -> int:
    """How many samples were handed to sink, in batches of shape (n,), all channels mixed into one.

    Sample k sounds k / rate_hz seconds after the recording starts; holes in the recording are silence.
    Raises Unreadable where nothing decodes, or where the program had to be ended.
    """
    samples = Items((), np.int16, rate_hz * 4, sink)
    output = ffmpeg.output(
        tools.input(source, format_name, threads=1)["a:0"],
        "pipe:3",
        af="aresample=async=1:first_pts=0",
        ac=1,
        ar=rate_hz,
        f="s16le",
        t=seconds_max,
    )
    ended = tools.run(output, limits=limits, still_wanted=still_wanted, pipes={3: samples})
    return _all_of(samples, ended, "sound")


def _all_of(items: Items, ended: Ended, what: str) -> int:
    if ended.why or ended.code != 0:
        reasons = {"time": "took too long", "memory": "needed too much memory", "stalled": "stood still"}
        raise Unreadable(f"Decoding the {what} {reasons.get(ended.why, 'failed')}", stderr=ended.stderr[-500:])
    if items.end() == 0:
        raise Unreadable(f"No {what} can be decoded", code=ended.code, stderr=ended.stderr[-500:])
    return items.count


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
