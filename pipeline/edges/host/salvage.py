"""Reads a source that may lie on a dying card: every fault is tried again, and its place is known.

A piece that cannot be read after three tries ends the reading with its offset. Where a person asked for what can
still be read, its unreadable sectors are zeros instead, and each of them is named.
"""

from __future__ import annotations

import os
import time
from typing import Final

from pipeline.errors import CasereelError

TRIES: Final = 3
PAUSE_S: Final = 0.2  # doubled after each try: a card in a shaky reader often answers the second time
SECTOR_BYTES: Final = 4096


class ReadFault(CasereelError):
    """The source cannot be read at this offset; what lies before it was read."""

    def __init__(self, sentence: str, *, offset: int, code: int | None) -> None:
        super().__init__(sentence, offset=offset, errno=code)
        self.offset = offset


class Reader:
    """Reads one open file from its beginning. unreadable: [offset, length] of what is zeros in the copy."""

    def __init__(self, fd: int, size_bytes: int, *, partial: bool = False) -> None:
        self._fd, self._size, self._partial = fd, size_bytes, partial
        self._offset = 0
        self.unreadable: list[list[int]] = []

    def into(self, buffer: memoryview) -> int:
        """How many bytes of the buffer are filled, 0 at the end. Raises ReadFault."""
        error: OSError | None = None
        for number in range(TRIES):
            if number:
                time.sleep(PAUSE_S * 2 ** (number - 1))
            try:
                read = read_at(self._fd, buffer, self._offset)
            except OSError as found:
                error = found
                continue
            self._offset += read
            return read
        assert error is not None
        if not self._partial:
            raise ReadFault(
                f"it cannot be read at byte {self._offset} of {self._size} ({error.strerror or error})",
                offset=self._offset, code=error.errno,
            ) from error  # fmt: skip
        return self._sectors_into(buffer)

    def _sectors_into(self, buffer: memoryview) -> int:
        """The piece, sector by sector, zeros where one cannot be read."""
        wanted = min(len(buffer), self._size - self._offset)
        done = 0
        while done < wanted:
            sector = buffer[done : min(done + SECTOR_BYTES, wanted)]
            try:
                read = read_at(self._fd, sector, self._offset + done)
            except OSError:
                sector[:] = bytes(len(sector))
                self._note(self._offset + done, len(sector))
                read = len(sector)
            if read == 0:
                break
            done += read
        self._offset += done
        return done

    def _note(self, offset: int, length: int) -> None:
        if self.unreadable and sum(self.unreadable[-1]) == offset:
            self.unreadable[-1][1] += length
        else:
            self.unreadable.append([offset, length])


def read_at(fd: int, buffer: memoryview, offset: int) -> int:
    """Bytes of the file from this offset into the buffer; how many."""
    if hasattr(os, "preadv"):
        return os.preadv(fd, [buffer], offset)
    os.lseek(fd, offset, os.SEEK_SET)
    piece = os.read(fd, len(buffer))
    buffer[: len(piece)] = piece
    return len(piece)
