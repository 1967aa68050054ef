"""The viewing copy that browsers play: H.264 and AAC in MP4 for a video, AAC in M4A for sound.

A source that browsers play already is only put into a new container. The result is judged by what it holds beside its
source, never by how ffmpeg ended. Not covered: subtitles, spherical video; further sound tracks are those of `tracks`.
Source: ISO/IEC 14496-10 and -12; RFC 6381 for what browsers declare.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from pipeline import frames
from pipeline.edges.caged.graphs import HDR, Filter, Filters, by, usual_light
from pipeline.edges.caged.media import Decoded, Writing, compared
from pipeline.edges.caged.strip import strip_png
from pipeline.errors import TryAgain, Unreadable
from pipeline.footage import is_decodable, kind_of, length_s, shown_sides, sounds_in
from pipeline.frames import FrameTimes
from pipeline.records import Caveat, Facts, Known, MadeFile
from pipeline.stage import Context, Deriver, Listener, Trial

VIDEO_NAME: Final = "proxy.mp4"
SOUND_NAME: Final = "proxy.m4a"
KEY_FRAME_S: Final = 2
SOUND_BIT_RATE: Final = "96k"
# Above these a source is made smaller even where browsers could play it: 1080p fits a common screen, 8 Mb/s a network.
REMUX_HEIGHT_PX: Final = 1080
REMUX_BIT_RATE: Final = 8_000_000
# A jump to a moment decodes from the key frame before it.
REMUX_KEY_FRAME_S: Final = 10.0
ISO_FORMATS: Final = frozenset(("mov", "mp4", "m4a", "3gp"))
# Timestamps of the copy are kept this finely, so that uneven frame rates stay as they were.
CLOCK_HZ: Final = 90_000
# The sum of one lost second and of what rounding and encoder delay can take from a long recording.
SHORT_S: Final = 1.0
SHORT_SHARE: Final = 0.002
AGAIN_SHARE: Final = 0.05
FREE_BYTES_MIN: Final = 64 << 20
PICTURES_ALONE: Final = 2
# A last group of pictures without its end is usual; more is worth telling.
PICTURES_LOST_MIN, PICTURES_LOST_SHARE = 5, 0.01
BARE_FORMATS: Final = frozenset(("h264", "hevc", "m4v", "mjpeg"))
NOT_THE_ORIGINAL: Final = "可播放副本，非原件 Viewing copy, not the original"
SOUND_LATE_S: Final = 2.0
VISIBLE: Final = "visible"


@dataclass(frozen=True)
class Plan:
    """How the copy is made: `remux` or `transcode`, why, and of which streams; () for those that its kind has."""

    how: str
    why: str
    streams: tuple[str, ...] = ()


def plan_for(known: Known, mark: str = "tag") -> Plan:
    """Remux where everything that is known says browsers play it; transcode on the first doubt.

    mark: as `media.proxy_mark` says it; one that is to be seen can be drawn only into what is encoded.
    """
    if known.original.format not in ISO_FORMATS:
        return Plan("transcode", f"browsers do not play {known.original.format} as it is")
    doubts = _sound_doubts(known) if kind_of(known) == "audio" else [*_picture_doubts(known), *_sound_doubts(known)]
    if mark == VISIBLE and kind_of(known) == "video":
        doubts.append("its mark is to be seen in the picture")
    return Plan("transcode", "; ".join(doubts)) if doubts else Plan("remux", "browsers play its streams as they are")


def _picture_doubts(known: Known) -> list[str]:
    height = known.value("video.height") or 0
    key_frames_s = known.value("video.keyframe_max_s") or 0.0
    bit_rate = known.value("video.bit_rate") or _mean_bit_rate(known)
    checks = [
        (known.value("video.codec") != "h264", f"its pictures are {known.value('video.codec', 'unknown')}"),
        (known.value("video.pix_fmt") not in ("yuv420p", "yuvj420p"), f"pixels {known.value('video.pix_fmt')}"),
        (bool(known.value("video.rotation_deg")), "it is stored turned"),
        (bool(known.value("video.interlaced")), "it is interlaced"),
        (known.value("video.transfer") is not None, f"its light is {known.value('video.transfer')}"),
        (_is_cut_off(known), "it is cut off"),
        (not 0 < height <= REMUX_HEIGHT_PX, f"{height} lines"),
        (bit_rate is None or bit_rate > REMUX_BIT_RATE, f"bit rate {bit_rate}"),
        (key_frames_s > REMUX_KEY_FRAME_S, f"{key_frames_s:.0f} s between key frames"),
    ]
    return [doubt for holds, doubt in checks if holds]


def _sound_doubts(known: Known) -> list[str]:
    codec = known.value("audio.codec")
    if kind_of(known) == "audio":
        return [] if codec == "aac" else [f"its sound is {codec or 'unknown'}"]
    return [] if codec in (None, "aac", "mp3", "mp3float") else [f"its sound is {codec}"]


def _is_cut_off(known: Known) -> bool:
    """Whether the data end before the index does: the last picture is half one, at which browsers stop."""
    declared_s, data_s = known.value("container.duration_s"), known.value("container.data_end_s")
    return bool(declared_s and data_s and declared_s - data_s > SHORT_S)


def _mean_bit_rate(known: Known) -> float | None:
    seconds = length_s(known)
    return known.original.size_bytes * 8 / seconds if seconds else None


def copy_of(known: Known, trial: Trial, mark: str) -> Plan:
    """The way that this try goes: as planned, then all streams anew, then the pictures alone, then the sound alone."""
    plan = plan_for(known, mark)
    failed = f"before, it failed: {trial.why}"
    if trial.number == 0:
        return plan
    if trial.number == 1:
        return Plan("transcode", f"{plan.why}; {failed}" if plan.how == "transcode" else f"not kept as it is: {failed}")
    if kind_of(known) != "video" or known.value("audio.codec") is None:
        raise _given_up(known, trial)
    return Plan("transcode", failed, streams=("V:0",) if trial.number == PICTURES_ALONE else ("a:0",))


def _given_up(known: Known, trial: Trial) -> Unreadable:
    if known.original.format in ISO_FORMATS and not known.value("video.codec") and not known.value("audio.codec"):
        return Unreadable(
            "Its index (moov) is missing or damaged, as where the power went while it recorded; look for the same "
            "recording on the device, or have the maker's repair program make a copy and hand that in beside it",
            zh="其索引（moov）缺失或已损坏，常见于录制中断电；请在设备上查找同一录制，或用厂商修复程序另存副本一并提交",
        )
    return Unreadable(trial.why)


def listen(known: Known, scratch: Path, context: Context, trial: Trial) -> Listener:
    """Listens for the `proxy`. Raises Unreadable where there is no other way to try."""
    plan = copy_of(known, trial, context.settings.media.proxy_mark)
    if not plan.streams:
        plan = replace(plan, streams=_streams_of(known))
    return _Copy(known, scratch, context, plan, is_first=trial.number == 0)


def _streams_of(known: Known) -> tuple[str, ...]:
    if kind_of(known) != "video":
        return ("a:0",)
    return ("V:0", "a:0") if known.value("audio.codec") is not None else ("V:0",)


class _Copy(Listener):
    """Has the copy written, and judges it. is_first: one that is much too short is made once more before it is kept."""

    def __init__(self, known: Known, scratch: Path, context: Context, plan: Plan, *, is_first: bool) -> None:
        self._is_first = is_first
        self._known, self._context, self._plan, self._scratch = known, context, plan, scratch
        self._target = scratch / (VIDEO_NAME if "V:0" in plan.streams else SOUND_NAME)
        self._parameters = _parameters(known, plan, context)
        self._filters = _filters(known, plan, context)

    def writings(self) -> Sequence[Writing]:
        is_video = self._target.name == VIDEO_NAME
        options = {"movflags": "+faststart", "f": "mp4" if is_video else "ipod", "map_metadata": -1}
        streams = {stream: self._filters.get(stream, ()) for stream in self._plan.streams}
        over = strip_png(*self._sides()) if self._is_marked else b""
        return [Writing(streams, self._target, {**options, **self._marked(), **self._parameters}, over)]

    @property
    def _is_marked(self) -> bool:
        """Whether the mark is drawn into its picture."""
        return self._context.settings.media.proxy_mark == VISIBLE and "V:0" in self._filters

    def _sides(self) -> tuple[int, int]:
        """Of the copy's picture, near enough to draw the mark for it."""
        height_px = self._context.settings.media.proxy_height_px
        width, height = shown_sides(self._known) or (height_px * 16 / 9, height_px)
        share = min(1.0, height_px / height, height_px * 16 / 9 / width)
        return int(width * share), int(height * share)

    def _marked(self) -> dict[str, str]:
        """Tags of the copy that say what it is."""
        if self._context.settings.media.proxy_mark == "off":
            return {}
        comment = f"comment={NOT_THE_ORIGINAL} SHA-256 {self._known.original.sha256}"
        return {"metadata": f"title={NOT_THE_ORIGINAL}", "metadata:g": comment}

    def end(self, decoded: Decoded) -> Facts:
        """The `proxy`, and for a video its `frame_times`. Raises Unreadable where the copy cannot be played, TryAgain
        where the disk is full."""
        try:
            held, files = self._judged(decoded)
        except Unreadable as error:
            self._target.unlink(missing_ok=True)
            _require_space(self._scratch)
            sentence, zh = f"No playable copy came of it: {error.sentence}", f"未能生成可播放的副本：{error.zh}"
            raise Unreadable(sentence, zh=zh, stderr=decoded.ended.stderr[-500:]) from error
        about = {
            "how": self._plan.how, "why": self._plan.why, "options": self._parameters,
            "mark": VISIBLE if self._is_marked else "tag" if self._marked() else "off",
            "filters": {stream: _said(filters) for stream, filters in self._filters.items()},
            "source_s": length_s(self._known), **held,
        }  # fmt: skip
        mime = "video/mp4" if held["video"] else "audio/mp4"
        tool = self._context.tools.version
        copy = MadeFile(role="proxy", path=self._target, mime=mime, tool=tool, parameters=about)
        is_silenced = self._known.value("audio.codec") is not None and self._plan.streams == ("V:0",)
        return Facts(
            made=(copy, *files),
            caveats=(*_caveats(about, self._plan, is_silenced=is_silenced), *_caveats_of(self._known)),
        )

    def _judged(self, decoded: Decoded) -> tuple[dict[str, Any], list[MadeFile]]:
        """What the copy holds beside its source, and where each picture of one is in the other."""
        known, context = self._known, self._context
        if not self._target.is_file() or self._target.stat().st_size == 0:
            raise Unreadable("nothing was written", zh="没有写出任何内容")
        is_video = self._target.name == VIDEO_NAME
        held, times = compared(
            context.tools, decoded, self._target, self._scratch, pictures=is_video, length_s=length_s(known),
            memory_bytes=context.settings.media.memory_mb << 20, still_wanted=context.still_wanted,
        )  # fmt: skip
        if held["video"] is None and held["audio"] is None:
            raise Unreadable("what was written does not play", zh="写出的副本无法播放")
        if is_video and known.value("video.codec") and held["video"] is None:
            raise Unreadable("what was written has no pictures", zh="写出的副本没有画面")
        short_by_s = max(0.0, (length_s(known) or 0.0) - held["end_s"])
        if self._is_first and short_by_s > SHORT_S + AGAIN_SHARE * (length_s(known) or 0.0):
            raise Unreadable(
                f"what was written ends after {held['end_s']:.1f} s of {length_s(known):.1f} s",
                zh=f"写出的副本在 {held['end_s']:.1f} 秒处结束，原始录制为 {length_s(known):.1f} 秒",
            )
        is_short = short_by_s > SHORT_S + SHORT_SHARE * (length_s(known) or 0.0)
        held["short_by_s"] = round(short_by_s, 3) if is_short else 0.0
        return held, [] if times is None else [self._frame_times(times)]

    def _frame_times(self, times: FrameTimes) -> MadeFile:
        path = self._scratch / "frame_times.bin"
        path.write_bytes(frames.packed(times))
        about = {"pictures": len(times), "version": frames.VERSION}
        tool = self._context.tools.version
        return MadeFile(role="frame_times", path=path, mime="application/octet-stream", tool=tool, parameters=about)


