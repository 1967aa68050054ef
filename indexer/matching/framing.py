"""Where in a query's pictures the original's picture may lie. Pure functions of frames.

Inside uniform borders; inside straight lines that stand still over all frames, as an inset video's do; where anything
moves. And, as hypotheses to be tried only where nothing else was found: parts that a crop left, and small margins.
Not covered: insets that turn or move about, frames filmed from far aside. What is some hundredths off, or slightly
askew, is set right by `rectangle`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.marks.pictures import (
    FRAMED_INSIDE,
    FRAMED_MIDDLE,
    FRAMED_WHOLE,
    MIDDLE,
    SIDE_PX,
    WHOLE,
    Frames,
    Rect,
    inside_borders,
)

# A line of an inset's edge: a step of so many grey levels, twice that of the pixels beside it.
STEP_LEVELS: Final = 6.0
FRAMES_SEEN: Final = 16
LINES_TRIED: Final = 10
LINES_APART_PX: Final = 2
LINE_LENGTHS_PX: Final = (20, 36, 64, 128)
# The share of an edge's pixels that are a step, averaged over the frames.
EDGE_SHARE_MIN: Final = 0.3
SIDE_SHARE_MIN: Final = 0.2
# Two rectangles that share so much are one.
SAME_RECT: Final = 0.93
INSETS_MAX: Final = 48
ACTIVE_SHARE: Final = 0.12
CROPS: Final = (1.0, 0.95, 0.9, 0.85, 0.8, 0.75)
CROP_STEP: Final = 0.035
# Crops of one direction only, as a wide film made square or narrow.
CROPS_ONE_WAY: Final = (0.9, 0.8, 0.75, 0.65)
MARGINS: Final = (0.0, 0.04, 0.08)


@dataclass(frozen=True)
class Framing:
    """A rectangle of the query and what of the archive it is compared with; told: `inset`, `cropped` or nothing."""

    told: str
    rect: Rect
    against: tuple[int, ...]


_WHOLES: Final = (FRAMED_WHOLE, FRAMED_INSIDE)


def insets(frames: Frames) -> list[Rect]:
    """Where another picture may lie within these, the likeliest first: inside borders, lines, or what moves."""
    border = inside_borders(frames)
    return _distinct([border, *_bars(border), *_lined(frames), _active(frames)])


def likely(inset: Sequence[Rect]) -> list[Framing]:
    """The whole picture, its middle, and these insets."""
    return [
        Framing("", WHOLE, _WHOLES),
        Framing("", MIDDLE, (FRAMED_MIDDLE,)),
        *(Framing("inset", rect, _WHOLES) for rect in inset),
    ]


def _bars(border: Rect) -> list[Rect]:
    """Between bars as wide above as below, or to both sides: a dark scene hides where its own sides end."""
    left, top, right, bottom = border
    above, beside = min(top, 1 - bottom), min(left, 1 - right)
    return [(0.0, above, 1.0, 1 - above), (beside, 0.0, 1 - beside, 1.0)] if above and beside else []


def thinkable(frames: Frames, inset: Sequence[Rect]) -> list[Framing]:
    """Framings to be tried where the likely ones found nothing: crops, more insets, margins that differ."""
    border = inside_borders(frames)
    return [
        *(Framing("inset", rect, _WHOLES) for rect in inset),
        *(Framing("cropped", rect, (FRAMED_MIDDLE,)) for rect in _crops()),
        *(Framing("inset", rect, _WHOLES) for rect in _margins(WHOLE)),
        *(Framing("inset", rect, _WHOLES) for rect in _margins(border) if border != WHOLE),
    ]


def within(outer: Rect, inner: Rect) -> Rect:
    """The rectangle that lies in the outer one as the inner one lies in a whole picture."""
    width, height = outer[2] - outer[0], outer[3] - outer[1]
    return (outer[0] + inner[0] * width, outer[1] + inner[1] * height,
            outer[0] + inner[2] * width, outer[1] + inner[3] * height)  # fmt: skip


def outside(seen: Rect, part: Rect) -> Rect:
    """Where a whole picture lies of which this part is seen in that rectangle; may reach beyond 0 and 1."""
    width = (seen[2] - seen[0]) / (part[2] - part[0])
    height = (seen[3] - seen[1]) / (part[3] - part[1])
    left, top = seen[0] - part[0] * width, seen[1] - part[1] * height
    return (left, top, left + width, top + height)


# -- insets


def _lined(frames: Frames) -> list[Rect]:
    """Rectangles whose edges are lines that stand still, the clearest first; an edge may be the picture's own."""
    chosen = frames[np.linspace(0, len(frames) - 1, min(FRAMES_SEEN, len(frames))).astype(np.int64)].astype(np.int16)
    upright = _steps(chosen)
    flat = _steps(chosen.swapaxes(1, 2))
    columns, rows = _lines(upright), _lines(flat)
    sums_x, sums_y = (np.pad(np.cumsum(one, axis=0), ((1, 0), (0, 0))) for one in (upright, flat))
    x = np.array(list(itertools.combinations(columns, 2)))
    y = np.array(list(itertools.combinations(rows, 2)))
    x = x[x[:, 1] - x[:, 0] >= SIDE_SHARE_MIN * SIDE_PX]
    y = y[y[:, 1] - y[:, 0] >= SIDE_SHARE_MIN * SIDE_PX]
    if not len(x) or not len(y):
        return []
    x, y = np.repeat(x, len(y), 0), np.tile(y, (len(x), 1))
    sides = np.stack([*(_share(sums_x, x[:, side], y) for side in (0, 1)),
                      *(_share(sums_y, y[:, side], x) for side in (0, 1))])  # fmt: skip
    # A rectangle is as clear as its faintest edge; one whose every edge is the picture's own is the whole.
    score = np.where((sides > 1).all(0), 0.0, sides.min(0))
    best = np.argsort(-score, kind="stable")[:200]
    return [
        (int(x[one, 0]) / SIDE_PX, int(y[one, 0]) / SIDE_PX, int(x[one, 1]) / SIDE_PX, int(y[one, 1]) / SIDE_PX)
        for one in best
        if score[one] >= EDGE_SHARE_MIN
    ]


