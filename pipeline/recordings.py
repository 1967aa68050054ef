"""Logical recordings: which files one device wrote as one act of recording, in order, and what lies between. Pure.

What counts: the chapter in a name, consecutive numbers, times that meet within a switch of files, and equal codec
parameters. Gaps, overlaps, missing files and steps of the clock are computed and told; nothing is bridged, and no file
is made. A file that comes late changes the answer, for it is worked out anew each time. Not covered: files whose name
holds a number alone and whose time is unknown; what is missing after the last file, where no number and no usual
length tells of it.
Sources: DOMAIN 2.3 (a switch of recorders of the GA/T class takes under 40 ms, tools for car recorders allow 30 s);
GoPro's names; an issue of a telemetry reader, by which recent GoPros write one creation time into all chapters.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Final, Literal

SeamKind = Literal["file_split", "gap", "overlap", "missing", "clock_step", "unknown"]

SWITCH_S: Final = 2.0  # names tell whole seconds, so a switch of 40 ms may look like one or two
PAUSE_S: Final = 30.0  # with consecutive numbers, so much may lie between two files of one recording
OVERLAP_S: Final = 60.0  # recorders write some seconds twice; who seems to write more had its clock set back
ALIKE: Final = 0.02  # files cut at one length differ by less
REGULAR_FILES: Final = 3  # so many of one length make it the usual one
MISSING_MAX: Final = 50  # more missing files in a row are another recording
UNNUMBERED_MAX: Final = 12  # without numbers: a multiple of a file's length that is longer comes by chance
APART: Final = timedelta(hours=24)  # numbers begin again: equal ones further apart have nothing to do with each other
# Where a recording's own clock steps inside the file: (second of the recording, by how many seconds).
CLOCK_STEPS: Final = "container.clock_steps"
ClockSteps = tuple[tuple[float, float], ...]
# What steps ahead by no more than this is a hole within the file's length; any other step is a moment.
HOLE_MOST_S: Final = 3600.0
_SAME_START_S: Final = 2.0
_NEVER: Final = datetime.min.replace(tzinfo=UTC)
_LOOP: Final = re.compile(r"[A-Z]{2}", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Segment:
    """One file, as far as its place among others is concerned.

    place: the source and folder it came from; device: by the register, else as files or names say; None unknown.
    view: what tells several pictures of one device apart (channel, camera, lens, stream). codec: its parameters by
    name. start_at, end_at: decided; None unknown. set_at: when the device's clock was set. steps: where its
    own clock steps inside the file. kind photo: it only accounts for its number.
    """

    original: str
    name: str
    sha256: str = ""
    kind: str = "video"
    place: str = ""
    device: str | None = None
    view: tuple[str, ...] = ()
    profile: str = ""
    sequence: str | None = None
    part: str | None = None
    codec: Mapping[str, object] = field(default_factory=dict, hash=False)
    start_at: datetime | None = None
    end_at: datetime | None = None
    uncertainty_s: float = 0.0
    set_at: tuple[datetime, ...] = ()
    steps: ClockSteps = ()

    @property
    def number(self) -> int | None:
        """Its sequence number."""
        return int(self.sequence) if self.sequence and self.sequence.isdecimal() else None

    @property
    def length_s(self) -> float:
        """Of its decided interval; 0 where that is unknown."""
        return (self.end_at - self.start_at).total_seconds() if self.start_at and self.end_at else 0.0


@dataclass(frozen=True, kw_only=True)
class Seam:
    """What lies between two files of a recording that follow one another.

    length_s: of the gap or overlap, or of what the clock seems to have stepped; None unknown. missing: the files that
    should lie there, as far as they can be named. unlike: codec parameters that differ.
    """

    kind: SeamKind
    before: str
    after: str
    length_s: float | None
    why: str
    why_zh: str
    missing: tuple[str, ...] = ()
    unlike: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Remark:
    """What is to be said of a recording's ends. code: `first_missing`, `may_go_on`."""

    code: str
    text: str
    text_zh: str
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Recording:
    """The files of one act of recording in order, with what lies between each two: one seam less than files.

    A file's interval is the decided one; where all chapters carry the time of the first, they are laid end to end.
    """

    segments: tuple[Segment, ...]
    seams: tuple[Seam, ...] = ()
    remarks: tuple[Remark, ...] = ()

    @property
    def id(self) -> str:
        """The original among its files that was taken in first: a late file changes nothing of it."""
        return min(one.original for one in self.segments)

    @property
    def is_whole(self) -> bool:
        """Whether nothing in it is known to be missing or unsure, between its files or inside one."""
        if any(one.steps for one in self.segments):
            return False
        return not self.remarks and all(one.kind in ("file_split", "overlap") for one in self.seams)

    def place_of(self, original: str) -> int:
        """Which of its files this is, from 0."""
        return next(at for at, one in enumerate(self.segments) if one.original == original)


