"""Recordings as devices and their makers' programs leave them: made on the spot, each with one oddity.

All show a picture with a red corner above left; at FLASH_S it turns white while a tone sounds, for FLASH_LENGTH_S, so
that picture and sound can be laid beside each other in what is made of them.
"""

from __future__ import annotations

import re
import struct
import subprocess
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import av
import imageio_ffmpeg

FLASH_S, FLASH_LENGTH_S, TONE_HZ = 2.0, 0.4, 1000


def picture(
    *, size: str = "320x180", rate: str = "25", seconds: float = 4.0, flash_s: float = FLASH_S, more: str = ""
) -> list[str]:
    """ffmpeg's input of such pictures. more: further filters, beginning with a comma."""
    when = f"between(t,{flash_s - 0.001},{flash_s + FLASH_LENGTH_S - 0.001})"
    drawn = (
        f"color=c=0x303030:s={size}:r={rate},drawbox=w=iw/4:h=ih/4:c=red:t=fill,"
        f"drawbox=c=white:t=fill:enable='{when}'{more}"
    )
    return ["-f", "lavfi", "-t", str(seconds), "-i", drawn]


def tone(*, seconds: float = 4.0, rate_hz: int = 48_000, at_s: float = FLASH_S) -> list[str]:
    """ffmpeg's input of silence with the tone."""
    when = f"between(t,{at_s},{at_s + FLASH_LENGTH_S})"
    return ["-f", "lavfi", "-t", str(seconds), "-i", f"aevalsrc='0.6*sin(2*PI*{TONE_HZ}*t)*{when}':s={rate_hz}"]


def made(path: Path, *arguments: str) -> Path:
    """The bundled ffmpeg wrote it. arguments: inputs, then options of the output."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-v", "error", "-y", *arguments, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return path


X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")


def turned(plain: Path, path: Path, degrees: int) -> Path:
    """The same film, to be shown turned by so many degrees with the clock (ISO/IEC 14496-12, 8.3.2)."""
    matrices = {
        90: (0, 1, 0, -1, 0, 0, 0, 0), 180: (-1, 0, 0, 0, -1, 0, 0, 0), 270: (0, -1, 0, 1, 0, 0, 0, 0),
        0: (1, 0, 0, 0, 1, 0, 0, 0),
    }  # fmt: skip
    bits = {
        angle: b"".join((value << 16).to_bytes(4, "big", signed=True) for value in matrix) + b"\x40\0\0\0"
        for angle, matrix in matrices.items()
    }
    data = plain.read_bytes()
    at = data.index(bits[0], data.index(b"tkhd"))
    path.write_bytes(data[:at] + bits[degrees] + data[at + 36 :])
    return path


def behind_imkh(plain: Path, path: Path) -> Path:
    """A program stream behind the 40 bytes that Hikvision's programs put in front, under whatever name."""
    path.write_bytes(b"IMKH\x01\x01\x00\x00" + bytes(32) + plain.read_bytes())
    return path


def dav(
    path: Path,
    *,
    seconds: float = 4.0,
    rate: int = 25,
    began_at: datetime = datetime(2023, 6, 19, 6, 42, 23, tzinfo=UTC),
) -> Path:
    """A Dahua recording: H.264 and A-law of 8 kHz in DHAV frames, as FFmpeg's demuxer `dhav` reads them."""
    coding = (*X264, "-g", str(rate), "-bf", "0", "-x264-params", "aud=0:repeat-headers=1")
    film = made(path.with_suffix(".h264"), *picture(seconds=seconds, rate=str(rate)), *coding)
    sound = made(path.with_suffix(".al"), *tone(seconds=seconds, rate_hz=8000), "-c:a", "pcm_alaw", "-f", "alaw")
    frames: list[tuple[float, bytes, bytes, bytes]] = []
    for number, unit in enumerate(_access_units(film.read_bytes())):
        is_key = b"\0\0\1\x67" in unit[:8] or b"\0\0\0\1\x67" in unit[:8]
        described = bytes([0x82, 0, 0, 0]) + struct.pack("<HH", 320, 180) + bytes([0x81, 0, 0x02, rate])
        frames.append((number / rate, b"\xfd" if is_key else b"\xfc", described if is_key else b"", unit))
    samples = sound.read_bytes()
    for start in range(0, len(samples), 320):
        frames.append((start / 8000, b"\xf0", bytes([0x83, 1, 0x0E, 2]), samples[start : start + 320]))
    out = b""
    for number, (at_s, kind, described, content) in enumerate(sorted(frames, key=lambda one: one[0])):
        out += _dhav(kind, number, began_at + timedelta(seconds=at_s), round(at_s * 1000), described, content)
    path.write_bytes(out)
    return path