def _steps(frames: NDArray[np.int16]) -> NDArray[np.float32]:
    """For each pixel the share of frames in which an edge runs along its left side. Shape (SIDE_PX, SIDE_PX)."""
    step = np.zeros(frames.shape, np.int16)
    step[:, :, 1:] = np.abs(np.diff(frames, axis=2))
    beside = np.maximum(np.roll(step, 3, axis=2), np.roll(step, -3, axis=2))
    # An edge between two pixels of the camera's picture may fall into one of ours and show as two steps.
    both = np.maximum(step, np.roll(step, -1, axis=2))
    return np.asarray(((both > STEP_LEVELS) & (both > 2 * beside)).mean(0), np.float32)


def _lines(steps: NDArray[np.float32]) -> list[int]:
    """The places of the clearest upright lines, and both ends of the picture; ascending."""
    sums = np.pad(np.cumsum(steps, axis=0), ((1, 0), (0, 0)))
    clearest = np.max(
        [((sums[length:] - sums[:-length]).max(0) / length) * length**0.25 for length in LINE_LENGTHS_PX], axis=0
    )
    found: list[int] = []
    for place in np.argsort(-clearest, kind="stable").tolist():
        if len(found) == LINES_TRIED:
            break
        is_new = all(abs(place - other) >= LINES_APART_PX for other in found)
        if 2 < place < SIDE_PX - 2 and clearest[place] > 0 and is_new:
            found.append(place)
    return sorted({0, SIDE_PX, *found})


def _share(sums: NDArray[np.float32], place: NDArray[np.int64], ends: NDArray[np.int64]) -> NDArray[np.float32]:
    """The share of steps along lines between two ends; 2 for the picture's own edges."""
    own = (place == 0) | (place == SIDE_PX)
    inner = np.where(own, 1, place)
    share = (sums[ends[:, 1], inner] - sums[ends[:, 0], inner]) / (ends[:, 1] - ends[:, 0])
    return np.where(own, 2.0, share)


def _active(frames: Frames) -> Rect:
    """The rectangle in which anything moves; WHOLE where hardly anything stands still or moves."""
    if len(frames) < 3:
        return WHOLE
    moved = np.abs(np.diff(frames[::2].astype(np.int16), axis=0)).mean(0)
    edges = []
    for axis in (1, 0):
        profile = moved.mean(axis)
        busy = np.flatnonzero(profile > ACTIVE_SHARE * np.percentile(profile, 95))
        edges.append((int(busy[0]), int(busy[-1]) + 1) if len(busy) else (0, SIDE_PX))
    (top, bottom), (left, right) = edges
    if min(right - left, bottom - top) < SIDE_SHARE_MIN * SIDE_PX:
        return WHOLE
    return (left / SIDE_PX, top / SIDE_PX, right / SIDE_PX, bottom / SIDE_PX)


def _distinct(rects: Iterable[Rect]) -> list[Rect]:
    """No two that are nearly one, none that is nearly the whole; INSETS_MAX at most."""
    kept = [WHOLE]
    for rect in rects:
        if len(kept) <= INSETS_MAX and _shared(rect, np.array(kept)).max() < SAME_RECT:
            kept.append(rect)
    return kept[1:]


def _shared(one: Rect, others: NDArray[np.float64]) -> NDArray[np.float64]:
    """Intersection over union with each of the others."""
    left, top, right, bottom = others.T
    width = np.minimum(one[2], right) - np.maximum(one[0], left)
    height = np.minimum(one[3], bottom) - np.maximum(one[1], top)
    both = np.maximum(0.0, width) * np.maximum(0.0, height)
    areas = (one[2] - one[0]) * (one[3] - one[1]) + (right - left) * (bottom - top)
    return np.asarray(both / (areas - both))


# -- hypotheses


def _crops() -> Iterator[Rect]:
    """Where the original's middle lies in the query if a crop left so much of each side."""
    for share in CROPS:
        places = _places(share)
        yield from (_middle(share, share, left, top) for left in places for top in places)
    for share in CROPS_ONE_WAY:
        for start in _places(share)[::2]:
            yield _middle(share, 1.0, start, 0.0)
            yield _middle(1.0, share, 0.0, start)


def _places(share: float) -> list[float]:
    """Where a crop that leaves so much of a side may begin; it leaves the middle in view."""
    spare = min(1 - share, MIDDLE[0])
    count = round(spare / CROP_STEP / share) + 1
    return [float(place) for place in np.linspace(max(0.0, 1 - share - spare), spare, count)] if spare else [0.0]


def _middle(width: float, height: float, left: float, top: float) -> Rect:
    return ((MIDDLE[0] - left) / width, (MIDDLE[1] - top) / height,
            (MIDDLE[2] - left) / width, (MIDDLE[3] - top) / height)  # fmt: skip


def _margins(outer: Rect) -> Iterator[Rect]:
    for left, top, right, bottom in itertools.product(MARGINS, repeat=4):
        if left or top or right or bottom:
            yield within(outer, (left, top, 1 - right, 1 - bottom))