def clock_steps_of(said: object) -> ClockSteps:
    """The steps that the property tells, in their order; none where it tells of none."""
    pairs = said if isinstance(said, list | tuple) else ()
    return tuple(sorted((float(at_s), float(by_s)) for at_s, by_s in pairs))


def is_hole(by_s: float) -> bool:
    """Whether a clock that steps so far leaves a stretch of the file without pictures and sound."""
    return 0 < by_s <= HOLE_MOST_S


def recordings_of(segments: Iterable[Segment]) -> list[Recording]:
    """Every recording of these files, by the time of the first; those of unknown time come last, by name."""
    listed = list(dict.fromkeys(segments))
    found: list[Recording] = []
    rest: list[Segment] = []
    for group in _chaptered(one for one in listed if one.kind != "photo"):
        if len(group) > 1 or _first_part(group[0]) is not None:
            found.append(_of_chapters(group))
        else:
            rest += group
    photos = defaultdict(list)
    for one in listed:
        if one.kind == "photo" and one.number is not None:
            photos[one.device or one.place].append(one)
    for stream in _streams(rest):
        found += _of_stream(stream, photos[stream[0].device or stream[0].place])
    return sorted(found, key=lambda one: _order(one.segments[0]))


def recording_with(recordings: Iterable[Recording], original: str) -> Recording | None:
    """The one that this file belongs to."""
    return next((one for one in recordings if any(part.original == original for part in one.segments)), None)


def _order(one: Segment) -> tuple[object, ...]:
    return (one.start_at is None, one.start_at or _NEVER, one.name, one.original)


# -- chapters


def _chaptered(segments: Iterable[Segment]) -> Iterator[list[Segment]]:
    """Files by the recording that their names tell; a file without a chapter is a group of its own."""
    named: dict[tuple[object, ...], list[Segment]] = defaultdict(list)
    for one in segments:
        key = _series(one)
        if key is None:
            yield [one]
        else:
            named[key].append(one)
    for group in named.values():
        yield from _clusters(sorted(group, key=_order))


def _series(one: Segment) -> tuple[object, ...] | None:
    """What the names of all chapters of a recording share; None where the name tells no chapter."""
    if one.profile == "gopro_early":
        return one.profile, one.view, one.sequence
    if one.part is None:
        return None
    if _LOOP.fullmatch(one.part):  # in a loop the letters stand for the recording, and the number counts
        return one.profile, one.view, one.part.upper()
    if one.sequence is not None:
        return one.profile, one.view, one.sequence
    stem = re.sub(rf"[_-]?0*{re.escape(one.part)}(?=\.\w+$)", "", one.name)
    return one.profile, one.view, stem.casefold()


def _clusters(group: Sequence[Segment]) -> Iterator[list[Segment]]:
    """Those that may be one recording: numbers begin again on each card, so place, device or time must agree too."""
    clusters: list[list[Segment]] = []
    for one in group:
        home = next((found for found in clusters if all(_may_belong(one, other) for other in found)
                     and any(_belongs(one, other) for other in found)), None)  # fmt: skip
        if home is None:
            clusters.append([one])
        else:
            home.append(one)
    yield from clusters


