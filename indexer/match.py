"""Where does this clip, photo or sound come from? What a reviewer hands in is hostile like any file: read in the cage.

Nothing is kept of the file that is asked about.
"""

from __future__ import annotations

import base64
import math
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from indexer.matching import alignment, pictures, shelf, sounds
from indexer.matching.kept import Kept, MarkedCatalog
from indexer.matching.shelf import Library
from indexer.persons.masking import masked
from pipeline.custody.sniff import END_BYTES, sniff
from pipeline.edges.caged.graphs import Filters, usual_light
from pipeline.edges.caged.media import Branch, all_of, greys, samples
from pipeline.edges.caged.pictures import grey_square
from pipeline.edges.confinement.cage import Limits
from pipeline.edges.tools import DEMUXERS, Tools
from pipeline.errors import BadInput, Unreadable
from pipeline.extractors.container import extract
from pipeline.marks import pictures as picture_marks
from pipeline.marks import sounds as sound_marks

ASKED_FPS: Final = 4.0
# Of a longer file only the beginning is asked.
ASKED_MAX_S: Final = 600
ASKED_SOUND: Final = samples(rate_hz=sound_marks.RATE_HZ, seconds_max=ASKED_MAX_S)
ASKED_LIMITS: Final = Limits(wall_s=300, cpu_s=300, memory_bytes=2 << 30, stall_s=60)
SAME_PLACE_S: Final = 1.5


def asked_pictures(light: Filters = ()) -> Branch:
    """The pictures of a query that are compared. light: what makes theirs a usual one, as that of marks was made."""
    side_px = picture_marks.SIDE_PX
    return greys(fps=ASKED_FPS, side_px=side_px, light=light, seconds_max=ASKED_MAX_S, rounded="up")


Step = Literal["reading pictures", "comparing pictures", "reading sound", "comparing sound"]
Verdict = Literal["same footage", "same sound", "same scene, other take"]


@dataclass(frozen=True)
class Query:
    """What is asked. limit: so many rows at most.

    hidden: originals of which who asks may not learn; they are left out before anything is compared, so that they take
    no place among the rows and no score tells of them. limit_s: after so long no further step is begun.
    """

    file: Path
    limit: int = 20
    hidden: frozenset[str] = frozenset()
    limit_s: float | None = None


class Names(Protocol):
    """What is asked of the catalog."""

    def names(self, ids: Iterable[str]) -> dict[str, str]:
        """The names of these originals."""


class Marked(Protocol):
    """What a file is compared with; hidden: as in `Query`."""

    def pictures(self, hidden: frozenset[str] = ...) -> Library:
        """The marks of videos and photos."""

    def sounds(self, hidden: frozenset[str] = ...) -> sounds.Library:
        """The marks of sounds."""


