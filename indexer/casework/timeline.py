"""A case in time: what was done, what is written, and what each device shows, as lanes on corrected time. Pure.

A lane is one picture or sound of one device. What lies between the files of a recording, and what a clock left out
inside a file, is a gap of its lane; what no device shows of a duty is a gap of the lane of activities. Not covered:
originals whose time is not known; they are counted.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from indexer.casework.review import Review
from indexer.coverage import Shown, ends_of, parts_of
from pipeline.edges.database.registers import Linked
from pipeline.recordings import Recording, Seam, Segment

LaneKind = Literal["activity", "written", "device", "photo"]


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """Something with a beginning and an end. original: what is opened, at begins_s where the stretch begins.

    share: of a duty that is recorded; fulfilled: whether its rule is kept. proposed: nobody has confirmed yet that it
    belongs to the case.
    """

    name: str
    from_at: datetime
    to_at: datetime
    original: str = ""
    begins_s: float = 0.0
    uncertainty_s: float = 0.0
    share: float | None = None
    fulfilled: bool | None = None
    proposed: bool = False


@dataclass(frozen=True, kw_only=True)
class Hole:
    """What is not shown, or shown twice. kind: a class of gaps or what lies between two files; why: in English and
    Chinese."""

    kind: str
    from_at: datetime
    to_at: datetime
    why: str = ""
    why_zh: str = ""
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Lane:
    """One line of the drawing."""

    kind: LaneKind
    name: str
    stretches: tuple[Stretch, ...]
    holes: tuple[Hole, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """All lanes; from_at, to_at: the ends of everything, None where nothing has a time. untimed: the rest."""

    lanes: tuple[Lane, ...]
    untimed: tuple[Linked, ...]

    @property
    def from_at(self) -> datetime | None:
        return min((one.from_at for lane in self.lanes for one in lane.stretches), default=None)

    @property
    def to_at(self) -> datetime | None:
        return max((one.to_at for lane in self.lanes for one in lane.stretches), default=None)


def timeline_of(review: Review) -> Timeline:
    """The lanes of the case: activities, written records, devices by the time of their first recording, photos."""
    file = review.file
    lanes = [
        lane for lane in (_activities(review), _written(review), *_devices(review), _photos(review)) if lane.stretches
    ]
    timed = {one.original for lane in lanes for one in lane.stretches}
    timed |= {one.original for one in file.written if one.from_at}
    untimed = tuple(one for one in file.linked if one.kind in ("video", "audio", "photo") and one.original not in timed)
    return Timeline(lanes=tuple(lanes), untimed=untimed)


def _activities(review: Review) -> Lane:
    stretches, holes = [], []
    for duty in review.duties:
        from_at, to_at = ends_of(duty.activity)
        stretches.append(Stretch(name=duty.activity.step, from_at=from_at, to_at=to_at, share=duty.share,
                                 fulfilled=duty.fulfilled))  # fmt: skip
        holes += [
            Hole(kind=gap.kind, from_at=gap.from_at, to_at=gap.to_at, reason=gap.excuse.reason if gap.excuse else "")
            for gap in duty.gaps
        ]
    return Lane(kind="activity", name="", stretches=tuple(stretches), holes=tuple(holes))


def _written(review: Review) -> Lane:
    return Lane(kind="written", name="", stretches=tuple(
        Stretch(name=one.name, from_at=one.from_at, to_at=one.to_at or one.from_at, original=one.original)
        for one in review.file.written if one.from_at
    ))  # fmt: skip


def _devices(review: Review) -> list[Lane]:
    shown, proposed = {one.original: one for one in review.file.shown}, _proposed(review)
    found: dict[tuple[str, tuple[str, ...]], list[Recording]] = {}
    for one in review.file.recordings:
        first = one.segments[0]
        found.setdefault((first.device or "", first.view), []).append(one)
    named = {" ".join(part for part in (device, *view) if part): its for (device, view), its in found.items()}
    lanes = [_device(name, its, shown, proposed) for name, its in named.items()]
    return sorted((one for one in lanes if one.stretches), key=lambda one: (one.stretches[0].from_at, one.name))


def _proposed(review: Review) -> frozenset[str]:
    return frozenset(one.original for one in review.file.linked if one.status == "proposed")


def _device(
    name: str, recordings: Sequence[Recording], shown: Mapping[str, Shown], proposed: Collection[str]
) -> Lane:  # fmt: skip
    files = [shown[one.original] for each in recordings for one in each.segments if one.original in shown]
    stretches = (_stretch(part, one.original in proposed) for one in files for part in parts_of(one))
    holes = [hole for each in recordings for hole in _holes(each)]
    holes += [hole for one in files for hole in _steps(one)]
    return Lane(
        kind="device", name=name, stretches=tuple(sorted(stretches, key=lambda one: one.from_at)), holes=tuple(holes)
    )


def _steps(one: Shown) -> Iterator[Hole]:
    """Where its own clock steps inside the file: a hole of some length, or a moment."""
    parts = list(parts_of(one))
    for part, following in zip(parts, [*parts[1:], None], strict=True):
        if following is None and part.to_at == one.to_at:
            return
        at_s = part.begins_s + (part.to_at - part.from_at).total_seconds()
        by_s = following.stepped_s if following else next(by_s for step_s, by_s in one.steps if step_s >= at_s - 0.001)
        yield Hole(
            kind="clock_step", from_at=part.to_at, to_at=following.from_at if following else one.to_at,
            why=f"At {at_s:.0f} s of {one.name} its clock steps {abs(by_s):.0f} s {'ahead' if by_s > 0 else 'back'}",
            why_zh=f"{one.name} 第 {at_s:.0f} 秒处时钟向{'前' if by_s > 0 else '后'}跳 {abs(by_s):.0f} 秒",
        )  # fmt: skip


def _stretch(one: Shown, is_proposed: bool) -> Stretch:
    return Stretch(
        name=one.name, from_at=one.from_at, to_at=one.to_at, original=one.original, begins_s=one.begins_s,
        uncertainty_s=one.uncertainty_s, proposed=is_proposed,
    )  # fmt: skip


def _holes(recording: Recording) -> Iterator[Hole]:
    by_id: dict[str, Segment] = {one.original: one for one in recording.segments}
    for seam in recording.seams:
        ends = _ends(seam, by_id)
        if ends is not None:
            yield Hole(kind=seam.kind, from_at=ends[0], to_at=ends[1], why=seam.why, why_zh=seam.why_zh)


def _ends(seam: Seam, by_id: dict[str, Segment]) -> tuple[datetime, datetime] | None:
    """Of a gap; where a clock went back or something was written twice, of what both files claim."""
    before, after = by_id[seam.before].end_at, by_id[seam.after].start_at
    if before is None or after is None or after == before:
        return None
    if after > before:
        return before, after
    return (after, before) if seam.kind in ("clock_step", "overlap") else None


def _photos(review: Review) -> Lane:
    timed, proposed = [(one.start_at, one) for one in review.file.photos if one.start_at], _proposed(review)
    return Lane(kind="photo", name="", stretches=tuple(
        Stretch(name=one.name, from_at=at, to_at=one.end_at or at, original=one.original,
                uncertainty_s=one.uncertainty_s, proposed=one.original in proposed)
        for at, one in sorted(timed, key=lambda each: (each[0], each[1].name))
    ))  # fmt: skip