def _may_belong(one: Segment, other: Segment) -> bool:
    if one.device and other.device and one.device != other.device:
        return False
    near = one.start_at is None or other.start_at is None or abs(one.start_at - other.start_at) <= APART
    return near and _chapter(one) != _chapter(other)


def _belongs(one: Segment, other: Segment) -> bool:
    same_start = one.start_at and other.start_at and abs((one.start_at - other.start_at).total_seconds()) <= 2.0
    return one.place == other.place or bool(one.device and one.device == other.device) or bool(same_start)


def _chapter(one: Segment) -> int:
    if one.part is not None and _LOOP.fullmatch(one.part):
        return one.number or 0
    return int(one.part) if one.part and one.part.isdecimal() else 0


def _first_part(one: Segment) -> int | None:
    """The number of the first chapter in names like this; None where the name tells no chapter."""
    if one.profile == "gopro_early":
        return 0
    if one.part is None:
        return None
    return None if _LOOP.fullmatch(one.part) else 1


def _of_chapters(group: Sequence[Segment]) -> Recording:
    ordered = sorted(group, key=lambda one: (_chapter(one), _order(one)))
    laid = _laid(ordered)
    seams = tuple(_chapter_seam(one, other, laid is not None) for one, other in pairwise(laid or ordered))
    return Recording(segments=tuple(laid or ordered), seams=seams, remarks=tuple(_first_missing(ordered)))


def _laid(ordered: Sequence[Segment]) -> list[Segment] | None:
    """Chapters that all carry the time of the first, laid end to end; None where their times are their own.

    Without the first, the shared time says when the recording began, and not when these files did.
    """
    starts = [one.start_at for one in ordered if one.start_at]
    if len(starts) < max(len(ordered), 2) or (max(starts) - min(starts)).total_seconds() > _SAME_START_S:
        return None
    if _chapter(ordered[0]) != (_first_part(ordered[0]) or _chapter(ordered[0])) or any(
        _chapter(other) != _chapter(one) + 1 for one, other in pairwise(ordered)
    ):
        return None
    laid, at = [], min(starts)
    for one in ordered:
        laid.append(replace(one, start_at=at, end_at=at + timedelta(seconds=one.length_s)))
        at += timedelta(seconds=one.length_s)
    return laid


def _chapter_seam(one: Segment, other: Segment, laid: bool) -> Seam:
    missing = tuple(_named(one, chapter) for chapter in range(_chapter(one) + 1, _chapter(other)))
    gap_s = _gap_s(one, other)
    shared = {"before": one.original, "after": other.original, "unlike": _unlike(one, other), "missing": missing}
    if missing:
        return Seam(
            kind="missing", length_s=gap_s, **shared,  # type: ignore[arg-type]
            why=f"Between {one.name} and {other.name} the chapters are missing: {', '.join(missing)}",
            why_zh=f"{one.name} 与 {other.name} 之间缺少分段：{'、'.join(missing)}",
        )  # fmt: skip
    if laid:
        return Seam(
            kind="file_split", length_s=0.0, **shared,  # type: ignore[arg-type]
            why="The next chapter; all carry the time of the first, so they are laid end to end",
            why_zh="下一分段；各分段均记有首段的时间，按顺序首尾相接排列",
        )  # fmt: skip
    return _judged(one, other, gap_s, "the next chapter by its name", "按文件名为下一分段", shared)


