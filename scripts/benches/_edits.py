"""What people do to a clip before they pass it on: recipes for ffmpeg and numpy, and the making of such clips.

A clip is cut once, at most 640 pixels wide and 25 pictures a second, and then edited. Lettering and a telephone's
interface are drawn with Pillow, so that no font of the machine is needed. Filming from a screen and a telephone's
microphone are simulations.
"""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

CUT: Final = "scale='min(640,trunc(iw/2)*2)':-2:flags=bicubic,setsar=1,fps=25,format=yuv420p"
ENCODED: Final = ("-c:v", "libx264", "-preset", "superfast", "-crf", "28", "-pix_fmt", "yuv420p")
EVEN: Final = "scale=trunc(iw/2)*2:trunc(ih/2)*2"


@dataclass(frozen=True)
class Edit:
    """One edit. graph: from [0:v] to [v]; {w} and {h} are the cut's size.

    drawn: makes a picture to lie over the clip as [1:v]; behind: [1:v] is the other clip. speed: beside the original.
    part_s: only so much of the cut. again: filter and encoding of a second passage.
    """

    graph: str
    encoded: tuple[str, ...] = ENCODED
    drawn: Callable[[int, int], Image.Image] | None = None
    behind: bool = False
    speed: float = 1.0
    part_s: float | None = None
    again: tuple[str, tuple[str, ...]] | None = field(default=None)


def _crf(value: int) -> tuple[str, ...]:
    return (*ENCODED[:5], str(value), *ENCODED[6:])


def _letters(draw: ImageDraw.ImageDraw, at: tuple[float, float], text: str, size_px: float, fill: str) -> None:
    draw.text(at, text, fill=fill, font=ImageFont.load_default(max(8, size_px)))


def _logo(width: int, height: int) -> Image.Image:
    picture = Image.new("RGBA", (width, height))
    draw = ImageDraw.Draw(picture)
    draw.rectangle((width * 0.75, height * 0.04, width * 0.97, height * 0.17), fill="#c01020")
    _letters(draw, (width * 0.77, height * 0.06), "CITY 24", height / 13, "white")
    draw.rectangle((width * 0.03, height * 0.05, width * 0.17, height * 0.11), fill="#ffffffcc")
    return picture


def _subtitles(width: int, height: int) -> Image.Image:
    picture = Image.new("RGBA", (width, height))
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, height * 0.8, width, height), fill="#000000a0")
    _letters(draw, (width * 0.2, height * 0.82), "What happened at the market today", height / 17, "yellow")
    _letters(draw, (width * 0.1, height * 0.91), "more about this after the next report", height / 19, "white")
    return picture


def _repost(width: int, height: int) -> Image.Image:
    picture = Image.new("RGBA", (width, height))
    draw = ImageDraw.Draw(picture)
    draw.rectangle((width * 0.05, height * 0.05, width * 0.25, height * 0.15), fill="#2030c0cc")
    _letters(draw, (width * 0.08, height * 0.06), "LIVE", height / 14, "white")
    draw.rectangle((0, height * 0.84, width, height), fill="#000000b4")
    _letters(draw, (width * 0.2, height * 0.87), "seen and passed on by a friend", height / 18, "white")
    return picture


def _phone(width: int, height: int) -> Image.Image:  # noqa: ARG001 - every drawing is called alike
    picture = Image.new("RGBA", (480, 1040))
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 0, 480, 110), fill="white")
    _letters(draw, (20, 20), "10:42      5G", 22, "black")
    for line, text in enumerate(("Zhang San  128 comments", "where was this taken?", "near the old bridge", "reply")):
        _letters(draw, (20, 720 + 62 * line), text, 24, "#333333")
    return picture


def _title(width: int, height: int) -> Image.Image:  # noqa: ARG001 - every drawing is called alike
    picture = Image.new("RGBA", (480, 854))
    _letters(ImageDraw.Draw(picture), (60, 80), "you have to see this", 34, "white")
    return picture


