"""Marks of pictures: 256 bits that stay nearly the same when a picture is scaled, compressed or recoloured.

A grey picture, squeezed to a square, gives 16 x 16 frequencies of the discrete cosine transform; each bit says whether
one of them lies above the median. 64 bits of the lowest frequencies are the key by which candidates are looked up.
Cutting a rectangle out, mirroring and turning are done on the frequencies, without touching pixels again.
The form follows PDQ (Facebook, 2019); its figures beside other marks are kept with the measurements of matching.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

VERSION: Final = 1
SIDE_PX: Final = 128
DCT_PX: Final = 64
WAVES: Final = 16
KEY_WAVES: Final = 8
BITS: Final = WAVES * WAVES

Rect = tuple[float, float, float, float]
Frames = NDArray[np.uint8]
Waves = NDArray[np.float32]
Words = NDArray[np.uint64]

WHOLE: Final[Rect] = (0.0, 0.0, 1.0, 1.0)
CENTRE: Final[Rect] = (0.125, 0.125, 0.875, 0.875)
# How a stored mark was cut out of its picture.
FRAMED_WHOLE, FRAMED_CENTRE, FRAMED_INSIDE = 0, 1, 2

# Standard deviation explained by the waves, in grey levels: below, the bits are noise. As PDQ's quality gate.
DETAIL_MIN: Final = 4.0
# A row or column whose pixels differ less than this belongs to a border.
BORDER_SPREAD: Final = 5.0
BORDER_SHARE_MIN: Final = 0.015
INSIDE_SHARE_MIN: Final = 0.2
# Neighbours that differ in so few bits show the same: leaves about four fifths of the marks of real footage.
STILL_BITS: Final = 8
# A picture whose pixels lie on a few levels far apart is drawn (a test card, a blank page) and looks like all others of
# its kind. Of 128 levels; a night scene too has few, but they lie side by side.
DRAWN_LEVELS, DRAWN_SHARE, DRAWN_SPAN = 14, 0.93, 48


@dataclass(frozen=True)
class Marks:
    """Marks in the order of their frames.

    at: number of the sample; run: for how many samples the picture stayed as it was; framed: how it was cut out;
    detail: see detail_of, up to 255; bits: shape (n, 4); key: shape (n,).
    step_s: seconds between samples, 0 for a photo.
    """

    step_s: float
    at: NDArray[np.uint32]
    run: NDArray[np.uint32]
    framed: NDArray[np.uint8]
    detail: NDArray[np.uint8]
    bits: Words
    key: Words

    def __len__(self) -> int:
        return len(self.at)


# -- from pixels to frequencies


@functools.cache
def _axis(low: float, high: float) -> NDArray[np.float32]:
    """Frequencies 1 to WAVES of the stretch low..high of an axis: area resampling and cosine transform in one."""
    pixel = np.arange(DCT_PX)
    cosine = np.cos(np.pi * (2 * pixel + 1) * np.arange(1, WAVES + 1)[:, None] / (2 * DCT_PX)) * np.sqrt(2 / DCT_PX)
    edges = (low + (high - low) * np.arange(DCT_PX + 1) / DCT_PX) * SIDE_PX
    left, right = np.arange(SIDE_PX), np.arange(1, SIDE_PX + 1)
    shared = np.minimum(edges[1:, None], right) - np.maximum(edges[:-1, None], left)
    shares = np.clip(shared, 0, None)
    return np.asarray(cosine @ (shares / shares.sum(1, keepdims=True)), np.float32)


def waves_of(frames: Frames, rect: Rect = WHOLE) -> Waves:
    """The frequencies of a rectangle of each frame. frames: (n, SIDE_PX, SIDE_PX); returns (n, WAVES, WAVES)."""
    left, top, right, bottom = rect
    return np.asarray(_axis(top, bottom) @ frames.astype(np.float32) @ _axis(left, right).T, np.float32)


_SIGNS: Final = ((-1.0) ** np.arange(1, WAVES + 1)).astype(np.float32)


def mirrored(waves: Waves) -> Waves:
    """Of the same pictures seen in a mirror: odd waves change sign."""
    return waves * _SIGNS


def turned(waves: Waves, quarters: int) -> Waves:
    """Of the same pictures turned clockwise by so many quarters."""
    match quarters % 4:
        case 1:
            return mirrored(np.swapaxes(waves, 1, 2))
        case 2:
            return mirrored(waves) * _SIGNS[:, None]
        case 3:
            return np.asarray(np.swapaxes(waves, 1, 2) * _SIGNS[:, None], np.float32)
    return waves


TRANSFORMS: Final[dict[str, Callable[[Waves], Waves]]] = {
    "none": lambda waves: waves,
    "mirrored": mirrored,
    "turned 90": lambda waves: turned(waves, 1),
    "turned 180": lambda waves: turned(waves, 2),
    "turned 270": lambda waves: turned(waves, 3),
}


def bits_of(waves: Waves) -> Words:
    """Shape (n, 4): one bit a frequency, set where it lies above the picture's median."""
    return _packed(waves.reshape(len(waves), -1))


def key_of(waves: Waves) -> Words:
    """Shape (n,): the same of the lowest 8 x 8 frequencies, with their own median."""
    return _packed(waves[:, :KEY_WAVES, :KEY_WAVES].reshape(len(waves), -1))[:, 0]


def _packed(values: NDArray[np.float32]) -> Words:
    above = values > np.median(values, axis=1, keepdims=True)
    return np.ascontiguousarray(np.packbits(above, axis=1)).view(np.uint64)


def detail_of(waves: Waves) -> NDArray[np.float32]:
    """How much the frequencies move the grey, as a standard deviation in grey levels."""
    return np.asarray(np.sqrt((waves**2).sum((1, 2))) / DCT_PX, np.float32)


