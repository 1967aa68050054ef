"""A device's clock by its own positions: satellites tell the time at which it stood there. Pure.

A photo's stamp is that of the last fix, which may be old, or nonsense after a cold start; telemetry tells of each fix
where in the film it lies. A track beside a film, as long as that or a little shorter, was recorded while it ran, and so
bounds its beginning from both sides. By itself a file measures only where both clocks agree but for a zone and two
minutes, and only where this tells more than what was measured before; beyond that a person decides.
Not covered: tracks of loggers that ran longer than the film, or beside photos.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from pipeline.records import Around, ClockOffset, Known, TimeClaim, Words
from pipeline.timing.claiming import claim_of_property
from pipeline.timing.clocks import DeviceClock
from pipeline.timing.evidence import OFFSETS_MIN
from pipeline.timing.filmed import CLOCKLESS, UNREGISTERED, Unfit

# Source -> from when to when the moment lies, in seconds after the stamp. Telemetry is stamped once a second; of 27
# photos with positions in public collections the oldest fix of a sequence was 54 s older than the freshest; some drones
# leave the leap seconds in (18 since 2017), and are ahead by them.
REACH_S: Final = {
    "gpmf.GPSU": (0.0, 1.0), "gps": (0.0, 60.0), "xmp.UTCAtExposure": (-18.0, 0.0), "djmd.GPSDateTime": (0.0, 1.0),
}  # fmt: skip
# Their digits stand in a zone that nothing tells.
ZONELESS: Final = frozenset({"djmd.GPSDateTime"})
TRACKS: Final = ("gpx", "nmea")
TRACK_STEP_S: Final = 1.0  # between two points, and to the switching on of what writes them
# Nearer to the device's own clock than this, it is neither another zone's nor nonsense.
BY_ITSELF_S: Final = 120.0
# A file measures by itself where it is so many times surer than what was known.
SURER: Final = 3.0


@dataclass(frozen=True)
class _Fix:
    """The recording began between these two moments. has_zone: else but for a zone."""

    first_at: datetime
    last_at: datetime
    step_s: float
    words: str
    has_zone: bool = True

    @property
    def open_s(self) -> float:
        return (self.last_at - self.first_at).total_seconds()


def offset_by_satellites(
    claims: Sequence[TimeClaim], shown: tuple[datetime, float] | None, known: Known, around: Around, by: str = "",
    duration_s: float | None = None,
) -> ClockOffset | Unfit | None:  # fmt: skip
    """By how much the device's clock is off; None where the file holds no position with its time.

    shown: what the clock showed when the recording began, and its step in seconds. by: the person who decided that the
    position's time is right; nobody: the file alone. duration_s: of the recording, None where it is not known.
    """
    tracks = list(_tracks(known, duration_s))
    fixes = [*_fixes(claims), *(one for one in tracks if isinstance(one, _Fix))]
    if not fixes:
        return next((one for one in tracks if isinstance(one, Unfit)), None)
    fix = min(fixes, key=lambda one: one.open_s + one.step_s)
    if around.device is None:
        return UNREGISTERED
    if _is_later_chapter(known):
        return Unfit("its camera writes the time of the first chapter into all of them",
                     "该机型在各分段中均写入首段的时间")  # fmt: skip
    if shown is None:
        return CLOCKLESS
    shown_at, step_s = shown
    begun_at = fix.first_at + (fix.last_at - fix.first_at) / 2
    if not fix.has_zone:
        ahead_s = (begun_at - shown_at).total_seconds()
        begun_at -= timedelta(minutes=min(OFFSETS_MIN, key=lambda minutes: abs(ahead_s - 60 * minutes)))
    found = ClockOffset(
        device=around.device.code, at=begun_at, offset_s=round((shown_at - begun_at).total_seconds(), 3),
        uncertainty_s=round(fix.open_s / 2 + fix.step_s + step_s, 3), how="gps",
        by=f"{by}{', ' if by else ''}{known.original.id}, {fix.words}",
    )  # fmt: skip
    return found if by else _by_itself(found, around)


def _fixes(claims: Sequence[TimeClaim]) -> Iterator[_Fix]:
    for one in claims:
        if one.source in REACH_S and one.at is not None:
            first_s, last_s = REACH_S[one.source]
            # Its step tells of the stamp; how far it may be off stands in the reach.
            yield _Fix(
                one.at + timedelta(seconds=first_s), one.at + timedelta(seconds=last_s), min(one.precision_s, 1.0),
                f"{one.source} {one.found}", one.source not in ZONELESS,
            )  # fmt: skip


def _tracks(known: Known, duration_s: float | None) -> Iterator[_Fix | Unfit]:
    """What tracks beside a film tell: it had begun at their first point, and ran on until their last."""
    for beside in known.sidecars if duration_s else ():
        if beside.value("sidecar.source") not in TRACKS:
            continue
        # Their digits are UTC, whether they say so or not.
        ends = [claim_of_property(beside, f"sidecar.{end}", UTC, source="sidecar.start") for end in ("start", "end")]
        first_at, last_at = (None if one is None else one.at for one in ends)
        if first_at is None or last_at is None or duration_s is None:
            continue
        began_at = last_at - timedelta(seconds=duration_s)
        longer_s = (began_at - first_at).total_seconds()
        if longer_s > 2 * TRACK_STEP_S:
            yield Unfit(*(form.format(beside.original.name, longer_s) for form in (_LONGER.en, _LONGER.zh)))
        elif first_at <= last_at:
            words = f"{beside.original.name} {beside.properties['sidecar.start'].found}"
            yield _Fix(min(began_at, first_at), max(began_at, first_at), TRACK_STEP_S, words)


def _by_itself(found: ClockOffset, around: Around) -> ClockOffset | Unfit:
    expected = DeviceClock([one for one in around.offsets if one.at != found.at]).true_at(found.at)
    if abs(found.offset_s) > BY_ITSELF_S:
        return Unfit(*(form.format(found.offset_s, found.device, found.by.partition(",")[0]) for form in _FAR))
    if expected is None:
        return found
    if abs(found.offset_s - expected.offset_s) > found.uncertainty_s + expected.uncertainty_s:
        return Unfit(*(form.format(found.offset_s, expected.offset_s) for form in _OTHER))
    return found if found.uncertainty_s * SURER < expected.uncertainty_s else Unfit(*_KNOWN)


def _is_later_chapter(known: Known) -> bool:
    part = str(known.value("file_name.part", ""))
    first = 0 if known.value("file_name.profile") == "gopro_early" else 1
    return part.isdecimal() and int(part) > first


_FAR: Final = (
    "by it the clock is {:+.0f} s off, which may be an old position; if it is right, say `device measure {} --gps {}`",
    "按此时钟偏差 {:+.0f} 秒，可能是旧的定位时间；确认无误请运行 device measure {} --gps {}",
)
_OTHER: Final = (
    "it puts the clock {:+.1f} s off, and other measurements {:+.1f} s",
    "按此时钟偏差为 {:+.1f} 秒，而其他测量为 {:+.1f} 秒",
)
_LONGER: Final = Words(
    "its track {} goes on {:.0f} s longer than the recording, and does not tell when that began",
    "其轨迹 {} 比录制长 {:.0f} 秒，无法据此得知录制何时开始",
)
_KNOWN: Final = ("the clock is known better than that", "时钟偏差已有更准确的测量")