def _caveats(about: Mapping[str, Any], plan: Plan, *, is_silenced: bool) -> Iterator[Caveat]:
    """What must be borne in mind by who watches the copy."""
    if is_silenced:
        yield Caveat(
            code="proxy_without_sound",
            text="The viewing copy is silent: the recording's sound could not be decoded.",
            text_zh="可播放的副本没有声音：原始录制的声音无法解码。",
        )
    if plan.streams == ("a:0",) and about["video"] is None and plan.why.startswith("before"):
        yield Caveat(
            code="proxy_without_pictures",
            text="Only the sound can be played: the recording's pictures could not be decoded.",
            text_zh="只能播放声音：原始录制的画面无法解码。",
        )
    if about["short_by_s"]:
        short_s, source_s = about["short_by_s"], about["source_s"]
        yield Caveat(
            code="proxy_shorter",
            text=f"The viewing copy ends {short_s:.1f} s before the recording's {source_s:.1f} s are over: "
            "the rest could not be decoded.",
            text_zh=f"可播放的副本比原始录制（{source_s:.1f} 秒）短 {short_s:.1f} 秒：其余部分无法解码。",
        )
    lost = about.get("pictures_lost", 0)
    if lost > PICTURES_LOST_MIN and lost > PICTURES_LOST_SHARE * about["pictures_of_source"]:
        yield Caveat(
            code="proxy_lacks_pictures",
            text=f"{lost} of {about['pictures_of_source']} pictures are not in the viewing copy: "
            "they could not be decoded.",
            text_zh=f"原始录制的 {about['pictures_of_source']} 帧画面中有 {lost} 帧无法解码，未包含在副本中。",
        )
    if about.get("sound_begins_s", 0.0) > SOUND_LATE_S:
        late_s = about["sound_begins_s"]
        yield Caveat(
            code="sound_begins_late",
            text=f"The first {late_s:.1f} s have pictures and no sound. Body-worn cameras keep the pictures from "
            "before the button was pressed without sound; that alone is no sign of tampering.",
            text_zh=f"前 {late_s:.1f} 秒只有画面没有声音。执法记录仪预录部分通常不含声音，仅此不说明录制被改动。",
        )


