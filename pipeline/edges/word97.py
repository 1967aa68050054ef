"""The text of Word's binary documents (Word 6 to 2003, and WPS, which writes the same), as pages of lines.

A document is pieces of text, each with its place in the stream, put together by a table. Run in the cage.
Not covered: headers, footers, notes and text boxes; text that was deleted while changes were tracked is read as text.
Source: [MS-DOC] 2.4.1 (retrieving text), 2.5 (the FIB), 2.8.35 (PlcPcd), 2.9.73 (FcCompressed); Word 6 and 95: the same
fields, text in one run of the system's code page.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import Any, Final

from pipeline.errors import Unreadable

Pages = tuple[tuple[str, ...], ...]

# Bits of the word at 0x0A.
ENCRYPTED, SECOND_TABLE = 0x0100, 0x0200
WORD_97: Final = 0x00C1
MARK: Final = 0xA5EC
PIECES_MAX: Final = 200_000
STREAM_BYTES: Final = 64 << 20
# Languages whose eight-bit text is not Western: [MS-LCID].
CODE_PAGES: Final = {
    0x0804: "gb18030",
    0x1004: "gb18030",
    0x0404: "big5",
    0x0C04: "big5",
    0x0411: "cp932",
    0x0412: "cp949",
}


def pages_of_word(data: bytes, table_of: Any) -> Pages:
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
        return _pages_in(data[first:end].decode(CODE_PAGES.get(language, "cp1252"), "replace"))
    (length,) = struct.unpack_from("<i", data, 0x4C)
    at, size = struct.unpack_from("<II", data, 0x1A2)
    table = table_of(1 if flags & SECOND_TABLE else 0)[at : at + size]
    text = "".join(_pieces(data, table, CODE_PAGES.get(language, "cp1252")))
    return _pages_in(text[: max(0, length)])


def _pieces(data: bytes, table: bytes, code_page: str) -> Iterator[str]:
    at = 0
    while at < len(table) and table[at] == 1:  # formatting of the pieces
        at += 3 + int.from_bytes(table[at + 1 : at + 3], "little")
    if at + 5 > len(table) or table[at] != 2:
        raise _damaged("the table of its pieces is missing")
    size = int.from_bytes(table[at + 1 : at + 5], "little")
    places = table[at + 5 : at + 5 + size]
    count = min((len(places) - 4) // 12, PIECES_MAX)
    starts = struct.unpack_from(f"<{count + 1}I", places, 0)
    for number in range(count):
        (where,) = struct.unpack_from("<I", places, 4 * (count + 1) + 8 * number + 2)
        length = min(max(0, starts[number + 1] - starts[number]), len(data))
        if where & 0x40000000:
            begins = (where & 0x3FFFFFFF) // 2
            yield data[begins : begins + length].decode(code_page, "replace")
        else:
            yield data[where : where + 2 * length].decode("utf-16-le", "replace")


# Instructions of fields, from their beginning to what they show; fields may lie in fields.
_FIELD: Final = re.compile("\x13[^\x13\x14\x15]*\x14([^\x13\x14\x15]*)\x15|\x13[^\x13\x14\x15]*\x15")
_SIGNS: Final = str.maketrans({
    "\r": "\n", "\v": "\n", "\x07": "\t", "\x1e": "-", "\x0e": "\n", "\xa0": " ",
    **dict.fromkeys("\0\1\2\3\4\5\6\b\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1f", ""),
})  # fmt: skip
FIELDS_DEEP: Final = 8


def _pages_in(text: str) -> Pages:
    for _ in range(FIELDS_DEEP):
        text, count = _FIELD.subn(lambda found: found[1] or "", text)
        if not count:
            break
    # A row of a table ends with one mark more than it has cells.
    shown = text.replace("\x07\x07", "\n").translate(_SIGNS)
    return tuple(tuple(line.rstrip("\t") for line in page.splitlines()) for page in shown.split("\f"))


def _damaged(why: str) -> Unreadable:
    return Unreadable(f"The Word document is damaged: {why}", zh="Word 文档已损坏，无法读取文字")
