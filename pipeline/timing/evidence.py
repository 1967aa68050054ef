"""Which instant a claim means, told from the other claims: its zone, and whether it marks the start or the end.

Three kinds of clocks meet here. A *stated* claim says its zone. A *local* claim shows digits only (EXIF, most file
names). A *questionable* claim is UTC by specification and local digits on many devices (QuickTime): comparing its
digits with a local clock's digits tells which - equal digits mean local, digits one zone apart mean UTC.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, tzinfo
from typing import Final, Literal

from pipeline.records import TimeClaim, Words
from pipeline.rules import TimestampRules
from pipeline.timing.history import SOURCE, History
from pipeline.timing.texts import instant_of, shown_in

# The offsets that clocks on Earth are set to, minutes east of UTC; a difference elsewhere is no zone.
OFFSETS_MIN: Final = frozenset(
    {hours * 60 for hours in range(-12, 15)}
    | {-570, -210, 210, 270, 330, 345, 390, 525, 570, 630, 765, 825}
)  # fmt: skip
# A source coarser than this settles no other's zone or end.
_FINE_S: Final = 60.0
ZoneBy = Literal["default", "bureau", "device"]
_TAKEN: Final[Mapping[ZoneBy, Words]] = {
    "default": Words("not stated and taken", "未注明时区，按"),
    "bureau": Words("that of the bureau's devices, taken", "时区按本单位设备所用，为"),
    "device": Words("registered", "时区按设备登记，为"),
}  # fmt: skip
_METHODS: Final[Mapping[ZoneBy, str]] = {
    "default": "assumed_zone", "bureau": "bureau_zone", "device": "registered_zone",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What every comparison goes by.

    length_s: of the recording, None where it has none or it is not known. zone_by: `default`, the file's device is not
    known; `bureau`, it is one of the bureau's, whose zone it keeps unless the file shows otherwise; `device`, the
    register says its own, which no header overrules. history: what other recordings of the device say. handed_in_at:
    nothing was recorded later.
    """

    zone: tzinfo
    length_s: float | None
    rules: TimestampRules
    zone_by: ZoneBy = "default"
    history: History = field(default_factory=History)
    handed_in_at: datetime | None = None

    @property
    def zone_name(self) -> str:
        return str(getattr(self.zone, "key", self.zone))

    def default_offset_min(self, at: datetime) -> int:
        """What the default zone is off UTC at that instant."""
        offset = at.astimezone(self.zone).utcoffset()
        return 0 if offset is None else round(offset / timedelta(minutes=1))

    @property
    def length(self) -> timedelta:
        return timedelta(seconds=self.length_s or 0.0)

    @property
    def is_long(self) -> bool:
        """Whether start and end are further apart than two clocks of one device."""
        return (self.length_s or 0.0) > self.rules.limits.same_moment_s


@dataclass(frozen=True, kw_only=True)
class Moment:
    """The instant a claim was found to mean, and by what. because: the end of the sentence that explains it.

    offset_min: the zone its digits stand in, None for the default zone. start_known: not perhaps the end.
    corrected_min: by how much it was moved off its specification (the eight hours).
    """

    start_at: datetime
    method: str
    because: Words
    zone_known: bool
    offset_min: int | None = None
    start_known: bool = True
    zone_doubt_s: float = 0.0
    corrected_min: int = 0


@dataclass(frozen=True)
class ZoneHit:
    """A clock's digits that are an instant in a zone."""

    shown: datetime
    at: datetime
    offset_min: int


def is_recording(claim: TimeClaim) -> bool:
    """Whether it means a moment of the recording at all."""
    return claim.marks in ("start", "end", "unknown")


def is_questionable(claim: TimeClaim) -> bool:
    return not claim.zone_known and claim.offset_min == 0


def is_local(claim: TimeClaim) -> bool:
    return not claim.zone_known and claim.offset_min != 0


def starts_of(claim: TimeClaim, at: datetime, scene: Scene) -> tuple[datetime, ...]:
    """The starts that a claim of this instant can mean, the likeliest first."""
    if claim.marks == "end":
        return (at - scene.length,)
    if claim.marks == "unknown" and scene.is_long:
        return (at, at - scene.length)
    return (at,)


def zone_between(
    pairs: Sequence[tuple[datetime, datetime]], expected_min: tuple[int, ...], slack_s: float
) -> ZoneHit | None:
    """The first zone in which a clock's digits are the instant beside them; None where no zone on Earth is.

    pairs: (digits, instant), the likeliest first. expected_min: zones tried on every pair before any other, for the
    end of an hour-long recording lies a whole zone from its start.
    """
    for offset_min in expected_min:
        for shown, at in pairs:
            if _off_by_s(shown, at, offset_min) <= slack_s:
                return ZoneHit(shown, at, offset_min)
    for shown, at in pairs:
        nearest = min(OFFSETS_MIN, key=lambda minutes: _off_by_s(shown, at, minutes))
        if _off_by_s(shown, at, nearest) <= slack_s:
            return ZoneHit(shown, at, nearest)
    return None