_FILMED: Final = (
    "scale=720:-2,rotate='0.03+0.012*sin(2*PI*t/2.1)':c=black:ow=iw:oh=ih,"
    "perspective=x0='W*0.05':y0='H*0.03':x1='W*0.97':y1='H*0.08':x2='W*0.02':y2='H*0.95':x3='W*0.94':y3='H*1.01'"
    ":sense=destination,pad=iw*1.1:ih*1.1:iw*0.05:ih*0.06:color=0x181818,"
    "crop=iw*0.98:ih*0.98:'iw*0.01+4*sin(2*PI*t/1.9)':'ih*0.01+4*cos(2*PI*t/1.4)',gblur=sigma=1.3,"
    "eq=brightness=0.05:contrast=0.85:gamma=1.15:saturation=0.8,vignette=PI/5,noise=alls=14:allf=t," + EVEN
)
EDITS: Final[dict[str, Edit]] = {
    "re-encoded": Edit("[0:v]null[v]", _crf(40)),
    "scaled": Edit("[0:v]scale=-2:240[v]", _crf(31)),
    "messenger": Edit(
        "[0:v]scale='if(gt(iw,ih),-2,540)':'if(gt(iw,ih),540,-2)'[v]", _crf(31),
        again=("scale='if(gt(iw,ih),-2,320)':'if(gt(iw,ih),320,-2)',fps=20",
               ("-c:v", "libx264", "-profile:v", "baseline", "-preset", "superfast", "-b:v", "220k", "-maxrate", "300k",
                "-bufsize", "400k", "-pix_fmt", "yuv420p")),
    ),
    "brighter": Edit("[0:v]eq=brightness=0.10:contrast=1.35:saturation=1.6:gamma=1.25[v]"),
    "darker": Edit("[0:v]eq=brightness=-0.10:contrast=0.75:saturation=0.5:gamma=0.75[v]"),
    "logo": Edit("[0:v][1:v]overlay=0:0[v]", drawn=_logo),
    "subtitles": Edit("[0:v][1:v]overlay=0:0[v]", drawn=_subtitles),
    "cropped 10 %": Edit(f"[0:v]crop=iw*0.9:ih*0.9:iw*0.03:ih*0.07,{EVEN}[v]"),
    "cropped 25 %": Edit(f"[0:v]crop=iw*0.75:ih*0.75:iw*0.05:ih*0.2,{EVEN}[v]"),
    "letterbox": Edit(f"[0:v]pad=iw:ih*4/3:0:(oh-ih)/2:black,{EVEN}[v]"),
    "upright, black": Edit("[0:v]scale=480:-2,pad=480:854:0:(oh-ih)/2:black[v]"),
    "upright, blurred": Edit(
        "[0:v]split[a][b];[a]scale=480:854:force_original_aspect_ratio=increase,crop=480:854,gblur=sigma=18[c];"
        "[b]scale=480:-2[d];[c][d]overlay=(W-w)/2:(H-h)/2[e];[e][1:v]overlay=0:0[v]", drawn=_title,
    ),
    "telephone screen": Edit(
        "color=c=0xf2f2f2:s=480x1040:r=25[c];[0:v]scale=480:-2[d];[c][d]overlay=0:180:shortest=1[e];"
        "[e][1:v]overlay=0:0[v]", drawn=_phone,
    ),
    "mirrored": Edit("[0:v]hflip[v]"),
    "mirrored, cropped": Edit(f"[0:v]hflip,crop=iw*0.85:ih*0.85:iw*0.03:ih*0.1,{EVEN}[v]"),
    "turned 90": Edit("[0:v]transpose=1[v]"),
    "speed 1.25": Edit("[0:v]setpts=PTS/1.25,fps=25[v]", speed=1.25),
    "speed 0.8": Edit("[0:v]setpts=PTS/0.8,fps=25[v]", speed=0.8),
    "5 s": Edit("[0:v]null[v]", part_s=5.0),
    "3 s": Edit("[0:v]null[v]", part_s=3.0),
    "combination": Edit(
        "[0:v]crop=iw*0.92:ih*0.92,scale={w}:{h}[a];[a][1:v]overlay=0:0,setpts=PTS/1.06,fps=25,"
        "eq=contrast=1.15:saturation=1.3[v]", _crf(34), drawn=_repost, speed=1.06,
    ),
    "picture in picture": Edit(
        f"[1:v]scale=854:480,setsar=1[c];[0:v]scale=512:288:force_original_aspect_ratio=decrease,{EVEN}[d];"
        "[c][d]overlay=W-w-30:40:shortest=1[v]", behind=True,
    ),
    "filmed": Edit(f"[0:v]{_FILMED}[v]", _crf(30)),
}  # fmt: skip
# Edits that change most of a picture: foreign clips go through these.
ON_FOREIGN: Final = ("re-encoded", "cropped 10 %", "letterbox", "upright, blurred", "telephone screen", "combination",
                     "filmed")  # fmt: skip


