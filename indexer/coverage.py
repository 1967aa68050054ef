"""How much of what had to be recorded the recordings of a case show: duties, shares, gaps. Pure.

A duty is an activity of the case with its times. What counts is the union of the decided intervals of all recordings,
whichever device made them; nothing is bridged. Which part is sure, whatever the clocks' uncertainty, is told beside it.
What a person stated as lawfully not recorded is told as such, and stays a gap. Not covered: duties whose activity has
no times.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Final, Literal, get_args

from config.settings import SHIPPED
from pipeline.acts.excusing import Excuse
from pipeline.errors import BadInput
from pipeline.recordings import ClockSteps, SeamKind, is_hole
from pipeline.records import Activity

NAME: Final = "steps.toml"
Required = Literal["full", "some", "once"]
GapClass = Literal["file_split", "pause_explained", "unexplained", "clock_step", "outside"]
# What lies between two files of one recording: (before, after) -> its kind.
Seams = Mapping[tuple[str, str], SeamKind]


@dataclass(frozen=True)
class Step:
    """What must be recorded of an enforcement step. words: what registers call it."""

    name: str
    required: Required
    words: tuple[str, ...]
    zh: str
    source: str
    source_zh: str = ""


@dataclass(frozen=True)
class Steps:
    """The rules of one `steps.toml`. split_s: between two files of one device; edge_s: at the ends of a whole duty."""

    version: str
    split_s: float
    edge_s: float
    steps: tuple[Step, ...]

    def of(self, said: str) -> Step:
        """The step that a register means by this; the last of the file where no word fits."""
        fits = [(len(word), step) for step in self.steps for word in step.words if word in said]
        return max(fits, key=lambda fit: fit[0])[1] if fits else self.steps[-1]


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A recording in time. set_at: when its device's clock was set, as far as it was noted.

    begins_s: the second of the file at from_at, where only a part of it belongs to the case.
    activity: the code of that which its link names. steps: where its own clock steps inside the file, (second of the
    file, by how many seconds), in order. stepped_s: of a part of it, by how much the clock stepped just before.
    """

    original: str
    name: str
    device: str
    from_at: datetime
    to_at: datetime
    uncertainty_s: float
    set_at: tuple[datetime, ...] = ()
    sha256: str = ""
    begins_s: float = 0.0
    activity: str | None = None
    steps: ClockSteps = ()
    stepped_s: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Gap:
    """A part of a duty that no recording shows. before, after: the recordings beside it, None where there is none.

    excuse: why it was lawfully not recorded, where somebody stated it.
    """

    from_at: datetime
    to_at: datetime
    kind: GapClass
    before: Shown | None
    after: Shown | None
    excuse: Excuse | None = None

    @property
    def length_s(self) -> float:
        """In seconds."""
        return (self.to_at - self.from_at).total_seconds()

    @property
    def before_s(self) -> float | None:
        """The second of the file before at which the gap begins."""
        return None if self.before is None else _position_s(self.before, self.from_at)

    @property
    def after_s(self) -> float | None:
        """The second of the file after at which the gap ends."""
        return None if self.after is None else _position_s(self.after, self.to_at)


