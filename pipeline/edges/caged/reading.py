"""What the caged readers share: the ends of a file, the boxes and chunks in it, and the plain form of what they found.

Everything here runs inside the cage, on bytes nobody vouches for.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

from pipeline.errors import CasereelError, Unreadable

Row = tuple[str, str, Any]  # a property's name, the text as it stood in the file, what was understood
CaveatRow = tuple[str, str, str]  # a caveat's code, its text in English, its text in Chinese

END_BYTES: Final = 64 << 10
FOUND_MAX_CHARS: Final = 2000  # longer texts are no dates, names or numbers
ROWS_MAX: Final = 500
BOX_DEPTH_MAX: Final = 8
BOXES_MAX: Final = 20_000


def ends_of(path: str, at: int = 0) -> tuple[bytes, bytes]:
    """The 64 KiB from `at` on, and the last 64 KiB of the file."""
    with Path(path).open("rb") as stream:
        stream.seek(at)
        head = stream.read(END_BYTES)
        size = stream.seek(0, 2)
        stream.seek(max(0, size - END_BYTES))
        return head, stream.read(END_BYTES)


def start_of(path: str, most_bytes: int) -> bytes:
    """The file's first bytes, at most so many."""
    with Path(path).open("rb") as stream:
        return stream.read(most_bytes)


def answer(rows: Iterable[Row], caveats: Iterable[CaveatRow] = ()) -> dict[str, Any]:
    """The plain data an extractor returns; of one name the first row counts, rows without text are dropped."""
    kept: dict[str, list[Any]] = {}
    for name, found, value in rows:
        text = _printable(found)
        if text and name not in kept and len(kept) < ROWS_MAX:
            kept[name] = [name, text, _plain(value)]
    return {"properties": list(kept.values()), "caveats": [list(one) for one in dict.fromkeys(caveats)]}


def fact(name: str, value: Any) -> Iterator[Row]:
    """One row whose text is the value itself, none where the value is None."""
    if value is not None:
        yield name, str(value), value


def read_together(readers: list[list[str]], path: str) -> list[dict[str, Any]]:
    """What each reader returns, in their order; {"unreadable": reason, "zh": in Chinese} where one failed on the file.

    readers: [module, function] of each. Runs in the cage: starting a child costs more than most files take to read.
    """
    return [_read(module, function, path) for module, function in readers]


def _read(module: str, function: str, path: str) -> dict[str, Any]:
    try:
        return dict(getattr(importlib.import_module(module), function)(path))
    except CasereelError as error:
        return {"unreadable": error.sentence, "zh": error.zh}
    except MemoryError:  # not this reader's fault alone: each is to be tried by itself
        raise
    except Exception as error:  # a hostile file may raise anything
        return {"unreadable": f"{module.rsplit('.', 1)[-1]} cannot read it: {type(error).__name__}: {error}"[:300]}


def _printable(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8").replace("\x00", " ").strip()[:FOUND_MAX_CHARS]


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 9) if math.isfinite(value) else None
    return _printable(value) if isinstance(value, str) else _finite(value)


def _finite(value: Any) -> Any:
    """The same with None for each number that is infinite or undefined, which no record can hold."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return {name: _finite(one) for name, one in value.items()} if isinstance(value, dict) else value


# One packet of sound plays for a second at most; where the last of an Ogg ends before it begins, FFmpeg says 27 hours.
SOUND_PACKET_MAX_S: Final = 60.0


def length_s(packet: Any) -> float:
    """How long one packet that FFmpeg took out of a file plays, nought where it does not say or cannot be right."""
    said_s = float((packet.duration or 0) * packet.time_base)
    return 0.0 if packet.stream.type == "audio" and said_s > SOUND_PACKET_MAX_S else said_s


# -- boxes (ISO/IEC 14496-12) and chunks (RIFF, AIFF)


@dataclass(frozen=True)
class Box:
    """A box or chunk: its type, where its content begins and ends. whole: whether the file reaches that far."""

    type: bytes
    start: int
    end: int
    whole: bool

    def content(self, stream: BinaryIO, most_bytes: int = 1 << 20) -> bytes:
        stream.seek(self.start)
        return stream.read(max(0, min(self.end - self.start, most_bytes)))


def boxes_in(stream: BinaryIO, start: int, end: int) -> Iterator[Box]:
    """The boxes that follow one another from start to end; stops at the first that cannot be one."""
    for _ in range(BOXES_MAX):
        if start + 8 > end:
            return
        stream.seek(start)
        header = stream.read(16)
        if len(header) < 8:
            return
        size, begins = int.from_bytes(header[:4], "big"), start + 8
        if size == 1 and len(header) == 16:
            size, begins = int.from_bytes(header[8:], "big"), start + 16
        stops = end if size == 0 else start + size
        if stops < begins:
            return
        yield Box(header[4:8], begins, min(stops, end), stops <= end)
        start = stops


def boxes_at(stream: BinaryIO, path: str) -> Iterator[Box]:
    """Every box at this path of types (`moov/trak/tkhd`), in the order of the file."""

    def below(start: int, end: int, names: list[bytes]) -> Iterator[Box]:
        for box in boxes_in(stream, start, end):
            if box.type == names[0]:
                if len(names) == 1:
                    yield box
                else:
                    yield from below(box.start, box.end, names[1:])

    names = [name.encode("latin-1") for name in path.split("/")]
    if len(names) > BOX_DEPTH_MAX:
        raise Unreadable(f"No box lies as deep as {path}", path=path)
    return below(0, stream.seek(0, 2), names)


def chunks_in(stream: BinaryIO, start: int, end: int, order: str = "little") -> Iterator[Box]:
    """The RIFF ('little') or AIFF ('big') chunks that follow one another from start to end."""
    for _ in range(BOXES_MAX):
        if start + 8 > end:
            return
        stream.seek(start)
        header = stream.read(8)
        if len(header) < 8:
            return
        size = int.from_bytes(header[4:], "little" if order == "little" else "big")
        stops = start + 8 + size
        yield Box(header[:4], start + 8, min(stops, end), stops <= end)
        start = stops + size % 2


@dataclass(frozen=True)
class Segment:
    """A JPEG segment: its marker, where its content begins, how long that says it is."""

    marker: int
    start: int
    length: int


JPEG_SCAN: Final = 0xDA


def segments_in(stream: BinaryIO) -> Iterator[Segment]:
    """The segments of a JPEG up to the first scan of its picture, that one included (ISO/IEC 10918-1, annex B)."""
    at = 2
    for _ in range(BOXES_MAX):
        stream.seek(at)
        header = stream.read(4)
        if len(header) < 4 or header[0] != 0xFF:
            return
        marker, length = header[1], int.from_bytes(header[2:], "big")
        if marker == 0xFF:  # filling
            at += 1
            continue
        if marker in (0xD8, 0x01) or 0xD0 <= marker <= 0xD7:  # marks without content
            at += 2
            continue
        if marker == 0xD9:
            return
        yield Segment(marker, at + 4, max(0, length - 2))
        if marker == JPEG_SCAN:
            return
        at += 2 + length