def _dhav(kind: bytes, number: int, at: datetime, ms: int, described: bytes, content: bytes) -> bytes:
    date = (at.year - 2000) << 26 | at.month << 22 | at.day << 17 | at.hour << 12 | at.minute << 6 | at.second
    length = 24 + len(described) + len(content) + 8
    head = b"DHAV" + kind + bytes(3) + struct.pack("<IIIHBB", number, length, date, ms & 0xFFFF, len(described), 0)
    return head + described + content + b"dhav" + struct.pack("<I", length)


def _access_units(data: bytes) -> Iterable[bytes]:
    """H.264 pictures of one slice each, parameter sets before their picture."""
    starts = [found.start() for found in re.finditer(rb"\x00?\x00\x00\x01", data)]
    kept = b""
    for start, end in zip(starts, [*starts[1:], len(data)], strict=True):
        unit = data[start:end]
        kept += unit
        if unit.lstrip(b"\0")[1] & 0x1F in (1, 5):
            yield kept
            kept = b""


def joined(path: Path, parts: Sequence[Path]) -> Path:
    """The files' bytes one behind the other."""
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


def seen(path: Path) -> dict[str, Any]:
    """What a viewing copy holds, by decoding all of it.

    size; times of its pictures; flash_s: when it first turns white; tone_s: when the first loud sound comes; sound_s:
    how much sound there is; red: in which corner the red one is; white: the lightest level. None for what is not there.
    """
    told: dict[str, Any] = {
        "size": None, "times": [], "flash_s": None, "tone_s": None, "sound_s": 0.0, "red": None, "white": 0,
    }  # fmt: skip
    with av.open(str(path)) as container:
        for frame in container.decode(video=0) if container.streams.video else ():
            told["times"].append(frame.time)
            small = frame.to_ndarray(format="rgb24")
            told["size"] = told["size"] or (frame.width, frame.height)
            middle = float(small[frame.height // 2 - 8 : frame.height // 2 + 8, frame.width // 2 - 8 :].mean())
            told["white"] = max(told["white"], middle)
            if told["flash_s"] is None and middle > 140:
                told["flash_s"] = frame.time
            if told["red"] is None:
                told["red"] = _red_corner(small)
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0) if container.streams.audio else ():
            samples = frame.to_ndarray().astype(float)
            samples = samples.reshape(1, -1)[:, :: len(frame.layout.channels)] if frame.format.is_packed else samples
            told["sound_s"] = frame.time + frame.samples / frame.sample_rate
            loud = abs(samples[0]) > 0.1
            if told["tone_s"] is None and loud.any():
                told["tone_s"] = frame.time + float(loud.argmax()) / frame.sample_rate
    return told


def _red_corner(pixels: Any) -> str | None:
    height, width = pixels.shape[:2]
    y, x = max(2, height // 10), max(2, width // 10)
    places = {
        "above left": (y, x), "above right": (y, -x), "below left": (-y, x), "below right": (-y, -x),
    }  # fmt: skip
    found = [name for name, place in places.items() if pixels[place][0] > 120 and max(pixels[place][1:]) < 100]
    return found[0] if len(found) == 1 else None