@dataclass(frozen=True, kw_only=True)
class Covered:
    """How far a duty is shown. sure_s: covered whatever the clocks' uncertainty; devices: which did it.

    by_device: what each device by itself shows of it, in seconds. fulfilled: whether the rule of its step is kept, a
    stated reason counted; excused: whether it is so only by stated reasons.
    """

    activity: Activity
    step: Step
    covered_s: float
    sure_s: float
    gaps: tuple[Gap, ...]
    devices: tuple[str, ...]
    fulfilled: bool
    excused: bool = False
    by_device: Mapping[str, float] = field(default_factory=dict, hash=False)

    @property
    def length_s(self) -> float:
        """Of the duty."""
        from_at, to_at = ends_of(self.activity)
        return (to_at - from_at).total_seconds()

    @property
    def share(self) -> float:
        """Of the duty that is covered, 0.0 to 1.0; a moment is covered or not."""
        return self.covered_s / self.length_s if self.length_s else float(not self.gaps)

    def statement(self) -> tuple[str, str]:
        """Who shows how much of it, in English and Chinese: several devices count together."""
        if not self.devices:
            return "Nothing was recorded", "没有音像记录"
        sure, sure_zh = _lasting(self.sure_s), _lasting_zh(self.sure_s)
        named = [one or "?" for one in self.devices]
        return (
            f"{' or '.join(named)} shows {_lasting(self.covered_s)} of {_lasting(self.length_s)} ({self.share:.1%}), "
            f"{sure} whatever the clocks",
            f"由{' 或 '.join(named)} 记录了 {_lasting_zh(self.covered_s)}，占全程 {_lasting_zh(self.length_s)}的"
            f" {self.share:.1%}；计入时钟误差，至少 {sure_zh}",
        )


