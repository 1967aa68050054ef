"""Pictures of a recording (MP4, MOV) whose index was never written, put together from its media data.

The media data are walked for NAL units of H.264 and H.265: behind start codes, or behind their lengths as cameras write
them, with sound in between that is stepped over. What decoders must know first (parameter sets) stands among them, or
comes from a recording of the same device. Not covered: the sound, whose frames nothing tells apart; times of pictures;
other codecs.
Sources: ISO/IEC 14496-15 (avcC, hvcC), ITU-T H.264 7.3 and H.265 7.3 (NAL units, slice headers), H.264 annex B.
"""

from __future__ import annotations

import contextlib
import mmap
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pipeline.edges.caged.reading import boxes_in
from pipeline.edges.tools import DECODERS
from pipeline.errors import Unreadable

START: Final = b"\0\0\0\1"
# Larger than any picture of a camera, 8K included.
UNIT_MAX_BYTES: Final = 12 << 20
# A length that is this many times that of the largest key picture before it is none.
GROWTH: Final = 12
GROWN_FROM_BYTES: Final = 64 << 10
# Parameter sets of its own stand among a recording's first units, or not at all.
OWN_WITHIN: Final = 200
LOOKED_FOR_BYTES: Final = 1 << 20
PICTURES_MIN: Final = 2
# So many pictures are tried before it is believed that all can be shown.
SHOWN_OF: Final = 60
BY_CHANCE_MAX: Final = 3
# profile_idc of H.264, annex A.
PROFILES: Final = frozenset((44, 66, 77, 88, 100, 110, 122, 144, 244))
# A unit never holds these: they would be taken for the start of another one.
_FORBIDDEN: Final = re.compile(rb"\x00\x00[\x00-\x02]")
_FILLED: Final = re.compile(rb"[^\x00]")


@dataclass(frozen=True)
class Codec:
    """How one codec's units look. parameters: the types that a decoder needs first; slices, keys: types of pictures."""

    name: str
    parameters: frozenset[int]
    slices: frozenset[int]
    keys: frozenset[int]
    others: frozenset[int]

    def type_of(self, unit: bytes) -> int:
        """The type of a unit that begins like this, -1 where none does."""
        if len(unit) < 2 or unit[0] & 0x80:
            return -1
        kind = unit[0] & 0x1F if self.name == "h264" else unit[0] >> 1 & 0x3F
        if kind not in self.parameters | self.slices | self.others or not self._is_usual(unit, kind):
            return -1
        return kind

    def _is_usual(self, unit: bytes, kind: int) -> bool:
        if self.name == "hevc":  # one layer; the slices of a picture begin with one that says so
            return not unit[0] & 1 and 1 <= unit[1] <= 7 and (kind not in self.slices or unit[1] == 1 or kind < 16)
        used = unit[0] >> 5
        if kind in self.others:
            return used == 0
        if kind in self.parameters:
            return used > 0 and (kind != 7 or unit[1] in PROFILES)
        return _is_slice(unit, key=kind in self.keys) and (used > 0 or kind not in self.keys)

    def begins_picture(self, unit: bytes) -> bool:
        """Whether this slice is its picture's first."""
        at = 1 if self.name == "h264" else 2
        return len(unit) > at and bool(unit[at] & 0x80)


H264: Final = Codec("h264", frozenset((7, 8)), frozenset((1, 5)), frozenset((5,)), frozenset((6, 9, 10, 11, 12)))
HEVC: Final = Codec(
    "hevc", frozenset((32, 33, 34)), frozenset((*range(10), *range(16, 22))), frozenset(range(16, 22)),
    frozenset((35, 36, 37, 38, 39, 40)),
)  # fmt: skip
CODECS: Final = {"h264": H264, "hevc": HEVC}


