"""Small recordings made on the spot: every one different, none licensed by anybody."""

from __future__ import annotations

import io
import math
import random
import struct
import subprocess
import wave
from datetime import datetime
from pathlib import Path

import imageio_ffmpeg
import piexif
from PIL import Image, ImageDraw


def photo(
    path: Path, seed: int, *, taken: datetime | None = None, size: tuple[int, int] = (160, 120), make: str = "Casereel",
    model: str = "Test 1", gps: tuple[float, float] | None = None, orientation: int = 1, offset: str | None = None,
) -> Path:  # fmt: skip
    """A JPEG of random shapes, with EXIF as the arguments say."""
    chance = random.Random(seed)
    image = Image.new("RGB", size, tuple(chance.randrange(256) for _ in range(3)))
    draw = ImageDraw.Draw(image)
    for _ in range(12):
        corner = [chance.randrange(size[0]), chance.randrange(size[1])]
        far = [chance.randrange(size[0]), chance.randrange(size[1])]
        box = [min(corner[0], far[0]), min(corner[1], far[1]), max(corner[0], far[0]), max(corner[1], far[1])]
        draw.rectangle(box, fill=tuple(chance.randrange(256) for _ in range(3)))
    first: dict[int, object] = {
        piexif.ImageIFD.Make: make, piexif.ImageIFD.Model: model, piexif.ImageIFD.Orientation: orientation,
    }  # fmt: skip
    exif: dict[int, object] = {}
    if taken is not None:
        exif[piexif.ExifIFD.DateTimeOriginal] = taken.strftime("%Y:%m:%d %H:%M:%S")
    if offset is not None:
        exif[piexif.ExifIFD.OffsetTimeOriginal] = offset
    place: dict[int, object] = {}
    if gps is not None:
        for letter, value, reference, number in (
            (piexif.GPSIFD.GPSLatitudeRef, gps[0], "NS", piexif.GPSIFD.GPSLatitude),
            (piexif.GPSIFD.GPSLongitudeRef, gps[1], "EW", piexif.GPSIFD.GPSLongitude),
        ):
            place[letter] = reference[value < 0]
            place[number] = [(int(abs(value)), 1), (round((abs(value) % 1) * 60 * 1_000_000), 1_000_000), (0, 1)]
    data = io.BytesIO()
    image.save(data, "JPEG", quality=85, exif=piexif.dump({"0th": first, "Exif": exif, "GPS": place}))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.getvalue())
    return path


def sound(path: Path, seed: int, *, length_s: float = 1.0, rate_hz: int = 16_000) -> Path:
    """A WAV of gliding tones and noise."""
    chance = random.Random(seed)
    tones = [(chance.uniform(150, 3000), chance.uniform(-400, 400)) for _ in range(4)]
    samples = bytearray()
    for number in range(int(length_s * rate_hz)):
        t = number / rate_hz
        value = sum(math.sin(2 * math.pi * (low + slide * t) * t) for low, slide in tones) / 5
        samples += struct.pack("<h", int(20_000 * max(-1, min(1, value + chance.uniform(-0.05, 0.05)))))
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as stream:
        stream.setparams((1, 2, rate_hz, 0, "NONE", ""))
        stream.writeframes(bytes(samples))
    return path


def film(
    path: Path, seed: int, *, length_s: float = 1.0, size: str = "192x108", rate: int = 25, taken: str | None = None,
    pattern: str = "testsrc2", with_sound: bool = True,
) -> Path:  # fmt: skip
    """An H.264 film with sound. taken: the container's creation time as ffmpeg takes it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = f"{pattern}=s={size}:r={rate}"
    if pattern == "testsrc2":
        picture += f",hue=h={seed * 37 % 360}:s={1 + seed % 3},rotate={seed % 7 / 10}"
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", "-f", "lavfi", "-i", picture]
    if with_sound:
        command += ["-f", "lavfi", "-i", f"sine=f={200 + seed * 13 % 900}:b=4,volume=0.5", "-c:a", "aac", "-b:a", "48k"]
    command += ["-t", str(length_s), "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "25"]
    if taken is not None:
        command += ["-metadata", f"creation_time={taken}"]
    command += ["-metadata", f"comment={seed}", "-movflags", "+faststart", str(path)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return path


def long_film(path: Path, seed: int, *, length_s: int, size: str = "1920x1080") -> Path:
    """A silent film that is long to transcode and quick to make: one second of picture, shown again and again."""
    short = film(path.with_name(f"second of {path.name}"), seed, size=size, with_sound=False)
    again = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", "-stream_loop", str(length_s - 1), "-i", str(short)]
    subprocess.run([*again, "-c", "copy", "-movflags", "+faststart", str(path)], check=True, stdin=subprocess.DEVNULL)
    short.unlink()
    return path