def _caveats_of(known: Known) -> Iterator[Caveat]:
    """What must be borne in mind of the copy because of what its source is."""
    sounds = sounds_in(known)
    if sounds > 1:
        yield Caveat(
            code="proxy_one_sound",
            text=f"The recording has {sounds} sound tracks; the viewing copy has the first. The others lie beside it, "
            "as files of their own (track); what is not there is in the original.",
            text_zh=f"原始录制含 {sounds} 条声音轨道，可播放的副本只含第一条；其余轨道另存为单独的声音文件（track），"
            "未列出的请导出原件收听。",
        )
    if kind_of(known) == "video" and known.original.format in BARE_FORMATS:
        yield Caveat(
            code="frame_rate_assumed",
            text="The file holds pictures without any times: the frame rate is assumed, and the copy may run faster or "
            "slower than what happened.",
            text_zh="文件只含画面而无时间信息：帧率为推定值，副本的快慢可能与实际不符。",
        )
    if known.value("video.transfer") in HDR:
        yield Caveat(
            code="proxy_hdr",
            text="The recording holds brighter light than usual screens show (HDR): the viewing copy presses it "
            "together, and its brightness is not the recorded one.",
            text_zh="原始录制为高动态范围（HDR）：可播放的副本已压缩亮度，明暗与原始记录不完全一致。",
        )


