"""Where exactly does an original's picture lie in the query's? Pure functions of pictures.

Edges that were guessed and crops that were tried are some hundredths off, and a screen filmed from aside is no
rectangle. So the four corners are moved until the query's frames look most like the kept thumbnails: damped least
squares over grey levels without their mean and contrast, each cell counting less the less it fits, so that a logo or a
caption does not pull. Then a frame that a shaking hand has moved is laid upon its thumbnail by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.marks.pictures import SIDE_PX, SMALL_PX, WHOLE, Frames, Rect

# Corners in shares of the query's sides, beyond 0 and 1 where it shows a part: left top, right top, right bottom,
# left bottom of the original's picture, (x, y) each.
Corners = NDArray[np.float64]
Pictures = NDArray[np.float32]

ROUNDS: Final = 5
# How far a corner is moved to see what changes, and at most in one round; of the picture's sides.
TRIED, MOVED_MAX = 0.006, 0.05
# Cells that differ by so many standard deviations count half.
FITS: Final = 0.7
DAMPING: Final = 0.02
# Cells hidden by the query's own edges say nothing; so many must be seen.
SEEN_MIN: Final = 0.25
SAMPLES_A_CELL: Final = 3
# What is as bright as so many cells to each side is light, and not the picture: screens are filmed with dark corners.
ABOUT: Final = 2
# A hand moves and turns a frame by so much of its sides at most; what moves more is the picture's own.
SWAY_MAX: Final = 0.025
SWAY_ROUNDS: Final = 2

_QUARTERS: Final = {"none": 0, "turned 90": 1, "turned 180": 2, "turned 270": 3}
# How the corners move when a rectangle's edges do: left, top, right, bottom.
_EDGES: Final = np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 1, 0, 0],
                          [0, 0, 1, 0], [0, 0, 0, 1], [1, 0, 0, 0], [0, 0, 0, 1]], np.float64)  # fmt: skip
_FREELY: Final = np.eye(8)


@dataclass(frozen=True)
class Fit:
    """Where the corners were found, and how alike the frames are there: 1 is the same but for light and contrast."""

    corners: Corners
    likeness: float

    @property
    def rect(self) -> Rect:
        """The rectangle about as large as what the corners hold."""
        left, top = ((self.corners[0] + self.corners[one]) / 2 for one in (3, 1))
        right, bottom = ((self.corners[2] + self.corners[one]) / 2 for one in (1, 3))
        return (float(left[0]), float(top[1]), float(right[0]), float(bottom[1]))


def turned(frames: Frames, turn: str) -> Frames:
    """The frames as the original shows them. turn: one of TRANSFORMS."""
    if turn == "mirrored":
        return frames[:, :, ::-1]
    return np.rot90(frames, -_QUARTERS[turn], axes=(1, 2))


def turned_rect(rect: Rect, turn: str) -> Rect:
    """Where a rectangle of the query lies in its turned frames."""
    left, top, right, bottom = rect
    if turn == "mirrored":
        return (1 - right, top, 1 - left, bottom)
    for _ in range(_QUARTERS[turn]):
        left, top, right, bottom = 1 - bottom, left, 1 - top, right
    return (left, top, right, bottom)


def turned_back(rect: Rect, turn: str) -> Rect:
    """Where a rectangle of turned frames lies in the query."""
    backwards = {"turned 90": "turned 270", "turned 270": "turned 90"}
    return turned_rect(rect, backwards.get(turn, turn))


def fitted(frames: Frames, kept: Pictures, rect: Rect) -> Fit | None:
    """The corners where the frames look most like their thumbnails; None where too little of them is seen.

    frames, kept: the same number of pictures, SIDE_PX and SMALL_PX wide. rect: about where the original's picture is.
    """
    left, top, right, bottom = rect
    corners = np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float64)
    fit = _moved(frames, kept, corners, _EDGES)
    if fit is None:
        return None
    free = _moved(frames, kept, fit.corners, _FREELY)
    return fit if free is None or free.likeness < fit.likeness + 0.01 else free


def flattened(frames: Frames, corners: Corners, side_px: int = SIDE_PX) -> Frames:
    """What lies between the corners, as square pictures; black where that is beyond the frames."""
    pictures, _ = _seen(frames, np.repeat(corners[None], len(frames), 0), side_px, 1)
    return np.rint(pictures).astype(np.uint8)


def steadied(flat: Frames, kept: Pictures, which: NDArray[np.int64]) -> Frames:
    """The flattened frames, each laid upon its thumbnail. which: the frame that shows each of the thumbnails.

    Frames between them move as those about them do.
    """
    shown = flat[which]
    move = np.zeros((len(which), 4))
    basis = _sway_basis()
    for _ in range(SWAY_ROUNDS):
        here, differing = _apart(shown, kept, _swayed(move, basis))
        tried = [_apart(shown, kept, _swayed(move + TRIED * np.eye(4)[one], basis))[0] for one in range(4)]
        slopes = np.stack([(one - here) / TRIED for one in tried], axis=-1)
        weight = 1 / (1 + (differing / FITS) ** 2)
        square = np.einsum("nci,ncj,nc->nij", slopes, slopes, weight)
        square += np.eye(4) * (DAMPING * np.trace(square, axis1=1, axis2=2)[:, None, None] + 1e-6)
        step = np.linalg.solve(square, -np.einsum("nci,nc,nc->ni", slopes, differing, weight)[:, :, None])[:, :, 0]
        move = np.clip(move + step, -SWAY_MAX, SWAY_MAX)
    each = np.stack([np.interp(np.arange(len(flat)), which, move[:, one]) for one in range(4)], axis=1)
    pictures, _ = _seen(flat, _swayed(each, basis), SIDE_PX, 1)
    return np.rint(pictures).astype(np.uint8)


def _sway_basis() -> NDArray[np.float64]:
    """How the corners of a whole frame move when it is shifted to the right, down, turned, and made larger."""
    around = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]])
    across = np.stack([-around[:, 1], around[:, 0]], axis=1)
    return np.stack([np.tile([1.0, 0.0], (4, 1)), np.tile([0.0, 1.0], (4, 1)), 2 * across, 2 * around])


def _swayed(move: NDArray[np.float64], basis: NDArray[np.float64]) -> NDArray[np.float64]:
    left, top, right, bottom = WHOLE
    corners = np.array([[left, top], [right, top], [right, bottom], [left, bottom]])
    return np.asarray(corners + np.einsum("ni,icd->ncd", move, basis))


def _moved(frames: Frames, kept: Pictures, corners: Corners, ways: NDArray[np.float64]) -> Fit | None:
    """The corners after some rounds of damped least squares. ways: shape (8, k), how the corners may move."""

    def apart(places: Corners) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return _apart(frames, kept, np.repeat(places[None], len(frames), 0))

    best, best_likeness = corners, _likeness(frames, kept, corners)
    if best_likeness is None:
        return None
    damping = DAMPING
    for _ in range(ROUNDS):
        here, differing = apart(best)
        weight = 1 / (1 + (differing / FITS) ** 2)
        moves = [(ways[:, one] * TRIED).reshape(4, 2) for one in range(ways.shape[1])]
        slopes = np.stack([(apart(best + move)[0] - here).ravel() / TRIED for move in moves], axis=1)
        square = slopes.T @ (slopes * weight.reshape(-1, 1))
        square += np.eye(len(square)) * (damping * np.trace(square) / len(square) + 1e-9)
        step = np.linalg.solve(square, -slopes.T @ (differing * weight).ravel())
        moved = best + np.clip(ways @ step, -MOVED_MAX, MOVED_MAX).reshape(4, 2)
        likeness = _likeness(frames, kept, moved)
        if likeness is None or likeness <= best_likeness:
            damping *= 10
            continue
        is_done = likeness < best_likeness + 0.002
        best, best_likeness, damping = moved, likeness, damping / 3
        if is_done:
            break
    return Fit(best, best_likeness)


def _likeness(frames: Frames, kept: Pictures, corners: Corners) -> float | None:
    """The mean correlation of what is seen between the corners with the thumbnails."""
    pictures, inside = _seen(frames, np.repeat(corners[None], len(frames), 0), SMALL_PX, SAMPLES_A_CELL)
    if inside.mean() < SEEN_MIN or not _is_sound(corners):
        return None
    one, other = _even(pictures, inside), _even(kept, inside)
    return float((one * other).sum() / max(1.0, float(inside.sum())))


def _is_sound(corners: Corners) -> bool:
    """Whether they go round the right way and hold more than a speck."""
    sides = np.roll(corners, -1, 0) - corners
    crossed = sides[:, 0] * np.roll(sides[:, 1], -1) - sides[:, 1] * np.roll(sides[:, 0], -1)
    return bool((crossed > 0.005).all())


def _apart(
    frames: Frames, kept: Pictures, corners: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(what is seen between the corners of each frame, how it differs from the thumbnails), one row a frame."""
    pictures, inside = _seen(frames, corners, SMALL_PX, SAMPLES_A_CELL)
    one, other = _even(pictures, inside), _even(kept, inside)
    return one.reshape(len(one), -1), (one - other).reshape(len(one), -1)


