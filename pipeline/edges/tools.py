"""The media programs and the caged readers: which ones there are, and one way to run each.

ffmpeg-python builds the arguments; the cage runs them. Input is always forced to the demuxer that our own
sniffing named, only the decoders listed here are allowed, and playlists are never media.
Source of the bounds: the measurements of bombs and playlists kept with the tests.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import shlex
import shutil
import stat
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal

import ffmpeg

from pipeline.edges.caged.fronts import id3_end
from pipeline.edges.caged.graphs import one_graph_a_stream
from pipeline.edges.confinement import seccomp
from pipeline.edges.confinement.cage import CAN_FORK, Cage, Ended, Limits
from pipeline.edges.confinement.confining import Box, holding
from pipeline.errors import BadInput, TryAgain, Unreadable

# Of one turn of one original so many commands are kept, and of each so much of its standard error.
NOTED_MOST: Final = 12
NOTED_STDERR: Final = 2000

# What our sniffing calls a format -> the ffmpeg demuxer that reads it. Another format is never given to ffmpeg.
DEMUXERS: Final[dict[str, str]] = {
    "mov": "mov", "mp4": "mov", "m4a": "mov", "3gp": "mov", "matroska": "matroska", "webm": "matroska", "avi": "avi",
    "mpegts": "mpegts", "mpegps": "mpeg", "dav": "dhav", "flv": "flv", "asf": "asf", "ogg": "ogg", "wav": "wav",
    "w64": "w64", "aiff": "aiff", "caf": "caf", "mp3": "mp3", "aac": "aac", "flac": "flac", "amr": "amr",
    "h264": "h264", "hevc": "hevc", "m4v": "m4v", "mjpeg": "mjpeg", "dv": "dv", "mxf": "mxf", "ape": "ape",
    "wavpack": "wv", "tta": "tta", "musepack7": "mpc", "musepack8": "mpc8", "tak": "tak", "dsf": "dsf", "dff": "iff",
    "ac3": "ac3", "eac3": "eac3", "dts": "dts", "gif": "gif", "au": "au", "mpegvideo": "mpegvideo", "ivf": "ivf",
    "webp": "webp_pipe", "png": "png_pipe", "jpeg": "jpeg_pipe", "bmp": "bmp_pipe", "tiff": "tiff_pipe",
    "j2k": "j2k_pipe", "jxl": "jpegxl_pipe", "nut": "nut", "rm": "rm",
}  # fmt: skip


# The decoders that evidence needs, by name; of all others only those without a history are missed. Left out with
# intent: FLIC, APNG, tty and ANSI art, VobSub and all subtitles, APAC, module music, vector graphics.
DECODERS: Final = (
    "h264", "hevc", "av1", "libdav1d", "vp8", "vp9", "mpeg4", "mpeg1video", "mpeg2video", "mjpeg", "mjpegb", "jpegls",
    "jpeg2000", "h261", "h263", "h263i", "h263p", "flv", "wmv1", "wmv2", "wmv3", "vc1", "msmpeg4v1", "msmpeg4v2",
    "msmpeg4", "dvvideo", "prores", "dnxhd", "cfhd", "huffyuv", "ffvhuff", "ffv1", "v210", "rawvideo", "theora", "svq1",
    "svq3", "cinepak", "rv10", "rv20", "rv30", "rv40", "gif", "png", "bmp", "tiff", "webp", "libjxl",
    "vvc", "vp6", "vp6a", "vp6f", "vp7", "indeo3", "indeo4", "indeo5", "msrle", "msvideo1", "qtrle", "rpza", "amv",
    "mss1", "mss2", "camtasia", "tscc2", "zmbv", "flashsv", "flashsv2", "fraps", "lagarith", "utvideo",
    "aac", "aac_latm", "mp1", "mp1float", "mp2", "mp2float", "mp3", "mp3float", "ac3", "eac3", "dca", "truehd", "mlp",
    "opus", "vorbis", "flac", "alac", "ape", "wavpack", "tta", "tak", "mpc7", "mpc8", "dst", "dsd_lsbf",
    "dsd_lsbf_planar", "dsd_msbf", "dsd_msbf_planar", "amrnb", "amrwb", "qcelp", "evrc", "wmav1", "wmav2", "wmapro",
    "wmalossless", "wmavoice", "g722", "g723_1", "g726", "g726le", "g729", "gsm", "gsm_ms", "ilbc", "speex",
    "truespeech", "nellymoser", "cook", "sipr", "ra_144", "ra_288", "adpcm_ima_wav", "adpcm_ima_qt", "adpcm_ms",
    "adpcm_swf", "adpcm_yamaha", "adpcm_ima_amv", "pcm_alaw", "pcm_mulaw", "pcm_s8", "pcm_u8", "pcm_s16be", "pcm_s16le",
    "pcm_s24be", "pcm_s24le", "pcm_s32be", "pcm_s32le", "pcm_s64be", "pcm_s64le", "pcm_u16be", "pcm_u16le", "pcm_u24be",
    "pcm_u24le", "pcm_u32be", "pcm_u32le", "pcm_f32be", "pcm_f32le", "pcm_f64be", "pcm_f64le", "pcm_bluray", "pcm_dvd",
    "pcm_s16le_planar", "pcm_s16be_planar", "pcm_s8_planar", "pcm_s24le_planar", "pcm_s32le_planar",
)  # fmt: skip
# FFmpeg 7.1, whose bitstream filters may stand before a decoder.
PACKETS_LEFT_OUT_FROM: Final = (61, 19)
# 200-megapixel phones pass; 16,000 x 16,000 pixels cost 1.1 GB.
PIXELS_MAX: Final = 210_000_000
# An index of 80 million samples in 5 KB took 2.8 GB; a day of 60 pictures a second needs half of this.
ALLOCATED_MAX_BYTES: Final = 256 << 20
STREAMS_MAX: Final = 64
# Of a file, read for what stands in front of the recording.
FRONT_BYTES: Final = 64 << 10
# Sound may begin long after the picture in formats without a list of their streams.
PROBED_BYTES, PROBED_US = 20_000_000, 10_000_000
# Where the linker's own folders are, should the program not say what it is linked with.
USUAL_LIBRARIES: Final = ("/usr/lib", "/usr/lib64", "/lib", "/lib64")

Level = Literal["full", "reduced", "limits"]
# What brings each thing that may be missing, in Chinese and English.
REMEDIES: Final = {
    "bwrap": (
        "请安装 bubblewrap（Debian、Ubuntu：apt-get install bubblewrap）",
        "install bubblewrap (Debian, Ubuntu: apt-get install bubblewrap)",
    ),
    "namespaces": (
        "请允许用户命名空间（sysctl user.max_user_namespaces=10000；容器中请加 --security-opt seccomp=unconfined，"
        "或使用允许 unshare 的配置）",
        "allow user namespaces (sysctl user.max_user_namespaces=10000; in a container: run it with "
        "--security-opt seccomp=unconfined, or with a profile that allows unshare)",
    ),
    "sight": (
        "请使用 Linux 5.13 或更新的内核并启用 Landlock（lsm=landlock,...）",
        "use Linux 5.13 or newer with Landlock on (lsm=landlock,...)",
    ),
    "calls": (
        "请使用 x86_64 或 aarch64 上启用 seccomp 的 Linux",
        "use Linux on x86_64 or aarch64 with seccomp on",
    ),
}


@dataclass(frozen=True)
class Capabilities:
    """Which ffmpeg runs and what it can do. encoders: of the ones we use, those present."""

    path: str
    version: str
    encoders: tuple[str, ...]
    demuxers_missing: tuple[str, ...]


@dataclass(frozen=True)
class Caging:
    """How well this system cages. lacking: what is missing for the full cage, by the names in REMEDIES.

    level: `full`: a media program sees the evidence and itself alone; `reduced`: it opens nothing else;
    `limits`: only time and memory are limited, and the network is taken away where `network` says so.
    """

    level: Level
    lacking: tuple[str, ...]
    network: bool


@dataclass(frozen=True)
class Ran:
    """A program or reader as it was started, and how it ended. code: None where a reader told none."""

    command: str
    code: int | None
    why: str
    stderr: str

    def told(self) -> str:
        """As a job keeps it."""
        ended = f"exit {self.code}" if self.code is not None else "ended"
        return "\n".join(filter(None, [f"$ {self.command}", f"{ended} {self.why}".rstrip(), self.stderr.strip()]))


class Tools:
    """ffmpeg and the readers, in their cage.

    ffmpeg_setting: `bundled`, `system` or a path (media.ffmpeg). cage: `best` or `full` (media.cage): with `full`
    nothing is run where the full cage cannot be had.
    """

    def __init__(self, ffmpeg_setting: str = "bundled", cage: str = "best") -> None:
        if cage not in ("best", "full"):
            raise BadInput(
                f"media.cage is 'best' or 'full', not '{cage}'",
                zh=f"media.cage 应为 best 或 full，不能是“{cage}”",
                found=cage,
            )
        self._setting = ffmpeg_setting
        self.wants_full = cage == "full"
        self._cage = Cage()
        self._noted = threading.local()

    def start(self) -> None:
        """The cage's keeper runs; call it from the main thread before work begins."""
        self._cage.start()

    def close(self) -> None:
        """Everything it started has ended."""
        self._cage.close()

    @functools.cached_property
    def ffmpeg_path(self) -> str:
        """The program's path. Raises TryAgain naming the remedy where there is none."""
        if self._setting == "bundled":
            import imageio_ffmpeg

            return str(imageio_ffmpeg.get_ffmpeg_exe())
        found = shutil.which("ffmpeg" if self._setting == "system" else self._setting)
        if found is None:
            raise TryAgain(
                f"No ffmpeg at '{self._setting}': set media.ffmpeg to 'bundled' or to a program's path",
                zh=f"{self._setting} 处没有 ffmpeg：请将 media.ffmpeg 设为 bundled 或程序路径",
                expected=self._setting,
            )
        return str(Path(found).resolve())

    @property
    def used_s(self) -> float:
        """CPU seconds of all programs and readers that ran so far."""
        return self._cage.used_s

    @property
    def peak_bytes(self) -> int:
        """Memory of the largest program or reader that ran so far."""
        return self._cage.peak_bytes

    # -- what was run, for operators

    @contextlib.contextmanager
    def noting(self) -> Iterator[list[Ran]]:
        """What this thread runs within the block, in order; of many the last `NOTED_MOST`."""
        before, self._noted.ran = getattr(self._noted, "ran", None), []
        try:
            yield self._noted.ran
        finally:
            self._noted.ran = before

    def _note(self, command: str, code: int | None, why: str, stderr: str) -> None:
        ran = getattr(self._noted, "ran", None)
        if ran is not None:
            ran.append(Ran(command, code, why, stderr[-NOTED_STDERR:]))
            del ran[:-NOTED_MOST]

    # -- the cage

    @functools.cached_property
    def caging(self) -> Caging:
        """What this system's cage is, tried once."""
        held = self._cage.call(holding, limits=Limits()) if CAN_FORK else dict.fromkeys(("network", "calls", "sight"))
        lacking = [name for name in ("sight", "calls") if not held[name]]
        if not self.bwrap_path:
            lacking.append("bwrap")
        elif not self._bubble_works:
            lacking.append("namespaces")
        level: Level = "full" if not lacking else "reduced" if held["sight"] and held["calls"] else "limits"
        return Caging(level, tuple(lacking), bool(held["network"]))

    @functools.cached_property
    def bwrap_path(self) -> str:
        """Where bubblewrap is; '' where it is not, or could not be used."""
        found = shutil.which("bwrap") if sys.platform == "linux" and seccomp.machine() else None
        return str(Path(found).resolve()) if found else ""

    @functools.cached_property
    def _bubble_works(self) -> bool:
        try:
            ended = self._cage.run(
                [self.ffmpeg_path, "-version"], limits=Limits(), box=replace(self._empty_box, bwrap=self.bwrap_path)
            )
        except TryAgain:
            return False
        return ended.code == 0

    @functools.cached_property
    def _empty_box(self) -> Box:
        program = self.ffmpeg_path
        linked = _linked_with(self._cage, program) if CAN_FORK else []
        folders = {str(folder) for path in linked for folder in (Path(path).parent, Path(path).resolve().parent)}
        loader = next((path for path in linked if Path(path).name.startswith("ld-")), "")
        return Box(program, tuple(sorted(folders)) or USUAL_LIBRARIES, loader)

    def _box(self, reads: Sequence[str], writes: str | None) -> Box:
        if self.wants_full:
            self.require_full()
        bwrap = self.bwrap_path if self.caging.level == "full" else ""
        return replace(self._empty_box, reads=tuple(reads), writes=writes, bwrap=bwrap)

    def require_full(self) -> None:
        """Raises TryAgain with the remedy where the full cage cannot be had."""
        if self.caging.level != "full":
            remedies = "; ".join(REMEDIES[name][1] for name in self.caging.lacking)
            raise TryAgain(
                f'media.cage = "full" is set, and this system offers only the {self.caging.level} cage: {remedies}',
                zh=f'已设 media.cage = "full"，而本系统只能提供 {self.caging.level} 级隔离：{remedies}',
                found=self.caging.level,
            )

    # -- running

    def call(
        self,
        function: Callable[..., Any],
        *arguments: Any,
        limits: Limits | None = None,
        reads: Sequence[Path] = (),
        writes: Sequence[Path] = (),
        still_wanted: Callable[[], None] = lambda: None,
    ) -> Any:
        """What the function returns, computed in a limited child; plain JSON data in and out.

        function: a module's own function, importable by name. reads, writes: the only files it can open, the only
        folders it can write to. Raises Unreadable.
        """
        if self.wants_full:
            self.require_full()
        command = f"{function.__module__}.{function.__qualname__}"
        try:
            result = self._cage.call(
                function, *arguments, limits=limits or Limits(), reads=reads, writes=writes, still_wanted=still_wanted
            )
        except Unreadable as error:
            self._note(command, error.fields.get("code"), error.sentence, error.fields.get("stderr", ""))
            raise
        self._note(command, 0, "", "")
        return result

    def input(self, source: Path, format_name: str, **options: Any) -> Any:
        """An ffmpeg-python input node: one demuxer, known decoders, nothing but this file.

        format_name: as our sniffing names it. Raises KeyError where ffmpeg must not be given this format.
        """
        skipped = _tags_end(source)
        if skipped:  # FFmpeg 9.0 steps over them in some formats only, not in Monkey's Audio, WavPack, WAV or AIFF
            options = {"skip_initial_bytes": skipped, **options}
        return ffmpeg.input(f"file:{source}", **bounds(DEMUXERS[format_name]), **options)

    def run(
        self,
        output: Any,
        *,
        limits: Limits,
        still_wanted: Callable[[], None] = lambda: None,
        pipes: dict[int, Callable[[bytes], Any]] | None = None,
        progress: Callable[[float], None] | None = None,
    ) -> Ended:
        """Runs a graph that ffmpeg-python built (one output or `merge_outputs`).

        Files it writes (`file:...`) are there afterwards only where it ended well; whether they hold what they should
        is for the caller to judge. Frames on a pipe: give the output the name `pipe:3` (or 4, 5, ...) and
        pipes={3: reader}. progress: is told the second of the recording that was reached, about once a second.
        """
        argv = one_graph_a_stream(ffmpeg.compile(output, cmd=self.ffmpeg_path))
        if progress is not None:
            pipes = dict(pipes or {})
            number = max(pipes, default=2) + 1
            pipes[number] = Reports(progress)
            argv[1:1] = ["-progress", f"pipe:{number}", "-stats_period", "1"]
        files = _files_in(argv)
        targets = [Path(name) for at, name in files if argv[at - 1] != "-i"]
        folder = tempfile.mkdtemp(prefix=".making-", dir=targets[0].parent) if targets else None
        try:
            box = self._box([name for at, name in files if argv[at - 1] == "-i"], folder)
            command = [argv[0], *FFMPEG_ARGUMENTS, *_as_seen(argv, files, box)[1:]]
            ended = self._cage.run(command, limits=limits, box=box, still_wanted=still_wanted, pipes=pipes)
            self._note(shlex.join(command), ended.code, ended.why, ended.stderr)
            if folder and ended.code == 0 and not ended.why:
                for number, target in enumerate(targets):
                    _collect(Path(folder), _made_name(number, target.name), target, limits.file_bytes)
            return ended
        finally:
            if folder:
                shutil.rmtree(folder, ignore_errors=True)

    @functools.cached_property
    def version(self) -> str:
        """`ffmpeg <version>`, as recorded with every derivative."""
        said = self._asked("-version")
        return " ".join(said.split()[0:3:2]) if said.startswith("ffmpeg version") else "ffmpeg unknown"

    @functools.cached_property
    def fills(self) -> bool:
        """Whether this ffmpeg can leave packets out before it decodes them."""
        return library_version(self._asked("-version")) >= PACKETS_LEFT_OUT_FROM

    @functools.cached_property
    def filters(self) -> frozenset[str]:
        """The names of the filters that this ffmpeg has."""
        return frozenset(parts[1] for line in self._asked("-filters").splitlines() if len(parts := line.split()) > 2)

    def capabilities(self) -> Capabilities:
        """What this ffmpeg offers, asked of itself."""
        names = {parts[1] for line in self._asked("-encoders").splitlines() if len(parts := line.split()) > 1}
        listed = (parts[1] for line in self._asked("-demuxers").splitlines() if len(parts := line.split()) > 1)
        demuxers = {name for names in listed for name in names.split(",")}
        return Capabilities(
            path=self.ffmpeg_path,
            version=self.version,
            encoders=tuple(name for name in ("libx264", "aac", "mjpeg", "libwebp") if name in names),
            demuxers_missing=tuple(sorted(set(DEMUXERS.values()) - demuxers)),
        )

    def _asked(self, question: str) -> str:
        ended = self._cage.run(
            [self.ffmpeg_path, "-hide_banner", question] if question != "-version" else [self.ffmpeg_path, question],
            limits=Limits(), box=self._box((), None),
        )  # fmt: skip
        return ended.stdout.decode("utf-8", "replace")


