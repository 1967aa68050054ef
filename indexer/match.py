"""Where does this clip, photo or sound come from? What a reviewer hands in is hostile like any file: read in the cage.

Nothing is kept of the file that is asked about.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal, Protocol

import numpy as np

from indexer.matching import pictures, shelf, sounds
from indexer.matching.kept import Kept, MarkedCatalog
from indexer.matching.shelf import Library
from pipeline.custody.sniff import END_BYTES, sniff
from pipeline.edges.cage import Limits
from pipeline.edges.media import all_of, greys, samples
from pipeline.edges.pictures import grey_square
from pipeline.edges.tools import DEMUXERS, Tools
from pipeline.errors import BadInput, Unreadable
from pipeline.marks import pictures as picture_marks
from pipeline.marks import sounds as sound_marks

ASKED_FPS: Final = 4.0
# Of a longer file only the beginning is asked.
ASKED_MAX_S: Final = 600
ASKED_PICTURES: Final = greys(fps=ASKED_FPS, side_px=picture_marks.SIDE_PX, seconds_max=ASKED_MAX_S, rounded="up")
ASKED_SOUND: Final = samples(rate_hz=sound_marks.RATE_HZ, seconds_max=ASKED_MAX_S)
ASKED_LIMITS: Final = Limits(wall_s=300, cpu_s=300, memory_bytes=2 << 30, stall_s=60)
SAME_PLACE_S: Final = 1.5


class Archive(Protocol):
    """What is asked of the catalog."""

    def fingerprints(self, method: str, version: int) -> Iterable[tuple[str, bytes]]:
        """(original, packed marks) of all originals that have such."""

    def names(self, ids: Iterable[str]) -> dict[str, str]:
        """The names of these originals."""


class Marked(Protocol):
    """What a file is compared with."""

    def pictures(self) -> Library:
        """The marks of all videos and photos."""

    def sounds(self) -> sounds.Library:
        """The marks of all sounds."""


class InMemory:
    """All marks of the catalog, read for one question."""

    def __init__(self, catalog: Archive) -> None:
        self._catalog = catalog

    def pictures(self) -> Library:
        """The marks of all videos and photos."""
        return Library.of(
            (original, picture_marks.unpacked(data))
            for method in shelf.METHOD.methods
            for original, data in self._catalog.fingerprints(method, picture_marks.VERSION)
        )

    def sounds(self) -> sounds.Library:
        """The marks of all sounds."""
        found = self._catalog.fingerprints("sound", sound_marks.VERSION)
        return sounds.Library.of((original, sound_marks.unpacked(data)) for original, data in found)


class InFiles:
    """The indexes for matching of one home, level with its catalog at every question. folder: of the indexes."""

    def __init__(self, catalog: MarkedCatalog, folder: Path) -> None:
        self._catalog = catalog
        self.kept = {method.name: Kept(catalog, folder, method) for method in (shelf.METHOD, sounds.METHOD)}

    def pictures(self) -> Library:
        """The marks of all videos and photos."""
        segments = [
            shelf.segment_of(originals, arrays, counts)
            for originals, counts, arrays in self.kept[shelf.METHOD.name].segments()
        ]
        return Library(segments, self.marks_of)

    def sounds(self) -> sounds.Library:
        """The marks of all sounds."""
        return sounds.Library([
            sounds.Segment(originals, counts, **arrays)
            for originals, counts, arrays in self.kept[sounds.METHOD.name].segments()
        ])  # fmt: skip

    def marks_of(self, original: str) -> picture_marks.Marks:
        """The marks of one original's pictures, as recorded."""
        (known,) = self._catalog.known_of_many([original], with_data=True)
        return next(
            picture_marks.unpacked(one.data)
            for one in known.fingerprints
            if one.method in shelf.METHOD.methods and one.version == picture_marks.VERSION
        )


@dataclass(frozen=True)
class Match:
    """A stretch of the query and the original it lies in.

    offset_s: in the original; query_offset_s: in the query; where the stretch begins, length_s long (0 for a photo).
    score: 1.0 is the weakest that is reported. by: what was recognised. transform: what was done to the query: `none`,
    `mirrored`, `turned 90`, `inset` (inside borders), `cropped`, `tempo 1.25`, also several of them.
    verdict: `same scene, other take` where the place is the same and what moves in it is not, or nothing moves.
    speed: of the query beside the original. rectangle: left, top, right, bottom of the original's whole picture in the
    query's, in shares of its sides; beyond 0 and 1 where the query shows a part; None for sound.
    pairs: pictures that a person can compare, none for sound.
    """

    original: str
    name: str
    offset_s: float
    query_offset_s: float
    length_s: float
    score: float
    by: Literal["video", "audio", "photo"]
    transform: str
    verdict: pictures.Verdict = "same footage"
    speed: float = 1.0
    rectangle: tuple[float, float, float, float] | None = None
    pairs: tuple[pictures.Pair, ...] = ()