def _off_by_s(shown: datetime, at: datetime, offset_min: int) -> float:
    return abs((shown - at).total_seconds() - offset_min * 60)


def moment_of(claim: TimeClaim, others: Sequence[TimeClaim], scene: Scene) -> Moment:
    """The instant at which the recording began by this claim (its `at` is aware and computable, as the others' are)."""
    if claim.zone_known:
        moment = _stated(claim, others, scene)
    elif is_questionable(claim):
        moment = _questionable(claim, others, scene)
    else:
        moment = _local(claim, others, scene)
    return moment


def _stated(claim: TimeClaim, others: Sequence[TimeClaim], scene: Scene) -> Moment:
    starts = starts_of(claim, _at(claim), scene)
    shown = shown_in(_at(claim), claim.offset_min or 0)
    because = Words(
        f"shows {shown:%Y-%m-%d %H:%M:%S} and states its zone", f"显示 {shown:%Y-%m-%d %H:%M:%S}，并注明了时区"
    )
    start, known = _start_told_by(others, starts, scene)
    return Moment(
        start_at=start,
        method=_with_end("stated_zone", claim, start, scene),
        because=_ended(because, claim, start, scene),
        zone_known=True,
        offset_min=claim.offset_min,
        start_known=known,
    )


def _local(claim: TimeClaim, others: Sequence[TimeClaim], scene: Scene) -> Moment:
    shown = shown_in(_at(claim), scene.zone)
    likely_min = scene.default_offset_min(_at(claim))
    starts = starts_of(claim, shown, scene)
    says = _shows(shown)
    for witness in _witnesses(others, scene):
        pairs = _pairs(starts, starts_of(witness, _at(witness), scene))
        if hit := zone_between(pairs, (likely_min,), scene.rules.limits.zone_slack_s):
            by_it = _and(says, f"{witness.source} puts its clock at", f"据 {witness.source}，其时钟设在")
            return _told(claim, hit, by_it, scene, "witness")
    for other in () if scene.zone_by == "device" else filter(is_questionable, _fine(others)):
        pairs = _pairs(starts, starts_of(replace(other, marks="unknown"), _at(other), scene))
        hit = zone_between(pairs, (likely_min, 0), _slack_s(claim, other, scene))
        if hit and (hit.offset_min or not likely_min):  # equal digits: the other is local, too
            by_it = _and(says, f"{other.source} in UTC puts its clock at", f"据世界时的 {other.source}，其时钟设在")
            return _told(claim, hit, by_it, scene, "utc")
    start = starts[0]
    known = scene.zone_by != "default"
    taken = _TAKEN[scene.zone_by]
    because = Words(
        f"{says.en}; its zone is {taken.en} as {scene.zone_name}",
        f"{says.zh}，{taken.zh} {scene.zone_name}{'' if known else ' 理解'}",
    )
    return Moment(
        start_at=instant_of(start, scene.zone),
        method=_with_end(_METHODS[scene.zone_by], claim, start, scene, shown),
        because=_ended(because, claim, start, scene, shown),
        zone_known=known,
        start_known=len(starts) == 1,
        zone_doubt_s=0.0 if known else scene.rules.limits.local_zone_s,
    )


def _told(claim: TimeClaim, hit: ZoneHit, words: Words, scene: Scene, by: str) -> Moment:
    shown = shown_in(_at(claim), scene.zone)
    start, offset_min = hit.shown, hit.offset_min
    zone = offset_words(offset_min)
    because = Words(f"{words.en} {zone}", f"{words.zh} {zone}")
    return Moment(
        start_at=instant_of(start, offset_min),
        method=_with_end(f"zone_by_{by}", claim, start, scene, shown),
        because=_ended(because, claim, start, scene, shown),
        zone_known=True,
        offset_min=offset_min,
    )