def _is_slice(unit: bytes, *, key: bool) -> bool:
    """Whether a slice header of H.264 begins like this: its first block, a type of 0 to 9, few picture parameters.

    key: of a key picture, whose slices refer to no other.
    """
    bits = int.from_bytes(unit[1:9].ljust(8, b"\0"), "big")
    at, values = 64, []
    for _ in range(3):
        zeros = 0
        while at > 24 and not bits >> (at - 1) & 1:
            zeros, at = zeros + 1, at - 1
        if at - zeros <= 0:
            return False
        at -= zeros + 1
        values.append((1 << zeros | bits >> at & (1 << zeros) - 1) - 1)
    return values[1] <= 9 and values[2] <= 15 and (not key or values[1] % 5 in (2, 4))


def rescue(path: str, target: str, known: list[dict[str, Any]]) -> dict[str, Any]:
    """The pictures' units, behind start codes, are in the target file. Run in the cage.

    known: what `parameters_of` says of recordings of the same device, the likeliest first. Returns {"codec",
    "pictures", "key_pictures", "from": which of the known was used, None where the file itself holds what decoders
    need, "share": of the media data that were taken}. Raises Unreadable where it holds no pictures, or nobody's
    parameters fit.
    """
    with Path(path).open("rb") as stream:
        begin, end = _media_begin(stream), _filled_end(stream)
        if end <= begin:
            raise Unreadable("its media data were never written", zh="媒体数据从未写入")
        with mmap.mmap(stream.fileno(), end, access=mmap.ACCESS_READ) as data:
            return _rescued(data, begin, target, known)


def _rescued(data: mmap.mmap, begin: int, target: str, known: Sequence[dict[str, Any]]) -> dict[str, Any]:
    tried = [_tried(data, begin, codec) for codec in CODECS.values()]
    found = sorted((one for one in tried if one[0] >= PICTURES_MIN), key=lambda one: -one[0])
    if not found:
        raise Unreadable("no pictures of H.264 or H.265 are found in it", zh="其中没有 H.264 或 H.265 画面")
    for _, codec, framed in found:
        for way, parameters in _ways(data, begin, codec, framed, known):
            about = _written(data, begin, codec, framed, parameters, target)
            if about["pictures"] >= PICTURES_MIN and _is_shown(target, codec, about["pictures"]):
                return {**about, "from": way}
    raise Unreadable(
        "what a decoder needs to know of its pictures stood in the index", zh="解码所需的信息存放在已缺失的索引中"
    )


def _ways(
    data: mmap.mmap, begin: int, codec: Codec, framed: bool, known: Sequence[dict[str, Any]]
) -> Iterator[tuple[int | None, list[bytes]]]:
    """Whose parameters may fit, and which they are: its own stand among its units, others' are put in front."""
    kinds = {codec.type_of(unit[:16]) for unit in _units(data, begin, codec, framed, OWN_WITHIN)}
    if codec.parameters <= kinds:
        yield None, []
    for number, one in enumerate(known):
        if one["codec"] == codec.name:
            yield number, [bytes.fromhex(unit) for unit in one["units"]]


def _is_shown(target: str, codec: Codec, pictures: int) -> bool:
    """Whether most of its first pictures decode without a fault; with another camera's parameters they do not."""
    import av

    from pipeline.edges.caged.media import told

    shown = given = 0
    with av.open(target, format=codec.name, options=told(codec.name)) as container:
        stream = container.streams.video[0]
        stream.codec_context.options = {"err_detect": "explode", "codec_whitelist": ",".join(DECODERS)}
        stream.codec_context.thread_count = 1
        for packet in container.demux(stream):
            given += 1
            with contextlib.suppress(av.FFmpegError, ValueError, EOFError):
                shown += len(packet.decode())
            if given == SHOWN_OF:
                break
    return shown * 2 >= min(given, pictures)


def _filled_end(stream: Any) -> int:
    """Where what was written ends: a card's empty space behind it is zeros."""
    end = stream.seek(0, 2)
    while end > 0:
        begin = max(0, end - LOOKED_FOR_BYTES)
        stream.seek(begin)
        if written := stream.read(end - begin).rstrip(b"\0"):
            return int(begin + len(written))
        end = begin
    return 0