class Maker:
    """Makes clips in a folder and keeps them there for the next run."""

    def __init__(self, folder: Path, ffmpeg: str) -> None:
        self._folder, self._ffmpeg = folder, ffmpeg
        folder.mkdir(parents=True, exist_ok=True)

    def cut(self, source: Path, start_s: float, length_s: float) -> Path:
        """This part of a recording, scaled, nearly without loss."""
        return self._made(
            (str(source), source.stat().st_size, start_s, length_s),
            ["-ss", f"{start_s:.3f}", "-t", f"{length_s:.3f}", "-i", str(source), "-map", "0:V:0", "-an", "-vf", CUT,
             "-c:v", "libx264", "-preset", "ultrafast", "-crf", "12"],
        )  # fmt: skip

    def drawn(self, source: str, length_s: float, options: tuple[str, ...] = ENCODED) -> Path:
        """A clip of one of ffmpeg's own sources, such as a test card."""
        return self._made((source, length_s), ["-f", "lavfi", "-t", f"{length_s}", "-i", source, *options])

    def edited(self, cut: Path, name: str, behind: Path | None = None) -> Path:
        """The cut after this edit. behind: what lies behind a picture in the picture."""
        edit = EDITS[name]
        width, height = _size_of(self._ffmpeg, cut)
        over: list[str] = []
        if edit.drawn is not None:
            picture = self._folder / f"{edit.drawn.__name__.strip('_')}-{width}x{height}.png"
            if not picture.exists():
                edit.drawn(width, height).save(picture)
            over = ["-i", str(picture)]
        elif edit.behind:
            over = ["-stream_loop", "-1", "-i", str(behind)]
        graph = edit.graph.replace("{w}", str(width)).replace("{h}", str(height))
        part = ["-t", f"{edit.part_s}"] if edit.part_s else []
        once = self._made(
            (cut.name, name, graph, *edit.encoded, behind and behind.name),
            [*part, "-i", str(cut), *over, "-filter_complex", graph, "-map", "[v]", *edit.encoded],
        )
        if edit.again is None:
            return once
        filters, encoded = edit.again
        return self._made((once.name, filters), ["-i", str(once), "-vf", filters, *encoded])

    def _made(self, told: tuple[object, ...], arguments: list[str]) -> Path:
        path = self._folder / f"{hashlib.sha256(repr(told).encode()).hexdigest()[:20]}.mp4"
        if not path.exists():
            fresh = path.with_suffix(".part.mp4")
            _run([self._ffmpeg, "-y", "-v", "error", "-nostdin", "-threads", "1", *arguments, "-threads", "1",
                  str(fresh)])  # fmt: skip
            fresh.replace(path)
        return path


def _run(command: list[str], given: bytes | None = None) -> bytes:
    ended = subprocess.run(command, input=given, capture_output=True, check=False)
    if ended.returncode:
        raise RuntimeError(f"{' '.join(command)}: {ended.stderr.decode(errors='replace')[-400:]}")
    return ended.stdout


def _size_of(ffmpeg: str, clip: Path) -> tuple[int, int]:
    data = _run([ffmpeg, "-v", "error", "-nostdin", "-i", str(clip), "-frames:v", "1", "-f", "image2pipe", "-c:v",
                 "pgm", "-"])  # fmt: skip
    width, height = data.split(maxsplit=3)[1:3]
    return int(width), int(height)


# -- sound

Samples = NDArray[np.int16]
RATE_HZ: Final = 22_050


