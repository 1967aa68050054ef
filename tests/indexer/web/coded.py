"""Recordings whose every picture tells in black and white when it is shown, and what a browser reads of them."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import imageio_ffmpeg
import numpy as np

WIDTH, HEIGHT, BITS = 320, 180, 16


def coded(path: Path, *, length_s: float, taken: str, rate: int = 25, own: int = 0) -> Path:
    """A film without sound. Sixteen fields from left to right are the binary digits of its pictures' milliseconds,
    the highest first. own: a shade below them, so that no two films are the same.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    command = [
        imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-f", "rawvideo", "-pix_fmt", "gray", "-s",
        f"{WIDTH}x{HEIGHT}", "-r", str(rate), "-i", "-", "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt",
        "yuv420p", "-g", str(rate), "-metadata", f"creation_time={taken}", "-movflags", "+faststart", str(path),
    ]  # fmt: skip
    with subprocess.Popen(command, stdin=subprocess.PIPE) as writing:
        assert writing.stdin is not None
        for picture in _pictures(round(length_s * rate), rate, own):
            writing.stdin.write(picture)
    assert writing.returncode == 0
    return path


def _pictures(count: int, rate: int, own: int) -> Iterator[bytes]:
    picture = np.full((HEIGHT, WIDTH), own, np.uint8)
    for number in range(count):
        ms = round(number * 1000 / rate)
        digits = np.array([235 if ms >> bit & 1 else 16 for bit in reversed(range(BITS))], np.uint8)
        picture[: HEIGHT // 2] = np.repeat(digits, WIDTH // BITS)
        yield picture.tobytes()


# Milliseconds that the picture of each video now on the page tells: what is on the screen, whatever any clock says.
READ: Final = """() => {
  const canvas = window.reading ??= Object.assign(document.createElement("canvas"), {width: 16, height: 4});
  const drawing = window.drawing ??= canvas.getContext("2d", {willReadFrequently: true});
  const read = (video) => {
    const {videoWidth: width, videoHeight: height} = video;
    drawing.imageSmoothingEnabled = false;
    drawing.clearRect(0, 0, 16, 4);
    drawing.drawImage(video, 0, 0, width, height / 2, 0, 0, 16, 4);
    const points = drawing.getImageData(0, 2, 16, 1).data;
    let told = 0;
    for (let bit = 0; bit < 16; bit++) told = told * 2 + (points[4 * bit] > 128);
    return told;
  };
  return Array.from(document.querySelectorAll("video"), read);
}"""