def _parameters(known: Known, plan: Plan, context: Context) -> Mapping[str, Any]:
    if plan.how == "remux":
        return {"c": "copy"}
    sound: dict[str, Any] = {
        "c:a": "aac",
        "b:a": SOUND_BIT_RATE,
        "ac": 1 if known.value("audio.channels") == 1 else 2,
        **({"ar": 48_000} if (known.value("audio.sample_rate_hz") or 0) > 48_000 else {}),
    }
    if plan.streams == ("V:0",):
        sound = {}
    if kind_of(known) != "video" or plan.streams == ("a:0",):
        return sound
    return {
        "c:v": "libx264",
        "preset": "veryfast",
        "crf": context.settings.media.proxy_crf,
        "pix_fmt": "yuv420p",
        "threads": 1,
        "fps_mode": "vfr",
        "enc_time_base:v": f"1:{CLOCK_HZ}",
        "force_key_frames": f"expr:gte(t,n_forced*{KEY_FRAME_S})",
        **sound,
    }


def _filters(known: Known, plan: Plan, context: Context) -> dict[str, Filters]:
    """Of each stream that is encoded. Holes in the sound become silence instead of moving the rest forward; for a
    video one before its beginning too."""
    if plan.how == "remux":
        return {}
    begins = {"first_pts": 0} if kind_of(known) == "video" else {}
    filters = {"V:0": tuple(_picture_filters(known, context)), "a:0": (by("aresample", **{"async": 1}, **begins),)}
    return {stream: filters[stream] for stream in plan.streams}


def _picture_filters(known: Known, context: Context) -> Iterator[Filter]:
    """Square pixels, even sides, no higher than asked, no wider than 16:9 of it, never enlarged; usual light.

    ffmpeg turns the picture upright before these.
    """
    height_px = context.settings.media.proxy_height_px
    width_px = height_px * 16 // 9
    height = f"min(min({height_px},ih),{width_px}/dar)"
    if known.value("video.interlaced"):
        yield by("bwdif", mode="send_frame", deint="interlaced")
    yield by("scale", w=f"max(2,2*round({height}*dar/2))", h=f"max(2,2*trunc({height}/2))")
    yield by("setsar", 1)
    yield from usual_light(known.value("video.transfer"), context.tools.filters)


def _said(filters: Filters) -> str:
    return ",".join(str(one) for one in filters)


def _require_space(folder: Path) -> None:
    if (free_bytes := shutil.disk_usage(folder).free) < FREE_BYTES_MIN:
        raise TryAgain(
            "The disk of the derivatives is full", zh="存放预览的磁盘已满", path=str(folder), found=free_bytes
        )


DERIVER = Deriver(name="proxy", version=4, roles=("proxy", "frame_times"), wants=is_decodable, listen=listen, tries=4)
