"""The media programs and the caged readers: which ones there are, and one way to run each.

ffmpeg-python builds the arguments; the cage runs them. Input is always forced to the demuxer that our own
sniffing named, only local protocols are allowed, and playlists are never media.
"""

from __future__ import annotations

import functools
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import ffmpeg

from pipeline.edges.cage import Cage, Ended, Limits
from pipeline.errors import TryAgain

# What our sniffing calls a format -> the ffmpeg demuxer that reads it. Another format is never given to ffmpeg.
DEMUXERS: Final[dict[str, str]] = {
    "mov": "mov", "mp4": "mov", "m4a": "mov", "3gp": "mov", "matroska": "matroska", "webm": "matroska", "avi": "avi",
    "mpegts": "mpegts", "mpegps": "mpeg", "dav": "dhav", "flv": "flv", "asf": "asf", "ogg": "ogg", "wav": "wav",
    "w64": "w64", "aiff": "aiff", "caf": "caf", "mp3": "mp3", "aac": "aac", "flac": "flac", "amr": "amr",
    "h264": "h264", "hevc": "hevc", "m4v": "m4v", "mjpeg": "mjpeg", "dv": "dv", "mxf": "mxf", "ape": "ape",
    "wavpack": "wv", "tta": "tta", "musepack7": "mpc", "musepack8": "mpc8", "tak": "tak", "dsf": "dsf", "dff": "iff",
    "ac3": "ac3", "eac3": "eac3", "dts": "dts", "gif": "gif", "au": "au", "mpegvideo": "mpegvideo", "ivf": "ivf",
    "webp": "webp_pipe", "png": "png_pipe", "jpeg": "jpeg_pipe", "bmp": "bmp_pipe", "tiff": "tiff_pipe",
    "j2k": "j2k_pipe", "nut": "nut", "rm": "rm",
}  # fmt: skip


@dataclass(frozen=True)
class Capabilities:
    """Which ffmpeg runs and what it can do. encoders: of the ones we use, those present."""

    path: str
    version: str
    encoders: tuple[str, ...]
    demuxers_missing: tuple[str, ...]


class Tools:
    """ffmpeg and the readers, in their cage. ffmpeg: `bundled`, `system` or a path (the setting media.ffmpeg)."""

    def __init__(self, ffmpeg_setting: str = "bundled") -> None:
        self._setting = ffmpeg_setting
        self._cage = Cage()

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
                expected=self._setting,
            )
        return str(Path(found).resolve())

    def call(
        self,
        function: Callable[..., Any],
        *arguments: Any,
        limits: Limits | None = None,
        still_wanted: Callable[[], None] = lambda: None,
    ) -> Any:
        """What the function returns, computed in a limited child; plain JSON data in and out.

        function: a module's own function, importable by name. Raises Unreadable.
        """
        return self._cage.call(function, *arguments, limits=limits or Limits(), still_wanted=still_wanted)

    def input(self, source: Path, format_name: str, **options: Any) -> Any:
        """An ffmpeg-python input node with the demuxer forced and only local protocols allowed.

        format_name: as our sniffing names it. Raises KeyError where ffmpeg must not be given this format.
        """
        return ffmpeg.input(f"file:{source}", f=DEMUXERS[format_name], protocol_whitelist="file,pipe", **options)

    def run(
        self,
        output: Any,
        *,
        limits: Limits,
        still_wanted: Callable[[], None] = lambda: None,
        pipes: dict[int, Callable[[bytes], None]] | None = None,
    ) -> Ended:
        """Runs a graph that ffmpeg-python built (one output or `merge_outputs`); judge its output, not its code.

        Frames on a pipe: give the output the name `pipe:3` (or 4, 5, ...) and pipes={3: reader}.
        """
        arguments = ["-nostdin", "-v", "error", "-y", "-max_alloc", str(512 << 20)]
        compiled = ffmpeg.compile(output, cmd=self.ffmpeg_path)
        return self._cage.run(
            [compiled[0], *arguments, *compiled[1:]], limits=limits, still_wanted=still_wanted, pipes=pipes
        )

    @functools.cached_property
    def version(self) -> str:
        """`ffmpeg <version>`, as recorded with every derivative."""
        said = self._cage.run([self.ffmpeg_path, "-version"], limits=Limits()).stdout.decode("utf-8", "replace")
        return " ".join(said.split()[0:3:2]) if said.startswith("ffmpeg version") else "ffmpeg unknown"

    def capabilities(self) -> Capabilities:
        """What this ffmpeg offers, asked of itself."""
        said = self._cage.run([self.ffmpeg_path, "-hide_banner", "-encoders"], limits=Limits()).stdout.decode()
        names = {parts[1] for line in said.splitlines() if len(parts := line.split()) > 1}
        listed = self._cage.run([self.ffmpeg_path, "-hide_banner", "-demuxers"], limits=Limits()).stdout.decode()
        demuxers = {
            name for line in listed.splitlines() if len(parts := line.split()) > 1 for name in parts[1].split(",")
        }
        return Capabilities(
            path=self.ffmpeg_path,
            version=self.version,
            encoders=tuple(name for name in ("libx264", "aac", "mjpeg", "libwebp") if name in names),
            demuxers_missing=tuple(sorted(set(DEMUXERS.values()) - demuxers)),
        )
