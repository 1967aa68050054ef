"""How many clips and sounds are traced to their source after everyday edits, beside the rules of other matchers.

Recordings of ../shared/corpus are the archive, with their photos and slow pans over them as distractors. The rules and
thresholds of matching were chosen on TUNED (and on footage outside the corpus); HELD_OUT is what is measured here.
`--full` measures TUNED beside it. A query counts as found when its best row names the right original and place, and
scores above the best wrong row of all queries (recall at precision 1). Negatives: clips of the recordings that are not
in the archive, the same square at another time, test cards, black, noise, a photo held still.
Clips are kept in the temporary folder; the first run makes them.
"""

from __future__ import annotations

import getpass
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from _edits import EDITS, ON_FOREIGN, Distorter, Maker
from _hours import grown
from _rivals import CHROMAPRINT, VPDQ, Chromaprint, Vpdq
from PIL import Image, ImageOps

from indexer.match import ASKED_FPS, ASKED_LIMITS
from indexer.matching import pictures, sounds
from indexer.matching.shelf import Library
from pipeline.edges.caged.media import all_of, greys
from pipeline.edges.tools import Tools
from pipeline.fingerprinters.video import FPS
from pipeline.marks import pictures as picture_marks
from pipeline.marks import sounds as sound_marks

CORPUS: Final = Path(__file__).resolve().parents[2].parent / "shared" / "corpus"
CLIP_S: Final = 6.0
SAME_PLACE_S: Final = 2.0
# Recordings and where clips are cut from them.
HELD_OUT: Final[dict[str, tuple[float, ...]]] = {
    "gopro__gpmf-parser/max-heromode.mp4": (0.3, 4.1),
    "pytorch__torchcodec/nasa_13013.mp4": (0.8, 5.6, 10.2),
    "udacity__CarND-LaneLines-P1/test_videos/solidWhiteRight.mp4": (0.4, 2.7),
    "debian__opencv/Megamind_bugy.avi": (0.6, 2.9),
    "debian__opencv/vtest.avi": (4.6, 23.1, 36.2),
}
TUNED: Final[dict[str, tuple[float, ...]]] = {
    "mapillary__mapillary_tools/data/videos/sample-5s.mp4": (0.1,),
    "Zulko__moviepy/big_buck_bunny_0_30.webm": (2.1, 8.4, 15.2, 22.7),
    "Zulko__moviepy/chaplin.mp4": (0.5, 3.3),
    "Zulko__moviepy/video_with_failing_audio.mp4": (0.4, 3.9),
    "bpatrik__pigallery2/test/backend/assets/video.mp4": (0.7, 7.2),
}
# Of this recording the archive holds the beginning; the rest is the same square at another time.
SQUARE: Final = "debian__opencv/vtest.avi"
SQUARE_S, SQUARE_LATER = 44.0, (50.3, 58.0, 66.1, 72.4)
SQUARE_EDITS: Final = ("re-encoded", "scaled", "logo", "cropped 10 %")
CARDS: Final = {
    "black": "color=c=black:s=640x360:r=25",
    "grey": "color=c=0x808080:s=640x360:r=25,noise=alls=20:allf=t",
    "noise": "nullsrc=s=640x360:r=25,geq=random(1)*255:128:128",
    "test card": "testsrc2=s=640x360:r=25",
    "colour bars": "smptehdbars=s=640x360:r=25",
    "bars of television": "pal75bars=s=640x360:r=25",
}
SOUNDS_HELD_OUT: Final[dict[str, tuple[float, ...]]] = {
    "gopro__gpmf-parser/max-heromode.mp4": (0.2,),
    "pytorch__torchcodec/nasa_13013.mp4": (0.6, 6.1),
    "pypi__mutagen/data/example.opus": (0.3, 2.4),
    "pypi__mutagen/data/no-tags.3g2": (0.5, 6.0),
    "Zulko__moviepy/chaplin.mp4": (0.2,),
    "bpatrik__pigallery2/test/backend/assets/video.mp4": (0.3, 3.2),
    "Zulko__moviepy/big_buck_bunny_0_30.webm": (3.0, 15.0),
}
VOICES: Final = ("debian__pocketsphinx/librivox/sense_and_sensibility_01_austen_64kb-0870.wav",
                 "debian__pocketsphinx/librivox/sense_and_sensibility_01_austen_64kb-0920.wav")  # fmt: skip
SOUND_LENGTHS_S: Final = (5.0, 10.0)
PHOTOS_MAX, PHOTO_BYTES_MAX, PANNED_PX = 150, 600_000, 64