def _judged(
    one: Segment, other: Segment, gap_s: float | None, told: str, told_zh: str, shared: Mapping[str, object]
) -> Seam:  # fmt: skip
    """A seam of two files that surely follow one another; only what the clock says of it is open."""
    if gap_s is None:
        kind, en, zh = "unknown", "its time is not known", "时间未知"
    elif _was_set(one, other):
        kind, en, zh = "clock_step", "the device's clock was set in between", "其间设备校过时"
    elif abs(gap_s) <= SWITCH_S:
        kind, en, zh = "file_split", f"{gap_s:+.1f} s, a switch of files", f"间隔 {gap_s:+.1f} 秒，为换段"
    elif gap_s < -OVERLAP_S:
        kind, en, zh = (
            "clock_step", f"the clock went back by {-gap_s:.0f} s although the order is sure",
            f"顺序确定，而时钟倒退 {-gap_s:.0f} 秒",
        )  # fmt: skip
    elif gap_s < 0:
        kind, en, zh = "overlap", f"{-gap_s:.1f} s were written twice", f"重叠 {-gap_s:.1f} 秒"
    else:
        kind, en, zh = "gap", f"{gap_s:.1f} s were not recorded", f"中断 {gap_s:.1f} 秒"
    return Seam(
        kind=kind, length_s=None if gap_s is None else round(abs(gap_s), 3),  # type: ignore[arg-type]
        why=f"{told[0].upper()}{told[1:]}: {en}", why_zh=f"{told_zh}：{zh}", **shared,  # type: ignore[arg-type]
    )  # fmt: skip


def _first_missing(ordered: Sequence[Segment]) -> Iterator[Remark]:
    first, expected = ordered[0], _first_part(ordered[0])
    if expected is not None and _chapter(first) > expected:
        missing = tuple(_named(first, chapter) for chapter in range(expected, _chapter(first)))
        yield Remark(
            code="first_missing", missing=missing,
            text=f"It begins before {first.name}: missing {', '.join(missing)}",
            text_zh=f"本次记录在 {first.name} 之前已开始，缺少 {'、'.join(missing)}",
        )  # fmt: skip


def _named(beside: Segment, chapter: int) -> str:
    """What the file of this chapter is called, going by one beside it."""
    if beside.profile == "gopro_early":
        head = "GOPR" if chapter == 0 else f"GP{chapter:02}"
        return re.sub(r"^(?:GOPR|GP\d\d)", head, beside.name, flags=re.IGNORECASE)
    assert beside.part is not None
    if _LOOP.fullmatch(beside.part) and beside.sequence:
        return beside.name.replace(beside.sequence, f"{chapter:0{len(beside.sequence)}}")
    written = f"{chapter:0{len(beside.part)}}"
    if beside.profile == "gopro":
        return f"{beside.name[:2]}{written}{beside.name[4:]}"
    return re.sub(rf"{re.escape(beside.part)}(?=\.\w+$)", written, beside.name)


# -- files that follow one another in time or number


def _streams(segments: Iterable[Segment]) -> Iterator[list[Segment]]:
    """Files of one picture or sound of one device; without a device, of one folder and one way of naming."""
    found: dict[tuple[object, ...], list[Segment]] = defaultdict(list)
    for one in segments:
        whose = (one.device,) if one.device else (None, one.place, one.profile)
        found[(*whose, one.kind, one.view)].append(one)
    for stream in found.values():
        yield sorted(stream, key=_order)


def _of_stream(stream: Sequence[Segment], photos: Sequence[Segment]) -> Iterator[Recording]:
    usual_s = _usual_s(stream)
    chain = _Chain()
    for one, other in _consecutive(stream):
        _join(chain, one, other, usual_s, ())
    timed = [one for one in stream if one.start_at]
    for one, other in pairwise(timed):
        if chain.may_join(one, other):
            _join(chain, one, other, usual_s, photos)
    for segments, seams in chain.chains(stream):
        yield Recording(segments=segments, seams=seams, remarks=tuple(_ends(segments[-1], seams, usual_s)))


class _Chain:
    """Who follows whom: each file has at most one before and one after it."""

    def __init__(self) -> None:
        self._after: dict[str, tuple[Segment, Seam]] = {}
        self._before: dict[str, str] = {}

    def may_join(self, one: Segment, other: Segment) -> bool:
        if one.original in self._after or other.original in self._before:
            return False
        last = other.original
        while last in self._after:
            last = self._after[last][0].original
        return last != one.original

    def add(self, one: Segment, other: Segment, seam: Seam) -> None:
        self._after[one.original] = (other, seam)
        self._before[other.original] = one.original

    def chains(self, stream: Sequence[Segment]) -> Iterator[tuple[tuple[Segment, ...], tuple[Seam, ...]]]:
        for one in stream:
            if one.original in self._before:
                continue
            segments, seams = [one], []
            while segments[-1].original in self._after:
                following, seam = self._after[segments[-1].original]
                segments.append(following)
                seams.append(seam)
            yield tuple(segments), tuple(seams)