def _questionable(claim: TimeClaim, others: Sequence[TimeClaim], scene: Scene) -> Moment:
    """UTC where another clock confirms it or none speaks; local digits where another clock shows that."""
    digits = _at(claim)
    starts = starts_of(claim, digits, scene)
    likely_min = scene.default_offset_min(digits)
    says = _shows(digits)
    for witness in _witnesses(others, scene):
        pairs = _pairs(starts, starts_of(witness, _at(witness), scene))
        hit = zone_between(pairs, (0, likely_min), scene.rules.limits.zone_slack_s)
        if hit and hit.offset_min:
            words = _and(says, f"{witness.source} proves", f"{witness.source} 证明")
            return _as_local(claim, hit.shown, hit.offset_min, words, scene, known=True)
        if hit:
            words = _as(says, f"{witness.source} confirms", f"{witness.source} 印证")
            return _as_utc(claim, hit.shown, words, scene)
    for other in filter(is_local, _fine(others)):
        theirs = starts_of(other, shown_in(_at(other), scene.zone), scene)
        hit = zone_between(_pairs(theirs, starts), (likely_min, 0), _slack_s(claim, other, scene))
        if hit and not hit.offset_min and likely_min:
            words = _and(says, f"{other.source} shows", f"{other.source} 表明")
            return _as_local(claim, hit.at, likely_min, words, scene, known=False)
        if hit:
            words = _as(says, f"the digits of {other.source} confirm", f"{other.source} 的数字印证")
            return _as_utc(claim, hit.at, words, scene)
    if likely_min and (
        moment := _by_votes(claim, likely_min, says, scene) or _by_order(claim, likely_min, says, scene)
    ):
        return moment
    if likely_min and _only_local_has_come(starts, likely_min, scene):
        words = _and(says, "that it was handed in before that in UTC shows", "按世界时则晚于上交时间，表明")
        return _as_local(claim, starts[0], likely_min, words, scene, known=False)
    if likely_min and (written := _written_after_local(claim, others, likely_min, scene)):
        words = _and(says, f"{written} shows", f"{written} 表明")
        return _as_local(claim, starts[0], likely_min, words, scene, known=False)
    return Moment(
        start_at=starts[0],
        method=_with_end("assumed_utc", claim, starts[0], scene),
        because=Words(
            f"{says.en}, which is UTC by specification and may be local digits; nothing confirms either",
            f"{says.zh}，按规范为世界时，也可能是当地时间，无从印证",
        ),
        zone_known=False,
        offset_min=0,
        start_known=len(starts) == 1,
        zone_doubt_s=abs(likely_min) * 60.0,
    )


def _by_votes(claim: TimeClaim, likely_min: int, says: Words, scene: Scene) -> Moment | None:
    """As the device's other recordings show; None where they do not agree, or this is another field than theirs."""
    if scene.history.told is None or claim.source != SOURCE:
        return None
    reading, count = scene.history.told
    zone, _, mark = reading.partition(" ")
    offset_min = likely_min if zone == "local" else 0
    shown = _at(claim) - (scene.length if mark == "end" else timedelta(0))
    words = Words("local digits", "当地时间") if zone == "local" else Words("UTC", "世界时")
    because = _and(
        says, f"{count} other recordings of the device show that these are {words.en}",
        f"该设备另外 {count} 个录制表明这是{words.zh}",
    )  # fmt: skip
    return Moment(
        start_at=instant_of(shown, offset_min), method=_with_end(f"{zone}_by_votes", claim, shown, scene),
        because=_ended(because, claim, shown, scene), zone_known=True, offset_min=offset_min, corrected_min=offset_min,
    )  # fmt: skip


def _by_order(claim: TimeClaim, likely_min: int, says: Words, scene: Scene) -> Moment | None:
    """By which of its readings it lies where its number does; None where both do, or neither."""
    starts, history = starts_of(claim, _at(claim), scene), scene.history
    fitting = [
        (offset_min, start)
        for offset_min in (0, likely_min)
        for start in starts
        if history.allows(instant_of(start, offset_min), scene.length, scene.rules.limits.same_moment_s)
    ]
    if len({offset_min for offset_min, _ in fitting}) != 1:
        return None
    offset_min, start = fitting[0]
    words = Words("local digits", "当地时间") if offset_min else Words("UTC", "世界时")
    because = _and(says, f"only as {words.en} it lies where its number does", f"只有按{words.zh}才与其文件序号相符")
    return Moment(
        start_at=instant_of(start, offset_min), method=_with_end(f"{'local' if offset_min else 'utc'}_by_order", claim,
        start, scene), because=_ended(because, claim, start, scene), zone_known=True, offset_min=offset_min,
        corrected_min=offset_min, start_known=len(fitting) == 1,
    )  # fmt: skip


def _as_utc(claim: TimeClaim, start: datetime, words: Words, scene: Scene) -> Moment:
    return Moment(
        start_at=start,
        method=_with_end("utc_confirmed", claim, start, scene),
        because=_ended(words, claim, start, scene),
        zone_known=True,
        offset_min=0,
    )