def _media_begin(stream: Any) -> int:
    """Where the media data begin: behind the head of the first `mdat`, wherever that says that it ends."""
    size = stream.seek(0, 2)
    for box in boxes_in(stream, 0, size):
        if box.type in (b"moov", b"moof"):
            raise Unreadable("it has an index", zh="文件有索引")
        if box.type == b"mdat":
            return box.start
    raise Unreadable("it holds no media data", zh="文件中没有媒体数据")


def _tried(data: mmap.mmap, begin: int, codec: Codec) -> tuple[int, Codec, bool]:
    """How many slices this codec finds at the beginning, and whether they stand behind lengths (else start codes)."""
    counts = [
        (sum(codec.type_of(unit[:16]) in codec.slices for unit in _units(data, begin, codec, framed, 40)), framed)
        for framed in (True, False)
    ]
    count, framed = max(counts)
    return count, codec, framed


def _units(data: mmap.mmap, begin: int, codec: Codec, framed: bool, count_max: int = 1 << 40) -> Iterator[bytes]:
    found = _framed(data, begin, codec) if framed else _behind_start_codes(data, begin, codec)
    for _, unit in zip(range(count_max), found, strict=False):
        yield unit


def _framed(data: mmap.mmap, begin: int, codec: Codec) -> Iterator[bytes]:
    """Units behind their lengths of four bytes; what lies between them is stepped over."""
    at, end, largest, skipped, before = begin, len(data), 0, 0, -1
    while at + 8 < end:
        unit = _unit_at(data, at, end, codec, largest)
        kind = codec.type_of(unit[:16])
        # Parameter sets stand side by side; a lone one of the later kinds is text of the camera's, or sound.
        is_lone = kind in codec.parameters and kind != min(codec.parameters) and before not in codec.parameters
        if unit and not is_lone and not (skipped and _holds_units(data, at + 5, at + 4 + len(unit), codec, largest)):
            yield unit
            if kind in codec.keys:  # what comes before them is short and says nothing
                largest = max(largest, len(unit))
            at, skipped, before = at + 4 + len(unit), 0, kind
            continue
        before = -1
        # A length below 16 MB begins with a zero byte; a card's empty space is nothing but those.
        step = data.find(b"\0", at + 1, min(end, at + LOOKED_FOR_BYTES))
        if step >= 0 and data[step : step + 4] == bytes(4):
            filled = _FILLED.search(data, step)
            if filled is None:
                return
            step = max(step, filled.start() - 3)
        step = min(end, at + LOOKED_FOR_BYTES) if step < 0 else step
        skipped += step - at
        if not largest and skipped > LOOKED_FOR_BYTES:
            return
        at = step


def _holds_units(data: mmap.mmap, begin: int, end: int, codec: Codec, largest: int) -> bool:
    """Whether two units stand back to back in there, or several apart: then what seems to be one around them is sound.

    In the middle of a true unit one may seem to begin by chance, about once in a million bytes.
    """
    at, count = data.find(b"\0", begin, end), 0
    while at >= 0:
        unit = _unit_at(data, at, end, codec, largest)
        count += bool(unit)
        if count == BY_CHANCE_MAX or (unit and _unit_at(data, at + 4 + len(unit), len(data), codec, largest)):
            return True
        at = data.find(b"\0", at + 4 + len(unit) if unit else at + 1, end)
    return False


def _unit_at(data: mmap.mmap, at: int, end: int, codec: Codec, largest: int) -> bytes:
    most = min(UNIT_MAX_BYTES, max(GROWN_FROM_BYTES, largest * GROWTH) if largest else UNIT_MAX_BYTES)
    length = int.from_bytes(data[at : at + 4], "big")
    if not 2 <= length <= most or at + 4 + length > end or codec.type_of(data[at + 4 : at + 4 + min(length, 16)]) < 0:
        return b""
    unit = data[at + 4 : at + 4 + length]
    return b"" if unit[-1] == 0 or _FORBIDDEN.search(unit) else unit


