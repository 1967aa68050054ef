"""The text of Word's binary documents (Word 6 to 2003, and WPS, which writes the same), as pages of lines.

A document is pieces of text, each with its place in the stream, put together by a table. Run in the cage.
Not covered: headers, footers, notes and text boxes; text that was deleted while changes were tracked is read as text.
Source: [MS-DOC] 2.4.1 (retrieving text), 2.5 (the FIB), 2.8.35 (PlcPcd), 2.9.73 (FcCompressed); Word 6 and 95: the same
fields, text in one run of the system's code page.
"""

from __future__ import annotations

import re
import struct
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from pipeline.errors import Unreadable
from pipeline.writings import Writing

# Bits of the word at 0x0A.
ENCRYPTED, SECOND_TABLE = 0x0100, 0x0200
WORD_97: Final = 0x00C1
MARK: Final = 0xA5EC
PIECES_MAX: Final = 200_000
# sprmPFTtp, set ([MS-DOC] 2.6.2), and what stands in the text for a mark that has it.
ROW_MARK: Final = b"\x17\x24\x01"
ROW_END: Final = "\ue000"
STREAM_BYTES: Final = 64 << 20
# Of Word 6 and 95: languages whose text is not Western ([MS-LCID]).
CODE_PAGES: Final = {
    0x0804: "gb18030",
    0x1004: "gb18030",
    0x0404: "big5",
    0x0C04: "big5",
    0x0411: "cp932",
    0x0412: "cp949",
}


def of_word(data: bytes, table_of: Callable[[int], bytes]) -> Writing:
    """The text of the stream `WordDocument`. table_of: number of the table stream -> its bytes.

    Raises Unreadable where it is damaged, PermissionError where it asks for a password.
    """
    if len(data) < 0x1AA:
        raise _damaged("it ends in its head")
    mark, version = struct.unpack_from("<HH", data, 0)
    language, flags = struct.unpack_from("<H2xH", data, 6)
    if flags & ENCRYPTED:
        raise PermissionError
    if version < WORD_97 or mark != MARK:
        first, end = struct.unpack_from("<II", data, 0x18)
        if not 0 < first <= end <= len(data):
            raise _damaged("its text lies outside of it")
        return Writing(_pages_in(data[first:end].decode(CODE_PAGES.get(language, "cp1252"), "replace")))
    (length,) = struct.unpack_from("<i", data, 0x4C)
    table = table_of(1 if flags & SECOND_TABLE else 0)
    pieces = _pieces_in(_part(data, table, 0x1A2))
    rows = sorted(_row_ends(data, _part(data, table, 0x102)))
    text = "".join(_read(data, piece, rows) for piece in pieces[:PIECES_MAX])
    return Writing(_pages_in(text[: max(0, length)]), is_cut=len(pieces) > PIECES_MAX or len(data) > STREAM_BYTES)


def _part(data: bytes, table: bytes, at: int) -> bytes:
    """What the head says, here, that lies in the table stream."""
    begins, size = struct.unpack_from("<II", data, at)
    return table[begins : begins + size]


@dataclass(frozen=True)
class _Piece:
    """So many letters from this byte of the stream on. width: bytes of a letter."""

    at: int
    letters: int
    width: int


def _pieces_in(table: bytes) -> list[_Piece]:
    at = 0
    while at < len(table) and table[at] == 1:  # formatting of the pieces
        at += 3 + int.from_bytes(table[at + 1 : at + 3], "little")
    if at + 5 > len(table) or table[at] != 2:
        raise _damaged("the table of its pieces is missing")
    size = int.from_bytes(table[at + 1 : at + 5], "little")
    places = table[at + 5 : at + 5 + size]
    count = max(0, (len(places) - 4) // 12)
    starts = struct.unpack_from(f"<{count + 1}I", places, 0)
    found = []
    for number in range(count):
        (where,) = struct.unpack_from("<I", places, 4 * (count + 1) + 8 * number + 2)
        letters = max(0, starts[number + 1] - starts[number])
        is_narrow = bool(where & 0x40000000)
        found.append(_Piece((where & 0x3FFFFFFF) // 2 if is_narrow else where, letters, 1 if is_narrow else 2))
    return found


def _read(data: bytes, piece: _Piece, rows: list[int]) -> str:
    """Its text, where marks that end a row of a table are ROW_END; eight-bit letters are Western in every country."""
    bytes_ = data[piece.at : piece.at + piece.letters * piece.width]
    text = bytes_.decode("cp1252" if piece.width == 1 else "utf-16-le", "replace")
    for end in rows[bisect_right(rows, piece.at) : bisect_right(rows, piece.at + len(bytes_))]:
        letter = (end - piece.at) // piece.width - 1
        if text[letter : letter + 1] == "\x07" and len(text) * piece.width == len(bytes_):
            text = text[:letter] + ROW_END + text[letter + 1 :]
    return text


def _row_ends(data: bytes, table: bytes) -> Iterator[int]:
    """Where in the stream rows end: behind paragraphs of which the formatting says so ([MS-DOC] 2.8.5, 2.9.174)."""
    count = (len(table) - 4) // 8
    for number in range(min(max(0, count), PIECES_MAX)):
        (page,) = struct.unpack_from("<I", table, 4 * (count + 1) + 4 * number)
        page_at = (page & 0x3FFFFF) * 512
        if page_at + 512 > len(data):
            continue
        runs = data[page_at + 511]
        if 4 * (runs + 1) + 13 * runs > 511:
            continue
        ends = struct.unpack_from(f"<{runs}I", data, page_at + 4)
        for run, end in enumerate(ends):
            at = page_at + 2 * data[page_at + 4 * (runs + 1) + 13 * run]
            words = data[at] or data[min(at + 1, len(data) - 1)]
            if at != page_at and ROW_MARK in data[at : min(at + 2 * words + 2, page_at + 511)]:
                yield end


# Instructions of fields, from their beginning to what they show; fields may lie in fields.
_FIELD: Final = re.compile("\x13[^\x13\x14\x15]*\x14([^\x13\x14\x15]*)\x15|\x13[^\x13\x14\x15]*\x15")
_SIGNS: Final = str.maketrans({
    "\r": "\n", "\v": "\n", "\x07": "\t", "\x1e": "-", "\x0e": "\n", "\xa0": " ",
    **dict.fromkeys("\0\1\2\3\4\5\6\b\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1f", ""),
})  # fmt: skip
FIELDS_DEEP: Final = 8


def _pages_in(text: str) -> tuple[tuple[str, ...], ...]:
    for _ in range(FIELDS_DEEP):
        text, count = _FIELD.subn(lambda found: found[1] or "", text)
        if not count:
            break
    # A row of a table ends with one mark more than it has cells; told so, or guessed.
    text = text.replace("\x07" + ROW_END, "\n") if ROW_END in text else text.replace("\x07\x07", "\n")
    shown = text.translate(_SIGNS)
    return tuple(tuple(line.rstrip("\t") for line in page.splitlines()) for page in shown.split("\f"))


def _damaged(why: str) -> Unreadable:
    return Unreadable(f"The Word document is damaged: {why}", zh="Word 文档已损坏，无法读取文字")