@dataclass(frozen=True)
class Asked:
    """A query and what came of it. truth: (original, offset) or None for a negative; rows: (original, offset, score)
    of all that is said to be the same footage."""

    transform: str
    truth: tuple[str, float] | None
    rows: list[tuple[str, float, float]]
    rival: tuple[str, float]
    cpu_ms: float

    def is_right(self, row: tuple[str, float, float]) -> bool:
        return self.truth is not None and row[0] == self.truth[0] and abs(row[1] - self.truth[1]) <= SAME_PLACE_S

    def wrong(self) -> list[tuple[str, float, float]]:
        return [row for row in self.rows if not self.is_right(row)]


def measure() -> Iterator[dict[str, Any]]:
    """Rows `transform`, `recall_at_p1`, `offset_p90_s`, `rival_recall`, `query_cpu_ms`, and a row for the negatives."""
    if not (CORPUS / "manifest.csv").is_file():
        yield {"skipped": f"no recordings at {CORPUS}"}
        return
    tools = Tools()
    tools.start()
    try:
        if "--hours" in sys.argv:
            yield from _grown(int(sys.argv[sys.argv.index("--hours") + 1]), tools)
            return
        folder = Path(tempfile.gettempdir()) / f"casereel-bench-match-{getpass.getuser()}"
        maker = Maker(folder, tools.ffmpeg_path)
        yield from _videos("held out", HELD_OUT, TUNED, maker, tools)
        if "--full" in sys.argv:
            yield from _videos("tuned", TUNED, HELD_OUT, maker, tools)
        yield from _heard(tools.ffmpeg_path)
    finally:
        tools.close()


# -- pictures


def _videos(
    half: str, shown: dict[str, tuple[float, ...]], foreign: dict[str, tuple[float, ...]], maker: Maker, tools: Tools
) -> Iterator[dict[str, Any]]:
    rival = Vpdq()
    marks = list(_archive(shown, maker, tools, rival))
    library = Library.of(marks)
    asked = [
        _asked(clip, transform, truth, library, rival, tools)
        for clip, transform, truth in (*_positives(shown, foreign, maker), *_negatives(shown, foreign, maker))
    ]
    yield from _told(asked, {"half": half, "rival": VPDQ}, "clips")


def _archive(
    shown: dict[str, tuple[float, ...]], maker: Maker, tools: Tools, rival: Vpdq
) -> Iterator[tuple[str, picture_marks.Marks]]:
    for name in shown:
        source = maker.cut(CORPUS / name, 0.0, SQUARE_S) if name == SQUARE else CORPUS / name
        frames = _frames(source, FPS, tools)
        rival.add(name, frames, FPS)
        marker = picture_marks.Marker(step_s=1 / FPS)
        marker.add(frames)
        yield name, marker.marks()
    for number, frames in enumerate(_pans()):
        rival.add(f"pan {number}", frames, FPS)
        marker = picture_marks.Marker(step_s=1 / FPS)
        marker.add(frames)
        yield f"pan {number}", marker.marks()
        photo = picture_marks.Marker(step_s=0.0)
        photo.add(frames[:1])
        yield f"photo {number}", photo.marks()


def _pans() -> Iterator[picture_marks.Frames]:
    """Eight frames gliding over each of some photos; photos of the same name are taken once."""
    side_px = picture_marks.SIDE_PX
    by_name = {path.name: path for path in sorted(CORPUS.rglob("*.jp*g")) if path.stat().st_size < PHOTO_BYTES_MAX}
    for path in list(by_name.values())[:PHOTOS_MAX]:
        try:
            with Image.open(path) as opened:
                picture = ImageOps.exif_transpose(opened).convert("L")
        except (OSError, ValueError, SyntaxError):
            continue
        if min(picture.size) < PANNED_PX:
            continue
        width, height = picture.size
        boxes = [(width * step * 0.02, height * step * 0.01, width * (0.8 + step * 0.02), height * (0.8 + step * 0.01))
                 for step in range(8)]  # fmt: skip
        squares = [picture.resize((side_px, side_px), Image.Resampling.BOX, box) for box in boxes]
        yield np.stack([np.asarray(one, np.uint8) for one in squares])


def _positives(
    shown: dict[str, tuple[float, ...]], foreign: dict[str, tuple[float, ...]], maker: Maker
) -> Iterator[tuple[Path, str, tuple[str, float]]]:
    behind_name, behind_s = next((name, starts[0]) for name, starts in foreign.items())
    behind = maker.cut(CORPUS / behind_name, behind_s, CLIP_S)
    for name, starts in shown.items():
        for start_s in starts:
            cut = maker.cut(CORPUS / name, start_s, CLIP_S)
            for transform in EDITS:
                yield maker.edited(cut, transform, behind), transform, (name, start_s)