def distance(one: Words, other: Words) -> NDArray[np.int32]:
    """In how many bits they differ; the last axis is summed. Unrelated pictures: 128 +- 8 of 256."""
    return np.asarray(np.bitwise_count(one ^ other).sum(-1), np.int32)


# -- what a frame shows


def inside_borders(frames: Frames) -> Rect:
    """The rectangle inside uniform borders that all these frames have; WHOLE where there are none, or nothing else."""
    picture = frames.astype(np.float32)
    rows = picture.std(2).mean(0)
    top, bottom = _trimmed(rows)
    columns = picture[:, top:bottom].std(1).mean(0)
    left, right = _trimmed(columns)
    rows = picture[:, :, left:right].std(2).mean(0)
    top, bottom = _trimmed(rows)
    rect = (left / SIDE_PX, top / SIDE_PX, right / SIDE_PX, bottom / SIDE_PX)
    trimmed = max(rect[0], rect[1], 1 - rect[2], 1 - rect[3])
    small = min(rect[2] - rect[0], rect[3] - rect[1]) < INSIDE_SHARE_MIN
    return WHOLE if small or trimmed < BORDER_SHARE_MIN else rect


def _trimmed(spread: NDArray[np.float32]) -> tuple[int, int]:
    inside = np.flatnonzero(spread >= BORDER_SPREAD)
    return (int(inside[0]), int(inside[-1]) + 1) if len(inside) else (0, len(spread))


def is_drawn(frames: Frames) -> NDArray[np.bool_]:
    """Whether nearly all pixels of a frame lie on a few levels of grey, as in test cards and blank pages."""
    levels = np.stack([np.bincount(frame.ravel() >> 1, minlength=128) for frame in frames])
    few = np.sort(levels, axis=1)[:, -DRAWN_LEVELS:].sum(1)
    below = np.cumsum(levels, axis=1) / (SIDE_PX * SIDE_PX)
    span = (below < 0.98).sum(1) - (below < 0.02).sum(1)
    return np.asarray((few >= DRAWN_SHARE * SIDE_PX * SIDE_PX) & (span >= DRAWN_SPAN))


# -- marks of successive frames


class Marker:
    """Takes frames in batches and keeps their marks; a picture that stands still is kept once, with how long.

    step_s: seconds between the frames; 0 for a single photo.
    """

    def __init__(self, step_s: float) -> None:
        self._step_s = step_s
        self._count = 0
        self._rows: dict[int, list[_Row]] = {FRAMED_WHOLE: [], FRAMED_CENTRE: [], FRAMED_INSIDE: []}

    def add(self, frames: Frames) -> None:
        """These frames follow the earlier ones."""
        usable = ~is_drawn(frames)
        inside = inside_borders(frames)
        rects = {FRAMED_WHOLE: WHOLE, FRAMED_CENTRE: CENTRE, **({} if inside == WHOLE else {FRAMED_INSIDE: inside})}
        for framed, rect in rects.items():
            waves = waves_of(frames, rect)
            detail = detail_of(waves)
            self._keep(framed, usable & (detail >= DETAIL_MIN), detail, bits_of(waves), key_of(waves))
        self._count += len(frames)

    def _keep(
        self, framed: int, usable: NDArray[np.bool_], detail: NDArray[np.float32], bits: Words, keys: Words
    ) -> None:
        rows = self._rows[framed]
        for number in np.flatnonzero(usable):
            at = self._count + int(number)
            last = rows[-1] if rows else None
            if last and last.at + last.run == at and distance(bits[number], last.bits) <= STILL_BITS:
                last.run += 1
                continue
            rows.append(_Row(at, 1, framed, min(255, int(detail[number])), bits[number], keys[number]))

    def marks(self) -> Marks:
        """All marks so far, one way of framing after the other."""
        rows = [row for kept in self._rows.values() for row in kept]
        return Marks(
            step_s=self._step_s,
            at=np.array([row.at for row in rows], np.uint32),
            run=np.array([row.run for row in rows], np.uint32),
            framed=np.array([row.framed for row in rows], np.uint8),
            detail=np.array([row.detail for row in rows], np.uint8),
            bits=np.array([row.bits for row in rows], np.uint64).reshape(-1, BITS // 64),
            key=np.array([row.key for row in rows], np.uint64),
        )


@dataclass
class _Row:
    at: int
    run: int
    framed: int
    detail: int
    bits: Words
    key: np.uint64


# -- kept form

_HEAD: Final = struct.Struct("<4sBxxxfI")
_MAGIC: Final = b"CRPM"
_COLUMNS: Final = (("at", "<u4", 1), ("run", "<u4", 1), ("framed", "u1", 1), ("detail", "u1", 1), ("bits", "<u8", 4),
                   ("key", "<u8", 1))  # fmt: skip


def packed(marks: Marks) -> bytes:
    """The marks as bytes: a head with magic, version, step and count, then one column after the other."""
    columns = [np.ascontiguousarray(getattr(marks, name), dtype).tobytes() for name, dtype, _ in _COLUMNS]
    return _HEAD.pack(_MAGIC, VERSION, marks.step_s, len(marks)) + b"".join(columns)


def unpacked(data: bytes) -> Marks:
    """The marks again. Raises ValueError where the bytes are not of this form and version."""
    magic, version, step_s, count = _HEAD.unpack_from(data)
    if magic != _MAGIC or version != VERSION:
        raise ValueError(f"not picture marks of version {VERSION}")
    columns, offset = {}, _HEAD.size
    for name, dtype, width in _COLUMNS:
        column = np.frombuffer(data, dtype, count * width, offset)
        columns[name] = column.reshape(count, width) if width > 1 else column
        offset += column.nbytes
    return Marks(step_s=step_s, **columns)
