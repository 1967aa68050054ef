"""What other recordings of a device say of one: how to read its header's time, and where its number lies. Pure.

*Votes*: a container's time is UTC by specification and local digits on many devices; a recording whose other sources
settle which, teaches it for the device's others, of which nothing else tells. *Order*: a device numbers what it records
one after the other, so number 13 lies between 12 and 14 of the same card. Only what was decided by a recording's own
sources teaches and bounds, so that no doubt is passed round in a circle.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, tzinfo
from typing import Final

from pipeline.records import Around, Caveat, DecidedTime, Known, TimeClaim
from pipeline.timing.texts import DAY_S, instant_of

LESSON: Final = "clock.lesson"  # what a recording teaches of its device
SOURCE: Final = "container.creation_time"
OPEN: Final = "clock.open"  # the device of a recording that votes would help
READINGS: Final = ("utc start", "utc end", "local start", "local end")
# Of fewer, one odd file decides; with more against than a fifth, the device was set otherwise in between.
VOTES_LEAST: Final = 2
VOTES_SHARE: Final = 0.8
# With so many, all that waited for votes has them.
VOTES_ENOUGH: Final = 5
# Numbers further apart leave too much time between them to tell anything.
NUMBERS_APART: Final = 20
SAME_S: Final = 10.0
WEAK_S: Final = DAY_S
# Decided with the help of others, or hardly at all: neither teaches nor bounds, and what others tell may help it.
NOT_BY_ITSELF: Final = ("by_votes", "by_order", "between_neighbours", "handed_in", "saved_only", "assumed_utc")
_SERIALS: Final = (
    "exif.BodySerialNumber", "exif.SerialNumber", "device.serial", "sidecar.serial", "file_name.device",
)  # fmt: skip
KEY_MAX_CHARS: Final = 160
_SURER: Final = ("the order of numbers is surer", "文件序号更可靠")


@dataclass(frozen=True, kw_only=True)
class Neighbour:
    """A recording beside this one in its device's numbers, whose own sources told its time."""

    original: str
    name: str
    number: int
    start_at: datetime
    end_at: datetime
    uncertainty_s: float


@dataclass(frozen=True, kw_only=True)
class History:
    """votes: reading of the container's time -> how many recordings of the device show it."""

    votes: Mapping[str, int] = field(default_factory=dict)
    before: Neighbour | None = None
    after: Neighbour | None = None

    @property
    def told(self) -> tuple[str, int] | None:
        """The reading that the votes agree on, and their number; None where they are too few or disagree."""
        most = max(self.votes, key=lambda reading: self.votes[reading], default="")
        count = self.votes.get(most, 0)
        return (most, count) if count >= max(VOTES_LEAST, VOTES_SHARE * sum(self.votes.values())) else None

    @property
    def earliest_at(self) -> datetime | None:
        """It did not begin before this."""
        return self.before.end_at - timedelta(seconds=self.before.uncertainty_s) if self.before else None

    @property
    def latest_at(self) -> datetime | None:
        """It did not end after this."""
        return self.after.start_at + timedelta(seconds=self.after.uncertainty_s) if self.after else None

    def allows(self, start_at: datetime, length: timedelta, slack_s: float = 0.0) -> bool:
        """Whether a recording of this length may have begun then."""
        slack = timedelta(seconds=slack_s)
        early = self.earliest_at is not None and start_at < self.earliest_at - slack
        late = self.latest_at is not None and start_at + length > self.latest_at + slack
        return not early and not late


def device_key(known: Known, around: Around) -> str:
    """By what recordings of one device are known again; empty where nothing tells. Never a make alone."""
    if around.device is not None:
        return f"register {around.device.code}"[:KEY_MAX_CHARS]
    for name in _SERIALS:
        said = str(known.value(name, "")).strip()
        if any(letter.isdigit() for letter in said) and said.strip("0"):
            return f"serial {said}"[:KEY_MAX_CHARS]
    kind = " ".join(str(known.value(name, "")) for name in ("device.make", "device.model")).strip()
    for arrival in known.arrivals if kind else ():
        return f"folder {kind} {arrival.source} {arrival.folder}"[:KEY_MAX_CHARS]
    return ""


def lesson_text(key: str, reading: str) -> str:
    """How a lesson stands among the properties, so that equal ones are found by index."""
    return f"{key} | {reading}"


