"""GPS: the date and time of the last fix, which is UTC by specification.

A receiver that had no fix writes an old or a nonsensical moment; deciding weighs that, nothing is dropped here.
XMP repeats the moment in one field, which counts where EXIF has none.
Not covered: telemetry tracks inside videos.
Source: CIPA DC-008 (Exif 2.32), GPSDateStamp 0x001D, GPSTimeStamp 0x0007.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from config.settings import Settings
from pipeline.records import Known, TimeClaim
from pipeline.rules import timestamp_rules
from pipeline.stage import TimeSource
from pipeline.timing.claiming import claim_of, claim_of_property, empty_claim, text_of, zone_of


def _claims(known: Known, settings: Settings) -> Iterable[TimeClaim]:
    day, clock = text_of(known, "exif.GPSDateStamp").strip(), text_of(known, "exif.GPSTimeStamp").strip()
    if not day and not clock:
        written = claim_of_property(known, "xmp.GPSTimeStamp", zone_of(settings), source="gps")
        return () if written is None else (written,)
    found = f"{day} {clock}".strip()
    digits = _clock(known.value("exif.GPSTimeStamp"), clock)
    if not day or digits is None:
        return (empty_claim(timestamp_rules().source("gps"), found, "its day or its time of day is missing"),)
    return (claim_of("gps", f"{day} {digits}", zone_of(settings)),)


def _clock(value: Any, text: str) -> str | None:
    """hh:mm:ss with its fraction, from three numbers or three rationals in any spelling."""
    numbers = [_number(str(part)) for part in value] if isinstance(value, list | tuple) else None
    if numbers is None or len(numbers) != 3:
        numbers = [_number(part) for part in re.findall(r"\d+(?:\.\d+)?(?:/\d+)?", text)]
    if len(numbers) != 3 or None in numbers:
        return None
    hour, minute, second = (float(number or 0.0) for number in numbers)
    if hour >= 100 or minute >= 100 or second >= 100:
        return None
    whole, thousandths = divmod(round(second * 1000), 1000)
    tail = f".{thousandths:03d}" if thousandths else ""
    return f"{int(hour):02d}:{int(minute):02d}:{whole:02d}{tail}"


def _number(text: str) -> float | None:
    above, _, below = text.partition("/")
    try:
        return float(above) / float(below) if below else float(above)
    except (ValueError, ZeroDivisionError, OverflowError):
        return None


TIME_SOURCE = TimeSource(name="gps", version=1, claims=_claims)