def _negatives(
    shown: dict[str, tuple[float, ...]], foreign: dict[str, tuple[float, ...]], maker: Maker
) -> Iterator[tuple[Path, str, None]]:
    for name, starts in foreign.items():
        for start_s in starts[:2]:
            cut = maker.cut(CORPUS / name, start_s, CLIP_S)
            for transform in ON_FOREIGN:
                yield maker.edited(cut, transform), "foreign clip", None
    if SQUARE in shown:
        for start_s in SQUARE_LATER:
            cut = maker.cut(CORPUS / SQUARE, start_s, CLIP_S)
            for transform in SQUARE_EDITS:
                yield maker.edited(cut, transform), "same square, other time", None
    for card, source in CARDS.items():
        yield maker.drawn(source, CLIP_S), card, None
    for photo in ("debian__opencv/home.jpg", "debian__opencv/fruits.jpg"):
        still = f"movie={CORPUS / photo},loop=loop=-1:size=1,scale=640:480,noise=alls=8:allf=t,fps=25"
        yield maker.drawn(still, CLIP_S), "photo held still", None


def _asked(
    clip: Path, transform: str, truth: tuple[str, float] | None, library: Library, rival: Vpdq, tools: Tools
) -> Asked:
    frames = _frames(clip, ASKED_FPS, tools)
    begun = time.process_time()
    found = pictures.find_clip(frames, 1 / ASKED_FPS, library)
    cpu_ms = (time.process_time() - begun) * 1000
    rows = [(one.original, one.offset_s - one.query_offset_s * one.speed, one.strength) for one in found
            if one.verdict == "same footage"]  # fmt: skip
    return Asked(transform, truth, rows, rival.best(frames, ASKED_FPS), cpu_ms)


def _frames(clip: Path, fps: float, tools: Tools) -> picture_marks.Frames:
    form = {".avi": "avi", ".webm": "webm", ".mp4": "mp4"}[clip.suffix]
    branch = greys(fps=fps, side_px=picture_marks.SIDE_PX, rounded="up")
    return all_of(tools, clip, form, branch, "pictures", limits=ASKED_LIMITS)


# -- sound


def _heard(ffmpeg: str) -> Iterator[dict[str, Any]]:
    by_ear = Distorter(ffmpeg, np.empty(0, np.int16))
    voices = np.concatenate([by_ear.sound_of(CORPUS / name) for name in VOICES])
    distorter, rival = Distorter(ffmpeg, voices), Chromaprint(ffmpeg)
    kept = []
    for name in SOUNDS_HELD_OUT:
        samples = distorter.sound_of(CORPUS / name, rate_hz=sound_marks.RATE_HZ)
        kept.append((name, sound_marks.marks_of(samples)))
        rival.add(name, samples, sound_marks.RATE_HZ)
    library = sounds.Library.of(kept)
    for length_s in SOUND_LENGTHS_S:
        asked = list(_asked_sounds(length_s, distorter, library, rival))
        yield from _told(asked, {"half": "held out", "rival": CHROMAPRINT, "length_s": length_s}, "sounds")


def _asked_sounds(
    length_s: float, distorter: Distorter, library: sounds.Library, rival: Chromaprint
) -> Iterator[Asked]:
    for number, (name, starts) in enumerate(SOUNDS_HELD_OUT.items()):
        for start_s in starts:
            cut = distorter.sound_of(CORPUS / name, start_s, length_s)
            if len(cut) < 0.95 * length_s * 22_050:
                continue
            for kind in distorter.kinds:
                heard = distorter.distorted(cut, kind, seed=number)
                yield _asked_sound(heard, kind, (name, start_s), library, rival)
    for number, name in enumerate(VOICES):
        cut = distorter.sound_of(CORPUS / name, 0.5, length_s)
        for kind in ("clean", "telephone", "tempo 1.25"):
            yield _asked_sound(distorter.distorted(cut, kind, seed=number), "foreign voice", None, library, rival)
    seconds = np.arange(int(length_s * sound_marks.RATE_HZ)) / sound_marks.RATE_HZ
    still = {
        "silence": np.zeros(len(seconds)),
        "hum": 4000 * np.sin(2 * np.pi * 50 * seconds) + 2000 * np.sin(2 * np.pi * 150 * seconds),
        "noise": np.random.default_rng(5).normal(0, 3000, len(seconds)),
    }
    for name, samples in still.items():
        yield _asked_sound(samples.astype(np.int16), name, None, library, rival)


def _asked_sound(
    samples: sound_marks.Samples,
    kind: str,
    truth: tuple[str, float] | None,
    library: sounds.Library,
    rival: Chromaprint,
) -> Asked:
    begun = time.process_time()
    found = sounds.find_sound(samples, library)
    cpu_ms = (time.process_time() - begun) * 1000
    rows = [(one.original, one.offset_s - one.query_offset_s, one.strength) for one in found]
    return Asked(kind, truth, rows, rival.best(samples, sound_marks.RATE_HZ), cpu_ms)


