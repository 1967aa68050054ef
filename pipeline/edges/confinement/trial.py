"""The cage proves itself before work begins: playlists, bombs, a look around, through the commands of every day.

A worker is started only where nothing leaks. What was proved is remembered until the next boot, kernel, program or
change of this code.
Source of the samples: the measurements of playlists and bombs kept with the tests.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import shutil
import struct
import sys
import tempfile
import wave
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import ffmpeg

from pipeline.edges.confinement.cage import CAN_FORK, Limits
from pipeline.edges.confinement.confining import opened_of
from pipeline.edges.tools import Tools
from pipeline.errors import TryAgain, Unreadable

LIMITS: Final = Limits(wall_s=20, cpu_s=5, memory_bytes=2 << 30, file_bytes=16 << 20)
RATE_HZ: Final = 8000
SECRET: Final = struct.pack("<h", 0x1234) * (RATE_HZ // 10)
EDGES: Final = Path(__file__).resolve().parents[1]
PROVING: Final = (
    "confinement/cage", "confinement/confining", "caged/fronts", "confinement/landlock", "confinement/seccomp", "tools",
    "confinement/trial",
)  # fmt: skip


@dataclass(frozen=True)
class Attempt:
    """One sample. leaks: whether it got through; `what` says in the operator's words what that would mean."""

    what: str
    leaks: Callable[[], bool]


def prove(tools: Tools, kept_in: Path | None = None) -> None:
    """Nothing leaks. kept_in: a folder of this account where that is remembered; None: it is proved again each time.

    Raises TryAgain naming what leaked, or that the media program does not run in its cage.
    """
    if tools.wants_full:
        tools.require_full()
    if not CAN_FORK:  # time is the only limit there; nothing else is claimed
        return
    known = _surroundings(tools)
    if kept_in is not None and _remembered(kept_in) == known:
        return
    folder = Path(tempfile.mkdtemp(prefix="casereel-trial-"))
    try:
        _require_reading(tools, folder)
        attempts = list(attempts_on(tools, folder))
        with ThreadPoolExecutor(4) as pool:
            leaked = [one.what for one, got in zip(attempts, pool.map(_leaks, attempts), strict=True) if got]
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if leaked:
        raise TryAgain(
            f"The cage for hostile files does not hold, so no work is begun: {'; '.join(leaked)}. "
            'Set media.ffmpeg = "bundled", and see what `casereel doctor` says of the cage',
            zh=f"隔离环境不成立，未开始处理：{'; '.join(leaked)}。请将 media.ffmpeg 设为 bundled，"
            "并查看 casereel doctor",
            found=leaked,
        )
    if kept_in is not None:
        _remember(kept_in, known)


def _leaks(one: Attempt) -> bool:
    return one.leaks()


def _require_reading(tools: Tools, folder: Path) -> None:
    """A harmless sound goes through; else every sample below would seem to be held."""
    with wave.open(str(folder / "secret.wav"), "wb") as sound:
        sound.setparams((1, 2, RATE_HZ, 0, "NONE", ""))
        sound.writeframes(SECRET)
    heard = _heard(tools, tools.input(folder / "secret.wav", "wav"))
    if heard != SECRET:
        raise TryAgain(
            "The media program does not run in its cage, so no work is begun: "
            'set media.ffmpeg = "bundled", and see what `casereel doctor` says of the cage',
            zh="媒体程序无法在隔离环境中运行，未开始处理：请将 media.ffmpeg 设为 bundled，并查看 casereel doctor",
            found=len(heard),
        )


def attempts_on(tools: Tools, folder: Path) -> Iterator[Attempt]:
    """The samples, written to the folder, which holds `secret.wav`."""
    secret = folder / "secret.wav"
    for number, (name, text) in enumerate(playlists(secret)):
        for format_name in ("mp4", "wav"):
            sample = folder / f"{number}.{format_name}"
            sample.write_bytes(text)
            yield Attempt(f"a {name} named .{format_name} opened another file", _hears(tools, sample, format_name))
    pattern = folder / "secret%1d.wav"
    pattern.write_bytes(b"no sound")
    shutil.copyfile(secret, folder / "secret1.wav")
    yield Attempt("a name with a pattern opened another file", _hears(tools, pattern, "wav"))
    bomb = folder / "bomb.mp4"
    bomb.write_bytes(index_bomb(tracks=40, samples=80_000_000))
    yield Attempt("an index of 3,200 million samples was not refused", lambda: not _refuses(tools, bomb))
    if tools.caging.level == "limits":
        return
    # As if ffmpeg had been taken over: every protocol and demuxer allowed, only the cage in the way.
    willing = folder / "willing"
    willing.write_bytes(dict(playlists(secret))["ffconcat list of whole paths"])
    yield Attempt(
        "a media program opened another file than the evidence",
        lambda: bool(_heard(tools, ffmpeg.input(f"file:{willing}", f="concat", safe=0))),
    )
    yield Attempt(
        "a reader opened another file than the evidence",
        lambda: bool(tools.call(opened_of, [str(secret), "/etc/passwd"], limits=LIMITS)),
    )
    yield Attempt("a reader wrote beside its folder", lambda: _writes(tools, folder))