def _behind_start_codes(data: mmap.mmap, begin: int, codec: Codec) -> Iterator[bytes]:
    at = data.find(START[1:], begin, begin + LOOKED_FOR_BYTES)
    while at >= 0:
        after = data.find(START[1:], at + 3)
        yield from _plain(data[at + 3 : min(after if after >= 0 else len(data), at + UNIT_MAX_BYTES)], codec)
        at = after


def _plain(unit: bytes, codec: Codec) -> Iterator[bytes]:
    unit = unit.rstrip(b"\0")
    if codec.type_of(unit[:16]) >= 0:
        yield unit


def _written(
    data: mmap.mmap, begin: int, codec: Codec, framed: bool, parameters: Sequence[bytes], target: str
) -> dict[str, Any]:
    """From the first key picture on, before which nothing can be decoded."""
    pictures = keys = taken = 0
    waiting: list[bytes] = []
    with Path(target).open("wb") as out:
        out.writelines(START + unit for unit in parameters)
        for unit in _units(data, begin, codec, framed):
            kind = codec.type_of(unit[:16])
            taken += len(unit)
            if not keys and kind not in codec.keys:
                waiting += [unit] if kind in codec.parameters else []
                continue
            out.writelines(START + one for one in (*waiting, unit))
            waiting = []
            begins = kind in codec.slices and codec.begins_picture(unit)
            pictures += begins
            keys += begins and kind in codec.keys
    share = round(taken / max(1, len(data) - begin), 3)
    return {"codec": codec.name, "pictures": pictures, "key_pictures": keys, "share": share}


def parameters_of(path: str, demuxer: str) -> dict[str, Any]:
    """{"codec", "units": parameter sets, in hexadecimal, "fps": numerator and denominator} of a good MP4 or MOV.

    Run in the cage. Raises Unreadable where it holds neither H.264 nor H.265 with lengths of four bytes.
    """
    import av

    from pipeline.edges.caged.media import told

    with av.open(path, format=demuxer, options=told(demuxer)) as container:
        stream = next(iter(container.streams.video), None)
        name = stream.codec_context.name if stream is not None else ""
        held = bytes(stream.codec_context.extradata or b"") if stream is not None else b""
        if stream is None or name not in CODECS or len(held) < 7 or held[0] != 1:
            raise Unreadable("its pictures are of another kind", zh="画面为其他编码")
        units, length = _avcc(held) if name == "h264" else _hvcc(held)
        if length != 4 or not units:
            raise Unreadable("its pictures are kept in another way", zh="画面以其他方式存放")
        rate = stream.average_rate or stream.guessed_rate
        fps = [rate.numerator, rate.denominator] if rate else [25, 1]
        return {"codec": name, "units": [unit.hex() for unit in units], "fps": fps}


def _avcc(held: bytes) -> tuple[list[bytes], int]:
    units, at = [], 5
    for mask in (0x1F, 0xFF):
        count, at = held[at] & mask, at + 1
        for _ in range(count):
            length = int.from_bytes(held[at : at + 2], "big")
            units.append(held[at + 2 : at + 2 + length])
            at += 2 + length
        if at >= len(held):
            break
    return units, (held[4] & 3) + 1


def _hvcc(held: bytes) -> tuple[list[bytes], int]:
    units, at = [], 23
    for _ in range(held[22] if len(held) > 22 else 0):
        count, at = int.from_bytes(held[at + 1 : at + 3], "big"), at + 3
        for _ in range(count):
            length = int.from_bytes(held[at : at + 2], "big")
            units.append(held[at + 2 : at + 2 + length])
            at += 2 + length
    return units, (held[21] & 3) + 1