def _consecutive(stream: Sequence[Segment]) -> Iterator[tuple[Segment, Segment]]:
    """Each two with consecutive numbers that are the nearest in time to one another: numbers begin again."""
    by_number: dict[int, list[Segment]] = defaultdict(list)
    for one in stream:
        if one.number is not None and one.start_at:
            by_number[one.number].append(one)

    def nearest(one: Segment, step: int) -> Segment | None:
        assert one.number is not None
        reached = [other for other in by_number.get(one.number + step, ()) if _away(one, other) <= APART]
        return min(reached, key=lambda other: abs(_gap_s(*((one, other) if step > 0 else (other, one))) or 0.0),
                   default=None)  # fmt: skip

    for one in stream:
        if one.number is not None and one.start_at:
            other = nearest(one, 1)
            if other is not None and nearest(other, -1) is one:
                yield one, other


def _away(one: Segment, other: Segment) -> timedelta:
    assert one.start_at is not None
    assert other.start_at is not None
    return abs(other.start_at - one.start_at)


def _join(
    chain: _Chain, one: Segment, other: Segment, usual_s: float | None, photos: Sequence[Segment]
) -> None:  # fmt: skip
    seam = _seam(one, other, usual_s, photos)
    if seam is not None and chain.may_join(one, other):
        chain.add(one, other, seam)


def _seam(one: Segment, other: Segment, usual_s: float | None, photos: Sequence[Segment]) -> Seam | None:
    """What lies between two files of one stream; None where they are not one recording."""
    gap_s = _gap_s(one, other)
    if gap_s is None:
        return None
    steps = _steps(one, other)
    unlike = _unlike(one, other)
    shared: dict[str, object] = {"before": one.original, "after": other.original, "unlike": unlike}
    if steps == 1:
        full = usual_s is not None and _is_full(one, usual_s)
        if gap_s > PAUSE_S and not full and not _was_set(one, other):
            return None
        if gap_s > PAUSE_S and not _was_set(one, other):
            return Seam(
                kind="clock_step", length_s=round(gap_s, 3), **shared,  # type: ignore[arg-type]
                why=f"Its number follows, and the file before was full, yet the clock shows {gap_s:.0f} s between: the "
                "clock was set, or the recording stopped just then",
                why_zh=f"编号相连，前一文件已写满，而时钟相差 {gap_s:.0f} 秒：设备校过时，或恰在此时停止记录",
            )  # fmt: skip
        return _judged(one, other, gap_s, "its number follows", "编号相连", shared)
    if unlike or not (one.device or one.profile):
        return None  # where neither device nor way of naming is known, nothing says that one device wrote both
    # Short files meet within 2 s by chance; copies of one scene begin together.
    met = abs(gap_s) <= min(SWITCH_S, one.length_s / 2, other.length_s / 2)
    if met or (-OVERLAP_S <= gap_s < 0 and one.length_s > 2 * OVERLAP_S):
        return _judged(one, other, gap_s, "it begins where the one before ends", "与前一文件首尾相接", shared)
    if steps is not None and steps < 1:
        return None
    return _hole(one, other, gap_s, steps, usual_s, photos, shared)