class Reports:
    """Reads what ffmpeg's -progress writes. A report that tells of nothing new is no progress: it returns False."""

    def __init__(self, told: Callable[[float], None]) -> None:
        self._told, self._kept = told, b""
        self._reached: dict[bytes, int] = {}

    def __call__(self, piece: bytes) -> bool:
        *lines, self._kept = (self._kept + piece).split(b"\n")
        before = dict(self._reached)
        for name, _, value in (line.partition(b"=") for line in lines):
            if name in (b"out_time_us", b"frame", b"total_size") and value.strip().lstrip(b"-").isdigit():
                self._reached[name] = int(value)
        reached_us = self._reached.get(b"out_time_us", 0)
        if reached_us > before.get(b"out_time_us", 0):
            self._told(reached_us / 1e6)
        return self._reached != before


# However much of a recording is damaged, what can be decoded of it is wanted; the output is judged by itself.
FFMPEG_ARGUMENTS: Final = (
    "-nostdin", "-v", "error", "-y", "-max_alloc", str(ALLOCATED_MAX_BYTES), "-max_error_rate", "1",
)  # fmt: skip


def library_version(said: str) -> tuple[int, int]:
    """Major and minor of libavcodec in what `ffmpeg -version` says; (0, 0) where it does not."""
    found = re.search(r"^libavcodec +(\d+)\. *(\d+)\.", said, re.MULTILINE)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def bounds(demuxer: str) -> dict[str, Any]:
    """Options of an input: what may read it, and how much of it."""
    return {
        "f": demuxer,
        "protocol_whitelist": "file",
        "format_whitelist": demuxer,
        "codec_whitelist": ",".join(DECODERS),
        "max_pixels": PIXELS_MAX,
        "max_streams": STREAMS_MAX,
        "probesize": PROBED_BYTES,
        "analyzeduration": PROBED_US,
    }


