"""Marks of pictures: 256 bits that stay nearly the same when a picture is scaled, compressed or recoloured.

A grey picture, squeezed to a square, gives 16 x 16 frequencies of the discrete cosine transform; each bit says whether
one of them lies above the median. 64 bits of the lowest frequencies are the key by which candidates are looked up.
Cutting a rectangle out, mirroring and turning are done on the frequencies, without touching pixels again.
The form follows PDQ (Facebook, 2019); its figures beside other marks are kept with the measurements of matching.
Beside the bits stands a grey thumbnail of every sample: how it changes tells the same footage from the same place
filmed again. An hour of footage that never stands still takes 1.1 MB in bits and at most 1.9 MB in thumbnails.
"""

from __future__ import annotations

import functools
import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

VERSION: Final = 2
SIDE_PX: Final = 128
DCT_PX: Final = 64
WAVES: Final = 16
KEY_WAVES: Final = 8
SMALL_PX: Final = 16
BITS: Final = WAVES * WAVES

Rect = tuple[float, float, float, float]
Frames = NDArray[np.uint8]
Waves = NDArray[np.float32]
Words = NDArray[np.uint64]

WHOLE: Final[Rect] = (0.0, 0.0, 1.0, 1.0)
# What is left in view by any crop that keeps half of each side, and seldom under a logo or a caption.
MIDDLE: Final[Rect] = (0.25, 0.25, 0.75, 0.75)
# How a stored mark was cut out of its picture.
FRAMED_WHOLE, FRAMED_MIDDLE, FRAMED_INSIDE = 0, 1, 2

# Standard deviation explained by the waves, in grey levels: below, the bits are noise. As PDQ's quality gate.
DETAIL_MIN: Final = 4.0
# A row or column whose pixels differ less than this belongs to a border.
BORDER_SPREAD: Final = 5.0
BORDER_SHARE_MIN: Final = 0.015
INSIDE_SHARE_MIN: Final = 0.2
# Neighbours that differ in so few bits show the same: leaves about four fifths of the marks of real footage.
STILL_BITS: Final = 8
# The same in grey levels, on average of all pixels: the grain of the encoding.
STILL_LEVELS: Final = 0.5
# A picture whose pixels lie on a few levels far apart is drawn (a test card, a blank page) and looks like all others of
# its kind. Of 128 levels; a night scene too has few, but they lie side by side.
DRAWN_LEVELS, DRAWN_SHARE, DRAWN_SPAN = 14, 0.93, 48


@dataclass(frozen=True)
class Marks:
    """Marks in the order of their frames.

    at: number of the sample; run: for how many samples the picture stayed as it was; framed: how it was cut out;
    detail: see detail_of, up to 255; bits: shape (n, 4); key: shape (n,).
    step_s: seconds between samples, 0 for a photo. inside: shape (k, 5): from which sample on which rectangle lies
    inside borders, in pixels of SIDE_PX. small: every sample as a thumbnail, shape (samples, SMALL_PX, SMALL_PX).
    """

    step_s: float
    at: NDArray[np.uint32]
    run: NDArray[np.uint32]
    framed: NDArray[np.uint8]
    detail: NDArray[np.uint8]
    bits: Words
    key: Words
    inside: NDArray[np.uint32]
    small: Frames

    def __len__(self) -> int:
        return len(self.at)

    def rect_at(self, at: int, framed: int) -> Rect:
        """The part of the picture that a mark at this sample was taken of."""
        if framed != FRAMED_INSIDE:
            return MIDDLE if framed == FRAMED_MIDDLE else WHOLE
        row = int(np.searchsorted(self.inside[:, 0], at, "right")) - 1
        left, top, right, bottom = (int(edge) / SIDE_PX for edge in self.inside[max(row, 0), 1:])
        return (left, top, right, bottom)


# -- from pixels to frequencies


# So many stretches are kept, of 8 KB each: a rectangle may begin and end anywhere.
@functools.lru_cache(maxsize=2048)
def _axis(low: float, high: float) -> NDArray[np.float32]:
    """Frequencies 1 to WAVES of the stretch low..high of an axis: area resampling and cosine transform in one."""
    pixel = np.arange(DCT_PX)
    cosine = np.cos(np.pi * (2 * pixel + 1) * np.arange(1, WAVES + 1)[:, None] / (2 * DCT_PX)) * np.sqrt(2 / DCT_PX)
    return np.asarray(cosine @ _shares(low, high, SIDE_PX, DCT_PX), np.float32)


@functools.lru_cache(maxsize=512)
def _shares(low: float, high: float, given_px: int, wanted_px: int) -> NDArray[np.float32]:
    """How much each given pixel of an axis adds to each of the wanted ones, which lie evenly between low and high."""
    edges = (low + (high - low) * np.arange(wanted_px + 1) / wanted_px) * given_px
    left, right = np.arange(given_px), np.arange(1, given_px + 1)
    shared = np.clip(np.minimum(edges[1:, None], right) - np.maximum(edges[:-1, None], left), 0, None)
    return np.asarray(shared / np.maximum(shared.sum(1, keepdims=True), 1e-6), np.float32)


def resampled(frames: Frames, rect: Rect, side_px: int) -> NDArray[np.float32]:
    """A rectangle of square frames as squares of side_px, by areas."""
    left, top, right, bottom = rect
    given_px = frames.shape[-1]
    rows, columns = _shares(top, bottom, given_px, side_px), _shares(left, right, given_px, side_px)
    return np.asarray(rows @ frames.astype(np.float32) @ columns.T, np.float32)


