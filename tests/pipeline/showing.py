"""Really encoded recordings in which codes are held up: small, at an angle, blurred, cut in half."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import segno
from PIL import Image, ImageFilter

from tests.samples.devices import made

FPS = 25


@dataclass(frozen=True)
class Way:
    """How a code is held up. share: its side by the picture's height; lean: how far one side is farther off, 0 to 1;
    turn: degrees; blur: standard deviation in pixels; kept: the share of it, from the left, that is not covered."""

    share: float = 0.5
    lean: float = 0.0
    turn: float = 0.0
    blur: float = 0.0
    kept: float = 1.0


def code_image(text: str, error: str = "q") -> Image.Image:
    """The code with its margin, ten pixels a module."""
    rows = np.array([list(row) for row in segno.make(text, error=error, micro=False).matrix_iter(scale=10, border=4)])
    return Image.fromarray((255 - rows.astype(np.uint8) * 255).astype(np.uint8), "L")


def held(code: Image.Image, height_px: int, way: Way) -> Image.Image:
    """The code, or a whole card, as a picture of this height shows it."""
    side = round(height_px * way.share)
    code = code.convert("L").resize((round(side * code.width / code.height), side), Image.Resampling.LANCZOS)
    if way.kept < 1:
        code.paste(128, (round(code.width * way.kept), 0, code.width, side))
    if way.lean:
        inset = way.lean * side / 4
        corners = [(0, 0), (side, inset), (side, side - inset), (0, side)]
        plane = _plane(corners, side)
        code = code.transform(code.size, Image.Transform.PERSPECTIVE, plane, Image.Resampling.BICUBIC, fillcolor=90)
    if way.turn:
        code = code.rotate(way.turn, Image.Resampling.BICUBIC, expand=True, fillcolor=90)
    return code.filter(ImageFilter.GaussianBlur(way.blur)) if way.blur else code


def _plane(corners: list[tuple[float, float]], side: int) -> list[float]:
    """The eight numbers by which Pillow draws a square into these corners."""
    square = [(0, 0), (side, 0), (side, side), (0, side)]
    rows, right = [], []
    for (x, y), (u, v) in zip(corners, square, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        right += [u, v]
    return [float(one) for one in np.linalg.solve(np.array(rows, float), np.array(right, float))]


def filmed(
    path: Path, code_at: Callable[[float], str | Image.Image | None], *, seconds: float = 6.0,
    size: tuple[int, int] = (854, 480), way: Way | None = None, options: tuple[str, ...] = (), **metadata: Any,
) -> Path:  # fmt: skip
    """A recording at FPS pictures a second, H.264, in which the codes are held up before a scene that moves.

    code_at: the text or the card that is held up at a second of it, None for nothing. metadata: of the container.
    """
    width, height = size
    chance = np.random.default_rng(5)
    ground = np.asarray(
        Image.fromarray(chance.integers(30, 200, (18, 32), np.uint8)).resize(size, Image.Resampling.BICUBIC)
    )
    grain = chance.normal(0, 3, (4, height, width)).astype(np.int16)
    raw, shown = path.with_suffix(".raw"), dict[Any, Image.Image]()
    with raw.open("wb") as stream:
        for number in range(round(seconds * FPS)):
            scene = Image.fromarray(np.roll(ground, 3 * number, axis=1))
            if (code := code_at(number / FPS)) is not None:
                key = code if isinstance(code, str) else id(code)
                if key not in shown:
                    shown[key] = held(code_image(code) if isinstance(code, str) else code, height, way or Way())
                card = shown[key]
                scene.paste(card, ((width - card.width) // 2, (height - card.height) // 2))
            picture = np.asarray(scene).astype(np.int16) + grain[number % 4]
            stream.write(np.clip(picture, 0, 255).astype(np.uint8).tobytes())
    told = [part for name, value in metadata.items() for part in ("-metadata", f"{name}={value}")]
    try:
        return made(
            path, "-f", "rawvideo", "-pix_fmt", "gray", "-s", f"{width}x{height}", "-r", str(FPS), "-i", str(raw),
            "-c:v", "libx264", "-preset", "ultrafast", "-crf", "26", "-pix_fmt", "yuv420p", *options, *told,
        )  # fmt: skip
    finally:
        raw.unlink()