def _tags_end(source: Path) -> int:
    """Where the recording begins behind ID3v2 tags, 0 without any or where the file is not there."""
    try:
        with source.open("rb") as stream:
            return id3_end(stream.read(FRONT_BYTES))
    except OSError:
        return 0


def _files_in(argv: Sequence[str]) -> list[tuple[int, str]]:
    """(place, path) of every file among ffmpeg's arguments: inputs stand after `-i`, outputs by themselves."""
    return [(at, argument[len("file:") :]) for at, argument in enumerate(argv) if argument.startswith("file:")]


def _as_seen(argv: Sequence[str], files: Sequence[tuple[int, str]], box: Box) -> list[str]:
    """The arguments with each file under the name that the box gives it."""
    seen, inputs, outputs = list(argv), 0, 0
    for at, name in files:
        if argv[at - 1] == "-i":
            seen[at] = f"file:{box.name_of(inputs)}"
            inputs += 1
        else:
            seen[at] = f"file:{box.folder}/{_made_name(outputs, name)}"
            outputs += 1
    return seen


def _made_name(number: int, target: str) -> str:
    """What an output is called while it is made; ffmpeg takes the format from its end."""
    return f"{number}{Path(target).suffix}"


def _collect(folder: Path, name: str, target: Path, most_bytes: int) -> None:
    """The file is at its target, if it is a plain file of an allowed size; what is anything else is left behind."""
    try:
        fd = os.open(folder / name, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except OSError:
        return
    with os.fdopen(fd, "rb") as made:
        about = os.fstat(made.fileno())
    if stat.S_ISREG(about.st_mode) and about.st_nlink == 1 and about.st_size <= most_bytes:
        (folder / name).replace(target)


def _linked_with(cage: Cage, program: str) -> list[str]:
    """Paths of the program's shared libraries and of what loads them; empty where it has none or they are not told."""
    if sys.platform != "linux":
        return []
    ended = cage.run(["/usr/bin/env", "LD_TRACE_LOADED_OBJECTS=1", program], limits=Limits())
    words = [line.split(" (0x")[0].split() for line in ended.stdout.decode("utf-8", "replace").splitlines()]
    return [parts[-1] for parts in words if parts and parts[-1].startswith("/")] if ended.code == 0 else []