# -- an archive of many hours


def _grown(hours: int, tools: Tools) -> Iterator[dict[str, Any]]:
    """What questions cost in an archive of so many hours, of pictures and then of sounds; decoding apart."""
    scratch = Path(tempfile.gettempdir()) / f"casereel-bench-match-{getpass.getuser()}"
    maker = Maker(scratch, tools.ffmpeg_path)
    shown = {name: _marks_shown(name, tools) for name in HELD_OUT}
    held, foreign = (
        _frames(maker.edited(maker.cut(CORPUS / name, starts[1], CLIP_S), "subtitles"), ASKED_FPS, tools)
        for name, starts in (list(HELD_OUT.items())[1], list(TUNED.items())[1])
    )
    yield from grown(
        "video", shown, hours, scratch / "hours",
        {
            "clip of 6 s, held": lambda marked: pictures.find_clip(held, 1 / ASKED_FPS, marked.pictures()),
            "clip of 6 s, foreign": lambda marked: pictures.find_clip(foreign, 1 / ASKED_FPS, marked.pictures()),
            "photo, held": lambda marked: pictures.find_photo(held[5:6], marked.pictures()),
            "photo, foreign": lambda marked: pictures.find_photo(foreign[5:6], marked.pictures()),
        },
    )  # fmt: skip
    distorter = Distorter(tools.ffmpeg_path, np.empty(0, np.int16))
    rate_hz = sound_marks.RATE_HZ
    heard = {name: sound_marks.marks_of(distorter.sound_of(CORPUS / name, rate_hz=rate_hz)) for name in SOUNDS_HELD_OUT}
    name, starts = list(SOUNDS_HELD_OUT.items())[-1]
    clean = distorter.sound_of(CORPUS / name, starts[0], 10.0)
    over = {kind: distorter.distorted(clean, kind, seed=1) for kind in ("clean", "telephone")}
    voice = distorter.sound_of(CORPUS / VOICES[0], 0.0, 10.0, rate_hz=rate_hz)
    yield from grown(
        "sound", heard, hours, scratch / "hours",
        {
            "10 s of sound, held": lambda marked: sounds.find_sound(over["clean"], marked.sounds()),
            "10 s over a telephone, held": lambda marked: sounds.find_sound(over["telephone"], marked.sounds()),
            "10 s of sound, foreign": lambda marked: sounds.find_sound(voice, marked.sounds()),
        },
    )  # fmt: skip


def _marks_shown(name: str, tools: Tools) -> picture_marks.Marks:
    marker = picture_marks.Marker(step_s=1 / FPS)
    marker.add(_frames(CORPUS / name, FPS, tools))
    return marker.marks()


# -- figures


def _told(asked: list[Asked], base: dict[str, Any], noun: str) -> Iterator[dict[str, Any]]:
    wrong = [row for one in asked for row in one.wrong()]
    bar = max((row[2] for row in wrong), default=0.0)
    rival_bar = max((one.rival[1] for one in asked if one.truth is None or one.rival[0] != one.truth[0]), default=0.0)
    groups: dict[str, list[Asked]] = defaultdict(list)
    for one in asked:
        if one.truth is not None:
            groups[one.transform].append(one)
            groups["all"].append(one)
    for transform, members in groups.items():
        yield {"transform": transform, **base, noun: len(members), **_figures(members, bar, rival_bar)}
    negatives = [one for one in asked if one.truth is None]
    yield {
        "transform": "negatives", **base, "negatives": len(negatives),
        "negatives_matched": sum(bool(one.rows) for one in negatives), "wrong": len(wrong),
        "wrong_score_max": round(bar, 2), "query_cpu_ms": _median(one.cpu_ms for one in negatives),
    }  # fmt: skip


def _figures(members: list[Asked], bar: float, rival_bar: float) -> dict[str, Any]:
    right = [one for one in members if one.rows and one.is_right(one.rows[0]) and one.rows[0][2] > bar]
    errors = [abs(one.rows[0][1] - one.truth[1]) for one in right if one.truth]
    of_rival = [one for one in members if one.truth and one.rival[0] == one.truth[0] and one.rival[1] > rival_bar]
    return {
        "recall_at_p1": round(len(right) / len(members), 3),
        "offset_p90_s": round(float(np.percentile(errors, 90)), 2) if errors else None,
        "rival_recall": round(len(of_rival) / len(members), 3),
        "query_cpu_ms": _median(one.cpu_ms for one in members),
    }


def _median(values: Iterable[float]) -> float | None:
    found = list(values)
    return round(statistics.median(found), 1) if found else None
