"""SM2 signatures checked quickly, thousands of them by one key: every signed head of a log has one. Pure.

A key's table of multiples is made once (some 10 ms); each check then takes about 1 ms, where computing the two
multiples anew takes 50. Nothing here is secret, so nothing has to take the same time for all numbers.
Source: GB/T 32918.2 and .5 (SM2), GB/T 32905 (SM3), GB/T 35276 (the default identity).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cache
from typing import Final

P: Final = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
B: Final = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
N: Final = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
GX: Final = 0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7
GY: Final = 0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0
IDENTITY: Final = b"1234567812345678"
WINDOW_BITS: Final = 4
WINDOWS: Final = 256 // WINDOW_BITS

# Jacobian coordinates: (x / z^2, y / z^3); z is 0 for the point at infinity.
Point = tuple[int, int, int]
NOWHERE: Final[Point] = (1, 1, 0)


class Sm2Key:
    """A public key that signatures are checked with. public: the point as 65 bytes. Raises ValueError for another."""

    def __init__(self, public: bytes) -> None:
        x, y = int.from_bytes(public[1:33]), int.from_bytes(public[33:])
        if len(public) != 65 or public[0] != 4 or max(x, y) >= P or (y * y - (x * x - 3) * x - B) % P:
            raise ValueError("it is not a point of the SM2 curve")
        numbers = b"".join(one.to_bytes(32) for one in (P - 3, B, GX, GY))
        self._who = sm3((len(IDENTITY) * 8).to_bytes(2) + IDENTITY + numbers + public[1:])
        self._table = _table_of((x, y, 1))

    def signed(self, r: int, s: int, data: bytes) -> bool:
        """Whether (r, s) is this key's signature over the data."""
        t = (r + s) % N
        if not 0 < r < N or not 0 < s < N or not t:
            return False
        point = _times(_table_of_generator(), s, NOWHERE)
        x, _, z = _times(self._table, t, point)
        if not z:
            return False
        shown = x * pow(z, -2, P) % P
        return (int.from_bytes(sm3(self._who + data)) + shown - r) % N == 0


def sm3(data: bytes) -> bytes:
    """The SM3 digest; from OpenSSL where this Python's has it, else computed, which is slow."""
    if "sm3" in hashlib.algorithms_available:
        return hashlib.new("sm3", data).digest()
    from gmalg import SM3

    digest = SM3()
    digest.update(data)
    return bytes(digest.value())


@cache
def _table_of_generator() -> Sequence[Sequence[Point]]:
    return _table_of((GX, GY, 1))


def _table_of(point: Point) -> Sequence[Sequence[Point]]:
    """For each window of a number, from the lowest: its multiples 0 to 15 of the point at that place."""
    table = []
    for _ in range(WINDOWS):
        row = [NOWHERE]
        for _ in range((1 << WINDOW_BITS) - 1):
            row.append(_sum(row[-1], point))
        table.append(row)
        point = _sum(row[-1], point)
    return table


def _times(table: Sequence[Sequence[Point]], number: int, start: Point) -> Point:
    """start and the number's multiple of the table's point."""
    found = start
    for row in table:
        digit = number & 15
        if digit:
            found = _sum(found, row[digit])
        number >>= WINDOW_BITS
    return found


def _double(point: Point) -> Point:
    x, y, z = point
    yy, zz = y * y % P, z * z % P
    s, m = 4 * x * yy % P, 3 * (x - zz) * (x + zz) % P
    t = (m * m - 2 * s) % P
    return (t, (m * (s - t) - 8 * yy * yy) % P, 2 * y * z % P)


def _sum(one: Point, other: Point) -> Point:
    if not one[2] or not other[2]:
        return other if not one[2] else one
    z1, z2 = one[2] * one[2] % P, other[2] * other[2] % P
    u1, u2 = one[0] * z2 % P, other[0] * z1 % P
    s1, s2 = one[1] * z2 * other[2] % P, other[1] * z1 * one[2] % P
    if u1 == u2:
        return _double(one) if s1 == s2 else NOWHERE
    h, r = u2 - u1, s2 - s1
    hh = h * h % P
    hhh, v = h * hh % P, u1 * hh % P
    x = (r * r - hhh - 2 * v) % P
    return (x, (r * (v - x) - s1 * hhh) % P, h * one[2] * other[2] % P)