def _as_local(claim: TimeClaim, start: datetime, offset_min: int, words: Words, scene: Scene, *, known: bool) -> Moment:
    zone = offset_words(offset_min)
    because = Words(
        f"{words.en} that these are local digits ({zone}) where the format says UTC",
        f"{words.zh}这是写在世界时字段中的当地时间（{zone}）",
    )
    return Moment(
        start_at=instant_of(start, offset_min),
        method=_with_end("local_as_utc", claim, start, scene),
        because=_ended(because, claim, start, scene),
        zone_known=known,
        offset_min=offset_min,
        corrected_min=offset_min,
        zone_doubt_s=0.0 if known else scene.rules.limits.local_zone_s,
    )


def _only_local_has_come(starts: tuple[datetime, ...], likely_min: int, scene: Scene) -> bool:
    """Whether the digits lie after the file was handed in as UTC, by more than a clock is wrong, and not as local."""
    if scene.handed_in_at is None:
        return False
    latest = scene.handed_in_at + timedelta(seconds=scene.rules.limits.unmeasured_clock_s)
    return min(starts) > latest and max(instant_of(start, likely_min) for start in starts) <= latest


def _written_after_local(claim: TimeClaim, others: Sequence[TimeClaim], likely_min: int, scene: Scene) -> str:
    """The source that was saved at the very end of the recording if these digits are local; empty where none was."""
    start = instant_of(_at(claim), likely_min)
    for other in others:
        if other.marks == "saved" and other.zone_known and other.precision_s <= _FINE_S:
            ends = (start, start + scene.length)
            if any(abs((_at(other) - end).total_seconds()) <= scene.rules.limits.saved_together_s for end in ends):
                return other.source
    return ""


def _start_told_by(others: Sequence[TimeClaim], starts: tuple[datetime, ...], scene: Scene) -> tuple[datetime, bool]:
    """Which of the possible starts another clock shows, and whether that is known."""
    if len(starts) == 1:
        return starts[0], True
    for other in _fine(others):
        if other.marks != "start":
            continue
        for start in starts:
            if abs((start - _at(other)).total_seconds()) <= _slack_s(other, other, scene):
                return start, True
    return starts[0], False


def _witnesses(others: Iterable[TimeClaim], scene: Scene) -> list[TimeClaim]:
    return [other for other in _fine(others) if other.zone_known and scene.rules.may_witness(other.source)]


def _fine(others: Iterable[TimeClaim]) -> list[TimeClaim]:
    return [other for other in others if is_recording(other) and other.precision_s <= _FINE_S]


def _pairs(mine: tuple[datetime, ...], theirs: tuple[datetime, ...]) -> list[tuple[datetime, datetime]]:
    """Every pair, those of the likeliest readings first."""
    return [(left, right) for left in mine for right in theirs]


def _slack_s(claim: TimeClaim, other: TimeClaim, scene: Scene) -> float:
    return scene.rules.limits.same_moment_s + max(
        0.0, *(step for step in (claim.precision_s, other.precision_s) if 1.0 < step <= _FINE_S), 0.0
    )


def _at(claim: TimeClaim) -> datetime:
    assert claim.at is not None
    return claim.at


def _with_end(method: str, claim: TimeClaim, start: datetime, scene: Scene, shown: datetime | None = None) -> str:
    return f"{method}+end" if _is_end(claim, start, scene, shown) else method


def _ended(words: Words, claim: TimeClaim, start: datetime, scene: Scene, shown: datetime | None = None) -> Words:
    """These words, and that the claim marks the end where it does."""
    if not _is_end(claim, start, scene, shown):
        return words
    return Words(
        f"{words.en}; it marks the end, so the length of {scene.length_s:.0f} s was taken off",
        f"{words.zh}；它表示结束时刻，已减去时长 {scene.length_s:.0f} 秒",
    )


def _shows(digits: datetime) -> Words:
    return Words(f"shows {digits:%Y-%m-%d %H:%M:%S}", f"显示 {digits:%Y-%m-%d %H:%M:%S}")


def _and(says: Words, en: str, zh: str) -> Words:
    return Words(f"{says.en}, and {en}", f"{says.zh}，{zh}")


def _as(says: Words, en: str, zh: str) -> Words:
    return Words(f"{says.en} in UTC, as {en}", f"{says.zh}（世界时），由 {zh}")


def _is_end(claim: TimeClaim, start: datetime, scene: Scene, shown: datetime | None) -> bool:
    return bool(scene.length_s) and start != (shown or _at(claim))


def offset_words(offset_min: int) -> str:
    """`UTC+08:00`."""
    return f"UTC{'-' if offset_min < 0 else '+'}{abs(offset_min) // 60:02d}:{abs(offset_min) % 60:02d}"
