"""How much of what had to be recorded the recordings of a case show: duties, shares, gaps. Pure.

A duty is an activity of the case with its times. What counts is the union of the decided intervals of all recordings,
whichever device made them; nothing is bridged. Which part is sure, whatever the clocks' uncertainty, is told beside it.
Not covered: pauses that somebody explained, and duties whose activity has no times.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, Literal, get_args

from config.settings import SHIPPED
from pipeline.errors import BadInput
from pipeline.records import Activity

NAME: Final = "steps.toml"
Required = Literal["full", "some", "once"]
GapClass = Literal["file_split", "clock_step", "unexplained", "outside"]


@dataclass(frozen=True)
class Step:
    """What must be recorded of an enforcement step. words: what registers call it."""

    name: str
    required: Required
    words: tuple[str, ...]
    zh: str
    source: str


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
    """A recording in time. set_at: when its device's clock was set, as far as it was noted."""

    original: str
    name: str
    device: str
    from_at: datetime
    to_at: datetime
    uncertainty_s: float
    set_at: tuple[datetime, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Gap:
    """A part of a duty that no recording shows. before, after: the recordings beside it, None where there is none."""

    from_at: datetime
    to_at: datetime
    kind: GapClass
    before: Shown | None
    after: Shown | None

    @property
    def length_s(self) -> float:
        """In seconds."""
        return (self.to_at - self.from_at).total_seconds()


@dataclass(frozen=True, kw_only=True)
class Covered:
    """How far a duty is shown. sure_s: covered whatever the clocks' uncertainty; devices: which did it.

    fulfilled: whether the rule of its step is kept.
    """

    activity: Activity
    step: Step
    covered_s: float
    sure_s: float
    gaps: tuple[Gap, ...]
    devices: tuple[str, ...]
    fulfilled: bool

    @property
    def length_s(self) -> float:
        """Of the duty."""
        from_at, to_at = ends_of(self.activity)
        return (to_at - from_at).total_seconds()

    @property
    def share(self) -> float:
        """Of the duty that is covered, 0.0 to 1.0; a moment is covered or not."""
        return self.covered_s / self.length_s if self.length_s else float(not self.gaps)


def steps_of(home: Path) -> Steps:
    """The rules in force in this home. Raises BadInput where its own file cannot be used."""
    own = home / NAME
    path = own if own.exists() else SHIPPED / NAME
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


def coverage_of(activity: Activity, recordings: Sequence[Shown], rules: Steps) -> Covered:
    """How far these recordings show the activity, which must have a beginning."""
    first, last = ends_of(activity)
    # A moment, too, is covered by what touches it.
    touching = [one for one in recordings if one.from_at <= last and one.to_at >= first]
    shown = sorted(touching, key=lambda one: (one.from_at, one.to_at))
    gaps = tuple(_gaps(shown, first, last, rules))
    step = rules.of(activity.step)
    length_s = (last - first).total_seconds()
    covered_s = length_s - sum(gap.length_s for gap in gaps)
    return Covered(
        activity=activity, step=step, covered_s=covered_s, sure_s=_sure_s(shown, first, last), gaps=gaps,
        devices=tuple(dict.fromkeys(one.device for one in shown)),
        fulfilled=_is_kept(step, shown, gaps, first, last, rules),
    )  # fmt: skip


def _gaps(shown: Sequence[Shown], first: datetime, last: datetime, rules: Steps) -> Iterator[Gap]:
    if not shown:
        yield Gap(from_at=first, to_at=last, kind="outside", before=None, after=None)
        return
    reached, before = first, None
    for one in shown:
        if one.from_at > reached:
            yield _gap(reached, one.from_at, before, one, rules)
        if one.to_at > reached:
            reached, before = one.to_at, one
    if reached < last:
        yield _gap(reached, last, before, None, rules)


def _gap(from_at: datetime, to_at: datetime, before: Shown | None, after: Shown | None, rules: Steps) -> Gap:
    kind: GapClass = "unexplained"
    if before is None or after is None:
        kind = "outside"
    elif before.device == after.device and _was_set(before, after):
        kind = "clock_step"
    elif before.device == after.device and (to_at - from_at).total_seconds() <= rules.split_s:
        kind = "file_split"
    return Gap(from_at=from_at, to_at=to_at, kind=kind, before=before, after=after)


def _was_set(before: Shown, after: Shown) -> bool:
    """Whether the clock that both stand on was set between their beginnings, so that the gap may be none."""
    margin = timedelta(seconds=max(before.uncertainty_s, after.uncertainty_s))
    return any(before.from_at < at <= after.from_at + margin for at in after.set_at)


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
        if runs and one.from_at <= max(other.to_at for other in runs[-1]):
            runs[-1].append(one)
        else:
            runs.append([one])
    return runs


def _is_kept(
    step: Step, shown: Sequence[Shown], gaps: Sequence[Gap], first: datetime, last: datetime, rules: Steps
) -> bool:  # fmt: skip
    match step.required:
        case "full":
            return bool(shown) and _is_whole(gaps, first, last, rules)
        case "once":
            return bool(shown)
    return True


def _is_whole(gaps: Sequence[Gap], first: datetime, last: datetime, rules: Steps) -> bool:
    """Whether nothing is missing but what switching files, and people at the door, take."""
    return all(
        gap.kind == "file_split" or ((gap.from_at == first or gap.to_at == last) and gap.length_s <= rules.edge_s)
        for gap in gaps
    )
