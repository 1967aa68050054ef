"""Makes the recordings of the demonstration: the first days of two cases, as devices would have left them.

Everything is drawn and sounded on the spot by the bundled ffmpeg; the names, clocks and tags are those of real devices.
"""

from __future__ import annotations

import io
import os
import random
import shutil
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Final

import imageio_ffmpeg
import piexif
from PIL import Image, ImageDraw, ImageFilter

BEIJING: Final = timezone(timedelta(hours=8))
CASE_3, CASE_12 = "平商务罚字〔2021〕第3号", "平商务罚字〔2021〕第12号"
CLIP_OF, CLIP_FROM_S, CLIP_LENGTH_S = "DSJ_HA1234567_000123_20210803101010_0001.mp4", 6.0, 8.0
PLACE: Final = (40.1436, 117.1219)
ANY_CAVEAT: Final = ("*",)


@dataclass(frozen=True)
class Made:
    """One recording, and what must come out of it.

    path: below the folder that is dropped. same_as: the name of the recording whose bytes these are.
    caveats: one of these codes must be told; ANY_CAVEAT for whichever.
    """

    path: str
    kind: str
    story_zh: str
    story: str
    case: str = ""
    start: datetime | None = None
    caveats: tuple[str, ...] = ()
    same_as: str = ""
    sidecars: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The bare file name."""
        return self.path.rpartition("/")[2]


def make(folder: Path) -> tuple[Made, ...]:
    """The folder holds the recordings, each with the time of writing its device would have left."""
    bodycam = datetime(2021, 8, 3, 10, 10, 10, tzinfo=BEIJING)
    wrong = datetime(2021, 8, 3, 10, 30, 50, tzinfo=BEIJING)
    taken = datetime(2021, 8, 3, 10, 30, 0, tzinfo=BEIJING)
    flight = datetime(2021, 8, 3, 10, 40, 0, tzinfo=BEIJING)
    export = datetime(2021, 9, 17, 8, 44, 3, tzinfo=BEIJING)
    asked = datetime(2021, 9, 17, 9, 30, 0, tzinfo=BEIJING)
    first = f"{CASE_3}/执法记录仪/{CLIP_OF}"
    second = f"{CASE_3}/执法记录仪/DSJ_HA1234567_000123_20210803103050_0002.mp4"
    photo = f"{CASE_3}/现场照片/IMG_20210803_103000.jpg"
    drone = f"{CASE_3}/无人机/DJI_20210803104000_0001_D.MP4"
    nvr = f"{CASE_12}/视频监控/NVR_ch1_main_20210917084403_20210917084422.mp4"
    sound = f"{CASE_12}/询问录音/210917_0930.wav"
    broken = f"{CASE_12}/视频监控/NVR_ch2_main_20210917084403_20210917084422.mp4"
    again = "待整理/微信转发 副本.mp4"

    _film(folder / first, "mandelbrot=s=480x270:r=20:start_scale=2.4:end_pts=400:end_scale=0.02", "sweep", 20, bodycam)
    # Local digits where the container says UTC: the commonest fault of cheap recorders.
    _film(folder / second, "life=s=320x180:r=25:ratio=0.12:seed=7:mold=12:life_color=#e8d8a0:death_color=#704030,"
          "scale=640:360:flags=neighbor,boxblur=2", "steps", 18, wrong, clock=wrong.replace(tzinfo=None))  # fmt: skip
    _photo(folder / photo, taken)
    _film(
        folder / drone, "gradients=s=320x180:r=25:n=6:seed=21:speed=0.03:type=spiral,scale=640:360", "hum", 16, flight
    )
    _subtitles((folder / drone).with_suffix(".SRT"), flight, 16)
    _film(folder / nvr, "cellauto=s=640x360:r=25:rule=110:seed=5:scroll=1:full=0,hue=h=80,boxblur=1", "noise",
          19, export, written=export + timedelta(days=1))  # fmt: skip
    _sound(folder / sound, asked, 24)
    _film(folder / broken, "testsrc2=s=640x360:r=25", "steps", 12, export, faststart=False)
    _cut_off(folder / broken, 0.6, export)
    (folder / again).parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(folder / first, folder / again)

    return (
        Made(first, "video", "执法记录仪第一段", "body-worn camera, first part", CASE_3, bodycam),
        Made(second, "video", "执法记录仪第二段，时钟按本地时间写入",
             "second part; its clock is written eight hours off", CASE_3, wrong, ("clock_eight_hours",)),
        Made(photo, "photo", "手机照片，含拍摄时间和位置", "phone photo with EXIF and GPS", CASE_3, taken),
        Made(drone, "video", "无人机录像和飞行字幕", "drone clip with its telemetry", CASE_3, flight,
             sidecars=("DJI_20210803104000_0001_D.SRT",)),
        Made(nvr, "video", "监控录像机导出", "CCTV export", CASE_12, export),
        Made(sound, "audio", "录音笔录音", "dictaphone", CASE_12, asked),
        Made(broken, "video", "导出中断，文件不完整", "an export that broke off", CASE_12, None, ANY_CAVEAT),
        Made(again, "video", "第一段的副本，换了名字", "the first part again under another name", same_as=CLIP_OF),
    )  # fmt: skip


def make_clip(source: Path, clip: Path) -> Path:
    """A piece of the recording as a messenger passes it on: cut, made smaller, coded anew, its tags lost."""
    clip.parent.mkdir(parents=True, exist_ok=True)
    _ffmpeg("-ss", str(CLIP_FROM_S), "-i", str(source), "-t", str(CLIP_LENGTH_S), "-vf", "scale=426:240", "-r", "20",
            "-c:v", "libx264", "-preset", "veryfast", "-crf", "33", "-c:a", "aac", "-b:a", "32k", "-ar", "22050",
            "-map_metadata", "-1", str(clip))  # fmt: skip
    return clip


SOUNDS: Final = {
    "sweep": "aevalsrc='0.4*sin(2*PI*(300+60*t)*t)+0.2*sin(2*PI*(900-25*t)*t)':s=44100",
    "steps": "aevalsrc='0.4*sin(2*PI*(220+110*floor(mod(t*3,7)))*t)+0.1*sin(2*PI*1777*t)*sin(2*PI*0.7*t)':s=44100",
    "hum": "aevalsrc='0.3*sin(2*PI*170*t)+0.2*sin(2*PI*340*t+3*sin(2*PI*1.3*t))+0.1*random(0)':s=44100",
    "noise": "anoisesrc=r=44100:color=pink:seed=11:amplitude=0.4,tremolo=f=2.3:d=0.9",
    "voice": "aevalsrc='0.5*sin(2*PI*(140+30*sin(2*PI*0.9*t))*t)*abs(sin(2*PI*2.1*t))"
             "+0.2*sin(2*PI*(480+90*sin(t*5))*t)':s=16000",
}  # fmt: skip


def _ffmpeg(*arguments: str) -> None:
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", *arguments]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


def _film(
    path: Path, picture: str, sound: str, length_s: int, start: datetime, *, clock: datetime | None = None,
    written: datetime | None = None, faststart: bool = True,
) -> None:  # fmt: skip
    """clock: what the container says of its creation, as if it were UTC; the true moment where None."""
    path.parent.mkdir(parents=True, exist_ok=True)
    stated = (clock or start.astimezone(UTC)).strftime("%Y-%m-%dT%H:%M:%SZ")
    _ffmpeg("-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", SOUNDS[sound], "-t", str(length_s),
            "-c:v", "libx264", "-preset", "ultrafast", "-crf", "24", "-pix_fmt", "yuv420p", "-g", "50",
            "-c:a", "aac", "-b:a", "64k", "-metadata", f"creation_time={stated}",
            *(("-movflags", "+faststart") if faststart else ()), str(path))  # fmt: skip
    _written(path, written or start + timedelta(seconds=length_s))


def _sound(path: Path, start: datetime, length_s: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    _ffmpeg("-f", "lavfi", "-i", SOUNDS["voice"], "-t", str(length_s), "-c:a", "pcm_s16le", str(path))
    _written(path, start + timedelta(seconds=length_s))


def _photo(path: Path, taken: datetime) -> None:
    """A phone's photo: EXIF time, offset, place and a description."""
    chance = random.Random(3)
    image = Image.linear_gradient("L").resize((1280, 960)).convert("RGB")
    draw = ImageDraw.Draw(image)
    for _ in range(60):
        x, y, side = chance.randrange(1280), chance.randrange(960), chance.randrange(20, 320)
        draw.ellipse((x, y, x + side, y + side // 2), fill=tuple(chance.randrange(256) for _ in range(3)))
    image = image.filter(ImageFilter.GaussianBlur(2))
    text = "拆除现场全景".encode()
    tags = {
        "0th": {
            piexif.ImageIFD.Make: "HUAWEI",
            piexif.ImageIFD.Model: "ELS-AN00",
            piexif.ImageIFD.ImageDescription: text,
        },
        "Exif": {
            piexif.ExifIFD.DateTimeOriginal: taken.strftime("%Y:%m:%d %H:%M:%S"),
            piexif.ExifIFD.OffsetTimeOriginal: "+08:00",
        },
        "GPS": {
            piexif.GPSIFD.GPSLatitudeRef: "N",
            piexif.GPSIFD.GPSLatitude: _degrees(PLACE[0]),
            piexif.GPSIFD.GPSLongitudeRef: "E",
            piexif.GPSIFD.GPSLongitude: _degrees(PLACE[1]),
        },
    }
    data = io.BytesIO()
    image.save(data, "JPEG", quality=88, exif=piexif.dump(tags))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.getvalue())
    _written(path, taken)


def _degrees(value: float) -> list[tuple[int, int]]:
    return [(int(value), 1), (round(value % 1 * 60 * 1_000_000), 1_000_000), (0, 1)]


def _subtitles(path: Path, start: datetime, length_s: int) -> None:
    """What a drone writes beside its film: a cue a second with its clock and place."""
    cues = []
    for second in range(length_s):
        at = (start + timedelta(seconds=second)).strftime("%Y-%m-%d %H:%M:%S.000")
        cues.append(
            f"{second + 1}\n00:00:{second:02d},000 --> 00:00:{second + 1:02d},000\n"
            f"<font size=\"28\">FrameCnt: {second * 25 + 1}, DiffTime: 40ms\n{at}\n"
            f"[latitude: {PLACE[0] + second / 1e5:.6f}] [longitude: {PLACE[1]:.6f}] "
            f"[rel_alt: {30 + second / 10:.3f} abs_alt: {65 + second / 10:.3f}] </font>\n"
        )  # fmt: skip
    path.write_text("\n".join(cues), encoding="utf-8")
    _written(path, start + timedelta(seconds=length_s))


def _cut_off(path: Path, share: float, start: datetime) -> None:
    """The file ends in the middle: its index, which this container keeps at the end, never came."""
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    _written(path, start)


def _written(path: Path, at: datetime) -> None:
    os.utime(path, (at.timestamp(), at.timestamp()))