class Distorter:
    """Sounds as they arrive over a telephone, a messenger, under a voice; at RATE_HZ, one channel."""

    def __init__(self, ffmpeg: str, voices: Samples) -> None:
        self._ffmpeg, self._voices = ffmpeg, voices.astype(np.float32)
        self.kinds: dict[str, Callable[[NDArray[np.float32], np.random.Generator], NDArray[np.float32]]] = {
            "clean": lambda sound, _: sound,
            "mp3 32k": lambda sound, _: self._coded(sound, "mp3", "-c:a", "libmp3lame", "-b:a", "32k"),
            "opus 12k": lambda sound, _: self._coded(sound, "ogg", "-c:a", "libopus", "-b:a", "12k"),
            "noise 10 dB": lambda sound, chance: _with(sound, chance.normal(size=len(sound)), 10),
            "noise 0 dB": lambda sound, chance: _with(sound, chance.normal(size=len(sound)), 0),
            "voices 5 dB below": lambda sound, chance: _with(sound, self._voice(len(sound), chance), 5),
            "voices as loud": lambda sound, chance: _with(sound, self._voice(len(sound), chance), 0),
            "telephone": self._telephone,
            "26 dB quieter": lambda sound, _: sound * 0.05,
            "clipped": lambda sound, _: np.clip(sound * 6, -14_000, 14_000),
            "tempo 1.25": lambda sound, _: self._filtered(sound, "atempo=1.25"),
            "pitch +3 %": lambda sound, _: self._filtered(
                sound, f"asetrate={round(RATE_HZ * 1.03)},aresample={RATE_HZ}"
            ),
            "bass up, treble down": lambda sound, _: self._filtered(sound, "bass=g=10,treble=g=-12"),
        }

    def sound_of(self, source: Path, start_s: float = 0.0, length_s: float = 600.0, rate_hz: int = RATE_HZ) -> Samples:
        """This part of a recording's sound."""
        return np.frombuffer(
            _run([self._ffmpeg, "-v", "error", "-nostdin", "-ss", f"{start_s}", "-t", f"{length_s}", "-i", str(source),
                  "-map", "0:a:0", "-ac", "1", "-ar", str(rate_hz), "-f", "s16le", "-"]), np.int16,
        )  # fmt: skip

    def distorted(self, sound: Samples, kind: str, seed: int) -> Samples:
        """The sound after one distortion, at 11,025 Hz."""
        changed = self.kinds[kind](sound.astype(np.float32), np.random.default_rng(seed))
        return self._through(changed, ["-f", "s16le"], rate_hz=RATE_HZ // 2).astype(np.int16)

    def _voice(self, length: int, chance: np.random.Generator) -> NDArray[np.float32]:
        start = int(chance.integers(0, max(1, len(self._voices) - length)))
        return np.resize(self._voices[start:], length)

    def _telephone(self, sound: NDArray[np.float32], chance: np.random.Generator) -> NDArray[np.float32]:
        """An echoing room, a small loudspeaker, noise and a low bit rate."""
        tail = np.arange(int(0.35 * RATE_HZ))
        echo = chance.normal(size=len(tail)) * np.exp(-tail / RATE_HZ / 0.09) * 0.12
        echo[0] += 1
        size = 1 << (len(sound) + len(echo)).bit_length()
        heard = np.fft.irfft(np.fft.rfft(sound, size) * np.fft.rfft(echo, size), size)[: len(sound)]
        heard = heard / max(1.0, float(np.abs(heard).max())) * 9000
        narrow = self._filtered(heard.astype(np.float32), "highpass=f=350,lowpass=f=3800")
        return self._coded(_with(narrow, chance.normal(size=len(narrow)), 12), "mp4", "-c:a", "aac", "-b:a", "24k",
                           "-movflags", "frag_keyframe+empty_moov")  # fmt: skip

    def _filtered(self, sound: NDArray[np.float32], filters: str) -> NDArray[np.float32]:
        return self._through(sound, ["-af", filters, "-f", "s16le"])

    def _coded(self, sound: NDArray[np.float32], form: str, *encoding: str) -> NDArray[np.float32]:
        coded = _run([*self._reading(), *encoding, "-f", form, "-"], _bytes_of(sound))
        return np.frombuffer(
            _run([self._ffmpeg, "-v", "error", "-i", "-", "-ac", "1", "-ar", str(RATE_HZ), "-f", "s16le", "-"], coded),
            np.int16,
        ).astype(np.float32)

    def _through(self, sound: NDArray[np.float32], options: list[str], rate_hz: int = RATE_HZ) -> NDArray[np.float32]:
        heard = _run([*self._reading(), "-ac", "1", "-ar", str(rate_hz), *options, "-"], _bytes_of(sound))
        return np.frombuffer(heard, np.int16).astype(np.float32)

    def _reading(self) -> list[str]:
        return [self._ffmpeg, "-v", "error", "-f", "s16le", "-ar", str(RATE_HZ), "-ac", "1", "-i", "-"]


def _bytes_of(sound: NDArray[np.float32]) -> bytes:
    return np.clip(sound, -32_768, 32_767).astype(np.int16).tobytes()


def _with(sound: NDArray[np.float32], other: NDArray[np.float64], ratio_db: float) -> NDArray[np.float32]:
    """The sound and another one that lies so far below it."""
    loud, other_loud = (float(np.sqrt((one**2).mean() + 1e-9)) for one in (sound, other))
    return np.asarray(sound + other * (loud / other_loud * 10 ** (-ratio_db / 20)), np.float32)
