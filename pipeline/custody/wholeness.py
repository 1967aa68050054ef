"""Whether a container visibly ends in the middle: a copy that stopped looks so, and so does a lost recording.

It only makes intake more patient; a file that stays like this is evidence all the same. Pure over two pieces of
the file. Covers ISO base media (MP4, MOV, HEIC), RIFF (AVI, WAV, WebP), JPEG and PNG; of anything else it
says nothing. Sources: ISO/IEC 14496-12 box structure; RIFF chunk sizes; JPEG EOI and PNG IEND markers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

BOXES_MAX: Final = 4096
ReadAt = Callable[[int, int], bytes]


def is_unfinished(read_at: ReadAt, size_bytes: int) -> bool:
    """Whether more bytes must come. read_at(offset, length) gives what the file holds there, shorter at its end."""
    head = read_at(0, 16)
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"):
        return _boxes_unfinished(read_at, size_bytes)
    if head[:4] in (b"RIFF", b"RF64") and len(head) >= 12:
        stated = int.from_bytes(head[4:8], "little")
        return 0 < stated < 0xFFFFFFFF and stated + 8 > size_bytes
    if head[:3] == b"\xff\xd8\xff":
        return b"\xff\xd9" not in read_at(max(0, size_bytes - (64 << 10)), 64 << 10)
    if head[:8] == b"\x89PNG\r\n\x1a\n":
        return b"IEND" not in read_at(max(0, size_bytes - (64 << 10)), 64 << 10)
    return False


def _boxes_unfinished(read_at: ReadAt, size_bytes: int) -> bool:
    offset, kinds = 0, set[bytes]()
    for _ in range(BOXES_MAX):
        header = read_at(offset, 16)
        if len(header) < 8:
            break
        length = int.from_bytes(header[:4], "big")
        kinds.add(header[4:8])
        if length == 0:
            break
        if length == 1 and len(header) == 16:
            length = int.from_bytes(header[8:16], "big")
        if length < 8:
            return False
        offset += length
        if offset > size_bytes:
            return True
        if offset == size_bytes:
            break
    return b"mdat" in kinds and not kinds & {b"moov", b"meta", b"moof"}