def _hole(
    one: Segment, other: Segment, gap_s: float, steps: int | None, usual_s: float | None, photos: Sequence[Segment],
    shared: Mapping[str, object],
) -> Seam | None:  # fmt: skip
    """A seam where files are missing; None where nothing tells of any."""
    if steps is not None:
        assert one.number is not None
        taken = {photo.number for photo in photos if photo.start_at is None or _away(one, photo) <= APART}
        numbers = [number for number in range(one.number + 1, one.number + steps) if number not in taken]
        longest_s = max(usual_s or 0.0, one.length_s, other.length_s)
        if not numbers or len(numbers) > MISSING_MAX or not 0 < gap_s <= len(numbers) * longest_s * 1.1 + PAUSE_S:
            return None
        missing = tuple(f"{number:0{len(one.sequence or '')}}" for number in numbers)
        listed = ", ".join(missing)
        return Seam(
            kind="missing", length_s=round(gap_s, 3), missing=missing, **shared,  # type: ignore[arg-type]
            why=f"The numbers {listed} are missing, and {gap_s:.0f} s with them",
            why_zh=f"缺少编号 {'、'.join(missing)}，共 {gap_s:.0f} 秒",
        )  # fmt: skip
    if usual_s is None or not _is_full(one, usual_s):
        return None
    count = round(gap_s / usual_s)
    if not 1 <= count <= UNNUMBERED_MAX or abs(gap_s - count * usual_s) > count * usual_s * ALIKE + SWITCH_S:
        return None
    return Seam(
        kind="missing", length_s=round(gap_s, 3), missing=(f"?×{count}",), **shared,  # type: ignore[arg-type]
        why=f"The file before is full ({usual_s:.0f} s), and {gap_s:.0f} s are the length of {count} such files",
        why_zh=f"前一文件已写满（{usual_s:.0f} 秒），相隔 {gap_s:.0f} 秒，恰为 {count} 个这样的文件",
    )  # fmt: skip


def _ends(last: Segment, seams: Sequence[Seam], usual_s: float | None) -> Iterator[Remark]:
    if seams and usual_s is not None and _is_full(last, usual_s):
        yield Remark(
            code="may_go_on",
            text=f"The last file is full ({usual_s:.0f} s): another may belong after it",
            text_zh=f"末段已写满（{usual_s:.0f} 秒），其后可能还有文件",
        )


def _steps(one: Segment, other: Segment) -> int | None:
    """How far the numbers are apart; None where one has none."""
    return None if one.number is None or other.number is None else other.number - one.number


def _gap_s(one: Segment, other: Segment) -> float | None:
    """Seconds from the end of one to the beginning of the other, below 0 where they overlap; None unknown."""
    if one.end_at is None or other.start_at is None:
        return None
    return (other.start_at - one.end_at).total_seconds()


def _was_set(one: Segment, other: Segment) -> bool:
    """Whether the clock that both stand on was noted to be set between their beginnings."""
    if one.start_at is None or other.start_at is None:
        return False
    first, last = sorted((one.start_at, other.start_at))
    margin = timedelta(seconds=max(one.uncertainty_s, other.uncertainty_s))
    return any(first < at <= last + margin for at in one.set_at)


def _unlike(one: Segment, other: Segment) -> tuple[str, ...]:
    """Codec parameters that both tell, and tell otherwise: files that cannot be played as one without converting."""
    return tuple(sorted(name for name in one.codec if name in other.codec and one.codec[name] != other.codec[name]))


def _usual_s(stream: Sequence[Segment]) -> float | None:
    """The length at which this device cuts its files; None where there is none."""
    lengths = [one.length_s for one in stream if one.length_s > SWITCH_S]
    counted = Counter(_bucket(length_s) for length_s in lengths)
    if not counted:
        return None
    best = max(counted, key=lambda one: (_around(counted, one), one))
    alike = sorted(length_s for length_s in lengths if abs(_bucket(length_s) - best) <= 1)
    return alike[len(alike) // 2] if len(alike) >= max(REGULAR_FILES, len(lengths) / 3) else None


def _bucket(length_s: float) -> int:
    return round(math.log(length_s) / ALIKE)


def _around(counted: Counter[int], bucket: int) -> int:
    return counted[bucket - 1] + counted[bucket] + counted[bucket + 1]


def _is_full(one: Segment, usual_s: float) -> bool:
    return abs(one.length_s - usual_s) <= max(usual_s * ALIKE, 1.0)