def match(file: Path, *, catalog: Archive, tools: Tools, marked: Marked | None = None, limit: int = 20) -> list[Match]:
    """Where the file comes from, the surest first; empty where nothing in the archive is like it.

    marked: what it is compared with; else all marks of the catalog are read.

    Raises BadInput where it is neither a photo nor a recording, or cannot be read.
    """
    kind, format_name = _sniffed(file)
    marked = marked or InMemory(catalog)
    try:
        rows = _photo_rows(file, marked, tools) if kind == "photo" else _media_rows(file, format_name, marked, tools)
    except Unreadable as error:
        raise BadInput(f"'{file.name}' cannot be read: {error.sentence}", path=str(file)) from error
    rows = sorted(rows, key=_rank)[:limit]
    names = catalog.names({row.original for row in rows})
    return [replace(row, name=names.get(row.original, "")) for row in rows]


def _rank(row: Match) -> tuple[object, ...]:
    return (row.verdict != "same footage", -row.score, row.original, row.query_offset_s)


def _sniffed(file: Path) -> tuple[str, str]:
    try:
        with file.open("rb") as opened:
            head = opened.read(END_BYTES)
            opened.seek(max(0, file.stat().st_size - END_BYTES))
            tail = opened.read(END_BYTES)
    except OSError as error:
        raise BadInput(f"'{file}' cannot be opened: {error.strerror}", path=str(file)) from error
    found = sniff(head, tail, file.name)
    is_recording = found.kind in ("video", "audio", "sidecar") and found.format in DEMUXERS
    if found.kind != "photo" and not is_recording:
        raise BadInput(f"'{file.name}' is neither a photo nor a recording that can be read", found=found.format)
    return found.kind, found.format


def _photo_rows(file: Path, marked: Marked, tools: Tools) -> list[Match]:
    side_px = picture_marks.SIDE_PX
    source = file.absolute()
    pixels = tools.call(grey_square, str(source), side_px, None, limits=ASKED_LIMITS, reads=[source])
    frame = np.frombuffer(base64.b64decode(pixels), np.uint8).reshape(1, side_px, side_px)
    return [_picture_row(found) for found in pictures.find_photo(frame, marked.pictures())]


def _media_rows(file: Path, format_name: str, marked: Marked, tools: Tools) -> list[Match]:
    """Rows by pictures and by sound; a file need not have both.

    Raises Unreadable where it has neither.
    """
    source = file.absolute()
    rows: list[Match] = []
    failures: list[Unreadable] = []
    try:
        frames = all_of(tools, source, format_name, ASKED_PICTURES, "pictures", limits=ASKED_LIMITS)
        if len(frames) == 1:
            found = pictures.find_photo(frames, marked.pictures())
        else:
            found = pictures.find_clip(frames, 1 / ASKED_FPS, marked.pictures())
        rows += [_picture_row(one) for one in found]
    except Unreadable as error:
        failures.append(error)
    try:
        heard = all_of(tools, source, format_name, ASKED_SOUND, "sound", limits=ASKED_LIMITS)
        rows = merged(rows, [_sound_row(one) for one in sounds.find_sound(heard, marked.sounds())])
    except Unreadable as error:
        failures.append(error)
    if len(failures) == 2:
        raise failures[0]
    return rows


def _picture_row(found: pictures.Found) -> Match:
    speed = "" if found.speed == 1.0 else f"tempo {found.speed:g}"
    transform = " ".join(part for part in (found.transform.replace("none", ""), speed) if part) or "none"
    return Match(
        found.original, "", found.offset_s, found.query_offset_s, found.length_s, found.strength,
        "photo" if found.is_photo else "video", transform, found.verdict, found.speed, found.rectangle, found.pairs,
    )  # fmt: skip


def _sound_row(found: sounds.Found) -> Match:
    return Match(
        found.original, "", found.offset_s, found.query_offset_s, found.length_s, found.strength, "audio",
        found.transform, speed=found.speed,
    )  # fmt: skip


def merged(seen: list[Match], heard: list[Match]) -> list[Match]:
    """Rows of both; where picture and sound of one original say the same place, one row with the stronger score."""
    rows = list(seen)
    for sound in heard:
        same = [row for row in rows if row.by == "video" and row.original == sound.original and _agree(row, sound)]
        if not same:
            rows.append(sound)
            continue
        row = same[0]
        rows[rows.index(row)] = _joined(row, sound)
    return rows


def _agree(row: Match, sound: Match) -> bool:
    starts = [one.offset_s - one.query_offset_s for one in (row, sound)]
    return abs(starts[0] - starts[1]) < SAME_PLACE_S


def _joined(row: Match, sound: Match) -> Match:
    begins = min(row.query_offset_s, sound.query_offset_s)
    ends = max(one.query_offset_s + one.length_s for one in (row, sound))
    offset_s = max(0.0, row.offset_s - (row.query_offset_s - begins))
    return replace(
        row, offset_s=round(offset_s, 3), query_offset_s=begins, length_s=round(ends - begins, 3),
        score=max(row.score, sound.score), verdict="same footage",
    )  # fmt: skip