def lesson_of(
    claims: Sequence[TimeClaim], decided: DecidedTime | None, length_s: float | None, zone: tzinfo
) -> str | None:
    """How this recording's container time is to be read by its other sources; None where they do not tell."""
    if decided is None or any(method in decided.method for method in (*NOT_BY_ITSELF, "by_hand")):
        return None
    container = next(
        # Its zone is open: neither stated, nor known of the maker.
        (one for one in claims if one.source == SOURCE and one.at and not one.zone_known and one.offset_min == 0),
        None,
    )
    if container is None or container.at is None or (container.source == decided.source and "local" in decided.method):
        return None
    length = timedelta(seconds=length_s or 0.0)
    local = instant_of(container.at, zone)
    for reading, at in zip(READINGS, (container.at, container.at - length, local, local - length), strict=True):
        if abs((at - decided.start_at).total_seconds()) <= SAME_S:
            return reading
    return None


def in_order(
    decided: DecidedTime | None, caveats: Sequence[Caveat], history: History, length_s: float | None
) -> tuple[DecidedTime | None, tuple[Caveat, ...]]:
    """The decided time with what the order of the numbers adds: where nothing is known, the time between them."""
    length = timedelta(seconds=length_s or 0.0)
    if decided is not None and decided.uncertainty_s < WEAK_S:
        if history.allows(decided.start_at, length, decided.uncertainty_s + SAME_S):
            return decided, tuple(caveats)
        return decided, (*caveats, _out_of_order(history))
    between = _between(decided, history, length)
    if between is None:
        return decided, tuple(caveats)
    return between, (*(one for one in caveats if one.code != "time_unknown"), _by_order(history))


def _between(decided: DecidedTime | None, history: History, length: timedelta) -> DecidedTime | None:
    first, end = history.earliest_at, history.latest_at
    if first is None or end is None or end - length < first:
        return None
    last = end - length
    if last - first > timedelta(seconds=2 * WEAK_S):
        return None
    start = first + (last - first) / 2
    # When it was saved is often its end, and a better guess than the middle.
    if decided is not None and first <= decided.start_at <= last:
        start = decided.start_at
    uncertainty_s = max((start - first).total_seconds(), (last - start).total_seconds(), 1.0)
    said = "No source of its own is believed" if decided is None else decided.why.rstrip(".")
    said_zh = "其自身没有可信的时间来源" if decided is None else decided.why_zh.rstrip("。")
    made = decided or DecidedTime(
        start_at=start, end_at=start, uncertainty_s=0.0, method="", why="", zone_known=True, source="sequence"
    )
    return replace(
        made, start_at=start, end_at=start + length, uncertainty_s=uncertainty_s, method="between_neighbours",
        why=f"{said}; by its number it lies {_between_words(history)}.",
        why_zh=f"{said_zh}；按文件序号，它{_words_zh(history)}。", zone_known=True, source="sequence",
        losers=made.losers if decided is None else ((decided.source, *_SURER), *made.losers),
    )  # fmt: skip


def _between_words(history: History) -> str:
    words = []
    if one := history.before:
        words.append(f"after {one.name}, which ended {one.end_at:%Y-%m-%d %H:%M:%S}Z")
    if one := history.after:
        words.append(f"before {one.name}, which began {one.start_at:%Y-%m-%d %H:%M:%S}Z")
    return " and ".join(words)


def _words_zh(history: History) -> str:
    words = []
    if one := history.before:
        words.append(f"在 {one.name}（结束于 {one.end_at:%Y-%m-%d %H:%M:%S} 世界时）之后")
    if one := history.after:
        words.append(f"在 {one.name}（开始于 {one.start_at:%Y-%m-%d %H:%M:%S} 世界时）之前")
    return "、".join(words)


def _by_order(history: History) -> Caveat:
    """`time_by_order`: nothing but its number tells when it was recorded."""
    return Caveat(
        code="time_by_order",
        text=f"No clock tells when it was recorded; by its number it lies {_between_words(history)}.",
        text_zh=f"没有可信的时间来源；按文件序号，它{_words_zh(history)}。",
    )


def _out_of_order(history: History) -> Caveat:
    """`sequence_conflict`: its number and its time do not fit together."""
    return Caveat(
        code="sequence_conflict",
        text=f"By its number it lies {_between_words(history)}, and by its time it does not: the clock was set in "
        "between, or the file was renamed.",
        text_zh=f"按文件序号，它{_words_zh(history)}，但判定的时间与此不符：其间可能调过时钟，或文件被改名。",
    )