def waves_of(frames: Frames, rect: Rect = WHOLE) -> Waves:
    """The frequencies of a rectangle of each frame. frames: (n, SIDE_PX, SIDE_PX); returns (n, WAVES, WAVES)."""
    left, top, right, bottom = rect
    return np.asarray(_axis(top, bottom) @ frames.astype(np.float32) @ _axis(left, right).T, np.float32)


def waves_of_many(frames: Frames, rects: Sequence[Rect]) -> list[Waves]:
    """The same of several rectangles, those of one height at nearly the cost of one."""
    pixels = frames.astype(np.float32)
    rows: dict[tuple[float, float], NDArray[np.float32]] = {}
    found: list[Waves] = []
    for left, top, right, bottom in rects:
        if (top, bottom) not in rows:
            rows[top, bottom] = np.asarray(_axis(top, bottom) @ pixels, np.float32)
        found.append(np.asarray(rows[top, bottom] @ _axis(left, right).T, np.float32))
    return found


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
    return _packed(waves.reshape(len(waves), BITS))


def key_of(waves: Waves) -> Words:
    """Shape (n,): the same of the lowest 8 x 8 frequencies, with their own median."""
    return _packed(waves[:, :KEY_WAVES, :KEY_WAVES].reshape(len(waves), KEY_WAVES * KEY_WAVES))[:, 0]


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
        self._rows: dict[int, list[_Row]] = {FRAMED_WHOLE: [], FRAMED_MIDDLE: [], FRAMED_INSIDE: []}
        self._inside: list[tuple[int, ...]] = []
        self._small: list[Frames] = []
        self._standing: NDArray[np.float32] | None = None

    def add(self, frames: Frames) -> None:
        """These frames follow the earlier ones."""
        usable = ~is_drawn(frames)
        stands = self._stands(frames)
        inside = inside_borders(frames)
        rects = {FRAMED_WHOLE: WHOLE, FRAMED_MIDDLE: MIDDLE, **({} if inside == WHOLE else {FRAMED_INSIDE: inside})}
        for framed, rect in rects.items():
            waves = waves_of(frames, rect)
            detail = detail_of(waves)
            self._keep(framed, usable & (detail >= DETAIL_MIN), stands, detail, bits_of(waves), key_of(waves))
        if inside != WHOLE:
            self._inside.append((self._count, *(round(edge * SIDE_PX) for edge in inside)))
        self._small.append(np.rint(resampled(frames, WHOLE, SMALL_PX)).astype(np.uint8))
        self._count += len(frames)

    def _stands(self, frames: Frames) -> NDArray[np.bool_]:
        """Whether each frame is, but for the grain of its encoding, the picture that stands since the last one moved.

        Bits of flat pictures turn over by that grain alone, and would make a test picture seem to move.
        """
        found = np.zeros(len(frames), np.bool_)
        for number, frame in enumerate(frames.astype(np.float32)):
            if self._standing is not None and float(np.abs(frame - self._standing).mean()) <= STILL_LEVELS:
                found[number] = True
            else:
                self._standing = frame
        return found

    def _keep(
        self,
        framed: int,
        usable: NDArray[np.bool_],
        stands: NDArray[np.bool_],
        detail: NDArray[np.float32],
        bits: Words,
        keys: Words,
    ) -> None:
        rows = self._rows[framed]
        for number in np.flatnonzero(usable):
            at = self._count + int(number)
            last = rows[-1] if rows else None
            is_next = last is not None and last.at + last.run == at
            if last and is_next and (stands[number] or distance(bits[number], last.bits) <= STILL_BITS):
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
            inside=np.array(self._inside, np.uint32).reshape(-1, 5),
            small=np.concatenate(self._small or [np.empty((0, SMALL_PX, SMALL_PX), np.uint8)]),
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

_HEAD: Final = struct.Struct("<4sBxxxfIIII")
_MAGIC: Final = b"CRPM"
_COLUMNS: Final = (("at", "<u4", 1), ("run", "<u4", 1), ("framed", "u1", 1), ("detail", "u1", 1), ("bits", "<u8", 4),
                   ("key", "<u8", 1))  # fmt: skip


def packed(marks: Marks) -> bytes:
    """The marks as bytes: a head with magic, version, step and counts, then one column after the other.

    Thumbnails follow as differences from the one before, deflated: what stands still takes next to nothing.
    """
    columns = [np.ascontiguousarray(getattr(marks, name), dtype).tobytes() for name, dtype, _ in _COLUMNS]
    steps = np.diff(marks.small, axis=0, prepend=np.zeros((1, SMALL_PX, SMALL_PX), np.uint8))
    small = zlib.compress(steps.tobytes(), 6)
    head = _HEAD.pack(_MAGIC, VERSION, marks.step_s, len(marks), len(marks.inside), len(marks.small), len(small))
    return head + b"".join(columns) + marks.inside.astype("<u4").tobytes() + small


def unpacked(data: bytes) -> Marks:
    """The marks again. Raises ValueError where the bytes are not of this form and version."""
    magic, version = data[:4], data[4]
    if magic != _MAGIC or version != VERSION:
        raise ValueError(f"not picture marks of version {VERSION}")
    _, _, step_s, count, inside_count, samples, small_bytes = _HEAD.unpack_from(data)
    columns, offset = {}, _HEAD.size
    for name, dtype, width in (*_COLUMNS, ("inside", "<u4", 5)):
        rows = inside_count if name == "inside" else count
        column = np.frombuffer(data, dtype, rows * width, offset)
        columns[name] = column.reshape(rows, width) if width > 1 else column
        offset += column.nbytes
    steps = np.frombuffer(zlib.decompress(data[offset : offset + small_bytes]), np.uint8)
    small = np.cumsum(steps.reshape(samples, SMALL_PX, SMALL_PX), axis=0, dtype=np.uint8)
    return Marks(step_s=step_s, small=small, **columns)