def _even(pictures: Pictures, inside: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Pictures without what changes slowly from cell to cell, with deviation 1 of what is inside; 0 outside."""
    values = np.where(inside, pictures, 0).astype(np.float64)
    about = _about(values) / np.maximum(_about(inside.astype(np.float64)), 1.0)
    values = np.where(inside, values - about, 0)
    count = np.maximum(inside.sum((1, 2), keepdims=True), 1)
    return np.asarray(values / np.sqrt((values**2).sum((1, 2), keepdims=True) / count + 1.0))


def _about(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The sum of each cell and those about it, ABOUT cells to each side."""
    wide = 2 * ABOUT + 1
    sums = np.pad(values, ((0, 0), (ABOUT + 1, ABOUT), (ABOUT + 1, ABOUT))).cumsum(1).cumsum(2)
    found = sums[:, wide:, wide:] - sums[:, :-wide, wide:] - sums[:, wide:, :-wide] + sums[:, :-wide, :-wide]
    return np.asarray(found, np.float64)


def _seen(
    frames: Frames, corners: NDArray[np.float64], side_px: int, samples: int
) -> tuple[Pictures, NDArray[np.bool_]]:
    """(what lies between the corners of each frame, which of it lies within the frame), shape (n, side_px, side_px)."""
    count = side_px * samples
    along = (np.arange(count) + 0.5) / count
    u, v = np.tile(along, count), np.repeat(along, count)
    x, y = _projected(corners, u, v)
    is_inside = np.asarray((x >= 0) & (x <= 1) & (y >= 0) & (y <= 1), np.bool_)
    x, y = (np.clip(one * SIDE_PX - 0.5, 0, SIDE_PX - 1.001) for one in (x, y))
    column, row = x.astype(np.int64), y.astype(np.int64)
    right, down = (x - column).astype(np.float32), (y - row).astype(np.float32)
    pixels = np.ravel(frames)
    place = row * SIDE_PX + column + np.arange(len(frames))[:, None] * SIDE_PX * SIDE_PX
    above = pixels[place] * (1 - right) + pixels[place + 1] * right
    below = pixels[place + SIDE_PX] * (1 - right) + pixels[place + SIDE_PX + 1] * right
    values: Pictures = np.where(is_inside, above * (1 - down) + below * down, 0).astype(np.float32)
    if samples == 1:
        return values.reshape(-1, side_px, side_px), is_inside.reshape(-1, side_px, side_px)
    shape = (len(frames), side_px, samples, side_px, samples)
    means = np.asarray(values.reshape(shape).mean((2, 4)), np.float32)
    return means, np.asarray(is_inside.reshape(shape).all((2, 4)), np.bool_)


def _projected(
    corners: NDArray[np.float64], u: NDArray[np.float64], v: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Where points of the unit square lie when its corners are seen at these places: shapes (n, points).

    Source: Heckbert, Fundamentals of Texture Mapping and Image Warping (1989), section 2.2.3.
    """
    (x0, y0), (x1, y1), (x2, y2), (x3, y3) = np.moveaxis(corners, 0, -1)[:, :, :, None]
    dx1, dx2, dx3 = x1 - x2, x3 - x2, x0 - x1 + x2 - x3
    dy1, dy2, dy3 = y1 - y2, y3 - y2, y0 - y1 + y2 - y3
    over = dx1 * dy2 - dx2 * dy1
    g, h = (dx3 * dy2 - dx2 * dy3) / over, (dx1 * dy3 - dx3 * dy1) / over
    depth = g * u + h * v + 1
    x = ((x1 - x0 + g * x1) * u + (x3 - x0 + h * x3) * v + x0) / depth
    y = ((y1 - y0 + g * y1) * u + (y3 - y0 + h * y3) * v + y0) / depth
    return x, y