def playlists(secret: Path) -> Iterator[tuple[str, bytes]]:
    """(kind, content) of lists that point to the secret."""
    yield "ffconcat list", f"ffconcat version 1.0\nfile {secret.name}\n".encode()
    yield "ffconcat list of whole paths", f"ffconcat version 1.0\nfile '{secret}'\n".encode()
    hls = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:9\n#EXTINF:9.0,\n{}\n#EXT-X-ENDLIST\n"
    yield "HLS list", hls.format(f"file://{secret}").encode()
    yield (
        "DASH list",
        (
            '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
            'mediaPresentationDuration="PT9S" minBufferTime="PT1S" '
            'profiles="urn:mpeg:dash:profile:isoff-on-demand:2011">'
            '<Period><AdaptationSet mimeType="audio/wav"><Representation id="1" bandwidth="1000">'
            f"<BaseURL>{secret}</BaseURL></Representation></AdaptationSet></Period></MPD>"
        ).encode(),
    )


def index_bomb(*, tracks: int, samples: int) -> bytes:
    """An MP4 of some kilobytes whose tracks claim so many samples of one byte each (ISO/IEC 14496-12)."""

    def box(kind: bytes, *parts: bytes) -> bytes:
        content = b"".join(parts)
        return struct.pack(">I", 8 + len(content)) + kind + content

    def full(kind: bytes, flags: int, *parts: bytes) -> bytes:
        return box(kind, struct.pack(">I", flags), *parts)

    unity = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
    picture = struct.pack(">6xH16xHHIIIH32xHh", 1, 320, 240, 0x480000, 0x480000, 0, 1, 24, -1)
    tables = (
        full(b"stsd", 0, struct.pack(">I", 1), box(b"mp4v", picture)),
        full(b"stts", 0, struct.pack(">III", 1, samples, 1)),
        full(b"stsc", 0, struct.pack(">IIII", 1, 1, samples, 1)),
        full(b"stsz", 0, struct.pack(">II", 1, samples)),
        full(b"stco", 0, struct.pack(">II", 1, 48)),
    )
    here = box(b"dinf", full(b"dref", 0, struct.pack(">I", 1), full(b"url ", 1)))
    media = box(
        b"mdia",
        full(b"mdhd", 0, struct.pack(">IIIIHH", 0, 0, 25, samples, 0x55C4, 0)),
        full(b"hdlr", 0, b"\0\0\0\0vide" + bytes(12) + b"v\0"),
        box(b"minf", full(b"vmhd", 1, bytes(8)), here, box(b"stbl", *tables)),
    )
    track = box(
        b"trak",
        full(b"tkhd", 7, struct.pack(">IIIII16x", 0, 0, 1, 0, 1000), unity, struct.pack(">II", 320 << 16, 240 << 16)),
        media,
    )  # fmt: skip
    begins = struct.pack(">IIIIIH10x", 0, 0, 1000, 1000, 0x10000, 0x100)
    movie = full(b"mvhd", 0, begins, unity, struct.pack(">24xI", 2))
    return box(b"ftyp", b"isom\0\0\2\0isomiso2mp41") + box(b"mdat", bytes(4096)) + box(b"moov", movie, track * tracks)


def _hears(tools: Tools, sample: Path, format_name: str) -> Callable[[], bool]:
    return lambda: bool(_heard(tools, tools.input(sample, format_name)))


def _heard(tools: Tools, node: Any) -> bytes:
    """What comes out as sound."""
    heard = bytearray()
    output = ffmpeg.output(node["a:0"], "pipe:3", f="s16le", ar=RATE_HZ, ac=1, t=10)
    tools.run(output, limits=LIMITS, pipes={3: heard.extend})
    return bytes(heard)


def _refuses(tools: Tools, bomb: Path) -> bool:
    """Whether the program ended by itself, or by its memory's limit, without a picture."""
    seen = bytearray()
    output = ffmpeg.output(tools.input(bomb, "mp4")["V:0"], "pipe:3", f="rawvideo", **{"frames:v": 1})
    ended = tools.run(output, limits=LIMITS, pipes={3: seen.extend})
    return ended.code != 0 and not seen


def _writes(tools: Tools, folder: Path) -> bool:
    with contextlib.suppress(Unreadable):
        tools.call(write_there, str(folder / "written"), limits=LIMITS)
    return (folder / "written").exists()


def write_there(path: str) -> None:
    """Tries to write a file; called in the cage."""
    Path(path).write_bytes(b"out")


# -- what is remembered


def _surroundings(tools: Tools) -> dict[str, Any]:
    """All on which the proof depends."""
    programs = [Path(path) for path in (tools.ffmpeg_path, tools.bwrap_path, sys.executable) if path]
    with contextlib.suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        code = hashlib.sha256(b"".join((EDGES / f"{name}.py").read_bytes() for name in PROVING))
        return {
            "boot": boot,
            "kernel": platform.release(),
            "account": os.geteuid(),
            "cage": tools.caging.level,
            "programs": [[str(path), path.stat().st_size, path.stat().st_mtime_ns] for path in programs],
            "code": code.hexdigest(),
        }
    return {}


def _remembered(folder: Path) -> dict[str, Any] | None:
    """What was proved last; None where that is unknown or others could have written it."""
    try:
        with (folder / "cage-trial.json").open("rb") as file:
            about = os.fstat(file.fileno())
            if about.st_uid != os.geteuid() or about.st_mode & 0o022:
                return None
            kept = json.load(file)
    except (OSError, ValueError):
        return None
    return kept if isinstance(kept, dict) and kept else None


def _remember(folder: Path, known: dict[str, Any]) -> None:
    with contextlib.suppress(OSError):  # proved again next time
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        made = folder / f"cage-trial.{os.getpid()}.tmp"
        made.write_text(json.dumps(known), encoding="utf-8")
        made.chmod(0o600)
        made.replace(folder / "cage-trial.json")


__all__ = ["Attempt", "attempts_on", "index_bomb", "playlists", "prove"]