def _lasting(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _lasting_zh(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} 分 {rest} 秒" if minutes else f"{rest} 秒"


def steps_of(home: Path) -> Steps:
    """The rules in force in this home. Raises BadInput where its own file cannot be used."""
    own = home / NAME
    path = own if own.exists() else SHIPPED / NAME
    return _read(path, stamp_of(path))


def stamp_of(path: Path) -> tuple[int, int]:
    """When the file was changed and its size; zeros where it is not there."""
    try:
        told = path.stat()
    except OSError:
        return (0, 0)
    return told.st_mtime_ns, told.st_size


@lru_cache(maxsize=4)
def _read(path: Path, stamp: tuple[int, int]) -> Steps:
    """stamp: of the file as it is now, so that one that was changed is read anew."""
    del stamp
    try:
        said = tomllib.loads(path.read_text(encoding="utf-8-sig"))
        steps = tuple(Step(**{**one, "words": tuple(one["words"])}) for one in said["step"])
        limits = {name: float(said["limits"][name]) for name in ("split_s", "edge_s")}
        unknown = [one.required for one in steps if one.required not in get_args(Required)]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{path} cannot be used: {error}", zh=f"{path} 不可用：{error}", path=str(path)) from error
    if unknown or not steps:
        raise BadInput(f"{path}: required is one of {', '.join(get_args(Required))}",
                       zh=f"{path}：required 的取值有误", path=str(path), found=unknown)  # fmt: skip
    return Steps(str(said["version"]), limits["split_s"], limits["edge_s"], steps)


def ends_of(activity: Activity) -> tuple[datetime, datetime]:
    """When it began and ended; one that has no end is a moment."""
    assert activity.from_at is not None
    return activity.from_at, activity.to_at or activity.from_at


def coverage_of(
    activity: Activity, recordings: Sequence[Shown], rules: Steps, excuses: Sequence[Excuse] = (),
    seams: Seams | None = None,
) -> Covered:  # fmt: skip
    """How far these recordings show the activity, which must have a beginning.

    excuses: all that were stated for the case. seams: between files of one recording, as `recordings_of` found them.
    """
    first, last = ends_of(activity)
    # A moment, too, is covered by what touches it.
    parts = [part for one in recordings for part in parts_of(one)]
    touching = [one for one in parts if one.from_at <= last and one.to_at >= first]
    shown = sorted(touching, key=lambda one: (one.from_at, one.to_at))
    step = rules.of(activity.step)
    bare = tuple(_gaps(shown, first, last, rules, seams or {}))
    stated = [(one, *_span_of(one, first, last)) for one in excuses if _concerns(one, activity, step, rules)]
    gaps = tuple(piece for gap in bare for piece in _explained(gap, stated, rules.split_s))
    length_s = (last - first).total_seconds()
    return Covered(
        activity=activity, step=step, covered_s=length_s - sum(gap.length_s for gap in bare),
        sure_s=_sure_s(shown, first, last), gaps=gaps, devices=tuple(dict.fromkeys(one.device for one in shown)),
        fulfilled=_is_kept(step, shown, gaps, first, last, rules),
        excused=_is_kept(step, shown, gaps, first, last, rules)
        and not _is_kept(step, shown, bare, first, last, rules),
        by_device={
            device: _together_s([one for one in shown if one.device == device], first, last)
            for device in dict.fromkeys(one.device for one in shown)
        },
    )  # fmt: skip


def unexplained_of(covered: Covered, rules: Steps) -> tuple[Gap, ...]:
    """The gaps that a duty to record throughout does not allow, and for which nobody stated a reason."""
    first, last = ends_of(covered.activity)
    return tuple(gap for gap in covered.gaps if _breaks(gap, first, last, rules))


def _concerns(excuse: Excuse, activity: Activity, step: Step, rules: Steps) -> bool:
    if excuse.activity is not None:
        return excuse.activity == activity.code
    return excuse.step is None or excuse.step == step.name or rules.of(excuse.step) == step


def _span_of(excuse: Excuse, first: datetime, last: datetime) -> tuple[datetime, datetime]:
    return (excuse.from_at or first, excuse.to_at or last)


def _explained(
    gap: Gap, stated: Sequence[tuple[Excuse, datetime, datetime]], slack_s: float
) -> Iterator[Gap]:  # fmt: skip
    """The gap in parts: what a stated reason covers, and what is left. People state times to the second at best."""
    if gap.kind == "file_split":
        yield gap
        return
    slack, reached = timedelta(seconds=slack_s), gap.from_at
    pieces: list[Gap] = []
    for excuse, from_at, to_at in sorted(stated, key=lambda one: (one[1], one[2])):
        begin, end = max(from_at, reached), min(to_at, gap.to_at)
        # A gap that is a moment is explained by what holds it.
        if end < begin or (end == begin and gap.length_s):
            continue
        if begin - reached > slack:
            pieces.append(replace(gap, from_at=reached, to_at=begin))
            reached = begin
        pieces.append(replace(gap, from_at=reached, to_at=end, kind="pause_explained", excuse=excuse))
        reached = end
    if not pieces:
        yield gap
    elif gap.to_at - reached > slack:
        yield from (*pieces, replace(gap, from_at=reached))
    else:
        yield from (*pieces[:-1], replace(pieces[-1], to_at=gap.to_at))


def parts_of(one: Shown) -> Iterator[Shown]:
    """The recording between the steps of its own clock: whether what follows a step follows at once is not known.

    What steps ahead within the file's length leaves a hole; any other step is a moment.
    """
    if not one.steps:
        yield one
        return
    part = replace(one, steps=())
    for at_s, by_s in one.steps:
        end = part.from_at + timedelta(seconds=at_s - part.begins_s)
        on = end + timedelta(seconds=by_s if is_hole(by_s) else 0.0)
        if not part.from_at < end < part.to_at:
            continue
        yield replace(part, to_at=end)
        if on >= part.to_at:
            return
        part = replace(
            part, from_at=on, begins_s=part.begins_s + (on - part.from_at).total_seconds(), stepped_s=by_s,
            uncertainty_s=part.uncertainty_s + abs(by_s),
        )  # fmt: skip
    yield part


def _position_s(one: Shown, at: datetime) -> float:
    return one.begins_s + (min(max(at, one.from_at), one.to_at) - one.from_at).total_seconds()


def _together_s(shown: Sequence[Shown], first: datetime, last: datetime) -> float:
    """Seconds of the interval that at least one of these shows."""
    return (last - first).total_seconds() - sum(
        (to_at - from_at).total_seconds() for from_at, to_at, _, _ in _holes(shown, first, last)
    )


def _gaps(shown: Sequence[Shown], first: datetime, last: datetime, rules: Steps, seams: Seams) -> Iterator[Gap]:
    for from_at, to_at, before, after in _holes(shown, first, last):
        yield _gap(from_at, to_at, before, after, rules, seams)


def _holes(
    shown: Sequence[Shown], first: datetime, last: datetime
) -> Iterator[tuple[datetime, datetime, Shown | None, Shown | None]]:
    """(from, to, before, after) of what none of these shows; they are ordered by their beginnings."""
    if not shown:
        yield first, last, None, None
        return
    reached, before = first, None
    for one in shown:
        stepped = bool(one.stepped_s) and before is not None and before.original == one.original
        if one.from_at > reached or (one.from_at == reached > first and stepped):
            yield reached, one.from_at, before, one
        if one.to_at > reached:
            reached, before = one.to_at, one
    if reached < last:
        yield reached, last, before, None


def _gap(
    from_at: datetime, to_at: datetime, before: Shown | None, after: Shown | None, rules: Steps, seams: Seams
) -> Gap:  # fmt: skip
    kind: GapClass = "unexplained"
    if before is None or after is None:
        kind = "outside"
    elif (
        before.original == after.original
        or seams.get((before.original, after.original)) == "clock_step"
        or _was_set(before, after)
    ):
        kind = "clock_step"
    elif before.device == after.device and (to_at - from_at).total_seconds() <= rules.split_s:
        kind = "file_split"
    return Gap(from_at=from_at, to_at=to_at, kind=kind, before=before, after=after)


def _was_set(before: Shown, after: Shown) -> bool:
    """Whether the clock that both stand on was set between their beginnings, so that the gap may be none."""
    margin = timedelta(seconds=max(before.uncertainty_s, after.uncertainty_s))
    return before.device == after.device and any(before.from_at < at <= after.from_at + margin for at in after.set_at)


def _sure_s(shown: Sequence[Shown], first: datetime, last: datetime) -> float:
    """Seconds that lie within recordings even where each is as late or as early as its uncertainty allows.

    Files of one device that follow one another stand on one clock: only the ends of their run are unsure.
    """
    runs: list[tuple[datetime, datetime]] = []
    for device in dict.fromkeys(one.device for one in shown):
        mine = [one for one in shown if one.device == device]
        for run in _runs(mine):
            margin = timedelta(seconds=max(one.uncertainty_s for one in run))
            runs.append((run[0].from_at + margin, max(one.to_at for one in run) - margin))
    total, reached = 0.0, first
    for from_at, to_at in sorted(runs):
        begin, end = max(from_at, reached), min(to_at, last)
        if end > begin:
            total += (end - begin).total_seconds()
            reached = end
    return total


def _runs(mine: Sequence[Shown]) -> list[list[Shown]]:
    runs: list[list[Shown]] = []
    for one in mine:
        if runs and not one.stepped_s and one.from_at <= max(other.to_at for other in runs[-1]):
            runs[-1].append(one)
        else:
            runs.append([one])
    return runs


def _is_kept(
    step: Step, shown: Sequence[Shown], gaps: Sequence[Gap], first: datetime, last: datetime, rules: Steps
) -> bool:  # fmt: skip
    match step.required:
        case "full":
            return (bool(shown) or _all_stated(gaps)) and _is_whole(gaps, first, last, rules)
        case "once":
            return bool(shown) or _all_stated(gaps)
    return True


def _all_stated(gaps: Sequence[Gap]) -> bool:
    return all(gap.kind == "pause_explained" for gap in gaps)


def _is_whole(gaps: Sequence[Gap], first: datetime, last: datetime, rules: Steps) -> bool:
    """Whether nothing is missing but what switching files, people at the door, and stated reasons take."""
    return not any(_breaks(gap, first, last, rules) for gap in gaps)


def _breaks(gap: Gap, first: datetime, last: datetime, rules: Steps) -> bool:
    if gap.kind in ("file_split", "pause_explained"):
        return False
    return not ((gap.from_at == first or gap.to_at == last) and gap.length_s <= rules.edge_s)