class InFiles:
    """The indexes for matching of one home, level with its catalog at every question. folder: of the indexes."""

    def __init__(self, catalog: MarkedCatalog, folder: Path) -> None:
        self._catalog = catalog
        self.kept = {method.name: Kept(catalog, folder, method) for method in (shelf.METHOD, sounds.METHOD)}

    def pictures(self, hidden: frozenset[str] = frozenset()) -> Library:
        """The marks of videos and photos."""
        segments = [
            shelf.segment_of(originals, arrays, _seen(originals, counts, hidden))
            for originals, counts, arrays in self.kept[shelf.METHOD.name].segments()
        ]
        return Library(segments, self.marks_of)

    def sounds(self, hidden: frozenset[str] = frozenset()) -> sounds.Library:
        """The marks of sounds."""
        return sounds.Library([
            sounds.Segment(originals, _seen(originals, counts, hidden), **arrays)
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


def _seen(originals: list[str], counts: NDArray[np.bool_], hidden: frozenset[str]) -> NDArray[np.bool_]:
    if hidden.isdisjoint(originals):
        return counts
    return counts & np.fromiter((one not in hidden for one in originals), np.bool_, len(originals))


@dataclass(frozen=True)
class Match:
    """A stretch of the query and the original it lies in.

    offset_s: in the original; query_offset_s: in the query; where the stretch begins, length_s long (0 for a photo).
    score: 1.0 is the weakest that is reported. by: what was recognised. transform: what was done to the query: `none`,
    `mirrored`, `turned 90`, `inset` (inside borders), `cropped`, `tempo 1.25`, also several of them.
    verdict: `same scene, other take` where the place is the same and what moves in it is not, or nothing moves; `same
    sound` where only the sound was recognised: that may be the same recording, the same occasion recorded by somebody
    else, or music that was playing. heard: a row of pictures with whose place the sound agrees.
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
    verdict: Verdict = "same footage"
    speed: float = 1.0
    rectangle: tuple[float, float, float, float] | None = None
    pairs: tuple[alignment.Pair, ...] = ()
    heard: bool = False


@dataclass(frozen=True)
class Answer:
    """Rows, the surest first; none where nothing that may be seen is like the file.

    not_asked: steps that were not begun, for the time was over; then no row does not mean that there is no source.
    """

    rows: tuple[Match, ...]
    not_asked: tuple[Step, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """{"rows": [the fields of `Match`, `pairs` as objects, `rectangle` as a list], "not_asked": [...]}."""
        return {"rows": [asdict(row) for row in self.rows], "not_asked": list(self.not_asked)}


def ask(
    query: Query, *, catalog: Names, marked: Marked, tools: Tools, told: Callable[[Step], None] = lambda _: None
) -> Answer:
    """Where the file comes from. marked: what it is compared with; told: hears of each step as it begins.

    Raises BadInput where it is neither a photo nor a recording, or cannot be read.
    """
    kind, format_name = _sniffed(query.file)
    asking = _Asking(query, marked, tools, told)
    try:
        rows = asking.of_photo() if kind == "photo" else asking.of_recording(format_name)
    except Unreadable as error:
        raise BadInput(
            f"'{query.file.name}' cannot be read: {error.sentence}",
            zh=f"无法读取“{query.file.name}”：{error.zh or error.sentence}",
            path=str(query.file),
        ) from error
    rows = sorted(rows, key=_rank)[: query.limit]
    names = catalog.names({row.original for row in rows})
    return Answer(
        tuple(replace(row, name=masked(names.get(row.original, ""))) for row in rows), tuple(asking.not_asked)
    )


_ORDER: Final[dict[Verdict, int]] = {"same footage": 0, "same sound": 1, "same scene, other take": 2}


def _rank(row: Match) -> tuple[object, ...]:
    return (_ORDER[row.verdict], -row.score, row.original, row.query_offset_s)


def _sniffed(file: Path) -> tuple[str, str]:
    try:
        with file.open("rb") as opened:
            head = opened.read(END_BYTES)
            opened.seek(max(0, file.stat().st_size - END_BYTES))
            tail = opened.read(END_BYTES)
    except OSError as error:
        raise BadInput(
            f"'{file}' cannot be opened: {error.strerror}", zh=f"无法打开“{file}”：{error.strerror}", path=str(file)
        ) from error
    found = sniff(head, tail, file.name)
    is_recording = found.kind in ("video", "audio", "sidecar") and found.format in DEMUXERS
    if found.kind != "photo" and not is_recording:
        raise BadInput(
            f"'{file.name}' is neither a photo nor a recording that can be read",
            zh=f"“{file.name}”不是可读取的照片或录制",
            found=found.format,
        )
    return found.kind, found.format


class _Asking:
    """One query on its way."""

    def __init__(self, query: Query, marked: Marked, tools: Tools, told: Callable[[Step], None]) -> None:
        self._query, self._marked, self._tools, self._told = query, marked, tools, told
        self._ends = math.inf if query.limit_s is None else time.monotonic() + query.limit_s
        self._source = query.file.absolute()
        self.not_asked: list[Step] = []

    def of_photo(self) -> list[Match]:
        side_px = picture_marks.SIDE_PX
        self._told("reading pictures")
        pixels = self._tools.call(
            grey_square, str(self._source), side_px, None, limits=ASKED_LIMITS, reads=[self._source]
        )
        frame = np.frombuffer(base64.b64decode(pixels), np.uint8).reshape(1, side_px, side_px)
        self._told("comparing pictures")
        found = pictures.find_photo(frame, self._marked.pictures(self._query.hidden))
        return [_picture_row(one) for one in found]

    def of_recording(self, format_name: str) -> list[Match]:
        """Rows by pictures and by sound; a file need not have both.

        Raises Unreadable where it has neither.
        """
        rows: list[Match] = []
        failures: list[Unreadable] = []
        try:
            rows += self._seen(format_name)
        except Unreadable as error:
            failures.append(error)
        if not self._may_begin("reading sound"):
            return rows
        try:
            rows = merged(rows, self._heard(format_name))
        except Unreadable as error:
            failures.append(error)
        if len(failures) == 2:
            raise failures[0]
        return rows

    def _seen(self, format_name: str) -> list[Match]:
        self._told("reading pictures")
        light = usual_light(self._transfer(), self._tools.filters)
        frames = all_of(self._tools, self._source, format_name, asked_pictures(light), "pictures", limits=ASKED_LIMITS)
        if not self._may_begin("comparing pictures"):
            return []
        library = self._marked.pictures(self._query.hidden)
        if len(frames) == 1:
            return [_picture_row(one) for one in pictures.find_photo(frames, library)]
        return [_picture_row(one) for one in pictures.find_clip(frames, 1 / ASKED_FPS, library)]

    def _transfer(self) -> str | None:
        """How its pictures store light, as the probe would say it; None where nothing is said."""
        try:
            said = self._tools.call(extract, str(self._source), limits=ASKED_LIMITS, reads=[self._source])
        except Unreadable:
            return None
        return next((value for name, _, value in said["properties"] if name == "video.transfer"), None)

    def _heard(self, format_name: str) -> list[Match]:
        heard = all_of(self._tools, self._source, format_name, ASKED_SOUND, "sound", limits=ASKED_LIMITS)
        if not self._may_begin("comparing sound"):
            return []
        library = self._marked.sounds(self._query.hidden)
        return [_sound_row(one) for one in sounds.find_sound(heard, library)]

    def _may_begin(self, step: Step) -> bool:
        if time.monotonic() >= self._ends:
            self.not_asked.append(step)
            return False
        self._told(step)
        return True


def _picture_row(found: alignment.Found) -> Match:
    speed = "" if found.speed == 1.0 else f"tempo {found.speed:g}"
    transform = " ".join(part for part in (found.transform.replace("none", ""), speed) if part) or "none"
    return Match(
        found.original, "", found.offset_s, found.query_offset_s, found.length_s, found.strength,
        "photo" if found.is_photo else "video", transform, found.verdict, found.speed, found.rectangle, found.pairs,
    )  # fmt: skip


def _sound_row(found: sounds.Found) -> Match:
    return Match(
        found.original, "", found.offset_s, found.query_offset_s, found.length_s, found.strength, "audio",
        found.transform, "same sound", speed=found.speed,
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
        score=max(row.score, sound.score), heard=True,
    )  # fmt: skip
